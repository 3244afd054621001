"""Dependence: correlation matrices, their repair, the copula's bits, and rank correlations of drawn parameters."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from simcore.errors import ScenarioError
from simcore.model import compile_model
from simcore.scenario import Scenario
from simcore.scenario.correlation import (
    connected_groups,
    is_valid,
    nearest_correlation,
    ranks_from_scores,
    scores_from_ranks,
)
from simcore.uncertainty.dependence import cholesky_factor, copula_plan, normal_probability, tie_together
from tests.conftest import TWIN_SCENARIOS, load
from tests.twin.designs import Cube, lower_triangle
from tests.twin.parameters import Theta

MAZE = TWIN_SCENARIOS / "maze.toml"
PAIR = 'dependence.pair = {parameters = ["risk_P", "hazard_factor"], spearman = -0.6}'
THREE = (
    'dependence.three = {parameters = ["again", "risk_Q[u]", "turn[v]"], '
    "spearman = [[1, 0.8, 0], [0.8, 1, 0.3], [0, 0.3, 1]]}"
)
ACROSS = 'dependence.lands = {parameter = "crowd", across = "origin", spearman = 0.5}'
DRAWS = 20_000


def higham() -> np.ndarray:
    """The example of Higham 2002, section 5: a matrix of ones and zeros that is no correlation matrix."""
    return np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])


# --- matrices ---------------------------------------------------------------------------------------------------------


def test_ranks_and_scores_are_inverse_to_each_other() -> None:
    ranks = np.array([[1.0, 0.5, -1.0], [0.5, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    scores = scores_from_ranks(ranks)
    assert scores[0, 1] == pytest.approx(0.5176380902050415, rel=1e-15)
    assert scores[0, 2] == pytest.approx(-1.0, rel=1e-15)
    assert ranks_from_scores(scores) == pytest.approx(ranks, abs=1e-14)


def test_nearest_correlation_of_the_published_example() -> None:
    nearest = nearest_correlation(higham())
    published = np.array([[1.0, 0.7607, 0.1573], [0.7607, 1.0, 0.7607], [0.1573, 0.7607, 1.0]])
    assert nearest == pytest.approx(published, abs=1e-4)
    assert is_valid(nearest)
    assert not is_valid(higham())
    assert (np.diag(nearest) == 1.0).all()
    assert (nearest == nearest.T).all()


def test_a_valid_matrix_is_its_own_nearest() -> None:
    valid = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, -0.3], [0.2, -0.3, 1.0]])
    assert nearest_correlation(valid) == pytest.approx(valid, abs=1e-8)


def test_cholesky_factor_of_regular_and_singular_matrices() -> None:
    regular = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, -0.3], [0.2, -0.3, 1.0]])
    assert cholesky_factor(regular) == pytest.approx(np.linalg.cholesky(regular), abs=1e-15)
    perfect = np.array([[1.0, 1.0, 0.4], [1.0, 1.0, 0.4], [0.4, 0.4, 1.0]])
    factor = cholesky_factor(perfect)
    assert factor @ factor.T == pytest.approx(perfect, abs=1e-14)
    assert (factor[1] == [1.0, 0.0, 0.0]).all()
    for row, twin in zip(cholesky_factor(regular), lower_triangle(regular.tolist()), strict=True):
        assert row[: len(twin)].tolist() == twin


def test_groups_are_connected_directly_or_through_others() -> None:
    linked = np.eye(6, dtype=bool)
    for i, j in ((0, 4), (4, 2), (1, 5)):
        linked[i, j] = linked[j, i] = True
    assert connected_groups(linked) == [[0, 2, 4], [1, 5]]


# --- the kernel -------------------------------------------------------------------------------------------------------


def test_normal_probability_is_that_of_the_library_and_stays_inside() -> None:
    for score in (-12.0, -8.0, -1.0, -1e-9, 0.0, 0.3, 5.0, 8.0, 40.0):
        value = normal_probability(score)
        assert value == min(max(0.5 * math.erfc(-score * math.sqrt(0.5)), 2.0**-53), 1.0 - 2.0**-53)
        assert 0.0 < value < 1.0


def test_blocks_of_any_size_have_the_same_bits_and_others_are_left_alone() -> None:
    uniforms = np.random.default_rng(1).uniform(size=(5, 300))
    plan = copula_plan([([3, 0], cholesky_factor(np.array([[1.0, 0.7], [0.7, 1.0]])))])
    whole, pieces = uniforms.copy(), []
    tie_together(plan, whole)
    for first in (0, 7, 100):
        piece = uniforms[:, first : {0: 7, 7: 100, 100: 300}[first]].copy()
        tie_together(plan, piece)
        pieces.append(piece)
    assert (np.hstack(pieces) == whole).all()
    assert (whole[[1, 2, 4]] == uniforms[[1, 2, 4]]).all()
    assert not (whole[0] == uniforms[0]).any()
    assert whole[3] == pytest.approx(uniforms[3], rel=1e-12)  # the first of a group is what it was


# --- drawn parameters -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tied() -> Scenario:
    return load(MAZE, PAIR, THREE, ACROSS)


@pytest.fixture(scope="module")
def drawn(tied: Scenario, seed: int) -> dict[str, np.ndarray]:
    model = compile_model(tied)
    theta = model.draw_theta(model.streams(seed), np.arange(DRAWS, dtype=np.uint32))
    return dict(zip(model.space.names, theta.T, strict=True))


def spearman_error(pearson: float) -> float:
    """Return an upper bound of the standard error of a sample Spearman correlation: that of independence."""
    return 1.0 / math.sqrt(DRAWS - 1.0) if abs(pearson) < 1.0 else 0.0


def test_drawn_parameters_have_the_ranks_that_were_asked_for(tied: Scenario, drawn: dict[str, np.ndarray]) -> None:
    """|z| < 5 for every pair (level 6e-7 each), z with the largest standard error that a normal copula can have.

    With 20,000 draws a rank correlation that is off by 0.06 is seen with probability 0.999. Pearson's r in place of
    Spearman's (off by 0.017 at 0.5) is below that, and is checked exactly on the matrix.
    """
    pairs = list(tied.dependence_report.pairs())
    assert len(pairs) == 1 + 3 + 2 * 3
    for pair in pairs:
        assert pair.got == pytest.approx(pair.asked, abs=1e-12)
        found = stats.spearmanr(drawn[pair.first], drawn[pair.second]).statistic
        assert abs(found - pair.asked) / spearman_error(pair.asked) < 5.0, pair
    free = [name for name in ("hazard", "sleepy", "overlap[north]") if name in drawn]
    for pair, name in itertools.product(pairs, free):
        assert abs(stats.spearmanr(drawn[pair.first], drawn[name]).statistic) / spearman_error(0.0) < 5.0


def test_the_test_of_ranks_notices_a_wrong_sign(drawn: dict[str, np.ndarray]) -> None:
    found = stats.spearmanr(drawn["risk_P"], drawn["hazard_factor"]).statistic
    assert abs(found - 0.6) / spearman_error(0.6) > 50.0


def test_dependence_changes_no_distribution_and_no_other_parameter(
    maze: Scenario, drawn: dict[str, np.ndarray], seed: int
) -> None:
    """Others keep their bits; members keep their law: two-sample Kolmogorov-Smirnov, level 1e-6 each."""
    model = compile_model(maze)
    theta = model.draw_theta(model.streams(seed ^ 1), np.arange(DRAWS, dtype=np.uint32))
    same = model.draw_theta(model.streams(seed), np.arange(DRAWS, dtype=np.uint32))
    members = {
        "risk_P",
        "hazard_factor",
        "again",
        "risk_Q[u]",
        *(c for c in drawn if c.startswith(("crowd", "turn[v]"))),
    }
    for number, name in enumerate(model.space.names):
        if name not in members:
            assert (drawn[name] == same[:, number]).all(), name
        else:
            assert stats.ks_2samp(drawn[name], theta[:, number]).pvalue > 1e-6, name


@pytest.mark.parametrize("kind", ["random", "sobol", "lhs"])
def test_tied_uniforms_equal_the_twin(kind: str, tied: Scenario, seed: int) -> None:
    from simcore.uncertainty.design import Design

    model = compile_model(tied)
    chosen = np.array([0, 5, 31], dtype=np.uint32)
    points = model.streams(seed, Design(32, 1, kind)).parameters
    uniforms = np.empty((points.keys.size, chosen.size))
    points.fill(chosen, uniforms)
    tie_together(model.copula, uniforms)
    names = model.space.drawn()
    for pair in tied.dependence_report.pairs():
        for name, (row, theta_id) in itertools.product(pair[:2], enumerate(chosen.tolist())):
            twin = Cube(tied, seed, theta_id, kind, 32).uniform(name)
            assert uniforms[names.index(name), row] == twin, name


def test_theta_equals_the_twin(tied: Scenario, seed: int) -> None:
    model = compile_model(tied)
    theta = model.draw_theta(model.streams(seed), np.array([9], dtype=np.uint32))
    twin = Theta(tied, seed, 9)
    for element in model.space.elements:
        twin.draw(element)
    assert dict(zip(model.space.names, theta[0].tolist(), strict=True)) == twin.columns


def test_perfect_dependence_gives_one_rank(seed: int) -> None:
    scenario = load(MAZE, 'dependence.one = {parameters = ["risk_P", "again"], spearman = 1.0}')
    assert scenario.dependence_report.groups[0].largest_change == pytest.approx(0.0, abs=1e-12)
    model = compile_model(scenario)
    theta = model.draw_theta(model.streams(seed), np.arange(500, dtype=np.uint32))
    first, second = (theta[:, model.space.names.index(name)] for name in ("risk_P", "again"))
    assert stats.spearmanr(first, second).statistic == pytest.approx(1.0, abs=1e-12)


# --- what can be stated -----------------------------------------------------------------------------------------------


def test_statements_that_fit_no_law_are_repaired_and_reported() -> None:
    scenario = load(
        MAZE,
        'dependence.loop = {parameters = ["risk_P", "again", "hazard"], '
        "spearman = [[1, 0.8, 0.2], [0.8, 1, 0.8], [0.2, 0.8, 1]]}",
    )
    (group,) = scenario.dependence_report.groups
    assert 0.0 < group.largest_change < 0.1
    assert is_valid(group.pearson)
    worst = group.worst_pair
    warnings = [text for text in scenario.warnings if "dependence.loop" in text]
    assert len(warnings) == 1
    assert "fit no joint law" in warnings[0]
    assert f"{worst.got:.4f}" in warnings[0]


def test_blocks_meet_in_one_matrix() -> None:
    scenario = load(MAZE, PAIR, 'dependence.more = {parameters = ["hazard_factor", "again"], spearman = 0.4}')
    (group,) = scenario.dependence_report.groups
    assert group.blocks == ("pair", "more")
    assert set(group.columns) == {"risk_P", "hazard_factor", "again"}
    unstated = [pair for pair in group.pairs() if not pair.stated]
    assert [(pair.asked, {pair.first, pair.second}) for pair in unstated] == [(0.0, {"risk_P", "again"})]


def test_fixed_and_unused_elements_are_ignored_with_a_warning() -> None:
    scenario = load(
        MAZE, 'dependence.some = {parameters = ["risk_P", "certain", "again", "learning[window]"], spearman = 0.3}'
    )
    assert {name for pair in scenario.dependence_report.pairs() for name in pair[:2]} == {"risk_P", "again"}
    (warning,) = [text for text in scenario.warnings if "dependence.some" in text]
    assert "ignored what is fixed or used by nobody: certain, learning[window]" in warning


TWO = 'parameters = ["risk_P", "again"]'


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (f"{TWO}, spearman = 1.5", r"spearman: must be from -1 to 1, got 1\.5"),
        (f"{TWO}, spearman = [[1, 2], [2, 1]]", r"spearman: .* got 2 \(row 1, column 2\)"),
        (f"{TWO}, spearman = [[1, 0.2], [0.3, 1]]", r"spearman: must be symmetric: .*0\.2.*0\.3"),
        (f"{TWO}, spearman = [[0.9, 0.2], [0.2, 1]]", r"must have 1 on the diagonal, got 0\.9"),
        (f"{TWO}, spearman = [[1, 0.2]]", "spearman: must be square: 1 rows, but row 1 has 2"),
        (f"{TWO}, spearman = [[1]]", "must be one number or 2 x 2 for 2 parameters, got 1 x 1"),
        (f'{TWO}, spearman = "high"', "spearman: must be a number, got 'high'"),
        (f"{TWO}, spearman = nan", "spearman: must be a number, got nan"),
        (TWO, "spearman: missing key"),
        (f'{TWO}, spearman = 0.1, grade = "measured"', "source: missing key: grade 'measured'"),
        (f"{TWO}, sperman = 0.1", "sperman: unknown key; did you mean 'spearman'"),
        ("spearman = 0.1", "give either parameters, or parameter and across; got neither"),
        ('parameters = ["risk_P", "agian"], spearman = 0.1', "unknown parameter 'agian'; did you mean 'again'"),
        (
            'parameters = ["risk_P", "crowd"], spearman = 0.1',
            r"'crowd' is indexed by origin, sex: .*'crowd\[north,u\]'",
        ),
        ('parameters = ["risk_P", "crowd[nort,u]"], spearman = 0.1', "unknown origin 'nort'; did you mean 'north'"),
        ('parameters = ["crowd[north,u]", "crowd[north, u]"], spearman = 0.1', r"'crowd\[north,u\]' is listed twice"),
        ('parameters = ["risk_P"], spearman = 0.1', "parameters: must name at least 2 parameters, got 1"),
        ('parameter = "crowd", spearman = 0.1', "across: missing key: it goes with parameter"),
        ('parameter = "crowd", across = "leg", spearman = 0.1', "across: 'crowd' is indexed by .*, not by 'leg'"),
        ('parameter = "crowd[north,u]", across = "sex", spearman = 0.1', r"'crowd\[north,u\]' is one element"),
        (
            'parameter = "crowd", across = "sex", spearman = [[1]]',
            r"must be one number or 2 x 2 for the levels of sex \(u, v\)",
        ),
        (
            'parameters = ["risk_P", "again", "hazard"], spearman = [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]',
            r"fit no joint law: .* a change of 0\.\d+, limit 0\.1",
        ),
    ],
)
def test_bad_statements_are_refused(block: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words) as caught:
        load(MAZE, f"dependence.bad = {{{block}}}")
    assert "\n" not in str(caught.value)
    assert "dependence.bad" in str(caught.value)


def test_contradictions_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"other\.spearman: .*0\.2 here, but dependence\.pair says -0\.6"):
        load(MAZE, PAIR, 'dependence.other = {parameters = ["hazard_factor", "risk_P"], spearman = 0.2}')
    same = load(MAZE, PAIR, 'dependence.other = {parameters = ["hazard_factor", "risk_P"], spearman = -0.6}')
    assert len(list(same.dependence_report.pairs())) == 1


def test_dependence_is_part_of_the_digest_and_comes_back_from_a_file() -> None:
    from simcore.scenario import scenario_from_embedded
    from simcore.scenario.provenance import to_json

    plain, tied = load(MAZE), load(MAZE, PAIR)
    assert plain.digest != tied.digest
    again = scenario_from_embedded(to_json(tied.resolved), tied.tables)
    assert again.digest == tied.digest
    assert list(again.dependence_report.pairs()) == list(tied.dependence_report.pairs())
