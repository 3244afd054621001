"""Mesa peer: every bound victim is an agent of a Mesa model, and a step of the model is a leg for each of them.

Written as Mesa's own examples are: agents hold their state, `AgentSet.do` steps those who are left, and who has reached
an outcome is removed. A model is one replicate; counts of the source zone come from NumPy, as for plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mesa
import numpy as np

from benchmarks.plain_python import Journey, Tallies, simulate_by_replicate
from benchmarks.work import Work
from simcore.engines.counts import Counts


class Victim(mesa.Agent):  # type: ignore[misc]
    """Somebody on the way to the border."""

    def __init__(self, model: Transit, journey: Journey, tallies: Tallies) -> None:
        super().__init__(model)
        self.journey = journey
        self.tallies = tallies
        self.point, self.attempt = journey.entry, 0
        self.been: set[int] = set()
        tallies.attempts[0] += 1

    def step(self) -> None:
        """Be counted at the point, then take a leg."""
        journey, tallies = self.journey, self.tallies
        tallies.visits[self.point] += 1
        self.been.add(self.point)
        moved = journey.leave(self.model.draw, self.point, self.attempt, tallies)
        if moved is None:
            for point in self.been:
                tallies.reached[point] += 1
            self.remove()
        else:
            self.point, self.attempt = moved


class Transit(mesa.Model):  # type: ignore[misc]
    """The bound victims of one replicate."""

    def __init__(self, seed: int) -> None:
        super().__init__(rng=seed)
        self.draw: Callable[[], float] = self.random.random

    def step(self) -> None:
        """Move everybody by a leg."""
        self.agents.do("step")


def simulate_with_mesa(work: Work, generator: np.random.Generator) -> Counts:
    """Simulate replicate by replicate, a model each."""

    def walk(strata: list[tuple[Journey, int, Tallies]]) -> None:
        model: Any = Transit(int(generator.integers(2**31)))
        for journey, agents, tallies in strata:
            if agents:
                Victim.create_agents(model, agents, journey, tallies)
        while len(model.agents):
            model.step()

    return simulate_by_replicate(work, generator, walk)
