"""One run in progress: the pool kept busy, blocks committed in order, an interrupt answered in good order.

A block is *begun* (empty arrays), its slices are *handed out* to the pool a few at a time, it is *computed* when all of
them have ended, *encoded* in the pool and *committed* by the calling thread. Slices of the next block are handed out as
soon as the last one has none left, so no worker waits for the slowest slice of a block. The number of blocks between
begun and committed is bounded, and with it memory.

The calling thread alone decides. It sleeps until a task has ended and then looks at the tasks themselves, so nothing is
lost if an interrupt strikes while it sleeps; while it decides, signals are held back.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import numpy as np

from simcore.runner.blocks import NOTHING, Block, SliceReport, Work, new_block, simulate_slice, slices
from simcore.runner.memory import peak_memory_bytes
from simcore.runner.progress import Progress
from simcore.runner.stopping import Stopping
from simcore.store import EncodedBlock, Results, Writer, encode_block
from simcore.store.layout import CHUNK_ROWS
from simcore.store.partial_file import undisturbed
from simcore.store.provenance import utc_now
from simcore.uncertainty.design import Design

# Slices handed out per worker: one that it computes, two that wait while the calling thread is busy writing a block.
SLICES_PER_WORKER = 3


class RunInterrupted(Exception):
    """The run was interrupted after at least one block; ``results`` holds what was finished, None if nothing was."""

    def __init__(self, results: Results | None) -> None:
        super().__init__("interrupted")
        self.results = results


def most_blocks(workers: int) -> int:
    """Return how many blocks may be between begun and committed.

    One whose last slices are computed or that is on its way to the file, and the next one; more where so many workers
    finish blocks faster than a single one encodes them. (Three for two workers left them no less idle.)
    """
    return 2 + workers // 4


@dataclass
class _UnderWay:
    """A block between begun and committed.

    Attributes
    ----------
    block : Block
    waiting : deque of (first, stop)
        Slices that are not handed out yet.
    tasks : list of futures
        Slices that are handed out and not yet seen to have ended.
    began : float
        When the block was begun [s].
    report : SliceReport
        Sum over the slices that have ended.
    encoding : future, optional
        Set when the block is computed.
    """

    block: Block
    waiting: deque[tuple[int, int]]
    tasks: list[Future[SliceReport]] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)
    report: SliceReport = NOTHING
    encoding: Future[EncodedBlock] | None = None

    @property
    def computed(self) -> bool:
        """Whether every slice has ended."""
        return not self.waiting and not self.tasks


class Session:
    """Computes and stores all blocks of a run.

    Parameters
    ----------
    work : Work
    writer : Writer
        Nothing committed yet; it is finished here, but aborted by whoever opened it.
    workers : int
        Threads of the pool.
    store_theta : bool
        Store the drawn parameters too.
    progress : callable, optional
        Called in the calling thread whenever a task has ended.
    stopping : Stopping, optional
        Told of every committed block; may end the run at the end of one.
    """

    def __init__(
        self,
        work: Work,
        writer: Writer,
        workers: int,
        store_theta: bool,
        progress: Callable[[Progress], None] | None,
        stopping: Stopping | None = None,
    ) -> None:
        self.work = work
        self.writer = writer
        self.workers = workers
        self.store_theta = store_theta
        self.progress = progress
        self.stopping = stopping
        self.done = NOTHING
        """Sum over all slices that have ended."""
        self.kept = NOTHING
        """Sum over the blocks that were committed."""
        self.interrupted = False
        self.begun = 0
        """Row at which the next block begins."""
        self.stop = work.design.replicates
        """Row at which the run ends; an interrupt brings it forward to the end of a block."""
        self.under_way: list[_UnderWay] = []
        self.used: list[Block] = []
        """Blocks that were committed, whose memory the next ones take."""
        self.ended: SimpleQueue[None] = SimpleQueue()
        """Wakes the calling thread: one token for every task that has ended."""
        self.started = time.perf_counter()
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="simcore")

    def run(self) -> Results:
        """Compute and store all blocks, and finish the file.

        Raises
        ------
        RunInterrupted
            After the first KeyboardInterrupt, when the block at hand is finished and the file closed.
        KeyboardInterrupt
            The second one, at once.
        """
        try:
            while self.writer.rows < self.stop:
                with self._interruptible():
                    with undisturbed():
                        self._advance()
                    self._report()
                    if self.writer.rows < self.stop:
                        self.ended.get()
            results = self._finish() if self.writer.rows else None
        except BaseException:
            self.pool.shutdown(wait=False, cancel_futures=True)
            raise
        # Slices of blocks that an interrupt dropped may still be running: nobody waits for them.
        self.pool.shutdown(wait=not self.interrupted)
        if self.interrupted or results is None:
            raise RunInterrupted(results)
        return results

    def _advance(self) -> None:
        """Do everything that can be done without waiting for a task."""
        for under_way in self.under_way:
            self._collect(under_way)
        self._hand_out()  # before the writing, so that no worker waits for it
        if self._commit():
            self._hand_out()

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        task = self.pool.submit(function, *arguments)
        task.add_done_callback(lambda _: self.ended.put(None))
        return task

    def _collect(self, under_way: _UnderWay) -> None:
        """Take up the reports of slices that have ended; have the block encoded after the last one."""
        running = []
        for task in under_way.tasks:
            if task.done():
                report = task.result()
                under_way.report += report
                self.done += report
            else:
                running.append(task)
        under_way.tasks = running
        if under_way.computed and under_way.encoding is None:
            seconds = time.perf_counter() - under_way.began
            under_way.encoding = self._submit(self._encode, under_way.block, seconds, under_way.report)

    def _hand_out(self) -> None:
        """Hand out slices until every worker has enough, those of a new block when the last one has none left."""
        lacking = SLICES_PER_WORKER * self.workers - sum(len(under_way.tasks) for under_way in self.under_way)
        for _ in range(lacking):
            if not (self.under_way and self.under_way[-1].waiting):
                if self.begun == self.stop or len(self.under_way) == most_blocks(self.workers):
                    return
                self._begin()
            newest = self.under_way[-1]
            newest.tasks.append(self._submit(simulate_slice, self.work, newest.block, *newest.waiting.popleft()))

    def _begin(self) -> None:
        used = self.used.pop() if self.used else None
        block = new_block(self.work, self.begun, keep_theta=self.store_theta, used=used)
        self.under_way.append(_UnderWay(block, deque(slices(block, self.workers))))
        self.begun = block.stop

    def _encode(self, block: Block, seconds: float, report: SliceReport) -> EncodedBlock:
        design, layout = self.work.design, self.work.slots.layout
        replicate_id = design.replicate_ids(block.first, block.stop)
        return encode_block(
            layout,
            {variable.name: getattr(block.counts, variable.name) for variable in layout.variables},
            first_row=block.first,
            theta_id=design.theta_ids(block.first, block.stop),
            replicate_id=replicate_id,
            shared_id=replicate_id,
            theta=block.theta,
            seconds=seconds,
            agents=report.agents,
        )

    def _commit(self) -> bool:
        """Write the blocks that are encoded, in order, and return whether there were any."""
        written = 0
        for under_way in self.under_way:
            if under_way.encoding is None or not under_way.encoding.done():
                break
            self.writer.commit(under_way.encoding.result())
            self.kept += under_way.report
            self.used.append(under_way.block)
            written += 1
            if self._is_enough(under_way.block):
                del self.under_way[:written]
                self._stop_at(under_way.block.stop)
                return True
        del self.under_way[:written]
        return written > 0

    def _is_enough(self, block: Block) -> bool:
        """Tell the stopping rule of a committed block, and return whether it ends the run."""
        if self.stopping is None:
            return False
        totals = {
            name: getattr(block.counts, name).sum(axis=0, dtype=np.int64) for name in self.stopping.rule.variables
        }
        return self.stopping.take(totals, block.stop)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Take the first KeyboardInterrupt as the wish to stop after the block at hand, the second one as it is."""
        try:
            yield
        except KeyboardInterrupt:
            if self.interrupted:
                raise
            self.interrupted = True
            self._stop_early()

    def _stop_early(self) -> None:
        """End the run with the block at hand, which is the first one that is not computed; drop what comes after it."""
        ends = [under_way.block.stop for under_way in self.under_way if not under_way.computed]
        self._stop_at(ends[0] if ends else self.begun)

    def _stop_at(self, stop: int) -> None:
        """Let the run end at a row at which a block ends; drop what comes after it."""
        self.stop = self.begun = stop
        for under_way in self.under_way:
            if under_way.block.first >= stop:
                for task in under_way.tasks:
                    task.cancel()
        self.under_way = [under_way for under_way in self.under_way if under_way.block.first < stop]

    def _report(self) -> None:
        if self.progress is not None and self.done.rows:
            seconds = time.perf_counter() - self.started
            standing = "" if self.stopping is None else self.stopping.rule.standing()
            self.progress(Progress(self.done.rows, self.work.design.replicates, self.done.agents, seconds, standing))

    def _finish(self) -> Results:
        design = self.work.design
        if self.store_theta and design.inner > 1:
            thetas = -(-self.writer.rows // design.inner)
            for first in range(0, thetas, CHUNK_ROWS):
                ids = Design(min(first + CHUNK_ROWS, thetas)).theta_ids(first, min(first + CHUNK_ROWS, thetas))
                self.writer.write_theta(first, self.work.model.draw_theta(self.work.streams, ids))
        enough = self.stopping is not None and self.stopping.met
        return self.writer.finish(
            "complete" if enough or self.writer.rows == design.replicates else "interrupted",
            enough=enough,
            attributes={
                "finished_utc": utc_now(),
                "wall_seconds": time.perf_counter() - self.started,
                "agents_walked": self.kept.agents,
                "held_shares": self.kept.held_shares,
                "threads": self.workers,
                "peak_memory_bytes": peak_memory_bytes(),
                "seconds_parameters": self.kept.seconds_parameters,
                "seconds_replicates": self.kept.seconds_replicates,
                "timed_parameter_sets": self.kept.timed_sets,
                "timed_replicates": self.kept.timed_rows,
                **({} if self.stopping is None else self.stopping.outcome()),
            },
        )
