"""Scenarios that nobody thought of: random journey graphs, shares and probabilities, exact zeros and ones among them.

All three ways must keep every identity and agree with the exact means; crowds that move as counts must equal their
twin; the exact moments must be consistent with themselves.
"""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore.moments import Moments, expected
from simcore.runner import run
from simcore.scenario import Scenario, scenario_from_embedded
from simcore.store import Results
from simcore.verification.sampled import weighted_counts
from tests.property.test_identities import ALL_AXES, check_identities
from tests.twin.comparison import assert_same_counts
from tests.twin.simulation import simulate
from tests.ways import WAYS

REPLICATES = 64
# 65 scenarios, three runs of 40 and one of 25, about 40 means: 5,800 scores. |z| < 6.5 is wrong by chance with 8e-11
# each for normal scores; counts here are small at times, which the continuity allowance below covers.
SCORE_LIMIT = 6.5


def _fixed(value: float) -> dict[str, Any]:
    return {"family": "fixed", "value": value}


def random_scenario(number: int, *, most_attempts: int = 7, crowding: int = 1) -> Scenario:
    """Return a random valid scenario; the same number gives the same one.

    It has at most ``most_attempts``, and ``crowding`` times the persons in its cells.
    """
    choose = random.Random(number)
    parameters: dict[str, Any] = {}

    def declare(distribution: dict[str, Any]) -> str:
        name = f"p{len(parameters)}"
        parameters[name] = {"distribution": distribution, "unit": "1", "grade": "illustrative"}
        return name

    def probability(low: float = 0.0, high: float = 1.0) -> str:
        return declare(_fixed(choose.choice([low, high, choose.uniform(low, high), choose.uniform(low, high)])))

    def shares(names: list[str]) -> dict[str, float]:
        weights = [choose.choice([0.0, choose.random(), choose.random()]) for _ in names]
        weights[choose.randrange(len(names))] += 0.5
        total = sum(weights)
        return {name: weight / total for name, weight in zip(names, weights, strict=True)}

    def simplex(names: list[str]) -> str:
        return declare({"family": "fixed_shares", "shares": shares(names)})

    levels = ["u", "v", "w"][: choose.randint(1, 3)]
    cells = [
        {"origin": o, "sex": g, "age_band": "any", "persons": crowding * choose.choice([0, 1, 50, 2000])}
        for o in ("north", "south")
        for g in ("f", "m")
    ]
    cells[0]["persons"] = crowding * 2000
    causes = ["stopped", "helped", "lost"]
    points = [f"n{i}" for i in range(choose.randint(2, 5))]
    legs: dict[str, Any] = {}
    branches: dict[str, Any] = {}
    for i, point in enumerate(points[:-1]):
        names = []
        for j in sorted({i + 1, *(choose.randrange(i + 1, len(points)) for _ in range(choose.randint(0, 2)))}):
            name = f"leg{i}{j}"
            names.append(name)
            leg: dict[str, Any] = {"from": point, "to": points[j]}
            leg["returned_to"] = choose.choice([*points[: i + 1], "@entry"])
            if choose.random() < 0.5:
                possible = [cause for cause in causes if choose.random() < 0.8]
                leg["net"] = {cause: probability(0.0, choose.choice([0.3, 1.0])) for cause in possible}
            else:
                leg["split"] = simplex(["CONTINUE", *causes])
            legs[name] = leg
        if len(names) > 1:
            branches[point] = {"all": {"shares": simplex(names)}}
    document = {
        "schema_version": 1,
        "name": f"random{number}",
        "title": "random",
        "definition": "random",
        "cohort_year": 2000,
        "strata": {
            "origin": {"north": {}, "south": {}},
            "sex": {"f": {}, "m": {}},
            "age_band": {"any": {}},
            "exploitation": {level: {} for level in levels},
        },
        "population": {"cells": cells, "grade": "illustrative"},
        "at_risk": {
            "model": "expert",
            "odds_ratio": declare(_fixed(choose.choice([0.2, 1.0, 7.0]))),
            "expert": {
                "shares": {
                    level: {"where": {"exploitation": [level]}, "parameter": probability(0.1)} for level in levels
                }
            },
        },
        "event": {"hazards": {"all": {"parameter": declare(_fixed(choose.choice([0.05, 1.0, 50.0])))}}},
        "destinations": {
            "bound": "border",
            "levels": {"elsewhere": {}, "border": {}, "home": {}},
            "split": {"all": {"shares": simplex(["elsewhere", "border", "home"])}},
        },
        "outcomes": {
            "arrival": "arrived",
            "returned": "sent_back",
            "interception": "stopped",
            "levels": {"helped": {}, "arrived": {}, "sent_back": {}, "lost": {}},
        },
        "transit": {
            "attempt_cap": min(choose.randint(1, 7), most_attempts),
            "attempt_effect": declare(_fixed(choose.choice([-0.4, 0.0, 0.5]))),
            "arrival_point": points[-1],
            "points": {point: {} for point in points},
            "entry": {
                "default": {"point": points[0]},
                "south": {"where": {"origin": ["south"]}, "point": choose.choice(points[:-1])},
            },
            "reattempt": {"all": {"probability": [probability(), probability()]}},
            "branches": branches,
            "legs": legs,
            "modifiers": {
                "some": {
                    "causes": [choose.choice(causes)],
                    "where": {"sex": ["f"]},
                    "factor": declare(_fixed(choose.choice([0.0, 0.5, 3.0]))),
                }
            },
        },
        "parameters": parameters,
    }
    if len(levels) == 1:
        del document["at_risk"]["odds_ratio"]  # type: ignore[attr-defined]
    return scenario_from_embedded(json.dumps(document), {})


