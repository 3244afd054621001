"""The choice of an engine, where there is nothing to choose by; `tests/unit/engines/test_cohort.py` has the rest."""

from __future__ import annotations

import warnings

import simcore
from simcore.model import compile_model
from simcore.runner.choice import choose_engine
from simcore.runner.slots import make_slots
from tests.conftest import FIXTURES, load, one_cell


def test_nobody_bound_means_agents_and_no_rewards() -> None:
    """No division by zero, no warning, no crash."""
    scenario = load(FIXTURES / "tiny.toml", one_cell(0))
    model = compile_model(scenario)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slot = make_slots(model).stratum_slot
        choice = choose_engine(model, model.streams(1), slot, thetas=4, engine="auto", walker="collapsed")
        assert (choice.engine, choice.reason) == ("agent", "nobody is bound")
        rewards = simcore.expected_rewards(scenario)
    assert (rewards.bound == 0.0).all()
