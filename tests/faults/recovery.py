"""Runs to be struck by a fault, and the check that what was left behind leads to the undisturbed result."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import simcore
from simcore.cli import main
from simcore.errors import ResultsError
from simcore.runner import session
from simcore.runner.blocks import BLOCK_ROWS
from simcore.store.heads import has_head
from simcore.store.parts import parts_path
from tests.conftest import FIXTURES, one_cell
from tests.faults.child import Answer, Call, in_child
from tests.faults.confined import Confinement

SMALL = (str(FIXTURES / "tiny.toml"), (one_cell(600),))
# Root attributes that tell of one process, not of the numbers.
MEASURED = re.compile(
    r"(started|finished)_utc|wall_seconds|threads|peak_memory_bytes|(seconds|timed)_\w+|history|command_line"
    r"|description_checksum|git_\w+"
)
MEASURED_DATASETS = {"ledger/seconds"}

Content = dict[str, Any]


def content(path: Path) -> Content:
    """Everything that a results file says, dataset by dataset, but for what is measured."""
    with simcore.open_results(path) as results:
        found: Content = {
            f"attribute {name}": value for name, value in results.attributes.items() if not MEASURED.fullmatch(name)
        }
        found |= {f"document {name}": text for name, text in results.documents().items()}
        assert isinstance(results.attributes["wall_seconds"], float)
        assert results.attributes["wall_seconds"] >= 0.0
    with h5py.File(path) as file:
        names: list[str] = []
        file.visit(names.append)
        datasets = [name for name in names if isinstance(file[name], h5py.Dataset)]
        assert set(datasets) >= MEASURED_DATASETS
        found |= {name: np.asarray(file[name][()]) for name in datasets if name not in MEASURED_DATASETS}
    return found


def differences(first: Content, second: Content) -> list[str]:
    """Names under which two files differ."""
    assert len(first) > 50
    return sorted(
        name
        for name in first.keys() | second.keys()
        if name not in first or name not in second or not np.array_equal(first[name], second[name])
    )


@dataclass(frozen=True)
class Case:
    """Work that a fault strikes.

    Attributes
    ----------
    name : str
    action : Call
        What is struck.
    setting : callable
        Makes, at a path, what is there before.
    whole : Call
        The undisturbed run with the same numbers.
    """

    name: str
    action: Call
    setting: Callable[[Path], None]
    whole: Call


class Stage:
    """A case made ready once: its setting, to be copied for every fault, and its undisturbed result."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.folder = folder
        self._template = folder / "template"
        self._template.mkdir()
        case.setting(self._template / "x.h5")
        (folder / "whole").mkdir()
        with case.whole(folder / "whole" / "x.h5") as results:
            assert results.verify_checksums() == []
        self.whole = content(folder / "whole" / "x.h5")
        self.old: Content | None = None
        self.kept: set[int] = set()
        """First rows of the blocks that the file has before and keeps."""
        if (self._template / "x.h5").exists():
            with simcore.open_results(self._template / "x.h5") as old:
                damaged = {damage.first_row for damage in old.verify_checksums()}
                ledger = old.ledger()
            rows = zip(ledger["first_row"].tolist(), ledger["rows"].tolist(), strict=True)
            self.kept = {first for first, number in rows if number == self.rows_of(first)} - damaged
            if not damaged:
                self.old = content(self._template / "x.h5")
        self._numbers = itertools.count()
        self._events: list[str] = []

    def rows_of(self, first: int) -> int:
        """Replicates of the block of the undisturbed run that begins at a row."""
        return min(BLOCK_ROWS, int(self.whole["attribute requested_replicates"]) - first)

    @property
    def blocks(self) -> set[int]:
        """First rows of the blocks of the undisturbed run."""
        return set(range(0, len(self.whole["replicate"]), BLOCK_ROWS))

    def fresh(self) -> Path:
        """A target in a folder of its own, with the setting; what came of the last one is removed."""
        for old in [*self.folder.glob("n[0-9]*"), *self.folder.glob("stash*")]:
            shutil.rmtree(old)
        folder = self.folder / f"n{next(self._numbers)}"
        shutil.copytree(self._template, folder)
        return folder / "x.h5"

    def events(self, server: Confinement) -> list[str]:
        """Disk events of the work when nothing strikes; the same every time."""
        if not self._events:
            answers: list[Answer] = []
            for _ in range(2):
                target = self.fresh()
                answers.append(in_child(server, self.case.action, target))
                assert (answers[-1].ended.code, answers[-1].error) == (0, ""), answers[-1]
                assert_undisturbed(self, target)
            assert answers[0].events == answers[1].events
            assert len(answers[0].events) > 100
            self._events = answers[0].events
        return self._events

    def stretches(self, server: Confinement) -> list[range]:
        """Ranges of consecutive events of one name."""
        events = self.events(server)
        numbers = itertools.groupby(range(len(events)), key=lambda number: events[number])
        groups = [list(group) for _, group in numbers]
        return [range(group[0], group[-1] + 1) for group in groups]


