"""At-risk model `index`: a composite index of covariates on a logistic scale (docs/at_risk_models.md).

    I_o           = sum over j of w_j sign_j z_oj, rescaled to standard deviation 1 over the origins
    logit rho_cx  = alpha_x + b_x I_o + sum of the offsets that match + u_o,   u_o = origin_sd x origin_score

z is a covariate of ``[covariates]``, standardised over the origins on its transformed scale, panel by panel; w are
weights that sum to one. alpha_x is not a parameter: it is solved for, so that the mean share of the active population
is the drawn anchor. Nothing is estimated from the covariates; they only say which origins stand above others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from simcore.errors import ScenarioError
from simcore.scenario.fields import Level, Name, ReferenceText, Rule, Table, problem, split_reference
from simcore.scenario.references import Reference
from simcore.source_zone.mean_shares import persons_and_factors, references_by_exploitation

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.scenario.covariates import Covariates
    from simcore.source_zone.at_risk import AtRiskShares
    from simcore.source_zone.plan import FloatArray
    from simcore.uncertainty import ParameterSpace

KEY = ("at_risk", "index")


class OffsetRule(Rule):
    """Added to the log odds of the strata that match; all that match add up."""

    log_odds: ReferenceText


class IndexBlock(Table):
    """The table ``[at_risk.index]``."""

    weights: ReferenceText
    slope: ReferenceText
    anchors: dict[Level, ReferenceText]
    offsets: dict[Name, OffsetRule] = Field(default={})
    origin_sd: ReferenceText | None = None
    origin_score: ReferenceText | None = None
    panel: ReferenceText | None = None

    @model_validator(mode="after")
    def _effect_is_complete(self) -> IndexBlock:
        if (self.origin_sd is None) != (self.origin_score is None):
            missing, given = ("origin_sd", "origin_score") if self.origin_sd is None else ("origin_score", "origin_sd")
            raise problem(f"missing key: it goes with {given}", key=missing)
        return self


class IndexModel:
    """Composite index of covariates with a solved level."""

    name: ClassVar[str] = "index"
    Block: ClassVar[type[IndexBlock]] = IndexBlock

    @staticmethod
    def references(block: IndexBlock, scenario: Scenario) -> Iterator[Reference]:
        """Yield weights, anchors, slopes, offsets, the effect of the origin and the panel, after checking covariates.

        Raises
        ------
        ScenarioError
            If there are no covariates, one has no spread, the weights are of others, or the panels are not its panels.
        """
        covariates, strata = _covariates_of(scenario), scenario.strata_at_risk
        _check_spread(scenario, covariates)
        _check_weights(scenario, block, covariates)
        yield Reference(block.weights, (*KEY, "weights"), "shares", ({},))
        yield from references_by_exploitation(scenario, block.anchors, (*KEY, "anchors"), "mean_share")
        yield Reference(block.slope, (*KEY, "slope"), "factor", strata)
        for name, rule in block.offsets.items():
            uses = tuple(place for place in strata if scenario.matches(rule.where, place))
            yield Reference(rule.log_odds, (*KEY, "offsets", name, "log_odds"), "log_effect", uses)
        if block.origin_sd is not None and block.origin_score is not None:
            yield Reference(block.origin_sd, (*KEY, "origin_sd"), "standard_deviation", strata)
            yield Reference(block.origin_score, (*KEY, "origin_score"), "log_effect", strata)
        _check_panel(scenario, block, covariates)
        if block.panel is not None:
            yield Reference(block.panel, (*KEY, "panel"), "category", ({},))

    @staticmethod
    def compile(
        scenario: Scenario, block: IndexBlock, space: ParameterSpace, cells: Sequence[Mapping[str, str]]
    ) -> AtRiskShares:
        """Return the function from theta (float64 [n, P]) to shares (float64 [n, C, R])."""
        from simcore.source_zone.composite import IndexPlan, index_shares

        covariates, levels = _covariates_of(scenario), scenario.risk_levels
        persons, factor, active = persons_and_factors(scenario, space, cells)
        slope, origin_sd, origin_score, offset_start = [], [], [], [0]
        offsets: list[int] = []
        for cell, here in zip(cells, active, strict=True):
            for level in levels:
                place = {**cell, "exploitation": level}
                slope.append(space.column(block.slope, place) if here else -1)
                has_effect = here and block.origin_sd is not None and block.origin_score is not None
                origin_sd.append(space.column(block.origin_sd or "", place) if has_effect else -1)
                origin_score.append(space.column(block.origin_score or "", place) if has_effect else -1)
                if here:
                    offsets.extend(
                        space.column(rule.log_odds, place)
                        for rule in block.offsets.values()
                        if scenario.matches(rule.where, place)
                    )
                offset_start.append(len(offsets))
        origins = scenario.levels("origin")
        plan = IndexPlan(
            scores=standard_scores(covariates),
            weights=np.array(space.columns(block.weights, {}, covariates.names), dtype=np.int64),
            panel=-1 if block.panel is None else space.column(block.panel, {}),
            first_panel=0 if block.panel is None else _first_panel(scenario, block.panel),
            origin=np.array([origins.index(cell["origin"]) for cell in cells], dtype=np.int64),
            persons=persons,
            factor=factor,
            active=active,
            anchor=np.array(
                [space.column(block.anchors[level], {"exploitation": level}) for level in levels], dtype=np.int64
            ),
            slope=np.array(slope, dtype=np.int64),
            offset_start=np.array(offset_start, dtype=np.int64),
            offsets=np.array(offsets, dtype=np.int64),
            origin_sd=np.array(origin_sd, dtype=np.int64),
            origin_score=np.array(origin_score, dtype=np.int64),
        )

        def shares(theta: FloatArray) -> FloatArray:
            filled = np.empty((theta.shape[0], len(cells), len(levels)))
            index_shares(plan, theta, filled)
            return filled

        return shares

    @staticmethod
    def covariates(block: IndexBlock, scenario: Scenario) -> tuple[str, ...]:
        """Return the covariates that the index is made of: all that are declared."""
        return _covariates_of(scenario).names

    @staticmethod
    def describe(block: IndexBlock, scenario: Scenario) -> list[tuple[str, str]]:
        """Return what a reader should see: that nothing is estimated, the weights, and how alike the covariates are."""
        from simcore.uncertainty import ParameterSpace

        covariates = _covariates_of(scenario)
        space = ParameterSpace(scenario)
        columns = space.columns(block.weights, {}, covariates.names)
        weights = space.typical()[columns]
        signed = [
            f"{name} {'+' if sign > 0 else '-'}{weight:.3g}"
            for name, sign, weight in zip(covariates.names, covariates.signs, weights, strict=True)
        ]
        imputed = int(covariates.imputed.sum())
        lines = [
            (
                "index",
                f"prior only: with {covariates.imputed.shape[0]} origins nothing is estimated from the covariates; "
                "weights, slope and offsets are assumptions",
            ),
            ("covariates", f"sign and mean weight: {', '.join(signed)}"),
            ("imputed", f"{imputed} of {covariates.imputed.size} cells, in {covariates.panels} completed panels"),
        ]
        if len(covariates.names) > 1:
            first, second, correlation = most_alike(covariates)
            text = f"{first} and {second}: correlation {correlation:+.2f} over the origins"
            lines.append(("most alike", f"{text}; what they have in common counts with the weights of both"))
        return lines


def standard_scores(covariates: Covariates) -> npt.NDArray[np.float64]:
    """Return signed standard scores, float64 [M, O, J]: mean 0 and standard deviation 1 over the origins.

    They are taken on the transformed scale and panel by panel, with the number of origins as the divisor. Sums are
    exactly rounded, so that no library's order of summation shows in any bit.
    """
    scores = np.empty_like(covariates.transformed)
    panels, origins, count = scores.shape
    for panel in range(panels):
        for j in range(count):
            values = covariates.transformed[panel, :, j].tolist()
            mean = math.fsum(values) / origins
            spread = math.sqrt(math.fsum((value - mean) * (value - mean) for value in values) / origins)
            scores[panel, :, j] = [int(covariates.signs[j]) * (value - mean) / spread for value in values]
    return scores


def most_alike(covariates: Covariates) -> tuple[str, str, float]:
    """Return the two covariates with the largest absolute correlation over the origins (mean of panels), and it."""
    scores = standard_scores(covariates) * covariates.signs
    correlations = np.einsum("moj,mok->jk", scores, scores) / (scores.shape[0] * scores.shape[1])
    upper = np.triu(np.abs(correlations), 1)
    first, second = (int(i) for i in np.unravel_index(int(np.argmax(upper)), upper.shape))
    return covariates.names[first], covariates.names[second], float(correlations[first, second])


def _covariates_of(scenario: Scenario) -> Covariates:
    if scenario.covariates is None:
        raise scenario.error(KEY, "needs the table [covariates], which this scenario does not have")
    return scenario.covariates


def _check_spread(scenario: Scenario, covariates: Covariates) -> None:
    """Raise if a covariate is the same in all origins, in some panel: it has no standard scores."""
    # Equal but for rounding is equal: scores would blow the last digit up to a standard deviation.
    size = np.abs(covariates.transformed).max(axis=1)
    flat = np.ptp(covariates.transformed, axis=1) <= 1e-12 * size
    for panel, j in np.argwhere(flat):
        where = f" in panel {panel + 1}" if covariates.panels > 1 else ""
        text = f"has the same value in every origin{where}, so it cannot tell origins apart: leave it out"
        raise scenario.error(("covariates", "variables", covariates.names[j]), text)


def _check_weights(scenario: Scenario, block: IndexBlock, covariates: Covariates) -> None:
    """Raise unless the weights are those of the covariates, each once."""
    from simcore.scenario.checks import check_components

    key = (*KEY, "weights")
    error: ScenarioError | None = next(
        check_components(scenario, key, block.weights, "covariate", covariates.names, whole=True), None
    )
    if error is not None:
        raise error


def _first_panel(scenario: Scenario, panel: str) -> int:
    """Return the value of the panel parameter that stands for the first panel."""
    distribution = scenario.document.parameters[split_reference(panel)[0]].distribution
    return int(distribution.support()[0])


def _check_panel(scenario: Scenario, block: IndexBlock, covariates: Covariates) -> None:
    """Raise unless the panel parameter draws each of the panels, where there are several."""
    count = covariates.panels
    if block.panel is None:
        if count > 1:
            text = f"missing key: the covariates have {count} completed panels, and a parameter must say which one"
            raise scenario.error((*KEY, "panel"), text)
        return
    name, _ = split_reference(block.panel)
    distribution = scenario.document.parameters[name].distribution
    if not distribution.is_category:
        return  # said by the checks of all references
    place = ("parameters", name, "distribution")
    if distribution.categories:
        if len(distribution.categories) != count:
            text = f"must have a category per completed panel ({count}), got {len(distribution.categories)}"
            raise scenario.error((*place, "weights"), f"{text} (used in at_risk.index.panel)")
        return
    lowest, highest = (int(end) for end in distribution.support())
    for key, value, limit in (("min", lowest, 1), ("max", highest, count)):
        if value != limit:
            text = f"must be {limit}: the covariates have {count} completed panels; got {value}"
            raise scenario.error((*place, key), f"{text} (used in at_risk.index.panel)")
