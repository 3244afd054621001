"""list, info, expected, verify, warmup: what they print, and that their JSON is data and nothing else."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simcore as api
from simcore import verification
from simcore.verification import Check

from .conftest import FIXTURES, TINY, Call


def as_json(simcore: Call, *arguments: str, code: int = 0) -> Any:
    """Call with --json; nothing but data may be on stdout, and nothing on stderr."""
    done = simcore(*arguments, "--json")
    assert done.exit_code == code, done.output
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_list(simcore: Call) -> None:
    known = {row["name"]: row for row in as_json(simcore, "list")}
    assert known["phase1"]["cohort_year"] == 2005
    assert known["phase1_2020"]["cohort_year"] == 2020
    assert Path(known["phase1"]["path"]).is_file()
    lines = simcore("list").stdout.splitlines()
    assert lines[0].split() == ["name", "title", "cohort", "year", "path"]
    assert any(line.startswith("phase1 ") and "2005" in line for line in lines)


def test_list_takes_the_cohort_year_of_a_base(tmp_path: Path) -> None:
    from simcore.cli.listing import _cohort_year

    (tmp_path / "base.toml").write_text("cohort_year = 1999\n")
    (tmp_path / "patch.toml").write_text('base = "base.toml"\nname = "patch"\n')
    (tmp_path / "loop.toml").write_text('base = "loop.toml"\n')
    assert _cohort_year(tmp_path / "patch.toml") == 1999
    assert _cohort_year(tmp_path / "loop.toml") is None
    assert _cohort_year(tmp_path / "absent.toml") is None


def test_info(simcore: Call, results_file: Path) -> None:
    found = as_json(simcore, "info", str(results_file))
    assert found["replicates"] == 300
    assert found["status"] == "complete"
    assert found["attributes"]["Run"]["seed"] == "3"
    assert found["bytes"] == results_file.stat().st_size
    names = [variable["name"] for variable in found["variables"]]
    assert names == ["persons", "at_risk", "victims", "destination", "reached", "visits", "outcome", "attempts"]
    victims = found["variables"][2]
    assert victims["shape"][0] == 300
    assert victims["chunks"][0] == 4096
    assert victims["stored_bytes"] > 0
    assert found["ledger"]["replicates"] == 300
    assert "verified" not in found
    text = simcore("info", str(results_file)).stdout
    for word in ("Scenario", "Environment", "numpy", "Dimensions", "US_SWB", "victims", "1 blocks", "seed"):
        assert word in text


def test_info_verify(simcore: Call, results_file: Path, folder: Path) -> None:
    done = simcore("info", str(results_file), "--verify")
    assert done.exit_code == 0
    assert "verified" in done.stdout
    assert as_json(simcore, "info", str(results_file), "--verify")["damage"] == []
    damaged = folder / "damaged.h5"
    shutil.copy(results_file, damaged)
    with api.open_results(damaged) as results:
        place = results._file["outcome"].id.get_chunk_info(0)
    content = bytearray(damaged.read_bytes())
    content[place.byte_offset + place.size // 2] ^= 0x10
    damaged.write_bytes(content)
    done = simcore("info", str(damaged), "--verify")
    assert done.exit_code == 1
    assert "damaged: " in done.stdout
    found = as_json(simcore, "info", str(damaged), "--verify", code=1)
    assert found["verified"] is False
    assert found["damage"][0]["part"] == "block"


class TestExpected:
    """The closed form at the command line."""

    def row(self, data: Any, quantity: str, label: str = "", **place: str) -> dict[str, Any]:
        """The one row of a quantity."""
        found = [
            row
            for row in data["rows"]
            if row["quantity"] == quantity and row["label"] == label and place.items() <= row.items()
        ]
        assert len(found) == 1
        return dict(found[0])

    def test_typical_has_the_known_answers(self, simcore: Call) -> None:
        data = as_json(simcore, "expected", TINY, "--typical")
        assert data["simulated"] is False
        victims = self.row(data, "victims")
        assert victims["mean"] == pytest.approx(472.66773456, abs=5e-9)
        assert victims["sd_chance"] ** 2 == pytest.approx(470.43358669, abs=5e-7)
        assert self.row(data, "interceptions")["mean"] == pytest.approx(67.22282441, abs=5e-9)
        arrived = self.row(data, "outcome", "ARRIVED_US")["mean"] / self.row(data, "destination", "US_SWB")["mean"]
        assert self.row(data, "arrival_fraction")["mean"] == pytest.approx(arrived)

    def test_over_draws_agrees_with_the_moments(self, simcore: Call) -> None:
        data = as_json(simcore, "expected", "phase1", "-n", "20", "--seed", "5")
        moments = api.expected(api.load_scenario("phase1"), draws=20, seed=5)
        weights = moments.weights("victims")
        mean, variance = moments.mean_of(weights)[:, 0], moments.variance_of(weights)[:, 0]
        row = self.row(data, "victims")
        assert row["median"] == pytest.approx(float(np.median(mean)))
        assert row["q95"] == pytest.approx(float(np.quantile(mean, 0.95)))
        assert row["sd_chance"] == pytest.approx(float(np.median(np.sqrt(variance))))
        between, within = float(np.var(mean, ddof=1)), float(np.mean(variance))
        assert row["share_from_parameters"] == pytest.approx(between / (between + within))
        assert self.row(data, "persons")["share_from_parameters"] == 1.0

    def test_fixed_parameters_leave_everything_to_chance(self, simcore: Call) -> None:
        data = as_json(simcore, "expected", TINY, "-n", "3")
        assert self.row(data, "victims")["share_from_parameters"] == pytest.approx(0.0, abs=1e-12)
        assert self.row(data, "persons")["share_from_parameters"] is None

    def test_first_order_spread_of_the_arrival_fraction(self, simcore: Call) -> None:
        # Given that n are bound, arrivals are binomial (all draws independent): sd about sqrt(p (1 - p) / n).
        data = as_json(simcore, "expected", TINY, "--typical", "--by", "exploitation")
        for kind in ("S", "L"):
            fraction = self.row(data, "arrival_fraction", exploitation=kind)
            bound = self.row(data, "destination", "US_SWB", exploitation=kind)["mean"]
            share = fraction["mean"]
            assert fraction["sd_chance"] == pytest.approx(math.sqrt(share * (1 - share) / bound), rel=1e-6)

    def test_by_axes_adds_up(self, simcore: Call) -> None:
        whole = as_json(simcore, "expected", "phase1", "--typical")
        by = as_json(simcore, "expected", "phase1", "--typical", "--by", "origin,exploitation")
        parts = [row["mean"] for row in by["rows"] if row["quantity"] == "victims"]
        assert len(parts) == 16
        assert sum(parts) == pytest.approx(self.row(whole, "victims")["mean"])
        assert self.row(by, "victims", origin="MEX", exploitation="labor")["mean"] > 0

    def test_what_a_bound_victim_collects(self, simcore: Call) -> None:
        data = as_json(simcore, "expected", TINY, "--typical", "--by", "exploitation")
        days = {row["exploitation"]: row for row in data["rewards"] if row["reward"] == "days"}
        assert days["S"]["mean"] == pytest.approx(19.0335086614, abs=5e-11)
        assert days["S"]["mean_of_arrived"] == pytest.approx(18.7101914836, abs=5e-11)
        assert days["L"]["unit"] == "days"
        caught = next(row for row in data["rewards"] if row["reward"] == "interceptions")
        assert caught["sd"] ** 2 == pytest.approx(0.4455076641, abs=5e-10)
        drawn = as_json(simcore, "expected", "phase1", "-n", "20", "--seed", "5", "--by", "origin")["rewards"]
        assert len(drawn) == 16
        exact = api.expected_rewards("phase1", draws=20, seed=5, by=["origin"])
        assert drawn[0]["median"] == pytest.approx(float(np.median(exact.mean[:, 0, 0])))
        assert drawn[0]["q95"] == pytest.approx(float(np.quantile(exact.mean[:, 0, 0], 0.95)))

    def test_nobody_bound_is_null(self, simcore: Call) -> None:
        none = "parameters.destination.distribution.shares={US_SWB=0,US_OTHER=0.3,FOREIGN=0.1,DOMESTIC=0.6}"
        for options in (["--typical"], ["-n", "3"]):
            data = as_json(simcore, "expected", TINY, "--set", none, *options)
            assert {row["mean"] for row in data["rewards"]} == {None}
            assert simcore("expected", TINY, "--set", none, *options).exit_code == 0

    @pytest.mark.parametrize("option", [("-n", "7"), ("--seed", "3")])
    def test_typical_draws_nothing(self, simcore: Call, option: tuple[str, str]) -> None:
        done = simcore("expected", TINY, "--typical", *option)
        assert done.exit_code == 2
        long = {"-n": "--draws"}.get(option[0], option[0])
        assert done.stderr == f"error: --typical {long} {option[1]}: one parameter set is used, so nothing is drawn\n"

    def test_table(self, simcore: Call) -> None:
        text = simcore("expected", TINY, "-n", "2").stdout
        assert "days" in text
        for word in ("nothing was simulated", "A count of a known-answer fixture", "not estimates of prevalence"):
            assert word in text
        assert "bound for US_SWB" in text
        assert "sd of chance" in simcore("expected", TINY, "--typical").stdout


class TestVerify:
    """Exit codes and tables; the checks themselves have tests of their own."""

    passing = Check("right", 1.0, 1.0, None, 1e-9, True, "a note")
    failing = Check("wrong", "ab", "ac", None, None, False, "another note")

    def give(self, monkeypatch: pytest.MonkeyPatch, *checks: Check) -> None:
        """Let these be all the checks there are."""
        monkeypatch.setattr(verification, "run_checks", lambda *, long=False, progress=None: list(checks))

    def test_all_pass(self, simcore: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        self.give(monkeypatch, self.passing)
        done = simcore("verify")
        assert done.exit_code == 0
        assert "1 of 1 checks passed" in done.stdout

    def test_one_fails(self, simcore: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        self.give(monkeypatch, self.passing, self.failing)
        done = simcore("verify", "--long")
        assert done.exit_code == 1
        assert "FAIL" in done.stdout
        assert "failed: wrong (another note)" in done.stdout
        data = as_json(simcore, "verify", code=1)
        assert data["passed"] is False
        assert [check["name"] for check in data["checks"]] == ["right", "wrong"]

    def test_no_checks_prove_nothing(self, simcore: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        self.give(monkeypatch)
        assert simcore("verify").exit_code == 1


def test_warmup(simcore: Call) -> None:
    done = simcore("warmup")
    assert done.exit_code == 0
    for word in ("collapsed walker", "leg-by-leg walker", "expected", "in all", "kept in"):
        assert word in done.stdout


def test_every_fixture_can_be_checked(simcore: Call) -> None:
    for path in FIXTURES.glob("*.toml"):
        assert simcore("check", str(path)).exit_code == 0
