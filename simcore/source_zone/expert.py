"""At-risk model `expert`: shares elicited directly, times multipliers (docs/model.md A3).

The at-risk share of a cell for one exploitation is the share of the one rule that matches it, times every multiplier
that matches it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from simcore.scenario.fields import Name, ReferenceText, Rule, Table
from simcore.scenario.references import Reference
from simcore.scenario.schema import FactorRule

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.source_zone.at_risk import AtRiskShares
    from simcore.source_zone.plan import FloatArray
    from simcore.uncertainty import ParameterSpace


class ShareRule(Rule):
    """At-risk share of the strata that match."""

    parameter: ReferenceText


class ExpertBlock(Table):
    """The table ``[at_risk.expert]``."""

    shares: dict[Name, ShareRule] = Field(min_length=1)
    multipliers: dict[Name, FactorRule] = Field(default={})


class ExpertModel:
    """Elicited shares and multipliers."""

    name: ClassVar[str] = "expert"
    Block: ClassVar[type[ExpertBlock]] = ExpertBlock

    @staticmethod
    def references(block: ExpertBlock, scenario: Scenario) -> Iterator[Reference]:
        """Yield what the model draws on: one share per stratum at risk, and the multipliers that match it."""
        key = ("at_risk", ExpertModel.name)
        strata = scenario.strata_at_risk
        chosen = scenario.choose_each(block.shares, strata, (*key, "shares"))
        for name, share in block.shares.items():
            yield Reference(share.parameter, (*key, "shares", name, "parameter"), "probability", chosen[name])
        for name, multiplier in block.multipliers.items():
            uses = tuple(place for place in strata if scenario.matches(multiplier.where, place))
            yield Reference(multiplier.factor, (*key, "multipliers", name, "factor"), "factor", uses)

    @staticmethod
    def compile(
        scenario: Scenario, block: ExpertBlock, space: ParameterSpace, cells: Sequence[Mapping[str, str]]
    ) -> AtRiskShares:
        """Return the function from theta (float64 [n, P]) to shares (float64 [n, C, R]): products of columns."""
        from simcore.source_zone.at_risk import products_of_columns

        starts, columns = [0], []
        for cell in cells:
            for level in scenario.risk_levels:
                place = {**cell, "exploitation": level}
                if scenario.is_active(place):
                    rule = scenario.choose(block.shares, place, "at_risk.expert.shares")
                    columns.append(space.column(rule.parameter, place))
                    columns.extend(
                        space.column(multiplier.factor, place)
                        for multiplier in block.multipliers.values()
                        if scenario.matches(multiplier.where, place)
                    )
                starts.append(len(columns))
        shape = (len(cells), len(scenario.risk_levels))
        first, factors = np.array(starts, dtype=np.int64), np.array(columns, dtype=np.int64)

        def shares(theta: FloatArray) -> FloatArray:
            products = np.empty((theta.shape[0], shape[0] * shape[1]))
            products_of_columns(theta, first, factors, products)
            return products.reshape(theta.shape[0], *shape)

        return shares
