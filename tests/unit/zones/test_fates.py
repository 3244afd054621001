"""Fate tables: thresholds equal the twin's, fates come in the documented order, the guide never changes an answer."""

from __future__ import annotations

import random
from bisect import bisect_right

import numpy as np
import pytest

import simcore
from simcore.model import CompiledModel, compile_model
from simcore.scenario import Scenario
from simcore.transit_zone import fates
from simcore.transit_zone.fates import fate_thresholds, fill_guide
from simcore.transit_zone.legs import fork_shares, leg_probabilities, reattempt_probabilities
from simcore.transit_zone.plan import ARRIVAL, NONE, REATTEMPT, RETURNED, TERMINAL
from tests.twin.parameters import Theta
from tests.twin.thresholds import random_thresholds, split_words
from tests.twin.transit import ALL_ONES, FateTable, Journeys

KINDS = {ARRIVAL: "arrival", RETURNED: "returned", REATTEMPT: "again", TERMINAL: "terminal"}


def kind_of(journeys: Journeys, fate: object) -> str:
    if fate.leg is None:
        return "arrival"
    if fate.cause != journeys.interception:
        return "terminal"
    return "returned" if fate.outcome is not None else "again"


def compiled_tables(
    model: CompiledModel, theta: np.ndarray, index: int
) -> tuple[int, dict[tuple[int, int], tuple[list[int], int]]]:
    """Return the first start of a stratum and (start, attempt) -> (thresholds, last possible fate) of its class."""
    plan = model.transit
    legs = np.empty((plan.profile_split.size, plan.attempt_cap, 1 + plan.causes))
    shares, reattempts = np.empty(plan.fork_share.size), np.empty((plan.reattempt.shape[0], plan.attempt_cap))
    leg_probabilities(plan, theta, legs)
    fork_shares(plan, theta, shares)
    reattempt_probabilities(plan, theta, reattempts)
    journey = plan.class_of[index]
    tables = {}
    for start in np.flatnonzero(plan.start_class == journey):
        size = plan.start_first_fate[start + 1] - plan.start_first_fate[start]
        for attempt in range(plan.attempt_cap):
            high, low = np.zeros(plan.most_fates, dtype=np.uint32), np.zeros(plan.most_fates, dtype=np.uint32)
            rho = reattempts[plan.class_reattempt[journey], attempt]
            work = np.empty(plan.most_fates)
            last = fate_thresholds(plan, start, attempt, legs, shares, rho, work, high, low)
            joined = high.astype(np.uint64) << np.uint64(32) | low
            tables[int(start), attempt] = joined[:size].tolist(), int(last)
    return int(plan.class_start[journey]), tables


def test_fates_and_thresholds_equal_the_twin(maze_model: CompiledModel, maze: Scenario, seed: int) -> None:
    """For every stratum, start and attempt of three thetas: order and meaning of the fates, 64-bit thresholds."""
    model, plan = maze_model, maze_model.transit
    points = model.journeys.points
    compared = 0
    for theta_id in range(3):
        theta = model.draw_theta(model.streams(seed), np.array([theta_id], dtype=np.uint32))[0]
        twin = Theta(maze, seed, theta_id)
        for index, stratum in enumerate(model.strata):
            if plan.class_of[index] == NONE:
                continue
            journeys = Journeys(maze, twin, stratum)
            first, tables = compiled_tables(model, theta, index)
            assert points[plan.start_point[first]] == journeys.entry
            for (start, attempt), (thresholds, last) in tables.items():
                table = journeys.table(points[plan.start_point[start]], attempt + 1)
                assert thresholds == table.thresholds
                assert last == table.last_possible
                here = range(plan.start_first_fate[start], plan.start_first_fate[start + 1])
                for fate, expected in zip(here, table.fates, strict=True):
                    assert KINDS[int(plan.fate_kind[fate])] == kind_of(journeys, expected)
                    visited = {point for bit, point in enumerate(points) if int(plan.fate_visited[fate]) >> bit & 1}
                    assert visited == set(expected.points)
                    following = plan.fate_next[fate]
                    assert (expected.next_start or None) == (
                        None if following == NONE else points[plan.start_point[following]]
                    )
                    compared += 1
    assert compared > 10_000


def test_thresholds_rise_to_the_top(maze_model: CompiledModel, seed: int) -> None:
    """Cumulative probabilities of all fates of an attempt sum to one, up to rounding, and never fall."""
    theta = maze_model.draw_theta(maze_model.streams(seed), np.array([0], dtype=np.uint32))[0]
    for index in np.flatnonzero(maze_model.transit.class_of != NONE):
        for thresholds, last in compiled_tables(maze_model, theta, index)[1].values():
            assert thresholds == sorted(thresholds)
            assert abs(thresholds[-1] - ALL_ONES) < 2**64 * 1e-14
            assert thresholds[last] == thresholds[-1]
            assert last == 0 or thresholds[last - 1] < thresholds[last]


