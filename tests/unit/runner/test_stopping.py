"""Runs that end early: at the same replicate for any number of threads, with the counts of a run of just as many."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simcore
from simcore.errors import ResultsError, UserError
from simcore.runner import Progress, RunInterrupted, session
from simcore.runner.blocks import BLOCK_ROWS
from simcore.runner.stopping import Stopping, StoppingRule, labels_of
from simcore.scenario import Scenario
from simcore.store.recorder import Recorder
from simcore.uncertainty.design import Design

from .test_session import Interrupter, assert_same, content

MAXIMUM = 40 * BLOCK_ROWS


class Counted:
    """A rule of its own: met when so many have been trafficked in all."""

    variables = ("victims",)

    def __init__(self, wanted: int) -> None:
        self.rules: Sequence[str] = (f"victims in all >= {wanted}",)
        self.wanted, self.seen, self.looks = wanted, 0, []  # type: ignore[var-annotated]

    def update(self, totals: Mapping[str, Any]) -> None:
        assert set(totals) == {"victims"}
        assert totals["victims"].dtype == np.int64
        self.seen += int(totals["victims"].sum())

    def met(self) -> bool:
        self.looks.append(self.seen)
        return self.seen >= self.wanted

    def achieved(self) -> Sequence[tuple[float, float]]:
        return [(float(self.seen), float("nan"))]

    def standing(self) -> str:
        return f"{self.seen} of {self.wanted}"


@pytest.fixture(scope="module")
def per_block(tiny: Scenario, seed: int) -> int:
    """Trafficked in the first block."""
    with simcore.run(tiny, replicates=BLOCK_ROWS, seed=seed) as results:
        return int(results.read("victims").sum())


def test_a_block_that_is_ready_while_the_rule_is_asked_is_not_kept(
    tiny: Scenario, seed: int, tmp_path: Path, monkeypatch: Any
) -> None:
    """The rule is slow, so that the next blocks are encoded when it says that this one was the last."""
    look = session.decode_totals

    def slow(*arguments: Any) -> Any:
        time.sleep(1.0)
        return look(*arguments)

    monkeypatch.setattr(session, "decode_totals", slow)
    options = {"until": Counted(1), "until_minimum": 2 * BLOCK_ROWS, "seed": seed, "threads": 2}
    with simcore.run(tiny, replicates=6 * BLOCK_ROWS, output=tmp_path / "x.h5", **options) as results:
        assert results.replicates == 2 * BLOCK_ROWS
        assert results.verify_checksums() == []


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_file_is_that_of_a_run_of_just_as_many(
    threads: int, tiny: Scenario, seed: int, per_block: int, tmp_path: Path
) -> None:
    """A rule met in the fifth block: every dataset but the measured seconds is that of 5 blocks run without a rule."""
    early, plain = tmp_path / "early.h5", tmp_path / "plain.h5"
    rule = Counted(round(4.5 * per_block))
    with simcore.run(tiny, replicates=MAXIMUM, seed=seed, threads=threads, until=rule, output=early) as results:
        assert results.status == "complete"
        assert results.replicates == results.requested_replicates == 5 * BLOCK_ROWS
        assert results.nested == (5 * BLOCK_ROWS, 1)
        facts = results.attributes
        assert results.verify_checksums() == []
    simcore.run(tiny, replicates=5 * BLOCK_ROWS, seed=seed, threads=1, output=plain).close()
    assert_same(content(plain), content(early))
    assert facts["stopped_because"] == "target met"
    assert facts["until"] == list(rule.rules)
    assert (facts["until_minimum"], facts["until_maximum"]) == (8192, MAXIMUM)
    assert facts["until_estimate"] == [float(rule.seen)]
    assert np.isnan(facts["until_mcse"]).all()


def test_a_block_that_was_encoded_before_its_turn_waits_for_the_rule(
    tiny: Scenario, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first block is encoded last, so that both go to the file at once if nothing holds the second one back."""
    second, committed = threading.Event(), []
    encode, commit = session.encode, Recorder.commit

    def encode_in_reverse(work: Any, block: Any, *rest: Any) -> Any:
        if block.first == 0:
            assert second.wait(60.0)
            time.sleep(0.2)  # the calling thread has seen the second one by now
        encoded = encode(work, block, *rest)
        if block.first == BLOCK_ROWS:
            second.set()
        return encoded

    def noted(recorder: Recorder, block: Any) -> Any:
        committed.append(block.first_row)
        return commit(recorder, block)

    monkeypatch.setattr(session, "encode", encode_in_reverse)
    monkeypatch.setattr(Recorder, "commit", noted)
    with simcore.run(
        tiny, replicates=MAXIMUM, seed=seed, threads=2, until=Counted(1), until_minimum=BLOCK_ROWS
    ) as results:
        assert results.replicates == BLOCK_ROWS
    assert committed == [0]


