"""The ledger of a results file: which blocks it is made of, what they cost, and by which checksums they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from simcore.errors import UnreadableError
from simcore.store.checksums import BLAKE2B, check_kind_of_checksum
from simcore.store.layout import CHUNK_ROWS, LEDGER, THETA_CHECKSUM
from simcore.store.opening import find_dataset, find_group, reading

if TYPE_CHECKING:
    import h5py

    from simcore.store.reader import Results

COLUMNS: Final = ("first_row", "rows", "seconds", "agents", "held_shares", "checksum")
_MOST_BLOCKS: Final = 100_000_000


def check_blocks(file: h5py.File, place: str, replicates: int) -> None:
    """Refuse a ledger whose blocks do not make up the replicates of the file."""
    rows = find_dataset(file, f"{LEDGER}/rows", place)
    with reading(place, "the ledger"):
        if rows.ndim != 1 or rows.shape[0] > min(_MOST_BLOCKS, replicates):
            raise ValueError(f"shape {rows.shape}")
        counted = rows[()]
        if ((counted < 1) | (counted > replicates)).any():  # so that no sum can wrap
            raise ValueError("a block of no possible size")
        covered = int(counted.sum())
    if covered != replicates:
        raise UnreadableError(f"{place}: is damaged: its blocks hold {covered} of {replicates} replicates")


def read_columns(results: Results) -> dict[str, NDArray[Any]]:
    """Return the columns of the ledger as arrays.

    A file of format 1.0 does not know which blocks its held shares are of: all are counted to the first one.
    """
    columns: dict[str, NDArray[Any]] = {}
    known = find_group(results._file, LEDGER, results._place)
    for name in COLUMNS:
        if name == "held_shares" and name not in known:
            columns[name] = np.zeros(len(columns["rows"]), dtype=np.int64)
            columns[name][:1] = int(results.attributes.get("held_shares", 0))
            continue
        path = f"{LEDGER}/{name}"
        with reading(results._place, f"column '{name}' of the ledger"):
            # Not through HDF5, which makes up zeros for a chunk that it does not find.
            column = results._read_column(path, 0, results._dataset(path).shape[0])
            columns[name] = column.astype(str).astype(object) if name == "checksum" else column
    return columns


def kind_of_checksums(file: h5py.File, place: str) -> str:
    """Return by what the checksums of blocks and parameter sets were made."""
    with reading(place, "the attribute 'checksum_kind' of the ledger"):
        kind = find_group(file, LEDGER, place).attrs.get("checksum_kind", BLAKE2B)
    return check_kind_of_checksum(str(kind), place)


def read_theta_checksums(file: h5py.File, place: str, replicates: int) -> list[str] | None:
    """Return the checksum of each ``CHUNK_ROWS`` parameter sets; None in a file of format 1.0, which has none."""
    if THETA_CHECKSUM not in find_group(file, LEDGER, place):
        return None
    dataset = find_dataset(file, f"{LEDGER}/{THETA_CHECKSUM}", place)
    with reading(place, "the checksums of the parameters"):
        if dataset.ndim != 1 or dataset.shape[0] > replicates // CHUNK_ROWS + 1:
            raise ValueError(f"shape {dataset.shape}")
        return [bytes(checksum).decode() for checksum in dataset[()]]
