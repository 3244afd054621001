"""The collapsed walk: one word per agent and attempt picks its fate from an inverse-CDF table (docs/architecture.md).

Agents keep their identity: agent i of a stratum reads word i % 4 of block i // 4 for its first attempt and its own
for later ones, so nobody's journey depends on how many others there are.

A stratum is walked in batches: the words of all first attempts of a batch, their fates, then attempt by attempt those
who go on, kept together at the front of a list. Fates are only counted here; what they add to the tally is worked out
once per fate that occurred. Indices in the inner loops are unsigned, because numba wraps negative ones at every access.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel, inner_kernel
from simcore.engines.keys import Keys
from simcore.engines.random import fill_attempt_words, fill_reattempt_words, philox4x32
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
    histogram: npt.NDArray[np.int64]  # [2 Z] first attempts, then later ones; zero between calls
    occurred: MaskArray  # [2 Z + 1] entries of the histogram that are not zero
    words: npt.NDArray[np.uint32]  # [4, BLOCKS_AT_ONCE] of first attempts
    later_words: npt.NDArray[np.uint32]  # [4, batch] of later attempts
    # of those who go on, by place in the list: agent, column of their words, fate of their last attempt, points reached
    agent: npt.NDArray[np.uint32]  # [batch + 1]
    column: npt.NDArray[np.uint32]  # [batch + 1]
    fate: MaskArray  # [batch + 1]
    reached: MaskArray  # [batch + 1]


def make_tables(plan: TransitPlan) -> FateTables:
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
        histogram=np.zeros(both, dtype=np.int64),
        occurred=np.empty(both + 1, dtype=np.uint64),
        words=np.empty((4, BLOCKS_AT_ONCE), dtype=np.uint32),
        later_words=np.empty((4, batch), dtype=np.uint32),
        agent=np.empty(batch + 1, dtype=np.uint32),
        column=np.empty(batch + 1, dtype=np.uint32),
        fate=np.empty(batch + 1, dtype=np.uint64),
        reached=np.empty(batch + 1, dtype=np.uint64),
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
    tables.last[table] = fate_thresholds(plan, start, attempt, legs, shares, reattempt, high, low)
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
    high: npt.NDArray[np.uint32],
    low: npt.NDArray[np.uint32],
    guide: npt.NDArray[np.uint16],
    table: int,
    shift: np.uint32,
    last: int,
    word: np.uint32,
    tie_key: np.uint64,
    agent: int,
    attempt: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
) -> int:
    """Return the first fate f of a table with U < T_f, never past the last possible one."""
    cell = int(np.int64(guide[table, word >> shift]))
    fate = cell & FATE_OF_CELL
    if cell & UNDECIDED:
        while fate < last and word > high[table, fate]:
            fate += 1
        if fate < last and word == high[table, fate]:  # about fates / 2**32 of draws
            word_below = low_word(tie_key, agent, attempt, replicate_id, theta_id)
            fate = settle_tie(high, low, table, fate, last, word, word_below)
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
    occurred: np.uint64,
    left: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """Count the fates of ``number`` first attempts, of agents ``first_agent, first_agent + 4, ...``; list who goes on.

    ``base`` is the first fate of the start. Takes and returns how many entries of the histogram are not zero, and how
    many agents are on the list.
    """
    histogram, occurrences, agent, fate_of = tables.histogram, tables.occurred, tables.agent, tables.fate
    high, low, guide, last = tables.high, tables.low, tables.guide, tables.last[table]
    for i in range(number):
        found = find_fate(
            high,
            low,
            guide,
            table,
            _FIRST_SHIFT,
            last,
            words[i],
            tie_key,
            first_agent + 4 * i,
            0,
            replicate_id,
            theta_id,
        )
        fate = base + np.uint64(found)
        before = histogram[fate]
        histogram[fate] = before + 1
        occurrences[occurred] = fate
        occurred += np.uint64(before == 0)
        agent[left] = np.uint32(first_agent + 4 * i)
        fate_of[left] = fate
        left += np.uint64(kinds[fate] == REATTEMPT)
    return occurred, left


@bare_kernel
def add_fates(
    tally: IntArray,
    histogram: npt.NDArray[np.int64],
    occurrences: MaskArray,
    occurred: np.uint64,
    records: npt.NDArray[np.int8],
    ended: IntArray,
) -> None:
    """Add the first ``occurred`` fates of ``occurrences`` to ``tally``, as often as they did; zero the histogram."""
    width = records.shape[1]
    later = np.uint64(ended.size)
    for i in range(occurred):
        place = occurrences[i]
        number = histogram[place]
        histogram[place] = 0
        record = records[place]
        for entry in range(width):
            tally[entry] += number * np.int64(record[entry])
        end = ended[place if place < later else place - later]
        tally[max(end, 0)] += number * np.int64(end >= 0)  # NONE, of an arrival, adds nothing; cheaper than a branch


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
    tally: IntArray,
) -> None:
    """Walk ``agents`` bound victims of a stratum to their outcomes and add them to ``tally`` (see `TransitPlan`)."""
    attempt_cap = plan.attempt_cap
    first_attempt = 2 * plan.points + plan.outcomes
    kinds, fate_next, visited = plan.fate_kind, plan.fate_next, plan.fate_visited
    start_first_fate = plan.start_first_fate
    high, low, guide, last, ready = tables.high, tables.low, tables.guide, tables.last, tables.ready
    histogram, occurrences, later_words = tables.histogram, tables.occurred, tables.later_words
    agent, column, fate_of, reached = tables.agent, tables.column, tables.fate, tables.reached
    later = np.uint64(plan.fate_ended.size)
    again_key, tie_key = keys.reattempt[stratum], keys.tie[stratum]

    start = plan.class_start[plan.class_of[stratum]]
    table = start * attempt_cap
    if not ready[table]:
        prepare_table(plan, tables, start, 0, legs, shares, reattempts)
    tally[first_attempt] += agents
    occurred = np.uint64(0)
    blocks = (agents + 3) // 4
    for first_block in range(0, blocks, BLOCKS_AT_ONCE):
        here = min(BLOCKS_AT_ONCE, blocks - first_block)
        fill_attempt_words(tables.words, first_block, here, replicate_id, theta_id, keys.attempt[stratum])
        left = np.uint64(0)
        for lane in range(4):
            first_agent = 4 * first_block + lane
            number = min(here, (agents - first_agent + 3) // 4)
            occurred, left = first_fates(
                tables, table, np.uint64(start_first_fate[start]), tables.words[lane], number, first_agent, tie_key,
                replicate_id, theta_id, kinds, occurred, left,
            )  # fmt: skip
        for i in range(left):
            reached[i] = visited[fate_of[i]]
        attempt = 1
        while left > 0:
            word = (attempt - 1) % 4
            if word == 0:
                number = int(np.int64(left))
                fill_reattempt_words(later_words, agent, number, (attempt - 1) // 4, replicate_id, theta_id, again_key)
                for i in range(left):
                    column[i] = np.uint32(i)
            words = later_words[word]
            tally[first_attempt + attempt] += np.int64(left)
            still = np.uint64(0)
            for i in range(left):
                next_start = fate_next[fate_of[i]]
                next_table = next_start * attempt_cap + attempt
                if not ready[next_table]:
                    prepare_table(plan, tables, next_start, attempt, legs, shares, reattempts)
                found = find_fate(
                    high, low, guide, next_table, _LATER_SHIFT, last[next_table], words[column[i]], tie_key,
                    int(np.int64(agent[i])), attempt, replicate_id, theta_id,
                )  # fmt: skip
                fate = np.uint64(start_first_fate[next_start] + found)
                before = histogram[later + fate]
                histogram[later + fate] = before + 1
                occurrences[occurred] = later + fate
                occurred += np.uint64(before == 0)
                new = visited[fate] & ~reached[i]
                for point in range(plan.points):
                    tally[point] += np.int64(new >> np.uint64(point) & _ONE)
                agent[still] = agent[i]
                column[still] = column[i]
                fate_of[still] = fate
                reached[still] = reached[i] | visited[fate]
                still += np.uint64(kinds[fate] == REATTEMPT)
            left = still
            attempt += 1
    add_fates(tally, histogram, occurrences, occurred, plan.fate_record, plan.fate_ended)
