"""Starsim peer: bound victims are Starsim's people, a module holds the journey, and a time step is a leg.

Written as Starsim's own modules are: states are arrays over people, a step draws for all who are still on their way at
once. Many replicates are one population, and an agent knows its own, so that setting up a simulation (tens of
milliseconds) is shared. Common random numbers, which Starsim would hash for every agent, are switched off, and draws
have 64 bits. Counts of the source zone come from NumPy.
"""

from __future__ import annotations

import os

import numpy as np

os.environ.setdefault("STARSIM_INSTALL_FONTS", "0")  # else the first import looks for fonts and says so

import starsim as ss

from benchmarks.numpy_walk import Columns, JourneyCounts, leg_table, reattempt_table, share_table, simulate_with
from benchmarks.work import FloatArray, IntArray, Work
from simcore.engines.counts import Counts
from simcore.transit_zone.plan import TransitPlan

AGENTS_AT_ONCE = 100_000


class Transit(ss.Module):  # type: ignore[misc]
    """The way to the border of all agents of a batch."""

    def __init__(self, work: Work, columns: Columns, agents: IntArray) -> None:
        super().__init__()
        plan = work.model.transit
        self.plan = plan
        self.define_states(
            ss.IntArr("group", default=0),
            ss.IntArr("point", default=0),
            ss.IntArr("attempt", default=0),
            ss.IntArr("been", default=0),
            ss.BoolArr("walking", default=True),
        )
        self.branch, self.leg, self.retry = ss.random(), ss.random(), ss.random()
        self.groups = agents.size
        self.starting = np.repeat(np.arange(agents.size), agents)
        self.journey = np.tile(columns.journey, work.replicates)  # of every group
        # Row of the tables of every group; a single one if all replicates have the same parameters.
        self.row = np.zeros(agents.size, np.int64) if work.fixed else np.arange(agents.size) // columns.slot.size
        self.ends = np.cumsum(leg_table(work)[..., :-1], axis=-1)  # continue first, then the causes
        self.again = reattempt_table(work)
        self.choices = _choice_bounds(plan, share_table(work))
        sizes = (plan.points, plan.points, plan.outcomes, plan.attempt_cap)
        self.counts = JourneyCounts(*(np.zeros((agents.size, size), dtype=np.int64) for size in sizes))

    def init_post(self) -> None:
        """Put everybody at the entry point."""
        super().init_post()
        everybody = self.walking.uids
        entry = self.plan.start_point[self.plan.class_start[self.journey]]
        self.group[everybody] = self.starting
        self.point[everybody] = entry[self.starting]
        self.add(self.counts.attempts, self.starting, np.zeros_like(self.starting))

    def add(self, target: IntArray, group: IntArray, index: IntArray) -> None:
        """Count agents by group and another index."""
        width = target.shape[1]
        target += np.bincount(group * width + index, minlength=target.size).reshape(target.shape)

    def step(self) -> None:
        """Count everybody at their points, then take a leg."""
        plan, counts = self.plan, self.counts
        walking = self.walking.uids
        if not walking.size:
            return
        group, point = np.asarray(self.group[walking]), np.asarray(self.point[walking])
        self.add(counts.visits, group, point)
        before = np.asarray(self.been[walking])
        new = np.flatnonzero((before >> point) & 1 == 0)
        self.add(counts.reached, group[new], point[new])
        self.been[walking] = before | (1 << point)
        there = point == plan.arrival_point
        self.finish(walking[there], group[there], plan.arrival_outcome)
        travelling, group, point = walking[~there], group[~there], point[~there]
        if not travelling.size:
            return

        journey, row = self.journey[group], self.row[group]
        attempt = np.asarray(self.attempt[travelling])
        fork = plan.class_fork[journey, point]
        choice = (self.branch.rvs(travelling)[:, None] >= self.choices[row, fork]).sum(axis=1)
        leg = plan.fork_leg[plan.fork_start[fork] + choice]
        ends = self.ends[row, plan.class_profile[journey, leg], attempt]
        end = (self.leg.rvs(travelling)[:, None] >= ends).sum(axis=1)
        onward = end == 0
        self.point[travelling[onward]] = plan.leg_to[leg[onward]]
        for cause in range(1, plan.causes):
            out = end == 1 + cause
            self.finish(travelling[out], group[out], int(plan.cause_outcome[cause]))
        caught = np.flatnonzero(end == 1)
        chance = self.again[row, plan.class_reattempt[journey], attempt][caught]
        tries = self.retry.rvs(travelling[caught]) < chance
        home, back = caught[~tries], caught[tries]
        self.finish(travelling[home], group[home], plan.returned_outcome)
        self.point[travelling[back]] = plan.class_return[journey[back], leg[back]]
        self.attempt[travelling[back]] = attempt[back] + 1
        self.add(counts.attempts, group[back], attempt[back] + 1)

    def finish(self, uids: ss.uids, group: IntArray, outcome: int) -> None:
        """Count an outcome; these do not walk any more."""
        self.counts.outcome[:, outcome] += np.bincount(group, minlength=self.groups)
        self.walking[uids] = False


def _choice_bounds(plan: TransitPlan, shares: FloatArray) -> FloatArray:
    """Return cumulated shares of every fork, float64 [t, forks, most legs - 1]; padding is never passed."""
    sizes = np.diff(plan.fork_start)
    bounds = np.full((shares.shape[0], sizes.size, max(int(sizes.max()) - 1, 1)), 2.0)
    for fork, first in enumerate(plan.fork_start[:-1]):
        bounds[:, fork, : sizes[fork] - 1] = np.cumsum(shares[:, first : first + sizes[fork] - 1], axis=1)
    return bounds


def simulate_with_starsim(work: Work, generator: np.random.Generator) -> Counts:
    """Simulate batches of replicates, a Starsim simulation each."""

    def walk(part: Work, columns: Columns, agents: IntArray, random: np.random.Generator) -> JourneyCounts:
        transit = Transit(part, columns, agents)
        if not agents.any():
            return transit.counts
        steps = part.model.transit.attempt_cap * part.model.transit.points
        sim = ss.Sim(
            n_agents=int(agents.sum()), modules=transit, dur=steps, start=0, dt=1,
            rand_seed=int(random.integers(2**31)), verbose=0, copy_inputs=False,
        )  # fmt: skip
        sim.init()
        while transit.walking.any():
            sim.run_one_step()
        return transit.counts

    with ss.options.context(crn=False, precision=64, verbose=0):
        return simulate_with(walk, work, generator, agents_at_once=AGENTS_AT_ONCE)
