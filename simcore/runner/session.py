"""One run in progress: the pool kept busy, blocks recorded in order, an interrupt answered in good order.

A block is *begun* (empty arrays), its slices are *handed out* to the pool a few at a time, it is *computed* when all of
them have ended, *encoded* in the pool and *recorded* by a thread of its own, so that nobody who computes waits for the
disk. Slices of the next block are handed out as soon as the last one has none left, so no worker waits for the slowest
slice of a block. A block that is there already is recorded without being computed. The number of blocks between begun
and recorded is bounded, and with it memory.

The calling thread alone decides. It sleeps until a task has ended and then looks at the tasks themselves, so nothing is
lost if an interrupt strikes while it sleeps; while it decides, signals are held back.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from simcore.runner.blocks import (
    BLOCK_ROWS,
    NOTHING,
    Block,
    SliceReport,
    Work,
    encode,
    new_block,
    report_of,
    simulate_slice,
    slices,
)
from simcore.runner.ending import end_attributes
from simcore.runner.progress import Progress
from simcore.runner.stopping import Stopping
from simcore.store import EncodedBlock, Results
from simcore.store.blocks import decode_totals
from simcore.store.description import Attribute
from simcore.store.layout import CHUNK_ROWS
from simcore.store.recorder import Recorder
from simcore.store.signals import undisturbed
from simcore.uncertainty.design import Design

# Slices handed out per worker: one that it computes, two that wait while the calling thread is busy writing a block.
SLICES_PER_WORKER = 3


ENCODED_BLOCKS = 3
"""Blocks that may wait for the disk, compressed, while the next ones are computed."""


class RunInterrupted(Exception):
    """The run was interrupted.

    Attributes
    ----------
    results : Results or None
        What was finished, as a file that can be read and resumed; None if nothing was, or if it stays as it is in the
        folder of the unfinished run.
    safe : int
        Replicates that `resume` will not compute again.
    """

    def __init__(self, results: Results | None, safe: int = 0) -> None:
        super().__init__("interrupted")
        self.results = results
        self.safe = safe


def most_blocks(workers: int) -> int:
    """Return how many blocks may be between begun and encoded.

    One whose last slices are computed, and the next one; more where so many workers finish blocks faster than a single
    one encodes them. (Three for two workers left them no less idle.)
    """
    return 2 + workers // 4


@dataclass
class _UnderWay:
    """A block between begun and recorded.

    Attributes
    ----------
    first, stop : int
        Rows of the run.
    block : Block or None
        What its slices fill; None if the block is there already, and again when it is encoded.
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
    recording : future, optional
        Set when it is its turn to go to the file.
    """

    first: int
    stop: int
    block: Block | None = None
    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    tasks: list[Future[SliceReport]] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)
    report: SliceReport = NOTHING
    encoding: Future[EncodedBlock] | None = None
    recording: Future[EncodedBlock] | None = None

    @property
    def computed(self) -> bool:
        """Whether every slice has ended; also true of a block that was there already."""
        return not self.waiting and not self.tasks


class Session:
    """Computes and records all blocks of a run.

    Parameters
    ----------
    work : Work
    recorder : Recorder
        Nothing recorded yet; it is finished here, but abandoned by whoever made it.
    workers : int
        Threads of the pool.
    store_theta : bool
        Store the drawn parameters too.
    progress : callable, optional
        Called in the calling thread whenever a task has ended.
    stopping : Stopping, optional
        Told of every recorded block; may end the run at the end of one.
    before : mapping, optional
        Root attributes of the file that is gone on from.
    """

    def __init__(
        self,
        work: Work,
        recorder: Recorder,
        workers: int,
        store_theta: bool,
        progress: Callable[[Progress], None] | None,
        stopping: Stopping | None = None,
        before: Mapping[str, Attribute] | None = None,
    ) -> None:
        self.work = work
        self.recorder = recorder
        self.workers = workers
        self.store_theta = store_theta
        self.progress = progress
        self.stopping = stopping
        self.before = before or {}
        self.done = NOTHING
        """Sum over all slices that have ended, and the blocks that were there already."""
        self.kept = NOTHING
        """Sum over the blocks that were recorded."""
        self.interrupted = False
        self.begun = 0
        """Row at which the next block begins."""
        self.stop = work.design.replicates
        """Row at which the run ends; an interrupt brings it forward to the end of a block."""
        self.stored = 0
        """Replicates that were there already."""
        self.recorded = 0
        """Row up to which blocks are known to be recorded."""
        self.under_way: list[_UnderWay] = []
        self.used: list[Block] = []
        """Blocks that were encoded, whose memory the next ones take."""
        self.ended: SimpleQueue[None] = SimpleQueue()
        """Wakes the calling thread: one token for every task that has ended."""
        self.started = time.perf_counter()
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="simcore")
        self.disk = ThreadPoolExecutor(1, thread_name_prefix="simcore-disk")

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
            while self.recorded < self.stop:
                try:
                    with undisturbed():
                        self._advance()
                    self._report()
                    if self.recorded < self.stop:
                        self.ended.get()
                except KeyboardInterrupt:  # the first is the wish to stop after the block at hand
                    if self.interrupted:
                        raise
                    self.interrupted = True
                    self._stop_early()
            results = self._finish() if self.recorded and self._may_close() else None
        except BaseException:
            self.pool.shutdown(wait=False, cancel_futures=True)
            self.disk.shutdown(wait=True, cancel_futures=True)  # nobody closes the file under its writer
            raise
        # Slices of blocks that an interrupt dropped may still be running: nobody waits for them.
        self.pool.shutdown(wait=not self.interrupted)
        self.disk.shutdown()
        if self.interrupted or results is None:
            raise RunInterrupted(results, self.recorder.safe_rows)
        return results

    def _may_close(self) -> bool:
        """Whether to give the file its name: not if an interrupted one would hold less than what is safe already."""
        return not self.interrupted or self.recorder.closes_whole

    def _advance(self) -> None:
        """Do everything that can be done without waiting for a task."""
        for under_way in self.under_way:
            self._collect(under_way)
        self._hand_out()  # before anything else, so that no worker waits for it
        self._record()
        if self._take_recorded():
            self._record()
            self._hand_out()

    def _submit(self, pool: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        task = pool.submit(function, *arguments)
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
        if under_way.block is None:
            return
        # It may have been encoded, and sent to the disk, since this was last looked at.
        if under_way.recording is not None or (under_way.encoding is not None and under_way.encoding.done()):
            self.used.append(under_way.block)
            under_way.block = None
        elif under_way.computed and under_way.encoding is None:
            seconds = time.perf_counter() - under_way.began
            under_way.encoding = self._submit(self.pool, encode, self.work, under_way.block, seconds, under_way.report)

    def _hand_out(self) -> None:
        """Hand out slices until every worker has enough, those of a new block when the last one has none left."""
        lacking = SLICES_PER_WORKER * self.workers - sum(len(under_way.tasks) for under_way in self.under_way)
        while lacking > 0:
            if not (self.under_way and self.under_way[-1].waiting):
                if not self._begin():
                    return
                continue
            newest = self.under_way[-1]
            task = self._submit(self.pool, simulate_slice, self.work, newest.block, *newest.waiting.popleft())
            newest.tasks.append(task)
            lacking -= 1

    def _begin(self) -> bool:
        """Begin the next block, and return whether there was one and room for it."""
        if self.begun == self.stop or len(self.under_way) >= most_blocks(self.workers) + ENCODED_BLOCKS:
            return False
        first, stop = self.begun, min(self.begun + BLOCK_ROWS, self.work.design.replicates)
        under_way = _UnderWay(first, stop)
        if not self.recorder.holds(first, stop - first):
            if sum(other.block is not None for other in self.under_way) >= most_blocks(self.workers):
                return False
            used = self.used.pop() if self.used else None
            under_way.block = new_block(self.work, first, keep_theta=self.store_theta, used=used)
            under_way.waiting = deque(slices(under_way.block, self.workers))
        self.under_way.append(under_way)
        self.begun = stop
        return True

    def _record(self) -> None:
        """Send the blocks whose turn it is to the disk; one at a time if a stopping rule may end the run with it."""
        for under_way in self.under_way:
            if under_way.recording is None:
                if under_way.encoding is not None and under_way.encoding.done():
                    block = under_way.encoding.result()
                    under_way.encoding = None
                    under_way.recording = self._submit(self.disk, self.recorder.commit, block)
                elif under_way.block is None and under_way.encoding is None:
                    under_way.recording = self._submit(self.disk, self.recorder.transfer, under_way.first)
                else:
                    return
            if self.stopping is not None:
                return

    def _take_recorded(self) -> bool:
        """Take note of the blocks that are recorded, in order, and return whether there were any."""
        taken = 0
        for under_way in self.under_way:
            if under_way.recording is None or not under_way.recording.done():
                break
            block = under_way.recording.result()
            report = report_of(block)
            self.kept += report
            if not under_way.report.rows:  # nobody computed it now
                self.done += report
                self.stored += report.rows
            self.recorded = under_way.stop
            taken += 1
            if self._is_enough(block):
                del self.under_way[:taken]
                self._stop_at(under_way.stop)
                return True
        del self.under_way[:taken]
        return taken > 0

    def _is_enough(self, block: EncodedBlock) -> bool:
        """Tell the stopping rule of a recorded block, and return whether it ends the run."""
        if self.stopping is None:
            return False
        layout = self.work.slots.layout
        totals = {name: decode_totals(layout, block, name) for name in self.stopping.rule.variables}
        return self.stopping.take(totals, block.first_row + block.rows)

    def _stop_early(self) -> None:
        """End the run with the block at hand, which is the first one that is not computed; drop what comes after it.

        Blocks behind it that are there already are kept.
        """
        ends = [under_way.stop for under_way in self.under_way if not under_way.computed]
        stop = ends[0] if ends else self.begun
        while stop < self.stop and self.recorder.holds(stop, min(BLOCK_ROWS, self.work.design.replicates - stop)):
            stop = min(stop + BLOCK_ROWS, self.work.design.replicates)
        self._stop_at(stop)

    def _stop_at(self, stop: int) -> None:
        """Let the run end at a row at which a block ends; drop what comes after it."""
        self.stop = stop
        self.begun = min(self.begun, stop)
        for under_way in self.under_way:
            if under_way.first >= stop:
                for task in under_way.tasks:
                    task.cancel()
        self.under_way = [under_way for under_way in self.under_way if under_way.first < stop]

    def _report(self) -> None:
        if self.progress is not None and self.done.rows:
            self.progress(self._standing())

    def _standing(self) -> Progress:
        """Return how far the run is."""
        seconds = time.perf_counter() - self.started
        standing = "" if self.stopping is None else self.stopping.rule.standing()
        return Progress(self.done.rows, self.work.design.replicates, self.done.agents, seconds, standing, self.stored)

    def _finish(self) -> Results:
        design = self.work.design
        if self.store_theta and design.inner > 1:
            thetas = -(-self.recorder.rows // design.inner)
            for first in range(0, thetas, CHUNK_ROWS):
                ids = Design(min(first + CHUNK_ROWS, thetas)).theta_ids(first, min(first + CHUNK_ROWS, thetas))
                self.recorder.write_theta(first, self.work.model.draw_theta(self.work.streams, ids))
        enough = self.stopping is not None and self.stopping.met
        return self.recorder.finish(
            "complete" if enough or self.recorder.rows == design.replicates else "interrupted",
            enough=enough,
            attributes=self._end_attributes(),
        )

    def _end_attributes(self) -> dict[str, Attribute]:
        """Return what the file says about how the run went."""
        return end_attributes(self.kept, self.workers, time.perf_counter() - self.started, self.before, self.stopping)
