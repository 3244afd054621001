"""Leg probabilities: closed forms of competing hazards, corners of 0 and 1, and equality with the twin."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from simcore.model import CompiledModel
from simcore.scenario import Scenario
from simcore.transit_zone.legs import fork_shares, leg_probabilities, reattempt_probabilities
from simcore.transit_zone.plan import NONE, REST, TransitPlan
from tests.twin.parameters import Theta
from tests.twin.transit import Journeys, leg_chances

CAUSES = ["I", "A", "B"]


class OneLeg:
    """A plan with a single leg profile, given by numbers instead of columns of theta."""

    def __init__(
        self,
        model: CompiledModel,
        *,
        net: dict[str, float] | None = None,
        split: dict[str, float] | None = None,
        factors: dict[str, list[float]] | None = None,
        eta: float | None = None,
        attempts: int = 4,
    ) -> None:
        self.theta: list[float] = []
        self.net, self.split, self.factors, self.eta = net, split, factors or {}, eta
        given = split if split is not None else net or {}
        causes = [self._column(given[cause]) if cause in given else NONE for cause in CAUSES]
        modifiers = [[self._column(factor) for factor in self.factors.get(cause, [])] for cause in CAUSES]
        self.plan: TransitPlan = model.transit._replace(
            attempt_cap=attempts,
            causes=len(CAUSES),
            profile_split=np.array([split is not None]),
            profile_continue=np.array([NONE if split is None else self._column(split["CONTINUE"])]),
            profile_cause=np.array([causes]),
            modifier_start=np.cumsum([0, *(len(columns) for columns in modifiers)]),
            modifiers=np.array([column for columns in modifiers for column in columns], dtype=np.int64),
            profile_effect=np.array([NONE if eta is None else self._column(eta)]),
        )
        self.legs = np.full((1, attempts, 1 + len(CAUSES)), np.nan)
        leg_probabilities(self.plan, np.array(self.theta or [0.0]), self.legs)

    def _column(self, value: float) -> int:
        self.theta.append(value)
        return len(self.theta) - 1

    def at(self, attempt: int = 1) -> list[float]:
        """P(continue), then P(cause), after checking that they are a distribution and equal the twin's."""
        row = self.legs[0, attempt - 1]
        assert (row >= 0.0).all()
        assert row.sum() == pytest.approx(1.0, abs=4e-16)
        go_on, chances = leg_chances(self.net, self.split, CAUSES, self.factors, self.eta or 0.0, "I", attempt)
        assert row.tolist() == [go_on, *chances.values()]
        return [float(value) for value in row]


def test_net_probability_of_a_lone_cause_is_the_probability(tiny_model: CompiledModel) -> None:
    for p in (0.0, 1e-300, 1e-12, 0.05, 0.4, 1.0 - 1e-12, 1.0):
        go_on, caught, *others = OneLeg(tiny_model, net={"I": p}).at()
        assert caught == pytest.approx(p, rel=1e-15, abs=0.0)
        assert go_on == pytest.approx(1.0 - p, abs=1e-16)
        assert others == [0.0, 0.0]


def test_net_probabilities_compete(tiny_model: CompiledModel) -> None:
    """All survive alone with (1 - p), so together with the product; causes share by -ln(1 - p)."""
    go_on, caught, a, b = OneLeg(tiny_model, net={"I": 0.4, "A": 0.1, "B": 0.02}).at()
    assert go_on == pytest.approx(0.6 * 0.9 * 0.98, rel=1e-15)
    assert caught / a == pytest.approx(math.log(0.6) / math.log(0.9), rel=1e-14)
    assert a / b == pytest.approx(math.log(0.9) / math.log(0.98), rel=1e-14)


def test_split_without_modifiers_is_given_back(tiny_model: CompiledModel) -> None:
    go_on, *ends = OneLeg(tiny_model, split={"CONTINUE": 0.55, "I": 0.4, "A": 0.03, "B": 0.02}, eta=0.0).at(3)
    assert [go_on, *ends] == pytest.approx([0.55, 0.4, 0.03, 0.02], rel=1e-14)


