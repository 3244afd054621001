"""All contenders follow the law, and one that does not is found out.

Nothing here looks at a clock: how fast anything is, is for `simcore bench` to say.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.comparison import generator_of, tuned
from benchmarks.contenders import AGENT, CONTENDERS, left_out
from benchmarks.correctness import WrongContender, check, component_totals, exact_moments
from benchmarks.numpy_cohort import CohortPeer
from benchmarks.numpy_collapsed import CollapsedPeer
from benchmarks.numpy_legs import LegPeer
from benchmarks.work import agents_of, attempts_of, fixed_work, varied_work
from simcore.engines.counts import Counts
from simcore.model import CompiledModel, compile_model
from tests.conftest import FIXTURES, load
from tests.unit.benchmarks.conftest import assert_consistent, skip_if_missing

VARIABLES = [name for name in Counts._fields if name != "ended"]
SLOW = {"plain python", "mesa", "starsim"}


# One z-score per stored count, |z| < 4.5: about 50 of TINY, so a false alarm once in 3,000 seeds; what it catches is
# shown by `test_a_wrong_peer_is_found_out`.
@pytest.mark.parametrize("name", CONTENDERS)
def test_contender_follows_the_law_with_fixed_parameters(name: str, tiny_model: CompiledModel, seed: int) -> None:
    skip_if_missing(name)
    work = fixed_work(tiny_model, 100 if name in SLOW else 4000, seed)
    counts = CONTENDERS[name].make(2)(work, generator_of(seed))
    verdict = check(counts, exact_moments(work), work)
    assert verdict.counts == len(exact_moments(work).components)
    assert_consistent(counts, work)


@pytest.mark.parametrize("name", CONTENDERS)
def test_contender_follows_the_law_with_parameters_of_each_replicate(
    name: str, phase1_model: CompiledModel, seed: int
) -> None:
    """Four journey classes, several routes, modifiers, shared effects."""
    skip_if_missing(name)
    work = varied_work(phase1_model, 1 if name in SLOW else 24, seed)
    counts = CONTENDERS[name].make(2)(work, generator_of(seed))
    check(counts, exact_moments(work), work)
    assert_consistent(counts, work)
    assert counts.persons.sum(axis=0).tolist() == exact_moments(work).persons.sum(axis=1).tolist()


def test_threads_change_no_bit(phase1_model: CompiledModel, seed: int) -> None:
    work = varied_work(phase1_model, 7, seed)
    alone, several = (CONTENDERS["agent threads"].make(threads)(work, generator_of(0)) for threads in (1, 3))
    for name in VARIABLES:
        assert (getattr(alone, name) == getattr(several, name)).all()


@pytest.mark.parametrize("search", ["guide", "search"])
@pytest.mark.parametrize("batch", [1, 700, 10**6])
def test_search_and_batches_change_no_law(search: str, batch: int, tiny_model: CompiledModel, seed: int) -> None:
    work = fixed_work(tiny_model, 300, seed)
    check(CollapsedPeer(search, batch)(work, generator_of(seed)), exact_moments(work), work)
    check(LegPeer(batch)(work, generator_of(seed)), exact_moments(work), work)


@pytest.mark.parametrize("draws", ["joint", "staged"])
@pytest.mark.parametrize("batch", [1, 1000])
def test_ways_to_draw_counts_and_batches_change_no_law(
    draws: str, batch: int, tiny_model: CompiledModel, seed: int
) -> None:
    for work in (fixed_work(tiny_model, 300, seed), varied_work(tiny_model, 300, seed)):
        counts = CohortPeer(draws, batch)(work, generator_of(seed))
        check(counts, exact_moments(work), work)
        assert_consistent(counts, work)


# The sd of a variance of 8,000 replicates is at least sqrt(2 / 8000) = 1.6 %; 10 % is over six of them.
@pytest.mark.parametrize("name", ["numpy cohort", "c legs", "c collapsed", "agent"])
def test_variances_too_are_those_of_the_closed_form(name: str, tiny_model: CompiledModel, seed: int) -> None:
    skip_if_missing(name)
    work = fixed_work(tiny_model, 8000, seed)
    counts, moments = CONTENDERS[name].make(1)(work, generator_of(seed)), exact_moments(work)
    assert moments.covariance is not None
    for variable in ("destination", "reached", "visits", "outcome", "attempts"):
        array = getattr(counts, variable)
        for label in range(array.shape[-1]):
            made = array[..., label].sum(axis=0).astype(np.float64)
            names = [c for c in moments.components if c.variable == variable]
            labels = list(dict.fromkeys(c.label for c in names))
            weights = moments.weights(variable, label=labels[label])
            exact = float(moments.variance_of(weights)[0, 0])
            mean = float(moments.mean_of(weights)[0, 0])
            if mean > 10.0:
                assert made.var() == pytest.approx(exact, rel=0.1), (variable, labels[label])


def test_a_wrong_peer_is_found_out(tiny_model: CompiledModel, seed: int) -> None:
    """Retries one in ten too rare, a leg probability off by 2 %, two outcomes swapped, one person too many.

    The 2 % move the number of finally returned by 0.0766 standard deviations of a replicate, so 16,000 replicates put
    it at z = 9.7; the power is 0.999 from 10,000 on.
    """
    plan = tiny_model.transit
    work = fixed_work(tiny_model, 16_000, seed)
    moments = exact_moments(work)
    counts = CohortPeer()(work, generator_of(seed))
    check(counts, moments, work)
    fewer_retries, harder_leg = work.theta.copy(), work.theta.copy()
    fewer_retries[:, np.unique(plan.reattempt[plan.reattempt >= 0])] *= 0.9
    last = plan.class_profile[0, list(plan.leg_to).index(plan.arrival_point)]
    taken = 0.02 * harder_leg[:, plan.profile_continue[last]]
    harder_leg[:, plan.profile_continue[last]] -= taken
    harder_leg[:, plan.profile_cause[last, 0]] += taken
    for theta in (fewer_retries, harder_leg):
        with pytest.raises(WrongContender, match=r"z = "):
            check(CohortPeer()(replace(work, theta=theta), generator_of(seed)), moments, work)
    with pytest.raises(WrongContender, match="somebody: outcome"):
        check(counts._replace(outcome=counts.outcome[..., ::-1]), moments, work, who="somebody")
    with pytest.raises(WrongContender, match="persons"):
        check(counts._replace(persons=counts.persons + 1), moments, work)


def test_a_single_impossible_count_is_refused(seed: int) -> None:
    """Without retries nobody makes a second attempt: one who does is too many, however many replicates there are."""
    never = [f"parameters.{name}.distribution.value = 0" for name in ("reattempt_first", "reattempt_second")]
    work = fixed_work(compile_model(load(FIXTURES / "tiny.toml", *never)), 500, seed)
    moments = exact_moments(work)
    counts = LegPeer()(work, generator_of(seed))
    check(counts, moments, work)
    attempts = counts.attempts.copy()
    attempts[0, 0, 1] += 1
    with pytest.raises(WrongContender, match="attempts/S/2"):
        check(counts._replace(attempts=attempts), moments, work)


def test_counts_add_up_to_the_totals(tiny_model: CompiledModel, seed: int) -> None:
    work = fixed_work(tiny_model, 30, seed)
    counts = CONTENDERS[AGENT].make(1)(work, generator_of(seed))
    moments = exact_moments(work)
    totals = dict(zip(moments.components, component_totals(counts, moments, work), strict=True))
    for variable in VARIABLES[1:]:
        mine = sum(total for component, total in totals.items() if component.variable == variable)
        assert mine == getattr(counts, variable).sum()
    assert agents_of(counts, work) == counts.attempts[..., 0].sum()
    assert attempts_of(counts) == counts.attempts.sum()


def test_tuning_keeps_the_kind_of_peer(tiny_model: CompiledModel, seed: int) -> None:
    absent = left_out()
    for fixed, make in ((True, fixed_work), (False, varied_work)):
        work = make(tiny_model, 4, seed)
        for name, contender in CONTENDERS.items():
            if name in absent or name in SLOW:
                continue
            fresh = contender.make(1)
            chosen, choice = tuned(name, fresh, work, seed, calls=1)
            assert type(chosen) is type(fresh)
            assert bool(choice) == bool(contender.variants(work))
            assert fixed or "guide table" not in choice
