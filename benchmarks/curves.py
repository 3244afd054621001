"""How cost grows: replicates, pool size, origins, threads, cap on attempts. A curve is a few lines of points.

Engines are timed on parameters at their medians, in processor time of one thread, every point of a curve once per
round; whole runs of many replicates are processes of their own, once each, so that their peak memory can be told.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypedDict

import simcore
from benchmarks.cases import scaled_settings
from benchmarks.contenders import AGENT, COHORT, CONTENDERS
from benchmarks.origins import write_scenario
from benchmarks.processes import run_python
from benchmarks.simcore_engines import Engine, expected_calls, whole_run
from benchmarks.timing import Spread
from benchmarks.work import Work, fixed_work, varied_work
from simcore.model import CompiledModel

REPLICATES = (1_000, 10_000, 100_000, 1_000_000)
POOL_FACTORS = (1.0, 10.0, 100.0, 1000.0)
ORIGINS = (1, 2, 4, 8, 16, 32, 64)
ATTEMPT_CAPS = (1, 2, 3, 5, 8)
EXPECTED = "expected (means and covariances)"
_SETS = 64  # parameter sets in a call of the closed form

_RUN = """
import json, sys, time
import simcore
from simcore.runner.memory import peak_memory_bytes
scenario = simcore.load_scenario("phase1")
simcore.run(scenario, replicates=16, seed=1).close()
began = time.perf_counter()
simcore.run(scenario, replicates=int(sys.argv[1]), seed=int(sys.argv[2]), output=sys.argv[3]).close()
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "peak_bytes": peak_memory_bytes()}))
"""

Report = Callable[[str], None]


class Point(TypedDict):
    """One value of the axis: median, low and high."""

    x: float
    y: dict[str, float]


class Line(TypedDict):
    """One contender's points."""

    label: str
    points: list[Point]


class Curve(TypedDict):
    """Lines over a common axis."""

    name: str
    title: str
    x_label: str
    y_label: str
    lines: list[Line]


def _curve(
    name: str, title: str, x_label: str, y_label: str, values: Mapping[tuple[str, float], Sequence[float]]
) -> Curve:
    """Return a curve from samples by (label, x)."""
    lines: dict[str, list[Point]] = {}
    for (label, x), sample in values.items():
        lines.setdefault(label, []).append({"x": x, "y": asdict(Spread.of(sample))})
    return {
        "name": name,
        "title": title,
        "x_label": x_label,
        "y_label": y_label,
        "lines": [{"label": label, "points": points} for label, points in lines.items()],
    }


def _microseconds(
    calls: Mapping[tuple[str, float], tuple[Callable[[], object], int]], rounds: int, report: Report
) -> dict[tuple[str, float], list[float]]:
    """Return processor microseconds per replicate of every call and round; a call does so many replicates."""
    samples: dict[tuple[str, float], list[float]] = {key: [] for key in calls}
    for turn in range(rounds + 1):
        report(f"round {turn} of {rounds}")
        for key, (call, replicates) in calls.items():
            began = time.process_time()
            call()
            if turn > 0:
                samples[key].append(1e6 * (time.process_time() - began) / replicates)
    return samples


def _engine_calls(
    model: CompiledModel, x: float, seed: int, replicates: Mapping[str, int]
) -> dict[tuple[str, float], tuple[Callable[[], object], int]]:
    """Return a call of every named contender, and of the closed form, for one point of a curve."""
    from benchmarks.comparison import generator_of

    calls: dict[tuple[str, float], tuple[Callable[[], object], int]] = {}
    for name, number in replicates.items():
        work = fixed_work(model, number, seed)
        contender = CONTENDERS[name]
        call: Callable[[], object] = partial(contender.make(1), work, generator_of(seed))
        calls[contender.label.partition(", 1 thread")[0], x] = call, number
    theta = model.space.typical()[None, :].repeat(_SETS, axis=0)
    calls[EXPECTED, x] = next(iter(expected_calls(model, theta).values())), _SETS
    return calls


