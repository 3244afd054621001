"""At-risk models come from entry points, and another package can add one."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

from simcore.errors import ScenarioError
from simcore.scenario import Scenario, at_risk_models, load_scenario
from simcore.scenario.fields import ReferenceText, Table
from simcore.scenario.references import Reference
from simcore.source_zone.expert import ExpertBlock, ExpertModel


class OneShareBlock(Table):
    """The table of the made-up model."""

    share: ReferenceText


class OneShareModel:
    """A made-up model: one share for everybody."""

    name: ClassVar[str] = "one_share"
    Block: ClassVar[type[OneShareBlock]] = OneShareBlock

    @staticmethod
    def references(block: OneShareBlock, scenario: Scenario) -> Iterator[Reference]:
        """Yield the one reference."""
        yield Reference(block.share, ("at_risk", "one_share", "share"), "probability", scenario.strata_at_risk)


EXPERT = EntryPoint("expert", "simcore.source_zone.expert:ExpertModel", at_risk_models.GROUP)
OWN = EntryPoint("one_share", f"{__name__}:OneShareModel", at_risk_models.GROUP)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make these the only registered models."""

    def only(*entries: EntryPoint) -> None:
        monkeypatch.setattr(at_risk_models, "entry_points", lambda group: list(entries))

    return only


def test_expert_is_registered(fixtures: Path) -> None:
    assert at_risk_models.load_model("expert") is ExpertModel
    scenario = load_scenario(fixtures / "tiny.toml")
    assert scenario.at_risk_model is ExpertModel
    assert isinstance(scenario.at_risk_block, ExpertBlock)


def test_model_from_outside(register: Any, fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(EXPERT, OWN)
    monkeypatch.setattr(EntryPoint, "load", lambda entry: OneShareModel if entry.name == "one_share" else ExpertModel)
    settings = ['at_risk.model="one_share"', 'at_risk.one_share.share="at_risk_share_S"']
    scenario = load_scenario(fixtures / "tiny.toml", settings=settings)
    assert scenario.at_risk_model is OneShareModel
    assert scenario.at_risk_block == OneShareBlock(share="at_risk_share_S")
    assert [warning.rpartition(": ")[0].rpartition(": ")[2] for warning in scenario.warnings] == [
        "parameters.at_risk_share_L"
    ]
    assert "at_risk_share_S" in scenario.elements()
    assert "at_risk_share_L" not in scenario.elements()
    with pytest.raises(ScenarioError, match=r"at_risk\.one_share\.share: unknown parameter 'at_risk_share_X'"):
        load_scenario(fixtures / "tiny.toml", settings=[settings[0], 'at_risk.one_share.share="at_risk_share_X"'])
    with pytest.raises(ScenarioError, match=r"at_risk\.one_share\.share: missing key"):
        load_scenario(fixtures / "tiny.toml", settings=settings[:1])


def test_mistakes_in_the_registry(register: Any) -> None:
    register(EXPERT, EntryPoint("expert", "elsewhere:Model", at_risk_models.GROUP))
    with pytest.raises(ScenarioError, match="'expert' is registered twice: elsewhere:Model and simcore"):
        at_risk_models.load_model("expert")
    register(EntryPoint("gone", "a_package_that_is_gone:Model", at_risk_models.GROUP))
    with pytest.raises(ScenarioError, match=r"'gone' .* cannot be loaded"):
        at_risk_models.load_model("gone")
    with pytest.raises(ScenarioError, match=r"unknown at-risk model 'gon'; did you mean 'gone'\?"):
        at_risk_models.load_model("gon")
    register()
    with pytest.raises(ScenarioError, match=r"\(known: none\)"):
        at_risk_models.load_model("expert")


def test_entry_point_listed_twice_is_one_model(register: Any) -> None:
    register(EXPERT, EXPERT)
    assert at_risk_models.load_model("expert") is ExpertModel
