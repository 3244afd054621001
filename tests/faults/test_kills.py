"""SIGKILL at every point at which the disk may have changed: what is left opens or is refused, and leads on.

The quick suite takes the first event of every stretch of equal ones, the long suite every event of a plain run, and
the first and the last of every stretch of all other work. A power cut is a kill that also loses what was not flushed
to the disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.faults.cases import CASES
from tests.faults.child import Call, in_child
from tests.faults.confined import Confinement
from tests.faults.recovery import Stage, Stages, assert_info_has_words, go_on
from tests.faults.reporting import Tally


def strike(server: Confinement, stage: Stage, points: Sequence[int], kind: str, tally: Tally) -> Counter[str]:
    """Kill the work before each of the events, go on each time, and count how."""
    ways: Counter[str] = Counter()
    for point in points:
        target = stage.fresh()
        answer = in_child(server, stage.case.action, target, (kind, point))
        assert answer.killed, answer
        if point % 5 == 0:
            assert_info_has_words(target)
        left = go_on(stage, target)
        ways[left.way] += 1
        ways["with safe blocks"] += bool(left.safe)
        tally.add(f"{'SIGKILL' if kind == 'kill' else kind} during {stage.case.action.verb}", "recovered")
    return ways


def test_a_kill_before_each_kind_of_event_of_a_run(server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages("run")
    events, points = stage.events(server), [stretch[0] for stretch in stage.stretches(server)]
    names = [events[point] for point in points]
    # Of what is done for every block, three times is once too often; the long suite leaves out nothing.
    chosen = [point for number, point in enumerate(points) if names[:number].count(names[number]) != 1]
    assert len(chosen) >= 30
    ways = strike(server, stage, chosen, "kill", tally)
    assert ways["resumed"] >= 20
    assert ways["begun anew"] >= 5
    assert ways["with safe blocks"] >= 12


@pytest.mark.parametrize("name", ["resume of an interrupted file", "extend", "repair"])
def test_a_kill_in_every_kind_of_work(name: str, server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages(name)
    points = [stretch[0] for stretch in stage.stretches(server)]
    ways = strike(server, stage, [points[-8]], "kill", tally)
    assert ways["with safe blocks"] == 1


def test_a_power_cut(server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages("run")
    points = [stretch[-1] for stretch in stage.stretches(server)]
    strike(server, stage, points[6 :: len(points) // 4], "power cut", tally)


@pytest.mark.long
def test_a_kill_before_every_event_of_a_run(server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages("run")
    points = range(len(stage.events(server)))
    assert len(points) > 300
    assert strike(server, stage, points, "kill", tally)["resumed"] > 0.9 * len(points)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in CASES if name != "run"])
def test_kills_before_the_first_and_the_last_event_of_every_stretch(
    name: str, server: Confinement, stages: Stages, tally: Tally
) -> None:
    stage = stages(name)
    points = sorted({point for stretch in stage.stretches(server) for point in (stretch[0], stretch[-1])})
    assert len(points) >= 25
    assert strike(server, stage, points, "kill", tally)["resumed"] >= 15


@pytest.mark.long
@pytest.mark.parametrize("name", ["run with theta", "resume", "extend", "repair"])
def test_a_power_cut_in_every_stretch(name: str, server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages(name)
    points = [stretch[-1] for stretch in stage.stretches(server)]
    assert strike(server, stage, points, "power cut", tally)["resumed"] >= 15


def test_a_resume_that_is_killed_is_resumed(server: Confinement, stages: Stages, tally: Tally) -> None:
    """An extension is killed in its second block, then again and again in the resume, each time a little later."""
    stage = stages("extend")
    events = stage.events(server)
    shards = [number for number, event in enumerate(events) if event == "rename new shard"]
    target = stage.fresh()
    assert in_child(server, stage.case.action, target, ("kill", shards[0] + 2)).killed
    resume = Call("resume", {"threads": 2})
    for point in (3, 40, 80):
        assert in_child(server, resume, target, ("kill", point)).killed
        tally.add("SIGKILL of a resume after a kill", "recovered")
    left = go_on(stage, target)
    assert left.way == "resumed"
    assert left.safe
