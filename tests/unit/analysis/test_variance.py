"""The split of variance: known shares, the coverage of its intervals, both routes on scenarios with known answers."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

import simcore
from analysis.variance.choices import Choice, together
from analysis.variance.exact import _set_figures
from analysis.variance.figure import save_variance_bars
from analysis.variance.inner_size import Costs, best_inner_size, inner_size, measure_costs
from analysis.variance.nested import SetMoments
from analysis.variance.parts import Weights, split_parts
from analysis.variance.sets import SetFigures
from analysis.variance.split import BOTH, EXACT, NESTED, split_variance
from simcore.cli.program import app
from simcore.errors import ResultsError, UserError
from simcore.model import compile_model
from simcore.moments import expected
from simcore.verification.closed_form import fixture

Z_LIMIT = 4.5  # false-alarm level 6.8e-6 per comparison


# Parameter sets with known shares -------------------------------------------------------------------------------------

CATEGORIES, EFFECTS = np.array([0.5, 0.3, 0.2]), np.array([0.0, 0.6, 1.2])
FORM = float(CATEGORIES @ EFFECTS**2 - (CATEGORIES @ EFFECTS) ** 2)
SHARED, INDIVIDUAL = 0.25, 0.64
TOTAL = FORM + 1.0 + SHARED + INDIVIDUAL
TRUE = {
    "parameters": (FORM + 1.0) / TOTAL,
    "model_form": FORM / TOTAL,
    "other_parameters": 1.0 / TOTAL,
    "chance": (SHARED + INDIVIDUAL) / TOTAL,
}


def made_up(draw: np.random.Generator, sets: int, inner: int) -> tuple[SetFigures, Choice]:
    """Three models, a uniform parameter of variance 1, normal chance: the shares are `TRUE`."""
    category = draw.choice(3, sets, p=CATEGORIES)
    mean = EFFECTS[category] + math.sqrt(12.0) * draw.random(sets)
    values = mean[:, np.newaxis] + draw.normal(0.0, math.sqrt(SHARED + INDIVIDUAL), (sets, inner))
    chance = values.var(axis=1, ddof=1)
    figures = SetFigures(values.mean(axis=1), chance / inner, chance, None)
    return figures, Choice("model_form", False, ("a", "b", "c"), category)


def test_intervals_cover_as_often_as_they_say() -> None:
    """Nominal 90 %, 600 files of 250 sets x 4: the share of hits has a binomial standard error of 1.2 %.

    Bounds 86 % and 94 %: percentile intervals fall short by a term of order 1 / n (here about one per cent), a mistake
    such as a missing noise correction moves the centre by several standard errors and the hits below 50 %.
    """
    draw = np.random.default_rng(20051105)
    hits, shares = dict.fromkeys(TRUE, 0), {name: [] for name in TRUE}
    for trial in range(600):
        figures, choice = made_up(draw, 250, 4)
        parts = split_parts([figures], [choice], Weights(250, 199, trial))[0].parts
        for name, true in TRUE.items():
            hits[name] += parts[name].lower <= true <= parts[name].upper
            shares[name].append(parts[name].share)
    for name, true in TRUE.items():
        assert 0.86 <= hits[name] / 600 <= 0.94, name
        # unbiased but for the ratio, whose bias is of order 1 / 250; 4.5 standard errors and that
        error = np.std(shares[name]) / math.sqrt(600)
        assert abs(np.mean(shares[name]) - true) < 4.5 * error + 1.0 / 250.0, name


def test_a_choice_is_unbiased_for_any_number_of_sets() -> None:
    """Mean over all 3^n ways to draw n sets whose category says everything: `FORM` exactly, and nothing is left."""
    for sets in (2, 3, 6):
        mean = 0.0
        for drawn in itertools.product(range(3), repeat=sets):
            category, nothing = np.array(drawn), np.zeros(sets)
            figures = SetFigures(EFFECTS[category], nothing, nothing, None)
            choice = Choice("model_form", False, ("a", "b", "c"), category)
            parts = split_parts([figures], [choice], Weights(sets, 1))[0].parts
            assert parts["other_parameters"].variance == pytest.approx(0.0, abs=1e-14)
            mean += float(np.prod(CATEGORIES[category])) * parts["model_form"].variance
        assert mean == pytest.approx(FORM, rel=1e-12)


def test_without_the_corrections_the_shares_are_wrong() -> None:
    """What the unbiased estimators subtract is large here: 0.89 / 4 from parameters, the noise of 200 bins else."""
    draw = np.random.default_rng(3)
    figures, _ = made_up(draw, 2000, 4)
    no_noise = SetFigures(figures.mean, 0.0 * figures.noise, figures.chance, None)
    weights = Weights(2000, 99)
    right, wrong = (split_parts([each], [], weights)[0].parts["parameters"] for each in (figures, no_noise))
    assert wrong.variance - right.variance == pytest.approx(0.89 / 4.0, rel=0.05)
    idle = Choice("model_form", False, tuple(map(str, range(200))), draw.integers(0, 200, 2000))
    part = split_parts([figures], [idle], weights)[0].parts["model_form"]
    naive = 199 / 2000 * figures.mean.var(ddof=1)  # what 200 models that change nothing seem to explain
    assert abs(part.variance) < 0.25 * naive
    assert part.lower == 0.0


def test_parts_add_up_and_repeat() -> None:
    figures, choice = made_up(np.random.default_rng(4), 300, 5)
    told = figures.with_shared(0.3 * figures.chance)
    panel = Choice("missing_data", True, ("1", "2"), np.arange(300) % 2)
    first, again = (split_parts([told], [choice, panel], Weights(300, 99))[0] for _ in range(2))
    assert first == again
    share = {name: part.share for name, part in first.parts.items()}
    assert share["parameters"] + share["chance"] == pytest.approx(1.0)
    assert share["model_form"] + share["missing_data"] + share["other_parameters"] == pytest.approx(share["parameters"])
    assert share["shared_chance"] + share["individual_chance"] == pytest.approx(share["chance"])


def test_outputs_split_together_or_alone_are_the_same() -> None:
    draw = np.random.default_rng(5)
    (one, choice), (two, _) = made_up(draw, 100, 3), made_up(draw, 100, 3)
    weights = Weights(100, 99)
    both = split_parts([one, two], [choice], weights)
    alone = [split_parts([each], [choice], weights)[0] for each in (one, two)]
    for together_, single in zip(both, alone, strict=True):
        assert together_.parts["model_form"].lower == pytest.approx(single.parts["model_form"].lower)
        assert together_.total == pytest.approx(single.total)


def test_sets_without_a_value_count_for_nothing() -> None:
    figures, choice = made_up(np.random.default_rng(6), 100, 3)
    holes = np.arange(100) % 3 == 0
    pierced = SetFigures(
        *(np.where(holes, np.nan, part) for part in (figures.mean, figures.noise, figures.chance)), None
    )
    kept = SetFigures(figures.mean[~holes], figures.noise[~holes], figures.chance[~holes], None)
    few = Choice("model_form", False, choice.categories, choice.category[~holes])
    with_holes, without = (
        split_parts([pierced], [choice], Weights(100, 99))[0],
        split_parts([kept], [few], Weights(66, 99))[0],
    )
    assert with_holes.n == without.n == 66
    for name, part in without.parts.items():
        assert with_holes.parts[name].variance == pytest.approx(part.variance, rel=1e-9)
    nothing = SetFigures(*(np.full(100, np.nan) for _ in range(3)), None)
    assert math.isnan(split_parts([nothing], [choice], Weights(100, 99))[0].parts["parameters"].share)


def test_moments_of_sets_in_pieces() -> None:
    """However the replicates come, a set has the mean and the variance of its values that are there."""
    draw = np.random.default_rng(7)
    values = draw.normal(1e6, 3.0, (2, 95))
    values[1, 10:20] = np.nan
    sets = np.arange(95) // 10
    moments = SetMoments(2, 10)
    for first, last in ((0, 7), (7, 30), (30, 31), (31, 95)):
        moments.add(values[:, first:last], sets[first:last])
    for column in range(2):
        figures = moments.figures(column)
        for number in range(10):
            own = values[column, sets == number]
            own = own[~np.isnan(own)]
            if own.size > 1:
                assert figures.mean[number] == pytest.approx(own.mean(), rel=1e-14)
                assert figures.chance[number] == pytest.approx(own.var(ddof=1), rel=1e-9)
                assert figures.noise[number] == pytest.approx(own.var(ddof=1) / own.size, rel=1e-9)
            else:
                assert np.isnan(figures.mean[number])


def test_choices_together_are_their_combinations() -> None:
    one = Choice("m", False, ("a", "b"), np.array([0, 1, 0, 1]))
    two = Choice("k", False, ("x", "y", "z"), np.array([2, 0, 2, 1]))
    both = together("model_form", [one, two])
    assert both is not None
    assert both.categories == ("a / z", "b / x", "b / y")
    assert both.category.tolist() == [0, 1, 0, 2]
    assert together("model_form", []) is None


def test_draws_of_shared_chance_are_corrected_for_their_number() -> None:
    mean = np.array([[1.0, 3.0], [2.0, 2.0]])
    figures = _set_figures(mean, np.array([[0.5, 0.7], [0.1, 0.3]]))
    assert figures.mean.tolist() == [2.0, 2.0]
    assert figures.shared is not None
    assert figures.shared.tolist() == [2.0, 0.0]
    assert figures.noise.tolist() == [1.0, 0.0]
    assert figures.chance == pytest.approx(np.array([2.6, 0.2]))


# Scenarios with known answers -----------------------------------------------------------------------------------------

POOL, ALPHA, BETA = 100_000, 2.0, 998.0
ONLY_P = [
    "transit.attempt_cap=1",
    "parameters.reattempt.distribution.value=0",
    f"parameters.interception.distribution={{family='beta',alpha={BETA},beta={ALPHA}}}",
]
MEAN, VARIANCE, SHARE = 200.0, 20139.46, 0.9901
FROM_P = SHARE * VARIANCE


def z_of_parameters(variance: float, sets: int) -> float:
    """Standard score of an estimate of V_E; the fourth central moment of 100,000 p gives its variance."""
    law = stats.beta(ALPHA, BETA)
    fourth = POOL**4 * (float(law.stats("k")) + 3.0) * float(law.var()) ** 2
    return (variance - FROM_P) / math.sqrt((fourth - FROM_P**2) / sets)


@pytest.fixture(scope="module")
def beta_binomial() -> Any:
    """A nested run in which p ~ Beta(2, 998) of 100,000 arrive, 2,000 sets x 20."""
    scenario = fixture("single_border", ONLY_P)
    with simcore.run(scenario, nested=(2000, 20), seed=11, engine="cohort", threads=1) as results:
        yield results


def test_the_beta_binomial_from_a_nested_run(beta_binomial: simcore.Results) -> None:
    """Mean 200, variance 20,139.46, 99.01 % from p, as z-scores under the stated variances (reference_tables 2).

    Var(mean) = V_E / n_out + V_A / N. Var(V_E estimate) = (mu4 - V_E^2) / n_out with mu4 the fourth central moment of
    100,000 p, but for the noise of 20 replicates (0.05 % of V_E). A share of 97 % instead of 99 % is caught: V_A would
    be three times as large, 30 standard errors away.
    """
    split = split_variance(beta_binomial, quantities=["arrived"], route=NESTED, bootstraps=199)
    output = split.select("arrived")
    assert output.route == NESTED
    arrived = beta_binomial.read("outcome")[:, list(beta_binomial.labels("absorbing")).index("ARRIVED")]
    z = (arrived.mean() - MEAN) / math.sqrt(FROM_P / 2000 + (VARIANCE - FROM_P) / 40_000)
    assert abs(z) < Z_LIMIT
    assert abs(z_of_parameters(output.parts.parts["parameters"].variance, 2000)) < Z_LIMIT
    chance = VARIANCE - FROM_P  # of a set it is 100,000 p (1 - p), whose spread over p is that of 100,000 p
    z = (output.parts.parts["chance"].variance - chance) / math.sqrt((FROM_P + 2.0 * (chance**2 + FROM_P) / 19) / 2000)
    assert abs(z) < Z_LIMIT


def test_the_beta_binomial_in_closed_form_from_a_single_loop(tmp_path: Path) -> None:
    """The same from 3,000 parameter sets with one replicate each; not stored, they are drawn again and split alike."""
    scenario = fixture("single_border", ONLY_P)
    shares = []
    for store in (True, False):
        with simcore.run(scenario, replicates=3000, seed=12, engine="cohort", threads=1, store_theta=store) as results:
            split = split_variance(results, quantities=["arrived", "bound"], bootstraps=199)
        assert {output.route for output in split.outputs} == {EXACT}
        parts = split.select("arrived").parts.parts
        assert parts["shared_chance"].variance == 0.0
        assert abs(z_of_parameters(parts["parameters"].variance, 3000)) < Z_LIMIT
        assert math.isnan(split.select("bound").parts.parts["parameters"].share)  # everybody is bound: no variance
        shares.append(parts["parameters"].share)
    assert shares[0] == shares[1]


TWO_POINT = [
    "parameters.which={distribution={family='categorical',weights={low=1,high=1}},unit='category',grade='illustrative'}",
    "parameters.half={distribution={family='fixed',value=0.5},unit='ratio',grade='illustrative'}",
    "parameters.double={distribution={family='fixed',value=2},unit='ratio',grade='illustrative'}",
    "parameters.g={distribution={family='switch',on='which',cases={low='half',high='double'}},unit='ratio',grade='illustrative'}",
    "event.multipliers.g={factor='g'}",
]


@pytest.fixture(scope="module")
def two_models() -> Any:
    """TINY with both hazards times 1/2 or 2, by a categorical choice: docs/model.md E, two-point theta."""
    with simcore.run(fixture("tiny", TWO_POINT), nested=(400, 10), seed=13, engine="cohort", threads=1) as results:
        yield results


@pytest.mark.parametrize("route", [EXACT, NESTED])
def test_a_choice_of_two_models_is_all_there_is(route: str, two_models: simcore.Results) -> None:
    """Var_E 5096.08 and E Var 122.33 if both are equally frequent, so the share of model form is 97.655818 %.

    With k of n sets low, Var_E is estimated as 4 k / n (1 - k / n) n / (n - 1) times that, and nothing is left over.
    """
    split = split_variance(two_models, quantities=["arrived"], route=route, bootstraps=199)
    assert [(choice.name, choice.categories) for choice in split.choices] == [("which", ("low", "high"))]
    parts = split.select("arrived").parts
    form, all_parameters = parts.parts["model_form"], parts.parts["parameters"]
    assert parts.choices["which"] == form
    low = float(np.mean(split.choices[0].category == 0))
    between = 5096.08349882 * 4.0 * low * (1.0 - low) * 400 / 399
    chance, means, variances = parts.parts["chance"].variance, (51.14334313, 193.91705918), (51.11718672, 193.54102092)
    inside = low * variances[0] + (1.0 - low) * variances[1]
    if route == EXACT:
        assert form.variance == pytest.approx(between, rel=1e-9)
        assert all_parameters.variance == pytest.approx(between, rel=1e-9)
        assert parts.parts["other_parameters"].variance == pytest.approx(0.0, abs=1e-9 * between)
        assert chance == pytest.approx(inside, rel=1e-9)
        return
    error = math.sqrt(variances[0] / (4000 * low) + variances[1] / (4000 * (1.0 - low)))  # of the difference of means
    assert abs(form.variance - between) < Z_LIMIT * 2.0 * low * (1.0 - low) * (means[1] - means[0]) * error
    squares = low * variances[0] ** 2 + (1.0 - low) * variances[1] ** 2  # s^2 of ten counts: relative variance 2 / 9
    assert abs(chance - inside) < Z_LIMIT * math.sqrt(2.0 / 9.0 * squares / 400)
    assert form.share == pytest.approx(0.97655818, abs=0.01)


SHARED_EFFECT = [
    "parameters.effect_sd={distribution={family='fixed',value=0.3},unit='log',grade='illustrative'}",
    "event.shared_effects.year={index=['origin'],standard_deviation='effect_sd'}",
]


def test_shared_chance_alone() -> None:
    """Nothing is unknown but a shared effect exp(0.3 z): parameters 0, shared Var E[A | z] by Gauss-Hermite."""
    model = compile_model(fixture("tiny", SHARED_EFFECT), routes=False)
    nodes, mass = np.polynomial.hermite_e.hermegauss(40)
    theta = np.repeat(model.space.typical()[np.newaxis, :], 40, axis=0)
    moments = expected(model, theta=theta, scores=nodes[:, np.newaxis])
    arrived = moments.weights("outcome", label="ARRIVED_US")
    means, mass = moments.mean_of(arrived)[:, 0], mass / mass.sum()
    true = float(mass @ (means - mass @ means) ** 2)
    individual = float(mass @ moments.variance_of(arrived)[:, 0])
    with simcore.run(fixture("tiny", SHARED_EFFECT), nested=(1500, 6), seed=14, engine="cohort", threads=1) as results:
        exact = split_variance(results, quantities=["arrived"], bootstraps=199)
        sampled = split_variance(results, quantities=["arrived"], route=NESTED, bootstraps=199)
    output = exact.select("arrived")
    assert output.route == EXACT
    share = output.parts.parts["shared_chance"]
    # s^2 of 10 nearly normal draws has the relative standard error sqrt(2 / 9); 1,500 sets
    assert abs(share.variance / true - 1.0) < Z_LIMIT * math.sqrt(2.0 / 9.0 / 1500) * 1.5
    assert output.parts.parts["individual_chance"].variance == pytest.approx(individual, rel=0.01)
    from_parameters = output.parts.parts["parameters"].variance  # s^2 of 1,500 means of ten less a tenth of s^2 within
    assert abs(from_parameters) < Z_LIMIT * math.sqrt(2.0 / 1500) * true / 10.0 * 1.5
    assert exact.select("arrived", "log10").route == BOTH
    chance = sampled.select("arrived").parts.parts["chance"].variance
    assert abs(chance / (true + individual) - 1.0) < Z_LIMIT * math.sqrt(2.0 / 5.0 / 1500) * 1.5
    assert "shared_chance" not in sampled.select("arrived").parts.parts


def test_sets_without_any_victim_keep_the_split_of_chance() -> None:
    """One of two models counts nobody: its sets have no logarithm of a mean, but they have no chance either."""
    edits = [edit.replace("value=0.5", "value=0") for edit in TWO_POINT] + SHARED_EFFECT
    with simcore.run(fixture("tiny", edits), nested=(60, 6), seed=15, engine="cohort", threads=1) as results:
        output = split_variance(results, quantities=["trafficked"], bootstraps=99).select("trafficked", "log10")
        closed = split_variance(results, quantities=["trafficked"], route=EXACT, bootstraps=99)
    parts, somebody = output.parts.parts, closed.select("trafficked", "log10").parts
    assert (output.route, output.parts.n) == (BOTH, 60)
    assert 0 < somebody.n < 60
    shared = somebody.parts["shared_chance"].variance * somebody.n / 60.0
    assert parts["shared_chance"].variance == pytest.approx(shared, rel=1e-12)
    both = parts["shared_chance"].variance + parts["individual_chance"].variance
    assert both == pytest.approx(parts["chance"].variance, rel=1e-12)
    assert np.isfinite([part.lower for part in parts.values()]).all()
    nobody = [edit.replace("value=2", "value=0") for edit in edits if "effect" not in edit]
    with simcore.run(fixture("tiny", nobody), nested=(9, 3), seed=15, engine="cohort", threads=1) as results:
        output = split_variance(results, quantities=["trafficked"], bootstraps=99).select("trafficked", "log10")
    assert (output.route, output.parts.total) == (NESTED, 0.0)


def test_the_sample_has_as_much_variance_as_the_split(two_models: simcore.Results) -> None:
    """By exploitation too: exact means by levels are those of the file's own replicates."""
    split = split_variance(two_models, by=["exploitation"], quantities=["arrived", "arrival_fraction"], bootstraps=99)
    place = list(two_models.labels("absorbing")).index("ARRIVED_US")
    counts = two_models.read("outcome", by=["exploitation"])[:, :, place]
    for number, level in enumerate(two_models.labels("exploitation")):
        output = split.select("arrived", exploitation=level)
        assert output.parts.total == pytest.approx(counts[:, number].var(ddof=1), rel=0.05)
        assert split.select("arrival_fraction", exploitation=level).route == NESTED


