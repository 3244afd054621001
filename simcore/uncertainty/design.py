"""Which theta, which chance: how the rows of a run map to ids, and by which design parameter sets are spread.

A run is a loop of ``outer`` parameter sets times ``inner`` replicates of each (docs/model.md D4). The sets are
points of the unit cube, made by a *design* (docs/model.md D5; docs/designs.md):

random
    Independent uniforms. Any number of sets; adding sets leaves the others as they were.
sobol
    A scrambled Sobol' sequence: 2**m sets that fill the cube far more evenly (`simcore.uncertainty.sobol`).
lhs
    A Latin hypercube: every scalar takes each of n equally probable slices once
    (`simcore.uncertainty.latin_hypercube`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simcore.engines.random import MAXIMUM_COUNTER
from simcore.errors import UserError, nearest

IdArray = npt.NDArray[np.uint32]

RANDOM, SOBOL, LATIN_HYPERCUBE = "random", "sobol", "lhs"
DESIGNS = (RANDOM, SOBOL, LATIN_HYPERCUBE)
LARGEST_SOBOL = 2**31
"""Points of a Sobol' design: the largest power of two that an id of 32 bits can count."""
FEWEST_STRATA = 2
"""Parameter sets of a Latin hypercube; with one there is nothing to stratify."""


@dataclass(frozen=True)
class Design:
    """A nested loop of ``outer`` parameter sets times ``inner`` replicates of each; a single loop has ``inner`` = 1.

    Row r has ``theta_id = r // inner`` and ``replicate_id = r % inner``; the shared effects are drawn anew for each
    replicate, so ``shared_id = replicate_id``.

    Attributes
    ----------
    outer, inner : int
    kind : {"random", "sobol", "lhs"}
        How the parameter sets are spread over the unit cube. In a single loop the shared effects belong to the same
        points; in a nested one each replicate has addressed pseudo-random ones.
    randomisation : int
        Number of an independent randomisation of the same design; 0 for ``random``.
    """

    outer: int
    inner: int = 1
    kind: str = RANDOM
    randomisation: int = 0

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


RANDOM_DESIGN = Design(MAXIMUM_COUNTER)
"""Any number of independent parameter sets."""


def power_of_two_above(number: int) -> int:
    """Return the smallest power of two that is not below ``number`` (at least 1)."""
    return 1 << (number - 1).bit_length()


def check_design(kind: str, randomisation: int) -> None:
    """Refuse an unknown design, or a randomisation that it cannot have.

    Raises
    ------
    UserError
        Naming the argument, its value and what is possible.
    """
    if kind not in DESIGNS:
        raise UserError(f"design = {kind!r}: unknown{nearest(str(kind), DESIGNS)} (known: {', '.join(DESIGNS)})")
    if isinstance(randomisation, bool) or not isinstance(randomisation, int | np.integer):
        raise UserError(f"randomisation = {randomisation!r}: must be a whole number")
    if not 0 <= randomisation <= MAXIMUM_COUNTER:
        raise UserError(f"randomisation = {randomisation}: must be between 0 and {MAXIMUM_COUNTER}")
    if kind == RANDOM and randomisation != 0:
        raise UserError(
            f"randomisation = {randomisation}: the random design has only 0; other draws come from another seed"
        )


def make_design(
    replicates: int | None, nested: tuple[int, int] | None, kind: str = RANDOM, randomisation: int = 0
) -> Design:
    """Return the design of a run; exactly one of the first two arguments is given.

    Raises
    ------
    UserError
        If a count is not a positive integer, passes the 32 bits of an id or does not suit the design, or if the design
        or its randomisation is none.
    """
    if (replicates is None) == (nested is None):
        raise UserError("give either the number of replicates or nested = OUTERxINNER, not both and not neither")
    named = {"replicates": replicates} if nested is None else {"nested outer": nested[0], "nested inner": nested[1]}
    for name, value in named.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise UserError(f"{name} = {value!r}: must be a whole number")
        if not 1 <= value <= MAXIMUM_COUNTER:
            raise UserError(f"{name} = {value}: must be between 1 and {MAXIMUM_COUNTER}")
    check_design(kind, randomisation)
    outer, inner = (int(replicates), 1) if replicates is not None else (int(n) for n in nested or ())
    _check_size(next(iter(named)), outer, kind)
    return Design(outer, inner, kind, int(randomisation))


def _check_size(name: str, sets: int, kind: str) -> None:
    """Refuse a number of parameter sets that a design cannot have."""
    if kind == SOBOL:
        above = power_of_two_above(sets)
        if sets > LARGEST_SOBOL:
            raise UserError(f"{name} = {sets}: design 'sobol' has at most {LARGEST_SOBOL} parameter sets")
        if sets != above:
            raise UserError(
                f"{name} = {sets}: design 'sobol' needs a power of two; the nearest are {above // 2} and {above}"
            )
    if kind == LATIN_HYPERCUBE and sets < FEWEST_STRATA:
        raise UserError(f"{name} = {sets}: design 'lhs' needs at least {FEWEST_STRATA} parameter sets")
