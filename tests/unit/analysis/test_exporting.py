"""Tables of `simcore export`: every number is that of the results file, small cells are hidden, memory is bounded."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.number_format import SMALL_CELL
from simcore.errors import ResultsError, UserError
from simcore.store import CHUNK_ROWS, Results, open_results

from ..store import store_samples
from . import funnel_samples

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

REPLICATES = CHUNK_ROWS + 300
WITH_PARAMETERS = store_samples.LAYOUTS["age summed out"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A funnel with many small cells (means of 3 and 6 per stratum), and zeros among them."""
    target = tmp_path_factory.mktemp("results") / "sample.h5"
    funnel_samples.write(funnel_samples.make_counts(REPLICATES, bound_mean=2.0), target=target).close()
    return target


@pytest.fixture
def results(path: Path) -> Any:
    with open_results(path) as opened:
        yield opened


def read(path: Path) -> pd.DataFrame:
    """Read a table as somebody would who knows nothing but its name; integers stay integers."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return pd.read_csv(path, dtype={"value": "Int64"}, keep_default_na=False, na_values={"value": [""]})


def test_parquet_is_the_table_of_pandas(results: Results, tmp_path: Path) -> None:
    """With small cells shown: same lines, order, labels, missing axes and types."""
    for by in ((), ("origin", "exploitation")):
        target = tmp_path / f"{len(by)}.parquet"
        done = analysis.export(results, target, by=by, small_cells="show")
        expected = results.to_pandas(by=by)
        pd.testing.assert_frame_equal(pd.read_parquet(target), expected)
        assert done.lines == len(expected)
        assert done.hidden == 0
        assert done.files == (target,)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_small_cells_are_missing_and_marked(results: Results, tmp_path: Path, name: str) -> None:
    """Counts from 1 to 9 and no other; 0 and 10 are given."""
    done = analysis.export(results, tmp_path / name, by=["origin"])
    table = read(tmp_path / name)
    exact = results.to_pandas(by=["origin"])["value"].to_numpy()
    small = (exact > 0) & (exact < SMALL_CELL)
    assert {0, 1, 9, 10} <= set(exact.tolist())
    np.testing.assert_array_equal(table["hidden"].astype(bool), small)
    np.testing.assert_array_equal(table["value"].isna(), small)
    np.testing.assert_array_equal(table["value"][~small].astype(np.int64), exact[~small])
    assert done.hidden == int(small.sum())
    assert done.description["small_cells"] == "hidden"
    assert "Counts from 1 to 9 are hidden (<10)" in done.description["small_cells_rule"]


def test_csv_has_the_same_lines_as_parquet(results: Results, tmp_path: Path) -> None:
    for name in ("t.csv", "t.csv.gz"):
        analysis.export(results, tmp_path / name, by=["sex"], small_cells="show")
        table = pd.read_csv(tmp_path / name, dtype=str, keep_default_na=False)
        expected = results.to_pandas(by=["sex"])
        assert list(table.columns) == list(expected.columns)
        for column in expected.columns:
            texts = [
                str(each) if known else ""
                for each, known in zip(expected[column], expected[column].notna(), strict=True)
            ]
            assert table[column].tolist() == texts, column
    assert gzip.decompress((tmp_path / "t.csv.gz").read_bytes()) == (tmp_path / "t.csv").read_bytes()
    assert (tmp_path / "t.csv.gz").read_bytes()[4:8] == b"\0\0\0\0"  # no time: the same table gives the same bytes


def test_some_variables_and_replicates(results: Results, tmp_path: Path) -> None:
    rows = slice(CHUNK_ROWS - 7, CHUNK_ROWS + 5)
    done = analysis.export(
        results, tmp_path / "t.parquet", variables=["reached", "victims"], by=["sex"], rows=rows, small_cells="show"
    )
    expected = results.to_pandas(["reached", "victims"], by=["sex"], rows=rows)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), expected)
    assert done.description["rows"] == [rows.start, rows.stop]


def test_pieces_do_not_show(results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller than a chunk, and one replicate at a time in a batch."""
    monkeypatch.setattr("analysis.exporting.selection.LARGEST_PIECE", 3000)
    monkeypatch.setattr("analysis.exporting.tables.LARGEST_BATCH", 500)
    seen: list[tuple[int, int]] = []
    rows = slice(100, 900)
    done = analysis.export(
        results,
        tmp_path / "t.parquet",
        by=["sex"],
        rows=rows,
        small_cells="show",
        progress=lambda finished, total: seen.append((finished, total)),
    )
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), results.to_pandas(by=["sex"], rows=rows))
    metadata = pq.read_metadata(tmp_path / "t.parquet")
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert max(groups) <= 500
    assert np.cumsum(groups).tolist() == [finished for finished, _ in seen]
    assert seen[-1] == (done.lines, done.lines)


