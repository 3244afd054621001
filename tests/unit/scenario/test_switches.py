"""Switches: what they use, what they can be, and what theta they make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simcore.errors import ScenarioError
from simcore.model import compile_model
from simcore.scenario import Scenario, load_scenario
from simcore.scenario.stages import first_stages
from simcore.scenario.switches import components_of, support_of
from tests.conftest import ROOT
from tests.twin.parameters import Theta

GRADE = 'unit = "x", grade = "illustrative"'
FORM = f'parameters.form = {{distribution = {{family = "categorical", weights = {{calm = 3, rough = 1}}}}, {GRADE}}}'
CALM = f'parameters.calm = {{distribution = {{family = "beta", alpha = 2, beta = 8}}, {GRADE}, index = ["origin"]}}'
ROUGH = f'parameters.rough = {{distribution = {{family = "uniform", min = 0.5, max = 0.9}}, {GRADE}}}'
SWITCH = '{family = "switch", on = "form", cases = {calm = "calm", rough = "rough"}}'
AGAIN = f"parameters.again.distribution = {SWITCH}"
SHARES = [
    f'parameters.many = {{distribution = {{family = "dirichlet", alpha = {{inland = 2, across = 6}}}}, {GRADE}}}',
    'parameters.few.distribution = {family = "fixed_shares", shares = {across = 0.1, inland = 0.9}}',
    'parameters.few.unit = "x"',
    'parameters.few.grade = "illustrative"',
    'parameters.way_out.distribution = {family = "switch", on = "form", cases = {calm = "few", rough = "many"}}',
]


@pytest.fixture
def river() -> Path:
    return ROOT / "tests" / "scenarios" / "river.toml"


@pytest.fixture
def switched(river: Path) -> Scenario:
    return load_scenario(river, settings=[FORM, CALM, ROUGH, AGAIN, *SHARES])


def test_cases_stand_where_the_switch_is_used(switched: Scenario, river: Path) -> None:
    plain, first = first_stages(load_scenario(river)), first_stages(switched)
    assert first["calm"] == first["rough"] == plain["again"] == "transit"
    assert first["few"] == first["many"] == plain["way_out"] == "destination"
    assert first["form"] == "destination"  # decides both; the first one counts


def test_cases_are_used(switched: Scenario) -> None:
    """The switch of every origin uses its own element of an indexed case and the one element of the others."""
    elements = switched.elements()
    assert {"form", "calm[highlands]", "rough", "few", "many", "way_out"} <= set(elements)
    assert not [warning for warning in switched.warnings if "is not used" in warning]
    assert elements["way_out"].columns == ("way_out[inland]", "way_out[across]")[::-1]
    assert components_of(switched, "way_out") == ("across", "inland")
    assert support_of(switched, "again") == (0.0, 1.0)


def test_theta_is_that_of_the_case(switched: Scenario, seed: int) -> None:
    space = compile_model(switched).space
    theta = dict(zip(space.names, space.draw(seed, np.arange(4000, dtype=np.uint32)).T, strict=True))
    rough = theta["form"] == 1.0
    assert abs(rough.sum() - 1000) < 5.0 * np.sqrt(4000 * 0.25 * 0.75)  # level 6e-7
    for name in (name for name in theta if name.startswith("again[")):
        own = theta[name.replace("again", "calm")]
        assert theta[name].tolist() == np.where(rough, theta["rough"], own).tolist()
        assert not np.array_equal(own, theta[name])
    for component in ("across", "inland"):
        expected = np.where(rough, theta[f"many[{component}]"], theta[f"few[{component}]"])
        assert theta[f"way_out[{component}]"].tolist() == expected.tolist()


def test_theta_equals_the_twin(switched: Scenario, seed: int) -> None:
    space = compile_model(switched).space
    ids = np.array([0, 1, 2, 3, 77], dtype=np.uint32)
    for row, theta_id in zip(space.draw(seed, ids), ids.tolist(), strict=True):
        twin = Theta(switched, seed, theta_id)
        for element in space.elements:
            twin.draw(element)
        assert dict(zip(space.names, row.tolist(), strict=True)) == twin.columns


def test_other_draws_stay_as_they_were(river: Path, switched: Scenario, seed: int) -> None:
    ids = np.arange(20, dtype=np.uint32)
    before, after = compile_model(load_scenario(river)).space, compile_model(switched).space
    old, new = before.draw(seed, ids), after.draw(seed, ids)
    changed = [name for name in before.names if name.startswith(("again", "way_out"))]
    assert changed
    for column, name in enumerate(before.names):
        if name not in changed:
            assert new[:, after.names.index(name)].tolist() == old[:, column].tolist(), name


def test_typical_and_largest(switched: Scenario) -> None:
    space = compile_model(switched).space
    typical = dict(zip(space.names, space.typical().tolist(), strict=True))
    assert typical["form"] == 0.0
    assert typical["again[highlands]"] == typical["calm[highlands]"]
    again, calm = (space.largest(space.names.index(name)) for name in ("again[highlands]", "calm[highlands]"))
    assert again == calm > 0.9


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([AGAIN.replace("calm =", "clam =")], ("cases.clam", "unknown category of form 'clam'", "'calm'")),
        ([AGAIN.replace(', rough = "rough"', "")], ("cases.rough", "missing key", "every category of 'form'")),
        ([AGAIN.replace('on = "form"', 'on = "wariness"')], ("distribution.on", "'wariness' is normal", "categorical")),
        ([AGAIN.replace('on = "form"', 'on = "from"')], ("distribution.on", "unknown parameter 'from'", "'form'")),
        ([AGAIN.replace('"rough"', '"way_out"')], ("cases.rough", "shares of across, inland", "unlike the first case")),
        ([AGAIN.replace('"rough"', '"form"')], ("cases.rough", "a choice (categorical)", "cannot be a case")),
        ([AGAIN.replace('"rough"', '"again"')], ("cases.rough", "'again' is a switch")),
        ([AGAIN, ROUGH.replace("max = 0.9", "max = 1.9")], ("parameters.rough.distribution.max", "probability", "1.9")),
        ([AGAIN, "parameters.again.index = []"], ("cases.calm", "indexed by 'origin'", "index of 'again'")),
        (['transit.reattempt.all.probability = "form"'], ("'form' is a choice (categorical)", "a quantity")),
    ],
)  # fmt: skip
def test_mistakes(river: Path, settings: list[str], words: tuple[str, ...]) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(river, settings=[FORM, CALM, ROUGH, *settings])
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text
