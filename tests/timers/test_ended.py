"""The reactor ends while somebody waits for a timer: they are told, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest

from tests.defer.loops import KINDS, run
from twistlike.internet import reactor, task, threads
from twistlike.internet.defer import CancelledError, Deferred, ensureDeferred
from twistlike.python.failure import Failure

pytestmark = pytest.mark.parametrize("kind", KINDS)

LONG = 3600
"""Seconds: no test waits for so long."""


def test_a_coroutine_that_sleeps_gets_its_finally(kind: str) -> None:
    """`deferLater` fails at the end of the loop, and nothing is reported."""
    log: list[object] = []

    async def sleep(name: str) -> None:
        try:
            await task.deferLater(reactor, LONG)
        except CancelledError as error:
            log.append(str(error))
            raise
        finally:
            log.append(name)

    async def main() -> None:
        ensureDeferred(sleep("Deferred's"))
        reactor.callLater(0, sleep, "timer's")
        reactor.callFromThread(sleep, "thread's")
        task.deferLater(reactor, LONG, log.append, "never")
        await threads.deferToThread(int)
        await asyncio.sleep(0.01)

    run(kind, main)
    gc.collect()
    told = "the reactor has ended before this time was over"
    assert sorted(map(str, log)) == ["Deferred's", told, told, told, "thread's", "timer's"]


def test_a_later_loop_is_told(kind: str) -> None:
    """Whoever waits for it afterwards, in another loop, gets the error and does not wait."""
    kept: list[Deferred[None]] = []

    async def first() -> None:
        kept.append(task.deferLater(reactor, LONG))

    async def second() -> None:
        with pytest.raises(CancelledError, match="the reactor has ended"):
            await asyncio.wait_for(kept[0], LONG)

    run(kind, first)
    run(kind, second)


def test_a_looping_call_is_over(kind: str) -> None:
    """It does not run any more, its Deferred fails, and it can be started again."""
    calls: list[int] = []
    outcomes: list[Any] = []
    loop = task.LoopingCall(calls.append, 1)

    async def main() -> None:
        loop.start(LONG).addBoth(outcomes.append)
        assert loop.running

    for count in (1, 2):
        run(kind, main)
        assert not loop.running
        assert loop.deferred is None
        assert calls == [1] * count
        assert [outcome.type for outcome in outcomes] == [CancelledError] * count
    assert "LoopingCall" in outcomes[0].getErrorMessage()


def test_what_has_ended_or_was_cancelled_is_left_alone(kind: str) -> None:
    """The end tells nobody who does not wait: nor a mock, which has every attribute."""
    fired: list[object] = []
    mock = Mock()

    async def main() -> None:
        done = task.deferLater(reactor, 0, str, "x")
        done.addBoth(fired.append)
        cancelled = task.deferLater(reactor, LONG)
        cancelled.addErrback(lambda failure: fired.append(failure.type))
        cancelled.cancel()
        reactor.callLater(LONG, mock)
        await done

    run(kind, main)
    assert fired == [CancelledError, "x"]
    assert mock.mock_calls == []


def test_one_that_waits_again_or_cancels_another_keeps_nobody(kind: str) -> None:
    """Each is told once, whatever the others do when they are."""
    log: list[str] = []

    async def main() -> None:
        waits: list[Deferred[Any]] = []

        def told(name: str, act: Callable[[], object]) -> None:
            waits.append(task.deferLater(reactor, LONG))

            def hear(failure: Failure) -> None:
                log.append(name)
                act()

            waits[-1].addErrback(hear)

        told("first", lambda: waits[1].cancel())
        told("second", lambda: task.deferLater(reactor, LONG))
        told("third", lambda: reactor.callLater(LONG, log.append, "never"))

    run(kind, main)
    assert log == ["first", "second", "third"]
