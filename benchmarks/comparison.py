"""Run a case: check every contender, choose what suits the peers, time, and sum up.

The result is plain data (see `CaseResult`), ready for a JSON file, a table and a plot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, TypedDict

import numpy as np

import simcore
from benchmarks.cases import Case
from benchmarks.contenders import AGENT, CONTENDERS, Simulate
from benchmarks.correctness import Verdict, check, exact_moments
from benchmarks.simcore_engines import philox_words, whole_run
from benchmarks.timing import Samples, Spread, alternate, ratios
from benchmarks.work import Work, agents_of, attempts_of
from simcore.model import CompiledModel

FLOOR = "philox words"
RUN = "simcore run"
TUNING_CALLS = 3  # the best of so many counts
_FAR_BEHIND = 2.0  # times the best so far


class ContenderResult(TypedDict):
    """Summary of one contender in one case; spreads hold median, low and high.

    ``faster`` says, for each base of the case, how many times faster than this contender the base is.
    """

    name: str
    label: str
    kind: str
    choice: str
    replicates: int
    agents: int
    attempts: int
    million_agents_per_second: dict[str, float]
    million_attempts_per_second: dict[str, float]
    replicates_per_second: dict[str, float]
    faster: dict[str, dict[str, float]]
    processor_seconds: list[float]
    wall_seconds: list[float]
    check: dict[str, Any] | None


class CaseResult(TypedDict):
    """Summary of a case."""

    name: str
    title: str
    threads: int
    bases: list[str]
    agents_per_replicate: float
    attempts_per_agent: float
    contenders: list[ContenderResult]


def generator_of(seed: int) -> np.random.Generator:
    """Return NumPy's fastest generator."""
    return np.random.Generator(np.random.SFC64(seed))


def checked_replicates(case: Case, name: str) -> int:
    """Return on how many replicates a contender is checked: slow ones on what they do in a timed call."""
    return min(case.checked, case.shares[name].replicates)


def checked(
    case: Case, model: CompiledModel, fighters: Mapping[str, Simulate], seed: int, report: Callable[[str], None]
) -> dict[str, Verdict]:
    """Compare every contender of a case with the exact moments, on draws of its own.

    Raises
    ------
    WrongContender
        If one does not follow the law.
    """
    verdicts = {}
    prepared: dict[int, tuple[Work, Any]] = {}
    for name in case.shares:
        report(f"checking {CONTENDERS[name].label.partition(',')[0]}")
        replicates = checked_replicates(case, name)
        if replicates not in prepared:
            work = case.work(model, replicates, seed)
            prepared[replicates] = work, exact_moments(work)
        work, moments = prepared[replicates]
        verdicts[name] = check(fighters[name](work, generator_of(seed + 1)), moments, work, who=name)
    return verdicts


def tuned(name: str, contender: Simulate, work: Work, seed: int, calls: int = TUNING_CALLS) -> tuple[Simulate, str]:
    """Return the variant of a contender that is fastest here, and which it is; itself if there is only one.

    The fastest of ``calls`` calls counts; what is far behind after its first one gets no more.
    """
    variants = CONTENDERS[name].variants(work)
    if not variants:
        return contender, ""
    seconds: dict[str, float] = {}
    for label, variant in variants.items():
        timed: list[float] = []
        for call in range(calls):
            began = time.process_time()
            variant(work, generator_of(seed))
            timed.append(time.process_time() - began)
            if call == 0 and seconds and timed[0] > _FAR_BEHIND * min(seconds.values()):
                break
        seconds[label] = min(timed)
    best = min(seconds, key=lambda label: seconds[label])
    return variants[best], best


