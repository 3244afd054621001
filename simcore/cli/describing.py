"""`simcore info`: what a results file is, what is in it, and whether it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import Json
from simcore.cli.figures import duration, figure, size, whole
from simcore.cli.stored import StoredDataset, stored_datasets
from simcore.cli.terminal import heading, pairs, show, show_json, table
from simcore.errors import DamageError, ResultsError, UnreadableError, command

if TYPE_CHECKING:
    from simcore.store import Results
    from simcore.store.parts import Unfinished

# Root attributes by what they tell; whatever is not named here is shown as environment.
GROUPS = {
    "Scenario": (
        "scenario_name",
        "scenario_title",
        "definition",
        "cohort_year",
        "scenario_digest",
        "scenario_settings",
    ),
    "Run": (
        "seed",
        "engine",
        "engine_asked",
        "engine_reason",
        "walker",
        "generator",
        "results_version",
        "requested_replicates",
        "nested",
        "design",
        "randomisation",
        "store_by",
        "ended",
        "theta",
        "until",
        "until_minimum",
        "until_maximum",
        "stopped_because",
        "until_estimate",
        "until_mcse",
        "held_shares",
        "frequent_event_share",
        "command_line",
        "history",
    ),
    "Time": (
        "started_utc",
        "finished_utc",
        "wall_seconds",
        "seconds_parameters",
        "seconds_replicates",
        "timed_parameter_sets",
        "timed_replicates",
        "agents_walked",
        "threads",
        "workers",
        "dask",
        "peak_memory_bytes",
    ),
    "File": ("filetype", "format_version", "status", "description_checksum"),
}
LONGEST_LIST = 12


def _grouped(attributes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    named = {key for keys in GROUPS.values() for key in keys}
    groups = {group: {key: attributes[key] for key in keys if key in attributes} for group, keys in GROUPS.items()}
    return {**groups, "Environment": {key: value for key, value in attributes.items() if key not in named}}


def _value(key: str, value: Any) -> str:
    """Return an attribute for people; one that is not what its name promises, as it is."""
    try:
        return _formatted(key, value)
    except (TypeError, ValueError, OverflowError):
        return str(value)


def _formatted(key: str, value: Any) -> str:
    match key:
        case "until_estimate" | "until_mcse":
            return ", ".join(figure(float(number)) for number in value)
        case "wall_seconds" | "seconds_parameters" | "seconds_replicates":
            return duration(float(value))
        case "peak_memory_bytes":
            return size(int(value))
        case (
            "agents_walked"
            | "requested_replicates"
            | "held_shares"
            | "timed_replicates"
            | "timed_parameter_sets"
            | "until_maximum"
        ):
            return whole(int(value))
        case "nested":
            outer, inner = value
            return f"{whole(outer)} parameter sets x {whole(inner)}"
        case "format_version":
            return ".".join(str(number) for number in value)
        case "definition":
            return " ".join(str(value).split())
        case "history":
            return "\n".join(map(str, value))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _ledger(results: Results) -> dict[str, Any]:
    ledger = results.ledger_columns()
    return {
        "blocks": len(ledger["rows"]),
        "replicates": int(ledger["rows"].sum()),
        "seconds": float(ledger["seconds"].sum()),
        "agents": int(ledger["agents"].sum()),
    }


def _as_data(results: Results, datasets: list[StoredDataset], damage: list[Any] | None) -> dict[str, Any]:
    places = {dataset.path: dataset for dataset in datasets}
    data: dict[str, Any] = {
        "path": str(results.path),
        "bytes": results.path.stat().st_size if results.path is not None else None,
        "status": results.status,
        "replicates": results.replicates,
        "requested_replicates": results.requested_replicates,
        "nested": list(results.nested),
        "attributes": _grouped(results.attributes),
        "dimensions": {name: list(labels) for name, labels in results.dimensions.items()},
        "variables": [
            {
                "name": variable.name,
                "long_name": variable.long_name,
                "units": variable.units,
                "dimensions": ["replicate", *variable.strata, *variable.trailing],
                "summed_out": list(variable.summed_out),
                "shape": list(places[variable.name].shape),
                "type": places[variable.name].dtype,
                "chunks": list(places[variable.name].chunks or ()),
                "stored_bytes": places[variable.name].stored,
                "raw_bytes": places[variable.name].raw,
            }
            for variable in results.layout.variables
        ],
        "parameters": [column.name for column in results.layout.parameters],
        "parameters_stored": results.stores_theta,
        "documents": {name: len(text) for name, text in results.documents().items()},
        "ledger": _ledger(results),
    }
    if damage is not None:
        data["verified"] = not damage
        data["damage"] = [
            {"part": d.part, "first_row": d.first_row, "rows": d.rows, "message": d.message} for d in damage
        ]
    return data


def info_verb(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A results file.", show_default=False)],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare everything with its checksums; exit code 1 on damage.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Describe a results file: where it comes from, what it holds, how large it is."""
    from simcore.store import open_results
    from simcore.store.parts import damaged_shards, look_at_unfinished
    from simcore.store.target import real_target

    target = real_target(file)
    unfinished = look_at_unfinished(target)
    shards = damaged_shards(target, unfinished.head) if verify and unfinished is not None else []
    if unfinished is not None and not file.exists():
        show_unfinished(target, unfinished, shards if verify else None, as_json=as_json)
        return 1 if shards else 0
    try:
        results = open_results(file)
    except (UnreadableError, DamageError) as problem:
        if not verify:
            raise
        _show_unreadable(file, problem, as_json=as_json)
        return 1
    with results:
        datasets = stored_datasets(results)
        damage = results.verify_checksums() if verify else None
        if as_json:
            data = _as_data(results, datasets, damage)
            if unfinished is not None:
                data["unfinished"] = _unfinished_data(unfinished, shards if verify else None)
            show_json(data)
        else:
            _show(results, datasets)
            if damage is not None:
                _show_damage(damage, shards, file)
            if unfinished is not None:
                show("", f"note: {longer_run(results, target, unfinished)}")
    return 1 if damage or shards else 0


