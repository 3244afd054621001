"""Two processes on one output, locks that a dead process left, and things that happen to the folder meanwhile."""

from __future__ import annotations

import datetime
import errno
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import simcore
from simcore.errors import ResultsError
from simcore.store import lock as lock_room
from simcore.store.lock import LOCK_NAME, Lock
from simcore.store.parts import parts_path
from tests.faults.child import Answer, in_child
from tests.faults.confined import Confinement
from tests.faults.recovery import (
    Stage,
    Stages,
    assert_info_has_words,
    assert_refused,
    assert_undisturbed,
    content,
    differences,
    go_on,
    shards,
)
from tests.faults.reporting import Tally
from tests.faults.test_full_disk import assert_one_line, words

NOBODY = 2**22 + 7  # above every process number that Linux gives out


# Two at once ----------------------------------------------------------------------------------------------------------


class Paused:
    """A process that stopped in the midst of its work.

    Attributes
    ----------
    pid : int
    target : Path
    answer : Answer
        What came of it, after the context.
    """

    pid = 0
    target: Path
    answer: Answer


@contextmanager
def paused(server: Confinement, stage: Stage, case: str, event: str) -> Iterator[Paused]:
    """Start the command line of a case, let it stop before the last event of a name, and go on after the body."""
    events = stage.events(server)
    point = [number for number, name in enumerate(events) if name == event][-1]
    other = Paused()
    other.target = target = stage.fresh()

    def work() -> None:
        other.answer = in_child(server, words(case, target), target, ("pause", point))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        other.pid = _stopped(parts_path(target) / LOCK_NAME)
        yield other
    finally:
        if other.pid:
            os.kill(other.pid, signal.SIGCONT)
        thread.join()


def _stopped(lock: Path) -> int:
    """Wait until the holder of a lock has stopped, and return its number."""
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        try:
            number = int(json.loads(lock.read_text())["pid"])
            if Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                return number
        except (OSError, ValueError):
            pass
        time.sleep(0.01)
    raise AssertionError("the other process never stopped")


@pytest.mark.parametrize(("first", "others"), [("run", ("run", "resume")), ("extend", ("extend", "resume"))])
def test_the_second_process_is_refused_and_the_first_ends_undisturbed(
    first: str, others: tuple[str, ...], server: Confinement, stages: Stages, tally: Tally
) -> None:
    stage = stages(first)
    with paused(server, stage, first, "rename new shard") as other:
        target = other.target
        left = {path: path.stat().st_mtime_ns for path in parts_path(target).iterdir()}
        for second in others:
            assert_refused(words(second, target), "another process writes it", f"process {other.pid} ")
            tally.add("second process on one file", "detected")
        assert {path: path.stat().st_mtime_ns for path in parts_path(target).iterdir()} == left
        if stage.old is not None:
            assert differences(content(target), stage.old) == []
    assert other.answer.ended.code == 0, other.answer
    assert_undisturbed(stage, target)


