"""Registry of at-risk models: how many of a cell's persons are at risk of which exploitation (docs/model.md A3).

Models are found by name through the entry-point group ``simcore.at_risk_models``; another package may add its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from simcore.errors import ScenarioError, nearest
from simcore.scenario.locations import KeyPath
from simcore.scenario.references import Reference

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario

GROUP = "simcore.at_risk_models"


class AtRiskModel(Protocol):
    """What a model class offers to the scenario room; the source zone asks it for ``compile`` too.

    Four more static methods may be there: ``members(block, scenario)``, the names of other models whose shares it
    takes; ``covariates(block, scenario)``, the names of the covariates that it takes; ``remarks(block, scenario)``,
    what is odd but not wrong, as (key path, text); and ``describe(block, scenario)``, what a reader of the scenario
    should see, as (label, text).
    """

    name: ClassVar[str]
    Block: ClassVar[Any]
    """The table ``[at_risk.<name>]``: a subclass of `simcore.scenario.fields.Table`."""

    @staticmethod
    def references(block: Any, scenario: Scenario) -> Iterable[Reference]:
        """Yield every parameter that a validated ``block`` uses; the keys begin with ``("at_risk", name)``."""
        ...


def known_models() -> tuple[str, ...]:
    """Return the names of all registered models, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def load_model(name: str) -> type[AtRiskModel]:
    """Return the model class registered as ``name``.

    Raises
    ------
    ScenarioError
        Without file and key: if there is no such model, two different ones, or it cannot be imported.
    """
    entries = {entry.value: entry for entry in entry_points(group=GROUP) if entry.name == name}
    if not entries:
        known = known_models()
        raise ScenarioError(
            f"unknown at-risk model {name!r}" + (nearest(name, known) or f" (known: {', '.join(known) or 'none'})")
        )
    if len(entries) > 1:
        raise ScenarioError(f"the at-risk model {name!r} is registered twice: {' and '.join(sorted(entries))}")
    entry = next(iter(entries.values()))
    try:
        model = entry.load()
    except (ImportError, AttributeError) as error:
        raise ScenarioError(f"the at-risk model {name!r} ({entry.value}) cannot be loaded: {error}") from None
    return cast("type[AtRiskModel]", model)


def members_of(model: type[AtRiskModel], block: Any, scenario: Scenario) -> tuple[str, ...]:
    """Return the names of the other models that ``model`` takes shares from; the scenario need not be sound yet."""
    members = getattr(model, "members", None)
    return () if members is None else tuple(members(block, scenario))


def remarks_of(model: type[AtRiskModel], block: Any, scenario: Scenario) -> Sequence[tuple[KeyPath, str]]:
    """Return what ``model`` finds odd but not wrong about a sound scenario: key path and text."""
    remarks = getattr(model, "remarks", None)
    return () if remarks is None else tuple(remarks(block, scenario))


def describe_at_risk(scenario: Scenario) -> list[tuple[str, str]]:
    """Return (label, text) of what the at-risk model in use has to say about itself; empty for one that says nothing.

    Members of a mixture come after the mixture, with their name in front of the label.
    """
    lines: list[tuple[str, str]] = []
    for name, (model, block) in scenario.at_risk_in_use.items():
        describe = getattr(model, "describe", None)
        if describe is not None:
            prefix = "" if name == scenario.document.at_risk.model else f"{name}: "
            lines.extend((f"{prefix}{label}", text) for label, text in describe(block, scenario))
    return lines
