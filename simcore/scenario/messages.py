"""From pydantic's error list to one line per mistake: key path and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sized
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from simcore.errors import nearest
from simcore.scenario.fields import shown
from simcore.scenario.locations import KeyPath
from simcore.scenario.patches import holds

Problem = tuple[KeyPath, str]


def _key_path(location: tuple[str | int, ...], data: Any) -> KeyPath:
    """Return where in ``data`` an error is, without the words that pydantic adds (union tags, ``[key]``)."""
    path: list[str | int] = []
    tag_passed = False
    for index, step in enumerate(location):
        is_tag = isinstance(data, Mapping) and not tag_passed and data.get("family") == step
        if step == "[key]" or (is_tag and isinstance(step, str)):
            tag_passed = True
            continue
        tag_passed = False
        if holds(data, step):
            data = data[step]
        elif index < len(location) - 1 or isinstance(step, int):  # a word of pydantic's, or a text for a list of one
            continue
        path.append(step)
    return tuple(path)


def _choice(value: object, known: tuple[str, ...]) -> str:
    hint = nearest(value, known) if isinstance(value, str) else ""
    return f"{shown(value)} is not one of {', '.join(known)}{hint}"


def _text(error: Mapping[str, Any]) -> str:
    """Return what is wrong, with value and limit."""
    kind, value, context = error["type"], error.get("input"), error.get("ctx", {})
    match kind:
        case "problem":
            return str(context["text"])
        case "missing":
            return "missing key"
        case "greater_than":
            return f"must be above {context['gt']:g}, got {shown(value)}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}, got {shown(value)}"
        case "less_than":
            return f"must be below {context['lt']:g}, got {shown(value)}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}, got {shown(value)}"
        case "float_type":
            return f"must be a number, got {shown(value)}"
        case "finite_number":
            return f"must be a finite number, got {shown(value)}"
        case "int_type" | "int_from_float":
            return f"must be a whole number, got {shown(value)}"
        case "string_type":
            return f"must be text, got {shown(value)}"
        case "string_too_short":
            return "must not be empty"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"must be a table, got {shown(value)}"
        case "list_type" | "tuple_type":
            return f"must be a list, got {shown(value)}"
        case "too_short":
            return f"needs at least {context['min_length']} entries, got {context['actual_length']}"
        case "too_long":
            number = len(value) if isinstance(value, Sized) else context["actual_length"]
            return f"holds {number} entries, limit {context['max_length']}"
        case "literal_error":
            expected = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
            return (
                _choice(value, tuple(expected)) if len(expected) > 1 else f"must be {expected[0]}, got {shown(value)}"
            )
        case "union_tag_not_found":
            return "missing key: family" if isinstance(value, Mapping) else f"must be a table, got {shown(value)}"
        case "union_tag_invalid":
            expected = str(context["expected_tags"]).replace("'", "").split(", ")
            return _choice(context["tag"], tuple(expected))
    return " ".join(str(error["msg"]).split())


def first_problem(error: ValidationError, data: object, prefix: KeyPath = ()) -> tuple[Problem, int]:
    """Return key path and text of the first mistake that pydantic found in ``data``, and how many more there are.

    Parameters
    ----------
    error : ValidationError
    data : object
        What was validated.
    prefix : key path
        Where ``data`` stands.
    """
    entries = error.errors(include_url=False)
    failed_inside = Counter(entry["loc"][:depth] for entry in entries for depth in range(len(entry["loc"]) + 1))
    # Entries of a list that failed are not counted by pydantic, so the list seems too short.
    kept = [entry for entry in entries if entry["type"] != "too_short" or failed_inside[entry["loc"]] == 1]
    return _problem(kept[0], data, prefix), len(kept) - 1


def _problem(entry: ErrorDetails, data: object, prefix: KeyPath) -> Problem:
    path = _key_path(entry["loc"], data)
    keys = entry.get("ctx", {}).get("key", ()) if entry["type"] == "problem" else ()
    if entry["type"] in ("union_tag_invalid", "union_tag_not_found") and isinstance(entry.get("input"), Mapping):
        keys = ("family",)
    text = _text(entry)
    return (*prefix, *path, *keys), "missing key" if text == "missing key: family" else text
