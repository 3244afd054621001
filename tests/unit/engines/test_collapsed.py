"""The search in a fate table: ties, widths of zero, the guard at the end; and agents that keep their identity."""

from __future__ import annotations

import random

import numpy as np
import pytest

from simcore.engines import collapsed
from simcore.engines.collapsed import FateTables, find_fate, low_word, make_tables, settle, walk_collapsed
from simcore.model import CompiledModel, compile_model
from simcore.scenario import Scenario
from simcore.transit_zone import fates
from simcore.transit_zone.fates import fill_guide
from simcore.transit_zone.legs import fork_shares, leg_probabilities, reattempt_probabilities
from tests.twin.philox import philox_block
from tests.twin.thresholds import random_thresholds, split_words
from tests.twin.transit import ALL_ONES, Fate, FateTable

TIE_KEY = 0x0123456789ABCDEF
GUIDES = sorted({fates.FIRST_GUIDE_BITS, fates.LATER_GUIDE_BITS})


class Table:
    """One fate table with a guide, made of 64-bit thresholds."""

    def __init__(self, model: CompiledModel, thresholds: list[int], bits: int) -> None:
        self.twin = FateTable([Fate(str(i), None, None, None, ()) for i in range(len(thresholds))], thresholds)
        high, low = (words[None, :].copy() for words in split_words(thresholds))
        guide = np.zeros((1, fates.GUIDE_SIZE), dtype=np.uint16)
        self.shift = np.uint32(32 - bits)
        self.last = self.twin.last_possible
        fill_guide(high[0], low[0], self.last, bits, guide[0])
        empty = make_tables(model.transit, 1)
        self.tables: FateTables = empty._replace(
            high=high, low=low, guide=guide, last=np.array([self.last], dtype=np.int64)
        )

    def find(self, word: int, *, agent: int = 0, attempt: int = 0, replicate_id: int = 0, theta_id: int = 0) -> int:
        return int(
            find_fate(
                self.tables, 0, self.shift, np.uint32(word), np.uint64(TIE_KEY), agent, attempt,
                np.uint32(replicate_id), np.uint32(theta_id),
            )
        )  # fmt: skip


