"""One comparison with a known answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_LIMIT = 4.5  # two-sided false-alarm level 6.8e-6 per comparison, below 1e-3 for a hundred of them


@dataclass(frozen=True)
class Check:
    """A known answer and what this program makes of it.

    Attributes
    ----------
    name : str
    expected, computed : float or str
        Text for bit patterns.
    z : float or None
        Standard score of a simulated value under its exact (or, for second moments, sampled) standard error.
    tolerance : float or None
        Largest difference of a computed value; None for text and for z-scores.
    passed : bool
    note : str
        Where the known answer comes from.
    """

    name: str
    expected: float | str
    computed: float | str
    z: float | None
    tolerance: float | None
    passed: bool
    note: str


def exactly(name: str, expected: str, computed: str, note: str) -> Check:
    """Compare bit patterns."""
    return Check(name, expected, computed, None, None, expected == computed, note)


def within(name: str, expected: float, computed: float, tolerance: float, note: str) -> Check:
    """Compare a computed value; a value that is no number fails."""
    return Check(name, expected, computed, None, tolerance, bool(abs(computed - expected) <= tolerance), note)


def by_z(name: str, expected: float, computed: float, standard_error: float, note: str) -> Check:
    """Compare a simulated value by its z-score; without spread it must agree exactly."""
    if standard_error > 0.0:
        z = (computed - expected) / standard_error
    else:
        z = 0.0 if computed == expected else math.inf
    return Check(name, expected, computed, z, None, bool(abs(z) < Z_LIMIT), note)
