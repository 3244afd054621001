"""Going on where a ledger is damaged, or where the folder and the file do not belong together: nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest

import simcore
from simcore.runner import Progress
from simcore.runner.blocks import BLOCK_ROWS
from simcore.scenario import Scenario
from simcore.store.target import parts_path
from tests.unit.runner.continuing_samples import LONG, Killed, assert_refused, history, killed

LEDGER = ("first_row", "rows", "seconds", "agents", "held_shares", "checksum", "theta_checksum")


@pytest.mark.parametrize("column", LEDGER)
def test_a_damaged_ledger_is_mended_by_computing_everything_again(
    column: str, scenario: Scenario, seed: int, tmp_path: Path
) -> None:
    """Nobody knows then which blocks are sound. What cannot even be opened is refused."""
    target = tmp_path / "x.h5"
    with simcore.run(scenario, seed=seed, replicates=LONG, threads=1, output=target) as results:
        victims = results.read("victims")
    with h5py.File(target) as file:
        chunk = file[f"ledger/{column}"].id.get_chunk_info(0)
    content = bytearray(target.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(
        255 - byte for byte in content[chunk.byte_offset : chunk.byte_offset + chunk.size]
    )
    target.write_bytes(content)
    if column == "rows":
        assert_refused(lambda: simcore.resume(target, repair=True), "the ledger is missing or damaged", tmp_path)
        return
    assert_refused(lambda: simcore.resume(target), "; --repair computes just these again", tmp_path)
    with simcore.resume(target, repair=True, threads=1) as results:
        assert (results.read("victims") == victims).all()
        assert results.verify_checksums() == []
    (line,) = history(target)
    assert (
        line == f"resumed, 0 of {LONG:,} replicates were there; everything computed again, for its ledger was damaged"
    )


def test_a_shorter_unfinished_run_takes_nothing_away(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    """Somebody put a longer file in the place of the one that was being made longer."""
    target, longer = tmp_path / "x.h5", tmp_path / "longer.h5"
    simcore.run(scenario, seed=seed, replicates=BLOCK_ROWS, threads=1, output=target).close()
    simcore.run(scenario, seed=seed, replicates=5 * BLOCK_ROWS, threads=1, output=longer).close()

    def kill(state: Progress) -> None:
        if any(parts_path(target).glob("shard-*.blocks")):
            raise Killed

    with pytest.raises(Killed):
        simcore.extend(target, replicates=3 * BLOCK_ROWS, threads=1, progress=kill)
    longer.rename(target)
    words = f"{target}: holds {5 * BLOCK_ROWS:,} replicates, and {parts_path(target)} a run of {3 * BLOCK_ROWS:,}: "
    assert_refused(lambda: simcore.resume(target, threads=1), words, tmp_path)
    assert_refused(lambda: simcore.resume(target, threads=1, repair=True), words, tmp_path)


def test_an_unfinished_run_of_something_else_beside_a_file_is_left_alone(
    scenario: Scenario, seed: int, tmp_path: Path
) -> None:
    target = tmp_path / "x.h5"
    killed(tmp_path / "y.h5", scenario, seed=seed + 1, replicates=LONG)
    simcore.run(scenario, seed=seed, replicates=LONG, threads=1, output=target).close()
    parts_path(tmp_path / "y.h5").rename(parts_path(target))
    for go_on in (lambda: simcore.extend(target, replicates=LONG), lambda: simcore.resume(target)):
        assert_refused(go_on, "another run", tmp_path)


def test_blocks_without_heads_are_never_thrown_away(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    target = killed(tmp_path / "x.h5", scenario, seed=seed, replicates=LONG)
    (parts_path(target) / "run.json").unlink()  # its copy is there
    shutil.copytree(tmp_path, tmp_path.with_name("whole"))
    simcore.resume(tmp_path.with_name("whole") / "x.h5", threads=1).close()
    (parts_path(target) / "run-copy.json").unlink()
    for go_on in (
        lambda: simcore.resume(target),
        lambda: simcore.run(scenario, seed=seed, replicates=LONG, output=target),
        lambda: simcore.run(scenario, seed=seed + 1, replicates=LONG, output=target),
    ):
        assert_refused(go_on, f"{parts_path(target)}: holds finished blocks, but run.json and run-copy.json", tmp_path)


def test_a_damaged_index_is_found_and_written_anew(
    scenario: Scenario, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What HDF5 keeps beside the data, and this program does not use, is damage too: other programs may use it."""
    target = tmp_path / "x.h5"
    with simcore.run(scenario, seed=seed, replicates=LONG, threads=1, output=target) as results:
        victims = results.read("victims")

    def visit(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("Object visitation failed (incorrect metadata checksum)\nand more")

    before = target.stat().st_ino
    with monkeypatch.context() as patch:
        patch.setattr(h5py.h5o, "visit", visit)
        with simcore.open_results(target) as results:
            (damage,) = results.verify_checksums()
        assert (damage.part, damage.first_row, damage.rows) == ("index", 0, 0)
        words = f"{target}: HDF5's index of names is damaged (Object visitation failed (incorrect metadata checksum))"
        assert damage.message == words
        assert_refused(lambda: simcore.resume(target), f"{words}; --repair computes just these again", tmp_path)
        simcore.resume(target, repair=True, threads=1).close()
    assert target.stat().st_ino != before
    with simcore.open_results(target) as results:
        assert (results.read("victims") == victims).all()
        assert results.verify_checksums() == []
    (line,) = history(target)
    assert line == f"resumed, {LONG:,} of {LONG:,} replicates were there; damaged index written anew"
