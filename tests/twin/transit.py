"""Legs, forks, routes and fates of one stratum of one parameter set, by name."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from simcore.scenario import Scenario
from tests.twin.parameters import Theta

ALL_ONES = (1 << 64) - 1
LARGEST_HAZARD = 1e100
LARGEST_EFFECT = 200.0


def threshold(cumulative: float) -> int:
    """Return floor(2**64 cumulative), at most 2**64 - 1."""
    return min(int(cumulative * 2.0**64), ALL_ONES)


def modified(hazards: Mapping[str, float], factors: Mapping[str, list[float]]) -> dict[str, float]:
    """Return hazards (or weights) times their factors, held to a finite number."""
    results = {}
    for cause, hazard in hazards.items():
        results[cause] = hazard
        for factor in factors.get(cause, ()):
            results[cause] = min(results[cause] * factor, LARGEST_HAZARD)
    return results


def leg_chances(
    net: Mapping[str, float] | None,
    split: Mapping[str, float] | None,
    causes: list[str],
    factors: Mapping[str, list[float]],
    eta: float,
    interception: str | None,
    attempt: int,
) -> tuple[float, dict[str, float]]:
    """Return P(continue) and cause -> P(cause) of a leg at the ``attempt``-th attempt, 1 being the first.

    Exactly one of ``net`` (cause -> probability if it acted alone) and ``split`` (crude, with CONTINUE) is given.
    """
    if split is not None:
        go_on = split["CONTINUE"]
        scale = 1.0 if go_on <= 0.0 else 0.0 if go_on >= 1.0 else -math.log(go_on) / (1.0 - go_on)
        hazards = modified({cause: scale * split[cause] for cause in causes if cause in split}, factors)
        certain = go_on <= 0.0 and any(hazards.values())
    else:
        assert net is not None
        hazards = modified({cause: 1.0 for cause, p in net.items() if p >= 1.0}, factors)
        certain = any(hazards.values())
        if not certain:
            hazards = modified({cause: -math.log1p(-p) for cause, p in net.items() if p < 1.0}, factors)
    hazards = {cause: hazards.get(cause, 0.0) for cause in causes}
    if attempt > 1 and eta != 0.0 and interception is not None:
        hazards[interception] *= math.exp(min(max(eta * (attempt - 1), -LARGEST_EFFECT), LARGEST_EFFECT))
    total = 0.0
    for cause in causes:
        total += hazards[cause]
    if certain:
        go_on, scale = 0.0, 1.0 / total
    elif total > 0.0:
        go_on, scale = math.exp(-total), -math.expm1(-total) / total
    else:
        go_on, scale = 1.0, 0.0
    return go_on, {cause: hazards[cause] * scale for cause in causes}


@dataclass(frozen=True)
class Fate:
    """How an attempt ends: where (leg, cause), what follows (outcome or next start), and the points entered."""

    leg: str | None
    cause: str | None
    outcome: str | None
    next_start: str | None
    points: tuple[str, ...]


@dataclass(frozen=True)
class FateTable:
    """Fates of an attempt in order, with 64-bit thresholds."""

    fates: list[Fate]
    thresholds: list[int]

    @functools.cached_property
    def last_possible(self) -> int:
        """Index of the last fate that has any width."""
        widths = [here - before for before, here in zip([0, *self.thresholds], self.thresholds, strict=False)]
        return max((i for i, width in enumerate(widths) if width > 0), default=0)

    def find(self, uniform: int) -> Fate:
        """Return the first fate whose threshold exceeds ``uniform``; the last possible one takes what is left."""
        for i in range(self.last_possible):
            if uniform < self.thresholds[i]:
                return self.fates[i]
        return self.fates[self.last_possible]

    def ties(self, word: int) -> bool:
        """Return whether the high word alone may not decide."""
        return word in self._high_words

    @functools.cached_property
    def _high_words(self) -> set[int]:
        return {limit >> 32 for limit in self.thresholds}


class Journeys:
    """What one stratum meets on its way, under one parameter set."""

    def __init__(self, scenario: Scenario, theta: Theta, place: Mapping[str, str]) -> None:
        self.scenario = scenario
        self.theta = theta
        self.place = place
        document = scenario.document
        self.transit = document.transit
        self.outcomes = document.outcomes
        terminal = [
            name for name in self.outcomes.levels if name not in (self.outcomes.arrival, self.outcomes.returned)
        ]
        self.interception = self.outcomes.interception
        self.causes = ([] if self.interception is None else [self.interception]) + terminal
        self.entry = scenario.choose(self.transit.entry, place, "entry").point
        self._tables: dict[tuple[str, int], FateTable] = {}
        self._legs: dict[tuple[str, int], tuple[float, dict[str, float]]] = {}
        self._forks: dict[str, dict[str, float]] = {}

    def fork(self, point: str) -> dict[str, float]:
        """Return leg -> share of the choice at a point, in the order of choices."""
        if point not in self._forks:
            self._forks[point] = self._fork(point)
        return self._forks[point]

    def _fork(self, point: str) -> dict[str, float]:
        rules = self.transit.branches.get(point)
        if rules is None:
            (leg,) = [name for name, leg in self.transit.legs.items() if leg.from_ == point]
            return {leg: 1.0}
        rule = self.scenario.choose(rules, self.place, "branches")
        if rule.leg is not None:
            return {rule.leg: 1.0}
        if isinstance(rule.shares, str):
            return self.theta.shares(rule.shares, self.place)
        rest = 1.0
        shares = {}
        for leg, reference in rule.shares.items():
            shares[leg] = math.nan if reference == "rest" else self.theta.scalar(reference, self.place)
            if reference != "rest":
                rest -= shares[leg]
        return {leg: max(rest, 0.0) if math.isnan(share) else share for leg, share in shares.items()}

    def leg(self, name: str, attempt: int) -> tuple[float, dict[str, float]]:
        """Return P(continue) and cause -> probability of a leg at an attempt (1, 2, ...)."""
        if (name, attempt) not in self._legs:
            self._legs[name, attempt] = self._leg(name, attempt)
        return self._legs[name, attempt]

    def _leg(self, name: str, attempt: int) -> tuple[float, dict[str, float]]:
        declared = self.transit.legs[name]
        here = {**self.place, "leg": name}
        split = None if declared.split is None else self.theta.shares(declared.split, here)
        net = None
        if declared.net is not None:
            net = {cause: self.theta.scalar(reference, here) for cause, reference in declared.net.items()}
        factors: dict[str, list[float]] = {cause: [] for cause in self.causes}
        for modifier in self.transit.modifiers.values():
            if modifier.legs is not None and name not in modifier.legs:
                continue
            if self.scenario.matches(modifier.where, self.place):
                for cause in self.causes:
                    if modifier.causes is None or cause in modifier.causes:
                        factors[cause].append(self.theta.scalar(modifier.factor, here))
        effect = self.transit.attempt_effect
        eta = 0.0 if effect is None else self.theta.scalar(effect, here)
        return leg_chances(net, split, self.causes, factors, eta, self.interception, attempt)

    def reattempt(self, attempt: int) -> float:
        """Return the probability of another attempt after an interception at ``attempt``; none at the cap."""
        if attempt >= self.transit.attempt_cap or not self.transit.reattempt:
            return 0.0
        names = self.scenario.choose(self.transit.reattempt, self.place, "reattempt").probability
        return self.theta.scalar(names[min(attempt, len(names)) - 1], self.place)

    def returned_to(self, leg: str) -> str | None:
        """Return where an interception on a leg leads to, None if the leg knows none."""
        rules = self.transit.legs[leg].returned_to
        if rules is None:
            return None
        point = self.scenario.choose(rules, self.place, "returned_to").point
        return self.entry if point == "@entry" else point

    def routes(self, point: str) -> list[list[str]]:
        """Return all ways (lists of legs) from a point to the border: choices in order, depth first."""
        if point == self.transit.arrival_point:
            return [[]]
        return [[leg, *rest] for leg in self.fork(point) for rest in self.routes(self.transit.legs[leg].to)]

    def table(self, start: str, attempt: int) -> FateTable:
        """Return the fate table of an attempt that begins at ``start``."""
        if (start, attempt) not in self._tables:
            self._tables[start, attempt] = self._table(start, attempt)
        return self._tables[start, attempt]

    def _table(self, start: str, attempt: int) -> FateTable:
        fates: list[Fate] = []
        thresholds: list[int] = []
        cumulative = 0.0

        def add(fate: Fate, mass: float) -> None:
            nonlocal cumulative
            cumulative += mass
            fates.append(fate)
            thresholds.append(threshold(cumulative))

        again = self.reattempt(attempt)
        for route in self.routes(start):
            alive = 1.0
            for leg in route:
                alive *= self.fork(self.transit.legs[leg].from_)[leg]
            points: tuple[str, ...] = ()
            for leg in route:
                points = (*points, self.transit.legs[leg].from_)
                go_on, chances = self.leg(leg, attempt)
                for cause in self.causes:
                    if cause == self.interception:
                        returned = Fate(leg, cause, self.outcomes.returned, None, points)
                        add(returned, alive * chances[cause] * (1.0 - again))
                        onward = Fate(leg, cause, None, self.returned_to(leg), points)
                        add(onward, alive * chances[cause] * again)
                    else:
                        add(Fate(leg, cause, cause, None, points), alive * chances[cause])
                alive *= go_on
            arrival = Fate(None, None, self.outcomes.arrival, None, (*points, self.transit.arrival_point))
            add(arrival, alive)
        return FateTable(fates, thresholds)
