"""Which theta, which chance: how the rows of a run map to ids (docs/model.md D4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simcore.engines.random import MAXIMUM_COUNTER
from simcore.errors import UserError

IdArray = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Design:
    """A nested loop of ``outer`` parameter sets times ``inner`` replicates of each; a single loop has ``inner`` = 1.

    Row r has ``theta_id = r // inner`` and ``replicate_id = r % inner``; the shared effects are drawn anew for each
    replicate, so ``shared_id = replicate_id``.
    """

    outer: int
    inner: int = 1

    @property
    def replicates(self) -> int:
        """Rows in all."""
        return self.outer * self.inner

    def theta_ids(self, first: int, stop: int) -> IdArray:
        """Return theta_id (uint32) of rows ``first ... stop - 1``."""
        return (np.arange(first, stop, dtype=np.int64) // self.inner).astype(np.uint32)

    def replicate_ids(self, first: int, stop: int) -> IdArray:
        """Return replicate_id (uint32) of rows ``first ... stop - 1``."""
        return (np.arange(first, stop, dtype=np.int64) % self.inner).astype(np.uint32)


def make_design(replicates: int | None, nested: tuple[int, int] | None) -> Design:
    """Return the design of a run; exactly one of the arguments is given.

    Raises
    ------
    UserError
        If a count is not a positive integer or passes the 32 bits of an id.
    """
    if (replicates is None) == (nested is None):
        raise UserError("give either the number of replicates or nested = OUTERxINNER, not both and not neither")
    named = {"replicates": replicates} if nested is None else {"nested outer": nested[0], "nested inner": nested[1]}
    for name, value in named.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise UserError(f"{name} = {value!r}: must be a whole number")
        if not 1 <= value <= MAXIMUM_COUNTER:
            raise UserError(f"{name} = {value}: must be between 1 and {MAXIMUM_COUNTER}")
    return Design(int(replicates)) if replicates is not None else Design(*(int(n) for n in nested or ()))
