"""Line numbers of keys."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simcore.scenario.locations import KeyPath, key_lines, show_path

TEXT = '''# comment [not] = a header
top = "a # b" # comment
"quoted key" = 'x = "y"'
dotted.inner = """
looks = "like a key"
[and] a header \\"""
"""
many = [ # comment ]
  1,
  { a = 2, "b.c" = [3,
    4] },
]

[ table . "su.b" ]
value = 1979-05-27T07:32:00Z
inline = { x = { y = "}" }, z = 1 }
raw = \'\'\'
it's a 'raw' text = 1\'\'\'
fence = """end with quotes"""""

[[cells]]
a = 1
[[cells]]
a = 2
[cells.deep]
b = 3
[[cells.list]]
c = 4
'''

LINES: dict[KeyPath, int] = {
    ("top",): 2,
    ("quoted key",): 3,
    ("dotted",): 4,
    ("dotted", "inner"): 4,
    ("many",): 8,
    ("many", 0): 9,
    ("many", 1): 10,
    ("many", 1, "a"): 10,
    ("many", 1, "b.c"): 10,
    ("many", 1, "b.c", 0): 10,
    ("many", 1, "b.c", 1): 11,
    ("table",): 14,
    ("table", "su.b"): 14,
    ("table", "su.b", "value"): 15,
    ("table", "su.b", "inline"): 16,
    ("table", "su.b", "inline", "x"): 16,
    ("table", "su.b", "inline", "x", "y"): 16,
    ("table", "su.b", "inline", "z"): 16,
    ("table", "su.b", "raw"): 17,
    ("table", "su.b", "fence"): 19,
    ("cells",): 21,
    ("cells", 0): 21,
    ("cells", 0, "a"): 22,
    ("cells", 1): 23,
    ("cells", 1, "a"): 24,
    ("cells", 1, "deep"): 25,
    ("cells", 1, "deep", "b"): 26,
    ("cells", 1, "list"): 27,
    ("cells", 1, "list", 0): 27,
    ("cells", 1, "list", 0, "c"): 28,
}


def paths(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key path of parsed TOML."""
    if path:
        yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from paths(value, (*path, key))


def test_every_kind_of_key() -> None:
    assert key_lines(TEXT) == LINES
    assert set(paths(tomllib.loads(TEXT))) == set(LINES)


@pytest.mark.parametrize("name", ["tiny", "golden", "single_border"])
def test_every_key_of_a_scenario_is_found(name: str, fixtures: Path) -> None:
    text = (fixtures / f"{name}.toml").read_text()
    lines = key_lines(text)
    written = text.splitlines()
    for path in paths(tomllib.loads(text)):
        assert path in lines
        if isinstance(path[-1], str):
            assert path[-1] in written[lines[path] - 1]


def test_broken_text_gives_what_it_can() -> None:
    assert key_lines('a = 1\nb = "')[("a",)] == 1


def test_shown_path() -> None:
    assert show_path(("a", "b-c", 0, "x y", 'q"', "\n")) == 'a.b-c[0]."x y"."q\\""."\\n"'
