"""The table ``[design]``: which parameters and shared effects take the first dimensions of a Sobol' design.

The first dimensions of a Sobol' sequence are the most even ones together, so the parameters that matter most belong
there. Whatever is not named follows: parameters in the order of the file, then shared effects.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simcore.errors import ScenarioError
from simcore.scenario.fields import Listed, Table, split_reference

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario


class DesignTable(Table):
    """Names of parameters or shared effects, or single elements of them such as ``multiplier[COL]``."""

    leading: Listed


def shared_effect_names(scenario: Scenario) -> dict[str, list[str]]:
    """Return effect -> names of its elements, such as ``origin_year[COL]``, in order."""
    return {
        name: [f"{name}[{','.join(levels)}]" for levels in itertools.product(*(map(scenario.levels, effect.index)))]
        for name, effect in scenario.document.event.shared_effects.items()
    }


def leading_names(scenario: Scenario) -> list[str]:
    """Return the names of the elements of parameters and shared effects that lead, in order.

    Raises
    ------
    ScenarioError
        If there is no such parameter, shared effect or element.
    """
    table = scenario.document.design
    effects = shared_effect_names(scenario)
    names: dict[str, None] = {}
    for number, text in enumerate(table.leading if table is not None else ()):
        key = ("design", "leading", number)
        try:
            name, levels = split_reference(text)
        except ValueError as error:
            raise scenario.error(key, str(error)) from None
        if name in scenario.document.parameters:
            parameter = scenario.document.parameters[name]
            if levels is None:
                places = itertools.product(*(map(scenario.levels, parameter.index)))
                found = [
                    scenario.element(name, dict(zip(parameter.index, place, strict=True))).name for place in places
                ]
            else:
                found = [_element(scenario, key, text)]
        elif name in effects:
            found = effects[name] if levels is None else [f"{name}[{','.join(levels)}]"]
            if not set(found) <= set(effects[name]):
                raise scenario.error(key, scenario.unknown("element", text, effects[name]))
        else:
            known = (*scenario.document.parameters, *effects)
            raise scenario.error(key, scenario.unknown("parameter or shared effect", name, known))
        names.update(dict.fromkeys(found))
    return list(names)


def _element(scenario: Scenario, key: tuple[str | int, ...], text: str) -> str:
    try:
        return scenario.element(text, {}).name
    except ScenarioError as error:
        raise scenario.error(key, f"no such element: {str(error).rpartition(': ')[2]}") from None


def check_design(scenario: Scenario) -> Iterator[ScenarioError]:
    """What leads exists."""
    try:
        leading_names(scenario)
    except ScenarioError as error:
        yield error
