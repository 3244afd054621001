"""The expanded states of a whole journey: (attempt, point, points reached so far), for the exact moments.

Within an attempt legs form a DAG and attempts only go up, so no state is ever entered twice: every stored count of one
person is a sum of state indicators (visits, ended attempts) or a function of where the journey stops (points reached,
outcome, attempts). That is what makes all second moments of E2 cheap: see `engines.expected`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simcore.errors import ScenarioError
from simcore.transit_zone.journeys import JourneyClass, JourneyCompiler
from simcore.transit_zone.plan import AGAIN, NONE, NOT_AGAIN, PLAIN, StatePlan

MAXIMUM_STATES = 200_000


@dataclass(frozen=True, order=True)
class _State:
    attempt: int
    rank: int  # of the point in an order of the DAG; an ended attempt comes after its point
    point: int
    leg: int  # NONE at a point; else the leg on which the attempt ended
    cause: int
    reached: int


class _ClassStates:
    """States, edges and endings of one journey class."""

    def __init__(self, journeys: JourneyCompiler, journey: JourneyClass, fork_offsets: list[int], ended: bool) -> None:
        self.journeys = journeys
        self.journey = journey
        self.fork_offsets = fork_offsets
        self.fork_legs = [[leg for leg, _ in choices] for choices in journeys.forks]
        self.ended = ended
        self.rank = self._ranks()
        self.edges: dict[_State, list[tuple[int, int, int, int, int, _State | None, tuple[int, int, int] | None]]] = {}
        self._explore()

    def _ranks(self) -> dict[int, int]:
        """Rank of each point: the length of the longest path to it, so that legs lead to higher ranks."""
        rank = dict.fromkeys(range(len(self.journeys.points)), 0)
        for _ in rank:
            for point, fork in enumerate(self.journey.forks):
                if fork != NONE:
                    for leg in self.fork_legs[fork]:
                        to = self.journeys.leg_to[leg]
                        rank[to] = max(rank[to], rank[point] + 1)
        return rank

    def at(self, attempt: int, point: int, reached: int) -> _State:
        return _State(attempt, 2 * self.rank[point], point, NONE, NONE, reached | 1 << point)

    def _explore(self) -> None:
        waiting = [self.at(0, self.journey.entry, 0)]
        while waiting:
            state = waiting.pop()
            if state in self.edges:
                continue
            if len(self.edges) >= MAXIMUM_STATES:
                raise ScenarioError(
                    f"{self.journeys.scenario.name}: more than {MAXIMUM_STATES} journey states; the closed form is not "
                    "available for a graph of this size (lower transit.attempt_cap or the number of points)"
                )
            self.edges[state] = self._edges_of(state)
            waiting.extend(edge[5] for edge in self.edges[state] if edge[5] is not None)

    def _edges_of(
        self, state: _State
    ) -> list[tuple[int, int, int, int, int, _State | None, tuple[int, int, int] | None]]:
        journeys = self.journeys
        made = state.attempt + 1
        roles = journeys.scenario.document.outcomes

        def ending(outcome: str) -> tuple[int, int, int]:
            return state.reached, journeys.outcomes.index(outcome), made

        def after(leg: int, cause: int, share: int, profile: int) -> list[tuple]:  # type: ignore[type-arg]
            column = 1 + cause if profile != NONE else NONE
            if cause > 0:
                stop = ending(journeys.terminal_causes[cause - 1])
                return [(share, profile, column, state.attempt, PLAIN, None, stop)]
            result: list[tuple] = [(share, profile, column, state.attempt, NOT_AGAIN, None, ending(roles.returned))]  # type: ignore[type-arg]
            if made < journeys.attempt_cap:
                following = self.at(state.attempt + 1, self.journey.returns[leg], state.reached)
                result.append((share, profile, column, state.attempt, AGAIN, following, None))
            return result

        if state.leg != NONE:  # an ended attempt: its probability was paid on the way in
            return after(state.leg, state.cause, NONE, NONE)
        if state.point == journeys.arrival_point:
            return [(NONE, NONE, NONE, state.attempt, PLAIN, None, ending(roles.arrival))]
        fork = self.journey.forks[state.point]
        edges: list[tuple] = []  # type: ignore[type-arg]
        for share, leg in enumerate(self.fork_legs[fork], start=self.fork_offsets[fork]):
            profile = self.journey.profiles[leg]
            onward = self.at(state.attempt, journeys.leg_to[leg], state.reached)
            edges.append((share, profile, 0, state.attempt, PLAIN, onward, None))
            declared = list(journeys.profiles)[profile].causes
            for cause, base in enumerate(declared):
                if base == NONE:
                    continue
                if self.ended:
                    stop = _State(state.attempt, state.rank + 1, state.point, leg, cause, state.reached)
                    edges.append((share, profile, 1 + cause, state.attempt, PLAIN, stop, None))
                else:
                    edges.extend(after(leg, cause, share, profile))
        return edges


def compile_states(journeys: JourneyCompiler, fork_offsets: list[int], *, ended: bool) -> StatePlan:
    """Enumerate the states of every journey class of a compiled transit zone.

    Parameters
    ----------
    journeys : JourneyCompiler
    fork_offsets : list of int
        Start of each fork in ``fork_share``.
    ended : bool
        Whether ended attempts by leg and cause are among the counts.

    Raises
    ------
    ScenarioError
        If a class has more than `MAXIMUM_STATES` states.
    """
    points, causes = len(journeys.points), len(journeys.causes)
    first_state, first_edge, first_ending = [0], [0], [0]
    counter: list[int] = []
    edges: list[tuple[int, ...]] = []
    all_endings: list[tuple[int, int, int]] = []
    for journey in journeys.classes:
        states = _ClassStates(journeys, journey, fork_offsets, ended)
        ordered = sorted(states.edges)
        index = {state: first_state[-1] + position for position, state in enumerate(ordered)}
        endings: dict[tuple[int, int, int], int] = {}
        for state in ordered:
            is_point = state.leg == NONE
            counter.append(state.point if is_point else points + state.leg * causes + state.cause)
            for share, profile, column, attempt, again, target, stop in states.edges[state]:
                goal = index[target] if target is not None else NONE
                end = NONE if stop is None else first_ending[-1] + endings.setdefault(stop, len(endings))
                edges.append((share, profile, column, attempt, again, goal, end))
            first_edge.append(len(edges))
        first_state.append(len(counter))
        all_endings.extend(endings)
        first_ending.append(len(all_endings))
    table = np.array(edges, dtype=np.int64).reshape(-1, 7).T.copy()
    return StatePlan(
        class_first_state=np.array(first_state, dtype=np.int64),
        state_counter=np.array(counter, dtype=np.int64),
        first_edge=np.array(first_edge, dtype=np.int64),
        edge_share=table[0],
        edge_profile=table[1],
        edge_column=table[2],
        edge_attempt=table[3],
        edge_again=table[4],
        edge_target=table[5],
        edge_ending=table[6],
        class_first_ending=np.array(first_ending, dtype=np.int64),
        ending_reached=np.array([reached for reached, _, _ in all_endings], dtype=np.uint64),
        ending_outcome=np.array([outcome for _, outcome, _ in all_endings], dtype=np.int64),
        ending_attempts=np.array([made for _, _, made in all_endings], dtype=np.int64),
    )
