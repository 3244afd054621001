"""A run on a cluster: the same file as a run here, whoever computes it, in whatever order, and wherever it stops.

The cluster is two processes on this machine, shared by the tests of this module; the scenario is tiny. What happens
when machines die is in tests/faults/test_dask.py.
"""

from __future__ import annotations

import contextlib
import logging
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import simcore
from simcore.cli import main
from simcore.errors import ResultsError, UserError
from simcore.runner import Progress, RunInterrupted, cluster, cluster_session, cluster_tasks, session
from simcore.runner.blocks import BLOCK_ROWS
from simcore.runner.cluster import Cluster, chosen_workers
from simcore.runner.cluster_session import ClusterSession
from simcore.runner.cluster_shards import Shard, WaitingShards
from simcore.runner.cluster_tasks import Plan, Span
from simcore.runner.threads import checked_threads
from simcore.scenario import Scenario
from simcore.store.target import parts_path
from tests.unit.runner.test_session import Interrupter, assert_same, content

distributed = pytest.importorskip("distributed")

BLOCKS = 9
REPLICATES = (BLOCKS - 1) * BLOCK_ROWS + 77
LOGGER = "simcore.runner.cluster_members"


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """A client of two worker processes of one thread each."""
    here = Cluster("local:2")
    try:
        yield here.client
    finally:
        here.close()