def _show_unreadable(file: Path, problem: ResultsError, *, as_json: bool) -> None:
    """Say that a file cannot even be opened; what was to be shown of it is not known."""
    if as_json:
        damage = {"part": "description", "first_row": 0, "rows": 0, "message": str(problem)}
        show_json({"path": str(file), "verified": False, "damage": [damage]})
        return
    show(f"damaged: {problem}", "this cannot be mended: make the run again under another name")


def longer_run(results: Results, file: Path, unfinished: Unfinished) -> str:
    """Return in words what the unfinished run beside a finished file is, and what to do about it."""
    from simcore.runner.unfinished import holds_all
    from simcore.store.target import parts_path

    head = unfinished.head
    if unfinished.writer:
        return f"{unfinished.writer} is writing {whole(head.replicates)} replicates in its place"
    if holds_all(results, head):
        return f"{parts_path(file)} is left over from a process that was killed; {command('resume', file)} removes it"
    return (
        f"{parts_path(file)} holds a run of {whole(head.replicates)} replicates that did not end, "
        f"{whole(unfinished.replicates)} of them safe there; go on with: {command('resume', file)}"
    )


def _unfinished_data(unfinished: Unfinished, damaged: list[str] | None) -> dict[str, Any]:
    data: dict[str, Any] = {
        "status": "running" if unfinished.writer else "unfinished",
        "requested_replicates": unfinished.head.replicates,
        "safe_replicates": unfinished.replicates,
        "shards": unfinished.shards,
        "stored_bytes": unfinished.stored_bytes,
        "writer": unfinished.writer or None,
    }
    return data if damaged is None else {**data, "verified": not damaged, "damage": damaged}