Stages = Callable[[str], Stage]


@dataclass(frozen=True)
class Left:
    """What a fault left behind, and how it was gone on from."""

    way: str
    safe: set[int]
    computed: set[int]


def shards(target: Path) -> set[int]:
    """First rows of the blocks that are safe in the folder beside a target."""
    return {int(path.name[6:18]) for path in parts_path(target).glob("shard-????????????.blocks")}


@contextlib.contextmanager
def computing() -> Iterator[set[int]]:
    """Collect the first rows of blocks that are computed."""
    computed: set[int] = set()
    simulate = session.simulate_slice

    def counted(work: Any, block: Any, first: int, stop: int) -> Any:
        computed.add(block.first)
        return simulate(work, block, first, stop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "simulate_slice", counted)
        yield computed


def command(*arguments: object) -> tuple[int, str]:
    """Call the command line here; returns exit code and stderr."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main([str(argument) for argument in arguments])
    return code, errors.getvalue()


def assert_refused(arguments: Sequence[object], *words: str, code: int = 2) -> str:
    """Check that a command line ends with one plain line that holds all ``words``."""
    found, errors = command(*arguments)
    assert found == code, errors
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in errors
    assert all(word in line for word in words), line
    return line


def go_on(stage: Stage, target: Path) -> Left:
    """Do what a user does after a fault, check every step, and end with the undisturbed result and nothing else."""
    done = _assert_readable_or_refused(stage, target)
    safe = stage.blocks if done else shards(target) | (stage.kept if target.exists() else set())
    head = has_head(parts_path(target))
    with computing() as computed:
        if stage.case.action.verb == "run" and not target.exists() and head:
            with pytest.raises(ResultsError, match="go on with: simcore resume") as caught:
                stage.case.action(target)
            assert "\n" not in str(caught.value)
            assert not computed
        if head or target.exists():
            way = "resumed" if head else "was there"
            simcore.resume(target, repair=bool(stage.case.action.options.get("repair")), threads=2).close()
            if stage.old is not None and not _is_whole(stage, target):
                # The fault struck before the wish to extend was written down: the file is what it was.
                assert stage.case.action.verb == "extend"
                assert not computed
                way = "begun anew"
                stage.case.action(target).close()
        else:
            assert not safe
            way = "begun anew"
            stage.case.whole(target).close()
    assert_undisturbed(stage, target)
    assert not computed & safe, "a block that was safe was computed again"
    assert computed | safe >= stage.blocks
    return Left(way, safe, computed)


def _is_whole(stage: Stage, target: Path) -> bool:
    with simcore.open_results(target) as results:
        return results.replicates == len(stage.whole["replicate"]) and results.status == "complete"


def assert_undisturbed(stage: Stage, target: Path) -> None:
    """Check that a file is that of the undisturbed run, and that nothing else was left."""
    assert differences(content(target), stage.whole) == []
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def _assert_readable_or_refused(stage: Stage, target: Path) -> bool:
    """A file that is there is the old or the new one, whole; else opening it is refused in one line.

    Returns whether it is the new one.
    """
    if not target.exists():
        with pytest.raises(ResultsError) as caught:
            simcore.open_results(target)
        assert "\n" not in str(caught.value)
        return False
    if stage.case.action.options.get("repair"):  # it was damaged before
        with simcore.open_results(target) as results:
            return results.verify_checksums() == []
    found = content(target)
    assert [] in [differences(found, one) for one in (stage.whole, stage.old) if one is not None]
    return differences(found, stage.whole) == []


def assert_info_has_words(target: Path) -> None:
    """`simcore info` of whatever a fault left ends with tables or with one line."""
    code, errors = command("info", target)
    assert code in (0, 2), errors
    assert "Traceback" not in errors
    assert code == 0 or errors.count("error: ") == 1, errors


def nothing(target: Path) -> None:
    """The setting of a run: an empty folder."""
