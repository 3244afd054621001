"""Scenario files that are traps: one line, exit code 2, in seconds, in memory of the size of what is read.

Every call runs in a process of its own with 2 GiB of address space and is killed if it waits; standard input is a pipe
that nobody writes to. `MOST_SECONDS` is generous, for machines that do other things too: the traps below took minutes,
or all memory, before there were limits.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, ROOT
from tests.faults.confined import Confinement

TINY = (FIXTURES / "tiny.toml").read_text()
RIVER = ROOT / "tests" / "scenarios"
MOST_SECONDS = 15.0
MOST_MEMORY = 512 * 2**20
LONGEST_LINE = 2_100  # characters; a file name alone may have 4,096
GIB = 2**30
HEAD = "origin,sex,persons,age_band\n"


@pytest.fixture(scope="module")
def confinement() -> Iterator[Confinement]:
    with Confinement() as server:
        yield server


def refuse(confinement: Confinement, folder: Path, *arguments: object) -> str:
    """Check that a call is refused as it should be, and return its line."""
    ended = confinement.simcore(*arguments, folder=folder)
    assert ended.code == 2, ended
    assert ended.output == b""
    line = ended.line
    assert line.startswith("error: ")
    assert line.isprintable()
    assert len(line) < LONGEST_LINE
    assert ended.seconds < MOST_SECONDS
    assert ended.memory < MOST_MEMORY
    return line


def tiny(old: str, new: str) -> str:
    assert old in TINY
    return TINY.replace(old, new, 1)


def repeated(text: str, number: int) -> str:
    return "".join(text.format(i=i) for i in range(number))


PARAMETER = '\n[parameters.p{i}]\ndistribution = {{ family = "fixed", value = 1 }}\nunit = "1"\ngrade = "illustrative"'
LEG = '\n[transit.legs.l{i}]\nfrom = "ORIGIN"\nto = "HUB"\nreturned_to = "ORIGIN"\nsplit = "split_a"'
ORIGIN = 'ONE = { label = "the only origin" }'
SEX = 'all = { label = "all sexes" }'

TEXTS: dict[str, tuple[str | bytes, str]] = {
    "lists in lists": ("x = " + "[" * 90_000 + "]" * 90_000, "nested too deeply (limit 60)"),
    "100 lists": ("x = " + "[" * 100 + "]" * 100, "nested too deeply (limit 60)"),
    "tables in tables": ("x = " + "{a=" * 100_000 + "1" + "}" * 100_000, "nested too deeply|characters =,.[{"),
    "a key of 30,000 parts": ("a" + ".a" * 30_000 + " = 1", "x.toml:1: a key of more than 20 parts"),
    "a key of quoted parts": ("\n" + '"a b" . ' * 30 + "a = 1", "x.toml:2: a key of more than 20 parts"),
    "a header of 30,000 parts": ("[a" + ".a" * 30_000 + "]", "a key of more than 20 parts"),
    "400,000 keys": (repeated("a{i}=1\n", 400_000), "400000 of the characters =,.[{ in one file, limit 100000"),
    "480,000 tables": (repeated("[{i:x}]\n", 480_000), "limit 100000"),
    "a list of 2,000,000": ("a=[" + "1," * 2_000_000 + "]", "limit 100000"),
    "99,000 keys": (repeated("a{i}=1\n", 99_000), "x.toml:1: a0: unknown key"),
    "10,100 parameters": (TINY + repeated(PARAMETER, 10_100), "holds 10117 entries, limit 10000"),
    "9,000 legs": (TINY + repeated(LEG, 9_000), "transit.legs: holds 9005 entries, limit 1000"),
    "81,000,000 strata": (
        tiny(ORIGIN, ORIGIN + repeated("\no{i} = {{}}", 9_000)).replace(SEX, SEX + repeated("\ns{i} = {{}}", 9_000)),
        "strata: 9001 x 9001 x 1 x 2 = 162036002 strata, limit 1000000",
    ),
    "20,000 outcomes": (
        tiny("ASSISTED = {", repeated("d{i} = {{}}\n", 20_000) + "ASSISTED = {"),
        "outcomes.levels: holds 20006 entries, limit 256",
    ),
    "a group of 90,000": (
        TINY + "\n[groups.origin]\ng=[" + repeated('"o{i}",', 90_000) + '"o89999"]',
        "groups.origin.g: 'o89999' is listed twice",
    ),
    "90,000 mistakes": (tiny("cells = [", "cells = [" + "3," * 90_000), "must be a table, got 3 (and 89999 more)"),
    "90,000 attempts": (
        tiny('["reattempt_first", "reattempt_second"]', "[" + '"reattempt_first",' * 90_000 + "]"),
        "holds 90000 entries, limit 1000",
    ),
    "a million digits": (tiny("attempt_cap = 3", f"attempt_cap = {'9' * 10**6}"), "limit 1024 bits"),
    "16,000,000 bits": (tiny("attempt_cap = 3", f"attempt_cap = 0x{'f' * 4 * 10**6}"), "16000000 bits, limit 1024"),
    "1000 bits": (tiny("attempt_cap = 3", f"attempt_cap = 0x{'f' * 250}"), "at most 1000, got a whole number of 1000"),
    "1e400": (tiny("persons = 100000", "persons = 1e400"), "must be a finite number, got inf"),
    "a date": (tiny("persons = 100000", "persons = 1979-05-27"), "must be a number, got datetime.date"),
    "a key of a million": (TINY + "\n" + "x" * 10**6 + " = 1", 'xxx...": unknown key'),
    "a level of a million": (tiny("ONE = {", f'"{"x" * 10**6}" = {{'), "a level of 1000000 characters"),
    "a title of a million": (tiny('title = "', f'title = "{"x" * 10**6}'), "a text of 1000038 characters, limit 1000"),
    "NUL": (TINY.encode() + b"\0", "not TOML"),
    "no UTF-8": (b"\xff" + TINY.encode(), "not UTF-8 text (byte 0)"),
    "UTF-16": (TINY.encode("utf-16"), "not UTF-8 text"),
    "half a character": (tiny('title = "', 'title = "\\uD800'), "not a Unicode scalar value"),
    "right to left": (tiny('title = "', 'title = "\u202e'), "title: must be one line of text, got '\\u202e"),
    "an escape in a key": (TINY + '\n"a\\nb\\u001b[31m" = 1', '"a\\nb\\u001b[31m": unknown key'),
    "a path as name": (tiny('name = "tiny"', 'name = "../../x"'), "not a name: '../../x'"),
    "an option as name": (tiny('name = "tiny"', 'name = "-rf"'), "not a name: '-rf'"),
    "two lines as name": (tiny('name = "tiny"', 'name = "a\\nb"'), "not a name: 'a\\nb'"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_text(case: str, confinement: Confinement, tmp_path: Path) -> None:
    text, words = TEXTS[case]
    (tmp_path / "x.toml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    line = refuse(confinement, tmp_path, "check", "x.toml")
    assert any(word in line for word in words.split("|")), line


def test_the_largest_scenario_that_is_read_takes_seconds(confinement: Confinement, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(TINY + repeated(PARAMETER, 9_900))
    ended = confinement.simcore("check", "x.toml", "--json", folder=tmp_path)
    assert ended.code == 0, ended.errors[-300:]
    assert json.loads(ended.output)["parameters"] == 9_917
    assert ended.seconds < MOST_SECONDS
    assert ended.memory < MOST_MEMORY


def _link(path: Path, target: str) -> None:
    path.symlink_to(target)


def _sparse(path: Path, size: int) -> None:
    path.touch()
    os.truncate(path, size)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "not a regular file"),
    "folder": (Path.mkdir, "not a regular file"),
    "device": (lambda path: _link(path, "/dev/zero"), "not a regular file|leads out"),
    "standard input": (lambda path: _link(path, "/dev/stdin"), "not a regular file|leads out"),
    "kernel log": (lambda path: _link(path, "/proc/kmsg"), "missing key|leads out|cannot be read"),
    "kernel file without size": (lambda path: _link(path, "/proc/self/environ"), "missing key|leads out"),
    "memory of the process": (lambda path: _link(path, "/proc/self/mem"), "missing key|leads out|cannot be read"),
    "link to itself": (lambda path: _link(path, path.name), "cannot be read: Too many levels of symbolic links"),
    "link to nothing": (lambda path: _link(path, "nowhere"), "a link to a file that is not there"),
    "3 GiB": (lambda path: _sparse(path, 3 * GIB), "of 3221225472 bytes, limit"),
}


@pytest.mark.parametrize("role", ["scenario", "base", "table", "catalogue"])
@pytest.mark.parametrize("case", FILES)
def test_file_that_is_none(case: str, role: str, confinement: Confinement, tmp_path: Path) -> None:
    make, words = FILES[case]
    name, verb = ("x.csv" if role in ("table", "catalogue") else "x.toml"), "check"
    make(tmp_path / name)
    match role:
        case "base":
            (tmp_path / "y.toml").write_text('name = "y"\nbase = "x.toml"\n')
        case "table":
            _river(tmp_path, "x.csv")
        case "catalogue":
            _river(tmp_path, "river_population.csv", '\ncatalogue = "x.csv"')
            verb = "sources"
    line = refuse(confinement, tmp_path, verb, "x.toml" if role == "scenario" else "y.toml")
    assert any(word in line for word in words.split("|")), line
    assert name in line


def _river(folder: Path, table: str, more: str = "") -> None:
    """Write the river scenario as y.toml, with another population table and more lines in its table of sources."""
    for other in ("river_population.csv", "river_sources.csv"):
        shutil.copy(RIVER / other, folder)
    text = (RIVER / "river.toml").read_text().replace('"river_population.csv"', json.dumps(table))
    (folder / "y.toml").write_text(text.replace('"river_sources.csv"', f'"river_sources.csv"{more}'))


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../x.csv", "sub/../../x.csv", "C:\\x.csv", "\\\\server\\x", "", "/dev/zero", "x" * 5_000,
     "a\0b.csv", "~/x.csv", "a\nb\x1b[31m.csv", "."],
)  # fmt: skip
@pytest.mark.parametrize("role", ["table", "catalogue", "setting"])
def test_table_elsewhere(name: str, role: str, confinement: Confinement, tmp_path: Path) -> None:
    verb, more = "check", []
    if role == "catalogue":
        _river(tmp_path, "river_population.csv", f"\ncatalogue = {json.dumps(name)}")
        verb = "sources"
    else:
        _river(tmp_path, name if role == "table" else "river_population.csv")
    if role == "setting":
        if "\0" in name:
            pytest.skip("no argument of a process holds NUL")
        more = ["--set", f"population.table={json.dumps(name)}"]
    line = refuse(confinement, tmp_path, verb, "y.toml", *more)
    assert "sources.catalogue" in line if role == "catalogue" else "population.table" in line
    assert "root:" not in line


def test_a_folder_that_is_a_link_leads_out_too(confinement: Confinement, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "private.csv").write_text(HEAD)
    (tmp_path / "study" / "data").symlink_to(tmp_path)
    _river(tmp_path / "study", "data/private.csv")
    assert "leads out of this file's folder" in refuse(confinement, tmp_path / "study", "check", "y.toml")


def test_a_base_may_lie_elsewhere_and_its_tables_beside_it(confinement: Confinement, tmp_path: Path) -> None:
    _river(tmp_path, "river_population.csv")
    (tmp_path / "study").mkdir()
    for base in ("../y.toml", str(tmp_path / "y.toml")):
        (tmp_path / "study" / "z.toml").write_text(f'name = "z"\nbase = "{base}"\n')
        assert confinement.simcore("check", "z.toml", folder=tmp_path / "study").code == 0


ROWS = 64 * 2**20
TABLES: dict[str, tuple[str | bytes, str]] = {
    "64 MiB of empty lines": (HEAD + "\n" * (ROWS - 100), "a table of 67108765 lines, limit 1000000"),
    "8,000,000 rows": (HEAD + "a,b,1,c\n" * 8_000_000, "a table of 8000001 lines, limit 1000000"),
    "20,000,000 cells": (HEAD[:-1] + repeated(",c{i}", 16) + "\n" + ",".join("a" * 20) + "\n", ""),
    "60,000,000 columns": ("," * (ROWS - 10), "a row of more than 1048576 characters"),
    "100,000 columns": (repeated("c{i},", 100_000), "100001 columns, limit 1000"),
    "a line of 64 MiB": (HEAD + "x" * (ROWS - 100), "a row of more than 1048576 characters"),
    "one endless row": (HEAD + '"\n",' * 900_000, "a row of more than 1048576 characters"),
    "an endless cell": (HEAD + '"' + "\n" * 900_000, "field larger than field limit"),
    "a million digits": (HEAD[:-1] + ",source_id\nhighlands,w," + "9" * 100_000 + ",young,x\n", "finite number"),
    "1e400": (HEAD[:-1] + ",source_id\nhighlands,w,1e400,young,x\n", "must be a finite number, got '1e400'"),
    "an escape": (
        HEAD[:-1] + ",source_id\nhighlands,w,\x1b[31m1,young,x\n",
        "must be a finite number, got '\\x1b[31m1'",
    ),
    "an escape in the head": ("origin\x1b[31m,sex\n", "column names must be one line of text each"),
    "UTF-16": (HEAD.encode("utf-16"), "not UTF-8 text"),
}


@pytest.mark.parametrize("case", TABLES)
def test_table(case: str, confinement: Confinement, tmp_path: Path) -> None:
    text, words = TABLES[case]
    if case == "20,000,000 cells":
        header, row = text.split("\n")[:2] if isinstance(text, str) else ("", "")
        text, words = header + "\n" + f"{row}\n" * 400_000, "more than 200000 rows, limit for 20 columns"
    (tmp_path / "x.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    _river(tmp_path, "x.csv")
    assert words in refuse(confinement, tmp_path, "check", "y.toml")


SETTINGS = {
    "a" + ".a" * 10_000 + "=1": "not a key path",
    "a=" + "[" * 50_000: "a: not a TOML value",
    "a=" + "{a=" * 30_000: "a: not a TOML value",
    "transit.attempt_cap=" + "9" * 50_000: "not a TOML value",
    "transit.attempt_cap=0x" + "f" * 100_000: "not a TOML value",
    "exposure_years=1e400": "must be a finite number, got inf",
    'title="\\u001b[31mx"': "must be one line of text, got '\\x1b[31mx'",
    '"a\x1b[31m"=1': "not a key path",
    'base="y.toml"': "base: unknown key",
    "__class__=1": "__class__: unknown key",
    "x" * 100_000: "must be path=value",
    "a=" + "1," * 60_000: "not a TOML value",
}


@pytest.mark.parametrize("setting", SETTINGS, ids=[text[:12] for text in SETTINGS])
def test_setting(setting: str, confinement: Confinement, tmp_path: Path) -> None:
    (tmp_path / "y.toml").write_text(TINY)
    assert SETTINGS[setting] in refuse(confinement, tmp_path, "check", "y.toml", "--set", setting)


def test_bases_without_end(confinement: Confinement, tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"x{number}.toml").write_text(f'name = "p"\nbase = "x{number + 1}.toml"\n')
    assert "more than 20 files" in refuse(confinement, tmp_path, "check", "x0.toml")
    (tmp_path / "here").symlink_to(".")
    (tmp_path / "x.toml").write_text('name = "p"\nbase = "here/x.toml"\n')
    assert "leads back to itself" in refuse(confinement, tmp_path, "check", "x.toml")


def test_removing_without_end(confinement: Confinement, tmp_path: Path) -> None:
    (tmp_path / "y.toml").write_text(TINY)
    for removed, words in (
        ('"a.b",' * 40_000, "40000 key paths, limit 1000"),
        ('"a' + ".a" * 10_000 + '"', "not a key path|a key of more than 20 parts"),
        ('"a\\u0000"', "not a key path: 'a\\x00'"),
    ):
        (tmp_path / "x.toml").write_text(f'name = "p"\nbase = "y.toml"\nremove = [{removed}]\n')
        line = refuse(confinement, tmp_path, "check", "x.toml")
        assert any(word in line for word in words.split("|")), line


@pytest.mark.parametrize(
    "name",
    ["a\nb\x1b[31m.toml", "\u202eab.toml", "x" * 5_000 + ".toml", "-x.toml", "~/x.toml", "/dev/stdin", "/dev/fd/0"],
)
def test_name_of_a_file(name: str, confinement: Confinement, tmp_path: Path) -> None:
    line = refuse(confinement, tmp_path, "check", "--", name)
    assert "no such file" in line or "cannot be read" in line or "not a regular file" in line


def test_nothing_is_written_outside(confinement: Confinement, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "y.toml").write_text(tiny('name = "tiny"', 'name = "..x"'))
    line = refuse(confinement, tmp_path / "study", "run", "y.toml", "-n", "5")
    assert "not a name: '..x'" in line
    assert [path.name for path in tmp_path.rglob("*")] == ["study", "y.toml"]
