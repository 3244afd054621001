"""Finished members of a study side by side, and the differences from each cohort to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.cohorts.pairing import PROBABILITIES, measure_pairs, why_unpaired
from analysis.cohorts.study import Study
from analysis.passes import Measured
from analysis.quantity import Estimate, Interval, Quantity
from analysis.summaries import LEVELS, Summary, summarize
from analysis.tables import HEADLINE
from simcore.errors import ResultsError

if TYPE_CHECKING:
    from simcore.store import Results

LEVEL = PROBABILITIES[2] - PROBABILITIES[0]
"""Level of the interval of a paired difference."""

ONLY_POPULATION = (
    "Only the population and the cohort year change: all priors and covariates stay those of the scenario. The "
    "differences are what the same risks and routes would do to another year's population."
)
"""What is said of one scenario at several cohort years."""


@dataclass(frozen=True)
class Column:
    """One cohort of the table.

    Attributes
    ----------
    name : str
    cohort_year : int
    summary : Summary
        Of the headline quantities.
    """

    name: str
    cohort_year: int
    summary: Summary

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        header = self.summary.header
        return {
            "name": self.name,
            "cohort_year": self.cohort_year,
            "scenario": header.get("scenario_name"),
            "digest": header.get("scenario_digest"),
            "file": header.get("file"),
            "replicates": header["replicates"],
            "nested": header["nested"],
            "engine": header.get("engine"),
            "walker": header.get("walker"),
            "quantities": [quantity.as_json() for quantity in self.summary.quantities],
        }


@dataclass(frozen=True)
class Step:
    """One quantity from a cohort to the next.

    Attributes
    ----------
    quantity, label, kind : str
    earlier, later : str
        Names of the members.
    paired : bool
        Whether differences were taken replicate by replicate.
    reason : str
        Why not; empty if they were.
    mean : Estimate
        Difference of the means, later minus earlier.
    median : Estimate
        Median of the differences if paired, else difference of the medians.
    interval : Interval or None
        Of the differences, if paired.
    ratio : Estimate or None
        Median of later over earlier, if paired.
    ratio_interval : Interval or None
    variance_ratio : float
        Variance of the differences over the sum of both variances, if paired; NaN otherwise. One would be no gain.
    """

    quantity: str
    label: str
    kind: str
    earlier: str
    later: str
    paired: bool
    reason: str
    mean: Estimate
    median: Estimate
    interval: Interval | None
    ratio: Estimate | None
    ratio_interval: Interval | None
    variance_ratio: float

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "quantity": self.quantity,
            "earlier": self.earlier,
            "later": self.later,
            "paired": self.paired,
            "unpaired_because": self.reason or None,
            "mean_difference": self.mean.as_json(),
            "median_difference": self.median.as_json(),
            "interval": _interval_json(self.interval),
            "median_ratio": None if self.ratio is None else self.ratio.as_json(),
            "ratio_interval": _interval_json(self.ratio_interval),
            "variance_ratio": None if math.isnan(self.variance_ratio) else self.variance_ratio,
        }


def _interval_json(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {"level": interval.level, "lower": interval.lower.as_json(), "upper": interval.upper.as_json()}


@dataclass(frozen=True)
class Comparison:
    """Cohorts side by side.

    Attributes
    ----------
    folder : Path
    seed : int
    columns : tuple of Column
        By cohort year.
    steps : tuple of Step
        From each column to the next, by quantity.
    unfinished : tuple of str
        Members without results.
    only_population : bool
        Whether all are one scenario at several years, so that only the population and the cohort year differ.
    """

    folder: Path
    seed: int
    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    unfinished: tuple[str, ...]
    only_population: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "folder": str(self.folder),
            "seed": str(self.seed),
            "cohorts": [column.as_json() for column in self.columns],
            "steps": [step.as_json() for step in self.steps],
            "unfinished": list(self.unfinished),
            "only_population_and_cohort_year_differ": self.only_population,
            "note": ONLY_POPULATION if self.only_population else None,
        }


def compare_cohorts(study: Study) -> Comparison:
    """Compare the finished members of a study.

    Parameters
    ----------
    study : Study

    Raises
    ------
    ResultsError
        If no member is finished, or a results file is missing, damaged or not the one of the index.
    """
    from simcore.store import open_results

    if not study.finished:
        raise ResultsError(
            f"{study.folder}: none of the {len(study.entries)} members of the study is finished; the command that "
            "began it goes on"
        )
    columns: list[Column] = []
    steps: list[Step] = []
    before: Results | None = None
    try:
        for entry in study.finished:
            results = open_results(study.path(entry))
            try:
                if results.attributes.get("scenario_digest") != entry.scenario_digest:
                    raise ResultsError(f"{study.path(entry)}: holds another scenario than the index of the study says")
                summary = summarize(results, levels=LEVELS, quantities=HEADLINE)
                columns.append(Column(entry.name, entry.cohort_year, summary))
                if before is not None:
                    steps += _steps(columns[-2], columns[-1], before, results)
                    before.close()
            except BaseException:
                results.close()
                raise
            before = results
    finally:
        if before is not None:
            before.close()
    waiting = tuple(entry.name for entry in study.entries if entry not in study.finished)
    by_year = all(entry.is_by_year for entry in study.entries)
    return Comparison(study.folder, study.seed, tuple(columns), tuple(steps), waiting, by_year)


def _steps(earlier: Column, later: Column, first: Results, second: Results) -> list[Step]:
    reason = why_unpaired(first, second)
    if reason:
        pairs = zip(earlier.summary.quantities, later.summary.quantities, strict=True)
        return [_unpaired(earlier.name, later.name, one, other, reason) for one, other in pairs]
    names, differences, ratios = measure_pairs(first, second, HEADLINE)
    return [_paired(earlier, later, name, differences, ratios, column) for column, name in enumerate(names)]


def _unpaired(earlier: str, later: str, one: Quantity, other: Quantity, reason: str) -> Step:
    def apart(before: Estimate, after: Estimate) -> Estimate:
        return Estimate(after.estimate - before.estimate, math.hypot(before.mcse, after.mcse))

    return Step(
        quantity=one.name,
        label=one.label,
        kind=one.kind,
        earlier=earlier,
        later=later,
        paired=False,
        reason=reason,
        mean=apart(one.mean, other.mean),
        median=apart(one.median, other.median),
        interval=None,
        ratio=None,
        ratio_interval=None,
        variance_ratio=math.nan,
    )


def _paired(earlier: Column, later: Column, name: str, differences: Measured, ratios: Measured, column: int) -> Step:
    one, other = earlier.summary[name], later.summary[name]

    def quantiles(measured: Measured) -> tuple[Estimate, Estimate, Estimate]:
        low, middle, high = (
            Estimate(float(value), float(error))
            for value, error in zip(measured.quantile[column], measured.quantile_error[column], strict=True)
        )
        return low, middle, high

    low, middle, high = quantiles(differences)
    ratio_low, ratio_middle, ratio_high = quantiles(ratios)
    variance = one.sd**2 + other.sd**2
    return Step(
        quantity=name,
        label=one.label,
        kind=one.kind,
        earlier=earlier.name,
        later=later.name,
        paired=True,
        reason="",
        mean=Estimate(float(differences.mean[column]), float(differences.mean_error[column])),
        median=middle,
        interval=Interval(LEVEL, low, high),
        ratio=ratio_middle,
        ratio_interval=Interval(LEVEL, ratio_low, ratio_high),
        variance_ratio=float(differences.sd[column]) ** 2 / variance if variance > 0.0 else math.nan,
    )
