"""Exact laws of declared distributions: distribution function, quantiles and density, slow and for any family.

They place truncations, make tables of pooled opinions, give densities, and are the oracle of the tests. Families that
scipy has come from scipy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import special

from simcore.scenario.distributions.metalog import from_line, line_at, line_slope, polynomials, to_line
from simcore.uncertainty.quantile_kernels import LARGEST_UNIFORM
from simcore.uncertainty.tables import gamma_logarithm

FloatArray = npt.NDArray[np.float64]
Values = Any  # a float or an array; what comes back has the same shape

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_BISECTIONS = 64


class Law(Protocol):
    """A continuous distribution of one number; the signatures are those of scipy."""

    def cdf(self, x: Values, /) -> Any:
        """Return the probability of values up to ``x``."""
        ...

    def sf(self, x: Values, /) -> Any:
        """Return the probability of values above ``x``."""
        ...

    def ppf(self, u: Values, /) -> Any:
        """Return the quantiles at ``u``."""
        ...

    def logpdf(self, x: Values, /) -> Any:
        """Return the logarithm of the density, -inf outside the support."""
        ...


@dataclass(frozen=True)
class LognormalLaw:
    """The functions of scipy's ``lognorm`` that are needed here, bit for bit, without importing ``scipy.stats``."""

    sigma: float
    scale: float

    def _score(self, x: Values) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(x, 0.0) / self.scale) / self.sigma

    def cdf(self, x: Values) -> Any:
        """Return the probability of values up to ``x``."""
        return special.ndtr(self._score(x))

    def sf(self, x: Values) -> Any:
        """Return the probability of values above ``x``."""
        return special.ndtr(-self._score(x))

    def ppf(self, u: Values) -> Any:
        """Return the quantiles at ``u``."""
        return np.exp(self.sigma * special.ndtri(u)) * self.scale

    def logpdf(self, x: Values) -> Any:
        """Return the logarithm of the density."""
        inside = np.maximum(x, 1e-308)
        log = -0.5 * self._score(inside) ** 2 - np.log(inside) - math.log(self.sigma) - _LOG_SQRT_2PI
        return np.where(np.asarray(x) > 0.0, log, -np.inf)


@dataclass(frozen=True)
class GammaLaw:
    """Gamma by shape and scale, with quantiles that are accurate in both tails."""

    shape: float
    scale: float

    def cdf(self, x: Values) -> Any:
        """Return the probability of values up to ``x``."""
        return special.gammainc(self.shape, np.maximum(x, 0.0) / self.scale)

    def sf(self, x: Values) -> Any:
        """Return the probability of values above ``x``."""
        return special.gammaincc(self.shape, np.maximum(x, 0.0) / self.scale)

    def ppf(self, u: Values) -> Any:
        """Return the quantiles at ``u``."""
        u = np.asarray(u, dtype=np.float64)
        score = np.where(u > 0.5, -special.ndtri(1.0 - u), special.ndtri(u))
        return self.scale * np.exp(gamma_logarithm(self.shape, score))

    def logpdf(self, x: Values) -> Any:
        """Return the logarithm of the density."""
        inside = np.maximum(x, 1e-308) / self.scale
        log = (self.shape - 1.0) * np.log(inside) - inside - special.gammaln(self.shape) - math.log(self.scale)
        return np.where(np.asarray(x) > 0.0, log, -np.inf)


