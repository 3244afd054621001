"""What a results file can hold, looked at before any of it is read: kinds of objects, types, sizes and filters.

A file of a few kilobytes can claim 2**60 replicates, a label of gigabytes, or a chunk that inflates a thousandfold, and
HDF5 would try. So nothing is read whose size was not compared with a limit, columns must really be stored (which ties
the number of replicates to the size of the file), and chunks are inflated here, never by plug-ins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import h5py
import numpy as np

from simcore.errors import ResultsError
from simcore.store.layout import CHUNK_ROWS, LEDGER, PARAMETERS, SCENARIO, TOTALS, Layout

MOST_MEMBERS: Final = 1_000
MOST_COLUMNS: Final = 10_000
MOST_ATTRIBUTES: Final = 1_000
MOST_ITEMS: Final = 100_000
MOST_TEXTS: Final = 256  # in one attribute, read all at once, and all may be the same place in the file
MOST_CHARACTERS: Final = 2**26  # of all labels of a dimension
_TEXTS_AT_ONCE: Final = 16
LONGEST_TEXT: Final = 2**20
LONGEST_DOCUMENT: Final = 2**28
LARGEST_CHUNK: Final = 2**28
LARGEST_CHUNK_BY_HDF5: Final = 2**22
MOST_SLOTS: Final = 1_000_000
MOST_LABELS: Final = 1_000_000
MOST_CELLS: Final = 8_192  # as many int64 as a chunk of the format can hold

_FILTERS: Final = {
    h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_DEFLATE: "deflate",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32",
    h5py.h5z.FILTER_LZF: "lzf",
}
_LONGEST_CELL: Final = 64  # bytes, of the ledger
_TEXTS: Final = (
    "scenario_name", "scenario_title", "scenario_digest", "engine", "walker", "design", "generator", "command_line",
)  # fmt: skip
_WHOLE: Final = ("seed", "cohort_year", "results_version", "randomisation")
_OWN_ATTRIBUTES: Final = ("DIMENSION_LIST", "REFERENCE_LIST")  # of HDF5's dimension scales


def check_members(file: h5py.File) -> None:
    """Refuse groups with more members than the format can have, and members that are links.

    Raises
    ------
    ValueError
        What is wrong, without the file's name.
    """
    groups = {"/": file}
    for name in (TOTALS, PARAMETERS, LEDGER, SCENARIO):
        link = file.get(name, getlink=True)
        if isinstance(link, h5py.HardLink) and isinstance(file[name], h5py.Group):
            groups[name] = file[name]
    for name, group in groups.items():
        limit = MOST_COLUMNS if name == PARAMETERS else MOST_MEMBERS
        if len(group) > limit:
            raise ValueError(f"group '{name}' has {len(group)} members, limit {limit}")
        for member in group:
            # Members of the root and documents are refused by name when they are looked up.
            if name in (TOTALS, LEDGER) and not isinstance(group.get(member, getlink=True), h5py.HardLink):
                raise ValueError(f"'{member}' in group '{name}' is a link to elsewhere")
        read_attributes(group)


def check_attributes(item: Any) -> None:
    """Refuse attributes that are neither text nor numbers, or more than can be read; texts are not looked at.

    Raises
    ------
    ValueError
        What is wrong.
    """
    for _ in _sound_attributes(item.attrs):
        pass


def read_attributes(item: Any) -> dict[str, Any]:
    """Return the attributes of a file, group or dataset but for HDF5's own, having looked at each before.

    Raises
    ------
    ValueError
        One is neither text nor numbers, or larger than any that is written.
    """
    attributes, values = item.attrs, {}
    for name, is_text, is_one in _sound_attributes(attributes):
        value = values[name] = attributes[name]
        longest = max((len(text) for text in ([value] if is_one else value)), default=0) if is_text else 0
        if longest > LONGEST_TEXT:
            raise ValueError(f"attribute '{name}' has a text of {longest} characters, limit {LONGEST_TEXT}")
    return values


def _sound_attributes(attributes: h5py.AttributeManager) -> Iterator[tuple[str, bool, bool]]:
    """Yield the name of each attribute that can be read, whether it is text, and whether it is one value."""
    if len(attributes) > MOST_ATTRIBUTES:
        raise ValueError(f"{len(attributes)} attributes, limit {MOST_ATTRIBUTES}")
    for name in attributes:
        if name in _OWN_ATTRIBUTES:
            continue
        attribute = attributes.get_id(name)
        shape, dtype = attribute.shape, attribute.dtype
        if attribute.get_space().get_simple_extent_type() == h5py.h5s.NULL or len(shape) > 1:
            raise ValueError(f"attribute '{name}' is no value and no list")
        if math.prod(shape) > MOST_ITEMS:
            raise ValueError(f"attribute '{name}' has {math.prod(shape)} values, limit {MOST_ITEMS}")
        is_text = h5py.check_string_dtype(dtype) is not None
        if is_text and math.prod(shape) > MOST_TEXTS:
            raise ValueError(f"attribute '{name}' has {math.prod(shape)} texts, limit {MOST_TEXTS}")
        if not is_text and dtype.kind not in "iufb":
            raise ValueError(f"attribute '{name}' is neither text nor numbers")
        if dtype.itemsize > LONGEST_TEXT:
            raise ValueError(f"attribute '{name}' has {dtype.itemsize} bytes, limit {LONGEST_TEXT}")
        yield name, is_text, shape == ()


def check_text(dataset: h5py.Dataset, *, most: int, longest: int) -> None:
    """Refuse a dataset that is no text, no list of texts, or larger than it can be.

    Parameters
    ----------
    dataset : h5py.Dataset
    most : int
        Texts that it may hold; 0 for a single one.
    longest : int
        Of the type, where it has a fixed length [bytes].

    Raises
    ------
    ValueError
        What is wrong.
    """
    kind = h5py.check_string_dtype(dataset.dtype)
    if kind is None:
        raise ValueError("is no text")
    if kind.length is not None and kind.length > longest:
        raise ValueError(f"texts of {kind.length} bytes, limit {longest}")
    if dataset.shape is None or dataset.ndim != (1 if most else 0):
        raise ValueError(f"shape {dataset.shape}")
    if most and dataset.shape[0] > most:
        raise ValueError(f"{dataset.shape[0]} texts, limit {most}")
    check_storage(dataset)


def read_texts(dataset: h5py.Dataset) -> list[str]:
    """Return the texts of a list that `check_text` let through; a few at a time, for a short file can hold long ones.

    Raises
    ------
    ValueError
        They are longer, taken together, than any that are written.
    """
    texts: list[str] = []
    characters = 0
    for start in range(0, dataset.shape[0], _TEXTS_AT_ONCE):
        texts += (str(text) for text in dataset.asstr()[start : start + _TEXTS_AT_ONCE])
        characters += sum(map(len, texts[start:]))
        if characters > MOST_CHARACTERS:
            raise ValueError(f"texts of more than {MOST_CHARACTERS} characters")
    return texts


def check_column(dataset: h5py.Dataset, kinds: str, rows: int | None = None) -> None:
    """Refuse a column that is not one-dimensional, of another type or length, or not really stored.

    Parameters
    ----------
    dataset : h5py.Dataset
    kinds : str
        Kinds of NumPy's types, such as ``"i"``.
    rows : int, optional
        Its length.

    Raises
    ------
    ValueError
        What is wrong.
    """
    if dataset.dtype.kind not in kinds or dataset.ndim != 1 or (rows is not None and dataset.shape != (rows,)):
        raise ValueError(f"type {dataset.dtype} and shape {dataset.shape}")
    check_storage(dataset)
    check_stored_whole(dataset)


def check_storage(dataset: h5py.Dataset) -> None:
    """Refuse filters other than those of every HDF5 library, and chunks too large to be read one at a time.

    Raises
    ------
    ValueError
        What is wrong.
    """
    found = filters(dataset)
    for number in found:
        if number not in _FILTERS:
            raise ValueError(f"filter {number}; known: {', '.join(_FILTERS.values())}")
    if len(set(found)) < len(found):
        raise ValueError("the same filter twice")
    if dataset.chunks is not None:
        limit = LARGEST_CHUNK_BY_HDF5 if h5py.h5z.FILTER_LZF in found else LARGEST_CHUNK
        size = math.prod(dataset.chunks) * dataset.dtype.itemsize
        if size > limit:
            raise ValueError(f"chunks of {size} bytes, limit {limit}")


def check_stored_whole(dataset: h5py.Dataset) -> None:
    """Refuse a dataset of which parts are not stored: HDF5 would make up zeros for them, as many as it claims.

    Raises
    ------
    ValueError
        How much is there and how much is claimed.
    """
    if dataset.chunks is None:
        claimed, stored = dataset.size * dataset.dtype.itemsize, dataset.id.get_storage_size()
        what = "bytes"
    else:
        pairs = zip(dataset.shape, dataset.chunks, strict=True)
        claimed, stored = math.prod(-(-size // chunk) for size, chunk in pairs), dataset.id.get_num_chunks()
        what = "chunks"
    if stored < claimed:
        raise ValueError(f"{stored} of {claimed} {what} are stored")


def check_index(dataset: h5py.Dataset) -> None:
    """Refuse a dataset whose index lists a chunk twice: one of them has lost its place, and HDF5 would not notice.

    (The index of chunks is the only part of what HDF5 knows of a dataset that has no checksum.)

    Raises
    ------
    ValueError
        Where the chunk is.
    """
    last: tuple[int, ...] | None = None

    def look(chunk: Any) -> tuple[int, ...] | None:
        nonlocal last
        offset: tuple[int, ...] = chunk.chunk_offset
        if last is not None and offset <= last:
            return offset
        last = offset
        return None

    if dataset.chunks is not None:
        wrong = dataset.id.chunk_iter(look)
        if wrong is not None:
            raise ValueError(f"the index lists the chunk at {wrong} twice or out of order")


def check_layout(layout: Layout) -> None:
    """Refuse, before anything is written, what `open_results` would refuse to read.

    Raises
    ------
    ResultsError
        Naming what there is too much of, and the limit.
    """
    if len(layout.parameters) > MOST_COLUMNS:
        raise ResultsError(f"{len(layout.parameters)} columns of parameters cannot be stored, limit {MOST_COLUMNS}")
    for variable in layout.variables:
        strata, cells = layout.slots(variable), math.prod(layout.sizes(variable.trailing))
        for number, limit, what in ((strata, MOST_SLOTS, "strata"), (cells, MOST_CELLS, "cells in a stratum")):
            if number > limit:
                raise ResultsError(
                    f"variable '{variable.name}' has {number} {what}, limit {limit}: it cannot be stored"
                )


def check_ledger(file: h5py.File, replicates: int) -> None:
    """Refuse columns of the ledger that are of another type or longer than a run of so many replicates can make them.

    Raises
    ------
    ValueError
        What is wrong.
    """
    ledger = file[LEDGER]
    most = -(-replicates // CHUNK_ROWS)
    for name in ledger:
        column = ledger[name]
        if not isinstance(column, h5py.Dataset):
            raise ValueError(f"'{LEDGER}/{name}' is no column")
        if column.shape is None or column.size > 2 * max(most, 1) or column.dtype.itemsize > _LONGEST_CELL:
            raise ValueError(f"shape {column.shape}: a run of {replicates} replicates has {most} blocks at most")
        check_storage(column)
        check_stored_whole(column)


def check_run(attributes: h5py.AttributeManager, replicates: int) -> None:
    """Refuse a description of a run that no run can have; an attribute that is missing is named by whoever needs it.

    Parameters
    ----------
    attributes : h5py.AttributeManager
        Those of the root, looked at with `check_attributes` before.
    replicates : int

    Raises
    ------
    ValueError
        What is wrong.
    """
    for name, size, limit in (("nested", 2, 2**32), ("requested_replicates", 1, 2**64)):
        if name not in attributes:
            continue
        numbers = np.atleast_1d(np.asarray(attributes[name]))
        if numbers.dtype.kind not in "iu" or numbers.shape != (size,):
            raise ValueError(f"attribute '{name}' is {_short(attributes[name])}")
        for number in numbers.tolist():
            if not 1 <= number <= limit:
                raise ValueError(f"attribute '{name}' is {_short(attributes[name])}")
        if math.prod(numbers.tolist()) < replicates:
            raise ValueError(f"attribute '{name}' is {_short(attributes[name])}, and there are {replicates} replicates")
    for name in _TEXTS:
        if name in attributes and not isinstance(attributes[name], str):
            raise ValueError(f"attribute '{name}' is {_short(attributes[name])}, not a text")
    for name in _WHOLE:
        value = attributes.get(name, 0)
        # Those beyond 64 bits, and seeds, are stored as decimal text.
        digits = isinstance(value, str) and len(value) <= _LONGEST_CELL and value.isascii() and value.isdigit()
        if not digits and not isinstance(value, int | np.integer):
            raise ValueError(f"attribute '{name}' is {_short(attributes[name])}, not a whole number")


def filters(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Return the numbers of a dataset's filters, in the order in which they were applied."""
    properties = dataset.id.get_create_plist()
    return tuple(properties.get_filter(number)[0] for number in range(properties.get_nfilters()))


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
