"""Walk over a scenario and yield every place that names a parameter (`simcore.scenario.references`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simcore.scenario.fields import REST
from simcore.scenario.journeys import leg_causes
from simcore.scenario.locations import KeyPath
from simcore.scenario.references import Coordinates, Reference, distinct
from simcore.scenario.rewards import reward_references
from simcore.scenario.switches import references_of_switch

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario


def collect_references(scenario: Scenario) -> Iterator[Reference]:
    """Yield every reference of a scenario whose rules and journeys are sound.

    Raises
    ------
    ScenarioError
        If rules do not cover the active strata.
    """
    for reference in _named_references(scenario):
        yield reference
        yield from references_of_switch(scenario, reference)


def _named_references(scenario: Scenario) -> Iterator[Reference]:
    """Yield the references that stand in rules, blocks and legs; not what they lead to."""
    yield from _source_zone(scenario)
    yield from scenario.at_risk_model.references(scenario.at_risk_block, scenario)
    yield from _events(scenario)
    yield from _transit(scenario)
    yield from reward_references(scenario)


def _source_zone(scenario: Scenario) -> Iterator[Reference]:
    document = scenario.document
    cells = distinct(scenario.strata, ("origin", "sex", "age_band"))
    if document.population.factor is not None:
        yield Reference(document.population.factor, ("population", "factor"), "factor", cells)
    if document.at_risk.odds_ratio is not None:
        active = distinct(scenario.active_strata, ("origin", "sex", "age_band"))
        yield Reference(document.at_risk.odds_ratio, ("at_risk", "odds_ratio"), "odds_ratio", active)
    for name, level in document.strata.exploitation.items():
        if level.share is not None:
            uses = tuple(place for place in scenario.active_strata if place["exploitation"] == name)
            yield Reference(level.share, ("strata", "exploitation", name, "share"), "probability", uses)


def _events(scenario: Scenario) -> Iterator[Reference]:
    document, at_risk = scenario.document, scenario.strata_at_risk
    chosen = scenario.choose_each(document.event.hazards, at_risk, "event.hazards")
    for name, hazard in document.event.hazards.items():
        yield Reference(hazard.parameter, ("event", "hazards", name, "parameter"), "hazard", chosen[name])
    for name, multiplier in document.event.multipliers.items():
        uses = tuple(place for place in at_risk if scenario.matches(multiplier.where, place))
        yield Reference(multiplier.factor, ("event", "multipliers", name, "factor"), "factor", uses)
    for name, effect in document.event.shared_effects.items():
        key = ("event", "shared_effects", name, "standard_deviation")
        yield Reference(effect.standard_deviation, key, "standard_deviation", at_risk)
    split = scenario.choose_each(document.destinations.split, scenario.active_strata, "destinations.split")
    for name, shares in document.destinations.split.items():
        yield Reference(shares.shares, ("destinations", "split", name, "shares"), "shares", split[name])


def _transit(scenario: Scenario) -> Iterator[Reference]:
    transit, interception = scenario.document.transit, scenario.document.outcomes.interception
    journeys = [(place, scenario.journey(place)) for place in scenario.active_strata]
    on_leg: dict[str, list[Coordinates]] = {leg: [] for leg in transit.legs}
    at_point: dict[str, list[Coordinates]] = {point: [] for point in transit.points}
    for place, journey in journeys:
        for leg in journey.legs:
            on_leg[leg].append({**place, "leg": leg})
        for point in journey.forks:
            at_point[point].append(place)
    causes = {leg: leg_causes(scenario, leg) for leg in transit.legs}
    intercepted = tuple(place for place, journey in journeys if journey.returned)

    if transit.attempt_effect is not None:
        uses = tuple(place for leg, places in on_leg.items() if interception in causes[leg] for place in places)
        yield Reference(transit.attempt_effect, ("transit", "attempt_effect"), "log_effect", uses)
    reattempt = scenario.choose_each(transit.reattempt, intercepted, "transit.reattempt")
    for name, rule in transit.reattempt.items():
        for attempt, probability in enumerate(rule.probability):
            key: KeyPath = ("transit", "reattempt", name, "probability", attempt)
            yield Reference(probability, key, "probability", reattempt[name])
    for point, rules in transit.branches.items():
        chosen = scenario.choose_each(rules, at_point[point], ("transit", "branches", point))
        for name, branch in rules.items():
            key = ("transit", "branches", point, name, "shares")
            if isinstance(branch.shares, str):
                yield Reference(branch.shares, key, "shares", chosen[name])
            elif branch.shares is not None:
                for leg, share in branch.shares.items():
                    if share != REST:
                        uses = tuple({**place, "leg": leg} for place in chosen[name])
                        yield Reference(share, (*key, leg), "probability", uses)
    for name, declared in transit.legs.items():
        key = ("transit", "legs", name)
        if declared.split is not None:
            yield Reference(declared.split, (*key, "split"), "shares", tuple(on_leg[name]))
        for cause, probability in (declared.net or {}).items():
            yield Reference(probability, (*key, "net", cause), "probability", tuple(on_leg[name]))
    for name, modifier in transit.modifiers.items():
        uses = tuple(
            place
            for leg in modifier.legs or transit.legs
            if set(causes[leg]) & set(modifier.causes or causes[leg])
            for place in on_leg[leg]
            if scenario.matches(modifier.where, place)
        )
        yield Reference(modifier.factor, ("transit", "modifiers", name, "factor"), "factor", uses)
