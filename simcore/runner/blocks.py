"""Computing a block of replicates: cut into slices, one per task of the thread pool."""

from __future__ import annotations

import math
import operator
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from simcore.engines.counts import Counts
from simcore.engines.replicates import WorkSpace, make_work_space, simulate_rows
from simcore.model import CompiledModel, Streams
from simcore.runner.choice import EngineChoice
from simcore.runner.slots import Slots
from simcore.store.blocks import EncodedBlock, encode_block
from simcore.store.layout import CHUNK_ROWS
from simcore.uncertainty.design import Design

BLOCK_ROWS = CHUNK_ROWS
SLICE_ROWS = 256  # a task of some tens of milliseconds: long against its start, short against a block
SLICES_OF_A_SHORT_RUN = 4  # per worker, so that a few heavy replicates keep all of them busy


@dataclass(frozen=True)
class Work:
    """Everything that a task needs; shared by all threads, and read-only but for each thread's own work space.

    ``warm`` is set when a slice has ended: everything is compiled then.
    """

    model: CompiledModel
    streams: Streams
    slots: Slots
    design: Design
    choice: EngineChoice
    warm: threading.Event = field(default_factory=threading.Event, init=False, repr=False, compare=False)
    _own: threading.local = field(default_factory=threading.local, init=False, repr=False, compare=False)

    def work_space(self) -> WorkSpace:
        """Return the work space of the calling thread, made when it first asks."""
        if not hasattr(self._own, "space"):
            self._own.space = make_work_space(
                self.model.source, self.model.transit, self.choice.flows, self.streams.keys, self.slots.stratum_slot
            )
        space: WorkSpace = self._own.space
        return space


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
    """What a finished task tells.

    Attributes
    ----------
    rows, agents : int
        Replicates done and bound victims walked.
    held_shares : int
        At-risk shares held to one, over all replicates.
    timed_sets, timed_rows : int
        Parameter sets drawn and replicates done in slices that were timed: those that began when one had ended, so that
        no compiling is in them. A set whose replicates lie in several slices is drawn in each.
    seconds_parameters, seconds_replicates : float
        Time that these took: drawing parameter sets and their at-risk shares, and the replicates themselves [s].
    """

    rows: int
    agents: int
    held_shares: int
    timed_sets: int = 0
    timed_rows: int = 0
    seconds_parameters: float = 0.0
    seconds_replicates: float = 0.0

    def __add__(self, other: SliceReport) -> SliceReport:
        """Return the sum of both."""
        return SliceReport(*map(operator.add, vars(self).values(), vars(other).values()))


NOTHING = SliceReport(0, 0, 0)
TALLY = ("timed_sets", "timed_rows", "seconds_parameters", "seconds_replicates")
"""What of a report is kept with a block beside what the ledger has."""


def new_block(work: Work, first: int, *, keep_theta: bool, used: Block | None = None) -> Block:
    """Return an empty block starting at row ``first``, in the memory of a ``used`` one that is large enough, if given.

    (Memory that is given back and asked for again comes in other pieces, and the process grows by a block.)
    """
    stop = min(first + BLOCK_ROWS, work.design.replicates)
    rows = stop - first
    if used is not None and used.rows >= rows:
        counts = Counts(*(_front(array, (array.shape[0], rows, *array.shape[2:])) for array in used.counts))
        for array in counts:
            array[...] = 0
        return Block(first, stop, counts, None if used.theta is None else used.theta[:rows])
    theta = None
    if keep_theta and work.design.inner == 1:
        theta = np.empty((stop - first, work.model.space.size))
    return Block(first, stop, work.slots.empty_counts(stop - first), theta)


def _front(array: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return an array of another shape in the first bytes of an array's memory."""
    return array.reshape(-1)[: math.prod(shape)].reshape(shape)


def slices(block: Block, workers: int) -> list[tuple[int, int]]:
    """Return the row ranges, relative to the block, of its tasks; a small block is cut finer, for all workers."""
    rows = min(SLICE_ROWS, -(-block.rows // (SLICES_OF_A_SHORT_RUN * workers)))
    return [(first, min(first + rows, block.rows)) for first in range(0, block.rows, rows)]


def simulate_slice(work: Work, block: Block, first: int, stop: int) -> SliceReport:
    """Simulate rows ``first ... stop - 1`` of a block into its counts; safe in any thread, for rows of its own."""
    model, design = work.model, work.design
    theta_ids = design.theta_ids(block.first + first, block.first + stop)
    replicate_ids = design.replicate_ids(block.first + first, block.first + stop)
    warm, begun = work.warm.is_set(), time.perf_counter()
    # Ids of parameter sets grow by one at a time, so the distinct ones are a range.
    theta_row = theta_ids.astype(np.int64) - int(theta_ids[0])
    theta = model.draw_theta(work.streams, np.arange(int(theta_ids[0]), int(theta_ids[-1]) + 1, dtype=np.uint32))
    if block.theta is not None:
        block.theta[first:stop] = theta
    shares, held = model.at_risk_shares(theta)
    drawn = time.perf_counter()
    scores = model.draw_scores(work.streams, theta_ids, replicate_ids)
    agents = simulate_rows(
        model.source,
        model.transit,
        work.choice.flows,
        work.streams.keys,
        work.choice.way,
        theta,
        theta_row,
        shares,
        scores,
        theta_ids,
        replicate_ids,
        work.slots.cell_slot,
        work.slots.stratum_slot,
        work.work_space(),
        block.counts,
        first,
    )
    report = SliceReport(stop - first, int(agents), int(held[theta_row].sum()))
    if warm:
        took = drawn - begun, time.perf_counter() - drawn
        report = SliceReport(report.rows, report.agents, report.held_shares, len(theta), stop - first, *took)
    work.warm.set()
    return report


def compute_block(work: Work, first: int, *, keep_theta: bool) -> EncodedBlock:
    """Compute and encode the block that begins at a row, in the calling thread alone."""
    began = time.perf_counter()
    block = new_block(work, first, keep_theta=keep_theta)
    report = NOTHING
    for start, stop in slices(block, 1):
        report += simulate_slice(work, block, start, stop)
    return encode(work, block, time.perf_counter() - began, report)


def encode(work: Work, block: Block, seconds: float, report: SliceReport) -> EncodedBlock:
    """Turn a computed block into chunks of the file; safe in any thread."""
    design, layout = work.design, work.slots.layout
    replicate_id = design.replicate_ids(block.first, block.stop)
    return encode_block(
        layout,
        {variable.name: getattr(block.counts, variable.name) for variable in layout.variables},
        first_row=block.first,
        theta_id=design.theta_ids(block.first, block.stop),
        replicate_id=replicate_id,
        shared_id=replicate_id,
        theta=block.theta,
        seconds=seconds,
        agents=report.agents,
        held_shares=report.held_shares,
        tally={name: getattr(report, name) for name in TALLY},
    )


def report_of(block: EncodedBlock) -> SliceReport:
    """Return what the slices of an encoded block told, as far as it was kept with it."""
    return SliceReport(block.rows, block.agents, block.held_shares, **block.tally)  # type: ignore[arg-type]
