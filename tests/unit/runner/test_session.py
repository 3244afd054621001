"""A run in progress: the same file however it was computed, interrupts that leave a whole beginning, bounded memory.

The scenario is tiny, so that runs of several blocks take a fraction of a second.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import simcore
from simcore.runner import Progress, RunInterrupted, session
from simcore.runner.blocks import BLOCK_ROWS, Block, Work
from simcore.runner.session import most_blocks
from simcore.scenario import Scenario
from simcore.store import Results, Writer

REPLICATES = 3 * BLOCK_ROWS + 77
MEASURED = {"ledger/seconds"}  # the only content that is measured, not computed


def content(path: Path) -> dict[str, np.ndarray]:
    """Return every dataset of a file but those that are measured."""
    with h5py.File(path) as file:
        names: list[str] = []
        file.visit(names.append)
        found = {name: np.asarray(file[name][()]) for name in names if isinstance(file[name], h5py.Dataset)}
    assert found.keys() > MEASURED
    return {name: values for name, values in found.items() if name not in MEASURED}


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    assert len(first) > 20
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []


@pytest.fixture(scope="module")
def whole(tiny: Scenario, seed: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one thread; not to be written to."""
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    simcore.run(tiny, replicates=REPLICATES, seed=seed, threads=1, output=path).close()
    return path


