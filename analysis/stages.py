"""The stages of the funnel: which numbers per replicate are made of the counts of a results file, and how.

======================= ==================================================== =========
name                    per replicate                                        kind
======================= ==================================================== =========
persons                 N, mid-year population                               persons
at_risk                 at risk of anything: sum of the risk classes         persons
trafficked              V                                                    persons
destination[d]          victims by destination                               persons
bound                   B, victims whose destination is the border           persons
reached[point]          ever at a journey point                              persons
visits[point]           entries to it, re-entries included; only if asked    events
attempts[k]             making attempt k; only if asked                      persons
interceptions           sum_k attempts[k] - B + finally returned             events
arrived                 A                                                    persons
outcome[state]          by the other absorbing states                        persons
arrival_fraction        A / B, missing where B = 0                           ratio
border_share            A / V, missing where V = 0                           ratio
======================= ==================================================== =========

At risk of anything is a sum of disjoint classes and never of shares by exploitation, which would count persons at risk
of two kinds twice. Interceptions follow from an identity that holds in every replicate: each attempt but the first
follows an interception, and each interception is followed by another attempt or by a final return.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from simcore.errors import ResultsError, UserError, nearest

if TYPE_CHECKING:
    from analysis.embedded import Roles

Kind = Literal["persons", "events", "ratio"]
Section = Literal["source", "destination", "journey", "outcome", "ratio"]
Counts = Mapping[str, NDArray[np.int64]]
"""Variable -> int64 array [rows, *by, *trailing]."""

FAMILIES = ("destination", "reached", "visits", "attempts", "outcome")
"""Names that stand for all stages ``family[...]``."""

ALIASES = {"arrivals": "arrived"}
"""Further words for quantities, beside the aliases of the stages: wherever a quantity is named."""


@dataclass(frozen=True)
class Stage:
    """One number per replicate.

    Attributes
    ----------
    name, label : str
        For programs, for people.
    kind : {"persons", "events", "ratio"}
    section : {"source", "destination", "journey", "outcome", "ratio"}
    variables : tuple of str
        Variables of the results file that it is made of.
    count : callable
        Counts of these variables -> float64 array [rows, *by]; NaN where it is not defined.
    alias : str
        A second name by which it is found; may be empty.
    default : bool
        Whether it belongs to the funnel that is shown unless told otherwise.
    """

    name: str
    label: str
    kind: Kind
    section: Section
    variables: tuple[str, ...]
    count: Callable[[Counts], NDArray[np.float64]]
    alias: str = ""
    default: bool = True

    @property
    def family(self) -> str:
        """Part before the bracket of the name, or of the alias if only that one has a bracket."""
        bracketed = self.alias if "[" in self.alias else self.name
        return bracketed.partition("[")[0]


class Labelled(Protocol):
    """Results, or whatever knows the labels of their dimensions."""

    def labels(self, dimension: str) -> tuple[str, ...]:
        """Return the labels of a dimension."""
        ...


def _place(labels: Sequence[str], name: str, what: str) -> int:
    """Return where a role's label stands; the scenario inside a damaged file may name others than its counts have."""
    if name not in labels:
        raise ResultsError(f"the scenario inside the results names the {what} {name!r}, which is not stored")
    return labels.index(name)


