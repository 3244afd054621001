"""Ctrl-C and SIGTERM during a run: the first one finishes the block at hand, the second one stops at once.

The runner finishes its block when a KeyboardInterrupt reaches it between two pieces of work. An interrupt that arrived
while it writes would break the write off, so the first signal is only noted, and raised in `checkpoint`, which the
runner calls (as its progress callback) where it is ready for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Any, Self

from simcore.cli.redelivery import Redelivery

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FIRST = b"\ninterrupted: finishing the block at hand; once more stops at once\n"


class StoppedAtOnce(BaseException):
    """The second signal. Not a KeyboardInterrupt: the runner takes the first of those as a wish to finish the block."""


class Interruption:
    """Context in which signals are handled as above.

    Parameters
    ----------
    at_once : bool
        Stop at the first signal: for verbs that run without keeping anything. (The runner alone would finish the block,
        and with it a run of one block, as if there had been no signal.)

    Attributes
    ----------
    signals : int
        How many came.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.at_once = at_once
        self.signals = 0
        self._raised = False
        self._before: dict[signal.Signals, Any] = {}
        self._redelivery = Redelivery(StoppedAtOnce)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # nobody else may set handlers
            self._redelivery.__enter__()
            self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(self, *problem: object) -> None:
        self._redelivery.__exit__()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def _last(self) -> int:
        """The number of the signal that stops at once."""
        return 1 if self.at_once else 2

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again = self._redelivery.take()
        self.signals += not again
        if again or self.signals == self._last:
            self._redelivery.interrupt(frame)
        elif self.signals < self._last:
            with contextlib.suppress(OSError):
                os.write(2, _FIRST)  # not print: the signal may have come in the midst of one
        # Later ones change nothing: the program is tidying up already, and that must not be broken off.

    def checkpoint(self) -> None:
        """Raise what was held back, if anything was."""
        if self.signals >= self._last:  # still at work: Python dropped what the handler raised
            self._redelivery.forget()
            raise StoppedAtOnce
        if self.signals and not self._raised:
            self._raised = True
            raise KeyboardInterrupt
