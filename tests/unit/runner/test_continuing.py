"""`resume` and `extend`: the end is that of a run that nothing happened to, and what cannot be trusted is refused.

Faults from outside (kills, full disks, flipped bits, other processes) are in ``tests/faults``.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import simcore
from simcore.errors import ResultsError
from simcore.runner import Progress, RunInterrupted, session, unfinished
from simcore.runner.blocks import BLOCK_ROWS, Block, Work
from simcore.scenario import Scenario
from simcore.store import open_results
from simcore.store.target import parts_path
from tests.unit.runner.continuing_samples import (
    LONG,
    Interrupter,
    Killed,
    Whole,
    assert_refused,
    assert_same,
    history,
    interrupted,
    killed,
    photographed,
    snapshot,
)
from tests.unit.store.store_samples import seal

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
    assert history(target) == [f"resumed, {BLOCK_ROWS:,} of {head_replicates(kind):,} replicates were there"]


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
    assert history(target) == [
        f"resumed, {held:,} of {head_replicates(kind):,} replicates were there: simcore resume x.h5"
    ]


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
    assert all(line.startswith("resumed, ") for line in lines)


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
        f"extended, {before:,} of {after:,} replicates were there" for before, after in itertools.pairwise(lengths)
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
    original = unfinished.prepare

    def prepare(request: Any, **options: Any) -> Any:
        asked.append(request.engine)
        return original(request, **options)

    monkeypatch.setattr(unfinished, "prepare", prepare)
    with simcore.extend(target, threads=1, replicates=9000) as results:
        assert {name: results.attributes[name] for name in before} == before
        assert np.array_equal(results.read("outcome")[:5000], arrived)
    assert asked == [before["engine"]]


def test_a_run_that_its_rule_ended_grows_to_its_own_maximum(
    scenario: Scenario, seed: int, whole: Whole, tmp_path: Path
) -> None:
    """Asked for again, the maximum is no longer one that a rule may stay below; killed on the way, it is gone on to."""
    until = KINDS["until"]
    target = tmp_path / "x.h5"
    with simcore.run(scenario, seed=seed, threads=1, output=target, **until) as results:
        held = results.replicates
    assert held < until["replicates"]
    with simcore.resume(target, threads=1) as results:  # as the rule would have it
        assert (results.replicates, "until" in results.attributes) == (held, True)
    copy = shutil.copy(target, tmp_path / "y.h5")
    with simcore.extend(target, replicates=until["replicates"], threads=1) as results:
        assert (results.replicates, "until" in results.attributes) == (until["replicates"], False)
    assert_same(target, whole(replicates=until["replicates"]))
    with pytest.raises(Killed):
        simcore.extend(copy, replicates=until["replicates"], threads=1, progress=kill_when_safe(copy))
    assert parts_path(copy).is_dir()
    simcore.resume(copy, threads=1).close()
    assert_same(copy, whole(replicates=until["replicates"]))


def kill_when_safe(target: Path) -> Callable[[Progress], None]:
    """A progress callback that ends a run, as SIGKILL would, when one of its blocks is safe."""

    def progress(state: Progress) -> None:
        if any(parts_path(target).glob("shard-*.blocks")):
            raise Killed

    return progress


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
    assert [line.split(" ")[0] for line in history(target)] == ["extended,", "resumed,"]


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
        f"is being extended to {LONG:,} replicates ({LONG:,} parameter sets) already; finish that first: "
        f"simcore resume {target}",
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


def test_what_a_link_leads_to_is_replaced_with_its_permissions(tiny: Scenario, seed: int, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.h5"
    real.parent.mkdir()
    simcore.run(tiny, replicates=100, seed=seed, output=real).close()
    real.chmod(0o640)
    link = tmp_path / "x.h5"
    link.symlink_to(real)
    with simcore.extend(link, replicates=200) as results:
        assert results.replicates == 200
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "x.h5"]
    assert [path.name for path in real.parent.iterdir()] == ["real.h5"]
