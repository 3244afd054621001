"""Mean and mean square of what one bound person's journey collects, and of what those collect who arrive (E3, E4).

Backward over (attempt k, place q), with W what is collected from there on and a transition of probability P whose
reward has mean c and mean square c2 into a state t:

    E[W]        = sum P (c + E_t[W])                      E[W; arrives]  = sum P (c P_t(arrives) + E_t[W; arrives])
    E[W^2]      = sum P (c2 + 2 c E_t[W] + E_t[W^2])      and likewise for W^2

Divided by P(arrives) the second column is what Doob's transform of the chain gives: P_ij h_j / h_i with h = P(arrives).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simcore.compilation import bare_kernel
from simcore.source_zone.plan import FloatArray
from simcore.transit_zone.chains import ChainPlan
from simcore.transit_zone.legs import fork_shares, leg_probabilities, reattempt_probabilities
from simcore.transit_zone.plan import RewardPlan, TransitPlan

MEAN, SQUARE, ARRIVES, MEAN_ARRIVES, SQUARE_ARRIVES = range(5)
"""E[W], E[W^2], P(arrives), E[W; arrives], E[W^2; arrives]."""


class RewardWork(NamedTuple):
    """Work space of one parameter set."""

    legs: FloatArray  # [F, K, 1 + C]
    shares: FloatArray  # [H]
    reattempts: FloatArray  # [Q, K]
    mean: FloatArray  # [A]
    variance: FloatArray  # [A]
    state: FloatArray  # [2, Y, 5] by attempt modulo 2
    ended: FloatArray  # [5] of who is at an end that is no arrival
    arrived: FloatArray  # [5] of who has arrived


def make_reward_work(transit: TransitPlan, chains: ChainPlan, plan: RewardPlan) -> RewardWork:
    """Return work space."""
    return RewardWork(
        legs=np.zeros((transit.profile_split.size, transit.attempt_cap, 1 + transit.causes)),
        shares=np.zeros(transit.fork_share.size),
        reattempts=np.zeros(transit.reattempt.shape),
        mean=np.zeros(plan.value.shape[1]),
        variance=np.zeros(plan.value.shape[1]),
        state=np.zeros((2, chains.most_places, 5)),
        ended=np.zeros(5),
        arrived=np.array([0.0, 0.0, 1.0, 0.0, 0.0]),
    )


@bare_kernel
def _add_transition(here: FloatArray, chance: float, mean: float, variance: float, there: FloatArray) -> None:
    square = variance + mean * mean
    here[MEAN] += chance * (mean + there[MEAN])
    here[SQUARE] += chance * (square + 2.0 * mean * there[MEAN] + there[SQUARE])
    here[ARRIVES] += chance * there[ARRIVES]
    here[MEAN_ARRIVES] += chance * (mean * there[ARRIVES] + there[MEAN_ARRIVES])
    here[SQUARE_ARRIVES] += chance * (
        square * there[ARRIVES] + 2.0 * mean * there[MEAN_ARRIVES] + there[SQUARE_ARRIVES]
    )


@bare_kernel
def _leave_place(transit: TransitPlan, chains: ChainPlan, journey: int, q: int, k: int, work: RewardWork) -> None:
    """Fill the state of place q in attempt k from what can happen on the legs that leave it."""
    mean, variance, now = work.mean, work.variance, k % 2
    here = work.state[now, q]
    here[:] = 0.0
    at_cause = transit.legs
    at_outcome = at_cause + transit.causes
    again_at = at_outcome + transit.outcomes
    row, place = transit.class_reattempt[journey], chains.class_first_place[journey] + q
    for choice in range(chains.first_choice[place], chains.first_choice[place + 1]):
        leg, share = chains.choice_leg[choice], work.shares[chains.choice_share[choice]]
        happens = work.legs[chains.choice_profile[choice], k]
        onward, again = chains.choice_onward[choice], chains.choice_again[choice]
        if onward >= 0:
            there = work.state[now, chains.move_target[onward]]
            _add_transition(here, share * happens[0], mean[leg], variance[leg], there)
        else:
            end = at_outcome + transit.arrival_outcome
            _add_transition(
                here, share * happens[0], mean[leg] + mean[end], variance[leg] + variance[end], work.arrived
            )
        for c in range(1, transit.causes):
            cause, end = at_cause + c, at_outcome + transit.cause_outcome[c]
            _add_transition(
                here,
                share * happens[1 + c],
                mean[leg] + mean[cause] + mean[end],
                variance[leg] + variance[cause] + variance[end],
                work.ended,
            )
        caught_mean, caught_variance = mean[leg] + mean[at_cause], variance[leg] + variance[at_cause]
        retry = work.reattempts[row, k] if again >= 0 and k + 1 < transit.attempt_cap else 0.0
        end = at_outcome + transit.returned_outcome
        _add_transition(
            here,
            share * happens[1] * (1.0 - retry),
            caught_mean + mean[end],
            caught_variance + variance[end],
            work.ended,
        )
        if retry > 0.0:
            there = work.state[1 - now, chains.move_target[again]]
            chance = share * happens[1] * retry
            _add_transition(here, chance, caught_mean + mean[again_at], caught_variance + variance[again_at], there)


@bare_kernel
def reward_rows(
    transit: TransitPlan, chains: ChainPlan, plan: RewardPlan, theta: FloatArray, work: RewardWork, moments: FloatArray
) -> None:
    """Fill ``moments`` (float64 [n, R, 5]) of every kind of reward for ``theta`` (float64 [n, P])."""
    for i in range(theta.shape[0]):
        leg_probabilities(transit, theta[i], work.legs)
        fork_shares(transit, theta[i], work.shares)
        reattempt_probabilities(transit, theta[i], work.reattempts)
        for kind in range(plan.kind_journey.size):
            for a in range(work.mean.size):
                mean_column, cv_column = plan.column[kind, a, 0], plan.column[kind, a, 1]
                cv = theta[i, cv_column] if cv_column >= 0 else plan.value[kind, a, 1]
                work.mean[a] = theta[i, mean_column] if mean_column >= 0 else plan.value[kind, a, 0]
                work.variance[a] = (cv * work.mean[a]) ** 2
            journey = plan.kind_journey[kind]
            places = chains.class_first_place[journey + 1] - chains.class_first_place[journey]
            for back in range(transit.attempt_cap):
                for q in range(places):
                    _leave_place(transit, chains, journey, places - 1 - q, transit.attempt_cap - 1 - back, work)
            whole = moments[i, kind]
            whole[:] = 0.0
            last = work.mean.size - 1  # of the journey as such
            entry = work.state[0, chains.class_entry[journey]]
            _add_transition(whole, 1.0, work.mean[last], work.variance[last], entry)
