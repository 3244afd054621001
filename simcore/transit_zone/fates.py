"""Kernels that build and read the inverse-CDF table of an attempt's fates (docs/architecture.md, walkers).

The fate of an attempt is the first f with U < T_f, for a 64-bit uniform U and thresholds T_f = floor(2**64 cumulative
probability). The high word decides unless it ties with a threshold's high word; only then is the low word needed. A
*guide* indexed by the leading bits of the high word says where to start looking (indexed search, Chen & Asau 1974),
so it changes the time, never the answer. Fates of probability zero have zero width and are never drawn; the last
possible fate takes what rounding leaves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel
from simcore.transit_zone.plan import FloatArray, TransitPlan

WordArray = npt.NDArray[np.uint32]
_TWO_64 = 18446744073709551616.0
_TOP = np.uint64(0xFFFFFFFFFFFFFFFF)
_SHIFT_32 = np.uint64(32)
FIRST_GUIDE_BITS = 12  # first attempts: many agents, so nearly every cell is decided without a comparison
LATER_GUIDE_BITS = 10
STRETCH = 16
_STRETCH_CELLS = np.uint64(STRETCH)
GUIDE_SIZE = (1 << FIRST_GUIDE_BITS) + STRETCH  # room for either
UNDECIDED = 0x8000  # flag of a cell that holds a threshold: search on from its first fate
FATE_OF_CELL = 0x7FFF


@bare_kernel
def fate_thresholds(
    plan: TransitPlan,
    start: int,
    attempt: int,
    legs: FloatArray,
    shares: FloatArray,
    reattempt: float,
    cumulative: FloatArray,
    high: WordArray,
    low: WordArray,
) -> int:
    """Write the thresholds of all fates of an attempt and return the index of the last possible one.

    Parameters
    ----------
    start : int
        Start (journey class and point) of the attempt.
    attempt : int
        0 for the first attempt.
    legs, shares : float64
        From `leg_probabilities` and `fork_shares`.
    reattempt : float
        rho2 after an interception at this attempt.
    cumulative : float64 [>= fates], out
        Cumulative probabilities.
    high, low : uint32 [>= fates], out
        High and low words of T_f.
    """
    fate = 0
    total = 0.0
    not_again = 1.0 - reattempt
    for route in range(plan.start_first_route[start], plan.start_first_route[start + 1]):
        alive = 1.0
        first, stop = plan.route_first_step[route], plan.route_first_step[route + 1]
        for step in range(first, stop):
            alive *= shares[plan.step_share[step]]
        for step in range(first, stop):
            probabilities = legs[plan.step_profile[step], attempt]
            intercepted = alive * probabilities[1]
            total += intercepted * not_again
            cumulative[fate] = total
            total += intercepted * reattempt
            cumulative[fate + 1] = total
            for cause in range(2, plan.causes + 1):
                total += alive * probabilities[cause]
                cumulative[fate + cause] = total
            fate += plan.causes + 1
            alive *= probabilities[0]
        total += alive
        cumulative[fate] = total
        fate += 1
    for f in range(fate):  # apart from the sums above, which wait for each other: this vectorises
        scaled = cumulative[f] * _TWO_64
        threshold = _TOP if scaled >= _TWO_64 else np.uint64(scaled)
        high[f] = np.uint32(threshold >> _SHIFT_32)
        low[f] = np.uint32(threshold)
    last = fate - 1
    while last > 0 and high[last] == high[last - 1] and low[last] == low[last - 1]:
        last -= 1
    return last


@bare_kernel
def fill_guide(high: WordArray, low: WordArray, last: int, bits: int, guide: npt.NDArray[np.uint16]) -> None:
    """Fill the first 2**bits cells of ``guide``: the fate of each cell's smallest U, flagged where it is not of all.

    Every fate writes a whole stretch of `STRETCH` cells at once, beyond its end if need be, where the next fate
    overwrites it: a loop over the right number of cells would be mispredicted at nearly every fate. ``guide`` has room
    for a stretch beyond its last cell.
    """
    shift = np.uint64(32 - bits)
    one = np.uint64(1)
    cell = np.uint64(0)  # all cells before it are done
    for fate in range(last):
        threshold = np.uint64(high[fate])
        ending = threshold >> shift  # the cell of the fate's threshold; those before it are decided
        value = np.uint16(fate)
        for i in range(STRETCH):
            guide[cell + np.uint64(i)] = value
        filled = cell + _STRETCH_CELLS
        while filled < ending:
            for i in range(STRETCH):
                guide[filled + np.uint64(i)] = value
            filled += _STRETCH_CELLS
        inside = ending >= cell and ((ending << shift) != threshold or low[fate] != 0)
        guide[ending if inside else cell] = value | UNDECIDED  # if not inside, the next fate overwrites it
        cell = ending + one if inside else max(cell, ending)
    guide[np.int64(cell) : 1 << bits] = last
