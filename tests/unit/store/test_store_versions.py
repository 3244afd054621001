"""Every format that was released is read, gone on with and told from what is newer.

There is one small file of each in ``data``, never made anew; all were written by the program of their time:

- ``format_1_0.h5`` by ``store_samples.write`` (layout "age summed out", 20 replicates, two of each parameter set);
- ``format_1_0_run.h5`` and ``format_1_1.h5`` by ``simcore run`` of the known-answer fixture ``single_border.toml`` with
  a population of 3, ``-n 4096 -s 7 --store-by none``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

import simcore
from simcore.cli.program import app
from simcore.errors import ResultsError
from simcore.model import RESULTS_VERSION
from simcore.runner.identity import IDENTITY
from simcore.scenario import Scenario
from simcore.store import CHUNK_ROWS, open_results
from simcore.store.comparing import compare_results
from simcore.store.description import DESCRIPTION_CHECKSUM, description_checksum
from simcore.store.layout import FORMAT_VERSION
from tests.conftest import FIXTURES, load, one_cell

from .store_samples import LAYOUTS, random_counts, random_theta, summed

DATA = Path(__file__).parent / "data"
RUNS = {(1, 0): "format_1_0_run.h5", (1, 1): "format_1_1.h5"}
NEWEST = max(RUNS)
LONGER = CHUNK_ROWS + 100

versions = pytest.mark.parametrize("version", sorted(RUNS), ids=lambda version: "{}.{}".format(*version))


@pytest.fixture(scope="module")
def fixture() -> Scenario:
    """The scenario that the runs are of."""
    return load(FIXTURES / "single_border.toml", one_cell(3))


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[tuple[int, int]], Path]:
    """Copies of the files, to be written to."""
    return lambda version: Path(shutil.copy(DATA / RUNS[version], tmp_path / "x.h5"))


def change(path: Path, what: Callable[[h5py.File], None]) -> None:
    """Change a file as a program would that knows the format."""
    with h5py.File(path, "r+") as file:
        what(file)
        file.attrs[DESCRIPTION_CHECKSUM] = np.bytes_(description_checksum(file).encode())


def run(fixture: Scenario, replicates: int, **options: Any) -> simcore.Results:
    return simcore.run(fixture, replicates=replicates, seed=7, store_by=(), threads=1, **options)


# Reading --------------------------------------------------------------------------------------------------------------


def test_there_is_a_file_of_every_format_and_it_is_small() -> None:
    assert FORMAT_VERSION == NEWEST
    for path in DATA.glob("format_*.h5"):
        assert path.stat().st_size < 150 * 1024, path
    assert {path.name for path in DATA.glob("format_*.h5")} == {"format_1_0.h5", *RUNS.values()}


@versions
def test_a_run_is_read(version: tuple[int, int]) -> None:
    """Known numbers, read off when the files were made: 3 x 4,096 persons, all bound, 93 % of them arrive."""
    with open_results(DATA / RUNS[version]) as results:
        assert results.attributes["format_version"] == list(version)
        assert (results.replicates, results.nested, results.status) == (4096, (4096, 1), "complete")
        assert results.verify_checksums() == []
        assert results.read("outcome").sum(axis=0).tolist() == [11491, 797]
        assert results.labels("absorbing") == ("ARRIVED", "RETURNED_FINAL")
        assert results.theta(["interception", "reattempt"]).iloc[-1].tolist() == [0.4, 0.9]
        assert np.array_equal(results.theta_ids(), np.arange(4096))
        assert set(results.documents()) == {"scenario.json"}
        ledger = results.ledger()
        assert ledger["rows"].tolist() == [4096]
        assert ledger["agents"].tolist() == [3 * 4096]
        assert ledger["held_shares"].tolist() == [0]
        tidy = results.to_pandas(["outcome", "victims"])
        assert tidy.groupby("variable")["value"].sum().to_dict() == {"outcome": 3 * 4096, "victims": 3 * 4096}


@versions
def test_verbs_read_it(version: tuple[int, int], tmp_path: Path) -> None:
    path = str(DATA / RUNS[version])
    for arguments, words in (
        (["info", path, "--verify"], ["verified: everything agrees", f"{version[0]}.{version[1]}"]),
        (["summary", path], ["Trafficked", "ARRIVED"]),
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.stderr
        assert all(word.lower() in done.stdout.lower() for word in words), done.stdout


def test_a_sample_of_format_1_0_is_read() -> None:
    layout = LAYOUTS["age summed out"]
    with open_results(DATA / "format_1_0.h5") as results:
        assert results.attributes["format_version"] == [1, 0]
        assert results.layout == layout
        assert results.verify_checksums() == []
        counts = random_counts(layout, 20)
        for variable in layout.variables:
            expected = summed(layout, variable, counts[variable.name], variable.strata)
            np.testing.assert_array_equal(results.read(variable.name, by=variable.strata), expected)
        np.testing.assert_array_equal(results.theta(), random_theta(layout, 10))
        assert results.nested == (10, 2)


def test_one_run_is_the_same_in_every_format() -> None:
    with open_results(DATA / RUNS[1, 0]) as old, open_results(DATA / RUNS[NEWEST]) as new:
        assert compare_results(old, new, attributes=IDENTITY) == []
        assert compare_results(new, old, attributes=IDENTITY) == []


# Going on -------------------------------------------------------------------------------------------------------------


def numbers_are_those_of_today(path: Path) -> bool:
    """Whether this program draws the numbers that are in a file; if not, going on with it must be refused."""
    with open_results(path) as results:
        if results.attributes["results_version"] == RESULTS_VERSION:
            return True
    with pytest.raises(ResultsError, match=r"was made by a simcore of results_version \d+, this one has \d+"):
        simcore.extend(path, replicates=LONGER, other_environment=True)
    return False


@versions
def test_a_run_is_extended(
    version: tuple[int, int], copy: Callable[[tuple[int, int]], Path], fixture: Scenario, tmp_path: Path
) -> None:
    path = copy(version)
    if not numbers_are_those_of_today(path):
        return
    done: list[int] = []
    with (
        simcore.extend(
            path, replicates=LONGER, other_environment=True, progress=lambda state: done.append(state.replicates_stored)
        ) as results,
        run(fixture, LONGER) as whole,
    ):
        assert done[-1] == 4096  # the old block was moved over, not computed again
        assert compare_results(results, whole, attributes=IDENTITY) == []
        assert results.verify_checksums() == []
        assert results.attributes["format_version"] == list(FORMAT_VERSION)
        assert len(results.theta_checksums or ()) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["x.h5"]


@versions
def test_an_interrupted_run_is_resumed(
    version: tuple[int, int], copy: Callable[[tuple[int, int]], Path], fixture: Scenario
) -> None:
    path = copy(version)
    if not numbers_are_those_of_today(path):
        return

    def interrupt(file: h5py.File) -> None:
        file.attrs["status"] = "interrupted"
        file.attrs["requested_replicates"] = LONGER
        file.attrs["nested"] = [LONGER, 1]

    change(path, interrupt)
    with simcore.resume(path, other_environment=True, threads=1) as results, run(fixture, LONGER) as whole:
        assert compare_results(results, whole, attributes=IDENTITY) == []


@versions
def test_a_run_is_made_again(version: tuple[int, int], copy: Callable[[tuple[int, int]], Path]) -> None:
    path = copy(version)
    if not numbers_are_those_of_today(path):
        return
    made = simcore.rerun(path, threads=1)
    with made.results:
        assert made.differences == []


def test_a_file_that_does_not_say_how_it_was_made_is_no_run(tmp_path: Path) -> None:
    """The sample of the store has no scenario."""
    path = Path(shutil.copy(DATA / "format_1_0.h5", tmp_path / "x.h5"))
    content = path.read_bytes()
    for go_on in (
        lambda: simcore.resume(path, repair=True),
        lambda: simcore.extend(path, nested=(20, 2)),
        lambda: simcore.rerun(path),
    ):
        with pytest.raises(ResultsError, match=rf"^{path}: does not say how it was made \(attribute 'theta'\)$"):
            go_on()
    assert [each.name for each in tmp_path.iterdir()] == ["x.h5"]
    assert path.read_bytes() == content


# Newer formats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [2, 3, 2**40])
@versions
def test_a_newer_major_is_refused_with_one_sentence(
    version: tuple[int, int], copy: Callable[[tuple[int, int]], Path], major: int
) -> None:
    path = copy(version)

    def newer(file: h5py.File) -> None:
        file.attrs["format_version"] = [major, 0]
        file.attrs["status"] = "another word"

    change(path, newer)
    with pytest.raises(ResultsError) as caught:
        open_results(path)
    assert str(caught.value) == (
        f"{path}: written by a newer simcore: format {major}.0, this program reads {FORMAT_VERSION[0]}.x"
    )
    for arguments in (["info", path], ["summary", path], ["extend", path, "-n", "9999"], ["resume", path]):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert done.exit_code == 2
        assert done.stderr.count("\n") == 1
        assert f"format {major}.0, this program reads" in done.stderr
    assert [each.name for each in path.parent.iterdir()] == ["x.h5"]


def additions(file: h5py.File) -> None:
    """What a newer minor may add."""
    file.attrs["format_version"] = [FORMAT_VERSION[0], 99]
    file.attrs["a_later_attribute"] = "anything"
    file.attrs["later_numbers"] = [1.5, 2.5]
    file["victims"].attrs["a_later_attribute"] = 7
    file["ledger"].attrs["a_later_attribute"] = "anything"
    file.create_dataset("later_column", data=np.arange(4096))
    file.create_dataset("later_table", data=np.zeros((3, 4)))
    file.create_dataset("later_text", data="anything")
    file["ledger"].create_dataset("later_column", data=np.arange(1.0))
    file["totals"].create_dataset("later_column", data=np.arange(4096))
    file.create_group("later_group").create_dataset("column", data=np.arange(5))


def test_a_newer_minor_is_read_and_what_it_adds_is_left_out(copy: Callable[[tuple[int, int]], Path]) -> None:
    path = copy(NEWEST)
    change(path, additions)
    with open_results(path) as results, open_results(DATA / RUNS[NEWEST]) as before:
        assert results.attributes["format_version"] == [1, 99]
        assert results.attributes["a_later_attribute"] == "anything"
        assert results.layout == before.layout
        assert results.verify_checksums() == []
        assert compare_results(before, results, attributes=IDENTITY) == []
        assert len(results.to_pandas(["outcome"])) == 2 * 4096
    for arguments in (["info", path, "--verify"], ["summary", path]):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.stderr
