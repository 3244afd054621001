"""The collapsed walk: one word per agent and attempt picks its fate from an inverse-CDF table (docs/architecture.md).

Agents keep their identity: agent i of a stratum reads word i % 4 of block i // 4 for its first attempt and its own
for later ones, so nobody's journey depends on how many others there are.

A stratum is walked in batches: the words of all first attempts of a batch, their fates, then attempt by attempt those
who go on, kept together at the front of a list. Fates are only counted; `settle` works out what they add to a tally,
once per fate that occurred in all strata that are stored together. Indices in the inner loops are unsigned, because
numba wraps negative ones at every access.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel, inner_kernel
from simcore.engines.keys import Keys
from simcore.engines.random import fill_blocks, fill_reattempt_words, philox4x32, whole_vectors
from simcore.transit_zone.fates import (
    FATE_OF_CELL,
    FIRST_GUIDE_BITS,
    GUIDE_SIZE,
    LATER_GUIDE_BITS,
    UNDECIDED,
    fate_thresholds,
    fill_guide,
)
from simcore.transit_zone.plan import REATTEMPT, FloatArray, IntArray, MaskArray, TransitPlan

BLOCKS_AT_ONCE = 256  # Philox blocks of first attempts made in one go: 1,024 agents, 4 KiB of words
_FIRST_SHIFT = np.uint32(32 - FIRST_GUIDE_BITS)
_LATER_SHIFT = np.uint32(32 - LATER_GUIDE_BITS)
_ONE = np.uint64(1)


class FateTables(NamedTuple):
    """Work space of the walk; table ``start * K + attempt`` is built when it is first needed for a theta."""

    ready: npt.NDArray[np.bool_]  # [tables]
    high: npt.NDArray[np.uint32]  # [tables, most fates]
    low: npt.NDArray[np.uint32]  # [tables, most fates]
    last: npt.NDArray[np.int64]  # [tables]
    guide: npt.NDArray[np.uint16]  # [tables, GUIDE_SIZE]
    cumulative: FloatArray  # [most fates]
    # of the strata that are stored together, by exploitation
    histogram: npt.NDArray[np.int64]  # [X, 2 Z] first attempts, then later ones; zero once settled
    occurred: MaskArray  # [X, 2 Z + 1] entries of the histogram that are not zero
    occurrences: npt.NDArray[np.int64]  # [X] how many there are
    words: npt.NDArray[np.uint32]  # [4, BLOCKS_AT_ONCE] of first attempts
    later_words: npt.NDArray[np.uint32]  # [4, batch] of later attempts
    # of those who go on, by place in the list: agent, column of their words, fate of their last attempt, points reached
    agent: npt.NDArray[np.uint32]  # [batch + 1]
    column: npt.NDArray[np.uint32]  # [batch + 1]
    fate: MaskArray  # [batch + 1]
    reached: MaskArray  # [batch + 1]
    finally_reached: MaskArray  # [batch + 1] of those whose later attempts have ended


def make_tables(plan: TransitPlan, exploitations: int) -> FateTables:
    """Return the work space of one thread's walks."""
    tables = max((plan.start_first_fate.size - 1) * plan.attempt_cap, 1)
    fates = max(plan.most_fates, 1)
    both = plan.fate_record.shape[0]
    batch = 4 * BLOCKS_AT_ONCE
    return FateTables(
        ready=np.zeros(tables, dtype=np.bool_),
        high=np.empty((tables, fates), dtype=np.uint32),
        low=np.empty((tables, fates), dtype=np.uint32),
        last=np.zeros(tables, dtype=np.int64),
        guide=np.empty((tables, GUIDE_SIZE), dtype=np.uint16),
        cumulative=np.empty(fates),
        histogram=np.zeros((exploitations, both), dtype=np.int64),
        occurred=np.empty((exploitations, both + 1), dtype=np.uint64),
        occurrences=np.zeros(exploitations, dtype=np.int64),
        words=np.empty((4, BLOCKS_AT_ONCE), dtype=np.uint32),
        later_words=np.empty((4, batch), dtype=np.uint32),
        agent=np.zeros(batch + 1, dtype=np.uint32),
        column=np.empty(batch + 1, dtype=np.uint32),
        fate=np.empty(batch + 1, dtype=np.uint64),
        reached=np.empty(batch + 1, dtype=np.uint64),
        finally_reached=np.empty(batch + 1, dtype=np.uint64),
    )


