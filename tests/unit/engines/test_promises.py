"""What addressed random numbers promise: whatever is added or rearranged, every other count keeps its bits."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import simcore
from simcore.model import compile_model
from simcore.runner.blocks import Block, Work, simulate_slice
from simcore.runner.choice import choose_engine, walked
from simcore.runner.slots import make_slots
from simcore.scenario import Scenario
from simcore.uncertainty.design import Design
from tests.conftest import FIXTURES, TWIN_SCENARIOS, load, one_cell
from tests.twin.comparison import AXES
from tests.ways import WALKERS, WAYS

Labelled = dict[tuple[str, ...], np.ndarray]
# A thousand times the persons: crowds that move as counts, some of them, and not the smallest.
CROWDED = 'parameters.crowd.distribution = {family = "uniform", min = 900, max = 1100}'


def sized(way: str, path: Path = TWIN_SCENARIOS / "maze.toml") -> Scenario:
    """Return the maze, or another file, with persons enough for a way."""
    return load(path, *([CROWDED] if way == "cohort" else []))


@functools.cache
def maze_for(way: str) -> Scenario:
    return sized(way)


def full(scenario: Scenario, seed: int, replicates: int = 30, **options: object) -> Labelled:
    """Return (variable, labels ...) -> counts by row of a run that keeps everything apart."""
    options = {"store_by": AXES, "store_ended": True, "replicates": replicates, **options}
    return labelled(simcore.run(scenario, seed=seed, **options))


@functools.cache
def base_run(seed: int, way: str) -> simcore.Results:
    """Return the run that most tests compare another one with: the maze, 30 replicates, everything kept apart."""
    return simcore.run(maze_for(way), replicates=30, seed=seed, store_by=AXES, store_ended=True, **WAYS[way])


@functools.cache
def base(seed: int, way: str = "collapsed") -> Labelled:
    return labelled(base_run(seed, way))


def labelled(results: simcore.Results) -> Labelled:
    columns: Labelled = {}
    for variable in results.layout.variables:
        values = results.read(variable.name, by=variable.strata)
        dimensions = [results.labels(axis) for axis in (*variable.strata, *variable.trailing)]
        for where in np.ndindex(values.shape[1:]):
            labels = tuple(names[index] for names, index in zip(dimensions, where, strict=True))
            columns[variable.name, *labels] = values[(slice(None), *where)]
    return columns


def assert_equal(first: Labelled, second: Labelled, keys: Sequence[tuple[str, ...]] | None = None) -> None:
    assert keys is not None or first.keys() == second.keys()
    chosen = list(first) if keys is None else keys
    different = [key for key in chosen if not np.array_equal(first[key], second[key])]
    assert not different, f"{len(different)} of {len(chosen)} counts differ, the first is {different[0]}"
    assert sum(int(first[key].sum()) for key in chosen) > 0


def variant(folder: Path, way: str, *replacements: tuple[str, str]) -> Scenario:
    """Return the maze with texts replaced, each of which must occur exactly once."""
    text = (TWIN_SCENARIOS / "maze.toml").read_text()
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "maze.toml"
    path.write_text(text)
    return sized(way, path)


NEW_ORIGIN = "".join(
    f'    {{ origin = "west", sex = "{sex}", age_band = "{band}", persons = {persons} }},\n'
    for sex, band, persons in (("u", "child", 9), ("u", "adult", 700), ("v", "child", 8), ("v", "adult", 812))
)
NEW_BAND = "".join(
    f'    {{ origin = "{origin}", sex = "{sex}", age_band = "middle", persons = {persons} }},\n'
    for origin, sex, persons in (
        ("north", "u", 310), ("north", "v", 20), ("south", "u", 501), ("south", "v", 7), ("far east", "u", 0),
        ("far east", "v", 811),
    )
)  # fmt: skip


@pytest.mark.parametrize("way", list(WAYS))
def test_an_added_origin_leaves_the_others_alone(way: str, seed: int, tmp_path: Path) -> None:
    """Put first, so that every index of every other stratum moves."""
    more = variant(
        tmp_path,
        way,
        ("[strata.origin]\n", "[strata.origin]\nwest = {}\n"),
        ('poles = ["north", "south"]', 'poles = ["west", "north", "south"]'),
        ("cells = [\n", "cells = [\n" + NEW_ORIGIN),
    )
    before, after = base(seed, way), full(more, seed, **WAYS[way])
    assert set(after) - set(before) == {key for key in after if "west" in key}
    assert sum(int(after[key].sum()) for key in after if key[:2] == ("outcome", "west")) > 0
    assert_equal(before, after, list(before))


@pytest.mark.parametrize("way", list(WAYS))
def test_an_added_age_band_leaves_the_others_alone(way: str, seed: int, tmp_path: Path) -> None:
    more = variant(
        tmp_path,
        way,
        ("[strata.age_band]\n", "[strata.age_band]\nmiddle = {}\n"),
        ('active = { age_band = "adult"', 'active = { age_band = ["adult", "middle"]'),
        ("cells = [\n", "cells = [\n" + NEW_BAND),
    )
    before, after = base(seed, way), full(more, seed, **WAYS[way])
    assert sum(int(after[key].sum()) for key in after if key[0] == "outcome" and "middle" in key) > 0
    assert_equal(before, after, list(before))


@pytest.mark.parametrize("way", list(WAYS))
def test_order_of_levels_parameters_and_rules_decides_nothing(way: str, seed: int, tmp_path: Path) -> None:
    """All but the order of points, by which the cohort engine numbers its states."""
    text = (TWIN_SCENARIOS / "maze.toml").read_text()
    head, *parameters = re.split(r"(?=^\[parameters\.)", text, flags=re.MULTILINE)
    tail = parameters[-1].index("[store]")
    parameters[-1], store = parameters[-1][:tail], parameters[-1][tail:]
    assert len(parameters) > 30
    head = head.replace('north = {}\nsouth = {}\n"far east" = {}', '"far east" = {}\nsouth = {}\nnorth = {}')
    head = head.replace("u = {}\nv = {}", "v = {}\nu = {}").replace("child = {}\nadult = {}", "adult = {}\nchild = {}")
    if way != "cohort":
        head = head.replace(
            "door = {}\nhall = {}\nstairs = {}\ncellar = {}", "cellar = {}\nhall = {}\ndoor = {}\nstairs = {}"
        )
    path = tmp_path / "maze.toml"
    path.write_text(head + "".join(reversed(parameters)) + store)
    maze, other = maze_for(way), sized(way, path)
    for axis in ("origin", "sex", "age_band", *(["point"] if way != "cohort" else [])):
        assert sorted(other.levels(axis)) == sorted(maze.levels(axis))
        assert other.levels(axis) != maze.levels(axis)
    assert list(other.document.parameters) == list(reversed(maze.document.parameters))
    assert_equal(base(seed, way), full(other, seed, **WAYS[way]))


# name: old cap, new cap, where it is and settings
CAPS: dict[str, tuple[int, int, Path, list[str]]] = {
    "golden": (3, 7, FIXTURES / "golden.toml", [one_cell(30)]),
    "maze": (4, 11, TWIN_SCENARIOS / "maze.toml", []),
    # Crowds of 300 of whom one in three hundred makes a third attempt
    "one border": (
        2,
        9,
        FIXTURES / "single_border.toml",
        [one_cell(300), "parameters.interception.distribution.value = 0.06"],
    ),
}


@pytest.mark.parametrize(
    ("way", "name"), [(way, name) for way in WAYS for name in CAPS if way != "cohort" or name == "one border"]
)
def test_a_larger_attempt_cap_changes_only_those_who_hit_the_cap(way: str, name: str, seed: int) -> None:
    """Attempts up to the old cap stay for all; replicates in which nobody goes beyond it keep every count."""
    old, new, path, settings = CAPS[name]
    runs = [
        full(load(path, *settings, f"transit.attempt_cap = {cap}"), seed, replicates=60, **WAYS[way])
        for cap in (old, new)
    ]
    assert_equal(runs[0], runs[1], [key for key in runs[0] if key[0] == "attempts"])
    upstream = ("persons", "at_risk", "victims", "destination")
    assert_equal(runs[0], runs[1], [key for key in runs[0] if key[0] in upstream])
    beyond: dict[tuple[str, ...], np.ndarray] = {}  # by stratum: rows in which somebody makes more attempts
    for (variable, *labels), values in runs[1].items():
        if variable == "attempts" and int(labels[-1]) > old:
            beyond[tuple(labels[:4])] = beyond.get(tuple(labels[:4]), False) | (values > 0)
    kept: list[Labelled] = [
        {key: values[~beyond[key[1:5]]] for key, values in run.items() if key[1:5] in beyond and key in runs[0]}
        for run in runs
    ]
    assert_equal(*kept)
    for variable in ("attempts", "outcome"):  # there are rows of both kinds, with people in them
        walking = [key for key in kept[0] if key[0] == variable]
        assert sum(int(kept[0][key].sum()) for key in walking) > 0
        assert sum(int(runs[0][key][beyond[key[1:5]]].sum()) for key in walking) > 0
    changed = [key for key in runs[0] if not np.array_equal(runs[0][key], runs[1][key])]
    assert {key[0] for key in changed} >= {"outcome", "visits"}


@pytest.mark.parametrize("way", list(WAYS))
def test_more_replicates_leave_the_first_ones_alone(way: str, seed: int) -> None:
    many = base(seed, way)
    few = full(maze_for(way), seed, replicates=7, **WAYS[way])
    assert_equal(few, {key: values[:7] for key, values in many.items()})
    wide = full(maze_for(way), seed, replicates=None, nested=(3, 9), **WAYS[way])
    narrow = full(maze_for(way), seed, replicates=None, nested=(2, 4), **WAYS[way])
    rows = [9 * theta + replicate for theta in range(2) for replicate in range(4)]
    assert_equal(narrow, {key: values[rows] for key, values in wide.items()})
    first_of_each = {key: values[::9] for key, values in wide.items()}
    assert_equal(first_of_each, {key: values[:3] for key, values in many.items()})


def test_nested_with_one_replicate_each_is_a_single_loop(maze: Scenario, seed: int) -> None:
    nested = simcore.run(maze, nested=(20, 1), seed=seed, store_by=AXES)
    single = simcore.run(maze, replicates=20, seed=seed, store_by=AXES)
    assert_equal(labelled(nested), labelled(single))
    assert nested.theta().equals(single.theta())


def test_replicates_of_one_parameter_set_share_it_but_not_chance(maze: Scenario, seed: int) -> None:
    results = simcore.run(maze, nested=(2, 15), seed=seed, store_by=AXES)
    assert results.theta_ids().tolist() == [0] * 15 + [1] * 15
    assert results.replicate_ids().tolist() == [*range(15)] * 2
    assert results.shared_ids().tolist() == [*range(15)] * 2
    persons = results.read("persons")
    assert len(set(persons[:15].tolist())) == len(set(persons[15:].tolist())) == 1
    assert persons[0] != persons[15]
    victims = results.read("victims")
    assert len(set(victims[:15].tolist())) > 1
    assert not np.array_equal(victims[:15], victims[15:])


def test_seeds_and_repetition(maze: Scenario, seed: int) -> None:
    first = base(seed)
    assert_equal(first, full(maze, seed))
    other = full(maze, (seed + 1) % 2**64)
    assert any(not np.array_equal(first[key], other[key]) for key in first if key[0] == "victims")
    zero, top = (full(maze, extreme, replicates=3) for extreme in (0, 2**64 - 1))
    assert any(not np.array_equal(zero[key], top[key]) for key in zero if key[0] == "victims")


@pytest.mark.parametrize("way", list(WAYS))
def test_threads_and_slices_change_nothing(way: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = base_run(seed, way)
    for threads, slice_rows in ((1, 7), (2, 1), (3, 4), (2, 1000)):
        monkeypatch.setattr("simcore.runner.blocks.SLICE_ROWS", slice_rows)
        other = simcore.run(
            maze_for(way), replicates=30, seed=seed, store_by=AXES, store_ended=True, threads=threads, **WAYS[way]
        )
        assert_equal(base(seed, way), labelled(other))
        assert reference.theta().equals(other.theta())
        assert reference.attributes["agents_walked"] == other.attributes["agents_walked"]


def test_slices_of_a_nested_run_may_cut_through_a_parameter_set(
    maze: Scenario, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = full(maze, seed, replicates=None, nested=(7, 11), threads=1)
    monkeypatch.setattr("simcore.runner.blocks.SLICE_ROWS", 5)
    assert_equal(reference, full(maze, seed, replicates=None, nested=(7, 11), threads=3))


def block_of(work: Work, first: int, stop: int, cuts: Sequence[int]) -> Block:
    """Compute rows ``first ... stop - 1`` of a run as a block of their own, its slices in the order given."""
    block = Block(first, stop, work.slots.empty_counts(stop - first), None)
    bounds = [0, *cuts, stop - first]
    for here, there in reversed(list(itertools.pairwise(bounds))):
        simulate_slice(work, block, here, there)
    return block


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("inner", [1, 3])
def test_blocks_may_begin_anywhere_and_be_cut_anyhow(way: str, inner: int, seed: int) -> None:
    """A row's counts depend on its ids alone: later blocks and a recomputed tail give the same rows."""
    model = compile_model(maze_for(way))
    slots = make_slots(model, by=AXES, ended=True)
    options = {"engine": "agent", "walker": "collapsed", **WAYS[way]}
    streams = model.streams(seed)
    choice = choose_engine(model, streams, slots.stratum_slot, thetas=6000, **options)
    work = Work(model, streams, slots, Design(6000, inner), choice)
    whole = block_of(work, 4090, 4130, [])
    assert whole.counts.visits.sum() > 0
    for first, stop, cuts in ((4090, 4130, [1, 2, 17]), (4096, 4130, []), (4111, 4112, []), (4080, 4100, [13])):
        part = block_of(work, first, stop, cuts)
        low, high = max(first, 4090), min(stop, 4130)
        for name, expected in whole.counts._asdict().items():
            got = getattr(part.counts, name)
            assert np.array_equal(got[:, low - first : high - first], expected[:, low - 4090 : high - 4090]), name


