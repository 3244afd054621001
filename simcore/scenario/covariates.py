"""Covariates of the origins: figures such as poverty or homicide near one year (docs/covariates.md).

The table ``[covariates]`` names a CSV of observed values (origin, covariate, year, value, unit, source_id) and says of
each variable which way it points and on which scale it is compared. The value of a cell (origin x variable) is the one
observed nearest to `year`, at most `window` years away; of two equally near the earlier one. A cell without such a
value is missing and is never filled in here: its completed values come from a table of panels that `simcore impute`
makes (`simcore.scenario.panels`), or the scenario is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field, model_validator

from simcore.errors import ScenarioError, nearest
from simcore.scenario.fields import Line, Name, Number, Table, Whole, problem, shown
from simcore.scenario.patches import Layers
from simcore.scenario.tables import Row, read_rows

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Transform = Literal["logit", "log", "none"]

IMPUTED_YEAR = -1
LARGEST_WINDOW = 50
OBSERVED_COLUMNS = ("origin", "covariate", "year", "value", "unit", "source_id")


def _one_or_minus_one(value: object) -> object:
    if type(value) is not int or value not in (1, -1):
        raise problem(f"must be 1 (more of it means more at risk) or -1 (less), got {shown(value)}")
    return value


class Variable(Table):
    """One covariate: which way it points, the scale it is imputed and compared on, and its limits.

    `full` is the value of everything under ``logit``: 1 for shares, 100 for percentages.
    """

    sign: Annotated[int, BeforeValidator(_one_or_minus_one)]
    transform: Transform = "none"
    full: Annotated[Number, Field(gt=0)] = 1.0
    label: Line | None = None
    unit: Line | None = None
    note: str | None = None
    lower: Number | None = None
    upper: Number | None = None

    @model_validator(mode="after")
    def _limits_fit(self) -> Variable:
        if self.full != 1.0 and self.transform != "logit":
            raise problem(f"goes with transform = 'logit', got transform = {shown(self.transform)}", key="full")
        low, high = self.domain
        for key, value in (("lower", self.lower), ("upper", self.upper)):
            if value is not None and not low < value < high:
                raise problem(f"must be {_show_domain(low, high)} ({self.transform}), got {value:g}", key=key)
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise problem(f"must be above lower ({self.lower:g}), got {self.upper:g}", key="upper")
        return self

    @property
    def domain(self) -> tuple[float, float]:
        """The open interval in which values can be transformed."""
        ends = {"logit": (0.0, self.full), "log": (0.0, np.inf), "none": (-np.inf, np.inf)}
        return ends[self.transform]

    def forward(self, values: Floats) -> Floats:
        """Return values on the transformed scale: log(v / (full - v)), log(v) or v itself; NaN stays NaN."""
        if self.transform == "logit":
            return np.log(values / (self.full - values))
        return np.log(values) if self.transform == "log" else np.asarray(values, dtype=np.float64)

    def backward(self, values: Floats) -> Floats:
        """Return transformed values on the natural scale: the inverse of `forward`."""
        if self.transform == "logit":
            return self.full / (1.0 + np.exp(-values))
        return np.exp(values) if self.transform == "log" else np.asarray(values, dtype=np.float64)

    def check_value(self, value: float) -> str:
        """Return what is wrong with a value on the natural scale, empty if nothing is."""
        low, high = self.domain
        if not low < value < high:
            return f"must be {_show_domain(low, high)} (transform = '{self.transform}'), got {value:g}"
        if self.lower is not None and value < self.lower:
            return f"must be at least lower ({self.lower:g}), got {value:g}"
        if self.upper is not None and value > self.upper:
            return f"must be at most upper ({self.upper:g}), got {value:g}"
        return ""


def _show_domain(low: float, high: float) -> str:
    if np.isfinite(low) and np.isfinite(high):
        return f"above {low:g} and below {high:g}"
    return f"above {low:g}" if np.isfinite(low) else "a finite number"


class CovariatesTable(Table):
    """The table ``[covariates]``; `year` None is the cohort year, `panels` None where nothing is missing."""

    table: str
    panels: str | None = None
    year: Annotated[Whole, Field(ge=1, le=9999)] | None = None
    window: Annotated[Whole, Field(ge=0, le=LARGEST_WINDOW)] = 3
    variables: dict[Name, Variable] = Field(min_length=1)


@dataclass(frozen=True, eq=False)
class Observed:
    """What was observed of the variables that a scenario declares.

    Attributes
    ----------
    origins : tuple of str [O]
    variables : dict of str -> Variable [J]
    year, window : int
        The year in question, and how far from it a value may lie.
    calendar : int64 [T]
        Consecutive years that hold all rows of the table, `year` among them.
    series : float64 [O, J, T]
        Natural scale; NaN where nothing was observed.
    values : float64 [O, J]
        Nearest to `year`; NaN where nothing lies within `window`.
    years : int64 [O, J]
        Of what year `values` are; -1 where missing.
    source_ids : tuple of tuples of str [O, J]
        Of `values`; empty where missing.
    known_origins, known_covariates : frozenset of str
        Everything that the table names, also what the scenario does not use.
    places : dict
        Source id -> ``file:line`` where it is cited first.
    """

    origins: tuple[str, ...]
    variables: Mapping[str, Variable]
    year: int
    window: int
    calendar: Integers
    series: Floats
    values: Floats
    years: Integers
    source_ids: tuple[tuple[str, ...], ...]
    known_origins: frozenset[str]
    known_covariates: frozenset[str]
    places: Mapping[str, str]

    @property
    def missing(self) -> Flags:
        """bool [O, J]: the cells without an observed value near the year."""
        return self.years == IMPUTED_YEAR

    def missing_cells(self) -> list[tuple[str, str]]:
        """Return (origin, covariate) of every missing cell, by covariate, then origin."""
        names = tuple(self.variables)
        return [(self.origins[o], names[j]) for j, o in np.argwhere(self.missing.T)]


@dataclass(frozen=True, eq=False)
class Covariates:
    """Covariates as an at-risk model sees them: complete, in M panels that differ in the imputed cells only.

    Attributes
    ----------
    names : tuple of str [J]
    signs : int64 [J]
        1 where more of it means more at risk, else -1.
    values : float64 [M, O, J]
        Natural scale, origins in the scenario's order; read-only.
    transformed : float64 [M, O, J]
        The same on each variable's scale for comparing; read-only.
    imputed : bool [O, J]
    years : int64 [O, J]
        Of what year the observed value is; -1 where imputed.
    observed : Observed
        What all of this rests on.
    """

    names: tuple[str, ...]
    signs: Integers
    values: Floats
    transformed: Floats
    imputed: Flags
    years: Integers
    observed: Observed

    @property
    def panels(self) -> int:
        """M: 1 if nothing is missing."""
        return int(self.values.shape[0])


def read_observed(
    text: str, shown_table: str, table: CovariatesTable, origins: tuple[str, ...], year: int, layers: Layers
) -> Observed:
    """Return what the table of observed values says of the declared variables.

    Parameters
    ----------
    text : str
        The CSV text.
    shown_table : str
        How messages name it.
    table : CovariatesTable
    origins : tuple of str
        The scenario's origins; rows of others are passed over.
    year : int
        The year in question.
    layers : Layers
        Where the scenario was written, for messages.

    Raises
    ------
    ScenarioError
        If a cell is no number, lies outside the limits of its variable or is given twice, a unit differs, a declared
        variable is not in the table, or a variable has no value near the year in any origin.
    """
    rows = read_rows(text, shown_table, OBSERVED_COLUMNS)
    known_covariates = frozenset(row.cells["covariate"] for row in rows)
    for name in table.variables:
        if name not in known_covariates:
            hint = nearest(name, known_covariates) or f" (it has {', '.join(sorted(known_covariates)) or 'none'})"
            raise layers.error(
                ("covariates", "variables", name), f"unknown covariate {name!r}: not in {shown_table}{hint}"
            )
    cells = _checked_cells(rows, table, origins)
    all_years = [at for _, _, at in cells] or [year]
    calendar = np.arange(min([year, *all_years]), max([year, *all_years]) + 1, dtype=np.int64)
    names = tuple(table.variables)
    series = np.full((len(origins), len(names), len(calendar)), np.nan)
    for (origin, name, at), (value, _) in cells.items():
        series[origins.index(origin), names.index(name), at - calendar[0]] = value
    values, years = nearest_values(series, calendar, year, table.window)
    for j, name in enumerate(names):
        if np.all(years[:, j] == IMPUTED_YEAR):
            raise layers.error(
                ("covariates", "variables", name),
                f"no origin has a value within {table.window} years of {year}, so it cannot be imputed: leave it out",
            )
    sources = tuple(
        tuple(
            "" if years[o, j] == IMPUTED_YEAR else cells[origin, name, int(years[o, j])][1].cells["source_id"]
            for j, name in enumerate(names)
        )
        for o, origin in enumerate(origins)
    )
    places: dict[str, str] = {}
    for _, row in cells.values():
        for source in row.cells["source_id"].split(";"):
            places.setdefault(source.strip(), f"{row.place}: source_id")
    known_origins = frozenset(row.cells["origin"] for row in rows)
    return Observed(
        origins, table.variables, year, table.window, calendar, series, values, years, sources,
        known_origins, known_covariates, places,
    )  # fmt: skip


def _checked_cells(
    rows: list[Row], table: CovariatesTable, origins: tuple[str, ...]
) -> dict[tuple[str, str, int], tuple[float, Row]]:
    """Return (origin, covariate, year) -> value and row, of the declared variables and the scenario's origins."""
    cells: dict[tuple[str, str, int], tuple[float, Row]] = {}
    seen: dict[tuple[str, str, int], Row] = {}
    units: dict[str, str] = {}
    for row in rows:
        origin, name = row.cells["origin"], row.cells["covariate"]
        if name not in table.variables or origin not in origins:
            continue
        variable, unit = table.variables[name], row.cells["unit"]
        expected = variable.unit or units.setdefault(name, unit)
        if unit != expected:
            raise row.error("unit", f"{name} is in {expected!r}, got {unit!r}")
        at = row.whole("year")
        if at is None or not 1 <= at <= 9999:
            raise row.error("year", f"must be a year from 1 to 9999, got {row.cells['year']!r}")
        if (origin, name, at) in seen:
            first = seen[origin, name, at].place.rpartition(":")[2]
            raise row.error("year", f"{origin}, {name}, {at} is also in line {first}")
        seen[origin, name, at] = row
        value = row.number("value", negative=True)
        if value is None:
            continue
        if wrong := variable.check_value(value):
            raise row.error("value", f"{name}: {wrong}")
        if not row.cells["source_id"]:
            raise row.error("source_id", "a missing cell")
        cells[origin, name, at] = value, row
    return cells


