"""Shards: closed files that hold finished blocks until the results file is assembled from them.

A shard is written under a temporary name, flushed to the disk and renamed: what bears its name was written to
its end. It is no HDF5 file, so that nothing but appending bytes can go wrong, and it proves itself::

    simcore-shard 1\\n
    length of the header in bytes, 16 decimal digits, \\n
    header: JSON, the rows in all and one entry per block with the paths, offsets and lengths of its chunks
    the chunks of all blocks, one after another, as they will be in the results file
    XXH3 (128 bits) of everything before, 16 bytes

The header names the *rows* that the shard belongs to (`simcore.runner.identity.rows_id`): two runs with the
same name have the same numbers in every replicate that both hold, so a left-over of another run is never taken for one
of this.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import xxhash

from simcore.errors import ResultsError
from simcore.store.blocks import Chunk, EncodedBlock
from simcore.store.files import make_way, open_plain
from simcore.store.target import sync_folder

_MAGIC: Final = b"simcore-shard 1\n"
_LENGTH_DIGITS: Final = 16
_DIGEST_BYTES: Final = 16
_PIECE: Final = 2**20
_CLAIM: Final = re.compile(
    rb'simcore-shard 1\n\d{16}\n\{"rows_id":"(?P<name>[0-9a-f]{1,64})","rows":(?P<rows>\d{1,15}),'
)
_CLAIM_BYTES: Final = 256
TEMPORARY_SUFFIX: Final = ".tmp"
LARGEST_HEADER: Final = 256 * 2**20
"""Bytes; a block of 1,000 chunks has a header of about 0.1 MB."""

_PLAIN: Final = (
    "first_row",
    "rows",
    "seconds",
    "agents",
    "held_shares",
    "checksum",
    "theta_rows",
    "theta_checksums",
    "tally",
    "uncompressed_bytes",
    "encoded_bytes",
)


class ForeignShardError(ResultsError):
    """Something sound, as far as anybody can tell, that is not of this run: never thrown away."""


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """Where a block lies within a shard.

    Attributes
    ----------
    path : Path
    version : tuple of int
        What tells the file from another one that is given its name later.
    number : int
        Which block of the shard it is. (What the header says of its chunks is read again when it is wanted: a long run
        has hundreds of thousands of blocks.)
    position : int
        Of its first chunk in the file [bytes].
    first_row, rows : int
        Replicates of the block.
    """

    path: Path
    version: tuple[int, ...]
    number: int
    position: int
    first_row: int
    rows: int


def write_shard(path: Path, rows_id: str, blocks: Sequence[EncodedBlock], *, mark: str = "") -> None:
    """Write blocks into a new shard; when this returns the disk has it.

    Parameters
    ----------
    path : Path
        Its final name.
    rows_id : str
        Which rows these are.
    blocks : sequence of EncodedBlock
    mark : str
        Part of the temporary name, where several processes may write the same shard at once.

    Raises
    ------
    OSError
        The disk is full or failed; no shard is left behind.
    """
    described = [
        {
            **{name: getattr(block, name) for name in _PLAIN},
            "chunks": [[place, list(offset), len(data)] for place, offset, data in block.chunks],
        }
        for block in blocks
    ]
    rows = sum(block.rows for block in blocks)
    header = json.dumps({"rows_id": rows_id, "rows": rows, "blocks": described}, separators=(",", ":")).encode()
    pieces = itertools.chain(
        [_MAGIC, b"%0*d\n" % (_LENGTH_DIGITS, len(header)), header],
        (data for block in blocks for _, _, data in block.chunks),
    )
    temporary = path.with_name(path.name + (f".{mark}" if mark else "") + TEMPORARY_SUFFIX)
    digest = xxhash.xxh3_128()
    try:
        make_way(temporary)
        with temporary.open("xb", buffering=_PIECE) as stream:  # two thirds of the time of a call for every chunk
            for piece in pieces:
                digest.update(piece)
                stream.write(piece)
            stream.write(digest.digest())
            stream.flush()
            os.fsync(stream.fileno())
            _forget(stream.fileno())
        os.rename(temporary, path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _forget(descriptor: int) -> None:
    """Tell the system that nobody will soon read what the disk has: it need not push other files out of memory."""
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def claimed_rows(path: Path, rows_id: str) -> int:
    """Return how many replicates of a run a shard says it holds, by its first bytes alone; 0 if it does not say."""
    with contextlib.suppress(OSError, ValueError):
        with open_plain(path) as stream:
            found = _CLAIM.match(stream.read(_CLAIM_BYTES))
        return int(found["rows"]) if found and rows_id in ("", found["name"].decode()) else 0
    return 0


def read_shard_entries(path: Path, rows_id: str) -> list[ShardEntry]:
    """Check a shard from its first byte to its last and return what it holds.

    Parameters
    ----------
    path : Path
    rows_id : str
        Which rows are wanted.

    Raises
    ------
    ForeignShardError
        It holds rows of another run, or is no file.
    ResultsError
        It is damaged. Memory is bounded by the header.
    """
    if path.is_dir():
        raise ForeignShardError(f"{path}: is a folder, and no shard")
    try:
        with open_plain(path) as stream:
            header, position = _read_header(stream)
            _check_digest(stream)
            version = _version(stream)
    except (OSError, ValueError, RecursionError) as problem:
        raise ResultsError(f"{path}: is a damaged shard ({problem})") from problem
    if header.get("rows_id") != rows_id:
        raise ForeignShardError(f"{path}: is a shard of another run")
    entries = []
    for number, facts in enumerate(header["blocks"]):  # the digest agrees, so this is what was written
        entries.append(ShardEntry(path, version, number, position, facts["first_row"], facts["rows"]))
        position += sum(length for _, _, length in facts["chunks"])
    return entries


def read_shard_block(entry: ShardEntry) -> EncodedBlock:
    """Return a block of a shard that `read_shard_entries` has checked.

    Raises
    ------
    ResultsError
        The shard changed or went away since.
    """
    chunks: list[Chunk] = []
    try:
        with open_plain(entry.path) as stream:
            if _version(stream) != entry.version:  # written anew, and chunks may lie elsewhere
                raise ValueError("it is another one by now")
            found = _blocks_of(entry.path, entry.version)[entry.number]
            stream.seek(entry.position)
            for place, offset, length in found["chunks"]:
                data = stream.read(length)
                if len(data) != length:
                    raise ValueError("cut short")
                chunks.append((place, tuple(offset), data))
    except (OSError, ValueError) as problem:
        raise ResultsError(f"{entry.path}: is a damaged shard ({problem})") from problem
    facts = {name: found[name] for name in _PLAIN}
    facts["theta_checksums"] = tuple(facts["theta_checksums"])
    return EncodedBlock(**facts, chunks=tuple(chunks))


@functools.lru_cache(maxsize=1)  # blocks are read one after another
def _blocks_of(path: Path, version: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return what the header of a checked shard says of its blocks."""
    with open_plain(path) as stream:
        header, _ = _read_header(stream)
        if _version(stream) != version:
            raise ValueError("it is another one by now")
    blocks: list[dict[str, Any]] = header["blocks"]
    return blocks


def _version(stream: BinaryIO) -> tuple[int, ...]:
    found = os.fstat(stream.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _read_header(stream: BinaryIO) -> tuple[dict[str, Any], int]:
    """Return the header and the position of the first chunk."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("no shard of this version")
    digits = stream.read(_LENGTH_DIGITS + 1)
    if not digits[:-1].isdigit() or int(digits[:-1]) > LARGEST_HEADER:
        raise ValueError("length of the header")
    length = int(digits[:-1])
    text = stream.read(length)
    if len(text) != length:
        raise ValueError("cut short")
    header = json.loads(text)
    if not isinstance(header, dict) or not isinstance(header.get("blocks"), list):
        raise ValueError("header")
    return header, stream.tell()


def _check_digest(stream: BinaryIO) -> None:
    """Compare the whole file with the digest at its end, piece by piece."""
    left = stream.seek(0, os.SEEK_END) - _DIGEST_BYTES
    stream.seek(0)
    digest = xxhash.xxh3_128()
    while left > 0 and (piece := stream.read(min(left, _PIECE))):
        digest.update(piece)
        left -= len(piece)
    if left or stream.read() != digest.digest():
        raise ValueError("differs from what was written")
