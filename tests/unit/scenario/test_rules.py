"""Selectors, choice rules, parameter elements, journeys and what refers to what."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore.errors import ScenarioError
from simcore.scenario import Scenario, load_scenario
from simcore.scenario.schema import PointRule


@pytest.fixture
def river(scenarios: Path) -> Scenario:
    """The invented corridor."""
    return load_scenario(scenarios / "river.toml")


PLACE = {"origin": "highlands", "sex": "w", "age_band": "grown", "exploitation": "farm"}


def rules(**where: dict[str, list[str]] | None) -> dict[str, PointRule]:
    """Rules by name, each with its selector."""
    return {name: PointRule.model_validate({"where": chosen or {}, "point": name}) for name, chosen in where.items()}


def test_strata_are_in_order_of_their_index(river: Scenario) -> None:
    shape = [len(river.levels(axis)) for axis in river.strata_axes]
    assert len(river.strata) == 12
    for index, place in enumerate(river.strata):
        o, g, a, x = (river.levels(axis).index(place[axis]) for axis in river.strata_axes)
        assert ((o * shape[1] + g) * shape[2] + a) * shape[3] + x == index


def test_matches(river: Scenario) -> None:
    assert river.matches(None, PLACE)
    assert river.matches({}, PLACE)
    assert river.matches({"age_band": ["working"]}, PLACE)
    assert river.matches({"age_band": ["old", "working"], "sex": ["w"]}, PLACE)
    assert not river.matches({"age_band": ["working"], "sex": ["m"]}, PLACE)
    assert not river.matches({"age_band": ["working"]}, {**PLACE, "age_band": "old"})
    assert [place for place in river.strata if river.is_active(place)] == list(river.active_strata)
    assert len(river.active_strata) == 8


def test_choose(river: Scenario) -> None:
    some = rules(upper={"origin": ["highlands"]}, lower={"origin": ["low lands"]}, other=None)
    assert river.choose(some, PLACE, "transit.entry").point == "upper"
    assert river.choose(rules(women={"sex": ["w"]}, other=None), {**PLACE, "sex": "m"}, "x").point == "other"
    assert river.choose(rules(other=None), PLACE, "x").point == "other"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (rules(men={"sex": ["m"]}), r"transit\.entry: no rule for sex = 'w', and none without 'where'"),
        (rules(a={"sex": ["w"]}, b={"origin": ["highlands"]}), r"\.b: matches origin = 'highlands', sex = 'w', and"),
        (rules(a=None, b=None), r"transit\.entry\.b: has no 'where', and neither has 'a'"),
        ({}, r"transit\.entry: missing key"),
    ],
)  # fmt: skip
def test_choose_refuses(river: Scenario, given: dict[str, PointRule], words: str) -> None:
    with pytest.raises(ScenarioError, match=words) as caught:
        river.choose(given, PLACE, "transit.entry")
    assert "river.toml:" in str(caught.value)


def test_choose_each_agrees_with_choose(river: Scenario) -> None:
    entry = river.document.transit.entry
    chosen = river.choose_each(entry, river.strata, "transit.entry")
    assert sum(len(places) for places in chosen.values()) == len(river.strata)
    for name, places in chosen.items():
        assert all(river.choose(entry, place, "transit.entry") is entry[name] for place in places)


def test_elements(river: Scenario) -> None:
    plain = river.element("share_women", PLACE)
    assert (plain.name, plain.parameter, plain.columns, plain.components) == (
        "share_women",
        "share_women",
        ("share_women",),
        (),
    )
    indexed = river.element("again", PLACE)
    assert indexed.name == "again[highlands]"
    assert indexed.coordinates == {"origin": "highlands"}
    assert river.element("again[low lands]", PLACE).name == "again[low lands]"
    assert river.element("again[low lands]", {}) is river.element("again", {"origin": "low lands"})
    simplex = river.element("swim_split", {**PLACE, "leg": "swim"})
    assert simplex.columns == ("swim_split[CONTINUE]", "swim_split[turned back]", "swim_split[drowned]")
    assert simplex.components == ("CONTINUE", "turned back", "drowned")
    assert river.element("drowned", {**PLACE, "leg": "ferry"}).name == "drowned[ferry]"


def test_indexed_simplex_columns(scenarios: Path) -> None:
    river = load_scenario(scenarios / "river.toml", settings=['parameters.way_out.index=["sex","origin"]'])
    element = river.element("way_out", PLACE)
    assert element.columns == ("way_out[w,highlands][across]", "way_out[w,highlands][inland]")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("agan", "unknown parameter 'agan'; did you mean 'again'"),
        ("again[lowlands]", "unknown origin 'lowlands'; did you mean 'low lands'"),
        ("again[a,b]", "gives 2 levels for 1 index axes"),
        ("share_women[a]", "gives 1 levels for 0 index axes"),
        ("drowned", "'leg' has no single level where 'drowned' is used"),
    ],
)
def test_element_refuses(river: Scenario, reference: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        river.element(reference, PLACE)


def test_only_what_is_used_is_an_element(river: Scenario) -> None:
    assert set(river.elements()) == {
        "count_factor[highlands]", "count_factor[low lands]", "share_women", "share_men",
        "valley_multiplier[highlands]", "valley_multiplier[low lands]",
        "deception_hazard", "young_factor", "drought_sd", "way_out", "wariness",
        "again[highlands]", "again[low lands]", "ferry_share", "checked_on_road", "checked_on_ferry", "drowned[ferry]",
        "swim_split", "guard_factor",
    }  # fmt: skip


def test_references_say_where_and_for_whom(river: Scenario) -> None:
    references = {reference.key: reference for reference in river.references()}
    women = references["at_risk", "expert", "shares", "women", "parameter"]
    assert women.role == "probability"
    assert {place["sex"] for place in women.uses} == {"w"}
    road = references["transit", "legs", "road", "net", "turned back"]
    assert {(place["origin"], place["leg"]) for place in road.uses} == {("highlands", "road")}
    assert all(place["age_band"] != "old" for reference in river.references() for place in reference.uses
               if reference.key[0] != "population")  # fmt: skip


def test_journeys(river: Scenario) -> None:
    upper, lower = river.journey(PLACE), river.journey({**PLACE, "origin": "low lands"})
    assert upper.entry == "village"
    assert upper.legs == ("road", "ferry", "swim")
    assert upper.returned == {"road": "village", "ferry": "village", "swim": "landing"}
    assert lower.entry == "landing"
    assert lower.legs == ("ferry", "swim")
    assert lower.returned == {"ferry": "landing", "swim": "landing"}
    assert upper.forks["landing"].shares == {"ferry": "ferry_share", "swim": "rest"}
    assert upper.forks["village"].shares is None


def test_combined_exploitation(fixtures: Path) -> None:
    """A level for events of persons with both risks has no share and no hazard of its own."""
    scenario = load_scenario(
        fixtures / "tiny.toml",
        settings=[
            'strata.exploitation.dual={combines=["S","L"],share="dual_share"}',
            'parameters.dual_share={distribution={family="fixed",value=0.5},unit="share",grade="illustrative"}',
        ],
    )
    assert scenario.risk_levels == ("S", "L")
    assert scenario.levels("exploitation") == ("S", "L", "dual")
    assert len(scenario.strata_at_risk) == 2
    assert len(scenario.active_strata) == 3
    assert "dual_share" in scenario.elements()


def test_cycle_only_counts_for_those_who_can_walk_it(river_copy: Path) -> None:
    """A leg back is no cycle when the strata that take it do not take the leg there."""
    text = river_copy.read_text()
    text = text.replace(
        "[transit.branches.landing.all]\n",
        '[transit.branches.landing.low]\nwhere = { origin = "low lands" }\nleg = "back"\n'
        '[transit.branches.village.low]\nwhere = { origin = "low lands" }\nleg = "over"\n'
        '[transit.branches.village.all]\nleg = "road"\n'
        "[transit.branches.landing.all]\n",
    )
    legs = (
        '[transit.legs.back]\nfrom = "landing"\nto = "village"\nnet = {}\n'
        '[transit.legs.over]\nfrom = "village"\nto = "far_bank"\nnet = {}\n'
    )
    river_copy.write_text(text + legs)
    scenario = load_scenario(river_copy)
    assert scenario.journey({**PLACE, "origin": "low lands"}).legs == ("over", "back")
    assert scenario.journey(PLACE).legs == ("road", "ferry", "swim")


def test_return_point_opens_the_way_onwards(river_copy: Path) -> None:
    """A point that is reached only by being returned to it needs a way onwards as well."""
    text = river_copy.read_text().replace('landing = { label = "the landing" }', "landing = {}\njail = {}")
    text = text.replace('returned_to = "landing"', 'returned_to = "jail"')
    river_copy.write_text(text)
    with pytest.raises(ScenarioError, match=r"transit\.points\.jail: no leg leaves this point"):
        load_scenario(river_copy)
