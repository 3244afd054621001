"""Where the time of a replicate with its own parameters goes: `python -m benchmarks.profile_phases`.

Nothing inside the engine is instrumented; phases are told apart by what they are given:

* parameters, at-risk shares and shared effects are calls of their own;
* tables are what remains to be paid less often when every parameter set serves M replicates: t(1) - t(M), times
  M / (M - 1);
* source draws are what is left when nobody is bound for the border (the destination's share is put to zero);
* the walk is the rest.

Everything runs on one thread, in slices as a run's tasks do, and the median of several passes is reported.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

import simcore
from benchmarks.machine import describe, machine_line
from benchmarks.simcore_engines import simulate_sliced
from benchmarks.work import FloatArray
from simcore.model import CompiledModel

PER_THETA = 8  # M above
SEED = 20050101


def _nobody_bound(model: CompiledModel, theta: FloatArray) -> FloatArray:
    """Return parameters with which nobody is bound for the border."""
    changed = theta.copy()
    columns = model.source.destination[..., model.source.bound]
    changed[:, np.unique(columns[columns >= 0])] = 0.0
    return changed


def profile(model: CompiledModel, *, replicates: int, passes: int, seed: int) -> tuple[dict[str, float], float]:
    """Return the seconds per replicate of every phase, and agents per replicate.

    Parameters
    ----------
    model : CompiledModel
    replicates : int
        Parameter sets.
    passes : int
        Medians are over so many, after one that is not counted.
    seed : int
    """
    streams = model.streams(seed)
    ids = np.arange(replicates, dtype=np.uint32)
    theta = model.draw_theta(streams, ids)
    calls: dict[str, Callable[[], object]] = {
        "parameters": lambda: model.draw_theta(streams, ids),
        "at-risk shares": lambda: model.at_risk_shares(theta),
        "shared effects": lambda: model.draw_scores(streams, ids, np.zeros_like(ids)),
        "whole": simulate_sliced(model, seed, theta, 1),
        "several": simulate_sliced(model, seed, theta, PER_THETA),
        "once": simulate_sliced(model, seed, theta, 1),
        "source draws": simulate_sliced(model, seed, _nobody_bound(model, theta), 1),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(passes + 1):
        for name, call in calls.items():
            began = time.process_time()
            call()
            if turn > 0:
                seconds[name].append(time.process_time() - began)
    each = {name: median(values) / replicates for name, values in seconds.items()}
    whole = (each["whole"] + each["once"]) / 2.0
    shared = each["several"] / PER_THETA
    tables = max(whole - shared, 0.0) * PER_THETA / (PER_THETA - 1)
    phases = {name: each[name] for name in ("parameters", "at-risk shares", "shared effects")}
    phases["tables"] = tables
    phases["source draws"] = each["source draws"]
    phases["walk"] = whole - tables - each["source draws"]
    agents = int(simulate_sliced(model, seed, theta, 1)())
    return phases, agents / replicates


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile_phases", description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="phase1")
    parser.add_argument("--replicates", type=int, default=1024)
    parser.add_argument("--passes", type=int, default=9)
    chosen = parser.parse_args(arguments)
    print(machine_line(describe()))
    model = simcore.compile_model(simcore.load_scenario(chosen.scenario))
    phases, agents = profile(model, replicates=chosen.replicates, passes=chosen.passes, seed=SEED)
    whole = sum(phases.values())
    for name, seconds in phases.items():
        print(f"{name:16s} {1e6 * seconds:8.1f} microseconds  {100 * seconds / whole:5.1f} %")
    print(f"{'whole':16s} {1e6 * whole:8.1f} microseconds per replicate, one thread, {agents:,.0f} agents")
    return 0


if __name__ == "__main__":
    sys.exit(main())
