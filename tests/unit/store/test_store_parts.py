"""The folder of an unfinished run: what a run is comes back whole, and nothing of anybody else is touched."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import ResultsError
from simcore.store.parts import Head, Parts, _text_checksum, look_at_unfinished, read_head
from simcore.store.target import parts_path

from .test_store_shards import ROWS_ID, small_block
from .test_store_shards import block as make_block

ATTRIBUTES: dict[str, Any] = {
    "text": 'Ñandú, 漢字, \U0001f30d, "quoted", \\ and \n',
    "empty": "",
    "bytes of a command line": "\udcff",
    "whole": 2**63 + 5,
    "negative": -(2**40),
    "fraction": 0.1 + 0.2,
    "smallest": 5e-324,
    "truth": True,
    "texts": [f"line {number}" for number in range(20_000)],
    "numbers": list(range(1000)),
    "fractions": [1 / 3, 2 / 3],
}
DOCUMENTS = {"scenario": '{"name": "x"}', "tables/data/población.csv": "origin,persons\r\nCOL,1\n" * 5000, "empty": ""}
HEAD = Head(10_000, 5_000, True, ATTRIBUTES, DOCUMENTS)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "x.h5"


def begun(target: Path, head: Head = HEAD) -> Parts:
    parts = Parts(target)
    parts.write_head(head)
    return parts


# The head -------------------------------------------------------------------------------------------------------------


def test_the_head_comes_back_with_every_type(target: Path) -> None:
    assert read_head(target) is None
    parts = begun(target)
    for found in (parts.read_head(), read_head(target)):
        assert found == HEAD
        assert found is not None
        assert [type(found.attributes[name]) for name in ATTRIBUTES] == [type(ATTRIBUTES[name]) for name in ATTRIBUTES]
        assert list(found.attributes) == list(ATTRIBUTES)
    parts.close(remove=False)
    assert read_head(target) == HEAD


def test_the_head_is_replaced_whole(target: Path) -> None:
    parts = begun(target)
    parts.write_head(Head(7, 7, False, {}, {}))
    assert parts.read_head() == Head(7, 7, False, {}, {})
    assert sorted(path.name for path in parts.folder.iterdir()) == ["lock", "run-copy.json", "run.json"]
    parts.close(remove=True)


def test_a_head_that_cannot_be_written_leaves_the_old_one(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = begun(target)
    with monkeypatch.context() as patch:
        patch.setattr("simcore.store.parts.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(ResultsError, match=r"x\.h5\.parts: cannot hold what the run is: No space left on device"):
            parts.write_head(Head(7, 7, False, {}, {}))
    assert parts.read_head() == HEAD
    parts.close(remove=True)
    assert list(target.parent.iterdir()) == []


def test_every_byte_of_the_head_counts(target: Path) -> None:
    """What is changed is found, or changes nothing (a letter of JSON's own notation)."""
    begun(target, Head(3, 3, True, {"seed": "7"}, {"scenario": "{}"})).close(remove=False)
    (parts_path(target) / "run-copy.json").unlink()
    path = parts_path(target) / "run.json"
    whole, wanted = path.read_bytes(), read_head(target)
    refused: list[str] = []
    for position in range(len(whole)):
        for mask in (0x01, 0x20, 0x80):
            content = bytearray(whole)
            content[position] ^= mask
            path.write_bytes(content)
            try:
                assert read_head(target) == wanted
            except ResultsError as problem:
                refused.append(str(problem))
    assert len(refused) > 2.5 * len(whole)
    assert all(line.startswith(f"{path}: is damaged (") and "\n" not in line for line in refused)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ResultsError, match=r"run\.json: is damaged"):
            read_head(target)


def test_a_damaged_head_is_replaced_by_its_copy_and_a_missing_one_is_not(target: Path) -> None:
    begun(target).close(remove=False)
    head = parts_path(target) / "run.json"
    whole = head.read_bytes()
    assert (parts_path(target) / "run-copy.json").read_bytes() == whole
    for damaged in (b"", whole[:-9], whole.replace(b"7", b"8", 1)):
        head.write_bytes(damaged)
        assert read_head(target) == HEAD
    head.unlink()  # first of all when a run ends
    assert read_head(target) is None


