"""ArviZ-style groups of `simcore export`: parameters and counts, sample by sample, as xarray and ArviZ read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import analysis
from simcore.errors import ResultsError, UserError
from simcore.store import CHUNK_ROWS, ParameterColumn, Results

from ..store.store_samples import LAYOUTS, Layout, commit_rows, random_counts, random_theta, start, write
from . import funnel_samples

xarray = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")

LAYOUT = LAYOUTS["age summed out"]


def sample(replicates: int, inner: int = 1, largest: int = 30) -> tuple[Results, dict[str, Any], Any]:
    """Results in memory, and what was put into them."""
    counts = random_counts(LAYOUT, replicates, largest=largest)
    theta = random_theta(LAYOUT, replicates // inner)
    return write(None, LAYOUT, counts, theta, inner=inner), counts, theta


def opened(path: Path) -> Any:
    return xarray.open_datatree(path, engine="h5netcdf")


def test_single_loop_has_a_draw_per_replicate(tmp_path: Path) -> None:
    """More than one chunk, the last one short."""
    replicates = 2 * CHUNK_ROWS + 17
    results, _, theta = sample(replicates)
    with results:
        done = analysis.export(results, tmp_path / "t.nc", by=["sex"], small_cells="show")
        with opened(tmp_path / "t.nc") as tree:
            assert set(tree.children) == {"prior", "prior_predictive", "constant_data"}
            assert dict(tree["prior"].sizes) == {"chain": 1, "draw": replicates}
            for column, parameter in enumerate(LAYOUT.parameters):
                np.testing.assert_array_equal(tree["prior"][parameter.name].values[0], theta[:, column])
                assert tree["prior"][parameter.name].attrs["units"] == parameter.unit
                assert tree["prior"][parameter.name].attrs["grade"] == parameter.grade
            predictive = tree["prior_predictive"]
            np.testing.assert_array_equal(predictive["draw"], np.arange(replicates))
            assert predictive["sex"].values.tolist() == ["female", "male"]
            assert predictive["reached"].dims == ("chain", "draw", "sex", "point")
            for variable in LAYOUT.variables:
                values = results.read(variable.name, by=["sex"])
                assert predictive[variable.name].dtype == np.int64
                np.testing.assert_array_equal(predictive[variable.name].values[0], values)
            labelled = predictive["reached"].sel(sex="male", point="HUB", draw=CHUNK_ROWS + 1, chain=0)
            assert int(labelled) == results.read("reached", by=["sex"])[CHUNK_ROWS + 1, 1, 1]
            assert predictive["reached"].attrs["summed_over"] == "origin,exploitation,age_band"
        assert done.lines == replicates * 2 * (1 + 3 + 1 + 3)
        assert done.hidden == 0


def test_samples_of_both_groups_match_in_a_nested_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw is a parameter set; its replicates lie along a dimension of their own, in pieces of any size."""
    inner, sets = 20, 60
    results, _, theta = sample(inner * sets, inner)
    with results:
        for piece in (10**6, 300, 50, 1):  # many sets, one set, a part of a set
            monkeypatch.setattr("analysis.exporting.selection.LARGEST_PIECE", piece)
            target = tmp_path / f"{piece}.nc"
            analysis.export(results, target, variables=["reached"], rows=slice(3 * inner, None), small_cells="show")
            with opened(target) as tree:
                reached = tree["prior_predictive/reached"]
                assert reached.dims == ("chain", "draw", "replicate_id", "point")
                assert reached.shape == (1, sets - 3, inner, 3)
                np.testing.assert_array_equal(
                    reached.values.reshape(-1, 3), results.read("reached", rows=slice(3 * inner, None))
                )
                np.testing.assert_array_equal(tree["prior/rho"].values[0], theta[3:, 0])
                np.testing.assert_array_equal(tree["prior/draw"], np.arange(3, sets))
                np.testing.assert_array_equal(tree["prior/draw"], tree["prior_predictive/draw"])
        with pytest.raises(UserError, match=r"rows = '5:1200': must begin and end with a parameter set .* of 20"):
            analysis.export(results, tmp_path / "x.nc", rows=slice(5, None))


