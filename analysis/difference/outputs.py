"""What is compared: exact means given theta (docs/model.md E2), one per parameter set, of one scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from simcore.model import CompiledModel

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Output:
    """An output that is compared.

    Attributes
    ----------
    name, label : str
        For programs, for people.
    is_count : bool
        Counts are compared on the scale of their logarithm (base 10) too.
    """

    name: str
    label: str
    is_count: bool


OUTPUTS = (
    Output("trafficked", "trafficked", True),
    Output("bound", "bound", True),
    Output("arrived", "arrived", True),
    Output("arrival_fraction", "arrived of those bound", False),
)


def exact_means(model: CompiledModel, draws: int, seed: int) -> FloatArray:
    """Return E[Y | theta] of every output, float64 [outputs, draws].

    Parameters
    ----------
    model : CompiledModel
    draws : int
        Parameter sets, each with a draw of the shared effects; those of a run with the same seed. A draw belongs to
        the name of a parameter, so parameters that two scenarios have in common have the same values in both.
    seed : int

    Returns
    -------
    float64 [outputs, draws]
        The arrival fraction is E[A | theta] / E[B | theta], NaN where nobody is bound.

    Raises
    ------
    UserError
        If the expected engine cannot do the scenario.
    """
    from simcore.moments import expected

    moments = expected(model, draws=draws, seed=seed, covariance=False)
    trafficked = moments.mean_of(moments.weights("victims"))[:, 0]
    bound = moments.mean_of(moments.weights("destination", label=moments.bound))[:, 0]
    arrived = moments.mean_of(moments.weights("outcome", label=moments.arrival))[:, 0]
    fraction = np.divide(arrived, bound, out=np.full_like(bound, np.nan), where=bound > 0.0)
    return np.stack([trafficked, bound, arrived, fraction])
