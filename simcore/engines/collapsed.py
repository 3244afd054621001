"""The collapsed walk: one word per agent and attempt picks the attempt's fate from an inverse-CDF table (DESIGN C3).

Agents keep their identity: agent i of a stratum reads word i % 4 of block i // 4 for its first attempt and its own
for later ones, so nobody's journey depends on how many others there are.

The inner loops touch plain local arrays only: passing a plan of fifty arrays to a function costs more than an attempt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import inner_kernel, kernel
from simcore.engines.keys import Keys
from simcore.engines.random import fill_attempt_words, philox4x32
from simcore.transit_zone.fates import (
    FATE_OF_CELL,
    FIRST_GUIDE_BITS,
    GUIDE_SIZE,
    LATER_GUIDE_BITS,
    UNDECIDED,
    fate_thresholds,
    fill_guide,
)
from simcore.transit_zone.plan import REATTEMPT, FloatArray, IntArray, TransitPlan

BLOCKS_AT_ONCE = 256  # Philox blocks of first attempts made in one go: 1,024 agents, 4 KiB of words
DIRECT_LIMIT = 128  # up to so many agents are tallied one by one, beyond through a histogram of fates
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
    histogram: npt.NDArray[np.int64]  # [most fates], zero between calls
    words: npt.NDArray[np.uint32]  # [4, BLOCKS_AT_ONCE]


def make_tables(plan: TransitPlan) -> FateTables:
    """Return the work space of one thread's walks."""
    tables = max((plan.start_first_fate.size - 1) * plan.attempt_cap, 1)
    fates = max(plan.most_fates, 1)
    return FateTables(
        ready=np.zeros(tables, dtype=np.bool_),
        high=np.empty((tables, fates), dtype=np.uint32),
        low=np.empty((tables, fates), dtype=np.uint32),
        last=np.zeros(tables, dtype=np.int64),
        guide=np.empty((tables, GUIDE_SIZE), dtype=np.uint16),
        histogram=np.zeros(fates, dtype=np.int64),
        words=np.empty((4, BLOCKS_AT_ONCE), dtype=np.uint32),
    )


@kernel
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


@kernel
def low_word(key: np.uint64, agent: int, attempt: int, replicate_id: np.uint32, theta_id: np.uint32) -> np.uint32:
    """Return the low word of an agent's uniform, drawn only when the high word ties with a threshold."""
    words = philox4x32(np.uint32(agent), np.uint32(attempt // 4), replicate_id, theta_id, key)
    return words[attempt % 4]


@kernel
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
def add_attempt(
    tally: IntArray,
    entries: IntArray,
    first: int,
    stop: int,
    points: int,
    agents: int,
    known: np.uint64,
) -> None:
    """Add an attempt of ``agents`` to ``tally``: ``entries[first:stop]``, and points not ``known`` as newly reached."""
    for i in range(first, stop):
        entry = entries[i]
        tally[entry] += agents
        if entry < 2 * points and not known >> np.uint64(entry - points) & _ONE:
            tally[entry - points] += agents


@kernel
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
    attempt_cap, points = plan.attempt_cap, plan.points
    first_attempt = 2 * points + plan.outcomes
    start_first_fate = plan.start_first_fate
    fate_kind, fate_next, fate_visited = plan.fate_kind, plan.fate_next, plan.fate_visited
    entry_start, entries = plan.fate_tally_start, plan.fate_tally
    ready, histogram, words = tables.ready, tables.histogram, tables.words
    all_high, all_low, all_guide, all_last = tables.high, tables.low, tables.guide, tables.last
    attempt_key, again_key, tie_key = keys.attempt[stratum], keys.reattempt[stratum], keys.tie[stratum]

    start = plan.class_start[plan.class_of[stratum]]
    table = start * attempt_cap
    if not ready[table]:
        prepare_table(plan, tables, start, 0, legs, shares, reattempts)
    last = all_last[table]
    base = start_first_fate[start]
    nowhere = np.uint64(0)
    direct = agents <= DIRECT_LIMIT
    tally[first_attempt] += agents
    blocks = (agents + 3) // 4
    for first_block in range(0, blocks, BLOCKS_AT_ONCE):
        here = min(BLOCKS_AT_ONCE, blocks - first_block)
        fill_attempt_words(words, first_block, here, replicate_id, theta_id, attempt_key)
        for lane in range(4):
            lane_words = words[lane]
            for block in range(here):
                agent = 4 * (first_block + block) + lane
                if agent >= agents:
                    break
                found = find_fate(
                    all_high,
                    all_low,
                    all_guide,
                    table,
                    _FIRST_SHIFT,
                    last,
                    lane_words[block],
                    tie_key,
                    agent,
                    0,
                    replicate_id,
                    theta_id,
                )
                fate = base + found
                if direct:
                    add_attempt(tally, entries, entry_start[fate], entry_start[fate + 1], points, 1, nowhere)
                else:
                    histogram[found] += 1
                if fate_kind[fate] != REATTEMPT:
                    continue
                known = fate_visited[fate]
                attempt = 1
                again = philox4x32(np.uint32(agent), np.uint32(0), replicate_id, theta_id, again_key)
                while fate_kind[fate] == REATTEMPT:
                    position = attempt - 1
                    if position > 0 and position % 4 == 0:
                        again = philox4x32(
                            np.uint32(agent), np.uint32(position // 4), replicate_id, theta_id, again_key
                        )
                    next_start = fate_next[fate]
                    next_table = next_start * attempt_cap + attempt
                    if not ready[next_table]:
                        prepare_table(plan, tables, next_start, attempt, legs, shares, reattempts)
                    fate = start_first_fate[next_start] + find_fate(
                        all_high,
                        all_low,
                        all_guide,
                        next_table,
                        _LATER_SHIFT,
                        all_last[next_table],
                        again[position % 4],
                        tie_key,
                        agent,
                        attempt,
                        replicate_id,
                        theta_id,
                    )
                    tally[first_attempt + attempt] += 1
                    add_attempt(tally, entries, entry_start[fate], entry_start[fate + 1], points, 1, known)
                    known |= fate_visited[fate]
                    attempt += 1
    if not direct:
        for fate in range(base, start_first_fate[start + 1]):
            number = histogram[fate - base]
            if number > 0:
                histogram[fate - base] = 0
                add_attempt(tally, entries, entry_start[fate], entry_start[fate + 1], points, number, nowhere)
