"""Distributions made of others: pooled experts, and switches between parameters."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from simcore.scenario.distributions.declared import Declared, Positive, Scalar
from simcore.scenario.distributions.elicited import Empirical, Metalog
from simcore.scenario.distributions.scalar import Beta, Gamma, HalfNormal, LogNormal, Normal, Pert, Triangular, Uniform
from simcore.scenario.fields import Level, Name, ReferenceText, Table, problem

MOST_EXPERTS = 100

Opinion = Annotated[
    Uniform | Triangular | Pert | Beta | Gamma | LogNormal | Normal | HalfNormal | Empirical | Metalog,
    Field(discriminator="family"),
]


class Expert(Table):
    """What one expert thinks, and how much it counts."""

    weight: Positive
    distribution: Opinion

    @model_validator(mode="after")
    def _has_density(self) -> Expert:
        lowest, highest = self.distribution.support()
        if lowest == highest:
            raise problem(
                f"an opinion in a pool must leave a range, got the single value {lowest:g}", key="distribution"
            )
        if isinstance(self.distribution, Empirical) and self.distribution.has_atoms:
            text = "quantiles must rise in a pool, but two are equal"
            raise problem(text, key=("distribution", "quantiles"))
        return self


class Pool(Scalar):
    """Linear opinion pool (Stone 1961): the mixture of the experts' distributions by their weights.

    Weights need not sum to one.
    """

    family: Literal["pool"]
    experts: dict[Name, Expert] = Field(min_length=1, max_length=MOST_EXPERTS)

    @property
    def lowest_is_reached(self) -> bool:
        """Whether some opinion reaches its lower end."""
        return any(expert.distribution.lowest_is_reached for expert in self.experts.values())

    def untruncated_support(self) -> tuple[float, float]:
        """Return the union of the experts' supports, without gaps."""
        ends = [expert.distribution.support() for expert in self.experts.values()]
        return min(low for low, _ in ends), max(high for _, high in ends)

    @model_validator(mode="after")
    def _leaves_something(self) -> Pool:
        self.check_truncation()
        return self


class Switch(Declared):
    """The value of another parameter, by the category that a third one takes.

    Attributes
    ----------
    on : reference
        A categorical parameter.
    cases : dict
        Category -> reference; one for every category of ``on``, all scalars or all simplices of the same components.
    """

    family: Literal["switch"]
    on: ReferenceText
    cases: dict[Level, ReferenceText] = Field(min_length=1)

    def support(self) -> tuple[float, float]:
        """Return the whole line: the cases, not the switch, have limits."""
        return -math.inf, math.inf
