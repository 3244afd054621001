"""`resume` and `extend` refuse what cannot be trusted, in one line and with nothing changed, or repair it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest

import simcore
from simcore.errors import ResultsError
from simcore.runner import unfinished
from simcore.runner.blocks import BLOCK_ROWS
from simcore.scenario import Scenario
from simcore.store import open_results
from simcore.store.parts import Parts
from simcore.store.provenance import environment
from simcore.store.target import parts_path
from tests.unit.runner.continuing_samples import (
    LONG,
    Whole,
    assert_refused,
    assert_same,
    history,
    interrupted,
    killed,
)
from tests.unit.store.store_samples import seal

# Refusals -------------------------------------------------------------------------------------------------------------


WAYS = pytest.mark.parametrize("way", ["killed", "interrupted", "finished"])


def left(way: str, target: Path, scenario: Scenario, seed: int) -> Callable[..., simcore.Results]:
    """Leave something behind that can be gone on with, and return how."""
    match way:
        case "killed":
            killed(target, scenario, seed=seed, replicates=LONG)
        case "interrupted":
            interrupted(target, scenario, seed=seed, replicates=LONG)
        case "finished":
            simcore.run(scenario, seed=seed, replicates=5000, threads=1, output=target).close()
            return lambda **options: simcore.extend(target, replicates=LONG, **options)
    return lambda **options: simcore.resume(target, **options)


def tamper(target: Path, change: Callable[[str], str]) -> None:
    """Change the scenario inside a file, or inside the folder, and every checksum with it."""
    if target.exists():
        with h5py.File(target, "r+") as file:
            document = file["scenario/scenario.json"]
            document[()] = change(document.asstr()[()])
        seal(target)
        return
    parts = Parts(target).acquire()
    head = parts.read_head()
    assert head is not None
    parts.write_head(replace(head, documents={name: change(text) for name, text in head.documents.items()}))
    parts.close(remove=False)


@WAYS
def test_a_changed_scenario_is_refused(way: str, scenario: Scenario, seed: int, tmp_path: Path) -> None:
    target = tmp_path / "x.h5"
    go_on = left(way, target, scenario, seed)

    def change(text: str) -> str:
        assert text.count("0.6") == 1
        return text.replace("0.6", "0.7")

    tamper(target, change)
    assert_refused(go_on, "the scenario inside is not the one that it was begun with", tmp_path)
    assert_refused(lambda: go_on(repair=True, other_environment=True), "the scenario inside is not", tmp_path)


@WAYS
def test_a_program_that_draws_other_numbers_is_refused(
    way: str, scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = left(way, tmp_path / "x.h5", scenario, seed)
    monkeypatch.setattr(unfinished, "RESULTS_VERSION", 99)
    assert_refused(go_on, "was made by a simcore of results_version 1, this one has 99", tmp_path)


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine be another one."""
    monkeypatch.setattr(unfinished, "environment", lambda: {**environment(), "numpy": "9.9", "cpu_target": "z80"})


