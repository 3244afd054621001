"""The verb `bench`: what it says to mistakes, and what it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import program
from benchmarks.correctness import WrongContender
from simcore.cli import main
from tests.unit.benchmarks.conftest import small_case


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "stratum-1e33"], "--case stratum-1e33: no such measurement; did you mean 'stratum-1e3'?"),
        (["--case", "nothing-like-it"], "there are: fixed, varied, large"),
        (["--rounds", "0"], "--rounds 0: must be a whole number from 1 to 1000"),
        (["--seed", "-1"], "--seed -1: must be a whole number from 0"),
        (["-o", "report.txt"], "--output report.txt: must end in .json"),
        (["-o", "absent/x.json"], "--output absent/x.json: the folder 'absent' does not exist"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bench", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert list(tmp_path.iterdir()) == []


def test_output_below_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["bench", "-o", str(tmp_path / "file" / "x.json")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = (small_case(whole_run=0),)
    monkeypatch.setattr("benchmarks.program.measurements", lambda: ("tiny",))
    real = program.run
    monkeypatch.setattr("benchmarks.program.run", lambda plan, **rest: real(plan, cases=cases, **rest))


def test_report_and_figure_are_left_and_tables_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _tiny(monkeypatch)
    output = tmp_path / "new" / "numbers.json"
    output.parent.mkdir()
    assert main(["bench", "--quick", "--rounds", "1", "--case", "tiny", "-o", str(output)]) == 0
    report = json.loads(output.read_text())
    assert [case["name"] for case in report["cases"]] == ["tiny"]
    assert report["settings"]["rounds"] == 1
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    captured = capsys.readouterr()
    assert "agent faster by" in captured.out
    assert "measuring tiny" in captured.err
    assert {path.name for path in output.parent.iterdir()} == {"numbers.json", "numbers.png"}


def test_only_the_folder_of_the_default_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tiny(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["bench", "--case", "tiny", "--rounds", "1", "--no-figure"]) == 0
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")] == ["results/benchmarks.json"]


def test_json_goes_to_stdout_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _tiny(monkeypatch)
    output = tmp_path / "numbers.json"
    arguments = ["--case", "tiny", "--rounds", "1", "--seed", "3", "--no-figure", "--json", "-o", str(output)]
    assert main(["bench", *arguments]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(output.read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.json"]


def test_a_wrong_contender_ends_with_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WrongContender("somebody: outcome: 3, expected 9.00, z = 7.0")

    monkeypatch.setattr("benchmarks.program.run", fail)
    assert main(["bench", "-o", str(tmp_path / "x.json")]) == 1
    assert "somebody: outcome" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
