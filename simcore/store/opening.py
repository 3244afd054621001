"""Opening a results file that may be anything: foreign, cut short, damaged, newer than this program, or hostile.

Nothing is trusted before it was looked at: the kind of file first, then the version, then that every object is where
and what the format says. Datasets that point outside the file (links, external storage, virtual datasets) are refused.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import h5py
import numpy as np

from simcore.errors import ResultsError, UnreadableError, command
from simcore.store.examination import (
    LONGEST_DOCUMENT,
    LONGEST_TEXT,
    MOST_CELLS,
    MOST_LABELS,
    MOST_SLOTS,
    check_attributes,
    check_column,
    check_ledger,
    check_members,
    check_run,
    check_storage,
    check_stored_whole,
    check_text,
    read_attributes,
    read_texts,
)
from simcore.store.heads import has_head
from simcore.store.layout import (
    CHUNK_ROWS,
    FILETYPE,
    FORMAT_VERSION,
    IDENTIFIERS,
    LEDGER,
    PARAMETER_ATTRIBUTES,
    PARAMETERS,
    REPLICATE,
    SCENARIO,
    THETA,
    TOTALS,
    Dimension,
    Layout,
    ParameterColumn,
    Variable,
)
from simcore.store.lock import LOCK_NAME, holder_of
from simcore.store.target import PARTS_SUFFIX, parts_path

_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_FINAL: Final = ("complete", "interrupted")
# What h5py raises when it meets damaged or unexpected content.
_PROBLEMS: Final = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)


@contextmanager
def reading(place: str, what: str) -> Iterator[None]:
    """Turn what HDF5 cannot make sense of into one plain ResultsError that names the file."""
    try:
        yield
    except ResultsError:
        raise
    except _PROBLEMS as problem:
        text = problem.args[0] if isinstance(problem, KeyError) and problem.args else problem  # str() would quote it
        reason = (str(text).splitlines() or [""])[0] or type(problem).__name__
        raise UnreadableError(f"{place}: {what} is missing or damaged ({reason})") from problem


def open_file(path: Path) -> h5py.File:
    """Open a results file read-only, having checked that it is one that this program reads.

    Raises
    ------
    ResultsError
        One line: no such file, not HDF5, cut short, not of simcore, newer, or unfinished.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():  # opening a pipe would wait for ever
            raise ResultsError(f"{path}: is not a regular file")
        if path.suffix == PARTS_SUFFIX and has_head(path):
            name = path.with_suffix("")
            raise ResultsError(f"{path}: is the folder of a run that did not end; name its file: {name}")
        start = b""
        if path.is_dir() or path.stat().st_size:  # files of the kernel say that they have no size, and some wait
            with path.open("rb") as stream:
                start = stream.read(len(_SIGNATURE))
    except FileNotFoundError:
        raise ResultsError(f"{path}: no such file{_instead(path)}") from None
    except OSError as problem:
        raise ResultsError(f"{path}: cannot be read: {os.strerror(problem.errno or 0)}") from problem
    if start != _SIGNATURE:
        raise ResultsError(f"{path}: is not an HDF5 file")
    try:
        # Network file systems without locks are common; two readers never harm each other.
        file = h5py.File(path, "r", locking="best-effort")
    except (OSError, RuntimeError) as problem:
        if "truncated" in str(problem):
            raise UnreadableError(f"{path}: is cut short ({path.stat().st_size:,} bytes on disk)") from problem
        raise UnreadableError(f"{path}: is a damaged HDF5 file") from problem
    try:
        check_kind(file, str(path))
    except BaseException:
        file.close()
        raise
    return file


def _instead(path: Path) -> str:
    """Return what there is in place of a file that is not there, and what to do about it."""
    if not has_head(parts_path(path)):
        return ""
    holder = holder_of(parts_path(path) / LOCK_NAME)
    if holder:
        return f" yet: it is being written ({holder}); how far it is: {command('info', path)}"
    return f"; a run that did not end is beside it, go on with: {command('resume', path)}"


