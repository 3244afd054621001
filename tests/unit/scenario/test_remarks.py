"""Warnings: what is odd about a scenario but not wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore.errors import ScenarioError
from simcore.scenario import load_scenario

DERIVED = "parameters.interception_border_gtm_mex"


def warnings(*settings: str) -> list[str]:
    return load_scenario("phase1", settings=settings).warnings


def test_a_changed_distribution_keeps_no_grade_unnoticed() -> None:
    assert warnings() == []
    setting = f"{DERIVED}.distribution.alpha=1"
    assert warnings(setting) == [
        f"--set {setting}: {DERIVED}.distribution: changed, but the grade 'derived' and the sources are those of the "
        "distribution before it; give grade and source too"
    ]


@pytest.mark.parametrize(
    "settings",
    [
        (f"{DERIVED}.distribution.alpha=1", f'{DERIVED}.grade="illustrative"'),
        (f'{DERIVED}.grade="illustrative"', f"{DERIVED}.distribution.alpha=1"),
        ("parameters.event_hazard.distribution.q95=0.02",),
        (f'{DERIVED}.note="other words"',),
    ],
    ids=["grade after", "grade before", "no source to begin with", "text only"],
)
def test_nothing_to_say(settings: tuple[str, ...]) -> None:
    assert warnings(*settings) == []


def test_panels_of_the_scenario_below_are_not_overwritten(tmp_path: Path) -> None:
    patch = tmp_path / "later.toml"
    patch.write_text(
        'schema_version = 1\nbase = "phase1_index"\nname = "later"\ncohort_year = 2020\n'
        "population = { year = 2020 }\ncovariates = { year = 2020 }\n",
        encoding="utf-8",
    )
    with pytest.raises(ScenarioError) as problem:
        load_scenario(patch)
    assert str(problem.value).endswith(f"simcore impute {patch} -o PANELS.csv, and name it in covariates.panels")
