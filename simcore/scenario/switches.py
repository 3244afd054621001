"""Switches: parameters that take the value of another parameter, by the category drawn for a third one.

A switch has the shape of its cases, and its limits are theirs: each use of a switch counts as a use of every case, and
of the categorical parameter that decides (role ``category``). Cases are resolved at the levels of the switch's own
index.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simcore.errors import ScenarioError
from simcore.scenario.distributions.mixtures import Switch
from simcore.scenario.fields import split_reference
from simcore.scenario.locations import KeyPath
from simcore.scenario.references import Coordinates, Reference, distinct

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario


def components_of(scenario: Scenario, parameter: str) -> tuple[str, ...]:
    """Return the components of a parameter, of a switch those of its cases; empty for a scalar."""
    distribution = scenario.document.parameters[parameter].distribution
    if isinstance(distribution, Switch):
        case, _ = split_reference(next(iter(distribution.cases.values())))
        return scenario.document.parameters[case].distribution.components
    return distribution.components


def support_of(scenario: Scenario, parameter: str) -> tuple[float, float]:
    """Return the smallest interval that holds every value of a parameter, of a switch the union over its cases."""
    distribution = scenario.document.parameters[parameter].distribution
    if isinstance(distribution, Switch):
        cases = {split_reference(text)[0] for text in distribution.cases.values()}
        supports = [scenario.document.parameters[case].distribution.support() for case in cases]
        return min(low for low, _ in supports), max(high for _, high in supports)
    return distribution.support()


def references_of_switch(scenario: Scenario, reference: Reference) -> Iterator[Reference]:
    """Yield what a use of a switch uses: the parameter that decides, and every case; nothing if it is no switch."""
    name, levels = split_reference(reference.text)
    parameter = scenario.document.parameters[name]
    distribution = parameter.distribution
    if not isinstance(distribution, Switch):
        return
    uses: tuple[Coordinates, ...] = ()
    if levels is not None:
        uses = (dict(zip(parameter.index, levels, strict=True)),) if reference.uses else ()
    elif all(axis in use for use in reference.uses for axis in parameter.index):
        uses = distinct(reference.uses, parameter.index)
    key: KeyPath = ("parameters", name, "distribution")
    yield Reference(distribution.on, (*key, "on"), "category", uses)
    for category, case in distribution.cases.items():
        yield Reference(case, (*key, "cases", category), reference.role, uses)


def check_switches(scenario: Scenario) -> Iterator[ScenarioError]:
    """A categorical parameter decides, every category has a case, and all cases have one shape and fit the index."""
    parameters = scenario.document.parameters
    for name, parameter in parameters.items():
        distribution = parameter.distribution
        if not isinstance(distribution, Switch):
            continue
        key: KeyPath = ("parameters", name, "distribution")
        decides, _ = split_reference(distribution.on)
        deciding = parameters[decides].distribution
        if deciding.family != "categorical":
            yield scenario.error((*key, "on"), f"{decides!r} is {deciding.family}, but a categorical is needed here")
            continue
        for category in distribution.cases:
            if category not in deciding.categories:
                text = scenario.unknown(f"category of {decides}", category, deciding.categories)
                yield scenario.error((*key, "cases", category), text)
        for category in deciding.categories:
            if category not in distribution.cases:
                text = f"missing key: a case for every category of {decides!r}"
                yield scenario.error((*key, "cases", category), text)
        yield from _check_cases(scenario, name, distribution)


def _check_cases(scenario: Scenario, name: str, distribution: Switch) -> Iterator[ScenarioError]:
    parameters, index = scenario.document.parameters, scenario.document.parameters[name].index
    key: KeyPath = ("parameters", name, "distribution")
    first, _ = split_reference(next(iter(distribution.cases.values())))
    texts: list[tuple[KeyPath, str]] = [(("on",), distribution.on)]
    texts += [(("cases", category), text) for category, text in distribution.cases.items()]
    for place, text in texts:
        other, levels = split_reference(text)
        axis = next((axis for axis in parameters[other].index if axis not in index), None)
        if levels is None and axis is not None:
            text = f"{other!r} is indexed by {axis!r}, which is not in the index of {name!r}; add it there"
            yield scenario.error((*key, *place), text)
        if place == ("on",):
            continue
        case = parameters[other].distribution
        if isinstance(case, Switch) or case.is_category:
            kind = "a switch" if isinstance(case, Switch) else f"a choice ({case.family})"
            yield scenario.error((*key, *place), f"{other!r} is {kind}, which cannot be a case")
        elif set(case.components) != set(parameters[first].distribution.components):
            shape = f"shares of {', '.join(case.components)}" if case.components else "one number"
            yield scenario.error((*key, *place), f"{other!r} is {shape}, unlike the first case {first!r}")
