"""Shards of a run on a cluster that wait on the disk until it is their turn to go into the results file."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from simcore.errors import ResultsError
from simcore.runner.blocks import BLOCK_ROWS
from simcore.runner.cluster_members import logger
from simcore.runner.cluster_tasks import Span
from simcore.store import EncodedBlock
from simcore.store.recorder import Recorder
from simcore.store.shards import read_shard_entries


@dataclass(frozen=True)
class Shard:
    """A shard that is finished.

    Attributes
    ----------
    span : Span
        Its blocks.
    rows : tuple of int
        Replicates of each.
    """

    span: Span
    rows: tuple[int, ...]

    @property
    def firsts(self) -> list[int]:
        """First row of each block."""
        return [self.span.first + number * BLOCK_ROWS for number in range(len(self.rows))]


class WaitingShards:
    """Shards that wait, by first row; one at a time is opened, in the thread that writes.

    Only first rows and lengths are remembered, so very many may wait.

    Parameters
    ----------
    recorder : Recorder
    rows_id : str
    submit : callable
        Has a function of some arguments called by the thread that writes; returns its future.
    """

    def __init__(self, recorder: Recorder, rows_id: str, submit: Callable[..., Future[Any]]) -> None:
        self.recorder = recorder
        self.parts = recorder.parts
        self.rows_id = rows_id
        self._submit = submit
        self._waiting: dict[int, Shard] = {}
        self._opened: Shard | None = None
        self._opening: Future[bool] | None = None

    @property
    def opening(self) -> bool:
        """Whether a shard is being checked."""
        return self._opening is not None

    def add(self, shard: Shard) -> None:
        """Let a shard wait; its blocks are safe."""
        self._waiting[shard.span.first] = shard
        if self.parts is not None:
            self.parts.saved |= dict(zip(shard.firsts, shard.rows, strict=True))

    def count_unheard(self, span: Span) -> None:
        """Count a shard as safe that is there although nobody could tell any more."""
        if self.parts is not None and self.parts.shard_path(span.first).exists():
            try:
                entries = read_shard_entries(self.parts.shard_path(span.first), self.rows_id)
            except ResultsError:
                return
            self.parts.saved |= {entry.first_row: entry.rows for entry in entries}

    def take_damaged(self) -> Shard | None:
        """Return the shard that was opened just now if it is damaged; its blocks no longer count as safe."""
        if self._opening is None or not self._opening.done():
            return None
        whole, self._opening = self._opening.result(), None
        if whole:
            return None
        damaged, self._opened = self._opened, None
        assert damaged is not None
        assert self.parts is not None
        for first in damaged.firsts:
            self.parts.saved.pop(first, None)
        return damaged

    def has_opened(self, first: int) -> bool:
        """Whether the block that begins at a row can be transferred; opens the shard that begins with it."""
        if self.opening:
            return False
        if self._opened is not None and self._opened.span.first <= first < self._opened.span.stop:
            return True
        if first in self._waiting:
            self._opened = self._waiting.pop(first)
            self._opening = self._submit(self._open, self._opened)
        return False

    def _open(self, shard: Shard) -> bool:
        """Check a shard from its first byte to its last; return whether it is what it should be."""
        assert self.parts is not None
        try:
            self.parts.adopt(shard.span.first, shard.rows, self.rows_id)
        except ResultsError as problem:
            logger.warning("%s", problem)
            return False
        return True

    def transfer(self, first: int) -> EncodedBlock:
        """Write a block into the file, in the calling thread."""
        block = self.recorder.transfer(first)
        if self.parts is not None:
            self.parts.forget(first)
        return block
