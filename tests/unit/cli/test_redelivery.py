"""Interrupts that Python drops, because they came while an object was being removed, are raised again."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from typer.main import get_command

from simcore.cli import listing, redelivery
from simcore.cli.interruption import Interruption, StoppedAtOnce
from simcore.cli.program import app
from simcore.cli.redelivery import Redelivery

LIMIT = 120.0  # seconds to wait for what must happen; never a measure of anything


class Thing:
    """An object to be removed."""


def by_callback(body: Callable[[], None]) -> None:
    """Run ``body`` in the callback of a weak reference, as h5py's objects have them."""
    thing = Thing()
    watch = weakref.ref(thing, lambda _: body())
    del thing
    assert watch() is None


def by_destructor(body: Callable[[], None]) -> None:
    """Run ``body`` in ``__del__``."""

    class Removed:
        def __del__(self) -> None:
            body()

    Removed()


WAYS = pytest.mark.parametrize("removing", [by_callback, by_destructor])
Removing = Callable[[Callable[[], None]], None]


def removed_and_waiting(removing: Removing, number: signal.Signals = signal.SIGINT) -> None:
    """Remove an object, with a signal in it, then wait; comes back only by an exception."""
    removed_and_waiting_for(lambda: interrupt(number), removing)


def removed_and_waiting_for(body: Callable[[], None], removing: Removing = by_destructor) -> None:
    """Remove an object, with something done in it, then wait."""
    removing(body)
    time.sleep(LIMIT)
    pytest.fail("nothing was raised")


