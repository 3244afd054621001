"""Exact moments of what journeys collect: days, interceptions, attempts, or any reward of `[rewards]` (E3, E4)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simcore.engines.expected import expected_rows, make_workspace
from simcore.engines.expected.rewards import (
    ARRIVES,
    MEAN,
    MEAN_ARRIVES,
    SQUARE,
    SQUARE_ARRIVES,
    make_reward_work,
    reward_rows,
)
from simcore.errors import UserError, nearest
from simcore.model import AXES, CompiledModel, as_scenario, compile_model
from simcore.moments import component_list, count_of_sets, parameter_sets
from simcore.scenario.rewards import ATTEMPTS, INTERCEPTIONS, Reward, check_reward
from simcore.transit_zone.plan import RewardPlan
from simcore.transit_zone.rewards import compile_rewards
from simcore.uncertainty.design import RANDOM

if TYPE_CHECKING:
    from simcore.scenario import Scenario

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RewardMoments:
    """What a bound victim's journey collects: exact given theta and the shared effects.

    A group is a population of bound victims: mean and variance are those of one of them drawn at random, so they hold
    the differences between the strata of the group. Both are NaN where nobody is bound, and those of arrivals where
    nobody arrives.

    Attributes
    ----------
    groups : list of dict
        Coordinates (axis -> level) of the G groups; one empty dict if nothing is kept apart.
    names, units : list of str
        The Q rewards: ``interceptions``, ``attempts``, then those of the scenario, then those given.
    theta : float64 [n, P]
    parameters : list of str
    bound, arrived : float64 [n, G]
        Expected number of bound victims, and of those who arrive.
    mean, variance : float64 [n, G, Q]
        Per bound victim.
    mean_of_arrived, variance_of_arrived : float64 [n, G, Q]
        Per bound victim who arrives.
    """

    groups: list[dict[str, str]]
    names: list[str]
    units: list[str]
    theta: FloatArray
    parameters: list[str]
    bound: FloatArray
    arrived: FloatArray
    mean: FloatArray
    variance: FloatArray
    mean_of_arrived: FloatArray
    variance_of_arrived: FloatArray

    def of(self, name: str) -> int:
        """Return the index of a reward.

        Raises
        ------
        UserError
            If there is none of that name.
        """
        if name not in self.names:
            raise UserError(f"reward '{name}': unknown{nearest(name, self.names)} (known: {', '.join(self.names)})")
        return self.names.index(name)


def expected_rewards(
    scenario: Scenario | CompiledModel | str | os.PathLike[str],
    *,
    rewards: Mapping[str, Reward] | None = None,
    draws: int | None = None,
    seed: int = 0,
    design: str = RANDOM,
    randomisation: int = 0,
    by: Sequence[str] = (),
    theta: FloatArray | None = None,
) -> RewardMoments:
    """Return exact means and variances of what the journeys of bound victims collect, all and those who arrive.

    Parameters
    ----------
    scenario : Scenario, CompiledModel, or name or path of a scenario
    rewards : dict of name -> Reward, optional
        Rewards beside those of the scenario's table ``[rewards]``; their amounts are numbers.
    draws, seed, design, randomisation, theta
        Parameter sets, as in `simcore.expected`.
    by : sequence of {"origin", "sex", "age_band", "exploitation"}
        Axes to keep apart.

    Raises
    ------
    UserError
        If an argument cannot be used.

    Examples
    --------
    >>> deaths = simcore.Reward(unit="persons", outcomes={"DIED": 1})
    >>> simcore.expected_rewards("phase1", rewards={"deaths": deaths}).mean
    """
    model = scenario if isinstance(scenario, CompiledModel) else compile_model(as_scenario(scenario), routes=False)
    for axis in by:
        if axis not in AXES:
            raise UserError(f"by = '{axis}': no such axis{nearest(axis, AXES)} (known: {', '.join(AXES)})")
    count_of_sets(draws, theta, design, randomisation)
    declared, plans = dict(model.scenario.document.rewards), [model.rewards]
    if rewards:
        plans.append(_plan_of_given(model, rewards))
    sets = parameter_sets(model, draws, seed, theta, design, randomisation)
    axes = tuple(axis for axis in AXES if axis in by)
    levels = list(itertools.product(*(model.scenario.levels(axis) for axis in axes)))
    groups = [dict(zip(axes, names, strict=True)) for names in levels]
    index = {names: i for i, names in enumerate(levels)}
    group_of = np.array([index[tuple(stratum[axis] for axis in axes)] for stratum in model.strata])
    units = ["interceptions", "attempts", *(reward.unit for reward in (declared | dict(rewards or {})).values())]
    n, count = len(sets.theta), len(units)
    bound, arrived = np.zeros((n, len(groups))), np.zeros((n, len(groups)))
    sums = np.zeros((n, len(groups), count, 4))
    for rows, victims, moments in _per_stratum(model, plans, sets.chunks(model)):
        for stratum in np.flatnonzero(model.transit.class_of >= 0):
            group, weight = group_of[stratum], victims[:, stratum]
            bound[rows, group] += weight
            arrived[rows, group] += weight * moments[:, 0, stratum, ARRIVES]
            parts = moments[:, :, stratum][:, :, [MEAN, SQUARE, MEAN_ARRIVES, SQUARE_ARRIVES]]
            sums[rows, group] += weight[:, None, None] * parts
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, square = sums[..., 0] / bound[..., None], sums[..., 1] / bound[..., None]
        mean_of_arrived, square_of_arrived = sums[..., 2] / arrived[..., None], sums[..., 3] / arrived[..., None]
    return RewardMoments(
        groups=groups,
        names=[INTERCEPTIONS, ATTEMPTS, *declared, *(rewards or {})],
        units=units,
        theta=sets.theta,
        parameters=list(model.space.names),
        bound=bound,
        arrived=arrived,
        mean=mean,
        variance=np.maximum(square - mean**2, 0.0),
        mean_of_arrived=mean_of_arrived,
        variance_of_arrived=np.maximum(square_of_arrived - mean_of_arrived**2, 0.0),
    )


def _plan_of_given(model: CompiledModel, rewards: Mapping[str, Reward]) -> RewardPlan:
    """Return the plan of rewards given in Python, without the two that are always there."""
    for name, reward in rewards.items():
        if name in model.scenario.document.rewards:
            raise UserError(f"rewards: {name!r} is a reward of the scenario already")
        for error in check_reward(model.scenario, name, reward):
            raise error
        for place, amount in reward.amounts():
            for number in (amount.mean, amount.cv):
                if isinstance(number, str):
                    raise UserError(
                        f"rewards: {'.'.join([name, *map(str, place)])}: {number!r} names a parameter; that goes in "
                        "the table [rewards] of the scenario, numbers only here"
                    )
    plan = compile_rewards(rewards, model.transit, model.journeys, model.space, model.walking_strata)
    return plan._replace(kind_of=plan.kind_of[2:])


def _per_stratum(
    model: CompiledModel,
    plans: Sequence[RewardPlan],
    chunks: Iterator[tuple[slice, FloatArray, FloatArray, FloatArray]],
) -> Iterator[tuple[slice, FloatArray, FloatArray]]:
    """Yield rows, expected bound victims, float64 [m, S], and moments of every reward, float64 [m, Q, S, 5]."""
    exploitations = len(model.scenario.levels("exploitation"))
    components = component_list(model)
    bound = model.scenario.document.destinations.bound
    columns = [i for i, c in enumerate(components) if c.variable == "destination" and c.label == bound]
    risks, cells = len(model.risk_labels) + 1, len(model.cells)
    work = make_workspace(
        model.source, model.transit, model.chains, range(cells), risks=risks, ended=False, covariance=False
    )
    for rows, theta, shares, scores in chunks:
        n = len(theta)
        persons, mean = np.empty((n, cells)), np.empty((n, cells, len(components)))
        none = np.empty((0, cells, 0, 0))
        expected_rows(
            model.source, model.transit, model.chains, work, theta, shares, scores, persons, mean, none, False
        )
        victims = mean[:, :, columns].reshape(n, cells * exploitations)
        made = []
        for plan in plans:
            moments = np.empty((n, plan.kind_journey.size, 5))
            reward_rows(
                model.transit, model.chains, plan, theta, make_reward_work(model.transit, model.chains, plan), moments
            )
            # Without anybody who could be bound there are no kinds; every stratum then has weight zero.
            strata = plan.kind_of.size
            made.append(moments[:, plan.kind_of] if plan.kind_journey.size else np.zeros((n, strata, 5)))
        yield rows, victims, np.concatenate(made, axis=1)
