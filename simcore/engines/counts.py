"""The arrays that an engine fills: one block of replicates of every stored count."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CountArray = npt.NDArray[np.int32] | npt.NDArray[np.int64]


class Counts(NamedTuple):
    """Counts by [slot, row, ...]; a slot is a stored combination of strata, a row a replicate of the block.

    ``persons`` and ``at_risk`` have the slots of person cells (no exploitation), the others those of strata.
    """

    persons: CountArray  # [slot, row]
    at_risk: CountArray  # [slot, row, risk class - 1]
    victims: CountArray  # [slot, row]
    destination: CountArray  # [slot, row, D]
    reached: CountArray  # [slot, row, N] persons ever at a point
    visits: CountArray  # [slot, row, N] entries to a point
    outcome: CountArray  # [slot, row, O]
    attempts: CountArray  # [slot, row, K] persons making attempt k
    ended: CountArray  # [slot, row, L, C] events that ended an attempt; no slots when it is not asked for
