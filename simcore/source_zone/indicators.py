"""The share of persons who meet several circumstances, from the marginal shares (docs/at_risk_models.md).

Person by person each circumstance is an indicator. Under a Gaussian copula the indicators are 1(Y_k <= q_k) for
standard normals Y_k with q_k = Phi^-1(phi_k). With one correlation r >= 0 for every pair, Y_k = sqrt(r) T + sqrt(1 - r)
E_k for a common T, and given T the indicators are independent: one integral instead of K (the one-factor model; Dunnett
and Sobel 1955, Biometrika 42).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.source_zone.plan import FloatArray, IntArray
from simcore.uncertainty.normal import normal_quantile

REACH = 8.5  # the integrand beyond so many standard deviations is below 1e-16
_STEP = 0.73
_ROOT_HALF = 0.7071067811865476
_DENSITY = 0.3989422804014327


@kernel
def normal_probability(z: float) -> float:
    """Return Phi(z), the standard normal distribution function."""
    return 0.5 * math.erfc(-z * _ROOT_HALF)


@kernel
def share_of_all(shares: FloatArray, correlation: float, limits: FloatArray) -> float:
    """Return the share of persons who meet every circumstance.

    Parameters
    ----------
    shares : float64 [K]
        Marginal shares phi_k, each in 0..1.
    correlation : float
        r in 0..1, the correlation of every pair of the normals behind the indicators. 0 gives the product of the
        shares, 1 the smallest share.
    limits : float64 [K]
        Work space.

    Notes
    -----
    With a = sqrt(r / (1 - r)) and c_k = q_k / sqrt(1 - r) the share is the integral over t of phi(t) prod_k Phi(c_k -
    a t). For a > 1 the integrand gets steep; integrating by parts and putting s = c_k - a t in the k-th term gives

        sum over k of the integral over s of phi(s) Phi((c_k - s) / a) prod over j != k of Phi(s + c_j - c_k),

    which gets smoother as a grows. Both integrals are taken by the trapezoidal rule over the whole line. Its error for
    such a function is about exp(-2 pi^2 / (h^2 (1 + g))) where g is the sum of the squared slopes in the arguments of
    Phi (from shifting the line of integration into the complex plane; Trefethen and Weideman 2014, SIAM Review 56),
    so h = 0.73 / sqrt(1 + g) leaves about 1e-16.
    """
    count = 0
    smallest = 1.0
    product = 1.0
    for k in range(shares.size):
        share = shares[k]
        smallest = min(smallest, share)
        product *= share
        if share < 1.0:
            limits[count] = share
            count += 1
    if smallest <= 0.0 or count < 2 or correlation <= 0.0:
        return max(product, 0.0)
    if correlation >= 1.0:
        return smallest
    own = math.sqrt(1.0 - correlation)
    slope = math.sqrt(correlation) / own
    for k in range(count):
        limits[k] = normal_quantile(limits[k]) / own
    total = 0.0
    if slope <= 1.0:
        step = _STEP / math.sqrt(1.0 + count * slope * slope)
        half = int(REACH / step) + 1
        for i in range(-half, half + 1):
            t = i * step
            term = math.exp(-0.5 * t * t)
            for k in range(count):
                term *= normal_probability(limits[k] - slope * t)
            total += term
    else:
        step = _STEP / math.sqrt(float(count) + 1.0 / (slope * slope))
        half = int(REACH / step) + 1
        for i in range(-half, half + 1):
            s = i * step
            density = math.exp(-0.5 * s * s)
            for k in range(count):
                term = density * normal_probability((limits[k] - s) / slope)
                for j in range(count):
                    if j != k:
                        term *= normal_probability(s + limits[j] - limits[k])
                total += term
    return min(max(total * step * _DENSITY, 0.0), smallest)


@kernel
def joint_shares(theta: FloatArray, sets: IntArray, correlation: IntArray, joint: FloatArray) -> None:
    """Fill ``joint`` (float64 [n, D]) with the share of persons who meet all circumstances, for each distinct set.

    Parameters
    ----------
    theta : float64 [n, P]
    sets : int64 [D, K]
        Columns of the marginal shares.
    correlation : int64 [D]
        Column of the correlation.
    """
    shares = np.empty(sets.shape[1])
    limits = np.empty(sets.shape[1])
    for row in range(theta.shape[0]):
        for d in range(sets.shape[0]):
            for k in range(sets.shape[1]):
                shares[k] = theta[row, sets[d, k]]
            joint[row, d] = share_of_all(shares, theta[row, correlation[d]], limits)


@kernel
def scale_by_factors(
    theta: FloatArray, joint: FloatArray, places: IntArray, starts: IntArray, columns: IntArray, shares: FloatArray
) -> None:
    """Fill ``shares`` (float64 [n, T]): ``joint[:, places[t]]`` times ``columns[starts[t]:starts[t + 1]]`` of theta.

    A target at place -1 becomes zero.
    """
    for row in range(theta.shape[0]):
        for target in range(shares.shape[1]):
            share = joint[row, places[target]] if places[target] >= 0 else 0.0
            for i in range(starts[target], starts[target + 1]):
                share *= theta[row, columns[i]]
            shares[row, target] = share


def frechet_bounds(shares: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the smallest and the largest share of persons who can meet all circumstances, whatever their dependence.

    Parameters
    ----------
    shares : float64 [..., K]
        Marginal shares.

    Returns
    -------
    lower, upper : float64 [...]
        max(0, sum of phi - (K - 1)) and min of phi (Frechet 1935; sharp).
    """
    marginals = np.asarray(shares, dtype=np.float64)
    lower = np.maximum(marginals.sum(axis=-1) - (marginals.shape[-1] - 1), 0.0)
    return np.asarray(lower), np.asarray(marginals.min(axis=-1))
