"""Stored replicates re-weighted to changed priors: weights, errors, refusals, and the truth of a direct run.

Direct and re-weighted runs are compared by z-scores under their combined errors, at |z| < 4.5: with some thirty of
them the false-alarm level is 2e-4, and seeds are fixed. Power: the same comparison rejects the unweighted run, and
weights that were turned upside down.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy import stats
from typer.testing import CliRunner

import simcore
from analysis.quantity import Estimate
from analysis.reweighting.command_line import reweight as verb
from analysis.reweighting.pareto import pareto_shape, reliable_below, tail_shape
from analysis.reweighting.weighted import WeightedSample, summarize_weighted
from analysis.reweighting.weights import Weights, reweight
from analysis.summaries import Summary, summarize
from simcore.errors import ScenarioError, UserError
from simcore.scenario import load_scenario
from simcore.store import Results
from tests.conftest import ROOT

RIVER = ROOT / "tests" / "scenarios" / "river.toml"
REPLICATES = 20_000
FERRY = "parameters.checked_on_ferry.distribution.mean=0.36"
AGAIN = "parameters.again.distribution.alpha=7"
WAY_OUT = "parameters.way_out.distribution.means={across=0.45, inland=0.55}"
HAZARD = "parameters.deception_hazard.distribution.q95=0.08"
MANY = "parameters.count_factor.distribution.median=50"  # counts so large that their quantiles hardly have ties
CHANGES = (FERRY, AGAIN, WAY_OUT, HAZARD)
SHARES = "{parameters=['share_women', 'valley_multiplier[highlands]'], spearman=0.7}"
TIED = f"dependence.wealth={SHARES}"
Z = 4.5

app = typer.Typer()
app.command()(verb)
runner = CliRunner()


def run(*settings: str, replicates: int = REPLICATES, seed: int = 11, **options: object) -> Results:
    return simcore.run(load_scenario(RIVER, settings=(MANY, *settings)), replicates=replicates, seed=seed, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def stored() -> Iterator[Results]:
    with run() as results:
        yield results


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "river.h5"
    run(replicates=1000, output=path).close()
    return path


def scores(one: Summary, other: Summary) -> dict[str, float]:
    """Return z of mean, median and interval ends of every quantity."""
    found = {}
    for first, second in zip(one.quantities, other.quantities, strict=True):
        ends = [(f"{side} {i.level:g}", getattr(i, side)) for i in first.intervals for side in ("lower", "upper")]
        others = [getattr(i, side) for i in second.intervals for side in ("lower", "upper")]
        pairs = [("mean", first.mean, second.mean), ("median", first.median, second.median)]
        pairs += [(name, end, other_end) for (name, end), other_end in zip(ends, others, strict=True)]
        for name, a, b in pairs:
            error = math.hypot(a.mcse, b.mcse)
            if error > 0.0:
                found[f"{first.name} {name}"] = (a.estimate - b.estimate) / error
    return found


# Truth ------------------------------------------------------------------------------------------------------------


def test_agrees_with_a_direct_run_of_the_changed_scenario(stored: Results) -> None:
    weights = reweight(stored, CHANGES)
    assert {change["name"] for change in weights.changed} == {
        "checked_on_ferry",
        "again[highlands]",
        "again[low lands]",
        "way_out",
        "deception_hazard",
    }
    assert 400.0 < weights.effective < REPLICATES
    assert weights.mean_ratio.estimate == pytest.approx(1.0, abs=Z * weights.mean_ratio.mcse)
    quantities = ("trafficked", "bound", "arrived", "arrival_fraction", "border_share")
    after = summarize_weighted(stored, weights, quantities=quantities)
    with run(*CHANGES, seed=12) as direct:
        truth = summarize(direct, quantities=quantities)
    z = scores(after, truth)
    assert len(z) == 30
    assert max(abs(value) for value in z.values()) < Z, z

    before = scores(summarize(stored, quantities=quantities), truth)
    for name in ("arrival_fraction mean", "border_share median", "trafficked mean"):
        assert abs(before[name]) > Z, name
    upside_down = 1.0 / weights.values
    wrong = Weights(**{**vars(weights), "values": upside_down / upside_down.sum()})
    rejected = scores(summarize_weighted(stored, wrong, quantities=quantities), truth)
    assert abs(rejected["arrival_fraction mean"]) > Z


def test_weights_are_density_ratios(stored: Results) -> None:
    """By scipy's densities of the values in the file."""
    theta = stored.theta(["checked_on_ferry", "way_out[across]"])
    x, y = theta["checked_on_ferry"], theta["way_out[across]"]
    ratio = stats.beta.pdf(x, 0.36 * 20, 0.64 * 20) / stats.beta.pdf(x, 0.3 * 20, 0.7 * 20)
    ratio *= stats.beta.pdf(y, 0.45 * 20, 0.55 * 20) / stats.beta.pdf(y, 0.4 * 20, 0.6 * 20)
    weights = reweight(stored, (FERRY, WAY_OUT))
    np.testing.assert_allclose(weights.values, ratio / ratio.sum(), rtol=1e-6)
    assert weights.effective == pytest.approx(ratio.sum() ** 2 / np.square(ratio).sum(), rel=1e-6)
    assert weights.mean_ratio.estimate == pytest.approx(ratio.mean(), rel=1e-6)
    assert weights.mean_ratio.mcse == pytest.approx(ratio.std(ddof=1) / math.sqrt(REPLICATES), rel=1e-6)


