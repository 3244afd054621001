"""What changed between two scenarios, and how the change of the outputs is shared out.

False alarms: seeds are fixed, so a test changes its mind only with the code. Spreads over 40 seeds are compared with
the stated errors by chi-square intervals of level 1e-6; they catch an error that is off by a factor of 1.8 with power
above 0.99.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy.stats import chi2
from typer.testing import CliRunner

import simcore
from analysis.difference import attribution
from analysis.difference.attribution import Attribution, attribute
from analysis.difference.changes import Change, list_changes, strata_apart
from analysis.difference.command_line import diff
from analysis.difference.hybrids import Hybrids, find_items
from analysis.difference.outputs import OUTPUTS, exact_means
from simcore.errors import UserError
from simcore.scenario import Scenario, load_scenario
from tests.conftest import ROOT

RIVER = ROOT / "tests" / "scenarios" / "river.toml"
BRIDGE = ROOT / "tests" / "scenarios" / "river_patch.toml"
GUARDS = "parameters.guard_factor.distribution.value=2"
HAZARD = "parameters.deception_hazard.distribution={family='lognormal', q05=0.02, q95=0.1}"
CHECKS = "parameters.checked_on_ferry.distribution.mean=0.5"
DRAWS = 60

app = typer.Typer()
app.command()(diff)
runner = CliRunner()


def river(*settings: str) -> Scenario:
    return load_scenario(RIVER, settings=settings)


def by_name(changes: tuple[Change, ...]) -> dict[str, Change]:
    return {change.name: change for change in changes}


def means(scenario: Scenario, seed: int = 1, draws: int = DRAWS) -> np.ndarray:
    return exact_means(simcore.compile_model(scenario, routes=False), draws, seed)


# Lists ------------------------------------------------------------------------------------------------------------


def test_a_scenario_does_not_differ_from_itself() -> None:
    assert list_changes(river(), river()) == ()
    found = attribute(river(), river(), draws=DRAWS)
    assert found.items == ()
    for figure in found.figures:
        assert (figure.first, figure.total.estimate) == (figure.second, 0.0)


def test_shipped_cohorts(phase1: Scenario) -> None:
    """The patch of 2020 replaces the population and four priors; what it only says anew moves nothing."""
    other = load_scenario("phase1_2020")
    changes = by_name(list_changes(phase1, other))
    moving = {name for name, change in changes.items() if change.effective}
    assert {
        "population",
        "interception_between_poe",
        "reattempt_mexico",
        "reattempt_central_america",
        "died_from_north_zone",
    } <= moving
    assert not changes["interception_mex_interior"].effective
    assert set(changes["interception_mex_interior"].also) == {"source", "note"}
    assert "grade" in changes["reattempt_central_america"].also
    for name in ("name", "title", "description", "cohort_year"):
        assert (changes[name].kind, changes[name].effective) == ("text", False)
    facts = changes["population"].facts
    assert facts["persons_before"] == pytest.approx(phase1.population.sum())
    assert facts["persons_after"] == pytest.approx(other.population.sum())
    assert (facts["year_before"], facts["year_after"]) == (2005, 2020)
    relative = other.population / phase1.population - 1.0
    assert facts["largest_relative_change"] == pytest.approx(relative.flat[np.abs(relative).argmax()])
    assert facts["cells_changed"] == int((other.population != phase1.population).sum())


def test_values_before_and_after() -> None:
    change = by_name(list_changes(river(), river(GUARDS)))["guard_factor"]
    assert change.before["distribution"]["value"] == 1.0
    assert change.after["distribution"]["value"] == 2.0
    assert change.effective


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("parameters.guard_factor.note='said anew'", "guard_factor"),
        ("parameters.guard_factor.unit='factor'", "guard_factor"),
        ("strata.sex.w.label='Women'", "strata.sex.w"),
        ("transit.legs.ferry.label='By ferry'", "transit.legs.ferry"),
        ("definition='Counted otherwise.'", "definition"),
        ("store.by=['origin']", "store"),
        ("rewards.fare={unit='coins', legs={ferry=3}}", "rewards.fare"),
    ],
)
def test_what_moves_nothing(setting: str, name: str) -> None:
    """The counts agree to the last bit, and so the change is not among the items."""
    first, second = river(), river(setting)
    (change,) = list_changes(first, second)
    assert (change.name, change.effective) == (name, False)
    assert np.array_equal(means(first), means(second))
    assert attribute(first, second, draws=DRAWS).items == ()


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("transit.attempt_cap=2", "transit.attempt_cap"),
        ("exposure_years=1.0", "exposure_years"),
        ("event.multipliers.young.where={sex='w'}", "event.multipliers.young"),
        ("at_risk.expert.multipliers.valley.where={origin='highlands'}", "at_risk.expert.multipliers.valley"),
        ("parameters.again.index=[]", "again"),
        (GUARDS, "guard_factor"),
    ],
)
def test_what_moves_something(setting: str, name: str) -> None:
    first, second = river(), river(setting)
    (change,) = list_changes(first, second)
    assert (change.name, change.effective) == (name, True)
    assert not np.array_equal(means(first), means(second))
    (item,) = attribute(first, second, draws=DRAWS).items
    assert item.name == name


def test_population_of_another_table_under_the_same_name(tmp_path: Path) -> None:
    """Found by its content; the hybrid takes the table of the second scenario."""
    for name in ("river.toml", "river_sources.csv", "river_population.csv"):
        shutil.copy(RIVER.with_name(name), tmp_path)
    table = tmp_path / "river_population.csv"
    header, *lines = table.read_text().splitlines()
    place = header.split(",").index("persons")
    doubled = [line.split(",") for line in lines]
    for cells in doubled:
        cells[place] = str(2 * float(cells[place]))
    table.write_text("\n".join([header, *(",".join(cells) for cells in doubled)]) + "\n")
    first, second = river(CHECKS), load_scenario(tmp_path / "river.toml")
    facts = by_name(list_changes(first, second))["population"].facts
    assert facts["persons_after"] == pytest.approx(2.0 * facts["persons_before"])
    assert facts["largest_relative_change"] == pytest.approx(1.0)
    found = attribute(first, second, draws=DRAWS)
    assert [item.name for item in found.items] == ["population", "checked_on_ferry"]
    trafficked = found.figure("trafficked", "mean_log10")
    assert trafficked.shares[0].shapley.estimate == pytest.approx(math.log10(2.0), abs=1e-6)  # persons are rounded
    assert trafficked.shares[1].shapley.estimate == 0.0


# Hybrids ----------------------------------------------------------------------------------------------------------


def test_hybrids_are_the_scenarios_that_settings_make() -> None:
    first, second = river(), river(GUARDS, HAZARD, CHECKS)
    hybrids = Hybrids(first, second)
    items = find_items(hybrids, lambda scenario: None)
    assert {item.name for item in items} == {"guard_factor", "deception_hazard", "checked_on_ferry"}
    settings = {"guard_factor": GUARDS, "deception_hazard": HAZARD, "checked_on_ferry": CHECKS}
    for size in range(4):
        for chosen in itertools.combinations(items, size):
            direct = river(*(settings[item.name] for item in chosen))
            assert np.array_equal(means(hybrids.scenario(chosen)), means(direct))


def test_rules_that_cannot_stand_alone_are_merged() -> None:
    """A bridge needs its leg, its branch and its parameter, and the swim that goes needs the branch not to name it."""
    first, second = river(), load_scenario(BRIDGE)
    hybrids = Hybrids(first, second)
    items = {item.name: item for item in find_items(hybrids, lambda scenario: None)}
    merged = items.pop("transit.branches.landing.all + transit.legs.swim + transit.legs.bridge")
    assert merged.brings == ("checked_on_bridge",)
    assert "bridge" in merged.reason
    assert list(items) == ["guard_factor"]
    everything = hybrids.scenario([merged, *items.values()])
    np.testing.assert_allclose(means(everything), means(second), rtol=1e-12)


def test_different_strata_are_refused(phase1: Scenario) -> None:
    assert "highlands" in strata_apart(phase1, river())
    with pytest.raises(UserError, match=r"^phase1 and river have different strata \(origin COL.*\)$"):
        attribute(phase1, river(), draws=DRAWS)


# Shares -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three() -> Attribution:
    return attribute(river(), river(GUARDS, HAZARD, CHECKS), draws=DRAWS, seed=1)


def test_shares_sum_to_the_total_change(three: Attribution) -> None:
    assert len(three.figures) == 4 * len(OUTPUTS) - 2
    for figure in three.figures:
        total = sum(share.shapley.estimate for share in figure.shares)
        assert total == pytest.approx(figure.total.estimate, rel=1e-9, abs=1e-12)
        assert figure.total.estimate == pytest.approx(figure.second.estimate - figure.first.estimate, abs=1e-12)


def test_shares_are_averages_over_all_orders(three: Attribution) -> None:
    """Computed here from scenarios made with settings, order by order, with numpy's own means and medians."""
    settings = {"guard_factor": GUARDS, "deception_hazard": HAZARD, "checked_on_ferry": CHECKS}
    names = [item.name for item in three.items]
    number = [output.name for output in OUTPUTS].index("arrived")
    found = {
        chosen: means(river(*(settings[name] for name in chosen)))[number]
        for size in range(4)
        for chosen in itertools.combinations(sorted(names), size)
    }

    def value(chosen: tuple[str, ...], statistic: str) -> float:
        own = found[tuple(sorted(chosen))]
        own = np.log10(own) if "log10" in statistic else own
        return float(np.median(own) if "median" in statistic else own.mean())

    for statistic in ("mean", "median", "mean_log10", "median_log10"):
        figure = three.figure("arrived", statistic)
        for place, name in enumerate(names):
            steps = [
                value(order[: order.index(name) + 1], statistic) - value(order[: order.index(name)], statistic)
                for order in itertools.permutations(names)
            ]
            share = figure.shares[place]
            assert share.shapley.estimate == pytest.approx(np.mean(steps), rel=1e-9)
            assert share.alone.estimate == pytest.approx(value((name,), statistic) - value((), statistic))
            rest = tuple(other for other in names if other != name)
            assert share.last.estimate == pytest.approx(value(tuple(names), statistic) - value(rest, statistic))


