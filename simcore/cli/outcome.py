"""A run on the terminal, whichever verb began it: the bar while it lasts, and what is said when it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcore.cli.figures import duration, figure, size, whole
from simcore.cli.interruption import INTERRUPTED, Interruption, StoppedAtOnce
from simcore.cli.progress import ProgressBar
from simcore.cli.terminal import show, talk
from simcore.errors import UserError, command

if TYPE_CHECKING:
    from simcore.runner import Progress
    from simcore.store import Results

Simulate = Callable[[Callable[["Progress"], None]], "Results"]


class Watch:
    """The progress callback: answers interrupts, moves the bar, and remembers the last state.

    Parameters
    ----------
    interruption : Interruption
    bar : ProgressBar
    opening : str
        Said when the first replicates are there: whatever could be refused was not.
    """

    def __init__(self, interruption: Interruption, bar: ProgressBar, opening: str = "") -> None:
        self.interruption = interruption
        self.bar = bar
        self.opening = opening
        self.last: Progress | None = None

    def __call__(self, state: Progress) -> None:
        self.interruption.checkpoint()
        if state.replicates_done:
            self.last = state
            if self.opening:
                talk(self.opening)
                self.opening = ""
        self.bar.update(state)


def carry_out(
    simulate: Simulate,
    target: Path,
    *,
    replicates: int,
    quiet: bool,
    verbose: bool,
    opening: str = "",
    checked: bool = False,
) -> int:
    """Run something that takes a progress callback and ends with results; returns the exit code.

    Parameters
    ----------
    simulate : callable
    target : Path
        The results file.
    replicates : int
        Asked for.
    quiet, verbose : bool
        Say nothing but the seed and errors; say more.
    opening : str
        See `Watch`.
    checked : bool
        See `report`.
    """
    begun, before = time.perf_counter(), _version(target)
    interruption = Interruption()
    from simcore.runner import RunInterrupted

    with interruption, ProgressBar(replicates, wanted=not quiet) as bar:
        watch = Watch(interruption, bar, "" if quiet else opening)
        try:
            results = simulate(watch)
        except RunInterrupted as stop:
            return _say_interrupted(target, stop.results, stop.safe)
        except (KeyboardInterrupt, StoppedAtOnce):
            return _say_stopped(target, before)
    with results:
        seconds = time.perf_counter() - begun
        report(results, target, watch.last, quiet=quiet, verbose=verbose, seconds=seconds, checked=checked)
    if interruption.signals:
        talk(f"{target} was finished all the same")
    return INTERRUPTED if interruption.signals else 0


def _say_interrupted(target: Path, results: Results | None, safe: int) -> int:
    """Say after the first signal what was kept and how to go on."""
    from simcore.store.target import parts_path

    go_on = f"go on with: {command('resume', target)}"
    if results is not None and results.status == "complete":
        results.close()
        talk(f"{target} was finished all the same")
    elif results is not None:
        with results:
            talk(
                f"kept {whole(results.replicates)} of {whole(results.requested_replicates)} replicates in {target} "
                f"(status interrupted); {go_on}"
            )
    elif parts_path(target).exists():
        talk(f"kept {whole(safe)} replicates beside {target}; {go_on}")
    elif os.path.lexists(target):
        talk(f"nothing was added: {target} is as it was")
    else:
        talk(f"nothing was kept: {target} was not written")
    return INTERRUPTED


def _version(target: Path) -> tuple[int, int] | None:
    """Return what tells a file from one that takes its place; None if there is none."""
    try:
        found = target.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _say_stopped(target: Path, before: tuple[int, int] | None) -> int:
    """Say after the second signal, which may have come at any moment, what is left; ``before`` is the file then."""
    from simcore.store.target import parts_path

    folder = parts_path(target)
    if folder.exists():
        talk(f"stopped at once; finished blocks are safe in {folder}; go on with: {command('resume', target)}")
    elif before is not None and _version(target) == before:
        talk(f"nothing was added: {target} is as it was")
    elif os.path.lexists(target):
        talk(f"{target} was finished all the same")
    else:
        talk(f"nothing was kept: {target} was not written")
    return INTERRUPTED


def report(
    results: Results,
    target: Path,
    last: Progress | None,
    *,
    quiet: bool,
    verbose: bool,
    seconds: float,
    checked: bool = False,
) -> None:
    """Say how a run went and print the headline numbers.

    Parameters
    ----------
    results : Results
    target : Path
    last : Progress or None
        The last state of the run; None if nothing had to be done.
    quiet, verbose : bool
    seconds : float
        Wall time with compiling, opening and closing [s].
    checked : bool
        Whether everything that was there was compared with its checksum.
    """
    facts = results.attributes
    if last is None or (quiet and checked):  # `run` has said it before
        talk(f"seed {facts['seed']}")
    if quiet:
        return
    if last is None:
        look = command("info", target, "--verify")
        words = "every block is as it was written" if checked else f"nothing was checked: {look} does"
        talk(f"{target}: holds this very run, finished {facts['finished_utc']}; nothing to do ({words})")
        _mention_unfinished(results, target)
    else:
        _report_speed(facts, target, last)
        for line in facts.get("history", [])[-1:]:
            if checked and ("damaged" in line or ", now " in line):
                talk(line)
    if "until" in facts:
        _report_until(facts, results.replicates)
    if int(facts["held_shares"]):
        talk(f"warning: {whole(int(facts['held_shares']))} at-risk shares above 1 were held to 1")
    frequent = float(facts["frequent_event_share"])
    if frequent > 0.0:
        talk(
            f"note: in {figure(100.0 * frequent)} % of the parameter sets some at-risk persons have an event "
            "probability above 5 % a year; each counts once, so repeated events are undercounted there"
        )
    if verbose:
        talk(f"{duration(seconds)} with compiling, opening and closing")
    _headline(results)


def _mention_unfinished(results: Results, target: Path) -> None:
    """Say what else is there of the run: a longer one that was begun, or is being written now."""
    from simcore.cli.describing import longer_run
    from simcore.store.parts import look_at_unfinished
    from simcore.store.target import real_target

    target = real_target(target)
    unfinished = look_at_unfinished(target)
    if unfinished is not None:
        talk(f"note: {longer_run(results, target, unfinished)}")


def _report_speed(facts: dict[str, Any], target: Path, last: Progress) -> None:
    """Say how long the run took, how fast it was, and how much room it takes."""
    computed = last.replicates_done - last.replicates_stored
    rate = computed / last.seconds if last.seconds > 0 else 0.0
    agents = last.agents * computed / max(1, last.replicates_done)
    stored = f", {whole(last.replicates_stored)} were there already" if last.replicates_stored else ""
    threads = "1 thread" if facts["threads"] == 1 else f"{facts['threads']} threads"
    talk(
        f"done in {duration(last.seconds)} on {threads}: {whole(round(rate))} replicates/s{stored}; "
        f"{whole(int(facts['agents_walked']))} bound victims{' in all' if stored else ''}, "
        f"{figure(agents / last.seconds / 1e6) if last.seconds > 0 else '-'} million/s"
    )
    talk(
        f"peak memory {size(int(facts['peak_memory_bytes']))}; {target} {size(target.stat().st_size)}; "
        f"seed {facts['seed']}"
    )
    if facts["engine_asked"] == "auto":
        talk(f"engine {facts['engine']}: {facts['engine_reason']}")


def _report_until(facts: dict[str, Any], replicates: int) -> None:
    """Say why the run ended, and where each condition stood."""
    talk(
        f"{facts['stopped_because']} at {whole(replicates)} of at most {whole(int(facts['until_maximum']))} replicates"
    )
    for rule, estimate, error in zip(facts["until"], facts["until_estimate"], facts["until_mcse"], strict=True):
        share = f" ({figure(100.0 * error / estimate)} %)" if estimate > 0.0 else ""
        talk(f"{rule}: estimate {figure(estimate)}, MCSE {figure(error)}{share}")
        if rule.endswith("%") and estimate == 0.0:
            talk("note: an estimate of 0 cannot meet a relative target; give an absolute one, such as mcse<=1")


def _headline(results: Results) -> None:
    """Print what other packages make of the results (see `simcore.cli.elsewhere`)."""
    from simcore.cli.elsewhere import HEADLINE, entries, load_entry

    found = entries(HEADLINE)
    if not found:
        talk("no headline numbers: no package that makes them is installed")
    for entry in found:
        try:
            headline = load_entry(entry)
        except UserError as error:
            talk(f"no headline numbers: {error}")
            continue
        show("", headline(results))
