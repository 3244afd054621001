"""`extend --dry-run`: the size of the longer file, and that what `extend` refuses is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

import simcore as api
from simcore.cli.interruption import StoppedAtOnce
from simcore.scenario import Scenario
from simcore.store import CHUNK_ROWS
from tests.unit.runner.continuing_samples import border, snapshot
from tests.unit.store.store_samples import seal

from .conftest import Call
from .test_continuing import LONG, RUN, TARGET, error, interrupting


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return border()


def forecast_of(text: str) -> dict[str, str]:
    """Lines of a forecast by their first word."""
    return {words[0]: " ".join(words[1:]) for words in map(str.split, text.splitlines()) if words}


def test_a_longer_run_is_forecast_by_a_pilot_of_it(simcore: Call, folder: Path, scenario: Scenario) -> None:
    api.run(scenario, replicates=CHUNK_ROWS + 5, seed=3, output=TARGET).close()
    before = snapshot(folder)
    done = simcore("extend", "x.h5", "-n", str(3 * CHUNK_ROWS), "--dry-run", "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    forecast = forecast_of(done.stdout)
    assert "nothing was written" in done.stdout
    assert forecast["replicates"] == "from 4,101 to 12,288: 8,192 to compute, 5 of them once more"
    assert forecast["pilot"] == "4,096 replicates in memory, seed 3"
    assert snapshot(folder) == before
    anew = forecast_of(simcore(*RUN, "-n", str(3 * CHUNK_ROWS), "--dry-run").stdout)
    assert forecast["disk"].split(" in ")[0] == anew["disk"].split(" in ")[0]  # of the whole file
    done = simcore("extend", "x.h5", "-n", str(CHUNK_ROWS + 5), "--dry-run")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "4,101 replicates are there already, nothing to compute\n"
    api.extend(TARGET, replicates=3 * CHUNK_ROWS).close()
    size, unit, _ = forecast["disk"].split(maxsplit=2)
    assert float(size) * {"KiB": 2**10, "MiB": 2**20}[unit] == pytest.approx(TARGET.stat().st_size, rel=0.05)


def test_a_small_file_says_little_of_a_large_one(simcore: Call, folder: Path, scenario: Scenario) -> None:
    """Going by the file, which is hardly more than its description, the forecast was 26 times too large."""
    api.run(scenario, nested=(4, 3), seed=3, output=TARGET).close()
    forecast = forecast_of(simcore("extend", "x.h5", "--nested", "4000x3", "--dry-run").stdout)
    api.extend(TARGET, nested=(4000, 3)).close()
    size, unit, _ = forecast["disk"].split(maxsplit=2)
    assert float(size) * {"KiB": 2**10, "MiB": 2**20}[unit] == pytest.approx(TARGET.stat().st_size, rel=0.2)


def test_what_extend_refuses_its_forecast_refuses(simcore: Call, folder: Path, scenario: Scenario) -> None:
    api.run(scenario, replicates=64, seed=3, design="lhs", output=TARGET).close()
    for way in ((), ("--dry-run",)):
        assert "design 'lhs' cannot be extended" in error(simcore("extend", "x.h5", "-n", "128", *way))
        assert "holds 64 replicates" in error(simcore("extend", "x.h5", "-n", "5", *way))
    with h5py.File(TARGET, "r+") as file:
        file.attrs["design"] = "random"
        del file.attrs["theta"]
    seal(TARGET)
    for way in ((), ("--dry-run",)):
        assert "does not say how it was made (attribute 'theta')" in error(simcore("extend", "x.h5", "-n", "128", *way))


def test_another_extension_that_was_begun_is_no_forecast(
    simcore: Call, folder: Path, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.run(scenario, replicates=64, seed=3, output=TARGET).close()
    with monkeypatch.context() as patch:
        interrupting(patch, StoppedAtOnce, 1)
        assert simcore("extend", "x.h5", "-n", str(4 * LONG), "-q").exit_code == 130
    for way in ((), ("--dry-run",)):
        refusal = error(simcore("extend", "x.h5", "-n", "128", *way))
        assert f"is being extended to {4 * LONG:,} replicates" in refusal
