"""Crowds moved as counts: who moves together, the states of a journey, and the draws that lead from one to the next.

A *crowd* are the strata that are stored together and whose journeys have the same parameters, by name. Draws of a state
that has d draw indices before it and K legs to choose from: ``d + i`` takes leg i; from ``d + K + i (C + 1)`` on, those
who do not continue on it, each cause's part of them, and last the intercepted who try again.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from simcore.engines.cohort import PERSONS_PER_DRAW
from simcore.scenario import Scenario
from tests.twin.philox import Chance
from tests.twin.sampling import binomial_count
from tests.twin.transit import Journeys

AXES = ("origin", "sex", "age_band", "exploitation")
Place = Mapping[str, str]
Names = tuple[str, ...]


class Declared:
    """What the scenario says about the journeys of a stratum, parameters by name only."""

    def __init__(self, scenario: Scenario, place: Place) -> None:
        self.scenario, self.place = scenario, place
        self.transit = scenario.document.transit
        outcomes = scenario.document.outcomes
        self.interception = outcomes.interception
        self.causes = [name for name in outcomes.levels if name not in (outcomes.arrival, outcomes.returned)]
        self.causes.insert(0, self.interception or "")  # interception comes first, even where there is none
        self.entry = scenario.choose(self.transit.entry, place, "entry").point

    def columns(self, reference: str, leg: str | None = None) -> Names:
        """Return the names of a reference's columns."""
        place = self.place if leg is None else {**self.place, "leg": leg}
        return tuple(self.scenario.element(reference, place).columns)

    def choices(self, point: str) -> dict[str, Names]:
        """Return leg -> name of its share at a point, in the order of choices; nothing at the border."""
        if point == self.transit.arrival_point:
            return {}
        rules = self.transit.branches.get(point)
        if rules is None:
            return {name: () for name, leg in self.transit.legs.items() if leg.from_ == point}
        rule = self.scenario.choose(rules, self.place, "branches")
        if rule.leg is not None:
            return {rule.leg: ()}
        if isinstance(rule.shares, str):
            element = self.scenario.element(rule.shares, self.place)
            return {leg: (element.name, leg) for leg in element.components}
        return {
            leg: ("rest",) if reference == "rest" else self.columns(reference) for leg, reference in rule.shares.items()
        }

    def knows(self, leg: str, cause: str | None) -> bool:
        """Return whether a leg can end by a cause at all, whatever its probability."""
        declared = self.transit.legs[leg]
        if declared.split is not None:
            return cause in self.scenario.element(declared.split, {**self.place, "leg": leg}).components
        return cause in (declared.net or {})

    def returned_to(self, leg: str) -> str | None:
        """Return where an interception on a leg leads to; None where nobody is intercepted."""
        if self.interception is None or not self.knows(leg, self.interception):
            return None
        rules = self.transit.legs[leg].returned_to
        assert rules is not None
        point = self.scenario.choose(rules, self.place, "returned_to").point
        return self.entry if point == "@entry" else point

    def leg(self, name: str) -> tuple[object, ...]:
        """Return everything that decides a leg's probabilities."""
        declared = self.transit.legs[name]
        if declared.split is not None:
            base: tuple[object, ...] = self.columns(declared.split, name)
        else:
            base = tuple(sorted((cause, self.columns(p, name)) for cause, p in (declared.net or {}).items()))
        factors = [
            (cause, self.columns(modifier.factor, name))
            for modifier in self.transit.modifiers.values()
            if modifier.legs is None or name in modifier.legs
            if self.scenario.matches(modifier.where, self.place)
            for cause in self.causes
            if (modifier.causes is None or cause in modifier.causes) and self.knows(name, cause)
        ]
        effect = self.transit.attempt_effect
        shift = self.columns(effect, name) if effect is not None and self.knows(name, self.interception) else ()
        return base, tuple(sorted(factors, key=lambda factor: factor[0])), shift

    def points(self) -> set[str]:
        """Return all points where such a person can ever be."""
        found: set[str] = set()
        waiting = [self.entry]
        while waiting:
            point = waiting.pop()
            if point not in found:
                found.add(point)
                for leg in self.choices(point):
                    back = self.returned_to(leg)
                    waiting += [self.transit.legs[leg].to] + ([] if back is None else [back])
        return found

    def signature(self) -> tuple[object, ...]:
        """Return what two strata must have in common to be one crowd."""
        forks = tuple((point, tuple(self.choices(point).items())) for point in sorted(self.points()))
        legs = {leg for _, choices in forks for leg, _ in choices}
        again: tuple[Names, ...] = ()
        if any(self.returned_to(leg) is not None for leg in legs) and self.transit.attempt_cap > 1:
            names = self.scenario.choose(self.transit.reattempt, self.place, "reattempt").probability
            used = [names[min(k, len(names) - 1)] for k in range(self.transit.attempt_cap - 1)]
            again = tuple(self.columns(name) for name in used)
        return self.entry, forks, tuple((leg, self.leg(leg), self.returned_to(leg)) for leg in sorted(legs)), again


class State(NamedTuple):
    """Persons who stand at a point in an attempt and have been at certain points; sorted in the order of draws."""

    attempt: int
    rank: int
    number: int  # of the point
    mask: int  # one bit for each point reached


