"""Country-years as rows: what the conditional models of the imputation are fitted to.

One row per origin and calendar year (the donors: the origins' own years), with these columns, each on its variable's
transformed scale and then standardised over the donors:

* every covariate in that year; in the row of the year in question the value observed nearest to it;
* for each covariate that is missing somewhere near that year, its *lagged value*: for a missing cell the value observed
  nearest to the year, which lies outside the window, before or (a lead) after it. Donors have nearer values at hand,
  but knowing last year's value is not like knowing that of ten years ago: each donor's lagged value is at least as far
  away as that of one of the missing cells, taken in turn, so that the residual spread is that of such cells;
* the *lag* itself, in years with its sign, so that an older value may have drifted further;
* the calendar year, for a common trend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simcore.scenario.covariates import Observed, nearest_values

Floats = npt.NDArray[np.float64]

DECADE = 10.0
"""Years that are one unit of the columns of time: about the size of a standardised covariate."""


@dataclass(frozen=True, eq=False)
class CountryYears:
    """Rows for a chained imputation.

    Attributes
    ----------
    table : float64 [O * T, C]
        Standardised; NaN where missing. Origins outside, years inside.
    targets : int64 [O]
        Rows of the year in question.
    centre, scale : float64 [J]
        Of the covariates over their donors, transformed scale.
    lowest, highest : float64 [C]
        Limits of every column, standardised: those declared, else the least and the greatest donor.
    donors : int64 [J]
        Country-years in which a covariate was observed.
    """

    table: Floats
    targets: npt.NDArray[np.int64]
    centre: Floats
    scale: Floats
    lowest: Floats
    highest: Floats
    donors: npt.NDArray[np.int64]


def transformed_series(observed: Observed) -> Floats:
    """Return the observed series on the transformed scales, float64 [O, J, T]."""
    series = np.empty_like(observed.series)
    for j, variable in enumerate(observed.variables.values()):
        series[:, j] = variable.forward(observed.series[:, j])
    return series


def lagged_values(series: Floats, least: npt.NDArray[np.int64] | int) -> tuple[Floats, Floats]:
    """Return for every year the nearest value observed at least so many years away, and how far away it is.

    Parameters
    ----------
    series : float64 [..., T]
        Consecutive years; NaN where missing.
    least : int or int64 [..., T]
        Nearer values are passed over; at least 1.

    Returns
    -------
    values : float64 [..., T]
        Of two equally near the earlier; NaN where nothing was observed so far away.
    lags : float64 [..., T]
        Years from then to now: positive for a value that is older than the year, negative for a later one, or NaN.
    """
    years = series.shape[-1]
    allowed = np.broadcast_to(least, series.shape)
    found, lags = np.full_like(series, np.nan), np.full_like(series, np.nan)
    for distance in range(1, years):
        for step in (-distance, distance):
            here = slice(max(0, -step), years - max(0, step))
            there = slice(max(0, step), years - max(0, -step))
            candidate = series[..., there]
            take = np.isnan(found[..., here]) & ~np.isnan(candidate) & (allowed[..., here] <= distance)
            np.copyto(found[..., here], candidate, where=take)
            np.copyto(lags[..., here], -step, where=take)
    return found, lags


def _least_lags(series: Floats, observed: Observed) -> npt.NDArray[np.int64]:
    """Return how far away a lagged value must be, int64 [O, J, T]: as for one of the missing cells, in turn."""
    origins, _, years = series.shape
    at = int(observed.year - observed.calendar[0])
    outside = observed.window + 1
    least = np.full(series.shape, outside, dtype=np.int64)
    of_cells = np.abs(lagged_values(series, outside)[1][:, :, at])
    turn = np.add.outer(np.arange(origins), np.arange(years))
    for j in np.flatnonzero(observed.missing.any(axis=0)):
        lags = of_cells[observed.missing[:, j], j]
        lags = np.sort(lags[~np.isnan(lags)]).astype(np.int64)
        if lags.size:
            least[:, j] = lags[turn % lags.size]
    least[:, :, at] = outside
    return least


def country_years(observed: Observed) -> CountryYears:
    """Return the rows for imputing the missing cells of ``observed``.

    Raises
    ------
    ValueError
        If a covariate has the same value in all donors: nothing can be learned about it.
    """
    series = transformed_series(observed)
    origins, variables, years = series.shape
    at = int(observed.year - observed.calendar[0])
    donors = np.count_nonzero(~np.isnan(series), axis=(0, 2))
    centre, scale = np.nanmean(series, axis=(0, 2)), np.nanstd(series, axis=(0, 2))
    if np.any(scale == 0.0):
        name = tuple(observed.variables)[int(np.argmax(scale == 0.0))]
        raise ValueError(f"{name} has the same value in every observed year of every origin")
    lowest, highest = np.nanmin(series, axis=(0, 2)), np.nanmax(series, axis=(0, 2))
    for j, variable in enumerate(observed.variables.values()):
        if variable.lower is not None:
            lowest[j] = variable.forward(np.array(variable.lower)).item()
        if variable.upper is not None:
            highest[j] = variable.forward(np.array(variable.upper)).item()

    lagged, lags = lagged_values(series, _least_lags(series, observed))
    now = series.copy()
    now[:, :, at] = nearest_values(series, observed.calendar, observed.year, observed.window)[0]
    incomplete = np.flatnonzero(observed.missing.any(axis=0))
    columns = [*range(variables), *incomplete]
    parts = np.concatenate([now, lagged[:, incomplete]], axis=1)
    parts = (parts - centre[columns, np.newaxis]) / scale[columns, np.newaxis]
    ages = lags[:, incomplete] / DECADE
    trend = np.broadcast_to((observed.calendar - observed.year) / DECADE, (origins, 1, years))
    table = np.concatenate([parts, ages, trend], axis=1).transpose(0, 2, 1).reshape(origins * years, -1)
    low, high = ((bounds - centre) / scale for bounds in (lowest, highest))
    no_limit = np.full(len(incomplete) + 1, np.inf)
    return CountryYears(
        table=np.ascontiguousarray(table),
        targets=np.arange(origins) * years + at,
        centre=centre,
        scale=scale,
        lowest=np.append(low[columns], -no_limit),
        highest=np.append(high[columns], no_limit),
        donors=donors,
    )
