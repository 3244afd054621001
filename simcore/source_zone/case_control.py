"""Kernel of the at-risk model `profile` (docs/at_risk_models.md)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simcore.compilation import kernel
from simcore.source_zone.plan import FloatArray, IntArray


class ProfilePlan(NamedTuple):
    """What the profile needs besides theta; columns are columns of theta, -1 where there is nothing."""

    persons: FloatArray  # [C] of the table
    factor: IntArray  # [C] column of the population factor
    group: IntArray  # [C] group z of a cell; -1 for an inactive one
    detection_odds: IntArray  # [Z] columns
    anchor: IntArray  # [R] columns of p0
    profile: IntArray  # [R, Z] columns of f1


@kernel
def profile_shares(plan: ProfilePlan, theta: FloatArray, shares: FloatArray) -> None:
    """Fill ``shares`` (float64 [n, C, R]) for ``theta`` (float64 [n, P]): p0 f1(z) / f(z), may exceed one.

    f1 is the profile divided by the detection odds and brought to the sum 1; f the share of the active persons. Cells
    of a group without persons, or of a profile without any share, get zero.
    """
    groups = plan.detection_odds.size
    population = np.empty(groups)
    victims = np.empty(groups)
    for row in range(theta.shape[0]):
        population[:] = 0.0
        total = 0.0
        for cell in range(plan.group.size):
            if plan.group[cell] >= 0:
                persons = plan.persons[cell]
                if plan.factor[cell] >= 0:
                    persons *= theta[row, plan.factor[cell]]
                population[plan.group[cell]] += persons
                total += persons
        for bit in range(shares.shape[2]):
            detected = 0.0
            for z in range(groups):
                victims[z] = theta[row, plan.profile[bit, z]]
                if plan.detection_odds[z] >= 0:
                    victims[z] /= theta[row, plan.detection_odds[z]]
                detected += victims[z]
            anchor = theta[row, plan.anchor[bit]]
            for cell in range(plan.group.size):
                z = plan.group[cell]
                share = 0.0
                if z >= 0 and population[z] > 0.0 and detected > 0.0:
                    share = anchor * (victims[z] / detected) * (total / population[z])
                shares[row, cell, bit] = share
