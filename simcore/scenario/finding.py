"""Which scenarios there are, and the file that a name or path stands for.

Scenarios with a name come from packages that declare the entry-point group ``simcore.scenarios``; each ``<name>.toml``
there is one. This module reads no more than titles and imports nothing heavy: `simcore list` must be quick.
"""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NamedTuple

from simcore.errors import ScenarioError, nearest
from simcore.scenario.reading import absent, parse_toml, read_regular_file

GROUP = "simcore.scenarios"
LARGEST_SCENARIO_BYTES = 4 * 2**20


class KnownScenario(NamedTuple):
    """A scenario that can be loaded by name."""

    name: str
    title: str
    path: Path


def _folder(entry: EntryPoint) -> Path:
    """Return the folder of a package of scenarios."""
    try:
        package = importlib.import_module(entry.module)
    except ImportError as error:
        raise ScenarioError(f"entry point {GROUP}: {entry.name}: cannot import {entry.module!r}: {error}") from None
    paths = [Path(path) for path in getattr(package, "__path__", [])]
    if getattr(package, "__file__", None) is None or not paths:
        where = paths[0] if paths else entry.module
        raise ScenarioError(
            f"{where}: this hides the package {entry.module!r} of scenarios; rename it, or work in another folder"
        )
    return paths[0]


def scenario_files() -> dict[str, Path]:
    """Return name -> file of every known scenario, sorted by name.

    Raises
    ------
    ScenarioError
        If two packages use one name, or a folder of the user hides a package.
    """
    files: dict[str, Path] = {}
    for entry in entry_points(group=GROUP):
        for path in sorted(_folder(entry).glob("*.toml")):
            other = files.setdefault(path.stem, path)
            if other != path:
                raise ScenarioError(f"{path}: the scenario {path.stem!r} exists twice; the other is {other}")
    return dict(sorted(files.items()))


def read_toml_text(path: Path, shown: str) -> str:
    """Return the text of a scenario file.

    Raises
    ------
    ScenarioError
        If there is no such file, or it is not a file, too large, or not UTF-8.
    """
    if missing := absent(path, "*.toml"):
        raise ScenarioError(f"{shown}: {missing}")
    try:
        content = read_regular_file(path, LARGEST_SCENARIO_BYTES, "file")
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{shown}: not UTF-8 text (byte {error.start})") from None
    except ScenarioError as error:
        raise ScenarioError(f"{shown}: {error}") from None


def shown_path(path: Path) -> str:
    """Return a path as messages name it: relative to the working folder if it lies inside it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def list_scenarios() -> list[KnownScenario]:
    """Return every scenario that can be loaded by name, with the title that its file gives."""
    known = []
    for name, path in scenario_files().items():
        try:
            data = parse_toml(read_toml_text(path, shown_path(path)), shown_path(path))
            title = data.get("title", f"a patch on {data['base']}" if "base" in data else "")
        except ScenarioError as error:
            title = f"(cannot be read: {error})"
        known.append(KnownScenario(name, str(title), path))
    return known


def find_scenario(name_or_path: str | Path, *, beside: Path | None = None) -> Path:
    """Return the file of a scenario given by name, or by a path that ends in ``.toml``.

    Parameters
    ----------
    name_or_path : str or Path
        Anything that is a `Path`, ends in ``.toml`` or holds a separator is a path.
    beside : Path, optional
        Folder that a relative path starts from; the working folder by default.

    Raises
    ------
    ScenarioError
        If no scenario has that name.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        path = Path(name_or_path)
        return path if beside is None else beside / path
    files = scenario_files()
    if text in files:
        return files[text]
    file = (beside or Path()) / f"{text}.toml"
    hint = f"; the file {file} exists: give its path" if file.is_file() else nearest(text, files)
    listed = f" (known: {', '.join(files) or 'none'})"
    raise ScenarioError(f"unknown scenario {text!r}{hint or listed}")
