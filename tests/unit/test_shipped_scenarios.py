"""The shipped scenarios and their tables: complete, consistent, honestly graded, every figure recomputed."""

from __future__ import annotations

import csv
import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
import pytest

from simcore.scenario import Scenario, load_scenario

ORIGINS = ("COL", "ECU", "SLV", "GTM", "MEX", "NIC", "PER", "VEN")
SHIPPED = {
    "phase1": 2005,
    "phase1_2020": 2020,
    "phase1_mixed": 2005,
    "phase1_shares": 2005,
    "phase1_index": 2005,
    "phase1_profile": 2005,
}
GRADES = {
    "phase1": {"derived": 5, "illustrative": 31},
    "phase1_2020": {"derived": 6, "illustrative": 30},
    "phase1_mixed": {"derived": 13, "illustrative": 48},
    "phase1_shares": {"derived": 13, "illustrative": 32},
    "phase1_index": {"derived": 5, "illustrative": 36},
    "phase1_profile": {"derived": 7, "illustrative": 30},
}
CHECK_ONLY = "check_only"
NORMAL_90 = 2 * 1.6448536269514722  # width of a normal 90% interval in standard deviations


def read_table(name: str) -> list[dict[str, str]]:
    text = resources.files("scenarios").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def read_toml(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("scenarios").joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def own_parameters(name: str) -> dict[str, Any]:
    """The parameters that a file declares or changes itself."""
    parameters: dict[str, Any] = read_toml(name).get("parameters", {})
    return parameters


def all_parameters() -> set[str]:
    return {key for name in SHIPPED for key in own_parameters(name)}


def ids(cell: str) -> list[str]:
    return cell.split(";")


def sources_of(parameter: Mapping[str, Any]) -> list[str]:
    source = parameter.get("source", [])
    return [source] if isinstance(source, str) else list(source)


@pytest.fixture(scope="module")
def scenarios() -> dict[str, Scenario]:
    return {name: load_scenario(name) for name in SHIPPED}


@pytest.fixture(scope="module")
def evidence() -> dict[str, dict[str, str]]:
    rows = read_table("evidence.csv")
    table = {row["evidence_id"]: row for row in rows}
    assert len(table) == len(rows)
    return table


@pytest.fixture(scope="module")
def sources() -> set[str]:
    return {row["source_id"] for row in read_table("sources.csv")}


# --- the scenarios ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_loads_without_warnings(scenarios: dict[str, Scenario], name: str) -> None:
    scenario = scenarios[name]
    assert scenario.name == name
    assert list(scenario.warnings) == []  # among others: no parameter is unused
    assert scenario.document.cohort_year == SHIPPED[name]
    assert tuple(scenario.levels("origin")) == ORIGINS


@pytest.mark.parametrize("name", SHIPPED)
def test_every_parameter_is_described(scenarios: dict[str, Scenario], name: str) -> None:
    for key, parameter in scenarios[name].document.parameters.items():
        assert parameter.label, key
        assert parameter.unit, key
        assert parameter.note, key


@pytest.mark.parametrize("name", SHIPPED)
def test_parameters_by_grade(scenarios: dict[str, Scenario], name: str) -> None:
    counts = Counter(parameter.grade for parameter in scenarios[name].document.parameters.values())
    assert dict(counts) == GRADES[name]


@pytest.mark.parametrize("name", SHIPPED)
def test_figures_cite_known_sources(scenarios: dict[str, Scenario], sources: set[str], name: str) -> None:
    scenario = scenarios[name]
    assert set(scenario.sources) == sources
    for key, parameter in scenario.document.parameters.items():
        cited = sources_of({"source": parameter.source or []})
        assert set(cited) <= sources, key
        assert cited or parameter.grade == "illustrative", key


@pytest.mark.parametrize("name", SHIPPED)
def test_notes_name_evidence_that_exists(evidence: dict[str, Any], sources: set[str], name: str) -> None:
    """Words of three or more parts in a note are names: of evidence, of a parameter or of a leg."""
    known = set(evidence) | all_parameters() | set(read_toml("phase1")["transit"]["legs"]) | sources
    for key, parameter in own_parameters(name).items():
        words = re.findall(r"\b[a-z]\w*_\w+_\w+\b", parameter.get("note", ""))
        assert set(words) <= known, key


def test_the_text_says_what_the_numbers_are_not(scenarios: dict[str, Scenario]) -> None:
    for scenario in scenarios.values():
        assert "flow" in scenario.document.description
        assert re.search(r"not an\s+estimate of prevalence", scenario.document.description)
        assert "under 18" in scenario.document.definition


def test_patch_changes_only_what_it_names(scenarios: dict[str, Scenario]) -> None:
    base, recent = (scenarios[name].document.parameters for name in ("phase1", "phase1_2020"))
    assert list(base) == list(recent)
    changed = {key for key in base if base[key].distribution != recent[key].distribution}
    assert changed == {
        "interception_between_poe",
        "reattempt_mexico",
        "reattempt_central_america",
        "died_from_north_zone",
    }
    assert scenarios["phase1"].document.transit == scenarios["phase1_2020"].document.transit
    assert scenarios["phase1"].document.definition == scenarios["phase1_2020"].document.definition


# --- population -------------------------------------------------------------------------------------------------------


def test_population_table_is_complete() -> None:
    rows = read_table("population.csv")
    cells = Counter((row["origin"], row["sex"], row["year"]) for row in rows)
    assert set(cells) == {(o, s, str(y)) for o in ORIGINS for s in ("female", "male") for y in SHIPPED.values()}
    assert set(cells.values()) == {21}
    assert all(float(row["persons"]) > 0 and row["source_id"] == "un_wpp2019" for row in rows)


def test_girls_of_12_to_17_in_mexico(scenarios: dict[str, Scenario]) -> None:
    scenario = scenarios["phase1"]
    cell = tuple(
        scenario.levels(axis).index(level)
        for axis, level in (("origin", "MEX"), ("sex", "female"), ("age_band", "12-17"))
    )
    assert scenario.population[cell] == 6_446_085.0


@pytest.mark.parametrize("name", SHIPPED)
def test_bands_hold_everybody(scenarios: dict[str, Scenario], name: str) -> None:
    totals = dict.fromkeys(ORIGINS, 0.0)
    for row in read_table("population.csv"):
        if int(row["year"]) == SHIPPED[name]:
            totals[row["origin"]] += float(row["persons"])
    found = scenarios[name].population.sum(axis=(1, 2))
    np.testing.assert_allclose(found, list(totals.values()), rtol=1e-12)


# --- sources and evidence ---------------------------------------------------------------------------------------------


def test_only_cited_sources_are_listed(evidence: dict[str, dict[str, str]], sources: set[str]) -> None:
    cited = {source for row in evidence.values() for source in ids(row["source_id"])}
    for name in SHIPPED:
        for parameter in own_parameters(name).values():
            cited.update(sources_of(parameter))
    cited.update(source for row in read_table("covariates.csv") for source in ids(row["source_id"]))
    assert cited == sources


def test_sources_state_licence_and_origin() -> None:
    for row in read_table("sources.csv"):
        assert all(row[key] for key in ("title", "publisher", "year", "licence", "licence_basis", "read_from")), row


def test_evidence_points_at_real_things(evidence: dict[str, dict[str, str]], sources: set[str]) -> None:
    parameters = all_parameters()
    for key, row in evidence.items():
        assert set(ids(row["source_id"])) <= sources, key
        used_for = ids(row["used_for"])
        assert used_for == [CHECK_ONLY] or set(used_for) <= parameters, key
        assert all(row[column] for column in ("quantity", "unit", "kind", "use")), key


def test_missing_stays_missing(evidence: dict[str, dict[str, str]]) -> None:
    gaps = {key for key, row in evidence.items() if not (row["value"] or row["low"] or row["high"])}
    assert gaps == {key for key, row in evidence.items() if row["kind"] == "missing"}
    assert gaps == {f"inm_2005_{origin}" for origin in ("COL", "ECU", "NIC", "PER", "VEN")}


def test_unverified_headline_figures_are_for_checking_only(evidence: dict[str, dict[str, str]]) -> None:
    for key in (
        "cross_border_sex_share",
        "cross_border_female_share",
        "cross_border_minor_share",
        "into_us_latin_america_2004",
        "into_us_tip2005",
        "t_visa_fraction",
    ):
        assert evidence[key]["used_for"] == CHECK_ONLY


def test_derived_parameters_rest_on_evidence(evidence: dict[str, dict[str, str]]) -> None:
    used = {name for row in evidence.values() for name in ids(row["used_for"])}
    for name in SHIPPED:
        for key, parameter in own_parameters(name).items():
            if parameter.get("grade") == "derived":
                assert key in used, key


# --- the arithmetic ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def figure(evidence: dict[str, dict[str, str]]) -> Any:
    return lambda key, column="value": float(evidence[key][column])


def agree(published: float, computed: float) -> bool:
    """Whether a figure of the table, rounded to three significant digits, is the computed one (within 0.5%)."""
    return abs(published - computed) <= 0.005 * abs(computed)


def test_share_caught_at_the_border(figure: Any) -> None:
    for year, entries, key in (
        (2000, "successful_entries_2000", "implied_apprehension_prob_fy2000"),
        (2005, "successful_entries_2005_low", "implied_apprehension_prob_fy2005"),
        (2016, "successful_entries_2016", "implied_apprehension_share_fy2016"),
    ):
        events = figure(f"usbp_sw_{year}_ALL")
        assert round(events / (events + figure(entries)), 3) == figure(key)
    events, entries = figure("usbp_sw_2005_ALL"), figure("successful_entries_2005_high")
    assert round(events / (events + entries), 3) == figure("implied_apprehension_prob_fy2005", "low")


@pytest.mark.parametrize(
    ("name", "mean", "spread", "size"),
    [
        ("phase1", "implied_apprehension_prob_fy2005", "apprehension_share_2006", "between_poe_size_2005"),
        ("phase1_2020", "implied_apprehension_share_fy2016", "apprehension_share_2016", "between_poe_size_2016"),
    ],
)
def test_interception_between_crossings(figure: Any, name: str, mean: str, spread: str, size: str) -> None:
    sd = (figure(spread, "high") - figure(spread, "low")) / NORMAL_90
    centre = figure(mean)
    assert round(centre * (1 - centre) / sd**2 - 1) == figure(size)
    distribution = read_toml(name)["parameters"]["interception_between_poe"]["distribution"]
    assert distribution == {"family": "beta", "mean": centre, "size": figure(size)}


def test_share_caught_in_mexico(figure: Any) -> None:
    def caught(ratio: float, at_border: float) -> float:
        return ratio * at_border / (1 + ratio * at_border)

    early, late = "apprehension_share_2006", "apprehension_share_2016"
    for period, group, middle, band in (
        ("2005", "SLV", "implied_apprehension_prob_fy2005", early),
        ("2005", "GTM", "implied_apprehension_prob_fy2005", early),
        ("2011_2018", "SLV", "implied_apprehension_share_fy2016", late),
        ("2011_2018", "GTM", "implied_apprehension_share_fy2016", late),
        ("2015", "CAM", "implied_apprehension_share_fy2016", late),
        ("2017", "CAM", "implied_apprehension_share_fy2016", late),
    ):
        ratio = figure(f"inm_{period}_{group}") / figure(f"usbp_sw_{period}_{group}")
        key = f"mexico_share_caught_{period}_{group}"
        assert agree(figure(key), caught(ratio, figure(middle))), key
        for end in ("low", "high"):
            assert agree(figure(key, end), caught(ratio, figure(band, end))), key
    for origin in ("SLV", "GTM"):
        ratio = figure(f"inm_2005_{origin}") / figure(f"usbp_sw_2005_{origin}")
        assert agree(figure(f"inm_usbp_ratio_2005_{origin}"), ratio)


def test_reattempt_of_mexicans(figure: Any) -> None:
    early = read_toml("phase1")["parameters"]["reattempt_mexico"]["distribution"]
    assert early["min"] == pytest.approx(1 - figure("deterred_after_repatriation_past", "high"))
    assert early["mode"] == figure("intent_to_recross_2007")
    assert early["max"] == pytest.approx(1 - figure("deterred_after_repatriation_past", "low"))
    late = read_toml("phase1_2020")["parameters"]["reattempt_mexico"]["distribution"]
    deterred = [figure("deterred_after_repatriation_2016", end) for end in ("low", "high")]
    assert late["min"] == figure("intent_to_recross_2017", "low")
    assert late["mode"] == pytest.approx(1 - sum(deterred) / 2)
    assert late["max"] == pytest.approx(1 - deterred[0])
    others = read_toml("phase1_2020")["parameters"]["reattempt_central_america"]["distribution"]
    assert others["mode"] == pytest.approx(1 - sum(deterred) / 2)
    assert others["max"] - others["min"] == pytest.approx(2.5 * (deterred[1] - deterred[0]))


def test_deaths_per_attempt(figure: Any) -> None:
    yearly = figure("border_deaths_1998_2015") / 18
    events, entries = figure("usbp_sw_2005_ALL"), figure("successful_entries_2005_low")
    early = yearly / (events + entries)
    assert agree(figure("deaths_per_attempt_2005"), early)
    assert agree(figure("deaths_per_attempt_2005", "low"), yearly * figure("apprehension_share_2006", "low") / events)
    assert agree(figure("deaths_per_attempt_2005", "high"), yearly * figure("apprehension_share_2006", "high") / events)

    north, south = figure("iom_deaths_2016_border_north"), figure("iom_deaths_2016_border_south")
    events, entries = figure("usbp_sw_2016_ALL"), figure("successful_entries_2016")
    late = north / (events + entries)
    assert agree(figure("deaths_per_attempt_2016"), late)
    assert agree(figure("deaths_per_attempt_2016", "low"), north * figure("apprehension_share_2016", "low") / events)
    highest = (north + south) * figure("apprehension_share_2016", "high") / events
    assert agree(figure("deaths_per_attempt_2016", "high"), highest)

    for name, rate in (("phase1", early), ("phase1_2020", late)):
        interval = read_toml(name)["parameters"]["died_from_north_zone"]["distribution"]
        assert interval["q05"] < rate < interval["q95"]

    bound = figure("iom_deaths_2015_central_america") / figure("inm_2015_CAM")
    assert agree(figure("deaths_per_detention_2015", "high"), bound)


def test_fractions_kept_for_later(figure: Any) -> None:
    approved = [figure(f"t_visa_principal_approved_fy{year}") for year in range(2005, 2010)]
    assert agree(figure("t_visa_fraction", "low"), min(approved) / figure("into_us_tip2005", "high"))
    assert agree(figure("t_visa_fraction", "high"), max(approved) / figure("into_us_tip2005", "low"))
    once = figure("reapprehension_once")
    assert agree(figure("recatch_geometric", "low"), 1 - math.sqrt(once))
    assert agree(figure("recatch_geometric", "high"), 1 - once)


def test_country_multipliers_have_the_stated_spread_and_rank_correlation(scenarios: dict[str, Scenario]) -> None:
    """One multiplier per country and kind of exploitation; the two of a country are correlated, and no others."""
    parameter = read_toml("phase1")["parameters"]["country_multiplier"]
    assert parameter["index"] == ["origin", "exploitation"]
    assert parameter["distribution"] == {"family": "lognormal", "median": 1, "gsd": 1.5}
    pairs = {(pair.first, pair.second): pair for pair in scenarios["phase1"].dependence_report.pairs()}
    origins = scenarios["phase1"].levels("origin")
    assert set(pairs) == {(f"country_multiplier[{o},sexual]", f"country_multiplier[{o},labor]") for o in origins}
    for pair in pairs.values():
        assert pair.asked == 0.5
        assert pair.got == pytest.approx(0.5, abs=1e-12)


# --- the journey ------------------------------------------------------------------------------------------------------


def test_two_ways_to_the_hub_share_their_draws(scenarios: dict[str, Scenario]) -> None:
    scenario = scenarios["phase1"]
    legs = scenario.document.transit.legs
    for cause, reference in (legs["ca_hub"].net or {}).items():
        andean = scenario.element(reference, {"origin": "COL", "leg": "ca_hub"})
        other = scenario.element((legs["origin_hub"].net or {})[cause], {"origin": "SLV", "leg": "origin_hub"})
        assert andean.columns == other.columns, cause


def test_every_leg_has_every_cause(scenarios: dict[str, Scenario]) -> None:
    document = scenarios["phase1"].document
    for name, leg in document.transit.legs.items():
        assert tuple(leg.net or ()) == document.outcomes.causes, name


@pytest.mark.parametrize("name", SHIPPED)
def test_no_beta_is_a_spike_at_zero_in_disguise(name: str) -> None:
    """A beta whose first shape parameter is far below 1 piles up at zero."""
    for key, parameter in own_parameters(name).items():
        law = parameter.get("distribution", {})
        if law.get("family") == "beta":
            first = law["alpha"] if "alpha" in law else law["mean"] * law["size"]
            assert first >= 1, key
