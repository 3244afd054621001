"""The waterfall: from the first scenario to the second, one step per item, for every output.

Counts are drawn at their geometric means, so that a step is a factor and the axis a logarithm; fractions at their
means. Whiskers are 95 % intervals of the steps from their Monte Carlo errors. Drawn on `matplotlib.figure.Figure`, so
that no window and no global state is touched; colours are those of Okabe and Ito (2008).
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.figures import figure_image
from analysis.summaries import STATEMENT
from simcore.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.difference.attribution import Attributed, Attribution

_UP, _DOWN, _END, _GREY = "#009E73", "#D55E00", "#0072B2", "#595959"
_LABEL_WIDTH = 34
_WIDTH = 12.0
_ROW, _MARGIN = 0.30, 1.15  # inches
_FOOT, _HEAD = 0.95, 0.75  # inches
_WHISKER = 1.959964


def waterfall(attribution: Attribution, names: tuple[str, str]) -> Figure:
    """Draw the shares of the items in the change of each output.

    Parameters
    ----------
    attribution : Attribution
        With at least one item.
    names : (str, str)
        What the two scenarios are called.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UserError
        If there is nothing to draw.
    """
    from matplotlib.figure import Figure

    panels = _panels(attribution)
    if not attribution.items or not panels:
        raise UserError("the waterfall needs a change that can move a count; there is none")
    lines = -(-len(panels) // 2)
    rows = len(attribution.items) + 2
    height = lines * (rows * _ROW + _MARGIN) + _HEAD + _FOOT
    figure = Figure(figsize=(_WIDTH, height), facecolor="white")
    figure.subplots_adjust(
        left=0.225,
        right=0.975,
        top=1.0 - (_HEAD + 0.25) / height,
        bottom=(_FOOT + 0.35) / height,
        wspace=0.1,
        hspace=0.38,
    )
    for number, panel in enumerate(panels):
        ax = figure.add_subplot(lines, 2, number + 1)
        _draw(ax, panel, attribution, names, with_labels=number % 2 == 0)
    title = f"What moves the outputs: {names[0]} to {names[1]}"
    figure.text(0.01, 1.0 - 0.3 / height, title, fontsize=12.5, fontweight="bold", va="center", parse_math=False)
    orders = f", {attribution.permutations} orders drawn" if attribution.permutations else ""
    note = (
        "Steps are Shapley values of the change: counts as factors (of geometric means), the fraction as a difference "
        "of means. Whiskers: 95 % Monte Carlo intervals.\n"
        f"Source: simcore, exact means given the parameters, {attribution.draws:,} parameter sets, seed "
        f"{attribution.seed}, {attribution.hybrids:,} scenarios computed{orders}."
    )
    figure.text(0.01, 0.55 / height, note, fontsize=8, color=_GREY, va="center", linespacing=1.4, parse_math=False)
    figure.text(0.01, 0.18 / height, STATEMENT, fontsize=8, fontweight="bold", va="center")
    return figure


def save_waterfall(attribution: Attribution, names: tuple[str, str], path: Path) -> None:
    """Draw the waterfall and write it; the ending of ``path`` (.png, .pdf, .svg) is the format.

    Raises
    ------
    UserError
        If there is nothing to draw or the file cannot be written.
    """
    try:
        path.write_bytes(figure_image(waterfall(attribution, names), path))
    except OSError as problem:
        raise UserError(f"{path}: cannot be written: {(str(problem).splitlines() or [''])[0]}") from None


def _panels(attribution: Attribution) -> list[Attributed]:
    """Return what is drawn: counts on the scale of log10, the fraction on its own."""
    return [
        figure
        for figure in attribution.figures
        if figure.statistic.name == ("mean_log10" if figure.output.is_count else "mean")
    ]


def _draw(ax: Axes, panel: Attributed, attribution: Attribution, names: tuple[str, str], *, with_labels: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    is_log = panel.statistic.is_log
    steps = [share.shapley.estimate for share in panel.shares]
    errors = [np.hypot(share.shapley.mcse, share.sampling_error) for share in panel.shares]
    at = panel.first.estimate + np.concatenate([[0.0], np.cumsum(steps)])
    reach = [at.min(), at.max()]
    room = 0.16 * (reach[1] - reach[0]) or 0.1
    last = len(steps) + 1
    for place, value in ((0, panel.first.estimate), (last, panel.second.estimate)):
        ax.plot(value, place, marker="o", markersize=7, color=_END, zorder=4)
        _write(ax, value, place, _shown(value, is_log), room, reach)
    for place, step in enumerate(steps, start=1):
        begin, end = at[place - 1], at[place]
        ax.barh(place, end - begin, left=begin, height=0.6, color=_UP if step >= 0.0 else _DOWN, zorder=3)
        ax.plot([begin, begin], [place - 1, place + 0.3], color=_GREY, linewidth=0.7, zorder=2)
        whisker = _WHISKER * errors[place - 1]
        ax.plot([end - whisker, end + whisker], [place, place], color="black", linewidth=1.1, zorder=5)
        text = f"x {10.0**step:.3g}" if is_log else f"{step:+.3g}" if step else "0"
        _write(ax, max(begin, end + whisker), place, text, room, reach)
    ax.plot([at[-1], at[-1]], [last - 0.7, last], color=_GREY, linewidth=0.7, zorder=2)
    ax.set_ylim(last + 0.6, -0.6)
    ax.set_xlim(reach[0] - room, reach[1] + 2.0 * room)
    labels = [names[0], *(_label(item.name) for item in attribution.items), names[1]]
    ax.set_yticks(range(last + 1), labels if with_labels else [""] * (last + 1), fontsize=8.5, parse_math=False)
    what = "geometric mean, logarithmic axis" if is_log else "mean"
    title = panel.output.label[0].upper() + panel.output.label[1:]
    ax.set_title(f"{title} ({what})", fontsize=9.5, loc="left", parse_math=False)
    if is_log:
        low, high = ax.get_xlim()
        ticks = [tick for tick in MaxNLocator(6).tick_values(10.0**low, 10.0**high) if 10.0**low <= tick <= 10.0**high]
        ax.set_xticks(np.log10(ticks), [f"{tick:,g}" for tick in ticks])
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(axis="x", color="#E6E6E6", linewidth=0.7)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


def _write(ax: Axes, value: float, place: float, text: str, room: float, reach: list[float]) -> None:
    ax.text(value + 0.18 * room, place, text, fontsize=8, va="center", ha="left", zorder=6, parse_math=False)


def _shown(value: float, is_log: bool) -> str:
    """Return a value on its own scale with three digits."""
    if not is_log:
        return f"{value:.3g}"
    number = 10.0**value
    return f"{float(f'{number:.2e}'):,.0f}" if number >= 100.0 else f"{number:.3g}"


def _label(name: str) -> str:
    return (
        textwrap.shorten(name, 2 * _LABEL_WIDTH, placeholder=" ...")
        if len(name) <= _LABEL_WIDTH
        else textwrap.fill(textwrap.shorten(name, 2 * _LABEL_WIDTH, placeholder=" ..."), _LABEL_WIDTH)
    )
