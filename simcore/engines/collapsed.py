"""The collapsed walk: one word per agent and attempt picks the attempt's fate from an inverse-CDF table (DESIGN C3).

Agents keep their identity: agent i of a stratum reads word i % 4 of block i // 4 for its first attempt and its own
blocks for later ones, so nobody's journey depends on how many others there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.engines.counts import Counts
from simcore.engines.keys import Keys
from simcore.engines.random import fill_attempt_words, philox4x32
from simcore.transit_zone.fates import GUIDE_BITS, fate_thresholds, fill_guide
from simcore.transit_zone.plan import ARRIVAL, REATTEMPT, FloatArray, TransitPlan

BLOCKS_AT_ONCE = 256  # Philox blocks of first attempts made in one go: 1,024 agents, 4 KiB of words
DIRECT_LIMIT = 128  # up to so many agents are recorded one by one, beyond through a histogram of fates
_GUIDE_SHIFT = np.uint32(32 - GUIDE_BITS)


class FateTables(NamedTuple):
    """Work space of the walk; table ``start * K + attempt`` is built when it is first needed for a theta."""

    ready: npt.NDArray[np.bool_]  # [tables]
    high: npt.NDArray[np.uint32]  # [tables, most fates]
    low: npt.NDArray[np.uint32]  # [tables, most fates]
    last: npt.NDArray[np.int64]  # [tables]
    guide: npt.NDArray[np.uint16]  # [tables, GUIDE_SIZE]
    histogram: npt.NDArray[np.int64]  # [most fates], zero between calls
    words: npt.NDArray[np.uint32]  # [4, BLOCKS_AT_ONCE]


@kernel
def prepare_table(
    plan: TransitPlan,
    tables: FateTables,
    start: int,
    attempt: int,
    legs: FloatArray,
    shares: FloatArray,
    reattempts: FloatArray,
) -> int:
    """Return the index of the fate table of an attempt from a start, building it if theta is new."""
    table = start * plan.attempt_cap + attempt
    if not tables.ready[table]:
        reattempt = reattempts[plan.class_reattempt[plan.start_class[start]], attempt]
        high, low = tables.high[table], tables.low[table]
        tables.last[table] = fate_thresholds(plan, start, attempt, legs, shares, reattempt, high, low)
        fill_guide(high, low, tables.last[table], tables.guide[table])
        tables.ready[table] = True
    return table


@kernel
def low_word(key: np.uint64, agent: int, attempt: int, replicate_id: np.uint32, theta_id: np.uint32) -> np.uint32:
    """Return the low word of an agent's uniform, drawn only when the high word ties with a threshold."""
    words = philox4x32(np.uint32(agent), np.uint32(attempt // 4), replicate_id, theta_id, key)
    return words[attempt % 4]


@kernel
def find_fate(
    tables: FateTables,
    table: int,
    word: np.uint32,
    tie_key: np.uint64,
    agent: int,
    attempt: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
) -> int:
    """Return the first fate f with U < T_f, never past the last possible one."""
    fate = int(tables.guide[table, word >> _GUIDE_SHIFT])
    last = tables.last[table]
    while fate < last:
        high = tables.high[table, fate]
        if word < high:
            break
        if word == high and low_word(tie_key, agent, attempt, replicate_id, theta_id) < tables.low[table, fate]:
            break
        fate += 1
    return fate


@kernel
def record(
    plan: TransitPlan, counts: Counts, slot: int, row: int, fate: int, attempt: int, agents: int, known: np.uint64
) -> None:
    """Add an attempt of ``agents`` with one fate; ``known`` are the points they had reached before this attempt."""
    visited = plan.fate_visited[fate]
    counts.attempts[slot, row, attempt] += agents
    for point in range(plan.points):
        bit = np.uint64(1) << np.uint64(point)
        if visited & bit:
            counts.visits[slot, row, point] += agents
            if not known & bit:
                counts.reached[slot, row, point] += agents
    kind = plan.fate_kind[fate]
    if kind != REATTEMPT:
        counts.outcome[slot, row, plan.fate_outcome[fate]] += agents
    if kind != ARRIVAL and counts.ended.shape[0] > 0:
        counts.ended[slot, row, plan.fate_leg[fate], plan.fate_cause[fate]] += agents


@kernel
def walk_again(
    plan: TransitPlan,
    keys: Keys,
    tables: FateTables,
    legs: FloatArray,
    shares: FloatArray,
    reattempts: FloatArray,
    stratum: int,
    agent: int,
    fate: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    counts: Counts,
    slot: int,
    row: int,
) -> None:
    """Walk the later attempts of one agent, whose first attempt ended in the re-attempt ``fate``."""
    known = plan.fate_visited[fate]
    words = philox4x32(np.uint32(agent), np.uint32(0), replicate_id, theta_id, keys.reattempt[stratum])
    attempt = 1
    while plan.fate_kind[fate] == REATTEMPT:
        start = plan.fate_next[fate]
        position = attempt - 1
        if position > 0 and position % 4 == 0:
            block = np.uint32(position // 4)
            words = philox4x32(np.uint32(agent), block, replicate_id, theta_id, keys.reattempt[stratum])
        table = prepare_table(plan, tables, start, attempt, legs, shares, reattempts)
        found = find_fate(tables, table, words[position % 4], keys.tie[stratum], agent, attempt, replicate_id, theta_id)
        fate = plan.start_first_fate[start] + found
        record(plan, counts, slot, row, fate, attempt, 1, known)
        known |= plan.fate_visited[fate]
        attempt += 1


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
    counts: Counts,
    slot: int,
    row: int,
) -> None:
    """Walk ``agents`` bound victims of a stratum to their outcomes and add them to ``counts``."""
    start = plan.class_start[plan.class_of[stratum]]
    table = prepare_table(plan, tables, start, 0, legs, shares, reattempts)
    first_fate = plan.start_first_fate[start]
    fates = plan.start_first_fate[start + 1] - first_fate
    nowhere = np.uint64(0)
    direct = agents <= DIRECT_LIMIT
    blocks = (agents + 3) // 4
    for first_block in range(0, blocks, BLOCKS_AT_ONCE):
        here = min(BLOCKS_AT_ONCE, blocks - first_block)
        fill_attempt_words(tables.words, first_block, here, replicate_id, theta_id, keys.attempt[stratum])
        for lane in range(4):
            for block in range(here):
                agent = 4 * (first_block + block) + lane
                if agent >= agents:
                    break
                word = tables.words[lane, block]
                found = find_fate(tables, table, word, keys.tie[stratum], agent, 0, replicate_id, theta_id)
                fate = first_fate + found
                if direct:
                    record(plan, counts, slot, row, fate, 0, 1, nowhere)
                else:
                    tables.histogram[found] += 1
                if plan.fate_kind[fate] == REATTEMPT:
                    walk_again(
                        plan, keys, tables, legs, shares, reattempts, stratum, agent, fate, replicate_id, theta_id,
                        counts, slot, row,
                    )  # fmt: skip
    if not direct:
        for found in range(fates):
            if tables.histogram[found] > 0:
                record(plan, counts, slot, row, first_fate + found, 0, tables.histogram[found], nowhere)
                tables.histogram[found] = 0
