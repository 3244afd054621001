"""What is at the target of a run already: the same run, finished or not, its beginning, or something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simcore.errors import ResultsError, UnfinishedError, command
from simcore.runner.identity import UNTIL_IDENTITY, difference, differences
from simcore.store import Results, open_results
from simcore.store.description import Attribute
from simcore.store.heads import read_head
from simcore.store.lock import busy
from simcore.store.parts import Parts, writer_of
from simcore.store.target import parts_path, real_target
from simcore.uncertainty.design import LATIN_HYPERCUBE, RANDOM


def same_results(target: Path, wanted: Mapping[str, Attribute]) -> Results:
    """Open finished results of the same run; anything else at the target is refused."""
    try:
        results = open_results(target)
    except ResultsError as error:
        raise ResultsError(
            f"{error}; it exists and is not overwritten: choose another name or remove it first"
        ) from error
    different = differences(results.attributes, wanted)
    done, asked, status = results.replicates, results.requested_replicates, results.status
    if different:
        results.close()
        instead = _other_length(results, different, wanted)
        raise ResultsError(
            f"{target}: holds {instead}"
            if instead
            else f"{target}: holds the results of another run "
            f"({difference(different[0], results.attributes, wanted)}); choose another name or remove it first"
        )
    if status != "complete":
        results.close()
        raise UnfinishedError(
            f"{target}: holds this run, interrupted at {done:,} of {asked:,} replicates; go on with: "
            f"{command('resume', target)}"
        )
    return results


def _other_length(results: Results, different: Sequence[str], wanted: Mapping[str, Any]) -> str:
    """Say what a file holds of the wanted run, if that differs in nothing but where it ends; else nothing."""
    outer, inner = wanted["nested"]
    fixed = str(results.attributes.get("design", RANDOM)) == LATIN_HYPERCUBE or inner != results.nested[1]
    if fixed or not {*different} <= {"requested_replicates", "nested", *UNTIL_IDENTITY}:
        return ""
    path, held, whole = results.path, f"{results.replicates:,}", outer * inner
    if "until" in wanted:
        ended = "until" in results.attributes  # by another rule, which is told otherwise
        return "" if ended else f"{held} replicates of this run, without a stopping rule; choose another name"
    if results.replicates == whole:
        return f"just these {held} replicates, at which its stopping rule ended it; choose another name"
    if results.replicates > whole:
        return f"{held} replicates of this run, asked for {whole:,}: nothing is taken away; choose another name"
    begun = read_head(real_target(path)) if path is not None else None
    if begun is not None and (begun.replicates, begun.thetas) == (whole, outer):
        return f"the first {held} replicates of this run, and more were begun; go on with: {command('resume', path)}"
    length = ("-n", whole) if inner == 1 else ("--nested", f"{outer}x{inner}")
    return f"the first {held} replicates of this run; go on with: {command('extend', path, *length)}"


def refuse_busy(target: Path) -> None:
    """Refuse a target that a living process writes."""
    writer = writer_of(target) if target.name else ""
    if writer:
        raise ResultsError(busy(str(target), writer))


def refuse_unfinished(target: Path, wanted: Mapping[str, Attribute]) -> None:
    """Refuse a target whose folder holds an unfinished run, this one or another."""
    head = read_head(target)
    if head is None:
        return
    parts = Parts(target)
    try:
        parts.acquire()  # refuses if a living process is at it
    finally:
        parts.close(remove=False)
    stored = {
        **head.attributes,
        "requested_replicates": head.replicates,
        "nested": [head.thetas, head.replicates // head.thetas],
    }
    different = differences(stored, wanted)
    if different:
        shorter = {*different} <= {"requested_replicates", "nested"}
        raise ResultsError(
            f"{target}: {parts_path(target)} holds another run that did not end "
            f"({difference(different[0], stored, wanted)}); finish it with '{command('resume', target)}'"
            f"{' and then extend it' if shorter else ''}, choose another name, or remove the folder first"
        )
    raise UnfinishedError(f"{target}: this run was begun and did not end; go on with: {command('resume', target)}")
