"""What a results file says about the scenario it was made with: roles of outcomes and destinations, labels, scope.

Read from the JSON text inside the file and not through the scenario's own classes, so that a summary needs no
validation and old files stay readable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from simcore.errors import ResultsError

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO_DOCUMENT = "scenario.json"
"""Name of the resolved scenario among the documents of a results file."""


@dataclass(frozen=True)
class Roles:
    """Which labels of a results file play which part.

    Attributes
    ----------
    bound : str
        Destination whose victims walk on.
    arrival, returned : str
        Outcomes: arrived, and given up after an interception.
    interception : str or None
        Cause that ends an attempt but not the journey; None if the scenario has none.
    arrival_point : str
        Last journey point.
    labels : dict of dimension -> dict of level -> text for people
        Levels without a text are left out.
    outside : dict of axis -> tuple of levels
        Levels of strata in which, by assumption, nobody is at risk.
    """

    bound: str
    arrival: str
    returned: str
    interception: str | None
    arrival_point: str
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    outside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def label(self, dimension: str, level: str) -> str:
        """Return the text for people of a level, or the level itself."""
        return self.labels.get(dimension, {}).get(level, level)


class Documented(Protocol):
    """Results, or whatever holds the documents that they will hold."""

    @property
    def path(self) -> Path | None:
        """Where it lies; None in memory."""
        ...

    def documents(self) -> dict[str, str]:
        """Return name -> text."""
        ...


def read_roles(results: Documented) -> Roles:
    """Read roles and labels from the scenario embedded in a results file.

    Raises
    ------
    ResultsError
        If the file holds no scenario, or one without these roles.
    """
    place = results.path or "results in memory"
    text = results.documents().get(SCENARIO_DOCUMENT)
    if text is None:
        raise ResultsError(f"{place}: holds no scenario ('{SCENARIO_DOCUMENT}'), so its counts cannot be named")
    try:
        scenario = json.loads(text)
        strata, outcomes, transit = scenario["strata"], scenario["outcomes"], scenario["transit"]
        destinations = scenario["destinations"]
        levels = {
            **strata,
            "dest": destinations["levels"],
            "point": transit["points"],
            "absorbing": outcomes["levels"],
        }
        return Roles(
            bound=destinations["bound"],
            arrival=outcomes["arrival"],
            returned=outcomes["returned"],
            interception=outcomes.get("interception"),
            arrival_point=transit["arrival_point"],
            labels={name: _texts(table) for name, table in levels.items()},
            outside=_outside(scenario),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        reason = (str(problem).splitlines() or [""])[0][:200]
        raise ResultsError(f"{place}: the scenario inside is not understood ({reason})") from problem


def _texts(table: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {level: str(entry["label"]) for level, entry in table.items() if entry.get("label")}


def _outside(scenario: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Levels that the selector of active strata leaves out, with groups written out."""
    active = scenario["at_risk"].get("active") or {}
    outside = {}
    for axis, named in active.items():
        groups = scenario.get("groups", {}).get(axis, {})
        inside = {level for name in named for level in groups.get(name, (name,))}
        left_out = tuple(level for level in scenario["strata"][axis] if level not in inside)
        if left_out:
            outside[axis] = left_out
    return outside
