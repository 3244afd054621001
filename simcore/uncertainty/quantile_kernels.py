"""Quantile functions as kernels: what one uniform becomes, by the kind of its rule, and sticks that become shares.

A rule has a kind, four arguments and perhaps a table [2, KNOTS]; `simcore.uncertainty.quantiles` makes rules from
declared distributions. BETA and GAMMA read their table at equally spaced normal scores of the uniform (logit or
logarithm, and its slope times the knot spacing). The layouts of the other tables stand at their kernels.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.uncertainty.normal import normal_quantile

CONSTANT, UNIFORM, TRIANGULAR, NORMAL, LOGNORMAL, BETA = range(6)
GAMMA, CATEGORY, WHOLE, METALOG, PIECES, SCORE_PIECES = range(6, 12)  # the rare ones

KNOTS = 4097
SCORE_LIMIT = 8.3  # beyond the score of the smallest uniform, 2**-53
LARGEST_UNIFORM = 1.0 - 2.0**-53  # truncation may round to one, where a quantile is infinite
HALF = 2048  # where the second half of a row of pieces begins
UNBOUNDED, ABOVE, BELOW, BETWEEN = range(4)  # forms of the line: where it has ends
_LAST_PIECE = KNOTS - 2
_LARGEST_EXPONENT = 600.0  # of a lognormal: keeps its values, and products with ordinary ones, finite
_PIECES_PER_SCORE = (KNOTS - 1) / (2.0 * SCORE_LIMIT)


@kernel
def truncated_uniform(lower: float, upper: float, u: float) -> float:
    """Return lower + (upper - lower) u, but never one, where rounding can lead and a quantile is infinite."""
    return min(lower + (upper - lower) * u, LARGEST_UNIFORM)


@kernel
def interpolate_logit(table: npt.NDArray[np.float64], score: float) -> float:
    """Cubic Hermite interpolation of ``table`` [2, KNOTS] at normal score ``score``."""
    position = (min(max(score, -SCORE_LIMIT), SCORE_LIMIT) + SCORE_LIMIT) * _PIECES_PER_SCORE
    piece = min(int(position), _LAST_PIECE)
    t = position - piece
    s = 1.0 - t
    left, right = table[0, piece], table[0, piece + 1]
    slope_left, slope_right = table[1, piece], table[1, piece + 1]
    return s * s * ((1.0 + 2.0 * t) * left + t * slope_left) + t * t * ((3.0 - 2.0 * t) * right - s * slope_right)


@kernel
def category(thresholds: npt.NDArray[np.float64], last: int, u: float) -> int:
    """Return how many of the ``last`` rising ``thresholds`` are at most ``u``: an index from 0 to ``last``."""
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        if thresholds[middle] <= u:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def interpolate_pieces(table: npt.NDArray[np.float64], count: int, x: float) -> float:
    """Cubic Hermite interpolation between ``count`` knots that are not equally spaced; two equal ones are a jump.

    ``table`` [2, KNOTS] holds knots in row 0 and values in row 0 from `HALF` on; in row 1 the slope at the left end of
    each piece times its width, and from `HALF` on that at the right end.
    """
    low, high = 0, count - 2
    while low < high:  # the last piece that begins at or before x
        middle = (low + high + 1) // 2
        if table[0, middle] <= x:
            low = middle
        else:
            high = middle - 1
    begin, end = table[0, low], table[0, low + 1]
    left, right = table[0, HALF + low], table[0, HALF + low + 1]
    if x <= begin:
        return left
    if x >= end:
        return right
    t = (x - begin) / (end - begin)
    s = 1.0 - t
    slope_left, slope_right = table[1, low], table[1, HALF + low]
    value = s * s * ((1.0 + 2.0 * t) * left + t * slope_left) + t * t * ((3.0 - 2.0 * t) * right - s * slope_right)
    return min(max(value, left), right)


@kernel
def metalog_line(table: npt.NDArray[np.float64], size: int, u: float) -> float:
    """Return P(c) + L Q(c) with c = u - 1/2 and L = ln(u / (1 - u)).

    Rows of ``table``: the ``size`` coefficients of P and of Q, lowest power first.
    """
    centred = u - 0.5
    plain, with_logit = table[0, size - 1], table[1, size - 1]
    for i in range(size - 2, -1, -1):
        plain = plain * centred + table[0, i]
        with_logit = with_logit * centred + table[1, i]
    return plain + (math.log(u) - math.log(1.0 - u)) * with_logit


@kernel
def value_of_line(line: float, form: float, lower: float, upper: float) -> float:
    """Return what a point of the whole line stands for: itself, or a value above, below or between ends."""
    if form == UNBOUNDED:
        return line
    if form == ABOVE:
        return lower + math.exp(min(line, _LARGEST_EXPONENT))
    if form == BELOW:
        return upper - math.exp(min(-line, _LARGEST_EXPONENT))
    if line >= 0.0:
        return lower + (upper - lower) * (1.0 / (1.0 + math.exp(-line)))
    odds = math.exp(line)
    return lower + (upper - lower) * (odds / (1.0 + odds))


@kernel
def rare_quantile(kind: int, arguments: npt.NDArray[np.float64], table: npt.NDArray[np.float64], u: float) -> float:
    """Return the quantile at ``u`` of the kinds that few parameters have; apart, so that `quantile` stays small.

    Arguments: GAMMA scale; CATEGORY last index; WHOLE first and count; PIECES number of knots; METALOG and SCORE_PIECES
    size or number of knots, form, lower and upper end.
    """
    if kind == GAMMA:
        return arguments[0] * math.exp(min(interpolate_logit(table, normal_quantile(u)), _LARGEST_EXPONENT))
    if kind == CATEGORY:
        return float(category(table[0], int(arguments[0]), u))
    if kind == WHOLE:
        return arguments[0] + min(math.floor(arguments[1] * u), arguments[1] - 1.0)
    if kind == PIECES:
        return interpolate_pieces(table, int(arguments[0]), u)
    if kind == METALOG:
        line = metalog_line(table, int(arguments[0]), u)
    else:  # SCORE_PIECES
        line = interpolate_pieces(table, int(arguments[0]), normal_quantile(u))
    value = value_of_line(line, arguments[1], arguments[2], arguments[3])
    return min(max(value, arguments[2]), arguments[3])


@kernel
def quantile(kind: int, arguments: npt.NDArray[np.float64], table: npt.NDArray[np.float64], u: float) -> float:
    """Return the quantile at ``u`` (0 < u < 1, truncation already applied); ``table`` is read by some kinds only."""
    if kind == CONSTANT:
        return arguments[0]
    if kind == UNIFORM:
        return arguments[0] + (arguments[1] - arguments[0]) * u
    if kind == NORMAL:
        return arguments[0] + arguments[1] * normal_quantile(u)
    if kind == LOGNORMAL:
        return math.exp(min(arguments[0] + arguments[1] * normal_quantile(u), _LARGEST_EXPONENT))
    if kind == BETA:
        logit = interpolate_logit(table, normal_quantile(u))
        if logit >= 0.0:
            share = 1.0 / (1.0 + math.exp(-logit))
        else:
            odds = math.exp(logit)
            share = odds / (1.0 + odds)
        return arguments[0] + (arguments[1] - arguments[0]) * share
    if kind != TRIANGULAR:
        return rare_quantile(kind, arguments, table, u)
    low, mode, high = arguments[0], arguments[1], arguments[2]
    if u * (high - low) < mode - low:
        return low + math.sqrt(u * (high - low) * (mode - low))
    return high - math.sqrt((1.0 - u) * (high - low) * (high - mode))


@kernel
def break_sticks(theta: npt.NDArray[np.float64], row: int, start: int, size: int) -> None:
    """Turn the size - 1 sticks at ``theta[row, start:]`` into ``size`` shares that sum to one, in place."""
    rest = 1.0
    for i in range(start, start + size - 1):
        share = rest * theta[row, i]
        theta[row, i] = share
        rest -= share
    theta[row, start + size - 1] = rest if rest > 0.0 else 0.0
