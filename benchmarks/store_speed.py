"""What storing costs: the same run into a file and computed for nothing, alternating, and what it writes per second.

*Stored* is a whole run, from compiling the scenario to the opened file with nothing left beside it.
*Computed* means that every count and parameter set is made, in the same slices by as many threads, and thrown away:
nothing is added up, hashed, compressed or written. Half of it is computed before the stored run and half after, so that
a machine that gets faster or slower meanwhile does so for both.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

import numpy as np

import simcore
from benchmarks.machine import describe, machine_line
from benchmarks.simcore_engines import stored_run
from benchmarks.timing import Spread
from simcore.runner.blocks import BLOCK_ROWS, Block, SliceReport, Work, new_block, simulate_slice, slices
from simcore.runner.request import RunRequest, prepare
from simcore.runner.threads import checked_threads
from simcore.uncertainty.design import Design

SEED = 20050101
WARM_UP = 16 * BLOCK_ROWS
"""Replicates of a run that is not timed: kernels are compiled and memory is taken in it."""


class StoreResult(TypedDict):
    """Spreads hold median, low and high; ``overhead`` is wall time stored over wall time computed, minus one."""

    replicates: int
    file_bytes: int
    counts_bytes: int
    stored_seconds: dict[str, float]
    computed_seconds: dict[str, float]
    overhead: dict[str, float]
    file_bytes_per_second: float
    counts_bytes_per_second: float


def _counts_bytes(results: simcore.Results) -> int:
    """Return the bytes of all counts of one replicate, as they are before compression."""
    layout = results.layout
    return sum(
        layout.slots(variable) * math.prod(layout.sizes(variable.trailing)) * np.dtype(variable.dtype).itemsize
        for variable in layout.variables
    )


def compute_alone(work: Work, threads: int, start: int, stop: int) -> float:
    """Compute the blocks of a range of rows and keep none; return the seconds.

    Two at a time, so that no thread waits for the end of one.
    """
    began = time.perf_counter()
    blocks: list[Block | None] = [None, None]
    under_way: list[list[Future[SliceReport]]] = [[], []]
    with ThreadPoolExecutor(threads) as pool:
        for number, first in enumerate(range(start, stop, BLOCK_ROWS)):
            tasks = under_way[number % 2]
            for task in tasks:
                task.result()
            block = blocks[number % 2] = new_block(work, first, keep_theta=True, used=blocks[number % 2])
            tasks[:] = [pool.submit(simulate_slice, work, block, *place) for place in slices(block, threads)]
        for task in itertools.chain(*under_way):
            task.result()
    return time.perf_counter() - began


def time_store(
    folder: Path, *, replicates: int, rounds: int, seed: int, report: Callable[[str], None] = lambda _: None
) -> StoreResult:
    """Time phase1 on all cores into a temporary file in ``folder`` and computed for nothing."""
    scenario = simcore.load_scenario("phase1")
    model = simcore.compile_model(scenario)
    work = prepare(RunRequest(scenario, Design(replicates), seed, "agent", "collapsed", None, False, True)).work
    threads = checked_threads(None)
    middle_row = min(replicates, -(-replicates // (2 * BLOCK_ROWS)) * BLOCK_ROWS)
    stored: list[float] = []
    computed: list[float] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as place:
        path = Path(place) / "results.h5"
        with stored_run(model, min(replicates, WARM_UP), seed, path):
            path.unlink()
        for turn in range(1, rounds + 1):
            report(f"round {turn} of {rounds}")
            seconds = compute_alone(work, threads, 0, middle_row)
            began = time.perf_counter()
            with stored_run(model, replicates, seed, path) as results:
                stored.append(time.perf_counter() - began)
                raw = _counts_bytes(results) * replicates
            size = path.stat().st_size
            path.unlink()
            computed.append(seconds + compute_alone(work, threads, middle_row, replicates))
    middle = Spread.of(stored).median
    return {
        "replicates": replicates,
        "file_bytes": size,
        "counts_bytes": raw,
        "stored_seconds": asdict(Spread.of(stored)),
        "computed_seconds": asdict(Spread.of(computed)),
        "overhead": asdict(Spread.of([a / b - 1.0 for a, b in zip(stored, computed, strict=True)])),
        "file_bytes_per_second": size / middle,
        "counts_bytes_per_second": raw / middle,
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store_speed", description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(), help="where the file is written, and removed again")
    chosen = parser.parse_args(arguments)
    print(machine_line(describe()))
    found = time_store(chosen.folder, replicates=chosen.replicates, rounds=chosen.rounds, seed=SEED, report=print)
    for name in ("stored_seconds", "computed_seconds", "overhead"):
        print(f"{name:17s} {found[name]['median']:8.3f}, {found[name]['low']:.3f} to {found[name]['high']:.3f}")
    print(f"{'file':17s} {found['file_bytes'] / 1e6:,.0f} MB, {found['file_bytes_per_second'] / 1e6:,.1f} MB/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
