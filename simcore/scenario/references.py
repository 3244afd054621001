"""Which parameters a scenario uses, where, as what, and for which strata.

A *reference* is a place in the file that names a parameter; a *parameter element* is what it resolves to for one
stratum (and leg): the parameter itself, or one of the separate draws of an indexed parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from simcore.scenario.distributions import AnyDistribution
from simcore.scenario.locations import KeyPath

Coordinates = Mapping[str, str]
"""Axis -> level; the axes are those of the strata, and ``leg`` on a leg."""

Role = Literal[
    "probability", "hazard", "factor", "odds_ratio", "standard_deviation", "log_effect", "shares", "reward",
    "variation", "mean_share", "correlation", "category",
]  # fmt: skip
"""What a parameter is used as; `simcore.scenario.checks` knows the limits of each."""


@dataclass(frozen=True)
class Reference:
    """A place that names a parameter.

    Attributes
    ----------
    text : str
        ``"name"`` or ``"name[level,...]"``.
    key : key path
        Where it stands in the file.
    role : Role
    uses : tuple of coordinates
        The strata (and legs) it is used for; may be empty.
    """

    text: str
    key: KeyPath
    role: Role
    uses: tuple[Coordinates, ...] = ()


@dataclass(frozen=True)
class ParameterElement:
    """One separate draw of a parameter.

    Attributes
    ----------
    name : str
        ``"rho"``, or ``"mult[COL,sexual]"`` for one element of an indexed parameter.
    parameter : str
        Name in the file.
    coordinates : dict
        Index axis -> level.
    distribution : a class of `simcore.scenario.distributions`
    columns : tuple of str
        Names of its scalars: ``(name,)``, or ``name[component]`` for each component of a simplex.
    components : tuple of str
        Component names; empty for a scalar.
    """

    name: str
    parameter: str
    coordinates: Coordinates
    distribution: AnyDistribution
    columns: tuple[str, ...]
    components: tuple[str, ...]


def make_element(
    parameter: str, coordinates: Coordinates, distribution: AnyDistribution, components: tuple[str, ...]
) -> ParameterElement:
    """Return the element of ``parameter`` at ``coordinates`` (its index axes in order)."""
    name = f"{parameter}[{','.join(coordinates.values())}]" if coordinates else parameter
    columns = tuple(f"{name}[{component}]" for component in components) if components else (name,)
    return ParameterElement(name, parameter, coordinates, distribution, columns, components)


def distinct(coordinates: Iterable[Coordinates], axes: Iterable[str]) -> tuple[dict[str, str], ...]:
    """Return the different values that ``coordinates`` take on ``axes``, in order of first appearance."""
    axes = tuple(axes)
    found = {tuple(place[axis] for axis in axes): None for place in coordinates}
    return tuple(dict(zip(axes, levels, strict=True)) for levels in found)
