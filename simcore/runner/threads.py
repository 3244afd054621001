"""How many threads a run may use."""

from __future__ import annotations

import os

from simcore.errors import UserError

LARGEST_THREADS = 1024


def checked_threads(threads: int | None) -> int:
    """Return how many threads to use, one per available processor by default; UserError if there cannot be so many."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads is None:
        return available
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= LARGEST_THREADS:
        raise UserError(f"threads = {threads!r}: must be a whole number from 1 to {LARGEST_THREADS}")
    return threads
