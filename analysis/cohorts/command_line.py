"""The verb `simcore cohorts`: several cohorts as one study, run on the same random numbers and shown side by side."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analysis.difference.command_line import check_figure
from simcore.cli.arguments import (
    DesignName,
    Engine,
    Json,
    Nested,
    Quiet,
    Replicates,
    Seed,
    Settings,
    Threads,
    Walker,
    check_engine_options,
    load,
    read_design,
    read_loops,
    read_seed,
    read_threads,
    read_whole,
)
from simcore.cli.figures import duration, size, whole
from simcore.cli.interruption import INTERRUPTED, Interruption, StoppedAtOnce
from simcore.cli.progress import ProgressBar
from simcore.cli.terminal import show_json, talk
from simcore.errors import UserError

if TYPE_CHECKING:
    from analysis.cohorts.members import Member
    from analysis.cohorts.study import Entry, Study
    from simcore.runner import Progress
    from simcore.scenario import Scenario

_DRAWN_SEED_BITS = 32  # short enough to be typed again


def cohorts(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENARIO...|FOLDER",
            help="Scenarios by name or file; with --show, the folder of a study.",
            show_default=False,
        ),
    ],
    replicates: Replicates = None,
    nested: Nested = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder of the study.", show_default=False),
    ] = None,
    year: Annotated[
        list[str] | None,
        typer.Option("--year", metavar="YEAR", help="Run one scenario at this cohort year. Repeatable."),
    ] = None,
    seed: Seed = None,
    engine: Engine = "agent",
    walker: Walker = "collapsed",
    design: DesignName = "random",
    threads: Threads = None,
    settings: Settings = None,
    only_show: Annotated[bool, typer.Option("--show", help="Show a study that was run before.")] = False,
    exact: Annotated[bool, typer.Option("--exact", help="Show figures from 1 to 9 too, else printed as <10.")] = False,
    as_json: Json = False,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="PATH", help="Draw intervals (.png, .pdf or .svg).", show_default=False),
    ] = None,
    quiet: Quiet = False,
) -> int:
    """Run several cohorts on the same random numbers into one folder, and compare them."""
    from analysis.cohorts.study import StudyInterrupted, read_study

    if figure is not None:
        check_figure(figure)
    if only_show:
        given = {"-n": replicates, "--nested": nested, "--output": output, "--year": year, "--set": settings}
        for option, value in given.items():
            if value is not None:
                raise UserError(f"--show {option}: a study is shown as it is; leave {option} out")
        if len(names) != 1:
            raise UserError(f"--show: must be given one folder, got {len(names)}")
        _report(read_study(Path(names[0])), exact=exact, as_json=as_json, figure=figure)
        return 0
    options = _options(replicates, nested, engine, walker, design)
    workers = read_threads(threads)
    if output is None:
        raise UserError("give --output FOLDER, where the study is kept")
    members = _members(names, year, settings, quiet=quiet)
    seed_value = None if seed is None else read_seed(seed)
    interruption = Interruption()
    with interruption:
        try:
            study = _run(output, members, seed_value, options, workers, interruption, quiet=quiet)
        except StudyInterrupted as stop:
            done = len(stop.study.finished)
            talk(
                f"kept {done} of {len(stop.study.entries)} members in {output}, and what is finished of {stop.member}; "
                f"go on with the same command (seed {stop.study.seed})"
            )
            return INTERRUPTED
    _report(study, exact=exact, as_json=as_json, figure=figure)
    return INTERRUPTED if interruption.signals else 0


def _options(replicates: str | None, nested: str | None, engine: str, walker: str, design: str) -> dict[str, Any]:
    """Return what all members are run with, as arguments of `simcore.run`."""
    chosen = read_design(design, "0")["design"]
    outer, inner = read_loops(replicates, nested, chosen)
    check_engine_options(engine, walker)
    loops: dict[str, Any] = {"replicates": outer} if nested is None else {"nested": [outer, inner]}
    return {"engine": engine, "walker": walker, **loops, "design": chosen}


def _members(
    names: Sequence[str], years: Sequence[str] | None, settings: list[str] | None, *, quiet: bool
) -> tuple[Member, ...]:
    from analysis.cohorts.members import FIRST_YEAR, LAST_YEAR, members_by_year, members_of

    if not years:
        return members_of([load(name, settings, quiet=quiet) for name in names])
    if len(names) > 1:
        raise UserError(f"--year {years[0]}: goes with one scenario, got {len(names)}")
    wanted = [read_whole(text, "--year", FIRST_YEAR, LAST_YEAR) for text in years]

    def at_year(more: Sequence[str]) -> Scenario:
        return load(names[0], [*(settings or ()), *more], quiet=quiet or bool(more))

    return members_by_year(at_year, wanted)


def _run(
    folder: Path,
    members: Sequence[Member],
    seed: int | None,
    options: dict[str, Any],
    threads: int | None,
    interruption: Interruption,
    *,
    quiet: bool,
) -> Study:
    from analysis.cohorts.study import StudyInterrupted, open_study, run_members
    from simcore.store.provenance import command_line

    study = open_study(folder, members, seed, options, secrets.randbits(_DRAWN_SEED_BITS))
    talk(f"seed {study.seed}")
    outer, inner = options.get("nested", [options.get("replicates"), 1])
    at_work, begun = study.entries[0], time.perf_counter()
    with ProgressBar(outer * inner, wanted=not quiet) as bar:

        def begin(number: int, entry: Entry, there: bool) -> None:
            nonlocal at_work
            at_work = entry
            interruption.checkpoint()
            if not quiet:
                state = "there already" if there else f"{whole(outer * inner)} replicates into {study.path(entry)}"
                talk(f"member {number} of {len(members)}: {entry.name}, cohort of {entry.cohort_year}: {state}")

        def progress(state: Progress) -> None:
            interruption.checkpoint()
            bar.update(state)

        try:
            run_members(study, members, threads=threads, begin=begin, progress=progress, command_line=command_line())
        except (KeyboardInterrupt, StoppedAtOnce):
            raise StudyInterrupted(study, at_work.name) from None
    if not quiet:
        talk(
            f"{len(study.finished)} members in {folder_and_size(study)}; this took "
            f"{duration(time.perf_counter() - begun)}"
        )
    return study


def folder_and_size(study: Study) -> str:
    """Return how much room the results of a study take, such as ``cohorts (2.1 MiB)``."""
    stored = sum(study.path(entry).stat().st_size for entry in study.finished)
    return f"{study.folder} ({size(stored)})"


def _report(study: Study, *, exact: bool, as_json: bool, figure: Path | None) -> None:
    from analysis.cohorts.comparison import compare_cohorts
    from analysis.cohorts.rendering import show_comparison

    comparison = compare_cohorts(study)
    if as_json:
        show_json({**comparison.as_json(), "options": study.options})
    else:
        show_comparison(comparison, exact=exact)
    if figure is not None:
        from analysis.cohorts.figure import save_cohorts

        save_cohorts(comparison, figure)
        talk(f"figure: {figure}")
