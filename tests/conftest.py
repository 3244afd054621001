"""One seed for the suite, and the scenarios and compiled models that many tests share.

Draws are addresses, so a test with a fixed seed gives the same answer every time; `SIMCORE_TEST_SEED` sweeps it over
others before a release. No test may depend on the seed.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.reporting import pytest_terminal_summary

if TYPE_CHECKING:
    from simcore.model import CompiledModel
    from simcore.scenario import Scenario

__all__ = ["pytest_terminal_summary"]

SEED = int(os.environ.get("SIMCORE_TEST_SEED", "20050701"))
ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "simcore" / "verification" / "fixtures"
TWIN_SCENARIOS = ROOT / "tests" / "twin" / "scenarios"


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs that way, and Python then raises no KeyboardInterrupt; tests of interrupts need it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    """Name the seed, so that a failing sweep can be repeated."""
    return f"SIMCORE_TEST_SEED={SEED}"


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of every run and every random choice of a test."""
    return SEED


@pytest.fixture
def chooser() -> random.Random:
    """Random choices of a test, such as counters and probabilities to compare at."""
    return random.Random(SEED)


def load(path: Path, *settings: str) -> Scenario:
    """Load a scenario file with settings applied."""
    from simcore.scenario import load_scenario

    return load_scenario(path, settings=settings)


@pytest.fixture(scope="session")
def tiny() -> Scenario:
    """The whole-chain known-answer fixture: one cell, two exploitations, five legs, three attempts."""
    return load(FIXTURES / "tiny.toml")


@pytest.fixture(scope="session")
def golden() -> Scenario:
    """The four-node known-answer fixture, scaled down: everybody is bound, so every person is an agent."""
    return load(FIXTURES / "golden.toml", one_cell(600))


@pytest.fixture(scope="session")
def maze() -> Scenario:
    """A scenario that uses every feature at once; see its own text."""
    return load(TWIN_SCENARIOS / "maze.toml")


@pytest.fixture(scope="session")
def phase1() -> Scenario:
    """The shipped scenario."""
    from simcore.scenario import load_scenario

    return load_scenario("phase1")


@pytest.fixture(scope="session")
def tiny_model(tiny: Scenario) -> CompiledModel:
    """Flat arrays of `tiny`."""
    from simcore.model import compile_model

    return compile_model(tiny)


@pytest.fixture(scope="session")
def maze_model(maze: Scenario) -> CompiledModel:
    """Flat arrays of `maze`."""
    from simcore.model import compile_model

    return compile_model(maze)


def one_cell(persons: int) -> str:
    """Return the setting that gives the only cell of a known-answer fixture so many persons."""
    return f'population.cells = [{{origin = "ONE", sex = "all", age_band = "all", persons = {persons}}}]'
