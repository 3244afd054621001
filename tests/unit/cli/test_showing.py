"""`simcore show`: what it prints of a resolved scenario; figures of an invented corridor are worked out apart."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

import simcore as api

from .conftest import TINY, Call

RIVER = str(Path(__file__).parents[2] / "scenarios" / "river.toml")
LEVELS = (0.05, 0.5, 0.95)


def as_json(simcore: Call, *arguments: str) -> Any:
    """Call with --json; nothing but data may be on stdout, and nothing on stderr."""
    done = simcore(*arguments, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return json.loads(done.stdout)


def parameters(simcore: Call, *arguments: str) -> dict[str, Any]:
    return {row["name"]: row for row in as_json(simcore, "show", RIVER, *arguments)["parameters"]}


def test_everything_is_there(simcore: Call) -> None:
    shown = as_json(simcore, "show", TINY)
    scenario = api.load_scenario(TINY)
    assert shown["digest"] == scenario.digest
    assert [leg["leg"] for leg in shown["legs"]] == list(scenario.levels("leg"))
    assert [row["name"] for row in shown["parameters"]] == list(scenario.document.parameters)
    assert sum(shown["grades"].values()) == len(shown["parameters"])
    assert shown["resolved"] == json.loads(json.dumps(scenario.resolved))
    assert shown["persons"] == scenario.population.sum()
    text = simcore("show", TINY).stdout
    for word in (*scenario.levels("leg"), *scenario.document.parameters, scenario.document.definition, "Grades: "):
        assert word in text


def test_settings_apply(simcore: Call) -> None:
    shown = as_json(simcore, "show", TINY, "--set", "transit.attempt_cap=7", "--set", 'title="Another"')
    assert shown["resolved"]["transit"]["attempt_cap"] == 7
    assert shown["title"] == "Another"


def test_what_cannot_be_drawn_from_has_no_quantiles(simcore: Call) -> None:
    cut = "parameters.deception_hazard.distribution={family='lognormal', q05=0.01, q95=0.1, lower=1e6}"
    refused = simcore("show", RIVER, "--set", cut)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert "parameters.deception_hazard.distribution: distribution lognormal: lower = 1000000.0" in refused.stderr


def test_nothing_is_taken_for_markup(simcore: Call) -> None:
    text = simcore("show", TINY, "--set", 'title="[bold]a[/] [COL,sexual] :smile:"').stdout
    assert "[bold]a[/] [COL,sexual] :smile:" in text


QUANTILES = {
    "deception_hazard": [0.01, (0.01 * 0.10) ** 0.5, 0.10],  # declared by its 5 and 95 % quantiles
    "young_factor": [0.575, 1.25, 1.925],
    "guard_factor": [1.0, 1.0, 1.0],
    "wariness": list(stats.norm(0, 0.2).ppf(LEVELS)),
    "drought_sd": list(stats.norm(0, 0.3).ppf([0.525, 0.75, 0.975])),  # the upper half of a normal
    "again": list(stats.beta(6, 4).ppf(LEVELS)),
    "ferry_share": list(stats.beta(7, 3).ppf(LEVELS)),
    "share_men": list(stats.triang(0.4, 0.0, 0.05).ppf(LEVELS)),
    "share_women": list(stats.beta(1 + 4 * 3 / 9, 1 + 4 * 6 / 9, 0.01, 0.09).ppf(LEVELS)),
}


@pytest.mark.parametrize("name", QUANTILES)
def test_quantiles(simcore: Call, name: str) -> None:
    (row,) = parameters(simcore)[name]["quantiles"]
    assert row["component"] is None
    assert [row["q05"], row["q50"], row["q95"]] == pytest.approx(QUANTILES[name], rel=1e-9, abs=1e-12)


def test_quantiles_of_shares(simcore: Call) -> None:
    # a share of a Dirichlet alone is a beta
    rows = {row["component"]: row for row in parameters(simcore)["swim_split"]["quantiles"]}
    for component, weight in {"CONTINUE": 12, "turned back": 6, "drowned": 2}.items():
        expected = stats.beta(weight, 20 - weight).ppf(LEVELS)
        assert [rows[component][key] for key in ("q05", "q50", "q95")] == pytest.approx(list(expected), rel=1e-9)


def test_a_choice_has_no_quantiles(simcore: Call) -> None:
    choice = "parameters.which={distribution={family='categorical',weights={a=1,b=3}},unit='choice',grade='elicited'}"
    row = parameters(simcore, "--set", choice)["which"]
    assert row["quantiles"] == []
    assert row["distribution"] == "categorical(weights={a 1, b 3})"


def test_who_carries_a_parameter(simcore: Call) -> None:
    rows = parameters(simcore)
    assert rows["deception_hazard"]["used_by"] == ["event hazard all"]
    assert rows["guard_factor"]["used_by"] == ["modifier guards"]
    assert rows["drowned"]["used_by"] == ["leg ferry: drowned"]
    assert rows["drowned"]["elements"] == ["drowned[ferry]"]
    assert rows["again"]["elements"] == ["again[highlands]", "again[low lands]"]
    assert (rows["swim_split"]["scalars"], rows["guard_factor"]["fixed"]) == (3, True)


def test_truncation_comes_last(simcore: Call) -> None:
    assert parameters(simcore)["drowned"]["distribution"] == "lognormal(q05=0.0001, q95=0.01, upper=1)"


def test_sections_follow_the_way(simcore: Call) -> None:
    text = simcore("show", RIVER).stdout
    places = [text.index(f"\n{title}\n") for title in ("Population", "At risk", "Trafficked", "Destination", "Transit")]
    assert places == sorted(places)
    at_risk = text[places[1] : places[2]]
    assert "share_women" in at_risk
    assert "deception_hazard" not in at_risk
    assert re.search(r"deception_hazard +0\.0100 +0\.0316 +0\.100 +illustrative", text[places[2] :])
    assert "in: event hazard all" in text


def test_unused_parameters_have_a_section(simcore: Call) -> None:
    spare = "parameters.spare={distribution={family='fixed',value=1.0},unit='ratio',grade='illustrative'}"
    text = simcore("show", RIVER, "--set", spare).stdout
    assert "\nUsed by nothing\n" in text
    assert parameters(simcore, "--set", spare)["spare"]["stage"] is None


def test_rewards_are_shown(simcore: Call) -> None:
    reward = "rewards.hours={unit='hours', legs={road={mean=5.0, cv=0.5}, ferry=1, swim=1}, reattempt=2}"
    shown = as_json(simcore, "show", RIVER, "--set", reward)
    assert shown["rewards"][0]["amounts"] == [
        {"of": "legs road", "mean": 5.0, "cv": 0.5},
        {"of": "legs ferry", "mean": 1.0, "cv": None},
        {"of": "legs swim", "mean": 1.0, "cv": None},
        {"of": "reattempt", "mean": 2.0, "cv": None},
    ]
    text = simcore("show", RIVER, "--set", reward).stdout
    assert re.search(r"hours +hours +1\.00 +legs ferry, legs swim\n", text)
    assert re.search(r"hours +hours +5\.00, cv 0\.500 +legs road\n", text)
    assert "Rewards" not in simcore("show", RIVER).stdout


def test_dependence_is_shown(simcore: Call) -> None:
    tied = "dependence.sexes={parameters=['share_women','share_men'],spearman=0.5}"
    shown = as_json(simcore, "show", RIVER, "--set", tied)
    (pair,) = shown["dependence"]
    assert (pair["first"], pair["second"], pair["asked"], pair["stated"]) == ("share_women", "share_men", 0.5, True)
    assert pair["got"] == pytest.approx(0.5, abs=1e-9)
    assert re.search(r"share_women +share_men +0\.500 +0\.500\n", simcore("show", RIVER, "--set", tied).stdout)
    assert "Dependence" not in simcore("show", RIVER).stdout


def test_covariates_are_shown_with_missing_cells(simcore: Call) -> None:
    cells = {row["name"]: row["cells"] for row in as_json(simcore, "show", "phase1")["covariates"]}
    missing = [(name, cell["origin"]) for name, row in cells.items() for cell in row if cell["imputed"]]
    assert missing == [("homicide", "PER")]
    assert all(cell["value"] is None for row in cells.values() for cell in row if cell["imputed"])
    text = simcore("show", "phase1").stdout
    assert "-- missing: 1 of 96 cells, filled in by 20 completed panels" in text
    assert "taken by the at-risk model in use: none of them" in text
    index = simcore("show", "phase1_index").stdout
    assert "taken by the at-risk model" not in index
    assert "prior only" in index  # what the model says of itself


class TestOneParameter:
    """`--parameter NAME`."""

    def test_card(self, simcore: Call) -> None:
        text = simcore("show", RIVER, "--parameter", "again").stdout
        for words in ("beta(alpha=6, beta=4)", "again[highlands], again[low lands]", "re-attempt all, after attempt 1"):
            assert words in text
        assert re.search(r"again +0\.3449 +0\.6069 +0\.8312", text)

    def test_titles_of_sources_and_the_note(self, simcore: Call) -> None:
        assert (
            "ledger: Ledger of the ferry, with remarks" in simcore("show", RIVER, "--parameter", "ferry_share").stdout
        )
        assert "Asked of nobody: invented." in simcore("show", RIVER, "--parameter", "way_out").stdout

    def test_an_element_finds_its_parameter(self, simcore: Call) -> None:
        assert as_json(simcore, "show", RIVER, "--parameter", "again[highlands]")["name"] == "again"

    def test_fit(self, simcore: Call) -> None:
        declared = "parameters.deception_hazard.distribution={family='lognormal',quantiles={q05=0.01,q50=0.03,q95=0.2}}"
        (fit,) = as_json(simcore, "show", RIVER, "--set", declared, "--parameter", "deception_hazard")["fits"]
        assert fit["family"] == "lognormal"
        assert [one["asked"] for one in fit["quantiles"]] == [0.01, 0.03, 0.2]
        assert fit["largest_residual"] == pytest.approx(max(abs(one["residual"]) for one in fit["quantiles"]))
        assert fit["largest_residual"] > 0.05  # log-symmetry is asked to bend
        text = simcore("show", RIVER, "--set", declared, "--parameter", "deception_hazard").stdout
        assert re.search(r"quantile +asked +given +residual", text)
        assert "fitted to quantiles, largest residual" in simcore("show", RIVER, "--set", declared).stdout

    def test_unknown(self, simcore: Call) -> None:
        done = simcore("show", RIVER, "--parameter", "agian")
        assert done.exit_code == 2
        assert done.stderr == "error: --parameter agian: unknown parameter; did you mean 'again'?\n"


class Terminal(io.StringIO):
    """A terminal that remembers what was printed."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", [RIVER, "phase1", "phase1_index"])
def test_eighty_columns(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from simcore.cli.showing import show_verb

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    show_verb(name)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert max(len(line) for line in plain.splitlines()) <= 80
    heads = [line for line in plain.splitlines() if line.rstrip().endswith("illustrative") and "Grades" not in line]
    assert len(heads) >= 10, "name, quantiles and grade fit on one line"
