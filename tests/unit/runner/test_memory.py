"""Peak memory is that of the process itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

_MEGABYTE = 2**20


def test_grows_with_what_is_touched() -> None:
    program = (
        "from simcore.runner.memory import peak_memory_bytes; before = peak_memory_bytes(); "
        f"held = bytearray({256 * _MEGABYTE}); held[::4096] = b'x' * len(held[::4096]); "
        "print(peak_memory_bytes() - before)"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert 240 * _MEGABYTE < int(printed) < 300 * _MEGABYTE


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is handed down on Linux")
def test_a_large_parent_is_not_counted() -> None:
    held = bytearray(512 * _MEGABYTE)
    held[::4096] = b"x" * len(held[::4096])
    program = "from simcore.runner.memory import peak_memory_bytes; print(peak_memory_bytes())"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert 5 * _MEGABYTE < int(printed) < 256 * _MEGABYTE