def check_kind(file: h5py.File, place: str) -> None:
    """Refuse a file of another program, of a newer format, or of a run that did not end."""
    with reading(place, "the attribute 'filetype'"):
        filetype = file.attrs.get("filetype")
    if not isinstance(filetype, str) or filetype != FILETYPE:
        raise ResultsError(f"{place}: is an HDF5 file, but not one of simcore (attribute 'filetype')")
    with reading(place, "the attribute 'format_version'"):
        major, minor = (int(number) for number in file.attrs["format_version"])
    if major > FORMAT_VERSION[0]:
        raise ResultsError(
            f"{place}: written by a newer simcore: format {major}.{minor}, this program reads {FORMAT_VERSION[0]}.x"
        )
    with reading(place, "the attribute 'status'"):
        status = file.attrs["status"]
    if not isinstance(status, str) or status not in _FINAL:
        raise ResultsError(f"{place}: belongs to a run that did not end (status '{status}')")


def find_dataset(file: h5py.File, path: str, place: str) -> h5py.Dataset:
    """Return a dataset that lies in this very file, whatever the file claims (ResultsError otherwise)."""
    with reading(place, f"dataset '{path}'"):
        group: Any = file
        *folders, name = path.split("/")
        for folder in folders:
            group = _inside(group, folder, h5py.Group)
        dataset = _inside(group, name, h5py.Dataset)
        if dataset.external or dataset.is_virtual:
            raise ValueError("keeps its data in another file")
    return dataset


def find_group(file: h5py.File, name: str, place: str) -> h5py.Group:
    """Return a group of the root that lies in this very file (ResultsError otherwise)."""
    with reading(place, f"group '{name}'"):
        return _inside(file, name, h5py.Group)


def find_document(file: h5py.File, link: str, place: str) -> h5py.Dataset:
    """Return a document by the name of its link; it is a single text of a size that can be read."""
    document = find_dataset(file, f"{SCENARIO}/{link}", place)
    with reading(place, f"document '{link}'"):
        read_attributes(document)
        check_text(document, most=0, longest=LONGEST_DOCUMENT)
    return document


def _inside(group: h5py.Group, name: str, kind: type) -> Any:
    link = group.get(name, getlink=True)
    if link is None:
        raise KeyError("not there")
    if not isinstance(link, h5py.HardLink):
        raise ValueError("a link to elsewhere")
    item = group[name]
    if not isinstance(item, kind):
        raise ValueError(f"not a {kind.__name__.lower()}")
    return item


def read_layout(file: h5py.File, place: str) -> Layout:
    """Reconstruct the layout from scales and attributes, checking every count dataset against it.

    Raises
    ------
    ResultsError
        Something is missing or is not what the format says.
    """
    with reading(place, "the file"):
        check_members(file)
    rows = find_dataset(file, REPLICATE, place).shape
    with reading(place, "the file"):
        check_run(file.attrs, rows[0] if rows else 0)
    known = {REPLICATE, *IDENTIFIERS}
    dimensions: list[Dimension] = []
    variables: list[Variable] = []
    with reading(place, "the list of datasets"):
        names = [name for name in file if name not in known and name not in (TOTALS, PARAMETERS, LEDGER, SCENARIO)]
    for name in names:
        with reading(place, f"dataset '{name}'"):
            if isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(file[name], h5py.Group):
                continue  # of a newer minor version
        dataset = find_dataset(file, name, place)
        with reading(place, f"dataset '{name}'"):
            read_attributes(dataset)
            if "strata" in dataset.attrs:
                check_storage(dataset)
                variables.append(_read_variable(name, dataset))
            elif dataset.ndim == 1 and h5py.check_string_dtype(dataset.dtype) is not None:
                dimensions.append(_read_dimension(name, dataset))
    parameters = tuple(_read_parameters(file, place))
    with reading(place, "the layout"):
        try:
            layout = Layout(tuple(dimensions), tuple(variables), parameters)
        except ResultsError as problem:
            raise ValueError(str(problem)) from None
    for variable in layout.variables:
        _check_counts(file, layout, variable, rows, place)
    for name, dtype in ((REPLICATE, "<i8"), *((name, "<u4") for name in IDENTIFIERS)):
        dataset = find_dataset(file, name, place)
        if dataset.shape != rows or dataset.dtype != np.dtype(dtype):
            raise ResultsError(f"{place}: dataset '{name}' has type {dataset.dtype} and shape {dataset.shape}")
        with reading(place, f"dataset '{name}'"):
            check_column(dataset, "iu")
    find_dataset(file, f"{LEDGER}/rows", place)
    with reading(place, "the ledger"):
        check_ledger(file, rows[0])
    return layout


