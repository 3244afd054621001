"""Truncation and flipped bits of results files, shards and heads: noticed or without effect, never a wrong number.

Every damaged file is read in a process of its own, so that a crash or a hang of HDF5 is a failure of the test. Half of
the flips lie anywhere, half outside the data: in what HDF5 knows about the file, and in texts.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simcore.runner.blocks import BLOCK_ROWS
from simcore.store.heads import COPY_NAME
from simcore.store.parts import HEAD_NAME, parts_path
from tests.conftest import SEED
from tests.faults.cases import WHOLE, WITH_THETA, run, unfinished
from tests.faults.child import Call, in_child
from tests.faults.confined import Confinement
from tests.faults.damage import Items, Verdict, examine, flip, outside_chunks, random_flips, read_items
from tests.faults.recovery import Content, content, differences
from tests.faults.reporting import Tally

QUICK_FLIPS, LONG_FLIPS = 30, 500
QUICK_CUTS, LONG_CUTS = 12, 50


class Sample:
    """A results file, what is in it, and the file of a longer run."""

    def __init__(self, folder: Path, whole: Call) -> None:
        self.path = folder / "x.h5"
        whole(self.path).close()
        self.bytes = self.path.read_bytes()
        self.items: Items = read_items(self.path)
        self.content: Content = content(self.path)
        self.outside = outside_chunks(self.path)
        run(**{**whole.options, "replicates": 3 * BLOCK_ROWS})(folder / "longer.h5").close()
        self.longer: Content = content(folder / "longer.h5")
        (folder / "longer.h5").unlink()

    def flips(self, count: int, where: str) -> list[tuple[int, int]]:
        """Positions and bits."""
        if where == "anywhere":
            return random_flips(len(self.bytes), count, SEED)
        return [(self.outside[place], bit) for place, bit in random_flips(len(self.outside), count, SEED)]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Sample]:
    """A file for so many faults: one with parameters takes twice the time to read."""
    made = functools.cache(lambda whole: Sample(tmp_path_factory.mktemp("sample"), (WHOLE, WITH_THETA)[whole]))
    return lambda count: made(count >= LONG_CUTS)


def assert_noticed(verdict: Verdict, kind: str, tally: Tally, where: str) -> None:
    assert not verdict.silent, f"{where}: {verdict}"
    tally.add(kind, "detected" if verdict.reported else "without effect")


# Results files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["anywhere", "outside the data"])
@pytest.mark.parametrize("count", [QUICK_FLIPS, pytest.param(LONG_FLIPS, marks=pytest.mark.long)])
def test_a_flipped_bit_of_a_results_file(
    count: int, where: str, samples: Callable[[int], Sample], server: Confinement, tmp_path: Path, tally: Tally
) -> None:
    path, kind, sample = tmp_path / "x.h5", f"bit flipped in a results file, {where}", samples(count)
    for position, bit in sample.flips(count, where):
        flip(path, sample.bytes, position, bit)
        assert_noticed(examine(server, path, sample.items), kind, tally, f"bit {bit} of byte {position}")
    detected = tally.counts[kind]["detected"]
    assert detected > 0.5 * count if where == "anywhere" else detected > 0.1 * count  # much of it is free space


@pytest.mark.parametrize("count", [QUICK_CUTS, pytest.param(LONG_CUTS, marks=pytest.mark.long)])
def test_a_results_file_that_is_cut_short(
    count: int, samples: Callable[[int], Sample], server: Confinement, tmp_path: Path, tally: Tally
) -> None:
    path, sample = tmp_path / "x.h5", samples(count)
    for size in np.linspace(0, len(sample.bytes) - 1, count).astype(int).tolist():
        path.write_bytes(sample.bytes[:size])
        verdict = examine(server, path, sample.items)
        assert verdict.refused == ["opening"], verdict
        assert_noticed(verdict, "results file cut short", tally, f"{size} bytes")


@pytest.mark.parametrize("count", [2, pytest.param(60, marks=pytest.mark.long)])
@pytest.mark.parametrize("where", ["anywhere", "outside the data"])
def test_a_damaged_results_file_is_gone_on_from_or_not_but_never_wrongly(
    where: str, count: int, samples: Callable[[int], Sample], server: Confinement, tmp_path: Path, tally: Tally
) -> None:
    """`extend` refuses or ends with the undisturbed longer run; `resume` with repair mends what can be computed."""
    path, sample = tmp_path / "x.h5", samples(count)
    for position, bit in sample.flips(count, where):
        for call, expected in (
            (Call("extend", {"replicates": 3 * BLOCK_ROWS, "threads": 2}), sample.longer),
            (Call("resume", {"repair": True, "threads": 2}), sample.content),
        ):
            flip(path, sample.bytes, position, bit)
            damaged = path.read_bytes()
            answer = in_child(server, call, path)
            name = f"{call.verb} after a flipped bit"
            if answer.error:
                assert answer.error.startswith(f"ResultsError: {path}: "), answer
                assert "\n" not in answer.error
                assert path.read_bytes() == damaged
                tally.add(name, "detected")
            else:
                assert answer.ended.code == 0, answer
                assert differences(content(path), expected) == []
                tally.add(name, "recovered")
            assert list(tmp_path.iterdir()) == [path]


# What an unfinished run leaves ----------------------------------------------------------------------------------------


class Unfinished:
    """The folder of a run of three blocks of which two are safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "template"
        self.folder.mkdir()
        unfinished(WHOLE, 2)(self.folder / "x.h5")
        (folder / "whole").mkdir()
        WHOLE(folder / "whole" / "x.h5").close()
        self.whole = content(folder / "whole" / "x.h5")

    def copy(self, folder: Path) -> Path:
        """A target in a new folder."""
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(self.folder, folder)
        return folder / "x.h5"