def test_second_block_of_a_run_is_its_rows(tiny: Scenario, seed: int) -> None:
    """Through the store: more rows than a chunk, in two blocks, against those rows computed on their own."""
    from simcore.store.layout import CHUNK_ROWS

    results = simcore.run(tiny, replicates=CHUNK_ROWS + 40, seed=seed, store_by=AXES, store_ended=True, threads=2)
    model = compile_model(tiny)
    slots = make_slots(model, by=AXES, ended=True)
    work = Work(model, model.streams(seed), slots, Design(CHUNK_ROWS + 40), walked(model))
    block = block_of(work, CHUNK_ROWS - 20, CHUNK_ROWS + 40, [])
    for variable in results.layout.variables:
        stored = results.read(variable.name, by=variable.strata, rows=slice(CHUNK_ROWS - 20, CHUNK_ROWS + 40))
        computed = np.moveaxis(getattr(block.counts, variable.name), 1, 0).reshape(stored.shape)
        assert np.array_equal(stored, computed), variable.name
        assert stored.sum() > 0


@pytest.mark.parametrize("way", WALKERS)
@pytest.mark.parametrize(
    "by", [(), ("origin",), ("age_band", "sex"), ("exploitation",), ("exploitation", "origin"), AXES]
)
def test_what_is_kept_apart_changes_no_sum(way: str, by: tuple[str, ...], seed: int) -> None:
    everything = base_run(seed, way)
    stored = simcore.run(maze_for(way), replicates=30, seed=seed, store_by=by, store_ended=True, **WAYS[way])
    for variable in stored.layout.variables:
        assert set(variable.strata) == set(by) - (
            {"exploitation"} if variable.name in ("persons", "at_risk") else set()
        )
        kept = stored.read(variable.name, by=variable.strata)
        assert np.array_equal(kept, everything.read(variable.name, by=variable.strata)), variable.name
        totals = stored.read(variable.name)
        assert np.array_equal(totals, everything.read(variable.name)), variable.name
        axes = tuple(range(1, 1 + len(variable.strata)))
        assert np.array_equal(kept.sum(axis=axes), totals), variable.name


