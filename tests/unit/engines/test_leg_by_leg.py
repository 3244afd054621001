"""Decisions of the leg-by-leg walk: 64-bit thresholds, the last possible choice, and how re-attempts end."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from simcore.engines.leg_by_leg import pick, threshold64, walk_leg_by_leg
from simcore.model import CompiledModel
from simcore.transit_zone.legs import fork_shares, leg_probabilities, reattempt_probabilities
from tests.twin.transit import threshold

TOP = 2**64 - 1


@pytest.mark.parametrize(
    ("cumulative", "value"),
    [
        (0.0, 0),
        (5e-324, 0),
        (2.0**-64, 1),
        (2.0**-63, 2),
        (0.5, 2**63),
        (math.nextafter(1.0, 0.0), 2**64 - 2**11),
        (1.0, TOP),
        (math.nextafter(1.0, 2.0), TOP),
        (7.0, TOP),
    ],
)
def test_threshold_is_the_floor_held_at_the_top(cumulative: float, value: int) -> None:
    assert int(threshold64(cumulative)) == value == threshold(cumulative)


def choose(uniform: int, masses: list[float], size: int | None = None) -> int:
    return int(pick(np.uint64(uniform), np.array(masses), len(masses) if size is None else size))


def test_choices_are_half_open_intervals() -> None:
    masses = [0.25, 0.5, 0.25]
    quarter = 2**62
    ends = [(0, 0), (quarter - 1, 0), (quarter, 1), (3 * quarter - 1, 1), (3 * quarter, 2), (TOP, 2)]
    for uniform, chosen in ends:
        assert choose(uniform, masses) == chosen


def test_last_possible_choice_takes_what_is_left_and_impossible_ones_nothing() -> None:
    assert choose(TOP, [0.5, 0.25, 0.0]) == 1
    assert choose(0, [0.0, 0.0, 0.3, 0.0]) == 2
    assert choose(TOP, [0.0, 0.0, 0.3, 0.0]) == 2
    assert choose(TOP, [1.0, 0.0]) == 0
    assert choose(TOP, [0.0, 1e-300]) == 1
    assert choose(0, [0.0, 0.5, 0.5]) == 1
    assert choose(TOP, [0.0, 0.0]) == 0, "nothing possible: the first, which has no words to choose by"


def test_size_and_not_the_length_of_the_work_space_counts() -> None:
    assert choose(TOP, [0.5, 0.5, 9.0], size=2) == 1
    assert choose(2**63, [0.5, 0.5, 9.0], size=2) == 1
    assert choose(2**63 - 1, [0.5, 0.5, 9.0], size=2) == 0


def test_agrees_with_exact_integers(chooser: random.Random) -> None:
    for _ in range(300):
        masses = [chooser.choice([0.0, chooser.random()]) for _ in range(chooser.randrange(1, 7))]
        masses[chooser.randrange(len(masses))] += 0.1
        total = sum(masses)
        masses = [mass / total for mass in masses]
        last = max(i for i, mass in enumerate(masses) if mass > 0.0)
        cumulative, limits = 0.0, []
        for mass in masses:
            cumulative += mass
            limits.append(threshold(cumulative))
        for uniform in {chooser.getrandbits(64), 0, TOP, *limits, *(max(limit - 1, 0) for limit in limits)}:
            expected = next((i for i in range(last) if uniform < limits[i]), last)
            assert choose(uniform, masses) == expected


def tallies(model: CompiledModel, agents: int, rho: float, seed: int) -> np.ndarray:
    """Walk agents of the first stratum with one probability of trying again at every attempt; return the tally."""
    plan = model.transit
    theta = model.space.typical()
    legs = np.empty((plan.profile_split.size, plan.attempt_cap, 1 + plan.causes))
    shares = np.empty(plan.fork_share.size)
    reattempts = np.empty((plan.reattempt.shape[0], plan.attempt_cap))
    leg_probabilities(plan, theta, legs)
    fork_shares(plan, theta, shares)
    reattempt_probabilities(plan, theta, reattempts)
    reattempts[:, :-1] = rho
    tally = np.zeros(2 * plan.points + plan.outcomes + plan.attempt_cap + plan.legs * plan.causes, dtype=np.int64)
    walk_leg_by_leg(
        plan, model.streams(seed).keys, legs, shares, reattempts, 0, agents, np.uint32(3), np.uint32(2),
        np.empty(max(plan.causes + 1, plan.fork_share.size)), np.empty(plan.points, dtype=np.bool_), tally,
    )  # fmt: skip
    return tally


@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_retry_for_sure_and_never(tiny_model: CompiledModel, rho: float, seed: int) -> None:
    """With rho = 0 nobody makes a second attempt; with rho = 1 only the cap ends a row of interceptions."""
    plan = tiny_model.transit
    tally = tallies(tiny_model, 200, rho, seed)
    first_outcome = 2 * plan.points
    outcomes = tally[first_outcome : first_outcome + plan.outcomes]
    attempts = tally[first_outcome + plan.outcomes :][: plan.attempt_cap]
    ended = tally[first_outcome + plan.outcomes + plan.attempt_cap :].reshape(plan.legs, plan.causes)
    assert outcomes.sum() == attempts[0] == 200
    intercepted, returned = ended[:, 0].sum(), outcomes[plan.returned_outcome]
    assert intercepted > 20
    assert attempts[1:].sum() == intercepted - returned
    if rho == 0.0:
        assert attempts[1:].tolist() == [0] * (plan.attempt_cap - 1)
        assert returned == intercepted
    else:
        assert 0 < returned < intercepted
    assert ended[:, 1:].sum(axis=0).tolist() == [outcomes[outcome] for outcome in plan.cause_outcome[1:]]


def test_walks_add_to_the_tally_and_do_not_depend_on_how_many_there_are(tiny_model: CompiledModel, seed: int) -> None:
    """Agent by agent: the tally of n + 1 agents is that of n plus one journey."""
    plan = tiny_model.transit
    first_attempt = 2 * plan.points + plan.outcomes
    before = tallies(tiny_model, 0, 0.5, seed)
    assert not before.any()
    for agents in range(1, 12):
        now = tallies(tiny_model, agents, 0.5, seed)
        journey = now - before
        assert (journey >= 0).all()
        assert journey[first_attempt] == 1
        assert journey[2 * plan.points : first_attempt].sum() == 1
        assert set(journey[: plan.points].tolist()) <= {0, 1}
        before = now
