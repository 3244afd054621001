"""Kernels that read the source plan: which columns of theta they take, where they hold a value, and nothing beyond."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simcore.source_zone.at_risk import clamp_shares, products_of_columns
from simcore.source_zone.compile import risk_class_labels
from simcore.source_zone.overlap import plackett_both
from simcore.source_zone.plan import (
    NONE,
    SourcePlan,
    cell_probabilities,
    largest_event_probabilities,
    persons_in_cell,
)

# Columns of theta: every number is different, so a column taken for another one shows.
FACTOR, PSI, HAZARD_S, HAZARD_L, TIMES_2, TIMES_3, COMBINED, SPREAD, OTHER_SPREAD = range(9)
THETA = np.array([0.5, 4.0, 0.08, 0.05, 2.0, 3.0, 0.25, 0.7, 0.3])
SCORES = np.array([-1.0, 0.4])
S, L, BOTH = 0, 1, 2


def plan(**changes: object) -> SourcePlan:
    """Two cells; exploitations S, L and one that combines them. Cell 0 has everything, cell 1 next to nothing."""
    starts = [0, 2, 3, 3, 3, 3, 3]
    effects = [0, 2, 3, 3, 3, 3, 3]
    parts: dict[str, object] = {
        "population": np.array([7.0, 2.5]),
        "factor": np.array([FACTOR, NONE]),
        "active": np.array([True, True]),
        "odds_ratio": np.array([PSI, NONE]),
        "members": np.array([1, 2, 3]),
        "combined": np.array([[NONE, NONE, COMBINED], [NONE, NONE, COMBINED]]),
        "hazard": np.array([[HAZARD_S, HAZARD_L, NONE], [HAZARD_S, NONE, NONE]]),
        "multiplier_start": np.array(starts),
        "multipliers": np.array([TIMES_2, TIMES_3, TIMES_2]),
        "effect_start": np.array(effects),
        "effect_element": np.array([0, 1, 1]),
        "effect_deviation": np.array([SPREAD, OTHER_SPREAD, SPREAD]),
        "exposure_years": 1.5,
        "destination": np.zeros((2, 3, 1), dtype=np.int64),
        "bound": 0,
    }
    return SourcePlan(**{**parts, **changes})  # type: ignore[arg-type]


def cell(
    source: SourcePlan, number: int, shares: tuple[float, float] = (0.03, 0.05), theta: np.ndarray = THETA
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return classes, events and the hazards of one cell."""
    classes, events, work = np.full(4, np.nan), np.full((4, 4), np.nan), np.full((2, 3), np.nan)
    cell_probabilities(source, theta, SCORES, np.array(shares), number, classes, events, work)
    return classes, events, work


def test_persons_are_the_table_times_the_factor_if_there_is_one() -> None:
    assert persons_in_cell(plan(), THETA, 0) == 4.0  # 3.5, to even
    assert persons_in_cell(plan(), THETA, 1) == 2.0
    assert persons_in_cell(plan(factor=np.array([NONE, PSI])), THETA, 1) == 10.0
    assert persons_in_cell(plan(factor=np.array([0, NONE])), np.array([3.0]), 0) == 21.0, "column 0 is a column"


def test_hazards_are_base_times_multipliers_times_effects() -> None:
    _, _, (hazards, combined) = cell(plan(), 0)
    first = math.exp(0.7 * -1.0)
    assert hazards[S] == 0.08 * 2.0 * 3.0 * first * math.exp(0.3 * 0.4)
    assert hazards[L] == 0.05 * 2.0 * math.exp(0.7 * 0.4)
    assert hazards[BOTH] == 0.0
    assert combined.tolist() == [-1.0, -1.0, 0.25]


def test_a_cell_reads_its_own_rows_only() -> None:
    classes, events, (hazards, _) = cell(plan(), 1)
    assert hazards.tolist() == [0.08, 0.0, 0.0]
    assert classes[3] == plackett_both(0.03, 0.05, 1.0), "without an odds ratio risks are independent"
    assert events[1, 0] == math.exp(-0.08 * 1.5)
    assert events[2].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert events[3, 3] == 0.25 * -math.expm1(-0.08 * 1.5)
    assert events[3, 1] == (0.75 * -math.expm1(-0.08 * 1.5)) * 0.08 / 0.08


def test_column_zero_is_a_column() -> None:
    """NONE is negative; the first column of theta must not be taken for nothing."""
    everything_from_zero = plan(
        odds_ratio=np.array([0, 0]), combined=np.zeros((2, 3), dtype=np.int64), hazard=np.zeros((2, 3), dtype=np.int64)
    )
    classes, _, (hazards, combined) = cell(everything_from_zero, 1)
    assert classes[3] == plackett_both(0.03, 0.05, 0.5)
    assert hazards.tolist() == [0.5] * 3
    assert combined.tolist() == [0.5] * 3


@pytest.mark.parametrize("given", [0.0, 1e-300, 1e-12, 1e-11, 1.0, 1e11, 1e12, 1e300])
def test_odds_ratios_are_held_between_1e_minus_12_and_1e12(given: float) -> None:
    theta = THETA.copy()
    theta[PSI] = given
    classes, _, _ = cell(plan(), 0, (0.3, 0.6), theta)
    held = min(max(given, 1e-12), 1e12)
    assert classes[3] == plackett_both(0.3, 0.6, held)
    if given in (1e-11, 1e11):
        assert classes[3] != plackett_both(0.3, 0.6, given * (0.1 if given < 1.0 else 10.0))


