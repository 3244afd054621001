"""Means and covariances of all counts of a group of cells, stretched from the sums over its bundles (docs/model.md E1).

With W_x the victims of x of a bundle, a its stretch of a victim of x (1; the share of each destination; the bound share
times the mean of each journey count) and S = E[Y Y'] of the journey class:

    mean                                    W_x a
    class m x class n                       1[m = n] classes[m] - square
    class m x count of x                    (joint[m, x] - square) a
    counts of x and x'                      - square a a'
    and for counts of one x besides         W_x a  (victims x any; bound destination x journey),
                                            W_x a 1[d = d'] (destinations), W_x x bound share x S (journey x journey)

Counts are numbered at risk by class, victims by x, destinations by x and d, journey counts by x and j. Covariances are
kept as a packed lower triangle: entry (i, j <= i) at i (i + 1) / 2 + j. The last axis is the lane.
"""

from __future__ import annotations

from typing import NamedTuple

from simcore.compilation import bare_kernel
from simcore.engines.expected.cells import CellPlan, CellWork
from simcore.engines.expected.journeys import JourneyWork
from simcore.engines.expected.products import add_rows
from simcore.source_zone.plan import FloatArray, IntArray, SourcePlan


class CountList(NamedTuple):
    """The counts of victims that a bundle can have, in order: work space for all D."""

    number: IntArray  # [D] among all counts
    exploitation: IntArray  # [D]
    place: IntArray  # [D] in the stretch


@bare_kernel
def add_journeys_of_class(
    source: SourcePlan,
    cells: CellPlan,
    journey: int,
    moments: JourneyWork,
    work: CellWork,
    triangle: FloatArray,
    covariance: bool,
) -> None:
    """Fill the journey counts of ``stretch`` of all users of a class, and add journey x journey to ``triangle``."""
    risks, exploitations = work.classes.shape[1], source.members.size
    destinations, lanes = source.destination.shape[2], work.persons.shape[1]
    first, stop = cells.first_count[journey], cells.first_count[journey + 1]
    for user in range(cells.first_user[journey], cells.first_user[journey + 1]):
        bundle, x = cells.user_bundle[user], cells.user_exploitation[user]
        group = cells.bundle_group[bundle]
        begin = risks + exploitations * (1 + destinations) + x * cells.counts
        for m in range(first, stop):
            at = 1 + destinations + cells.count_index[m]
            for b in range(lanes):
                bound = work.stretch[bundle, x, 1 + source.bound, b]
                work.stretch[bundle, x, at, b] = bound * moments.mean[cells.count_entry[m], b]
        if not covariance:
            continue
        for m in range(first, stop):
            i = begin + cells.count_index[m]
            for n in range(first, m + 1):
                at = i * (i + 1) // 2 + begin + cells.count_index[n]
                high = max(cells.count_entry[m], cells.count_entry[n])
                low = min(cells.count_entry[m], cells.count_entry[n])
                for b in range(lanes):
                    bound = work.victims[bundle, x, b] * work.stretch[bundle, x, 1 + source.bound, b]
                    triangle[group, at, b] += bound * moments.second[high, low, b]


@bare_kernel
def list_counts(source: SourcePlan, cells: CellPlan, bundle: int, risks: int, listing: CountList) -> int:
    """List the counts of victims that a bundle can have; return how many."""
    number, exploitation, place = listing
    exploitations, destinations = source.members.size, source.destination.shape[2]
    listed = 0
    for x in range(exploitations):
        number[listed], exploitation[listed], place[listed] = risks + x, x, 0
        listed += 1
    for x in range(exploitations):
        for d in range(destinations):
            number[listed] = risks + exploitations + x * destinations + d
            exploitation[listed], place[listed] = x, 1 + d
            listed += 1
    for x in range(exploitations):
        journey = cells.bundle_class[bundle, x]
        if journey < 0:
            continue
        for m in range(cells.first_count[journey], cells.first_count[journey + 1]):
            count = cells.count_index[m]
            number[listed] = risks + exploitations * (1 + destinations) + x * cells.counts + count
            exploitation[listed], place[listed] = x, 1 + destinations + count
            listed += 1
    return listed


@bare_kernel
def add_means(
    cells: CellPlan,
    bundle: int,
    listed: int,
    listing: CountList,
    work: CellWork,
    mean: FloatArray,
) -> None:
    """Add the means of a bundle to those of its group; ``mean`` is float64 [G, D, B]."""
    group, lanes = cells.bundle_group[bundle], mean.shape[2]
    for m in range(work.classes.shape[1]):
        for b in range(lanes):
            mean[group, m, b] += work.classes[bundle, m, b]
    for e in range(listed):
        x = listing.exploitation[e]
        for b in range(lanes):
            mean[group, listing.number[e], b] += (
                work.victims[bundle, x, b] * work.stretch[bundle, x, listing.place[e], b]
            )


@bare_kernel
def _fill_partner(source: SourcePlan, bundle: int, x: int, listed: int, listing: CountList, work: CellWork) -> None:
    """Fill what a count of exploitation x is multiplied with, by the number of the other count; zero if not listed."""
    partner, lanes, risks = work.partner, work.persons.shape[1], work.classes.shape[1]
    partner[:] = 0.0
    for m in range(risks):
        for b in range(lanes):
            partner[m, b] = work.joint[bundle, m, x, b] - work.square[bundle, risks + x, m, b]
    for e in range(listed):
        y = listing.exploitation[e]
        high, low = risks + max(x, y), risks + min(x, y)
        for b in range(lanes):
            partner[listing.number[e], b] = (
                -work.square[bundle, high, low, b] * work.stretch[bundle, y, listing.place[e], b]
            )
    for b in range(lanes):
        partner[risks + x, b] += work.victims[bundle, x, b]


@bare_kernel
def add_covariances(
    source: SourcePlan,
    cells: CellPlan,
    bundle: int,
    listed: int,
    listing: CountList,
    work: CellWork,
    triangle: FloatArray,
) -> None:
    """Add all but the second moments of journey counts of a bundle to its group."""
    group, lanes, risks = cells.bundle_group[bundle], triangle.shape[2], work.classes.shape[1]
    destinations = source.destination.shape[2]
    packed, partner = triangle[group], work.partner
    for m in range(risks):
        for n in range(m + 1):
            for b in range(lanes):
                packed[m * (m + 1) // 2 + n, b] -= work.square[bundle, m, n, b]
        for b in range(lanes):
            packed[m * (m + 1) // 2 + m, b] += work.classes[bundle, m, b]
    for x in range(source.members.size):
        _fill_partner(source, bundle, x, listed, listing, work)
        bound = risks + source.members.size + x * destinations + source.bound
        for e in range(listed):
            if listing.exploitation[e] != x:
                continue
            i, weight = listing.number[e], work.stretch[bundle, x, listing.place[e]]
            add_rows(packed[i * (i + 1) // 2 :], weight, partner, 0, i + 1)
            if listing.place[e] > destinations:
                other = bound
            elif listing.place[e] > 0:
                other = i
            else:
                continue
            for b in range(lanes):
                packed[i * (i + 1) // 2 + other, b] += work.victims[bundle, x, b] * weight[b]
