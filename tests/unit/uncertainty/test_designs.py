"""Designs of parameter sets: exact facts of Sobol' points and Latin hypercubes, their addresses, and runs with them."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

import simcore
from simcore.errors import ResultsError, UserError
from simcore.model import CompiledModel, compile_model
from simcore.scenario import Scenario
from simcore.uncertainty.design import LARGEST_SOBOL, Design, make_design
from simcore.uncertainty.latin_hypercube import LatinHypercubePoints, permuted
from simcore.uncertainty.points import assign_dimensions, make_points
from simcore.uncertainty.sobol import MOST_DIMENSIONS, direction_numbers, fill_sobol, sobol_points
from tests.conftest import TWIN_SCENARIOS, load
from tests.twin.designs import Cube, latin_place, latin_uniform

KEYS = np.array([7, 2**64 - 1, 0, 0x123456789ABCDEF], dtype=np.uint64)
Z_LIMIT = 5.0  # two-sided level 6e-7 per statistic


def ids(stop: int, first: int = 0) -> np.ndarray:
    return np.arange(first, stop, dtype=np.uint32)


def uniforms(points: object, chosen: np.ndarray, columns: int = len(KEYS)) -> np.ndarray:
    values = np.full((columns, chosen.size), np.nan)
    points.fill(chosen, values)  # type: ignore[attr-defined]
    return values


# --- Sobol' -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [1, 3, 120, 1500])
def test_unscrambled_points_by_index_are_those_of_scipy(dimensions: int) -> None:
    """In the same order, any index by itself; scipy's first point, the origin, is held above 0."""
    points = 256
    expected = qmc.Sobol(dimensions, scramble=False, bits=32).random(points).T
    values = np.empty((dimensions, points))
    fill_sobol(direction_numbers(dimensions, 8), np.zeros(dimensions, np.uint64), ids(points), values)
    assert (values[:, 0] == 2.0**-53).all()
    assert (values[:, 1:] == expected[:, 1:]).all()
    shuffled = np.random.default_rng(1).permutation(points).astype(np.uint32)
    again = np.empty((dimensions, points))
    fill_sobol(direction_numbers(dimensions, 8), np.zeros(dimensions, np.uint64), shuffled, again)
    assert (again == values[:, shuffled]).all()


@pytest.mark.parametrize("points", [1, 2, 8, 1024, 2**15])
def test_every_interval_has_one_scrambled_point(points: int) -> None:
    values = uniforms(sobol_points(KEYS, [0, 5, 110, 1000], points), ids(points))
    for column in values:
        assert sorted(np.floor(column * points).astype(int)) == list(range(points))


def test_pairs_of_first_dimensions_keep_their_net() -> None:
    """Dimensions 0 and 1 are a (0, m, 2)-net in base two: one point in each box of area 1/n, scrambled or not."""
    m = 8
    values = uniforms(sobol_points(KEYS[:2], [0, 1], 2**m), ids(2**m), 2)
    for bits in range(m + 1):
        boxes = np.floor(values[0] * 2**bits) * 2 ** (m - bits) + np.floor(values[1] * 2 ** (m - bits))
        assert sorted(boxes.astype(int)) == list(range(2**m))


def test_scrambled_points_are_open_uniforms_of_53_digits() -> None:
    values = uniforms(sobol_points(KEYS, [0, 1, 2, 3], 2**12), ids(2**12))
    assert values.min() >= 2.0**-53
    assert values.max() <= 1.0 - 2.0**-53
    integers = np.ldexp(values, 53)
    assert (integers == np.floor(integers)).all()
    assert (np.bitwise_or.reduce(integers.astype(np.int64), axis=1) == 2**53 - 1).all()  # every digit is used


def test_one_coordinate_is_uniform_over_scrambles() -> None:
    """The same point under 4,000 keys: Kolmogorov-Smirnov, level 1e-6; unscrambled it would be one value."""
    keys = np.random.default_rng(3).integers(0, 2**64, size=4000, dtype=np.uint64)
    for point in (0, 5):
        values = uniforms(sobol_points(keys, [2] * keys.size, 8), ids(point + 1, point), keys.size)[:, 0]
        assert stats.kstest(values, "uniform").pvalue > 1e-6
        assert len(set(values)) == keys.size


