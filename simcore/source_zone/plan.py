"""Flat arrays of a compiled source zone, and the kernels that read them.

Indices: person cell c = (o G + g) A + a over origins, sexes and age bands; exploitation x of X; risk bit b of R; risk
class m of 2**R; destination d of D. Stratum s = c X + x.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel, kernel
from simcore.source_zone.events import event_probabilities
from simcore.source_zone.overlap import risk_classes

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
NONE = -1
_LARGEST_HAZARD = 1e100  # far beyond certain, and finite: no overflow, no 0 times infinity
_LARGEST_EFFECT = 600.0
_SMALLEST_ODDS_RATIO = 1e-12  # its inverse is the largest: beyond, the overlap is as good as at its bound


class SourcePlan(NamedTuple):
    """What the source zone needs besides theta; `columns` are columns of theta, NONE where there is nothing."""

    population: FloatArray  # [C] persons before the factor
    factor: IntArray  # [C] column of the population factor
    active: npt.NDArray[np.bool_]  # [C] somebody can be at risk
    odds_ratio: IntArray  # [C] column of psi
    members: IntArray  # [X] risk bits that an exploitation needs
    combined: IntArray  # [C, X] column of the combined share
    hazard: IntArray  # [C, X] column of the base hazard
    multiplier_start: IntArray  # [C * X + 1] into `multipliers`
    multipliers: IntArray  # columns of hazard multipliers
    effect_start: IntArray  # [C * X + 1] into `effect_element`, `effect_deviation`
    effect_element: IntArray  # column of the shared scores
    effect_deviation: IntArray  # column of the standard deviation
    exposure_years: float
    destination: IntArray  # [C, X, D] columns of the destination shares
    bound: int  # the destination that walks on


@bare_kernel
def persons_in_cell(source: SourcePlan, theta: FloatArray, cell: int) -> float:
    """Return the persons of a cell: table value times factor, rounded half to even (docs/model.md A1)."""
    persons = source.population[cell]
    if source.factor[cell] >= 0:
        persons *= theta[source.factor[cell]]
    return np.rint(persons)


@bare_kernel
def cell_probabilities(
    source: SourcePlan,
    theta: FloatArray,
    scores: FloatArray,
    shares: FloatArray,
    cell: int,
    classes: FloatArray,
    events: FloatArray,
    work: FloatArray,
) -> None:
    """Fill the risk classes and event probabilities of one cell.

    Parameters
    ----------
    theta : float64 [P]
    scores : float64 [E]
        Standard normal scores of the shared effects.
    shares : float64 [R]
        Marginal at-risk shares of the cell.
    classes : float64 [2**R], out
    events : float64 [2**R, 1 + X], out
        No event, then each exploitation.
    work : float64 [2, X]
        Work space.
    """
    odds_ratio = theta[source.odds_ratio[cell]] if source.odds_ratio[cell] >= 0 else 1.0
    odds_ratio = min(max(odds_ratio, _SMALLEST_ODDS_RATIO), 1.0 / _SMALLEST_ODDS_RATIO)
    risk_classes(shares, odds_ratio, classes)
    exploitations = source.members.size
    hazards, combined = work[0], work[1]
    for x in range(exploitations):
        s = cell * exploitations + x
        combined[x] = theta[source.combined[cell, x]] if source.combined[cell, x] >= 0 else -1.0
        hazard = theta[source.hazard[cell, x]] if source.hazard[cell, x] >= 0 else 0.0
        for i in range(source.multiplier_start[s], source.multiplier_start[s + 1]):
            hazard = min(hazard * theta[source.multipliers[i]], _LARGEST_HAZARD)
        for i in range(source.effect_start[s], source.effect_start[s + 1]):
            effect = min(theta[source.effect_deviation[i]] * scores[source.effect_element[i]], _LARGEST_EFFECT)
            hazard = min(hazard * math.exp(effect), _LARGEST_HAZARD)
        hazards[x] = hazard
    event_probabilities(hazards, source.members, combined, source.exposure_years, events)


@kernel
def largest_event_probabilities(
    source: SourcePlan, theta: FloatArray, scores: FloatArray, shares: FloatArray, largest: FloatArray
) -> None:
    """Fill ``largest`` (float64 [n]): the largest P(event in the cohort year) of any at-risk person, by parameter set.

    ``theta`` is float64 [n, P], ``scores`` [n, E], ``shares`` [n, C, R].
    """
    classes = np.empty(1 << shares.shape[2])
    events = np.empty((classes.size, 1 + source.members.size))
    work = np.empty((2, source.members.size))
    for row in range(theta.shape[0]):
        largest[row] = 0.0
        for cell in range(source.population.size):
            if source.active[cell]:
                cell_probabilities(source, theta[row], scores[row], shares[row, cell], cell, classes, events, work)
                for risk_class in range(1, classes.size):
                    if classes[risk_class] > 0.0:
                        largest[row] = max(largest[row], 1.0 - events[risk_class, 0])


@kernel
def expected_bound(
    source: SourcePlan, theta: FloatArray, scores: FloatArray, shares: FloatArray, bound: FloatArray
) -> None:
    """Fill ``bound`` (float64 [n, S]): the mean of the bound victims of every stratum, by parameter set.

    ``theta`` is float64 [n, P], ``scores`` [n, E], ``shares`` [n, C, R].
    """
    exploitations = source.members.size
    classes = np.empty(1 << shares.shape[2])
    events = np.empty((classes.size, 1 + exploitations))
    work = np.empty((2, exploitations))
    for row in range(theta.shape[0]):
        bound[row] = 0.0
        for cell in range(source.population.size):
            if not source.active[cell]:
                continue
            cell_probabilities(source, theta[row], scores[row], shares[row, cell], cell, classes, events, work)
            persons = persons_in_cell(source, theta[row], cell)
            for x in range(exploitations):
                column = source.destination[cell, x, source.bound]
                share = theta[row, column] if column >= 0 else 0.0
                for risk_class in range(1, classes.size):
                    victims = persons * classes[risk_class] * events[risk_class, 1 + x]
                    bound[row, cell * exploitations + x] += victims * share
