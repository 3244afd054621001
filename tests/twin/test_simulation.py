"""The compiled engine equals its twin: every count of every replicate, and every parameter, bit for bit.

The twin reads the scenario, the engine flat arrays compiled from it, so this tests compilation as well as the kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import simcore
from simcore.scenario import Scenario, load_scenario
from tests.conftest import FIXTURES, ROOT, TWIN_SCENARIOS, one_cell
from tests.twin.comparison import AXES, assert_same_counts, assert_same_theta
from tests.twin.simulation import Simulated, simulate

RIVERS = ROOT / "tests" / "scenarios"
WALKERS = ("collapsed", "leg-by-leg")


def _file(path: Path, *settings: str) -> Callable[[], Scenario]:
    return lambda: load_scenario(path, settings=settings)


TWENTIETH = "parameters.population_factor.distribution.median = 0.05"


# name: how to load it, (parameter sets, replicates of each)
CASES: dict[str, tuple[Callable[[], Scenario], tuple[int, int]]] = {
    "tiny": (_file(FIXTURES / "tiny.toml"), (6, 1)),
    "tiny nested": (_file(FIXTURES / "tiny.toml"), (2, 3)),
    # 1,500 agents pass BLOCKS_AT_ONCE
    "golden": (_file(FIXTURES / "golden.toml", one_cell(600)), (2, 1)),
    "golden, many agents": (_file(FIXTURES / "golden.toml", one_cell(1500)), (1, 1)),
    "golden, few agents": (_file(FIXTURES / "golden.toml", one_cell(7)), (30, 1)),
    "one border": (_file(FIXTURES / "single_border.toml", one_cell(300)), (1, 4)),
    "one border, retry for sure": (
        _file(FIXTURES / "single_border.toml", one_cell(40), "parameters.reattempt.distribution.value = 1"),
        (4, 1),
    ),
    "one border, nobody passes": (
        _file(FIXTURES / "single_border.toml", one_cell(40), "parameters.interception.distribution.value = 1"),
        (4, 1),
    ),
    "one border, everybody passes": (
        _file(FIXTURES / "single_border.toml", one_cell(40), "parameters.interception.distribution.value = 0"),
        (4, 1),
    ),
    "one border, nobody there": (_file(FIXTURES / "single_border.toml", one_cell(0)), (2, 1)),
    "river": (_file(RIVERS / "river.toml"), (10, 1)),
    "river nested": (_file(RIVERS / "river.toml"), (3, 4)),
    "river with a bridge": (_file(RIVERS / "river_patch.toml"), (10, 1)),
    "river, beyond all numbers": (
        _file(
            RIVERS / "river.toml",
            'parameters.drought_sd.distribution = {family = "fixed", value = 1e6}',
            'parameters.young_factor.distribution = {family = "fixed", value = 1e149}',
            'parameters.wariness.distribution = {family = "fixed", value = 1e6}',
        ),
        (3, 1),
    ),
    "maze": (_file(TWIN_SCENARIOS / "maze.toml"), (12, 1)),
    "maze nested": (_file(TWIN_SCENARIOS / "maze.toml"), (3, 3)),
    # in full (some thousand agents, for some seeds a hundred thousand), and with a twentieth of the persons
    "phase1": (lambda: load_scenario("phase1"), (1, 1)),
    "phase1, a twentieth": (lambda: load_scenario("phase1", settings=[TWENTIETH]), (4, 1)),
    "phase1, a twentieth, nested": (lambda: load_scenario("phase1", settings=[TWENTIETH]), (2, 2)),
}
PAIRS = [(case, walker) for case in CASES for walker in WALKERS if (case, walker) != ("phase1", "leg-by-leg")]


@pytest.mark.parametrize(("case", "walker"), PAIRS)
def test_every_count_and_parameter_equals_the_twin(case: str, walker: str, seed: int) -> None:
    load, (outer, inner) = CASES[case]
    scenario = load()
    design = {"replicates": outer} if inner == 1 else {"nested": (outer, inner)}
    results = simcore.run(scenario, **design, seed=seed, walker=walker, store_by=AXES, store_ended=True, threads=2)
    simulated = simulate(scenario, outer=outer, inner=inner, seed=seed, walker=walker)
    assert_same_counts(results, simulated)
    assert_same_theta(results, simulated, scenario)
    assert results.attributes["agents_walked"] == simulated.agents
    assert results.attributes["held_shares"] == simulated.held_shares
    assert simulated.agents > 0 or case == "one border, nobody there"


def test_order_of_walking_changes_nothing(maze: Scenario, seed: int) -> None:
    """The twin walking backwards over replicates, cells and agents still equals the engine."""
    results = simcore.run(maze, nested=(2, 2), seed=seed, store_by=AXES, store_ended=True)
    assert_same_counts(results, simulate(maze, outer=2, inner=2, seed=seed, reverse=True))


def _expect_difference(results: simcore.Results, simulated: Simulated) -> None:
    with pytest.raises(AssertionError, match="differ, the first at row"):
        assert_same_counts(results, simulated)


def test_comparison_notices_another_seed_walker_and_design(tiny: Scenario, seed: int) -> None:
    results = simcore.run(tiny, replicates=4, seed=seed, store_by=AXES, store_ended=True)
    _expect_difference(results, simulate(tiny, outer=4, seed=seed + 1))
    _expect_difference(results, simulate(tiny, outer=4, seed=seed, walker="leg-by-leg"))
    _expect_difference(results, simulate(tiny, outer=2, inner=2, seed=seed))


def test_comparison_notices_one_agent_and_one_bit(maze: Scenario, seed: int) -> None:
    results = simcore.run(maze, replicates=2, seed=seed, store_by=AXES, store_ended=True)
    simulated = simulate(maze, outer=2, seed=seed)
    simulated.add("visits", 1, ("north", "v", "adult", "P"), ("door",), 1)
    _expect_difference(results, simulated)
    theta = simulated.theta[1]
    theta.columns["hazard"] *= 1.0 + 2.0**-52
    with pytest.raises(AssertionError, match="hazard of theta 1"):
        assert_same_theta(results, simulated, maze)


def test_maze_reaches_its_corners(maze: Scenario, seed: int) -> None:
    """The scenario that claims to use every feature does: many attempts, combined events, ties' blocks beyond one."""
    results = simcore.run(maze, replicates=50, seed=seed, store_by=AXES, store_ended=True)
    assert results.attributes["held_shares"] > 0, "no share at risk had to be held to one"
    attempts = results.read("attempts").sum(axis=0)
    assert attempts[9] > 0, "no tenth attempt: words of the third block of `reattempt` are never used"
    victims = results.read("victims", by=["origin", "sex", "exploitation"]).sum(axis=0)
    levels = {axis: {name: i for i, name in enumerate(results.labels(axis))} for axis in AXES}
    assert (victims.sum(axis=(0, 1)) > 0).all()
    assert victims[levels["origin"]["north"], levels["sex"]["v"], levels["exploitation"]["R"]] == 0
    ended = results.read("ended").sum(axis=0)
    legs = {name: i for i, name in enumerate(results.labels("leg"))}
    assert ended[legs["window"]].sum() == 0, "a leg with a share of zero was taken"
    assert ended[legs["main"]].sum() > 0
    assert ended[legs["tunnel"]].sum() > 0
