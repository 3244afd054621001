"""What an at-risk model is to the engine: a function from theta to marginal at-risk shares (docs/model.md A3).

A model is a class with a ``name``, a pydantic ``Block`` that declares its part of the scenario file, ``references``
(what it draws on, for the checks) and ``compile``, which asks the parameter space for columns and returns an
`AtRiskShares`. Models are found by name through the entry-point group ``simcore.at_risk_models``, so anyone can add
one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.source_zone.plan import FloatArray, IntArray

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.uncertainty import ParameterSpace


class CompilingModel(Protocol):
    """The part of an at-risk model that the engine calls."""

    @staticmethod
    def compile(
        scenario: Scenario, block: Any, space: ParameterSpace, cells: Sequence[Mapping[str, str]]
    ) -> AtRiskShares:
        """Ask ``space`` for columns and return the function from theta to shares; ``cells`` are in cell order."""
        ...


AtRiskShares = Callable[[FloatArray], FloatArray]
"""theta, float64 [n, P] -> marginal shares, float64 [n, C, R]; must be pure and safe in several threads."""


@kernel
def products_of_columns(theta: FloatArray, starts: IntArray, columns: IntArray, products: FloatArray) -> None:
    """Fill ``products`` (float64 [n, T]): product of ``columns[starts[t]:starts[t + 1]]`` of theta; 0 if empty."""
    for row in range(theta.shape[0]):
        for target in range(products.shape[1]):
            first, stop = starts[target], starts[target + 1]
            product = theta[row, columns[first]] if stop > first else 0.0
            for i in range(first + 1, stop):
                product *= theta[row, columns[i]]
            products[row, target] = product


@kernel
def clamp_shares(shares: FloatArray, active: npt.NDArray[np.bool_]) -> IntArray:
    """Hold shares (float64 [n, C, R]) to at most one and zero inactive cells, in place.

    Returns how many were held, int64 [n].
    """
    held = np.zeros(shares.shape[0], dtype=np.int64)
    for row in range(shares.shape[0]):
        for cell in range(shares.shape[1]):
            for bit in range(shares.shape[2]):
                if not active[cell]:
                    shares[row, cell, bit] = 0.0
                elif not shares[row, cell, bit] <= 1.0:
                    shares[row, cell, bit] = 1.0
                    held[row] += 1
    return held
