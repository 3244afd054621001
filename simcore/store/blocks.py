"""A block of replicates on its way to the file: checked, summed, hashed and compressed, in any thread.

`encode_block` is a pure function of its arguments, so worker threads (or other machines) make blocks at the same time
and one thread commits them in order. The checksum of a block (`simcore.store.checksums`) is over, in this order and all
little-endian:

1. ``first_row``, ``rows``, ``agents`` and ``held_shares`` as int64 (the last two not in format 1.0);
2. ``theta_id``, ``replicate_id``, ``shared_id`` of its rows as uint32;
3. for every variable, sorted by name: the counts ``[slots, rows, *trailing]`` in the stored type;
4. for every variable, sorted by name: the totals over slots ``[rows, *trailing]`` as int64.

(By name, because a program that rewrites a file need not keep the order of its datasets.)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simcore.store.checksums import block_checksum, theta_checksum
from simcore.store.compression import decode_chunk, encode_chunk
from simcore.store.layout import CHUNK_ROWS, IDENTIFIERS, PARAMETERS, REPLICATE, THETA, TOTALS, Layout, Variable

Chunk = tuple[str, tuple[int, ...], bytes]
"""Path of the dataset, offset of the chunk's first element, encoded bytes."""


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """A block ready to be committed; plain data that can be sent between processes.

    Attributes
    ----------
    first_row, rows : int
        Replicates ``first_row`` to ``first_row + rows - 1``.
    seconds : float
        Time spent on computing the block [s].
    agents : int
        Agents walked.
    held_shares : int
        At-risk shares held to one.
    checksum : str
        16 hexadecimal digits, see the module's text.
    theta_rows : int
        Parameter sets among the chunks: one per replicate, or none.
    theta_checksums : tuple of str
        Theirs, one for each ``CHUNK_ROWS`` of them (see `theta_checksum`).
    tally : dict of numbers
        What whoever made the block wants to have added up over blocks; the store keeps it with the block and asks
        nothing.
    chunks : tuple of Chunk
    uncompressed_bytes, encoded_bytes : int
    """

    first_row: int
    rows: int
    seconds: float
    agents: int
    held_shares: int
    checksum: str
    theta_rows: int
    theta_checksums: tuple[str, ...]
    tally: dict[str, float]
    chunks: tuple[Chunk, ...]
    uncompressed_bytes: int
    encoded_bytes: int


def encode_block(
    layout: Layout,
    counts: Mapping[str, NDArray[np.integer[Any]]],
    *,
    first_row: int,
    theta_id: ArrayLike,
    replicate_id: ArrayLike,
    shared_id: ArrayLike,
    theta: NDArray[np.float64] | None = None,
    seconds: float = 0.0,
    agents: int = 0,
    held_shares: int = 0,
    tally: Mapping[str, float] | None = None,
) -> EncodedBlock:
    """Turn the counts of consecutive replicates into the chunks of the file.

    Parameters
    ----------
    layout : Layout
    counts : mapping of variable name to integer array [slots, rows, *trailing]
        All variables of the layout and no other; C-contiguous arrays of the stored type are used without a copy.
    first_row : int
        A multiple of ``CHUNK_ROWS``.
    theta_id, replicate_id, shared_id : integer array [rows]
        Identifiers of each replicate, each below 2**32.
    theta : float64 array [rows, parameters], optional
        Where every replicate has a parameter set of its own: these sets, in the order of the layout's parameters.
    seconds : float
        Time spent on computing the block [s].
    agents : int
        Agents walked.
    held_shares : int
        At-risk shares held to one.
    tally : mapping, optional
        Numbers to keep with the block.

    Raises
    ------
    ValueError
        Names, shapes or rows that do not fit the layout.
    TypeError
        Counts that are not integers.
    OverflowError
        A negative count, a count or identifier beyond its type, or a total beyond int64. Nothing ever wraps.
    """
    if first_row < 0 or first_row % CHUNK_ROWS:
        raise ValueError(f"a block starts at a multiple of {CHUNK_ROWS} replicates, not at {first_row}")
    names = [variable.name for variable in layout.variables]
    if set(counts) != set(names):
        raise ValueError(f"counts of {sorted(counts)} were given for variables {sorted(names)}")
    identifiers = {
        name: _identifier(name, values)
        for name, values in zip(IDENTIFIERS, (theta_id, replicate_id, shared_id), strict=True)
    }
    rows = len(identifiers[IDENTIFIERS[0]])
    if rows == 0 or any(len(values) != rows for values in identifiers.values()):
        raise ValueError(f"identifiers must be of one length above 0, not {[len(v) for v in identifiers.values()]}")

    stored, totals = {}, {}
    for variable in layout.variables:
        name = variable.name
        stored[name], largest = _stored_counts(layout, variable, counts[name], rows)
        totals[name] = _total(name, stored[name], largest)

    chunks: list[Chunk] = []
    replicate = np.arange(first_row, first_row + rows, dtype="<i8")
    for name, column in {REPLICATE: replicate, **identifiers}.items():
        chunks += _encode_rows(name, first_row, (), column)
    for variable in layout.variables:
        strata = itertools.product(*(range(size) for size in layout.sizes(variable.strata)))
        for stratum, values in zip(strata, stored[variable.name], strict=True):
            chunks += _encode_rows(variable.name, first_row, stratum, values)
    for name, total in totals.items():
        chunks += _encode_rows(f"{TOTALS}/{name}", first_row, (), total)
    if theta is not None:
        if theta.shape != (rows, len(layout.parameters)):
            raise ValueError(f"theta has shape {theta.shape}, expected ({rows}, {len(layout.parameters)})")
        chunks += encode_theta(layout, first_row, theta)

    return EncodedBlock(
        first_row=first_row,
        rows=rows,
        seconds=float(seconds),
        agents=int(agents),
        held_shares=int(held_shares),
        checksum=block_checksum(
            first_row,
            rows,
            int(agents),
            int(held_shares),
            [
                *identifiers.values(),
                *(stored[name] for name in sorted(stored)),
                *(totals[name] for name in sorted(totals)),
            ],
        ),
        theta_rows=0 if theta is None else rows,
        theta_checksums=() if theta is None else tuple(theta_checksums(layout, first_row, theta)),
        tally=dict(tally or {}),
        chunks=tuple(chunks),
        uncompressed_bytes=layout.block_bytes(rows),
        encoded_bytes=sum(len(data) for _, _, data in chunks),
    )


