"""What the NumPy walks share: groups of agents that are counted together, leg probabilities, and batches.

A *group* is a replicate and a *column*; a column is a set of strata that are stored together and share a journey class.
An agent is no more than the number of its group, so strata with equal parameters are walked as one array.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.numpy_source import SourceCounts, draw_source, persons_of
from benchmarks.work import FloatArray, IntArray, Work
from simcore.engines.counts import Counts

BATCHES = (50_000, 200_000, 800_000)  # agents at once; every peer gets the one that suits it in each case


class JourneyCounts(NamedTuple):
    """Counts by [group, ...]."""

    reached: IntArray  # [G, N]
    visits: IntArray  # [G, N]
    outcome: IntArray  # [G, O]
    attempts: IntArray  # [G, K]


@dataclass(frozen=True)
class Columns:
    """Columns of a model, and the active cells and strata they are made of.

    Attributes
    ----------
    cells : int64 [A]
        Cells where somebody can be at risk.
    slot, journey : int64 [J]
        Stored slot and journey class of each column.
    of_stratum : int64 [A X]
        Column of every stratum of the active cells.
    """

    cells: IntArray
    slot: IntArray
    journey: IntArray
    of_stratum: IntArray


def make_columns(work: Work) -> Columns:
    """Find the columns of a model."""
    cells = np.flatnonzero(work.model.source.active)
    exploitations = work.model.source.members.size
    strata = (cells[:, None] * exploitations + np.arange(exploitations)).ravel()
    pairs = np.stack([work.slots.stratum_slot[strata], work.model.transit.class_of[strata]], axis=1)
    columns, of_stratum = np.unique(pairs, axis=0, return_inverse=True)
    return Columns(cells, columns[:, 0], columns[:, 1], of_stratum.ravel())


def leg_table(work: Work) -> FloatArray:
    """Return P(continue), then P(cause), of every profile and attempt: float64 [t, F, K, 1 + C]."""
    plan, theta = work.model.transit, work.theta
    table = np.empty((theta.shape[0], plan.profile_split.size, plan.attempt_cap, 1 + plan.causes))
    for profile in range(plan.profile_split.size):
        columns = plan.profile_cause[profile]
        base = np.where(columns >= 0, theta[:, np.maximum(columns, 0)], 0.0)
        if plan.profile_split[profile]:
            go_on = theta[:, plan.profile_continue[profile]]
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = np.where(go_on < 1.0, -np.log(go_on) / (1.0 - go_on), 0.0)
            hazards = base * scale[:, None]
        else:
            hazards = -np.log1p(-base)
        if not np.isfinite(hazards).all():
            raise ValueError("the NumPy peers do not know legs that end for certain")
        for cause in range(plan.causes):
            row = profile * plan.causes + cause
            for i in range(plan.modifier_start[row], plan.modifier_start[row + 1]):
                hazards[:, cause] *= theta[:, plan.modifiers[i]]
        effect_column = plan.profile_effect[profile]
        effect = theta[:, effect_column] if effect_column >= 0 else np.zeros(theta.shape[0])
        for attempt in range(plan.attempt_cap):
            here = hazards.copy()
            here[:, 0] *= np.exp(effect * attempt)
            total = here.sum(axis=1)
            table[:, profile, attempt, 0] = np.exp(-total)
            share = np.divide(-np.expm1(-total), total, out=np.zeros_like(total), where=total > 0.0)
            table[:, profile, attempt, 1:] = here * share[:, None]
    return table


def share_table(work: Work) -> FloatArray:
    """Return the share of each leg at each fork, float64 [t, H]."""
    plan, theta = work.model.transit, work.theta
    shares = np.empty((theta.shape[0], plan.fork_share.size))
    for fork in range(plan.fork_start.size - 1):
        legs = range(plan.fork_start[fork], plan.fork_start[fork + 1])
        for i in legs:
            column = plan.fork_share[i]
            shares[:, i] = theta[:, column] if column >= 0 else 1.0 if column == -3 else 0.0
        for i in legs:
            if plan.fork_share[i] == -2:  # the rest
                shares[:, i] = 1.0 - shares[:, legs.start : legs.stop].sum(axis=1)
    return shares


def reattempt_table(work: Work) -> FloatArray:
    """Return the probability of another attempt after each one, float64 [t, Q, K]."""
    columns = work.model.transit.reattempt
    return np.where(columns >= 0, work.theta[:, np.maximum(columns, 0)], 0.0)


Walk = Callable[[Work, Columns, npt.NDArray[np.int64], np.random.Generator], JourneyCounts]
"""(work, columns, agents of each group [G], generator) -> counts; group = replicate * columns + column."""


def simulate_with(
    walk: Walk,
    work: Work,
    generator: np.random.Generator,
    *,
    agents_at_once: int | None = None,
    replicates_at_once: int = 1,
) -> Counts:
    """Simulate with NumPy's source draws and a walk, in batches of so many replicates, or of about so many agents."""
    counts = work.slots.empty_counts(work.replicates)
    columns = make_columns(work)
    persons = persons_of(work)
    for cell, slot in enumerate(work.slots.cell_slot):
        counts.persons[slot] += persons[:, cell]
    first, size = 0, 1 if agents_at_once else replicates_at_once
    while first < work.replicates:
        part = work.part(first, min(first + size, work.replicates))
        source = draw_source(part, columns.cells, generator)
        bound = source.destination[..., part.model.source.bound].reshape(part.replicates, -1)
        groups = np.zeros((part.replicates, columns.slot.size), dtype=np.int64)
        for stratum, column in enumerate(columns.of_stratum):
            groups[:, column] += bound[:, stratum]
        journeys = walk(part, columns, groups.ravel(), generator)
        _store(counts, slice(first, first + part.replicates), work, columns, source, journeys)
        first += part.replicates
        if agents_at_once:
            per_replicate = max(groups.sum() / part.replicates, 1.0)
            size = max(int(agents_at_once / per_replicate), 1)
    return counts


def _store(
    counts: Counts, rows: slice, work: Work, columns: Columns, source: SourceCounts, journeys: JourneyCounts
) -> None:
    for a, cell in enumerate(columns.cells):
        counts.at_risk[work.slots.cell_slot[cell], rows] += source.at_risk[:, a]
        for x in range(source.victims.shape[2]):
            slot = work.slots.stratum_slot[cell * source.victims.shape[2] + x]
            counts.victims[slot, rows] += source.victims[:, a, x].astype(counts.victims.dtype)
            counts.destination[slot, rows] += source.destination[:, a, x].astype(counts.destination.dtype)
    for name in JourneyCounts._fields:
        made = getattr(journeys, name)
        by_column = made.reshape(rows.stop - rows.start, columns.slot.size, -1)
        target = getattr(counts, name)
        for column, slot in enumerate(columns.slot):
            target[slot, rows] += by_column[:, column].astype(target.dtype)
