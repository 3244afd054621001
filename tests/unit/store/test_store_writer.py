"""The writer: order, checks, interruption, a full disk; a failed run leaves nothing that looks finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from simcore.errors import ResultsError
from simcore.store import (
    CHUNK_ROWS,
    FORMAT_VERSION,
    Dimension,
    EncodedBlock,
    Layout,
    ParameterColumn,
    Variable,
    Writer,
    check_target,
    encode_block,
    open_results,
)
from simcore.store.examination import LONGEST_TEXT

from .store_samples import LAYOUTS, PARAMETERS, POINT, commit_rows, random_counts, random_theta, start, summed, write

LAYOUT = LAYOUTS["age summed out"]


# Targets --------------------------------------------------------------------------------------------------------------


def test_existing_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "x.h5"
    target.write_text("mine")
    with pytest.raises(ResultsError, match=r"x\.h5: exists and is not overwritten"):
        check_target(target)
    with pytest.raises(ResultsError, match="exists"):
        start(target, LAYOUT, 10)
    assert target.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [target]


def test_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    target = tmp_path / "x.h5"
    target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ResultsError, match="exists"):
        check_target(target)


def test_missing_folder_and_folders_in_the_wrong_place_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target, message in (
        (tmp_path / "no" / "x.h5", "folder '.*no' does not exist"),
        (tmp_path / "file" / "x.h5", "file' is not a folder"),
        (tmp_path, "is a folder; name a file"),
    ):
        with pytest.raises(ResultsError, match=message):
            check_target(target)
    check_target(tmp_path / "new.h5")


def test_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Asked through os.access, because a test that runs as root may write everywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ResultsError, match="cannot be written"):
        check_target(tmp_path / "x.h5")


def test_target_that_appears_during_the_run_is_not_replaced(tmp_path: Path) -> None:
    target, counts = tmp_path / "x.h5", random_counts(LAYOUT, 10)
    with start(target, LAYOUT, 10, store_theta=False) as writer:
        commit_rows(writer, counts, slice(0, 10))
        target.write_text("mine")
        with pytest.raises(ResultsError, match=r"appeared during the run .* results are in .*partial") as caught:
            writer.finish()
    assert target.read_text() == "mine"
    kept = Path(str(caught.value).rsplit(" ", 1)[1])
    with open_results(kept) as results:
        assert results.replicates == 10


# Ends -----------------------------------------------------------------------------------------------------------------


def test_unfinished_file_is_no_results_file_and_abort_removes_it(tmp_path: Path) -> None:
    target = tmp_path / "x.h5"
    writer = start(target, LAYOUT, 10)
    (partial,) = tmp_path.iterdir()
    assert partial.name.startswith("x.h5.partial-")
    writer.abort()
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_an_exception_aborts(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), start(tmp_path / "x.h5", LAYOUT, 10):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_failing_head_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="attribute 'bad' cannot be stored"):
        Writer(
            tmp_path / "x.h5",
            LAYOUT,
            replicates=1,
            thetas=1,
            attributes={"bad": object()},  # type: ignore[dict-item]
            documents={},
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("kept", [None, CHUNK_ROWS])
@pytest.mark.parametrize("inner", [1, 7])
def test_interrupted_finish_keeps_whole_blocks(tmp_path: Path, memory: bool, kept: int | None, inner: int) -> None:
    replicates = 7 * CHUNK_ROWS
    counts, theta = random_counts(LAYOUT, replicates), random_theta(LAYOUT, replicates // inner)
    with start(None if memory else tmp_path / "x.h5", LAYOUT, replicates, inner) as writer:
        for first in range(0, 2 * CHUNK_ROWS, CHUNK_ROWS):
            commit_rows(writer, counts, slice(first, first + CHUNK_ROWS), inner)
        writer.write_theta(0, theta[: 2 * CHUNK_ROWS // inner + 1])
        assert writer.rows == 2 * CHUNK_ROWS
        results = writer.finish("interrupted", rows=kept)
    rows = kept or 2 * CHUNK_ROWS
    thetas = -(-rows // inner)
    with results:
        assert results.status == "interrupted"
        assert (results.replicates, results.requested_replicates) == (rows, replicates)
        assert results.nested == (replicates // inner, inner)
        np.testing.assert_array_equal(results.theta().to_numpy(), theta[:thetas])
        assert results.theta_ids().max() == thetas - 1
        assert results.ledger()["rows"].sum() == rows
        assert results.verify_checksums() == []
        for variable in LAYOUT.variables:
            expected = summed(LAYOUT, variable, counts[variable.name][:, :rows], ("origin",))
            np.testing.assert_array_equal(results.read(variable.name, by=("origin",)), expected)


def test_finish_demands_what_it_promises(tmp_path: Path) -> None:
    counts, theta = random_counts(LAYOUT, 2 * CHUNK_ROWS), random_theta(LAYOUT, 2 * CHUNK_ROWS)
    with start(tmp_path / "x.h5", LAYOUT, 2 * CHUNK_ROWS) as writer:
        with pytest.raises(ResultsError, match="no block was finished"):
            writer.finish("interrupted")
        commit_rows(writer, counts, slice(0, CHUNK_ROWS))
        with pytest.raises(ValueError, match="not complete"):
            writer.finish()
        with pytest.raises(ValueError, match="0 parameter sets were written, 4096 replicates need 4096"):
            writer.finish("interrupted")
        with pytest.raises(ValueError, match="not the end of a block"):
            writer.finish("interrupted", rows=5)
        writer.write_theta(0, theta)
        commit_rows(writer, counts, slice(CHUNK_ROWS, 2 * CHUNK_ROWS))
        writer.finish().close()


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="needs signals")
def test_an_interrupt_waits_until_the_block_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replicates = 2 * CHUNK_ROWS
    counts = random_counts(LAYOUT, replicates)
    with start(tmp_path / "x.h5", LAYOUT, replicates, store_theta=False) as writer:
        append = writer._append_to_ledger

        def interrupted_append(block: object) -> None:
            signal.raise_signal(signal.SIGINT)
            append(block)  # type: ignore[arg-type]

        monkeypatch.setattr(writer, "_append_to_ledger", interrupted_append)
        with pytest.raises(KeyboardInterrupt):
            commit_rows(writer, counts, slice(0, CHUNK_ROWS))
        assert writer.rows == CHUNK_ROWS
        with writer.finish("interrupted") as results:
            assert results.verify_checksums() == []


# A full disk ----------------------------------------------------------------------------------------------------------

FULL_DISK = """
    import resource, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from store_samples import LAYOUTS, random_counts, random_theta, write
    from simcore.errors import ResultsError
    layout, replicates = LAYOUTS["age summed out"], 5 * 4096
    counts, theta = random_counts(layout, replicates), random_theta(layout, replicates)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    try:
        write(Path(sys.argv[2]), layout, counts, theta)
    except ResultsError as problem:
        sys.exit(f"REFUSED {problem}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("size", [100, 5_000, 100_000, 1_000_000, 3_000_000])
def test_full_disk_is_one_plain_line_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    target = tmp_path / "x.h5"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(Path(__file__).parent), str(target), str(size)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(f"REFUSED {target}: could not write "), done.stderr
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


# Mistakes of a program ------------------------------------------------------------------------------------------------


def test_a_large_file_is_flushed_while_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simcore.store.writer._FLUSHED_AFTER", 30_000)
    flushed: list[tuple[int, int]] = []  # replicates, and bytes that the file has grown by since the last time
    sizes = [0]

    def flush(descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        flushed.append((writer.rows, size - sizes[-1]))
        sizes.append(size)

    monkeypatch.setattr("simcore.store.partial_file.os.fsync", flush)
    replicates = 5 * CHUNK_ROWS
    counts = random_counts(LAYOUT, replicates)
    with start(tmp_path / "x.h5", LAYOUT, replicates, store_theta=False) as writer:
        for first in range(0, replicates, CHUNK_ROWS):
            commit_rows(writer, counts, slice(first, first + CHUNK_ROWS))
        assert [rows for rows, _ in flushed] == [*range(CHUNK_ROWS, replicates + 1, CHUNK_ROWS)]
        assert all(grown > 30_000 for _, grown in flushed)
        monkeypatch.setattr("simcore.store.writer._FLUSHED_AFTER", 2**40)
        del flushed[:]
        writer.finish().close()
    assert len(flushed) == 1 + 1  # the file; the folder that has its name


def test_a_disk_that_fails_to_flush_is_reported_with_the_block_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simcore.store.writer._FLUSHED_AFTER", 1)
    counts = random_counts(LAYOUT, 3 * CHUNK_ROWS)
    with start(tmp_path / "x.h5", LAYOUT, 3 * CHUNK_ROWS) as writer:
        commit_rows(writer, counts, slice(0, CHUNK_ROWS))
        with monkeypatch.context() as patch:
            patch.setattr("simcore.store.partial_file.os.fsync", lambda _: (_ for _ in ()).throw(OSError(5, "broken")))
            with pytest.raises(
                ResultsError, match=r"x\.h5: could not write replicates 4096 to 8191: Input/output error"
            ):
                commit_rows(writer, counts, slice(CHUNK_ROWS, 2 * CHUNK_ROWS))
    assert list(tmp_path.iterdir()) == []


def test_blocks_are_committed_in_order_and_whole(tmp_path: Path) -> None:
    replicates = 2 * CHUNK_ROWS + 10
    counts = random_counts(LAYOUT, replicates)
    with start(tmp_path / "x.h5", LAYOUT, replicates) as writer:
        with pytest.raises(ValueError, match="the next one is 0"):
            commit_rows(writer, counts, slice(CHUNK_ROWS, 2 * CHUNK_ROWS))
        with pytest.raises(ValueError, match="does not fit"):
            commit_rows(writer, counts, slice(0, 100))
        commit_rows(writer, counts, slice(0, CHUNK_ROWS))
        with pytest.raises(ValueError, match="the next one is 4096"):
            commit_rows(writer, counts, slice(0, CHUNK_ROWS))
    with pytest.raises(ValueError, match="shared evenly"):
        start(tmp_path / "x.h5", LAYOUT, 11, inner=2)
    with pytest.raises(ValueError, match="shared evenly"):
        start(tmp_path / "x.h5", LAYOUT, 0)


@pytest.mark.parametrize(
    ("dimensions", "variables"),
    [
        ((POINT,), (Variable("point", ("point",)),)),  # a variable named like a dimension
        ((POINT, POINT), ()),
        ((POINT,), (Variable("x", ("nowhere",)),)),
        ((POINT,), (Variable("x", ("point",), ("point",)),)),
        ((POINT,), (Variable("theta_id", ("point",)),)),
        ((Dimension("replicate", ("a",)),), ()),
        ((POINT,), (Variable("a/b", ("point",)),)),
        ((POINT,), (Variable("x", (), (), "float64"),)),  # type: ignore[arg-type]
    ],
)
def test_layouts_that_cannot_be_are_refused(dimensions: tuple[Dimension, ...], variables: tuple[Variable, ...]) -> None:
    with pytest.raises(ValueError, match=r"name|axes|type"):
        Layout(dimensions, variables)


def test_names_of_a_scenario_that_cannot_be_stored_get_a_plain_line() -> None:
    for labels in ((), ("",), ("a", "a"), ("a\0b",)):
        with pytest.raises(ResultsError, match="axis 'origin'"):
            Layout((Dimension("origin", labels),), ())
    for name in ("a/b", "", ".", "theta", "a\0"):
        with pytest.raises(ResultsError, match="cannot be stored"):
            Layout((POINT,), (), (ParameterColumn(name),))
    with pytest.raises(ResultsError, match="given twice"):
        Layout((POINT,), (), (PARAMETERS[0], PARAMETERS[0]))


def test_theta_must_fit_the_layout() -> None:
    with start(None, LAYOUT, 4) as writer:
        with pytest.raises(ValueError, match=r"shape \(4, 2\), expected \[sets, 3\]"):
            writer.write_theta(0, np.zeros((4, 2)))
        with pytest.raises(ValueError, match="next is 0"):
            writer.write_theta(0, np.zeros((5, 3)))


def test_attributes_keep_their_type_and_odd_ones_become_text() -> None:
    layout = LAYOUTS["one stratum"]
    given = {
        "whole": -5,
        "seed": 2**64 - 1,
        "vast": 2**70,
        "share": 0.5,
        "flag": True,
        "names": ["a", "ü"],
        "sizes": [1, 2],
        "empty": "",
        "bytes": "a\udc80b",
    }
    with Writer(None, layout, replicates=1, thetas=1, attributes=given, documents={}) as writer:
        commit_rows(writer, random_counts(layout, 1), slice(0, 1))
        writer.write_theta(0, np.zeros((1, 0)))
        stored = writer.finish().attributes
    assert {name: stored[name] for name in given} == {
        **given,
        "vast": str(2**70),
        "flag": 1,
        "bytes": "a\\udc80b",
    }
    assert (stored["filetype"], stored["status"]) == ("simcore-results", "complete")
    assert stored["format_version"] == list(FORMAT_VERSION)


def test_texts_that_no_reader_would_take_are_cut() -> None:
    """A command line can be of two megabytes; what was computed is not lost for that."""
    layout = LAYOUTS["one stratum"]
    long = "x" * (LONGEST_TEXT + 1)
    given = {"command_line": long, "history": ["a", long], "just": long[1:]}
    with Writer(None, layout, replicates=1, thetas=1, attributes=given, documents={}) as writer:
        commit_rows(writer, random_counts(layout, 1), slice(0, 1))
        writer.write_theta(0, np.zeros((1, 0)))
        stored = writer.finish().attributes
    cut = long[: LONGEST_TEXT - 4] + " ..."
    assert (stored["command_line"], stored["history"], stored["just"]) == (cut, ["a", cut], long[1:])


def test_documents_may_have_any_name_and_size() -> None:
    layout = LAYOUTS["one stratum"]
    documents = {"a/b.csv": "1", "../x": "2", ".": "3", "..": "4", "a%2Fb.csv": "5", "Ñ": "x" * 5_000_000, "e": ""}
    with Writer(None, layout, replicates=1, thetas=1, attributes={}, documents=documents) as writer:
        commit_rows(writer, random_counts(layout, 1), slice(0, 1))
        writer.write_theta(0, np.zeros((1, 0)))
        with writer.finish() as results:
            assert results.documents() == documents
            assert results.verify_checksums() == []


@pytest.mark.parametrize("replicates", [CHUNK_ROWS, CHUNK_ROWS + 5])
def test_blocks_may_bring_their_parameter_sets(tmp_path: Path, replicates: int) -> None:
    """The same file as with sets written one block after the other."""
    counts, theta = random_counts(LAYOUT, replicates), random_theta(LAYOUT, replicates)
    number = np.arange(replicates)
    write(tmp_path / "apart.h5", LAYOUT, counts, theta).close()
    with start(tmp_path / "together.h5", LAYOUT, replicates) as writer:
        for first in range(0, replicates, CHUNK_ROWS):
            rows = slice(first, min(first + CHUNK_ROWS, replicates))
            writer.commit(
                encode_block(
                    LAYOUT,
                    {name: values[:, rows] for name, values in counts.items()},
                    first_row=first,
                    theta_id=number[rows],
                    replicate_id=0 * number[rows],
                    shared_id=0 * number[rows],
                    theta=theta[rows],
                )
            )
        writer.finish().close()
    with open_results(tmp_path / "apart.h5") as apart, open_results(tmp_path / "together.h5") as together:
        assert together.verify_checksums() == []
        assert together.theta().equals(apart.theta())
        np.testing.assert_array_equal(together.theta().to_numpy(), theta)


def test_parameter_sets_of_a_block_must_fit() -> None:
    counts, number = random_counts(LAYOUT, 6), np.arange(6)

    def block(theta: np.ndarray) -> EncodedBlock:
        return encode_block(
            LAYOUT, counts, first_row=0, theta_id=number, replicate_id=number, shared_id=number, theta=theta
        )

    with pytest.raises(ValueError, match=r"theta has shape \(5, 3\), expected \(6, 3\)"):
        block(np.zeros((5, 3)))
    whole = block(np.zeros((6, 3)))
    for inner, options in ((2, {}), (1, {"store_theta": False})):
        with start(None, LAYOUT, 6, inner, **options) as writer, pytest.raises(ValueError, match="expects none"):
            writer.commit(whole)
    with start(None, LAYOUT, 6) as writer:
        writer.write_theta(0, np.zeros((2, 3)))
        with pytest.raises(ValueError, match="next is 2"):
            writer.commit(whole)


def test_what_no_reader_would_open_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = LAYOUTS["strata"] if "strata" in LAYOUTS else next(iter(LAYOUTS.values()))
    monkeypatch.setattr("simcore.store.examination.MOST_COLUMNS", len(layout.parameters) - 1)
    with pytest.raises(ResultsError, match=r"columns of parameters cannot be stored, limit"):
        start(tmp_path / "x.h5", layout, 4)
    assert list(tmp_path.iterdir()) == []
