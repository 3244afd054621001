"""The shipped at-risk models: their figures recomputed from the evidence, and that they run and agree in magnitude."""

from __future__ import annotations

import csv
import math
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import simcore
from simcore.scenario import load_scenario
from tests.unit.zones.at_risk_samples import Compiled

POOR = {"COL": 2008, "ECU": 2007, "SLV": 2007, "GTM": 2006, "MEX": 2008, "NIC": 2005, "PER": 2005, "VEN": 2005}
EXPERT = {"female_sexual": 0.0203, "male_sexual": 0.0039, "female_labor": 0.0275, "male_labor": 0.0375}
MODELS = ("phase1_shares", "phase1_index", "phase1_profile", "phase1_mixed")


@pytest.fixture(scope="module")
def figure() -> Any:
    text = resources.files("scenarios").joinpath("data", "evidence.csv").read_text(encoding="utf-8")
    rows = {row["evidence_id"]: row for row in csv.DictReader(text.splitlines())}
    return lambda key, column="value": float(rows[key][column])


def pert_mean(distribution: Any) -> float:
    return float((distribution.min + 4.0 * distribution.mode + distribution.max) / 6.0)


def test_poverty_by_the_stated_rule(figure: Any) -> None:
    """Mean from the evidence; standard deviation 0.02, and 0.01 more for every year between it and 2005."""
    parameters = load_scenario("phase1_shares").document.parameters
    for origin, year in POOR.items():
        key = f"poverty_line_2005_{origin}"
        assert figure(key, "year_start") == year
        distribution: Any = parameters[f"poverty_share_{origin}"].distribution
        mean, deviation = figure(key), 0.02 + 0.01 * (year - 2005)
        assert distribution.mean == mean
        assert distribution.size == round(mean * (1.0 - mean) / deviation**2 - 1.0)


def test_factors_give_the_mean_shares_of_expert() -> None:
    """Factor mean x mean poverty by persons x 0.25 x 0.30, to the digits that the notes state."""
    scenario = load_scenario("phase1_shares")
    parameters: Any = scenario.document.parameters
    persons = scenario.population[:, :, 1:4].sum(axis=(1, 2))
    poverty = [parameters[f"poverty_share_{origin}"].distribution.mean for origin in scenario.levels("origin")]
    mean = float(persons @ np.array(poverty) / persons.sum())
    assert round(mean, 3) == 0.448
    expert: Any = load_scenario("phase1").document.parameters
    for group, share in EXPERT.items():
        factor = pert_mean(parameters[f"at_risk_factor_{group}"].distribution)
        assert factor * mean * 0.25 * 0.30 == pytest.approx(share, rel=0.02)
        assert pert_mean(expert[f"at_risk_share_{group}"].distribution) == pytest.approx(share, rel=0.01)


def test_profiles_of_victims(figure: Any) -> None:
    groups = ("women", "girls", "men", "boys")
    women, girls, men, boys = (figure(f"glotip_2020_{group}") for group in groups)
    assert women + girls + men + boys == pytest.approx(1.0)
    female, labor_female = women + girls, figure("glotip_2018_labor_female")
    sexual, labor = figure("glotip_2020_sexual"), figure("glotip_2020_labor")
    sexual_female = (female - labor * labor_female - (1.0 - sexual - labor) * female) / sexual
    assert round(sexual_female, 3) == figure("glotip_sexual_female")
    parameters: Any = load_scenario("phase1_profile").document.parameters
    for kind, share in (("sexual", sexual_female), ("labor", labor_female)):
        expected = (
            share * women / female,
            share * girls / female,
            (1.0 - share) * men / (men + boys),
            (1.0 - share) * boys / (men + boys),
        )
        means = parameters[f"victim_profile_{kind}"].distribution.means
        assert tuple(means) == groups
        assert list(means.values()) == pytest.approx(expected, abs=6e-4)


def test_stated_intervals() -> None:
    """What the notes say about intervals of the priors."""
    assert [round(float(stats.beta(10, 30).ppf(u)), 2) for u in (0.05, 0.95)] == [0.15, 0.37]
    assert [round(float(stats.beta(9, 21).ppf(u)), 2) for u in (0.05, 0.95)] == [0.17, 0.44]
    assert [round(math.exp(-1.5 + 0.5 * z), 2) for z in (-1.645, 1.645)] == [0.1, 0.51]
    assert [round(math.exp(0.3 + 0.3 * z), 2) for z in (-1.645, 1.645)] == [0.82, 2.21]
    assert [round(math.exp(0.3 * z), 2) for z in (-1.645, 1.645)] == [0.61, 1.64]
    women = stats.beta(40 * 0.621, 40 * 0.379)
    assert [round(float(women.ppf(u)), 2) for u in (0.05, 0.95)] == [0.49, 0.74]


@pytest.mark.parametrize("name", MODELS)
def test_magnitudes_stand_next_to_those_of_phase1(name: str, seed: int) -> None:
    """Median of the mean share at risk, over persons and exploitations, within a factor of 1.6 of phase1."""
    found = {}
    for shipped in ("phase1", name):
        compiled = Compiled(load_scenario(shipped))
        persons = np.where(compiled.active, compiled.scenario.population.ravel(), 0.0)
        shares = np.minimum(compiled.shares(compiled.draw(seed, 400)), 1.0)
        found[shipped] = np.median(np.einsum("c,ncr->n", persons, shares)) / persons.sum()
    assert 1 / 1.6 < found[name] / found["phase1"] < 1.6


@pytest.mark.parametrize("name", MODELS)
def test_persons_at_risk_in_a_run_are_those_of_the_shares(name: str, seed: int, tmp_path: Path) -> None:
    """Persons with each risk, summed over 300 replicates, by z-score under the exact (binomial) variance given theta.

    At one hundredth of the population some millions of persons are at risk in 300 replicates, the standard error is
    below 0.06 % of the sum, and a mean that is wrong by 0.5 % is caught with power 0.999 (false-alarm level 1e-6).
    """
    scenario = load_scenario(name, settings=["parameters.population_factor.distribution={family='fixed',value=1e-2}"])
    result = simcore.run(scenario, replicates=300, seed=seed, output=tmp_path / "run.h5")
    at_risk = result.to_xarray()["at_risk"]
    compiled = Compiled(scenario)
    shares = compiled.shares(compiled.draw(seed, 300))
    persons = np.where(compiled.active, np.rint(scenario.population.ravel() * 1e-2), 0.0)
    for bit, kind in enumerate(scenario.risk_levels):
        counted = float(at_risk.sel(risk=[f"{kind}_only", "both"]).sum())
        mean = float(np.einsum("c,nc->", persons, shares[:, :, bit]))
        variance = float(np.einsum("c,nc->", persons, shares[:, :, bit] * (1.0 - shares[:, :, bit])))
        assert abs(counted - mean) < stats.norm.isf(5e-7) * math.sqrt(variance)
        assert math.sqrt(variance) * (stats.norm.isf(5e-7) + 3.1) < 0.005 * mean


def test_index_and_mixture_differ_from_phase1_in_the_first_stage_only() -> None:
    base = load_scenario("phase1").document
    for name in MODELS:
        document = load_scenario(name).document
        assert document.transit == base.transit
        assert document.destinations == base.destinations
        assert document.definition == base.definition
        assert document.event.hazards == base.event.hazards
        for key in set(document.parameters) & set(base.parameters):
            assert document.parameters[key] == base.parameters[key], key
