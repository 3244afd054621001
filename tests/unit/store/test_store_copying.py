"""Blocks out of a finished file make the same file again, wherever that file came from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import simcore
from simcore.errors import ResultsError
from simcore.runner.identity import IDENTITY
from simcore.scenario import Scenario
from simcore.store import CHUNK_ROWS, Writer, open_results
from simcore.store.checksums import CHECKSUM_KIND
from simcore.store.comparing import compare_results
from simcore.store.copying import StoredBlocks
from simcore.store.description import DESCRIPTION_CHECKSUM, description_checksum
from tests.unit.runner.continuing_samples import border

from .store_samples import LAYOUTS, random_counts, random_theta, write
from .test_store_comparing import rewrite

DATA = Path(__file__).parent / "data"
OWN = ("filetype", "format_version", "status", "requested_replicates", "nested", DESCRIPTION_CHECKSUM)
SAMPLE_NAMES = ("seed", "scenario_name", "nested", "requested_replicates")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return border()


def copied(source: Path, target: Path) -> Path:
    """Commit every block of a file to a new one."""
    with open_results(source) as results:
        blocks = StoredBlocks(results)
        writer = Writer(
            target,
            results.layout,
            replicates=results.requested_replicates,
            thetas=results.nested[0],
            attributes={name: value for name, value in results.attributes.items() if name not in OWN},
            documents=results.documents(),
            store_theta=results.stores_theta,
        )
        with writer:
            for first, row in blocks.ledger.items():
                block = blocks.load(first)
                assert (block.first_row, block.rows) == (first, row.rows)
                writer.commit(block)
            if results.stores_theta and results.nested[1] > 1:
                writer.write_theta(0, results.theta().to_numpy())
            writer.finish().close()
    return target


def assert_equal(source: Path, target: Path, names: tuple[str, ...] = IDENTITY) -> None:
    with open_results(source) as one, open_results(target) as other:
        assert compare_results(one, other, attributes=names) == []
        assert other.verify_checksums() == []
        columns = ["first_row", "rows", "seconds", "agents", "held_shares"]
        assert one.ledger()[columns].equals(other.ledger()[columns])


def raw_chunks(path: Path) -> dict[tuple[str, tuple[int, ...]], bytes]:
    """Encoded bytes of every chunk of counts, identifiers and parameters."""
    found: dict[tuple[str, tuple[int, ...]], bytes] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks is not None and not name.startswith("ledger"):
            for number in range(item.id.get_num_chunks()):
                offset = item.id.get_chunk_info(number).chunk_offset
                found[name, offset] = item.id.read_direct_chunk(offset)[1]

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


RUNS: dict[str, dict[str, Any]] = {
    "single loop": {"replicates": 2 * CHUNK_ROWS + 77},
    "one row": {"replicates": 1},
    "whole blocks": {"replicates": CHUNK_ROWS},
    "nested": {"nested": (700, 6)},
    "many sets": {"nested": (CHUNK_ROWS + 3, 2)},
    "no theta": {"replicates": CHUNK_ROWS + 1, "store_theta": False},
    "nested, no theta": {"nested": (30, 150), "store_theta": False},
    "no strata": {"replicates": CHUNK_ROWS + 1, "store_by": ()},
    "ended": {"replicates": 300, "store_ended": True},
    "sobol": {"replicates": 2 * CHUNK_ROWS, "design": "sobol", "randomisation": 3},
    "cohort engine": {"replicates": CHUNK_ROWS + 1, "engine": "cohort"},
}


@pytest.mark.parametrize("kind", sorted(RUNS))
def test_a_run_is_copied_chunk_by_chunk(kind: str, scenario: Scenario, seed: int, tmp_path: Path) -> None:
    source = tmp_path / "source.h5"
    simcore.run(scenario, seed=seed, output=source, threads=1, **RUNS[kind]).close()
    target = copied(source, tmp_path / "target.h5")
    assert_equal(source, target)
    chunks = raw_chunks(source)
    assert len(chunks) > 10
    assert raw_chunks(target) == chunks


def test_documents_of_a_design_are_copied(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    simcore.run(scenario, seed=seed, output=tmp_path / "a.h5", design="sobol", replicates=8).close()
    with open_results(copied(tmp_path / "a.h5", tmp_path / "b.h5")) as results:
        assert "design_dimensions.json" in results.documents()


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("block_rows", [CHUNK_ROWS, 2 * CHUNK_ROWS, 3 * CHUNK_ROWS])
def test_blocks_of_several_chunks(tmp_path: Path, layout: str, block_rows: int) -> None:
    known, replicates = LAYOUTS[layout], 2 * CHUNK_ROWS + 10
    source = tmp_path / "source.h5"
    options = {"block_rows": block_rows}
    write(source, known, random_counts(known, replicates), random_theta(known, replicates), **options).close()
    target = copied(source, tmp_path / "target.h5")
    assert_equal(source, target, SAMPLE_NAMES)
    assert raw_chunks(target) == raw_chunks(source)


# Files of others ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["format_1_0.h5", "format_1_0_run.h5"])
def test_a_file_of_format_1_0(tmp_path: Path, name: str) -> None:
    """It has no checksums of parameter sets and another kind of those of blocks: the copy has today's."""
    source = DATA / name
    with open_results(source) as results:
        assert results.theta_checksums is None
        assert results.checksum_kind != CHECKSUM_KIND
    target = copied(source, tmp_path / "target.h5")
    assert_equal(source, target, SAMPLE_NAMES)
    assert raw_chunks(target) == raw_chunks(source)
    with open_results(target) as results:
        assert results.attributes["format_version"] == [1, 1]
        assert results.checksum_kind == CHECKSUM_KIND
        assert results.theta_checksums is not None
        assert len(results.theta_checksums) == 1


