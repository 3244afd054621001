"""Moments of one bound person's journey, by class of strata, on the chain over (attempt k, place q) (docs/model.md E2).

The vector Y of a person has, per class, the entries (see `Entries` for their order)

* additive: visits n_q, and, if asked for, ended attempts e by leg and cause,
* final: outcome o; attempt j begun; inner place i ever reached,

and one entry that is always 1. On the chain everything is entered at most once. With

    p(k, q)    = P(place q is entered in attempt k)                                              forward
    r_i(k, q)  = P(q is entered in attempt k, and i was reached by then, q itself counted)       forward
    f_i(k)     = P(i is reached for the first time, in attempt k) = p - r_i as it comes in       forward
    V(k, q)    = E[visits, ended, outcome, attempts begun | in q in attempt k]                   backward
    h_i(k, q)  = P(i is reached from (k, q) on, q itself counted)                                backward
    a_ij(k, q) = P(q is entered in attempt k, and neither i nor j was reached before)            forward

all products follow from what happens first:

    E[n_q Y]        = sum_k p(k, q) V(k, q)          of two additive entries: that and its mirror image, own square once
    E[n_q 1(i)]     = sum_k r_i(k, q) + (p - r_i)(k, q) h_i(k, q)
    E[1(i) Y]       = sum_k f_i(k) V(k, i)           Y an outcome or an attempt
    E[1(i) 1(j)]    = sum_k a_ij(k, i) h_j(k, i) + a_ij(k, j) h_i(k, j), or P(i) where i cannot be reached but through j
    E[1(j begun) o] = sum_q P(attempt j begins in q) V_o(j, q)

and of an ended attempt e = (leg, cause), whose flow is p(k, q) x share x P(cause): the flow times what comes after it.
The last axis of every array is the lane, one parameter set each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simcore.compilation import bare_kernel
from simcore.engines.expected.legs import LegTable
from simcore.transit_zone.chains import ChainPlan
from simcore.transit_zone.plan import FloatArray, TransitPlan


class Entries(NamedTuple):
    """Where the parts of a class's vector begin; visits by place begin at 0."""

    outcomes: int
    ended: int  # by choice and cause; empty unless asked for
    inner: int
    attempts: int  # the last possible attempt first, the second attempt last; everybody begins the first
    one: int  # the last entry


@bare_kernel
def entries_of(transit: TransitPlan, chains: ChainPlan, journey: int, ended: bool) -> Entries:
    """Return the layout of the vector of a class."""
    first, stop = chains.class_first_place[journey], chains.class_first_place[journey + 1]
    places, choices = stop - first, chains.first_choice[stop] - chains.first_choice[first]
    at_ended = places + transit.outcomes
    at_inner = at_ended + (choices * transit.causes if ended else 0)
    at_attempts = at_inner + chains.class_inner[journey]
    return Entries(places, at_ended, at_inner, at_attempts, at_attempts + transit.attempt_cap - 1)


class JourneyWork(NamedTuple):
    """Work space of one class at a time; B lanes, sizes of the largest class."""

    move: FloatArray  # [K, E, B] probability of each move out of its place
    direct: FloatArray  # [K, Y, O, B] probability of ending in an outcome right from a place
    chance: FloatArray  # [K, W, C, B] probability of each choice and cause, if ended attempts are asked for
    entered: FloatArray  # [K, Y, B] p
    begun: FloatArray  # [K, Y, B] probability of beginning the attempt there, second attempt and later
    before: FloatArray  # [K, Y, I, B] r
    first: FloatArray  # [K, Y, B] f
    value: FloatArray  # [2, Y, M, B] V and h, by attempt modulo 2
    hit: FloatArray  # [K, Y, I, B] h
    apart: FloatArray  # [2, Y, pairs, B] a, by attempt modulo 2
    mean: FloatArray  # [M, B], out
    second: FloatArray  # [M, M, B], out


def make_journey_work(
    transit: TransitPlan, chains: ChainPlan, lanes: int, *, ended: bool, covariance: bool
) -> JourneyWork:
    """Return work space for every class."""
    attempts, places = transit.attempt_cap, chains.most_places
    edges = np.diff(chains.first_move[chains.class_first_place]).max(initial=0)
    choices = np.diff(chains.first_choice[chains.class_first_place]).max(initial=0) if ended else 0
    inner = int(chains.class_inner.max(initial=0))
    classes = range(chains.class_entry.size)
    size = max((entries_of(transit, chains, journey, ended).one + 1 for journey in classes), default=1)
    both = 1 if covariance else 0  # arrays that only second moments need
    return JourneyWork(
        move=np.zeros((attempts, edges, lanes)),
        direct=np.zeros((attempts, places, transit.outcomes, lanes)),
        chance=np.zeros((attempts, choices, transit.causes, lanes)),
        entered=np.zeros((attempts, places, lanes)),
        begun=np.zeros((attempts, places, lanes)),
        before=np.zeros((attempts, places, inner, lanes)),
        first=np.zeros((attempts, places, lanes)),
        value=np.zeros((2, places * both, size, lanes)),
        hit=np.zeros((attempts, places * both, inner, lanes)),
        apart=np.zeros((2, places * both, int(chains.class_pairs.max(initial=0)), lanes)),
        mean=np.zeros((size, lanes)),
        second=np.zeros((size * both, size * both, lanes)),
    )


