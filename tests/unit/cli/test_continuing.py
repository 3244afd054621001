"""`resume`, `extend`, `rerun`, `info` of what is unfinished, and a disk without room: what is said, and exit codes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest

import simcore as api
from simcore.cli.interruption import Interruption, StoppedAtOnce
from simcore.runner import Progress, session, unfinished
from simcore.runner.blocks import BLOCK_ROWS
from simcore.scenario import Scenario
from simcore.store.parts import Parts
from simcore.store.provenance import environment
from simcore.store.target import parts_path
from tests.conftest import FIXTURES
from tests.unit.runner.continuing_samples import BORDER, Killed, border, interrupted, killed, snapshot

from .conftest import Call

LONG = 3 * BLOCK_ROWS
SETTINGS = [part for setting in BORDER for part in ("--set", setting)]
RUN = ["run", str(FIXTURES / "single_border.toml"), *SETTINGS, "-s", "3", "-o", "x.h5", "-j", "1"]
TARGET = Path("x.h5")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return border()


def error(done: Any) -> str:
    """The only line that a refusal writes."""
    assert (done.exit_code, done.stdout) == (2, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("error: ")
    return str(done.stderr).strip()


def damage(target: Path) -> None:
    with h5py.File(target) as file:
        chunk = file["totals/victims"].id.get_chunk_info(0)
    content = bytearray(target.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    content[chunk.byte_offset + chunk.size // 3] ^= 0xFF
    target.write_bytes(content)


# Going on -------------------------------------------------------------------------------------------------------------


def test_a_killed_run_from_refusal_to_end(simcore: Call, scenario: Scenario) -> None:
    killed(TARGET, scenario, seed=3, replicates=LONG)
    again = simcore(*RUN, "-n", str(LONG), "-q")
    assert again.exit_code == 2
    assert again.stderr.endswith("error: x.h5: this run was begun and did not end; go on with: simcore resume x.h5\n")
    other = simcore(*RUN, "-n", str(LONG + 1), "-q")
    assert "x.h5.parts holds another run that did not end (requested_replicates differs: " in other.stderr
    assert "finish it with 'simcore resume x.h5' and then extend it, " in other.stderr
    assert error(simcore("info", "x.h5.parts")).endswith("of a run that did not end; name its file: x.h5")
    assert "go on with: simcore resume x.h5" in simcore("summary", "x.h5").stderr
    done = simcore("resume", "x.h5", "-j", "1")
    assert done.exit_code == 0, done.stderr
    assert f"x.h5: going on up to {LONG:,} replicates" in done.stderr
    assert f"{BLOCK_ROWS:,} were there already" in done.stderr
    assert "Trafficked" in done.stdout
    assert os.listdir() == ["x.h5"]
    with api.open_results(TARGET) as results:
        assert results.status == "complete"
        (line,) = results.attributes["history"]
        assert f"resumed, {BLOCK_ROWS:,} of {LONG:,} replicates were there: " in line
    nothing = simcore("resume", "x.h5")
    assert nothing.exit_code == 0
    assert "holds this very run, finished" in nothing.stderr
    assert "going on up to" not in nothing.stderr
    assert "nothing to do" in simcore(*RUN, "-n", str(LONG)).stderr
    longer = error(simcore(*RUN, "-n", "20000", "-q"))
    assert longer.endswith(f"the first {LONG:,} replicates of this run; go on with: simcore extend x.h5 -n 20000")
    shorter = error(simcore(*RUN, "-n", "500", "-q"))
    assert shorter.endswith(
        f"holds {LONG:,} replicates of this run, asked for 500: nothing is taken away; choose another name"
    )


def test_a_killed_extension_is_not_forgotten(simcore: Call, scenario: Scenario, folder: Path) -> None:
    """The file is whole and says so; whoever looks at it learns that a longer one was begun."""
    assert simcore(*RUN, "-n", str(LONG), "-q").exit_code == 0

    def kill(state: Progress) -> None:
        if any(parts_path(TARGET).glob("shard-*.blocks")):
            raise Killed

    with pytest.raises(Killed):
        api.extend(TARGET, replicates=9 * BLOCK_ROWS, threads=1, progress=kill)
    safe = len(list(parts_path(TARGET).glob("shard-*"))) * BLOCK_ROWS
    note = f"x.h5.parts holds a run of {9 * BLOCK_ROWS:,} replicates that did not end, {safe:,} of them safe there"
    shown = simcore("info", "x.h5")
    assert f"note: {note}; go on with: simcore resume x.h5\n" in shown.stdout
    begun = json.loads(simcore("info", "x.h5", "--json", "--verify").stdout)["unfinished"]
    assert (begun["status"], begun["safe_replicates"], begun["verified"]) == ("unfinished", safe, True)
    assert note in simcore(*RUN, "-n", str(LONG)).stderr
    forecast = simcore("extend", "x.h5", "-n", str(9 * BLOCK_ROWS), "--dry-run")
    assert forecast.exit_code == 0
    assert f"{6 * BLOCK_ROWS - safe:,} to compute; {safe:,} are safe in x.h5.parts" in forecast.stdout

    shard = next(iter(parts_path(TARGET).glob("shard-*")))
    shard.write_bytes(shard.read_bytes()[:-1])
    broken = simcore("info", "x.h5", "--verify")
    assert broken.exit_code == 1
    assert f"damaged: {shard}: is a damaged shard (" in broken.stdout
    assert "compute just what is damaged again with: simcore resume x.h5 --repair" in broken.stdout
    assert simcore("resume", "x.h5", "--repair", "-q").exit_code == 0
    assert os.listdir() == ["x.h5"]
    assert json.loads(simcore("info", "x.h5", "--json").stdout).get("unfinished") is None


def test_damage_names_what_mends_it(simcore: Call, results_file: Path) -> None:
    shutil.copy(results_file, TARGET)
    damage(TARGET)
    mend = "compute just what is damaged again with: simcore resume x.h5 --repair"
    assert error(simcore("summary", "x.h5")).endswith(f"; {mend}")
    checked = simcore("info", "x.h5", "--verify")
    assert checked.exit_code == 1
    assert checked.stdout.endswith(f"damaged parts: 1\n{mend}\n")
    assert error(simcore("resume", "x.h5")).endswith("; --repair computes just these again")
    assert simcore("resume", "x.h5", "--repair", "-q").exit_code == 0
    assert simcore("info", "x.h5", "--verify").exit_code == 0


def test_an_interrupted_file_is_resumed_and_extended(simcore: Call, scenario: Scenario) -> None:
    interrupted(TARGET, scenario, seed=3, replicates=LONG)
    again = simcore(*RUN, "-n", str(LONG), "-q")
    assert again.exit_code == 2
    assert f"of {LONG:,} replicates; go on with: simcore resume x.h5" in again.stderr
    assert simcore("resume", "x.h5", "-q").exit_code == 0
    done = simcore("extend", "x.h5", "-n", "20_000", "-v")
    assert done.exit_code == 0, done.stderr
    assert f"x.h5: from {LONG:,} to 20,000 replicates" in done.stderr
    assert f"{LONG:,} were there already" in done.stderr
    with api.open_results(TARGET) as results, api.run(scenario, replicates=20_000, seed=3) as whole:
        assert (results.read("outcome") == whole.read("outcome")).all()
        assert [line.split(" ")[1] for line in results.attributes["history"]] == ["resumed,", "extended,"]
    shown = simcore("info", "x.h5")
    assert "extended, " in shown.stdout


def test_a_design_grows_to_the_next_power_of_two(simcore: Call) -> None:
    assert simcore(*RUN, "-n", "128", "--design", "sobol", "-q").exit_code == 0
    done = simcore("extend", "x.h5", "-n", "200")
    assert done.exit_code == 0, done.stderr
    assert "256" in done.stderr
    with api.open_results(TARGET) as results:
        assert results.replicates == 256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resume", "nowhere.h5"], "nowhere.h5: no such file, and no unfinished run beside it (nowhere.h5.parts)"),
        (["extend", "nowhere.h5", "-n", "9"], "nowhere.h5: no such file"),
        (["extend", "x.h5"], "give either -n REPLICATES or --nested OUTERxINNER"),
        (["extend", "x.h5", "-n", "9", "--nested", "3x3"], "give either -n REPLICATES or --nested OUTERxINNER"),
        (["extend", "x.h5", "-n", "299"], "x.h5: holds 300 replicates, asked for 299: nothing is taken away"),
        (["extend", "x.h5", "-n", "0"], "-n 0: must be a whole number from 1"),
        (["extend", "x.h5", "-n", "many"], "-n many: must be a whole number from 1"),
        (["extend", "x.h5", "--nested", "300x2"], "has 1 replicates of each parameter set, and only the sets can grow"),
        (["extend", "x.h5", "-n", "400", "-j", "0"], "--threads 0: must be a whole number from 1 to"),
        (["extend", "x.h5", "-n", "400", "-q", "-v"], "give either --quiet or --verbose, not both"),
        (["resume", "x.h5", "-q", "-v"], "give either --quiet or --verbose, not both"),
        (["rerun", "nowhere.h5"], "nowhere.h5: no such file"),
        (["rerun", "x.h5", "-o", "x.h5/y.h5", "-q"], "'x.h5' is not a folder"),
    ],
)
def test_refusals_are_one_line(
    simcore: Call, results_file: Path, folder: Path, arguments: list[str], message: str
) -> None:
    shutil.copy(results_file, TARGET)
    before = snapshot(folder)
    assert message in error(simcore(*arguments))
    assert snapshot(folder) == before


def test_damage_and_environment_are_refused(
    simcore: Call, scenario: Scenario, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(TARGET, scenario, seed=3, replicates=LONG)
    damage(TARGET)
    before = snapshot(folder)
    assert error(simcore("resume", "x.h5", "-q")).endswith("; --repair computes just these again")
    assert snapshot(folder) == before
    checked = simcore("info", "x.h5", "--verify")
    assert checked.exit_code == 1
    assert simcore("resume", "x.h5", "-q", "--repair").exit_code == 0
    assert simcore("info", "x.h5", "--verify").exit_code == 0
    monkeypatch.setattr(unfinished, "environment", lambda: {**environment(), "numpy": "9.9"})
    assert "now 9.9: bits may differ" in error(simcore("extend", "x.h5", "-n", "20000", "-q"))
    done = simcore("extend", "x.h5", "-n", "20000", "-q", "--other-environment")
    assert done.exit_code == 0, done.stderr


# Looking at what is unfinished ----------------------------------------------------------------------------------------


def test_info_on_an_unfinished_run(simcore: Call, scenario: Scenario, folder: Path) -> None:
    killed(TARGET, scenario, seed=3, replicates=LONG, after=2)
    before = snapshot(folder)
    done = simcore("info", "x.h5")
    assert done.exit_code == 0, done.stderr
    for words in (
        "x.h5: not finished",
        f"{LONG:,} asked for",
        f"{2 * BLOCK_ROWS:,} replicates (",
        " in 2 shards)",
        "nobody now; go on with: simcore resume x.h5",
    ):
        assert words in done.stdout
    assert "single_border" in done.stdout
    data = json.loads(simcore("info", "x.h5", "--json").stdout)
    assert (data["status"], data["requested_replicates"], data["nested"]) == ("unfinished", LONG, [LONG, 1])
    assert (data["shards"], data["safe_replicates"], data["writer"]) == (2, 2 * BLOCK_ROWS, None)
    assert data["stored_bytes"] == sum(len(text) for name, text in before.items() if "shard-" in name)
    assert data["attributes"]["Run"]["seed"] == "3"
    assert snapshot(folder) == before
    for name in ("run.json", "run-copy.json"):
        (parts_path(TARGET) / name).write_text("{}")
    assert "run.json: is damaged" in error(simcore("info", "x.h5"))


def test_info_on_a_running_one(simcore: Call, scenario: Scenario) -> None:
    said: list[Any] = []

    def look(state: Progress) -> None:
        if not said and list(parts_path(TARGET).glob("shard-*.blocks")):
            said.extend(simcore("info", "x.h5", *more) for more in ([], ["--json"]))

    api.run(scenario, replicates=LONG, seed=3, threads=1, output=TARGET, progress=look).close()
    text, data = said
    assert (text.exit_code, data.exit_code) == (0, 0)
    assert f"process {os.getpid()} on " in text.stdout
    found = json.loads(data.stdout)
    assert found["status"] == "running"
    assert found["writer"].startswith(f"process {os.getpid()} on ")
    assert found["shards"] >= 1


def test_a_second_process_is_refused(simcore: Call, scenario: Scenario, folder: Path) -> None:
    killed(TARGET, scenario, seed=3, replicates=LONG)
    parts = Parts(TARGET).acquire()  # as another process would hold it
    before = snapshot(folder)
    for arguments in (["resume", "x.h5", "-q"], [*RUN, "-n", str(LONG), "-q"]):
        done = simcore(*arguments)
        assert done.exit_code == 2
        assert f": another process writes it (process {os.getpid()} on " in done.stderr.splitlines()[-1]
    assert snapshot(folder) == before
    parts.close(remove=False)


# Again ----------------------------------------------------------------------------------------------------------------


def test_rerun_says_identical_or_where_it_differs(simcore: Call, results_file: Path) -> None:
    shutil.copy(results_file, TARGET)
    done = simcore("rerun", "x.h5", "-o", "again.h5")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "identical: every number, label and document of x.h5 and again.h5\n"
    assert "x.h5: tiny, 300 replicates, made again from what is inside it" in done.stderr
    assert simcore("rerun", "x.h5", "-q").stdout.endswith("of x.h5 and the one made again\n")
    assert simcore("info", "again.h5", "--verify").exit_code == 0

    with h5py.File(TARGET, "r+") as file:
        file["victims"][7] += 1
    done = simcore("rerun", "x.h5", "-q", "-o", "third.h5")
    assert done.exit_code == 1
    head, line = done.stdout.splitlines()
    assert head == "different: x.h5 and third.h5 differ in 1 places"
    assert "victims" in line
    assert sorted(os.listdir()) == ["again.h5", "third.h5", "x.h5"]


def test_rerun_refuses_an_interrupted_file_and_an_output_that_exists(
    simcore: Call, scenario: Scenario, results_file: Path, folder: Path
) -> None:
    interrupted(TARGET, scenario, seed=3, replicates=LONG)
    before = snapshot(folder)
    assert "holds an interrupted run" in error(simcore("rerun", "x.h5", "-q"))
    done = error(simcore("rerun", str(results_file), "-q", "-o", "x.h5"))
    assert "x.h5: holds the results of another run" in done
    assert snapshot(folder) == before


# Room -----------------------------------------------------------------------------------------------------------------


def test_a_disk_without_room(simcore: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by the forecast and by the run at its first block, which leaves nothing behind."""
    monkeypatch.setattr("simcore.store.target.free_bytes", lambda _: 50_000)
    monkeypatch.setattr("simcore.cli.forecast.free_bytes", lambda _: 50_000)
    forecast = simcore(*RUN, "-n", "1e6", "--dry-run")
    assert forecast.exit_code == 2
    assert "Forecast (nothing was written)" in forecast.stdout
    assert forecast.stderr.splitlines()[-1].startswith("error: x.h5: needs about ")
    assert list(folder.iterdir()) == []
    done = simcore(*RUN, "-n", "20000", "-q")
    assert done.exit_code == 2
    refusal = done.stderr.splitlines()[-1]
    assert refusal.startswith("error: x.h5: needs about ")
    assert "48.8 KiB are free" in refusal
    assert "resume" not in refusal
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("way", [["-q"], ["--dry-run"]])
def test_an_extension_without_room_leaves_the_file(
    simcore: Call, results_file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, way: list[str]
) -> None:
    shutil.copy(results_file, TARGET)
    before = snapshot(folder)
    monkeypatch.setattr("simcore.store.target.free_bytes", lambda _: 50_000)
    done = simcore("extend", "x.h5", "-n", "20000", *way)
    assert done.exit_code == 2
    assert ("Forecast (nothing was written)" in done.stdout) is (way == ["--dry-run"])
    assert done.stderr.startswith("error: x.h5: needs about ")
    assert done.stderr.count("\n") == 1
    assert snapshot(folder) == before


