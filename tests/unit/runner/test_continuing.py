"""`resume` and `extend`: the end is that of a run that nothing happened to, and what cannot be trusted is refused.

Faults from outside (kills, full disks, flipped bits, other processes) are in ``tests/faults``.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import simcore
from simcore.errors import ResultsError, UserError
from simcore.runner import Progress, RunInterrupted, continuing, session
from simcore.runner.blocks import BLOCK_ROWS, Block, Work
from simcore.scenario import Scenario
from simcore.store import open_results
from simcore.store.parts import Parts
from simcore.store.provenance import environment
from simcore.store.target import parts_path
from tests.faults.recovery import content, differences
from tests.unit.runner.continuing_samples import (
    Interrupter,
    Killed,
    border,
    interrupted,
    killed,
    photographed,
    snapshot,
)
from tests.unit.store.store_samples import seal

LONG = 3 * BLOCK_ROWS + 77
Whole = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return border()


@pytest.fixture(scope="module")
def whole(scenario: Scenario, seed: int, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Content of the file of an uninterrupted run with the options given; each is run once."""
    known: dict[str, dict[str, Any]] = {}

    def content_of(**options: Any) -> dict[str, Any]:
        key = repr(sorted(options.items()))
        if key not in known:
            path = tmp_path_factory.mktemp("whole") / "x.h5"
            with simcore.run(scenario, seed=seed, threads=1, output=path, **options) as results:
                assert results.verify_checksums() == []
            known[key] = content(path)
        return known[key]

    return content_of


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """First rows of the blocks that are computed from now on."""
    found: set[int] = set()
    simulate = session.simulate_slice

    def counted(work: Work, block: Block, first: int, stop: int) -> Any:
        found.add(block.first)
        return simulate(work, block, first, stop)

    monkeypatch.setattr(session, "simulate_slice", counted)
    return found  # type: ignore[return-value]


def assert_same(target: Path, wanted: dict[str, Any]) -> None:
    """Check that a file is that of the uninterrupted run, checksums included, and alone."""
    assert differences(content(target), wanted) == []
    assert not parts_path(target).exists()


