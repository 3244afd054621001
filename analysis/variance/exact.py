"""Parameter sets in closed form: means and variances given theta and the shared chance, from the expected engine.

Per set i, J independent draws w_ij of the shared chance are made. With m_ij = E[Y | theta_i, w_ij] and
v_ij = Var[Y | theta_i, w_ij], both exact::

    mean   = sum_j m_ij / J                     noise  = shared / J
    shared = sum_j (m_ij - mean)^2 / (J - 1)    chance = shared + sum_j v_ij / J

On the logarithmic scale m is log10 E[Y | theta, w] and v is to first order, Var / (E ln 10)^2. The mean of a ratio is
the ratio of the means and its variance to first order in both counts (W. G. Cochran (1977), Sampling Techniques, 3rd
ed., section 2.11): close where many are counted, poor where E is below about ten.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.variance.sets import FloatArray, SetFigures
from simcore.moments import component_list, expected

if TYPE_CHECKING:
    from analysis.stages import Stage
    from simcore.model import CompiledModel, Streams
    from simcore.moments import Moments

FEW = 10.0
"""Mean count below which a variance to first order is poor."""

_CHUNK_BYTES = 256 * 2**20
_MOST_SETS = 2048
_DRAWS_IN_ALL, _MOST_DRAWS = 16_384, 32
_RATIOS = {"arrival_fraction": "bound", "border_share": "trafficked"}

MeanAndVariance = tuple[FloatArray, FloatArray]
Reader = Callable[["Moments"], MeanAndVariance]


@dataclass(frozen=True)
class ExactFigures:
    """Figures of one column.

    Attributes
    ----------
    natural : SetFigures
    logarithm : SetFigures or None
        None for a ratio.
    few : float
        Share of the sets with a mean count below `FEW` (of a ratio: of its denominator).
    """

    natural: SetFigures
    logarithm: SetFigures | None
    few: float


def reader_of(stage: Stage, bound: str, arrival: str, exploitation: str | None = None) -> Reader | None:
    """Return how a stage is read from moments: (means, variances), each float64 [n, G]; None if it cannot be.

    Parameters
    ----------
    stage : Stage
    bound, arrival : str
        Labels of the destination that walks on and of the outcome of arrival.
    exploitation : str, optional
        None adds all up.
    """
    if stage.name in _RATIOS:
        return _ratio_reader(_weights_of(_RATIOS[stage.name], bound, arrival), ("outcome", arrival), exploitation)
    if stage.name == "persons":
        return None if exploitation else lambda moments: (moments.persons, np.zeros_like(moments.persons))
    if stage.name == "at_risk" and exploitation:
        return None
    variable, label = _weights_of(stage.name, bound, arrival)

    def read(moments: Moments) -> MeanAndVariance:
        weights = moments.weights(variable, label=label, exploitation=exploitation)
        return moments.mean_of(weights), _covariance(moments, weights, weights)

    return read


def _covariance(moments: Moments, first: FloatArray, second: FloatArray) -> FloatArray:
    """Return what `Moments.covariance_of` does, reading only the few entries that have a weight."""
    assert moments.covariance is not None
    rows, columns = np.flatnonzero(first), np.flatnonzero(second)
    entries = moments.covariance[:, :, rows[:, np.newaxis], columns]
    return np.asarray((entries * np.outer(first[rows], second[columns])).sum(axis=(2, 3)), dtype=np.float64)


def _weights_of(name: str, bound: str, arrival: str) -> tuple[str, str | None]:
    """Return (variable, label) of a stage's name."""
    named = {
        "trafficked": ("victims", None),
        "bound": ("destination", bound),
        "arrived": ("outcome", arrival),
    }
    if name in named:
        return named[name]
    variable, bracket, label = name.partition("[")
    return variable, label.removesuffix("]") if bracket else None


def _ratio_reader(below: tuple[str, str | None], above: tuple[str, str | None], exploitation: str | None) -> Reader:
    def read(moments: Moments) -> MeanAndVariance:
        top = moments.weights(above[0], label=above[1], exploitation=exploitation)
        base = moments.weights(below[0], label=below[1], exploitation=exploitation)
        size = np.where(moments.mean_of(base) > 0.0, moments.mean_of(base), np.nan)
        ratio = moments.mean_of(top) / size
        spread = _covariance(moments, top, top) - 2.0 * ratio * _covariance(moments, top, base)
        spread = spread + ratio**2 * _covariance(moments, base, base)
        return ratio, np.maximum(spread, 0.0) / size**2

    return read


