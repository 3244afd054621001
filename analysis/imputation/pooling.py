"""Rubin's rules: one estimate and its variance from M completed panels.

Sources: Rubin, "Multiple Imputation for Nonresponse in Surveys" (1987), chapter 3: equations 3.1.2 to 3.1.6 for T and
its degrees of freedom, 3.1.10 for the share of missing information; Barnard and Rubin, "Small-sample degrees of freedom
with multiple imputation", Biometrika 86 (1999), for degrees of freedom when those of complete data are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    """An estimate pooled over panels; every field is float64 of the shape of one panel's estimate.

    Attributes
    ----------
    estimate : mean over the panels
    within : W, the mean of the variances
    between : B, the variance of the estimates, divisor M - 1
    total : T = W + (1 + 1/M) B
    missing_information : (1 + 1/M) B / T
        Share of T that comes from not knowing the missing values; 0 where T is 0.
    degrees_of_freedom : of the t distribution of (estimate - truth) / sqrt(T); infinite where B is 0
    panels : int
        M.
    """

    estimate: Floats
    within: Floats
    between: Floats
    total: Floats
    missing_information: Floats
    degrees_of_freedom: Floats
    panels: int


def rubin(
    estimates: npt.ArrayLike, variances: npt.ArrayLike, *, complete_degrees_of_freedom: float | None = None
) -> Pooled:
    """Pool the estimates of M completed panels.

    With r = (1 + 1/M) B / W the degrees of freedom are (M - 1) (1 + 1/r)^2. With those of complete data, nu0, they are
    1 / (1/nu + 1/nu1), where nu1 = (nu0 + 1) / (nu0 + 3) nu0 (1 - missing information).

    Parameters
    ----------
    estimates : float64 [M, ...]
        One estimate per panel.
    variances : float64 [M, ...]
        Its squared standard error if the panel were data; zeros are allowed.
    complete_degrees_of_freedom : float, optional
        nu0; without it those of a large sample are given.

    Returns
    -------
    Pooled

    Raises
    ------
    ValueError
        If there are fewer than two panels, the shapes differ, or a number is not finite or a variance negative.
    """
    values, squares = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if values.shape != squares.shape:
        raise ValueError(f"estimates have the shape {values.shape}, variances {squares.shape}")
    if values.ndim == 0 or values.shape[0] < 2:
        raise ValueError(f"needs at least 2 panels, got {values.shape[0] if values.ndim else 0}")
    if not (np.all(np.isfinite(values)) and np.all(np.isfinite(squares)) and np.all(squares >= 0)):
        raise ValueError("estimates must be finite, and variances finite and not negative")
    panels = values.shape[0]
    deviations = values - values[0]  # exactly zero where all panels agree
    within, between = squares.mean(axis=0), deviations.var(axis=0, ddof=1)
    inflated = (1 + 1 / panels) * between
    total = within + inflated
    share = np.divide(inflated, total, out=np.zeros_like(total), where=total > 0)
    # (1 + 1/r)^2 = (T / inflated)^2 = 1 / share^2
    degrees = np.divide(panels - 1, share**2, out=np.full_like(total, np.inf), where=share > 0)
    if complete_degrees_of_freedom is not None:
        nu0 = complete_degrees_of_freedom
        if not nu0 > 0:
            raise ValueError(f"complete_degrees_of_freedom must be above 0, got {nu0:g}")
        observed = (nu0 + 1) / (nu0 + 3) * nu0 * (1 - share)
        degrees = np.divide(1.0, 1 / degrees + 1 / np.where(observed > 0, observed, 1.0), where=observed > 0,
                            out=np.zeros_like(total))  # fmt: skip
    return Pooled(values[0] + deviations.mean(axis=0), within, between, total, share, degrees, panels)
