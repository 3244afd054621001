"""What makes two runs the same run, and two rows the same row, read off the root attributes of a results file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from simcore.store.description import Attribute
from simcore.store.layout import Layout
from simcore.uncertainty.design import LATIN_HYPERCUBE, RANDOM

# What decides the numbers of a row: where all of these agree, so does every row that two runs share.
ROW_IDENTITY = (
    "scenario_digest",
    "results_version",
    "seed",
    "design",
    "randomisation",
    "engine",
    "walker",
    "store_by",
    "ended",
    "theta",
)
# What makes two runs the same run: if all of these agree, so does every number.
IDENTITY = (*ROW_IDENTITY, "requested_replicates", "nested")

UNTIL_IDENTITY = ("until", "until_minimum")  # absent from a run without a stopping rule

# Versions on which bits may depend (docs/architecture.md, "Random numbers are addresses").
NUMERICAL_ENVIRONMENT = ("numpy", "numba", "llvmlite", "scipy", "cpu_target", "cpu_features")

BEFORE_DESIGNS: dict[str, Attribute] = {"design": RANDOM, "randomisation": 0}  # of a file that does not say

Attributes = Mapping[str, Attribute]
_LONGEST_SHOWN = 100


def completed(attributes: Attributes) -> dict[str, Attribute]:
    """Return stored attributes with what older files leave out."""
    return {**BEFORE_DESIGNS, **attributes}


def differences(stored: Attributes, wanted: Attributes) -> list[str]:
    """Return the names in which two runs differ, so that they are not the same run; none if they are.

    Parameters
    ----------
    stored : mapping
        Root attributes of a file, or of an unfinished run.
    wanted : mapping
        Those of the run that is asked for.
    """
    found = _comparable(stored, wanted)
    different = [key for key in IDENTITY if not _equal(found.get(key), wanted[key])]
    return different + [key for key in UNTIL_IDENTITY if not _equal(found.get(key), wanted.get(key))]


def difference(name: str, stored: Attributes, wanted: Attributes) -> str:
    """Return in words one of the `differences`, such as ``seed differs: 7 there, 8 asked for``."""
    if name == "scenario_digest":
        return "scenario_digest differs: another scenario, other data or other settings"
    there, asked = (_shown(name, attributes.get(name)) for attributes in (_comparable(stored, wanted), wanted))
    return f"{name} differs: {there} there, {asked} asked for"


def _comparable(stored: Attributes, wanted: Attributes) -> dict[str, Attribute]:
    """Return stored attributes as those of a run that is asked for would be."""
    found = completed(stored)
    if "until" in found:  # the file may have ended before the maximum, and says then what it holds
        found |= {"requested_replicates": found["until_maximum"], "nested": wanted["nested"]}
    return found


def _shown(name: str, value: object) -> str:
    if value is None:
        return "none"
    if name == "nested" and isinstance(value, list | tuple):
        return "x".join(str(number) for number in value)
    text = ", ".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _equal(stored: object, wanted: object) -> bool:
    if isinstance(wanted, list):
        return stored is not None and list(stored) == wanted  # type: ignore[call-overload]
    return str(stored) == str(wanted)


def rows_id(attributes: Attributes, layout: Layout, *, inner: int, outer: int) -> str:
    """Return a name for the rows of a run: runs of different lengths have the same one if they share their rows.

    Parameters
    ----------
    attributes : mapping
        Root attributes of the run.
    layout : Layout
        How its rows are stored.
    inner, outer : int
        Its loops. Only in a Latin hypercube do the rows depend on how many parameter sets there are.
    """
    found = completed(attributes)
    content = [
        *((name, str(found.get(name))) for name in ROW_IDENTITY),
        ("inner", inner),
        ("outer", outer if found["design"] == LATIN_HYPERCUBE else 0),
        # Sorted, for a program that rewrites a file need not keep the order; parameters follow from the scenario.
        ("dimensions", sorted((dimension.name, dimension.labels) for dimension in layout.dimensions)),
        ("variables", sorted((v.name, v.strata, v.trailing, v.dtype) for v in layout.variables)),
    ]
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()


def environment_differences(
    stored: Attributes, now: Attributes, names: Sequence[str] = NUMERICAL_ENVIRONMENT
) -> list[str]:
    """Return one phrase per version that changed, such as ``numpy 2.4.6, now 2.5.0``; by default of those on which
    bits may depend.
    """
    return [
        f"{name} {stored.get(name, 'unknown')}, now {now[name]}"
        for name in names
        if str(stored.get(name, "unknown")) != str(now[name])
    ]
