"""One process at a time: an exclusive lock that dies with its holder.

The lock is the kernel's (``flock``), so it is gone when the process is, however it ended, and a left-over file locks
nobody out. The file says who holds it, for the message. On file systems that know no such locks, that text decides: a
holder of this machine that no longer lives (or whose number another process has by now) is recognised; a holder on
another machine is believed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import socket
from pathlib import Path
from typing import Any, Final

from simcore.errors import ResultsError
from simcore.store.files import check_plain
from simcore.store.provenance import utc_now

try:
    import fcntl
except ImportError:  # Windows: only the text decides there
    fcntl = None  # type: ignore[assignment]

LOCK_NAME: Final = "lock"
"""Of the lock file in the folder of an unfinished run."""
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_HELD: Final = (errno.EWOULDBLOCK, errno.EACCES)
_LONGEST: Final = 4096  # bytes of a holder's text


class Lock:
    """An exclusive lock on a file, held from `acquire` to `release`.

    Parameters
    ----------
    path : Path
        The lock file; made if it is not there. Its folder must exist.

    Attributes
    ----------
    left_by : str
        Who held it before and died without releasing it; empty if nobody did.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left_by = ""
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether it is held by this object."""
        return self._descriptor is not None

    def acquire(self, what: str) -> None:
        """Take the lock or refuse; never waits. An interrupt in its midst may leave it taken until the process ends.

        Parameters
        ----------
        what : str
            What is locked, for the message.

        Raises
        ------
        ResultsError
            Another process holds it.
        OSError, ValueError
            The file cannot be made, or is a link, a folder or a pipe.
        """
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
            taken = False
            try:
                check_plain(descriptor)
                self._take(descriptor, what)
                if not self._is_current(descriptor):  # removed by its last holder between opening and locking
                    os.close(descriptor)
                    continue
                taken = True
                holder = _read_holder(descriptor)
                self.left_by = _describe(holder) if holder else ""
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(_this_process()).encode(), 0)
            except BaseException:
                if taken:
                    with contextlib.suppress(OSError):
                        self.path.unlink(missing_ok=True)
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            return

    def _take(self, descriptor: int, what: str) -> None:
        try:
            if fcntl is None:
                raise OSError(errno.ENOSYS, "no locks")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            holder = _read_holder(descriptor)
            if problem.errno in _HELD or (holder and _is_alive(holder)):
                raise ResultsError(busy(what, _describe(holder))) from None

    def _is_current(self, descriptor: int) -> bool:
        """Whether the path still leads to the file that was opened."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return False
        own = os.fstat(descriptor)
        return (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino)

    def release(self, *, remove: bool = True) -> None:
        """Give the lock back; does nothing if it is not held.

        Parameters
        ----------
        remove : bool
            Remove the file too. If it stays, it is emptied: nobody left it in a hurry.
        """
        descriptor, self._descriptor = self._descriptor, None  # at once: an interrupted end may be done twice
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            if remove:
                self.path.unlink(missing_ok=True)
            os.ftruncate(descriptor, 0)
        os.close(descriptor)


def busy(what: str, holder: str) -> str:
    """Return the sentence that refuses what another process is at."""
    return f"{what}: another process writes it ({holder}); wait for its end, or choose another name"


def holder_of(path: Path) -> str:
    """Return in words which living process holds the lock of a file; empty if none does. Nothing is changed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINK)
    except OSError:
        return ""
    try:
        check_plain(descriptor)
        holder = _read_holder(descriptor)
        held = bool(holder) and _is_alive(holder) and not _is_free(descriptor)
    except ValueError:
        return ""
    finally:
        os.close(descriptor)
    return _describe(holder) if held else ""


def _is_free(descriptor: int) -> bool:
    """Whether the system says that nobody has the lock, whatever the text says; false where it knows no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back when the file is closed
    except OSError:
        return False
    return True


def _this_process() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "began": _began(os.getpid()),
        "since": utc_now(),
    }


def _read_holder(descriptor: int) -> dict[str, Any]:
    """Return what the holder wrote; nothing if it has not written it yet."""
    try:
        holder = json.loads(os.pread(descriptor, _LONGEST, 0))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _describe(holder: dict[str, Any]) -> str:
    if not isinstance(holder.get("pid"), int):
        return "just begun"
    host, since = (_plain(holder.get(name)) for name in ("host", "since"))
    return f"process {holder['pid']} on {host} since {since}"


def _plain(text: object) -> str:
    """Return a name as it is, and of one that is none only what is harmless on a terminal."""
    return re.sub(r"[^\w.:-]", "?", str(text)[:64], flags=re.ASCII)


def _is_alive(holder: dict[str, Any]) -> bool:
    """Whether a holder may still live; one on another machine always may."""
    number = holder.get("pid")
    if not isinstance(number, int) or not 0 < number < 2**31 or not isinstance(holder.get("host"), str):
        return False
    if holder["host"] != socket.gethostname():
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's process
    return _began(number) == holder.get("began")


def _began(number: int) -> str:
    """Start of a process in the system's own count, which tells it from a later process of the same number."""
    with contextlib.suppress(OSError, IndexError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return f"{boot} {fields[19]}"
    return ""
