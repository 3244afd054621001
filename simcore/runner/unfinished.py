"""What is there of a run that did not end, or is made longer: opened, locked, checked, and gone on with.

Nothing is trusted that was not checked: the scenario inside against its digest, the program against `results_version`,
the libraries against those that made the beginning, every finished block against its checksum.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from simcore.errors import ResultsError, UnreadableError
from simcore.model import RESULTS_VERSION
from simcore.runner.blocks import BLOCK_ROWS, compute_block
from simcore.runner.cluster import Cluster
from simcore.runner.embedding import scenario_of_documents
from simcore.runner.identity import NUMERICAL_ENVIRONMENT, ROW_IDENTITY, completed, environment_differences, rows_id
from simcore.runner.progress import Progress
from simcore.runner.request import PreparedRun, RunRequest, design_of, going_on, prepare, request_of
from simcore.runner.run import execute
from simcore.runner.stopping import StoppingRule
from simcore.store import FORMAT_VERSION, Results, open_results
from simcore.store.comparing import ENVIRONMENT
from simcore.store.copying import StoredBlocks
from simcore.store.description import Attribute
from simcore.store.heads import Head
from simcore.store.integrity import verify
from simcore.store.layout import CHUNK_ROWS
from simcore.store.parts import Parts
from simcore.store.provenance import environment, utc_now
from simcore.store.signals import undisturbed

ProgressCall = Callable[[Progress], None]
# Root attributes that say how a run ended, not what it is.
_ENDING = (
    "finished_utc",
    "wall_seconds",
    "agents_walked",
    "held_shares",
    "threads",
    "workers",
    "dask",
    "peak_memory_bytes",
    "seconds_parameters",
    "seconds_replicates",
    "timed_parameter_sets",
    "timed_replicates",
    "stopped_because",
    "until_estimate",
    "until_mcse",
)
_STORE = ("filetype", "format_version", "status", "requested_replicates", "nested", "description_checksum")
UNTIL = ("until", "until_minimum", "until_maximum")


def head_of(results: Results) -> Head:
    """Return what a file says about its run, as it was before the first block.

    Raises
    ------
    ResultsError
        If it does not say enough: no run made it.
    """
    attributes, inner = results.attributes, results.nested[1]
    kept = {name: value for name, value in attributes.items() if name not in (*_ENDING, *_STORE)}
    try:
        replicates = int(attributes.get("until_maximum", results.requested_replicates))
        theta = bool(attributes["theta"])
    except (KeyError, ValueError, TypeError) as problem:
        raise ResultsError(f"{results.path}: does not say how it was made (attribute {problem})") from None
    return Head(replicates, replicates // inner, theta, kept, results.documents())


@dataclass(frozen=True)
class Continuation:
    """What was said about how to go on."""

    workers: int | Cluster
    repair: bool
    other_environment: bool
    until: StoppingRule | None
    progress: ProgressCall | None
    command_line: str


@dataclass(frozen=True)
class _Damaged:
    """What is damaged of what is there.

    Attributes
    ----------
    everything : bool
        Nobody knows any more which blocks the file has.
    first_rows : set of int
        First rows of blocks of the file that must be computed again.
    words : str
        The same for the file's history; empty if nothing is damaged.
    """

    everything: bool
    first_rows: set[int]
    words: str


class OpenedRun:
    """A results file and the folder beside it; either may be missing. A context, within which to `lock` them first."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.parts = Parts(target)
        self.head: Head | None = None
        self.has_file = False
        self._results: Results | None = None
        self._disposable = False
        """Whether there was no run in the folder, so that it can go unless this process brings it a block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        with undisturbed():
            if self._results is not None:
                self._results.close()
            self.parts.close(remove=self._disposable and self.parts.worthless)

    def lock(self) -> None:
        """Keep other processes away, and see what is there."""
        self.parts.acquire()
        self.head = self.parts.read_head()
        if self.head is None:
            self.parts.refuse_without_head()
        self._disposable = self.head is None
        self.has_file = os.path.lexists(self.target)

    def results(self) -> Results:
        """The results file, opened once."""
        if self._results is None:
            self._results = open_results(self.target)
        return self._results

    def is_finished(self, head: Head) -> bool:
        """Whether the file holds all that is wanted."""
        return self.has_file and holds_all(self.results(), head)

    def finished(self, options: Continuation) -> Results | None:
        """Check a file that holds all that is wanted, and open it; None if blocks must be computed again.

        Raises
        ------
        ResultsError
            It is damaged, and is not to be repaired; the folder beside it holds something else.
        """
        results = self.results()
        if self.head is not None and not holds_all(results, self.head):
            raise ResultsError(f"{self.parts.folder}: holds another run that did not end; move it away")
        damage = verify(results, _checking(options.progress, results.replicates))
        if damage:
            if options.repair:
                return None
            raise _refusal([found.message for found in damage])
        self.parts.close(remove=True)  # what a process left that was killed between its last two steps
        return open_results(self.target)

    def go_on(self, head: Head, options: Continuation, event: str) -> Results:
        """Check everything, then compute what is missing."""
        place = str(self.target) if self.head is None else str(self.parts.folder)
        prepared = _prepared_again(head, options, place)
        self._check_same_rows(head, prepared.rows_id)
        damage = self._damage(prepared, options)
        earlier = StoredBlocks(self.results()) if self.has_file and not damage.everything else None
        damaged = damage.first_rows
        now = environment()
        changed = environment_differences(head.attributes, now)
        held = sum(self._finished(earlier, damaged).values())
        note = f"{utc_now()} {event}, {held:,} of {head.replicates:,} replicates were there"
        note += f"; {damage.words}" if damage.words else ""
        if changed:
            compared = self._compare_golden_block(prepared, earlier, damaged, changed, options)
            outcome = "a block computed again was the same" if compared else "no block of before was whole"
            note += f"; {', '.join(changed)}; {outcome}"
        others = environment_differences(
            head.attributes, now, [name for name in ENVIRONMENT if name not in NUMERICAL_ENVIRONMENT]
        )
        note += f"; {', '.join(others)}" if others else ""
        note += f": {options.command_line}" if options.command_line else ""
        if not (held or damage.words or changed or others):  # it just begins
            note = ""
        prepared = going_on(prepared, head.attributes, note)
        self.parts.write_head(prepared.head)
        before = self.results().attributes if self.has_file else None
        return execute(
            prepared,
            options.workers,
            options.progress,
            parts=self.parts,
            earlier=earlier,
            damaged=damaged,
            replace=self.has_file,
            before=before,
        )

    def _check_same_rows(self, head: Head, name: str) -> None:
        """Refuse a file whose rows are not those that are called ``name``, or of which something would be lost."""
        if not self.has_file:
            return
        results = self.results()
        written = tuple(results.attributes["format_version"])
        if written > FORMAT_VERSION:
            raise ResultsError(
                f"{self.target}: written by a newer simcore (format {written[0]}.{written[1]}, this one writes "
                f"{FORMAT_VERSION[0]}.{FORMAT_VERSION[1]}): what it added would be lost; go on with that version"
            )
        different = _other_rows(results.attributes, head.attributes)
        outer, inner = results.nested
        if not different and inner != head.replicates // head.thetas:
            different = "nested"
        if not different and rows_id(results.attributes, results.layout, inner=inner, outer=outer) != name:
            different = "the number of parameter sets, or what is stored,"
        if not different and results.replicates > head.replicates:
            raise ResultsError(
                f"{self.target}: holds {results.replicates:,} replicates, and {self.parts.folder} a run of "
                f"{head.replicates:,}: nothing is taken away; move one of them away"
            )
        if different:
            raise ResultsError(
                f"{self.target}: holds another run than {self.parts.folder} ({different} differs); move one of them "
                "away"
            )

    def _damage(self, prepared: PreparedRun, options: Continuation) -> _Damaged:
        """Check every block that is there, and return what must be computed again.

        Raises
        ------
        ResultsError
            There is damage, and it is not to be repaired, or cannot be.
        """
        lines = self.parts.find(prepared.rows_id)
        words = [f"{len(lines)} damaged shard{'s' * (len(lines) > 1)} made again"] if lines else []
        checking = _checking(options.progress, prepared.head.replicates)
        found = verify(self.results(), checking) if self.has_file else []
        lines += [each.message for each in found]
        for each in found:
            if each.part == "description":
                raise UnreadableError(each.message)
        if lines and not options.repair:
            raise _refusal(lines)
        if any(not each.rows and each.part != "index" for each in found):
            return _Damaged(True, set(), "everything computed again, for its ledger was damaged")
        damaged: set[int] = set()
        for each in found:
            # A parameter set has a row of its own only where every replicate has a set of its own.
            if each.part == "block" or prepared.request.design.inner == 1:
                damaged |= {row - row % CHUNK_ROWS for row in range(each.first_row, each.first_row + each.rows)}
        if damaged:
            words.append(f"{len(damaged)} damaged block{'s' * (len(damaged) > 1)} computed again")
        elif any(each.part == "parameters" for each in found):
            words.append("damaged parameter sets drawn again")
        elif found:
            words.append("damaged index written anew")
        return _Damaged(False, damaged, ", ".join(words))

    def _compare_golden_block(
        self,
        prepared: PreparedRun,
        earlier: StoredBlocks | None,
        damaged: set[int],
        changed: list[str],
        options: Continuation,
    ) -> bool:
        """Refuse another environment, or compute a finished block in it and refuse if that differs.

        Returns whether there was a block to compare; without one nothing of the old environment is kept.
        """
        if not options.other_environment:
            raise ResultsError(
                f"{self.target}: was made with {'; '.join(changed)}: bits may differ; go on in the same environment, "
                "or with --other-environment, which computes a finished block again and compares"
            )
        keep_theta = prepared.request.store_theta
        for first, rows in sorted(self._finished(earlier, damaged).items()):
            if rows == min(BLOCK_ROWS, prepared.head.replicates - first):
                stored = self.parts.load(first) if first in self.parts.shards else None
                if stored is None:
                    assert earlier is not None
                    stored = earlier.load(first)
                again = compute_block(prepared.work, first, keep_theta=keep_theta)
                if (again.checksum, again.theta_checksums) != (stored.checksum, stored.theta_checksums):
                    raise ResultsError(
                        f"{self.target}: replicates {first} to {first + rows - 1} come out differently with "
                        f"{'; '.join(changed)}: go on in the environment of the beginning"
                    )
                return True
        return False

    def _finished(self, earlier: StoredBlocks | None, damaged: set[int]) -> dict[int, int]:
        """First row and rows of the blocks that are there and whole."""
        stored = {} if earlier is None else {first: row.rows for first, row in earlier.ledger.items()}
        return {first: rows for first, rows in stored.items() if first not in damaged} | self.parts.safe


def holds_all(results: Results, head: Head) -> bool:
    """Whether a results file holds all that a run is to have: under a stopping rule, up to where that was met."""
    if results.status != "complete" or _other_rows(results.attributes, head.attributes):
        return False
    if "until" in head.attributes:
        held = head_of(results)
        same_rule = all(str(held.attributes.get(name)) == str(head.attributes.get(name)) for name in UNTIL)
        return same_rule and (held.replicates, held.thetas) == (head.replicates, head.thetas)
    return results.replicates == head.replicates and results.nested[1] == head.replicates // head.thetas


def _refusal(damage: list[str]) -> ResultsError:
    more = f" (and {len(damage) - 1:,} more)" if len(damage) > 1 else ""
    return ResultsError(f"{damage[0]}{more}; --repair computes just these again")


def _checking(call: ProgressCall | None, replicates: int) -> Callable[[int], None] | None:
    """Return what tells the progress callback how far the check of a file is; it may raise KeyboardInterrupt."""
    if call is None:
        return None
    began = time.perf_counter()

    def tell(rows: int) -> None:
        call(Progress(0, replicates, 0, time.perf_counter() - began, f"checking what is there: {rows:,} replicates"))

    return tell


def _other_rows(stored: Mapping[str, Attribute], wanted: Mapping[str, Attribute]) -> str:
    """Return the first attribute in which the rows of two runs differ; empty if they are the same rows."""
    first, second = completed(stored), completed(wanted)
    return next((name for name in ROW_IDENTITY if str(first.get(name)) != str(second.get(name))), "")


def requested_again(head: Head, place: str, until: StoppingRule | None = None) -> RunRequest:
    """Return the run that a head tells of, having checked that it still means the same."""
    version = head.attributes.get("results_version")
    if version != RESULTS_VERSION:
        raise ResultsError(
            f"{place}: was made by a simcore of results_version {version}, this one has {RESULTS_VERSION}: the same "
            "seed gives other numbers now; go on with that version, or run it anew"
        )
    scenario = scenario_of_documents(head.documents, place)
    if scenario.digest != head.attributes.get("scenario_digest"):
        raise ResultsError(
            f"{place}: the scenario inside is not the one that it was begun with (scenario_digest differs)"
        )
    design = design_of(head.attributes, head.thetas, head.replicates // head.thetas, place)
    return replace(request_of(head.attributes, scenario, design, place, until), store_theta=head.store_theta)


def _prepared_again(head: Head, options: Continuation, place: str) -> PreparedRun:
    """Compile the run that a head tells of."""
    prepared = prepare(requested_again(head, place, options.until), command_line=options.command_line)
    different = _other_rows(head.attributes, prepared.head.attributes)
    if different:
        raise ResultsError(f"{place}: cannot be gone on with: {different} came out differently")
    return prepared
