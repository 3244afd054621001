"""Tables on a narrow terminal: no number is broken, nothing is lost, and hidden cells stay hidden in the figure."""

from __future__ import annotations

import io
import re
import sys

import numpy as np
import pytest

import analysis
from analysis.convergence import Course
from analysis.convergence_figure import _limits
from analysis.embedded import read_roles
from analysis.narrow_tables import show_table, wrap
from analysis.number_format import is_small
from analysis.stages import ALIASES, all_stages, choose_stages

from .funnel_samples import make_counts, write

COLUMNS = ["parameter", "mean", "MCSE", "median", "90 % interval", "share", "written about it"]
NUMBERS = ["mean", "MCSE", "median", "90 % interval", "share"]
ROW = ["interception_border_gtm_mex", "+1,234,567", "12,345", "+987,654", "123,456 to 7,654,321", "99.5", "a b " * 9]


class Terminal(io.StringIO):
    """A terminal that remembers what was printed."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [60, 80, 200])
def test_numbers_are_never_broken(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    show_table(COLUMNS, [ROW], right=NUMBERS, keys=1)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert max(len(line) for line in plain.splitlines()) <= width
    for number in ROW[1:6]:
        assert number in plain
    assert plain.split().count("a") == 9


def test_names_wrap_at_underscores() -> None:
    assert wrap("  interception_border_gtm_mex", 20) == ["  interception_", "  border_gtm_mex"]


def test_aliases_name_the_same_quantities() -> None:
    with write(make_counts(40)) as results:
        stages = all_stages(results, read_roles(results))
    for word, meant in {**ALIASES, "victims": "trafficked"}.items():
        assert [stage.name for stage in choose_stages(stages, [word])] == [meant]


def test_the_figure_does_not_draw_hidden_cells() -> None:
    with write(make_counts(400, bound_mean=6.0)) as results:
        found = analysis.summarize(results)
    drawn = {x for line in analysis.funnel(found).lines for x in np.ravel(line.get_xdata()).tolist()}
    hidden = {q.estimate for q in found.quantities if is_small(q.estimate, q.kind)}
    assert hidden
    assert not hidden & drawn
    exact = {x for line in analysis.funnel(found, exact=True).lines for x in np.ravel(line.get_xdata()).tolist()}
    assert hidden <= exact


def test_one_absurd_band_does_not_set_the_limits() -> None:
    course = Course("x", "X", "mean", np.array([32, 100, 1000]), np.array([5.0, 6.0, 6.0]), np.array([1e9, 1.0, 0.1]))
    low, high = _limits([course], 100)
    assert 3.0 < low < 4.0
    assert 8.0 < high < 9.0
