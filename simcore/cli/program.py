"""The program `simcore`: its verbs, its global options, and how every ending becomes a line and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from simcore.cli import (
    checking,
    continuing,
    describing,
    expecting,
    listing,
    rerunning,
    running,
    showing,
    verifying,
    warming,
)
from simcore.cli.elsewhere import VERBS, VerbElsewhere, entries
from simcore.cli.interruption import INTERRUPTED, StoppedAtOnce
from simcore.cli.redelivery import Redelivery
from simcore.cli.terminal import one_line, show, talk
from simcore.errors import DamageError, UnreadableError, UserError, command, nearest

FAILED, BAD_INPUT = 1, 2
_DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


def _usage_message(error: typer.TyperException) -> str:
    """Return what typer says about a mistyped command, with the nearest known option and where help is."""
    text = error.format_message().partition(" (Possible options")[0].rstrip(".")
    possible = getattr(error, "possibilities", None)
    if possible:
        text += nearest(str(getattr(error, "option_name", "")), possible)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "simcore"
    return f"{text} (see: {path} --help)"


def _exit_code(error: UserError) -> int:
    """Return 2 for bad input, 1 for a disk that failed under a run that was sound."""
    cause = error.__cause__
    return FAILED if isinstance(cause, OSError) and cause.errno in _DISK_TROUBLE else BAD_INPUT


class Program(TyperGroup):
    """The verbs of this package and of others; turns exceptions into one line on stderr and an exit code."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for entry in entries(VERBS):
            if entry.name not in self.commands:
                self.add_command(VerbElsewhere(entry), entry.name)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the program; ends with SystemExit, or returns the exit code if ``standalone_mode`` is false."""
        arguments = list(sys.argv[1:] if args is None else args)
        with_traceback = "--traceback" in arguments or os.environ.get("SIMCORE_TRACEBACK", "") not in ("", "0")
        try:
            with Redelivery(KeyboardInterrupt):
                code = super().main(
                    arguments, prog_name or "simcore", complete_var, False, windows_expand_args, **extra
                )
            if sys.stdout is not None:  # closed by whoever started us
                sys.stdout.flush()
        except Exception as error:  # noqa: BLE001 - the one place where everything ends as a line and a code
            if with_traceback:
                traceback.print_exc()
            code = INTERRUPTED if _is_interrupt(error) else self._ending(error)
        except (KeyboardInterrupt, StoppedAtOnce):
            code = INTERRUPTED
        code = code if isinstance(code, int) else 0
        if code == INTERRUPTED:
            talk("interrupted")
        if standalone_mode:
            sys.exit(code)
        return code

    @staticmethod
    def _ending(error: Exception) -> int:
        """Say in one line why the program ends, and return the exit code."""
        if isinstance(error, BrokenPipeError):  # whoever read our output has seen enough
            _close_quietly()
            return FAILED
        if isinstance(error, UserError):
            talk(f"error: {error}{_advice(error)}")
            return _exit_code(error)
        if isinstance(error, typer.TyperException):
            talk(f"error: {_usage_message(error)}")
            return error.exit_code
        if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
            talk(f"error: what was to be shown could not be written: {os.strerror(error.errno or 0)}")
            return FAILED
        if isinstance(error, FileNotFoundError) and not _has_folder():
            talk("error: the current folder is not there any more; change to another one")
            return BAD_INPUT
        if isinstance(error, MemoryError):
            talk(f"error: not enough memory: {one_line(str(error)) or 'a smaller task may fit'}")
            return FAILED
        runner = sys.modules.get("simcore.runner.session")
        if runner is not None and isinstance(error, runner.RunInterrupted):
            return INTERRUPTED
        talk(
            f"unexpected error: {type(error).__name__}: {one_line(str(error))}: please report it "
            "(simcore --traceback ... shows where)"
        )
        return FAILED


def _is_interrupt(error: Exception) -> bool:
    """Whether an error is what Python made of an interrupt that was raised in a callback from compiled code (h5py)."""
    return isinstance(error, SystemError) and isinstance(error.__cause__, (KeyboardInterrupt, StoppedAtOnce))


def _has_folder() -> bool:
    """Whether the folder that the program was started in is still there."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _advice(error: UserError) -> str:
    """Return what a user can do about damage, whichever verb met it."""
    if isinstance(error, UnreadableError):
        return "; this cannot be mended: make the run again under another name"
    if not isinstance(error, DamageError) or not os.path.lexists(error.place):
        return ""
    return f"; compute just what is damaged again with: {command('resume', error.place, '--repair')}"


def _close_quietly() -> None:
    """Let the interpreter flush stdout at its end into nothing."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


app = typer.Typer(
    name="simcore",
    cls=Program,
    add_completion=False,
    help="From people at risk to the border: simulate trafficking and transit under stated assumptions.",
    epilog="Results are consequences of the stated assumptions, not estimates of prevalence.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import simcore

        show(f"simcore {simcore.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _global_options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where an error came from.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        show(context.get_help())
        raise typer.Exit(BAD_INPUT)


app.command("list")(listing.list_verb)
app.command("show")(showing.show_verb)
app.command("check")(checking.check_verb)
app.command("run")(running.run_verb)
app.command("resume")(continuing.resume_verb)
app.command("extend")(continuing.extend_verb)
app.command("rerun")(rerunning.rerun_verb)
app.command("info")(describing.info_verb)
app.command("expected")(expecting.expected_verb)
app.command("verify")(verifying.verify_verb)
app.command("warmup")(warming.warmup_verb)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (the console script exits with it).

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a character shows '?' instead of failing
            stream.reconfigure(errors="replace")
    program = typer.main.get_command(app)
    code = int(program.main(arguments, prog_name="simcore", standalone_mode=False))
    if code == INTERRUPTED and threading.active_count() > 1:
        _leave_at_once(code)
    return code


def _leave_at_once(code: int) -> None:
    """End the process without waiting for worker threads that are still computing what nobody wants any more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)
