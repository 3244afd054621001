"""Facts that hold in every single replicate, whatever the draws (docs/model.md C2): no tolerance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from simcore.runner import run
from simcore.scenario import Scenario, load_scenario
from simcore.store import Results
from tests.conftest import TWIN_SCENARIOS, one_cell
from tests.crowds import MAZE_CELLS
from tests.ways import WAYS

SCENARIOS = Path(__file__).parents[1] / "scenarios"
FIXTURES = Path(__file__).parents[2] / "simcore" / "verification" / "fixtures"
ALL_AXES = ("origin", "sex", "age_band", "exploitation")
CASES = {
    "phase1": ("phase1", 300),
    "phase1_2020": ("phase1_2020", 100),
    "river": (SCENARIOS / "river.toml", 300),
    "river patched": (SCENARIOS / "river_patch.toml", 300),
    "tiny": (FIXTURES / "tiny.toml", 300),
    "golden": (FIXTURES / "golden.toml", 3),
}


CROWDS = {
    "phase1": ("phase1", 40, "parameters.population_factor.distribution.median = 100"),
    "river": (SCENARIOS / "river.toml", 40, "parameters.count_factor.distribution.median = 1000"),
    "tiny": (FIXTURES / "tiny.toml", 40, one_cell(50_000_000)),
    "golden": (FIXTURES / "golden.toml", 40, one_cell(100_000)),
    "golden, one attempt": (FIXTURES / "golden.toml", 40, one_cell(100_000), "transit.attempt_cap = 1"),
    "maze": (TWIN_SCENARIOS / "maze.toml", 40, MAZE_CELLS),
}


def check_identities(scenario: Scenario, results: Results) -> None:
    """Assert every identity in every replicate and stored slot of a run with ended attempts."""
    roles, transit = scenario.document.outcomes, scenario.document.transit

    def read(name: str) -> npt.NDArray[np.int64]:
        return results.read(name, by=results.variable(name).strata)

    persons, at_risk, victims = read("persons"), read("at_risk"), read("victims")
    destination, reached, visits = read("destination"), read("reached"), read("visits")
    outcome, attempts, ended = read("outcome"), read("attempts"), read("ended")
    outcomes, points = list(roles.levels), list(transit.points)
    bound = destination[..., list(scenario.document.destinations.levels).index(scenario.document.destinations.bound)]
    arrived = outcome[..., outcomes.index(roles.arrival)]
    returned = outcome[..., outcomes.index(roles.returned)]

    assert (at_risk.sum(axis=-1) <= persons).all()
    if "exploitation" in results.variable("victims").strata:
        assert (victims.sum(axis=-1) <= at_risk.sum(axis=-1)).all()
    else:  # added up already
        assert (victims <= at_risk.sum(axis=-1)).all()
    assert np.array_equal(destination.sum(axis=-1), victims)
    assert np.array_equal(outcome.sum(axis=-1), bound)
    assert np.array_equal(attempts[..., 0], bound)
    assert (np.diff(attempts, axis=-1) <= 0).all()

    causes = list(results.labels("cause"))
    interceptions = ended[..., causes.index(roles.interception)].sum(axis=-1) if roles.interception else 0 * bound
    assert np.array_equal(attempts.sum(axis=-1), bound + interceptions - returned)
    for cause in causes:
        if cause in outcomes:
            assert np.array_equal(ended[..., causes.index(cause)].sum(axis=-1), outcome[..., outcomes.index(cause)])
    assert np.array_equal(ended.sum(axis=(-2, -1)) + arrived, attempts.sum(axis=-1))

    assert (reached <= visits).all()
    assert (reached <= bound[..., None]).all()
    border = points.index(transit.arrival_point)
    assert np.array_equal(reached[..., border], arrived)
    assert np.array_equal(visits[..., border], arrived)
    for leg in transit.legs.values():  # an attempt that ended on a leg was at the point that it leaves
        here = [name for name, other in transit.legs.items() if other.from_ == leg.from_]
        lost = sum(ended[..., list(results.labels("leg")).index(name), :].sum(axis=-1) for name in here)
        assert (lost <= visits[..., points.index(leg.from_)]).all()

    if set(results.variable("victims").strata) == set(ALL_AXES):
        inactive = [not scenario.is_active(place) for place in scenario.strata]
        flat = victims.reshape(victims.shape[0], -1)
        assert (flat[:, inactive] == 0).all()
    for name in ("persons", "at_risk", "victims", "destination", "reached", "visits", "outcome", "attempts", "ended"):
        values = read(name)
        axes = tuple(range(1, 1 + len(results.variable(name).strata)))
        assert np.array_equal(results.read(name), values.sum(axis=axes))


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("case", list(CASES))
def test_every_replicate_balances(case: str, way: str, seed: int) -> None:
    place, replicates, *settings = CASES[case]
    scenario = load_scenario(place, settings=settings)
    with run(scenario, replicates=replicates, seed=seed, store_by=ALL_AXES, store_ended=True, **WAYS[way]) as results:
        assert results.read("victims").sum() > 0
        check_identities(scenario, results)


@pytest.mark.parametrize("case", list(CROWDS))
def test_every_replicate_of_large_crowds_balances(case: str, seed: int) -> None:
    """Persons beyond count: crowds that move as counts, merged over all strata and kept apart."""
    place, replicates, *settings = CROWDS[case]
    scenario = load_scenario(place, settings=settings)
    for by in ((), ("exploitation",), ALL_AXES):
        with run(scenario, replicates=replicates, seed=seed, engine="cohort", store_by=by, store_ended=True) as results:
            assert results.read("destination").sum() > 100_000
            check_identities(scenario, results)
