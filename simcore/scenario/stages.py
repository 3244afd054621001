"""Stages of the way from a population to the identified, and which rule of a scenario stands at which of them.

A stage is where a figure would be looked for: the population, the people at risk, the trafficked, their destinations,
the way through the transit zone, the border, and those whom somebody identifies. The way is told apart by journey
point: a leg belongs to the point that it leaves. The border is every point with a leg to the arrival point, so it
follows from the scenario and not from a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simcore.scenario.fields import split_reference
from simcore.scenario.references import Reference

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario

POPULATION, AT_RISK, TRAFFICKED, DESTINATION = "population", "at_risk", "trafficked", "destination"
TRANSIT, BORDER, IDENTIFIED = "transit", "border", "identified"
STAGES = (POPULATION, AT_RISK, TRAFFICKED, DESTINATION, TRANSIT, BORDER, IDENTIFIED)
STAGE_TITLES = {
    POPULATION: "Population",
    AT_RISK: "At risk",
    TRAFFICKED: "Trafficked",
    DESTINATION: "Destination",
    TRANSIT: "Transit",
    BORDER: "Border",
    IDENTIFIED: "Identified",
}

Station = tuple[str, str]
"""(stage, journey point); the point is empty for a whole stage."""

_STAGE_OF_TABLE = {
    "population": POPULATION,
    "covariates": AT_RISK,
    "at_risk": AT_RISK,
    "strata": TRAFFICKED,  # the share of a combined exploitation
    "event": TRAFFICKED,
    "destinations": DESTINATION,
}


def border_points(scenario: Scenario) -> tuple[str, ...]:
    """Return the arrival point and the points with a leg to it, in the order of points."""
    transit = scenario.document.transit
    last = {leg.from_ for leg in transit.legs.values() if leg.to == transit.arrival_point} | {transit.arrival_point}
    return tuple(point for point in transit.points if point in last)


def stations(scenario: Scenario) -> tuple[Station, ...]:
    """Return every stage in order, and after the transit zone each of its journey points short of the border."""
    border = border_points(scenario)
    found: list[Station] = []
    for stage in STAGES:
        found.append((stage, ""))
        if stage == TRANSIT:
            found.extend((TRANSIT, point) for point in scenario.levels("point") if point not in border)
    return tuple(found)


def stations_of_origin(scenario: Scenario, origin: str) -> frozenset[Station]:
    """Return the stations that somebody from ``origin`` can pass."""
    met: set[Station] = {(stage, "") for stage in STAGES}
    for place in scenario.active_strata:
        if place["origin"] == origin:
            met.update((TRANSIT, point) for point in scenario.journey(place).forks)
    return frozenset(met & set(stations(scenario)))


def _station_of_point(scenario: Scenario, point: str) -> Station:
    return (BORDER, "") if point in border_points(scenario) else (TRANSIT, point)


def _stations_of_legs(scenario: Scenario, legs: Iterable[str]) -> tuple[Station, ...]:
    declared = scenario.document.transit.legs
    found = {_station_of_point(scenario, declared[leg].from_) for leg in legs}
    return tuple(station for station in stations(scenario) if station in found)


def stations_of(scenario: Scenario, reference: Reference) -> tuple[Station, ...]:
    """Return where on the way a reference stands, in the order of `stations`.

    What holds for the whole journey (re-attempts, their effect) stands at transit and at the border; so does a reward,
    but for its amounts on legs. What a switch takes its value from stands where the switch is used.
    """
    table, *rest = reference.key
    if table in _STAGE_OF_TABLE:
        return ((_STAGE_OF_TABLE[str(table)], ""),)
    part = (str(rest[0]), str(rest[1])) if len(rest) > 1 else ("", "")
    match (table, part[0]):
        case ("transit", "legs"):
            return _stations_of_legs(scenario, [part[1]])
        case ("transit", "branches"):
            return (_station_of_point(scenario, part[1]),)
        case ("transit", "modifiers"):
            return _stations_of_legs(scenario, {place["leg"] for place in reference.uses})
        case ("rewards", _) if len(rest) > 2 and rest[1] == "legs":
            return _stations_of_legs(scenario, [str(rest[2])])
        case ("parameters", switch):  # a case of a switch, or what decides it
            users = (other for other in scenario.references() if split_reference(other.text)[0] == switch)
            found = {station for other in users for station in stations_of(scenario, other)}
            return tuple(station for station in stations(scenario) if station in found)
    return ((TRANSIT, ""), (BORDER, ""))


def references_by_parameter(scenario: Scenario) -> dict[str, tuple[Reference, ...]]:
    """Return parameter -> the places that name it, in the order of parameters; empty for one that nothing uses."""
    found: dict[str, list[Reference]] = {name: [] for name in scenario.document.parameters}
    for reference in scenario.references():
        found[split_reference(reference.text)[0]].append(reference)
    return {name: tuple(references) for name, references in found.items()}


def first_stages(scenario: Scenario) -> dict[str, str]:
    """Return parameter -> the first stage that uses it; parameters that nothing uses are left out."""
    first: dict[str, str] = {}
    for name, references in references_by_parameter(scenario).items():
        met = {stage for reference in references for stage, _ in stations_of(scenario, reference)}
        if met:
            first[name] = min(met, key=STAGES.index)
    return first


def describe_references(references: Iterable[Reference]) -> list[str]:
    """Return which rules name a parameter, one line per kind of rule, such as ``legs ca_air, ca_sea: DIED``."""
    legs: dict[str, list[str]] = {}
    lines: dict[str, None] = {}
    for reference in references:
        table, *rest = (str(part) for part in reference.key)
        match (table, *rest):
            case ("transit", "legs", leg, "net", cause):
                legs.setdefault(cause, []).append(leg)
            case ("transit", "legs", leg, "split"):
                legs.setdefault("split", []).append(leg)
            case ("transit", "branches", point, rule, "shares", *leg):
                lines[f"choice at {point}, rule {rule}" + (f", leg {leg[0]}" if leg else "")] = None
            case ("transit", "reattempt", rule, "probability", attempt):
                lines[f"re-attempt {rule}, after attempt {int(attempt) + 1}"] = None
            case ("transit", "modifiers", rule, _):
                lines[f"modifier {rule}"] = None
            case ("event", "hazards", rule, _):
                lines[f"event hazard {rule}"] = None
            case ("event", "multipliers", rule, _):
                lines[f"event multiplier {rule}"] = None
            case ("event", "shared_effects", rule, _):
                lines[f"shared effect {rule}"] = None
            case ("destinations", "split", rule, _):
                lines[f"destination split {rule}"] = None
            case ("at_risk", model, *places, _) if places:
                lines[f"at-risk model {model}: {' '.join(places)}"] = None
            case ("rewards", reward, *places):
                lines[f"reward {reward}: {' '.join(places)}"] = None
            case ("population", "factor"):
                lines["factor on the population"] = None
            case ("at_risk", "odds_ratio"):
                lines["odds ratio between risks"] = None
            case ("transit", "attempt_effect"):
                lines["effect of each further attempt"] = None
            case _:
                lines[".".join((table, *rest))] = None
    by_legs: dict[tuple[str, ...], list[str]] = {}
    for cause, names in legs.items():
        by_legs.setdefault(tuple(names), []).append(cause)
    for named, causes in by_legs.items():
        lines[f"{'leg' if len(named) == 1 else 'legs'} {', '.join(named)}: {', '.join(causes)}"] = None
    return list(lines)
