"""Reading rows of one stratum, chunk by chunk, with no more than one chunk in memory.

Chunks that still have the format's own filter are fetched as they are and inflated outside HDF5, which is faster and
leaves the interpreter to other threads. Files that another program has rewritten with another chunk shape or filter
are read through HDF5.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import h5py
from numpy.typing import NDArray

from simcore.errors import ResultsError
from simcore.store.compression import decode_chunk
from simcore.store.layout import CHUNK_ROWS

_OWN_FILTERS: Final = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE)


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
        self._direct = dataset.chunks == own_shape and _has_own_filters(dataset)

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
        ResultsError
            The chunk is missing or damaged.
        """
        try:
            return self._decode(first, end, stratum) if self._direct else self._dataset[(slice(first, end), *stratum)]
        except (OSError, RuntimeError, ValueError) as problem:
            reason = (str(problem).splitlines() or [""])[0]
            raise ResultsError(
                f"{self._place}: '{self._name}' is damaged in rows {first} to {end - 1} ({reason})"
            ) from problem

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


def _has_own_filters(dataset: h5py.Dataset) -> bool:
    properties = dataset.id.get_create_plist()
    filters = tuple(properties.get_filter(number)[0] for number in range(properties.get_nfilters()))
    return filters == _OWN_FILTERS
