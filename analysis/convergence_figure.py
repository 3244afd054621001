"""Convergence as a figure: a panel per quantity, a line with its band per statistic, replicates on a log axis."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.figures import save_figure
from analysis.summaries import STATEMENT, scenario_words
from simcore.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.convergence import Convergence, Course

# Okabe and Ito (2008); a statistic keeps its place, and with it its colour and marker, in all panels.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = ("o", "D", "s", "^", "v", "P")
_MOST_PANELS = 6
_PANEL = 3.0  # inches
_TITLE_WIDTH = 88  # characters
_SETTLED = 100  # replicates (parameter sets, if nested) from which on estimates and bands set the limits
_ROOM = 4.0  # factor between the outermost estimates at the end and the limits of a log axis
_APART = 0.065  # of the names of two lines, as a share of the height
_FEW_DECADES = 10.0  # estimates further apart than this factor are drawn on a log axis


def convergence_curves(found: Convergence) -> Figure:
    """Draw the courses.

    Raises
    ------
    UserError
        If there are more than six quantities or statistics, or none of them has a value.
    """
    from matplotlib.figure import Figure

    quantities = list(dict.fromkeys(course.quantity for course in found.courses))
    statistics = list(dict.fromkeys(course.statistic for course in found.courses))
    for what, there, most in (("quantities", quantities, _MOST_PANELS), ("statistics", statistics, len(_COLOURS))):
        if len(there) > most:
            raise UserError(f"the figure holds at most {most} {what}, not {len(there)}")
    if not any(np.isfinite(course.estimate).any() for course in found.courses):
        raise UserError(f"the figure would be empty: no replicate has a value of {', '.join(quantities)}")
    header = found.header
    title = textwrap.wrap(str(header.get("scenario_title", "")), _TITLE_WIDTH) or [""]
    above = 0.55 + 0.2 * len(title)  # inches
    height = _PANEL * len(quantities) + 0.85 + above
    figure = Figure(figsize=(9.5, height), facecolor="white")
    panels = figure.subplots(len(quantities), 1, squeeze=False, sharex=True)[:, 0]
    figure.subplots_adjust(left=0.11, right=0.86, top=1.0 - above / height, bottom=1.15 / height, hspace=0.25)
    for ax, quantity in zip(panels, quantities, strict=True):
        own = [course for course in found.courses if course.quantity == quantity]
        _draw(ax, own, statistics, settled=_SETTLED * header["nested"][1])
    panels[-1].set_xlabel("replicates, logarithmic axis", fontsize=8.5)
    style: dict[str, Any] = {"fontsize": 11, "fontweight": "bold", "va": "top"}
    figure.text(0.02, 1.0 - 0.15 / height, "\n".join(title), parse_math=False, **style)
    source = (
        "Bands: two Monte Carlo standard errors to both sides; they begin where the replicates are enough for one.\n"
        f"Source: simcore, scenario {scenario_words(header, longest=40)}, digest "
        f"{str(header.get('scenario_digest', '?'))[:12]}, seed {header.get('seed', '?')}, "
        f"{header['replicates']:,} replicates."
    )
    figure.text(0.02, 0.3 / height, source, fontsize=8, color="#595959", parse_math=False)
    figure.text(0.02, 0.12 / height, STATEMENT, fontsize=8, fontweight="bold")
    return figure


def save_convergence(found: Convergence, path: str | Path) -> Path:
    """Draw the courses and write them to a file; its ending (.png, .pdf, .svg) is the format.

    Raises
    ------
    UserError
        If the file cannot be written, or there is too much to draw.
    """
    return save_figure(convergence_curves(found).axes[0], path)


def _draw(ax: Axes, courses: list[Course], statistics: list[str], *, settled: int) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    positive = [course.estimate[-1] for course in courses if course.estimate[-1] > 0.0]
    logarithmic = len(positive) == len(courses) and max(positive) > _FEW_DECADES * min(positive)
    lowest = min(positive, default=1.0) / _ROOM
    for course in courses:
        place = statistics.index(course.statistic)
        colour = _COLOURS[place]
        low, high = course.estimate - 2.0 * course.mcse, course.estimate + 2.0 * course.mcse
        if logarithmic:
            low = np.maximum(low, lowest)
        ax.fill_between(course.replicates, low, high, color=colour, alpha=0.2, lw=0)
        ax.plot(course.replicates, course.estimate, color=colour, lw=1.4, marker=_MARKERS[place], ms=3)
    ax.set_xscale("log")
    if logarithmic:
        ax.set_yscale("log")
        ax.set_ylim(lowest, max(positive) * _ROOM)
    else:
        ax.set_ylim(*_limits(courses, settled))
    _name_lines(ax, courses, statistics)
    first, last = courses[0].replicates[[0, -1]]
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if last > _FEW_DECADES**2 * first else (1.0, 2.0, 5.0)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    ax.set_title(courses[0].label, fontsize=9.5, loc="left", parse_math=False)
    ax.tick_params(labelsize=8.5)
    ax.grid(color="#E0E0E0", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _limits(courses: list[Course], settled: int) -> tuple[float, float]:
    """Return limits that hold estimates and bands from where there are enough replicates for them to mean much."""
    ends = []
    for course in courses:
        shown = course.replicates >= min(settled, course.replicates[-1])
        estimate, band = course.estimate[shown], 2.0 * np.nan_to_num(course.mcse[shown])
        ends += [estimate - band, estimate + band]
    known = np.concatenate(ends)
    known = known[np.isfinite(known)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _name_lines(ax: Axes, courses: list[Course], statistics: list[str]) -> None:
    """Write the statistic beside the end of each line, pushed up where the one below is too near."""
    ax.set_ylim(*ax.get_ylim())  # the limits are settled only when they are asked for
    limits = ax.transAxes.inverted()
    ends = {course.statistic: float(course.estimate[-1]) for course in courses if np.isfinite(course.estimate[-1])}
    above = -1.0
    for name in sorted(ends, key=lambda name: ends[name]):
        height = float(limits.transform(ax.transData.transform((1.0, ends[name])))[1])
        above = max(height, above + _APART)
        colour = _COLOURS[statistics.index(name)]
        style: dict[str, Any] = {"va": "center", "fontsize": 8.5, "color": colour, "annotation_clip": False}
        ax.annotate(name, (1.0, above), (6, 0), xycoords="axes fraction", textcoords="offset points", **style)
