"""Comparing two results files: what they say and every number in them, in memory bounded by a few chunks.

Two files are the same result if nothing is found here. Compared are the root attributes that the caller names (those
that say which run it is), documents, dimensions with their labels, descriptions of variables and parameters, and all
values: counts, totals, identifiers, parameter sets and the ledger without its times. Where and when a file was made is
not compared; `environment_differences` lists it.

Floats are compared bit by bit: equal bits are equal, NaN too, and -0.0 differs from 0.0. A whole chunk whose compressed
bytes agree is equal and not inflated. A file that another program rewrote with other chunks or filters is equal if its
values are. Whether what is in a file is what was written is another question: `Results.verify_checksums`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from simcore.errors import ResultsError
from simcore.store.chunks import RowReader, row_ranges
from simcore.store.layout import (
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
    Variable,
)
from simcore.store.opening import reading
from simcore.store.reader import Results

Kind = Literal["shape", "type", "values", "labels", "missing", "attribute", "document"]

ENVIRONMENT: Final = (
    "simcore", "python", "numpy", "numba", "llvmlite", "scipy", "h5py", "isal", "hdf5",
    "platform", "cpu", "cpu_target", "cpu_features", "git_commit", "git_dirty",
)  # fmt: skip
"""Root attributes that say in what environment the numbers were made (`simcore.store.provenance.environment`)."""

_LEDGER_COLUMNS: Final = ("first_row", "rows", "agents", "checksum")  # not seconds: no two runs agree in them
_LATER_LEDGER_COLUMNS: Final = (THETA_BLOCK, THETA_CHECKSUM)  # of format 1.1 on; compared where both have them
_VARIABLE_ATTRIBUTES: Final = ("units", "long_name", "description", "summed_out")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two results files differ.

    Attributes
    ----------
    path : str
        Dataset, such as ``"totals/victims"``, or attribute: ``"victims@units"``, of the root ``"@seed"``.
    kind : {"shape", "type", "values", "labels", "missing", "attribute", "document"}
        Of a ``"missing"`` object one file has none. A ``"type"`` is a difference even where all values agree.
    message : str
        One line for a person; what is said of the left file comes first.
    values, rows : int
        Values that differ, and rows (replicates, parameter sets, blocks) with at least one of them. Of lists of labels:
        labels that differ. Of a number of rows (``"shape"``): rows that one file has more. Else 0.
    first_row : int or None
        First row that differs, or that one file has not.
    largest : int or float or None
        Largest absolute difference, exact for integers; None if it is no difference of numbers, or all are with NaN.
    """

    path: str
    kind: Kind
    message: str
    values: int = 0
    rows: int = 0
    first_row: int | None = None
    largest: int | float | None = None


