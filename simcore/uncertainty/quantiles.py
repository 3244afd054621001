"""Quantile functions as flat arrays: from a declared distribution to what the drawing kernel evaluates.

Closed forms are kept (uniform, triangular, normal, lognormal). A beta quantile costs up to a microsecond, more than all
the rest of a replicate when there are a hundred, so its *logit* is tabulated over the normal score z of the uniform at
`KNOTS` knots and interpolated by cubic Hermite pieces with the exact slope

    d logit(q) / dz = phi(z) / (f(q) q (1 - q)),

which keeps relative accuracy in both tails. `tabulate_beta` checks the table against the exact function between knots
and refuses a shape that it cannot hold to `TABLE_TOLERANCE`. `exact_quantile` is the oracle of the tests.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from simcore.errors import ScenarioError

CONSTANT, UNIFORM, TRIANGULAR, NORMAL, LOGNORMAL, BETA = range(6)

KNOTS = 4097
SCORE_LIMIT = 8.3  # beyond the score of the smallest uniform, 2**-53
TABLE_TOLERANCE = 1e-7  # relative, of q and of 1 - q
NO_TABLE = -1
LARGEST_UNIFORM = 1.0 - 2.0**-53  # truncation may round to one, where a quantile is infinite
_SCORES = np.linspace(-SCORE_LIMIT, SCORE_LIMIT, KNOTS)
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_SMALLEST_LOG = -690.0  # just above the logarithm of the smallest normal double

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class QuantileRule:
    """How one scalar follows from one uniform u.

    u is first mapped to ``lower + (upper - lower) u`` (truncation), then ``kind`` says what to do with the four
    ``arguments``; BETA reads ``table`` [2, KNOTS] (logit and its slope per knot spacing).
    """

    kind: int
    arguments: tuple[float, float, float, float]
    lower: float = 0.0
    upper: float = 1.0
    table: FloatArray | None = field(default=None, compare=False)


@np.errstate(all="ignore")  # shapes that overflow are found by the check of the table
def beta_logit(alpha: float, beta: float, scores: FloatArray) -> FloatArray:
    """Return logit of the Beta(alpha, beta) quantile at normal scores, accurate in both tails.

    scipy's inverse is off by up to 28 % (relative) at probabilities of 1e-16, so two Newton steps on the logarithm of
    the smaller tail polish it: t <- t - ln(I / Phi) I / (f q (1 - q)).
    """
    upper = scores > 0.0
    tail = -np.abs(scores)
    first, second = np.where(upper, beta, alpha), np.where(upper, alpha, beta)  # mirrored in the upper tail
    log_q = np.log(special.betaincinv(first, second, special.ndtr(tail)))
    log_q = np.maximum(log_q, _SMALLEST_LOG)
    logit = log_q - np.log1p(-np.minimum(np.exp(log_q), 1.0 - 2.0**-53))
    for _ in range(2):
        q = special.expit(logit)
        log_tail = np.log(special.betainc(first, second, q))
        log_q, log_rest = -np.logaddexp(0.0, -logit), -np.logaddexp(0.0, logit)
        log_density = first * log_q + second * log_rest - special.betaln(alpha, beta)
        step = (log_tail - special.log_ndtr(tail)) * np.exp(log_tail - log_density)
        logit = logit - np.where(np.isfinite(step) & (logit > _SMALLEST_LOG), np.clip(step, -1.0, 1.0), 0.0)
    result: FloatArray = np.where(upper, -logit, logit)
    return result


@np.errstate(all="ignore")
def _beta_logit_slope(alpha: float, beta: float, scores: FloatArray, logit: FloatArray) -> FloatArray:
    log_q, log_rest = -np.logaddexp(0.0, -logit), -np.logaddexp(0.0, logit)
    # 1 / (f q (1 - q)) times the normal density, in logarithms
    log_slope = -0.5 * scores**2 - _LOG_SQRT_2PI - (alpha * log_q + beta * log_rest - special.betaln(alpha, beta))
    flat = np.abs(logit) >= -_SMALLEST_LOG  # clipped: constant there
    slope: FloatArray = np.where(flat, 0.0, np.exp(np.minimum(log_slope, 300.0)))
    return slope


@functools.lru_cache(maxsize=512)
def tabulate_beta(alpha: float, beta: float) -> FloatArray:
    """Return the table of Beta(alpha, beta), float64 [2, KNOTS]: logit, and slope times knot spacing.

    Raises
    ------
    ScenarioError
        If the interpolated quantile is off by more than `TABLE_TOLERANCE` (relative) anywhere that matters; shapes with
        most of their mass at numerical zero or one are refused so.
    """
    spacing = _SCORES[1] - _SCORES[0]
    logit = beta_logit(alpha, beta, _SCORES)
    table = np.stack([logit, _beta_logit_slope(alpha, beta, _SCORES, logit) * spacing])
    probe = np.arange(KNOTS // 128, KNOTS - KNOTS // 128, 16)
    between = _SCORES[probe] + 0.5 * spacing
    interpolated = 0.5 * (table[0, probe] + table[0, probe + 1]) + 0.125 * (table[1, probe] - table[1, probe + 1])
    worst = float(np.max(np.abs(interpolated - beta_logit(alpha, beta, between))))
    if not worst < TABLE_TOLERANCE:
        raise ScenarioError(
            f"distribution beta(alpha={alpha:g}, beta={beta:g}): too extreme to tabulate (error of the logit "
            f"{worst:.1e}, limit {TABLE_TOLERANCE:g}); its mass sits at numerical 0 or 1"
        )
    table.setflags(write=False)
    return table


def stick_breaking_rules(weights: FloatArray) -> list[QuantileRule]:
    """Return the K - 1 beta rules whose sticks make Dirichlet(weights): component i ~ Beta(a_i, sum of a_j, j > i)."""
    remaining = np.cumsum(weights[::-1])[::-1]
    return [_beta_rule(float(weights[i]), float(remaining[i + 1]), 0.0, 1.0) for i in range(len(weights) - 1)]


def _beta_rule(alpha: float, beta: float, minimum: float, maximum: float) -> QuantileRule:
    return QuantileRule(BETA, (minimum, maximum, alpha, beta), table=tabulate_beta(alpha, beta))


def pert_shapes(minimum: float, mode: float, maximum: float, shape: float) -> tuple[float, float]:
    """Return (alpha, beta) of the PERT distribution: 1 + shape (mode - min) / (max - min), and its mirror."""
    width = maximum - minimum
    return 1.0 + shape * (mode - minimum) / width, 1.0 + shape * (maximum - mode) / width


def beta_shapes(distribution: Any) -> tuple[float, float]:
    """Return (alpha, beta) of a declared beta, given by its shapes or by mean and size (alpha + beta)."""
    if distribution.alpha is not None:
        return float(distribution.alpha), float(distribution.beta)
    return distribution.mean * distribution.size, (1.0 - distribution.mean) * distribution.size


def lognormal_parameters(distribution: Any) -> tuple[float, float]:
    """Return (mu, sigma) of a lognormal declared directly, by median and geometric SD, or by 5 and 95 % quantiles."""
    if distribution.mu is not None:
        return float(distribution.mu), float(distribution.sigma)
    if distribution.median is not None:
        return math.log(distribution.median), math.log(distribution.gsd)
    low, high = math.log(distribution.q05), math.log(distribution.q95)
    return (low + high) / 2.0, (high - low) / (2.0 * float(special.ndtri(0.95)))


def _untruncated_rule(distribution: Any) -> QuantileRule:
    d = distribution
    match d.family:
        case "fixed":
            return QuantileRule(CONSTANT, (d.value, 0.0, 0.0, 0.0))
        case "uniform":
            return QuantileRule(UNIFORM, (d.min, d.max, 0.0, 0.0))
        case "triangular":
            return QuantileRule(TRIANGULAR, (d.min, d.mode, d.max, 0.0))
        case "pert":
            alpha, beta = pert_shapes(d.min, d.mode, d.max, d.shape)
            return _beta_rule(alpha, beta, d.min, d.max)
        case "beta":
            return _beta_rule(*beta_shapes(d), 0.0, 1.0)
        case "lognormal":
            return QuantileRule(LOGNORMAL, (*lognormal_parameters(d), 0.0, 0.0))
        case "normal":
            return QuantileRule(NORMAL, (d.mean, d.sd, 0.0, 0.0))
        case "half_normal":
            return QuantileRule(NORMAL, (0.0, d.scale, 0.0, 0.0), lower=0.5)
    raise AssertionError(f"no quantile rule for the family {d.family}")


@dataclass(frozen=True)
class LognormalDistribution:
    """The two functions of scipy's ``lognorm`` that are needed here, bit for bit, without importing ``scipy.stats``."""

    sigma: float
    scale: float

    def cdf(self, x: float) -> float:
        """Return the probability of values up to ``x``."""
        return float(special.ndtr(np.log(x / self.scale) / self.sigma)) if x > 0.0 else 0.0

    def ppf(self, u: FloatArray) -> FloatArray:
        """Return the quantiles at ``u``."""
        quantiles: FloatArray = np.exp(self.sigma * special.ndtri(u)) * self.scale
        return quantiles


