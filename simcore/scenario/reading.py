"""Reading files that may be anything: never waiting, never more than a limit, nothing but regular files.

A name can lead to a device, a pipe that nobody writes to, or a file of the kernel that never ends. So a file is opened
without waiting, looked at when it is open (what a name stands for can change at any time), and no more is read than
the size that it has then; files of the kernel say that they have none.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from itertools import islice
from pathlib import Path
from typing import Any, Final

from simcore.errors import ScenarioError, nearest

MOST_KEY_PARTS: Final = 20
MOST_MARKS: Final = 100_000
MARKS: Final = "=,.[{"
DEEPEST: Final = 60
MOST_BITS: Final = 1024
NESTED: Final = f"tables or lists are nested too deeply (limit {DEEPEST})"

_MOST_SIBLINGS: Final = 1_000
_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_KEY_PART = r"""(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?:{_KEY_PART}[ \t]*+\.[ \t]*+){{{MOST_KEY_PARTS}}}")


def read_regular_file(path: Path, largest: int, what: str) -> bytes:
    """Return the content of a regular file.

    Parameters
    ----------
    path : Path
    largest : int
        Limit of its size [bytes].
    what : str
        What it is, for messages: ``"file"``, ``"table"``.

    Raises
    ------
    ScenarioError
        Without the file's name: it is no regular file, is too large or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError:
        raise ScenarioError("not the name of a file") from None
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ScenarioError("not a regular file")
        if status.st_size > largest:
            raise ScenarioError(f"a {what} of {status.st_size} bytes, limit {largest}")
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(status.st_size) or b""
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def absent(path: Path, pattern: str = "*") -> str | None:
    """Return why there is nothing at ``path``, with the nearest name in its folder; None if there is something.

    Parameters
    ----------
    path : Path
    pattern : str
        Which of the folder's files may have been meant.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            return "a link to a file that is not there"
        siblings = path.parent.glob(pattern) if path.parent.is_dir() else iter(())
        return f"no such file{nearest(path.name, (other.name for other in islice(siblings, _MOST_SIBLINGS)))}"
    except ValueError:  # NUL in a name
        return "no such file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None


def parse_toml(text: str, shown: str) -> dict[str, Any]:
    """Return the data of a TOML text, having looked first at what reading it will cost.

    The standard library's parser takes time with the cube of the number of parts of a dotted key, and about a kilobyte
    of memory per table.

    Parameters
    ----------
    text : str
    shown : str
        How messages name it.

    Raises
    ------
    ScenarioError
        It is not TOML, or larger, deeper or wider than any scenario needs.
    """
    marks = sum(text.count(mark) for mark in MARKS)
    if marks > MOST_MARKS:
        raise ScenarioError(f"{shown}: {marks} of the characters {MARKS} in one file, limit {MOST_MARKS}")
    long = _LONG_KEY.search(text)
    if long is not None:
        line = text.count("\n", 0, long.start()) + 1
        raise ScenarioError(f"{shown}:{line}: a key of more than {MOST_KEY_PARTS} parts")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        position = _POSITION.search(str(error))
        line_shown = position["line"] if position and position["line"] else str(text.count("\n") + 1)
        raise ScenarioError(f"{shown}:{line_shown}: not TOML: {_POSITION.sub('', str(error))}") from None
    except RecursionError:
        raise ScenarioError(f"{shown}: {NESTED}") from None
    except ValueError:  # from int(); the parser's own errors were caught above
        raise ScenarioError(f"{shown}: a whole number of thousands of digits, limit {MOST_BITS} bits") from None
    _check_values(data, shown)
    return data


def _check_values(data: object, shown: str) -> None:
    """Refuse tables and lists deep in each other, and whole numbers that no float comes near."""
    level, depth = [data], 0
    while level:
        if depth > DEEPEST:
            raise ScenarioError(f"{shown}: {NESTED}")
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        for value in level:
            if isinstance(value, int) and value.bit_length() > MOST_BITS:
                raise ScenarioError(f"{shown}: a whole number of {value.bit_length()} bits, limit {MOST_BITS}")
        depth += 1
