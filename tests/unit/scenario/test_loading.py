"""Names and paths, the fixtures, settings, and the way back from a results file."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from simcore.errors import ScenarioError
from simcore.scenario import Scenario, finding, list_scenarios, load_scenario, scenario_from_embedded
from simcore.scenario.provenance import to_json

FIXTURE_NAMES = ("tiny", "golden", "single_border")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of an installed package of scenarios, found through a made-up entry point."""
    folder = tmp_path / "package"
    folder.mkdir()
    module = ModuleType("corridors")
    module.__path__ = [str(folder)]
    module.__file__ = str(folder / "__init__.py")
    monkeypatch.setitem(sys.modules, "corridors", module)
    entry = EntryPoint("corridors", "corridors", finding.GROUP)
    monkeypatch.setattr(finding, "entry_points", lambda group: [entry] if group == finding.GROUP else [])
    return folder


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_fixture_loads_without_warnings(name: str, fixtures: Path) -> None:
    scenario = load_scenario(fixtures / f"{name}.toml")
    assert scenario.name == name
    assert scenario.warnings == []
    assert scenario.population.tolist() == [[[100000.0]]]
    assert all(parameter.grade == "illustrative" for parameter in scenario.document.parameters.values())
    assert all("known-answer" in (parameter.label or "") for parameter in scenario.document.parameters.values())


def test_tiny_is_the_fixture(fixtures: Path) -> None:
    scenario = load_scenario(fixtures / "tiny.toml")
    transit = scenario.document.transit
    assert scenario.levels("exploitation") == ("S", "L")
    assert scenario.levels("leg") == tuple("abcde")
    assert scenario.levels("cause") == ("INTERCEPTED", "ASSISTED", "ESCAPED", "DIED", "RETAINED")
    assert transit.attempt_cap == 3
    journey = scenario.journey(scenario.strata[0])
    assert journey.entry == "ORIGIN"
    assert {point: fork.legs for point, fork in journey.forks.items()} == {
        "ORIGIN": ("a", "b"),
        "HUB": ("c",),
        "NORTH": ("d", "e"),
    }
    assert journey.returned == {"a": "ORIGIN", "b": "ORIGIN", "c": "HUB", "d": "ORIGIN", "e": "ORIGIN"}
    for leg in "abcde":
        shares = scenario.element(f"split_{leg}", {}).distribution.shares  # type: ignore[union-attr]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-15)


def test_river_is_another_corridor(scenarios: Path) -> None:
    scenario = load_scenario(scenarios / "river.toml")
    assert scenario.axes == {
        "origin": ("highlands", "low lands"),
        "sex": ("w", "m"),
        "age_band": ("young", "grown", "old"),
        "exploitation": ("farm",),
        "leg": ("road", "ferry", "swim"),
        "point": ("village", "landing", "far_bank"),
        "destination": ("across", "inland"),
        "outcome": ("home again", "on the far bank", "drowned"),
        "cause": ("turned back", "drowned"),
    }
    assert scenario.warnings == []
    assert scenario.sources["ledger"]["title"] == "Ledger of the ferry, with remarks"
    assert set(scenario.tables) == {"river_sources.csv", "river_population.csv"}
    assert scenario.population.shape == (2, 2, 3)
    assert not scenario.population.flags.writeable
    assert scenario.path == scenarios / "river.toml"


@pytest.mark.parametrize("name", [*FIXTURE_NAMES, "river", "river_patch"])
def test_embedded_scenario_is_the_same(name: str, fixtures: Path, scenarios: Path) -> None:
    folder = fixtures if name in FIXTURE_NAMES else scenarios
    scenario = load_scenario(folder / f"{name}.toml", settings=["exposure_years=0.25"])
    again = scenario_from_embedded(to_json(scenario.resolved), dict(scenario.tables))
    assert again.digest == scenario.digest
    assert again.resolved == scenario.resolved
    assert again.document.model_dump(exclude={"at_risk"}) == scenario.document.model_dump(exclude={"at_risk"})
    assert again.at_risk_block == scenario.at_risk_block
    assert again.sources == scenario.sources
    assert np.array_equal(again.population, scenario.population)
    assert list(again.elements()) == list(scenario.elements())
    assert again.path is None


def test_broken_embedded_scenario(scenarios: Path) -> None:
    scenario = load_scenario(scenarios / "river.toml")
    tables = dict(scenario.tables)
    for text, words in {
        "{": "stored scenario: not JSON",
        "[]": "must be a table",
        "{}": "stored scenario: schema_version: missing key",
        to_json({**scenario.resolved, "cohort_year": "x"}): "stored scenario: cohort_year",
        to_json({**scenario.resolved, "population": {"table": "other.csv"}}): "the table 'other.csv' is not stored",
    }.items():
        with pytest.raises(ScenarioError, match=words) as caught:
            scenario_from_embedded(text, tables)
        assert "\n" not in str(caught.value)
    with pytest.raises(ScenarioError, match="stored scenario"):
        scenario_from_embedded(json.dumps({**scenario.resolved, "exposure_years": float("nan")}), tables)


