"""Where a scenario cites which source: parameters, tables of figures, rewards, and the evidence behind parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from simcore.scenario.catalogue import CatalogueRow, read_evidence
from simcore.scenario.references import Coordinates
from simcore.scenario.stages import (
    AT_RISK,
    BORDER,
    POPULATION,
    TRANSIT,
    Station,
    references_by_parameter,
    stations_of,
)
from simcore.scenario.tables import read_rows

if TYPE_CHECKING:
    from simcore.scenario.at_risk_models import AtRiskModel
    from simcore.scenario.validated import Scenario

CHECK_ONLY = "check_only"

Use = Literal["parameter", "table", "reward", "declared", "evidence", "check"]
"""How a source is used. The first three enter the numbers. ``declared``: a covariate that no at-risk model takes;
``evidence``: on file for a parameter that does not cite it; ``check``: for comparing with results."""
ENTERING = ("parameter", "table", "reward")


@dataclass(frozen=True)
class Citation:
    """One place that cites a source.

    Attributes
    ----------
    source : str
    use : Use
    by : str
        The parameter, covariate, reward or piece of evidence; empty for the population.
    stations : tuple of Station
        Where on the way.
    origins, sexes : frozenset of str
        For whom.
    """

    source: str
    use: Use
    by: str
    stations: tuple[Station, ...]
    origins: frozenset[str]
    sexes: frozenset[str]

    @property
    def enters(self) -> bool:
        """Whether the numbers rest on it."""
        return self.use in ENTERING

    def backs(self, row: CatalogueRow) -> bool:
        """Return whether it is about this row: same source, and the same indicator where both name indicators."""
        if row.source != self.source:
            return False
        is_covariate = self.use in ("table", "declared") and self.by
        return not (is_covariate and row.indicators) or self.by in row.indicators


def collect_citations(scenario: Scenario) -> list[Citation]:
    """Return every citation of a scenario in the order of stages.

    Raises
    ------
    ScenarioError
        If the table of evidence cannot be read.
    """
    return [*_population(scenario), *_covariates(scenario), *_parameters(scenario), *_rewards(scenario)]


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(";") if part.strip())


def _levels(uses: Iterable[Coordinates], axis: str) -> frozenset[str]:
    return frozenset(place[axis] for place in uses if axis in place)


def _population(scenario: Scenario) -> Iterator[Citation]:
    population = scenario.document.population
    everywhere: tuple[Station, ...] = ((POPULATION, ""),)
    origins, sexes = frozenset(scenario.levels("origin")), frozenset(scenario.levels("sex"))
    for source in population.source or ():
        yield Citation(source, "table", "", everywhere, origins, sexes)
    if population.table is None:
        return
    year = scenario.document.cohort_year if population.year is None else population.year
    found: dict[str, tuple[set[str], set[str]]] = {}
    for row in read_rows(scenario.tables[population.table], population.table, ()):
        cells = row.cells
        if cells.get("year", str(year)) == str(year) and cells.get("origin") in origins and cells.get("sex") in sexes:
            for source in _split(cells.get("source_id", "")):
                cited = found.setdefault(source, (set(), set()))
                cited[0].add(cells["origin"])
                cited[1].add(cells["sex"])
    for source, (cited_origins, cited_sexes) in found.items():
        yield Citation(source, "table", "", everywhere, frozenset(cited_origins), frozenset(cited_sexes))


def _covariates(scenario: Scenario) -> Iterator[Citation]:
    if scenario.covariates is None:
        return
    observed = scenario.covariates.observed
    taken = taken_covariates(scenario)
    sexes = frozenset(scenario.levels("sex"))
    for j, name in enumerate(observed.variables):
        origins: dict[str, set[str]] = {}
        for o, origin in enumerate(observed.origins):
            for source in _split(observed.source_ids[o][j]):
                origins.setdefault(source, set()).add(origin)
        for source, named in origins.items():
            use: Use = "table" if name in taken else "declared"
            yield Citation(source, use, name, ((AT_RISK, ""),), frozenset(named), sexes)


def taken_covariates(scenario: Scenario) -> set[str]:
    """Return the covariates that the at-risk models in use take."""
    return {name for model, block in scenario.at_risk_in_use.values() for name in _taken(model, block, scenario)}


def _taken(model: type[AtRiskModel], block: Any, scenario: Scenario) -> tuple[str, ...]:
    """Return the covariates that an at-risk model takes; a model that takes some has a method ``covariates``."""
    covariates = getattr(model, "covariates", None)
    return () if covariates is None else tuple(covariates(block, scenario))


def _parameters(scenario: Scenario) -> Iterator[Citation]:
    document = scenario.document
    evidence = read_evidence(scenario)
    backing: dict[str, list[tuple[str, str]]] = {}
    for row in evidence:
        for name in _split(row.cells["used_for"]):
            named = [(source, row.cells.get("evidence_id", "")) for source in _split(row.cells["source_id"])]
            backing.setdefault(name, []).extend(named)
    for name, references in references_by_parameter(scenario).items():
        places: dict[Station, list[Coordinates]] = {}
        for reference in references:
            for station in stations_of(scenario, reference):
                places.setdefault(station, []).extend(reference.uses)
        uses = [place for listed in places.values() for place in listed]
        where = (tuple(places), _levels(uses, "origin"), _levels(uses, "sex"))
        cited = document.parameters[name].source or ()
        for source in cited:
            yield Citation(source, "parameter", name, *where)
        for source in dict.fromkeys(source for source, _ in backing.get(name, ()) if source not in cited):
            yield Citation(source, "evidence", name, *where)
    for source, by in backing.get(CHECK_ONLY, ()):
        yield Citation(source, "check", by, (), frozenset(), frozenset())


def _rewards(scenario: Scenario) -> Iterator[Citation]:
    origins, sexes = frozenset(scenario.levels("origin")), frozenset(scenario.levels("sex"))
    for name, reward in scenario.document.rewards.items():
        for source in reward.source or ():
            yield Citation(source, "reward", name, ((TRANSIT, ""), (BORDER, "")), origins, sexes)
