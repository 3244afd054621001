"""Second moments of one bound person's journey: the backward pass, and the pairs of places (see `journeys`)."""

from __future__ import annotations

from simcore.compilation import bare_kernel, inner_kernel
from simcore.engines.expected.journeys import Entries, JourneyWork, entries_of
from simcore.transit_zone.chains import ChainPlan
from simcore.transit_zone.plan import FloatArray, TransitPlan


@inner_kernel
def add_rows(here: FloatArray, weight: FloatArray, there: FloatArray, first: int, stop: int) -> None:
    """Add ``weight`` (float64 [B]) times rows first..stop of ``there`` (float64 [., B]) to those of ``here``."""
    for j in range(first, stop):
        for b in range(weight.size):
            here[j, b] += weight[b] * there[j, b]


@bare_kernel
def _sum_of_moves(chains: ChainPlan, place: int, k: int, first_move: int, later: int, work: JourneyWork) -> None:
    """Fill the rows of a place in attempt k with the sum over its moves; most places have one onward and one again."""
    now, then, last = k % 2, (k + 1) % 2, work.move.shape[0] - 1
    first, stop = chains.first_move[place], chains.first_move[place + 1]
    here = work.value[now, chains.place_index[place]]
    if stop - first == 2 and k < last:
        one, other = work.move[k, first - first_move], work.move[k, first + 1 - first_move]
        there = work.value[then if chains.move_again[first] else now, chains.move_target[first]]
        elsewhere = work.value[then if chains.move_again[first + 1] else now, chains.move_target[first + 1]]
        for j in range(later):
            for b in range(one.size):
                here[j, b] = one[b] * there[j, b] + other[b] * elsewhere[j, b]
        return
    here[:later] = 0.0
    for edge in range(first, stop):
        again = chains.move_again[edge]
        if k < last or again == 0:
            there = work.value[then if again else now, chains.move_target[edge]]
            add_rows(here, work.move[k, edge - first_move], there, 0, later)


@bare_kernel
def _value(
    transit: TransitPlan,
    chains: ChainPlan,
    journey: int,
    q: int,
    k: int,
    entries: Entries,
    ended: bool,
    work: JourneyWork,
) -> None:
    """Fill V and h of place q in attempt k; attempts begun by then are exactly 1."""
    now, lanes = k % 2, work.mean.shape[1]
    later = entries.one - k  # of the entries of attempts, those of later ones
    first = chains.class_first_place[journey]
    here = work.value[now, q]
    _sum_of_moves(chains, first + q, k, chains.first_move[first], later, work)
    here[later:] = 1.0
    for b in range(lanes):
        here[q, b] += 1.0
    for o in range(transit.outcomes):
        for b in range(lanes):
            here[entries.outcomes + o, b] += work.direct[k, q, o, b]
    if ended:
        for choice in range(chains.first_choice[first + q], chains.first_choice[first + q + 1]):
            w = choice - chains.first_choice[first]
            for c in range(transit.causes):
                for b in range(lanes):
                    here[entries.ended + w * transit.causes + c, b] += work.chance[k, w, c, b]
    own = chains.place_inner[first + q]
    if own >= 0:
        here[entries.inner + own] = 1.0
    hit = work.hit[k, q]
    for i in range(entries.attempts - entries.inner):
        for b in range(lanes):
            hit[i, b] = here[entries.inner + i, b]


@bare_kernel
def _what_follows_a_visit(
    transit: TransitPlan, chains: ChainPlan, journey: int, q: int, k: int, entries: Entries, work: JourneyWork
) -> None:
    """Add to the rows of visits, of the place's own first entry, and of the attempt that begins here."""
    here, lanes = work.value[k % 2, q], work.mean.shape[1]
    row, entered, before = work.second[q], work.entered[k, q], work.before[k, q]
    own = chains.place_inner[chains.class_first_place[journey] + q]
    if k == transit.attempt_cap - 1:  # where the backward pass begins
        row[: entries.one] = 0.0
        if own >= 0:
            work.second[entries.inner + own, : entries.one] = 0.0
    add_rows(row, entered, here, 0, entries.inner)
    for i in range(entries.attempts - entries.inner):
        for b in range(lanes):
            row[entries.inner + i, b] += before[i, b] + (entered[b] - before[i, b]) * here[entries.inner + i, b]
    add_rows(row, entered, here, entries.attempts, entries.one)
    if own >= 0:
        newly = work.first[k, q]
        add_rows(work.second[entries.inner + own], newly, here, entries.outcomes, entries.ended)
        add_rows(work.second[entries.inner + own], newly, here, entries.attempts, entries.one)
    if k > 0:
        if q == chains.class_first_place[journey + 1] - chains.class_first_place[journey] - 1:
            work.second[entries.one - k, : entries.one] = 0.0
        add_rows(work.second[entries.one - k], work.begun[k, q], here, entries.outcomes, entries.ended)


