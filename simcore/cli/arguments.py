"""What is typed: options that several verbs share, and text -> checked values.

Numbers are read here rather than by typer, so that every message names the option, the value and the limits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.terminal import one_line, talk
from simcore.errors import UserError, nearest

if TYPE_CHECKING:
    from simcore.scenario import Scenario

LARGEST_COUNT = 2**32 - 1
LARGEST_RUN = 10**12  # replicates of a nested run in all
LARGEST_DRAWS = 100_000
LARGEST_SEED = 2**64 - 1
LARGEST_THREADS = 1024

ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE", help="A scenario by name (see: simcore list), or a TOML file.", show_default=False
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one value of the scenario, such as transit.attempt_cap=3. Repeatable.",
        show_default=False,
    ),
]
DesignName = Annotated[
    str,
    typer.Option(
        "--design", metavar="random|sobol|lhs", help="How parameter sets are spread; sobol needs a power of two."
    ),
]
Randomisation = Annotated[
    str,
    typer.Option(
        "--randomisation", metavar="K", help="Another independent randomisation of sobol or lhs: 0, 1, 2, ..."
    ),
]
Replicates = Annotated[
    str | None,
    typer.Option(
        "--replicates", "-n", metavar="N", help="Replicates, each with its own parameters.", show_default=False
    ),
]
Nested = Annotated[
    str | None,
    typer.Option("--nested", metavar="OUTERxINNER", help="Parameter sets x replicates of each.", show_default=False),
]
Engine = Annotated[
    str,
    typer.Option("--engine", metavar="agent|cohort|auto", help="Walk persons, move counts, or the faster of both."),
]
Walker = Annotated[
    str, typer.Option("--walker", metavar="collapsed|leg-by-leg", help="How agents walk; the law is the same.")
]
Threads = Annotated[
    str | None,
    typer.Option("--threads", "-j", metavar="N", help="Threads; default: one per processor.", show_default=False),
]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS|local:N",
        help="Compute on a Dask cluster, or by N processes here; the numbers are the same.",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the seed, what was asked for, and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print data as JSON, and nothing else, to stdout.")]
Seed = Annotated[
    str | None,
    typer.Option("--seed", "-s", metavar="INTEGER", help="0 to 2**64 - 1; drawn if not given.", show_default=False),
]

_WHOLE = re.compile(r"[+-]?\d+(?:_\d+)*")
_POWER = re.compile(r"(?P<digits>\d+(?:\.\d+)?)[eE]\+?(?P<power>\d{1,2})")


def _integer(text: str) -> int | None:
    """Return the whole number that a text is (also ``1_000``, ``1e6``, ``2.5e5``), else None."""
    text = text.strip()
    if _WHOLE.fullmatch(text) and text.isascii() and len(text) <= 40:
        return int(text)
    match = _POWER.fullmatch(text)
    if match and text.isascii() and len(text) <= 40:
        digits, _, decimals = match["digits"].partition(".")
        zeros = int(match["power"]) - len(decimals.rstrip("0"))
        if zeros >= 0:
            return int(digits + decimals.rstrip("0")) * 10**zeros
    return None


def read_whole(text: str, option: str, lowest: int, highest: int) -> int:
    """Return the whole number that an option was given.

    Raises
    ------
    UserError
        If it is none or passes the limits.
    """
    value = _integer(text)
    if value is None or not lowest <= value <= highest:
        raise UserError(f"{option} {one_line(text)}: must be a whole number from {lowest} to {highest}")
    return value


def read_count(text: str, option: str) -> int:
    """Return a number of replicates or parameter sets."""
    return read_whole(text, option, 1, LARGEST_COUNT)


def read_seed(text: str) -> int:
    """Return a seed; 0 is one like any other."""
    return read_whole(text, "--seed", 0, LARGEST_SEED)


def read_design(kind: str, randomisation: str) -> dict[str, Any]:
    """Return the arguments ``design`` and ``randomisation`` that were typed.

    Raises
    ------
    UserError
        If there is no such design, or it has no such randomisation.
    """
    from simcore.uncertainty.design import DESIGNS, RANDOM

    if kind not in DESIGNS:
        raise UserError(f"--design {one_line(kind)}: unknown{nearest(kind, DESIGNS)} (known: {', '.join(DESIGNS)})")
    number = read_whole(randomisation, "--randomisation", 0, LARGEST_COUNT)
    if kind == RANDOM and number != 0:
        raise UserError(
            f"--randomisation {number} --design {RANDOM}: the random design has only 0; other draws come from another "
            "--seed"
        )
    return {"design": kind, "randomisation": number}


def fitting_sets(sets: int, kind: str, typed: str) -> int:
    """Return the number of parameter sets that a design takes for ``sets``; says so where that is another number.

    Parameters
    ----------
    sets : int
    kind : str
        Name of the design.
    typed : str
        What was typed, for the message.

    Raises
    ------
    UserError
        If the design cannot have so many or so few.
    """
    from simcore.uncertainty.design import FEWEST_STRATA, LARGEST_SOBOL, LATIN_HYPERCUBE, SOBOL, power_of_two_above

    if kind == LATIN_HYPERCUBE and sets < FEWEST_STRATA:
        raise UserError(f"{typed} --design {kind}: needs at least {FEWEST_STRATA} parameter sets")
    if kind == SOBOL:
        if sets > LARGEST_SOBOL:
            raise UserError(f"{typed} --design {kind}: at most {LARGEST_SOBOL} parameter sets")
        fitting = power_of_two_above(sets)
        if fitting != sets:
            talk(f"{typed}: the design {kind} needs a power of two, so {sets} parameter sets became {fitting}")
        return fitting
    return sets


def read_nested(text: str) -> tuple[int, int]:
    """Return (parameter sets, replicates of each) from ``200x500``."""
    typed = f"--nested {one_line(text)}"
    outer, cross, inner = text.replace("X", "x").replace("\u00d7", "x").partition("x")
    if not cross:
        raise UserError(f"{typed}: must be PARAMETER_SETSxREPLICATES, such as 200x500")
    numbers = []
    for part, what, place in ((outer, "parameter sets", "before"), (inner, "replicates of each set", "after")):
        if not part.strip():
            raise UserError(f"{typed}: the number of {what} is missing {place} the x (such as 200x500)")
        numbers.append(read_count(part, f"{typed}: {what}"))
    sets, each = numbers
    if sets * each > LARGEST_RUN:
        raise UserError(f"{typed}: {sets * each} replicates in all, limit {LARGEST_RUN}")
    return sets, each


def read_axes(text: str, option: str = "--by") -> tuple[str, ...]:
    """Return axis names from ``origin,sex``; ``none`` stands for none at all."""
    names = tuple(name.strip() for name in text.split(","))
    if names == ("none",):
        return ()
    if not all(names):
        raise UserError(f"{option} {one_line(text)}: must be names separated by commas, such as origin,sex, or none")
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UserError(f"{option} {one_line(text)}: {one_line(name)} is named twice")
    return names


def load(name_or_path: str, settings: list[str] | None, *, quiet: bool = False) -> Scenario:
    """Load a scenario, telling its warnings to stderr."""
    from simcore.cli.elsewhere import refuse_shadows
    from simcore.scenario import load_scenario

    if "/" not in name_or_path and not name_or_path.endswith(".toml"):
        refuse_shadows("simcore.scenarios")
    scenario = load_scenario(name_or_path, settings=settings or ())
    if not quiet:
        for warning in scenario.warnings:
            talk(f"warning: {warning}")
    return scenario


def read_loops(replicates: str | None, nested: str | None, design: str) -> tuple[int, int]:
    """Return (parameter sets, replicates of each) from ``-n`` or ``--nested``, as many as the design needs.

    Raises
    ------
    UserError
        If both or neither are given, or one cannot be read.
    """
    if (replicates is None) == (nested is None):
        raise UserError("give either -n REPLICATES or --nested OUTERxINNER, not both and not neither")
    outer, inner = (read_count(replicates, "-n"), 1) if replicates is not None else read_nested(nested or "")
    return fitting_sets(outer, design, f"-n {outer}" if nested is None else f"--nested {outer}x{inner}"), inner


def read_threads(text: str | None) -> int | None:
    """Return a number of threads, None for one per processor."""
    return None if text is None else read_whole(text, "--threads", 1, LARGEST_THREADS)


def read_workers(threads: str | None, dask: str | None) -> dict[str, Any]:
    """Return the arguments ``threads`` and ``dask`` that were typed.

    Raises
    ------
    UserError
        If both were.
    """
    if threads is not None and dask is not None:
        raise UserError(
            f"--threads {one_line(threads)} --dask {one_line(dask)}: threads are those of this process; how many a "
            "Dask worker has is decided where it is started (local:4x2: four processes of two threads)"
        )
    return {"threads": read_threads(threads), "dask": dask}


def check_engine_options(engine: str, walker: str) -> None:
    """Refuse an unknown engine or walker, or a pair that does not fit, naming the options."""
    from simcore.engines.replicates import WALKERS
    from simcore.runner.choice import ENGINES, check_engine

    for option, value, known in (("--engine", engine, ENGINES), ("--walker", walker, tuple(WALKERS))):
        if value not in known:
            raise UserError(f"{option} {value}: unknown{nearest(value, known)} (known: {', '.join(known)})")
    try:
        check_engine(engine, walker)
    except UserError:  # both words are known, so it is the pair
        pair = f"--engine {engine} --walker {walker}"
        raise UserError(f"{pair}: counts are moved, nobody walks; use --engine agent or leave --walker out") from None
