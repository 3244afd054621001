"""The expanded states of a whole journey, (attempt, point, points reached so far), and the legs between them.

Within an attempt legs form a DAG and attempts only go up, so no state is ever entered twice by one person: every stored
count is a sum over states and legs, or follows from the set of points reached. `engines.cohort` moves counts of persons
from state to state; `engines.expected` moves probabilities (docs/model.md E2, F).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simcore.errors import ScenarioError
from simcore.transit_zone.journeys import JourneyClass, JourneyCompiler
from simcore.transit_zone.plan import NONE, FlowPlan

MAXIMUM_STATES = 200_000
_BLOCK = 8  # draws of a state start at multiples of this, so that their random words are made as whole vectors


class _State(NamedTuple):
    attempt: int
    rank: int  # of the point in an order of the DAG
    point: int
    reached: int


class _Choice(NamedTuple):
    leg: int
    share: int
    onward: _State
    again: _State | None


def draws_of_state(choices: int, causes: int) -> int:
    """Return how many draw indices a state has: its fork, then exits, causes and re-attempts of every leg.

    It depends neither on the attempt nor on the cap, so a raised cap leaves the indices of earlier attempts alone.
    """
    draws = choices * (causes + 2)
    return -(-draws // _BLOCK) * _BLOCK


def compile_flows(journeys: JourneyCompiler, fork_offsets: list[int]) -> FlowPlan:
    """Enumerate the states of every journey class of a compiled transit zone.

    Parameters
    ----------
    journeys : JourneyCompiler
    fork_offsets : list of int
        Start of each fork in ``fork_share``.

    Raises
    ------
    ScenarioError
        If a class has more than `MAXIMUM_STATES` states.
    """
    attempt_cap = journeys.attempt_cap
    class_first, first_choice = [0], [0]
    attempt_first: list[list[int]] = []
    states: list[_State] = []
    first_draws: list[int] = []
    choices: list[tuple[int, int, int, int, int, bool, bool]] = []
    for journey in journeys.classes:
        leaving = _explore(journeys, journey, fork_offsets)
        ordered = sorted(leaving)
        index = {state: class_first[-1] + position for position, state in enumerate(ordered)}
        attempts = [state.attempt for state in ordered]
        attempt_first.append([class_first[-1] + int(n) for n in np.searchsorted(attempts, range(attempt_cap + 1))])
        draw = 0
        for state in ordered:
            first_draws.append(draw)
            draw += draws_of_state(len(leaving[state]), len(journeys.causes))
            for leg, share, onward, again in leaving[state]:
                to = NONE if again is None else index[again]
                onward_new = onward.reached != state.reached
                again_new = again is not None and again.reached != state.reached
                choices.append((leg, share, journey.profiles[leg], index[onward], to, onward_new, again_new))
            first_choice.append(len(choices))
        states.extend(ordered)
        class_first.append(len(states))
    table = np.array(choices, dtype=np.int64).reshape(-1, 7).T.copy()
    return FlowPlan(
        class_first_state=np.array(class_first, dtype=np.int64),
        attempt_first_state=np.array(attempt_first, dtype=np.int64).reshape(-1, attempt_cap + 1),
        state_attempt=np.array([state.attempt for state in states], dtype=np.int64),
        state_point=np.array([state.point for state in states], dtype=np.int64),
        state_reached=np.array([state.reached for state in states], dtype=np.uint64),
        state_first_draw=np.array(first_draws, dtype=np.int64),
        first_choice=np.array(first_choice, dtype=np.int64),
        choice_leg=table[0],
        choice_share=table[1],
        choice_profile=table[2],
        choice_onward=table[3],
        choice_again=table[4],
        choice_onward_new=table[5].astype(np.bool_),
        choice_again_new=table[6].astype(np.bool_),
    )


def _ranks(journeys: JourneyCompiler, journey: JourneyClass) -> list[int]:
    """Return the rank of each point: the length of the longest path to it, so that legs lead to higher ranks."""
    rank = [0] * len(journeys.points)
    for _ in rank:
        for point, fork in enumerate(journey.forks):
            if fork != NONE:
                for leg, _share in list(journeys.forks)[fork]:
                    to = journeys.leg_to[leg]
                    rank[to] = max(rank[to], rank[point] + 1)
    return rank


def _explore(journeys: JourneyCompiler, journey: JourneyClass, fork_offsets: list[int]) -> dict[_State, list[_Choice]]:
    """Return every state that a class can be in, with the legs that leave it."""
    rank = _ranks(journeys, journey)
    forks = [[leg for leg, _share in choices] for choices in journeys.forks]
    profiles = list(journeys.profiles)

    def at(attempt: int, point: int, reached: int) -> _State:
        return _State(attempt, rank[point], point, reached | 1 << point)

    def leave(state: _State) -> list[_Choice]:
        if state.point == journeys.arrival_point:
            return []
        fork = journey.forks[state.point]
        choices = []
        for share, leg in enumerate(forks[fork], start=fork_offsets[fork]):
            intercepts = profiles[journey.profiles[leg]].causes[0] != NONE
            again = None
            if intercepts and state.attempt + 1 < journeys.attempt_cap:
                again = at(state.attempt + 1, journey.returns[leg], state.reached)
            choices.append(_Choice(leg, share, at(state.attempt, journeys.leg_to[leg], state.reached), again))
        return choices

    found: dict[_State, list[_Choice]] = {}
    waiting = [at(0, journey.entry, 0)]
    while waiting:
        state = waiting.pop()
        if state in found:
            continue
        if len(found) >= MAXIMUM_STATES:
            raise ScenarioError(
                f"{journeys.scenario.name}: more than {MAXIMUM_STATES} journey states (attempt, point, points "
                "reached); closed form and cohort engine are not available for a graph of this size (lower "
                "transit.attempt_cap or the number of points)"
            )
        found[state] = leave(state)
        for choice in found[state]:
            waiting.append(choice.onward)
            if choice.again is not None:
                waiting.append(choice.again)
    return found
