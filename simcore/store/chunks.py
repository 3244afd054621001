"""Reading rows of one stratum, chunk by chunk, with no more than one chunk in memory.

Chunks that still have the format's own filter are fetched as they are and inflated outside HDF5, which is faster and
leaves the interpreter to other threads. So are those of files that another program has rewritten with another chunk
shape: HDF5's own deflate filter takes as much memory as a chunk asks for. Only unchunked and lzf datasets are read
through HDF5.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from simcore.errors import DamageError
from simcore.store.compression import decode_chunk
from simcore.store.examination import check_storage, filters
from simcore.store.layout import CHUNK_ROWS

_OWN_FILTERS: Final = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE)
_FLETCHER_BYTES: Final = 4


def row_ranges(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Cut ``start <= row < stop`` at the bounds of chunks: pairs (first, end) of at most CHUNK_ROWS rows."""
    for chunk in range(start - start % CHUNK_ROWS, stop, CHUNK_ROWS):
        yield max(start, chunk), min(stop, chunk + CHUNK_ROWS)


class RowReader:
    """Reads pieces of one dataset ``[rows, *strata, *trailing]``.

    Parameters
    ----------
    dataset : h5py.Dataset
    strata : int
        Number of strata axes; 0 for totals and columns.
    place : str
        The file, for messages.
    """

    def __init__(self, dataset: h5py.Dataset, strata: int, place: str) -> None:
        self._dataset = dataset
        self._place = place
        self._name = dataset.name.lstrip("/")
        self._dtype = dataset.dtype
        self._trailing: tuple[int, ...] = dataset.shape[1 + strata :]
        own_shape = (CHUNK_ROWS, *(1 for _ in range(strata)), *self._trailing)
        self._filters = filters(dataset)
        self._direct = dataset.chunks == own_shape and self._filters == _OWN_FILTERS
        self._by_hdf5 = dataset.chunks is None or h5py.h5z.FILTER_LZF in self._filters
        self._last: tuple[tuple[int, ...], NDArray[Any]] | None = None

    def piece(self, first: int, end: int, stratum: tuple[int, ...] = ()) -> NDArray[Any]:
        """Rows ``first <= row < end`` of one stratum, from within one chunk (see `row_ranges`).

        Parameters
        ----------
        first, end : int
        stratum : tuple of int
            Index along each strata axis.

        Returns
        -------
        array [end - first, *trailing]

        Raises
        ------
        DamageError
            The chunk is missing or damaged.
        """
        try:
            if self._direct:
                return self._decode(first, end, stratum)
            if self._by_hdf5:
                check_storage(self._dataset)
                values: NDArray[Any] = self._dataset[(slice(first, end), *stratum)]
                return values
            return self._assemble(first, end, stratum)
        except (OSError, RuntimeError, ValueError) as problem:
            reason = (str(problem).splitlines() or [""])[0]
            raise DamageError(
                self._place, f"'{self._name}' is damaged in rows {first} to {end - 1} ({reason})"
            ) from problem

    @property
    def trailing_dimensions(self) -> int:
        """How many dimensions follow rows and strata."""
        return len(self._trailing)

    def encoded(self, first: int, stratum: tuple[int, ...] = ()) -> bytes | None:
        """Bytes on disk of the chunk that begins with row ``first``.

        Returns
        -------
        bytes or None
            None where the dataset has another chunk shape or filter than the format's own, or the chunk is missing.
        """
        if not self._direct:
            return None
        try:
            skipped, encoded = self._dataset.id.read_direct_chunk((first, *stratum, *(0 for _ in self._trailing)))
        except (OSError, RuntimeError, ValueError):
            return None  # whoever needs the values learns why from `piece`
        return None if skipped else encoded

    def iterate(self, start: int, stop: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Rows of a dataset without strata axes: pairs of (rows relative to ``start``, array)."""
        for first, end in row_ranges(start, stop):
            yield slice(first - start, end - start), self.piece(first, end)

    def _decode(self, first: int, end: int, stratum: tuple[int, ...]) -> NDArray[Any]:
        chunk = first - first % CHUNK_ROWS
        skipped, encoded = self._dataset.id.read_direct_chunk((chunk, *stratum, *(0 for _ in self._trailing)))
        if skipped:
            raise ValueError("a filter was skipped")
        values = decode_chunk(encoded, self._dtype, CHUNK_ROWS * math.prod(self._trailing))
        return values.reshape(CHUNK_ROWS, *self._trailing)[first - chunk : end - chunk]

    def _assemble(self, first: int, end: int, stratum: tuple[int, ...]) -> NDArray[Any]:
        """Put a piece together from chunks of whatever shape."""
        spans = [(first, end), *((index, index + 1) for index in stratum), *((0, size) for size in self._trailing)]
        values = np.empty([stop - start for start, stop in spans], dtype=self._dtype)
        shape = self._dataset.chunks
        firsts = (range(start - start % size, stop, size) for (start, stop), size in zip(spans, shape, strict=True))
        for offset in itertools.product(*firsts):
            cut = [
                (max(start, place), min(stop, place + size))
                for (start, stop), place, size in zip(spans, offset, shape, strict=True)
            ]
            inside = tuple(slice(low - place, high - place) for (low, high), place in zip(cut, offset, strict=True))
            target = tuple(slice(low - start, high - start) for (low, high), (start, _) in zip(cut, spans, strict=True))
            values[target] = self._chunk(offset)[inside]
        return values.reshape(end - first, *self._trailing)

    def _chunk(self, offset: tuple[int, ...]) -> NDArray[Any]:
        """Return a chunk of another shape or filter than the format's own; the last one is kept."""
        if self._last is not None and self._last[0] == offset:
            return self._last[1]
        check_storage(self._dataset)
        self._last = None
        skipped, encoded = self._dataset.id.read_direct_chunk(offset)
        if skipped:
            raise ValueError("a filter was skipped")
        kinds = list(self._filters)
        if kinds[-1:] == [h5py.h5z.FILTER_FLETCHER32]:
            encoded, kinds = encoded[:-_FLETCHER_BYTES], kinds[:-1]  # the checksum of HDF5; blocks have a better one
        shuffled, deflated = h5py.h5z.FILTER_SHUFFLE in kinds, h5py.h5z.FILTER_DEFLATE in kinds
        if tuple(kinds) not in ((), _OWN_FILTERS, _OWN_FILTERS[:1], _OWN_FILTERS[1:]):
            raise ValueError(f"filters {kinds} in an order that this program does not read")
        size = math.prod(self._dataset.chunks)
        values = decode_chunk(encoded, self._dtype, size, shuffled=shuffled, deflated=deflated)
        self._last = offset, values.reshape(self._dataset.chunks)
        return self._last[1]
