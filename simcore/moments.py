"""Exact moments of the stored counts: the public face of the expected engine."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.engines.expected import expected_rows
from simcore.errors import UserError, nearest
from simcore.model import CompiledModel, as_scenario, compile_model
from simcore.uncertainty.design import make_design

if TYPE_CHECKING:
    from simcore.scenario import Scenario

FloatArray = npt.NDArray[np.float64]
CELL_AXES = ("origin", "sex", "age_band")
_LARGEST_RESULT = 2 << 30  # bytes of covariances


class Component(NamedTuple):
    """One entry of the vector of counts: ``exploitation`` is empty for ``at_risk``, ``label`` for ``victims``."""

    variable: str
    exploitation: str
    label: str


@dataclass(frozen=True)
class Moments:
    """Means and covariances of the counts of n parameter sets, exact given theta and the shared effects.

    Attributes
    ----------
    groups : list of dict
        Coordinates (axis -> level) of the G groups of cells; one empty dict if nothing is kept apart.
    components : list of Component
        What the D entries are: at_risk by risk class, victims, destination, reached, visits, outcome, attempts and, if
        asked for, ended ("leg:cause"); all but at_risk by exploitation.
    theta : float64 [n, P]
        Parameter sets, columns in the order of ``parameters``.
    parameters : list of str
    persons : float64 [n, G]
        Known given theta.
    mean : float64 [n, G, D]
    covariance : float64 [n, G, D, D]
        Between groups it is zero.
    arrival, returned, bound : str
        Labels that have a role: outcome of arrival, outcome of final return, destination that walks on.
    """

    groups: list[dict[str, str]]
    components: list[Component]
    theta: FloatArray
    parameters: list[str]
    persons: FloatArray
    mean: FloatArray
    covariance: FloatArray
    arrival: str
    returned: str
    bound: str

    def weights(self, variable: str, *, label: str | None = None, exploitation: str | None = None) -> FloatArray:
        """Return the weights, float64 [D], that make a quantity out of the components.

        Parameters
        ----------
        variable : str
            A stored variable, or ``interceptions`` (= attempts - bound + finally returned, an identity of every
            replicate).
        label : str, optional
            Level of its own dimension, such as a point; None adds all up.
        exploitation : str, optional
            None adds all up.

        Raises
        ------
        UserError
            If nothing fits.
        """
        if variable == "interceptions":
            chosen = self.weights("attempts", exploitation=exploitation)
            chosen = chosen - self.weights("destination", label=self.bound, exploitation=exploitation)
            return chosen + self.weights("outcome", label=self.returned, exploitation=exploitation)
        chosen = np.array(
            [
                float(
                    c.variable == variable
                    and (label is None or c.label == label)
                    and (exploitation is None or c.exploitation == exploitation)
                )
                for c in self.components
            ]
        )
        if not chosen.any():
            known = sorted({c.variable for c in self.components} | {"interceptions"})
            if variable not in known:
                raise UserError(f"variable '{variable}': unknown{nearest(variable, known)} (known: {', '.join(known)})")
            raise UserError(f"no component of '{variable}' has label={label!r} and exploitation={exploitation!r}")
        return chosen

    def mean_of(self, weights: FloatArray) -> FloatArray:
        """Return the mean of a quantity, float64 [n, G]."""
        result: FloatArray = self.mean @ weights
        return result

    def covariance_of(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return the covariance of two quantities by chance alone, float64 [n, G]."""
        result: FloatArray = np.einsum("i,ngij,j->ng", first, self.covariance, second)
        return result

    def variance_of(self, weights: FloatArray) -> FloatArray:
        """Return the variance of a quantity by chance alone, float64 [n, G]."""
        return self.covariance_of(weights, weights)


def component_list(model: CompiledModel, *, ended: bool = False) -> list[Component]:
    """Return what the entries of a model's vector of counts are, in the order of `engines.expected`."""
    names = model.journeys
    exploitations = model.scenario.levels("exploitation")
    components = [Component("at_risk", "", label) for label in model.risk_labels]
    components += [Component("victims", x, "") for x in exploitations]
    components += [Component("destination", x, label) for x in exploitations for label in model.destinations]
    journey = [("reached", point) for point in names.points] + [("visits", point) for point in names.points]
    journey += [("outcome", outcome) for outcome in names.outcomes]
    journey += [("attempts", str(attempt)) for attempt in range(1, names.attempt_cap + 1)]
    if ended:
        journey += [("ended", f"{leg}:{cause}") for leg in names.legs for cause in names.causes]
    components += [Component(variable, x, label) for x in exploitations for variable, label in journey]
    return components


