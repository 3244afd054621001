"""Shards: what goes in comes out, and a shard that is not whole, or not the one expected, is never read."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from simcore.errors import ResultsError
from simcore.store import CHUNK_ROWS, encode_block
from simcore.store.blocks import EncodedBlock
from simcore.store.shards import LARGEST_HEADER, ForeignShardError, read_shard_block, read_shard_entries, write_shard

from .store_samples import LAYOUTS, random_counts, random_theta

LAYOUT = LAYOUTS["age summed out"]
ROWS_ID = "0123456789abcdef"
MAGIC = b"simcore-shard 1\n"
DIGEST_BYTES = 16


def block(first: int, rows: int = CHUNK_ROWS, *, layout: str = "age summed out", theta: bool = True) -> EncodedBlock:
    """A block of random counts; its own parameter sets too, if asked for."""
    known = LAYOUTS[layout]
    number = np.arange(first, first + rows)
    return encode_block(
        known,
        random_counts(known, rows, seed=first),
        first_row=first,
        theta_id=number,
        replicate_id=number * 0,
        shared_id=number * 0,
        theta=random_theta(known, rows, seed=first) if theta else None,
        seconds=0.1 + 0.2,
        agents=10 * rows,
        held_shares=3,
        tally={"timed_rows": rows - 1, "seconds_replicates": 1 / 3},
    )


def small_block() -> EncodedBlock:
    """A block of one small chunk: its shard is a few hundred bytes, so that every one of them can be changed."""
    return EncodedBlock(0, 1, 0.5, 2, 0, "c" * 16, 0, (), {"timed_rows": 1}, (("a", (0,), b"12345678"),), 8, 8)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "shard"
    write_shard(path, ROWS_ID, [small_block()])
    return path


def assert_damaged(path: Path, reason: str = "") -> None:
    with pytest.raises(ResultsError) as caught:
        read_shard_entries(path, ROWS_ID)
    assert str(caught.value).startswith(f"{path}: is a damaged shard ({reason}")
    assert "\n" not in str(caught.value)


# Round trip -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theta", [True, False])
@pytest.mark.parametrize("firsts", [[0], [0, 1, 2], [7, 8, 9]])
def test_blocks_come_back_as_they_went_in(tmp_path: Path, firsts: list[int], theta: bool) -> None:
    blocks = [block(first * CHUNK_ROWS, CHUNK_ROWS if first != 9 else 77, theta=theta) for first in firsts]
    write_shard(tmp_path / "shard", ROWS_ID, blocks)
    entries = read_shard_entries(tmp_path / "shard", ROWS_ID)
    assert [(entry.first_row, entry.rows) for entry in entries] == [(one.first_row, one.rows) for one in blocks]
    assert [read_shard_block(entry) for entry in entries] == blocks
    assert [read_shard_block(entry) for entry in reversed(entries)] == blocks[::-1]
    assert [path.name for path in tmp_path.iterdir()] == ["shard"]


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_blocks_of_every_layout_and_of_several_chunks(tmp_path: Path, layout: str) -> None:
    wanted = block(0, 2 * CHUNK_ROWS + 1, layout=layout)
    write_shard(tmp_path / "shard", ROWS_ID, [wanted])
    (entry,) = read_shard_entries(tmp_path / "shard", ROWS_ID)
    assert read_shard_block(entry) == wanted


def test_the_layout_is_the_one_that_is_described(small: Path) -> None:
    """The magic, 16 digits, JSON, chunks, XXH3: read here without the module."""
    content = small.read_bytes()
    assert content.startswith(MAGIC)
    assert content[32:33] == b"\n"
    length = int(content[16:32])
    header = json.loads(content[33 : 33 + length])
    assert header["rows_id"] == ROWS_ID
    (facts,) = header["blocks"]
    assert (facts["first_row"], facts["rows"], facts["seconds"]) == (0, 1, 0.5)
    assert facts["chunks"] == [["a", [0], 8]]
    assert content[33 + length : -DIGEST_BYTES] == b"12345678"
    assert content[-DIGEST_BYTES:] == xxhash.xxh3_128_digest(content[:-DIGEST_BYTES])


def test_a_shard_is_replaced_whole(small: Path) -> None:
    write_shard(small, ROWS_ID, [block(0)])
    (entry,) = read_shard_entries(small, ROWS_ID)
    assert read_shard_block(entry) == block(0)


def test_a_mark_keeps_two_writers_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("simcore.store.shards.os.fsync", lambda _: seen.extend(p.name for p in tmp_path.iterdir()))
    write_shard(tmp_path / "shard", ROWS_ID, [small_block()], mark="ab12")
    assert seen[0] == "shard.ab12.tmp"


# Damage ---------------------------------------------------------------------------------------------------------------


def test_every_byte_counts(small: Path) -> None:
    whole = small.read_bytes()
    assert 200 < len(whole) < 1000
    for position in range(len(whole)):
        for mask in (0x01, 0x80, 0xFF):
            content = bytearray(whole)
            content[position] ^= mask
            small.write_bytes(content)
            with pytest.raises(ResultsError, match="is a damaged shard"):
                read_shard_entries(small, ROWS_ID)
    small.write_bytes(whole)
    assert len(read_shard_entries(small, ROWS_ID)) == 1


def test_bytes_of_a_large_shard_count(tmp_path: Path, chooser: random.Random) -> None:
    path = tmp_path / "shard"
    write_shard(path, ROWS_ID, [block(0), block(CHUNK_ROWS)])
    whole = path.read_bytes()
    for position in [*chooser.sample(range(len(whole)), 60), len(whole) - 1, len(whole) - DIGEST_BYTES - 1]:
        content = bytearray(whole)
        content[position] ^= 1 << chooser.randrange(8)
        path.write_bytes(content)
        assert_damaged(path)


def test_every_length_but_the_whole_is_found(small: Path) -> None:
    whole = small.read_bytes()
    for length in range(len(whole)):
        small.write_bytes(whole[:length])
        assert_damaged(small)
    for more in (b"\0", whole[-DIGEST_BYTES:], whole):
        small.write_bytes(whole + more)
        assert_damaged(small, "differs from what was written")


def signed(header: bytes, chunks: bytes = b"", *, digits: bytes | None = None, magic: bytes = MAGIC) -> bytes:
    """A shard of any header whose digest agrees."""
    length = b"%016d" % len(header) if digits is None else digits
    content = magic + length + b"\n" + header + chunks
    return content + xxhash.xxh3_128_digest(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no shard of this version"),
        (signed(b"{}", magic=b"simcore-shard 2\n"), "no shard of this version"),
        (signed(b"{}", digits=b"-000000000000002"), "length of the header"),
        (signed(b"{}", digits=b"               2"), "length of the header"),
        (signed(b"{}", digits=b"%016d" % (LARGEST_HEADER + 1)), "length of the header"),
        (signed(b"{}", digits=b"9" * 16), "length of the header"),
        (signed(b"{}", digits=b"%016d" % LARGEST_HEADER), "cut short"),
        (signed(b""), "Expecting value"),
        (signed(b"no json at all"), "Expecting value"),
        (signed(b"\xff\xfe{}"), ""),
        (signed(b"[]"), "header"),
        (signed(b"{}"), "header"),
        (signed(b'{"blocks": 7}'), "header"),
        (signed(b"[" * 100_000), ""),
    ],
)
def test_headers_that_are_none(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "shard"
    path.write_bytes(content)
    assert_damaged(path, reason)


def test_a_shard_of_another_run_is_refused(small: Path) -> None:
    with pytest.raises(ResultsError, match=r"shard: is a shard of another run$"):
        read_shard_entries(small, ROWS_ID + "0")


def test_missing_shards_and_folders(tmp_path: Path) -> None:
    assert_damaged(tmp_path / "nowhere")
    with pytest.raises(ForeignShardError, match=f"{tmp_path}: is a folder, and no shard"):
        read_shard_entries(tmp_path, ROWS_ID)


@pytest.mark.parametrize("change", ["cut", "gone", "another", "touched"])
def test_a_shard_that_changed_since_it_was_checked_is_not_read(small: Path, change: str) -> None:
    (entry,) = read_shard_entries(small, ROWS_ID)
    match change:
        case "cut":
            small.write_bytes(small.read_bytes()[:-40])
        case "gone":
            small.unlink()
        case "another":
            write_shard(small, ROWS_ID, [small_block()])  # with the same content
        case "touched":
            os.utime(small, ns=(0, 0))
    with pytest.raises(ResultsError, match="is a damaged shard"):
        read_shard_block(entry)


# Memory and failures --------------------------------------------------------------------------------------------------


def test_checking_takes_no_more_memory_than_a_piece_and_the_header(tmp_path: Path) -> None:
    """32 MiB of chunks are read piece by piece."""
    path = tmp_path / "shard"
    large = b"\x5a" * 2**23
    blocks = [
        EncodedBlock(n * CHUNK_ROWS, CHUNK_ROWS, 0, 0, 0, "0" * 16, 0, (), {}, (("a", (0,), large),), 0, len(large))
        for n in range(4)
    ]
    write_shard(path, ROWS_ID, blocks)
    assert path.stat().st_size > 4 * len(large)
    tracemalloc.start()
    try:
        entries = read_shard_entries(path, ROWS_ID)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(entries) == 4
    assert peak < 4 * 2**20


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_disk_that_fails_leaves_no_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"simcore.store.shards.os.{step}", fail)
    with pytest.raises(OSError, match="No space"):
        write_shard(tmp_path / "shard", ROWS_ID, [small_block()])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("system", ["without a way to say so", "that refuses to listen"])
def test_a_system_need_not_be_told_that_a_shard_will_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(22, "Invalid argument")

    if system == "without a way to say so":
        monkeypatch.delattr("simcore.store.shards.os.posix_fadvise", raising=False)
    else:
        monkeypatch.setattr("simcore.store.shards.os.posix_fadvise", refuse, raising=False)
    write_shard(tmp_path / "shard", ROWS_ID, [small_block()])
    assert len(read_shard_entries(tmp_path / "shard", ROWS_ID)) == 1
