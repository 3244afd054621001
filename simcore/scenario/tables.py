"""CSV tables that a scenario names: where they may lie, and how their rows are read.

A table's path is relative to the file that names it and stays in that file's folder. Cells are text; an empty cell is
missing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from simcore.errors import ScenarioError, nearest
from simcore.scenario.reading import absent, read_regular_file

LARGEST_TABLE_BYTES = 64 * 2**20
MOST_LINES = 1_000_000
MOST_COLUMNS = 1_000
MOST_CELLS = 4_000_000
LONGEST_ROW = 2**20


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes
    ----------
    place : str
        ``file:line``.
    cells : dict
        Column -> text without blanks around it.
    """

    place: str
    cells: dict[str, str]

    def error(self, column: str, text: str) -> ScenarioError:
        """Return the error ``file:line: column: text``."""
        return ScenarioError(f"{self.place}: {column}: {text}")

    def number(self, column: str, *, negative: bool = False) -> float | None:
        """Return a cell as a finite number, not negative unless ``negative`` says so; None if it is empty."""
        cell = self.cells[column]
        if not cell:
            return None
        try:
            value = float(cell) if "_" not in cell else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(column, f"must be a finite number, got {cell!r}")
        if value < 0 and not negative:
            raise self.error(column, f"must be at least 0, got {cell}")
        return value

    def whole(self, column: str) -> int | None:
        """Return a cell as a whole number that is not negative, None if it is empty."""
        value = self.number(column)
        if value is not None and value != int(value):
            raise self.error(column, f"must be a whole number, got {self.cells[column]}")
        return None if value is None else int(value)


def read_table_text(name: str, folder: Path) -> str:
    """Return the text of table ``name`` in ``folder``.

    Raises
    ------
    ScenarioError
        Without file and key: if the name leaves the folder, or the file is missing, not regular, too large, not UTF-8.
    """
    pure = PurePosixPath(name)
    if not name or "\\" in name or pure.is_absolute() or ".." in pure.parts or Path(name).is_absolute():
        raise ScenarioError(f"must be a path below this file's folder with '/' between its parts, got {name!r}")
    try:
        path = folder / name
        if missing := absent(path):
            what, semicolon, hint = missing.partition(";")
            raise ScenarioError(f"{what}: {path}{semicolon}{hint}")
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ScenarioError(f"leads out of this file's folder: {name!r} is {path.resolve()}")
        try:
            content = read_regular_file(path, LARGEST_TABLE_BYTES, "table")
        except ScenarioError as error:
            raise ScenarioError(f"{error}: {path}") from None
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"not UTF-8 text (byte {error.start}): {name}") from None


def read_rows(text: str, shown: str, needed: Iterable[str]) -> list[Row]:
    """Return the rows of a CSV text with a header.

    Parameters
    ----------
    text : str
    shown : str
        How messages name the table.
    needed : iterable of str
        Columns that must be there.

    Raises
    ------
    ScenarioError
        Naming the table, the line and the column, or what passes a limit.
    """
    number = text.count("\n")
    if number > MOST_LINES:
        raise ScenarioError(f"{shown}: a table of {number} lines, limit {MOST_LINES}")
    lines = _Lines(text, shown)
    reader = csv.reader(lines, strict=True)
    rows: list[Row] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not any(header):
            raise ScenarioError(f"{shown}: an empty table; its first line must name the columns")
        if len(header) > MOST_COLUMNS:
            raise ScenarioError(f"{shown}:1: {len(header)} columns, limit {MOST_COLUMNS}")
        most_rows = MOST_CELLS // len(header)
        if not all(name.isprintable() for name in header):
            raise ScenarioError(f"{shown}:1: column names must be one line of text each")
        if len(set(header)) < len(header):
            double = next(name for name in header if header.count(name) > 1)
            raise ScenarioError(f"{shown}:1: the column {double!r} exists twice")
        for column in needed:
            if column not in header:
                hint = nearest(column, header) or f" (it has {', '.join(header)})"
                raise ScenarioError(f"{shown}:1: missing column {column!r}{hint}")
        lines.row_begins()
        for cells in reader:
            lines.row_begins()
            if not any(cell.strip() for cell in cells):
                continue
            place = f"{shown}:{reader.line_num}"
            if len(cells) != len(header):
                raise ScenarioError(f"{place}: {len(cells)} cells, the header has {len(header)}")
            if len(rows) == most_rows:
                raise ScenarioError(f"{place}: more than {most_rows} rows, limit for {len(header)} columns")
            rows.append(Row(place, dict(zip(header, (cell.strip() for cell in cells), strict=True))))
    except csv.Error as error:
        raise ScenarioError(f"{shown}:{reader.line_num}: not CSV: {error}") from None
    return rows


class _Lines:
    """The lines of a text, one at a time; a row of a table that never ends is refused."""

    def __init__(self, text: str, shown: str) -> None:
        self._text = text
        self._shown = shown
        self._position = 0
        self._line = 0
        self._begin = 0

    def row_begins(self) -> None:
        """Say that what comes next belongs to another row (which may span lines, if a cell is in quotes)."""
        self._begin = self._position

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        start = self._position
        if start == len(self._text):
            raise StopIteration
        self._line += 1
        end = self._text.find("\n", start)
        self._position = len(self._text) if end < 0 else end + 1
        if self._position - self._begin > LONGEST_ROW:
            raise ScenarioError(f"{self._shown}:{self._line}: a row of more than {LONGEST_ROW} characters")
        return self._text[start : self._position]


def read_sources(text: str, shown: str) -> dict[str, dict[str, str]]:
    """Return source id -> its columns.

    Raises
    ------
    ScenarioError
        If an id is missing or given twice.
    """
    sources: dict[str, dict[str, str]] = {}
    for row in read_rows(text, shown, ["source_id"]):
        name = row.cells["source_id"]
        if not name:
            raise row.error("source_id", "a missing cell")
        if name in sources:
            raise row.error("source_id", f"{name!r} is described twice")
        sources[name] = row.cells
    return sources
