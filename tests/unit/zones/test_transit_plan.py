"""What compilation writes into the transit plan, by the names in the scenario; and what an at-risk model draws on."""

from __future__ import annotations

import numpy as np
import pytest

from simcore.model import compile_model
from simcore.scenario import Scenario
from simcore.source_zone.expert import ExpertModel
from simcore.transit_zone.plan import NONE
from tests.conftest import FIXTURES, load


@pytest.mark.parametrize("cap", [1, 2, 3, 5])
def test_reattempts_have_a_column_for_every_attempt_but_the_last(cap: int) -> None:
    """TINY gives two probabilities; the last of the list serves all later attempts, and none is left at the cap."""
    model = compile_model(load(FIXTURES / "tiny.toml", f"transit.attempt_cap = {cap}"))
    plan = model.transit
    names = [
        [NONE if column == NONE else model.space.names[column] for column in row] for row in plan.reattempt.tolist()
    ]
    expected = ["reattempt_first", *["reattempt_second"] * (cap - 2)] if cap > 1 else []
    assert names == [[*expected, NONE]]
    assert plan.attempt_cap == cap
    assert {plan.reattempt.dtype, plan.class_of.dtype} == {np.dtype(np.int64)}


def test_fates_have_the_outcome_of_their_cause(tiny: Scenario) -> None:
    """Per leg: returned for good, another attempt, then the terminal causes in order; arrival last within its route."""
    model = compile_model(tiny)
    plan, names = model.transit, model.journeys
    roles = tiny.document.outcomes
    terminal = [name for name in roles.levels if name not in (roles.arrival, roles.returned)]
    leg = [roles.returned, None, *terminal]
    outcomes = [None if outcome == NONE else names.outcomes[outcome] for outcome in plan.fate_outcome.tolist()]
    start = plan.class_start[0]
    here = slice(plan.start_first_fate[start], plan.start_first_fate[start + 1])
    # routes a-c-d, a-c-e, b-d, b-e
    assert outcomes[here] == (leg * 3 + [roles.arrival]) * 2 + (leg * 2 + [roles.arrival]) * 2


def test_expert_model_refers_to_every_share_and_multiplier_by_its_place_in_the_file(maze: Scenario) -> None:
    """The place is what an error message names; the uses are the strata whose share it goes into."""
    references = {reference.key: reference for reference in ExpertModel.references(maze.at_risk_block, maze)}
    rules = {
        ("shares", "P", "parameter"): ("risk_P", {"exploitation": "P"}),
        ("shares", "Q", "parameter"): ("risk_Q", {"exploitation": "Q"}),
        ("shares", "R", "parameter"): ("risk_R_u", {"exploitation": "R", "sex": "u"}),
        ("shares", "R_v", "parameter"): ("certain", {"exploitation": "R", "sex": "v"}),
        ("multipliers", "place", "factor"): ("pole_factor", {"exploitation": "Q", "sex": "u"}),
        ("multipliers", "poles", "factor"): ("pole_factor[south]", {"exploitation": "P"}),
    }
    assert set(references) == {("at_risk", "expert", *key) for key in rules}
    for key, (text, levels) in rules.items():
        reference = references["at_risk", "expert", *key]
        assert reference.text == text
        assert reference.role == ("factor" if key[0] == "multipliers" else "probability")
        uses = [place for place in maze.strata_at_risk if levels.items() <= place.items()]
        if key[1] == "poles":
            uses = [place for place in uses if place["origin"] in ("north", "south")]
        assert uses
        assert list(reference.uses) == uses
