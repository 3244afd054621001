"""What tests of the benchmarks share: a small case on a known-answer fixture, and what holds in every replicate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cases import Case, make_shares
from benchmarks.contenders import AGENT, AGENT_THREADS, CONTENDERS
from benchmarks.work import Work
from simcore.engines.counts import Counts
from simcore.model import CompiledModel, compile_model
from simcore.scenario import Scenario
from tests.conftest import FIXTURES


@pytest.fixture(scope="session")
def phase1_model(phase1: Scenario) -> CompiledModel:
    return compile_model(phase1)


@pytest.fixture(autouse=True)
def small_measurements_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.machine.MEMORY_BYTES", 1 << 16)
    monkeypatch.setattr("benchmarks.machine.DISK_BYTES", 1 << 16)


def small_case(**changes: object) -> Case:
    repeats = {AGENT: 2, AGENT_THREADS: 1, "numpy collapsed": 1, "numpy cohort": 1}
    case = Case(
        name="tiny",
        title="a known-answer fixture",
        scenario=FIXTURES / "tiny.toml",
        settings=(),
        varied=False,
        bases=(AGENT, AGENT_THREADS),
        shares=make_shares(20, repeats, {"plain python": 2}),
        checked=20,
        whole_run=30,
    )
    return replace(case, **changes)


def assert_consistent(counts: Counts, work: Work) -> None:
    """What holds in every replicate, whatever was drawn."""
    bound = counts.destination[..., work.model.source.bound]
    assert (counts.destination.sum(axis=-1) == counts.victims).all()
    assert (counts.outcome.sum(axis=-1) == bound).all()
    assert (counts.attempts[..., 0] == bound).all()
    assert (counts.reached <= counts.visits).all()
    assert (counts.reached <= bound[..., None]).all()
    assert (np.diff(counts.attempts, axis=-1) <= 0).all()
    arrival = work.model.transit.arrival_point
    assert (counts.reached[..., arrival] == counts.outcome[..., work.model.transit.arrival_outcome]).all()


def skip_if_missing(name: str) -> None:
    """Skip a test of a contender that cannot take part here, saying why."""
    why = CONTENDERS[name].missing()
    if why:
        pytest.skip(f"{name}: {why}")
