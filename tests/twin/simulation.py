"""The whole engine: replicates of a scenario as named counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from simcore.scenario import Scenario
from tests.twin.parameters import Theta
from tests.twin.philox import Chance
from tests.twin.source import Cell, RiskClass
from tests.twin.transit import Journeys
from tests.twin.walks import Walker

WALKERS = {"collapsed": Walker.collapsed, "leg-by-leg": Walker.leg_by_leg}


@dataclass
class Simulated:
    """Counts by (row, origin, sex, age band[, exploitation], label ...) for every variable, theta by theta_id."""

    counts: dict[str, Counter[tuple[int | str, ...]]] = field(default_factory=dict)
    theta: list[Theta] = field(default_factory=list)
    agents: int = 0
    held_shares: int = 0
    addresses: int = 0

    def add(self, variable: str, key: tuple[int | str, ...], number: int) -> None:
        """Add to a count."""
        self.counts.setdefault(variable, Counter())[key] += number


def risk_label(levels: list[str], risk_class: RiskClass) -> str:
    """Return the stored label of a risk class."""
    held = [level for level in levels if level in risk_class]
    if len(levels) == 2:
        return "both" if len(held) == 2 else f"{held[0]}_only"
    return "+".join(held)


def simulate(
    scenario: Scenario, *, outer: int, inner: int = 1, seed: int, walker: str = "collapsed", reverse: bool = False
) -> Simulated:
    """Simulate ``outer`` parameter sets with ``inner`` replicates each.

    ``reverse`` walks replicates, cells and agents backwards: nothing may change, since a draw is an address.
    """
    document = scenario.document
    simulated = Simulated(theta=[Theta(scenario, seed, theta_id) for theta_id in range(outer)])
    axes = document.strata
    cells = [
        (o, g, a, float(scenario.population[i, j, k]))
        for i, o in enumerate(axes.origin)
        for j, g in enumerate(axes.sex)
        for k, a in enumerate(axes.age_band)
    ]
    journeys: dict[tuple[int | str, ...], Journeys] = {}
    direction = -1 if reverse else 1
    for row in range(outer * inner)[::direction]:
        theta = simulated.theta[row // inner]
        chance = Chance(seed, row % inner, row // inner)
        for origin, sex, age_band, persons in cells[::direction]:
            place = {"origin": origin, "sex": sex, "age_band": age_band}
            here = (row, origin, sex, age_band)
            cell = Cell(scenario, theta, chance, place, persons)
            simulated.add("persons", here, cell.persons)
            simulated.held_shares += cell.held_shares
            for risk_class, number in cell.at_risk.items():
                simulated.add("at_risk", (*here, risk_label(cell.bits, risk_class)), number)
            for x, stratum in cell.strata.items():
                simulated.add("victims", (*here, x), cell.victims[x])
                for destination, number in cell.destinations[x].items():
                    simulated.add("destination", (*here, x, destination), number)
                bound = cell.destinations[x].get(document.destinations.bound, 0)
                if bound == 0:
                    continue
                simulated.agents += bound
                known = (theta.theta_id, *stratum.values())
                if known not in journeys:
                    journeys[known] = Journeys(scenario, theta, stratum)
                walking = Walker(journeys[known], chance, stratum)
                for agent in range(bound)[::direction]:
                    WALKERS[walker](walking, agent)
                for (variable, *labels), number in walking.tally.items():
                    simulated.add(variable, (*here, x, *labels), number)
        simulated.addresses += len(chance.used)
    return simulated
