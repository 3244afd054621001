"""Persons to destinations of one person cell: risk classes, events, destinations as named counts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from simcore.scenario import Scenario
from tests.twin.parameters import Theta
from tests.twin.philox import Chance, normal_score, open_uniform
from tests.twin.sampling import binomial_count

LARGEST_HAZARD = 1e100
Place = Mapping[str, str]
RiskClass = frozenset[str]


def risk_class_order(levels: Sequence[str]) -> list[RiskClass]:
    """Return all sets of exploitations, the k-th one the bits of k."""
    return [
        frozenset(level for bit, level in enumerate(levels) if number >> bit & 1) for number in range(1 << len(levels))
    ]


def plackett(a: float, b: float, psi: float) -> float:
    """Return P(both) of two bits with marginals a, b and odds ratio psi."""
    if a >= 1.0 or b >= 1.0:
        return min(a, b)
    u = 1.0 + (psi - 1.0) * (a + b)
    root = math.sqrt(max(u * u - 4.0 * psi * (psi - 1.0) * a * b, 0.0))
    both = (root - u) / (2.0 * (1.0 - psi)) if u < 0.0 else 2.0 * psi * a * b / (u + root)
    return min(both, a, b)


def fitted_classes(marginals: Sequence[float], psi: float) -> list[float]:
    """Return P(class) by class number for three or more bits: proportional fitting of psi**pairs."""
    bits = range(len(marginals))
    classes = []
    for number in range(1 << len(marginals)):
        held = [bit for bit in bits if number >> bit & 1]
        weight = integer_power(psi, sum(1 for _ in itertools.combinations(held, 2)))
        for bit in bits:
            weight *= marginals[bit] if bit in held else 1.0 - marginals[bit]
        classes.append(weight)
    for _ in range(1000):
        largest_move = 0.0
        for bit in bits:
            inside = outside = 0.0
            for number, mass in enumerate(classes):
                if number >> bit & 1:
                    inside += mass
                else:
                    outside += mass
            up = marginals[bit] / inside if inside > 0.0 else 0.0
            down = (1.0 - marginals[bit]) / outside if outside > 0.0 else 0.0
            largest_move = max(largest_move, abs(inside - marginals[bit]))
            classes = [mass * (up if number >> bit & 1 else down) for number, mass in enumerate(classes)]
        if largest_move < 1e-15:
            break
    return classes


def integer_power(base: float, exponent: int) -> float:
    """Return base**exponent by repeated squaring, which is how a compiled integer power is made."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        exponent >>= 1
        base *= base
    return result


def class_probabilities(levels: Sequence[str], marginals: Mapping[str, float], psi: float) -> dict[RiskClass, float]:
    """Return the probability of every set of risk bits, in class order."""
    order = risk_class_order(levels)
    values = [marginals[level] for level in levels]
    if len(values) == 1:
        masses = [1.0 - values[0], values[0]]
    elif len(values) == 2:
        both = plackett(values[0], values[1], psi)
        first, second = max(values[0] - both, 0.0), max(values[1] - both, 0.0)
        neither = 0.0 if 1.0 in values else max(1.0 - first - second - both, 0.0)
        masses = [neither, first, second, both]
    else:
        masses = fitted_classes(values, psi)
    return dict(zip(order, masses, strict=True))


def class_events(
    risk_class: RiskClass,
    needs: Mapping[str, RiskClass],
    hazards: Mapping[str, float],
    combined: Mapping[str, float],
    years: float,
) -> tuple[float, dict[str, float]]:
    """Return P(no event) and exploitation -> P(event) for persons of a risk class.

    ``needs`` are the bits of each exploitation, ``combined`` the share of each combined level.
    """
    total = shared = 0.0
    for x, bits in needs.items():
        if bits <= risk_class:
            if x in combined:
                shared += combined[x]
            else:
                total += hazards[x]
    some = -math.expm1(-total * years)
    left = max(1.0 - shared, 0.0) * some
    events = {}
    for x, bits in needs.items():
        if not bits <= risk_class or total <= 0.0:
            events[x] = 0.0
        elif x in combined:
            events[x] = combined[x] * some
        else:
            events[x] = left * hazards[x] / total
    return math.exp(-total * years), events