def compare_results(
    left: Results,
    right: Results,
    *,
    attributes: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> list[Difference]:
    """Find everything in which two results files differ; an empty list means that they hold the same result.

    Parameters
    ----------
    left, right : Results
        If one has more replicates or parameter sets, the rows that both have are compared too.
    attributes : sequence of str
        Root attributes to compare. Their text, type and, for floats, bits must agree.
    defaults : mapping, optional
        Value of a root attribute in a file that does not have it.

    Returns
    -------
    list of Difference
        At most one per dataset and kind, and one per attribute and document; ordered from what a run is to its numbers.

    Raises
    ------
    ResultsError
        Something that must be read to be compared is missing or damaged.
    """
    return [
        *_root_attributes(left, right, attributes, defaults or {}),
        *_documents(left, right),
        *_dimensions(left, right),
        *_row_numbers(left, right),
        *_identifiers(left, right),
        *_variables(left, right),
        *_parameters(left, right),
        *_ledger(left, right),
    ]


def environment_differences(left: Results, right: Results) -> dict[str, tuple[str, str]]:
    """Versions, processor and source revision that differ: name -> (left, right).

    An attribute that a file does not have is ``"unknown"``.
    """
    pairs = {name: tuple(str(each.attributes.get(name, "unknown")) for each in (left, right)) for name in ENVIRONMENT}
    return {name: (first, second) for name, (first, second) in pairs.items() if first != second}


# What the files say ---------------------------------------------------------------------------------------------------


def _root_attributes(
    left: Results, right: Results, names: Sequence[str], defaults: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in names:
        yield from _attribute(f"@{name}", *(each.attributes.get(name, defaults.get(name)) for each in (left, right)))


def _attribute(path: str, left: Any, right: Any) -> Iterator[Difference]:
    # Equal texts of plain values mean equal types and bits: 1 is not 1.0, NaN is NaN, -0.0 is not 0.0.
    if repr(left) != repr(right):
        yield Difference(path, "attribute", f"{path}: {_shown(left)} and {_shown(right)}")


def _shown(value: Any, most: int = 60) -> str:
    text = "not there" if value is None else repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _documents(left: Results, right: Results) -> Iterator[Difference]:
    texts, others = left.documents(), right.documents()
    yield from _missing((f"{SCENARIO}/{name}" for name in texts), (f"{SCENARIO}/{name}" for name in others), "document")
    for name, text in texts.items():
        if name in others and others[name] != text:
            path = f"{SCENARIO}/{name}"
            line, column = _first_difference(text, others[name])
            yield Difference(path, "document", f"{path}: the texts differ from line {line}, character {column} on")


def _first_difference(left: str, right: str) -> tuple[int, int]:
    """Line and character, both from 1, at which two texts part."""
    shorter = min(len(left), len(right))
    place = next((place for place in range(shorter) if left[place] != right[place]), shorter)
    return left.count("\n", 0, place) + 1, place - left.rfind("\n", 0, place)


def _missing(left: Iterable[str], right: Iterable[str], what: str) -> Iterator[Difference]:
    """Report names that only one of two files has."""
    one, other = dict.fromkeys(left), dict.fromkeys(right)  # sets that keep their order
    for side, names, absent in (("left", one, other), ("right", other, one)):
        for name in names:
            if name not in absent:
                yield Difference(name, "missing", f"{name}: only the {side} file has this {what}")


def _dimensions(left: Results, right: Results) -> Iterator[Difference]:
    one = {dimension.name: dimension for dimension in left.layout.dimensions}
    other = {dimension.name: dimension for dimension in right.layout.dimensions}
    yield from _missing(one, other, "dimension")
    for name in _common(one, other):
        labels, others = one[name].labels, other[name].labels
        yield from _attribute(f"{name}@long_name", one[name].long_name, other[name].long_name)
        if len(labels) != len(others):
            yield Difference(name, "shape", f"{name}: {len(labels)} labels and {len(others)}")
        different = [place for place, pair in enumerate(zip(labels, others, strict=False)) if pair[0] != pair[1]]
        if different:
            place = different[0]
            yield Difference(
                name,
                "labels",
                f"{name}: {_number(len(different), 'label')} differ{'s' if len(different) == 1 else ''}, "
                f"the first at place {place}: {_shown(labels[place])} and {_shown(others[place])}",
                values=len(different),
            )


def _common(left: Iterable[str], right: Iterable[str]) -> list[str]:
    known = set(right)
    return [name for name in left if name in known]


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


# Lengths --------------------------------------------------------------------------------------------------------------


def _row_numbers(left: Results, right: Results) -> Iterator[Difference]:
    """Report numbers of replicates, parameter sets and blocks; once each, not for every dataset that has such rows."""
    paths = [(REPLICATE, "replicate"), (f"{LEDGER}/rows", "block")]
    if left.stores_theta and right.stores_theta:
        paths.insert(1, (f"{PARAMETERS}/{THETA}", "parameter set"))
    for path, noun in paths:
        one, other = _length(left, path), _length(right, path)
        if one != other:
            yield Difference(
                path,
                "shape",
                f"{path}: {_number(one, noun)} and {other:,}",
                rows=abs(one - other),
                first_row=min(one, other),
            )


def _length(results: Results, path: str) -> int:
    return int(results._dataset(path).shape[0])


# Values ---------------------------------------------------------------------------------------------------------------


def _identifiers(left: Results, right: Results) -> Iterator[Difference]:
    for name in (REPLICATE, *IDENTIFIERS):
        yield from _columns(left, right, name, "replicate")


def _variables(left: Results, right: Results) -> Iterator[Difference]:
    one = {variable.name: variable for variable in left.layout.variables}
    other = {variable.name: variable for variable in right.layout.variables}
    yield from _missing(one, other, "variable")
    for name in _common(one, other):
        yield from _variable(left, right, one[name], other[name])


def _variable(left: Results, right: Results, one: Variable, other: Variable) -> Iterator[Difference]:
    name = one.name
    for key in _VARIABLE_ATTRIBUTES:
        yield from _attribute(f"{name}@{key}", *(_attribute_text(getattr(each, key)) for each in (one, other)))
    if one.dtype != other.dtype:
        yield Difference(name, "type", f"{name}: {one.dtype} and {other.dtype}")
    for path, strata, others in ((name, one.strata, other.strata), (f"{TOTALS}/{name}", (), ())):
        axes = [(*strata, *one.trailing), (*others, *other.trailing)]
        sizes = [each.layout.sizes(named) for each, named in zip((left, right), axes, strict=True)]
        if axes[0] != axes[1] or len(strata) != len(others):
            texts = [f"[{', '.join(named)}]" for named in axes]
            yield Difference(path, "shape", f"{path}: axes {texts[0]} and {texts[1]}")
        elif sizes[0] != sizes[1]:
            yield Difference(path, "shape", f"{path}: {list(sizes[0])} and {list(sizes[1])} values per replicate")
        else:
            yield from _columns(left, right, path, "replicate", sizes[0][: len(strata)])


def _attribute_text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)


def _parameters(left: Results, right: Results) -> Iterator[Difference]:
    if left.stores_theta != right.stores_theta:
        side = "left" if left.stores_theta else "right"
        yield Difference(PARAMETERS, "missing", f"{PARAMETERS}: only the {side} file has the values of parameters")
        return
    if not left.stores_theta:
        return
    one = {column.name: column for column in left.layout.parameters}
    other = {column.name: column for column in right.layout.parameters}
    yield from _missing(
        (f"{PARAMETERS}/{name}" for name in one), (f"{PARAMETERS}/{name}" for name in other), "parameter"
    )
    yield from _columns(left, right, f"{PARAMETERS}/{THETA}", "parameter set")
    for name in _common(one, other):
        path = f"{PARAMETERS}/{name}"
        for key in PARAMETER_ATTRIBUTES:
            yield from _attribute(f"{path}@{key}", getattr(one[name], key), getattr(other[name], key))
        yield from _columns(left, right, path, "parameter set")


def _ledger(left: Results, right: Results) -> Iterator[Difference]:
    # Checksums of two kinds say nothing about each other; the values that they are of are compared above.
    same_kind = left.checksum_kind == right.checksum_kind
    for name in _LEDGER_COLUMNS:
        if same_kind or name != "checksum":
            yield from _columns(left, right, f"{LEDGER}/{name}", "block")
    for name in _LATER_LEDGER_COLUMNS:
        if not same_kind and name == THETA_CHECKSUM:
            continue
        path = f"{LEDGER}/{name}"
        with reading(f"{left._place}, {right._place}", f"dataset '{path}'"):
            stored = all(path in each._file for each in (left, right))
        if stored:
            yield from _columns(left, right, path, "block of parameter sets")


def _columns(left: Results, right: Results, path: str, noun: str, strata: tuple[int, ...] = ()) -> Iterator[Difference]:
    """Compare the values of two datasets ``[rows, *strata, *trailing]`` in the rows that both have."""
    datasets = [each._dataset(path) for each in (left, right)]
    types = [dataset.dtype for dataset in datasets]
    comparable = types[0].kind in "iufS" if types[0] == types[1] else types[0].kind in "iu" and types[1].kind in "iu"
    if not comparable or datasets[0].shape[1:] != datasets[1].shape[1:]:
        shapes = [f"{dataset.dtype} {dataset.shape}" for dataset in datasets]
        raise ResultsError(f"{left._place}, {right._place}: '{path}' cannot be compared: {shapes[0]} and {shapes[1]}")
    rows = min(dataset.shape[0] for dataset in datasets)
    one, other = (
        RowReader(dataset, len(strata), each._place) for dataset, each in zip(datasets, (left, right), strict=True)
    )
    tally = _Tally()
    for first, end in row_ranges(0, rows):
        touched = np.zeros(end - first, dtype=bool)
        for stratum in np.ndindex(strata):
            if types[0] == types[1] and _same_bytes(one, other, first, stratum):
                continue
            tally.add(one.piece(first, end, stratum), other.piece(first, end, stratum), touched)
        tally.end_rows(first, touched)
    if tally.values:
        yield Difference(
            path,
            "values",
            f"{path}: {_number(tally.values, 'value')} differ{'s' if tally.values == 1 else ''} "
            f"in {tally.rows:,} of {_number(rows, noun)}, first in {noun} {tally.first_row}"
            + ("" if tally.largest is None else f", by at most {tally.largest:.6g}"),
            tally.values,
            tally.rows,
            tally.first_row,
            tally.largest,
        )


def _same_bytes(left: RowReader, right: RowReader, first: int, stratum: tuple[int, ...]) -> bool:
    encoded = left.encoded(first, stratum)
    return encoded is not None and encoded == right.encoded(first, stratum)


class _Tally:
    """Counts what differs in one dataset, piece by piece."""

    def __init__(self) -> None:
        self.values = 0
        self.rows = 0
        self.first_row: int | None = None
        self.largest: int | float | None = None

    def add(self, left: NDArray[Any], right: NDArray[Any], touched: NDArray[np.bool_]) -> None:
        """Compare two pieces [rows, *trailing] and mark in ``touched`` [rows] the rows that differ."""
        different = _bits(left) != _bits(right)
        number = int(np.count_nonzero(different))
        if not number:
            return
        self.values += number
        touched |= different.reshape(len(different), -1).any(axis=1)
        largest = _largest_difference(left[different], right[different])
        if largest is not None and (self.largest is None or largest > self.largest):
            self.largest = largest

    def end_rows(self, first: int, touched: NDArray[np.bool_]) -> None:
        """Count the rows that differ in any stratum; row 0 of ``touched`` is row ``first`` of the dataset."""
        number = int(np.count_nonzero(touched))
        if number and self.first_row is None:
            self.first_row = first + int(np.argmax(touched))
        self.rows += number


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    """Floats as the integers that have their bits; anything else as it is."""
    return values.view(f"<u{values.dtype.itemsize}") if values.dtype.kind == "f" else values


def _largest_difference(left: NDArray[Any], right: NDArray[Any]) -> int | float | None:
    """Largest absolute difference of two arrays [n], n > 0: exact for integers, passing over NaN, None for text."""
    if left.dtype.kind == "S":
        return None
    if left.dtype.kind == "f":
        numbers = ~(np.isnan(left) | np.isnan(right))
        # An infinity and the largest finite numbers may overflow, which is then the answer.
        with np.errstate(over="ignore"):
            return float(np.abs(left[numbers] - right[numbers]).max()) if numbers.any() else None
    # The difference of two int64 needs 65 bits with a sign, but 64 without: subtracting modulo 2**64 is exact.
    larger, smaller = (choose(left, right).astype(np.int64).view(np.uint64) for choose in (np.maximum, np.minimum))
    return int((larger - smaller).max())
