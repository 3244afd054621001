"""The expected engine: exact means, variances and covariances of every stored count given theta (docs/model.md E2).

Every stored count is a sum over the N iid persons of a cell of a vector X, so its moments are N E[X] and
N (E[X X'] - E[X] E[X]'), and cells are independent given theta and the shared effects.

For one bound person, on the expanded states of `transit_zone.states` (each entered at most once):

* forward:  p(s) = P(state s is entered),
* backward: V(s) = E[counts from s on, s included], F(s) = E[what holds at the end | s],
* E[n_i n_j] = A_ij + A_ji - 1[i = j] E[n_i] with A_ij = sum over s at i of p(s) V_j(s), because s then t or t then s,
* E[n_i f] = sum over s at i of p(s) F_f(s), and E[f f'] from the probabilities of the endings.

The vector of one bound person is (reached by point, visits by point, outcomes, attempts, [ended by leg and cause]).
"""

from __future__ import annotations

import numpy as np

from simcore.compilation import kernel
from simcore.source_zone.plan import FloatArray, IntArray, SourcePlan, cell_probabilities, persons_in_cell
from simcore.transit_zone.legs import fork_shares, leg_probabilities, reattempt_probabilities
from simcore.transit_zone.plan import AGAIN, NOT_AGAIN, StatePlan, TransitPlan


@kernel
def edge_probability(
    states: StatePlan, edge: int, legs: FloatArray, shares: FloatArray, reattempts: FloatArray
) -> float:
    """Return the probability of one edge; ``reattempts`` (float64 [K]) are those of the journey class."""
    probability = 1.0
    if states.edge_share[edge] >= 0:
        probability *= shares[states.edge_share[edge]]
    if states.edge_profile[edge] >= 0:
        probability *= legs[states.edge_profile[edge], states.edge_attempt[edge], states.edge_column[edge]]
    again = states.edge_again[edge]
    if again == AGAIN:
        probability *= reattempts[states.edge_attempt[edge]]
    elif again == NOT_AGAIN:
        probability *= 1.0 - reattempts[states.edge_attempt[edge]]
    return probability


@kernel
def journey_moments(
    plan: TransitPlan,
    states: StatePlan,
    journey: int,
    legs: FloatArray,
    shares: FloatArray,
    reattempts: FloatArray,
    mean: FloatArray,
    second: FloatArray,
) -> None:
    """Fill E[Y] (``mean``, float64 [M]) and E[Y Y'] (``second``, [M, M]) of one bound person of a journey class."""
    points, outcomes, attempt_cap = plan.points, plan.outcomes, plan.attempt_cap
    size = mean.size
    first, stop = states.class_first_state[journey], states.class_first_state[journey + 1]
    first_edge = states.first_edge[first]
    probability = np.empty(states.first_edge[stop] - first_edge)
    for edge in range(first_edge, states.first_edge[stop]):
        probability[edge - first_edge] = edge_probability(states, edge, legs, shares, reattempts)

    entered = np.zeros(stop - first)
    entered[0] = 1.0
    ending_first = states.class_first_ending[journey]
    ending = np.zeros(states.class_first_ending[journey + 1] - ending_first)
    for state in range(first, stop):
        for edge in range(states.first_edge[state], states.first_edge[state + 1]):
            flow = entered[state - first] * probability[edge - first_edge]
            if states.edge_target[edge] >= 0:
                entered[states.edge_target[edge] - first] += flow
            else:
                ending[states.edge_ending[edge] - ending_first] += flow

    # Backward over the states: the whole vector, reached and attempts as they will stand at the end.
    value = np.zeros((stop - first, size))
    second[:, :] = 0.0
    for state in range(stop - 1, first - 1, -1):
        here = value[state - first]
        for edge in range(states.first_edge[state], states.first_edge[state + 1]):
            chance = probability[edge - first_edge]
            if chance == 0.0:
                continue
            if states.edge_target[edge] >= 0:
                following = value[states.edge_target[edge] - first]
                for j in range(size):
                    here[j] += chance * following[j]
            else:
                end = states.edge_ending[edge]
                for point in range(points):
                    if states.ending_reached[end] >> np.uint64(point) & np.uint64(1):
                        here[point] += chance
                here[2 * points + states.ending_outcome[end]] += chance
                for attempt in range(states.ending_attempts[end]):
                    here[2 * points + outcomes + attempt] += chance
        counter = states.state_counter[state]
        slot = points + counter if counter < points else points + outcomes + attempt_cap + counter
        here[slot] += 1.0
        weight = entered[state - first]
        for j in range(size):
            second[slot, j] += weight * here[j]
    mean[:] = value[0]

    # Rows of additive counts hold A (with additive counts) or E[n f] (with final ones); make them E[Y Y'].
    first_ended = 2 * points + outcomes + attempt_cap
    for i in range(size):
        additive_i = points <= i < 2 * points or i >= first_ended
        if not additive_i:
            continue
        for j in range(size):
            additive_j = points <= j < 2 * points or j >= first_ended
            if not additive_j:
                second[j, i] = second[i, j]
            elif j > i:
                both = second[i, j] + second[j, i]
                second[i, j] = both
                second[j, i] = both
        second[i, i] = 2.0 * second[i, i] - mean[i]
    held = np.empty(points + 1 + attempt_cap, dtype=np.int64)
    for end in range(ending.size):
        weight = ending[end]
        if weight == 0.0:
            continue
        index = ending_first + end
        count = 0
        for point in range(points):
            if states.ending_reached[index] >> np.uint64(point) & np.uint64(1):
                held[count] = point
                count += 1
        held[count] = 2 * points + states.ending_outcome[index]
        count += 1
        for attempt in range(states.ending_attempts[index]):
            held[count] = 2 * points + outcomes + attempt
            count += 1
        for a in range(count):
            for b in range(count):
                second[held[a], held[b]] += weight


