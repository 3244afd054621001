"""Dependence between scalars: a Gaussian copula on the uniforms of a design (docs/model.md D3; docs/designs.md).

The uniforms u of a group of dependent scalars become normal scores z = Phi^-1(u), the scores are mixed by the Cholesky
factor L of their correlation matrix, and each mixed score goes back to a uniform:

    u'_i = Phi(sum_j L_ij z_j).

Each u'_i is uniform again, so no scalar's own distribution changes. L is lower triangular: a scalar depends on those
before it in the order of the scenario's parameters, and one added behind them leaves them as they were.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.uncertainty.normal import normal_quantile

_SMALLEST, _LARGEST = 2.0**-53, 1.0 - 2.0**-53
_SQRT_HALF = math.sqrt(0.5)
_ZERO_PIVOT = 1e-9

FloatArray = npt.NDArray[np.float64]


class CopulaPlan(NamedTuple):
    """Groups of dependent scalars as flat arrays; G groups with M members in all."""

    start: npt.NDArray[np.int64]  # [G + 1] first member of each group, and the number of members
    member: npt.NDArray[np.int64]  # [M] column of uniforms
    first_entry: npt.NDArray[np.int64]  # [G] where a group's factor begins
    factor: npt.NDArray[np.float64]  # the lower triangles row by row, one group after the other


@kernel
def normal_probability(score: float) -> float:
    """Return Phi(score), held inside (0, 1)."""
    return min(max(0.5 * math.erfc(-score * _SQRT_HALF), _SMALLEST), _LARGEST)


@kernel
def tie_together(plan: CopulaPlan, uniforms: npt.NDArray[np.float64]) -> None:
    """Give the columns of every group their dependence; ``uniforms`` (float64 [U, n]) is changed in place."""
    scores = np.empty(plan.member.size)
    for group in range(plan.start.size - 1):
        first, size = plan.start[group], plan.start[group + 1] - plan.start[group]
        for row in range(uniforms.shape[1]):
            for i in range(size):
                scores[i] = normal_quantile(uniforms[plan.member[first + i], row])
            entry = plan.first_entry[group]
            for i in range(size):
                mixed = 0.0
                for j in range(i + 1):
                    mixed += plan.factor[entry] * scores[j]
                    entry += 1
                uniforms[plan.member[first + i], row] = normal_probability(mixed)


def cholesky_factor(correlation: FloatArray) -> FloatArray:
    """Return the lower triangular L with L L^T = ``correlation``, which may be singular: a zero pivot gives zeros.

    Written out, because a library's routine refuses a singular matrix and its last bits depend on the library.
    """
    size = len(correlation)
    factor = np.zeros((size, size))
    for i in range(size):
        for j in range(i):
            rest = correlation[i, j] - _sum_of_products(factor, i, j)
            factor[i, j] = rest / factor[j, j] if factor[j, j] > 0.0 else 0.0
        pivot = correlation[i, i] - _sum_of_products(factor, i, i)
        factor[i, i] = np.sqrt(pivot) if pivot > _ZERO_PIVOT else 0.0
    return factor


def _sum_of_products(factor: FloatArray, i: int, j: int) -> float:
    total = 0.0
    for k in range(j):
        total += float(factor[i, k]) * float(factor[j, k])
    return total


def copula_plan(groups: list[tuple[list[int], npt.NDArray[np.float64]]]) -> CopulaPlan:
    """Return the plan of groups, each given as columns of uniforms and the Cholesky factor, float64 [k, k]."""
    sizes = [len(members) for members, _ in groups]
    entries = [size * (size + 1) // 2 for size in sizes]
    factors = [factor[np.tril_indices(len(factor))] for _, factor in groups]
    return CopulaPlan(
        start=np.cumsum([0, *sizes], dtype=np.int64),
        member=np.array([column for members, _ in groups for column in members], dtype=np.int64),
        first_entry=np.cumsum([0, *entries], dtype=np.int64)[:-1],
        factor=np.concatenate([np.zeros(0), *factors]),
    )
