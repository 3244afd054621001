"""Start-up: how long it takes until there is help, until the package is imported, and until a first run is done.

Every call is a process of its own. *Cold* means an empty folder of compiled kernels, so everything is compiled.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

from benchmarks.processes import run_python
from benchmarks.timing import Spread

_REPLICATES = "8"


class StartUpResult(TypedDict):
    """Wall time of one command [s]: median, low and high of its calls."""

    what: str
    calls: int
    seconds: dict[str, float]


def _seconds(arguments: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    run_python(arguments, environment)
    return time.perf_counter() - began


def time_start_up(
    folder: Path, *, rounds: int, cold: bool, report: Callable[[str], None] = lambda _: None
) -> list[StartUpResult]:
    """Time the commands in processes of their own; the cold one, which takes half a minute, once and only if wanted."""
    samples: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as place:
        run = ["-m", "simcore.cli", "run", "phase1", "-n", _REPLICATES, "--seed", "1", "--quiet", "-o"]
        warm = {"python, nothing else": ["-c", "pass"], "import simcore": ["-c", "import simcore"]}
        warm["simcore --help"] = ["-m", "simcore.cli", "--help"]
        first = f"simcore run phase1 -n {_REPLICATES}, everything to be compiled"
        again = f"simcore run phase1 -n {_REPLICATES}, compiled before"
        if cold:
            report(first)
            environment = {"NUMBA_CACHE_DIR": str(Path(place) / "kernels")}
            samples[first] = [_seconds([*run, str(Path(place) / "cold.h5")], environment)]
        for turn in range(rounds + 1):
            report(f"round {turn} of {rounds}")
            commands = warm | {again: [*run, str(Path(place) / f"{turn}.h5")]}
            for what, arguments in commands.items():
                seconds = _seconds(arguments, {})
                if turn > 0:
                    samples.setdefault(what, []).append(seconds)
    return [
        {"what": what, "calls": len(seconds), "seconds": asdict(Spread.of(seconds))}
        for what, seconds in samples.items()
    ]
