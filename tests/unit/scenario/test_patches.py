"""Patches: deep merge, removal, layers and whose mistake it is."""

# One row per case reads better than folded rows.
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import ScenarioError
from simcore.scenario import load_scenario
from simcore.scenario.patches import Layer, Layers, merge, parse_key, remove

keys = st.sampled_from(["a", "b", "c", "family"])
leaves = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
tables: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    keys, st.recursive(leaves, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=6), max_size=3
)


@given(tables, tables)
def test_merge_is_idempotent(below: dict[str, Any], above: dict[str, Any]) -> None:
    once = merge(below, above)
    assert merge(once, above) == once
    assert list(merge(once, above)) == list(once)


@given(tables)
def test_empty_tables_change_nothing(table: dict[str, Any]) -> None:
    assert merge(table, {}) == table
    assert merge({}, table) == table


@given(tables, tables, tables)
def test_later_layers_win(first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]) -> None:
    layers = Layers((Layer("1", first), Layer("2", second), Layer("3", third)))
    assert layers.data == merge(merge(first, second), third)
    for key, value in third.items():
        if not isinstance(value, dict):
            assert layers.data[key] == value
        assert layers.source((key,)).shown == "3"


@given(tables, tables)
def test_merge_changes_neither(below: dict[str, Any], above: dict[str, Any]) -> None:
    shown = repr(below), repr(above)
    merge(below, above)
    assert (repr(below), repr(above)) == shown


def test_table_with_family_replaces() -> None:
    below = {"x": {"distribution": {"family": "beta", "alpha": 1, "beta": 2}, "unit": "u"}}
    above = {"x": {"distribution": {"family": "fixed", "value": 1}}}
    assert merge(below, above) == {"x": {"distribution": {"family": "fixed", "value": 1}, "unit": "u"}}
    assert merge(below, {"x": {"distribution": {"beta": 3}}})["x"]["distribution"] == {
        "family": "beta",
        "alpha": 1,
        "beta": 3,
    }


def test_order_is_that_of_the_base() -> None:
    assert list(merge({"a": {"p": 1, "q": 2}, "b": 1}, {"c": 1, "a": {"r": 1, "p": 3}})["a"]) == ["p", "q", "r"]


def test_remove() -> None:
    assert remove({"a": {"b": 1, "c": 2}}, ("a", "b")) == {"a": {"c": 2}}
    with pytest.raises(KeyError):
        remove({"a": {"b": 1}}, ("a", "x"))
    with pytest.raises(KeyError):
        remove({"a": 1}, ("a", "x"))


@pytest.mark.parametrize(
    ("text", "path"),
    [("a", ("a",)), ("a.b-c", ("a", "b-c")), ('a."b.c"', ("a", "b.c")), ('"x y".z', ("x y", "z"))],
)
def test_key_path(text: str, path: tuple[str, ...]) -> None:
    assert parse_key(text) == path


@pytest.mark.parametrize("text", ["", "a.", "a b", "a = 1 #", "a\n", "[a]", "a = {b", "a = 0\nb"])
def test_not_a_key_path(text: str) -> None:
    with pytest.raises(ValueError, match="not a key path"):
        parse_key(text)


def test_patched_scenario(scenarios: Path) -> None:
    base, patched = load_scenario(scenarios / "river.toml"), load_scenario(scenarios / "river_patch.toml")
    assert patched.name == "river_bridge"
    assert patched.levels("leg") == ("road", "ferry", "bridge")
    assert "swim_split" not in patched.document.parameters
    assert patched.document.parameters["guard_factor"].unit == base.document.parameters["guard_factor"].unit
    assert patched.document.parameters["guard_factor"].distribution.support() == (1.5, 1.5)
    assert patched.warnings == []
    assert patched.digest != base.digest


def test_removed_and_added_again_goes_to_the_end(river_copy: Path) -> None:
    patch = river_copy.with_name("p.toml")
    patch.write_text(
        'name = "p"\nbase = "river.toml"\nremove = ["transit.legs.road"]\n[transit.legs.road]\nfrom = "village"\n'
        'to = "landing"\nnet = {}\n'
    )
    assert load_scenario(patch).levels("leg") == ("ferry", "swim", "road")


