"""Commands in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence


def run_python(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run this Python with arguments (and some more environment variables) and return what it prints.

    Raises
    ------
    RuntimeError
        If it fails; with the last line that it said.
    """
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=os.environ | dict(environment or {})
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(f"a process that was to be measured failed ({done.returncode}): {said[-1] if said else ''}")
    return done.stdout
