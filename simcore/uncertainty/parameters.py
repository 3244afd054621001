"""The columns of theta: which elements of which parameters a model draws, and how.

A `ParameterSpace` grows while a scenario is compiled: each room asks it for the column of a reference and so names
what it needs; elements that nobody asks for are not drawn. A draw is addressed by the element's name alone, so the
order of columns decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simcore.errors import ScenarioError
from simcore.uncertainty.dependence import CopulaPlan, cholesky_factor, copula_plan
from simcore.uncertainty.design import RANDOM_DESIGN, SOBOL, Design
from simcore.uncertainty.draws import DrawPlan, draw_parameters
from simcore.uncertainty.exact import exact_quantile
from simcore.uncertainty.points import Points, make_points
from simcore.uncertainty.quantile_kernels import CONSTANT, KNOTS
from simcore.uncertainty.quantiles import (
    NO_TABLE,
    QuantileRule,
    quantile_rule,
    stick_breaking_rules,
)

if TYPE_CHECKING:
    from simcore.scenario import ParameterElement, Scenario


FloatArray = npt.NDArray[np.float64]
_SMALLEST_UNIFORM = 2.0**-53


def dirichlet_weights(distribution: Any) -> npt.NDArray[np.float64]:
    """Return the weights a_i of a declared Dirichlet: as such, by means and concentration, or fitted to an interval."""
    d = distribution
    if d.interval is not None:
        return np.array(d.weights(), dtype=np.float64)
    if d.alpha is not None:
        return np.array(list(d.alpha.values()), dtype=np.float64)
    return float(d.concentration) * np.array(list(d.means.values()), dtype=np.float64)


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
            if element.distribution.family == "switch":  # what it may be is always drawn
                for chosen in self._switched(element):
                    self._place(chosen)
            self._start[element.name] = len(self.names)
            self.elements.append(element)
            self._rules.append(rules)
            self.names.extend(element.columns)
        return self._start[element.name]

    def _switched(self, element: ParameterElement) -> list[ParameterElement]:
        """Return what a switch depends on: the categorical element that decides, then one case per category."""
        switch: Any = element.distribution
        deciding = self.scenario.element(switch.on, element.coordinates)
        categories = deciding.distribution.categories
        return [deciding, *(self.scenario.element(switch.cases[name], element.coordinates) for name in categories)]

    def _switches(self) -> Iterator[tuple[int, int, list[int]]]:
        """Yield target column, deciding column, and column of each case, of every column of every switch."""
        for element in self.elements:
            if element.distribution.family == "switch":
                deciding, *cases = self._switched(element)
                for offset, name in enumerate(element.components or ("",)):
                    places = [case.components.index(name) if name else 0 for case in cases]
                    columns = [self._start[case.name] + place for case, place in zip(cases, places, strict=True)]
                    yield self._start[element.name] + offset, self._start[deciding.name], columns

    @staticmethod
    def _rules_of(element: ParameterElement) -> list[QuantileRule]:
        distribution = element.distribution
        match distribution.family:
            case "switch":
                return []
            case "dirichlet":
                return stick_breaking_rules(dirichlet_weights(distribution))
            case "fixed_shares":
                shares = np.array(list(distribution.shares.values()), dtype=np.float64)
                shares /= shares.sum()
                return [QuantileRule(CONSTANT, (float(share), 0.0, 0.0, 0.0)) for share in shares]
        return [quantile_rule(distribution)]

    @property
    def _rules_by_column(self) -> Iterator[tuple[int, QuantileRule]]:
        """Column of theta and rule of everything that is drawn or constant; the last share of a simplex is neither."""
        for element, rules in zip(self.elements, self._rules, strict=True):
            for offset, rule in enumerate(rules):
                yield self._start[element.name] + offset, rule

    def drawn(self) -> list[str]:
        """Return the names of the columns that take a uniform each, in the order of the uniforms: length U."""
        return [self.names[column] for column, rule in self._rules_by_column if rule.kind != CONSTANT]

    def in_file_order(self) -> dict[str, tuple[str, ...]]:
        """Return element name -> its columns, in the order of the scenario's parameters, then of levels.

        Elements are those that the scenario uses, of which the model may need fewer.
        """
        return {element.name: element.columns for element in (*self.scenario.elements().values(), *self.elements)}

    def draw_plan(self) -> DrawPlan:
        """Return the flat arrays that turn uniforms into theta."""
        column, rules, simplex_start, simplex_size = [], [], [], []
        table_rows: dict[int, int] = {}  # tables are made once per shape, so their identity tells them apart
        tables: list[npt.NDArray[np.float64]] = []
        table = []
        for place, rule in self._rules_by_column:
            column.append(place)
            rules.append(rule)
            if rule.table is None:
                table.append(NO_TABLE)
            else:
                if id(rule.table) not in table_rows:
                    table_rows[id(rule.table)] = len(tables)
                    tables.append(rule.table)
                table.append(table_rows[id(rule.table)])
        for element in self.elements:
            if element.distribution.family == "dirichlet":
                simplex_start.append(self._start[element.name])
                simplex_size.append(len(element.columns))
        kind = np.array([rule.kind for rule in rules], dtype=np.int64)
        switches = list(self._switches())
        return DrawPlan(
            column=np.array(column, dtype=np.int64),
            uniform=np.where(kind == CONSTANT, -1, np.cumsum(kind != CONSTANT) - 1).astype(np.int64),
            kind=kind,
            arguments=np.array([rule.arguments for rule in rules], dtype=np.float64).reshape(-1, 4),
            lower=np.array([rule.lower for rule in rules], dtype=np.float64),
            upper=np.array([rule.upper for rule in rules], dtype=np.float64),
            table=np.array(table, dtype=np.int64),
            tables=np.array(tables, dtype=np.float64) if tables else np.zeros((1, 2, KNOTS)),
            simplex_start=np.array(simplex_start, dtype=np.int64),
            simplex_size=np.array(simplex_size, dtype=np.int64),
            switch_column=np.array([target for target, _, _ in switches], dtype=np.int64),
            switch_on=np.array([deciding for _, deciding, _ in switches], dtype=np.int64),
            switch_first=np.cumsum([0, *(len(cases) for _, _, cases in switches)], dtype=np.int64)[:-1],
            switch_case=np.array([case for _, _, cases in switches for case in cases], dtype=np.int64),
        )

    def copula(self) -> CopulaPlan:
        """Return the dependence between the drawn scalars that the scenario declares."""
        place = {name: column for column, name in enumerate(self.drawn())}
        groups = []
        for group in self.scenario.dependence_report.groups:
            members = [number for number, name in enumerate(group.columns) if name in place]
            if len(members) < 2:
                continue
            factor = cholesky_factor(group.pearson[np.ix_(members, members)])
            groups.append(([place[group.columns[number]] for number in members], factor))
        return copula_plan(groups)

    def points(self, design: Design, seed: int, dimensions: Mapping[str, int]) -> Points:
        """Return what makes the uniforms of the drawn scalars, in the order of `drawn`.

        Parameters
        ----------
        design : Design
        seed : int
        dimensions : dict
            Column name -> dimension; read by a Sobol' design only.

        Raises
        ------
        UserError
            If the design cannot have so many dimensions.
        """
        names = self.drawn()
        places = [dimensions[name] for name in names] if design.kind == SOBOL else []
        return make_points(design, seed, "parameter", [(name,) for name in names], places)

    def draw(self, seed: int, theta_ids: npt.NDArray[np.uint32]) -> FloatArray:
        """Return theta of the random design for ``theta_ids`` (uint32 [n]): float64 [n, P]."""
        theta = np.empty((theta_ids.size, self.size))
        draw_parameters(self.draw_plan(), self.copula(), self.points(RANDOM_DESIGN, seed, {}), theta_ids, theta)
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
            elif distribution.family != "switch":
                theta[start] = exact_quantile(distribution, np.array([0.5]))[0]
        for target, deciding, cases in self._switches():
            theta[target] = theta[cases[int(theta[deciding])]]
        return theta

    def largest(self, column: int) -> float:
        """Return the largest value that scalar ``column`` can be drawn as (at the largest uniform)."""
        name = self.names[column]
        element = next(e for e in self.elements if name in e.columns)
        if element.components:
            return 1.0
        if element.distribution.family == "switch":
            return max(self.largest(self._start[case.name]) for case in self._switched(element)[1:])
        return float(exact_quantile(element.distribution, np.array([1.0 - _SMALLEST_UNIFORM]))[0])
