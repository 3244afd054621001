"""What is written is read back, in the same way from a file and from memory."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore.errors import ResultsError
from simcore.store import CHUNK_ROWS, Layout, open_results

from .store_samples import LAYOUTS, commit_rows, random_counts, random_theta, start, summed, write


@pytest.fixture(params=["file", "memory"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "results.h5" if request.param == "file" else None


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
@pytest.mark.parametrize("replicates", [1, CHUNK_ROWS, 2 * CHUNK_ROWS + 5])
def test_counts_come_back_by_every_set_of_axes(target: Path | None, layout: Layout, replicates: int) -> None:
    counts = random_counts(layout, replicates)
    with write(target, layout, counts, random_theta(layout, replicates)) as results:
        assert results.replicates == results.requested_replicates == replicates
        assert results.status == "complete"
        assert results.layout == layout
        for variable in layout.variables:
            for length in range(len(variable.strata) + 1):
                for by in itertools.permutations(variable.strata, length):
                    expected = summed(layout, variable, counts[variable.name], by)
                    values = results.read(variable.name, by=by)
                    assert values.dtype == np.int64
                    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("inner", [1, 5])
def test_identifiers_theta_ledger_and_documents_come_back(target: Path | None, inner: int) -> None:
    layout, replicates = LAYOUTS["age summed out"], 2 * CHUNK_ROWS + 500 - 12
    replicates -= replicates % inner
    theta = random_theta(layout, replicates // inner)
    with write(target, layout, random_counts(layout, replicates), theta, inner=inner) as results:
        number = np.arange(replicates)
        assert results.nested == (replicates // inner, inner)
        np.testing.assert_array_equal(results.theta_ids(), number // inner)
        np.testing.assert_array_equal(results.replicate_ids(slice(4000, 4200)), number[4000:4200] % inner)
        np.testing.assert_array_equal(results.shared_ids(), number % inner)
        frame = results.theta()
        assert list(frame.columns) == [column.name for column in layout.parameters]
        np.testing.assert_array_equal(frame.to_numpy(), theta)
        some = results.theta(["share[hub]"], rows=slice(10, 20))
        np.testing.assert_array_equal(some["share[hub]"], theta[10:20, 2])
        assert list(some.index) == list(range(10, 20))
        ledger = results.ledger()
        assert ledger["first_row"].tolist() == [0, CHUNK_ROWS, 2 * CHUNK_ROWS]
        assert ledger["rows"].sum() == replicates
        assert ledger["agents"].sum() == 10 * replicates
        assert ledger["seconds"].tolist() == [0.25] * 3
        assert ledger["checksum"].str.fullmatch("[0-9a-f]{16}").all()
        assert results.documents() == {
            "scenario": '{"name": "tiny"}',
            "data/population.csv": "origin,persons\nCOL,1\nÑ,2\n",
        }
        assert results.labels("origin") == ("COL", "ECU", "Ñandú")
        assert results.attributes["seed"] == 7
        assert results.attributes["finished"] == "2026-01-01T00:00:00Z"
        assert results.verify_checksums() == []


def test_block_size_changes_no_data(target: Path | None) -> None:
    layout, replicates = LAYOUTS["age summed out"], 3 * CHUNK_ROWS + 7
    counts, theta = random_counts(layout, replicates), random_theta(layout, replicates)
    with write(target, layout, counts, theta, block_rows=2 * CHUNK_ROWS) as results:
        assert results.ledger()["rows"].tolist() == [2 * CHUNK_ROWS, CHUNK_ROWS + 7]
        assert results.verify_checksums() == []
        for variable in layout.variables:
            expected = summed(layout, variable, counts[variable.name], variable.strata)
            np.testing.assert_array_equal(results.read(variable.name, by=variable.strata), expected)


def test_rows_and_blocks_are_pieces_of_the_whole(target: Path | None) -> None:
    layout, replicates = LAYOUTS["age summed out"], 2 * CHUNK_ROWS + 100
    with write(target, layout, random_counts(layout, replicates), random_theta(layout, replicates)) as results:
        whole = results.read("reached", by=("sex",))
        for rows in (slice(0, 1), slice(4090, 4100), slice(-3, None), slice(5, 5), slice(8, 2)):
            np.testing.assert_array_equal(results.read("reached", by=("sex",), rows=rows), whole[rows])
        pieces = list(results.iter_blocks("reached", by=("sex",), block_rows=CHUNK_ROWS))
        assert [(rows.start, rows.stop) for rows, _ in pieces] == [(0, 4096), (4096, 8192), (8192, replicates)]
        np.testing.assert_array_equal(np.concatenate([values for _, values in pieces]), whole)
        with pytest.raises(ResultsError, match="step 1"):
            results.read("reached", rows=slice(0, 10, 2))


def test_theta_can_be_left_out(target: Path | None) -> None:
    layout = LAYOUTS["age summed out"]
    with write(target, layout, random_counts(layout, 10), random_theta(layout, 10), store_theta=False) as results:
        assert not results.stores_theta
        assert results.layout.parameters == ()
        assert results.verify_checksums() == []
        with pytest.raises(ResultsError, match="--store-theta none"):
            results.theta()


def test_theta_may_be_given_in_overlapping_pieces_but_not_with_gaps(target: Path | None) -> None:
    layout, thetas = LAYOUTS["no strata"], 2 * CHUNK_ROWS + 10
    counts, theta = random_counts(layout, thetas), random_theta(layout, thetas)
    with start(target, layout, thetas) as writer:
        for first in range(0, thetas, CHUNK_ROWS):
            commit_rows(writer, counts, slice(first, min(first + CHUNK_ROWS, thetas)))
        with pytest.raises(ValueError, match="next is 0"):
            writer.write_theta(1, theta[1:2])
        for first, last in ((0, 3000), (2999, 5000), (100, 200), (5000, thetas)):
            writer.write_theta(first, theta[first:last])
        with writer.finish() as results:
            np.testing.assert_array_equal(results.theta().to_numpy(), theta)


def test_same_data_give_the_same_file(tmp_path: Path) -> None:
    layout = LAYOUTS["age summed out"]
    counts, theta = random_counts(layout, 5000), random_theta(layout, 5000)
    for name in ("a.h5", "b.h5"):
        write(tmp_path / name, layout, counts, theta).close()
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(list(LAYOUTS)),
    replicates=st.integers(1, 2 * CHUNK_ROWS + 2),
    largest=st.sampled_from([1, 2, 255, 256, 65_536, 2**31 - 1]),
    seed=st.integers(0, 2**32 - 1),
    chunks=st.integers(1, 3),
)
def test_any_counts_come_back(name: str, replicates: int, largest: int, seed: int, chunks: int) -> None:
    layout = LAYOUTS[name]
    generator = np.random.default_rng(seed)
    counts = random_counts(layout, replicates, seed, 2)
    for values in counts.values():
        values *= generator.integers(0, largest, size=values.shape, endpoint=True).astype(values.dtype)
    with write(None, layout, counts, random_theta(layout, replicates), block_rows=chunks * CHUNK_ROWS) as results:
        for variable in layout.variables:
            by = tuple(generator.permutation(variable.strata)[: generator.integers(0, len(variable.strata) + 1)])
            by = tuple(str(axis) for axis in by)
            np.testing.assert_array_equal(
                results.read(variable.name, by=by), summed(layout, variable, counts[variable.name], by)
            )
            total = summed(layout, variable, counts[variable.name], ())
            np.testing.assert_array_equal(results.read(variable.name), total)


def test_results_can_be_opened_twice_at_once(tmp_path: Path) -> None:
    layout = LAYOUTS["one stratum"]
    first = write(tmp_path / "x.h5", layout, random_counts(layout, 10), random_theta(layout, 10))
    with first, open_results(tmp_path / "x.h5") as second:
        np.testing.assert_array_equal(first.read("visits"), second.read("visits"))
    with pytest.raises(ResultsError, match="is closed"):
        first.read("visits")
