"""Theta: draws follow their distributions, depend on names alone, and simplices have Dirichlet moments.

Standard errors are exact. With 30,000 draws the smallest mean that the Dirichlet tests catch for sure (power 0.999) is
off by 1-5 % of itself, depending on the component.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from simcore.model import CompiledModel
from simcore.scenario import Scenario
from simcore.uncertainty import ParameterSpace
from tests.conftest import TWIN_SCENARIOS, load
from tests.twin.parameters import Theta

DRAWS = 30_000
Z_LIMIT = 5.0  # two-sided level 6e-7 per statistic, below 1e-4 for the hundred here
DIRICHLETS = {"way[north,Q]": (3.0, 0.6, 1.5), "hatch_split": (12.0, 16.5, 1.5), "turn[v]": (2.0, 2.0)}


@pytest.fixture(scope="module")
def drawn(maze_model: CompiledModel, seed: int) -> dict[str, np.ndarray]:
    """Column name -> values of all parameters of the maze."""
    theta = maze_model.draw_theta(maze_model.streams(seed), np.arange(DRAWS, dtype=np.uint32))
    return dict(zip(maze_model.space.names, theta.T, strict=True))


def simplex(drawn: dict[str, np.ndarray], name: str) -> np.ndarray:
    return np.array([values for column, values in drawn.items() if column.startswith(f"{name}[")])


@pytest.mark.parametrize("name", DIRICHLETS)
def test_dirichlet_means_variances_and_covariances(name: str, drawn: dict[str, np.ndarray]) -> None:
    """E[x_i] and E[x_i x_j] by z-score, with their variances from the moments of order two and four."""
    shares, weights = simplex(drawn, name), np.array(DIRICHLETS[name])
    assert shares.shape == (weights.size, DRAWS)
    assert shares.sum(axis=0) == pytest.approx(np.ones(DRAWS), abs=1e-15)
    assert (shares >= 0.0).all()

    def moment(*powers: int) -> float:
        """E[prod x_i**powers_i] of a Dirichlet."""
        total = weights.sum()
        log = special.gammaln(total) - special.gammaln(total + sum(powers))
        for weight, power in zip(weights, powers, strict=True):
            log += special.gammaln(weight + power) - special.gammaln(weight)
        return math.exp(log)

    for i in range(weights.size):
        one = [int(k == i) for k in range(weights.size)]
        mean, second = moment(*one), moment(*(2 * power for power in one))
        assert mean == pytest.approx(weights[i] / weights.sum(), rel=1e-12)
        assert abs(shares[i].mean() - mean) / math.sqrt((second - mean**2) / DRAWS) < Z_LIMIT
    for i, j in itertools.combinations_with_replacement(range(weights.size), 2):
        powers = [int(k == i) + int(k == j) for k in range(weights.size)]
        mean, second = moment(*powers), moment(*(2 * power for power in powers))
        z = ((shares[i] * shares[j]).mean() - mean) / math.sqrt((second - mean**2) / DRAWS)
        assert abs(z) < Z_LIMIT, (i, j, z)


def test_dirichlet_test_notices_swapped_weights(drawn: dict[str, np.ndarray]) -> None:
    """Power: the means of a Dirichlet with two weights exchanged are far outside."""
    shares, weights = simplex(drawn, "way[north,Q]"), np.array([3.0, 1.5, 0.6])
    mean = weights / weights.sum()
    error = np.sqrt(mean * (1.0 - mean) / (weights.sum() + 1.0) / DRAWS)
    assert (np.abs(shares.mean(axis=1) - mean)[1:] / error[1:] > 10.0 * Z_LIMIT).all()


def uniforms_of(scenario: Scenario, drawn: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probability transform of every scalar that has a distribution, by scipy and its own truncation."""
    shapes: dict[str, Any] = {
        "uniform": lambda d: stats.uniform(d.min, d.max - d.min),
        "triangular": lambda d: stats.triang((d.mode - d.min) / (d.max - d.min), d.min, d.max - d.min),
        "pert": lambda d: stats.beta(
            1.0 + d.shape * (d.mode - d.min) / (d.max - d.min),
            1.0 + d.shape * (d.max - d.mode) / (d.max - d.min),
            d.min,
            d.max - d.min,
        ),
        "beta": lambda d: stats.beta(
            *((d.alpha, d.beta) if d.alpha is not None else (d.mean * d.size, (1.0 - d.mean) * d.size))
        ),
        "normal": lambda d: stats.norm(d.mean, d.sd),
        "half_normal": lambda d: stats.halfnorm(0.0, d.scale),
    }

    def lognormal(d: Any) -> Any:
        if d.mu is not None:
            return stats.lognorm(d.sigma, scale=math.exp(d.mu))
        if d.median is not None:
            return stats.lognorm(math.log(d.gsd), scale=d.median)
        return stats.lognorm(math.log(d.q95 / d.q05) / (2.0 * stats.norm.ppf(0.95)), scale=math.sqrt(d.q05 * d.q95))

    shapes["lognormal"] = lognormal
    found = {}
    for element in scenario.elements().values():
        d = element.distribution
        if d.family in shapes and element.name in drawn:
            exact = shapes[d.family](d)
            below = 0.0 if d.lower is None else exact.cdf(d.lower)
            above = 1.0 if d.upper is None else exact.cdf(d.upper)
            found[element.name] = (exact.cdf(drawn[element.name]) - below) / (above - below)
    return found


