"""How far Monte Carlo figures may be off: standard errors of means and quantiles over replicates.

Replicates of one parameter set share its draw and are therefore alike: the independent units of a nested run are its
*groups* (parameter sets), never its replicates. With N values x_i in G groups, mean m, d_g = sum_{i in g} (x_i - m)::

    se(mean)^2 = G / (G - 1) * sum_g d_g^2 / N^2                                                   (1)

which is the sd of the group means over sqrt(G) if all groups have one size, sd / sqrt(n) if they have size one, and
the linearised (ratio) estimator otherwise (an interrupted run, a ratio that is missing in some replicates): W. G.
Cochran (1977), Sampling Techniques, 3rd ed., section 6.4 for the linearisation and 9A.2 for clusters.

A quantile of probability p lies between order statistics. In a single loop the number of values up to the true
quantile is Binomial(n, p), so that the interval from the l-th to the u-th smallest value has a known coverage whatever
the distribution: H. A. David and H. N. Nagaraja (2003), Order Statistics, 3rd ed., section 7.1. In a nested run the
spread of that number comes from the groups: (1) applied to the indicators x_i <= q, and the interval runs between the
quantiles of probability p -+ z se: R. S. Woodruff (1952), Confidence intervals for medians and other position
measures, Journal of the American Statistical Association 47, 635-646. In both cases::

    se(quantile) = (upper - lower) / (2 z)        z: the normal quantile of the interval's coverage

The standard deviation s is linearised as the mean of the values ((x_i - m)^2 - s^2) / (2 s), and the share of zeros is
the mean of an indicator: (1) holds for both. In a single loop this is, with the central moments m2 and m4::

    se(s)^2 = (m4 - m2^2) / (4 n m2)                                                               (2)

A. Stuart and J. K. Ord (1994), Kendall's Advanced Theory of Statistics, vol. 1, 6th ed., section 10.5. Where the tails
are heavy the fourth moment rests on a few values, and so does this error.

Where n is so small that the interval would run beyond the smallest or largest value, there is no standard error: it is
reported as missing.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.95
"""Coverage of the order-statistic interval that a standard error is read from."""


class RankInterval(NamedTuple):
    """Order statistics around a quantile.

    Attributes
    ----------
    lower, upper : int
        Ranks from 0.
    z : float
        Half the width of the interval is this many standard errors.
    """

    lower: int
    upper: int
    z: float


@functools.lru_cache(maxsize=4096)
def binomial_ranks(n: int, probability: float) -> RankInterval | None:
    """Ranks for independent values; None if ``n`` is too small for this probability."""
    from scipy.stats import binom, norm

    if n < 1:
        return None
    tail = (1.0 - COVERAGE) / 2.0
    lower = int(binom.ppf(tail, n, probability))
    upper = int(binom.ppf(1.0 - tail, n, probability)) + 1
    if lower < 1 or upper > n:
        return None
    coverage = float(binom.cdf(upper - 1, n, probability) - binom.cdf(lower - 1, n, probability))
    return RankInterval(lower - 1, upper - 1, float(norm.ppf((1.0 + coverage) / 2.0)))


def grouped_ranks(n: int, probability: float, error: float) -> RankInterval | None:
    """Ranks for values in groups.

    Parameters
    ----------
    n : int
        Number of values.
    probability : float
    error : float
        Standard error of the share of values up to the quantile, from the groups. Values of one group are alike and
        never less so than independent ones, so a smaller error than the binomial one is luck and is not used.

    Returns
    -------
    RankInterval or None
        None if ``n`` or the number of groups is too small.
    """
    from scipy.stats import norm

    if n < 1 or not math.isfinite(error):
        return None
    z = float(norm.ppf((1.0 + COVERAGE) / 2.0))
    reach = z * max(error, math.sqrt(probability * (1.0 - probability) / n))
    lower = math.floor(n * (probability - reach))
    upper = math.ceil(n * (probability + reach)) + 1
    return None if lower < 1 or upper > n else RankInterval(lower - 1, upper - 1, z)


def merged_powers(
    first_count: float, first: NDArray[np.float64], second_count: float, second: NDArray[np.float64], apart: float
) -> NDArray[np.float64]:
    """Return the sums of squares, cubes and fourth powers of deviations from the mean of two samples taken together.

    Parameters
    ----------
    first_count, second_count : float
        Sizes of the samples.
    first, second : float64 [3]
        Their own sums.
    apart : float
        Mean of the second less mean of the first.

    Notes
    -----
    P. Pebay (2008), Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical
    moments, Sandia report SAND2008-6212, section 2.
    """
    a, b, d = first_count, second_count, apart
    n = a + b
    squares = first[0] + second[0] + d**2 * a * b / n
    cubes = first[1] + second[1] + d**3 * a * b * (a - b) / n**2 + 3.0 * d * (a * second[0] - b * first[0]) / n
    fourths = first[2] + second[2] + d**4 * a * b * (a**2 - a * b + b**2) / n**3
    fourths += 6.0 * d**2 * (a**2 * second[0] + b**2 * first[0]) / n**2
    fourths += 4.0 * d * (a * second[1] - b * first[1]) / n
    return np.array([squares, cubes, fourths])


def deviation_error(
    n: NDArray[np.float64], squares: NDArray[np.float64], fourths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return formula (2), float64 [columns], from sums of squared and fourth powers of deviations; 0 without spread."""
    variance = squares / n
    spread = np.maximum(fourths / n - variance**2, 0.0)
    return np.asarray(np.sqrt(spread / (4.0 * n * np.where(variance > 0.0, variance, np.inf))), dtype=np.float64)


