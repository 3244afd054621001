"""Files in a folder that others may write to: made anew, never through a link; read only if they are plain files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


def make_way(path: Path) -> None:
    """Remove what bears a name (of a link the link alone), so that a file of that name can be created.

    Raises
    ------
    OSError
        It is a folder, or cannot be removed.
    """
    if os.path.lexists(path):
        os.unlink(path)


def open_plain(path: Path) -> BinaryIO:
    """Open a file for reading; never waits.

    Raises
    ------
    OSError
        It is not there, or cannot be read.
    ValueError
        It is a folder, a pipe or a device.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        check_plain(descriptor)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_plain(descriptor: int) -> None:
    """Raise ValueError unless an open file is a plain one."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise ValueError("not a plain file")
