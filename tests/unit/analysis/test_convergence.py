"""Running figures are those of `summarize` of the beginning; differences have the errors of pairs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import analysis
from analysis.contrasts import PAIRED, SAME_SEED, UNPAIRED, contrast
from analysis.convergence import MOST_POINTS, follow_convergence, lengths
from analysis.convergence_figure import convergence_curves
from simcore.cli.program import app
from simcore.errors import UserError

from .funnel_samples import make_counts, write

ROWS = 6000


# Convergence ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicates", "inner"), [(1, 1), (31, 1), (33, 1), (10**6, 1), (6400, 16), (10, 10), (50, 20)]
)
def test_lengths_end_with_all_and_grow_evenly(replicates: int, inner: int) -> None:
    found = lengths(replicates, inner)
    assert found[-1] == replicates
    assert found == sorted(set(found))
    assert len(found) <= MOST_POINTS
    assert all(length % inner == 0 for length in found[:-1])
    assert found[0] == min(32 * inner, replicates)


@pytest.mark.parametrize("inner", [1, 20])
def test_a_point_is_the_summary_of_the_beginning(inner: int) -> None:
    """The same figures and errors as a file of only so many replicates gives; in groups too."""
    effect = np.repeat(np.exp(np.random.default_rng(2).normal(0.0, 0.5, ROWS // inner)), inner)
    counts = make_counts(ROWS, effect=effect)
    with write(counts, nested=(ROWS // inner, inner)) as results:
        found = follow_convergence(results, quantities=["arrived", "arrival_fraction"])
        whole = analysis.summarize(results, levels=[0.9])
    assert [(course.quantity, course.statistic) for course in found.courses[:5]] == [
        ("arrived", "mean"),
        ("arrived", "median"),
        ("arrived", "q05"),
        ("arrived", "q95"),
        ("arrival_fraction", "mean"),
    ]
    point = len(found.courses[0].replicates) // 2
    rows = int(found.courses[0].replicates[point])
    beginning = {name: values[:, :rows] for name, values in counts.items()}
    with write(beginning, nested=(rows // inner, inner)) as results:
        part = analysis.summarize(results, levels=[0.9])
    for summary, place in ((part, point), (whole, -1)):
        for name in ("arrived", "arrival_fraction"):
            quantity = summary[name]
            interval = quantity.interval(0.9)
            wanted = dict(mean=quantity.mean, median=quantity.median, q05=interval.lower, q95=interval.upper)  # noqa: C408
            for course in found.courses:
                if course.quantity == name:
                    figure = wanted[course.statistic]
                    pair = course.estimate[place], course.mcse[place]
                    assert pair == pytest.approx((figure.estimate, figure.mcse), rel=1e-12, nan_ok=True)


def test_how_many_replicates_one_per_cent_takes() -> None:
    with write(make_counts(ROWS)) as results:
        course = follow_convergence(results, quantities=["arrived"], statistics=["mean"]).courses[0]
    relative = course.mcse[-1] / course.estimate[-1]
    assert course.needed == math.ceil(ROWS * (relative / 0.01) ** 2)


def test_zero_says_nothing_about_more_replicates() -> None:
    with write(make_counts(500, bound_mean=0.0)) as results:
        courses = follow_convergence(results, quantities=["arrived", "arrival_fraction"]).courses
        with pytest.raises(UserError, match="no such statistic 'meen'; did you mean 'mean'"):
            follow_convergence(results, statistics=["meen"])
        nothing = follow_convergence(results, quantities=["arrival_fraction"])
    assert all(course.needed is None for course in courses)
    with pytest.raises(UserError, match="no replicate has a value of arrival_fraction"):
        convergence_curves(nothing)


def test_the_verb(tmp_path: Path) -> None:
    path, picture = tmp_path / "x.h5", tmp_path / "c.png"
    write(make_counts(2000), target=path).close()
    done = CliRunner().invoke(app, ["convergence", str(path), "--quantity", "arrived", "--figure", str(picture)])
    assert done.exit_code == 0, done.output
    assert "replicates for 1 %" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    done = CliRunner().invoke(app, ["convergence", str(path), "--json"])
    courses = json.loads(done.stdout)["courses"]
    assert [course["statistic"] for course in courses] == ["mean", "median", "q05", "q95"]
    assert courses[0]["replicates"][-1] == 2000
    done = CliRunner().invoke(app, ["convergence", str(path), "--quantity", "arived"])
    assert done.exit_code == 2
    assert "did you mean 'arrived'" in done.stderr


# Differences ----------------------------------------------------------------------------------------------------------


def test_a_difference_of_means_is_that_of_pairs() -> None:
    with write(make_counts(ROWS)) as results:
        found = contrast(results, "bound", "arrived")
        counts = make_counts(ROWS)
    apart = (counts["destination"][..., 0] - counts["outcome"][..., 0]).sum(axis=0)
    assert found.difference == pytest.approx(apart.mean())
    assert found.mcse == pytest.approx(apart.std(ddof=1) / math.sqrt(ROWS), rel=1e-6)
    assert found.method == PAIRED
    assert found.mcse < math.hypot(found.first_mcse, found.second_mcse)


def test_a_difference_of_levels_in_groups() -> None:
    inner = 30
    effect = np.repeat(np.exp(np.random.default_rng(4).normal(0.0, 0.6, ROWS // inner)), inner)
    counts = make_counts(ROWS, effect=effect)
    with write(counts, nested=(ROWS // inner, inner)) as results:
        found = contrast(results, "bound", first_levels={"origin": "AAA"}, second_levels={"origin": "BBB"})
    bound = counts["destination"][..., 0]
    apart = (bound[:4] - bound[4:]).sum(axis=0).reshape(-1, inner).mean(axis=1)
    assert found.difference == pytest.approx(apart.mean())
    assert found.mcse == pytest.approx(apart.std(ddof=1) / math.sqrt(ROWS // inner), rel=1e-6)
    assert found.correlation > 0.5


@pytest.mark.parametrize("statistic", ["median", "q95"])
def test_errors_of_differences_of_quantiles(statistic: str) -> None:
    """Against the spread over 300 files: its standard error is 4.1 %; 4.5 of them, and 10 % for the linearisation."""
    differences, errors = [], []
    for seed in range(300):
        with write(make_counts(1500, seed=seed, bound_mean=400.0)) as results:
            found = contrast(results, "bound", "arrived", statistic=statistic)
        differences.append(found.difference)
        errors.append(found.mcse)
    spread = np.std(differences, ddof=1)
    assert abs(np.sqrt(np.mean(np.square(errors))) / spread - 1.0) < 4.5 * 0.041 + 0.1
    unpaired = math.hypot(found.first_mcse, found.second_mcse)
    assert np.mean(errors) < 0.9 * unpaired


def test_two_files_are_independent() -> None:
    one, two = write(make_counts(2000)), write(make_counts(3000, seed=8, bound_mean=7.0), seed="8")
    same = write(make_counts(2000))
    with one, two, same:
        found = contrast(one, "arrived", other=two)
        assert found.method == UNPAIRED
        assert found.mcse == math.hypot(found.first_mcse, found.second_mcse)
        assert contrast(one, "arrived", other=same).method == SAME_SEED
        assert contrast(one, "arrived", other=same).difference == 0.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"first": "arived"}, "'arrived'"),
        ({"first": "reached"}, "stands for 3"),
        ({"first": "arrived", "statistic": "q0"}, "no such statistic 'q0'"),
        ({"first": "arrived", "first_levels": {"origin": "AAB"}}, "'AAA'"),
    ],
)
def test_mistakes(arguments: dict[str, object], words: str) -> None:
    with write(make_counts(50)) as results, pytest.raises(UserError, match=words):
        contrast(results, **arguments)  # type: ignore[arg-type]
