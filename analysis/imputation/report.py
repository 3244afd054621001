"""What an imputation did, in figures: cell by cell, and what it means for each covariate (docs/covariates.md)."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.imputation.chained import ROUNDS, Imputation
from analysis.imputation.pooling import rubin
from simcore.scenario.covariates import Observed

INTERVAL = (0.05, 0.95)


def versions() -> dict[str, str]:
    """Return package -> version of everything that decides the bits of a panel."""
    import scipy
    import sklearn

    import simcore

    return {
        "simcore": simcore.__version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def describe_making(imputation: Imputation) -> str:
    """Return one line that says how panels were made; it stands in the table beside every imputed cell."""
    made = "; ".join(f"{package} {version}" for package, version in versions().items())
    observed = imputation.observed
    return (
        f"year {observed.year}; window {observed.window}; panels {imputation.panels}; seed {imputation.seed}; "
        f"shift {imputation.shift:g}; rounds {ROUNDS}; {made}"
    )


def report(imputation: Imputation, scenario: str) -> dict[str, Any]:
    """Return everything that `simcore impute` prints, as plain data.

    Parameters
    ----------
    imputation : Imputation
    scenario : str
        Its name.

    Returns
    -------
    dict
        ``imputed``: one entry per missing cell; ``covariates``: one entry per covariate, with Rubin's T = W + (1+1/M)B
        of its mean over origins, transformed scale. W is the variance of such a mean if the origins are a sample.
    """
    observed = imputation.observed
    return {
        "scenario": scenario,
        "year": observed.year,
        "window": observed.window,
        "panels": imputation.panels,
        "seed": imputation.seed,
        "shift": imputation.shift,
        "rounds": ROUNDS,
        "versions": versions(),
        "cells": int(observed.missing.size),
        "missing": int(np.count_nonzero(observed.missing)),
        "imputed": [_imputed_cell(imputation, int(o), int(j)) for j, o in np.argwhere(observed.missing.T)],
        "covariates": [_covariate(imputation, j) for j in range(len(observed.variables))],
    }


def _nearest_known(observed: Observed, origin: int, covariate: int) -> tuple[int | None, float | None]:
    """Return year and value of what was observed nearest in time, however far away."""
    series = observed.series[origin, covariate]
    known = np.flatnonzero(~np.isnan(series))
    if not known.size:
        return None, None
    nearest = known[np.argmin(np.abs(observed.calendar[known] - observed.year))]
    return int(observed.calendar[nearest]), float(series[nearest])


def _imputed_cell(imputation: Imputation, o: int, j: int) -> dict[str, Any]:
    observed, rows = imputation.observed, imputation.rows
    name = tuple(observed.variables)[j]
    variable = observed.variables[name]
    drawn = imputation.completed[:, o, j]
    low, high = np.quantile(drawn, INTERVAL)
    year, value = _nearest_known(observed, o, j)
    limits = np.array([rows.lowest[j], rows.highest[j]]) * rows.scale[j] + rows.centre[j]
    least, greatest = (float(limit) for limit in variable.backward(limits))
    return {
        "origin": observed.origins[o],
        "covariate": name,
        "unit": variable.unit,
        "donors": int(rows.donors[j]),
        "known_year": year,
        "known_value": value,
        "median": float(np.median(drawn)),
        "low": float(low),
        "high": float(high),
        "least_donor": least,
        "greatest_donor": greatest,
    }


def _covariate(imputation: Imputation, j: int) -> dict[str, Any]:
    observed = imputation.observed
    name = tuple(observed.variables)[j]
    values = imputation.transformed[:, :, j]
    origins = values.shape[1]
    entry = {
        "covariate": name,
        "transform": observed.variables[name].transform,
        "missing": int(np.count_nonzero(observed.missing[:, j])),
        "share_missing": float(observed.missing[:, j].mean()),
    }
    if origins < 2 or imputation.panels < 2:
        return entry
    pooled = rubin(
        values.mean(axis=1), values.var(axis=1, ddof=1) / origins, complete_degrees_of_freedom=float(origins - 1)
    )
    return entry | {
        "mean": float(pooled.estimate),
        "within": float(pooled.within),
        "between": float(pooled.between),
        "total": float(pooled.total),
        "missing_information": float(pooled.missing_information),
        "degrees_of_freedom": float(pooled.degrees_of_freedom),
    }
