"""Theta, one element at a time: an element's name is its address."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from typing import Any

from scipy import interpolate, special, stats

from simcore.scenario import Scenario
from simcore.uncertainty.exact import frozen_distribution
from simcore.uncertainty.quantiles import quantile_rule
from simcore.uncertainty.tables import tabulate_beta, tabulate_gamma
from tests.twin.designs import Cube
from tests.twin.philox import normal_score

KNOTS = 4097
LARGEST_SCORE = 8.3


@functools.lru_cache(maxsize=1024)
def _table(alpha: float, beta: float) -> tuple[list[float], list[float]]:
    values, slopes = tabulate_beta(alpha, beta)
    return values.tolist(), slopes.tolist()


def beta_share(alpha: float, beta: float, u: float) -> float:
    """Return the tabulated Beta quantile: cubic Hermite in the logit over the normal score."""
    values, slopes = _table(alpha, beta)
    place = (normal_score(u) + LARGEST_SCORE) * ((KNOTS - 1) / (2.0 * LARGEST_SCORE))
    i = min(max(math.floor(place), 0), KNOTS - 2)
    t = place - i
    s = 1.0 - t
    logit = s * s * ((1.0 + 2.0 * t) * values[i] + t * slopes[i]) + t * t * (
        (3.0 - 2.0 * t) * values[i + 1] - s * slopes[i + 1]
    )
    if logit < 0.0:
        return math.exp(logit) / (1.0 + math.exp(logit))
    return 1.0 / (1.0 + math.exp(-logit))


def _between_knots(values: list[float], slopes: list[float], u: float) -> float:
    """Return cubic Hermite interpolation over the normal score of ``u``."""
    place = (normal_score(u) + LARGEST_SCORE) * ((KNOTS - 1) / (2.0 * LARGEST_SCORE))
    i = min(max(math.floor(place), 0), KNOTS - 2)
    t = place - i
    s = 1.0 - t
    return s * s * ((1.0 + 2.0 * t) * values[i] + t * slopes[i]) + t * t * (
        (3.0 - 2.0 * t) * values[i + 1] - s * slopes[i + 1]
    )


@functools.lru_cache(maxsize=64)
def _gamma_table(shape: float) -> tuple[list[float], list[float]]:
    values, slopes = tabulate_gamma(shape)
    return values.tolist(), slopes.tolist()


def category_index(weights: list[float], u: float) -> float:
    """Return the index of the category that ``u`` falls into."""
    total, reached = math.fsum(weights), 0.0
    for index, weight in enumerate(weights[:-1]):
        reached += weight
        if u < reached / total:
            return float(index)
    return float(len(weights) - 1)


def _piece(knots: list[float], values: list[float], left: list[float], right: list[float], x: float) -> float:
    """Return the Hermite piece at ``x``; slopes are per piece width."""
    if x <= knots[0]:
        return values[0]
    for i in reversed(range(len(knots) - 1)):
        if knots[i] <= x:
            break
    if x >= knots[i + 1]:
        return values[i + 1]
    t = (x - knots[i]) / (knots[i + 1] - knots[i])
    s = 1.0 - t
    value = s * s * ((1.0 + 2.0 * t) * values[i] + t * left[i]) + t * t * (
        (3.0 - 2.0 * t) * values[i + 1] - s * right[i]
    )
    return min(max(value, values[i]), values[i + 1])


def _empirical(d: Any, u: float) -> float:
    p, q = list(d.probabilities), list(d.quantiles)
    widths = [b - a for a, b in itertools.pairwise(p)]
    if d.interpolation == "linear" or len(p) == 2:
        left = right = [(q[i + 1] - q[i]) / width for i, width in enumerate(widths)]
    else:
        slopes = interpolate.PchipInterpolator(p, q).derivative()(p).tolist()
        left, right = slopes[:-1], slopes[1:]
    left = [slope * width for slope, width in zip(left, widths, strict=True)]
    right = [slope * width for slope, width in zip(right, widths, strict=True)]
    return _piece(p, q, left, right, u)


def _from_line(line: float, low: float, high: float, *, bounded: bool) -> float:
    if bounded and math.isfinite(low) and math.isfinite(high):
        odds = math.exp(-abs(line))
        share = 1.0 / (1.0 + odds) if line >= 0.0 else odds / (1.0 + odds)
        return min(max(low + (high - low) * share, low), high)
    if math.isfinite(low):
        return min(max(low + math.exp(line), low), high)
    return min(high - math.exp(-line), high) if math.isfinite(high) else line


def _metalog(d: Any, u: float) -> float:
    """Keelin's series in two polynomials of c = u - 1/2, by Horner's rule."""
    a = list(d.coefficients())
    plain, with_logit = [a[0]], [a[1]]
    if len(a) > 2:
        with_logit.append(a[2])
    if len(a) > 3:
        plain.append(a[3])
    for number, coefficient in enumerate(a[4:], start=5):
        (plain if number % 2 else with_logit).append(coefficient)
    size = max(len(plain), len(with_logit))
    sums = []
    for polynomial in (plain, with_logit):
        total = (polynomial + [0.0] * size)[size - 1]
        for coefficient in reversed((polynomial + [0.0] * size)[: size - 1]):
            total = total * (u - 0.5) + coefficient
        sums.append(total)
    line = sums[0] + (math.log(u) - math.log(1.0 - u)) * sums[1]
    return _from_line(line, *d.untruncated_support(), bounded=True)


def _pool(d: Any, u: float) -> float:
    """The table is the program's own; how it is read is not."""
    rule = quantile_rule(d)
    assert rule.table is not None
    count = int(rule.arguments[0])
    top, bottom = rule.table.tolist()
    line = _piece(top[:count], top[2048 : 2048 + count], bottom, bottom[2048:], normal_score(u))
    low, high = d.untruncated_support()
    if low == 0.0:
        return _from_line(line, low, high, bounded=False)
    return min(max(line, low), high)