def nearest_values(series: Floats, calendar: Integers, year: int, window: int) -> tuple[Floats, Integers]:
    """Return the values nearest to ``year``, at most ``window`` years away, and their years.

    Parameters
    ----------
    series : float64 [..., T]
        NaN where missing.
    calendar : int64 [T]
    year, window : int

    Returns
    -------
    values : float64 [...]
        NaN where there is none.
    years : int64 [...]
        -1 where there is none. Of two equally near years the earlier is taken: it was known at the time.
    """
    distance = np.abs(calendar - year)
    order = np.lexsort((calendar, distance))
    order = order[distance[order] <= window]
    values = np.full(series.shape[:-1], np.nan)
    years = np.full(series.shape[:-1], IMPUTED_YEAR, dtype=np.int64)
    for position in order:
        take = (years == IMPUTED_YEAR) & ~np.isnan(series[..., position])
        values[take] = series[..., position][take]
        years[take] = calendar[position]
    return values, years


def make_covariates(observed: Observed, completed: Floats) -> Covariates:
    """Return covariates from completed values, float64 [M, O, J], natural scale."""
    transformed = np.empty_like(completed)
    for j, variable in enumerate(observed.variables.values()):
        transformed[:, :, j] = variable.forward(completed[:, :, j])
    for array in (completed, transformed):
        array.setflags(write=False)
    signs = np.array([variable.sign for variable in observed.variables.values()], dtype=np.int64)
    return Covariates(
        names=tuple(observed.variables),
        signs=signs,
        values=completed,
        transformed=transformed,
        imputed=observed.missing,
        years=observed.years,
        observed=observed,
    )


def check_sources(observed: Observed, sources: Mapping[str, object]) -> None:
    """Check that every source that a row cites is described.

    Raises
    ------
    ScenarioError
        Naming file, line and the nearest known source.
    """
    for source, place in observed.places.items():
        if source not in sources:
            known = f" (known: {', '.join(sources) or 'none'})" if len(sources) <= 12 else ""
            raise ScenarioError(f"{place}: unknown source {source!r}{nearest(source, sources) or known}")
