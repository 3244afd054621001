"""What a results file keeps of a scenario: its normal form as JSON, its tables, and a digest of both.

The normal form has keys of fixed tables in the order of the schema, keys of free tables in the order of the file (it is
meaningful), numbers as the schema types them, and no value that equals its default. So the digest does not change with
path, comments, the spelling of a value, or a default that is written out; it changes with every number and every table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from simcore.scenario.fields import Table
from simcore.scenario.schema import Document


def normal_form(document: Document, blocks: Mapping[str, Table]) -> dict[str, Any]:
    """Return a document as plain data; ``blocks`` are the validated tables of at-risk models by model name."""
    data = document.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"at_risk"})
    at_risk = document.at_risk.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude=set(document.at_risk.blocks)
    )
    for name in sorted(blocks):
        at_risk[name] = blocks[name].model_dump(mode="json", by_alias=True, exclude_defaults=True)
    data["at_risk"] = at_risk
    return data


def to_json(data: Mapping[str, Any]) -> str:
    """Return plain data as JSON in the one way that is hashed and stored."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def scenario_digest(resolved: Mapping[str, Any], tables: Mapping[str, str]) -> str:
    """Return the BLAKE2b-256 digest (hex) of a normal form and its tables."""
    content = to_json({"scenario": resolved, "tables": dict(sorted(tables.items()))})
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
