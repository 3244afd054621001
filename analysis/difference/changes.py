"""The list of changes between two scenarios, found in their normal forms.

A change is *effective* if it can move a count: the distribution or index of a parameter, the population, a rule. Texts,
labels, notes, grades, sources and units are not. Changes are reported at the level at which people write scenarios: a
parameter, a rule, a leg; not every key inside one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from analysis.difference.population import population_facts
from simcore.scenario.fields import STRATA_AXES
from simcore.scenario.locations import KeyPath, show_path

if TYPE_CHECKING:
    from simcore.scenario import Scenario

Kind = Literal["parameter", "population", "table", "structure", "text"]
What = Literal["added", "removed", "changed"]

_TEXTS = ("name", "title", "description", "definition", "cohort_year")
_ELSEWHERE = ("parameters", "population", "sources", *_TEXTS)  # compared by functions of their own
_EFFECTIVE_KEYS = ("distribution", "index")
_DOCUMENTED = ("label", "note", "unit", "grade", "source")
_NAMED_FREELY = ("net", "shares", "split")  # tables whose keys are causes and legs, which may be called anything
_WITHOUT_EFFECT = ("rewards", "store")  # what is collected and what is kept apart changes no count
_DEPTHS: dict[KeyPath, int] = {
    ("transit", "branches"): 4,
    ("at_risk",): 4,
    ("rewards",): 2,
    ("store",): 1,
    ("covariates",): 1,
    ("dependence",): 2,
}
_DEPTH = 3
_BY_YEAR = ("population", "covariates")
ABSENT: Any = None
"""Stands for what one of the scenarios does not have; no value of a normal form is None."""


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes
    ----------
    kind : {"parameter", "population", "table", "structure", "text"}
    path : key path
        Where it stands in the file.
    what : {"added", "removed", "changed"}
    before, after : plain data
        Its value in the first and in the second scenario, None where there is none.
    effective : bool
        Whether it can move a count.
    also : tuple of str
        Of a parameter: the keys beside distribution and index that differ too, such as ``note``.
    facts : dict
        Of the population and of tables: how large the change is.
    """

    kind: Kind
    path: KeyPath
    what: What
    before: Any
    after: Any
    effective: bool
    also: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of a parameter or table, else the key path."""
        return str(self.path[-1]) if self.kind in ("parameter", "table") else show_path(self.path)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "kind": self.kind,
            "path": show_path(self.path),
            "what": self.what,
            "before": self.before,
            "after": self.after,
            "effective": self.effective,
            "also": list(self.also),
            **({"facts": dict(self.facts)} if self.facts else {}),
        }


def list_changes(first: Scenario, second: Scenario) -> tuple[Change, ...]:
    """Return what differs between two scenarios, in the order population, parameters, tables, structure, texts."""
    return (
        *_population(first, second),
        *_parameters(first.resolved["parameters"], second.resolved["parameters"]),
        *_tables(first, second),
        *_structure(with_years(first), with_years(second)),
        *_texts(first, second),
    )


def with_years(scenario: Scenario) -> dict[str, Any]:
    """Return the normal form with the years that follow from the cohort year written out where tables are read.

    The cohort year then moves nothing by itself, and each table can be put in without the others.
    """
    data = dict(scenario.resolved)
    for key in _BY_YEAR:
        if "table" in data.get(key, {}):
            data[key] = {"year": data["cohort_year"], **data[key]}
    return data


def strata_apart(first: Scenario, second: Scenario) -> str:
    """Return how the strata of two scenarios differ, as words; empty if they have the same levels on every axis."""
    parts = []
    for axis in STRATA_AXES:
        one, other = first.levels(axis), second.levels(axis)
        if set(one) != set(other):
            parts.append(f"{axis} {_levels(one)} against {_levels(other)}")
    return "; ".join(parts)


def _levels(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _what(before: Any, after: Any) -> What:
    if before is ABSENT:
        return "added"
    return "removed" if after is ABSENT else "changed"


def _population(first: Scenario, second: Scenario) -> Iterator[Change]:
    before, after = with_years(first)["population"], with_years(second)["population"]
    facts = population_facts(first, second)
    tables = [scenario.tables.get(block.get("table", ""), "") for scenario, block in ((first, before), (second, after))]
    same_factor = before.get("factor") == after.get("factor")
    same_data = before == after and tables[0] == tables[1] and facts["year_before"] == facts["year_after"]
    if same_data and not facts["cells_changed"]:
        return
    # Other age bands change the cells too, but that is a change of the strata.
    effective = bool(facts["cells_changed"] and not same_data) or not same_factor
    # cells that are listed in the file itself would fill the page; their totals are among the facts
    short_before, short_after = ({k: v for k, v in block.items() if k != "cells"} for block in (before, after))
    yield Change("population", ("population",), "changed", short_before, short_after, effective, facts=facts)


def _parameters(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*first, *second)):
        before, after = first.get(name, ABSENT), second.get(name, ABSENT)
        if before == after:
            continue
        keys = dict.fromkeys((*(before or {}), *(after or {})))
        differing = [key for key in keys if (before or {}).get(key) != (after or {}).get(key)]
        if before is not ABSENT and after is not ABSENT:
            effective = any(key in _EFFECTIVE_KEYS for key in differing)
            also = tuple(key for key in differing if key not in _EFFECTIVE_KEYS)
        else:
            effective, also = True, ()
        yield Change("parameter", ("parameters", name), _what(before, after), before, after, effective, also)


def _tables(first: Scenario, second: Scenario) -> Iterator[Change]:
    """Yield the tables that differ, other than that of the population."""
    populations = {scenario.resolved["population"].get("table") for scenario in (first, second)}
    described = {name for scenario in (first, second) for name in _texts_in(scenario.resolved.get("sources", {}))}
    for name in dict.fromkeys((*first.tables, *second.tables)):
        before, after = first.tables.get(name, ABSENT), second.tables.get(name, ABSENT)
        if before == after or name in populations:
            continue
        rows = [None if text is ABSENT else len(text.splitlines()) - 1 for text in (before, after)]
        # A table that only one of them has does nothing by itself: what names it is a change of its own.
        effective = name not in described and None not in rows
        facts = {"rows_before": rows[0], "rows_after": rows[1]}
        yield Change("table", ("tables", name), _what(before, after), None, None, effective, facts=facts)


def _texts_in(data: Any) -> Iterator[str]:
    """Yield every text of plain data."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _texts_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts_in(value)