def test_every_scalar_follows_its_distribution(maze: Scenario, drawn: dict[str, np.ndarray]) -> None:
    """Kolmogorov-Smirnov on the probability transform, level 1e-6 each; 30,000 draws notice a shift of 0.016."""
    uniforms = uniforms_of(maze, drawn)
    families = {maze.document.parameters[name.split("[")[0]].distribution.family for name in uniforms}
    assert families == {"uniform", "triangular", "pert", "beta", "lognormal", "normal", "half_normal"}
    for name, values in uniforms.items():
        assert stats.kstest(values, "uniform").pvalue > 1e-6, name
        assert stats.kstest(values * 0.97, "uniform").pvalue < 1e-6, f"{name}: the test has no power"


def test_draws_of_different_names_are_independent(maze: Scenario, drawn: dict[str, np.ndarray]) -> None:
    """Elements of one indexed parameter included: correlations of all pairs, |z| < 5.5 (level 4e-8, 600 pairs)."""
    values = np.array(list(uniforms_of(maze, drawn).values()))
    assert len(values) > 30
    correlations = np.corrcoef(values)
    np.fill_diagonal(correlations, 0.0)
    assert np.abs(correlations).max() * math.sqrt(DRAWS) < 5.5


def test_draws_of_neighbouring_parameter_sets_are_independent(maze: Scenario, drawn: dict[str, np.ndarray]) -> None:
    for name, values in uniforms_of(maze, drawn).items():
        assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) * math.sqrt(DRAWS) < Z_LIMIT, name


def test_columns_are_what_was_asked_for_and_draws_depend_on_names_alone(maze: Scenario, seed: int) -> None:
    """Whatever else is asked for, and in whatever order, a column has the same values."""
    ids = np.array([5, 0, 2**32 - 1, 17], dtype=np.uint32)
    place = {"origin": "south", "sex": "u", "age_band": "adult", "exploitation": "Q"}
    scalars = ["hazard", "pole_factor", "pole_factor[north]", "risk_Q", "hazard_rest", "crowd", "overlap"]
    few, many = ParameterSpace(maze), ParameterSpace(maze)
    few.column("risk_Q", place)
    assert few.names == ["risk_Q[u]"]
    for reference in scalars:
        many.column(reference, place)
    many.columns("way", place, ["gate"])
    assert many.columns("way", place, ["home", "x", "gate"]) == [many.names.index("way[south,Q][home]"), -1, 7]
    assert many.names[-3:] == ["way[south,Q][gate]", "way[south,Q][nowhere]", "way[south,Q][home]"]
    reverse = ParameterSpace(maze)
    reverse.columns("way", place, ["gate"])
    for reference in reversed(scalars):
        reverse.column(reference, place)
    drawn = {name: many.draw(seed, ids)[:, index] for index, name in enumerate(many.names)}
    assert reverse.names != many.names
    for space in (few, reverse):
        theta = space.draw(seed, ids)
        for index, name in enumerate(space.names):
            assert theta[:, index].tolist() == drawn[name].tolist()
    assert many.draw(seed, ids[::-1])[::-1].tolist() == many.draw(seed, ids).tolist()
    assert not (many.draw(seed, ids)[:, 0] == many.draw(seed ^ 1, ids)[:, 0]).any()


def test_asking_twice_gives_the_same_column(maze: Scenario) -> None:
    space = ParameterSpace(maze)
    place = {"origin": "south", "sex": "u", "age_band": "adult", "exploitation": "Q"}
    assert space.column("crowd", place) == space.column("crowd[south,u]", {}) == 0
    assert space.column("crowd[south,v]", {}) == 1
    assert space.size == 2


