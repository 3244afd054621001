"""`run`: simulate a scenario and store the result."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simcore.errors import ResultsError, UserError, command
from simcore.model import as_scenario
from simcore.runner.choice import check_engine
from simcore.runner.cluster import Cluster, chosen_workers
from simcore.runner.occupied import refuse_busy, refuse_unfinished, same_results
from simcore.runner.progress import Progress
from simcore.runner.request import PreparedRun, RunRequest, prepare
from simcore.runner.session import Session
from simcore.runner.stopping import Stopping, StoppingRule, read_rule
from simcore.store import Results, Writer
from simcore.store.copying import StoredBlocks
from simcore.store.description import Attribute
from simcore.store.parts import Parts
from simcore.store.recorder import Recorder
from simcore.store.signals import undisturbed
from simcore.store.target import check_target
from simcore.uncertainty.design import RANDOM, Design, make_design

if TYPE_CHECKING:
    from distributed import Client

    from simcore.scenario import Scenario


def run(
    scenario: Scenario | str | os.PathLike[str],
    *,
    replicates: int | None = None,
    nested: tuple[int, int] | None = None,
    design: str = RANDOM,
    randomisation: int = 0,
    seed: int | None = None,
    output: str | os.PathLike[str] | None = None,
    engine: str = "agent",
    walker: str = "collapsed",
    threads: int | None = None,
    dask: str | Client | None = None,
    store_by: Sequence[str] | None = None,
    store_ended: bool = False,
    store_theta: bool = True,
    until: str | Sequence[str] | StoppingRule | None = None,
    until_minimum: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    command_line: str = "",
) -> Results:
    """Simulate a scenario and store every count of every replicate.

    Parameters
    ----------
    scenario : Scenario, or name or path of one
        From `load_scenario`.
    replicates : int, optional
        Replicates, each with its own draw of every parameter. Give this or ``nested``.
    nested : (int, int), optional
        Parameter sets, and replicates of each.
    design : {"random", "sobol", "lhs"}
        How parameter sets are spread: independent draws, a scrambled Sobol' sequence (a power of two of them) or a
        Latin hypercube. In a single loop the shared effects are part of it.
    randomisation : int
        Number of an independent randomisation of a Sobol' design or Latin hypercube; 0 for ``random``.
    seed : int, optional
        0 <= seed < 2**64; drawn and stored if not given. The same scenario and seed give the same numbers for any
        number of threads.
    output : path, optional
        Results file; without it the results are kept in memory. A file with the finished results of the same run is
        opened and returned; any other existing file is an error. While it runs, finished blocks are kept in the folder
        ``<output>.parts``, from which `resume` goes on should the process die.
    engine : {"agent", "cohort", "auto"}
        Walk persons, move counts, or whatever is predicted to be faster; the law is the same. What was chosen, and why,
        is stored.
    walker : {"collapsed", "leg-by-leg"}
        Two ways to the same law; they agree in distribution, not in bits.
    threads : int, optional
        Worker threads; by default one per available processor.
    dask : str or distributed.Client, optional
        Compute on a cluster instead: the address of a Dask scheduler, a connected client, or ``"local:4"`` for four
        processes on this machine (docs/cluster.md). The numbers are the same.
    store_by : sequence of str, optional
        Axes to keep apart in the file; by default those of the scenario's ``[store]``.
    store_ended : bool
        Store ended attempts by leg and cause too.
    store_theta : bool
        Store the drawn parameters too.
    until : str, sequence of str, or StoppingRule, optional
        End before ``replicates`` at the end of the first block at which this holds (all of it, if several), such as
        ``"arrived.q95 mcse<=1%"``. The results are those of a run of exactly that many replicates.
    until_minimum : int, optional
        Replicates before which the rule is not asked; by default two blocks.
    progress : callable, optional
        Called with a `Progress` after every piece of work, in the calling thread.
    command_line : str, optional
        Stored with the results.

    Returns
    -------
    Results

    Raises
    ------
    UserError
        If an argument cannot be used.
    ResultsError
        If the output exists, cannot be written, is being written by another process, or belongs to an unfinished run
        (`simcore.errors.UnfinishedError` if that is this very run); if the disk has not enough room for what the first
        block forecasts.
    RunInterrupted
        On KeyboardInterrupt: the block at hand is finished and the file closed first; a second interrupt stops at once.
    """
    if output is not None:
        refuse_busy(Path(output))  # before anything that takes time
    scenario = as_scenario(scenario)
    loop = make_design(replicates, nested, design, randomisation)
    seed = _checked_seed(seed)
    check_engine(engine, walker)
    stopping = _stopping(until, until_minimum, scenario, loop)
    axes = None if store_by is None else tuple(store_by)
    request = RunRequest(scenario, loop, seed, engine, walker, axes, store_ended, store_theta, stopping)
    with chosen_workers(threads, dask) as workers:
        prepared = prepare(request, command_line=command_line)
        return run_prepared(prepared, None if output is None else Path(output), workers, progress)


def run_prepared(
    prepared: PreparedRun, target: Path | None, workers: int | Cluster, progress: Callable[[Progress], None] | None
) -> Results:
    """Do a prepared run, in memory without a target, or open the finished results of the same one; see `run`."""
    if target is None:
        return execute(prepared, workers, progress)
    if os.path.isdir(target):  # unlike Path.is_dir, says no to a name that is too long
        raise ResultsError(f"{target}: is a folder; name a file, such as '{target / 'results.h5'}'")
    if os.path.lexists(target):
        return same_results(target, prepared.identity)
    refuse_unfinished(target, prepared.identity)
    check_target(target)
    parts = Parts(target)
    somebodys = True  # until it is known
    try:
        parts.acquire()
        begun = parts.read_head() is not None
        somebodys = begun or bool(parts.shard_paths())
        if not begun:
            parts.refuse_without_head()
        if begun or os.path.lexists(target):
            raise ResultsError(f"{target}: appeared just now; another process was at it")
        parts.clear()  # what is left where a process died before it wrote what it was about
        parts.write_head(prepared.head)
        return execute(prepared, workers, progress, parts=parts)
    except BaseException:
        parts.close(remove=not somebodys and parts.worthless)
        raise


def execute(
    prepared: PreparedRun,
    workers: int | Cluster,
    progress: Callable[[Progress], None] | None,
    *,
    parts: Parts | None = None,
    earlier: StoredBlocks | None = None,
    damaged: Collection[int] = (),
    replace: bool = False,
    before: Mapping[str, Attribute] | None = None,
) -> Results:
    """Compute what is missing of a prepared run and return its results; in memory without ``parts``.

    Parameters
    ----------
    prepared : PreparedRun
    workers : int or Cluster
        Threads of this process, or a cluster.
    progress : callable or None
    parts : Parts, optional
        The folder of the unfinished run, with its head; closed by whoever acquired it if this fails.
    earlier : StoredBlocks, optional
        The finished file that the run goes on from.
    damaged : collection of int
        First rows of blocks of ``earlier`` that are computed again.
    replace : bool
        Whether the target may be there, and is replaced.
    before : mapping, optional
        Root attributes of the file that is replaced.
    """
    request = prepared.request
    recorder: Recorder | None = None
    try:
        if not isinstance(workers, int):
            _ = workers.client  # starts workers of this machine, or fails, before anything is written
        with undisturbed():
            writer = new_writer(prepared, parts, replace=replace)
            check_room = parts is not None and request.stopping is None
            recorder = Recorder(writer, prepared.rows_id, parts, earlier, damaged, check_room=check_room)
        if not isinstance(workers, int):
            from simcore.runner.cluster_session import ClusterSession

            return ClusterSession(prepared, recorder, workers, progress, before).run()
        return Session(prepared.work, recorder, workers, request.store_theta, progress, request.stopping, before).run()
    except BaseException as error:
        if recorder is not None:
            recorder.abandon()
            if isinstance(error, ResultsError) and parts is not None and parts.folder.is_dir() and recorder.safe_rows:
                raise ResultsError(
                    f"{error}; {recorder.safe_rows:,} replicates are safe, go on with: "
                    f"{command('resume', parts.target)}"
                ) from error.__cause__
        raise


def new_writer(prepared: PreparedRun, parts: Parts | None, *, replace: bool = False) -> Writer:
    """Return the file in the making of a prepared run: in its folder, or in memory without one."""
    head = prepared.head
    return Writer(
        None if parts is None else parts.target,
        prepared.work.slots.layout,
        replicates=head.replicates,
        thetas=head.thetas,
        attributes=head.attributes,
        documents=head.documents,
        store_theta=head.store_theta,
        partial=None if parts is None else parts.assembling,
        replace=replace,
    )


def _stopping(
    until: str | Sequence[str] | StoppingRule | None, minimum: int | None, scenario: Scenario, design: Design
) -> Stopping | None:
    if until is not None:
        if design.kind != RANDOM:
            raise UserError(
                f"until, design = '{design.kind}': a rule counts independent replicates, and only all points of this "
                "design together are even; use design 'random'"
            )
        return Stopping(read_rule(until, scenario), design, minimum)
    if minimum is not None:
        raise UserError(f"until_minimum = {minimum}: there is no rule that it is the minimum of; give until too")
    return None


def _checked_seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(32)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise UserError(f"seed = {seed!r}: must be a whole number from 0 to 2**64 - 1")
    return seed
