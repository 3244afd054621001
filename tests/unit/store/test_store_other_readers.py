"""The file opens, with labels, in h5py without plug-ins and in xarray; and as a tidy table in pandas."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from simcore.errors import ResultsError
from simcore.store import CHUNK_ROWS, Results, open_results

from .store_samples import LAYOUTS, random_counts, random_theta, summed, unfold, write

LAYOUT = LAYOUTS["age summed out"]
REPLICATES = CHUNK_ROWS + 10
COUNTS = random_counts(LAYOUT, REPLICATES)
THETA = random_theta(LAYOUT, REPLICATES)
FORMAT_1_0 = Path(__file__).parent / "data" / "format_1_0.h5"


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
        assert list(ledger.sizes) == ["block"]
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


# Past versions --------------------------------------------------------------------------------------------------------


def test_a_file_of_format_1_0_is_read() -> None:
    layout = LAYOUTS["age summed out"]
    with open_results(FORMAT_1_0) as results:
        assert results.attributes["format_version"] == [1, 0]
        assert results.layout == layout
        assert results.verify_checksums() == []
        counts = random_counts(layout, 20)
        for variable in layout.variables:
            expected = summed(layout, variable, counts[variable.name], variable.strata)
            np.testing.assert_array_equal(results.read(variable.name, by=variable.strata), expected)
        np.testing.assert_array_equal(results.theta(), random_theta(layout, 10))
        assert results.nested == (10, 2)
