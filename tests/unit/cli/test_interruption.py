"""Ctrl-C and SIGTERM: the first finishes the block and keeps it, the second stops at once and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

import simcore as api
from simcore.cli.interruption import Interruption, StoppedAtOnce

from .conftest import TINY

LIMIT = 120.0  # seconds to wait for what must happen; never a measure of anything
CELL = "population.cells=[{{origin='ONE',sex='all',age_band='all',persons={}}}]"
QUICK_BLOCKS = CELL.format(20_000)
SLOW_BLOCKS = CELL.format(200_000_000)  # a block of minutes: nobody waits for its end


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start a run in the background."""
    command = [sys.executable, "-m", "simcore.cli", "run", TINY, "-s", "1", "-o", "x.h5", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_size(folder: Path, size: int, process: subprocess.Popen[str]) -> None:
    """Wait until the unfinished file holds ``size`` bytes."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and process.poll() is None:
        if any(path.stat().st_size >= size for path in folder.glob("x.h5.parts/assembling.h5")):
            return
        time.sleep(0.01)
    process.kill()
    pytest.fail(f"the run did not come that far: {process.communicate()}")


def wait_for_words(stream: IO[str] | None, words: str) -> str:
    """Read until ``words`` have come."""
    assert stream is not None
    read = ""
    while words not in read:
        line = stream.readline()
        assert line, f"ended without {words!r}: {read}"
        read += line
    return read


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_keeps_finished_blocks(folder: Path, number: signal.Signals) -> None:
    process = start("-n", "100_000_000", "--set", QUICK_BLOCKS)
    wait_for_size(folder, 400_000, process)  # beyond the head of the file: blocks have been committed
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert out == ""
    assert "finishing the block at hand" in err
    assert "Traceback" not in err
    assert [path.name for path in folder.iterdir()] == ["x.h5"]
    with api.open_results(folder / "x.h5") as results:
        assert results.status == "interrupted"
        assert results.replicates > 0
        assert results.replicates % 4096 == 0
        assert f"kept {results.replicates:,} of 100,000,000 replicates in x.h5" in err
        assert results.verify_checksums() == []


def test_an_interrupted_file_is_not_run_again(folder: Path) -> None:
    process = start("-n", "100_000_000", "--set", QUICK_BLOCKS)
    wait_for_size(folder, 400_000, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT)
    again = start("-n", "100_000_000", "--set", QUICK_BLOCKS)
    _, err = again.communicate(timeout=LIMIT)
    assert again.returncode == 2
    assert err.count("\n") == 1
    assert "interrupted at" in err
    assert err.endswith("go on with: simcore resume x.h5\n")


def test_the_second_signal_stops_at_once_and_leaves_nothing(folder: Path) -> None:
    process = start("-n", "100_000_000", "--set", SLOW_BLOCKS, "-j", "2")
    wait_for_size(folder, 1, process)
    process.send_signal(signal.SIGINT)
    said = wait_for_words(process.stderr, "once more stops at once")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert "Traceback" not in said + err
    assert list(folder.iterdir()) == [], err


def test_a_forecast_stops_at_the_first_signal(folder: Path) -> None:
    process = start("-n", "100_000_000", "--set", SLOW_BLOCKS, "-v", "--dry-run")
    # A forecast says nothing before it is made: ask the system whether the program has set its signal handler.
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and not _catches(process.pid, signal.SIGTERM):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    assert list(folder.iterdir()) == [], err


def _catches(process: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        pytest.skip("needs /proc")
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


class TestInterruption:
    """The signal handler by itself."""

    def test_the_first_waits_for_a_checkpoint_and_raises_there_once(self) -> None:
        with Interruption() as interruption:
            interruption.checkpoint()
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(KeyboardInterrupt):
                interruption.checkpoint()
            interruption.checkpoint()
            assert interruption.signals == 1

    def test_the_second_does_not_wait(self) -> None:
        with Interruption() as interruption:
            interruption.checkpoint()
            os.kill(os.getpid(), signal.SIGINT)
            with pytest.raises(StoppedAtOnce):
                os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)  # while it tidies up
            assert interruption.signals == 3

    def test_a_second_that_python_dropped_is_raised_at_the_next_checkpoint(self) -> None:
        with Interruption() as interruption:
            interruption.signals = 2
            with pytest.raises(StoppedAtOnce):
                interruption.checkpoint()

    def test_verbs_that_keep_nothing_do_not_wait(self) -> None:
        with Interruption(at_once=True), pytest.raises(StoppedAtOnce):
            os.kill(os.getpid(), signal.SIGINT)

    def test_handlers_are_put_back(self) -> None:
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with Interruption():
            assert signal.getsignal(signal.SIGINT) != before[0]
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
