"""SIGKILL after a random time, of runs of the shipped scenario: the result is that of a run left in peace."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from simcore.runner.blocks import BLOCK_ROWS
from simcore.store.heads import has_head
from tests.conftest import SEED
from tests.faults.child import Call, in_child
from tests.faults.confined import Confinement
from tests.faults.recovery import Case, Stage, assert_info_has_words, go_on, nothing
from tests.faults.reporting import Tally

KILLS = 50
PHASE1 = Call("run", {"replicates": 3 * BLOCK_ROWS + 500, "seed": SEED, "threads": 2}, ("phase1", ()))


@pytest.mark.long
def test_kills_at_random_times(server: Confinement, tmp_path: Path, tally: Tally, chooser: random.Random) -> None:
    stage = Stage(Case("phase1", PHASE1, nothing, PHASE1), tmp_path)
    target = stage.fresh()
    seconds = in_child(server, PHASE1, target).ended.seconds
    resume = Call("resume", {"threads": 2})
    kills, found = 0, 0
    while kills < KILLS:
        target = stage.fresh()
        delay = chooser.uniform(0.0, seconds)
        answer = in_child(server, PHASE1, target, ("delay", 0), seconds=delay)
        if not answer.killed:  # it was faster than the one before
            tally.add("SIGKILL after the end", "without effect")
            assert answer.ended.code == 0
            seconds = min(seconds, answer.ended.seconds)
            continue
        kills += 1
        tally.add("SIGKILL at a random time", "recovered")
        if kills % 3 == 0 and has_head(target.parent / "x.h5.parts"):
            in_child(server, resume, target, ("delay", 0), seconds=chooser.uniform(0.0, seconds / 2))
            tally.add("SIGKILL at a random time of a resume", "recovered")
        assert_info_has_words(target)
        found += bool(go_on(stage, target).safe)
    assert found >= 12
