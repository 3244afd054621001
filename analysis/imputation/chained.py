"""Proper multiple imputation by chained equations: M completed panels of covariates (docs/covariates.md).

The chain is scikit-learn's `IterativeImputer` with `sample_posterior`: round by round, every incomplete column of the
country-years (`analysis.imputation.rows`) is regressed on all others and its missing cells are drawn from the
predictive distribution of a Bayesian ridge regression, which holds the uncertainty of the coefficients and the residual
spread (van Buuren and Groothuis-Oudshoorn, "mice", Journal of Statistical Software 45(3), 2011; Rubin 1987). A panel is
the end of a chain with a seed of its own. The draws stay between the least and the greatest donor of a covariate, or
the limits that the scenario declares.

Missing at random is assumed: what is missing depends on nothing but what was observed. `shift` asks how much rests on
that: it moves every imputed cell by so many standard deviations of its donors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (makes IterativeImputer importable)
from sklearn.impute import IterativeImputer
from sklearn.linear_model import BayesianRidge

from analysis.imputation.rows import CountryYears, country_years
from simcore.engines.random import derive_key
from simcore.scenario.covariates import Observed

Floats = npt.NDArray[np.float64]

ROUNDS = 10
"""Times that every column is drawn anew in a chain; the last round is the panel."""

FEWEST_DEGREES = 3
"""A t distribution with fewer has no variance."""

PURPOSE = "imputation"
_SEED_BITS = 32


class DonorRidge(BayesianRidge):  # type: ignore[misc]
    """Bayesian ridge regression whose predictions leave out what small, clustered panels of countries cannot support.

    The mean stays between the least and the greatest value it was fitted to: `IterativeImputer` would set every draw
    to the bound where the mean passes it, and all panels would agree. The standard deviation is that of a t
    distribution, sqrt(nu / (nu - 2)) times the normal one: the years of a country resemble each other, so what is known
    about the residual spread comes from as many countries as there are, less one (`degrees_of_freedom`, nu), not from
    as many as there are rows.
    """

    def __init__(self, degrees_of_freedom: float = np.inf) -> None:
        super().__init__()
        self.degrees_of_freedom = degrees_of_freedom

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> DonorRidge:
        """Fit to donors: X float64 [n, p], y float64 [n]."""
        super().fit(X, y, sample_weight)
        self.least_, self.greatest_ = float(np.min(y)), float(np.max(y))
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return means, and standard deviations of the predictive distribution if asked for, float64 [n] each."""
        if not return_std:
            return np.clip(super().predict(X), self.least_, self.greatest_)
        mean, deviation = super().predict(X, return_std=True)
        inflation = np.sqrt(1.0 / (1.0 - 2.0 / self.degrees_of_freedom))
        return np.clip(mean, self.least_, self.greatest_), deviation * inflation


@dataclass(frozen=True, eq=False)
class Imputation:
    """Completed panels and what they rest on.

    Attributes
    ----------
    observed : Observed
    rows : CountryYears
    transformed : float64 [M, O, J]
        Transformed scale; observed cells are the same in every panel.
    completed : float64 [M, O, J]
        Natural scale.
    seed : int
    shift : float
        Standard deviations of the donors added to every imputed cell.
    """

    observed: Observed
    rows: CountryYears
    transformed: Floats
    completed: Floats
    seed: int
    shift: float

    @property
    def panels(self) -> int:
        """M."""
        return int(self.completed.shape[0])


def impute_panels(
    observed: Observed,
    *,
    panels: int,
    seed: int,
    shift: float = 0.0,
    rounds: int = ROUNDS,
    tell: Callable[[int], None] = lambda panel: None,
) -> Imputation:
    """Complete the missing cells of ``observed`` in M ways.

    Parameters
    ----------
    observed : Observed
    panels : int
        M, at least 1.
    seed : int
        Panel m is the chain whose seed is derived from (seed, m): more panels leave the first ones as they are.
    shift : float
        Standard deviations of its donors, transformed scale, added to every imputed cell; the limits still hold.
    rounds : int
        Rounds of a chain.
    tell : callable
        Called with the number of panels done.

    Returns
    -------
    Imputation
        The same bits for the same arguments, versions of numpy, scipy and scikit-learn, and CPU.

    Raises
    ------
    ValueError
        If a covariate does not vary among its donors.
    """
    rows = country_years(observed)
    degrees = max(FEWEST_DEGREES, len(observed.origins) - 1)
    variables = len(observed.variables)
    values = np.repeat(rows.table[rows.targets, :variables][np.newaxis], panels, axis=0)
    for panel in range(panels):
        complete = _one_chain(rows, _chain_seed(seed, panel + 1), rounds, degrees)
        values[panel] = complete[rows.targets, :variables]
        tell(panel + 1)
    low, high = rows.lowest[:variables], rows.highest[:variables]
    shifted = np.clip(values + shift, low, high) if shift else values
    transformed = np.where(observed.missing, shifted, values) * rows.scale + rows.centre
    completed = np.empty_like(transformed)
    for j, variable in enumerate(observed.variables.values()):
        known = ~observed.missing[:, j]
        transformed[:, known, j] = variable.forward(observed.values[known, j])
        completed[:, :, j] = variable.backward(transformed[:, :, j])
        completed[:, known, j] = observed.values[known, j]
    return Imputation(observed, rows, transformed, completed, seed, shift)


def _chain_seed(seed: int, panel: int) -> int:
    """Return the seed of a chain, 32 bits: all that `IterativeImputer` takes."""
    return int(derive_key(seed, PURPOSE, (str(panel),))) % 2**_SEED_BITS


def _one_chain(rows: CountryYears, seed: int, rounds: int, degrees_of_freedom: float) -> Floats:
    """Return the completed table of one chain."""
    imputer = IterativeImputer(
        DonorRidge(degrees_of_freedom),
        sample_posterior=True,
        max_iter=rounds,
        random_state=seed,
        min_value=rows.lowest,
        max_value=rows.highest,
        skip_complete=True,
    )
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        return np.asarray(imputer.fit_transform(rows.table), dtype=np.float64)
