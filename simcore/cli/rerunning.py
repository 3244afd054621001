"""`simcore rerun`: make a results file again from what is inside it, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simcore.cli.arguments import Dask, Quiet, Threads, read_workers
from simcore.cli.figures import whole
from simcore.cli.interruption import INTERRUPTED, Interruption, StoppedAtOnce
from simcore.cli.outcome import Watch
from simcore.cli.progress import ProgressBar
from simcore.cli.terminal import show, talk
from simcore.cli.waiting import say_if_cold
from simcore.errors import command

if TYPE_CHECKING:
    from simcore.runner.rerunning import Rerun

MOST_SHOWN = 20


def rerun_verb(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A results file.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where the new one goes; default: compared in memory.",
            show_default=False,
        ),
    ] = None,
    threads: Threads = None,
    dask: Dask = None,
    quiet: Quiet = False,
) -> int:
    """Make a results file again from what is inside it and say whether every number is the same."""
    from simcore.runner import RunInterrupted
    from simcore.runner.rerunning import rerun
    from simcore.store import open_results
    from simcore.store.provenance import command_line

    workers = read_workers(threads, dask)
    with open_results(file) as results:
        replicates, name = results.replicates, str(results.attributes.get("scenario_name", "?"))
    if not quiet:
        say_if_cold()
    opening = "" if quiet else f"{file}: {name}, {whole(replicates)} replicates, made again from what is inside it"
    with Interruption(at_once=output is None) as interruption, ProgressBar(replicates, wanted=not quiet) as bar:
        watch = Watch(interruption, bar, opening)
        try:
            made = rerun(file, output=output, **workers, progress=watch, command_line=command_line())
        except RunInterrupted as stop:
            if stop.results is not None:
                stop.results.close()
            if output is not None:
                talk(f"{output}: {whole(stop.safe)} replicates are safe; finish with: {command('resume', output)}")
            return INTERRUPTED
        except (KeyboardInterrupt, StoppedAtOnce):
            return INTERRUPTED
    with made.results:
        _report(made, file, "the one made again" if output is None else str(output))
    return 0 if made.identical else 1


def _report(made: Rerun, old: Path, new: str) -> None:
    for name, (then, now) in made.environment.items():
        talk(f"environment: {name} was {then}, is {now}")
    if not made.computed:
        talk(f"{new}: was there already and is compared as it is; nothing was computed now")
    if made.identical:
        show(f"identical: every number, label and document of {old} and {new}")
        return
    show(f"different: {old} and {new} differ in {whole(len(made.differences))} places")
    for found in made.differences[:MOST_SHOWN]:
        show(f"  {found.message}")
    if len(made.differences) > MOST_SHOWN:
        show(f"  and {whole(len(made.differences) - MOST_SHOWN)} more")
