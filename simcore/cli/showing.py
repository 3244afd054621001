"""`simcore show`: a scenario as it will be run, patches and settings applied, stage by stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import Json, ScenarioArgument, Settings, load
from simcore.cli.figures import figure, whole
from simcore.cli.terminal import grid, heading, pairs, show, show_json, table
from simcore.errors import UserError, nearest

if TYPE_CHECKING:
    from simcore.cli.assumptions import Assumption
    from simcore.scenario import Scenario
    from simcore.scenario.schema import Document, Leg

_MOST_PAIRS = 12


def _where(selector: Mapping[Any, Any] | None) -> str:
    """Return a selector as text; empty for every stratum."""
    return "; ".join(f"{axis} {' or '.join(names)}" for axis, names in (selector or {}).items())


def _legs(document: Document) -> list[dict[str, Any]]:
    return [
        {
            "leg": name,
            "label": leg.label,
            "from": leg.from_,
            "to": leg.to,
            "ends": {str(cause): str(parameter) for cause, parameter in (leg.net or {}).items()},
            "split": leg.split,
            "returned_to": _returns(leg),
        }
        for name, leg in document.transit.legs.items()
    ]


def _returns(leg: Leg) -> list[dict[str, str]]:
    return [{"where": _where(rule.where), "point": rule.point} for rule in (leg.returned_to or {}).values()]


def _branches(document: Document) -> list[dict[str, Any]]:
    rows = []
    for point, rules in document.transit.branches.items():
        for name, rule in rules.items():
            shares = rule.shares if rule.leg is None else {rule.leg: "1"}
            rows.append({"point": point, "rule": name, "where": _where(rule.where), "shares": shares})
    return rows


def _covariates(scenario: Scenario) -> list[dict[str, Any]]:
    """Return every covariate with the value of each origin; a missing one is None, and imputed."""
    if scenario.covariates is None:
        return []
    observed = scenario.covariates.observed
    return [
        {
            "name": name,
            "label": variable.label,
            "unit": variable.unit,
            "sign": variable.sign,
            "transform": variable.transform,
            "cells": [
                {
                    "origin": origin,
                    "value": None if observed.missing[o, j] else float(observed.values[o, j]),
                    "year": None if observed.missing[o, j] else int(observed.years[o, j]),
                    "source": observed.source_ids[o][j] or None,
                    "imputed": bool(observed.missing[o, j]),
                }
                for o, origin in enumerate(observed.origins)
            ],
        }
        for j, (name, variable) in enumerate(observed.variables.items())
    ]


def _rewards(document: Document) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "label": reward.label,
            "unit": reward.unit,
            "source": list(reward.source or ()),
            "amounts": [
                {"of": " ".join(str(part) for part in place), "mean": amount.mean, "cv": amount.cv}
                for place, amount in reward.amounts()
            ],
        }
        for name, reward in document.rewards.items()
    ]


def _at_risk(scenario: Scenario) -> dict[str, Any]:
    from simcore.scenario.at_risk_models import describe_at_risk

    return {
        "model": scenario.document.at_risk.model,
        "in_use": list(scenario.at_risk_in_use),
        "lines": [{"label": label, "text": text} for label, text in describe_at_risk(scenario)],
    }


def show_verb(
    name: ScenarioArgument,
    settings: Settings = None,
    parameter: Annotated[
        str | None,
        typer.Option("--parameter", metavar="NAME", help="One parameter with everything about it.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a scenario as it will be run: strata, journey, every parameter with quantiles, unit, source and grade."""
    from simcore.cli.assumptions import collect_assumptions, count_grades

    scenario = load(name, settings, quiet=as_json)
    document = scenario.document
    assumptions = collect_assumptions(scenario)
    if parameter is not None:
        _show_parameter(scenario, _find(assumptions, parameter), as_json=as_json)
        return
    if as_json:
        show_json(
            {
                "name": scenario.name,
                "title": document.title,
                "definition": document.definition,
                "cohort_year": document.cohort_year,
                "path": None if scenario.path is None else str(scenario.path),
                "digest": scenario.digest,
                "warnings": scenario.warnings,
                "strata": {axis: list(scenario.levels(axis)) for axis in scenario.strata_axes},
                "population": document.population.model_dump(mode="json", exclude={"cells"}),
                "persons": float(scenario.population.sum()),
                "at_risk": _at_risk(scenario),
                "covariates": _covariates(scenario),
                "legs": _legs(document),
                "branches": _branches(document),
                "rewards": _rewards(document),
                "parameters": [assumption.as_data() for assumption in assumptions],
                "dependence": [pair._asdict() for pair in scenario.dependence_report.pairs()],
                "grades": count_grades(document),
                "resolved": scenario.resolved,
            }
        )
        return
    _show_header(scenario)
    _show_strata(scenario)
    _show_stages(scenario, assumptions)
    _show_rewards(document)
    _show_dependence(scenario)
    show("", "Grades: " + ", ".join(f"{count} {grade}" for grade, count in count_grades(document).items()))