def test_split_of_the_known_answer(tiny_model: CompiledModel) -> None:
    """Leg d of TINY with its factor 0.8 for x = S and eta = -0.15 (docs/model.md E); three small causes in one here."""
    split = {"CONTINUE": 0.55, "I": 0.40, "A": 0.01 + 0.005 + 0.015, "B": 0.02}
    leg = OneLeg(tiny_model, split=split, factors={"I": [0.8]}, eta=-0.15)
    first, second = leg.at(1), leg.at(2)
    assert first == pytest.approx([0.61167458, 0.33584901, 0.01049528 + 0.00524764 + 0.01574292, 0.02099056], abs=1e-8)
    assert second == pytest.approx([0.64899008, 0.29707918, 0.01078615 + 0.00539307 + 0.01617922, 0.02157230], abs=1e-8)


def test_modifiers_multiply_hazards(tiny_model: CompiledModel) -> None:
    go_on, caught, a, _ = OneLeg(tiny_model, net={"I": 0.3, "A": 0.2}, factors={"I": [2.0, 1.5], "A": [0.5]}).at()
    assert go_on == pytest.approx(0.7**3 * 0.8**0.5, rel=1e-14)
    assert caught / a == pytest.approx(3.0 * math.log(0.7) / (0.5 * math.log(0.8)), rel=1e-14)
    assert OneLeg(tiny_model, net={"I": 0.3, "A": 0.2}, factors={"I": [0.0]}).at()[1] == 0.0
    assert OneLeg(tiny_model, net={"I": 0.3}, factors={"I": [0.0]}).at() == [1.0, 0.0, 0.0, 0.0]


def test_attempt_effect_acts_on_interception_only(tiny_model: CompiledModel) -> None:
    leg = OneLeg(tiny_model, net={"I": 0.3, "A": 0.2}, eta=0.4)
    for attempt in range(1, 5):
        go_on, caught, a, _ = leg.at(attempt)
        assert go_on == pytest.approx(0.7 ** math.exp(0.4 * (attempt - 1)) * 0.8, rel=1e-14)
        assert caught / a == pytest.approx(math.exp(0.4 * (attempt - 1)) * math.log(0.7) / math.log(0.8), rel=1e-13)
    without = OneLeg(tiny_model, net={"A": 0.2}, eta=5.0)
    assert without.at(1) == without.at(4)


@pytest.mark.parametrize("eta", [None, 0.0, -0.3, 0.3])
def test_certain_legs_never_let_anybody_through(tiny_model: CompiledModel, eta: float | None) -> None:
    for attempt in range(1, 5):
        assert OneLeg(tiny_model, net={"I": 1.0, "A": 0.5}, eta=eta).at(attempt) == [0.0, 1.0, 0.0, 0.0]
        assert OneLeg(tiny_model, net={"I": 0.2, "B": 1.0}, eta=eta).at(attempt) == [0.0, 0.0, 0.0, 1.0]
        go_on, caught, a, b = OneLeg(
            tiny_model, split={"CONTINUE": 0.0, "I": 0.5, "A": 0.5, "B": 0.0}, factors={"I": [3.0]}, eta=eta
        ).at(attempt)
        weight = 3.0 * math.exp((eta or 0.0) * (attempt - 1))
        assert (go_on, b) == (0.0, 0.0)
        assert caught == pytest.approx(weight / (1.0 + weight), rel=1e-15)
        assert a == pytest.approx(1.0 / (1.0 + weight), rel=1e-15)


def test_factor_of_zero_takes_a_certain_cause_away(tiny_model: CompiledModel) -> None:
    """The others then act as they would alone; where nothing is left, everybody passes."""
    assert OneLeg(tiny_model, net={"I": 1.0, "A": 0.5}, factors={"I": [0.0]}).at() == [0.5, 0.0, 0.5, 0.0]
    assert OneLeg(tiny_model, net={"I": 1.0, "A": 1.0}, factors={"I": [0.0]}).at() == [0.0, 0.0, 1.0, 0.0]
    split = {"CONTINUE": 0.0, "I": 0.9, "A": 0.1, "B": 0.0}
    assert OneLeg(tiny_model, split=split, factors={"I": [0.0]}).at() == [0.0, 0.0, 1.0, 0.0]
    assert OneLeg(tiny_model, split=split, factors={"I": [0.0], "A": [0.0]}).at() == [1.0, 0.0, 0.0, 0.0]


