"""Errors that are the user's to mend: one plain line each, exit code 2, no traceback."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable
from itertools import islice

# Comparing takes time with the number of words, and with their lengths squared.
_MOST_COMPARED, _LONGEST_COMPARED = 2_000, 100


class UserError(Exception):
    """A mistake in what the user gave; the message names file, key, value and limit."""


class ScenarioError(UserError):
    """A scenario file, or a table that it names, that cannot be used."""


class ResultsError(UserError):
    """A results file that cannot be read, written or used for what was asked."""


class DamageError(ResultsError):
    """Numbers of a results file are not what was written; `simcore.resume` can compute them again.

    Attributes
    ----------
    place : str
        The file.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place


class UnreadableError(ResultsError):
    """A results file is damaged where nobody can tell any more what it holds, so that nothing can be computed again."""


class UnfinishedError(ResultsError):
    """This very run was begun and did not end: `simcore.resume` goes on with it."""


def command(verb: str, *arguments: object) -> str:
    """Return a command of this program, quoted so that it can be typed as it stands."""
    return shlex.join(["simcore", verb, *(str(argument) for argument in arguments)])


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, else an empty string."""
    if len(word) > _LONGEST_COMPARED:
        return ""
    words = [other for other in islice(known, _MOST_COMPARED) if len(other) <= _LONGEST_COMPARED]
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
