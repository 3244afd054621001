"""The result as plots: rates of every contender, a panel per case; and one figure of the curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.comparison import CaseResult
from benchmarks.curves import Curve
from benchmarks.designs import draw_designs
from benchmarks.machine import machine_line
from benchmarks.program import Report
from simcore.cli.figures import figure as number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"simcore": "#1f5a7a", "peer": "#c9812f", "floor": "#9a9a9a"}
_LINES = ("#1f5a7a", "#5aa0c8", "#c9812f", "#7a4a1f", "#7d9a4a", "#555555", "#a0527a", "#3f8f7f", "#b8a030")
_MARKERS = "os^DvPX*p"


def draw(report: Report, output: Path) -> list[Path]:
    """Draw the report beside ``output``: cases as ``.png``, curves as ``_curves.png``, designs as ``_designs.png``."""
    made = []
    if report["cases"]:
        made.append(output.with_suffix(".png"))
        _draw_cases(report, made[-1])
    if report["curves"]:
        made.append(output.with_name(f"{output.stem}_curves.png"))
        _draw_curves(report, made[-1])
    if report["designs"] is not None:
        made.append(output.with_name(f"{output.stem}_designs.png"))
        draw_designs(report["designs"], made[-1])
    return made


def _draw_cases(report: Report, path: Path) -> None:
    cases = report["cases"]
    heights = [len(case["contenders"]) + 1.5 for case in cases]
    figure, panels = plt.subplots(
        len(cases), 1, squeeze=False, figsize=(11.0, 1.2 + 0.27 * sum(heights)),
        gridspec_kw={"height_ratios": heights}, layout="constrained",
    )  # fmt: skip
    for case, axes in zip(cases, panels[:, 0], strict=True):
        _draw_case(case, axes)
    panels[-1, 0].set_xlabel("million bound victims per second (median, range over rounds)", fontsize=8)
    figure.suptitle(f"Bound victims taken to an outcome per second\n{_machine(report)}", fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw_case(case: CaseResult, axes: Axes) -> None:
    contenders = case["contenders"]
    rates = [contender["million_agents_per_second"] for contender in contenders]
    places = range(len(contenders))
    middle = [rate["median"] for rate in rates]
    below = [rate["median"] - rate["low"] for rate in rates]
    above = [rate["high"] - rate["median"] for rate in rates]
    colours = [_COLOURS[contender["kind"]] for contender in contenders]
    axes.barh(places, middle, color=colours, xerr=[below, above], error_kw={"ecolor": "black", "elinewidth": 1.0})
    base = case["bases"][0]
    for place, contender, rate in zip(places, contenders, rates, strict=True):
        note = f"  {number(rate['median'])}"
        if contender["kind"] == "peer":
            note += f"  ({base} {number(contender['faster'][base]['median'])} times as fast)"
        axes.annotate(note, (rate["high"], place), va="center", fontsize=7.5)
    axes.set_yticks(places, [contender["label"] for contender in contenders], fontsize=7.5)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.tick_params(axis="x", labelsize=7.5)
    axes.set_xlim(min(middle) / 2.0, max(rate["high"] for rate in rates) * 12.0)  # room for the numbers
    axes.set_title(f"{case['title']} ({case['agents_per_replicate']:,.0f} per replicate)", fontsize=8.5, loc="left")
    _tidy(axes, grid="x")


def _draw_curves(report: Report, path: Path) -> None:
    curves = report["curves"]
    columns = min(len(curves), 2)
    rows = -(-len(curves) // columns)
    figure, panels = plt.subplots(
        rows, columns, squeeze=False, figsize=(5.6 * columns, 3.7 * rows + 0.5), layout="constrained"
    )
    styles = {label: i for i, label in enumerate(dict.fromkeys(x["label"] for c in curves for x in c["lines"]))}
    for curve, axes in zip(curves, panels.ravel(), strict=False):
        _draw_curve(curve, axes, styles)
    for axes in panels.ravel()[len(curves) :]:
        axes.set_visible(False)
    figure.suptitle(f"How cost grows\n{_machine(report)}", fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw_curve(curve: Curve, axes: Axes, styles: Mapping[str, int]) -> None:
    """Draw one panel; a contender looks the same in all of them (``styles``: label -> number of its style)."""
    for line in curve["lines"]:
        i = styles[line["label"]]
        x = [point["x"] for point in line["points"]]
        y = [point["y"]["median"] for point in line["points"]]
        below = [point["y"]["median"] - point["y"]["low"] for point in line["points"]]
        above = [point["y"]["high"] - point["y"]["median"] for point in line["points"]]
        axes.errorbar(
            x, y, yerr=[below, above], marker=_MARKERS[i % len(_MARKERS)], markersize=4, linewidth=1.2,
            color=_LINES[i % len(_LINES)], label=line["label"],
        )  # fmt: skip
    places = sorted({point["x"] for line in curve["lines"] for point in line["points"]})
    if curve["name"] not in ("threads", "attempts"):
        axes.set_xscale("log")
    axes.set_xticks(places, [f"{x:,.0f}" for x in places])
    axes.minorticks_off()
    if curve["name"] in ("threads", "replicates", "memory"):
        axes.set_ylim(bottom=0.0)
    else:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_locator(LogLocator(10.0, subs=(1.0, 2.0, 5.0), numticks=20))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(curve["x_label"], fontsize=8)
    axes.set_ylabel(curve["y_label"], fontsize=8)
    axes.set_title(curve["title"], fontsize=8.5, loc="left")
    axes.tick_params(labelsize=7.5)
    if len(curve["lines"]) > 1:
        axes.legend(fontsize=7, frameon=False)
    _tidy(axes, grid="both")


def _machine(report: Report) -> str:
    """Return the machine in two lines."""
    words = machine_line(report["machine"]).split(", ")
    return ", ".join(words[:5]) + "\n" + ", ".join(words[5:])


def _tidy(axes: Axes, grid: str) -> None:
    axes.grid(axis=grid, which="major", alpha=0.4)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
