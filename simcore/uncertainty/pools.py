"""Pooled opinions: the mixture of the experts' laws, its quantiles, and a table of them.

The pool's distribution function is the weighted mean of the experts' (linear opinion pool, Stone 1961, Annals of
Mathematical Statistics 32). It has no closed inverse, so the quantile is tabulated over the normal score z of the
uniform in cubic Hermite pieces, of the logarithm where values begin at zero. Knots are chosen among values, whose
scores are exact: quantiles of every expert, and where some density begins, ends or has a corner. Both ends of a gap
between the experts have one score (the quantile jumps). Pieces are halved until their middle agrees with the exact
score: to `POOL_TOLERANCE`, or at a score off by no more than rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from simcore.errors import ScenarioError
from simcore.uncertainty.laws import Law, Values
from simcore.uncertainty.quantile_kernels import HALF, KNOTS, LARGEST_UNIFORM

POOL_TOLERANCE = 1e-8  # relative; of the spread between the 16 and 84 % points where values can be negative
_OUTERMOST = 8.3  # beyond the score of the smallest uniform, 2**-53
_SCORE_ROUNDING = 1e-9
_PROBABILITY_ROUNDING = 1e-15
_SMALLEST = 1e-300
_SMALLEST_UNIFORM = 2.0**-53
_BISECTIONS = 100
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PoolLaw:
    """Mixture of ``laws`` by ``weights`` (sum one); of positive numbers only if ``positive``."""

    weights: tuple[float, ...]
    laws: tuple[Law, ...]
    positive: bool

    def cdf(self, x: Values) -> Any:
        """Return the probability of values up to ``x``."""
        return sum(weight * law.cdf(x) for weight, law in zip(self.weights, self.laws, strict=True))

    def sf(self, x: Values) -> Any:
        """Return the probability of values above ``x``."""
        return sum(weight * law.sf(x) for weight, law in zip(self.weights, self.laws, strict=True))

    def logpdf(self, x: Values) -> Any:
        """Return the logarithm of the density."""
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = [np.asarray(law.logpdf(x)) + math.log(w) for w, law in zip(self.weights, self.laws, strict=True)]
            return special.logsumexp(np.stack(logs), axis=0)

    def ppf(self, u: Values) -> Any:
        """Return the quantiles at ``u`` by bisection between the experts' smallest and largest one."""
        u = np.asarray(u, dtype=np.float64)
        flat = np.atleast_1d(u)
        upper = flat > 0.5
        # A bracket wider than the experts' quantiles: scipy's inverses err in the tails.
        first = np.where(upper, np.maximum(1.0 - 4.0 * (1.0 - flat), 0.1), 0.25 * flat)
        last = np.where(upper, np.minimum(1.0 - 0.25 * (1.0 - flat), 1.0 - 2.0**-52), np.minimum(4.0 * flat, 0.9))
        low = self.to_line(np.min([law.ppf(first) for law in self.laws], axis=0))
        high = self.to_line(np.max([law.ppf(last) for law in self.laws], axis=0))
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            values = self.from_line(middle)
            beyond = np.where(upper, self.sf(values) <= 1.0 - flat, self.cdf(values) >= flat)
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        return self.from_line(high).reshape(u.shape)

    def to_line(self, values: FloatArray) -> FloatArray:
        """Return the logarithm of positive values, others as they are."""
        line: FloatArray = np.log(np.maximum(values, _SMALLEST)) if self.positive else values
        return line

    def from_line(self, line: FloatArray) -> FloatArray:
        """Return the values of points on the line."""
        values: FloatArray = np.exp(line) if self.positive else line
        return values

    def line_slope(self, values: FloatArray, scores: FloatArray) -> FloatArray:
        """Return d line / d score: phi(z) / (f dq/dline); infinite where there is no density."""
        with np.errstate(divide="ignore", over="ignore"):
            log = -0.5 * scores**2 - _LOG_SQRT_2PI - self.logpdf(values)
            slope: FloatArray = np.exp(log - np.log(np.maximum(values, _SMALLEST))) if self.positive else np.exp(log)
        return slope


