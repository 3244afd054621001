"""`simcore resume` and `simcore extend`: go on with a run, or make a finished one longer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import Dask, Nested, Quiet, Threads, fitting_sets, read_count, read_nested, read_workers
from simcore.cli.figures import whole
from simcore.cli.outcome import carry_out
from simcore.cli.terminal import talk
from simcore.cli.waiting import say_if_cold
from simcore.errors import ResultsError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simcore.runner import Progress
    from simcore.store import Results

ResultsFile = Annotated[Path, typer.Argument(metavar="FILE", help="A results file.", show_default=False)]
Repair = Annotated[bool, typer.Option("--repair", help="Compute damaged blocks again.")]
OtherEnvironment = Annotated[
    bool,
    typer.Option(
        "--other-environment", help="Go on with other libraries or processor, if a block computed again is the same."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]


def resume_verb(
    file: ResultsFile,
    threads: Threads = None,
    dask: Dask = None,
    repair: Repair = False,
    other_environment: OtherEnvironment = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Go on with a run that was interrupted or killed, up to the replicates that it was asked for."""
    import simcore
    from simcore.store.provenance import command_line

    options = _options(threads, dask, repair, other_environment, quiet, verbose)
    replicates = _replicates_of(file)
    if not quiet:
        say_if_cold()
    opening = f"{file}: going on up to {whole(replicates)} replicates"

    def simulate(progress: Callable[[Progress], None]) -> Results:
        return simcore.resume(file, **options, progress=progress, command_line=command_line())

    return carry_out(simulate, file, replicates=replicates, quiet=quiet, verbose=verbose, opening=opening, checked=True)


def extend_verb(
    file: ResultsFile,
    replicates: Annotated[
        str | None,
        typer.Option("--replicates", "-n", metavar="N", help="Replicates in all.", show_default=False),
    ] = None,
    nested: Nested = None,
    threads: Threads = None,
    dask: Dask = None,
    repair: Repair = False,
    other_environment: OtherEnvironment = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Forecast time and disk from the file itself; write nothing.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Add replicates to a finished run; those that it has stay as they are, bit for bit."""
    import simcore
    from simcore.store import open_results
    from simcore.store.provenance import command_line

    options = _options(threads, dask, repair, other_environment, quiet, verbose)
    if (replicates is None) == (nested is None):
        raise UserError("give either -n REPLICATES or --nested OUTERxINNER (in all, not in addition)")
    outer, inner = (read_count(replicates, "-n"), 1) if replicates is not None else read_nested(nested or "")
    with open_results(file) as results:
        design, held, loops = str(results.attributes.get("design", "random")), results.replicates, results.nested
    outer = fitting_sets(outer, design, f"-n {outer}" if nested is None else f"--nested {outer}x{inner}")
    if inner != loops[1]:
        right = "-n N" if loops[1] == 1 else f"--nested {max(outer * inner // loops[1], 1)}x{loops[1]}"
        raise UserError(f"{file}: has {loops[1]} replicates of each parameter set, and only the sets can grow: {right}")
    asked = outer * inner
    if asked < held:
        raise UserError(f"{file}: holds {held} replicates, asked for {asked}: nothing is taken away")
    if dry_run:
        return _forecast(file, asked)
    if not quiet:
        say_if_cold()
    opening = f"{file}: from {whole(held)} to {whole(asked)} replicates"
    design_arguments: dict[str, Any] = {"replicates": outer} if nested is None else {"nested": (outer, inner)}

    def simulate(progress: Callable[[Progress], None]) -> Results:
        return simcore.extend(file, **design_arguments, **options, progress=progress, command_line=command_line())

    return carry_out(simulate, file, replicates=asked, quiet=quiet, verbose=verbose, opening=opening, checked=True)


def _forecast(file: Path, asked: int) -> int:
    """Say what a longer run would need."""
    from simcore.cli.forecast import forecast_longer, show_longer_forecast
    from simcore.store import open_results
    from simcore.store.heads import read_head
    from simcore.store.target import parts_path, real_target

    target = real_target(file)
    with open_results(target) as results:
        forecast = forecast_longer(results, target.stat().st_size, asked)
    if read_head(target) is not None:
        talk(f"{parts_path(target)}: an extension was begun; what is finished of it is not counted here")
    show_longer_forecast(forecast, target)
    return 0


def _options(
    threads: str | None, dask: str | None, repair: bool, other_environment: bool, quiet: bool, verbose: bool
) -> dict[str, Any]:
    """Return the arguments that both verbs hand on."""
    if quiet and verbose:
        raise UserError("give either --quiet or --verbose, not both")
    return {**read_workers(threads, dask), "repair": repair, "other_environment": other_environment}


def _replicates_of(file: Path) -> int:
    """Return how many replicates the run was asked for."""
    from simcore.runner.unfinished import head_of
    from simcore.store import open_results
    from simcore.store.heads import read_head
    from simcore.store.target import parts_path, real_target

    file = real_target(file)
    head = read_head(file)
    if head is not None:
        return head.replicates
    if not os.path.lexists(file):
        raise ResultsError(f"{file}: no such file, and no unfinished run beside it ({parts_path(file)})")
    with open_results(file) as results:
        return head_of(results).replicates
