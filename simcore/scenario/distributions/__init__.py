"""Distributions as they are declared: families, their parameters and what they cannot be.

Declarations only: quantiles are made from them in `simcore.uncertainty`. Each class knows its `support`, whether it
`is_simplex` (a vector of shares that sum to one) and then its `components`, and whether it `is_category` (a choice, not
a quantity). Scalar families with a density can be truncated to [`lower`, `upper`].
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simcore.scenario.distributions.declared import SUM_TOLERANCE
from simcore.scenario.distributions.discrete import Categorical, DiscreteUniform
from simcore.scenario.distributions.elicited import Empirical, Metalog
from simcore.scenario.distributions.fitting import FitReport, fit_report, fit_reports
from simcore.scenario.distributions.mixtures import Pool, Switch
from simcore.scenario.distributions.scalar import (
    Beta,
    Fixed,
    Gamma,
    HalfNormal,
    LogNormal,
    Normal,
    Pert,
    Triangular,
    Uniform,
)
from simcore.scenario.distributions.simplex import Dirichlet, FixedShares

ContinuousDistribution = (
    Uniform | Triangular | Pert | Beta | LogNormal | Gamma | Normal | HalfNormal | Empirical | Metalog | Pool
)
ScalarDistribution = Fixed | ContinuousDistribution | Categorical | DiscreteUniform
SimplexDistribution = Dirichlet | FixedShares
AnyDistribution = ScalarDistribution | SimplexDistribution | Switch
Distribution = Annotated[AnyDistribution, Field(discriminator="family")]
FAMILIES = (
    "fixed", "uniform", "triangular", "pert", "beta", "lognormal", "gamma", "normal", "half_normal", "empirical",
    "metalog", "pool", "categorical", "discrete_uniform", "dirichlet", "fixed_shares", "switch",
)  # fmt: skip

__all__ = [
    "FAMILIES",
    "SUM_TOLERANCE",
    "AnyDistribution",
    "Distribution",
    "FitReport",
    "ScalarDistribution",
    "SimplexDistribution",
    "fit_report",
    "fit_reports",
]