@bare_kernel
def prepare_table(
    plan: TransitPlan,
    tables: FateTables,
    start: int,
    attempt: int,
    legs: FloatArray,
    shares: FloatArray,
    reattempts: FloatArray,
) -> None:
    """Build the fate table of an attempt from a start."""
    table = start * plan.attempt_cap + attempt
    reattempt = reattempts[plan.class_reattempt[plan.start_class[start]], attempt]
    high, low = tables.high[table], tables.low[table]
    tables.last[table] = fate_thresholds(plan, start, attempt, legs, shares, reattempt, tables.cumulative, high, low)
    bits = FIRST_GUIDE_BITS if attempt == 0 else LATER_GUIDE_BITS
    fill_guide(high, low, tables.last[table], bits, tables.guide[table])
    tables.ready[table] = True


@bare_kernel
def low_word(key: np.uint64, agent: int, attempt: int, replicate_id: np.uint32, theta_id: np.uint32) -> np.uint32:
    """Return the low word of an agent's uniform, drawn only when the high word ties with a threshold."""
    words = philox4x32(np.uint32(agent), np.uint32(attempt // 4), replicate_id, theta_id, key)
    return words[attempt % 4]


@bare_kernel
def settle_tie(
    high: npt.NDArray[np.uint32],
    low: npt.NDArray[np.uint32],
    table: int,
    fate: int,
    last: int,
    word: np.uint32,
    word_below: np.uint32,
) -> int:
    """Return the first fate from ``fate`` on with (word, word_below) < (high, low), at most ``last``."""
    while fate < last:
        if word < high[table, fate] or (word == high[table, fate] and word_below < low[table, fate]):
            break
        fate += 1
    return fate


@inner_kernel
def find_fate(
    tables: FateTables,
    table: int,
    shift: np.uint32,
    word: np.uint32,
    tie_key: np.uint64,
    agent: int,
    attempt: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
) -> int:
    """Return the first fate f of a table with U < T_f, never past the last possible one."""
    cell = int(np.int64(tables.guide[table, word >> shift]))
    fate = cell & FATE_OF_CELL
    if cell & UNDECIDED:
        high, last = tables.high, tables.last[table]
        while fate < last and word > high[table, fate]:
            fate += 1
        if fate < last and word == high[table, fate]:  # about fates / 2**32 of draws
            word_below = low_word(tie_key, agent, attempt, replicate_id, theta_id)
            fate = settle_tie(high, tables.low, table, fate, last, word, word_below)
    return fate


@inner_kernel
def first_fates(
    tables: FateTables,
    table: int,
    base: np.uint64,
    words: npt.NDArray[np.uint32],
    number: int,
    first_agent: int,
    tie_key: np.uint64,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    kinds: IntArray,
    histogram: npt.NDArray[np.int64],
    occurred: MaskArray,
    occurrences: np.uint64,
    left: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """Count the fates of ``number`` first attempts, of agents ``first_agent, first_agent + 4, ...``; list who goes on.

    ``base`` is the first fate of the start. Takes and returns how many entries of the histogram are not zero, and how
    many agents are on the list.
    """
    agent, fate_of = tables.agent, tables.fate
    for i in range(number):
        found = find_fate(
            tables, table, _FIRST_SHIFT, words[i], tie_key, first_agent + 4 * i, 0, replicate_id, theta_id
        )
        fate = base + np.uint64(found)
        before = histogram[fate]
        histogram[fate] = before + 1
        occurred[occurrences] = fate
        occurrences += np.uint64(before == 0)
        agent[left] = np.uint32(first_agent + 4 * i)
        fate_of[left] = fate
        left += np.uint64(kinds[fate] == REATTEMPT)
    return occurrences, left


@inner_kernel
def later_fates(
    plan: TransitPlan,
    tables: FateTables,
    legs: FloatArray,
    shares: FloatArray,
    reattempts: FloatArray,
    left: np.uint64,
    again_key: np.uint64,
    tie_key: np.uint64,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    histogram: npt.NDArray[np.int64],
    occurred: MaskArray,
    occurrences: np.uint64,
    tally: IntArray,
) -> np.uint64:
    """Walk the first ``left`` of the list through their second and later attempts; return the entries that are not 0.

    Unlike first attempts, whose fates tell all, the points that they reach are added to ``tally`` here.
    """
    attempt_cap, first_attempt = plan.attempt_cap, 2 * plan.points + plan.outcomes
    kinds, fate_next, visited, start_first_fate = (
        plan.fate_kind,
        plan.fate_next,
        plan.fate_visited,
        plan.start_first_fate,
    )
    agent, column, fate_of, reached = tables.agent, tables.column, tables.fate, tables.reached
    ready, later_words, finally_reached = tables.ready, tables.later_words, tables.finally_reached
    later = np.uint64(plan.fate_ended.size)
    for i in range(left):
        reached[i] = visited[fate_of[i]]
    ended = np.uint64(0)
    attempt = 1
    while left > 0:
        word = (attempt - 1) % 4
        if word == 0:
            number = whole_vectors(int(np.int64(left)))
            fill_reattempt_words(later_words, agent, number, (attempt - 1) // 4, replicate_id, theta_id, again_key)
            for i in range(left):
                column[i] = np.uint32(i)
        words = later_words[word]
        tally[first_attempt + attempt] += np.int64(left)
        still = np.uint64(0)
        for i in range(left):
            start = fate_next[fate_of[i]]
            table = start * attempt_cap + attempt
            if not ready[table]:
                prepare_table(plan, tables, start, attempt, legs, shares, reattempts)
            found = find_fate(
                tables, table, _LATER_SHIFT, words[column[i]], tie_key, int(np.int64(agent[i])), attempt, replicate_id,
                theta_id,
            )  # fmt: skip
            fate = np.uint64(start_first_fate[start] + found)
            before = histogram[later + fate]
            histogram[later + fate] = before + 1
            occurred[occurrences] = later + fate
            occurrences += np.uint64(before == 0)
            points = reached[i] | visited[fate]
            goes_on = kinds[fate] == REATTEMPT
            finally_reached[ended] = points
            ended += np.uint64(not goes_on)
            agent[still] = agent[i]
            column[still] = column[i]
            fate_of[still] = fate
            reached[still] = points
            still += np.uint64(goes_on)
        left = still
        attempt += 1
    for point in range(plan.points):
        total = np.uint64(0)
        for i in range(ended):
            total += finally_reached[i] >> np.uint64(point) & _ONE
        tally[point] += np.int64(total)
    return occurrences


@inner_kernel
def walk_collapsed(
    plan: TransitPlan,
    keys: Keys,
    tables: FateTables,
    legs: FloatArray,
    shares: FloatArray,
    reattempts: FloatArray,
    stratum: int,
    agents: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    exploitation: int,
    tally: IntArray,
) -> None:
    """Walk ``agents`` bound victims of a stratum to their outcomes.

    Part of what they add is counted by fate, under ``exploitation``, until `settle` adds it to ``tally`` (see
    `TransitPlan`).
    """
    histogram, occurred = tables.histogram[exploitation], tables.occurred[exploitation]
    occurrences = np.uint64(tables.occurrences[exploitation])
    start = plan.class_start[plan.class_of[stratum]]
    table = start * plan.attempt_cap
    if not tables.ready[table]:
        prepare_table(plan, tables, start, 0, legs, shares, reattempts)
    tally[2 * plan.points + plan.outcomes] += agents
    blocks = (agents + 3) // 4
    for first_block in range(0, blocks, BLOCKS_AT_ONCE):
        here = min(BLOCKS_AT_ONCE, blocks - first_block)
        fill_blocks(tables.words, first_block, whole_vectors(here), replicate_id, theta_id, keys.attempt[stratum])
        left = np.uint64(0)
        for lane in range(4):
            first_agent = 4 * first_block + lane
            number = min(here, (agents - first_agent + 3) // 4)
            occurrences, left = first_fates(
                tables, table, np.uint64(plan.start_first_fate[start]), tables.words[lane], number, first_agent,
                keys.tie[stratum], replicate_id, theta_id, plan.fate_kind, histogram, occurred, occurrences, left,
            )  # fmt: skip
        occurrences = later_fates(
            plan, tables, legs, shares, reattempts, left, keys.reattempt[stratum], keys.tie[stratum], replicate_id,
            theta_id, histogram, occurred, occurrences, tally,
        )  # fmt: skip
    tables.occurrences[exploitation] = np.int64(occurrences)


@inner_kernel
def settle(plan: TransitPlan, tables: FateTables, exploitation: int, tally: IntArray) -> None:
    """Add the fates counted under an exploitation to ``tally`` and forget them."""
    histogram, occurred = tables.histogram[exploitation], tables.occurred[exploitation]
    records, ended = plan.fate_record, plan.fate_ended
    width = records.shape[1]
    later = np.uint64(ended.size)
    for i in range(np.uint64(tables.occurrences[exploitation])):
        place = occurred[i]
        number = histogram[place]
        histogram[place] = 0
        record = records[place]
        for entry in range(width):
            tally[entry] += number & np.int64(record[entry])
        end = ended[place if place < later else place - later]
        tally[max(end, 0)] += number & -np.int64(end >= 0)  # NONE, of an arrival, adds nothing; cheaper than a branch
    tables.occurrences[exploitation] = 0
