"""Metalog distributions: a quantile function that is linear in its coefficients (Keelin 2016, Decision Analysis 13).

With y the probability, L = ln(y / (1 - y)) and c = y - 1/2 the *line*

    M(y) = a1 + a2 L + a3 c L + a4 c + a5 c^2 + a6 c^2 L + a7 c^3 + a8 c^3 L + ...

is the quantile function of the unbounded form. With ends b_l, b_u the bounded forms are
b_l + exp(M), b_u - exp(-M) and (b_l + b_u exp(M)) / (1 + exp(M)).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_LOGITS = np.linspace(-37.0, 37.0, 7401)  # from below 2**-53 to above 1 - 2**-53


def to_line(values: FloatArray, lowest: float, highest: float) -> FloatArray:
    """Return ``values`` between the ends (infinite: none) on the whole line, increasing."""
    line: FloatArray = values
    if math.isfinite(lowest):
        line = np.log(values - lowest)
        return line - np.log(highest - values) if math.isfinite(highest) else line
    return -np.log(highest - values) if math.isfinite(highest) else line


def from_line(line: FloatArray, lowest: float, highest: float) -> FloatArray:
    """Return the values of points on the line: the inverse of `to_line`."""
    with np.errstate(over="ignore"):
        if math.isfinite(lowest) and math.isfinite(highest):
            share = np.where(line >= 0.0, 1.0 / (1.0 + np.exp(-np.abs(line))), np.exp(-np.abs(line)))
            share = np.where(line >= 0.0, share, share / (1.0 + share))
            values: FloatArray = lowest + (highest - lowest) * share
        elif math.isfinite(lowest):
            values = lowest + np.exp(line)
        else:
            values = highest - np.exp(-line) if math.isfinite(highest) else line
    return values


def powers(terms: int) -> list[tuple[int, bool]]:
    """Return of every term the power of c, and whether it is multiplied by L."""
    return [(0, False), (0, True), (1, True), (1, False)][:terms] + [
        ((term - 1) // 2, False) if term % 2 else (term // 2 - 1, True) for term in range(5, terms + 1)
    ]


def polynomials(coefficients: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Return the polynomials P and Q in c (lowest power first, equally long) of the line P + L Q."""
    terms = powers(len(coefficients))
    size = max(power for power, _ in terms) + 1
    plain, with_logit = np.zeros(size), np.zeros(size)
    for coefficient, (power, has_logit) in zip(coefficients, terms, strict=True):
        (with_logit if has_logit else plain)[power] = coefficient
    return plain, with_logit


def line_at(coefficients: Sequence[float], probabilities: FloatArray) -> FloatArray:
    """Return M at ``probabilities``."""
    plain, with_logit = polynomials(coefficients)
    logit = np.log(probabilities) - np.log1p(-probabilities)
    centred = probabilities - 0.5
    evaluate = np.polynomial.polynomial.polyval
    line: FloatArray = evaluate(centred, plain) + logit * evaluate(centred, with_logit)
    return line


def line_slope(coefficients: Sequence[float], logit: FloatArray) -> FloatArray:
    """Return dM/dL at ``logit``; positive everywhere in a distribution."""
    plain, with_logit = polynomials(coefficients)
    y = 1.0 / (1.0 + np.exp(-logit))
    weight = y / (1.0 + np.exp(logit))
    evaluate, derive = np.polynomial.polynomial.polyval, np.polynomial.polynomial.polyder
    inner = evaluate(y - 0.5, derive(plain)) + logit * evaluate(y - 0.5, derive(with_logit))
    slope: FloatArray = evaluate(y - 0.5, with_logit) + weight * inner
    return slope


@functools.lru_cache(maxsize=512)
def fit_line(probabilities: tuple[float, ...], line_values: tuple[float, ...], terms: int) -> tuple[float, ...]:
    """Return the ``terms`` coefficients that fit the line by least squares; exactly where there are as many values."""
    y = np.array(probabilities)
    logit = np.log(y) - np.log1p(-y)
    columns = [(y - 0.5) ** power * (logit if has_logit else 1.0) for power, has_logit in powers(terms)]
    found = np.linalg.lstsq(np.stack(columns, axis=1), np.array(line_values), rcond=None)[0]
    return tuple(float(coefficient) for coefficient in found)


def where_it_falls(coefficients: Sequence[float]) -> float | None:
    """Return a probability at which the line does not rise, None if it rises everywhere."""
    slope = line_slope(coefficients, _LOGITS)
    worst = int(np.argmin(slope))
    return None if slope[worst] > 0.0 else float(1.0 / (1.0 + math.exp(-_LOGITS[worst])))
