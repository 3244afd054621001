"""`simcore resume` and `simcore extend`: go on with a run, or make a finished one longer."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import Dask, Nested, Quiet, Threads, fitting_sets, read_count, read_nested, read_workers
from simcore.cli.figures import whole
from simcore.cli.interruption import Interruption
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
        bool, typer.Option("--dry-run", help="Forecast time and disk from a pilot in memory; write nothing.")
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
    design_arguments: dict[str, Any] = {"replicates": outer} if nested is None else {"nested": (outer, inner)}
    if dry_run:
        return _forecast(file, design_arguments, options["threads"])
    if not quiet:
        say_if_cold()
    opening = f"{file}: from {whole(held)} to {whole(asked)} replicates"

    def simulate(progress: Callable[[Progress], None]) -> Results:
        return simcore.extend(file, **design_arguments, **options, progress=progress, command_line=command_line())

    return carry_out(simulate, file, replicates=asked, quiet=quiet, verbose=verbose, opening=opening, checked=True)


def _forecast(file: Path, design_arguments: dict[str, Any], threads: int | None) -> int:
    """Say what a longer run would need."""
    from simcore.cli.forecast import make_forecast, show_longer_forecast
    from simcore.runner.continuing import request_of_extension
    from simcore.runner.request import prepare
    from simcore.runner.run import run_prepared
    from simcore.runner.threads import checked_threads
    from simcore.store.parts import look_at_unfinished
    from simcore.store.target import real_target
    from simcore.uncertainty.design import make_design

    target = real_target(file)
    request, held = request_of_extension(file, **design_arguments)
    asked = request.design.replicates
    if asked == held:
        talk(f"{whole(held)} replicates are there already, nothing to compute")
        return 0
    workers = checked_threads(threads)
    with Interruption(at_once=True) as interruption:

        def simulate(**pilot: Any) -> Results:
            design = make_design(pilot.get("replicates"), pilot.get("nested"))
            prepared = prepare(replace(request, design=design), command_line="")
            return run_prepared(prepared, None, workers, lambda _: interruption.checkpoint())

        forecast = make_forecast(simulate, request.design.outer, request.design.inner)
    begun = look_at_unfinished(target)
    show_longer_forecast(forecast, target, held, 0 if begun is None else begun.replicates, asked, request.seed)
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