@dataclass(frozen=True)
class PiecewiseLaw:
    """A table of quantiles: cubic Hermite pieces over the probability, with slopes dq/dp at both ends of each."""

    probabilities: FloatArray
    quantiles: FloatArray
    slopes_left: FloatArray
    slopes_right: FloatArray

    def ppf(self, u: Values) -> Any:
        """Return the quantiles at ``u``."""
        value, _ = self._at(np.asarray(u, dtype=np.float64))
        return value

    def _at(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return quantile and its slope."""
        p, q = self.probabilities, self.quantiles
        piece = np.clip(np.searchsorted(p, u, side="right") - 1, 0, p.size - 2)
        width = p[piece + 1] - p[piece]
        t = np.clip((u - p[piece]) / width, 0.0, 1.0)
        s, left, right = 1.0 - t, self.slopes_left[piece], self.slopes_right[piece]
        value = s * s * ((1.0 + 2.0 * t) * q[piece] + t * width * left)
        value = value + t * t * ((3.0 - 2.0 * t) * q[piece + 1] - s * width * right)
        slope = 6.0 * s * t * (q[piece + 1] - q[piece]) / width + s * (s - 2.0 * t) * left + t * (t - 2.0 * s) * right
        return np.clip(value, q[piece], q[piece + 1]), slope

    def cdf(self, x: Values) -> Any:
        """Return the probability of values up to ``x``: the largest u whose quantile is not above it."""
        x = np.asarray(x, dtype=np.float64)
        piece = np.clip(np.searchsorted(self.quantiles, x, side="right") - 1, 0, self.quantiles.size - 2)
        low, high = self.probabilities[piece], self.probabilities[piece + 1]
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            above = self._at(middle)[0] > x
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        inside = np.where(x >= self.quantiles[-1], 1.0, high)
        return np.where(x < self.quantiles[0], 0.0, inside)

    def sf(self, x: Values) -> Any:
        """Return the probability of values above ``x``."""
        return 1.0 - self.cdf(x)

    def logpdf(self, x: Values) -> Any:
        """Return the logarithm of the density: that of one over the slope of the quantile function."""
        x = np.asarray(x, dtype=np.float64)
        outside = (x < self.quantiles[0]) | (x > self.quantiles[-1])
        with np.errstate(divide="ignore"):
            return np.where(outside, -np.inf, -np.log(np.maximum(self._at(np.asarray(self.cdf(x)))[1], 0.0)))


@dataclass(frozen=True)
class MetalogLaw:
    """Metalog by its coefficients and ends (`simcore.scenario.distributions.metalog`)."""

    coefficients: tuple[float, ...]
    lowest: float
    highest: float

    def ppf(self, u: Values) -> Any:
        """Return the quantiles at ``u``."""
        u = np.asarray(u, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = from_line(line_at(self.coefficients, u), self.lowest, self.highest)
        return np.where(u <= 0.0, self.lowest, np.where(u >= 1.0, self.highest, values))

    def _logit(self, x: FloatArray) -> FloatArray:
        """Return L = ln(u / (1 - u)) of values inside the support, by bisection."""
        with np.errstate(divide="ignore"):
            line = to_line(x, self.lowest, self.highest)
        low, high = np.full(line.shape, -700.0), np.full(line.shape, 700.0)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            above = _metalog_line(self.coefficients, middle) > line
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return 0.5 * (low + high)

    def _inside(self, x: Values) -> tuple[FloatArray, FloatArray]:
        x = np.asarray(x, dtype=np.float64)
        inside = (x > self.lowest) & (x < self.highest)
        return inside, self._logit(np.where(inside, x, self.ppf(0.5)))

    def cdf(self, x: Values) -> Any:
        """Return the probability of values up to ``x``."""
        inside, logit = self._inside(x)
        return np.where(inside, special.expit(logit), np.where(np.asarray(x) >= self.highest, 1.0, 0.0))

    def sf(self, x: Values) -> Any:
        """Return the probability of values above ``x``."""
        inside, logit = self._inside(x)
        return np.where(inside, special.expit(-logit), np.where(np.asarray(x) >= self.highest, 0.0, 1.0))

    def logpdf(self, x: Values) -> Any:
        """Return the logarithm of the density u (1 - u) / (dM/dL) dM/dx."""
        inside, logit = self._inside(x)
        log = special.log_expit(logit) + special.log_expit(-logit) - np.log(line_slope(self.coefficients, logit))
        value = np.where(inside, x, self.ppf(0.5))
        if math.isfinite(self.lowest):
            log = log - np.log(value - self.lowest)
        if math.isfinite(self.highest):
            log = log - np.log(self.highest - value)
        if math.isfinite(self.lowest) and math.isfinite(self.highest):
            log = log + math.log(self.highest - self.lowest)
        return np.where(inside, log, -np.inf)


def _metalog_line(coefficients: Sequence[float], logit: FloatArray) -> FloatArray:
    plain, with_logit = polynomials(coefficients)
    centred = 0.5 * np.tanh(0.5 * logit)
    evaluate = np.polynomial.polynomial.polyval
    line: FloatArray = evaluate(centred, plain) + logit * evaluate(centred, with_logit)
    return line


@dataclass(frozen=True)
class TruncatedLaw:
    """A law cut to [lowest, highest] and scaled up."""

    whole: Law
    lowest: float
    highest: float

    @property
    def below(self) -> float:
        """Probability that is cut off below."""
        return float(self.whole.cdf(self.lowest)) if math.isfinite(self.lowest) else 0.0

    @property
    def above(self) -> float:
        """Probability up to the upper end."""
        return float(self.whole.cdf(self.highest)) if math.isfinite(self.highest) else 1.0

    @property
    def mass(self) -> float:
        """Probability that is left; by the upper tail where that is more accurate."""
        if self.below <= 0.5:
            return self.above - self.below
        beyond = float(self.whole.sf(self.highest)) if math.isfinite(self.highest) else 0.0
        return float(self.whole.sf(self.lowest)) - beyond

    def cdf(self, x: Values) -> Any:
        """Return the probability of values up to ``x``."""
        inside = np.clip(x, self.lowest, self.highest)
        if self.below <= 0.5:
            return np.clip((self.whole.cdf(inside) - self.below) / self.mass, 0.0, 1.0)
        return np.clip((self.whole.sf(self.lowest) - self.whole.sf(inside)) / self.mass, 0.0, 1.0)

    def sf(self, x: Values) -> Any:
        """Return the probability of values above ``x``."""
        inside = np.clip(x, self.lowest, self.highest)
        beyond = self.whole.sf(self.highest) if math.isfinite(self.highest) else 0.0
        return np.clip((self.whole.sf(inside) - beyond) / self.mass, 0.0, 1.0)

    def ppf(self, u: Values) -> Any:
        """Return the quantiles at ``u``, held to the ends."""
        mapped = np.minimum(self.below + (self.above - self.below) * np.asarray(u, dtype=np.float64), LARGEST_UNIFORM)
        return np.clip(self.whole.ppf(mapped), self.lowest, self.highest)

    def logpdf(self, x: Values) -> Any:
        """Return the logarithm of the density."""
        x = np.asarray(x, dtype=np.float64)
        inside = (x >= self.lowest) & (x <= self.highest)
        return np.where(inside, self.whole.logpdf(np.clip(x, self.lowest, self.highest)) - math.log(self.mass), -np.inf)