def interrupt(number: signal.Signals = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


class TestRedelivery:
    """With Python's own handler of SIGINT."""

    @WAYS
    def test_what_was_dropped_breaks_off_what_comes_next(self, removing: Removing) -> None:
        with Redelivery(KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            removed_and_waiting(removing)

    def test_as_often_as_it_is_dropped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        times: list[None] = []
        own = Redelivery._dropped

        def dropped(self: Redelivery, report: Any) -> None:
            times.append(None)
            own(self, report)

        monkeypatch.setattr(Redelivery, "_dropped", dropped)

        def body() -> None:
            by_destructor(interrupt)
            while len(times) < 5:
                by_destructor(lambda: time.sleep(LIMIT))
            time.sleep(LIMIT)

        with Redelivery(KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            body()
        assert len(times) == 5

    @WAYS
    def test_nothing_comes_after_its_end(self, removing: Removing) -> None:
        for pause in (0.0, 0.0005, 0.001, 0.0011, 0.002) * 20:  # before, while, and after it is sent
            try:
                with Redelivery(KeyboardInterrupt):
                    removing(interrupt)
                    time.sleep(pause)
            except KeyboardInterrupt:
                continue
            time.sleep(0.003)

    @pytest.mark.parametrize("ours", [True, False])
    def test_a_second_one_within_the_report(self, monkeypatch: pytest.MonkeyPatch, ours: bool) -> None:
        """What is raised from a report is dropped without a report."""
        reports: list[None] = []
        own = Redelivery._dropped

        def dropped(self: Redelivery, report: Any) -> None:
            reports.append(None)
            interrupt()
            own(self, report)

        monkeypatch.setattr(Redelivery, "_dropped", dropped)
        monkeypatch.setattr(sys, "unraisablehook", lambda report: None)
        with Redelivery(KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            removed_and_waiting_for(interrupt if ours else lambda: [][0])
        assert len(reports) == 1

    def test_a_second_one_after_the_report(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(redelivery, "_PAUSE", 0.02)
        with Redelivery(KeyboardInterrupt):
            by_destructor(interrupt)
            with pytest.raises(KeyboardInterrupt):
                interrupt()
            time.sleep(0.1)  # tidying up

    def test_the_handler_of_somebody_else_is_left(self) -> None:
        numbers: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, frame: numbers.append(number))
        try:
            with Redelivery(KeyboardInterrupt):
                interrupt()
        finally:
            signal.signal(signal.SIGINT, before)
        assert numbers == [signal.SIGINT]

    def test_the_handler_is_put_back(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        with Redelivery(KeyboardInterrupt):
            assert signal.getsignal(signal.SIGINT) != before
        assert signal.getsignal(signal.SIGINT) == before

    def test_other_reports_go_where_they_went(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reports: list[type[BaseException]] = []
        monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append(report.exc_type))
        before = sys.unraisablehook
        with Redelivery(StoppedAtOnce):
            assert sys.unraisablehook != before
            by_destructor(interrupt)
            by_callback(lambda: [][0])
        assert reports == [KeyboardInterrupt, IndexError]
        assert sys.unraisablehook == before

    def test_it_is_for_the_main_thread(self) -> None:
        before, seen = sys.unraisablehook, []

        def body() -> None:
            with Redelivery(KeyboardInterrupt):
                seen.append(sys.unraisablehook)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        assert seen == [before]


class TestInterruption:
    """With the handler that runs use, and those verbs that keep nothing."""

    @WAYS
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_verbs_that_keep_nothing_still_stop_at_once(self, removing: Removing, number: signal.Signals) -> None:
        with Interruption(at_once=True) as interruption, pytest.raises(StoppedAtOnce):
            removed_and_waiting(removing, number)
        assert interruption.signals == 1

    @WAYS
    def test_the_second_still_stops_at_once(self, removing: Removing) -> None:
        with Interruption() as interruption:
            removing(interrupt)  # only noted: nothing is raised, nothing dropped
            with pytest.raises(StoppedAtOnce):
                removed_and_waiting(removing)
            assert interruption.signals == 2

    @pytest.mark.parametrize("at_once", [True, False])
    @pytest.mark.parametrize("more", [1, 2])
    def test_more_of_them_before_it_is_raised_again(self, at_once: bool, more: int) -> None:
        def several() -> None:
            try:
                interrupt()
            finally:
                for _ in range(more):
                    interrupt()

        with Interruption(at_once=at_once) as interruption:
            if not at_once:
                interrupt()
            with pytest.raises(StoppedAtOnce):
                removed_and_waiting_for(several)
            assert interruption.signals == 1 + more + (not at_once)

    def test_more_of_them_while_it_is_on_its_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(redelivery, "_PAUSE", 0.05)

        def dropped_then_another() -> None:
            by_destructor(interrupt)
            interrupt()
            time.sleep(LIMIT)

        with Interruption(at_once=True) as interruption:
            with pytest.raises(StoppedAtOnce):
                dropped_then_another()
            assert interruption.signals == 2

    @pytest.mark.parametrize("at_once", [True, False])
    def test_one_within_a_report_of_something_else(self, monkeypatch: pytest.MonkeyPatch, at_once: bool) -> None:
        own = Redelivery._dropped

        def dropped(self: Redelivery, report: Any) -> None:
            if report.exc_type is IndexError:
                interrupt()
            own(self, report)

        monkeypatch.setattr(Redelivery, "_dropped", dropped)
        monkeypatch.setattr(sys, "unraisablehook", lambda report: None)
        with Interruption(at_once=at_once) as interruption:
            if not at_once:
                interrupt()
            with pytest.raises(StoppedAtOnce):
                removed_and_waiting_for(lambda: [][0])
            assert interruption.signals == 1 + (not at_once)

    def test_what_a_checkpoint_raised_does_not_come_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(redelivery, "_PAUSE", 0.02)
        with Interruption(at_once=True) as interruption:
            by_destructor(interrupt)
            with pytest.raises(StoppedAtOnce):
                interruption.checkpoint()
            time.sleep(0.1)  # tidying up
            assert interruption.signals == 1

    def test_a_signal_while_it_tidies_up_changes_nothing(self) -> None:
        with Interruption(at_once=True):
            with pytest.raises(StoppedAtOnce):
                removed_and_waiting(by_destructor)
            interrupt()
            by_destructor(interrupt)
            time.sleep(0.05)


def program(*arguments: str) -> int:
    """Run the program within this process (`main` would end it where other tests have left threads)."""
    return int(get_command(app).main(arguments, standalone_mode=False))


class TestProgram:
    """The verbs."""

    def test_a_verb_without_a_handler_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def find(*arguments: object) -> None:
            by_callback(interrupt)
            time.sleep(LIMIT)

        monkeypatch.setattr(listing, "_cohort_year", find)
        assert program("list") == 130
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", "interrupted\n")

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, StoppedAtOnce])
    def test_what_python_made_of_an_interrupt(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[BaseException]
    ) -> None:
        def find(*arguments: object) -> None:
            raise SystemError("returned a result with an exception set") from kind()

        monkeypatch.setattr(listing, "_cohort_year", find)
        assert program("list") == 130
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", "interrupted\n")

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (OSError(errno.ENOSPC, "full"), "error: what was to be shown"),
            (ValueError("x"), "unexpected error: ValueError"),
        ],
    )
    def test_a_genuine_error_after_an_interrupt_is_told(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, words: str
    ) -> None:
        def find(*arguments: object) -> None:
            raise error from KeyboardInterrupt()

        monkeypatch.setattr(listing, "_cohort_year", find)
        assert program("list") == 1
        assert capsys.readouterr().err.startswith(words)
