"""How many replicates per parameter set are best for a mean, at a given cost (docs/model.md D4).

n_out sets of n_in replicates cost n_out (c_out + n_in c_in) and give a mean with the variance
V_E / n_out + V_A / (n_out n_in), V_E from parameters and V_A from chance. At equal cost the best is::

    n_in* = sqrt(c_out V_A / (c_in V_E))                                                                (1)

What a set costs is more than drawing it: the tables of its journeys are made when its first replicate is simulated. So
the costs are measured here by simulating some sets twice, with one replicate of each and with the *same* replicate
several times: the second takes longer by replicates alone, and chance does not enter.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.quantity import number_or_none
from analysis.variance.parts import CHANCE, PARAMETERS
from simcore.model import compile_model
from simcore.runner.blocks import Work, new_block, simulate_slice
from simcore.runner.choice import DEFAULT_WALKER, choose_engine
from simcore.runner.embedding import scenario_of
from simcore.runner.slots import make_slots
from simcore.uncertainty.design import Design, IdArray

if TYPE_CHECKING:
    from analysis.variance.split import OutputSplit
    from simcore.store import Results

MOST_INNER = 10**6
"""Largest inner size that is suggested: without any variance from parameters there is no best one."""

PILOT_SETS, PILOT_REPEATS = 128, 8

_ATTEMPTS = 3  # of every measurement; the fastest counts, for what disturbs a clock only makes it slower


class RepeatedReplicate(Design):
    """Sets whose replicates are all the same one."""

    def replicate_ids(self, first: int, stop: int) -> IdArray:
        """Return replicate_id 0 for every row."""
        return np.zeros(stop - first, dtype=np.uint32)


@dataclass(frozen=True)
class Costs:
    """Processor time of one parameter set and of one replicate [s]."""

    set: float
    replicate: float


@dataclass(frozen=True)
class InnerSize:
    """The best inner size for the mean of one output.

    Attributes
    ----------
    best : int
        Formula (1), rounded to the better neighbour; 1 where chance adds nothing.
    outer : int
        Parameter sets that cost as much as the present run.
    present_error, best_error : float
        Standard error of the mean as the run was made, and at equal cost with the best size.
    """

    best: int
    outer: int
    present_error: float
    best_error: float

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "best_inner": self.best,
            "outer_at_equal_cost": self.outer,
            "present_error": number_or_none(self.present_error),
            "best_error": number_or_none(self.best_error),
        }


def measure_costs(results: Results) -> Costs:
    """Measure what a parameter set and a replicate cost, here and now, by scenario, engine and walker of a file."""
    facts: Mapping[str, Any] = results.attributes
    model = compile_model(scenario_of(results), routes=facts["walker"] == DEFAULT_WALKER)
    stored = str(facts["store_by"])
    slots = make_slots(model, by=stored.split(",") if stored else (), ended=bool(int(facts["ended"])))
    streams = model.streams(int(facts["seed"]))
    engine = {"engine": str(facts["engine"]), "walker": str(facts["walker"])}
    choice = choose_engine(model, streams, slots.stratum_slot, thetas=PILOT_SETS, **engine)
    seconds = []
    for inner in (1, PILOT_REPEATS):
        work = Work(model, streams, slots, RepeatedReplicate(PILOT_SETS, inner), choice)
        seconds.append(min(_seconds(work) for _ in range(_ATTEMPTS + 1)))  # one more, which may compile
    replicate = (seconds[1] - seconds[0]) / (PILOT_SETS * (PILOT_REPEATS - 1))
    replicate = max(replicate, 1e-3 * seconds[1] / (PILOT_SETS * PILOT_REPEATS))  # where the clock was too coarse
    return Costs(max(seconds[0] / PILOT_SETS - replicate, 0.0), replicate)


def _seconds(work: Work) -> float:
    """Simulate all rows of a design in this thread and return how long it took [s]."""
    block = new_block(work, 0, keep_theta=False)
    begun = time.perf_counter()
    simulate_slice(work, block, 0, block.rows)
    return time.perf_counter() - begun


def best_inner_size(from_parameters: float, from_chance: float, costs: Costs) -> int:
    """Return the best number of replicates per parameter set.

    Parameters
    ----------
    from_parameters, from_chance : float
        V_E and V_A; below 0 by noise counts as 0.
    costs : Costs
    """
    if not from_chance > 0.0 or not costs.set > 0.0:
        return 1
    if not from_parameters > 0.0:
        return MOST_INNER
    best = math.sqrt(costs.set * from_chance / (costs.replicate * from_parameters))
    if best >= MOST_INNER:
        return MOST_INNER
    lower = max(1, math.floor(best))
    return min((lower, lower + 1), key=lambda inner: _cost_times_variance(inner, from_parameters, from_chance, costs))


def inner_size(output: OutputSplit, outer: int, inner: int, costs: Costs) -> InnerSize:
    """Return the best inner size for the mean of one output, beside the present one.

    Parameters
    ----------
    output : OutputSplit
    outer, inner : int
        Parameter sets and replicates of each, as the run was made.
    costs : Costs
    """
    parts = output.parts.parts
    between, chance = max(parts[PARAMETERS].variance, 0.0), max(parts[CHANCE].variance, 0.0)
    best = best_inner_size(between, chance, costs)
    cost = outer * (costs.set + inner * costs.replicate)
    sets = max(1, round(cost / (costs.set + best * costs.replicate)))
    present = math.sqrt(between / outer + chance / (outer * inner))
    improved = math.sqrt(_cost_times_variance(best, between, chance, costs) / cost)
    return InnerSize(best, sets, present, improved)


def inner_sizes(outputs: Sequence[OutputSplit], outer: int, inner: int, costs: Costs) -> list[InnerSize]:
    """Return `inner_size` of every output."""
    return [inner_size(output, outer, inner, costs) for output in outputs]


def _cost_times_variance(inner: int, between: float, chance: float, costs: Costs) -> float:
    """Variance of the mean times what it cost: free of the number of sets."""
    return (costs.set + inner * costs.replicate) * (between + chance / inner)
