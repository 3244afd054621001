"""Text of a scenario, of its tables and of results files is text: never markup, an escape of the terminal, or mathtext.

One scenario has traps in every place that takes text, and every verb is called on it and on its results, with its
output as for a pipe and as for a terminal; then the raw bytes are looked at.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest
from matplotlib.text import Text

import analysis
from analysis.figures import figure_image, funnel
from simcore.store import open_results
from simcore.store.description import DESCRIPTION_CHECKSUM, description_checksum
from tests.conftest import FIXTURES, ROOT
from tests.faults.confined import Confinement

MARKUP = "[red]x[/red] [link=http://a.b]y[/link] [/] :smile: <b>z</b>"
MATH = r"$\frac{ 5$ $"
ESCAPES = "\x1b[31mE\x1b]8;;http://a.b\x07F\x9b31mG\x7f\r\x08\u202eH\u200bI"
VERBS: dict[str, tuple[str, ...]] = {
    "list": ("list",),
    "show": ("show", "x.toml"),
    "show JSON": ("show", "x.toml", "--json"),
    "check": ("check", "x.toml"),
    "check JSON": ("check", "x.toml", "--json"),
    "expected": ("expected", "x.toml", "-n", "100"),
    "expected JSON": ("expected", "x.toml", "-n", "100", "--json"),
    "sources": ("sources", "x.toml"),
    "sources JSON": ("sources", "x.toml", "--json"),
    "diff": ("diff", "x.toml", "y.toml", "--draws", "100", "--figure", "diff.png"),
    "diff JSON": ("diff", "x.toml", "y.toml", "--draws", "100", "--json"),
    "run": ("run", "x.toml", "-n", "200", "-s", "3", "-o", "again.h5"),
    "info": ("info", "x.h5", "--verify"),
    "info JSON": ("info", "x.h5", "--json"),
    "summary": ("summary", "x.h5", "--figure", "summary.png"),
    "summary SVG": ("summary", "x.h5", "--figure", "summary.svg"),
    "summary by": ("summary", "x.h5", "--by", "origin,sex"),
    "summary JSON": ("summary", "x.h5", "--json"),
    "variance": ("variance", "x.h5", "--figure", "variance.png"),
    "variance JSON": ("variance", "x.h5", "--json"),
    "convergence": ("convergence", "x.h5", "--figure", "convergence.png"),
    "convergence JSON": ("convergence", "x.h5", "--json"),
    "reweight": ("reweight", "x.h5", "--set", "parameters.p.distribution.max=0.045"),
    "cohorts": ("cohorts", "x.toml", "y.toml", "-n", "100", "-o", "study", "--figure", "cohorts.png"),
    "cohorts JSON": ("cohorts", "study", "--show", "--json"),
    "a file that is none": ("check", f"{ESCAPES}\n{MARKUP}.toml"),
    "results that are none": ("info", f"{ESCAPES}\n{MARKUP}.h5"),
    "a setting": ("check", "x.toml", "--set", f"{MARKUP}={ESCAPES}"),
    "an option": ("expected", "x.toml", "--by", f"{ESCAPES}{MARKUP}"),
    "a verb": (f"{ESCAPES}{MARKUP}",),
}


def scenario(name: str) -> str:
    """The known-answer fixture with traps in every text that a scenario may hold (its own line breaks included)."""
    text = (FIXTURES / "tiny.toml").read_text()
    trap, quoted = f"{MARKUP} {MATH}", json.dumps(f"{ESCAPES} {MARKUP}\nsecond line {MATH}", ensure_ascii=True)
    quoted = quoted.replace("\\u007f", "\\u007F")
    text = re.sub(r'label = "([^"]*)"', lambda found: f"label = '{found[1][:4]} {trap}'", text)
    text = re.sub(r'unit = "([^"]*)"', lambda found: f"unit = '{found[1][:5]} {MARKUP[:12]} {MATH}'", text)
    text = re.sub(r'title = "[^"]*"', lambda _: f"title = '{trap}'", text)
    text = re.sub(r'definition = "[^"]*"', lambda _: f"definition = {quoted}", text)
    text = re.sub(r'description = """.*?"""', lambda _: f"description = {quoted}", text, flags=re.DOTALL)
    text = text.replace('name = "tiny"', f'name = "{name}"').replace("ONE", "O$N{E}")
    text = text.replace("\nO$N{E} = ", '\n"O$N{E} (red) $" = ').replace(
        'origin = "O$N{E}"', 'origin = "O$N{E} (red) $"'
    )
    text = text.replace("ASSISTED", '"A <b> $x_ $"')
    text = text.replace(
        'distribution = { family = "fixed", value = 0.03 }',
        'distribution = { family = "uniform", min = 0.01, max = 0.05 }',
    )
    text = text.replace("at_risk_share_S", "p")
    text += "\n[sources]\ntable = 'sources.csv'\ncatalogue = 'catalogue.csv'\n"
    return text.replace("[parameters.p]", f"[parameters.p]\nnote = {quoted}\nsource = '[red] $a{{ id'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenarios x and y full of traps, their tables, and results of x whose attributes and labels have more."""
    place = tmp_path_factory.mktemp("markup")
    cell = '"' + f"{ESCAPES} {MARKUP} {MATH}".replace('"', '""').replace("\r", "") + '"'
    (place / "sources.csv").write_text(f"source_id,title\n[red] $a{{ id,{cell}\n", newline="")
    catalogue = (
        "source_id,series,title,publisher,stages,countries,access,grade,first_year,last_year,bias,to_close,licence"
    )
    row = f"[red] $a{{ id,{cell},{cell},{cell},at_risk,all,open_report,elicited,1990,2000,{cell},{cell},{cell}"
    (place / "catalogue.csv").write_text(f"{catalogue}\n{row}\n", newline="")
    (place / "x.toml").write_text(scenario("x"))
    (place / "y.toml").write_text(scenario("y").replace("min = 0.01", "min = 0.02"))
    with Confinement() as confinement:
        ended = confinement.simcore("run", "x.toml", "-n", "800", "-s", "3", "-o", "x.h5", "-q", folder=place)
    assert ended.code == 0, ended
    trap = f"{ESCAPES}\n{MARKUP} {MATH}"
    with h5py.File(place / "x.h5", "r+") as file:
        for name in ("scenario_title", "definition", "command_line", "cpu", "scenario_name"):
            file.attrs[name] = trap
        for name in ("victims", "reached"):
            file[name].attrs["units"] = file[name].attrs["long_name"] = trap
        file["parameters/p"].attrs["label"] = trap
        file.attrs[DESCRIPTION_CHECKSUM] = description_checksum(file)
    return place


