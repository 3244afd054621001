"""The closed form: microseconds per parameter set and core, without and with sex and age modifiers on the legs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.resources import as_file, files
from typing import TypedDict

import simcore
from benchmarks.simcore_engines import draw_theta, expected_calls
from benchmarks.timing import Spread
from simcore.scenario import Scenario

MODIFIED = "phase1_modifiers.toml"


class ExpectedResult(TypedDict):
    """Time of one scenario and what is asked for; ``microseconds`` is per parameter set: median, low and high."""

    scenario: str
    made: str
    journey_classes: int
    parameter_sets: int
    microseconds: dict[str, float]


def scenarios() -> dict[str, Scenario]:
    """Return the scenarios that are timed: phase1, and phase1 with modifiers by sex and age."""
    with as_file(files("benchmarks.scenarios") / MODIFIED) as path:
        return {"phase1": simcore.load_scenario("phase1"), "phase1 with modifiers": simcore.load_scenario(path)}


def time_expected(
    *, parameter_sets: int, rounds: int, seed: int, report: Callable[[str], None] = lambda _: None
) -> list[ExpectedResult]:
    """Time `simcore.expected`, alternating; the call before the first round is not counted."""
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    classes = {}
    for name, scenario in scenarios().items():
        model = simcore.compile_model(scenario)
        classes[name] = int(model.transit.class_start.size)
        made = expected_calls(model, draw_theta(model, parameter_sets, seed))
        calls |= {(name, what): call for what, call in made.items()}
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    for turn in range(rounds + 1):
        report(f"round {turn} of {rounds}")
        for key, call in calls.items():
            began = time.process_time()
            call()
            if turn > 0:
                seconds[key].append(time.process_time() - began)
    return [
        {
            "scenario": name,
            "made": what,
            "journey_classes": classes[name],
            "parameter_sets": parameter_sets,
            "microseconds": asdict(Spread.of([1e6 * each / parameter_sets for each in seconds[name, what]])),
        }
        for name, what in calls
    ]
