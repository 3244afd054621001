"""Is a contender right? Its mean counts against the exact ones, by z-scores with the exact standard error.

All stored counts are summed over origins, sexes and age bands, and kept apart by exploitation, label and variable. A
count that cannot occur must be exactly zero. A contender that fails is not timed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import gamma, norm

from benchmarks.work import FloatArray, Work
from simcore.engines.counts import Counts
from simcore.moments import Moments, expected

SMALL_MEAN = 100.0  # below, a normal tail is too thin for a count
Z_LIMIT = 4.5  # two-sided false-alarm level 6.8e-6 per count; about sixty counts per contender


class WrongContender(Exception):
    """A contender does not follow the law that all are to follow."""


@dataclass(frozen=True)
class Verdict:
    """The worst of the comparisons of a contender.

    Attributes
    ----------
    counts : int
        How many counts were compared.
    replicates : int
    z : float
        The largest |z|.
    where : str
        Of which count.
    """

    counts: int
    replicates: int
    z: float
    where: str


def exact_moments(work: Work) -> Moments:
    """Return the exact moments of every replicate of some work."""
    if work.fixed:
        return expected(work.model, theta=work.theta)
    return expected(work.model, draws=work.replicates, seed=work.streams.seed)


def component_totals(counts: Counts, moments: Moments, work: Work) -> FloatArray:
    """Return the sum over replicates of every component of ``moments``, float64 [D]."""
    model = work.model
    exploitations = list(model.scenario.levels("exploitation"))
    labels = {
        "at_risk": model.risk_labels,
        "destination": model.destinations,
        "reached": model.journeys.points,
        "visits": model.journeys.points,
        "outcome": model.journeys.outcomes,
        "attempts": [str(attempt) for attempt in range(1, model.journeys.attempt_cap + 1)],
    }
    totals = []
    for variable, exploitation, label in moments.components:
        array = getattr(counts, variable)
        if exploitation:  # the last axis of a slot, so the fastest
            array = array[exploitations.index(exploitation) :: len(exploitations)]
        if label:
            array = array[..., labels[variable].index(label)]
        totals.append(float(array.sum(dtype=np.int64)))
    return np.array(totals)


def _scores(made: FloatArray, mean: FloatArray, error: FloatArray) -> FloatArray:
    """Return z-scores; of an excess over a small mean, the score of the gamma tail with equal mean and variance.

    A count of which 0.1 are expected is 2 once in two hundred times, which is no six standard deviations.
    """
    z: FloatArray = (made - mean) / error
    small = (mean > 0.0) & (mean < SMALL_MEAN) & (made > mean)
    scale = error[small] ** 2 / mean[small]
    tail = gamma.sf(made[small] - 0.5, mean[small] / scale, scale=scale)
    z[small] = np.minimum(z[small], norm.isf(np.maximum(tail, 1e-300)))
    return z


def check(counts: Counts, moments: Moments, work: Work, *, who: str = "contender") -> Verdict:
    """Compare the counts of a contender, called ``who`` in messages, with the exact moments.

    Raises
    ------
    WrongContender
        If any |z| reaches `Z_LIMIT`, or an impossible count occurred.
    """
    repeats = work.replicates if work.fixed else 1
    mean = moments.mean.sum(axis=(0, 1)) * repeats
    assert moments.covariance is not None
    variance = np.einsum("ngii->i", moments.covariance) * repeats
    made = component_totals(counts, moments, work)
    certain = variance <= 1e-9 * np.maximum(mean, 1.0)
    error = np.sqrt(np.where(certain, 1.0, variance))
    z = np.where(
        certain,
        np.where(np.abs(made - mean) > 1e-6 * np.maximum(mean, 1.0), np.inf, 0.0),
        _scores(made, mean, error),
    )
    worst = int(np.argmax(np.abs(z)))
    name = "/".join(part for part in moments.components[worst] if part)
    if not np.abs(z[worst]) < Z_LIMIT:
        raise WrongContender(f"{who}: {name}: {made[worst]:.0f}, expected {mean[worst]:.2f}, z = {z[worst]:.1f}")
    persons, exact = counts.persons.sum(dtype=np.int64), moments.persons.sum() * repeats
    if persons != exact:
        raise WrongContender(f"{who}: persons: {persons}, expected {exact:.0f}")
    return Verdict(z.size, work.replicates, float(np.abs(z[worst])), name)
