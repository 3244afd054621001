"""NumPy peer, leg by leg: arrays of agents, one uniform per agent and leg, split and compacted at every point.

All journey classes walk together, point by point in the order of the graph, so that strata with equal parameters on a
leg are one array. With one parameter set the thresholds are scalars, else they are gathered by group.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.numpy_walk import (
    BATCHES,
    Columns,
    JourneyCounts,
    leg_table,
    reattempt_table,
    share_table,
    simulate_with,
)
from benchmarks.work import FloatArray, IntArray, Work
from simcore.engines.counts import Counts
from simcore.transit_zone.plan import TransitPlan


class Agents(NamedTuple):
    """Agents at a point: their group, and a bit for every point that they were at on an earlier attempt or now."""

    group: IntArray
    been: npt.NDArray[np.uint64]

    def at(self, index: npt.NDArray[np.intp]) -> Agents:
        """Return some of them."""
        return Agents(self.group.take(index), self.been.take(index))


def point_order(plan: TransitPlan) -> list[int]:
    """Return the points so that every leg leads forward."""
    legs = {
        (point, int(plan.leg_to[leg]))
        for forks in plan.class_fork
        for point, fork in enumerate(forks)
        if fork >= 0
        for leg in plan.fork_leg[plan.fork_start[fork] : plan.fork_start[fork + 1]]
    }
    order: list[int] = []
    left = list(range(plan.points))
    while left:
        free = [point for point in left if not any(to == point and origin in left for origin, to in legs)]
        order.extend(free)
        left = [point for point in left if point not in free]
    return order


class _Walk:
    """One batch on its way."""

    def __init__(self, work: Work, columns: Columns, generator: np.random.Generator, groups: int) -> None:
        self.plan = work.model.transit
        self.random = generator
        self.groups = groups
        self.legs, self.shares, self.reattempts = leg_table(work), share_table(work), reattempt_table(work)
        self.journey = np.tile(columns.journey, work.replicates)  # of every group
        self.row = None if work.fixed else np.repeat(np.arange(work.replicates), columns.slot.size)
        plan = self.plan
        self.counts = JourneyCounts(
            *(
                np.zeros((groups, n), dtype=np.int64)
                for n in (plan.points, plan.points, plan.outcomes, plan.attempt_cap)
            )
        )

    def count(self, group: IntArray) -> IntArray:
        """Return how many agents of each group there are."""
        return np.bincount(group, minlength=self.groups)

    def by_group(self, table: FloatArray, of_journey: IntArray) -> FloatArray:
        """Return what ``table`` [t, index, ...] says for each group: a scalar row if all agree, else [G, ...].

        ``of_journey`` is the index of every journey class, -1 for classes that are never asked.
        """
        used = np.unique(of_journey[of_journey >= 0])
        if self.row is None and used.size == 1:
            return table[0, used[0]]
        return table[0 if self.row is None else self.row, of_journey[self.journey]]

    def walk(self, agents: IntArray) -> JourneyCounts:
        """Walk all agents to the end."""
        plan = self.plan
        group = np.repeat(np.arange(self.groups), agents)
        waiting: dict[int, list[Agents]] = defaultdict(list)
        entry = plan.start_point[plan.class_start]
        for point in np.unique(entry):
            here = group[(entry[self.journey] == point)[group]]
            waiting[int(point)].append(Agents(here, np.zeros(here.size, dtype=np.uint64)))
        attempt = 0
        order = point_order(plan)
        while waiting:
            everybody = sum(self.count(part.group) for parts in waiting.values() for part in parts)
            self.counts.attempts[:, attempt] += everybody
            returned: dict[int, list[Agents]] = defaultdict(list)
            for point in order:
                if point in waiting:
                    self.visit(point, attempt, waiting, returned)
            waiting = returned
            attempt += 1
        return self.counts

    def visit(
        self, point: int, attempt: int, waiting: dict[int, list[Agents]], returned: dict[int, list[Agents]]
    ) -> None:
        """Count those at a point and send them on."""
        plan, parts = self.plan, waiting.pop(point)
        here = parts[0] if len(parts) == 1 else Agents(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
        if not here.group.size:
            return
        number = self.count(here.group)
        self.counts.visits[:, point] += number
        bit = np.uint64(1 << point)
        first = number if attempt == 0 else self.count(here.group[(here.been & bit) == 0])
        self.counts.reached[:, point] += first
        if point == plan.arrival_point:
            self.counts.outcome[:, plan.arrival_outcome] += number
            return
        here = Agents(here.group, here.been | bit)
        forks = plan.class_fork[:, point]
        for fork in np.unique(forks[forks >= 0]):
            same = (forks == fork).all() or (forks[forks >= 0] == fork).all()
            takers = here if same else here.at(np.flatnonzero((forks[self.journey] == fork)[here.group]))
            first_leg, stop = plan.fork_start[fork], plan.fork_start[fork + 1]
            if stop - first_leg == 1:
                self.travel(int(plan.fork_leg[first_leg]), attempt, takers, waiting, returned)
                continue
            bounds = np.cumsum(self.shares[:, first_leg : stop - 1], axis=1)
            u = self.random.random(takers.group.size)
            if self.row is None:
                choice = (u >= bounds[0][:, None]).sum(axis=0, dtype=np.int8)
            else:
                choice = sum((u >= edge[self.row][takers.group]).view(np.int8) for edge in bounds.T)
            for i in range(stop - first_leg):
                chosen = takers.at(np.flatnonzero(choice == i))
                self.travel(int(plan.fork_leg[first_leg + i]), attempt, chosen, waiting, returned)

    def travel(
        self,
        leg: int,
        attempt: int,
        agents: Agents,
        waiting: dict[int, list[Agents]],
        returned: dict[int, list[Agents]],
    ) -> None:
        """Send agents over a leg: on to its end, out by a cause, or back for another attempt."""
        plan = self.plan
        table = self.by_group(self.legs[:, :, attempt], plan.class_profile[:, leg])
        bounds = np.cumsum(table[..., :-1], axis=-1)  # continue first, then the causes in order
        scalar = bounds.ndim == 1
        u = self.random.random(agents.group.size)
        goes_on = u < (bounds[0] if scalar else bounds[:, 0].take(agents.group))
        waiting[int(plan.leg_to[leg])].append(agents.at(np.flatnonzero(goes_on)))
        ends = np.flatnonzero(~goes_on)
        stopped, u = agents.at(ends), u.take(ends)
        if scalar:
            cause = np.searchsorted(bounds[1:], u, side="right")
        else:
            cause = (u[:, None] >= bounds[stopped.group, 1:]).sum(axis=1)
        ended = np.bincount(stopped.group * plan.causes + cause, minlength=self.groups * plan.causes)
        by_cause = ended.reshape(self.groups, plan.causes)
        for i in range(1, plan.causes):
            self.counts.outcome[:, plan.cause_outcome[i]] += by_cause[:, i]
        caught = stopped.at(np.flatnonzero(cause == 0))
        again = self.by_group(self.reattempts[:, :, attempt, None], plan.class_reattempt)
        u = self.random.random(caught.group.size)
        tries = u < (again[0] if again.ndim == 1 else again[:, 0].take(caught.group))
        self.counts.outcome[:, plan.returned_outcome] += self.count(caught.group[~tries])
        if not tries.any():
            return
        trying = caught.at(np.flatnonzero(tries))
        back = plan.class_return[:, leg]
        points = np.unique(back[back >= 0])
        for point in points:
            index = np.flatnonzero((back[self.journey] == point)[trying.group]) if points.size > 1 else None
            returned[int(point)].append(trying if index is None else trying.at(index))


def walk_leg_by_leg(work: Work, columns: Columns, agents: IntArray, generator: np.random.Generator) -> JourneyCounts:
    """Walk ``agents`` (int64 [G]) of every group to the end, leg by leg."""
    return _Walk(work, columns, generator, agents.size).walk(agents)


class LegPeer:
    """The contender; ``batch`` is about how many agents are walked at once."""

    def __init__(self, batch: int = BATCHES[1]) -> None:
        self.batch = batch

    def __call__(self, work: Work, generator: np.random.Generator) -> Counts:
        """Simulate with NumPy, agents leg by leg."""
        return simulate_with(walk_leg_by_leg, work, generator, agents_at_once=self.batch)
