"""Count draws of the source zone of one replicate: risk classes, victims, destinations (docs/model.md A2, B1, C1).

Multinomial counts are drawn as conditional binomials, P(part | not in an earlier part) = p / (p + what is left of the
rest), with the remainder summed backwards so that the last possible part has probability exactly one. Every draw is
made for all person cells at once, which vectorises.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import inner_kernel
from simcore.engines.counts import Counts
from simcore.engines.keys import Keys
from simcore.engines.random import fill_addressed_blocks
from simcore.engines.sampling import fill_binomials
from simcore.source_zone.plan import FloatArray, IntArray, SourcePlan, cell_probabilities, persons_in_cell

EVENT_STRIDE = 256  # draw index of an event: risk class * EVENT_STRIDE + exploitation


class SourceDraws(NamedTuple):
    """Addresses of all draws of the source zone, and one thread's work space for them.

    The draws are risk classes 1 .. 2**R - 1; events by risk class and exploitation; destinations by exploitation; each
    for all A active cells.
    """

    cells: IntArray  # [A] active cells
    counter: npt.NDArray[np.uint32]  # [draws * A]
    key: npt.NDArray[np.uint64]  # [draws * A]
    words: npt.NDArray[np.uint32]  # [4, draws * A] of the first iteration of every draw
    probability: FloatArray  # [draws, A] conditional on not being in an earlier part
    classes: FloatArray  # [2**R] of one cell
    events: FloatArray  # [2**R, 1 + X] of one cell
    work: FloatArray  # [2, X]
    persons: IntArray  # [A] not in an earlier risk class
    members: IntArray  # [A] of a risk class, without an earlier event
    drawn: IntArray  # [A]
    accepted: npt.NDArray[np.bool_]  # [A]
    victims: IntArray  # [X, A]
    bound: IntArray  # [S] result: bound victims of every stratum


def make_source_draws(source: SourcePlan, keys: Keys) -> SourceDraws:
    """Return addresses and work space of one thread's source draws."""
    exploitations, destinations = source.members.size, source.destination.shape[2]
    classes = 1 << int(np.bitwise_or.reduce(source.members)).bit_length()
    cells = np.flatnonzero(source.active)
    risk, exploitation = np.arange(1, classes), np.arange(exploitations)
    events = (risk[:, None] * EVENT_STRIDE + exploitation[None, :]).ravel()
    counter = np.concatenate([risk, events, np.tile(np.arange(destinations), exploitations)])
    strata = exploitation[:, None] + cells[None, :] * exploitations
    key = np.concatenate(
        [
            np.repeat(keys.at_risk[None, cells], risk.size, axis=0),
            np.repeat(keys.event[None, cells], events.size, axis=0),
            np.repeat(keys.destination[strata], destinations, axis=0),
        ]
    )
    return SourceDraws(
        cells=cells,
        counter=np.repeat(counter, cells.size).astype(np.uint32),
        key=key.ravel(),
        words=np.empty((4, key.size), dtype=np.uint32),
        probability=np.empty(key.shape),
        classes=np.empty(classes),
        events=np.empty((classes, 1 + exploitations)),
        work=np.empty((2, exploitations)),
        persons=np.empty(cells.size, dtype=np.int64),
        members=np.empty(cells.size, dtype=np.int64),
        drawn=np.empty(cells.size, dtype=np.int64),
        accepted=np.empty(cells.size, dtype=np.bool_),
        victims=np.empty((exploitations, cells.size), dtype=np.int64),
        bound=np.zeros(source.active.size * exploitations, dtype=np.int64),
    )


