"""The journeys of every class as a small chain over (attempt, place), for the exact moments (docs/model.md E2).

A *place* is a point that a class can be at; within an attempt moves lead to later places only, and a re-attempt leads
to a place of the next attempt, so nothing is entered twice. Which points were reached before is not part of the state:
the moments carry it as vectors (see `engines.expected.journeys`), so a chain has at most K N states however many sets
of points are possible.

Choices of a leg that lead from a place to the same place are one *move*; moves onto the arrival point end the journey
and are none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simcore.transit_zone.plan import NONE, IntArray, TransitPlan


class ChainPlan(NamedTuple):
    """Flat arrays of the chains of J classes; places are numbered within their class, in an order that moves follow.

    A point is *inner* if whether it is ever reached is an open question of its own: not the entry point, which everyone
    reaches, nor the arrival point, which is reached by those who arrive.
    """

    class_first_place: IntArray  # [J + 1]
    class_entry: IntArray  # [J] place where the first attempt begins
    class_inner: IntArray  # [J] number of inner places
    class_pairs: IntArray  # [J] pairs of inner places of which neither implies the other
    pair: IntArray  # [J, I, I] number of such a pair, the same both ways; NONE if one implies the other
    place_index: IntArray  # [Y] number within the class
    place_point: IntArray  # [Y]
    place_inner: IntArray  # [Y] number among the inner places of the class, NONE if not inner
    first_choice: IntArray  # [Y + 1]
    choice_leg: IntArray  # [W]
    choice_share: IntArray  # [W] entry of fork_share
    choice_profile: IntArray  # [W]
    choice_onward: IntArray  # [W] move within the attempt, NONE if the leg arrives
    choice_again: IntArray  # [W] move to the next attempt, NONE if nobody can be intercepted
    first_move: IntArray  # [Y + 1]
    move_target: IntArray  # [E] place
    move_again: IntArray  # [E] 0 within the attempt, 1 to the next one
    # hazards before modifiers: profiles that differ in their modifiers only share them
    profile_base: IntArray  # [F] its base
    base_profile: IntArray  # [H] a profile that has it
    profile_effect: IntArray  # [F] its attempt effect, an index into effect_column
    effect_column: IntArray  # [T] column of theta; the first is NONE: no effect

    @property
    def most_places(self) -> int:
        """The largest number of places of a class."""
        return int(np.diff(self.class_first_place).max(initial=0))


def _order_of_points(transit: TransitPlan, journey: int) -> list[int]:
    """Return the points that a class can be at, the arrival point left out, so that every leg leads onward."""
    fork, fork_leg = transit.class_fork[journey], transit.fork_leg
    targets = {
        point: {
            int(transit.leg_to[fork_leg[choice]])
            for choice in range(transit.fork_start[fork[point]], transit.fork_start[fork[point] + 1])
        }
        for point in range(transit.points)
        if fork[point] != NONE
    }
    ordered: list[int] = []
    while len(ordered) < len(targets):
        waiting = [point for point in targets if point not in ordered]
        ordered.append(next(p for p in waiting if not any(p in targets[other] for other in waiting)))
    return ordered


def _open_pairs(moves: dict[int, set[int]], entry: int, inner: list[int]) -> dict[tuple[int, int], int]:
    """Number the pairs of inner places that can both be first: neither lies on every way to the other.

    Parameters
    ----------
    moves : dict
        Place -> places that a move leads to, of the same attempt or the next.
    inner : list of int
        Number among the inner places, by place; NONE if not inner.
    """
    avoiding: dict[int, set[int]] = {}
    for avoided in moves:
        seen, waiting = {entry}, [entry]
        while waiting:
            fresh = moves[waiting.pop()] - seen - {avoided}
            seen |= fresh
            waiting.extend(fresh)
        avoiding[avoided] = seen
    pairs: dict[tuple[int, int], int] = {}
    for place in moves:
        for other in moves:
            named = NONE not in (inner[place], inner[other])
            if other < place and named and place in avoiding[other] and other in avoiding[place]:
                pairs[inner[place], inner[other]] = len(pairs)
    return pairs


def compile_chains(transit: TransitPlan) -> ChainPlan:
    """Lay out the chain of every journey class."""
    first_place, entries, inner_counts = [0], [], []
    point_of, inner_of, first_choice, first_move = [], [], [0], [0]
    choices: list[tuple[int, int, int, int, int]] = []
    moves: list[tuple[int, int]] = []
    open_pairs: list[dict[tuple[int, int], int]] = []
    for journey in range(transit.class_start.size):
        ordered = _order_of_points(transit, journey)
        place = {point: index for index, point in enumerate(ordered)}
        entry = int(transit.start_point[transit.class_start[journey]])
        inner = 0
        targets: dict[int, set[int]] = {}
        for point in ordered:
            point_of.append(point)
            inner_of.append(NONE if point == entry else inner)
            inner += point != entry
            known: dict[tuple[int, int], int] = {}
            fork = transit.class_fork[journey, point]
            for share in range(int(transit.fork_start[fork]), int(transit.fork_start[fork + 1])):
                leg = int(transit.fork_leg[share])
                profile, back = int(transit.class_profile[journey, leg]), int(transit.class_return[journey, leg])
                onward = again = NONE
                if transit.leg_to[leg] != transit.arrival_point:
                    onward = known.setdefault((place[int(transit.leg_to[leg])], 0), len(moves) + len(known))
                if back != NONE and transit.attempt_cap > 1:
                    again = known.setdefault((place[back], 1), len(moves) + len(known))
                choices.append((leg, share, profile, onward, again))
            moves.extend(known)
            targets[place[point]] = {to for to, _ in known}
            first_choice.append(len(choices))
            first_move.append(len(moves))
        first_place.append(len(point_of))
        entries.append(place[entry])
        inner_counts.append(inner)
        open_pairs.append(_open_pairs(targets, place[entry], inner_of[-len(ordered) :]))
    choice = np.array(choices, dtype=np.int64).reshape(-1, 5).T.copy()
    move = np.array(moves, dtype=np.int64).reshape(-1, 2).T.copy()
    most_inner = max(inner_counts, default=0)
    pair = np.full((len(open_pairs), most_inner, most_inner), NONE, dtype=np.int64)
    for table, pairs in zip(pair, open_pairs, strict=True):
        for (i, j), number in pairs.items():
            table[i, j] = table[j, i] = number
    bases: dict[tuple[int, ...], int] = {}
    effects = {NONE: 0}
    profile_base, base_profile, profile_effect = [], [], []
    for profile in range(transit.profile_split.size):
        causes = (int(column) for column in transit.profile_cause[profile])
        key = (int(transit.profile_split[profile]), int(transit.profile_continue[profile]), *causes)
        if key not in bases:
            base_profile.append(profile)
        profile_base.append(bases.setdefault(key, len(bases)))
        profile_effect.append(effects.setdefault(int(transit.profile_effect[profile]), len(effects)))
    return ChainPlan(
        class_first_place=_array(first_place),
        class_entry=_array(entries),
        class_inner=_array(inner_counts),
        class_pairs=_array([len(pairs) for pairs in open_pairs]),
        pair=pair,
        place_index=_array([index for n in np.diff(first_place) for index in range(int(n))]),
        place_point=_array(point_of),
        place_inner=_array(inner_of),
        first_choice=_array(first_choice),
        choice_leg=choice[0],
        choice_share=choice[1],
        choice_profile=choice[2],
        choice_onward=choice[3],
        choice_again=choice[4],
        first_move=_array(first_move),
        move_target=move[0],
        move_again=move[1],
        profile_base=_array(profile_base),
        base_profile=_array(base_profile),
        profile_effect=_array(profile_effect),
        effect_column=_array(list(effects)),
    )


def _array(values: list[int]) -> IntArray:
    return np.array(values, dtype=np.int64)
