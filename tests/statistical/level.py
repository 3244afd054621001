"""One false-alarm level for the whole suite, shared by everything that it asserts by chance.

A test with a fixed seed gives the same answer every time; the level is that of a seed nobody has tried. `FAMILY` is the
chance that a correct program fails anything in this folder under one seed, by Bonferroni's inequality: every assertion
gets an equal part, whether it is independent of the others or not. The long suite is a family of its own.
"""

from __future__ import annotations

import itertools

from scipy import stats

FAMILY = 1e-4
ASSERTIONS = 100  # at most so many p-values are asserted in a session
LEVEL = FAMILY / ASSERTIONS
POWER = 0.999

_asserted = itertools.count(1)


def accept(p_value: float, what: str) -> None:
    """Assert that a p-value is no reason to doubt the program."""
    assert next(_asserted) <= ASSERTIONS, "more assertions than the level was divided by"
    assert p_value >= LEVEL, f"{what}: p = {p_value:.3g}, level {LEVEL:.1g}"


def of_largest(score: float, number: int) -> float:
    """Return the p-value of the largest of ``number`` absolute z-scores, whatever their dependence."""
    return float(min(1.0, 2.0 * stats.norm.sf(abs(score)) * number))


def needed_score(number: int = 1) -> float:
    """Return how many standard errors a defect must shift one of ``number`` z-scores to be caught with `POWER`."""
    return float(stats.norm.isf(LEVEL / (2.0 * number)) + stats.norm.isf(1.0 - POWER))


def needed_noncentrality(features: int) -> float:
    """Return the noncentrality at which a chi-square statistic of so many features is caught with `POWER`."""
    limit = stats.chi2.isf(LEVEL, features)
    low, high = 0.0, 10.0 * limit + 100.0
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if stats.ncx2.sf(limit, features, middle) < POWER else (low, middle)
    return high