def frozen_distribution(distribution: Any) -> Any:
    """Return cdf and ppf of a declared scalar family, without truncation; None where it is a constant."""
    d = distribution
    if d.family == "lognormal":
        mu, sigma = lognormal_parameters(d)
        return LognormalDistribution(sigma, math.exp(mu)) if sigma > 0 else None
    if d.family == "fixed":
        return None
    from scipy import stats  # takes as long to import as half of all else in a short run

    match d.family:
        case "uniform":
            return stats.uniform(d.min, d.max - d.min)
        case "triangular":
            return stats.triang((d.mode - d.min) / (d.max - d.min), d.min, d.max - d.min)
        case "pert":
            return stats.beta(*pert_shapes(d.min, d.mode, d.max, d.shape), d.min, d.max - d.min)
        case "beta":
            return stats.beta(*beta_shapes(d))
        case "normal":
            return stats.norm(d.mean, d.sd) if d.sd > 0 else None
        case "half_normal":
            return stats.halfnorm(0.0, d.scale) if d.scale > 0 else None
    return None


def quantile_rule(distribution: Any) -> QuantileRule:
    """Return the rule of a declared scalar distribution (not a simplex), truncation included.

    Raises
    ------
    ScenarioError
        If the truncation leaves no probability, or the shape cannot be tabulated.
    """
    rule = _untruncated_rule(distribution)
    low, high = getattr(distribution, "lower", None), getattr(distribution, "upper", None)
    exact = frozen_distribution(distribution) if (low is not None or high is not None) else None
    if exact is None:
        return rule
    below = float(exact.cdf(low)) if low is not None else 0.0
    above = float(exact.cdf(high)) if high is not None else 1.0
    if not above - below > 1e-9:
        raise ScenarioError(
            f"distribution {distribution.family}: lower = {low} and upper = {high} leave a probability of "
            f"{above - below:g}, limit 1e-9"
        )
    width = rule.upper - rule.lower  # half-normal lives on the upper half of the normal
    return QuantileRule(rule.kind, rule.arguments, rule.lower + width * below, rule.lower + width * above, rule.table)


def exact_quantile(distribution: Any, u: FloatArray) -> FloatArray:
    """Return the exact quantiles of a declared scalar distribution at ``u``, truncation included (scipy; slow)."""
    exact = frozen_distribution(distribution)
    if exact is None:
        constant = {"fixed": "value", "normal": "mean"}.get(distribution.family)
        if constant is not None:
            value = float(getattr(distribution, constant))
        else:
            value = math.exp(lognormal_parameters(distribution)[0]) if distribution.family == "lognormal" else 0.0
        return np.full_like(u, value)
    low, high = getattr(distribution, "lower", None), getattr(distribution, "upper", None)
    below = exact.cdf(low) if low is not None else 0.0
    above = exact.cdf(high) if high is not None else 1.0
    result: FloatArray = exact.ppf(np.minimum(below + (above - below) * u, LARGEST_UNIFORM))
    return result
