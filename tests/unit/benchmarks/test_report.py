"""Timing, the shape of the report that readers rely on, its tables and figures, and the other measurements."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import simcore
from benchmarks import program, start_up
from benchmarks.cases import CASES, scaled_settings
from benchmarks.comparison import FLOOR, compare
from benchmarks.contenders import AGENT, CONTENDERS, Contender
from benchmarks.correctness import WrongContender
from benchmarks.expected_timing import scenarios, time_expected
from benchmarks.figure import draw
from benchmarks.journey_states import list_states
from benchmarks.machine import disk_write_speed, memory_bandwidth
from benchmarks.origins import write_scenario
from benchmarks.report import sections, write_json
from benchmarks.store_speed import time_store
from benchmarks.timing import Samples, Spread, alternate, ratios
from benchmarks.work import Work
from simcore.cli.terminal import show
from simcore.engines.counts import Counts
from simcore.model import CompiledModel, compile_model
from tests.unit.benchmarks.conftest import small_case


def test_alternation_times_everybody_once_per_round_and_rotates_the_start() -> None:
    called: list[str] = []
    names = ("a", "b", "c")
    samples = {name: Samples(1, 10, 20) for name in names}
    alternate({name: lambda name=name: called.append(name) for name in names}, samples, 4)
    assert called == ["a", "b", "c", "b", "c", "a", "c", "a", "b", "a", "b", "c"]
    assert all(len(sample.processor_seconds) == len(sample.wall_seconds) == 4 for sample in samples.values())


def test_rates_and_ratios() -> None:
    fast = Samples(2, 100, 150, [1.0, 2.0, 4.0], [2.0, 2.0, 8.0])
    slow = Samples(1, 10, 15, [1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    assert fast.rates(100) == [100.0, 50.0, 25.0]
    assert fast.rates(100, wall=True) == [50.0, 50.0, 12.5]
    assert ratios(fast, slow) == [10.0, 5.0, 2.5]
    assert ratios(fast, slow, wall=True) == [5.0, 5.0, 1.25]
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_every_state_is_listed_before_those_that_it_leads_to(phase1_model: CompiledModel) -> None:
    plan = phase1_model.transit
    for journey in range(plan.class_start.size):
        states = list_states(plan, journey)
        place = {state: i for i, state in enumerate(states.moves)}
        assert place[states.first] == 0
        for state, moves in states.moves.items():
            assert (not moves) == (state.point == plan.arrival_point)
            for move in moves:
                assert place[move.onward] > place[state]
                assert move.again is None or place[move.again] > place[state]


def test_report_has_every_contender_of_every_case_and_can_be_shown(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = small_case()
    plan = program.Plan(("tiny", "b"), 2, seed, False, tmp_path)
    shown: list[str] = []
    report = program.run(
        plan,
        say=lambda _: None,
        show=lambda name, _: shown.append(name),
        cases=(case, small_case(name="b", varied=True)),
    )
    assert shown == ["tiny", "b"]
    assert float(report["machine"]["memory_bytes_per_second"]) > 0.0
    result = report["cases"][0]
    names = [contender["name"] for contender in result["contenders"]]
    assert names[: len(case.shares) + 1] == [*case.shares, FLOOR]
    assert names[len(case.shares) + 1] == "simcore run, 1 thread"
    for contender in result["contenders"]:
        assert len(contender["processor_seconds"]) == len(contender["wall_seconds"]) == 2
        for spread in (contender["million_agents_per_second"], contender["replicates_per_second"]):
            assert 0.0 < spread["low"] <= spread["median"] <= spread["high"]
        assert list(contender["faster"]) == list(case.bases)
        assert (contender["check"] is not None) == (contender["name"] in CONTENDERS)
    assert result["contenders"][0]["faster"][AGENT] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert result["contenders"][0]["replicates"] == 40

    path = tmp_path / "new" / "report.json"
    write_json(report, path)
    assert json.loads(path.read_text()) == report
    for title, rendered in sections("b", report):
        show(title, rendered)
    out = capsys.readouterr().out
    assert "a known-answer fixture" in out
    assert all(contender["label"] in out for contender in result["contenders"])
    pictures = draw(report, path)
    assert [picture.name for picture in pictures] == ["report.png"]
    assert pictures[0].read_bytes().startswith(b"\x89PNG")


def test_a_case_with_a_wrong_contender_is_not_timed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(work: Work, _: np.random.Generator) -> Counts:
        return work.slots.empty_counts(work.replicates)

    wrong = Contender("nobody", "peer", lambda _: none)
    monkeypatch.setitem(CONTENDERS, "numpy collapsed", wrong)
    monkeypatch.setattr("benchmarks.comparison.alternate", lambda *_: pytest.fail("timed all the same"))
    with pytest.raises(WrongContender, match="numpy collapsed"):
        compare(small_case(), rounds=1, seed=seed, threads=1)


def test_whoever_is_missing_is_left_out_and_named(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Contender("nobody", "peer", lambda _: pytest.fail("made all the same"), missing=lambda: "gone fishing")
    monkeypatch.setitem(CONTENDERS, "numpy collapsed", absent)
    case = small_case(whole_run=0)
    plan = program.Plan(("tiny",), 1, seed, True, tmp_path)
    report = program.run(plan, say=lambda _: None, show=lambda *_: None, cases=(case,))
    assert report["left_out"]["numpy collapsed"] == "gone fishing"
    assert "numpy collapsed" not in [contender["name"] for contender in report["cases"][0]["contenders"]]


def test_shipped_cases_name_known_contenders_and_have_their_bases() -> None:
    for case in CASES:
        assert set(case.bases) <= set(case.shares) <= set(CONTENDERS)
        for smaller in (case, case.scaled(4)):
            assert all(share.replicates >= 1 and share.repeats >= 1 for share in smaller.shares.values())
    assert {name for case in CASES for name in case.shares} == set(CONTENDERS)
    assert set(program.QUICK_CASES) <= {case.name for case in CASES}
    assert set(program.default_names(quick=False, scaling=True)) == set(program.measurements())


def test_cases_by_stratum_hold_what_they_say() -> None:
    for number, name in ((1e3, "stratum-1e3"), (1e4, "stratum-1e4"), (1e5, "stratum-1e5")):
        case = next(case for case in CASES if case.name == name)
        model = compile_model(simcore.load_scenario(case.scenario, settings=case.settings))
        moments = simcore.expected(model, covariance=False)
        bound = moments.mean_of(moments.weights("destination", label=moments.bound)).sum()
        strata = 2 * int(model.source.active.sum())
        assert bound / strata == pytest.approx(number, rel=0.03)


def test_scaled_settings_grow_the_population_first() -> None:
    assert len(scaled_settings(50.0)) == 1
    assert len(scaled_settings(1000.0)) == 3


@pytest.mark.parametrize("number", [1, 20])
def test_scenario_of_so_many_origins(number: int, tmp_path: Path) -> None:
    model = compile_model(simcore.load_scenario(write_scenario(tmp_path, number)))
    assert int(model.source.active.sum()) == 6 * number
    assert model.transit.class_start.size == 1


def test_modifiers_multiply_the_journey_classes() -> None:
    plain, modified = (compile_model(scenario).transit.class_start.size for scenario in scenarios().values())
    assert (plain, modified) == (4, 24)


def test_small_measurements_give_numbers_and_leave_no_file(seed: int, tmp_path: Path) -> None:
    assert memory_bandwidth(1 << 16) > 0.0
    assert disk_write_speed(tmp_path, 1 << 16) > 0.0
    assert all(each["microseconds"]["low"] > 0.0 for each in time_expected(parameter_sets=2, rounds=1, seed=seed))
    store = time_store(tmp_path, replicates=4, rounds=1, seed=seed)
    assert store["file_bytes"] > 0
    assert store["counts_bytes"] > 0
    assert list(tmp_path.iterdir()) == []


def test_start_up_times_every_command_and_the_cold_one_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, cold = start_up._seconds, []

    def seconds(arguments: list[str], environment: dict[str, str]) -> float:
        if "run" in arguments:  # half a minute if it were done
            cold.append("NUMBA_CACHE_DIR" in environment)
            return 1.0
        return real(arguments, environment) if arguments == ["-c", "pass"] else 0.5

    monkeypatch.setattr(start_up, "_seconds", seconds)
    made = start_up.time_start_up(tmp_path, rounds=2, cold=True)
    assert [each["calls"] for each in made] == [1, 2, 2, 2, 2]
    assert cold == [True, False, False, False]
    assert list(tmp_path.iterdir()) == []
