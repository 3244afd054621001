"""The result as a table on the terminal and as a JSON file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import simcore
from benchmarks.comparison import FLOOR, CaseResult, ContenderResult

FORMAT = 1


class Report(TypedDict):
    """Everything that the JSON file holds."""

    format: int
    measured_utc: str
    simcore: str
    machine: dict[str, str | int | float]
    settings: dict[str, int | bool]
    cases: list[CaseResult]


def make_report(
    cases: list[CaseResult], machine: dict[str, str | int | float], settings: dict[str, int | bool]
) -> Report:
    """Put together what was measured, on what and how."""
    return {
        "format": FORMAT,
        "measured_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "simcore": simcore.__version__,
        "machine": machine,
        "settings": settings,
        "cases": cases,
    }


def write_json(report: Report, path: Path) -> None:
    """Write the report; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")


def machine_line(machine: dict[str, str | int | float]) -> str:
    """Return the machine in one line."""
    return ", ".join(
        [
            f"{machine['processor']}, {machine['cores']} cores",
            *(
                f"{key} {machine[key]}"
                for key in ("system", "python", "numpy", "numba", "load_average")
                if key in machine
            ),
        ]
    )


def _ratio(contender: ContenderResult) -> str:
    faster = contender["simcore_faster_by"]
    if contender["name"] == "simcore":
        return "1"
    return f"{faster['median']:.3g} ({faster['low']:.3g}-{faster['high']:.3g})"


def table(case: CaseResult) -> str:
    """Return one case as text."""
    header = ("", "million agents/s (range)", "attempts", "replicates/s", "simcore faster by (range)", "worst |z|")
    rows = [header]
    for contender in case["contenders"]:
        agents = contender["million_agents_per_second"]
        verdict = contender["check"]
        is_floor = contender["name"] == FLOOR
        rows.append(
            (
                contender["label"] + (f" [{contender['choice']}]" if contender["choice"] else ""),
                f"{agents['median']:.3g} ({agents['low']:.3g}-{agents['high']:.3g})",
                f"{contender['million_attempts_per_second']['median']:.3g}",
                "" if is_floor else f"{contender['replicates_per_second']['median']:.4g}",
                _ratio(contender),
                f"{verdict['z']:.1f}" if verdict else "",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        f"{case['title']}: {case['agents_per_replicate']:,.0f} agents per replicate, "
        f"{case['attempts_per_agent']:.2f} attempts each"
    ]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
