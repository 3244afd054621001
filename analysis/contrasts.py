"""Differences with their Monte Carlo standard errors: between stages or levels of one file, or between two files.

Replicates of one file are *pairs*: what both figures share cancels. With residuals r_i, t_i of the two figures, summed
over the independent groups of replicates (`analysis.monte_carlo_error`), the error of a difference of means is formula
(1) there applied to r_i - t_i. A quantile has the residuals 1{x_i <= q} - p; the errors e, f of the two quantiles are
joined by the correlation c of the group sums of these::

    se(difference)^2 = e^2 + f^2 - 2 c e f                                                          (1)

which is the linearisation of R. R. Bahadur (1966), A note on quantiles in large samples, Annals of Mathematical
Statistics 37, 577-580, for two quantiles at once. Two files are independent: c = 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.convergence_statistics import probability_of
from analysis.embedded import read_roles
from analysis.monte_carlo_error import GroupSums
from analysis.passes import measure, read_values
from analysis.quantity import number_or_none
from analysis.stages import Stage, all_stages, choose_stages
from analysis.summaries import stages_with_axes
from simcore.errors import UserError, nearest
from simcore.store.layout import CHUNK_ROWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simcore.store import Results

_BLOCK_ROWS = 16 * CHUNK_ROWS
PAIRED = "paired by replicate"
UNPAIRED = "two files, taken as independent"
SAME_SEED = "two files of one seed, taken as independent: as a rule the error is too large"


@dataclass(frozen=True)
class Contrast:
    """A difference, first less second.

    Attributes
    ----------
    first, second : float
    first_mcse, second_mcse : float
    difference, mcse : float
        NaN where there are too few replicates.
    correlation : float
        Between the errors of both figures; 0 for two files.
    method : str
    """

    first: float
    first_mcse: float
    second: float
    second_mcse: float
    difference: float
    mcse: float
    correlation: float
    method: str

    def as_json(self) -> dict[str, Any]:
        """Return plain data, None where something is missing."""
        return {
            name: number_or_none(value) if isinstance(value, float) else value for name, value in vars(self).items()
        }


@dataclass(frozen=True)
class _Figure:
    """One of the two: which column of which file, and what was measured of it."""

    results: Results
    stage: Stage
    by: tuple[str, ...]
    column: int
    estimate: float
    error: float

    def values(self, rows: slice) -> NDArray[np.float64]:
        return read_values(self.results, [self.stage], self.by, rows)[self.column]


def contrast(
    results: Results,
    first: str,
    second: str | None = None,
    *,
    statistic: str = "mean",
    first_levels: Mapping[str, str] | None = None,
    second_levels: Mapping[str, str] | None = None,
    other: Results | None = None,
) -> Contrast:
    """Return the difference of a statistic between two stages, two levels or two files.

    Parameters
    ----------
    results : Results
    first, second : str
        Names of stages (see `analysis.stages`); ``second`` is ``first`` by default.
    statistic : str
        ``"mean"``, ``"median"``, or ``"qNN"`` such as ``"q95"``: the two are taken, then their difference.
    first_levels, second_levels : mapping of axis -> level, optional
        One level each of any stored axes, as in ``{"origin": "MEX"}``.
    other : Results, optional
        The file of ``second``; ``results`` by default.

    Returns
    -------
    Contrast

    Raises
    ------
    UserError
        An unknown stage, statistic or level.
    ResultsError
        An axis that is not stored.
    """
    probability = probability_of(statistic)
    one = _figure(results, first, first_levels or {}, probability)
    two = _figure(other or results, second or first, second_levels or {}, probability)
    correlation, method = 0.0, UNPAIRED
    if other is None or other is results:
        correlation, method = _correlation(one, two, probability), PAIRED
    elif results.attributes.get("seed") == other.attributes.get("seed"):
        method = SAME_SEED
    spread = one.error**2 + two.error**2 - 2.0 * correlation * one.error * two.error
    error = math.sqrt(max(spread, 0.0)) if math.isfinite(spread) else math.nan
    return Contrast(
        one.estimate, one.error, two.estimate, two.error, one.estimate - two.estimate, error, correlation, method
    )


def _figure(results: Results, name: str, levels: Mapping[str, str], probability: float | None) -> _Figure:
    by = tuple(levels)
    stages = stages_with_axes(results, choose_stages(all_stages(results, read_roles(results)), [name]), by)
    if len(stages) > 1:
        raise UserError(f"'{name}' stands for {len(stages)} quantities; name one, such as {stages[0].name}")
    column = 0
    for axis, level in levels.items():
        labels = results.labels(axis)
        if level not in labels:
            raise UserError(f"{axis} = '{level}': no such level{nearest(level, labels)} (known: {', '.join(labels)})")
        column = column * len(labels) + labels.index(level)
    measured = measure(results, stages, by=by, probabilities=[] if probability is None else [probability])
    if probability is None:
        estimate, error = measured.mean[column], measured.mean_error[column]
    else:
        estimate, error = measured.quantile[column, 0], measured.quantile_error[column, 0]
    return _Figure(results, stages[0], by, column, float(estimate), float(error))


def _correlation(one: _Figure, two: _Figure, probability: float | None) -> float:
    """Correlation of the errors of two figures of one file, from the group sums of their residuals."""
    sums, last = GroupSums(1, 3), -1
    for rows in _blocks(one.results):
        residuals = [_residuals(figure.values(rows), figure.estimate, probability) for figure in (one, two)]
        columns = np.stack([*residuals, residuals[0] + residuals[1]], axis=1)
        groups = one.results.theta_ids(rows).astype(np.int64)
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        sums.add(0, columns, np.ones(len(columns), dtype=bool), starts, goes_on=bool(groups[0] == last))
        last = int(groups[-1])
    sums.close()
    first, second, both = sums.squares[0]
    return float((both - first - second) / (2.0 * math.sqrt(first * second))) if first * second > 0.0 else 0.0


def _blocks(results: Results) -> Sequence[slice]:
    ends = range(0, results.replicates, _BLOCK_ROWS)
    return [slice(first, min(first + _BLOCK_ROWS, results.replicates)) for first in ends]


def _residuals(values: NDArray[np.float64], estimate: float, probability: float | None) -> NDArray[np.float64]:
    """Residuals, 0 where the value is missing."""
    if probability is None:
        return np.where(np.isnan(values), 0.0, values - estimate)
    # The share up to the quantile falls where the quantile rises.
    return np.where(np.isnan(values), 0.0, probability - (values <= estimate))
