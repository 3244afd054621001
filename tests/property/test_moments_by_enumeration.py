"""Exact moments against every single journey of random scenarios, listed one by one in plain Python."""

from __future__ import annotations

import math
import random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore.model import compile_model
from simcore.moments import Moments, expected
from simcore.rewards import expected_rewards
from simcore.scenario import Scenario, load_scenario
from simcore.scenario.rewards import Reward
from tests.conftest import FIXTURES, TWIN_SCENARIOS
from tests.property.test_random_scenarios import random_scenario
from tests.twin.histories import History, histories
from tests.twin.parameters import Theta
from tests.twin.transit import Journeys

AXES = ("origin", "sex", "age_band")
MOST_ATTEMPTS = 3  # so that a scenario has thousands of histories, not millions
# Sums of at most some thousands of positive terms in another order: relative differences of some hundred roundings.
TOLERANCE = 1e-12
# MAZE without the legs that are certain to end: leg probabilities come from other formulas then.
NO_CERTAIN_END = [
    "parameters.tunnel_split.distribution.shares={CONTINUE=0.3,caught=0.5,lost=0.2}",
    "parameters.caught_main.distribution.value=0.6",
    "transit.legs.window.net={lost='lost'}",
]


def counts_of(scenario: Scenario, history: History) -> npt.NDArray[np.float64]:
    """Return reached, visits, outcomes, attempts, ended of a history, in the order of `Moments.components`."""
    visits = np.array(history.visits)
    outcome = [float(name == history.outcome) for name in scenario.document.outcomes.levels]
    attempts = [float(k < history.attempts) for k in range(scenario.document.transit.attempt_cap)]
    return np.array([*(visits > 0), *visits, *outcome, *attempts, *history.ended], dtype=np.float64)


def check_stratum(scenario: Scenario, moments: Moments, group: int, x: str, listed: dict[History, float]) -> None:
    """Compare the moments of one bound person, and how journeys go with everything before them."""
    persons = moments.persons[0, group]
    mean, covariance = moments.mean[0, group], moments.covariance
    assert covariance is not None
    product = covariance[0, group] + np.outer(mean, mean) / persons  # sums over persons of E[X X']
    journey = [
        i
        for i, c in enumerate(moments.components)
        if c.exploitation == x and c.variable in ("reached", "visits", "outcome", "attempts", "ended")
    ]
    before = [i for i, c in enumerate(moments.components) if c.variable == "at_risk"]
    victims = next(i for i, c in enumerate(moments.components) if c.variable == "victims" and c.exploitation == x)
    bound = next(i for i, c in enumerate(moments.components) if c == ("destination", x, moments.bound))
    others = [i for i, c in enumerate(moments.components) if c.exploitation not in ("", x)]
    if mean[bound] == 0.0:
        assert not mean[journey].any()
        return
    assert math.fsum(listed.values()) == pytest.approx(1.0, abs=1e-12)
    vectors = np.array([counts_of(scenario, history) for history in listed])
    chances = np.array(list(listed.values()))
    first, second = chances @ vectors, (vectors * chances[:, None]).T @ vectors
    scale = persons * np.sqrt(np.outer(np.diag(product), np.diag(product))).max() / persons
    assert np.allclose(mean[journey], mean[bound] * first, rtol=TOLERANCE, atol=0.0)
    assert np.array_equal(mean[journey] == 0.0, first == 0.0)
    made = product[np.ix_(journey, journey)]
    assert np.allclose(made, mean[bound] * second, rtol=TOLERANCE, atol=TOLERANCE * scale)
    share = mean[bound] / mean[victims]
    for row in (*before, victims):
        assert np.allclose(product[row, journey], product[row, victims] * share * first, rtol=1e-9, atol=1e-12 * scale)
    assert np.allclose(product[bound, journey], mean[bound] * first, rtol=TOLERANCE, atol=TOLERANCE * scale)
    assert np.allclose(product[np.ix_(others, journey)], 0.0, atol=TOLERANCE * scale)  # one event per person


def random_reward(scenario: Scenario, choose: random.Random) -> Reward:
    def some(names: tuple[str, ...]) -> dict[str, float | dict[str, float]]:
        return {
            name: choose.choice([0.0, choose.uniform(0, 9), {"mean": choose.uniform(0, 9), "cv": choose.uniform(0, 2)}])
            for name in names
            if choose.random() < 0.7
        }

    return Reward.model_validate(
        {
            "unit": "days",
            "legs": some(scenario.levels("leg")),
            "causes": some(scenario.levels("cause")),
            "outcomes": some(scenario.levels("outcome")),
            "reattempt": {"mean": choose.uniform(0, 30), "cv": choose.uniform(0, 1)},
        }
    )


