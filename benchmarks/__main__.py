"""`python -m benchmarks`: check, time, print, store, draw."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.comparison import compare
from benchmarks.correctness import WrongContender
from benchmarks.figure import draw
from benchmarks.machine import describe
from benchmarks.report import machine_line, make_report, table, write_json

QUICK_DIVISOR = 4
SEED = 20050101


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; 1 if a contender is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="simcore and its peers, side by side")
    parser.add_argument("--quick", action="store_true", help="smaller calls and fewer rounds: a first look")
    parser.add_argument("--rounds", type=int, help="timed calls of every contender (default 9, quick 3)")
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="only this case")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks.json"), help="JSON file")
    parser.add_argument("--no-figure", action="store_true", help="draw no plot beside the JSON file")
    chosen = parser.parse_args(arguments)
    rounds = chosen.rounds if chosen.rounds is not None else 3 if chosen.quick else 9
    if rounds < 1:
        parser.error(f"--rounds {rounds}: must be at least 1")
    machine = describe()
    threads = int(machine["cores"])
    print(machine_line(machine))
    began = time.perf_counter()
    results = []
    for case in CASES:
        if chosen.case and case.name not in chosen.case:
            continue
        try:
            result = compare(
                case.scaled(QUICK_DIVISOR) if chosen.quick else case, rounds=rounds, seed=chosen.seed, threads=threads
            )
        except WrongContender as wrong:
            print(f"{case.name}: a contender does not follow the law, nothing is timed: {wrong}", file=sys.stderr)
            return 1
        results.append(result)
        print("\n" + table(result), flush=True)
    settings: dict[str, int | bool] = {"rounds": rounds, "seed": chosen.seed, "quick": chosen.quick}
    report = make_report(results, machine, settings)
    write_json(report, chosen.output)
    stored = [str(chosen.output)]
    if not chosen.no_figure:
        picture = chosen.output.with_suffix(".png")
        draw(report, picture)
        stored.append(str(picture))
    print(f"\n{time.perf_counter() - began:.0f} s; stored in {' and '.join(stored)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
