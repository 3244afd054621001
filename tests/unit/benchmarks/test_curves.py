"""Curves over small axes: their shape, tables and figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import curves, program
from benchmarks.figure import draw
from benchmarks.report import sections
from simcore.cli.terminal import show


def test_curves_have_a_point_per_value_and_can_be_shown(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(curves, "REPLICATES", (4,))
    monkeypatch.setattr(curves, "ORIGINS", (1, 2))
    monkeypatch.setattr(curves, "_SETS", 2)
    plan = program.Plan(("replicates", "origins"), 1, seed, True, tmp_path)
    report = program.run(plan, say=lambda _: None, show=lambda *_: None)
    assert [curve["name"] for curve in report["curves"]] == ["replicates", "memory", "origins"]
    places = ([4], [4], [1, 2])
    for curve, axis in zip(report["curves"], places, strict=True):
        for line in curve["lines"]:
            assert [point["x"] for point in line["points"]] == axis
            assert all(0.0 < point["y"]["low"] <= point["y"]["high"] for point in line["points"])
    for name in plan.names:
        for title, rendered in sections(name, report):
            show(title, rendered)
    assert "memory: Peak memory of a stored run of phase1 [MiB]" in capsys.readouterr().out
    pictures = draw(report, tmp_path / "report.json")
    assert [picture.name for picture in pictures] == ["report_curves.png"]
    assert {path.name for path in tmp_path.iterdir()} == {"report_curves.png"}