# What is said after an interrupt --------------------------------------------------------------------------------------


def interrupting(monkeypatch: pytest.MonkeyPatch, stop: type[BaseException], shards: int) -> None:
    """Let a signal come when so many blocks are safe; as often as the program looks."""
    raised: list[int] = []

    def checkpoint(self: Interruption) -> None:
        safe = len(list(parts_path(TARGET).glob("shard-*.blocks")))
        if safe >= shards and (not raised or stop is not KeyboardInterrupt):
            raised.append(safe)
            raise stop

    monkeypatch.setattr(Interruption, "checkpoint", checkpoint)


def test_the_first_signal_names_what_is_kept(simcore: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupting(patch, KeyboardInterrupt, 1)
        done = simcore(*RUN, "-n", str(9 * BLOCK_ROWS))
    assert done.exit_code == 130
    with api.open_results(TARGET) as results:
        said = f"kept {results.replicates:,} of {9 * BLOCK_ROWS:,} replicates in x.h5 (status interrupted); "
    assert f"{said}go on with: simcore resume x.h5\n" in done.stderr
    done = simcore("resume", "x.h5", "-q")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "seed 3\n")


def test_the_second_signal_names_the_folder(simcore: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupting(patch, StoppedAtOnce, 1)
        done = simcore(*RUN, "-n", str(9 * BLOCK_ROWS))
        assert done.exit_code == 130
        said = "stopped at once; finished blocks are safe in x.h5.parts; go on with: simcore resume x.h5"
        assert said in done.stderr
        assert os.listdir() == ["x.h5.parts"]
        again = simcore("resume", "x.h5")
        assert again.exit_code == 130
        assert said in again.stderr
    assert simcore("resume", "x.h5", "-q").exit_code == 0
    assert os.listdir() == ["x.h5"]


def test_a_signal_before_anything_is_safe(simcore: Call, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    interrupting(monkeypatch, StoppedAtOnce, 0)
    done = simcore(*RUN, "-n", str(9 * BLOCK_ROWS))
    assert done.exit_code == 130
    assert "nothing was kept: x.h5 was not written" in done.stderr
    assert list(folder.iterdir()) == []


def test_a_stopped_extension_leaves_the_file_and_says_so(
    simcore: Call, results_file: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    shutil.copy(results_file, TARGET)
    before = snapshot(folder)
    interrupting(monkeypatch, StoppedAtOnce, 0)
    done = simcore("extend", "x.h5", "-n", "20000")
    assert done.exit_code == 130
    assert snapshot(folder) == before
    assert "nothing was added: x.h5 is as it was" in done.stderr


def test_an_interrupted_extension_that_added_nothing_says_so(
    simcore: Call, scenario: Scenario, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    api.run(scenario, replicates=5000, seed=3, threads=1, output=TARGET).close()
    before = snapshot(folder)
    begin = session.Session._begin
    monkeypatch.setattr(session.Session, "_begin", lambda self: self.begun < BLOCK_ROWS and begin(self))
    interrupting(monkeypatch, KeyboardInterrupt, 0)
    done = simcore("extend", "x.h5", "-n", "20000", "-j", "1")
    assert done.exit_code == 130
    assert snapshot(folder) == before
    assert "nothing was added: x.h5 is as it was" in done.stderr
