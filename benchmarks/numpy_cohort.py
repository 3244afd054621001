"""NumPy peer that moves counts: `Generator.multinomial` over replicates and columns at once, state by state.

A state is (attempt, point, points reached so far); the persons in it are an array [replicate, column]. What can happen
to them next is drawn in one of two ways, and the faster one is timed: *joint*, one multinomial over everything that can
happen on any leg, or *staged*, legs first, then how each leg ends, then who tries again. Where most of an array is zero
only the rest is drawn.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from benchmarks.journey_states import JourneyStates, Move, State, list_states
from benchmarks.numpy_walk import Columns, JourneyCounts, leg_table, reattempt_table, share_table, simulate_with
from benchmarks.work import FloatArray, IntArray, Work
from simcore.engines.counts import Counts
from simcore.transit_zone.plan import TransitPlan

Draws = Literal["joint", "staged"]
BATCHES = (64, 256, 1024)  # replicates at once
_SPARSE = 0.5  # below this share of entries that are not zero, only those are drawn


def multinomial(generator: np.random.Generator, number: IntArray, shares: FloatArray) -> IntArray:
    """Return multinomial counts, int64 [n, J, k], of ``number`` (int64 [n, J]) and ``shares`` (float64 [n or 1, k])."""
    if shares.shape[1] == 1:
        return number[..., None]
    single = shares.shape[0] == 1
    occupied = np.flatnonzero(number)
    if occupied.size > _SPARSE * number.size:
        return generator.multinomial(number, shares[0] if single else shares[:, None, :])
    drawn = np.zeros((*number.shape, shares.shape[1]), dtype=np.int64)
    if occupied.size:
        chosen = shares[0] if single else shares[occupied // number.shape[1]]
        drawn.reshape(-1, shares.shape[1])[occupied] = generator.multinomial(number.ravel()[occupied], chosen)
    return drawn


class CohortWalk:
    """The walk; what depends on the scenario or a fixed parameter set is kept from batch to batch."""

    def __init__(self, draws: Draws) -> None:
        self.draws: Draws = draws
        self._states: dict[int, JourneyStates] = {}
        self._shares: dict[tuple[int, State], list[FloatArray]] = {}
        self._probabilities: tuple[FloatArray, FloatArray, FloatArray] | None = None

    def __call__(self, work: Work, columns: Columns, agents: IntArray, generator: np.random.Generator) -> JourneyCounts:
        """Take ``agents`` (int64 [G]) of every group to the end, one journey class after the other."""
        plan = work.model.transit
        if not work.fixed or self._probabilities is None:
            self._probabilities = leg_table(work), share_table(work), reattempt_table(work)
            self._shares = {}
        shape = (work.replicates, columns.slot.size)
        sizes = (plan.points, plan.points, plan.outcomes, plan.attempt_cap)
        counts = JourneyCounts(*(np.zeros((*shape, size), dtype=np.int64) for size in sizes))
        for journey in range(plan.class_start.size):
            mine = np.flatnonzero(columns.journey == journey)
            if journey not in self._states:
                self._states[journey] = list_states(plan, journey)
            made = self._move(plan, journey, agents.reshape(shape)[:, mine], generator)
            for target, values in zip(counts, made, strict=True):
                target[:, mine] = np.moveaxis(values, 0, -1)
        return JourneyCounts(*(array.reshape(agents.size, -1) for array in counts))

    def _move(
        self, plan: TransitPlan, journey: int, persons: IntArray, generator: np.random.Generator
    ) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Move ``persons`` (int64 [n, J]) of one class; return reached, visits, outcome and attempts, [..., n, J]."""
        states = self._states[journey]
        reached, visits = (np.zeros((plan.points, *persons.shape), dtype=np.int64) for _ in range(2))
        outcome = np.zeros((plan.outcomes, *persons.shape), dtype=np.int64)
        attempts = np.zeros((plan.attempt_cap, *persons.shape), dtype=np.int64)
        here: dict[State, IntArray] = {}

        def enter(state: State, number: IntArray, before: int) -> None:
            here[state] = here[state] + number if state in here else number
            if before >> state.point & 1 == 0:
                reached[state.point] += number

        attempts[0] = persons
        enter(states.first, persons, 0)
        for state, moves in states.moves.items():
            number = here.pop(state, None)
            if number is None or not number.any():
                continue
            visits[state.point] += number
            if not moves:
                outcome[plan.arrival_outcome] += number
                continue
            split = self._joint if self.draws == "joint" else self._staged
            for move, ends in zip(moves, split(plan, journey, state, moves, number, generator), strict=True):
                enter(move.onward, ends[..., 0], state.reached)
                outcome[plan.returned_outcome] += ends[..., 1]
                for cause in range(1, plan.causes):
                    outcome[plan.cause_outcome[cause]] += ends[..., 1 + cause]
                if move.again is not None:
                    attempts[state.attempt + 1] += ends[..., -1]
                    enter(move.again, ends[..., -1], state.reached)
        return reached, visits, outcome, attempts

    def _joint(
        self, plan: TransitPlan, journey: int, state: State, moves: list[Move], number: IntArray,
        generator: np.random.Generator,
    ) -> list[IntArray]:  # fmt: skip
        """Draw, for every leg: (goes on, returned for good, each terminal cause, tries again), by one multinomial."""
        if (journey, state) not in self._shares:
            assert self._probabilities is not None
            legs, shares, again = self._probabilities
            rho = again[:, plan.class_reattempt[journey], state.attempt]
            parts = []
            for move in moves:
                ends = legs[:, move.profile, state.attempt]
                mine = [ends[:, 0], ends[:, 1] * (1.0 - rho), *ends[:, 2:].T, ends[:, 1] * rho]
                parts.append(np.stack(mine, axis=1) * (shares[:, move.share, None] if len(moves) > 1 else 1.0))
            self._shares[journey, state] = [_whole(np.concatenate(parts, axis=1))]
        drawn = multinomial(generator, number, self._shares[journey, state][0])
        width = plan.causes + 2
        return [drawn[..., i * width : (i + 1) * width] for i in range(len(moves))]

    def _staged(
        self, plan: TransitPlan, journey: int, state: State, moves: list[Move], number: IntArray,
        generator: np.random.Generator,
    ) -> list[IntArray]:  # fmt: skip
        """Draw the same by a multinomial over legs, one over the ends of each, and a binomial of those intercepted."""
        if (journey, state) not in self._shares:
            assert self._probabilities is not None
            legs, shares, again = self._probabilities
            rho = again[:, plan.class_reattempt[journey], state.attempt]
            taken = shares[:, [move.share for move in moves]] if len(moves) > 1 else np.ones((rho.size, 1))
            ends = [_whole(legs[:, move.profile, state.attempt]) for move in moves]
            self._shares[journey, state] = [_whole(taken), *ends, np.stack([1.0 - rho, rho], axis=1)]
        taken, *ends, tries = self._shares[journey, state]
        by_leg = multinomial(generator, number, taken)
        made = []
        for i, move in enumerate(moves):
            drawn = multinomial(generator, by_leg[..., i], ends[i])
            if move.again is not None:
                caught = multinomial(generator, drawn[..., 1], tries)
                drawn = np.concatenate([drawn, caught[..., 1:]], axis=-1)
                drawn[..., 1] = caught[..., 0]
            made.append(drawn)
        return made


def _whole(shares: FloatArray) -> FloatArray:
    """Return shares that add up to one but for rounding: `Generator.multinomial` refuses more."""
    return shares / shares.sum(axis=1, keepdims=True)


class CohortPeer:
    """The contender; ``batch`` is how many replicates are moved at once."""

    def __init__(self, draws: Draws = "joint", batch: int = BATCHES[1]) -> None:
        self.walk = CohortWalk(draws)
        self.batch = batch

    def __call__(self, work: Work, generator: np.random.Generator) -> Counts:
        """Simulate with NumPy, counts moved from state to state."""
        return simulate_with(self.walk, work, generator, replicates_at_once=self.batch)
