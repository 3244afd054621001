"""Stretches that Ctrl-C and SIGTERM do not break off.

A handler of a signal may raise an exception between any two steps of a program. In the midst of HDF5's work that may
end the process; between the making of a folder and the line that knows of it, nobody would ever remove the folder.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_Handler = Callable[[int, FrameType | None], object]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back the handlers of SIGINT and SIGTERM until the body has ended, then run those that were due.

    If the body fails, its own error comes and the signals of that stretch are forgotten: the work is over anyway.
    What they raise comes from the end of the ``with`` statement: whoever makes something that must be removed makes it,
    and gives it its name, in the body, and has a ``try`` around the whole statement. Handlers run in the main thread
    only, so there is nothing to do in another one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    due: list[tuple[int, FrameType | None]] = []
    held: dict[int, _Handler] = {}
    over = False

    def remember(number: int, frame: FrameType | None) -> None:
        if over:  # the end was itself broken off, before this handler was replaced
            held[number](number, frame)
        else:
            due.append((number, frame))

    try:
        for watched in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(watched)
            if callable(handler):
                held[watched] = handler
                signal.signal(watched, remember)
        yield
    finally:
        over = True
        for number, handler in held.items():
            signal.signal(number, handler)
    for number, frame in due:
        held[number](number, frame)
