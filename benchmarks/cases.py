"""What is run: cases (a scenario, how parameters vary) and their contenders, with fixed sizes.

Sizes are such that a call of any contender takes some tenths of a second; rates, not times, are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.agent_engine import simulate_agents
from benchmarks.numpy_collapsed import CollapsedPeer
from benchmarks.numpy_legs import LegPeer
from benchmarks.plain_python import simulate_plainly
from benchmarks.work import Work, fixed_work, varied_work
from simcore.engines.counts import Counts
from simcore.model import CompiledModel

Contender = Callable[[Work, np.random.Generator], Counts]

SIMCORE = "simcore"
NAMES = {
    SIMCORE: "simcore agent engine, collapsed walk, 1 thread",
    "simcore legs": "simcore agent engine, leg by leg, 1 thread",
    "numpy collapsed": "NumPy, the same collapsed table",
    "numpy legs": "NumPy, leg by leg",
    "plain python": "plain Python, leg by leg",
}


@dataclass(frozen=True)
class Share:
    """What one contender does in a timed call: the first ``replicates`` of the case, ``repeats`` times over."""

    replicates: int
    repeats: int


@dataclass(frozen=True)
class Case:
    """A scenario, how its parameters vary over replicates, and what each contender does in a timed call.

    All contenders simulate the same replicates. Fast ones do so several times in a call; plain Python gets a slice, the
    first few of them.

    Attributes
    ----------
    name, title : str
    scenario : str or path
        As `simcore.load_scenario` takes it.
    settings : tuple of str
    varied : bool
        A parameter set per replicate instead of the median one for all.
    shares : dict
        Contender -> replicates and repeats.
    checked : dict
        Contender -> replicates of the comparison with the exact moments; "" is the default.
    whole_run : int
        Replicates of a whole `simcore.run` per timed call, 0 for none.
    """

    name: str
    title: str
    scenario: str | Path
    settings: tuple[str, ...]
    varied: bool
    shares: dict[str, Share]
    checked: dict[str, int]
    whole_run: int = 0

    def work(self, model: CompiledModel, replicates: int, seed: int) -> Work:
        """Return so many replicates of the case."""
        return (varied_work if self.varied else fixed_work)(model, replicates, seed)

    def scaled(self, divisor: int) -> Case:
        """Return the case with smaller calls, for a quick look."""
        shares = {
            name: Share(max(share.replicates // divisor, 1), share.repeats) for name, share in self.shares.items()
        }
        return replace(self, shares=shares, whole_run=self.whole_run // divisor)


def contenders() -> dict[str, Contender]:
    """Return fresh contenders by name, simcore first."""
    return {
        SIMCORE: lambda work, _: simulate_agents(work),
        "simcore legs": lambda work, _: simulate_agents(work, "leg-by-leg"),
        "numpy collapsed": CollapsedPeer(),
        "numpy legs": LegPeer(),
        "plain python": simulate_plainly,
    }


def make_shares(replicates: int, *, repeats: tuple[int, int, int, int], part: int) -> dict[str, Share]:
    """Return the shares of all contenders; plain Python, the last one, gets ``part`` of the replicates."""
    shares = [Share(replicates, number) for number in repeats]
    return dict(zip(NAMES, [*shares, Share(part, 1)], strict=True))


CASES = (
    Case(
        name="fixed",
        title="phase1, parameters at their medians",
        scenario="phase1",
        settings=(),
        varied=False,
        shares=make_shares(1024, repeats=(4, 1, 2, 1), part=64),
        checked={"": 512, "plain python": 16},
    ),
    Case(
        name="varied",
        title="phase1, one parameter set per replicate",
        scenario="phase1",
        settings=(),
        varied=True,
        shares=make_shares(256, repeats=(8, 1, 1, 1), part=16),
        checked={"": 256, "plain python": 8},
        whole_run=8192,
    ),
    Case(
        name="large",
        title="phase1, population times 100, parameters at their medians",
        scenario="phase1",
        settings=("parameters.population_factor.distribution.median = 100",),
        varied=False,
        shares=make_shares(16, repeats=(16, 1, 3, 1), part=1),
        checked={"": 16, "plain python": 1},
    ),
)
