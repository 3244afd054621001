"""The choices of a scenario: categorical parameters, of model form and of the completed panel of missing data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.variance.sets import FloatArray
from simcore.scenario.fields import split_reference

if TYPE_CHECKING:
    from simcore.model import CompiledModel

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """A categorical parameter in n parameter sets.

    Attributes
    ----------
    name : str
        Column of theta.
    is_panel : bool
        Whether it chooses a completed panel of covariates.
    categories : tuple of str
        Those that were drawn.
    category : int64 [n]
        Index into ``categories``.
    """

    name: str
    is_panel: bool
    categories: tuple[str, ...]
    category: IntArray


def panel_parameters(model: CompiledModel) -> set[str]:
    """Return the names of the parameters by which an at-risk model chooses its completed panel."""
    blocks = [block for _, block in model.scenario.at_risk_in_use.values()]
    panels = [getattr(block, "panel", None) for block in blocks]
    return {split_reference(panel)[0] for panel in panels if panel is not None}


def read_choices(model: CompiledModel, theta: FloatArray) -> list[Choice]:
    """Return every categorical parameter that took more than one value.

    Parameters
    ----------
    model : CompiledModel
    theta : float64 [n, P]
    """
    panels = panel_parameters(model)
    choices = []
    for element in model.space.elements:
        distribution = element.distribution
        if not getattr(distribution, "is_category", False):
            continue
        for name in element.columns:
            drawn, category = np.unique(theta[:, model.space.names.index(name)], return_inverse=True)
            if len(drawn) > 1:
                labels = getattr(distribution, "categories", None)
                names = tuple(labels[int(value)] if labels else f"{value:g}" for value in drawn)
                choices.append(Choice(name, element.parameter in panels, names, category.astype(np.int64)))
    return choices


def together(name: str, choices: list[Choice]) -> Choice | None:
    """Return several choices as one: its categories are the combinations that were drawn; None if there are none."""
    if not choices:
        return None
    if len(choices) == 1:
        return choices[0]
    drawn, category = np.unique(np.stack([each.category for each in choices], axis=1), axis=0, return_inverse=True)
    names = tuple(
        " / ".join(each.categories[index] for each, index in zip(choices, row, strict=True)) for row in drawn.tolist()
    )
    return Choice(name, choices[0].is_panel, names, category.ravel().astype(np.int64))