@pytest.fixture(scope="module")
def two_safe(tmp_path_factory: pytest.TempPathFactory) -> Unfinished:
    return Unfinished(tmp_path_factory.mktemp("unfinished"))


RESUME, REPAIR = Call("resume", {"threads": 2}), Call("resume", {"repair": True, "threads": 2})


def assert_parts(
    server: Confinement, target: Path, part: str, whole: Content, kind: str, tally: Tally, *, repair: bool
) -> None:
    """A damaged part is refused or without effect; a damaged shard can be computed again."""
    answer = in_child(server, RESUME, target)
    if not answer.error:
        assert answer.ended.code == 0, answer
        assert differences(content(target), whole) == []
        tally.add(kind, "without effect")
        return
    assert answer.error.startswith("ResultsError: "), answer
    assert PARTS[part][0] in answer.error
    assert "\n" not in answer.error
    assert not target.exists()
    if part != "shard" or not repair:
        tally.add(kind, "detected")
        return
    assert "--repair" in answer.error
    answer = in_child(server, REPAIR, target)
    assert (answer.ended.code, answer.error) == (0, ""), answer
    assert differences(content(target), whole) == []
    assert list(target.parent.iterdir()) == [target]
    tally.add(kind, "detected", "recovered")


PARTS = {
    "shard": (f"shard-{BLOCK_ROWS:012d}.blocks",),
    "head": (HEAD_NAME,),
    "head and its copy": (HEAD_NAME, COPY_NAME),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("count", [5, pytest.param(LONG_FLIPS, marks=pytest.mark.long)])
def test_a_flipped_bit_of_an_unfinished_run(
    count: int, part: str, two_safe: Unfinished, server: Confinement, tmp_path: Path, tally: Tally
) -> None:
    whole = (parts_path(two_safe.folder / "x.h5") / PARTS[part][0]).read_bytes()
    kind = f"bit flipped in a {part}"
    for number, (position, bit) in enumerate(random_flips(len(whole), count, SEED)):
        target = two_safe.copy(tmp_path / "run")
        for name in PARTS[part]:
            flip(parts_path(target) / name, whole, position, bit)
        assert_parts(server, target, part, two_safe.whole, kind, tally, repair=number % 10 == 0)
    if part == "head":  # its copy takes its place
        assert tally.counts[kind]["without effect"] == count


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("count", [4, pytest.param(LONG_CUTS, marks=pytest.mark.long)])
def test_a_part_of_an_unfinished_run_that_is_cut_short(
    count: int, part: str, two_safe: Unfinished, server: Confinement, tmp_path: Path, tally: Tally
) -> None:
    whole = (parts_path(two_safe.folder / "x.h5") / PARTS[part][0]).read_bytes()
    for number, size in enumerate(np.linspace(0, len(whole) - 1, count).astype(int).tolist()):
        target = two_safe.copy(tmp_path / "run")
        for name in PARTS[part]:
            (parts_path(target) / name).write_bytes(whole[:size])
        assert_parts(server, target, part, two_safe.whole, f"{part} cut short", tally, repair=number % 10 == 0)
    assert tally.counts[f"{part} cut short"]["without effect" if part == "head" else "detected"] == count
