"""Does the imputation know how much it does not know? Known cells hidden and imputed; another program's draws.

A hidden cell's truth lies between the least and the greatest of 19 proper draws with probability 18/20 = 0.9 exactly
(`analysis.imputation.masking`), so the number covered is Binomial(n, 0.9) as far as cells are independent. Every known
cell near the year is hidden once. Cells of one origin are not quite independent, which makes the true level larger than
the nominal one stated here.

* Quick: one of eight groups of 2005 in short chains, n = 12, accepted from 7 of 12 covered: false alarm P(Bin(12, 0.9)
  <= 6) = 5.4e-4, power 0.96 against draws with hardly any spread (coverage 0.3). A smoke test: 0.7 passes mostly.
* Long: all cells of 2005, 2012 and 2019, n = 271 (windows that do not overlap), two-sided level 1 %: accepted from 230
  to 256 covered (0.85 to 0.945). Power against a coverage of 0.8: 0.98; of 0.85: 0.43; of 0.97: 0.98.
"""

from __future__ import annotations

import csv
import io
import warnings

import numpy as np
import pytest
from scipy import stats

from analysis.imputation import impute_panels
from analysis.imputation.masking import DRAWS, HiddenCell, at_year, hide_and_impute
from analysis.imputation.report import describe_making
from analysis.imputation.rows import country_years
from simcore.scenario import load_scenario
from simcore.scenario.covariates import Observed
from simcore.scenario.panels import write_panels

SEED = 1
GROUPS = 8
COVERAGE = (DRAWS - 1) / (DRAWS + 1)
LEVEL = 0.01


def observed_of(name: str) -> Observed:
    scenario = load_scenario(name, panels=False)
    assert scenario.covariates is not None
    return scenario.covariates.observed


def covered(cells: list[HiddenCell]) -> int:
    return sum(cell.covered for cell in cells)


def test_stated_level_and_power() -> None:
    """The numbers of this file's docstring."""
    assert COVERAGE == 0.9
    assert stats.binom.cdf(6, 12, COVERAGE) == pytest.approx(5.4e-4, rel=0.01)
    assert stats.binom.sf(6, 12, 0.3) < 0.04
    low, high = stats.binom.interval(1 - LEVEL, 271, COVERAGE)
    assert (low, high) == (230, 256)
    assert stats.binom.cdf(229, 271, 0.8) > 0.97
    assert stats.binom.sf(256, 271, 0.97) > 0.97


def test_intervals_cover_hidden_cells() -> None:
    """Quick: see the docstring of the file."""
    cells = hide_and_impute(observed_of("phase1"), groups=GROUPS, seed=SEED, rounds=3, only_groups=1)
    assert len(cells) == 12
    assert covered(cells) >= 7
    assert all(cell.width > 0 for cell in cells)


@pytest.mark.long
def test_intervals_cover_every_hidden_cell() -> None:
    """Long: see the docstring of the file."""
    observed = observed_of("phase1")
    cells = [
        cell
        for year in (2005, 2012, 2019)
        for cell in hide_and_impute(at_year(observed, year), groups=GROUPS, seed=SEED)
    ]
    assert len(cells) == 271
    low, high = stats.binom.interval(1 - LEVEL, len(cells), COVERAGE)
    assert low <= covered(cells) <= high, f"{covered(cells)} of {len(cells)}"


@pytest.mark.long
@pytest.mark.parametrize("name", ["phase1", "phase1_2020"])
def test_shipped_panels_can_be_made_again(name: str) -> None:
    """The tables beside the scenarios are what the command makes, byte for byte under the versions they name."""
    scenario = load_scenario(name)
    assert scenario.document.covariates is not None
    text = scenario.tables[str(scenario.document.covariates.panels)]
    note = next(row["note"] for row in csv.DictReader(io.StringIO(text)) if row["imputed"] == "1")
    said = dict(part.split(" ", 1) for part in note.split("; "))
    made = impute_panels(observed_of(name), panels=int(said["panels"]), seed=int(said["seed"]))
    if describe_making(made) != note:
        pytest.skip(f"other versions than those of the panels: {note}")
    assert write_panels(made.observed, made.completed, note) == text


@pytest.mark.long
def test_predictive_mean_matching_agrees() -> None:
    """statsmodels' chained equations with predictive mean matching: same cells, another program, another kind of draw.

    Both draw from different approximations to one predictive distribution, so their means may differ by a part of its
    spread: at most 1.5 standard deviations in any cell and 0.5 in the median cell. An imputation by the donors' mean
    would be off by 1.9 in the worst cell.
    """
    mice = pytest.importorskip("statsmodels.imputation.mice")
    pandas = pytest.importorskip("pandas")
    observed = observed_of("phase1_2020")
    rows, variables = country_years(observed), len(observed.variables)
    frame = pandas.DataFrame(rows.table, columns=[f"x{number}" for number in range(rows.table.shape[1])])
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(SEED)  # noqa: NPY002  statsmodels draws from numpy's global generator
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = mice.MICEData(frame, k_pmm=10)
            matched = []
            for panel in range(12):
                data.update_all(1 if panel else 5)
                matched.append(data.data.to_numpy()[rows.targets, :variables].copy())
    finally:
        np.random.set_state(state)  # noqa: NPY002
    ours = (impute_panels(observed, panels=12, seed=SEED).transformed - rows.centre) / rows.scale
    theirs, missing = np.array(matched)[:, observed.missing], observed.missing
    ours = ours[:, missing]
    spread = np.hypot(ours.std(axis=0, ddof=1), theirs.std(axis=0, ddof=1))
    gap = np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) / spread
    assert gap.max() < 1.5
    assert np.median(gap) < 0.5
