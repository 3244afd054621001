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
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simcore.store.checksums import block_checksum, theta_checksum
from simcore.store.compression import decode_chunk, encode_chunk
from simcore.store.layout import CHUNK_ROWS, IDENTIFIERS, PARAMETERS, REPLICATE, THETA, TOTALS, Layout

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

    replicate = np.arange(first_row, first_row + rows, dtype="<i8")
    chunks: list[Chunk] = []
    for name, column in {REPLICATE: replicate, **identifiers}.items():
        chunks += _encode_rows(name, first_row, (), column)
    of_counts: dict[str, list[Chunk]] = {}
    of_totals: dict[str, list[Chunk]] = {}

    def hashed() -> Iterator[NDArray[Any]]:
        """Encode what is hashed just before it is, stratum by stratum: it is in the processor's cache then."""
        yield from identifiers.values()
        totals = {}
        for name in sorted(names):
            of_counts[name] = []
            totals[name] = yield from _encode_variable(layout, name, counts[name], first_row, rows, of_counts[name])
        for name, total in totals.items():
            of_totals[name] = _encode_rows(f"{TOTALS}/{name}", first_row, (), total)
            yield total

    checksum = block_checksum(first_row, rows, int(agents), int(held_shares), hashed())
    for encoded in (of_counts, of_totals):
        for name in names:
            chunks += encoded[name]
    of_theta: list[Chunk] = []
    checksums: list[str] = []
    if theta is not None:
        if theta.shape != (rows, len(layout.parameters)):
            raise ValueError(f"theta has shape {theta.shape}, expected ({rows}, {len(layout.parameters)})")
        of_theta, checksums = encode_theta(layout, first_row, theta)
    chunks += of_theta

    return EncodedBlock(
        first_row=first_row,
        rows=rows,
        seconds=float(seconds),
        agents=int(agents),
        held_shares=int(held_shares),
        checksum=checksum,
        theta_rows=0 if theta is None else rows,
        theta_checksums=tuple(checksums),
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


def encode_theta(layout: Layout, first: int, values: NDArray[np.float64]) -> tuple[list[Chunk], list[str]]:
    """Return the chunks of parameter sets, and the checksum of each ``CHUNK_ROWS`` of them.

    Parameters
    ----------
    first : int
        Row of the first parameter set, a multiple of ``CHUNK_ROWS``.
    values : float64 array [rows, parameters]
    """
    names = layout.parameter_names
    chunks = _encode_rows(f"{PARAMETERS}/{THETA}", first, (), np.arange(first, first + len(values), dtype="<i8"))
    checksums = []
    for start in range(0, len(values), CHUNK_ROWS):
        columns = np.ascontiguousarray(values[start : start + CHUNK_ROWS].T)
        checksums.append(theta_checksum(first + start, names, columns))
        for name, column in zip(names, columns, strict=True):
            chunks += _encode_rows(f"{PARAMETERS}/{name}", first + start, (), column)
    return chunks, checksums


def _encode_variable(
    layout: Layout, name: str, values: NDArray[Any], first_row: int, rows: int, chunks: list[Chunk]
) -> Generator[NDArray[Any], None, NDArray[np.int64]]:
    """Check, encode and yield each stratum of a variable in its stored type; return the totals over strata."""
    variable = layout.variable(name)
    expected = (layout.slots(variable), rows, *layout.sizes(variable.trailing))
    if values.shape != expected:
        raise ValueError(f"counts of '{name}' have shape {values.shape}, expected {expected}")
    if not np.issubdtype(values.dtype, np.integer):
        raise TypeError(f"counts of '{name}' are {values.dtype}, not integers")
    stored = np.dtype(variable.dtype).newbyteorder("<")
    total = np.zeros(expected[1:], dtype=stored)
    at_most = 0
    strata = itertools.product(*(range(size) for size in layout.sizes(variable.strata)))
    for stratum, given in zip(strata, values, strict=True):
        # As unsigned numbers negative ones are larger than what any signed type holds: one look at them, not two.
        largest = int(given.view(given.dtype.str.replace("i", "u")).max(initial=0))
        if largest > np.iinfo(stored).max:
            wrong = min(int(given.min()), 0) or int(given.max())
            raise OverflowError(f"'{name}' holds {wrong}: counts must be within 0..{np.iinfo(stored).max}")
        at_most += largest
        if at_most > np.iinfo(total.dtype).max:  # it is widened only then: adding takes half the time without
            if at_most > np.iinfo(np.int64).max:
                raise OverflowError(f"the total of '{name}' may pass int64: {len(values)} strata of up to {largest}")
            total = total.astype("<i8")
        counts = np.ascontiguousarray(given, dtype=stored)
        total += counts
        chunks += _encode_rows(name, first_row, stratum, counts, largest)
        yield counts
    return total.astype("<i8", copy=False)


def _encode_rows(
    path: str, first_row: int, stratum: tuple[int, ...], values: NDArray[Any], largest: int | None = None
) -> list[Chunk]:
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
        chunks.append((path, offset, encode_chunk(np.ascontiguousarray(piece), largest)))
    return chunks


def _identifier(name: str, values: ArrayLike) -> NDArray[np.uint32]:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        raise TypeError(f"{name} must be a one-dimensional integer array, not {numbers.dtype} {numbers.shape}")
    if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) > np.iinfo(np.uint32).max):
        raise OverflowError(f"{name} must be within 0..{np.iinfo(np.uint32).max}")
    return numbers.astype("<u4")
