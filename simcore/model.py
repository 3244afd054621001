"""A compiled model: everything of a scenario as flat arrays, ready for any engine.

`compile_model` is the one place where the declarative scenario meets the numerical rooms; after it arrays are trusted.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from simcore.engines.keys import Keys, derive_keys, refuse_collisions
from simcore.engines.random import derive_key
from simcore.scenario.design import leading_names, shared_effect_names
from simcore.source_zone.at_risk import AtRiskShares, CompilingModel, clamp_shares
from simcore.source_zone.compile import active_strata, compile_source, risk_class_labels, shared_effect_elements
from simcore.source_zone.plan import FloatArray, IntArray, SourcePlan, largest_event_probabilities
from simcore.transit_zone.chains import ChainPlan, compile_chains
from simcore.transit_zone.compile import compile_transit
from simcore.transit_zone.flows import compile_flows
from simcore.transit_zone.journeys import JourneyCompiler
from simcore.transit_zone.plan import FlowPlan, RewardPlan, TransitPlan
from simcore.transit_zone.rewards import compile_rewards
from simcore.uncertainty import ParameterSpace
from simcore.uncertainty.dependence import CopulaPlan
from simcore.uncertainty.design import RANDOM, RANDOM_DESIGN, Design
from simcore.uncertainty.draws import DrawPlan, draw_parameters, draw_shared_scores, scores_of_uniforms
from simcore.uncertainty.points import Points, assign_dimensions, make_points

if TYPE_CHECKING:
    from simcore.scenario import Scenario

RESULTS_VERSION = 1
"""Raised by every change that alters the bits of a result (engine, source zone, quantiles, address map)."""

FREQUENT_EVENT = 0.05
"""Event probability beyond which counting at most one event per person and year begins to matter."""

FREQUENT_EVENT_SETS = 1024

AXES = ("origin", "sex", "age_band", "exploitation")
IdArray = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Streams:
    """Everything that depends on the seed and the design of a run.

    Attributes
    ----------
    seed : int
    keys : Keys
        Of the individual draws.
    parameters : Points
        What makes the uniforms of theta.
    shared : uint64 [E]
        Keys of the shared effects, which are addressed by theta_id and shared_id.
    shared_points : Points or None
        What makes the uniforms of the shared effects where they belong to the points of the design: in a single loop
        of a design that is not random.
    """

    seed: int
    keys: Keys
    parameters: Points
    shared: npt.NDArray[np.uint64]
    shared_points: Points | None = None


@dataclass(frozen=True)
class CompiledModel:
    """A scenario as flat arrays.

    Attributes
    ----------
    scenario : Scenario
    space : ParameterSpace
        Columns of theta.
    cells, strata : list of dict
        Coordinates of person cells (C) and strata (S = C X) in order.
    source : SourcePlan
    transit : TransitPlan
    journeys : JourneyCompiler
        Names behind the indices of ``transit``.
    at_risk : AtRiskShares
    walking_strata : list of dict or None
        Coordinates of the strata that can have bound victims, None for the others.
    rewards : RewardPlan
    """

    scenario: Scenario
    space: ParameterSpace
    cells: list[dict[str, str]]
    strata: list[dict[str, str]]
    source: SourcePlan
    transit: TransitPlan
    journeys: JourneyCompiler
    at_risk: AtRiskShares
    walking_strata: list[dict[str, str] | None]
    rewards: RewardPlan

    @cached_property
    def risk_labels(self) -> list[str]:
        """Labels of the risk classes 1 .. 2**R - 1."""
        return risk_class_labels(self.scenario.risk_levels)

    @cached_property
    def destinations(self) -> list[str]:
        """Names of the destinations."""
        return list(self.scenario.document.destinations.levels)

    @cached_property
    def chains(self) -> ChainPlan:
        """The journeys of every class as chains over attempts and places, for the exact moments."""
        return compile_chains(self.transit)

    @cached_property
    def flows(self) -> FlowPlan:
        """The expanded journey states of every class, for the cohort engine.

        Raises
        ------
        ScenarioError
            If a class has too many of them.
        """
        return compile_flows(self.journeys, [int(start) for start in self.transit.fork_start])

    @cached_property
    def draw_plan(self) -> DrawPlan:
        """How uniforms become theta."""
        return self.space.draw_plan()

    @cached_property
    def copula(self) -> CopulaPlan:
        """How the uniforms of dependent parameters are tied together."""
        return self.space.copula()

    def streams(self, seed: int, design: Design = RANDOM_DESIGN) -> Streams:
        """Derive every key of a run from its seed and design.

        Raises
        ------
        ScenarioError
            If two streams have the same key.
        UserError
            If the design cannot have so many dimensions.
        """
        keys = derive_keys(
            seed,
            [tuple(cell.values()) for cell in self.cells],
            [tuple(stratum.values()) for stratum in self.strata],
            self.journeys.legs,
            self.journeys.points,
        )
        names = [(name, *levels) for name, levels in shared_effect_elements(self.scenario)]
        shared = np.array([derive_key(seed, "shared", name) for name in names], dtype=np.uint64)
        parameters = self.space.points(design, seed, self.design_dimensions)
        if design.kind == RANDOM or design.inner > 1:
            refuse_collisions(*keys, parameters.keys, shared)
            return Streams(seed, keys, parameters, shared)
        dimensions = [self.design_dimensions[f"{name}[{','.join(levels)}]"] for name, *levels in names]
        points = make_points(design, seed, "shared", names, dimensions)
        refuse_collisions(*keys, parameters.keys, shared, points.keys)
        return Streams(seed, keys, parameters, shared, points)

    @cached_property
    def design_dimensions(self) -> dict[str, int]:
        """Dimension of every column of theta and of every element of a shared effect in a Sobol' design, by name."""
        effects = [name for names in shared_effect_names(self.scenario).values() for name in names]
        return assign_dimensions(leading_names(self.scenario), self.space.in_file_order(), effects)

    def draw_theta(self, streams: Streams, theta_ids: IdArray) -> FloatArray:
        """Return theta of ``theta_ids`` (uint32 [n]): float64 [n, P]."""
        theta = np.empty((theta_ids.size, self.space.size))
        draw_parameters(self.draw_plan, self.copula, streams.parameters, theta_ids, theta)
        return theta

    def draw_scores(self, streams: Streams, theta_ids: IdArray, shared_ids: IdArray) -> FloatArray:
        """Return the shared scores of each replicate: float64 [n, E]."""
        scores = np.empty((theta_ids.size, streams.shared.size))
        if streams.shared_points is None:
            draw_shared_scores(streams.shared, theta_ids, shared_ids, scores)
        else:
            uniforms = np.empty((streams.shared.size, theta_ids.size))
            streams.shared_points.fill(theta_ids, uniforms)
            scores_of_uniforms(uniforms, scores)
        return scores

    def at_risk_shares(self, theta: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return marginal at-risk shares, float64 [n, C, R], held to at most one, and how many were held, int64 [n]."""
        shares = np.ascontiguousarray(self.at_risk(theta), dtype=np.float64)
        return shares, clamp_shares(shares, self.source.active)


def frequent_event_share(model: CompiledModel, streams: Streams, thetas: int) -> float:
    """Return the share of parameter sets in which somebody's event probability passes `FREQUENT_EVENT` (A5).

    Looked at are the first of ``thetas`` sets, up to `FREQUENT_EVENT_SETS`, each with its first shared effects.
    """
    ids = np.arange(min(thetas, FREQUENT_EVENT_SETS), dtype=np.uint32)
    theta = model.draw_theta(streams, ids)
    shares, _ = model.at_risk_shares(theta)
    largest = np.empty(ids.size)
    scores = model.draw_scores(streams, ids, np.zeros_like(ids))
    largest_event_probabilities(model.source, theta, scores, shares, largest)
    return float(np.mean(largest > FREQUENT_EVENT))


def as_scenario(scenario: Scenario | str | os.PathLike[str]) -> Scenario:
    """Return a scenario as it is, or load the one of that name or path."""
    if isinstance(scenario, str | os.PathLike):
        from simcore.scenario import load_scenario

        return load_scenario(str(scenario) if isinstance(scenario, str) else Path(scenario))
    return scenario


def compile_model(scenario: Scenario, *, routes: bool = True) -> CompiledModel:
    """Compile a validated scenario.

    Parameters
    ----------
    scenario : Scenario
    routes : bool
        List the routes of the journey graph (for the collapsed walk).

    Raises
    ------
    ScenarioError
        If a distribution cannot be tabulated or the graph has too many routes.
    """
    levels = {axis: scenario.levels(axis) for axis in AXES}

    def coordinates(axes: tuple[str, ...]) -> list[dict[str, str]]:
        return [dict(zip(axes, names, strict=True)) for names in itertools.product(*(levels[axis] for axis in axes))]

    cells, strata = coordinates(AXES[:3]), coordinates(AXES)
    space = ParameterSpace(scenario)
    model = cast("type[CompilingModel]", scenario.at_risk_model)
    at_risk = model.compile(scenario, scenario.at_risk_block, space, cells)
    source = compile_source(scenario, space, cells, strata)
    walking = [
        stratum if active else None for stratum, active in zip(strata, active_strata(scenario, strata), strict=True)
    ]
    transit, journeys = compile_transit(scenario, space, walking, routes=routes)
    rewards = compile_rewards(scenario.document.rewards, transit, journeys, space, walking)
    return CompiledModel(scenario, space, cells, strata, source, transit, journeys, at_risk, walking, rewards)
