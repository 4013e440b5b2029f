"""What a page does with twistlike: everything in the page's own loop, which Pyodide provides."""

from __future__ import annotations

import asyncio

from twistlike.internet import reactor, task, threads
from twistlike.internet.asyncioreactor import currentReactor
from twistlike.internet.defer import (
    CancelledError,
    Deferred,
    ensureDeferred,
    gatherResults,
    inlineCallbacks,
)

__all__ = ["main"]


async def both() -> None:
    """Await a Deferred in a task, and asyncio's awaitables in a coroutine of a Deferred."""
    fired: Deferred[int] = Deferred()
    asyncio.get_running_loop().call_later(0.01, fired.callback, 5)
    assert await fired == 5

    @inlineCallbacks
    def old():  # type: ignore[no-untyped-def]
        yield asyncio.sleep(0.01)
        return int("6")

    assert list(await asyncio.gather(old(), asyncio.sleep(0, 7))) == [6, 7]
    assert await gatherResults([old(), ensureDeferred(asyncio.sleep(0, 8))]) == [6, 8]


async def cancelled() -> None:
    """Cancels and timeouts cross the border in both directions, with the C tasks of this Python."""

    async def waits() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    try:
        await ensureDeferred(waits())
    except TimeoutError:
        pass
    else:
        raise AssertionError("asyncio.timeout did nothing in a coroutine of a Deferred")
    never: Deferred[None] = Deferred()
    try:
        await asyncio.wait_for(never, 0.01)
    except TimeoutError:
        assert never.called
    gone: Deferred[None] = Deferred()
    asyncio.get_running_loop().call_soon(gone.cancel)
    try:
        await gone
    except CancelledError:
        return
    raise AssertionError("a cancelled Deferred gave a result")


async def timed() -> None:
    """Timers, looping calls and cooperation run in the page's loop."""
    assert currentReactor() is reactor
    seen: list[int] = []
    loop = task.LoopingCall(lambda: seen.append(len(seen)))
    loop.start(0.01)
    assert await task.deferLater(reactor, 0.05, lambda: "later") == "later"
    loop.stop()
    assert seen[:3] == [0, 1, 2]
    await task.coiterate(iter([None, None]))
    reactor.callFromThread(seen.append, -1)
    await task.deferLater(reactor, 0)
    assert seen[-1] == -1


async def threadless() -> None:
    """There are no threads: what needs one says so."""
    try:
        await threads.deferToThread(int)
    except RuntimeError as error:
        assert "thread" in str(error)
    else:
        raise AssertionError("a thread was started")


async def main() -> None:
    """Run all of it."""
    for check in (both, cancelled, timed, threadless):
        await check()
        print(f"in the page's loop: {check.__name__} passed")