def history(target: Path) -> list[str]:
    with open_results(target) as results:
        return [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", "", line) for line in results.attributes["history"]]


# Resume ---------------------------------------------------------------------------------------------------------------

KINDS: dict[str, dict[str, Any]] = {
    "single loop": {"replicates": LONG},
    "no theta": {"replicates": LONG, "store_theta": False},
    "nested": {"nested": (LONG // 50, 50)},
    "nested, many sets": {"nested": (BLOCK_ROWS + 100, 2)},
    "nested, no theta": {"nested": (LONG // 50, 50), "store_theta": False},
    "sobol": {"replicates": 4 * BLOCK_ROWS, "design": "sobol", "randomisation": 2},
    "nested sobol": {"nested": (256, 40), "design": "sobol"},
    "lhs": {"replicates": LONG, "design": "lhs"},
    "by nothing": {"replicates": LONG, "store_by": ()},
    "ended": {"replicates": LONG, "store_ended": True},
    "cohort engine": {"replicates": LONG, "engine": "cohort"},
    "any engine": {"replicates": LONG, "engine": "auto"},
    "leg by leg": {"replicates": LONG, "walker": "leg-by-leg"},
    "until": {"replicates": 9 * BLOCK_ROWS, "until": "arrived.mean mcse<=0.017"},
    "until never": {"replicates": LONG, "until": "arrived.mean mcse<=1e-9"},
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_killed_run_is_resumed(
    kind: str, scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, computed: set[int]
) -> None:
    target = killed(tmp_path / "x.h5", scenario, seed=seed, after=1, **KINDS[kind])
    computed.clear()
    simcore.resume(target, threads=1).close()
    assert 0 not in computed
    assert computed
    assert_same(target, whole(**KINDS[kind]))
    assert history(target) == [f"resumed with {BLOCK_ROWS} of {head_replicates(kind)} replicates"]


@pytest.mark.parametrize(
    "kind", ["single loop", "no theta", "nested, many sets", "sobol", "any engine", "until", "until never"]
)
def test_an_interrupted_file_is_resumed(
    kind: str, scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, computed: set[int]
) -> None:
    target = interrupted(tmp_path / "x.h5", scenario, seed=seed, **KINDS[kind])
    with open_results(target) as results:
        held, seconds = results.replicates, results.ledger()["seconds"].tolist()
    computed.clear()
    simcore.resume(target, threads=2, command_line="simcore resume x.h5").close()
    assert 0 not in computed
    assert computed
    assert_same(target, whole(**KINDS[kind]))
    with open_results(target) as results:
        assert results.ledger()["seconds"].tolist()[: len(seconds)] == seconds
    assert history(target) == [f"resumed with {held} of {head_replicates(kind)} replicates: simcore resume x.h5"]


def head_replicates(kind: str) -> int:
    options = KINDS[kind]
    return options.get("replicates") or options["nested"][0] * options["nested"][1]


def test_the_rule_that_ends_a_run_ends_it_in_the_midst(whole: Whole) -> None:
    """The case above is one in which the rule is asked several times and ends the run before its maximum."""
    found = whole(**KINDS["until"])
    assert 2 * BLOCK_ROWS < len(found["replicate"]) < 9 * BLOCK_ROWS
    assert found["attribute stopped_because"] == "target met"
    assert whole(**KINDS["until never"])["attribute stopped_because"] == "maximum reached"


@pytest.mark.parametrize("kind", ["single loop", "nested, many sets"])
def test_a_folder_as_it_was_in_the_midst_of_a_run_is_resumed(
    kind: str, scenario: Scenario, seed: int, whole: Whole, tmp_path: Path
) -> None:
    """A machine that lost its power: the lock's text names a process, and a half-made file is there."""
    target = photographed(tmp_path / "x.h5", scenario, seed=seed, **KINDS[kind])
    simcore.resume(target, threads=1).close()
    assert_same(target, whole(**KINDS[kind]))


def test_a_run_may_end_many_times(scenario: Scenario, seed: int, whole: Whole, tmp_path: Path) -> None:
    """Killed, interrupted, killed while it was resumed, and resumed."""
    target = killed(tmp_path / "x.h5", scenario, seed=seed, replicates=LONG)
    with pytest.raises(RunInterrupted) as caught:
        simcore.resume(target, threads=1, progress=Interrupter(1))
    assert caught.value.results is not None
    caught.value.results.close()

    def kill(state: Progress) -> None:
        if list(parts_path(target).glob("shard-*.blocks")):
            raise Killed

    with pytest.raises(Killed):
        simcore.resume(target, threads=1, progress=kill)
    with open_results(target) as results:  # the file is still the interrupted one
        assert results.status == "interrupted"
    assert parts_path(target).exists()
    simcore.resume(target, threads=1).close()
    assert_same(target, whole(replicates=LONG))
    lines = history(target)
    assert len(lines) >= 2
    assert all(line.startswith("resumed with ") for line in lines)


def test_blocks_behind_a_gap_are_kept(
    scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, computed: set[int]
) -> None:
    target = killed(tmp_path / "x.h5", scenario, seed=seed, after=3, replicates=LONG)
    (parts_path(target) / f"shard-{BLOCK_ROWS:012d}.blocks").unlink()
    computed.clear()
    simcore.resume(target, threads=1).close()
    assert computed == {BLOCK_ROWS, 3 * BLOCK_ROWS}
    assert_same(target, whole(replicates=LONG))


def test_a_run_without_a_safe_block_leaves_nothing_to_resume(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    killed(tmp_path / "x.h5", scenario, seed=seed, after=0, replicates=LONG)
    assert list(tmp_path.iterdir()) == []
    for go_on in (simcore.resume, lambda path: simcore.extend(path, replicates=9)):
        with pytest.raises(ResultsError, match=r"x\.h5: no such file"):
            go_on(tmp_path / "x.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_finished_file_is_opened_as_it_is(scenario: Scenario, seed: int, tmp_path: Path, computed: set[int]) -> None:
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, replicates=300, output=target, threads=1).close()
    before = snapshot(tmp_path)
    computed.clear()
    with simcore.resume(target) as results:
        assert results.replicates == 300
    with simcore.extend(target, replicates=300) as results:
        assert results.replicates == 300
    assert (snapshot(tmp_path), computed) == (before, set())


def test_left_over_shards_of_a_finished_file_are_cleared(
    scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, computed: set[int]
) -> None:
    """The process died between the renaming of the file and the removing of the folder."""
    target = photographed(tmp_path / "x.h5", scenario, seed=seed, replicates=LONG)
    simcore.run(scenario, seed=seed, replicates=LONG, output=tmp_path / "y.h5", threads=1).close()
    (tmp_path / "y.h5").rename(target)
    computed.clear()
    simcore.resume(target).close()
    assert computed == set()
    assert_same(target, whole(replicates=LONG))


# Extend ---------------------------------------------------------------------------------------------------------------


def test_lengths_around_the_ends_of_blocks(
    scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, computed: set[int]
) -> None:
    """One file grows step by step and is at each the file of a run of that length."""
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, replicates=1, output=target, threads=1).close()
    lengths = [1, 4095, 4096, 4097, 9000, 20_000]
    for before, after in itertools.pairwise(lengths):
        expected = whole(replicates=after)
        computed.clear()
        simcore.extend(target, replicates=after, threads=2).close()
        assert computed == set(range(before - before % BLOCK_ROWS, after, BLOCK_ROWS))
        assert_same(target, expected)
    # What a partial block held is computed again with the block that it is now a part of.
    assert history(target) == [
        f"extended with {before} of {after} replicates" for before, after in itertools.pairwise(lengths)
    ]


STORED = {"store_theta": False, "store_by": (), "store_ended": True}


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"nested": (90, 50)}, {"nested": (200, 50)}),
        ({"nested": (BLOCK_ROWS + 3, 2)}, {"nested": (BLOCK_ROWS + 100, 2)}),
        ({"nested": (90, 50), "store_theta": False}, {"nested": (200, 50), "store_theta": False}),
        ({"replicates": BLOCK_ROWS, "design": "sobol"}, {"replicates": 4 * BLOCK_ROWS, "design": "sobol"}),
        ({"replicates": 5000, **STORED}, {"replicates": 9000, **STORED}),
        ({"replicates": 5000, "engine": "cohort"}, {"replicates": 9000, "engine": "cohort"}),
    ],
)
def test_every_kind_of_run_can_grow(
    short: dict[str, Any], long: dict[str, Any], scenario: Scenario, seed: int, whole: Whole, tmp_path: Path
) -> None:
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, threads=1, output=target, **short).close()
    length = {name: value for name, value in long.items() if name in ("replicates", "nested")}
    simcore.extend(target, threads=1, **length).close()
    assert_same(target, whole(**long))


def test_the_engine_that_was_chosen_is_kept(
    scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another choice would be another run; why it was made stays in the file."""
    target = tmp_path / "x.h5"
    with simcore.run(scenario, seed=seed, threads=1, output=target, replicates=5000, engine="auto") as results:
        before = {name: results.attributes[name] for name in ("engine", "engine_asked", "engine_reason")}
        arrived = results.read("outcome")
    assert before["engine_asked"] == "auto"
    asked: list[str] = []
    original = continuing.prepare

    def prepare(request: Any, **options: Any) -> Any:
        asked.append(request.engine)
        return original(request, **options)

    monkeypatch.setattr(continuing, "prepare", prepare)
    with simcore.extend(target, threads=1, replicates=9000) as results:
        assert {name: results.attributes[name] for name in before} == before
        assert np.array_equal(results.read("outcome")[:5000], arrived)
    assert asked == [before["engine"]]


def test_a_run_that_its_rule_ended_grows_to_its_end(
    scenario: Scenario, seed: int, whole: Whole, tmp_path: Path, computed: set[int]
) -> None:
    target = tmp_path / "x.h5"
    with simcore.run(scenario, seed=seed, threads=1, output=target, **KINDS["until"]) as results:
        held = results.replicates
    computed.clear()
    simcore.extend(target, replicates=10 * BLOCK_ROWS, threads=1).close()
    assert computed == set(range(held, 10 * BLOCK_ROWS, BLOCK_ROWS))
    assert_same(target, whole(replicates=10 * BLOCK_ROWS))


def test_an_interrupted_extension_is_resumed(scenario: Scenario, seed: int, whole: Whole, tmp_path: Path) -> None:
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, threads=1, output=target, replicates=5000).close()
    with pytest.raises(RunInterrupted) as caught:
        simcore.extend(target, replicates=LONG, threads=1, progress=Interrupter(2))
    assert caught.value.results is not None
    with caught.value.results as results:
        assert results.status == "interrupted"
        assert 5000 < results.replicates < LONG
    simcore.resume(target, threads=1).close()
    assert_same(target, whole(replicates=LONG))
    assert [line.split(" ")[0] for line in history(target)] == ["extended", "resumed"]


def test_an_extension_that_was_killed_is_finished_first(
    scenario: Scenario, seed: int, whole: Whole, tmp_path: Path
) -> None:
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, threads=1, output=target, replicates=5000).close()
    old = target.read_bytes()

    def kill(state: Progress) -> None:
        if list(parts_path(target).glob("shard-*.blocks")):
            raise Killed

    with pytest.raises(Killed):
        simcore.extend(target, replicates=LONG, threads=1, progress=kill)
    assert target.read_bytes() == old
    assert_refused(
        lambda: simcore.extend(target, replicates=LONG + 1),
        f"is being extended to {LONG} replicates already; finish that first: simcore resume {target}",
        tmp_path,
    )
    simcore.extend(target, replicates=LONG, threads=1).close()
    assert_same(target, whole(replicates=LONG))


def test_an_extension_stopped_before_anything_new_leaves_the_file_byte_for_byte(
    scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "x.h5"
    simcore.run(scenario, seed=seed, threads=1, output=target, replicates=5000).close()
    before = snapshot(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        simcore.extend(target, replicates=LONG, threads=1, progress=Interrupter(1, 2))
    assert snapshot(tmp_path) == before
    # One interrupt, at the moment when the old blocks are there and no new one is begun.
    begin = session.Session._begin

    def begin_old_ones_only(self: session.Session) -> bool:
        return self.begun < BLOCK_ROWS and begin(self)

    monkeypatch.setattr(session.Session, "_begin", begin_old_ones_only)
    with pytest.raises(RunInterrupted) as caught:
        simcore.extend(target, replicates=LONG, threads=1, progress=Interrupter(1))
    assert caught.value.results is None
    assert caught.value.safe == 5000
    assert snapshot(tmp_path) == before


def test_counts_and_times_add_up(
    scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shares held to one are made up here: as many as the number of the replicate."""
    simulate = session.simulate_slice

    def held(work: Work, block: Block, first: int, stop: int) -> Any:
        numbers = range(block.first + first, block.first + stop)
        return replace(simulate(work, block, first, stop), held_shares=sum(numbers))

    monkeypatch.setattr(session, "simulate_slice", held)
    target = interrupted(tmp_path / "x.h5", scenario, seed=seed, replicates=LONG)
    with h5py.File(target, "r+") as file:
        file.attrs["wall_seconds"] = 1000.0
        file.attrs["peak_memory_bytes"] = 2**50
    seal(target)
    with open_results(target) as results:
        timed = results.attributes["timed_replicates"]
    with simcore.resume(target, threads=1) as results:
        ledger = results.ledger()
        assert ledger["held_shares"].tolist() == [
            sum(range(first, first + rows)) for first, rows in ledger[["first_row", "rows"]].itertuples(index=False)
        ]
        assert results.attributes["held_shares"] == sum(range(LONG))
        assert results.attributes["agents_walked"] == ledger["agents"].sum() == results.read("victims").sum()
        assert 1000 < results.attributes["wall_seconds"] < 1100
        assert results.attributes["peak_memory_bytes"] == 2**50
        assert timed < results.attributes["timed_replicates"] <= LONG
    with simcore.extend(target, replicates=LONG + BLOCK_ROWS, threads=1) as results:
        assert results.attributes["held_shares"] == sum(range(LONG + BLOCK_ROWS))


# Refusals -------------------------------------------------------------------------------------------------------------


def assert_refused(go_on: Callable[[], Any], message: str, folder: Path) -> None:
    """Check that something is refused in one line, and that nothing changes on the disk."""
    before = snapshot(folder)
    with pytest.raises(UserError) as caught:
        go_on()
    assert "\n" not in str(caught.value)
    assert message in str(caught.value)
    assert snapshot(folder) == before


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
    parts = Parts(target)
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
    monkeypatch.setattr(continuing, "RESULTS_VERSION", 99)
    assert_refused(go_on, "was made by a simcore of results_version 1, this one has 99", tmp_path)


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine be another one."""
    monkeypatch.setattr(continuing, "environment", lambda: {**environment(), "numpy": "9.9", "cpu_target": "z80"})


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
    compute = continuing.compute_block
    monkeypatch.setattr(
        continuing,
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
    compute = continuing.compute_block

    def differently(*arguments: Any, **options: Any) -> Any:
        block = compute(*arguments, **options)
        return replace(block, **{what: "0" * 16 if what == "checksum" else ("0" * 16,)})

    monkeypatch.setattr(continuing, "compute_block", differently)
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
    options = KINDS["nested, many sets"]
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
    head.write_bytes(head.read_bytes().replace(b"single_border", b"single_birder", 1))
    for go_on in (
        lambda: simcore.resume(target),
        lambda: simcore.resume(target, repair=True),
        lambda: simcore.run(scenario, seed=seed, replicates=LONG, output=target),
    ):
        assert_refused(go_on, f"{head}: is damaged (differs from what was written)", tmp_path)
