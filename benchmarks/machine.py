"""In general words, what the numbers were measured on: processor, versions, memory bandwidth, disk."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

Machine = dict[str, str | int | float]

_PACKAGES = ("numpy", "numba", "llvmlite", "mesa", "starsim")
_COPIES = 3
MEMORY_BYTES = 256 << 20  # copied; far more than any cache holds
DISK_BYTES = 128 << 20
_PIECE = 4 << 20  # bytes


def processor_name() -> str:
    """Return the processor's own name for itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bandwidth(size: int) -> float:
    """Return bytes read and written per second by one thread that copies ``size`` bytes, the best of some copies."""
    source, target = np.ones(size // 8), np.zeros(size // 8)
    best = np.inf
    for _ in range(_COPIES):
        began = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - began)
    return float(2 * size / best)


def disk_write_speed(folder: Path, size: int) -> float:
    """Return bytes per second of writing a new file of ``size`` bytes in ``folder``, fsync included; it is removed."""
    piece = np.random.Generator(np.random.SFC64(0)).bytes(_PIECE)  # what does not compress
    with tempfile.TemporaryFile(dir=folder) as file:
        began = time.perf_counter()
        for _ in range(max(size // _PIECE, 1)):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        return max(size // _PIECE, 1) * _PIECE / (time.perf_counter() - began)


def describe() -> Machine:
    """Return processor, cores, versions, and how busy the machine is with other things."""
    described: Machine = {
        "processor": processor_name(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            described[package] = version(package)
        except PackageNotFoundError:
            continue
    if hasattr(os, "getloadavg"):
        described["load_average"] = round(os.getloadavg()[0], 2)
    return described


def measure(folder: Path) -> Machine:
    """Return the description with memory bandwidth and the disk's write speed in ``folder`` [bytes/s]."""
    return describe() | {
        "memory_bytes_per_second": round(memory_bandwidth(MEMORY_BYTES)),
        "disk_write_bytes_per_second": round(disk_write_speed(folder, DISK_BYTES)),
    }


def machine_line(machine: Machine) -> str:
    """Return the machine in one line."""
    words = [f"{machine['processor']}, {machine['cores']} cores"]
    words += [
        f"{key} {machine[key]}" for key in ("system", "python", "numpy", "numba", "load_average") if key in machine
    ]
    speeds = (("memory_bytes_per_second", "memory"), ("disk_write_bytes_per_second", "disk writes"))
    words += [f"{word} {float(machine[key]) / 1e9:.2g} GB/s" for key, word in speeds if key in machine]
    return ", ".join(words)