@bare_kernel
def _what_follows_an_end(
    transit: TransitPlan,
    chains: ChainPlan,
    journey: int,
    q: int,
    k: int,
    entries: Entries,
    reattempt: FloatArray,
    work: JourneyWork,
) -> None:
    """Add to the rows of the attempts that end on the legs that leave place q in attempt k."""
    value, second, entered, before, chance = work.value, work.second, work.entered, work.before, work.chance
    first, row, lanes = chains.class_first_place[journey], transit.class_reattempt[journey], work.mean.shape[1]
    then, inner = (k + 1) % 2, entries.attempts - entries.inner
    for choice in range(chains.first_choice[first + q], chains.first_choice[first + q + 1]):
        w = choice - chains.first_choice[first]
        again = chains.choice_again[choice] if k + 1 < transit.attempt_cap else -1
        for c in range(transit.causes):
            e = entries.ended + w * transit.causes + c
            outcome = transit.returned_outcome if c == 0 else transit.cause_outcome[c]
            goes_on = c == 0 and again >= 0
            for b in range(lanes):
                retry = reattempt[row, k, b] if goes_on else 0.0
                stop = entered[k, q, b] * chance[k, w, c, b] * (1.0 - retry)
                second[e, entries.outcomes + outcome, b] += stop
                for j in range(entries.one - k, entries.one):
                    second[e, j, b] += stop
                for i in range(inner):
                    second[e, entries.inner + i, b] += chance[k, w, c, b] * before[k, q, i, b]
            if not goes_on:
                continue
            to = chains.move_target[again]
            for j in range(entries.one):
                if j < entries.inner or j >= entries.attempts:
                    for b in range(lanes):
                        flow = entered[k, q, b] * chance[k, w, c, b] * reattempt[row, k, b]
                        second[e, j, b] += flow * value[then, to, j, b]
                else:
                    for b in range(lanes):
                        new = entered[k, q, b] - before[k, q, j - entries.inner, b]
                        flow = new * chance[k, w, c, b] * reattempt[row, k, b]
                        second[e, j, b] += flow * value[then, to, j, b]


@bare_kernel
def _pairs_of_places(
    transit: TransitPlan, chains: ChainPlan, journey: int, entries: Entries, work: JourneyWork
) -> None:
    """Fill E[1(i) 1(j)] of inner places below the diagonal: whichever is reached first, then the other."""
    apart, mean, second, lanes = work.apart, work.mean, work.second, work.mean.shape[1]
    first, stop = chains.class_first_place[journey], chains.class_first_place[journey + 1]
    first_move, inner, pairs = chains.first_move[first], chains.class_inner[journey], chains.class_pairs[journey]
    for i in range(inner):
        for j in range(i):
            open_pair = chains.pair[journey, i, j] >= 0
            for b in range(lanes):
                implied = min(mean[entries.inner + i, b], mean[entries.inner + j, b])
                second[entries.inner + i, entries.inner + j, b] = 0.0 if open_pair else implied
    if pairs == 0:
        return
    apart[:, : stop - first] = 0.0
    apart[0, chains.class_entry[journey]] = 1.0
    for k in range(transit.attempt_cap):
        now, then = k % 2, (k + 1) % 2
        for q in range(stop - first):
            here, own = apart[now, q], chains.place_inner[first + q]
            for other in range(inner if own >= 0 else 0):
                pair = chains.pair[journey, own, other]
                if pair >= 0:
                    both = second[entries.inner + max(own, other), entries.inner + min(own, other)]
                    for b in range(lanes):
                        both[b] += here[pair, b] * work.hit[k, q, other, b]
                        here[pair, b] = 0.0
            for edge in range(chains.first_move[first + q], chains.first_move[first + q + 1]):
                again = chains.move_again[edge]
                if k + again < transit.attempt_cap:
                    to = apart[then if again else now, chains.move_target[edge]]
                    add_rows(to, work.move[k, edge - first_move], here, 0, pairs)
        apart[now, : stop - first] = 0.0


@bare_kernel
def _complete(entries: Entries, work: JourneyWork) -> None:
    """Make the lower triangle of E[Y Y'] out of the rows of what comes first.

    The order of entries is visits, outcomes, ended, inner places, attempts from the last to the second, one.
    """
    mean, second, lanes = work.mean, work.second, work.mean.shape[1]
    for i in range(entries.one):
        visit_i, ended_i = i < entries.outcomes, entries.ended <= i < entries.inner
        for j in range(i):
            visit_j, ended_j = j < entries.outcomes, entries.ended <= j < entries.inner
            if (visit_i or ended_i) and (visit_j or ended_j):
                for b in range(lanes):
                    second[i, j, b] += second[j, i, b]
            elif visit_j or ended_j or (entries.inner <= j < entries.attempts <= i):
                for b in range(lanes):
                    second[i, j, b] = second[j, i, b]
            elif j >= entries.attempts:  # both attempts were begun if the later one was, which comes first
                for b in range(lanes):
                    second[i, j, b] = mean[j, b]
        for b in range(lanes):
            if visit_i:
                second[i, i, b] = 2.0 * second[i, i, b] - mean[i, b]
            elif ended_i:  # its row holds what comes after it, itself not counted
                second[i, i, b] = 2.0 * second[i, i, b] + mean[i, b]
            else:
                second[i, i, b] = mean[i, b]
    for j in range(entries.one + 1):
        for b in range(lanes):
            second[entries.one, j, b] = mean[j, b]


@bare_kernel
def fill_products(
    transit: TransitPlan, chains: ChainPlan, journey: int, reattempt: FloatArray, ended: bool, work: JourneyWork
) -> None:
    """Fill the lower triangle of ``second``, after `journeys.forward`; ``reattempt`` is float64 [Q, K, B]."""
    entries = entries_of(transit, chains, journey, ended)
    first, stop = chains.class_first_place[journey], chains.class_first_place[journey + 1]
    for i in range(entries.outcomes, entries.inner):  # rows of visits, inner places and attempts clear themselves
        work.second[i, : entries.one] = 0.0
    for back in range(transit.attempt_cap):
        k = transit.attempt_cap - 1 - back
        for q_back in range(stop - first):
            q = stop - first - 1 - q_back
            _value(transit, chains, journey, q, k, entries, ended, work)
            _what_follows_a_visit(transit, chains, journey, q, k, entries, work)
            if ended:
                _what_follows_an_end(transit, chains, journey, q, k, entries, reattempt, work)
    _pairs_of_places(transit, chains, journey, entries, work)
    _complete(entries, work)
