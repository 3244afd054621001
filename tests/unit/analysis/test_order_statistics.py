"""Order statistics from passes over blocks are exactly those of the sorted column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis import order_statistics, passes
from analysis.order_statistics import OrderStatistics, pilot_edges, pilot_windows

from .funnel_samples import measure_column


def find(
    values: NDArray[np.float64],
    ranks: list[int],
    edges: NDArray[np.float64],
    block: int,
    windows: list[tuple[float, float]],
) -> tuple[list[float], int]:
    """Values of ranks, and the number of passes they took."""
    order = OrderStatistics(len(values), edges, windows)
    count = 0
    while order.busy:
        for start in range(0, len(values), block):
            order.add(np.sort(values[start : start + block]))
        order.end_pass()
        count += 1
        if count == 1:
            order.want(ranks)
        assert count < 50
    return [order.value(rank) for rank in ranks], count


COLUMNS = {
    "continuous": lambda draw, n: draw.lognormal(3.0, 2.0, n),
    "few values": lambda draw, n: draw.poisson(1.5, n).astype(np.float64),
    "one value": lambda draw, n: np.full(n, 7.0),
    "mostly zero": lambda draw, n: np.where(draw.random(n) < 0.97, 0.0, draw.random(n)),
    "sorted": lambda draw, n: np.arange(n, dtype=np.float64),
    "two clusters": lambda draw, n: np.where(np.arange(n) < n // 2, draw.random(n), 1e9 + draw.random(n)),
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("pilot", ["spread", "first values", "useless", "none"])
def test_every_rank_is_that_of_the_sorted_column(column: str, pilot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the sample misleads, and brackets must be sampled again before they can be gathered."""
    monkeypatch.setattr(order_statistics, "GATHERED", 64)
    monkeypatch.setattr(order_statistics, "_SAMPLED", 16)
    n = 5000
    values = COLUMNS[column](np.random.default_rng(1), n)
    sample = {"spread": values[::50], "first values": values[:100], "useless": np.array([-5.0]), "none": values[:0]}
    ordered = np.sort(sample[pilot])
    ranks = [0, 1, 250, 251, 2499, 2500, 4749, 4998, 4999]
    for windows in ([], pilot_windows(ordered, (0.05, 0.5, 0.95))):
        found, _ = find(values, ranks, pilot_edges(ordered, (0.05, 0.5, 0.95)), 300, windows)
        np.testing.assert_array_equal(found, np.sort(values)[ranks])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=300),
    st.integers(1, 50),
    st.lists(st.floats(-1, 13), max_size=6),
    st.data(),
)
def test_any_column_with_ties(numbers: list[int], block: int, edges: list[float], data: st.DataObject) -> None:
    """Ties, edges that are no values, and ranks asked for in any order."""
    values = np.array(numbers, dtype=np.float64)
    ranks = data.draw(st.lists(st.integers(0, len(numbers) - 1), min_size=1, max_size=8))
    gathered, sampled = order_statistics.GATHERED, order_statistics._SAMPLED
    try:
        order_statistics.GATHERED, order_statistics._SAMPLED = 4, 3  # type: ignore[misc]
        found, _ = find(values, ranks, np.array(edges), block, [])
    finally:
        order_statistics.GATHERED, order_statistics._SAMPLED = gathered, sampled  # type: ignore[misc]
    np.testing.assert_array_equal(found, np.sort(values)[ranks])


def test_counts_around_a_tie() -> None:
    """Below and up to a value that many share."""
    values = np.array([1.0, 2.0, 2.0, 2.0, 5.0])
    order = OrderStatistics(5, np.zeros(0))
    order.add(values)
    order.end_pass()
    order.want([2])
    assert order.ranks_of(2) == (1, 4)
    with pytest.raises(ValueError, match="was not wanted"):
        OrderStatistics(5, np.zeros(0)).value(0)


@pytest.mark.parametrize("rows", [1, 2, 19, 5000, 70_001, 150_000])
def test_quantiles_moments_and_missing_values_equal_those_of_numpy(rows: int) -> None:
    """Short columns in one pass, long ones in several; NaN are left out and counted."""
    draw = np.random.default_rng(rows)
    values = np.stack([draw.lognormal(0, 3, rows), draw.poisson(0.7, rows).astype(float), draw.random(rows)], axis=1)
    values[draw.random(rows) < 0.2, 2] = np.nan
    probabilities = [0.5, 0.25, 0.75, 0.05, 0.95]
    found = measure_column(values, probabilities, cells=3)
    for cell in range(3):
        column = values[~np.isnan(values[:, cell]), cell]
        assert found.n[cell] == len(column)
        assert found.missing[cell] == rows - len(column)
        if not len(column):
            assert np.isnan([found.mean[cell], found.zeros[cell], *found.quantile[cell]]).all()
            continue
        np.testing.assert_allclose(found.quantile[cell], np.quantile(column, probabilities), rtol=1e-14)
        np.testing.assert_allclose(found.mean[cell], column.mean(), rtol=1e-12)
        assert found.zeros[cell] == (column == 0).mean()
        if len(column) > 1:
            np.testing.assert_allclose(found.sd[cell], column.std(ddof=1), rtol=1e-11)
            np.testing.assert_allclose(found.mean_error[cell], column.std(ddof=1) / len(column) ** 0.5, rtol=1e-11)
        else:
            assert np.isnan(found.sd[cell])


def test_spread_beside_a_huge_mean_is_not_lost() -> None:
    """A mean of 1e9 and a standard deviation of 1: a difference of squares would leave nothing."""
    values = 1e9 + np.random.default_rng(2).normal(size=200_000)
    found = measure_column(values, [0.5])
    np.testing.assert_allclose(found.sd[0], values.std(ddof=1), rtol=1e-6)


def test_passes_without_room_for_windows_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers, whether gathered in the first pass or in a later one, in nested runs as well."""
    values = np.random.default_rng(4).gamma(0.3, size=120_000)
    for inner in (1, 40):
        with_windows = measure_column(values, [0.5, 0.05, 0.95], inner=inner)
        with monkeypatch.context() as patch:
            patch.setattr(passes, "_WINDOW_BYTES", 0)
            patch.setattr(passes, "_BLOCK_BYTES", 0)
            patch.setattr(order_statistics, "GATHERED", 100)
            without = measure_column(values, [0.5, 0.05, 0.95], inner=inner)
        np.testing.assert_array_equal(with_windows.quantile, without.quantile)
        np.testing.assert_allclose(with_windows.quantile_error, without.quantile_error, rtol=1e-9)
        np.testing.assert_allclose(with_windows.mean_error, without.mean_error, rtol=1e-9)
