"""`simcore verify`: the program against known answers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcore.cli.arguments import Json
from simcore.cli.interruption import Interruption
from simcore.cli.terminal import one_line, show, show_json, table

if TYPE_CHECKING:
    from simcore.verification import Check


def _text(value: float | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.10g}"


def _row(check: Check) -> list[str]:
    limit = "" if check.tolerance is None else f"{check.tolerance:.2g}"
    z = "" if check.z is None else f"{check.z:+.2f}"
    return [check.name, _text(check.expected), _text(check.computed), z, limit, "pass" if check.passed else "FAIL"]


def _as_data(check: Check) -> dict[str, Any]:
    fields = ("name", "expected", "computed", "z", "tolerance", "passed", "note")
    return {field: getattr(check, field) for field in fields}


def verify_verb(
    long: Annotated[bool, typer.Option("--long", help="Simulate many more replicates (minutes).")] = False,
    as_json: Json = False,
) -> int:
    """Check the program against known answers; exit code 1 if one of them fails."""
    from simcore.verification import run_checks

    on_terminal = sys.stderr.isatty()
    done = 0

    def tell(check: Check) -> None:
        nonlocal done
        done += 1
        print(f"\r\x1b[K{done} checks: {one_line(check.name)[:60]}", end="", file=sys.stderr, flush=True)  # noqa: T201

    with Interruption(at_once=True):
        checks = run_checks(long=long, progress=tell if on_terminal else None)
    if on_terminal:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201
    failed = [check for check in checks if not check.passed]
    if as_json:
        show_json({"passed": not failed, "checks": [_as_data(check) for check in checks]})
    else:
        columns = ["check", "expected", "computed", "z", "tolerance", "result"]
        show(table(columns, map(_row, checks), right=columns[1:5]))
        for check in failed:
            show(f"failed: {check.name} ({check.note})")
        show("", f"{len(checks) - len(failed)} of {len(checks)} checks passed")
    return 1 if failed or not checks else 0
