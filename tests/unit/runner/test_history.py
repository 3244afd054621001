"""Where the parts of a file came from: every program that went on with it, and what was set on the scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

import simcore
from simcore.runner import unfinished
from simcore.runner.blocks import BLOCK_ROWS
from simcore.runner.request import MOST_HISTORY, SETTINGS
from simcore.scenario import Scenario
from simcore.store import open_results
from simcore.store.provenance import environment
from tests.conftest import FIXTURES
from tests.unit.runner.continuing_samples import BORDER, killed

LONG = 2 * BLOCK_ROWS


def as_commit(monkeypatch: pytest.MonkeyPatch, commit: str, **versions: str) -> None:
    """Let the program be that of another commit; none of these versions changes a number."""
    monkeypatch.setattr(unfinished, "environment", lambda: {**environment(), "git_commit": commit, **versions})


def said(target: Path) -> list[str]:
    with open_results(target) as results:
        return [line.partition("were there; ")[2] for line in results.attributes["history"]]


def test_every_program_that_went_on_with_a_file_is_in_its_history(
    scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = killed(tmp_path / "x.h5", scenario, seed=seed, replicates=LONG)
    first = environment()["git_commit"]
    as_commit(monkeypatch, "abc")
    simcore.resume(target, threads=1).close()
    as_commit(monkeypatch, "def", git_dirty="perhaps", python="9.9")
    simcore.extend(target, replicates=3 * BLOCK_ROWS, threads=1, command_line="simcore extend x.h5").close()
    was = environment()
    assert said(target) == [
        f"git_commit {first}, now abc",
        f"python {was['python']}, now 9.9, git_commit {first}, now def, git_dirty {was['git_dirty']}, now perhaps: "
        "simcore extend x.h5",
    ]
    with open_results(target) as results:
        assert results.attributes["git_commit"] == first  # of the beginning


def test_a_program_that_kept_nothing_of_the_beginning_says_so(
    scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, replicates=300, threads=1, output=target).close()
    as_commit(monkeypatch, "abc")
    simcore.extend(target, replicates=600, threads=1).close()
    (line,) = said(target)
    assert line.endswith(", now abc")
    with open_results(target) as results:
        assert results.attributes["history"][0].partition("extended, ")[2].startswith("300 of 600 replicates")


def test_a_history_does_not_grow_for_ever(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(MOST_HISTORY)]
    prepared = unfinished.prepare(
        unfinished.RunRequest(
            scenario, simcore.uncertainty.design.Design(1), seed, "agent", "collapsed", None, False, True
        ),
        command_line="",
    )
    history = unfinished.going_on(prepared, {"history": lines}, "now").head.attributes["history"]
    assert history == ["line 0", *lines[2:], "now"]
    assert len(lines) == MOST_HISTORY


def test_what_was_set_on_a_scenario_is_told_whatever_becomes_of_the_run(
    scenario: Scenario, seed: int, tmp_path: Path
) -> None:
    def settings(path: Path) -> object:
        with open_results(path) as results:
            return results.attributes.get(SETTINGS)

    target = killed(tmp_path / "x.h5", scenario, seed=seed, replicates=LONG)
    simcore.resume(target, threads=1).close()
    assert settings(target) == "\n".join(BORDER)
    simcore.extend(target, replicates=3 * BLOCK_ROWS, threads=1).close()
    assert settings(target) == "\n".join(BORDER)
    with simcore.rerun(target, output=tmp_path / "y.h5", threads=1).results as again:
        assert again.attributes[SETTINGS] == "\n".join(BORDER)
    plain = simcore.load_scenario(FIXTURES / "tiny.toml")
    simcore.run(plain, replicates=3, seed=seed, output=tmp_path / "z.h5").close()
    assert settings(tmp_path / "z.h5") is None
