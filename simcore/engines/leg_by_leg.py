"""The leg-by-leg walk: one block of words per agent, attempt and leg; a second, slower way to the same law.

It needs no list of routes, so it also serves graphs with too many of them. Each decision compares a 64-bit uniform with
64-bit thresholds, as the collapsed walk does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel
from simcore.engines.keys import Keys
from simcore.engines.random import philox4x32
from simcore.transit_zone.plan import FloatArray, IntArray, TransitPlan

_TWO_64 = 18446744073709551616.0
_TOP = np.uint64(0xFFFFFFFFFFFFFFFF)
_SHIFT_32 = np.uint64(32)


@bare_kernel
def threshold64(cumulative: float) -> np.uint64:
    """Return floor(2**64 cumulative), at most 2**64 - 1."""
    scaled = cumulative * _TWO_64
    return _TOP if scaled >= _TWO_64 else np.uint64(scaled)


@bare_kernel
def pick(uniform: np.uint64, masses: FloatArray, size: int) -> int:
    """Return the first i with U < 2**64 (masses[0] + ... + masses[i]); the last possible one takes the rest."""
    last = 0
    for i in range(size):
        if masses[i] > 0.0:
            last = i
    cumulative = 0.0
    for i in range(last):
        cumulative += masses[i]
        if uniform < threshold64(cumulative):
            return i
    return last


@bare_kernel
def walk_leg_by_leg(
    plan: TransitPlan,
    keys: Keys,
    legs: FloatArray,
    shares: FloatArray,
    reattempts: FloatArray,
    stratum: int,
    agents: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    masses: FloatArray,
    reached: npt.NDArray[np.bool_],
    tally: IntArray,
) -> None:
    """Walk ``agents`` bound victims of a stratum and add them to ``tally`` (see `TransitPlan`).

    ``masses`` (float64, at least C + 1 and the legs of a fork) and ``reached`` (bool [N]) are work space.
    """
    points = plan.points
    first_outcome = 2 * points
    first_attempt = first_outcome + plan.outcomes
    first_ended = first_attempt + plan.attempt_cap
    journey = plan.class_of[stratum]
    entry = plan.start_point[plan.class_start[journey]]
    rho = reattempts[plan.class_reattempt[journey]]
    for agent in range(agents):
        reached[:] = False
        point = entry
        attempt = 0
        walking = True
        while walking:  # one turn is one attempt
            tally[first_attempt + attempt] += 1
            while True:  # one turn is one point
                tally[points + point] += 1
                if not reached[point]:
                    reached[point] = True
                    tally[point] += 1
                if point == plan.arrival_point:
                    tally[first_outcome + plan.arrival_outcome] += 1
                    walking = False
                    break
                fork = plan.class_fork[journey, point]
                first = plan.fork_start[fork]
                choices = plan.fork_start[fork + 1] - first
                choice = 0
                c1 = np.uint32(attempt)
                if choices > 1:
                    for i in range(choices):
                        masses[i] = shares[first + i]
                    w0, w1, _, _ = philox4x32(np.uint32(agent), c1, replicate_id, theta_id, keys.branch[stratum, point])
                    choice = pick((np.uint64(w0) << _SHIFT_32) | np.uint64(w1), masses, choices)
                leg = plan.fork_leg[first + choice]
                probabilities = legs[plan.class_profile[journey, leg], attempt]
                w0, w1, w2, w3 = philox4x32(np.uint32(agent), c1, replicate_id, theta_id, keys.leg[stratum, leg])
                for cause in range(plan.causes):
                    masses[cause] = probabilities[1 + cause]
                masses[plan.causes] = probabilities[0]
                end = pick((np.uint64(w0) << _SHIFT_32) | np.uint64(w1), masses, plan.causes + 1)
                if end == plan.causes:
                    point = plan.leg_to[leg]
                    continue
                tally[first_ended + leg * plan.causes + end] += 1
                if end > 0:
                    tally[first_outcome + plan.cause_outcome[end]] += 1
                    walking = False
                elif rho[attempt] >= 1.0 or (np.uint64(w2) << _SHIFT_32) | np.uint64(w3) < threshold64(rho[attempt]):
                    point = plan.class_return[journey, leg]
                    attempt += 1
                else:
                    tally[first_outcome + plan.returned_outcome] += 1
                    walking = False
                break
