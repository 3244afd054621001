"""What is there stays when going on with it fails or is broken off early: heads, shards, and a free lock."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import simcore
from simcore.errors import ResultsError
from simcore.store.lock import Lock
from simcore.store.parts import Parts, parts_path, writer_of
from simcore.store.recorder import Recorder
from tests.conftest import FIXTURES

ROWS = 2 * 4096 + 5
Break = Callable[[pytest.MonkeyPatch], None]


def start(target: Path) -> Any:
    """The run that all tests here are about."""
    return simcore.run(FIXTURES / "tiny.toml", replicates=ROWS, seed=7, output=target, threads=1, store_theta=False)


def begin(target: Path, monkeypatch: pytest.MonkeyPatch, *, blocks: int) -> dict[str, bytes]:
    """Leave an unfinished run with so many blocks, as a kill would; returns its files."""
    commit = Recorder.commit

    def commit_or_die(self: Recorder, block: Any) -> Any:
        if block.first_row >= blocks * 4096:
            raise MemoryError
        return commit(self, block)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "commit", commit_or_die)
        patch.setattr(Parts, "worthless", False)
        with pytest.raises(MemoryError):
            start(target)
    found = files(target)
    assert sorted(found) == sorted(
        ["run.json", "run-copy.json", *(f"shard-{4096 * n:012d}.blocks" for n in range(blocks))]
    )
    return found


def files(target: Path) -> dict[str, bytes]:
    """What is in the folder of the unfinished run, but for the lock."""
    return {path.name: path.read_bytes() for path in parts_path(target).iterdir() if path.name != "lock"}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "x.h5"


# `run` where blocks lie of which nobody knows the run -----------------------------------------------------------------


def interrupt_the_lock(patch: pytest.MonkeyPatch) -> None:
    acquire = Lock.acquire

    def acquire_and_signal(self: Lock, what: str) -> None:
        acquire(self, what)
        signal.raise_signal(signal.SIGINT)  # held back until the folder knows that it is locked

    patch.setattr(Lock, "acquire", acquire_and_signal)


def interrupt_the_first_look(patch: pytest.MonkeyPatch) -> None:
    def broken_off(self: Parts) -> None:
        raise KeyboardInterrupt

    patch.setattr(Parts, "read_head", broken_off)


@pytest.mark.parametrize("breaking", [interrupt_the_lock, interrupt_the_first_look])
def test_a_run_that_is_broken_off_at_once_keeps_what_is_somebodys(
    target: Path, monkeypatch: pytest.MonkeyPatch, breaking: Break
) -> None:
    begin(target, monkeypatch, blocks=2)
    for name in ("run.json", "run-copy.json"):
        (parts_path(target) / name).unlink()
    before = files(target)
    assert len(before) == 2
    with monkeypatch.context() as patch:
        breaking(patch)
        with pytest.raises(KeyboardInterrupt):
            start(target)
    assert files(target) == before
    assert writer_of(target) == ""
    with pytest.raises(ResultsError, match="move the folder away"):
        start(target)
    assert files(target) == before


# `resume` that cannot begin -------------------------------------------------------------------------------------------


def no_room_for_the_head(patch: pytest.MonkeyPatch) -> None:
    def full(self: Parts, head: Any) -> None:
        raise ResultsError("no space left")

    patch.setattr(Parts, "write_head", full)


def interrupted_when_the_file_is_made(patch: pytest.MonkeyPatch) -> None:
    def broken_off(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    patch.setattr(sys.modules["simcore.runner.run"], "Writer", broken_off)


def interrupted_when_the_first_block_is_computed(patch: pytest.MonkeyPatch) -> None:
    def broken_off(self: Recorder, block: Any) -> None:
        raise KeyboardInterrupt

    patch.setattr(Recorder, "commit", broken_off)


@pytest.mark.parametrize("breaking", [no_room_for_the_head, interrupted_when_the_file_is_made])
def test_a_resume_that_cannot_begin_keeps_a_head_without_blocks(
    target: Path, monkeypatch: pytest.MonkeyPatch, breaking: Break
) -> None:
    before = begin(target, monkeypatch, blocks=0)
    with monkeypatch.context() as patch:
        breaking(patch)
        with pytest.raises((ResultsError, KeyboardInterrupt)):
            simcore.resume(target)
    assert files(target).keys() == before.keys()
    assert writer_of(target) == ""
    with simcore.resume(target) as results:
        assert results.replicates == ROWS


@pytest.mark.parametrize(
    "breaking",
    [no_room_for_the_head, interrupted_when_the_file_is_made, interrupted_when_the_first_block_is_computed],
)
def test_a_repair_that_does_not_come_to_its_first_block_keeps_shards_that_the_disk_did_not_give(
    target: Path, monkeypatch: pytest.MonkeyPatch, breaking: Break
) -> None:
    before = begin(target, monkeypatch, blocks=2)

    def unreadable(path: Path, rows_id: str) -> None:
        raise ResultsError(f"{path}: cannot be read: Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("simcore.store.parts.read_shard_entries", unreadable)
        breaking(patch)
        with pytest.raises((ResultsError, KeyboardInterrupt)):
            simcore.resume(target, repair=True)
    after = files(target)
    assert {name: after[name] for name in before if name.startswith("shard")} == {
        name: content for name, content in before.items() if name.startswith("shard")
    }
    assert writer_of(target) == ""
    with simcore.resume(target) as results:
        assert results.replicates == ROWS


# The end --------------------------------------------------------------------------------------------------------------


def test_an_interrupt_while_a_failure_is_reported_leaves_blocks_only(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, safe_rows = Recorder.commit, Recorder.safe_rows.fget
    assert safe_rows is not None
    failed = False

    def commit_or_fail(self: Recorder, block: Any) -> Any:
        nonlocal failed
        if block.first_row:
            failed = True
            raise ResultsError("no space left")
        return commit(self, block)

    def broken_off(self: Recorder) -> int:
        if failed:
            raise KeyboardInterrupt
        return int(safe_rows(self))

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "commit", commit_or_fail)
        patch.setattr(Recorder, "safe_rows", property(broken_off))
        with pytest.raises(KeyboardInterrupt):
            start(target)
    assert sorted(files(target)) == ["run-copy.json", "run.json", "shard-000000000000.blocks"]
    assert writer_of(target) == ""


def test_a_lock_that_cannot_be_written_leaves_no_folder(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("simcore.store.lock.os.pwrite", full)
        with pytest.raises(ResultsError, match="cannot be used: No space left on device"):
            Parts(target).acquire()
    assert list(target.parent.iterdir()) == []


def test_who_comes_while_another_leaves_tries_again(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is there when it is to be made, and gone when it is looked at again."""
    make, calls = os.mkdir, 0

    def another_is_leaving(path: Any, *mode: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            make(path, *mode)
            return
        make(path)
        try:
            make(path, *mode)
        finally:
            os.rmdir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", another_is_leaving)
        parts = Parts(target).acquire()
    assert calls == 2
    assert writer_of(target)
    parts.close(remove=True)
    assert list(target.parent.iterdir()) == []
