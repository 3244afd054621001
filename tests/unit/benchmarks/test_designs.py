"""The measurement of designs, over few sets: errors, gains, table and figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import designs, program
from benchmarks.figure import draw
from benchmarks.report import sections
from simcore.cli.terminal import show


def test_errors_and_gains_are_those_of_the_squares() -> None:
    squares = {
        "random": np.full((5, 2, 1), 16.0) * np.array([2.0, 1.0])[None, :, None],
        "sobol": np.full((5, 2, 1), 4.0),
        "lhs": np.full((5, 2, 1), 1.0),
    }
    assert designs._gain(squares, "sobol", 0) == pytest.approx(2.0)
    assert designs._gain_interval(squares, "lhs", 0, 1) == pytest.approx((4.0, 4.0))
    line = designs._line("random", "arrivals", [4, 8], squares["random"][:, :, 0])
    assert line["rmse"] == pytest.approx([32.0**0.5, 4.0])
    assert line["slope"] == pytest.approx(-0.5)
    assert line["rmse_error"] == pytest.approx([0.0, 0.0])


def test_designs_are_measured_and_shown(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(designs, "QUICK_POWERS", (3, 4))
    monkeypatch.setattr(designs, "REFERENCE_RANDOMISATIONS", 3)
    plan = program.Plan(("designs",), 1, seed, True, tmp_path)
    report = program.run(plan, say=lambda _: None, show=lambda *_: None)
    result = report["designs"]
    assert result is not None
    assert {(line["design"], line["output"]) for line in result["lines"]} == {
        (design, output) for design in ("random", "sobol", "lhs") for output in designs.OUTPUTS
    }
    assert all(line["sets"] == [8, 16] and min(line["rmse"]) > 0.0 for line in result["lines"])
    for output in designs.OUTPUTS:
        low, high = result["gain_interval"][output]["sobol"]
        assert 0.0 < low < high
    for title, rendered in sections("designs", report):
        show(title, rendered)
    assert "designs: error of a mean" in capsys.readouterr().out
    assert [path.name for path in draw(report, tmp_path / "report.json")] == ["report_designs.png"]
