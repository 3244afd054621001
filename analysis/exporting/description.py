"""What goes with the numbers: where they come from, what they mean, and what was left out.

Every export has it: under the key ``simcore`` of a Parquet file, in ``NAME.csv.json`` beside a CSV file, and as root
attributes of a netCDF file.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import simcore
from analysis.exporting.selection import Selection
from analysis.exporting.small_cells import SHOWING, SmallCells
from analysis.summaries import STATEMENT
from simcore.store.layout import PARAMETER_ATTRIBUTES

if TYPE_CHECKING:
    from simcore.store import Results

FILETYPE = "simcore-export"
VERSION = 1

# Root attributes of the results file that are passed on; the seed as text, because it may pass 2**63.
_PASSED_ON = (
    "scenario_name",
    "scenario_title",
    "scenario_digest",
    "scenario_settings",
    "cohort_year",
    "definition",
    "seed",
    "results_version",
    "generator",
    "engine",
    "walker",
    "design",
    "randomisation",
    "held_shares",
    "frequent_event_share",
    "started_utc",
    "finished_utc",
    "simcore",
    "git_commit",
    "git_dirty",
    "description_checksum",
)

COUNT_COLUMNS = {
    "replicate": "one draw of parameters and chance",
    "theta_id": "parameter set of the replicate",
    "variable": "what is counted (see variables)",
    "value": "the count, in the units of the variable",
    "hidden": "whether the count is from 1 to 9 and therefore not given",
}
SUMMARY_COLUMNS = {
    "quantity": "stage of the funnel, for programs",
    "label": "stage of the funnel, for people",
    "kind": "what is counted: persons, events, or ratio",
    "statistic": "mean, sd, zeros (share of replicates with 0), median, or lower or upper end of a central interval",
    "level": "share of the replicates between both ends of the interval; missing for other statistics",
    "estimate": "the figure, from parameters and chance",
    "mcse": "its Monte Carlo standard error, from the finite number of replicates",
    "hidden": "whether estimate and mcse are a small cell and therefore not given",
    "n": "replicates with a value",
    "missing": "replicates without one (a ratio with nobody to be counted of)",
    "groups": "independent groups among the n: parameter sets of a nested run, else replicates",
    "method": "how the figure and its standard error were found",
}


def describe(results: Results, content: str, rows: tuple[int, int]) -> dict[str, Any]:
    """Return what every export says of itself.

    Parameters
    ----------
    results : Results
    content : str
        What the export holds.
    rows : tuple of int
        First row and the one after the last: replicates, or parameter sets if it is about these.
    """
    attributes = {name: results.attributes[name] for name in _PASSED_ON if name in results.attributes}
    if "seed" in attributes:
        attributes["seed"] = str(attributes["seed"])
    return {
        "filetype": FILETYPE,
        "version": VERSION,
        "content": content,
        "statement": STATEMENT,
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "program": f"simcore {simcore.__version__}",
        # The name alone: where it lay on somebody's disk concerns nobody.
        "source_file": "results in memory" if results.path is None else results.path.name,
        **attributes,
        "status": results.status,
        "replicates": results.replicates,
        "requested_replicates": results.requested_replicates,
        "nested": list(results.nested),
        "rows": list(rows),
    }


def describe_small_cells(small_cells: SmallCells, hiding: str) -> dict[str, Any]:
    """Return whether small cells were hidden, and by which rule."""
    if small_cells == "hide":
        return {"small_cells": "hidden", "small_cells_rule": hiding}
    return {"small_cells": "shown", "small_cells_rule": SHOWING}


def describe_variables(results: Results, selection: Selection) -> dict[str, Any]:
    """Return what is counted and by what, and the axes with their labels."""
    described = {}
    for variable in selection.variables:
        kept = selection.kept[variable.name]
        summed = [axis for axis in variable.strata if axis not in kept]
        described[variable.name] = {
            "units": variable.units,
            "long_name": variable.long_name,
            "description": variable.description,
            "axes": list(selection.axes(variable)),
            "summed_over": [*summed, *variable.summed_out],
        }
    return {"by": list(selection.by), "variables": described, "axes": describe_axes(results, selection)}


def describe_axes(results: Results, selection: Selection) -> dict[str, Any]:
    """Return name and labels of every axis of a selection."""
    return {
        axis: {"long_name": results.layout.dimension(axis).long_name, "labels": list(results.labels(axis))}
        for axis in (*selection.by, *selection.trailing)
    }


def describe_parameters(results: Results) -> dict[str, dict[str, str]]:
    """Return unit, label, grade, source, distribution and index of every parameter column."""
    return {
        column.name: {name: getattr(column, name) for name in PARAMETER_ATTRIBUTES}
        for column in results.layout.parameters
    }


def to_text(description: Mapping[str, Any]) -> str:
    """Return a description as JSON text."""
    return json.dumps(description, indent=2, ensure_ascii=False, allow_nan=False)
