"""The measurement of chunk shapes, in a tiny size: every shape holds and gives back the same counts, and adds up."""

from __future__ import annotations

import json
import math
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks import chunk_filters, chunk_shapes
from benchmarks.chunk_shapes import PRESENT, SPLITS, CountFile, Counts, Shape
from simcore.store import CHUNK_ROWS

ROWS = 2 * CHUNK_ROWS


@pytest.fixture
def counts() -> list[Counts]:
    generator = np.random.default_rng(1)
    victims = generator.integers(0, 900, (3, 2, ROWS), dtype=np.int32)
    reached = generator.integers(0, 90, (3, 2, ROWS, 4), dtype=np.int32)
    return [
        Counts("victims", (3, 2), victims),
        Counts("totals/victims", (), victims.sum(axis=(0, 1), dtype=np.int64)),
        Counts("reached", (3, 2), reached),
        Counts("totals/reached", (), reached.sum(axis=(0, 1), dtype=np.int64)),
    ]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("rows", [512, CHUNK_ROWS, ROWS])
def test_files_of_every_shape_hold_the_same_counts(tmp_path: Path, counts: list[Counts], rows: int, split: str) -> None:
    file = CountFile(tmp_path / "x.h5", Shape(rows, split), counts, 2 * ROWS)
    reached = np.moveaxis(counts[2].values, 2, 0)
    together = {"one stratum": 1, "first axis": 3, "all strata": 6}[split]
    with h5py.File(tmp_path / "x.h5") as stored:
        assert stored["reached"].chunks == file.shape.chunk(counts[2])
        assert math.prod(stored["reached"].chunks) == rows * 4 * together
        np.testing.assert_array_equal(stored["reached"][()], np.concatenate([reached, reached]))  # read by HDF5
        np.testing.assert_array_equal(stored["totals/victims"][:ROWS], counts[1].values)
        each = [stored[counted.name].id for counted in counts]
        sizes = [dataset.get_chunk_info(index).size for dataset in each for index in range(dataset.get_num_chunks())]
    assert (file.chunks, file.encoded_bytes) == (len(sizes), sum(sizes))
    assert file.chunks == (2 * ROWS // rows) * (6 // together + 1) * 2
    assert 0 < file.metadata_bytes < 1_000_000
    np.testing.assert_array_equal(file.read_stratum(), np.concatenate([reached, reached])[:, 1, 1])
    np.testing.assert_array_equal(file.read_rows("reached", 700, 6000), reached[700:6000])
    np.testing.assert_array_equal(file.read_rows("totals/victims", ROWS - 1, ROWS + 1), counts[1].values[[-1, 0]])
    assert file.scan("reached") == file.scan("totals/victims") == 2 * ROWS
    # At least the chunk that is read, and no more than some copies of it.
    chunk = rows * 4 * together * 4
    assert chunk < file.reader_bytes() < 5 * chunk + 200_000


@pytest.mark.long
@pytest.mark.parametrize("name", [chunk_filters.STORED, chunk_filters.HDF5])
def test_filters_leave_what_they_say(counts: list[Counts], name: str) -> None:
    chunk = np.ascontiguousarray(counts[0].values[0, 0, :CHUNK_ROWS])
    results = {result["way"]: result for result in chunk_filters.compare_filters("counts", [chunk, chunk], 2)}
    assert len(results) == 2 + 2 * (len(chunk_filters.ISAL_LEVELS) + len(chunk_filters.ZLIB_LEVELS))
    # Two of four bytes are zero, one is nearly random, one has less than two bits.
    assert 0.25 < results[name]["bytes_share"] < 0.4
    assert results["isal 1, shuffled before"]["bytes_share"] == results[chunk_filters.STORED]["bytes_share"]
    assert results["zlib 1, shuffled before"]["bytes_share"] == results[chunk_filters.HDF5]["bytes_share"]
    assert results["zlib 6, not shuffled"]["bytes_share"] > results["zlib 6, shuffled before"]["bytes_share"]
    for spread in (results[name]["encode_bytes_per_second"], results[name]["decode_bytes_per_second"]):
        assert 0.0 < spread["low"] <= spread["median"] <= spread["high"]


@pytest.mark.long
def test_a_tiny_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chunk_shapes, "measure", _tiny(chunk_shapes.measure))
    options = ["--simulated", str(ROWS), "--replicates", str(2 * ROWS), "--rounds", "1", "--folder", str(tmp_path)]
    assert chunk_shapes.main([*options, "--output", str(tmp_path / "chunks.json")]) == 0
    report = json.loads((tmp_path / "chunks.json").read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["chunks.json"]  # nothing else is left
    assert report["present"] == str(PRESENT)
    shapes = {(shape["rows"], shape["split"]): shape for shape in report["shapes"]}
    assert set(shapes) == {(rows, split) for rows in (2048, CHUNK_ROWS) for split in SPLITS}
    present = shapes[PRESENT.rows, PRESENT.split]
    assert present["chunk_bytes"] == CHUNK_ROWS * 8 * 4
    assert present["chunks"] == (2 * ROWS // CHUNK_ROWS) * (32 + 32 + 1 + 1)
    for shape in shapes.values():
        assert 0.5 < shape["encoded_bytes"] / present["encoded_bytes"] < 2.0
        assert set(shape["seconds"]) == set(shape["ratios"]) == set(chunk_shapes.USES)
        assert all(0.0 <= spread["low"] <= spread["high"] for spread in shape["seconds"].values())
    assert {result["data"] for result in report["filters"]} == {"counts", "parameters"}
    printed = capsys.readouterr().out
    for split in SPLITS:
        assert f"{split} per chunk; times over those of 4096 rows, one stratum" in printed
    assert "| parameters | zlib 6, not shuffled" in printed


def _tiny(measure: object) -> object:
    return lambda folder, **options: measure(folder, lengths=(2048, CHUNK_ROWS), **options)  # type: ignore[operator]


@pytest.mark.parametrize("options", [["--replicates", "100"], ["--simulated", "4096", "--replicates", "4096"]])
def test_rows_that_do_not_divide_are_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        chunk_shapes.main(options)
    assert stop.value.code == 2
    assert "do not divide evenly" in capsys.readouterr().err
