"""NUMBA_DISABLE_JIT=1: the same program, interpreted, gives the same bits; a kernel may not lean on its compiler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import simcore
from simcore.scenario import Scenario
from tests.conftest import FIXTURES, ROOT, TWIN_SCENARIOS, load, one_cell
from tests.crowds import FEW_LARGE_MAZE_CELLS
from tests.ways import WAYS

SCRIPT = """
import json, sys
import numba
from tests.unit.engines.test_without_compiler import runs, summary
assert numba.config.DISABLE_JIT
print(json.dumps([summary(results) for results in runs(int(sys.argv[1]))]))
"""


def runs(seed: int) -> Iterator[simcore.Results]:
    """Few and small ones, interpreted kernels are slow; the last four have crowds that move as counts."""
    scenarios: list[tuple[Scenario, int]] = [
        (load(FIXTURES / "tiny.toml"), 1),
        (load(FIXTURES / "golden.toml", one_cell(140)), 1),
        (load(FIXTURES / "single_border.toml", one_cell(0)), 2),
        (load(TWIN_SCENARIOS / "maze.toml"), 1),
    ]
    for scenario, replicates in scenarios:
        for way in WAYS.values():
            yield simcore.run(scenario, replicates=replicates, seed=seed, store_ended=True, threads=1, **way)
    large: list[Scenario] = [
        load(FIXTURES / "tiny.toml", one_cell(20_000_000)),
        load(FIXTURES / "golden.toml", one_cell(800)),
        load(FIXTURES / "single_border.toml", one_cell(100_000)),
        load(TWIN_SCENARIOS / "maze.toml", FEW_LARGE_MAZE_CELLS),
    ]
    for scenario in large:
        yield simcore.run(scenario, replicates=1, seed=seed, store_ended=True, threads=1, engine="cohort")


def summary(results: simcore.Results) -> dict[str, object]:
    """All counts and the exact value of every parameter."""
    counts = {v.name: results.read(v.name, by=v.strata).tolist() for v in results.layout.variables}
    return {"counts": counts, "theta": [float(value).hex() for value in results.theta().to_numpy().ravel()]}


def test_interpreted_kernels_give_the_same_bits(seed: int, tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", SCRIPT, str(seed)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-3000:]
    interpreted = json.loads(finished.stdout)
    compiled = [summary(results) for results in runs(seed)]
    assert len(interpreted) == len(compiled)
    for ours, theirs in zip(compiled, interpreted, strict=True):
        assert ours["counts"] == theirs["counts"]
        assert ours["theta"] == theirs["theta"]
