"""Distributions by quantiles that somebody gave: named quantiles, tables of quantiles, metalogs."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from simcore.scenario.distributions.declared import Number, Scalar
from simcore.scenario.distributions.fitting import (
    FitReport,
    family_report,
    fitted_parameters,
    make_report,
    quantile_probability,
)
from simcore.scenario.distributions.metalog import FloatArray, fit_line, from_line, line_at, to_line, where_it_falls
from simcore.scenario.fields import Whole, problem, shown

MOST_TABLE_ENTRIES = 1000
MOST_TERMS = 16
_QUANTILE = re.compile(r"q\d\d(\.\d+)?", re.ASCII)


def check_quantile_name(name: str) -> str:
    """Names of quantiles: ``q05`` is that of 5 %, ``q97.5`` that of 97.5 %."""
    if not _QUANTILE.fullmatch(name) or not 0.0 < quantile_probability(name) < 1.0:
        raise problem(f'not a quantile: {shown(name)} (q and two digits, between q00 and q100: q05, q50, "q97.5")')
    return name


def _decimals_are_quoted(value: Any) -> Any:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, Mapping) and len(inner) == 1:
                raise problem(
                    f"must be a number, got a table; is it '\"{name}.{next(iter(inner))}\" = ...', in quotes?"
                )
    return value


def check_rise(quantiles: dict[str, float]) -> dict[str, float]:
    """Return quantiles in order of probability; raise unless they are different ones and rise."""
    ordered = sorted(quantiles, key=quantile_probability)
    for below, name in itertools.pairwise(ordered):
        if quantile_probability(below) == quantile_probability(name):
            raise problem(f"is the same quantile as {below}", key=name)
        if not quantiles[name] > quantiles[below]:
            raise problem(f"must be above {below} ({quantiles[below]:g}), got {quantiles[name]:g}", key=name)
    return {name: quantiles[name] for name in ordered}


QuantileName = Annotated[str, AfterValidator(check_quantile_name)]
Quantiles = Annotated[dict[QuantileName, Number], BeforeValidator(_decimals_are_quoted), AfterValidator(check_rise)]
"""Name of a quantile -> value, kept in order of probability."""


def check_quantiles(quantiles: Mapping[str, float], support: tuple[float, float], fewest: int, key: str = "") -> None:
    """Raise if ``quantiles``, the table called ``key`` or this one, are too few or reach the ends of the support."""
    keys = (key,) if key else ()
    if len(quantiles) < fewest:
        raise problem(f"needs at least {fewest} quantiles, got {len(quantiles)}", key=keys)
    for name, value in quantiles.items():
        if not value > support[0]:
            raise problem(f"must be above {support[0]:g}, got {value:g}", key=(*keys, name))
        if not value < support[1]:
            raise problem(f"must be below {support[1]:g}, got {value:g}", key=(*keys, name))


class Elicited(Scalar):
    """A family of two parameters that can be fitted to quantiles instead of being given (docs/distributions.md)."""

    parameter_names: ClassVar[tuple[str, str]]

    family: str
    quantiles: Quantiles | None = None

    def check_elicited(self, support: tuple[float, float]) -> None:
        """Raise if `quantiles` are given but too few or outside the support."""
        if self.quantiles is not None:
            check_quantiles(self.quantiles, support, 2, "quantiles")

    def fitted(self) -> tuple[float, float]:
        """Return the two parameters that fit `quantiles`."""
        return fitted_parameters(self.family, tuple((self.quantiles or {}).items()))

    def fit_report(self) -> FitReport | None:
        """Return how well `quantiles` are met; None if the parameters were given."""
        return None if self.quantiles is None else family_report(self, self.parameter_names)


class Empirical(Scalar):
    """A table of quantiles from probability 0 to 1, with a monotone curve (PCHIP) or straight lines in between."""

    family: Literal["empirical"]
    probabilities: tuple[Number, ...] = Field(min_length=2, max_length=MOST_TABLE_ENTRIES)
    quantiles: tuple[Number, ...] = Field(min_length=2, max_length=MOST_TABLE_ENTRIES)
    interpolation: Literal["pchip", "linear"] = "pchip"

    def untruncated_support(self) -> tuple[float, float]:
        """Return the first and the last quantile."""
        return self.quantiles[0], self.quantiles[-1]

    @property
    def has_atoms(self) -> bool:
        """Whether some value has a probability of its own: two quantiles are equal."""
        return any(a == b for a, b in itertools.pairwise(self.quantiles))

    @model_validator(mode="after")
    def _is_table(self) -> Empirical:
        p, q = self.probabilities, self.quantiles
        if len(p) != len(q):
            raise problem(f"must be as many as probabilities ({len(p)}), got {len(q)}", key="quantiles")
        for end, index, wanted in (("first", 0, 0.0), ("last", len(p) - 1, 1.0)):
            if p[index] != wanted:
                raise problem(f"the {end} one, [{index}], must be {wanted:g}, got {p[index]:g}", key="probabilities")
        for i in range(1, len(p)):
            if not p[i] > p[i - 1]:
                text = f"[{i}] must be above [{i - 1}] ({p[i - 1]:g}), got {p[i]:g}"
                raise problem(text, key="probabilities")
            if q[i] < q[i - 1]:
                raise problem(f"[{i}] must not be below [{i - 1}] ({q[i - 1]:g}), got {q[i]:g}", key="quantiles")
        self.check_truncation()
        return self


class Metalog(Scalar):
    """A metalog through three or more quantiles, without ends or with one or two (Keelin 2016)."""

    family: Literal["metalog"]
    quantiles: Quantiles
    lower_bound: Number | None = None
    upper_bound: Number | None = None
    terms: Whole | None = None

    @property
    def lowest_is_reached(self) -> bool:
        """False: no draw is at the lower end."""
        return False

    def untruncated_support(self) -> tuple[float, float]:
        """Return the bounds; infinite where none is given."""
        lowest = -math.inf if self.lower_bound is None else self.lower_bound
        return lowest, math.inf if self.upper_bound is None else self.upper_bound

    def coefficients(self) -> tuple[float, ...]:
        """Return a_1, a_2, ... of the line; as many as there are quantiles unless `terms` says fewer."""
        line = to_line(np.array(list(self.quantiles.values())), *self.untruncated_support())
        p = tuple(quantile_probability(name) for name in self.quantiles)
        return fit_line(p, tuple(line.tolist()), self.terms or len(p))

    def fit_report(self) -> FitReport:
        """Return coefficients, and how well `quantiles` are met before truncation."""
        found = self.coefficients()
        names = [f"a{i}" for i in range(1, len(found) + 1)]
        ends = self.untruncated_support()

        def quantile(p: FloatArray) -> FloatArray:
            return from_line(line_at(found, p), *ends)

        return make_report("metalog", dict(zip(names, found, strict=True)), self.quantiles, quantile, ends)

    @model_validator(mode="after")
    def _is_increasing(self) -> Metalog:
        lowest, highest = self.untruncated_support()
        if not lowest < highest:
            raise problem(f"must be above lower_bound ({lowest:g}), got {highest:g}", key="upper_bound")
        check_quantiles(self.quantiles, (lowest, highest), 3, "quantiles")
        most = min(len(self.quantiles), MOST_TERMS)
        terms = len(self.quantiles) if self.terms is None else self.terms
        if not 2 <= terms <= most:
            raise problem(
                f"must lie between 2 and {most} (of {len(self.quantiles)} quantiles), got {terms}", key="terms"
            )
        falls = where_it_falls(self.coefficients())
        if falls is not None:
            advice = "fewer terms, other bounds, or family empirical" if terms > 2 else "family empirical"
            raise problem(
                f"the metalog of {terms} terms is no distribution: its quantile function falls at probability "
                f"{falls:.3g}; try {advice}",
                key="quantiles",
            )
        self.check_truncation()
        return self
