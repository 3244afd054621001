"""At-risk models compiled by themselves, without the journey, and random parameter sets to compare at."""

from __future__ import annotations

import itertools
from typing import Any, cast

import numpy as np

from simcore.scenario import Scenario
from simcore.uncertainty import ParameterSpace
from tests.twin.at_risk import AtRisk


class Compiled:
    """The function from theta to shares of a scenario's at-risk model, with its columns."""

    def __init__(self, scenario: Scenario) -> None:
        axes = ("origin", "sex", "age_band")
        self.scenario = scenario
        self.cells = [
            dict(zip(axes, levels, strict=True)) for levels in itertools.product(*(scenario.levels(a) for a in axes))
        ]
        self.space = ParameterSpace(scenario)
        model = cast("Any", scenario.at_risk_model)
        self.shares = model.compile(scenario, scenario.at_risk_block, self.space, self.cells)
        self.active = np.array([scenario.is_active(cell) for cell in self.cells])

    def draw(self, seed: int, number: int) -> np.ndarray:
        """Parameter sets 0 .. number - 1: float64 [n, P]."""
        return self.space.draw(seed, np.arange(number, dtype=np.uint32))

    def column(self, name: str) -> int:
        return self.space.names.index(name)

    def twin(self, theta: np.ndarray) -> list[list[float]]:
        """Shares of one parameter set by the twin: [C][R]."""
        values = dict(zip(self.space.names, theta.tolist(), strict=True))
        return AtRisk(self.scenario, values).shares(self.scenario.document.at_risk.model)

    def people(self, theta: np.ndarray) -> np.ndarray:
        """Active persons of every cell and parameter set, table times factor: float64 [n, C]."""
        persons = np.where(self.active, self.scenario.population.ravel(), 0.0)
        factor = [self.column(f"population_factor[{cell['origin']}]") for cell in self.cells]
        return np.asarray(persons * theta[:, factor])