def test_the_maximum_ends_the_run_too(tiny: Scenario, seed: int) -> None:
    rule = Counted(10**15)
    with simcore.run(tiny, replicates=2 * BLOCK_ROWS + 77, seed=seed, until=rule) as results:
        assert results.attributes["stopped_because"] == "maximum reached"
        assert (results.status, results.replicates) == ("complete", 2 * BLOCK_ROWS + 77)
        assert rule.seen == int(results.read("victims").sum())


def test_an_interrupted_run_did_not_reach_the_maximum(tiny: Scenario, seed: int, tmp_path: Path) -> None:
    """Its figures are those of the last look, the fourth block being the last that was kept."""
    stopping = Stopping(rule := Counted(10**15), Design(MAXIMUM))
    for block in range(1, 5):
        stopping.take({"victims": np.ones(BLOCK_ROWS, dtype=np.int64)}, block * BLOCK_ROWS)
    assert stopping.outcome()["stopped_because"] == "interrupted"
    assert stopping.outcome()["until_estimate"] == [float(rule.seen)] == [4.0 * BLOCK_ROWS]

    rule = Counted(10**15)
    with pytest.raises(RunInterrupted) as caught:
        simcore.run(tiny, replicates=MAXIMUM, seed=seed, until=rule, output=tmp_path / "x.h5", progress=Interrupter(8))
    assert caught.value.results is not None
    with caught.value.results as results:
        assert 0 < results.replicates < MAXIMUM
        assert results.attributes["stopped_because"] == "interrupted"


def test_a_minimum_is_kept_in_whole_blocks(tiny: Scenario, seed: int) -> None:
    with simcore.run(tiny, replicates=MAXIMUM, seed=seed, until=Counted(1), until_minimum=2 * BLOCK_ROWS + 1) as found:
        assert found.replicates == 3 * BLOCK_ROWS
    with simcore.run(tiny, replicates=500, seed=seed, until=Counted(1)) as found:
        assert found.replicates == 500