def tie_word(agent: int, attempt: int, replicate_id: int = 0, theta_id: int = 0) -> int:
    """Low word by the documented address: block attempt // 4 of the agent, word attempt % 4 (attempt from 0)."""
    return philox_block((agent, attempt // 4, replicate_id, theta_id), TIE_KEY)[attempt % 4]


def interesting_words(thresholds: list[int], bits: int, chooser: random.Random) -> set[int]:
    """Borders of every guide cell, high words of all thresholds and their neighbours, the ends, and random ones."""
    width = 1 << (32 - bits)
    words = {cell * width + offset for cell in range(1 << bits) for offset in (0, width - 1)}
    for value in thresholds:
        words |= {(value >> 32) + step for step in (-1, 0, 1)}
    words |= {chooser.getrandbits(32) for _ in range(200)}
    return {word for word in words if 0 <= word <= 0xFFFFFFFF}


@pytest.mark.parametrize("bits", GUIDES)
def test_search_equals_a_linear_one_with_big_integers(
    tiny_model: CompiledModel, bits: int, chooser: random.Random
) -> None:
    for round_number in range(10):
        thresholds = random_thresholds(chooser, chooser.randrange(1, 60))
        table = Table(tiny_model, thresholds, bits)
        agent, attempt = chooser.getrandbits(32), chooser.randrange(12)
        low = tie_word(agent, attempt)
        for word in interesting_words(thresholds, bits, chooser):
            found = table.find(word, agent=agent, attempt=attempt)
            fate = table.twin.find(word << 32 | low)
            assert found == int(fate.leg), (round_number, hex(word), [hex(value) for value in thresholds])
            width = thresholds[found] - (thresholds[found - 1] if found else 0)
            assert width > 0 or thresholds[-1] == 0, "a fate of probability zero was drawn"


@pytest.mark.parametrize("bits", GUIDES)
def test_ties_are_decided_by_the_low_word(tiny_model: CompiledModel, bits: int, chooser: random.Random) -> None:
    """The drawn word equals a threshold's high word; the threshold's low word is put on both sides of the drawn one."""
    for _ in range(200):
        agent, attempt = chooser.getrandbits(32), chooser.randrange(9)
        replicate_id, theta_id = chooser.getrandbits(32), chooser.getrandbits(32)
        address = {"agent": agent, "attempt": attempt, "replicate_id": replicate_id, "theta_id": theta_id}
        low = tie_word(agent, attempt, replicate_id, theta_id)
        word = chooser.getrandbits(32)
        assert low_word(np.uint64(TIE_KEY), agent, attempt, np.uint32(replicate_id), np.uint32(theta_id)) == low
        below, equal, above = (
            [word << 32 | threshold_low, ALL_ONES] for threshold_low in (max(low - 1, 0), low, min(low + 1, 2**32 - 1))
        )
        assert Table(tiny_model, above, bits).find(word, **address) == 0, "U < T must take the fate"
        assert Table(tiny_model, equal, bits).find(word, **address) == 1, "U = T must pass on"
        assert Table(tiny_model, below, bits).find(word, **address) == 1
        pair = [word << 32 | low, word << 32 | min(low + 1, 2**32 - 1), ALL_ONES]
        assert Table(tiny_model, pair, bits).find(word, **address) == 1, "two thresholds in one high word"


@pytest.mark.parametrize("bits", GUIDES)
def test_last_possible_fate_takes_what_rounding_leaves(tiny_model: CompiledModel, bits: int) -> None:
    """Thresholds that end below the top: no word walks past the end or into a trailing fate of width zero."""
    for end in (ALL_ONES, ALL_ONES - 1, ALL_ONES - 5000, ALL_ONES - (3 << 32)):
        table = Table(tiny_model, [2**62, 2**63, 2**63, end, end, end], bits)
        assert table.last == 3
        for word in (0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFFB):
            assert table.find(word) == 3
        assert table.find(0x80000000, agent=1) == 3, "the fate of width zero at 2**63 was drawn"
    assert Table(tiny_model, [ALL_ONES], bits).find(0xFFFFFFFF) == 0
    assert Table(tiny_model, [0, 0, 0], bits).find(0x12345678) == 0
    assert Table(tiny_model, [0, ALL_ONES, ALL_ONES], bits).find(0) == 1


class Walk:
    """Walks agents of the first stratum with people under one theta; the kernel as the engine calls it."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.model: CompiledModel = compile_model(scenario)
        plan = self.model.transit
        streams = self.model.streams(seed)
        theta = self.model.draw_theta(streams, np.array([0], dtype=np.uint32))[0]
        self.keys = streams.keys
        self.legs = np.empty((plan.profile_split.size, plan.attempt_cap, 1 + plan.causes))
        self.shares = np.empty(plan.fork_share.size)
        self.reattempts = np.empty((plan.reattempt.shape[0], plan.attempt_cap))
        leg_probabilities(plan, theta, self.legs)
        fork_shares(plan, theta, self.shares)
        reattempt_probabilities(plan, theta, self.reattempts)
        self.tables = make_tables(plan, 1)

    def tally(self, agents: int) -> np.ndarray:
        plan = self.model.transit
        size = 2 * plan.points + plan.outcomes + plan.attempt_cap + plan.legs * plan.causes
        tally = np.zeros(size, dtype=np.int64)
        walk_collapsed(
            plan, self.keys, self.tables, self.legs, self.shares, self.reattempts, 0, agents, np.uint32(0),
            np.uint32(0), 0, tally,
        )  # fmt: skip
        settle(plan, self.tables, 0, tally)
        return tally


def test_one_more_agent_adds_one_journey(golden: Scenario, seed: int) -> None:
    """Nobody's journey depends on how many others walk: across the direct limit, and across batches of blocks."""
    walk = Walk(golden, seed)
    plan = walk.model.transit
    batch = 4 * collapsed.BLOCKS_AT_ONCE
    outcomes = slice(2 * plan.points, 2 * plan.points + plan.outcomes)
    attempts = slice(outcomes.stop, outcomes.stop + plan.attempt_cap)
    for limit in (4, 128, batch, 2 * batch):
        before = walk.tally(limit - 4)
        for agents in range(limit - 3, limit + 5):
            after = walk.tally(agents)
            journey = after - before
            assert (journey >= 0).all()
            assert journey[outcomes].sum() == 1
            assert journey[attempts][0] == 1
            assert set(journey[: plan.points]) <= {0, 1}
            assert (journey[: plan.points] <= journey[plan.points : 2 * plan.points]).all()
            before = after


def test_sum_of_journeys_is_the_tally(golden: Scenario, seed: int) -> None:
    """What the histogram of fates gives for a crowd is the sum of its members' journeys."""
    walk = Walk(golden, seed)
    limit = 128
    journeys = [walk.tally(agents + 1) - walk.tally(agents) for agents in range(2 * limit)]
    for agents in (1, limit - 1, limit, limit + 1, 2 * limit):
        assert walk.tally(agents).tolist() == sum(journeys[:agents]).tolist()
    assert not walk.tables.histogram.any(), "the histogram must be zero once it is settled"


def test_order_of_calls_changes_nothing(golden: Scenario, seed: int) -> None:
    walk = Walk(golden, seed)
    sizes = [5, 900, 1, 130, 0, 5, 2500]
    first = [walk.tally(agents).tolist() for agents in sizes]
    again = [Walk(golden, seed).tally(agents).tolist() for agents in reversed(sizes)]
    assert first == again[::-1]
    assert sum(first[4]) == 0
