"""Stretches that signals do not break off."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from simcore.store import signals
from simcore.store.signals import undisturbed

WATCHED = (signal.SIGINT, signal.SIGTERM)


class Came(Exception):
    """Raised by the handler of these tests."""


@pytest.fixture(autouse=True)
def handled() -> Iterator[list[int]]:
    """Handlers that note the number and raise; put back afterwards."""
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        raise Came

    before = [signal.signal(number, handle) for number in WATCHED]
    yield seen
    for number, handler in zip(WATCHED, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", WATCHED)
def test_a_signal_waits_for_the_end_of_the_body(number: signal.Signals, handled: list[int]) -> None:
    done: list[str] = []

    def stretch() -> None:
        with undisturbed():
            signal.raise_signal(number)
            done.append("body")
        done.append("what follows")

    with pytest.raises(Came):
        stretch()
    assert done == ["body"]
    assert handled == [number]


def test_within_another_it_waits_for_the_outer_one(handled: list[int]) -> None:
    def stretch() -> None:
        with undisturbed():
            with undisturbed():
                signal.raise_signal(signal.SIGINT)
            assert handled == []

    with pytest.raises(Came):
        stretch()
    assert handled == [signal.SIGINT]


def test_handlers_come_back_also_after_a_failure(handled: list[int]) -> None:
    before = [signal.getsignal(number) for number in WATCHED]

    def stretch() -> None:
        with undisturbed():
            assert [signal.getsignal(number) for number in WATCHED] != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stretch()
    assert [signal.getsignal(number) for number in WATCHED] == before
    assert handled == []


def test_an_ignored_signal_stays_ignored(handled: list[int]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with undisturbed():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert handled == []


def test_an_end_that_is_broken_off_loses_no_later_signal(handled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal between the return of the first handler and that of the second raises there; the second goes on."""
    put, ending = signal.signal, False

    def putting(number: int, handler: object) -> object:
        before = put(number, handler)  # type: ignore[arg-type]
        if ending and number == signal.SIGINT:
            signal.raise_signal(signal.SIGINT)
        return before

    monkeypatch.setattr(signals.signal, "signal", putting)
    with pytest.raises(Came), undisturbed():
        ending = True
    monkeypatch.undo()
    assert handled == [signal.SIGINT]
    with pytest.raises(Came):
        signal.raise_signal(signal.SIGTERM)
    assert handled == [signal.SIGINT, signal.SIGTERM]


def test_another_thread_changes_no_handler() -> None:
    before = [signal.getsignal(number) for number in WATCHED]
    found: list[object] = []

    def body() -> None:
        with undisturbed():
            found.extend(signal.getsignal(number) for number in WATCHED)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert found == before