def _find(assumptions: Iterable[Assumption], name: str) -> Assumption:
    """Return the parameter called ``name``, or the one that has an element called so."""
    known = {assumption.name: assumption for assumption in assumptions}
    for assumption in known.values():
        if name == assumption.name or name in assumption.elements:
            return assumption
    raise UserError(f"--parameter {name}: unknown parameter{nearest(name, known) or f' (there are {len(known)})'}")


def _show_parameter(scenario: Scenario, assumption: Assumption, *, as_json: bool) -> None:
    if as_json:
        show_json(assumption.as_data())
        return
    from simcore.cli.parameter_cards import show_card

    show_card(scenario, assumption)


def _show_stages(scenario: Scenario, assumptions: list[Assumption]) -> None:
    """Print what is declared at each stage, and the parameters that are used there first."""
    from simcore.cli.parameter_cards import column_heads, parameter_lines
    from simcore.scenario.stages import AT_RISK, POPULATION, STAGE_TITLES, STAGES, TRANSIT

    before = {
        POPULATION: lambda: _show_population(scenario),
        AT_RISK: lambda: _show_at_risk(scenario),
        TRANSIT: lambda: _show_journey(scenario.document),
    }
    for stage in (*STAGES, None):
        here = [assumption for assumption in assumptions if assumption.stage == stage]
        if not here and stage not in before:
            continue
        heading(STAGE_TITLES[stage] if stage else "Used by nothing")
        if stage in before:
            before[stage]()
        if here:
            show(*([""] if stage in before else []), column_heads())
            for assumption in here:
                show(*parameter_lines(assumption))


def _show_header(scenario: Scenario) -> None:
    document = scenario.document
    heading(f"{scenario.name}: {document.title}")
    years = document.exposure_years
    values = {
        "cohort year": f"{document.cohort_year}, exposure {years:g} {'year' if years == 1 else 'years'}",
        "file": str(scenario.path or "-"),
        "digest": scenario.digest,
        "counted as trafficked": " ".join(document.definition.split()),
        "about": " ".join(document.description.split()),
    }
    show(pairs({name: value for name, value in values.items() if value}))


def _show_strata(scenario: Scenario) -> None:
    document = scenario.document
    heading("Strata")
    rows = []
    for axis in scenario.strata_axes:
        levels = getattr(document.strata, axis)
        names = [name if level.label is None else f"{name} ({level.label})" for name, level in levels.items()]
        rows.append([axis, ", ".join(names)])
    show(table(["axis", "levels"], rows))
    groups = [
        [axis, name, ", ".join(levels)] for axis, named in document.groups.items() for name, levels in named.items()
    ]
    if groups:
        heading("Groups of levels")
        show(table(["axis", "group", "levels"], groups))


