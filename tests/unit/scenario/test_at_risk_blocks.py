"""Tables of the shipped at-risk models: every mistake is one line that names file, line, key, value and limit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from simcore.errors import ScenarioError
from simcore.scenario import load_scenario, scenario_from_embedded
from simcore.scenario.provenance import to_json

WHICH = "parameters.at_risk_model.distribution"
PANEL = "parameters.covariate_panel.distribution"
WEIGHTS = "parameters.index_weights.distribution"
MEAN = "parameters.at_risk_mean_sexual"
VICTIMS = "parameters.victim_profile_labor.distribution"
GROUP = "at_risk.profile.groups.girls"


def refused(name: str | Path, *settings: str) -> str:
    """Return the message with which a scenario is refused."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario(name, settings=settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


MISTAKES = [
    ("mixed", f"{WHICH}={{family='categorical',weights={{shares=1,indx=1}}}}",
     f"{WHICH}.weights.indx: unknown at-risk model 'indx'; did you mean 'index'? (used in at_risk.mixed.choice)"),
    ("mixed", f"{WHICH}={{family='categorical',weights={{shares=1,profile=1}}}}",
     "at_risk.profile: missing table [at_risk.profile]: it is a category of 'at_risk_model'"),
    ("mixed", f"{WHICH}={{family='categorical',weights={{shares=1,mixed=1}}}}",
     f"{WHICH}.weights.mixed: a mixture cannot be a member of itself"),
    ("mixed", f"{WHICH}={{family='discrete_uniform',min=0,max=2}}",
     "'at_risk_model' must be categorical, with at-risk models as its categories; it is discrete_uniform"),
    ("mixed", "at_risk.mixed.choice='weak_tie_share'",
     "at_risk.mixed.choice: 'weak_tie_share' must be categorical"),
    ("mixed", "at_risk.mixed.choice='at_risk_modl'",
     "at_risk.mixed.choice: unknown parameter 'at_risk_modl'; did you mean 'at_risk_model'?"),
    ("mixed", "parameters.at_risk_model.index=['origin']",
     "at_risk.mixed.choice: 'at_risk_model' is indexed by 'origin', which has no single level here"),
    ("mixed", "at_risk.shares.factors.male_labor.factor='at_risk_factor_mal_labor'",
     "at_risk.shares.factors.male_labor.factor: unknown parameter 'at_risk_factor_mal_labor'; did you mean"),
    ("mixed", "at_risk.index.offsets.minor.where={age_band='minr'}",
     "at_risk.index.offsets.minor.where.age_band: unknown age_band 'minr'; did you mean 'minor'?"),
    ("index", f"{WEIGHTS}={{family='dirichlet',alpha={{poverty=1,gni=1}}}}",
     f"{WEIGHTS}.alpha.gni: unknown covariate 'gni'; did you mean 'gini'? (used in at_risk.index.weights)"),
    ("index", f"{WEIGHTS}={{family='dirichlet',alpha={{poverty=1,gini=1}}}}",
     f"{WEIGHTS}.alpha.gdp_per_head: missing key (needed in at_risk.index.weights)"),
    ("index", f"{WEIGHTS}={{family='fixed',value=1}}",
     "at_risk.index.weights: 'index_weights' is one number (fixed), but shares are needed here"),
    ("index", f"{PANEL}={{family='discrete_uniform',min=1,max=25}}",
     f"{PANEL}.max: must be 20: the covariates have 20 completed panels; got 25 (used in at_risk.index.panel)"),
    ("index", f"{PANEL}={{family='discrete_uniform',min=0,max=19}}",
     f"{PANEL}.min: must be 1: the covariates have 20 completed panels; got 0 (used in at_risk.index.panel)"),
    ("index", f"{PANEL}={{family='categorical',weights={{a=1,b=1}}}}",
     f"{PANEL}.weights: must have a category per completed panel (20), got 2"),
    ("index", f"{PANEL}={{family='uniform',min=1,max=20}}",
     "at_risk.index.panel: 'covariate_panel' is a quantity (uniform), but a choice"),
    ("index", f"{MEAN}.distribution={{family='fixed',value=0}}",
     f"{MEAN}.distribution.value: a mean share must be between 0 and 1, got 0 (used in at_risk.index.anchors.sexual)"),
    ("index", f"{MEAN}.distribution={{family='fixed',value=1.0}}", "a mean share must be between 0 and 1, got 1 "),
    ("index", f"{MEAN}.distribution={{family='pert',min=0.1,mode=0.5,max=1.5}}",
     f"{MEAN}.distribution.max: a mean share must be between 0 and 1, got 1.5"),
    ("index", f"{MEAN}.distribution={{family='uniform',min=-0.1,max=0.5}}",
     f"{MEAN}.distribution.min: a mean share must be between 0 and 1, got -0.1"),
    ("index", f"{MEAN}.index=['origin']",
     "at_risk.index.anchors.sexual: 'at_risk_mean_sexual' is indexed by 'origin', which has no single level here"),
    ("index", "at_risk.index.anchors.sexul='at_risk_mean_sexual'",
     "at_risk.index.anchors.sexul: unknown exploitation 'sexul'; did you mean 'sexual'?"),
    ("index", "at_risk.index.origin_sdd='x'", "at_risk.index.origin_sdd: unknown key; did you mean 'origin_sd'?"),
    ("index", "parameters.index_slope.distribution={family='normal',mean=0,sd=1}",
     "a factor must be 0 or more, but this normal reaches -inf (used in at_risk.index.slope); add `lower = 0`"),
    ("shares", "at_risk.shares.circumstances.poverty.COL.where={origin='ECU'}",
     "at_risk.shares.circumstances.poverty: no rule for origin = 'COL', and none without 'where'"),
    ("shares", "at_risk.shares.circumstances.poverty='poverty_share_COl'",
     "unknown parameter 'poverty_share_COl'; did you mean 'poverty_share_COL'?"),
    ("shares", "at_risk.shares.circumstances.weak_tie.all.parameter='at_risk_factor_male_labor'",
     "a probability must be from 0 to 1, got 1.95 (used in at_risk.shares.circumstances.weak_tie.all.parameter)"),
    ("profile", f"{GROUP}.where={{sex='female',age_band='0-11'}}",
     "at_risk.profile.groups: no rule for sex = 'female', age_band = '12-17', and none without 'where'"),
    ("profile", "at_risk.profile.groups.infants={where={sex='female',age_band='0-11'}}",
     "at_risk.profile.groups.infants: selects no stratum at risk: its share of the victims would come from nobody"),
    ("profile", "at_risk.profile.groups.boys.where.exploitation=['sexual','labor']",
     "at_risk.profile.groups.boys.where.exploitation: groups are of persons, not of events"),
    ("profile", f"{VICTIMS}={{family='fixed_shares',shares={{women=0.5,girls=0.2,men=0.3}}}}",
     f"{VICTIMS}.shares.boys: missing key (needed in at_risk.profile.profiles.labor)"),
    ("profile", "at_risk.profile.profiles.labour='victim_profile_labor'",
     "at_risk.profile.profiles.labour: unknown exploitation 'labour'; did you mean 'labor'?"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "setting", "message"), MISTAKES)
