"""From a name or a path to a checked `Scenario`: read, put layers together, validate, read tables, check."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from simcore.errors import ScenarioError, nearest
from simcore.scenario.at_risk_models import AtRiskModel, known_models, load_model
from simcore.scenario.checks import check_scenario
from simcore.scenario.covariates import Covariates, check_sources, make_covariates, read_observed
from simcore.scenario.fields import Table
from simcore.scenario.fields import shown as quoted
from simcore.scenario.finding import find_scenario, read_toml_text, shown_path
from simcore.scenario.locations import KeyPath
from simcore.scenario.messages import Problem, first_problem
from simcore.scenario.panels import read_panels
from simcore.scenario.patches import Layer, Layers, parse_key, setting_layers
from simcore.scenario.population import population_from_cells, population_from_table
from simcore.scenario.provenance import normal_form, scenario_digest
from simcore.scenario.reading import NESTED, absent, parse_toml
from simcore.scenario.schema import AtRisk, Document
from simcore.scenario.tables import read_sources, read_table_text
from simcore.scenario.validated import Scenario

ReadTable = Callable[[KeyPath, str], tuple[str, str]]
"""(key path, table name) -> (text, how messages name the table)."""

MOST_BASES = 20
MOST_REMOVED = 1_000


def load_scenario(name_or_path: str | Path, *, settings: Sequence[str] = (), panels: bool = True) -> Scenario:
    """Load and check a scenario.

    Parameters
    ----------
    name_or_path : str or Path
        The name of a known scenario (`list_scenarios`), or the path of a TOML file.
    settings : sequence of str
        ``"path=value"`` each, applied in order after the file; the value is TOML, as in
        ``"parameters.rho.distribution.value=0.1"``.
    panels : bool
        False: completed panels of covariates are neither read nor needed, and a missing value is NaN. For what makes
        the panels; such a scenario is not checked as a whole and cannot be run.

    Returns
    -------
    Scenario

    Raises
    ------
    ScenarioError
        One line that names file, line, key, value and limit, and the nearest known word.
    """
    if isinstance(settings, str):
        raise ScenarioError(f"settings = {settings!r}: must be a list of settings, such as ['path=value']")
    path = find_scenario(name_or_path)
    layers = Layers((*read_layers(path), *setting_layers(settings)))
    return replace(_build(layers, _table_files(layers), path, panels=panels), settings=tuple(settings))


def scenario_from_embedded(resolved_json: str, tables: Mapping[str, str], *, above: Sequence[Layer] = ()) -> Scenario:
    """Rebuild a scenario from what a results file holds.

    Parameters
    ----------
    resolved_json : str
        `Scenario.resolved` as JSON (`simcore.scenario.provenance.to_json`).
    tables : dict
        `Scenario.tables`.
    above : sequence of Layer
        Patches and settings on top of it (`simcore.scenario.patches`).

    Raises
    ------
    ScenarioError
        If it is not a scenario that this version can read.
    """
    shown = "stored scenario"
    try:
        data = json.loads(resolved_json)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"{shown}: not JSON: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ScenarioError(f"{shown}: must be a table")
    layers = Layers((Layer(shown, data), *above))

    def read(key: KeyPath, name: str) -> tuple[str, str]:
        if name not in tables:
            raise layers.error(key, f"the table {name!r} is not stored{nearest(name, tables)}")
        return tables[name], f"{shown}, table {name}"

    return _build(layers, read, None)


def read_layers(path: Path, above: tuple[Path, ...] = ()) -> tuple[Layer, ...]:
    """Return the layers of a file: those of its base, if it is a patch, then its own.

    Parameters
    ----------
    path : Path
    above : tuple of Path
        The patches that led here.
    """
    shown = shown_path(path)
    text = read_toml_text(path, shown)
    data = parse_toml(text, shown)
    base, removed = data.pop("base", None), data.pop("remove", None)
    layer = Layer(shown, data, text, path.parent)
    if base is None:
        if removed is not None:
            raise ScenarioError(f"{layer.place(('remove',))}: goes with base, which is missing")
        return (layer,)
    if not isinstance(base, str):
        raise ScenarioError(f"{layer.place(('base',))}: must be the name or path of a scenario, got {quoted(base)}")
    if "name" not in data:
        raise ScenarioError(f"{layer.place(('name',))}: missing key: a patch needs a name of its own")
    if not isinstance(removed, list | None) or not all(isinstance(key, str) for key in removed or ()):
        raise ScenarioError(f"{layer.place(('remove',))}: must be a list of key paths, got {quoted(removed)}")
    if len(removed or ()) > MOST_REMOVED:
        raise ScenarioError(f"{layer.place(('remove',))}: {len(removed or ())} key paths, limit {MOST_REMOVED}")
    try:
        gone = tuple(parse_key(key) for key in removed or ())
    except ValueError as error:
        raise ScenarioError(f"{layer.place(('remove',))}: {error}") from None
    try:
        base_path = find_scenario(base, beside=path.parent)
    except ScenarioError as error:
        raise ScenarioError(f"{layer.place(('base',))}: {error}") from None
    if missing := absent(base_path, "*.toml"):
        raise ScenarioError(f"{layer.place(('base',))}: {shown_path(base_path)}: {missing}")
    way = (*above, path.resolve())
    if base_path.resolve() in way:
        names = " -> ".join(step.name for step in (*way, base_path))
        raise ScenarioError(f"{layer.place(('base',))}: leads back to itself: {names}")
    if len(way) > MOST_BASES:
        raise ScenarioError(f"{layer.place(('base',))}: a patch on a patch on ... more than {MOST_BASES} files")
    return (*read_layers(base_path, way), Layer(shown, data, text, path.parent, gone))


def _table_files(layers: Layers) -> ReadTable:
    """Return how tables are read that lie beside the file that names them; beside the working folder for settings."""

    def read(key: KeyPath, name: str) -> tuple[str, str]:
        folder = layers.source(key).folder or Path()
        try:
            return read_table_text(name, folder), shown_path(folder / name)
        except ScenarioError as error:
            raise layers.error(key, str(error)) from None

    return read


def _first(layers: Layers, found: Problem, more: int) -> ScenarioError:
    key, text = found
    return ScenarioError(f"{layers.error(key, text)}{f' (and {more} more)' if more else ''}")


def _validate_blocks(layers: Layers, at_risk: AtRisk) -> tuple[type[AtRiskModel], dict[str, Table]]:
    """Return the chosen at-risk model, and the validated table of every model that has one."""
    known = known_models()
    if at_risk.model not in known:
        raise layers.error(("at_risk", "model"), Scenario.unknown("at-risk model", at_risk.model, known))
    blocks: dict[str, Table] = {}
    models: dict[str, type[AtRiskModel]] = {}
    for name, data in {at_risk.model: {}, **at_risk.blocks}.items():
        if name not in known:
            words = (*AtRisk.model_fields, *known)
            raise layers.error(("at_risk", name), f"unknown key{nearest(name, words)} (known here: {', '.join(words)})")
        try:
            models[name] = load_model(name)
            blocks[name] = models[name].Block.model_validate(data)
        except ValidationError as error:
            raise _first(layers, *first_problem(error, data, ("at_risk", name))) from None
        except ScenarioError as error:
            raise layers.error(("at_risk", name), str(error)) from None
    return models[at_risk.model], blocks


def _build(layers: Layers, read: ReadTable, path: Path | None, *, panels: bool = True) -> Scenario:
    """Validate the data of ``layers``, read its tables and check the whole."""
    try:
        document = Document.model_validate(layers.data)
    except ValidationError as error:
        raise _first(layers, *first_problem(error, layers.data)) from None
    except RecursionError:
        raise ScenarioError(f"{layers.layers[0].shown}: {NESTED}") from None
    model, blocks = _validate_blocks(layers, document.at_risk)
    tables: dict[str, str] = {}

    def table(key: KeyPath, name: str) -> tuple[str, str]:
        text, shown = read(key, name)
        if tables.setdefault(name, text) != text:
            raise layers.error(key, f"two different tables are called {name!r}; give one of them another name")
        return text, shown

    sources: dict[str, dict[str, str]] = {}
    if document.sources is not None:
        sources = read_sources(*table(("sources", "table"), document.sources.table))
    population = _read_population(document, layers, table, sources)
    population.setflags(write=False)
    covariates = _read_covariates(document, layers, table, sources, path, panels=panels)
    resolved = normal_form(document, blocks)
    scenario = Scenario(
        document=document,
        population=population,
        sources=sources,
        tables=tables,
        resolved=resolved,
        digest=scenario_digest(resolved, tables),
        path=path,
        at_risk_model=model,
        at_risk_block=blocks[document.at_risk.model],
        at_risk_blocks=blocks,
        layers=layers,
        covariates=covariates,
    )
    if panels:  # without them an at-risk model may find its covariates incomplete
        check_scenario(scenario)
    return scenario


def _read_population(
    document: Document, layers: Layers, table: ReadTable, sources: Mapping[str, Any]
) -> npt.NDArray[np.float64]:
    population, strata = document.population, document.strata
    if population.table is None:
        return population_from_cells(population, strata, layers)
    text, shown = table(("population", "table"), population.table)
    year = document.cohort_year if population.year is None else population.year
    persons, cited = population_from_table(text, shown, population, strata, year)
    for source, place in cited.items():
        if source not in sources:
            text = Scenario.unknown("source", source, sources)
            raise ScenarioError(f"{place}: source_id: {text if document.sources else 'there is no table of sources'}")
    return persons


def _read_covariates(
    document: Document,
    layers: Layers,
    table: ReadTable,
    sources: Mapping[str, Any],
    path: Path | None,
    *,
    panels: bool,
) -> Covariates | None:
    """Return the completed covariates; without ``panels`` a missing value stays NaN."""
    declared = document.covariates
    if declared is None:
        return None
    text, shown = table(("covariates", "table"), declared.table)
    year = document.cohort_year if declared.year is None else declared.year
    observed = read_observed(text, shown, declared, document.strata.levels("origin"), year, layers)
    check_sources(observed, sources)
    if not panels:
        return make_covariates(observed, observed.values[np.newaxis].copy())
    changed = [layer.shown for layer in layers.layers if layer.folder is None and path is not None]
    command = " ".join(["simcore impute", "FILE" if path is None else shown_path(path), *changed])
    if declared.panels is not None:
        text, shown = table(("covariates", "panels"), declared.panels)
        # A patch or a setting must not have the panels of the scenario below it overwritten.
        own = layers.source(("covariates", "panels")) is layers.layers[-1] and not changed
        again = f"{command} -o {shown if own else 'PANELS.csv, and name it in covariates.panels'}"
        return make_covariates(observed, read_panels(text, shown, observed, again))
    cells = observed.missing_cells()
    if cells:
        named = "; ".join(f"{origin}, {name}" for origin, name in cells[:6]) + ("; ..." if len(cells) > 6 else "")
        raise layers.error(
            ("covariates",),
            f"no value within {declared.window} years of {year} in {len(cells)} cells ({named}): "
            f"make panels with '{command} -o PANELS.csv' and name them in covariates.panels",
        )
    return make_covariates(observed, observed.values[np.newaxis].copy())