# Inner sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("between", "chance", "per_set", "best"), [(1.0, 1.0, 100.0, 10), (4.0, 1.0, 1.0, 1), (1.0, 9.0, 1.0, 3)]
)
def test_the_best_inner_size(between: float, chance: float, per_set: float, best: int) -> None:
    """sqrt(c_out V_A / (c_in V_E)), and no other size has less variance at equal cost."""
    costs = Costs(per_set, 1.0)
    assert best_inner_size(between, chance, costs) == best

    def cost_times_variance(inner: int) -> float:
        return (per_set + inner) * (between + chance / inner)

    assert min(range(1, 100), key=cost_times_variance) == best


def test_ends_of_the_inner_size() -> None:
    assert best_inner_size(1.0, 0.0, Costs(1.0, 1.0)) == 1
    assert best_inner_size(1.0, -0.1, Costs(1.0, 1.0)) == 1
    assert best_inner_size(1.0, 1.0, Costs(0.0, 1.0)) == 1
    assert best_inner_size(0.0, 1.0, Costs(1.0, 1.0)) == 10**6
    assert best_inner_size(1e-30, 1.0, Costs(1.0, 1.0)) == 10**6


def test_errors_now_and_at_the_best_size(beta_binomial: simcore.Results) -> None:
    output = split_variance(beta_binomial, quantities=["arrived"], bootstraps=99).select("arrived")
    size = inner_size(output, 2000, 20, Costs(1e-5, 1e-6))
    assert size.best == 1
    assert size.outer == round(2000 * (10 + 20) / (10 + 1))
    assert size.present_error == pytest.approx(math.sqrt(FROM_P / 2000), rel=0.1)
    assert size.best_error == pytest.approx(math.sqrt(VARIANCE / size.outer), rel=0.1)


