"""At-risk model `shares`: chained products, the copula of marginals, bounds, and exact moments of its prior."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from scipy import integrate, special, stats

from simcore.scenario import load_scenario
from simcore.source_zone.indicators import frechet_bounds, share_of_all
from tests.conftest import FIXTURES, load
from tests.twin.at_risk import met_by_all
from tests.unit.zones.at_risk_samples import Compiled

TINY = FIXTURES / "tiny.toml"
CORRELATIONS = (0.0, 1e-9, 0.2, 0.5, 0.500001, 0.8, 0.99, 1.0 - 1e-9, 1.0)
LEVEL = 1e-6  # false alarms of a z-score below: two-sided, for a seed nobody has tried
LIMIT = float(stats.norm.isf(LEVEL / 2.0))


def all_of(shares: list[float], correlation: float) -> float:
    return float(share_of_all(np.array(shares), correlation, np.empty(len(shares))))


def tiny_with(block: str, *parameters: tuple[str, str]) -> Compiled:
    """TINY with the model `shares`: one cell, exploitations S and L."""
    settings = [f"parameters.{name}={{distribution={law},unit='1',grade='illustrative'}}" for name, law in parameters]
    return Compiled(load(TINY, *settings, 'at_risk.model="shares"', f"at_risk.shares={block}"))


def test_equals_the_twin_bit_for_bit(chooser: random.Random) -> None:
    for correlation in CORRELATIONS:
        for count in (1, 2, 3, 5):
            shares = [chooser.choice((chooser.random(), 0.0, 1.0, 1e-9)) for _ in range(count)]
            assert all_of(shares, correlation) == met_by_all(shares, correlation), (shares, correlation)


@pytest.mark.parametrize("correlation", [0.1, 0.5, 0.51, 0.9, 0.9999])
@pytest.mark.parametrize("count", [2, 3, 6])
def test_copula_equals_adaptive_quadrature(count: int, correlation: float, chooser: random.Random) -> None:
    """Relative 1e-12: the step of the rule is chosen for 1e-16, rounding of the sum adds a few units."""
    shares = [chooser.uniform(0.01, 0.99) for _ in range(count)]
    limits = special.ndtri(shares)
    own, common = math.sqrt(1.0 - correlation), math.sqrt(correlation)

    def integrand(t: float) -> float:
        return math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi) * math.prod(special.ndtr((limits - common * t) / own))

    steps = [limit / common + k * own / common for limit in limits for k in range(-9, 10)]
    cuts = sorted({-12.0, 12.0, *range(-11, 12), *(cut for cut in steps if abs(cut) < 12.0)})
    pieces = (
        integrate.quad(integrand, a, b, epsabs=1e-17, epsrel=1e-13)[0] for a, b in itertools.pairwise(cuts) if b > a
    )
    assert all_of(shares, correlation) == pytest.approx(math.fsum(pieces), rel=1e-12)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_copula_equals_scipy(count: int, chooser: random.Random) -> None:
    """scipy's multivariate normal is itself accurate to about 1e-5 from three dimensions on."""
    for correlation in (0.15, 0.6, 0.95):
        shares = [chooser.uniform(0.05, 0.9) for _ in range(count)]
        covariance = np.full((count, count), correlation) + (1.0 - correlation) * np.eye(count)
        expected = stats.multivariate_normal(np.zeros(count), covariance).cdf(special.ndtri(shares))
        assert all_of(shares, correlation) == pytest.approx(expected, abs=2e-5)


def test_two_even_chances_are_sheppards() -> None:
    """P(X < 0, Y < 0) = 1/4 + asin(r) / (2 pi) (Sheppard 1899)."""
    for correlation in CORRELATIONS:
        expected = 0.25 + math.asin(correlation) / (2.0 * math.pi)
        assert all_of([0.5, 0.5], correlation) == pytest.approx(expected, rel=1e-14)


def test_correlation_leads_from_the_product_to_the_smallest_share(chooser: random.Random) -> None:
    for _ in range(20):
        shares = [chooser.uniform(0.001, 0.999) for _ in range(chooser.randint(2, 5))]
        values = [all_of(shares, correlation) for correlation in CORRELATIONS]
        assert values[0] == math.prod(shares)
        assert values[-1] == min(shares)
        assert values == sorted(values)
        lower, upper = frechet_bounds(shares)
        assert all(lower <= value <= upper for value in values)


def test_frechet_bounds() -> None:
    lower, upper = frechet_bounds([[0.9, 0.8, 0.7], [0.35, 0.25, 0.3]])
    assert lower.tolist() == pytest.approx([0.4, 0.0])
    assert upper.tolist() == [0.7, 0.25]


