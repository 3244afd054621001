"""The result as tables on the terminal and as a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.comparison import FLOOR, CaseResult, ContenderResult
from benchmarks.contenders import AGENT, AGENT_THREADS, COHORT, COHORT_THREADS
from benchmarks.curves import Curve
from benchmarks.designs import OUTPUTS
from benchmarks.program import DESIGNS, EXPECTED, START_UP, STORE, Report
from simcore.cli.figures import duration, figure, percent, size
from simcore.cli.terminal import table
from simcore.uncertainty.design import DESIGNS as DESIGN_NAMES
from simcore.uncertainty.design import RANDOM

if TYPE_CHECKING:
    from rich.console import RenderableType

_BASE_WORDS = {
    AGENT: "agent faster by",
    COHORT: "cohort faster by",
    AGENT_THREADS: "agent, {threads} threads",
    COHORT_THREADS: "cohort, {threads} threads",
}


def write_json(report: Report, path: Path) -> None:
    """Write the report; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")


def spread_words(spread: dict[str, float]) -> str:
    """Return a median with its range."""
    return f"{figure(spread['median'])} ({figure(spread['low'])} to {figure(spread['high'])})"


def _faster(contender: ContenderResult, base: str) -> str:
    return "1" if contender["name"] == base else spread_words(contender["faster"][base])


def case_table(case: CaseResult) -> RenderableType:
    """Return one case as a table: rates, how many times faster each base is, and the worst z-score."""
    words = [_BASE_WORDS.get(base, base).format(threads=case["threads"]) for base in case["bases"]]
    columns = ("contender", "million agents/s", "replicates/s", *words, "worst |z|")
    rows = []
    for contender in case["contenders"]:
        verdict = contender["check"]
        rows.append(
            (
                contender["label"] + (f" [{contender['choice']}]" if contender["choice"] else ""),
                spread_words(contender["million_agents_per_second"]),
                "" if contender["name"] == FLOOR else figure(contender["replicates_per_second"]["median"]),
                *(_faster(contender, base) for base in case["bases"]),
                f"{verdict['z']:.1f}" if verdict else "",
            )
        )
    return table(columns, rows, right=columns[1:])


def case_heading(case: CaseResult) -> str:
    """Return what a case is about in one line."""
    return (
        f"{case['name']}: {case['title']}; {case['agents_per_replicate']:,.0f} agents per replicate, "
        f"{case['attempts_per_agent']:.2f} attempts each"
    )


def expected_table(report: Report) -> RenderableType:
    """Return the closed form's times."""
    columns = ("scenario", "made", "journey classes", "microseconds per parameter set and core")
    rows = [
        (each["scenario"], each["made"], str(each["journey_classes"]), spread_words(each["microseconds"]))
        for each in report["expected"]
    ]
    return table(columns, rows, right=columns[2:])


def store_table(report: Report) -> RenderableType:
    """Return what storing costs."""
    store = report["store"]
    assert store is not None
    columns = ("stored run of phase1, all cores", "")
    overhead = store["overhead"]
    rows = [
        ("replicates", f"{store['replicates']:,}"),
        ("time stored [s]", spread_words(store["stored_seconds"])),
        ("time computed alone [s]", spread_words(store["computed_seconds"])),
        (
            "what writing adds",
            " ".join([percent(overhead["median"]), f"({percent(overhead['low'])} to {percent(overhead['high'])})"]),
        ),
        ("counts per second, before packing", size(store["counts_bytes_per_second"])),
        ("file per second", size(store["file_bytes_per_second"])),
        ("disk can write per second", size(float(report["machine"]["disk_write_bytes_per_second"]))),
    ]
    return table(columns, rows, right=columns[1:])


def start_up_table(report: Report) -> RenderableType:
    """Return the times of starting."""
    columns = ("command", "calls", "wall time", "range")
    rows = [
        (
            each["what"],
            str(each["calls"]),
            duration(each["seconds"]["median"]),
            f"{duration(each['seconds']['low'])} to {duration(each['seconds']['high'])}",
        )
        for each in report["start_up"]
    ]
    return table(columns, rows, right=columns[1:])


def designs_table(report: Report) -> RenderableType:
    """Return the errors of the designs at the most parameter sets, and how random draws compare."""
    result = report["designs"]
    assert result is not None
    rows = []
    for output in OUTPUTS:
        lines = {line["design"]: line for line in result["lines"] if line["output"] == output}
        for design in DESIGN_NAMES:
            line = lines[design]
            gain = ""
            if design != RANDOM:
                low, high = result["gain_interval"][output][design]
                gain = f"{figure(result['gain'][output][design])} ({figure(low)} to {figure(high)})"
            rows.append(
                (
                    output,
                    design,
                    f"{line['sets'][-1]:,}",
                    f"{figure(line['rmse'][-1])} +- {figure(line['rmse_error'][-1])}",
                    f"{line['slope']:.2f}",
                    gain,
                )
            )
        rows.append(
            (output, "reference", f"{result['reference_sets']:,}", figure(result["reference_error"][output]), "", "")
        )
    columns = ("mean of", "design", "parameter sets", "RMSE", "slope", "random's error over it (90 %)")
    return table(columns, rows, right=columns[2:])


def curve_table(curve: Curve) -> RenderableType:
    """Return a curve as a table: a row per value of the axis, a column per line."""
    labels = [line["label"] for line in curve["lines"]]
    places = sorted({point["x"] for line in curve["lines"] for point in line["points"]})
    values = {(line["label"], point["x"]): point["y"]["median"] for line in curve["lines"] for point in line["points"]}
    rows = [(f"{x:,.0f}", *(figure(values.get((label, x))) for label in labels)) for x in places]
    columns = (curve["x_label"], *labels)
    return table(columns, rows, right=columns)


def sections(name: str, report: Report) -> Iterator[tuple[str, RenderableType]]:
    """Yield heading and table of a measurement that was just done."""
    if name == EXPECTED:
        yield "expected: exact moments, no simulation", expected_table(report)
    elif name == STORE:
        yield "store: the same run into a file, and computed with nothing stored", store_table(report)
    elif name == START_UP:
        yield "start-up: wall time of a process of its own", start_up_table(report)
    elif name == DESIGNS:
        assert report["designs"] is not None
        number = report["designs"]["randomisations"]
        yield f"designs: error of a mean of E[Y | theta] of phase1, {number} randomisations", designs_table(report)
    elif report["cases"] and report["cases"][-1]["name"] == name:
        yield case_heading(report["cases"][-1]), case_table(report["cases"][-1])
    else:
        for curve in report["curves"]:
            if curve["name"] == name or (name, curve["name"]) == ("replicates", "memory"):
                yield f"{curve['name']}: {curve['title']} [{curve['y_label']}]", curve_table(curve)
