"""The rates that the plan of a very long run rests on (docs/cluster.md): ``python -m benchmarks.cluster_rates``.

Computing is measured through `compute_block`, which is what a Dask worker does, in processor time of one thread. The
merge is measured through `Recorder.transfer` from shards of four blocks each; its blocks are one computed block under
other row numbers. How the file's index grows and how much memory the merge takes is seen in long runs of chunks of 16
bytes, whose data take next to no room.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simcore.runner.blocks import BLOCK_ROWS, compute_block
from simcore.runner.memory import peak_memory_bytes
from simcore.runner.request import PreparedRun, RunRequest, prepare
from simcore.runner.run import new_writer
from simcore.scenario import load_scenario
from simcore.store import EncodedBlock
from simcore.store.parts import Parts
from simcore.store.recorder import Recorder
from simcore.store.shards import write_shard
from simcore.uncertainty.design import Design

VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {"store_by": None, "store_theta": True},
    "economical": {"store_by": (), "store_theta": False},
}
COMPUTED, MERGED, PER_SHARD = 12, 48, 4
INDEXED = (250, 500, 1000)
_SMALL = bytes(16)


def prepared_run(replicates: int, *, store_by: Sequence[str] | None, store_theta: bool) -> PreparedRun:
    """Compile phase1 with seed 7."""
    axes = None if store_by is None else tuple(store_by)
    request = RunRequest(
        load_scenario("phase1"),
        Design(replicates),
        7,
        "agent",
        "collapsed",
        axes,
        store_ended=False,
        store_theta=store_theta,
    )
    return prepare(request)


def moved(block: EncodedBlock, first: int, *, small: bool = False) -> EncodedBlock:
    """Return a block under other row numbers; if ``small``, with next to nothing in its chunks."""
    chunks = tuple((path, (first, *offset[1:]), _SMALL if small else data) for path, offset, data in block.chunks)
    return dataclasses.replace(block, first_row=first, chunks=chunks)


def compute(name: str, options: dict[str, Any]) -> EncodedBlock:
    """Measure computing and encoding, and return a block."""
    prepared = prepared_run(10**6, **options)
    compute_block(prepared.work, 0, keep_theta=options["store_theta"])  # compiles
    began, encoded = time.thread_time(), 0
    for number in range(1, 1 + COMPUTED):
        block = compute_block(prepared.work, number * BLOCK_ROWS, keep_theta=options["store_theta"])
        encoded += block.encoded_bytes
    seconds = time.thread_time() - began
    rows = COMPUTED * BLOCK_ROWS
    print(
        f"{name}: {rows / seconds:,.0f} replicates per second of one core; {encoded / rows:,.0f} bytes per replicate "
        f"in {len(block.chunks):,} chunks per block"
    )
    return block


def merge(name: str, options: dict[str, Any], block: EncodedBlock, blocks: int, *, small: bool) -> None:
    """Measure moving shards into a file, the file's index, and the memory that it takes (in a process of its own)."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "x.h5"
        prepared = prepared_run(blocks * BLOCK_ROWS, **options)
        parts = Parts(target).acquire()
        written = 0
        if not small:
            for first in range(0, blocks, PER_SHARD):
                path = parts.shard_path(first * BLOCK_ROWS)
                write_shard(path, prepared.rows_id, [moved(block, (first + k) * BLOCK_ROWS) for k in range(PER_SHARD)])
                written += path.stat().st_size
        writer = new_writer(prepared, parts)
        recorder = Recorder(writer, prepared.rows_id, parts)
        before, began, processor = peak_memory_bytes(), time.perf_counter(), time.process_time()
        for number in range(blocks):
            first = number * BLOCK_ROWS
            if small:
                writer.commit(moved(block, first, small=True))
            else:
                if number % PER_SHARD == 0:
                    parts.adopt(first, [BLOCK_ROWS] * PER_SHARD, prepared.rows_id)
                recorder.transfer(first)
                parts.forget(first)
        data = blocks * (16 * len(block.chunks) if small else block.encoded_bytes)
        recorder.finish("complete").close()
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
        extra = target.stat().st_size - data
        rows = blocks * BLOCK_ROWS
        what = "index" if small else f"merge, shards of {written / rows:,.0f} bytes per replicate"
        print(
            f"{name}: {what}, {blocks} blocks: {blocks / seconds:.0f} blocks/s, {data / seconds / 1e6:.0f} MB/s "
            f"({1000 * processor / blocks:.1f} ms of processor per block); file without data {extra / 1e6:.1f} MB = "
            f"{extra / rows:.1f} bytes per replicate; memory +{(peak_memory_bytes() - before) / 2**20:.0f} MiB"
        )


def main() -> None:
    """Print one line per measurement."""
    for name, options in VARIANTS.items():
        block = compute(name, options)
        runs = [(MERGED if options["store_theta"] else 20 * MERGED, False), *((blocks, True) for blocks in INDEXED)]
        for blocks, small in runs:
            child = os.fork()  # peak memory is that of a process
            if child == 0:
                merge(name, options, block, blocks, small=small)
                os._exit(0)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main()
