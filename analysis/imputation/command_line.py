"""The verb `simcore impute`: completed panels of a scenario's covariates, made by one command that can be repeated.

The table goes to the file of ``-o``, what was imputed to standard output, talk and progress to standard error.
"""

from __future__ import annotations

import math
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analysis.narrow_tables import show_table
from simcore.cli.arguments import Json, ScenarioArgument, Seed, Settings, read_seed, read_whole
from simcore.cli.figures import figure, percent
from simcore.cli.terminal import heading, one_line, show, show_json, talk
from simcore.errors import ScenarioError, UserError

if TYPE_CHECKING:
    from analysis.imputation.chained import Imputation
    from simcore.scenario.covariates import Observed

PROPER_PANELS = 20
"""Fewer are made with a warning: intervals over so few panels are coarse (docs/model.md A4)."""

_DRAWN_SEED_BITS = 32  # short enough to be typed again
_LARGEST_SHIFT = 10.0


def impute(
    name: ScenarioArgument,
    panels: Annotated[str, typer.Option("--panels", metavar="COUNT", help="Completed panels, at least 2.")] = "20",
    seed: Seed = None,
    shift: Annotated[
        str,
        typer.Option("--shift", metavar="SD", help="Standard deviations added to imputed cells (not at random)."),
    ] = "0",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.csv", help="Where the panels go.", show_default=False)
    ] = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Complete the missing covariates of a scenario in M panels (proper multiple imputation)."""
    from simcore.scenario.panels import FEWEST_PANELS, MOST_PANELS, PANEL_COLUMNS

    number = read_whole(panels, "--panels", FEWEST_PANELS, MOST_PANELS)
    moved = _read_shift(shift)
    seed_value = secrets.randbits(_DRAWN_SEED_BITS) if seed is None else read_seed(seed)
    if output is not None:
        _check_output(output, PANEL_COLUMNS)
    scenario, observed = _observed(name, settings)
    if not observed.missing.any():
        talk(f"nothing is missing within {observed.window} years of {observed.year}: {scenario} needs no panels")
        if as_json:
            show_json({"scenario": scenario, "year": observed.year, "missing": 0, "imputed": [], "output": None})
        return
    if number < PROPER_PANELS:
        talk(f"warning: --panels {number}: intervals over fewer than {PROPER_PANELS} panels are coarse")
    talk(f"seed {seed_value}")
    imputation = _with_progress(observed, number, seed_value, moved)
    _hand_over(imputation, scenario, output, as_json=as_json)


def _read_shift(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= _LARGEST_SHIFT:
        limits = f"from -{_LARGEST_SHIFT:g} to {_LARGEST_SHIFT:g} standard deviations"
        raise UserError(f"--shift {one_line(text)}: must be a number {limits}")
    return value + 0.0


def _check_output(output: Path, columns: tuple[str, ...]) -> None:
    """Refuse, before anything is computed, a place where no table of panels should be written."""
    if output.suffix.lower() != ".csv":
        raise UserError(f"-o {output}: must end in .csv")
    if not output.absolute().parent.is_dir():
        raise UserError(f"-o {output}: there is no folder '{output.parent}'")
    if not output.exists():
        return
    if not output.is_file():
        raise UserError(f"-o {output}: is not a file")
    with output.open(encoding="utf-8", errors="replace") as existing:
        header = existing.readline().strip()
    if header != ",".join(columns):
        raise UserError(f"-o {output}: exists and is no table of panels; it is left as it is")


def _observed(name: str, settings: list[str] | None) -> tuple[str, Observed]:
    """Return name and observed covariates of a scenario, whose panels need not exist."""
    from simcore.cli.elsewhere import refuse_shadows
    from simcore.scenario import load_scenario

    if "/" not in name and not name.endswith(".toml"):
        refuse_shadows("simcore.scenarios")
    scenario = load_scenario(name, settings=settings or (), panels=False)
    if scenario.covariates is None:
        raise ScenarioError(f"{one_line(name)}: has no table [covariates], so there is nothing to impute")
    return scenario.name, scenario.covariates.observed


def _with_progress(observed: Observed, panels: int, seed: int, shift: float) -> Imputation:
    """Impute with a bar on stderr, if stderr is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from analysis.imputation.chained import impute_panels

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("panels", total=panels)
        try:
            return impute_panels(
                observed,
                panels=panels,
                seed=seed,
                shift=shift,
                tell=lambda done: bar.update(task, completed=done),
            )
        except ValueError as error:
            raise ScenarioError(f"covariates.variables: {error}: leave it out") from None


def _hand_over(imputation: Imputation, scenario: str, output: Path | None, *, as_json: bool) -> None:
    from analysis.imputation.report import describe_making, report
    from simcore.scenario.panels import write_panels

    if output is not None:
        _write(output, write_panels(imputation.observed, imputation.completed, describe_making(imputation)))
    found = report(imputation, scenario) | {"output": None if output is None else str(output)}
    if as_json:
        show_json(found)
    else:
        _print(found)
    if output is None:
        talk("nothing was written: give -o FILE.csv, and name that file in covariates.panels")
    else:
        talk(f"panels: {output}")


def _write(output: Path, text: str) -> None:
    """Write the table whole or not at all."""
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(output)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"-o {output}: cannot be written: {error.strerror}") from None


def _print(found: dict[str, Any]) -> None:
    moved = f", shifted by {found['shift']:g} standard deviations" if found["shift"] else ""
    show(
        f"{found['scenario']}: {found['missing']} of {found['cells']} cells have no value within {found['window']} "
        f"years of {found['year']}; {found['panels']} panels{moved}"
    )
    heading("Imputed cells: median and 90 % interval of the panels")
    show_table(
        ["origin", "covariate", "unit", "nearest known", "median", "90 % interval", "donors", "range of donors"],
        [
            [
                cell["origin"],
                cell["covariate"],
                cell["unit"] or "",
                "none" if cell["known_year"] is None else f"{figure(cell['known_value'])} of {cell['known_year']}",
                figure(cell["median"]),
                f"{figure(cell['low'])} to {figure(cell['high'])}",
                str(cell["donors"]),
                f"{figure(cell['least_donor'])} to {figure(cell['greatest_donor'])}",
            ]
            for cell in found["imputed"]
        ],
        keys=2,
        right=["median", "donors"],
    )
    heading("Mean over origins, transformed scale: T = W + (1 + 1/M) B")
    show_table(
        ["covariate", "scale", "missing", "mean", "W", "B", "T", "missing information"],
        [
            [
                row["covariate"],
                row["transform"],
                percent(row["share_missing"]),
                *(figure(row.get(key)) for key in ("mean", "within", "between", "total")),
                percent(row.get("missing_information")),
            ]
            for row in found["covariates"]
        ],
        keys=1,
        right=["missing", "mean", "W", "B", "T", "missing information"],
    )
