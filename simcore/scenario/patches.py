"""Layers of a scenario: a base, patches on it, settings from the command line; later layers win.

A patch is a deep merge of tables. A table with a ``family`` key (a distribution) replaces the one below it whole, and
so does everything that is not a table. ``remove`` lists key paths that are deleted first.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simcore.errors import ScenarioError, nearest
from simcore.scenario.locations import KeyPath, key_lines, show_path
from simcore.scenario.reading import parse_toml

TableData = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Layer:
    """One text that a scenario is made of.

    Attributes
    ----------
    shown : str
        How messages name it: a file, or the setting itself.
    data : dict
        What it says, ``base`` and ``remove`` taken out.
    text : str
        Its TOML text, for line numbers; empty if it has none.
    folder : Path or None
        Where its tables lie.
    remove : tuple of key paths
        What it deletes from the layers below.
    """

    shown: str
    data: TableData
    text: str = ""
    folder: Path | None = None
    remove: tuple[KeyPath, ...] = ()

    @functools.cached_property
    def lines(self) -> dict[KeyPath, int]:
        """Line of every key path."""
        return key_lines(self.text)

    def place(self, path: KeyPath) -> str:
        """Return ``file:line: key``; the line is that of the longest part of the path that is written there."""
        for depth in range(len(path), 0, -1):
            if path[:depth] in self.lines:
                return f"{self.shown}:{self.lines[path[:depth]]}: {show_path(path)}"
        return f"{self.shown}: {show_path(path)}" if path else self.shown


def holds(data: Any, key: str | int) -> bool:
    """Return whether ``data`` is a table with that key, or a list with that position."""
    if isinstance(data, list | tuple):
        return isinstance(key, int) and key < len(data)
    return isinstance(data, Mapping) and key in data


def depth_held(data: Any, path: KeyPath) -> int:
    """Return how many keys of ``path`` can be followed into ``data``."""
    for depth, key in enumerate(path):
        if not holds(data, key):
            return depth
        data = data[key]
    return len(path)


def value_at(data: Any, path: KeyPath) -> Any:
    """Return what stands at ``path`` in ``data``, or None."""
    for key in path:
        if not holds(data, key):
            return None
        data = data[key]
    return data


def _replaces(value: object) -> bool:
    return not isinstance(value, Mapping) or "family" in value


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> TableData:
    """Return ``below`` with ``above`` merged into it; neither is changed, and keys keep their order."""
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        if _replaces(value) or not isinstance(known, Mapping):
            merged[key] = value
        else:
            merged[key] = merge(known, value)
    return merged


def remove(data: Mapping[str, Any], path: KeyPath) -> TableData:
    """Return ``data`` without what stands at ``path``.

    Raises
    ------
    KeyError
        If nothing stands there; the argument is the depth at which the path ends.
    """
    key = str(path[0])
    if key not in data:
        raise KeyError(0)
    rest = dict(data)
    if len(path) == 1:
        del rest[key]
    else:
        if not isinstance(rest[key], Mapping):
            raise KeyError(1)
        try:
            rest[key] = remove(rest[key], path[1:])
        except KeyError as error:
            raise KeyError(error.args[0] + 1) from None
    return rest


@dataclass(frozen=True, eq=False)
class Layers:
    """The layers of one scenario, base first."""

    layers: tuple[Layer, ...]
    data: TableData = field(init=False)

    def __post_init__(self) -> None:
        data: TableData = {}
        for layer in self.layers:
            for path in layer.remove:
                try:
                    data = remove(data, path)
                except KeyError as error:
                    depth = error.args[0]
                    known = value_at(data, path[:depth])
                    hint = nearest(str(path[depth]), known) if isinstance(known, Mapping) else ""
                    raise ScenarioError(
                        f"{layer.place(('remove',))}: {show_path(path)}: there is no such key in the base{hint}"
                    ) from None
            data = merge(data, layer.data)
        object.__setattr__(self, "data", data)

    def source(self, path: KeyPath) -> Layer:
        """Return the layer that a mistake at ``path`` comes from: who wrote it last, or left it out."""
        best, best_depth = self.layers[0], 0
        for layer in reversed(self.layers):
            held = depth_held(layer.data, path)
            if held == len(path):
                return layer
            hides = any(_replaces(value_at(layer.data, path[:depth])) for depth in range(1, held + 1))
            removes = any(path[: len(gone)] == gone for gone in layer.remove)
            if hides or removes:
                return layer
            if held >= best_depth:
                best, best_depth = layer, held
        return best

    def error(self, path: KeyPath, text: str) -> ScenarioError:
        """Return the error ``file:line: key: text``; the key ends where the file has a plain value."""
        depth = depth_held(self.data, path)
        if not isinstance(value_at(self.data, path[:depth]), Mapping | list | tuple):
            path = path[:depth]
        return ScenarioError(f"{self.source(path).place(path)}: {text}")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def parse_key(text: str) -> KeyPath:
    """Return the key path that ``text`` (TOML, dotted) stands for.

    Raises
    ------
    ValueError
        If it is not one.
    """
    try:
        data: object = parse_toml(f"{text} = 0", "") if "\n" not in text else None
    except ScenarioError:
        data = None
    path: list[str] = []
    while isinstance(data, dict) and len(data) == 1:
        key, data = next(iter(data.items()))
        path.append(key)
    if data != 0 or not path:
        raise ValueError(f"not a key path: {_short(repr(text))}")
    return tuple(path)


def setting_layer(setting: str) -> Layer:
    """Return the layer of one ``path=value`` from the command line; the value is TOML.

    Raises
    ------
    ScenarioError
        If it cannot be read.
    """
    shown = f"--set {_short(setting)}".replace("\n", " ")
    key, equals, value = setting.partition("=")
    if not equals:
        raise ScenarioError(f"{shown}: must be path=value, got no '='")
    if "\n" in setting:
        raise ScenarioError(f"{shown}: must be one line")
    try:
        path = parse_key(key)
    except ValueError as error:
        raise ScenarioError(f"{shown}: {error}") from None
    try:
        data = parse_toml(setting, shown)
    except ScenarioError:
        hint = (
            f"; text needs quotes: {key}='\"{value.strip()}\"'"
            if value.strip().isidentifier() and len(value) < 80
            else ""
        )
        raise ScenarioError(f"{shown}: {show_path(path)}: not a TOML value: {_short(repr(value))}{hint}") from None
    return Layer(shown, data)


def setting_layers(settings: Sequence[str]) -> tuple[Layer, ...]:
    """Return the layers of all settings, in order."""
    return tuple(setting_layer(setting) for setting in settings)
