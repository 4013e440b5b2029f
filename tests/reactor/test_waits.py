"""Threads that wait: the first outcome counts, and the end releases everybody."""

from __future__ import annotations

import os
import threading

import pytest

from tests.fakeloop import FakeLoop
from tests.wakeup.seams import neverLong
from tests.wakeup.test_gil_handoff import descriptors
from twistlike._reactor.waits import BlockedThreads, BlockingCall
from twistlike._wakeup.gil_handoff import HandoffLock, HandoffSlot
from twistlike.internet.error import ReactorNotRunning
from twistlike.python.failure import Failure


def test_the_outcome_is_brought_across() -> None:
    """A value that another thread brings is what the wait gives."""
    waiter: BlockingCall[int] = BlockingCall(HandoffSlot())
    thread = threading.Thread(target=waiter.succeed, args=(5,))
    thread.start()
    assert waiter.wait(10)
    assert waiter.outcome() == 5
    thread.join()


def test_the_error_is_raised() -> None:
    """An error that is brought is raised, the very same exception."""
    waiter: BlockingCall[int] = BlockingCall(HandoffSlot())
    error = LookupError("bad")
    waiter.fail(Failure(error))
    assert waiter.wait(None)
    with pytest.raises(LookupError) as caught:
        waiter.outcome()
    assert caught.value is error


def test_a_wait_has_a_limit() -> None:
    """A wait for what does not come ends after its limit."""
    assert not BlockingCall[int](HandoffSlot()).wait(0.001)


def test_the_first_outcome_counts() -> None:
    """Later outcomes are dropped, whoever brings them, and from however many threads."""
    for _ in range(50):
        waiter: BlockingCall[int] = BlockingCall(HandoffSlot())
        start = threading.Barrier(4)

        def bring(
            number: int, waiter: BlockingCall[int] = waiter, start: threading.Barrier = start
        ) -> None:
            start.wait()
            if number % 2:
                waiter.succeed(number)
            else:
                waiter.fail(Failure(LookupError(str(number))))

        threads = [threading.Thread(target=bring, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        assert waiter.wait(10)
        for thread in threads:
            thread.join()
        assert not waiter.wait(0)


def test_the_end_releases_everybody() -> None:
    """When the reactor ends, each waiting thread gets ReactorNotRunning."""
    waiters = BlockedThreads()
    waiting: list[BlockingCall[object]] = [BlockingCall(HandoffSlot()), BlockingCall(HandoffSlot())]
    for waiter in waiting:
        waiters.waiting.add(waiter)
    assert len(waiters) == 2
    states = [waiters.released]
    waiters.end()
    states.append(waiters.released)
    assert len(waiters) == 0
    for waiter in waiting:
        assert waiter.wait(0)
        with pytest.raises(ReactorNotRunning):
            waiter.outcome()
    waiters.bind(FakeLoop())  # type: ignore[arg-type]
    states.append(waiters.released)
    assert states == [False, True, False]


def test_who_leaves_is_forgotten() -> None:
    """A waiter that has its outcome is not released again."""
    waiters = BlockedThreads()
    waiter: BlockingCall[object] = BlockingCall(HandoffSlot())
    waiters.waiting.add(waiter)
    waiter.succeed("done")
    waiters.waiting.discard(waiter)
    waiters.end()
    assert waiter.outcome() == "done"


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="no event counters here")
def test_one_sleeps_on_the_handoff_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives the lock back when it has been woken, and the next one takes it."""
    neverLong(monkeypatch.setattr)
    waiters = BlockedThreads()
    first: BlockingCall[int] = BlockingCall(waiters.handoff)
    second: BlockingCall[int] = BlockingCall(waiters.handoff)
    quick = first._lock
    assert isinstance(quick, HandoffLock)
    assert not isinstance(second._lock, HandoffLock)
    for waiter in (second, first):
        waiters.waiting.add(waiter)
        threading.Timer(0.02, waiter.succeed, [1]).start()
        assert waiter.wait(10)
        assert waiter.outcome() == 1
        waiters.leave(waiter)
    assert len(waiters) == 0
    assert waiters.handoff.take() is quick


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="no event counters here")
def test_a_lock_that_may_still_be_released_is_not_given_back() -> None:
    """An answer that comes too late for one would wake the next."""
    waiters = BlockedThreads()
    late: BlockingCall[int] = BlockingCall(waiters.handoff)
    waiters.waiting.add(late)
    assert not late.wait(0.01)
    waiters.leave(late)
    after: BlockingCall[int] = BlockingCall(waiters.handoff)
    assert isinstance(after._lock, HandoffLock)
    late.succeed(1)
    assert not after.wait(0.01)


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="no event counters here")
def test_the_end_closes_the_lock() -> None:
    """Whether a thread sleeps on it, has just been woken, or was the last to be, and is gone."""
    kept: list[BlockingCall[int]] = []
    before = descriptors()
    for moment in ("asleep", "woken", "left"):
        waiters = BlockedThreads()  # a busy machine's long wait bars the next from the lock
        waiters.bind(FakeLoop())  # type: ignore[arg-type]
        waiter: BlockingCall[int] = BlockingCall(waiters.handoff)
        waiters.waiting.add(waiter)
        assert descriptors() == before + 1
        if moment != "asleep":
            waiter.succeed(1)
        if moment == "left":
            assert waiter.wait(10)
            waiters.leave(waiter)
        else:
            waiters.end()
            assert waiter.wait(10)
            waiters.leave(waiter)
        kept.append(waiter)
        waiters.end()
        assert descriptors() == before