def decode_totals(layout: Layout, block: EncodedBlock, variable: str) -> NDArray[np.int64]:
    """Return the totals over strata of a variable, int64 [rows, *trailing], out of an encoded block."""
    path = f"{TOTALS}/{variable}"
    sizes = layout.sizes(layout.variable(variable).trailing)
    pieces = [
        decode_chunk(data, np.dtype("<i8"), CHUNK_ROWS * math.prod(sizes)).reshape(CHUNK_ROWS, *sizes)
        for place, _, data in block.chunks
        if place == path
    ]
    return np.concatenate(pieces)[: block.rows]


def encode_theta(layout: Layout, first: int, values: NDArray[np.float64]) -> list[Chunk]:
    """Chunks of at most ``CHUNK_ROWS`` rows of theta.

    Parameters
    ----------
    first : int
        Row of the first parameter set, a multiple of ``CHUNK_ROWS``.
    values : float64 array [rows, parameters]
    """
    names = [f"{PARAMETERS}/{name}" for name in layout.parameter_names]
    chunks = _encode_rows(f"{PARAMETERS}/{THETA}", first, (), np.arange(first, first + len(values), dtype="<i8"))
    for name, column in zip(names, values.T, strict=True):  # column by column: no second theta in memory
        chunks += _encode_rows(name, first, (), column)
    return chunks


def theta_checksums(layout: Layout, first: int, values: NDArray[np.float64]) -> list[str]:
    """Return the checksum of each ``CHUNK_ROWS`` parameter sets of ``values`` [rows, parameters]."""
    return [
        theta_checksum(first + start, layout.parameter_names, values[start : start + CHUNK_ROWS].T)
        for start in range(0, len(values), CHUNK_ROWS)
    ]


def _encode_rows(path: str, first_row: int, stratum: tuple[int, ...], values: NDArray[Any]) -> list[Chunk]:
    """Cut ``values`` [rows, *trailing] into full-size chunks, the last one padded with zeros."""
    trailing = values.shape[1:]
    chunks: list[Chunk] = []
    for start in range(0, len(values), CHUNK_ROWS):
        piece = values[start : start + CHUNK_ROWS]
        if len(piece) < CHUNK_ROWS:
            padded = np.zeros((CHUNK_ROWS, *trailing), dtype=piece.dtype)
            padded[: len(piece)] = piece
            piece = padded
        offset = (first_row + start, *stratum, *(0 for _ in trailing))
        chunks.append((path, offset, encode_chunk(np.ascontiguousarray(piece))))
    return chunks


def _stored_counts(layout: Layout, variable: Variable, values: NDArray[Any], rows: int) -> tuple[NDArray[Any], int]:
    """Check the counts of one variable and give them their stored type; return them and the largest."""
    expected = (layout.slots(variable), rows, *layout.sizes(variable.trailing))
    if values.shape != expected:
        raise ValueError(f"counts of '{variable.name}' have shape {values.shape}, expected {expected}")
    if not np.issubdtype(values.dtype, np.integer):
        raise TypeError(f"counts of '{variable.name}' are {values.dtype}, not integers")
    stored = np.dtype(variable.dtype).newbyteorder("<")
    # As unsigned numbers negative ones are larger than what any signed type holds: one look over the memory, not two.
    largest = int(values.view(values.dtype.str.replace("i", "u")).max())
    if largest > np.iinfo(stored).max:
        wrong = min(int(values.min()), 0) or int(values.max())
        raise OverflowError(f"'{variable.name}' holds {wrong}: counts must be within 0..{np.iinfo(stored).max}")
    return np.ascontiguousarray(values, dtype=stored), largest


def _total(name: str, values: NDArray[Any], largest: int) -> NDArray[np.int64]:
    most = largest * values.shape[0]
    if most > np.iinfo(np.int64).max:
        raise OverflowError(f"the total of '{name}' may pass int64: {values.shape[0]} strata of up to {largest}")
    wide_enough = values.dtype if most <= np.iinfo(values.dtype).max else "<i8"  # half the time without widening
    return values.sum(axis=0, dtype=wide_enough).astype("<i8", copy=False)


def _identifier(name: str, values: ArrayLike) -> NDArray[np.uint32]:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        raise TypeError(f"{name} must be a one-dimensional integer array, not {numbers.dtype} {numbers.shape}")
    if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) > np.iinfo(np.uint32).max):
        raise OverflowError(f"{name} must be within 0..{np.iinfo(np.uint32).max}")
    return numbers.astype("<u4")
