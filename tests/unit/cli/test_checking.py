"""`simcore check`: what a scenario rests on, counted by hand on an invented corridor."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import TINY, Call

SCENARIOS = Path(__file__).parents[2] / "scenarios"
RIVER = str(SCENARIOS / "river.toml")
SPARE = "parameters.spare={distribution={family='fixed',value=1.0},unit='ratio',grade='illustrative'}"


def as_json(simcore: Call, *arguments: str) -> Any:
    """Call with --json; nothing but data may be on stdout, and nothing on stderr."""
    done = simcore("check", *arguments, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return json.loads(done.stdout)


def test_what_is_in_it(simcore: Call) -> None:
    found = as_json(simcore, "phase1")
    assert found["valid"]
    assert (found["strata"], found["active_strata"], found["routes"]) == (160, 96, 20)
    assert sum(found["grades"].values()) == found["parameters"]
    assert sum(found["coverage"]["total"]["columns"].values()) == found["columns"]


def test_last_line(simcore: Call) -> None:
    # river: 16 parameters, 12 of them illustrative
    done = simcore("check", RIVER)
    assert done.exit_code == 0
    assert done.stdout.endswith("\nok: can be run, 16 parameters, 75.0 % of them illustrative\n")
    warned = simcore("check", RIVER, "--set", SPARE)
    assert warned.stdout.endswith("\nok: can be run, 17 parameters, 76.5 % of them illustrative, warnings: 1\n")


# stage -> grade -> (parameters, columns of theta); counted in the file
RIVER_GRADES = {
    "population": {"derived": (1, 2)},  # count_factor by origin
    "at_risk": {"illustrative": (3, 4)},  # two shares, a multiplier by origin
    "trafficked": {"illustrative": (3, 3)},
    "destination": {"elicited": (1, 2)},  # two shares
    "transit": {"illustrative": (3, 4)},  # again by origin
    "border": {"measured": (1, 1), "derived": (1, 1), "illustrative": (3, 5)},  # a split of three
}


def test_grades_by_stage(simcore: Call) -> None:
    coverage = as_json(simcore, RIVER)["coverage"]
    grades = ("measured", "derived", "elicited", "illustrative")
    assert [stage["stage"] for stage in coverage["stages"]] == list(RIVER_GRADES)
    for stage in coverage["stages"]:
        expected = RIVER_GRADES[stage["stage"]]
        assert stage["parameters"] == {grade: expected.get(grade, (0, 0))[0] for grade in grades}
        assert stage["columns"] == {grade: expected.get(grade, (0, 0))[1] for grade in grades}
    total = coverage["total"]
    assert total["parameters"] == {"measured": 1, "derived": 2, "elicited": 1, "illustrative": 12}
    assert total["columns"] == {"measured": 1, "derived": 3, "elicited": 2, "illustrative": 16}
    assert total["share_of_columns"] == {grade: count / 22 for grade, count in total["columns"].items()}


def test_table_of_grades(simcore: Call) -> None:
    lines = [line.split() for line in simcore("check", RIVER).stdout.splitlines()]
    assert ["border", "1", "(1)", "1", "(1)", ".", "3", "(5)"] in lines
    assert ["all", "1", "(1)", "2", "(3)", "1", "(2)", "12", "(16)"] in lines


def test_unused_parameters(simcore: Call) -> None:
    found = as_json(simcore, TINY, "--set", SPARE)
    assert found["unused_parameters"] == ["spare"]
    assert len(found["warnings"]) == 1
    assert found["coverage"]["stages"][-1]["stage"] is None
    done = simcore("check", TINY, "--set", SPARE)
    assert done.exit_code == 0
    assert "warning: " in done.stdout
    assert as_json(simcore, TINY)["unused_parameters"] == []


def test_sources(simcore: Call, tmp_path: Path) -> None:
    found = as_json(simcore, RIVER)["sources"]
    assert (found["cited"], found["described"], found["not_cited"]) == (["census", "ledger"], 2, [])
    assert (found["catalogue"], found["not_in_catalogue"]) == (0, [])
    for path in SCENARIOS.glob("river*"):
        shutil.copy(path, tmp_path)
    file = tmp_path / "river.toml"
    table = 'table = "river_sources.csv"'
    file.write_text(file.read_text().replace(table, f'{table}\ncatalogue = "catalogue.csv"'))
    (tmp_path / "river_sources.csv").open("a").write("diary,A diary,Somebody,2011,CC0\n")
    header = "source_id,title,stages,countries,access,grade,first_year,last_year\n"
    (tmp_path / "catalogue.csv").write_text(header + "census,Count,population,all,open_report,measured,2011,2011\n")
    found = as_json(simcore, str(file))["sources"]
    assert (found["catalogue"], found["not_in_catalogue"], found["not_cited"]) == (1, ["ledger"], ["diary"])
    assert "2, without a row in the catalogue: ledger" in simcore("check", str(file)).stdout
    (tmp_path / "catalogue.csv").write_text(header + "census,Count,populatoin,all,open_report,measured,2011,2011\n")
    done = simcore("check", str(file))
    assert done.exit_code == 2
    assert done.stderr == "error: catalogue.csv:2: stages: unknown stage 'populatoin'; did you mean 'population'?\n"


def test_missing_covariates(simcore: Call) -> None:
    assert as_json(simcore, RIVER)["covariates"] is None
    found = as_json(simcore, "phase1")["covariates"]
    assert (found["cells"], found["panels"]) == (96, 20)
    assert found["missing"] == [{"origin": "PER", "covariate": "homicide"}]
    assert "96 cells, 1 missing (imputed, 20 panels): PER homicide" in simcore("check", "phase1").stdout
    assert len(as_json(simcore, "phase1_2020")["covariates"]["missing"]) > 1


def test_dependence_as_asked_for(simcore: Call) -> None:
    tied = "dependence.sexes={parameters=['share_women','share_men'],spearman=0.5}"
    found = as_json(simcore, RIVER, "--set", tied)["dependence"]
    assert (found["groups"], found["pairs"], found["repaired"]) == (1, 1, False)
    assert "1 group, 1 pair, as asked for" in simcore("check", RIVER, "--set", tied).stdout
    assert as_json(simcore, RIVER)["dependence"] == {"groups": 0, "pairs": 0, "repaired": False, "most_moved": None}


def test_repaired_dependence(simcore: Call) -> None:
    # 1 + 2 (0.9)(0.9)(0.6) - 0.81 - 0.81 - 0.36 < 0: no three quantities are correlated so
    matrix = "[[1,0.9,0.9],[0.9,1,0.6],[0.9,0.6,1]]"
    tied = f"dependence.three={{parameters=['share_women','share_men','young_factor'],spearman={matrix}}}"
    found = as_json(simcore, RIVER, "--set", tied)["dependence"]
    assert found["repaired"]
    worst = found["most_moved"]
    assert worst["change"] == pytest.approx(abs(worst["got"] - worst["asked"]))
    assert 1e-4 < worst["change"] < 0.1
    assert "repaired by at most 0.0" in simcore("check", RIVER, "--set", tied).stdout


def test_fits(simcore: Call) -> None:
    good = "parameters.deception_hazard.distribution={family='lognormal',quantiles={q05=0.01,q95=0.1}}"
    bad = "parameters.young_factor.distribution={family='lognormal',quantiles={q05=0.1,q50=0.3,q95=2.0}}"
    assert as_json(simcore, RIVER)["fits"] == []
    first, second = as_json(simcore, RIVER, "--set", good, "--set", bad)["fits"]
    assert (first["parameter"], first["beyond_limit"]) == ("deception_hazard", False)
    assert first["largest_residual"] == pytest.approx(0.0, abs=1e-9)  # two quantiles, two parameters
    assert (second["parameter"], second["beyond_limit"]) == ("young_factor", True)
    text = simcore("check", RIVER, "--set", good, "--set", bad).stdout
    assert "(young_factor); beyond the limit: 1" in text
