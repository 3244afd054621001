"""Everything in a results file that is not counts: scales, attributes and documents; how it is written and hashed.

Labels, attributes and documents are variable-length strings, which HDF5 keeps without a checksum. Their digest
(`description_checksum`) is stored as a root attribute, so that a flipped bit in a label is found like one in a count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import h5py
import numpy as np

from simcore.store.checksums import CHECKSUM_KIND
from simcore.store.examination import LONGEST_TEXT, MOST_LABELS, check_text, read_attributes, read_texts
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
    THETA_BLOCK,
    THETA_CHECKSUM,
    TOTALS,
    Layout,
    Variable,
)

Attribute = str | int | float | bool | Sequence[str] | Sequence[int] | Sequence[float]

TEXT: Final = h5py.string_dtype("utf-8")
DESCRIPTION_CHECKSUM: Final = "description_checksum"

_LEDGER_COLUMNS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("first_row", "<i8", "1", "first replicate of the block"),
    ("rows", "<i8", "1", "replicates in the block"),
    ("seconds", "<f8", "s", "time spent on computing the block"),
    ("agents", "<i8", "1", "agents walked in the block"),
    ("held_shares", "<i8", "1", "at-risk shares held to one in the block"),
    ("checksum", "S16", "1", "checksum of the block's uncompressed data, hexadecimal"),
)
_IDENTIFIER_NAMES: Final = {
    "theta_id": "parameter set of the replicate: row of the group 'parameters'",
    "replicate_id": "number of the replicate among those of its parameter set",
    "shared_id": "draw of the shared chance (effects common to many persons)",
}
_HDF5_OWN: Final = frozenset({"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", DESCRIPTION_CHECKSUM})


def create_structure(
    file: h5py.File, layout: Layout, *, replicates: int, thetas: int, documents: Mapping[str, str], store_theta: bool
) -> None:
    """Create every group and dataset of the format; counts, identifiers, theta and ledger are still empty.

    Objects are created in the order in which a person would read them, and the file keeps that order.
    """
    replicate = _column(file, REPLICATE, "<i8", replicates, "1", "replicate: one draw of parameters and chance")
    replicate.make_scale(REPLICATE)
    for dimension in layout.dimensions:
        labels = np.array(dimension.labels, dtype=object)
        scale = file.create_dataset(dimension.name, data=labels, dtype=TEXT)
        scale.attrs["long_name"] = dimension.long_name or dimension.name
        scale.make_scale(dimension.name)
    for name in IDENTIFIERS:
        column = _column(file, name, "<u4", replicates, "1", _IDENTIFIER_NAMES[name])
        column.dims[0].attach_scale(replicate)
    for variable in layout.variables:
        _count_dataset(file, file, layout, variable, variable.strata, variable.dtype, replicates)

    totals = file.create_group(TOTALS, track_order=True)
    totals.attrs["long_name"] = "the same variables summed over all strata"
    used = {name for variable in layout.variables for name in variable.trailing}
    shared = [REPLICATE, *IDENTIFIERS, *(d.name for d in layout.dimensions if d.name in used)]
    for name in shared:
        # The very same objects under a second name: a reader of this group alone finds labels and identifiers.
        totals[name] = file[name]
    for variable in layout.variables:
        _count_dataset(file, totals, layout, variable, (), "int64", replicates)

    parameters = file.create_group(PARAMETERS, track_order=True)
    parameters.attrs["stored"] = np.int8(store_theta)
    theta = _column(parameters, THETA, "<i8", thetas if store_theta else 0, "1", "parameter set (see theta_id)")
    theta.make_scale(THETA)
    for description in layout.parameters if store_theta else ():
        column = _column(parameters, description.name, "<f8", thetas)
        for key in PARAMETER_ATTRIBUTES:
            column.attrs[key] = getattr(description, key)
        column.dims[0].attach_scale(theta)

    ledger = file.create_group(LEDGER, track_order=True)
    ledger.attrs["long_name"] = "one row per block, in order of replicates"
    ledger.attrs["checksum_kind"] = CHECKSUM_KIND
    block = _column(ledger, "block", "<i8", 0, "1", "number of the block")
    block.make_scale("block")
    for name, dtype, units, long_name in _LEDGER_COLUMNS:
        _column(ledger, name, dtype, 0, units, long_name).dims[0].attach_scale(block)
    theta_block = _column(ledger, THETA_BLOCK, "<i8", 0, "1", f"number of the {CHUNK_ROWS} parameter sets")
    theta_block.make_scale(THETA_BLOCK)
    _column(ledger, THETA_CHECKSUM, "S16", 0, "1", f"checksum of {CHUNK_ROWS} parameter sets, hexadecimal").dims[
        0
    ].attach_scale(theta_block)

    scenario = file.create_group(SCENARIO, track_order=True)
    for name, text in documents.items():
        document = scenario.create_dataset(document_link(name), data=text, dtype=TEXT)
        document.attrs["name"] = name


def _column(group: h5py.Group, name: str, dtype: str, rows: int, units: str = "", long_name: str = "") -> Any:
    """One-dimensional dataset that can grow, in the chunks and with the filter of the format."""
    column = group.create_dataset(
        name,
        shape=(rows,),
        maxshape=(None,),
        chunks=(CHUNK_ROWS,),
        dtype=np.dtype(dtype),
        shuffle=True,
        compression="gzip",
        compression_opts=1,
    )
    if units:
        column.attrs["units"] = units
        column.attrs["long_name"] = long_name
    return column


def _count_dataset(
    file: h5py.File,
    group: h5py.Group,
    layout: Layout,
    variable: Variable,
    strata: tuple[str, ...],
    dtype: str,
    replicates: int,
) -> None:
    cells = (*layout.sizes(strata), *layout.sizes(variable.trailing))
    dataset = group.create_dataset(
        variable.name,
        shape=(replicates, *cells),
        maxshape=(None, *cells),
        chunks=(CHUNK_ROWS, *(1 for _ in strata), *layout.sizes(variable.trailing)),
        dtype=np.dtype(dtype).newbyteorder("<"),
        shuffle=True,
        compression="gzip",
        compression_opts=1,
    )
    dataset.attrs["units"] = variable.units
    dataset.attrs["long_name"] = variable.long_name or variable.name
    dataset.attrs["description"] = variable.description
    dataset.attrs["coordinates"] = " ".join(IDENTIFIERS)  # CF: these columns belong to every variable
    dataset.attrs["strata"] = ",".join(strata)
    dataset.attrs["summed_out"] = ",".join(
        variable.summed_out if group is file else (*variable.strata, *variable.summed_out)
    )
    for axis, name in enumerate((REPLICATE, *strata, *variable.trailing)):
        dataset.dims[axis].attach_scale(file[name])


def document_link(name: str) -> str:
    """Link name of a document: percent-encoded, so that any name is one link ('data/a.csv' -> 'data%2Fa.csv')."""
    encoded = quote(name, safe=" ")
    return encoded if encoded.strip(".") else encoded.replace(".", "%2E")


def write_format(file: h5py.File) -> None:
    """Write the two attributes by which a reader decides whether it can read the rest."""
    file.attrs["filetype"] = FILETYPE
    file.attrs["format_version"] = np.array(FORMAT_VERSION, dtype=np.int64)


def write_attributes(file: h5py.File, attributes: Mapping[str, Attribute]) -> None:
    """Write root attributes; a truth value becomes 0 or 1, an integer beyond 64 bits its decimal text.

    Raises
    ------
    TypeError
        A value that is neither text, number, truth value nor a sequence of these.
    """
    for name, value in attributes.items():
        file.attrs[name] = _attribute_value(name, value)


def _attribute_value(name: str, value: Attribute) -> Any:
    if isinstance(value, str):
        return _stored_text(value)
    if isinstance(value, bool | np.bool_):
        return np.int8(value)
    if isinstance(value, int | np.integer):
        if -(2**63) <= value < 2**63:
            return np.int64(value)
        return np.uint64(value) if 0 <= value < 2**64 else str(value)
    if isinstance(value, float | np.floating):
        return np.float64(value)
    if isinstance(value, list | tuple | np.ndarray) and len(value):
        if all(isinstance(item, str) for item in value):
            return np.array([_stored_text(item) for item in value], dtype=object).astype(TEXT)
        numbers = np.asarray(value)
        if numbers.dtype.kind in "iuf":
            return numbers
    raise TypeError(f"attribute '{name}' cannot be stored: {value!r}")


def _stored_text(text: Any) -> str:
    """Arguments of a command line may hold bytes that are no text, and more than anybody reads again."""
    plain = str(text).replace("\0", "").encode("utf-8", "backslashreplace").decode()
    return plain if len(plain) <= LONGEST_TEXT else f"{plain[: LONGEST_TEXT - 4]} ..."


def description_checksum(file: h5py.File) -> str:
    """BLAKE2b-64 (hexadecimal) of all labels, attributes and documents, independent of their order in the file."""
    found: list[list[Any]] = [["/", _attributes(file), None]]
    for path in sorted(_paths(file)):
        if not isinstance(file.get(path, getlink=True), h5py.HardLink):
            raise ValueError(f"'{path}' is a link to elsewhere")
        item = file[path]
        found.append([path, _attributes(item), _text(item)])
    canonical = json.dumps(found, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()


def _text(item: Any) -> Any:
    """Content of a dataset of variable-length strings, else None."""
    if not isinstance(item, h5py.Dataset):
        return None
    kind = h5py.check_string_dtype(item.dtype)
    if kind is None or kind.length is not None:
        return None
    check_text(item, most=MOST_LABELS if item.ndim else 0, longest=LONGEST_TEXT)
    return read_texts(item) if item.ndim else item.asstr()[()]


def _paths(file: h5py.File) -> list[str]:
    paths = list(file)
    for group in (TOTALS, PARAMETERS, LEDGER, SCENARIO):
        paths += [f"{group}/{name}" for name in file[group]]
    return paths


def _attributes(item: Any) -> dict[str, Any]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in read_attributes(item).items()
        if name not in _HDF5_OWN
    }
