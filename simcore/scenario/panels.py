"""Completed panels of covariates: the table that `simcore impute` writes and a scenario names (docs/covariates.md).

Columns: panel, origin, covariate, value, imputed, year, source_id, note. An observed cell stands once, with an empty
panel and imputed = 0; an imputed cell stands once for every panel 1 to M, with imputed = 1 and no year. The table must
say exactly what the observed values say, so that panels of another year, of other variables or of an earlier state of
the data are refused rather than used.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable

import numpy as np

from simcore.errors import ScenarioError, nearest
from simcore.scenario.covariates import IMPUTED_YEAR, Floats, Observed
from simcore.scenario.tables import Row, read_rows

PANEL_COLUMNS = ("panel", "origin", "covariate", "value", "imputed", "year", "source_id", "note")
NEEDED_COLUMNS = PANEL_COLUMNS[:-1]
FEWEST_PANELS = 2
MOST_PANELS = 10_000
SAME = 1e-9  # relative difference at which two spellings of one value are told apart


def write_panels(observed: Observed, completed: Floats, note: str) -> str:
    """Return the table of panels as CSV text.

    Parameters
    ----------
    observed : Observed
    completed : float64 [M, O, J]
        Natural scale; imputed cells are written with six significant digits.
    note : str
        How the imputed cells were made; stands in their rows.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PANEL_COLUMNS)
    for j, name in enumerate(observed.variables):
        for o, origin in enumerate(observed.origins):
            if not observed.missing[o, j]:
                value, year = float(observed.values[o, j]), int(observed.years[o, j])
                writer.writerow(["", origin, name, repr(value), 0, year, observed.source_ids[o][j], ""])
                continue
            for panel, value in enumerate(completed[:, o, j], start=1):
                writer.writerow([panel, origin, name, f"{value:.6g}", 1, "", "", note])
    return text.getvalue()


def read_panels(text: str, shown: str, observed: Observed, command: str) -> Floats:
    """Return completed values, float64 [M, O, J], natural scale.

    Parameters
    ----------
    text : str
        The CSV text.
    shown : str
        How messages name the table.
    observed : Observed
    command : str
        What makes the table anew, for messages.

    Raises
    ------
    ScenarioError
        If the table names something unknown, contradicts the observed values, or is not complete.
    """
    names, rows = tuple(observed.variables), read_rows(text, shown, NEEDED_COLUMNS)
    again = f"; make the panels anew: {command}"
    known: dict[tuple[int, int], Row] = {}
    imputed: dict[tuple[int, int], dict[int, float]] = {}
    for row in rows:
        _check_names(row, observed)
        if row.cells["origin"] not in observed.origins or row.cells["covariate"] not in names:
            continue  # of an origin or variable that the table of observed values has and this scenario does not use
        cell = observed.origins.index(row.cells["origin"]), names.index(row.cells["covariate"])
        flag, value = row.cells["imputed"], row.number("value", negative=True)
        if flag not in ("0", "1"):
            raise row.error("imputed", f"must be 0 (observed) or 1 (imputed), got {flag!r}")
        if value is None:
            raise row.error("value", "a missing cell; panels are complete")
        if (flag == "1") != bool(observed.missing[cell]):
            what = f"observed in {observed.years[cell]}" if flag == "1" else f"not observed near {observed.year}"
            said = "imputed" if flag == "1" else "observed"
            raise row.error("imputed", f"{_show(row)} is called {said}, but it is {what}{again}")
        if flag == "0":
            _check_observed(row, observed, cell, value, again)
            if cell in known:
                first = known[cell].place.rpartition(":")[2]
                raise row.error("origin", f"the observed cell {_show(row)} is also in line {first}")
            known[cell] = row
            continue
        panel = row.whole("panel")
        if panel is None or not 1 <= panel <= MOST_PANELS:
            raise row.error("panel", f"must be a whole number from 1 to {MOST_PANELS}, got {row.cells['panel']!r}")
        if wrong := observed.variables[names[cell[1]]].check_value(value):
            raise row.error("value", f"{_show(row)}: {wrong}")
        if panel in imputed.setdefault(cell, {}):
            raise row.error("panel", f"panel {panel} of {_show(row)} is given twice")
        imputed[cell][panel] = value
    return _complete(shown, observed, known, imputed, again)


def _show(row: Row) -> str:
    return f"{row.cells['origin']}, {row.cells['covariate']}"


def _check_names(row: Row, observed: Observed) -> None:
    for column, known in (("origin", observed.known_origins), ("covariate", observed.known_covariates)):
        name = row.cells[column]
        if name not in known:
            hint = nearest(name, known) or f" (known: {', '.join(sorted(known))})"
            raise row.error(column, f"unknown {column} {name!r}{hint}")


def _check_observed(row: Row, observed: Observed, cell: tuple[int, int], value: float, again: str) -> None:
    """Refuse an observed cell whose value or year is not that of the table of observed values."""
    if row.cells["panel"]:
        raise row.error("panel", f"must be empty: {_show(row)} is observed, the same in every panel")
    year, now, now_year = row.whole("year"), float(observed.values[cell]), int(observed.years[cell])
    if year != now_year or not math.isclose(value, now, rel_tol=SAME, abs_tol=0.0):
        raise row.error("value", f"{_show(row)} is {value:g} of {year}, but observed is {now:g} of {now_year}{again}")


def _complete(
    shown: str,
    observed: Observed,
    known: Iterable[tuple[int, int]],
    imputed: dict[tuple[int, int], dict[int, float]],
    again: str,
) -> Floats:
    """Return the panels after checking that every cell is there, and every imputed cell in every panel."""
    names = tuple(observed.variables)
    for o, j in np.argwhere(observed.years != IMPUTED_YEAR):
        if (o, j) not in known:
            raise ScenarioError(f"{shown}: no row of the observed cell {observed.origins[o]}, {names[j]}{again}")
    missing = [(int(o), int(j)) for o, j in np.argwhere(observed.missing)]
    for o, j in missing:
        if (o, j) not in imputed:
            raise ScenarioError(f"{shown}: no imputed value of {observed.origins[o]}, {names[j]}{again}")
    number = max((max(panels) for panels in imputed.values()), default=1)
    if imputed and number < FEWEST_PANELS:
        raise ScenarioError(f"{shown}: panel: {number} panel, needs at least {FEWEST_PANELS}{again}")
    completed = np.repeat(observed.values[np.newaxis], number, axis=0)
    for o, j in missing:
        gap = next((panel for panel in range(1, number + 1) if panel not in imputed[o, j]), None)
        if gap is not None:
            raise ScenarioError(f"{shown}: panel: no panel {gap} of {observed.origins[o]}, {names[j]}{again}")
        completed[:, o, j] = [imputed[o, j][panel] for panel in range(1, number + 1)]
    return completed
