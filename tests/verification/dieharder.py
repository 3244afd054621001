"""The generator's streams through the battery dieharder: ``python -m tests.verification.dieharder`` (hours).

Every order of `simcore.verification.streams` is piped into ``dieharder -g 200``, in dieharder's mode ``-Y 1 -k 2``: a
weak result, which one in a hundred is by chance, is taken further with more words until it passes or fails. Reports go
to ``results/dieharder/<order>.txt``; the exit code is 1 if a statistic fails.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from simcore.verification.streams import ORDERS, SEED

REPORTS = Path("results") / "dieharder"
ROW = re.compile(r"^\s*(\w+)\|\s*(\d+)\|\s*(\d+)\|\s*(\d+)\|\s*([\d.]+)\|\s*(PASSED|WEAK|FAILED)\s*$")
NTUPLES = {200: 8, 201: 3, 202: 5, 203: 8}  # what a test needs that `-a` runs at many values
UNRELIABLE = frozenset({"diehard_sums"})  # dieharder's own list says "Do Not Use"


@dataclass(frozen=True)
class Summary:
    """Counts of statistics by verdict: as first found, and after more words where the first verdict was weak."""

    first: Counter[str]
    final: Counter[str]

    def line(self, order: str, seconds: float) -> str:
        """Return the summary in one line."""
        weak, settled = self.first["WEAK"], self.first["WEAK"] - self.final["WEAK"]
        text = f"{order:<11}{self.first.total():>4} statistics: {self.final['PASSED']} PASSED, "
        text += f"{self.final['WEAK']} WEAK, {self.final['FAILED']} FAILED"
        text += f" (weak at first: {weak}, of which settled with more words: {settled})"
        return f"{text}, {seconds / 60:.0f} min"


def summarize(report: str) -> Summary:
    """Read a report; the statistics of `UNRELIABLE` tests are left out.

    A test prints its rows once per number of p-samples, so the same (test, n-tuple, place) with more p-samples is a
    repetition.
    """
    seen: Counter[tuple[str, str, int]] = Counter()
    verdicts: dict[tuple[str, str, int], dict[int, str]] = {}
    for line in report.splitlines():
        if (row := ROW.match(line)) is None or row[1] in UNRELIABLE:
            continue
        name, ntuple, _, samples, _, verdict = row.groups()
        place = seen[name, ntuple, int(samples)]
        seen[name, ntuple, int(samples)] += 1
        verdicts.setdefault((name, ntuple, place), {})[int(samples)] = verdict
    ordered = [[verdict for _, verdict in sorted(found.items())] for found in verdicts.values()]
    return Summary(Counter(found[0] for found in ordered), Counter(found[-1] for found in ordered))


def _chosen(test: int) -> list[str]:
    return ["-d", str(test), *(["-n", str(NTUPLES[test])] if test in NTUPLES else [])]


def run_battery(order: str, tests: Sequence[int], options: Sequence[str], seed: int, report: TextIO) -> None:
    """Pipe one order into dieharder; chosen ``tests`` run one after another on one stream, none means all (``-a``)."""
    source = [sys.executable, "-m", "simcore.verification.streams", order, "--seed", str(seed)]
    with subprocess.Popen(source, stdout=subprocess.PIPE) as words:
        for which in [_chosen(test) for test in tests] or [["-a"]]:
            command = ["dieharder", *which, "-g", "200", *options]
            report.write(f"# {shlex.join(command)}  <  {order}, seed {seed}\n")
            report.flush()
            subprocess.run(command, stdin=words.stdout, stdout=report, check=True)
        assert words.stdout is not None
        words.stdout.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the battery over the chosen orders and print a summary."""
    parser = argparse.ArgumentParser(prog="python -m tests.verification.dieharder", description=__doc__)
    parser.add_argument("--orders", nargs="*", choices=list(ORDERS), default=list(ORDERS))
    parser.add_argument("--tests", nargs="*", type=int, default=[], help="numbers of `dieharder -l`; all by default")
    parser.add_argument("--options", default="-Y 1 -k 2", help="further options of dieharder")
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args(arguments)
    if shutil.which("dieharder") is None:
        print("dieharder is not installed; on Debian: apt-get install dieharder", file=sys.stderr)  # noqa: T201
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    failed = False
    for order in chosen.orders or list(ORDERS):
        begun = time.monotonic()
        path = REPORTS / f"{order}.txt"
        with path.open("w", encoding="utf-8") as report:
            run_battery(order, chosen.tests, shlex.split(chosen.options), chosen.seed, report)
        summary = summarize(path.read_text(encoding="utf-8"))
        failed |= summary.final["FAILED"] > 0 or not summary.final
        print(summary.line(order, time.monotonic() - begun), flush=True)  # noqa: T201
    print(f"reports: {REPORTS}")  # noqa: T201
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
