"""Blocks of parameter sets through legs, cells, journeys and covariances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simcore.compilation import bare_kernel
from simcore.engines.expected.cells import CellPlan, CellWork, make_cell_work, plan_cells, sum_over_cells
from simcore.engines.expected.covariances import (
    CountList,
    add_covariances,
    add_journeys_of_class,
    add_means,
    list_counts,
)
from simcore.engines.expected.journeys import JourneyWork, fill_moves, forward, make_journey_work
from simcore.engines.expected.legs import LegTable, fill_leg_table, make_leg_table
from simcore.engines.expected.products import fill_products
from simcore.source_zone.plan import FloatArray, IntArray, SourcePlan
from simcore.transit_zone.chains import ChainPlan
from simcore.transit_zone.plan import TransitPlan

LANES = 48  # long enough for whole vectors, short enough for the work space of a class to stay in the cache


class Workspace(NamedTuple):
    """Plans that depend on what is asked for, and work space of one block."""

    cells: CellPlan
    legs: LegTable
    journey: JourneyWork
    sums: CellWork
    mean: FloatArray  # [G, D, B]
    triangle: FloatArray  # [G, D (D + 1) / 2, B]
    listing: CountList
    rows: IntArray  # [B]


def make_workspace(
    source: SourcePlan,
    transit: TransitPlan,
    chains: ChainPlan,
    group_of_cell: Sequence[int],
    *,
    risks: int,
    ended: bool,
    covariance: bool,
) -> Workspace:
    """Return what `expected_rows` works with.

    Parameters
    ----------
    group_of_cell : sequence of int, length C
        Output group of each cell.
    risks : int
        Number of risk classes, 2**R.
    ended : bool
        Count ended attempts by leg and cause.
    covariance : bool
        Compute second moments.
    """
    cells = plan_cells(source, transit, chains, group_of_cell, ended=ended)
    exploitations = source.members.size
    size = risks - 1 + exploitations * (1 + source.destination.shape[2] + cells.counts)
    packed = size * (size + 1) // 2 if covariance else 0
    return Workspace(
        cells=cells,
        legs=make_leg_table(transit, chains, LANES),
        journey=make_journey_work(transit, chains, LANES, ended=ended, covariance=covariance),
        sums=make_cell_work(source, cells, risks, LANES),
        mean=np.zeros((cells.groups, size, LANES)),
        triangle=np.zeros((cells.groups if covariance else 0, packed, LANES)),
        listing=CountList(*(np.zeros(size, dtype=np.int64) for _ in range(3))),
        rows=np.zeros(LANES, dtype=np.int64),
    )


@bare_kernel
def _store(
    count: int, first: int, work: Workspace, persons: FloatArray, mean: FloatArray, covariance: FloatArray
) -> None:
    """Copy the first ``count`` lanes to rows ``first`` and on, covariances mirrored."""
    size = mean.shape[2]
    for group in range(mean.shape[1]):
        for b in range(count):
            persons[first + b, group] = work.sums.persons[group, b]
        for i in range(size):
            for b in range(count):
                mean[first + b, group, i] = work.mean[group, i, b]
        if covariance.shape[0] == 0:
            continue
        for i in range(size):
            for j in range(i + 1):
                for b in range(count):
                    entry = work.triangle[group, i * (i + 1) // 2 + j, b]
                    covariance[first + b, group, i, j] = entry
                    covariance[first + b, group, j, i] = entry


@bare_kernel
def expected_rows(
    source: SourcePlan,
    transit: TransitPlan,
    chains: ChainPlan,
    work: Workspace,
    theta: FloatArray,
    at_risk_shares: FloatArray,
    scores: FloatArray,
    persons: FloatArray,
    mean: FloatArray,
    covariance: FloatArray,
    ended: bool,
) -> None:
    """Fill the moments of ``n`` parameter sets, summed over the cells of each group.

    Parameters
    ----------
    theta : float64 [n, P]
    at_risk_shares : float64 [n, C, R]
    scores : float64 [n, E]
        The shared effects that the moments are conditional on.
    persons : float64 [n, G], out
    mean : float64 [n, G, D], out
    covariance : float64 [n, G, D, D], out
        Of length 0 if only means are wanted; ``work`` must have been made for the same.
    ended : bool
        As ``work`` was made.
    """
    second = covariance.shape[0] > 0
    cells, legs, journey, sums = work.cells, work.legs, work.journey, work.sums
    risks, lanes = sums.classes.shape[1], work.rows.size
    for first in range(0, theta.shape[0], lanes):
        count = min(lanes, theta.shape[0] - first)
        for b in range(lanes):  # lanes beyond the last set repeat it
            work.rows[b] = first + min(b, count - 1)
        work.mean[:] = 0.0
        work.triangle[:] = 0.0
        sum_over_cells(source, cells, theta, at_risk_shares, scores, work.rows, sums)
        fill_leg_table(transit, chains, theta, work.rows, legs)
        for j in range(chains.class_entry.size):
            fill_moves(transit, chains, j, legs, ended, journey)
            forward(transit, chains, j, ended, journey)
            if second:
                fill_products(transit, chains, j, legs.reattempt, ended, journey)
            add_journeys_of_class(source, cells, j, journey, sums, work.triangle, second)
        for bundle in range(cells.bundle_group.size):
            listed = list_counts(source, cells, bundle, risks, work.listing)
            add_means(cells, bundle, listed, work.listing, sums, work.mean)
            if second:
                add_covariances(source, cells, bundle, listed, work.listing, sums, work.triangle)
        _store(count, first, work, persons, mean, covariance)
