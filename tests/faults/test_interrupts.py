"""Ctrl-C and SIGTERM while the disk is at work: the block at hand is finished, or what is safe is kept, and it goes on.

The first signal ends with a file that can be read and resumed; the second one stops at once. A file that was there
stays if the new one would hold less.
"""

from __future__ import annotations

import itertools

import pytest

import simcore
from simcore.runner.blocks import BLOCK_ROWS
from tests.faults.child import in_child
from tests.faults.confined import Confinement
from tests.faults.recovery import Stage, Stages, assert_undisturbed, content, differences, go_on, shards
from tests.faults.reporting import Tally
from tests.faults.test_full_disk import words

INTERRUPTED = 130


def interrupt(server: Confinement, stage: Stage, case: str, kind: str, point: int, tally: Tally) -> str:
    """Send the signal before an event, check what is kept, and go on; returns what was kept."""
    target = stage.fresh()
    answer = in_child(server, words(case, target), target, (kind, point))
    errors = answer.ended.errors.decode()
    if answer.ended.code == 0:  # what is typed goes into the file's history, which may save a write
        assert 100 < len(answer.events) <= point, errors
        return "not reached"
    assert answer.ended.code == INTERRUPTED, errors
    assert "Traceback" not in errors
    assert errors.endswith("interrupted\n")
    kept = "nothing"
    safe = shards(target)
    if target.exists():
        with simcore.open_results(target) as results:
            assert results.verify_checksums() == []
            held, status = results.replicates, results.status
        if status == "interrupted":
            kept = "a beginning"
            assert held % BLOCK_ROWS == 0
            assert not safe
        elif not differences(content(target), stage.whole):
            kept = "everything"
        else:  # extend: the old file, because the new one would hold less
            assert stage.old is not None
            assert differences(content(target), stage.old) == []
            kept = "the old file"
    elif safe:
        kept = "blocks"
    if kept == "a beginning":
        assert f"kept {held:,}" in errors
        assert "go on with: simcore resume" in errors
        simcore.resume(target, threads=2).close()
        assert_undisturbed(stage, target)
    else:
        go_on(stage, target)
    tally.add(kind, "recovered")
    return kept


@pytest.mark.parametrize("kind", ["interrupt", "terminate", "interrupt twice"])
def test_a_signal_during_a_run(kind: str, server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages("run")
    events = stage.events(server)
    if kind == "interrupt twice":
        points = [number for number, event in enumerate(events) if event in ("fsync new shard", "rename new shard")]
        kept = {interrupt(server, stage, "run", kind, point, tally) for point in points[1:2]}
        assert kept >= {"blocks"}
        return
    points = [number for number, event in enumerate(events) if event == "create new shard"]
    kept = {interrupt(server, stage, "run", kind, point, tally) for point in points[1:2]}
    assert kept <= {"a beginning", "everything"}


@pytest.mark.parametrize("case", ["resume", "extend"])
def test_a_signal_when_going_on(case: str, server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages(case)
    events = stage.events(server)
    points = [number for number, event in enumerate(events) if event == "fsync new shard"]
    interrupt(server, stage, case, "interrupt", points[0], tally)


@pytest.mark.long
@pytest.mark.parametrize("case", ["run", "resume", "extend"])
@pytest.mark.parametrize("kind", ["interrupt", "terminate", "interrupt twice", "terminate twice"])
def test_a_signal_at_any_event(kind: str, case: str, server: Confinement, stages: Stages, tally: Tally) -> None:
    stage = stages(case)
    parts = ((stretch[0], stretch[-1]) for stretch in stage.stretches(server))
    points = sorted(set(itertools.chain.from_iterable(parts)))
    kept = [interrupt(server, stage, case, kind, point, tally) for point in points]
    assert kept[:-1].count("not reached") == 0
