"""Known answers that need no simulation: the generator, the overlap formula, the expected engine on the fixtures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np

from simcore.verification import known_answers as known
from simcore.verification.check import Check, exactly, within

if TYPE_CHECKING:
    from simcore.moments import FloatArray, Moments
    from simcore.scenario import Scenario

_QUANTITY = re.compile(r"(\w+)(?:\[([^\]]*)\])?(?:\[([^\]]*)\])?")
EXPLOITATIONS = ("S", "L")
NEVER = 60  # attempts after which a retry probability below 0.4 has no effect on ten digits


def fixture(name: str, settings: Sequence[str] = ()) -> Scenario:
    """Return a fixture scenario shipped with the program, with settings applied."""
    from simcore.scenario import load_scenario

    with as_file(files("simcore.verification") / "fixtures" / f"{name}.toml") as path:
        return load_scenario(path, settings=settings)


def tolerance(digits: str) -> float:
    """Return half a unit of the last decimal place of a number as text, with room for its own rounding."""
    decimals = len(digits.partition(".")[2])
    return 0.501 * 10.0**-decimals


def weights(moments: Moments, quantity: str, exploitation: str | None = None) -> FloatArray:
    """Return the weights of a quantity written as in `known_answers`."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"not a quantity: {quantity}")
    variable, label, level = match.groups()
    return moments.weights(variable, label=label or None, exploitation=level or exploitation)


def _one(values: FloatArray) -> float:
    return float(values.reshape(-1)[0])


def generator_checks() -> Iterator[Check]:
    """Philox4x32-10 against its published vectors."""
    from simcore.engines.random import philox4x32

    for counter, key, block in known.PHILOX:
        words = [np.uint32(int(word, 16)) for word in counter.split()]
        low, high = (int(word, 16) for word in key.split())
        made = philox4x32(words[0], words[1], words[2], words[3], np.uint64(low | high << 32))
        text = " ".join(f"{int(word):08x}" for word in made)
        yield exactly(f"philox4x32-10 at {counter.split()[0]}...", block, text, "Random123 known-answer vectors")


def overlap_checks() -> Iterator[Check]:
    """Plackett's formula: known values, and the odds ratio of the classes that it makes."""
    from simcore.source_zone.overlap import risk_classes

    classes = np.empty(4)
    for first, second, psi, both in known.OVERLAPS:
        risk_classes(np.array([first, second]), psi, classes)
        yield within(f"P(both risks) at {first}, {second}, psi {psi}", float(both), classes[3], tolerance(both), "A2")
    for first, second, psi in ((0.03, 0.05, 4.0), (0.4, 0.7, 0.2), (1e-6, 0.5, 30.0)):
        risk_classes(np.array([first, second]), psi, classes)
        odds = classes[3] * classes[0] / (classes[1] * classes[2])
        yield within(f"odds ratio at {first}, {second}", psi, odds, 1e-9 * psi, "A2: definition of psi")


def golden_checks() -> Iterator[Check]:
    """Four nodes with retry memory."""
    from simcore.moments import expected

    moments = expected(fixture("golden"))
    persons = _one(moments.persons)
    for quantity, value in known.GOLDEN_MEANS.items():
        mean = _one(moments.mean_of(weights(moments, quantity))) / persons
        yield within(f"four nodes: mean {quantity}", float(value), mean, tolerance(value), "E2, golden fixture")
    for quantity, value in known.GOLDEN_VARIANCES.items():
        variance = _one(moments.variance_of(weights(moments, quantity))) / persons
        yield within(f"four nodes: variance {quantity}", float(value), variance, tolerance(value), "E2, golden fixture")


def repeated_trial_checks() -> Iterator[Check]:
    """One border with retries: (1 - p)(1 - (p r)^K) / (1 - p r), and its limits without a cap."""
    from simcore.moments import expected

    for catch, retry, cap, arrival, catches, attempts in known.REPEATED_TRIALS:
        settings = [
            f"transit.attempt_cap={cap or NEVER}",
            f"parameters.interception.distribution.value={catch}",
            f"parameters.reattempt.distribution.value={retry}",
        ]
        moments = expected(fixture("single_border", settings))
        persons = _one(moments.persons)
        name = f"one border, p {catch}, r {retry}, {'no cap' if cap is None else f'cap {cap}'}"
        answers = {"outcome[ARRIVED]": arrival, "interceptions": catches, "attempts": attempts}
        for quantity, value in answers.items():
            if value is not None:
                mean = _one(moments.mean_of(weights(moments, quantity))) / persons
                yield within(f"{name}: {quantity}", float(value), mean, tolerance(value), "E5, repeated trials")


