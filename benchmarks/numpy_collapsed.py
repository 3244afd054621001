"""NumPy peer with the collapsed table: one 32-bit word per agent and attempt picks the attempt's fate.

The same lists of fates as simcore's collapsed walk (reading them is reading the scenario); thresholds, search and
counting are NumPy's. With one parameter set a word is looked up in a guide table, and the few cells that hold a
threshold are searched; with many, all rows are searched at once in one long sorted array. Only what is counted of a
fate matters after that: its points, as a bit mask, and its outcome. Pairs of these are counted by one `bincount`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.numpy_walk import (
    BATCHES,
    Columns,
    JourneyCounts,
    leg_table,
    reattempt_table,
    share_table,
    simulate_with,
)
from benchmarks.work import FloatArray, IntArray, Work
from simcore.engines.counts import Counts
from simcore.transit_zone.plan import REATTEMPT, TransitPlan

Search = Literal["guide", "search"]
Words = npt.NDArray[np.uint32]
GUIDE_BITS = 12
_SHIFT = np.uint32(32 - GUIDE_BITS)


class FateKinds:
    """Fates of a journey class by what is counted of them: a set of points, as a small number, and an outcome.

    Attributes
    ----------
    mask_of, kind_of : int64 [Z]
        Set of points, and kind (set and outcome), of every fate; 0 for fates of other classes.
    union : int64 [M, M]
        Number of the set that two sets make together.
    points : float64 [M, N]
        Whether a set holds a point.
    records : float64 [kinds, N + O]
        Points and outcome of a kind.
    """

    def __init__(self, plan: TransitPlan, journey: int) -> None:
        fates = np.concatenate(
            [
                np.arange(plan.start_first_fate[start], plan.start_first_fate[start + 1])
                for start in np.flatnonzero(plan.start_class == journey)
            ]
        )
        masks = {int(mask) for mask in plan.fate_visited[fates]}
        while more := {a | b for a in masks for b in masks} - masks:
            masks |= more
        ordered = sorted(masks)
        number = {mask: i for i, mask in enumerate(ordered)}
        self.mask_of = np.zeros(plan.fate_kind.size, dtype=np.int64)
        self.mask_of[fates] = [number[int(mask)] for mask in plan.fate_visited[fates]]
        self.union = np.array([[number[a | b] for b in ordered] for a in ordered], dtype=np.int64)
        self.points = np.array(
            [[mask >> point & 1 for point in range(plan.points)] for mask in ordered], dtype=np.float64
        )
        outcome = np.where(plan.fate_outcome >= 0, plan.fate_outcome, plan.outcomes)  # the last one: none yet
        both = self.mask_of * (plan.outcomes + 1) + outcome
        kinds = np.unique(both[fates])
        self.kind_of = np.searchsorted(kinds, both)
        self.kind_of[self.kind_of == kinds.size] = 0
        of_outcome = np.eye(plan.outcomes + 1)[kinds % (plan.outcomes + 1), :-1]
        self.records = np.concatenate([self.points[kinds // (plan.outcomes + 1)], of_outcome], axis=1)


def fate_masses(
    plan: TransitPlan, legs: FloatArray, shares: FloatArray, again: FloatArray, start: int, attempt: int
) -> FloatArray:
    """Return the probability of every fate of an attempt from a start, float64 [t, fates]."""
    rho = again[:, plan.class_reattempt[plan.start_class[start]], attempt]
    masses = []
    for route in range(plan.start_first_route[start], plan.start_first_route[start + 1]):
        steps = range(plan.route_first_step[route], plan.route_first_step[route + 1])
        alive = np.prod(shares[:, plan.step_share[steps.start : steps.stop]], axis=1)
        for step in steps:
            leg = legs[:, plan.step_profile[step], attempt]
            caught = alive * leg[:, 1]
            masses += [caught * (1.0 - rho), caught * rho]
            masses += [alive * leg[:, 1 + cause] for cause in range(1, plan.causes)]
            alive = alive * leg[:, 0]
        masses.append(alive)
    return np.stack(masses, axis=1)


class _Table:
    """Thresholds of one start and attempt, for one parameter set or many."""

    def __init__(self, masses: FloatArray, search: Search, *, stacked: bool) -> None:
        whole = np.float64(2**32)
        cumulative = np.minimum(np.floor(np.cumsum(masses, axis=1) * whole), whole).astype(np.uint64)
        for row, possible in zip(cumulative, masses > 0.0, strict=True):
            row[np.flatnonzero(possible)[-1] :] = 2**32  # the last possible fate takes what rounding leaves
        self.size = masses.shape[1]
        if stacked:
            rows = np.arange(masses.shape[0], dtype=np.uint64)[:, None] << np.uint64(32)
            self.stacked = (cumulative + rows).ravel()
            return
        self.thresholds = cumulative[0][cumulative[0] < 2**32].astype(np.uint32)
        self.guide = None
        if search == "guide":
            cells = np.arange(1 << GUIDE_BITS, dtype=np.uint32)
            lowest = np.searchsorted(self.thresholds, cells << _SHIFT, side="right")
            highest = np.searchsorted(self.thresholds, ((cells + np.uint32(1)) << _SHIFT) - np.uint32(1), side="right")
            self.guide = np.where(lowest == highest, lowest, -1)

    def fates(self, words: Words, row: IntArray | None) -> IntArray:
        """Return the fate of every word; ``row`` says whose parameters, None if there is one set."""
        if row is not None:
            keys = (row.astype(np.uint64) << np.uint64(32)) | words
            return np.searchsorted(self.stacked, keys, side="right") - row * self.size
        if self.guide is None:
            return np.searchsorted(self.thresholds, words, side="right")
        fates = self.guide.take((words >> _SHIFT).astype(np.intp), mode="wrap")
        open_ = np.flatnonzero(fates < 0)
        fates[open_] = np.searchsorted(self.thresholds, words.take(open_), side="right")
        return fates


Waiting = dict[int, list[tuple[IntArray, IntArray]]]  # start -> group and set of points of those who try again there


class CollapsedWalk:
    """The walk; what depends on the scenario or a fixed parameter set is kept from batch to batch, as simcore does."""

    def __init__(self, search: Search = "guide") -> None:
        self.search: Search = search
        self._kinds: dict[int, FateKinds] = {}
        self._tables: dict[tuple[int, int], _Table] = {}
        self._probabilities: tuple[FloatArray, FloatArray, FloatArray] | None = None

    def __call__(self, work: Work, columns: Columns, agents: IntArray, generator: np.random.Generator) -> JourneyCounts:
        """Walk ``agents`` (int64 [G]) of every group to the end, one journey class after the other."""
        plan = work.model.transit
        if not work.fixed:
            self._tables = {}
        if not work.fixed or self._probabilities is None:
            self._probabilities = leg_table(work), share_table(work), reattempt_table(work)
        shape = (work.replicates, columns.slot.size)
        sizes = (plan.points, plan.points, plan.outcomes, plan.attempt_cap)
        counts = JourneyCounts(*(np.zeros((*shape, size), dtype=np.int64) for size in sizes))
        for journey in range(plan.class_start.size):
            mine = np.flatnonzero(columns.journey == journey)
            made = self._walk_class(work, journey, agents.reshape(shape)[:, mine], generator)
            for target, values in zip(counts, made, strict=True):
                target[:, mine] = values.reshape(work.replicates, mine.size, -1)
        return JourneyCounts(*(array.reshape(agents.size, -1) for array in counts))

    def _fates(
        self, work: Work, start: int, attempt: int, group: IntArray, width: int, generator: np.random.Generator
    ) -> IntArray:
        """Draw the fate of an attempt of every agent; there are ``width`` groups in a replicate."""
        plan = work.model.transit
        if (start, attempt) not in self._tables:
            assert self._probabilities is not None
            masses = fate_masses(plan, *self._probabilities, start, attempt)
            self._tables[start, attempt] = _Table(masses, self.search, stacked=not work.fixed)
        words = generator.bit_generator.random_raw((group.size + 1) // 2).view(np.uint32)[: group.size]
        row = None if work.fixed else group // width
        return self._tables[start, attempt].fates(words, row) + plan.start_first_fate[start]

    def _walk_class(
        self, work: Work, journey: int, agents: IntArray, generator: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
        """Walk ``agents`` (int64 [replicates, columns]) of one class; return reached, visits, outcome and attempts."""
        plan = work.model.transit
        if journey not in self._kinds:
            self._kinds[journey] = FateKinds(plan, journey)
        kinds = self._kinds[journey]
        groups, width = agents.size, agents.shape[1]

        def tally(indices: list[IntArray], values: FloatArray) -> FloatArray:
            """Count pairs (group, kind), numbered group * kinds + kind, and add up what each kind stands for."""
            size = values.shape[0]
            number = np.bincount(np.concatenate(indices), minlength=groups * size)
            return number.reshape(groups, size).astype(np.float64) @ values

        attempts = np.zeros((groups, plan.attempt_cap), dtype=np.int64)
        attempts[:, 0] = agents.ravel()
        group = np.repeat(np.arange(groups), agents.ravel())
        fate = self._fates(work, int(plan.class_start[journey]), 0, group, width, generator)
        counts = tally([group * kinds.records.shape[0] + kinds.kind_of.take(fate)], kinds.records)
        reached = counts[:, : plan.points].copy()
        waiting: Waiting = defaultdict(list)
        _send_back(plan, fate, group, kinds.mask_of.take(fate), waiting)
        sets = kinds.points.shape[0]
        before = [group * sets + been for parts in waiting.values() for group, been in parts]
        later, final = [], []
        attempt = 1
        while waiting:
            following: Waiting = defaultdict(list)
            for start, parts in waiting.items():
                group, been = parts[0] if len(parts) == 1 else (np.concatenate(a) for a in zip(*parts, strict=True))
                attempts[:, attempt] += np.bincount(group, minlength=groups)
                fate = self._fates(work, start, attempt, group, width, generator)
                later.append(group * kinds.records.shape[0] + kinds.kind_of.take(fate))
                been = kinds.union[been, kinds.mask_of.take(fate)]
                done = np.flatnonzero(plan.fate_kind.take(fate) != REATTEMPT)
                final.append(group.take(done) * sets + been.take(done))
                _send_back(plan, fate, group, been, following)
            waiting = following
            attempt += 1
        if later:
            counts += tally(later, kinds.records)
            reached += tally(final, kinds.points) - tally(before, kinds.points)
        return reached, counts[:, : plan.points], counts[:, plan.points :], attempts


def _send_back(plan: TransitPlan, fate: IntArray, group: IntArray, been: IntArray, waiting: Waiting) -> None:
    """Put those who try again where they do."""
    again = np.flatnonzero(plan.fate_kind.take(fate) == REATTEMPT)
    if not again.size:
        return
    following = plan.fate_next.take(fate.take(again))
    starts = np.flatnonzero(np.bincount(following))
    for start in starts:
        chosen = again if starts.size == 1 else again[following == start]
        waiting[int(start)].append((group.take(chosen), been.take(chosen)))


class CollapsedPeer:
    """The contender; ``batch`` is about how many agents are walked at once."""

    def __init__(self, search: Search = "guide", batch: int = BATCHES[1]) -> None:
        self.walk = CollapsedWalk(search)
        self.batch = batch

    def __call__(self, work: Work, generator: np.random.Generator) -> Counts:
        """Simulate with NumPy, one table look-up per attempt."""
        return simulate_with(self.walk, work, generator, agents_at_once=self.batch)
