"""The result as a plot: agents per second of every contender, a panel per case, on one logarithmic axis."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from benchmarks.report import Report, machine_line

_OWN, _PEER, _FLOOR = "#1f5a7a", "#c9812f", "#9a9a9a"


def draw(report: Report, path: Path) -> None:
    """Draw the report into an image file."""
    cases = report["cases"]
    heights = [len(case["contenders"]) for case in cases]
    figure, panels = plt.subplots(
        len(cases), 1, sharex=True, squeeze=False, figsize=(10.0, 1.6 + 0.36 * sum(heights) + 0.5 * len(cases)),
        gridspec_kw={"height_ratios": heights}, layout="constrained",
    )  # fmt: skip
    for case, axes in zip(cases, panels[:, 0], strict=True):
        contenders = case["contenders"]
        rates = [contender["million_agents_per_second"] for contender in contenders]
        places = range(len(contenders))
        colours = [
            _FLOOR if c["name"] == "philox words" else _OWN if c["name"].startswith("simcore") else _PEER
            for c in contenders
        ]
        middle = [rate["median"] for rate in rates]
        spread = [
            [rate["median"] - rate["low"] for rate in rates],
            [rate["high"] - rate["median"] for rate in rates],
        ]
        axes.barh(places, middle, color=colours, xerr=spread, error_kw={"ecolor": "black", "elinewidth": 1.0})
        for place, contender, rate in zip(places, contenders, rates, strict=True):
            factor = contender["simcore_faster_by"]["median"]
            note = f"  {rate['median']:.3g}"
            if not contender["name"].startswith("simcore") and contender["name"] != "philox words":
                note += f"  (simcore {factor:.3g} times faster)"
            axes.annotate(note, (rate["high"], place), va="center", fontsize=8)
        axes.set_yticks(places, [contender["label"] for contender in contenders], fontsize=8)
        axes.invert_yaxis()
        axes.set_title(
            f"{case['title']} ({case['agents_per_replicate']:,.0f} agents per replicate)", fontsize=9, loc="left"
        )
        axes.grid(axis="x", which="major", alpha=0.4)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    bottom = panels[-1, 0]
    bottom.set_xscale("log")
    bottom.xaxis.set_major_formatter("{x:g}")
    low, high = bottom.get_xlim()
    bottom.set_xlim(low, high * 8.0)  # room for the numbers beside the longest bar
    bottom.set_xlabel("million agents per second (median, range over rounds)")
    figure.suptitle(f"Agents walked per second\n{machine_line(report['machine'])}", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
