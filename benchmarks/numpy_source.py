"""Source zone of the NumPy peers: probabilities by array arithmetic, counts by `Generator.multinomial`.

Written for scenarios with two exploitation levels, each with a risk of its own (phase1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.work import FloatArray, IntArray, Work


class SourceCounts(NamedTuple):
    """Counts by [replicate, active cell, ...]."""

    at_risk: IntArray  # [n, A, 3]
    victims: IntArray  # [n, A, 2]
    destination: IntArray  # [n, A, 2, D]


def _columns(theta: FloatArray, columns: IntArray) -> FloatArray:
    """Return theta at ``columns``, zero where there is none (-1): float64 [t, *columns.shape]."""
    return np.where(columns >= 0, theta[:, np.maximum(columns, 0)], 0.0)


def persons_of(work: Work) -> IntArray:
    """Return the persons of every cell, int64 [t, C]."""
    source = work.model.source
    factor = np.where(source.factor >= 0, work.theta[:, np.maximum(source.factor, 0)], 1.0)
    return np.rint(source.population * factor).astype(np.int64)


def risk_class_shares(work: Work, cells: IntArray) -> FloatArray:
    """Return P(neither, first only, second only, both), float64 [t, A, 4]: Plackett's bivariate distribution."""
    a, b = work.shares[:, cells, 0], work.shares[:, cells, 1]
    psi = work.theta[:, work.model.source.odds_ratio[cells]]
    u = 1.0 + (psi - 1.0) * (a + b)
    both = 2.0 * psi * a * b / (u + np.sqrt(np.maximum(u * u - 4.0 * psi * (psi - 1.0) * a * b, 0.0)))
    both = np.minimum(both, np.minimum(a, b))
    return np.stack([1.0 - a - b + both, a - both, b - both, both], axis=-1)


def event_shares(work: Work, cells: IntArray) -> FloatArray:
    """Return P(no event, first, second) of each risk class but the empty one, float64 [t, A, 3, 3]."""
    source = work.model.source
    hazards = _columns(work.theta, source.hazard[cells])
    for a, cell in enumerate(cells):
        for x in range(2):
            s = 2 * int(cell) + x
            for i in range(source.multiplier_start[s], source.multiplier_start[s + 1]):
                hazards[:, a, x] *= work.theta[:, source.multipliers[i]]
            for i in range(source.effect_start[s], source.effect_start[s + 1]):
                deviation = work.theta[:, source.effect_deviation[i]]
                hazards[:, a, x] *= np.exp(deviation * work.scores[:, source.effect_element[i]])
    holds = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    meant = hazards[:, :, None, :] * holds  # [t, A, class, x]
    total = meant.sum(axis=-1)
    none = np.exp(-total * source.exposure_years)
    share = np.divide(1.0 - none, total, out=np.zeros_like(total), where=total > 0.0)
    return np.concatenate([none[..., None], meant * share[..., None]], axis=-1)


def draw_source(work: Work, cells: IntArray, generator: np.random.Generator) -> SourceCounts:
    """Draw at-risk persons, victims and their destinations in the active ``cells`` (int64 [A])."""
    source = work.model.source
    if source.members.tolist() != [1, 2]:
        raise ValueError("the NumPy peers know two exploitation levels, each with a risk of its own")
    persons = np.broadcast_to(persons_of(work)[:, cells], (work.replicates, cells.size))
    classes = generator.multinomial(persons, risk_class_shares(work, cells))[..., 1:]
    victims = generator.multinomial(classes, event_shares(work, cells)).sum(axis=2)[..., 1:]
    destination = generator.multinomial(victims, _columns(work.theta, source.destination[cells]))
    return SourceCounts(classes, victims, destination)
