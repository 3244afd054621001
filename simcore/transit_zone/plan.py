"""Flat arrays of a compiled transit zone.

Indices: leg l of L, point p of N, attempt k = 1..K, cause c (0 = interception, then the terminal causes; C of them),
outcome o of O. `columns` are columns of theta, NONE where there is nothing.

* A *profile* is a leg with the parameters that one group of strata meets on it; strata with equal parameters share it.
* A *fork* is the choice of a leg at a point, with its shares.
* A *journey class* is a set of strata that agree in entry point, profiles, forks, return points and re-attempts.
* A *start* is a journey class and a point where an attempt begins (the entry point, or a point that one is returned
to).
* A *tally* is the vector of counts of a stratum's journeys: reached by point (N), visits by point (N), outcomes (O),
  attempts (K), ended attempts by leg and cause (L C).
* A *fate* is how an attempt can end: on a route (a path to the border), at one of its legs, by one of its causes, or by
  arrival. Fates are ordered by route, then leg, then cause, arrival last within its route; an interception has two
  fates, final return first and re-attempt second.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
MaskArray = npt.NDArray[np.uint64]

NONE = -1
REST = -2  # a fork share that is one minus its siblings
CERTAIN_SHARE = -3  # a fork share that is exactly one

# kinds of fate
ARRIVAL, RETURNED, REATTEMPT, TERMINAL = range(4)


class TransitPlan(NamedTuple):
    """What the transit zone needs besides theta."""

    attempt_cap: int  # K
    points: int  # N
    legs: int  # L
    causes: int  # C, interception included
    outcomes: int  # O
    arrival_outcome: int
    returned_outcome: int
    cause_outcome: IntArray  # [C] outcome of a terminal cause; NONE for interception
    # profiles
    profile_split: npt.NDArray[np.bool_]  # [F] crude probabilities summing to one, else net ones
    profile_continue: IntArray  # [F] column of p_C of a split
    profile_cause: IntArray  # [F, C] column of the base probability
    modifier_start: IntArray  # [F * C + 1] into `modifiers`
    modifiers: IntArray  # columns of hazard factors
    profile_effect: IntArray  # [F] column of the attempt effect eta
    # forks, flattened over their legs
    fork_start: IntArray  # [G + 1]
    fork_share: IntArray  # [H] column, REST or CERTAIN_SHARE
    fork_leg: IntArray  # [H]
    # re-attempts
    reattempt: IntArray  # [Q, K] column of rho2 after attempt k; NONE at the cap
    # journey classes
    class_of: IntArray  # [S] class of a stratum
    class_reattempt: IntArray  # [J] row of `reattempt`
    class_start: IntArray  # [J] start at the entry point
    class_fork: IntArray  # [J, N] fork at a point; NONE where the class never is, and at the arrival point
    class_profile: IntArray  # [J, L] profile of a leg; NONE where the class never takes it
    class_return: IntArray  # [J, L] point that one is returned to after an interception; NONE as above
    leg_to: IntArray  # [L]
    arrival_point: int
    # starts and their routes
    start_class: IntArray  # [A]
    start_point: IntArray  # [A]
    start_first_route: IntArray  # [A + 1]
    route_first_step: IntArray  # [R + 1]
    step_share: IntArray  # [T] entry of `fork_share` taken
    step_profile: IntArray  # [T]
    # fates, in order, per start
    start_first_fate: IntArray  # [A + 1]
    fate_kind: IntArray  # [Z]
    fate_outcome: IntArray  # [Z] outcome, NONE for a re-attempt
    fate_next: IntArray  # [Z] start of the next attempt, NONE unless a re-attempt
    fate_visited: MaskArray  # [Z] points entered in this attempt, the start included
    fate_record: npt.NDArray[
        np.int8
    ]  # [2 Z, 2 N + O] as a first attempt, then as a later one: -1 where it adds to a tally
    fate_ended: IntArray  # [Z] entry of a tally for the leg and cause that ended the attempt, NONE for an arrival
    most_fates: int


class FlowPlan(NamedTuple):
    """Flat arrays of the states of every journey class; an onward or a re-attempt move always leads to a later state.

    A *state* is (attempt, point, points reached so far); a *choice* is one leg that leaves a state's point.
    """

    class_first_state: IntArray  # [J + 1]
    attempt_first_state: IntArray  # [J, K + 1] states of attempt k are [j, k - 1] ... [j, k] - 1
    state_attempt: IntArray  # [V] 0 for the first attempt
    state_point: IntArray  # [V]
    state_reached: MaskArray  # [V] points reached, this one included
    state_first_draw: IntArray  # [V] index of its first draw within the class (see `engines.cohort`)
    first_choice: IntArray  # [V + 1]; the arrival point has none
    choice_leg: IntArray  # [W]
    choice_share: IntArray  # [W] entry of fork_share
    choice_profile: IntArray  # [W]
    choice_onward: IntArray  # [W] state after the leg
    choice_again: IntArray  # [W] state after an interception and a re-attempt; NONE where there is none
    choice_onward_new: npt.NDArray[np.bool_]  # [W] nobody of this state was at that point before
    choice_again_new: npt.NDArray[np.bool_]  # [W]


class RewardPlan(NamedTuple):
    """Amounts of the rewards; a *kind* is a reward as one journey class collects it.

    Its A = L + C + O + 2 amounts are those of every leg, of every cause, of every outcome, of a re-attempt, and of the
    journey as such.
    """

    kind_journey: IntArray  # [R]
    value: FloatArray  # [R, A, 2] mean and coefficient of variation where they are numbers
    column: IntArray  # [R, A, 2] their columns of theta, NONE where they are numbers
    kind_of: IntArray  # [rewards, S] kind of a reward in a stratum, NONE where nobody can be bound


def no_flows(attempt_cap: int) -> FlowPlan:
    """Return a plan without states, for the engines that do not need them."""
    empty = np.zeros(0, dtype=np.int64)
    never = np.zeros(0, dtype=np.bool_)
    return FlowPlan(
        class_first_state=np.zeros(1, dtype=np.int64),
        attempt_first_state=np.zeros((0, attempt_cap + 1), dtype=np.int64),
        state_attempt=empty,
        state_point=empty,
        state_reached=np.zeros(0, dtype=np.uint64),
        state_first_draw=empty,
        first_choice=np.zeros(1, dtype=np.int64),
        choice_leg=empty,
        choice_share=empty,
        choice_profile=empty,
        choice_onward=empty,
        choice_again=empty,
        choice_onward_new=never,
        choice_again_new=never,
    )
