"""Rewards of a scenario as flat arrays: what every journey class collects, where and how much (docs/model.md E3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simcore.scenario.rewards import LARGEST_AMOUNT, LARGEST_VARIATION
from simcore.transit_zone.journeys import JourneyCompiler
from simcore.transit_zone.plan import NONE, RewardPlan, TransitPlan

if TYPE_CHECKING:
    from simcore.scenario.rewards import Amount, Reward
    from simcore.uncertainty import ParameterSpace

Slot = tuple[float, int, float, int]  # mean and its column, coefficient of variation and its column
NOTHING: Slot = (0.0, NONE, 0.0, NONE)
ONE: Slot = (1.0, NONE, 0.0, NONE)


def compile_rewards(
    rewards: Mapping[str, Reward],
    transit: TransitPlan,
    journeys: JourneyCompiler,
    space: ParameterSpace,
    strata: Sequence[Mapping[str, str] | None],
) -> RewardPlan:
    """Lay out interceptions and attempts, then ``rewards``, for every stratum.

    Parameters
    ----------
    rewards : dict of name -> Reward
        Checked against the scenario.
    space : ParameterSpace
        Asked for the columns of their parameters.
    strata : sequence of dict
        Coordinates of every stratum; None where nobody can ever be bound.

    Raises
    ------
    ScenarioError
        If a parameter without an upper end can be drawn beyond the limit of amounts.
    """
    legs, causes, outcomes = journeys.legs, journeys.causes, journeys.outcomes
    size = len(legs) + len(causes) + len(outcomes) + 2
    kinds: dict[tuple[int, int, tuple[Slot, ...]], int] = {}
    kind_of = np.full((2 + len(rewards), len(strata)), NONE, dtype=np.int64)

    within_limits: set[tuple[int, float]] = set()

    def column(reference: str, here: Mapping[str, str], what: str, most: float) -> int:
        found = space.column(reference, here)
        if (found, most) not in within_limits:
            within_limits.add((found, most))
            largest = space.largest(found)
            if largest > most:
                place = ("parameters", space.scenario.element(reference, here).parameter, "distribution")
                text = f"{what} must be {most:g} or less, but this one reaches {largest:g}; add `upper = {most:g}`"
                raise space.scenario.error(place, text)
        return found

    def slot(amount: Amount | None, here: Mapping[str, str]) -> Slot:
        if amount is None:
            return NOTHING
        parts: list[float | int] = []
        for number, what, most in (
            (amount.mean, "a reward", LARGEST_AMOUNT),
            (amount.cv, "a coefficient of variation", LARGEST_VARIATION),
        ):
            if isinstance(number, str):
                parts += [0.0, column(number, here, what, most)]
            else:
                parts += [number or 0.0, NONE]
        return float(parts[0]), int(parts[1]), float(parts[2]), int(parts[3])

    def slots(reward: Reward, journey: int, here: Mapping[str, str]) -> tuple[Slot, ...]:
        taken = {leg for leg, profile in zip(legs, transit.class_profile[journey], strict=True) if profile != NONE}
        return (
            *(slot(reward.legs.get(leg) if leg in taken else None, {**here, "leg": leg}) for leg in legs),
            *(slot(reward.causes.get(cause), here) for cause in causes),
            *(slot(reward.outcomes.get(outcome), here) for outcome in outcomes),
            slot(reward.reattempt, here),
            NOTHING,
        )

    interceptions = [NOTHING] * size
    interceptions[len(legs)] = ONE
    attempts = [NOTHING] * (size - 2) + [ONE, ONE]
    for stratum, here in enumerate(strata):
        if here is None:
            continue
        journey = int(transit.class_of[stratum])
        collected = [tuple(interceptions), tuple(attempts), *(slots(r, journey, here) for r in rewards.values())]
        for index, amounts in enumerate(collected):
            kind_of[index, stratum] = kinds.setdefault((index, journey, amounts), len(kinds))
    amounts_of = np.array([amounts for _, _, amounts in kinds], dtype=np.float64).reshape(-1, size, 4)
    return RewardPlan(
        kind_journey=np.array([journey for _, journey, _ in kinds], dtype=np.int64),
        value=np.ascontiguousarray(amounts_of[:, :, 0::2]),
        column=np.ascontiguousarray(amounts_of[:, :, 1::2]).astype(np.int64),
        kind_of=kind_of,
    )
