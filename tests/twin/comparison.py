"""Equality of stored results and the twin's counts, variable by variable and cell by cell."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from simcore.scenario import Scenario
from tests.twin.cohort import AXES
from tests.twin.simulation import Simulated

if TYPE_CHECKING:
    from simcore.store import Results

__all__ = ["AXES", "assert_same_counts", "assert_same_theta"]

VARIABLES = {
    "persons", "at_risk", "victims", "destination", "reached", "visits", "outcome", "attempts", "ended",
}  # fmt: skip


def assert_same_counts(results: Results, simulated: Simulated) -> None:
    """Demand that every stored count equals the twin's; the results must keep the same axes and hold ``ended``."""
    assert {variable.name for variable in results.layout.variables} == VARIABLES
    for variable in results.layout.variables:
        stored = results.read(variable.name, by=variable.strata)
        assert set(variable.strata) == set(simulated.store_by) - (
            {"exploitation"} if variable.name in ("persons", "at_risk") else set()
        )
        dimensions = [results.labels(axis) for axis in (*variable.strata, *variable.trailing)]
        keys = itertools.product(range(results.replicates), *dimensions)
        tally = simulated.counts.get(variable.name, {})
        made = np.array([tally.get(key, 0) for key in keys], dtype=np.int64).reshape(stored.shape)
        assert made.sum() == sum(tally.values()), f"{variable.name}: the twin counts under labels that are not stored"
        different = np.argwhere(stored != made)
        assert not different.size, f"{variable.name}: {_first(different, dimensions, stored, made)}"


def _first(different: np.ndarray, dimensions: list[tuple[str, ...]], stored: np.ndarray, made: np.ndarray) -> str:
    where = tuple(different[0])
    labels = [labels[index] for labels, index in zip(dimensions, where[1:], strict=True)]
    return f"{len(different)} differ, the first at row {where[0]}, {labels}: {stored[where]}, twin {made[where]}"


def assert_same_theta(results: Results, simulated: Simulated, scenario: Scenario) -> None:
    """Demand that every stored parameter equals the twin's bit for bit, and that none the twin needed is missing."""
    stored = results.theta()
    assert len(stored) == len(simulated.theta)
    elements = {column: element for element in scenario.elements().values() for column in element.columns}
    for theta_id, theta in enumerate(simulated.theta):
        for column in stored.columns:
            if column not in theta.columns:
                theta.draw(elements[column])
            value = float(stored[column][theta_id])
            assert value == theta.columns[column], (
                f"{column} of theta {theta_id}: {value!r}, twin {theta.columns[column]!r}"
            )
    varying = [
        column for column in stored.columns if elements[column].distribution.family not in ("fixed", "fixed_shares")
    ]
    for column in varying:
        assert stored[column].nunique() == len(stored), f"{column}: the same in different parameter sets"