def show_unfinished(file: Path, unfinished: Unfinished, damaged: list[str] | None, *, as_json: bool) -> None:
    """Describe a run that has no results file yet; ``damaged`` are its damaged shards, None if nobody looked."""
    head = unfinished.head
    inner = head.replicates // head.thetas
    attributes = {**head.attributes, "requested_replicates": head.replicates, "nested": [head.thetas, inner]}
    if as_json:
        show_json(
            {
                "path": str(file),
                **_unfinished_data(unfinished, damaged),
                "nested": [head.thetas, inner],
                "attributes": _grouped(attributes),
            }
        )
        return
    heading(f"{file}: not finished")
    show(
        pairs(
            {
                "replicates": f"{whole(head.replicates)} asked for",
                "safe": f"{whole(unfinished.replicates)} replicates ({size(unfinished.stored_bytes)} in "
                f"{whole(unfinished.shards)} shard{'s' * (unfinished.shards != 1)})",
                "written by": unfinished.writer or f"nobody now; go on with: {command('resume', file)}",
            }
        )
    )
    for group, values in _grouped(attributes).items():
        if values:
            heading(group)
            show(pairs({key: _value(key, value) for key, value in values.items()}))
    if damaged is not None:
        show("", *(f"damaged: {line}" for line in damaged))
        show(_repair(file) if damaged else "verified: every shard agrees with its checksum")


def _repair(file: Path) -> str:
    return f"compute just what is damaged again with: {command('resume', file, '--repair')}"


def _show(results: Results, datasets: list[StoredDataset]) -> None:
    assert results.path is not None
    heading(f"{results.path}: {whole(results.replicates)} replicates, {results.status}")
    for group, attributes in _grouped(results.attributes).items():
        if attributes:
            heading(group)
            show(pairs({key: _value(key, value) for key, value in attributes.items()}))
    heading("Dimensions")
    show(
        table(
            ["dimension", "size", "labels"],
            [
                [name, whole(len(labels)), ", ".join(labels[:LONGEST_LIST]) + (" ..." * (len(labels) > LONGEST_LIST))]
                for name, labels in results.dimensions.items()
            ],
            right=["size"],
        )
    )
    heading("Variables")
    places = {dataset.path: dataset for dataset in datasets}
    rows = []
    for variable in results.layout.variables:
        place = places[variable.name]
        rows.append(
            [
                variable.name,
                ", ".join(["replicate", *variable.strata, *variable.trailing]),
                " x ".join(map(str, place.shape)),
                " x ".join(map(str, place.chunks or ())),
                place.dtype,
                size(place.stored),
                f"{figure(place.raw / place.stored)} : 1" if place.stored else "-",
            ]
        )
    columns = ["variable", "dimensions", "shape", "chunk", "type", "stored", "packed"]
    show(table(columns, rows, right=["stored", "packed"]))
    _show_rest(results, datasets)


def _show_rest(results: Results, datasets: list[StoredDataset]) -> None:
    assert results.path is not None
    ledger = _ledger(results)
    parts = {"counts": 0, "totals": 0, "parameters": 0}
    for dataset in datasets:
        top = dataset.path.partition("/")[0] if "/" in dataset.path else "counts"
        if top in parts:
            parts[top] += dataset.stored
    heading("Contents")
    stored = "stored" if results.stores_theta else "not stored: redrawn from the seed"
    show(
        pairs(
            {
                "size": f"{size(results.path.stat().st_size)} ("
                + ", ".join(f"{part} {size(count)}" for part, count in parts.items())
                + ")",
                "parameters": f"{len(results.layout.parameters)} columns, {stored}",
                "documents": ", ".join(f"{name} ({size(len(text))})" for name, text in results.documents().items()),
                "ledger": f"{whole(ledger['blocks'])} blocks, {whole(ledger['replicates'])} replicates, "
                f"{duration(ledger['seconds'])} of computing, {whole(ledger['agents'])} agents",
            }
        )
    )


def _show_damage(damage: list[Any], shards: list[str], file: Path) -> None:
    show("")
    lines = [*(found.message for found in damage), *shards]
    for line in lines:
        show(f"damaged: {line}")
    if not lines:
        show("verified: everything agrees with its checksums")
        return
    show(f"damaged parts: {len(lines)}")
    if all(found.part != "description" for found in damage):
        show(_repair(file))
