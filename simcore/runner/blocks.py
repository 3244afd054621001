"""Computing a block of replicates: cut into slices, one per task of the thread pool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simcore.engines.agent import WALKERS, simulate_rows
from simcore.engines.collapsed import make_tables
from simcore.engines.counts import Counts
from simcore.model import CompiledModel, Streams
from simcore.runner.slots import Slots
from simcore.store.layout import CHUNK_ROWS
from simcore.uncertainty.design import Design

BLOCK_ROWS = CHUNK_ROWS
SLICE_ROWS = 128  # a task of some tens of milliseconds: long against its start, short against a block


@dataclass(frozen=True)
class Work:
    """Everything that a task needs; read-only and shared by all threads."""

    model: CompiledModel
    streams: Streams
    slots: Slots
    design: Design
    walker: str


@dataclass
class Block:
    """A block of replicates being filled.

    Attributes
    ----------
    first, stop : int
        Rows of the run.
    counts : Counts
    theta : float64 [rows, P] or None
        Kept only in a single loop, where every row has a parameter set of its own.
    """

    first: int
    stop: int
    counts: Counts
    theta: npt.NDArray[np.float64] | None

    @property
    def rows(self) -> int:
        """Number of replicates."""
        return self.stop - self.first


@dataclass(frozen=True)
class SliceReport:
    """What a finished task tells: rows done, agents walked, at-risk shares held to one (over all replicates)."""

    rows: int
    agents: int
    held_shares: int

    def plus(self, others: Iterable[SliceReport]) -> SliceReport:
        """Return the sum with other reports."""
        total = self
        for other in others:
            total = SliceReport(
                total.rows + other.rows, total.agents + other.agents, total.held_shares + other.held_shares
            )
        return total


def new_block(work: Work, first: int, *, keep_theta: bool) -> Block:
    """Return an empty block starting at row ``first``."""
    stop = min(first + BLOCK_ROWS, work.design.replicates)
    theta = None
    if keep_theta and work.design.inner == 1:
        theta = np.empty((stop - first, work.model.space.size))
    return Block(first, stop, work.slots.empty_counts(stop - first), theta)


def slices(block: Block) -> list[tuple[int, int]]:
    """Return the row ranges, relative to the block, of its tasks."""
    return [(first, min(first + SLICE_ROWS, block.rows)) for first in range(0, block.rows, SLICE_ROWS)]


def simulate_slice(work: Work, block: Block, first: int, stop: int) -> SliceReport:
    """Simulate rows ``first ... stop - 1`` of a block into its counts; safe in any thread, for rows of its own."""
    model, design = work.model, work.design
    theta_ids = design.theta_ids(block.first + first, block.first + stop)
    replicate_ids = design.replicate_ids(block.first + first, block.first + stop)
    distinct, theta_row = np.unique(theta_ids, return_inverse=True)
    theta = model.draw_theta(work.streams, distinct)
    if block.theta is not None:
        block.theta[first:stop] = theta
    shares, held = model.at_risk_shares(theta)
    scores = model.draw_scores(work.streams, theta_ids, replicate_ids)
    agents = simulate_rows(
        model.source,
        model.transit,
        work.streams.keys,
        WALKERS[work.walker],
        theta,
        theta_row.astype(np.int64),
        shares,
        scores,
        theta_ids,
        replicate_ids,
        work.slots.cell_slot,
        work.slots.stratum_slot,
        make_tables(model.transit),
        block.counts,
        first,
    )
    return SliceReport(stop - first, int(agents), int(held[theta_row].sum()))
