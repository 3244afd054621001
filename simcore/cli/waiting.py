"""What a user sees while a verb is at work: a spinner on a terminal, and a word before the kernels are compiled."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from simcore.cli.terminal import talk


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show a spinner with ``text`` on stderr while the block runs; nothing unless stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True, markup=False).status(text):
        yield


def say_if_cold() -> None:
    """Say that compiling takes a while, if no kernel of this version was compiled on this machine before."""
    from simcore.compilation import cache_folder

    folder = cache_folder()
    if folder is None or not any(folder.iterdir()):
        talk("first use on this machine: compiling the kernels takes about half a minute")
