"""Correlation matrices: from rank correlations to a valid correlation of normal scores (docs/model.md D3).

With normal scores of Pearson correlation r, the rank (Spearman) correlation is rho_s = (6 / pi) arcsin(r / 2), so
r = 2 sin(pi rho_s / 6) (Pearson 1907). Rank correlations that were judged pair by pair need not fit one joint law;
`nearest_correlation` finds the closest matrix that does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SMALLEST_EIGENVALUE = 1e-6
"""Of a repaired matrix: small against every correlation that is stated, large against rounding."""

_SINGULAR = -1e-10  # an eigenvalue above this is zero but for rounding: perfect correlation is no mistake
_ROUNDS = 2000
_CONVERGED = 1e-9
_DECIMALS = 9  # of a repaired matrix, so that its last bits do not depend on the linear algebra library


def scores_from_ranks(spearman: FloatArray) -> FloatArray:
    """Return the Pearson correlations of normal scores that have these Spearman correlations."""
    pearson: FloatArray = 2.0 * np.sin(np.pi / 6.0 * spearman)
    np.fill_diagonal(pearson, 1.0)
    return pearson


def ranks_from_scores(pearson: FloatArray) -> FloatArray:
    """Return the Spearman correlations of normal scores with these Pearson correlations."""
    spearman: FloatArray = 6.0 / np.pi * np.arcsin(np.clip(pearson, -1.0, 1.0) / 2.0)
    np.fill_diagonal(spearman, 1.0)
    return spearman


def is_valid(correlation: FloatArray) -> bool:
    """Return whether a symmetric matrix with a unit diagonal has no negative eigenvalue, but for rounding."""
    return bool(np.linalg.eigvalsh(correlation)[0] >= _SINGULAR)


def nearest_correlation(matrix: FloatArray) -> FloatArray:
    """Return the correlation matrix that is nearest to a symmetric matrix in the Frobenius norm.

    Alternating projections with Dykstra's correction onto the matrices whose eigenvalues are at least
    `SMALLEST_EIGENVALUE` and onto those with a unit diagonal (Higham 2002, "Computing the nearest correlation matrix -
    a problem from finance", algorithm 3.3).
    """
    correlation, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(_ROUNDS):
        corrected = correlation - correction
        positive = _with_eigenvalues_above(corrected, SMALLEST_EIGENVALUE)
        correction = positive - corrected
        np.fill_diagonal(positive, 1.0)
        change = float(np.max(np.abs(positive - correlation)))
        correlation = positive
        if change < _CONVERGED:
            break
    # The last step was onto the unit diagonal: come back to the positive definite ones.
    positive = _with_eigenvalues_above(correlation, SMALLEST_EIGENVALUE)
    scale = 1.0 / np.sqrt(np.diag(positive))
    positive = np.round(positive * scale * scale[:, np.newaxis], _DECIMALS)
    result: FloatArray = np.clip((positive + positive.T) / 2.0, -1.0, 1.0)
    np.fill_diagonal(result, 1.0)
    return result


def _with_eigenvalues_above(matrix: FloatArray, smallest: float) -> FloatArray:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2.0)
    result: FloatArray = (vectors * np.maximum(values, smallest)) @ vectors.T
    return result


def connected_groups(linked: npt.NDArray[np.bool_]) -> list[list[int]]:
    """Return the groups of two or more members that are linked directly or through others, each in order.

    Parameters
    ----------
    linked : bool [n, n]
        Symmetric.
    """
    groups, seen = [], set[int]()
    for start in range(len(linked)):
        if start in seen:
            continue
        group, waiting = {start}, [start]
        while waiting:
            found = set(np.flatnonzero(linked[waiting.pop()]).tolist()) - group
            group |= found
            waiting += sorted(found)
        seen |= group
        if len(group) > 1:
            groups.append(sorted(group))
    return groups
