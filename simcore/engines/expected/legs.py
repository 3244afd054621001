"""Leg probabilities of many parameter sets side by side (docs/model.md C3, C4).

Same formulas as `transit_zone.legs`, laid out for speed: the last axis of every array is the *lane*, one parameter set
each, and hazards before modifiers are made once for all profiles that share them. Where an attempt is certain to end
(a probability of one), the plain formulas of `transit_zone.legs` are used instead.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simcore.compilation import bare_kernel
from simcore.transit_zone.chains import ChainPlan
from simcore.transit_zone.legs import base_hazards, fork_shares, reattempt_probabilities
from simcore.transit_zone.plan import FloatArray, IntArray, TransitPlan

_LARGEST_HAZARD = 1e100
_LARGEST_EFFECT = 200.0
_LARGEST_EXPONENT = 745.0  # exp(-745) is the last that is not zero
_HALVINGS = 1.4426950408889634  # 1 / ln 2
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # 32 bits of ln 2, and the rest
_POWERS = np.ldexp(1.0, -np.arange(1080))  # 2**-n


class LegTable(NamedTuple):
    """Probabilities of a block of parameter sets; B lanes."""

    base: FloatArray  # [H, C, B] hazards before modifiers
    factor: FloatArray  # [T, K, B] factor on the hazard of interception
    hazards: FloatArray  # [F, C, B] of the first attempt; weights where the leg is certain to end
    certain: FloatArray  # [F, B] 1 where it is, else 0
    go_on: FloatArray  # [F, K, B] P(continue)
    intercepted: FloatArray  # [F, K, B] P(interception)
    scale: FloatArray  # [F, K, B] P(cause c) = scale x hazard of c, for terminal causes
    shares: FloatArray  # [H', B] of the legs of every fork
    reattempt: FloatArray  # [Q, K, B]


def make_leg_table(transit: TransitPlan, chains: ChainPlan, lanes: int) -> LegTable:
    """Return a table to be filled."""
    profiles, attempts = transit.profile_split.size, transit.attempt_cap
    return LegTable(
        base=np.zeros((chains.base_profile.size, transit.causes, lanes)),
        factor=np.zeros((chains.effect_column.size, attempts, lanes)),
        hazards=np.zeros((profiles, transit.causes, lanes)),
        certain=np.zeros((profiles, lanes)),
        go_on=np.zeros((profiles, attempts, lanes)),
        intercepted=np.zeros((profiles, attempts, lanes)),
        scale=np.zeros((profiles, attempts, lanes)),
        shares=np.zeros((transit.fork_share.size, lanes)),
        reattempt=np.zeros((*transit.reattempt.shape, lanes)),
    )


@bare_kernel
def _fill_base(transit: TransitPlan, chains: ChainPlan, theta: FloatArray, rows: IntArray, base: FloatArray) -> bool:
    """Fill ``base``; return False if some leg is certain to end, for which hazards are not finite."""
    for h in range(base.shape[0]):
        profile = chains.base_profile[h]
        for b in range(rows.size):
            row = rows[b]
            scale = 1.0
            if transit.profile_split[profile]:
                go_on = theta[row, transit.profile_continue[profile]]
                if go_on <= 0.0:
                    return False
                scale = -math.log(go_on) / (1.0 - go_on) if go_on < 1.0 else 0.0
            for c in range(base.shape[1]):
                column = transit.profile_cause[profile, c]
                if column < 0:
                    base[h, c, b] = 0.0
                elif transit.profile_split[profile]:
                    base[h, c, b] = scale * theta[row, column]
                elif theta[row, column] >= 1.0:
                    return False
                else:
                    base[h, c, b] = -math.log1p(-theta[row, column])
    return True


@bare_kernel
def _fill_hazards(transit: TransitPlan, chains: ChainPlan, theta: FloatArray, rows: IntArray, table: LegTable) -> None:
    """Fill hazards (or weights) of every profile, modifiers included, and whether the leg is certain to end."""
    hazards, certain = table.hazards, table.certain
    if _fill_base(transit, chains, theta, rows, table.base):
        certain[:] = 0.0
        for profile in range(hazards.shape[0]):
            base = chains.profile_base[profile]
            for c in range(hazards.shape[1]):
                for b in range(rows.size):
                    hazards[profile, c, b] = table.base[base, c, b]
                row = profile * transit.causes + c
                for i in range(transit.modifier_start[row], transit.modifier_start[row + 1]):
                    column = transit.modifiers[i]
                    for b in range(rows.size):
                        modified = hazards[profile, c, b] * theta[rows[b], column]
                        hazards[profile, c, b] = min(modified, _LARGEST_HAZARD)
    else:
        for profile in range(hazards.shape[0]):
            for b in range(rows.size):
                sure = base_hazards(transit, theta[rows[b]], profile, hazards[profile, :, b])
                certain[profile, b] = 1.0 if sure else 0.0


@bare_kernel
def _fill_probabilities(chains: ChainPlan, table: LegTable) -> None:
    """Turn hazards into probabilities: exp(-x) and (1 - exp(-x)) / x of every sum of hazards x.

    exp(-x) = 2**-n exp(u) with |u| <= ln(2) / 2, and exp(u) - 1 from its power series to the 13th power: below 1e-16
    relative, and without branches, so that lanes are computed side by side.
    """
    hazards, factor, go_on, scale = table.hazards, table.factor, table.go_on, table.scale
    causes, attempts, lanes = hazards.shape[1], go_on.shape[1], go_on.shape[2]
    for profile in range(hazards.shape[0]):
        effect = chains.profile_effect[profile]
        for k in range(attempts):
            for b in range(lanes):
                go_on[profile, k, b] = hazards[profile, 0, b] * factor[effect, k, b]
            for c in range(1, causes):
                for b in range(lanes):
                    go_on[profile, k, b] += hazards[profile, c, b]
            for b in range(lanes):
                total = go_on[profile, k, b]
                x = min(total, _LARGEST_EXPONENT)
                n = int(x * _HALVINGS + 0.5)
                u = (n * _LN2_HIGH - x) + n * _LN2_LOW
                series = 1.0 + u * (1.0 / 13.0)
                series = 1.0 + u * (1.0 / 12.0) * series
                series = 1.0 + u * (1.0 / 11.0) * series
                series = 1.0 + u * (1.0 / 10.0) * series
                series = 1.0 + u * (1.0 / 9.0) * series
                series = 1.0 + u * (1.0 / 8.0) * series
                series = 1.0 + u * (1.0 / 7.0) * series
                series = 1.0 + u * (1.0 / 6.0) * series
                series = 1.0 + u * (1.0 / 5.0) * series
                series = 1.0 + u * (1.0 / 4.0) * series
                series = 1.0 + u * (1.0 / 3.0) * series
                series = 1.0 + u * (1.0 / 2.0) * series
                power = _POWERS[n]
                below_one = (1.0 - power) - power * (u * series)  # 1 - exp(-x)
                certain = table.certain[profile, b]
                go_on[profile, k, b] = (1.0 - certain) * (power + power * (u * series))
                scale[profile, k, b] = (certain + (1.0 - certain) * below_one) / total if total > 0.0 else 0.0
            for b in range(lanes):
                caught = hazards[profile, 0, b] * factor[effect, k, b]
                table.intercepted[profile, k, b] = caught * scale[profile, k, b]


@bare_kernel
def fill_leg_table(transit: TransitPlan, chains: ChainPlan, theta: FloatArray, rows: IntArray, table: LegTable) -> None:
    """Fill the table for the rows (int64 [B]) of ``theta`` (float64 [n, P])."""
    for b in range(rows.size):
        fork_shares(transit, theta[rows[b]], table.shares[:, b])
        reattempt_probabilities(transit, theta[rows[b]], table.reattempt[:, :, b])
        for t in range(table.factor.shape[0]):
            column = chains.effect_column[t]
            effect = theta[rows[b], column] if column >= 0 else 0.0
            for k in range(table.factor.shape[1]):
                held = min(max(effect * k, -_LARGEST_EFFECT), _LARGEST_EFFECT)
                table.factor[t, k, b] = math.exp(held)
    _fill_hazards(transit, chains, theta, rows, table)
    _fill_probabilities(chains, table)
