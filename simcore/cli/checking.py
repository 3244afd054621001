"""`simcore check`: everything that would stop a run, found without running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simcore.cli.arguments import Json, ScenarioArgument, Settings, load
from simcore.cli.figures import whole
from simcore.cli.showing import count_grades
from simcore.cli.terminal import heading, pairs, show, show_json
from simcore.errors import ScenarioError

if TYPE_CHECKING:
    from simcore.model import CompiledModel
    from simcore.scenario import Scenario


def _compile(scenario: Scenario) -> tuple[CompiledModel, str | None]:
    """Compile a scenario; if only the collapsed walker cannot take it, say why."""
    from simcore.model import compile_model

    try:
        return compile_model(scenario), None
    except ScenarioError as error:
        model = compile_model(scenario, routes=False)  # raises again if the leg-by-leg walker cannot take it either
        return model, str(error)


def _findings(scenario: Scenario) -> dict[str, Any]:
    from simcore.runner.slots import make_slots

    model, no_routes = _compile(scenario)
    make_slots(model)  # refuses populations beyond the number of an agent
    fixed = sum(element.distribution.family in ("fixed", "fixed_shares") for element in model.space.elements)
    warnings = [*scenario.warnings, *([no_routes] if no_routes else [])]
    return {
        "valid": True,
        "name": scenario.name,
        "title": scenario.document.title,
        "path": None if scenario.path is None else str(scenario.path),
        "digest": scenario.digest,
        "warnings": warnings,
        "strata": len(scenario.strata),
        "active_strata": len(scenario.active_strata),
        "points": len(model.journeys.points),
        "legs": len(model.journeys.legs),
        "journeys": len(model.journeys.classes),
        "routes": None if no_routes else int(model.transit.start_first_route[-1]),
        "parameters": len(scenario.document.parameters),
        "grades": count_grades(scenario.document),
        "population_grade": scenario.document.population.grade,
        "drawn_elements": len(model.space.elements) - fixed,
        "fixed_elements": fixed,
        "columns": model.space.size,
    }


def check_verb(name: ScenarioArgument, settings: Settings = None, as_json: Json = False) -> None:
    """Check a scenario: exit code 0 if it can be run, 2 with one line that says what is wrong."""
    scenario = load(name, settings, quiet=True)
    found = _findings(scenario)
    if as_json:
        show_json(found)
        return
    heading(f"{found['name']}: {found['title']}")
    show(
        pairs(
            {
                "file": found["path"] or "-",
                "strata": f"{whole(found['strata'])}, {whole(found['active_strata'])} of them active",
                "journey": f"{found['points']} points, {found['legs']} legs, {found['journeys']} kinds of journey",
                "routes to the border": "too many to list" if found["routes"] is None else whole(found["routes"]),
                "parameters": ", ".join(f"{count} {grade}" for grade, count in found["grades"].items()),
                "population": found["population_grade"] or "graded by its table",
                "drawn separately": f"{found['drawn_elements']} ({found['fixed_elements']} more are fixed)",
                "columns of theta": whole(found["columns"]),
            }
        )
    )
    show("", *(f"warning: {warning}" for warning in found["warnings"]))
    show("valid" if not found["warnings"] else f"valid, warnings: {len(found['warnings'])}")