def signed(text: str) -> str:
    return json.dumps({"checksum": _text_checksum(text), "head": text})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is damaged"),
        ("[]", "is damaged"),
        ("{}", "is damaged"),
        ('{"head": 7, "checksum": 7}', "is damaged"),
        ("[" * 100_000, "is damaged"),
        (signed("[]"), "is damaged"),
        (signed("{}"), "is damaged"),
        (signed('{"version": 1}'), "is damaged"),
        (signed('{"version": 2, "anything": "else"}'), r"written by a newer simcore \(version 2\)"),
    ],
)
def test_heads_that_are_none(target: Path, content: str, message: str) -> None:
    parts_path(target).mkdir()
    (parts_path(target) / "run.json").write_text(content)
    for look in (read_head, look_at_unfinished):
        with pytest.raises(ResultsError, match=rf"^{parts_path(target)}/run\.json: {message}"):
            look(target)


def test_no_folder_and_a_file_in_its_place_hold_no_head(target: Path) -> None:
    assert read_head(target) is None
    parts_path(target).write_text("somebody's")
    assert read_head(target) is None
    assert look_at_unfinished(target) is None


# Blocks ---------------------------------------------------------------------------------------------------------------


def test_saved_blocks_are_found_by_the_next_process(target: Path) -> None:
    parts = begun(target)
    blocks = [make_block(first * 4096) for first in (0, 1, 3)]
    for one in blocks:
        parts.save(one, ROWS_ID)
    assert parts.safe == parts.saved == {0: 4096, 4096: 4096, 3 * 4096: 4096}
    assert parts.shards == {}
    parts.close(remove=False)

    again = Parts(target)
    assert again.safe == {}
    assert again.find(ROWS_ID) == []
    assert set(again.shards) == {0, 4096, 3 * 4096}
    assert [again.load(first) for first in (3 * 4096, 0, 4096)] == [blocks[2], blocks[0], blocks[1]]
    again.save(make_block(2 * 4096), ROWS_ID)
    again.forget(4096)
    again.forget(99)
    assert 4096 not in again.shards
    assert again.safe == dict.fromkeys((0, 4096, 2 * 4096, 3 * 4096), 4096)
    again.close(remove=True)
    assert list(target.parent.iterdir()) == []


def test_damaged_and_foreign_shards_get_a_line_each(target: Path) -> None:
    parts = begun(target)
    for first in (0, 4096, 8192):
        parts.save(make_block(first), ROWS_ID)
    damaged = parts.shard_path(4096)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    parts.save(make_block(3 * 4096), "of another run")
    (parts.folder / "shard-000000000000.blocks.tmp").write_text("was being written")
    parts.close(remove=False)
    again = Parts(target)
    lines = again.find(ROWS_ID)
    assert [line.split(":")[0] for line in lines] == [str(damaged), str(parts.shard_path(3 * 4096))]
    assert "is a damaged shard" in lines[0]
    assert "is a shard of another run" in lines[1]
    assert set(again.shards) == {0, 8192}
    again.close(remove=True)


