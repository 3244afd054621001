"""What a results file holds: its dimensions, count variables and parameter columns, and the constants of the format.

A *variable* is a table of counts per replicate. Its axes on disk are::

    replicate, <stored strata axes in order>, <trailing dimensions in order>

One combination of levels of the stored strata axes is a *slot*; slots are numbered in C order (last axis fastest), so
a block of counts in memory has the shape ``[slots, rows, *trailing]`` and a chunk on disk holds one slot over
``CHUNK_ROWS`` replicates. The store attaches no meaning to any of this: it knows arrays, names and labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from simcore.errors import ResultsError, nearest

CHUNK_ROWS: Final = 4096
"""Replicates per chunk: a constant of the format, so that finished chunks can be copied between files as they are."""

FORMAT_VERSION: Final = (1, 1)
"""(major, minor): readers refuse a newer major; a newer minor only adds what older readers may ignore."""

FILETYPE: Final = "simcore-results"

REPLICATE: Final = "replicate"
IDENTIFIERS: Final = ("theta_id", "replicate_id", "shared_id")
TOTALS: Final = "totals"
PARAMETERS: Final = "parameters"
THETA: Final = "theta"
LEDGER: Final = "ledger"
THETA_BLOCK: Final = "theta_block"
THETA_CHECKSUM: Final = "theta_checksum"
SCENARIO: Final = "scenario"

_RESERVED: Final = frozenset({REPLICATE, *IDENTIFIERS, TOTALS, PARAMETERS, LEDGER, SCENARIO})


@dataclass(frozen=True, slots=True)
class Dimension:
    """A named axis with a label per element.

    Parameters
    ----------
    name : str
        Name of the axis and of its dimension scale, such as ``"origin"``.
    labels : tuple of str
        Distinct labels, in stored order.
    long_name : str
        What the axis is, for a person.
    """

    name: str
    labels: tuple[str, ...]
    long_name: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """Counts per replicate, by stored strata axes and trailing dimensions.

    Parameters
    ----------
    name : str
    strata : tuple of str
        Stored strata axes, in disk order; chunks are cut along them.
    trailing : tuple of str
        Dimensions that stay together in a chunk.
    dtype : {"int32", "int64"}
        Type on disk; values that do not fit raise, they never wrap. Totals over strata are always int64.
    units, long_name, description : str
    summed_out : tuple of str
        Strata axes that the counts had, but that were summed over before storing. Only used to say what to rerun
        when somebody asks for them.
    """

    name: str
    strata: tuple[str, ...]
    trailing: tuple[str, ...] = ()
    dtype: Literal["int32", "int64"] = "int32"
    units: str = "persons"
    long_name: str = ""
    description: str = ""
    summed_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParameterColumn:
    """One scalar column of theta and where it comes from.

    Parameters
    ----------
    name : str
        Scalar name, such as ``"rho"``, ``"multiplier[COL,sexual]"`` or ``"share[hub]"``; no ``/``.
    unit, label, grade, source : str
    distribution : str
        The declared distribution as text.
    index : str
        Axes over which separate draws are made, as text (empty: one draw shared by everything).
    """

    name: str
    unit: str = ""
    label: str = ""
    grade: str = ""
    source: str = ""
    distribution: str = ""
    index: str = ""


PARAMETER_ATTRIBUTES: Final = ("unit", "label", "grade", "source", "distribution", "index")


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that fixes the shape of a results file but the number of replicates.

    Raises
    ------
    ResultsError
        A label or a parameter name that HDF5 or netCDF cannot hold (these come from a scenario).
    ValueError
        Names that collide, axes that do not exist, unknown types (these come from a program).
    """

    dimensions: tuple[Dimension, ...]
    variables: tuple[Variable, ...]
    parameters: tuple[ParameterColumn, ...] = ()

    def __post_init__(self) -> None:
        names = [dimension.name for dimension in self.dimensions] + [variable.name for variable in self.variables]
        for name in names:
            # A variable named like a dimension would be taken for that dimension's coordinate by netCDF readers.
            if name in _RESERVED or names.count(name) > 1:
                raise ValueError(f"name '{name}' is taken: dimensions and variables share one group")
            if not name.isidentifier():
                raise ValueError(f"name '{name}' of a dimension or variable must be an identifier")
        for dimension in self.dimensions:
            _check_labels(dimension)
        known = {dimension.name for dimension in self.dimensions}
        for variable in self.variables:
            axes = variable.strata + variable.trailing
            if len(set(axes)) != len(axes) or not known.issuperset(axes):
                raise ValueError(f"variable '{variable.name}' has repeated or unknown axes: {axes}")
            if variable.dtype not in ("int32", "int64"):
                raise ValueError(f"variable '{variable.name}' has type '{variable.dtype}'; known: int32, int64")
        seen: set[str] = set()
        for column in self.parameters:
            if not column.name or "/" in column.name or "\0" in column.name or column.name in (".", THETA):
                raise ResultsError(
                    f"parameter name '{column.name}' cannot be stored: '/', NUL and 'theta' are reserved"
                )
            if column.name in seen:
                raise ResultsError(f"parameter name '{column.name}' is given twice")
            seen.add(column.name)

    @property
    def parameter_names(self) -> list[str]:
        """Names of the columns of theta, in stored order."""
        return [column.name for column in self.parameters]

    def variable(self, name: str) -> Variable:
        """Return a variable by name; an unknown name raises ResultsError with the nearest match."""
        for variable in self.variables:
            if variable.name == name:
                return variable
        known = [variable.name for variable in self.variables]
        raise ResultsError(f"no variable '{name}'{nearest(name, known)} (stored: {', '.join(known)})")

    def dimension(self, name: str) -> Dimension:
        """Return a dimension by name; an unknown name raises ResultsError with the nearest match."""
        for dimension in self.dimensions:
            if dimension.name == name:
                return dimension
        known = [dimension.name for dimension in self.dimensions]
        raise ResultsError(f"no axis '{name}'{nearest(name, known)} (stored: {', '.join(known)})")

    def sizes(self, axes: Iterable[str]) -> tuple[int, ...]:
        """Number of labels of each axis named."""
        return tuple(len(self.dimension(axis).labels) for axis in axes)

    def slots(self, variable: Variable) -> int:
        """Number of stored strata combinations of a variable (1 if no strata axis is stored)."""
        return math.prod(self.sizes(variable.strata))

    def block_bytes(self, rows: int) -> int:
        """Uncompressed size [bytes] of the counts, totals and identifiers of ``rows`` replicates."""
        per_row = 8 + 4 * len(IDENTIFIERS)
        for variable in self.variables:
            cells = math.prod(self.sizes(variable.trailing))
            per_row += cells * (self.slots(variable) * (4 if variable.dtype == "int32" else 8) + 8)
        return rows * per_row


def _check_labels(dimension: Dimension) -> None:
    labels = dimension.labels
    if not labels:
        raise ResultsError(f"axis '{dimension.name}' has no labels")
    for label in labels:
        if not label or "\0" in label:
            raise ResultsError(f"label '{label!r}' of axis '{dimension.name}' cannot be stored: empty or with NUL")
    if len(set(labels)) != len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ResultsError(f"label '{twice}' of axis '{dimension.name}' is given twice")