@inner_kernel
def conditional_probabilities(source: SourcePlan, draws: SourceDraws, theta: FloatArray, a: int) -> None:
    """Fill column ``a`` of ``draws.probability`` from the risk classes and events of that cell."""
    classes, events, probability = draws.classes, draws.events, draws.probability
    exploitations, destinations = source.members.size, source.destination.shape[2]
    last_class = classes.size - 1
    cell = draws.cells[a]
    draw = 0
    for risk_class in range(1, last_class + 1):
        left = classes[0]
        for later in range(last_class, risk_class - 1, -1):
            left += classes[later]
        probability[draw, a] = classes[risk_class] / left if classes[risk_class] > 0.0 else 0.0
        draw += 1
    for risk_class in range(1, last_class + 1):
        for x in range(exploitations):
            left = events[risk_class, 0]
            for later in range(exploitations, x, -1):
                left += events[risk_class, later]
            event = events[risk_class, 1 + x]
            probability[draw, a] = event / left if event > 0.0 else 0.0
            draw += 1
    for x in range(exploitations):
        for d in range(destinations):
            share = theta[source.destination[cell, x, d]] if source.destination[cell, x, d] >= 0 else 0.0
            left = 0.0
            for later in range(destinations - 1, d - 1, -1):
                column = source.destination[cell, x, later]
                left += theta[column] if column >= 0 else 0.0
            probability[draw, a] = share / left if share > 0.0 else 0.0
            draw += 1


@inner_kernel
def draw_part(draws: SourceDraws, draw: int, left: IntArray, replicate_id: np.uint32, theta_id: np.uint32) -> None:
    """Draw one part for all cells out of those ``left`` (int64 [A]), into ``draws.drawn``, and take them away."""
    fill_binomials(
        left, draws.probability[draw], draws.words, draw * left.size, draws.counter, replicate_id, theta_id, draws.key,
        draws.accepted, draws.drawn,
    )  # fmt: skip
    for a in range(left.size):
        left[a] -= draws.drawn[a]


@inner_kernel
def draw_source(
    source: SourcePlan,
    draws: SourceDraws,
    theta: FloatArray,
    scores: FloatArray,
    shares: FloatArray,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    counts: Counts,
    cell_slot: IntArray,
    stratum_slot: IntArray,
    row: int,
) -> None:
    """Draw all cells of a replicate, add their counts to ``counts``, leave the bound victims in ``draws.bound``.

    ``shares`` are the marginal at-risk shares, float64 [C, R]; ``cell_slot`` [C] and ``stratum_slot`` [C X] say where
    counts are stored.
    """
    exploitations, destinations = source.members.size, source.destination.shape[2]
    last_class = draws.classes.size - 1
    cells, persons, members, drawn, victims = draws.cells, draws.persons, draws.members, draws.drawn, draws.victims
    for cell in range(source.population.size):
        counts.persons[cell_slot[cell], row] += int(persons_in_cell(source, theta, cell))
    fill_addressed_blocks(draws.words, draws.counter, draws.key, replicate_id, theta_id)
    for a in range(cells.size):
        cell = cells[a]
        persons[a] = int(persons_in_cell(source, theta, cell))
        cell_probabilities(source, theta, scores, shares[cell], cell, draws.classes, draws.events, draws.work)
        conditional_probabilities(source, draws, theta, a)
    victims[:] = 0
    for risk_class in range(1, last_class + 1):
        draw_part(draws, risk_class - 1, persons, replicate_id, theta_id)
        for a in range(cells.size):
            members[a] = drawn[a]
            counts.at_risk[cell_slot[cells[a]], row, risk_class - 1] += drawn[a]
        for x in range(exploitations):
            draw = last_class + (risk_class - 1) * exploitations + x
            draw_part(draws, draw, members, replicate_id, theta_id)
            for a in range(cells.size):
                victims[x, a] += drawn[a]
    for x in range(exploitations):
        undecided = victims[x]
        for a in range(cells.size):
            counts.victims[stratum_slot[cells[a] * exploitations + x], row] += undecided[a]
        for d in range(destinations):
            draw = last_class * (1 + exploitations) + x * destinations + d
            draw_part(draws, draw, undecided, replicate_id, theta_id)
            for a in range(cells.size):
                counts.destination[stratum_slot[cells[a] * exploitations + x], row, d] += drawn[a]
                if d == source.bound:
                    draws.bound[cells[a] * exploitations + x] = drawn[a]
