"""Results as tables of other libraries: tidy pandas, labelled lazy xarray."""

from __future__ import annotations

import importlib
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simcore.errors import ResultsError
from simcore.store.layout import Variable

if TYPE_CHECKING:
    import pandas
    import xarray

    from simcore.store.reader import Results


def to_xarray(results: Results, group: str | None) -> xarray.Dataset:
    """See `Results.to_xarray`."""
    try:
        import xarray as xr

        importlib.import_module("h5netcdf")  # the engine by which xarray reads the file
    except ImportError as problem:
        raise ResultsError(f"to_xarray needs the package '{problem.name}': pip install 'simcore[xarray]'") from None
    source: Any = results.path
    if source is None:
        source = io.BytesIO(results._file.id.get_file_image())
    try:
        return xr.open_dataset(source, engine="h5netcdf", group=group, decode_times=False)
    except (OSError, KeyError, ValueError) as problem:
        raise ResultsError(f"{results._place}: xarray cannot open group '{group or '/'}' ({problem})") from problem


def to_pandas(
    results: Results, variables: Sequence[str] | None, *, by: Sequence[str], rows: slice | None, max_rows: int
) -> pandas.DataFrame:
    """See `Results.to_pandas`."""
    import pandas as pd

    by = (by,) if isinstance(by, str) else tuple(by)
    if variables is None:
        # An axis that no variable has is a mistake; one that only some variables lack is not.
        chosen = list(results.layout.variables)
        for axis in by:
            if not any(axis in variable.strata for variable in chosen):
                results._kept_axes(chosen[0], (axis,))
    else:
        chosen = [results.variable(name) for name in ([variables] if isinstance(variables, str) else variables)]
    kept = {v.name: tuple(axis for axis in by if variables is not None or axis in v.strata) for v in chosen}
    start, stop = results._row_range(rows)
    for variable in chosen:
        results._kept_axes(variable, kept[variable.name])
    lines = sum((stop - start) * _cells(results, variable, kept[variable.name]) for variable in chosen)
    if lines > max_rows:
        raise ResultsError(
            f"{results._place}: the table would have {lines:,} lines, more than max_rows = {max_rows:,}; "
            "choose variables, fewer axes in by, or rows"
        )

    trailing = list(dict.fromkeys(name for variable in chosen for name in variable.trailing))
    theta_ids = results.theta_ids(slice(start, stop))
    names = [variable.name for variable in chosen]
    frames = []
    for code, variable in enumerate(chosen):
        axes = (*kept[variable.name], *variable.trailing)
        values = results.read(variable.name, by=kept[variable.name], rows=slice(start, stop))
        cells = _cells(results, variable, kept[variable.name])
        columns: dict[str, Any] = {
            "replicate": np.repeat(np.arange(start, stop), cells),
            "theta_id": np.repeat(theta_ids, cells),
            "variable": _labelled(np.full(values.size, code, dtype=np.int16), names),
        }
        sizes = results.layout.sizes(axes)
        codes = np.indices(sizes, dtype=np.int32).reshape(len(axes), cells) if axes else np.zeros((0, cells), np.int32)
        for axis in (*by, *trailing):
            labels = list(results.labels(axis))
            code_of_row = (
                np.tile(codes[axes.index(axis)], stop - start) if axis in axes else np.full(values.size, -1, np.int32)
            )
            columns[axis] = _labelled(code_of_row, labels)
        columns["value"] = values.reshape(-1)
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _labelled(codes: NDArray[np.integer[Any]], labels: Sequence[str]) -> pandas.Categorical[str]:
    """Labels by their codes; code -1 is missing."""
    import pandas as pd

    return pd.Categorical.from_codes(codes, pd.Index(labels))


def _cells(results: Results, variable: Variable, by: Sequence[str]) -> int:
    return math.prod(results.layout.sizes((*by, *variable.trailing)))