def test_costs_are_measured(beta_binomial: simcore.Results) -> None:
    """Both are times of this machine: above 0, and below a millisecond for two draws per replicate."""
    costs = measure_costs(beta_binomial)
    assert 0.0 < costs.replicate < 1e-3
    assert 0.0 <= costs.set < 1e-2


# Mistakes, command line, figure ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"route": "exat"}, ["route = 'exat'", "'exact'"]),
        ({"sets": 1}, ["sets = 1", "at least 2"]),
        ({"bootstraps": 3}, ["bootstraps = 3", "at least 99"]),
        ({"level": 1.0}, ["level = 1.0", "between 0 and 1"]),
        ({"quantities": ["arived"]}, ["'arived'", "'arrived'"]),
        ({"by": ["orign"]}, ["orign", "'origin'"]),
    ],
)
def test_mistakes(arguments: dict[str, Any], words: list[str], beta_binomial: simcore.Results) -> None:
    with pytest.raises((UserError, ResultsError)) as refusal:
        split_variance(beta_binomial, **arguments)
    for word in words:
        assert word in str(refusal.value)


def test_what_a_split_needs() -> None:
    scenario = fixture("single_border", ONLY_P)
    with (
        simcore.run(scenario, replicates=5, seed=1, engine="cohort") as single,
        pytest.raises(UserError, match="--nested"),
    ):
        split_variance(single, route=NESTED)
    with (
        simcore.run(scenario, nested=(1, 5), seed=1, engine="cohort") as one,
        pytest.raises(ResultsError, match="one param"),
    ):
        split_variance(one)


