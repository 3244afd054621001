"""What every declared distribution has, and the kinds of number that their keys take."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from simcore.scenario.fields import Number as AnyNumber
from simcore.scenario.fields import Table, problem

SUM_TOLERANCE = 1e-9
LARGEST = 1e150  # so that squares and products of two numbers stay finite


def _in_range(value: float) -> float:
    if abs(value) > LARGEST:
        raise problem(f"must lie between {-LARGEST:g} and {LARGEST:g}, got {value:g}")
    if 0.0 < abs(value) < 1.0 / LARGEST:
        raise problem(f"must be 0 or at least {1.0 / LARGEST:g} in size, got {value:g}")
    return value


Number = Annotated[AnyNumber, AfterValidator(_in_range)]

Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
InnerShare = Annotated[Number, Field(gt=0, lt=1)]
Share = Annotated[Number, Field(ge=0, le=1)]


class Declared(Table):
    """What every family has."""

    is_simplex: ClassVar[bool] = False
    is_category: ClassVar[bool] = False  # the value is a whole number that says which of several

    @property
    def lowest_is_reached(self) -> bool:
        """False where the lower end of the support has no probability and no quantile."""
        return True

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the shares of a simplex in order; empty for a scalar."""
        return ()

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories in the order of their index; empty for what is not categorical."""
        return ()

    def support(self) -> tuple[float, float]:
        """Return the smallest interval that holds every possible value (of a simplex: of every component)."""
        raise NotImplementedError

    def _needs_one_of(self, *alternatives: tuple[str, ...]) -> None:
        """Raise unless exactly one of the groups of keys is given, and given whole."""
        given = [key for keys in alternatives for key in keys if getattr(self, key) is not None]
        if not any(set(given) == set(keys) for keys in alternatives):
            wanted = ", or ".join(" and ".join(keys) for keys in alternatives)
            raise problem(f"give {wanted}; got {' and '.join(dict.fromkeys(given)) or 'neither'}")


class Scalar(Declared):
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


def check_sum(shares: dict[str, float], key: str) -> None:
    """Raise unless ``shares``, the table called ``key``, sum to one."""
    total = math.fsum(shares.values())
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise problem(f"shares must sum to 1 within {SUM_TOLERANCE:g}, got {total:.12g}", key=key)
