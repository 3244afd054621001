"""The folder beside a results file in which an unfinished run lives: ``out.h5.parts``.

========================== ==============================================================================
``run.json``               the head: what the run is, enough to go on without the scenario's own file
``run-copy.json``          the same, should the first be damaged or gone: without a head every shard would be lost
``shard-<first row>.blocks`` finished blocks (`simcore.store.shards`)
``assembling.h5``          the results file in the making; worthless after a kill, made again from the shards
``lock``                   held by the process that writes (`simcore.store.lock`)
``shared``                 by which a worker on another machine knows the folder (`simcore.runner.cluster_worker`)
========================== ==============================================================================

A block is safe when its shard has its name. At the end the assembled file is flushed and renamed, and only then the
folder is removed; so at any instant either the shards or the finished file hold every finished block.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from simcore.errors import ResultsError
from simcore.store.blocks import EncodedBlock
from simcore.store.files import make_way
from simcore.store.heads import COPY_NAME, Head, encoded_head, read_head
from simcore.store.lock import LOCK_NAME, Lock, holder_of
from simcore.store.shards import (
    TEMPORARY_SUFFIX,
    ForeignShardError,
    ShardEntry,
    claimed_rows,
    read_shard_block,
    read_shard_entries,
    write_shard,
)
from simcore.store.signals import undisturbed
from simcore.store.target import HEAD_NAME, parts_path, sync_folder

ASSEMBLING_NAME: Final = "assembling.h5"
SHARED_NAME: Final = "shared"
_SHARD_NAME: Final = re.compile(r"shard-(\d{12})\.blocks")
_TEMPORARY_SHARD: Final = re.compile(_SHARD_NAME.pattern + rf"(\.[0-9a-f]+)?{re.escape(TEMPORARY_SUFFIX)}")


class Parts:
    """The folder of an unfinished run, locked for this process from `acquire` to `close`.

    Parameters
    ----------
    target : Path
        The results file that is to be.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.folder = parts_path(target)
        self._lock = Lock(self.folder / LOCK_NAME)
        self.shards: dict[int, ShardEntry] = {}
        """Blocks that were safe when this process began, by first row; filled by `find`."""
        self.saved: dict[int, int] = {}
        """First row and rows of the blocks that this process made safe."""
        self._unreadable = 0

    def acquire(self) -> Self:
        """Make the folder if it is not there, and lock it; returns this object.

        An interrupt comes before or after it, so whoever calls `close` in any case leaves nothing behind.

        Raises
        ------
        ResultsError
            Another process writes it, or the folder cannot be made.
        """
        with undisturbed(), self._disk("be used"):
            while True:
                self._refuse_what_is_no_folder()
                with contextlib.suppress(FileExistsError):
                    os.mkdir(self.folder)
                try:
                    self._lock.acquire(str(self.target))
                    return self
                except (FileNotFoundError, NotADirectoryError):  # removed by its last holder just now
                    continue
                except BaseException:
                    with contextlib.suppress(OSError):  # it is not empty: somebody uses it
                        self.folder.rmdir()
                    raise

    def _refuse_what_is_no_folder(self) -> None:
        try:
            found = os.lstat(self.folder)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(found.st_mode):
            raise ResultsError(
                f"{self.folder}: is in the way of the folder in which a run keeps its blocks; move it away"
            )

    @property
    def left_by(self) -> str:
        """Who died while writing here; empty if nobody did."""
        return self._lock.left_by

    @property
    def safe(self) -> dict[int, int]:
        """First row and rows of every block that is safe."""
        shards = dict(self.shards)  # in one step: another thread may be adopting or forgetting
        return {first: entry.rows for first, entry in shards.items()} | self.saved

    @property
    def worthless(self) -> bool:
        """Whether no block is safe, and none was found that could not be read: the disk may give it back some day."""
        return not self.safe and not self._unreadable

    @property
    def assembling(self) -> Path:
        """Where the results file is put together."""
        return self.folder / ASSEMBLING_NAME

    @contextlib.contextmanager
    def _disk(self, what: str) -> Any:
        try:
            yield
        except (OSError, ValueError) as problem:
            number, name = getattr(problem, "errno", None), getattr(problem, "filename", None)
            place = name if isinstance(name, str | os.PathLike) else self.folder
            raise ResultsError(f"{place}: cannot {what}: {os.strerror(number) if number else problem}") from problem

    # The head -------------------------------------------------------------------------------------------------------

    def write_head(self, head: Head) -> None:
        """Write what the run is; when this returns the disk has it."""
        content = encoded_head(head)
        with self._disk("hold what the run is"):
            for name in (COPY_NAME, HEAD_NAME):
                temporary = self.folder / (name + TEMPORARY_SUFFIX)
                make_way(temporary)
                with temporary.open("x", encoding="ascii") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.rename(temporary, self.folder / name)
            sync_folder(self.folder)
            sync_folder(self.folder.parent)

    def read_head(self) -> Head | None:
        """Return what the run is, None if there is none; see `read_head`."""
        return read_head(self.target)

    # Blocks ---------------------------------------------------------------------------------------------------------

    def find(self, rows_id: str) -> list[str]:
        """Fill `shards` with the blocks that are safe, and return a line for every shard that is damaged.

        Raises
        ------
        ResultsError
            There is a shard of another run: either it, or the head, does not belong here.
        """
        damaged = []
        for path in self.shard_paths():
            try:
                for entry in read_shard_entries(path, rows_id):
                    self.shards[entry.first_row] = entry
            except ForeignShardError as problem:
                raise ResultsError(f"{problem}; move it away, or the whole folder if {HEAD_NAME} is wrong") from None
            except ResultsError as problem:
                damaged.append(str(problem))
        self._unreadable = len(damaged)
        return damaged

    def refuse_without_head(self) -> None:
        """Refuse a folder that holds blocks of which nobody knows any more what run they are of (ResultsError)."""
        if self.shard_paths():
            raise ResultsError(
                f"{self.folder}: holds finished blocks, but {HEAD_NAME} and {COPY_NAME}, which say of which run, are "
                "gone; move the folder away"
            )

    def shard_paths(self) -> list[Path]:
        """Return everything that bears the name of a shard."""
        with self._disk("be read"):
            return _shards_in(self.folder)

    def shard_path(self, first_row: int) -> Path:
        """Return where the shard that begins with a row lies."""
        return self.folder / f"shard-{first_row:012d}.blocks"

    def save(self, block: EncodedBlock, rows_id: str) -> None:
        """Make a block safe.

        Raises
        ------
        ResultsError
            The disk is full or failed; blocks that were safe still are.
        """
        path = self.shard_path(block.first_row)
        end = block.first_row + block.rows - 1
        try:
            write_shard(path, rows_id, [block])
        except OSError as problem:
            reason = os.strerror(problem.errno) if problem.errno else str(problem)
            raise ResultsError(
                f"{self.target}: could not write replicates {block.first_row} to {end}: {reason}"
            ) from problem
        self.saved[block.first_row] = block.rows

    def load(self, first_row: int) -> EncodedBlock:
        """Return a block that is safe."""
        return read_shard_block(self.shards[first_row])

    def adopt(self, first_row: int, rows: Sequence[int], rows_id: str) -> None:
        """Check a shard that another process wrote here, and let `load` read its blocks until they are forgotten.

        Parameters
        ----------
        first_row : int
        rows : sequence of int
            Replicates of each of its blocks.
        rows_id : str

        Raises
        ------
        ResultsError
            The shard is damaged or not the one that was expected.
        """
        path = self.shard_path(first_row)
        entries = read_shard_entries(path, rows_id)
        if [entry.rows for entry in entries] != list(rows) or entries[0].first_row != first_row:
            raise ResultsError(f"{path}: holds other replicates than it should")
        self.shards |= {entry.first_row: entry for entry in entries}

    def forget(self, first_row: int) -> None:
        """Keep of a safe block only that it is safe: where it lies takes much more memory."""
        if first_row in self.shards:
            self.saved[first_row] = self.shards[first_row].rows
            del self.shards[first_row]

    # The end --------------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Remove what a run wrote here, the head at last, and nothing else; the lock stays."""
        heads = [self.folder / (name + suffix) for suffix in (TEMPORARY_SUFFIX, "") for name in (COPY_NAME, HEAD_NAME)]
        with self._disk("be cleared"):
            files = [path for path in self.folder.iterdir() if path not in heads and _is_own(path.name)]
            for path in (*files, *heads):
                if path.is_symlink() or not path.is_dir():  # no run made a folder here
                    path.unlink(missing_ok=True)

    def close(self, *, remove: bool) -> None:
        """Release the lock; remove the folder if it is empty, or what a run wrote in it too if asked to. Never fails.

        Does nothing if the folder is not locked (any more): it may be another process's by now.
        """
        with undisturbed():
            if not self._lock.held:
                return
            with contextlib.suppress(ResultsError, OSError):
                if remove:
                    self.clear()
                else:
                    remove = [path.name for path in self.folder.iterdir()] == [LOCK_NAME]
            self._lock.release(remove=remove)
            if remove:
                with contextlib.suppress(OSError):  # somebody put a file of their own there
                    self.folder.rmdir()