def expected(
    scenario: Scenario | CompiledModel | str | os.PathLike[str],
    *,
    draws: int | None = None,
    seed: int = 0,
    by: Sequence[str] = (),
    ended: bool = False,
    theta: FloatArray | None = None,
) -> Moments:
    """Return exact means, variances and covariances of every stored count, without simulating anybody.

    Parameters
    ----------
    scenario : Scenario, CompiledModel, or name or path of a scenario
    draws : int, optional
        Draw so many parameter sets and shared effects; they are those of a run with the same seed. By default one set
        is used: every scalar at its median, shares at their means, shared effects at their medians.
    seed : int
        Seed of the draws.
    by : sequence of {"origin", "sex", "age_band"}
        Axes to keep apart; exploitation always is (see `Moments.weights`).
    ended : bool
        Include ended attempts by leg and cause.
    theta : float64 [n, P], optional
        Parameter sets to use instead; shared effects are at their medians then.

    Raises
    ------
    UserError
        If an argument cannot be used or the result would not fit into memory.
    """
    if isinstance(scenario, CompiledModel):
        model = scenario
    else:
        model = compile_model(as_scenario(scenario), routes=False)
    for axis in by:
        if axis not in CELL_AXES:
            raise UserError(f"by = '{axis}': no such axis{nearest(axis, CELL_AXES)} (known: {', '.join(CELL_AXES)})")
    if draws is not None and theta is not None:
        raise UserError("give either draws or theta, not both")
    design = None if draws is None else make_design(draws, None)
    axes = tuple(axis for axis in CELL_AXES if axis in by)
    groups = [
        dict(zip(axes, levels, strict=True))
        for levels in itertools.product(*(model.scenario.levels(axis) for axis in axes))
    ]
    components = component_list(model, ended=ended)
    size = len(components)
    n = design.replicates if design is not None else 1 if theta is None else len(theta)
    if n * len(groups) * size * size * 8 > _LARGEST_RESULT:
        raise UserError(
            f"draws = {n}: with {size} counts in each of {len(groups)} group(s) they need "
            f"{n * len(groups) * size**2 * 8 / 2**30:.1f} GiB, limit {_LARGEST_RESULT >> 30} GiB: fewer draws or axes"
        )
    effects = model.streams(seed).shared.size
    if design is not None:
        streams = model.streams(seed)
        ids = design.theta_ids(0, n)
        theta = model.draw_theta(streams, ids)
        scores = model.draw_scores(streams, ids, np.zeros_like(ids))
    else:
        theta = model.space.typical()[None, :] if theta is None else np.ascontiguousarray(theta, dtype=np.float64)
        if theta.ndim != 2 or theta.shape[1] != model.space.size:
            raise UserError(f"theta has shape {theta.shape}, must be [n, {model.space.size}]")
        scores = np.zeros((theta.shape[0], effects))
    index = {tuple(group.values()): i for i, group in enumerate(groups)}
    group_of_cell = np.array([index[tuple(cell[axis] for axis in axes)] for cell in model.cells], dtype=np.int64)
    shares, _ = model.at_risk_shares(theta)
    persons = np.empty((n, len(groups)))
    mean = np.empty((n, len(groups), size))
    covariance = np.empty((n, len(groups), size, size))
    expected_rows(
        model.source,
        model.transit,
        model.states(ended=ended),
        theta,
        shares,
        scores,
        group_of_cell,
        persons,
        mean,
        covariance,
    )
    roles = model.scenario.document.outcomes
    return Moments(
        groups=groups,
        components=components,
        theta=theta,
        parameters=list(model.space.names),
        persons=persons,
        mean=mean,
        covariance=covariance,
        arrival=roles.arrival,
        returned=roles.returned,
        bound=model.scenario.document.destinations.bound,
    )
