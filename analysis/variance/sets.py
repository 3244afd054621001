"""What is known of every parameter set of one output: its mean, the noise in it, and the variance of chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NATURAL, LOG10 = "natural", "log10"
SCALES = (NATURAL, LOG10)
SHIFT = 0.5  # simulated counts are taken as log10(Y + 0.5), for Y may be 0


@dataclass(frozen=True)
class SetFigures:
    """One output on one scale, over n parameter sets; NaN in a row where the output has no value.

    Attributes
    ----------
    mean : float64 [n]
        Estimate of E[Y | theta].
    noise : float64 [n]
        Unbiased estimate of the variance of that estimate.
    chance : float64 [n]
        Unbiased estimate of Var[Y | theta], all chance together.
    shared : float64 [n] or None
        Unbiased estimate of Var[E[Y | theta, w] | theta], w the shared chance; None if not told apart.
    """

    mean: FloatArray
    noise: FloatArray
    chance: FloatArray
    shared: FloatArray | None

    def with_shared(self, shared: FloatArray) -> SetFigures:
        """Return the same with the shared chance told apart."""
        return SetFigures(self.mean, self.noise, self.chance, shared)