def test_correlated_parameters_keep_their_correlation() -> None:
    """Scores move with the distributions: means and products of the changed scenario come out.

    Power: weights without the ratio of copula densities miss the mean product by more than 4.5 errors.
    """
    change = "parameters.share_women.distribution.mode=0.05"
    names = ["share_women", "valley_multiplier[highlands]"]
    with run(TIED, replicates=200_000, engine="cohort", store_by=()) as results:
        weights = reweight(results, change)
        theta = results.theta(names).to_numpy()
    model = simcore.compile_model(load_scenario(RIVER, settings=(MANY, TIED, change)), routes=False)
    ids = np.arange(200_000, dtype=np.uint32)
    direct = model.draw_theta(model.streams(99), ids)[:, [model.space.names.index(name) for name in names]]
    groups = np.arange(len(theta))

    def z(values: np.ndarray, truth: np.ndarray, used: np.ndarray) -> float:
        found = WeightedSample(values, used, groups, len(groups)).mean()
        error = math.hypot(found.mcse, truth.std() / math.sqrt(len(truth)))
        return (found.estimate - truth.mean()) / error

    for function in (lambda t: t[:, 0], lambda t: t[:, 1], lambda t: t[:, 0] * t[:, 1]):
        assert abs(z(function(theta), function(direct), weights.values)) < Z
    lowest, highest = 0.01, 0.10

    def density(mode: float) -> np.ndarray:
        a = 1.0 + 4.0 * (mode - lowest) / (highest - lowest)
        return stats.beta.pdf(theta[:, 0], a, 6.0 - a, lowest, highest - lowest)

    alone = density(0.05) / density(0.04)
    assert abs(z(theta[:, 1], direct[:, 1], alone)) > Z


# Nothing changed --------------------------------------------------------------------------------------------------


def test_unchanged_scenario_has_equal_weights(stored: Results) -> None:
    weights = reweight(stored, ("parameters.checked_on_ferry.note='said anew'", "title='Another title'"))
    assert weights.changed == ()
    assert (weights.values == weights.values[0]).all()
    assert weights.effective == pytest.approx(REPLICATES)
    assert math.isnan(weights.k_hat)
    assert weights.warning == ""


def test_equal_weights_give_the_plain_summary(stored: Results) -> None:
    """Means, errors, deviations, quantiles and shares of zeros, but for rounding."""
    plain = summarize(stored)
    found = summarize_weighted(stored, reweight(stored, ()))
    for one, other in zip(plain.quantities, found.quantities, strict=True):
        assert (one.name, one.n, one.missing, one.groups) == (other.name, other.n, other.missing, other.groups)
        figures = [(one.mean, other.mean), (one.median, other.median)]
        for first, second in figures:
            assert second.estimate == pytest.approx(first.estimate, rel=1e-9)
        assert other.mean.mcse == pytest.approx(one.mean.mcse, rel=1e-9)
        assert other.median.mcse == pytest.approx(one.median.mcse, rel=0.2, abs=0.5)  # two ways to the same error
        assert other.sd == pytest.approx(one.sd, rel=1e-9)
        assert other.zeros == pytest.approx(one.zeros, abs=1e-12)
        # (1) has a factor G / (G - 1) that (2) and the binomial error lack
        assert other.sd_mcse == pytest.approx(one.sd_mcse, rel=2.0 / one.n)
        assert other.zeros_mcse == pytest.approx(one.zeros_mcse, rel=2.0 / one.n)
        for first, second in zip(one.intervals, other.intervals, strict=True):
            np.testing.assert_allclose(tuple(second), tuple(first), rtol=1e-9)


def test_unused_parameters_do_not_count() -> None:
    """A parameter that nobody draws may be changed at will."""
    with run("parameters.drift={distribution={family='beta', alpha=2, beta=2}, unit='1', grade='illustrative'}",
             replicates=500) as results:  # fmt: skip
        assert reweight(results, "parameters.drift.distribution.alpha=9").changed == ()


# Errors -----------------------------------------------------------------------------------------------------------