def test_mistakes_are_one_line(name: str, setting: str, message: str) -> None:
    assert message in refused(f"phase1_{name}", setting)


def test_correlation_has_limits() -> None:
    law = "distribution={family='uniform',min=-0.2,max=0.5},unit='1',grade='illustrative'"
    message = refused("phase1_shares", f"parameters.r={{{law}}}", "at_risk.shares.correlation='r'")
    assert "r.distribution.min: a correlation must be from 0 to 1, got -0.2 (used in at_risk.shares.corr" in message


def test_chosen_model_without_its_table() -> None:
    message = refused("phase1", "at_risk.model='index'")
    assert re.search(r"phase1\.toml:\d+: at_risk\.index\.weights: missing key", message)
    assert "unknown at-risk model 'indx'; did you mean 'index'?" in refused("phase1", "at_risk.model='indx'")


def patch(folder: Path, text: str) -> Path:
    path = folder / "patch.toml"
    path.write_text(f'schema_version = 1\nname = "patch"\ntitle = "A patch"\n{text}')
    return path


def test_several_panels_need_a_parameter_that_says_which(tmp_path: Path) -> None:
    path = patch(tmp_path, 'base = "phase1_index"\nremove = ["at_risk.index.panel", "parameters.covariate_panel"]\n')
    message = refused(path)
    assert re.search(r"patch\.toml: at_risk\.index\.panel: missing key: the covariates have 20 completed pan", message)


