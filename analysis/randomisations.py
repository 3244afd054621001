"""The error of a mean from a Sobol' design or a Latin hypercube: independent randomisations of the same design.

The points of such a design are not independent, so the standard error of plain sampling does not hold for their mean
(it is too large, often by far). The means of R independent randomisations are independent and unbiased, so their mean
has the standard error sd / sqrt(R) (docs/model.md D5; Owen 1997 for scrambled nets).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simcore.errors import UserError
from simcore.uncertainty.design import LATIN_HYPERCUBE, RANDOM, SOBOL

if TYPE_CHECKING:
    from simcore.model import CompiledModel
    from simcore.moments import Moments
    from simcore.scenario import Scenario

FEWEST_RANDOMISATIONS = 8
"""With fewer the error of the error is above a quarter of it."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DesignError:
    """A mean over all randomisations, with its standard error.

    Attributes
    ----------
    mean, standard_error : float64 [...]
        Of the mean over all randomisations; shape of one value of the quantity.
    standard_error_of_one : float64 [...]
        Of the mean of a single randomisation.
    means : float64 [R, ...]
        Of every randomisation.
    design : str
    draws : int
        Parameter sets of each randomisation.
    """

    mean: FloatArray
    standard_error: FloatArray
    standard_error_of_one: FloatArray
    means: FloatArray
    design: str
    draws: int


def design_error(
    scenario: Scenario | CompiledModel | str | os.PathLike[str],
    quantity: Callable[[Moments], Any],
    *,
    draws: int,
    design: str = SOBOL,
    randomisations: Sequence[int] | int = FEWEST_RANDOMISATIONS,
    seed: int = 0,
) -> DesignError:
    """Return the mean of a quantity over parameter sets, and its standard error, from randomisations of a design.

    Parameters
    ----------
    scenario : Scenario, CompiledModel, or name or path of a scenario
    quantity : callable
        From the exact `simcore.Moments` given theta (means only) to values, float64 [n, ...], whose mean is wanted.
    draws : int
        Parameter sets of each randomisation.
    design : {"sobol", "lhs"}
    randomisations : int or sequence of int
        Their number, or their numbers; at least 8.
    seed : int

    Raises
    ------
    UserError
        If there are too few randomisations, one is named twice, or the design has none.

    Examples
    --------
    >>> arrived = lambda m: np.log10(m.mean_of(m.weights("outcome", label=m.arrival))[:, 0])
    >>> analysis.design_error("phase1", arrived, draws=4096)  # doctest: +SKIP
    """
    import simcore
    from simcore.model import CompiledModel, as_scenario

    numbers = list(range(randomisations)) if isinstance(randomisations, int) else list(randomisations)
    if design == RANDOM:
        raise UserError(
            f"design = '{RANDOM}': its draws are independent and need no randomisations ({SOBOL} or {LATIN_HYPERCUBE})"
        )
    if len(numbers) < FEWEST_RANDOMISATIONS:
        raise UserError(f"randomisations = {len(numbers)}: at least {FEWEST_RANDOMISATIONS} are needed")
    if len(set(numbers)) < len(numbers):
        raise UserError(f"randomisations = {numbers}: one is named twice")
    model = (
        scenario if isinstance(scenario, CompiledModel) else simcore.compile_model(as_scenario(scenario), routes=False)
    )
    means = []
    for number in numbers:
        moments = simcore.expected(model, draws=draws, seed=seed, design=design, randomisation=number, covariance=False)
        means.append(np.mean(np.asarray(quantity(moments), dtype=np.float64), axis=0))
    return combine(np.array(means), design, draws)


def combine(means: FloatArray, design: str, draws: int) -> DesignError:
    """Return mean and standard error of independent means, float64 [R, ...]."""
    spread: FloatArray = np.asarray(np.std(means, axis=0, ddof=1), dtype=np.float64)
    return DesignError(
        mean=np.asarray(np.mean(means, axis=0), dtype=np.float64),
        standard_error=spread / np.sqrt(len(means)),
        standard_error_of_one=spread,
        means=means,
        design=design,
        draws=draws,
    )
