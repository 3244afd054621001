"""From quantiles that somebody gave to the parameters of a family, and how well they are met.

Parameters minimise the sum of squared residuals on the quantile scale,

    r_i = (Q(p_i) - q_i) / s_i,

where s_i is the distance from q_i to the nearest finite end of the family's support, or the range of the given
quantiles where there is none: a lognormal, beta or gamma is judged by relative error, a normal by the range. Two
quantiles and two parameters are met exactly.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST_RESIDUAL = 0.05  # beyond it the scenario warns
SUPPORTS = {
    "normal": (-math.inf, math.inf),
    "lognormal": (0.0, math.inf),
    "gamma": (0.0, math.inf),
    "beta": (0.0, 1.0),
}
_WORST = 1e6
_SMALLEST_LOG, _LARGEST_LOG = -12.0, 20.0  # of shapes

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FittedQuantile:
    """A quantile as it was asked for and as the distribution gives it; ``residual`` is (given - asked) / scale."""

    name: str
    probability: float
    asked: float
    given: float
    residual: float


@dataclass(frozen=True)
class FitReport:
    """What a distribution that was declared by quantiles became.

    Attributes
    ----------
    family : str
    parameters : dict
        Parameter of the family -> fitted value: mean and sd, mu and sigma, alpha and beta, shape and scale; the
        coefficients of a metalog; the concentration of a Dirichlet.
    quantiles : tuple of FittedQuantile
        In order of probability; truncation by `lower` and `upper` included.
    largest_residual : float
        The largest absolute residual, relative to the scale described above.
    """

    family: str
    parameters: dict[str, float]
    quantiles: tuple[FittedQuantile, ...]
    largest_residual: float


def quantile_probability(name: str) -> float:
    """Return the probability of a quantile's name: 0.05 of ``q05``, 0.975 of ``q97.5``."""
    return float(f"{name[1:]}e-2")  # correctly rounded, which a division by 100 is not always


def residual_scale(asked: FloatArray, lowest: float, highest: float) -> FloatArray:
    """Return s_i of every quantile."""
    distance = np.minimum(asked - lowest, highest - asked)
    scale: FloatArray = np.where(np.isfinite(distance), distance, asked[-1] - asked[0])
    return scale


def family_quantile(family: str, parameters: tuple[float, ...], probabilities: FloatArray) -> FloatArray:
    """Return quantiles of a normal, lognormal, gamma or beta."""
    from scipy import special

    first, second = parameters
    match family:
        case "gamma":
            quantiles = second * special.gammaincinv(first, probabilities)
        case "beta":
            quantiles = special.betaincinv(first, second, probabilities)
        case _:
            quantiles = first + second * special.ndtri(probabilities)
    return np.asarray(np.exp(np.minimum(quantiles, 700.0)) if family == "lognormal" else quantiles, dtype=np.float64)


def _family_distribution(family: str, parameters: tuple[float, ...], value: float) -> float:
    """Return the distribution function of a normal, lognormal, gamma or beta at ``value``."""
    from scipy import special

    first, second = parameters
    lowest, highest = SUPPORTS[family]
    if not lowest < value < highest:
        return 0.0 if value <= lowest else 1.0
    match family:
        case "gamma":
            return float(special.gammainc(first, value / second))
        case "beta":
            return float(special.betainc(first, second, value))
    return float(special.ndtr(((math.log(value) if family == "lognormal" else value) - first) / second))


@functools.lru_cache(maxsize=1024)
def fitted_parameters(family: str, quantiles: tuple[tuple[str, float], ...]) -> tuple[float, float]:
    """Return the two parameters of ``family`` that fit ``quantiles`` (name, value), which rise, by least squares.

    normal: mean, sd; lognormal: mu, sigma; gamma: shape, scale; beta: alpha, beta.
    """
    from scipy import special

    p = np.array([quantile_probability(name) for name, _ in quantiles])
    q = np.array([value for _, value in quantiles])
    score = special.ndtri(p)
    if family == "normal":  # linear
        sd, mean = np.polyfit(score, q, 1)
        return float(mean), float(sd)
    scale = residual_scale(q, *SUPPORTS[family])

    def misfit(unbounded: FloatArray) -> FloatArray:
        given = family_quantile(family, natural(unbounded), p)
        return np.clip(np.nan_to_num((given - q) / scale, nan=_WORST), -_WORST, _WORST)

    def natural(unbounded: FloatArray) -> tuple[float, float]:
        first, second = unbounded
        if family == "lognormal":
            return float(first), math.exp(second)
        return math.exp(min(max(first, _SMALLEST_LOG), _LARGEST_LOG)), math.exp(min(second, 600.0))

    if family == "lognormal":
        sigma, mu = np.polyfit(score, np.log(q), 1)
        start = np.array([mu, math.log(sigma)])
    elif family == "gamma":
        start = _gamma_start(p, q)
    else:
        start = _beta_start(p, q, scale)
    return natural(_least_squares(misfit, start))


def _least_squares(misfit: Callable[[FloatArray], FloatArray], start: FloatArray) -> FloatArray:
    from scipy.optimize import least_squares

    solution: FloatArray = least_squares(misfit, start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15).x
    return solution


