"""The runs that faults strike: small, of three blocks, and of every kind that is kept in another way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import pytest

import simcore
from simcore.runner import Progress, RunInterrupted
from simcore.runner.blocks import BLOCK_ROWS
from simcore.store.blocks import EncodedBlock
from simcore.store.recorder import Recorder
from tests.conftest import SEED
from tests.faults.child import Call
from tests.faults.recovery import SMALL, Case, nothing

ROWS = 2 * BLOCK_ROWS + 77
TWO: dict[str, Any] = {"threads": 2}


def run(**options: Any) -> Call:
    """A run of the small scenario."""
    return Call("run", {"seed": SEED, **TWO, **options}, SMALL)


WHOLE = run(replicates=ROWS, store_theta=False)
WITH_THETA = run(replicates=ROWS)
NESTED = run(nested=(ROWS // 100, 100))
SOBOL = run(replicates=2 * BLOCK_ROWS, design="sobol")
UNTIL = run(replicates=5 * BLOCK_ROWS, store_theta=False, until="arrived.mean mcse<=1e9", until_minimum=2 * BLOCK_ROWS)


class _Stop(Exception):
    """Ends a run as a failure of the program would."""


def unfinished(whole: Call, blocks: int) -> Any:
    """Return a setting: a run that ended, for whatever reason, when so many blocks were safe."""

    def setting(target: Path) -> None:
        commit = Recorder.commit

        def commit_or_stop(self: Recorder, block: EncodedBlock) -> EncodedBlock:
            if block.first_row >= blocks * BLOCK_ROWS:
                raise _Stop
            return commit(self, block)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Recorder, "commit", commit_or_stop)
            with pytest.raises(_Stop):
                whole(target)

    return setting


def interrupted(whole: Call) -> Any:
    """Return a setting: a file that Ctrl-C left in the midst of a run."""

    def setting(target: Path) -> None:
        calls: list[Progress] = []

        def interrupt(state: Progress) -> None:
            calls.append(state)
            if len(calls) == 1:
                raise KeyboardInterrupt

        options = {**whole.options, "threads": 1, "progress": interrupt}
        with pytest.raises(RunInterrupted) as caught:
            Call(whole.verb, options, whole.scenario)(target)
        assert caught.value.results is not None
        with caught.value.results as results:
            assert results.status == "interrupted"

    return setting


def finished(shorter: Call) -> Any:
    """Return a setting: the file of a shorter run."""
    return lambda target: shorter(target).close()


def damaged(whole: Call) -> Any:
    """Return a setting: a file whose second block is damaged."""

    def setting(target: Path) -> None:
        whole(target).close()
        damage_block(target, 1)
        with simcore.open_results(target) as results:
            assert [damage.first_row for damage in results.verify_checksums()] == [BLOCK_ROWS]

    return setting


def damage_block(target: Path, number: int) -> None:
    """Change bytes in a chunk of a block of a results file."""
    with h5py.File(target) as file:
        chunk = file["totals/victims"].id.get_chunk_info(number)
    content = bytearray(target.read_bytes())
    for quarter in (1, 2, 3):
        content[chunk.byte_offset + quarter * chunk.size // 4] ^= 0xFF
    target.write_bytes(content)


CASES = {
    case.name: case
    for case in (
        Case("run", WHOLE, nothing, WHOLE),
        Case("run with theta", WITH_THETA, nothing, WITH_THETA),
        Case("nested", NESTED, nothing, NESTED),
        Case("until", UNTIL, nothing, UNTIL),
        Case("resume", Call("resume", TWO), unfinished(WHOLE, 1), WHOLE),
        Case("resume with theta", Call("resume", TWO), unfinished(WITH_THETA, 2), WITH_THETA),
        Case("resume until", Call("resume", TWO), unfinished(UNTIL, 1), UNTIL),
        Case("resume of an interrupted file", Call("resume", TWO), interrupted(WITH_THETA), WITH_THETA),
        Case(
            "extend",
            Call("extend", {"replicates": ROWS, **TWO}),
            finished(run(replicates=BLOCK_ROWS + 5, store_theta=False)),
            WHOLE,
        ),
        Case(
            "extend nested",
            Call("extend", {"nested": (ROWS // 100, 100), **TWO}),
            finished(run(nested=(43, 100))),
            NESTED,
        ),
        Case(
            "extend by doubling",
            Call("extend", {"replicates": 2 * BLOCK_ROWS, **TWO}),
            finished(run(replicates=BLOCK_ROWS, design="sobol")),
            SOBOL,
        ),
        Case("repair", Call("resume", {"repair": True, **TWO}), damaged(WITH_THETA), WITH_THETA),
    )
}
FINISHED = Case("resume of a finished file", Call("resume", TWO), finished(WHOLE), WHOLE)
"""Nothing to compute, and so few events that kills before each of them would say little."""