@pytest.mark.parametrize("by", [(), ("origin",), ("exploitation", "sex"), AXES])
def test_crowds_change_no_count_of_the_source_zone(by: tuple[str, ...], seed: int) -> None:
    """Persons to destinations are those of the agent engine; what comes after is not, and depends on what is kept."""
    agents, apart = base_run_of_agents(seed), base_run(seed, "cohort")
    options = {"store_by": by, "store_ended": True, "engine": "cohort"}
    crowds = simcore.run(maze_for("cohort"), replicates=30, seed=seed, **options)
    for name in ("persons", "at_risk", "victims", "destination"):
        kept = crowds.variable(name).strata
        assert np.array_equal(crowds.read(name, by=kept), agents.read(name, by=kept)), name
    bound = agents.read("attempts")[:, 0]
    for results in (crowds, apart):
        assert np.array_equal(results.read("attempts")[:, 0], bound)
        assert np.array_equal(results.read("outcome").sum(axis=1), bound)
        assert not np.array_equal(results.read("outcome"), agents.read("outcome"))
    merging = by in ((), ("origin",))  # classes differ between sexes, and have strata of two exploitations
    assert np.array_equal(crowds.read("outcome"), apart.read("outcome")) != merging


@functools.cache
def base_run_of_agents(seed: int) -> simcore.Results:
    return simcore.run(maze_for("cohort"), replicates=30, seed=seed, store_by=AXES, store_ended=True)


