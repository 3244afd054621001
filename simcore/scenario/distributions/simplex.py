"""Vectors of shares that sum to one."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, model_validator

from simcore.scenario.distributions.declared import Declared, InnerShare, Positive, Share, check_sum
from simcore.scenario.distributions.elicited import check_quantile_name, check_quantiles, check_rise
from simcore.scenario.distributions.fitting import FitReport, concentration_report, fitted_concentration
from simcore.scenario.fields import Level, Table, problem, shown


class MarginalInterval(Table):
    """Quantiles of one component of a simplex: ``{ component = "a", q05 = 0.1, q95 = 0.4 }``."""

    model_config = ConfigDict(extra="allow")

    component: Level
    __pydantic_extra__: dict[str, Any]

    @property
    def quantiles(self) -> dict[str, float]:
        """Name -> value, in order of probability."""
        return check_rise(self.__pydantic_extra__)

    @model_validator(mode="after")
    def _are_quantiles(self) -> MarginalInterval:
        for name, value in self.__pydantic_extra__.items():
            check_quantile_name(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1.0:
                raise problem(f"must be a number between 0 and 1, got {shown(value)}", key=name)
        check_quantiles(self.quantiles, (0.0, 1.0), 2)
        return self


class Dirichlet(Declared):
    """Dirichlet over named components, by its weights alpha, by means and concentration = sum of alpha, or by means
    and quantiles of one component, to which the concentration is fitted.

    The order of components is meaningful: draws break the stick in it.
    """

    is_simplex: ClassVar[bool] = True

    family: Literal["dirichlet"]
    means: dict[Level, InnerShare] | None = None
    concentration: Positive | None = None
    alpha: dict[Level, Positive] | None = None
    interval: MarginalInterval | None = None

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the shares, in order."""
        return tuple(self.means if self.means is not None else self.alpha or ())

    def support(self) -> tuple[float, float]:
        """Return (0, 1)."""
        return 0.0, 1.0

    def weights(self) -> tuple[float, ...]:
        """Return the weights a_i in the order of components, fitted to `interval` if that is given."""
        if self.alpha is not None:
            return tuple(self.alpha.values())
        means = self.means or {}
        total = self.concentration
        if self.interval is not None:
            total = fitted_concentration(means[self.interval.component], tuple(self.interval.quantiles.items()))
        return tuple(float(total or 0.0) * mean for mean in means.values())

    def fit_report(self) -> FitReport | None:
        """Return how well `interval` is met; None if the weights were given."""
        if self.interval is None or self.means is None:
            return None
        return concentration_report(self.means[self.interval.component], self.interval.quantiles)

    @model_validator(mode="after")
    def _is_complete(self) -> Dirichlet:
        self._needs_one_of(("means", "concentration"), ("alpha",), ("means", "interval"))
        key = "alpha" if self.means is None else "means"
        if len(self.components) < 2:
            raise problem(f"needs at least 2 components, got {shown(list(self.components))}", key=key)
        if self.means is not None:
            check_sum(self.means, "means")
        if self.interval is not None and self.interval.component not in self.components:
            known = ", ".join(self.components)
            raise problem(f"{shown(self.interval.component)} is not one of {known}", key=("interval", "component"))
        return self


class FixedShares(Declared):
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
        check_sum(self.shares, "shares")
        return self
