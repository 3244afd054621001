"""`simcore run`: simulate a scenario into a results file."""

from __future__ import annotations

import functools
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import (
    LARGEST_COUNT,
    DesignName,
    Engine,
    Nested,
    Quiet,
    Randomisation,
    Replicates,
    ScenarioArgument,
    Seed,
    Settings,
    Threads,
    Walker,
    check_engine_options,
    load,
    read_axes,
    read_design,
    read_loops,
    read_seed,
    read_threads,
    read_whole,
)
from simcore.cli.figures import duration, figure, size, whole
from simcore.cli.interruption import INTERRUPTED, Interruption, StoppedAtOnce
from simcore.cli.progress import ProgressBar
from simcore.cli.terminal import show, talk
from simcore.cli.waiting import say_if_cold
from simcore.errors import UserError, nearest

if TYPE_CHECKING:
    from simcore.runner import Progress
    from simcore.scenario import Scenario
    from simcore.store import Results

_DRAWN_SEED_BITS = 32  # short enough to be typed again


@dataclass(frozen=True)
class Wish:
    """What was typed, read and checked as far as it can be without the scenario."""

    outer: int
    inner: int
    seed: int
    options: dict[str, Any]
    quiet: bool
    verbose: bool

    @property
    def replicates(self) -> int:
        """Replicates in all."""
        return self.outer * self.inner

    @property
    def design(self) -> dict[str, Any]:
        """The design as an argument of `simcore.run`."""
        return {"replicates": self.outer} if self.inner == 1 else {"nested": (self.outer, self.inner)}


