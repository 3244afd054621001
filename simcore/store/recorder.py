"""Where the blocks of a run go: first made safe as a shard, then into the results file, always in order of replicates.

A block may also be there already: as a shard that a dead process left, or in a finished file that is extended. Then it
is moved over as it is, and nobody computes it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from simcore.store.blocks import EncodedBlock
from simcore.store.copying import StoredBlocks
from simcore.store.description import Attribute
from simcore.store.parts import Parts
from simcore.store.reader import Results
from simcore.store.signals import undisturbed
from simcore.store.target import refuse_without_room
from simcore.store.writer import FinalStatus, Writer


class Recorder:
    """Takes the blocks of a run and ends with its results.

    Parameters
    ----------
    writer : Writer
        Nothing committed yet.
    rows_id : str
        Which rows these are (see `simcore.store.shards`).
    parts : Parts, optional
        The folder of the unfinished run, whose shards were found; none for a run in memory.
    earlier : StoredBlocks, optional
        The finished file that the run goes on from.
    damaged : collection of int
        First rows of blocks of ``earlier`` that are not to be used.
    check_room : bool
        Refuse at the first new block a run that the disk has no room for, going by the size of that block.
    """

    def __init__(
        self,
        writer: Writer,
        rows_id: str = "",
        parts: Parts | None = None,
        earlier: StoredBlocks | None = None,
        damaged: Collection[int] = (),
        *,
        check_room: bool = False,
    ) -> None:
        self.writer = writer
        self.parts = parts
        self.earlier = earlier
        self._rows_id = rows_id
        self._damaged = frozenset(damaged)
        self._check_room = check_room
        self.computed = 0
        """Replicates that were handed to `commit`."""

    @property
    def rows(self) -> int:
        """Replicates committed so far, from the first one without a gap."""
        return self.writer.rows

    def holds(self, first: int, rows: int) -> bool:
        """Whether the block of ``rows`` replicates that begins at ``first`` is there already."""
        if self.parts is not None and first in self.parts.shards:
            return self.parts.shards[first].rows == rows
        return self._holds_earlier(first, rows)

    def _holds_earlier(self, first: int, rows: int) -> bool:
        if self.earlier is None or first in self._damaged:
            return False
        found = self.earlier.ledger.get(first)
        return found is not None and found.rows == rows

    def commit(self, block: EncodedBlock) -> EncodedBlock:
        """Make a new block safe and write it into the file; returns it.

        Raises
        ------
        ResultsError
            The disk is full or failed; blocks that were safe still are.
        """
        if self.parts is not None:
            self.check_room(block.encoded_bytes / block.rows)
            self.parts.save(block, self._rows_id)
        self.writer.commit(block)
        self.computed += block.rows
        return block

    def transfer(self, first: int) -> EncodedBlock:
        """Write a block that is there already (see `holds`) into the file; returns it."""
        if self.parts is not None and first in self.parts.shards:
            block = self.parts.load(first)
        else:
            assert self.earlier is not None
            block = self.earlier.load(first)
        self.writer.commit(block)
        return block

    def check_room(self, bytes_per_row: float) -> None:
        """Refuse a run that the disk has no room for; whoever was let through once is not asked again.

        It takes the shards of what is not safe yet, and the file of all that is not in it yet.
        """
        if self.parts is not None and self._check_room:
            shards = max(0, self.writer.replicates - self.safe_rows)
            refuse_without_room(self.parts.target, (shards + self.writer.replicates - self.rows) * bytes_per_row)
            self._check_room = False

    def write_theta(self, first: int, values: NDArray[np.float64]) -> None:
        """See `Writer.write_theta`."""
        self.writer.write_theta(first, values)

    @property
    def safe_rows(self) -> int:
        """Replicates that a kill would not lose."""
        safe = {} if self.parts is None else dict(self.parts.safe)
        if self.earlier is not None:
            for first, row in self.earlier.ledger.items():
                if first not in self._damaged:
                    safe.setdefault(first, row.rows)
        return sum(safe.values())

    @property
    def closes_whole(self) -> bool:
        """Whether a file that ends here would hold everything that is safe."""
        beyond = self.parts is not None and any(first >= self.rows for first in self.parts.safe)
        return not beyond and (self.earlier is None or self.rows >= self.earlier.results.replicates)

    def finish(
        self, status: FinalStatus, *, enough: bool = False, attributes: Mapping[str, Attribute] | None = None
    ) -> Results:
        """Close the file, give it its name, and remove the folder of the unfinished run (see `Writer.finish`)."""
        if self.earlier is not None:
            self.earlier.results.close()
        with undisturbed():
            results = self.writer.finish(status, enough=enough, attributes=attributes)
            if self.parts is not None:
                self.parts.close(remove=True)
        return results

    def abandon(self) -> None:
        """End without results: the file in the making is dropped, safe blocks stay. Does nothing after `finish`."""
        with undisturbed():
            self.writer.abort()
            with contextlib.suppress(Exception):
                if self.earlier is not None:
                    self.earlier.results.close()
            if self.parts is not None:
                self.parts.close(remove=self.parts.worthless)
