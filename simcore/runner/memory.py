"""How much memory this process has taken."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_HIGH_WATER = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def peak_memory_bytes() -> int:
    """Return the largest resident size that this process had [bytes]; 0 where the system does not tell.

    Linux hands the peak in the resource usage down from the process that started this one (the larger of both is kept
    over ``exec``), so the high-water mark of this process's own memory comes first.
    """
    try:
        found = _HIGH_WATER.search(Path("/proc/self/status").read_text(encoding="ascii", errors="replace"))
        if found:
            return int(found[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # not a POSIX system
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
