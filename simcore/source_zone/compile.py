"""From a scenario's source zone to flat arrays (`SourcePlan`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simcore.source_zone.plan import NONE, SourcePlan

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.uncertainty import ParameterSpace

Coordinates = dict[str, str]


def risk_class_labels(levels: Sequence[str]) -> list[str]:
    """Return the labels of risk classes 1 .. 2**R - 1: "S_only", "L_only", "both" for two levels, joined names else."""
    if len(levels) == 1:
        return [levels[0]]
    if len(levels) == 2:
        return [f"{levels[0]}_only", f"{levels[1]}_only", "both"]
    return [
        "+".join(level for bit, level in enumerate(levels) if risk_class >> bit & 1)
        for risk_class in range(1, 1 << len(levels))
    ]


def active_strata(scenario: Scenario, strata: Sequence[Coordinates]) -> npt.NDArray[np.bool_]:
    """Return, bool [S], whether there can be victims in a stratum: it has persons and the scenario counts it in."""
    exploitations = len(scenario.levels("exploitation"))
    counted_in = np.array([scenario.is_active(stratum) for stratum in strata], dtype=np.bool_)
    return counted_in & (np.repeat(scenario.population.ravel(), exploitations) > 0.0)


def shared_effect_elements(scenario: Scenario) -> list[tuple[str, tuple[str, ...]]]:
    """Return (effect, levels of its index axes) of every element of every shared effect, in order."""
    elements: list[tuple[str, tuple[str, ...]]] = []
    for name, effect in scenario.document.event.shared_effects.items():
        combinations: list[tuple[str, ...]] = [()]
        for axis in effect.index:
            combinations = [(*done, level) for done in combinations for level in scenario.levels(axis)]
        elements.extend((name, levels) for levels in combinations)
    return elements


def compile_source(
    scenario: Scenario, space: ParameterSpace, cells: Sequence[Coordinates], strata: Sequence[Coordinates]
) -> SourcePlan:
    """Lay out the source zone of a scenario.

    Parameters
    ----------
    scenario : Scenario
    space : ParameterSpace
        Asked for the columns of every parameter that events and destinations need.
    cells, strata : sequence of dict
        Coordinates (axis -> level) of every person cell and every stratum, in order.
    """
    document = scenario.document
    exploitation = document.strata.exploitation
    levels = list(exploitation)
    bits = {name: bit for bit, name in enumerate(scenario.risk_levels)}
    members = [
        1 << bits[name] if level.combines is None else sum(1 << bits[part] for part in level.combines)
        for name, level in exploitation.items()
    ]
    active = active_strata(scenario, strata).reshape(len(cells), len(levels))
    active_cell: npt.NDArray[np.bool_] = np.asarray(active.any(axis=1))

    def cell_column(reference: str | None, cell: Coordinates) -> int:
        return NONE if reference is None else space.column(reference, cell)

    factor = [cell_column(document.population.factor, cell) for cell in cells]
    needs_odds = len(bits) > 1
    odds_ratio = [
        cell_column(document.at_risk.odds_ratio, cell) if needs_odds and here else NONE
        for cell, here in zip(cells, active_cell, strict=True)
    ]

    elements = {element: index for index, element in enumerate(shared_effect_elements(scenario))}
    combined, hazard, destination = [], [], []
    multipliers: list[int] = []
    multiplier_start, effect_start = [0], [0]
    effect_element: list[int] = []
    effect_deviation: list[int] = []
    destinations = list(document.destinations.levels)
    for index, stratum in enumerate(strata):
        level = exploitation[stratum["exploitation"]]
        here = bool(active.flat[index])
        ordinary = here and level.combines is None
        combined.append(space.column(level.share, stratum) if here and level.share is not None else NONE)
        hazard.append(
            space.column(scenario.choose(document.event.hazards, stratum, "event.hazards").parameter, stratum)
            if ordinary
            else NONE
        )
        if ordinary:
            for rule in document.event.multipliers.values():
                if scenario.matches(rule.where, stratum):
                    multipliers.append(space.column(rule.factor, stratum))
            for name, effect in document.event.shared_effects.items():
                effect_element.append(elements[name, tuple(stratum[axis] for axis in effect.index)])
                effect_deviation.append(space.column(effect.standard_deviation, stratum))
        multiplier_start.append(len(multipliers))
        effect_start.append(len(effect_element))
        if here:
            split = scenario.choose(document.destinations.split, stratum, "destinations.split")
            destination.append(space.columns(split.shares, stratum, destinations))
        else:
            destination.append([NONE] * len(destinations))

    shape = (len(cells), len(levels))
    return SourcePlan(
        population=np.ascontiguousarray(scenario.population, dtype=np.float64).ravel(),
        factor=np.array(factor, dtype=np.int64),
        active=active_cell,
        odds_ratio=np.array(odds_ratio, dtype=np.int64),
        members=np.array(members, dtype=np.int64),
        combined=np.array(combined, dtype=np.int64).reshape(shape),
        hazard=np.array(hazard, dtype=np.int64).reshape(shape),
        multiplier_start=np.array(multiplier_start, dtype=np.int64),
        multipliers=np.array(multipliers, dtype=np.int64),
        effect_start=np.array(effect_start, dtype=np.int64),
        effect_element=np.array(effect_element, dtype=np.int64),
        effect_deviation=np.array(effect_deviation, dtype=np.int64),
        exposure_years=float(document.exposure_years),
        destination=np.array(destination, dtype=np.int64).reshape(*shape, len(destinations)),
        bound=destinations.index(document.destinations.bound),
    )
