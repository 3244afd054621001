"""Whether two samples of vectors come from one law: three statistics with known null distributions.

Both samples are of R vectors, pair by pair of one replicate: with one seed two engines draw the same parameters, shared
effects and bound persons, and move those persons with different streams. Given the draw the two vectors of a pair are
independent and, if the engines have one law, exchangeable. So for any fixed function f the differences f(x) - f(y) are
independent between pairs, symmetric and have mean zero, also where parameters vary.

`waves`
    f = cosines and sines of random directions: the empirical characteristic function (Epps & Singleton 1986,
    J. Statist. Comput. Simul. 26, 177-203, in several dimensions). Sees differences of any kind.
`cells`
    f = indicators of cells of the joint histogram of a few counts: the test of marginal homogeneity of Stuart (1955)
    and Maxwell (1970). Rare cells are merged by their number in both samples together, which does not know which is
    which.
`products`
    f = coordinates and their products: means, variances and covariances, each by a z-score; the largest one counts.

The first two are Hotelling's T-square, whose null law is that of F for many pairs. Functions are bounded, so that the
limit is near; `test_p_values_are_uniform` looks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from tests.statistical.level import of_largest

FloatArray = npt.NDArray[np.float64]
DIRECTIONS = 32
FEWEST_IN_A_CELL = 50  # of both samples together
ROWS_AT_ONCE = 4096
CUTS = (-0.43, 0.43)  # standard deviations: three about equal parts


class Verdict(NamedTuple):
    """A statistic with its p-value; ``features`` is its number of degrees of freedom or of z-scores."""

    statistic: float
    features: int
    p_value: float


def waves(first: FloatArray, second: FloatArray, seed: int) -> Verdict:
    """Compare characteristic functions of white vectors, [R, k] each, at random points not far from zero."""
    generator = np.random.default_rng([seed, 1])
    points = generator.standard_normal((first.shape[1], DIRECTIONS))
    points *= np.linspace(0.5, 2.0, DIRECTIONS) / np.linalg.norm(points, axis=0)

    def features(vectors: FloatArray) -> FloatArray:
        angles = vectors @ points
        return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)

    return hotelling(features(first) - features(second))


def cells(first: FloatArray, second: FloatArray) -> Verdict:
    """Compare joint histograms of a few counts in standard deviations, [R, few] each."""
    parts = len(CUTS) + 1
    weights = parts ** np.arange(first.shape[1])
    codes = [np.digitize(counts, CUTS) @ weights for counts in (first, second)]
    sizes = np.bincount(np.concatenate(codes), minlength=parts ** first.shape[1])
    kept = np.flatnonzero(sizes >= FEWEST_IN_A_CELL)
    if sizes[sizes < FEWEST_IN_A_CELL].sum() < FEWEST_IN_A_CELL:
        kept = kept[1:]  # the rest is too rare to stand for itself: the indicators would nearly add up to one
    differences = [(codes[0] == cell).astype(float) - (codes[1] == cell) for cell in kept]
    return hotelling(np.stack(differences, axis=1))


def products(first: FloatArray, second: FloatArray) -> Verdict:
    """Compare means and second moments of white vectors, [R, k] each."""
    rows, columns = np.triu_indices(first.shape[1])

    def features(vectors: FloatArray) -> FloatArray:
        return np.concatenate([vectors, vectors[:, rows] * vectors[:, columns]], axis=1)

    total = square = 0.0
    for start in range(0, len(first), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        difference = features(first[part]) - features(second[part])
        total, square = total + difference.sum(axis=0), square + (difference**2).sum(axis=0)
    mean = total / len(first)
    scores = mean / np.sqrt((square / len(first) - mean**2) / len(first))
    largest = float(np.abs(scores).max())
    return Verdict(largest, scores.size, of_largest(largest, scores.size))


def hotelling(differences: FloatArray) -> Verdict:
    """Test that the mean of independent vectors [R, k] is zero."""
    pairs, features = differences.shape
    mean = differences.mean(axis=0)
    covariance = np.cov(differences, rowvar=False).reshape(features, features)
    statistic = float(pairs * mean @ np.linalg.solve(covariance, mean))
    scaled = statistic * (pairs - features) / (features * (pairs - 1))
    return Verdict(statistic, features, float(stats.f.sf(scaled, features, pairs - features)))