@dataclass(frozen=True)
class Unfinished:
    """What is known of an unfinished run without touching it.

    Attributes
    ----------
    head : Head
    shards, replicates, stored_bytes : int
        Closed shards, the replicates in them, and their size [bytes].
    writer : str
        The living process that writes it; empty if there is none.
    """

    head: Head
    shards: int
    replicates: int
    stored_bytes: int
    writer: str


def look_at_unfinished(target: Path) -> Unfinished | None:
    """Return what is known of the unfinished run beside a target, None if there is none; never waits, never writes.

    Raises
    ------
    ResultsError
        See `read_head`.
    """
    head = read_head(target)
    if head is None:
        return None
    shards: list[Path] = []
    size = 0
    with contextlib.suppress(OSError):  # the run may end under our eyes
        shards = _shards_in(parts_path(target))
        size = sum(path.stat().st_size for path in shards)
    replicates = sum(claimed_rows(path, head.rows_id) for path in shards)
    return Unfinished(head, len(shards), min(replicates, head.replicates), size, writer_of(target))


def writer_of(target: Path) -> str:
    """Return in words which living process writes a target; empty if none does. Nothing is touched."""
    return holder_of(parts_path(target) / LOCK_NAME)


def damaged_shards(target: Path, head: Head) -> list[str]:
    """Check every shard of an unfinished run from its first byte to its last; one line for each that is not sound."""
    lines = []
    for path in _shards_in(parts_path(target)):
        try:
            read_shard_entries(path, head.rows_id)
        except ResultsError as problem:
            lines.append(str(problem))
    return lines


def _is_own(name: str) -> bool:
    """Whether a run gives this name to a file."""
    shard = _SHARD_NAME.fullmatch(name) or _TEMPORARY_SHARD.fullmatch(name)
    return shard is not None or name in (ASSEMBLING_NAME, SHARED_NAME)


def _shards_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _SHARD_NAME.fullmatch(path.name))
