"""Quantile functions of every family against scipy, truncated or not, in both tails; and the shapes that are refused.

A relative error of q and of 1 - q at once is an error of the logit, so tables are judged by it. scipy's inverse beta is
itself wrong far out in the tails (by a quarter at 1e-16), so there the oracle is the distribution function at the
answer: it must be the uniform.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import special, stats

from simcore.errors import ScenarioError
from simcore.scenario.distributions import Distribution
from simcore.uncertainty.exact import exact_quantile
from simcore.uncertainty.normal import normal_quantile
from simcore.uncertainty.quantile_kernels import (
    KNOTS,
    NORMAL,
    SCORE_LIMIT,
    interpolate_logit,
    quantile,
    truncated_uniform,
)
from simcore.uncertainty.quantiles import quantile_rule, stick_breaking_rules
from simcore.uncertainty.tables import TABLE_TOLERANCE, beta_logit, tabulate_beta
from tests.twin.parameters import scalar_value
from tests.twin.philox import normal_score

SMALLEST = 2.0**-53
LOWER = [SMALLEST, 1e-15, 1e-12, 1e-9, 1e-6, 1e-4, 0.003, 0.01, 0.05, 0.2, 0.37]
UNIFORMS = [*LOWER, 0.5, *(1.0 - u for u in reversed(LOWER))]
TOLERANCE = 1e-9
NO_TABLE = np.zeros((2, KNOTS))


def declare(**fields: Any) -> Any:
    return TypeAdapter(Distribution).validate_python(fields)


def drawn(distribution: Any, u: float) -> float:
    """Return what the drawing kernel makes of a uniform."""
    rule = quantile_rule(distribution)
    table = NO_TABLE if rule.table is None else rule.table
    return float(quantile(rule.kind, np.array(rule.arguments), table, truncated_uniform(rule.lower, rule.upper, u)))


# -- the normal score ----------------------------------------------------------------------------------------------


def test_normal_quantile_is_accurate_everywhere() -> None:
    grid = [*UNIFORMS, 0.075, 0.925, 0.0749999, math.exp(-25.0), math.exp(-25.0) * 1.001, 0.4999999, 0.5000001]
    for u in grid:
        score = normal_quantile(u)
        assert score == normal_score(u)
        tail = u if u <= 0.5 else 1.0 - u
        expected = math.copysign(special.ndtri(tail), u - 0.5)
        assert score == pytest.approx(expected, rel=2e-15, abs=1e-16)
    assert normal_quantile(0.5) == 0.0
    assert abs(normal_quantile(SMALLEST)) < SCORE_LIMIT


# -- the beta table ------------------------------------------------------------------------------------------------

SHAPES = [
    (1.0, 1.0), (0.5, 0.5), (0.1, 0.1), (2.0, 5.0), (0.3, 7.0), (7.0, 0.3), (20.0, 1.0), (1.0, 19.0), (1.5, 40.0),
    (300.0, 7.0), (1e4, 1e4), (1e6, 3.0), (1e7, 1e7), (0.05, 3.0), (3.0, 0.05), (0.01, 0.01), (1e5, 0.1),
]  # fmt: skip
EXTREME = {(0.01, 0.01), (1e5, 0.1)}  # held to TABLE_TOLERANCE only


def logit_error(alpha: float, beta: float, logit: float, u: float) -> float:
    """Error of a logit by its own distribution function: |ln F(q) - ln u| over d ln F / d logit, the better tail."""
    errors = []
    for first, second, here, mass in ((alpha, beta, logit, u), (beta, alpha, -logit, 1.0 - u)):
        q, rest = special.expit(here), special.expit(-here)
        below = special.betainc(first, second, q)
        if below <= 0.0 or q <= 0.0 or rest <= 0.0:
            continue
        density = first * math.log(q) + second * math.log(rest) - special.betaln(first, second)
        errors.append(abs(math.log(below) - math.log(mass)) / math.exp(density - math.log(below)))
    return min(errors)


@pytest.mark.parametrize(("alpha", "beta"), SHAPES)
def test_table_holds_both_tails(alpha: float, beta: float) -> None:
    table = tabulate_beta(alpha, beta)
    tolerance = TABLE_TOLERANCE if (alpha, beta) in EXTREME else TOLERANCE
    scores = np.random.default_rng(1).uniform(-7.9, 7.9, 300)
    for u in [*UNIFORMS, *special.ndtr(scores)]:
        logit = float(interpolate_logit(table, normal_quantile(float(u))))
        if abs(logit) > 689.0:  # numerical 0 or 1
            continue
        assert logit_error(alpha, beta, logit, float(u)) < tolerance, u
        assert logit == pytest.approx(beta_logit(alpha, beta, np.array([normal_quantile(float(u))]))[0], abs=tolerance)


@pytest.mark.parametrize(("alpha", "beta"), SHAPES)
def test_table_agrees_with_scipy_where_scipy_is_good(alpha: float, beta: float) -> None:
    d = declare(family="beta", alpha=alpha, beta=beta)
    for u in (1e-6, 1e-4, 0.01, 0.2, 0.5, 0.8, 0.99):
        expected = stats.beta(alpha, beta).ppf(u)
        if expected > 1e-290:
            assert drawn(d, u) == pytest.approx(expected, rel=TOLERANCE)


def test_table_rises() -> None:
    for alpha, beta in SHAPES:
        values = [drawn(declare(family="beta", alpha=alpha, beta=beta), u) for u in UNIFORMS]
        assert values == sorted(values)
        assert all(0.0 <= value <= 1.0 for value in values)


def test_table_notices_a_shape_off_by_a_millionth() -> None:
    """The comparison above is sharp: a table of a slightly other shape fails it by far."""
    logit = float(interpolate_logit(tabulate_beta(2.0, 5.0), normal_quantile(0.2)))
    assert logit_error(2.0, 5.0, logit, 0.2) < TOLERANCE < logit_error(2.0 * (1.0 + 1e-6), 5.0, logit, 0.2)


@pytest.mark.parametrize(("alpha", "beta"), [(0.005, 1.0), (0.02, 50.0), (1e8, 1e-3), (1e-4, 1e-4)])
def test_shapes_that_a_table_cannot_hold_are_refused(alpha: float, beta: float) -> None:
    with pytest.raises(ScenarioError, match=r"distribution beta\(alpha=.*too extreme to tabulate"):
        tabulate_beta(alpha, beta)


def test_tables_are_shared_and_cannot_be_written() -> None:
    assert tabulate_beta(2.0, 3.0) is tabulate_beta(2.0, 3.0)
    with pytest.raises(ValueError, match="read-only"):
        tabulate_beta(2.0, 3.0)[0, 0] = 1.0


# -- every family, truncated or not ------------------------------------------------------------------------------

Q95 = 1.6448536269514722
FAMILIES: dict[str, tuple[dict[str, Any], Any]] = {
    "uniform": ({"family": "uniform", "min": -2.0, "max": 5.0}, stats.uniform(-2.0, 7.0)),
    "triangular": ({"family": "triangular", "min": 1.0, "mode": 2.0, "max": 7.0}, stats.triang(1.0 / 6.0, 1.0, 6.0)),
    "triangular at min": ({"family": "triangular", "min": 0.0, "mode": 0.0, "max": 2.0}, stats.triang(0.0, 0.0, 2.0)),
    "triangular at max": ({"family": "triangular", "min": 0.0, "mode": 2.0, "max": 2.0}, stats.triang(1.0, 0.0, 2.0)),
    "pert": ({"family": "pert", "min": 1.0, "mode": 2.0, "max": 6.0}, stats.beta(1.8, 4.2, 1.0, 5.0)),
    "pert, shape": ({"family": "pert", "min": 0.0, "mode": 0.0, "max": 1.0, "shape": 9.0}, stats.beta(1.0, 10.0)),
    "beta": ({"family": "beta", "alpha": 2.0, "beta": 6.0}, stats.beta(2.0, 6.0)),
    "beta by mean": ({"family": "beta", "mean": 0.25, "size": 8.0}, stats.beta(2.0, 6.0)),
    "lognormal": ({"family": "lognormal", "mu": -1.0, "sigma": 0.7}, stats.lognorm(0.7, scale=math.exp(-1.0))),
    "lognormal by median": (
        {"family": "lognormal", "median": 3.0, "gsd": 2.0},
        stats.lognorm(math.log(2.0), scale=3.0),
    ),
    "lognormal by quantiles": (
        {"family": "lognormal", "q05": 0.01, "q95": 0.4},
        stats.lognorm(math.log(40.0) / (2.0 * Q95), scale=math.sqrt(0.004)),
    ),
    "normal": ({"family": "normal", "mean": 1.0, "sd": 2.0}, stats.norm(1.0, 2.0)),
    "half_normal": ({"family": "half_normal", "scale": 2.0}, stats.halfnorm(0.0, 2.0)),
}
TRUNCATIONS: list[dict[str, float]] = [{}, {"upper": 0.6}, {"lower": 0.3}, {"lower": 0.3, "upper": 0.6}]


@pytest.mark.parametrize("truncation", TRUNCATIONS, ids=lambda limits: "-".join(limits) or "whole")
@pytest.mark.parametrize("name", FAMILIES)
def test_family_is_scipys(name: str, truncation: dict[str, float]) -> None:
    """``lower`` and ``upper`` are placed at the 30 and 60 % points of each family."""
    fields, exact = FAMILIES[name]
    limits = {end: float(exact.ppf(point)) for end, point in truncation.items()}
    d = declare(**fields, **limits)
    below, above = truncation.get("lower", 0.0), truncation.get("upper", 1.0)
    low, high = d.support()
    scale = float(exact.std())
    for u in UNIFORMS:
        value = drawn(d, u)
        assert value == scalar_value(d, u), "the twin differs"
        assert low - 1e-12 * scale <= value <= high + 1e-12 * scale
        mapped = below + (above - below) * u
        if mapped <= 0.5:
            assert float(exact.cdf(value)) == pytest.approx(mapped, rel=TOLERANCE, abs=1e-15)
        else:
            remaining = (1.0 - above) + (above - below) * (1.0 - u)
            assert float(exact.sf(value)) == pytest.approx(remaining, rel=TOLERANCE, abs=3e-16)
        if 1e-9 < u < 1.0 - 1e-9:
            expected = float(exact.ppf(mapped))
            assert value == pytest.approx(expected, rel=TOLERANCE, abs=1e-9 * scale)
            assert value == pytest.approx(float(exact_quantile(d, np.array([u]))[0]), rel=TOLERANCE, abs=1e-9 * scale)


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"family": "fixed", "value": 0.3}, 0.3),
        ({"family": "normal", "mean": 2.0, "sd": 0.0}, 2.0),
        ({"family": "half_normal", "scale": 0.0}, 0.0),
        ({"family": "lognormal", "median": 3.0, "gsd": 1.0}, 3.0),
        ({"family": "lognormal", "mu": 0.0, "sigma": 0.0, "upper": 2.0}, 1.0),
        ({"family": "lognormal", "q05": 5.0, "q95": 5.0}, 5.0),
    ],
)
def test_distributions_without_spread_are_constants(fields: dict[str, Any], value: float) -> None:
    d = declare(**fields)
    for u in (SMALLEST, 0.5, 1.0 - SMALLEST):
        assert drawn(d, u) == pytest.approx(value, rel=1e-15)
        assert exact_quantile(d, np.array([u]))[0] == pytest.approx(value, rel=1e-15)


def test_truncation_never_leads_onto_one() -> None:
    """A narrow upper tail rounds to 1, where the normal quantile is infinite and half-normals became NaN."""
    for lower in (0.0, 0.5, 0.999, 1.0 - 1e-9):
        for u in (SMALLEST, 0.5, 1.0 - 1e-9, 1.0 - SMALLEST):
            assert lower <= truncated_uniform(lower, 1.0, u) < 1.0
    tail = declare(family="normal", mean=0.0, sd=1.0, lower=5.9)
    for d in (
        tail,
        declare(family="half_normal", scale=3.0),
        declare(family="lognormal", mu=0.0, sigma=1.0, lower=50.0),
    ):
        assert drawn(d, 0.999) < drawn(d, 1.0 - SMALLEST) < math.inf


def test_truncation_that_leaves_no_probability_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"distribution normal: .*leave a probability of .*limit 1e-9"):
        quantile_rule(declare(family="normal", mean=0.0, sd=1.0, lower=7.0))
    with pytest.raises(ScenarioError, match="leave a probability"):
        quantile_rule(declare(family="lognormal", q05=1.0, q95=2.0, lower=1e3, upper=2e3))
    quantile_rule(declare(family="normal", mean=0.0, sd=1.0, lower=5.0))


def test_half_normal_uses_the_upper_half() -> None:
    rule = quantile_rule(declare(family="half_normal", scale=2.0))
    assert (rule.kind, rule.lower, rule.upper) == (NORMAL, 0.5, 1.0)
    assert drawn(declare(family="half_normal", scale=2.0), SMALLEST) >= 0.0


def test_sticks_of_a_dirichlet_are_betas_of_what_is_left() -> None:
    rules = stick_breaking_rules(np.array([3.0, 0.5, 1.5, 2.0]))
    assert [rule.arguments for rule in rules] == [(0.0, 1.0, 3.0, 4.0), (0.0, 1.0, 0.5, 3.5), (0.0, 1.0, 1.5, 2.0)]
