"""Kernels from theta to leg probabilities, fork shares and re-attempt probabilities (docs/model.md C1-C4).

A leg's cumulative cause-specific hazards lam_c follow from its base probabilities: lam_c = -ln(1 - p_c) for *net* ones,
lam_c = -ln(p_C) p_c / (1 - p_C) for a *split*. Modifiers multiply them, the attempt effect multiplies that of
interception by exp(eta (k - 1)), and

    P(continue) = exp(-Lam),  P(c) = (lam_c / Lam) (1 - exp(-Lam)),  Lam = sum of lam_c.

A base probability of one (net) or p_C = 0 (split) makes the leg *certain* to end: P(continue) = 0 and the causes
share by weight, p_c times modifier for a split, equally (times modifier) among those that are certain for net ones.
"""

from __future__ import annotations

import math

from simcore.compilation import bare_kernel
from simcore.transit_zone.plan import CERTAIN_SHARE, REST, FloatArray, TransitPlan

_LARGEST_HAZARD = 1e100  # far beyond certain, and finite: no overflow, no 0 times infinity
_LARGEST_EFFECT = 200.0  # of eta (k - 1), for the same reason


@bare_kernel
def _scale_to_modifiers(plan: TransitPlan, theta: FloatArray, profile: int, hazards: FloatArray) -> float:
    """Multiply the hazards (or weights) of a profile by their modifiers, in place, and return their sum."""
    total = 0.0
    for c in range(plan.causes):
        row = profile * plan.causes + c
        for i in range(plan.modifier_start[row], plan.modifier_start[row + 1]):
            hazards[c] = min(hazards[c] * theta[plan.modifiers[i]], _LARGEST_HAZARD)
        total += hazards[c]
    return total


@bare_kernel
def base_hazards(plan: TransitPlan, theta: FloatArray, profile: int, hazards: FloatArray) -> bool:
    """Fill ``hazards`` (float64 [C]) of a profile at the first attempt; return whether the leg is certain to end.

    Where it is, ``hazards`` holds the weights by which the causes share. A modifier of zero takes a cause away even
    where it was certain.
    """
    if plan.profile_split[profile]:
        go_on = theta[plan.profile_continue[profile]]
        if go_on <= 0.0:
            scale = 1.0
        elif go_on >= 1.0:
            scale = 0.0
        else:
            scale = -math.log(go_on) / (1.0 - go_on)
        for c in range(plan.causes):
            column = plan.profile_cause[profile, c]
            hazards[c] = scale * theta[column] if column >= 0 else 0.0
        return _scale_to_modifiers(plan, theta, profile, hazards) > 0.0 and go_on <= 0.0
    certain = False
    for c in range(plan.causes):
        column = plan.profile_cause[profile, c]
        hazards[c] = 1.0 if column >= 0 and theta[column] >= 1.0 else 0.0
        certain = certain or hazards[c] > 0.0
    if certain and _scale_to_modifiers(plan, theta, profile, hazards) > 0.0:
        return True
    for c in range(plan.causes):
        column = plan.profile_cause[profile, c]
        hazards[c] = -math.log1p(-theta[column]) if column >= 0 and theta[column] < 1.0 else 0.0
    _scale_to_modifiers(plan, theta, profile, hazards)
    return False


@bare_kernel
def leg_probabilities(plan: TransitPlan, theta: FloatArray, legs: FloatArray) -> None:
    """Fill ``legs`` (float64 [F, K, 1 + C]): P(continue), then P(c), of every profile at every attempt."""
    for profile in range(plan.profile_split.size):
        hazards = legs[profile, plan.attempt_cap - 1, 1:]  # overwritten last
        certain = base_hazards(plan, theta, profile, hazards)
        effect_column = plan.profile_effect[profile]
        effect = theta[effect_column] if effect_column >= 0 else 0.0
        interception = hazards[0]
        for attempt in range(plan.attempt_cap):
            hazard = interception
            if attempt > 0 and effect != 0.0:
                hazard *= math.exp(min(max(effect * attempt, -_LARGEST_EFFECT), _LARGEST_EFFECT))
            total = hazard
            for c in range(1, plan.causes):
                total += hazards[c]
            if certain:
                go_on, scale = 0.0, 1.0 / total
            elif total > 0.0:
                go_on, scale = math.exp(-total), -math.expm1(-total) / total
            else:
                go_on, scale = 1.0, 0.0
            legs[profile, attempt, 0] = go_on
            legs[profile, attempt, 1] = hazard * scale
            for c in range(1, plan.causes):
                legs[profile, attempt, 1 + c] = hazards[c] * scale


@bare_kernel
def fork_shares(plan: TransitPlan, theta: FloatArray, shares: FloatArray) -> None:
    """Fill ``shares`` (float64 [H]): the share of each leg at each fork."""
    for fork in range(plan.fork_start.size - 1):
        rest = 1.0
        for i in range(plan.fork_start[fork], plan.fork_start[fork + 1]):
            column = plan.fork_share[i]
            if column == CERTAIN_SHARE:
                shares[i] = 1.0
            elif column != REST:
                shares[i] = theta[column]
                rest -= theta[column]
        for i in range(plan.fork_start[fork], plan.fork_start[fork + 1]):
            if plan.fork_share[i] == REST:
                shares[i] = max(rest, 0.0)


@bare_kernel
def reattempt_probabilities(plan: TransitPlan, theta: FloatArray, reattempts: FloatArray) -> None:
    """Fill ``reattempts`` (float64 [Q, K]): rho2 after an interception at attempt k; exactly 0 at the cap."""
    for q in range(plan.reattempt.shape[0]):
        for attempt in range(plan.attempt_cap):
            column = plan.reattempt[q, attempt]
            reattempts[q, attempt] = theta[column] if column >= 0 else 0.0
