"""The whole engine: replicates of a scenario as named counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from simcore.scenario import Scenario
from tests.twin.cohort import AXES, Names, crowds, move
from tests.twin.parameters import Theta
from tests.twin.philox import Chance
from tests.twin.source import Cell, RiskClass
from tests.twin.transit import Journeys
from tests.twin.walks import Walker

# What the cohort engine does not move as counts walks collapsed.
WALKERS = {"collapsed": Walker.collapsed, "leg-by-leg": Walker.leg_by_leg, "cohort": Walker.collapsed}


@dataclass
class Simulated:
    """Counts by (row, levels of the axes kept apart ..., label ...) for every variable, theta by theta_id.

    ``agents`` are all bound persons, ``moved`` those of them who were moved as counts.
    """

    store_by: Sequence[str] = AXES
    counts: dict[str, Counter[tuple[int | str, ...]]] = field(default_factory=dict)
    theta: list[Theta] = field(default_factory=list)
    agents: int = 0
    moved: int = 0
    held_shares: int = 0
    addresses: int = 0

    def add(self, variable: str, row: int, levels: Sequence[str], labels: Sequence[str], number: int) -> None:
        """Add to a count; ``levels`` are those of all axes of the variable."""
        kept = [level for axis, level in zip(AXES, levels, strict=False) if axis in self.store_by]
        self.counts.setdefault(variable, Counter())[row, *kept, *labels] += number


def risk_label(levels: list[str], risk_class: RiskClass) -> str:
    """Return the stored label of a risk class."""
    held = [level for level in levels if level in risk_class]
    if len(levels) == 2:
        return "both" if len(held) == 2 else f"{held[0]}_only"
    return "+".join(held)


def simulate(
    scenario: Scenario,
    *,
    outer: int,
    inner: int = 1,
    seed: int,
    walker: str = "collapsed",
    store_by: Sequence[str] = AXES,
    reverse: bool = False,
) -> Simulated:
    """Simulate ``outer`` parameter sets with ``inner`` replicates each.

    ``walker`` is one of `WALKERS`; what a cohort draws depends on the axes ``store_by`` that are kept apart.
    ``reverse`` walks replicates, cells, crowds and agents backwards: nothing may change, since a draw is an address.
    """
    simulated = Simulated(theta=[Theta(scenario, seed, theta_id) for theta_id in range(outer)], store_by=store_by)
    groups = list(crowds(scenario, store_by if walker == "cohort" else AXES))
    journeys: dict[tuple[int | str, ...], Journeys] = {}
    direction = -1 if reverse else 1

    def on_the_way(theta: Theta, names: Names) -> Journeys:
        known = (theta.theta_id, *names)
        if known not in journeys:
            journeys[known] = Journeys(scenario, theta, dict(zip(AXES, names, strict=True)))
        return journeys[known]

    for row in range(outer * inner)[::direction]:
        theta = simulated.theta[row // inner]
        chance = Chance(seed, row % inner, row // inner)
        bound = _source_zone(scenario, simulated, theta, chance, row, direction)
        for crowd in groups[::direction]:
            persons = sum(bound.get(names, 0) for names in crowd.strata)
            simulated.agents += persons
            if walker == "cohort" and crowd.moves_as_counts(persons):
                simulated.moved += persons
                for (variable, *labels), number in move(crowd, on_the_way(theta, crowd.names), chance, persons).items():
                    simulated.add(variable, row, crowd.names, labels, number)
                continue
            for names in crowd.strata:
                walking = Walker(on_the_way(theta, names), chance, names)
                for agent in range(bound.get(names, 0))[::direction]:
                    WALKERS[walker](walking, agent)
                for (variable, *labels), number in walking.tally.items():
                    simulated.add(variable, row, names, labels, number)
        simulated.addresses += len(chance.used)
    return simulated


def _source_zone(
    scenario: Scenario, simulated: Simulated, theta: Theta, chance: Chance, row: int, direction: int
) -> dict[Names, int]:
    """Count everybody up to the destinations of a replicate, and return the bound victims of every stratum."""
    axes, bound_for = scenario.document.strata, scenario.document.destinations.bound
    cells = [
        (o, g, a, float(scenario.population[i, j, k]))
        for i, o in enumerate(axes.origin)
        for j, g in enumerate(axes.sex)
        for k, a in enumerate(axes.age_band)
    ]
    bound: dict[Names, int] = {}
    for origin, sex, age_band, persons in cells[::direction]:
        here = (origin, sex, age_band)
        cell = Cell(scenario, theta, chance, dict(zip(AXES, here, strict=False)), persons)
        simulated.add("persons", row, here, (), cell.persons)
        simulated.held_shares += cell.held_shares
        for risk_class, number in cell.at_risk.items():
            simulated.add("at_risk", row, here, (risk_label(cell.bits, risk_class),), number)
        for x in cell.strata:
            simulated.add("victims", row, (*here, x), (), cell.victims[x])
            for destination, number in cell.destinations[x].items():
                simulated.add("destination", row, (*here, x), (destination,), number)
            if cell.destinations[x].get(bound_for, 0) > 0:
                bound[(*here, x)] = cell.destinations[x][bound_for]
    return bound