def test_held_shares_of_format_1_0_are_those_of_the_first_block(tmp_path: Path) -> None:
    layout = LAYOUTS["no strata"]
    source, replicates = tmp_path / "source.h5", CHUNK_ROWS + 10
    write(source, layout, random_counts(layout, replicates), random_theta(layout, replicates)).close()
    with h5py.File(source, "r+") as file:
        del file["ledger/held_shares"]
        file.attrs["held_shares"] = 41
        file.attrs[DESCRIPTION_CHECKSUM] = np.bytes_(description_checksum(file).encode())
    with open_results(source) as results:
        blocks = StoredBlocks(results)
        assert [blocks.load(first).held_shares for first in (0, CHUNK_ROWS)] == [41, 0]


@pytest.mark.parametrize(("chunk", "inner"), [(100, 1), (1000, 1), (CHUNK_ROWS, 1), (5000, 1), (1000, 2)])
def test_a_file_rewritten_by_h5py(tmp_path: Path, chunk: int, inner: int) -> None:
    """Chunks of another size or filter are made again: those of the file as it was, bit for bit."""
    layout, replicates = LAYOUTS["age summed out"], CHUNK_ROWS + 50
    original, source = tmp_path / "original.h5", tmp_path / "source.h5"
    counts, theta = random_counts(layout, replicates), random_theta(layout, replicates // inner)
    write(original, layout, counts, theta, inner=inner).close()
    shutil.copy(original, source)

    def other_chunks(name: str, dataset: h5py.Dataset) -> dict[str, Any] | None:
        if name.startswith("ledger"):
            return None
        rows = min(chunk, dataset.shape[0])
        return {
            "chunks": (rows, *dataset.shape[1:]),
            "maxshape": dataset.maxshape,
            "compression": "lzf" if dataset.dtype.kind == "i" else None,
        }

    rewrite(source, other_chunks)
    with h5py.File(source) as file, h5py.File(original) as before:
        assert file["victims"].chunks != before["victims"].chunks
    target = copied(source, tmp_path / "target.h5")
    assert_equal(original, target, SAMPLE_NAMES)
    assert raw_chunks(target) == raw_chunks(original)


# Damage ---------------------------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    """Damage a chunk of the second block on the disk."""
    with h5py.File(path) as file:
        info = file["totals/victims"].id.get_chunk_info(1)
    with path.open("r+b") as stream:
        stream.seek(info.byte_offset + info.size // 2)
        stream.write(b"\xff" * 8)


def drop(path: Path) -> None:
    """Lose the chunks of the second block."""
    with h5py.File(path, "r+") as file:
        dataset = file["victims"]
        rows = dataset.shape[0]
        dataset.resize(CHUNK_ROWS, axis=0)
        dataset.resize(rows, axis=0)


def test_a_damaged_chunk_is_copied_as_it_is_and_found_in_the_copy(
    scenario: Scenario, seed: int, tmp_path: Path
) -> None:
    simcore.run(scenario, seed=seed, output=tmp_path / "a.h5", threads=1, replicates=2 * CHUNK_ROWS).close()
    cut(tmp_path / "a.h5")
    with open_results(copied(tmp_path / "a.h5", tmp_path / "b.h5")) as results:
        assert [(damage.part, damage.first_row) for damage in results.verify_checksums()] == [("block", CHUNK_ROWS)]


def test_a_missing_chunk_is_an_error(scenario: Scenario, seed: int, tmp_path: Path) -> None:
    simcore.run(scenario, seed=seed, output=tmp_path / "a.h5", threads=1, replicates=2 * CHUNK_ROWS).close()
    drop(tmp_path / "a.h5")
    with pytest.raises(ResultsError, match=r"a\.h5: 'victims' is damaged in rows 4096 to 8191"):
        copied(tmp_path / "a.h5", tmp_path / "b.h5")
    assert not (tmp_path / "b.h5").exists()
