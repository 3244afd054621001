"""The level of a logistic model that gives a population a stated mean share (docs/at_risk_models.md).

Given log odds eta_c of the cells up to a common level, find alpha so that

    sum over c of n_c / (1 + exp(-(alpha + eta_c)))  =  anchor x sum of n_c.

The left side rises with alpha from 0 to sum n_c, so there is one root; it lies between logit(anchor) - max eta and
logit(anchor) - min eta. Newton's method on the *logit* of the mean share, which is nearly a straight line in alpha, is
kept inside the bracket and falls back to bisection.
"""

from __future__ import annotations

import math

from simcore.compilation import kernel
from simcore.source_zone.plan import FloatArray

LARGEST_LOG_ODDS = 700.0
"""Log odds are held to this size: beyond it exp overflows, and the share is 0 or 1 for all purposes."""

TOLERANCE = 1e-14
_MOST_STEPS = 200


@kernel
def logistic(x: float) -> float:
    """Return 1 / (1 + exp(-x)), accurate (relatively) for every x."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    odds = math.exp(x)
    return odds / (1.0 + odds)


@kernel
def solve_level(persons: FloatArray, log_odds: FloatArray, anchor: float) -> float:
    """Return alpha, the level at which the mean share of the persons is ``anchor``.

    Parameters
    ----------
    persons : float64 [C]
        Weights n_c; cells without persons do not count.
    log_odds : float64 [C]
        eta_c, within +-`LARGEST_LOG_ODDS`.
    anchor : float
        Mean share, 0 to 1; at the ends, which a draw can only round to, alpha is minus or plus infinity.

    Returns
    -------
    float
        alpha, so that the mean share equals the anchor to 1e-13 of the smaller of anchor and 1 - anchor; to the last
        bit of alpha where that is worth more (log odds of hundreds). With nobody at all: logit(anchor).

    Notes
    -----
    For anchors above one half the roles of share and complement are exchanged, so that the smaller of the two is
    always summed directly and keeps its relative accuracy.
    """
    flip = -1.0 if anchor > 0.5 else 1.0
    target = 1.0 - anchor if anchor > 0.5 else anchor
    if not target > 0.0:
        return -flip * math.inf
    total, lowest, highest = 0.0, LARGEST_LOG_ODDS, -LARGEST_LOG_ODDS
    for c in range(persons.size):
        if persons[c] > 0.0:
            total += persons[c]
            lowest = min(lowest, flip * log_odds[c])
            highest = max(highest, flip * log_odds[c])
    centre = math.log(target / (1.0 - target))
    if not total > 0.0:
        return flip * centre
    low, high = centre - highest, centre - lowest
    alpha = 0.5 * (low + high)
    for _ in range(_MOST_STEPS):
        share, slope = 0.0, 0.0
        for c in range(persons.size):
            if persons[c] > 0.0:
                here = logistic(alpha + flip * log_odds[c])
                share += persons[c] * here
                slope += persons[c] * here * logistic(-alpha - flip * log_odds[c])
        share /= total
        slope /= total
        if abs(share - target) <= TOLERANCE * target:
            break
        if share < target:
            low = alpha
        else:
            high = alpha
        step = math.nan
        if 0.0 < share < 1.0 and slope > 0.0:
            step = (math.log(share / (1.0 - share)) - centre) * share * (1.0 - share) / slope
        following = alpha - step
        if not low < following < high:
            following = 0.5 * (low + high)
        if following == alpha:
            break
        alpha = following
    return flip * alpha
