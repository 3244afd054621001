"""What storing costs: the same run into a file and in memory, alternating, and what it writes per second."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

import numpy as np

import simcore
from benchmarks.simcore_engines import stored_run
from benchmarks.timing import Spread


class StoreResult(TypedDict):
    """Spreads hold median, low and high; ``overhead`` is wall time stored over wall time in memory, minus one."""

    replicates: int
    file_bytes: int
    counts_bytes: int
    stored_seconds: dict[str, float]
    memory_seconds: dict[str, float]
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


def time_store(
    folder: Path, *, replicates: int, rounds: int, seed: int, report: Callable[[str], None] = lambda _: None
) -> StoreResult:
    """Time phase1 on all cores into a temporary file in ``folder`` and in memory."""
    model = simcore.compile_model(simcore.load_scenario("phase1"))
    stored: list[float] = []
    memory: list[float] = []
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
            stored_run(model, replicates, seed, None).close()
            if turn > 0:
                stored.append(between - began)
                memory.append(time.perf_counter() - again)
    middle = Spread.of(stored).median
    return {
        "replicates": replicates,
        "file_bytes": size,
        "counts_bytes": raw,
        "stored_seconds": asdict(Spread.of(stored)),
        "memory_seconds": asdict(Spread.of(memory)),
        "overhead": asdict(Spread.of([a / b - 1.0 for a, b in zip(stored, memory, strict=True)])),
        "file_bytes_per_second": size / middle,
        "counts_bytes_per_second": raw / middle,
    }
