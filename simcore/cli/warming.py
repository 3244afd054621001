"""`simcore warmup`: compile every kernel now, so that no run has to wait for it."""

from __future__ import annotations

import time
from importlib.resources import as_file, files

from simcore.cli.figures import duration
from simcore.cli.interruption import Interruption
from simcore.cli.terminal import pairs, show


def warmup_verb() -> None:
    """Compile all kernels (once per version and machine) by running a tiny scenario."""
    import simcore
    from simcore.compilation import cache_folder
    from simcore.engines.replicates import WALKERS

    begun = time.perf_counter()
    times: dict[str, str] = {}
    with as_file(files("simcore.verification") / "fixtures" / "tiny.toml") as path:
        scenario = simcore.load_scenario(path)
    with Interruption(at_once=True):
        for walker in WALKERS:
            start = time.perf_counter()
            simcore.run(scenario, replicates=2, seed=0, walker=walker, threads=1, store_ended=True).close()
            times[f"{walker} walker"] = duration(time.perf_counter() - start)
        start = time.perf_counter()
        simcore.run(scenario, replicates=2, seed=0, engine="cohort", threads=1, store_ended=True).close()
        times["cohort engine"] = duration(time.perf_counter() - start)
        start = time.perf_counter()
        simcore.expected(scenario, draws=2)
        simcore.expected_rewards(scenario)
        times["expected"] = duration(time.perf_counter() - start)
    times["in all"] = duration(time.perf_counter() - begun)
    folder = cache_folder()
    times["kept in"] = str(folder) if folder is not None else "no folder could be written: every run compiles anew"
    show(pairs(times))
