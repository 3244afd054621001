"""Where a result comes from: program, libraries, processor, source revision, command line and time.

Everything is flat text, ready to be stored as attributes of a results file. What cannot be found out is "unknown".
"""

from __future__ import annotations

import datetime
import hashlib
import importlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

UNKNOWN: Final = "unknown"

_GIT_SECONDS: Final = 5.0
"""A run does not wait longer for git, which may be looking through a large tree on a slow disk."""

_LIBRARIES: Final = ("numpy", "numba", "llvmlite", "scipy", "h5py", "isal")


def environment() -> dict[str, str]:
    """Describe the environment that numbers were made in.

    Returns
    -------
    dict of str
        ``simcore``, ``python``, ``numpy``, ``numba``, ``llvmlite``, ``scipy``, ``h5py``, ``isal``, ``hdf5``: versions;
        ``platform``; ``cpu``: model name; ``cpu_target``: what machine code is compiled for; ``cpu_features``:
        BLAKE2b-64 of the enabled instruction sets; ``git_commit`` and ``git_dirty`` ("yes", "no") of the source tree.
    """
    import h5py

    versions = {name: _version(name) for name in ("simcore", *_LIBRARIES)}
    target, features = _machine_code_target()
    commit, dirty = source_revision()
    return {
        **versions,
        "python": platform.python_version(),
        "hdf5": h5py.version.hdf5_version,
        "platform": platform.platform(),
        "cpu": _processor_name(),
        "cpu_target": target,
        "cpu_features": features,
        "git_commit": commit,
        "git_dirty": dirty,
    }


def source_revision(root: Path | None = None) -> tuple[str, str]:
    """Commit of the source tree and whether it has changes ("yes", "no"), if it is a git checkout.

    Parameters
    ----------
    root : Path, optional
        Folder that holds the package; by default that of this program.
    """
    folder = Path(__file__).resolve().parents[2] if root is None else root.resolve()
    # A package installed inside somebody else's checkout must not borrow that checkout's commit.
    if not (folder / ".git").exists():
        return UNKNOWN, UNKNOWN
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = _git(folder, "status", "--porcelain")
    dirty = UNKNOWN if changes is None else ("yes" if changes else "no")
    return commit or UNKNOWN, dirty


def utc_now() -> str:
    """Time now, UTC, ISO 8601 to the second: ``2026-01-31T12:00:00Z``."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def command_line() -> str:
    """The command that runs this process, quoted so that it can be typed again."""
    program, *arguments = sys.argv or [""]
    return shlex.join([Path(program).name, *arguments])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a git command that only reads; None if git is absent, slow or unwilling."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor_name() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or UNKNOWN


def _machine_code_target() -> tuple[str, str]:
    """Processor that LLVM compiles for and BLAKE2b-64 of the features it uses."""
    binding = importlib.import_module("llvmlite.binding")
    config = importlib.import_module("numba").config  # NUMBA_CPU_NAME and NUMBA_CPU_FEATURES

    name: str = config.CPU_NAME or binding.get_host_cpu_name()
    try:
        features = binding.get_host_cpu_features().flatten() if config.CPU_FEATURES is None else config.CPU_FEATURES
    except RuntimeError:
        return name, UNKNOWN
    digest = hashlib.blake2b(features.encode(), digest_size=8).hexdigest()
    return name, digest
