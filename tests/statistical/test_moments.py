"""Means, variances and covariances of all counts of three engines against the exact ones, by z-scores.

Everybody of the golden fixture is bound, so counts are sums over n independent persons of a vector X whose law the twin
lists, history by history. With m the fourth central moment E[x_i^2 x_j^2] and s_ij = Cov(X_i, X_j), the product of the
deviations of two such sums has mean n s_ij and variance

    n (m - s_ii s_jj - 2 s_ij^2) + n^2 (s_ii s_jj + s_ij^2),

so the standard error of a mean, a variance and a covariance over R replicates is exact; nothing comes from the sample.

Level: 1e-6 each (`level.py`), of the largest of all scores of a kind. Power 0.999 needs a shift of 8.7 standard errors
for means and of 9.2 for covariances (`needed_score`). With 4,096 replicates of 800 persons that is a mean number of
arrivals off by 0.5 % and a variance off by 20 %; with 65,536, by 0.12 % and 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from simcore.scenario import Scenario
from tests.statistical import scenarios as made
from tests.statistical.level import accept, needed_score, of_largest
from tests.statistical.samples import FloatArray, frame, sample
from tests.statistical.test_joint_counts import ARRIVED, QUICK, SIZES
from tests.twin.histories import History, histories
from tests.twin.parameters import Theta
from tests.twin.transit import Journeys
from tests.ways import WAYS

PLACE = {"origin": "ONE", "sex": "all", "age_band": "all", "exploitation": "any"}


@dataclass(frozen=True)
class PersonLaw:
    """One person's counts X: mean [Q], covariance [Q, Q], and m_ij = E[x_i^2 x_j^2] of the deviations x, [Q, Q]."""

    mean: FloatArray
    covariance: FloatArray
    fourth: FloatArray

    def error_of_products(self, persons: int) -> FloatArray:
        """Return the standard deviation of the product of deviations of two sums over so many persons, [Q, Q]."""
        variance = np.diagonal(self.covariance)
        pairs = np.multiply.outer(variance, variance)
        square = self.covariance**2
        result: FloatArray = np.sqrt(persons * (self.fourth - pairs - 2.0 * square) + persons**2 * (pairs + square))
        return result


def person_law(scenario: Scenario, columns: list[tuple[str, ...]]) -> PersonLaw:
    """List every journey that a person can make and return the moments of what it counts."""
    journeys = Journeys(scenario, Theta(scenario, 0, 0), PLACE)
    listed = histories(journeys)
    chance = np.array(list(listed.values()))
    counts = np.array([[counted(journeys, history, *name) for name in columns] for history in listed], dtype=float)
    assert abs(chance.sum() - 1.0) < 1e-12
    mean = chance @ counts
    deviation = counts - mean
    weighted = deviation * chance[:, None]
    return PersonLaw(mean, deviation.T @ weighted, (deviation**2).T @ (deviation * weighted))


def counted(journeys: Journeys, history: History, variable: str, label: str) -> int:
    """Return what a journey adds to a count."""
    points, legs = list(journeys.transit.points), list(journeys.transit.legs)
    if variable == "outcome":
        return int(history.outcome == label)
    if variable == "attempts":
        return int(history.attempts >= int(label))
    if variable == "ended":
        leg, cause = label.split(":")
        return history.ended[legs.index(leg) * len(journeys.causes) + journeys.causes.index(cause)]
    visits = history.visits[points.index(label)]
    return visits if variable == "visits" else int(visits > 0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", list(WAYS))
def test_moments_of_every_engine(way: str, size: int, seed: int) -> None:
    scenario, persons = made.golden(), made.GOLDEN_PERSONS
    shape = frame(scenario)
    law = person_law(scenario, shape.columns)
    assert np.allclose(shape.mean[0], persons * law.mean, rtol=1e-10)
    assert np.allclose(shape.covariance[0], persons * law.covariance, rtol=0, atol=1e-8 * persons)

    deviations = sample(scenario, way, shape.columns, replicates=size, seed=seed) - shape.mean
    variance = np.diagonal(shape.covariance[0])
    varying = np.flatnonzero(variance > 1e-9)
    assert (deviations[:, variance <= 1e-9] == 0.0).all()
    means = deviations.mean(axis=0)[varying] / np.sqrt(variance[varying] / size)
    accept(of_largest(np.abs(means).max(), means.size), f"{way}: means")

    products = deviations.T @ deviations / size - shape.covariance[0]
    scores = (products / np.maximum(law.error_of_products(persons), 1e-9) * np.sqrt(size))[np.ix_(varying, varying)]
    spread = np.diagonal(scores)
    accept(of_largest(np.abs(spread).max(), spread.size), f"{way}: variances")
    pairs = scores[np.triu_indices(len(scores), 1)]
    accept(of_largest(np.abs(pairs).max(), pairs.size), f"{way}: covariances")


def test_smallest_defect_that_is_sure_to_be_caught() -> None:
    """The numbers at the top."""
    scenario, persons = made.golden(), made.GOLDEN_PERSONS
    shape = frame(scenario)
    law = person_law(scenario, shape.columns)
    arrived, columns = shape.column(*ARRIVED), len(shape.columns)
    variance = persons * law.covariance[arrived, arrived]
    mean = needed_score(columns) * np.sqrt(variance / QUICK) / (persons * law.mean[arrived])
    spread = needed_score(columns) * law.error_of_products(persons)[arrived, arrived] / np.sqrt(QUICK) / variance
    assert 0.0045 < mean < 0.005
    assert 0.18 < spread < 0.2