def test_a_target_that_appears_meanwhile_is_not_overwritten(server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages("run")
    with paused(server, stage, "run", "rename new shard") as other:
        target = other.target
        target.write_text("somebody else's")
    assert_one_line(other.answer, 2, "appeared during the run and is not overwritten")
    assert target.read_text() == "somebody else's"
    assert shards(target) == stage.blocks
    target.unlink()
    go_on(stage, target)
    tally.add("target that appears meanwhile", "detected", "recovered")


@pytest.mark.parametrize("event", ["create new shard", "rename new shard", "fsync assembling"])
def test_a_folder_that_is_removed_meanwhile(event: str, server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages("run")
    with paused(server, stage, "run", event) as other:
        target = other.target
        shutil.rmtree(parts_path(target))
    assert_one_line(other.answer, 2, str(target))
    assert list(target.parent.iterdir()) == []
    go_on(stage, target)
    tally.add("folder removed meanwhile", "detected", "recovered")


# Locks that were left -------------------------------------------------------------------------------------------------

HOLDERS: dict[str, bytes] = {
    "dead process": json.dumps({"pid": NOBODY, "host": socket.gethostname(), "began": "x 1", "since": "then"}).encode(),
    "number of another process": json.dumps(
        {"pid": os.getppid(), "host": socket.gethostname(), "began": "another start", "since": "then"}
    ).encode(),
    "another host": json.dumps({"pid": 1, "host": "elsewhere", "began": "x 1", "since": "then"}).encode(),
    "garbage": b"\xff\x00{not json",
    "empty": b"",
    "a list": b"[1, 2]",
    "no number": b'{"pid": "x", "host": 5, "since": null}',
    "a huge number": b'{"pid": 1' + b"0" * 3000 + b"}",
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_lock_that_nobody_holds_locks_nobody_out(holder: str, tmp_path: Path, tally: Tally) -> None:
    """The kernel's lock decides where there is one, whatever the text says."""
    path = tmp_path / "lock"
    path.write_bytes(HOLDERS[holder])
    lock = Lock(path)
    lock.acquire("x.h5")
    with pytest.raises(ResultsError, match=f"another process writes it .process {os.getpid()} on "):
        Lock(path).acquire("x.h5")
    lock.release()
    assert not path.exists()
    tally.add("stale lock", "recovered")


@pytest.mark.parametrize("holder", ["dead process", "number of another process", "garbage"])
def test_a_run_whose_lock_was_left_is_resumed(holder: str, stages: Stages, tally: Tally) -> None:
    stage = stages("resume")
    target = stage.fresh()
    (parts_path(target) / LOCK_NAME).write_bytes(HOLDERS[holder])
    go_on(stage, target)
    tally.add("stale lock", "recovered")


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that knows no locks."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    assert lock_room.fcntl is not None
    monkeypatch.setattr(lock_room.fcntl, "flock", refuse)


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.usefixtures("no_locks")
def test_without_locks_the_text_decides(holder: str, tmp_path: Path, tally: Tally) -> None:
    path = tmp_path / "lock"
    path.write_bytes(HOLDERS[holder])
    lock = Lock(path)
    if holder == "another host":
        with pytest.raises(ResultsError, match=r"x\.h5: another process writes it \(process 1 on elsewhere"):
            lock.acquire("x.h5")
        tally.add("stale lock without flock", "detected")
        return
    lock.acquire("x.h5")
    with pytest.raises(ResultsError, match=f"another process writes it .process {os.getpid()} on "):
        Lock(path).acquire("x.h5")
    lock.release()
    assert not path.exists()
    tally.add("stale lock without flock", "recovered")


@pytest.mark.usefixtures("no_locks")
def test_a_run_without_locks_is_like_any_other(stages: Stages, tally: Tally) -> None:
    stage = stages("resume")
    go_on(stage, stage.fresh())
    tally.add("file system without locks", "recovered")


def test_the_lock_says_who_left_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_bytes(HOLDERS["dead process"])
    lock = Lock(path)
    lock.acquire("x.h5")
    assert f"process {NOBODY} on " in lock.left_by
    lock.release(remove=False)
    assert path.read_bytes() == b""


# Clocks ---------------------------------------------------------------------------------------------------------------


class Backwards:
    """A clock of the wall that goes back by an hour whenever it is asked."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def now(self, zone: Any = None) -> Any:
        self.asked += 1
        return self.real.now(zone) - datetime.timedelta(hours=self.asked)


def test_a_clock_that_goes_backwards(stages: Stages, monkeypatch: pytest.MonkeyPatch, tally: Tally) -> None:
    struck = [stages(name) for name in ("run", "resume", "extend")]
    clock, real = Backwards(datetime.datetime), time.time
    monkeypatch.setattr(datetime, "datetime", clock)
    monkeypatch.setattr(time, "time", lambda: real() - 3600.0 * clock.asked)
    for stage in struck:
        target = stage.fresh()
        before = clock.asked
        stage.case.action(target).close()
        assert clock.asked > before
        assert_undisturbed(stage, target)
        with simcore.open_results(target) as results:
            facts = results.attributes
            assert facts["finished_utc"] < facts["started_utc"]
            for name in ("wall_seconds", "seconds_parameters", "seconds_replicates"):
                assert facts[name] >= 0.0
            assert (results.ledger()["seconds"] >= 0.0).all()
        assert_info_has_words(target)
        tally.add("clock that goes backwards", "without effect")
