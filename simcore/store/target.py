"""Where a results file goes: checks before a run starts, and the step that makes a finished file visible.

A file is written under a temporary name beside its target and renamed when it is complete and on the disk: a run that
dies leaves no file that looks finished.
"""

from __future__ import annotations

import os
from pathlib import Path

from simcore.errors import ResultsError


def check_target(target: Path) -> None:
    """Refuse, before anything is computed, a target that could not be written in the end.

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
    if target.is_dir():
        raise ResultsError(f"{target}: is a folder; name a file, such as '{target / 'results.h5'}'")
    if os.path.lexists(target):
        raise ResultsError(f"{target}: exists and is not overwritten; choose another name or remove it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ResultsError(f"{target}: folder '{folder}' cannot be written")


def partial_path(target: Path) -> Path:
    """Temporary name beside the target, of this process."""
    return target.with_name(f"{target.name}.partial-{os.getpid()}")


def publish(partial: Path, target: Path) -> None:
    """Give a closed file, whose content is on the disk, its final name; never replaces a file.

    Raises
    ------
    ResultsError
        The target came into being meanwhile, or the folder refuses; the results stay under the temporary name.
    """
    if os.path.lexists(target):
        raise ResultsError(f"{target}: appeared during the run and is not overwritten; the results are in {partial}")
    try:
        os.rename(partial, target)
        if os.name == "posix":  # the name is on the disk only when its folder is
            descriptor = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except OSError as problem:
        reason = os.strerror(problem.errno or 0)
        raise ResultsError(
            f"{target}: could not be given its name: {reason}; the results are in {partial}"
        ) from problem
