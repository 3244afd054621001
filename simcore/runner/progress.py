"""How far a run is, handed to whoever wants to show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """State of a run after a piece of work.

    Attributes
    ----------
    replicates_done, replicates : int
        Finished and asked for.
    agents : int
        Bound victims walked so far.
    seconds : float
        Wall time since the first block started [s].
    standing : str
        How far the stopping rule is from being met, in words; empty if there is none.
    replicates_stored : int
        How many of the finished ones were there already and were not computed now.
    """

    replicates_done: int
    replicates: int
    agents: int
    seconds: float
    standing: str = ""
    replicates_stored: int = 0
