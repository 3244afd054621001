"""Exact binomial draws from the addressed generator.

`binomial` follows two published algorithms: sequential inversion for means below ten (Kachitvichyanukul & Schmeiser
1988, BINV) and the transformed rejection BTRS (Hormann 1993, "The generation of binomial random variates") otherwise.
The iteration of the rejection is part of the address, so a draw never depends on how often another one was rejected.
"""

from __future__ import annotations

import math

import numpy as np

from simcore.compilation import bare_kernel
from simcore.engines.random import philox4x32, uniform52

INVERSION_LIMIT = 10.0

# ln k! minus Stirling's (k + 1/2) ln(k + 1) - (k + 1) + ln(2 pi) / 2, for k = 0..9 (Hormann 1993, table 1).
_STIRLING_TAIL = (
    0.08106146679532726,
    0.04134069595540929,
    0.02767792568499834,
    0.02079067210376509,
    0.01664469118982119,
    0.01387612882307075,
    0.01189670994589177,
    0.01041126526197209,
    0.009255462182712733,
    0.008330563433362871,
)


@bare_kernel
def stirling_tail(k: float) -> float:
    """Return the correction of Stirling's formula for ln k! (absolute error 3e-11 at k = 10, less beyond)."""
    if k <= 9.0:
        return _STIRLING_TAIL[int(k)]
    square = (k + 1.0) * (k + 1.0)
    return (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / (k + 1.0)


@bare_kernel
def _binomial_by_inversion(trials: int, probability: float, uniform: float) -> int:
    """Walk up the probabilities until ``uniform`` is used up; guarded at ``trials`` and where they underflow."""
    odds = probability / (1.0 - probability)
    mass = math.exp(trials * math.log1p(-probability))
    count = 0
    while uniform > mass and count < trials and mass > 0.0:
        uniform -= mass
        count += 1
        mass *= (trials - count + 1) * odds / count
    return count


@bare_kernel
def _binomial_by_rejection(
    trials: int, probability: float, draw: np.uint32, replicate_id: np.uint32, theta_id: np.uint32, key: np.uint64
) -> int:
    """BTRS; needs ``trials * probability >= 10`` and ``probability <= 0.5``."""
    n = float(trials)
    spread = math.sqrt(n * probability * (1.0 - probability))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * probability
    centre = n * probability + 0.5
    squeeze = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * spread
    mode = math.floor((n + 1.0) * probability)
    odds = probability / (1.0 - probability)
    at_mode = (mode + 0.5) * math.log((mode + 1.0) / (odds * (n - mode + 1.0))) + stirling_tail(mode)
    at_mode += stirling_tail(n - mode)
    iteration = 0
    while True:
        w0, w1, w2, w3 = philox4x32(draw, np.uint32(iteration), replicate_id, theta_id, key)
        iteration += 1
        u = uniform52(w0, w1) - 0.5
        v = uniform52(w2, w3)
        distance = 0.5 - abs(u)
        k = math.floor((2.0 * a / distance + b) * u + centre)
        if distance >= 0.07 and v <= squeeze:
            return int(k)
        if k < 0.0 or k > n:
            continue
        v = math.log(v * alpha / (a / (distance * distance) + b))
        bound = at_mode + (n + 1.0) * math.log((n - mode + 1.0) / (n - k + 1.0))
        bound += (k + 0.5) * math.log(odds * (n - k + 1.0) / (k + 1.0))
        bound -= stirling_tail(k) + stirling_tail(n - k)
        if v <= bound:
            return int(k)


@bare_kernel
def binomial(
    trials: int, probability: float, draw: np.uint32, replicate_id: np.uint32, theta_id: np.uint32, key: np.uint64
) -> int:
    """Draw from Binomial(trials, probability) at address (draw, iteration, replicate_id, theta_id) under ``key``.

    Parameters
    ----------
    trials : int
        Number of trials; none or fewer gives 0.
    probability : float
        Success probability; values at or beyond 0 and 1 give exactly 0 and ``trials``.
    draw : np.uint32
        First counter word of the address.
    replicate_id, theta_id : np.uint32
        Third and fourth counter word.
    key : np.uint64
        Key of the stream.

    Returns
    -------
    int
        Number of successes, 0 <= result <= trials.
    """
    if trials <= 0 or probability <= 0.0:
        return 0
    if probability >= 1.0:
        return trials
    smaller = probability if probability <= 0.5 else 1.0 - probability
    if trials * smaller < INVERSION_LIMIT:
        w0, w1, _, _ = philox4x32(draw, np.uint32(0), replicate_id, theta_id, key)
        count = _binomial_by_inversion(trials, smaller, uniform52(w0, w1))
    else:
        count = _binomial_by_rejection(trials, smaller, draw, replicate_id, theta_id, key)
    return count if probability <= 0.5 else trials - count
