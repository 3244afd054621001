"""Where a results file goes: checks before a run starts, and the step that makes a finished file visible.

A file is written under a temporary name beside its target and renamed when it is complete and on the disk: a run that
dies leaves no file that looks finished.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from simcore.errors import ResultsError

PARTS_SUFFIX: Final = ".parts"
HEAD_NAME: Final = "run.json"
"""What an unfinished run is, within its folder."""


def check_target(target: Path, *, replace: bool = False) -> None:
    """Refuse, before anything is computed, a target that could not be written in the end.

    Parameters
    ----------
    target : Path
    replace : bool
        Whether the target may exist.

    Raises
    ------
    ResultsError
        The target exists, or its folder is missing, is no folder, or cannot be written.
    """
    folder = target.parent
    if not folder.exists():
        raise ResultsError(f"{target}: folder '{folder}' does not exist; create it first")
    if not folder.is_dir():
        raise ResultsError(f"{target}: '{folder}' is not a folder")
    longest = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    spare = longest - len(os.fsencode(partial_path(target).name))
    if spare < 0:
        length = len(os.fsencode(target.name))
        raise ResultsError(f"{folder}: a file name of {length} bytes is too long, limit {length + spare}")
    if os.path.isdir(target):
        raise ResultsError(f"{target}: is a folder; name a file, such as '{target / 'results.h5'}'")
    if os.path.lexists(target) and not replace:
        raise ResultsError(f"{target}: exists and is not overwritten; choose another name or remove it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ResultsError(f"{target}: folder '{folder}' cannot be written")


def free_bytes(target: Path) -> int:
    """Return how much room the disk of a target has for this user [bytes]."""
    return shutil.disk_usage(target.parent).free


def refuse_without_room(target: Path, needed: float) -> None:
    """Refuse a run that would fill the disk.

    Parameters
    ----------
    target : Path
    needed : float
        Room that it takes [bytes], finished blocks and the file put together from them counted both.

    Raises
    ------
    ResultsError
        The disk has less.
    """
    free = free_bytes(target)
    if needed > free:
        raise ResultsError(
            f"{target}: needs about {_size(needed)} while it runs (finished blocks and the file made of them), "
            f"{_size(free)} are free; choose fewer replicates, another disk, or a run that stores less "
            "(--store-by, --store-theta none)"
        )


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB" if count < 1000 else f"{count:,.0f} TiB"


def sync_folder(folder: Path) -> None:
    """Return when the disk knows the names in a folder."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def real_target(target: Path) -> Path:
    """Return the file that a target stands for: what a symbolic link leads to is replaced, not the link."""
    return Path(os.path.realpath(target)) if target.is_symlink() else target  # of links in a circle: one of them


def parts_path(target: Path) -> Path:
    """Return the folder in which the unfinished run of a target lives (`simcore.store.parts`)."""
    if not target.name:
        raise ResultsError(f"{target}: is a folder; name a file, such as '{target / 'results.h5'}'")
    return target.with_name(target.name + PARTS_SUFFIX)


def partial_path(target: Path) -> Path:
    """Temporary name beside the target, of this process."""
    return target.with_name(f"{target.name}.partial-{os.getpid()}")


def publish(partial: Path, target: Path, *, replace: bool = False) -> None:
    """Give a closed file, whose content is on the disk, its final name; replaces a file only if told so.

    Raises
    ------
    ResultsError
        The target came into being meanwhile, or the folder refuses; the results stay under the temporary name.
    """
    if os.path.lexists(target) and not replace:
        raise ResultsError(f"{target}: appeared during the run and is not overwritten; the results are in {partial}")
    try:
        if replace and target.exists():
            shutil.copymode(target, partial)  # whoever could not read the old one cannot read the new one
        os.replace(partial, target)
    except OSError as problem:
        reason = os.strerror(problem.errno or 0)
        raise ResultsError(
            f"{target}: could not be given its name: {reason}; the results are in {partial}"
        ) from problem
    try:
        sync_folder(target.parent)  # the name is on the disk only when its folder is
    except OSError as problem:
        reason = os.strerror(problem.errno or 0)
        raise ResultsError(f"{target}: is whole, but the disk may not know its name yet: {reason}") from problem
