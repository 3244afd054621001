"""Intervals over the cohorts: one panel per quantity, counts on logarithmic axes.

Drawn on `matplotlib.figure.Figure`; colours are those of Okabe and Ito (2008).
"""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.figures import figure_image
from analysis.quantity import percent
from analysis.summaries import STATEMENT
from simcore.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.cohorts.comparison import Comparison

_COLOURS = {"persons": "#0072B2", "events": "#D55E00", "ratio": "#009E73"}
_GREY = "#595959"
_LABEL_WIDTH = 16


def cohort_figure(comparison: Comparison) -> Figure:
    """Draw median and intervals of every headline quantity for every cohort.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    count = len(comparison.columns)
    width = max(9.5, 2.0 + 1.1 * count)
    figure = Figure(figsize=(width, 7.6), facecolor="white")
    figure.subplots_adjust(left=0.085, right=0.98, top=0.87, bottom=0.2, wspace=0.2, hspace=0.42)
    quantities = comparison.columns[0].summary.quantities
    for number, quantity in enumerate(quantities):
        _draw(figure.add_subplot(2, 2, number + 1), comparison, quantity.name)
    columns = comparison.columns
    title = f"Cohorts side by side: {columns[0].name} to {columns[-1].name}"
    figure.text(0.02, 0.955, title, fontsize=12.5, fontweight="bold", va="center", parse_math=False)
    narrow, wide = (percent(level) for level in (columns[0].summary.levels[0], columns[0].summary.levels[-1]))
    header = columns[0].summary.header
    note = (
        f"Dot: median; thick bar: {narrow} %, thin bar: {wide} % of the replicates (intervals from parameters and "
        f"chance).\nSource: simcore, study '{comparison.folder.name}', seed {comparison.seed}, engine "
        f"{header.get('engine', '?')}, {header['replicates']:,} replicates per cohort."
    )
    figure.text(0.02, 0.085, note, fontsize=8, color=_GREY, va="center", linespacing=1.4, parse_math=False)
    figure.text(0.02, 0.03, STATEMENT, fontsize=8, fontweight="bold", va="center")
    return figure


def save_cohorts(comparison: Comparison, path: Path) -> None:
    """Draw the cohorts and write the figure; the ending of ``path`` (.png, .pdf, .svg) is the format.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    try:
        path.write_bytes(figure_image(cohort_figure(comparison), path))
    except OSError as problem:
        raise UserError(f"{path}: cannot be written: {(str(problem).splitlines() or [''])[0]}") from None


def _draw(ax: Axes, comparison: Comparison, name: str) -> None:
    own = [column.summary[name] for column in comparison.columns]
    kind = own[0].kind
    colour = _COLOURS[kind]
    ends = [end for quantity in own for interval in quantity.intervals for end in interval]
    above = [end for end in (*ends, *(quantity.estimate for quantity in own)) if end > 0.0]
    is_log = kind != "ratio" and bool(above)
    lowest = min(above) / 2.0 if is_log else 0.0
    for place, quantity in enumerate(own):
        for interval, width in zip((quantity.intervals[0], quantity.intervals[-1]), (6.5, 1.7), strict=True):
            low, high = interval
            if not math.isnan(low) and not math.isnan(high):
                ax.plot(
                    [place, place],
                    [max(low, lowest), max(high, lowest)],
                    color=colour,
                    linewidth=width,
                    solid_capstyle="butt",
                )
        ax.plot(
            place, max(quantity.estimate, lowest), "o", color="white", markeredgecolor=colour, markersize=7, zorder=3
        )
    if is_log:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1.0 else f"{value:g}")
    else:
        ax.set_ylim(0.0, 1.0)
    labels = [_label(column.cohort_year, column.name) for column in comparison.columns]
    ax.set_xticks(range(len(own)), labels, fontsize=8.5, parse_math=False)
    ax.set_xlim(-0.6, len(own) - 0.4)
    ax.set_title(textwrap.shorten(own[0].label, 60, placeholder=" ..."), fontsize=9.5, loc="left", parse_math=False)
    ax.tick_params(axis="y", labelsize=8)
    ax.grid(axis="y", color="#E6E6E6", linewidth=0.7)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _label(year: int, name: str) -> str:
    return f"{year}\n{textwrap.fill(textwrap.shorten(name, 2 * _LABEL_WIDTH, placeholder=' ...'), _LABEL_WIDTH)}"
