"""The figures that a summary holds: estimates with their Monte Carlo standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A figure and how far it may be off because the number of replicates is finite.

    Attributes
    ----------
    estimate : float
        NaN if there is no value.
    mcse : float
        Monte Carlo standard error, in the unit of the estimate; NaN if there are too few replicates for one.
    """

    estimate: float
    mcse: float

    def as_json(self) -> dict[str, float | None]:
        """Return plain data, None for what is missing."""
        return {"estimate": number_or_none(self.estimate), "mcse": number_or_none(self.mcse)}


@dataclass(frozen=True)
class Interval:
    """A central interval from parameters and chance: ``level`` of the replicates lie between its ends.

    Attributes
    ----------
    level : float
        Such as 0.9.
    lower, upper : Estimate
        Quantiles of probability (1 - level) / 2 and (1 + level) / 2.
    """

    level: float
    lower: Estimate
    upper: Estimate

    def __iter__(self) -> Any:
        return iter((self.lower.estimate, self.upper.estimate))


@dataclass(frozen=True)
class Quantity:
    """What the replicates say about one stage of the funnel, in one combination of levels.

    Attributes
    ----------
    name, label : str
        For programs, for people.
    kind : {"persons", "events", "ratio"}
    section : {"source", "destination", "journey", "outcome", "ratio"}
        Where in the funnel it belongs.
    levels : dict of axis -> level
        Empty for the total.
    n, missing : int
        Replicates with a value, and without one (a ratio whose denominator is 0).
    groups : int
        Independent groups among the ``n``: parameter sets of a nested run, else replicates.
    zeros : float
        Share of zeros among the ``n``.
    zeros_mcse : float
        Its Monte Carlo standard error.
    mean : Estimate
    sd : float
        Standard deviation over replicates.
    sd_mcse : float
        Its Monte Carlo standard error.
    median : Estimate
    intervals : tuple of Interval
        From narrow to wide.
    method : str
        How the standard errors were found.
    """

    name: str
    label: str
    kind: str
    section: str
    levels: Mapping[str, str]
    n: int
    missing: int
    groups: int
    zeros: float
    zeros_mcse: float
    mean: Estimate
    sd: float
    sd_mcse: float
    median: Estimate
    intervals: tuple[Interval, ...]
    method: str

    @property
    def estimate(self) -> float:
        """The median."""
        return self.median.estimate

    @property
    def mcse(self) -> float:
        """Monte Carlo standard error of the median."""
        return self.median.mcse

    def interval(self, level: float) -> Interval:
        """Return the interval of a level that was summarised.

        Raises
        ------
        KeyError
            If the level was not summarised.
        """
        for interval in self.intervals:
            if math.isclose(interval.level, level):
                return interval
        raise KeyError(f"level {level} was not summarised (there are: {[i.level for i in self.intervals]})")

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "label": self.label,
            "kind": self.kind,
            "section": self.section,
            "levels": dict(self.levels),
            "n": self.n,
            "missing": self.missing,
            "groups": self.groups,
            "zeros": number_or_none(self.zeros),
            "zeros_mcse": number_or_none(self.zeros_mcse),
            "mean": self.mean.as_json(),
            "sd": number_or_none(self.sd),
            "sd_mcse": number_or_none(self.sd_mcse),
            "median": self.median.as_json(),
            "intervals": [
                {"level": each.level, "lower": each.lower.as_json(), "upper": each.upper.as_json()}
                for each in self.intervals
            ],
            "method": self.method,
        }

    def as_row(self) -> dict[str, Any]:
        """Return one row of `Summary.table`."""
        row: dict[str, Any] = {
            **self.levels,
            "quantity": self.name,
            "label": self.label,
            "kind": self.kind,
            "n": self.n,
            "missing": self.missing,
            "groups": self.groups,
            "zeros": self.zeros,
            "zeros_mcse": self.zeros_mcse,
            "mean": self.mean.estimate,
            "mean_mcse": self.mean.mcse,
            "sd": self.sd,
            "sd_mcse": self.sd_mcse,
            "median": self.median.estimate,
            "median_mcse": self.median.mcse,
        }
        for each in self.intervals:
            for side, end in (("lower", each.lower), ("upper", each.upper)):
                row[f"{side}_{percent(each.level)}"] = end.estimate
                row[f"{side}_{percent(each.level)}_mcse"] = end.mcse
        return row | {"method": self.method}


def percent(level: float) -> str:
    """Return a level in per cent, as in ``"90"`` or ``"99.5"``."""
    return f"{100 * level:.10g}"


def number_or_none(value: float) -> float | None:
    """Return None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value
