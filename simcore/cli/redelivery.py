"""An interrupt that Python drops is raised again.

Handlers of signals run between any two steps of a program, also within the few that tidy up an object that nobody uses
any more (``__del__``, callbacks of weak references). Nothing can be raised from there: Python reports the exception to
`sys.unraisablehook` and goes on, and the wish to stop is lost. Reading an HDF5 file removes objects all the time; of
the interrupts of an export one in twenty was lost.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from types import FrameType
from typing import Self

_PAUSE = 0.001  # seconds; the object has been tidied up by then, or the interrupt is dropped and raised once more


class Redelivery:
    """Context in which a dropped interrupt is followed by another SIGINT, a moment later.

    It is for the main thread, where handlers run, and does nothing in another one.

    Parameters
    ----------
    kind : type
        What the handler raises. For KeyboardInterrupt this context brings a handler of SIGINT, in place of Python's
        own; other handlers call `take` and `interrupt`.
    """

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind
        self._due = self._sent = False
        self._entered = self._handling = False
        self._lock = _thread.allocate_lock()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._hook = sys.unraisablehook
            sys.unraisablehook = self._dropped
            self._entered = True
            if self.kind is KeyboardInterrupt and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._handling = True
                signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *problem: object) -> None:
        if self._entered:
            with self._lock:  # from here on no signal is sent
                self._entered = False
            if self._handling:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.unraisablehook = self._hook

    def take(self) -> bool:
        """Return to a handler whether it is called for the SIGINT that was sent from here, and forget that one."""
        sent = self._sent
        if sent:
            self._due = self._sent = False
        return sent

    def forget(self) -> None:
        """Send nothing more for what was dropped: it was raised elsewhere, and is not to break off the tidying up."""
        with self._lock:
            self._due = self._sent = False

    def interrupt(self, frame: FrameType | None) -> None:
        """Raise `kind` for a handler; or later, if the main thread is just reporting something that was dropped.

        What is raised from within a report is dropped without a report.
        """
        while frame is not None:
            if frame.f_code is Redelivery._dropped.__code__:
                self._raise_later()
                return
            frame = frame.f_back
        raise self.kind

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._due = self._sent = False  # not by `forget`: whom it interrupts may hold the lock
        self.interrupt(frame)

    def _dropped(self, report: sys.UnraisableHookArgs) -> None:
        if report.exc_type is self.kind:
            self._raise_later()
        else:
            self._hook(report)

    def _raise_later(self) -> None:
        self._due = True
        # Not by `threading`: the object may be removed in the midst of its work, while it holds a lock.
        _thread.start_new_thread(self._send, ())

    def _send(self) -> None:
        time.sleep(_PAUSE)
        with self._lock:
            if self._entered and self._due and not self._sent:
                self._sent = True
                _interrupt_main_thread()


def _interrupt_main_thread() -> None:
    if hasattr(signal, "pthread_kill"):  # breaks off what waits in the system as well
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main(signal.SIGINT)
