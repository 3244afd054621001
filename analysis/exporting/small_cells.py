"""Counts from 1 to 9 in an export: missing and marked, unless told otherwise. Zero stays zero.

The threshold is that of every printed table (`analysis.number_format.SMALL_CELL`). A hidden count is a missing value
and not a text, so that the column keeps its type. Hiding keeps small numbers from being quoted by accident; it does
not protect anybody: what was hidden can often be had back by subtracting, and the results file keeps everything.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.number_format import HIDDEN, SMALL_CELL

SmallCells = Literal["hide", "show"]

WAYS: tuple[SmallCells, ...] = ("hide", "show")

FILL_VALUE = -1
"""What stands for a hidden count where a file format has no missing integers; no count is negative."""

HIDING = (
    f"Counts from 1 to {SMALL_CELL - 1:.0f} are hidden ({HIDDEN}): their value is missing. Zero is given as 0. Sums "
    "and means over values with hidden ones among them are wrong; export with small cells shown to compute with them."
)
SHOWING = "All counts are given, those below 10 too."
HIDING_FIGURES = (
    f"Figures of persons or events above 0 and below {SMALL_CELL:.0f} are hidden ({HIDDEN}) with their errors: "
    "estimate and mcse are missing and hidden is true. Zero is given as 0, ratios are given as they are."
)


def is_hidden(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where counts are small cells: above 0 and below `SMALL_CELL`."""
    found: NDArray[np.bool_] = (counts > 0) & (counts < SMALL_CELL)
    return found
