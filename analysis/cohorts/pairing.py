"""Two results files read as one: replicate by replicate, when the same replicate means the same random numbers.

Replicates pair if both files have the same seed, number of replicates, nesting and design, and if persons keep their
identity in the same way: the agent engine with one walker. The cohort engine draws counts, which have no identity, and
two walkers read different words (docs/model.md I1). Then the difference of a stage is
a number per replicate, and its mean, quantiles and errors are measured as those of any stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from analysis.embedded import read_roles
from analysis.passes import Measured, measure
from analysis.stages import Counts, Kind, Stage, all_stages, choose_stages

if TYPE_CHECKING:
    from simcore.store import Results
    from simcore.store.layout import Layout

_SAME = ("seed", "results_version", "engine", "walker", "design", "randomisation")
_OLDER, _NEWER = "a:", "b:"
PROBABILITIES = (0.05, 0.5, 0.95)


def why_unpaired(first: Results, second: Results) -> str:
    """Return why replicates of two results files are not pairs; empty if they are."""
    for name in _SAME:
        one, other = first.attributes.get(name), second.attributes.get(name)
        if str(one) != str(other):
            return f"{name} {one} against {other}"
    if first.replicates != second.replicates:
        return f"{first.replicates:,} replicates against {second.replicates:,}"
    if first.nested != second.nested:
        return "nested in different ways"
    if first.attributes["engine"] != "agent":
        return f"engine {first.attributes['engine']}: counts keep no identity"
    return ""


class _Pair:
    """The part of `Results` that `analysis.passes` reads, of two files with the same replicates."""

    def __init__(self, first: Results, second: Results) -> None:
        self._files = {_OLDER: first, _NEWER: second}
        self.path = second.path
        self.replicates = first.replicates
        self.nested = first.nested
        self.layout: Layout = first.layout

    def read(self, variable: str, *, by: Sequence[str] = (), rows: slice | None = None) -> NDArray[np.int64]:
        """Read a variable of the file that its prefix names."""
        return self._files[variable[:2]].read(variable[2:], by=by, rows=rows)

    def theta_ids(self, rows: slice | None = None) -> NDArray[np.uint32]:
        """Return the parameter set of each replicate."""
        return self._files[_OLDER].theta_ids(rows)


def measure_pairs(first: Results, second: Results, quantities: Sequence[str]) -> tuple[list[str], Measured, Measured]:
    """Measure second minus first, and second over first, of every replicate.

    Parameters
    ----------
    first, second : Results
        For which `why_unpaired` is empty.
    quantities : sequence of str
        Names of stages (`analysis.stages`).

    Returns
    -------
    names : list of str
    difference, ratio : Measured
        Columns in the order of ``names``, quantiles at `PROBABILITIES`. A ratio is missing where the first is zero.
    """
    stages = [choose_stages(all_stages(each, read_roles(each)), quantities) for each in (first, second)]
    pairs = list(zip(*stages, strict=True))
    joint = cast("Results", _Pair(first, second))
    differences = [_joint(one, other, "difference") for one, other in pairs]
    ratios = [_joint(one, other, "ratio") for one, other in pairs]
    measured = [measure(joint, chosen, by=(), probabilities=PROBABILITIES) for chosen in (differences, ratios)]
    return [one.name for one, _ in pairs], measured[0], measured[1]


def _joint(first: Stage, second: Stage, what: str) -> Stage:
    """Return the difference or ratio of a stage in both files as a stage."""
    variables = (*(_OLDER + name for name in first.variables), *(_NEWER + name for name in second.variables))

    def of(stage: Stage, prefix: str, counts: Counts) -> NDArray[np.float64]:
        return stage.count({name: counts[prefix + name] for name in stage.variables})

    def difference(counts: Counts) -> NDArray[np.float64]:
        return of(second, _NEWER, counts) - of(first, _OLDER, counts)

    def ratio(counts: Counts) -> NDArray[np.float64]:
        below, above = of(first, _OLDER, counts), of(second, _NEWER, counts)
        missing = np.full(below.shape, np.nan)
        return np.divide(above, below, out=missing, where=below > 0)

    kind: Kind = first.kind if what == "difference" else "ratio"
    return Stage(first.name, first.label, kind, first.section, variables, ratio if what == "ratio" else difference)
