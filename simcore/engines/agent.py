"""The agent engine: at-risk classes, victims and destinations per cell, then every bound victim walked to an outcome.

`simulate_rows` is the one compiled entry point; it fills a slice of the rows of a block and can run in any thread.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import inner_kernel, kernel
from simcore.engines.collapsed import FateTables, walk_collapsed
from simcore.engines.counts import Counts
from simcore.engines.keys import Keys
from simcore.engines.leg_by_leg import walk_leg_by_leg
from simcore.engines.source_draws import draw_cell
from simcore.source_zone.plan import FloatArray, IntArray, SourcePlan
from simcore.transit_zone.legs import fork_shares, leg_probabilities, reattempt_probabilities
from simcore.transit_zone.plan import TransitPlan

COLLAPSED, LEG_BY_LEG = range(2)
WALKERS = {"collapsed": COLLAPSED, "leg-by-leg": LEG_BY_LEG}


class WorkSpace(NamedTuple):
    """Arrays that a slice of rows needs on the way, made once."""

    legs: FloatArray  # [F, K, 1 + C]
    shares: FloatArray  # [H]
    reattempts: FloatArray  # [Q, K]
    classes: FloatArray  # [2**R]
    events: FloatArray  # [2**R, 1 + X]
    work: FloatArray  # [2, X]
    victims: IntArray  # [X]
    bound: IntArray  # [X]
    masses: FloatArray  # [at least C + 1 and H]
    reached: npt.NDArray[np.bool_]  # [N]
    tally: IntArray  # of one stratum, zero between strata


@inner_kernel
def add_tally(tally: IntArray, counts: Counts, slot: int, row: int) -> None:
    """Move a stratum's ``tally`` into ``counts`` and zero it."""
    points, outcomes, attempts = counts.reached.shape[2], counts.outcome.shape[2], counts.attempts.shape[2]
    for point in range(points):
        counts.reached[slot, row, point] += tally[point]
        counts.visits[slot, row, point] += tally[points + point]
    for outcome in range(outcomes):
        counts.outcome[slot, row, outcome] += tally[2 * points + outcome]
    for attempt in range(attempts):
        counts.attempts[slot, row, attempt] += tally[2 * points + outcomes + attempt]
    if counts.ended.shape[0] > 0:
        position = 2 * points + outcomes + attempts
        for leg in range(counts.ended.shape[2]):
            for cause in range(counts.ended.shape[3]):
                counts.ended[slot, row, leg, cause] += tally[position]
                position += 1
    tally[:] = 0


@inner_kernel
def fill_rows(
    source: SourcePlan,
    transit: TransitPlan,
    keys: Keys,
    walker: int,
    theta: FloatArray,
    theta_row: IntArray,
    at_risk_shares: FloatArray,
    scores: FloatArray,
    theta_ids: npt.NDArray[np.uint32],
    replicate_ids: npt.NDArray[np.uint32],
    cell_slot: IntArray,
    stratum_slot: IntArray,
    tables: FateTables,
    counts: Counts,
    first_row: int,
    space: WorkSpace,
) -> int:
    """Do the work of `simulate_rows`, which makes the work space."""
    legs, shares, reattempts, tally, bound = space.legs, space.shares, space.reattempts, space.tally, space.bound
    cells = source.population.size
    exploitations = source.members.size
    walked = 0
    current = -1
    for i in range(theta_ids.size):
        parameters = theta[theta_row[i]]
        if theta_row[i] != current:
            current = theta_row[i]
            leg_probabilities(transit, parameters, legs)
            fork_shares(transit, parameters, shares)
            reattempt_probabilities(transit, parameters, reattempts)
            tables.ready[:] = False
        row = first_row + i
        replicate_id, theta_id = replicate_ids[i], theta_ids[i]
        for cell in range(cells):
            first_stratum = cell * exploitations
            draw_cell(
                source,
                keys,
                parameters,
                scores[i],
                at_risk_shares[current, cell],
                cell,
                replicate_id,
                theta_id,
                space.classes,
                space.events,
                space.work,
                space.victims,
                counts,
                cell_slot[cell],
                stratum_slot[first_stratum : first_stratum + exploitations],
                row,
                bound,
            )
            for x in range(exploitations):
                if bound[x] == 0:
                    continue
                walked += bound[x]
                stratum = first_stratum + x
                if walker == COLLAPSED:
                    walk_collapsed(
                        transit, keys, tables, legs, shares, reattempts, stratum, bound[x], replicate_id, theta_id,
                        tally,
                    )  # fmt: skip
                else:
                    walk_leg_by_leg(
                        transit, keys, legs, shares, reattempts, stratum, bound[x], replicate_id, theta_id,
                        space.masses, space.reached, tally,
                    )  # fmt: skip
                add_tally(tally, counts, stratum_slot[stratum], row)
    return walked


@kernel
def simulate_rows(
    source: SourcePlan,
    transit: TransitPlan,
    keys: Keys,
    walker: int,
    theta: FloatArray,
    theta_row: IntArray,
    at_risk_shares: FloatArray,
    scores: FloatArray,
    theta_ids: npt.NDArray[np.uint32],
    replicate_ids: npt.NDArray[np.uint32],
    cell_slot: IntArray,
    stratum_slot: IntArray,
    tables: FateTables,
    counts: Counts,
    first_row: int,
) -> int:
    """Simulate ``n`` replicates into rows ``first_row ...`` of ``counts`` (which must be zero there).

    Parameters
    ----------
    walker : int
        COLLAPSED or LEG_BY_LEG.
    theta : float64 [t, P]
        Distinct parameter vectors of the slice.
    theta_row : int64 [n]
        Row of ``theta`` of each replicate; equal neighbours share all tables.
    at_risk_shares : float64 [t, C, R]
        Marginal at-risk shares of each theta.
    scores : float64 [n, E]
        Standard normal scores of the shared effects.
    theta_ids, replicate_ids : uint32 [n]
        Addresses.
    cell_slot : int64 [C]
        Slot of a person cell in ``persons`` and ``at_risk``.
    stratum_slot : int64 [S]
        Slot of a stratum in the other counts.

    Returns
    -------
    int
        Number of agents (bound victims) walked.
    """
    exploitations = source.members.size
    classes = 1 << at_risk_shares.shape[2]
    tally = 2 * transit.points + transit.outcomes + transit.attempt_cap + transit.legs * transit.causes
    space = WorkSpace(
        np.empty((transit.profile_split.size, transit.attempt_cap, 1 + transit.causes)),
        np.empty(transit.fork_share.size),
        np.empty((transit.reattempt.shape[0], transit.attempt_cap)),
        np.empty(classes),
        np.empty((classes, 1 + exploitations)),
        np.empty((2, exploitations)),
        np.empty(exploitations, dtype=np.int64),
        np.empty(exploitations, dtype=np.int64),
        np.empty(max(transit.causes + 1, transit.fork_share.size)),
        np.empty(transit.points, dtype=np.bool_),
        np.zeros(tally, dtype=np.int64),
    )
    return fill_rows(
        source, transit, keys, walker, theta, theta_row, at_risk_shares, scores, theta_ids, replicate_ids, cell_slot,
        stratum_slot, tables, counts, first_row, space,
    )  # fmt: skip
