"""Where moving counts would be wrong: the same statistics reject it (docs/model.md F, the rows that say no).

These are demonstrations that must fail to agree. They show what the cohort engine may not do, and that the tests of
`test_joint_counts.py` would notice if it did.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from simcore.moments import expected
from simcore.scenario import Scenario
from tests.conftest import FIXTURES, load, one_cell
from tests.statistical import scenarios as made
from tests.statistical.joint import cells, products, waves
from tests.statistical.level import LEVEL, accept
from tests.statistical.samples import FloatArray, frame, sample
from tests.statistical.test_joint_counts import ARRIVED, QUICK, RETURNED, verdicts
from tests.twin.transit import leg_chances

HALF = 900
FACTORS = {"ONE": 0.5, "TWO": 1.5}
CAUSES = ["INTERCEPTED", "ASSISTED", "ESCAPED", "DIED", "RETAINED"]
NO_EFFECT = "parameters.attempt_effect.distribution.value = 0"  # else an average over attempts would be needed too
COUNTS = (ARRIVED, RETURNED, ("visits", "N3"))


def two_kinds() -> Scenario:
    """All hazards halved for half of the persons and half as large again for the others, all the way."""
    factors = [setting for origin, factor in FACTORS.items() for setting in made.factor_of([origin], factor)]
    return made.golden_of_origins(dict.fromkeys(FACTORS, HALF), *factors, NO_EFFECT)


def one_average_kind() -> Scenario:
    """All persons have, on every leg, the probabilities averaged over both kinds."""
    settings = []
    for leg, split in made.GOLDEN_SPLITS.items():
        average = dict.fromkeys(split, 0.0)
        for factor in FACTORS.values():
            modified = {cause: [factor] for cause in CAUSES}
            go_on, chances = leg_chances(None, split, CAUSES, modified, 0.0, "INTERCEPTED", 1)
            for name, chance in {"CONTINUE": go_on, **chances}.items():
                average[name] += chance / len(FACTORS)
        settings.append(made.with_split(leg, average))
    return made.golden(*settings, NO_EFFECT, persons=2 * HALF)


def test_averaged_hazards_are_rejected(seed: int) -> None:
    """Frailty carried through transit: who comes far is more robust than average (docs/model.md E9, F)."""
    kinds, average = two_kinds(), one_average_kind()
    shape = frame(kinds)
    agents, by_kind, averaged = (
        sample(scenario, way, shape.columns, replicates=QUICK, seed=seed, store_by=())
        for scenario, way in ((kinds, "collapsed"), (kinds, "cohort"), (average, "cohort"))
    )
    for statistic, verdict in verdicts(shape, COUNTS, agents, averaged, seed).items():
        assert verdict.p_value < LEVEL, statistic
    # The cure: counts by kind, each moved with its own probabilities.
    for statistic, verdict in verdicts(shape, COUNTS, agents, by_kind, seed).items():
        accept(verdict.p_value, f"kinds moved apart, {statistic}")
    moments = [expected(scenario) for scenario in (kinds, average)]
    fractions = [m.mean_of(m.weights("outcome", label="ARRIVED"))[0, 0] / (2 * HALF) for m in moments]
    assert [round(fraction, 4) for fraction in fractions] == [0.5206, 0.5123]


def test_a_border_with_limited_room_is_rejected(seed: int) -> None:
    """Capacity couples persons: the same mean number of arrivals, but it varies less than that of free persons.

    400 persons come to a border that lets each through with probability 0.6, but 240 persons at most. The cohort engine
    is given the probability that has the same mean.
    """
    persons, free, room = 400, 0.6, 240
    numbers = np.arange(persons + 1)
    mean = float(np.minimum(numbers, room) @ stats.binom.pmf(numbers, persons, free))
    border = [one_cell(persons), "transit.attempt_cap = 1"]
    scenario = load(
        FIXTURES / "single_border.toml",
        *border,
        f"parameters.interception.distribution.value = {1.0 - mean / persons!r}",
    )
    shape = frame(scenario)
    crowds = sample(scenario, "cohort", shape.columns, replicates=QUICK, seed=seed, store_by=())
    generator = np.random.default_rng([seed, 4])
    arrived = np.minimum(generator.binomial(persons, free, QUICK), room)
    column = shape.column("outcome", "ARRIVED")
    crowded = with_arrivals(shape.columns, arrived.astype(np.float64), persons)
    free_again = with_arrivals(shape.columns, generator.binomial(persons, mean / persons, QUICK).astype(float), persons)
    assert abs(crowded[:, column].mean() - crowds[:, column].mean()) < 1.0  # the means do not tell
    for other, same in ((crowded, False), (free_again, True)):
        found = [
            waves(shape.white(crowds), shape.white(other), seed),
            products(shape.white(crowds), shape.white(other)),
            cells(shape.standard(crowds)[:, [column]], shape.standard(other)[:, [column]]),
        ]
        for verdict in found:
            if same:
                accept(verdict.p_value, "a border with room for all")
            else:
                assert verdict.p_value < LEVEL


def with_arrivals(columns: list[tuple[str, ...]], arrived: FloatArray, persons: int) -> FloatArray:
    """Return all columns that follow from the number of arrivals at one border in one attempt."""
    parts = {
        ("reached", "BORDER"): arrived, ("visits", "BORDER"): arrived, ("outcome", "ARRIVED"): arrived,
        ("outcome", "RETURNED_FINAL"): persons - arrived, ("ended", "crossing:INTERCEPTED"): persons - arrived,
    }  # fmt: skip
    everybody = np.full_like(arrived, persons)
    return np.stack([parts.get((name[0], name[1]), everybody) for name in columns], axis=1)
