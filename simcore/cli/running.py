"""`simcore run`: simulate a scenario into a results file."""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import (
    LARGEST_COUNT,
    Dask,
    DesignName,
    Engine,
    Nested,
    Quiet,
    Randomisation,
    Replicates,
    ScenarioArgument,
    Seed,
    Settings,
    Threads,
    Walker,
    check_engine_options,
    load,
    read_axes,
    read_design,
    read_loops,
    read_seed,
    read_whole,
    read_workers,
)
from simcore.cli.figures import whole
from simcore.cli.interruption import Interruption
from simcore.cli.outcome import carry_out
from simcore.cli.terminal import talk
from simcore.cli.waiting import say_if_cold
from simcore.errors import UserError, nearest

if TYPE_CHECKING:
    from simcore.runner import Progress
    from simcore.scenario import Scenario
    from simcore.store import Results

_DRAWN_SEED_BITS = 32  # short enough to be typed again


@dataclass(frozen=True)
class Wish:
    """What was typed, read and checked as far as it can be without the scenario."""

    outer: int
    inner: int
    seed: int
    options: dict[str, Any]
    quiet: bool
    verbose: bool

    @property
    def replicates(self) -> int:
        """Replicates in all."""
        return self.outer * self.inner

    @property
    def design(self) -> dict[str, Any]:
        """The design as an argument of `simcore.run`."""
        return {"replicates": self.outer} if self.inner == 1 else {"nested": (self.outer, self.inner)}


