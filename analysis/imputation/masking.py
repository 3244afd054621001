"""Does the imputation know how much it does not know? Known cells are hidden, imputed, and compared with the truth.

Every observed cell near the year is hidden once, together with all that was observed of it within the window; the cells
are dealt at random into groups that are hidden together (missing completely at random). A cell's truth and its M draws
are exchangeable if the draws come from the right distribution, so the number of draws below the truth is uniform on
0..M, and the interval from the least to the greatest of M = 19 draws covers with probability (M - 1) / (M + 1) = 90 %
exactly. No quantile of the draws is estimated, and no normal distribution assumed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.imputation.chained import ROUNDS, impute_panels
from simcore.engines.random import derive_key
from simcore.scenario.covariates import Observed, nearest_values

Cell = tuple[int, int]

DRAWS = 19
"""Draws of a hidden cell: their range is a 90 % interval."""


@dataclass(frozen=True)
class HiddenCell:
    """A known cell that was hidden, on the transformed scale in standard deviations of its donors.

    Attributes
    ----------
    origin, covariate : str
    year : int
        The year in question.
    below : int
        Draws below the truth, 0 to M.
    error : float
        Median of the draws minus the truth.
    width : float
        Greatest minus least draw.
    draws : int
        M.
    """

    origin: str
    covariate: str
    year: int
    below: int
    error: float
    width: float
    draws: int

    @property
    def covered(self) -> bool:
        """Whether the truth lies between the least and the greatest draw."""
        return 0 < self.below < self.draws


def at_year(observed: Observed, year: int) -> Observed:
    """Return the same observations seen from another year of their calendar."""
    values, years = nearest_values(observed.series, observed.calendar, year, observed.window)
    return dataclasses.replace(observed, year=year, values=values, years=years)


def hide(observed: Observed, cells: Sequence[Cell]) -> Observed:
    """Return the observations without what was observed of (origin, variable) cells within the window of the year."""
    series = observed.series.copy()
    near = np.abs(observed.calendar - observed.year) <= observed.window
    for origin, variable in cells:
        series[origin, variable, near] = np.nan
    values, years = nearest_values(series, observed.calendar, observed.year, observed.window)
    return dataclasses.replace(observed, series=series, values=values, years=years)


def deal(observed: Observed, groups: int, seed: int) -> list[list[Cell]]:
    """Deal the known cells near the year into groups of nearly equal size, in an order that ``seed`` decides."""
    known: npt.NDArray[np.int64] = np.argwhere(~observed.missing)
    names = tuple(observed.variables)
    order = sorted(
        ((int(o), int(j)) for o, j in known),
        key=lambda cell: derive_key(seed, "masking", (str(observed.year), observed.origins[cell[0]], names[cell[1]])),
    )
    return [order[group::groups] for group in range(groups)]


def hide_and_impute(
    observed: Observed,
    *,
    groups: int,
    seed: int,
    draws: int = DRAWS,
    rounds: int = ROUNDS,
    only_groups: int | None = None,
    tell: Callable[[int], None] = lambda group: None,
) -> list[HiddenCell]:
    """Hide every known cell near the year once, and impute it.

    Parameters
    ----------
    observed : Observed
    groups : int
        Into how many groups the cells are dealt; one group is hidden at a time.
    seed : int
        Decides the dealing and, with the group, the chains.
    draws : int
        M.
    rounds : int
        Rounds of a chain.
    only_groups : int, optional
        Hide only so many of the groups: less work, fewer cells.
    tell : callable
        Called with the number of groups done.

    Returns
    -------
    list of HiddenCell
    """
    names, found = tuple(observed.variables), []
    for group, cells in enumerate(deal(observed, groups, seed)[:only_groups]):
        imputation = impute_panels(
            hide(observed, cells), panels=draws, seed=derive_key(seed, "masking group", (str(group),)), rounds=rounds
        )
        for o, j in cells:
            variable, scale = observed.variables[names[j]], imputation.rows.scale[j]
            truth = variable.forward(observed.values[o, j]).item()
            drawn = imputation.transformed[:, o, j]
            found.append(
                HiddenCell(
                    origin=observed.origins[o],
                    covariate=names[j],
                    year=observed.year,
                    below=int(np.count_nonzero(drawn < truth)),
                    error=float((np.median(drawn) - truth) / scale),
                    width=float(np.ptp(drawn) / scale),
                    draws=draws,
                )
            )
        tell(group + 1)
    return found
