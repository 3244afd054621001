"""Reads a results file: lazily, in bounded memory, and never in silence when something is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from simcore.errors import ResultsError, UnreadableError, nearest
from simcore.store import ledger
from simcore.store.chunks import RowReader, row_ranges
from simcore.store.description import DESCRIPTION_CHECKSUM, description_checksum
from simcore.store.examination import check_index
from simcore.store.layout import (
    CHUNK_ROWS,
    FORMAT_VERSION,
    IDENTIFIERS,
    PARAMETERS,
    REPLICATE,
    SCENARIO,
    TOTALS,
    Layout,
    Variable,
)
from simcore.store.opening import check_kind, find_dataset, find_document, find_group, open_file, read_layout, reading

if TYPE_CHECKING:
    import pandas
    import xarray

    from simcore.store.integrity import Damage


def open_results(path: str | Path) -> Results:
    """Open a results file; nothing but its description is read until it is asked for.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Results
        To be used as a context manager, or closed with ``close()``.

    Raises
    ------
    ResultsError
        One line that names the file: it does not exist, is no HDF5 file, is cut short or damaged, is not of simcore,
        has a newer format, or belongs to a run that did not end.
    """
    file = open_file(Path(path))
    try:
        return Results(Path(path), file)
    except BaseException:
        file.close()
        raise


class Results:
    """A results file (or image in memory), open for reading. Made by `open_results` and ``Writer.finish``.

    Attributes
    ----------
    path : Path or None
        None if the results are in memory.
    layout : Layout
        Dimensions with labels, variables, and parameter columns with unit, source and grade.
    attributes : dict
        Root attributes: text, int, float, or lists of these.
    status : {"complete", "interrupted"}
    replicates : int
        Replicates in the file.
    requested_replicates : int
        Replicates that the run was asked for.
    nested : tuple of int
        (parameter sets, replicates per parameter set) asked for.
    """

    def __init__(self, path: Path | None, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self._place = str(path) if path is not None else "results in memory"
        check_kind(file, self._place)
        self.layout: Layout = read_layout(file, self._place)
        with reading(self._place, "a root attribute"):
            self.attributes: dict[str, Any] = {name: _plain(file.attrs[name]) for name in file.attrs}
            self.status: str = self.attributes["status"]
            self.requested_replicates = int(self.attributes["requested_replicates"])
            outer, inner = self.attributes["nested"]
            self.nested: tuple[int, int] = (int(outer), int(inner))
        self.replicates: int = self._dataset(REPLICATE).shape[0]
        self._sound: set[str] = set()
        """Datasets whose index of chunks was looked at."""
        ledger.check_blocks(file, self._place, self.replicates)
        if path is not None:
            self.check_description()

    def check_description(self) -> None:
        """Refuse labels, attributes and documents that are not what was written, which HDF5 would not notice.

        A file of a newer minor version may describe what this program does not know of, and is taken as it is.
        """
        if tuple(self.attributes["format_version"]) > FORMAT_VERSION:
            return
        with reading(self._place, "the description"):
            agrees = self.attributes.get(DESCRIPTION_CHECKSUM) == description_checksum(self._file)
        if not agrees:
            raise UnreadableError(f"{self._place}: labels, attributes or documents differ from what was written")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(variable.name for variable in self.layout.variables)
        return f"<Results {self._place}: {self.replicates} replicates, {self.status}; {names}>"

    def close(self) -> None:
        """Close the file (results in memory are gone then)."""
        self._file.close()

    # What is there ------------------------------------------------------------------------------------------------

    @property
    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """Labels by name of dimension."""
        return {dimension.name: dimension.labels for dimension in self.layout.dimensions}

    @property
    def stores_theta(self) -> bool:
        """Whether the values of the parameters are in the file."""
        with reading(self._place, "the attribute 'stored' of the parameters"):
            return bool(find_group(self._file, PARAMETERS, self._place).attrs["stored"])

    def labels(self, dimension: str) -> tuple[str, ...]:
        """Labels of a dimension; an unknown name raises ResultsError with the nearest match."""
        return self._lookup_dimension(dimension)

    def variable(self, name: str) -> Variable:
        """Description of a variable; an unknown name raises ResultsError with the nearest match."""
        try:
            return self.layout.variable(name)
        except ResultsError as problem:
            raise ResultsError(f"{self._place}: {problem}") from None

    # Counts -------------------------------------------------------------------------------------------------------

    def read(self, variable: str, *, by: Sequence[str] = (), rows: slice | None = None) -> NDArray[np.int64]:
        """Read a variable, summed over all strata axes that are not in ``by``.

        Parameters
        ----------
        variable : str
        by : sequence of str
            Strata axes to keep, in the order wanted. Without any the stored totals are read.
        rows : slice, optional
            Replicates, with step 1; all by default.

        Returns
        -------
        int64 array [rows, *by, *trailing]
            Beside it, no more than one chunk is in memory.

        Raises
        ------
        ResultsError
            Unknown names, an axis that was summed over before storing, damaged data.
        """
        description = self.variable(variable)
        kept = self._kept_axes(description, by)
        start, stop = self._row_range(rows)
        sizes = self.layout.sizes(kept)
        trailing = self.layout.sizes(description.trailing)
        values = np.zeros((stop - start, *sizes, *trailing), dtype=np.int64)
        if not kept:
            totals = self._rows(f"{TOTALS}/{variable}")
            for where, piece in totals.iterate(start, stop):
                values[where] = piece
            return values
        counts = self._rows(variable, len(description.strata))
        places = [description.strata.index(axis) for axis in kept]
        strata = list(np.ndindex(self.layout.sizes(description.strata)))
        for first, end in row_ranges(start, stop):
            # All strata of a few rows before the next rows: the sums stay in the processor's cache.
            target = values[first - start : end - start]
            for stratum in strata:
                target[(slice(None), *(stratum[place] for place in places))] += counts.piece(first, end, stratum)
        return values

    def iter_blocks(
        self, variable: str, *, by: Sequence[str] = (), block_rows: int = 16 * CHUNK_ROWS
    ) -> Iterator[tuple[slice, NDArray[np.int64]]]:
        """Read a variable piece by piece, so that memory does not grow with the number of replicates.

        Parameters
        ----------
        variable, by
            As in `read`.
        block_rows : int
            Replicates per piece, rounded up to whole chunks.

        Yields
        ------
        rows : slice
            Replicates of the piece.
        values : int64 array [rows, *by, *trailing]
        """
        step = max(1, -(-block_rows // CHUNK_ROWS)) * CHUNK_ROWS
        for start in range(0, self.replicates, step):
            rows = slice(start, min(start + step, self.replicates))
            yield rows, self.read(variable, by=by, rows=rows)

    # Parameters and identifiers -----------------------------------------------------------------------------------

    def theta(self, names: Sequence[str] | None = None, *, rows: slice | None = None) -> pandas.DataFrame:
        """Parameter sets: one row per ``theta_id``, one float64 column per scalar parameter.

        Parameters
        ----------
        names : sequence of str, optional
            Columns wanted; all by default.
        rows : slice, optional
            Parameter sets, with step 1; all by default.

        Raises
        ------
        ResultsError
            An unknown name (with the nearest match), or theta was not stored.
        """
        import pandas as pd

        if not self.stores_theta:
            raise ResultsError(f"{self._place}: parameter values were not stored (--store-theta none)")
        known = [column.name for column in self.layout.parameters]
        for name in names or ():
            if name not in known:
                raise ResultsError(f"{self._place}: no parameter '{name}'{nearest(name, known)}")
        scale = self._dataset(f"{PARAMETERS}/theta")
        start, stop = _unit_range(rows, scale.shape[0])
        wanted = known if names is None else list(names)
        values = np.empty((stop - start, len(wanted)), order="F")
        for place, name in enumerate(wanted):
            values[:, place] = self._read_column(f"{PARAMETERS}/{name}", start, stop)
        return pd.DataFrame(values, index=pd.RangeIndex(start, stop, name="theta_id"), columns=wanted, copy=False)

    def theta_ids(self, rows: slice | None = None) -> NDArray[np.uint32]:
        """Parameter set of each replicate: its row in `theta`."""
        return self._identifier(IDENTIFIERS[0], rows)

    def replicate_ids(self, rows: slice | None = None) -> NDArray[np.uint32]:
        """Number of each replicate within its parameter set."""
        return self._identifier(IDENTIFIERS[1], rows)

    def shared_ids(self, rows: slice | None = None) -> NDArray[np.uint32]:
        """Draw of the shared chance of each replicate."""
        return self._identifier(IDENTIFIERS[2], rows)

    # Where it comes from ------------------------------------------------------------------------------------------

    def documents(self) -> dict[str, str]:
        """Texts by which the file can reproduce itself: the resolved scenario and its tables, by name."""
        group = find_group(self._file, SCENARIO, self._place)
        texts: dict[str, str] = {}
        for link in group:
            dataset = find_document(self._file, link, self._place)
            with reading(self._place, f"document '{link}'"):
                texts[str(dataset.attrs["name"])] = str(dataset.asstr()[()])
        return texts

    def ledger(self) -> pandas.DataFrame:
        """One row per block: first_row, rows, seconds, agents, held_shares, checksum (hexadecimal).

        A file of format 1.0 does not know which blocks its held shares are of: all are counted to the first one.
        """
        import pandas as pd

        return pd.DataFrame(self.ledger_columns()).rename_axis("block")

    def ledger_columns(self) -> dict[str, NDArray[Any]]:
        """The columns of `ledger` as arrays, without pandas and the memory that it takes."""
        return ledger.read_columns(self)

    @cached_property
    def checksum_kind(self) -> str:
        """By what the checksums of blocks and parameter sets were made."""
        return ledger.kind_of_checksums(self._file, self._place)

    @cached_property
    def theta_checksums(self) -> list[str] | None:
        """Checksum of each ``CHUNK_ROWS`` parameter sets; None in a file of format 1.0, which has none."""
        return ledger.read_theta_checksums(self._file, self._place, self.replicates)

    def verify_checksums(self) -> list[Damage]:
        """Read everything and compare it with the checksums in the file; an empty list means that all is well."""
        from simcore.store.integrity import verify

        return verify(self)

    # Other libraries ----------------------------------------------------------------------------------------------

    def to_xarray(self, group: str | None = None) -> xarray.Dataset:
        """Lazy `xarray.Dataset` of the root, or of ``"totals"``, ``"parameters"`` or ``"ledger"``.

        Raises
        ------
        ResultsError
            The packages of the extra ``simcore[xarray]`` are not installed, or there is no such group.
        """
        from simcore.store.tidy import to_xarray

        return to_xarray(self, group)

    def to_pandas(
        self,
        variables: Sequence[str] | None = None,
        *,
        by: Sequence[str] = (),
        rows: slice | None = None,
        max_rows: int = 20_000_000,
    ) -> pandas.DataFrame:
        """Tidy table: one line per count.

        Parameters
        ----------
        variables : sequence of str, optional
            All by default.
        by : sequence of str
            Strata axes to keep. A variable without one of them has missing values in that column.
        rows : slice, optional
            Replicates, with step 1; all by default.
        max_rows : int
            Largest table that is made.

        Returns
        -------
        DataFrame
            Columns ``replicate``, ``theta_id``, ``variable``, those of ``by``, the trailing dimensions, ``value``.

        Raises
        ------
        ResultsError
            Unknown names, or a table of more than ``max_rows`` lines.
        """
        from simcore.store.tidy import to_pandas

        return to_pandas(self, variables, by=by, rows=rows, max_rows=max_rows)

    # ---------------------------------------------------------------------------------------------------------------

    def _dataset(self, path: str) -> h5py.Dataset:
        if not self._file:
            raise ResultsError(f"{self._place}: is closed")
        return find_dataset(self._file, path, self._place)

    def _rows(self, path: str, strata: int = 0) -> RowReader:
        """Reader of a dataset whose index of chunks is sound."""
        dataset = self._dataset(path)
        if path not in self._sound:
            with reading(self._place, f"'{path}'"):
                check_index(dataset)
            self._sound.add(path)
        return RowReader(dataset, strata, self._place)

    def _lookup_dimension(self, name: str) -> tuple[str, ...]:
        try:
            return self.layout.dimension(name).labels
        except ResultsError as problem:
            raise ResultsError(f"{self._place}: {problem}") from None

    def _kept_axes(self, variable: Variable, by: Sequence[str]) -> tuple[str, ...]:
        if isinstance(by, str):
            by = (by,)
        for axis in by:
            if axis in variable.strata:
                continue
            if axis in variable.summed_out:
                wanted = ",".join((*variable.strata, axis))
                raise ResultsError(
                    f"{self._place}: '{variable.name}' was summed over {axis} before it was stored; "
                    f"run it again with --store-by {wanted}"
                )
            known = (*variable.strata, *variable.summed_out)
            summed = f"; summed over before it was stored: {', '.join(variable.summed_out)}"
            raise ResultsError(
                f"{self._place}: '{variable.name}' has no strata axis '{axis}'{nearest(axis, known)} "
                f"(it has: {', '.join(variable.strata) or 'none'}{summed if variable.summed_out else ''})"
            )
        if len(set(by)) != len(by):
            raise ResultsError(f"{self._place}: an axis is named twice: {', '.join(by)}")
        return tuple(by)

    def _row_range(self, rows: slice | None) -> tuple[int, int]:
        return _unit_range(rows, self.replicates)

    def _read_column(self, path: str, start: int, stop: int) -> NDArray[Any]:
        values = np.empty(stop - start, dtype=self._dataset(path).dtype)
        for where, piece in self._rows(path).iterate(start, stop):
            values[where] = piece
        return values

    def _identifier(self, name: str, rows: slice | None) -> NDArray[np.uint32]:
        return self._read_column(name, *self._row_range(rows))


def _unit_range(rows: slice | None, length: int) -> tuple[int, int]:
    start, stop, step = (rows or slice(None)).indices(length)
    if step != 1:
        raise ResultsError(f"rows are read with step 1, not {step}")
    return start, max(start, stop)


def _plain(value: Any) -> Any:
    """Attribute as a plain Python value."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.bytes_):
        return value.decode()
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
