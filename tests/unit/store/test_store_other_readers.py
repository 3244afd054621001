"""The file opens, with labels, in h5py without plug-ins, in xarray, h5dump, ncdump and R; as a tidy table in pandas.

What docs/file_format.md shows is run as it stands there.
"""

from __future__ import annotations

import builtins
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from simcore.errors import ResultsError
from simcore.store import CHUNK_ROWS, Layout, ParameterColumn, Results, open_results

from .store_samples import LAYOUTS, random_counts, random_theta, summed, unfold, write

LAYOUT = LAYOUTS["age summed out"]
REPLICATES = CHUNK_ROWS + 10
COUNTS = random_counts(LAYOUT, REPLICATES)
THETA = random_theta(LAYOUT, REPLICATES)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("results") / "x.h5"
    write(target, LAYOUT, COUNTS, THETA).close()
    return target


@pytest.fixture(params=["file", "memory"])
def results(request: pytest.FixtureRequest, path: Path) -> Results:
    return open_results(path) if request.param == "file" else write(None, LAYOUT, COUNTS, THETA)


# h5py -----------------------------------------------------------------------------------------------------------------


def test_plain_h5py_reads_everything_as_documented(path: Path) -> None:
    with h5py.File(path) as file:
        assert list(file) == [
            *("replicate", "origin", "sex", "exploitation", "risk", "point"),
            *("theta_id", "replicate_id", "shared_id"),
            *("persons", "at_risk", "victims", "reached"),
            *("totals", "parameters", "ledger", "scenario"),
        ]
        for variable in LAYOUT.variables:
            dataset = file[variable.name]
            np.testing.assert_array_equal(dataset[()], unfold(LAYOUT, variable, COUNTS[variable.name]))
            axes = ("replicate", *variable.strata, *variable.trailing)
            assert tuple(dimension[0].name.rsplit("/", 1)[-1] for dimension in dataset.dims) == axes
            assert dataset.chunks == (CHUNK_ROWS, *(1 for _ in variable.strata), *LAYOUT.sizes(variable.trailing))
            assert dataset.maxshape[0] is None
            assert dataset.dtype == variable.dtype
            assert (dataset.shuffle, dataset.compression) == (True, "gzip")
            assert dataset.attrs["units"] == "persons"
            total = file["totals"][variable.name]
            assert total.dtype == np.int64
            np.testing.assert_array_equal(total[()], summed(LAYOUT, variable, COUNTS[variable.name], ()))
        np.testing.assert_array_equal(file["replicate"][()], np.arange(REPLICATES))
        assert file["origin"].asstr()[()].tolist() == ["COL", "ECU", "Ñandú"]
        assert file["totals/point"] == file["point"]  # one object, two names
        np.testing.assert_array_equal(file["parameters/share[hub]"][()], THETA[:, 2])
        assert dict(file["parameters/rho"].attrs)["source"] == "panel_2004"
        assert file["scenario/data%2Fpopulation.csv"].attrs["name"] == "data/population.csv"
        assert file["scenario/data%2Fpopulation.csv"].asstr()[()].startswith("origin,persons\n")


def test_only_filters_that_every_hdf5_has_are_used(path: Path) -> None:
    used = set()

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            properties = item.id.get_create_plist()
            used.update(properties.get_filter(number)[0] for number in range(properties.get_nfilters()))

    with h5py.File(path) as file:
        file.visititems(visit)
    assert path.read_bytes()[8] == 2  # superblock of HDF5 1.8, which every reader knows
    assert used == {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE}


# xarray ---------------------------------------------------------------------------------------------------------------