class Cell:
    """One person cell of one replicate."""

    def __init__(self, scenario: Scenario, theta: Theta, chance: Chance, place: Place, persons_of_table: float) -> None:
        self.scenario = scenario
        self.theta = theta
        self.chance = chance
        self.place = place
        self.names = (place["origin"], place["sex"], place["age_band"])
        factor = scenario.document.population.factor
        exact = persons_of_table if factor is None else persons_of_table * theta.scalar(factor, place)
        self.persons = round(exact)  # Python rounds half to even
        exploitations = scenario.document.strata.exploitation
        self.strata = {x: {**place, "exploitation": x} for x in exploitations}
        self.bits = [x for x, level in exploitations.items() if level.combines is None]
        self.needs = {
            x: frozenset([x]) if level.combines is None else frozenset(level.combines)
            for x, level in exploitations.items()
        }
        self.held_shares = 0
        self.at_risk: dict[RiskClass, int] = {}
        self.victims: dict[str, int] = dict.fromkeys(exploitations, 0)
        self.destinations: dict[str, dict[str, int]] = {x: {} for x in exploitations}
        if scenario.matches(scenario.document.at_risk.active, place) and persons_of_table > 0.0:
            shares = {x: self._share_at_risk(x) for x in self.bits}
            self.held_shares = sum(share > 1.0 for share in shares.values())
            if self.persons > 0:
                self._draw({x: min(share, 1.0) for x, share in shares.items()})

    def _share_at_risk(self, x: str) -> float:
        block, place = self.scenario.at_risk_block, self.strata[x]
        rule = self.scenario.choose(block.shares, place, "at_risk")
        share = self.theta.scalar(rule.parameter, place)
        for multiplier in block.multipliers.values():
            if self.scenario.matches(multiplier.where, place):
                share *= self.theta.scalar(multiplier.factor, place)
        return share

    def _hazard(self, x: str) -> float:
        event, place = self.scenario.document.event, self.strata[x]
        hazard = self.theta.scalar(self.scenario.choose(event.hazards, place, "event").parameter, place)
        for multiplier in event.multipliers.values():
            if self.scenario.matches(multiplier.where, place):
                hazard = min(hazard * self.theta.scalar(multiplier.factor, place), LARGEST_HAZARD)
        for name, effect in event.shared_effects.items():
            element = (name, *(place[axis] for axis in effect.index))
            first, second, _, _ = self.chance.block("shared", element, 0, 0)
            score = normal_score(open_uniform(first, second))
            shift = min(self.theta.scalar(effect.standard_deviation, place) * score, 600.0)
            hazard = min(hazard * math.exp(shift), LARGEST_HAZARD)
        return hazard

    def _count(self, n: int, p: float, purpose: str, names: tuple[str, ...], draw: int) -> int:
        return binomial_count(n, p, lambda iteration: self.chance.block(purpose, names, draw, iteration))

    def _draw(self, shares: Mapping[str, float]) -> None:
        document = self.scenario.document
        psi = 1.0
        if len(self.bits) > 1 and document.at_risk.odds_ratio is not None:
            psi = self.theta.scalar(document.at_risk.odds_ratio, self.place)
        classes = class_probabilities(self.bits, shares, psi)
        hazards = {x: self._hazard(x) for x in self.bits}
        combined = {
            x: self.theta.scalar(level.share, self.strata[x])
            for x, level in document.strata.exploitation.items()
            if level.combines is not None and level.share is not None
        }
        unassigned = self.persons
        order = list(classes)
        for number, risk_class in enumerate(order):
            if number == 0:
                continue
            rest = classes[order[0]]
            for later in reversed(order[number:]):
                rest += classes[later]
            mass = classes[risk_class]
            members = self._count(unassigned, mass / rest, "at_risk", self.names, number) if mass > 0.0 else 0
            unassigned -= members
            self.at_risk[risk_class] = members
            self._events(number, members, *class_events(risk_class, self.needs, hazards, combined,
                                                        document.exposure_years))  # fmt: skip
        for x, number in self.victims.items():
            if number > 0:
                self.destinations[x] = self._destinations(x, number)

    def _events(self, number: int, members: int, none: float, events: Mapping[str, float]) -> None:
        order = list(events)
        for position, x in enumerate(order):
            rest = none
            for later in reversed(order[position:]):
                rest += events[later]
            if events[x] > 0.0:
                drawn = self._count(members, events[x] / rest, "event", self.names, 256 * number + position)
                members -= drawn
                self.victims[x] += drawn

    def _destinations(self, x: str, victims: int) -> dict[str, int]:
        document = self.scenario.document
        rule = self.scenario.choose(document.destinations.split, self.strata[x], "destinations")
        shares = self.theta.shares(rule.shares, self.strata[x])
        order = list(document.destinations.levels)
        counts = {}
        for position, destination in enumerate(order):
            rest = 0.0
            for later in reversed(order[position:]):
                rest += shares.get(later, 0.0)
            share = shares.get(destination, 0.0)
            drawn = self._count(victims, share / rest, "destination", (*self.names, x), position) if share > 0 else 0
            victims -= drawn
            counts[destination] = drawn
        return counts