def test_extreme_factors_and_effects_stay_finite(tiny_model: CompiledModel) -> None:
    huge, tiny = [1e300, 1e300], [1e-300, 1e-300]
    assert OneLeg(tiny_model, net={"I": 0.5, "A": 0.5}, factors={"I": huge}).at()[:2] == [0.0, 1.0]
    assert OneLeg(tiny_model, net={"I": 0.5}, factors={"I": tiny}).at() == [1.0, 0.0, 0.0, 0.0]
    for eta in (-1e6, 1e6):
        for attempt in (2, 4):
            OneLeg(tiny_model, net={"I": 0.5, "A": 0.5}, factors={"A": huge}, eta=eta).at(attempt)
            OneLeg(tiny_model, split={"CONTINUE": 0.0, "I": 0.5, "A": 0.5}, factors={"I": huge}, eta=eta).at(attempt)


def test_open_legs_stop_nobody(tiny_model: CompiledModel) -> None:
    for leg in (
        OneLeg(tiny_model, net={}),
        OneLeg(tiny_model, net={"I": 0.0, "A": 0.0}, factors={"I": [5.0]}, eta=1.0),
        OneLeg(tiny_model, split={"CONTINUE": 1.0, "I": 0.0, "A": 0.0, "B": 0.0}, factors={"I": [5.0]}, eta=1.0),
    ):
        assert leg.at(3) == [1.0, 0.0, 0.0, 0.0]


def test_equals_the_twin_at_random(tiny_model: CompiledModel, chooser: random.Random) -> None:
    for _ in range(100):
        eta = chooser.choice([None, 0.0, chooser.gauss(0.0, 0.5)])
        factors = {cause: [chooser.lognormvariate(0.0, 0.5) for _ in range(chooser.randrange(3))] for cause in CAUSES}
        weights = [chooser.expovariate(1.0) for _ in range(4)]
        split = {name: weight / sum(weights) for name, weight in zip(["CONTINUE", *CAUSES], weights, strict=True)}
        net = {cause: chooser.choice([0.0, chooser.random()]) for cause in chooser.sample(CAUSES, chooser.randrange(4))}
        for leg in (
            OneLeg(
                tiny_model, net=net, factors={cause: factors[cause] for cause in net}, eta=eta if "I" in net else None
            ),
            OneLeg(tiny_model, split=split, factors=factors, eta=eta),
        ):
            for attempt in range(1, 5):
                leg.at(attempt)


def test_fork_shares_are_those_of_the_rules(maze_model: CompiledModel, maze: Scenario, seed: int) -> None:
    """Every fork of every stratum, rests and certain legs included, equals the twin's and sums to one."""
    plan = maze_model.transit
    theta_ids = np.arange(20, dtype=np.uint32)
    theta = maze_model.draw_theta(maze_model.streams(seed), theta_ids)
    assert REST in plan.fork_share
    for theta_id in theta_ids:
        shares = np.full(plan.fork_share.size, np.nan)
        fork_shares(plan, theta[theta_id], shares)
        twin = Theta(maze, seed, int(theta_id))
        for index, stratum in enumerate(maze_model.strata):
            if plan.class_of[index] == NONE:
                continue
            journeys = Journeys(maze, twin, stratum)
            for point, fork in enumerate(plan.class_fork[plan.class_of[index]]):
                if fork == NONE:
                    continue
                here = slice(plan.fork_start[fork], plan.fork_start[fork + 1])
                names = [maze_model.journeys.legs[leg] for leg in plan.fork_leg[here]]
                assert dict(zip(names, shares[here].tolist(), strict=True)) == journeys.fork(
                    maze_model.journeys.points[point]
                )
                assert list(journeys.fork(maze_model.journeys.points[point])) == names
                assert shares[here].sum() == pytest.approx(1.0, abs=4e-16)


def test_reattempts_follow_the_list_and_stop_at_the_cap(maze_model: CompiledModel, maze: Scenario, seed: int) -> None:
    plan = maze_model.transit
    theta = maze_model.draw_theta(maze_model.streams(seed), np.arange(3, dtype=np.uint32))
    reattempts = np.full((plan.reattempt.shape[0], plan.attempt_cap), np.nan)
    reattempt_probabilities(plan, theta[2], reattempts)
    assert (reattempts[:, -1] == 0.0).all()
    twin = Theta(maze, seed, 2)
    for index, stratum in enumerate(maze_model.strata):
        if plan.class_of[index] != NONE:
            row = reattempts[plan.class_reattempt[plan.class_of[index]]]
            journeys = Journeys(maze, twin, stratum)
            assert row.tolist() == [journeys.reattempt(attempt) for attempt in range(1, plan.attempt_cap + 1)]
            if stratum["sex"] == "u":
                assert row[1] == 1.0  # the second of the list
                assert row[0] != row[2] == row[3]
