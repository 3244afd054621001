"""The peers follow the law, a wrong one is found out, and the report has the shape that readers rely on.

Nothing here looks at a clock: how fast anything is, is for `python -m benchmarks` to say.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.cases import CASES, NAMES, SIMCORE, Case, contenders, make_shares
from benchmarks.comparison import FLOOR, compare, generator_of, tuned
from benchmarks.correctness import WrongContender, check, component_totals, exact_moments
from benchmarks.numpy_collapsed import CollapsedPeer
from benchmarks.numpy_legs import LegPeer
from benchmarks.report import make_report, table, write_json
from benchmarks.timing import Samples, Spread, alternate, ratios
from benchmarks.work import Work, agents_of, attempts_of, fixed_work, varied_work
from simcore.engines.counts import Counts
from simcore.model import CompiledModel, compile_model
from simcore.scenario import Scenario
from tests.conftest import FIXTURES, load

PEERS = [name for name in NAMES if not name.startswith("simcore")]
VARIABLES = [name for name in Counts._fields if name != "ended"]


@pytest.fixture(scope="module")
def phase1_model(phase1: Scenario) -> CompiledModel:
    return compile_model(phase1)


def small_case(**changes: object) -> Case:
    case = Case(
        name="tiny",
        title="a known-answer fixture",
        scenario=FIXTURES / "tiny.toml",
        settings=(),
        varied=False,
        shares=make_shares(20, repeats=(2, 1, 1, 1), part=2),
        checked={"": 40, "plain python": 10},
        whole_run=30,
    )
    return replace(case, **changes)


def assert_consistent(counts: Counts, work: Work) -> None:
    """What holds in every replicate, whatever was drawn."""
    bound = counts.destination[..., work.model.source.bound]
    assert (counts.destination.sum(axis=-1) == counts.victims).all()
    assert (counts.outcome.sum(axis=-1) == bound).all()
    assert (counts.attempts[..., 0] == bound).all()
    assert (counts.reached <= counts.visits).all()
    assert (counts.reached <= bound[..., None]).all()
    assert (np.diff(counts.attempts, axis=-1) <= 0).all()
    arrival = work.model.transit.arrival_point
    assert (counts.reached[..., arrival] == counts.outcome[..., work.model.transit.arrival_outcome]).all()


# One z-score per stored count, |z| < 4.5: about 50 of TINY, so a false alarm once in 3,000 seeds; what it catches is
# shown by `test_a_wrong_peer_is_found_out`.
@pytest.mark.parametrize("name", PEERS)
def test_peer_follows_the_law_with_fixed_parameters(name: str, tiny_model: CompiledModel, seed: int) -> None:
    work = fixed_work(tiny_model, 400 if name == "plain python" else 4000, seed)
    counts = contenders()[name](work, generator_of(seed))
    verdict = check(counts, exact_moments(work), work)
    assert verdict.counts == len(exact_moments(work).components)
    assert_consistent(counts, work)


@pytest.mark.parametrize("name", [SIMCORE, "simcore legs", *PEERS])
def test_peer_follows_the_law_with_parameters_of_each_replicate(
    name: str, phase1_model: CompiledModel, seed: int
) -> None:
    """Four journey classes, several routes, modifiers, shared effects."""
    work = varied_work(phase1_model, 2 if name == "plain python" else 24, seed)
    counts = contenders()[name](work, generator_of(seed))
    check(counts, exact_moments(work), work)
    assert_consistent(counts, work)
    assert counts.persons.sum(axis=0).tolist() == exact_moments(work).persons.sum(axis=1).tolist()


@pytest.mark.parametrize("search", ["guide", "search"])
@pytest.mark.parametrize("batch", [1, 700, 10**6])
def test_search_and_batches_change_no_law(search: str, batch: int, tiny_model: CompiledModel, seed: int) -> None:
    work = fixed_work(tiny_model, 300, seed)
    check(CollapsedPeer(search, batch)(work, generator_of(seed)), exact_moments(work), work)
    check(LegPeer(batch)(work, generator_of(seed)), exact_moments(work), work)


def test_a_wrong_peer_is_found_out(tiny_model: CompiledModel, seed: int) -> None:
    """Retries one in ten too rare, a leg probability off by 2 %, two outcomes swapped, one person too many.

    The 2 % move the number of finally returned by 0.0766 standard deviations of a replicate, so 16,000 replicates put
    it at z = 9.7; the power is 0.999 from 10,000 on.
    """
    plan = tiny_model.transit
    work = fixed_work(tiny_model, 16_000, seed)
    moments = exact_moments(work)
    counts = LegPeer()(work, generator_of(seed))
    check(counts, moments, work)
    fewer_retries, harder_leg = work.theta.copy(), work.theta.copy()
    fewer_retries[:, np.unique(plan.reattempt[plan.reattempt >= 0])] *= 0.9
    last = plan.class_profile[0, list(plan.leg_to).index(plan.arrival_point)]
    taken = 0.02 * harder_leg[:, plan.profile_continue[last]]
    harder_leg[:, plan.profile_continue[last]] -= taken
    harder_leg[:, plan.profile_cause[last, 0]] += taken
    for theta in (fewer_retries, harder_leg):
        with pytest.raises(WrongContender, match=r"z = "):
            check(LegPeer()(replace(work, theta=theta), generator_of(seed)), moments, work)
    with pytest.raises(WrongContender, match="outcome"):
        check(counts._replace(outcome=counts.outcome[..., ::-1]), moments, work)
    with pytest.raises(WrongContender, match="persons"):
        check(counts._replace(persons=counts.persons + 1), moments, work)


def test_a_single_impossible_count_is_refused(seed: int) -> None:
    """Without retries nobody makes a second attempt: one who does is too many, however many replicates there are."""
    never = [f"parameters.{name}.distribution.value = 0" for name in ("reattempt_first", "reattempt_second")]
    work = fixed_work(compile_model(load(FIXTURES / "tiny.toml", *never)), 500, seed)
    moments = exact_moments(work)
    counts = LegPeer()(work, generator_of(seed))
    check(counts, moments, work)
    attempts = counts.attempts.copy()
    attempts[0, 0, 1] += 1
    with pytest.raises(WrongContender, match="attempts/S/2"):
        check(counts._replace(attempts=attempts), moments, work)


def test_counts_add_up_to_the_totals(tiny_model: CompiledModel, seed: int) -> None:
    work = fixed_work(tiny_model, 30, seed)
    counts = contenders()[SIMCORE](work, generator_of(seed))
    moments = exact_moments(work)
    totals = dict(zip(moments.components, component_totals(counts, moments, work), strict=True))
    for variable in VARIABLES[1:]:
        mine = sum(total for component, total in totals.items() if component.variable == variable)
        assert mine == getattr(counts, variable).sum()
    assert agents_of(counts, work) == counts.attempts[..., 0].sum()
    assert attempts_of(counts) == counts.attempts.sum()


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
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_tuning_keeps_the_kind_of_peer(tiny_model: CompiledModel, seed: int) -> None:
    for fixed, make in ((True, fixed_work), (False, varied_work)):
        work = make(tiny_model, 8, seed)
        for name, contender in contenders().items():
            chosen, choice = tuned(contender, work, seed)
            assert type(chosen) is type(contender)
            assert bool(choice) == name.startswith("numpy")
            assert fixed or "guide" not in choice


def test_report_has_every_contender_of_every_case(seed: int, tmp_path: Path) -> None:
    result = compare(small_case(), rounds=2, seed=seed, threads=2)
    names = [contender["name"] for contender in result["contenders"]]
    assert names == [*NAMES, FLOOR, "simcore run, 1 thread", "simcore run, 2 threads"]
    for contender in result["contenders"]:
        assert len(contender["processor_seconds"]) == len(contender["wall_seconds"]) == 2
        for key in ("million_agents_per_second", "replicates_per_second", "simcore_faster_by"):
            assert 0.0 < contender[key]["low"] <= contender[key]["median"] <= contender[key]["high"]
        assert (contender["check"] is not None) == (contender["name"] in NAMES)
    base = result["contenders"][0]
    assert base["simcore_faster_by"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert base["replicates"] == 40
    assert result["contenders"][2]["agents"] > 0

    report = make_report([result], {"processor": "p", "cores": 2}, {"rounds": 2, "seed": seed, "quick": True})
    path = tmp_path / "new" / "report.json"
    write_json(report, path)
    assert json.loads(path.read_text()) == report
    text = table(result)
    assert result["title"] in text
    assert all(contender["label"] in text for contender in result["contenders"])


def test_a_case_with_a_wrong_contender_is_not_timed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(work: Work, _: np.random.Generator) -> Counts:
        return work.slots.empty_counts(work.replicates)

    monkeypatch.setattr("benchmarks.comparison.contenders", lambda: {**contenders(), "numpy legs": none})
    monkeypatch.setattr("benchmarks.comparison.alternate", lambda *_: pytest.fail("timed all the same"))
    with pytest.raises(WrongContender):
        compare(small_case(), rounds=1, seed=seed, threads=1)


def test_program_writes_report_and_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.__main__.CASES", (small_case(whole_run=0), small_case(name="b", varied=True)))
    output = tmp_path / "numbers.json"
    assert main(["--quick", "--rounds", "1", "--output", str(output)]) == 0
    assert [case["name"] for case in json.loads(output.read_text())["cases"]] == ["tiny", "b"]
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "faster by" in capsys.readouterr().out


def test_shipped_cases_give_every_contender_its_share() -> None:
    for case in CASES:
        assert list(case.shares) == list(NAMES)
        assert all(share.replicates >= 1 and share.repeats >= 1 for share in case.shares.values())
        smaller = case.scaled(4)
        assert all(share.replicates >= 1 for share in smaller.shares.values())
        assert len({share.replicates for name, share in case.shares.items() if name != "plain python"}) == 1
