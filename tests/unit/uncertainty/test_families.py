"""Gamma, tables of quantiles, metalogs, pools, categories, fits: kernel against twin and against exact quantiles.

A table may be off by `TABLE_TOLERANCE` of the value; a pool by `POOL_TOLERANCE`, or by 1e-9 of the normal score. The
oracles are scipy's own functions, or a root of the distribution function that is searched for here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import optimize, special, stats

from simcore.errors import ScenarioError
from simcore.scenario.distributions import Distribution
from simcore.uncertainty.exact import exact_quantile
from simcore.uncertainty.normal import normal_quantile
from simcore.uncertainty.quantile_kernels import KNOTS, category, quantile, truncated_uniform
from simcore.uncertainty.quantiles import quantile_rule
from simcore.uncertainty.tables import gamma_logarithm, tabulate_gamma
from tests.twin.parameters import scalar_value

SMALLEST = 2.0**-53
LOWER = [SMALLEST, 1e-15, 1e-12, 1e-9, 1e-6, 1e-4, 0.003, 0.01, 0.05, 0.2, 0.37]
UNIFORMS = [*LOWER, 0.5, *(1.0 - u for u in reversed(LOWER))]
NO_TABLE = np.zeros((2, KNOTS))


def declare(**fields: Any) -> Any:
    return TypeAdapter(Distribution).validate_python(fields)


def drawn(distribution: Any, u: float) -> float:
    """Return what the drawing kernel makes of a uniform."""
    rule = quantile_rule(distribution)
    table = NO_TABLE if rule.table is None else rule.table
    return float(quantile(rule.kind, np.array(rule.arguments), table, truncated_uniform(rule.lower, rule.upper, u)))


def pool(*opinions: dict[str, Any], **limits: float) -> dict[str, Any]:
    """Return a pool whose k-th expert has weight k."""
    experts = {f"expert_{k}": {"weight": k, "distribution": o} for k, o in enumerate(opinions, start=1)}
    return {"family": "pool", "experts": experts, **limits}


TABLE = {"probabilities": [0.0, 0.1, 0.5, 0.9, 1.0], "quantiles": [-1.0, 0.0, 0.5, 3.0, 4.0]}
SHARE = {"family": "beta", "mean": 0.1, "size": 20.0}
RATE = {"family": "lognormal", "q05": 0.001, "q95": 0.1}
PERT = {"family": "pert", "min": 0.01, "mode": 0.02, "max": 0.05}
NORMAL = {"family": "normal", "mean": 0.0, "sd": 1.0}
THREE = {"q05": 0.1, "q50": 0.3, "q95": 0.4}

FORMS: dict[str, dict[str, Any]] = {
    "gamma": {"family": "gamma", "shape": 2.5, "scale": 3.0},
    "gamma by mean": {"family": "gamma", "mean": 4.0, "cv": 2.0},
    "gamma, truncated": {"family": "gamma", "shape": 0.7, "scale": 1.0, "lower": 0.1, "upper": 2.0},
    "empirical": {"family": "empirical", **TABLE},
    "empirical, straight": {"family": "empirical", "interpolation": "linear", **TABLE},
    "empirical, truncated": {"family": "empirical", "lower": -0.5, "upper": 3.5, **TABLE},
    "empirical of two": {"family": "empirical", "probabilities": [0, 1], "quantiles": [2, 5]},
    "empirical with an atom": {"family": "empirical", "probabilities": [0, 0.2, 0.6, 1], "quantiles": [0, 1, 1, 2]},
    "metalog": {"family": "metalog", "quantiles": THREE},
    "metalog above": {"family": "metalog", "quantiles": THREE, "lower_bound": 0.0},
    "metalog below": {"family": "metalog", "quantiles": THREE, "upper_bound": 2.0, "lower": -1.0},
    "metalog between": {
        "family": "metalog",
        "quantiles": {"q05": 0.1, "q25": 0.2, "q50": 0.3, "q75": 0.38, "q95": 0.55, "q99": 0.7},
        "lower_bound": 0.0,
        "upper_bound": 1.0,
    },
    "normal by quantiles": {"family": "normal", "quantiles": {"q10": -1.0, "q50": 1.0, "q90": 4.0}},
    "lognormal by quantiles": {"family": "lognormal", "quantiles": THREE, "upper": 1.0},
    "beta by quantiles": {"family": "beta", "quantiles": THREE},
    "gamma by quantiles": {"family": "gamma", "quantiles": {"q02.5": 0.1, "q97.5": 4.0}},
    "categorical": {"family": "categorical", "weights": {"a": 1.0, "b": 2.5, "c": 0.5}},
    "one category": {"family": "categorical", "weights": {"a": 3.0}},
    "discrete_uniform": {"family": "discrete_uniform", "min": 1, "max": 20},
    "one number": {"family": "discrete_uniform", "min": -7, "max": -7},
    "pool": pool(RATE, SHARE),
    "pool, truncated": pool(RATE, SHARE, PERT, upper=0.3),
    "pool with a gap": pool(
        {"family": "uniform", "min": 0.0, "max": 1.0}, {"family": "uniform", "min": 2.0, "max": 3.0}
    ),
    "pool of all signs": pool(NORMAL, {"family": "triangular", "min": 1.0, "mode": 2.0, "max": 5.0}),
    "pool of tables": pool({"family": "empirical", "interpolation": "linear", **TABLE}, NORMAL),
    "pool of metalogs": pool({"family": "metalog", "quantiles": THREE, "lower_bound": 0.0, "upper_bound": 1.0}, SHARE),
    "pool of one": pool({**NORMAL, "lower": 0.5}),
    "pool of far ones": pool(NORMAL, {"family": "normal", "mean": 40.0, "sd": 0.1}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_kernel_equals_the_twin(name: str) -> None:
    d = declare(**FORMS[name])
    for u in UNIFORMS:
        assert drawn(d, u) == scalar_value(d, u), u


@pytest.mark.parametrize("name", FORMS)
def test_draws_rise_and_stay_inside(name: str) -> None:
    d = declare(**FORMS[name])
    values = np.array([drawn(d, float(u)) for u in np.sort([*UNIFORMS, *np.linspace(0.001, 0.999, 400)])])
    assert (np.diff(values) >= -1e-14 * np.abs(values[1:])).all()
    low, high = d.support()
    assert (values >= low - 1e-12 * abs(low if math.isfinite(low) else 0.0)).all()  # a table rounds at a cut
    assert (values <= high + 1e-12 * abs(high if math.isfinite(high) else 0.0)).all()


def test_far_from_every_tail_the_exact_quantile_is_met() -> None:
    """All families at once, between 1e-6 and 1 - 1e-6, by the slower exact function."""
    u = np.array([1e-6, 1e-4, 0.013, 0.1, 0.26, 0.45, 0.6, 0.81, 0.95, 0.999, 1.0 - 1e-6])
    for name, form in FORMS.items():
        d = declare(**form)
        exact = exact_quantile(d, u)
        scale = np.maximum(np.abs(exact), 1e-3)
        error = np.abs(np.array([drawn(d, float(x)) for x in u]) - exact) / scale
        assert error.max() < 2e-6, name
        if d.family != "pool":
            assert error.max() < 1e-9, name


# -- gamma -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [0.05, 0.3, 1.0, 2.5, 40.0, 1e4, 1e6])
def test_gamma_table_holds_both_tails(shape: float) -> None:
    """The oracle is the distribution function at the answer: |ln F - ln u| over d ln F / d ln q, the smaller tail."""
    d = declare(family="gamma", shape=shape, scale=1.0)
    for u in UNIFORMS:
        q = drawn(d, u)
        if q < 1e-290:  # the logarithm is held above that of the smallest double
            continue
        lower = u <= 0.5
        reached = special.gammainc(shape, q) if lower else special.gammaincc(shape, q)
        wanted = u if lower else 1.0 - u
        density = shape * math.log(q) - q - special.gammaln(shape)
        assert abs(math.log(reached) - math.log(wanted)) / math.exp(density - math.log(reached)) < 1e-9, u


def test_gamma_is_scipys() -> None:
    d = declare(family="gamma", shape=2.5, scale=3.0)
    for u in (1e-4, 0.01, 0.3, 0.5, 0.8, 0.99):
        assert drawn(d, u) == pytest.approx(stats.gamma(2.5, scale=3.0).ppf(u), rel=1e-11)
    mean, cv = 4.0, 0.5
    by_mean = stats.gamma(1.0 / cv**2, scale=mean * cv**2)
    assert by_mean.mean() == pytest.approx(mean)
    assert by_mean.std() / by_mean.mean() == pytest.approx(cv)
    assert drawn(declare(family="gamma", mean=mean, cv=cv), 0.9) == pytest.approx(by_mean.ppf(0.9), rel=1e-11)


def test_gamma_oracle_notices_a_shape_off_by_a_millionth() -> None:
    exact = gamma_logarithm(2.5, np.array([normal_quantile(0.3)]))[0]
    assert abs(exact - gamma_logarithm(2.5 * (1.0 + 1e-6), np.array([normal_quantile(0.3)]))[0]) > 1e-7


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"family": "gamma", "shape": 2e6, "scale": 1.0}, "limit of the shape 1e"),
        ({"family": "gamma", "shape": 0.002, "scale": 1e149}, "too extreme to tabulate"),
        ({"family": "gamma", "shape": 2.0, "scale": 1e-11}, "below .*limit 1e-09: a spike at zero"),
        ({"family": "gamma", "mean": 1.0, "cv": 6.0}, "a spike at zero"),
        ({"family": "beta", "alpha": 1.0, "beta": 1e10}, "distribution beta: half .*a spike at zero"),
        ({"family": "gamma", "shape": 2.0, "scale": 1.0, "lower": 60.0}, "leave a probability of"),
        ({"family": "gamma", "mean": 1.0, "cv": 1e-140}, "limit of the shape 1e"),
        ({"family": "gamma", "mean": 1.0, "cv": 1e140}, "a spike at zero"),
        ({"family": "gamma", "quantiles": {"q05": 1e-140, "q95": 1.0}}, "a spike at zero"),
        (
            pool({"family": "normal", "mean": 0.0, "sd": 1.0, "lower": 50.0}),
            "distribution pool: expert '[a-z0-9_]+': distribution normal: .* leave a probability of 0",
        ),
        (pool({"family": "gamma", "shape": 0.02, "scale": 1.0}), "distribution pool: expert .* a spike at zero"),
    ],
)
def test_what_cannot_be_tabulated_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        quantile_rule(declare(**fields))


def test_gamma_tables_are_shared_and_cannot_be_written() -> None:
    assert tabulate_gamma(2.0) is tabulate_gamma(2.0)
    with pytest.raises(ValueError, match="read-only"):
        tabulate_gamma(2.0)[0, 0] = 1.0


# -- tables of quantiles, metalogs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", ["pchip", "linear"])
def test_empirical_goes_through_its_table(interpolation: str) -> None:
    d = declare(family="empirical", interpolation=interpolation, **TABLE)
    for p, q in zip(TABLE["probabilities"][1:-1], TABLE["quantiles"][1:-1], strict=True):
        assert drawn(d, p) == pytest.approx(q, rel=1e-14, abs=1e-15)
    expected = np.interp(0.3, TABLE["probabilities"], TABLE["quantiles"])
    assert (drawn(d, 0.3) == pytest.approx(expected, rel=1e-14)) == (interpolation == "linear")


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"lower": 1.0}, [1.0, 1.0, 1.5, 2.0]),  # 0.3 of the remaining 0.6 stays at 1
        ({"lower": 0.5, "upper": 1.0}, [0.6875, 1.0, 1.0, 1.0]),
        ({"upper": 1.0}, [0.2625, 0.7875, 1.0, 1.0]),
    ],
)
def test_a_cut_at_a_value_with_probability_keeps_it(limits: dict[str, float], expected: list[float]) -> None:
    table = {"probabilities": [0, 0.4, 0.7, 1], "quantiles": [0, 1, 1, 2], "interpolation": "linear"}
    u = np.array([0.15, 0.45, 0.75, 1.0 - 2.0**-53])
    distribution = declare(family="empirical", **table, **limits)
    found = [drawn(distribution, each) for each in u]
    np.testing.assert_allclose(found, exact_quantile(distribution, u), rtol=1e-14)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_metalog_of_three_quantiles_has_keelins_coefficients() -> None:
    """Symmetric percentile triplet (Keelin 2016, section 4): a1 and a2 in closed form."""
    d = declare(family="metalog", quantiles={"q10": 1.0, "q50": 2.5, "q90": 6.0})
    a1, a2, a3 = d.coefficients()
    assert a1 == pytest.approx(2.5, rel=1e-13)
    assert a2 == pytest.approx((6.0 - 1.0) / (2.0 * math.log(9.0)), rel=1e-13)
    assert a3 == pytest.approx((6.0 + 1.0 - 2.0 * 2.5) / (2.0 * 0.4 * math.log(9.0)), rel=1e-13)
    assert [drawn(d, u) for u in (0.1, 0.5, 0.9)] == pytest.approx([1.0, 2.5, 6.0], rel=1e-13)


@pytest.mark.parametrize(
    "bounds", [{}, {"lower_bound": 0.0}, {"upper_bound": 2.0}, {"lower_bound": 0, "upper_bound": 1}]
)
def test_metalog_goes_through_its_quantiles(bounds: dict[str, float]) -> None:
    d = declare(family="metalog", quantiles=THREE, **bounds)
    assert [drawn(d, u) for u in (0.05, 0.5, 0.95)] == pytest.approx([0.1, 0.3, 0.4], rel=1e-12)


# -- pools -----------------------------------------------------------------------------------------------------------


def test_pool_is_the_root_of_the_weighted_distribution_functions() -> None:
    laws = [stats.lognorm(math.log(100.0) / (2.0 * stats.norm.ppf(0.95)), scale=0.01), stats.beta(2.0, 18.0)]
    d = declare(**pool(RATE, SHARE))
    for u in (1e-5, 0.002, 0.05, 0.3, 0.5, 0.77, 0.95, 0.9999):
        root = optimize.brentq(
            lambda x, u=u: (laws[0].cdf(x) + 2.0 * laws[1].cdf(x)) / 3.0 - u, 0.0, 50.0, xtol=1e-15, rtol=1e-14
        )
        assert drawn(d, u) == pytest.approx(root, rel=2e-7), u
        assert exact_quantile(d, np.array([u]))[0] == pytest.approx(root, rel=1e-9)
    swapped = declare(**pool(SHARE, RATE))
    assert abs(drawn(swapped, 0.5) / drawn(d, 0.5) - 1.0) > 0.1, "weights make no difference"


def test_pool_of_one_is_that_one() -> None:
    alone = declare(**NORMAL, lower=0.5)
    for u in (1e-6, 0.01, 0.4, 0.9, 1.0 - 1e-6):
        assert drawn(declare(**pool({**NORMAL, "lower": 0.5})), u) == pytest.approx(drawn(alone, u), rel=1e-7)


def test_pool_with_a_gap_jumps_over_it() -> None:
    d = declare(**FORMS["pool with a gap"])
    assert drawn(d, 1.0 / 3.0 - 1e-6) == pytest.approx(1.0, abs=1e-5)
    assert drawn(d, 1.0 / 3.0 + 1e-6) == pytest.approx(2.0, abs=1e-5)
    values = [drawn(d, float(u)) for u in np.linspace(0.33, 0.34, 2001)]
    assert not any(1.0 < value < 2.0 for value in values)


def test_equal_pools_share_their_table_whatever_their_truncation() -> None:
    rules = [quantile_rule(declare(**pool(RATE, SHARE, **limits))) for limits in ({}, {"upper": 0.4})]
    assert rules[0].table is rules[1].table
    assert rules[0].table is not quantile_rule(declare(**pool(SHARE, RATE))).table


# -- categories ------------------------------------------------------------------------------------------------------


def test_categories_take_their_stretch_of_the_uniform() -> None:
    d = declare(**FORMS["categorical"])
    edges = [0.25, 0.875]
    assert [drawn(d, u) for u in (SMALLEST, 0.25 - 1e-12, 0.25, 0.875 - 1e-12, 0.875, 1.0 - SMALLEST)] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
    assert [category(np.array(edges), 2, u) for u in (0.1, 0.25, 0.9)] == [0, 1, 2]
    assert d.categories == ("a", "b", "c")


def test_categories_and_numbers_are_as_frequent_as_they_should_be() -> None:
    """20,000 evenly spaced uniforms: every count is within one of n p."""
    n = 20_000
    for name, expected in (("categorical", [0.25, 0.625, 0.125]), ("discrete_uniform", [0.05] * 20)):
        d = declare(**FORMS[name])
        values = [drawn(d, (i + 0.5) / n) for i in range(n)]
        assert values == exact_quantile(d, (np.arange(n) + 0.5) / n).tolist()
        counts = np.unique(values, return_counts=True)[1]
        assert counts.size == len(expected)
        assert np.abs(counts - n * np.array(expected)).max() <= 1
