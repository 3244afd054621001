"""How far apart the populations of two scenarios are: totals, cells that differ, the largest relative change."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from simcore.scenario.population import CELL_AXES

if TYPE_CHECKING:
    from simcore.scenario import Scenario

Cell = tuple[str, ...]


def cells_of(scenario: Scenario) -> dict[Cell, float]:
    """Return (origin, sex, age band) -> persons before any factor."""
    levels = itertools.product(*(scenario.levels(axis) for axis in CELL_AXES))
    return dict(zip(levels, (float(persons) for persons in scenario.population.ravel()), strict=True))


def population_facts(first: Scenario, second: Scenario) -> dict[str, Any]:
    """Return totals, cells and the largest relative change.

    Parameters
    ----------
    first, second : Scenario

    Returns
    -------
    dict
        ``year_before``, ``year_after`` (None where cells are listed), ``persons_before``, ``persons_after``,
        ``cells_compared`` (those that both have), ``cells_changed`` (cells that only one of them has are among them),
        ``largest_relative_change`` (after / before - 1, of the cells compared that were not empty; None if there are
        none) and ``largest_change_at``, the levels of that cell.
    """
    before, after = cells_of(first), cells_of(second)
    common = [cell for cell in before if cell in after]
    changed = [cell for cell in common if before[cell] != after[cell]]
    relative = {cell: after[cell] / before[cell] - 1.0 for cell in changed if before[cell] > 0.0}
    largest = max(relative, key=lambda cell: abs(relative[cell]), default=None)
    return {
        "year_before": _year(first),
        "year_after": _year(second),
        "persons_before": sum(before.values()),
        "persons_after": sum(after.values()),
        "cells_compared": len(common),
        "cells_changed": len(changed) + len(set(before) ^ set(after)),
        "largest_relative_change": None if largest is None else relative[largest],
        "largest_change_at": None if largest is None else dict(zip(CELL_AXES, largest, strict=True)),
    }


def _year(scenario: Scenario) -> int | None:
    """Return which rows of its table a scenario takes."""
    population = scenario.document.population
    if population.table is None:
        return None
    return scenario.document.cohort_year if population.year is None else population.year
