"""From parameter sets to parts of the variance, with intervals by a bootstrap over the sets.

With g_i, s_i, c_i and h_i the mean, noise, chance and shared chance of n independent sets (`analysis.variance.sets`)::

    parameters  = s^2(g) - mean(s)             unbiased for Var E[Y | theta]                     (docs/model.md D4)
    shared      = mean(h)                      unbiased for E Var[E[Y | theta, w] | theta]
    individual  = mean(c) - mean(h)            unbiased for E Var[Y | theta, w]
    total       = parameters + mean(c)

A choice with categories k, n_k sets each, explains the variance between the means of its categories, less what the
spread s_k^2 within them puts there (model.md H4, with a spread of its own for every category)::

    between = n / (n - 1) [sum_k n_k / n (g_k - g)^2  -  1 / n sum_k (1 - n_k / n) s_k^2]                        (1)

unbiased where every category was drawn twice: the n_k are drawn too, and by E[n_k n_l] = n (n - 1) p_k p_l the bracket
falls short by one part in n. That is little of a large share, but much where little is left of the parameters. What is
left of the parameters is their share *given* the choice.

The intervals come from a Poisson bootstrap: every replicate gives each set an independent weight Poisson(1) (Hanley and
MacGibbon 2006, Computer Methods and Programs in Biomedicine 83, 57-62), so the sets pass by once and memory does not
grow with the number of replicates. The percentiles are moved by the bootstrap's own bias, mean of the replicates less
the estimate: between categories, resampled noise is counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.variance.choices import Choice
from analysis.variance.sets import FloatArray, SetFigures

BOOTSTRAPS = 999
LEVEL = 0.9
SEED = 20_051_105
"""Of the bootstrap's weights: the same file gives the same intervals."""

PARAMETERS, MODEL_FORM, MISSING_DATA, OTHER_PARAMETERS = "parameters", "model_form", "missing_data", "other_parameters"
CHANCE, SHARED, INDIVIDUAL = "chance", "shared_chance", "individual_chance"

_SETS_AT_ONCE = 2048
_MOST_NUMBERS = 2**24  # of what is summed over the sets, in memory at once


@dataclass(frozen=True)
class Part:
    """A part of a variance.

    Attributes
    ----------
    variance : float
        Unbiased estimate, in the squared unit of the output; below 0 by noise alone.
    share : float
        Of the total variance.
    lower, upper : float
        Ends of the interval of the share, within 0..1; NaN if there are too few sets.
    """

    variance: float
    share: float
    lower: float
    upper: float

    def as_json(self) -> dict[str, float]:
        """Return plain data."""
        return {"variance": self.variance, "share": self.share, "lower": self.lower, "upper": self.upper}


@dataclass(frozen=True)
class Parts:
    """The variance of one output in parts.

    Attributes
    ----------
    n : int
        Parameter sets with a value.
    total : float
    parts : dict of name -> Part
    choices : dict of name -> Part
        What each choice explains by itself.
    """

    n: int
    total: float
    parts: dict[str, Part]
    choices: dict[str, Part]


class Weights:
    """Bootstrap weights of n sets, the row of ones for the estimate first; made chunk by chunk, always the same."""

    def __init__(self, sets: int, bootstraps: int = BOOTSTRAPS, seed: int = SEED) -> None:
        self.sets, self.bootstraps, self.seed = sets, bootstraps, seed

    def sums(self, columns: FloatArray) -> FloatArray:
        """Return the weighted sums of columns, float64 [sets, K] -> float64 [1 + bootstraps, K]."""
        draw = np.random.Generator(np.random.Philox(self.seed))
        found = np.zeros((1 + self.bootstraps, columns.shape[1]))
        for first in range(0, self.sets, _SETS_AT_ONCE):
            part = columns[first : first + _SETS_AT_ONCE]
            found[0] += part.sum(axis=0)
            found[1:] += draw.poisson(1.0, (self.bootstraps, len(part))) @ part
        return found


