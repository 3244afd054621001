"""What storing costs: the same run into a file and computed for nothing, alternating, and what it writes per second.

*Computed* means that every count and parameter set is made, in the same slices by as many threads, and thrown away:
nothing is added up, hashed, compressed or written.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

import numpy as np

import simcore
from benchmarks.simcore_engines import stored_run
from benchmarks.timing import Spread
from simcore.runner.blocks import BLOCK_ROWS, SliceReport, Work, new_block, simulate_slice, slices
from simcore.runner.request import RunRequest, prepare
from simcore.runner.threads import checked_threads
from simcore.uncertainty.design import Design


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


def compute_alone(work: Work, threads: int) -> None:
    """Compute every block of a run and keep none: two at a time, so that no thread waits for the end of one."""
    blocks = [new_block(work, 0, keep_theta=True) for _ in range(2)]
    under_way: list[list[Future[SliceReport]]] = [[], []]
    with ThreadPoolExecutor(threads) as pool:
        for number, first in enumerate(range(0, work.design.replicates, BLOCK_ROWS)):
            tasks = under_way[number % 2]
            for task in tasks:
                task.result()
            block = blocks[number % 2] = new_block(work, first, keep_theta=True, used=blocks[number % 2])
            tasks[:] = [pool.submit(simulate_slice, work, block, *place) for place in slices(block, threads)]
        for task in itertools.chain(*under_way):
            task.result()


def time_store(
    folder: Path, *, replicates: int, rounds: int, seed: int, report: Callable[[str], None] = lambda _: None
) -> StoreResult:
    """Time phase1 on all cores into a temporary file in ``folder`` and computed for nothing."""
    scenario = simcore.load_scenario("phase1")
    model = simcore.compile_model(scenario)
    work = prepare(RunRequest(scenario, Design(replicates), seed, "agent", "collapsed", None, False, True)).work
    threads = checked_threads(None)
    stored: list[float] = []
    computed: list[float] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as place:
        for turn in range(rounds + 1):
            report(f"round {turn} of {rounds}")
            path = Path(place) / f"{turn}.h5"
            began = time.perf_counter()
            with stored_run(model, replicates, seed, path) as results:
                between = time.perf_counter()
                raw = _counts_bytes(results) * replicates
            size = path.stat().st_size
            path.unlink()
            again = time.perf_counter()
            compute_alone(work, threads)
            if turn > 0:
                stored.append(between - began)
                computed.append(time.perf_counter() - again)
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
