"""What the command line takes from this package: the verb `summary`, and the headline that ends a run.

Both are found through entry points: ``simcore.verbs`` and ``simcore.headline``. Data go to standard output, talk to
standard error; mistakes are raised as `simcore.errors.UserError`, which the command line turns into one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simcore.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from simcore.store import Results

FIGURE_FORMATS = (".png", ".pdf", ".svg")
_ARGUMENT = re.compile(r"(?P<name>\w+) = (?:'(?P<quoted>[^']*)'|(?P<bare>[^':]*)): (?P<rest>.*)", re.DOTALL)


def summary(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Results file, as written by `simcore run`.")],
    by: Annotated[
        str | None, typer.Option("--by", metavar="AXES", help="One block per level, such as origin,sex.")
    ] = None,
    level: Annotated[
        list[float] | None,
        typer.Option("--level", metavar="SHARE", help="Level of an interval, such as 0.9; may be repeated."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything as JSON: all figures with all errors, nothing rounded or hidden.")
    ] = False,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="PATH", help="Also draw the funnel (.png, .pdf or .svg).")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Show figures from 1 to 9 too, else printed as <10.")] = False,
) -> None:
    """Show the funnel of a results file: persons, at risk, trafficked, bound, journey points, outcomes."""
    from analysis.summaries import LEVELS, summarize
    from simcore.cli.terminal import show_json_text, talk
    from simcore.cli.waiting import waiting
    from simcore.store import open_results

    axes = tuple(axis.strip() for axis in by.split(",")) if by is not None else ()
    check_levels(level)
    if figure is not None:
        if axes:
            raise UserError(f"--figure {figure}: the figure shows totals, leave out --by {','.join(axes)}")
        check_figure(figure, path)
    with open_results(path) as results:
        quantities = _quantities_by_levels(results) if axes and not as_json else None
        with waiting(f"reading {results.replicates:,} replicates"):
            found = summarize(results, by=axes, levels=level or LEVELS, quantities=quantities)
    if as_json:
        show_json_text(found.to_json())
    else:
        from analysis.tables import print_summary

        print_summary(found, exact=exact)
    if figure is not None:
        from analysis.figures import save_funnel

        save_funnel(found, figure, exact=exact)
        talk(f"figure: {figure}")


def headline(results: Results) -> RenderableType:
    """Return what ends a run: trafficked, bound, arrived and the fraction of those bound, with intervals and errors.

    Parameters
    ----------
    results : Results
        Open; complete or interrupted.

    Returns
    -------
    rich renderable
        A table of four lines and two sentences.
    """
    from analysis.summaries import summarize
    from analysis.tables import HEADLINE, render_headline

    return render_headline(summarize(results, quantities=HEADLINE))


def check_figure(figure: Path, results: Path) -> None:
    """Refuse what cannot be drawn before anything is read."""
    if figure.suffix.lower() not in FIGURE_FORMATS:
        raise UserError(f"--figure {figure}: must end in one of {', '.join(FIGURE_FORMATS)}")
    if not figure.absolute().parent.is_dir():
        raise UserError(f"--figure {figure}: there is no folder '{figure.parent}'")
    if figure.resolve() == results.resolve() or figure.is_dir():
        raise UserError(f"--figure {figure}: is not a place for a figure")


@contextmanager
def naming_options(**options: str) -> Iterator[None]:
    """Let messages about arguments speak of options: ``quantities = 'x': ...`` becomes ``--quantity x: ...``.

    Parameters
    ----------
    **options : str
        Argument -> option.
    """
    try:
        yield
    except UserError as error:
        found = _ARGUMENT.match(str(error))
        if found is None or found["name"] not in options:
            raise
        value = found["bare"] if found["quoted"] is None else found["quoted"]
        raise UserError(f"{options[found['name']]} {value}: {found['rest']}") from None


def check_levels(levels: Sequence[float] | None) -> None:
    """Refuse an interval that is none, naming the option."""
    for level in levels or ():
        if not 0.0 < level < 1.0:
            raise UserError(f"--level {level:g}: must lie between 0 and 1, as 0.9 does")


def _quantities_by_levels(results: Results) -> tuple[str, ...]:
    """Return the stages of one block: the funnel in seven lines."""
    from analysis.embedded import read_roles

    roles = read_roles(results)
    before = [point for point in results.labels("point") if point != roles.arrival_point]
    last = (f"reached[{before[-1]}]",) if before else ()
    return ("persons", "at_risk", "trafficked", "bound", *last, "arrived", "arrival_fraction")
