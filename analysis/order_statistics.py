"""Exact order statistics of a long column, read in blocks and in bounded memory.

The column passes by several times, one sorted block after the other. Around each wanted rank a bracket (two edges
with exact counts of the values below them) is narrowed until its values fit in memory:

1. edges are taken from a small sample of the column, dense near the wanted probabilities;
2. one pass counts the values below and up to every edge;
3. the next pass gathers the values inside the brackets of the wanted ranks; a bracket that holds too many gives a
   systematic sample instead, which becomes new edges, and so on.

Two passes do for all but extreme columns. One does if the sample is used a second time: values in *windows* around the
sample's own quantiles are gathered in the first pass already, and the wanted ranks nearly always lie there. Memory
without windows does not depend on the length, ties cost nothing, and the result is an element of the column, never an
approximation. The idea is selection in few passes of Munro and Paterson (1980),
Selection and sorting with limited storage, Theoretical Computer Science 12, 315-323.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

GATHERED = 65_536
"""Values of a bracket, or of a whole column, that are kept in memory at once."""

_SAMPLED = 4096  # size of the systematic sample of a bracket that holds more
_WINDOW = 4.0  # half width of a window, in standard deviations of the sample's rank
_GOLDEN = 0.6180339887498949  # its multiples, modulo 1, fill the unit interval evenly
_SPREAD = np.linspace(-6.0, 6.0, 49)  # edges around a probability, in standard deviations of the sample's rank
_COARSE = np.linspace(0.0, 1.0, 33)  # edges everywhere else


@dataclass
class _Bracket:
    """Values strictly between two edges; ``first_rank`` is the rank (from 0) of the smallest, -1 if not known yet."""

    lower: float
    upper: float
    first_rank: int
    stride: int
    pieces: list[NDArray[np.float64]] = field(default_factory=list)

    def take(self, ordered: NDArray[np.float64]) -> None:
        """Keep the values of a block, or one in ``stride`` of them, evenly over their ranks and at least one."""
        if self.stride == 1:
            self.pieces.append(ordered.copy())  # a copy, or the piece would keep the whole block alive
            return
        size = max(1, len(ordered) // self.stride)
        # Blocks start at different places, or short ones would always give their smallest value.
        start = len(self.pieces) * _GOLDEN % 1.0
        self.pieces.append(ordered[((np.arange(size) + start) / size * len(ordered)).astype(np.int64)])


class OrderStatistics:
    """Order statistics of one column.

    Use: for each pass, `add` every sorted block, then `end_pass`; `want` ranks when the first pass is over; go on
    while `busy`; then ask for `value`.

    Parameters
    ----------
    longest : int
        Upper bound of the number of values.
    edges : float64 array
        First edges, from `pilot_edges`; not used if the whole column is short enough to be kept.
    windows : list of (float, float)
        From `pilot_windows`: values strictly between these two are gathered in the first pass.
    """

    def __init__(self, longest: int, edges: NDArray[np.float64], windows: Sequence[tuple[float, float]] = ()) -> None:
        self.count = 0
        """Values in the column; known after the first pass."""
        self._first_pass = True
        self._wanted: set[int] = set()
        nothing = np.zeros(0, dtype=np.int64)
        self._edges, self._below, self._up_to = np.zeros(0), nothing, nothing
        self._brackets: list[_Bracket] = []
        self._set_pending(np.zeros(0))
        if longest <= GATHERED:
            self._brackets = [_Bracket(-np.inf, np.inf, 0, 1)]
        else:
            ends = [end for window in windows for end in window if np.isfinite(end)]
            self._set_pending(np.unique(np.concatenate([edges, ends])))
            self._brackets = [_Bracket(lower, upper, -1, 1) for lower, upper in windows]

    @property
    def busy(self) -> bool:
        """Whether another pass is needed."""
        return self._first_pass or bool(self._brackets) or bool(self._pending.size)

    def add(self, ordered: NDArray[np.float64]) -> None:
        """Take in a block of the column: sorted, without NaN."""
        if self._first_pass:
            self.count += len(ordered)
        if self._pending.size:
            self._pending_below += np.searchsorted(ordered, self._pending, side="left")
            self._pending_up_to += np.searchsorted(ordered, self._pending, side="right")
        if self._brackets:
            starts = np.searchsorted(ordered, [bracket.lower for bracket in self._brackets], side="right").tolist()
            ends = np.searchsorted(ordered, [bracket.upper for bracket in self._brackets], side="left").tolist()
            for bracket, start, end in zip(self._brackets, starts, ends, strict=True):
                if end > start:
                    bracket.take(ordered[start:end])

    def end_pass(self) -> None:
        """Put to use what the pass has brought."""
        self._first_pass = False
        self._learn(self._pending, self._pending_below, self._pending_up_to)
        samples = [np.zeros(0)]
        for bracket in self._brackets:
            values, counts = np.unique(np.concatenate([np.zeros(0), *bracket.pieces]), return_counts=True)
            if bracket.stride > 1:
                samples.append(values)
            else:
                first_rank = bracket.first_rank if bracket.first_rank >= 0 else self._count_up_to(bracket.lower)
                up_to = first_rank + np.cumsum(counts)
                self._learn(values, up_to - counts, up_to)
        self._set_pending(np.unique(np.concatenate(samples)))
        self._brackets = []
        self._open_brackets()

    def want(self, ranks: Iterable[int]) -> None:
        """Ask for the values of ranks (from 0, below `count`)."""
        self._wanted.update(ranks)
        self._open_brackets()

    def value(self, rank: int) -> float:
        """Value of a rank that was wanted, when no longer `busy`."""
        return float(self._edges[self._place(rank)])

    def ranks_of(self, rank: int) -> tuple[int, int]:
        """Return how many values lie below, and how many up to, the value of a rank that was wanted."""
        place = self._place(rank)
        return int(self._below[place]), int(self._up_to[place])

    # ------------------------------------------------------------------------------------------------------------

    def _place(self, rank: int) -> int:
        place = int(np.searchsorted(self._up_to, rank, side="right"))
        if place == len(self._edges) or self._below[place] > rank:
            raise ValueError(f"rank {rank} was not wanted, or passes are left")
        return place

    def _count_up_to(self, edge: float) -> int:
        """Return the number of values up to an edge that has been counted."""
        place = int(np.searchsorted(self._edges, edge, side="right"))
        return int(self._up_to[place - 1]) if place else 0

    def _set_pending(self, edges: NDArray[np.float64]) -> None:
        self._pending = edges
        self._pending_below = np.zeros(len(edges), dtype=np.int64)
        self._pending_up_to = np.zeros(len(edges), dtype=np.int64)

    def _learn(self, edges: NDArray[np.float64], below: NDArray[np.int64], up_to: NDArray[np.int64]) -> None:
        if not len(edges):
            return
        there = up_to > below
        self._edges, first = np.unique(np.concatenate([self._edges, edges[there]]), return_index=True)
        self._below = np.concatenate([self._below, below[there]])[first]
        self._up_to = np.concatenate([self._up_to, up_to[there]])[first]

    def _open_brackets(self) -> None:
        """Bracket the wanted ranks whose values are not known; wait if new edges are about to be counted."""
        if self._pending.size:
            return
        known = {bracket.first_rank for bracket in self._brackets}
        for rank in sorted(self._wanted):
            place = int(np.searchsorted(self._up_to, rank, side="right"))
            if place < len(self._edges) and self._below[place] <= rank:
                continue
            first_rank = int(self._up_to[place - 1]) if place else 0
            if first_rank in known:
                continue
            known.add(first_rank)
            lower = float(self._edges[place - 1]) if place else -np.inf
            upper = float(self._edges[place]) if place < len(self._edges) else np.inf
            held = (int(self._below[place]) if place < len(self._edges) else self.count) - first_rank
            self._brackets.append(_Bracket(lower, upper, first_rank, 1 if held <= GATHERED else -(-held // _SAMPLED)))


def pilot_edges(ordered: NDArray[np.float64], probabilities: Sequence[float]) -> NDArray[np.float64]:
    """Return edges for `OrderStatistics` from a sorted sample of the column (empty sample: no edges)."""
    size = len(ordered)
    if size == 0:
        return np.zeros(0)
    near = [p + _SPREAD * np.sqrt(p * (1.0 - p) / size) for p in probabilities]
    places = np.clip(np.concatenate([_COARSE, *near]), 0.0, 1.0) * (size - 1)
    return np.unique(ordered[np.rint(places).astype(np.int64)])


def pilot_windows(ordered: NDArray[np.float64], probabilities: Sequence[float]) -> list[tuple[float, float]]:
    """Return disjoint windows for `OrderStatistics` from a sorted sample of the column."""
    size = len(ordered)
    windows: list[tuple[float, float]] = []
    for p in sorted(probabilities) if size else ():
        reach = _WINDOW * np.sqrt(p * (1.0 - p) / size)
        first, last = int((p - reach) * size), int((p + reach) * size) + 1
        lower = float(ordered[first]) if first > 0 else -np.inf
        upper = float(ordered[last]) if last < size - 1 else np.inf
        if windows and lower <= windows[-1][1]:
            lower, upper = windows[-1][0], max(windows.pop()[1], upper)
        windows.append((lower, upper))
    return windows


def window_share(size: int, probabilities: Sequence[float]) -> float:
    """Return about which share of the column lies in the windows from a sample of ``size`` values."""
    return sum(2.0 * _WINDOW * float(np.sqrt(p * (1.0 - p) / size)) for p in probabilities)
