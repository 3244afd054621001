"""The small types that every table of a scenario file is made of: tables with fixed keys, names, numbers, selectors.

All of them raise pydantic errors whose text can be shown to the user as it is; `simcore.scenario.messages` puts file,
line and key in front.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from simcore.errors import nearest

StrataAxis = Literal["origin", "sex", "age_band", "exploitation"]
IndexAxis = Literal["origin", "sex", "age_band", "exploitation", "leg"]
Grade = Literal["measured", "derived", "elicited", "illustrative"]

STRATA_AXES: tuple[StrataAxis, ...] = get_args(StrataAxis)
INDEX_AXES: tuple[IndexAxis, ...] = get_args(IndexAxis)

ENTRY = "@entry"  # where a leg returns to: the stratum's own entry point
REST = "rest"  # the share that is one minus its siblings
CONTINUE = "CONTINUE"  # the component of a split that goes on

LONGEST_NAME = 64
LONGEST_LINE = 1_000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_REFERENCE = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<levels>[^\[\]]*)\])?")
_FORBIDDEN_IN_LEVELS = '/,[]"'


def problem(text: str, *, key: str | tuple[str, ...] = ()) -> PydanticCustomError:
    """Return an error about the table at hand, or about its ``key``; ``text`` is shown to the user as it is."""
    return PydanticCustomError("problem", "{text}", {"text": text, "key": (key,) if isinstance(key, str) else key})


def shown(value: object) -> str:
    """Return ``value`` as it is quoted in a message: one line, at most 60 characters."""
    match value:
        case bool():
            text = "true" if value else "false"
        case Mapping():
            text = "a table"
        case list() | tuple() if len(value) > 20 or len(", ".join(map(shown, value))) > 58:
            text = f"a list of {len(value)}"
        case int() if value.bit_length() > 256:  # Python refuses to write the longest ones
            text = f"a whole number of {value.bit_length()} bits"
        case _:
            text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Table(BaseModel):
    """A TOML table with fixed keys; any other key is an error that names the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_alias=True, validate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, data: Any) -> Any:
        if cls.model_config.get("extra") == "forbid" and isinstance(data, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in known:
                    hint = nearest(str(key), known) or f" (known here: {', '.join(known) or 'none'})"
                    raise problem(f"unknown key{hint}", key=str(key))
        return data


def check_name(name: str) -> str:
    """Names of scenarios, parameters, points, legs and rules: ASCII letters, digits, ``_``, ``-`` and ``.``."""
    if len(name) > LONGEST_NAME:
        raise problem(f"a name of {len(name)} characters, limit {LONGEST_NAME}")
    if not _NAME.fullmatch(name):
        raise problem(f"not a name: {shown(name)} (letters, digits, '_', '-' and '.', not beginning with '-' or '.')")
    return name


def check_place(name: str) -> str:
    """Names of points and legs: a name that is not one of the words with a meaning of their own."""
    if name in (REST, CONTINUE) or name.startswith("@"):
        raise problem(f"{shown(name)} has a meaning of its own and cannot be a name here")
    return check_name(name)


def check_parameter_name(name: str) -> str:
    """Names of parameters: not the word for "what is left", nor the dimension of parameter sets in a results file."""
    if name in (REST, "theta"):
        raise problem(f"{shown(name)} has a meaning of its own and cannot be a parameter")
    return check_name(name)


def check_level(name: str) -> str:
    """Level names: printable text of 1-64 characters that cannot be mistaken for the syntax around it."""
    if not 1 <= len(name) <= LONGEST_NAME:
        raise problem(f"a level of {len(name)} characters, limits 1 and {LONGEST_NAME}")
    bad = [character for character in name if character in _FORBIDDEN_IN_LEVELS or not character.isprintable()]
    if bad or name != name.strip() or name.startswith("@"):
        what = f"the character {bad[0]!r}" if bad else "a blank at its ends, or '@' first,"
        raise problem(f"not a level: {shown(name)} ({what} is not allowed)")
    return name


def check_line(text: str) -> str:
    """Text of one line, at most `LONGEST_LINE` characters."""
    if len(text) > LONGEST_LINE:
        raise problem(f"a text of {len(text)} characters, limit {LONGEST_LINE}")
    if not text.strip() or not text.isprintable():
        raise problem(f"must be one line of text, got {shown(text)}")
    return text


def split_reference(text: str) -> tuple[str, tuple[str, ...] | None]:
    """Split ``"name"`` or ``"name[level,...]"`` into the name and its levels (None without brackets).

    Raises
    ------
    ValueError
        If the text is neither.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a parameter reference: {shown(text)} (either 'name' or 'name[level,...]')")
    levels = match["levels"]
    return match["name"], None if levels is None else tuple(level.strip() for level in levels.split(","))


class ParameterReference(str):
    """Text that names a parameter; its type tells it apart from other text when a document is walked."""

    __slots__ = ()


def check_reference(text: str) -> ParameterReference:
    """A reference to a parameter, ``"name"`` or ``"name[level,...]"``."""
    try:
        split_reference(text)
    except ValueError as error:
        raise problem(str(error)) from None
    return ParameterReference(text)


def _one_becomes_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _negative_zero_is_zero(value: float) -> float:
    return value + 0.0


def _not_empty(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise problem("an empty list")
    if len(set(values)) < len(values):
        twice, _ = Counter(values).most_common(1)[0]
        raise problem(f"{shown(twice)} is listed twice")
    return values


Name = Annotated[str, AfterValidator(check_name)]
Place = Annotated[str, AfterValidator(check_place)]
ParameterName = Annotated[str, AfterValidator(check_parameter_name)]
Level = Annotated[str, AfterValidator(check_level)]
Line = Annotated[str, AfterValidator(check_line)]
ReferenceText = Annotated[str, AfterValidator(check_reference)]
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(_negative_zero_is_zero)]
Listed = Annotated[tuple[str, ...], BeforeValidator(_one_becomes_list), AfterValidator(_not_empty)]
"""One text or a list of texts, kept as a tuple."""
Selector = Annotated[dict[StrataAxis, Listed] | None, AfterValidator(lambda selector: selector or None)]
"""Which strata: axis -> levels or named groups, all axes at once; None (or an empty one) means every stratum."""


class Rule(Table):
    """A rule that applies to the strata that ``where`` selects; without ``where`` it is the fallback."""

    where: Selector = None
