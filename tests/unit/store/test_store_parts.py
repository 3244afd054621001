"""The folder of an unfinished run: what a run is comes back whole, and nothing of anybody else is touched."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simcore.errors import ResultsError
from simcore.store.heads import Head, read_head, text_checksum
from simcore.store.lock import holder_of
from simcore.store.partial_file import PartialFile
from simcore.store.parts import Parts, damaged_shards, look_at_unfinished, writer_of
from simcore.store.recorder import Recorder
from simcore.store.shards import write_shard
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
    parts = Parts(target).acquire()
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


def test_a_damaged_or_missing_head_is_replaced_by_its_copy(target: Path) -> None:
    begun(target).close(remove=False)
    head = parts_path(target) / "run.json"
    whole = head.read_bytes()
    assert (parts_path(target) / "run-copy.json").read_bytes() == whole
    for damaged in (b"", whole[:-9], whole.replace(b"7", b"8", 1)):
        head.write_bytes(damaged)
        assert read_head(target) == HEAD
    head.unlink()
    assert read_head(target) == HEAD
    head.symlink_to("nowhere")
    assert read_head(target) == HEAD
    head.with_name("run-copy.json").unlink()
    assert read_head(target) is None


def test_a_folder_is_cleared_from_the_blocks_to_the_head(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it is broken off, what is left says what it is of."""
    parts = begun(target)
    parts.save(make_block(0), ROWS_ID)
    parts.assembling.write_text("content")
    removed: list[str] = []
    original = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        removed.append(path.name)
        original(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        parts.clear()
    assert set(removed[:2]) == {"shard-000000000000.blocks", "assembling.h5"}
    assert removed[-2:] == ["run-copy.json", "run.json"]
    parts.close(remove=True)


def test_blocks_without_a_head_are_refused(target: Path) -> None:
    parts = begun(target)
    parts.refuse_without_head()
    parts.save(make_block(0), ROWS_ID)
    with pytest.raises(ResultsError, match=r"holds finished blocks, but run\.json and run-copy\.json, .* move the"):
        parts.refuse_without_head()
    parts.close(remove=True)


def signed(text: str) -> str:
    return json.dumps({"checksum": text_checksum(text), "head": text})


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

    again = Parts(target).acquire()
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


def test_damaged_shards_get_a_line_and_those_of_another_run_are_refused(target: Path) -> None:
    parts = begun(target)
    for first in (0, 4096, 8192):
        parts.save(make_block(first), ROWS_ID)
    damaged = parts.shard_path(4096)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (parts.folder / "shard-000000000000.blocks.tmp").write_text("was being written")
    parts.close(remove=False)
    again = Parts(target).acquire()
    lines = again.find(ROWS_ID)
    assert [line.split(":")[0] for line in lines] == [str(damaged)]
    assert "is a damaged shard" in lines[0]
    assert set(again.shards) == {0, 8192}
    again.save(make_block(3 * 4096), "of another run")
    with pytest.raises(ResultsError, match=r"shard-000000012288\.blocks: is a shard of another run; move it away"):
        again.find(ROWS_ID)
    assert again.shard_path(3 * 4096).exists()
    again.shard_path(3 * 4096).unlink()
    again.shard_path(3 * 4096).mkdir()
    with pytest.raises(ResultsError, match=r"shard-000000012288\.blocks: is a folder, and no shard; move it away"):
        again.find(ROWS_ID)
    again.shard_path(3 * 4096).rmdir()
    again.close(remove=True)


def test_a_head_knows_its_shards_without_reading_them(target: Path) -> None:
    """A foreign one is not counted as safe, and a check names it."""
    parts = begun(target, replace(HEAD, rows_id=ROWS_ID))
    for first in (0, 4096):
        parts.save(make_block(first), ROWS_ID)
    parts.close(remove=False)
    found = look_at_unfinished(target)
    assert found is not None
    assert (found.shards, found.replicates) == (2, 8192)
    assert damaged_shards(target, found.head) == []
    write_shard(parts.shard_path(8192), "ab" * 16, [make_block(8192)])
    found = look_at_unfinished(target)
    assert found is not None
    assert (found.shards, found.replicates) == (3, 8192)
    (line,) = damaged_shards(target, found.head)
    assert line.endswith("is a shard of another run")


LINKS = ("assembling.h5", "run.json.tmp", "run-copy.json.tmp", "shard-000000000000.blocks.tmp")


def test_nothing_is_written_through_a_link(target: Path) -> None:
    precious = target.with_name("precious")
    precious.write_text("precious")
    parts = begun(target)
    for name in LINKS:
        (parts.folder / name).symlink_to(precious)
    parts.write_head(HEAD)
    parts.save(make_block(0), ROWS_ID)
    PartialFile(parts.assembling).close()
    parts.close(remove=False)
    (parts.folder / "lock").unlink()
    (parts.folder / "lock").symlink_to(precious)
    with pytest.raises(ResultsError, match=r"lock: cannot be used: Too many levels of symbolic links"):
        Parts(target).acquire()
    assert holder_of(parts.folder / "lock") == ""
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("name", ["run.json", "lock", "shard-000000000000.blocks"])
def test_a_pipe_makes_nobody_wait(target: Path, name: str) -> None:
    parts = begun(target)
    parts.save(make_block(0), ROWS_ID)
    parts.close(remove=False)
    (parts.folder / "run-copy.json").unlink()
    (parts.folder / name).unlink()
    os.mkfifo(parts.folder / name)
    if name == "run.json":
        with pytest.raises(ResultsError, match=r"run\.json: is damaged \(not a plain file\)"):
            read_head(target)
    elif name == "lock":
        assert look_at_unfinished(target) is not None
        with pytest.raises(ResultsError, match="cannot be used: not a plain file"):
            Parts(target).acquire()
    else:
        again = Parts(target).acquire()
        (line,) = again.find(ROWS_ID)
        assert line.endswith("is a damaged shard (not a plain file)")
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
    again = Parts(target).acquire()
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
    parts = Parts(target).acquire()
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
    again = Parts(target).acquire()
    assert again.left_by == ""  # it was released, not left
    again.close(remove=True)
    again.close(remove=True)
    assert not parts.folder.exists()


def test_closing_never_leaves_an_empty_folder(target: Path) -> None:
    parts = Parts(target).acquire()
    parts.close(remove=False)
    assert not parts.folder.exists()


def test_who_does_not_hold_the_folder_removes_nothing(target: Path) -> None:
    first = begun(target)
    first.close(remove=True)
    second = begun(target)
    first.close(remove=True)
    Parts(target).close(remove=True)
    assert second.read_head() == HEAD
    assert writer_of(target)
    second.close(remove=True)


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
    with pytest.raises(ResultsError, match=r"x\.h5\.parts: is in the way of the folder .*; move it away$"):
        Parts(target).acquire()
    assert {path.name: path.lstat().st_mtime_ns for path in target.parent.rglob("*")} == before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"x\.h5\.parts: cannot be used: No such file or directory$"):
        Parts(tmp_path / "nowhere" / "x.h5").acquire()