def collected(scenario: Scenario, reward: Reward, history: History) -> tuple[float, float]:
    """Return mean and variance of what a history collects."""
    causes = scenario.levels("cause")
    amounts = [
        (number, reward.legs.get(leg)) for leg, number in zip(scenario.levels("leg"), history.travelled, strict=True)
    ]
    amounts += [(number, reward.causes.get(causes[i % len(causes)])) for i, number in enumerate(history.ended)]
    amounts += [(1, reward.outcomes.get(history.outcome)), (history.attempts - 1, reward.reattempt)]
    known = [(number, float(a.mean), float(a.cv or 0.0)) for number, a in amounts if a is not None]
    return math.fsum(n * m for n, m, _ in known), math.fsum(n * (m * cv) ** 2 for n, m, cv in known)


def check_rewards(
    scenario: Scenario, listed: dict[tuple[str, ...], dict[History, float]], choose: random.Random
) -> None:
    reward = random_reward(scenario, choose)
    made = expected_rewards(scenario, rewards={"given": reward}, by=(*AXES, "exploitation"))
    arrival = scenario.document.outcomes.arrival
    for group, coordinates in enumerate(made.groups):
        ways = listed.get(tuple(coordinates.values()))
        if ways is None or made.bound[0, group] == 0.0:
            assert np.isnan(made.mean[0, group]).all()
            continue
        for name, what in (("given", None), ("interceptions", "interceptions"), ("attempts", "attempts")):
            index = made.of(name)
            for arrived, mean, variance in (
                (False, made.mean, made.variance),
                (True, made.mean_of_arrived, made.variance_of_arrived),
            ):
                total, first, second = 0.0, [], []
                for history, chance in ways.items():
                    if arrived and history.outcome != arrival:
                        continue
                    if what is None:
                        amount, spread = collected(scenario, reward, history)
                    else:
                        extra = history.outcome == scenario.document.outcomes.returned
                        amount, spread = history.attempts - (what == "interceptions") * (1 - extra), 0.0
                    total += chance
                    first.append(chance * amount)
                    second.append(chance * (spread + amount**2))
                if total == 0.0:
                    assert np.isnan(mean[0, group, index])
                    continue
                answer = math.fsum(first) / total
                square = math.fsum(second) / total
                assert mean[0, group, index] == pytest.approx(answer, rel=1e-11, abs=1e-13)
                assert variance[0, group, index] == pytest.approx(
                    square - answer**2, rel=1e-9, abs=1e-10 * (1 + square)
                )


def check_scenario(scenario: Scenario, choose: random.Random) -> None:
    model = compile_model(scenario, routes=False)
    moments = expected(model, by=AXES, ended=True)
    listed = {}
    for stratum, place in enumerate(model.strata):
        if model.transit.class_of[stratum] < 0:
            continue
        ways = histories(Journeys(scenario, Theta(scenario, 0, 0), place))
        listed[tuple(place.values())] = ways
        group = moments.groups.index({axis: place[axis] for axis in AXES})
        check_stratum(scenario, moments, group, place["exploitation"], ways)
    check_rewards(scenario, listed, choose)


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 10**9))
def test_random_scenarios(number: int) -> None:
    check_scenario(random_scenario(number, most_attempts=MOST_ATTEMPTS), random.Random(number))


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (FIXTURES / "tiny.toml", []),
        (FIXTURES / "golden.toml", []),
        (TWIN_SCENARIOS / "maze.toml", ["transit.attempt_cap=2"]),
        (TWIN_SCENARIOS / "maze.toml", ["transit.attempt_cap=2", *NO_CERTAIN_END]),
    ],
    ids=["tiny", "golden", "maze", "maze without a certain end"],
)
def test_fixtures(path: str, changes: list[str]) -> None:
    scenario = load_scenario(path, settings=changes)
    if scenario.name != "maze":  # its parameters are drawn; below they are compared at the draws of the twin
        check_scenario(scenario, random.Random(1))
        return
    model = compile_model(scenario, routes=False)
    moments = expected(model, draws=1, seed=4, by=AXES, ended=True)
    for stratum, place in enumerate(model.strata):
        if model.transit.class_of[stratum] >= 0:
            ways = histories(Journeys(scenario, Theta(scenario, 4, 0), place))
            group = moments.groups.index({axis: place[axis] for axis in AXES})
            check_stratum(scenario, moments, group, place["exploitation"], ways)
