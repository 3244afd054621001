"""`rerun`: a file made again from what is inside it is the same, and where it is not, that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import pytest

import simcore
from simcore.errors import ResultsError
from simcore.runner import RunInterrupted, rerunning
from simcore.runner.blocks import BLOCK_ROWS
from simcore.scenario import Scenario
from simcore.store import open_results
from tests.faults.recovery import content, differences
from tests.unit.runner.continuing_samples import Interrupter, interrupted, killed, snapshot
from tests.unit.store.store_samples import seal

KINDS: dict[str, dict[str, Any]] = {
    "single loop": {"replicates": BLOCK_ROWS + 9},
    "nested": {"nested": (70, 60)},
    "no theta": {"replicates": 300, "store_theta": False},
    "sobol": {"replicates": 256, "design": "sobol", "randomisation": 2},
    "lhs": {"replicates": 300, "design": "lhs"},
    "ended": {"replicates": 300, "store_ended": True, "store_by": ()},
    "any engine": {"replicates": 300, "engine": "auto"},
    "cohort engine": {"replicates": 300, "engine": "cohort"},
    "leg by leg": {"replicates": 300, "walker": "leg-by-leg"},
    "until": {"replicates": 9 * BLOCK_ROWS, "until": "arrived.mean mcse<=0.017"},
}


def made(path: Path, scenario: Scenario, seed: int, **options: Any) -> Path:
    simcore.run(scenario, seed=seed, threads=2, output=path, **options).close()
    return path


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_file_made_again_is_identical(kind: str, scenario: Scenario, seed: int, tmp_path: Path) -> None:
    source = made(tmp_path / "x.h5", scenario, seed, **KINDS[kind])
    before = source.read_bytes()
    again = simcore.rerun(source, output=tmp_path / "y.h5", threads=1)
    with again.results:
        assert (again.identical, again.differences, again.environment) == (True, [], {})
    other = {"attribute engine_asked", "attribute engine_reason"} if kind == "any engine" else set()
    assert set(differences(content(tmp_path / "y.h5"), content(source))) == other  # the choice is taken over
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.h5", "y.h5"]


def test_in_memory(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    source = made(tmp_path / "x.h5", scenario, seed, replicates=300)
    again = simcore.rerun(source)
    with again.results:
        assert again.identical
        assert again.results.path is None
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]


def test_a_run_that_was_gone_on_with_is_made_again(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    target = killed(tmp_path / "x.h5", scenario, seed=seed, replicates=2 * BLOCK_ROWS)
    simcore.resume(target).close()
    simcore.extend(target, replicates=2 * BLOCK_ROWS + 9).close()
    again = simcore.rerun(target)
    with again.results:
        assert again.identical
        assert "history" not in again.results.attributes


def test_what_differs_is_named(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    source = made(tmp_path / "x.h5", scenario, seed, replicates=BLOCK_ROWS + 9)
    with h5py.File(source, "r+") as file:
        file["totals/victims"][BLOCK_ROWS + 3] += 5
        file["parameters/interception"][7] = 0.5
    again = simcore.rerun(source)
    with again.results:
        assert not again.identical
        found = {each.path: (each.values, each.first_row, each.largest) for each in again.differences}
    assert set(found) == {"totals/victims", "parameters/interception"}
    assert found["totals/victims"] == (1, BLOCK_ROWS + 3, 5)
    assert found["parameters/interception"][:2] == (1, 7)


def test_another_environment_is_named_and_is_no_difference(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    source = made(tmp_path / "x.h5", scenario, seed, replicates=300)
    with h5py.File(source, "r+") as file:
        now = file.attrs["numpy"]
        file.attrs["numpy"] = "1.0"
    seal(source)
    again = simcore.rerun(source)
    with again.results:
        assert again.identical
        assert again.environment == {"numpy": ("1.0", now)}


def test_refusals(scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = interrupted(tmp_path / "x.h5", scenario, seed=seed, replicates=3 * BLOCK_ROWS)
    whole = made(tmp_path / "whole.h5", scenario, seed, replicates=300)
    other = made(tmp_path / "other.h5", scenario, seed + 1, replicates=300)
    changed = made(tmp_path / "changed.h5", scenario, seed, replicates=300)
    with h5py.File(changed, "r+") as file:
        document = file["scenario/scenario.json"]
        document[()] = document.asstr()[()].replace("0.6", "0.7")
    seal(changed)
    (tmp_path / "there.h5").write_text("somebody's")
    before = snapshot(tmp_path)
    with open_results(target) as results:
        held = results.replicates
    for source, output, message in (
        (
            target,
            None,
            f"holds an interrupted run, {held} of {3 * BLOCK_ROWS} replicates; finish it first: simcore resume",
        ),
        (changed, None, "the scenario inside is not the one that it was made with"),
        (whole, tmp_path / "there.h5", "is not an HDF5 file; it exists and is not overwritten: choose another name"),
        (whole, target, f"holds {held:,} replicates of this run, asked for 300: nothing is taken away"),
        (other, target, "holds the results of another run (seed differs: "),
        (tmp_path / "nowhere.h5", None, "no such file"),
        (whole, tmp_path / "nowhere" / "x.h5", "does not exist; create it first"),
    ):
        with pytest.raises(ResultsError) as caught:
            simcore.rerun(source, output=output)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    assert snapshot(tmp_path) == before


def test_an_output_that_holds_it_already_is_compared_as_it_is(
    scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made(tmp_path / "x.h5", scenario, seed, replicates=300)
    simcore.rerun(source, output=tmp_path / "y.h5").results.close()
    with h5py.File(tmp_path / "y.h5", "r+") as file:
        file["victims"][7] += 1
    calls: list[Any] = []
    again = simcore.rerun(source, output=tmp_path / "y.h5", progress=calls.append)
    with again.results:
        assert [each.path for each in again.differences] == ["victims"]
        assert not again.computed
    assert calls == []
    with pytest.raises(ResultsError, match="is the file that is to be made again; choose another name"):
        simcore.rerun(source, output=source)


def test_a_rerun_can_be_interrupted_and_resumed(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    source = made(tmp_path / "x.h5", scenario, seed, replicates=3 * BLOCK_ROWS)
    with pytest.raises(RunInterrupted) as caught:
        simcore.rerun(source, output=tmp_path / "y.h5", threads=1, progress=Interrupter(1))
    assert caught.value.results is not None
    caught.value.results.close()
    simcore.resume(tmp_path / "y.h5").close()
    again = simcore.rerun(source, output=tmp_path / "y.h5")
    with again.results:
        assert again.identical


def test_a_failing_comparison_closes_the_new_results(
    scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made(tmp_path / "x.h5", scenario, seed, replicates=300)
    new: list[Any] = []

    def fail(old: Any, made_again: Any, **_: Any) -> None:
        new.append(made_again)
        raise ResultsError("damaged")

    monkeypatch.setattr(rerunning, "compare_results", fail)
    with pytest.raises(ResultsError, match="damaged"):
        simcore.rerun(source)
    with pytest.raises(ResultsError, match="is closed"):
        new[0].read("victims")
