"""Distributions as they are declared: families, their parameters and what they cannot be.

Declarations only: quantiles are made from them in `simcore.uncertainty`. Each class knows its `support`, whether it
`is_simplex` (a vector of shares that sum to one) and then its `components`. Scalar families but ``fixed`` can be
truncated to [`lower`, `upper`].
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from simcore.scenario.fields import Level, Number, Table, problem, shown

SUM_TOLERANCE = 1e-9

Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
InnerShare = Annotated[Number, Field(gt=0, lt=1)]
Share = Annotated[Number, Field(ge=0, le=1)]


class _Declared(Table):
    """What every family has."""

    is_simplex: ClassVar[bool] = False
    lowest_is_reached: ClassVar[bool] = True  # False: the lower end of the support has no probability and no quantile

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the shares of a simplex in order; empty for a scalar."""
        return ()

    def support(self) -> tuple[float, float]:
        """Return the smallest interval that holds every possible value (of a simplex: of every component)."""
        raise NotImplementedError

    def _needs_one_of(self, *alternatives: tuple[str, ...]) -> None:
        """Raise unless exactly one of the groups of keys is given, and given whole."""
        given = [key for keys in alternatives for key in keys if getattr(self, key) is not None]
        if not any(set(given) == set(keys) for keys in alternatives):
            wanted = ", or ".join(" and ".join(keys) for keys in alternatives)
            raise problem(f"give {wanted}; got {' and '.join(given) or 'neither'}")


class _Scalar(_Declared):
    """One number that may be truncated."""

    lower: Number | None = None
    upper: Number | None = None

    def untruncated_support(self) -> tuple[float, float]:
        """Return the support without `lower` and `upper`."""
        raise NotImplementedError

    def support(self) -> tuple[float, float]:
        """Return the smallest interval that holds every possible value."""
        lowest, highest = self.untruncated_support()
        if self.lower is not None:
            lowest = max(lowest, self.lower)
        if self.upper is not None:
            highest = min(highest, self.upper)
        return lowest, highest

    def check_truncation(self) -> None:
        """Raise if `lower` and `upper` leave nothing."""
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise problem(f"must be below upper ({self.upper:g}), got {self.lower:g}", key="lower")
        lowest, highest = self.untruncated_support()
        single = lowest == highest
        if self.lower is not None and (self.lower > highest or (self.lower == highest and not single)):
            raise problem(f"leaves nothing of a distribution that ends at {highest:g}, got {self.lower:g}", key="lower")
        if self.upper is not None and (self.upper < lowest or (self.upper == lowest and not single)):
            raise problem(
                f"leaves nothing of a distribution that begins at {lowest:g}, got {self.upper:g}", key="upper"
            )


class Fixed(_Declared):
    """A number taken as known."""

    family: Literal["fixed"]
    value: Number

    def support(self) -> tuple[float, float]:
        """Return (value, value)."""
        return self.value, self.value


class Uniform(_Scalar):
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


class _WithMode(_Scalar):
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


class Beta(_Scalar):
    """Beta on [0, 1], by its shapes or by mean and size = alpha + beta."""

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
        self._needs_one_of(("alpha", "beta"), ("mean", "size"))
        self.check_truncation()
        return self


class LogNormal(_Scalar):
    """Lognormal, by mean and SD of the logarithm, by median and geometric SD, or by its 5 and 95 % quantiles."""

    lowest_is_reached: ClassVar[bool] = False

    family: Literal["lognormal"]
    mu: Number | None = None
    sigma: NotNegative | None = None
    median: Positive | None = None
    gsd: Annotated[Number, Field(ge=1)] | None = None
    q05: Positive | None = None
    q95: Positive | None = None

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
        self._needs_one_of(("mu", "sigma"), ("median", "gsd"), ("q05", "q95"))
        if self.mu is not None and abs(self.mu) > 600.0:
            raise problem(f"must lie between -600 and 600, got {self.mu:g}", key="mu")
        if self.q05 is not None and self.q95 is not None and self.q05 > self.q95:
            raise problem(f"must not be below q05 ({self.q05:g}), got {self.q95:g}", key="q95")
        self.check_truncation()
        return self


class Normal(_Scalar):
    """Normal with mean and standard deviation."""

    family: Literal["normal"]
    mean: Number
    sd: NotNegative

    def untruncated_support(self) -> tuple[float, float]:
        """Return the whole line, or (mean, mean) when sd is zero."""
        return (-math.inf, math.inf) if self.sd > 0.0 else (self.mean, self.mean)

    @model_validator(mode="after")
    def _leaves_something(self) -> Normal:
        self.check_truncation()
        return self


class HalfNormal(_Scalar):
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


def _check_sum(shares: dict[str, float], key: str) -> None:
    total = math.fsum(shares.values())
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise problem(f"shares must sum to 1 within {SUM_TOLERANCE:g}, got {total:.12g}", key=key)


class Dirichlet(_Declared):
    """Dirichlet over named components, by its weights alpha or by means and concentration = sum of alpha.

    The order of components is meaningful: draws break the stick in it.
    """

    is_simplex: ClassVar[bool] = True

    family: Literal["dirichlet"]
    means: dict[Level, InnerShare] | None = None
    concentration: Positive | None = None
    alpha: dict[Level, Positive] | None = None

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the shares, in order."""
        return tuple(self.means if self.means is not None else self.alpha or ())

    def support(self) -> tuple[float, float]:
        """Return (0, 1)."""
        return 0.0, 1.0

    @model_validator(mode="after")
    def _is_complete(self) -> Dirichlet:
        self._needs_one_of(("means", "concentration"), ("alpha",))
        key = "alpha" if self.means is None else "means"
        if len(self.components) < 2:
            raise problem(f"needs at least 2 components, got {shown(list(self.components))}", key=key)
        if self.means is not None:
            _check_sum(self.means, "means")
        return self


class FixedShares(_Declared):
    """Shares taken as known."""

    is_simplex: ClassVar[bool] = True

    family: Literal["fixed_shares"]
    shares: dict[Level, Share]

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the shares, in order."""
        return tuple(self.shares)

    def support(self) -> tuple[float, float]:
        """Return the smallest and the largest share."""
        return min(self.shares.values()), max(self.shares.values())

    @model_validator(mode="after")
    def _is_complete(self) -> FixedShares:
        _check_sum(self.shares, "shares")
        return self


ScalarDistribution = Fixed | Uniform | Triangular | Pert | Beta | LogNormal | Normal | HalfNormal
SimplexDistribution = Dirichlet | FixedShares
Distribution = Annotated[ScalarDistribution | SimplexDistribution, Field(discriminator="family")]
FAMILIES = (
    "fixed", "uniform", "triangular", "pert", "beta", "lognormal", "normal", "half_normal", "dirichlet", "fixed_shares",
)  # fmt: skip
