"""Exact moments of the stored counts: the public face of the expected engine."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.engines.expected import expected_rows, make_workspace
from simcore.errors import UserError, nearest
from simcore.model import CompiledModel, as_scenario, compile_model
from simcore.source_zone.compile import shared_effect_elements
from simcore.uncertainty.design import RANDOM, check_design, make_design

if TYPE_CHECKING:
    from simcore.scenario import Scenario

FloatArray = npt.NDArray[np.float64]
CELL_AXES = ("origin", "sex", "age_band")
_LARGEST_RESULT = 2 << 30  # bytes
_SETS_AT_ONCE = 2048  # at-risk shares of so many parameter sets are in memory at a time


class ResultTooLarge(UserError):
    """Moments of ``sets`` parameter sets would not fit into memory; ``why`` says what they need and the limit."""

    def __init__(self, sets: int, why: str, advice: str) -> None:
        super().__init__(f"draws = {sets}: {why}: {advice}")
        self.sets = sets
        self.why = why


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
    covariance : float64 [n, G, D, D], or None
        Between groups it is zero. None if only means were computed.
    arrival, returned, bound : str
        Labels that have a role: outcome of arrival, outcome of final return, destination that walks on.
    """

    groups: list[dict[str, str]]
    components: list[Component]
    theta: FloatArray
    parameters: list[str]
    persons: FloatArray
    mean: FloatArray
    covariance: FloatArray | None
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
        """Return the covariance of two quantities by chance alone, float64 [n, G].

        Raises
        ------
        UserError
            If only means were computed.
        """
        if self.covariance is None:
            raise UserError("covariance = False: only means were computed; variances need expected(...) without it")
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


@dataclass(frozen=True)
class ParameterSets:
    """Parameter sets of a model with their shared effects, made in chunks: theta [n, P] and scores [n, E]."""

    theta: FloatArray
    scores: FloatArray

    def chunks(self, model: CompiledModel) -> Iterator[tuple[slice, FloatArray, FloatArray, FloatArray]]:
        """Yield rows, theta, at-risk shares and scores of `_SETS_AT_ONCE` sets at a time."""
        for first in range(0, len(self.theta), _SETS_AT_ONCE):
            rows = slice(first, min(first + _SETS_AT_ONCE, len(self.theta)))
            shares, _ = model.at_risk_shares(self.theta[rows])
            yield rows, self.theta[rows], shares, self.scores[rows]


def count_of_sets(draws: int | None, theta: FloatArray | None, design: str = RANDOM, randomisation: int = 0) -> int:
    """Return how many parameter sets `parameter_sets` will make of its arguments.

    Raises
    ------
    UserError
        If both are given, ``draws`` is no number of replicates or does not suit the design, or a design has no draws.
    """
    if draws is not None and theta is not None:
        raise UserError("give either draws or theta, not both")
    if draws is not None:
        return make_design(draws, None, design, randomisation).replicates
    check_design(design, randomisation)
    if design != RANDOM:
        raise UserError(f"design = {design!r}: nothing is drawn without draws")
    return 1 if theta is None else len(theta)


def parameter_sets(
    model: CompiledModel,
    draws: int | None,
    seed: int,
    theta: FloatArray | None,
    design: str = RANDOM,
    randomisation: int = 0,
) -> ParameterSets:
    """Return drawn parameter sets with their shared effects, or given ones (or the typical one) with median effects.

    Raises
    ------
    UserError
        If ``theta`` has the wrong shape or ``seed`` cannot be used.
    """
    if draws is not None:
        loop = make_design(draws, None, design, randomisation)
        streams = model.streams(seed, loop)
        ids = loop.theta_ids(0, loop.replicates)
        return ParameterSets(model.draw_theta(streams, ids), model.draw_scores(streams, ids, np.zeros_like(ids)))
    theta = model.space.typical()[None, :] if theta is None else np.ascontiguousarray(theta, dtype=np.float64)
    if theta.ndim != 2 or theta.shape[1] != model.space.size:
        raise UserError(f"theta has shape {theta.shape}, must be [n, {model.space.size}]")
    return ParameterSets(theta, np.zeros((theta.shape[0], len(shared_effect_elements(model.scenario)))))


