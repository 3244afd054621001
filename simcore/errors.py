"""Errors that are the user's to mend: one plain line each, exit code 2, no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what the user gave; the message names file, key, value and limit."""


class ScenarioError(UserError):
    """A scenario file, or a table that it names, that cannot be used."""


class ResultsError(UserError):
    """A results file that cannot be read, written or used for what was asked."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, else an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