def test_tables_belong_to_the_file_that_names_them(river_copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    patch = folder / "patch.toml"
    patch.write_text('name = "p"\nbase = "../river.toml"\n')
    assert (load_scenario(patch).population == load_scenario(river_copy).population).all()
    patch.write_text('name = "p"\nbase = "../river.toml"\n[population]\ntable = "people.csv"\n')
    with pytest.raises(ScenarioError, match=r"patch\.toml:4: population\.table: no such file: .*elsewhere/people\.csv"):
        load_scenario(patch)
    (folder / "people.csv").write_text(river_copy.with_name("river_population.csv").read_text())
    assert set(load_scenario(patch).tables) == {"people.csv", "river_sources.csv"}


def test_two_tables_of_one_name(river_copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "river_sources.csv").write_text(river_copy.with_name("river_population.csv").read_text())
    (folder / "patch.toml").write_text(
        'name = "p"\nbase = "../river.toml"\n[population]\ntable = "river_sources.csv"\n'
    )
    with pytest.raises(ScenarioError, match=r"two different tables are called 'river_sources\.csv'"):
        load_scenario(folder / "patch.toml")


def test_patch_on_a_patch(river_copy: Path) -> None:
    patch = river_copy.with_name("second.toml")
    patch.write_text('name = "second"\nbase = "river_patch.toml"\nexposure_years = 2\n')
    scenario = load_scenario(patch)
    assert scenario.document.exposure_years == 2.0
    assert scenario.levels("leg") == ("road", "ferry", "bridge")


# (text of the patch, beginning of the message after the folder, words in it)
MISTAKES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "patch's key": ('name="p"\nbase="river.toml"\n[transit]\natempt_cap = 3\n', "p.toml:4: transit.atempt_cap: ", ("'attempt_cap'",)),
    "patch's value": ('name="p"\nbase="river.toml"\n[transit]\nattempt_cap = 0\n', "p.toml:4: transit.attempt_cap: ", ("got 0",)),
    "half a leg": ('name="p"\nbase="river.toml"\n[transit.legs.raft]\nfrom = "landing"\n', "p.toml:3: transit.legs.raft.to: ", ("missing key",)),
    "half a distribution": (
        'name="p"\nbase="river.toml"\n[parameters.guard_factor]\ndistribution = { family = "fixed" }\n',
        "p.toml:4: parameters.guard_factor.distribution.value: ",
        ("missing key",),
    ),
    "removed": ('name="p"\nbase="river.toml"\nremove = ["parameters.again"]\n', "river.toml:98: transit.reattempt.all.probability", ("unknown parameter 'again'",)),
    "removed key": (
        'name="p"\nbase="river.toml"\nremove = ["transit.legs.road.to"]\n',
        "p.toml: transit.legs.road.to: ",
        ("missing key",),
    ),
    "remove unknown": ('name="p"\nbase="river.toml"\nremove = ["transit.legs.rod"]\n', "p.toml:3: remove: transit.legs.rod: ", ("no such key", "'road'")),
    "remove nonsense": ('name="p"\nbase="river.toml"\nremove = ["a b"]\n', "p.toml:3: remove: ", ("'a b'",)),
    "remove text": ('name="p"\nbase="river.toml"\nremove = "a"\n', "p.toml:3: remove: ", ("list of key paths",)),
    "remove without base": ('name="p"\nremove = ["a"]\n', "p.toml:2: remove: ", ("base",)),
    "no name": ('base="river.toml"\n', "p.toml: name: ", ("missing key",)),
    "absent base": ('name="p"\nbase="rivers.toml"\n', "p.toml:2: base: ", ("no such file", "'river.toml'")),
    "unknown base": ('name="p"\nbase="rivr"\n', "p.toml:2: base: ", ("unknown scenario 'rivr'",)),
    "base that is no text": ('name="p"\nbase=3\n', "p.toml:2: base: ", ("got 3",)),
    "base of itself": ('name="p"\nbase="p.toml"\n', "p.toml:2: base: ", ("leads back to itself", "p.toml -> p.toml")),
    "base's fault": ('name="p"\nbase="river.toml"\nexposure_years = 1\n', "river.toml:6: cohort_year: ", ("whole number",)),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_whose_mistake(
    case: str, spoil: Callable[..., Path], river_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, start, words = MISTAKES[case]
    monkeypatch.chdir(river_copy.parent)
    if case == "base's fault":
        spoil("cohort_year = 2011", "cohort_year = 0.5")
    path = river_copy.with_name("p.toml")
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    message = str(caught.value)
    assert message.startswith(start)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_two_patches_on_each_other(river_copy: Path) -> None:
    for name, base in (("p", "q"), ("q", "p")):
        river_copy.with_name(f"{name}.toml").write_text(f'name = "{name}"\nbase = "{base}.toml"\n')
    with pytest.raises(ScenarioError, match=r"p\.toml -> q\.toml -> p\.toml"):
        load_scenario(river_copy.with_name("p.toml"))
