"""In general words, what the numbers were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path


def processor_name() -> str:
    """Return the processor's own name for itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe() -> dict[str, str | int | float]:
    """Return processor, cores, versions, and how busy the machine is with other things."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    described: dict[str, str | int | float] = {
        "processor": processor_name(),
        "cores": cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    described.update({package: version(package) for package in ("numpy", "numba", "llvmlite")})
    if hasattr(os, "getloadavg"):
        described["load_average"] = round(os.getloadavg()[0], 2)
    return described
