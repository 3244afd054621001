"""Whatever the file says: a scenario, or one line that names the file. Never another exception."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore.errors import ScenarioError
from simcore.scenario import load_scenario, scenario_from_embedded

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FIXTURES = Path(__file__).parents[3] / "simcore" / "verification" / "fixtures"
BASES = {"river": load_scenario(SCENARIOS / "river.toml"), "tiny": load_scenario(FIXTURES / "tiny.toml")}

WORDS = [
    "", "x", "rest", "@entry", "origin", "landing", "ferry", "swim", "way_out", "again", "again[highlands]", "again[x]",
    "CONTINUE", "drowned", "a\nb", "S", "L", "expert", "fixed", "dirichlet", "split_a", "ORIGIN", "]", "[", "\u2028",
]  # fmt: skip
KEYS = [*WORDS, "where", "family", "shares", "point", "net"]
scalars = st.sampled_from([*WORDS, 0, 1, -1, 0.5, 2, 10**30, -0.0, True, False, None, float("inf"), float("nan")])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    max_leaves=4,
)


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside ``data``."""
    found: list[tuple[Any, Any]] = []
    if isinstance(data, dict | list):
        for key, value in list(data.items()) if isinstance(data, dict) else enumerate(data):
            found += [(data, key), *places(value)]
    return found


@pytest.mark.parametrize("name", BASES)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_one_line_or_a_scenario(name: str, data: st.DataObject) -> None:
    base = BASES[name]
    changed = copy.deepcopy(dict(base.resolved))
    for _ in range(data.draw(st.integers(1, 2))):
        known = places(changed)
        container, key = known[data.draw(st.integers(0, len(known) - 1))]
        match data.draw(st.sampled_from(["replace", "delete", "add", "move"])):
            case "replace":
                container[key] = data.draw(values)
            case "delete":
                del container[key]
            case "add" if isinstance(container, dict):
                container[data.draw(st.sampled_from(WORDS))] = data.draw(values)
            case "move":
                other, other_key = known[data.draw(st.integers(0, len(known) - 1))]
                container[key] = copy.deepcopy(other[other_key])
    try:
        scenario_from_embedded(json.dumps(changed), base.tables)
    except ScenarioError as error:
        text = str(error)
        assert text.startswith("stored scenario")
        assert len(text.splitlines()) == 1
        assert "pydantic" not in text
