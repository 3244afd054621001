"""The verb `simcore sources`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import Json, ScenarioArgument, Settings, load, read_whole
from simcore.errors import UserError, nearest

if TYPE_CHECKING:
    from analysis.sources.coverage import Coverage
    from simcore.scenario import Scenario
    from simcore.scenario.catalogue import CatalogueRow
    from simcore.scenario.stages import Station

_MOST_YEARS = 200


def sources(
    name: ScenarioArgument,
    settings: Settings = None,
    stage: Annotated[
        str | None, typer.Option("--stage", metavar="NAME", help="Only one stage or journey point.", show_default=False)
    ] = None,
    country: Annotated[
        str | None, typer.Option("--country", metavar="ORIGIN", help="Only one origin.", show_default=False)
    ] = None,
    within: Annotated[
        str, typer.Option("--within", metavar="YEARS", help="How far from the cohort year a figure may be.")
    ] = "5",
    unused: Annotated[bool, typer.Option("--unused", help="Only sources at hand that no number rests on.")] = False,
    gaps: Annotated[bool, typer.Option("--gaps", help="Only what is missing, and what to ask for.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Everything known of each source, bias included.")] = False,
    as_json: Json = False,
) -> None:
    """Show which open sources inform which stage, for whom and when, which are used and where none is."""
    from analysis.sources import showing
    from analysis.sources.coverage import measure_coverage

    if gaps and unused:
        raise UserError("--gaps --unused: give one of them, they list different things")
    years = read_whole(within, "--within", 0, _MOST_YEARS)
    scenario = load(name, settings, quiet=as_json)
    found = measure_coverage(
        scenario,
        within=years,
        stations_shown=None if stage is None else _find_stations(scenario, stage),
        origins=None if country is None else [_find_origin(scenario, country)],
    )
    if not found.rows and stage is None and country is None:
        raise scenario.error(("sources",), 'names no catalogue with rows: add catalogue = "FILE.csv" to [sources]')
    if as_json:
        from simcore.cli.terminal import show_json

        show_json(as_data(found))
    elif gaps:
        showing.show_gaps(found)
    elif unused or full:
        showing.show_lists(found, unused=unused, full=full)
    else:
        showing.show_coverage(found)


def _find_stations(scenario: Scenario, name: str) -> list[Station]:
    from simcore.scenario.stages import stations

    every = stations(scenario)
    chosen = [station for station in every if name in station and name]
    if not chosen:
        known = list(dict.fromkeys(point or stage for stage, point in every))
        hint = nearest(name, known) or f" (known: {', '.join(known)})"
        raise UserError(f"--stage {name}: unknown stage or journey point{hint}")
    return chosen


def _find_origin(scenario: Scenario, name: str) -> str:
    known = scenario.levels("origin")
    if name not in known:
        hint = nearest(name, known) or f" (known: {', '.join(known)})"
        raise UserError(f"--country {name}: unknown origin{hint}")
    return name


def as_data(found: Coverage) -> dict[str, Any]:
    """Return the whole coverage as plain data: matrix, gaps, and every row of the catalogue with its uses."""
    from simcore.scenario.catalogue import POOLED

    document = found.scenario.document
    return {
        "scenario": found.scenario.name,
        "cohort_year": document.cohort_year,
        "within": found.within,
        "cells": [
            {
                "stage": cell.station[0],
                "point": cell.station[1] or None,
                "origin": None if cell.origin == POOLED else cell.origin,
                "pooled": cell.origin == POOLED,
                "passed": cell.passed,
                "sources": [_id(row) for row in cell.rows],
                "used": [_id(row) for row in cell.used],
                "borrowed": list(cell.borrowed),
                "by_sex": {sex: [_id(row) for row in rows] for sex, rows in cell.by_sex.items()},
            }
            for cell in found.cells.values()
        ],
        "gaps": [
            {"stage": stage, "point": point or None, "origins": origins}
            for (stage, point), origins in found.gaps().items()
        ],
        "without_any": [{"stage": stage, "point": point or None} for stage, point in found.without_any()],
        "not_in_catalogue": found.uncatalogued(),
        "catalogue": [_row_data(found, row) for row in found.rows],
    }


def _id(row: CatalogueRow) -> dict[str, str]:
    return {"source_id": row.source, "series": row.series}


def _row_data(found: Coverage, row: CatalogueRow) -> dict[str, Any]:
    return {
        **_id(row),
        "title": row.title,
        "publisher": row.publisher,
        "stages": list(row.stages),
        "points": list(row.points),
        "indicators": list(row.indicators),
        "countries": list(row.countries),
        "pooled": row.pooled,
        "sexes": list(row.sexes),
        "ages": row.ages,
        "first_year": row.first_year,
        "last_year": row.last_year,
        "years_missing": {country or "all": sorted(years) for country, years in row.missing.items()},
        "access": row.access,
        "licence": row.licence,
        "grade": row.grade,
        "bias": row.bias,
        "to_close": row.to_close,
        "near": found.is_near(row),
        "use": found.use_of(row) or None,
        "used_by": [
            {"use": citation.use, "by": citation.by, "stations": [list(station) for station in citation.stations]}
            for citation in found.citations_of(row)
        ],
        "place": row.place,
    }
