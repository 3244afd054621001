"""Hybrid scenarios: the first scenario with some items of the second put in.

An *item* is what can be put in by itself: the population, a parameter, a rule. Parameters that only one of the
scenarios has are in every hybrid, where they do nothing until a rule names them; so a new parameter always comes with
the rule that uses it. Rules that cannot stand alone (a new leg and the branch that leads to it) are merged into one
item: an item is tried alone in the first scenario, and missing alone from the second, and merged with the nearest one
that mends it. Hybrids are validated as any scenario is, through the same door as the scenario of a results file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.difference.changes import ABSENT, Change, list_changes, strata_apart, with_years
from simcore.errors import UserError
from simcore.scenario import scenario_from_embedded
from simcore.scenario.fields import split_reference
from simcore.scenario.locations import KeyPath
from simcore.scenario.provenance import to_json

if TYPE_CHECKING:
    from simcore.scenario import Scenario

_SOURCES = "sources of both.csv"
_SECOND = "second/"
_DROPPED = ("rewards", "store", "sources")  # no count depends on them

Data = dict[str, Any]
Check = Callable[["Scenario"], object]


@dataclass(frozen=True)
class Item:
    """What is put in as one.

    Attributes
    ----------
    name : str
        For people.
    changes : tuple of Change
        At least one; several if they cannot stand alone.
    brings : tuple of str
        Parameters that only the second scenario has and that this item's rules name.
    reason : str
        Why changes were merged; empty if there is one only.
    """

    name: str
    changes: tuple[Change, ...]
    brings: tuple[str, ...] = ()
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "changes": [change.name for change in self.changes],
            "brings": list(self.brings),
            "merged_because": self.reason or None,
        }


class Hybrids:
    """Hybrids of two scenarios with the same strata.

    Parameters
    ----------
    first, second : Scenario

    Raises
    ------
    UserError
        If the strata differ: there is no person of one in the other.
    """

    def __init__(self, first: Scenario, second: Scenario) -> None:
        apart = strata_apart(first, second)
        if apart:
            raise UserError(f"{first.name} and {second.name} have different strata ({apart})")
        self.first, self.second = first, second
        parameters = {**second.resolved["parameters"], **first.resolved["parameters"]}
        self._base: Data = {key: value for key, value in with_years(first).items() if key not in _DROPPED}
        self._base["parameters"] = parameters
        self._tables = {**second.tables, **first.tables}
        if first.sources or second.sources:
            self._base["sources"] = {"table": _SOURCES}
            self._tables[_SOURCES] = _sources_text(first, second)

    def scenario(self, items: Iterable[Item]) -> Scenario:
        """Return the first scenario with ``items`` of the second put in.

        Raises
        ------
        ScenarioError
            If that is not a scenario.
        """
        data, tables = self._base, dict(self._tables)
        for item in items:
            for change in item.changes:
                data = self._put(change, data, tables)
        return scenario_from_embedded(to_json(data), tables)

    def _put(self, change: Change, data: Data, tables: dict[str, str]) -> Data:
        if change.kind == "population":
            block = dict(with_years(self.second)["population"])
            if "table" in block:
                name = block["table"]
                block["table"] = _SECOND + name
                tables[block["table"]] = self.second.tables[name]
            return {**data, "population": block}
        if change.kind == "table":
            tables[str(change.path[-1])] = self.second.tables[str(change.path[-1])]
            return data
        return _with(data, change.path, change.after)


def _with(data: Mapping[str, Any], path: KeyPath, value: Any) -> Data:
    """Return plain data with ``value`` at ``path`` (taken away if absent); tables left empty go too."""
    key, rest = str(path[0]), path[1:]
    inner = value if not rest else _with(data.get(key, {}), rest, value)
    changed = {**data, key: inner}
    if inner is ABSENT or (rest and not inner):
        del changed[key]
    return changed


def _sources_text(first: Scenario, second: Scenario) -> str:
    """Return one table of the sources of both, so that no hybrid cites what is not there."""
    rows = {**second.sources, **first.sources}
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows.values())
    return text.getvalue()


def find_items(hybrids: Hybrids, check: Check) -> tuple[Item, ...]:
    """Return the items that two scenarios differ by, each of which can stand alone and be missing alone.

    Parameters
    ----------
    hybrids : Hybrids
    check : callable
        Tries a hybrid beyond its validation, such as compiling it; raises UserError if it cannot be used.

    Raises
    ------
    UserError
        If even everything merged cannot be used.
    """
    changes = [change for change in list_changes(hybrids.first, hybrids.second) if change.effective]
    one_sided = {str(c.path[-1]): c for c in changes if c.kind == "parameter" and c.what != "changed"}
    new = [name for name, change in one_sided.items() if change.what == "added"]
    items = [
        Item(change.name, (change,), tuple(_named(change.after, new)))
        for change in changes
        if change not in one_sided.values()
    ]
    while True:
        found = _first_failure(hybrids, items, check)
        if found is None:
            return tuple(items)
        items = _merged(hybrids, items, *found, check)


def _named(data: Any, names: Collection[str]) -> list[str]:
    """Return which of ``names`` plain data refer to, in order."""
    found: dict[str, None] = {}

    def look(value: Any) -> None:
        if isinstance(value, str):
            try:
                name = split_reference(value)[0]
            except ValueError:
                return
            if name in names:
                found[name] = None
        elif isinstance(value, Mapping):
            for inner in value.values():
                look(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                look(inner)

    look(data)
    return list(found)


def _problem(hybrids: Hybrids, items: Iterable[Item], check: Check) -> str:
    """Return why a hybrid cannot be used; empty if it can."""
    try:
        check(hybrids.scenario(items))
    except UserError as error:
        return str(error).removeprefix("stored scenario: ")
    return ""


def _first_failure(hybrids: Hybrids, items: list[Item], check: Check) -> tuple[int, str] | None:
    """Return the first item that cannot be put in, or left out, alone, and why."""
    for number, item in enumerate(items):
        rest = [other for other in items if other is not item]
        problem = _problem(hybrids, [item], check) or _problem(hybrids, rest, check)
        if problem:
            return number, problem
    return None


def _merged(hybrids: Hybrids, items: list[Item], number: int, problem: str, check: Check) -> list[Item]:
    """Return the items with one of them merged: with the nearest other that mends it, else with all rules."""
    item = items[number]
    others = sorted((i for i in items if i is not item), key=lambda other: _distance(item, other))
    for other in others:
        pair = merge_items([item, other], problem)
        rest = [i for i in items if i is not item and i is not other]
        if not _problem(hybrids, [pair], check) and not _problem(hybrids, rest, check):
            return _replaced(items, [item, other], pair)
    together = [i for i in items if i is item or any(change.kind == "structure" for change in i.changes)]
    if len(together) < 2:
        together = items
    if len(together) < 2:
        raise UserError(f"{item.name} cannot be put in alone: {problem}")
    return _replaced(items, together, merge_items(together, problem))


def merge_items(items: list[Item], problem: str) -> Item:
    """Return several items as one; ``problem`` is what one of them met alone."""
    changes = tuple(change for item in items for change in item.changes)
    brings = tuple(dict.fromkeys(name for item in items for name in item.brings))
    reasons = [item.reason for item in items if item.reason]
    reason = "; ".join(dict.fromkeys([*reasons, problem]))
    return Item(" + ".join(change.name for change in changes), changes, brings, reason)


def _replaced(items: list[Item], gone: list[Item], new: Item) -> list[Item]:
    """Return the items with ``new`` in the place of the first of ``gone``."""
    made: list[Item] = []
    for item in items:
        if item is gone[0] or all(item is not other for other in gone):
            made.append(new if item is gone[0] else item)
    return made


def _distance(one: Item, other: Item) -> int:
    """Return how far apart two items stand in the file: fewer shared keys of their paths, further apart."""

    def shared(first: KeyPath, second: KeyPath) -> int:
        count = 0
        for a, b in zip(first, second, strict=False):
            if a != b:
                break
            count += 1
        return count

    return -max(shared(a.path, b.path) for a in one.changes for b in other.changes)
