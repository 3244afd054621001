"""Tables that a narrow terminal can hold: numbers are never broken, names wrap at ``_``, columns go below each other.

In a pipe, and where a table fits as it is, it is that of `simcore.cli.terminal.table`. Where it does not, texts are
wrapped between words; if that is not enough the columns are shown in several tables, each with the columns that name
the row.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simcore.cli.terminal import show, table, visible

if TYPE_CHECKING:
    from rich.table import Table

_GAP = 2  # blanks between columns
_RIBBON = 16  # texts are not wrapped to less than this
_LONGEST_KEYS = 28  # all columns that name the row together are not wrapped to less than this
_BREAKS = re.compile(r"(?<= )(?=[^ ])|(?<=_)(?=[^_])|(?<=[A-Za-z\]]\.)(?=[A-Za-z])")
_ERROR = "MCSE"


@dataclass(frozen=True)
class _Column:
    """A column, and the least and the greatest width that it can use."""

    header: str
    cells: tuple[str, ...]
    is_number: bool
    least: int
    most: int


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), keys: int) -> None:
    """Print a table.

    Parameters
    ----------
    columns : sequence of str
    rows : sequence of sequences of str
    right : sequence of str
        Columns that hold numbers: aligned to the right and never wrapped.
    keys : int
        Columns at the left that name the row; they are repeated where the table is shown in parts.
    """
    usual = table(columns, rows, right=right)
    if not sys.stdout.isatty():
        show(usual)
        return
    from rich.console import Console

    console = Console(file=sys.stdout)
    if console.measure(usual, options=console.options.update_width(100_000)).maximum <= console.width:
        show(usual)
        return
    shown = [[visible(str(cell)) for cell in row] for row in rows]
    every = [
        _measured(
            visible(name),
            [row[i] for row in shown],
            key_width=_LONGEST_KEYS // keys if i < keys else 0,
            is_number=name in right,
        )
        for i, name in enumerate(columns)
    ]
    for number, part in enumerate(_parts(every[:keys], every[keys:], console.width)):
        if number:
            show("")
        show(_made(every[:keys], part, console.width))


def wrap(text: str, width: int) -> list[str]:
    """Return text in lines: broken between words and after ``_``, and elsewhere only where one piece is too long."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    lines, line = [], indent
    for whole_piece in _BREAKS.split(text.strip(" ")):
        piece = whole_piece
        if line.strip() and len(line) + len(piece.rstrip(" ")) > width:
            lines.append(line.rstrip(" "))
            line = indent
        while len(line) + len(piece.rstrip(" ")) > width:
            room = max(width - len(line), 1)
            lines.append(line + piece[:room])
            line, piece = indent, piece[room:]
        line += piece
    return [*lines, line.rstrip(" ")]


def _longest_piece(text: str) -> int:
    indent = len(text) - len(text.lstrip(" "))
    return indent + max(len(piece.rstrip(" ")) for piece in _BREAKS.split(text.strip(" ")))


def _measured(header: str, cells: list[str], *, key_width: int, is_number: bool) -> _Column:
    most = max(len(text) for text in (header.rstrip(" "), *cells))
    least = max([_longest_piece(header), *(len(cell) if is_number else _longest_piece(cell) for cell in cells)])
    if not is_number:
        least = max(least, min(most, key_width or _RIBBON))
    return _Column(header, tuple(cells), is_number, least, most)


def _parts(keys: list[_Column], columns: list[_Column], width: int) -> list[list[_Column]]:
    """Return the columns in parts that fit beside the keys; an error stays with the figure before it."""
    groups: list[list[_Column]] = []
    for column in columns:
        if groups and column.header.startswith(_ERROR):
            groups[-1].append(column)
        else:
            groups.append([column])
    room = width - sum(key.least + _GAP for key in keys)
    parts: list[list[_Column]] = []
    for group in groups:
        together = [*(parts[-1] if parts else []), *group]
        if parts and sum(column.least + _GAP for column in together) - _GAP <= room:
            parts[-1] = together
        else:
            parts.append(list(group))
    return parts


def _widths(columns: list[_Column], width: int) -> list[int]:
    """Return least widths, and what is left over to the columns that can use it; less than least if it must be."""
    widths = [column.least for column in columns]
    room = width - sum(widths) - _GAP * (len(columns) - 1)
    while room < 0 and max(widths) > 1:
        texts = [i for i, column in enumerate(columns) if not column.is_number] or list(range(len(columns)))
        widest = max(texts, key=lambda i: widths[i])
        if widths[widest] <= 1:
            break
        widths[widest] -= 1
        room += 1
    while room > 0:
        wanting = [i for i, column in enumerate(columns) if widths[i] < column.most]
        if not wanting:
            break
        narrowest = min(wanting, key=lambda i: widths[i])
        widths[narrowest] += 1
        room -= 1
    return widths


def _made(keys: list[_Column], part: list[_Column], width: int) -> Table:
    """Return one part; rows of which it would say nothing are left out."""
    from rich import box
    from rich.table import Table

    columns = [*keys, *part]
    widths = _widths(columns, width)
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for column, wide in zip(columns, widths, strict=True):
        header = "\n".join(wrap(column.header, wide))
        made.add_column(header, justify="right" if column.is_number else "left", width=wide, overflow="fold")
    for row in range(len(columns[0].cells)):
        if any(column.cells[row].strip() for column in part):
            cells = ["\n".join(wrap(column.cells[row], wide)) for column, wide in zip(columns, widths, strict=True)]
            made.add_row(*cells)
    return made
