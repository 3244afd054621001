"""What other packages add to the command line, found through entry points and imported only when it is used.

Group ``simcore.verbs``: name -> a function with typer's annotations (or a `typer.Typer`), which becomes a verb. Group
``simcore.headline``: name -> a function that takes `simcore.Results` and returns what `simcore run` prints at its end.
"""

from __future__ import annotations

import ast
import importlib.util
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from simcore.errors import UserError

VERBS = "simcore.verbs"
HEADLINE = "simcore.headline"
_HOME = Path(__file__).resolve().parents[2]  # the folder that holds the package simcore


def entries(group: str) -> list[EntryPoint]:
    """Return the entry points of a group, one per name, sorted by name."""
    return [entry for _, entry in sorted({entry.name: entry for entry in entry_points(group=group)}.items())]


def _package_folders(entry: EntryPoint) -> list[Path]:
    """Return where the top package of an entry point would be imported from, without importing it."""
    try:
        spec = importlib.util.find_spec(entry.module.partition(".")[0])
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    found = spec.submodule_search_locations
    return [Path(folder) for folder in found] if found else [Path(spec.origin or "")]


def refuse_shadow(entry: EntryPoint) -> None:
    """Raise if a package that was installed together with this program is hidden by one of the user's.

    Raises
    ------
    UserError
        Naming the folder or file that is in the way.
    """
    own = entry.dist is not None and entry.dist.name == "simcore"
    package = entry.module.partition(".")[0]
    folders = _package_folders(entry)
    if own and folders and (_HOME / package).is_dir() and folders[0].resolve() != _HOME / package:
        raise UserError(
            f"{folders[0]}: hides the package '{package}' that came with simcore; rename it, or work in another folder"
        )


def refuse_shadows(group: str) -> None:
    """Check every entry point of a group with `refuse_shadow`."""
    for entry in entries(group):
        refuse_shadow(entry)


def load_entry(entry: EntryPoint) -> Any:
    """Import what an entry point names.

    Raises
    ------
    UserError
        If the package is hidden by another one or is not there.
    """
    refuse_shadow(entry)
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        if error.name is None or not f"{entry.module}.".startswith(f"{error.name}."):
            raise  # a mistake inside the package, not a missing package
        raise UserError(f"{entry.module}: not installed (it provides '{entry.name}')") from None
    except AttributeError:
        raise UserError(f"{entry.module}: has no function '{entry.attr}' (it should provide '{entry.name}')") from None


def _first_line(entry: EntryPoint) -> str:
    """Return the first line of the docstring of an entry point's function, read without importing it."""
    _, *inner = entry.module.split(".")
    for folder in _package_folders(entry):
        path = folder.joinpath(*inner).with_suffix(".py") if inner else folder / "__init__.py"
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
                return (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")
    return ""


class VerbElsewhere(TyperCommand):
    """A verb of another package: known by name, imported when it is typed."""

    def __init__(self, entry: EntryPoint) -> None:
        line = _first_line(entry)
        origin = f"(from the package {entry.module.partition('.')[0]})"
        super().__init__(entry.name, help=f"{line} {origin}".strip(), context_settings={"ignore_unknown_options": True})
        self.entry = entry

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Import the verb and hand everything over to it."""
        found = load_entry(self.entry)
        if isinstance(found, typer.Typer):
            program = found
        else:
            program = typer.Typer(add_completion=False)
            program.command(self.entry.name)(found)
        return typer.main.get_command(program).make_context(info_name, args, parent=parent, **extra)
