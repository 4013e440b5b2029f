"""A list is alone to wait for a Deferred, and something else comes before that fires."""

# mypy: disable-error-code="misc,var-annotated,arg-type,unused-ignore"
from __future__ import annotations

import asyncio
from threading import Thread
from typing import Any

import pytest

from tests.defer.twins import Lib, assertSame
from twistlike.internet.defer import Deferred, DeferredList, ensureDeferred, gatherResults, race
from twistlike.internet.error import WrongThreadError


def gathered(lib: Lib) -> tuple[Any, Any]:
    """Return a Deferred, and another one with which it is in a list whose outcome is noted."""
    part, other = lib.defer.Deferred(), lib.defer.Deferred()
    whole = lib.defer.DeferredList([other, part], consumeErrors=True)
    whole.addBoth(lambda result: lib.note("whole", [what for what, _ in result]))
    return part, other


def callbacks(lib: Lib, part: Any) -> None:
    part.addCallback(lambda result: lib.note("callback", result))


def errbacks(lib: Lib, part: Any) -> None:
    part.addErrback(lambda failure: lib.note("errback", failure))


def both(lib: Lib, part: Any) -> None:
    part.addCallbacks(*[lambda result: lib.note("both", result)] * 2)


def secondList(lib: Lib, part: Any) -> None:
    again = lib.defer.DeferredList([part, part], consumeErrors=True)
    again.addBoth(lambda result: lib.note("again", [what for what, _ in result]))


def chained(lib: Lib, part: Any) -> None:
    source = lib.defer.Deferred()
    source.chainDeferred(part)


def returned(lib: Lib, part: Any) -> None:
    outer = lib.defer.succeed(None)
    outer.addCallback(lambda _: part)
    outer.addBoth(lambda result: lib.note("outer", result))


def paused(lib: Lib, part: Any) -> None:
    part.pause()
    part.addBoth(lambda result: lib.note("paused", result))


def pausedAlone(lib: Lib, part: Any) -> None:
    part.pause()


def debugging(lib: Lib, part: Any) -> None:
    lib.defer.setDebugging(True)


@pytest.mark.parametrize(
    "before",
    [
        callbacks,
        errbacks,
        both,
        secondList,
        chained,
        returned,
        paused,
        pausedAlone,
        debugging,
    ],
)
@pytest.mark.parametrize("outcome", ["result", "error", "cancel"])
def test_what_comes_before_it_fires(before: Any, outcome: str) -> None:
    """The list gets its outcome first, whatever else has come to wait for the part."""

    def program(lib: Lib) -> None:
        part, other = gathered(lib)
        before(lib, part)
        try:
            if outcome == "result":
                part.callback(1)
            elif outcome == "error":
                part.errback(KeyError("e"))
            else:
                part.cancel()
        finally:
            lib.defer.setDebugging(False)
        other.callback(2)
        if part.paused:
            part.unpause()
        part.addBoth(lambda result: lib.note("left", result))

    assertSame(program)


def test_a_coroutines() -> None:
    """A coroutine's Deferred in a list: it ends, fails, or is cancelled and goes on."""

    def program(lib: Lib) -> None:
        for end in ("result", "error", "cancel"):
            waiting = lib.defer.Deferred()
            later = lib.defer.Deferred()

            @lib.defer.inlineCallbacks  # type: ignore[untyped-decorator]
            def work(waiting: Any = waiting, later: Any = later) -> Any:
                try:
                    yield waiting
                except lib.defer.CancelledError:
                    yield later
                return 1

            part, other = work(), lib.defer.Deferred()
            whole = lib.defer.DeferredList([other, part], consumeErrors=True)
            whole.addBoth(lambda result, end=end: lib.note(end, [what for what, _ in result]))
            if end == "result":
                waiting.callback(None)
            elif end == "error":
                waiting.errback(KeyError("e"))
            else:
                part.cancel()
                later.callback(None)
            other.callback(2)
            part.addBoth(lambda result: lib.note("left", result))

    assertSame(program)


@pytest.mark.parametrize("several", [gatherResults, DeferredList, race])
def test_another_thread(several: Any) -> None:
    """A task waits for the list, or for the part as well: the part is fired in its thread only."""

    async def main() -> None:
        for alone in (True, False):
            part: Deferred[int] = Deferred()
            whole = several([part])
            waiters = [asyncio.ensure_future(whole)]
            if not alone:
                waiters.insert(0, asyncio.ensure_future(part))
            await asyncio.sleep(0)
            raised: list[BaseException] = []

            def fire(part: Deferred[int] = part, raised: list[BaseException] = raised) -> None:
                try:
                    part.callback(1)
                except WrongThreadError as error:
                    raised.append(error)

            thread = Thread(target=fire)
            thread.start()
            thread.join()
            assert len(raised) == 1
            part.callback(2)
            assert "2" in repr(await waiters[-1])

    asyncio.run(main())


def test_a_source_is_bound_too() -> None:
    """A task waits for what is chained to a part: the list still gets the outcome."""

    async def main() -> None:
        part: Deferred[int] = Deferred()
        whole = gatherResults([part])
        outer: Deferred[None] = Deferred()
        outer.addCallback(lambda _: part)  # type: ignore[arg-type, return-value]
        outer.callback(None)
        task = asyncio.ensure_future(outer)
        await asyncio.sleep(0)
        part.callback(1)
        results: list[Any] = [await task, await whole]
        assert results == [1, [1]]

    asyncio.run(main())


def test_many_lists_in_lists() -> None:
    """Lists in lists to any depth, each one the only part of the next, get the innermost result."""
    innermost: Deferred[int] = Deferred()
    whole: Any = innermost
    for _ in range(5_000):
        whole = gatherResults([whole])
    results: list[Any] = []
    whole.addCallback(results.append)
    innermost.callback(1)
    result = results[0]
    for _ in range(5_000):
        [result] = result
    assert result == 1


def test_shown() -> None:
    """The entry of a list is shown as one, and taken away with what it stands for."""
    part: Deferred[int] = Deferred()
    whole = gatherResults([part])
    with pytest.warns(DeprecationWarning):
        [(success, failure)] = part.callbacks
    assert callable(success[0]) or success[0] is whole
    assert callable(failure[0]) or failure[0] is whole

    async def waits() -> list[int]:
        return await whole

    ensureDeferred(waits())
    part.callback(1)
