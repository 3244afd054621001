"""The funnel against the same figures worked out with numpy, and what cannot be summarised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
import simcore
from analysis.summaries import STATEMENT
from simcore.errors import ResultsError, UserError

from .funnel_samples import SCENARIO, make_counts, write

FIXTURES = Path(simcore.__file__).parent / "verification" / "fixtures"
ROWS = 5000


def test_every_stage_is_what_it_says() -> None:
    """All totals of a file of two chunks, quantile by quantile."""
    counts = make_counts(ROWS)
    with write(counts) as results:
        found = analysis.summarize(results, quantities=ALL_NAMES)
    total = {name: values.sum(axis=0) for name, values in counts.items()}
    bound, arrived = total["destination"][:, 0], total["outcome"][:, 0]
    expected = {
        "persons": total["persons"],
        "at_risk": total["at_risk"].sum(axis=1),
        "trafficked": total["victims"],
        "destination[ELSEWHERE]": total["destination"][:, 1],
        "bound": bound,
        "reached[START]": total["reached"][:, 0],
        "reached[LINE]": total["reached"][:, 1],
        "reached[END]": total["reached"][:, 2],
        "visits[START]": total["visits"][:, 0],
        "attempts[2]": total["attempts"][:, 1],
        "interceptions": total["attempts"].sum(axis=1) - bound + total["outcome"][:, 1],
        "arrived": arrived,
        "outcome[BACK]": total["outcome"][:, 1],
        "outcome[LOST]": total["outcome"][:, 2],
        "arrival_fraction": arrived / bound,
        "border_share": arrived / total["victims"],
    }
    assert [q.name for q in found.quantities] == list(expected)
    for name, values in expected.items():
        quantity = found[name]
        assert (quantity.n, quantity.missing, quantity.groups, dict(quantity.levels)) == (ROWS, 0, ROWS, {})
        np.testing.assert_allclose(quantity.mean.estimate, values.mean(), rtol=1e-12)
        np.testing.assert_allclose(quantity.mean.mcse, values.std(ddof=1) / ROWS**0.5, rtol=1e-10)
        np.testing.assert_allclose(quantity.sd, values.std(ddof=1), rtol=1e-10)
        assert quantity.zeros == (values == 0).mean()
        squared = (values - values.mean()) ** 2
        spread = (squared.std() / (2 * values.std())) / ROWS**0.5 if values.std() > 0 else 0.0
        np.testing.assert_allclose(quantity.sd_mcse, spread, rtol=1e-9)
        np.testing.assert_allclose(quantity.zeros_mcse, (values == 0).std() / ROWS**0.5, rtol=1e-9)
        ends = [quantity.estimate, *quantity.interval(0.5), *quantity.interval(0.9)]
        np.testing.assert_allclose(ends, np.quantile(values, [0.5, 0.25, 0.75, 0.05, 0.95]), rtol=1e-13)
        assert quantity.mcse == quantity.median.mcse >= 0.0


ALL_NAMES = [
    *("persons", "at_risk", "victims", "destination", "reached", "visits[START]", "attempts[2]"),
    *("interceptions", "outcome", "border_share", "arrival_fraction"),
]


def test_the_usual_funnel_and_its_aliases() -> None:
    """Visits and attempts only if asked for; a role can be asked for by its own name or by its label."""
    with write(make_counts(50)) as results:
        names = [q.name for q in analysis.summarize(results).quantities]
        assert names[0] == "persons"
        assert names[-2:] == ["arrival_fraction", "border_share"]
        assert not [name for name in names if name.startswith(("visits", "attempts"))]
        one = analysis.summarize(results, quantities="outcome[IN]", levels=[0.8])
        assert [q.name for q in one.quantities] == ["arrived"]
        assert one["outcome[IN]"] is one["arrived"]
        assert "outcome[IN]" in one
        assert "persons" not in one
        assert one["arrived"].intervals[0].level == 0.8
        with pytest.raises(KeyError, match="was not summarised"):
            one["arrived"].interval(0.9)
        with pytest.raises(KeyError, match="no quantity 'persons'"):
            one["persons"]


def test_by_levels() -> None:
    """Blocks by level equal the sums over the other axes; quantities without an axis are left out."""
    counts = make_counts(300)
    shaped = {name: values.reshape(2, 2, -1, *values.shape[1:]) for name, values in counts.items()}
    with write(counts) as results:
        found = analysis.summarize(results, by=("sex", "origin"))
        for o, origin in enumerate(("AAA", "BBB")):
            for s, sex in enumerate(("female", "male")):
                cell = found.select("bound", origin=origin, sex=sex)
                values = shaped["destination"][o, s, :, :, 0].sum(axis=0)
                assert cell.estimate == np.median(values)
                assert cell.mean.estimate == pytest.approx(values.mean())
        assert len(found.quantities) == 4 * len(analysis.summarize(results).quantities)
        with pytest.raises(KeyError, match="is by sex, origin: no levels given"):
            found["bound"]
        with pytest.raises(KeyError, match="no such one"):
            found.select("bound", sex="female")
        kinds = analysis.summarize(results, by="exploitation")
        assert {q.name for q in kinds.quantities} >= {"trafficked", "arrived", "interceptions"}
        assert not {"persons", "at_risk"} & {q.name for q in kinds.quantities}
        with pytest.raises(UserError, match="none of those asked for is by exploitation"):
            analysis.summarize(results, by="exploitation", quantities=["persons"])


def test_ratios_are_missing_where_nobody_is_counted_of() -> None:
    """A ratio with denominator 0 is missing and not 0; a ratio that is always missing has no figures."""
    counts = make_counts(4000, bound_mean=0.1)
    counts["persons"][:] = 0
    with write(counts) as results:
        fraction = analysis.summarize(results)["arrival_fraction"]
        persons = analysis.summarize(results)["persons"]
    total = {name: values.sum(axis=0) for name, values in counts.items()}
    bound = total["destination"][:, 0]
    assert fraction.missing == (bound == 0).sum() > 0
    assert fraction.n == 4000 - fraction.missing
    ratio = total["outcome"][bound > 0, 0] / bound[bound > 0]
    assert fraction.estimate == np.median(ratio)
    assert (persons.zeros, persons.estimate, persons.mcse, persons.sd) == (1.0, 0.0, 0.0, 0.0)
    with write({name: np.zeros_like(values) for name, values in counts.items()}) as results:
        found = analysis.summarize(results)
    nothing = found["arrival_fraction"].as_json()
    assert (nothing["n"], nothing["missing"], nothing["groups"]) == (0, 4000, 0)
    assert nothing["median"] == nothing["mean"] == {"estimate": None, "mcse": None}
    assert found["arrived"].estimate == 0.0


def test_nested_runs_take_their_errors_from_parameter_sets() -> None:
    """The mean's error is that of the group means; that of the median is well above the one for a single loop."""
    outer, inner = 120, 50
    effect = np.repeat(np.random.default_rng(5).lognormal(0.0, 0.6, outer), inner)
    counts = make_counts(outer * inner, effect=effect)
    with write(counts, nested=(outer, inner)) as results:
        nested = analysis.summarize(results)["bound"]
    with write(counts) as results:
        single = analysis.summarize(results)["bound"]
    means = counts["destination"][..., 0].sum(axis=0).reshape(outer, inner).mean(axis=1)
    assert nested.mean.mcse == pytest.approx(means.std(ddof=1) / outer**0.5, rel=1e-10)
    assert (nested.n, nested.groups, single.groups) == (outer * inner, outer, outer * inner)
    assert nested.estimate == single.estimate
    assert nested.mcse > 3 * single.mcse
    assert "parameter sets" in nested.method
    assert "independent replicates" in single.method


