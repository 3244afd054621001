"""What is typed: options that several verbs share, and text -> checked values.

Numbers are read here rather than by typer, so that every message names the option, the value and the limits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from simcore.cli.terminal import one_line, talk
from simcore.errors import UserError

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


def read_nested(text: str) -> tuple[int, int]:
    """Return (parameter sets, replicates of each) from ``200x500``."""
    outer, cross, inner = text.replace("X", "x").replace("\u00d7", "x").partition("x")
    if not cross:
        raise UserError(f"--nested {one_line(text)}: must be PARAMETER_SETSxREPLICATES, such as 200x500")
    sets = read_count(outer, "--nested (parameter sets)")
    each = read_count(inner, "--nested (replicates of each)")
    if sets * each > LARGEST_RUN:
        raise UserError(f"--nested {one_line(text)}: {sets * each} replicates in all, limit {LARGEST_RUN}")
    return sets, each


def read_axes(text: str) -> tuple[str, ...]:
    """Return axis names from ``origin,sex``; ``none`` stands for none at all."""
    names = tuple(name.strip() for name in text.split(","))
    if names == ("none",):
        return ()
    if not all(names):
        raise UserError(f"axes '{one_line(text)}': must be names separated by commas, such as origin,sex")
    if len(set(names)) < len(names):
        raise UserError(f"axes '{one_line(text)}': an axis is named twice")
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
