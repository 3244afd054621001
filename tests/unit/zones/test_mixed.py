"""At-risk model `mixed`: every row takes the shares of its category, and no other draw moves."""

from __future__ import annotations

import numpy as np
import pytest

from simcore.scenario import at_risk_models, load_scenario
from tests.unit.zones.at_risk_samples import Compiled

MEMBERS = ("shares", "index", "expert")


@pytest.fixture(scope="module")
def mixed() -> Compiled:
    return Compiled(load_scenario("phase1_mixed"))


def by_name(compiled: Compiled, theta: np.ndarray) -> dict[str, np.ndarray]:
    return {name: theta[:, i] for i, name in enumerate(compiled.space.names)}


@pytest.mark.parametrize("member", MEMBERS)
def test_rows_of_a_category_have_the_bits_of_the_model_alone(mixed: Compiled, member: str, seed: int) -> None:
    """The scenario with the model alone draws the same parameters at the same addresses."""
    alone = Compiled(load_scenario("phase1" if member == "expert" else f"phase1_{member}"))
    theta, theta_alone = mixed.draw(seed, 90), alone.draw(seed, 90)
    columns, columns_alone = by_name(mixed, theta), by_name(alone, theta_alone)
    for name, values in columns_alone.items():
        assert np.array_equal(values, columns[name]), name
    rows = columns["at_risk_model"] == MEMBERS.index(member)
    assert 10 < rows.sum() < 60
    assert np.array_equal(mixed.shares(theta)[rows], alone.shares(theta_alone)[rows])
    assert not np.array_equal(mixed.shares(theta)[~rows], alone.shares(theta_alone)[~rows])


def test_shares_equal_the_twin_and_do_not_depend_on_the_block(mixed: Compiled, seed: int) -> None:
    theta = mixed.draw(seed, 30)
    shares = mixed.shares(theta)
    for row in range(30):
        assert shares[row].tolist() == mixed.twin(theta[row])
    for size in (1, 4, 29):
        assert np.array_equal(shares, np.concatenate([mixed.shares(theta[i : i + size]) for i in range(0, 30, size)]))


def test_only_the_rows_of_a_category_are_computed(mixed: Compiled, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each member sees its own rows and no others; a member without rows is not called."""
    seen: dict[str, int] = {}
    load = at_risk_models.load_model

    def counting(name: str) -> type:
        model = load(name)

        class Counting(model):  # type: ignore[misc, valid-type]
            @staticmethod
            def compile(*arguments: object) -> object:
                function = model.compile(*arguments)  # type: ignore[attr-defined]

                def shares(theta: np.ndarray) -> np.ndarray:
                    seen[name] = seen.get(name, 0) + len(theta)
                    return np.asarray(function(theta))

                return shares

        return Counting

    monkeypatch.setattr("simcore.source_zone.mixed.load_model", counting)
    compiled = Compiled(mixed.scenario)
    theta = compiled.draw(seed, 60)
    compiled.shares(theta)
    chosen = theta[:, compiled.column("at_risk_model")]
    assert seen == {name: int((chosen == k).sum()) for k, name in enumerate(MEMBERS)}
    seen.clear()
    compiled.shares(theta[chosen == 1])
    assert set(seen) == {"index"}


def test_number_of_columns_and_other_draws_do_not_depend_on_the_weights(mixed: Compiled, seed: int) -> None:
    law = "{family='categorical',weights={shares=1e-9,index=1e-9,expert=1}}"
    other = Compiled(load_scenario("phase1_mixed", settings=[f"parameters.at_risk_model.distribution={law}"]))
    assert other.space.names == mixed.space.names
    before, after = by_name(mixed, mixed.draw(seed, 40)), by_name(other, other.draw(seed, 40))
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {"at_risk_model"}
    assert set(after["at_risk_model"]) == {2.0}


def test_description_names_members_and_gives_their_own() -> None:
    scenario = load_scenario("phase1_mixed")
    lines = dict(at_risk_models.describe_at_risk(scenario))
    assert lines["mixture"] == "shares 0.333, index 0.333, expert 0.333; drawn by at_risk_model"
    assert lines["index: index"].startswith("prior only")
    assert "shares: circumstances" in lines