def test_a_crowd_that_is_walked_is_walked_as_agents_are(seed: int) -> None:
    """Too small to move as counts: every bit is the agent engine's, whatever is stored together."""
    maze = load(TWIN_SCENARIOS / "maze.toml", CROWDED.replace("900", "0.05").replace("1100", "0.1"))
    for by in ((), ("sex",)):
        few = [
            simcore.run(maze, replicates=30, seed=seed, store_by=by, store_ended=True, **WAYS[way])
            for way in ("collapsed", "cohort")
        ]
        assert_equal(*(labelled(results) for results in few))


@pytest.mark.parametrize("way", list(WAYS))
def test_ended_is_stored_on_request_and_changes_nothing_else(way: str, seed: int) -> None:
    with_it, without = base(seed, way), full(maze_for(way), seed, store_ended=False, **WAYS[way])
    assert {key[0] for key in with_it} - {key[0] for key in without} == {"ended"}
    assert_equal(without, with_it, list(without))


def test_results_in_memory_stay_apart(tiny: Scenario, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many open at once, longer than their writers, whose id() may come back: each keeps its own counts."""
    monkeypatch.setattr("simcore.store.writer.id", lambda thing: 1, raising=False)
    kept = [simcore.run(tiny, replicates=2, seed=seed ^ number % 2) for number in range(8)]
    totals = [results.read("outcome").tolist() for results in kept]
    assert totals == [totals[0], totals[1]] * 4
    assert totals[0] != totals[1]