def looks(design: Design, minimum: int | None = None) -> list[int]:
    """Blocks at which a rule that is never met is asked."""
    rule = Counted(10**15)
    stopping = Stopping(rule, design, minimum)
    at, rows = [], 0
    while rows < design.replicates:
        rows = min(rows + BLOCK_ROWS, design.replicates)
        before = len(rule.looks)
        stopping.take({"victims": np.zeros(1, dtype=np.int64)}, rows)
        if len(rule.looks) > before:
            at.append(-(-rows // BLOCK_ROWS))
    return at


def test_looks_are_fixed_beforehand_and_become_rarer() -> None:
    at = looks(Design(1000 * BLOCK_ROWS))
    assert at[:16] == list(range(2, 18))
    assert at[-1] == 1000
    assert all(later - earlier <= max(1, -(-earlier // 16)) for earlier, later in itertools.pairwise(at))
    assert len(at) < 100


def test_progress_says_how_the_rule_stands(tiny: Scenario, seed: int, per_block: int) -> None:
    seen: list[Progress] = []
    rule = Counted(4 * per_block)
    simcore.run(tiny, replicates=MAXIMUM, seed=seed, until=rule, progress=seen.append).close()
    assert seen[-1].standing == rule.standing()


def test_the_same_run_is_opened_again_and_another_is_refused(
    tiny: Scenario, seed: int, per_block: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.h5"

    def run(wanted: float, **changes: Any) -> simcore.Results:
        arguments: dict[str, Any] = {
            "replicates": MAXIMUM,
            "seed": seed,
            "output": path,
            "until": Counted(round(wanted)),
        }
        return simcore.run(tiny, **(arguments | changes))

    run(2.5 * per_block).close()
    written = path.stat().st_mtime_ns
    with run(2.5 * per_block) as again:
        assert again.replicates == 3 * BLOCK_ROWS
    assert path.stat().st_mtime_ns == written
    for wanted, changes, what in (
        (3.5 * per_block, {}, "until"),
        (2.5 * per_block, {"until_minimum": BLOCK_ROWS}, "until_minimum"),
        (2.5 * per_block, {"replicates": 2 * MAXIMUM}, "requested_replicates"),
    ):
        with pytest.raises(ResultsError, match=f"holds the results of another run \\({what} differs"):
            run(wanted, **changes)
    for blocks, words in (
        (2, f"holds {3 * BLOCK_ROWS:,} replicates of this run, asked for {2 * BLOCK_ROWS:,}: nothing is taken away"),
        (3, f"holds just these {3 * BLOCK_ROWS:,} replicates, at which its stopping rule ended it"),
        (4, f"the first {3 * BLOCK_ROWS:,} replicates of this run; go on with: simcore extend"),
    ):
        with pytest.raises(ResultsError, match=words):
            run(0, until=None, replicates=blocks * BLOCK_ROWS)


def test_text_is_read_by_whoever_registered(tiny: Scenario, seed: int) -> None:
    """Through the entry point; the mean of some 470 trafficked has a standard error of about 21.7 / sqrt(n)."""
    with simcore.run(tiny, replicates=MAXIMUM, seed=seed, until="victims.mean mcse<=0.045%") as results:
        facts = results.attributes
        error = results.read("victims").std(ddof=1) / results.replicates**0.5
    assert facts["stopped_because"] == "target met"
    assert facts["until"] == ["trafficked.mean mcse<=0.045%"]
    assert facts["until_mcse"] == pytest.approx([error], rel=1e-9)
    assert 2 * BLOCK_ROWS < results.requested_replicates < MAXIMUM


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"until": "victims.mean mcse<=1%", "replicates": None, "nested": (20, 30)}, ["nested"]),
        ({"until": []}, ["until = []"]),
        ({"until": 3}, ["until = 3"]),
        ({"until": "arived.q95 mcse<=1%"}, ["'arived'", "'arrived'"]),
        ({"until_minimum": 5}, ["until_minimum = 5", "give until"]),
        ({"until": "victims.mean mcse<=1%", "until_minimum": 0}, ["until_minimum = 0", "at least 1"]),
        ({"until": "victims.mean mcse<=1%", "until_minimum": 1001}, ["until_minimum = 1001", "1000"]),
    ],
)
def test_mistakes(arguments: dict[str, Any], words: list[str], tiny: Scenario) -> None:
    with pytest.raises(UserError) as refusal:
        simcore.run(tiny, **({"replicates": 1000, "seed": 1} | arguments))
    for word in words:
        assert word in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_labels_are_those_of_the_file(tiny: Scenario, seed: int) -> None:
    with simcore.run(tiny, replicates=1, seed=seed) as results:
        for dimension, labels in labels_of(tiny).items():
            assert results.labels(dimension) == labels


def test_the_protocol_is_what_the_rules_follow() -> None:
    assert isinstance(Counted(1), StoppingRule)
    assert not isinstance("arrived.q95 mcse<=1%", StoppingRule)
