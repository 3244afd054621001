"""Parameters and counts in the layout of ArviZ: groups of a netCDF4 file, written in bounded memory.

The groups and their attributes follow the InferenceData schema (python.arviz.org, "InferenceData schema
specification"); the file is plain netCDF4 on HDF5, so xarray, netCDF and R read it too.

==================== ============================================== ==============================================
group                variables                                      dimensions
==================== ============================================== ==============================================
``prior``            one per parameter column, float64              chain, draw
``prior_predictive`` the counts, int64                              chain, draw, [replicate_id,] axes
``constant_data``    ``cohort_year``; the texts of the scenario     none
                     and its tables, ``document[<name>]``
==================== ============================================== ==============================================

A *draw* is a parameter set, so that both groups match sample by sample, as the schema asks. In a single loop every
replicate has its own parameters, and draw is the replicate. In a nested run the replicates of a parameter set lie along
a further dimension, ``replicate_id``: laid out as draws they would look like independent samples, which they are not.
There is one chain: draws are independent, nothing has to converge.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import h5netcdf
import h5py
import numpy as np
from numpy.typing import NDArray

import simcore
from analysis.exporting.selection import LARGEST_PIECE, Selection, piece_rows
from analysis.exporting.small_cells import FILL_VALUE, HIDING, SmallCells, is_hidden
from simcore.errors import ResultsError, UserError
from simcore.store.compression import encode_chunk
from simcore.store.layout import CHUNK_ROWS, Variable
from simcore.store.partial_file import PartialFile
from simcore.store.signals import undisturbed

if TYPE_CHECKING:
    from simcore.store import Results

CHAIN, DRAW, REPLICATE_ID = "chain", "draw", "replicate_id"
_LARGEST_CHUNK = 2**18  # counts in a chunk of the file, at most (one replicate is never cut)
_FILTER = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


class Draws:
    """Which replicates are which draws.

    Parameters
    ----------
    results : Results
    selection : Selection
        Its replicates must begin with a parameter set; those of a last set that is not whole are left out.

    Attributes
    ----------
    inner : int
        Replicates per parameter set; 1 in a single loop.
    first, count : int
        First parameter set, and how many.
    left_out : int
        Replicates of a parameter set that an interrupted run did not finish.

    Raises
    ------
    UserError
        Replicates that do not begin and end with a parameter set.
    ResultsError
        No parameter set is whole, or the file does not hold them in order.
    """

    def __init__(self, results: Results, selection: Selection) -> None:
        self.inner = results.nested[1]
        self.first, offset = divmod(selection.first, self.inner)
        last, self.left_out = divmod(selection.end, self.inner)
        if offset or (self.left_out and selection.end != results.replicates):
            raise UserError(
                f"rows = '{selection.first}:{selection.end}': must begin and end with a parameter set of the nested "
                f"run, multiples of {self.inner}"
            )
        self.count = last - self.first
        place = results.path or "results in memory"
        if self.count < 1:
            raise ResultsError(f"{place}: holds no whole parameter set of {self.inner} replicates")
        for start in range(selection.first, last * self.inner, LARGEST_PIECE):
            rows = slice(start, min(start + LARGEST_PIECE, last * self.inner))
            numbers = np.arange(rows.start, rows.stop)
            if not np.array_equal(results.theta_ids(rows), numbers // self.inner):
                raise ResultsError(f"{place}: parameter sets are not in order")

    @property
    def dimensions(self) -> dict[str, int]:
        """Sizes of the dimensions of every sample."""
        return {CHAIN: 1, DRAW: self.count} | ({REPLICATE_ID: self.inner} if self.inner > 1 else {})

    def chunk(self, cells: int) -> tuple[int, int]:
        """Return parameter sets and replicates within them that lie in one chunk of the file."""
        rows = min(piece_rows(cells), CHUNK_ROWS)
        while rows > 1 and rows * cells > _LARGEST_CHUNK:
            rows //= 2
        return max(min(rows // self.inner, self.count), 1), min(rows, self.inner)

    def pieces(self, cells: int) -> Iterator[tuple[slice, slice]]:
        """Yield parameter sets (from `first` on) and replicates within them: whole chunks, in bounded memory."""
        step = piece_rows(cells)
        chunk_sets, _ = self.chunk(cells)
        sets = max(step // self.inner // chunk_sets, 1) * chunk_sets
        within = min(step, self.inner)
        for start in range(0, self.count, sets):
            for inside in range(0, self.inner, within):
                yield (
                    slice(start, min(start + sets, self.count)),
                    slice(inside, min(inside + within, self.inner)),
                )

    def read(self, results: Results, variable: Variable, selection: Selection, sets: slice, inside: slice) -> Any:
        """Return counts, int64 [sets, replicates within, *axes]; several sets only with all their replicates."""
        begin = (self.first + sets.start) * self.inner
        if sets.stop - sets.start > 1 or inside == slice(0, self.inner):
            rows = slice(begin, begin + (sets.stop - sets.start) * self.inner)
        else:
            rows = slice(begin + inside.start, begin + inside.stop)
        counts = results.read(variable.name, by=selection.kept[variable.name], rows=rows)
        return counts.reshape(sets.stop - sets.start, inside.stop - inside.start, *counts.shape[1:])


def write_arviz(
    path: Path,
    results: Results,
    selection: Selection,
    draws: Draws,
    small_cells: SmallCells,
    describe: Callable[[int], Mapping[str, Any]],
    progress: Callable[[int, int], None],
) -> int:
    """Write parameters and counts.

    Parameters
    ----------
    path : Path
    results : Results
    selection : Selection
    draws : Draws
    small_cells : {"hide", "show"}
        Hidden counts are `FILL_VALUE`, which readers of netCDF take for missing.
    describe : callable
        Given the number of hidden counts; its entries become root attributes.
    progress : callable

    Returns
    -------
    int
        Counts that were hidden.

    Raises
    ------
    OSError
        The first write that failed.
    ResultsError
        A parameter that bears the name of a dimension, or a damaged file.
    """
    _check_names(results, draws)
    # HDF5 must neither see a failed write nor be left by an exception of a signal: see simcore.store.signals.
    target = PartialFile(path)
    opened: list[Any] = []
    try:
        with undisturbed():
            opened.append(h5py.File(target, "w", track_order=True))  # netCDF asks for the order of creation
            opened.append(h5netcdf.File(opened[0], "w"))
        raw, file = opened
        hidden = _write_groups(file, raw, target, results, selection, draws, small_cells, progress)
        with undisturbed():
            _set_attributes(file, describe(hidden))
            _close(opened, target)
    except BaseException as problem:
        with undisturbed(), contextlib.suppress(Exception):
            _close(opened, target)
        if isinstance(problem, Exception):
            _check(target)  # HDF5 may stumble over what it could not write before, and over nothing else
        raise
    _check(target)
    return hidden


def _close(opened: list[Any], target: PartialFile) -> None:
    """Close what is open, the last first; does nothing the second time."""
    while opened:
        opened.pop().close()
    if not target.closed:
        target.flush_to_disk()
        target.close()


def _write_groups(
    file: Any,
    raw: h5py.File,
    target: PartialFile,
    results: Results,
    selection: Selection,
    draws: Draws,
    small_cells: SmallCells,
    progress: Callable[[int, int], None],
) -> int:
    names = [column.name for column in results.layout.parameters] if results.stores_theta else []
    counts = draws.count * draws.inner * sum(selection.cells(results, variable) for variable in selection.variables)
    total, done, hidden = counts + draws.count * len(names), 0, 0
    with undisturbed():
        _write_constants(file, results)
        if names:
            _new_prior(file, results, draws)
        _new_predictive(file, results, selection, draws, small_cells)
    for sets in _parameter_pieces(draws.count, len(names)):
        frame = results.theta(rows=slice(draws.first + sets.start, draws.first + sets.stop))
        with undisturbed():
            for name in names:
                _write_chunks(raw[f"prior/{name}"], (0, sets.start), frame[name].to_numpy()[np.newaxis])
        _check(target)
        done += frame.size
        progress(done, total)
    for variable in selection.variables:
        for sets, inside in draws.pieces(selection.cells(results, variable)):
            values = draws.read(results, variable, selection, sets, inside)
            done += values.size
            if small_cells == "hide":
                small = is_hidden(values)
                hidden += int(small.sum())
                values[small] = FILL_VALUE
            dataset = raw[f"prior_predictive/{variable.name}"]
            with undisturbed():
                if draws.inner > 1:
                    _write_chunks(dataset, (0, sets.start, inside.start), values[np.newaxis])
                else:
                    _write_chunks(dataset, (0, sets.start), values[np.newaxis, :, 0])
            _check(target)
            progress(done, total)
    return hidden


def _write_chunks(dataset: h5py.Dataset, start: tuple[int, ...], values: NDArray[Any]) -> None:
    """Write whole chunks, made outside HDF5, which would take ten times as long (see `simcore.store.compression`).

    Parameters
    ----------
    dataset : h5py.Dataset
        With byte shuffle and gzip.
    start : tuple of int
        Where the first chunk begins along the first axes; 0 along the others.
    values : array, as many dimensions as the dataset
    """
    shape = dataset.chunks
    origin = (*start, *(0 for _ in shape[len(start) :]))
    for corner in itertools.product(*(range(0, n, step) for n, step in zip(values.shape, shape, strict=True))):
        part = values[tuple(slice(at, at + step) for at, step in zip(corner, shape, strict=True))]
        if part.shape != shape:  # at the end of the dataset chunks are padded
            whole = np.zeros(shape, dtype=values.dtype)
            whole[tuple(slice(0, n) for n in part.shape)] = part
            part = whole
        place = tuple(first + at for first, at in zip(origin, corner, strict=True))
        dataset.id.write_direct_chunk(place, encode_chunk(np.ascontiguousarray(part)))


def _parameter_pieces(count: int, names: int) -> Iterator[slice]:
    if names:
        step = max(LARGEST_PIECE // names // CHUNK_ROWS, 1) * CHUNK_ROWS
        for start in range(0, count, step):
            yield slice(start, min(start + step, count))


def _new_group(file: Any, name: str, draws: Draws, sizes: Mapping[str, int]) -> Any:
    """Return a new group with dimensions, their coordinates, and the attributes that the schema asks for."""
    group = file.create_group(name)
    group.dimensions = sizes
    _set_library(group)
    numbers: dict[str, NDArray[np.int64]] = {
        CHAIN: np.zeros(1, dtype=np.int64),
        DRAW: np.arange(draws.first, draws.first + draws.count),
        REPLICATE_ID: np.arange(draws.inner),
    }
    about = {CHAIN: "there is one", DRAW: "parameter set", REPLICATE_ID: "replicate of the parameter set"}
    for dimension in sizes:
        if dimension in numbers:
            made = group.create_variable(dimension, (dimension,), data=numbers[dimension])
            made.attrs["long_name"] = about[dimension]
    return group


def _new_prior(file: Any, results: Results, draws: Draws) -> None:
    group = _new_group(file, "prior", draws, {CHAIN: 1, DRAW: draws.count})
    for column in results.layout.parameters:
        chunks = (1, min(draws.count, CHUNK_ROWS))
        made = group.create_variable(column.name, (CHAIN, DRAW), dtype="<f8", chunks=chunks, **_FILTER)
        texts = {"units": column.unit, "long_name": column.label, "grade": column.grade, "source": column.source}
        texts |= {"distribution": column.distribution, "index": column.index}
        for key, text in texts.items():
            made.attrs[key] = text


def _new_predictive(file: Any, results: Results, selection: Selection, draws: Draws, small_cells: SmallCells) -> None:
    axes = (*selection.by, *selection.trailing)
    sizes = draws.dimensions | dict(zip(axes, results.layout.sizes(axes), strict=True))
    group = _new_group(file, "prior_predictive", draws, sizes)
    for axis in axes:
        labels = np.array(results.labels(axis), dtype=object)
        made = group.create_variable(axis, (axis,), dtype=h5py.string_dtype(), data=labels)
        made.attrs["long_name"] = results.layout.dimension(axis).long_name
    for variable in selection.variables:
        own = selection.axes(variable)
        shape = results.layout.sizes(own)
        sets, inside = draws.chunk(math.prod(shape))
        chunks = (1, sets, *((inside,) if draws.inner > 1 else ()), *shape)
        made = group.create_variable(
            variable.name,
            (*draws.dimensions, *own),
            dtype="<i8",
            chunks=chunks,
            fillvalue=FILL_VALUE if small_cells == "hide" else None,
            **_FILTER,
        )
        kept = selection.kept[variable.name]
        made.attrs["units"] = variable.units
        made.attrs["long_name"] = variable.long_name
        made.attrs["description"] = variable.description
        summed = [axis for axis in variable.strata if axis not in kept]
        made.attrs["summed_over"] = ",".join((*summed, *variable.summed_out))
        if small_cells == "hide":
            made.attrs["small_cells"] = HIDING


def _write_constants(file: Any, results: Results) -> None:
    group = file.create_group("constant_data")
    _set_library(group)
    if "cohort_year" in results.attributes:
        made = group.create_variable("cohort_year", (), dtype="<i8", data=int(results.attributes["cohort_year"]))
        made.attrs["long_name"] = "cohort year"
    for name, text in results.documents().items():
        made = group.create_variable(
            f"document[{quote(name, safe='')}]", (), dtype=h5py.string_dtype(), data=np.array(text, dtype=object)
        )
        made.attrs["name"] = name


def _set_library(place: Any) -> None:
    place.attrs["inference_library"] = "simcore"
    place.attrs["inference_library_version"] = simcore.__version__


def _set_attributes(file: Any, description: Mapping[str, Any]) -> None:
    """Put a description at the root: text and numbers as they are, lists of numbers too."""
    _set_library(file)
    for group in file.groups.values():
        group.attrs["created_at"] = description["created_at"]
    for name, value in description.items():
        file.attrs[name] = np.array(value, dtype=np.int64) if isinstance(value, list) else value


def _check_names(results: Results, draws: Draws) -> None:
    for column in results.layout.parameters:
        if column.name in (CHAIN, DRAW):
            raise ResultsError(
                f"{results.path or 'results in memory'}: parameter '{column.name}' bears the name of a dimension of "
                "ArviZ; export it as a table (--what theta)"
            )


def _check(target: PartialFile) -> None:
    if target.failure is not None:
        raise target.failure
