"""The verb `simcore export`: a results file as Parquet, CSV or netCDF, for other programs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analysis.command_line import check_levels, naming_options
from simcore.cli.arguments import Json, Quiet, read_axes
from simcore.cli.figures import size, whole
from simcore.cli.interruption import Interruption
from simcore.cli.terminal import one_line, show_json, talk
from simcore.errors import UserError

if TYPE_CHECKING:
    from analysis.exporting.export import Export

_ROWS = re.compile(r"(?P<first>\d{0,15}):(?P<end>\d{0,15})", re.ASCII)


def export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Results file, as written by `simcore run`.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="PATH", help="New file: .parquet, .csv, .csv.gz or .nc.", show_default=False
        ),
    ],
    what: Annotated[
        str,
        typer.Option("--what", metavar="counts|theta|summary", help="Every count, parameter sets, or the funnel."),
    ] = "counts",
    file_format: Annotated[
        str | None,
        typer.Option("--format", metavar="parquet|csv|arviz", help="If the name does not say it.", show_default=False),
    ] = None,
    variables: Annotated[
        str | None,
        typer.Option("--variables", metavar="NAMES", help="Such as victims,reached; default: all.", show_default=False),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="AXES", help="Keep strata apart, such as origin,sex.", show_default=False),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows",
            metavar="FIRST:END",
            help="Replicates (of theta: parameter sets), END not included.",
            show_default=False,
        ),
    ] = None,
    level: Annotated[
        list[float] | None,
        typer.Option("--level", metavar="SHARE", help="Level of an interval of a summary; may be repeated."),
    ] = None,
    small_cells: Annotated[
        str, typer.Option("--small-cells", metavar="hide|show", help="Counts from 1 to 9: missing, or given.")
    ] = "hide",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write results as a tidy table (Parquet, CSV) or in the layout of ArviZ (netCDF)."""
    from analysis.exporting.export import export as write
    from simcore.cli.waiting import waiting
    from simcore.store import open_results

    check_levels(level)
    options: dict[str, Any] = {
        "what": what,
        "file_format": file_format,
        "variables": None if variables is None else read_axes(variables, "--variables"),
        "by": () if by is None else read_axes(by),
        "rows": None if rows is None else _read_rows(rows),
        "levels": level,
        "small_cells": small_cells,
    }
    named = naming_options(
        output="-o",
        what="--what",
        file_format="--format",
        variables="--variables",
        by="--by",
        rows="--rows",
        levels="--level",
        small_cells="--small-cells",
    )
    # Nothing of an unfinished export is worth keeping: the first signal ends it.
    with Interruption(at_once=True) as interruption, open_results(path) as results, named:
        if what == "summary":
            with waiting(f"reading {results.replicates:,} replicates"):
                done = write(results, output, **options)
        else:
            with _bar(wanted=not quiet) as show:

                def progress(done: int, total: int) -> None:
                    interruption.checkpoint()
                    show(done, total)

                done = write(results, output, **options, progress=progress)
    if as_json:
        show_json(_facts(done))
    if not quiet:
        _report(done, small_cells)


def _read_rows(text: str) -> slice:
    found = _ROWS.fullmatch(text.strip())
    if found is None:
        raise UserError(f"--rows {one_line(text)}: must be FIRST:END, such as 0:1000; either may be left out")
    return slice(*(int(found[part]) if found[part] else None for part in ("first", "end")))


def _facts(done: Export) -> dict[str, Any]:
    return {
        "files": [str(file) for file in done.files],
        "format": done.file_format,
        "bytes": done.files[0].stat().st_size,
        "lines": done.lines,
        "hidden": done.hidden,
        "left_out": done.left_out,
        "description": done.description,
    }


def _report(done: Export, small_cells: str) -> None:
    """Say what was written, and what was not."""
    for number, file in enumerate(done.files):
        things = "counts" if done.file_format == "arviz" else "lines"
        about = f"{whole(done.lines)} {things}" if number == 0 else "what the columns are and where they come from"
        talk(f"{file}: {about}, {size(file.stat().st_size)}")
    if done.left_out:
        talk(f"{whole(done.left_out)} replicates were left out: the run was interrupted within their parameter set")
    if small_cells == "hide" and "small_cells" in done.description:
        talk(f"{whole(done.hidden)} small cells (1 to 9) are hidden; --small-cells show gives them")
    talk(str(done.description["statement"]))


@contextmanager
def _bar(*, wanted: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how far the export is, on a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("export", total=None)

        yield lambda done, total: bar.update(task, completed=done, total=total)