def test_what_cannot_be_touched_is_exactly_zero(three: Attribution) -> None:
    """Guards and checks act after the event: nobody is trafficked because of them."""
    figure = three.figure("trafficked", "mean")
    shares = dict(zip([item.name for item in three.items], figure.shares, strict=True))
    for name in ("guard_factor", "checked_on_ferry"):
        assert (shares[name].shapley.estimate, shares[name].shapley.mcse) == (0.0, 0.0)
    assert shares["deception_hazard"].shapley.estimate > 10.0 * shares["deception_hazard"].shapley.mcse


def test_drawn_orders_sum_to_the_total_and_agree(monkeypatch: pytest.MonkeyPatch, three: Attribution) -> None:
    """All 8 hybrids are met either way, so only the averaging differs: within 4.5 errors of the orders."""
    monkeypatch.setattr(attribution, "MOST_EXACT", 2)
    drawn = attribute(river(), river(GUARDS, HAZARD, CHECKS), draws=DRAWS, seed=1, permutations=40)
    assert drawn.permutations == 40
    for figure, exact in zip(drawn.figures, three.figures, strict=True):
        total = sum(share.shapley.estimate for share in figure.shares)
        assert total == pytest.approx(figure.total.estimate, rel=1e-9, abs=1e-12)
        for share, known in zip(figure.shares, exact.shares, strict=True):
            apart = abs(share.shapley.estimate - known.shapley.estimate)
            assert apart <= 4.5 * share.sampling_error + 1e-9 * abs(figure.first.estimate)
    interacting = drawn.figure("arrived", "mean").shares[0]
    assert 0.0 < interacting.sampling_error < abs(interacting.shapley.estimate)


