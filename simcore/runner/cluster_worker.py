"""What runs on a Dask worker: making a run ready from plain text, and computing shards of it.

A worker process is told once what a run is (`admit`): the documents and attributes of its head, as JSON. It reads the
scenario out of them, compiles it, and proves itself by a *golden block*: the first replicates, whose checksums must be
those of the client. After that a task is a run's token, a row and a number of blocks. What a worker gives back is plain
data; where it sees the folder of the unfinished run it writes the shard itself.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simcore.errors import UserError
from simcore.runner.blocks import Block, Work, compute_block, encode, simulate_slice
from simcore.runner.embedding import scenario_of_documents
from simcore.runner.identity import NUMERICAL_ENVIRONMENT, ROW_IDENTITY
from simcore.runner.request import PreparedRun, design_of, prepare, request_of
from simcore.store.blocks import EncodedBlock
from simcore.store.description import Attribute
from simcore.store.parts import SHARED_NAME
from simcore.store.provenance import environment
from simcore.store.shards import write_shard

if TYPE_CHECKING:
    from distributed import Worker

GOLDEN_ROWS: Final = 256
"""Replicates by which a worker proves that it computes what the client computes."""
_MOST_RUNS: Final = 4  # that a worker process keeps ready
_PLACE: Final = "Dask worker"


@dataclass
class _Ready:
    """A run that this process can compute.

    Attributes
    ----------
    work : Work
    rows_id : str
    keep_theta : bool
        Store the drawn parameters too.
    folder : Path or None
        The folder of the unfinished run, if this process sees it.
    stopping, dropping : Event
        Set when nothing more is wanted: to end with the block at hand, and to throw away what was computed.
    """

    work: Work
    rows_id: str
    keep_theta: bool
    folder: Path | None
    stopping: threading.Event = field(default_factory=threading.Event)
    dropping: threading.Event = field(default_factory=threading.Event)


_runs: OrderedDict[str, _Ready] = OrderedDict()
_making_ready = threading.Lock()


def description(prepared: PreparedRun, token: str, folder: Path | None) -> str:
    """Return what a worker must be told of a run, as JSON.

    Parameters
    ----------
    prepared : PreparedRun
    token : str
        Names this run of it.
    folder : Path or None
        Of the unfinished run; a file in it holds the token.
    """
    head = prepared.head
    return json.dumps(
        {
            "token": token,
            "rows_id": prepared.rows_id,
            "replicates": head.replicates,
            "thetas": head.thetas,
            "store_theta": head.store_theta,
            "attributes": {name: str(head.attributes[name]) for name in ROW_IDENTITY},
            "documents": dict(head.documents),
            "folder": None if folder is None else str(folder.resolve()),
        }
    )


def golden_block(work: Work) -> list[str]:
    """Compute the first replicates of a run and return the checksums of their counts and parameters."""
    rows = min(GOLDEN_ROWS, work.design.replicates)
    theta = np.empty((rows, work.model.space.size)) if work.design.inner == 1 else None
    block = Block(0, rows, work.slots.empty_counts(rows), theta)
    encoded = encode(work, block, 0.0, simulate_slice(work, block, 0, rows))
    return [encoded.checksum, *encoded.theta_checksums]


def admit(described: str) -> dict[str, Any]:
    """Make a run ready in this process, and tell by what the client decides whether to use it.

    Parameters
    ----------
    described : str
        See `description`.

    Returns
    -------
    dict
        ``host``; ``refusal``: why the run cannot be made ready, empty if it can; ``golden``: checksums of the golden
        block; ``environment``: versions on which bits may depend; ``shared``: whether the folder is seen.
    """
    now = environment()
    told: dict[str, Any] = {
        "host": socket.gethostname(),
        "refusal": "",
        "golden": [],
        "environment": {name: now[name] for name in NUMERICAL_ENVIRONMENT},
        "shared": False,
    }
    content = json.loads(described)
    try:
        with _making_ready:  # tasks of one process may arrive together: nothing is compiled twice
            ready = _runs.get(content["token"])
            if ready is None:
                ready = _runs[content["token"]] = _make_ready(content)
                while len(_runs) > _MOST_RUNS:
                    _runs.popitem(last=False)
            told["golden"] = golden_block(ready.work)
    except UserError as problem:
        told["refusal"] = str(problem)
        return told
    told["shared"] = ready.folder is not None
    return told


def _make_ready(content: Mapping[str, Any]) -> _Ready:
    attributes: dict[str, Attribute] = content["attributes"]
    scenario = scenario_of_documents(content["documents"], _PLACE)
    design = design_of(attributes, content["thetas"], content["replicates"] // content["thetas"], _PLACE)
    prepared = prepare(request_of(_typed(attributes), scenario, design, _PLACE))
    if prepared.rows_id != content["rows_id"]:
        now = prepared.head.attributes
        different = [
            f"{name} {attributes[name]}, here {now[name]}" for name in ROW_IDENTITY if _differs(name, content, now)
        ]
        raise UserError(f"makes another run of it ({'; '.join(different) or 'other labels'})")
    folder = None if content["folder"] is None else Path(content["folder"])
    return _Ready(
        prepared.work,
        prepared.rows_id,
        content["store_theta"],
        folder if sees(folder, content["token"]) else None,
    )


def _typed(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Return attributes with those that are numbers as numbers again."""
    return {**attributes, **{name: int(str(attributes[name])) for name in ("randomisation", "ended", "theta")}}