def _shapes(d: Any) -> tuple[float, float]:
    if d.family == "pert":
        return 1.0 + d.shape * (d.mode - d.min) / (d.max - d.min), 1.0 + d.shape * (d.max - d.mode) / (d.max - d.min)
    if d.quantiles is not None:
        return d.fitted()
    return (d.alpha, d.beta) if d.alpha is not None else (d.mean * d.size, (1.0 - d.mean) * d.size)


def _log_moments(d: Any) -> tuple[float, float]:
    if d.quantiles is not None:
        return d.fitted()
    if d.mu is not None:
        return d.mu, d.sigma
    if d.median is not None:
        return math.log(d.median), math.log(d.gsd)
    low, high = math.log(d.q05), math.log(d.q95)
    return (low + high) / 2.0, (high - low) / (2.0 * float(special.ndtri(0.95)))


def _untruncated(d: Any) -> Any:
    """Return the scipy distribution whose distribution function places the truncation."""
    match d.family:
        case "uniform":
            return stats.uniform(d.min, d.max - d.min)
        case "triangular":
            return stats.triang((d.mode - d.min) / (d.max - d.min), d.min, d.max - d.min)
        case "pert":
            return stats.beta(*_shapes(d), d.min, d.max - d.min)
        case "beta":
            return stats.beta(*_shapes(d))
        case "lognormal":
            mu, sigma = _log_moments(d)
            return stats.lognorm(sigma, scale=math.exp(mu)) if sigma > 0.0 else None
        case "normal":
            mean, sd = d.fitted() if d.quantiles is not None else (d.mean, d.sd)
            return stats.norm(mean, sd) if sd > 0.0 else None
        case "half_normal":
            return stats.halfnorm(0.0, d.scale) if d.scale > 0.0 else None
        case "gamma" | "empirical" | "metalog" | "pool":
            return frozen_distribution(d)
    return None


def _gamma_parameters(d: Any) -> tuple[float, float]:
    if d.quantiles is not None:
        return d.fitted()
    return (d.shape, d.scale) if d.shape is not None else (1.0 / d.cv**2, d.mean * d.cv**2)