def test_nobody_tries_again_after_the_last_attempt(maze_model: CompiledModel, seed: int) -> None:
    plan = maze_model.transit
    theta = maze_model.draw_theta(maze_model.streams(seed), np.array([1], dtype=np.uint32))[0]
    possible = dict.fromkeys(range(plan.attempt_cap), False)
    for index in np.flatnonzero(plan.class_of != NONE):
        for (start, attempt), (thresholds, _) in compiled_tables(maze_model, theta, index)[1].items():
            kinds = plan.fate_kind[plan.start_first_fate[start] :]
            for kind, before, here in zip(kinds, [0, *thresholds], thresholds, strict=False):
                possible[attempt] |= bool(kind == REATTEMPT and here > before)
    assert list(possible.values()) == [True] * (plan.attempt_cap - 1) + [False]


def test_arrival_is_last_within_its_route(tiny_model: CompiledModel) -> None:
    """So a change on one route leaves the words of the others alone; TINY has routes a-c-d, a-c-e, b-d, b-e."""
    plan = tiny_model.transit
    start = plan.class_start[0]
    kinds = plan.fate_kind[plan.start_first_fate[start] : plan.start_first_fate[start + 1]].tolist()
    per_leg = [RETURNED, REATTEMPT, *[TERMINAL] * 4]
    assert kinds == (per_leg * 3 + [ARRIVAL]) * 2 + (per_leg * 2 + [ARRIVAL]) * 2


def test_change_on_one_route_leaves_fates_of_earlier_routes_alone(tiny: Scenario, seed: int) -> None:
    """Legs b-d and b-e come last: whoever is on a route by leg a keeps every threshold when leg b changes."""
    from tests.conftest import FIXTURES, load

    changed = "parameters.split_b.distribution.shares = {CONTINUE = 0.5, INTERCEPTED = 0.48}"
    other = load(FIXTURES / "tiny.toml", changed)
    tables = []
    for scenario in (tiny, other):
        model = compile_model(scenario)
        theta = model.draw_theta(model.streams(seed), np.array([0], dtype=np.uint32))[0]
        start, found = compiled_tables(model, theta, 0)
        tables.append(found[start, 0][0])
    both_routes_by_a = 2 * (3 * 6 + 1)
    assert tables[0][:both_routes_by_a] == tables[1][:both_routes_by_a]
    assert tables[0][both_routes_by_a:] != tables[1][both_routes_by_a:]


@pytest.mark.parametrize("bits", sorted({fates.FIRST_GUIDE_BITS, fates.LATER_GUIDE_BITS}))
def test_guide_gives_the_first_fate_of_every_cell_and_flags_those_with_a_threshold(
    bits: int, chooser: random.Random
) -> None:
    cells, width = 1 << bits, 1 << (64 - bits)
    for _ in range(60):
        thresholds = random_thresholds(chooser, chooser.randrange(1, 40))
        last = FateTable([], thresholds).last_possible
        guide = np.full(fates.GUIDE_SIZE, 0x1234, dtype=np.uint16)
        high, low = split_words(thresholds)
        fill_guide(high, low, last, bits, guide)
        below_last = thresholds[:last]
        for cell in range(cells):
            first = min(bisect_right(below_last, cell * width), last)
            final = min(bisect_right(below_last, (cell + 1) * width - 1), last)
            assert guide[cell] & fates.FATE_OF_CELL == first, (thresholds, cell)
            if not guide[cell] & fates.UNDECIDED:
                assert first == final, (thresholds, cell)
        assert (guide[cells + fates.STRETCH :] == 0x1234).all()


def test_too_many_routes_are_refused_for_the_collapsed_walk_only(
    tiny: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    use = r'use engine "agent" with walker "leg-by-leg" \(--engine agent --walker leg-by-leg\)'
    monkeypatch.setattr("simcore.transit_zone.compile.MAXIMUM_ROUTES", 3)
    with pytest.raises(simcore.ScenarioError, match=rf"points.ORIGIN: more than 3 routes from here.*; {use}"):
        compile_model(tiny)
    assert compile_model(tiny, routes=False).transit.most_fates == 0
    monkeypatch.undo()
    monkeypatch.setattr("simcore.transit_zone.compile.MAXIMUM_FATES", 3)
    with pytest.raises(simcore.ScenarioError, match=rf"points.ORIGIN: more than 3 fates from here.*; {use}"):
        compile_model(tiny)


def test_fate_index_fits_the_guide() -> None:
    from simcore.transit_zone.compile import MAXIMUM_FATES

    assert MAXIMUM_FATES <= fates.FATE_OF_CELL
    assert fates.FATE_OF_CELL & fates.UNDECIDED == 0
    assert np.uint16(fates.FATE_OF_CELL | fates.UNDECIDED) == fates.FATE_OF_CELL | fates.UNDECIDED
