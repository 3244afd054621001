"""Checksums by which damage is found: of a block of replicates, and of parameter sets.

They are made while computing, over every uncompressed byte, so they must cost next to nothing: XXH3 (64 bits) hashes
about twenty times as many bytes per second as the BLAKE2b of format 1.0. Both find every damage but one in 2**64 by
chance; neither is proof against somebody who wants to deceive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import xxhash
from numpy.typing import NDArray

from simcore.errors import ResultsError

XXH3, BLAKE2B = "xxh3_64", "blake2b_64"
CHECKSUM_KIND: Final = XXH3
"""What new files are written with; they say so in the attribute ``checksum_kind`` of the ledger."""

_NEW: Final[dict[str, Callable[[], Any]]] = {XXH3: xxhash.xxh3_64, BLAKE2B: lambda: hashlib.blake2b(digest_size=8)}


def block_checksum(
    first_row: int,
    rows: int,
    agents: int,
    held_shares: int,
    arrays: Iterable[NDArray[Any]],
    kind: str = CHECKSUM_KIND,
) -> str:
    """Return the checksum of a block: its row of the ledger, then its arrays (16 hexadecimal digits).

    Parameters
    ----------
    first_row, rows : int
        Replicates of the block.
    agents, held_shares : int
        What the ledger says of it; BLAKE2b, the kind of format 1.0, leaves them out.
    arrays : iterable of array
        In the order of `simcore.store.blocks`, little-endian.
    kind : {"xxh3_64", "blake2b_64"}
    """
    digest = _begin(kind, first_row, rows)
    if kind != BLAKE2B:
        digest.update(np.array([agents, held_shares], dtype="<i8").tobytes())
    for values in arrays:
        digest.update(np.ascontiguousarray(values).data)
    checksum: str = digest.hexdigest()
    return checksum


def theta_checksum(first: int, names: Sequence[str], columns: Iterable[NDArray[Any]], kind: str = CHECKSUM_KIND) -> str:
    """Return the checksum of parameter sets: their place, then their columns sorted by name (16 hexadecimal digits).

    Parameters
    ----------
    first : int
        Row of the first set.
    names : sequence of str
    columns : iterable of float64 array [sets]
        Values of each parameter named.
    kind : {"xxh3_64", "blake2b_64"}
    """
    by_name = dict(zip(names, columns, strict=True))
    digest = _begin(kind, first, len(next(iter(by_name.values()), ())))
    for name in sorted(by_name):
        digest.update(np.ascontiguousarray(by_name[name], dtype="<f8").data)
    checksum: str = digest.hexdigest()
    return checksum


def check_kind_of_checksum(kind: str, place: str) -> str:
    """Return a kind of checksum that this program can make; ResultsError for any other."""
    if kind not in _NEW:
        raise ResultsError(f"{place}: its checksums are of a kind that is not known here ({kind[:40]!a})")
    return kind


def _begin(kind: str, first: int, rows: int) -> Any:
    digest = _NEW[kind]()
    digest.update(np.array([first, rows], dtype="<i8").tobytes())
    return digest
