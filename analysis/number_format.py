"""Figures as people read them: two or three significant digits, thousands separators, small cells hidden.

How many digits depends on the Monte Carlo standard error: three if it is below a hundredth of the figure, else two.
"""

from __future__ import annotations

import math

import numpy as np

from analysis.quantity import Estimate, Interval

SMALL_CELL = 10.0
"""Counts above 0 and below this are printed as ``<10`` unless told otherwise."""

HIDDEN = f"<{SMALL_CELL:.0f}"
MISSING = "-"
_MILLIONS_FROM = 1e7


def is_small(value: float, kind: str) -> bool:
    """Return whether a figure is a small cell: a count from above 0 to below 10."""
    return kind != "ratio" and 0.0 < value < SMALL_CELL


def _digits(figure: Estimate) -> int:
    """Return 3 if the standard error is known and below a hundredth of the figure, else 2."""
    return 3 if figure.mcse <= 0.01 * abs(figure.estimate) else 2


def show_estimate(figure: Estimate, kind: str, *, exact: bool = False, digits: int | None = None) -> str:
    """Return a figure with two or three significant digits.

    Parameters
    ----------
    figure : Estimate
    kind : {"persons", "events", "ratio"}
    exact : bool
        Show small cells too.
    digits : int, optional
        Significant digits; by the standard error if not given.
    """
    value = figure.estimate
    if math.isnan(value):
        return MISSING
    if is_small(value, kind) and not exact:
        return HIDDEN
    whole = kind != "ratio" and (value >= SMALL_CELL or value == round(value))
    return significant(value, digits or _digits(figure), whole=whole)


def show_error(figure: Estimate, kind: str, *, exact: bool = False) -> str:
    """Return the standard error of a figure with two digits; hidden with a small cell, ``<1`` if below one person."""
    if is_small(figure.estimate, kind) and not exact:
        return ""
    if math.isnan(figure.mcse):
        return MISSING
    if kind != "ratio" and figure.mcse < 1.0:  # of a whole number, so that less than one means: within one
        return "<1"
    return significant(figure.mcse, 2, whole=kind != "ratio")


def show_interval(interval: Interval, kind: str, *, exact: bool = False) -> str:
    """Return both ends of an interval, or one figure if they read the same."""
    digits = min(_digits(interval.lower), _digits(interval.upper))
    lower = show_estimate(interval.lower, kind, exact=exact, digits=digits)
    upper = show_estimate(interval.upper, kind, exact=exact, digits=digits)
    if lower == upper:
        return lower
    unit = " million"
    if lower.endswith(unit) and upper.endswith(unit):
        lower = lower.removesuffix(unit)
    return f"{lower} to {upper}"


def significant(value: float, digits: int, *, whole: bool = False) -> str:
    """Return a number rounded to significant digits, in positional notation with thousands separators.

    Parameters
    ----------
    value : float
    digits : int
    whole : bool
        Without decimals.
    """
    if value == 0.0:
        return "0"
    if abs(value) >= _MILLIONS_FROM:
        return f"{significant(value / 1e6, digits)} million"
    rounded = float(f"{value:.{digits - 1}e}")
    if whole or abs(rounded) >= 10.0 ** (digits - 1):
        return f"{rounded:,.0f}"
    return str(np.format_float_positional(rounded, precision=digits, fractional=False, min_digits=digits, trim="k"))


def share(value: float) -> str:
    """Return a share in per cent."""
    return f"{significant(100.0 * value, 2)} %"
