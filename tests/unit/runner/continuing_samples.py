"""A run that takes a moment, and the ways in which it can end too early."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import simcore
from simcore.errors import UserError
from simcore.runner import Progress, RunInterrupted
from simcore.runner.blocks import BLOCK_ROWS
from simcore.scenario import Scenario
from simcore.store import open_results
from simcore.store.recorder import Recorder
from simcore.store.target import parts_path
from tests.conftest import FIXTURES, load, one_cell
from tests.faults.recovery import content, differences

LONG = 3 * BLOCK_ROWS + 77
Whole = Callable[..., dict[str, Any]]
BORDER = (
    one_cell(9),
    'parameters.interception.distribution={family="uniform", min=0.2, max=0.6}',
    'parameters.event_hazard.distribution={family="lognormal", q05=0.5, q95=2}',
    'parameters.at_risk_share.distribution={family="uniform", min=0.2, max=0.9}',
)


def border() -> Scenario:
    """One border, nine persons, three parameters that vary; each takes part in the counts."""
    return load(FIXTURES / "single_border.toml", *BORDER)


class Killed(BaseException):
    """Ends a run as SIGKILL would, but for the lock that this process gives back."""


def killed(target: Path, scenario: Scenario, *, after: int = 1, **options: Any) -> Path:
    """Begin a run and end it when ``after`` of its blocks are safe; only the folder is left."""
    commits: list[int] = []
    original = Recorder.commit

    def commit(self: Recorder, block: Any) -> Any:
        if len(commits) == after:
            raise Killed
        commits.append(block.first_row)
        return original(self, block)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "commit", commit)
        with pytest.raises(Killed):
            simcore.run(scenario, output=target, **{"threads": 1, **options})
    assert len(commits) == after
    assert not target.exists()
    assert parts_path(target).is_dir() is (after > 0)
    return target


def photographed(target: Path, scenario: Scenario, **options: Any) -> Path:
    """Return a target beside which lies the folder of a run as it was in the midst of it, the lock's text included."""
    copy, original = target.with_name("copy.h5"), Recorder.commit

    def commit(self: Recorder, block: Any) -> Any:
        committed = original(self, block)
        if not parts_path(copy).exists():  # in the only thread that writes there
            shutil.copytree(parts_path(target), parts_path(copy))
        return committed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "commit", commit)
        simcore.run(scenario, output=target, threads=1, **options).close()
    assert (parts_path(copy) / "assembling.h5").exists()
    assert (parts_path(copy) / "lock").read_bytes()
    target.unlink()
    return copy


class Interrupter:
    """A progress callback that raises KeyboardInterrupt at the calls named; what only checks is not counted."""

    def __init__(self, *calls: int) -> None:
        self.calls = calls
        self.count = 0

    def __call__(self, state: Progress) -> None:
        if state.replicates_done == 0:
            return
        self.count += 1
        if self.count in self.calls:
            raise KeyboardInterrupt


def interrupted(target: Path, scenario: Scenario, **options: Any) -> Path:
    """Begin a run and interrupt it in its first block: a file of one block is left."""
    with pytest.raises(RunInterrupted) as caught:
        simcore.run(scenario, output=target, **{"threads": 1, "progress": Interrupter(1), **options})
    assert caught.value.results is not None
    with caught.value.results as results:
        assert results.status == "interrupted"
    assert not parts_path(target).exists()
    return target


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_same(target: Path, wanted: dict[str, Any]) -> None:
    """Check that a file is that of the uninterrupted run, checksums included, and alone."""
    assert differences(content(target), wanted) == []
    assert not parts_path(target).exists()


def history(target: Path) -> list[str]:
    with open_results(target) as results:
        return [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", "", line) for line in results.attributes["history"]]


def assert_refused(go_on: Callable[[], Any], message: str, folder: Path) -> None:
    """Check that something is refused in one line, and that nothing changes on the disk."""
    before = snapshot(folder)
    with pytest.raises(UserError) as caught:
        go_on()
    assert "\n" not in str(caught.value)
    assert message in str(caught.value)
    assert snapshot(folder) == before
