"""What a forked process does: a run, resume or extend, or a command line, with a fault on its way.

Called within `tests.faults.confined`; its answer is one line of JSON on standard output. A process that was killed
gives none.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.confined import PATIENCE, Confinement, Ended
from tests.faults.watched_disk import WatchedDisk, fault

NO_LIMIT = -1
NOTHING = ("none", -1)


@dataclass(frozen=True)
class Call:
    """A call of the API that can be sent to another process.

    Attributes
    ----------
    verb : {"run", "resume", "extend"}
    options : dict
        Keyword arguments, without the output.
    scenario : tuple of (path, settings), optional
    """

    verb: str
    options: dict[str, Any] = field(default_factory=dict)
    scenario: tuple[str, tuple[str, ...]] | None = None

    def __call__(self, target: Path) -> Any:
        """Do it here; returns results."""
        import simcore

        if self.verb == "run":
            assert self.scenario is not None
            path, settings = self.scenario
            return simcore.run(_scenario(path, tuple(settings)), output=target, **self.options)
        return getattr(simcore, self.verb)(target, **self.options)


@functools.cache
def _scenario(path: str, settings: tuple[str, ...]) -> Any:
    from simcore.scenario import load_scenario

    return load_scenario(path, settings=settings)


@dataclass(frozen=True)
class Answer:
    """What came of a call with a fault.

    Attributes
    ----------
    ended : Ended
    events : list of str
        Names of the disk events; empty if the process was killed.
    error : str
        What the call raised: its type and its text.
    """

    ended: Ended
    events: list[str]
    error: str

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended the process (and not the patience of whoever waited)."""
        return self.ended.code == -signal.SIGKILL and self.ended.seconds < PATIENCE


def in_child(
    server: Confinement, call: Call | list[str], target: Path, what: tuple[str, int] = NOTHING, *, seconds: float = 0.0
) -> Answer:
    """Do a call in a forked process with a fault.

    Parameters
    ----------
    call : Call, or arguments of the command line
    target : Path
        The results file; events below its folder are counted.
    what : (kind, number)
        See `tests.faults.watched_disk.fault`; or ``("delay", 0)``: SIGKILL after ``seconds``; or ``("file size", n)``:
        no file may be longer than n bytes.
    """
    wish = {"call": vars(call) if isinstance(call, Call) else call, "target": str(target), "what": what}
    code = f"from tests.faults.child import act; act({json.dumps(wish | {'seconds': seconds})!r})"
    ended = server.python(code, folder=target.parent, memory=NO_LIMIT)
    lines = ended.output.decode().splitlines()
    answer = json.loads(lines[-1]) if lines and lines[-1].startswith('{"events"') else {"events": [], "error": ""}
    return Answer(ended, answer["events"], answer["error"])


def act(text: str) -> None:
    """Do what `in_child` asks for."""
    wish = json.loads(text)
    target, (kind, number) = Path(wish["target"]), wish["what"]
    disks: list[WatchedDisk] = []
    stash = tempfile.mkdtemp(prefix="stash", dir=target.parent.parent) if kind == "power cut" else None
    if kind == "delay":
        _kill_after(wish["seconds"])
    if kind == "file size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
    disk = WatchedDisk(target.parent, fault(kind, number, disks), Path(stash) if stash else None)
    disks.append(disk)
    with disk:
        error, code = _done(wish["call"], target)
    sys.stdout.write(json.dumps({"events": disk.names, "error": error}) + "\n")
    raise SystemExit(code)


def _done(wish: Any, target: Path) -> tuple[str, int]:
    from simcore.cli import main
    from simcore.errors import ResultsError

    if isinstance(wish, list):
        return "", main(wish)
    call = Call(wish["verb"], wish["options"], wish["scenario"])
    action: Callable[[Path], Any] = call
    try:
        action(target).close()
    except BaseException as problem:  # noqa: BLE001
        kind = ResultsError if isinstance(problem, ResultsError) else type(problem)
        return f"{kind.__name__}: {problem}", 1
    return "", 0


def _kill_after(seconds: float) -> None:
    """Have this process killed from outside, by a process of its own: nothing here can be in its way."""
    victim = os.getpid()
    if os.fork() == 0:
        signal.signal(signal.SIGALRM, lambda *_: (os.kill(victim, signal.SIGKILL), os._exit(0)))
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
        while True:
            signal.pause()