def split_parts(
    outputs: Sequence[SetFigures], choices: Sequence[Choice], weights: Weights, *, level: float = LEVEL
) -> list[Parts]:
    """Split the variances of outputs.

    Parameters
    ----------
    outputs : sequence of SetFigures
        Each of the same n independent parameter sets.
    choices : sequence of Choice
        Of the same sets: model form (see `choices.together`) under the name ``model_form``, missing data under
        ``missing_data``, and any other that is to be shown by itself.
    weights : Weights
        Of n sets.
    level : float
        Of the intervals.

    Returns
    -------
    list of Parts
        All NaN where there are less than two sets with a value.
    """
    found: list[Parts] = []
    width = 6 + 3 * sum(len(choice.categories) for choice in choices)
    at_once = max(1, _MOST_NUMBERS // (weights.sets * width))
    for first in range(0, len(outputs), at_once):
        batch = outputs[first : first + at_once]
        columns = np.concatenate([_columns(figures, choices) for figures in batch], axis=1)
        sums = weights.sums(columns)
        for place, figures in enumerate(batch):
            own = sums[:, place * width : (place + 1) * width]
            found.append(_parts(own, choices, level, told_apart=figures.shared is not None))
    return found


def _columns(figures: SetFigures, choices: Sequence[Choice]) -> FloatArray:
    """Return what is to be summed over the sets, float64 [n, 6 + 3 K]; a set without a value counts for nothing."""
    here = ~np.isnan(figures.mean + figures.noise + figures.chance)
    centre = float(figures.mean[here].mean()) if here.any() else 0.0
    apart = np.where(here, figures.mean - centre, 0.0)
    shared = 0.0 if figures.shared is None else figures.shared
    parts = [np.where(here, part, 0.0) for part in (figures.noise, figures.chance, shared)]
    columns = [here.astype(np.float64), apart, apart**2, *parts]
    for choice in choices:
        for k in range(len(choice.categories)):
            member = (here & (choice.category == k)).astype(np.float64)
            columns += [member, member * apart, member * apart**2]
    return np.stack(columns, axis=1)


def _parts(sums: FloatArray, choices: Sequence[Choice], level: float, *, told_apart: bool) -> Parts:
    found = _variances(sums, choices, told_apart=told_apart)
    total = found[PARAMETERS] + found[CHANCE]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = {name: np.where(total > 0.0, values / total, np.nan) for name, values in found.items()}
    parts = {name: _part(found[name], shares[name], level) for name in found}
    own = {choice.name for choice in choices} - {MODEL_FORM, MISSING_DATA}
    return Parts(
        n=int(sums[0, 0]),
        total=float(total[0]),
        parts={name: part for name, part in parts.items() if name not in own},
        choices={name: part for name, part in parts.items() if name in own},
    )


def _variances(sums: FloatArray, choices: Sequence[Choice], *, told_apart: bool) -> dict[str, FloatArray]:
    """Return variances by name, float64 [1 + bootstraps]; the first is the estimate."""
    with np.errstate(invalid="ignore", divide="ignore"):
        n = np.where(sums[:, 0] > 1.0, sums[:, 0], np.nan)
        mean = sums[:, 1] / n
        spread = (sums[:, 2] - n * mean**2) / (n - 1.0)
        noise, chance, shared = (sums[:, k] / n for k in (3, 4, 5))
        found = {PARAMETERS: spread - noise, CHANCE: chance}
        if told_apart:
            found |= {SHARED: shared, INDIVIDUAL: chance - shared}
        place = 6
        for choice in choices:
            width = 3 * len(choice.categories)
            found[choice.name] = _between(n, mean, sums[:, place : place + width].reshape(len(sums), -1, 3))
            place += width
    explained = [found[name] for name in (MODEL_FORM, MISSING_DATA) if name in found]
    if explained:
        found[OTHER_PARAMETERS] = found[PARAMETERS] - sum(explained)
    return found


def _between(n: FloatArray, mean: FloatArray, sums: FloatArray) -> FloatArray:
    """Formula (1); ``sums`` is float64 [1 + bootstraps, K, 3]: sets, means and squares of every category."""
    size = sums[..., 0]
    own = np.divide(sums[..., 1], size, out=np.zeros_like(size), where=size > 0.0)
    deviations = sums[..., 2] - size * own**2
    pooled = deviations.sum(axis=1) / np.maximum((np.maximum(size - 1.0, 0.0)).sum(axis=1), 1.0)
    within = np.where(size > 1.0, deviations / np.maximum(size - 1.0, 1.0), pooled[:, np.newaxis])
    share = size / n[:, np.newaxis]
    explained = (share * (own - mean[:, np.newaxis]) ** 2).sum(axis=1)
    by_noise = ((1.0 - share) * within * (size > 0.0)).sum(axis=1) / n
    return np.asarray((explained - by_noise) * (n / (n - 1.0)), dtype=np.float64)


def _part(variances: FloatArray, shares: FloatArray, level: float) -> Part:
    estimate, replicates = float(shares[0]), shares[1:]
    lower = upper = np.nan
    if np.isfinite(replicates).all() and np.isfinite(estimate):
        tail = (1.0 - level) / 2.0
        moved = replicates - (replicates.mean() - estimate)
        lower, upper = np.clip(np.quantile(moved, [tail, 1.0 - tail]), 0.0, 1.0)
    return Part(float(variances[0]), estimate, float(lower), float(upper))
