"""simcore's own contenders: the compiled agent engine on one thread, and a whole run."""

from __future__ import annotations

import numpy as np

import simcore
from benchmarks.work import Work
from simcore.engines.agent import WALKERS, simulate_rows
from simcore.engines.collapsed import make_tables
from simcore.engines.counts import Counts
from simcore.engines.random import fill_attempt_words

_BATCH = 256  # Philox blocks made in one go, as the engine does
_WORDS = np.empty((4, _BATCH), dtype=np.uint32)


def simulate_agents(work: Work, walker: str = "collapsed") -> Counts:
    """Simulate with the agent engine in this thread."""
    n = work.replicates
    rows = np.arange(n, dtype=np.uint32)
    zero = np.zeros(n, dtype=np.uint32)
    counts = work.slots.empty_counts(n)
    simulate_rows(
        work.model.source,
        work.model.transit,
        work.streams.keys,
        WALKERS[walker],
        work.theta,
        np.zeros(n, dtype=np.int64) if work.fixed else np.arange(n, dtype=np.int64),
        work.shares,
        np.ascontiguousarray(np.broadcast_to(work.scores, (n, work.scores.shape[1]))),
        zero if work.fixed else rows,
        rows if work.fixed else zero,
        work.slots.cell_slot,
        work.slots.stratum_slot,
        make_tables(work.model.transit),
        counts,
        0,
    )
    return counts


def whole_run(work: Work, threads: int) -> simcore.Results:
    """Run from the loaded scenario to results in memory: compile, draw parameters, simulate, sum up, compress."""
    return simcore.run(work.model.scenario, replicates=work.replicates, seed=work.streams.seed, threads=threads)


def philox_words(number: int) -> None:
    """Make ``number`` words of the generator and do nothing with them: the least that a walk can cost."""
    blocks = -(-number // 4)
    for first in range(0, blocks, _BATCH):
        fill_attempt_words(_WORDS, first, min(_BATCH, blocks - first), np.uint32(0), np.uint32(0), np.uint64(1))