def test_a_second_writer_of_this_process_is_refused(target: Path) -> None:
    parts = begun(target)
    with pytest.raises(ResultsError, match=rf"another process writes it \(process {os.getpid()} on "):
        Parts(target).acquire()
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


def test_a_run_without_room_is_refused_as_often_as_it_asks(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second block may be on its way to the disk when the first one is refused; neither leaves anything there."""
    parts = begun(target)
    committed: list[int] = []
    writer: Any = SimpleNamespace(replicates=10_000, rows=0, commit=lambda each: committed.append(each.first_row))
    recorder = Recorder(writer, ROWS_ID, parts, check_room=True)
    monkeypatch.setattr("simcore.store.target.free_bytes", lambda _: 1)
    for first in (0, 4096):
        with pytest.raises(ResultsError, match=r"x\.h5: needs about .* 1 B are free"):
            recorder.commit(make_block(first))
    assert (parts.safe, parts.shard_paths(), committed) == ({}, [], [])
    monkeypatch.setattr("simcore.store.target.free_bytes", lambda _: 2**40)
    recorder.commit(make_block(0))
    monkeypatch.setattr("simcore.store.target.free_bytes", lambda _: 1)
    recorder.commit(make_block(4096))
    assert committed == [0, 4096]
    parts.close(remove=True)
