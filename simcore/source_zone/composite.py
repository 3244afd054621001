"""Kernel of the at-risk model `index`: from weights of covariates to shares (docs/at_risk_models.md)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.source_zone.anchors import LARGEST_LOG_ODDS, logistic, solve_level
from simcore.source_zone.plan import FloatArray, IntArray

SMALLEST_SPREAD = 1e-9
"""An index that varies less than this (weighted standard deviations) is taken as the same everywhere."""


class IndexPlan(NamedTuple):
    """What the index needs besides theta; columns are columns of theta, -1 where there is nothing."""

    scores: FloatArray  # [M, O, J] signed, standardised over the origins
    weights: IntArray  # [J] columns
    panel: int  # column
    first_panel: int  # value of that column that means panel 0
    origin: IntArray  # [C]
    persons: FloatArray  # [C] of the table
    factor: IntArray  # [C] column of the population factor
    active: npt.NDArray[np.bool_]  # [C]
    anchor: IntArray  # [R] columns
    slope: IntArray  # [C * R] columns
    offset_start: IntArray  # [C * R + 1] into `offsets`
    offsets: IntArray  # columns
    origin_sd: IntArray  # [C * R] columns
    origin_score: IntArray  # [C * R] columns


@kernel
def index_of_origins(plan: IndexPlan, theta: FloatArray, index: FloatArray) -> None:
    """Fill ``index`` (float64 [O]) for one parameter set (float64 [P]): mean 0 and standard deviation 1 over origins.

    I_o = sum over j of w_j z_oj, rescaled; the scores have mean zero, so only the spread has to be set. The standard
    deviation divides by the number of origins: they are all there is, not a sample.
    """
    panel = int(theta[plan.panel]) - plan.first_panel if plan.panel >= 0 else 0
    squares = 0.0
    for o in range(index.size):
        total = 0.0
        for j in range(plan.weights.size):
            total += theta[plan.weights[j]] * plan.scores[panel, o, j]
        index[o] = total
        squares += total * total
    spread = math.sqrt(squares / index.size)
    for o in range(index.size):
        index[o] = index[o] / spread if spread > SMALLEST_SPREAD else 0.0


@kernel
def index_shares(plan: IndexPlan, theta: FloatArray, shares: FloatArray) -> None:
    """Fill ``shares`` (float64 [n, C, R]) for ``theta`` (float64 [n, P])."""
    cells, bits = shares.shape[1], shares.shape[2]
    index = np.empty(plan.scores.shape[1])
    persons = np.empty(cells)
    log_odds = np.empty(cells)
    for row in range(theta.shape[0]):
        index_of_origins(plan, theta[row], index)
        for cell in range(cells):
            persons[cell] = plan.persons[cell] if plan.active[cell] else 0.0
            if plan.factor[cell] >= 0:
                persons[cell] *= theta[row, plan.factor[cell]]
        for bit in range(bits):
            for cell in range(cells):
                log_odds[cell] = 0.0
                if plan.active[cell]:
                    t = cell * bits + bit
                    effect = theta[row, plan.slope[t]] * index[plan.origin[cell]]
                    for i in range(plan.offset_start[t], plan.offset_start[t + 1]):
                        effect += theta[row, plan.offsets[i]]
                    if plan.origin_sd[t] >= 0:
                        effect += theta[row, plan.origin_sd[t]] * theta[row, plan.origin_score[t]]
                    log_odds[cell] = min(max(effect, -LARGEST_LOG_ODDS), LARGEST_LOG_ODDS)
            level = solve_level(persons, log_odds, theta[row, plan.anchor[bit]])
            for cell in range(cells):
                shares[row, cell, bit] = logistic(level + log_odds[cell]) if plan.active[cell] else 0.0
