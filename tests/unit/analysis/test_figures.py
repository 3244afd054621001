"""The figure of the funnel: it is drawn, nothing overlaps, and nothing is left behind."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import analysis
from analysis.summaries import STATEMENT, Summary
from simcore.errors import UserError

from .funnel_samples import SCENARIO, make_counts, write


def summary(rows: int = 400, **options: Any) -> Summary:
    with write(make_counts(rows, bound_mean=options.pop("bound_mean", 6.0)), **options) as results:
        return analysis.summarize(results)


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("bound_mean", [6.0, 0.02, 0.0])
def test_a_picture_with_something_on_it(tmp_path: Path, bound_mean: float) -> None:
    """Also where most figures are 0, which a logarithmic axis does not have."""
    target = analysis.save_funnel(summary(bound_mean=bound_mean), tmp_path / "funnel.png")
    image = matplotlib.image.imread(target)
    assert image.shape[1] == 11 * 150
    ink = (image[..., :3].min(axis=2) < 0.7).mean()
    assert 0.01 < ink < 0.3


def test_vector_formats(tmp_path: Path) -> None:
    """The ending is the format."""
    assert analysis.save_funnel(summary(), tmp_path / "f.svg").read_text().count("<path") > 20
    assert analysis.save_funnel(summary(), tmp_path / "f.PDF").read_bytes().startswith(b"%PDF")


def test_rows_words_and_hidden_cells() -> None:
    """A row per count from top to bottom, values beside them, source and statement at the bottom."""
    found = summary(bound_mean=0.3)
    ax = analysis.funnel(found)
    counts = [q for q in found.quantities if q.kind != "ratio"]
    assert len(ax.get_yticks()) == len(counts)
    bottom, top = ax.get_ylim()
    assert bottom > top
    assert ax.get_xscale() == "log"
    written = texts(ax)
    assert STATEMENT in written
    assert any("scenario sample" in text and "seed 12345678901234567890" in text for text in written)
    assert "<10" in written
    assert "<10" not in texts(analysis.funnel(found, exact=True))
    assert any("from parameters and chance" in text for text in written)


def test_nothing_overlaps() -> None:
    """Long labels are wrapped or shortened; no two pieces of text share a place, all of it lies on the figure."""
    long = "a point whose description goes on and on, far beyond what fits into the margin of any figure, really"
    points = {name: {"label": f"{name} {long}"} for name in SCENARIO["transit"]["points"]}
    scenario = {**SCENARIO, "transit": {**SCENARIO["transit"], "points": points}}
    counts = {name: values * 10_000 for name, values in make_counts(400).items()}
    counts["persons"] = counts["persons"] * 10
    with write(counts, scenario=scenario, scenario_title=f"costs $5 or $6: {long}, {long}") as results:
        ax = analysis.funnel(analysis.summarize(results))
    figure = ax.get_figure(root=True)
    assert figure is not None
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    shown = [t for t in (*ax.texts, *ax.get_yticklabels(), *ax.get_xticklabels()) if t.get_text()]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in shown]
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        assert not first.overlaps(second), f"{one!r} overlaps {other!r}"
    for words, box in boxes:
        assert figure.bbox.x0 <= box.x0, words
        assert box.x1 <= figure.bbox.x1, words
        assert figure.bbox.y0 <= box.y0, words
        assert box.y1 <= figure.bbox.y1, words


def test_axes_of_ones_own_and_no_global_state() -> None:
    """Axes go in and come out; pyplot is not imported by drawing."""
    ax = Figure().add_subplot()
    assert analysis.funnel(summary(), ax) is ax
    assert ax.lines
    assert np.isfinite(ax.get_xlim()).all()
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    """Summaries by level, summaries without counts, places that cannot be written."""
    with write(make_counts(20)) as results:
        by_level = analysis.summarize(results, by="sex")
        ratios = analysis.summarize(results, quantities=["border_share"])
    for found in (by_level, ratios):
        with pytest.raises(UserError, match="drawn of totals"):
            analysis.funnel(found)
    with pytest.raises(UserError, match="cannot be written"):
        analysis.save_funnel(summary(), tmp_path / "nowhere" / "f.png")
    with pytest.raises(UserError, match="cannot be written"):
        analysis.save_funnel(summary(), tmp_path / "f.docx")