def _differs(name: str, content: Mapping[str, Any], now: Mapping[str, Attribute]) -> bool:
    return str(content["attributes"][name]) != str(now[name])


def sees(folder: Path | None, token: str) -> bool:
    """Whether this process sees the very folder that the client made, and may write there."""
    if folder is None:
        return False
    try:
        found = (folder / SHARED_NAME).read_text(encoding="ascii")
    except (OSError, ValueError):
        return False
    return found == token and os.access(folder, os.W_OK | os.X_OK)


def compute_shard(token: str, first: int, blocks: int) -> dict[str, Any]:
    """Compute consecutive blocks, one after another, and make a shard of them.

    Parameters
    ----------
    token : str
        Of a run that this process was admitted to.
    first : int
        Row at which the first block begins.
    blocks : int
        At most so many: an end of the run, or being told to stop, ends it with the block at hand.

    Returns
    -------
    dict
        ``stop``: row at which the last block ends, ``first`` if there is none; ``rows``: those of each block;
        ``seconds``, ``agents``, ``encoded_bytes``: their sums; ``blocks``: the blocks themselves, if the folder of the
        unfinished run is not seen from here; ``problem``: why there is no shard, empty if there is one; ``unknown``:
        whether this process does not know the run (any more).
    """
    ready = _runs.get(token)
    answer: dict[str, Any] = {"stop": first, "rows": [], "blocks": [], "problem": "", "unknown": ready is None}
    if ready is None:
        return answer
    replicates = ready.work.design.replicates
    computed: list[EncodedBlock] = []
    row = first
    while len(computed) < blocks and row < replicates and not ready.stopping.is_set():
        computed.append(compute_block(ready.work, row, keep_theta=ready.keep_theta))
        row += computed[-1].rows
    if not computed or ready.dropping.is_set():
        return answer
    if ready.folder is not None:
        answer["problem"] = _write(ready, token, computed)
        if answer["problem"]:
            return answer
    else:
        answer["blocks"] = computed
    return answer | {
        "stop": row,
        "rows": [block.rows for block in computed],
        "seconds": sum(block.seconds for block in computed),
        "agents": sum(block.agents for block in computed),
        "encoded_bytes": sum(block.encoded_bytes for block in computed),
    }


def _write(ready: _Ready, token: str, blocks: list[EncodedBlock]) -> str:
    """Write a shard into the folder of the unfinished run; return why that could not be done, empty if it was."""
    assert ready.folder is not None
    if not sees(ready.folder, token):  # the client may have gone, and another one be at work there
        return f"{ready.folder}: is no longer the folder of this run, or cannot be written"
    try:
        # A mark of its own: the same task may be running elsewhere, on a worker that was taken for lost.
        name = f"shard-{blocks[0].first_row:012d}.blocks"
        write_shard(ready.folder / name, ready.rows_id, blocks, mark=secrets.token_hex(8))
    except OSError as problem:
        return f"{ready.folder / name}: {os.strerror(problem.errno) if problem.errno else problem}"
    return ""


def stop(token: str, drop: bool) -> None:
    """End the tasks of a run with the block at hand; throw away what they computed if told so."""
    ready = _runs.get(token)
    if ready is not None:
        if drop:
            ready.dropping.set()
        ready.stopping.set()


def dask_setup(worker: Worker) -> None:
    """Make a worker of a cluster on this machine deaf to the Ctrl-C that its client answers (a preload of Dask)."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
