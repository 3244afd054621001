"""The cohort walk: counts of persons move from state to state by exact binomial draws (docs/model.md F).

The persons of a stratum who stand in one state, (attempt, point, points reached so far), move on independently and with
equal probabilities, so their numbers by leg, by exit and by cause are multinomial given their number, and are drawn as
conditional binomials. Every stored count is a sum over these moves; its joint law is that of the agent engine. The cost
depends on the number of states, not of persons.

Draws of a state with n persons, in this order; ``d`` is the state's first draw index (see `transit_zone.flows`):

* ``d + i``: those who take leg i of its ``choices``, among those who took none of the legs before; none for the last;
* then for leg i, from ``d + choices + i (C + 1)`` on: those who do not continue (draw 0), of them those who ended by
  cause c among those who ended by none before (draw 1 + c), of the intercepted those who try again (draw C).

Strata of one journey class that are stored together have equal probabilities, and multinomials with equal
probabilities add: they are moved as one, a *crowd*, with the stream of its first stratum. All crowds of a class take
each draw together, which vectorises.

A crowd of few persons, compared with the draws that its states need, is cheaper to walk one by one: that decision
depends on the plan and the number of persons alone, so it is the same in every run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel, inner_kernel
from simcore.engines.counts import Counts
from simcore.engines.keys import Keys
from simcore.engines.random import fill_addressed_blocks
from simcore.engines.sampling import fill_binomials
from simcore.transit_zone.plan import FloatArray, FlowPlan, IntArray, TransitPlan

PERSONS_PER_DRAW = 24  # walking so many persons one by one costs as much as one draw of a first attempt; measured


class CohortSpace(NamedTuple):
    """Work space of one thread's cohort walks; a lane is a crowd that is being moved."""

    crowd: IntArray  # [S] crowd of a stratum, named by its first stratum
    bound: IntArray  # [S] bound victims of the crowd of that name
    persons: IntArray  # [most states of a class, S] by state and lane; zero between calls
    slot: IntArray  # [S] where its counts are stored
    key: npt.NDArray[np.uint64]  # [S]
    counter: npt.NDArray[np.uint32]  # [S]
    words: npt.NDArray[np.uint32]  # [4, S]
    probability: FloatArray  # [S]
    accepted: npt.NDArray[np.bool_]  # [S]
    taking: IntArray  # [S] persons on a leg
    exits: IntArray  # [S] of them, those who do not continue and whose cause is not yet drawn
    ended: IntArray  # [S] of them, by one cause
    again: IntArray  # [S] of them, those who try again


def crowds_of(plan: TransitPlan, stratum_slot: IntArray) -> IntArray:
    """Return the crowd of every stratum, int64 [S], named by its first stratum."""
    _, first, of = np.unique(np.stack([plan.class_of, stratum_slot]), axis=1, return_index=True, return_inverse=True)
    return first[of].astype(np.int64)


def make_cohort_space(plan: TransitPlan, flows: FlowPlan, stratum_slot: IntArray) -> CohortSpace:
    """Return the work space of one thread; ``stratum_slot`` (int64 [S]) says which strata are stored together."""
    strata = plan.class_of.size
    states = int(np.diff(flows.class_first_state).max(initial=0))
    lanes = strata if states else 0
    return CohortSpace(
        crowd=crowds_of(plan, stratum_slot),
        bound=np.zeros(strata, dtype=np.int64),
        persons=np.zeros((states, lanes), dtype=np.int64),
        slot=np.empty(lanes, dtype=np.int64),
        key=np.empty(lanes, dtype=np.uint64),
        counter=np.empty(lanes, dtype=np.uint32),
        words=np.empty((4, lanes), dtype=np.uint32),
        probability=np.empty(lanes),
        accepted=np.empty(lanes, dtype=np.bool_),
        taking=np.empty(lanes, dtype=np.int64),
        exits=np.empty(lanes, dtype=np.int64),
        ended=np.empty(lanes, dtype=np.int64),
        again=np.empty(lanes, dtype=np.int64),
    )


@bare_kernel
def counts_pay(flows: FlowPlan, journey: int, persons: int) -> bool:
    """Return whether moving counts is cheaper than walking ``persons`` of a journey class one by one."""
    later = flows.attempt_first_state[journey, 1]
    if later < flows.class_first_state[journey + 1]:
        draws = flows.state_first_draw[later]
    else:
        draws = flows.state_first_draw[later - 1]
    return persons >= PERSONS_PER_DRAW * draws


@inner_kernel
def gather_crowds(space: CohortSpace, bound: IntArray) -> None:
    """Add up the bound victims of every crowd; ``bound`` (int64 [S]) are those by stratum."""
    space.bound[:] = 0
    for stratum in range(bound.size):
        space.bound[space.crowd[stratum]] += bound[stratum]


@inner_kernel
def moves_as_counts(plan: TransitPlan, flows: FlowPlan, space: CohortSpace, stratum: int) -> bool:
    """Return whether the crowd of a stratum is moved as counts in this replicate."""
    return counts_pay(flows, plan.class_of[stratum], space.bound[space.crowd[stratum]])


@inner_kernel
def draw_lanes(
    space: CohortSpace,
    lanes: int,
    trials: IntArray,
    probability: float,
    draw: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    drawn: IntArray,
) -> None:
    """Draw the first ``lanes`` of ``trials`` (int64) at one draw index into ``drawn``."""
    counter, probabilities = space.counter[:lanes], space.probability[:lanes]
    counter[:] = draw
    probabilities[:] = probability
    fill_addressed_blocks(space.words, counter, space.key[:lanes], replicate_id, theta_id)
    fill_binomials(
        trials[:lanes], probabilities, space.words, 0, counter, replicate_id, theta_id, space.key, space.accepted, drawn
    )


