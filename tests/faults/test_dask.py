"""Machines that die under a run on a cluster: workers, the scheduler, the client, a worker's disk.

Nothing here waits for a moment by the clock: whoever is to die is killed when the first shard is there.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import simcore
from simcore.errors import ResultsError
from simcore.runner import Progress
from simcore.runner.blocks import BLOCK_ROWS
from simcore.runner.cluster import Cluster
from simcore.runner.cluster_members import TASKS_AT_ONCE, Member, Members
from simcore.scenario import Scenario
from simcore.store.target import parts_path
from tests.conftest import FIXTURES
from tests.unit.runner.test_cluster import changed_worker
from tests.unit.runner.test_session import assert_same, content

pytest.importorskip("distributed")

BLOCKS = 16
REPLICATES = (BLOCKS - 1) * BLOCK_ROWS + 77
PATIENCE = 60.0


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """A client of two worker processes of one thread each; one that dies is started again."""
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


@pytest.fixture
def gone(monkeypatch: Any) -> list[int]:
    """How many tasks each worker had that left while it was wanted."""
    found: list[int] = []
    update = Members.update

    def update_and_count(self: Members, seen: Any) -> tuple[list[Member], list[Member]]:
        came, left = update(self, seen)
        found.extend(len(member.tasks) for member in left)
        return came, left

    monkeypatch.setattr(Members, "update", update_and_count)
    return found


@pytest.fixture
def everybody(monkeypatch: Any) -> list[Members]:
    """The workers of every run of a test."""
    found: list[Members] = []
    make = Members.__init__

    def make_and_remember(self: Members, *arguments: Any) -> None:
        make(self, *arguments)
        found.append(self)

    monkeypatch.setattr(Members, "__init__", make_and_remember)
    return found


class WhenSafe:
    """A progress callback that does something once, when the first shard is there (or as soon as it can after that).

    The action says whether it could.
    """

    def __init__(self, path: Path, action: Callable[[], bool]) -> None:
        self.path, self.action, self.acted = path, action, False

    def __call__(self, state: Progress) -> None:
        if not self.acted and state.replicates_done and _shards(self.path):
            self.acted = self.action()


def _shards(path: Path) -> list[Path]:
    return list(parts_path(path).glob("shard-*.blocks"))


@pytest.mark.parametrize("shared", [True, False], ids=["shared folder", "over the wire"])
def test_a_killed_worker_costs_its_tasks_only(
    shared: bool, tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path, gone: list[int],
    everybody: list[Members],
) -> None:  # fmt: skip
    path = tmp_path / "x.h5"
    workers.wait_for_workers(2, timeout=PATIENCE)
    processes = workers.run(os.getpid)

    def kill_a_busy_one() -> bool:
        (members,) = everybody
        busy = max(members.all.values(), key=lambda member: len(member.tasks))  # the other one may not be ready yet
        if len(busy.tasks) < TASKS_AT_ONCE:
            return False
        os.kill(processes[busy.address], signal.SIGKILL)
        return True

    kill = WhenSafe(path, kill_a_busy_one)
    with (
        contextlib.nullcontext() if shared else changed_worker(workers, "sees", _blind),
        changed_worker(workers, "compute_block", _slowly),
    ):
        simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path, progress=kill).close()
    assert kill.acted
    assert len(gone) == 1
    assert gone[0] >= 1, "the victim had nothing to do: this showed nothing"
    assert_same(content(path), content(whole))
    assert list(tmp_path.iterdir()) == [path]


def _blind(folder: Any, token: str) -> bool:
    return False


def _slowly(work: Any, first: int, *, keep_theta: bool) -> Any:
    """Compute a block so that whoever is killed has something to do, and it is seen before the run is over."""
    from simcore.runner import cluster_worker

    time.sleep(0.2)
    return vars(cluster_worker)["_true_compute_block"](work, first, keep_theta=keep_theta)


def test_a_worker_with_a_full_disk_is_left_out(
    tiny: Scenario, seed: int, workers: Any, whole: Path, tmp_path: Path, caplog: Any
) -> None:
    path = tmp_path / "x.h5"
    workers.wait_for_workers(2, timeout=PATIENCE)
    full = next(iter(workers.nthreads()))
    workers.run(_limit_files, 2**16, workers=[full])
    try:
        with caplog.at_level(logging.WARNING, "simcore"):
            simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=workers, output=path).close()
    finally:
        workers.run(_limit_files, None, workers=[full])
    assert_same(content(path), content(whole))
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("simcore")]
    assert any(full in line and "File too large" in line for line in lines)
    assert list(tmp_path.iterdir()) == [path]


def _limit_files(size: int | None) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


def test_a_worker_that_joins_later_is_used(
    tiny: Scenario, seed: int, whole: Path, tmp_path: Path, gone: list[int], caplog: Any
) -> None:
    """The cluster begins with nobody; the only worker is started when the run is waiting."""
    from distributed import Client, LocalCluster

    path = tmp_path / "x.h5"
    with (
        LocalCluster(
            n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL, threads_per_worker=1
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        calls = [0]

        def scale(state: Progress) -> None:
            calls[0] += 1
            assert calls[0] != 1 or state.replicates_done == 0
            if calls[0] == 2:
                cluster.scale(1)

        with simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=client, output=path, progress=scale) as results:
            assert results.attributes["workers"] == 1
    assert gone == []
    assert_same(content(path), content(whole))


@contextlib.contextmanager
def dask_commands(folder: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """Start a scheduler and two workers as a user does; yields the scheduler's file and the scheduler."""
    file = folder / "scheduler.json"
    command = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    options = ["--scheduler-file", str(file), "--no-dashboard"]
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parents[2])}
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([*command, *arguments, *options], cwd=folder, env=environment, **quiet)  # type: ignore[call-overload]
            stack.callback(_end, process)
            return process

        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0")
        _wait_for(file.exists)
        for _ in range(2):
            start("worker", "--nthreads", "1", "--no-nanny", "--death-timeout", "5", "--host", "127.0.0.1")
        yield file, scheduler


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_scheduler_that_dies_leaves_what_can_be_resumed(
    tiny: Scenario, seed: int, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.h5"
    with dask_commands(tmp_path) as (file, scheduler):
        kill = WhenSafe(path, lambda: scheduler.kill() is None)
        with pytest.raises(ResultsError, match=r"the Dask scheduler at tcp://\S+ is gone") as caught:
            simcore.run(tiny, replicates=REPLICATES, seed=seed, dask=str(file), output=path, progress=kill)
    assert kill.acted
    assert "\n" not in str(caught.value)
    assert f"simcore resume {path}" in str(caught.value)
    assert not path.exists()
    safe = len(_shards(path))
    assert 1 <= safe < BLOCKS
    stored: list[int] = []
    simcore.resume(path, threads=1, progress=lambda state: stored.append(state.replicates_stored)).close()
    assert stored[-1] >= BLOCK_ROWS
    assert_same(content(path), content(whole))
    assert not parts_path(path).exists()


@pytest.mark.long
@pytest.mark.parametrize("again", ["on the cluster", "here"])
def test_a_client_that_is_killed_leaves_what_can_be_resumed(
    again: str, seed: int, workers: Any, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.h5"
    command = [sys.executable, "-m", "simcore.cli", "run", str(FIXTURES / "tiny.toml"), "-n", str(REPLICATES)]
    command += ["--seed", str(seed), "-o", str(path), "--dask", workers.scheduler.address, "--quiet"]
    client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(lambda: _shards(path) or client.poll() is not None)
    finally:
        client.kill()
        client.wait()
    assert client.returncode == -signal.SIGKILL
    assert not path.exists()
    more = {"dask": workers} if again == "on the cluster" else {"threads": 1}
    simcore.resume(path, **more).close()  # type: ignore[arg-type]
    assert_same(content(path), content(whole))


@pytest.mark.long
def test_ctrl_c_on_a_terminal_reaches_the_client_only(seed: int, whole: Path, tmp_path: Path) -> None:
    """A terminal sends it to all processes of the group, the local workers too."""
    path = tmp_path / "x.h5"
    command = [sys.executable, "-m", "simcore.cli", "run", str(FIXTURES / "tiny.toml"), "-n", str(REPLICATES)]
    command += ["--seed", str(seed), "-o", str(path), "--dask", "local:2"]
    client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    _wait_for(lambda: _shards(path) or client.poll() is not None)
    os.killpg(client.pid, signal.SIGINT)
    _, errors = client.communicate(timeout=PATIENCE)
    assert client.returncode == 130
    assert b"Traceback" not in errors
    assert b"once more stops at once" in errors
    simcore.resume(path, threads=1).close()
    assert_same(content(path), content(whole))


@pytest.mark.long
def test_workers_that_die_all_the_time(
    tiny: Scenario, seed: int, workers: Any, tmp_path: Path, gone: list[int], everybody: list[Members]
) -> None:
    """A worker that is at work is killed whenever another ten blocks are done."""
    path, other, blocks = tmp_path / "x.h5", tmp_path / "y.h5", 60
    kills = [0]

    def kill(state: Progress) -> None:
        at_work = [member.address for member in everybody[-1].accepted if member.tasks] if everybody else []
        due = 10 * (kills[0] + 1) * BLOCK_ROWS
        if due <= state.replicates_done < state.replicates and at_work:
            for pid in workers.run(os.getpid, workers=at_work[:1], on_error="ignore").values():
                kills[0] += 1
                os.kill(pid, signal.SIGKILL)

    simcore.run(tiny, replicates=blocks * BLOCK_ROWS, seed=seed, dask=workers, output=path, progress=kill).close()
    simcore.run(tiny, replicates=blocks * BLOCK_ROWS, seed=seed, threads=2, output=other).close()
    assert kills[0] >= 3
    assert len(gone) >= 2
    assert_same(content(path), content(other))
