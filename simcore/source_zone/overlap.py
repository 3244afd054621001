"""From marginal at-risk shares to risk classes: who is at risk of one, of several, of any exploitation (A2).

Every person carries one risk bit per exploitation; class ``m`` is the set of bits that are one. The bits of two
exploitations are tied by an odds ratio psi (Plackett). With three or more, every *pair* has odds ratio psi given the
other bits, and nothing of higher order is assumed; for two bits that is Plackett's formula again.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel

_MAXIMUM_SWEEPS = 1000
_SWEEP_TOLERANCE = 1e-15


@bare_kernel
def plackett_both(first: float, second: float, odds_ratio: float) -> float:
    """Return P(both bits) for marginals ``first``, ``second`` and odds ratio psi > 0.

    With u = 1 + (psi - 1)(a + b): p11 = 2 psi a b / (u + sqrt(u^2 - 4 psi (psi - 1) a b)); stable for every psi, no
    special case at one (Plackett 1965).
    """
    if first >= 1.0 or second >= 1.0:  # exactly: rounding must not leave anyone outside a certain risk
        return min(first, second)
    u = 1.0 + (odds_ratio - 1.0) * (first + second)
    root = math.sqrt(max(u * u - 4.0 * odds_ratio * (odds_ratio - 1.0) * first * second, 0.0))
    # The same root of the quadratic without cancellation: u < 0 needs psi < 1 and a + b > 1.
    both = 2.0 * odds_ratio * first * second / (u + root) if u >= 0.0 else (root - u) / (2.0 * (1.0 - odds_ratio))
    return min(both, min(first, second))


@bare_kernel
def _fit_pairwise(shares: npt.NDArray[np.float64], odds_ratio: float, classes: npt.NDArray[np.float64]) -> None:
    """Iterative proportional fitting of classes with pairwise odds ratios to the marginal ``shares``."""
    bits = shares.size
    size = 1 << bits
    for member in range(size):
        count = 0
        for bit in range(bits):
            count += (member >> bit) & 1
        # One factor per pair, by squaring and written out: with and without the compiler the same bits.
        pairs, factor, weight = count * (count - 1) // 2, odds_ratio, 1.0
        while pairs > 0:
            if pairs & 1:
                weight *= factor
            factor *= factor
            pairs >>= 1
        for bit in range(bits):  # start from the independent odds
            share = shares[bit]
            weight *= share if (member >> bit) & 1 else 1.0 - share
        classes[member] = weight
    for _ in range(_MAXIMUM_SWEEPS):
        moved = 0.0
        for bit in range(bits):
            inside = 0.0
            outside = 0.0
            for member in range(size):
                if (member >> bit) & 1:
                    inside += classes[member]
                else:
                    outside += classes[member]
            share = shares[bit]
            scale_in = share / inside if inside > 0.0 else 0.0
            scale_out = (1.0 - share) / outside if outside > 0.0 else 0.0
            moved = max(moved, abs(inside - share))
            for member in range(size):
                classes[member] *= scale_in if (member >> bit) & 1 else scale_out
        if moved < _SWEEP_TOLERANCE:
            break


@bare_kernel
def risk_classes(shares: npt.NDArray[np.float64], odds_ratio: float, classes: npt.NDArray[np.float64]) -> None:
    """Fill ``classes`` (float64 [2**R]) with the probability of each set of bits; ``shares`` (float64 [R]) in 0..1."""
    bits = shares.size
    if bits == 1:
        classes[1] = shares[0]
        classes[0] = 1.0 - shares[0]
    elif bits == 2:
        both = plackett_both(shares[0], shares[1], odds_ratio)
        classes[3] = both
        classes[1] = max(shares[0] - both, 0.0)
        classes[2] = max(shares[1] - both, 0.0)
        certain = shares[0] >= 1.0 or shares[1] >= 1.0
        classes[0] = 0.0 if certain else max(1.0 - classes[1] - classes[2] - both, 0.0)
    else:
        _fit_pairwise(shares, odds_ratio, classes)
