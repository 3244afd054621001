"""The verb `simcore impute`: its file is reproducible and usable, and every mistake gets one line."""

from __future__ import annotations

import csv
import json
import shutil
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from simcore.cli.program import app
from simcore.scenario import load_scenario

RIVER = Path(__file__).parents[2] / "scenarios" / "river.toml"


def simcore(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["impute", *(str(argument) for argument in arguments)])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def copy(folder: Path) -> Path:
    """The shipped scenarios in a folder of the user's."""
    with resources.as_file(resources.files("scenarios")) as shipped:
        for name in ("phase1.toml", "phase1_2020.toml"):
            shutil.copy(shipped / name, folder / name)
        shutil.copytree(shipped / "data", folder / "data")
    patch = folder / "phase1_2020.toml"
    patch.write_text(patch.read_text().replace('base = "phase1"', 'base = "phase1.toml"'))
    return folder / "phase1.toml"


def test_same_seed_same_bytes_and_the_scenario_takes_the_file(copy: Path, folder: Path) -> None:
    first = simcore(copy, "--panels", "3", "--seed", "7", "-o", "a.csv")
    assert first.exit_code == 0, first.stderr
    assert simcore(copy, "--panels", "3", "--seed", "7", "-o", "b.csv").exit_code == 0
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()
    assert simcore(copy, "--panels", "3", "--seed", "8", "-o", "b.csv").exit_code == 0
    assert (folder / "a.csv").read_bytes() != (folder / "b.csv").read_bytes()
    for word in ("PER", "homicide", "missing information", "phase1: 1 of 96 cells"):
        assert word in first.stdout
    for word in ("seed 7", "warning: --panels 3", "panels: a.csv"):
        assert word in first.stderr

    found = load_scenario(copy, settings=['covariates.panels="a.csv"']).covariates
    assert found is not None
    assert found.panels == 3
    rows = list(csv.DictReader((folder / "a.csv").read_text().splitlines()))
    assert len(rows) == 95 + 3
    made = {row["note"] for row in rows if row["imputed"] == "1"}
    assert len(made) == 1
    for word in ("year 2005", "panels 3", "seed 7", "shift 0", "scikit-learn", "numpy"):
        assert word in next(iter(made))
    assert not list(folder.glob(".*.part"))


def test_json_and_shift(copy: Path) -> None:
    done = simcore(copy, "--panels", "2", "--seed", "7", "--shift", "-0.5", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["shift"], found["panels"], found["seed"], found["output"]) == (-0.5, 2, 7, None)
    (cell,) = found["imputed"]
    assert (cell["origin"], cell["covariate"], cell["known_year"]) == ("PER", "homicide", 2011)
    assert "nothing was written" in done.stderr
    plain = json.loads(simcore(copy, "--panels", "2", "--seed", "7", "--json").stdout)["imputed"][0]
    assert cell["median"] < plain["median"]


def test_nothing_missing(copy: Path) -> None:
    done = simcore(copy, "--set", "covariates.window=6", "-o", "x.csv")
    assert done.exit_code == 0
    assert "nothing is missing within 6 years of 2005" in done.stderr
    assert not Path("x.csv").exists()


def test_panels_of_one_cohort_do_not_serve_another(copy: Path) -> None:
    """The panels of 2005 on the scenario of 2020: refused in one line that says what to run."""
    done = CliRunner().invoke(app, ["check", "phase1_2020.toml", "--set", 'covariates.panels="data/panels_2005.csv"'])
    assert done.exit_code == 2
    text = str(done.exception or done.stderr) if not done.stderr else done.stderr
    assert "panels_2005.csv:2" in text
    assert "simcore impute" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--panels", "1"), "--panels 1: must be a whole number from 2"),
        (("--panels", "many"), "--panels many: must be a whole number"),
        (("--shift", "up"), "--shift up: must be a number from -10 to 10"),
        (("--shift", "nan"), "--shift nan: must be a number"),
        (("--seed", "-1"), "--seed -1"),
        (("-o", "panels.txt"), "-o panels.txt: must end in .csv"),
        (("-o", "nowhere/panels.csv"), "there is no folder 'nowhere'"),
        (("-o", "data/covariates.csv"), "exists and is no table of panels"),
        (("--set", "covariates.window=x"), "covariates.window"),
    ],
)
def test_bad_options(copy: Path, words: tuple[str, ...], said: str) -> None:
    before = (copy.parent / "data" / "covariates.csv").read_bytes()
    done = simcore(copy, *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert (copy.parent / "data" / "covariates.csv").read_bytes() == before


def test_scenario_without_covariates() -> None:
    done = simcore(RIVER)
    assert done.exit_code == 2
    assert "has no table [covariates]" in done.stderr