def test_a_single_replicate() -> None:
    """Figures without any error, and none made up."""
    with write(make_counts(1)) as results:
        found = analysis.summarize(results)
    assert found["persons"].estimate == found["persons"].mean.estimate > 0
    assert np.isnan([found["persons"].sd, found["persons"].mean.mcse, found["persons"].mcse]).all()
    json.loads(found.to_json())


@pytest.mark.parametrize("level", [0.0, 1.0, 90, -0.1, float("nan")])
def test_levels_that_are_none(level: float) -> None:
    """Levels are shares."""
    with write(make_counts(5)) as results, pytest.raises(UserError, match="must lie between 0 and 1"):
        analysis.summarize(results, levels=[level])


def test_what_is_not_there() -> None:
    """Unknown names get the nearest match, an axis that was summed out says how to rerun."""
    with write(make_counts(5)) as results:
        with pytest.raises(UserError, match="did you mean 'arrived'"):
            analysis.summarize(results, quantities=["arived"])
        with pytest.raises(ResultsError, match="did you mean 'origin'"):
            analysis.summarize(results, by=["orign"])
        with pytest.raises(ResultsError, match=r"summed over age_band .* run it again with --store-by"):
            analysis.summarize(results, by=["age_band"])


@pytest.mark.parametrize("scenario", [{}, {"strata": 3}, {k: v for k, v in SCENARIO.items() if k != "outcomes"}])
def test_files_whose_scenario_is_not_understood(scenario: dict[str, object]) -> None:
    """One plain line."""
    message = "scenario inside is not understood"
    with write(make_counts(5), scenario=scenario) as results, pytest.raises(ResultsError, match=message):
        analysis.summarize(results)


