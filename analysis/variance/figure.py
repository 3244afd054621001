"""The split of variance as a figure: one stacked bar per output, parts from what is not known to what is chance.

Colours are those of Okabe and Ito (2008), which people who see colours differently can tell apart. The whiskers are the
intervals of the share of all parameters, where the bar turns from parameters to chance.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.figures import axes_of_rows, save_figure
from analysis.quantity import percent
from analysis.summaries import STATEMENT, scenario_words
from analysis.variance.parts import (
    CHANCE,
    INDIVIDUAL,
    MISSING_DATA,
    MODEL_FORM,
    OTHER_PARAMETERS,
    PARAMETERS,
    SHARED,
)
from analysis.variance.rendering import ORDER, TITLES, output_name, shown_parts
from simcore.cli.terminal import one_line
from simcore.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis.variance.split import OutputSplit, VarianceSplit

_COLOURS = {
    MODEL_FORM: "#D55E00",
    MISSING_DATA: "#E69F00",
    OTHER_PARAMETERS: "#0072B2",
    PARAMETERS: "#0072B2",
    CHANCE: "#999999",
    SHARED: "#009E73",
    INDIVIDUAL: "#BDBDBD",
}
_FROM_PARAMETERS = (PARAMETERS, MODEL_FORM, MISSING_DATA, OTHER_PARAMETERS)
_ROW, _WIDTH = 0.34, 10.0  # inches
_MARGINS = {"left": 2.9, "right": 0.9, "top": 1.05, "bottom": 1.15}  # inches
_MOST_BARS = 40


def variance_bars(split: VarianceSplit, ax: Axes | None = None) -> Axes:
    """Draw a split.

    Parameters
    ----------
    split : VarianceSplit
        Of at most 40 outputs.
    ax : Axes, optional
        Where to draw; a new figure of fitting size by default.

    Returns
    -------
    Axes

    Raises
    ------
    UserError
        If there are more outputs than fit, or none.
    """
    outputs = [output for output in split.outputs if output.parts.total > 0.0]
    if not 0 < len(outputs) <= _MOST_BARS:
        raise UserError(f"the figure holds 1 to {_MOST_BARS} outputs, not {len(outputs)}: choose fewer with quantities")
    if ax is None:
        ax = axes_of_rows(len(outputs), row=_ROW, width=_WIDTH, margins=_MARGINS)
    drawn: dict[str, None] = {}
    for place, output in enumerate(outputs):
        left = 0.0
        for name in shown_parts(output):
            share = max(output.parts.parts[name].share, 0.0)
            label = None if name in drawn else TITLES[name]
            ax.barh(place, share, left=left, height=0.68, color=_COLOURS[name], label=label, edgecolor="white", lw=0.5)
            drawn[name] = None
            left += share
        _draw_interval(ax, place, output)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(len(outputs) - 0.4, -0.6)
    labels_of_outputs = [textwrap.shorten(one_line(_row_name(output)), 40, placeholder=" ...") for output in outputs]
    ax.set_yticks(range(len(outputs)), labels_of_outputs, fontsize=8.5, parse_math=False)
    ax.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25 %", "50 %", "75 %", "100 %"], fontsize=8.5)
    ax.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: [TITLES[name] for name in ORDER].index(labels[i]))
    ax.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=len(labels),
        columnspacing=1.2,
        handlelength=1.4,
        frameon=False,
        fontsize=8.5,
        borderaxespad=0.2,
    )
    _write_around(ax, split)
    return ax


def save_variance_bars(split: VarianceSplit, path: str | Path) -> Path:
    """Draw a split and write it to a file; its ending (.png, .pdf, .svg) is the format.

    Raises
    ------
    UserError
        If the file cannot be written, or there are too many outputs.
    """
    return save_figure(variance_bars(split), path)


def _draw_interval(ax: Axes, place: int, output: OutputSplit) -> None:
    """Draw the interval of the parameters' share, and write the share beside the bar."""
    part = output.parts.parts[PARAMETERS]
    if part.upper >= part.lower:
        ax.plot([part.lower, part.upper], [place, place], color="black", lw=1.3, solid_capstyle="butt", zorder=3)
        for end in (part.lower, part.upper):
            ax.plot([end, end], [place - 0.14, place + 0.14], color="black", lw=1.3, zorder=3)
    ax.annotate(
        f"{100.0 * max(part.share, 0.0):.1f} %",
        (1.0, place),
        (8, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        annotation_clip=False,
    )


def _row_name(output: OutputSplit) -> str:
    levels = ", ".join(output.levels.values())
    return f"{levels}: {output_name(output)}" if levels else output_name(output)


def _included(split: VarianceSplit) -> str:
    """Return what of the figure's parts counts as parameters beside the others, in words; empty if nothing does."""
    there = {name for output in split.outputs for name in output.parts.parts}
    words = [TITLES[name] for name in (MODEL_FORM, MISSING_DATA) if name in there]
    return f", {' and '.join(words)} included" if words else ""


def _write_around(ax: Axes, split: VarianceSplit) -> None:
    header = split.header
    left = 10.0 - 72.0 * _MARGINS["left"]
    title = textwrap.fill(str(header.get("scenario_title", "")), 95, max_lines=2, placeholder=" ...")
    outer, inner = header["nested"]
    lines = (
        f"Whisker and number: share of all parameters{_included(split)}, with its "
        f"{percent(split.level)} % interval (bootstrap over {split.parameter_sets:,} parameter sets).\n"
        f"Source: simcore, scenario {scenario_words(header, longest=40)}, digest "
        f"{str(header.get('scenario_digest', '?'))[:12]}, seed {header.get('seed', '?')}, "
        f"{outer:,} parameter sets x {inner:,}."
    )
    texts: tuple[tuple[tuple[int, int], tuple[float, float], str, dict[str, Any]], ...] = (
        ((0, 1), (left, 46), title, {"fontsize": 11.5, "fontweight": "bold"}),
        ((0, 0), (left, -24), lines, {"fontsize": 8, "color": "#595959", "linespacing": 1.4}),
        ((0, 0), (left, -54), STATEMENT, {"fontsize": 8, "fontweight": "bold"}),
    )
    for corner, points, text, style in texts:
        ax.annotate(
            text,
            corner,
            points,
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            annotation_clip=False,
            parse_math=False,
            **style,
        )
