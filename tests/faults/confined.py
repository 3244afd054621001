"""Runs the command line in a process of its own with limits on memory and time, and reports what came of it.

Starting an interpreter and importing everything takes two seconds, so a server does it once and forks for every call:
``python -m tests.faults.confined`` reads one JSON line per call and answers with one. A call that waits for ever is
killed and reported as such; one that asks for more than `MEMORY_LIMIT` of address space gets a MemoryError.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
MEMORY_LIMIT = 2 * 2**30  # bytes of address space
PATIENCE = 60.0  # seconds after which a call is killed; with nothing compiled, beside other suites, some take 30
KILLED = -9


@dataclass(frozen=True)
class Ended:
    """What came of a call.

    Attributes
    ----------
    code : int
        Exit code; `KILLED` if it had to be stopped, another negative number if a signal ended it.
    output, errors : bytes
        What it wrote to stdout and stderr.
    seconds : float
        Wall time.
    memory : int
        Most memory in use, beyond that of the server it was forked from [bytes].
    """

    code: int
    output: bytes
    errors: bytes
    seconds: float
    memory: int

    @property
    def line(self) -> str:
        """The only line on stderr (AssertionError if there is not exactly one)."""
        text = self.errors.decode()
        assert text.endswith("\n"), text
        assert text.count("\n") == 1, text
        return text.removesuffix("\n")


class Confinement:
    """A server of confined calls; use as a context manager.

    Parameters
    ----------
    warm : bool
        Let the server load the compiled kernels, for calls that simulate.
    """

    def __init__(self, *, warm: bool = False) -> None:
        self._warm = warm

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="confined-")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        environment.pop("SIMCORE_TRACEBACK", None)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.confined", *(["warm"] if self._warm else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._folder.name,
            env=environment,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        assert self._server.stdout is not None
        self._server.stdout.close()
        self._folder.cleanup()

    def simcore(self, *arguments: object, folder: Path, memory: int = MEMORY_LIMIT) -> Ended:
        """Call the command line in a folder; standard input is one that never ends."""
        return self._call({"arguments": [str(argument) for argument in arguments]}, folder, memory)

    def python(self, code: str, *, folder: Path, memory: int = MEMORY_LIMIT) -> Ended:
        """Run some lines of Python; a `simcore.UserError` becomes one line and exit code 2, as on the command line."""
        return self._call({"code": code}, folder, memory)

    def _call(self, wish: dict[str, Any], folder: Path, memory: int) -> Ended:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        wish |= {"folder": str(folder), "outputs": self._folder.name, "memory": memory}
        self._server.stdin.write(json.dumps(wish) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        outputs = [Path(self._folder.name, name).read_bytes() for name in ("stdout", "stderr")]
        return Ended(answer["code"], *outputs, answer["seconds"], answer["memory"])


def _serve() -> None:
    _import_everything()
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for line in sys.stdin:
        wish = json.loads(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _confined(wish)
        code, usage = _wait(child, began)
        memory = max(0, usage.ru_maxrss - base) * 1024
        sys.stdout.write(json.dumps({"code": code, "seconds": time.monotonic() - began, "memory": memory}) + "\n")
        sys.stdout.flush()


def _wait(child: int, began: float) -> tuple[int, resource.struct_rusage]:
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), usage
        if time.monotonic() - began > PATIENCE:
            os.kill(child, 9)
            _, status, usage = os.wait4(child, 0)
            return KILLED, usage
        time.sleep(0.002)


def _confined(wish: dict[str, Any]) -> None:
    """Do what is wished and leave the process."""
    code = 70
    try:
        endless, _never_written = os.pipe()  # whoever reads standard input waits
        os.dup2(endless, 0)
        for number, name in ((1, "stdout"), (2, "stderr")):
            stream = os.open(Path(wish["outputs"], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(stream, number)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        os.chdir(wish["folder"])
        resource.setrlimit(resource.RLIMIT_AS, (wish["memory"], wish["memory"]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = _run(wish)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 71
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _run(wish: dict[str, Any]) -> int:
    from simcore.cli import main
    from simcore.cli.terminal import talk
    from simcore.errors import UserError

    if "arguments" in wish:
        return main(wish["arguments"])
    try:
        exec(wish["code"], {})  # noqa: S102
    except UserError as error:
        talk(f"error: {error}")
        return 2
    return 0


def _import_everything() -> None:
    """Import what calls need, and read one scenario, so that a call measures its own work."""
    import importlib

    modules: Sequence[str] = (
        "simcore.cli.program", "simcore.model", "simcore.runner.run", "simcore.store.tidy", "simcore.store.integrity",
        "simcore.moments", "analysis", "analysis.tables", "analysis.figures", "analysis.command_line", "pandas",
        "rich.table", "rich.padding", "rich.markup", "xarray", "h5netcdf", "matplotlib.backends.backend_agg",
    )  # fmt: skip
    for name in modules:
        importlib.import_module(name)
    from simcore.scenario import load_scenario

    tiny = load_scenario(ROOT / "simcore" / "verification" / "fixtures" / "tiny.toml")
    if "warm" in sys.argv:
        from simcore.runner import run

        run(tiny, replicates=100, seed=1, threads=1).close()  # its threads have ended when it returns


if __name__ == "__main__":
    _serve()
