"""Which engine a run uses: what was asked for, what can be done, and for ``auto`` what is predicted to be faster.

The prediction uses costs measured once (see benchmarks/README.md) and the mean numbers of bound victims, never a clock:
the same scenario and seed choose the same engine on every machine, so a run can be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simcore.engines.cohort import counts_pay, crowds_of
from simcore.engines.replicates import WALKERS
from simcore.errors import ScenarioError, UserError, nearest
from simcore.model import CompiledModel, Streams
from simcore.source_zone.plan import FloatArray, IntArray, expected_bound
from simcore.transit_zone.plan import FlowPlan

AGENT_ENGINE, COHORT_ENGINE, AUTO = "agent", "cohort", "auto"
ENGINES = (AGENT_ENGINE, COHORT_ENGINE, AUTO)
DEFAULT_WALKER = "collapsed"

# Costs in units of one person walked; what `auto` decides is right within a fifth of the time as long as these are
# right within a factor of two.
_DRAW = 4.0  # a binomial draw of a crowd, averaged over all states of its class
_STRATUM = 120.0  # everything that both engines do for a stratum
WORTH_IT = 0.9  # agents keep their identity, which pairs runs better: counts must save more than a tenth of the time

PILOT_SETS = 64


@dataclass(frozen=True)
class EngineChoice:
    """The engine of a run and why.

    Attributes
    ----------
    engine : {"agent", "cohort"}
    reason : str
        One sentence.
    way : int
        What `simulate_rows` knows the walker by.
    flows : FlowPlan or None
        The expanded journeys, if the engine moves counts.
    """

    engine: str
    reason: str
    way: int
    flows: FlowPlan | None


def check_engine(engine: str, walker: str) -> None:
    """Refuse an unknown engine or walker, or a pair that does not fit.

    Raises
    ------
    UserError
        Naming the argument, its value and what is possible.
    """
    for name, value, known in (("engine", engine, ENGINES), ("walker", walker, tuple(WALKERS))):
        if value not in known:
            raise UserError(f"{name} = '{value}': unknown{nearest(value, known)} (known: {', '.join(known)})")
    if engine == COHORT_ENGINE and walker != DEFAULT_WALKER:
        raise UserError(f"walker = '{walker}': engine 'cohort' moves counts, nobody walks; use engine 'agent'")


def walked(model: CompiledModel, walker: str = DEFAULT_WALKER, reason: str = "asked for") -> EngineChoice:
    """Return the agent engine as the choice."""
    return EngineChoice(AGENT_ENGINE, reason, WALKERS[walker], None)


def choose_engine(
    model: CompiledModel, streams: Streams, stratum_slot: IntArray, *, thetas: int, engine: str, walker: str
) -> EngineChoice:
    """Return the engine that a run uses.

    Parameters
    ----------
    model : CompiledModel
    streams : Streams
    stratum_slot : int64 [S]
        Where a stratum is stored; strata that are stored together move together.
    thetas : int
        Parameter sets of the run; `auto` looks at the first of them.
    engine, walker : str
        What was asked for, checked by `check_engine`.

    Raises
    ------
    ScenarioError
        If the cohort engine was asked for and cannot do the scenario; it says which feature is in the way.
    """
    if engine == AGENT_ENGINE:
        return walked(model, walker)
    if engine == COHORT_ENGINE:
        return EngineChoice(COHORT_ENGINE, "asked for", WALKERS[DEFAULT_WALKER], model.flows)
    if walker != DEFAULT_WALKER:
        return walked(model, walker, f"the walker {walker} was asked for")
    try:
        flows = model.flows
    except ScenarioError as refusal:
        return walked(model, walker, f"the cohort engine cannot do it: {refusal}")
    ids = np.arange(min(thetas, PILOT_SETS), dtype=np.uint32)
    theta = model.draw_theta(streams, ids)
    shares, _ = model.at_risk_shares(theta)
    bound = np.empty((ids.size, stratum_slot.size))
    expected_bound(model.source, theta, model.draw_scores(streams, ids, np.zeros_like(ids)), shares, bound)
    if not bound.any():
        return walked(model, walker, "nobody is bound")
    saved, crowds, moved = _predicted(model, flows, stratum_slot, bound)
    found = (
        f"counts are cheaper than persons for {moved:.1f} of {crowds:.1f} crowds in the mean replicate; predicted time "
        f"{saved:.2f} of the agent engine's"
    )
    if saved < WORTH_IT:
        return EngineChoice(COHORT_ENGINE, found, WALKERS[DEFAULT_WALKER], flows)
    return walked(model, walker, found)


def _predicted(
    model: CompiledModel, flows: FlowPlan, stratum_slot: IntArray, bound: FloatArray
) -> tuple[float, float, float]:
    """Return cohort time over agent time, and per replicate: crowds with somebody in them, crowds moved as counts."""
    transit = model.transit
    crowd = crowds_of(transit, stratum_slot)
    agents = cohort = 0.0
    crowds = moved = 0
    draws = [int(flows.state_first_draw[stop - 1]) for stop in flows.class_first_state[1:]]
    active = int(np.count_nonzero(transit.class_of >= 0))
    for persons in bound:
        merged = np.bincount(crowd, weights=persons, minlength=crowd.size)
        agents += _STRATUM * active + persons.sum()
        cohort += _STRATUM * active
        for first in np.flatnonzero(merged >= 0.5):
            journey = int(transit.class_of[first])
            crowds += 1
            if counts_pay(flows, journey, int(merged[first])):
                moved += 1
                cohort += _DRAW * draws[journey]
            else:
                cohort += merged[first]
    return float(cohort / agents), crowds / len(bound), moved / len(bound)
