"""The coverage by sources in a terminal: a matrix of stages and origins, what is missing, and the sources by stage.

What stands out in colour on a terminal is marked by a character too. Text from catalogues is never taken for markup.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from analysis.sources.coverage import USES, Cell, Coverage
from simcore.cli.terminal import grid, heading, pairs, show, visible
from simcore.scenario.catalogue import POOLED, CatalogueRow
from simcore.scenario.stages import STAGE_TITLES, Station

NONE, NOT_PASSED, BORROWED = "--", ".", "*"
_SHORT_ACCESS = {"open_download": "download", "open_report": "report", "restricted": "restricted"}
_FOR_WHOM = 18  # columns that leave room for most ids in 80


def show_coverage(found: Coverage) -> None:
    """Print the matrix, by sex below it, the summary of what is missing, and the sources stage by stage."""
    _show_header(found)
    heading("Sources used / sources at hand")
    show(_matrix(found))
    show(
        f"{NONE} no source   {BORROWED} also rests on a source from other origins, years or stages",
        f"{NOT_PASSED}  nobody from there passes   {POOLED}: figures for several origins together",
    )
    heading("Sources at hand that tell the sexes apart")
    show(_matrix_by_sex(found))
    show_missing(found)
    show_lists(found)


def show_missing(found: Coverage) -> None:
    """Print the stations without a source and what the catalogue lacks."""
    heading("Without a source")
    nowhere = found.without_any()
    lines = {"no source at all": ", ".join(_name(station) for station in nowhere) or "no stage"}
    for station, origins in found.gaps().items():
        if station not in nowhere:
            every = len(origins) > 1 and set(origins) == _passing(found, station)
            lines[_name(station)] = "every origin (pooled figures only)" if every else ", ".join(origins)
    lines["cited, not in the catalogue"] = ", ".join(found.uncatalogued()) or "none"
    show(pairs(lines))


def show_lists(found: Coverage, *, unused: bool = False, full: bool = False) -> None:
    """Print the sources of each stage; ``unused``: those at hand that no number rests on; ``full``: everything."""
    for stage in dict.fromkeys(stage for stage, _ in found.stations):
        points = [point for at, point in found.stations if at == stage]
        rows = [row for row in found.rows if any(row.informs((stage, point)) for point in points)]
        if unused:
            rows = [row for row in rows if row.is_open and found.use_of(row) != "used"]
        uses = [found.use_of(row) for row in rows]
        heading(f"{STAGE_TITLES[stage]}: {len(rows)} series, {uses.count('used')} used")
        if full:
            for row in rows:
                show("", pairs(_card(found, row)))
        elif rows:
            show(_list(found, rows))
    if not full:
        show("", f"!  no figure within {found.within} years of {found.scenario.document.cohort_year}")


def show_gaps(found: Coverage) -> None:
    """Print where nothing is at hand, and what would have to be asked for."""
    _show_header(found)
    show_missing(found)
    missing = [row for row in found.rows if not (row.is_open and found.is_near(row))]
    for stage in dict.fromkeys(stage for stage, _ in found.stations):
        rows = [row for row in missing if next(at for at, _ in found.stations if at in row.stages) == stage]
        if rows:
            heading(f"{STAGE_TITLES[stage]}: to ask for")
            show(_asked_for(found, rows))


def _asked_for(found: Coverage, rows: Iterable[CatalogueRow]) -> Table:
    """Return what would close each gap; a row that is at hand speaks of other years."""
    narrow = sys.stdout.isatty()
    made = grid(["source", "to ask for"] if narrow else ["source", "series", "for", "access", "to ask for"], left=5)
    for row in rows:
        access = Text(
            _at_hand(row) if not row.is_open else f"years {_years(row)}", style="red" if not row.is_open else ""
        )
        whom = _whom(found, row)
        if narrow:
            named = Text(visible(row.series or row.source), style="bold")
            made.add_row(Text("\n").join([named, Text(visible(row.source)), Text(whom), access]), visible(row.to_close))
            made.add_row()
        else:
            made.add_row(visible(row.source), visible(row.series), whom, access, visible(row.to_close))
    return made


def _show_header(found: Coverage) -> None:
    document = found.scenario.document
    year = document.cohort_year
    uses = [found.use_of(row) for row in found.rows]
    at_hand = [row for row in found.rows if row.is_open]
    heading(f"{found.scenario.name}: sources by stage")
    show(
        pairs(
            {
                "cohort year": f"{year}; a source counts with a figure in {year - found.within} to "
                f"{year + found.within}",
                "catalogue": f"{len(found.rows)} series, {len(at_hand)} at hand, "
                f"{sum(found.is_near(row) for row in at_hand)} of those near the year, {uses.count('used')} used",
            }
        )
    )


def _name(station: Station) -> str:
    return f"{station[0]} at {station[1]}" if station[1] else station[0]


def _passing(found: Coverage, station: Station) -> set[str]:
    return {origin for origin in found.origins if found.cells[station, origin].passed}


def _cell(cell: Cell) -> Text:
    if not cell.passed:
        return Text(NOT_PASSED, style="dim")
    mark = BORROWED if cell.borrowed else ""
    if not cell.rows:
        return Text(NONE + mark, style="dim" if cell.origin == POOLED else "bold red")
    return Text(f"{len(cell.used)}/{len(cell.rows)}{mark}", style="green" if cell.used else "yellow")


def _matrix(found: Coverage) -> Table:
    made = grid(["stage", *found.origins, POOLED], left=1)
    for station in found.stations:
        label = f"  {station[1]}" if station[1] else station[0]
        made.add_row(visible(label), *(_cell(found.cells[station, column]) for column in (*found.origins, POOLED)))
    return made


def _matrix_by_sex(found: Coverage) -> Table:
    made = grid(["stage", "sex", *found.origins, POOLED], left=2)
    for station in found.stations:
        label = f"  {station[1]}" if station[1] else station[0]
        for index, sex in enumerate(found.scenario.levels("sex")):
            cells = []
            for column in (*found.origins, POOLED):
                cell = found.cells[station, column]
                count = len(cell.by_sex[sex])
                missing = Text(NONE, style="dim" if column == POOLED else "red")
                cells.append(
                    Text(NOT_PASSED, style="dim") if not cell.passed else Text(str(count)) if count else missing
                )
            made.add_row(visible(label) if not index else "", visible(sex), *cells)
    return made


def _whom(found: Coverage, row: CatalogueRow) -> str:
    """Return for whom a row has figures, in short."""
    every = set(found.scenario.levels("origin")) <= set(row.countries)
    named = ["all"] if every else [visible(country) for country in row.countries]
    text = " ".join([*named, *([POOLED] if row.pooled else [])])
    if row.sexes:
        both = set(row.sexes) == set(found.scenario.levels("sex"))
        text += ", by sex" if both else f", {visible(' '.join(row.sexes))} apart"
    return text


def _years(row: CatalogueRow) -> str:
    if row.first_year is None:
        return "-"
    return f"{row.first_year}-{row.last_year}" if row.first_year != row.last_year else str(row.first_year)


def _at_hand(row: CatalogueRow) -> str:
    return _SHORT_ACCESS.get(row.access, "not found")


def _list(found: Coverage, rows: Iterable[CatalogueRow]) -> Table:
    """Return the rows below each other: on a terminal with the source under its series, else one line each."""
    narrow = sys.stdout.isatty()
    columns = ["use", *(["series, source"] if narrow else ["source", "series"]), "for", "years", "access"]
    made = grid(columns, left=len(columns))
    for column in made.columns:
        column.no_wrap = column.header in ("use", "years", "access")
    if narrow:
        made.columns[2].max_width = _FOR_WHOM
    for use, row in sorted(((found.use_of(row), row) for row in rows), key=lambda item: _by_use(*item)):
        style = "green" if use == "used" else "red" if not row.is_open else ""
        series, source = Text(visible(row.series or row.source), style=style), Text(visible(row.source))
        made.add_row(
            Text(use or "-", style=style),
            *([Text("\n").join([series, source])] if narrow else [source, series]),
            _whom(found, row),
            _years(row) + ("" if found.is_near(row) or not row.is_open else "!"),
            Text(_at_hand(row), style="red" if not row.is_open else ""),
        )
    return made


def _by_use(use: str, row: CatalogueRow) -> tuple[bool, int]:
    return not row.is_open, USES.index(use) if use else len(USES)


def _card(found: Coverage, row: CatalogueRow) -> dict[str, str]:
    """Return everything about a row as name -> text."""
    missing = [
        f"{country} {_spans(years)}".strip() for country, years in row.missing.items() if years
    ]  # the empty name stands for all
    by = [f"{c.use} {c.by}".strip() for c in found.citations_of(row)]
    card = {
        row.source: row.series,
        "title": row.title,
        "publisher": row.publisher,
        "informs": ", ".join([*row.stages, *row.points]),
        "for": _whom(found, row) + (f"; ages {row.ages}" if row.ages else ""),
        "years": _years(row) + (f", without {'; '.join(missing)}" if missing else ""),
        "access": ", ".join(part for part in (row.access, row.licence) if part),
        "best grade": row.grade,
        "used by": ", ".join(dict.fromkeys(by)) or "nothing",
        "known bias": row.bias,
        "to ask for": row.to_close,
    }
    return {name: text for name, text in card.items() if text}


def _spans(years: Iterable[int]) -> str:
    """Return years as spans, such as ``1996-1999, 2001``."""
    spans: list[list[int]] = []
    for year in sorted(years):
        if spans and spans[-1][1] == year - 1:
            spans[-1][1] = year
        else:
            spans.append([year, year])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