def test_more_items_than_can_be_computed_in_all_orders() -> None:
    names = ("share_women", "valley_multiplier", "deception_hazard", "young_factor", "drought_sd")
    factors = {"valley_multiplier": "gsd=1.4", "deception_hazard": "q95=0.2", "young_factor": "max=2.5"}
    settings = [f"parameters.{name}.distribution.{factors[name]}" for name in names if name in factors]
    settings += ["parameters.share_women.distribution.max=0.12", "parameters.drought_sd.distribution.scale=0.4"]
    settings += ["parameters.wariness.distribution.sd=0.3", "parameters.again.distribution.alpha=5"]
    settings += [CHECKS, GUARDS]
    found = attribute(river(), river(*settings), draws=20, permutations=4)
    assert (len(found.items), found.permutations) == (9, 4)
    figure = found.figure("arrived", "mean")
    assert sum(share.shapley.estimate for share in figure.shares) == pytest.approx(figure.total.estimate, rel=1e-9)


def test_errors_are_those_of_repeated_draws() -> None:
    """Over 40 seeds the shares scatter as their errors say, for means and for medians."""
    first, second = river(), river(GUARDS, HAZARD)
    runs = [attribute(first, second, draws=400, seed=seed) for seed in range(40)]
    low, high = chi2.ppf([5e-7, 1.0 - 5e-7], 39) / 39
    for output, statistic, place in itertools.product(("arrived", "arrival_fraction"), ("mean", "median"), range(2)):
        shares = [run.figure(output, statistic).shares[place].shapley for run in runs]
        scatter = np.var([share.estimate for share in shares], ddof=1)
        stated = np.mean([share.mcse**2 for share in shares])
        assert low < scatter / stated < high, (output, statistic, place)


