"""The members of a study: scenarios as they are, or one scenario at several cohort years."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simcore.errors import UserError

if TYPE_CHECKING:
    from simcore.scenario import Scenario

Load = Callable[[Sequence[str]], "Scenario"]
"""Settings (``path=value``) -> scenario."""

FIRST_YEAR, LAST_YEAR = 1, 9999
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\-]")


@dataclass(frozen=True)
class Member:
    """One run of a study.

    Attributes
    ----------
    name : str
        Unique within the study, and the name of its results file.
    scenario : Scenario
    """

    name: str
    scenario: Scenario

    @property
    def file(self) -> str:
        """Name of the results file within the folder of the study."""
        return f"{_UNSAFE.sub('_', self.name)}.h5"

    @property
    def cohort_year(self) -> int:
        """The cohort year of the scenario."""
        return int(self.scenario.document.cohort_year)


def members_of(scenarios: Sequence[Scenario]) -> tuple[Member, ...]:
    """Return scenarios as members, each under its own name.

    Raises
    ------
    UserError
        If two have the same name.
    """
    names = [scenario.name for scenario in scenarios]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name}: two members of the study have this name; give one of the scenarios another name")
    return tuple(Member(scenario.name, scenario) for scenario in scenarios)


def members_by_year(load: Load, years: Sequence[int]) -> tuple[Member, ...]:
    """Return one scenario at several cohort years: population and cohort year are set to each of them.

    Nothing else follows: covariates stay those of the scenario's own year.

    Parameters
    ----------
    load : callable
        Loads the scenario with settings on top of its own.
    years : sequence of int

    Raises
    ------
    UserError
        If a year is given twice, or the population is not of one year in a table that has others.
    ScenarioError
        If the table has no rows of a year; it names the years that there are.
    """
    for year in years:
        if years.count(year) > 1:
            raise UserError(f"--year {year}: given twice")
    base = load(())
    population = base.document.population
    if population.table is None:
        raise UserError(f"--year {years[0]}: the population of {base.name} is a list of cells, which has no years")
    if "year" not in columns_of(base.tables[population.table]):
        raise UserError(
            f"--year {years[0]}: the table '{population.table}' of {base.name} has no column 'year', so it holds one "
            "year only"
        )
    held: tuple[str, ...] = ()
    if "covariates" in base.resolved and "year" not in base.resolved["covariates"]:
        held = (f"covariates.year={base.document.cohort_year}",)
    found = []
    for year in years:
        settings = [f"cohort_year={year}", f"population.year={year}", *held]
        if year != base.document.cohort_year:
            settings.append(f"title={json.dumps(f'{base.document.title} (population of {year})', ensure_ascii=False)}")
        scenario = load(settings)
        found.append(Member(f"{scenario.name}-{year}", scenario))
    return tuple(found)


def columns_of(text: str) -> list[str]:
    """Return the column names of a CSV text."""
    return [cell.strip() for cell in next(csv.reader(io.StringIO(text)), [])]