def test_one_half_of_the_effect_of_the_origin(tmp_path: Path) -> None:
    path = patch(
        tmp_path, 'base = "phase1_index"\nremove = ["at_risk.index.origin_sd", "parameters.index_origin_sd"]\n'
    )
    assert "at_risk.index.origin_sd: missing key: it goes with origin_score" in refused(path)


INDEX = """
[at_risk]
model = "index"
[at_risk.index]
weights = "w"
slope = "one"
anchors = { farm = "share_women" }
[parameters.one]
distribution = { family = "fixed", value = 1.0 }
unit = "1"
grade = "illustrative"
[parameters.w]
distribution = { family = "fixed_shares", shares = { poverty = 1.0 } }
unit = "1"
grade = "illustrative"
"""
COVARIATES = """
[covariates]
table = "covariates.csv"
variables = { poverty = { sign = 1 } }
"""


def test_index_without_covariates(river_copy: Path) -> None:
    message = refused(patch(river_copy.parent, f'base = "river.toml"\n{INDEX}'))
    assert re.search(
        r"patch\.toml:\d+: at_risk\.index: needs the table \[covariates\], which this scenario does not", message
    )


@pytest.mark.parametrize(("second", "fault"), [(0.4, None), (0.3, "has the same value in every origin, so it cannot")])
def test_a_covariate_must_tell_origins_apart(river_copy: Path, second: float, fault: str | None) -> None:
    rows = [
        f"{origin},poverty,2011,{value},share,census" for origin, value in (("highlands", 0.3), ("low lands", second))
    ]
    header = "origin,covariate,year,value,unit,source_id"
    (river_copy.parent / "covariates.csv").write_text("\n".join([header, *rows]) + "\n")
    path = patch(river_copy.parent, f'base = "river.toml"\n{INDEX}{COVARIATES}')
    if fault is None:
        assert load_scenario(path).covariates is not None
    else:
        assert re.search(rf"patch\.toml:\d+: covariates\.variables\.poverty: {fault}", refused(path))


def test_mixtures_of_mixtures_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simcore.source_zone.mixed.members_of", lambda model, block, scenario: ("expert",))
    assert "'shares' is a mixture itself: only models with shares of their own can be mixed" in refused("phase1_mixed")


@pytest.mark.parametrize("name", ["phase1_mixed", "phase1_shares", "phase1_index", "phase1_profile"])
def test_what_a_results_file_holds_is_the_whole_scenario(name: str) -> None:
    scenario = load_scenario(name)
    again = scenario_from_embedded(to_json(scenario.resolved), scenario.tables)
    assert again.digest == scenario.digest
    assert again.at_risk_blocks == scenario.at_risk_blocks
    assert again.at_risk_in_use.keys() == scenario.at_risk_in_use.keys()


def test_only_tables_in_use_are_checked_against_the_scenario(spoil: Callable[[str, str], Path]) -> None:
    """A table of a model that is not in use may name parameters that are not there; one in use may not."""
    path = spoil("[event.hazards.all]", "[at_risk.shares.circumstances]\na = 'nowhere'\n\n[event.hazards.all]")
    assert load_scenario(path).at_risk_in_use.keys() == {"expert"}
    assert "at_risk.shares.circumstances.a: unknown parameter 'nowhere'" in refused(path, "at_risk.model='shares'")