@kernel
def cell_moments(
    source: SourcePlan,
    theta: FloatArray,
    classes: FloatArray,
    events: FloatArray,
    cell: int,
    journeys: IntArray,
    journey_mean: FloatArray,
    journey_second: FloatArray,
    mean: FloatArray,
    second: FloatArray,
) -> None:
    """Fill E[X] and E[X X'] of one person of a cell.

    The vector of a person is (risk classes, victims by exploitation, destinations by exploitation, journey vector by
    exploitation). ``journeys`` (int64 [X]) are the journey classes, ``journey_mean`` [J, M] and ``journey_second``
    [J, M, M] their moments. A person has at most one event, so nothing of different exploitations occurs together.
    """
    mean[:] = 0.0
    second[:, :] = 0.0
    exploitations = source.members.size
    destinations = source.destination.shape[2]
    risks = classes.size - 1
    length = journey_mean.shape[1]
    for risk_class in range(risks):
        mean[risk_class] = classes[risk_class + 1]
        second[risk_class, risk_class] = classes[risk_class + 1]
    for x in range(exploitations):
        victims = risks + x
        destination = risks + exploitations + x * destinations
        journey = risks + exploitations * (1 + destinations) + x * length
        rate = 0.0
        bound_share = 0.0
        for d in range(destinations):
            column = source.destination[cell, x, d]
            share = theta[column] if column >= 0 else 0.0
            if d == source.bound:
                bound_share = share
        for risk_class in range(risks):
            joint = classes[risk_class + 1] * events[risk_class + 1, 1 + x]
            rate += joint
            second[risk_class, victims] = joint
            for d in range(destinations):
                column = source.destination[cell, x, d]
                second[risk_class, destination + d] = joint * (theta[column] if column >= 0 else 0.0)
            for j in range(length):
                second[risk_class, journey + j] = joint * bound_share * journey_mean[journeys[x], j]
        mean[victims] = rate
        second[victims, victims] = rate
        for d in range(destinations):
            column = source.destination[cell, x, d]
            share = theta[column] if column >= 0 else 0.0
            mean[destination + d] = rate * share
            second[victims, destination + d] = rate * share
            second[destination + d, destination + d] = rate * share
        bound = rate * bound_share
        for j in range(length):
            entry = bound * journey_mean[journeys[x], j]
            mean[journey + j] = entry
            second[victims, journey + j] = entry
            second[destination + source.bound, journey + j] = entry
            for i in range(length):
                second[journey + j, journey + i] = bound * journey_second[journeys[x], j, i]
    for i in range(mean.size):
        for j in range(i):
            second[i, j] = max(second[i, j], second[j, i])
            second[j, i] = second[i, j]


@kernel
def expected_rows(
    source: SourcePlan,
    transit: TransitPlan,
    states: StatePlan,
    theta: FloatArray,
    at_risk_shares: FloatArray,
    scores: FloatArray,
    group_of_cell: IntArray,
    persons: FloatArray,
    mean: FloatArray,
    covariance: FloatArray,
) -> None:
    """Fill the moments of ``n`` thetas, summed over the cells of each group.

    Parameters
    ----------
    theta : float64 [n, P]
    at_risk_shares : float64 [n, C, R]
    scores : float64 [n, E]
        The shared effects that the moments are conditional on.
    group_of_cell : int64 [C]
    persons : float64 [n, groups], out
    mean : float64 [n, groups, D], out
    covariance : float64 [n, groups, D, D], out
    """
    exploitations = source.members.size
    classes_count = transit.class_start.size
    dimension = mean.shape[2]
    base = (1 << at_risk_shares.shape[2]) - 1 + exploitations * (1 + source.destination.shape[2])
    length = (dimension - base) // exploitations
    legs = np.empty((transit.profile_split.size, transit.attempt_cap, 1 + transit.causes))
    shares = np.empty(transit.fork_share.size)
    reattempts = np.empty((transit.reattempt.shape[0], transit.attempt_cap))
    classes = np.empty(1 << at_risk_shares.shape[2])
    events = np.empty((classes.size, 1 + exploitations))
    work = np.empty((2, exploitations))
    journey_mean = np.empty((classes_count, length))
    journey_second = np.empty((classes_count, length, length))
    cell_mean = np.empty(dimension)
    cell_second = np.empty((dimension, dimension))
    for i in range(theta.shape[0]):
        parameters = theta[i]
        leg_probabilities(transit, parameters, legs)
        fork_shares(transit, parameters, shares)
        reattempt_probabilities(transit, parameters, reattempts)
        for journey in range(classes_count):
            rho = reattempts[transit.class_reattempt[journey]]
            journey_moments(transit, states, journey, legs, shares, rho, journey_mean[journey], journey_second[journey])
        persons[i] = 0.0
        mean[i] = 0.0
        covariance[i] = 0.0
        for cell in range(source.population.size):
            group = group_of_cell[cell]
            number = persons_in_cell(source, parameters, cell)
            persons[i, group] += number
            if not source.active[cell] or number <= 0.0:
                continue
            cell_probabilities(source, parameters, scores[i], at_risk_shares[i, cell], cell, classes, events, work)
            strata = transit.class_of[cell * exploitations : (cell + 1) * exploitations]
            cell_moments(
                source, parameters, classes, events, cell, strata, journey_mean, journey_second, cell_mean, cell_second
            )
            for a in range(dimension):
                mean[i, group, a] += number * cell_mean[a]
                for b in range(dimension):
                    covariance[i, group, a, b] += number * (cell_second[a, b] - cell_mean[a] * cell_mean[b])
