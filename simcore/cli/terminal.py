"""Where words and tables go: data to stdout, talk to stderr; laid out for a terminal, plain when piped.

rich is imported when something is printed, not before. Text from scenario and results files is never taken for markup,
and characters that a terminal would act on are made visible.
"""

from __future__ import annotations

import io
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_LONGEST_TALK = 2_000
_PIPED_WIDTH = 10_000  # a pipe has no edge: nothing is wrapped or cut


def visible(text: str) -> str:
    """Return text with every character that is not printable, line ends but for one, written as an escape."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    """Return text as a single visible line."""
    return visible(" ".join(part.strip() for part in text.splitlines() if part.strip()))


def talk(text: str) -> None:
    """Print a line of talk to stderr; of a very long one, its two ends."""
    line = one_line(text)
    if len(line) > _LONGEST_TALK:
        line = f"{line[: _LONGEST_TALK - 305]} ... {line[-300:]}"
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _console(file: Any, *, width: int | None = None) -> Console:
    from rich.console import Console

    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)


def show(*items: RenderableType) -> None:
    """Print text or tables to stdout: in the width of the terminal, or plain and as wide as need be."""
    if sys.stdout.isatty():
        console = _console(sys.stdout)
        for item in items:
            console.print(visible(item) if isinstance(item, str) else item)
        return
    for item in items:
        if isinstance(item, str):
            sys.stdout.write(visible(item) + "\n")
            continue
        buffer = io.StringIO()
        _console(buffer, width=_PIPED_WIDTH).print(item)
        sys.stdout.write("".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines()))


def heading(text: str) -> None:
    """Print the name of what follows."""
    from rich.text import Text

    show("", Text(visible(text), style="bold"))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> Table:
    """Return a table.

    Parameters
    ----------
    columns : sequence of str
    rows : iterable of sequences of str
    right : sequence of str
        Columns that hold numbers, aligned to the right.
    """
    from rich import box
    from rich.table import Table

    if sys.stdout.isatty():
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    else:
        made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(visible(cell) for cell in row))
    return made


def grid(columns: Sequence[str], *, left: int = 1) -> Table:
    """Return an empty table with one blank between columns, for many narrow ones; after the first ``left``, numbers."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        made.add_column(visible(column), justify="left" if index < left else "right", overflow="fold")
    return made


def pairs(values: Mapping[str, str]) -> Table:
    """Return names and values below each other."""
    from rich.table import Table

    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in values.items():
        made.add_row(visible(name), visible(value))
    return made


def show_json(data: Any) -> None:
    """Print data as JSON to stdout; what is no number becomes null."""
    show_json_text(json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False))


def show_json_text(text: str) -> None:
    """Print JSON to stdout; characters that a terminal would act on become JSON's own escapes."""
    sys.stdout.write(re.sub(r"[^\n -~]", _json_character, text) + "\n")


def _json_character(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0], ensure_ascii=True)[1:-1]


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
