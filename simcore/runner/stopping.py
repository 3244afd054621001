"""When a run may end before its last replicate: the protocol of a stopping rule, and the points at which it is asked.

The engine does not know what a quantity or a standard error is. A rule is any object with the members of
`StoppingRule`; rules written as text are read by a package that registers a reader under the entry-point group
``simcore.stopping``. A rule is told the totals of every block in the order of replicates and asked at block counts that
are fixed beforehand, so the number of threads decides nothing: the run ends at the same replicate, and its counts are
those of a run of exactly that many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from simcore.errors import UserError
from simcore.runner.embedding import embedded_documents
from simcore.store.description import Attribute
from simcore.store.layout import CHUNK_ROWS
from simcore.uncertainty.design import Design

if TYPE_CHECKING:
    from simcore.scenario import Scenario

GROUP = "simcore.stopping"
DEFAULT_MINIMUM = 2 * CHUNK_ROWS
"""Replicates before which no rule is asked, unless told otherwise."""

TARGET_MET, MAXIMUM_REACHED, INTERRUPTED = "target met", "maximum reached", "interrupted"
_STEP = 16  # a rule is asked again when the run has grown by a sixteenth: so much is simulated in vain at most

Totals = Mapping[str, npt.NDArray[np.int64]]
"""Variable -> counts of a block of replicates, summed over strata, int64 [rows, *trailing]."""


@runtime_checkable
class StoppingRule(Protocol):
    """What a run asks of a rule.

    Attributes
    ----------
    rules : sequence of str
        The rule in words, one per condition; stored with the results and part of what makes two runs the same.
    variables : sequence of str
        Stored variables whose totals `update` wants.
    """

    rules: Sequence[str]
    variables: Sequence[str]

    def update(self, totals: Totals) -> None:
        """Take in the next block of replicates."""
        ...

    def met(self) -> bool:
        """Return whether the run may end with the replicates taken in so far."""
        ...

    def achieved(self) -> Sequence[tuple[float, float]]:
        """Return (estimate, Monte Carlo standard error) of every condition when it was last asked; NaN if unknown."""
        ...

    def standing(self) -> str:
        """Return in a few words how far the rule is from being met."""
        ...


class Stopping:
    """A rule at work in one run.

    Parameters
    ----------
    rule : StoppingRule
    design : Design
        A random one (`simcore.run` refuses others); its replicates are the maximum.
    minimum : int, optional
        Replicates before which the rule is not asked; counted in whole blocks.

    Raises
    ------
    UserError
        If the design is nested, or the minimum is no number from 1 to the maximum.
    """

    def __init__(self, rule: StoppingRule, design: Design, minimum: int | None = None) -> None:
        if design.inner > 1:
            raise UserError(
                f"until = '{rule.rules[0]}': a rule counts independent replicates, those of a nested run are alike "
                "within a parameter set; give a number of replicates instead"
            )
        maximum = design.replicates
        if minimum is not None and (isinstance(minimum, bool) or not isinstance(minimum, int) or minimum < 1):
            raise UserError(f"until_minimum = {minimum!r}: must be a whole number of replicates, at least 1")
        if minimum is not None and minimum > maximum:
            raise UserError(f"until_minimum = {minimum}: must not pass the number of replicates, {maximum}")
        self.rule = rule
        self.maximum = maximum
        self.minimum = min(DEFAULT_MINIMUM, maximum) if minimum is None else minimum
        self.met = False
        self._blocks = self._rows = 0
        self._next = -(-self.minimum // CHUNK_ROWS)

    @property
    def identity(self) -> dict[str, Attribute]:
        """What distinguishes the run from others, as root attributes."""
        return {"until": list(self.rule.rules), "until_minimum": self.minimum, "until_maximum": self.maximum}

    def take(self, totals: Totals, rows: int) -> bool:
        """Take in the next block, ``rows`` being all replicates up to its end; return whether the run ends here."""
        self.rule.update(totals)
        self._blocks += 1
        self._rows = rows
        if self._blocks >= self._next or rows == self.maximum:
            self.met = self.rule.met()
            self._next = max(self._next, self._blocks + -(-self._blocks // _STEP))
        return self.met

    def outcome(self) -> dict[str, Attribute]:
        """Return root attributes: why the run ended, and the estimates with their standard errors at its end."""
        achieved = np.array(self.rule.achieved(), dtype=np.float64).reshape(-1, 2)
        ended = MAXIMUM_REACHED if self._rows == self.maximum else INTERRUPTED
        return {
            "stopped_because": TARGET_MET if self.met else ended,
            "until_estimate": achieved[:, 0].tolist(),
            "until_mcse": achieved[:, 1].tolist(),
        }


def labels_of(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Return the labels of the trailing dimensions of the counts of a scenario, by dimension."""
    document = scenario.document
    return {
        "dest": tuple(document.destinations.levels),
        "point": tuple(document.transit.points),
        "absorbing": tuple(document.outcomes.levels),
        "attempt": tuple(str(number) for number in range(1, document.transit.attempt_cap + 1)),
    }


def read_rule(until: str | Sequence[str] | StoppingRule, scenario: Scenario) -> StoppingRule:
    """Return a rule as it is, or have its text read by the package that knows how.

    Raises
    ------
    UserError
        If the text is no rule, or no package reads it.
    """
    if isinstance(until, StoppingRule):
        return until
    texts = [until] if isinstance(until, str) else list(until) if isinstance(until, Sequence) else []
    if not texts or not all(isinstance(text, str) for text in texts):
        raise UserError(f"until = {until!r}: must be a rule, such as 'arrived.q95 mcse<=1%', or several")
    readers = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    if not readers:
        raise UserError(f"until = '{texts[0]}': no package that reads stopping rules is installed")
    try:
        reader = readers[0].load()
    except (ImportError, AttributeError) as problem:
        raise UserError(f"until = '{texts[0]}': {readers[0].value} cannot be loaded ({problem})") from None
    rule: StoppingRule = reader(texts, labels_of(scenario), embedded_documents(scenario))
    return rule
