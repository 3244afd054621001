"""Logarithms of densities and probabilities of declared distributions, for re-weighting what was drawn from them.

A continuous family has a density, truncation included; a category and a whole number have a probability; what is fixed
has probability one at its value. Two of a kind can be compared by their ratio, a density and a probability cannot.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from simcore.errors import ScenarioError
from simcore.uncertainty.exact import constant_value, exact_law

FloatArray = npt.NDArray[np.float64]

_SUM_TOLERANCE = 1e-9


def log_density(distribution: Any, value: npt.ArrayLike) -> FloatArray:
    """Return the logarithm of the density, or probability, of a declared distribution.

    Parameters
    ----------
    distribution : a class of `simcore.scenario.distributions`
        Any but a switch.
    value : float [n], or float [n, K] of a simplex of K components in their order
        Where; a category by its index.

    Returns
    -------
    float64 [n]
        -inf outside the support. Of a Dirichlet: the density of its first K - 1 components.

    Raises
    ------
    ScenarioError
        If the distribution is a switch, which has no density of its own, or a table of quantiles of which some are
        equal: such a value has a probability, others a density.
    """
    d = distribution
    x = np.asarray(value, dtype=np.float64)
    match d.family:
        case "switch":
            raise ScenarioError("distribution switch: has no density of its own; take those of its cases")
        case "dirichlet":
            return _dirichlet(np.array(d.weights()), x)
        case "fixed_shares":
            shares = np.array(list(d.shares.values()))
            return _sure(np.abs(x - shares / shares.sum()).max(axis=-1) <= _SUM_TOLERANCE)
        case "categorical":
            return _category(tuple(d.weights.values()), x)
        case "discrete_uniform":
            inside = (x == np.floor(x)) & (x >= d.min) & (x <= d.max)
            return np.where(inside, -math.log(d.max - d.min + 1), -np.inf)
        case "empirical" if d.has_atoms and d.quantiles[0] < d.quantiles[-1]:
            raise ScenarioError("distribution empirical: has no density where two quantiles are equal")
    law = exact_law(d)
    if law is None:
        return _sure(x == constant_value(d))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(law.logpdf(x), dtype=np.float64)


def _sure(hit: npt.NDArray[np.bool_]) -> FloatArray:
    return np.where(hit, 0.0, -np.inf)


def _category(weights: tuple[float, ...], x: FloatArray) -> FloatArray:
    logs = np.log(np.array(weights) / math.fsum(weights))
    inside = (x == np.floor(x)) & (x >= 0.0) & (x < logs.size)
    return np.where(inside, logs[np.where(inside, x, 0.0).astype(np.int64)], -np.inf)


def _dirichlet(weights: FloatArray, x: FloatArray) -> FloatArray:
    constant = special.gammaln(weights.sum()) - special.gammaln(weights).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        log = constant + special.xlogy(weights - 1.0, np.maximum(x, 0.0)).sum(axis=-1)
    inside = (x >= 0.0).all(axis=-1) & (np.abs(x.sum(axis=-1) - 1.0) <= _SUM_TOLERANCE)
    return np.where(inside, log, -np.inf)
