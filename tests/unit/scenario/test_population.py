"""Age groups onto age bands."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import ScenarioError
from simcore.scenario.population import AgeGroup, persons_in_band, population_from_table
from simcore.scenario.schema import Population, Strata

HEADER = "origin,sex,age_lo,age_hi,persons,source_id\n"


def strata(*bands: tuple[int, int | None]) -> Strata:
    """One origin, one sex, and these bands."""
    names = {f"{first}-{last}": {"from": first} | ({} if last is None else {"to": last}) for first, last in bands}
    return Strata.model_validate(
        {"origin": {"MEX": {}}, "sex": {"female": {}}, "age_band": names, "exploitation": {"S": {}}}
    )


def test_check_value_of_wpp() -> None:
    """Women and girls of 12-17 in Mexico in 2005, from the five-year groups of WPP 2019 (un_wpp2019)."""
    text = HEADER + "MEX,female,10,14,5511131,un_wpp2019\nMEX,female,15,19,5232344,un_wpp2019\n"
    persons, sources = population_from_table(text, "t.csv", Population(table="t.csv"), strata((12, 17)), 2005)
    assert persons.tolist() == [[[6446085.0]]]
    assert sources == {"un_wpp2019": "t.csv:2"}


groups = st.lists(st.tuples(st.integers(1, 10), st.floats(0, 1e8)), min_size=1, max_size=12)


@given(groups, st.floats(0, 1e6), st.lists(st.integers(1, 100), max_size=4))
def test_bands_conserve_persons(widths: list[tuple[int, float]], oldest: float, cuts: list[int]) -> None:
    table, first = [], 0
    for width, persons in widths:
        table.append(AgeGroup(first, first + width - 1, persons))
        first += width
    table.append(AgeGroup(first, None, oldest))
    edges = [0, *sorted({cut for cut in cuts if cut < first}), None]
    total = math.fsum(
        persons_in_band(table, start or 0, None if end is None else end - 1) for start, end in itertools.pairwise(edges)
    )
    assert total == pytest.approx(math.fsum(group.persons or 0 for group in table), rel=1e-12, abs=1e-6)


@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 10**9))
def test_single_years_are_even(low: int, high: int, persons: int) -> None:
    low, high = sorted((low, high))
    expected = persons * (high - low + 1) / 5
    assert persons_in_band([AgeGroup(0, 4, persons)], low, high) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("table", "band", "words"),
    [
        ([AgeGroup(0, 4, 1)], (0, 5), "no persons of age 5"),
        ([AgeGroup(0, 4, None)], (0, 4), "no number of persons aged 0-4"),
        ([AgeGroup(0, None, None)], (0, None), r"no number of persons aged 0\+"),
        ([AgeGroup(0, 4, 1), AgeGroup(5, None, 1)], (0, 5), r"the open-ended group 5\+ would have to be split"),
        ([AgeGroup(0, 4, 1), AgeGroup(5, None, 1)], (6, None), r"the open-ended group 5\+ would have to be split"),
        ([AgeGroup(0, 4, 1)], (0, None), r"no open-ended age group, which the band 0\+ needs"),
        ([AgeGroup(0, 4, 1), AgeGroup(6, None, 1)], (0, None), "no persons of age 5"),
    ],
)
def test_what_cannot_be_split(table: list[AgeGroup], band: tuple[int, int | None], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        persons_in_band(table, *band)


def test_open_ended_group_of_no_concern() -> None:
    assert persons_in_band([AgeGroup(0, 4, 5), AgeGroup(5, None, None)], 0, 4) == 5


def test_bands_by_name_with_years_and_foreign_levels() -> None:
    text = (
        "origin,sex,age_band,year,persons,source_id\n"
        "MEX,female,0-4,2000,1,a\nMEX,female,0-4,2005,2.5,b\n\nXXX,female,0-4,2005,,c\nMEX,female,9-9,2005,,d\n"
    )
    persons, sources = population_from_table(text, "t.csv", Population(table="t.csv"), strata((0, 4)), 2005)
    assert persons.tolist() == [[[2.5]]]
    assert persons.dtype == np.float64
    assert sources == {"b": "t.csv:3", "d": "t.csv:6"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an empty table"),
        (HEADER, "a table without rows"),
        ("origin,sex,age_band,persons,source_id\nMEX,female,0-4,,a\n", "t.csv:2: persons: a missing cell"),
        ("origin,sex,age_band,persons,source_id\n" + 2 * "MEX,female,0-4,1,a\n", "t.csv:3: persons: .* is given twice"),
        ("origin,sex,age_band,age_lo,age_hi,persons\nMEX,female,0-4,0,4,1\n", "got both"),
        ('origin,sex,age_band,"per\nsons"\nMEX,female,0-4,1\n', "missing column 'persons'|one line of text"),
    ],
)
def test_bad_table(text: str, words: str) -> None:
    population = Population(table="t.csv", grade="illustrative")
    with pytest.raises(ScenarioError, match=words) as caught:
        population_from_table(text, "t.csv", population, strata((0, 4)), 2005)
    assert "\n" not in str(caught.value)


def test_band_without_ages_needs_a_table_that_names_it() -> None:
    everybody = Strata.model_validate(
        {"origin": {"MEX": {}}, "sex": {"female": {}}, "age_band": {"all": {}}, "exploitation": {"S": {}}}
    )
    with pytest.raises(ScenarioError, match="the age band 'all' has no from and to"):
        population_from_table(HEADER + "MEX,female,0,4,1,a\n", "t.csv", Population(table="t.csv"), everybody, 2005)