def gambler_checks() -> Iterator[Check]:
    """The gambler's walk: the fundamental matrix row by row, the steps, the absorption."""
    from simcore.moments import expected

    for start, visits, steps, ruined, arrived in known.GAMBLER:
        moments = expected(fixture("gambler", [f"transit.entry.all.point='{start}'"]))
        persons = _one(moments.persons)

        def mean(quantity: str, moments: Moments = moments, persons: float = persons) -> float:
            return _one(moments.mean_of(weights(moments, quantity))) / persons

        points = ("ONE", "TWO", "THREE")
        made = {f"visits[{point}]": mean(f"visits[{point}]") for point in points}
        answers = dict(zip(made, visits, strict=True)) | {"outcome[RUINED]": ruined, "outcome[ARRIVED]": arrived}
        for quantity, value in answers.items():
            yield within(f"walk from {start}: {quantity}", float(value), mean(quantity), 1e-12, "gambler's walk")
        yield within(f"walk from {start}: steps", float(steps), sum(made.values()), 1e-12, "gambler's walk")


def beta_binomial_checks() -> Iterator[Check]:
    """A pool with p ~ Beta(2, 998): exact moments given p, integrated over p by Gauss-Jacobi quadrature.

    The moments given p are polynomials of second degree, for which four nodes are exact.
    """
    from scipy.special import roots_sh_jacobi

    from simcore.model import compile_model
    from simcore.moments import expected

    alpha, beta = known.BETA_BINOMIAL_SHAPES
    nodes, mass = roots_sh_jacobi(4, alpha + beta - 1.0, alpha)
    mass = mass / mass.sum()
    settings = ["transit.attempt_cap=1", "parameters.reattempt.distribution.value=0"]
    model = compile_model(fixture("single_border", settings), routes=False)
    theta = np.repeat(model.space.typical()[np.newaxis, :], nodes.size, axis=0)
    theta[:, model.space.names.index("interception")] = 1.0 - nodes
    moments = expected(model, theta=theta)
    arrived = weights(moments, "outcome[ARRIVED]")
    means, variances = moments.mean_of(arrived)[:, 0], moments.variance_of(arrived)[:, 0]
    mean = float(mass @ means)
    between, inside = float(mass @ (means - mean) ** 2), float(mass @ variances)
    made = {"mean": mean, "variance": between + inside, "share from p": between / (between + inside)}
    for what, value in known.BETA_BINOMIAL.items():
        yield within(f"p ~ Beta(2, 998): {what}", float(value), made[what], tolerance(value), "E6, E7, beta-binomial")


def tiny_checks() -> Iterator[Check]:
    """The whole chain: sources, split legs, means, variances and covariances of counts, and patches."""
    from simcore.moments import expected

    moments = expected(fixture("tiny"))
    persons = _one(moments.persons)
    for quantity, value in known.TINY_SOURCE.items():
        mean = _one(moments.mean_of(weights(moments, quantity))) / persons
        yield within(f"tiny: {quantity} per person", float(value), mean, tolerance(value), "TINY, source")
    for quantity, value in known.TINY_MEANS.items():
        mean = _one(moments.mean_of(weights(moments, quantity)))
        yield within(f"tiny: mean {quantity}", float(value), mean, tolerance(value), "TINY, counts")
    for quantity, value in known.TINY_VARIANCES.items():
        variance = _one(moments.variance_of(weights(moments, quantity)))
        yield within(f"tiny: variance {quantity}", float(value), variance, tolerance(value), "TINY, counts")
    for (first, second), value in known.TINY_COVARIANCES.items():
        covariance = _one(moments.covariance_of(weights(moments, first), weights(moments, second)))
        yield within(
            f"tiny: covariance {first}, {second}", float(value), covariance, tolerance(value), "TINY, covariances"
        )
    yield from _per_bound_checks(moments, persons)
    yield from _reward_checks()
    yield from _leg_checks()
    yield from _patch_checks()


def _per_bound_checks(moments: Moments, persons: float) -> Iterator[Check]:
    for x, level in enumerate(EXPLOITATIONS):
        bound = _one(moments.mean_of(weights(moments, "destination[US_SWB]", level)))
        for quantity, values in known.TINY_PER_BOUND.items():
            mean = _one(moments.mean_of(weights(moments, quantity, level))) / bound
            yield within(
                f"tiny {level}: {quantity} per bound person", float(values[x]), mean, tolerance(values[x]), "TINY"
            )
        for quantity, values in known.TINY_PER_BOUND_VARIANCE.items():
            chosen = weights(moments, quantity, level)
            total = _one(moments.mean_of(chosen))
            square = (_one(moments.variance_of(chosen)) + total**2 / persons) / bound  # E[Y^2 | bound]
            variance = square - (total / bound) ** 2
            name = f"tiny {level}: variance of {quantity} per bound person"
            yield within(name, float(values[x]), variance, tolerance(values[x]), "TINY")
        arrived = weights(moments, "outcome[ARRIVED_US]", level)
        made = weights(moments, "attempts", level)
        arrivals = _one(moments.mean_of(arrived))
        joint = _one(moments.covariance_of(made, arrived)) + _one(moments.mean_of(made)) * arrivals / persons
        value = known.TINY_ATTEMPTS_OF_ARRIVED[x]
        yield within(f"tiny {level}: attempts of those arrived", float(value), joint / arrivals, tolerance(value), "E4")


