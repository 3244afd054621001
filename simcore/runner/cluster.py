"""Reaching the machines of a cluster: an address of a Dask scheduler, a Dask client, or workers on this machine.

`dask.distributed` is imported when somebody asks for a cluster, not before.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simcore.errors import UserError
from simcore.runner.threads import checked_threads

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS: Final = 10.0
"""A scheduler that has not answered by then is not there."""
CLOSE_SECONDS: Final = 10.0
LARGEST_LOCAL: Final = 1024
_LOCAL: Final = re.compile(r"local(?::(?P<processes>\d{1,6})(?:x(?P<threads>\d{1,6}))?)?")
_PRELOAD: Final = "simcore.runner.cluster_worker"


_ADDRESS: Final = re.compile(r"(?:(?:tcp|tls|ws|wss|ucx|inproc)://)?[^\s/]+:\d{1,5}|inproc://\S+")


class Cluster:
    """Workers that a run is computed by; use `chosen_workers`.

    Parameters
    ----------
    wanted : str or distributed.Client
        ``"tcp://host:8786"``, ``"local:4"``, ``"local:4x2"``, the path of a scheduler file (``.json``), or a client.

    Raises
    ------
    UserError
        If that is no address, Dask is not installed, or no scheduler answers within 10 seconds.
    """

    def __init__(self, wanted: str | Client) -> None:
        _refuse_without_dask()
        self._closing = contextlib.ExitStack()
        self._client: Client | None = None
        self.local = self._read_local(wanted) if isinstance(wanted, str) else None
        self.name = wanted if isinstance(wanted, str) else "the client"
        if self.local is None:
            self._client = self._connect(wanted) if isinstance(wanted, str) else _checked_client(wanted)

    @property
    def client(self) -> Client:
        """The client; workers on this machine are started when it is first asked for."""
        if self._client is None:
            assert self.local is not None
            self._client = self._start(*self.local)
        return self._client

    @property
    def scheduler(self) -> str:
        """Address of the scheduler."""
        scheduler = self.client.scheduler
        return str(scheduler.address) if scheduler is not None else self.name

    def close(self) -> None:
        """End what was begun here: the connection, and workers on this machine; a client that was given stays open."""
        with contextlib.suppress(Exception):
            self._closing.close()

    @staticmethod
    def _read_local(wanted: str) -> tuple[int, int] | None:
        """Return processes and threads of each, None if the workers are to be found elsewhere."""
        if wanted != "local" and not wanted.startswith("local:"):
            return None
        found = _LOCAL.fullmatch(wanted)
        if found is None:
            raise UserError(
                f"dask = '{wanted}': must be local, local:PROCESSES or local:PROCESSESxTHREADS, such as local:4, or "
                "the address of a scheduler, such as tcp://192.0.2.7:8786"
            )
        processes = int(found["processes"]) if found["processes"] else checked_threads(None)
        threads = int(found["threads"] or 1)
        if not (1 <= processes <= LARGEST_LOCAL and 1 <= threads <= LARGEST_LOCAL):
            raise UserError(f"dask = '{wanted}': processes and threads must be from 1 to {LARGEST_LOCAL} each")
        return processes, threads

    def _connect(self, address: str) -> Client:
        from distributed import Client

        if not address.endswith(".json") and not _ADDRESS.fullmatch(address):
            raise UserError(
                f"dask = '{address[:100]}': must be local, local:4, the address of a scheduler, such as "
                "tcp://192.0.2.7:8786, or the .json file that it writes"
            )
        try:
            where = _address_in(Path(address)) if address.endswith(".json") else address
            with _quiet():
                client = Client(where, timeout=CONNECT_SECONDS, set_as_default=False, name="simcore")
        except (OSError, TimeoutError, ValueError, TypeError, KeyError, ImportError) as problem:
            reason = (str(problem).splitlines() or [type(problem).__name__])[0]
            raise UserError(
                f"dask = '{address}': no Dask scheduler answers there within {CONNECT_SECONDS:.0f} s ({reason})"
            ) from None
        self._closing.callback(client.close, timeout=CLOSE_SECONDS)
        return client

    def _start(self, processes: int, threads: int) -> Client:
        from distributed import Client, LocalCluster

        try:
            cluster = LocalCluster(
                n_workers=processes,
                threads_per_worker=threads,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # any free port: with None it wants 8787 all the same
                silence_logs=logging.CRITICAL,
                memory_limit=0,  # blocks are bounded; a worker that the system has room for is not to be ended
                preload=[_PRELOAD],
            )
            self._closing.callback(cluster.close, timeout=CLOSE_SECONDS)
            client = Client(cluster, timeout=CONNECT_SECONDS, set_as_default=False, name="simcore")
            self._closing.callback(client.close, timeout=CLOSE_SECONDS)
        except (OSError, TimeoutError, RuntimeError) as problem:
            self.close()
            reason = (str(problem).splitlines() or [type(problem).__name__])[0]
            raise UserError(f"dask = '{self.name}': workers could not be started here: {reason}") from problem
        return client


@contextlib.contextmanager
def chosen_workers(threads: int | None, dask: str | Client | None) -> Iterator[int | Cluster]:
    """Yield by whom a run is computed: so many threads of this process, or a cluster that is connected, and then left.

    Raises
    ------
    UserError
        If that many threads cannot be, both are given, or the cluster cannot be reached.
    """
    if dask is None:
        yield checked_threads(threads)
        return
    if threads is not None:
        raise UserError(
            f"threads = {threads!r}, dask = {str(dask)!r}: threads are those of this process; how many a Dask worker "
            "has is decided where it is started (local:4x2: four processes of two threads)"
        )
    cluster = Cluster(dask)
    try:
        yield cluster
    finally:
        cluster.close()


def _address_in(path: Path) -> str:
    """Return the address that a scheduler wrote into its file. (Dask itself would wait for ever for a missing one.)"""
    return str(json.loads(path.read_text(encoding="utf-8"))["address"])


def _refuse_without_dask() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError as problem:
        raise UserError(
            f"dask: the package 'distributed' is not installed ({problem}); pip install 'simcore[dask]'"
        ) from None


def _checked_client(client: Any) -> Client:
    from distributed import Client

    if not isinstance(client, Client) or client.asynchronous or client.status != "running":
        raise UserError(
            f"dask = {str(client)[:100]!r}: must be the address of a Dask scheduler, local:4, or a connected, "
            "synchronous distributed.Client"
        )
    return client


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from logging a refused connection that is reported as an error anyway."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