def check_moments(moments: Moments) -> None:
    """Assert that exact moments obey the identities that every replicate obeys, and are moments at all."""
    assert moments.covariance is not None
    mean, covariance = moments.mean[0], moments.covariance[0]
    for group in range(len(moments.groups)):
        scale = max(float(mean[group].max()), 1.0)
        assert np.allclose(covariance[group], covariance[group].T, rtol=0, atol=1e-9 * scale)
        assert np.linalg.eigvalsh(covariance[group]).min() > -1e-7 * scale
    zero = moments.weights("outcome") - moments.weights("destination", label=moments.bound)
    balance = moments.weights("destination") - moments.weights("victims")
    entered = moments.weights("attempts", label="1") - moments.weights("destination", label=moments.bound)
    for weights in (zero, balance, entered):
        assert np.allclose(moments.mean_of(weights), 0.0, atol=1e-8 * max(float(mean.max()), 1.0))
        assert np.allclose(moments.variance_of(weights), 0.0, atol=1e-6 * max(float(covariance.max()), 1.0))


def check_means(moments: Moments, results: Results) -> None:
    """Assert that the mean of every count agrees with the exact one."""
    assert moments.covariance is not None
    mean, variance = moments.mean[0, 0], np.diagonal(moments.covariance[0, 0])
    for index, component in enumerate(moments.components):
        if component.variable == "ended":
            continue
        total = weighted_counts(results, moments, np.eye(mean.size)[index]).sum()
        if mean[index] == 0.0:
            assert total == 0, component  # what cannot happen never does
            continue
        error = np.sqrt(max(variance[index], 1e-9) * REPLICATES)
        # Poisson-like counts are skewed: allow for a few events where hardly any are expected.
        allowance = SCORE_LIMIT * error + 8.0 * (mean[index] * REPLICATES < 20.0)
        assert abs(total - mean[index] * REPLICATES) <= allowance, component


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 10**9))
def test_random_scenarios(number: int, seed: int) -> None:
    scenario = random_scenario(number)
    moments = expected(scenario, ended=True)
    check_moments(moments)
    for way in WAYS.values():
        with run(
            scenario, replicates=REPLICATES, seed=number ^ seed, store_by=ALL_AXES, store_ended=True, **way
        ) as results:
            check_identities(scenario, results)
            check_means(moments, results)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 10**9))
def test_random_scenarios_of_large_crowds(number: int, seed: int) -> None:
    """Nearly everybody moves as counts; bit for bit like the twin, and with the exact means."""
    scenario = random_scenario(number, crowding=5000)
    moments = expected(scenario)
    by = [("exploitation",), ("origin", "exploitation"), ALL_AXES][number % 3]
    options = {"seed": number ^ seed, "engine": "cohort", "store_by": by, "store_ended": True}
    with run(scenario, replicates=REPLICATES, **options) as results:
        check_identities(scenario, results)
        check_means(moments, results)
    with run(scenario, replicates=1, **options) as results:
        simulated = simulate(scenario, outer=1, seed=number ^ seed, walker="cohort", store_by=by)
        assert_same_counts(results, simulated)
