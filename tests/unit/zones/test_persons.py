"""Persons of a cell: the table's value times the factor, rounded half to even."""

from __future__ import annotations

import pytest

import simcore
from tests.conftest import FIXTURES, load

FACTOR = """
parameters.crowd = {distribution = {family = "fixed", value = 0.5}, unit = "factor", grade = "illustrative"}
"""


def persons(value: float, *settings: str) -> int:
    cell = f'population.cells = [{{origin = "ONE", sex = "all", age_band = "all", persons = {value}}}]'
    results = simcore.run(load(FIXTURES / "single_border.toml", cell, *settings), replicates=1, seed=1)
    assert results.read("victims").item() == results.read("persons").item(), "not everybody is a victim here"
    return int(results.read("persons").item())


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0.0, 0), (0.49, 0), (0.5, 0), (0.51, 1), (1.5, 2), (2.5, 2), (2.5000001, 3), (3.5, 4), (1234567.5, 1234568)],
)
def test_halves_go_to_the_even_number(value: float, rounded: int) -> None:
    assert persons(value) == rounded


@pytest.mark.parametrize(("value", "rounded"), [(1.0, 0), (3.0, 2), (5.0, 2), (7.0, 4), (9.5, 5)])
def test_rounding_comes_after_the_factor(value: float, rounded: int) -> None:
    assert persons(value, FACTOR.strip(), 'population.factor = "crowd"') == rounded
