"""Progress where there is no terminal: a line now and then, none of a short run."""

from __future__ import annotations

import pytest

from simcore.cli import progress as module
from simcore.cli.progress import LINE_SECONDS, ProgressBar
from simcore.runner import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def told(capsys: pytest.CaptureFixture[str], bar: ProgressBar, *states: Progress) -> list[str]:
    for state in states:
        bar.update(state)
    return capsys.readouterr().err.splitlines()


def test_a_line_a_minute(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar(10_000) as bar:
        clock[0] += 500.0  # compiling
        assert told(capsys, bar, Progress(4_000, 10_000, 0, 500.0, replicates_stored=3_000)) == []
        clock[0] += LINE_SECONDS - 0.1
        assert told(capsys, bar, Progress(5_000, 10_000, 0, 560.0, replicates_stored=3_000)) == []
        clock[0] += 0.1
        assert told(capsys, bar, *[Progress(7_000, 10_000, 0, 560.1, replicates_stored=3_000)] * 3) == [
            "7,000 of 10,000 replicates (70.0 %), 50/s, 1 min 0 s left"  # 3,000 in this minute
        ]
        clock[0] += LINE_SECONDS
        state = Progress(7_000, 10_000, 0, 620.1, "arrived.mean: 3 %", 3_000)
        assert told(capsys, bar, state) == ["7,000 of 10,000 replicates (70.0 %); arrived.mean: 3 %"]


def test_silence_if_wanted_and_while_nothing_is_computed(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    quiet, checking = ProgressBar(10, wanted=False), ProgressBar(10)
    for seconds in (0.0, 100.0, 200.0):
        clock[0] += seconds
        assert told(capsys, quiet, Progress(5, 10, 0, seconds)) == []
        assert told(capsys, checking, Progress(0, 10, 0, seconds, "checking what is there")) == []
