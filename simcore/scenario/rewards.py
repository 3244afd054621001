"""The table `[rewards]`: amounts that a journey collects, such as days on the way (docs/model.md E3).

A reward changes nothing that is simulated. Every amount is zero or more: a number, a parameter, or a mean with a
coefficient of variation for an amount that is random from time to time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from simcore.errors import ScenarioError
from simcore.scenario.fields import Line, Listed, Table, check_reference, problem, shown
from simcore.scenario.locations import KeyPath
from simcore.scenario.references import Coordinates, Reference, Role

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario

LARGEST_AMOUNT = 1e100
LARGEST_VARIATION = 1e20
"""Limits of amounts and of coefficients of variation: squares of sums over the longest journeys, times the largest
numbers of victims, stay far below the largest float64 (1.8e308)."""

INTERCEPTIONS, ATTEMPTS = "interceptions", "attempts"
BUILT_IN = (INTERCEPTIONS, ATTEMPTS)


def _number_or_reference(value: Any, most: float = LARGEST_AMOUNT) -> Any:
    """Check the two forms of one number here, so that messages speak of both."""
    if isinstance(value, str):
        return check_reference(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise problem(f"must be a number or a parameter, got {shown(value)}")
    if math.isnan(value) or value < 0:
        raise problem(f"must be 0 or more, got {shown(value)}")
    if value > most:
        raise problem(f"must be {most:g} or less, got {shown(value)}")
    return float(value) + 0.0


def _mark_reference(value: float | str) -> float | str:
    """Turn text into a `ParameterReference`; pydantic drops the subclass in a union."""
    return check_reference(value) if isinstance(value, str) else value


def _variation_or_reference(value: Any) -> Any:
    return _number_or_reference(value, LARGEST_VARIATION)


AmountNumber = Annotated[float | str, BeforeValidator(_number_or_reference), AfterValidator(_mark_reference)]
Variation = Annotated[float | str, BeforeValidator(_variation_or_reference), AfterValidator(_mark_reference)]


class Amount(Table):
    """A mean, and for an amount that is random every time its coefficient of variation."""

    mean: AmountNumber
    cv: Variation | None = None


def _number_becomes_mean(value: Any) -> Any:
    if isinstance(value, Mapping | Amount):
        return value
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise problem(f"must be a number, a parameter, or a table with mean and cv, got {shown(value)}")
    return {"mean": _number_or_reference(value)}


AmountOrNumber = Annotated[Amount, BeforeValidator(_number_becomes_mean)]


class Reward(Table):
    """What a journey collects: on every leg taken, whatever becomes of it there; with every cause that ends an attempt;
    with the outcome; and with every re-attempt."""

    unit: Line
    label: Line | None = None
    source: Listed | None = None
    legs: dict[str, AmountOrNumber] = Field(default={})
    causes: dict[str, AmountOrNumber] = Field(default={})
    outcomes: dict[str, AmountOrNumber] = Field(default={})
    reattempt: AmountOrNumber | None = None

    @model_validator(mode="after")
    def _holds_something(self) -> Reward:
        if not self.legs and not self.causes and not self.outcomes and self.reattempt is None:
            raise problem("give at least one of legs, causes, outcomes and reattempt, got none")
        return self

    def amounts(self) -> Iterator[tuple[KeyPath, Amount]]:
        """Yield where each amount stands in the table, and the amount."""
        for part, table in (("legs", self.legs), ("causes", self.causes), ("outcomes", self.outcomes)):
            for name, amount in table.items():
                yield (part, name), amount
        if self.reattempt is not None:
            yield ("reattempt",), self.reattempt


def check_reward(scenario: Scenario, name: str, reward: Reward) -> Iterator[ScenarioError]:
    """Yield what is wrong with a reward: its own name, or names of legs, causes and outcomes."""
    key: KeyPath = ("rewards", name)
    if name in BUILT_IN:
        yield scenario.error(key, f"{name!r} is counted anyway: give the reward another name")
    axes = {"legs": "leg", "causes": "cause", "outcomes": "outcome"}
    for place, _ in reward.amounts():
        axis = axes.get(str(place[0]))
        if axis is not None and place[1] not in scenario.levels(axis):
            text = scenario.unknown(axis, str(place[1]), scenario.levels(axis))
            yield scenario.error((*key, *place), text)


def check_rewards(scenario: Scenario) -> Iterator[ScenarioError]:
    """Legs, causes and outcomes of rewards exist, and no reward is called like one that is always there."""
    for name, reward in scenario.document.rewards.items():
        yield from check_reward(scenario, name, reward)


def reward_references(scenario: Scenario) -> Iterator[Reference]:
    """Yield every place in a reward that names a parameter."""
    active = scenario.active_strata
    for name, reward in scenario.document.rewards.items():
        for place, amount in reward.amounts():
            uses: tuple[Coordinates, ...] = active
            if place[0] == "legs":
                leg = str(place[1])
                uses = tuple({**here, "leg": leg} for here in active if leg in scenario.journey(here).legs)
            roles: tuple[tuple[str, Role], ...] = (("mean", "reward"), ("cv", "variation"))
            for part, role in roles:
                value = getattr(amount, part)
                if isinstance(value, str):
                    # a plain amount is its own mean, and stands in the file without that word
                    tail = () if part == "mean" and amount.cv is None else (part,)
                    yield Reference(value, ("rewards", name, *place, *tail), role, uses)
