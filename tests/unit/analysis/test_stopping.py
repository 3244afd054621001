"""Rules as text, running figures against those of `summary`, and what a rule makes of zeros."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.convergence_running import RunningMean, RunningQuantile
from analysis.monte_carlo_error import binomial_ranks
from analysis.stopping import Rule, read_stopping_rule
from simcore.cli.program import app
from simcore.errors import UserError
from simcore.runner.stopping import StoppingRule

from .funnel_samples import LAYOUT, SCENARIO, make_counts, measure_column, write

TINY = str(Path(__file__).parents[3] / "simcore" / "verification" / "fixtures" / "tiny.toml")
LABELS = {dimension.name: dimension.labels for dimension in LAYOUT.dimensions}


def rule(*texts: str) -> Rule:
    import json

    return read_stopping_rule(texts, LABELS, {"scenario.json": json.dumps(SCENARIO)})


def totals(values: list[int]) -> dict[str, Any]:
    """Counts of a block in which so many were trafficked; of these all were bound and arrived but one in three."""
    victims = np.array(values, dtype=np.int64)
    arrived = victims - victims // 3
    return {
        "victims": victims,
        "destination": np.stack([victims, 0 * victims], axis=-1),
        "outcome": np.stack([arrived, victims - arrived, 0 * victims], axis=-1),
    }


# Running figures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.95, 0.975])
@pytest.mark.parametrize("shape", ["lognormal", "zeros", "ties", "missing"])
def test_running_figures_are_those_of_summary(probability: float, shape: str) -> None:
    """The same bits as `measure`, however often and late the window was narrowed."""
    draw = np.random.default_rng(11)
    values = np.floor(np.exp(draw.normal(7.0, 1.5, 60_000)))
    if shape == "zeros":
        values[draw.random(60_000) < 0.3] = 0.0
    elif shape == "ties":
        values = draw.poisson(3.0, 60_000).astype(np.float64)
    elif shape == "missing":
        values = values / 7.0
        values[draw.random(60_000) < 0.1] = np.nan
    found = measure_column(values, [probability])
    running, mean = RunningQuantile(probability, most_values=4000), RunningMean()
    for first in range(0, len(values), 1000):
        running.add(values[first : first + 1000])
        mean.add(values[first : first + 1000])
    assert running.figure() == (found.quantile[0, 0], found.quantile_error[0, 0])
    assert mean.figure() == pytest.approx((found.mean[0], found.mean_error[0]), rel=1e-12)


def test_a_window_stays_small() -> None:
    """400,000 distinct values, of which a window keeps those near the quantile and the last ones that came."""
    draw = np.random.default_rng(12)
    running = RunningQuantile(0.95, most_values=5000)
    pieces = [draw.random(4096) for _ in range(100)]
    for piece in pieces:
        running.add(piece)
        held = len(running._values) + sum(len(pending) for pending in running._pending)
        assert held <= 2 * 5000 + 4096
    assert running.figure()[0] == np.quantile(np.concatenate(pieces), 0.95)


def test_a_rank_outside_the_window_is_missing_not_wrong() -> None:
    """Values that drift away from the window leave no figure."""
    running = RunningQuantile(0.5, most_values=100)
    running.add(np.arange(1000.0))
    running.add(np.arange(5000.0) - 10_000.0)
    assert all(math.isnan(figure) for figure in running.figure())


def test_few_values_have_no_error() -> None:
    assert binomial_ranks(20, 0.95) is None
    running = RunningQuantile(0.95)
    running.add(np.arange(20.0))
    estimate, error = running.figure()
    assert estimate == pytest.approx(18.05)
    assert math.isnan(error)
    assert all(math.isnan(figure) for figure in RunningMean().figure())


# Rules ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("arrived.q95 mcse<=1%", "arrived.q95 mcse<=1%"),
        ("  arrivals.q95   mcse <= 1.50 %", "arrived.q95 mcse<=1.5%"),
        ("victims.mean mcse<=2.5", "trafficked.mean mcse<=2.5"),
        ("reached[LINE].median mcse<=1e-1%", "reached[LINE].median mcse<=0.1%"),
        ("outcome[IN].q2.5 mcse<=3", "arrived.q2.5 mcse<=3"),
        ("arrival_fraction.q5 mcse<=0.01", "arrival_fraction.q5 mcse<=0.01"),
    ],
)
def test_rules_that_read(text: str, canonical: str) -> None:
    read = rule(text)
    assert read.rules == (canonical,)
    assert isinstance(read, StoppingRule)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arived.q95 mcse<=1%", ["no such quantity 'arived'", "'arrived'"]),
        ("arrived.medain mcse<=1%", ["no such statistic 'medain'", "'median'"]),
        ("arrived.q00 mcse<=1%", ["no such statistic 'q00'"]),
        ("arrived.q100 mcse<=1%", ["no such statistic 'q100'"]),
        ("arrived mcse<=1%", ["must read QUANTITY.STATISTIC"]),
        ("arrived.q95 mcse<1%", ["must read QUANTITY.STATISTIC"]),
        ("arrived.q95 sd<=1%", ["must read QUANTITY.STATISTIC"]),
        ("arrived.q95 mcse<=0%", ["target 0%", "above 0"]),
        ("arrived.q95 mcse<=-1", ["target -1", "above 0"]),
        ("arrived.q95 mcse<=nan", ["target nan", "above 0"]),
        ("arrived.q95 mcse<=inf%", ["target inf%", "above 0"]),
        ("arrived.q95 mcse<=many", ["target many", "above 0"]),
        ("reached.q95 mcse<=1%", ["stands for several", "reached[START]"]),
        ("", ["must read QUANTITY.STATISTIC"]),
    ],
)
def test_rules_that_do_not(text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as refusal:
        rule(text)
    message = str(refusal.value)
    assert "\n" not in message
    assert message.startswith(f"until '{text}': ")
    for word in words:
        assert word in message


def test_a_rule_holds_when_all_its_conditions_do() -> None:
    both = rule("trafficked.mean mcse<=1", "trafficked.mean mcse<=0.1")
    draw = np.random.default_rng(5)
    both.update(totals(draw.poisson(100.0, 400).tolist()))
    assert both.conditions[0].met()
    assert not both.met()
    both.update(totals(draw.poisson(100.0, 20_000).tolist()))
    assert both.met()
    (estimate, error), again = both.achieved()
    assert (estimate, error) == again
    assert error == pytest.approx(10.0 / math.sqrt(20_400), rel=0.05)
    assert "trafficked.mean mcse 0.0" in both.standing()


def test_zero_meets_no_relative_target() -> None:
    """A quantile of 0 with an error of 0 is no precision; an absolute target may be met by it."""
    relative, absolute = rule("trafficked.q05 mcse<=10%"), rule("trafficked.q05 mcse<=1")
    for each in (relative, absolute):
        each.update(totals([0] * 5000))
    assert not relative.met()
    assert absolute.met()
    assert relative.achieved() == [(0.0, 0.0)]
    assert relative.standing() == "trafficked.q05 is 0"


def test_no_error_meets_no_target() -> None:
    """Twenty values do not bound their 95 % quantile; ratios without a denominator have no values at all."""
    few, none = rule("trafficked.q95 mcse<=1e9"), rule("arrival_fraction.mean mcse<=1")
    few.update(totals(list(range(20))))
    none.update(totals([0] * 50))
    assert not few.met()
    assert not none.met()
    assert math.isnan(none.achieved()[0][0])


def test_a_rule_asks_for_the_counts_that_it_needs() -> None:
    counts = make_counts(3000)
    with write(counts) as results:
        asked = rule("arrival_fraction.median mcse<=1%", "interceptions.mean mcse<=1%")
        assert set(asked.variables) == {"outcome", "destination", "attempts"}
        asked.update({name: results.read(name) for name in asked.variables})
        import analysis

        summary = analysis.summarize(results, quantities=["arrival_fraction", "interceptions"])
    asked.met()
    (ratio, ratio_error), (mean, mean_error) = asked.achieved()
    assert (ratio, ratio_error) == (summary["arrival_fraction"].estimate, summary["arrival_fraction"].mcse)
    own = summary["interceptions"].mean
    assert (mean, mean_error) == pytest.approx((own.estimate, own.mcse), rel=1e-12)


# Command line ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-n", "900", "--until", "arived.q95 mcse<=1%"], ["--until", "'arived'", "'arrived'"]),
        (["-n", "900", "--until", "arrived.q95 mcse<=0"], ["--until", "target 0", "above 0"]),
        (["-n", "900", "--until", "arrived"], ["--until", "must read"]),
        (["-n", "900", "--until", "arrived.mean mcse<=1", "--until-minimum", "901"], ["--until-minimum 901", "-n 900"]),
        (["-n", "900", "--until-minimum", "5"], ["--until-minimum 5", "give --until too"]),
        (["--nested", "3x5", "--until", "arrived.mean mcse<=1"], ["--until", "--nested 3x5"]),
    ],
)
def test_mistakes_at_the_command_line(
    arguments: list[str], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, exit code 2, nothing written."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", TINY, *arguments])
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_says_why_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    rules = ["--until", "trafficked.mean mcse<=1%", "--until", "trafficked.q95 mcse<=5", "--until-minimum", "4096"]
    done = CliRunner().invoke(app, ["run", TINY, "-n", "20000", *rules, "-o", str(path), "-s", "3"])
    assert done.exit_code == 0, done.stderr
    assert "target met at 4,096 of at most 20,000 replicates" in done.stderr
    assert "trafficked.q95 mcse<=5: estimate" in done.stderr
    told = CliRunner().invoke(app, ["info", str(path)]).stdout
    for words in ("trafficked.mean mcse<=1%, trafficked.q95 mcse<=5", "target met", "until_maximum", "20,000"):
        assert words in told
