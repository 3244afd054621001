"""Every call by which simcore changes the disk, counted as an *event* with a name, and a fault at one of them.

The program has no hooks for this: a forked process puts its own functions in the place of those of `os` and `io`, and
goes its way. All disk work of a run is done in a fixed order, so event number 17 is the same call in every process that
does the same work. The state of the disk changes at events only, so that a kill just before each event, and one after
the last, leaves every state that a kill at any instruction can leave.

A *power cut* is modelled at its worst: what was written and not flushed since (``fsync`` of the file) is gone, and so
is every new, changed or removed name whose folder was not flushed since.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SIGNALS = {"interrupt": signal.SIGINT, "terminate": signal.SIGTERM, "pause": signal.SIGSTOP}
TWICE = ("interrupt twice", "terminate twice")
# Calls that may find no room; a full disk still lets one remove things.
NEED_ROOM = ("mkdir", "create", "write", "truncate", "fsync", "rename", "close")


class WatchedDisk:
    """Context in which disk calls below a folder are counted.

    Parameters
    ----------
    root : Path
    before : callable
        Called before every event with its number and name (such as ``"rename shard"``); may raise OSError or never
        return.
    stash : Path, optional
        A folder on the same file system for what a power cut brings back; without it nothing is kept for one.

    Attributes
    ----------
    names : list of str
        Of the events so far.
    """

    def __init__(self, root: Path, before: Callable[[int, str], None], stash: Path | None = None) -> None:
        self.root = root.resolve()
        self.before = before
        self.names: list[str] = []
        self.volatile = _Volatile(stash) if stash is not None else None
        self._busy = threading.RLock()
        self._saved: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> Self:
        for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
            self._patch(os, name, self._names_call(name, getattr(os, name)))
        self._patch(os, "open", self._open_call(os.open))
        self._patch(os, "fsync", self._descriptor_call("fsync", os.fsync))
        self._patch(os, "ftruncate", self._descriptor_call("truncate", os.ftruncate))
        self._patch(os, "pwrite", self._descriptor_call("write", os.pwrite))
        self._patch(fcntl, "flock", self._descriptor_call("flock", fcntl.flock))
        self._patch(io, "open", self._stream_call(io.open))
        self._patch(io, "FileIO", _watched_file(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for module, name, function in self._saved:
            setattr(module, name, function)

    def _patch(self, module: Any, name: str, function: Any) -> None:
        self._saved.append((module, name, getattr(module, name)))
        setattr(module, name, function)

    # Events -----------------------------------------------------------------------------------------------------------

    def event(self, call: str, path: str | os.PathLike[str]) -> None:
        """Count a call, and let the fault happen if this is its place."""
        with self._busy:
            number, name = len(self.names), f"{call} {kind_of(path)}"
            self.names.append(name)
            self.before(number, name)

    def concerns(self, path: Any) -> bool:
        """Whether a path lies below the watched folder."""
        if not isinstance(path, str | os.PathLike):
            return False
        whole = os.path.abspath(os.fspath(path))
        return whole == str(self.root) or whole.startswith(f"{self.root}{os.sep}")

    def _names_call(self, call: str, function: Any) -> Any:
        def watched(path: Any, *arguments: Any, **options: Any) -> Any:
            if not self.concerns(path):
                return function(path, *arguments, **options)
            with self._busy:
                self.event("rename" if call == "replace" else call, path)
                if self.volatile is not None:
                    self.volatile.before_change(call, path, *arguments[:1])
                return function(path, *arguments, **options)

        return watched

    def _open_call(self, function: Any) -> Any:
        def watched(path: Any, flags: int, *arguments: Any, **options: Any) -> Any:
            if not (flags & os.O_CREAT and self.concerns(path)):
                return function(path, flags, *arguments, **options)
            self.event("create", path)
            self._note_creation(path)
            return function(path, flags, *arguments, **options)

        return watched

    def _descriptor_call(self, call: str, function: Any) -> Any:
        def watched(descriptor: int, *arguments: Any) -> Any:
            path = _path_of(descriptor)
            if not self.concerns(path):
                return function(descriptor, *arguments)
            self.event(call, path)
            result = function(descriptor, *arguments)
            if self.volatile is not None:
                self.volatile.after(call, descriptor)
            return result

        return watched

    def _stream_call(self, function: Any) -> Any:
        def watched(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if not {"w", "x"} & {*mode} or not self.concerns(path):
                return function(path, mode, *arguments, **options)
            self.event("create", path)
            self._note_creation(path)
            return _WatchedStream(self, function(path, mode, *arguments, **options), path)

        return watched

    def _note_creation(self, path: Any) -> None:
        if self.volatile is not None and not os.path.lexists(path):
            self.volatile.before_change("create", path)

    def cut_power(self) -> None:
        """Take from the disk what it was never told to keep, and die."""
        assert self.volatile is not None
        self.__exit__(None, None, None)
        self.volatile.lose()
        os.kill(os.getpid(), signal.SIGKILL)


class _WatchedStream:
    """A buffered stream whose every write goes to the file at once, so that a kill finds it half written."""

    def __init__(self, disk: WatchedDisk, stream: Any, path: Any) -> None:
        self._disk, self._stream, self._path = disk, stream, path

    def write(self, data: Any) -> int:
        self._disk.event("write", self._path)
        written: int = self._stream.write(data)
        self._stream.flush()
        if self._disk.volatile is not None:
            self._disk.volatile.after("write", self._stream.fileno())
        return written

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _watched_file(disk: WatchedDisk) -> type[io.FileIO]:
    class WatchedFile(io.FileIO):
        """What HDF5 writes to."""

        def __init__(self, path: Any, mode: str = "r", *arguments: Any) -> None:
            self.watched = disk.concerns(path) and mode != "r"
            if self.watched:
                disk.event("create", path)
                disk._note_creation(path)
            super().__init__(path, mode, *arguments)

        def _changed(self, call: str) -> None:
            if self.watched and disk.volatile is not None:
                disk.volatile.after(call, self.fileno())

        def write(self, data: Any, /) -> int:
            if self.watched:
                disk.event("write", self.name)
            written = super().write(data)
            self._changed("write")
            return written

        def truncate(self, size: int | None = None, /) -> int:
            if self.watched:
                disk.event("truncate", self.name)
            left = super().truncate(size)
            self._changed("truncate")
            return left

        def close(self) -> None:
            if self.watched and not self.closed:
                disk.event("close", self.name)
            super().close()

    return WatchedFile


class _Volatile:
    """What a power cut would undo."""

    def __init__(self, stash: Path) -> None:
        self.stash = stash
        self.unflushed: set[int] = set()  # inodes
        self.changes: list[tuple[str, Callable[[], None]]] = []  # folder, and how to undo a change of its names
        self._open, self._fsync = os.open, os.fsync

    def before_change(self, call: str, path: Any, target: Any = None) -> None:
        """Note how to undo a change of names that is about to happen."""
        path = os.path.abspath(path)
        folder = os.path.dirname(path)
        if call in ("mkdir", "create"):
            if not os.path.lexists(path):
                self.changes.append((folder, lambda: _remove(path)))
        elif call == "rmdir":
            self.changes.append((folder, lambda: Path(path).mkdir(exist_ok=True)))
        elif call == "unlink":
            if os.path.lexists(path):
                kept = self._kept(path)
                self.changes.append((folder, lambda: _put_back(kept, path)))
        else:
            target = os.path.abspath(target)
            over = self._kept(target) if os.path.lexists(target) else None
            moved = self._kept(path)
            undo = _undo_rename(moved, path, over, target)
            self.changes.append((os.path.dirname(target), undo))

    def _kept(self, path: str) -> str:
        kept = str(self.stash / str(len(list(self.stash.iterdir()))))
        os.link(path, kept)
        return kept

    def after(self, call: str, descriptor: int) -> None:
        """Note what has no copy on the disk, or has one now."""
        if call in ("write", "truncate"):
            self.unflushed.add(os.fstat(descriptor).st_ino)
        elif call == "fsync":
            self.unflushed.discard(os.fstat(descriptor).st_ino)
            path = _path_of(descriptor)
            if os.path.isdir(path):
                self.changes = [change for change in self.changes if change[0] != path]

    def lose(self) -> None:
        """Undo everything that was not flushed, the last change first."""
        folders = {folder for folder, _ in self.changes}
        for _, undo in reversed(self.changes):
            undo()
        for folder in folders | {str(self.stash)}:
            if not os.path.isdir(folder):
                continue
            for entry in os.scandir(folder):
                if entry.is_file(follow_symlinks=False) and entry.inode() in self.unflushed:
                    os.truncate(entry.path, 0)


def _undo_rename(moved: str, path: str, over: str | None, target: str) -> Callable[[], None]:
    def undo() -> None:
        _put_back(moved, path)
        os.unlink(target)
        if over is not None:
            _put_back(over, target)

    return undo


def _put_back(kept: str, path: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.link(kept, path)


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def kind_of(path: str | os.PathLike[str]) -> str:
    """Return what a path is of, without numbers or names of its own."""
    name = os.path.basename(os.fspath(path))
    if name.startswith("shard-"):
        return "new shard" if name.endswith(".tmp") else "shard"
    known = {"run.json": "head", "run.json.tmp": "new head", "assembling.h5": "assembling", "lock": "lock"}
    known |= {"run-copy.json": "copy of the head", "run-copy.json.tmp": "new copy of the head"}
    if name in known:
        return known[name]
    if name.endswith(".parts"):
        return "folder"
    return "results" if name.endswith(".h5") else "place"


def _path_of(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def fault(kind: str, number: int, disk: list[WatchedDisk]) -> Callable[[int, str], None]:
    """Return what happens before events.

    Parameters
    ----------
    kind : {"none", "kill", "power cut", "full", "broken", "interrupt", "terminate", "pause"}
        Nothing; SIGKILL, or the power fails, before event ``number``; from that event on there is no room, or an error
        of input and output; SIGINT, SIGTERM or SIGSTOP before it. ``"interrupt twice"`` and ``"terminate twice"``: and
        again three events later.
    number : int
    disk : list
        Will hold the watched disk.
    """

    def before(event: int, name: str) -> None:
        if kind in ("full", "broken") and event >= number and name.split()[0] in NEED_ROOM:
            raise OSError(errno.ENOSPC if kind == "full" else errno.EIO, "injected")
        if event != number and (kind not in TWICE or event != number + 3):
            return
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "power cut":
            disk[0].cut_power()
        elif kind.removesuffix(" twice") in SIGNALS:
            os.kill(os.getpid(), SIGNALS[kind.removesuffix(" twice")])

    return before
