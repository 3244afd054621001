"""Which one of several: categories with weights, and whole numbers that are equally likely.

Both make scalars of theta, but no quantities: they can stand only where a choice is made (role ``category``).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from simcore.scenario.distributions.declared import Declared, Positive
from simcore.scenario.fields import Level, Whole, problem

MOST_CATEGORIES = 1000
LARGEST_WHOLE = 10**9

SmallWhole = Annotated[Whole, Field(ge=-LARGEST_WHOLE, le=LARGEST_WHOLE)]


class Categorical(Declared):
    """One of several categories by weights that need not sum to one; the value is the index of the category, 0 first.

    The order of categories is meaningful: the k-th takes the k-th stretch of the uniform.
    """

    is_category: ClassVar[bool] = True

    family: Literal["categorical"]
    weights: dict[Level, Positive] = Field(min_length=1, max_length=MOST_CATEGORIES)

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories in the order of their index."""
        return tuple(self.weights)

    def support(self) -> tuple[float, float]:
        """Return (0, K - 1)."""
        return 0.0, float(len(self.weights) - 1)


class DiscreteUniform(Declared):
    """A whole number from min to max, each as likely as the others; the value is the number itself."""

    is_category: ClassVar[bool] = True

    family: Literal["discrete_uniform"]
    min: SmallWhole
    max: SmallWhole

    def support(self) -> tuple[float, float]:
        """Return (min, max)."""
        return float(self.min), float(self.max)

    @model_validator(mode="after")
    def _is_ordered(self) -> DiscreteUniform:
        if self.max < self.min:
            raise problem(f"must not be below min ({self.min}), got {self.max}", key="max")
        return self
