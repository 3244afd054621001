"""One replicate after the other: source draws per cell, then every bound victim to an outcome.

`simulate_rows` is the one compiled entry point of the agent engine, which walks persons (`COLLAPSED` or `LEG_BY_LEG`),
and the cohort engine, which is handed the expanded journeys and moves counts; it fills a slice of the rows of a block
and can run in any thread.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel, inner_kernel
from simcore.engines.cohort import CohortSpace, gather_crowds, make_cohort_space, moves_as_counts, walk_cohort
from simcore.engines.collapsed import FateTables, make_tables, settle, walk_collapsed
from simcore.engines.counts import Counts
from simcore.engines.keys import Keys
from simcore.engines.leg_by_leg import walk_leg_by_leg
from simcore.engines.source_draws import SourceDraws, draw_source, make_source_draws
from simcore.source_zone.plan import FloatArray, IntArray, SourcePlan
from simcore.transit_zone.legs import fork_shares, leg_probabilities, reattempt_probabilities
from simcore.transit_zone.plan import FlowPlan, TransitPlan, no_flows

COLLAPSED, LEG_BY_LEG = range(2)
WALKERS = {"collapsed": COLLAPSED, "leg-by-leg": LEG_BY_LEG}


class WorkSpace(NamedTuple):
    """What one thread needs on the way, made once for many slices."""

    legs: FloatArray  # [F, K, 1 + C]
    shares: FloatArray  # [H]
    reattempts: FloatArray  # [Q, K]
    masses: FloatArray  # [at least C + 1 and H]
    reached: npt.NDArray[np.bool_]  # [N]
    tally: IntArray  # [X, T] of strata that are stored together; zero once they are stored
    draws: SourceDraws
    tables: FateTables
    cohort: CohortSpace


def make_work_space(
    source: SourcePlan, transit: TransitPlan, flows: FlowPlan | None, keys: Keys, stratum_slot: IntArray
) -> WorkSpace:
    """Return the work space of one thread of a run; ``flows`` and ``stratum_slot`` are those of `simulate_rows`."""
    tally = 2 * transit.points + transit.outcomes + transit.attempt_cap + transit.legs * transit.causes
    return WorkSpace(
        legs=np.empty((transit.profile_split.size, transit.attempt_cap, 1 + transit.causes)),
        shares=np.empty(transit.fork_share.size),
        reattempts=np.empty((transit.reattempt.shape[0], transit.attempt_cap)),
        masses=np.empty(max(transit.causes + 1, transit.fork_share.size)),
        reached=np.empty(transit.points, dtype=np.bool_),
        tally=np.zeros((source.members.size, tally), dtype=np.int64),
        draws=make_source_draws(source, keys),
        tables=make_tables(transit, source.members.size),
        cohort=make_cohort_space(transit, no_flows(transit.attempt_cap) if flows is None else flows, stratum_slot),
    )


@inner_kernel
def store_tally(transit: TransitPlan, space: WorkSpace, exploitation: int, counts: Counts, slot: int, row: int) -> None:
    """Move what the strata of a slot have added up under an exploitation into ``counts``."""
    tally = space.tally[exploitation]
    settle(transit, space.tables, exploitation, tally)
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
def walk_stratum(
    transit: TransitPlan,
    keys: Keys,
    way: int,
    space: WorkSpace,
    stratum: int,
    persons: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    exploitation: int,
) -> None:
    """Take the bound victims of a stratum to their outcomes; `store_tally` comes once per slot."""
    legs, shares, reattempts, tally = space.legs, space.shares, space.reattempts, space.tally[exploitation]
    if way == LEG_BY_LEG:
        walk_leg_by_leg(
            transit, keys, legs, shares, reattempts, stratum, persons, replicate_id, theta_id, space.masses,
            space.reached, tally,
        )  # fmt: skip
    else:
        walk_collapsed(
            transit, keys, space.tables, legs, shares, reattempts, stratum, persons, replicate_id, theta_id,
            exploitation, tally,
        )  # fmt: skip


@bare_kernel
def simulate_rows(
    source: SourcePlan,
    transit: TransitPlan,
    flows: FlowPlan | None,
    keys: Keys,
    way: int,
    theta: FloatArray,
    theta_row: IntArray,
    at_risk_shares: FloatArray,
    scores: FloatArray,
    theta_ids: npt.NDArray[np.uint32],
    replicate_ids: npt.NDArray[np.uint32],
    cell_slot: IntArray,
    stratum_slot: IntArray,
    space: WorkSpace,
    counts: Counts,
    first_row: int,
) -> int:
    """Simulate ``n`` replicates into rows ``first_row ...`` of ``counts`` (which must be zero there).

    Parameters
    ----------
    flows : FlowPlan or None
        The expanded journeys, to move counts where that pays. None, to walk everybody, is a type of its own to the
        compiler: it leaves the cohort engine out, which would be a fourth of all compiling.
    way : int
        How persons walk: COLLAPSED or LEG_BY_LEG.
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
    space : WorkSpace
        From `make_work_space`, one per thread.

    Returns
    -------
    int
        Number of bound victims.
    """
    cells = source.population.size
    exploitations = source.members.size
    draws = space.draws
    total = 0
    current = -1
    for i in range(theta_ids.size):
        parameters = theta[theta_row[i]]
        if theta_row[i] != current:
            current = theta_row[i]
            leg_probabilities(transit, parameters, space.legs)
            fork_shares(transit, parameters, space.shares)
            reattempt_probabilities(transit, parameters, space.reattempts)
            space.tables.ready[:] = False
        row = first_row + i
        replicate_id, theta_id = replicate_ids[i], theta_ids[i]
        draw_source(
            source, draws, parameters, scores[i], at_risk_shares[current], replicate_id, theta_id, counts, cell_slot,
            stratum_slot, row,
        )  # fmt: skip
        bound = draws.bound
        if flows is not None:
            gather_crowds(space.cohort, bound)
            for journey in range(transit.class_start.size):
                walk_cohort(
                    transit, flows, keys, space.cohort, space.legs, space.shares, space.reattempts, journey,
                    replicate_id, theta_id, counts, stratum_slot, row,
                )  # fmt: skip
        for cell in range(cells):
            for x in range(exploitations):
                stratum = cell * exploitations + x
                slot, following = stratum_slot[stratum], stratum + exploitations
                persons = bound[stratum]
                total += persons
                walks = persons > 0
                if flows is not None:
                    walks = walks and not moves_as_counts(transit, flows, space.cohort, stratum)
                if walks:
                    walk_stratum(transit, keys, way, space, stratum, persons, replicate_id, theta_id, x)
                if following >= stratum_slot.size or stratum_slot[following] != slot:
                    store_tally(transit, space, x, counts, slot, row)
    return total
