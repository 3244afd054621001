"""The program as a whole: what it imports, how it ends, what it says when something goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simcore import __version__
from simcore.cli import elsewhere, listing, main
from simcore.errors import ResultsError

from .conftest import Call

HEAVY = ("numpy", "numba", "pandas", "h5py", "scipy", "matplotlib")
OWN_VERBS = ("list", "show", "check", "run", "info", "expected", "verify", "warmup")


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], (*HEAVY, "pydantic")),
        (["-V"], (*HEAVY, "pydantic")),
        (["run", "--help"], HEAVY),  # typer reads the arguments of a verb with pydantic
        (["list"], HEAVY),
        (["list", "--json"], HEAVY),
    ],
)
def test_quick_verbs_import_nothing_heavy(arguments: list[str], heavy: tuple[str, ...]) -> None:
    program = (
        "import sys\n"
        "from simcore.cli import main\n"
        f"code = main({arguments!r})\n"
        f"heavy = [name for name in {heavy!r} if name in sys.modules]\n"
        "elsewhere = [name for name in sys.modules if name.partition('.')[0] == 'analysis']\n"
        "sys.exit(f'{code} {heavy} {elsewhere}' if code or heavy or elsewhere else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_names_every_verb_also_those_of_other_packages(simcore: Call) -> None:
    done = simcore("--help")
    assert done.exit_code == 0
    for verb in (*OWN_VERBS, *(entry.name for entry in elsewhere.entries(elsewhere.VERBS))):
        assert f" {verb} " in done.stdout
    assert "summary" in done.stdout


@pytest.mark.parametrize("verb", OWN_VERBS)
def test_every_verb_has_help(simcore: Call, verb: str) -> None:
    done = simcore(verb, "--help")
    assert done.exit_code == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(simcore: Call, option: str) -> None:
    done = simcore(option)
    assert (done.exit_code, done.stdout) == (0, f"simcore {__version__}\n")


def test_no_verb_shows_the_help_and_is_a_mistake(simcore: Call) -> None:
    done = simcore()
    assert done.exit_code == 2
    assert "Usage" in done.stdout


def test_main_returns_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert main(["rum"]) == 2
    assert "did you mean 'run'" in capsys.readouterr().err.lower()


class TestUnexpectedErrors:
    """A mistake of the program, not of the user."""

    @pytest.fixture(autouse=True)
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(path: Path) -> int:
            raise ZeroDivisionError("two\nlines")

        monkeypatch.setattr(listing, "_cohort_year", fail)

    def test_one_line_and_exit_code_1(self, simcore: Call) -> None:
        done = simcore("list")
        assert done.exit_code == 1
        assert done.stdout == ""
        assert done.stderr.startswith("unexpected error: ZeroDivisionError: two lines: please report it")
        assert done.stderr.count("\n") == 1

    def test_traceback_on_request(self, simcore: Call) -> None:
        done = simcore("--traceback", "list")
        assert done.exit_code == 1
        assert "Traceback" in done.stderr
        assert "unexpected error" in done.stderr

    def test_traceback_by_environment(self, simcore: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIMCORE_TRACEBACK", "1")
        assert "Traceback" in simcore("list").stderr
        monkeypatch.setenv("SIMCORE_TRACEBACK", "0")
        assert "Traceback" not in simcore("list").stderr


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (MemoryError("9 GiB"), 1, "error: not enough memory: 9 GiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ResultsError("x.h5: is damaged"), 2, "error: x.h5: is damaged"),
        (ResultsError("a\x1b[2Jb"), 2, "error: a\\x1b[2Jb"),
    ],
)
def test_endings(simcore: Call, monkeypatch: pytest.MonkeyPatch, problem: BaseException, code: int, words: str) -> None:
    def fail(path: Path) -> int:
        raise problem

    monkeypatch.setattr(listing, "_cohort_year", fail)
    done = simcore("list")
    assert (done.exit_code, done.stderr) == (code, f"{words}\n")


def test_a_full_disk_is_a_failure_while_running_not_bad_input(simcore: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> int:
        try:
            raise OSError(28, "No space left on device")
        except OSError as problem:
            raise ResultsError("x.h5: could not write block 3: No space left on device") from problem

    monkeypatch.setattr(listing, "_cohort_year", fail)
    assert simcore("list").exit_code == 1


def test_a_reader_that_leaves_early_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "simcore.cli", "show", "phase1"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert done.stderr == b""


def test_text_that_a_terminal_cannot_show_does_not_stop_the_program() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "simcore.cli", "--help"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
