"""What a results file says about how its run went, known only at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping

from simcore.runner.blocks import SliceReport
from simcore.runner.memory import peak_memory_bytes
from simcore.runner.stopping import Stopping
from simcore.store.description import Attribute
from simcore.store.provenance import utc_now


def end_attributes(
    kept: SliceReport,
    workers: int,
    seconds: float,
    before: Mapping[str, Attribute],
    stopping: Stopping | None,
) -> dict[str, Attribute]:
    """Return root attributes.

    Parameters
    ----------
    kept : SliceReport
        Sum over all blocks of the file.
    workers : int
        Threads.
    seconds : float
        Wall time of this process [s].
    before : mapping
        Root attributes of the file that was gone on from: its times are added. (Those of a process that was killed are
        lost, but for those kept with each block.)
    stopping : Stopping or None
    """

    def earlier(name: str) -> float:
        value = before.get(name, 0.0)
        return float(value) if isinstance(value, int | float) and 0 <= value < math.inf else 0.0

    return {
        "finished_utc": utc_now(),
        "wall_seconds": earlier("wall_seconds") + seconds,
        "agents_walked": kept.agents,
        "held_shares": kept.held_shares,
        "threads": workers,
        "peak_memory_bytes": max(int(earlier("peak_memory_bytes")), peak_memory_bytes()),
        "seconds_parameters": earlier("seconds_parameters") + kept.seconds_parameters,
        "seconds_replicates": earlier("seconds_replicates") + kept.seconds_replicates,
        "timed_parameter_sets": int(earlier("timed_parameter_sets")) + kept.timed_sets,
        "timed_replicates": int(earlier("timed_replicates")) + kept.timed_rows,
        **({} if stopping is None else stopping.outcome()),
    }
