"""Counts, parameter sets and summaries as Arrow tables: a schema, and record batches of a bounded size.

Counts have the columns of `simcore.Results.to_pandas`, in its order: variable by variable, then by replicate. Where
small cells are hidden a column ``hidden`` follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.exporting.description import COUNT_COLUMNS, SUMMARY_COLUMNS
from analysis.exporting.selection import LARGEST_PIECE, Selection
from analysis.exporting.small_cells import SmallCells, is_hidden
from analysis.number_format import is_small
from simcore.store.layout import CHUNK_ROWS

if TYPE_CHECKING:
    from analysis.quantity import Quantity
    from analysis.summaries import Summary
    from simcore.store import Results

LARGEST_BATCH = 2**18
"""Lines of counts in a record batch, at most (one replicate is never cut)."""

_TEXT = pa.dictionary(pa.int32(), pa.string())


@dataclass
class Table:
    """A table that is made while it is read.

    Attributes
    ----------
    schema : pyarrow.Schema
        With what each column is, as metadata of its field.
    batches : iterator of pyarrow.RecordBatch
        Of a bounded size.
    lines : int
        In all.
    hidden : int
        Small cells hidden in the batches that were made so far.
    """

    schema: Any
    batches: Iterator[Any]
    lines: int
    hidden: int = 0


def count_table(results: Results, selection: Selection, small_cells: SmallCells) -> Table:
    """Return counts, one line per replicate, variable and cell.

    Columns: replicate (int64), theta_id (uint32), variable, the axes of ``by`` and the trailing dimensions (text,
    missing where a variable lacks the axis), value (int64) and, if small cells are hidden, hidden (bool).
    """
    axes = (*selection.by, *selection.trailing)
    about = {axis: results.layout.dimension(axis).long_name or axis for axis in axes}
    columns: dict[str, Any] = {"replicate": pa.int64(), "theta_id": pa.uint32(), "variable": _TEXT}
    columns |= dict.fromkeys(axes, _TEXT) | {"value": pa.int64()}
    if small_cells == "hide":
        columns["hidden"] = pa.bool_()
    table = Table(_schema(columns, {**about, **COUNT_COLUMNS}), iter(()), selection.counts(results))
    table.batches = _count_batches(results, selection, table)
    return table


def _count_batches(results: Results, selection: Selection, table: Table) -> Iterator[Any]:
    names = pa.array([variable.name for variable in selection.variables])
    labels = {axis: pa.array(results.labels(axis)) for axis in (*selection.by, *selection.trailing)}
    for code, variable in enumerate(selection.variables):
        axes = selection.axes(variable)
        sizes = results.layout.sizes(axes)
        cells = selection.cells(results, variable)
        codes = np.indices(sizes, dtype=np.int32).reshape(len(axes), cells)
        for rows, counts in _parts(selection.pieces(results, variable), max(LARGEST_BATCH // cells, 1)):
            values = counts.reshape(-1)
            number = rows.stop - rows.start
            columns = [
                pa.array(np.repeat(np.arange(rows.start, rows.stop), cells)),
                pa.array(np.repeat(results.theta_ids(rows), cells)),
                _labelled(np.full(values.size, code, dtype=np.int32), names),
            ]
            for axis, texts in labels.items():
                if axis in axes:
                    columns.append(_labelled(np.tile(codes[axes.index(axis)], number), texts))
                else:
                    columns.append(pa.DictionaryArray.from_arrays(pa.nulls(values.size, pa.int32()), texts))
            if "hidden" in table.schema.names:
                hidden = is_hidden(values)
                table.hidden += int(hidden.sum())
                columns += [pa.array(values, mask=hidden), pa.array(hidden)]
            else:
                columns.append(pa.array(values))
            yield pa.record_batch(columns, schema=table.schema)


def _parts(
    pieces: Iterator[tuple[slice, NDArray[np.int64]]], longest: int
) -> Iterator[tuple[slice, NDArray[np.int64]]]:
    """Cut pieces into parts of at most so many replicates: a line takes several times the room of its count."""
    for rows, counts in pieces:
        for start in range(0, len(counts), longest):
            part = counts[start : start + longest]
            yield slice(rows.start + start, rows.start + start + len(part)), part


def theta_table(results: Results, first: int, end: int) -> Table:
    """Return parameter sets ``first <= theta_id < end``, one line each: theta_id (uint32), a float64 per parameter."""
    names = [column.name for column in results.layout.parameters]
    about = {
        column.name: f"{column.label or column.name} [{column.unit}]" if column.unit else column.label
        for column in results.layout.parameters
    }
    columns = {"theta_id": pa.uint32()} | {name: pa.float64() for name in names}
    schema = _schema(columns, {"theta_id": COUNT_COLUMNS["theta_id"], **about})
    step = max(LARGEST_PIECE // len(columns) // CHUNK_ROWS, 1) * CHUNK_ROWS

    def batches() -> Iterator[Any]:
        for start in range(first, end, step):
            frame = results.theta(rows=slice(start, min(start + step, end)))
            numbers = [pa.array(frame.index.to_numpy(np.uint32))]
            numbers += [pa.array(frame[name].to_numpy()) for name in names]
            yield pa.record_batch(numbers, schema=schema)

    return Table(schema, batches(), end - first)


def summary_table(summary: Summary, small_cells: SmallCells) -> Table:
    """Return a summary, one line per quantity, combination of levels and statistic (see `SUMMARY_COLUMNS`)."""
    lines = [line for quantity in summary.quantities for line in _statistics(quantity, small_cells)]
    columns: dict[str, Any] = dict.fromkeys(summary.by, _TEXT)
    columns |= {"quantity": _TEXT, "label": _TEXT, "kind": _TEXT, "statistic": _TEXT}
    columns |= {"level": pa.float64(), "estimate": pa.float64(), "mcse": pa.float64()}
    if small_cells == "hide":
        columns["hidden"] = pa.bool_()
    columns |= {"n": pa.int64(), "missing": pa.int64(), "groups": pa.int64(), "method": _TEXT}
    schema = _schema(columns, {axis: axis for axis in summary.by} | SUMMARY_COLUMNS)
    arrays = [
        pa.array([line[name] for line in lines], type=pa.string()).dictionary_encode()
        if columns[name] == _TEXT
        else pa.array([line[name] for line in lines], type=columns[name], from_pandas=True)
        for name in columns
    ]
    hidden = sum(line["hidden"] for line in lines) if small_cells == "hide" else 0
    return Table(schema, iter([pa.record_batch(arrays, schema=schema)]), len(lines), hidden)


def _statistics(quantity: Quantity, small_cells: SmallCells) -> Iterator[dict[str, Any]]:
    figures: list[tuple[str, float | None, float, float, str]] = [
        ("mean", None, quantity.mean.estimate, quantity.mean.mcse, quantity.kind),
        ("sd", None, quantity.sd, quantity.sd_mcse, quantity.kind),
        ("zeros", None, quantity.zeros, quantity.zeros_mcse, "ratio"),
        ("median", None, quantity.median.estimate, quantity.median.mcse, quantity.kind),
    ]
    for each in quantity.intervals:
        for side, end in (("lower", each.lower), ("upper", each.upper)):
            figures.append((side, each.level, end.estimate, end.mcse, quantity.kind))
    for statistic, level, estimate, mcse, kind in figures:
        hidden = small_cells == "hide" and is_small(estimate, kind)
        yield {
            **quantity.levels,
            "quantity": quantity.name,
            "label": quantity.label,
            "kind": quantity.kind,
            "statistic": statistic,
            "level": level,
            "estimate": None if hidden else estimate,
            "mcse": None if hidden else mcse,
            "hidden": hidden,
            "n": quantity.n,
            "missing": quantity.missing,
            "groups": quantity.groups,
            "method": quantity.method,
        }


def _labelled(codes: NDArray[np.int32], texts: Any) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(codes), texts)


def _schema(columns: Mapping[str, Any], about: Mapping[str, str]) -> Any:
    return pa.schema([pa.field(name, kind, metadata={"description": about[name]}) for name, kind in columns.items()])


def describe_columns(schema: Any) -> dict[str, str]:
    """Return column -> what it is."""
    return {each.name: (each.metadata or {}).get(b"description", b"").decode() for each in schema}
