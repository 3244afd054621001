"""Persons per cell (origin x sex x age band) from a table or from the scenario file itself (docs/model.md A1).

A table has the columns origin, sex, persons and either ``age_band`` or ``age_lo`` and ``age_hi`` (both included; an
empty age_hi is open-ended). Age groups are split evenly over their single years, and the years of a band are added up.
Rows of levels that the scenario does not have are passed over; every cell that it has must be covered exactly once.
Nothing is rounded here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.errors import ScenarioError, nearest
from simcore.scenario.locations import KeyPath
from simcore.scenario.patches import Layers
from simcore.scenario.schema import OLDEST_AGE, AgeBand, Population, Strata
from simcore.scenario.tables import Row, read_rows

Cells = dict[tuple[str, str, str], float]
CELL_AXES = ("origin", "sex", "age_band")


class AgeGroup(NamedTuple):
    """Persons of completed ages `first` to `last`, both included; `last` None is open-ended, `persons` None missing."""

    first: int
    last: int | None
    persons: float | None


def persons_in_band(groups: Sequence[AgeGroup], first: int, last: int | None) -> float:
    """Return the persons of ages ``first`` to ``last`` (None: open-ended) each group spread evenly over its years.

    Parameters
    ----------
    groups : sequence of AgeGroup
        Without overlap.

    Raises
    ------
    ValueError
        If an age is in no group, its group has no number, or an open-ended group would have to be split.
    """
    parts = []
    covered: set[int] = set()
    open_ended = False
    for group in groups:
        if group.last is None:
            if last is not None and group.first > last:
                continue
            if last is not None or first > group.first:
                raise ValueError(f"the open-ended group {group.first}+ would have to be split")
            years, share = set(), 1.0
            open_ended = True
        else:
            end = group.last if last is None else min(group.last, last)
            years = set(range(max(group.first, first), end + 1))
            share = len(years) / (group.last - group.first + 1)
            if not years:
                continue
        if group.persons is None:
            raise ValueError(
                f"no number of persons aged {group.first}{'+' if group.last is None else f'-{group.last}'}"
            )
        parts.append(group.persons * share)
        covered |= years
    if last is None and not open_ended:
        raise ValueError(f"no open-ended age group, which the band {first}+ needs")
    end = last if last is not None else next(group.first for group in groups if group.last is None) - 1
    gaps = [age for age in range(first, end + 1) if age not in covered]
    if gaps:
        raise ValueError(f"no persons of age {gaps[0]}")
    return math.fsum(parts)


def _show_cell(cell: Iterable[str]) -> str:
    return ", ".join(f"{axis} = {level!r}" for axis, level in zip(CELL_AXES, cell, strict=False))


def _bands_from_ages(rows: list[Row], shown: str, bands: Mapping[str, AgeBand]) -> Cells:
    groups: dict[tuple[str, str], list[tuple[AgeGroup, Row]]] = {}
    for row in rows:
        first, last = row.whole("age_lo"), row.whole("age_hi")
        if first is None:
            raise row.error("age_lo", "a missing cell")
        if last is not None and last < first:
            raise row.error("age_hi", f"must not be below age_lo ({first}), got {last}")
        if max(first, last or 0) > OLDEST_AGE:
            raise row.error("age_lo" if first > OLDEST_AGE else "age_hi", f"must be at most {OLDEST_AGE}")
        group = AgeGroup(first, last, row.number("persons"))
        group_rows = groups.setdefault((row.cells["origin"], row.cells["sex"]), [])
        for other, other_row in group_rows:
            if first <= (math.inf if other.last is None else other.last) and other.first <= (
                math.inf if last is None else last
            ):
                at = other_row.place.rpartition(":")[2]
                raise row.error("age_lo", f"ages {first}-{'' if last is None else last} are also in line {at}")
        group_rows.append((group, row))
    cells: Cells = {}
    for (origin, sex), group_rows in groups.items():
        for name, band in bands.items():
            if band.first_age is None:
                raise ScenarioError(
                    f"{shown}: it goes by age_lo and age_hi, but the age band {name!r} has no from and to"
                )
            try:
                persons = persons_in_band([group for group, _ in group_rows], band.first_age, band.to)
            except ValueError as error:
                raise ScenarioError(f"{shown}: {_show_cell((origin, sex, name))}: {error}") from None
            cells[origin, sex, name] = persons
    return cells


def _bands_by_name(rows: list[Row], bands: Mapping[str, AgeBand]) -> Cells:
    cells: Cells = {}
    for row in rows:
        if row.cells["age_band"] not in bands:
            continue
        cell = row.cells["origin"], row.cells["sex"], row.cells["age_band"]
        if cell in cells:
            raise row.error("persons", f"{_show_cell(cell)} is given twice")
        persons = row.number("persons")
        if persons is None:
            raise row.error("persons", f"a missing cell that the model needs ({_show_cell(cell)})")
        cells[cell] = persons
    return cells


def _rows_of_year(rows: list[Row], shown: str, year: int) -> list[Row]:
    if not rows or "year" not in rows[0].cells:
        return rows
    chosen = [row for row in rows if row.whole("year") == year]
    if not chosen:
        years = sorted({row.cells["year"] for row in rows})
        raise ScenarioError(f"{shown}: no rows of the year {year} (it has {', '.join(years[:12])})")
    return chosen


def _as_array(cells: Cells, shown: str, strata: Strata, seen: Mapping[str, set[str]]) -> npt.NDArray[np.float64]:
    """Return float64 [origin, sex, age_band]; a cell that is not there is an error with the nearest unused level."""
    levels = [strata.levels("origin"), strata.levels("sex"), strata.levels("age_band")]
    persons = np.empty([len(names) for names in levels])
    for o, origin in enumerate(levels[0]):
        for g, sex in enumerate(levels[1]):
            for a, band in enumerate(levels[2]):
                cell = (origin, sex, band)
                if cell not in cells:
                    hint = ""
                    for level, axis in zip(cell, CELL_AXES, strict=True):
                        names = seen.get(axis, set())
                        if level not in names:
                            hint = hint or nearest(level, names - set(strata.levels(axis)))  # type: ignore[arg-type]
                    raise ScenarioError(f"{shown}: persons: no cell for {_show_cell(cell)}{hint}")
                persons[o, g, a] = cells[cell]
    return persons


def population_from_table(
    text: str, shown: str, population: Population, strata: Strata, year: int
) -> tuple[npt.NDArray[np.float64], dict[str, str]]:
    """Return persons and the sources that its rows cite.

    Parameters
    ----------
    text : str
        The CSV text.
    shown : str
        How messages name the table.
    population : Population
    strata : Strata
    year : int
        Which rows, if the table has a column ``year``.

    Returns
    -------
    persons : float64 [origin, sex, age_band]
    sources : dict
        Source id -> ``file:line`` where it is cited first.

    Raises
    ------
    ScenarioError
        Naming the table, the line and the cell.
    """
    all_rows = read_rows(text, shown, ["origin", "sex", "persons"])
    columns = all_rows[0].cells if all_rows else {}
    if not columns:
        raise ScenarioError(f"{shown}: a table without rows")
    by_ages = "age_lo" in columns and "age_hi" in columns
    if by_ages == ("age_band" in columns):
        raise ScenarioError(
            f"{shown}:1: needs either the column 'age_band' or the columns 'age_lo' and 'age_hi', "
            f"got {'both' if by_ages else 'neither'}"
        )
    if (
        population.source is None
        and "source_id" not in columns
        and population.grade not in ("illustrative", "elicited")
    ):
        raise ScenarioError(f"{shown}:1: missing column 'source_id' (or give population.source)")
    rows = _rows_of_year(all_rows, shown, year)
    seen = {axis: {row.cells[axis] for row in rows} for axis in CELL_AXES if axis in columns}
    rows = [row for row in rows if row.cells["origin"] in strata.origin and row.cells["sex"] in strata.sex]
    cells = _bands_from_ages(rows, shown, strata.age_band) if by_ages else _bands_by_name(rows, strata.age_band)
    sources: dict[str, str] = {}
    for row in rows:
        if row.cells.get("source_id"):
            sources.setdefault(row.cells["source_id"], row.place)
    return _as_array(cells, shown, strata, seen), sources


def population_from_cells(population: Population, strata: Strata, layers: Layers) -> npt.NDArray[np.float64]:
    """Return persons, float64 [origin, sex, age_band], of a population that is listed cell by cell."""
    cells: Cells = {}
    seen: dict[str, set[str]] = {axis: set() for axis in CELL_AXES}
    path: KeyPath = ("population", "cells")
    for index, entry in enumerate(population.cells or ()):
        cell = (entry.origin, entry.sex, entry.age_band)
        for axis, level in zip(CELL_AXES, cell, strict=True):
            seen[axis].add(level)
            known = tuple(getattr(strata, axis))
            if level not in known:
                hint = nearest(level, known) or f" (known: {', '.join(known)})"
                raise layers.error((*path, index, axis), f"unknown level {level!r}{hint}")
        if cell in cells:
            raise layers.error((*path, index), f"{_show_cell(cell)} is given twice")
        cells[cell] = entry.persons
    return _as_array(cells, layers.source(path).place(path), strata, seen)