@pytest.fixture(scope="module")
def whole(tiny: Scenario, seed: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of this process; not to be written to."""
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    simcore.run(tiny, replicates=REPLICATES, seed=seed, threads=2, output=path).close()
    return path


@contextlib.contextmanager
def changed_worker(client: Any, name: str, value: Any, addresses: list[str] | None = None) -> Iterator[None]:
    """Put another object into the module that runs on workers, for as long as the body runs."""
    client.run(_put, name, value, workers=addresses)
    try:
        yield
    finally:
        client.run(_put_back, name, workers=addresses)


def _put(name: str, value: Any) -> None:
    from simcore.runner import cluster_worker

    vars(cluster_worker).setdefault(f"_true_{name}", getattr(cluster_worker, name))
    setattr(cluster_worker, name, value)


def _put_back(name: str) -> None:
    from simcore.runner import cluster_worker

    if f"_true_{name}" in vars(cluster_worker):  # not so in a process that was started meanwhile
        setattr(cluster_worker, name, vars(cluster_worker).pop(f"_true_{name}"))


def _blind(folder: Any, token: str) -> bool:
    return False


def _liar(work: Any) -> list[str]:
    return ["0123456789abcdef"]


def _other_versions() -> dict[str, str]:
    from simcore.store.provenance import environment

    return {**environment(), "numpy": "1.0"}


def _user_error(*arguments: Any, **options: Any) -> Any:
    from simcore.errors import UserError

    raise UserError("parameter 'x' = 7: must be below 5")


def _always_fails(*arguments: Any, **options: Any) -> Any:
    raise RuntimeError("no such luck")


def _fails_once(work: Any, first: int, *, keep_theta: bool) -> Any:
    from simcore.runner import cluster_worker

    if not vars(cluster_worker).get("_failed_once"):
        vars(cluster_worker)["_failed_once"] = True
        raise RuntimeError("no such luck")
    return vars(cluster_worker)["_true_compute_block"](work, first, keep_theta=keep_theta)


def _forget_runs() -> None:
    from simcore.runner import cluster_worker

    cluster_worker._runs.clear()


# Who computes what ----------------------------------------------------------------------------------------------------


def test_a_task_is_one_block_until_it_is_known_what_a_block_costs() -> None:
    plan = Plan(10**6, lambda first, rows: False)
    assert not plan.measured
    assert plan.blocks_of_a_task(1, 0) == 1


@pytest.mark.parametrize(
    ("seconds", "encoded", "threads", "blocks"),
    [
        (1.0, 1, 1, 30),  # the time of a task
        (0.001, 2**20, 1, 128),  # the size of its shard
        (0.001, 1, 8, 10**9 // BLOCK_ROWS // 4 // 8),  # a share of what is left
        (100.0, 1, 1, 1),
        (0.001, 2**30, 1, 1),
        (0.0, 0, 10**6, 1),
    ],
)
def test_a_task_is_bounded_in_time_size_and_share(seconds: float, encoded: int, threads: int, blocks: int) -> None:
    plan = Plan(10**9, lambda first, rows: False)
    plan.learn(2, 2 * seconds, 2 * encoded)
    assert plan.blocks_of_a_task(threads, 0) == pytest.approx(blocks, abs=1 if blocks > 1000 else 0)


def test_a_stopping_rule_keeps_tasks_short_at_the_beginning() -> None:
    plan = Plan(10**9, lambda first, rows: False, with_rule=True)
    plan.learn(1, 0.001, 1000)
    assert plan.blocks_of_a_task(4, 0) == 1
    assert plan.blocks_of_a_task(4, 640 * BLOCK_ROWS) == 10


def test_every_block_is_handed_out_once_but_those_that_are_there(chooser: random.Random) -> None:
    for _ in range(200):
        replicates = chooser.randint(1, 40 * BLOCK_ROWS)
        firsts = range(0, replicates, BLOCK_ROWS)
        held = {first for first in firsts if chooser.random() < 0.3}
        plan = Plan(replicates, lambda first, rows, held=held: first in held)  # type: ignore[misc]
        seen: list[int] = []
        given_back = 0
        while (span := plan.take(chooser.randint(1, 6))) is not None:
            assert span.first % BLOCK_ROWS == 0
            assert span.stop == replicates or span.stop % BLOCK_ROWS == 0
            blocks = list(range(span.first, span.stop, BLOCK_ROWS))
            assert span.blocks == len(blocks) >= 1
            done = chooser.randint(0, len(blocks)) if given_back < 20 else len(blocks)
            given_back += done < len(blocks)
            seen += blocks[:done]
            plan.give_back(span.rest(min(span.first + done * BLOCK_ROWS, replicates)))
        assert sorted(seen) == [first for first in firsts if first not in held]


def test_what_was_given_back_comes_first_and_keeps_its_count_of_failures() -> None:
    plan = Plan(10 * BLOCK_ROWS, lambda first, rows: False)
    first, second = plan.take(3), plan.take(3)
    assert first is not None
    assert second is not None
    plan.give_back(second)
    plan.give_back(Span(first.first, first.stop, failures=2))
    again = plan.take(2)
    assert again is not None
    assert (again.first, again.stop, again.failures) == (0, 2 * BLOCK_ROWS, 2)
    rest = plan.take(2)
    assert rest is not None
    assert (rest.first, rest.failures) == (2 * BLOCK_ROWS, 2)
    assert plan.take(9) == second


# Where the workers are ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted", ["local:", "local:0", "local:4x", "local:4x0", "local:-1", "local:9999", "local:2y3"]
)
def test_a_local_cluster_that_cannot_be_is_refused(wanted: str) -> None:
    with pytest.raises(UserError, match=f"^dask = '{wanted}': ") as caught:
        Cluster(wanted)
    assert "\n" not in str(caught.value)


def test_processes_and_threads_of_a_local_cluster() -> None:
    assert Cluster("local:4").local == (4, 1)
    assert Cluster("local:3x2").local == (3, 2)
    assert Cluster("local").local == (checked_threads(None), 1)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1:9", "no/such/file.json"])
def test_an_address_that_does_not_answer_is_one_line(address: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    with pytest.raises(UserError, match=f"^dask = '{address}': no Dask scheduler answers there") as caught:
        simcore.run("phase1", replicates=10, seed=1, dask=address, output=tmp_path / "x.h5")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["", "nonsense", "xyz://a:1", "http://x", "/etc/passwd", "tcp://"])
def test_what_is_no_address_is_one_line(address: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^dask = '{address}': must be local, local:4, the address of a scheduler"):
        simcore.run("phase1", replicates=10, seed=1, dask=address, output=tmp_path / "x.h5")
    assert list(tmp_path.iterdir()) == []


def test_no_dask_names_the_command_that_installs_it(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install 'simcore\[dask\]'"):
        Cluster("local:2")


def test_threads_and_a_cluster_are_not_both_chosen() -> None:
    with pytest.raises(UserError, match=r"^threads = 2, dask = 'local:2'"), chosen_workers(2, "local:2"):
        pass


@pytest.mark.parametrize("verb", [["run", "phase1", "-n", "10"], ["resume", "x.h5"], ["extend", "x.h5", "-n", "10"]])
def test_nor_are_they_on_the_command_line(verb: list[str], capsys: Any) -> None:
    assert main([*verb, "-j", "2", "--dask", "local:2"]) == 2
    assert capsys.readouterr().err.startswith("error: --threads 2 --dask local:2: threads are those of this process")


def test_something_else_than_a_client_is_refused() -> None:
    with pytest.raises(UserError, match="must be the address of a Dask scheduler"):
        Cluster(7)  # type: ignore[arg-type]


# The same file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [True, False], ids=["shared folder", "over the wire"])
def test_the_file_is_that_of_a_run_here(
    shared: bool, tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.h5"
    seen: list[Progress] = []
    blinding = contextlib.nullcontext() if shared else changed_worker(workers, "sees", _blind)
    with (
        blinding,
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path, progress=seen.append) as results,
    ):
        assert results.status == "complete"
        assert results.verify_checksums() == []
        facts = results.attributes
        assert (facts["threads"], facts["workers"], facts["dask"]) == (2, 2, distributed.__version__)
        assert seen[-1].agents == facts["agents_walked"] > 0
    assert_same(content(path), content(whole))
    assert list(tmp_path.iterdir()) == [path]
    assert seen[-1].replicates_done == seen[-1].replicates == REPLICATES
    assert workers.status == "running"  # a client that was given is left open


@pytest.mark.parametrize(
    "options",
    [
        {"nested": (1500, 7)},
        {"replicates": 8192, "design": "sobol"},
        {"replicates": 5000, "design": "lhs", "randomisation": 3},
        {"replicates": 9000, "engine": "cohort", "store_theta": False},
        {"replicates": 5000, "walker": "leg-by-leg", "store_ended": True, "store_by": ()},
        {"replicates": 100},
    ],
    ids=["nested", "sobol", "lhs", "cohort", "leg by leg", "short"],
)
def test_so_it_is_for_every_kind_of_run(
    options: dict[str, Any], tiny: Scenario, seed: int, workers: Any, tmp_path: Path
) -> None:
    simcore.run(tiny, seed=seed, threads=1, output=tmp_path / "here.h5", **options).close()
    simcore.run(tiny, seed=seed, dask=workers, output=tmp_path / "there.h5", **options).close()
    assert_same(content(tmp_path / "there.h5"), content(tmp_path / "here.h5"))


def test_results_in_memory(tiny: Scenario, seed: int, workers: Any, whole: Path) -> None:
    with (
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers) as there,
        simcore.open_results(whole) as here,
    ):
        for variable in here.layout.variables:
            counts = (results.read(variable.name, by=variable.strata) for results in (here, there))
            assert (next(counts) == next(counts)).all(), variable.name
        assert (there.theta().to_numpy() == here.theta().to_numpy()).all()
        assert there.ledger()["checksum"].tolist() == here.ledger()["checksum"].tolist()


def test_a_stopping_rule_ends_the_run_where_it_ends_here(
    tiny: Scenario, seed: int, workers: Any, tmp_path: Path
) -> None:
    options = {
        "replicates": 40 * BLOCK_ROWS,
        "seed": seed,
        "until": "arrived.mean mcse<=0.07%",
        "until_minimum": BLOCK_ROWS,
    }
    with simcore.run(tiny, threads=2, output=tmp_path / "here.h5", **options) as here:
        rows = here.replicates
        assert 3 * BLOCK_ROWS <= rows < 20 * BLOCK_ROWS
    with simcore.run(tiny, dask=workers, output=tmp_path / "there.h5", **options) as there:
        assert there.replicates == rows
        assert there.attributes["stopped_because"] == "target met"
    assert_same(content(tmp_path / "there.h5"), content(tmp_path / "here.h5"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.h5", "there.h5"]


def test_extending_on_a_cluster(tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    simcore.run(tiny, replicates=3 * BLOCK_ROWS + 5, seed=seed, threads=1, output=path).close()
    with simcore.extend(path, replicates=REPLICATES, dask=workers) as results:
        assert results.attributes["workers"] == 2
    assert_same(content(path), content(whole))


# Interrupts -----------------------------------------------------------------------------------------------------------


class AfterRows:
    """A progress callback that raises KeyboardInterrupt once, when so many replicates are done."""

    def __init__(self, rows: int) -> None:
        self.rows, self.raised = rows, False

    def __call__(self, state: Progress) -> None:
        if state.replicates_done >= self.rows and not self.raised:
            self.raised = True
            raise KeyboardInterrupt


@pytest.mark.parametrize("rows", [0, 1, 4 * BLOCK_ROWS])
def test_an_interrupted_run_is_resumed_here(
    rows: int, tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path
) -> None:
    path, interrupt = tmp_path / "x.h5", AfterRows(rows)
    with pytest.raises(RunInterrupted) as caught:
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path, progress=interrupt)
    assert interrupt.raised
    assert caught.value.safe >= rows
    if caught.value.results is not None:
        caught.value.results.close()
    if caught.value.safe:
        with simcore.resume(path, threads=1) as results:
            assert not {"workers", "dask"} & set(results.attributes)
        assert_same(content(path), content(whole))
    assert list(tmp_path.iterdir()) == ([path] if caught.value.safe else [])


@pytest.fixture
def first_block_last(monkeypatch: Any) -> None:
    """Hand out the first block only when there is no other one left."""
    take, kept = Plan.take, []

    def take_the_first_last(self: Plan, blocks: int) -> Span | None:
        if not kept:
            kept.append(take(self, 1))
        span = take(self, blocks)
        if span is None and kept[-1] is not None:
            span = kept[-1]
            kept.append(None)
        return span

    monkeypatch.setattr(Plan, "take", take_the_first_last)


@pytest.mark.usefixtures("first_block_last")
def test_shards_that_are_finished_out_of_order_wait_on_the_disk(
    tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path
) -> None:
    path, waiting = tmp_path / "x.h5", [0]

    def count(state: Progress) -> None:
        if not path.exists():
            waiting.append(len(list(parts_path(path).glob("shard-*.blocks"))))

    simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path, progress=count).close()
    assert max(waiting) >= 6
    assert_same(content(path), content(whole))


@pytest.mark.usefixtures("first_block_last")
def test_shards_beyond_a_gap_are_kept_and_used(
    tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    path, interrupt = tmp_path / "x.h5", AfterRows(5 * BLOCK_ROWS)
    with pytest.raises(RunInterrupted) as caught:
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path, progress=interrupt)
    assert caught.value.results is None  # a file that ends before the gap would hold less than is safe
    assert REPLICATES > caught.value.safe >= 5 * BLOCK_ROWS
    assert not path.exists()
    begun: list[int] = []
    new_block = session.new_block
    monkeypatch.setattr(
        session, "new_block", lambda work, first, **more: begun.append(first) or new_block(work, first, **more)
    )
    simcore.resume(path, threads=1).close()
    assert 0 in begun
    assert len(begun) * BLOCK_ROWS >= REPLICATES - caught.value.safe > (len(begun) - 1) * BLOCK_ROWS
    assert_same(content(path), content(whole))


def test_a_run_that_was_interrupted_here_is_resumed_on_a_cluster(
    tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.h5"
    with pytest.raises(RunInterrupted) as caught:
        simcore.run(tiny, replicates=REPLICATES, seed=seed, threads=2, output=path, progress=Interrupter(40))
    assert caught.value.results is not None
    caught.value.results.close()
    seen: list[Progress] = []
    with simcore.resume(path, dask=workers, progress=seen.append) as results:
        assert results.attributes["workers"] == 2
    assert seen[-1].replicates_stored == caught.value.safe
    assert seen[-1].replicates_done == REPLICATES
    assert_same(content(path), content(whole))


def test_the_second_interrupt_stops_at_once(tiny: Scenario, seed: int, workers: Any, tmp_path: Path) -> None:
    calls = Interrupter(1, 2)
    with pytest.raises(KeyboardInterrupt):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=tmp_path / "x.h5", progress=calls)
    assert calls.count == 2
    assert list(tmp_path.iterdir()) == []


# Workers that cannot be used ------------------------------------------------------------------------------------------


def test_a_worker_whose_golden_block_differs_is_refused(
    tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path, caplog: Any
) -> None:
    liar, honest = workers.nthreads()
    path = tmp_path / "x.h5"
    with (
        changed_worker(workers, "golden_block", _liar, [liar]),
        changed_worker(workers, "environment", _other_versions, [liar]),
        caplog.at_level(logging.WARNING, LOGGER),
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path) as results,
    ):
        assert results.attributes["workers"] == 1
    assert_same(content(path), content(whole))
    (line,) = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    assert line.startswith(f"refused: worker {liar} on ")
    assert honest not in line
    assert "its first replicates differ" in line
    assert "1.0 there" in line
    assert line.count(" there") == 1  # the one version that differs


def test_no_worker_left_ends_the_run_with_a_line(
    tiny: Scenario, seed: int, workers: Any, tmp_path: Path, caplog: Any
) -> None:
    path = tmp_path / "x.h5"
    with (
        changed_worker(workers, "golden_block", _liar),
        caplog.at_level(logging.CRITICAL, LOGGER),
        pytest.raises(
            ResultsError, match=r"no Dask worker can be used: worker tcp://.*first replicates differ"
        ) as caught,
    ):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path)
    assert "all numerical libraries are the same" in str(caught.value)
    assert "(and 1 more)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_of_another_version_says_so(
    tiny: Scenario, seed: int, workers: Any, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr("simcore.runner.request.RESULTS_VERSION", 99)
    with (
        caplog.at_level(logging.CRITICAL, LOGGER),
        pytest.raises(ResultsError, match=r"makes another run of it .results_version 99, here"),
    ):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=tmp_path / "x.h5")


def test_a_worker_that_lacks_an_at_risk_model_says_so(
    tiny: Scenario, seed: int, workers: Any, tmp_path: Path, caplog: Any
) -> None:
    with (
        changed_worker(workers, "scenario_of_documents", _no_such_model),
        caplog.at_level(logging.CRITICAL, LOGGER),
        pytest.raises(ResultsError, match="unknown at-risk model 'census'"),
    ):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=tmp_path / "x.h5")


def test_a_worker_that_forgot_the_run_is_told_again(
    tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path
) -> None:
    path, forgot = tmp_path / "x.h5", [False]

    def make_them_forget(state: Progress) -> None:
        if state.replicates_done and not forgot[0]:
            forgot[0] = True
            workers.run(_forget_runs)

    simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path, progress=make_them_forget).close()
    assert forgot[0]
    assert_same(content(path), content(whole))


# Tasks that fail ------------------------------------------------------------------------------------------------------


def test_what_the_user_can_mend_ends_the_run_at_once(tiny: Scenario, seed: int, workers: Any, tmp_path: Path) -> None:
    with (
        changed_worker(workers, "compute_block", _user_error),
        pytest.raises(UserError, match="parameter 'x' = 7: must be below 5"),
    ):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=tmp_path / "x.h5")
    assert list(tmp_path.iterdir()) == []


def test_other_failures_are_tried_again(
    tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path, caplog: Any
) -> None:
    with changed_worker(workers, "compute_block", _fails_once), caplog.at_level(logging.WARNING, LOGGER):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=tmp_path / "x.h5").close()
    assert_same(content(tmp_path / "x.h5"), content(whole))
    failed = [record.getMessage() for record in caplog.records if "RuntimeError: no such luck" in record.getMessage()]
    assert 1 <= len(failed) <= 2  # once per process


def test_and_end_the_run_when_they_stay(tiny: Scenario, seed: int, workers: Any, tmp_path: Path, caplog: Any) -> None:
    with (
        changed_worker(workers, "compute_block", _always_fails),
        caplog.at_level(logging.CRITICAL, LOGGER),
        pytest.raises(
            ResultsError, match=r"(failed 3 times|2 tasks in a row failed there).*: RuntimeError: no such luck"
        ) as caught,
    ):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=tmp_path / "x.h5")
    assert "\n" not in str(caught.value)


def test_a_shard_that_is_damaged_on_its_way_is_computed_again(
    tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    opened, path, opens = WaitingShards._open, tmp_path / "x.h5", [0]

    def damage_and_open(self: WaitingShards, finished: Shard) -> bool:
        opens[0] += 1
        if opens[0] in (1, 4):
            shard = parts_path(path) / f"shard-{finished.span.first:012d}.blocks"
            data = bytearray(shard.read_bytes())
            data[len(data) // 2] ^= 1
            shard.write_bytes(data)
        return opened(self, finished)

    monkeypatch.setattr(WaitingShards, "_open", damage_and_open)
    with caplog.at_level(logging.CRITICAL, LOGGER):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path).close()
    assert opens[0] >= 6
    assert_same(content(path), content(whole))


def test_shards_that_nobody_heard_of_are_kept(
    tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    path = tmp_path / "x.h5"

    def fail_when_there_is_a_shard(state: Progress) -> None:
        assert state.replicates_done == 0
        if list(parts_path(path).glob("shard-*.blocks")):
            raise MemoryError

    monkeypatch.setattr(ClusterSession, "_take_answers", lambda self: None)
    with pytest.raises(MemoryError):
        simcore.run(
            tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path, progress=fail_when_there_is_a_shard
        )
    assert parts_path(path).exists()
    monkeypatch.undo()
    stored: list[int] = []
    simcore.resume(path, threads=1, progress=lambda state: stored.append(state.replicates_stored)).close()
    assert stored[-1] >= BLOCK_ROWS
    assert_same(content(path), content(whole))


def test_a_full_disk_of_the_client_is_a_line(
    tiny: Scenario, seed: int, workers: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cluster_session, "write_shard", fail)
    with (
        changed_worker(workers, "sees", _blind),
        pytest.raises(ResultsError, match=r"could not write replicates .*: No space left on device"),
    ):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=tmp_path / "x.h5")


# Bounded --------------------------------------------------------------------------------------------------------------


def test_few_tasks_are_handed_out_and_few_blocks_are_remembered(
    tiny: Scenario, seed: int, workers: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    path, most, remembered = tmp_path / "x.h5", [0], [0]
    advance = ClusterSession._advance

    def look_and_advance(self: ClusterSession) -> None:
        advance(self)
        most.append(len(self._tasks))
        remembered.append(len(self.parts.shards) if self.parts is not None else 0)

    monkeypatch.setattr(ClusterSession, "_advance", look_and_advance)
    monkeypatch.setattr(cluster_tasks, "TASK_SECONDS", 0.0)  # one block each
    simcore.run(tiny, replicates=25 * BLOCK_ROWS, seed=seed, dask=workers, output=path).close()
    assert max(most) == 2 * 2
    assert max(remembered) <= 2


def test_a_worker_keeps_few_runs_ready(tiny: Scenario, seed: int, workers: Any) -> None:
    for number in range(6):
        simcore.run(tiny, replicates=10, seed=seed + number, dask=workers).close()
    assert set(workers.run(_runs_ready).values()) == {4}


def _no_such_model(documents: Any, place: str) -> Any:
    from simcore.errors import ScenarioError

    raise ScenarioError("scenario.json: at_risk.model: unknown at-risk model 'census' (known: expert, shares)")


def _runs_ready() -> int:
    from simcore.runner import cluster_worker

    return len(cluster_worker._runs)
