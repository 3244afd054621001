"""Count draws of the source zone for one person cell: risk classes, victims, destinations (docs/model.md A2, B1, C1).

Multinomial counts are drawn as conditional binomials, P(part | not in an earlier part) = p / (p + what is left of the
rest), with the remainder summed backwards so that the last possible part has probability exactly one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simcore.compilation import inner_kernel
from simcore.engines.counts import Counts
from simcore.engines.keys import Keys
from simcore.engines.sampling import binomial
from simcore.source_zone.plan import FloatArray, SourcePlan, cell_probabilities, persons_in_cell

EVENT_STRIDE = 256  # draw index of an event: risk class * EVENT_STRIDE + exploitation


@inner_kernel
def draw_cell(
    source: SourcePlan,
    keys: Keys,
    theta: FloatArray,
    scores: FloatArray,
    shares: FloatArray,
    cell: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    classes: FloatArray,
    events: FloatArray,
    work: FloatArray,
    victims: npt.NDArray[np.int64],
    counts: Counts,
    cell_slot: int,
    stratum_slots: npt.NDArray[np.int64],
    row: int,
    bound: npt.NDArray[np.int64],
) -> None:
    """Draw one cell, add its counts to ``counts``, leave the bound victims per exploitation in ``bound`` (int64 [X]).

    ``classes`` (float64 [2**R]), ``events`` (float64 [2**R, 1 + X]), ``work`` (float64 [2, X]) and ``victims``
    (int64 [X]) are work space; ``stratum_slots`` (int64 [X]) are the slots of the cell's strata.
    """
    exploitations = source.members.size
    for x in range(exploitations):
        bound[x] = 0
    persons = int(persons_in_cell(source, theta, cell))
    counts.persons[cell_slot, row] += persons
    if not source.active[cell] or persons <= 0:
        return
    cell_probabilities(source, theta, scores, shares, cell, classes, events, work)
    last_class = classes.size - 1

    victims[:] = 0
    remaining = persons
    for risk_class in range(1, last_class + 1):
        if remaining <= 0:
            break
        left = classes[0]
        for later in range(last_class, risk_class - 1, -1):
            left += classes[later]
        if classes[risk_class] <= 0.0:
            continue
        members = binomial(
            remaining, classes[risk_class] / left, np.uint32(risk_class), replicate_id, theta_id, keys.at_risk[cell]
        )
        remaining -= members
        counts.at_risk[cell_slot, row, risk_class - 1] += members
        without_event = members
        for x in range(exploitations):
            if without_event <= 0:
                break
            if events[risk_class, 1 + x] <= 0.0:
                continue
            left = events[risk_class, 0]
            for later in range(exploitations, x, -1):
                left += events[risk_class, later]
            drawn = binomial(
                without_event,
                events[risk_class, 1 + x] / left,
                np.uint32(risk_class * EVENT_STRIDE + x),
                replicate_id,
                theta_id,
                keys.event[cell],
            )
            without_event -= drawn
            victims[x] += drawn

    destinations = source.destination.shape[2]
    for x in range(exploitations):
        if victims[x] == 0:
            continue
        slot = stratum_slots[x]
        counts.victims[slot, row] += victims[x]
        stratum = cell * exploitations + x
        undecided = victims[x]
        for d in range(destinations):
            if undecided <= 0:
                break
            share = theta[source.destination[cell, x, d]] if source.destination[cell, x, d] >= 0 else 0.0
            if share <= 0.0:
                continue
            left = 0.0
            for later in range(destinations - 1, d - 1, -1):
                column = source.destination[cell, x, later]
                left += theta[column] if column >= 0 else 0.0
            drawn = binomial(undecided, share / left, np.uint32(d), replicate_id, theta_id, keys.destination[stratum])
            undecided -= drawn
            counts.destination[slot, row, d] += drawn
            if d == source.bound:
                bound[x] = drawn
