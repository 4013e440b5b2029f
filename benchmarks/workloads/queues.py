"""Queues between threads and a loop; and what a blocking iterable gives, one by one, in a loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING, Any

from benchmarks.hosts import ASYNCIO
from benchmarks.workload import WORKERS, Bench, Workload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["WORKLOADS"]

OURS = ("twistlike", "twistlike-uvloop", "twistlike-task")
JANUS = ("janus", "janus-uvloop")
CULSANS = ("culsans", "culsans-uvloop")

BOUND = 100
"""How many items a bounded queue holds: what a service may have under way."""

flood = Workload(
    name="queues.flood",
    title="a queue, a flood of 50,000 items from a thread",
    size=50_000,
    expect=lambda size: sum(range(size)),
    unit="item",
    hops=True,
    growth=5_000,
    goals={"janus": 1, "culsans": 1},
)

bounded = Workload(
    name="queues.bounded",
    title="a queue of 100, 50,000 items from a thread",
    size=50_000,
    expect=lambda size: sum(range(size)),
    unit="item",
    hops=True,
    goals={"janus": 1, "culsans": 1},
)

toThread = Workload(
    name="queues.toThread",
    title="a queue of 100, 50,000 items from a loop",
    size=50_000,
    expect=lambda size: sum(range(size)),
    unit="item",
    hops=True,
    goals={"janus": 1, "culsans": 1},
)


async def _read(
    bench: Bench, put: Callable[[int], object], get: Callable[[], Awaitable[int]]
) -> int:
    """A thread puts all items, the loop gets them."""

    def feed() -> None:
        for i in range(bench.size):
            put(i)

    thread = Thread(target=feed)
    total = 0
    with bench.timed():
        thread.start()
        for _ in range(bench.size):
            total += await get()
    thread.join()
    return total


async def _write(
    bench: Bench, put: Callable[[int], Awaitable[object]], get: Callable[[], int]
) -> int:
    """The loop puts all items, a thread gets them."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()

    def eat() -> None:
        total = 0
        for _ in range(bench.size):
            total += get()
        loop.call_soon_threadsafe(done.set_result, total)

    thread = Thread(target=eat)
    with bench.timed():
        thread.start()
        for i in range(bench.size):
            await put(i)
        total = await done
    thread.join()
    return total


@flood.variant(*OURS)
async def floodOurs(bench: Bench) -> int:
    """A thread calls blockingPut for each item, a coroutine awaits get()."""
    queue = bench.kit.threads.ThreadsafeQueue()
    return await _read(bench, queue.blockingPut, queue.get)


@flood.variant(*JANUS)
async def floodJanus(bench: Bench) -> int:
    """A thread calls sync_q.put for each item, a task awaits async_q.get()."""
    queue = _janus()
    return await _read(bench, queue.sync_q.put, queue.async_q.get)


@flood.variant(*CULSANS)
async def floodCulsans(bench: Bench) -> int:
    """A thread calls sync_q.put for each item, a task awaits async_q.get()."""
    queue = _culsans()
    return await _read(bench, queue.sync_q.put, queue.async_q.get)


@bounded.variant(*OURS)
async def boundedOurs(bench: Bench) -> int:
    """A thread calls blockingPut for each item, a coroutine awaits get()."""
    queue = bench.kit.threads.ThreadsafeQueue(BOUND)
    return await _read(bench, queue.blockingPut, queue.get)


@bounded.variant(*JANUS)
async def boundedJanus(bench: Bench) -> int:
    """A thread calls sync_q.put for each item, a task awaits async_q.get()."""
    queue = _janus(BOUND)
    return await _read(bench, queue.sync_q.put, queue.async_q.get)


@bounded.variant(*CULSANS)
async def boundedCulsans(bench: Bench) -> int:
    """A thread calls sync_q.put for each item, a task awaits async_q.get()."""
    queue = _culsans(BOUND)
    return await _read(bench, queue.sync_q.put, queue.async_q.get)


@toThread.variant(*OURS)
async def toThreadOurs(bench: Bench) -> int:
    """A coroutine awaits put() for each item, a thread calls blockingGet."""
    queue = bench.kit.threads.ThreadsafeQueue(BOUND)
    return await _write(bench, queue.put, queue.blockingGet)


@toThread.variant(*JANUS)
async def toThreadJanus(bench: Bench) -> int:
    """A task awaits async_q.put() for each item, a thread calls sync_q.get."""
    queue = _janus(BOUND)
    return await _write(bench, queue.async_q.put, queue.sync_q.get)


@toThread.variant(*CULSANS)
async def toThreadCulsans(bench: Bench) -> int:
    """A task awaits async_q.put() for each item, a thread calls sync_q.get."""
    queue = _culsans(BOUND)
    return await _write(bench, queue.async_q.put, queue.sync_q.get)


def _janus(size: int = 0) -> Any:
    import janus

    return janus.Queue(size)


def _culsans(size: int = 0) -> Any:
    import culsans

    return culsans.Queue(size)


iterate = Workload(
    name="queues.iterate",
    title="a blocking iterable, item by item in a loop",
    size=10_000,
    expect=lambda size: sum(range(size)),
    unit="item",
    hops=True,
    goals={"asyncio to_thread": 1, "asyncio run_in_executor": 1},
)


@iterate.variant(*OURS)
async def iterateOurs(bench: Bench) -> int:
    """async for over iterateInThread."""
    iterateInThread = bench.kit.threads.iterateInThread
    total = 0
    with bench.timed():
        async for i in iterateInThread(range(bench.size)):
            total += i
    return total


@iterate.variant(*ASYNCIO, way="to_thread")
async def iterateToThread(bench: Bench) -> int:
    """asyncio.to_thread(next, iterator) for each item."""
    iterator = iter(range(bench.size))
    total = 0
    with bench.timed():
        while (i := await asyncio.to_thread(next, iterator, None)) is not None:
            total += i
    return total


@iterate.variant(*ASYNCIO, way="run_in_executor")
async def iterateExecutor(bench: Bench) -> int:
    """run_in_executor(next, iterator) for each item. No context goes along."""
    loop = asyncio.get_running_loop()
    iterator = iter(range(bench.size))
    total = 0
    with ThreadPoolExecutor(WORKERS) as pool, bench.timed():
        while (i := await loop.run_in_executor(pool, next, iterator, None)) is not None:
            total += i
    return total


@iterate.variant("anyio", "anyio-uvloop")
async def iterateAnyio(bench: Bench) -> int:
    """anyio.to_thread.run_sync(next, iterator) for each item, as web frameworks stream."""
    from anyio import to_thread

    iterator = iter(range(bench.size))
    total = 0
    with bench.timed():
        while (i := await to_thread.run_sync(next, iterator, None)) is not None:
            total += i
    return total


WORKLOADS = [flood, bounded, toThread, iterate]
