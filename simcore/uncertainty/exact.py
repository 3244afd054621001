"""The exact law of every declared family, and its exact quantiles with truncation: the oracle of all tables."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from simcore.uncertainty.laws import GammaLaw, Law, LognormalLaw, MetalogLaw, PiecewiseLaw, TruncatedLaw
from simcore.uncertainty.pools import PoolLaw
from simcore.uncertainty.quantile_kernels import LARGEST_UNIFORM

FloatArray = npt.NDArray[np.float64]


def pert_shapes(minimum: float, mode: float, maximum: float, shape: float) -> tuple[float, float]:
    """Return (alpha, beta) of the PERT distribution: 1 + shape (mode - min) / (max - min), and its mirror."""
    width = maximum - minimum
    return 1.0 + shape * (mode - minimum) / width, 1.0 + shape * (maximum - mode) / width


def beta_shapes(distribution: Any) -> tuple[float, float]:
    """Return (alpha, beta) of a declared beta: its shapes, mean and size (alpha + beta), or a fit to quantiles."""
    d = distribution
    if d.quantiles is not None:
        return d.fitted()
    if d.alpha is not None:
        return float(d.alpha), float(d.beta)
    return d.mean * d.size, (1.0 - d.mean) * d.size


def gamma_parameters(distribution: Any) -> tuple[float, float]:
    """Return (shape, scale) of a declared gamma: as such, by mean and coefficient of variation, or by a fit."""
    d = distribution
    if d.quantiles is not None:
        return d.fitted()
    if d.shape is not None:
        return float(d.shape), float(d.scale)
    return 1.0 / d.cv**2, d.mean * d.cv**2


def lognormal_parameters(distribution: Any) -> tuple[float, float]:
    """Return (mu, sigma) of a declared lognormal: as such, by median and geometric SD, or by quantiles."""
    d = distribution
    if d.quantiles is not None:
        return d.fitted()
    if d.mu is not None:
        return float(d.mu), float(d.sigma)
    if d.median is not None:
        return math.log(d.median), math.log(d.gsd)
    low, high = math.log(d.q05), math.log(d.q95)
    return (low + high) / 2.0, (high - low) / (2.0 * float(special.ndtri(0.95)))


def normal_parameters(distribution: Any) -> tuple[float, float]:
    """Return (mean, sd) of a declared normal, given or fitted to quantiles."""
    d = distribution
    return d.fitted() if d.quantiles is not None else (d.mean, d.sd)


@functools.lru_cache(maxsize=512)
def piecewise_law(probabilities: tuple[float, ...], quantiles: tuple[float, ...], interpolation: str) -> PiecewiseLaw:
    """Return the law of an empirical table: straight, or with the slopes of Fritsch and Butland (1984; PCHIP)."""
    p, q = np.array(probabilities), np.array(quantiles)
    if interpolation == "linear" or p.size == 2:
        slope = np.diff(q) / np.diff(p)
        return PiecewiseLaw(p, q, slope, slope)
    from scipy.interpolate import PchipInterpolator

    slopes: FloatArray = PchipInterpolator(p, q).derivative()(p)
    return PiecewiseLaw(p, q, slopes[:-1], slopes[1:])


def pool_weights(distribution: Any) -> tuple[float, ...]:
    """Return the weights of a pool's experts, scaled to sum one."""
    weights = [expert.weight for expert in distribution.experts.values()]
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)


def pool_law(distribution: Any) -> PoolLaw:
    """Return the mixture of a declared pool, its own truncation left out."""
    laws = tuple(exact_law(expert.distribution) for expert in distribution.experts.values())
    present = tuple(law for law in laws if law is not None)
    return PoolLaw(pool_weights(distribution), present, distribution.untruncated_support()[0] == 0.0)


