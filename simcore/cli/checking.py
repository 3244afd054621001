"""`simcore check`: everything that would stop a run, found without running, and how much of it rests on what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simcore.cli.arguments import Json, ScenarioArgument, Settings, load
from simcore.cli.figures import percent, whole
from simcore.cli.terminal import heading, pairs, show, show_json, table
from simcore.errors import ScenarioError

if TYPE_CHECKING:
    from simcore.model import CompiledModel
    from simcore.scenario import Scenario

_MOST_NAMED = 8


def _compile(scenario: Scenario) -> tuple[CompiledModel, str | None]:
    """Compile a scenario; if only the collapsed walker cannot take it, say why."""
    from simcore.model import compile_model

    try:
        return compile_model(scenario), None
    except ScenarioError as error:
        model = compile_model(scenario, routes=False)  # raises again if the leg-by-leg walker cannot take it either
        return model, str(error)


def _findings(scenario: Scenario) -> dict[str, Any]:
    from simcore.cli.assumptions import collect_assumptions, count_grades
    from simcore.cli.resting import (
        covariate_coverage,
        dependence_coverage,
        fit_coverage,
        grade_coverage,
        source_coverage,
        unused_parameters,
    )
    from simcore.runner.slots import make_slots

    model, no_routes = _compile(scenario)
    make_slots(model)  # refuses populations beyond the number of an agent
    fixed = sum(element.distribution.family in ("fixed", "fixed_shares") for element in model.space.elements)
    assumptions = collect_assumptions(scenario)
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
        "population_cells": int(scenario.population.size),
        "drawn_elements": len(model.space.elements) - fixed,
        "fixed_elements": fixed,
        "columns": model.space.size,
        "coverage": grade_coverage(assumptions),
        "covariates": covariate_coverage(scenario),
        "sources": source_coverage(scenario),
        "unused_parameters": unused_parameters(assumptions),
        "dependence": dependence_coverage(scenario),
        "fits": fit_coverage(assumptions),
    }


def check_verb(name: ScenarioArgument, settings: Settings = None, as_json: Json = False) -> None:
    """Check a scenario, and show how much of it is measured, derived, elicited, illustrative or missing."""
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
                "drawn separately": f"{found['drawn_elements']} ({found['fixed_elements']} more are fixed)",
                "columns of theta": whole(found["columns"]),
            }
        )
    )
    _show_coverage(found)
    show("", *(f"warning: {warning}" for warning in found["warnings"]))
    show(_last_line(found))


def _some(names: list[str]) -> str:
    """Return names, the first few of many."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _show_coverage(found: dict[str, Any]) -> None:
    heading("Grades of parameters, by the first stage that uses them (columns of theta)")
    stages = found["coverage"]["stages"]
    grades = list(found["coverage"]["total"]["parameters"])

    def cells(part: dict[str, Any]) -> list[str]:
        return [
            f"{part['parameters'][grade]} ({part['columns'][grade]})" if part["parameters"][grade] else "."
            for grade in grades
        ]

    total = found["coverage"]["total"]
    rows = [[stage["stage"] or "unused", *cells(stage)] for stage in stages]
    rows.append(["all", *cells(total)])
    rows.append(["share", *(percent(total["share_of_parameters"][grade]) for grade in grades)])
    rows.append(["share of columns", *(percent(total["share_of_columns"][grade]) for grade in grades)])
    show(table(["stage", *grades], rows, right=grades))

    covariates, sources = found["covariates"], found["sources"]
    dependence, fits = found["dependence"], found["fits"]
    missing = [f"{cell['origin']} {cell['covariate']}" for cell in covariates["missing"]] if covariates else []
    values = {
        "population": f"{whole(found['population_cells'])} cells, none missing, "
        f"{found['population_grade'] or 'graded by its table'}",
        "covariates": "none declared"
        if covariates is None
        else f"{covariates['cells']} cells, {len(missing)} missing"
        + (f" (imputed, {covariates['panels']} panels): {_some(missing)}" if missing else "")
        + ("" if covariates["taken"] else "; the at-risk model takes none of them"),
        "sources cited": f"{len(sources['cited'])}{_catalogued(sources)}",
        "sources not cited": f"{len(sources['not_cited'])} of {sources['described']} described"
        + (f" ({_some(sources['not_cited'])})" if sources["not_cited"] else ""),
        "unused parameters": _some(found["unused_parameters"]) or "none",
        "dependence": _dependence_text(dependence),
        "fits to quantiles": _fits_text(fits),
    }
    heading("What it rests on")
    show(pairs(values))


def _catalogued(sources: dict[str, Any]) -> str:
    if not sources["catalogue"]:
        return ", no catalogue to look them up in"
    lacking = sources["not_in_catalogue"]
    return f", without a row in the catalogue: {_some(lacking)}" if lacking else ", all in the catalogue"


def _dependence_text(found: dict[str, Any]) -> str:
    if not found["pairs"]:
        return "none: all parameters are independent"
    groups, tied = found["groups"], found["pairs"]
    text = f"{groups} {'group' if groups == 1 else 'groups'}, {tied} {'pair' if tied == 1 else 'pairs'}"
    worst = found["most_moved"]
    if not found["repaired"]:
        return f"{text}, as asked for"
    return (
        f"{text}; repaired by at most {worst['change']:.3f}: {worst['first']} and {worst['second']}, "
        f"asked {worst['asked']:.3f}, got {worst['got']:.3f}"
    )


def _fits_text(found: list[dict[str, Any]]) -> str:
    if not found:
        return "none"
    worst = max(found, key=lambda fit: fit["largest_residual"])
    beyond = sum(fit["beyond_limit"] for fit in found)
    text = f"{len(found)}, largest residual {percent(worst['largest_residual'])} ({worst['parameter']})"
    return text + (f"; beyond the limit: {beyond}" if beyond else "")


def _last_line(found: dict[str, Any]) -> str:
    share = percent(found["coverage"]["total"]["share_of_parameters"]["illustrative"])
    warned = f", warnings: {len(found['warnings'])}" if found["warnings"] else ""
    return f"ok: can be run, {found['parameters']} parameters, {share} of them illustrative{warned}"