def _gamma_start(p: FloatArray, q: FloatArray) -> FloatArray:
    """Return log shape and log scale, the best of a grid of shapes, each with its own best scale."""
    from scipy import special

    shapes = np.exp(np.linspace(_SMALLEST_LOG / 3.0, _LARGEST_LOG, 121))
    with np.errstate(over="ignore"):  # of quantiles that are hundreds of orders of magnitude apart
        ratios = special.gammaincinv(shapes[:, np.newaxis], p) / q
        scales = np.maximum(ratios.sum(axis=1) / np.maximum((ratios**2).sum(axis=1), 1e-300), 1e-300)
        best = int(np.argmin(((scales[:, np.newaxis] * ratios - 1.0) ** 2).sum(axis=1)))
    return np.log(np.array([shapes[best], scales[best]]))


def _beta_start(p: FloatArray, q: FloatArray, scale: FloatArray) -> FloatArray:
    """Return log alpha and log beta, the best of a grid."""
    from scipy import special

    logs = np.linspace(_SMALLEST_LOG / 3.0, _LARGEST_LOG, 49)
    alphas, betas = (axis.reshape(-1, 1) for axis in np.meshgrid(np.exp(logs), np.exp(logs)))
    given = np.nan_to_num(special.betaincinv(alphas, betas, p), nan=_WORST)
    best = int(np.argmin((((given - q) / scale) ** 2).sum(axis=1)))
    return np.log(np.array([alphas[best, 0], betas[best, 0]]))


@functools.lru_cache(maxsize=512)
def fitted_concentration(mean: float, quantiles: tuple[tuple[str, float], ...]) -> float:
    """Return the concentration c at which Beta(c mean, c (1 - mean)) comes nearest to ``quantiles``, least squares."""
    p = np.array([quantile_probability(name) for name, _ in quantiles])
    q = np.array([value for _, value in quantiles])
    scale = residual_scale(q, 0.0, 1.0)

    def misfit(log_concentration: FloatArray) -> FloatArray:
        total = math.exp(min(max(float(log_concentration[0]), -5.0), _LARGEST_LOG))
        given = family_quantile("beta", (total * mean, total * (1.0 - mean)), p)
        return np.clip(np.nan_to_num((given - q) / scale, nan=_WORST), -_WORST, _WORST)

    grid = np.linspace(-2.0, _LARGEST_LOG, 89)
    start = min(grid, key=lambda log: float((misfit(np.array([log])) ** 2).sum()))
    return math.exp(float(_least_squares(misfit, np.array([start]))[0]))


def make_report(
    family: str,
    parameters: Mapping[str, float],
    asked: Mapping[str, float],
    quantile: Callable[[FloatArray], FloatArray],
    support: tuple[float, float],
) -> FitReport:
    """Return the report of what was ``asked`` (name -> value, in order) and what ``quantile`` gives."""
    names = list(asked)
    p, q = np.array([quantile_probability(name) for name in names]), np.array(list(asked.values()))
    given = quantile(p)
    residuals = (given - q) / residual_scale(q, *support)
    rows = zip(names, p.tolist(), q.tolist(), given.tolist(), residuals.tolist(), strict=True)
    fitted = tuple(FittedQuantile(*row) for row in rows)
    return FitReport(family, dict(parameters), fitted, float(np.max(np.abs(residuals))))


def fit_report(distribution: Any) -> FitReport | None:
    """Return what was fitted to the quantiles that a distribution is declared by; None if it is declared otherwise.

    Parameters
    ----------
    distribution : a class of `simcore.scenario.distributions`
        A pool has no report of its own: see `fit_reports`.
    """
    return distribution.fit_report() if hasattr(distribution, "fit_report") else None


def fit_reports(distribution: Any) -> Iterator[tuple[tuple[str, ...], FitReport]]:
    """Yield (key path below the distribution, report) of it and, if it is a pool, of every expert's."""
    report = fit_report(distribution)
    if report is not None:
        yield (), report
    for name, expert in (getattr(distribution, "experts", None) or {}).items():
        report = fit_report(expert.distribution)
        if report is not None:
            yield ("experts", name, "distribution"), report


def misfit_text(report: FitReport) -> str:
    """Return what a user is told about a fit that misses a quantile by more than `LARGEST_RESIDUAL`."""
    worst = max(report.quantiles, key=lambda quantile: abs(quantile.residual))
    text = (
        f"the fitted {report.family} misses {worst.name}: asked {worst.asked:g}, given {worst.given:.4g} "
        f"(residual {abs(worst.residual):.1%}, limit {LARGEST_RESIDUAL:.0%})"
    )
    if report.family in ("dirichlet", "metalog"):
        return text
    return f"{text}; alternatives: family empirical through the same quantiles and declared ends, or metalog"


def family_report(distribution: Any, names: tuple[str, str]) -> FitReport | None:
    """Return the report of a normal, lognormal, gamma or beta; ``names`` are those of its parameters."""
    d = distribution
    if d.quantiles is None:
        return None
    parameters = d.fitted()
    low = 0.0 if d.lower is None else _family_distribution(d.family, parameters, d.lower)
    high = 1.0 if d.upper is None else _family_distribution(d.family, parameters, d.upper)

    def quantile(p: FloatArray) -> FloatArray:
        return family_quantile(d.family, parameters, low + (high - low) * p)

    return make_report(d.family, dict(zip(names, parameters, strict=True)), d.quantiles, quantile, SUPPORTS[d.family])


def concentration_report(mean: float, asked: Mapping[str, float]) -> FitReport:
    """Return the report of a Dirichlet whose concentration was fitted to quantiles of one component."""
    total = fitted_concentration(mean, tuple(asked.items()))

    def quantile(p: FloatArray) -> FloatArray:
        return family_quantile("beta", (total * mean, total * (1.0 - mean)), p)

    return make_report("dirichlet", {"concentration": total}, asked, quantile, (0.0, 1.0))