def all_stages(results: Labelled, roles: Roles) -> tuple[Stage, ...]:
    """Return every stage that a results file can give, in the order of the journey.

    Raises
    ------
    ResultsError
        If the roles name a label that is not stored.
    """
    destinations, points = results.labels("dest"), results.labels("point")
    states, attempts = results.labels("absorbing"), results.labels("attempt")
    bound = _place(destinations, roles.bound, "destination")
    arrival, returned = (_place(states, name, "outcome") for name in (roles.arrival, roles.returned))

    def bound_count(counts: Counts) -> NDArray[np.float64]:
        return _one("destination", bound)(counts)

    def interceptions(counts: Counts) -> NDArray[np.float64]:
        made = counts["attempts"].sum(axis=-1) - counts["destination"][..., bound]
        return (made + counts["outcome"][..., returned]).astype(np.float64)

    arrived = _one("outcome", arrival)
    stages = [
        Stage("persons", "Persons", "persons", "source", ("persons",), _whole("persons")),
        Stage("at_risk", "At risk of anything", "persons", "source", ("at_risk",), _summed("at_risk")),
        Stage("trafficked", "Trafficked", "persons", "source", ("victims",), _whole("victims"), "victims"),
    ]
    for number, name in enumerate(destinations):
        label = f"To: {roles.label('dest', name)}"
        if number != bound:
            count = _one("destination", number)
            stages.append(Stage(f"destination[{name}]", label, "persons", "destination", ("destination",), count))
    label = f"Bound for: {roles.label('dest', roles.bound)}"
    stages.append(
        Stage("bound", label, "persons", "journey", ("destination",), bound_count, f"destination[{roles.bound}]")
    )
    for number, name in enumerate(points):
        label = roles.label("point", name)
        stages.append(
            Stage(f"reached[{name}]", f"Reached: {label}", "persons", "journey", ("reached",), _one("reached", number))
        )
    for number, name in enumerate(points):
        label = f"Entries to: {roles.label('point', name)}"
        count = _one("visits", number)
        stages.append(Stage(f"visits[{name}]", label, "events", "journey", ("visits",), count, default=False))
    for number, name in enumerate(attempts):
        label, count = f"Made attempt {name}", _one("attempts", number)
        stages.append(Stage(f"attempts[{name}]", label, "persons", "journey", ("attempts",), count, default=False))
    if roles.interception is not None:
        used = ("attempts", "destination", "outcome")
        stages.append(Stage("interceptions", "Interceptions", "events", "journey", used, interceptions))
    for number, name in enumerate(states):
        alias = f"outcome[{name}]" if number == arrival else ""
        own = "arrived" if number == arrival else f"outcome[{name}]"
        label = roles.label("absorbing", name)
        stages.append(Stage(own, label, "persons", "outcome", ("outcome",), _one("outcome", number), alias))
    stages += [
        Stage(
            "arrival_fraction",
            "Arrived of those bound",
            "ratio",
            "ratio",
            ("outcome", "destination"),
            lambda counts: _ratio(arrived(counts), bound_count(counts)),
        ),
        Stage(
            "border_share",
            "Arrived of those trafficked",
            "ratio",
            "ratio",
            ("outcome", "victims"),
            lambda counts: _ratio(arrived(counts), _whole("victims")(counts)),
        ),
    ]
    return tuple(stages)


def choose_stages(stages: Sequence[Stage], names: Sequence[str] | None) -> tuple[Stage, ...]:
    """Return the stages asked for, in the order of ``stages``.

    Parameters
    ----------
    stages : sequence of Stage
    names : sequence of str or None
        Names, aliases, or families such as ``"visits"``; None takes the usual funnel.

    Raises
    ------
    UserError
        If there is no such quantity.
    """
    if names is None:
        return tuple(stage for stage in stages if stage.default)
    wanted = [names] if isinstance(names, str) else list(names)
    chosen: set[str] = set()
    for name in wanted:
        meant = ALIASES.get(name, name)
        found = [stage.name for stage in stages if meant in (stage.name, stage.alias)]
        if not found and name in FAMILIES:
            found = [stage.name for stage in stages if stage.family == name]
        if not found:
            known = [*(stage.name for stage in stages), *FAMILIES, *ALIASES]
            usual = ", ".join(stage.name for stage in stages if stage.default)
            raise UserError(f"quantities = '{name}': no such quantity{nearest(name, known) or f' (such as {usual})'}")
        chosen.update(found)
    return tuple(stage for stage in stages if stage.name in chosen)


def _whole(variable: str) -> Callable[[Counts], NDArray[np.float64]]:
    return lambda counts: counts[variable].astype(np.float64)


def _summed(variable: str) -> Callable[[Counts], NDArray[np.float64]]:
    return lambda counts: counts[variable].sum(axis=-1).astype(np.float64)


def _one(variable: str, number: int) -> Callable[[Counts], NDArray[np.float64]]:
    return lambda counts: counts[variable][..., number].astype(np.float64)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    missing = np.full(below.shape, np.nan)
    return np.divide(above, below, out=missing, where=below > 0)
