"""Whether memory is bounded: ``python -m tests.verification.peak_memory`` (minutes).

Runs phase1 into a file with few and with many replicates, each in a process of its own, and compares the largest
resident sizes that the two files report. The exit code is 1 if the larger run took over a tenth more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import simcore

LARGEST_RATIO = 1.1


def peak_memory(replicates: int, threads: int, folder: Path) -> int:
    """Return the largest resident size [bytes] of a process that runs phase1 and stores it in ``folder``."""
    output = folder / f"{replicates}.h5"
    command = [sys.executable, "-m", "simcore.cli", "run", "phase1", "-s", "1", "-q"]
    subprocess.run([*command, "-n", str(replicates), "-j", str(threads), "-o", str(output)], check=True)
    with simcore.open_results(output) as results:
        peak = int(results.attributes["peak_memory_bytes"])
    output.unlink()
    return peak


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10_000, help="replicates of the small run")
    parser.add_argument("--many", type=int, default=1_000_000, help="replicates of the large run")
    parser.add_argument("--threads", type=int, default=2)
    wish = parser.parse_args(arguments)
    subprocess.run([sys.executable, "-m", "simcore.cli", "warmup"], check=True)  # compiling would be the peak
    with tempfile.TemporaryDirectory(dir=".") as folder:
        small, large = (peak_memory(number, wish.threads, Path(folder)) for number in (wish.few, wish.many))
    sys.stdout.write(f"{small / 2**20:.0f} MiB for {wish.few:,} replicates, {large / 2**20:.0f} for {wish.many:,}\n")
    return 0 if large <= LARGEST_RATIO * small else 1


if __name__ == "__main__":
    sys.exit(main())
