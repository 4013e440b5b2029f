"""Work in threads whose results come back to the loop; and threads that wait for the loop."""

from __future__ import annotations

import asyncio
from _thread import allocate_lock
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

from benchmarks.hosts import ASYNCIO, REACTORS
from benchmarks.workload import WORKERS, Bench, Workload

__all__ = ["WORKLOADS"]


def echo(value: int) -> int:
    """What is run in the threads, and called in the loop: next to nothing."""
    return value


oneByOne = Workload(
    name="threads.oneByOne",
    title="deferToThread, one after the other",
    size=2_000,
    expect=lambda size: sum(range(size)),
    hops=True,
    headline=True,
    growth=200,
    goals={
        "twisted": 1.5,
        "asyncio to_thread": 1.5,
        "asyncio run_in_executor": 1.5,
        "anyio": 1.5,
        "asgiref": 1.5,
        "uvloop to_thread": 1.7,
        "uvloop run_in_executor": 1.7,
        "anyio-uvloop": 1.7,
        "asgiref-uvloop": 1.7,
        "asyncio floor": 1,
    },
)


@oneByOne.variant(*REACTORS, "twistlike-task")
async def oneByOneReactor(bench: Bench) -> int:
    """deferToThread, and its result, for each item."""
    deferToThread = bench.kit.threads.deferToThread
    total = 0
    with bench.timed():
        for i in range(bench.size):
            total += await deferToThread(echo, i)
    return total


@oneByOne.variant(*ASYNCIO, way="to_thread")
async def oneByOneToThread(bench: Bench) -> int:
    """asyncio.to_thread, and its result, for each item."""
    total = 0
    with bench.timed():
        for i in range(bench.size):
            total += await asyncio.to_thread(echo, i)
    return total


@oneByOne.variant(*ASYNCIO, way="run_in_executor")
async def oneByOneExecutor(bench: Bench) -> int:
    """run_in_executor, and its result, for each item. No context goes along."""
    loop = asyncio.get_running_loop()
    total = 0
    with ThreadPoolExecutor(WORKERS) as pool, bench.timed():
        for i in range(bench.size):
            total += await loop.run_in_executor(pool, echo, i)
    return total


@oneByOne.variant("anyio", "anyio-uvloop")
async def oneByOneAnyio(bench: Bench) -> int:
    """anyio.to_thread.run_sync, and its result, for each item."""
    from anyio import to_thread

    total = 0
    with bench.timed():
        for i in range(bench.size):
            total += await to_thread.run_sync(echo, i)
    return total


@oneByOne.variant("asgiref", "asgiref-uvloop")
async def oneByOneAsgiref(bench: Bench) -> int:
    """sync_to_async in a pool's threads, and its result, for each item."""
    from asgiref.sync import sync_to_async

    inThread = sync_to_async(echo, thread_sensitive=False)
    total = 0
    with bench.timed():
        for i in range(bench.size):
            total += await inThread(i)
    return total


@oneByOne.variant("tornado")
async def oneByOneTornado(bench: Bench) -> int:
    """IOLoop.run_in_executor, and its result, for each item."""
    from tornado.ioloop import IOLoop

    loop = IOLoop.current()
    total = 0
    with ThreadPoolExecutor(WORKERS) as pool, bench.timed():
        for i in range(bench.size):
            total += await loop.run_in_executor(pool, echo, i)
    return total


@oneByOne.variant(*ASYNCIO, way="floor")
async def oneByOneFloor(bench: Bench) -> int:
    """No pool, no queue: a lock wakes one thread, a bare call_soon_threadsafe wakes the loop."""
    loop = asyncio.get_running_loop()
    ready = allocate_lock()
    ready.acquire()
    waiting: asyncio.Future[int] = loop.create_future()

    def work() -> None:
        for i in range(bench.size):
            ready.acquire()
            loop.call_soon_threadsafe(waiting.set_result, echo(i))

    thread = Thread(target=work)
    thread.start()
    total = 0
    with bench.timed():
        for _ in range(bench.size):
            ready.release()
            total += await waiting
            waiting = loop.create_future()
    thread.join()
    return total


atOnce = Workload(
    name="threads.atOnce",
    title="20,000 deferToThread at once",
    size=20_000,
    expect=lambda size: sum(range(size)),
    hops=True,
    headline=True,
    growth=2_000,
    goals={"twisted": 11, "asyncio run_in_executor": 11},
    repeats=3,
)


@atOnce.variant(*REACTORS, "twistlike-task")
async def atOnceReactor(bench: Bench) -> int:
    """All deferToThread, then their results by gatherResults."""
    deferToThread = bench.kit.threads.deferToThread
    gatherResults = bench.kit.defer.gatherResults
    with bench.timed():
        values = await gatherResults([deferToThread(echo, i) for i in range(bench.size)])
    return sum(values)


@atOnce.variant(*ASYNCIO, way="to_thread")
async def atOnceToThread(bench: Bench) -> int:
    """All asyncio.to_thread, then their results by gather."""
    with ThreadPoolExecutor(WORKERS) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        with bench.timed():
            values = await asyncio.gather(*[asyncio.to_thread(echo, i) for i in range(bench.size)])
    # The pool is closed: let the loop make another one when it is asked for one.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKERS))
    return sum(values)


@atOnce.variant(*ASYNCIO, way="run_in_executor")
async def atOnceExecutor(bench: Bench) -> int:
    """All run_in_executor, then their results by gather."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(WORKERS) as pool, bench.timed():
        values = await asyncio.gather(
            *[loop.run_in_executor(pool, echo, i) for i in range(bench.size)]
        )
    return sum(values)


@atOnce.variant("anyio", "anyio-uvloop")
async def atOnceAnyio(bench: Bench) -> int:
    """A task in a task group for each item, which calls to_thread.run_sync."""
    from anyio import CapacityLimiter, create_task_group, to_thread

    limiter = CapacityLimiter(WORKERS)
    values: list[int] = []

    async def one(i: int) -> None:
        values.append(await to_thread.run_sync(echo, i, limiter=limiter))

    with bench.timed():
        async with create_task_group() as group:
            for i in range(bench.size):
                group.start_soon(one, i)
    return sum(values)


@atOnce.variant("asgiref", "asgiref-uvloop")
async def atOnceAsgiref(bench: Bench) -> int:
    """All sync_to_async in a pool of the same size, then their results by gather."""
    from asgiref.sync import sync_to_async

    with ThreadPoolExecutor(WORKERS) as pool:
        inThread = sync_to_async(echo, thread_sensitive=False, executor=pool)
        with bench.timed():
            values = await asyncio.gather(*[inThread(i) for i in range(bench.size)])
    return sum(values)


@atOnce.variant("tornado")
async def atOnceTornado(bench: Bench) -> int:
    """All IOLoop.run_in_executor, then their results by tornado's multi."""
    from tornado.gen import multi
    from tornado.ioloop import IOLoop

    loop = IOLoop.current()
    with ThreadPoolExecutor(WORKERS) as pool, bench.timed():
        values = await multi([loop.run_in_executor(pool, echo, i) for i in range(bench.size)])
    return sum(values)


WORKLOADS = [oneByOne, atOnce]
