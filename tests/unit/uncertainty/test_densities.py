"""Densities: they integrate to one, agree with scipy, and are the slope of the distribution function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simcore.errors import ScenarioError
from simcore.uncertainty.densities import log_density
from simcore.uncertainty.exact import exact_law, exact_quantile
from tests.unit.uncertainty.test_families import FORMS, declare, pool

OTHERS: dict[str, dict[str, Any]] = {
    "uniform": {"family": "uniform", "min": -1.0, "max": 3.0, "lower": 0.0},
    "triangular": {"family": "triangular", "min": 0.0, "mode": 1.0, "max": 3.0, "upper": 2.0},
    "pert": {"family": "pert", "min": 0.0, "mode": 1.0, "max": 3.0},
    "beta": {"family": "beta", "alpha": 2.0, "beta": 5.0, "lower": 0.1, "upper": 0.6},
    "lognormal": {"family": "lognormal", "q05": 0.1, "q95": 2.0, "upper": 3.0},
    "normal": {"family": "normal", "mean": 1.0, "sd": 2.0, "lower": 4.0},
    "half_normal": {"family": "half_normal", "scale": 2.0, "lower": 0.5},
}
DISCRETE = {"categorical", "one category", "discrete_uniform", "one number"}
CONTINUOUS = OTHERS | {name: form for name, form in FORMS.items() if name not in DISCRETE | {"empirical with an atom"}}
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_density_integrates_to_one(name: str) -> None:
    """Gauss-Legendre between exact quantiles from 1e-7 to 1 - 1e-7, evenly spaced values and corners."""
    d = declare(**CONTINUOUS[name])
    corners = [corner for corner in (-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0) if d.support()[0] < corner < d.support()[1]]
    tail = np.geomspace(1e-7, 0.02, 100)
    values = exact_quantile(d, np.concatenate([tail, np.linspace(0.02, 0.98, 200), 1.0 - tail]))
    edges = np.unique([*values, *np.linspace(values[0], values.max(), 400), *corners])
    half = np.diff(edges)[:, np.newaxis] / 2.0
    nodes = edges[:-1, np.newaxis] + half * (NODES + 1.0)
    total = float((np.exp(log_density(d, nodes.ravel())).reshape(nodes.shape) * WEIGHTS * half).sum())
    assert total == pytest.approx(1.0 - 2e-7, abs=2e-5)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_density_is_the_slope_of_the_distribution_function(name: str) -> None:
    d = declare(**CONTINUOUS[name])
    law = exact_law(d)
    assert law is not None
    u = np.array([0.03, 0.21, 0.4142, 0.68, 0.93])
    x = exact_quantile(d, u)
    step = 1e-3 * (exact_quantile(d, u + 1e-3) - exact_quantile(d, u - 1e-3))
    slope = (np.asarray(law.cdf(x + step)) - np.asarray(law.cdf(x - step))) / (2.0 * step)
    assert np.exp(log_density(d, x)) == pytest.approx(slope, rel=2e-4)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_outside_the_support_is_nothing(name: str) -> None:
    d = declare(**CONTINUOUS[name])
    low, high = d.support()
    outside = [low - 1e-6] * math.isfinite(low) + [high + 1e-6] * math.isfinite(high)
    assert (log_density(d, outside) == -np.inf).all()


def test_density_is_scipys() -> None:
    x = np.array([-0.5, 0.05, 0.3, 0.9, 1.7, 6.0])
    normal = stats.norm(1.0, 2.0)
    cut = np.where(x >= 0.2, normal.logpdf(x) - normal.logsf(0.2), -np.inf)
    assert log_density(declare(family="normal", mean=1.0, sd=2.0, lower=0.2), x) == pytest.approx(cut, rel=1e-12)
    gamma = declare(family="gamma", shape=2.5, scale=3.0)
    assert log_density(gamma, x[1:]) == pytest.approx(stats.gamma(2.5, scale=3.0).logpdf(x[1:]), rel=1e-12)
    lognormal = declare(family="lognormal", mu=-1.0, sigma=0.7)
    assert log_density(lognormal, x[1:]) == pytest.approx(stats.lognorm(0.7, scale=math.exp(-1.0)).logpdf(x[1:]))
    two = declare(**pool({"family": "normal", "mean": 0.0, "sd": 1.0}, {"family": "normal", "mean": 3.0, "sd": 0.5}))
    mixture = (stats.norm(0.0, 1.0).pdf(x) + 2.0 * stats.norm(3.0, 0.5).pdf(x)) / 3.0
    assert log_density(two, x) == pytest.approx(np.log(mixture), rel=1e-12)


def test_dirichlet_density() -> None:
    weights, shares = (
        [3.0, 0.6, 1.5],
        np.array([[0.5, 0.2, 0.3], [0.9, 0.05, 0.05], [0.5, 0.5, 0.1], [1.2, -0.1, -0.1]]),
    )
    d = declare(family="dirichlet", alpha=dict(zip("abc", weights, strict=True)))
    expected = [stats.dirichlet(weights).logpdf(row) for row in shares[:2]]
    assert log_density(d, shares)[:2] == pytest.approx(expected, rel=1e-12)
    assert log_density(d, shares)[2:].tolist() == [-np.inf, -np.inf]
    by_means = declare(family="dirichlet", means={"a": 0.4, "b": 0.6}, concentration=5.0)
    assert log_density(by_means, [[0.3, 0.7]])[0] == pytest.approx(stats.beta(2.0, 3.0).logpdf(0.3), rel=1e-12)


def test_probabilities_of_what_is_counted_or_fixed() -> None:
    logs = log_density(declare(**FORMS["categorical"]), [0, 1, 2, 3, -1, 0.5])
    assert np.exp(logs).tolist() == pytest.approx([0.25, 0.625, 0.125, 0.0, 0.0, 0.0], abs=1e-16)
    logs = log_density(declare(**FORMS["discrete_uniform"]), [0, 1, 20, 21, 7.5])
    assert np.exp(logs).tolist() == pytest.approx([0.0, 0.05, 0.05, 0.0, 0.0], abs=1e-16)
    assert log_density(declare(family="fixed", value=2.0), [2.0, 2.1]).tolist() == [0.0, -np.inf]
    assert log_density(declare(family="normal", mean=2.0, sd=0.0), [2.0, 2.1]).tolist() == [0.0, -np.inf]
    shares = declare(family="fixed_shares", shares={"a": 0.2, "b": 0.8})
    assert log_density(shares, [[0.2, 0.8], [0.3, 0.7]]).tolist() == [0.0, -np.inf]


def test_what_has_no_density() -> None:
    with pytest.raises(ScenarioError, match="switch: has no density of its own"):
        log_density(declare(family="switch", on="form", cases={"a": "x"}), [0.0])
    with pytest.raises(ScenarioError, match="no density where two quantiles are equal"):
        log_density(declare(**FORMS["empirical with an atom"]), [0.5])
