"""simcore: from people at risk to the border, one assumption at a time.

A Monte Carlo engine for trafficking-prevalence scenarios. A scenario file holds every assumption with its unit,
source and distribution; `run` simulates it and stores every count of every replicate; `expected` gives the exact
moments instead. Results are consequences of the stated assumptions, not estimates of prevalence.

>>> import simcore
>>> scenario = simcore.load_scenario("phase1")
>>> results = simcore.run(scenario, replicates=1000, seed=7)
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simcore.errors import ResultsError, ScenarioError, UserError
    from simcore.model import compile_model
    from simcore.moments import Moments, expected
    from simcore.rewards import RewardMoments, expected_rewards
    from simcore.runner import Progress, Rerun, RunInterrupted, extend, rerun, resume, run
    from simcore.scenario import Scenario, list_scenarios, load_scenario
    from simcore.scenario.rewards import Reward
    from simcore.store import Results, open_results

try:
    __version__ = version("simcore")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "unknown"

# Public names and where they live; imported when first used, so that `import simcore` and `simcore --help` stay quick.
_LAZY = {
    "Moments": "simcore.moments",
    "Progress": "simcore.runner",
    "Results": "simcore.store",
    "ResultsError": "simcore.errors",
    "Reward": "simcore.scenario.rewards",
    "RewardMoments": "simcore.rewards",
    "Rerun": "simcore.runner",
    "RunInterrupted": "simcore.runner",
    "Scenario": "simcore.scenario",
    "ScenarioError": "simcore.errors",
    "UserError": "simcore.errors",
    "compile_model": "simcore.model",
    "expected": "simcore.moments",
    "expected_rewards": "simcore.rewards",
    "extend": "simcore.runner",
    "list_scenarios": "simcore.scenario",
    "load_scenario": "simcore.scenario",
    "open_results": "simcore.store",
    "rerun": "simcore.runner",
    "resume": "simcore.runner",
    "run": "simcore.runner",
}

__all__ = [
    "Moments",
    "Progress",
    "Rerun",
    "Results",
    "ResultsError",
    "Reward",
    "RewardMoments",
    "RunInterrupted",
    "Scenario",
    "ScenarioError",
    "UserError",
    "__version__",
    "compile_model",
    "expected",
    "expected_rewards",
    "extend",
    "list_scenarios",
    "load_scenario",
    "open_results",
    "rerun",
    "resume",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'simcore' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
