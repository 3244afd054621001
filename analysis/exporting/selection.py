"""What is exported of the counts, and the pieces in which it is read.

A *cell* is one combination of levels of the axes that are kept and of the trailing dimensions of a variable; a piece
is some replicates of all cells of one variable.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simcore.errors import UserError
from simcore.store.layout import CHUNK_ROWS, Variable

if TYPE_CHECKING:
    from simcore.store import Results

LARGEST_PIECE = 2**20
"""Counts that are read at once, at most (one replicate is never cut)."""


@dataclass(frozen=True)
class Selection:
    """Checked wishes.

    Attributes
    ----------
    variables : tuple of Variable
    by : tuple of str
        Strata axes that are kept.
    kept : dict of variable -> tuple of str
        Those of them that the variable has.
    first, end : int
        Replicates ``first <= row < end``.
    """

    variables: tuple[Variable, ...]
    by: tuple[str, ...]
    kept: Mapping[str, tuple[str, ...]]
    first: int
    end: int

    @property
    def trailing(self) -> tuple[str, ...]:
        """Trailing dimensions of all variables, each once."""
        return tuple(dict.fromkeys(name for variable in self.variables for name in variable.trailing))

    def axes(self, variable: Variable) -> tuple[str, ...]:
        """Return the axes of a variable after the replicates."""
        return (*self.kept[variable.name], *variable.trailing)

    def cells(self, results: Results, variable: Variable) -> int:
        """Return the counts of a variable per replicate."""
        return math.prod(results.layout.sizes(self.axes(variable)))

    def counts(self, results: Results) -> int:
        """Return how many counts there are in all."""
        return (self.end - self.first) * sum(self.cells(results, variable) for variable in self.variables)

    def pieces(self, results: Results, variable: Variable) -> Iterator[tuple[slice, NDArray[np.int64]]]:
        """Read a variable.

        Yields
        ------
        rows : slice
            Replicates.
        counts : int64 array [rows, *kept axes, *trailing]
        """
        step = piece_rows(self.cells(results, variable))
        for start in range(self.first - self.first % step, self.end, step):
            rows = slice(max(start, self.first), min(start + step, self.end))
            yield rows, results.read(variable.name, by=self.kept[variable.name], rows=rows)


def select(results: Results, variables: Sequence[str] | None, by: Sequence[str], rows: slice | None) -> Selection:
    """Check what is wanted of the counts.

    Parameters
    ----------
    results : Results
    variables : sequence of str or None
        None takes all; an axis that only some of them have is then missing from the others.
    by : sequence of str
        Strata axes to keep; every variable that is named must have them.
    rows : slice or None
        Replicates, with step 1.

    Raises
    ------
    UserError
        Replicates that the file does not hold, or a variable named twice.
    ResultsError
        An unknown variable or axis, or an axis that was summed over before storing.
    """
    wanted = (by,) if isinstance(by, str) else tuple(by)
    if variables is None:
        chosen = results.layout.variables
        for axis in wanted:
            if not any(axis in variable.strata for variable in chosen):
                results.read(chosen[-1].name, by=(axis,), rows=slice(0, 0))  # says what is wrong with it
    else:
        names = (variables,) if isinstance(variables, str) else tuple(variables)
        chosen = tuple(results.variable(name) for name in names)
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"variables = '{twice}': named twice")
    kept = {v.name: tuple(axis for axis in wanted if variables is not None or axis in v.strata) for v in chosen}
    for variable in chosen:
        results.read(variable.name, by=kept[variable.name], rows=slice(0, 0))
    first, end = check_rows(rows, results.replicates, "replicates")
    return Selection(chosen, wanted, kept, first, end)


def check_rows(rows: slice | None, length: int, things: str) -> tuple[int, int]:
    """Return the first row and the one after the last.

    Raises
    ------
    UserError
        No row, or one beyond the end; or a step or a negative number, which say nothing here.
    """
    if rows is None:
        return 0, length
    first = 0 if rows.start is None else int(rows.start)
    end = length if rows.stop is None else int(rows.stop)
    typed = f"{'' if rows.start is None else first}:{'' if rows.stop is None else end}"
    if rows.step not in (None, 1) or not 0 <= first < end <= length:
        raise UserError(f"rows = '{typed}': must be FIRST:END with 0 <= FIRST < END <= {length} ({things} in the file)")
    return first, end


def piece_rows(cells: int) -> int:
    """Return replicates per piece: whole chunks of the file, or an even part of one if that is too much."""
    rows = LARGEST_PIECE // cells
    if rows >= CHUNK_ROWS:
        return rows // CHUNK_ROWS * CHUNK_ROWS
    return int(2 ** math.floor(math.log2(max(rows, 1))))