def _reward_checks() -> Iterator[Check]:
    from simcore.rewards import expected_rewards

    rewards = expected_rewards(fixture("tiny"), by=["exploitation"])
    for name, answers in known.TINY_REWARDS.items():
        made = (rewards.mean, rewards.variance, rewards.mean_of_arrived)
        for what, values, moment in zip(("mean", "variance", "mean of those arrived"), answers, made, strict=True):
            for level, value in zip(EXPLOITATIONS, values or (), strict=False):
                group = rewards.groups.index({"exploitation": level})
                computed = float(moment[0, group, rewards.of(name)])
                yield within(
                    f"tiny {level}: {name} collected, {what}", float(value), computed, tolerance(value), "E3, E4"
                )


def _leg_checks() -> Iterator[Check]:
    from simcore.model import compile_model
    from simcore.transit_zone.legs import leg_probabilities

    model = compile_model(fixture("tiny"))
    legs = np.empty((model.transit.profile_split.size, model.transit.attempt_cap, 1 + model.transit.causes))
    leg_probabilities(model.transit, model.space.typical(), legs)
    stratum = [place["exploitation"] for place in model.strata].index("S")
    profile = model.transit.class_profile[model.transit.class_of[stratum], model.journeys.legs.index("d")]
    for attempt, values in known.TINY_LEG_D.items():
        for cause, value in zip(["CONTINUE", *model.journeys.causes], values, strict=True):
            column = ["CONTINUE", *model.journeys.causes].index(cause)
            name = f"tiny S: leg d, attempt {attempt}, {cause}"
            yield within(name, float(value), float(legs[profile, attempt - 1, column]), tolerance(value), "TINY, C3")


def _patch_checks() -> Iterator[Check]:
    from simcore.moments import expected

    targeted = [
        "parameters.targeting={distribution={family='fixed',value=1.5},unit='ratio',grade='illustrative'}",
        "transit.modifiers.targeting={legs=['d','e'],causes=['INTERCEPTED'],factor='targeting'}",
    ]
    patches = {
        "no retry": (["transit.attempt_cap=1"], known.TINY_NO_RETRY),
        "interception x 1.5": (targeted, known.TINY_TARGETED),
    }
    for name, (settings, values) in patches.items():
        moments = expected(fixture("tiny", settings))
        for level, value in zip(EXPLOITATIONS, values, strict=True):
            bound = _one(moments.mean_of(weights(moments, "destination[US_SWB]", level)))
            arrived = _one(moments.mean_of(weights(moments, "outcome[ARRIVED_US]", level))) / bound
            yield within(f"tiny {level}, {name}: arrival", float(value), arrived, tolerance(value), "TINY, patches")
    means, variances = [], []
    for factor, mean, variance in known.TINY_TWO_POINT:
        moments = expected(fixture("tiny", [f"exposure_years={factor}"]))  # only hazard times time matters
        arrivals = weights(moments, "outcome[ARRIVED_US]")
        means.append(_one(moments.mean_of(arrivals)))
        variances.append(_one(moments.variance_of(arrivals)))
        yield within(f"tiny, hazards x {factor}: mean A", float(mean), means[-1], tolerance(mean), "TINY, two-point")
        name = f"tiny, hazards x {factor}: variance A"
        yield within(name, float(variance), variances[-1], tolerance(variance), "TINY, two-point")
    between, within_theta = float(np.var(means)), float(np.mean(variances))
    split = (between, within_theta, between + within_theta, between / (between + within_theta))
    names = ("from parameters", "from chance", "total", "share of parameters")
    for name, value, made in zip(names, known.TINY_TWO_POINT_SPLIT, split, strict=True):
        # the answer was rounded after its parts were, so it may be off by one unit of its last place
        yield within(f"tiny, two-point theta: variance {name}", float(value), made, 2.0 * tolerance(value), "E6")


def closed_form_checks() -> Iterator[Check]:
    """All of the above."""
    yield from generator_checks()
    yield from overlap_checks()
    yield from repeated_trial_checks()
    yield from gambler_checks()
    yield from beta_binomial_checks()
    yield from golden_checks()
    yield from tiny_checks()
