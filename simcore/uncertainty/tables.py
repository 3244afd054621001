"""Tables of beta and gamma quantiles over the normal score of the uniform.

An exact quantile costs up to a microsecond, more than all the rest of a replicate when there are a hundred. So the
*logit* of a beta quantile and the *logarithm* of a gamma quantile are tabulated over the normal score z of the uniform
at `KNOTS` knots and interpolated by cubic Hermite pieces with the exact slopes

    d logit(q) / dz = phi(z) / (f(q) q (1 - q)),        d ln(q) / dz = phi(z) / (f(q) q),

which keeps relative accuracy in the tails. A table is compared with the exact function between its knots when it is
made, and a shape that it cannot hold to `TABLE_TOLERANCE` is refused.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

from simcore.errors import ScenarioError
from simcore.uncertainty.quantile_kernels import KNOTS, SCORE_LIMIT

TABLE_TOLERANCE = 1e-7  # relative, of q and, of a beta, of 1 - q
LARGEST_SHAPE = 1e6  # of a gamma
_FAR_OUT = -6.0  # a billionth
_SCORES = np.linspace(-SCORE_LIMIT, SCORE_LIMIT, KNOTS)
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_SMALLEST_LOG = -690.0  # just above the logarithm of the smallest normal double

FloatArray = npt.NDArray[np.float64]


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


def _make_table(
    logarithm: Callable[[FloatArray], FloatArray], slope: Callable[[FloatArray], FloatArray], what: str, unit: str
) -> FloatArray:
    """Return logarithms (or logits) at the knots and their slopes times the knot spacing; checked between knots."""
    spacing = _SCORES[1] - _SCORES[0]
    values = logarithm(_SCORES)
    table = np.stack([values, slope(values) * spacing])
    probe = np.arange(KNOTS // 128, KNOTS - KNOTS // 128, 16)
    between = _SCORES[probe] + 0.5 * spacing
    interpolated = 0.5 * (table[0, probe] + table[0, probe + 1]) + 0.125 * (table[1, probe] - table[1, probe + 1])
    worst = float(np.max(np.abs(interpolated - logarithm(between))))
    if not worst < TABLE_TOLERANCE:
        raise ScenarioError(
            f"distribution {what}: too extreme to tabulate (error of the {unit} "
            f"{worst:.1e}, limit {TABLE_TOLERANCE:g}); its mass sits at numerical 0 or 1"
        )
    table.setflags(write=False)
    return table


@functools.lru_cache(maxsize=512)
def tabulate_beta(alpha: float, beta: float) -> FloatArray:
    """Return the table of Beta(alpha, beta), float64 [2, KNOTS]: logit, and slope times knot spacing.

    Raises
    ------
    ScenarioError
        If the interpolated quantile is off by more than `TABLE_TOLERANCE` (relative) anywhere that matters; shapes with
        most of their mass at numerical zero or one are refused so.
    """
    return _make_table(
        lambda scores: beta_logit(alpha, beta, scores),
        lambda logit: _beta_logit_slope(alpha, beta, _SCORES, logit),
        f"beta(alpha={alpha:g}, beta={beta:g})",
        "logit",
    )


@np.errstate(all="ignore")  # shapes that overflow are found by the check of the table
def gamma_logarithm(shape: float, scores: FloatArray) -> FloatArray:
    """Return ln of the Gamma(shape, 1) quantile at normal scores, accurate in both tails.

    Two Newton steps on the logarithm of the smaller tail polish scipy's inverse: t <- t -+ ln(tail / Phi) tail / (f q).
    Where scipy's inverse is zero, the power law of the lower tail, F(q) = q^shape / Gamma(shape + 1), is exact.
    """
    upper = scores > 0.0
    tail = -np.abs(scores)
    mass, log_mass = special.ndtr(tail), special.log_ndtr(tail)
    log_q = np.log(np.where(upper, special.gammainccinv(shape, mass), special.gammaincinv(shape, mass)))
    power_law = (log_mass + special.gammaln(shape + 1.0)) / shape
    log_q = np.where(log_q < _SMALLEST_LOG, power_law, log_q)
    for _ in range(2):
        q = np.exp(log_q)
        log_tail = np.log(np.where(upper, special.gammaincc(shape, q), special.gammainc(shape, q)))
        log_density = shape * log_q - q - special.gammaln(shape)
        step = np.where(upper, -1.0, 1.0) * (log_tail - log_mass) * np.exp(log_tail - log_density)
        log_q = log_q - np.where(np.isfinite(step) & (log_q > _SMALLEST_LOG), np.clip(step, -1.0, 1.0), 0.0)
    return np.maximum(log_q, _SMALLEST_LOG)


@np.errstate(all="ignore")
def _gamma_slope(shape: float, log_q: FloatArray) -> FloatArray:
    log_slope = -0.5 * _SCORES**2 - _LOG_SQRT_2PI - (shape * log_q - np.exp(log_q) - special.gammaln(shape))
    slope: FloatArray = np.where(log_q <= _SMALLEST_LOG, 0.0, np.exp(np.minimum(log_slope, 300.0)))
    return slope


@functools.lru_cache(maxsize=512)
def tabulate_gamma(shape: float) -> FloatArray:
    """Return the table of Gamma(shape, 1), float64 [2, KNOTS]: logarithm, and slope times knot spacing.

    Raises
    ------
    ScenarioError
        If the interpolated quantile is off by more than `TABLE_TOLERANCE` (relative), or the shape is above
        `LARGEST_SHAPE`, beyond which the distribution function itself is not accurate enough.
    """
    if shape > LARGEST_SHAPE:
        raise ScenarioError(
            f"distribution gamma(shape={shape:g}): too extreme to tabulate (limit of the shape {LARGEST_SHAPE:g}); "
            "a normal is the same"
        )
    if gamma_logarithm(shape, np.array([_FAR_OUT]))[0] <= _SMALLEST_LOG:
        raise ScenarioError(
            f"distribution gamma(shape={shape:g}): too extreme to tabulate; its mass sits at numerical 0"
        )
    return _make_table(
        lambda scores: gamma_logarithm(shape, scores),
        lambda log_q: _gamma_slope(shape, log_q),
        f"gamma(shape={shape:g})",
        "logarithm",
    )