def test_nested_run_keeps_parameter_sets(tmp_path: Path) -> None:
    layout, inner, replicates = WITH_PARAMETERS, 50, 1000
    counts = store_samples.random_counts(layout, replicates, largest=20)
    theta = store_samples.random_theta(layout, replicates // inner)
    with store_samples.write(None, layout, counts, theta, inner=inner) as results:
        analysis.export(results, tmp_path / "counts.parquet", variables=["victims"], small_cells="show")
        analysis.export(results, tmp_path / "theta.parquet", what="theta")
    table = pd.read_parquet(tmp_path / "counts.parquet")
    np.testing.assert_array_equal(table["theta_id"], np.arange(replicates) // inner)
    joined = table.merge(pd.read_parquet(tmp_path / "theta.parquet"), on="theta_id")
    np.testing.assert_array_equal(joined["rho"], np.repeat(theta[:, 0], inner))
    np.testing.assert_array_equal(joined["value"], counts["victims"].sum(axis=0))


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_theta_is_exact(tmp_path: Path, name: str) -> None:
    """Also as text: no digit is lost. Column names hold commas and brackets."""
    layout = WITH_PARAMETERS
    theta = store_samples.random_theta(layout, 20)
    with store_samples.write(None, layout, store_samples.random_counts(layout, 20), theta) as results:
        done = analysis.export(results, tmp_path / name, what="theta", rows=slice(3, 17))
    path = tmp_path / name
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str).astype(float)
    assert list(table.columns) == ["theta_id", "rho", "multiplier[COL,S]", "share[hub]"]
    np.testing.assert_array_equal(table["theta_id"], np.arange(3, 17))
    np.testing.assert_array_equal(table.to_numpy()[:, 1:], theta[3:17])
    assert done.description["parameters"]["rho"]["grade"] == "elicited"
    assert "small_cells" not in done.description


def test_theta_that_was_not_stored_is_refused(tmp_path: Path) -> None:
    layout = WITH_PARAMETERS
    counts = store_samples.random_counts(layout, 20)
    with (
        store_samples.write(None, layout, counts, store_samples.random_theta(layout, 20), store_theta=False) as results,
        pytest.raises(ResultsError, match="were not stored"),
    ):
        analysis.export(results, tmp_path / "t.csv", what="theta")
    assert list(tmp_path.iterdir()) == []


# Summary --------------------------------------------------------------------------------------------------------------


def test_summary_has_every_figure_with_its_error(results: Results, tmp_path: Path) -> None:
    analysis.export(results, tmp_path / "t.parquet", what="summary", by=["sex"], levels=[0.8], small_cells="show")
    table = pd.read_parquet(tmp_path / "t.parquet").set_index(["sex", "quantity", "statistic"])
    assert table.index.is_unique
    summary = analysis.summarize(results, by=["sex"], levels=[0.8])
    assert len(table) == 6 * len(summary.quantities)
    for quantity in summary.quantities:
        place = (quantity.levels["sex"], quantity.name)
        interval = quantity.interval(0.8)
        for statistic, estimate, mcse in (
            ("mean", quantity.mean.estimate, quantity.mean.mcse),
            ("sd", quantity.sd, quantity.sd_mcse),
            ("zeros", quantity.zeros, quantity.zeros_mcse),
            ("median", quantity.median.estimate, quantity.median.mcse),
            ("lower", interval.lower.estimate, interval.lower.mcse),
            ("upper", interval.upper.estimate, interval.upper.mcse),
        ):
            line = table.loc[(*place, statistic)]
            np.testing.assert_array_equal([line["estimate"], line["mcse"]], [estimate, mcse])
            assert line["n"] == quantity.n
            assert line["method"] == quantity.method
    assert table["level"].dropna().unique().tolist() == [0.8]


def test_summary_hides_figures_of_persons_below_ten(results: Results, tmp_path: Path) -> None:
    """Estimates, interval ends and standard deviations, each with its error; no ratio, no share of zeros."""
    analysis.export(results, tmp_path / "all.parquet", what="summary", by=["origin"], small_cells="show")
    done = analysis.export(results, tmp_path / "t.parquet", what="summary", by=["origin"])
    exact, table = pd.read_parquet(tmp_path / "all.parquet"), pd.read_parquet(tmp_path / "t.parquet")
    counts = (exact["kind"] != "ratio") & (exact["statistic"] != "zeros")
    small = counts & (exact["estimate"] > 0) & (exact["estimate"] < 10)
    assert 0 < small.sum() < len(exact)
    assert ((exact["kind"] == "ratio") & (exact["estimate"] > 0)).any()
    np.testing.assert_array_equal(table["hidden"], small)
    assert table.loc[small, ["estimate", "mcse"]].isna().to_numpy().all()
    pd.testing.assert_frame_equal(table[~small].drop(columns="hidden"), exact[~small])
    assert done.hidden == small.sum()


# What goes with the numbers -------------------------------------------------------------------------------------------


def test_every_file_says_where_it_comes_from(results: Results, path: Path, tmp_path: Path) -> None:
    done = analysis.export(results, tmp_path / "t.parquet", by=["origin"])
    metadata = pq.read_metadata(tmp_path / "t.parquet").metadata
    described = json.loads(metadata[b"simcore"])
    assert described == json.loads(pq.read_schema(tmp_path / "t.parquet").metadata[b"simcore"])
    assert int(metadata[b"simcore.hidden"]) == done.hidden > 0
    analysis.export(results, tmp_path / "t.csv", by=["origin"])
    sidecar = json.loads((tmp_path / "t.csv.json").read_text(encoding="utf-8"))
    assert sidecar.pop("hidden") == done.hidden
    assert sidecar.keys() == described.keys()
    for content in (described, sidecar):
        assert content["source_file"] == path.name  # and no folder
        assert content["seed"] == funnel_samples.ATTRIBUTES["seed"]
        assert content["scenario_digest"] == funnel_samples.ATTRIBUTES["scenario_digest"]
        assert content["definition"] == funnel_samples.ATTRIBUTES["definition"]
        assert "not estimates of prevalence" in content["statement"]
        assert content["variables"]["victims"]["units"] == "persons"
        assert content["variables"]["victims"]["summed_over"] == ["sex", "exploitation", "age_band"]
        assert content["axes"]["origin"]["labels"] == ["AAA", "BBB"]
        assert content["lines"] == done.lines
        assert list(content["columns"]) == pq.read_schema(tmp_path / "t.parquet").names
        assert all(column["description"] for column in content["columns"].values())
        assert content["columns"]["value"]["type"] == "int64"


def test_text_of_a_scenario_is_no_formula_in_a_spreadsheet(tmp_path: Path) -> None:
    """In CSV such a text gets an apostrophe; Parquet, which no spreadsheet interprets, keeps it."""
    label = '=HYPERLINK("http://x","y")'
    scenario = json.loads(json.dumps(funnel_samples.SCENARIO))
    scenario["transit"]["points"]["START"]["label"] = "start"
    scenario["destinations"]["levels"]["ELSEWHERE"] = {"label": label}
    scenario["outcomes"]["levels"]["LOST"] = {"label": label}
    with funnel_samples.write(funnel_samples.make_counts(50), scenario=scenario) as results:
        analysis.export(results, tmp_path / "t.csv", what="summary")
        analysis.export(results, tmp_path / "t.parquet", what="summary")
    labels = set(pd.read_csv(tmp_path / "t.csv")["label"])
    assert f"'{label}" in labels
    assert not any(text.startswith("=") for text in labels)
    assert label in set(pd.read_parquet(tmp_path / "t.parquet")["label"])


# Memory ---------------------------------------------------------------------------------------------------------------

MEASURE = """
    import sys
    import analysis
    import analysis.exporting.selection, analysis.exporting.tables
    from simcore.runner.memory import peak_memory_bytes
    from simcore.store import open_results
    analysis.exporting.selection.LARGEST_PIECE = 2**15
    analysis.exporting.tables.LARGEST_BATCH = 2**14
    with open_results(sys.argv[1]) as results:
        analysis.export(results, sys.argv[2])
    print(peak_memory_bytes())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("name", ["t.parquet", "t.csv.gz", "t.nc"])
def test_memory_does_not_grow_with_the_replicates(tmp_path: Path, name: str) -> None:
    """Twenty times the replicates: 1.1 million lines instead of 57,000.

    Measured: 5, 2 and 0 MB more than with few. With all lines in one piece it is 36, 136 and 13 MB, so 10 MB tell
    the two apart.
    """
    pytest.importorskip("h5netcdf")
    layout = store_samples.LAYOUTS["no strata"]
    peaks = []
    for rows in (2 * CHUNK_ROWS, 40 * CHUNK_ROWS):
        source, target = tmp_path / f"{rows}.h5", tmp_path / str(rows) / name
        target.parent.mkdir()
        counts = store_samples.random_counts(layout, rows, largest=30)
        store_samples.write(source, layout, counts, store_samples.random_theta(layout, rows)).close()
        command = [sys.executable, "-c", textwrap.dedent(MEASURE), str(source), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert peaks[0] > 2**25
    assert peaks[1] - peaks[0] < 10 * 2**20, peaks


# Mistakes -------------------------------------------------------------------------------------------------------------


def test_mistakes_name_argument_value_and_limit(results: Results, tmp_path: Path) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("t.xlsx", {}, r"output = '.*t\.xlsx': must end in one of \.parquet, \.csv, \.csv\.gz, \.nc"),
        ("t.csv", {"what": "count"}, "what = 'count': unknown; did you mean 'counts'"),
        ("t.csv", {"file_format": "parquet"}, "file_format = 'parquet': does not go with a file named 't.csv'"),
        ("t.csv", {"file_format": "xml"}, "file_format = 'xml': unknown"),
        ("t.csv", {"small_cells": "hid"}, "small_cells = 'hid': unknown; did you mean 'hide'"),
        ("t.csv", {"variables": ["victim"]}, "no variable 'victim'; did you mean 'victims'"),
        ("t.csv", {"variables": ["victims", "victims"]}, "variables = 'victims': named twice"),
        ("t.csv", {"variables": ["persons"], "by": ["exploitation"]}, "'persons' has no strata axis 'exploitation'"),
        ("t.csv", {"by": ["age_band"]}, "summed over age_band before it was stored"),
        ("t.csv", {"by": ["sex", "sex"]}, "an axis is named twice"),
        ("t.csv", {"rows": slice(5, 99999)}, r"rows = '5:99999': must be FIRST:END with .* <= 4396"),
        ("t.csv", {"rows": slice(5, 5)}, "rows = '5:5': must be"),
        ("t.csv", {"rows": slice(-5, None)}, "rows = '-5:': must be"),
        ("t.csv", {"rows": slice(0, 10, 2)}, "rows = '0:10': must be"),
        ("t.csv", {"levels": [0.9]}, "levels = '0.9': does not go with 'counts'"),
        ("t.csv", {"what": "theta", "by": ["sex"]}, "by = 'sex': does not go with 'theta'"),
        ("t.csv", {"what": "summary", "rows": slice(0, 9)}, "rows = '0:9': does not go with 'summary'"),
        ("t.csv", {"what": "summary", "levels": [9.0]}, "levels = 9.0: must lie between 0 and 1"),
        ("t.nc", {"what": "theta"}, "what = 'theta': an ArviZ file holds counts and parameters"),
        ("no/t.csv", {}, "folder '.*no' does not exist"),
    ]
    for name, options, message in cases:
        with pytest.raises(UserError, match=message) as problem:
            analysis.export(results, tmp_path / name, **options)
        assert "\n" not in str(problem.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(results: Results, tmp_path: Path) -> None:
    """Neither the export nor what is written beside it."""
    (tmp_path / "t.parquet").write_text("mine")
    (tmp_path / "u.csv.json").write_text("mine")
    for name, there in (("t.parquet", "t.parquet"), ("u.csv", "u.csv.json")):
        with pytest.raises(ResultsError, match=rf"{there}: exists and is not overwritten"):
            analysis.export(results, tmp_path / name)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["t.parquet", "u.csv.json"]
    assert (tmp_path / "t.parquet").read_text() == "mine"


@pytest.mark.parametrize(
    ("missing", "name", "extra"),
    [("pyarrow", "t.parquet", "parquet"), ("pyarrow", "t.csv", "parquet"), ("h5netcdf", "t.nc", "xarray")],
)
def test_a_missing_package_names_the_extra(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, name: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ResultsError, match=rf"needs the package '{missing}': pip install 'simcore\[{extra}\]'"):
        analysis.export(results, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_format_may_be_named(results: Results, tmp_path: Path) -> None:
    """For a name that does not say it."""
    done = analysis.export(results, tmp_path / "table", file_format="csv", rows=slice(0, 3), variables=["victims"])
    assert [path.name for path in done.files] == ["table", "table.json"]
    assert (tmp_path / "table").read_text().startswith('"replicate","theta_id","variable","value","hidden"\n0,0,')


def test_a_damaged_file_leaves_nothing(path: Path, tmp_path: Path) -> None:
    """Damage that is met in the midst of writing."""
    import h5py

    damaged = tmp_path / "d.h5"
    damaged.write_bytes(path.read_bytes())
    with h5py.File(damaged) as file:
        chunk = file["totals/visits"].id.get_chunk_info(1)
    with damaged.open("r+b") as file:
        file.seek(chunk.byte_offset + chunk.size // 2)
        file.write(b"\xff" * 8)
    for name in ("t.parquet", "t.csv", "t.nc"):
        with open_results(damaged) as results, pytest.raises(ResultsError, match="'totals/visits' is damaged"):
            analysis.export(results, tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["d.h5"]
