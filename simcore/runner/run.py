"""`run`: simulate a scenario and store the result."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from simcore.engines.agent import WALKERS
from simcore.errors import ResultsError, UserError, nearest
from simcore.model import RESULTS_VERSION, as_scenario, compile_model, frequent_event_share
from simcore.runner.blocks import BLOCK_ROWS, Block, SliceReport, Work, new_block, simulate_slice, slices
from simcore.runner.embedding import embedded_documents
from simcore.runner.progress import Progress
from simcore.runner.slots import make_slots, stored_axes
from simcore.store import EncodedBlock, Results, Writer, encode_block, open_results
from simcore.store.description import Attribute
from simcore.store.layout import CHUNK_ROWS
from simcore.store.provenance import environment, utc_now
from simcore.uncertainty.design import Design, make_design

if TYPE_CHECKING:
    from simcore.scenario import Scenario

ENGINES = ("agent",)
GENERATOR = "Philox4x32-10"
# What makes two runs the same run: if all of these agree, so does every number.
IDENTITY = (
    "scenario_digest",
    "results_version",
    "seed",
    "requested_replicates",
    "nested",
    "engine",
    "walker",
    "store_by",
    "ended",
    "theta",
)


class RunInterrupted(Exception):
    """The run was interrupted after at least one block; ``results`` holds what was finished, None if nothing was."""

    def __init__(self, results: Results | None) -> None:
        super().__init__("interrupted")
        self.results = results


def run(
    scenario: Scenario | str | os.PathLike[str],
    *,
    replicates: int | None = None,
    nested: tuple[int, int] | None = None,
    seed: int | None = None,
    output: str | os.PathLike[str] | None = None,
    engine: str = "agent",
    walker: str = "collapsed",
    threads: int | None = None,
    store_by: Sequence[str] | None = None,
    store_ended: bool = False,
    store_theta: bool = True,
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
    seed : int, optional
        0 <= seed < 2**64; drawn and stored if not given. The same scenario and seed give the same numbers for any
        number of threads.
    output : path, optional
        Results file; without it the results are kept in memory. A file with the finished results of the same run is
        opened and returned; any other existing file is an error.
    engine : {"agent"}
    walker : {"collapsed", "leg-by-leg"}
        Two ways to the same law; they agree in distribution, not in bits.
    threads : int, optional
        Worker threads; by default one per available processor.
    store_by : sequence of str, optional
        Axes to keep apart in the file; by default those of the scenario's ``[store]``.
    store_ended : bool
        Store ended attempts by leg and cause too.
    store_theta : bool
        Store the drawn parameters too.
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
        If the output exists or cannot be written.
    RunInterrupted
        On KeyboardInterrupt: the block at hand is finished and the file closed first; a second interrupt stops at once.
    """
    scenario = as_scenario(scenario)
    design = make_design(replicates, nested)
    seed = _checked_seed(seed)
    _check_choice("engine", engine, ENGINES)
    _check_choice("walker", walker, WALKERS)
    workers = _checked_threads(threads)
    model = compile_model(scenario, routes=walker == "collapsed")
    slots = make_slots(model, by=store_by, ended=store_ended)
    target = None if output is None else Path(output)
    attributes: dict[str, Attribute] = {
        "scenario_name": scenario.name,
        "scenario_title": scenario.document.title,
        "definition": scenario.document.definition,
        "cohort_year": scenario.document.cohort_year,
        "scenario_digest": scenario.digest,
        "results_version": RESULTS_VERSION,
        "seed": str(seed),
        "generator": GENERATOR,
        "engine": engine,
        "walker": walker,
        "store_by": ",".join(stored_axes(model, store_by)),
        "ended": int(store_ended),
        "theta": int(store_theta),
        "command_line": command_line,
        "started_utc": utc_now(),
        **environment(),
    }
    if target is not None and os.path.lexists(target):
        return _same_results(target, attributes, design)
    streams = model.streams(seed)
    attributes["frequent_event_share"] = frequent_event_share(model, streams, design.outer)
    work = Work(model, streams, slots, design, walker)
    with Writer(
        target,
        slots.layout,
        replicates=design.replicates,
        thetas=design.outer,
        attributes=attributes,
        documents=embedded_documents(scenario),
        store_theta=store_theta,
    ) as writer:
        return _Session(work, writer, workers, store_theta, progress).run()


def _checked_seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(32)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise UserError(f"seed = {seed!r}: must be a whole number from 0 to 2**64 - 1")
    return seed


def _check_choice(name: str, value: str, known: Sequence[str] | dict[str, int]) -> None:
    if value not in known:
        raise UserError(f"{name} = '{value}': unknown{nearest(value, known)} (known: {', '.join(known)})")


def _checked_threads(threads: int | None) -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads is None:
        return available
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 1024:
        raise UserError(f"threads = {threads!r}: must be a whole number from 1 to 1024")
    return threads