def run_verb(
    name: ScenarioArgument,
    replicates: Replicates = None,
    nested: Nested = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Results file; default: NAME.h5 here.", show_default=False),
    ] = None,
    seed: Seed = None,
    design: DesignName = "random",
    randomisation: Randomisation = "0",
    engine: Engine = "agent",
    walker: Walker = "collapsed",
    threads: Threads = None,
    settings: Settings = None,
    store_by: Annotated[
        str | None,
        typer.Option(
            "--store-by",
            metavar="AXES",
            help="Axes kept apart, such as origin,sex, or none; default: as the scenario says.",
            show_default=False,
        ),
    ] = None,
    store_ended: Annotated[bool, typer.Option("--store-ended", help="Store ended attempts by leg and cause.")] = False,
    store_theta: Annotated[str, typer.Option("--store-theta", metavar="all|none", help="Store drawn parameters.")] = (
        "all"
    ),
    until: Annotated[
        list[str] | None,
        typer.Option(
            "--until",
            metavar="RULE",
            help="End early when this holds, as 'arrived.q95 mcse<=1%'; -n is the most. Repeatable: all must hold.",
            show_default=False,
        ),
    ] = None,
    until_minimum: Annotated[
        str | None,
        typer.Option(
            "--until-minimum",
            metavar="N",
            help="Replicates before --until is asked (default 8192).",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Forecast time and disk; write nothing.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> int:
    """Simulate a scenario and store every count of every replicate."""
    if quiet and verbose:
        raise UserError("give either --quiet or --verbose, not both")
    if store_theta not in ("all", "none"):
        raise UserError(f"--store-theta {store_theta}: must be all or none{nearest(store_theta, ('all', 'none'))}")
    chosen_design = read_design(design, randomisation)
    outer, inner = read_loops(replicates, nested, design)
    options = {
        **chosen_design,
        "engine": engine,
        "walker": walker,
        "threads": read_threads(threads),
        "store_by": None if store_by is None else read_axes(store_by, "--store-by"),
        "store_ended": store_ended,
        "store_theta": store_theta == "all",
    }
    seed_value = secrets.randbits(_DRAWN_SEED_BITS) if seed is None else read_seed(seed)
    wish = Wish(outer, inner, seed_value, options, quiet, verbose)
    scenario = load(name, settings, quiet=quiet)
    if until or until_minimum is not None:
        wish.options.update(_read_until(scenario, wish, until or [], until_minimum))
    target = Path(f"{scenario.name}.h5") if output is None else output
    return _forecast(scenario, target, wish) if dry_run else _run(scenario, target, wish)


def _read_until(scenario: Scenario, wish: Wish, rules: list[str], minimum: str | None) -> dict[str, Any]:
    """Return the arguments of a stopping rule, read before anything is compiled."""
    from simcore.runner.stopping import read_rule

    if not rules:
        raise UserError(f"--until-minimum {minimum}: there is no rule that it is the minimum of; give --until too")
    if wish.inner > 1:
        raise UserError(
            f"--until '{rules[0]}' --nested {wish.outer}x{wish.inner}: a rule counts independent replicates, those of "
            "a parameter set are alike; give -n"
        )
    if wish.options["design"] != "random":
        raise UserError(
            f"--until '{rules[0]}' --design {wish.options['design']}: a rule counts independent replicates, and only "
            "all points of this design together are even; use --design random"
        )
    fewest = None if minimum is None else read_whole(minimum, "--until-minimum", 1, LARGEST_COUNT)
    if fewest is not None and fewest > wish.replicates:
        raise UserError(f"--until-minimum {fewest}: must not pass -n {wish.replicates}")
    try:
        rule = read_rule(rules, scenario)
    except UserError as error:
        raise UserError(f"--{error}") from None
    return {"until": rule, "until_minimum": fewest}


def _check_choices(wish: Wish) -> None:
    """Refuse unknown words, naming the option, before anything is said or compiled."""
    from simcore.runner.slots import AXES

    check_engine_options(wish.options["engine"], wish.options["walker"])
    for axis in wish.options["store_by"] or ():
        if axis not in AXES:
            raise UserError(f"--store-by {axis}: unknown{nearest(axis, AXES)} (known: {', '.join(AXES)})")


def _forecast(scenario: Scenario, target: Path, wish: Wish) -> int:
    import simcore
    from simcore.cli.forecast import make_forecast, show_forecast
    from simcore.store import check_target

    _check_choices(wish)
    if not os.path.lexists(target):
        check_target(target)
    with Interruption(at_once=True) as interruption:
        # A pilot has a few replicates only, and the design decides nothing about time or disk.
        left_out = ("until", "until_minimum", "design", "randomisation")
        options = {name: value for name, value in wish.options.items() if name not in left_out}
        simulate = functools.partial(
            simcore.run, scenario, seed=wish.seed, **options, progress=lambda _: interruption.checkpoint()
        )
        forecast = make_forecast(simulate, wish.outer, wish.inner)
    show_forecast(forecast, target, wish.outer, wish.inner, wish.seed)
    return 0


def _run(scenario: Scenario, target: Path, wish: Wish) -> int:
    from simcore.store import check_target

    _check_choices(wish)
    existed = os.path.lexists(target)
    if not existed:  # else the runner looks into the file first
        check_target(target)
        talk(f"seed {wish.seed}")
        _introduce(scenario, target, wish)
    begun = time.perf_counter()
    interruption = Interruption()
    with interruption, ProgressBar(wish.replicates, wanted=not wish.quiet) as bar:

        def progress(state: Progress) -> None:
            interruption.checkpoint()
            bar.update(state)

        results, finished = _simulate(scenario, target, wish, progress)
    if results is None:
        # The second signal may have come after the file was given its name.
        finished = os.path.lexists(target) and not existed
        talk(f"{target} was finished all the same" if finished else f"nothing was kept: {target} was not written")
        return INTERRUPTED
    with results:
        if not finished:
            talk(
                f"kept {whole(results.replicates)} of {whole(results.requested_replicates)} replicates in {target} "
                "(status interrupted)"
            )
            return INTERRUPTED
        _report(results, target, wish, existed=existed, seconds=time.perf_counter() - begun)
    return INTERRUPTED if interruption.signals else 0


def _simulate(
    scenario: Scenario, target: Path, wish: Wish, progress: Callable[[Progress], None]
) -> tuple[Results | None, bool]:
    """Return what was written, None if nothing was, and whether the run came to its end."""
    import simcore
    from simcore.runner import RunInterrupted
    from simcore.store.provenance import command_line
    from simcore.store.target import partial_path

    try:
        return (
            simcore.run(
                scenario,
                **wish.design,
                seed=wish.seed,
                output=target,
                **wish.options,
                progress=progress,
                command_line=command_line(),
            ),
            True,
        )
    except RunInterrupted as stop:
        return stop.results, False
    except (KeyboardInterrupt, StoppedAtOnce):
        # The writer removes its unfinished file, unless the signal came before anybody was there to close it.
        partial_path(target).unlink(missing_ok=True)
        return None, False


def _introduce(scenario: Scenario, target: Path, wish: Wish) -> None:
    """Say what is about to be run, and that compiling may take a while."""
    if wish.quiet:
        return
    from simcore.compilation import cache_folder

    loop = f" ({whole(wish.outer)} parameter sets x {whole(wish.inner)})" if wish.inner > 1 else ""
    talk(f"{scenario.name}: {whole(wish.replicates)} replicates{loop} into {target}")
    say_if_cold()
    if wish.verbose:
        folder = cache_folder()
        talk(f"scenario digest {scenario.digest}")
        talk(f"compiled kernels in {folder or 'memory only'}")
        talk(
            f"{whole(len(scenario.active_strata))} active strata, {whole(len(scenario.elements()))} parameters drawn, "
            f"engine {wish.options['engine']}, walker {wish.options['walker']}"
        )


def _report(results: Results, target: Path, wish: Wish, *, existed: bool, seconds: float) -> None:
    """Say how the run went and print the headline numbers."""
    if existed:
        talk(f"seed {wish.seed}")
    if wish.quiet:
        return
    facts = results.attributes
    wall, agents = float(facts["wall_seconds"]), int(facts["agents_walked"])
    if existed:
        talk(f"{target}: holds this very run, finished {facts['finished_utc']}; nothing to do")
    else:
        per_second = whole(round(results.replicates / wall)) if wall > 0 else "-"
        rate = figure(agents / wall / 1e6) if wall > 0 else "-"
        talk(
            f"done in {duration(wall)} on {facts['threads']} threads: {per_second} replicates/s; "
            f"{whole(agents)} bound victims, {rate} million/s"
        )
        talk(
            f"peak memory {size(int(facts['peak_memory_bytes']))}; {target} {size(target.stat().st_size)}; "
            f"seed {wish.seed}"
        )
        if wish.options["engine"] == "auto":
            talk(f"engine {facts['engine']}: {facts['engine_reason']}")
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
    if wish.verbose:
        talk(f"{duration(seconds)} with compiling, opening and closing")
    _headline(results)


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
