"""Sources by stage: exact counts on an invented corridor, the verb, and what the shipped catalogue says."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from analysis.sources import showing
from analysis.sources.coverage import Coverage, measure_coverage
from simcore.cli.program import app
from simcore.scenario import load_scenario
from simcore.scenario.catalogue import POOLED, read_catalogue

SCENARIOS = Path(__file__).parents[2] / "scenarios"
HEADER = (
    "source_id,series,title,stages,points,countries,sexes,first_year,last_year,years_missing,access,grade,bias,to_close"
)
CATALOGUE = f"""{HEADER}
census,heads,Count of the valleys,population,,all,w;m,2006,2011,2007-2010,open_download,measured,Counts at night.,Ask.
ledger,crossings,Ledger of the ferry,border,,highlands;pooled,together,2001,2007,highlands 2007,open_report,measured,B,C
diary,walks,A diary,transit,village,highlands,w,1990,1990,,open_report,illustrative,One [bold]walker[/].,More diaries.
survey,,A survey,at_risk,,all,w,,,,not_found,elicited,None exists.,Ask those at risk.
"""
BORDER, VILLAGE = ("border", ""), ("transit", "village")

Call = Callable[..., Result]


@pytest.fixture
def river(tmp_path: Path) -> Path:
    """The invented corridor with a catalogue of four rows; its cohort year is 2011."""
    for path in SCENARIOS.glob("river*"):
        shutil.copy(path, tmp_path)
    (tmp_path / "catalogue.csv").write_text(CATALOGUE)
    file = tmp_path / "river.toml"
    table = 'table = "river_sources.csv"'
    file.write_text(file.read_text().replace(table, f'{table}\ncatalogue = "catalogue.csv"'))
    return file


@pytest.fixture
def verb() -> Call:
    """Call `simcore sources`."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["sources", *(str(argument) for argument in arguments)])

    return call


def found(file: Path, **options: Any) -> Coverage:
    return measure_coverage(load_scenario(file), **options)


def names(rows: Any) -> list[str]:
    return [row.source for row in rows]


def test_cells(river: Path) -> None:
    cells = found(river).cells
    heads = cells[("population", ""), "highlands"]
    assert (names(heads.rows), names(heads.used), heads.borrowed) == (["census"], ["census"], ())
    # ferry_share cites census and ledger, checked_on_ferry the ledger: both stand at the border for both origins
    here, there = cells[BORDER, "highlands"], cells[BORDER, "low lands"]
    assert (names(here.rows), names(here.used), here.borrowed) == (["ledger"], ["ledger"], ("census",))
    assert (names(there.rows), names(there.used), there.borrowed) == ([], [], ("census", "ledger"))
    assert (here.is_gap, there.is_gap) == (False, True)
    assert names(cells[BORDER, POOLED].used) == ["ledger"]


def test_who_does_not_pass_is_no_gap(river: Path) -> None:
    cells = found(river).cells
    assert not cells[VILLAGE, "low lands"].passed
    assert not cells[VILLAGE, "low lands"].is_gap
    assert cells[VILLAGE, "highlands"].is_gap  # the diary is 21 years off


@pytest.mark.parametrize(
    ("within", "highlands", "pooled"), [(3, [], []), (4, [], ["ledger"]), (5, ["ledger"], ["ledger"])]
)
def test_years_near_the_cohort(river: Path, within: int, highlands: list[str], pooled: list[str]) -> None:
    cells = found(river, within=within).cells  # highlands to 2006, pooled to 2007, cohort 2011
    assert names(cells[BORDER, "highlands"].rows) == highlands
    assert names(cells[BORDER, POOLED].rows) == pooled


def test_by_sex(river: Path) -> None:
    cells = found(river, within=21).cells
    assert {sex: names(rows) for sex, rows in cells[VILLAGE, "highlands"].by_sex.items()} == {"w": ["diary"], "m": []}
    assert {sex: names(rows) for sex, rows in cells[BORDER, "highlands"].by_sex.items()} == {"w": [], "m": []}


def test_gaps(river: Path) -> None:
    coverage = found(river)
    both = ["highlands", "low lands"]
    assert coverage.gaps() == {
        ("at_risk", ""): both,
        ("trafficked", ""): both,
        ("destination", ""): both,
        ("transit", ""): both,
        VILLAGE: ["highlands"],
        BORDER: ["low lands"],
        ("identified", ""): both,
    }
    assert coverage.without_any() == [
        ("at_risk", ""), ("trafficked", ""), ("destination", ""), ("transit", ""), VILLAGE, ("identified", ""),
    ]  # fmt: skip


def test_uses(river: Path) -> None:
    coverage = found(river)
    assert {row.source: coverage.use_of(row) for row in coverage.rows} == {
        "census": "used", "ledger": "used", "diary": "", "survey": "",
    }  # fmt: skip
    by = {(citation.use, citation.by) for row in coverage.rows[:1] for citation in coverage.citations_of(row)}
    assert by == {("table", ""), ("parameter", "count_factor"), ("parameter", "ferry_share")}


