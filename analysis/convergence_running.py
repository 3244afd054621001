"""Means and quantiles of a growing column with their Monte Carlo standard errors, in one pass and bounded memory.

A quantile keeps a *window*: the values around it, ties as one value with a count, and how many lie below. When the
window holds too many, it is narrowed to eight standard deviations of the quantile's rank on both sides. The rank that
is wanted later lies outside with a probability below 1e-9, and the error is missing then, never wrong. So many distinct
values are kept: some thousands at 10^5 replicates, and more as the square root of their number.

The figures are those of `analysis.summaries` for independent replicates: quantiles of type 7 of Hyndman and Fan (1996),
errors from binomial order statistics (see `analysis.monte_carlo_error`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from analysis.monte_carlo_error import binomial_ranks

MOST_VALUES = 65_536
"""Distinct values, and values not sorted in yet, that a window may hold before it is narrowed."""

_REACH = 8.0  # half width of a narrowed window, in standard deviations of the rank


class RunningMean:
    """Mean of the values seen so far; NaN is left out."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0  # sum of squared deviations from the mean

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in a block of values (the merge of centred moments of Chan, Golub and LeVeque 1983)."""
        values = values[~np.isnan(values)]
        if not values.size:
            return
        mean = float(values.mean())
        apart, both = mean - self.mean, self.count + values.size
        self._squares += float(np.square(values - mean).sum()) + apart * apart * self.count * values.size / both
        self.mean += apart * values.size / both
        self.count = both

    def figure(self) -> tuple[float, float]:
        """Return estimate and standard error; NaN with no values, the error with less than two."""
        if self.count < 2:
            return (self.mean if self.count else math.nan), math.nan
        return self.mean, math.sqrt(self._squares / (self.count - 1) / self.count)


class RunningQuantile:
    """Quantile of the values seen so far; NaN is left out.

    Parameters
    ----------
    probability : float
        Between 0 and 1.
    most_values : int
        See `MOST_VALUES`.
    """

    def __init__(self, probability: float, most_values: int = MOST_VALUES) -> None:
        self.probability = probability
        self.most_values = most_values
        self.count = 0
        self._below = 0  # values below the window
        self._lowest, self._highest = -math.inf, math.inf  # ends of the window; values at them are in it
        self._values = np.zeros(0)  # distinct, sorted
        self._ties = np.zeros(0, dtype=np.int64)
        self._pending: list[NDArray[np.float64]] = []

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in a block of values."""
        values = values[~np.isnan(values)]
        self.count += values.size
        below = values < self._lowest
        self._below += int(below.sum())
        self._pending.append(values[~below & (values <= self._highest)])
        if sum(len(piece) for piece in self._pending) > self.most_values:
            self._sort_in()

    def figure(self) -> tuple[float, float]:
        """Return estimate and standard error; NaN where there are too few values."""
        self._sort_in()
        if not self.count:
            return math.nan, math.nan
        position = (self.count - 1) * self.probability
        lower = min(math.floor(position), self.count - 1)
        low, high = self._value(lower), self._value(min(lower + 1, self.count - 1))
        ranks = binomial_ranks(self.count, self.probability)
        error = math.nan
        if ranks is not None:
            error = (self._value(ranks.upper) - self._value(ranks.lower)) / (2.0 * ranks.z)
        return low + (position - lower) * (high - low), error

    def _value(self, rank: int) -> float:
        """Value of a rank (from 0); NaN outside the window."""
        place = int(np.searchsorted(np.cumsum(self._ties), rank - self._below, side="right"))
        return float(self._values[place]) if rank >= self._below and place < len(self._values) else math.nan

    def _sort_in(self) -> None:
        if self._pending:
            fresh, ties = np.unique(np.concatenate(self._pending), return_counts=True)
            self._values, where = np.unique(np.concatenate([self._values, fresh]), return_inverse=True)
            both = np.concatenate([self._ties, ties])
            self._ties = np.zeros(len(self._values), dtype=np.int64)
            np.add.at(self._ties, where, both)
            self._pending = []
        if len(self._values) > self.most_values:
            self._narrow()

    def _narrow(self) -> None:
        reach = _REACH * math.sqrt(self.probability * (1.0 - self.probability) / self.count)
        up_to = self._below + np.cumsum(self._ties)
        first = int(np.searchsorted(up_to, self.count * (self.probability - reach), side="right"))
        last = int(np.searchsorted(up_to, self.count * (self.probability + reach), side="left"))
        kept = slice(min(first, len(up_to) - 1), min(last, len(up_to) - 1) + 1)
        self._below = int(up_to[kept][0] - self._ties[kept][0])
        self._values, self._ties = self._values[kept].copy(), self._ties[kept].copy()
        self._lowest, self._highest = float(self._values[0]), float(self._values[-1])
