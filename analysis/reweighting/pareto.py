"""How heavy the tail of importance weights is: the shape of a generalised Pareto distribution fitted to the largest.

Of S weights the M = min(S / 5, 3 sqrt(S)) largest are taken, less the largest of the others. Their shape k says how
many moments the weights have (k < 1/2: a variance; k < 1: a mean). A. Vehtari, D. Simpson, A. Gelman, Y. Yao and J.
Gabry (2024), Pareto smoothed importance sampling, Journal of Machine Learning Research 25(72): estimates are reliable
below min(1 - 1 / log10(S), 0.7). The fit is the one-dimensional posterior mean of J. Zhang and M. A. Stephens (2009), A
new and efficient estimation method for the generalized Pareto distribution, Technometrics 51, 316-325, with the weak
prior towards k = 1/2, worth ten observations, of the first paper.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

FEWEST_IN_TAIL = 5
_PRIOR_WEIGHT, _PRIOR_SHAPE = 10.0, 0.5


def pareto_shape(excess: FloatArray) -> float:
    """Return the shape k of a generalised Pareto distribution that starts at zero.

    Parameters
    ----------
    excess : float64 [n]
        Positive values.

    Notes
    -----
    The paper has the opposite sign of k, and theta = k / sigma. Its likelihood, profiled over k, is
    exp(n (log(theta / k) + k - 1)) with k(theta) = -mean log(1 - theta x); theta is averaged with these weights over
    quantiles of its prior.
    """
    ordered = np.sort(excess)
    n = ordered.size
    size = 30 + math.isqrt(n)
    quartile = ordered[int(n / 4 + 0.5) - 1]
    grid = 1.0 / ordered[-1] + (1.0 - np.sqrt(size / (np.arange(1, size + 1) - 0.5))) / (3.0 * quartile)
    shapes = -np.log1p(-grid[:, np.newaxis] * ordered).mean(axis=1)
    profile = n * (np.log(grid / shapes) + shapes - 1.0)
    weights = np.exp(profile - profile.max())
    theta = float(grid @ weights / weights.sum())
    return float(np.log1p(-theta * ordered).mean())


def tail_shape(log_weights: FloatArray) -> float:
    """Return k-hat of importance weights; NaN if too few differ for a fit.

    Parameters
    ----------
    log_weights : float64 [S]
        Up to a constant.
    """
    sets = log_weights.size
    tail = math.ceil(min(0.2 * sets, 3.0 * math.sqrt(sets)))
    if tail < FEWEST_IN_TAIL or tail >= sets:
        return math.nan
    ordered = np.sort(np.exp(log_weights - log_weights.max()))
    excess = ordered[-tail:] - ordered[-tail - 1]
    excess = excess[excess > np.finfo(np.float64).eps]
    if excess.size < FEWEST_IN_TAIL:
        return math.nan
    fitted = pareto_shape(excess)
    return (excess.size * fitted + _PRIOR_WEIGHT * _PRIOR_SHAPE) / (excess.size + _PRIOR_WEIGHT)


def reliable_below(sets: int) -> float:
    """Return the k-hat below which estimates from so many weights are reliable."""
    return min(1.0 - 1.0 / math.log10(sets), 0.7) if sets > 1 else 0.0
