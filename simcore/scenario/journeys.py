"""The way of one stratum through the points and legs, as the rules have it (docs/model.md C2).

Shares are not looked at: a leg with a share of zero is still a way. Persons begin an attempt at the entry point, or
after an interception at the point that the leg returns them to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simcore.scenario.fields import CONTINUE, ENTRY, split_reference
from simcore.scenario.locations import KeyPath
from simcore.scenario.references import Coordinates
from simcore.scenario.switches import components_of

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario


@dataclass(frozen=True)
class Fork:
    """The choice at a point.

    Attributes
    ----------
    legs : tuple of str
        Legs that can be taken, in the order of shares.
    shares : None, str or dict
        None: the only leg. Text: a simplex parameter. Dict: leg -> parameter or ``"rest"``.
    """

    legs: tuple[str, ...]
    shares: str | dict[str, str] | None = None


@dataclass(frozen=True)
class Journey:
    """What is open to a stratum.

    Attributes
    ----------
    entry : str
        Where the first attempt begins.
    forks : dict
        Point -> its fork, for every point that can be reached short of the border.
    returned : dict
        Leg -> point that an interception there returns to, for every leg that can be taken and intercepted.
    """

    entry: str
    forks: dict[str, Fork]
    returned: dict[str, str]

    @property
    def legs(self) -> tuple[str, ...]:
        """The legs that can be taken."""
        return tuple(leg for fork in self.forks.values() for leg in fork.legs)


def leg_causes(scenario: Scenario, leg: str) -> tuple[str, ...]:
    """Return the causes that can end an attempt on ``leg``, in the order of ``axes["cause"]``."""
    declared = scenario.document.transit.legs[leg]
    if declared.net is not None:
        possible = set(declared.net)
    else:
        name, _ = split_reference(declared.split or "")
        possible = set(components_of(scenario, name)) - {CONTINUE}
    return tuple(cause for cause in scenario.levels("cause") if cause in possible)


def _fork(scenario: Scenario, point: str, coordinates: Coordinates) -> Fork:
    transit = scenario.document.transit
    outgoing = tuple(name for name, leg in transit.legs.items() if leg.from_ == point)
    if point in transit.branches:
        rule = scenario.choose(transit.branches[point], coordinates, ("transit", "branches", point))
        if rule.leg is not None:
            return Fork((rule.leg,))
        if isinstance(rule.shares, dict):
            return Fork(tuple(rule.shares), rule.shares)
        name, _ = split_reference(rule.shares or "")
        return Fork(components_of(scenario, name), rule.shares)
    if len(outgoing) == 1:
        return Fork(outgoing)
    stratum = ", ".join(f"{axis} = {level!r}" for axis, level in coordinates.items()) or "any stratum"
    if not outgoing:
        raise scenario.error(
            ("transit", "points", point),
            f"no leg leaves this point, so the border {transit.arrival_point!r} cannot be reached by {stratum}",
        )
    raise scenario.error(
        ("transit", "branches", point), f"missing key: {len(outgoing)} legs leave {point!r} ({', '.join(outgoing)})"
    )


def trace_journey(scenario: Scenario, coordinates: Coordinates) -> Journey:
    """Follow a stratum from its entry point over every leg and return that is open to it.

    Raises
    ------
    ScenarioError
        If a rule is missing, a point is a dead end, or the legs of one attempt form a cycle.
    """
    transit, interception = scenario.document.transit, scenario.document.outcomes.interception
    entry = scenario.choose(transit.entry, coordinates, "transit.entry").point
    forks: dict[str, Fork] = {}
    returned: dict[str, str] = {}
    open_points = [entry]
    while open_points:
        point = open_points.pop()
        if point in forks or point == transit.arrival_point:
            continue
        forks[point] = _fork(scenario, point, coordinates)
        for leg in forks[point].legs:
            open_points.append(transit.legs[leg].to)
            if interception in leg_causes(scenario, leg):
                key: KeyPath = ("transit", "legs", leg, "returned_to")
                rules = transit.legs[leg].returned_to
                if rules is None:
                    raise scenario.error(key, f"missing key: {interception!r} can happen on this leg")
                target = scenario.choose(rules, coordinates, key).point
                returned[leg] = entry if target == ENTRY else target
                open_points.append(returned[leg])
    forks = {point: forks[point] for point in scenario.levels("point") if point in forks}
    cycle = find_cycle(scenario, forks)
    if cycle:
        points = " -> ".join([transit.legs[cycle[0]].from_, *(transit.legs[leg].to for leg in cycle)])
        raise scenario.error(
            ("transit", "legs", cycle[-1]), f"a cycle within an attempt: {points} (legs {', '.join(cycle)})"
        )
    return Journey(entry, forks, returned)


def find_cycle(scenario: Scenario, forks: dict[str, Fork]) -> list[str]:
    """Return the legs of a cycle in order, or an empty list."""
    legs = scenario.document.transit.legs
    finished: set[str] = set()
    for start in forks:
        way: list[str] = []  # legs from start to the point at hand
        on_way = {start}
        waiting: list[Iterator[str]] = [iter(forks[start].legs)]
        while waiting:
            leg = next(waiting[-1], None)
            if leg is None:
                waiting.pop()
                left = legs[way.pop()].to if way else start
                on_way.discard(left)
                finished.add(left)
                continue
            point = legs[leg].to
            if point in on_way:
                points = [start, *(legs[name].to for name in way)]
                return [*way[points.index(point) :], leg]
            if point in forks and point not in finished:
                way.append(leg)
                on_way.add(point)
                waiting.append(iter(forks[point].legs))
    return []
