"""At-risk model `profile`: Bayes' theorem from the victims' profile, detection odds, and its warnings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simcore.scenario import load_scenario
from tests.unit.zones.at_risk_samples import Compiled

GROUPS = {
    "women": ("female", ("18-24", "25-39")),
    "girls": ("female", ("12-17",)),
    "men": ("male", ("18-24", "25-39")),
    "boys": ("male", ("12-17",)),
}


@pytest.fixture(scope="module")
def profile() -> Compiled:
    return Compiled(load_scenario("phase1_profile"))


def members(compiled: Compiled, name: str) -> np.ndarray:
    sex, bands = GROUPS[name]
    return np.array([c["sex"] == sex and c["age_band"] in bands for c in compiled.cells])


def test_shares_equal_the_twin_bit_for_bit(profile: Compiled, seed: int) -> None:
    theta = profile.draw(seed, 25)
    shares = profile.shares(theta)
    for row in range(25):
        assert shares[row].tolist() == profile.twin(theta[row])
    assert np.array_equal(shares, np.concatenate([profile.shares(theta[i : i + 3]) for i in range(0, 25, 3)]))
    assert (shares[:, ~profile.active] == 0.0).all()


def test_mean_share_is_the_anchor_and_the_mix_is_the_profile(profile: Compiled, seed: int) -> None:
    """Bayes: sum of f(z) rho(z) = p0, and among those at risk the groups stand as f1(z) / d(z)."""
    theta = profile.draw(seed, 300)
    people = profile.people(theta)
    for bit, kind in enumerate(("sexual", "labor")):
        at_risk = people * profile.shares(theta)[:, :, bit]
        anchor = theta[:, profile.column(f"at_risk_mean_{kind}")]
        np.testing.assert_allclose(at_risk.sum(axis=1) / people.sum(axis=1), anchor, rtol=1e-12)
        odds = {name: theta[:, profile.column(f"detection_odds_{name}")] for name in ("girls", "men", "boys")}
        corrected = {
            name: theta[:, profile.column(f"victim_profile_{kind}[{name}]")] / odds.get(name, 1.0) for name in GROUPS
        }
        total = sum(corrected.values())
        for name in GROUPS:
            mix = at_risk[:, members(profile, name)].sum(axis=1) / at_risk.sum(axis=1)
            np.testing.assert_allclose(mix, corrected[name] / total, rtol=1e-12)


def test_all_origins_get_the_same_shares(profile: Compiled, seed: int) -> None:
    shares = profile.shares(profile.draw(seed, 3))
    for name in GROUPS:
        assert (np.ptp(shares[:, members(profile, name)], axis=1) == 0.0).all()


def test_a_large_anchor_passes_one_and_is_counted(seed: int) -> None:
    """rho above one is left to the clamp of the model, which counts it."""
    from simcore.model import compile_model

    law = "distribution={family='fixed',value=0.9},unit='share',grade='illustrative'"
    model = compile_model(load_scenario("phase1_profile", settings=[f"parameters.at_risk_mean_labor={{{law}}}"]))
    theta = model.draw_theta(model.streams(seed), np.arange(50, dtype=np.uint32))
    raw = model.at_risk(theta)
    shares, held = model.at_risk_shares(theta)
    assert raw.max() > 1.0
    assert shares.max() == 1.0
    assert held.tolist() == (raw > 1.0).sum(axis=(1, 2)).tolist()


def test_an_empty_group_is_at_no_risk(seed: int) -> None:
    scenario = load_scenario("phase1_profile")
    population = scenario.population.copy()
    population[:, 1, 1] = 0.0
    object.__setattr__(scenario, "population", population)
    compiled = Compiled(scenario)
    shares = compiled.shares(compiled.draw(seed, 4))
    assert (shares[:, members(compiled, "boys")] == 0.0).all()
    assert (shares[:, members(compiled, "girls")] > 0.0).all()


def test_a_hazard_multiplier_on_the_same_axis_is_warned_of() -> None:
    assert load_scenario("phase1_profile").warnings == []
    law = "distribution={family='fixed',value=2},unit='ratio',grade='illustrative'"
    scenario = load_scenario(
        "phase1_profile",
        settings=[
            f"parameters.twice={{{law}}}",
            "event.multipliers.young={where={age_band='minor'},factor='twice'}",
        ],
    )
    assert len(scenario.warnings) == 1
    assert "event.multipliers.young: selects by age_band, as the victims' profile" in scenario.warnings[0]


def test_description_gives_the_population() -> None:
    scenario = load_scenario("phase1_profile")
    model: Any = scenario.at_risk_model
    lines = dict(model.describe(scenario.at_risk_block, scenario))
    assert lines["groups"] == "share of the active population: women 0.379, girls 0.128, men 0.363, boys 0.13"
    assert "detection odds" in lines["profile"]