def scalar_value(d: Any, u: float) -> float:
    """Return the quantile of a declared scalar distribution at ``u``."""
    if d.family == "fixed":
        return float(d.value)
    if d.family == "categorical":
        return category_index(list(d.weights.values()), u)
    if d.family == "discrete_uniform":
        count = d.max - d.min + 1
        return d.min + min(math.floor(count * u), count - 1.0)
    low, high = 0.0, 1.0
    whole = _untruncated(d)
    if whole is not None:
        low = float(whole.cdf(d.lower)) if d.lower is not None else 0.0
        high = float(whole.cdf(d.upper)) if d.upper is not None else 1.0
    if d.family == "half_normal":  # the upper half of a normal
        low, high = 0.5 + 0.5 * low, 0.5 + 0.5 * high
    u = min(low + (high - low) * u, 1.0 - 2.0**-53)  # never one, where a quantile is infinite
    match d.family:
        case "uniform":
            return d.min + (d.max - d.min) * u
        case "triangular":
            if u * (d.max - d.min) < d.mode - d.min:
                return d.min + math.sqrt(u * (d.max - d.min) * (d.mode - d.min))
            return d.max - math.sqrt((1.0 - u) * (d.max - d.min) * (d.max - d.mode))
        case "pert":
            return d.min + (d.max - d.min) * beta_share(*_shapes(d), u)
        case "beta":
            return 0.0 + 1.0 * beta_share(*_shapes(d), u)
        case "lognormal":
            mu, sigma = _log_moments(d)
            return math.exp(mu + sigma * normal_score(u))
        case "normal":
            mean, sd = d.fitted() if d.quantiles is not None else (d.mean, d.sd)
            return mean + sd * normal_score(u)
        case "gamma":
            shape, scale = _gamma_parameters(d)
            return scale * math.exp(_between_knots(*_gamma_table(shape), u))
        case "empirical":
            return _empirical(d, u)
        case "metalog":
            return _metalog(d, u)
        case "pool":
            return _pool(d, u)
        case "half_normal":
            return 0.0 + d.scale * normal_score(u)
    raise AssertionError(d.family)


class Theta:
    """One parameter set, drawn as it is asked for."""

    def __init__(self, scenario: Scenario, seed: int, theta_id: int) -> None:
        self.scenario = scenario
        self.seed = seed
        self.theta_id = theta_id
        self.columns: dict[str, float] = {}
        self.cube = Cube(scenario, seed, theta_id)

    def uniform(self, column: str) -> float:
        """Return the uniform of a column."""
        return self.cube.uniform(column)

    def draw(self, element: Any) -> None:
        """Draw all columns of an element."""
        d = element.distribution
        if d.family == "switch":
            self._copy_case(element)
        elif not element.components:
            self.columns[element.name] = scalar_value(d, self.uniform(element.name))
        elif d.family == "fixed_shares":
            total = sum(d.shares.values())
            self.columns.update({f"{element.name}[{c}]": share / total for c, share in d.shares.items()})
        else:
            if d.interval is not None:
                weights = dict(zip(d.components, d.weights(), strict=True))
            elif d.alpha is not None:
                weights = dict(d.alpha)
            else:
                weights = {c: d.concentration * m for c, m in d.means.items()}
            names = list(weights)
            behind, total = {}, 0.0
            for name in reversed(names):
                behind[name] = total
                total = total + weights[name] if total else weights[name]
            rest = 1.0
            for name in names[:-1]:
                column = f"{element.name}[{name}]"
                share = rest * beta_share(weights[name], behind[name], self.uniform(column))
                self.columns[column] = share
                rest -= share
            self.columns[f"{element.name}[{names[-1]}]"] = max(rest, 0.0)

    def _copy_case(self, element: Any) -> None:
        """Give a switch the value of the case of the category that was drawn."""
        switch = element.distribution
        deciding = self.element(switch.on, element.coordinates)
        category = deciding.distribution.categories[int(self.columns[deciding.name])]
        case = self.element(switch.cases[category], element.coordinates)
        if element.components:
            parts = {f"{element.name}[{c}]": self.columns[f"{case.name}[{c}]"] for c in element.components}
            self.columns.update(parts)
        else:
            self.columns[element.name] = self.columns[case.name]

    def element(self, reference: str, place: Mapping[str, str]) -> Any:
        """Return the element of a reference, drawn."""
        element = self.scenario.element(reference, place)
        if element.columns[0] not in self.columns:
            self.draw(element)
        return element

    def scalar(self, reference: str, place: Mapping[str, str]) -> float:
        """Return the value of a scalar reference at a place (axis -> level)."""
        return self.columns[self.element(reference, place).name]

    def shares(self, reference: str, place: Mapping[str, str]) -> dict[str, float]:
        """Return component -> share of a simplex reference, in its own order."""
        element = self.element(reference, place)
        return {component: self.columns[f"{element.name}[{component}]"] for component in element.components}