def _same_results(target: Path, attributes: dict[str, Attribute], design: Design) -> Results:
    """Open finished results of the same run; anything else at the target is refused."""
    try:
        results = open_results(target)
    except ResultsError as error:
        raise ResultsError(
            f"{target}: exists and is no results file; choose another name or remove it first"
        ) from error
    wanted: dict[str, Attribute] = {
        **attributes,
        "requested_replicates": design.replicates,
        "nested": [design.outer, design.inner],
    }
    different = [key for key in IDENTITY if not _equal(results.attributes.get(key), wanted[key])]
    if different:
        results.close()
        raise ResultsError(
            f"{target}: holds the results of another run ({different[0]} differs); choose another name or "
            "remove it first"
        )
    if results.status != "complete":
        done, asked = results.replicates, results.requested_replicates
        results.close()
        raise ResultsError(
            f"{target}: holds an interrupted run, {done} of {asked} replicates; resume is not available yet: "
            "summarise it as it is, or choose another name"
        )
    return results


def _equal(stored: object, wanted: object) -> bool:
    if isinstance(wanted, list):
        return stored is not None and [int(n) for n in stored] == wanted  # type: ignore[attr-defined]
    return str(stored) == str(wanted)


def peak_memory_bytes() -> int:
    """Return the largest resident size that this process had [bytes]; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class _Session:
    """One run in progress: keeps the pool busy, commits blocks in order, finishes the file."""

    def __init__(
        self,
        work: Work,
        writer: Writer,
        workers: int,
        store_theta: bool,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.work = work
        self.writer = writer
        self.workers = workers
        self.store_theta = store_theta
        self.progress = progress
        self.done = SliceReport(0, 0, 0)
        self.interrupted = False
        self.started = time.perf_counter()
        self.encoding: deque[Future[EncodedBlock]] = deque()
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="simcore")

    def run(self) -> Results:
        """Compute and store all blocks."""
        try:
            for first in range(0, self.work.design.replicates, BLOCK_ROWS):
                self._compute(new_block(self.work, first, keep_theta=self.store_theta))
                if self.interrupted:
                    break
            self._commit(keep=0)
        except BaseException:
            self.pool.shutdown(wait=False, cancel_futures=True)
            raise
        self.pool.shutdown()
        complete = self.writer.rows == self.work.design.replicates
        if not self.interrupted:
            return self._finish("complete")
        results = self._finish("complete" if complete else "interrupted") if self.writer.rows else None
        raise RunInterrupted(results)

    def _compute(self, block: Block) -> None:
        began = time.perf_counter()
        tasks = [self.pool.submit(simulate_slice, self.work, block, *bounds) for bounds in slices(block)]
        waiting = tasks
        while waiting:
            with self._interruptible():
                wait(waiting, return_when=FIRST_COMPLETED)
                waiting = [task for task in tasks if not task.done()]
                self._report([task.result() for task in tasks if task.done()])
        reports = [task.result() for task in tasks]
        self.done = self.done.plus(reports)
        self.encoding.append(self.pool.submit(self._encode, block, time.perf_counter() - began, reports))
        if block.theta is not None:
            with self._interruptible():
                self.writer.write_theta(block.first, block.theta)
        self._commit(keep=1)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Take the first KeyboardInterrupt as the wish to stop after this block, the second one as it is.

        The writer holds signals back while it writes, so its calls are done when the interrupt shows.
        """
        try:
            yield
        except KeyboardInterrupt:
            if self.interrupted:
                raise
            self.interrupted = True

    def _encode(self, block: Block, seconds: float, reports: list[SliceReport]) -> EncodedBlock:
        design, layout = self.work.design, self.work.slots.layout
        replicate_id = design.replicate_ids(block.first, block.stop)
        return encode_block(
            layout,
            {variable.name: getattr(block.counts, variable.name) for variable in layout.variables},
            first_row=block.first,
            theta_id=design.theta_ids(block.first, block.stop),
            replicate_id=replicate_id,
            shared_id=replicate_id,
            seconds=seconds,
            agents=sum(report.agents for report in reports),
        )

    def _commit(self, *, keep: int) -> None:
        """Commit encoded blocks in order, leaving up to ``keep`` to be encoded while the next block is computed."""
        while len(self.encoding) > keep:
            with self._interruptible():
                self.encoding[0].result()
            if self.encoding[0].done():
                block = self.encoding.popleft().result()
                with self._interruptible():
                    self.writer.commit(block)

    def _report(self, finished: list[SliceReport]) -> None:
        if self.progress is not None:
            done, seconds = self.done.plus(finished), time.perf_counter() - self.started
            self.progress(Progress(done.rows, self.work.design.replicates, done.agents, seconds))

    def _finish(self, status: str) -> Results:
        design = self.work.design
        if self.store_theta and design.inner > 1:
            thetas = -(-self.writer.rows // design.inner)
            for first in range(0, thetas, CHUNK_ROWS):
                ids = Design(min(first + CHUNK_ROWS, thetas)).theta_ids(first, min(first + CHUNK_ROWS, thetas))
                self.writer.write_theta(first, self.work.model.draw_theta(self.work.streams, ids))
        return self.writer.finish(
            "complete" if status == "complete" else "interrupted",
            attributes={
                "finished_utc": utc_now(),
                "wall_seconds": time.perf_counter() - self.started,
                "agents_walked": self.done.agents,
                "held_shares": self.done.held_shares,
                "threads": self.workers,
                "peak_memory_bytes": peak_memory_bytes(),
            },
        )
