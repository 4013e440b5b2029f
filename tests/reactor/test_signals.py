"""The signals that end a reactor, taken and given back."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from twistlike._reactor import run_loop
from twistlike._reactor.run_loop import StopSignals

if TYPE_CHECKING:
    from collections.abc import Iterator


class SignalsRecorder:
    """Signals that are taken, and what happened."""

    def __init__(self) -> None:
        self.out: list[object] = []
        self.signals = StopSignals(self.out.append, lambda: self.out.append("force"))


@pytest.fixture
def recorder() -> Iterator[SignalsRecorder]:
    """Signals that are given back at the end of the test."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    recorder = SignalsRecorder()
    yield recorder
    recorder.signals.giveBack()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_first_signal_stops_a_later_one_forces(
    recorder: SignalsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those right behind the first are the same request; a later Ctrl-C forces, a SIGTERM not."""
    clock = [100.0]
    monkeypatch.setattr(run_loop, "monotonic", lambda: clock[0])
    recorder.signals.take()
    for _ in range(30):
        signal.raise_signal(signal.SIGINT)
    assert recorder.out == [signal.SIGINT]
    clock[0] += 1
    signal.raise_signal(signal.SIGTERM)
    assert recorder.out == [signal.SIGINT]
    signal.raise_signal(signal.SIGINT)
    assert recorder.out == [signal.SIGINT, "force"]


def test_after_giving_back_a_signal_is_its_owners_again(recorder: SignalsRecorder) -> None:
    """Ctrl-C raises KeyboardInterrupt again once the signals have been given back."""
    recorder.signals.take()
    recorder.signals.giveBack()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert recorder.out == []


def test_nothing_is_taken_in_another_thread(recorder: SignalsRecorder) -> None:
    """Only the main thread may take signals; in another one take() does nothing."""
    thread = threading.Thread(target=recorder.signals.take)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_was_put_there_meanwhile_stays(recorder: SignalsRecorder) -> None:
    """Giving back does not overwrite a handler that somebody has installed since."""

    def theirs(*ignored: object) -> None:
        """Belong to somebody else."""

    before = signal.getsignal(signal.SIGTERM)
    recorder.signals.take()
    signal.signal(signal.SIGTERM, theirs)
    recorder.signals.giveBack()
    assert signal.getsignal(signal.SIGTERM) is theirs
    signal.signal(signal.SIGTERM, before)
