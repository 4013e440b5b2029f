"""A thread that waits for what the loop answers; and jobs that do nothing but block."""

from __future__ import annotations

import asyncio
import time
from _thread import allocate_lock
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

from benchmarks.hosts import ASYNCIO, REACTORS
from benchmarks.workload import Bench, Workload

__all__ = ["WORKLOADS"]


def echo(value: int) -> int:
    """What is called in the loop's thread: next to nothing."""
    return value


async def echoLater(value: int) -> int:
    """The same where only a coroutine will do."""
    return value


blockingCall = Workload(
    name="threads.blockingCall",
    title="blockingCallFromThread",
    size=2_000,
    expect=lambda size: sum(range(size)),
    hops=True,
    headline=True,
    growth=200,
    goals={
        "twisted": 1.4,
        "anyio": 1.15,
        "asyncio run_coroutine_threadsafe": 2,
        "uvloop run_coroutine_threadsafe": 1.8,
        "anyio-uvloop": 1.8,
        "asyncio floor": 1,
    },
)


@blockingCall.variant(*REACTORS)
async def blockingCallReactor(bench: Bench) -> int:
    """A thread calls blockingCallFromThread for each item."""
    reactor = bench.kit.reactor
    blockingCallFromThread = bench.kit.threads.blockingCallFromThread
    done = bench.kit.defer.Deferred()

    def ask() -> None:
        total = 0
        with bench.timed():
            for i in range(bench.size):
                total += blockingCallFromThread(reactor, echo, i)
        reactor.callFromThread(done.callback, total)

    Thread(target=ask).start()
    result: int = await done
    return result


@blockingCall.variant(*ASYNCIO, way="run_coroutine_threadsafe")
async def blockingCallAsyncio(bench: Bench) -> int:
    """A thread calls run_coroutine_threadsafe(...).result() for each item."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()

    def ask() -> None:
        total = 0
        with bench.timed():
            for i in range(bench.size):
                total += asyncio.run_coroutine_threadsafe(echoLater(i), loop).result()
        loop.call_soon_threadsafe(done.set_result, total)

    Thread(target=ask).start()
    return await done


@blockingCall.variant("anyio", "anyio-uvloop")
async def blockingCallAnyio(bench: Bench) -> int:
    """A worker of anyio's calls from_thread.run_sync for each item."""
    from anyio import from_thread, to_thread

    def ask() -> int:
        total = 0
        with bench.timed():
            for i in range(bench.size):
                total += from_thread.run_sync(echo, i)
        return total

    return await to_thread.run_sync(ask)


@blockingCall.variant("asgiref", "asgiref-uvloop")
async def blockingCallAsgiref(bench: Bench) -> int:
    """A worker of asgiref's calls async_to_sync for each item."""
    from asgiref.sync import async_to_sync, sync_to_async

    inLoop = async_to_sync(echoLater)

    def ask() -> int:
        total = 0
        with bench.timed():
            for i in range(bench.size):
                total += inLoop(i)
        return total

    return await sync_to_async(ask, thread_sensitive=False)()


@blockingCall.variant("crochet")
def blockingCallCrochet(bench: Bench) -> int:
    """The main thread calls a function that crochet runs in the reactor's thread, for each item."""
    import crochet

    crochet.setup()
    inReactor: Callable[[int], int] = crochet.wait_for(timeout=60)(echo)
    total = 0
    with bench.timed():
        for i in range(bench.size):
            total += inReactor(i)
    return total


@blockingCall.variant(*ASYNCIO, way="floor")
async def blockingCallFloor(bench: Bench) -> int:
    """A bare call_soon_threadsafe wakes the loop, a lock wakes the thread; nothing else is done."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()
    answered = allocate_lock()
    answered.acquire()
    answer = 0

    def serve(value: int) -> None:
        nonlocal answer
        answer = echo(value)
        answered.release()

    def ask() -> None:
        total = 0
        with bench.timed():
            for i in range(bench.size):
                loop.call_soon_threadsafe(serve, i)
                answered.acquire()
                total += answer
        loop.call_soon_threadsafe(done.set_result, total)

    Thread(target=ask).start()
    return await done


BLOCK = 0.001
"""How long a job blocks, in seconds."""

SLEEPS = 40
"""How many jobs there are for each worker."""


def sleep(value: int) -> int:
    """What is run in the threads: it blocks, and gives way to others."""
    time.sleep(BLOCK)
    return value


def sleeping(workers: int) -> Workload:
    """Return the workload of jobs that block, for a number of workers."""
    workload = Workload(
        name=f"threads.sleep{workers}",
        title=f"jobs that block for 1 ms, {workers} threads",
        size=SLEEPS * workers,
        expect=lambda size: sum(range(size)),
        unit="job",
        hops=True,
        headline=workers == 10,
        repeats=3,
    )

    @workload.variant(*REACTORS)
    async def reactorJobs(bench: Bench) -> int:
        """All deferToThread, then their results."""
        reactor, defer, threads = bench.kit.reactor, bench.kit.defer, bench.kit.threads
        before = reactor.getThreadPool().max
        reactor.suggestThreadPoolSize(workers)
        with bench.timed():
            values = await defer.gatherResults(
                [threads.deferToThread(sleep, i) for i in range(bench.size)]
            )
        reactor.suggestThreadPoolSize(before)
        return sum(values)

    @workload.variant(*ASYNCIO)
    async def asyncioJobs(bench: Bench) -> int:
        """All run_in_executor, then their results."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(workers) as pool, bench.timed():
            values = await asyncio.gather(
                *[loop.run_in_executor(pool, sleep, i) for i in range(bench.size)]
            )
        return sum(values)

    @workload.variant("futures", way="ideal")
    def bareThreads(bench: Bench) -> int:
        """The ideal: as many threads, each with its share of the jobs, and nothing between them."""
        values: list[int] = []

        def run(share: range) -> None:
            for i in share:
                values.append(sleep(i))

        threads = [
            Thread(target=run, args=(range(k, bench.size, workers),)) for k in range(workers)
        ]
        with bench.timed():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return sum(values)

    return workload


WORKLOADS = [blockingCall, *[sleeping(workers) for workers in (2, 10, 50)]]