def _show_journey(document: Document) -> None:
    transit = document.transit
    entries = [f"{rule.point}{f' for {_where(rule.where)}' if rule.where else ''}" for rule in transit.entry.values()]
    show(
        pairs(
            {
                "bound for": document.destinations.bound,
                "arrival at": transit.arrival_point,
                "begins at": "; ".join(entries),
                "attempts": f"at most {transit.attempt_cap}",
                "outcomes": ", ".join(document.outcomes.levels),
            }
        ),
        "",
        table(
            ["leg", "from", "to", "can end by", "returned to"],
            [
                [
                    row["leg"],
                    row["from"],
                    row["to"],
                    ", ".join(row["ends"]) if row["split"] is None else f"split {row['split']}",
                    "; ".join(
                        f"{rule['point']} for {rule['where']}" if rule["where"] else rule["point"]
                        for rule in row["returned_to"]
                    ),
                ]
                for row in _legs(document)
            ],
        ),
    )
    branches = _branches(document)
    if branches:
        show(
            "",
            "Choices on the way",
            table(
                ["point", "rule", "for", "shares"],
                [
                    [
                        row["point"],
                        row["rule"],
                        row["where"] or "all others",
                        row["shares"]
                        if isinstance(row["shares"], str)
                        else ", ".join(f"{leg}: {share}" for leg, share in row["shares"].items()),
                    ]
                    for row in branches
                ],
            ),
        )


def _show_population(scenario: Scenario) -> None:
    population = scenario.document.population
    year = scenario.document.cohort_year if population.year is None else population.year
    values = {
        "persons": whole(round(float(scenario.population.sum()))),
        "from": "cells in the file" if population.table is None else f"{population.table}, year {year}",
        "grade": population.grade or "",
        "source": ", ".join(population.source or ()),
    }
    show(pairs({name: text for name, text in values.items() if text}))


def _show_at_risk(scenario: Scenario) -> None:
    at_risk = _at_risk(scenario)
    lines = {line["label"]: line["text"] for line in at_risk["lines"]}
    where = _where(scenario.document.at_risk.active)
    show(pairs({"model": ", ".join(at_risk["in_use"]), "who": where or "everybody", **lines}))
    covariates = _covariates(scenario)
    if not covariates:
        return
    from simcore.scenario.citations import collect_citations

    assert scenario.covariates is not None
    origins = list(scenario.covariates.observed.origins)
    cells = grid(["covariate", *origins])
    for row in covariates:
        name = f"{row['name']} ({'+' if row['sign'] > 0 else '-'})"
        cells.add_row(name, *("--" if cell["imputed"] else figure(cell["value"]) for cell in row["cells"]))
    imputed = sum(cell["imputed"] for row in covariates for cell in row["cells"])
    panels = f", filled in by {scenario.covariates.panels} completed panels" if imputed else ""
    show(
        "",
        f"Covariates near {scenario.covariates.observed.year} (+ more of it: more at risk; - less)",
        cells,
        f"-- missing: {imputed} of {len(covariates) * len(origins)} cells{panels}",
    )
    idle = sorted({citation.by for citation in collect_citations(scenario) if citation.use == "declared"})
    if idle:
        which = "none of them" if len(idle) == len(covariates) else f"all but {', '.join(idle)}"
        show(f"taken by the at-risk model in use: {which}")


def _show_rewards(document: Document) -> None:
    rows = []
    for reward in _rewards(document):
        amounts: dict[tuple[Any, Any], list[str]] = {}
        for amount in reward["amounts"]:
            amounts.setdefault((amount["mean"], amount["cv"]), []).append(amount["of"])
        for (mean, variation), places in amounts.items():
            text = mean if isinstance(mean, str) else figure(mean)
            if variation is not None:
                text += f", cv {variation if isinstance(variation, str) else figure(variation)}"
            rows.append([reward["name"], reward["unit"], text, ", ".join(places)])
    if rows:
        heading("Rewards: what a journey collects")
        show(table(["reward", "unit", "amount", "with"], rows))


def _show_dependence(scenario: Scenario) -> None:
    from simcore.cli.parameter_cards import show_pairs

    tied = list(scenario.dependence_report.pairs())
    if tied:
        heading("Dependence between parameters")
        show_pairs(tied, _MOST_PAIRS)