@WAYS
def test_another_environment_is_refused(
    way: str, scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = left(way, tmp_path / "x.h5", scenario, seed)
    elsewhere(monkeypatch)
    numpy, cpu = environment()["numpy"], environment()["cpu_target"]
    words = f"was made with numpy {numpy}, now 9.9; cpu_target {cpu}, now z80: bits may differ"
    assert_refused(go_on, words, tmp_path)
    assert_refused(lambda: go_on(repair=True), "or with --other-environment", tmp_path)


@WAYS
def test_another_environment_in_which_a_block_comes_out_the_same(
    way: str, scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "x.h5"
    go_on = left(way, target, scenario, seed)
    elsewhere(monkeypatch)
    again: list[int] = []
    compute = unfinished.compute_block
    monkeypatch.setattr(
        unfinished,
        "compute_block",
        lambda work, first, **options: again.append(first) or compute(work, first, **options),
    )
    go_on(other_environment=True).close()
    assert again == [0]
    assert_same(target, whole(replicates=LONG))
    (line,) = history(target)
    assert line.endswith(
        ", now 9.9, cpu_target " + f"{environment()['cpu_target']}, now z80; a block computed again was the same"
    )
    with open_results(target) as results:
        assert results.attributes["numpy"] == environment()["numpy"]  # of the beginning


def test_another_environment_in_which_nothing_is_kept(
    scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only block is a partial one, which is computed anew: there is nothing to compare, and that is said."""
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, replicates=300, threads=1, output=target).close()
    elsewhere(monkeypatch)
    simcore.extend(target, replicates=9000, other_environment=True, threads=1).close()
    assert_same(target, whole(replicates=9000))
    (line,) = history(target)
    assert line.endswith("now z80; no block of before was whole")


@pytest.mark.parametrize(
    ("way", "what"), [("killed", "checksum"), ("interrupted", "theta_checksums"), ("finished", "checksum")]
)
def test_another_environment_in_which_a_block_comes_out_differently(
    way: str, what: str, scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = left(way, tmp_path / "x.h5", scenario, seed)
    elsewhere(monkeypatch)
    compute = unfinished.compute_block

    def differently(*arguments: Any, **options: Any) -> Any:
        block = compute(*arguments, **options)
        return replace(block, **{what: "0" * 16 if what == "checksum" else ("0" * 16,)})

    monkeypatch.setattr(unfinished, "compute_block", differently)
    words = f"replicates 0 to {BLOCK_ROWS - 1} come out differently with numpy"
    assert_refused(lambda: go_on(other_environment=True), words, tmp_path)


def test_a_folder_beside_a_file_of_another_run(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    target = killed(tmp_path / "x.h5", scenario, seed=seed, replicates=LONG)
    simcore.run(scenario, seed=seed + 1, replicates=300, threads=1, output=tmp_path / "y.h5").close()
    (tmp_path / "y.h5").rename(target)
    words = f"{target}: holds another run than {parts_path(target)} (seed differs); move one of them away"
    assert_refused(lambda: simcore.resume(target), words, tmp_path)


@pytest.mark.parametrize(
    ("options", "wish", "message"),
    [
        ({"replicates": 300}, {"replicates": 299}, "holds 300 replicates, asked for 299: nothing is taken away"),
        ({"replicates": 300}, {"nested": (300, 2)}, "has one replicate of each parameter set: give replicates"),
        ({"replicates": 300}, {}, "replicates"),
        ({"replicates": 300}, {"replicates": 0}, "replicates = 0"),
        ({"nested": (30, 10)}, {"replicates": 600}, "give nested = (sets, 10), not replicates"),
        ({"nested": (30, 10)}, {"nested": (30, 20)}, "the file has 10 replicates of each parameter set"),
        ({"nested": (30, 10)}, {"nested": (29, 10)}, "holds 300 replicates, asked for 290: nothing is taken away"),
        ({"replicates": 300, "design": "lhs"}, {"replicates": 600}, "design 'lhs' cannot be extended"),
        ({"nested": (30, 10), "design": "lhs"}, {"nested": (60, 10)}, "design 'lhs' cannot be extended"),
        ({"replicates": 256, "design": "sobol"}, {"replicates": 500}, "500"),
    ],
)
def test_wishes_that_cannot_be_met(
    options: dict[str, Any], wish: dict[str, Any], message: str, scenario: Scenario, seed: int, tmp_path: Path
) -> None:
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, threads=1, output=target, **options).close()
    assert_refused(lambda: simcore.extend(target, **wish), message, tmp_path)


def test_nothing_to_go_on_with(tmp_path: Path) -> None:
    target = tmp_path / "x.h5"
    words = f"{target}: no such file, and no unfinished run beside it ({target}.parts)"
    assert_refused(lambda: simcore.resume(target), words, tmp_path)
    (tmp_path / "text.h5").write_text("no results")
    for go_on in (simcore.resume, lambda path: simcore.extend(path, replicates=9)):
        assert_refused(lambda go_on=go_on: go_on(tmp_path / "text.h5"), "is not an HDF5 file", tmp_path)  # type: ignore[misc]


# Damage ---------------------------------------------------------------------------------------------------------------


def damage_block(target: Path, number: int = 0) -> None:
    with h5py.File(target) as file:
        chunk = file["totals/victims"].id.get_chunk_info(number)
    content = bytearray(target.read_bytes())
    for quarter in (1, 2, 3):
        content[chunk.byte_offset + quarter * chunk.size // 4] ^= 0xFF
    target.write_bytes(content)


def damage_theta(target: Path, number: int = 0) -> None:
    """Change a value as a program would: only our own checksum can find it."""
    with h5py.File(target, "r+") as file:
        file["parameters/interception"][number * BLOCK_ROWS + 5] += 0.001


def damage_both(target: Path, number: int = 0) -> None:
    damage_block(target, number)
    damage_theta(target, number)


def damage_both_apart(target: Path, number: int = 0) -> None:
    damage_block(target, number)
    damage_theta(target, number + 1)


@pytest.mark.parametrize(
    ("way", "harm"),
    [
        ("interrupted", damage_block),
        ("interrupted", damage_theta),
        ("interrupted", damage_both),
        ("finished", damage_both),
    ],
)
def test_damage_is_refused_and_repaired(
    way: str,
    harm: Callable[[Path], None],
    scenario: Scenario,
    seed: int,
    whole: Whole,
    tmp_path: Path,
    computed: set[int],
) -> None:
    target = tmp_path / "x.h5"
    go_on = left(way, target, scenario, seed)
    with open_results(target) as results:
        held = results.replicates
    harm(target)
    words = "(and 1 more); --repair computes just these again" if harm is damage_both else "--repair computes just"
    assert_refused(go_on, words, tmp_path)
    computed.clear()
    go_on(repair=True, threads=1).close()
    assert computed == {0} | set(range(held - held % BLOCK_ROWS, LONG, BLOCK_ROWS))
    assert_same(target, whole(replicates=LONG))


@pytest.mark.parametrize(
    ("harm", "again"),
    [
        (damage_block, {BLOCK_ROWS}),
        (damage_theta, {BLOCK_ROWS}),
        (damage_both, {BLOCK_ROWS}),
        (damage_both_apart, {BLOCK_ROWS, 2 * BLOCK_ROWS}),
        (lambda target, number: None, set()),
    ],
)
def test_a_complete_file_is_repaired(
    harm: Callable[[Path, int], None],
    again: set[int],
    scenario: Scenario,
    seed: int,
    whole: Whole,
    tmp_path: Path,
    computed: set[int],
) -> None:
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, threads=1, output=target, replicates=LONG).close()
    harm(target, 1)
    computed.clear()
    simcore.resume(target, repair=True, threads=1).close()
    assert computed == again
    assert_same(target, whole(replicates=LONG))


def test_parameters_of_a_nested_run_are_repaired_without_computing_a_block(
    scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, computed: set[int]
) -> None:
    target = tmp_path / "x.h5"
    options = {"nested": (BLOCK_ROWS + 100, 2)}
    simcore.run(scenario, seed=seed, threads=1, output=target, **options).close()
    damage_theta(target, 1)
    computed.clear()
    simcore.resume(target, repair=True, threads=1).close()
    assert computed == set()
    assert_same(target, whole(**options))


def test_a_damaged_shard_is_refused_and_repaired(
    scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, computed: set[int]
) -> None:
    target = killed(tmp_path / "x.h5", scenario, seed=seed, after=2, replicates=LONG)
    shard = parts_path(target) / f"shard-{BLOCK_ROWS:012d}.blocks"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert_refused(lambda: simcore.resume(target), f"{shard}: is a damaged shard", tmp_path)
    computed.clear()
    simcore.resume(target, repair=True, threads=1).close()
    assert computed == {BLOCK_ROWS, 2 * BLOCK_ROWS, 3 * BLOCK_ROWS}
    assert_same(target, whole(replicates=LONG))


def test_shards_of_another_run_are_refused(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    target = killed(tmp_path / "x.h5", scenario, seed=seed, replicates=LONG)
    other = killed(tmp_path / "y.h5", scenario, seed=seed + 1, after=2, replicates=LONG)
    name = f"shard-{BLOCK_ROWS:012d}.blocks"
    shutil.copy(parts_path(other) / name, parts_path(target) / name)
    assert_refused(lambda: simcore.resume(target), f"{name}: is a shard of another run", tmp_path)


def test_a_finished_file_is_checked_too(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    """Nothing is missing from it, yet nothing is said to be well that was not looked at."""
    target = tmp_path / "x.h5"
    with simcore.run(scenario, seed=seed, replicates=LONG, threads=1, output=target) as results:
        victims = results.read("victims")
    with h5py.File(target, "r+") as file:
        file["victims"][LONG - 1] += 1
    words = f"{target}: replicates {LONG - LONG % BLOCK_ROWS} to {LONG - 1} differ from what was written"
    for go_on in (lambda: simcore.resume(target), lambda: simcore.extend(target, replicates=LONG)):
        assert_refused(go_on, f"{words}; --repair computes just these again", tmp_path)
    with simcore.resume(target, repair=True) as results:
        assert (results.read("victims") == victims).all()
        assert results.verify_checksums() == []
        history = list(results.attributes["history"])
    before = target.stat()
    with simcore.resume(target, repair=True) as results:  # nothing to repair: not written anew
        assert list(results.attributes["history"]) == history
    assert target.stat().st_ino == before.st_ino


@pytest.mark.parametrize("way", ["interrupted", "finished"])
def test_a_damaged_description_is_refused(way: str, scenario: Scenario, seed: int, tmp_path: Path) -> None:
    target = tmp_path / "x.h5"
    go_on = left(way, target, scenario, seed)
    with h5py.File(target, "r+") as file:
        file.attrs["seed"] = "8"
    words = f"{target}: labels, attributes or documents differ from what was written"
    assert_refused(go_on, words, tmp_path)
    assert_refused(lambda: go_on(repair=True), words, tmp_path)


def test_a_damaged_head_is_refused(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    target = killed(tmp_path / "x.h5", scenario, seed=seed, replicates=LONG)
    head = parts_path(target) / "run.json"
    damaged = head.read_bytes().replace(b"single_border", b"single_birder", 1)
    for name in ("run.json", "run-copy.json"):
        head.with_name(name).write_bytes(damaged)
    for go_on in (
        lambda: simcore.resume(target),
        lambda: simcore.resume(target, repair=True),
        lambda: simcore.run(scenario, seed=seed, replicates=LONG, output=target),
    ):
        assert_refused(go_on, f"{head}: is damaged (differs from what was written)", tmp_path)


@pytest.mark.parametrize(
    ("begun", "lying"),
    [
        ({"replicates": 12_288, "design": "lhs"}, {"replicates": 5000, "design": "lhs"}),
        ({"replicates": 12_288, "store_theta": False}, {"nested": (3072, 4), "store_theta": False}),
        ({"nested": (3072, 4)}, {"nested": (1500, 8)}),
        ({"replicates": 12_288}, {"nested": (3072, 4)}),
    ],
)
def test_a_file_of_other_loops_beside_the_folder_is_refused_and_nothing_is_lost(
    begun: dict[str, Any], lying: dict[str, Any], tiny: Scenario, seed: int, tmp_path: Path
) -> None:
    """Rows of the same seed and scenario, but of another Latin hypercube or another nesting."""

    class Killed(BaseException):
        pass

    def kill(state: Any) -> None:
        if list((tmp_path / "x.h5.parts").glob("shard-*.blocks")):
            raise Killed

    with pytest.raises(Killed):
        simcore.run(tiny, seed=seed, output=tmp_path / "x.h5", threads=1, progress=kill, **begun)
    shards = sorted(path.name for path in (tmp_path / "x.h5.parts").glob("shard-*.blocks"))
    assert shards
    simcore.run(tiny, seed=seed, output=tmp_path / "y.h5", **lying).close()
    (tmp_path / "y.h5").rename(tmp_path / "x.h5")
    before = (tmp_path / "x.h5").read_bytes()
    with pytest.raises(ResultsError, match=r"holds another run than .*x\.h5\.parts \(.* differs\)"):
        simcore.resume(tmp_path / "x.h5")
    assert (tmp_path / "x.h5").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "x.h5.parts").glob("shard-*.blocks")) == shards
