"""States of a whole journey, (attempt, point, points reached so far), listed anew from the journey graph.

simcore has such a list of its own; a peer that took it would inherit its mistakes.
"""

from __future__ import annotations

from typing import NamedTuple

from simcore.transit_zone.plan import NONE, TransitPlan


class State(NamedTuple):
    """A place in a journey; states sort so that every move leads to a later one."""

    attempt: int
    depth: int  # of the point: the longest way to it
    point: int
    reached: int  # a bit for every point, this one included


class Move(NamedTuple):
    """One leg out of a state."""

    share: int  # entry of the table of fork shares
    profile: int  # row of the table of leg probabilities
    onward: State
    again: State | None  # after an interception and another attempt; None where there can be none


class JourneyStates(NamedTuple):
    """All states that a journey class can be in, in order, and the moves out of each; none from the arrival point."""

    moves: dict[State, list[Move]]
    first: State


def _depths(plan: TransitPlan, journey: int) -> list[int]:
    depth = [0] * plan.points
    for _ in range(plan.points):
        for point, fork in enumerate(plan.class_fork[journey]):
            if fork != NONE:
                for place in range(plan.fork_start[fork], plan.fork_start[fork + 1]):
                    to = int(plan.leg_to[plan.fork_leg[place]])
                    depth[to] = max(depth[to], depth[point] + 1)
    return depth


def list_states(plan: TransitPlan, journey: int) -> JourneyStates:
    """List the states of a journey class."""
    depth = _depths(plan, journey)

    def at(attempt: int, point: int, reached: int) -> State:
        return State(attempt, depth[point], point, reached | 1 << point)

    def leave(state: State) -> list[Move]:
        if state.point == plan.arrival_point:
            return []
        fork = plan.class_fork[journey, state.point]
        moves = []
        for share in range(plan.fork_start[fork], plan.fork_start[fork + 1]):
            leg = plan.fork_leg[share]
            back = int(plan.class_return[journey, leg])
            again = None
            if back != NONE and state.attempt + 1 < plan.attempt_cap:
                again = at(state.attempt + 1, back, state.reached)
            onward = at(state.attempt, int(plan.leg_to[leg]), state.reached)
            moves.append(Move(share, int(plan.class_profile[journey, leg]), onward, again))
        return moves

    first = at(0, int(plan.start_point[plan.class_start[journey]]), 0)
    found: dict[State, list[Move]] = {}
    waiting = [first]
    while waiting:
        state = waiting.pop()
        if state in found:
            continue
        found[state] = leave(state)
        for move in found[state]:
            waiting.append(move.onward)
            if move.again is not None:
                waiting.append(move.again)
    return JourneyStates({state: found[state] for state in sorted(found)}, first)
