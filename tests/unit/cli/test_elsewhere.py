"""Verbs and headline numbers of other packages: found without importing them, imported when used."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from simcore.cli import elsewhere, program
from simcore.errors import UserError

VERB = '''"""A package with a verb."""
from typing import Annotated
import typer

def greet(name: str, times: Annotated[int, typer.Option("--times")] = 1) -> int:
    """Greet somebody
    politely.

    At length.
    """
    print("hello " * times + name)
    return 3 if name == "nobody" else 0
'''


@pytest.fixture
def package(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> EntryPoint:
    """A package that is installed elsewhere, and the entry point of its verb."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "politeness").mkdir()
    (folder / "politeness" / "__init__.py").write_text("")
    (folder / "politeness" / "verbs.py").write_text(VERB)
    monkeypatch.syspath_prepend(str(folder))
    for name in ("politeness", "politeness.verbs"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    entry = EntryPoint("greet", "politeness.verbs:greet", elsewhere.VERBS)
    monkeypatch.setattr(program, "entries", lambda group: [entry])
    return entry


def call(*arguments: str) -> Any:
    return CliRunner().invoke(program.app, list(arguments))


def test_help_names_the_verb_without_importing_it(package: EntryPoint) -> None:
    done = call("--help")
    assert "Greet somebody politely" in done.stdout
    assert (
        "from the package politeness" in done.stdout.replace("\n", " ").replace("│", "") or "politeness" in done.stdout
    )
    assert "politeness" not in sys.modules


def test_the_verb_runs_with_its_own_options_and_exit_code(package: EntryPoint) -> None:
    done = call("greet", "you", "--times", "2")
    assert (done.exit_code, done.stdout) == (0, "hello hello you\n")
    assert call("greet", "nobody").exit_code == 3
    assert "--times" in call("greet", "--help").stdout
    wrong = call("greet", "you", "--tmes", "2")
    assert wrong.exit_code == 2
    assert "did you mean '--times'" in wrong.stderr


def test_own_verbs_win(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("run", "politeness.verbs:greet", elsewhere.VERBS)
    monkeypatch.setattr(program, "entries", lambda group: [entry])
    assert "politeness" not in call("--help").stdout


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("greet", "no_such_package.verbs:greet", elsewhere.VERBS)
    monkeypatch.setattr(program, "entries", lambda group: [entry])
    done = call("greet")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "error: no_such_package.verbs: not installed (it provides 'greet')\n"
    assert "greet" in call("--help").stdout


def test_a_missing_function_is_one_line(package: EntryPoint) -> None:
    with pytest.raises(UserError, match="has no function 'gret'"):
        elsewhere.load_entry(EntryPoint("greet", "politeness.verbs:gret", elsewhere.VERBS))


def test_a_mistake_inside_the_package_is_not_called_a_missing_package(package: EntryPoint) -> None:
    path = Path(elsewhere._package_folders(package)[0]) / "verbs.py"
    path.write_text("import no_such_library\n" + VERB)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        elsewhere.load_entry(package)


@pytest.mark.parametrize("with_init", [True, False])
@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("analysis", ["summary", "x.h5"]),
        ("scenarios", ["list"]),
        ("scenarios", ["show", "phase1"]),
        ("scenarios", ["run", "phase1", "-n", "5"]),
    ],
)
def test_a_folder_of_the_user_in_the_way_is_one_line(
    folder: Path, package: str, arguments: list[str], with_init: bool
) -> None:
    (folder / package).mkdir()
    if with_init:
        (folder / package / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "simcore.cli", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"hides the package '{package}'" in done.stderr
    assert str(folder / package) in done.stderr