def test_a_block_that_cannot_be_saved_is_not_safe(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = begun(target)
    parts.save(make_block(0), ROWS_ID)
    with monkeypatch.context() as patch:
        patch.setattr("simcore.store.shards.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(ResultsError, match=r"x\.h5: could not write replicates 4096 to 8191: No space left"):
            parts.save(make_block(4096), ROWS_ID)
    assert parts.safe == {0: 4096}
    parts.close(remove=False)
    again = Parts(target)
    assert again.find(ROWS_ID) == []
    assert set(again.shards) == {0}
    again.close(remove=True)


# The folder -----------------------------------------------------------------------------------------------------------

OWN = (
    "run.json",
    "run.json.tmp",
    "run-copy.json",
    "run-copy.json.tmp",
    "assembling.h5",
    "shared",
    "shard-000000004096.blocks",
    "shard-000000004096.blocks.tmp",
    "shard-000000008192.blocks.0123abcd.tmp",
)
FOREIGN = (
    "notes.txt",
    "shard-4096.blocks",
    "shard-000000004096.blocks.old",
    "my-shard-000000004096.blocks",
    "run.json.bak",
    "assembling.h5.tmp",
    ".hidden",
    "x.h5",
)


def test_clearing_removes_what_a_run_wrote_and_nothing_else(target: Path) -> None:
    parts = Parts(target)
    for name in (*OWN, *FOREIGN):
        (parts.folder / name).write_text("content")
    parts.clear()
    assert {path.name for path in parts.folder.iterdir()} == {*FOREIGN, "lock"}
    parts.close(remove=True)
    assert {path.name for path in parts.folder.iterdir()} == set(FOREIGN)
    assert all((parts.folder / name).read_text() == "content" for name in FOREIGN)


def test_closing_leaves_or_removes(target: Path) -> None:
    parts = begun(target)
    parts.save(make_block(0), ROWS_ID)
    parts.close(remove=False)
    names = {path.name for path in parts.folder.iterdir()}
    assert names == {"lock", "run.json", "run-copy.json", "shard-000000000000.blocks"}
    assert (parts.folder / "lock").read_bytes() == b""
    again = Parts(target)
    assert again.left_by == ""  # it was released, not left
    again.close(remove=True)
    again.close(remove=True)
    assert not parts.folder.exists()


@pytest.mark.parametrize("what", ["file", "link", "dangling link", "link to a folder"])
def test_something_in_the_way_is_left_alone(target: Path, what: str) -> None:
    folder, elsewhere = parts_path(target), target.parent / "elsewhere"
    match what:
        case "file":
            folder.write_text("somebody's")
        case "link":
            elsewhere.write_text("somebody's")
            folder.symlink_to(elsewhere)
        case "dangling link":
            folder.symlink_to(elsewhere)
        case "link to a folder":
            elsewhere.mkdir()
            folder.symlink_to(elsewhere)
    before = {path.name: path.lstat().st_mtime_ns for path in target.parent.rglob("*")}
    with pytest.raises(ResultsError, match=r"x\.h5\.parts: is in the way of an unfinished run: not a folder$"):
        Parts(target)
    assert {path.name: path.lstat().st_mtime_ns for path in target.parent.rglob("*")} == before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"x\.h5\.parts: cannot be made: No such file or directory$"):
        Parts(tmp_path / "nowhere" / "x.h5")


def test_a_second_writer_of_this_process_is_refused(target: Path) -> None:
    parts = begun(target)
    with pytest.raises(ResultsError, match=rf"another process writes it \(process {os.getpid()} on "):
        Parts(target)
    assert parts.read_head() == HEAD
    parts.close(remove=True)


# Looking --------------------------------------------------------------------------------------------------------------


def test_looking_at_an_unfinished_run_changes_nothing(target: Path) -> None:
    assert look_at_unfinished(target) is None
    parts = begun(target)
    parts.save(small_block(), ROWS_ID)
    parts.save(make_block(4096), ROWS_ID)
    (parts.folder / "shard-000000008192.blocks.tmp").write_text("was being written")
    (parts.folder / "notes.txt").write_text("somebody's")
    running = look_at_unfinished(target)
    assert running is not None
    assert (running.head, running.shards) == (HEAD, 2)
    assert running.stored_bytes == sum(parts.shard_path(first).stat().st_size for first in (0, 4096))
    assert running.writer.startswith(f"process {os.getpid()} on ")
    parts.close(remove=False)
    before = {path.name: path.stat().st_mtime_ns for path in parts.folder.iterdir()}
    left = look_at_unfinished(target)
    assert left is not None
    assert (left.writer, left.shards) == ("", 2)
    assert {path.name: path.stat().st_mtime_ns for path in parts.folder.iterdir()} == before