@pytest.fixture(scope="module")
def file(two_models: simcore.Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("variance") / "two.h5"
    simcore.run(fixture("tiny", TWO_POINT), nested=(60, 4), seed=13, engine="cohort", output=path).close()
    return path


def test_the_verb_prints_shares_and_sizes(file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "v.png"
    done = CliRunner().invoke(app, ["variance", str(file), "--quantity", "arrived", "--figure", str(picture)])
    assert done.exit_code == 0, done.output
    for words in ("model form", "log10 arrived", "individual chance", "Replicates per parameter set", "which", "90 %"):
        assert words in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_verb_as_json(file: Path) -> None:
    done = CliRunner().invoke(app, ["variance", str(file), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["level"] == 0.9
    assert found["bootstraps"] == 999
    outputs = {(output["name"], output["scale"]): output for output in found["outputs"]}
    share = outputs["arrived", "natural"]["parts"]["model_form"]
    assert share["lower"] <= share["share"] <= share["upper"]
    assert outputs["arrived", "natural"]["inner_size"]["best_inner"] >= 1
    assert ("arrival_fraction", "log10") not in outputs


def test_the_figure_says_what_it_shows(two_models: simcore.Results, tmp_path: Path) -> None:
    split = split_variance(two_models, bootstraps=99)
    text = save_variance_bars(split, tmp_path / "v.svg").read_text()
    assert text.startswith("<?xml")
    with pytest.raises(UserError, match="cannot be written"):
        save_variance_bars(split, tmp_path / "no" / "v.png")
