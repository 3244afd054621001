"""Stopping rules as people write them: ``arrived.q95 mcse<=1%``.

::

    QUANTITY.STATISTIC mcse<=TARGET        STATISTIC: mean, median, or qNN such as q05, q95, q97.5
                                           TARGET: 1% of the estimate, or 250 in its own unit

A quantity is named as in `analysis.stages`. A relative target asks for a positive estimate: zero with an error of zero
is no precision. The rule is registered under the entry-point group ``simcore.stopping`` and follows the protocol of
`simcore.runner.stopping`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.convergence_running import RunningMean, RunningQuantile
from analysis.convergence_statistics import probability_of
from analysis.embedded import read_roles
from analysis.number_format import significant
from analysis.stages import ALIASES, FAMILIES, Stage, all_stages
from simcore.errors import UserError, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FORM = "QUANTITY.STATISTIC mcse<=TARGET, such as 'arrived.q95 mcse<=1%'"
_RULE = re.compile(
    r"\s*(?P<quantity>[^\s.\[\]]+(?:\[[^\]]*\])?)\.(?P<statistic>\S+)\s+mcse\s*<=\s*(?P<target>[^\s%]+)\s*(?P<unit>%?)\s*"
)


@dataclass(frozen=True)
class Described:
    """As much of a results file as naming its quantities takes, before there is one.

    Attributes
    ----------
    dimensions : mapping of dimension -> labels
    texts : mapping of name -> document
    """

    dimensions: Mapping[str, Sequence[str]]
    texts: Mapping[str, str]
    path: None = None

    def labels(self, dimension: str) -> tuple[str, ...]:
        """Return the labels of a dimension."""
        return tuple(self.dimensions[dimension])

    def documents(self) -> dict[str, str]:
        """Return the documents by name."""
        return dict(self.texts)


class Condition:
    """One target, and the estimate that is to reach it.

    Parameters
    ----------
    stage : Stage
    statistic : str
        As written.
    probability : float or None
        None for the mean.
    target : float
        Largest standard error, in the unit of the quantity or as a share of the estimate.
    relative : bool
    """

    def __init__(
        self, stage: Stage, statistic: str, probability: float | None, target: float, *, relative: bool
    ) -> None:
        self.stage = stage
        self.target, self.relative = target, relative
        wanted = f"{100.0 * target:.10g}%" if relative else f"{target:.10g}"
        self.name = f"{stage.name}.{statistic}"
        self.text = f"{self.name} mcse<={wanted}"
        self.estimate = self.error = math.nan
        self._running = RunningMean() if probability is None else RunningQuantile(probability)

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in the values of a block."""
        self._running.add(values)

    def met(self) -> bool:
        """Look at the values so far; a missing error never meets a target."""
        self.estimate, self.error = self._running.figure()
        if self.relative:
            return self.estimate > 0.0 and self.error <= self.target * self.estimate
        return self.error <= self.target

    def standing(self) -> str:
        """Return the error when last looked at, in the unit of the target."""
        if math.isnan(self.error):
            return f"{self.name} mcse -"
        if not self.relative:
            return f"{self.name} mcse {significant(self.error, 2)} (target {self.target:.10g})"
        if not self.estimate > 0.0:
            return f"{self.name} is 0"
        share = significant(100.0 * self.error / self.estimate, 2)
        return f"{self.name} mcse {share} % (target {100.0 * self.target:.10g} %)"


class Rule:
    """Several conditions that must hold at once; follows `simcore.runner.stopping.StoppingRule`."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self.conditions = tuple(conditions)
        self.rules = tuple(condition.text for condition in conditions)
        self.variables = tuple(dict.fromkeys(name for each in conditions for name in each.stage.variables))

    def update(self, totals: Mapping[str, NDArray[np.int64]]) -> None:
        """Take in a block: variable -> int64 [rows, *trailing]."""
        for condition in self.conditions:
            condition.add(condition.stage.count(totals))

    def met(self) -> bool:
        """Return whether every condition holds; all of them are looked at."""
        met = [condition.met() for condition in self.conditions]
        return all(met)

    def achieved(self) -> list[tuple[float, float]]:
        """Return (estimate, standard error) of every condition."""
        return [(condition.estimate, condition.error) for condition in self.conditions]

    def standing(self) -> str:
        """Return the errors when last looked at; empty before the first look."""
        looked = [each.standing() for each in self.conditions if not math.isnan(each.estimate)]
        return ", ".join(looked)


def read_stopping_rule(texts: Sequence[str], labels: Mapping[str, Sequence[str]], documents: Mapping[str, str]) -> Rule:
    """Read rules.

    Parameters
    ----------
    texts : sequence of str
        At least one.
    labels : mapping of dimension -> labels
        Of destinations, points, outcomes and attempts.
    documents : mapping of name -> text
        Those that the results will hold; the scenario names the roles.

    Returns
    -------
    Rule

    Raises
    ------
    UserError
        A text that is no rule, with the nearest known word; a target that is not above 0.
    """
    described = Described(labels, documents)
    stages = all_stages(described, read_roles(described))
    return Rule([_read(text, stages) for text in texts])


def _read(text: str, stages: Sequence[Stage]) -> Condition:
    match = _RULE.fullmatch(text)
    if match is None:
        raise UserError(f"until '{text}': must read {_FORM}")
    name, statistic = match["quantity"], match["statistic"]
    stage = _stage(text, name, stages)
    try:
        probability = probability_of(statistic)
    except UserError as error:
        raise UserError(f"until '{text}': {error}") from None
    try:
        target = float(match["target"])
    except ValueError:
        target = math.nan
    if not 0.0 < target < math.inf:
        raise UserError(f"until '{text}': target {match['target']}{match['unit']}: must be a number above 0")
    relative = bool(match["unit"])
    return Condition(stage, statistic, probability, target / 100.0 if relative else target, relative=relative)


def _stage(text: str, name: str, stages: Sequence[Stage]) -> Stage:
    name = ALIASES.get(name, name)
    found = [stage for stage in stages if name in (stage.name, stage.alias)]
    if found:
        return found[0]
    if name in FAMILIES:
        example = next(stage.name for stage in stages if stage.family == name)
        raise UserError(f"until '{text}': '{name}' stands for several quantities; name one, such as {example}")
    known = [word for stage in stages for word in (stage.name, stage.alias) if word]
    raise UserError(f"until '{text}': no such quantity '{name}'{nearest(name, [*known, *ALIASES])}")
