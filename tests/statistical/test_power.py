"""Programs that are wrong in one place: the statistics of `test_joint_counts.py` reject them, at the same sample size.

A defect that shifts a z-score by `needed_score`, or a T-square by `needed_noncentrality`, is caught with power 0.999.
Shifts grow with the square root of the number of replicates and, while small, in proportion to the defect. So the
smallest relative error of the probability of continuing on the last leg of the golden fixture that is sure to be
caught, at level 1e-6, is

    ==========  ========  ======  ======
    replicates  products  cells   waves
    ==========  ========  ======  ======
    4,096       1.1 %     1.1 %   1.5 %
    65,536      0.28 %    0.28 %  0.38 %
    ==========  ========  ======  ======

(`waves` looks in random directions: 1.1 to 1.5 % by seed).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from simcore.scenario import Scenario
from tests.statistical import scenarios as made
from tests.statistical.joint import Verdict, products
from tests.statistical.level import LEVEL, accept, needed_noncentrality, needed_score
from tests.statistical.samples import frame, sample
from tests.statistical.test_joint_counts import ARRIVED, QUICK, RETURNED, verdicts
from tests.statistical.wrong_crowds import MISTAKES, moved

COUNTS = (ARRIVED, RETURNED, ("visits", "N3"))
SWAPPED = {**made.GOLDEN_SPLITS["3"], "ESCAPED": 0.02, "ASSISTED": 0.03}
PAIR = {"ONE": 900, "TWO": 900}

# What is right, and what the cohort engine is made to simulate instead.
WRONG: dict[str, tuple[Callable[[], Scenario], Callable[[], Scenario]]] = {
    "a leg probability off by 2 %": (
        made.golden,
        lambda: made.golden(made.with_split("4", made.scaled_continue("4", 0.98))),
    ),
    "a dropped retry": (made.golden, lambda: made.golden("parameters.reattempt_second.distribution.value = 0")),
    "an outcome swapped": (made.golden, lambda: made.golden(made.with_split("3", SWAPPED))),
    "memory forgotten": (made.golden, lambda: made.golden("parameters.attempt_effect.distribution.value = 0")),
    "strata merged that differ": (
        lambda: made.golden_of_origins(PAIR, *made.factor_of(["TWO"], 1.05, ["INTERCEPTED"])),
        lambda: made.golden_of_origins(PAIR),
    ),
}


def rejected(verdict: Verdict) -> bool:
    return verdict.p_value < LEVEL


@pytest.mark.parametrize("name", list(WRONG))
def test_a_wrong_model_is_rejected(name: str, seed: int) -> None:
    right, wrong = (make() for make in WRONG[name])
    shape = frame(right)
    agents = sample(right, "collapsed", shape.columns, replicates=QUICK, seed=seed, store_by=())
    crowds = sample(wrong, "cohort", shape.columns, replicates=QUICK, seed=seed, store_by=())
    found = verdicts(shape, COUNTS, agents, crowds, seed)
    assert rejected(found["products"])
    assert rejected(found["waves"])


def test_the_third_program_is_right_without_a_mistake(seed: int) -> None:
    for scenario in (made.golden(), made.bound_tiny()):
        shape = frame(scenario)
        counts = COUNTS if scenario.name == "golden" else (("outcome", "ARRIVED_US"), ("visits", "HUB"))
        with_engine = sample(scenario, "cohort", shape.columns, replicates=QUICK, seed=seed, store_by=())
        bound = with_engine[:, shape.column("attempts", "1")].astype(np.int64)
        by_numpy = moved(scenario, shape.columns, bound, np.random.default_rng([seed, 2]))
        for statistic, verdict in verdicts(shape, counts, with_engine, by_numpy, seed).items():
            accept(verdict.p_value, f"{scenario.name} moved by NumPy, {statistic}")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_program_is_rejected(mistake: str, seed: int) -> None:
    scenario = made.bound_tiny()
    shape = frame(scenario)
    agents = sample(scenario, "collapsed", shape.columns, replicates=QUICK, seed=seed, store_by=())
    bound = agents[:, shape.column("attempts", "1")].astype(np.int64)
    crowds = moved(scenario, shape.columns, bound, np.random.default_rng([seed, 3]), mistake)
    assert rejected(products(shape.white(agents), shape.white(crowds)))


def test_smallest_defect_that_is_sure_to_be_caught(seed: int) -> None:
    """The first line of the table above, from a defect of 2 % and its effect on four times the replicates."""
    right, wrong = (make() for make in WRONG["a leg probability off by 2 %"])
    shape = frame(right)
    agents = sample(right, "collapsed", shape.columns, replicates=4 * QUICK, seed=seed, store_by=())
    crowds = sample(wrong, "cohort", shape.columns, replicates=4 * QUICK, seed=seed, store_by=())
    smallest: dict[str, float] = {}
    for statistic, verdict in verdicts(shape, COUNTS, agents, crowds, seed).items():
        if statistic == "products":
            shift = verdict.statistic / needed_score(verdict.features)
        else:
            shift = np.sqrt((verdict.statistic - verdict.features) / needed_noncentrality(verdict.features))
        smallest[statistic] = 0.02 * 2.0 / shift
    assert 0.008 < smallest["products"] < 0.012
    assert 0.008 < smallest["cells"] < 0.012
    assert 0.009 < smallest["waves"] < 0.017