def test_an_unfinished_parameter_set_is_left_out(tmp_path: Path) -> None:
    """An interrupted nested run; and it is said."""
    inner, replicates = 3000, 9000
    counts = random_counts(LAYOUT, replicates)
    with start(None, LAYOUT, replicates, inner) as writer:
        commit_rows(writer, counts, slice(0, CHUNK_ROWS), inner)
        writer.write_theta(0, random_theta(LAYOUT, 2))
        results = writer.finish("interrupted")
    with results:
        done = analysis.export(results, tmp_path / "t.nc", small_cells="show")
        with opened(tmp_path / "t.nc") as tree:
            assert dict(tree["prior"].sizes) == {"chain": 1, "draw": 1}
            np.testing.assert_array_equal(
                tree["prior_predictive/victims"].values[0, 0], results.read("victims", rows=slice(0, inner))
            )
            assert tree.attrs["left_out"] == done.left_out == CHUNK_ROWS - inner


def test_hidden_cells_are_missing(tmp_path: Path) -> None:
    with funnel_samples.write(funnel_samples.make_counts(300, bound_mean=2.0)) as results:
        done = analysis.export(results, tmp_path / "t.nc", by=["origin"])
        exact = results.read("outcome", by=["origin"])
    small = (exact > 0) & (exact < 10)
    assert 0 < small.sum() < small.size
    assert (exact == 0).any()
    with opened(tmp_path / "t.nc") as tree:
        outcome = tree["prior_predictive/outcome"]
        np.testing.assert_array_equal(np.isnan(outcome.values[0]), small)
        np.testing.assert_array_equal(outcome.values[0][~small], exact[~small])
        assert "Counts from 1 to 9 are hidden" in outcome.attrs["small_cells"]
        assert tree.attrs["hidden"] == done.hidden
        assert "prior" not in tree.children or not tree["prior"].data_vars  # this scenario draws no parameters
    with h5py.File(tmp_path / "t.nc") as file:  # the fill value is where it was hidden, for readers that ask for it
        raw = file["prior_predictive/outcome"]
        assert raw.attrs["_FillValue"].tolist() == [-1]
        np.testing.assert_array_equal(raw[0] == -1, small)


def test_provenance_is_at_the_root_and_library_in_every_group(tmp_path: Path) -> None:
    """As the InferenceData schema asks: created_at, inference_library and its version in each group."""
    with funnel_samples.write(funnel_samples.make_counts(30)) as results:
        analysis.export(results, tmp_path / "t.nc")
        documents = results.documents()
    with opened(tmp_path / "t.nc") as tree:
        for node in tree.subtree:
            assert node.attrs["inference_library"] == "simcore"
            assert node.attrs["inference_library_version"]
            assert node.attrs["created_at"].endswith("+00:00")
        assert tree.attrs["seed"] == funnel_samples.ATTRIBUTES["seed"]
        assert tree.attrs["scenario_digest"] == funnel_samples.ATTRIBUTES["scenario_digest"]
        assert "not estimates of prevalence" in tree.attrs["statement"]
        assert tree.attrs["small_cells"] == "hidden"
        constants = tree["constant_data"]
        assert int(constants["cohort_year"]) == 2001
        assert constants["document[scenario.json]"].item() == documents["scenario.json"]


def test_arviz_reads_it(tmp_path: Path) -> None:
    arviz_base = pytest.importorskip("arviz_base")
    results, _, theta = sample(200, 10)
    with results:
        analysis.export(results, tmp_path / "t.nc", small_cells="show")
        tree = arviz_base.convert_to_datatree(str(tmp_path / "t.nc"))
        drawn = arviz_base.extract(tree, group="prior", var_names="rho")
        np.testing.assert_array_equal(drawn.values, theta[:, 0])
        counts = arviz_base.extract(tree, group="prior_predictive", var_names="victims", keep_dataset=False)
        assert counts.sizes == {"replicate_id": 10, "sample": 20}
        np.testing.assert_array_equal(counts.transpose("sample", ...).values.reshape(-1), results.read("victims"))
        tree.close()


def test_without_stored_theta_there_is_no_prior(tmp_path: Path) -> None:
    counts = random_counts(LAYOUT, 20)
    with write(None, LAYOUT, counts, random_theta(LAYOUT, 20), store_theta=False) as results:
        analysis.export(results, tmp_path / "t.nc")
    with opened(tmp_path / "t.nc") as tree:
        assert set(tree.children) == {"prior_predictive", "constant_data"}


def test_a_parameter_named_like_a_dimension_is_refused(tmp_path: Path) -> None:
    layout = Layout(LAYOUT.dimensions, LAYOUT.variables, (ParameterColumn("draw"),))
    with (
        write(None, layout, random_counts(layout, 5), random_theta(layout, 5)) as results,
        pytest.raises(ResultsError, match=r"parameter 'draw' bears the name of a dimension .*--what theta"),
    ):
        analysis.export(results, tmp_path / "t.nc")
    assert list(tmp_path.iterdir()) == []
