"""The agent and the cohort engine against the exact moments, by z-scores: all stored counts of the fixtures.

A mean of R replicates has the exact standard error sqrt(V / R). A second moment is the mean of R products of deviations
from the *exact* means; its standard error is that of those products, from the sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simcore.verification import known_answers as known
from simcore.verification.check import Check, by_z
from simcore.verification.closed_form import fixture, weights

if TYPE_CHECKING:
    from simcore.moments import Moments
    from simcore.store import Results

SEED = 20051105
# So many times the persons of TINY, for crowds that are moved as counts; means and covariances are in proportion.
CROWDING = 40
QUICK_REPLICATES = 8192
LONG_REPLICATES = 262144


def weighted_counts(results: Results, moments: Moments, chosen: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the quantity with weights ``chosen`` (see `Moments.weights`) in every replicate, float64 [n]."""
    total = np.zeros(results.replicates)
    by_variable: dict[str, list[int]] = {}
    for index in np.flatnonzero(chosen).tolist():
        by_variable.setdefault(moments.components[index].variable, []).append(index)
    for variable, indices in by_variable.items():
        description = results.variable(variable)
        by = tuple(axis for axis in ("exploitation",) if axis in description.strata)
        counts = results.read(variable, by=by)
        for index in indices:
            component = moments.components[index]
            place: list[int | slice] = [slice(None)]
            if by:
                place.append(results.labels("exploitation").index(component.exploitation))
            if description.trailing:
                place.append(results.labels(description.trailing[0]).index(component.label))
            total += chosen[index] * counts[tuple(place)]
    return total


def _moment_checks(
    name: str,
    results: Results,
    moments: Moments,
    means: dict[str, float],
    seconds: dict[tuple[str, str], float],
    note: str,
) -> Iterator[Check]:
    samples: dict[str, npt.NDArray[np.float64]] = {}

    def deviations(quantity: str) -> npt.NDArray[np.float64]:
        if quantity not in samples:
            exact = float(moments.mean_of(weights(moments, quantity))[0, 0])
            samples[quantity] = weighted_counts(results, moments, weights(moments, quantity)) - exact
        return samples[quantity]

    n = results.replicates
    for quantity, value in means.items():
        variance = float(moments.variance_of(weights(moments, quantity))[0, 0])
        made = float(deviations(quantity).mean()) + float(moments.mean_of(weights(moments, quantity))[0, 0])
        yield by_z(f"{name}: mean {quantity}", value, made, float(np.sqrt(max(variance, 0.0) / n)), note)
    for (first, second), value in seconds.items():
        products = deviations(first) * deviations(second)
        error = float(products.std(ddof=1) / np.sqrt(n))
        what = f"variance {first}" if first == second else f"covariance {first}, {second}"
        yield by_z(f"{name}: {what}", value, float(products.mean()), error, note)


def simulated_checks(*, long: bool) -> Iterator[Check]:
    """Simulate the fixtures and compare; ``long`` takes 32 times the replicates."""
    from simcore.moments import expected
    from simcore.runner import run

    replicates = LONG_REPLICATES if long else QUICK_REPLICATES
    tiny, golden = fixture("tiny"), fixture("golden")
    moments, golden_moments = expected(tiny), expected(golden)
    means = {quantity: float(value) for quantity, value in known.TINY_MEANS.items()}
    seconds = {(quantity, quantity): float(value) for quantity, value in known.TINY_VARIANCES.items()}
    seconds |= {pair: float(value) for pair, value in known.TINY_COVARIANCES.items()}
    # Known to six digits only, too few for a z-score: the exact engine, checked against them, gives the rest.
    exact = {q: float(golden_moments.mean_of(weights(golden_moments, q))[0, 0]) for q in known.GOLDEN_MEANS}
    persons = float(golden_moments.persons[0, 0])
    for walker in ("collapsed", "leg-by-leg"):
        with run(tiny, replicates=replicates, seed=SEED, walker=walker) as results:
            note = f"TINY, {replicates} replicates"
            yield from _moment_checks(f"tiny, {walker}", results, moments, means, seconds, note)
        with run(golden, replicates=max(replicates // 64, 128), seed=SEED, walker=walker) as results:
            note = f"golden fixture, {results.replicates} replicates of {persons:.0f} persons"
            yield from _moment_checks(f"four nodes, {walker}", results, golden_moments, exact, {}, note)
    many = CROWDING * float(moments.persons[0, 0])
    cell = f'{{origin = "ONE", sex = "all", age_band = "all", persons = {many}}}'
    crowded = fixture("tiny", [f"population.cells = [{cell}]"])
    with run(crowded, replicates=replicates, seed=SEED, engine="cohort") as results:
        note = f"TINY, {CROWDING} times the persons, {replicates} replicates"
        many_means = {quantity: CROWDING * value for quantity, value in means.items()}
        many_seconds = {pair: CROWDING * value for pair, value in seconds.items()}
        yield from _moment_checks("tiny, cohort", results, expected(crowded), many_means, many_seconds, note)
    with run(golden, replicates=replicates, seed=SEED, engine="cohort") as results:
        note = f"golden fixture, {replicates} replicates of {persons:.0f} persons"
        yield from _moment_checks("four nodes, cohort", results, golden_moments, exact, {}, note)
