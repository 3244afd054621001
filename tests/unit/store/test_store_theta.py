"""Checksums of parameter sets: a value that was changed is found, however many sets there are and wherever they end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from simcore.errors import ResultsError
from simcore.store import CHUNK_ROWS, Results, open_results
from simcore.store.checksums import theta_checksum

from .store_samples import LAYOUTS, commit_rows, random_counts, random_theta, start, write

LAYOUT = LAYOUTS["age summed out"]
SIZES = [1, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 2 * CHUNK_ROWS, 2 * CHUNK_ROWS + 1]


def expected(theta: Any) -> list[str]:
    """The checksums of all sets, each ``CHUNK_ROWS`` by themselves."""
    return [
        theta_checksum(first, LAYOUT.parameter_names, theta[first : first + CHUNK_ROWS].T)
        for first in range(0, len(theta), CHUNK_ROWS)
    ]


def assert_whole(results: Results, theta: Any) -> None:
    assert results.theta_checksums == expected(theta)
    assert np.array_equal(results.theta().to_numpy(), theta)
    assert results.verify_checksums() == []


@pytest.mark.parametrize("sets", SIZES)
def test_there_is_one_for_each_4096_sets(tmp_path: Path, sets: int) -> None:
    theta = random_theta(LAYOUT, sets)
    with write(tmp_path / "x.h5", LAYOUT, random_counts(LAYOUT, sets), theta) as results:
        assert_whole(results, theta)
        assert len(results.theta_checksums or ()) == -(-sets // CHUNK_ROWS)


@pytest.mark.parametrize("row", [0, 4095, 4096, 5000])
def test_a_changed_value_is_found_though_its_chunk_is_sound(tmp_path: Path, row: int) -> None:
    """HDF5 makes the Adler-32 of the chunk anew when it writes the value, so nothing but our own checksum is wrong."""
    path, sets = tmp_path / "x.h5", CHUNK_ROWS + 1000
    write(path, LAYOUT, random_counts(LAYOUT, sets), random_theta(LAYOUT, sets)).close()
    with h5py.File(path, "r+") as file:
        column = file["parameters/rho"]
        column[row] = np.nextafter(column[row], 1.0)  # one bit
    with open_results(path) as results:
        assert np.isfinite(results.theta(["rho"]).to_numpy()).all()
        (damage,) = results.verify_checksums()
    first = row - row % CHUNK_ROWS
    assert (damage.part, damage.first_row, damage.rows) == ("parameters", first, min(CHUNK_ROWS, sets - first))
    assert damage.message == f"{path}: parameter sets {first} to {first + damage.rows - 1} differ from what was written"


@pytest.mark.parametrize("change", ["swapped rows", "swapped columns", "numbers", "checksum", "one less"])
def test_other_changes_are_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "x.h5"
    write(path, LAYOUT, random_counts(LAYOUT, 100), random_theta(LAYOUT, 100)).close()
    with h5py.File(path, "r+") as file:
        parameters, ledger = file["parameters"], file["ledger"]
        match change:
            case "swapped rows":
                for name in LAYOUT.parameter_names:
                    parameters[name][:2] = parameters[name][:2][::-1]
            case "swapped columns":
                one, other = LAYOUT.parameter_names[:2]
                parameters[one][:], parameters[other][:] = parameters[other][()], parameters[one][()]
            case "numbers":
                parameters["theta"][7] = 8
            case "checksum":
                ledger["theta_checksum"][0] = b"0" * 16
            case "one less":
                ledger["theta_checksum"].resize(0, axis=0)
    try:
        with open_results(path) as results:
            assert [damage.part for damage in results.verify_checksums()] == ["parameters"]
    except ResultsError as problem:
        assert change == "one less", problem  # noqa: PT017


# Sets that are cut off at the end of an interrupted run ---------------------------------------------------------------


@pytest.mark.parametrize("inner", [1, 3])
@pytest.mark.parametrize("sets", SIZES)
@pytest.mark.parametrize("missing", [0, 1])
def test_an_interrupted_run_keeps_the_sets_of_its_replicates(
    tmp_path: Path, sets: int, inner: int, missing: int
) -> None:
    """``sets`` sets are written before the run ends ``missing`` blocks early, wherever that cuts them."""
    replicates = (sets + 3 * CHUNK_ROWS) * inner
    rows = max(1, sets * inner // CHUNK_ROWS - missing) * CHUNK_ROWS
    kept = -(-rows // inner)
    written = max(kept, sets)
    theta = random_theta(LAYOUT, written)
    with start(tmp_path / "x.h5", LAYOUT, replicates, inner) as writer:
        counts = random_counts(LAYOUT, rows)
        for first in range(0, rows, CHUNK_ROWS):
            commit_rows(writer, counts, slice(first, first + CHUNK_ROWS), inner)
        for first in range(0, written, 999):  # in pieces that fit no block
            writer.write_theta(first, theta[first : first + 999])
        with writer.finish("interrupted") as results:
            assert results.replicates == rows
            assert_whole(results, theta[:kept])
    with open_results(tmp_path / "x.h5") as results:
        assert_whole(results, theta[:kept])


def test_no_sets_no_checksums(tmp_path: Path) -> None:
    counts = random_counts(LAYOUT, 10)
    with start(tmp_path / "x.h5", LAYOUT, 10, store_theta=False) as writer:
        commit_rows(writer, counts, slice(0, 10))
        with writer.finish() as results:
            assert results.theta_checksums == []
            assert results.verify_checksums() == []
