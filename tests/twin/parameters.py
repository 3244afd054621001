"""Theta, one element at a time: an element's name is its address."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

from scipy import special, stats

from simcore.scenario import Scenario
from simcore.uncertainty.quantiles import tabulate_beta
from tests.twin.philox import normal_score, open_uniform, philox_block, stream_key

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


def _shapes(d: Any) -> tuple[float, float]:
    if d.family == "pert":
        return 1.0 + d.shape * (d.mode - d.min) / (d.max - d.min), 1.0 + d.shape * (d.max - d.mode) / (d.max - d.min)
    return (d.alpha, d.beta) if d.alpha is not None else (d.mean * d.size, (1.0 - d.mean) * d.size)


def _log_moments(d: Any) -> tuple[float, float]:
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
            return stats.norm(d.mean, d.sd) if d.sd > 0.0 else None
        case "half_normal":
            return stats.halfnorm(0.0, d.scale) if d.scale > 0.0 else None
    return None


def scalar_value(d: Any, u: float) -> float:
    """Return the quantile of a declared scalar distribution at ``u``."""
    if d.family == "fixed":
        return float(d.value)
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
            return d.mean + d.sd * normal_score(u)
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

    def uniform(self, column: str) -> float:
        """Return the uniform of a column: words 0 and 1 of the block at (0, 0, 0, theta_id)."""
        key = stream_key(self.seed, "parameter", (column,))
        first, second, _, _ = philox_block((0, 0, 0, self.theta_id), key)
        return open_uniform(first, second)

    def draw(self, element: Any) -> None:
        """Draw all columns of an element."""
        d = element.distribution
        if not element.components:
            self.columns[element.name] = scalar_value(d, self.uniform(element.name))
        elif d.family == "fixed_shares":
            total = sum(d.shares.values())
            self.columns.update({f"{element.name}[{c}]": share / total for c, share in d.shares.items()})
        else:
            weights = dict(d.alpha) if d.alpha is not None else {c: d.concentration * m for c, m in d.means.items()}
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
