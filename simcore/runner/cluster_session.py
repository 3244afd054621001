"""A run in progress on a cluster: tasks handed to Dask workers, their shards merged in order while others compute.

Outside it is a `Session`: the same arguments, the same results, bit for bit, the same answers to an interrupt. Inside,
a task is several blocks in a row that one thread of one worker computes into one shard. The client alone decides who
computes what: every task is bound to a worker that has proved itself. So a lost worker costs its own tasks only, and
never are more than two tasks per thread in the scheduler, however long the run is.

Workers that see the folder of the unfinished run write their shards there; the others send their blocks, and the client
writes the shard. Either way a block is safe before it is counted, and shards that are finished out of order wait on the
disk. A thread of its own moves them into the results file in order.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from simcore.errors import ResultsError, UserError
from simcore.runner import cluster_worker
from simcore.runner.blocks import BLOCK_ROWS, SliceReport, report_of
from simcore.runner.cluster import Cluster
from simcore.runner.cluster_members import TASKS_AT_ONCE, Member, Members, Task, logger
from simcore.runner.cluster_shards import Shard, WaitingShards
from simcore.runner.cluster_tasks import LARGEST_MESSAGE, LARGEST_SHARD, Plan, Span
from simcore.runner.progress import Progress
from simcore.runner.request import PreparedRun
from simcore.runner.session import Session
from simcore.store import EncodedBlock, Results
from simcore.store.description import Attribute
from simcore.store.parts import SHARED_NAME
from simcore.store.provenance import environment
from simcore.store.recorder import Recorder
from simcore.store.shards import write_shard

MOST_FAILURES: Final = 3
"""A task that failed so often ends the run."""
MOST_LOSSES: Final = 10
"""So does one that vanished with its worker so often: it may be what ends them."""
LOOK_SECONDS: Final = 0.5
"""Time between two looks at who is there."""
PATIENCE_SECONDS: Final = 10.0
"""How long workers are waited for that throw away what is not wanted any more."""
LOCAL_PATIENCE_SECONDS: Final = 60.0
"""How long workers of this machine are waited for that should be started again at once."""
_HELPERS: Final = 4  # threads that wait for answers of the scheduler
_RECEIVERS: Final = 2  # threads that fetch what tasks tell; each holds the blocks of one task at most
_RECORDING: Final = 3  # blocks handed to the disk at a time


class ClusterSession(Session):
    """Computes and records all blocks of a run on a cluster.

    Parameters
    ----------
    prepared : PreparedRun
    recorder : Recorder
        Nothing recorded yet; it is finished here, but abandoned by whoever made it.
    cluster : Cluster
    progress : callable, optional
        Called in the calling thread whenever a task has ended, and at least every half second.
    before : mapping, optional
        Root attributes of the file that is gone on from.
    """

    def __init__(
        self,
        prepared: PreparedRun,
        recorder: Recorder,
        cluster: Cluster,
        progress: Callable[[Progress], None] | None,
        before: Mapping[str, Attribute] | None = None,
    ) -> None:
        request = prepared.request
        super().__init__(prepared.work, recorder, _HELPERS, request.store_theta, progress, request.stopping, before)
        self.client = cluster.client
        self.scheduler = cluster.scheduler
        self.rows_id = prepared.rows_id
        self.parts = recorder.parts
        self.token = secrets.token_hex(16)
        self.description = cluster_worker.description(
            prepared, self.token, None if self.parts is None else self.parts.folder
        )
        replicates = prepared.work.design.replicates
        self.plan = Plan(replicates, recorder.holds, with_rule=self.stopping is not None)
        self.members: Members | None = None
        """Set when the golden block is computed."""
        self.golden = self._submit(self.pool, lambda: (cluster_worker.golden_block(prepared.work), environment()))
        self.looking: Future[dict[str, int]] | None = None
        self.looked = 0.0
        self.local = cluster.local is not None
        self.alone_since = math.inf
        """Since when no worker is there [s]; infinity if one is."""
        self.warned = False
        self.receivers = ThreadPoolExecutor(_RECEIVERS, thread_name_prefix="simcore-receiver")
        self.shards = WaitingShards(
            recorder, prepared.rows_id, lambda function, shard: self._submit(self.disk, function, shard)
        )
        self.received: dict[int, EncodedBlock] = {}
        """Blocks that wait for their turn, in a run that is kept in memory."""
        self.recording: deque[tuple[int, Future[EncodedBlock], bool]] = deque()
        """Blocks at the disk: row at which each ends, and whether it was computed by this run."""
        self.sent = 0
        """Row up to which blocks were sent to the disk."""
        self.winding_down = False
        self.over = threading.Event()

    def run(self) -> Results:
        """Compute and store all blocks, and finish the file; see `Session.run`."""
        clock = threading.Thread(target=self._tick, name="simcore-clock", daemon=True)
        try:
            if self.parts is not None:
                (self.parts.folder / SHARED_NAME).write_text(self.token, encoding="ascii")
            clock.start()
            return super().run()
        finally:
            self._leave()

    def _tick(self) -> None:
        """Wake the calling thread now and then."""
        while not self.over.wait(LOOK_SECONDS):
            self.ended.put(None)

    def _leave(self) -> None:
        """Leave nothing behind on the cluster."""
        self.over.set()
        tasks = [] if self.members is None else self.members.tasks
        if tasks:
            self._tell_to_stop(drop=True)
        for task in tasks:
            self.shards.count_unheard(task.span)
            task.future.release()
        if self.parts is not None:
            with contextlib.suppress(OSError):  # a worker that comes late must not write there
                (self.parts.folder / SHARED_NAME).unlink(missing_ok=True)
        self.receivers.shutdown(wait=False, cancel_futures=True)

    def _advance(self) -> None:
        """Do everything that can be done without waiting."""
        while not self.ended.empty():  # one look serves all that ended
            self.ended.get_nowait()
        if self.client.status != "running":
            raise self._failure(f"the Dask scheduler at {self.scheduler} is gone")
        self._look()
        self._take_answers()
        self._hand_out()
        self._record()
        if self._take_recorded():
            self._record()
        if self.winding_down and not (self._tasks or self.recording or self.shards.opening):
            self.stop = self.recorded

    @property
    def _tasks(self) -> list[Task]:
        return [] if self.members is None else self.members.tasks

    def _failure(self, reason: str) -> ResultsError:
        return ResultsError(reason if self.parts is None else f"{self.parts.target}: {reason}")

    # Workers --------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """See who is there: have newcomers prove themselves, take back what was with those that left."""
        if self.members is None:
            if not self.golden.done():
                return
            self.members = Members(*self.golden.result())
        if self.looking is not None and self.looking.done():
            looking, self.looking = self.looking, None
            try:
                seen = looking.result()
            except Exception as problem:
                reason = (str(problem).splitlines() or [type(problem).__name__])[0]
                raise self._failure(f"the Dask scheduler at {self.scheduler} does not answer ({reason})") from problem
            self._meet(self.members, seen)
        now = time.perf_counter()
        if self.looking is None and now - self.looked >= LOOK_SECONDS:
            self.looked = now
            self.looking = self._submit(self.pool, self.client.nthreads)
        for member in self.members.all.values():
            if member.admission is not None and member.telling is None and member.admission.done():
                member.telling = self._submit(self.pool, _result, member.admission)
            elif member.telling is not None and member.telling.done():
                self.members.judge(member)
        refusals = self.members.refusals
        if refusals and not self.winding_down:
            more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
            raise self._failure(f"no Dask worker can be used: {refusals[0]}{more}")

    def _meet(self, members: Members, seen: Mapping[str, int]) -> None:
        came, gone = members.update(seen)
        for member in gone:
            for task in member.tasks:
                task.future.release()
                span = replace(task.span, losses=task.span.losses + 1)
                if span.losses >= MOST_LOSSES:
                    raise self._failure(f"{_replicates(span)} were lost {span.losses} times with their worker")
                self.plan.give_back(span)
        if not self.winding_down:
            for member in came:
                self._ask(member)
        if not members.all:
            self._wait_for_a_worker()
        elif self.alone_since != math.inf:
            self.alone_since, self.warned = math.inf, False

    def _wait_for_a_worker(self) -> None:
        """Wait for workers to come, say so, and give up those of this machine when they do not."""
        self.alone_since = min(self.alone_since, time.perf_counter())
        alone = time.perf_counter() - self.alone_since
        if self.local and alone > LOCAL_PATIENCE_SECONDS:
            raise self._failure(f"all Dask workers of this machine are gone, and none came back in {alone:.0f} s")
        if alone > PATIENCE_SECONDS and not self.warned:
            self.warned = True
            logger.warning(
                "no worker is connected to the Dask scheduler at %s: waiting for one (dask worker ADDRESS starts one)",
                self.scheduler,
            )

    def _ask(self, member: Member) -> None:
        """Have a worker make the run ready and prove itself."""
        member.accepted = False
        member.admission = self._send(member, cluster_worker.admit, self.description)

    def _send(self, member: Member, function: Callable[..., dict[str, Any]], *arguments: Any) -> Any:
        future = self.client.submit(
            function, *arguments, workers=[member.address], allow_other_workers=False, pure=False, retries=0
        )
        future.add_done_callback(lambda _: self.ended.put(None))
        return future

    def _tell_to_stop(self, *, drop: bool) -> None:
        """Have all workers end their tasks with the block at hand; waits a moment at most."""
        addresses = [] if self.members is None else [member.address for member in self.members.accepted]

        def tell() -> None:
            with contextlib.suppress(Exception):
                self.client.run(cluster_worker.stop, self.token, drop, workers=addresses, on_error="ignore")

        if addresses:
            teller = threading.Thread(target=tell, name="simcore-stop", daemon=True)
            teller.start()
            teller.join(timeout=1.0)

    # Tasks ----------------------------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Hand out blocks until every worker has enough; one task per thread until it is known what a block costs."""
        if self.members is None or self.winding_down:
            return
        at_once = TASKS_AT_ONCE if self.plan.measured else 1
        while (member := self.members.next_idle(at_once)) is not None:
            largest = LARGEST_SHARD if member.shared else LARGEST_MESSAGE
            span = self.plan.take(self.plan.blocks_of_a_task(self.members.threads, self.recorded, largest=largest))
            if span is None:
                return
            future = self._send(member, cluster_worker.compute_shard, self.token, span.first, span.blocks)
            member.tasks.append(Task(span, member, future))

    def _take_answers(self) -> None:
        """Take up what the tasks that have ended tell."""
        for task in self._tasks:
            if task.answer is None and task.future.done():
                if task.future.status == "cancelled":  # not by us: the connection broke
                    raise self._failure(f"the Dask scheduler at {self.scheduler} is gone")
                task.answer = self._submit(self.receivers, self._receive, task.future, task.span)
            elif task.answer is not None and task.answer.done():
                task.member.tasks.remove(task)
                self._take_answer(task, task.answer)
                task.future.release()

    def _receive(self, future: Any, span: Span) -> dict[str, Any]:
        """Fetch what a task tells, and write its shard if the worker could not."""
        answer: dict[str, Any] = future.result()
        if answer["blocks"] and self.parts is not None:
            try:
                write_shard(self.parts.shard_path(span.first), self.rows_id, answer["blocks"])
            except OSError as problem:
                reason = problem.strerror or str(problem)
                raise ResultsError(f"{self.parts.target}: could not write {_replicates(span)}: {reason}") from problem
            answer["blocks"] = []
        return answer

    def _take_answer(self, task: Task, receiving: Future[dict[str, Any]]) -> None:
        span, member = task.span, task.member
        try:
            answer = receiving.result()
        except UserError:
            raise
        except Exception as problem:  # noqa: BLE001 - of the worker, which may be another one's fault than ours
            reason = f"{type(problem).__name__}: {(str(problem).splitlines() or [''])[0]}"
            member.fail(reason)
            self._failed(span, f"{member.address}: {reason}")
            return
        if answer["unknown"]:  # another process has the address by now
            self.plan.give_back(span)
            if not self.winding_down and member.admission is None:
                self._ask(member)
        elif answer["problem"]:
            member.fail(answer["problem"])
            self._failed(span, f"{member.address}: {answer['problem']}")
        else:
            member.failures = 0
            self._keep(span, answer)

    def _failed(self, span: Span, reason: str) -> None:
        """Have blocks computed again, or end the run if that has been tried often enough."""
        span = replace(span, failures=span.failures + 1)
        if span.failures >= MOST_FAILURES:
            raise self._failure(f"{_replicates(span)} failed {span.failures} times, last on worker {reason}")
        logger.warning("%s failed on worker %s: they are computed again", _replicates(span), reason)
        self.plan.give_back(span)

    def _keep(self, span: Span, answer: Mapping[str, Any]) -> None:
        """Take note of a shard; what its task did not come to is handed out again."""
        stop, rows = int(answer["stop"]), tuple(answer["rows"])
        self.plan.give_back(span.rest(stop))
        if not rows:
            return
        self.plan.learn(len(rows), answer["seconds"], answer["encoded_bytes"])
        self.done += SliceReport(sum(rows), answer["agents"], 0)
        if self.parts is not None:
            self.recorder.check_room(answer["encoded_bytes"] / sum(rows))
            self.shards.add(Shard(replace(span, stop=stop), rows))
        self.received |= {block.first_row: block for block in answer["blocks"]}

    # The merge ------------------------------------------------------------------------------------------------------

    def _record(self) -> None:
        """Send the blocks whose turn it is to the disk."""
        damaged = self.shards.take_damaged()
        if damaged is not None:
            self.done += SliceReport(-sum(damaged.rows), 0, 0)
            self._failed(damaged.span, "or on its way: the shard is damaged")
        most = 1 if self.stopping is not None else _RECORDING  # a rule is asked before the next one is written
        while len(self.recording) < most and self.sent < self.stop and not self.shards.opening:
            first = self.sent
            stop = min(first + BLOCK_ROWS, self.work.design.replicates)
            computed = True
            if first in self.received:
                recording = self._submit(self.disk, self.recorder.commit, self.received.pop(first))
            elif self.shards.has_opened(first):
                recording = self._submit(self.disk, self.shards.transfer, first)
            elif not self.shards.opening and self.recorder.holds(first, stop - first):
                recording = self._submit(self.disk, self.shards.transfer, first)
                computed = False
            else:
                return
            self.recording.append((stop, recording, computed))
            self.sent = stop

    def _take_recorded(self) -> bool:
        """Take note of the blocks that are recorded, in order, and return whether there were any."""
        taken = False
        while self.recording and self.recording[0][1].done():
            stop, recording, computed = self.recording.popleft()
            block = recording.result()
            report = report_of(block)
            self.kept += report
            if not computed:
                self.done += report
                self.stored += report.rows
            self.recorded = stop
            taken = True
            if self._is_enough(block):
                self._stop_at(stop)
                break
        return taken

    # The end --------------------------------------------------------------------------------------------------------

    def _stop_early(self) -> None:
        """End the run: tasks end with the block at hand, and what they have is kept."""
        self.winding_down = True
        self._tell_to_stop(drop=False)

    def _stop_at(self, stop: int) -> None:
        """Let the run end at a row at which a block ends."""
        self.stop = stop

    def _report(self) -> None:
        """Tell how far the run is, also while nothing ends: this is where an interrupt comes in."""
        if self.progress is not None:
            self.progress(self._standing())

    def _finish(self) -> Results:
        if self._tasks:  # beyond the end
            self.winding_down = True
            if self.parts is not None:
                (self.parts.folder / SHARED_NAME).unlink(missing_ok=True)
            self._tell_to_stop(drop=True)
            deadline = time.perf_counter() + PATIENCE_SECONDS
            while any(not task.future.done() for task in self._tasks) and time.perf_counter() < deadline:
                time.sleep(0.02)
        return super()._finish()

    def _end_attributes(self) -> dict[str, Attribute]:
        members = self.members
        return {
            **super()._end_attributes(),
            "threads": 0 if members is None else members.most_threads,
            "workers": 0 if members is None else members.most_members,
            "dask": importlib.metadata.version("distributed"),
        }


def _result(future: Any) -> dict[str, Any]:
    told: dict[str, Any] = future.result()
    return told


def _replicates(span: Span) -> str:
    return f"replicates {span.first} to {span.stop - 1}"
