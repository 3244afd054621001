"""Rewards: what the file may say, what parameters do to them, and how groups are mixed."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

import simcore
from simcore.errors import ScenarioError, UserError
from simcore.scenario import scenario_from_embedded
from simcore.scenario.provenance import to_json
from tests.conftest import FIXTURES, load, one_cell

TINY = FIXTURES / "tiny.toml"


def parameter(name: str, distribution: str, index: str = "[]") -> str:
    return f"parameters.{name}={{distribution={distribution},unit='days',grade='illustrative',index={index}}}"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("{unit='d',legs={a=-7}}", "rewards.r.legs.a: must be 0 or more, got -7"),
        ("{unit='d',legs={a=inf}}", "rewards.r.legs.a: must be 1e+100 or less, got inf"),
        ("{unit='d',legs={a=nan}}", "rewards.r.legs.a: must be 0 or more, got nan"),
        ("{unit='d',legs={a=1.01e100}}", "rewards.r.legs.a: must be 1e+100 or less, got 1.01e+100"),
        ("{unit='d',legs={a={mean=1e140}}}", "rewards.r.legs.a.mean: must be 1e+100 or less, got 1e+140"),
        ("{unit='d',legs={a={mean=1,cv=2e20}}}", "rewards.r.legs.a.cv: must be 1e+20 or less, got 2e+20"),
        ("{unit='d',legs={a=true}}", "rewards.r.legs.a: must be a number, a parameter, or a table"),
        ("{unit='d',legs={a={mean=1,sv=2}}}", "rewards.r.legs.a.sv: unknown key"),
        ("{unit='d',legs={a={mean=1,cv=-2}}}", "rewards.r.legs.a.cv: must be 0 or more, got -2"),
        ("{unit='d',legs={a={cv=2}}}", "rewards.r.legs.a.mean: missing key"),
        ("{unit='d',legs={aa=1}}", "rewards.r.legs.aa: unknown leg 'aa'; did you mean 'a'?"),
        ("{unit='d',causes={INTERCEPTE=1}}", "unknown cause 'INTERCEPTE'; did you mean 'INTERCEPTED'?"),
        ("{unit='d',outcomes={DEID=1}}", "rewards.r.outcomes.DEID: unknown outcome 'DEID'; did you mean 'DIED'?"),
        ("{unit='d',reattempt='wiat'}", "rewards.r.reattempt: unknown parameter 'wiat'"),
        ("{unit='d',reattempt='wait['}", "rewards.r.reattempt: not a parameter reference"),
        (
            "{unit='d',reattempt='attempt_effect'}",
            "a reward must be 0 or more, got -0.15 (used in rewards.r.reattempt)",
        ),
        ("{unit='d',reattempt='destination'}", "'destination' is a vector of shares, but one number (a reward)"),
        ("{unit='d',rettempt=1}", "rewards.r.rettempt: unknown key; did you mean 'reattempt'?"),
        ("{unit='d'}", "rewards.r: give at least one of legs, causes, outcomes and reattempt, got none"),
        ("{legs={a=1}}", "rewards.r.unit: missing key"),
        ("{unit='d',legs={a=1},source='X'}", "rewards.r.source: unknown source 'X'"),
    ],
)
def test_bad_rewards_are_refused_in_one_line(table: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        load(TINY, f"rewards.r={table}")
    assert "\n" not in str(caught.value)


def test_the_two_that_are_always_there_cannot_be_declared() -> None:
    with pytest.raises(ScenarioError, match="'attempts' is counted anyway"):
        load(TINY, "rewards.attempts={unit='d',reattempt=1}")


@pytest.mark.parametrize(
    ("distribution", "amount", "message"),
    [
        (
            "{family='fixed',value=1e140}",
            "'big'",
            "big.distribution.value: a reward must be 1e+100 or less, got 1e+140",
        ),
        ("{family='uniform',min=0,max=1e101}", "'big'", "big.distribution.max: a reward must be 1e+100 or less, got"),
        (
            "{family='fixed',value=1e21}",
            "{mean=1,cv='big'}",
            "big.distribution.value: a variation must be 1e+20 or less",
        ),
        ("{family='lognormal',median=1e99,gsd=2}", "'big'", "a reward must be 1e+100 or less, but this one reaches"),
        (
            "{family='lognormal',median=1e15,gsd=9}",
            "{mean=1,cv='big'}",
            "a coefficient of variation must be 1e+20 or less, but this one reaches",
        ),
    ],
)
def test_a_parameter_beyond_the_limit_is_refused(distribution: str, amount: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)) as caught:
        simcore.compile_model(load(TINY, parameter("big", distribution), f"rewards.r={{unit='d',reattempt={amount}}}"))
    assert "parameters.big.distribution" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_at_the_limits_everything_stays_finite(seed: int) -> None:
    """The longest journeys, all amounts and variations at their limits, and the largest pool that a cell may hold."""
    largest = "{mean=1e100,cv=1e20}"
    parts = f"legs={{a={largest},c={largest},d={largest}}},causes={{INTERCEPTED={largest}}},reattempt={largest}"
    scenario = load(TINY, f"rewards.r={{unit='d',{parts}}}", "transit.attempt_cap=1000", one_cell(4_294_967_295))
    for draws in (None, 3):
        made = simcore.expected_rewards(scenario, draws=draws, seed=seed)
        for numbers in (made.mean, made.variance, made.mean_of_arrived, made.variance_of_arrived):
            assert np.isfinite(numbers).all()
        assert (made.variance[:, 0, made.of("r")] > 1e240).all()


def test_a_reward_survives_its_normal_form_and_is_in_the_digest() -> None:
    scenario = load(TINY)
    again = scenario_from_embedded(to_json(scenario.resolved), scenario.tables)
    assert again.document.rewards == scenario.document.rewards
    assert again.digest == scenario.digest
    assert load(TINY, "rewards.days.reattempt=21").digest != scenario.digest


def test_a_scenario_without_rewards_has_no_trace_of_them() -> None:
    scenario = load(FIXTURES / "golden.toml")
    assert "rewards" not in scenario.resolved
    assert simcore.expected_rewards(scenario).names == ["interceptions", "attempts"]


def test_parameters_are_drawn_and_simulated_counts_stay_as_they_are(seed: int) -> None:
    changes = [parameter("wait", "{family='uniform',min=10,max=30}"), "rewards.days.reattempt='wait'"]
    scenario = load(TINY, *changes)
    made = simcore.expected_rewards(scenario, draws=50, seed=seed, by=["exploitation"])
    wait = made.theta[:, made.parameters.index("wait")]
    assert np.unique(wait).size == 50
    days, attempts = made.mean[:, :, made.of("days")], made.mean[:, :, made.of("attempts")]
    legs = simcore.expected_rewards(load(TINY, "rewards.days.reattempt=0"), by=["exploitation"]).mean[:, :, 2]
    assert np.allclose(days, legs + wait[:, None] * (attempts - 1.0), rtol=1e-12)
    with simcore.run(scenario, replicates=5, seed=seed) as one, simcore.run(load(TINY), replicates=5, seed=seed) as two:
        assert np.array_equal(one.read("visits"), two.read("visits"))


def test_an_indexed_parameter_is_its_element_of_every_stratum_and_leg() -> None:
    changes = [
        parameter("pace", "{family='fixed',value=3}", "['exploitation','leg']"),
        "rewards.days.legs={a='pace',b='pace',c='pace',d='pace',e='pace'}",
    ]
    scenario = load(TINY, *changes)
    assert scenario.warnings == load(TINY).warnings
    model = simcore.compile_model(scenario)
    names = [name for name in model.space.names if name.startswith("pace")]
    assert sorted(names) == sorted(f"pace[{x},{leg}]" for x in ("S", "L") for leg in "abcde")
    theta = model.space.typical()[None, :].repeat(2, axis=0)
    theta[1, model.space.names.index("pace[S,d]")] = 4.0
    made = simcore.expected_rewards(model, theta=theta, by=["exploitation"])
    days = made.mean[:, :, made.of("days")]
    assert days[1, 0] > days[0, 0]
    assert days[1, 1] == days[0, 1]


def test_a_random_duration_adds_its_variance_once_per_time_it_is_spent() -> None:
    plain = simcore.expected_rewards(load(TINY))
    spread = simcore.expected_rewards(load(TINY, "rewards.days.reattempt={mean=20,cv=0.5}"))
    days, attempts = plain.of("days"), plain.of("attempts")
    assert spread.mean[0, 0, days] == pytest.approx(plain.mean[0, 0, days], rel=1e-14)
    more = 100.0 * (plain.mean[0, 0, attempts] - 1.0)
    assert spread.variance[0, 0, days] == pytest.approx(plain.variance[0, 0, days] + more, rel=1e-12)


def test_groups_are_mixtures_of_their_strata(seed: int) -> None:
    deaths = simcore.Reward(unit="persons", outcomes={"DIED": 1})
    model = simcore.compile_model(simcore.load_scenario("phase1"))
    parts = simcore.expected_rewards(model, rewards={"deaths": deaths}, draws=3, seed=seed, by=["origin", "sex"])
    whole = simcore.expected_rewards(model, rewards={"deaths": deaths}, draws=3, seed=seed)
    assert np.allclose(parts.bound.sum(axis=1), whole.bound[:, 0], rtol=1e-12)
    total = (parts.bound[:, :, None] * parts.mean).sum(axis=1)
    assert np.allclose(total, whole.bound[:, :1] * whole.mean[:, 0], rtol=1e-12)
    chance = whole.mean[:, 0, whole.of("deaths")]
    assert np.allclose(whole.variance[:, 0, whole.of("deaths")], chance * (1.0 - chance), rtol=1e-10)
    assert not whole.mean_of_arrived[:, 0, whole.of("deaths")].any()
    moments = simcore.expected(model, draws=3, seed=seed, covariance=False)
    bound = moments.mean_of(moments.weights("destination", label=moments.bound))
    for name, weights in (
        ("deaths", moments.weights("outcome", label="DIED")),
        ("interceptions", moments.weights("interceptions")),
        ("attempts", moments.weights("attempts")),
    ):
        assert np.allclose(moments.mean_of(weights) / bound, whole.mean[:, :, whole.of(name)], rtol=1e-12)


def test_one_border_collects_what_repeated_trials_do() -> None:
    """docs/model.md E5, kappa = 0.4 and rho = 0.9; a reward may also be the first parameter that a scenario draws."""
    first = "at_risk_share"  # one, for everybody; its column is the first
    rewards = [
        f"rewards.mean={{unit='d',reattempt='{first}'}}",
        f"rewards.spread={{unit='d',reattempt={{mean=3,cv='{first}'}}}}",
    ]
    model = simcore.compile_model(load(FIXTURES / "single_border.toml", *rewards))
    assert model.space.names[0] == first
    made = simcore.expected_rewards(model)
    again = sum(0.36**k for k in range(1, 5))  # interceptions after which another attempt begins
    last = 0.4 * sum(0.36**k for k in range(5))  # interceptions in all
    mean, variance = made.mean[0, 0], made.variance[0, 0]
    assert mean[made.of("interceptions")] == pytest.approx(last, rel=1e-13)
    assert mean[made.of("attempts")] == pytest.approx(1.0 + again, rel=1e-13)
    assert mean[made.of("mean")] == pytest.approx(again, rel=1e-13)
    assert variance[made.of("mean")] == pytest.approx(variance[made.of("attempts")], rel=1e-12)
    assert mean[made.of("spread")] == pytest.approx(3.0 * again, rel=1e-13)
    assert variance[made.of("spread")] == pytest.approx(9.0 * (variance[made.of("attempts")] + again), rel=1e-12)


def test_bound_and_arrived_are_those_of_the_moments() -> None:
    made, moments = simcore.expected_rewards(load(TINY)), simcore.expected(load(TINY))
    bound = moments.weights("destination", label=moments.bound)
    assert made.bound == pytest.approx(moments.mean_of(bound), rel=1e-12)
    arrived = moments.weights("outcome", label=moments.arrival)
    assert made.arrived == pytest.approx(moments.mean_of(arrived), rel=1e-12)


def test_python_arguments_are_checked() -> None:
    scenario = load(TINY)
    for arguments, message in (
        ({"rewards": {"days": simcore.Reward(unit="d", legs={"a": 1})}}, "'days' is a reward of the scenario already"),
        ({"rewards": {"r": simcore.Reward(unit="d", legs={"z": 1})}}, r"rewards.r.legs.z: unknown leg 'z'"),
        ({"rewards": {"r": simcore.Reward(unit="d", legs={"a": "wait"})}}, "'wait' names a parameter"),
        ({"by": ["orign"]}, "by = 'orign': no such axis; did you mean 'origin'?"),
        ({"draws": 2, "theta": np.zeros((1, 3))}, "give either draws or theta, not both"),
    ):
        with pytest.raises(UserError, match=message):
            simcore.expected_rewards(scenario, **arguments)
    with pytest.raises(UserError, match=r"reward 'day': unknown; did you mean 'days'\?"):
        simcore.expected_rewards(scenario).of("day")


def test_nobody_bound_collects_nothing_that_has_a_mean() -> None:
    changes = ["parameters.destination.distribution.shares={US_SWB=0,US_OTHER=0.3,FOREIGN=0.1,DOMESTIC=0.6}"]
    made = simcore.expected_rewards(load(TINY, *changes))
    assert made.bound[0, 0] == 0.0
    assert np.isnan(made.mean).all()
    assert json.dumps(made.units) == '["interceptions", "attempts", "days"]'
    assert math.isnan(made.variance_of_arrived[0, 0, 0])