@bare_kernel
def fill_moves(
    transit: TransitPlan, chains: ChainPlan, journey: int, legs: LegTable, ended: bool, work: JourneyWork
) -> None:
    """Fill the probabilities of moves, of endings and, if asked for, of every choice and cause of a class."""
    move, direct = work.move, work.direct
    first, stop = chains.class_first_place[journey], chains.class_first_place[journey + 1]
    first_move, first_choice = chains.first_move[first], chains.first_choice[first]
    row, lanes = transit.class_reattempt[journey], move.shape[2]
    arrived, returned = transit.arrival_outcome, transit.returned_outcome
    for k in range(transit.attempt_cap):
        move[k] = 0.0
        direct[k] = 0.0
        for q in range(stop - first):
            for choice in range(chains.first_choice[first + q], chains.first_choice[first + q + 1]):
                profile, share = chains.choice_profile[choice], chains.choice_share[choice]
                onward, again = chains.choice_onward[choice], chains.choice_again[choice]
                if onward >= 0:
                    for b in range(lanes):
                        move[k, onward - first_move, b] += legs.shares[share, b] * legs.go_on[profile, k, b]
                else:
                    for b in range(lanes):
                        direct[k, q, arrived, b] += legs.shares[share, b] * legs.go_on[profile, k, b]
                if again >= 0:
                    for b in range(lanes):
                        caught = legs.shares[share, b] * legs.intercepted[profile, k, b]
                        move[k, again - first_move, b] += caught * legs.reattempt[row, k, b]
                        direct[k, q, returned, b] += caught * (1.0 - legs.reattempt[row, k, b])
                else:
                    for b in range(lanes):
                        direct[k, q, returned, b] += legs.shares[share, b] * legs.intercepted[profile, k, b]
                for c in range(1, transit.causes):
                    outcome = transit.cause_outcome[c]
                    for b in range(lanes):
                        scaled = legs.shares[share, b] * legs.scale[profile, k, b]
                        direct[k, q, outcome, b] += scaled * legs.hazards[profile, c, b]
                if ended:
                    w = choice - first_choice
                    for b in range(lanes):
                        work.chance[k, w, 0, b] = legs.shares[share, b] * legs.intercepted[profile, k, b]
                    for c in range(1, transit.causes):
                        for b in range(lanes):
                            scaled = legs.shares[share, b] * legs.scale[profile, k, b]
                            work.chance[k, w, c, b] = scaled * legs.hazards[profile, c, b]


@bare_kernel
def forward(transit: TransitPlan, chains: ChainPlan, journey: int, ended: bool, work: JourneyWork) -> None:
    """Fill ``entered``, ``begun``, ``before``, ``first`` and the means of a class."""
    entered, begun, before, newly, mean = work.entered, work.begun, work.before, work.first, work.mean
    entries = entries_of(transit, chains, journey, ended)
    first, stop = chains.class_first_place[journey], chains.class_first_place[journey + 1]
    first_move, first_choice = chains.first_move[first], chains.first_choice[first]
    inner, attempts, lanes = chains.class_inner[journey], transit.attempt_cap, mean.shape[1]
    entered[:] = 0.0
    begun[:] = 0.0
    before[:] = 0.0
    mean[:] = 0.0
    mean[entries.one] = 1.0
    entered[0, chains.class_entry[journey]] = 1.0
    for k in range(attempts):
        for q in range(stop - first):
            own = chains.place_inner[first + q]
            for b in range(lanes):
                mean[q, b] += entered[k, q, b]
            if own >= 0:
                for b in range(lanes):
                    newly[k, q, b] = entered[k, q, b] - before[k, q, own, b]
                    mean[entries.inner + own, b] += newly[k, q, b]
                    before[k, q, own, b] = entered[k, q, b]
            for o in range(transit.outcomes):
                for b in range(lanes):
                    mean[entries.outcomes + o, b] += entered[k, q, b] * work.direct[k, q, o, b]
            for edge in range(chains.first_move[first + q], chains.first_move[first + q + 1]):
                to, after = chains.move_target[edge], k + chains.move_again[edge]
                m = edge - first_move
                if after == attempts:
                    continue
                for b in range(lanes):
                    entered[after, to, b] += entered[k, q, b] * work.move[k, m, b]
                if after > k:
                    at = entries.attempts + attempts - 1 - after
                    for b in range(lanes):
                        begun[after, to, b] += entered[k, q, b] * work.move[k, m, b]
                        mean[at, b] += entered[k, q, b] * work.move[k, m, b]
                for i in range(inner):
                    for b in range(lanes):
                        before[after, to, i, b] += before[k, q, i, b] * work.move[k, m, b]
            if ended:
                for choice in range(chains.first_choice[first + q], chains.first_choice[first + q + 1]):
                    w = choice - first_choice
                    for c in range(transit.causes):
                        e = entries.ended + w * transit.causes + c
                        for b in range(lanes):
                            mean[e, b] += entered[k, q, b] * work.chance[k, w, c, b]
