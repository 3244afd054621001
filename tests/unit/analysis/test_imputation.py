"""The imputation: rows, reproducibility, limits, the shift, known answers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from analysis.imputation import Imputation, impute_panels
from analysis.imputation.chained import DonorRidge
from analysis.imputation.masking import at_year, deal, hide
from analysis.imputation.report import report
from analysis.imputation.rows import country_years, lagged_values, transformed_series
from simcore.scenario import load_scenario
from simcore.scenario.covariates import Observed, Variable, nearest_values

SEED = 20050701  # the chains' own; a sweep over seeds does not move them


def made_up(origins: int = 6, years: int = 25, *, noise: float = 0.3, missing: int = 1) -> Observed:
    """Return covariates a and b = 2 a + noise; b is missing near the last year in the first origins."""
    generator = np.random.default_rng(5)
    level = generator.normal(size=(origins, 1))
    a = level + 0.4 * generator.normal(size=(origins, years)).cumsum(axis=1) / 3
    b = 2 * a + noise * generator.normal(size=a.shape)
    series = np.stack([a, b], axis=1)
    series[:missing, 1, -6:] = np.nan
    calendar = np.arange(2000, 2000 + years)
    year, window = int(calendar[-1]), 2
    values, dated = nearest_values(series, calendar, year, window)
    variables = {name: Variable.model_validate({"sign": 1}) for name in ("a", "b")}
    names = tuple(f"o{number}" for number in range(origins))
    sources = tuple(("s", "s") for _ in names)
    return Observed(
        names, variables, year, window, calendar, series, values, dated, sources, frozenset(names), frozenset("ab"), {}
    )


@pytest.fixture(scope="module")
def observed_2020() -> Observed:
    scenario = load_scenario("phase1_2020", panels=False)
    assert scenario.covariates is not None
    return scenario.covariates.observed


@pytest.fixture(scope="module")
def small(observed_2020: Observed) -> Imputation:
    """Three panels of the shipped scenario, in short chains."""
    return impute_panels(observed_2020, panels=3, seed=SEED, rounds=2)


# --- rows -------------------------------------------------------------------------------------------------------------


def test_lagged_values_pass_over_the_window() -> None:
    series = np.array([1.0, np.nan, 3.0, np.nan, np.nan, 6.0])
    values, lags = lagged_values(series, 2)
    np.testing.assert_array_equal(values, [3.0, 6.0, 1.0, 6.0, 3.0, 3.0])
    np.testing.assert_array_equal(lags, [-2.0, -4.0, 2.0, -2.0, 2.0, 3.0])
    values, lags = lagged_values(np.full(4, np.nan), 2)
    assert np.isnan(values).all()
    assert np.isnan(lags).all()


def test_hidden_value_is_nowhere_in_the_rows() -> None:
    """Neither the row of the year nor any lagged value may still know a cell that was hidden."""
    observed = made_up(missing=0)
    marked = observed.series.copy()
    near = np.abs(observed.calendar - observed.year) <= observed.window
    marked[2, 1, near] = 1e6
    poisoned = hide(at_year(dataclasses.replace(observed, series=marked), observed.year), [(2, 1)])
    table = country_years(poisoned).table
    np.testing.assert_array_equal(table, country_years(hide(observed, [(2, 1)])).table)
    assert np.nanmax(np.abs(table)) < 100
    assert poisoned.missing[2, 1]


def test_rows_of_the_year_hold_the_nearest_values(observed_2020: Observed) -> None:
    rows = country_years(observed_2020)
    variables = len(observed_2020.variables)
    found = rows.table[rows.targets, :variables] * rows.scale + rows.centre
    for j, variable in enumerate(observed_2020.variables.values()):
        np.testing.assert_allclose(found[:, j], variable.forward(observed_2020.values[:, j]), rtol=1e-12)
    incomplete = int(observed_2020.missing.any(axis=0).sum())
    assert rows.table.shape == (8 * len(observed_2020.calendar), variables + 2 * incomplete + 1)
    assert (rows.donors == (~np.isnan(observed_2020.series)).sum(axis=(0, 2))).all()


# --- panels -----------------------------------------------------------------------------------------------------------


def test_same_arguments_same_bits_and_more_panels_leave_the_first(observed_2020: Observed, small: Imputation) -> None:
    again = impute_panels(observed_2020, panels=2, seed=SEED, rounds=2)
    np.testing.assert_array_equal(again.completed, small.completed[:2])
    other = impute_panels(observed_2020, panels=2, seed=SEED + 1, rounds=2)
    missing = observed_2020.missing
    assert not np.any(other.completed[:, missing] == small.completed[:2, missing])


def test_observed_cells_are_untouched_and_imputed_ones_differ(observed_2020: Observed, small: Imputation) -> None:
    known = ~observed_2020.missing
    for panel in small.completed:
        np.testing.assert_array_equal(panel[known], observed_2020.values[known])
    assert np.isfinite(small.completed).all()
    imputed = small.completed[:, observed_2020.missing]
    assert (np.ptp(imputed, axis=0) > 0).all(), "all panels agree: the draws have no spread"


def test_draws_stay_among_the_donors(observed_2020: Observed, small: Imputation) -> None:
    series = transformed_series(observed_2020)
    least, greatest = np.nanmin(series, axis=(0, 2)), np.nanmax(series, axis=(0, 2))
    tolerance = 1e-9 * (greatest - least)
    assert (small.transformed >= least - tolerance).all()
    assert (small.transformed <= greatest + tolerance).all()


def test_declared_limits_replace_those_of_the_donors(observed_2020: Observed) -> None:
    narrow = observed_2020.variables["gini"].model_copy(update={"lower": 44.0, "upper": 46.0})
    limited = dataclasses.replace(observed_2020, variables={**observed_2020.variables, "gini": narrow})
    drawn = impute_panels(limited, panels=3, seed=SEED, rounds=2).completed[:, limited.missing[:, 2], 2]
    assert ((drawn >= 44.0 - 1e-9) & (drawn <= 46.0 + 1e-9)).all()


def test_shift_moves_imputed_cells_by_standard_deviations(observed_2020: Observed, small: Imputation) -> None:
    moved = impute_panels(observed_2020, panels=3, seed=SEED, rounds=2, shift=0.5)
    scale, missing = small.rows.scale, observed_2020.missing
    gap = (moved.transformed - small.transformed) / scale
    np.testing.assert_array_equal(gap[:, ~missing], 0.0)
    high = np.broadcast_to((small.rows.highest[: len(scale)] * scale + small.rows.centre), gap.shape)
    free = np.broadcast_to(missing, gap.shape) & (moved.transformed < high - 1e-9)
    assert free.sum() > 10
    np.testing.assert_allclose(gap[free], 0.5, rtol=1e-9)
    held = np.broadcast_to(missing, gap.shape) & ~free
    assert (gap[held] <= 0.5 + 1e-9).all()


def test_known_relation_is_found() -> None:
    """b = 2 a + noise of spread 0.1, and a is known: the draws centre on 2 a, and not on the mean of b."""
    observed = made_up(noise=0.1)
    drawn = impute_panels(observed, panels=30, seed=SEED, rounds=5).completed[:, 0, 1]
    expected = 2 * observed.values[0, 0]
    assert abs(drawn.mean() - expected) < 0.15
    assert abs(np.nanmean(observed.series[:, 1]) - expected) > 1.0, "the mean of b would pass too"
    assert 0.05 < drawn.std(ddof=1) < 0.3  # the residual spread is 0.1


def test_a_constant_covariate_is_refused() -> None:
    observed = made_up()
    series = observed.series.copy()
    series[:, 0] = 3.0
    with pytest.raises(ValueError, match="a has the same value"):
        impute_panels(dataclasses.replace(observed, series=series), panels=2, seed=1)


def test_ridge_never_leaves_its_donors_and_keeps_its_spread() -> None:
    """Where the line leaves the donors, the mean stops at the greatest donor and the draws still spread."""
    x = np.linspace(-1, 1, 40)[:, np.newaxis]
    y = 3 * x[:, 0] + 0.1 * np.sin(50 * x[:, 0])
    mean, deviation = DonorRidge(7).fit(x, y).predict(np.array([[0.5], [2.0]]), return_std=True)
    assert mean[0] == pytest.approx(1.5, abs=0.1)
    assert mean[1] == y.max()
    assert (deviation > 0).all()
    _, normal = DonorRidge().fit(x, y).predict(np.array([[0.5], [2.0]]), return_std=True)
    np.testing.assert_allclose(deviation / normal, np.sqrt(7 / 5), rtol=1e-12)


def test_every_known_cell_is_dealt_once(observed_2020: Observed) -> None:
    groups = deal(observed_2020, 7, SEED)
    cells = [cell for group in groups for cell in group]
    assert len(cells) == len(set(cells)) == int((~observed_2020.missing).sum())
    assert max(map(len, groups)) - min(map(len, groups)) <= 1


def test_report_counts_and_pools(observed_2020: Observed, small: Imputation) -> None:
    found = report(small, "x")
    assert found["missing"] == len(found["imputed"]) == int(observed_2020.missing.sum()) == 11
    nicaragua = next(c for c in found["imputed"] if (c["origin"], c["covariate"]) == ("NIC", "poverty"))
    assert nicaragua["known_year"] == 2014
    assert nicaragua["least_donor"] <= nicaragua["low"] <= nicaragua["median"] <= nicaragua["high"]
    for row in found["covariates"]:
        assert (row["missing_information"] > 0) == (row["missing"] > 0), row
        assert row["total"] == pytest.approx(row["within"] + (1 + 1 / 3) * row["between"])
