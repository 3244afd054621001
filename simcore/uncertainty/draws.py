"""Kernels that fill the theta matrix and the shared effects, column by column, from addressed uniforms."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.engines.random import addressed_uniform
from simcore.uncertainty.normal import normal_quantile
from simcore.uncertainty.quantiles import (
    BETA,
    CONSTANT,
    KNOTS,
    LARGEST_UNIFORM,
    LOGNORMAL,
    NORMAL,
    SCORE_LIMIT,
    UNIFORM,
)

_LAST_PIECE = KNOTS - 2
_LARGEST_EXPONENT = 600.0  # of a lognormal: keeps its values, and products with ordinary ones, finite
_PIECES_PER_SCORE = (KNOTS - 1) / (2.0 * SCORE_LIMIT)
_ZERO = np.uint32(0)


class DrawPlan(NamedTuple):
    """Flat arrays of what to draw; D draws, P columns of theta, T distinct tables, S simplices."""

    column: npt.NDArray[np.int64]  # [D] target column of theta
    kind: npt.NDArray[np.int64]  # [D] constants of `quantiles`
    arguments: npt.NDArray[np.float64]  # [D, 4]
    lower: npt.NDArray[np.float64]  # [D] the uniform is mapped to lower + (upper - lower) u
    upper: npt.NDArray[np.float64]  # [D]
    table: npt.NDArray[np.int64]  # [D] row of `tables`, or -1
    key: npt.NDArray[np.uint64]  # [D]
    tables: npt.NDArray[np.float64]  # [T, 2, KNOTS]
    simplex_start: npt.NDArray[np.int64]  # [S] first column; its sticks become shares in place
    simplex_size: npt.NDArray[np.int64]  # [S]


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
def quantile(kind: int, arguments: npt.NDArray[np.float64], table: npt.NDArray[np.float64], u: float) -> float:
    """Return the quantile at ``u`` (0 < u < 1, truncation already applied); ``table`` is read by BETA only."""
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
    # Triangular
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


@kernel
def draw_parameters(plan: DrawPlan, theta_ids: npt.NDArray[np.uint32], theta: npt.NDArray[np.float64]) -> None:
    """Fill ``theta`` (float64 [n, P]) for ``theta_ids`` (uint32 [n]); one quantile table stays hot per column."""
    for d in range(plan.column.size):
        kind, column = plan.kind[d], plan.column[d]
        lower, upper = plan.lower[d], plan.upper[d]
        table = plan.tables[max(plan.table[d], 0)]
        arguments = plan.arguments[d]
        for row in range(theta_ids.size):
            if kind == CONSTANT:
                theta[row, column] = arguments[0]
            else:
                u = addressed_uniform(_ZERO, _ZERO, _ZERO, theta_ids[row], plan.key[d])
                theta[row, column] = quantile(kind, arguments, table, truncated_uniform(lower, upper, u))
    for s in range(plan.simplex_start.size):
        for row in range(theta_ids.size):
            break_sticks(theta, row, plan.simplex_start[s], plan.simplex_size[s])


@kernel
def draw_shared_scores(
    keys: npt.NDArray[np.uint64],
    theta_ids: npt.NDArray[np.uint32],
    shared_ids: npt.NDArray[np.uint32],
    scores: npt.NDArray[np.float64],
) -> None:
    """Fill ``scores`` (float64 [n, E]) with standard normals, one per element of the shared effects and replicate."""
    for e in range(keys.size):
        for row in range(theta_ids.size):
            scores[row, e] = normal_quantile(addressed_uniform(_ZERO, _ZERO, shared_ids[row], theta_ids[row], keys[e]))
