"""The funnel of weighted replicates, with Monte Carlo errors.

With weights w_r (equal within a parameter set g) and W = sum w_r over replicates with a value::

    mean m = sum w_r x_r / W,    se^2 = G / (G - 1) * sum_g (sum_{r in g} w_r (x_r - m))^2 / W^2           (1)

the delta method for a ratio of two means, with parameter sets as clusters (W. G. Cochran (1977), Sampling Techniques,
3rd ed., sections 6.4 and 9A.2); with equal weights it is formula (1) of `analysis.monte_carlo_error`. The quantile of
probability p interpolates the sorted values at ``(C_r - (w_r + w_1) / 2) / (W - (w_1 + w_n) / 2)``, where C is the
running sum of weights; with equal weights that is numpy's default (type 7 of Hyndman and Fan 1996). Its error comes
from the weighted indicators x_r <= q by (1): the interval runs between the quantiles of p -+ z se, and the standard
error is its length over 2 z (R. S. Woodruff (1952), Journal of the American Statistical Association 47, 635-646).

One stage is in memory at a time: about 60 bytes per replicate.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.embedded import read_roles
from analysis.monte_carlo_error import COVERAGE
from analysis.quantity import Estimate, Interval, Quantity
from analysis.stages import Stage, all_stages, choose_stages
from analysis.summaries import LEVELS, Summary, summarize
from simcore.errors import UserError

if TYPE_CHECKING:
    from analysis.reweighting.weights import Weights
    from simcore.store import Results

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_METHOD = (
    "re-weighted by density ratios; standard errors by the delta method with parameter sets as clusters, of quantiles "
    "by Woodruff (1952)"
)
_BLOCK_ROWS = 65_536


def summarize_weighted(
    results: Results,
    weights: Weights,
    *,
    levels: Sequence[float] = LEVELS,
    quantities: Sequence[str] | None = None,
) -> Summary:
    """Summarise weighted replicates: mean, sd, median and central intervals of every stage of the funnel.

    Parameters
    ----------
    results : Results
    weights : Weights
        From `analysis.reweight` on the same results.
    levels, quantities
        As in `analysis.summarize`.

    Returns
    -------
    Summary
        Of totals. ``header["reweighted"]`` says what the weights are.

    Raises
    ------
    UserError
        If a quantity is unknown, or the weights are not those of these results.
    """
    plain = summarize(results, levels=levels, quantities=quantities)
    sets = results.theta_ids().astype(np.int64)
    if weights.scenario_digest != results.attributes.get("scenario_digest") or int(sets[-1]) + 1 != weights.sets:
        raise UserError("weights: are those of other results")
    roles = read_roles(results)
    stages = choose_stages(all_stages(results, roles), quantities)
    chosen = plain.levels
    found = tuple(
        _quantity(stage, _values(results, stage), weights.values[sets], sets, chosen, weights.sets) for stage in stages
    )
    header = {**plain.header, "reweighted": weights.as_json(), "scenario_digest": weights.changed_digest}
    return Summary(header=header, by=(), levels=chosen, quantities=found, roles=roles)


def _values(results: Results, stage: Stage) -> FloatArray:
    """Return a stage of every replicate, float64 [n]."""
    values = np.empty(results.replicates)
    for first in range(0, results.replicates, _BLOCK_ROWS):
        rows = slice(first, min(first + _BLOCK_ROWS, results.replicates))
        values[rows] = stage.count({name: results.read(name, rows=rows) for name in stage.variables})
    return values


def _quantity(
    stage: Stage, values: FloatArray, weights: FloatArray, groups: IntArray, levels: Sequence[float], sets: int
) -> Quantity:
    present = ~np.isnan(values)
    missing = int(values.size - present.sum())
    values, weights, groups = values[present], weights[present], groups[present]
    counted = np.bincount(groups, minlength=sets) > 0 if values.size else np.zeros(sets, dtype=bool)
    sample = WeightedSample(values, weights, groups, sets)
    tails = [((1.0 - level) / 2.0, (1.0 + level) / 2.0) for level in levels]
    ends = {p: sample.quantile(p) for p in (0.5, *itertools.chain.from_iterable(tails))}
    return Quantity(
        name=stage.name,
        label=stage.label,
        kind=stage.kind,
        section=stage.section,
        levels={},
        n=values.size,
        missing=missing,
        groups=int(counted.sum()),
        zeros=sample.share(values == 0.0),
        zeros_mcse=sample.share_error(values == 0.0),
        mean=sample.mean(),
        sd=sample.deviation(),
        sd_mcse=sample.deviation_error(),
        median=ends[0.5],
        intervals=tuple(
            Interval(level, ends[low], ends[high]) for level, (low, high) in zip(levels, tails, strict=True)
        ),
        method=_METHOD,
    )


class WeightedSample:
    """Values with weights, in groups.

    Parameters
    ----------
    values : float64 [n]
    weights : float64 [n]
        Not negative; equal within a group.
    groups : int64 [n]
        From 0 to ``count`` - 1.
    count : int
    """

    def __init__(self, values: FloatArray, weights: FloatArray, groups: IntArray, count: int) -> None:
        self.values, self.weights, self.groups, self.count = values, weights, groups, count
        self.total = float(weights.sum())
        self.usable = values.size > 0 and self.total > 0.0
        order = np.argsort(values, kind="stable")
        self._ordered = values[order]
        sorted_weights = weights[order]
        if self.usable:
            running = np.cumsum(sorted_weights) - 0.5 * (sorted_weights + sorted_weights[0])
            span = running[-1]
            self._places = running / span if span > 0.0 else np.zeros_like(running)

    def share(self, chosen: npt.NDArray[np.bool_]) -> float:
        """Return the weight of the chosen values, as a share."""
        return float(self.weights[chosen].sum()) / self.total if self.usable else math.nan

    def share_error(self, chosen: npt.NDArray[np.bool_]) -> float:
        """Return the standard error of `share`."""
        return self._error(chosen - self.share(chosen)) if self.usable else math.nan

    def mean(self) -> Estimate:
        """Return the mean and its standard error."""
        if not self.usable:
            return Estimate(math.nan, math.nan)
        centre = float(self.weights @ self.values) / self.total
        return Estimate(centre, self._error(self.values - centre))

    def deviation(self) -> float:
        """Return the standard deviation."""
        if not self.usable:
            return math.nan
        centre = float(self.weights @ self.values) / self.total
        lost = float(np.square(self.weights).sum()) / self.total**2
        if lost >= 1.0:
            return math.nan
        return math.sqrt(float(self.weights @ np.square(self.values - centre)) / self.total / (1.0 - lost))

    def deviation_error(self) -> float:
        """Return the standard error of the standard deviation (linearised)."""
        if not self.usable:
            return math.nan
        squared = np.square(self.values - float(self.weights @ self.values) / self.total)
        variance = float(self.weights @ squared) / self.total
        return self._error((squared - variance) / (2.0 * math.sqrt(variance))) if variance > 0.0 else 0.0

    def quantile(self, probability: float) -> Estimate:
        """Return a quantile and its standard error (NaN where there are too few values for one)."""
        if not self.usable:
            return Estimate(math.nan, math.nan)
        from scipy.special import ndtri

        found = self._at(probability)
        up_to, below = self.values <= found, self.values < found
        error = max(self._error(chosen - self.share(chosen)) for chosen in (up_to, below))
        reach = float(ndtri((1.0 + COVERAGE) / 2.0)) * error
        low, high = probability - reach, probability + reach
        if not (low > 0.0 and high < 1.0):
            return Estimate(found, math.nan)
        return Estimate(found, (self._at(high) - self._at(low)) / (2.0 * reach / error) if error > 0.0 else 0.0)

    def _at(self, probability: float) -> float:
        return float(np.interp(probability, self._places, self._ordered))

    def _error(self, residuals: npt.NDArray[np.floating[Any]]) -> float:
        """Return formula (1) for residuals."""
        sums = np.bincount(self.groups, weights=self.weights * residuals, minlength=self.count)
        groups = int((np.bincount(self.groups, minlength=self.count) > 0).sum())
        if groups < 2:
            return math.nan
        return math.sqrt(groups / (groups - 1.0) * float(np.square(sums).sum())) / self.total
