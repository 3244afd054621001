"""`resume` and `extend`: go on with a run that did not end, or add replicates to one that did.

What is there is opened, checked and gone on with by `simcore.runner.unfinished`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simcore.errors import ResultsError, UserError, command
from simcore.runner.cluster import chosen_workers
from simcore.runner.identity import completed
from simcore.runner.request import RunRequest
from simcore.runner.stopping import StoppingRule
from simcore.runner.unfinished import UNTIL, Continuation, OpenedRun, ProgressCall, head_of, requested_again
from simcore.store import Results, open_results
from simcore.store.heads import Head, read_head
from simcore.store.target import parts_path, real_target
from simcore.uncertainty.design import LATIN_HYPERCUBE, make_design

if TYPE_CHECKING:
    from distributed import Client


def resume(
    output: str | os.PathLike[str],
    *,
    threads: int | None = None,
    dask: str | Client | None = None,
    repair: bool = False,
    other_environment: bool = False,
    until: StoppingRule | None = None,
    progress: ProgressCall | None = None,
    command_line: str = "",
) -> Results:
    """Go on with a run that was interrupted or killed, up to the replicates that it was asked for.

    What is there is checked first, every byte of it, also where nothing is missing.

    Parameters
    ----------
    output : path
        Its results file, whether that exists yet or not.
    threads : int, optional
        Worker threads; by default one per available processor.
    dask : str or distributed.Client, optional
        Compute on a cluster instead, as in `run`.
    repair : bool
        Compute damaged blocks again, also those of a file that is complete.
    other_environment : bool
        Go on although versions of libraries or the processor changed: a finished block is computed again first and must
        come out the same, bit for bit.
    until : StoppingRule, optional
        The rule of the run, where it is an object of your own whose words cannot be read again.
    progress : callable, optional
        As in `run`.
    command_line : str, optional
        Stored in the file's history.

    Returns
    -------
    Results
        Every count is that of a run that was never interrupted.

    Raises
    ------
    UserError
        If an argument cannot be used.
    ResultsError
        If there is nothing to go on with, another process is at it, the scenario, program or libraries changed, or
        blocks are damaged and ``repair`` is false.
    RunInterrupted
        As in `run`.
    """
    target = real_target(Path(output))
    if read_head(target) is None and not os.path.lexists(target) and not parts_path(target).is_dir():
        raise ResultsError(f"{target}: no such file, and no unfinished run beside it ({parts_path(target)})")
    with chosen_workers(threads, dask) as workers, OpenedRun(target) as opened:
        opened.lock()
        options = Continuation(workers, repair, other_environment, until, progress, command_line)
        head = opened.head or head_of(opened.results())
        if opened.is_finished(head) and (whole := opened.finished(options)) is not None:
            return whole
        return opened.go_on(head, options, "resumed")


def extend(
    output: str | os.PathLike[str],
    *,
    replicates: int | None = None,
    nested: tuple[int, int] | None = None,
    threads: int | None = None,
    dask: str | Client | None = None,
    repair: bool = False,
    other_environment: bool = False,
    progress: ProgressCall | None = None,
    command_line: str = "",
) -> Results:
    """Add replicates to a finished run; those that it has stay as they are, bit for bit.

    A stopping rule that the run had is done with: the longer run goes to its end.

    Parameters
    ----------
    output : path
        A results file, also that of an interrupted run. It is replaced in one step when the longer one is finished.
    replicates : int, optional
        Replicates in all. Give this, or for a nested run ``nested``.
    nested : (int, int), optional
        Parameter sets in all, and as many replicates of each as the file has.
    threads, dask, repair, other_environment, progress, command_line
        As in `resume`.

    Returns
    -------
    Results
        Every count is that of a run of the whole length.

    Raises
    ------
    UserError
        If an argument cannot be used, or the design of the file cannot grow so.
    ResultsError, RunInterrupted
        As in `resume`.
    """
    target = real_target(Path(output))
    with open_results(target) as results:  # says what is wrong with it
        outer, inner = _longer(target, results, replicates, nested)
    with chosen_workers(threads, dask) as workers, OpenedRun(target) as opened:
        opened.lock()
        options = Continuation(workers, repair, other_environment, None, progress, command_line)
        head = _lengthened(opened.results(), outer, inner)
        _refuse_another(target, opened.head, head)
        if opened.is_finished(head) and (whole := opened.finished(options)) is not None:
            return whole
        return opened.go_on(opened.head or head, options, "extended")


def request_of_extension(
    output: str | os.PathLike[str], *, replicates: int | None = None, nested: tuple[int, int] | None = None
) -> tuple[RunRequest, int]:
    """Return the run that `extend` would end with, and how many replicates of it are there; nothing is written.

    Raises
    ------
    UserError, ResultsError
        As `extend` does before it looks at the blocks.
    """
    target = real_target(Path(output))
    with open_results(target) as results:
        head = _lengthened(results, *_longer(target, results, replicates, nested))
        _refuse_another(target, read_head(target), head)
        return requested_again(head, str(target)), results.replicates


def _lengthened(results: Results, outer: int, inner: int) -> Head:
    """Return what a file says of its run, with the loops of the longer one and no stopping rule."""
    head = head_of(results)
    wanted = {name: value for name, value in head.attributes.items() if name not in UNTIL}
    return replace(head, replicates=outer * inner, thetas=outer, attributes=wanted)


def _refuse_another(target: Path, begun: Head | None, head: Head) -> None:
    """Refuse to extend a file of which another extension did not end."""
    if begun is not None and (begun.replicates, begun.thetas) != (head.replicates, head.thetas):
        raise ResultsError(
            f"{target}: is being extended to {begun.replicates:,} replicates ({begun.thetas:,} parameter sets) "
            f"already; finish that first: {command('resume', target)}"
        )


def _longer(target: Path, results: Results, replicates: int | None, nested: tuple[int, int] | None) -> tuple[int, int]:
    """Return the loops of the longer run (parameter sets, replicates of each)."""
    attributes, held = results.attributes, results.replicates
    sets, inner = results.nested
    kind, randomisation = str(completed(attributes)["design"]), int(str(completed(attributes)["randomisation"]))
    if inner > 1 and nested is None:
        raise UserError(
            f"{target}: holds {sets} parameter sets x {inner} replicates: give nested = (sets, {inner}), not replicates"
        )
    if inner == 1 and nested is not None and nested[1] != 1:
        raise UserError(f"{target}: has one replicate of each parameter set: give replicates, not nested")
    if nested is not None and nested[1] != inner:
        raise UserError(
            f"{target}: nested = {nested[0]}x{nested[1]}: the file has {inner} replicates of each parameter set, and "
            "only the number of sets can grow"
        )
    design = make_design(replicates, nested, kind, randomisation)
    if design.replicates < held:
        raise UserError(f"{target}: holds {held:,} replicates, asked for {design.replicates:,}: nothing is taken away")
    if kind == LATIN_HYPERCUBE and design.replicates != results.requested_replicates:
        raise UserError(
            f"{target}: design 'lhs' cannot be extended: the number of parameter sets is part of every number; run "
            "the longer one anew"
        )
    return design.outer, design.inner
