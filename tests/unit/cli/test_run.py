"""`simcore run`: what is written, said and refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import simcore as api

from .conftest import TINY, Call


def test_writes_a_file_and_reports(simcore: Call, folder: Path) -> None:
    done = simcore("run", TINY, "-n", "50", "-s", "7", "-o", "x.h5")
    assert done.exit_code == 0, done.stderr
    for word in ("seed 7", "50 replicates", "bound victims", "million/s", "peak memory", "x.h5"):
        assert word in done.stderr
    assert [path.name for path in folder.iterdir()] == ["x.h5"]
    with api.open_results("x.h5") as results:
        assert results.replicates == 50
        assert results.attributes["seed"] == "7"
        assert results.attributes["command_line"]


def test_headline_numbers_go_to_stdout(simcore: Call) -> None:
    pytest.importorskip("analysis.command_line")
    done = simcore("run", TINY, "-n", "50", "-s", "7", "-o", "x.h5")
    assert "Trafficked" in done.stdout
    assert "MCSE" in done.stdout


def test_without_the_package_of_headline_numbers_a_line_says_so(simcore: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from simcore.cli import elsewhere

    monkeypatch.setattr(elsewhere, "entries", lambda group: [])
    done = simcore("run", TINY, "-n", "5", "-o", "x.h5")
    assert done.exit_code == 0
    assert "no headline numbers" in done.stderr


def test_default_output_is_the_name_of_the_scenario(simcore: Call, folder: Path) -> None:
    assert simcore("run", TINY, "-n", "5", "-q").exit_code == 0
    assert (folder / "tiny.h5").is_file()


def test_seed_zero_is_a_seed(simcore: Call) -> None:
    assert "seed 0\n" in simcore("run", TINY, "-n", "5", "-s", "0", "-o", "x.h5").stderr
    with api.open_results("x.h5") as results:
        assert results.attributes["seed"] == "0"


def test_a_drawn_seed_is_printed_and_stored_and_repeats_the_run(simcore: Call) -> None:
    done = simcore("run", TINY, "-n", "20", "-o", "x.h5", "-q")
    match = re.fullmatch(r"seed (\d+)\n", done.stderr)
    assert match
    simcore("run", TINY, "-n", "20", "-o", "y.h5", "-s", match[1])
    with api.open_results("x.h5") as first, api.open_results("y.h5") as second:
        assert first.attributes["seed"] == match[1]
        assert np.array_equal(first.read("outcome"), second.read("outcome"))


def test_quiet_says_the_seed_only(simcore: Call) -> None:
    done = simcore("run", TINY, "-n", "5", "-s", "1", "-o", "x.h5", "--quiet")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "seed 1\n")


def test_verbose_says_more(simcore: Call) -> None:
    done = simcore("run", TINY, "-n", "5", "-s", "1", "-o", "x.h5", "-v")
    assert "scenario digest" in done.stderr
    assert "compiled kernels in" in done.stderr


def test_the_identical_finished_run_is_not_repeated(simcore: Call, folder: Path) -> None:
    arguments = ["run", TINY, "-n", "20", "-s", "4", "-o", "x.h5"]
    simcore(*arguments)
    content = (folder / "x.h5").read_bytes()
    done = simcore(*arguments, "-j", "2")
    assert done.exit_code == 0
    assert "holds this very run" in done.stderr
    assert "seed 4" in done.stderr
    assert (folder / "x.h5").read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [
        ["-s", "5"],
        ["--set", "transit.attempt_cap=2"],
        ["--walker", "leg-by-leg"],
        ["--store-ended"],
    ],
)
def test_another_run_is_not_overwritten(simcore: Call, folder: Path, change: list[str]) -> None:
    simcore("run", TINY, "-n", "20", "-s", "4", "-o", "x.h5")
    content = (folder / "x.h5").read_bytes()
    done = simcore("run", TINY, "-n", "20", "-s", "4", "-o", "x.h5", *change)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "x.h5: holds the results of another run" in done.stderr
    assert (folder / "x.h5").read_bytes() == content


def test_nested(simcore: Call) -> None:
    assert simcore("run", TINY, "--nested", "4x5", "-o", "x.h5", "-q").exit_code == 0
    with api.open_results("x.h5") as results:
        assert results.nested == (4, 5)
        assert results.theta_ids().tolist() == [row // 5 for row in range(20)]


def test_settings_change_the_scenario(simcore: Call) -> None:
    simcore("run", TINY, "-n", "20", "-o", "x.h5", "--set", "transit.attempt_cap=1", "-q")
    with api.open_results("x.h5") as results:
        assert results.labels("attempt") == ("1",)


def test_what_is_stored(simcore: Call) -> None:
    simcore(
        *("run", TINY, "-n", "5", "-o", "x.h5", "-q"),
        *("--store-by", "none", "--store-ended", "--store-theta", "none"),
    )
    with api.open_results("x.h5") as results:
        assert results.variable("victims").strata == ()
        assert results.variable("ended").trailing == ("leg", "cause")
        assert not results.stores_theta
    simcore("run", TINY, "-n", "5", "-o", "y.h5", "-q", "--store-by", "sex, age_band")
    with api.open_results("y.h5") as results:
        assert results.variable("victims").strata == ("sex", "age_band")
        assert results.stores_theta


def test_counts_may_be_written_as_powers(simcore: Call) -> None:
    assert simcore("run", TINY, "-n", "1e2", "-o", "x.h5", "-q").exit_code == 0
    with api.open_results("x.h5") as results:
        assert results.replicates == 100


@pytest.mark.parametrize("design", [["-n", "1"], ["-n", "1e6"], ["--nested", "200x500"], ["--nested", "3x2"]])
def test_dry_run_forecasts_and_writes_nothing(simcore: Call, folder: Path, design: list[str]) -> None:
    done = simcore("run", TINY, *design, "--dry-run", "-o", "x.h5", "-s", "1")
    assert done.exit_code == 0, done.stderr
    for word in ("time", "replicates/s", "disk", "x.h5", "nothing was written", "seed 1"):
        assert word in done.stdout
    assert list(folder.iterdir()) == []


def test_forecast_of_disk_is_near_the_truth(simcore: Call, folder: Path) -> None:
    from simcore.cli.forecast import make_forecast

    scenario = api.load_scenario(TINY)
    forecast = make_forecast(lambda **design: api.run(scenario, seed=1, **design), 30_000, 1)
    with api.run(scenario, replicates=30_000, seed=2, output=folder / "x.h5"):
        assert forecast.bytes == pytest.approx((folder / "x.h5").stat().st_size, rel=0.25)
    assert forecast.seconds > 0


def test_dry_run_warns_of_an_existing_file(simcore: Call, folder: Path) -> None:
    (folder / "x.h5").write_text("mine")
    done = simcore("run", TINY, "-n", "5", "--dry-run", "-o", "x.h5")
    assert done.exit_code == 0
    assert "x.h5: exists" in done.stderr
    assert (folder / "x.h5").read_text() == "mine"


def test_scenario_warnings_are_told(simcore: Call) -> None:
    spare = "parameters.spare={distribution={family='fixed',value=1.0},unit='ratio',grade='illustrative'}"
    done = simcore("run", TINY, "-n", "5", "-o", "x.h5", "--set", spare)
    assert done.exit_code == 0
    assert "warning: " in done.stderr


def test_what_was_set_is_said_wherever_the_scenario_is_named(simcore: Call) -> None:
    settings = ("transit.attempt_cap=1", 'title="another"')
    words = [part for setting in settings for part in ("--set", setting)]
    assert simcore("run", TINY, "-n", "20", "-s", "1", "-o", "x.h5", "-q", *words).exit_code == 0
    name = f"tiny with {', '.join(settings)}"
    assert f"scenario {name}, cohort of" in simcore("summary", "x.h5").stdout
    shown = simcore("info", "x.h5").stdout
    for setting in settings:
        assert setting in shown
    facts = json.loads(simcore("info", "x.h5", "--json").stdout)["attributes"]["Scenario"]
    assert facts["scenario_settings"] == "\n".join(settings)
    assert json.loads(simcore("summary", "x.h5", "--json").stdout)["scenario_settings"] == "\n".join(settings)