def test_used_at_another_stage(river: Path) -> None:
    text = (river.parent / "catalogue.csv").read_text()
    (river.parent / "catalogue.csv").write_text(text.replace("crossings,Ledger of the ferry,border", "x,L,identified"))
    coverage = found(river)
    assert {row.source: coverage.use_of(row) for row in coverage.rows}["ledger"] == "elsewhere"


def test_evidence_and_checks_do_not_count_as_use(river: Path) -> None:
    (river.parent / "evidence.csv").write_text(
        "evidence_id,source_id,used_for\ne1,diary;ledger,checked_on_road\ne2,survey,check_only\ne3,diary,not_here\n"
    )
    river.write_text(river.read_text().replace("[sources]", '[sources]\nevidence = "evidence.csv"'))
    coverage = found(river, within=21)
    uses = {row.source: coverage.use_of(row) for row in coverage.rows}
    assert uses == {"census": "used", "ledger": "used", "diary": "evidence", "survey": "check"}
    village = coverage.cells[VILLAGE, "highlands"]
    assert (names(village.rows), village.used, village.borrowed) == (["diary"], (), ())


def test_a_source_is_used_for_those_whom_the_parameter_is_about(river: Path) -> None:
    # only highlanders take the road; the diary speaks of both valleys
    catalogue, described = river.parent / "catalogue.csv", river.parent / "river_sources.csv"
    catalogue.write_text(CATALOGUE.replace("transit,village,highlands,w,1990,1990", "transit,,all,w,2011,2011"))
    described.write_text(described.read_text() + "diary,A diary,Somebody,2011,CC0\n")
    scenario = load_scenario(river, settings=["parameters.checked_on_road.source='diary'"])
    cells = measure_coverage(scenario).cells
    whole = ("transit", "")
    assert [names(cells[whole, origin].rows) for origin in ("highlands", "low lands")] == [["diary"], ["diary"]]
    assert [names(cells[whole, origin].used) for origin in ("highlands", "low lands")] == [["diary"], []]


def test_cited_but_not_in_the_catalogue(river: Path) -> None:
    text = (river.parent / "catalogue.csv").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("ledger")]
    (river.parent / "catalogue.csv").write_text("\n".join(lines) + "\n")
    assert found(river).uncatalogued() == ["ledger"]
    assert found(river, stations_shown=[("population", "")]).uncatalogued() == ["ledger"]  # a filter changes nothing


def test_json_is_complete(river: Path, verb: Call) -> None:
    done = verb(river, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert (data["scenario"], data["cohort_year"], data["within"]) == ("river", 2011, 5)
    assert len(data["cells"]) == 8 * 3  # stations x (two origins and the pooled column)
    cell = next(c for c in data["cells"] if (c["stage"], c["origin"]) == ("border", "highlands"))
    assert cell["used"] == [{"source_id": "ledger", "series": "crossings"}]
    assert cell["borrowed"] == ["census"]
    rows = {row["source_id"]: row for row in data["catalogue"]}
    assert rows["ledger"]["years_missing"] == {"highlands": [2007]}
    assert (rows["survey"]["use"], rows["survey"]["near"], rows["survey"]["access"]) == (None, False, "not_found")
    assert {"stage": "border", "point": None, "origins": ["low lands"]} in data["gaps"]
    assert {"stage": "transit", "point": "village"} in data["without_any"]


def test_table(river: Path, verb: Call) -> None:
    lines = verb(river).stdout.splitlines()
    assert any(line.split() == ["population", "1/1", "1/1", "--"] for line in lines)
    assert any(line.split() == ["border", "1/1*", "--*", "1/1"] for line in lines)
    assert any(line.split() == ["village", "--", ".", "--"] for line in lines)
    assert any(line.startswith("no source at all") and "transit at village" in line for line in lines)
    assert any(line.split() == ["border", "low", "lands"] for line in lines)


def test_filters(river: Path, verb: Call) -> None:
    data = json.loads(verb(river, "--stage", "village", "--country", "highlands", "--json").stdout)
    assert [(cell["stage"], cell["point"], cell["origin"]) for cell in data["cells"]] == [
        ("transit", "village", "highlands"),
        ("transit", "village", None),
    ]
    assert [row["source_id"] for row in data["catalogue"]] == ["diary"]


def test_lists(river: Path, verb: Call) -> None:
    unused = verb(river, "--unused").stdout
    assert "diary" in unused
    assert "ledger" not in unused
    full = verb(river, "--full").stdout
    assert "One [bold]walker[/]." in full  # nothing is taken for markup
    assert "highlands 2007" in full
    gaps = verb(river, "--gaps").stdout
    assert "Ask those at risk." in gaps
    assert "More diaries." in gaps  # at hand, but too long ago
    assert "Ask.\n" not in gaps


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--stage", "bordr"], "error: --stage bordr: unknown stage or journey point; did you mean 'border'?\n"),
        (["--country", "highland"], "error: --country highland: unknown origin; did you mean 'highlands'?\n"),
        (["--within", "-1"], "error: --within -1: must be a whole number from 0 to 200\n"),
        (["--gaps", "--unused"], "error: --gaps --unused: give one of them, they list different things\n"),
    ],
)
def test_bad_options(river: Path, verb: Call, options: list[str], expected: str) -> None:
    done = verb(river, *options)
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", expected)


