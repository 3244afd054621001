"""At-risk model `profile`: from who the identified victims are to who is at risk (docs/at_risk_models.md).

    rho(z) = p0 f1(z) / f(z)

z are groups of persons, such as women, girls, men and boys; f is their share of the active population, f1 their share
of the victims, and p0 the share of the population at risk (Bayes' theorem with the roles of a case-control study).
Victims are seen only when somebody detects them, so the profile of the identified ones is first divided by the assumed
detection odds d(z) of each group and brought back to the sum 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from simcore.scenario.fields import Level, Name, ReferenceText, Rule, Table
from simcore.scenario.locations import KeyPath
from simcore.scenario.references import Reference, distinct
from simcore.source_zone.mean_shares import persons_and_factors, references_by_exploitation

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.source_zone.at_risk import AtRiskShares
    from simcore.source_zone.plan import FloatArray
    from simcore.uncertainty import ParameterSpace

KEY = ("at_risk", "profile")


class GroupRule(Rule):
    """A group of persons; without detection odds its victims are the ones that others are compared with (odds 1)."""

    detection_odds: ReferenceText | None = None


class ProfileBlock(Table):
    """The table ``[at_risk.profile]``."""

    anchors: dict[Level, ReferenceText]
    profiles: dict[Level, ReferenceText]
    groups: dict[Name, GroupRule] = Field(min_length=1)


class ProfileModel:
    """Profile of identified victims against that of the population."""

    name: ClassVar[str] = "profile"
    Block: ClassVar[type[ProfileBlock]] = ProfileBlock

    @staticmethod
    def references(block: ProfileBlock, scenario: Scenario) -> Iterator[Reference]:
        """Yield anchors, victims' profiles and detection odds, after checking the groups.

        Raises
        ------
        ScenarioError
            If a stratum belongs to no group or two, a group is empty or looks at exploitation, or a profile is not
            one of the groups.
        """
        from simcore.scenario.checks import check_components

        chosen = scenario.choose_each(block.groups, scenario.strata_at_risk, (*KEY, "groups"))
        for name, rule in block.groups.items():
            if "exploitation" in (rule.where or {}):
                text = "groups are of persons, not of events: only origin, sex and age_band can be named"
                raise scenario.error((*KEY, "groups", name, "where", "exploitation"), text)
            if not chosen[name]:
                text = "selects no stratum at risk: its share of the victims would come from nobody"
                raise scenario.error((*KEY, "groups", name), text)
        yield from references_by_exploitation(scenario, block.anchors, (*KEY, "anchors"), "mean_share")
        groups = tuple(block.groups)
        for reference in references_by_exploitation(scenario, block.profiles, (*KEY, "profiles"), "shares"):
            for error in check_components(scenario, reference.key, reference.text, "group", groups, whole=True):
                raise error
            yield reference
        for name, rule in block.groups.items():
            if rule.detection_odds is not None:
                yield Reference(rule.detection_odds, (*KEY, "groups", name, "detection_odds"), "odds_ratio", ({},))

    @staticmethod
    def compile(
        scenario: Scenario, block: ProfileBlock, space: ParameterSpace, cells: Sequence[Mapping[str, str]]
    ) -> AtRiskShares:
        """Return the function from theta (float64 [n, P]) to shares (float64 [n, C, R])."""
        from simcore.source_zone.case_control import ProfilePlan, profile_shares

        persons, factor, active = persons_and_factors(scenario, space, cells)
        levels, groups = scenario.risk_levels, tuple(block.groups)
        group = []
        for cell, here in zip(cells, active, strict=True):
            chosen = scenario.choose_each(block.groups, [cell], (*KEY, "groups")) if here else {}
            group.append(next((groups.index(name) for name, places in chosen.items() if places), -1))
        odds = [rule.detection_odds for rule in block.groups.values()]
        plan = ProfilePlan(
            persons=persons,
            factor=factor,
            group=np.array(group, dtype=np.int64),
            detection_odds=np.array([-1 if d is None else space.column(d, {}) for d in odds], dtype=np.int64),
            anchor=np.array([space.column(block.anchors[x], {"exploitation": x}) for x in levels], dtype=np.int64),
            profile=np.array(
                [space.columns(block.profiles[x], {"exploitation": x}, groups) for x in levels], dtype=np.int64
            ),
        )

        def shares(theta: FloatArray) -> FloatArray:
            filled = np.empty((theta.shape[0], len(cells), len(levels)))
            profile_shares(plan, theta, filled)
            return filled

        return shares

    @staticmethod
    def remarks(block: ProfileBlock, scenario: Scenario) -> Iterator[tuple[KeyPath, str]]:
        """Yield a warning for every hazard multiplier that tells apart what the groups tell apart already."""
        axes = {axis for rule in block.groups.values() for axis in rule.where or {}}
        for name, rule in scenario.document.event.multipliers.items():
            both = [axis for axis in scenario.strata_axes if axis in axes and axis in (rule.where or {})]
            if both:
                text = (
                    f"selects by {' and '.join(both)}, as the victims' profile of the at-risk model does: a group with "
                    "many victims is made frequent twice"
                )
                yield ("event", "multipliers", name), text

    @staticmethod
    def describe(block: ProfileBlock, scenario: Scenario) -> list[tuple[str, str]]:
        """Return what a reader should see: who is compared with whom, and the shares of the population."""
        axes = scenario.strata_axes[:3]
        persons = dict.fromkeys(block.groups, 0.0)
        for place in distinct(scenario.strata_at_risk, axes):
            at = tuple(scenario.levels(axis).index(place[axis]) for axis in axes)
            chosen = scenario.choose_each(block.groups, [place], (*KEY, "groups"))
            persons[next(name for name, places in chosen.items() if places)] += float(scenario.population[at])
        total = sum(persons.values()) or 1.0
        shares = ", ".join(f"{name} {count / total:.3g}" for name, count in persons.items())
        return [
            ("groups", f"share of the active population: {shares}"),
            ("profile", "victims who were identified, divided by assumed detection odds; the same in every origin"),
        ]
