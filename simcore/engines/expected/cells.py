"""From persons to victims: sums over the cells of what the moments of a group of cells need (docs/model.md E1).

The vector of a person of a cell is a small core, z = (risk classes, victims by exploitation), stretched by shares that
many cells have in common: a victim of x goes to destination d with share d_d, and is Y_j times entry j of a journey if
bound. Cells of one output group that agree in destinations and journey classes make a *bundle*; of a bundle only sums
over its cells c of N_c persons are needed:

    classes[m]   = sum_c N_c g(m)
    joint[m, x]  = sum_c N_c g(m) v_x|m          and its sum over m, the victims of x
    square       = sum_c N_c E[z] E[z]'          lower triangle

The last axis of every array is the lane, one parameter set each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simcore.compilation import bare_kernel
from simcore.engines.expected.journeys import entries_of
from simcore.source_zone.plan import FloatArray, IntArray, SourcePlan, cell_probabilities, persons_in_cell
from simcore.transit_zone.chains import ChainPlan
from simcore.transit_zone.plan import NONE, TransitPlan


class CellPlan(NamedTuple):
    """Bundles of cells, who uses which journey class, and where entries of a class stand among the J journey counts.

    Journey counts are reached by point, visits by point, outcomes, attempts and, if asked for, ended by leg and cause.
    """

    group_of_cell: IntArray  # [C]
    bundle_of_cell: IntArray  # [C] NONE where nobody can be at risk
    bundle_group: IntArray  # [U]
    bundle_class: IntArray  # [U, X]
    bundle_destination: IntArray  # [U, X, D] columns of theta
    first_user: IntArray  # [J + 1] bundles and exploitations of a class
    user_bundle: IntArray
    user_exploitation: IntArray
    first_count: IntArray  # [J + 1] journey counts that can be other than zero for a class, in order
    count_index: IntArray  # which of the J
    count_entry: IntArray  # entry of the class's vector that it is
    groups: int
    counts: int  # J


class CellWork(NamedTuple):
    """Sums of a block of parameter sets; B lanes."""

    persons: FloatArray  # [G, B]
    classes: FloatArray  # [U, R', B]
    joint: FloatArray  # [U, R', X, B]
    victims: FloatArray  # [U, X, B]
    square: FloatArray  # [U, R' + X, R' + X, B]
    stretch: FloatArray  # [U, X, 1 + D + J, B] victims, destinations and journey counts per victim
    partner: FloatArray  # [D, B] work space of `covariances`
    # work space of one cell
    risk: FloatArray  # [2**R]
    events: FloatArray  # [2**R, 1 + X]
    hazards: FloatArray  # [2, X]
    core: FloatArray  # [R' + X]


def plan_cells(
    source: SourcePlan, transit: TransitPlan, chains: ChainPlan, group_of_cell: Sequence[int], *, ended: bool
) -> CellPlan:
    """Bundle the cells; ``group_of_cell`` says which output group each belongs to."""
    exploitations = source.members.size
    classes = transit.class_of.reshape(-1, exploitations)
    bundles: dict[tuple[int, bytes, bytes], int] = {}
    bundle_of_cell, examples = [], []
    for cell, group in enumerate(group_of_cell):
        if not source.active[cell]:
            bundle_of_cell.append(NONE)
            continue
        key = (int(group), source.destination[cell].tobytes(), classes[cell].tobytes())
        if key not in bundles:
            examples.append(cell)
        bundle_of_cell.append(bundles.setdefault(key, len(bundles)))
    bundle_class = classes[examples].reshape(-1, exploitations)
    journeys = range(chains.class_entry.size)
    users = [np.argwhere(bundle_class == journey) for journey in journeys]
    counts = [_counts_of_class(transit, chains, journey, ended) for journey in journeys]
    user = np.concatenate([np.empty((0, 2), dtype=np.int64), *users])
    count = np.concatenate([np.empty((0, 2), dtype=np.int64), *counts])
    return CellPlan(
        group_of_cell=np.array(group_of_cell, dtype=np.int64),
        bundle_of_cell=np.array(bundle_of_cell, dtype=np.int64),
        bundle_group=np.array([group for group, _, _ in bundles], dtype=np.int64),
        bundle_class=np.ascontiguousarray(bundle_class),
        bundle_destination=np.ascontiguousarray(source.destination[examples]),
        first_user=np.cumsum([0, *map(len, users)]),
        user_bundle=user[:, 0].copy(),
        user_exploitation=user[:, 1].copy(),
        first_count=np.cumsum([0, *map(len, counts)]),
        count_index=count[:, 0].copy(),
        count_entry=count[:, 1].copy(),
        groups=max(group_of_cell, default=0) + 1,
        counts=2 * transit.points
        + transit.outcomes
        + transit.attempt_cap
        + (transit.legs * transit.causes if ended else 0),
    )


def _counts_of_class(transit: TransitPlan, chains: ChainPlan, journey: int, ended: bool) -> IntArray:
    """Return (journey count, entry of the class's vector) of every count that the class can have, int64 [n, 2]."""
    entries = entries_of(transit, chains, journey, ended)
    first, stop = int(chains.class_first_place[journey]), int(chains.class_first_place[journey + 1])
    points, arrived = transit.points, entries.outcomes + transit.arrival_outcome
    found = {transit.arrival_point: arrived, points + transit.arrival_point: arrived}
    for q in range(stop - first):
        point, inner = int(chains.place_point[first + q]), int(chains.place_inner[first + q])
        found[point] = entries.one if inner == NONE else entries.inner + inner
        found[points + point] = q
    for outcome in range(transit.outcomes):
        found[2 * points + outcome] = entries.outcomes + outcome
    for attempt in range(transit.attempt_cap):
        found[2 * points + transit.outcomes + attempt] = entries.one - attempt
    if ended:
        at_ended = 2 * points + transit.outcomes + transit.attempt_cap
        first_choice = int(chains.first_choice[first])
        for choice in range(first_choice, int(chains.first_choice[stop])):
            for cause in range(transit.causes):
                index = at_ended + int(chains.choice_leg[choice]) * transit.causes + cause
                found[index] = entries.ended + (choice - first_choice) * transit.causes + cause
    return np.array(sorted(found.items()), dtype=np.int64)


def make_cell_work(source: SourcePlan, cells: CellPlan, risks: int, lanes: int) -> CellWork:
    """Return work space; ``risks`` is the number of risk classes, nobody's included."""
    exploitations, destinations = source.members.size, source.destination.shape[2]
    bundles, core = cells.bundle_group.size, risks - 1 + exploitations
    return CellWork(
        persons=np.zeros((cells.groups, lanes)),
        classes=np.zeros((bundles, risks - 1, lanes)),
        joint=np.zeros((bundles, risks - 1, exploitations, lanes)),
        victims=np.zeros((bundles, exploitations, lanes)),
        square=np.zeros((bundles, core, core, lanes)),
        stretch=np.zeros((bundles, exploitations, 1 + destinations + cells.counts, lanes)),
        partner=np.zeros((core + exploitations * (destinations + cells.counts), lanes)),
        risk=np.zeros(risks),
        events=np.zeros((risks, 1 + exploitations)),
        hazards=np.zeros((2, exploitations)),
        core=np.zeros(core),
    )


@bare_kernel
def sum_over_cells(
    source: SourcePlan,
    cells: CellPlan,
    theta: FloatArray,
    at_risk_shares: FloatArray,
    scores: FloatArray,
    rows: IntArray,
    work: CellWork,
) -> None:
    """Fill persons, classes, joint, victims, square, and the victims and destinations of stretch.

    Parameters
    ----------
    theta : float64 [n, P]
    at_risk_shares : float64 [n, C, R]
    scores : float64 [n, E]
    rows : int64 [B]
        Which rows the lanes are.
    """
    risks, exploitations, core = work.risk.size - 1, source.members.size, work.core.size
    work.persons[:] = 0.0
    work.classes[:] = 0.0
    work.joint[:] = 0.0
    work.victims[:] = 0.0
    work.square[:] = 0.0
    for b in range(rows.size):
        row = rows[b]
        for cell in range(source.population.size):
            number = persons_in_cell(source, theta[row], cell)
            work.persons[cells.group_of_cell[cell], b] += number
            bundle = cells.bundle_of_cell[cell]
            if bundle < 0 or number <= 0.0:
                continue
            cell_probabilities(
                source, theta[row], scores[row], at_risk_shares[row, cell], cell, work.risk, work.events, work.hazards
            )
            work.core[risks:] = 0.0
            for m in range(risks):
                work.core[m] = work.risk[m + 1]
                work.classes[bundle, m, b] += number * work.risk[m + 1]
                for x in range(exploitations):
                    joint = work.risk[m + 1] * work.events[m + 1, 1 + x]
                    work.core[risks + x] += joint
                    work.joint[bundle, m, x, b] += number * joint
            for x in range(exploitations):
                work.victims[bundle, x, b] += number * work.core[risks + x]
            for i in range(core):
                for j in range(i + 1):
                    work.square[bundle, i, j, b] += number * work.core[i] * work.core[j]
        for bundle in range(cells.bundle_group.size):
            for x in range(exploitations):
                work.stretch[bundle, x, 0, b] = 1.0
                for d in range(source.destination.shape[2]):
                    column = cells.bundle_destination[bundle, x, d]
                    work.stretch[bundle, x, 1 + d, b] = theta[row, column] if column >= 0 else 0.0
