"""Which blocks a task on a cluster computes: consecutive ones, as many as pay, until all are handed out.

A task costs a message to and fro, a file and a place in the scheduler, so it should last; but whoever computes it keeps
its blocks in memory until the shard is written, a lost worker loses it whole, and the last tasks of a run should end
together.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from simcore.runner.blocks import BLOCK_ROWS

TASK_SECONDS: Final = 30.0
"""What a task is meant to take."""
LARGEST_SHARD: Final = 128 * 2**20
"""Bytes that a task's blocks may take, encoded."""
LARGEST_MESSAGE: Final = 32 * 2**20
"""The same where they are sent to the client."""
TASKS_PER_THREAD: Final = 4
"""At least so many tasks come out of what is left, so that nobody waits long for the last one."""
_AHEAD: Final = 16
"""With a stopping rule, all threads together begin at most about this share of what is recorded beyond it."""


@dataclass(frozen=True, order=True)
class Span:
    """Consecutive blocks that nobody has computed yet.

    Attributes
    ----------
    first, stop : int
        Rows of the run.
    failures, losses : int
        How often a task for them failed, or vanished with its worker.
    """

    first: int
    stop: int
    failures: int = field(default=0, compare=False)
    losses: int = field(default=0, compare=False)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-(self.stop - self.first) // BLOCK_ROWS)

    def rest(self, first: int) -> Span:
        """Return what is left of it from a row on."""
        return replace(self, first=first)


class Plan:
    """Hands out the blocks of a run.

    Parameters
    ----------
    replicates : int
    holds : callable
        Whether the block of so many replicates (second) that begins at a row (first) is there already.
    with_rule : bool
        Whether the run has a stopping rule, so that what is far ahead may be computed in vain.
    """

    def __init__(self, replicates: int, holds: Callable[[int, int], bool], *, with_rule: bool = False) -> None:
        self.replicates = replicates
        self.holds = holds
        self.with_rule = with_rule
        self.begun = 0
        """Row up to which everything was handed out or is there."""
        self._again: list[Span] = []
        self._blocks = 0
        self._seconds = self._bytes = 0.0

    @property
    def measured(self) -> bool:
        """Whether it is known what a block costs."""
        return self._blocks > 0

    def learn(self, blocks: int, seconds: float, encoded_bytes: int) -> None:
        """Take note of what computed blocks cost: time of one thread, and room."""
        self._blocks += blocks
        self._seconds += seconds
        self._bytes += encoded_bytes

    def blocks_of_a_task(self, threads: int, recorded: int, *, largest: int = LARGEST_SHARD) -> int:
        """Return how many blocks the next task should have: one until it is known what a block costs.

        Parameters
        ----------
        threads : int
            Threads of all workers together.
        recorded : int
            Replicates recorded so far.
        largest : int
            Bytes that they may take.
        """
        if not self.measured:
            return 1
        left = -(-(self.replicates - self.begun) // BLOCK_ROWS)
        bounds = [
            TASK_SECONDS * self._blocks / max(self._seconds, 1e-9),
            largest * self._blocks / max(self._bytes, 1.0),
            left / (TASKS_PER_THREAD * threads),
        ]
        if self.with_rule:
            bounds.append(recorded / BLOCK_ROWS / (_AHEAD * threads))
        return max(1, int(min(bounds)))

    def take(self, blocks: int) -> Span | None:
        """Return what to compute next, at most so many blocks; what was given back comes first. None: nothing left."""
        if self._again:
            span = heapq.heappop(self._again)
            stop = min(span.stop, span.first + blocks * BLOCK_ROWS)
            self.give_back(span.rest(stop))
            return replace(span, stop=stop)
        while self.begun < self.replicates and self._held(self.begun):
            self.begun = self._end(self.begun)
        first = stop = self.begun
        while stop < self.replicates and stop - first < blocks * BLOCK_ROWS and not self._held(stop):
            stop = self._end(stop)
        self.begun = stop
        return Span(first, stop) if stop > first else None

    def give_back(self, span: Span) -> None:
        """Take back blocks that were not computed."""
        if span.stop > span.first:
            heapq.heappush(self._again, span)

    def _end(self, first: int) -> int:
        return min(first + BLOCK_ROWS, self.replicates)

    def _held(self, first: int) -> bool:
        return self.holds(first, self._end(first) - first)
