"""Exact binomial draws from the addressed generator.

`binomial` follows two published algorithms: sequential inversion for means below ten (Kachitvichyanukul & Schmeiser
1988, BINV) and the transformed rejection BTRS (Hormann 1993, "The generation of binomial random variates") otherwise.
The iteration of the rejection is part of the address, so a draw never depends on how often another one was rejected.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel
from simcore.engines.random import philox4x32, uniform52

INVERSION_LIMIT = 10.0
# P(0) = (1 - p)**n >= 1 - n p: a uniform below that, by more than any rounding, is a zero without a logarithm.
_CERTAIN_ZERO = 1.0 - 1e-9

Block = tuple[np.uint32, np.uint32, np.uint32, np.uint32]  # four random words

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
    if uniform < _CERTAIN_ZERO - trials * probability:
        return 0
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
    trials: int,
    probability: float,
    words: Block,
    draw: np.uint32,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    key: np.uint64,
) -> int:
    """BTRS; needs ``trials * probability >= 10`` and ``probability <= 0.5``. ``words`` are those of iteration 0."""
    n = float(trials)
    spread = math.sqrt(n * probability * (1.0 - probability))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * probability
    centre = n * probability + 0.5
    squeeze = 0.92 - 4.2 / b
    iteration = 0
    w0, w1, w2, w3 = words
    while True:
        u = uniform52(w0, w1) - 0.5
        v = uniform52(w2, w3)
        distance = 0.5 - abs(u)
        k = math.floor((2.0 * a / distance + b) * u + centre)
        if distance >= 0.07 and v <= squeeze:  # six draws out of seven end here
            return int(k)
        if 0.0 <= k <= n:
            # Only here is the mass at the mode needed: two logarithms that most draws never pay.
            alpha = (2.83 + 5.1 / b) * spread
            mode = math.floor((n + 1.0) * probability)
            odds = probability / (1.0 - probability)
            at_mode = (mode + 0.5) * math.log((mode + 1.0) / (odds * (n - mode + 1.0))) + stirling_tail(mode)
            at_mode += stirling_tail(n - mode)
            v = math.log(v * alpha / (a / (distance * distance) + b))
            bound = at_mode + (n + 1.0) * math.log((n - mode + 1.0) / (n - k + 1.0))
            bound += (k + 0.5) * math.log(odds * (n - k + 1.0) / (k + 1.0))
            bound -= stirling_tail(k) + stirling_tail(n - k)
            if v <= bound:
                return int(k)
        iteration += 1
        w0, w1, w2, w3 = philox4x32(draw, np.uint32(iteration), replicate_id, theta_id, key)


@bare_kernel
def binomial_of_words(
    trials: int,
    probability: float,
    words: Block,
    draw: np.uint32,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    key: np.uint64,
) -> int:
    """Draw as `binomial` does, from words of iteration 0 that were made beforehand (see `random.fill_blocks`)."""
    if trials <= 0 or probability <= 0.0:
        return 0
    if probability >= 1.0:
        return trials
    smaller = probability if probability <= 0.5 else 1.0 - probability
    if trials * smaller < INVERSION_LIMIT:
        count = _binomial_by_inversion(trials, smaller, uniform52(words[0], words[1]))
    else:
        count = _binomial_by_rejection(trials, smaller, words, draw, replicate_id, theta_id, key)
    return count if probability <= 0.5 else trials - count


@bare_kernel
def fill_binomials(
    trials: npt.NDArray[np.int64],
    probability: npt.NDArray[np.float64],
    words: npt.NDArray[np.uint32],
    first: int,
    draw: npt.NDArray[np.uint32],
    replicate_id: np.uint32,
    theta_id: np.uint32,
    key: npt.NDArray[np.uint64],
    accepted: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.int64],
) -> None:
    """Draw as `binomial_of_words` does, for many draws at once.

    The first round of the rejection, in which most draws end, and the zeros of small means are computed for all of them
    without a branch, so that it vectorises; what that does not settle is then drawn one by one.

    Parameters
    ----------
    trials : int64 [n]
        None or fewer give 0.
    probability : float64 [n]
        In 0 .. 1, both included.
    words : uint32 [4, >= first + n]
        Words of iteration 0, those of draw i in column ``first + i``.
    draw, key : [>= first + n]
        Their addresses, at ``first + i`` too.
    accepted : bool [n]
        Work space.
    counts : int64 [n], out
    """
    row_0, row_1, row_2, row_3 = words[0, first:], words[1, first:], words[2, first:], words[3, first:]
    for i in range(trials.size):
        smaller = probability[i] if probability[i] <= 0.5 else 1.0 - probability[i]
        n = float(trials[i])
        spread = math.sqrt(n * smaller * (1.0 - smaller))
        b = 1.15 + 2.53 * spread
        a = -0.0873 + 0.0248 * b + 0.01 * smaller
        uniform = uniform52(row_0[i], row_1[i])
        u = uniform - 0.5
        v = uniform52(row_2[i], row_3[i])
        distance = 0.5 - abs(u)
        k = np.floor((2.0 * a / distance + b) * u + (n * smaller + 0.5))
        zero = uniform < _CERTAIN_ZERO - n * smaller
        small = n * smaller < INVERSION_LIMIT
        accepted[i] = zero if small else (distance >= 0.07) & (v <= 0.92 - 4.2 / b)
        k = 0.0 if small else k
        counts[i] = np.int64(k if probability[i] <= 0.5 else n - k)
    for i in range(trials.size):
        if not accepted[i]:
            block = (row_0[i], row_1[i], row_2[i], row_3[i])
            counts[i] = binomial_of_words(
                trials[i], probability[i], block, draw[first + i], replicate_id, theta_id, key[first + i]
            )


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
    words = philox4x32(draw, np.uint32(0), replicate_id, theta_id, key)
    return binomial_of_words(trials, probability, words, draw, replicate_id, theta_id, key)