def test_a_scenario_without_a_catalogue(verb: Call) -> None:
    done = verb(SCENARIOS / "river.toml")
    assert done.exit_code == 2
    assert 'river.toml:28: sources: names no catalogue with rows: add catalogue = "FILE.csv"' in done.stderr


class Terminal(io.StringIO):
    """A terminal that remembers what was printed."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", ["river", "phase1"])
@pytest.mark.parametrize("part", ["show_coverage", "show_gaps", "full"])
def test_eighty_columns(river: Path, monkeypatch: pytest.MonkeyPatch, name: str, part: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coverage = measure_coverage(load_scenario(river if name == "river" else name))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    if part == "full":
        showing.show_lists(coverage, full=True)
    else:
        getattr(showing, part)(coverage)
    text = terminal.getvalue()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(len(line) for line in plain.splitlines()) <= 80
    if part == "show_coverage":
        assert re.search(r"\x1b\[1;31m *--", text), "a cell without a source stands out in colour too"


# --- the shipped catalogue --------------------------------------------------------------------------------------------


def shipped(name: str) -> list[dict[str, str]]:
    text = resources.files("scenarios").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def phase1() -> Coverage:
    return measure_coverage(load_scenario("phase1"))


def test_every_described_source_is_in_the_catalogue(phase1: Coverage) -> None:
    catalogued = {row.source for row in phase1.catalogue}
    assert {row["source_id"] for row in shipped("sources.csv")} <= catalogued
    assert phase1.uncatalogued() == []


def test_every_row_says_what_is_wrong_with_it_and_what_to_ask_for(phase1: Coverage) -> None:
    for row in phase1.catalogue:
        assert row.bias.endswith("."), row
        assert row.to_close.endswith("."), row
        assert not row.is_open or row.licence, row


def test_figures_lie_within_what_the_catalogue_says() -> None:
    """Every covariate value belongs to a series that has its country and year: two tables made apart agree."""
    rows = read_catalogue(load_scenario("phase1"))
    checked = 0
    for figure in shipped("covariates.csv"):
        for source in figure["source_id"].split(";"):
            series = [row for row in rows if row.source == source and figure["covariate"] in row.indicators]
            if not series:
                continue  # a denominator
            assert any(int(figure["year"]) in row.years(figure["origin"]) for row in series), figure
            checked += 1
    assert checked > 2000


def test_population_lies_within_what_the_catalogue_says() -> None:
    (row,) = (row for row in read_catalogue(load_scenario("phase1")) if row.series == "population by age and sex")
    figures = shipped("population.csv")
    assert figures
    for figure in figures:
        assert int(figure["year"]) in row.years(figure["origin"]), figure
        assert figure["sex"] in row.sexes


def test_what_phase1_borrows_and_lacks(phase1: Coverage) -> None:
    border_mexico = ("transit", "GTM_MEX_BORDER")
    press = "efe_2006_via_proceso_digital"
    for origin in ("SLV", "GTM"):
        assert press in names(phase1.cells[border_mexico, origin].used)
    for origin in ("COL", "ECU", "NIC", "PER", "VEN"):
        assert phase1.cells[border_mexico, origin].is_gap
        assert press in phase1.cells[border_mexico, origin].borrowed
    assert not phase1.cells[border_mexico, "MEX"].passed
    nowhere = [("transit", point) for point in ("ORIGIN", "CA_LANDING", "GTM_HUB")]
    assert phase1.without_any() == nowhere
    assert set(phase1.gaps()["trafficked", ""]) == set(phase1.origins)  # pooled figures only


def test_covariates_count_where_the_at_risk_model_takes_them(phase1: Coverage) -> None:
    index = measure_coverage(load_scenario("phase1_index"))
    (poverty,) = (row for row in index.catalogue if (row.source, row.series) == ("wb_wdi_via_gapminder", "poverty"))
    assert index.use_of(poverty) == "used"
    assert phase1.use_of(poverty) == "declared"
    (labour,) = (row for row in index.catalogue if row.series == "child labour")
    assert index.use_of(labour) == "", "homicide is used, child labour of the same source is not"


def test_a_later_cohort_has_other_sources_near() -> None:
    later = measure_coverage(load_scenario("phase1_2020"))
    (tiers,) = (row for row in later.catalogue if row.series == "tier placements")
    (deaths,) = (row for row in later.catalogue if row.series == "deaths at the border by origin")
    assert (later.is_near(tiers), later.is_near(deaths)) == (True, True)  # tiers of 2015
    assert not measure_coverage(load_scenario("phase1_2020"), within=4).is_near(tiers)
