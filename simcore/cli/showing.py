"""`simcore show`: a scenario as it will be run, patches and settings applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simcore.cli.arguments import Json, ScenarioArgument, Settings, load
from simcore.cli.terminal import heading, pairs, show, show_json, table

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.scenario.schema import Document, Leg

GRADES = ("measured", "derived", "elicited", "illustrative")


def count_grades(document: Document) -> dict[str, int]:
    """Return grade -> number of parameters that have it."""
    counted = Counter(str(parameter.grade) for parameter in document.parameters.values())
    return {grade: counted[grade] for grade in GRADES}


def _number(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} {_number(share)}" for name, share in value.items()) + "}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def describe_distribution(distribution: Any) -> str:
    """Return a distribution as its family and what was given, such as ``beta(mean=0.05, size=20)``."""
    given = distribution.model_dump(exclude_none=True)
    family = given.pop("family")
    return f"{family}({', '.join(f'{name}={_number(value)}' for name, value in given.items())})"


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


def _parameters(document: Document) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "label": parameter.label,
            "distribution": describe_distribution(parameter.distribution),
            "unit": parameter.unit,
            "index": list(parameter.index),
            "source": list(parameter.source or ()),
            "grade": parameter.grade,
            "note": parameter.note,
        }
        for name, parameter in document.parameters.items()
    ]


def show_verb(name: ScenarioArgument, settings: Settings = None, as_json: Json = False) -> None:
    """Show a scenario as it will be run: strata, journey, every parameter with unit, source and grade."""
    scenario = load(name, settings)
    document = scenario.document
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
                "legs": _legs(document),
                "branches": _branches(document),
                "parameters": _parameters(document),
                "grades": count_grades(document),
                "resolved": scenario.resolved,
            }
        )
        return
    _show_header(scenario)
    _show_strata(scenario)
    _show_journey(document)
    heading("Parameters")
    show(
        table(
            ["parameter", "meaning", "distribution", "unit", "index", "source", "grade"],
            [
                [
                    row["name"],
                    row["label"] or "",
                    row["distribution"],
                    row["unit"],
                    ", ".join(row["index"]),
                    ", ".join(row["source"]),
                    row["grade"],
                ]
                for row in _parameters(document)
            ],
        )
    )
    show("", "Grades: " + ", ".join(f"{count} {grade}" for grade, count in count_grades(document).items()))


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
    heading("Journey")
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
        heading("Choices on the way")
        show(
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
            )
        )