# The same file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threads", "slice_rows"), [(1, 100), (2, 256), (3, 256), (2, 37), (3, 1000), (5, 9999)])
def test_threads_and_slices_change_nothing_in_the_file(
    threads: int, slice_rows: int, tiny: Scenario, seed: int, whole: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("simcore.runner.blocks.SLICE_ROWS", slice_rows)
    with simcore.run(tiny, replicates=REPLICATES, seed=seed, threads=threads, output=tmp_path / "x.h5") as results:
        assert results.status == "complete"
    assert_same(content(tmp_path / "x.h5"), content(whole))


def test_parameter_sets_of_a_nested_run_are_those_of_a_single_loop(tiny: Scenario, seed: int, whole: Path) -> None:
    sets = REPLICATES // 3
    with (
        simcore.open_results(whole) as single,
        simcore.run(tiny, nested=(sets, 3), seed=seed, threads=2) as nested,
    ):
        assert nested.replicates == 3 * sets
        assert np.array_equal(nested.theta().to_numpy(), single.theta().to_numpy()[:sets])


def test_progress_counts_every_slice_in_the_calling_thread(tiny: Scenario, seed: int) -> None:
    seen: list[tuple[Progress, threading.Thread]] = []
    with simcore.run(
        tiny,
        replicates=REPLICATES,
        seed=seed,
        threads=2,
        progress=lambda state: seen.append((state, threading.current_thread())),
    ) as results:
        last = seen[-1][0]
        assert (last.replicates_done, last.replicates) == (REPLICATES, REPLICATES)
        assert last.agents == results.attributes["agents_walked"] > 0
    done = [state.replicates_done for state, _ in seen]
    assert done == sorted(done)
    assert done[0] > 0
    assert {thread for _, thread in seen} == {threading.current_thread()}


# Interrupts -----------------------------------------------------------------------------------------------------------


class Interrupter:
    """A progress callback that raises KeyboardInterrupt at the calls named."""

    def __init__(self, *calls: int) -> None:
        self.calls = calls
        self.count = 0

    def __call__(self, state: Progress) -> None:
        self.count += 1
        if self.count in self.calls:
            raise KeyboardInterrupt


def assert_beginning(path: Path, whole: Path) -> int:
    """Check that a file holds the first blocks of the whole run and return how many replicates that is."""
    with simcore.open_results(path) as kept, simcore.open_results(whole) as everything:
        rows = kept.replicates
        assert 0 < rows <= REPLICATES
        assert rows % BLOCK_ROWS == 0 or rows == REPLICATES
        assert kept.status == ("complete" if rows == REPLICATES else "interrupted")
        assert kept.verify_checksums() == []
        ledger = kept.ledger()
        assert ledger["rows"].sum() == rows
        assert ledger["agents"].sum() == kept.attributes["agents_walked"]
        for variable in kept.layout.variables:
            expected = everything.read(variable.name, by=variable.strata)[:rows]
            assert np.array_equal(kept.read(variable.name, by=variable.strata), expected), variable.name
        assert np.array_equal(kept.theta().to_numpy(), everything.theta().to_numpy()[:rows])
    return rows


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("call", [1, 2, 3, 5, 8, 13, 21, 34, 48])
def test_an_interrupt_keeps_whole_blocks_without_a_gap(
    call: int, threads: int, tiny: Scenario, seed: int, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.h5"
    with pytest.raises(RunInterrupted) as caught:
        simcore.run(tiny, replicates=REPLICATES, seed=seed, threads=threads, output=path, progress=Interrupter(call))
    assert isinstance(caught.value.results, Results)
    caught.value.results.close()
    assert list(tmp_path.iterdir()) == [path]
    assert_beginning(path, whole)


@pytest.mark.parametrize("slice_number", [0, 1, 15, 16, 17, 31, 40, 48])
def test_a_signal_may_strike_while_the_calling_thread_sleeps_or_writes(
    slice_number: int, tiny: Scenario, seed: int, whole: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    path, numbers = tmp_path / "x.h5", iter(range(10_000))
    simulate = session.simulate_slice

    def simulate_and_strike(*arguments: Any) -> Any:
        if next(numbers) == slice_number:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return simulate(*arguments)

    monkeypatch.setattr(session, "simulate_slice", simulate_and_strike)
    with pytest.raises(RunInterrupted) as caught:
        simcore.run(tiny, replicates=REPLICATES, seed=seed, threads=2, output=path)
    assert caught.value.results is not None
    caught.value.results.close()
    assert_beginning(path, whole)


def test_the_block_at_hand_is_kept_and_the_next_one_dropped_though_it_has_begun(
    tiny: Scenario, seed: int, whole: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """The last slice of the first block waits until the second block has begun and the interrupt has come."""
    simulate, second_has_begun, interrupted = session.simulate_slice, threading.Event(), threading.Event()

    def simulate_in_order(work: Work, block: Block, first: int, stop: int) -> Any:
        if block.first == 0 and stop == block.rows:
            assert interrupted.wait(60.0)
        report = simulate(work, block, first, stop)
        if block.first > 0:
            second_has_begun.set()
        return report

    def interrupt(state: Progress) -> None:
        if second_has_begun.is_set() and not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt

    monkeypatch.setattr(session, "simulate_slice", simulate_in_order)
    with pytest.raises(RunInterrupted) as caught:
        simcore.run(tiny, replicates=REPLICATES, seed=seed, threads=2, output=tmp_path / "x.h5", progress=interrupt)
    assert caught.value.results is not None
    caught.value.results.close()
    assert assert_beginning(tmp_path / "x.h5", whole) == BLOCK_ROWS


def test_the_second_interrupt_stops_at_once_and_leaves_nothing(tiny: Scenario, seed: int, tmp_path: Path) -> None:
    progress = Interrupter(1, 2)
    with pytest.raises(KeyboardInterrupt):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, threads=1, output=tmp_path / "x.h5", progress=progress)
    assert progress.count == 2
    assert list(tmp_path.iterdir()) == []


def test_a_failing_slice_ends_the_run_and_leaves_nothing(
    tiny: Scenario, seed: int, tmp_path: Path, monkeypatch: Any
) -> None:
    simulate = session.simulate_slice

    def simulate_or_fail(work: Work, block: Block, first: int, stop: int) -> Any:
        if block.first > 0:
            raise MemoryError("no room")
        return simulate(work, block, first, stop)

    monkeypatch.setattr(session, "simulate_slice", simulate_or_fail)
    with pytest.raises(MemoryError, match="no room"):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, threads=2, output=tmp_path / "x.h5")
    assert list(tmp_path.iterdir()) == []


# Bounded memory -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 4])
def test_the_number_of_blocks_under_way_is_bounded(threads: int, tiny: Scenario, seed: int, monkeypatch: Any) -> None:
    """Encoding is made slower than computing, so that blocks would pile up if nothing held them back."""
    under_way: list[int] = [0]
    lock = threading.Lock()

    def counting(change: int, function: Callable[..., Any], delay: float = 0.0) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            time.sleep(delay)
            result = function(*arguments, **options)
            with lock:
                under_way.extend([under_way[-1] + change] if change else [])
            return result

        return wrapped

    monkeypatch.setattr(session, "new_block", counting(1, session.new_block))
    monkeypatch.setattr(session, "encode", counting(-1, session.encode, delay=0.2))
    simcore.run(tiny, replicates=9 * BLOCK_ROWS, seed=seed, threads=threads).close()
    assert len(under_way) == 1 + 2 * 9, "a block was encoded twice"
    assert under_way[-1] == 0
    assert 1 < max(under_way) <= most_blocks(threads)


def test_no_block_is_encoded_twice(tiny: Scenario, seed: int, monkeypatch: Any) -> None:
    """Every encoding ends after the calling thread looked for ended tasks and before it looks for encoded blocks."""
    encoded: list[int] = []
    encode, hand_out = session.encode, session.Session._hand_out

    def counted(work: Work, block: Block, *rest: Any) -> Any:
        encoded.append(block.first)
        return encode(work, block, *rest)

    def late(self: session.Session) -> None:
        hand_out(self)
        for under_way in self.under_way:
            if under_way.encoding is not None:
                under_way.encoding.result()

    monkeypatch.setattr(session, "encode", counted)
    monkeypatch.setattr(session.Session, "_hand_out", late)
    simcore.run(tiny, replicates=4 * BLOCK_ROWS, seed=seed, threads=2).close()
    assert sorted(encoded) == [first * BLOCK_ROWS for first in range(4)]


def test_blocks_that_wait_for_the_disk_are_bounded(tiny: Scenario, seed: int, monkeypatch: Any) -> None:
    """Writing is made slower than computing."""
    encoded: list[int] = [0]

    def encode(*arguments: Any) -> Any:
        encoded.append(encoded[-1] + 1)
        return original_encode(*arguments)

    def commit(writer: Writer, block: Any) -> None:
        time.sleep(0.1)
        original_commit(writer, block)
        encoded.append(encoded[-1] - 1)

    original_encode, original_commit = session.encode, Writer.commit
    monkeypatch.setattr(session, "encode", encode)
    monkeypatch.setattr(Writer, "commit", commit)
    simcore.run(tiny, replicates=15 * BLOCK_ROWS, seed=seed, threads=2).close()
    assert encoded[-1] == 0
    assert 2 < max(encoded) <= most_blocks(2) + session.ENCODED_BLOCKS < 15
