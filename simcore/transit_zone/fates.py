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
GUIDE_SIZE = 1 << FIRST_GUIDE_BITS  # room for either
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
    high, low : uint32 [>= fates], out
        High and low words of T_f.
    """
    fate = 0
    last = 0
    cumulative = 0.0
    previous = np.uint64(0)
    for route in range(plan.start_first_route[start], plan.start_first_route[start + 1]):
        alive = 1.0
        first, stop = plan.route_first_step[route], plan.route_first_step[route + 1]
        for step in range(first, stop):
            alive *= shares[plan.step_share[step]]
        for step in range(first, stop + 1):
            ends = plan.causes + 1 if step < stop else 1
            for end in range(ends):
                if step == stop:
                    mass = alive  # arrival
                else:
                    profile = plan.step_profile[step]
                    if end == 0:
                        mass = alive * legs[profile, attempt, 1] * (1.0 - reattempt)
                    elif end == 1:
                        mass = alive * legs[profile, attempt, 1] * reattempt
                    else:
                        mass = alive * legs[profile, attempt, end]
                cumulative += mass
                scaled = cumulative * _TWO_64
                threshold = _TOP if scaled >= _TWO_64 else np.uint64(scaled)
                if threshold > previous:
                    last = fate
                previous = threshold
                high[fate] = np.uint32(threshold >> _SHIFT_32)
                low[fate] = np.uint32(threshold)
                fate += 1
            if step < stop:
                alive *= legs[plan.step_profile[step], attempt, 0]
    return last


@bare_kernel
def fill_guide(high: WordArray, low: WordArray, last: int, bits: int, guide: npt.NDArray[np.uint16]) -> None:
    """Fill the first 2**bits cells of ``guide``: the fate of each cell's smallest U, flagged where it is not of all."""
    shift = 32 - bits
    cells = 1 << bits
    cell = 0
    fate = 0
    while cell < cells:
        smallest = cell << shift
        threshold = int(np.int64(high[fate]))
        while fate < last and (threshold < smallest or (threshold == smallest and low[fate] == 0)):
            fate += 1
            threshold = int(np.int64(high[fate]))
        if fate == last:
            guide[cell:cells] = fate
            return
        ending = threshold >> shift  # the cell of the fate's threshold; all before it are decided
        guide[cell:ending] = fate
        if (ending << shift) == threshold and low[fate] == 0:
            cell = ending
        else:
            guide[ending] = fate | UNDECIDED
            cell = ending + 1
