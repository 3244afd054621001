"""Rubin's rules against an example worked by hand in exact fractions, and at their limits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from analysis.imputation import rubin


def test_worked_example() -> None:
    """M = 3, estimates 2, 4, 6 with variances 1, 2, 3: Qbar 4, W 2, B 4, T = 2 + 4/3 x 4 = 22/3."""
    pooled = rubin([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    between, within = Fraction(4), Fraction(2)
    inflated = (1 + Fraction(1, 3)) * between
    total = within + inflated
    relative = inflated / within  # r
    assert (pooled.estimate, pooled.within, pooled.between) == (4.0, 2.0, 4.0)
    assert pooled.total == pytest.approx(float(total), rel=1e-15)
    assert float(total) == pytest.approx(22 / 3)
    assert pooled.missing_information == pytest.approx(float(inflated / total), rel=1e-15)
    assert pooled.degrees_of_freedom == pytest.approx(float(2 * (1 + 1 / relative) ** 2), rel=1e-15)
    assert pooled.panels == 3


def test_few_degrees_of_freedom_of_complete_data() -> None:
    """Barnard and Rubin (1999) for the example above with nu0 = 7: nu1 = 8/10 x 7 x (1 - 8/11)."""
    pooled = rubin([2.0, 4.0, 6.0], [1.0, 2.0, 3.0], complete_degrees_of_freedom=7)
    large = Fraction(2) / Fraction(8, 11) ** 2
    observed = Fraction(8, 10) * 7 * (1 - Fraction(8, 11))
    assert pooled.degrees_of_freedom == pytest.approx(float(1 / (1 / large + 1 / observed)), rel=1e-14)
    assert pooled.degrees_of_freedom < 7


def test_limits() -> None:
    same = rubin([1.0, 1.0], [0.5, 0.5])
    assert (same.between, same.missing_information, same.total) == (0.0, 0.0, 0.5)
    assert same.degrees_of_freedom == np.inf
    certain = rubin([1.0, 3.0], [0.0, 0.0])  # nothing but the missing values is unknown
    assert (certain.total, certain.missing_information, certain.degrees_of_freedom) == (3.0, 1.0, 1.0)
    nothing = rubin([1.0, 1.0], [0.0, 0.0])
    assert (nothing.total, nothing.missing_information) == (0.0, 0.0)


def test_every_element_is_pooled_by_itself() -> None:
    estimates = np.array([[2.0, 5.0], [4.0, 5.0], [6.0, 5.0]])
    variances = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])
    pooled = rubin(estimates, variances)
    np.testing.assert_allclose(pooled.total, [22 / 3, 1.0], rtol=1e-15)
    np.testing.assert_array_equal(pooled.missing_information > 0, [True, False])


@pytest.mark.parametrize(
    ("estimates", "variances", "text"),
    [
        ([1.0], [1.0], "needs at least 2 panels, got 1"),
        ([1.0, 2.0], [1.0], "shape"),
        ([1.0, np.nan], [1.0, 1.0], "finite"),
        ([1.0, 2.0], [1.0, -1.0], "not negative"),
        (1.0, 1.0, "got 0"),
    ],
)
def test_refuses(estimates: object, variances: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        rubin(estimates, variances)  # type: ignore[arg-type]
