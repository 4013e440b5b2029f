"""Futures of Deferreds, as on Twisted: which cancel ends what, and what a task sees of it."""

from __future__ import annotations

import pytest

from tests.oracle import assertSame

START = """
import asyncio
from twisted.internet import defer
from twisted.internet.defer import Deferred

def state(future):
    if not future.done():
        return "waits"
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    if error is None:
        return f"has {future.result()!r}"
    return f"fails: {type(error).__module__}.{type(error).__qualname__}"

def run(main):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    from twisted.internet import asyncioreactor
    asyncioreactor.install(loop)
    loop.run_until_complete(main())
    loop.close()
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_each_order_of_cancelling(debug: str) -> None:
    """Only a cancel of the future itself leaves it cancelled; any other is an error in it."""
    program = (
        START
        + """
class Special(defer.CancelledError):
    pass

def deferredFirst(d, f): d.cancel()
def futureFirst(d, f): f.cancel()
def deferredThenFuture(d, f): d.cancel(); f.cancel()
def futureThenDeferred(d, f): f.cancel(); d.cancel()
def errback(d, f): d.errback(defer.CancelledError())
def errbackOfAsyncio(d, f): d.errback(asyncio.CancelledError())
def late(d, f): f.cancel(); d.callback("late")

WAYS = (deferredFirst, futureFirst, deferredThenFuture, futureThenDeferred, errback,
        errbackOfAsyncio, late)
CANCELLERS = (None, lambda d: d.errback(Special()), lambda d: d.callback("result"),
              lambda d: d.errback(KeyError(1)), lambda d: None)

async def main():
    loop = asyncio.get_running_loop()
    for way in WAYS:
        for number, canceller in enumerate(CANCELLERS):
            d = Deferred(canceller)
            f = d.asFuture(loop)
            try:
                way(d, f)
            except Exception as error:
                print(way.__name__, number, type(error).__name__)
            print(way.__name__, number, "at once", state(f), d.called)
            for _ in range(3):
                await asyncio.sleep(0)
            print(way.__name__, number, "later", state(f), d.called)
            left = []
            d.addBoth(left.append)
            print(way.__name__, number, "left", left)
    d = Deferred()
    d.addErrback(lambda failure: failure)
    d.cancel()
    print("before asFuture", state(d.asFuture(loop)))

run(main)
"""
    )
    ended = assertSame(program, env={"PYTHONASYNCIODEBUG": debug})
    assert not ended.reports


def test_what_tasks_see() -> None:
    """A task gets the error; a group ends by it; limits are asyncio's, and end the Deferred."""
    ended = assertSame(
        START
        + """
async def main():
    loop = asyncio.get_running_loop()

    async def waits(d):
        return await d.asFuture(loop)

    d = Deferred()
    task = asyncio.ensure_future(waits(d))
    await asyncio.sleep(0)
    d.cancel()
    await asyncio.wait([task])
    print("the Deferred is cancelled:", state(task), task.cancelling())

    d = Deferred()
    task = asyncio.ensure_future(waits(d))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    print("the task is cancelled:", state(task), d.called)

    async def limited(d):
        async with asyncio.timeout(0.01):
            await d.asFuture(loop)

    for limit in (limited, lambda d: asyncio.wait_for(d.asFuture(loop), 0.01)):
        d = Deferred()
        try:
            await limit(d)
        except TimeoutError as error:
            print("a limit:", type(error).__name__, d.called)

    d, other = Deferred(), Deferred()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(waits(each)) for each in (d, other)]
            await asyncio.sleep(0)
            d.cancel()
    except* defer.CancelledError as caught:
        print("a group:", len(caught.exceptions), [state(each) for each in tasks], other.called)

    d = Deferred()
    gathered = asyncio.gather(d.asFuture(loop), return_exceptions=True)
    d.cancel()
    print("gathered:", [type(each).__name__ for each in await gathered])

    d = Deferred()
    shielded = asyncio.ensure_future(asyncio.wait_for(asyncio.shield(d.asFuture(loop)), 0.01))
    await asyncio.wait([shielded])
    print("shielded:", state(shielded), d.called)
    d.callback(None)

run(main)
"""
    )
    assert not ended.reports
