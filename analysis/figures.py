"""The funnel as a figure: one row per stage from persons to outcomes, on a logarithmic axis.

Drawn on `matplotlib.figure.Figure` objects and not through pyplot, so that no window, no global figure and no choice of
a back end is touched. Colours are those of Okabe and Ito (2008), which people who see colours differently can tell
apart; persons and events differ in the shape of the marker too.
"""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.number_format import HIDDEN, SMALL_CELL, is_small, show_estimate, show_interval
from analysis.quantity import Quantity, percent
from analysis.summaries import STATEMENT, scenario_words
from simcore.cli.terminal import one_line, visible
from simcore.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.summaries import Summary

_COLOURS = {"persons": "#0072B2", "events": "#D55E00"}
_MARKERS = {"persons": "o", "events": "D"}
_GREY = "#595959"
_SECTIONS = {"source": "Source zone", "destination": "Not bound", "journey": "Journey", "outcome": "Outcome"}
_LABEL_WIDTH = 40
_ROW = 0.33  # inches
_WIDTH = 11.0
_MARGINS = {"left": 3.15, "right": 2.95, "top": 0.85, "bottom": 1.35}  # inches
_MEDIAN_AT, _INTERVAL_AT = 64.0, 78.0  # points to the right of the axes
_MOST_TICKS = 6
_FADED = 0.3
_DPI = 150


def funnel(summary: Summary, ax: Axes | None = None, *, exact: bool = False) -> Axes:
    """Draw the counts of a summary: median as a dot, the narrowest interval thick, the widest thin.

    Parameters
    ----------
    summary : Summary
        Of totals (without ``by``). Ratios are left out: they are not on the axis of counts.
    ax : Axes, optional
        Where to draw; a new figure of fitting size by default.
    exact : bool
        Show figures below 10 too; else they are labelled ``<10``, their dots are left out, and bars that end there
        are faded from 10 to the left edge.

    Returns
    -------
    Axes

    Raises
    ------
    UserError
        If the summary is by levels, or holds no counts.
    """
    rows = [quantity for quantity in summary.quantities if quantity.kind != "ratio"]
    if summary.by or not rows:
        raise UserError("the funnel is drawn of totals: summarise without by, and with counts")
    if ax is None:
        ax = axes_of_rows(len(rows), row=_ROW, width=_WIDTH, margins=_MARGINS)
    lowest, highest = _limits(rows, exact=exact)
    for place, quantity in enumerate(rows):
        _draw_row(ax, quantity, place, lowest, exact=exact)
    ax.set_xscale("log")
    ax.set_xlim(lowest, highest)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(range(len(rows)), [_row_label(quantity) for quantity in rows], fontsize=8.5, parse_math=False)
    _mark_decades(ax, lowest, highest)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=8.5)
    ax.grid(axis="x", color="#E0E0E0", linewidth=0.7)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    _separate_sections(ax, rows)
    _write_around(ax, summary, exact=exact)
    return ax


def save_funnel(summary: Summary, path: str | Path, *, exact: bool = False) -> Path:
    """Draw the funnel and write it to a file; its ending (.png, .pdf, .svg) is the format.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    return save_figure(funnel(summary, exact=exact), path)


def save_figure(axes: Axes, path: str | Path) -> Path:
    """Write the figure of axes to a file; its ending (.png, .pdf, .svg) is the format.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    target = Path(path)
    figure = axes.get_figure(root=True)
    assert figure is not None
    try:
        target.write_bytes(figure_image(figure, target))
    except (OSError, ValueError) as problem:
        raise UserError(f"{target}: cannot be written: {(str(problem).splitlines() or [''])[0]}") from None
    return target


