"""At-risk model `mixed`: the model itself is drawn (docs/at_risk_models.md).

A categorical parameter names, for every parameter set, the model that its shares come from. So the form of the model is
an uncertain input like any other, with a share of the variance of its own. All parameters of all members are drawn in
every parameter set: the number of columns does not change, and neither does any other draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from simcore.scenario.at_risk_models import known_models, load_model, members_of
from simcore.scenario.fields import ReferenceText, Table, split_reference
from simcore.scenario.locations import show_path
from simcore.scenario.references import Reference

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.source_zone.at_risk import AtRiskShares, CompilingModel
    from simcore.source_zone.plan import FloatArray
    from simcore.uncertainty import ParameterSpace

KEY = ("at_risk", "mixed")


class MixedBlock(Table):
    """The table ``[at_risk.mixed]``."""

    choice: ReferenceText


class MixedModel:
    """One of several models, by a categorical parameter whose categories name them."""

    name: ClassVar[str] = "mixed"
    Block: ClassVar[type[MixedBlock]] = MixedBlock

    @staticmethod
    def members(block: MixedBlock, scenario: Scenario) -> tuple[str, ...]:
        """Return the names that the categories stand for; empty if there is no such parameter."""
        parameter = scenario.document.parameters.get(split_reference(block.choice)[0])
        return () if parameter is None else tuple(parameter.distribution.categories)

    @staticmethod
    def references(block: MixedBlock, scenario: Scenario) -> Iterator[Reference]:
        """Yield the choice, and everything that the members draw on.

        Raises
        ------
        ScenarioError
            If the choice has no categories, or a category names no model, a mixture, or a model without a table.
        """
        choice, _ = split_reference(block.choice)
        distribution = scenario.document.parameters[choice].distribution
        if not distribution.categories:
            text = f"{choice!r} must be categorical, with at-risk models as its categories; it is {distribution.family}"
            raise scenario.error((*KEY, "choice"), text)
        yield Reference(block.choice, (*KEY, "choice"), "category", ({},))
        for name in distribution.categories:
            _check_member(scenario, name, choice)
            yield from load_model(name).references(scenario.at_risk_blocks[name], scenario)

    @staticmethod
    def compile(
        scenario: Scenario, block: MixedBlock, space: ParameterSpace, cells: Sequence[Mapping[str, str]]
    ) -> AtRiskShares:
        """Return the function from theta (float64 [n, P]) to shares (float64 [n, C, R])."""
        column, functions = space.column(block.choice, {}), []
        for name in MixedModel.members(block, scenario):
            model = cast("type[CompilingModel]", load_model(name))
            functions.append(model.compile(scenario, scenario.at_risk_blocks[name], space, cells))
        shape = (len(cells), len(scenario.risk_levels))

        def shares(theta: FloatArray) -> FloatArray:
            mixed = np.empty((theta.shape[0], *shape))
            chosen = theta[:, column].astype(np.int64)
            for member, function in enumerate(functions):
                rows = np.flatnonzero(chosen == member)
                if rows.size > 0:
                    mixed[rows] = function(np.ascontiguousarray(theta[rows]))
            return mixed

        return shares

    @staticmethod
    def describe(block: MixedBlock, scenario: Scenario) -> list[tuple[str, str]]:
        """Return the members and their weights."""
        choice, _ = split_reference(block.choice)
        distribution: Any = scenario.document.parameters[choice].distribution
        total = sum(distribution.weights.values())
        weights = ", ".join(f"{name} {weight / total:.3g}" for name, weight in distribution.weights.items())
        return [("mixture", f"{weights}; drawn by {choice}")]


def _check_member(scenario: Scenario, name: str, choice: str) -> None:
    """Raise if a category does not name a model with a table that can be a member."""
    key = ("parameters", choice, "distribution", "weights", name)
    known = tuple(model for model in known_models() if model != MixedModel.name)
    if name == MixedModel.name:
        raise scenario.error(key, "a mixture cannot be a member of itself")
    if name not in known:
        text = scenario.unknown("at-risk model", name, known)
        raise scenario.error(key, f"{text} (used in {show_path((*KEY, 'choice'))})")
    if name not in scenario.at_risk_blocks:
        raise scenario.error(("at_risk", name), f"missing table [at_risk.{name}]: it is a category of {choice!r}")
    if members_of(load_model(name), scenario.at_risk_blocks[name], scenario):
        raise scenario.error(key, f"{name!r} is a mixture itself: only models with shares of their own can be mixed")
