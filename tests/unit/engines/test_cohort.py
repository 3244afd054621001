"""What must follow exactly when persons move as counts: certain and impossible moves, one attempt, large numbers."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import simcore
from simcore.engines.cohort import PERSONS_PER_DRAW, counts_pay, crowds_of
from simcore.errors import ScenarioError
from simcore.model import compile_model
from simcore.moments import expected
from simcore.runner.slots import make_slots
from simcore.scenario import load_scenario
from tests.conftest import FIXTURES, TWIN_SCENARIOS, load, one_cell
from tests.twin.comparison import AXES, assert_same_counts
from tests.twin.simulation import simulate

BORDER, GOLDEN = FIXTURES / "single_border.toml", FIXTURES / "golden.toml"


def value(parameter: str, number: float) -> str:
    return f"parameters.{parameter}.distribution.value = {number}"


def crowd(path: Path, *settings: str, persons: int = 5000, seed: int, replicates: int = 20) -> simcore.Results:
    scenario = load(path, one_cell(persons), *settings)
    return simcore.run(scenario, replicates=replicates, seed=seed, engine="cohort", store_ended=True)


def column(results: simcore.Results, variable: str, *labels: str) -> np.ndarray:
    axes = results.variable(variable).trailing
    return results.read(variable)[
        (slice(None), *(results.labels(axis).index(label) for axis, label in zip(axes, labels, strict=True)))
    ]


def test_everybody_passes(seed: int) -> None:
    results = crowd(BORDER, value("interception", 0), seed=seed)
    assert (column(results, "outcome", "ARRIVED") == 5000).all()
    assert (results.read("attempts")[:, 0] == 5000).all()
    assert results.read("attempts")[:, 1:].sum() == 0
    assert results.read("ended").sum() == 0
    assert (column(results, "reached", "BORDER") == 5000).all()


@pytest.mark.parametrize("cap", [1, 2, 5, 40])
def test_nobody_passes_and_everybody_tries_to_the_end(cap: int, seed: int) -> None:
    results = crowd(BORDER, value("interception", 1), value("reattempt", 1), f"transit.attempt_cap = {cap}", seed=seed)
    assert (results.read("attempts") == 5000).all()
    assert (column(results, "outcome", "RETURNED_FINAL") == 5000).all()
    assert (column(results, "ended", "crossing", "INTERCEPTED") == 5000 * cap).all()
    assert (column(results, "visits", "ORIGIN") == 5000 * cap).all()
    assert (column(results, "reached", "ORIGIN") == 5000).all()
    assert column(results, "visits", "BORDER").sum() == 0


def test_nobody_tries_again(seed: int) -> None:
    results = crowd(BORDER, value("reattempt", 0), seed=seed)
    assert results.read("attempts")[:, 1:].sum() == 0
    assert np.array_equal(
        column(results, "outcome", "RETURNED_FINAL"), column(results, "ended", "crossing", "INTERCEPTED")
    )
    assert 0 < column(results, "outcome", "ARRIVED").sum() < 20 * 5000


def test_a_leg_that_nobody_survives_and_one_that_nobody_takes(seed: int) -> None:
    """In the maze: the tunnel never leads on, the window is never chosen, `main` always catches."""
    settings = ['parameters.crowd.distribution = {family = "uniform", min = 9000, max = 11000}']
    maze = load(TWIN_SCENARIOS / "maze.toml", *settings)
    results = simcore.run(maze, replicates=10, seed=seed, engine="cohort", store_by=(), store_ended=True)
    ended = results.read("ended").sum(axis=0)
    legs, causes = results.labels("leg"), results.labels("cause")
    assert ended[legs.index("window")].sum() == 0
    assert ended[legs.index("tunnel")].sum() > 0
    assert ended[legs.index("tunnel"), causes.index("asleep")] == 0
    assert ended[legs.index("main"), causes.index("caught")] > 0
    assert ended[legs.index("main"), causes.index("lost")] == 0


def test_without_interception(seed: int, tmp_path: Path) -> None:
    """Cause 0 is there and never drawn; nobody is returned, every attempt is the first."""
    text = GOLDEN.read_text()
    text = text.replace('interception = "INTERCEPTED"\n', "").replace(
        "[outcomes.levels]\n", "[outcomes.levels]\nINTERCEPTED = {}\n"
    )
    lines = [line for line in text.splitlines() if not line.startswith(("returned_to", "attempt_effect"))]
    path = tmp_path / "golden.toml"
    path.write_text("\n".join(lines).replace("transit.reattempt.all", "unused"))
    body = path.read_text()
    head, tail = body.split("[unused]")
    path.write_text(head + tail.split("\n", 2)[2])
    unused = [f"parameters.{name}" for name in ("attempt_effect", "reattempt_first", "reattempt_second")]
    patch = tmp_path / "patch.toml"
    patch.write_text(f'name = "straight"\nbase = "golden.toml"\nremove = {unused}\n')
    scenario = load_scenario(patch, settings=[one_cell(3000)])
    results = simcore.run(scenario, replicates=5, seed=seed, engine="cohort", store_by=AXES, store_ended=True)
    simulated = simulate(scenario, outer=5, seed=seed, walker="cohort")
    assert simulated.moved == simulated.agents == 15_000
    assert_same_counts(results, simulated)
    assert (results.read("attempts").sum(axis=1) == 3000).all()
    assert column(results, "outcome", "RETURNED_FINAL").sum() == 0
    assert column(results, "outcome", "INTERCEPTED").sum() > 0


def test_numbers_beyond_32_bits(seed: int) -> None:
    """Four thousand million persons: no overflow, and means to six digits."""
    persons = 4_000_000_000
    scenario = load(GOLDEN, one_cell(persons))
    results = simcore.run(scenario, replicates=16, seed=seed, engine="cohort")
    assert (results.read("outcome").sum(axis=1) == persons).all()
    assert results.read("visits").min() >= 0
    assert int(results.read("visits").sum(axis=1).max()) > 2**32
    moments = expected(scenario)
    for outcome in results.labels("absorbing"):
        weights = moments.weights("outcome", label=outcome)
        mean, variance = moments.mean_of(weights)[0, 0], moments.variance_of(weights)[0, 0]
        # |z| < 6: 2e-9 each; relative standard errors are about 4e-6, so an error of 1 in 30,000 is caught.
        assert abs(column(results, "outcome", outcome).mean() - mean) < 6.0 * np.sqrt(variance / 16)


def test_a_crowd_moves_as_counts_where_that_pays(seed: int) -> None:
    """The limit depends on the journeys of the crowd alone: 24 persons for each draw of a first attempt."""
    for cap in (1, 2, 9):
        model = compile_model(load(GOLDEN, f"transit.attempt_cap = {cap}"))
        limit = PERSONS_PER_DRAW * 4 * 8  # four points of one leg: exits, five causes and re-attempt, in eights
        assert not counts_pay(model.flows, 0, limit - 1)
        assert counts_pay(model.flows, 0, limit)
    below, at = (load(GOLDEN, one_cell(persons)) for persons in (limit - 1, limit))
    walked, moved = (
        [simcore.run(s, replicates=9, seed=seed, engine=e) for e in ("agent", "cohort")] for s in (below, at)
    )
    assert np.array_equal(walked[0].read("outcome"), walked[1].read("outcome"))
    assert not np.array_equal(moved[0].read("outcome"), moved[1].read("outcome"))


def test_crowds_are_named_by_their_first_stratum() -> None:
    phase1 = compile_model(load_scenario("phase1"))
    for by in ((), ("origin",), ("sex", "exploitation"), AXES):
        slots = make_slots(phase1, by=by).stratum_slot
        crowds = crowds_of(phase1.transit, slots)
        assert (crowds <= np.arange(crowds.size)).all()
        assert np.array_equal(crowds[crowds], crowds)
        groups = {}
        for stratum, (journey, slot) in enumerate(zip(phase1.transit.class_of.tolist(), slots.tolist(), strict=True)):
            assert crowds[stratum] == groups.setdefault((journey, slot), stratum)


def test_too_many_states_are_refused_by_name(tmp_path: Path) -> None:
    """A ladder whose steps can be skipped: few routes, very many sets of points reached in twenty attempts."""
    points = [f"p{i}" for i in range(14)]
    text = BORDER.read_text()
    declared = "".join(f"{point} = {{}}\n" for point in points)
    text = text.replace('ORIGIN = { label = "origin" }\n', 'ORIGIN = { label = "origin" }\n' + declared)
    legs, shares = "", ""
    chain = ["ORIGIN", *points, "BORDER"]
    for here, near, far in itertools.zip_longest(chain[:-2], chain[1:-1], chain[2:]):
        for to in (near, far):
            legs += f'[transit.legs.{here}_{to}]\nfrom = "{here}"\nto = "{to}"\nreturned_to = "ORIGIN"\n'
            legs += 'net = { INTERCEPTED = "interception" }\n\n'
        shares += (
            f'[transit.branches.{here}.all]\nshares = {{ {here}_{near} = "interception", {here}_{far} = "rest" }}\n\n'
        )
    legs += f'[transit.legs.last]\nfrom = "{points[-1]}"\nto = "BORDER"\nreturned_to = "ORIGIN"\n'
    legs += 'net = { INTERCEPTED = "interception" }\n\n'
    start = text.index("[transit.legs.crossing]")
    stop = text.index("[parameters.", start)
    path = tmp_path / "ladder.toml"
    path.write_text(text[:start] + shares + legs + text[stop:])
    scenario = load(path, "transit.attempt_cap = 20")
    with pytest.raises(ScenarioError, match="more than 200000 journey states"):
        simcore.run(scenario, replicates=1, seed=1, engine="cohort")
    # The engine refuses, not the scenario.
    small = load(path, one_cell(20))
    assert simcore.run(small, replicates=1, seed=1).read("outcome").sum() == 20
