"""What a scenario assumes: every parameter with its quantiles, its grade and sources, and the rules that carry it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from simcore.errors import ScenarioError
from simcore.scenario.fields import Grade
from simcore.scenario.stages import describe_references, first_stages, references_by_parameter

if TYPE_CHECKING:
    from simcore.scenario import Scenario
    from simcore.scenario.distributions import FitReport
    from simcore.scenario.schema import Document

GRADES: tuple[str, ...] = get_args(Grade)
PROBABILITIES = (0.05, 0.5, 0.95)

_FIXED = ("fixed", "fixed_shares")


@dataclass(frozen=True)
class Assumption:
    """One parameter as a reader of the scenario needs it.

    Attributes
    ----------
    name, label, unit, grade, note : str
    distribution : str
        Family and what was given.
    index, source : tuple of str
    stage : str or None
        The first stage that uses it; None if nothing does.
    rules : tuple of str
        Which rules carry it.
    elements : tuple of str
        Its separate draws.
    columns : tuple of str
        Columns of theta that it fills: every component of a simplex is one.
    is_fixed : bool
        Whether it is taken as known.
    quantiles : dict
        Component (empty for a scalar) -> quantiles at `PROBABILITIES`; of a simplex, of each share alone.
    fits : tuple
        (expert or empty, report) of what was declared by quantiles.
    """

    name: str
    label: str
    unit: str
    grade: str
    note: str
    distribution: str
    index: tuple[str, ...]
    source: tuple[str, ...]
    stage: str | None
    rules: tuple[str, ...]
    elements: tuple[str, ...]
    columns: tuple[str, ...]
    is_fixed: bool
    quantiles: dict[str, tuple[float, ...]]
    fits: tuple[tuple[str, FitReport], ...]

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        keys = [f"q{100 * p:02.0f}" for p in PROBABILITIES]
        return {
            "name": self.name,
            "label": self.label or None,
            "stage": self.stage,
            "distribution": self.distribution,
            "quantiles": [
                {"component": component or None, **dict(zip(keys, values, strict=True))}
                for component, values in self.quantiles.items()
            ],
            "unit": self.unit,
            "index": list(self.index),
            "elements": list(self.elements),
            "scalars": len(self.columns),
            "fixed": self.is_fixed,
            "source": list(self.source),
            "grade": self.grade,
            "used_by": list(self.rules),
            "fits": [fit_data(expert, report) for expert, report in self.fits],
            "note": self.note or None,
        }


def fit_data(expert: str, report: FitReport) -> dict[str, Any]:
    """Return what a distribution declared by quantiles became, as plain data."""
    return {
        "expert": expert or None,
        "family": report.family,
        "parameters": dict(report.parameters),
        "largest_residual": report.largest_residual,
        "quantiles": [
            {"name": one.name, "asked": one.asked, "given": one.given, "residual": one.residual}
            for one in report.quantiles
        ],
    }


def collect_assumptions(scenario: Scenario) -> list[Assumption]:
    """Return every parameter of a scenario, in the order of the file.

    Raises
    ------
    ScenarioError
        If a distribution cannot be drawn from, such as one that is cut where it has no probability.
    """
    from simcore.scenario.distributions import fit_reports

    stages, references = first_stages(scenario), references_by_parameter(scenario)
    elements: dict[str, list[Any]] = {name: [] for name in scenario.document.parameters}
    for element in scenario.elements().values():
        elements[element.parameter].append(element)
    return [
        Assumption(
            name=name,
            label=parameter.label or "",
            unit=parameter.unit,
            grade=parameter.grade,
            note=" ".join((parameter.note or "").split()),
            distribution=describe_distribution(parameter.distribution),
            index=tuple(parameter.index),
            source=tuple(parameter.source or ()),
            stage=stages.get(name),
            rules=tuple(describe_references(references[name])),
            elements=tuple(element.name for element in elements[name]),
            columns=tuple(column for element in elements[name] for column in element.columns),
            is_fixed=parameter.distribution.family in _FIXED,
            quantiles=_quantiles_at(scenario, name),
            fits=tuple((path[1] if path else "", report) for path, report in fit_reports(parameter.distribution)),
        )
        for name, parameter in scenario.document.parameters.items()
    ]


def _quantiles_at(scenario: Scenario, name: str) -> dict[str, tuple[float, ...]]:
    """Return `quantiles_of` a parameter; a mistake in its distribution is told with its place."""
    distribution = scenario.document.parameters[name].distribution
    try:
        return quantiles_of(distribution)
    except ScenarioError as problem:
        raise scenario.error(("parameters", name, "distribution"), str(problem)) from None


def quantiles_of(distribution: Any) -> dict[str, tuple[float, ...]]:
    """Return component (empty for a scalar) -> exact quantiles at `PROBABILITIES`; none for a choice or a switch.

    A share of Dirichlet(a) alone is Beta(a_i, sum of the other a_j).
    """
    from scipy import special

    from simcore.uncertainty.exact import exact_quantile
    from simcore.uncertainty.parameters import dirichlet_weights
    from simcore.uncertainty.quantiles import quantile_rule

    if distribution.is_category or distribution.family == "switch":
        return {}
    levels = np.array(PROBABILITIES)
    match distribution.family:
        case "dirichlet":
            weights = dirichlet_weights(distribution)
            shares = [special.betaincinv(weight, weights.sum() - weight, levels) for weight in weights]
        case "fixed_shares":
            shares = [np.full_like(levels, share) for share in distribution.shares.values()]
        case _:
            quantile_rule(distribution)  # refuses what cannot be drawn from
            return {"": tuple(exact_quantile(distribution, levels).tolist())}
    return {name: tuple(share.tolist()) for name, share in zip(distribution.components, shares, strict=True)}


def describe_distribution(distribution: Any) -> str:
    """Return a distribution as its family and what was given, such as ``beta(mean=0.05, size=20)``."""
    given = distribution.model_dump(exclude_none=True)
    family = given.pop("family")
    given |= {end: given.pop(end) for end in ("lower", "upper") if end in given}  # truncation comes last
    return f"{family}({', '.join(f'{name}={_value(value)}' for name, value in given.items())})"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} {_value(share)}" for name, share in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def count_grades(document: Document) -> dict[str, int]:
    """Return grade -> number of parameters that have it."""
    counted = Counter(str(parameter.grade) for parameter in document.parameters.values())
    return {grade: counted[grade] for grade in GRADES}
