"""At-risk model `index`: the solved level, the standardised index, and what it does to countries."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from simcore.scenario import Scenario, load_scenario
from simcore.source_zone.anchors import logistic, solve_level
from simcore.source_zone.index import most_alike, standard_scores
from tests.twin.at_risk import AtRisk, level
from tests.unit.zones.at_risk_samples import Compiled

ANCHORS = (1e-300, 1e-9, 0.003, 0.02, 0.5, 0.500001, 0.999999, 1.0 - 1e-12)


@pytest.fixture(scope="module")
def index() -> Compiled:
    return Compiled(load_scenario("phase1_index"))


def mean_and_rest(persons: np.ndarray, log_odds: np.ndarray, alpha: float) -> tuple[float, float]:
    """Mean share and mean of one minus the share, each summed without cancellation."""
    total = math.fsum(persons)
    terms = list(zip(persons.tolist(), log_odds.tolist(), strict=True))
    return (
        math.fsum(n * logistic(alpha + eta) for n, eta in terms) / total,
        math.fsum(n * logistic(-alpha - eta) for n, eta in terms) / total,
    )


@pytest.mark.parametrize("anchor", ANCHORS)
@pytest.mark.parametrize("spread", [0.0, 0.5, 5.0, 300.0])
def test_level_meets_the_anchor(spread: float, anchor: float, chooser: random.Random) -> None:
    """To 1e-13 of the smaller of anchor and complement, and bits of the twin.

    With log odds of hundreds the last bit of alpha itself is worth more than 1e-13.
    """
    persons = np.array([chooser.uniform(1e4, 1e7) for _ in range(48)])
    persons[7] = 0.0
    log_odds = np.clip([spread * chooser.gauss(0.0, 1.0) for _ in range(48)], -700.0, 700.0)
    alpha = solve_level(persons, log_odds, anchor)
    mean, rest = mean_and_rest(persons, log_odds, alpha)
    found, wanted = (mean, anchor) if anchor <= 0.5 else (rest, 1.0 - anchor)
    assert found == pytest.approx(wanted, rel=max(1e-13, 2.0 * math.ulp(alpha)), abs=0.0)
    assert alpha == level(persons.tolist(), log_odds.tolist(), anchor)


def test_level_of_equal_cells_and_of_nobody() -> None:
    equal = solve_level(np.array([5.0, 2.0]), np.array([1.5, 1.5]), 0.02)
    assert equal == pytest.approx(math.log(0.02 / 0.98) - 1.5, rel=1e-15)
    assert solve_level(np.zeros(2), np.array([1.5, -9.0]), 0.02) == math.log(0.02 / 0.98)
    for anchor in (0.0, 1.0):
        alpha = solve_level(np.ones(2), np.array([1.5, -9.0]), anchor)
        assert [logistic(alpha + eta) for eta in (1.5, -9.0)] == [anchor, anchor]


def test_shares_equal_the_twin_bit_for_bit(index: Compiled, seed: int) -> None:
    theta = index.draw(seed, 25)
    shares = index.shares(theta)
    assert len(set(theta[:, index.column("covariate_panel")])) > 5
    for row in range(25):
        assert shares[row].tolist() == index.twin(theta[row])
    assert (shares[:, ~index.active] == 0.0).all()
    assert np.array_equal(shares, np.concatenate([index.shares(theta[i : i + 4]) for i in range(0, 25, 4)]))


def test_mean_share_of_the_drawn_population_is_the_anchor(index: Compiled, seed: int) -> None:
    theta = index.draw(seed, 500)
    people, shares = index.people(theta), index.shares(theta)
    means = (people[:, :, np.newaxis] * shares).sum(axis=1) / people.sum(axis=1)[:, np.newaxis]
    anchors = theta[:, [index.column("at_risk_mean_sexual"), index.column("at_risk_mean_labor")]]
    np.testing.assert_allclose(means, anchors, rtol=1e-12)


def test_effects_are_on_the_logit_scale(index: Compiled, seed: int) -> None:
    """Log odds differ between men and women, minors and adults, by exactly the drawn offsets."""
    theta = index.draw(seed, 10)
    shares = np.where(index.active[:, np.newaxis], index.shares(theta), 0.5)
    logits = np.log(shares) - np.log1p(-shares)
    at = {(c["origin"], c["sex"], c["age_band"]): i for i, c in enumerate(index.cells)}
    for bit, kind in enumerate(("sexual", "labor")):
        men = logits[:, at["GTM", "male", "18-24"], bit] - logits[:, at["GTM", "female", "18-24"], bit]
        np.testing.assert_allclose(men, theta[:, index.column(f"index_male_{kind}")], rtol=1e-9)
        minors = logits[:, at["PER", "male", "12-17"], bit] - logits[:, at["PER", "male", "25-39"], bit]
        np.testing.assert_allclose(minors, theta[:, index.column(f"index_minor[{kind}]")], rtol=1e-8)


def test_scores_are_standard_and_signed() -> None:
    covariates = load_scenario("phase1_index").covariates
    assert covariates is not None
    scores = standard_scores(covariates)
    assert scores.shape == (20, 8, 12)
    np.testing.assert_allclose(scores.mean(axis=1), 0.0, atol=1e-14)
    np.testing.assert_allclose((scores**2).mean(axis=1), 1.0, rtol=1e-13)
    for j, sign in enumerate(covariates.signs):
        highest = int(np.argmax(covariates.transformed[0, :, j]))
        assert int(np.argmax(sign * scores[0, :, j])) == highest
    assert (np.ptp(scores, axis=0) > 0.0).any()  # panels differ where a cell is imputed
    assert (np.ptp(scores, axis=0) == 0.0).any()
    first, second, correlation = most_alike(covariates)
    matrix = np.mean([np.corrcoef(panel.T) for panel in covariates.transformed], axis=0)
    matrix[np.diag_indices(12)] = 0.0
    assert {first, second} == {covariates.names[k] for k in np.unravel_index(np.argmax(abs(matrix)), matrix.shape)}
    assert correlation == pytest.approx(
        matrix[covariates.names.index(first), covariates.names.index(second)], rel=1e-12
    )


def test_index_has_spread_one_whatever_the_weights(seed: int) -> None:
    """Also when one covariate has all the weight: then the index is its scores."""
    scenario = load_scenario("phase1_index")
    compiled = Compiled(scenario)
    assert scenario.covariates is not None
    theta = compiled.draw(seed, 1)[0]
    names = [f"index_weights[{name}]" for name in scenario.covariates.names]
    for weights in (dict.fromkeys(names, 1.0 / 12.0), {**dict.fromkeys(names, 0.0), names[4]: 1.0}):
        values = dict(zip(compiled.space.names, theta.tolist(), strict=True)) | weights
        found = list(AtRisk(scenario, values)._index_of_origins(scenario.at_risk_block).values())
        assert np.mean(found) == pytest.approx(0.0, abs=1e-12)
        assert np.std(found) == pytest.approx(1.0, rel=1e-12)
    panel = int(values["covariate_panel"]) - 1
    np.testing.assert_allclose(found, standard_scores(scenario.covariates)[panel, :, 4], rtol=1e-12, atol=1e-14)


def test_countries_stay_comparable_and_would_not_with_a_slope_per_covariate(seed: int) -> None:
    """Odds of the highest over the lowest country: median below 5, 95 % point below 30 (prior of phase1_index).

    The alternative, a half-normal(0.4) slope for each of the twelve covariates, is computed beside it: its median is
    above 25, which is why the model has one slope and an index of spread one (docs/at_risk_models.md).
    """
    compiled = Compiled(load_scenario("phase1_index"))
    theta = compiled.draw(seed, 4000)
    shares = compiled.shares(theta)
    women = [i for i, c in enumerate(compiled.cells) if c["sex"] == "female" and c["age_band"] == "18-24"]
    odds = shares[:, women, 0] / (1.0 - shares[:, women, 0])
    ratio = odds.max(axis=1) / odds.min(axis=1)
    median, high = np.quantile(ratio, [0.5, 0.95])
    assert 1.5 < median < 5.0
    assert high < 30.0

    covariates = compiled.scenario.covariates
    assert covariates is not None
    scores = standard_scores(covariates)[0]
    slopes = np.abs(np.random.default_rng(seed).normal(0.0, 0.4, (4000, scores.shape[1])))
    alternative = np.exp(np.ptp(slopes @ scores.T, axis=1))
    assert np.median(alternative) > 25.0
    assert np.median(alternative) > 5.0 * median


def test_without_factor_panel_or_effect_of_the_origin(seed: int) -> None:
    """The optional parts left out: persons of the table, the only panel, no effect."""
    scenario = load_scenario("phase1_index", settings=["population.factor='one'", SETTING_ONE])
    compiled = Compiled(scenario)
    theta = compiled.draw(seed, 5)
    people = np.where(compiled.active, scenario.population.ravel(), 0.0)
    means = (people[:, np.newaxis] * compiled.shares(theta)).sum(axis=1) / people.sum()
    np.testing.assert_allclose(means[:, 1], theta[:, compiled.column("at_risk_mean_labor")], rtol=1e-12)


SETTING_ONE = "parameters.one={distribution={family='fixed',value=1},unit='ratio',grade='illustrative'}"


def described(scenario: Scenario) -> dict[str, str]:
    model: Any = scenario.at_risk_model
    return dict(model.describe(scenario.at_risk_block, scenario))


def test_description_says_that_nothing_is_estimated() -> None:
    lines = described(load_scenario("phase1_index"))
    assert lines["index"].startswith("prior only: with 8 origins nothing is estimated")
    assert "poverty +0.0833" in lines["covariates"]
    assert "rule_of_law -0.0833" in lines["covariates"]
    assert lines["imputed"] == "1 of 96 cells, in 20 completed panels"
    assert "counts with the weights of both" in lines["most alike"]