def test_hazards_and_effects_are_held_where_they_are_certain_anyway() -> None:
    """1e100 for a hazard after each factor, 600 for an exponent: finite, and never less than they would be below."""
    theta = THETA.copy()
    theta[TIMES_2] = 1e200
    theta[TIMES_3] = 1e-60
    _, events, (hazards, _) = cell(plan(effect_start=np.zeros(7, dtype=np.int64)), 0, theta=theta)
    assert hazards[S] == 1e100 * 1e-60
    assert hazards[L] == 1e100
    assert events[2].tolist() == [0.0, 0.0, 1.0, 0.0]
    none = np.zeros(7, dtype=np.int64)
    theta = THETA.copy()
    theta[SPREAD], theta[OTHER_SPREAD] = -1e6, -2000.0  # exponents: 1e6 held at 600, then -800
    theta[HAZARD_S] = 1e-250
    _, _, (hazards, _) = cell(plan(multiplier_start=none), 0, theta=theta)
    assert hazards[S] == min(1e-250 * math.exp(600.0), 1e100) * math.exp(-2000.0 * 0.4)
    theta[HAZARD_S] = 1.0
    _, _, (hazards, _) = cell(plan(multiplier_start=none), 0, theta=theta)
    assert hazards[S] == 1e100 * math.exp(-2000.0 * 0.4)


def test_largest_event_probability_is_over_classes_that_somebody_is_in() -> None:
    theta = np.stack([THETA, THETA, THETA])
    theta[1, HAZARD_L] = 3.0
    scores = np.stack([SCORES] * 3)
    shares = np.empty((3, 2, 2))
    shares[:] = (0.03, 0.05)
    shares[1, 0] = (0.03, 0.0)  # nobody at risk of L alone or of both, so its hazard must not count
    shares[2] = 0.0
    largest = np.full(3, np.nan)
    largest_event_probabilities(plan(), theta, scores, shares, largest)
    _, events, _ = cell(plan(), 0)
    assert largest[0] == 1.0 - events[3, 0]
    assert largest[0] > 1.0 - events[1, 0] > 0.0
    assert largest[1] == 1.0 - events[1, 0]
    assert largest[2] == 0.0
    inactive = plan(active=np.array([False, True]))
    largest_event_probabilities(inactive, theta, scores, shares, largest)
    assert largest.tolist() == [1.0 - math.exp(-0.08 * 1.5)] * 2 + [0.0]
    largest_event_probabilities(plan(active=np.array([False, False])), theta, scores, shares, largest)
    assert largest.tolist() == [0.0] * 3


def test_largest_event_probability_takes_the_parameters_of_its_own_row() -> None:
    theta = np.stack([THETA, 2.0 * THETA])
    scores = np.stack([SCORES, 0.0 * SCORES])
    shares = np.zeros((2, 2, 2))
    shares[0, :, 0], shares[1, :, 1] = 0.1, 0.2
    largest = np.full(2, np.nan)
    largest_event_probabilities(plan(), theta, scores, shares, largest)
    hazard = 0.08 * 2.0 * 3.0 * math.exp(0.7 * -1.0) * math.exp(0.3 * 0.4)
    assert largest[0] == 1.0 - math.exp(-hazard * 1.5)
    assert largest[1] == 1.0 - math.exp(-(0.1 * 4.0) * 1.5)


def test_products_of_columns() -> None:
    theta = np.array([[2.0, 3.0, 5.0, 7.0], [1.0, 10.0, 100.0, 0.5]])
    products = np.full((2, 4), np.nan)
    products_of_columns(theta, np.array([0, 1, 1, 4, 6]), np.array([3, 0, 1, 2, 1, 1]), products)
    assert products.tolist() == [[7.0, 0.0, 30.0, 9.0], [0.5, 0.0, 1000.0, 100.0]]


def test_shares_are_held_to_one_and_counted_and_inactive_cells_are_empty() -> None:
    shares = np.array(
        [
            [[0.2, 1.0], [1.0 + 1e-15, 3.0], [2.0, 0.5]],
            [[0.0, 0.9], [0.1, 0.2], [0.3, 0.4]],
            [[np.nan, 5.0], [0.5, np.inf], [0.0, 0.0]],
        ]
    )
    held = clamp_shares(shares, np.array([True, True, False]))
    assert held.tolist() == [2, 0, 3]
    assert shares.tolist() == [
        [[0.2, 1.0], [1.0, 1.0], [0.0, 0.0]],
        [[0.0, 0.9], [0.1, 0.2], [0.0, 0.0]],
        [[1.0, 1.0], [0.5, 1.0], [0.0, 0.0]],
    ]


@pytest.mark.parametrize(
    ("levels", "labels"),
    [
        (["S"], ["S"]),
        (["S", "L"], ["S_only", "L_only", "both"]),
        (["P", "Q", "R"], ["P", "Q", "P+Q", "R", "P+R", "Q+R", "P+Q+R"]),
    ],
)
def test_risk_classes_are_named_by_their_bits(levels: list[str], labels: list[str]) -> None:
    assert risk_class_labels(levels) == labels
