"""Timers: made and cancelled, moved, and due."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.hosts import ASYNCIO, REACTORS
from benchmarks.workload import Bench, Workload, same

__all__ = ["WORKLOADS"]

FAR = 3600.0
"""When the timers are due that never come to be due, in seconds."""

GROUP = 100
"""How many timers there are at a time where they are made and cancelled on different turns."""

MOVES = 10


def never() -> None:
    """What the timers would call that are not due."""
    raise AssertionError("this timer was cancelled, or is not due for an hour")


def turn(bench: Bench) -> Any:
    """Return a Deferred that fires on the reactor's next turn."""
    deferred = bench.kit.defer.Deferred()
    bench.kit.reactor.callLater(0, deferred.callback, None)
    return deferred


cancelled = Workload(
    name="timers.cancel",
    title="callLater, cancelled on the same turn",
    size=20_000,
    expect=same(None),
    unit="timer",
    growth=2_000,
    goals={"twisted": 1.5, "twisted-asyncio": 2.5},
)


@cancelled.variant(*REACTORS)
async def cancelledReactor(bench: Bench) -> None:
    """callLater and cancel for each item, then one turn of the loop."""
    reactor = bench.kit.reactor
    with bench.timed():
        for _ in range(bench.size):
            reactor.callLater(FAR, never).cancel()
        await turn(bench)


@cancelled.variant(*ASYNCIO)
async def cancelledAsyncio(bench: Bench) -> None:
    """call_later and cancel for each item, then one turn of the loop."""
    loop = asyncio.get_running_loop()
    with bench.timed():
        for _ in range(bench.size):
            loop.call_later(FAR, never).cancel()
        await asyncio.sleep(0)


@cancelled.variant("tornado")
async def cancelledTornado(bench: Bench) -> None:
    """call_later and remove_timeout for each item, then one turn of the loop."""
    from tornado.ioloop import IOLoop

    loop = IOLoop.current()
    with bench.timed():
        for _ in range(bench.size):
            loop.remove_timeout(loop.call_later(FAR, never))
        await asyncio.sleep(0)


cancelledLater = Workload(
    name="timers.cancelLater",
    title="callLater, cancelled on a later turn",
    size=200,
    per=GROUP,
    expect=same(None),
    unit="timer",
    growth=20,
    goals={"twisted": 1.5, "twisted-asyncio": 2.5},
)


@cancelledLater.variant(*REACTORS)
async def cancelledLaterReactor(bench: Bench) -> None:
    """Again and again: 100 times callLater, a turn of the loop, 100 times cancel, a turn."""
    reactor = bench.kit.reactor
    with bench.timed():
        for _ in range(bench.size):
            calls = [reactor.callLater(FAR, never) for _ in range(GROUP)]
            await turn(bench)
            for call in calls:
                call.cancel()
            await turn(bench)


@cancelledLater.variant(*ASYNCIO)
async def cancelledLaterAsyncio(bench: Bench) -> None:
    """The same by call_later and cancel."""
    loop = asyncio.get_running_loop()
    with bench.timed():
        for _ in range(bench.size):
            calls = [loop.call_later(FAR, never) for _ in range(GROUP)]
            await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.sleep(0)


moved = Workload(
    name="timers.move",
    title=f"100,000 timers, each moved later {MOVES} times",
    size=100_000,
    per=MOVES,
    expect=same(None),
    unit="move",
    growth=1_000,
    goals={"twisted": 3},
    repeats=2,
)


@moved.variant(*REACTORS)
async def movedReactor(bench: Bench) -> None:
    """All are made; then each is moved by delay(1), ten rounds, each with a turn of the loop."""
    reactor = bench.kit.reactor
    calls = [reactor.callLater(FAR, never) for _ in range(bench.size)]
    with bench.timed():
        for _ in range(MOVES):
            for call in calls:
                call.delay(1.0)
            await turn(bench)
    for call in calls:
        call.cancel()
    await turn(bench)


@moved.variant(*ASYNCIO)
async def movedAsyncio(bench: Bench) -> None:
    """asyncio's timers cannot be moved: each is cancelled, and made anew for a second later."""
    loop = asyncio.get_running_loop()
    calls = [loop.call_later(FAR, never) for _ in range(bench.size)]
    with bench.timed():
        for _ in range(MOVES):
            for number, call in enumerate(calls):
                call.cancel()
                calls[number] = loop.call_at(call.when() + 1.0, never)
            await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.sleep(0)


due = Workload(
    name="timers.due",
    title="callLater(0), until it has run",
    size=20_000,
    expect=lambda size: list(range(size)),
    unit="timer",
    headline=True,
    growth=2_000,
    goals={"twisted": 1.8},
)


@due.variant(*REACTORS)
async def dueReactor(bench: Bench) -> list[int]:
    """callLater(0) for each item, and one more that ends it."""
    reactor = bench.kit.reactor
    done = bench.kit.defer.Deferred()
    seen: list[int] = []
    with bench.timed():
        for i in range(bench.size):
            reactor.callLater(0, seen.append, i)
        reactor.callLater(0, done.callback, None)
        await done
    return seen


@due.variant(*ASYNCIO)
async def dueAsyncio(bench: Bench) -> list[int]:
    """call_later(0) for each item, and one more that ends it."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    seen: list[int] = []
    with bench.timed():
        for i in range(bench.size):
            loop.call_later(0, seen.append, i)
        loop.call_later(0.0, done.set_result, None)
        await done
    return sorted(seen)  # asyncio does not promise an order, and uvloop's is another one


@due.variant("tornado")
async def dueTornado(bench: Bench) -> list[int]:
    """IOLoop.call_later(0) for each item, and one more that ends it."""
    from tornado.ioloop import IOLoop

    loop = IOLoop.current()
    done: asyncio.Future[None] = asyncio.Future()
    seen: list[int] = []
    with bench.timed():
        for i in range(bench.size):
            loop.call_later(0, seen.append, i)
        loop.call_later(0, done.set_result, None)
        await done
    return sorted(seen)


WORKLOADS = [cancelled, cancelledLater, moved, due]
