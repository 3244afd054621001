"""Plain Python peer: objects of the language only, one agent after the other, leg by leg.

Counts of the source zone come from NumPy, one cell at a time (the standard library has no binomial in all supported
versions); the walk, which is nearly all of the time, is plain Python.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import accumulate

import numpy as np

from benchmarks.numpy_source import draw_source, persons_of
from benchmarks.numpy_walk import leg_table, reattempt_table, share_table
from benchmarks.work import Work
from simcore.engines.counts import Counts


class _Journey:
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

    def walk(
        self, uniform: random.Random, reached: list[int], visits: list[int], outcome: list[int], attempts: list[int]
    ) -> None:
        """Walk one agent and count it."""
        draw = uniform.random
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
            reached[point] += 1


def simulate_plainly(work: Work, generator: np.random.Generator) -> Counts:
    """Simulate replicate by replicate, stratum by stratum, agent by agent."""
    plan, source = work.model.transit, work.model.source
    uniform = random.Random(int(generator.integers(2**63)))
    counts = work.slots.empty_counts(work.replicates)
    cells = np.flatnonzero(source.active)
    journeys: list[_Journey] = []
    for row in range(work.replicates):
        part = work.part(row, row + 1)
        if row == 0 or not work.fixed:
            journeys = [_Journey(part, journey) for journey in range(plan.class_start.size)]
            persons = persons_of(part)[0]
        for cell, cell_slot in enumerate(work.slots.cell_slot):
            counts.persons[cell_slot, row] += int(persons[cell])
        drawn = draw_source(part, cells, generator)
        for a, cell in enumerate(cells.tolist()):
            counts.at_risk[work.slots.cell_slot[cell], row] += drawn.at_risk[0, a]
            for x in range(2):
                stratum = 2 * cell + x
                slot = int(work.slots.stratum_slot[stratum])
                counts.victims[slot, row] += drawn.victims[0, a, x]
                counts.destination[slot, row] += drawn.destination[0, a, x].astype(counts.destination.dtype)
                journey = journeys[plan.class_of[stratum]]
                tallies = [[0] * n for n in (plan.points, plan.points, plan.outcomes, plan.attempt_cap)]
                for _ in range(int(drawn.destination[0, a, x, source.bound])):
                    journey.walk(uniform, *tallies)
                targets = (counts.reached, counts.visits, counts.outcome, counts.attempts)
                for target, tally in zip(targets, tallies, strict=True):
                    target[slot, row] += np.array(tally, dtype=target.dtype)
    return counts
