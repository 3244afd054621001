"""The catalogue of open sources: what could inform which stage, for whom and when, whether it is used or not.

A scenario names its catalogue in the table ``[sources]``. A catalogue may hold rows on more countries and points than a
scenario has; a row is known by its source and its series. Catalogues of a base and of the patches on it are put
together, and a later row replaces an earlier one with the same source and series.

A catalogue informs people, it changes nothing that is computed: it is read when somebody asks for it, and is no part
of the scenario's digest or of a results file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from simcore.errors import ScenarioError, nearest
from simcore.scenario.fields import Grade
from simcore.scenario.finding import shown_path
from simcore.scenario.patches import Layer, value_at
from simcore.scenario.stages import BORDER, STAGES, TRANSIT, Station
from simcore.scenario.tables import Row, read_rows, read_table_text

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario

OPEN = ("open_download", "open_report")
ACCESS = (*OPEN, "restricted", "not_found")
EVERY_ORIGIN, POOLED = "all", "pooled"
TOGETHER = "together"
GRADES: tuple[str, ...] = get_args(Grade)
LATEST_YEAR = 9999

NEEDED = ("source_id", "title", "stages", "countries", "access", "grade")
COLUMNS = (
    "source_id", "series", "title", "publisher", "stages", "points", "indicators", "countries", "sexes", "ages",
    "first_year", "last_year", "years_missing", "access", "licence", "grade", "bias", "to_close",
)  # fmt: skip

_MISSING = re.compile(r"(?P<country>.*?)\s*(?P<years>\d+(\s*-\s*\d+)?(\s*,\s*\d+(\s*-\s*\d+)?)*)")


@dataclass(frozen=True)
class CatalogueRow:
    """One series of one source.

    Attributes
    ----------
    source, series : str
        Together the name of the row; `source` is what parameters cite.
    title, publisher, ages, access, licence, grade, bias, to_close : str
        As in the table; `grade` is the best that a figure resting on it can get, `to_close` what one would have to ask
        for.
    stages, points, indicators : tuple of str
        What it informs; without points, a row on transit speaks of the journey as a whole.
    countries : tuple of str
        Those it tells apart.
    pooled : bool
        Whether it has figures for several origins together that cannot be split.
    sexes : tuple of str
        Those it tells apart; empty if it does not.
    first_year, last_year : int or None
    missing : dict
        Country -> years without a figure between the two; under the empty name, for all.
    place : str
        ``file:line``.
    """

    source: str
    series: str
    title: str
    publisher: str
    stages: tuple[str, ...]
    points: tuple[str, ...]
    indicators: tuple[str, ...]
    countries: tuple[str, ...]
    pooled: bool
    sexes: tuple[str, ...]
    ages: str
    first_year: int | None
    last_year: int | None
    missing: dict[str, frozenset[int]] = field(repr=False)
    access: str
    licence: str
    grade: str
    bias: str
    to_close: str
    place: str

    @property
    def is_open(self) -> bool:
        """Whether it is at hand: a download or a report, not restricted or never found."""
        return self.access in OPEN

    def informs(self, station: Station) -> bool:
        """Return whether it speaks of a stage, or of one journey point of the transit zone."""
        stage, point = station
        return stage in self.stages and (not point or point in self.points)

    def years(self, country: str) -> Iterator[int]:
        """Yield the years with a figure for a country (`POOLED`: for all together); none where years are unknown."""
        if self.first_year is None or self.last_year is None:
            return
        gone = self.missing.get("", frozenset()) | self.missing.get(country, frozenset())
        yield from (year for year in range(self.first_year, self.last_year + 1) if year not in gone)

    def covers(self, country: str, year: int, within: int) -> bool:
        """Return whether it has a figure for a country (or `POOLED`) at most ``within`` years from ``year``."""
        told_apart = self.pooled if country == POOLED else country in self.countries
        return told_apart and any(abs(known - year) <= within for known in self.years(country))


@dataclass(frozen=True)
class _Known:
    """The words that rows may use."""

    origins: tuple[str, ...]
    every_origin: tuple[str, ...]
    sexes: tuple[str, ...]
    points: tuple[str, ...]


def read_catalogue(scenario: Scenario) -> list[CatalogueRow]:
    """Return the rows of every catalogue that a scenario, or what it is a patch on, names.

    Raises
    ------
    ScenarioError
        One line with file, line, column, value and the nearest known word.
    """
    rows: dict[tuple[str, str], CatalogueRow] = {}
    known = _known_words(scenario)
    for layer in scenario.layers.layers:
        if any(gone in (("sources",), ("sources", "catalogue")) for gone in layer.remove):
            rows.clear()
        for text, shown in _tables(scenario, layer, "catalogue"):
            for row in _read_rows(text, shown, known):
                rows[row.source, row.series] = row
    return list(rows.values())


def read_evidence(scenario: Scenario) -> list[Row]:
    """Return the rows of the last table of evidence that a scenario names: figures, their sources, their use.

    Raises
    ------
    ScenarioError
        If the table cannot be read or lacks a column.
    """
    rows: list[Row] = []
    for layer in scenario.layers.layers:
        if any(gone in (("sources",), ("sources", "evidence")) for gone in layer.remove):
            rows = []
        for text, shown in _tables(scenario, layer, "evidence"):
            rows = read_rows(text, shown, ("source_id", "used_for"))
    return rows


def _tables(scenario: Scenario, layer: Layer, key: str) -> Iterator[tuple[str, str]]:
    """Yield text and shown name of the tables that a layer names under ``sources.<key>``; none if out of a file."""
    named: Any = value_at(layer.data, ("sources", key))
    if named is None or scenario.path is None:
        return
    folder = layer.folder or Path()
    for name in [named] if isinstance(named, str) else named:
        try:
            yield read_table_text(name, folder), shown_path(folder / name)
        except ScenarioError as error:
            raise ScenarioError(f"{layer.place(('sources', key))}: {error}") from None


def _known_words(scenario: Scenario) -> _Known:
    """Return what rows may name: also origins and points that a base has and a patch takes away."""

    def named(*path: str) -> tuple[str, ...]:
        found = (value_at(layer.data, path) or {} for layer in scenario.layers.layers)
        return tuple(dict.fromkeys(name for table in found for name in table))

    origins = tuple(dict.fromkeys((*scenario.levels("origin"), *named("strata", "origin"))))
    points = tuple(dict.fromkeys((*scenario.levels("point"), *named("transit", "points"))))
    return _Known(origins, scenario.levels("origin"), scenario.levels("sex"), points)


def _read_rows(text: str, shown: str, known: _Known) -> Iterator[CatalogueRow]:
    rows = read_rows(text, shown, NEEDED)
    seen: dict[tuple[str, str], str] = {}
    for row in rows:
        for column in row.cells:
            if column not in COLUMNS:
                hint = nearest(column, COLUMNS) or f" (known: {', '.join(COLUMNS)})"
                raise ScenarioError(f"{shown}:1: unknown column {column!r}{hint}")
        made = _read_row(row, known)
        name = (made.source, made.series)
        if name in seen:
            what = f"{made.source}, series {made.series!r}" if made.series else made.source
            raise row.error("source_id", f"{what} is also in line {seen[name].rpartition(':')[2]}")
        seen[name] = row.place
        yield made


def _listed(row: Row, column: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in row.cells.get(column, "").split(";") if part.strip())


def _words(row: Row, column: str, known: Iterable[str], what: str) -> tuple[str, ...]:
    """Return the words of a cell, separated by semicolons; each must be known."""
    words, known = _listed(row, column), tuple(known)
    for word in words:
        if word not in known:
            hint = nearest(word, known) or f" (known: {', '.join(known) or 'none'})"
            raise row.error(column, f"unknown {what} {word!r}{hint}")
    return words


def _one_word(row: Row, column: str, known: Iterable[str]) -> str:
    words = _words(row, column, known, column)
    if len(words) != 1:
        raise row.error(column, f"must be one of {', '.join(known)}, got {row.cells[column] or 'an empty cell'}")
    return words[0]


def _year(row: Row, column: str) -> int | None:
    year = row.whole(column) if row.cells.get(column) else None
    if year is not None and not 1 <= year <= LATEST_YEAR:
        raise row.error(column, f"must be a year from 1 to {LATEST_YEAR}, got {row.cells[column]}")
    return year


def _read_row(row: Row, known: _Known) -> CatalogueRow:
    for column in ("source_id", "title", "stages", "countries"):
        if not row.cells[column]:
            raise row.error(column, "a missing cell")
    stages = _words(row, "stages", STAGES, "stage")
    points = _words(row, "points", known.points, "journey point")
    if points and not {TRANSIT, BORDER} & set(stages):
        raise row.error("points", f"go with the stage {TRANSIT} or {BORDER}, got {row.cells['stages']}")
    named = _words(row, "countries", (*known.origins, EVERY_ORIGIN, POOLED), "country")
    countries = known.every_origin if EVERY_ORIGIN in named else tuple(name for name in named if name != POOLED)
    sexes = _words(row, "sexes", (*known.sexes, TOGETHER), "sex")
    if TOGETHER in sexes and len(sexes) > 1:
        raise row.error("sexes", f"{TOGETHER} stands alone, got {row.cells['sexes']}")
    access = _one_word(row, "access", ACCESS)
    first, last = _year(row, "first_year"), _year(row, "last_year")
    if (first is None) != (last is None) or (first is None and access in OPEN):
        column = "first_year" if first is None else "last_year"
        raise row.error(column, "a missing cell: an open source needs the years it covers, and years come as a pair")
    if first is not None and last is not None and first > last:
        raise row.error("last_year", f"must not be below first_year ({first}), got {last}")
    return CatalogueRow(
        source=row.cells["source_id"],
        series=row.cells.get("series", ""),
        title=row.cells["title"],
        publisher=row.cells.get("publisher", ""),
        stages=stages,
        points=points,
        indicators=_listed(row, "indicators"),
        countries=countries,
        pooled=POOLED in named,
        sexes=tuple(sex for sex in sexes if sex != TOGETHER),
        ages=row.cells.get("ages", ""),
        first_year=first,
        last_year=last,
        missing=_missing_years(row, countries, first, last),
        access=access,
        licence=row.cells.get("licence", ""),
        grade=_one_word(row, "grade", GRADES),
        bias=row.cells.get("bias", ""),
        to_close=row.cells.get("to_close", ""),
        place=row.place,
    )


def _missing_years(
    row: Row, countries: tuple[str, ...], first: int | None, last: int | None
) -> dict[str, frozenset[int]]:
    """Return country -> years of a cell such as ``1996-1999; NIC 2010, 2012-2014``."""
    missing: dict[str, set[int]] = {}
    for part in _listed(row, "years_missing"):
        match = _MISSING.fullmatch(part)
        if match is None:
            raise row.error("years_missing", f"must be years such as '2001, 2003-2005' or 'MEX 2001', got {part!r}")
        country = match["country"]
        if country and country not in (*countries, POOLED):
            hint = nearest(country, countries) or f" (covered: {', '.join(countries) or 'none'})"
            raise row.error("years_missing", f"unknown country {country!r}{hint}")
        for span in match["years"].split(","):
            low, _, high = (end.strip() for end in span.partition("-"))
            begin, end = int(low), int(high or low)
            if first is None or last is None or not first <= begin <= end <= last:
                limits = "there are none" if first is None else f"{first} to {last}"
                raise row.error("years_missing", f"must be years in order, within those covered ({limits}), got {span}")
            missing.setdefault(country, set()).update(range(begin, end + 1))
    return {country: frozenset(years) for country, years in missing.items()}
