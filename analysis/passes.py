"""The passes over a results file: moments, order statistics and group sums of all stages, in bounded memory.

The replicates are read in blocks, the next ones by other threads while one is worked on. How often the file
is read hardly depends on its length: once, twice if it is very long, and once or twice more if it is nested (the
spread between groups, then the order statistics that this asks for).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.monte_carlo_error import (
    GroupSums,
    RankInterval,
    binomial_ranks,
    deviation_error,
    grouped_ranks,
    merged_powers,
)
from analysis.order_statistics import OrderStatistics, pilot_edges, pilot_windows, window_share
from simcore.errors import ResultsError
from simcore.store.layout import CHUNK_ROWS

if TYPE_CHECKING:
    from analysis.stages import Stage
    from simcore.store import Results

_BLOCK_BYTES = 16 * 2**20
_LONGEST_BLOCK = 16 * CHUNK_ROWS
_MOST_COLUMNS = 1024
_PILOT_CHUNKS = 16
_READERS = 2
_PILOT_BYTES = 64 * 2**20
_WINDOW_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Measured:
    """What was measured of every column; a column is one stage in one combination of levels.

    All arrays are [columns] or [columns, probabilities]; float64 with NaN for what cannot be said.

    Attributes
    ----------
    n, missing, groups : int64 [columns]
        Replicates with and without a value; independent groups of those with one.
    zeros, zeros_error : float64 [columns]
        Share of zeros.
    mean, mean_error, sd, sd_error : float64 [columns]
    quantile, quantile_error : float64 [columns, probabilities]
    """

    n: NDArray[np.int64]
    missing: NDArray[np.int64]
    groups: NDArray[np.int64]
    zeros: NDArray[np.float64]
    zeros_error: NDArray[np.float64]
    mean: NDArray[np.float64]
    mean_error: NDArray[np.float64]
    sd: NDArray[np.float64]
    sd_error: NDArray[np.float64]
    quantile: NDArray[np.float64]
    quantile_error: NDArray[np.float64]


def measure(
    results: Results, stages: Sequence[Stage], *, by: Sequence[str], probabilities: Sequence[float]
) -> Measured:
    """Measure stages.

    Parameters
    ----------
    results : Results
    stages : sequence of Stage
        All of them must have the axes of ``by``.
    by : sequence of str
        Strata axes to keep apart.
    probabilities : sequence of float
        Of the quantiles, each within 0..1.

    Returns
    -------
    Measured
        Columns in the order stage, then levels of ``by`` (last axis fastest).

    Raises
    ------
    ResultsError
        The axes are not stored, or the file is damaged.
    """
    cells = math.prod(results.layout.sizes(by))
    at_once = max(1, _MOST_COLUMNS // cells)
    parts = [
        _Passes(results, stages[first : first + at_once], by, probabilities).measured()
        for first in range(0, len(stages), at_once)
    ]
    return Measured(*(np.concatenate([getattr(part, name) for part in parts]) for name in Measured.__annotations__))


def read_values(results: Results, stages: Sequence[Stage], by: Sequence[str], rows: slice) -> NDArray[np.float64]:
    """Read the values of stages in some replicates.

    Returns
    -------
    float64 array [columns, rows]
        Columns in the order of `measure`.
    """
    names = dict.fromkeys(name for stage in stages for name in stage.variables)
    counts = {name: results.read(name, by=by, rows=rows) for name in names}
    length = rows.stop - rows.start
    values = [stage.count(counts).reshape(length, -1).T for stage in stages]
    return np.concatenate(values, axis=0, dtype=np.float64)


class _Passes:
    """The state of all columns between the passes."""

    def __init__(
        self, results: Results, stages: Sequence[Stage], by: Sequence[str], probabilities: Sequence[float]
    ) -> None:
        self.results = results
        self.stages = stages
        self.by = tuple(by)
        self.probabilities = tuple(probabilities)
        self.columns = len(stages) * math.prod(results.layout.sizes(by))
        self.nested = results.nested[1] > 1
        rows = _BLOCK_BYTES // (8 * self.columns) // CHUNK_ROWS * CHUNK_ROWS
        self.block_rows = min(max(rows, CHUNK_ROWS), _LONGEST_BLOCK)
        self.mean = np.zeros(self.columns)
        self.powers = np.zeros((self.columns, 3))  # sums of squared, cubed, fourth powers of deviations from the mean
        self.zeros = np.zeros(self.columns, dtype=np.int64)
        self.orders = self._order_statistics()

    @property
    def n(self) -> NDArray[np.int64]:
        return np.array([order.count for order in self.orders], dtype=np.int64)

    def measured(self) -> Measured:
        self._pass(self._add_moments)
        for order in self.orders:
            order.want(rank for p in self.probabilities if order.count for rank in _around(order.count, p))
        if not self.nested:
            self._want_intervals(None)
        self._find()
        n = self.n
        missing = self.results.replicates - n
        counted = np.where(n > 1, n, np.nan)
        sd = np.sqrt(self.powers[:, 0] / (counted - 1.0))
        zeros = np.where(n > 0, self.zeros / np.maximum(n, 1), np.nan)
        if self.nested:
            groups, errors = self._group_errors(n)
            mean_error, sd_error, zeros_error = errors[:, 0], errors[:, 1], errors[:, 2]
            self._want_intervals(errors[:, 3:])
            self._find()
        else:
            groups, mean_error = n, sd / np.sqrt(np.maximum(n, 1))
            sd_error = deviation_error(counted, self.powers[:, 0], self.powers[:, 2])
            zeros_error = np.sqrt(zeros * (1.0 - zeros) / counted)
        quantile = np.full((self.columns, len(self.probabilities)), np.nan)
        quantile_error = quantile.copy()
        for c, order in enumerate(self.orders):
            for q, p in enumerate(self.probabilities):
                if order.count:
                    quantile[c, q] = _quantile(order, p)
                ranks = self.intervals[c][q]
                if ranks is not None:
                    quantile_error[c, q] = (order.value(ranks.upper) - order.value(ranks.lower)) / (2.0 * ranks.z)
        return Measured(
            n=n,
            missing=missing,
            groups=groups,
            zeros=zeros,
            zeros_error=zeros_error,
            mean=np.where(n > 0, self.mean, np.nan),
            mean_error=mean_error,
            sd=sd,
            sd_error=sd_error,
            quantile=quantile,
            quantile_error=quantile_error,
        )

    # Passes -----------------------------------------------------------------------------------------------------

    def _order_statistics(self) -> list[OrderStatistics]:
        """One per column, its first edges from chunks that are spread over the file."""
        replicates = self.results.replicates
        chunks = -(-replicates // CHUNK_ROWS)
        if chunks <= _PILOT_CHUNKS:  # columns this short are kept whole
            return [OrderStatistics(replicates, np.zeros(0)) for _ in range(self.columns)]
        count = max(1, min(_PILOT_CHUNKS, _PILOT_BYTES // (8 * self.columns * CHUNK_ROWS)))
        starts = [int(chunk) * CHUNK_ROWS for chunk in np.linspace(0, chunks - 1, count).astype(int)]
        slices = [slice(start, min(start + CHUNK_ROWS, replicates)) for start in starts]
        pilot = np.concatenate([self._values(rows) for rows in slices], axis=1)
        pilot.sort(axis=1)
        gathered = 8 * self.columns * replicates * window_share(pilot.shape[1], self.probabilities)
        orders = []
        for row in pilot:
            ordered = row[: _present(row)]
            windows = pilot_windows(ordered, self.probabilities) if gathered <= _WINDOW_BYTES else []
            orders.append(OrderStatistics(replicates, pilot_edges(ordered, self.probabilities), windows))
        return orders

    def _values(self, rows: slice) -> NDArray[np.float64]:
        """Values of some replicates, float64 [columns, rows]."""
        return read_values(self.results, self.stages, self.by, rows)

    def _blocks(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        replicates = self.results.replicates
        ranges = [
            slice(start, min(start + self.block_rows, replicates)) for start in range(0, replicates, self.block_rows)
        ]
        coming: deque[tuple[slice, Future[NDArray[np.float64]]]] = deque()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="summary") as readers:
            for rows in ranges:
                coming.append((rows, readers.submit(self._values, rows)))
                if len(coming) > _READERS:
                    first, values = coming.popleft()
                    yield first, values.result()
            for first, values in coming:
                yield first, values.result()

    def _pass(self, also: Callable[[int, NDArray[np.float64]], None] | None = None) -> None:
        """Hand every sorted block to the order statistics, and to ``also``."""
        for _, values in self._blocks():
            values.sort(axis=1)
            for c, order in enumerate(self.orders):
                ordered = values[c, : _present(values[c])]
                if also is not None:
                    also(c, ordered)
                order.add(ordered)
        for order in self.orders:
            order.end_pass()

    def _find(self) -> None:
        while any(order.busy for order in self.orders):
            self._pass()

    def _add_moments(self, c: int, ordered: NDArray[np.float64]) -> None:
        """Merge the centred moments of a block (before its values are counted)."""
        before, size = self.orders[c].count, len(ordered)
        if not size:
            return
        mean = float(ordered.mean())
        apart = mean - self.mean[c]
        deviations = ordered - mean
        squared = np.square(deviations)  # sums in pairs; the dot product would start BLAS threads
        within = np.array([squared.sum(), (squared * deviations).sum(), np.square(squared).sum()])
        self.powers[c] = merged_powers(before, self.powers[c], size, within, apart)
        self.mean[c] += apart * size / (before + size)
        self.zeros[c] += int(np.searchsorted(ordered, 0.0, side="right"))  # no value is negative

    def _want_intervals(self, errors: NDArray[np.float64] | None) -> None:
        """Ask for the order statistics around every quantile; ``errors`` are those of the shares, if in groups."""
        self.intervals: list[list[RankInterval | None]] = []
        for c, order in enumerate(self.orders):
            intervals = [
                binomial_ranks(order.count, p) if errors is None else grouped_ranks(order.count, p, float(errors[c, q]))
                for q, p in enumerate(self.probabilities)
            ]
            order.want(rank for ranks in intervals if ranks is not None for rank in (ranks.lower, ranks.upper))
            self.intervals.append(intervals)

    def _group_errors(self, n: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Groups, and standard errors [columns, 3 + Q]: mean, standard deviation, share of zeros, and the share of
        values up to each quantile.

        With ties at the quantile, the shares below it and up to it differ; the larger error is taken.
        """
        q = len(self.probabilities)
        sums = GroupSums(self.columns, 3 + 2 * q)
        variance = self.powers[:, 0] / np.maximum(n, 1)
        twice = 2.0 * np.sqrt(np.where(variance > 0.0, variance, np.inf))
        zeros = self.zeros / np.maximum(n, 1)
        at = [
            [(order.value(rank), *order.ranks_of(rank)) for rank in self._floor_ranks(order)] if order.count else []
            for order in self.orders
        ]
        last = -1
        for rows, values in self._blocks():
            identifiers = self.results.theta_ids(rows).astype(np.int64)
            if identifiers[0] < last or (np.diff(identifiers) < 0).any():
                raise ResultsError(f"{self.results.path or 'results in memory'}: parameter sets are not in order")
            starts = np.flatnonzero(np.diff(identifiers, prepend=-1))
            for c, column in enumerate(values):
                present = ~np.isnan(column)
                residuals = np.zeros((len(column), 3 + 2 * q))
                residuals[:, 0] = np.where(present, column - self.mean[c], 0.0)
                residuals[:, 1] = np.where(present, (np.square(residuals[:, 0]) - variance[c]) / twice[c], 0.0)
                residuals[:, 2] = np.where(present, (column == 0.0) - zeros[c], 0.0)
                for k, (value, below, up_to) in enumerate(at[c]):
                    residuals[:, 3 + k] = np.where(present, (column <= value) - up_to / n[c], 0.0)
                    residuals[:, 3 + q + k] = np.where(present, (column < value) - below / n[c], 0.0)
                sums.add(c, residuals, present, starts, goes_on=bool(identifiers[0] == last))
            last = int(identifiers[-1])
        sums.close()
        errors = sums.errors(n)
        shares = np.maximum(errors[:, 3 : 3 + q], errors[:, 3 + q :])
        return sums.groups, np.concatenate([errors[:, :3], shares], axis=1)

    def _floor_ranks(self, order: OrderStatistics) -> list[int]:
        return [_around(order.count, p)[0] for p in self.probabilities]


def _present(ordered: NDArray[np.float64]) -> int:
    """Values of a sorted row that are not NaN (NaN is sorted to its end)."""
    return len(ordered) - int(np.isnan(ordered).sum())


def _around(n: int, probability: float) -> tuple[int, int]:
    """Ranks on both sides of the position (n - 1) p."""
    lower = min(math.floor((n - 1) * probability), n - 1)
    return lower, min(lower + 1, n - 1)


def _quantile(order: OrderStatistics, probability: float) -> float:
    """Quantile with linear interpolation between order statistics (type 7 of Hyndman and Fan 1996, numpy's own)."""
    lower, upper = _around(order.count, probability)
    share = (order.count - 1) * probability - lower
    low, high = order.value(lower), order.value(upper)
    return low + share * (high - low)
