"""Quantile functions as flat arrays: from a declared distribution to what the drawing kernel evaluates.

Closed forms are kept (uniform, triangular, normal, lognormal, metalog, tables of quantiles, categories); beta, gamma
and pools are tabulated (`simcore.uncertainty.tables`, `simcore.uncertainty.pools`). `exact_quantile` of
`simcore.uncertainty.exact` is the oracle of all of them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from simcore.errors import ScenarioError
from simcore.scenario.distributions.metalog import polynomials
from simcore.uncertainty.exact import (
    beta_shapes,
    constant_value,
    cumulative_weights,
    frozen_distribution,
    gamma_parameters,
    kept_probabilities,
    lognormal_parameters,
    normal_parameters,
    pert_shapes,
    piecewise_law,
    pool_law,
)
from simcore.uncertainty.pools import tabulate_pool
from simcore.uncertainty.quantile_kernels import (
    ABOVE,
    BELOW,
    BETA,
    BETWEEN,
    CATEGORY,
    CONSTANT,
    GAMMA,
    HALF,
    KNOTS,
    LOGNORMAL,
    METALOG,
    NORMAL,
    PIECES,
    SCORE_PIECES,
    TRIANGULAR,
    UNBOUNDED,
    UNIFORM,
    WHOLE,
)
from simcore.uncertainty.tables import tabulate_beta, tabulate_gamma

NO_TABLE = -1
SMALLEST_MEDIAN = 1e-9  # of a beta or gamma; below it the prior is a spike at zero in disguise

FloatArray = npt.NDArray[np.float64]
Arguments = tuple[float, float, float, float]


@dataclass(frozen=True)
class QuantileRule:
    """How one scalar follows from one uniform u.

    u is first mapped to ``lower + (upper - lower) u`` (truncation), then ``kind`` says what to do with the four
    ``arguments`` and, if it has one, the ``table`` [2, KNOTS] (`simcore.uncertainty.quantile_kernels`).
    """

    kind: int
    arguments: Arguments
    lower: float = 0.0
    upper: float = 1.0
    table: FloatArray | None = field(default=None, compare=False)


def stick_breaking_rules(weights: FloatArray) -> list[QuantileRule]:
    """Return the K - 1 beta rules whose sticks make Dirichlet(weights): component i ~ Beta(a_i, sum of a_j, j > i)."""
    remaining = np.cumsum(weights[::-1])[::-1]
    return [_beta_rule(float(weights[i]), float(remaining[i + 1]), 0.0, 1.0) for i in range(len(weights) - 1)]


def _beta_rule(alpha: float, beta: float, minimum: float, maximum: float) -> QuantileRule:
    return QuantileRule(BETA, (minimum, maximum, alpha, beta), table=tabulate_beta(alpha, beta))


def _frozen(table: FloatArray) -> FloatArray:
    table.setflags(write=False)
    return table


@functools.lru_cache(maxsize=64)
def _category_table(weights: tuple[float, ...]) -> FloatArray:
    table = np.ones((2, KNOTS))
    table[0, : len(weights) - 1] = cumulative_weights(weights)[:-1]
    return _frozen(table)


@functools.lru_cache(maxsize=64)
def _piece_table(probabilities: tuple[float, ...], quantiles: tuple[float, ...], interpolation: str) -> FloatArray:
    law = piecewise_law(probabilities, quantiles, interpolation)
    table, width, count = np.zeros((2, KNOTS)), np.diff(law.probabilities), len(probabilities)
    table[0, :count], table[0, HALF : HALF + count] = law.probabilities, law.quantiles
    table[1, : count - 1], table[1, HALF : HALF + count - 1] = law.slopes_left * width, law.slopes_right * width
    return _frozen(table)


@functools.lru_cache(maxsize=64)
def _metalog_table(coefficients: tuple[float, ...]) -> tuple[FloatArray, int]:
    plain, with_logit = polynomials(coefficients)
    table = np.zeros((2, KNOTS))
    table[0, : plain.size], table[1, : plain.size] = plain, with_logit
    return _frozen(table), int(plain.size)


@dataclass(frozen=True)
class _PoolKey:
    """A pool that equals another one with the same text, so that its table is made once."""

    text: str
    distribution: Any = field(compare=False)


@functools.lru_cache(maxsize=64)
def _pool_table(key: _PoolKey) -> tuple[FloatArray, int]:
    for name, expert in key.distribution.experts.items():
        try:
            quantile_rule(expert.distribution)
        except ScenarioError as problem:
            raise ScenarioError(f"distribution pool: expert '{name}': {problem}") from None
    opinions = [expert.distribution for expert in key.distribution.experts.values()]
    breaks: set[float] = set()
    for opinion in opinions:
        breaks.update(opinion.support())
        if opinion.family == "triangular":
            breaks.add(opinion.mode)
        elif opinion.family == "empirical":
            breaks.update(opinion.quantiles)
    return tabulate_pool(pool_law(key.distribution), sorted(breaks), [opinion.support() for opinion in opinions])


def _form(lowest: float, highest: float) -> int:
    if math.isfinite(lowest):
        return BETWEEN if math.isfinite(highest) else ABOVE
    return BELOW if math.isfinite(highest) else UNBOUNDED


def _pool_rule(distribution: Any) -> QuantileRule:
    table, count = _pool_table(_PoolKey(distribution.model_dump_json(exclude={"lower", "upper"}), distribution))
    lowest, highest = distribution.untruncated_support()
    return QuantileRule(SCORE_PIECES, (count, ABOVE if lowest == 0.0 else UNBOUNDED, lowest, highest), table=table)


def _untruncated_rule(distribution: Any) -> QuantileRule:
    d = distribution
    match d.family:
        case "fixed":
            return QuantileRule(CONSTANT, (d.value, 0.0, 0.0, 0.0))
        case "uniform":
            return QuantileRule(UNIFORM, (d.min, d.max, 0.0, 0.0))
        case "triangular":
            return QuantileRule(TRIANGULAR, (d.min, d.mode, d.max, 0.0))
        case "pert":
            alpha, beta = pert_shapes(d.min, d.mode, d.max, d.shape)
            return _beta_rule(alpha, beta, d.min, d.max)
        case "beta":
            return _beta_rule(*beta_shapes(d), 0.0, 1.0)
        case "lognormal":
            return QuantileRule(LOGNORMAL, (*lognormal_parameters(d), 0.0, 0.0))
        case "gamma":
            shape, scale = gamma_parameters(d)
            return QuantileRule(GAMMA, (scale, 0.0, 0.0, 0.0), table=tabulate_gamma(shape))
        case "normal":
            return QuantileRule(NORMAL, (*normal_parameters(d), 0.0, 0.0))
        case "half_normal":
            return QuantileRule(NORMAL, (0.0, d.scale, 0.0, 0.0), lower=0.5)
        case "empirical":
            if d.quantiles[0] == d.quantiles[-1]:
                return QuantileRule(CONSTANT, (constant_value(d), 0.0, 0.0, 0.0))
            table = _piece_table(d.probabilities, d.quantiles, d.interpolation)
            return QuantileRule(PIECES, (float(len(d.probabilities)), 0.0, 0.0, 0.0), table=table)
        case "metalog":
            table, size = _metalog_table(d.coefficients())
            ends = d.untruncated_support()
            return QuantileRule(METALOG, (float(size), float(_form(*ends)), *ends), table=table)
        case "pool":
            return _pool_rule(d)
        case "categorical":
            weights = tuple(d.weights.values())
            return QuantileRule(CATEGORY, (len(weights) - 1.0, 0.0, 0.0, 0.0), table=_category_table(weights))
        case "discrete_uniform":
            return QuantileRule(WHOLE, (float(d.min), float(d.max - d.min + 1), 0.0, 0.0))
    raise AssertionError(f"no quantile rule for the family {d.family}")


def _refuse_spike(distribution: Any) -> None:
    """Raise if half of a beta or gamma lies below `SMALLEST_MEDIAN`: it pretends to be spread out, but is zero."""
    d = distribution
    if d.family not in ("beta", "gamma") or (d.lower is not None and d.lower >= SMALLEST_MEDIAN):
        return
    if d.family == "beta":
        median = float(special.betaincinv(*beta_shapes(d), 0.5))
    else:
        shape, scale = gamma_parameters(d)
        median = scale * float(special.gammaincinv(shape, 0.5))
    if median < SMALLEST_MEDIAN:
        raise ScenarioError(
            f"distribution {d.family}: half of its probability lies below {median:.1e}, limit {SMALLEST_MEDIAN:g}: "
            "a spike at zero in disguise"
        )


def quantile_rule(distribution: Any) -> QuantileRule:
    """Return the rule of a declared scalar distribution (not a simplex or switch), truncation included.

    Raises
    ------
    ScenarioError
        If the truncation leaves no probability, the shape cannot be tabulated, or half of a beta or gamma lies below
        `SMALLEST_MEDIAN`.
    """
    _refuse_spike(distribution)
    rule = _untruncated_rule(distribution)
    low, high = getattr(distribution, "lower", None), getattr(distribution, "upper", None)
    exact = frozen_distribution(distribution) if (low is not None or high is not None) else None
    if exact is None:
        return rule
    below, above = kept_probabilities(distribution, exact)
    if not above - below > 1e-9:
        raise ScenarioError(
            f"distribution {distribution.family}: lower = {low} and upper = {high} leave a probability of "
            f"{above - below:g}, limit 1e-9"
        )
    width = rule.upper - rule.lower  # half-normal lives on the upper half of the normal
    return QuantileRule(rule.kind, rule.arguments, rule.lower + width * below, rule.lower + width * above, rule.table)