def test_settings_are_layers_in_order(scenarios: Path) -> None:
    settings = [
        "parameters.again.distribution={family='fixed', value=0}",
        "parameters.again.distribution.value=1",
        'strata.age_band."old".label="older"',
        "transit.attempt_cap=7",
    ]
    scenario = load_scenario(scenarios / "river.toml", settings=settings)
    assert scenario.document.parameters["again"].distribution.support() == (1.0, 1.0)
    assert scenario.document.strata.age_band["old"].label == "older"
    assert scenario.document.transit.attempt_cap == 7


def test_one_tiny_variant_by_settings(fixtures: Path) -> None:
    scenario = load_scenario(
        fixtures / "tiny.toml",
        settings=[
            'transit.modifiers.stricter={legs=["d","e"],causes=["INTERCEPTED"],factor="stricter"}',
            'parameters.stricter={distribution={family="fixed",value=1.5},unit="factor",grade="illustrative"}',
        ],
    )
    assert scenario.warnings == []
    assert "stricter" in scenario.elements()


def test_known_names(package: Path, scenarios: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scenarios)
    for name in ("river.toml", "river_patch.toml", "river_population.csv", "river_sources.csv"):
        (package / name).write_bytes((scenarios / name).read_bytes())
    (package / "broken.toml").write_text("title =")
    known = list_scenarios()
    assert [entry.name for entry in known] == ["broken", "river", "river_patch"]
    assert known[0].title.startswith("(cannot be read: ")
    assert known[2] == ("river_patch", "A bridge instead of the swim", package / "river_patch.toml")
    assert load_scenario("river").path == package / "river.toml"
    with pytest.raises(ScenarioError, match=r"^unknown scenario 'rivr'; did you mean 'river'\?$"):
        load_scenario("rivr")
    with pytest.raises(ScenarioError, match=r"^unknown scenario 'zzz' \(known: broken, river, river_patch\)$"):
        load_scenario("zzz")
    (package / "river.toml").unlink()
    with pytest.raises(ScenarioError, match=r"the file river\.toml exists: give its path$"):
        load_scenario("river")


def test_one_name_in_two_packages(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("others")
    other.__path__ = [str(tmp_path)]
    other.__file__ = str(tmp_path / "__init__.py")
    monkeypatch.setitem(sys.modules, "others", other)
    entries = [EntryPoint(name, name, finding.GROUP) for name in ("corridors", "others")]
    monkeypatch.setattr(finding, "entry_points", lambda group: entries)
    for folder in (package, tmp_path):
        (folder / "same.toml").write_text("")
    with pytest.raises(ScenarioError, match="'same' exists twice"):
        list_scenarios()


def test_hidden_package(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["corridors"], "__file__", None)
    with pytest.raises(ScenarioError, match="this hides the package 'corridors' of scenarios"):
        list_scenarios()


def test_absent_package(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("gone", "a_package_that_is_gone", finding.GROUP)
    monkeypatch.setattr(finding, "entry_points", lambda group: [entry])
    with pytest.raises(ScenarioError, match="cannot import 'a_package_that_is_gone'"):
        list_scenarios()


def test_byte_order_mark_and_line_ends_do_not_matter(river_copy: Path) -> None:
    digest = load_scenario(river_copy).digest
    for path in river_copy.parent.glob("river*"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_scenario(river_copy).digest == digest


def test_listing_needs_nothing_heavy() -> None:
    program = (
        "import sys; from simcore.scenario import list_scenarios; list_scenarios();"
        "print([name for name in ('numpy', 'pandas', 'pydantic', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_needs_no_pandas() -> None:
    program = "import sys; import simcore.scenario.loading; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_warnings(river_copy: Path) -> None:
    text = river_copy.read_text()
    unused = '[parameters.spare]\ndistribution = { family = "fixed", value = 1 }\nunit = "x"\ngrade = "illustrative"\n'
    raft = '[transit.legs.raft]\nfrom = "landing"\nto = "far_bank"\nnet = {}\n'
    river_copy.write_text(text + "\n" + unused + raft)
    warnings = load_scenario(river_copy).warnings
    assert [warning.partition(": ")[2] for warning in warnings] == [
        "parameters.spare: is not used",
        "transit.legs.raft: no stratum takes this leg",
    ]


def test_extreme_scenarios_load(river_copy: Path) -> None:
    """Probabilities of exactly zero and one, cells without persons, nobody at risk."""
    settings = [f"parameters.{name}.distribution={{family='fixed',value={value}}}" for name, value in (
        ("again", 0), ("ferry_share", 1), ("checked_on_road", 1), ("checked_on_ferry", 0), ("drowned", 1),
        ("share_women", 0), ("share_men", 1), ("deception_hazard", 0),
    )]  # fmt: skip
    warnings = load_scenario(river_copy, settings=settings).warnings
    assert [warning for warning in warnings if "changed, but the grade" not in warning] == []
    table = river_copy.with_name("river_population.csv")
    rows = [line.split(",") for line in table.read_text().splitlines()]
    for row in rows[1:]:
        row[5] = "0"
    table.write_text("\n".join(",".join(row) for row in rows))
    scenario: Scenario = load_scenario(river_copy)
    assert not scenario.population.any()
    assert scenario.warnings[0].endswith("population: holds no persons")
