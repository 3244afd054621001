"""Where a key stands in a TOML text: line numbers for error messages.

The standard library's parser gives values without positions. This scanner reads the same text once more, only when an
error has to be shown, and only for its keys. It trusts that the text is valid TOML.
"""

from __future__ import annotations

import contextlib
import json
import tomllib

KeyPath = tuple[str | int, ...]
"""Keys from the top of a file inwards; an int is the position in a list."""

_BLANK = " \t"
_SPACE = " \t\r\n"
_BARE_END = " \t\r\n=.]}"
_LONGEST_PART = 80  # of a key that is shown; names in use are shorter


class _Scanner:
    """One pass over a text; `lines` holds what was found."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self._counted = 0
        self._line = 1  # of the character at `_counted`
        self.lines: dict[KeyPath, int] = {}
        self.array_sizes: dict[KeyPath, int] = {}

    def scan(self) -> None:
        table: KeyPath = ()
        while self._skip(_SPACE):
            if self._at("["):
                table = self._header()
            else:
                self._pair(table)

    def _at(self, token: str) -> bool:
        return self.text.startswith(token, self.position)

    def _skip(self, blanks: str) -> bool:
        """Move past blanks and comments; False at the end of the text."""
        while self.position < len(self.text):
            if self.text[self.position] == "#" and "\n" in blanks:
                end = self.text.find("\n", self.position)
                self.position = len(self.text) if end < 0 else end
            elif self.text[self.position] in blanks:
                self.position += 1
            else:
                return True
        return False

    def _note(self, path: KeyPath) -> None:
        if self.position < self._counted:
            self._line -= self.text.count("\n", self.position, self._counted)
        else:
            self._line += self.text.count("\n", self._counted, self.position)
        line, self._counted = self._line, self.position
        for depth in range(1, len(path) + 1):
            self.lines.setdefault(path[:depth], line)

    def _header(self) -> KeyPath:
        is_array = self._at("[[")
        self.position += 2 if is_array else 1
        start = self.position
        path: KeyPath = ()
        parts = self._dotted_key()
        for depth, part in enumerate(parts, start=1):
            path = (*path, part)
            if path in self.array_sizes and not (is_array and depth == len(parts)):
                path = (*path, self.array_sizes[path] - 1)
        if is_array:
            index = self.array_sizes.get(path, 0)
            self.array_sizes[path] = index + 1
            path = (*path, index)
        end = self.position
        self.position = start
        self._note(path)
        self.position = end + (2 if is_array else 1)
        return path

    def _dotted_key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_BLANK)
            if self.text[self.position] in "\"'":
                start = self.position
                self._string()
                parts.append(next(iter(tomllib.loads(f"{self.text[start : self.position]} = 0"))))
            else:
                start = self.position
                while self.text[self.position] not in _BARE_END:
                    self.position += 1
                parts.append(self.text[start : self.position])
            self._skip(_BLANK)
            if not self._at("."):
                return parts
            self.position += 1

    def _pair(self, table: KeyPath) -> None:
        start = self.position
        path = (*table, *self._dotted_key())
        end = self.position
        self.position = start
        self._note(path)
        self.position = end + 1  # past "="
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        character = self.text[self.position]
        if character in "\"'":
            self._string()
        elif character == "{":
            self.position += 1
            while self._skip(_SPACE + ",") and not self._at("}"):
                self._pair(path)
            self.position += 1
        elif character == "[":
            self.position += 1
            index = 0
            while self._skip(_SPACE + ",") and not self._at("]"):
                self._note((*path, index))
                self._value((*path, index))
                index += 1
            self.position += 1
        else:
            while self.position < len(self.text) and self.text[self.position] not in ",]}#\r\n":
                self.position += 1

    def _string(self) -> None:
        quote = self.text[self.position]
        fence = quote * 3 if self._at(quote * 3) else quote
        self.position += len(fence)
        while not self._at(fence):
            self.position += 2 if self.text[self.position] == "\\" and quote == '"' else 1
        self.position += len(fence)
        while len(fence) == 3 and self._at(quote):  # up to two quotes may stand right before the closing fence
            self.position += 1


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) of every key path of a valid TOML text; what cannot be followed is left out."""
    scanner = _Scanner(text)
    with contextlib.suppress(IndexError, RecursionError):
        scanner.scan()
    return scanner.lines


def show_path(path: KeyPath) -> str:
    """Return a key path as one would write it in TOML: ``strata.age_band.12-17``, ``cells[0].persons``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        if len(part) > _LONGEST_PART:
            part = f"{part[: _LONGEST_PART - 3]}..."
        bare = part.isascii() and part.replace("_", "").replace("-", "").isalnum()
        text += ("." if text else "") + (part if bare else json.dumps(part, ensure_ascii=not part.isprintable()))
    return text
