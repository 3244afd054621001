"""Parameter sets of a nested run: means and variances within, in one pass over the replicates (docs/model.md D4).

For a set with n values y_1 ... y_n::

    mean  = sum y / n        chance = s^2 = sum (y - mean)^2 / (n - 1)        noise = s^2 / n

A ratio may be missing in some replicates, so n may differ from set to set; a set with less than two values has no
variance within and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.passes import read_values
from analysis.variance.sets import SHIFT, FloatArray, SetFigures
from simcore.store.layout import CHUNK_ROWS

if TYPE_CHECKING:
    from analysis.stages import Stage
    from simcore.store import Results

_BLOCK_BYTES = 64 * 2**20


class SetMoments:
    """Count, mean and squared deviations of every set and column, merged block by block."""

    def __init__(self, columns: int, sets: int) -> None:
        self.count = np.zeros((columns, sets))
        self.mean = np.zeros((columns, sets))
        self.squares = np.zeros((columns, sets))

    def add(self, values: FloatArray, sets: np.ndarray) -> None:
        """Take in replicates: values [columns, rows], NaN where missing, and the set of each row, not decreasing."""
        starts = np.flatnonzero(np.diff(sets, prepend=-1))
        here = sets[starts]
        lengths = np.diff(starts, append=len(sets))
        present = ~np.isnan(values)
        count = np.add.reduceat(present, starts, axis=1, dtype=np.float64)
        total = np.add.reduceat(np.where(present, values, 0.0), starts, axis=1)
        mean = total / np.maximum(count, 1.0)
        apart = np.where(present, values - np.repeat(mean, lengths, axis=1), 0.0)
        squares = np.add.reduceat(apart * apart, starts, axis=1)
        before = self.count[:, here]
        both = np.maximum(before + count, 1.0)
        step = np.where(count > 0, mean - self.mean[:, here], 0.0)
        self.squares[:, here] += squares + step * step * before * count / both
        self.mean[:, here] += step * count / both
        self.count[:, here] += count

    def figures(self, column: int) -> SetFigures:
        """Return what is known of the sets of a column."""
        count = np.where(self.count[column] > 1.0, self.count[column], np.nan)
        chance = self.squares[column] / (count - 1.0)
        mean = np.where(np.isnan(count), np.nan, self.mean[column])
        return SetFigures(mean, chance / count, chance, None)


def nested_figures(
    results: Results, stages: Sequence[Stage], by: Sequence[str], sets: int
) -> tuple[list[SetFigures], list[SetFigures | None]]:
    """Return the figures of every column, as they are and as log10(Y + 0.5) where they are counts.

    Parameters
    ----------
    results : Results
        Of a nested run.
    stages, by
        Columns in the order of `analysis.passes.measure`.
    sets : int
        The first so many parameter sets are used.
    """
    inner = results.nested[1]
    rows = min(sets * inner, results.replicates)
    cells = int(np.prod(results.layout.sizes(by), dtype=np.int64))
    columns = len(stages) * cells
    is_count = np.repeat([stage.kind != "ratio" for stage in stages], cells)
    step = max(1, _BLOCK_BYTES // (8 * columns) // CHUNK_ROWS) * CHUNK_ROWS
    natural, logarithm = SetMoments(columns, sets), SetMoments(int(is_count.sum()), sets)
    for first in range(0, rows, step):
        part = slice(first, min(first + step, rows))
        values = read_values(results, stages, by, part)
        identifiers = results.theta_ids(part).astype(np.int64)
        natural.add(values, identifiers)
        logarithm.add(np.log10(values[is_count] + SHIFT), identifiers)
    place = np.cumsum(is_count) - 1
    return (
        [natural.figures(column) for column in range(columns)],
        [logarithm.figures(int(place[column])) if is_count[column] else None for column in range(columns)],
    )