class Itinerary:
    """The states of a crowd's journeys, each with its first draw index."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self.order = list(declared.transit.points)
        here = declared.points()
        edges = [(p, declared.transit.legs[leg].to) for p in here for leg in declared.choices(p)]
        self._before = {point: [a for a, b in edges if b == point] for point in here}
        found: set[State] = set()
        waiting = [self.state(1, declared.entry, 0)]
        while waiting:
            state = waiting.pop()
            if state not in found:
                found.add(state)
                for leg in declared.choices(self.point(state)):
                    waiting.append(self.onward(state, leg))
                    again = self.again(state, leg)
                    waiting += [] if again is None else [again]
        used = [len(declared.choices(self.point(state))) * (len(declared.causes) + 2) for state in sorted(found)]
        widths = [-(-draws // 8) * 8 for draws in used]
        starts = [0, *itertools.accumulate(widths)]
        self.first_draw = dict(zip(sorted(found), starts, strict=False))
        self.draws_of_first_attempt = sum(w for s, w in zip(sorted(found), widths, strict=True) if s.attempt == 1)

    def _rank(self, point: str) -> int:
        return max((1 + self._rank(before) for before in self._before[point]), default=0)

    def point(self, state: State) -> str:
        """Return the point of a state."""
        return self.order[state.number]

    def state(self, attempt: int, point: str, mask: int) -> State:
        """Return the state after entering a point."""
        number = self.order.index(point)
        return State(attempt, self._rank(point), number, mask | 1 << number)

    def onward(self, state: State, leg: str) -> State:
        """Return where those who continue on a leg stand."""
        return self.state(state.attempt, self.declared.transit.legs[leg].to, state.mask)

    def again(self, state: State, leg: str) -> State | None:
        """Return where those who try again after an interception on a leg stand, None where nobody does."""
        back = self.declared.returned_to(leg)
        if back is None or state.attempt == self.declared.transit.attempt_cap:
            return None
        return self.state(state.attempt + 1, back, state.mask)


class Crowd:
    """Strata that move together, named by the first of them."""

    def __init__(self, scenario: Scenario, strata: Sequence[Names]) -> None:
        self.strata = list(strata)
        self.names = self.strata[0]
        declared = Declared(scenario, dict(zip(AXES, self.names, strict=True)))
        self.itinerary = Itinerary(declared)

    def moves_as_counts(self, persons: int) -> bool:
        """Return whether so many persons are moved as counts, not walked one by one."""
        return persons > 0 and persons >= PERSONS_PER_DRAW * self.itinerary.draws_of_first_attempt


def crowds(scenario: Scenario, store_by: Sequence[str]) -> Iterator[Crowd]:
    """Yield the crowds of a scenario of which the axes ``store_by`` are kept apart."""
    members: dict[object, list[Names]] = {}
    levels = [scenario.levels(axis) for axis in AXES]
    persons = dict(zip(itertools.product(*levels[:3]), scenario.population.ravel().tolist(), strict=True))
    for names in itertools.product(*levels):
        place = dict(zip(AXES, names, strict=True))
        if scenario.matches(scenario.document.at_risk.active, place) and persons[names[:3]] > 0.0:
            slot = tuple(place[axis] for axis in AXES if axis in store_by)
            members.setdefault((slot, Declared(scenario, place).signature()), []).append(names)
    for strata in members.values():
        yield Crowd(scenario, strata)


def move(crowd: Crowd, journeys: Journeys, chance: Chance, persons: int) -> Counter[Names]:
    """Move a crowd to its outcomes and return what is counted on the way: (variable, label ...) -> number."""
    itinerary, outcomes, causes = crowd.itinerary, journeys.outcomes, crowd.itinerary.declared.causes
    tally: Counter[Names] = Counter()
    standing: Counter[State] = Counter()

    def draw(number: int, probability: float, index: int) -> int:
        return binomial_count(number, probability, lambda turn: chance.block("cohort", crowd.names, index, turn))

    def enter(state: State, number: int, before: int) -> None:
        standing[state] += number
        if not before >> state.number & 1:
            tally["reached", itinerary.point(state)] += number

    first = min(itinerary.first_draw)
    enter(first, persons, 0)
    tally["attempts", "1"] += persons
    for state, d in itinerary.first_draw.items():
        here, point = standing[state], itinerary.point(state)
        if here == 0:
            continue
        tally["visits", point] += here
        if point == journeys.transit.arrival_point:
            tally["outcome", outcomes.arrival] += here
            continue
        shares = journeys.fork(point)
        undecided = here
        for i, leg in enumerate(shares):
            rest = 0.0
            for later in list(shares)[i:][::-1]:
                rest += shares[later]
            last = i + 1 == len(shares)
            taking = undecided if last else draw(undecided, shares[leg] / rest if shares[leg] > 0.0 else 0.0, d + i)
            undecided -= taking
            own = d + len(shares) + i * (len(causes) + 1)
            continuing, chances = journeys.leg(leg, state.attempt)
            masses = [chances.get(cause, 0.0) for cause in causes]
            leaving = 1.0 if continuing <= 0.0 else backward_sum(masses)
            exits = draw(taking, leaving, own)
            enter(itinerary.onward(state, leg), taking - exits, state.mask)
            for c, (cause, mass) in enumerate(zip(causes, masses, strict=True)):
                ended = draw(exits, mass / backward_sum(masses[c:]), own + 1 + c) if mass > 0.0 else 0
                exits -= ended
                tally["ended", leg, cause] += ended
                if c > 0:
                    tally["outcome", cause] += ended
                    continue
                retrying = draw(ended, journeys.reattempt(state.attempt), own + len(causes))
                tally["outcome", outcomes.returned] += ended - retrying
                again = itinerary.again(state, leg)
                if retrying > 0:
                    assert again is not None
                    enter(again, retrying, state.mask)
                    tally["attempts", str(again.attempt)] += retrying
    return +tally


def backward_sum(masses: Sequence[float]) -> float:
    """Return the sum, the last one first."""
    total = 0.0
    for mass in reversed(masses):
        total += mass
    return total