def test_a_scenario_without_interceptions() -> None:
    """Without that role there is nothing to count."""
    scenario = {**SCENARIO, "outcomes": {k: v for k, v in SCENARIO["outcomes"].items() if k != "interception"}}
    with write(make_counts(5), scenario=scenario) as results:
        assert "interceptions" not in analysis.summarize(results)


def test_json_and_table_hold_the_same() -> None:
    """JSON is complete and valid, the table has a row per quantity."""
    with write(make_counts(30)) as results:
        found = analysis.summarize(results, by=["origin"])
    content = json.loads(found.to_json())
    assert content["filetype"] == "simcore-summary"
    assert content["version"] == 1
    assert content["statement"] == STATEMENT
    assert content["seed"] == "12345678901234567890"
    assert content["nested"] == [30, 1]
    assert content["by"] == ["origin"]
    assert content["outside_scope"] == {"age_band": ["young", "old"]}
    table = found.table()
    assert len(table) == len(content["quantities"]) == len(found.quantities)
    for row, entry in zip(table.to_dict("records"), content["quantities"], strict=True):
        assert row["quantity"] == entry["name"]
        assert row["origin"] == entry["levels"]["origin"]
        assert row["median"] == entry["median"]["estimate"]
        assert row["lower_90"] == entry["intervals"][1]["lower"]["estimate"]
        mcse = entry["intervals"][1]["upper"]["mcse"]
        assert np.isnan(row["upper_90_mcse"]) if mcse is None else row["upper_90_mcse"] == mcse


def test_a_run_of_the_engine(seed: int) -> None:
    """The known-answer fixture: means within 4.5 standard errors of the exact ones, in a single and a nested loop."""
    scenario = simcore.load_scenario(FIXTURES / "tiny.toml")
    moments = simcore.expected(scenario)
    places = {
        "trafficked": ("victims", None),
        "bound": ("destination", "US_SWB"),
        "arrived": ("outcome", "ARRIVED_US"),
        "outcome[DIED]": ("outcome", "DIED"),
    }
    exact = {
        name: moments.mean_of(moments.weights(variable, label=label)).item()
        for name, (variable, label) in places.items()
    }
    loops: list[dict[str, Any]] = [{"replicates": 2000}, {"nested": (100, 20)}]
    for loop in loops:
        with simcore.run(scenario, seed=seed, threads=1, **loop) as results:
            found = analysis.summarize(results)
        for name, mean in exact.items():
            assert abs(found[name].mean.estimate - mean) < 4.5 * found[name].mean.mcse
        assert found["persons"].sd == 0.0
        assert found["reached[US]"].as_json()["median"] == found["arrived"].as_json()["median"]
