"""A callback returns a Deferred that has not fired, and nothing else waits for that one."""

# mypy: disable-error-code="misc,var-annotated,arg-type,unused-ignore"
from __future__ import annotations

import asyncio
from threading import Thread
from typing import Any

import pytest

from tests.defer.twins import Lib, assertSame
from twistlike.internet.defer import Deferred, ensureDeferred
from twistlike.internet.error import WrongThreadError


def chained(lib: Lib, name: str) -> tuple[Any, Any]:
    """Return a Deferred and the one that it waits for."""
    inner, outer = lib.defer.Deferred(), lib.defer.Deferred()
    outer.addCallback(lambda _: inner)
    outer.callback(None)
    outer.addBoth(lambda result: lib.note(name, result))
    return outer, inner


def test_the_result_goes_over() -> None:
    """The one that waits gets a result or an error; the other one goes on with None."""

    def program(lib: Lib) -> None:
        for outcome in (1, None, lib.defer.succeed, lib.defer.CancelledError()):
            _, inner = chained(lib, "outer")
            fire = inner.errback if isinstance(outcome, Exception) else inner.callback
            if outcome is lib.defer.succeed:
                outcome = [1]
            fire(outcome)
            inner.addBoth(lambda result: lib.note("inner", result))

    assertSame(program)


def test_callbacks_that_come_later() -> None:
    """What is added to the inner one after that comes after it, and gets None."""

    def program(lib: Lib) -> None:
        _, inner = chained(lib, "outer")
        inner.addBoth(lambda result: lib.note("inner", result))
        second = lib.defer.Deferred()
        second.addCallback(lambda _: inner)
        second.callback(None)
        second.addBoth(lambda result: lib.note("second", result))
        inner.callback(1)

    assertSame(program)


def test_pauses_and_cancels() -> None:
    """A pause holds the result up; a cancel reaches the inner one; what unpauses by hand leaves."""

    def program(lib: Lib) -> None:
        outer, inner = chained(lib, "paused")
        outer.pause()
        inner.callback(1)
        lib.note("unpause")
        outer.unpause()
        outer, inner = chained(lib, "cancelled")
        outer.cancel()
        lib.note("called", inner.called)
        inner.callback(2)
        outer, inner = chained(lib, "inner paused")
        inner.pause()
        inner.callback(3)
        lib.note("unpause")
        inner.unpause()

    assertSame(program)


def test_a_long_chain() -> None:
    """Any number of them in a row fires without recursion."""
    last: Deferred[Any] = Deferred()
    outer = last
    for _ in range(20_000):
        inner, outer = outer, Deferred()
        outer.addCallback(lambda _, inner=inner: inner)
        outer.callback(None)
    got: list[int] = []
    outer.addCallback(got.append)
    last.callback(7)
    assert got == [7]


@pytest.mark.parametrize("awaited", [False, True])
def test_threads(awaited: bool) -> None:
    """Any thread may fire the inner one, unless something on a loop waits for the outer one."""
    errors: list[BaseException] = []

    def fire(inner: Deferred[int]) -> None:
        try:
            inner.callback(1)
        except WrongThreadError as error:
            errors.append(error)

    async def main() -> None:
        inner: Deferred[int] = Deferred()
        first: Deferred[None] = Deferred()

        async def work() -> None:
            await first  # so that its Deferred knows a thread

        outer: Deferred[Any] = ensureDeferred(work())
        first.callback(None)
        outer.addCallback(lambda _: inner)
        waiting = asyncio.ensure_future(wait(outer)) if awaited else None
        await asyncio.sleep(0)
        thread = Thread(target=fire, args=(inner,))
        thread.start()
        thread.join()
        assert len(errors) == awaited
        if waiting is not None:
            inner.callback(2)
            assert await waiting == 2
        else:
            assert outer.result == 1

    async def wait(outer: Deferred[Any]) -> Any:
        return await outer

    asyncio.run(main())
