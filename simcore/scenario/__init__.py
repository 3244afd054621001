"""Scenario files: schema, loading, patches, errors that name key, value and limit, provenance.

In comes a TOML file (or the name of one) with its CSV tables, out goes a `Scenario` in which everything has been
checked once. Another corridor, with other origins, points, legs and outcomes, is another file.

* `finding`: names -> files. `loading`: files -> `Scenario`. `patches`: layers, their merge. `locations`: line numbers.
* `schema`, `fields`, `distributions`: which keys there are. `messages`: what to say when they are wrong.
* `tables`, `population`: CSV tables; age groups -> age bands.
* `validated`: `Scenario` with `matches`, `choose`, `element`. `references`, `uses`, `journeys`: who uses what.
* `checks`: what needs the whole scenario. `provenance`: normal form and digest. `at_risk_models`: the registry.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from simcore.scenario.finding import KnownScenario, list_scenarios

if TYPE_CHECKING:
    from simcore.scenario.loading import load_scenario, scenario_from_embedded
    from simcore.scenario.references import ParameterElement, Reference
    from simcore.scenario.validated import Scenario

__all__ = [
    "KnownScenario",
    "ParameterElement",
    "Reference",
    "Scenario",
    "list_scenarios",
    "load_scenario",
    "scenario_from_embedded",
]

# Loaded when first asked for: pydantic and numpy are not needed to list scenarios.
_HOMES = {
    "ParameterElement": "references",
    "Reference": "references",
    "Scenario": "validated",
    "load_scenario": "loading",
    "scenario_from_embedded": "loading",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
