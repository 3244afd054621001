"""Agents and crowds have one law: joint distributions of stored counts, wherever the cohort engine says so.

A row is a feature of the model for which moving counts is exact (docs/model.md F):

* iid persons whose next move depends on point and attempt only; forks;
* re-attempts whose interception depends on the attempt;
* persons (not entries) at a point, for which the points reached so far are part of the state;
* strata with equal parameters moved as one;
* unknown parameters and effects shared by an origin and year, given the draw;
* strata whose parameters differ, moved apart and added up.

Frailty of the event, displacement, groups, horizons and seasons are not in the model yet; their rows come with them.

Sample size and level. Every statistic is compared at `LEVEL`, which makes 1e-4 of the whole suite (`level.py`). With
4,096 replicates of 800 persons a probability of continuing on the last leg is caught with power 0.999 when it is off by
1.1 % (`products`, `cells`) or 1.5 % (`waves`); with the 65,536 of the long suite by a quarter of that. See
`test_power.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from scipy import stats

from simcore.scenario import Scenario
from tests.statistical import scenarios as made
from tests.statistical.joint import Verdict, cells, products, waves
from tests.statistical.level import accept
from tests.statistical.samples import FloatArray, Frame, frame, sample

QUICK, LONG = 4096, 65536
SIZES = [pytest.param(QUICK, id="quick"), pytest.param(LONG, id="long", marks=pytest.mark.long)]
ARRIVED, RETURNED = ("outcome", "ARRIVED"), ("outcome", "RETURNED_FINAL")


@dataclass(frozen=True)
class Row:
    """A feature: a scenario, the three counts of which the joint histogram is made, what is stored together."""

    scenario: Callable[[], Scenario]
    counts: tuple[tuple[str, str], ...]
    store_by: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()  # only these, if any are named
    varied: bool = False
    by_exploitation: bool = False
    agents: str = "collapsed"
    size: tuple[int, int] = (QUICK, LONG)  # fewer where exact moments of every replicate are needed


SIX = dict.fromkeys(("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX"), 250)
ROWS = {
    "one attempt": Row(lambda: made.golden("transit.attempt_cap = 1"), (ARRIVED, RETURNED, ("outcome", "ESCAPED"))),
    "re-attempts with memory": Row(made.golden, (ARRIVED, RETURNED, ("visits", "N3"))),
    "re-attempts with memory, leg by leg": Row(
        made.golden, (ARRIVED, ("attempts", "3"), ("visits", "N2")), agents="leg-by-leg"
    ),
    "persons at points": Row(
        made.golden, (("reached", "N3"), ("visits", "N3"), ("reached", "N4")), variables=("reached", "visits")
    ),
    "forks": Row(made.tiny, (("outcome", "ARRIVED_US"), ("outcome", "RETURNED_FINAL"), ("visits", "NORTH"))),
    "forks, two kinds of victims": Row(
        made.tiny,
        (("outcome", "ARRIVED_US", "S"), ("outcome", "ARRIVED_US", "L"), ("visits", "HUB", "S")),
        store_by=("exploitation",),
        by_exploitation=True,
    ),
    "strata merged": Row(lambda: made.golden_of_origins(SIX), (ARRIVED, RETURNED, ("visits", "N3"))),
    "strata that differ": Row(
        lambda: made.golden_of_origins({"ONE": 900, "TWO": 900}, *made.factor_of(["TWO"], 1.5)),
        (ARRIVED, RETURNED, ("visits", "N3")),
    ),
    "given parameters and shared effects": Row(
        made.river,
        (("outcome", "on the far bank"), ("outcome", "home again"), ("visits", "landing")),
        varied=True,
        size=(QUICK, 16384),
    ),
    "the shipped scenario": Row(
        made.phase1,
        (("outcome", "ARRIVED_US"), ("outcome", "RETURNED_FINAL"), ("reached", "US_LINE")),
        varied=True,
        size=(1024, 8192),
    ),
}


def draws(row: Row, way: str, shape: Frame, replicates: int, seed: int) -> FloatArray:
    """Return the counts of a row's scenario."""
    return sample(row.scenario(), way, shape.columns, replicates=replicates, seed=seed, store_by=row.store_by)


def framed(row: Row, replicates: int, seed: int) -> Frame:
    """Return the counts that a row compares."""
    shape = frame(
        row.scenario(), draws=replicates if row.varied else None, seed=seed, by_exploitation=row.by_exploitation
    )
    return shape.only(row.variables) if row.variables else shape


def verdicts(
    shape: Frame, counts: tuple[tuple[str, ...], ...], first: FloatArray, second: FloatArray, seed: int
) -> dict[str, Verdict]:
    """Return all three statistics."""
    chosen = [shape.column(*name) for name in counts]
    white = shape.white(first), shape.white(second)
    return {
        "waves": waves(*white, seed),
        "cells": cells(shape.standard(first)[:, chosen], shape.standard(second)[:, chosen]),
        "products": products(*white),
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", list(ROWS))
def test_agents_and_crowds_have_one_law(name: str, size: int, seed: int) -> None:
    row = ROWS[name]
    replicates = row.size[size == LONG]
    shape = framed(row, replicates, seed)
    agents, crowds = (draws(row, way, shape, replicates, seed) for way in (row.agents, "cohort"))
    moved = (agents != crowds).any(axis=1).mean()
    assert moved > 0.5, "crowds too small to move as counts are walked by the agent engine itself"
    for statistic, verdict in verdicts(shape, row.counts, agents, crowds, seed).items():
        accept(verdict.p_value, f"{name}, {statistic}")


def test_p_values_are_uniform(seed: int) -> None:
    """The null distributions are what they are said to be: 40 p-values of samples of 1,024 against the uniform law."""
    batches, size = 40, 1024
    row = ROWS["re-attempts with memory"]
    shape = framed(row, batches * size, seed)
    agents, crowds = (draws(row, way, shape, batches * size, seed) for way in ("collapsed", "cohort"))
    found: dict[str, list[float]] = {}
    for batch in range(batches):
        part = slice(batch * size, (batch + 1) * size)
        for statistic, verdict in verdicts(shape, row.counts, agents[part], crowds[part], seed + batch).items():
            found.setdefault(statistic, []).append(verdict.p_value)
    for statistic in ("waves", "cells"):  # the p-value of `products` is a bound
        test = stats.kstest(found[statistic], "uniform")
        accept(test.pvalue, f"uniform p-values of {statistic}")
    accept(float(stats.binom.sf(sum(p < 0.01 for p in found["products"]) - 1, batches, 0.01)), "p-values of products")