@pytest.fixture(scope="module")
def confinement() -> Iterator[Confinement]:
    with Confinement() as server:
        yield server


def check(output: bytes) -> None:
    """Look at raw bytes: text that is printable, and nothing that was taken for markup."""
    text = output.decode("utf-8")
    wrong = {c for c in text if not c.isprintable() and c != "\n"}
    assert not wrong, (wrong, text[:500])
    assert "Traceback" not in text
    assert "Warning:" not in text
    assert "unexpected error" not in text


@pytest.mark.parametrize("case", VERBS)
def test_piped(case: str, confinement: Confinement, folder: Path) -> None:
    ended = confinement.simcore(*VERBS[case], folder=folder)
    check(ended.output + ended.errors)
    text = (ended.output + ended.errors).decode()
    if case.startswith(("a ", "an ", "results that")):
        assert ended.code == 2
        assert ended.errors.count(b"\n") == 1
        return
    assert ended.code == 0, ended.errors
    if case.endswith("JSON"):
        json.loads(ended.output)
    if case in ("show", "show JSON", "check", "expected", "summary", "info", "sources", "convergence"):
        assert "[red]x[/red]" in text or "[red]" in text, text[:300]
        assert ":smile:" in text or case not in ("show", "summary", "info")
    for option, name in zip(VERBS[case], VERBS[case][1:], strict=False):
        if option == "--figure":
            assert (folder / name).stat().st_size > 5_000


@pytest.mark.parametrize("case", [case for case in VERBS if not case.startswith(("run", "cohorts", "diff"))])
@pytest.mark.long
def test_on_a_terminal(case: str, folder: Path) -> None:
    """rich styles what it prints on a terminal; what is left without its styles is printable."""
    own, other = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "LINES": "40", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "simcore.cli", *VERBS[case]], cwd=folder, env=environment, stdin=other, stdout=other,
        stderr=other,
    )  # fmt: skip
    os.close(other)
    output = b""
    while True:
        if not select.select([own], [], [], 60)[0]:
            break
        try:
            piece = os.read(own, 65_536)
        except OSError:  # nobody writes any more
            break
        output += piece
    process.wait(10)
    os.close(own)
    assert b"\x1b]" not in output
    assert b"\x1b[31mE" not in output
    assert "\x9b".encode() not in output
    assert b"http://a.b\x07" not in output
    assert "\u202e".encode() not in output


def test_a_dollar_is_a_dollar(folder: Path) -> None:
    """No text of a figure that holds a dollar sign is parsed as mathematics, and none holds a control character."""
    with open_results(folder / "x.h5") as results:
        axes = funnel(analysis.summarize(results))
    texts = axes.get_figure(root=True).findobj(Text)
    texts += [label for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()]
    dollars = [text for text in texts if "$" in text.get_text()]
    assert len(dollars) > 10
    assert not any(text.get_parse_math() for text in dollars)
    drawing = figure_image(axes.get_figure(root=True), folder / "dollar.svg").decode()
    comments = re.findall(r"<!-- (.*?) -->", drawing, re.DOTALL)  # the texts, before they became outlines
    assert any("$\\frac{" in comment for comment in comments)
    assert all(comment.replace("\n", "").isprintable() for comment in comments)
