"""What the models `index` and `profile` share: one parameter per exploitation, and who counts in a mean share.

A mean share is that of the persons of all active cells together. Persons are those of the population table times the
drawn population factor, so that the mean holds for the population of the same parameter set (before it is rounded).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simcore.scenario.locations import KeyPath
from simcore.scenario.references import Reference, Role

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.uncertainty import ParameterSpace


def references_by_exploitation(
    scenario: Scenario, parameters: Mapping[str, str], key: KeyPath, role: Role
) -> Iterator[Reference]:
    """Yield the parameter of every exploitation level with a risk of its own.

    Raises
    ------
    ScenarioError
        If a level has none, or a name is not such a level.
    """
    for level in parameters:
        if level not in scenario.risk_levels:
            raise scenario.error((*key, level), scenario.unknown("exploitation", level, scenario.risk_levels))
    for level in scenario.risk_levels:
        if level not in parameters:
            raise scenario.error((*key, level), "missing key: every exploitation with a risk of its own needs one")
        yield Reference(parameters[level], (*key, level), role, ({"exploitation": level},))


def persons_and_factors(
    scenario: Scenario, space: ParameterSpace, cells: Sequence[Mapping[str, str]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return, by cell, the persons of the table [C], the column of their factor [C] (-1: none), and activity [C]."""
    factor = scenario.document.population.factor
    columns = [-1 if factor is None else space.column(factor, cell) for cell in cells]
    active = [scenario.is_active(cell) for cell in cells]
    persons = np.ascontiguousarray(scenario.population, dtype=np.float64).ravel()
    return persons, np.array(columns, dtype=np.int64), np.array(active, dtype=np.bool_)