def run_verb(
    name: ScenarioArgument,
    replicates: Replicates = None,
    nested: Nested = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Results file; default: NAME.h5 here.", show_default=False),
    ] = None,
    seed: Seed = None,
    design: DesignName = "random",
    randomisation: Randomisation = "0",
    engine: Engine = "agent",
    walker: Walker = "collapsed",
    threads: Threads = None,
    dask: Dask = None,
    settings: Settings = None,
    store_by: Annotated[
        str | None,
        typer.Option(
            "--store-by",
            metavar="AXES",
            help="Axes kept apart, such as origin,sex, or none; default: as the scenario says.",
            show_default=False,
        ),
    ] = None,
    store_ended: Annotated[bool, typer.Option("--store-ended", help="Store ended attempts by leg and cause.")] = False,
    store_theta: Annotated[str, typer.Option("--store-theta", metavar="all|none", help="Store drawn parameters.")] = (
        "all"
    ),
    until: Annotated[
        list[str] | None,
        typer.Option(
            "--until",
            metavar="RULE",
            help="End early when this holds, as 'arrived.q95 mcse<=1%'; -n is the most. Repeatable: all must hold.",
            show_default=False,
        ),
    ] = None,
    until_minimum: Annotated[
        str | None,
        typer.Option(
            "--until-minimum",
            metavar="N",
            help="Replicates before --until is asked (default 8192).",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Forecast time and disk; write nothing.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> int:
    """Simulate a scenario and store every count of every replicate."""
    if quiet and verbose:
        raise UserError("give either --quiet or --verbose, not both")
    if store_theta not in ("all", "none"):
        raise UserError(f"--store-theta {store_theta}: must be all or none{nearest(store_theta, ('all', 'none'))}")
    chosen_design = read_design(design, randomisation)
    outer, inner = read_loops(replicates, nested, design)
    options = {
        **chosen_design,
        "engine": engine,
        "walker": walker,
        **read_workers(threads, dask),
        "store_by": None if store_by is None else read_axes(store_by, "--store-by"),
        "store_ended": store_ended,
        "store_theta": store_theta == "all",
    }
    seed_value = secrets.randbits(_DRAWN_SEED_BITS) if seed is None else read_seed(seed)
    wish = Wish(outer, inner, seed_value, options, quiet, verbose)
    scenario = load(name, settings, quiet=quiet)
    if until or until_minimum is not None:
        wish.options.update(_read_until(scenario, wish, until or [], until_minimum))
    target = Path(f"{scenario.name}.h5") if output is None else output
    return _forecast(scenario, target, wish) if dry_run else _run(scenario, target, wish)


def _read_until(scenario: Scenario, wish: Wish, rules: list[str], minimum: str | None) -> dict[str, Any]:
    """Return the arguments of a stopping rule, read before anything is compiled."""
    from simcore.runner.stopping import read_rule

    if not rules:
        raise UserError(f"--until-minimum {minimum}: there is no rule that it is the minimum of; give --until too")
    if wish.inner > 1:
        raise UserError(
            f"--until '{rules[0]}' --nested {wish.outer}x{wish.inner}: a rule counts independent replicates, those of "
            "a parameter set are alike; give -n"
        )
    if wish.options["design"] != "random":
        raise UserError(
            f"--until '{rules[0]}' --design {wish.options['design']}: a rule counts independent replicates, and only "
            "all points of this design together are even; use --design random"
        )
    fewest = None if minimum is None else read_whole(minimum, "--until-minimum", 1, LARGEST_COUNT)
    if fewest is not None and fewest > wish.replicates:
        raise UserError(f"--until-minimum {fewest}: must not pass -n {wish.replicates}")
    try:
        rule = read_rule(rules, scenario)
    except UserError as error:
        raise UserError(f"--{error}") from None
    return {"until": rule, "until_minimum": fewest}


def _check_choices(wish: Wish) -> None:
    """Refuse unknown words, naming the option, before anything is said or compiled."""
    from simcore.runner.slots import AXES

    check_engine_options(wish.options["engine"], wish.options["walker"])
    for axis in wish.options["store_by"] or ():
        if axis not in AXES:
            raise UserError(f"--store-by {axis}: unknown{nearest(axis, AXES)} (known: {', '.join(AXES)})")


def _forecast(scenario: Scenario, target: Path, wish: Wish) -> int:
    import simcore
    from simcore.cli.forecast import make_forecast, show_forecast
    from simcore.store import check_target

    _check_choices(wish)
    if not os.path.lexists(target):
        check_target(target)
    with Interruption(at_once=True) as interruption:
        # A pilot has a few replicates only, and the design decides nothing about time or disk. It is run here: how
        # many workers a cluster will have is not known.
        left_out = ("until", "until_minimum", "design", "randomisation", "dask")
        options = {name: value for name, value in wish.options.items() if name not in left_out}
        simulate = functools.partial(
            simcore.run, scenario, seed=wish.seed, **options, progress=lambda _: interruption.checkpoint()
        )
        forecast = make_forecast(simulate, wish.outer, wish.inner)
    show_forecast(forecast, target, wish.outer, wish.inner, wish.seed)
    return 0


def _run(scenario: Scenario, target: Path, wish: Wish) -> int:
    import simcore
    from simcore.store import check_target
    from simcore.store.heads import read_head
    from simcore.store.provenance import command_line

    _check_choices(wish)
    if not os.path.lexists(target) and read_head(target) is None:  # else the runner looks into it first
        check_target(target)
        talk(f"seed {wish.seed}")
        _introduce(scenario, target, wish)

    def simulate(progress: Callable[[Progress], None]) -> Results:
        return simcore.run(
            scenario,
            **wish.design,
            seed=wish.seed,
            output=target,
            **wish.options,
            progress=progress,
            command_line=command_line(),
        )

    return carry_out(simulate, target, replicates=wish.replicates, quiet=wish.quiet, verbose=wish.verbose)


def _introduce(scenario: Scenario, target: Path, wish: Wish) -> None:
    """Say what is about to be run, and that compiling may take a while."""
    if wish.quiet:
        return
    from simcore.compilation import cache_folder

    loop = f" ({whole(wish.outer)} parameter sets x {whole(wish.inner)})" if wish.inner > 1 else ""
    talk(f"{scenario.name}: {whole(wish.replicates)} replicates{loop} into {target}")
    say_if_cold()
    if wish.verbose:
        folder = cache_folder()
        talk(f"scenario digest {scenario.digest}")
        talk(f"compiled kernels in {folder or 'memory only'}")
        talk(
            f"{whole(len(scenario.active_strata))} active strata, {whole(len(scenario.elements()))} parameters drawn, "
            f"engine {wish.options['engine']}, walker {wish.options['walker']}"
        )
