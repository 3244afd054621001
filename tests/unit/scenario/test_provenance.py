"""The digest changes with what is said and with nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from simcore.scenario import load_scenario
from simcore.scenario.provenance import to_json

PINNED = {
    "golden": "1c9357442ecbfa470a91cdc669809f283228a12f0d9b99306401fdaef5132e6c",
    "tiny": "0c31e57c4ea622d638f8768ca13b23a7c82733a8ab8402b68cf66dc92eb82263",
}

SAME_MEANING = {
    "comment": ("exposure_years = 0.5", "exposure_years = 0.5 # half a year"),
    "spelling of a number": ("exposure_years = 0.5", "exposure_years = 5e-1"),
    "whole number": ("concentration = 20", "concentration = 20.0"),
    "quoted key": ("[strata.sex]", '["strata"."sex"]'),
    "table for inline table": ('m = { label = "men" }', '[strata.sex.m]\nlabel = "men"'),
    "order of fixed keys": ("min = 0.5, max = 2.0", "max = 2.0, min = 0.5"),
    "list of one": ('where = { sex = "w" }', 'where = { sex = ["w"] }'),
    "empty selector": ("[event.hazards.all]", "[event.hazards.all]\nwhere = {}"),
    "default written out": ("mode = 0.04, max = 0.10", "mode = 0.04, max = 0.10, shape = 4"),
    "rule written out": ('returned_to = "landing"', 'returned_to = { default = { point = "landing" } }'),
    "list of one attempt": ('probability = "again"', 'probability = ["again"]'),
    "list of one source": ('source = "census"', 'source = ["census"]'),
    "negative zero": ("mean = 0, sd", "mean = -0.0, sd"),
}

OTHER_MEANING = {
    "number": ("exposure_years = 0.5", "exposure_years = 0.50000000000000011"),
    "order of levels": (
        'w = { label = "women" }\nm = { label = "men" }',
        'm = { label = "men" }\nw = { label = "women" }',
    ),
    "order of components": ("across = 0.4, inland = 0.6", "inland = 0.6, across = 0.4"),
    "label": ("the landing", "the quay"),
    "note": ("Asked of nobody", "Asked of somebody"),
    "family": ('family = "pert"', 'family = "triangular"'),
    "name": ('name = "river"', 'name = "river2"'),
    "rule": ('where = { origin = "highlands" }, point', 'where = { origin = "low lands" }, point'),
}


@pytest.mark.parametrize("case", SAME_MEANING)
def test_same_meaning_same_digest(case: str, spoil: Callable[..., Path], river_copy: Path) -> None:
    digest = load_scenario(river_copy).digest
    assert load_scenario(spoil(*SAME_MEANING[case])).digest == digest


@pytest.mark.parametrize("case", OTHER_MEANING)
def test_other_meaning_other_digest(case: str, spoil: Callable[..., Path], river_copy: Path) -> None:
    digest = load_scenario(river_copy).digest
    assert load_scenario(spoil(*OTHER_MEANING[case])).digest != digest


def test_table_text_counts(river_copy: Path) -> None:
    digest = load_scenario(river_copy).digest
    for name in ("river_population.csv", "river_sources.csv"):
        table = river_copy.with_name(name)
        text = table.read_text()
        table.write_text(text + "\n")
        assert load_scenario(river_copy).digest != digest
        table.write_text(text)
    assert load_scenario(river_copy).digest == digest


def test_path_does_not_count(river_copy: Path, tmp_path: Path) -> None:
    digest = load_scenario(river_copy).digest
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in river_copy.parent.glob("river*"):
        shutil.copy(path, moved / path.name)
    (moved / "river.toml").rename(moved / "other.toml")
    assert load_scenario(moved / "other.toml").digest == digest


def test_patch_and_setting_and_edit_agree(spoil: Callable[..., Path], river_copy: Path) -> None:
    by_setting = load_scenario(river_copy, settings=["transit.attempt_cap=9"]).digest
    patch = river_copy.with_name("p.toml")
    patch.write_text('name = "river"\nbase = "river.toml"\ntransit.attempt_cap = 9\n')
    assert load_scenario(patch).digest == by_setting
    assert load_scenario(spoil("attempt_cap = 4", "attempt_cap = 9")).digest == by_setting


def test_digest_is_a_digest(river_copy: Path) -> None:
    scenario = load_scenario(river_copy)
    assert len(scenario.digest) == 64
    assert int(scenario.digest, 16) >= 0
    assert json.loads(to_json(scenario.resolved)) == scenario.resolved


def test_digest_is_pinned(fixtures: Path) -> None:
    """Fails when the normal form changes: results files of before would no longer be recognised."""
    assert {name: load_scenario(fixtures / f"{name}.toml").digest for name in PINNED} == PINNED