class GroupSums:
    """Sums over groups of consecutive replicates, squared and added up: sum_g d_g^2 of formula (1).

    Parameters
    ----------
    columns : int
        Number of columns of values.
    width : int
        Residuals per value.
    """

    def __init__(self, columns: int, width: int) -> None:
        self.squares = np.zeros((columns, width))
        """Sum over finished groups of the squared group sums, float64 [columns, width]."""
        self.groups = np.zeros(columns, dtype=np.int64)
        """Finished groups with at least one value, int64 [columns]."""
        self._open = np.zeros((columns, width))
        self._open_values = np.zeros(columns, dtype=np.int64)

    def add(
        self,
        column: int,
        residuals: NDArray[np.float64],
        present: NDArray[np.bool_],
        starts: NDArray[np.int64],
        *,
        goes_on: bool,
    ) -> None:
        """Take in a block of one column.

        Parameters
        ----------
        column : int
        residuals : float64 array [rows, width]
            0 where the value is missing.
        present : bool array [rows]
        starts : int64 array
            Rows at which a group starts; the first is 0.
        goes_on : bool
            Whether the first group is the last one of the block before.
        """
        sums = np.add.reduceat(residuals, starts, axis=0)
        values = np.add.reduceat(present.astype(np.int64), starts)
        if not goes_on:
            self._close(column)
        self._open[column] += sums[0]
        self._open_values[column] += values[0]
        if len(starts) > 1:
            self._close(column)
            self.squares[column] += (sums[1:-1] ** 2).sum(axis=0)
            self.groups[column] += int((values[1:-1] > 0).sum())
            self._open[column], self._open_values[column] = sums[-1], values[-1]

    def close(self) -> None:
        """Finish the last group of every column."""
        for column in range(len(self.groups)):
            self._close(column)

    def errors(self, n: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return formula (1) for every column and residual, float64 [columns, width]; NaN with less than two groups."""
        groups = np.where(self.groups > 1, self.groups, np.nan)
        scale = np.sqrt(groups / (groups - 1.0)) / np.where(n > 0, n, np.nan)
        return np.asarray(np.sqrt(self.squares) * scale[:, np.newaxis], dtype=np.float64)

    def _close(self, column: int) -> None:
        if self._open_values[column]:
            self.squares[column] += self._open[column] ** 2
            self.groups[column] += 1
        self._open[column] = 0.0
        self._open_values[column] = 0