def test_pairing_makes_the_change_more_certain(three: Attribution) -> None:
    """On the same draws; the errors of the two scenarios alone would be those of independent runs."""
    figure = three.figure("arrived", "mean_log10")
    assert figure.total.mcse < 0.5 * math.hypot(figure.first.mcse, figure.second.mcse)


def test_too_many_draws_are_refused() -> None:
    with pytest.raises(UserError, match=r"^draws = 100000000: 2 hybrids of 1 items need 6.0 GiB, limit 1 GiB"):
        attribute(river(), river(GUARDS), draws=100_000_000)


# The verb ---------------------------------------------------------------------------------------------------------


def test_verb_prints_lists_and_shares() -> None:
    result = runner.invoke(app, [str(RIVER), str(BRIDGE), "--draws", "50"])
    assert result.exit_code == 0, result.output
    assert "fixed(value=1)" in result.stdout
    assert "they cannot stand alone" in result.stdout
    assert "with the new parameters checked_on_bridge" in result.stdout
    assert "not estimates of prevalence" in result.stdout


def test_verb_as_json() -> None:
    result = runner.invoke(app, [str(RIVER), str(BRIDGE), "--draws", "50", "--json", "--seed", "3"])
    content = json.loads(result.stdout)
    assert content["attribution"]["seed"] == 3
    assert content["attribution_refused"] is None
    figure = content["attribution"]["figures"][0]
    assert figure["output"] == "trafficked"
    assert len(figure["shares"]) == len(content["attribution"]["items"]) == 2


def test_unrelated_scenarios_are_listed() -> None:
    """Listed and refused in one line; the exit code is that of success."""
    result = runner.invoke(app, ["phase1", str(RIVER)])
    assert result.exit_code == 0, result.output
    refusals = [line for line in result.stdout.splitlines() if line.startswith("attribution not made: ")]
    assert len(refusals) == 1
    assert "strata.origin.highlands" in result.stdout


def test_waterfall_is_drawn(tmp_path: Path) -> None:
    target = tmp_path / "steps.png"
    result = runner.invoke(app, [str(RIVER), str(BRIDGE), "--draws", "50", "--figure", str(target)])
    assert result.exit_code == 0, result.output
    assert target.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--draws", "1"], "--draws 1: must be a whole number from 2 to 100000"),
        (["--seed", "x"], "--seed x: must be a whole number from 0"),
        (["--permutations", "0"], "--permutations 0: must be a whole number from 2"),
        (["--figure", "steps.gif"], "--figure steps.gif: must end in one of .png, .pdf, .svg"),
        (["--figure", "nowhere/steps.png"], "--figure nowhere/steps.png: there is no folder 'nowhere'"),
        (["--figure", "steps.png", "--list"], "--figure steps.png: --list computes nothing that could be drawn"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str) -> None:
    result = runner.invoke(app, [str(RIVER), str(BRIDGE), *arguments])
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(message)
    assert "\n" not in str(result.exception)


def test_nothing_to_draw(tmp_path: Path) -> None:
    result = runner.invoke(app, [str(RIVER), str(RIVER), "--figure", str(tmp_path / "steps.png")])
    assert isinstance(result.exception, UserError)
    assert "nothing that can move a count differs" in str(result.exception)
    assert not (tmp_path / "steps.png").exists()
