"""From journey classes to flat arrays: starts, routes and fates (`TransitPlan`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simcore.transit_zone.journeys import JourneyClass, JourneyCompiler
from simcore.transit_zone.plan import ARRIVAL, NONE, REATTEMPT, RETURNED, TERMINAL, TransitPlan

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.uncertainty import ParameterSpace

MAXIMUM_ROUTES = 4096  # from one start; beyond, the table of fates costs more than the walk
MAXIMUM_FATES = 32767  # the guide holds 15-bit indices and a flag
# The cohort engine needs the routes as well: it walks small crowds one by one with the collapsed walker.
_WITHOUT_ROUTES = 'use engine "agent" with walker "leg-by-leg" (--engine agent --walker leg-by-leg)'

Route = list[tuple[int, int, int]]  # (entry of fork_share, leg, point that it leaves)


class _Rows:
    """A list of lists, flattened with start offsets."""

    def __init__(self) -> None:
        self.offsets = [0]
        self.values: list[int] = []

    def add(self, row: Sequence[int]) -> None:
        self.values.extend(row)
        self.offsets.append(len(self.values))


def _array(values: Sequence[int] | Sequence[Sequence[int]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


class _FateCompiler:
    """Enumerates starts, their routes and their fates, in the order that fixes which word means what."""

    def __init__(self, journeys: JourneyCompiler, fork_offsets: list[int]) -> None:
        self.journeys = journeys
        self.fork_offsets = fork_offsets
        self.fork_legs = [[leg for leg, _ in choices] for choices in journeys.forks]
        self.starts: dict[tuple[int, int], int] = {}
        self.first_route, self.first_step, self.first_fate = [0], [0], [0]
        self.step_share: list[int] = []
        self.step_profile: list[int] = []
        self.kind: list[int] = []
        self.outcome: list[int] = []
        self.next: list[int] = []
        self.visited: list[int] = []
        self.records: list[npt.NDArray[np.int8]] = []
        self.ended: list[int] = []

    def start(self, class_index: int, point: int) -> int:
        """Return the index of a start; new ones are compiled later, in order of discovery."""
        return self.starts.setdefault((class_index, point), len(self.starts))

    def _routes(self, journey: JourneyClass, point: int) -> list[Route]:
        routes: list[Route] = []
        stack: list[tuple[int, Route]] = [(point, [])]
        while stack:
            here, path = stack.pop()
            if here == self.journeys.arrival_point:
                routes.append(path)
                if len(routes) > MAXIMUM_ROUTES:
                    raise self.journeys.scenario.error(
                        ("transit", "points", self.journeys.points[point]),
                        f"more than {MAXIMUM_ROUTES} routes from here to the border; {_WITHOUT_ROUTES}",
                    )
                continue
            fork = journey.forks[here]
            choices = list(enumerate(self.fork_legs[fork], start=self.fork_offsets[fork]))
            for share, leg in reversed(choices):
                stack.append((self.journeys.leg_to[leg], [*path, (share, leg, here)]))
        return routes

    def compile_start(self, class_index: int, journey: JourneyClass, point: int) -> None:
        """Append the routes and fates of one start."""
        journeys = self.journeys
        for route in self._routes(journey, point):
            visited = 0
            for share, leg, here in route:
                visited |= 1 << here
                self.step_share.append(share)
                self.step_profile.append(journey.profiles[leg])
                returned = journeys.outcomes.index(journeys.scenario.document.outcomes.returned)
                self._fate(RETURNED, returned, NONE, visited, leg, 0)
                back = journey.returns[leg]  # NONE where nobody is intercepted: that fate is never drawn
                following = NONE if back == NONE else self.start(class_index, back)
                self._fate(REATTEMPT, NONE, following, visited, leg, 0)
                for cause, name in enumerate(journeys.terminal_causes, start=1):
                    self._fate(TERMINAL, journeys.outcomes.index(name), NONE, visited, leg, cause)
            arrival = journeys.outcomes.index(journeys.scenario.document.outcomes.arrival)
            self._fate(ARRIVAL, arrival, NONE, visited | 1 << journeys.arrival_point, NONE, NONE)
            self.first_step.append(len(self.step_share))
        self.first_route.append(len(self.first_step) - 1)
        self.first_fate.append(len(self.kind))
        if self.first_fate[-1] - self.first_fate[-2] > MAXIMUM_FATES:
            raise journeys.scenario.error(
                ("transit", "points", journeys.points[point]),
                f"more than {MAXIMUM_FATES} fates from here (routes x legs x causes); {_WITHOUT_ROUTES}",
            )

    def _fate(self, kind: int, outcome: int, following: int, visited: int, leg: int, cause: int) -> None:
        self.kind.append(kind)
        self.outcome.append(outcome)
        self.next.append(following)
        self.visited.append(visited)
        points, outcomes = len(self.journeys.points), len(self.journeys.outcomes)
        record = np.zeros(2 * points + outcomes, dtype=np.int8)
        record[points : 2 * points] = [-(visited >> point & 1) for point in range(points)]
        if outcome != NONE:
            record[2 * points + outcome] = -1
        self.records.append(record)
        first_ended = 2 * points + outcomes + self.journeys.attempt_cap
        self.ended.append(NONE if leg == NONE else first_ended + leg * len(self.journeys.causes) + cause)

    def record_table(self) -> npt.NDArray[np.int8]:
        """Return the records of all fates: of a first attempt, which reaches all it visits, then of a later one.

        Of those who go on, the points reached are counted at their end.
        """
        points, outcomes = len(self.journeys.points), len(self.journeys.outcomes)
        later = np.array(self.records, dtype=np.int8).reshape(-1, 2 * points + outcomes)
        first = later.copy()
        at_end = np.array(self.kind, dtype=np.int64) != REATTEMPT
        first[at_end, :points] = first[at_end, points : 2 * points]
        return np.concatenate([first, later])


def compile_transit(
    scenario: Scenario, space: ParameterSpace, strata: Sequence[dict[str, str] | None], *, routes: bool = True
) -> tuple[TransitPlan, JourneyCompiler]:
    """Lay out the transit zone of a scenario.

    Parameters
    ----------
    scenario : Scenario
    space : ParameterSpace
        Asked for the columns of every parameter that a journey needs.
    strata : sequence of dict
        Coordinates (axis -> level) of every stratum, in stratum order; None where nobody can ever be bound.
    routes : bool
        Enumerate routes and fates (the collapsed walk and the cohort engine need them, the leg-by-leg walk does not).

    Raises
    ------
    ScenarioError
        If there are too many routes to list.
    """
    journeys = JourneyCompiler(scenario, space)
    class_of = [NONE if coordinates is None else journeys.class_of(coordinates) for coordinates in strata]

    modifiers = _Rows()
    for profile in journeys.profiles:
        for columns in profile.modifiers:
            modifiers.add(columns)
    forks = _Rows()
    for choices in journeys.forks:
        forks.add([share for _, share in choices])

    fates = _FateCompiler(journeys, forks.offsets)
    classes = list(journeys.classes)
    class_start = [fates.start(index, journey.entry) for index, journey in enumerate(classes)]
    compiled = 0
    while routes and compiled < len(fates.starts):  # compiling a start discovers the starts it returns to
        class_index, point = list(fates.starts)[compiled]
        fates.compile_start(class_index, classes[class_index], point)
        compiled += 1
    sizes = np.diff(fates.first_fate)

    outcomes = journeys.outcomes
    plan = TransitPlan(
        attempt_cap=journeys.attempt_cap,
        points=len(journeys.points),
        legs=len(journeys.legs),
        causes=len(journeys.causes),
        outcomes=len(outcomes),
        arrival_outcome=outcomes.index(scenario.document.outcomes.arrival),
        returned_outcome=outcomes.index(scenario.document.outcomes.returned),
        cause_outcome=_array([NONE, *(outcomes.index(name) for name in journeys.terminal_causes)]),
        profile_split=np.array([profile.split for profile in journeys.profiles], dtype=np.bool_),
        profile_continue=_array([profile.go_on for profile in journeys.profiles]),
        profile_cause=_array([profile.causes for profile in journeys.profiles]).reshape(-1, len(journeys.causes)),
        modifier_start=_array(modifiers.offsets),
        modifiers=_array(modifiers.values),
        profile_effect=_array([profile.effect for profile in journeys.profiles]),
        fork_start=_array(forks.offsets),
        fork_share=_array(forks.values),
        fork_leg=_array([leg for choices in journeys.forks for leg, _ in choices]),
        reattempt=_array(list(journeys.reattempts)).reshape(-1, journeys.attempt_cap),
        class_of=_array(class_of),
        class_reattempt=_array([journey.reattempt for journey in classes]),
        class_start=_array(class_start),
        class_fork=_array([journey.forks for journey in classes]).reshape(-1, len(journeys.points)),
        class_profile=_array([journey.profiles for journey in classes]).reshape(-1, len(journeys.legs)),
        class_return=_array([journey.returns for journey in classes]).reshape(-1, len(journeys.legs)),
        leg_to=_array(journeys.leg_to),
        arrival_point=journeys.arrival_point,
        start_class=_array([class_index for class_index, _ in fates.starts]),
        start_point=_array([point for _, point in fates.starts]),
        start_first_route=_array(fates.first_route),
        route_first_step=_array(fates.first_step),
        step_share=_array(fates.step_share),
        step_profile=_array(fates.step_profile),
        start_first_fate=_array(fates.first_fate),
        fate_kind=_array(fates.kind),
        fate_outcome=_array(fates.outcome),
        fate_next=_array(fates.next),
        fate_visited=np.array(fates.visited, dtype=np.uint64),
        fate_record=fates.record_table(),
        fate_ended=_array(fates.ended),
        most_fates=int(sizes.max()) if sizes.size else 0,
    )
    return plan, journeys
