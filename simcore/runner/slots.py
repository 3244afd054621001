"""Which strata share a stored slot, the layout of the file that follows, and its integer types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from simcore.engines.counts import Counts
from simcore.engines.random import MAXIMUM_COUNTER
from simcore.errors import UserError, nearest
from simcore.store.layout import Dimension, Layout, ParameterColumn, Variable

if TYPE_CHECKING:
    from simcore.model import CompiledModel

AXES = ("origin", "sex", "age_band", "exploitation")
_LARGEST_INT32 = 2**31 - 1
_LONG_NAMES = {
    "origin": "country of origin",
    "sex": "sex",
    "age_band": "age band [completed years]",
    "exploitation": "kind of exploitation",
    "risk": "what a person is at risk of",
    "dest": "destination of a victim",
    "point": "journey point",
    "absorbing": "outcome of the journey",
    "attempt": "number of the attempt",
    "leg": "leg of the journey",
    "cause": "cause that ended an attempt",
}


@dataclass(frozen=True)
class Slots:
    """How strata are stored.

    Attributes
    ----------
    layout : Layout
    cell_slot : int64 [C]
        Slot of a person cell in the variables without exploitation.
    stratum_slot : int64 [S]
        Slot of a stratum in the others.
    """

    layout: Layout
    cell_slot: npt.NDArray[np.int64]
    stratum_slot: npt.NDArray[np.int64]

    def empty_counts(self, rows: int) -> Counts:
        """Return zeroed counts for a block of ``rows`` replicates."""
        arrays = {}
        for name in Counts._fields:
            stored = [variable for variable in self.layout.variables if variable.name == name]
            if stored:
                variable = stored[0]
                shape = (self.layout.slots(variable), rows, *self.layout.sizes(variable.trailing))
                arrays[name] = np.zeros(shape, dtype=variable.dtype)
            else:  # only `ended` can be absent
                arrays[name] = np.zeros((0, rows, 1, 1), dtype=np.int32)
        return Counts(**arrays)


def stored_axes(model: CompiledModel, by: Sequence[str] | None) -> tuple[str, ...]:
    """Return the axes to keep apart, in axis order; by default those of the scenario's ``[store]``.

    Raises
    ------
    UserError
        If an axis is unknown.
    """
    wanted = model.scenario.document.store.by if by is None else by
    for axis in wanted:
        if axis not in AXES:
            raise UserError(f"store_by = '{axis}': no such axis{nearest(axis, AXES)} (axes: {', '.join(AXES)})")
    return tuple(axis for axis in AXES if axis in wanted)


def _slots_of(
    coordinates: Sequence[dict[str, str]], axes: Sequence[str], model: CompiledModel
) -> npt.NDArray[np.int64]:
    levels = {axis: {name: i for i, name in enumerate(model.scenario.levels(axis))} for axis in axes}
    slots = []
    for place in coordinates:
        slot = 0
        for axis in axes:
            slot = slot * len(levels[axis]) + levels[axis][place[axis]]
        slots.append(slot)
    return np.array(slots, dtype=np.int64)


def largest_persons(model: CompiledModel) -> npt.NDArray[np.float64]:
    """Return an upper bound of the persons of every cell, float64 [C]: table times the largest factor there is.

    Raises
    ------
    ScenarioError
        If a cell may hold more persons than a 32-bit agent number.
    """
    factor = {column: model.space.largest(column) for column in set(model.source.factor.tolist()) if column >= 0}
    bound = model.source.population * np.array([factor.get(column, 1.0) for column in model.source.factor.tolist()])
    if bound.size and bound.max() > MAXIMUM_COUNTER:
        cell = model.cells[int(bound.argmax())]
        raise model.scenario.error(
            ("population",), f"{'/'.join(cell.values())} may reach {bound.max():.3g} persons, limit {MAXIMUM_COUNTER}"
        )
    return bound


def make_slots(model: CompiledModel, *, by: Sequence[str] | None = None, ended: bool = False) -> Slots:
    """Decide what is stored for a model.

    Parameters
    ----------
    model : CompiledModel
    by : sequence of str, optional
        Axes to keep apart; the others are summed out.
    ended : bool
        Store ended attempts by leg and cause too.
    """
    axes = stored_axes(model, by)
    cell_axes = tuple(axis for axis in axes if axis != "exploitation")
    summed_out = tuple(axis for axis in AXES if axis not in axes)
    cell_slot = _slots_of(model.cells, cell_axes, model)
    stratum_slot = _slots_of(model.strata, axes, model)
    # The type follows from a bound, never from a first block: everybody of a slot, at every attempt.
    persons = np.zeros(int(cell_slot.max()) + 1)
    np.add.at(persons, cell_slot, largest_persons(model))
    small: Literal["int32", "int64"] = (
        "int32" if persons.max() * model.transit.attempt_cap <= _LARGEST_INT32 else "int64"
    )

    names = model.journeys
    trailing = {
        "risk": model.risk_labels,
        "dest": model.destinations,
        "point": names.points,
        "absorbing": names.outcomes,
        "attempt": [str(attempt) for attempt in range(1, names.attempt_cap + 1)],
    }
    if ended:
        trailing |= {"leg": names.legs, "cause": names.causes}
    labels = {axis: list(model.scenario.levels(axis)) for axis in axes} | trailing
    dimensions = tuple(Dimension(name, tuple(values), _LONG_NAMES[name]) for name, values in labels.items())

    def variable(
        name: str, long_name: str, dims: tuple[str, ...] = (), *, units: str = "persons", cell: bool = False
    ) -> Variable:
        return Variable(
            name=name,
            strata=cell_axes if cell else axes,
            trailing=dims,
            dtype="int64" if cell else small,
            units=units,
            long_name=long_name,
            summed_out=tuple(axis for axis in summed_out if not (cell and axis == "exploitation")),
        )

    variables = [
        variable("persons", "mid-year population", cell=True),
        variable("at_risk", "persons at risk, by what they are at risk of", ("risk",), cell=True),
        variable("victims", "persons trafficked in the cohort year"),
        variable("destination", "victims by destination", ("dest",)),
        variable("reached", "bound victims who were ever at a journey point", ("point",)),
        variable("visits", "entries to a journey point, re-entries included", ("point",), units="events"),
        variable("outcome", "bound victims by outcome of the journey", ("absorbing",)),
        variable("attempts", "bound victims making the n-th attempt", ("attempt",)),
    ]
    if ended:
        variables.append(variable("ended", "attempts ended on a leg by a cause", ("leg", "cause"), units="events"))
    return Slots(Layout(dimensions, tuple(variables), parameter_columns(model)), cell_slot, stratum_slot)


def parameter_columns(model: CompiledModel) -> tuple[ParameterColumn, ...]:
    """Return the description of every column of theta."""
    columns = []
    for element in model.space.elements:
        declared = model.scenario.document.parameters[element.parameter]
        distribution = json.dumps(declared.distribution.model_dump(exclude_none=True), ensure_ascii=False)
        for name in element.columns:
            columns.append(
                ParameterColumn(
                    name=name,
                    unit=declared.unit,
                    label=declared.label or "",
                    grade=declared.grade,
                    source=", ".join(declared.source or ()),
                    distribution=distribution,
                    index=", ".join(declared.index),
                )
            )
    return tuple(columns)