@inner_kernel
def leave_by_leg(
    plan: TransitPlan,
    flows: FlowPlan,
    space: CohortSpace,
    lanes: int,
    origin: int,
    choice: int,
    attempt: int,
    probabilities: FloatArray,
    reattempt: float,
    draw: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    counts: Counts,
    row: int,
) -> int:
    """Move those on a leg (``space.taking``) to where they continue, end or begin again; return how many begin again.

    ``origin`` is the first state of the class, ``draw`` the leg's first draw index.
    """
    taking, exits, ended, again, slot = space.taking, space.exits, space.ended, space.again, space.slot
    leg, causes = flows.choice_leg[choice], plan.causes
    leaving = 0.0
    for cause in range(causes, 0, -1):
        leaving += probabilities[cause]
    if probabilities[0] <= 0.0:
        leaving = 1.0
    draw_lanes(space, lanes, taking, leaving, draw, replicate_id, theta_id, exits)
    onward = space.persons[flows.choice_onward[choice] - origin]
    total = 0
    for lane in range(lanes):
        continuing = taking[lane] - exits[lane]
        total += exits[lane]
        onward[lane] += continuing
        if flows.choice_onward_new[choice]:
            counts.reached[slot[lane], row, plan.leg_to[leg]] += continuing
    beginning = 0
    for cause in range(causes):
        mass = probabilities[1 + cause]
        if mass <= 0.0 or total == 0:
            continue
        left = 0.0
        for later in range(causes, cause, -1):
            left += probabilities[later]
        draw_lanes(space, lanes, exits, mass / left, draw + 1 + cause, replicate_id, theta_id, ended)
        for lane in range(lanes):
            exits[lane] -= ended[lane]
            total -= ended[lane]
            if counts.ended.shape[0] > 0:
                counts.ended[slot[lane], row, leg, cause] += ended[lane]
            if cause > 0:
                counts.outcome[slot[lane], row, plan.cause_outcome[cause]] += ended[lane]
        if cause > 0:
            continue
        draw_lanes(space, lanes, ended, reattempt, draw + causes, replicate_id, theta_id, again)
        to = flows.choice_again[choice]
        for lane in range(lanes):
            counts.outcome[slot[lane], row, plan.returned_outcome] += ended[lane] - again[lane]
            if again[lane] > 0:
                beginning += again[lane]
                space.persons[to - origin, lane] += again[lane]
                counts.attempts[slot[lane], row, attempt + 1] += again[lane]
                if flows.choice_again_new[choice]:
                    counts.reached[slot[lane], row, flows.state_point[to]] += again[lane]
    return beginning


@inner_kernel
def walk_cohort(
    plan: TransitPlan,
    flows: FlowPlan,
    keys: Keys,
    space: CohortSpace,
    legs: FloatArray,
    shares: FloatArray,
    reattempts: FloatArray,
    journey: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    counts: Counts,
    stratum_slot: IntArray,
    row: int,
) -> None:
    """Move the crowds of a journey class for which that pays to their outcomes, into ``counts``."""
    causes = plan.causes
    origin = flows.class_first_state[journey]
    entry = flows.state_point[origin]
    rho = reattempts[plan.class_reattempt[journey]]
    slot = space.slot
    lanes = 0
    for stratum in range(stratum_slot.size):
        persons = space.bound[stratum]
        if plan.class_of[stratum] == journey and persons > 0 and counts_pay(flows, journey, persons):
            space.key[lanes] = keys.cohort[stratum]
            slot[lanes] = stratum_slot[stratum]
            space.persons[0, lanes] = persons
            counts.reached[slot[lanes], row, entry] += persons  # reached by being there
            counts.attempts[slot[lanes], row, 0] += persons
            lanes += 1
    beginning = lanes
    for attempt in range(plan.attempt_cap):
        if beginning == 0:
            break
        beginning = 0
        first_state = flows.attempt_first_state[journey, attempt]
        for state in range(first_state, flows.attempt_first_state[journey, attempt + 1]):
            present = space.persons[state - origin]
            total = 0
            for lane in range(lanes):
                total += present[lane]
            if total == 0:
                continue
            point = flows.state_point[state]
            first_choice, stop_choice = flows.first_choice[state], flows.first_choice[state + 1]
            choices = stop_choice - first_choice
            for lane in range(lanes):
                counts.visits[slot[lane], row, point] += present[lane]
                if choices == 0:
                    counts.outcome[slot[lane], row, plan.arrival_outcome] += present[lane]
            for i in range(choices):
                choice = first_choice + i
                first = flows.state_first_draw[state]
                left = 0.0
                for later in range(stop_choice - 1, choice - 1, -1):
                    left += shares[flows.choice_share[later]]
                share = shares[flows.choice_share[choice]]
                if i == choices - 1:
                    for lane in range(lanes):
                        space.taking[lane] = present[lane]
                else:
                    probability = share / left if share > 0.0 else 0.0
                    draw_lanes(space, lanes, present, probability, first + i, replicate_id, theta_id, space.taking)
                for lane in range(lanes):
                    present[lane] -= space.taking[lane]
                beginning += leave_by_leg(
                    plan, flows, space, lanes, origin, choice, attempt, legs[flows.choice_profile[choice], attempt],
                    rho[attempt], first + choices + i * (causes + 1), replicate_id, theta_id, counts, row,
                )  # fmt: skip
            present[:lanes] = 0
