"""The lock: one holder at a time, who is named; a dead one is recognised, also where the system knows no locks."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import ResultsError
from simcore.store import lock as module
from simcore.store.lock import Lock, holder_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def dead() -> int:
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def holder(**changes: Any) -> dict[str, Any]:
    return {**module._this_process(), **changes}


def write(path: Path, content: object) -> None:
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def take(path: Path) -> Lock:
    lock = Lock(path)
    lock.acquire("x.h5")
    return lock


def test_taking_and_giving_back(path: Path) -> None:
    lock = Lock(path)
    lock.release()  # nothing to do
    assert holder_of(path) == ""
    lock.acquire("x.h5")
    assert lock.left_by == ""
    assert json.loads(path.read_text()) == holder(since=json.loads(path.read_text())["since"])
    assert holder_of(path).startswith(f"process {os.getpid()} on {socket.gethostname()} since 2")
    lock.release()
    assert not path.exists()
    lock.release()
    lock.acquire("x.h5")
    lock.release(remove=False)
    assert path.read_bytes() == b""
    assert holder_of(path) == ""
    take(path).release()


@pytest.mark.parametrize("kernel", [True, False], ids=["flock", "text"])
def test_a_second_holder_is_refused_and_named(path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool) -> None:
    if not kernel:
        monkeypatch.setattr(module, "fcntl", None)
    first = take(path)
    text = path.read_bytes()
    for _ in range(3):
        with pytest.raises(ResultsError, match=rf"^x\.h5: another process writes it \(process {os.getpid()} on "):
            take(path)
        assert path.read_bytes() == text
    first.release()
    take(path).release()


def test_a_refusal_before_the_holder_wrote_its_name(path: Path) -> None:
    first = take(path)
    path.write_bytes(b"")
    with pytest.raises(ResultsError, match=r"another process writes it \(just begun\); wait for its end"):
        take(path)
    first.release()


@pytest.mark.parametrize("kernel", [True, False], ids=["flock", "text"])
def test_what_a_dead_process_left_locks_nobody_out(
    path: Path, monkeypatch: pytest.MonkeyPatch, dead: int, kernel: bool
) -> None:
    if not kernel:
        monkeypatch.setattr(module, "fcntl", None)
    write(path, holder(pid=dead, since="2026-01-01T00:00:00Z"))
    assert holder_of(path) == ""
    lock = take(path)
    assert lock.left_by == f"process {dead} on {socket.gethostname()} since 2026-01-01T00:00:00Z"
    assert json.loads(path.read_text())["pid"] == os.getpid()
    lock.release()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"pid": "7"}', "\x00" * 50, "x" * 10_000, '{"pid": -1}'])
@pytest.mark.parametrize("kernel", [True, False], ids=["flock", "text"])
def test_a_text_of_nobody_locks_nobody_out(
    path: Path, monkeypatch: pytest.MonkeyPatch, content: str, kernel: bool
) -> None:
    if not kernel:
        monkeypatch.setattr(module, "fcntl", None)
    write(path, content)
    assert holder_of(path) == ""
    take(path).release()


# Without locks of the system ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["no module", "no support"])
def test_without_locks_of_the_system_the_text_decides(
    path: Path, monkeypatch: pytest.MonkeyPatch, dead: int, how: str
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if how == "no module":
        monkeypatch.setattr(module, "fcntl", None)
    else:
        monkeypatch.setattr(module.fcntl, "flock", refuse)
    cases = [
        (holder(), True),
        (holder(pid=dead), False),
        (holder(began="another boot 1"), False),  # the number is another process's by now
        (holder(host="another-machine", pid=dead), True),  # nobody here can know
        (holder(pid=1, began=module._began(1)), True),  # somebody else's process
    ]
    for content, alive in cases:
        write(path, content)
        assert bool(holder_of(path)) is alive, content
        if alive:
            with pytest.raises(ResultsError, match=r"another process writes it"):
                take(path)
            assert json.loads(path.read_text()) == content
        else:
            take(path).release()


def test_with_locks_of_the_system_a_living_name_in_the_text_is_not_believed(path: Path) -> None:
    """Whoever wrote it holds no lock, so it was not this lock's holder any more."""
    write(path, holder(host="another-machine"))
    take(path).release()


def test_a_name_in_the_text_is_shown_plain_and_short(path: Path) -> None:
    write(path, holder(host="evil\n\x1b[31m" + "h" * 500, since="s" * 500))
    shown = holder_of(path)
    assert len(shown) < 200
    assert shown.isprintable()
    assert shown.isascii()


# Races ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("then", ["gone", "made anew"])
def test_a_file_removed_between_opening_and_locking_is_not_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """The holder of a file that no path leads to would hold it alone with the holder of the new one."""
    lock, taken, original = Lock(path), [], Lock._take

    def take_too_late(self: Lock, descriptor: int, what: str) -> None:
        taken.append(os.fstat(descriptor).st_ino)
        if len(taken) == 1:
            path.rename(path.with_name("old"))
            if then == "made anew":
                path.write_text("")
        original(self, descriptor, what)

    monkeypatch.setattr(Lock, "_take", take_too_late)
    lock.acquire("x.h5")
    assert len(taken) == 2
    assert path.stat().st_ino == taken[1] != taken[0]
    monkeypatch.undo()
    with pytest.raises(ResultsError, match="another process writes it"):
        take(path)
    lock.release()


def test_a_folder_that_went_away_is_the_callers_to_make(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        take(tmp_path / "nowhere" / "lock")


def test_refusals_leave_no_descriptor_open(path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    first = take(path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(ResultsError):
            take(path)
        holder_of(path)
    assert len(os.listdir("/proc/self/fd")) == before
    first.release()
    assert len(os.listdir("/proc/self/fd")) == before - 1
