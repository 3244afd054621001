"""The verb `simcore convergence`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.command_line import check_figure, naming_options

if TYPE_CHECKING:
    from analysis.convergence import Convergence, Course


def convergence(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Results file, as written by `simcore run`.")],
    quantity: Annotated[
        list[str] | None,
        typer.Option("--quantity", metavar="NAME", help="Quantity, such as arrived (the default); may be repeated."),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="PATH", help="Also draw the courses (.png, .pdf or .svg).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON, nothing rounded.")] = False,
) -> None:
    """Show how mean, median and quantiles settle while replicates are added, and what 1 % would take."""
    from analysis.convergence import follow_convergence
    from simcore.cli.terminal import show_json, talk
    from simcore.store import open_results

    if figure is not None:
        check_figure(figure, path)
    with open_results(path) as results, naming_options(quantities="--quantity"):
        found = follow_convergence(results, quantities=quantity or ("arrived",))
    if as_json:
        show_json(found.as_json())
    else:
        _show(found)
    if figure is not None:
        from analysis.convergence_figure import save_convergence

        save_convergence(found, figure)
        talk(f"figure: {figure}")


def _show(found: Convergence) -> None:
    from analysis.summaries import STATEMENT, scenario_words
    from simcore.cli.figures import whole
    from simcore.cli.terminal import heading, show, table

    header = found.header
    outer, inner = header["nested"]
    units = f" ({whole(outer)} parameter sets x {whole(inner)})" if inner > 1 else ""
    heading(f"{scenario_words(header)}: convergence over {whole(header['replicates'])} replicates{units}")
    columns = [
        "quantity",
        "statistic",
        "at a tenth",
        "at a third",
        "estimate",
        "MCSE",
        "relative",
        "replicates for 1 %",
    ]
    show(table(columns, [_row(course) for course in found.courses], right=columns[2:]), "")
    show(
        "MCSE: Monte Carlo standard error. It falls with the square root of the number of replicates, from which the "
        "last column follows; '-' where it cannot be said (an estimate of 0, or too few replicates for an error).",
        STATEMENT,
    )


def _row(course: Course) -> list[str]:
    import numpy as np

    from simcore.cli.figures import figure, percent, whole

    earlier = [
        figure(float(course.estimate[int(np.searchsorted(course.replicates, course.replicates[-1] * share))]))
        for share in (0.1, 1.0 / 3.0)
    ]
    needed = "-" if course.needed is None else whole(course.needed)
    estimate, error = figure(float(course.estimate[-1])), figure(float(course.mcse[-1]))
    return [course.quantity, course.statistic, *earlier, estimate, error, percent(course.relative_error), needed]
