"""Provenance is flat text, and what cannot be found out is said to be unknown."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simcore.store import provenance


def test_environment_is_flat_text() -> None:
    found = provenance.environment()
    assert all(isinstance(value, str) and value for value in found.values())
    assert found["numpy"] == np.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", found["hdf5"])
    assert re.fullmatch("[0-9a-f]{16}|unknown", found["cpu_features"])
    assert {"numba", "llvmlite", "scipy", "h5py", "isal", "simcore", "platform", "cpu", "cpu_target"} <= set(found)
    assert found == provenance.environment()


def test_times_are_utc_and_the_command_line_can_be_typed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", provenance.utc_now())
    monkeypatch.setattr(sys, "argv", [os.path.join("bin", "simcore"), "run", "my file.toml", "-n", "5"])
    assert provenance.command_line() == "simcore run 'my file.toml' -n 5"
    monkeypatch.setattr(sys, "argv", [])
    assert provenance.command_line() == "''"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_revision_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_GIT_SECONDS", 300.0)  # what git says is tested, not how busy the machine is

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert provenance.source_revision(tmp_path) == ("unknown", "unknown")
    git("init")
    assert provenance.source_revision(tmp_path) == ("unknown", "no")
    (tmp_path / "a.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    assert provenance.source_revision(tmp_path) == (git("rev-parse", "HEAD"), "no")
    (tmp_path / "a.py").write_text("2")
    assert provenance.source_revision(tmp_path) == (git("rev-parse", "HEAD"), "yes")
    # A folder inside somebody's checkout is not that checkout.
    (tmp_path / "inside").mkdir()
    assert provenance.source_revision(tmp_path / "inside") == ("unknown", "unknown")


def test_without_git_the_revision_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", "")
    assert provenance.source_revision(tmp_path) == ("unknown", "unknown")


def test_the_processor_is_the_one_that_code_is_compiled_for(monkeypatch: pytest.MonkeyPatch) -> None:
    here = provenance.environment()
    monkeypatch.setattr("numba.config.CPU_NAME", "z80")
    monkeypatch.setattr("numba.config.CPU_FEATURES", "+none")
    there = provenance.environment()
    assert there["cpu_target"] == "z80" != here["cpu_target"]
    assert there["cpu_features"] == hashlib.blake2b(b"+none", digest_size=8).hexdigest() != here["cpu_features"]
