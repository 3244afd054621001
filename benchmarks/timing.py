"""Alternating timing: every contender once per round, in a rotating order, and a rate from every call.

Time is that of this process on a processor, so other programs on the machine do not count; on an idle machine it is the
wall time of one thread. Wall time is kept as well, and is what counts for whatever has several threads, and for
comparisons with it.
The call before the first round (compilation, caches) is not timed.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Samples:
    """Timed calls of one contender.

    Attributes
    ----------
    replicates, agents, attempts : int
        Of one call.
    processor_seconds, wall_seconds : list of float
        Of every call [s].
    """

    replicates: int
    agents: int
    attempts: int
    processor_seconds: list[float] = field(default_factory=list)
    wall_seconds: list[float] = field(default_factory=list)

    def rates(self, number: int, *, wall: bool = False) -> list[float]:
        """Return ``number`` per second of every call."""
        return [number / seconds for seconds in (self.wall_seconds if wall else self.processor_seconds)]


@dataclass(frozen=True)
class Spread:
    """Median and range of a sample."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of some values."""
        return cls(median(values), min(values), max(values))


def alternate(
    calls: Mapping[str, Callable[[], object]],
    samples: Mapping[str, Samples],
    rounds: int,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Time every call once per round, and start each round with another one; ``report`` is told which round it is."""
    names = list(calls)
    for turn in range(rounds):
        report(f"round {turn + 1} of {rounds}")
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()  # nobody pays for the garbage of the one before
            processor, wall = time.process_time(), time.perf_counter()
            calls[name]()
            samples[name].wall_seconds.append(time.perf_counter() - wall)
            samples[name].processor_seconds.append(time.process_time() - processor)


def ratios(base: Samples, other: Samples, *, wall: bool = False) -> list[float]:
    """Return, round by round, how many times faster (per agent) ``base`` is than ``other``."""
    pairs = (base.wall_seconds, other.wall_seconds) if wall else (base.processor_seconds, other.processor_seconds)
    return [(slow / other.agents) / (fast / base.agents) for fast, slow in zip(*pairs, strict=True)]
