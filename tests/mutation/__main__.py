"""Mutation check: ``python -m tests.mutation [FILE | MUTANT ...] [--sample N]`` (or ``make mutation``; an hour).

mutmut changes one operator, number, argument or assignment at a time and runs the tests that reach it. It does two
things that kernels need help with. It leaves decorated functions alone, so the work is done on a copy of the sources
without the decorators of `simcore.compilation`; with compilation off they return the function as it is, so the copy
is the same program. And it mutates whatever it is given in place, so the copy lies outside the checkout.

The tests are those of ``[tool.mutmut]`` in pyproject.toml: twins, known answers and unit tests that are quick without
the compiler. The share of killed mutants goes to standard output, the survivors and their differences to
``results/mutation/survivors.txt``. A mutant that runs for ever is killed by its timeout and counts as killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "results" / "mutation" / "survivors.txt"
COPIED = ("simcore", "scenarios", "analysis", "tests", "pyproject.toml")
DECORATOR = re.compile(r"^@(bare_|inner_)?kernel\n", re.MULTILINE)
SEED = 20050701
# exit codes in mutmut's records; all others are kills by a failing test
VERDICTS = {None: "not run", 0: "survived", 2: "interrupted", 5: "no test", 33: "no test", 34: "skipped", 35: "unclear"}
VERDICTS |= dict.fromkeys((-24, 24, 36, 152, 255), "timeout")


def make_copy(folder: Path) -> None:
    """Copy what the tests need, the kernels without their decorators."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.h5"))
        else:
            shutil.copy(source, folder / name)
    for path in (folder / "simcore").rglob("*.py"):
        path.write_text(DECORATOR.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")


def mutmut(folder: Path, *arguments: str, quiet: bool = False) -> str:
    """Run mutmut in the copy, with compilation off and one process; return what it printed, if ``quiet``."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONHASHSEED": "0", "TERM": "dumb"}
    command = [sys.executable, "-m", "mutmut", *arguments]
    output = subprocess.PIPE if quiet else sys.stderr
    finished = subprocess.run(
        command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False, text=True
    )
    return finished.stdout or ""


def records(folder: Path) -> dict[str, int | None]:
    """Return mutant -> exit code of its tests, None where they did not run."""
    codes: dict[str, int | None] = {}
    for path in sorted((folder / "mutants").rglob("*.meta")):
        codes |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return codes


def patterns(targets: Sequence[str]) -> list[str]:
    """Return the mutant names, with wildcards, of files and mutants; all if there are none."""
    return [t.removesuffix(".py").replace("/", ".") + ".x*" if t.endswith(".py") else t for t in targets] or ["*"]


def chosen_mutants(names: Sequence[str], targets: Sequence[str], sample: int | None) -> list[str]:
    """Return the mutants of the targets, or a random ``sample`` of them (always the same one)."""
    chosen = sorted(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns(targets)))
    if sample is None or sample >= len(chosen):
        return chosen
    return sorted(random.Random(SEED).sample(chosen, sample))


def module_of(mutant: str) -> str:
    """Return the file of a mutant, from its name: module, then ``x_`` and function (or ``xǁ`` class ``ǁ`` function)."""
    return re.split(r"\.x[_ǁ]", mutant)[0].replace(".", "/") + ".py"


def table(verdicts: dict[str, str]) -> Iterator[str]:
    """Yield a line per file and one for all: mutants by verdict, and the share killed (timeouts included)."""
    by_file: dict[str, Counter[str]] = {}
    for mutant, verdict in verdicts.items():
        by_file.setdefault(module_of(mutant), Counter())[verdict] += 1
    by_file["all"] = sum(by_file.values(), Counter())
    shown = ("killed", "timeout", "survived", "no test")
    yield f"{'file':<36}{'mutants':>9}" + "".join(f"{verdict:>10}" for verdict in shown) + f"{'share':>9}"
    for name, counts in by_file.items():
        share = 100.0 * (counts["killed"] + counts["timeout"]) / counts.total()
        yield f"{name:<36}{counts.total():>9}" + "".join(f"{counts[v]:>10}" for v in shown) + f"{share:>7.1f} %"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen mutants and report; the exit code is 1 if one of them did not run."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.split("\n\n")[0])
    parser.add_argument("targets", nargs="*", help="files, or names of mutants with wildcards; all by default")
    parser.add_argument("--sample", type=int, default=None, help="take so many of them at random")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        make_copy(folder)
        log = mutmut(folder, "run", "--max-children", "1", "none of them", quiet=True)  # only makes the mutants
        chosen = chosen_mutants(list(records(folder)), options.targets, options.sample)
        if not chosen:
            print(f"no mutants of {options.targets}\n{log[-3000:]}", file=sys.stderr)  # noqa: T201
            return 1
        mutmut(folder, "run", "--max-children", "1", *chosen)
        codes = records(folder)
        verdicts = {mutant: VERDICTS.get(codes[mutant], "killed") for mutant in chosen}
        lines = list(table(verdicts))
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        with REPORT.open("w", encoding="utf-8") as report:
            report.write("\n".join(lines) + "\n")
            for mutant, verdict in verdicts.items():
                if verdict not in ("killed", "timeout"):
                    report.write(f"\n{verdict}: {mutant}\n{mutmut(folder, 'show', mutant, quiet=True)}")
        print("\n".join(lines))  # noqa: T201
    return int(any(verdict in ("not run", "interrupted") for verdict in verdicts.values()))


if __name__ == "__main__":
    sys.exit(main())
