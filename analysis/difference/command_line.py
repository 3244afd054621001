"""The verb `simcore diff`: what changed between two scenarios, and what each change does to the outputs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import LARGEST_DRAWS, Json, load, read_seed, read_whole
from simcore.cli.terminal import show, show_json, talk
from simcore.errors import UserError

if TYPE_CHECKING:
    from simcore.scenario import Scenario

FORMATS = (".png", ".pdf", ".svg")
MOST_PERMUTATIONS = 10_000


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A scenario by name, or a TOML file.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="B", help="The scenario it became.", show_default=False)],
    draws: Annotated[
        str, typer.Option("--draws", "-n", metavar="DRAWS", help="Parameter sets, the same in every scenario.")
    ] = "1000",
    seed: Annotated[str, typer.Option("--seed", "-s", metavar="INTEGER", help="Seed of the draws.")] = "0",
    permutations: Annotated[
        str, typer.Option("--permutations", metavar="N", help="Orders drawn where there are more than 8 items.")
    ] = "32",
    list_only: Annotated[bool, typer.Option("--list", help="List the changes; do not compute what they do.")] = False,
    as_json: Json = False,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="PATH", help="Draw a waterfall (.png, .pdf or .svg).", show_default=False),
    ] = None,
) -> None:
    """List what changed between two scenarios, and what each change does to the outputs."""
    count = read_whole(draws, "--draws", 2, LARGEST_DRAWS)
    seed_value = read_seed(seed)
    orders = read_whole(permutations, "--permutations", 2, MOST_PERMUTATIONS)
    if figure is not None:
        if list_only:
            raise UserError(f"--figure {figure}: --list computes nothing that could be drawn")
        check_figure(figure)
    one, other = load(first, None), load(second, None)
    from analysis.difference.attribution import attribute
    from analysis.difference.changes import list_changes, strata_apart
    from analysis.difference.rendering import show_attribution, show_changes

    changes = list_changes(one, other)
    apart = strata_apart(one, other)
    found, refusal = None, ""
    if apart:
        refusal = f"attribution not made: {one.name} and {other.name} have different strata ({apart})"
    elif not list_only:
        try:
            found = attribute(one, other, draws=count, seed=seed_value, permutations=orders, progress=_progress)
        except UserError as problem:
            if "draws" in str(problem).partition(":")[0]:
                raise
            refusal = f"attribution not made: {problem}"
    if as_json:
        show_json(
            {
                "first": _head(one),
                "second": _head(other),
                "changes": [change.as_json() for change in changes],
                "attribution": None if found is None else found.as_json(),
                "attribution_refused": refusal or None,
            }
        )
    else:
        show_changes(one, other, changes)
        if found is not None:
            show_attribution(one, other, found)
        elif refusal:
            show("", refusal)
    if figure is None:
        return
    if found is None or not found.items:
        raise UserError(f"--figure {figure}: {refusal or 'nothing that can move a count differs'}; nothing is drawn")
    from analysis.difference.figure import save_waterfall

    save_waterfall(found, (one.name, other.name), figure)
    talk(f"figure: {figure}")


def check_figure(figure: Path) -> None:
    """Refuse a place for a figure before anything is computed.

    Raises
    ------
    UserError
        Naming the option, the path and what is wrong.
    """
    if figure.suffix.lower() not in FORMATS:
        raise UserError(f"--figure {figure}: must end in one of {', '.join(FORMATS)}")
    if not figure.absolute().parent.is_dir():
        raise UserError(f"--figure {figure}: there is no folder '{figure.parent}'")
    if figure.is_dir():
        raise UserError(f"--figure {figure}: is a folder")


def _head(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "title": scenario.document.title,
        "cohort_year": scenario.document.cohort_year,
        "digest": scenario.digest,
        "path": None if scenario.path is None else str(scenario.path),
    }


def _progress(done: int, total: int) -> None:
    """Say on a terminal how far it is, where it takes a while."""
    if total >= 32 and sys.stderr.isatty():
        sys.stderr.write(f"\r{done + 1} of {total} scenarios" + ("\r\x1b[K" if done + 1 == total else ""))
        sys.stderr.flush()