def test_errors_of_weighted_figures(seed: int) -> None:
    """Over 400 samples of 1000, z-scores of mean and quantiles have variance one, within a chi-square interval (1e-6).

    Values are exponential with mean 1, weighted to mean 0.7; truth is known.
    """
    generator = np.random.default_rng(seed)
    found: dict[str, list[float]] = {"mean": [], "0.5": [], "0.95": []}
    for _ in range(400):
        values = generator.exponential(size=1000)
        weights = np.exp(-values / 0.7 + values)
        sample = WeightedSample(values, weights, np.arange(1000), 1000)
        truths = {"mean": 0.7, "0.5": 0.7 * math.log(2.0), "0.95": -0.7 * math.log(0.05)}
        figures = {"mean": sample.mean(), "0.5": sample.quantile(0.5), "0.95": sample.quantile(0.95)}
        for name, figure in figures.items():
            found[name].append((figure.estimate - truths[name]) / figure.mcse)
    low, high = stats.chi2.ppf([5e-7, 1.0 - 5e-7], 399) / 399
    for name, z in found.items():
        assert low < np.var(z, ddof=1) < high, name
        assert abs(np.mean(z)) < 0.35, name  # the error of a figure goes with its size, which biases z a little


def test_weights_and_errors_by_parameter_set() -> None:
    """In a nested run the replicates of a set share a weight, and sets are what is independent."""
    with simcore.run(load_scenario(RIVER), nested=(600, 5), seed=3) as results:
        weights = reweight(results, FERRY)
        assert weights.sets == 600
        assert weights.effective <= 600.0
        arrived = summarize_weighted(results, weights, quantities=["arrived"])["arrived"]
        values = results.read("outcome")[:, results.labels("absorbing").index("on the far bank")].reshape(600, 5)
    of_sets = values.mean(axis=1)
    centre = weights.values @ of_sets
    assert arrived.mean.estimate == pytest.approx(centre)
    error = math.sqrt(600 / 599 * np.square(weights.values * (of_sets - centre)).sum())
    assert arrived.mean.mcse == pytest.approx(error)
    assert arrived.groups == 600


def test_parameter_sets_that_were_not_stored_are_drawn_again(stored: Results) -> None:
    with run(replicates=REPLICATES, store_theta=False) as results:
        assert np.array_equal(reweight(results, CHANGES).values, reweight(stored, CHANGES).values)


def test_an_even_design_is_drawn_again_as_it_was() -> None:
    options = {"replicates": 1024, "design": "sobol"}
    with run(**options) as stored_sets, run(**options, store_theta=False) as others:  # type: ignore[arg-type]
        assert np.array_equal(reweight(others, FERRY).values, reweight(stored_sets, FERRY).values)


# The tail ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [-0.3, 0.2, 0.5, 1.0])
def test_pareto_shape_is_recovered(shape: float, seed: int) -> None:
    """Within 4.5 of the asymptotic errors (1 + k) / sqrt(n); a shape that is off by 0.1 would be rejected."""
    n = 20_000
    values = stats.genpareto.rvs(shape, size=n, random_state=seed)
    error = (1.0 + max(shape, 0.0)) / math.sqrt(n)
    assert 4.5 * error < 0.1
    assert pareto_shape(values) == pytest.approx(shape, abs=4.5 * error)


def test_heavy_tails_are_found(seed: int) -> None:
    """Log weights of a Pareto law with shape k; nothing can be said of weights that do not differ."""
    draws = stats.expon.rvs(size=40_000, random_state=seed)
    assert tail_shape(0.3 * draws) < 0.5 < tail_shape(0.9 * draws)
    assert math.isnan(tail_shape(np.zeros(1000)))
    assert math.isnan(tail_shape(np.arange(4.0)))
    assert (reliable_below(1000), reliable_below(10**6)) == (pytest.approx(2.0 / 3.0), 0.7)


def test_a_heavy_tail_is_said() -> None:
    weights = Weights(np.full(1000, 1e-3), (), 1000.0, 0.9, 0.67, Estimate(1.0, 0.0), "", "")
    assert weights.warning.startswith("Pareto k-hat 0.90 is above 0.67")


# Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("transit.attempt_cap=2", "and this also changes transit.attempt_cap;"),
        ("parameters.again.index=[]", "and this also changes index of parameter again;"),
        ("population.year=2006", "and this also changes population;"),
        (TIED, "and this also changes dependence.wealth;"),
        (
            "parameters.share_men.distribution.max=0.06",
            "parameters.share_men.distribution: reaches from 0 to 0.06, but the stored run drew from 0 to 0.05 only",
        ),
        (
            "parameters.guard_factor.distribution={family='uniform', min=0.5, max=1}",
            "parameters.guard_factor.distribution: the stored run has the single value 1, so nothing else was drawn",
        ),
        (
            "parameters.checked_on_ferry.distribution={family='fixed', value=0.3}",
            "parameters.checked_on_ferry.distribution: the single value 0.3 has no density to re-weight to",
        ),
        (
            "parameters.way_out.distribution={family='fixed_shares', shares={across=0.5, inland=0.5}}",
            "parameters.way_out.distribution: fixed shares have no density to re-weight to",
        ),
        (
            "parameters.checked_on_ferry.distribution.mean=0.9",
            "re-weighting: the effective sample size is ",
        ),
    ],
)
def test_what_cannot_be_reweighted(stored: Results, setting: str, message: str) -> None:
    with pytest.raises(UserError) as problem:
        reweight(stored, setting)
    assert message in str(problem.value)
    assert "\n" not in str(problem.value)
    assert "run the changed scenario" in str(problem.value)


def test_a_gap_between_pooled_experts_cannot_be_filled() -> None:
    def pool(first: tuple[float, float], second: tuple[float, float], weight: float = 1.0) -> str:
        experts = ", ".join(
            f"{name}={{weight={w}, distribution={{family='uniform', min={low}, max={high}}}}}"
            for name, w, (low, high) in (("one", 1.0, first), ("two", weight, second))
        )
        return f"parameters.share_men.distribution={{family='pool', experts={{{experts}}}}}"

    results = run(pool((0.0, 0.01), (0.04, 0.05)))
    with pytest.raises(UserError, match=r"puts 0\.6 of its probability between 0\.01 and 0\.04, where no expert"):
        reweight(results, "parameters.share_men.distribution={family='uniform', min=0, max=0.05}")
    with pytest.raises(UserError, match=r"puts 0\.25 of its probability between 0\.01 and 0\.04, where no expert"):
        reweight(results, pool((0.0, 0.02), (0.04, 0.05)))
    weights = reweight(results, pool((0.0, 0.01), (0.04, 0.05), weight=2.0))
    assert abs(weights.mean_ratio.estimate - 1.0) < 5.0 * weights.mean_ratio.mcse  # 6e-7 by chance


def test_the_size_that_is_refused_is_said(stored: Results) -> None:
    enough = reweight(stored, FERRY)
    with pytest.raises(UserError, match=rf"is {enough.effective:.1f} of 20,000 parameter sets, limit 19500;"):
        reweight(stored, FERRY, fewest=19_500.0)


def test_a_narrower_range_is_no_problem(stored: Results) -> None:
    """Sets outside get no weight."""
    weights = reweight(stored, "parameters.young_factor.distribution.max=1.5")
    young = stored.theta(["young_factor"])["young_factor"].to_numpy()
    assert not weights.values[young > 1.5].any()
    assert weights.effective == pytest.approx((young <= 1.5).sum())


def test_weights_of_other_results(stored: Results) -> None:
    weights = reweight(stored, FERRY)
    with run(replicates=500) as other, pytest.raises(UserError, match="weights: are those of other results"):
        summarize_weighted(other, weights)


# The verb ---------------------------------------------------------------------------------------------------------


def test_verb_shows_before_and_after(file: Path) -> None:
    result = runner.invoke(app, [str(file), "--set", FERRY])
    assert result.exit_code == 0, result.output
    assert "beta(mean=0.36, size=20)" in result.stdout
    assert "Effective sample size: " in result.stdout
    assert "Pareto k-hat: " in result.stdout
    assert result.stdout.count("re-weighted ") > 10
    assert "not estimates of prevalence" in result.stdout


def test_verb_as_json(file: Path, tmp_path: Path) -> None:
    """Settings and a file of priors say the same."""
    priors = tmp_path / "priors.toml"
    priors.write_text("[parameters.checked_on_ferry]\ndistribution = {family = 'beta', mean = 0.36, size = 20}\n")
    found = [runner.invoke(app, [str(file), *way, "--json"]) for way in (["--set", FERRY], ["--prior", str(priors)])]
    one, other = (json.loads(result.stdout) for result in found)
    assert one == other
    assert one["reweighted"]["parameter_sets"] == 1000
    assert 400.0 < one["reweighted"]["effective_sample_size"] < 1000.0
    assert one["after"]["quantities"][0]["name"] == one["before"]["quantities"][0]["name"] == "persons"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give the changed priors: --set"),
        (["--set", "parameters"], "--set parameters: must be path=value"),
        (["--set", "parameters.checked_on_fery.distribution.mean=0.3"], "--set parameters.checked_on_fery"),
        (["--prior", "nowhere.toml"], "nowhere.toml: no such file"),
        (["--prior", str(RIVER)], "cohort_year"),
    ],
)
def test_mistakes_are_one_line(file: Path, arguments: list[str], message: str) -> None:
    result = runner.invoke(app, [str(file), *arguments])
    assert isinstance(result.exception, UserError | ScenarioError), result.output
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
