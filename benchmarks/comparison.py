"""Run a case: check every contender, choose what suits the NumPy peers, time, and sum up.

The result is plain data (see `CaseResult`), ready for a JSON file, a table and a plot.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, TypedDict

import numpy as np

import simcore
from benchmarks.agent_engine import philox_words, whole_run
from benchmarks.cases import NAMES, SIMCORE, Case, Contender, contenders
from benchmarks.correctness import Verdict, check, exact_moments
from benchmarks.numpy_collapsed import CollapsedPeer
from benchmarks.numpy_legs import LegPeer
from benchmarks.numpy_walk import BATCHES
from benchmarks.timing import Samples, Spread, alternate, ratios
from benchmarks.work import Work, agents_of, attempts_of
from simcore.model import CompiledModel

FLOOR = "philox words"
_TUNING_CALLS = 3  # the best of so many counts


class ContenderResult(TypedDict):
    """Summary of one contender in one case; spreads hold median, low and high."""

    name: str
    label: str
    choice: str
    replicates: int
    agents: int
    attempts: int
    million_agents_per_second: dict[str, float]
    million_attempts_per_second: dict[str, float]
    replicates_per_second: dict[str, float]
    simcore_faster_by: dict[str, float]
    processor_seconds: list[float]
    wall_seconds: list[float]
    check: dict[str, Any] | None


class CaseResult(TypedDict):
    """Summary of a case."""

    name: str
    title: str
    agents_per_replicate: float
    attempts_per_agent: float
    contenders: list[ContenderResult]


def generator_of(seed: int) -> np.random.Generator:
    """Return NumPy's fastest generator."""
    return np.random.Generator(np.random.SFC64(seed))


def checked(case: Case, model: CompiledModel, fighters: dict[str, Contender], seed: int) -> dict[str, Verdict]:
    """Compare every contender of a case with the exact moments, on draws of its own.

    Raises
    ------
    WrongContender
        If one does not follow the law.
    """
    verdicts = {}
    prepared: dict[int, tuple[Work, Any]] = {}
    for name in case.shares:
        replicates = case.checked.get(name, case.checked[""])
        if replicates not in prepared:
            work = case.work(model, replicates, seed)
            prepared[replicates] = work, exact_moments(work)
        work, moments = prepared[replicates]
        verdicts[name] = check(fighters[name](work, generator_of(seed + 1)), moments, work)
    return verdicts


def tuned(contender: Contender, work: Work, seed: int) -> tuple[Contender, str]:
    """Return a NumPy peer with the batch and search that suit it best here, and which they are; others as they are."""
    variants: dict[str, Contender] = {}
    if isinstance(contender, CollapsedPeer):
        for batch in BATCHES:
            variants[f"guide table, {batch:,} agents at once"] = CollapsedPeer("guide", batch)
            if work.fixed:
                variants[f"searchsorted, {batch:,} agents at once"] = CollapsedPeer("search", batch)
        if not work.fixed:  # one sorted array over all parameter sets; a guide for each would cost more than it saves
            variants = {label.replace("guide table", "searchsorted"): peer for label, peer in variants.items()}
    elif isinstance(contender, LegPeer):
        variants = {f"{batch:,} agents at once": LegPeer(batch) for batch in BATCHES}
    if not variants:
        return contender, ""
    seconds = {}
    for label, variant in variants.items():
        variant(work, generator_of(seed))
        timed = []
        for _ in range(_TUNING_CALLS):
            began = time.process_time()
            variant(work, generator_of(seed))
            timed.append(time.process_time() - began)
        seconds[label] = min(timed)
    best = min(seconds, key=lambda label: seconds[label])
    return variants[best], best


def compare(case: Case, *, rounds: int, seed: int, threads: int) -> CaseResult:
    """Check, tune and time the contenders of a case.

    Parameters
    ----------
    case : Case
    rounds : int
        Timed calls of every contender.
    seed : int
    threads : int
        Threads of the largest whole run.
    """
    fighters = contenders()
    model = simcore.compile_model(simcore.load_scenario(case.scenario, settings=case.settings))
    verdicts = checked(case, model, fighters, seed)
    calls: dict[str, Callable[[], object]] = {}
    samples: dict[str, Samples] = {}
    choices: dict[str, str] = {}
    labels = dict(NAMES)
    everything = case.work(model, max(share.replicates for share in case.shares.values()), seed)
    for name, share in case.shares.items():
        work = everything.part(0, share.replicates)
        contender, choices[name] = tuned(fighters[name], work, seed)
        counts = contender(work, generator_of(seed))  # also the call that warms up
        agents, attempts = agents_of(counts, work), attempts_of(counts)
        samples[name] = Samples(share.replicates * share.repeats, agents * share.repeats, attempts * share.repeats)
        calls[name] = partial(_repeat, contender, work, generator_of(seed + 2), share.repeats)
    base = samples[SIMCORE]
    labels[FLOOR] = "the random words of simcore's attempts, nothing else"
    samples[FLOOR] = Samples(base.replicates, base.agents, base.attempts)
    calls[FLOOR] = partial(philox_words, base.attempts)
    if case.whole_run:
        work = case.work(model, case.whole_run, seed)
        for number in sorted({1, threads}):
            name = f"simcore run, {number} thread{'s' if number > 1 else ''}"
            labels[name] = f"simcore.run from scenario to results in memory, {number} thread{'s' if number > 1 else ''}"
            calls[name] = partial(_run_and_close, work, number)
            with whole_run(work, number) as results:
                samples[name] = Samples(
                    case.whole_run, int(results.attributes["agents_walked"]), int(results.read("attempts").sum())
                )
    calls[FLOOR]()
    alternate(calls, samples, rounds)
    return {
        "name": case.name,
        "title": case.title,
        "agents_per_replicate": base.agents / base.replicates,
        "attempts_per_agent": base.attempts / base.agents,
        "contenders": [
            _summary(name, labels[name], choices.get(name, ""), sample, base, verdicts.get(name))
            for name, sample in samples.items()
        ],
    }


def _repeat(contender: Contender, work: Work, generator: np.random.Generator, repeats: int) -> None:
    for _ in range(repeats):
        contender(work, generator)


def _run_and_close(work: Work, threads: int) -> None:
    whole_run(work, threads).close()


def _summary(
    name: str, label: str, choice: str, sample: Samples, base: Samples, verdict: Verdict | None
) -> ContenderResult:
    wall = name.startswith("simcore run")
    return {
        "name": name,
        "label": label,
        "choice": choice,
        "replicates": sample.replicates,
        "agents": sample.agents,
        "attempts": sample.attempts,
        "million_agents_per_second": asdict(Spread.of([r / 1e6 for r in sample.rates(sample.agents, wall=wall)])),
        "million_attempts_per_second": asdict(Spread.of([r / 1e6 for r in sample.rates(sample.attempts, wall=wall)])),
        "replicates_per_second": asdict(Spread.of(sample.rates(sample.replicates, wall=wall))),
        "simcore_faster_by": asdict(Spread.of(ratios(base, sample))),
        "processor_seconds": sample.processor_seconds,
        "wall_seconds": sample.wall_seconds,
        "check": asdict(verdict) if verdict else None,
    }
