"""The whole of a benchmark run: what there is to measure, in which order, and the report that comes out.

A *measurement* has a name: a case (contenders side by side), the closed form, the store, start-up, the designs of
parameter sets, or a curve. A run does those that were asked for; without a wish, everything but the curves, which take
long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import simcore
from benchmarks import curves, machine
from benchmarks.cases import CASES, Case
from benchmarks.comparison import TUNING_CALLS, CaseResult, compare
from benchmarks.contenders import left_out
from benchmarks.curves import Curve
from benchmarks.designs import DesignsResult, measure_designs
from benchmarks.expected_timing import ExpectedResult, time_expected
from benchmarks.start_up import StartUpResult, time_start_up
from benchmarks.store_speed import StoreResult, time_store

FORMAT = 2
SEED = 20050101
ROUNDS, QUICK_ROUNDS = 5, 3
QUICK_CASES = ("fixed", "varied", "stratum-1e4")
QUICK_DIVISOR = 4
EXPECTED, STORE, START_UP, DESIGNS = "expected", "store", "start-up", "designs"
CURVES = ("replicates", "pool", "origins", "attempts", "threads")


class Report(TypedDict):
    """Everything that the JSON file holds; parts that were not measured are empty."""

    format: int
    measured_utc: str
    simcore: str
    machine: machine.Machine
    settings: dict[str, int | bool | list[str]]
    left_out: dict[str, str]
    cases: list[CaseResult]
    expected: list[ExpectedResult]
    store: StoreResult | None
    start_up: list[StartUpResult]
    designs: DesignsResult | None
    curves: list[Curve]


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes
    ----------
    names : tuple of str
        Measurements, in order.
    rounds, seed : int
    quick : bool
        Smaller calls, no start-up with everything to be compiled, shorter curves.
    folder : path
        Where files of the disk measurements are made, and removed.
    """

    names: tuple[str, ...]
    rounds: int
    seed: int
    quick: bool
    folder: Path


Say = Callable[[str], None]
Show = Callable[[str, Report], None]


def measurements(cases: Sequence[Case] = CASES) -> tuple[str, ...]:
    """Return the names of everything that can be measured, in order."""
    return (*(case.name for case in cases), EXPECTED, STORE, START_UP, DESIGNS, *CURVES)


def default_names(*, quick: bool, scaling: bool, cases: Sequence[Case] = CASES) -> tuple[str, ...]:
    """Return what is measured without a wish."""
    chosen = [case.name for case in cases if not quick or case.name in QUICK_CASES]
    return (*chosen, EXPECTED, *(() if quick else (STORE, START_UP, DESIGNS)), *(CURVES if scaling else ()))


def run(plan: Plan, *, say: Say, show: Show, cases: Sequence[Case] = CASES) -> Report:
    """Measure everything of a plan.

    Parameters
    ----------
    plan : Plan
    say : callable
        Told what is being done.
    show : callable
        Called with the name of every measurement when it is done, and the report so far.
    cases : sequence of Case

    Raises
    ------
    WrongContender
        If a contender does not follow the law.
    """
    say("machine: memory and disk")
    absent = left_out()
    report: Report = {
        "format": FORMAT,
        "measured_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "simcore": simcore.__version__,
        "machine": machine.measure(plan.folder),
        "settings": {
            "rounds": plan.rounds, "seed": plan.seed, "quick": plan.quick, "measurements": list(plan.names),
        },
        "left_out": absent,
        "cases": [],
        "expected": [],
        "store": None,
        "start_up": [],
        "designs": None,
        "curves": [],
    }  # fmt: skip
    known = {case.name: case for case in cases}
    for name in plan.names:

        def tell(text: str, name: str = name) -> None:
            say(f"{name}: {text}")

        if name in known:
            case = known[name].without(absent)
            case = case.scaled(QUICK_DIVISOR) if plan.quick else case
            threads = machine.cores()
            report["cases"].append(
                compare(
                    case,
                    rounds=plan.rounds,
                    seed=plan.seed,
                    threads=threads,
                    tuning_calls=1 if plan.quick else TUNING_CALLS,
                    report=tell,
                )
            )
        else:
            _measure(name, plan, report, tell)
        show(name, report)
    return report


def _measure(name: str, plan: Plan, report: Report, tell: Say) -> None:
    """Do one measurement that is not a case."""
    rounds, seed, quick = plan.rounds, plan.seed, plan.quick
    few = min(rounds, QUICK_ROUNDS)
    if name == EXPECTED:
        sets = 128 if quick else 512
        report["expected"] = time_expected(parameter_sets=sets, rounds=few, seed=seed, report=tell)
    elif name == STORE:
        replicates = 2048 if quick else 16_384
        report["store"] = time_store(plan.folder, replicates=replicates, rounds=few, seed=seed, report=tell)
    elif name == START_UP:
        report["start_up"] = time_start_up(plan.folder, rounds=few, cold=not quick, report=tell)
    elif name == DESIGNS:
        report["designs"] = measure_designs(quick=quick, seed=seed, report=tell)
    elif name == "replicates":
        largest = 10_000 if quick else curves.REPLICATES[-1]
        report["curves"] += curves.replicates_curve(plan.folder, largest=largest, seed=seed, report=tell)
    elif name == "pool":
        report["curves"] += curves.pool_curve(rounds=few, seed=seed, report=tell)
    elif name == "origins":
        report["curves"] += curves.origins_curve(rounds=few, seed=seed, report=tell)
    elif name == "attempts":
        report["curves"] += curves.attempts_curve(rounds=few, seed=seed, report=tell)
    elif name == "threads":
        threads = machine.cores()
        report["curves"] += curves.threads_curve(threads=threads, rounds=few, seed=seed, report=tell)