def test_scrambles_are_independent_and_unbiased() -> None:
    """Mean of exp(u1 u2) over 16 points, 4,000 scrambles: z-score against the integral, and far less error than random.

    Power: a bias of 1.3 % of the standard deviation of the function would be seen with probability 0.999.
    """
    count = 4000
    keys = np.random.default_rng(4).integers(0, 2**64, size=2 * count, dtype=np.uint64)
    values = uniforms(sobol_points(keys, [0, 1] * count, 16), ids(16), 2 * count)
    means = np.exp(values[0::2] * values[1::2]).mean(axis=1)
    integral = sum(1.0 / (math.factorial(k) * (k + 1) ** 2) for k in range(20))
    assert abs(means.mean() - integral) / (means.std() / math.sqrt(count)) < Z_LIMIT
    square = sum(2.0**k / (math.factorial(k) * (k + 1) ** 2) for k in range(30))
    assert means.std() < 0.25 * math.sqrt((square - integral**2) / 16)


def test_too_many_dimensions_are_refused() -> None:
    assert sobol_points(KEYS[:1], [MOST_DIMENSIONS - 1], 4).matrices.shape == (1, 2)
    with pytest.raises(UserError, match=f"{MOST_DIMENSIONS + 1} dimensions .* limit {MOST_DIMENSIONS}"):
        sobol_points(KEYS[:1], [MOST_DIMENSIONS], 4)


# --- Latin hypercubes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 100, 127, 1000, 1023, 4097])
def test_the_permutation_is_one(points: int) -> None:
    for key in KEYS:
        assert sorted(permuted(np.int64(i), points, key) for i in range(points)) == list(range(points))