def figure_image(figure: Figure, path: Path) -> bytes:
    """Return a figure as the content of a file whose ending is the format.

    Its texts come from scenarios: characters that are not printable are written as escapes, and what the font lacks is
    left to look like what it is, without a warning for every letter.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_text(visible(text.get_text()))
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(image, format=path.suffix.removeprefix(".").lower(), dpi=_DPI)
    return image.getvalue()


def axes_of_rows(rows: int, *, row: float, width: float, margins: Mapping[str, float]) -> Axes:
    """Return axes in a figure of their own that is as high as its rows need; all lengths in inches.

    Parameters
    ----------
    rows : int
    row, width : float
        Height of a row; width of the figure.
    margins : dict
        left, right, top and bottom of the axes.
    """
    from matplotlib.figure import Figure

    height = rows * row + margins["top"] + margins["bottom"]
    figure = Figure(figsize=(width, height), facecolor="white")
    figure.subplots_adjust(
        left=margins["left"] / width,
        right=1.0 - margins["right"] / width,
        top=1.0 - margins["top"] / height,
        bottom=margins["bottom"] / height,
    )
    return figure.add_subplot()


def _limits(rows: list[Quantity], *, exact: bool) -> tuple[float, float]:
    """Limits of the axis; zeros are drawn to its left end. Small cells that are hidden must not move them."""
    ends = [
        SMALL_CELL if is_small(end, quantity.kind) and not exact else end
        for quantity in rows
        for end in (quantity.estimate, *_ends(quantity))
    ]
    above = [end for end in ends if end > 0.0]
    if not above:
        return 0.1, 10.0
    lowest, highest = min(above) / 2.0, max(above) * 2.0
    return min(lowest, highest / 100.0), highest


def _ends(quantity: Quantity) -> list[float]:
    return [end for interval in quantity.intervals for end in interval if not math.isnan(end)]


def _draw_row(ax: Axes, quantity: Quantity, place: int, lowest: float, *, exact: bool) -> None:
    colour = _COLOURS[quantity.kind]
    drawn = [quantity.intervals[0], quantity.intervals[-1]] if quantity.intervals else []
    for interval, width in zip(drawn, (5.5, 1.6), strict=False):
        if any(math.isnan(end) for end in interval):
            continue
        style: dict[str, Any] = {"color": colour, "linewidth": width, "solid_capstyle": "butt", "zorder": 2}
        hidden = [is_small(end, quantity.kind) and not exact for end in interval]
        lower, upper = (max(SMALL_CELL if hides else end, lowest) for end, hides in zip(interval, hidden, strict=True))
        if any(hidden):
            ax.plot([lowest, SMALL_CELL], [place, place], alpha=_FADED, **style)
        if not hidden[1]:
            ax.plot([lower, upper], [place, place], **style)
    if quantity.estimate >= lowest and (exact or not is_small(quantity.estimate, quantity.kind)):
        ax.plot(
            quantity.estimate,
            place,
            marker=_MARKERS[quantity.kind],
            markersize=6.5,
            markerfacecolor="white",
            markeredgecolor=colour,
            markeredgewidth=1.5,
            zorder=3,
        )
    text = show_estimate(quantity.median, quantity.kind, exact=exact)
    _write_beside(ax, place, _MEDIAN_AT, text, ha="right", fontweight="bold")
    if quantity.intervals:
        text = show_interval(quantity.intervals[-1], quantity.kind, exact=exact)
        _write_beside(ax, place, _INTERVAL_AT, text, ha="left", color=_GREY)


def _write_beside(ax: Axes, place: int, points: float, text: str, **style: Any) -> None:
    """Write into the right margin, ``points`` from the axes, at the height of a row."""
    ax.annotate(
        text,
        (1.0, place),
        (points, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        annotation_clip=False,
        parse_math=False,
        **style,
    )


def _write_outside(ax: Axes, corner: tuple[float, float], points: tuple[float, float], text: str, **style: Any) -> None:
    """Write at ``points`` from a corner of the axes (fractions)."""
    ax.annotate(
        text,
        corner,
        points,
        xycoords="axes fraction",
        textcoords="offset points",
        annotation_clip=False,
        parse_math=False,
        **{"fontsize": 8.5, **style},
    )


def _row_label(quantity: Quantity) -> str:
    label = one_line(quantity.label) + (" (events)" if quantity.kind == "events" else "")
    return textwrap.fill(textwrap.shorten(label, 2 * _LABEL_WIDTH, placeholder=" ..."), _LABEL_WIDTH)


def _mark_decades(ax: Axes, lowest: float, highest: float) -> None:
    """Put ticks at whole decades, no more than there is room for."""
    decades = range(math.ceil(math.log10(lowest)), math.floor(math.log10(highest)) + 1)
    ticks = [10.0**decade for decade in decades[:: max(1, math.ceil(len(decades) / _MOST_TICKS))]]
    ax.set_xticks(ticks, [_tick_label(tick) for tick in ticks])
    ax.set_xticks([], minor=True)


def _tick_label(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:,.0f} million"
    return f"{value:,.0f}" if value >= 1.0 else f"{value:g}"


def _separate_sections(ax: Axes, rows: list[Quantity]) -> None:
    for place in range(1, len(rows)):
        if rows[place].section != rows[place - 1].section:
            ax.axhline(place - 0.5, color="#BDBDBD", linewidth=0.8, zorder=1)


def _write_around(ax: Axes, summary: Summary, *, exact: bool) -> None:
    """Write title, heads of the columns, what the marks mean, source, and the statement."""
    header = summary.header
    left = 10.0 - 72.0 * _MARGINS["left"]  # the left edge of a figure of our own
    title = textwrap.fill(str(header.get("scenario_title", "")), 105, max_lines=2, placeholder=" ...")
    _write_outside(ax, (0, 1), (left, 50), title, va="top", fontsize=11.5, fontweight="bold")
    _write_outside(ax, (1, 1), (_MEDIAN_AT, 4), "median", ha="right", va="bottom", fontweight="bold")
    unit = "persons or events per cohort year, logarithmic axis"
    _write_outside(ax, (0.5, 0), (0, -22), unit, ha="center", va="top")
    marks = "Dot: median (events: diamond)"
    if summary.levels:
        narrow, wide = percent(summary.levels[0]), percent(summary.levels[-1])
        _write_outside(ax, (1, 1), (_INTERVAL_AT, 4), f"{wide} % interval", va="bottom", color=_GREY)
        thick = f"thick bar: {narrow} %, " if narrow != wide else ""
        marks += f"; {thick}thin bar: {wide} % of the replicates (intervals from parameters and chance)"
    if any(end == 0.0 for quantity in summary.quantities if quantity.kind != "ratio" for end in _ends(quantity)):
        marks += "; bars from the left edge begin at 0"
    if not exact and any(is_small(end, each.kind) for each in summary.quantities for end in _ends(each)):
        marks += f"; faded: {HIDDEN}"
    outer, inner = header["nested"]
    nested = f" (nested: {outer:,} parameter sets x {inner:,})" if inner > 1 else ""
    source = (
        f"Source: simcore, scenario {scenario_words(header, longest=40)}, "
        f"digest {str(header.get('scenario_digest', '?'))[:12]}, cohort of {header.get('cohort_year', '?')}, "
        f"seed {header.get('seed', '?')}, engine {header.get('engine', '?')}, "
        f"{header['replicates']:,} replicates{nested}."
    )
    grey: dict[str, Any] = {"va": "top", "fontsize": 8, "color": _GREY, "linespacing": 1.4}
    _write_outside(ax, (0, 0), (left, -42), f"{marks}.\n{source}", **grey)
    _write_outside(ax, (0, 0), (left, -70), STATEMENT, va="top", fontweight="bold")
