"""Monte Carlo standard errors against known distributions.

Seeds are fixed, so these tests change with the code only. Each statistical check names the number of runs and its limit
in standard errors of the check itself; 4.5 of them are a false alarm once in 150,000 checks.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, norm

from analysis.monte_carlo_error import COVERAGE, GroupSums, binomial_ranks, grouped_ranks, merged_powers

from .funnel_samples import measure_column

LIMIT = 4.5


@pytest.mark.parametrize("n", [30, 100, 1000, 100_000, 1_000_000])
@pytest.mark.parametrize("p", [0.05, 0.25, 0.5, 0.95])
def test_binomial_ranks_have_the_coverage_they_say(n: int, p: float) -> None:
    """P(X_(l) <= quantile < X_(u)) from the binomial law, and half the width close to z standard errors."""
    ranks = binomial_ranks(n, p)
    if ranks is None:
        assert binom.cdf(0, n, p) > (1 - COVERAGE) / 2 or binom.sf(n - 1, n, p) > (1 - COVERAGE) / 2
        return
    coverage = binom.cdf(ranks.upper, n, p) - binom.cdf(ranks.lower, n, p)  # l - 1 < K <= u - 1, ranks from 0
    assert coverage >= COVERAGE
    assert ranks.z == pytest.approx(norm.ppf((1 + coverage) / 2))
    assert (ranks.upper - ranks.lower) / (2 * ranks.z) == pytest.approx((n * p * (1 - p)) ** 0.5, rel=0.25)


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (5, 0.5), (20, 0.05), (70, 0.95), (0, 0.5)])
def test_too_few_replicates_have_no_standard_error(n: int, p: float) -> None:
    """Never an order statistic beyond the smallest or the largest."""
    assert binomial_ranks(n, p) is None
    assert grouped_ranks(n, p, 0.0) is None


def test_few_groups_have_no_standard_error() -> None:
    """Missing or large errors of the share give no interval, however many replicates there are."""
    assert grouped_ranks(10**6, 0.05, 0.04) is None
    assert grouped_ranks(10**6, 0.5, float("nan")) is None
    assert grouped_ranks(10**6, 0.5, 0.04) is not None


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_error_of_a_quantile_of_independent_values(p: float) -> None:
    """2,000 runs of 500 log-normal values: coverage of the interval, and mean squared error against the true variance.

    The variance of 2,000 quantiles is known to a relative standard error of sqrt(2 / 2000) = 3.2 % (a little more with
    heavy tails); errors that are wrong by a fifth would be found.
    """
    runs, n = 2000, 500
    values = np.random.default_rng(11).lognormal(0.0, 1.0, (runs, n))
    found = measure_column(values.T, [p], cells=runs)
    truth = np.exp(norm.ppf(p))
    ranks = binomial_ranks(n, p)
    assert ranks is not None
    ordered = np.sort(values, axis=1)
    covered = np.mean((ordered[:, ranks.lower] <= truth) & (truth <= ordered[:, ranks.upper]))
    coverage = binom.cdf(ranks.upper, n, p) - binom.cdf(ranks.lower, n, p)
    assert abs(covered - coverage) < LIMIT * (coverage * (1 - coverage) / runs) ** 0.5
    np.testing.assert_allclose(
        found.quantile_error[:, 0], (ordered[:, ranks.upper] - ordered[:, ranks.lower]) / (2 * ranks.z), rtol=1e-12
    )
    ratio = np.mean(found.quantile_error[:, 0] ** 2) / np.var(found.quantile[:, 0], ddof=1)
    assert abs(ratio - 1.0) < LIMIT * 0.04 + 0.05  # 5 %: the interval is a little wide on purpose, in whole ranks


def one_way(runs: int, groups: int, inner: int, seed: int) -> NDArray[np.float64]:
    """Replicates x = theta + chance, both standard normal, [groups * inner, runs]: half of the variance is shared."""
    draw = np.random.default_rng(seed)
    theta = np.repeat(draw.normal(size=(groups, runs)), inner, axis=0)
    return theta + draw.normal(size=theta.shape)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_error_of_a_quantile_of_a_nested_run(p: float) -> None:
    """400 nested runs of 100 x 20: squared errors match the variance; errors that ignore the groups are far too small.

    The variance of 400 quantiles has a relative standard error of sqrt(2 / 400) = 7.1 %. Taking replicates for
    independent would give less than a third of the variance, which this test must (and does) tell apart.
    """
    runs, groups, inner = 400, 100, 20
    values = one_way(runs, groups, inner, seed=12)
    found = measure_column(values, [p], inner=inner, cells=runs)
    assert (found.groups == groups).all()
    variance = np.var(found.quantile[:, 0], ddof=1)
    ratio = np.nanmean(found.quantile_error[:, 0] ** 2) / variance
    assert abs(ratio - 1.0) < LIMIT * 0.075
    naive = measure_column(values, [p], cells=runs)
    assert np.mean(naive.quantile_error[:, 0] ** 2) / variance < 1 / 3


def test_error_of_the_mean_of_a_nested_run() -> None:
    """Equal groups: exactly the sd of group means over sqrt(groups); on average the known variance (1 + 1/20) / 100."""
    runs, groups, inner = 400, 100, 20
    values = one_way(runs, groups, inner, seed=13)
    found = measure_column(values, [0.5], inner=inner, cells=runs)
    means = values.reshape(groups, inner, runs).mean(axis=1)
    np.testing.assert_allclose(found.mean_error, means.std(axis=0, ddof=1) / groups**0.5, rtol=1e-10)
    # the mean over 400 runs of a variance estimate with 99 degrees of freedom: relative se sqrt(2 / 99 / 400) = 0.7 %
    assert abs(np.mean(found.mean_error**2) / ((1 + 1 / inner) / groups) - 1.0) < LIMIT * 0.0071


def test_moments_of_samples_taken_together() -> None:
    """Sums of powers of deviations of the whole from those of its parts, in any cut."""
    values = np.random.default_rng(21).lognormal(0.0, 1.0, 1000)

    def powers(part: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([((part - part.mean()) ** k).sum() for k in (2, 3, 4)])

    for cut in (1, 10, 500, 999):
        first, second = values[:cut], values[cut:]
        together = merged_powers(cut, powers(first), 1000 - cut, powers(second), second.mean() - first.mean())
        np.testing.assert_allclose(together, powers(values), rtol=1e-10)


def test_error_of_the_standard_deviation_and_of_zeros() -> None:
    """2,000 runs of 500 values, a third of them 0: mean squared errors against the variance over runs.

    That variance is known to a relative standard error of about 4 %; errors wrong by a fifth would be found.
    """
    runs, n = 2000, 500
    draw = np.random.default_rng(22)
    values = np.where(draw.random((n, runs)) < 1 / 3, 0.0, draw.gamma(3.0, size=(n, runs)))
    found = measure_column(values, [0.5], cells=runs)
    for estimate, error in ((found.sd, found.sd_error), (found.zeros, found.zeros_error)):
        assert abs(np.mean(error**2) / np.var(estimate, ddof=1) - 1.0) < LIMIT * 0.04


def test_error_of_the_standard_deviation_of_a_nested_run() -> None:
    """400 nested runs of 100 x 20: squared errors match the variance; those that ignore groups are far too small."""
    runs, groups, inner = 400, 100, 20
    values = np.maximum(one_way(runs, groups, inner, seed=23) + 1.0, 0.0)
    found = measure_column(values, [0.5], inner=inner, cells=runs)
    naive = measure_column(values, [0.5], cells=runs)
    for name in ("sd", "zeros"):
        variance = np.var(getattr(found, name), ddof=1)
        assert abs(np.mean(getattr(found, f"{name}_error") ** 2) / variance - 1.0) < LIMIT * 0.075
        assert np.mean(getattr(naive, f"{name}_error") ** 2) / variance < 0.5


def test_groups_that_are_cut_short_or_have_missing_values() -> None:
    """The linearised estimator, worked out by hand from residuals by group, across the bounds of blocks."""
    draw = np.random.default_rng(14)
    inner, rows = 7, 9001  # blocks of 4,096 rows cut groups, the last group is short
    values = draw.normal(size=rows) + np.repeat(draw.normal(size=rows // inner + 1), inner)[:rows]
    values[draw.random(rows) < 0.3] = np.nan
    values[14:21] = np.nan  # a group without any value
    values = values - np.nanmin(values)
    found = measure_column(np.stack([values, values], axis=1), [0.5], inner=inner, cells=2)
    present = ~np.isnan(values)
    group = np.arange(rows) // inner
    residuals = np.where(present, values - values[present].mean(), 0.0)
    sums = np.bincount(group, residuals)
    count = len(np.unique(group[present]))
    assert found.groups.tolist() == [count, count]
    expected = (count / (count - 1) * (sums**2).sum()) ** 0.5 / present.sum()
    np.testing.assert_allclose(found.mean_error, expected, rtol=1e-10)


def test_one_group_has_no_standard_error() -> None:
    """All replicates of one parameter set say nothing about other parameter sets."""
    found = measure_column(np.random.default_rng(15).random(500), [0.5], inner=500)
    assert found.groups[0] == 1
    assert np.isnan([found.mean_error[0], found.quantile_error[0, 0]]).all()
    assert found.quantile[0, 0] > 0


def test_ties_at_a_quantile_do_not_hide_its_error() -> None:
    """P(x = 1) = 0.06 above probability 0.94: every replicate is at most 1, yet the 95 % quantile is not certain."""
    draw = np.random.default_rng(16)
    values = np.where(draw.random(2000) < 0.06, 1.0, draw.random(2000) * 0.5)
    found = measure_column(values, [0.95], inner=10)
    assert found.quantile[0, 0] == 1.0
    assert found.quantile_error[0, 0] > 0.0


def test_group_sums_in_pieces() -> None:
    """Groups that run on over blocks are the same groups."""
    residuals = np.arange(12.0)[:, np.newaxis]
    present = np.ones(12, dtype=bool)
    whole, pieces = GroupSums(1, 1), GroupSums(1, 1)
    whole.add(0, residuals, present, np.array([0, 5, 9]), goes_on=False)
    for first, last, starts, goes_on in ((0, 3, [0], False), (3, 6, [0, 2], True), (6, 12, [0, 3], True)):
        pieces.add(0, residuals[first:last], present[first:last], np.array(starts), goes_on=goes_on)
    for sums in (whole, pieces):
        sums.close()
        assert sums.groups.tolist() == [3]
        assert sums.squares[0, 0] == 10.0**2 + 26.0**2 + 30.0**2
