"""From what was asked for to a changed scenario, and whether stored parameter sets can stand for its priors.

Re-weighting changes how often a parameter set counts, nothing else. So only distributions of parameters may change, and
the new distribution may not reach where the stored one could not draw: there is nothing there to count more often.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.difference.changes import list_changes
from simcore.errors import UserError

if TYPE_CHECKING:
    from simcore.model import CompiledModel
    from simcore.scenario import ParameterElement, Scenario
    from simcore.scenario.patches import Layer
    from simcore.store import Results

_ROUNDING = 1e-12  # relative, of the ends of a support
_NO_MASS = 1e-12  # rounding of a probability
_NAMED = 4
_NOT_TAKEN = ("base", "schema_version", "name", "title", "description")


@dataclass(frozen=True)
class ChangedPrior:
    """An element of a parameter whose distribution changed.

    Attributes
    ----------
    old, new : ParameterElement
        The same element in the stored and in the changed scenario.
    """

    old: ParameterElement
    new: ParameterElement

    @property
    def name(self) -> str:
        """Name of the element."""
        return self.old.name


def patch_layer(path: Path) -> Layer:
    """Return a file of changed priors as a layer on the stored scenario.

    It is written as a patch is: ``[parameters.NAME]`` tables with a ``distribution``. A patch of a scenario will do;
    its ``base``, name and texts are passed over, because the stored scenario takes the place of the base.

    Raises
    ------
    ScenarioError
        If it cannot be read or is no TOML.
    UserError
        If it changes anything but parameters.
    """
    from simcore.scenario.finding import read_toml_text, shown_path
    from simcore.scenario.patches import Layer
    from simcore.scenario.reading import parse_toml

    shown = shown_path(path)
    text = read_toml_text(path, shown)
    data = parse_toml(text, shown)
    others = [key for key in data if key not in (*_NOT_TAKEN, "parameters")]
    if others:
        raise UserError(
            f"{shown}: {', '.join(others)}: re-weighting can change distributions of parameters only; run the changed "
            "scenario instead"
        )
    return Layer(shown, {key: value for key, value in data.items() if key not in _NOT_TAKEN}, text, path.parent)


def changed_scenario(results: Results, layers: Sequence[Layer]) -> Scenario:
    """Return the scenario of a results file with patches and settings on top.

    Raises
    ------
    ResultsError
        If the file holds no scenario.
    ScenarioError
        If what comes out is not one.
    """
    from simcore.errors import ResultsError
    from simcore.runner.embedding import SCENARIO_DOCUMENT, TABLE_PREFIX
    from simcore.scenario import scenario_from_embedded

    documents = results.documents()
    if SCENARIO_DOCUMENT not in documents:
        raise ResultsError(f"{results.path or 'results in memory'}: holds no scenario")
    tables = {
        name.removeprefix(TABLE_PREFIX): text for name, text in documents.items() if name.startswith(TABLE_PREFIX)
    }
    return scenario_from_embedded(documents[SCENARIO_DOCUMENT], tables, above=layers)


def refuse_other_changes(old: Scenario, new: Scenario) -> None:
    """Raise unless nothing that can move a count differs but distributions of parameters.

    Raises
    ------
    UserError
        Naming what else differs.
    """
    others = []
    for change in list_changes(old, new):
        if change.kind == "parameter" and change.effective:
            if change.what != "changed":
                others.append(f"parameter {change.name} ({change.what})")
            elif change.before.get("index") != change.after.get("index"):
                others.append(f"index of parameter {change.name}")
        elif change.effective:
            others.append(change.name)
    if others:
        named = ", ".join(others[:_NAMED]) + (f" and {len(others) - _NAMED} more" if len(others) > _NAMED else "")
        raise UserError(
            f"re-weighting can change distributions of parameters only, and this also changes {named}; run the "
            "changed scenario instead"
        )


def changed_priors(old: CompiledModel, new: CompiledModel) -> tuple[ChangedPrior, ...]:
    """Return the elements whose distributions differ and that are drawn, in the order of theta.

    Raises
    ------
    UserError
        If a new distribution reaches where the stored one could not draw, naming both ranges.
    """
    elements = {element.name: element for element in new.space.elements}
    found = []
    for element in old.space.elements:
        other = elements.get(element.name)
        if other is None or element.distribution == other.distribution:
            continue
        problem = unreachable(element.distribution, other.distribution)
        if problem:
            raise UserError(f"parameters.{element.parameter}.distribution: {problem}; run the changed scenario instead")
        found.append(ChangedPrior(element, other))
    return tuple(found)


def unreachable(old: Any, new: Any) -> str:
    """Return why draws of one declared distribution cannot stand for another; empty if they can."""
    if old.family == "switch" or new.family == "switch":
        return "a switch cannot be re-weighted; change the parameters that it chooses between"
    if old.is_simplex != new.is_simplex or tuple(old.components) != tuple(new.components):
        return f"the stored shares are {_listed(old.components)}, the new ones {_listed(new.components)}"
    if _is_category(old) != _is_category(new) or tuple(_categories(old)) != tuple(_categories(new)):
        return f"the stored categories are {_listed(_categories(old))}, the new ones {_listed(_categories(new))}"
    if old.family == "fixed_shares":
        return "the stored run had fixed shares, so nothing else was drawn"
    if new.family == "fixed_shares":
        return "fixed shares have no density to re-weight to"
    (lowest, highest), (least, most) = old.support(), new.support()
    if not _is_category(old):
        if lowest == highest:
            return f"the stored run has the single value {lowest:g}, so nothing else was drawn"
        if least == most:
            return f"the single value {least:g} has no density to re-weight to"
    if _below(least, lowest) or _below(highest, most):
        return f"reaches from {least:g} to {most:g}, but the stored run drew from {lowest:g} to {highest:g} only"
    for begin, end in _gaps(old):
        mass = _mass_between(new, begin, end)
        if mass > _NO_MASS:
            return (
                f"puts {mass:.3g} of its probability between {begin:g} and {end:g}, where no expert of the stored pool "
                "put any"
            )
    return ""


def _gaps(distribution: Any) -> list[tuple[float, float]]:
    """Return the intervals between the experts of a pool to which none of them gives any probability."""
    if distribution.family != "pool":
        return []
    (_, reached), *others = sorted(expert.distribution.support() for expert in distribution.experts.values())
    found = []
    for begin, end in others:
        if begin > reached:
            found.append((reached, begin))
        reached = max(reached, end)
    return found


def _mass_between(distribution: Any, begin: float, end: float) -> float:
    """Return the probability of a declared scalar strictly between two values."""
    from simcore.uncertainty.exact import exact_law

    law = exact_law(distribution)
    assert law is not None  # the support was checked
    return float(law.cdf(end) - law.cdf(begin))


def _is_category(distribution: Any) -> bool:
    return bool(getattr(distribution, "is_category", False))


def _categories(distribution: Any) -> Sequence[str]:
    return tuple(getattr(distribution, "categories", ()))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _below(one: float, other: float) -> bool:
    """Return whether ``one`` is below ``other`` by more than rounding."""
    if math.isinf(one) or math.isinf(other):
        return one < other
    return one < other - _ROUNDING * max(abs(one), abs(other))
