"""How kernels are compiled, and where their machine code is kept between runs.

numba's on-disk cache looks only at the file that holds a function: a change in an inlined function of another file
goes unnoticed and a stale answer comes back. So the cache lives in a folder named by a digest of *all* kernel sources,
the numba version and the processor: any change means a new, empty folder.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import llvmlite.binding
import numba
import numba.core.config
import platformdirs

P = ParamSpec("P")
R = TypeVar("R")

_KERNEL_FOLDERS = ("engines", "source_zone", "transit_zone", "uncertainty")


def source_digest() -> str:
    """Digest (hex, 16 characters) of every kernel source, the numba version and the processor with its features."""
    digest = hashlib.blake2b(digest_size=8)
    root = Path(__file__).parent
    files = [Path(__file__)] + [path for folder in _KERNEL_FOLDERS for path in (root / folder).rglob("*.py")]
    for path in sorted(files):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    processor = (llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten())
    digest.update(repr((numba.__version__, llvmlite.__version__, processor)).encode())
    return digest.hexdigest()


@functools.cache
def cache_folder() -> Path | None:
    """Folder of the compiled kernels of exactly these sources on this processor; None if no folder can be written."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    candidates = [Path(chosen)] if chosen else [Path(platformdirs.user_cache_dir("simcore"))]
    candidates.append(Path(tempfile.gettempdir()) / f"simcore-kernels-{os.getuid() if hasattr(os, 'getuid') else 0}")
    for candidate in candidates:
        folder = candidate / source_digest()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        owner_is_me = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
        if owner_is_me and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a pure function over plain arrays: serial, no GIL, no fastmath, cached (see the module's text).

    With ``NUMBA_DISABLE_JIT=1`` the function is returned as it is, and everything still runs (slowly).
    """
    return _compile(function)


def bare_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile like `kernel`, but without counting references to arrays: for everything that is called per stratum.

    numba counts a reference, with an atomic instruction, whenever an array is taken out of a plan; in a kernel that is
    handed a plan of fifty arrays these counts were two thirds of all time. Without them the function cannot make arrays
    (numba refuses to compile it), only fill those that it is given.
    """
    return _compile(function, counts_references=False)


def inner_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile like `bare_kernel`, and have LLVM put the function into its callers: no copy of a plan per call."""
    return _compile(function, forceinline=True, counts_references=False)


def _compile(function: Callable[P, R], *, forceinline: bool = False, counts_references: bool = True) -> Callable[P, R]:
    config: Any = numba.core.config
    # Said for every kernel: one that does not say it takes it from whichever caller happens to compile it first.
    untyped: dict[str, Any] = {"_nrt": counts_references}
    folder = cache_folder()
    previous = config.CACHE_DIR
    if folder is not None:
        config.CACHE_DIR = str(folder)
    try:
        compiled: Callable[P, R] = numba.njit(
            cache=folder is not None, nogil=True, error_model="numpy", forceinline=forceinline, **untyped
        )(function)
    finally:
        config.CACHE_DIR = previous
    return compiled