def expected(
    scenario: Scenario | CompiledModel | str | os.PathLike[str],
    *,
    draws: int | None = None,
    seed: int = 0,
    design: str = RANDOM,
    randomisation: int = 0,
    by: Sequence[str] = (),
    ended: bool = False,
    covariance: bool = True,
    theta: FloatArray | None = None,
    scores: FloatArray | None = None,
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
    design : {"random", "sobol", "lhs"}
        How the draws are spread, as in `simcore.run`.
    randomisation : int
        Number of an independent randomisation of the design.
    by : sequence of {"origin", "sex", "age_band"}
        Axes to keep apart; exploitation always is (see `Moments.weights`).
    ended : bool
        Include ended attempts by leg and cause.
    covariance : bool
        False computes means only, at a fraction of time and memory: for analyses of E[Y | theta] over many sets.
    theta : float64 [n, P], optional
        Parameter sets to use instead; shared effects are at their medians then.
    scores : float64 [n, E], optional
        With ``theta``: standard normal scores of the shared effects of each set (`CompiledModel.draw_scores`).

    Raises
    ------
    UserError
        If an argument cannot be used; `ResultTooLarge` if the result would not fit into memory.
    """
    if isinstance(scenario, CompiledModel):
        model = scenario
    else:
        model = compile_model(as_scenario(scenario), routes=False)
    for axis in by:
        if axis not in CELL_AXES:
            raise UserError(f"by = '{axis}': no such axis{nearest(axis, CELL_AXES)} (known: {', '.join(CELL_AXES)})")
    axes = tuple(axis for axis in CELL_AXES if axis in by)
    groups = [
        dict(zip(axes, levels, strict=True))
        for levels in itertools.product(*(model.scenario.levels(axis) for axis in axes))
    ]
    components = component_list(model, ended=ended)
    size, n = len(components), count_of_sets(draws, theta, design, randomisation)
    numbers = n * len(groups) * (size**2 if covariance else size)
    if numbers * 8 > _LARGEST_RESULT:
        raise ResultTooLarge(
            n,
            f"with {size} counts in each of {len(groups)} group(s) they need {numbers * 8 / 2**30:.1f} GiB, "
            f"limit {_LARGEST_RESULT >> 30} GiB",
            "fewer draws or axes" + (", or means only (covariance = False)" if covariance else ""),
        )
    sets = parameter_sets(model, draws, seed, theta, design, randomisation)
    if scores is not None:
        if theta is None or scores.shape != sets.scores.shape:
            raise UserError(f"scores: must come with theta and have the shape {sets.scores.shape}, not {scores.shape}")
        sets = ParameterSets(sets.theta, np.ascontiguousarray(scores, dtype=np.float64))
    index = {tuple(group.values()): i for i, group in enumerate(groups)}
    work = make_workspace(
        model.source,
        model.transit,
        model.chains,
        [index[tuple(cell[axis] for axis in axes)] for cell in model.cells],
        risks=len(model.risk_labels) + 1,
        ended=ended,
        covariance=covariance,
    )
    persons = np.empty((n, len(groups)))
    mean = np.empty((n, len(groups), size))
    second = np.empty((n if covariance else 0, len(groups), size, size))
    for rows, chunk, shares, scores in sets.chunks(model):
        expected_rows(
            model.source,
            model.transit,
            model.chains,
            work,
            chunk,
            shares,
            scores,
            persons[rows],
            mean[rows],
            second[rows],
            ended,
        )
    roles = model.scenario.document.outcomes
    return Moments(
        groups=groups,
        components=components,
        theta=sets.theta,
        parameters=list(model.space.names),
        persons=persons,
        mean=mean,
        covariance=second if covariance else None,
        arrival=roles.arrival,
        returned=roles.returned,
        bound=model.scenario.document.destinations.bound,
    )
