"""Plain Python peer: objects of the language only, one agent after the other, leg by leg.

Counts of the source zone come from NumPy, one replicate at a time (the standard library has no binomial in all
supported versions); the walk, which is nearly all of the time, is plain Python. What a program would prepare once per
parameter set and how counts are stored is shared with the peers that are agent frameworks.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from benchmarks.numpy_source import draw_source, persons_of
from benchmarks.numpy_walk import leg_table, reattempt_table, share_table
from benchmarks.work import Work
from simcore.engines.counts import Counts


@dataclass(frozen=True, slots=True)
class Tallies:
    """Counts of one stratum and replicate. (No tuple: Mesa takes a sequence of the right length for one per agent.)"""

    reached: list[int]
    visits: list[int]
    outcome: list[int]
    attempts: list[int]


class Journey:
    """What one journey class meets, as lists: everything that a program would prepare once per parameter set."""

    def __init__(self, work: Work, journey: int) -> None:
        plan = work.model.transit
        legs, shares, again = leg_table(work)[0], share_table(work)[0], reattempt_table(work)[0]
        self.entry = int(plan.start_point[plan.class_start[journey]])
        self.arrival, self.arrived = plan.arrival_point, plan.arrival_outcome
        self.returned = plan.returned_outcome
        self.outcome = plan.cause_outcome.tolist()
        self.choices: dict[int, tuple[list[float], list[int]]] = {}
        for point, fork in enumerate(plan.class_fork[journey]):
            if fork >= 0:
                here = slice(plan.fork_start[fork], plan.fork_start[fork + 1])
                self.choices[point] = (list(accumulate(shares[here]))[:-1], plan.fork_leg[here].tolist())
        self.bounds = {
            leg: [list(accumulate(masses))[:-1] for masses in legs[profile].tolist()]
            for leg, profile in enumerate(plan.class_profile[journey].tolist())
            if profile >= 0
        }
        self.to = plan.leg_to.tolist()
        self.back = plan.class_return[journey].tolist()
        self.again = again[plan.class_reattempt[journey]].tolist()

    def leave(self, draw: Callable[[], float], point: int, attempt: int, tallies: Tallies) -> tuple[int, int] | None:
        """Take a leg; return point and attempt after it, or None after counting an outcome."""
        if point == self.arrival:
            tallies.outcome[self.arrived] += 1
            return None
        bounds, legs = self.choices[point]
        leg = legs[bisect_right(bounds, draw())] if bounds else legs[0]
        end = bisect_right(self.bounds[leg][attempt], draw())
        if end == 0:
            return self.to[leg], attempt
        if end > 1:
            tallies.outcome[self.outcome[end - 1]] += 1
            return None
        if draw() < self.again[attempt]:
            tallies.attempts[attempt + 1] += 1
            return self.back[leg], attempt + 1
        tallies.outcome[self.returned] += 1
        return None

    def walk(self, draw: Callable[[], float], tallies: Tallies) -> None:
        """Walk one agent to the end and count it; `leave` written out, because a call per leg costs a third."""
        visits, outcome, attempts = tallies.visits, tallies.outcome, tallies.attempts
        been = set()
        point, attempt = self.entry, 0
        attempts[0] += 1
        while True:
            visits[point] += 1
            been.add(point)
            if point == self.arrival:
                outcome[self.arrived] += 1
                break
            bounds, legs = self.choices[point]
            leg = legs[bisect_right(bounds, draw())] if bounds else legs[0]
            end = bisect_right(self.bounds[leg][attempt], draw())
            if end == 0:
                point = self.to[leg]
            elif end > 1:
                outcome[self.outcome[end - 1]] += 1
                break
            elif draw() < self.again[attempt]:
                point = self.back[leg]
                attempt += 1
                attempts[attempt] += 1
            else:
                outcome[self.returned] += 1
                break
        for point in been:
            tallies.reached[point] += 1


WalkStrata = Callable[[list[tuple[Journey, int, Tallies]]], None]
"""Takes journey, number of agents and empty tallies of every active stratum of a replicate; fills the tallies."""


def simulate_by_replicate(work: Work, generator: np.random.Generator, walk: WalkStrata) -> Counts:
    """Simulate replicate by replicate with NumPy's source draws and a walk of all strata."""
    plan, source = work.model.transit, work.model.source
    counts = work.slots.empty_counts(work.replicates)
    cells = np.flatnonzero(source.active)
    journeys: list[Journey] = []
    for row in range(work.replicates):
        part = work.part(row, row + 1)
        if row == 0 or not work.fixed:
            journeys = [Journey(part, journey) for journey in range(plan.class_start.size)]
            persons = persons_of(part)[0]
        for cell, cell_slot in enumerate(work.slots.cell_slot):
            counts.persons[cell_slot, row] += int(persons[cell])
        drawn = draw_source(part, cells, generator)
        strata = []
        slots = []
        for a, cell in enumerate(cells.tolist()):
            counts.at_risk[work.slots.cell_slot[cell], row] += drawn.at_risk[0, a]
            for x in range(2):
                slot = int(work.slots.stratum_slot[2 * cell + x])
                counts.victims[slot, row] += drawn.victims[0, a, x]
                counts.destination[slot, row] += drawn.destination[0, a, x].astype(counts.destination.dtype)
                sizes = (plan.points, plan.points, plan.outcomes, plan.attempt_cap)
                tallies = Tallies(*([0] * size for size in sizes))
                bound = int(drawn.destination[0, a, x, source.bound])
                strata.append((journeys[plan.class_of[2 * cell + x]], bound, tallies))
                slots.append(slot)
        walk(strata)
        for slot, (_, _, tallies) in zip(slots, strata, strict=True):
            for name in Tallies.__slots__:
                target = getattr(counts, name)
                target[slot, row] += np.array(getattr(tallies, name), dtype=target.dtype)
    return counts


def simulate_plainly(work: Work, generator: np.random.Generator) -> Counts:
    """Simulate replicate by replicate, stratum by stratum, agent by agent."""
    draw = random.Random(int(generator.integers(2**63))).random

    def walk(strata: list[tuple[Journey, int, Tallies]]) -> None:
        for journey, agents, tallies in strata:
            for _ in range(agents):
                journey.walk(draw, tallies)

    return simulate_by_replicate(work, generator, walk)
