"""Ctrl-C before every line to which the calling thread comes, wherever it is just then.

Handlers of signals run between any two steps of a program: also when a folder is made and nobody knows yet that it is
to be removed, or a file is open and has no name yet. Whatever the moment: nothing is left, or something that goes on to
the undisturbed result; what was safe is safe; and the lock is free, for the next call in this very process too.

At one line in twenty the folder of an empty run, its lock taken, stayed behind when this was written.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import simcore
from simcore.cli.interruption import Interruption, StoppedAtOnce
from simcore.runner import RunInterrupted
from simcore.store.parts import ASSEMBLING_NAME, parts_path, writer_of
from tests.faults.cases import FINISHED
from tests.faults.recovery import Stage, Stages, assert_undisturbed, go_on, shards
from tests.faults.reporting import Tally

Line = tuple[str, int]
PACKAGE = str(Path(simcore.__file__).parent) + os.sep
ROOMS = ("runner", "store")
MAKERS = ("runner/run.py", "runner/unfinished.py", "store/lock.py", "store/parts.py", "store/recorder.py")
"""Where what must be removed is made, or changes hands."""


@contextlib.contextmanager
def watching(reached: Callable[[Line], object]) -> Iterator[None]:
    """Call back before every line of the runner and the store that this thread comes to."""

    def lines(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            reached((Path(frame.f_code.co_filename.removeprefix(PACKAGE)).as_posix(), frame.f_lineno))
        return lines

    def calls(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        inside = name.startswith(PACKAGE) and name.removeprefix(PACKAGE).split(os.sep)[0] in ROOMS
        return lines if inside else None

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        yield
    finally:
        sys.settrace(before)


def act(stage: Stage, target: Path, interruption: Interruption) -> None:
    """Do what the case is about, as the command line does it."""
    options = {**stage.case.action.options, "progress": lambda _: interruption.checkpoint()}
    replace(stage.case.action, options=options)(target).close()


def lines_of(stage: Stage) -> list[Line]:
    """Lines to which the calling thread comes when nothing strikes, in the order of the first time."""
    seen: dict[Line, None] = {}
    with Interruption() as interruption, watching(lambda line: seen.setdefault(line)):
        act(stage, stage.fresh(), interruption)
    return list(seen)


def strike(stage: Stage, line: Line, kind: str, tally: Tally) -> bool:
    """Send the signal when a line is first come to, check what is left, and go on; returns whether it was come to."""
    target = stage.fresh()
    safe = shards(target)
    struck = False
    with Interruption() as interruption:
        if kind == "interrupt":  # as in a script of one's own
            signal.signal(signal.SIGINT, signal.default_int_handler)

        def reached(here: Line) -> None:
            nonlocal struck
            if here == line and not struck:
                struck = True
                interruption.signals = int(kind == "interrupt twice")  # the first one came, and nobody has asked yet
                signal.raise_signal(signal.SIGINT)

        held = False
        try:
            with watching(reached):
                act(stage, target, interruption)
        except RunInterrupted as stopped:
            if stopped.results is not None:
                held = stopped.results.status == "interrupted"
                stopped.results.close()
        except (KeyboardInterrupt, StoppedAtOnce):
            pass
    if not struck:
        return False
    assert writer_of(target) == "", line
    folder = parts_path(target)
    if folder.exists():
        assert shards(target) > safe or shards(target) == safe != set(), (line, sorted(os.listdir(folder)))
        assert not (folder / ASSEMBLING_NAME).exists(), line
    else:
        assert target.exists() or not safe, line
    if held:
        simcore.resume(target, threads=2).close()
        assert_undisturbed(stage, target)
    else:
        go_on(stage, target)
    tally.add(f"{kind}, at a line", "recovered")
    return True


@pytest.mark.parametrize(("case", "kind", "every"), [("run", "interrupt twice", 5), ("extend", "interrupt", 15)])
def test_a_signal_where_something_is_made(case: str, kind: str, every: int, stages: Stages, tally: Tally) -> None:
    stage = stages(case)
    lines = [line for line in lines_of(stage) if line[0] in MAKERS]
    assert {name for name, _ in lines} >= set(MAKERS) - {"runner/unfinished.py"}
    assert all(strike(stage, line, kind, tally) for line in lines[::every])


def test_a_signal_where_nothing_is_left_to_do(tmp_path: Path, tally: Tally) -> None:
    stage = Stage(FINISHED, tmp_path)
    lines = [line for line in lines_of(stage) if line[0] in MAKERS]
    own = [line for line in lines if line[0] == "runner/unfinished.py"]
    assert len(own) > 20
    assert all(strike(stage, line, "interrupt", tally) for line in [*own, *lines[::8]])


@pytest.mark.long
@pytest.mark.parametrize("case", ["run", "resume", "extend"])
@pytest.mark.parametrize(("kind", "begin"), [("interrupt", 0), ("interrupt twice", 1)])
def test_a_signal_at_any_line(case: str, kind: str, begin: int, stages: Stages, tally: Tally) -> None:
    stage = stages(case)
    lines = lines_of(stage)
    assert len(lines) > 800
    reached = [strike(stage, line, kind, tally) for line in lines[begin::2]]
    assert reached.count(False) <= 5  # some depend on which thread was faster
