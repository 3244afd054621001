"""Where on the way a rule stands: exact facts of an invented corridor."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore.scenario import Scenario, load_scenario
from simcore.scenario.stages import (
    STAGES,
    border_points,
    describe_references,
    first_stages,
    references_by_parameter,
    stations,
    stations_of,
    stations_of_origin,
)


@pytest.fixture(scope="module")
def river() -> Scenario:
    return load_scenario(Path(__file__).parents[2] / "scenarios" / "river.toml")


def test_the_border_follows_from_the_legs(river: Scenario) -> None:
    assert border_points(river) == ("landing", "far_bank")
    assert border_points(load_scenario("phase1")) == ("US_LINE", "US_SWB")


def test_stations(river: Scenario) -> None:
    assert stations(river) == (
        ("population", ""), ("at_risk", ""), ("trafficked", ""), ("destination", ""), ("transit", ""),
        ("transit", "village"), ("border", ""), ("identified", ""),
    )  # fmt: skip


def test_only_highlanders_pass_the_village(river: Scenario) -> None:
    whole = {(stage, "") for stage in STAGES}
    assert stations_of_origin(river, "highlands") == whole | {("transit", "village")}
    assert stations_of_origin(river, "low lands") == whole


FIRST = {
    "population": ["count_factor"],
    "at_risk": ["share_women", "share_men", "valley_multiplier"],
    "trafficked": ["deception_hazard", "young_factor", "drought_sd"],
    "destination": ["way_out"],
    "transit": ["wariness", "again", "checked_on_road"],
    "border": ["ferry_share", "checked_on_ferry", "drowned", "swim_split", "guard_factor"],
}


def test_first_stage_of_every_parameter(river: Scenario) -> None:
    found = first_stages(river)
    assert found == {name: stage for stage, names in FIRST.items() for name in names}
    assert set(found) == set(river.document.parameters)


def test_what_holds_for_the_whole_journey_stands_at_transit_and_border(river: Scenario) -> None:
    for name in ("wariness", "again"):
        for reference in references_by_parameter(river)[name]:
            assert stations_of(river, reference) == (("transit", ""), ("border", ""))
    (guards,) = references_by_parameter(river)["guard_factor"]
    assert stations_of(river, guards) == (("border", ""),)


RULES = {
    "count_factor": ["factor on the population"],
    "share_women": ["at-risk model expert: shares women"],
    "valley_multiplier": ["at-risk model expert: multipliers valley"],
    "deception_hazard": ["event hazard all"],
    "young_factor": ["event multiplier young"],
    "drought_sd": ["shared effect drought"],
    "way_out": ["destination split all"],
    "wariness": ["effect of each further attempt"],
    "again": ["re-attempt all, after attempt 1"],
    "ferry_share": ["choice at landing, rule all, leg ferry"],
    "checked_on_road": ["leg road: turned back"],
    "drowned": ["leg ferry: drowned"],
    "swim_split": ["leg swim: split"],
    "guard_factor": ["modifier guards"],
}


@pytest.mark.parametrize("name", RULES)
def test_rules_that_carry_a_parameter(river: Scenario, name: str) -> None:
    assert describe_references(references_by_parameter(river)[name]) == RULES[name]


def test_legs_with_the_same_parameter_share_a_line() -> None:
    references = references_by_parameter(load_scenario("phase1"))["died_from_north_zone"]
    assert describe_references(references) == ["legs north_zone, between_poe, at_poe: DIED"]


def test_a_parameter_that_nothing_uses_has_no_stage(river: Scenario) -> None:
    spare = "parameters.spare={distribution={family='fixed',value=1.0},unit='ratio',grade='illustrative'}"
    scenario = load_scenario(str(river.path), settings=[spare])
    assert references_by_parameter(scenario)["spare"] == ()
    assert "spare" not in first_stages(scenario)


def test_amounts_on_legs_stand_where_the_leg_begins(river: Scenario) -> None:
    hours = "rewards.hours={unit='hours', legs={road='wait', ferry=1}, reattempt='pause'}"
    wait, pause = (
        f"parameters.{name}={{distribution={{family='fixed',value=1.0}},unit='hours',grade='illustrative'}}"
        for name in ("wait", "pause")
    )
    scenario = load_scenario(str(river.path), settings=[hours, wait, pause])
    found = references_by_parameter(scenario)
    assert stations_of(scenario, found["wait"][0]) == (("transit", "village"),)
    assert stations_of(scenario, found["pause"][0]) == (("transit", ""), ("border", ""))
    assert describe_references(found["wait"]) == ["reward hours: legs road"]
