"""New files that appear whole or not at all: written under a temporary name, brought to the disk, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simcore.errors import ResultsError
from simcore.store.signals import undisturbed
from simcore.store.target import check_target, partial_path, publish


def check_targets(targets: Sequence[Path]) -> None:
    """Refuse, before anything is read, what could not be written in the end.

    Raises
    ------
    ResultsError
        A target exists, or its folder is missing or cannot be written.
    """
    for target in targets:
        if os.path.isdir(target):  # unlike Path.is_dir, says no to a name that is too long
            raise ResultsError(f"{target}: is a folder; name a file, such as '{target / 'tidy.parquet'}'")
        check_target(target)


@contextmanager
def new_files(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Yield temporary names, one per target, under which the body writes and closes files.

    Then all are brought to the disk and get their names, the first target last: where it is, the others are. If the
    body fails or is interrupted, nothing stays.

    Raises
    ------
    ResultsError
        The disk is full or fails, or a target came into being meanwhile (its content then stays under the
        temporary name).
    """
    check_targets(targets)
    partials = tuple(partial_path(target) for target in targets)
    written = False
    try:
        yield partials
        for partial in partials:
            _bring_to_disk(partial)
        with undisturbed():
            written = True
            for partial, target in zip(reversed(partials), reversed(targets), strict=True):
                publish(partial, target)
    except OSError as problem:
        reason = os.strerror(problem.errno) if problem.errno else str(problem)
        raise ResultsError(f"{targets[0]}: could not be written: {reason}; nothing was kept") from problem
    finally:
        if not written:
            for partial in partials:
                partial.unlink(missing_ok=True)


def _bring_to_disk(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())
