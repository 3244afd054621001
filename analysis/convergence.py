"""Convergence: how mean, median and quantiles settle while replicates are added, and how many more a precision takes.

The figures after n replicates are those that `analysis.summaries` would give of the first n: the file is measured again
and again from its beginning, at lengths that grow by a constant factor, so the work is a few times that of one summary
and memory does not grow with the number of replicates. In a nested run the parameter sets are the independent units.

A standard error falls with the square root of the number of replicates, so a relative error e at n needs about
n (e / 0.01)^2 replicates to become 1 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.convergence_statistics import probability_of
from analysis.embedded import read_roles
from analysis.passes import measure
from analysis.quantity import number_or_none
from analysis.stages import all_stages, choose_stages
from analysis.summaries import STATEMENT, header_of
from simcore.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simcore.store import Results

STATISTICS = ("mean", "median", "q05", "q95")
MOST_POINTS = 40
FIRST = 32
"""Replicates (or parameter sets, if nested) of the first point."""

TARGET = 0.01


@dataclass(frozen=True)
class Course:
    """One statistic of one quantity after ever more replicates.

    Attributes
    ----------
    quantity, label, statistic : str
    replicates : int64 [points]
    estimate, mcse : float64 [points]
        NaN where there were too few replicates.
    """

    quantity: str
    label: str
    statistic: str
    replicates: NDArray[np.int64]
    estimate: NDArray[np.float64]
    mcse: NDArray[np.float64]

    @property
    def relative_error(self) -> float:
        """Standard error over estimate at the end; NaN where the estimate is 0 or the error missing."""
        return float(self.mcse[-1] / self.estimate[-1]) if self.estimate[-1] > 0.0 else math.nan

    @property
    def needed(self) -> int | None:
        """Replicates at which the relative error would be `TARGET`; None if that cannot be said."""
        if not self.relative_error > 0.0:
            return None
        return math.ceil(int(self.replicates[-1]) * (self.relative_error / TARGET) ** 2)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "quantity": self.quantity,
            "label": self.label,
            "statistic": self.statistic,
            "replicates": self.replicates.tolist(),
            "estimate": [number_or_none(value) for value in self.estimate.tolist()],
            "mcse": [number_or_none(value) for value in self.mcse.tolist()],
            "relative_error": number_or_none(self.relative_error),
            "replicates_for_1_percent": self.needed,
        }


@dataclass(frozen=True)
class Convergence:
    """The courses of a results file."""

    header: Mapping[str, Any]
    courses: tuple[Course, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "filetype": "simcore-convergence",
            "version": 1,
            "statement": STATEMENT,
            **self.header,
            "target": TARGET,
            "courses": [course.as_json() for course in self.courses],
        }


class _Beginning:
    """The first ``replicates`` of results; all else is theirs."""

    def __init__(self, results: Results, replicates: int) -> None:
        self._results = results
        self.replicates = replicates

    def __getattr__(self, name: str) -> Any:
        return getattr(self._results, name)


def lengths(replicates: int, inner: int = 1) -> list[int]:
    """Return at most `MOST_POINTS` numbers of replicates, whole parameter sets each, evenly spaced on a log axis."""
    if replicates <= FIRST * inner:
        return [replicates]
    spaced = np.geomspace(FIRST, replicates / inner, MOST_POINTS)[:-1]
    return sorted({*(round(sets) * inner for sets in spaced if round(sets) * inner < replicates), replicates})


def follow_convergence(
    results: Results, *, quantities: Sequence[str] = ("arrived",), statistics: Sequence[str] = STATISTICS
) -> Convergence:
    """Follow statistics of totals over the replicates of a file.

    Parameters
    ----------
    results : Results
        Of a single or a nested loop.
    quantities : sequence of str
        Names of stages (see `analysis.stages`), or families.
    statistics : sequence of str
        ``"mean"``, ``"median"``, or ``"qNN"`` such as ``"q95"``.

    Returns
    -------
    Convergence

    Raises
    ------
    UserError
        An unknown quantity or statistic.
    """
    stages = choose_stages(all_stages(results, read_roles(results)), quantities)
    probabilities = [probability_of(statistic) for statistic in statistics]
    if not statistics:
        raise UserError("statistics: name at least one, such as 'mean'")
    quantile_places = [p for p in probabilities if p is not None]
    points = [length for length in lengths(results.replicates, results.nested[1]) if length <= results.replicates]
    found: list[list[tuple[float, float]]] = [[] for _ in range(len(stages) * len(statistics))]
    for length in points:
        beginning: Any = _Beginning(results, length)
        measured = measure(beginning, stages, by=(), probabilities=quantile_places)
        for column in range(len(stages)):
            place = 0
            for number, probability in enumerate(probabilities):
                if probability is None:
                    pair = measured.mean[column], measured.mean_error[column]
                else:
                    pair = measured.quantile[column, place], measured.quantile_error[column, place]
                    place += 1
                found[column * len(statistics) + number].append((float(pair[0]), float(pair[1])))
    courses = []
    for column, stage in enumerate(stages):
        for number, statistic in enumerate(statistics):
            pairs = np.array(found[column * len(statistics) + number])
            replicates = np.array(points, dtype=np.int64)
            courses.append(Course(stage.name, stage.label, statistic, replicates, pairs[:, 0], pairs[:, 1]))
    return Convergence(header_of(results), tuple(courses))
