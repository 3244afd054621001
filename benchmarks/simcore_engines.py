"""simcore's own contenders: everything of the benchmarks that calls its kernels and its public functions.

Nothing else here knows their signatures, so that a change of an engine is a change of this file.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

import simcore
from benchmarks.work import FloatArray, Work
from simcore.engines import random, replicates
from simcore.engines.counts import Counts
from simcore.model import CompiledModel
from simcore.runner.blocks import SLICE_ROWS
from simcore.runner.choice import choose_engine
from simcore.runner.slots import make_slots
from simcore.transit_zone.plan import FlowPlan

WAYS = {"collapsed": replicates.COLLAPSED, "leg-by-leg": replicates.LEG_BY_LEG, "cohort": replicates.COLLAPSED}
_BATCH = 256  # Philox blocks made in one go, as the engine does
_WORDS = np.empty((4, _BATCH), dtype=np.uint32)


class Engine:
    """simcore's kernels, one way of walking, on some threads; what a run makes once is kept from call to call.

    Parameters
    ----------
    way : {"collapsed", "leg-by-leg", "cohort"}
    threads : int
        Each gets an equal part of the replicates.
    """

    def __init__(self, way: str = "collapsed", threads: int = 1) -> None:
        self.way, self.threads, self.counts = WAYS[way], threads, way == "cohort"
        self._model: CompiledModel | None = None

    def __call__(self, work: Work, _: np.random.Generator) -> Counts:
        """Simulate ``work``; the engine addresses its own random words."""
        if self._model is not work.model:
            keys = work.streams.keys
            self._model = work.model
            self._spaces = [
                replicates.make_work_space(
                    work.model.source, work.model.transit, self._flows(work), keys, work.slots.stratum_slot
                )
                for _ in range(self.threads)
            ]
        counts = work.slots.empty_counts(work.replicates)
        edges = np.linspace(0, work.replicates, self.threads + 1).astype(int).tolist()
        if self.threads == 1:
            self._fill(work, counts, 0, work.replicates, 0)
            return counts
        with ThreadPoolExecutor(self.threads) as pool:
            parts = [pool.submit(self._fill, work, counts, edges[i], edges[i + 1], i) for i in range(self.threads)]
            for part in parts:
                part.result()
        return counts

    def _flows(self, work: Work) -> FlowPlan | None:
        return work.model.flows if self.counts else None

    def _fill(self, work: Work, counts: Counts, first: int, stop: int, thread: int) -> None:
        rows = np.arange(first, stop, dtype=np.uint32)
        zero = np.zeros(rows.size, dtype=np.uint32)
        theta_row = zero if work.fixed else rows
        replicates.simulate_rows(
            work.model.source, work.model.transit, self._flows(work), work.streams.keys, self.way, work.theta,
            theta_row.astype(np.int64), work.shares, np.ascontiguousarray(work.scores[theta_row]),
            zero if work.fixed else rows, rows if work.fixed else zero, work.slots.cell_slot, work.slots.stratum_slot,
            self._spaces[thread], counts, first,
        )  # fmt: skip


class AutomaticEngine:
    """The engine that simcore chooses for a scenario; ``choice`` is its name after a call."""

    def __init__(self) -> None:
        self.choice = ""
        self._engine: Engine | None = None

    def __call__(self, work: Work, generator: np.random.Generator) -> Counts:
        """Simulate with the chosen engine."""
        if self._engine is None:
            self.choice = chosen_engine(work)
            self._engine = Engine({"agent": "collapsed"}.get(self.choice, self.choice))
        return self._engine(work, generator)


def chosen_engine(work: Work) -> str:
    """Return the engine that ``engine="auto"`` of a run takes; it looks at parameter sets drawn by the seed."""
    slot, thetas = work.slots.stratum_slot, 1 if work.fixed else work.replicates
    choice = choose_engine(work.model, work.streams, slot, thetas=thetas, engine="auto", walker="collapsed")
    return choice.engine


def simulate_sliced(model: CompiledModel, seed: int, theta: FloatArray, per_theta: int) -> Callable[[], int]:
    """Return a call that simulates ``per_theta`` replicates of each parameter set in slices, as a run's tasks do.

    It returns the number of bound victims.
    """
    streams, slots = model.streams(seed), make_slots(model)
    shares, _ = model.at_risk_shares(theta)
    ids = np.arange(theta.shape[0], dtype=np.uint32)
    scores = np.repeat(model.draw_scores(streams, ids, np.zeros_like(ids)), per_theta, axis=0)
    theta_ids = np.repeat(ids, per_theta)
    replicate_ids = np.tile(np.arange(per_theta, dtype=np.uint32), theta.shape[0])
    rows = theta_ids.size
    counts = slots.empty_counts(rows)
    space = replicates.make_work_space(model.source, model.transit, None, streams.keys, slots.stratum_slot)

    def call() -> int:
        agents = 0
        for first in range(0, rows, SLICE_ROWS):
            part = slice(first, min(first + SLICE_ROWS, rows))
            agents += replicates.simulate_rows(
                model.source, model.transit, None, streams.keys, replicates.COLLAPSED, theta,
                theta_ids[part].astype(np.int64), shares, scores[part], theta_ids[part], replicate_ids[part],
                slots.cell_slot, slots.stratum_slot, space, counts, first,
            )  # fmt: skip
        return agents

    return call


def philox_words(number: int) -> None:
    """Make ``number`` words of the generator and do nothing with them: the least that a walk can cost."""
    blocks = -(-number // 4)
    for first in range(0, blocks, _BATCH):
        random.fill_blocks(_WORDS, first, min(_BATCH, blocks - first), np.uint32(0), np.uint32(0), np.uint64(1))


def whole_run(work: Work, threads: int) -> simcore.Results:
    """Run from the loaded scenario to results in memory: compile, draw parameters, simulate, sum up, compress."""
    return simcore.run(work.model.scenario, replicates=work.replicates, seed=work.streams.seed, threads=threads)


def stored_run(model: CompiledModel, replicates: int, seed: int, output: Path | None) -> simcore.Results:
    """Run with all threads into a file, or in memory."""
    return simcore.run(model.scenario, replicates=replicates, seed=seed, output=output)


def expected_calls(model: CompiledModel, theta: npt.NDArray[np.float64]) -> dict[str, Callable[[], object]]:
    """Return what `simcore.expected` can be asked for: what it makes -> a call for all rows of ``theta``."""
    return {
        "means and covariances": lambda: simcore.expected(model, theta=theta),
        "means only": lambda: simcore.expected(model, theta=theta, covariance=False),
    }


def draw_theta(model: CompiledModel, number: int, seed: int) -> FloatArray:
    """Return ``number`` parameter sets."""
    return model.draw_theta(model.streams(seed), np.arange(number, dtype=np.uint32))