def frozen_distribution(distribution: Any) -> Law | None:
    """Return the law of a declared scalar family, without truncation; None where it is a constant or a category."""
    d = distribution
    law: Law | None = None
    match d.family:
        case "lognormal":
            mu, sigma = lognormal_parameters(d)
            return LognormalLaw(sigma, math.exp(mu)) if sigma > 0 else None
        case "gamma":
            return GammaLaw(*gamma_parameters(d))
        case "empirical":
            spread = d.quantiles[0] < d.quantiles[-1]
            return piecewise_law(d.probabilities, d.quantiles, d.interpolation) if spread else None
        case "metalog":
            return MetalogLaw(d.coefficients(), *d.untruncated_support())
        case "pool":
            return pool_law(d)
        case "fixed" | "categorical" | "discrete_uniform":
            return None
    from scipy import stats  # takes as long to import as half of all else in a short run

    match d.family:
        case "uniform":
            law = stats.uniform(d.min, d.max - d.min)
        case "triangular":
            law = stats.triang((d.mode - d.min) / (d.max - d.min), d.min, d.max - d.min)
        case "pert":
            law = stats.beta(*pert_shapes(d.min, d.mode, d.max, d.shape), d.min, d.max - d.min)
        case "beta":
            law = stats.beta(*beta_shapes(d))
        case "normal":
            mean, sd = normal_parameters(d)
            law = stats.norm(mean, sd) if sd > 0 else None
        case "half_normal":
            law = stats.halfnorm(0.0, d.scale) if d.scale > 0 else None
    return law


def exact_law(distribution: Any) -> Law | None:
    """Return the law of a declared scalar family, truncation included; None where it is a constant or a category."""
    law = frozen_distribution(distribution)
    low, high = getattr(distribution, "lower", None), getattr(distribution, "upper", None)
    if law is None or (low is None and high is None):
        return law
    return TruncatedLaw(law, -math.inf if low is None else low, math.inf if high is None else high)


def cumulative_weights(weights: tuple[float, ...]) -> FloatArray:
    """Return the probabilities that the category is at most k, float64 [K]."""
    cumulative: FloatArray = np.cumsum(np.array(weights)) / math.fsum(weights)
    return cumulative


def constant_value(distribution: Any) -> float:
    """Return the one value of a scalar without spread."""
    d = distribution
    match d.family:
        case "fixed":
            return float(d.value)
        case "normal":
            return float(d.mean)
        case "lognormal":
            return math.exp(lognormal_parameters(d)[0])
        case "empirical":
            return float(d.quantiles[0])
    return 0.0


def kept_probabilities(distribution: Any, law: Law) -> tuple[float, float]:
    """Return P(X < lower) and P(X <= upper) of a declared scalar whose law without truncation is ``law``.

    A value with a probability of its own, which tables with equal quantiles have, stays if it is at either end.
    """
    d = distribution
    low, high = getattr(d, "lower", None), getattr(d, "upper", None)
    below = float(law.cdf(low)) if low is not None else 0.0
    if d.family == "empirical" and d.quantiles.count(low) > 1:
        below = d.probabilities[d.quantiles.index(low)]
    return below, float(law.cdf(high)) if high is not None else 1.0


def exact_quantile(distribution: Any, u: FloatArray) -> FloatArray:
    """Return the exact quantiles of a declared scalar distribution at ``u``, truncation included (scipy; slow)."""
    d = distribution
    if d.family == "categorical":
        cumulative = cumulative_weights(tuple(d.weights.values()))
        return np.searchsorted(cumulative[:-1], u, side="right").astype(np.float64)
    if d.family == "discrete_uniform":
        count = d.max - d.min + 1
        return d.min + np.minimum(np.floor(count * u), count - 1.0)
    exact = frozen_distribution(d)
    if exact is None:
        return np.full_like(u, constant_value(d))
    below, above = kept_probabilities(d, exact)
    result: FloatArray = exact.ppf(np.minimum(below + (above - below) * u, LARGEST_UNIFORM))
    return result
