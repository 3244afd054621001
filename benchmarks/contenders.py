"""Who takes part: every way to do the work, by name; to add one, add a line to `CONTENDERS`.

A contender is *made* anew for every case, so that what it keeps from call to call belongs to that case. It may have
*variants*, such as batch sizes: all are tried in every case, and the fastest is timed and named. One whose package or
compiler is *missing* is left out with a line that says so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchmarks import c_program
from benchmarks.c_program import CProgram
from benchmarks.numpy_cohort import BATCHES as COHORT_BATCHES
from benchmarks.numpy_cohort import CohortPeer
from benchmarks.numpy_collapsed import CollapsedPeer
from benchmarks.numpy_legs import LegPeer
from benchmarks.numpy_walk import BATCHES
from benchmarks.plain_python import simulate_plainly
from benchmarks.simcore_engines import AutomaticEngine, Engine
from benchmarks.work import Work
from simcore.engines.counts import Counts

Simulate = Callable[[Work, np.random.Generator], Counts]
Variants = Callable[[Work], Mapping[str, Simulate]]


def _none(_: Work) -> Mapping[str, Simulate]:
    return {}


def _present() -> str:
    return ""


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Attributes
    ----------
    label : str
        As tables and figures say it; ``{threads}`` is put in.
    kind : {"simcore", "peer"}
    make : callable
        threads -> a fresh contender.
    variants : callable
        work -> label and contender of each variant; empty if there is only one.
    missing : callable
        () -> why it cannot take part, empty if it can.
    wall : bool
        It has several threads: timed by the clock on the wall, not by processor time.
    """

    label: str
    kind: Literal["simcore", "peer"]
    make: Callable[[int], Simulate]
    variants: Variants = field(default=_none)
    missing: Callable[[], str] = field(default=_present)
    wall: bool = False


def _collapsed_variants(work: Work) -> Mapping[str, Simulate]:
    if work.fixed:
        guided = {f"guide table, {batch:,} agents at once": CollapsedPeer("guide", batch) for batch in BATCHES}
        searched = {f"searchsorted, {batch:,} agents at once": CollapsedPeer("search", batch) for batch in BATCHES}
        return guided | searched
    # One sorted array over all parameter sets; a guide for each would cost more than it saves.
    return {f"searchsorted, {batch:,} agents at once": CollapsedPeer("guide", batch) for batch in BATCHES}


def _leg_variants(_: Work) -> dict[str, Simulate]:
    return {f"{batch:,} agents at once": LegPeer(batch) for batch in BATCHES}


def _cohort_variants(_: Work) -> dict[str, Simulate]:
    return {
        f"{draws} draws, {batch:,} replicates at once": CohortPeer(draws, batch)
        for draws in ("joint", "staged")
        for batch in COHORT_BATCHES
    }


def _c_variants(_: Work) -> dict[str, Simulate]:
    return {f"guide of {bits} bits": CProgram(bits) for bits in c_program.GUIDE_BITS}


def _no_compiler() -> str:
    try:
        c_program.library()
    except c_program.NoCompiler as reason:
        return str(reason)
    return ""


def _no_package(name: str) -> Callable[[], str]:
    def missing() -> str:
        if importlib.util.find_spec(name) is None:
            return f"package {name} is not installed (pip install 'simcore[bench]')"
        return ""

    return missing


def _mesa(_: int) -> Simulate:
    from benchmarks.mesa_agents import simulate_with_mesa

    return simulate_with_mesa


def _starsim(_: int) -> Simulate:
    from benchmarks.starsim_agents import simulate_with_starsim

    return simulate_with_starsim


AGENT, AGENT_THREADS, COHORT, COHORT_THREADS = "agent", "agent threads", "cohort", "cohort threads"
AUTOMATIC = "auto"

CONTENDERS: dict[str, Contender] = {
    AGENT: Contender("simcore agent engine, 1 thread", "simcore", lambda _: Engine("collapsed")),
    COHORT: Contender("simcore cohort engine, 1 thread", "simcore", lambda _: Engine("cohort")),
    AUTOMATIC: Contender("simcore, engine of its choice, 1 thread", "simcore", lambda _: AutomaticEngine()),
    AGENT_THREADS: Contender(
        "simcore agent engine, {threads} threads", "simcore", lambda threads: Engine("collapsed", threads), wall=True
    ),
    COHORT_THREADS: Contender(
        "simcore cohort engine, {threads} threads", "simcore", lambda threads: Engine("cohort", threads), wall=True
    ),
    "agent legs": Contender("simcore agent engine, leg by leg", "simcore", lambda _: Engine("leg-by-leg")),
    "numpy collapsed": Contender(
        "NumPy, the same collapsed table", "peer", lambda _: CollapsedPeer(), _collapsed_variants
    ),
    "numpy legs": Contender("NumPy, leg by leg", "peer", lambda _: LegPeer(), _leg_variants),
    "numpy cohort": Contender("NumPy, counts by multinomial", "peer", lambda _: CohortPeer(), _cohort_variants),
    "c collapsed": Contender(
        "C, the same collapsed table", "peer", lambda _: CProgram(10), _c_variants, missing=_no_compiler
    ),
    "c legs": Contender("C, leg by leg", "peer", lambda _: CProgram(), missing=_no_compiler),
    "starsim": Contender("Starsim", "peer", _starsim, missing=_no_package("starsim")),
    "plain python": Contender("plain Python, leg by leg", "peer", lambda _: simulate_plainly),
    "mesa": Contender("Mesa agents", "peer", _mesa, missing=_no_package("mesa")),
}


def left_out() -> dict[str, str]:
    """Return who cannot take part here, and why."""
    return {name: why for name, contender in CONTENDERS.items() if (why := contender.missing())}