def _read_variable(name: str, dataset: h5py.Dataset) -> Variable:
    text = {key: str(dataset.attrs[key]) for key in ("units", "long_name", "description", "strata", "summed_out")}
    axes = tuple(str(dataset.dims[axis][0].name).rsplit("/", 1)[-1] for axis in range(dataset.ndim))
    strata = tuple(text["strata"].split(",")) if text["strata"] else ()
    if axes[0] != REPLICATE or axes[1 : 1 + len(strata)] != strata:
        raise ValueError(f"axes {axes} do not begin with replicate and {strata}")
    dtype = dataset.dtype.name
    if dtype not in ("int32", "int64"):
        raise ValueError(f"type {dtype}")
    return Variable(
        name=name,
        strata=strata,
        trailing=axes[1 + len(strata) :],
        dtype=cast(Any, dtype),
        units=text["units"],
        long_name=text["long_name"],
        description=text["description"],
        summed_out=tuple(text["summed_out"].split(",")) if text["summed_out"] else (),
    )


def _read_dimension(name: str, dataset: h5py.Dataset) -> Dimension:
    check_text(dataset, most=MOST_LABELS, longest=LONGEST_TEXT)
    labels = tuple(read_texts(dataset))
    return Dimension(name, labels, str(dataset.attrs.get("long_name", "")))


def _read_parameters(file: h5py.File, place: str) -> Iterator[ParameterColumn]:
    group = find_group(file, PARAMETERS, place)
    rows = find_dataset(file, f"{PARAMETERS}/{THETA}", place).shape
    for name in group:
        if name == THETA:
            continue
        column = find_dataset(file, f"{PARAMETERS}/{name}", place)
        if column.shape != rows or column.dtype != np.dtype("<f8"):
            raise ResultsError(f"{place}: parameter '{name}' has type {column.dtype} and shape {column.shape}")
        with reading(place, f"parameter '{name}'"):
            check_attributes(column)
            check_column(column, "f")
            described = {key: str(column.attrs[key]) for key in PARAMETER_ATTRIBUTES}
        yield ParameterColumn(name, **described)


def _check_counts(file: h5py.File, layout: Layout, variable: Variable, rows: tuple[int, ...], place: str) -> None:
    trailing = layout.sizes(variable.trailing)
    for path, strata, dtype in (
        (variable.name, layout.sizes(variable.strata), variable.dtype),
        (f"{TOTALS}/{variable.name}", (), "int64"),
    ):
        dataset = find_dataset(file, path, place)
        for number, limit, what in ((strata, MOST_SLOTS, "strata"), (trailing, MOST_CELLS, "cells in a stratum")):
            if math.prod(number) > limit:
                raise ResultsError(f"{place}: dataset '{path}' has {math.prod(number)} {what}, limit {limit}")
        expected = (*rows, *strata, *trailing)
        if dataset.shape != expected or dataset.dtype != np.dtype(dtype).newbyteorder("<"):
            raise ResultsError(
                f"{place}: dataset '{path}' has type {dataset.dtype} and shape {dataset.shape}, "
                f"expected {dtype} and {expected}"
            )
        if dataset.chunks is not None and dataset.chunks[0] > 16 * CHUNK_ROWS:
            raise ResultsError(f"{place}: dataset '{path}' has chunks of {dataset.chunks[0]} rows")
        with reading(place, f"dataset '{path}'"):
            check_storage(dataset)
            if not strata:  # of the others, too many for an opening, a missing chunk is noticed when it is read
                check_stored_whole(dataset)