def replicates_curve(folder: Path, *, largest: int, seed: int, report: Report) -> list[Curve]:
    """Time whole stored runs of phase1 on all cores, and take their peak memory."""
    rates: dict[tuple[str, float], list[float]] = {}
    peaks: dict[tuple[str, float], list[float]] = {}
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as place:
        for number in (n for n in REPLICATES if n <= largest):
            report(f"{number:,} replicates")
            path = Path(place) / "run.h5"
            done = json.loads(run_python(["-c", _RUN, str(number), str(seed), str(path)]))
            path.unlink()
            rates["stored run, all cores", number] = [number / done["seconds"]]
            peaks["stored run, all cores", number] = [done["peak_bytes"] / 2**20]
    axis = "replicates"
    return [
        _curve("replicates", "Speed of a stored run of phase1", axis, "replicates per second", rates),
        _curve("memory", "Peak memory of a stored run of phase1", axis, "MiB", peaks),
    ]


def pool_curve(*, rounds: int, seed: int, report: Report) -> list[Curve]:
    """Time engines and two peers while the pool of bound victims grows."""
    calls: dict[tuple[str, float], tuple[Callable[[], object], int]] = {}
    missing = {name for name, contender in CONTENDERS.items() if contender.missing()}
    for factor in POOL_FACTORS:
        model = simcore.compile_model(simcore.load_scenario("phase1", settings=scaled_settings(factor)))
        walked = max(int(512 / factor), 1)
        numbers = {AGENT: walked, COHORT: 128, "c collapsed": walked, "numpy cohort": 128}
        numbers["numpy collapsed"] = walked
        calls |= _engine_calls(model, factor, seed, {n: k for n, k in numbers.items() if n not in missing})
    return [
        _curve(
            "pool", "More bound victims in the same strata", "bound victims, times those of phase1",
            "microseconds per replicate (parameter set)", _microseconds(calls, rounds, report),
        )
    ]  # fmt: skip


def origins_curve(*, rounds: int, seed: int, report: Report) -> list[Curve]:
    """Time the engines while the number of origins grows."""
    calls: dict[tuple[str, float], tuple[Callable[[], object], int]] = {}
    with tempfile.TemporaryDirectory() as place:
        for number in ORIGINS:
            model = simcore.compile_model(simcore.load_scenario(write_scenario(Path(place), number)))
            calls |= _engine_calls(model, number, seed, {AGENT: 128, COHORT: 128, "numpy cohort": 64})
    return [
        _curve(
            "origins", "More origins of equal size", "origins", "microseconds per replicate (parameter set)",
            _microseconds(calls, rounds, report),
        )
    ]  # fmt: skip


def attempts_curve(*, rounds: int, seed: int, report: Report) -> list[Curve]:
    """Time the engines while the cap on attempts grows, in a large pool."""
    calls: dict[tuple[str, float], tuple[Callable[[], object], int]] = {}
    for cap in ATTEMPT_CAPS:
        settings = [*scaled_settings(100.0), f"transit.attempt_cap = {cap}"]
        model = simcore.compile_model(simcore.load_scenario("phase1", settings=settings))
        calls |= _engine_calls(model, cap, seed, {AGENT: 8, COHORT: 128, "numpy cohort": 64})
    return [
        _curve(
            "attempts", "A higher cap on attempts; phase1 with a hundred times the bound victims", "cap on attempts",
            "microseconds per replicate (parameter set)", _microseconds(calls, rounds, report),
        )
    ]  # fmt: skip


def threads_curve(*, threads: int, rounds: int, seed: int, report: Report) -> list[Curve]:
    """Time the kernels and whole runs on 1 to ``threads`` threads, by the clock on the wall."""
    model = simcore.compile_model(simcore.load_scenario("phase1"))
    work = varied_work(model, 4096, seed)
    calls: dict[tuple[str, float], Callable[[], object]] = {}
    for number in range(1, threads + 1):
        calls["agent engine alone", number] = partial(Engine("collapsed", number), work, None)  # type: ignore[arg-type]
        calls["simcore.run, in memory", number] = partial(_run, work, number)
    seconds: dict[tuple[str, float], list[float]] = {key: [] for key in calls}
    for turn in range(rounds + 1):
        report(f"round {turn} of {rounds}")
        for key, call in calls.items():
            began = time.perf_counter()
            call()
            if turn > 0:
                seconds[key].append(time.perf_counter() - began)
    gains = {
        (label, x): [alone / mine for alone, mine in zip(seconds[label, 1], sample, strict=True)]
        for (label, x), sample in seconds.items()
    }
    title = "More threads; phase1, one parameter set per replicate"
    return [_curve("threads", title, "threads", "times as fast as one thread (wall time)", gains)]


def _run(work: Work, threads: int) -> None:
    whole_run(work, threads).close()
