"""Files that are foreign, newer, cut short, incomplete or hostile get one line that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from simcore.errors import ResultsError
from simcore.store import CHUNK_ROWS, open_results

from .store_samples import LAYOUTS, commit_rows, random_counts, random_theta, seal, start, write

LAYOUT = LAYOUTS["age summed out"]
REPLICATES = CHUNK_ROWS + 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "x.h5", LAYOUT, random_counts(LAYOUT, REPLICATES), random_theta(LAYOUT, REPLICATES)).close()
    return tmp_path / "x.h5"


def refuse(path: Path, message: str) -> None:
    with pytest.raises(ResultsError, match=message) as caught:
        open_results(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_no_file_a_folder_and_a_foreign_file(tmp_path: Path) -> None:
    refuse(tmp_path / "none.h5", "no such file")
    refuse(tmp_path, "cannot be read: Is a directory")
    (tmp_path / "empty.h5").touch()
    refuse(tmp_path / "empty.h5", "is not an HDF5 file")
    (tmp_path / "text.h5").write_text("origin,persons\n")
    refuse(tmp_path / "text.h5", "is not an HDF5 file")


def test_hdf5_of_another_program(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1, 2]
    refuse(tmp_path / "other.h5", "is an HDF5 file, but not one of simcore")
    with h5py.File(tmp_path / "other.h5", "a") as file:
        file.attrs["filetype"] = np.zeros((2, 2))
    refuse(tmp_path / "other.h5", "is an HDF5 file, but not one of simcore")


def test_newer_major_is_refused_and_newer_minor_is_read(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = [1, 9]
        file.attrs["new"] = "something that this program does not know"
        file["unknown"] = np.zeros(3)
    with open_results(path) as results:
        assert results.read("victims").shape == (REPLICATES,)
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = [2, 0]
    refuse(path, r"written by a newer simcore: format 2\.0, this program reads 1\.x")


def test_every_cut_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for size in np.linspace(1, len(whole) - 1, 50).astype(int):
        path.write_bytes(whole[:size])
        refuse(path, "is cut short|is not an HDF5 file|damaged")


def test_unfinished_file_is_refused(tmp_path: Path) -> None:
    writer = start(tmp_path / "x.h5", LAYOUT, 2 * CHUNK_ROWS, store_theta=False)
    commit_rows(writer, random_counts(LAYOUT, CHUNK_ROWS), slice(0, CHUNK_ROWS))
    writer._file.flush()
    (partial,) = tmp_path.iterdir()
    copy = tmp_path / "copy.h5"
    copy.write_bytes(partial.read_bytes())
    refuse(copy, r"belongs to a run that did not end \(status 'writing'\)|is cut short|damaged")
    writer.abort()


def _replace(file: h5py.File, name: str, **options: object) -> None:
    del file[name]
    file.create_dataset(name, **options)


CHANGES: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "no totals": (lambda file: file.__delitem__("totals"), "'totals/persons' is missing"),
    "no ledger": (lambda file: file.__delitem__("ledger"), "'ledger/rows' is missing"),
    "no parameters": (lambda file: file.__delitem__("parameters"), "'parameters' is missing"),
    "no theta_id": (lambda file: file.__delitem__("theta_id"), "'theta_id' is missing"),
    "no replicate": (lambda file: file.__delitem__("replicate"), "'replicate' is missing"),
    "no status": (lambda file: file.attrs.__delitem__("status"), "'status' is missing"),
    "no nested": (lambda file: file.attrs.__delitem__("nested"), "root attribute is missing"),
    "odd version": (lambda file: file.attrs.__setitem__("format_version", "one"), "'format_version' is missing or dam"),
    "no units": (lambda file: file["victims"].attrs.__delitem__("units"), "'victims' is missing or damaged"),
    "no scales": (lambda file: file["victims"].attrs.__delitem__("DIMENSION_LIST"), "'victims' is missing or damaged"),
    "strata": (lambda file: file["victims"].attrs.__setitem__("strata", "sex,origin"), "'victims' is .*axes"),
    "rows": (lambda file: file["victims"].resize(7, axis=0), r"'victims' has type int32 and shape \(7, 3, 2, 2\)"),
    "total rows": (lambda file: file["totals/victims"].resize(7, axis=0), r"'totals/victims' has type int64 and shape"),
    "ids": (lambda file: file["shared_id"].resize(7, axis=0), "'shared_id' has type uint32 and shape"),
    "ledger rows": (lambda file: file["ledger/rows"].__setitem__(0, 5), "its blocks hold 15 of 4106 replicates"),
    "ledger size": (lambda file: file["ledger/rows"].resize(10**12, axis=0), "the ledger is missing or damaged"),
    "theta rows": (lambda file: file["parameters/rho"].resize(7, axis=0), "parameter 'rho'"),
    "type": (lambda file: _replace(file, "theta_id", data=np.zeros(REPLICATES)), "'theta_id' has type float64"),
    "group": (lambda file: (file.__delitem__("theta_id"), file.create_group("theta_id")), "not a dataset"),
    "soft link": (
        lambda file: (file.__delitem__("theta_id"), file.__setitem__("theta_id", h5py.SoftLink("/shared_id"))),
        "'theta_id' is missing or damaged .a link to elsewhere",
    ),
    "external link": (
        lambda file: (file.__delitem__("victims"), file.__setitem__("victims", h5py.ExternalLink("y.h5", "/x"))),
        "'victims' is missing or damaged .a link to elsewhere",
    ),
    "external storage": (
        lambda file: _replace(
            file, "theta_id", shape=(REPLICATES,), dtype="u4", external=[("/etc/hostname", 0, 4 * REPLICATES)]
        ),
        "keeps its data in another file",
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_missing_and_hostile_content(path: Path, change: tuple[Callable[[h5py.File], object], str]) -> None:
    with h5py.File(path, "r+") as file:
        change[0](file)
    refuse(path, change[1])


def test_virtual_dataset_is_refused(path: Path) -> None:
    layout = h5py.VirtualLayout((REPLICATES,), "u4")
    layout[:] = h5py.VirtualSource(str(path), "shared_id", (REPLICATES,))
    with h5py.File(path, "r+") as file:
        del file["theta_id"]
        file.create_virtual_dataset("theta_id", layout)
    refuse(path, "keeps its data in another file")


def test_hostile_parts_that_are_read_later(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["ledger/seconds"]
    seal(path)
    with open_results(path) as results, pytest.raises(ResultsError, match="'ledger/seconds' is missing"):
        results.ledger()


def test_a_document_that_is_a_link_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["scenario/scenario"]
        file["scenario/scenario"] = h5py.ExternalLink("y.h5", "/x")
    refuse(path, "'scenario/scenario' is a link to elsewhere")


def test_questions_that_the_file_cannot_answer(path: Path) -> None:
    with open_results(path) as results:
        for ask, message in (
            (lambda: results.read("victim"), r"no variable 'victim'; did you mean 'victims'\?"),
            (lambda: results.read("victims", by=("orign",)), "no strata axis 'orign'; did you mean 'origin'"),
            (lambda: results.read("persons", by=("exploitation",)), "'persons' has no strata axis 'exploitation'"),
            (lambda: results.read("reached", by=("point",)), "no strata axis 'point'"),
            (lambda: results.read("victims", by=("sex", "sex")), "named twice"),
            (
                lambda: results.read("victims", by=("age_band",)),
                "'victims' was summed over age_band .* run it again with --store-by origin,sex,exploitation,age_band",
            ),
            (lambda: results.labels("pont"), "no axis 'pont'; did you mean 'point'"),
            (lambda: results.theta(["rh"]), "no parameter 'rh'"),
        ):
            with pytest.raises(ResultsError, match=message) as caught:
                ask()
            assert str(caught.value).startswith(f"{path}: ")
