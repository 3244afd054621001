"""Blocks out of a finished results file, as they went in: chunks are copied, not made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simcore.store.blocks import Chunk, EncodedBlock
from simcore.store.checksums import CHECKSUM_KIND, theta_checksum
from simcore.store.chunks import RowReader, row_ranges
from simcore.store.compression import encode_chunk
from simcore.store.integrity import recomputed_checksum
from simcore.store.layout import CHUNK_ROWS, IDENTIFIERS, PARAMETERS, REPLICATE, THETA, TOTALS

if TYPE_CHECKING:
    from simcore.store.reader import Results


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A row of the ledger: a block of a finished file."""

    first_row: int
    rows: int
    seconds: float
    agents: int
    held_shares: int
    checksum: str


class StoredBlocks:
    """The blocks of a finished file, to be committed to another one.

    Parameters
    ----------
    results : Results
        Stays open as long as this is used.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self._readers: dict[str, RowReader] = {}

    @cached_property
    def ledger(self) -> dict[int, LedgerRow]:
        """Blocks by first row."""
        ledger = self.results.ledger_columns()
        names = ("first_row", "rows", "seconds", "agents", "held_shares", "checksum")
        columns = (ledger[name].tolist() for name in names)
        return {int(values[0]): LedgerRow(*values) for values in zip(*columns, strict=True)}

    def load(self, first_row: int) -> EncodedBlock:
        """Return a block as it is in the file.

        Chunks in the format's own filters are copied byte for byte; those of a file that another program rewrote are
        made again. Parameter sets come with the block where every replicate has a stored set of its own.

        Raises
        ------
        ResultsError
            A chunk is missing or damaged.
        """
        row = self.ledger[first_row]
        layout = self.results.layout
        own_sets = self.results.stores_theta and self.results.nested[1] == 1
        chunks: list[Chunk] = []
        for path, strata in self._paths(own_sets):
            chunks += self._copied(path, layout.sizes(strata), row)
        return EncodedBlock(
            first_row=row.first_row,
            rows=row.rows,
            seconds=row.seconds,
            agents=row.agents,
            held_shares=row.held_shares,
            checksum=self._checksum(row),
            theta_rows=row.rows if own_sets else 0,
            theta_checksums=tuple(self._checksums_of_theta(row)) if own_sets else (),
            tally={},
            chunks=tuple(chunks),
            uncompressed_bytes=layout.block_bytes(row.rows),
            encoded_bytes=sum(len(data) for _, _, data in chunks),
        )

    def _paths(self, own_sets: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Paths of a block's datasets with their strata axes, in the order of `encode_block`."""
        layout = self.results.layout
        yield from ((name, ()) for name in (REPLICATE, *IDENTIFIERS))
        yield from ((variable.name, variable.strata) for variable in layout.variables)
        yield from ((f"{TOTALS}/{variable.name}", ()) for variable in layout.variables)
        if own_sets:
            yield from ((f"{PARAMETERS}/{name}", ()) for name in (THETA, *layout.parameter_names))

    def _reader(self, path: str, strata: int = 0) -> RowReader:
        if path not in self._readers:
            self._readers[path] = RowReader(self.results._dataset(path), strata, self.results._place)
        return self._readers[path]

    def _copied(self, path: str, sizes: tuple[int, ...], row: LedgerRow) -> Iterator[Chunk]:
        reader = self._reader(path, len(sizes))
        trailing = (0,) * reader.trailing_dimensions
        for stratum in np.ndindex(sizes):
            for first, end in row_ranges(row.first_row, row.first_row + row.rows):
                data = reader.encoded(first, stratum)
                if data is None:
                    data = encode_chunk(_padded(reader.piece(first, end, stratum)))
                yield path, (first, *stratum, *trailing), data

    def _checksum(self, row: LedgerRow) -> str:
        """Checksum of a block: the one in the file or, if it is of an older kind, a new one."""
        if self.results.checksum_kind == CHECKSUM_KIND:
            return row.checksum
        return recomputed_checksum(self.results, row.first_row, row.rows, row.agents, row.held_shares, CHECKSUM_KIND)

    def _checksums_of_theta(self, row: LedgerRow) -> Iterator[str]:
        """Checksums of the parameter sets of a block: those in the file or, if it is older than they are, new ones."""
        stored = self.results.theta_checksums if self.results.checksum_kind == CHECKSUM_KIND else None
        names = self.results.layout.parameter_names
        for first, end in row_ranges(row.first_row, row.first_row + row.rows):
            if stored is not None:
                yield stored[first // CHUNK_ROWS]
            else:
                columns = (self._reader(f"{PARAMETERS}/{name}").piece(first, end) for name in names)
                yield theta_checksum(first, names, columns)


def _padded(values: NDArray[Any]) -> NDArray[Any]:
    whole = np.zeros((CHUNK_ROWS, *values.shape[1:]), dtype=values.dtype)
    whole[: len(values)] = values
    return whole
