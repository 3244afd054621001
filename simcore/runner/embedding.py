"""The scenario inside a results file: what is stored of it, and how it comes out again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from simcore.errors import ResultsError
from simcore.scenario.provenance import to_json
from simcore.uncertainty.design import SOBOL

if TYPE_CHECKING:
    from simcore.model import CompiledModel
    from simcore.scenario import Scenario
    from simcore.store import Results
    from simcore.uncertainty.design import Design

SCENARIO_DOCUMENT = "scenario.json"
DIMENSIONS_DOCUMENT = "design_dimensions.json"
TABLE_PREFIX = "tables/"


def embedded_documents(scenario: Scenario) -> dict[str, str]:
    """Return name -> text of the resolved scenario and its tables, as a results file stores them."""
    tables = {TABLE_PREFIX + name: text for name, text in scenario.tables.items()}
    return {SCENARIO_DOCUMENT: to_json(scenario.resolved), **tables}


def design_documents(model: CompiledModel, design: Design) -> dict[str, str]:
    """Return name -> text of what a design adds: for a Sobol' design the dimension of every column, by name."""
    return {DIMENSIONS_DOCUMENT: to_json(model.design_dimensions)} if design.kind == SOBOL else {}


def scenario_of(results: Results) -> Scenario:
    """Return the scenario that results were made with.

    Raises
    ------
    ResultsError
        If the file holds none.
    """
    return scenario_of_documents(results.documents(), str(results.path or "results in memory"))


def scenario_of_documents(documents: Mapping[str, str], place: str) -> Scenario:
    """Return the scenario among documents; see `scenario_of`.

    Parameters
    ----------
    documents : mapping of name to text
    place : str
        Where they are from, for messages.
    """
    from simcore.scenario import scenario_from_embedded

    if SCENARIO_DOCUMENT not in documents:
        raise ResultsError(f"{place}: holds no scenario")
    tables = {
        name.removeprefix(TABLE_PREFIX): text for name, text in documents.items() if name.startswith(TABLE_PREFIX)
    }
    return scenario_from_embedded(documents[SCENARIO_DOCUMENT], tables)
