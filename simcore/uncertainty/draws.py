"""From uniforms to theta and to the shared effects: kernels that go column by column, whatever the design.

Parameter sets are drawn some at a time: their uniforms (`simcore.uncertainty.points`) are made, those of dependent
scalars are tied together (`simcore.uncertainty.dependence`), and every column of theta follows from its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.engines.random import addressed_uniform
from simcore.uncertainty.dependence import CopulaPlan, tie_together
from simcore.uncertainty.normal import normal_quantile
from simcore.uncertainty.points import Points
from simcore.uncertainty.quantile_kernels import CONSTANT, break_sticks, quantile, truncated_uniform

_SETS_AT_ONCE = 256  # the uniforms of so many parameter sets stay in the cache of the processor
_ZERO = np.uint32(0)


class DrawPlan(NamedTuple):
    """Flat arrays of what to draw; D draws from U columns of uniforms, P columns of theta, T tables, S simplices."""

    column: npt.NDArray[np.int64]  # [D] target column of theta
    uniform: npt.NDArray[np.int64]  # [D] column of uniforms, -1 for a constant
    kind: npt.NDArray[np.int64]  # [D] kinds of `quantile_kernels`
    arguments: npt.NDArray[np.float64]  # [D, 4]
    lower: npt.NDArray[np.float64]  # [D] the uniform is mapped to lower + (upper - lower) u
    upper: npt.NDArray[np.float64]  # [D]
    table: npt.NDArray[np.int64]  # [D] row of `tables`, or -1
    tables: npt.NDArray[np.float64]  # [T, 2, KNOTS]
    simplex_start: npt.NDArray[np.int64]  # [S] first column; its sticks become shares in place
    simplex_size: npt.NDArray[np.int64]  # [S]
    switch_column: npt.NDArray[np.int64]  # [W] target column, a copy of one of its cases
    switch_on: npt.NDArray[np.int64]  # [W] column of the category that decides
    switch_first: npt.NDArray[np.int64]  # [W] where its cases begin in `switch_case`
    switch_case: npt.NDArray[np.int64]  # columns, category by category


@kernel
def theta_of_uniforms(plan: DrawPlan, uniforms: npt.NDArray[np.float64], theta: npt.NDArray[np.float64]) -> None:
    """Fill ``theta`` (float64 [n, P]) from ``uniforms`` (float64 [U, n]); one quantile table stays hot per column."""
    for d in range(plan.column.size):
        kind, column = plan.kind[d], plan.column[d]
        lower, upper = plan.lower[d], plan.upper[d]
        table = plan.tables[max(plan.table[d], 0)]
        arguments = plan.arguments[d]
        if kind == CONSTANT:
            for row in range(theta.shape[0]):
                theta[row, column] = arguments[0]
        else:
            source = uniforms[plan.uniform[d]]
            for row in range(theta.shape[0]):
                theta[row, column] = quantile(kind, arguments, table, truncated_uniform(lower, upper, source[row]))
    for s in range(plan.simplex_start.size):
        for row in range(theta.shape[0]):
            break_sticks(theta, row, plan.simplex_start[s], plan.simplex_size[s])
    for w in range(plan.switch_column.size):
        for row in range(theta.shape[0]):
            case = plan.switch_first[w] + int(theta[row, plan.switch_on[w]])
            theta[row, plan.switch_column[w]] = theta[row, plan.switch_case[case]]


def draw_parameters(
    plan: DrawPlan,
    copula: CopulaPlan,
    points: Points,
    theta_ids: npt.NDArray[np.uint32],
    theta: npt.NDArray[np.float64],
) -> None:
    """Fill ``theta`` (float64 [n, P]) for the points ``theta_ids`` (uint32 [n]) of a design."""
    for first in range(0, theta_ids.size, _SETS_AT_ONCE):
        part = slice(first, first + _SETS_AT_ONCE)
        uniforms = np.empty((points.keys.size, theta_ids[part].size))
        points.fill(theta_ids[part], uniforms)
        tie_together(copula, uniforms)
        theta_of_uniforms(plan, uniforms, theta[part])


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


@kernel
def scores_of_uniforms(uniforms: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> None:
    """Fill ``scores`` (float64 [n, E]) with the standard normal scores of ``uniforms`` (float64 [E, n])."""
    for e in range(uniforms.shape[0]):
        for row in range(uniforms.shape[1]):
            scores[row, e] = normal_quantile(uniforms[e, row])
