"""What every contender is given: a compiled scenario, drawn parameters, and where counts are stored.

Everything up to here (reading the scenario, drawing parameters, at-risk shares and shared effects) is done once,
outside the timing, and is the same for all; turning parameters into probabilities, drawing counts and walking is the
work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from simcore.engines.counts import Counts
from simcore.model import CompiledModel, Streams
from simcore.runner.slots import Slots, make_slots

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Work:
    """Replicates to be simulated.

    Attributes
    ----------
    model : CompiledModel
    streams : Streams
        Keys of the addressed generator; only simcore's own engine draws from them.
    slots : Slots
        How strata are stored: the scenario's own choice.
    theta : float64 [t, P]
        Parameters: one row for all replicates, or one row each.
    shares : float64 [t, C, R]
        Marginal at-risk shares.
    scores : float64 [t, E]
        Normal scores of the shared effects.
    replicates : int
    fixed : bool
        All replicates have the same parameters, so that tables are built once.
    """

    model: CompiledModel
    streams: Streams
    slots: Slots
    theta: FloatArray
    shares: FloatArray
    scores: FloatArray
    replicates: int
    fixed: bool

    def part(self, first: int, stop: int) -> Work:
        """Return replicates ``first ... stop - 1``."""
        rows = slice(0, 1) if self.fixed else slice(first, stop)
        return replace(
            self, theta=self.theta[rows], shares=self.shares[rows], scores=self.scores[rows], replicates=stop - first
        )


def fixed_work(model: CompiledModel, replicates: int, seed: int) -> Work:
    """Return replicates that all have the parameters at their medians (shares at their means), no shared effects."""
    theta = model.space.typical()[None, :]
    streams = model.streams(seed)
    shares, _ = model.at_risk_shares(theta)
    return Work(model, streams, make_slots(model), theta, shares, np.zeros((1, streams.shared.size)), replicates, True)


def varied_work(model: CompiledModel, replicates: int, seed: int) -> Work:
    """Return replicates with a parameter set and shared effects each, those of `simcore.expected(draws=...)`."""
    streams = model.streams(seed)
    ids = np.arange(replicates, dtype=np.uint32)
    theta = model.draw_theta(streams, ids)
    shares, _ = model.at_risk_shares(theta)
    scores = model.draw_scores(streams, ids, np.zeros_like(ids))
    return Work(model, streams, make_slots(model), theta, shares, scores, replicates, False)


def agents_of(counts: Counts, work: Work) -> int:
    """Return how many agents, bound victims, there were."""
    return int(counts.destination[..., work.model.source.bound].sum())


def attempts_of(counts: Counts) -> int:
    """Return how many attempts they made."""
    return int(counts.attempts.sum())
