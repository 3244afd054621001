"""At-risk models of docs/at_risk_models.md in plain Python: one parameter set, one cell, one exploitation at a time.

A parameter set is a dict of column name -> value. Sums and products are taken in the order of the document, cells and
covariates in theirs, because the kernels must agree bit for bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simcore.scenario import Scenario
from tests.twin.philox import normal_score

Theta = Mapping[str, float]
Place = Mapping[str, str]
ROOT_HALF = 0.7071067811865476
STANDARD_HEIGHT = 0.3989422804014327  # of the normal density at zero


def product(values: Sequence[float]) -> float:
    """Multiply from the left."""
    result = values[0]
    for value in values[1:]:
        result *= value
    return result


def below(z: float) -> float:
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-z * ROOT_HALF)


def met_by_all(shares: Sequence[float], r: float) -> float:
    """Share of persons who meet every circumstance under a Gaussian copula with one correlation."""
    open_shares = [share for share in shares if share < 1.0]
    independent = product([1.0, *shares])
    if min(shares) <= 0.0 or len(open_shares) < 2 or r <= 0.0:
        return max(independent, 0.0)
    if r >= 1.0:
        return min(1.0, *shares)
    own = math.sqrt(1.0 - r)
    a = math.sqrt(r) / own
    c = [normal_score(share) / own for share in open_shares]
    steep = a > 1.0
    slopes = len(c) + 1.0 / (a * a) if steep else 1.0 + len(c) * a * a
    h = 0.73 / math.sqrt(slopes)
    last = int(8.5 / h) + 1
    total = 0.0
    for x in (i * h for i in range(-last, last + 1)):
        density = math.exp(-0.5 * x * x)
        if steep:
            for k, limit in enumerate(c):
                others = [below(x + other - limit) for j, other in enumerate(c) if j != k]
                total += product([density * below((limit - x) / a), *others])
        else:
            total += product([density, *(below(limit - a * x) for limit in c)])
    return min(max(total * h * STANDARD_HEIGHT, 0.0), min(1.0, *shares))


def share_of_odds(x: float) -> float:
    """exp(x) / (1 + exp(x)) without overflow."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0.0 else math.exp(x) / (1.0 + math.exp(x))


def level(persons: Sequence[float], log_odds: Sequence[float], anchor: float) -> float:
    """The level at which the mean share is the anchor: Newton on the logit within a bracket, else halving it."""
    sign = -1.0 if anchor > 0.5 else 1.0
    target = 1.0 - anchor if anchor > 0.5 else anchor
    if target <= 0.0:
        return -sign * math.inf
    people = [(n, sign * eta) for n, eta in zip(persons, log_odds, strict=True) if n > 0.0]
    centre = math.log(target / (1.0 - target))
    if not people:
        return sign * centre
    everybody = ordered_sum(n for n, _ in people)
    low, high = centre - max(eta for _, eta in people), centre - min(eta for _, eta in people)
    alpha = 0.5 * (low + high)
    for _ in range(200):
        mean = ordered_sum(n * share_of_odds(alpha + eta) for n, eta in people) / everybody
        rise = ordered_sum(n * share_of_odds(alpha + eta) * share_of_odds(-alpha - eta) for n, eta in people)
        rise /= everybody
        if abs(mean - target) <= 1e-14 * target:
            break
        low, high = (alpha, high) if mean < target else (low, alpha)
        newton = math.nan
        if 0.0 < mean < 1.0 and rise > 0.0:
            newton = alpha - (math.log(mean / (1.0 - mean)) - centre) * mean * (1.0 - mean) / rise
        following = newton if low < newton < high else 0.5 * (low + high)
        if following == alpha:
            break
        alpha = following
    return sign * alpha


def ordered_sum(values: Any) -> float:
    """Add from the left."""
    total = 0.0
    for value in values:
        total += value
    return total