def exact_figures(
    model: CompiledModel,
    streams: Streams,
    theta: FloatArray,
    stages: Sequence[Stage],
    by: Sequence[str],
    *,
    bound: str,
    arrival: str,
    draws_of_shared: int | None = None,
) -> list[ExactFigures | None]:
    """Return the figures of every column; None for a stage that the expected engine does not have.

    Parameters
    ----------
    model : CompiledModel
    streams : Streams
        Where the shared chance of a set is drawn: that of its first replicates in a nested run.
    theta : float64 [n, P]
        Parameter sets 0, 1, ... of the run.
    stages, by
        Columns in the order of `analysis.passes.measure`.
    bound, arrival : str
        Labels with a role.
    draws_of_shared : int, optional
        J, at least 2; by default more where the sets are few. Without any shared effect one draw says all.
    """
    draws = draws_of_shared or min(max(_DRAWS_IN_ALL // len(theta), 2), _MOST_DRAWS)
    draws = draws if streams.shared.size else 1
    axes = [axis for axis in by if axis != "exploitation"]
    exploitations = list(model.scenario.levels("exploitation")) if "exploitation" in by else [None]
    places = _places(model, by)
    columns: list[tuple[Stage, int, Reader | None]] = []
    for stage in stages:
        readers = {level: reader_of(stage, bound, arrival, level) for level in exploitations}
        columns += [(stage, group, readers[level]) for group, level in places]
    mean = np.full((len(columns), len(theta), draws), np.nan)
    variance = np.full_like(mean, np.nan)
    base = np.full_like(mean, np.nan)
    size = len(component_list(model))
    groups = max(group for group, _ in places) + 1
    step = max(1, min(_MOST_SETS, _CHUNK_BYTES // (8 * groups * size**2)))
    base_readers = {stage.name: _base_reader(stage, bound, arrival) for stage in stages}
    for first in range(0, len(theta), step):
        rows = slice(first, min(first + step, len(theta)))
        ids = np.arange(rows.start, rows.stop, dtype=np.uint32)
        for draw in range(draws):
            scores = model.draw_scores(streams, ids, np.full_like(ids, draw))
            moments = expected(model, theta=theta[rows], scores=scores, by=axes)
            for column, (stage, group, reader) in enumerate(columns):
                if reader is None:
                    continue
                means, variances = reader(moments)
                mean[column, rows, draw], variance[column, rows, draw] = means[:, group], variances[:, group]
                under = base_readers[stage.name]
                base[column, rows, draw] = means[:, group] if under is None else under(moments)[0][:, group]
    return [
        None if reader is None else _figures(stage, mean[column], variance[column], base[column])
        for column, (stage, _, reader) in enumerate(columns)
    ]


def _base_reader(stage: Stage, bound: str, arrival: str) -> Reader | None:
    """Return how the denominator of a ratio is read; None for a count."""
    if stage.name not in _RATIOS:
        return None
    variable, label = _weights_of(_RATIOS[stage.name], bound, arrival)
    return lambda moments: (moments.mean_of(moments.weights(variable, label=label)), np.zeros(0))


def _places(model: CompiledModel, by: Sequence[str]) -> list[tuple[int, str | None]]:
    """Return (group of moments, exploitation) of every combination of levels, the last axis of ``by`` fastest."""
    in_order = [axis for axis in ("origin", "sex", "age_band") if axis in by]
    groups = {
        combination: number
        for number, combination in enumerate(itertools.product(*(model.scenario.levels(axis) for axis in in_order)))
    }
    places = []
    for combination in itertools.product(*(model.scenario.levels(axis) for axis in by)):
        level = dict(zip(by, combination, strict=True))
        places.append((groups[tuple(level[axis] for axis in in_order)], level.get("exploitation")))
    return places


def _figures(stage: Stage, mean: FloatArray, variance: FloatArray, base: FloatArray) -> ExactFigures:
    natural = _set_figures(mean, variance)
    few = float(np.mean(base < FEW))
    if stage.kind == "ratio":
        return ExactFigures(natural, None, few)
    positive = np.where(mean > 0.0, mean, np.nan)
    logarithm = _set_figures(np.log10(positive), variance / (positive * math.log(10.0)) ** 2)
    return ExactFigures(natural, logarithm, few)


def _set_figures(mean: FloatArray, variance: FloatArray) -> SetFigures:
    """Combine the J draws of every set: float64 [n, J] each."""
    draws = mean.shape[1]
    centre = mean.mean(axis=1)
    shared = mean.var(axis=1, ddof=1) if draws > 1 else np.where(np.isnan(centre), np.nan, 0.0)
    return SetFigures(centre, shared / draws, shared + variance.mean(axis=1), shared)
