"""The cohort engine equals its twin bit for bit: crowds that move as counts, crowds that are walked, and who merges.

The twin finds out from names in the scenario who moves together, and lists the states of a journey by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import simcore
from simcore.scenario import Scenario, load_scenario
from tests.conftest import FIXTURES, ROOT, TWIN_SCENARIOS, one_cell
from tests.crowds import MAZE_CELLS
from tests.twin.cohort import crowds
from tests.twin.comparison import AXES, assert_same_counts, assert_same_theta
from tests.twin.simulation import Simulated, simulate

RIVERS = ROOT / "tests" / "scenarios"
BORDER = FIXTURES / "single_border.toml"
MAZE_BY = ((), ("sex",), ("origin", "exploitation"), ("age_band",), AXES)


def _file(path: Path, *settings: str) -> Callable[[], Scenario]:
    return lambda: load_scenario(path, settings=settings)


def _phase1(factor: float) -> Callable[[], Scenario]:
    return lambda: load_scenario("phase1", settings=[f"parameters.population_factor.distribution.median = {factor}"])


def _river(name: str, factor: float) -> Callable[[], Scenario]:
    return _file(RIVERS / name, f"parameters.count_factor.distribution.median = {factor}")


def _value(parameter: str, value: float) -> str:
    return f"parameters.{parameter}.distribution.value = {value}"


# name: how to load it, (parameter sets, replicates of each), axes kept apart, who moves as counts. Where parameters
# vary much, some seeds have crowds of one kind only; every seed has both kinds in other cases.
CASES: dict[str, tuple[Callable[[], Scenario], tuple[int, int], tuple[str, ...], str]] = {
    "tiny": (_file(FIXTURES / "tiny.toml"), (5, 1), AXES, "none"),
    # about 1,344 bound persons of the first exploitation, just where counts begin to pay
    "tiny at the limit": (_file(FIXTURES / "tiny.toml", one_cell(1_950_000)), (12, 1), AXES, "some"),
    "tiny, large": (_file(FIXTURES / "tiny.toml", one_cell(1_000_000_000)), (6, 1), (), "all"),
    "tiny nested": (_file(FIXTURES / "tiny.toml", one_cell(20_000_000)), (2, 3), AXES, "all"),
    "golden, one short of counts": (_file(FIXTURES / "golden.toml", one_cell(767)), (2, 1), AXES, "none"),
    "golden, just counts": (_file(FIXTURES / "golden.toml", one_cell(768)), (8, 1), AXES, "all"),
    "golden, most persons": (_file(FIXTURES / "golden.toml", one_cell(700_000_000)), (3, 1), AXES, "all"),
    "golden, one attempt": (_file(FIXTURES / "golden.toml", one_cell(5_000), "transit.attempt_cap = 1"), (4, 1), AXES,
                            "all"),
    "one border": (_file(BORDER, one_cell(300)), (8, 1), AXES, "all"),
    "one border, retry for sure": (_file(BORDER, one_cell(400), _value("reattempt", 1)), (4, 1), AXES, "all"),
    "one border, never again": (_file(BORDER, one_cell(400), _value("reattempt", 0)), (4, 1), AXES, "all"),
    "one border, nobody passes": (_file(BORDER, one_cell(400), _value("interception", 1)), (4, 1), AXES, "all"),
    "one border, everybody passes": (_file(BORDER, one_cell(400), _value("interception", 0)), (4, 1), AXES, "all"),
    "one border, many attempts": (
        _file(BORDER, one_cell(3_000), _value("reattempt", 0.99), "transit.attempt_cap = 60"), (4, 1), AXES, "all"
    ),
    "one border, nobody there": (_file(BORDER, one_cell(0)), (2, 1), AXES, "none"),
    "river": (_river("river.toml", 100), (4, 1), AXES, "counts"),
    "river merged": (_river("river.toml", 40), (4, 1), (), "counts"),
    "river by valley nested": (_river("river.toml", 60), (2, 2), ("origin",), "counts"),
    "river with a bridge": (_river("river_patch.toml", 60), (3, 1), ("sex",), "counts"),
    **{f"maze by {by}": (_file(TWIN_SCENARIOS / "maze.toml", MAZE_CELLS), (3, 1), by, "some") for by in MAZE_BY},
    "maze nested": (_file(TWIN_SCENARIOS / "maze.toml", MAZE_CELLS), (2, 2), ("origin", "sex"), "some"),
    "phase1, merged": (_phase1(1.0), (2, 1), (), "either"),
    "phase1, as stored": (_phase1(10.0), (1, 1), ("origin", "sex", "exploitation"), "either"),
    "phase1, nested": (_phase1(20.0), (1, 2), ("exploitation",), "either"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(CASES))
def test_every_count_and_parameter_equals_the_twin(case: str, seed: int) -> None:
    load, (outer, inner), by, kinds = CASES[case]
    scenario = load()
    design = {"replicates": outer} if inner == 1 else {"nested": (outer, inner)}
    results = simcore.run(scenario, **design, seed=seed, engine="cohort", store_by=by, store_ended=True, threads=2)
    simulated = simulate(scenario, outer=outer, inner=inner, seed=seed, walker="cohort", store_by=by)
    assert_same_counts(results, simulated)
    assert_same_theta(results, simulated, scenario)
    assert results.attributes["agents_walked"] == simulated.agents
    counted, walked = simulated.moved, simulated.agents - simulated.moved
    assert {
        "all": counted > 0 and walked == 0,
        "none": counted == 0,
        "some": counted > 0 and walked > 0,
        "counts": counted > 0,
        "either": simulated.agents > 0,
    }[kinds]


def test_merging_is_by_parameters_and_slot() -> None:
    """Which strata of the maze move together; by origin, `returned_to` and modifiers they fall apart into classes."""
    maze = load_scenario(TWIN_SCENARIOS / "maze.toml", settings=[MAZE_CELLS])
    sizes = {by: sorted(len(crowd.strata) for crowd in crowds(maze, by)) for by in MAZE_BY}
    assert {by: sum(size) for by, size in sizes.items()} == dict.fromkeys(MAZE_BY, 5 * 4)
    assert sizes[()] == [1] * 4 + [2] * 8
    assert sizes["sex",] == sizes[()]
    assert sizes[AXES] == [1] * 20
    phase1 = load_scenario("phase1")
    assert sorted(len(crowd.strata) for crowd in crowds(phase1, ())) == [12, 12, 24, 48]


def test_order_of_walking_changes_nothing(seed: int) -> None:
    """The twin going backwards over replicates, cells, crowds and agents still equals the engine."""
    maze = load_scenario(TWIN_SCENARIOS / "maze.toml", settings=[MAZE_CELLS])
    by = ("origin",)
    results = simcore.run(maze, nested=(2, 2), seed=seed, engine="cohort", store_by=by, store_ended=True)
    simulated = simulate(maze, outer=2, inner=2, seed=seed, walker="cohort", store_by=by, reverse=True)
    assert_same_counts(results, simulated)


def _expect_difference(results: simcore.Results, simulated: Simulated) -> None:
    with pytest.raises(AssertionError, match="differ, the first at row"):
        assert_same_counts(results, simulated)


def test_comparison_notices_another_seed_way_and_design(seed: int) -> None:
    tiny = load_scenario(FIXTURES / "tiny.toml", settings=[one_cell(20_000_000)])
    results = simcore.run(tiny, replicates=2, seed=seed, engine="cohort", store_by=AXES, store_ended=True)
    _expect_difference(results, simulate(tiny, outer=2, seed=seed + 1, walker="cohort"))
    _expect_difference(results, simulate(tiny, outer=1, inner=2, seed=seed, walker="cohort"))
    small = load_scenario(FIXTURES / "tiny.toml", settings=[one_cell(2_500_000)])
    results = simcore.run(small, replicates=2, seed=seed, engine="cohort", store_by=AXES, store_ended=True)
    _expect_difference(results, simulate(small, outer=2, seed=seed, walker="collapsed"))
    simulated = simulate(small, outer=2, seed=seed, walker="cohort")
    simulated.add("ended", 1, ("ONE", "all", "all", "L"), ("c", "DIED"), -1)
    _expect_difference(results, simulated)