@pytest.mark.parametrize("settings", [(), ("at_risk.shares.correlation='c'",)])
def test_every_stratum_takes_its_own_rules(seed: int, settings: tuple[str, ...]) -> None:
    """Poverty by origin, factors by sex and exploitation, inactive cells without shares; bits of the twin."""
    own = "parameters.c={distribution={family='beta',alpha=2,beta=3},unit='1',grade='illustrative'}"
    scenario = load_scenario("phase1_shares", settings=[own, *settings] if settings else [])
    compiled = Compiled(scenario)
    theta = compiled.draw(seed, 20)
    shares = compiled.shares(theta)
    assert shares.shape == (20, len(compiled.cells), 2)
    for row in range(20):
        assert shares[row].tolist() == compiled.twin(theta[row])
    poor = shares[0, [cell["origin"] == "PER" for cell in compiled.cells], 0]
    less_poor = shares[0, [cell["origin"] == "SLV" for cell in compiled.cells], 0]
    here = compiled.active[: poor.size]
    assert (poor[here] != less_poor[here]).all()
    if not settings:
        ratio = theta[0, compiled.column("poverty_share_PER")] / theta[0, compiled.column("poverty_share_SLV")]
        np.testing.assert_allclose(poor[here] / less_poor[here], ratio, rtol=1e-12)


def test_blocks_of_any_size_give_the_same_bits(seed: int) -> None:
    compiled = tiny_with(
        "{circumstances={a='a',b='b'},correlation='c'}",
        ("a", "{family='beta',alpha=2,beta=5}"),
        ("b", "{family='uniform',min=0,max=1}"),
        ("c", "{family='uniform',min=0,max=1}"),
    )
    theta = compiled.draw(seed, 64)
    whole = compiled.shares(theta)
    parts = [compiled.shares(theta[first : first + 7]) for first in range(0, 64, 7)]
    assert np.array_equal(whole, np.concatenate(parts))


def moments(alpha: float, beta: float, order: int) -> float:
    """E[phi^order] of a beta."""
    return math.prod((alpha + i) / (alpha + beta + i) for i in range(order))


def test_moments_of_independent_shares(seed: int) -> None:
    """E = prod mu, Var = prod(mu^2 + s^2) - prod mu^2 (docs/model.md A3); z-scores under the exact variance.

    n = 200,000: the standard error of the mean is 0.10 % of it, that of the variance 0.6 % (from the exact fourth
    moment). A wrong mean is caught with power 0.999 from 0.9 % on, a wrong variance from 5 %.
    """
    laws = {"poverty": (14.0, 26.0), "tie": (10.0, 30.0), "leave": (9.0, 21.0)}
    compiled = tiny_with(
        "{circumstances={poverty='poverty',tie='tie',leave='leave'}}",
        *((name, f"{{family='beta',alpha={a},beta={b}}}") for name, (a, b) in laws.items()),
    )
    number = 200_000
    found = compiled.shares(compiled.draw(seed, number))[:, 0, 0]
    means = [a / (a + b) for a, b in laws.values()]
    variances = [a * b / ((a + b) ** 2 * (a + b + 1.0)) for a, b in laws.values()]
    mean = math.prod(means)
    variance = math.prod(m * m + v for m, v in zip(means, variances, strict=True)) - mean * mean
    raw = [math.prod(moments(a, b, order) for a, b in laws.values()) for order in range(5)]
    assert raw[1] == pytest.approx(mean, rel=1e-14)
    assert raw[2] - raw[1] ** 2 == pytest.approx(variance, rel=1e-12)
    fourth = raw[4] - 4.0 * raw[3] * mean + 6.0 * raw[2] * mean**2 - 3.0 * mean**4
    z_mean = (found.mean() - mean) / math.sqrt(variance / number)
    z_variance = (((found - mean) ** 2).mean() - variance) / math.sqrt((fourth - variance**2) / number)
    assert abs(z_mean) < LIMIT
    assert abs(z_variance) < LIMIT
    assert math.sqrt(variance / number) * (LIMIT + 3.1) < 0.009 * mean  # the power that is claimed
    assert math.sqrt((fourth - variance**2) / number) * (LIMIT + 3.1) < 0.05 * variance


def test_description_shows_the_frechet_bounds() -> None:
    scenario = load_scenario("phase1_shares")
    lines = dict(scenario.at_risk_model.describe(scenario.at_risk_block, scenario))  # type: ignore[attr-defined]
    assert lines["circumstances"].startswith("chained, in this order: poverty, weak_tie, migration_propensity")
    assert set(lines) == {"circumstances", *(f"meets all, {origin}" for origin in scenario.levels("origin"))}
    compiled = Compiled(scenario)
    medians = compiled.space.typical()
    shares = [medians[compiled.column(name)] for name in ("poverty_share_PER", "weak_tie_share")]
    shares.append(medians[compiled.column("migration_propensity_share")])
    lower, upper = frechet_bounds(shares)
    expected = (
        f"{math.prod(shares):.4g} at the median shares; Frechet bounds of marginal shares {lower:.4g} to {upper:.4g}"
    )
    assert lines["meets all, PER"] == expected
