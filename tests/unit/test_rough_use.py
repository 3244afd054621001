"""Rough use that once hung, crashed or passed in silence: each ends in one plain line, or works."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import simcore
from simcore.verification.closed_form import fixture

TINY = Path(simcore.__file__).parent / "verification" / "fixtures" / "tiny.toml"


@pytest.mark.parametrize("odds_ratio", ["1e149", "1e-149", "1e12"])
def test_an_extreme_odds_ratio_gives_numbers(odds_ratio: str, seed: int) -> None:
    scenario = fixture("tiny", [f"parameters.overlap_odds_ratio.distribution.value={odds_ratio}"])
    moments = simcore.expected(scenario)
    assert np.isfinite(moments.mean).all()
    both = moments.mean_of(moments.weights("at_risk", label="both"))[0, 0] / 100_000
    assert both == pytest.approx(0.0 if odds_ratio == "1e-149" else 0.03, abs=1e-6)  # the bounds: none, or the smaller
    with simcore.run(scenario, replicates=8, seed=seed) as results:
        assert results.read("at_risk").sum() > 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_no_results_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(simcore.ResultsError, match=r"pipe\.h5: is not a regular file"):
        simcore.open_results(tmp_path / "pipe.h5")


def test_a_name_too_long_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(simcore.ResultsError, match="a file name of 303 bytes is too long, limit"):
        simcore.run(fixture("tiny"), replicates=1, seed=1, output=tmp_path / ("a" * 300 + ".h5"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["true", "1.0", "2"])
def test_only_the_number_one_is_a_schema_version(version: str) -> None:
    with pytest.raises(simcore.ScenarioError, match="schema_version"):
        fixture("tiny", [f"schema_version={version}"])


def test_settings_are_a_list() -> None:
    with pytest.raises(simcore.ScenarioError, match="must be a list of settings"):
        simcore.load_scenario(TINY, settings="transit.attempt_cap=1")


def test_a_path_will_do_where_a_scenario_is_wanted(seed: int) -> None:
    assert np.array_equal(simcore.expected(TINY).mean, simcore.expected(fixture("tiny")).mean)
    with simcore.run(TINY, replicates=2, seed=seed) as results:
        assert results.replicates == 2


def test_combined_shares_must_leave_room_for_each_other() -> None:
    level = "strata.exploitation.{}={{combines=['S','L'],share='half'}}"
    share = "parameters.half={distribution={family='fixed',value=0.6},unit='share',grade='illustrative'}"
    assert fixture("tiny", [share, level.format("SL")]).name == "tiny"
    with pytest.raises(simcore.ScenarioError, match=r"share: .*may sum to 1\.2, limit 1"):
        fixture("tiny", [share, level.format("SL"), level.format("LS")])


def test_frequent_events_are_counted(seed: int) -> None:
    for hazard, share in (("0.001", 0.0), ("3.0", 1.0)):
        scenario = fixture("tiny", [f"parameters.event_hazard_{x}.distribution.value={hazard}" for x in "SL"])
        with simcore.run(scenario, replicates=2, seed=seed) as results:
            assert results.attributes["frequent_event_share"] == share