def test_theta_equals_the_twin(maze_model: CompiledModel, maze: Scenario, seed: int) -> None:
    ids = np.array([0, 1, 99, 2**32 - 1], dtype=np.uint32)
    theta = maze_model.draw_theta(maze_model.streams(seed), ids)
    for row, theta_id in enumerate(ids.tolist()):
        twin = Theta(maze, seed, theta_id)
        for element in maze_model.space.elements:
            twin.draw(element)
        assert dict(zip(maze_model.space.names, theta[row].tolist(), strict=True)) == twin.columns


def test_adding_a_component_changes_only_what_comes_after(seed: int) -> None:
    """Sticks are addressed by component, so a Dirichlet keeps its first share when weights behind it are regrouped."""
    old = load(TWIN_SCENARIOS / "maze.toml")
    new = load(
        TWIN_SCENARIOS / "maze.toml",
        'parameters.hatch_split.distribution = {family = "dirichlet", alpha = {CONTINUE = 12, caught = 16.5, lost = 1, '
        "asleep = 0.5}}",
    )
    values = []
    for scenario in (old, new):
        space = ParameterSpace(scenario)
        columns = space.columns("hatch_split", {}, ["CONTINUE", "caught"])
        values.append(space.draw(seed, np.arange(50, dtype=np.uint32))[:, columns])
    assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_typical_is_medians_and_means(maze_model: CompiledModel, drawn: dict[str, np.ndarray]) -> None:
    typical = dict(zip(maze_model.space.names, maze_model.space.typical().tolist(), strict=True))
    assert typical["hazard_rest[Q]"] == pytest.approx(math.sqrt(0.02 * 0.3), rel=1e-12)
    assert typical["pole_factor[south]"] == pytest.approx(math.exp(0.4), rel=1e-12)
    assert typical["certain"] == 1.0
    assert typical["tunnel_share[R]"] == pytest.approx(0.5, rel=1e-12)
    assert [typical[f"way[north,Q][{c}]"] for c in ("gate", "nowhere", "home")] == pytest.approx(
        [3.0 / 5.1, 0.6 / 5.1, 1.5 / 5.1], rel=1e-12
    )
    assert [typical[f"way_east[{c}]"] for c in ("home", "nowhere", "gate")] == [0.0, 0.25, 0.75]
    simplices = {column for element in maze_model.space.elements if element.components for column in element.columns}
    for name, values in drawn.items():
        if name in simplices or np.ptp(values) == 0.0:
            continue
        below = int((values < typical[name]).sum())  # Binomial(DRAWS, 1/2)
        assert abs(below - DRAWS / 2) / math.sqrt(DRAWS / 4) < Z_LIMIT, name


def test_largest_is_never_passed(maze_model: CompiledModel, drawn: dict[str, np.ndarray]) -> None:
    space = maze_model.space
    for index, name in enumerate(space.names):
        largest = space.largest(index)
        assert drawn[name].max() <= largest * (1.0 + 1e-12), name
    assert space.largest(space.names.index("crowd[south,u]")) == pytest.approx(1.1, rel=1e-12)
    assert space.largest(space.names.index("pole_factor[south]")) > math.exp(0.4 + 0.9 * 8.0)


def test_shared_scores_are_standard_normal_and_independent(maze_model: CompiledModel, seed: int) -> None:
    """One per element of every shared effect and replicate; |z| < 5 for means, variances and all correlations."""
    n = 20_000
    streams = maze_model.streams(seed)
    thetas, replicates = np.arange(n, dtype=np.uint32) // 4, np.arange(n, dtype=np.uint32) % 4
    scores = maze_model.draw_scores(streams, thetas, replicates)
    assert scores.shape == (n, 3 + 6)
    assert (np.abs(scores.mean(axis=0)) * math.sqrt(n) < Z_LIMIT).all()
    assert (np.abs((scores**2).mean(axis=0) - 1.0) * math.sqrt(n / 2.0) < Z_LIMIT).all()
    correlations = np.corrcoef(scores.T)
    np.fill_diagonal(correlations, 0.0)
    assert np.abs(correlations).max() * math.sqrt(n) < Z_LIMIT
    again = maze_model.draw_scores(streams, thetas[:8], replicates[:8])
    assert again.tolist() == scores[:8].tolist()
    assert len(set(scores.ravel().tolist())) == scores.size
