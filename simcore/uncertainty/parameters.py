"""The columns of theta: which elements of which parameters a model draws, and how.

A `ParameterSpace` grows while a scenario is compiled: each room asks it for the column of a reference and so names
what it needs; elements that nobody asks for are not drawn. A draw is addressed by the element's name alone, so the
order of columns decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simcore.engines.random import derive_key
from simcore.errors import ScenarioError
from simcore.uncertainty.draws import DrawPlan, draw_parameters
from simcore.uncertainty.quantiles import (
    CONSTANT,
    KNOTS,
    NO_TABLE,
    QuantileRule,
    exact_quantile,
    quantile_rule,
    stick_breaking_rules,
)

if TYPE_CHECKING:
    from simcore.scenario import ParameterElement, Scenario


_SMALLEST_UNIFORM = 2.0**-53


def dirichlet_weights(distribution: Any) -> npt.NDArray[np.float64]:
    """Return the weights a_i of a declared Dirichlet, given as such or as means and concentration."""
    if distribution.alpha is not None:
        return np.array(list(distribution.alpha.values()), dtype=np.float64)
    return float(distribution.concentration) * np.array(list(distribution.means.values()), dtype=np.float64)


@dataclass
class ParameterSpace:
    """Columns of theta in the order in which they were first asked for.

    Attributes
    ----------
    scenario : Scenario
        Where references are resolved.
    elements : list of ParameterElement
        What is drawn: scalars and simplices.
    names : list of str
        Column names, length P.
    """

    scenario: Scenario
    elements: list[ParameterElement] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    _start: dict[str, int] = field(default_factory=dict)
    _rules: list[list[QuantileRule]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Number P of columns."""
        return len(self.names)

    def column(self, reference: str, coordinates: Mapping[str, str]) -> int:
        """Return the column of a scalar reference at ``coordinates`` (axis -> level)."""
        element = self.scenario.element(reference, coordinates)
        return self._place(element)

    def columns(self, reference: str, coordinates: Mapping[str, str], components: Sequence[str]) -> list[int]:
        """Return the columns of a simplex reference in the order of ``components``; -1 for a component it lacks."""
        element = self.scenario.element(reference, coordinates)
        start = self._place(element)
        return [start + element.components.index(name) if name in element.components else -1 for name in components]

    def _place(self, element: ParameterElement) -> int:
        if element.name not in self._start:
            try:
                rules = self._rules_of(element)
            except ScenarioError as error:
                raise self.scenario.error(("parameters", element.parameter, "distribution"), str(error)) from None
            self._start[element.name] = len(self.names)
            self.elements.append(element)
            self._rules.append(rules)
            self.names.extend(element.columns)
        return self._start[element.name]

    @staticmethod
    def _rules_of(element: ParameterElement) -> list[QuantileRule]:
        distribution = element.distribution
        match distribution.family:
            case "dirichlet":
                return stick_breaking_rules(dirichlet_weights(distribution))
            case "fixed_shares":
                shares = np.array(list(distribution.shares.values()), dtype=np.float64)
                shares /= shares.sum()
                return [QuantileRule(CONSTANT, (float(share), 0.0, 0.0, 0.0)) for share in shares]
        return [quantile_rule(distribution)]

    def draw_plan(self, seed: int) -> DrawPlan:
        """Return the flat arrays that `draw_parameters` reads, with keys for ``seed``; key collisions are refused."""
        column, rules, keys, simplex_start, simplex_size = [], [], [], [], []
        table_rows: dict[tuple[float, float], int] = {}
        tables: list[npt.NDArray[np.float64]] = []
        table = []
        for element, element_rules in zip(self.elements, self._rules, strict=True):
            start = self._start[element.name]
            for offset, rule in enumerate(element_rules):
                column.append(start + offset)
                rules.append(rule)
                keys.append(derive_key(seed, "parameter", (self.names[start + offset],)))
                if rule.table is None:
                    table.append(NO_TABLE)
                else:
                    shape = rule.arguments[2:]
                    if shape not in table_rows:
                        table_rows[shape] = len(tables)
                        tables.append(rule.table)
                    table.append(table_rows[shape])
            if element.distribution.family == "dirichlet":
                simplex_start.append(start)
                simplex_size.append(len(element.columns))
        return DrawPlan(
            column=np.array(column, dtype=np.int64),
            kind=np.array([rule.kind for rule in rules], dtype=np.int64),
            arguments=np.array([rule.arguments for rule in rules], dtype=np.float64).reshape(-1, 4),
            lower=np.array([rule.lower for rule in rules], dtype=np.float64),
            upper=np.array([rule.upper for rule in rules], dtype=np.float64),
            table=np.array(table, dtype=np.int64),
            key=np.array(keys, dtype=np.uint64),
            tables=np.array(tables, dtype=np.float64) if tables else np.zeros((1, 2, KNOTS)),
            simplex_start=np.array(simplex_start, dtype=np.int64),
            simplex_size=np.array(simplex_size, dtype=np.int64),
        )

    def draw(self, seed: int, theta_ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
        """Return theta for ``theta_ids`` (uint32 [n]): float64 [n, P]."""
        theta = np.empty((theta_ids.size, self.size))
        draw_parameters(self.draw_plan(seed), theta_ids, theta)
        return theta

    def typical(self) -> npt.NDArray[np.float64]:
        """Return one theta, float64 [P]: each scalar at its median, each simplex at its mean."""
        theta = np.empty(self.size)
        for element in self.elements:
            start = self._start[element.name]
            distribution = element.distribution
            if distribution.family == "dirichlet":
                weights = dirichlet_weights(distribution)
                theta[start : start + weights.size] = weights / weights.sum()
            elif distribution.family == "fixed_shares":
                shares = np.array(list(distribution.shares.values()), dtype=np.float64)
                theta[start : start + shares.size] = shares / shares.sum()
            else:
                theta[start] = exact_quantile(distribution, np.array([0.5]))[0]
        return theta

    def largest(self, column: int) -> float:
        """Return the largest value that scalar ``column`` can be drawn as (at the largest uniform)."""
        name = self.names[column]
        element = next(e for e in self.elements if name in e.columns)
        if element.components:
            return 1.0
        return float(exact_quantile(element.distribution, np.array([1.0 - _SMALLEST_UNIFORM]))[0])