def tabulate_pool(
    law: PoolLaw, breaks: Sequence[float], supports: Sequence[tuple[float, float]]
) -> tuple[FloatArray, int]:
    """Return the table of a pool, float64 [2, KNOTS] as `interpolate_pieces` reads it, and the number of its knots.

    Parameters
    ----------
    law : PoolLaw
    breaks : sequence of float
        Values at which some expert's density begins, ends or has a corner.
    supports : sequence of (lowest, highest)
        Of every expert.

    Raises
    ------
    ScenarioError
        If more knots are needed than a table holds.
    """
    line = _first_knots(law, breaks)
    scores = _scores(law, line, supports)
    reach = np.interp([-1.0, 1.0], scores, line)
    tolerance = POOL_TOLERANCE * (1.0 if law.positive else float(reach[1] - reach[0]))
    sound = np.zeros(line.size - 1, dtype=bool)
    while True:
        if line.size > HALF:
            raise ScenarioError(
                f"distribution pool: needs more than {HALF} knots; the experts' densities have too many corners"
            )
        left, right = _slopes(law, scores, line)
        doubtful = np.flatnonzero(~sound)
        middle, off = _check(law, scores, line, left, right, doubtful, tolerance)
        sound[doubtful[~off]] = True
        if not off.any():
            break
        where = doubtful[off] + 1
        line, sound = np.insert(line, where, middle[off]), np.insert(sound, where, False)
        scores = _scores(law, line, supports)
    table = np.zeros((2, KNOTS))
    width = np.diff(scores)
    table[0, : scores.size], table[0, HALF : HALF + scores.size] = scores, line
    table[1, : width.size], table[1, HALF : HALF + width.size] = left * width, right * width
    table.setflags(write=False)
    return table, int(scores.size)


def _first_knots(law: PoolLaw, breaks: Sequence[float]) -> FloatArray:
    """Return the line of every expert's quantiles on a grid of scores, and of the breaks."""
    u = np.clip(special.ndtr(np.linspace(-8.3, 8.3, 84)), _SMALLEST_UNIFORM, LARGEST_UNIFORM)
    values = np.concatenate([*(np.asarray(expert.ppf(u)) for expert in law.laws), breaks])
    values = values[np.isfinite(values) & ((values > _SMALLEST) | (not law.positive))]
    line = np.unique(law.to_line(values))
    near = np.append(False, np.diff(line) < 1e-13 * np.maximum(np.abs(line[1:]), 1e-3))
    kept: FloatArray = line[~near | np.isin(line, law.to_line(np.array(breaks)))]
    return kept


def _scores(law: PoolLaw, line: FloatArray, supports: Sequence[tuple[float, float]]) -> FloatArray:
    """Return the normal scores of points on the line, which rise; equal at both ends of a gap between the experts."""
    values = law.from_line(line)
    below = np.asarray(law.cdf(values))
    with np.errstate(divide="ignore"):
        scores = np.where(below > 0.5, -special.ndtri(law.sf(values)), special.ndtri(below))
    scores = np.maximum.accumulate(np.clip(scores, -_OUTERMOST, _OUTERMOST))
    covered = np.zeros(line.size, dtype=bool)
    for low, high in supports:
        covered[1:] |= (low < values[1:]) & (high > values[:-1])
    gap = np.flatnonzero(~covered[1:]) + 1
    scores[gap] = scores[gap - 1]  # nobody puts anything between the two
    return scores


def _slopes(law: PoolLaw, scores: FloatArray, line: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the slopes at the left and right end of every piece, looking inwards; limited so that pieces rise."""
    values = law.from_line(line)
    nudge = 1e-7 * np.diff(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        secant = np.nan_to_num(np.diff(line) / np.diff(scores), nan=0.0, posinf=0.0)
        left = law.line_slope(values[:-1] + nudge, scores[:-1])
        right = law.line_slope(values[1:] - nudge, scores[1:])
    most = 3.0 * secant  # Fritsch and Carlson (1980): a piece rises if no slope passes three times its secant
    return np.minimum(np.nan_to_num(left, nan=np.inf), most), np.minimum(np.nan_to_num(right, nan=np.inf), most)


def _check(
    law: PoolLaw,
    scores: FloatArray,
    line: FloatArray,
    left: FloatArray,
    right: FloatArray,
    pieces: npt.NDArray[np.int64],
    tolerance: float,
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the middle of ``pieces`` on the line, float64 [n], and which of them are off, bool [n]."""
    begin, width = scores[pieces], scores[pieces + 1] - scores[pieces]
    height = line[pieces + 1] - line[pieces]
    off = np.zeros(pieces.size, dtype=bool)
    for part in (0.5, 0.25, 0.75):
        exact = line[pieces] + part * height
        values = law.from_line(exact)
        below = np.asarray(law.cdf(values))
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(below > 0.5, -special.ndtri(law.sf(values)), special.ndtri(below))
            t = np.clip((score - begin) / width, 0.0, 1.0)
            s = 1.0 - t
            value = s * s * ((1.0 + 2.0 * t) * line[pieces] + t * width * left[pieces])
            value = value + t * t * ((3.0 - 2.0 * t) * line[pieces + 1] - s * width * right[pieces])
            rounding = _SCORE_ROUNDING + _PROBABILITY_ROUNDING * np.exp(0.5 * score**2 + _LOG_SQRT_2PI)
            off |= np.abs(value - exact) > tolerance + height / width * rounding
    return line[pieces] + 0.5 * height, off & (width > _SCORE_ROUNDING)