def compare(
    case: Case,
    *,
    rounds: int,
    seed: int,
    threads: int,
    tuning_calls: int = TUNING_CALLS,
    report: Callable[[str], None] = lambda _: None,
) -> CaseResult:
    """Check, tune and time the contenders of a case.

    Parameters
    ----------
    case : Case
    rounds : int
        Timed calls of every contender.
    seed : int
    threads : int
        Threads of the contenders that have several, and of the largest whole run.
    tuning_calls : int
        Calls of every variant of a contender before the fastest one is chosen.
    report : callable
        Told what is being done.

    Raises
    ------
    WrongContender
        If a contender does not follow the law; nothing is timed then.
    """
    fighters = {name: CONTENDERS[name].make(threads) for name in case.shares}
    model = simcore.compile_model(simcore.load_scenario(case.scenario, settings=case.settings))
    verdicts = checked(case, model, fighters, seed, report)
    calls: dict[str, Callable[[], object]] = {}
    samples: dict[str, Samples] = {}
    choices: dict[str, str] = {}
    labels = {name: CONTENDERS[name].label.format(threads=threads) for name in case.shares}
    everything = case.work(model, max(share.replicates for share in case.shares.values()), seed)
    for name, share in case.shares.items():
        report(f"preparing {labels[name]}")
        work = everything.part(0, share.replicates)
        contender, choices[name] = tuned(name, fighters[name], work, seed, tuning_calls)
        counts = contender(work, generator_of(seed))  # also the call that warms up
        choices[name] = choices[name] or getattr(contender, "choice", "")
        agents, attempts = agents_of(counts, work), attempts_of(counts)
        samples[name] = Samples(share.replicates * share.repeats, agents * share.repeats, attempts * share.repeats)
        calls[name] = partial(_repeat, contender, work, generator_of(seed + 2), share.repeats)
    base = samples[case.bases[0]]
    if case.words and AGENT in samples:
        walked = samples[AGENT]
        labels[FLOOR] = "the random words of the agents, nothing else"
        samples[FLOOR] = Samples(walked.replicates, walked.agents, walked.attempts)
        calls[FLOOR] = partial(philox_words, walked.attempts)
        calls[FLOOR]()
    if case.whole_run:
        work = case.work(model, case.whole_run, seed)
        for number in sorted({1, threads}):
            name = f"{RUN}, {number} thread{'s' if number > 1 else ''}"
            labels[name] = f"simcore.run from scenario to results in memory, {number} thread{'s' if number > 1 else ''}"
            calls[name] = partial(_run_and_close, work, number)
            report(f"preparing {labels[name]}")
            with whole_run(work, number) as results:
                attempts = int(results.read("attempts").sum())
                samples[name] = Samples(case.whole_run, int(results.attributes["agents_walked"]), attempts)
    alternate(calls, samples, rounds, report)
    return {
        "name": case.name,
        "title": case.title,
        "threads": threads,
        "bases": list(case.bases),
        "agents_per_replicate": base.agents / base.replicates,
        "attempts_per_agent": base.attempts / base.agents,
        "contenders": [
            _summary(case, name, labels[name], choices.get(name, ""), samples, verdicts.get(name)) for name in samples
        ],
    }


def _repeat(contender: Simulate, work: Work, generator: np.random.Generator, repeats: int) -> None:
    for _ in range(repeats):
        contender(work, generator)


def _run_and_close(work: Work, threads: int) -> None:
    whole_run(work, threads).close()


def _is_wall(name: str) -> bool:
    return name.startswith(RUN) or (name in CONTENDERS and CONTENDERS[name].wall)


def _kind(name: str) -> str:
    return "floor" if name == FLOOR else CONTENDERS[name].kind if name in CONTENDERS else "simcore"


def _summary(
    case: Case, name: str, label: str, choice: str, samples: Mapping[str, Samples], verdict: Verdict | None
) -> ContenderResult:
    sample = samples[name]
    wall = _is_wall(name)

    def spread(values: list[float]) -> dict[str, float]:
        return asdict(Spread.of(values))

    return {
        "name": name,
        "label": label,
        "kind": _kind(name),
        "choice": choice,
        "replicates": sample.replicates,
        "agents": sample.agents,
        "attempts": sample.attempts,
        "million_agents_per_second": spread([rate / 1e6 for rate in sample.rates(sample.agents, wall=wall)]),
        "million_attempts_per_second": spread([rate / 1e6 for rate in sample.rates(sample.attempts, wall=wall)]),
        "replicates_per_second": spread(sample.rates(sample.replicates, wall=wall)),
        "faster": {base: spread(ratios(samples[base], sample, wall=wall or _is_wall(base))) for base in case.bases},
        "processor_seconds": sample.processor_seconds,
        "wall_seconds": sample.wall_seconds,
        "check": asdict(verdict) if verdict else None,
    }