class AtRisk:
    """Shares of one parameter set of a scenario, by its chosen model."""

    def __init__(self, scenario: Scenario, theta: Theta) -> None:
        self.scenario, self.theta = scenario, theta
        axes = ("origin", "sex", "age_band")
        self.cells = [
            dict(zip(axes, levels, strict=True)) for levels in itertools.product(*(scenario.levels(a) for a in axes))
        ]
        self.models: dict[str, Callable[[Any], list[list[float]]]] = {
            "expert": self._expert,
            "shares": self._shares,
            "index": self._index,
            "profile": self._profile,
            "mixed": self._mixed,
        }

    def shares(self, model: str) -> list[list[float]]:
        """Marginal shares by cell and exploitation with a risk of its own."""
        return self.models[model](self.scenario.at_risk_blocks[model])

    def _value(self, reference: str, place: Place) -> float:
        return self.theta[self.scenario.element(reference, place).columns[0]]

    def _vector(self, reference: str, place: Place) -> dict[str, float]:
        element = self.scenario.element(reference, place)
        return {part: self.theta[name] for part, name in zip(element.components, element.columns, strict=True)}

    def _by_stratum(self, share: Callable[[Place], float]) -> list[list[float]]:
        return [
            [
                share({**cell, "exploitation": x}) if self.scenario.is_active(cell) else 0.0
                for x in self.scenario.risk_levels
            ]
            for cell in self.cells
        ]

    def _matching(self, rules: Mapping[str, Any], field: str, place: Place) -> list[float]:
        return [
            self._value(getattr(rule, field), place)
            for rule in rules.values()
            if self.scenario.matches(rule.where, place)
        ]

    def _expert(self, block: Any) -> list[list[float]]:
        def share(place: Place) -> float:
            base = self._value(self.scenario.choose(block.shares, place, "at_risk").parameter, place)
            return product([base, *self._matching(block.multipliers, "factor", place)])

        return self._by_stratum(share)

    def _shares(self, block: Any) -> list[list[float]]:
        def share(place: Place) -> float:
            met = [
                self._value(self.scenario.choose(rules, place, "at_risk").parameter, place)
                for rules in block.circumstances.values()
            ]
            factors = self._matching(block.factors, "factor", place)
            if block.correlation is None:
                return product([*met, *factors])
            return product([met_by_all(met, self._value(block.correlation, place)), *factors])

        return self._by_stratum(share)

    def _people(self) -> list[float]:
        """Persons of every cell who count in a mean share: active ones, table times factor."""
        factor, people = self.scenario.document.population.factor, []
        for cell, persons in zip(self.cells, self.scenario.population.ravel().tolist(), strict=True):
            here = persons if self.scenario.is_active(cell) else 0.0
            people.append(here if factor is None else here * self._value(factor, cell))
        return people

    def _index_of_origins(self, block: Any) -> dict[str, float]:
        covariates = self.scenario.covariates
        assert covariates is not None
        panel = 0
        if block.panel is not None:
            lowest = self.scenario.document.parameters[block.panel].distribution.support()[0]
            panel = int(self._value(block.panel, {}) - lowest)
        weights = self._vector(block.weights, {})
        origins = self.scenario.levels("origin")
        index = dict.fromkeys(origins, 0.0)
        for j, name in enumerate(covariates.names):
            values = covariates.transformed[panel, :, j].tolist()
            mean = math.fsum(values) / len(values)
            centred = [value - mean for value in values]
            spread = math.sqrt(math.fsum(distance * distance for distance in centred) / len(values))
            for origin, distance in zip(origins, centred, strict=True):
                index[origin] += weights[name] * (int(covariates.signs[j]) * distance / spread)
        spread = math.sqrt(ordered_sum(value * value for value in index.values()) / len(index))
        return {origin: value / spread if spread > 1e-9 else 0.0 for origin, value in index.items()}

    def _index(self, block: Any) -> list[list[float]]:
        index, people = self._index_of_origins(block), self._people()
        columns = []
        for x in self.scenario.risk_levels:
            etas = []
            for cell in self.cells:
                place = {**cell, "exploitation": x}
                eta = 0.0
                if self.scenario.is_active(cell):
                    eta = self._value(block.slope, place) * index[cell["origin"]]
                    for offset in self._matching(block.offsets, "log_odds", place):
                        eta += offset
                    if block.origin_sd is not None:
                        eta += self._value(block.origin_sd, place) * self._value(block.origin_score, place)
                etas.append(min(max(eta, -700.0), 700.0))
            alpha = level(people, etas, self._value(block.anchors[x], {"exploitation": x}))
            columns.append(
                [
                    share_of_odds(alpha + eta) if self.scenario.is_active(cell) else 0.0
                    for cell, eta in zip(self.cells, etas, strict=True)
                ]
            )
        return [list(row) for row in zip(*columns, strict=True)]

    def _profile(self, block: Any) -> list[list[float]]:
        def group(cell: Place) -> str:
            return next(name for name, rule in block.groups.items() if self.scenario.matches(rule.where, cell))

        persons = dict.fromkeys(block.groups, 0.0)
        total = 0.0
        for cell, here in zip(self.cells, self._people(), strict=True):
            if self.scenario.is_active(cell):
                persons[group(cell)] += here
                total += here

        def share(place: Place) -> float:
            x = {"exploitation": place["exploitation"]}
            victims = self._vector(block.profiles[place["exploitation"]], x)
            for name, rule in block.groups.items():
                if rule.detection_odds is not None:
                    victims[name] /= self._value(rule.detection_odds, {})
            everybody = ordered_sum(victims[name] for name in block.groups)
            z = group(place)
            anchor = self._value(block.anchors[place["exploitation"]], x)
            if persons[z] == 0.0 or everybody == 0.0:
                return 0.0
            return anchor * (victims[z] / everybody) * (total / persons[z])

        return self._by_stratum(share)

    def _mixed(self, block: Any) -> list[list[float]]:
        categories = self.scenario.document.parameters[block.choice].distribution.categories
        return self.shares(categories[int(self._value(block.choice, {}))])
