"""Binomial counts: sequential inversion below a mean of ten, BTRS (Hormann 1993) from there on."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.twin.philox import Block, open_uniform

# What Stirling's series leaves of ln k! for k = 0 ... 9
_TAILS = (
    0.08106146679532726, 0.04134069595540929, 0.02767792568499834, 0.02079067210376509, 0.01664469118982119,
    0.01387612882307075, 0.01189670994589177, 0.01041126526197209, 0.009255462182712733, 0.008330563433362871,
)  # fmt: skip


def stirling_rest(k: float) -> float:
    """Return ln k! - [(k + 1/2) ln(k + 1) - (k + 1) + ln(2 pi) / 2]."""
    if k < 10.0:
        return _TAILS[int(k)]
    next_one = k + 1.0
    return (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / (next_one * next_one)) / (next_one * next_one)) / next_one


def inversion(n: int, p: float, u: float) -> int:
    """Return the smallest k with u <= P(X <= k), as far as doubles carry it."""
    ratio = p / (1.0 - p)
    mass = math.exp(n * math.log1p(-p))
    for k in range(n):
        if u <= mass or mass <= 0.0:
            return k
        u -= mass
        mass *= (n - k) * ratio / (k + 1)
    return n


def transformed_rejection(n: int, p: float, next_block: Callable[[int], Block]) -> int:
    """Hormann's BTRS for n p >= 10 and p <= 1/2; ``next_block`` gives the block of an iteration."""
    sd = math.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * sd
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c = n * p + 0.5
    v_r = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * sd
    m = math.floor((n + 1.0) * p)
    r = p / (1.0 - p)
    h = (m + 0.5) * math.log((m + 1.0) / (r * (n - m + 1.0))) + stirling_rest(m)
    h += stirling_rest(n - m)
    iteration = 0
    while True:
        w = next_block(iteration)
        iteration += 1
        u, v = open_uniform(w[0], w[1]) - 0.5, open_uniform(w[2], w[3])
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + c)
        if us >= 0.07 and v <= v_r:
            return k
        if not 0 <= k <= n:
            continue
        v = math.log(v * alpha / (a / (us * us) + b))
        limit = h + (n + 1.0) * math.log((n - m + 1.0) / (n - k + 1.0))
        limit += (k + 0.5) * math.log(r * (n - k + 1.0) / (k + 1.0))
        limit -= stirling_rest(k) + stirling_rest(n - k)
        if v <= limit:
            return k


def binomial_count(n: int, p: float, next_block: Callable[[int], Block]) -> int:
    """Return a Binomial(n, p) count from the blocks of one address."""
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    mirrored = p > 0.5
    small = 1.0 - p if mirrored else p
    if n * small < 10.0:
        w = next_block(0)
        count = inversion(n, small, open_uniform(w[0], w[1]))
    else:
        count = transformed_rejection(n, small, next_block)
    return n - count if mirrored else count
