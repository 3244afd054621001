"""How the tests of the command line call it: in this process, in an empty folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from simcore.cli.program import app

FIXTURES = Path(__file__).parents[3] / "simcore" / "verification" / "fixtures"
TINY = str(FIXTURES / "tiny.toml")

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, without settings from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMCORE_TRACEBACK", raising=False)
    return tmp_path


@pytest.fixture
def simcore() -> Call:
    """Call the command line with arguments and return what came of it."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


@pytest.fixture(scope="session")
def results_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of 300 replicates of the tiny scenario, seed 3; not to be written to."""
    path = tmp_path_factory.mktemp("results") / "tiny.h5"
    done = CliRunner().invoke(app, ["run", TINY, "-n", "300", "-s", "3", "-o", str(path), "-q"])
    assert done.exit_code == 0, done.stderr
    return path
