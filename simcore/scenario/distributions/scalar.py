"""Scalar families with a density: what they are declared by.

What one cannot be (ends out of order, a truncation that leaves nothing) is refused here.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from simcore.scenario.distributions.declared import Declared, InnerShare, NotNegative, Number, Positive, Scalar
from simcore.scenario.distributions.elicited import Elicited
from simcore.scenario.fields import problem


class Fixed(Declared):
    """A number taken as known."""

    family: Literal["fixed"]
    value: Number

    def support(self) -> tuple[float, float]:
        """Return (value, value)."""
        return self.value, self.value


class Uniform(Scalar):
    """Uniform on [min, max]."""

    family: Literal["uniform"]
    min: Number
    max: Number

    def untruncated_support(self) -> tuple[float, float]:
        """Return (min, max)."""
        return self.min, self.max

    @model_validator(mode="after")
    def _is_ordered(self) -> Uniform:
        if not self.min < self.max:
            raise problem(f"must be above min ({self.min:g}), got {self.max:g}", key="max")
        self.check_truncation()
        return self


class _WithMode(Scalar):
    min: Number
    mode: Number
    max: Number

    def untruncated_support(self) -> tuple[float, float]:
        """Return (min, max)."""
        return self.min, self.max

    @model_validator(mode="after")
    def _is_ordered(self) -> _WithMode:
        if not self.min < self.max:
            raise problem(f"must be above min ({self.min:g}), got {self.max:g}", key="max")
        if not self.min <= self.mode <= self.max:
            raise problem(f"must lie between min ({self.min:g}) and max ({self.max:g}), got {self.mode:g}", key="mode")
        self.check_truncation()
        return self


class Triangular(_WithMode):
    """Triangular with its peak at mode."""

    family: Literal["triangular"]


class Pert(_WithMode):
    """PERT: a beta on [min, max] with alpha = 1 + shape (mode - min) / (max - min) (docs/model.md D1)."""

    family: Literal["pert"]
    shape: Positive = 4.0


class Beta(Elicited):
    """Beta on [0, 1], by its shapes, by mean and size = alpha + beta, or by quantiles."""

    parameter_names: ClassVar[tuple[str, str]] = ("alpha", "beta")

    family: Literal["beta"]
    alpha: Positive | None = None
    beta: Positive | None = None
    mean: InnerShare | None = None
    size: Positive | None = None

    def untruncated_support(self) -> tuple[float, float]:
        """Return (0, 1)."""
        return 0.0, 1.0

    @model_validator(mode="after")
    def _is_complete(self) -> Beta:
        self._needs_one_of(("alpha", "beta"), ("mean", "size"), ("quantiles",))
        self.check_elicited((0.0, 1.0))
        self.check_truncation()
        return self


class LogNormal(Elicited):
    """Lognormal, by mean and SD of the logarithm, by median and geometric SD, or by quantiles.

    `q05` and `q95` are short for two quantiles and may be equal.
    """

    parameter_names: ClassVar[tuple[str, str]] = ("mu", "sigma")

    family: Literal["lognormal"]
    mu: Number | None = None
    sigma: NotNegative | None = None
    median: Positive | None = None
    gsd: Annotated[Number, Field(ge=1)] | None = None
    q05: Positive | None = None
    q95: Positive | None = None

    @property
    def lowest_is_reached(self) -> bool:
        """False: no draw is at the lower end."""
        return False

    def untruncated_support(self) -> tuple[float, float]:
        """Return (0, inf), or the only value when there is no spread."""
        if self.sigma == 0.0 and self.mu is not None:
            value = math.exp(self.mu)
        elif self.gsd == 1.0 and self.median is not None:
            value = self.median
        elif self.q05 is not None and self.q05 == self.q95:
            value = self.q05
        else:
            return 0.0, math.inf
        return value, value

    @model_validator(mode="after")
    def _is_complete(self) -> LogNormal:
        self._needs_one_of(("mu", "sigma"), ("median", "gsd"), ("q05", "q95"), ("quantiles",))
        self.check_elicited((0.0, math.inf))
        if self.mu is not None and abs(self.mu) > 600.0:
            raise problem(f"must lie between -600 and 600, got {self.mu:g}", key="mu")
        if self.q05 is not None and self.q95 is not None and self.q05 > self.q95:
            raise problem(f"must not be below q05 ({self.q05:g}), got {self.q95:g}", key="q95")
        self.check_truncation()
        return self


class Gamma(Elicited):
    """Gamma, by shape and scale, by mean and coefficient of variation, or by quantiles."""

    parameter_names: ClassVar[tuple[str, str]] = ("shape", "scale")

    family: Literal["gamma"]
    shape: Positive | None = None
    scale: Positive | None = None
    mean: Positive | None = None
    cv: Positive | None = None

    @property
    def lowest_is_reached(self) -> bool:
        """False: no draw is at the lower end."""
        return False

    def untruncated_support(self) -> tuple[float, float]:
        """Return (0, inf)."""
        return 0.0, math.inf

    @model_validator(mode="after")
    def _is_complete(self) -> Gamma:
        self._needs_one_of(("shape", "scale"), ("mean", "cv"), ("quantiles",))
        self.check_elicited((0.0, math.inf))
        self.check_truncation()
        return self


class Normal(Elicited):
    """Normal, by mean and standard deviation or by quantiles."""

    parameter_names: ClassVar[tuple[str, str]] = ("mean", "sd")

    family: Literal["normal"]
    mean: Number | None = None
    sd: NotNegative | None = None

    def untruncated_support(self) -> tuple[float, float]:
        """Return the whole line, or (mean, mean) when sd is zero."""
        return (self.mean, self.mean) if self.sd == 0.0 and self.mean is not None else (-math.inf, math.inf)

    @model_validator(mode="after")
    def _is_complete(self) -> Normal:
        self._needs_one_of(("mean", "sd"), ("quantiles",))
        self.check_elicited((-math.inf, math.inf))
        self.check_truncation()
        return self


class HalfNormal(Scalar):
    """Absolute value of a normal with mean zero and standard deviation scale."""

    family: Literal["half_normal"]
    scale: NotNegative

    def untruncated_support(self) -> tuple[float, float]:
        """Return (0, inf), or (0, 0) when scale is zero."""
        return 0.0, math.inf if self.scale > 0.0 else 0.0

    @model_validator(mode="after")
    def _leaves_something(self) -> HalfNormal:
        self.check_truncation()
        return self
