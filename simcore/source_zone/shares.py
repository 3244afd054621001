"""At-risk model `shares`: the share of persons who meet every circumstance, times factors (docs/at_risk_models.md).

    rho = P(all K circumstances) x product of the factors that match

A circumstance is something that can be counted (poverty, no work and no school, a wish to leave). By default the
shares are *chained*: phi_2 is the share of those who meet the first circumstance, so P(all) is the product of the phi_k
and exact. With a ``correlation`` they are *marginal* shares of all persons, and P(all) follows from a Gaussian copula
between the indicators (`simcore.source_zone.indicators`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field

from simcore.scenario.fields import Name, ReferenceText, Table, split_reference
from simcore.scenario.references import Reference
from simcore.scenario.schema import FactorRule
from simcore.source_zone.expert import ShareRule

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.scenario.references import Coordinates
    from simcore.source_zone.at_risk import AtRiskShares
    from simcore.source_zone.plan import FloatArray
    from simcore.uncertainty import ParameterSpace

KEY = ("at_risk", "shares")


def _text_becomes_rules(value: Any) -> Any:
    return {"all": {"parameter": value}} if isinstance(value, str) else value


ShareRules = Annotated[dict[Name, ShareRule], BeforeValidator(_text_becomes_rules), Field(min_length=1)]
"""Rules of which exactly one holds for a stratum; a single parameter is the rule ``all``."""


class SharesBlock(Table):
    """The table ``[at_risk.shares]``."""

    circumstances: dict[Name, ShareRules] = Field(min_length=1)
    factors: dict[Name, FactorRule] = Field(default={})
    correlation: ReferenceText | None = None


class SharesModel:
    """Shares of measurable circumstances, multiplied."""

    name: ClassVar[str] = "shares"
    Block: ClassVar[type[SharesBlock]] = SharesBlock

    @staticmethod
    def references(block: SharesBlock, scenario: Scenario) -> Iterator[Reference]:
        """Yield one share per circumstance and stratum at risk, the correlation, and the factors that match."""
        strata = scenario.strata_at_risk
        for circumstance, rules in block.circumstances.items():
            key = (*KEY, "circumstances", circumstance)
            chosen = scenario.choose_each(rules, strata, key)
            for name, rule in rules.items():
                yield Reference(rule.parameter, (*key, name, "parameter"), "probability", chosen[name])
        if block.correlation is not None:
            yield Reference(block.correlation, (*KEY, "correlation"), "correlation", strata)
        for name, factor in block.factors.items():
            uses = tuple(place for place in strata if scenario.matches(factor.where, place))
            yield Reference(factor.factor, (*KEY, "factors", name, "factor"), "factor", uses)

    @staticmethod
    def compile(
        scenario: Scenario, block: SharesBlock, space: ParameterSpace, cells: Sequence[Mapping[str, str]]
    ) -> AtRiskShares:
        """Return the function from theta (float64 [n, P]) to shares (float64 [n, C, R])."""
        from simcore.source_zone.at_risk import products_of_columns
        from simcore.source_zone.indicators import joint_shares, scale_by_factors

        sets: dict[tuple[int, ...], int] = {}
        starts, set_of = [0], []
        columns: list[int] = []
        for cell in cells:
            for level in scenario.risk_levels:
                place = {**cell, "exploitation": level}
                set_of.append(-1)
                if scenario.is_active(place):
                    met = _circumstance_columns(scenario, block, space, place)
                    if block.correlation is None:
                        columns.extend(met)
                    else:
                        members = (*met, space.column(block.correlation, place))
                        set_of[-1] = sets.setdefault(members, len(sets))
                    columns.extend(
                        space.column(rule.factor, place)
                        for rule in block.factors.values()
                        if scenario.matches(rule.where, place)
                    )
                starts.append(len(columns))
        shape = (len(cells), len(scenario.risk_levels))
        first, factors = np.array(starts, dtype=np.int64), np.array(columns, dtype=np.int64)
        members_of = np.array(list(sets), dtype=np.int64).reshape(len(sets), len(block.circumstances) + 1)
        circumstances, correlation = np.ascontiguousarray(members_of[:, :-1]), np.ascontiguousarray(members_of[:, -1])
        places = np.array(set_of, dtype=np.int64)

        def chained(theta: FloatArray) -> FloatArray:
            shares = np.empty((theta.shape[0], shape[0] * shape[1]))
            products_of_columns(theta, first, factors, shares)
            return shares.reshape(theta.shape[0], *shape)

        def from_marginals(theta: FloatArray) -> FloatArray:
            joint = np.empty((theta.shape[0], len(sets)))
            joint_shares(theta, circumstances, correlation, joint)
            shares = np.empty((theta.shape[0], shape[0] * shape[1]))
            scale_by_factors(theta, joint, places, first, factors, shares)
            return shares.reshape(theta.shape[0], *shape)

        return chained if block.correlation is None else from_marginals

    @staticmethod
    def describe(block: SharesBlock, scenario: Scenario) -> list[tuple[str, str]]:
        """Return what a reader should see: how the shares combine, and the Frechet bounds at the median shares."""
        names = ", ".join(block.circumstances)
        if block.correlation is None:
            law = f"chained, in this order: {names}; each is the share of those who meet the ones before it"
        else:
            law = f"marginal shares: {names}; Gaussian copula with correlation {block.correlation}"
        lines = [("circumstances", law)]
        for where, joint, lower, upper in _bounds_at_medians(scenario, block):
            text = f"{joint:.4g} at the median shares; Frechet bounds of marginal shares {lower:.4g} to {upper:.4g}"
            lines.append((f"meets all{f', {where}' if where else ''}", text))
        return lines


def _circumstance_columns(
    scenario: Scenario, block: SharesBlock, space: ParameterSpace, place: Coordinates
) -> tuple[int, ...]:
    """Return the columns of the circumstances of a stratum, in order."""
    return tuple(
        space.column(scenario.choose(rules, place, (*KEY, "circumstances", name)).parameter, place)
        for name, rules in block.circumstances.items()
    )


def _bounds_at_medians(scenario: Scenario, block: SharesBlock) -> Iterator[tuple[str, float, float, float]]:
    """Yield, for every different set of circumstances, where it holds, P(all) and its Frechet bounds at the medians."""
    from simcore.source_zone.indicators import frechet_bounds, share_of_all
    from simcore.uncertainty import ParameterSpace

    space = ParameterSpace(scenario)
    rules = [rule for named in block.circumstances.values() for rule in named.values()]
    indexed = [scenario.document.parameters[split_reference(rule.parameter)[0]].index for rule in rules]
    used = {axis for rule in rules for axis in rule.where or {}} | {axis for index in indexed for axis in index}
    found: dict[tuple[int, ...], dict[tuple[str, ...], None]] = {}
    for place in scenario.strata_at_risk:
        met = _circumstance_columns(scenario, block, space, place)
        if block.correlation is not None:
            met = (*met, space.column(block.correlation, place))
        levels = tuple(place[axis] for axis in scenario.strata_axes if axis in used)
        found.setdefault(met, {})[levels] = None
    medians, count = space.typical(), len(block.circumstances)
    for columns, places in found.items():
        shares = medians[list(columns[:count])]
        correlation = 0.0 if block.correlation is None else float(medians[columns[count]])
        joint = share_of_all(shares, correlation, np.empty(count))
        lower, upper = frechet_bounds(shares)
        yield "; ".join(" ".join(levels) for levels in places), float(joint), float(lower), float(upper)