def test_xarray_opens_the_root_with_labels(path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert set(dataset.data_vars) == {variable.name for variable in LAYOUT.variables}
        assert set(dataset.coords) == {
            *("replicate", "theta_id", "replicate_id", "shared_id"),
            *(dimension.name for dimension in LAYOUT.dimensions),
        }
        assert not any(name.startswith("phony") for name in dataset.sizes)
        for dimension in LAYOUT.dimensions:
            assert tuple(dataset[dimension.name].values) == dimension.labels
        assert dataset["reached"].dims == ("replicate", "origin", "sex", "exploitation", "point")
        assert dataset["reached"].dtype == np.int32
        assert dataset["persons"].dtype == np.int64
        one = dataset["reached"].sel(origin="Ñandú", sex="male", exploitation="S", point="HUB", replicate=4100)
        assert int(one) == COUNTS["reached"][(2 * 2 + 1) * 2, 4100, 1]
        assert dataset["reached"].attrs["units"] == "persons"
        assert dataset["reached"].attrs["long_name"] == "reached"
        assert dataset.attrs["filetype"] == "simcore-results"


def test_xarray_opens_the_groups_with_labels(path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(path, engine="h5netcdf", group="totals") as totals:
        assert set(totals.data_vars) == {variable.name for variable in LAYOUT.variables}
        assert tuple(totals["point"].values) == ("ORIGIN", "HUB", "BORDER")
        assert totals["reached"].dims == ("replicate", "point")
        np.testing.assert_array_equal(totals["theta_id"], np.arange(REPLICATES))
        hub = totals["reached"].sel(point="HUB")
        np.testing.assert_array_equal(hub, COUNTS["reached"][:, :, 1].sum(axis=0))
    with xarray.open_dataset(path, engine="h5netcdf", group="parameters") as parameters:
        assert list(parameters.sizes) == ["theta"]
        np.testing.assert_array_equal(parameters["multiplier[COL,S]"], THETA[:, 1])
        np.testing.assert_array_equal(parameters["theta"], np.arange(REPLICATES))
        assert parameters["share[hub]"].attrs["grade"] == "measured"
    with xarray.open_dataset(path, engine="h5netcdf", group="ledger") as ledger:
        assert list(ledger.sizes) == ["block", "theta_block"]
        assert ledger["rows"].values.tolist() == [CHUNK_ROWS, 10]


def test_xarray_opens_all_groups_as_one_tree(path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        assert set(tree.children) == {"totals", "parameters", "ledger", "scenario"}
        np.testing.assert_array_equal(tree["totals/victims"], COUNTS["victims"].sum(axis=0))


def test_to_xarray(results: Results) -> None:
    pytest.importorskip("h5netcdf")
    with results, results.to_xarray() as dataset, results.to_xarray("totals") as totals:
        assert not dataset["reached"].variable._in_memory
        np.testing.assert_array_equal(
            dataset["reached"].sum(["origin", "sex", "exploitation"]), totals["reached"].values
        )
        with pytest.raises(ResultsError, match="cannot open group 'nowhere'"):
            results.to_xarray("nowhere")


@pytest.mark.parametrize("missing", ["xarray", "h5netcdf"])
def test_to_xarray_names_the_extra(results: Results, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with results, pytest.raises(ResultsError, match=rf"needs the package '{missing}': pip install 'simcore\[xarray\]'"):
        results.to_xarray()


# As documented --------------------------------------------------------------------------------------------------------

FORMAT_PAGE = Path(__file__).parents[3] / "docs" / "file_format.md"
DOCUMENTED = Layout(LAYOUT.dimensions, LAYOUT.variables, (*LAYOUT.parameters, ParameterColumn("event_hazard", "1/a")))
DOCUMENTED_THETA = random_theta(DOCUMENTED, REPLICATES)
REACHED = summed(LAYOUT, LAYOUT.variable("reached"), COUNTS["reached"], ())
POINTS = ["ORIGIN", "HUB", "BORDER"]


def documented(language: str, word: str = "") -> str:
    """Return the block of the page on the format that has a word in it."""
    section = FORMAT_PAGE.read_text(encoding="utf-8").partition("## Reading it")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    found = [text for name, text in blocks if name == language and word in text]
    assert len(found) == 1, (language, word, found)
    return str(found[0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file of the name that the page uses."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "phase1.h5", DOCUMENTED, COUNTS, DOCUMENTED_THETA).close()
    return tmp_path


def run(*command: str) -> str:
    """Run a program that has to be there, and return what it prints."""
    if shutil.which(command[0]) is None:
        package = {"h5dump": "hdf5-tools", "ncdump": "netcdf-bin", "Rscript": "r-base-core"}[command[0]]
        pytest.skip(f"{command[0]} is not installed (Debian: {package})")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def test_python_as_documented(folder: Path) -> None:
    pytest.importorskip("h5netcdf")
    found: dict[str, Any] = {}
    exec(documented("python", "import simcore"), found)  # noqa: S102
    np.testing.assert_array_equal(found["reached"], REACHED)
    np.testing.assert_array_equal(
        found["by_origin"], summed(LAYOUT, LAYOUT.variable("reached"), COUNTS["reached"], ("origin", "sex"))
    )
    np.testing.assert_array_equal(found["theta"], DOCUMENTED_THETA)
    assert found["table"]["value"].sum() == COUNTS["victims"].sum()
    assert found["damaged"] == []
    block = documented("python", "import xarray")
    expression = next(line for line in block.splitlines() if line.startswith("counts["))
    exec(block.replace(expression, f"median = {expression}"), found)  # noqa: S102
    assert float(found["median"]) == np.median(COUNTS["victims"][:4].sum(axis=0))  # the first four slots are COL
    np.testing.assert_array_equal(found["totals"]["reached"], REACHED)
    np.testing.assert_array_equal(found["parameters"]["event_hazard"], DOCUMENTED_THETA[:, 3])
    for name in ("counts", "totals", "parameters"):
        found[name].close()


def test_h5py_as_documented(folder: Path) -> None:
    found: dict[str, Any] = {}
    exec(documented("python", "import h5py"), found)  # noqa: S102
    assert found["points"].tolist() == POINTS
    np.testing.assert_array_equal(found["reached"], REACHED)
    np.testing.assert_array_equal(found["hazard"], DOCUMENTED_THETA[:, 3])
    assert found["scenario"]["scenario"] == '{"name": "tiny"}'


# Programs that are not Python -----------------------------------------------------------------------------------------


def test_h5dump_as_documented(folder: Path) -> None:
    """The tools of the HDF5 library: structure, numbers across the bound of a chunk, labels."""
    structure, numbers = (
        run(*line.partition("#")[0].split()) for line in documented("").splitlines() if line.startswith("h5dump")
    )
    assert 'DATASET "reached" {\n         DATATYPE  H5T_STD_I64LE' in structure
    assert f"( {REPLICATES}, 3, 2, 2, 3 ) / ( H5S_UNLIMITED, 3, 2, 2, 3 )" in structure
    assert re.findall(r"\(\d+,0\): (\d+)", numbers) == [str(count) for count in REACHED[:5, 0]]
    first = CHUNK_ROWS - 2
    shown = run("h5dump", "-w", "0", "-d", "/victims", "-s", f"{first},2,1,0", "-c", "4,1,1,1", "phase1.h5")
    slot = (2 * 2 + 1) * 2
    assert [int(number) for number in re.findall(r"\(\d+,2,1,0\): (\d+)", shown)] == (
        COUNTS["victims"][slot, first : first + 4].tolist()
    )
    assert '"ORIGIN", "HUB", "BORDER"' in run("h5dump", "-d", "/point", "phase1.h5")
    assert '(0): "persons"' in run("h5dump", "-a", "/victims/units", "phase1.h5")


def test_ncdump_as_documented(folder: Path) -> None:
    """The netCDF library: dimensions are named and shared, every number and label is read."""
    structure, reached, parameters = (
        run(*line.partition("#")[0].split()) for line in documented("").splitlines() if line.startswith("ncdump")
    )
    assert f"replicate = UNLIMITED ; // ({REPLICATES} currently)" in structure
    assert "int reached(replicate, origin, sex, exploitation, point) ;" in structure
    assert 'string reached:units = "persons" ;' in structure
    assert "phony" not in structure

    def data(text: str, name: str) -> list[str]:
        found = re.search(rf"^ *{re.escape(name)} =\s(.*?) ;$", text.partition("data:")[2], re.DOTALL | re.MULTILINE)
        assert found, name
        return [each.strip() for each in found[1].split(",")]

    np.testing.assert_array_equal(np.array(data(reached, "reached"), dtype=np.int64), REACHED.reshape(-1))
    assert data(run("ncdump", "-v", "origin", "phase1.h5"), "origin") == ['"COL"', '"ECU"', '"Ñandú"']
    for column, name in enumerate(("rho", r"multiplier\[COL\,S\]", r"share\[hub\]", "event_hazard")):
        np.testing.assert_allclose(np.array(data(parameters, name), dtype=float), DOCUMENTED_THETA[:, column], 1e-14)
    counts = data(run("ncdump", "-v", "persons", "phase1.h5"), "persons")  # beyond 32 bits
    expected = unfold(LAYOUT, LAYOUT.variable("persons"), COUNTS["persons"])
    np.testing.assert_array_equal(np.array(counts, dtype=np.int64), expected.reshape(-1))
    assert expected.max() > 2**32


SHOW_IN_R = """
    writeLines(c(points, units, dim(reached)))
    writeLines(c(sprintf("%.0f", reached), sprintf("%.17g", hazard)))
    file <- H5File$new("phase1.h5", mode = "r")
    writeLines(sprintf("%.0f", file[["persons"]][2, 3, 1:5]))
    writeLines(sprintf("%d", file[["victims"]][1, 2, 3, 4090:4106]))
    writeLines(c(file[["origin"]]$read(), h5attr(file, "scenario_name")))
"""


def test_r_as_documented(folder: Path) -> None:
    """hdf5r: the last dimension comes first, and rows are counted from 1."""
    if shutil.which("Rscript") is not None:
        done = subprocess.run(["Rscript", "-e", "library(hdf5r)"], capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip("R has no package hdf5r (Debian: r-cran-hdf5r)")
    (folder / "read.R").write_text(documented("r", "library(hdf5r)") + textwrap.dedent(SHOW_IN_R), encoding="utf-8")
    lines = iter(run("Rscript", "--encoding=UTF-8", "read.R").splitlines())

    def take(number: int) -> list[str]:
        return [next(lines) for _ in range(number)]

    assert take(3) == POINTS
    assert take(3) == ["persons", "3", str(REPLICATES)]
    np.testing.assert_array_equal(np.array(take(REACHED.size), dtype=np.int64), REACHED.reshape(-1))
    np.testing.assert_array_equal(np.array(take(REPLICATES), dtype=float), DOCUMENTED_THETA[:, 3])
    persons = unfold(LAYOUT, LAYOUT.variable("persons"), COUNTS["persons"])
    np.testing.assert_array_equal(np.array(take(5), dtype=np.int64), persons[:5, 2, 1])
    victims = unfold(LAYOUT, LAYOUT.variable("victims"), COUNTS["victims"])
    np.testing.assert_array_equal(np.array(take(17), dtype=np.int64), victims[4089:4106, 2, 1, 0])
    assert [*lines] == ["COL", "ECU", "Ñandú", "tiny"]


# pandas ---------------------------------------------------------------------------------------------------------------


def test_to_pandas_is_tidy(results: Results) -> None:
    with results:
        frame = results.to_pandas(["victims", "reached"], by=("sex",), rows=slice(4090, 4100))
        assert list(frame.columns) == ["replicate", "theta_id", "variable", "sex", "point", "value"]
        assert len(frame) == 10 * 2 * (1 + 3)
        hub = frame[(frame["variable"] == "reached") & (frame["sex"] == "male") & (frame["point"] == "HUB")]
        assert hub["replicate"].tolist() == list(range(4090, 4100))
        expected = summed(LAYOUT, LAYOUT.variable("reached"), COUNTS["reached"], ("sex",))[4090:4100, 1, 1]
        np.testing.assert_array_equal(hub["value"], expected)
        victims = frame[frame["variable"] == "victims"]
        assert victims["point"].isna().all()
        table = victims.pivot_table(index="replicate", columns="sex", values="value", observed=False)
        np.testing.assert_array_equal(
            table.to_numpy(), summed(LAYOUT, LAYOUT.variable("victims"), COUNTS["victims"], ("sex",))[4090:4100]
        )


def test_to_pandas_of_everything_leaves_axes_open_that_a_variable_lacks(results: Results) -> None:
    with results:
        frame = results.to_pandas(by=("exploitation",), rows=slice(0, 2))
        assert set(frame["variable"]) == {variable.name for variable in LAYOUT.variables}
        assert frame.loc[frame["variable"] == "persons", "exploitation"].isna().all()
        assert frame.loc[frame["variable"] == "victims", "value"].tolist() == (
            summed(LAYOUT, LAYOUT.variable("victims"), COUNTS["victims"], ("exploitation",))[:2].reshape(-1).tolist()
        )
        assert isinstance(frame["exploitation"].dtype, pd.CategoricalDtype)
        for ask, message in (
            (lambda: results.to_pandas("persons", by=("exploitation",)), "'persons' has no strata axis"),
            (lambda: results.to_pandas(by=("age_band",)), "--store-by"),
            (lambda: results.to_pandas(["person"]), "did you mean 'persons'"),
            (
                lambda: results.to_pandas(by=("sex",), max_rows=1000),
                r"would have 65,696 lines, more than max_rows = 1,000",
            ),
        ):
            with pytest.raises(ResultsError, match=message):
                ask()


def test_pandas_is_loaded_only_when_it_is_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_pandas(name: str, *arguments: Any, **options: Any) -> Any:
        assert not name.startswith(("pandas", "xarray"))
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with open_results(path) as results:
        results.read("victims", by=("sex",))
        results.theta_ids()
