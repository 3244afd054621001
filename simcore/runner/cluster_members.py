"""The workers of a cluster as a run sees them: who is there, who has proved itself, who computes what."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from simcore.runner.cluster_tasks import Span

if TYPE_CHECKING:
    from concurrent.futures import Future as Handed

    from distributed import Future

logger: Final = logging.getLogger(__name__)

MOST_FAILURES_IN_A_ROW: Final = 2
TASKS_AT_ONCE: Final = 2
"""Per thread of a worker: one that it computes and one that waits for it."""


@dataclass(eq=False)
class Task:
    """A span on its way through a worker.

    Attributes
    ----------
    span : Span
    member : Member
    future : distributed.Future
    answer : future, optional
        Set when the worker has ended it: what it tells, being fetched.
    """

    span: Span
    member: Member
    future: Future[dict[str, Any]]
    answer: Handed[dict[str, Any]] | None = None


@dataclass(eq=False)
class Member:
    """A worker process.

    Attributes
    ----------
    address : str
    threads : int
    admission : distributed.Future, optional
        Until it has proved itself or was refused.
    telling : future, optional
        What it tells of itself, being fetched.
    accepted : bool
    refusal : str
        Why it is not used.
    shared : bool
        Whether it writes shards itself.
    tasks : list of Task
    failures : int
        How many tasks in a row failed there.
    """

    address: str
    threads: int
    admission: Future[dict[str, Any]] | None = None
    telling: Handed[dict[str, Any]] | None = None
    accepted: bool = False
    refusal: str = ""
    shared: bool = False
    tasks: list[Task] = field(default_factory=list)
    failures: int = 0

    def judge(self, told: Mapping[str, Any], golden: list[str], environment: Mapping[str, str]) -> None:
        """Accept or refuse it by what it tells of itself (see `simcore.runner.cluster_worker.admit`)."""
        if told["refusal"]:
            self.refuse(told["host"], told["refusal"])
        elif told["golden"] != golden:
            theirs = told["environment"]
            different = [
                f"{name} {environment[name]} here, {theirs.get(name)} there"
                for name in theirs
                if str(theirs[name]) != str(environment[name])
            ]
            versions = "; ".join(different) or "the versions of all numerical libraries are the same"
            self.refuse(told["host"], f"its first replicates differ from those computed here ({versions})")
        else:
            self.accepted, self.shared = True, bool(told["shared"])

    def fail(self, reason: str) -> None:
        """Take note of a failed task; a worker that only fails would be the first to ask for the next one."""
        self.failures += 1
        if self.failures >= MOST_FAILURES_IN_A_ROW and not self.refusal:
            self.accepted = False
            self.refuse("", f"{self.failures} tasks in a row failed there, the last one: {reason}")

    def refuse(self, host: str, reason: str) -> None:
        """Do not use it."""
        self.refusal = f"worker {self.address}{f' on {host}' if host else ''}: {reason}"
        logger.warning("refused: %s", self.refusal)


class Members:
    """All worker processes that are there.

    Parameters
    ----------
    golden : list of str
        Checksums of the first replicates, computed here.
    environment : mapping
        Versions here.
    """

    def __init__(self, golden: list[str], environment: Mapping[str, str]) -> None:
        self.golden = golden
        self.environment = environment
        self.all: dict[str, Member] = {}
        self.most_threads = self.most_members = 0
        """Most that were in use at the same time."""

    @property
    def accepted(self) -> list[Member]:
        """Those that are used."""
        return [member for member in self.all.values() if member.accepted]

    @property
    def threads(self) -> int:
        """Threads of all that are used."""
        return sum(member.threads for member in self.accepted)

    @property
    def tasks(self) -> list[Task]:
        """Everything that is handed out."""
        return [task for member in self.all.values() for task in member.tasks]

    @property
    def refusals(self) -> list[str]:
        """Why none of those that are there can be used; empty if one can, may turn out so, or none is there."""
        if any(not member.refusal for member in self.all.values()):
            return []
        return [member.refusal for member in self.all.values()]

    def update(self, seen: Mapping[str, int]) -> tuple[list[Member], list[Member]]:
        """Take note of who is there, address -> threads; return those that came and those that went."""
        gone = [member for address, member in self.all.items() if address not in seen]
        for member in gone:
            del self.all[member.address]
        came = [Member(address, threads) for address, threads in seen.items() if address not in self.all]
        self.all |= {member.address: member for member in came}
        return came, gone

    def judge(self, member: Member) -> None:
        """Accept or refuse a member whose answer has come."""
        assert member.telling is not None
        telling, member.telling, member.admission = member.telling, None, None
        try:
            told = telling.result()
        except Exception as problem:  # noqa: BLE001 - whatever went wrong there, it cannot be used
            reason = (str(problem).splitlines() or [""])[0]
            member.refuse("", f"the run cannot be made ready there: {type(problem).__name__}: {reason}")
            return
        member.judge(told, self.golden, self.environment)
        self.most_threads = max(self.most_threads, self.threads)
        self.most_members = max(self.most_members, len(self.accepted))

    def next_idle(self, tasks_at_once: int) -> Member | None:
        """Return the member that has the fewest tasks per thread, if it may have one more."""
        free = [member for member in self.accepted if len(member.tasks) < tasks_at_once * member.threads]
        return min(free, key=lambda member: len(member.tasks) / member.threads, default=None)
