"""A disk that is full: one line, exit code 1, nothing lost that was safe, and with room again the run goes on.

Three ways to have no room: every call from the k-th on fails (each k is a place in the program), a limit on the size of
files, and a small file system.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simcore.runner.blocks import BLOCK_ROWS
from simcore.store.parts import parts_path
from tests.conftest import SEED
from tests.faults.cases import ROWS
from tests.faults.child import Answer, in_child
from tests.faults.confined import Confinement
from tests.faults.recovery import SMALL, Stage, Stages, assert_undisturbed, content, differences, go_on, shards
from tests.faults.reporting import Tally

RUN = ["run", SMALL[0], "--set", SMALL[1][0], "-n", str(ROWS), "--seed", str(SEED), "-j", "2", "--store-theta", "none"]


def words(case: str, target: Path) -> list[str]:
    """The command line of a case."""
    if case == "run":
        return [*RUN, "-o", str(target)]
    return [case, str(target), "-j", "2", *(["-n", str(ROWS)] if case == "extend" else [])]


def assert_one_line(answer: Answer, code: int, *parts: str) -> str:
    """The command line ended with that code and one plain line."""
    errors = answer.ended.errors.decode()
    assert answer.ended.code == code, errors
    assert "Traceback" not in errors
    (line,) = [line for line in errors.splitlines() if line.startswith(("error:", "unexpected error:"))]
    assert line.startswith("error:")
    assert all(part in line for part in parts), line
    return line


def fill(
    server: Confinement, stage: Stage, case: str, kind: str, points: list[int], reason: str, tally: Tally
) -> set[int]:
    """Let the disk be full from each of the events on; returns how many blocks were safe then."""
    safe: set[int] = set()
    for point in points:
        target = stage.fresh()
        before = shards(target) | stage.kept
        answer = in_child(server, words(case, target), target, (kind, point))
        if answer.ended.code == 0:  # it struck when all was done
            assert_undisturbed(stage, target)
            tally.add(f"{kind} disk", "without effect")
            continue
        assert_one_line(answer, 1, reason, str(target))
        if stage.kept:
            assert target.exists()
        if not parts_path(target).exists() and not target.exists():
            assert not before
            assert list(target.parent.iterdir()) == []
        assert shards(target) | (stage.kept if target.exists() else set()) >= before
        safe.add(len(go_on(stage, target).safe))
        tally.add(f"{kind} disk", "detected", "recovered")
    return safe


@pytest.mark.parametrize(("kind", "reason"), [("full", "No space left on device"), ("broken", "Input/output error")])
def test_no_room_from_some_call_on(kind: str, reason: str, server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages("run")
    points = [stretch[-1] for stretch in stage.stretches(server)]
    some = points[1::7] if kind == "full" else points[12::12]
    assert fill(server, stage, "run", kind, some, reason, tally) >= ({0, 3} if kind == "full" else {0})


@pytest.mark.long
@pytest.mark.parametrize("case", ["run", "resume", "extend"])
@pytest.mark.parametrize(("kind", "reason"), [("full", "No space left on device"), ("broken", "Input/output error")])
def test_no_room_from_any_call_on(
    kind: str, reason: str, case: str, server: Confinement, stages: Stages, tally: Tally
) -> None:
    stage = stages(case)
    parts = [(stretch[0], stretch[-1]) for stretch in stage.stretches(server)]
    points = sorted({point for pair in parts for point in pair})
    safe = fill(server, stage, case, kind, points, reason, tally)
    assert safe >= ({0, 1, 2, 3} if case == "run" else {1, 2, 3})


@pytest.mark.parametrize("limit", [50_000, 100_000, 250_000])
def test_files_may_not_grow(limit: int, server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages("run")
    target = stage.fresh()
    answer = in_child(server, words("run", target), target, ("file size", limit))
    assert_one_line(answer, 1, "File too large", str(target))
    go_on(stage, target)
    tally.add("file too large", "detected", "recovered")


# A small file system --------------------------------------------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system in memory with the options given, again with others if called again."""
    place = tmp_path / "mounted"
    place.mkdir()
    done: list[str] = []

    def mount(options: str) -> Path:
        again = ["-o", f"remount,{options}"] if done else ["-t", "tmpfs", "-o", options, "tmpfs"]
        called = subprocess.run(["mount", *again, str(place)], capture_output=True, text=True, check=False)
        if called.returncode:
            pytest.skip(f"no file system can be mounted here: {called.stderr.strip()}")
        done.append(options)
        return place

    yield mount
    if done:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_small_file_system(
    server: Confinement, tmp_path: Path, stages: Stages, mounted: Callable[[str], Path], tally: Tally
) -> None:
    """The first block tells how much is needed: too little room is refused before it is used up."""
    stage = stages("run")
    codes = []
    for size in (60, 150, 200, 250, 300, 350, 400):
        target = mounted(f"size={size}k") / "x.h5"
        answer = in_child(server, words("run", target), target)
        codes.append(answer.ended.code)
        if answer.ended.code == 2:
            assert_one_line(answer, 2, "while it runs", "are free")
            tally.add("small file system", "detected")
        else:
            assert_one_line(answer, 1, "No space left on device")
            mounted("size=20m")
            answer = in_child(server, words("resume" if parts_path(target).exists() else "run", target), target)
            assert answer.ended.code == 0, answer
            assert differences(content(target), stage.whole) == []
            tally.add("small file system", "detected", "recovered")
            target.unlink()
        assert list(target.parent.iterdir()) == [], (size, answer, list(parts_path(target).iterdir()))
    assert codes.count(1) >= 2
    assert codes.count(2) >= 2
    assert BLOCK_ROWS < ROWS


def test_a_read_only_file_system(
    server: Confinement, tmp_path: Path, stages: Stages, mounted: Callable[[str], Path], tally: Tally
) -> None:
    for case in ("run", "resume", "extend"):
        stage = stages(case)
        place = mounted("size=20m,rw")
        for path in list(place.iterdir()):
            subprocess.run(["rm", "-r", str(path)], check=True)
        target = place / "x.h5"
        subprocess.run(["cp", "-r", f"{stage.fresh().parent}/.", str(place)], check=True)
        before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
        mounted("ro")
        answer = in_child(server, words(case, target), target)
        assert_one_line(answer, 2, str(target))
        assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
        mounted("rw")
        if case == "run":
            assert in_child(server, words(case, target), target).ended.code == 0
            assert differences(content(target), stage.whole) == []
        else:
            go_on(stage, target)
        tally.add("read-only file system", "detected", "recovered")
