"""The invented corridor of ``tests/scenarios`` as text that a test may spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FIXTURES = Path(__file__).parents[3] / "simcore" / "verification" / "fixtures"


@pytest.fixture
def scenarios() -> Path:
    """Folder of the test scenarios."""
    return SCENARIOS


@pytest.fixture
def fixtures() -> Path:
    """Folder of the known-answer scenarios."""
    return FIXTURES


@pytest.fixture
def river_copy(tmp_path: Path) -> Path:
    """A copy of the invented corridor with its tables; its file can be changed."""
    for name in ("river.toml", "river_patch.toml", "river_population.csv", "river_sources.csv"):
        shutil.copy(SCENARIOS / name, tmp_path / name)
    return tmp_path / "river.toml"


@pytest.fixture
def spoil(river_copy: Path) -> Callable[[str, str], Path]:
    """Replace one text of the copy, which must be there exactly once, and return its path."""

    def replace(old: str, new: str, name: str = "river.toml") -> Path:
        path = river_copy.with_name(name)
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        path.write_text(text.replace(old, new))
        return path

    return replace