@pytest.mark.parametrize("points", [2, 3, 64, 65, 1001, 2**32])
def test_the_permutation_equals_the_twin(points: int) -> None:
    for key, index in itertools.product(KEYS, (0, 1, points // 2, points - 1)):
        assert permuted(np.int64(index), points, key) == latin_place(index, points, int(key))
        column = uniforms(LatinHypercubePoints(np.array([key]), points), ids(index + 1, index), 1)
        assert column[0, 0] == latin_uniform(index, points, int(key))


@pytest.mark.parametrize("points", [2, 3, 5, 17, 1000, 4097])
def test_every_slice_has_one_point(points: int) -> None:
    values = uniforms(LatinHypercubePoints(KEYS, points), ids(points))
    edges = np.arange(points + 1) / points
    for column in values:
        assert sorted(np.searchsorted(edges, column, side="right") - 1) == list(range(points))


@pytest.mark.parametrize("points", [5, 7, 8, 13, 32, 100])
def test_pairs_of_places_are_equally_likely(points: int) -> None:
    """Places of two points under 20,000 keys: chi-square over all ordered pairs, level 1e-6.

    With 8 rounds instead of 24 the smallest sizes fail at any level.
    """
    keys = np.random.default_rng(5).integers(0, 2**64, size=20_000, dtype=np.uint64)
    first, second = (np.array([permuted(np.int64(i), points, key) for key in keys]) for i in (0, points - 1))
    table = np.bincount(first * points + second, minlength=points**2).reshape(points, points)
    apart = ~np.eye(points, dtype=bool)
    assert (table[~apart] == 0).all()
    assert stats.chisquare(table[apart]).pvalue > 1e-6


def test_columns_of_a_latin_hypercube_are_uncorrelated() -> None:
    """Correlation of two random permutations: mean 0, variance 1 / (n - 1); 780 pairs, |z| < 5.5."""
    keys = np.random.default_rng(6).integers(0, 2**64, size=40, dtype=np.uint64)
    correlations = np.corrcoef(uniforms(LatinHypercubePoints(keys, 1001), ids(1001), 40))
    np.fill_diagonal(correlations, 0.0)
    assert np.abs(correlations).max() * math.sqrt(1000) < 5.5


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sobol", "lhs"])
def test_names_seeds_and_randomisations_give_different_points(kind: str) -> None:
    def column(seed: int, name: str, randomisation: int, purpose: str = "parameter") -> tuple[float, ...]:
        design = Design(64, 1, kind, randomisation)
        return tuple(uniforms(make_points(design, seed, purpose, [(name,)], [3]), ids(64), 1)[0])

    columns = [column(1, "a", 0), column(2, "a", 0), column(1, "b", 0), column(1, "a", 1), column(1, "a", 0, "shared")]
    assert len(set(columns)) == len(columns)
    assert column(1, "a", 0) == columns[0]


def test_a_parameter_behind_the_others_moves_none_of_them() -> None:
    old = {"a": ("a",), "b[x]": ("b[x]",), "c": ("c[p]", "c[q]")}
    before = assign_dimensions((), old, ["wave[x]"])
    assert before == {"a": 0, "b[x]": 1, "c[p]": 2, "c[q]": 3, "wave[x]": 4}
    after = assign_dimensions((), {**old, "d": ("d",)}, ["wave[x]"])
    assert [name for name in before if after[name] != before[name]] == ["wave[x]"]
    leading = assign_dimensions(("wave[x]", "c", "not drawn"), old, ["wave[x]"])
    assert list(leading) == ["wave[x]", "c[p]", "c[q]", "a", "b[x]"]


def test_dimensions_follow_the_file_and_what_leads(maze: Scenario, maze_model: CompiledModel) -> None:
    columns = [column for element in maze.elements().values() for column in element.columns]
    assert list(maze_model.design_dimensions)[: len(columns)] == columns
    assert list(maze_model.design_dimensions)[len(columns)] == "weather[north]"
    fixed = load(TWIN_SCENARIOS / "maze.toml", 'parameters.risk_P.distribution = {family = "fixed", value = 0.01}')
    assert compile_model(fixed).design_dimensions == maze_model.design_dimensions
    leads = load(TWIN_SCENARIOS / "maze.toml", 'design.leading = ["mood[v,south]", "hazard", "crowd[north,v]"]')
    assert list(compile_model(leads).design_dimensions)[:4] == ["mood[v,south]", "hazard", "crowd[north,v]", columns[0]]


@pytest.mark.parametrize(
    ("leading", "words"),
    [
        ('["hazzard"]', r"design\.leading\[0\]: unknown parameter or shared effect 'hazzard'; did you mean 'hazard'"),
        ('["hazard", "mood[u]"]', r"design\.leading\[1\]: unknown element 'mood\[u\]'"),
        ('["crowd[nort,u]"]', r"design\.leading\[0\]: no such element"),
    ],
)
def test_what_leads_must_exist(leading: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load(TWIN_SCENARIOS / "maze.toml", f"design.leading = {leading}")


@pytest.mark.parametrize("kind", ["sobol", "lhs"])
def test_theta_equals_the_twin(kind: str, maze: Scenario, maze_model: CompiledModel, seed: int) -> None:
    points = 64
    design = Design(points, 1, kind, 3)
    chosen = np.array([0, 1, 37, points - 1], dtype=np.uint32)
    streams = maze_model.streams(seed, design)
    values = uniforms(streams.parameters, chosen, streams.parameters.keys.size)
    for number, name in enumerate(maze_model.space.drawn()):
        for row, theta_id in enumerate(chosen.tolist()):
            cube = Cube(maze, seed, theta_id, kind, points, 3)
            assert values[number, row] == cube.independent(name), name


@pytest.mark.parametrize("kind", ["random", "sobol", "lhs"])
def test_bits_do_not_depend_on_which_points_are_asked_for_together(
    kind: str, maze_model: CompiledModel, seed: int
) -> None:
    streams = maze_model.streams(seed, Design(1024, 1, kind))
    zeros = np.zeros(1024, dtype=np.uint32)
    theta, scores = maze_model.draw_theta(streams, ids(1024)), maze_model.draw_scores(streams, ids(1024), zeros)
    for first, stop in ((0, 1), (100, 400), (511, 1024)):
        part = ids(stop, first)
        assert (maze_model.draw_theta(streams, part) == theta[first:stop]).all()
        assert (maze_model.draw_scores(streams, part, zeros[: part.size]) == scores[first:stop]).all()
    mixed = np.random.default_rng(7).permutation(1024).astype(np.uint32)
    assert (maze_model.draw_theta(streams, mixed) == theta[mixed]).all()


def test_shared_effects_belong_to_the_points_of_a_single_loop_only(maze_model: CompiledModel, seed: int) -> None:
    single, nested = (maze_model.streams(seed, Design(256, inner, "sobol")) for inner in (1, 4))
    zeros = np.zeros(256, dtype=np.uint32)
    scores = maze_model.draw_scores(single, ids(256), zeros)
    for column in stats.norm.cdf(scores).T:
        assert sorted(np.floor(column * 256).astype(int)) == list(range(256))
    addressed = maze_model.draw_scores(maze_model.streams(seed), ids(256), zeros)
    assert (maze_model.draw_scores(nested, ids(256), zeros) == addressed).all()
    assert not (scores == addressed).any()
    assert (maze_model.draw_theta(nested, ids(256)) == maze_model.draw_theta(single, ids(256))).all()


# --- what can be asked for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1000, None, "sobol"), "replicates = 1000: .* power of two; the nearest are 512 and 1024"),
        ((None, (3, 5), "sobol"), "nested outer = 3: .* the nearest are 2 and 4"),
        ((LARGEST_SOBOL + 1, None, "sobol"), f"at most {LARGEST_SOBOL}"),
        ((1, None, "lhs"), "replicates = 1: design 'lhs' needs at least 2"),
        ((8, None, "sobl"), r"design = 'sobl': unknown; did you mean 'sobol'"),
        ((8, None, "random", 1), "randomisation = 1: the random design has only 0"),
        ((8, None, "sobol", -1), "randomisation = -1: must be between 0 and"),
        ((8, None, "sobol", True), "randomisation = True: must be a whole number"),
        ((8, None, "lhs", 2**32), f"randomisation = {2**32}: must be between 0 and {2**32 - 1}"),
    ],
)
def test_bad_designs_are_refused(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make_design(*arguments)  # type: ignore[arg-type]


def test_a_design_needs_draws(tiny: Scenario) -> None:
    with pytest.raises(UserError, match="design = 'sobol': nothing is drawn without draws"):
        simcore.expected(tiny, design="sobol")
    with pytest.raises(UserError, match="until, design = 'sobol'"):
        simcore.run(tiny, replicates=8, design="sobol", until="arrived mcse<=1")


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sobol", "lhs"])
def test_runs_are_the_same_for_any_threads_and_equal_expected(kind: str, maze: Scenario, seed: int) -> None:
    one, two = (
        simcore.run(maze, replicates=1024, design=kind, randomisation=2, seed=seed, threads=threads)
        for threads in (1, 2)
    )
    for variable in one.layout.variables:
        assert (one.read(variable.name) == two.read(variable.name)).all(), variable.name
    exact = simcore.expected(maze, draws=1024, design=kind, randomisation=2, seed=seed, covariance=False)
    for number, name in enumerate(exact.parameters):
        assert (one.theta()[name].to_numpy() == exact.theta[:, number]).all(), name
    assert one.attributes["design"] == kind
    assert one.attributes["randomisation"] == 2


def test_a_nested_run_takes_the_design_for_its_parameter_sets(maze: Scenario, seed: int) -> None:
    nested = simcore.run(maze, nested=(16, 4), design="sobol", seed=seed)
    exact = simcore.expected(maze, draws=16, design="sobol", seed=seed, covariance=False)
    theta = nested.theta()
    assert len(theta) == 16
    for number, name in enumerate(exact.parameters):
        assert (theta[name].to_numpy() == exact.theta[:, number]).all(), name


def test_the_design_is_part_of_what_a_file_is(tiny: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    simcore.run(tiny, replicates=16, design="sobol", seed=1, output=path).close()
    with simcore.run(tiny, replicates=16, design="sobol", seed=1, output=path) as same:
        dimensions = json.loads(same.documents()["design_dimensions.json"])
    assert dimensions == compile_model(tiny).design_dimensions
    for other, what in (({"design": "lhs"}, "design"), ({"design": "sobol", "randomisation": 1}, "randomisation")):
        with pytest.raises(ResultsError, match=rf"holds the results of another run \({what} differs: "):
            simcore.run(tiny, replicates=16, seed=1, output=path, **other)  # type: ignore[arg-type]


def test_sobol_beats_random_on_the_exact_means(maze_model: CompiledModel, seed: int) -> None:
    """Mean of log10 E[outcomes | theta]: spread over 12 randomisations of 512 sets, at most a third of that of random.

    Both are estimated from 12: their ratio is off by a factor of 2 with probability below 2 %.
    """

    def spread(kind: str) -> float:
        means = []
        for number in range(12):
            moments = simcore.expected(
                maze_model,
                draws=512,
                design=kind,
                seed=seed + number if kind == "random" else seed,
                randomisation=0 if kind == "random" else number,
                covariance=False,
            )
            means.append(np.mean(np.log10(moments.mean_of(moments.weights("outcome"))[:, 0])))
        return float(np.std(means, ddof=1))

    assert spread("sobol") < spread("random") / 3.0
