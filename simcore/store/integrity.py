"""Finding damage: every byte that a result rests on is compared with a checksum made when it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from simcore.errors import ResultsError
from simcore.store.checksums import block_checksum, theta_checksum
from simcore.store.chunks import RowReader, row_ranges
from simcore.store.layout import CHUNK_ROWS, IDENTIFIERS, PARAMETERS, REPLICATE, THETA, TOTALS

if TYPE_CHECKING:
    from simcore.store.reader import Results


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a results file that is not what was written.

    Attributes
    ----------
    part : {"block", "parameters", "ledger", "index", "description"}
        All but the last can be made again.
    first_row, rows : int
        Replicates of a damaged block, or parameter sets that are damaged; else 0, 0.
    message : str
        One line for a person.
    """

    part: str
    first_row: int
    rows: int
    message: str


def verify(results: Results, progress: Callable[[int], None] | None = None) -> list[Damage]:
    """Check blocks, parameters and description of a results file; memory is bounded by one chunk of every column.

    Parameters
    ----------
    results : Results
    progress : callable, optional
        Told after every block how many replicates were checked.
    """
    found: list[Damage] = []
    try:
        results.check_description()
    except ResultsError as problem:
        found.append(Damage("description", 0, 0, str(problem)))

    found += _damaged_index(results)
    try:
        found += _damaged_blocks(results, progress)
    except ResultsError as problem:
        found.append(Damage("ledger", 0, 0, str(problem)))
    found += _damaged_parameters(results)
    return found


def _damaged_index(results: Results) -> Iterator[Damage]:
    """Walk through every name in the file by both of HDF5's indices of names; this program uses but one of them."""
    for order in (h5py.h5.INDEX_NAME, h5py.h5.INDEX_CRT_ORDER):
        try:
            h5py.h5o.visit(results._file.id, lambda _: None, idx_type=order)
        except (OSError, RuntimeError, KeyError, ValueError) as problem:
            reason = (str(problem).splitlines() or [""])[0]
            yield Damage("index", 0, 0, f"{results._place}: HDF5's index of names is damaged ({reason})")
            return


def _damaged_blocks(results: Results, progress: Callable[[int], None] | None) -> list[Damage]:
    """Compare blocks with their checksums; ResultsError if the ledger that has these cannot be read."""
    found: list[Damage] = []
    place, row = results._place, 0
    ledger = results.ledger_columns()
    kind = results.checksum_kind
    names = ("first_row", "rows", "agents", "held_shares", "checksum")
    for number, (first, rows, agents, held, checksum) in enumerate(
        zip(*(ledger[name].tolist() for name in names), strict=True)
    ):
        try:
            if first != row or rows < 1 or first + rows > results.replicates:
                raise ResultsError(f"{place}: block {number} claims replicates {first} to {first + rows - 1}")
            if recomputed_checksum(results, first, rows, agents, held, kind) != checksum:
                raise ResultsError(f"{place}: replicates {first} to {first + rows - 1} differ from what was written")
        except ResultsError as problem:
            found.append(Damage("block", first, rows, str(problem)))
        row = first + rows
        if progress is not None:
            progress(row)
    return found


def recomputed_checksum(results: Results, first: int, rows: int, agents: int, held_shares: int, kind: str) -> str:
    """Return the checksum of a block from its data as they are now; ResultsError if they cannot be read."""
    checksum = block_checksum(first, rows, agents, held_shares, _pieces(results, first, rows), kind)
    for where, values in RowReader(results._dataset(REPLICATE), 0, results._place).iterate(first, first + rows):
        if not np.array_equal(values, np.arange(first + where.start, first + where.stop)):
            raise ResultsError(f"{results._place}: the numbers of replicates {first} to {first + rows - 1} are damaged")
    return checksum


def _pieces(results: Results, first: int, rows: int) -> Iterator[NDArray[Any]]:
    """Data of a block in the order of its checksum (see `simcore.store.blocks`)."""
    layout = results.layout
    paths: list[tuple[str, tuple[str, ...]]] = [(name, ()) for name in IDENTIFIERS]
    variables = sorted(layout.variables, key=lambda variable: variable.name)
    paths += [(variable.name, variable.strata) for variable in variables]
    paths += [(f"{TOTALS}/{variable.name}", ()) for variable in variables]
    for path, strata in paths:
        reader = RowReader(results._dataset(path), len(strata), results._place)
        for stratum in np.ndindex(layout.sizes(strata)):
            for start, end in row_ranges(first, first + rows):
                yield reader.piece(start, end, stratum)


def _damaged_parameters(results: Results) -> Iterator[Damage]:
    """Compare parameter sets with their checksums; a file of format 1.0 has only deflate's Adler-32 of every chunk."""
    if not results.stores_theta:
        return
    place, names = results._place, results.layout.parameter_names
    try:
        sets = results._dataset(f"{PARAMETERS}/{THETA}").shape[0]
        stored = results.theta_checksums
        if stored is not None and len(stored) != -(-sets // CHUNK_ROWS):
            raise ResultsError(f"{place}: {len(stored)} checksums of {sets} parameter sets")
        numbers = RowReader(results._dataset(f"{PARAMETERS}/{THETA}"), 0, place)
        columns = [RowReader(results._dataset(f"{PARAMETERS}/{name}"), 0, place) for name in names]
    except ResultsError as problem:
        yield Damage("parameters", 0, 0, str(problem))
        return
    for number, (first, end) in enumerate(row_ranges(0, sets)):
        try:
            values = (column.piece(first, end) for column in columns)
            checksum = theta_checksum(first, names, values, results.checksum_kind)
            counted = np.array_equal(numbers.piece(first, end), np.arange(first, end))
            if not counted or (stored is not None and checksum != stored[number]):
                raise ResultsError(f"{place}: parameter sets {first} to {end - 1} differ from what was written")
        except ResultsError as problem:
            yield Damage("parameters", first, end - first, str(problem))
