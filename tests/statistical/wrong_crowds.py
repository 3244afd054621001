"""Crowds moved by NumPy's binomials, on the twin's list of states: right, or wrong in one way that a program could be.

All replicates move at once. A right one is a third program for the law of the counts, with another generator.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from simcore.scenario import Scenario
from tests.statistical.samples import FloatArray
from tests.twin.cohort import AXES, crowds
from tests.twin.parameters import Theta
from tests.twin.transit import Journeys

MISTAKES = (
    "a cause's share of all who ended, not of those who ended by no earlier cause",
    "as many try again as are expected, not a number drawn",
    "who tries again of all who ended, not of the intercepted",
    "points reached so far forgotten at a re-attempt",
)


def moved(
    scenario: Scenario,
    columns: list[tuple[str, ...]],
    bound: npt.NDArray[np.int64],
    generator: np.random.Generator,
    mistake: str = "",
) -> FloatArray:
    """Return the columns of a `Frame`, [R, Q], after moving bound persons, int64 [R], all of the first crowd."""
    crowd = next(crowds(scenario, ()))
    journeys = Journeys(scenario, Theta(scenario, 0, 0), dict(zip(AXES, crowd.names, strict=True)))
    itinerary, outcomes, causes = crowd.itinerary, journeys.outcomes, crowd.itinerary.declared.causes
    zero = np.zeros_like(bound)
    counts: dict[tuple[str, str], npt.NDArray[np.int64]] = defaultdict(lambda: zero.copy())
    standing = defaultdict(lambda: zero.copy(), {min(itinerary.first_draw): bound})
    counts["attempts", "1"] += bound
    counts["reached", journeys.entry] += bound
    for state in itinerary.first_draw:
        undecided, point = standing[state].copy(), itinerary.point(state)
        counts["visits", point] += undecided
        if point == journeys.transit.arrival_point:
            counts["outcome", outcomes.arrival] += undecided
        shares = journeys.fork(point) if point != journeys.transit.arrival_point else {}
        left = 1.0
        for i, (leg, share) in enumerate(shares.items()):
            taking = undecided
            if i + 1 < len(shares):
                taking = generator.binomial(undecided, min(share / left, 1.0))
            undecided, left = undecided - taking, left - share
            continuing, chances = journeys.leg(leg, state.attempt)
            masses = [chances.get(cause, 0.0) for cause in causes]
            exits = generator.binomial(taking, 1.0 - continuing)
            onward = itinerary.onward(state, leg)
            standing[onward] += taking - exits
            if onward.mask != state.mask:
                counts["reached", itinerary.point(onward)] += taking - exits
            everybody, rest = exits, sum(masses)
            for c, (cause, mass) in enumerate(zip(causes, masses, strict=True)):
                of = sum(masses) if mistake == MISTAKES[0] else rest
                last = not any(masses[c + 1 :])
                ended = exits if last else generator.binomial(exits, min(mass / of, 1.0))
                exits, rest = exits - ended, rest - mass
                counts["ended", f"{leg}:{cause}"] += ended
                if c > 0:
                    counts["outcome", cause] += ended
                    continue
                rho, again = journeys.reattempt(state.attempt), itinerary.again(state, leg)
                retrying = generator.binomial(ended, rho)
                if mistake == MISTAKES[1]:
                    retrying = np.rint(ended * rho).astype(np.int64)
                if mistake == MISTAKES[2]:
                    retrying = np.minimum(generator.binomial(everybody, rho * mass / sum(masses)), ended)
                counts["outcome", outcomes.returned] += ended - retrying
                if again is not None:
                    standing[again] += retrying
                    counts["attempts", str(again.attempt)] += retrying
                    if again.mask != state.mask or mistake == MISTAKES[3]:
                        counts["reached", itinerary.point(again)] += retrying
    return np.stack([counts[variable, label] for variable, label in columns], axis=1).astype(np.float64)
