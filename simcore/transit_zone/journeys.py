"""Journey classes of a scenario: which strata share entry point, forks, leg profiles, return points and re-attempts.

Everything downstream (routes, fates, states) is made once per class, and tables are shared by all strata of a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simcore.scenario.fields import CONTINUE
from simcore.scenario.fields import REST as REST_WORD
from simcore.transit_zone.plan import CERTAIN_SHARE, NONE, REST

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.scenario.journeys import Fork
    from simcore.uncertainty import ParameterSpace

NO_INTERCEPTION = "(no interception)"


@dataclass(frozen=True)
class Profile:
    """A leg with the parameter columns that a group of strata meets on it."""

    leg: int
    split: bool
    go_on: int
    causes: tuple[int, ...]
    modifiers: tuple[tuple[int, ...], ...]
    effect: int


@dataclass(frozen=True)
class JourneyClass:
    """What strata must agree in to share a journey; indices into the compiler's lists."""

    entry: int
    forks: tuple[int, ...]  # by point
    profiles: tuple[int, ...]  # by leg
    returns: tuple[int, ...]  # by leg
    reattempt: int


@dataclass
class JourneyCompiler:
    """Collects the distinct profiles, forks, re-attempts and classes of a scenario's strata.

    A stratum is given by its coordinates (axis -> level). Scenario files were checked before, so a rule that is missing
    here cannot happen.
    """

    scenario: Scenario
    space: ParameterSpace
    profiles: dict[Profile, int] = field(default_factory=dict)
    forks: dict[tuple[tuple[int, int], ...], int] = field(default_factory=dict)  # ((leg, share column), ...)
    reattempts: dict[tuple[int, ...], int] = field(default_factory=dict)
    classes: dict[JourneyClass, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        document = self.scenario.document
        transit = document.transit
        self.points = list(transit.points)
        self.legs = list(transit.legs)
        self.leg_to = [self.points.index(leg.to) for leg in transit.legs.values()]
        self.arrival_point = self.points.index(transit.arrival_point)
        self.outcomes = list(document.outcomes.levels)
        roles = (document.outcomes.arrival, document.outcomes.returned)
        self.terminal_causes = [name for name in self.outcomes if name not in roles]
        # Cause 0 is always interception; a scenario without one has it as a cause that no leg knows.
        self.causes = [document.outcomes.interception or NO_INTERCEPTION, *self.terminal_causes]
        self.attempt_cap = int(transit.attempt_cap)

    def class_of(self, coordinates: Mapping[str, str]) -> int:
        """Return the journey class of a stratum, made if it is new."""
        way = self.scenario.journey(coordinates)
        forks = [NONE] * len(self.points)
        profiles = [NONE] * len(self.legs)
        returns = [NONE] * len(self.legs)
        for point, fork in way.forks.items():
            choices = self._fork(fork, coordinates)
            forks[self.points.index(point)] = self.forks.setdefault(choices, len(self.forks))
            for leg, _ in choices:
                profiles[leg] = self._profile(leg, coordinates)
        for leg_name, point in way.returned.items():
            returns[self.legs.index(leg_name)] = self.points.index(point)
        journey = JourneyClass(
            entry=self.points.index(way.entry),
            forks=tuple(forks),
            profiles=tuple(profiles),
            returns=tuple(returns),
            reattempt=self._reattempt(coordinates, intercepted=bool(way.returned)),
        )
        return self.classes.setdefault(journey, len(self.classes))

    def _fork(self, fork: Fork, coordinates: Mapping[str, str]) -> tuple[tuple[int, int], ...]:
        """Return (leg, share) of each choice at a point."""
        legs = [self.legs.index(leg) for leg in fork.legs]
        if fork.shares is None:
            return tuple((leg, CERTAIN_SHARE) for leg in legs)
        if isinstance(fork.shares, str):
            columns = self.space.columns(fork.shares, coordinates, fork.legs)
        else:
            columns = [
                REST if fork.shares[leg] == REST_WORD else self.space.column(fork.shares[leg], coordinates)
                for leg in fork.legs
            ]
        return tuple(zip(legs, columns, strict=True))

    def _profile(self, leg: int, coordinates: Mapping[str, str]) -> int:
        document = self.scenario.document
        name = self.legs[leg]
        declared = document.transit.legs[name]
        here = {**coordinates, "leg": name}
        if declared.split is not None:
            columns = self.space.columns(declared.split, here, [CONTINUE, *self.causes])
            go_on, causes = columns[0], tuple(columns[1:])
        else:
            net: Mapping[str, Any] = declared.net or {}
            go_on = NONE
            causes = tuple(self.space.column(net[cause], here) if cause in net else NONE for cause in self.causes)
        modifiers: list[list[int]] = [[] for _ in self.causes]
        for modifier in document.transit.modifiers.values():
            if modifier.legs is not None and name not in modifier.legs:
                continue
            if not self.scenario.matches(modifier.where, coordinates):
                continue
            column = self.space.column(modifier.factor, here)
            for index, cause in enumerate(self.causes):
                if (modifier.causes is None or cause in modifier.causes) and causes[index] != NONE:
                    modifiers[index].append(column)
        effect = document.transit.attempt_effect
        profile = Profile(
            leg=leg,
            split=declared.split is not None,
            go_on=go_on,
            causes=causes,
            modifiers=tuple(tuple(columns) for columns in modifiers),
            effect=self.space.column(effect, here) if effect is not None and causes[0] != NONE else NONE,
        )
        return self.profiles.setdefault(profile, len(self.profiles))

    def _reattempt(self, coordinates: Mapping[str, str], *, intercepted: bool) -> int:
        transit = self.scenario.document.transit
        columns = [NONE] * self.attempt_cap
        if intercepted and self.attempt_cap > 1:
            names = self.scenario.choose(transit.reattempt, coordinates, "transit.reattempt").probability
            for attempt in range(self.attempt_cap - 1):  # no re-attempt after the last one
                columns[attempt] = self.space.column(names[min(attempt, len(names) - 1)], coordinates)
        return self.reattempts.setdefault(tuple(columns), len(self.reattempts))