def _structure(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Change]:
    for key in dict.fromkeys((*first, *second)):
        if key not in _ELSEWHERE:
            yield from _apart(first.get(key, ABSENT), second.get(key, ABSENT), (key,))


def _depth(path: KeyPath) -> int:
    return next((depth for prefix, depth in _DEPTHS.items() if path[: len(prefix)] == prefix), _DEPTH)


def _apart(before: Any, after: Any, path: KeyPath) -> Iterator[Change]:
    """Yield the places below ``path`` that differ, no deeper than people write them."""
    if before == after:
        return
    tables = isinstance(before, Mapping) and isinstance(after, Mapping)
    one_sided = (before is ABSENT and isinstance(after, Mapping)) or (after is ABSENT and isinstance(before, Mapping))
    if (tables or one_sided) and len(path) < _depth(path):
        for key in dict.fromkeys((*(before or {}), *(after or {}))):
            yield from _apart((before or {}).get(key, ABSENT), (after or {}).get(key, ABSENT), (*path, key))
        return
    if path[0] in _WITHOUT_EFFECT:
        yield Change("structure", path, _what(before, after), before, after, False)
        return
    bare_before, bare_after = without_labels(before), without_labels(after)
    effective = bare_before != bare_after
    kind: Kind = "structure" if effective else "text"
    yield Change(kind, path, _what(before, after), before, after, effective)


def without_labels(value: Any, name: str = "") -> Any:
    """Return plain data without what only documents it: labels, notes, units, grades and sources."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: without_labels(inner, key)
        for key, inner in value.items()
        if name in _NAMED_FREELY or key not in _DOCUMENTED or isinstance(inner, Mapping)
    }


def _texts(first: Scenario, second: Scenario) -> Iterator[Change]:
    for key in _TEXTS:
        before, after = first.resolved.get(key, ABSENT), second.resolved.get(key, ABSENT)
        if before != after:
            yield Change("text", (key,), _what(before, after), before, after, False)
    before, after = first.resolved.get("sources", ABSENT), second.resolved.get("sources", ABSENT)
    if before != after:
        yield Change("text", ("sources",), _what(before, after), before, after, False)
