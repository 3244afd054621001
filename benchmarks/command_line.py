"""The verb `simcore bench`, found through the entry point group ``simcore.verbs``.

Tables go to standard output as they are ready, talk to standard error; mistakes are raised as
`simcore.errors.UserError`, which the command line turns into one line.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.errors import UserError, nearest

if TYPE_CHECKING:
    from benchmarks.program import Report

FAILED = 1
_MOST_ROUNDS = 1000
DEFAULT_OUTPUT = Path("results/benchmarks.json")


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Smaller calls, fewer rounds and cases: a first look within a minute.")
    ] = False,
    case: Annotated[
        list[str] | None,
        typer.Option("--case", metavar="NAME", help="Only this measurement; may be repeated.", show_default=False),
    ] = None,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="Also the curves, up to a million replicates: some minutes more.")
    ] = False,
    rounds: Annotated[
        str | None,
        typer.Option("--rounds", metavar="N", help="Timed calls of everything.", show_default="5, or 3 with --quick"),
    ] = None,
    seed: Annotated[
        str | None, typer.Option("--seed", "-s", metavar="INTEGER", help="0 to 2**64 - 1.", show_default="20050101")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.json", help="JSON file; figures are put beside it.")
    ] = DEFAULT_OUTPUT,
    no_figure: Annotated[bool, typer.Option("--no-figure", help="Draw no figures.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of tables.")] = False,
) -> None:
    """Measure this engine and its peers side by side: same scenario, same work, in one run."""
    from simcore.cli.arguments import read_seed, read_whole

    count = None if rounds is None else read_whole(rounds, "--rounds", 1, _MOST_ROUNDS)
    chosen_seed = None if seed is None else read_seed(seed)
    _check_output(output)
    from benchmarks import program

    known = program.measurements()
    for name in case or ():
        if name not in known:
            raise UserError(f"--case {name}: no such measurement{nearest(name, known)} (there are: {', '.join(known)})")
    wanted = tuple(name for name in known if name in case) if case else ()
    if case and scaling:
        wanted = tuple(dict.fromkeys((*wanted, *program.CURVES)))
    output.parent.mkdir(exist_ok=True)  # only the folder of the default can be missing
    plan = program.Plan(
        names=wanted or program.default_names(quick=quick, scaling=scaling),
        rounds=count if count is not None else program.QUICK_ROUNDS if quick else program.ROUNDS,
        seed=chosen_seed if chosen_seed is not None else program.SEED,
        quick=quick,
        folder=output.parent,
    )
    _measure(plan, output, figures=not no_figure, as_json=as_json)


def _check_output(output: Path) -> None:
    """Refuse a place for the report before anything is measured."""
    if output.suffix.lower() != ".json":
        raise UserError(f"--output {output}: must end in .json")
    if output.is_dir():
        raise UserError(f"--output {output}: is a folder")
    folder = output.parent
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output {output}: '{folder}' is not a folder")
    if not folder.exists() and output != DEFAULT_OUTPUT:
        raise UserError(f"--output {output}: the folder '{folder}' does not exist")


def _measure(plan: Any, output: Path, *, figures: bool, as_json: bool) -> None:
    """Run a plan, show and store what comes out; exits with 1 if a contender is wrong."""
    from benchmarks import machine, program
    from benchmarks.correctness import WrongContender
    from benchmarks.report import sections, write_json
    from simcore.cli.figures import duration
    from simcore.cli.interruption import Interruption
    from simcore.cli.terminal import heading, show, show_json, talk

    began = time.perf_counter()

    def after(name: str, report: Report) -> None:
        if not as_json:
            for title, rendered in sections(name, report):
                heading(title)
                show(rendered)
            sys.stdout.flush()

    talk(machine.machine_line(machine.describe()))
    try:
        with Interruption(at_once=True), _Status() as status:
            report = program.run(plan, say=status.say, show=after)
    except WrongContender as wrong:
        talk(f"error: a contender does not follow the law, so nothing was kept: {wrong}")
        raise typer.Exit(FAILED) from None
    for name, why in report["left_out"].items():
        talk(f"left out: {name}: {why}")
    write_json(report, output)
    stored = [str(output)]
    if figures:
        from benchmarks.figure import draw

        stored += [str(path) for path in draw(report, output)]
    if as_json:
        show_json(report)
    talk(f"{duration(time.perf_counter() - began)}; stored in {_listed(stored)}")


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


class _Status:
    """What is being done: a line that is renewed on a terminal, a line per measurement elsewhere."""

    def __init__(self) -> None:
        self._line: Any = None
        self._last = ""

    def __enter__(self) -> _Status:
        context: AbstractContextManager[Any] = nullcontext()
        if sys.stderr.isatty():
            from rich.console import Console

            context = Console(stderr=True).status("starting")
        self._context = context
        self._line = context.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._context.__exit__(*problem)

    def say(self, text: str) -> None:
        """Say what is being done."""
        from simcore.cli.terminal import talk

        if self._line is not None:
            self._line.update(text)
            return
        name = text.partition(":")[0]
        if name != self._last:
            self._last = name
            talk(f"measuring {name}")
