"""`Scenario`: a scenario that has been read, put together and checked; what the rest of the program sees.

Nothing is validated after this point. Rules are resolved here (`matches`, `choose`) and so are parameter references
(`element`), because both need the scenario's levels and groups.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from simcore.errors import ScenarioError, nearest
from simcore.scenario.at_risk_models import AtRiskModel, load_model, members_of
from simcore.scenario.covariates import Covariates
from simcore.scenario.dependence import DependenceReport, resolve_dependence
from simcore.scenario.fields import STRATA_AXES, Rule, Table, split_reference
from simcore.scenario.journeys import Journey, trace_journey
from simcore.scenario.locations import KeyPath
from simcore.scenario.patches import Layers, parse_key
from simcore.scenario.references import Coordinates, ParameterElement, Reference, distinct, make_element
from simcore.scenario.schema import Document
from simcore.scenario.switches import components_of

AnyRule = TypeVar("AnyRule", bound=Rule)


@dataclass(frozen=True, eq=False)
class Scenario:
    """A validated scenario.

    Attributes
    ----------
    document : Document
        The file, patches and settings applied.
    population : float64 [origin, sex, age_band]
        Persons before any factor, not rounded; read-only.
    sources : dict
        Source id -> its columns.
    tables : dict
        Table name as written in the file -> its text.
    resolved : dict
        The file as plain data in its normal form, defaults left out; with `tables` it is all there is to know.
    digest : str
        BLAKE2b-256 (hex) of `resolved` and `tables`.
    path : Path or None
        The file it was loaded from, None if it came out of a results file.
    at_risk_model : class
        The chosen at-risk model.
    at_risk_block : Table
        Its validated table.
    at_risk_blocks : dict
        Model name -> validated table, of every model that has one.
    layers : Layers
        Where everything was written, for messages.
    covariates : Covariates or None
        Covariates of the origins in completed panels; None without a table `[covariates]`.
    settings : tuple of str
        What was set on top of the file, as it was given; empty if it came out of a results file.
    warnings : list of str
        What is odd but not wrong, one line each.
    """

    document: Document
    population: npt.NDArray[np.float64]
    sources: Mapping[str, Mapping[str, str]]
    tables: Mapping[str, str]
    resolved: Mapping[str, Any]
    digest: str
    path: Path | None
    at_risk_model: type[AtRiskModel]
    at_risk_block: Table
    at_risk_blocks: Mapping[str, Table]
    layers: Layers
    covariates: Covariates | None = None
    settings: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)

    strata_axes = STRATA_AXES

    @property
    def name(self) -> str:
        """The scenario's own name."""
        return self.document.name

    @functools.cached_property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Axis -> levels: the strata axes, and leg, point, destination, outcome and cause."""
        document = self.document
        axes: dict[str, tuple[str, ...]] = {axis: document.strata.levels(axis) for axis in STRATA_AXES}
        return axes | {
            "leg": tuple(document.transit.legs),
            "point": tuple(document.transit.points),
            "destination": tuple(document.destinations.levels),
            "outcome": tuple(document.outcomes.levels),
            "cause": document.outcomes.causes,
        }

    def levels(self, axis: str) -> tuple[str, ...]:
        """Return the levels of an axis of `axes`, in order."""
        return self.axes[axis]

    @functools.cached_property
    def at_risk_in_use(self) -> dict[str, tuple[type[AtRiskModel], Table]]:
        """Model name -> class and validated table: the chosen at-risk model, then those it takes shares from."""
        chosen = self.document.at_risk.model
        in_use = {chosen: (self.at_risk_model, self.at_risk_block)}
        for name in members_of(self.at_risk_model, self.at_risk_block, self):
            if name in self.at_risk_blocks:
                in_use.setdefault(name, (load_model(name), self.at_risk_blocks[name]))
        return in_use

    @property
    def risk_levels(self) -> tuple[str, ...]:
        """The exploitation levels that have a risk bit of their own, in order."""
        return tuple(name for name, level in self.document.strata.exploitation.items() if level.combines is None)

    # -- strata --------------------------------------------------------------------------------------------------

    @functools.cached_property
    def strata(self) -> tuple[dict[str, str], ...]:
        """Coordinates of every stratum in the order of stratum indices: origin, sex, age_band, exploitation."""
        return tuple(
            dict(zip(STRATA_AXES, levels, strict=True))
            for levels in itertools.product(*(self.levels(axis) for axis in STRATA_AXES))
        )

    @functools.cached_property
    def active_strata(self) -> tuple[dict[str, str], ...]:
        """The strata whose persons can be at risk; all rules must cover these."""
        return tuple(place for place in self.strata if self.is_active(place))

    @functools.cached_property
    def strata_at_risk(self) -> tuple[dict[str, str], ...]:
        """The active strata with a risk bit of their own: those that have a share at risk and a hazard."""
        return tuple(place for place in self.active_strata if place["exploitation"] in self.risk_levels)

    def is_active(self, coordinates: Coordinates) -> bool:
        """Return whether persons of a cell can be at risk at all (``at_risk.active``)."""
        return self.matches(self.document.at_risk.active, coordinates)

    # -- rules ---------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _members(self) -> dict[tuple[str, str], frozenset[str]]:
        """(axis, level or group) -> levels."""
        members: dict[tuple[str, str], frozenset[str]] = {
            (axis, level): frozenset((level,)) for axis in STRATA_AXES for level in self.levels(axis)
        }
        for axis, groups in self.document.groups.items():
            members.update({(axis, name): frozenset(levels) for name, levels in groups.items()})
        return members

    def matches(self, where: Mapping[Any, Sequence[str]] | None, coordinates: Coordinates) -> bool:
        """Return whether a stratum is selected: on every axis of ``where`` its level is among those named.

        Parameters
        ----------
        where : selector of the document, or None
            None and an empty selector mean every stratum. Groups stand for their levels.
        coordinates : dict
            Axis -> level, at least the axes of ``where``.
        """
        return where is None or all(
            any(coordinates[axis] in self._members[axis, name] for name in names) for axis, names in where.items()
        )

    def choose_each(
        self, rules: Mapping[str, AnyRule], strata: Iterable[Coordinates], key: str | KeyPath
    ) -> dict[str, tuple[Coordinates, ...]]:
        """Return rule name -> the strata for which `choose` takes it (every rule is in the result)."""
        axes = sorted({axis for rule in rules.values() for axis in rule.where or {}})
        known: dict[tuple[str, ...], str] = {}
        chosen: dict[str, list[Coordinates]] = {name: [] for name in rules}
        for place in strata:
            levels = tuple(place[axis] for axis in axes)
            if levels not in known:
                known[levels] = self._choose_name(rules, place, key)
            chosen[known[levels]].append(place)
        return {name: tuple(places) for name, places in chosen.items()}

    def choose(self, rules: Mapping[str, AnyRule], coordinates: Coordinates, key: str | KeyPath) -> AnyRule:
        """Return the one rule that holds for a stratum: the rule that matches it, else the rule without ``where``.

        Parameters
        ----------
        rules : dict of rule name -> rule
        coordinates : dict
            Axis -> level.
        key : str or key path
            Where the rules stand in the file, for messages.

        Raises
        ------
        ScenarioError
            If two rules match, or none does and there is no rule without ``where``.
        """
        return rules[self._choose_name(rules, coordinates, key)]

    def _choose_name(self, rules: Mapping[str, AnyRule], coordinates: Coordinates, key: str | KeyPath) -> str:
        fallbacks = [name for name, rule in rules.items() if not rule.where]
        found = [name for name, rule in rules.items() if rule.where and self.matches(rule.where, coordinates)]
        candidates = found or fallbacks
        path = parse_key(key) if isinstance(key, str) else key
        if not rules:
            raise self.error(path, "missing key: a rule is needed here")
        if len(candidates) == 1:
            return candidates[0]
        axes = sorted({axis for rule in rules.values() for axis in rule.where or {}}, key=list(STRATA_AXES).index)
        stratum = ", ".join(f"{axis} = {coordinates[axis]!r}" for axis in axes) or "any stratum"
        if not candidates:
            raise self.error(path, f"no rule for {stratum}, and none without 'where'")
        if found:
            raise self.error((*path, found[1]), f"matches {stratum}, and so does {found[0]!r}; only one rule may")
        raise self.error((*path, fallbacks[1]), f"has no 'where', and neither has {fallbacks[0]!r}; only one rule may")

    # -- parameters ----------------------------------------------------------------------------------------------

    @functools.cached_property
    def _elements(self) -> dict[tuple[str, ...], ParameterElement]:
        return {}

    def element(self, reference: str, coordinates: Coordinates) -> ParameterElement:
        """Return what a reference stands for at ``coordinates``.

        Parameters
        ----------
        reference : str
            ``"name"`` (an indexed parameter takes the element at ``coordinates``) or ``"name[level,...]"``.
        coordinates : dict
            Axis -> level, at least the index axes of the parameter unless levels are given.

        Raises
        ------
        ScenarioError
            If there is no such parameter, level, or coordinate.
        """
        name, levels = split_reference(reference)
        parameter = self.document.parameters.get(name)
        if parameter is None:
            raise self.error(("parameters",), self.unknown("parameter", name, self.document.parameters))
        if levels is None:
            absent = [axis for axis in parameter.index if axis not in coordinates]
            if absent:
                raise self.error(
                    ("parameters", name, "index"), f"{absent[0]!r} has no single level where {reference!r} is used"
                )
            levels = tuple(coordinates[axis] for axis in parameter.index)
        elif len(levels) != len(parameter.index):
            raise self.error(
                ("parameters", name, "index"),
                f"{reference!r} gives {len(levels)} levels for {len(parameter.index)} index axes",
            )
        key = (name, *levels)
        if key not in self._elements:
            for axis, level in zip(parameter.index, levels, strict=True):
                if level not in self.levels(axis):
                    raise self.error(("parameters", name), self.unknown(axis, level, self.levels(axis)))
            place: dict[str, str] = dict(zip(parameter.index, levels, strict=True))
            self._elements[key] = make_element(name, place, parameter.distribution, components_of(self, name))
        return self._elements[key]

    @functools.cached_property
    def _references(self) -> tuple[Reference, ...]:
        from simcore.scenario.uses import collect_references

        return tuple(collect_references(self))

    def references(self) -> tuple[Reference, ...]:
        """Return every place that names a parameter, with the strata it is used for."""
        return self._references

    def elements(self) -> dict[str, ParameterElement]:
        """Return name -> element of everything that some stratum uses, in the order of parameters, then levels."""
        found: dict[str, set[tuple[str, ...]]] = {name: set() for name in self.document.parameters}
        for reference in self.references():
            name, levels = split_reference(reference.text)
            if levels is not None:
                found[name].update({levels} if reference.uses else ())
            else:
                axes = self.document.parameters[name].index
                found[name].update(tuple(place.values()) for place in distinct(reference.uses, axes))
        elements = {}
        for name, used in found.items():
            for levels in itertools.product(*(self.levels(axis) for axis in self.document.parameters[name].index)):
                if levels in used:
                    element = self.element(name, dict(zip(self.document.parameters[name].index, levels, strict=True)))
                    elements[element.name] = element
        return elements

    @functools.cached_property
    def dependence_report(self) -> DependenceReport:
        """Which scalars depend on each other: rank correlations asked for and those that a run has.

        Raises
        ------
        ScenarioError
            If they cannot be had; a loaded scenario has passed this.
        """
        return resolve_dependence(self)

    # -- journeys ------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _journeys(self) -> dict[tuple[str, ...], Journey]:
        return {}

    def journey(self, coordinates: Coordinates) -> Journey:
        """Return entry point, choices and return points of a stratum; see `simcore.scenario.journeys`.

        Raises
        ------
        ScenarioError
            If a rule is missing, a point is a dead end, or the legs of one attempt form a cycle.
        """
        place = {axis: coordinates[axis] for axis in self._journey_axes}
        levels = tuple(place.values())
        if levels not in self._journeys:
            self._journeys[levels] = trace_journey(self, place)
        return self._journeys[levels]

    @functools.cached_property
    def _journey_axes(self) -> tuple[str, ...]:
        """The strata axes that some rule of the journey looks at."""
        transit = self.document.transit
        rule_sets: list[Mapping[str, Rule]] = [transit.entry, *transit.branches.values()]
        rule_sets += [leg.returned_to for leg in transit.legs.values() if leg.returned_to is not None]
        named = {axis for rules in rule_sets for rule in rules.values() for axis in rule.where or {}}
        return tuple(axis for axis in STRATA_AXES if axis in named)

    # -- messages ------------------------------------------------------------------------------------------------

    def error(self, key: str | KeyPath, text: str) -> ScenarioError:
        """Return the error ``file:line: key: text`` for a place in this scenario."""
        return self.layers.error(parse_key(key) if isinstance(key, str) else key, text)

    @staticmethod
    def unknown(what: str, name: str, known: Iterable[str]) -> str:
        """Return ``unknown <what> 'name'`` with the nearest known one, or all of them when none is near and few."""
        known = tuple(known)
        listed = f" (known: {', '.join(known) or 'none'})" if len(known) <= 12 else ""
        return f"unknown {what} {name!r}{nearest(name, known) or listed}"

    def warn(self, key: KeyPath, text: str) -> None:
        """Add a warning about a place in this scenario."""
        self.warnings.append(str(self.error(key, text)))
