"""Which sources inform which stage, origin and sex near the cohort year, and which of them a scenario uses.

A cell is a station (stage or journey point) and an origin; one more column holds the figures for several origins
together that cannot be split. A source counts in a cell if it is open, speaks of the station, tells the origin apart
and has a figure at most `within` years from the cohort year. It is *used* there if the scenario cites it for that
station and origin; what is cited there without counting is *borrowed*: from other countries, years, people or stages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simcore.scenario import Scenario
from simcore.scenario.catalogue import POOLED, CatalogueRow, read_catalogue
from simcore.scenario.citations import Citation, collect_citations
from simcore.scenario.stages import STAGES, Station, stations, stations_of_origin

NEAR = 5  # years on either side of the cohort year
USES = ("used", "elsewhere", "declared", "evidence", "check")
"""``used``: the numbers rest on it at a stage that it informs; ``elsewhere``: at a stage that no series of this source
informs; the rest as in `simcore.scenario.citations.Use`."""


@dataclass(frozen=True)
class Cell:
    """One station and origin.

    Attributes
    ----------
    station : Station
    origin : str
        Or `simcore.scenario.catalogue.POOLED`.
    passed : bool
        Whether anybody from there can pass the station.
    rows : tuple of CatalogueRow
        What counts here.
    used : tuple of CatalogueRow
        Those that the scenario uses here.
    borrowed : tuple of str
        Ids of sources that it uses here though no row of theirs counts.
    by_sex : dict
        Sex -> the rows that tell it apart.
    """

    station: Station
    origin: str
    passed: bool
    rows: tuple[CatalogueRow, ...]
    used: tuple[CatalogueRow, ...]
    borrowed: tuple[str, ...]
    by_sex: dict[str, tuple[CatalogueRow, ...]]

    @property
    def is_gap(self) -> bool:
        """Whether somebody passes and no source counts."""
        return self.passed and not self.rows


@dataclass(frozen=True)
class Coverage:
    """Everything that `simcore sources` shows.

    Attributes
    ----------
    scenario : Scenario
    within : int
        How many years from the cohort year a figure may be.
    catalogue : tuple of CatalogueRow
        Every row.
    rows : tuple of CatalogueRow
        Those about the stations and origins shown, by stage.
    citations : tuple of Citation
    stations : tuple of Station
    origins : tuple of str
        Columns of the matrix but for the pooled one.
    cells : dict
        (station, origin or POOLED) -> cell.
    """

    scenario: Scenario
    within: int
    catalogue: tuple[CatalogueRow, ...]
    rows: tuple[CatalogueRow, ...]
    citations: tuple[Citation, ...]
    stations: tuple[Station, ...]
    origins: tuple[str, ...]
    cells: dict[tuple[Station, str], Cell]

    def is_near(self, row: CatalogueRow) -> bool:
        """Return whether a row has a figure near the cohort year, for any of its countries or all together."""
        year = self.scenario.document.cohort_year
        return any(row.covers(country, year, self.within) for country in (*row.countries, POOLED))

    def citations_of(self, row: CatalogueRow) -> list[Citation]:
        """Return the citations about a row, wherever they stand."""
        return [citation for citation in self.citations if citation.backs(row)]

    def use_of(self, row: CatalogueRow) -> str:
        """Return how the scenario uses a row, one of `USES`, empty if it does not."""
        about = self.citations_of(row)
        entering = [citation for citation in about if citation.enters]
        if any(_at(citation, row) for citation in entering):
            return "used"
        sisters = [other for other in self.catalogue if other.source == row.source]
        if any(not any(_at(citation, sister) for sister in sisters) for citation in entering):
            return "elsewhere"
        return next((use for use in USES if any(citation.use == use for citation in about)), "")

    def uncatalogued(self) -> list[str]:
        """Return the ids that the scenario cites and the catalogue lacks, in order of first citation."""
        known = {row.source for row in self.catalogue}
        return list(dict.fromkeys(c.source for c in self.citations if c.source not in known))

    def gaps(self) -> dict[Station, list[str]]:
        """Return station -> origins that pass it and have no source, for the stations that have such origins."""
        found = {
            station: [origin for origin in self.origins if self.cells[station, origin].is_gap]
            for station in self.stations
        }
        return {station: origins for station, origins in found.items() if origins}

    def without_any(self) -> list[Station]:
        """Return the stations without a source for any origin, pooled ones included."""
        return [
            station
            for station in self.stations
            if not any(self.cells[station, column].rows for column in (*self.origins, POOLED))
        ]


def _at(citation: Citation, row: CatalogueRow) -> bool:
    return any(row.informs(station) for station in citation.stations)


def measure_coverage(
    scenario: Scenario,
    *,
    within: int = NEAR,
    stations_shown: Iterable[Station] | None = None,
    origins: Iterable[str] | None = None,
) -> Coverage:
    """Return the coverage of a scenario by the open sources that its catalogue lists.

    Parameters
    ----------
    scenario : Scenario
    within : int
        How many years from the cohort year a figure may be.
    stations_shown, origins : iterables or None
        Only these; None is all.

    Raises
    ------
    ScenarioError
        If a row of the catalogue is wrong.
    """
    shown = tuple(stations(scenario) if stations_shown is None else stations_shown)
    levels = scenario.levels("origin")
    chosen = tuple(levels if origins is None else origins)
    catalogue = tuple(sorted(read_catalogue(scenario), key=_order))
    rows = tuple(
        row
        for row in catalogue
        if any(row.informs(station) for station in shown)
        and (chosen == levels or set(chosen) & set(row.countries) or row.pooled)
    )
    citations = tuple(collect_citations(scenario))
    cells = {
        (station, column): _measure_cell(scenario, station, column, rows, citations, within)
        for station in shown
        for column in (*chosen, POOLED)
    }
    return Coverage(scenario, within, catalogue, rows, citations, shown, chosen, cells)


def _order(row: CatalogueRow) -> tuple[Any, ...]:
    """By stage; what is at hand before what is not; wide coverage first; then by name."""
    return (
        min(STAGES.index(stage) for stage in row.stages),
        not row.is_open,
        -len(row.countries),
        row.source,
        row.series,
    )


def _measure_cell(
    scenario: Scenario,
    station: Station,
    origin: str,
    rows: tuple[CatalogueRow, ...],
    citations: tuple[Citation, ...],
    within: int,
) -> Cell:
    year = scenario.document.cohort_year
    passed = origin == POOLED or station in stations_of_origin(scenario, origin)
    here = tuple(row for row in rows if row.is_open and row.informs(station) and row.covers(origin, year, within))
    cited = [
        citation
        for citation in citations
        if citation.enters and _stands_at(citation, station) and (origin == POOLED or origin in citation.origins)
    ]
    used = tuple(row for row in here if any(citation.backs(row) for citation in cited))
    counted = {row.source for row in used}
    borrowed = () if origin == POOLED else tuple(dict.fromkeys(c.source for c in cited if c.source not in counted))
    by_sex = {sex: tuple(row for row in here if sex in row.sexes) for sex in scenario.levels("sex")}
    return Cell(station, origin, passed, here, used, borrowed, by_sex)


def _stands_at(citation: Citation, station: Station) -> bool:
    """Return whether a citation is about a station; the whole stage includes its points."""
    stage, point = station
    return any(stage == at and point in ("", place) for at, place in citation.stations)
