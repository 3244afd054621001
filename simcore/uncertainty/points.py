"""Points of the unit cube: one uniform per drawn scalar and parameter set, made by the chosen design.

Every epistemic scalar is the inverse distribution function of one uniform (docs/model.md D1), so a design only has to
say which uniforms. A column's uniforms depend on the seed and on the column's own name, in a Sobol' design on its
dimension too, never on what else is drawn or on which points are asked for together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from simcore.engines.random import derive_key, fill_addressed_uniforms
from simcore.uncertainty.design import LATIN_HYPERCUBE, RANDOM, Design
from simcore.uncertainty.latin_hypercube import LatinHypercubePoints
from simcore.uncertainty.sobol import sobol_points


class Points(Protocol):
    """Some columns of a design."""

    @property
    def keys(self) -> npt.NDArray[np.uint64]:
        """Keys of the random streams, one per column: uint64 [U]."""
        ...

    def fill(self, theta_ids: npt.NDArray[np.uint32], uniforms: npt.NDArray[np.float64]) -> None:
        """Fill ``uniforms`` (float64 [U, n]) for ``theta_ids`` (uint32 [n])."""
        ...


@dataclass(frozen=True)
class RandomPoints:
    """Independent uniforms, each addressed by its column's key (``keys``, uint64 [U]) and its theta_id."""

    keys: npt.NDArray[np.uint64]

    def fill(self, theta_ids: npt.NDArray[np.uint32], uniforms: npt.NDArray[np.float64]) -> None:
        """Fill ``uniforms`` (float64 [U, n]) for ``theta_ids`` (uint32 [n])."""
        fill_addressed_uniforms(self.keys, theta_ids, uniforms)


def make_points(
    design: Design, seed: int, purpose: str, names: Sequence[tuple[str, ...]], dimensions: Sequence[int]
) -> Points:
    """Return the columns of a design that belong to one purpose.

    Parameters
    ----------
    design : Design
    seed : int
    purpose : {"parameter", "shared"}
    names : sequence of tuple of str
        What identifies each column within its purpose.
    dimensions : sequence of int
        Of each column; read by a Sobol' design only.

    Raises
    ------
    UserError
        If the design cannot have so many dimensions.
    """
    if design.kind == RANDOM:
        return RandomPoints(_keys(seed, purpose, names))
    keys = _keys(seed, f"{design.kind} {purpose}", [(*name, str(design.randomisation)) for name in names])
    if design.kind == LATIN_HYPERCUBE:
        return LatinHypercubePoints(keys, design.outer)
    return sobol_points(keys, dimensions, design.outer)


def assign_dimensions(
    leading: Sequence[str], elements: Mapping[str, Sequence[str]], effects: Sequence[str]
) -> dict[str, int]:
    """Return column or shared effect -> dimension of a Sobol' design.

    First come those that lead, then the other parameters, then the other shared effects. Every column has a dimension,
    whether it takes a uniform or not, so that fixing a parameter moves no other; a parameter behind the others moves
    only the shared effects that do not lead.

    Parameters
    ----------
    leading : sequence of str
        Elements of parameters or shared effects, in order; one that is not drawn is passed over.
    elements : dict
        Element of a parameter -> its columns, in the order of the scenario.
    effects : sequence of str
        Elements of shared effects, in order.
    """
    columns = {**elements, **{name: (name,) for name in effects}}
    order = dict.fromkeys((*(name for name in leading if name in columns), *columns))
    names = (column for element in order for column in columns[element])
    return {name: dimension for dimension, name in enumerate(names)}


def _keys(seed: int, purpose: str, names: Sequence[tuple[str, ...]]) -> npt.NDArray[np.uint64]:
    return np.array([derive_key(seed, purpose, name) for name in names], dtype=np.uint64)
