"""Calls from threads into the loop and from it into threads, which nobody waits for one by one."""

from __future__ import annotations

import asyncio
from _thread import allocate_lock
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

from benchmarks.hosts import ASYNCIO, REACTORS
from benchmarks.workload import WORKERS, Bench, Workload

__all__ = ["WORKLOADS"]

POSTERS = 4

flood = Workload(
    name="calls.flood",
    title="callFromThread, a flood from 1 thread",
    size=30_000,
    expect=lambda size: list(range(size)),
    hops=True,
    headline=True,
    growth=10_000,
    goals={"twisted": 11, "asyncio": 6, "uvloop": 1.3},
)


@flood.variant(*REACTORS)
async def floodReactor(bench: Bench) -> list[int]:
    """A thread calls callFromThread for each item."""
    reactor = bench.kit.reactor
    done = bench.kit.defer.Deferred()
    seen: list[int] = []

    def post() -> None:
        for i in range(bench.size):
            reactor.callFromThread(seen.append, i)
        reactor.callFromThread(done.callback, None)

    thread = Thread(target=post)
    with bench.timed():
        thread.start()
        await done
    thread.join()
    return seen


@flood.variant(*ASYNCIO)
async def floodAsyncio(bench: Bench) -> list[int]:
    """A thread calls call_soon_threadsafe for each item."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    seen: list[int] = []

    def post() -> None:
        for i in range(bench.size):
            loop.call_soon_threadsafe(seen.append, i)
        loop.call_soon_threadsafe(done.set_result, None)

    thread = Thread(target=post)
    with bench.timed():
        thread.start()
        await done
    thread.join()
    return seen


@flood.variant("tornado")
async def floodTornado(bench: Bench) -> list[int]:
    """A thread calls add_callback for each item."""
    from tornado.ioloop import IOLoop

    loop = IOLoop.current()
    done: asyncio.Future[None] = asyncio.Future()
    seen: list[int] = []

    def post() -> None:
        for i in range(bench.size):
            loop.add_callback(seen.append, i)
        loop.add_callback(done.set_result, None)

    thread = Thread(target=post)
    with bench.timed():
        thread.start()
        await done
    thread.join()
    return seen


floodOfFour = Workload(
    name="calls.flood4",
    title=f"callFromThread, a flood from {POSTERS} threads",
    size=10_000,
    per=POSTERS,
    expect=lambda size: [list(range(size))] * POSTERS,
    hops=True,
    headline=True,
    growth=2_500,
    goals={"twisted": 8, "asyncio": 6, "uvloop": 1.3},
)


@floodOfFour.variant(*REACTORS)
async def floodOfFourReactor(bench: Bench) -> list[list[int]]:
    """Each thread calls callFromThread for each of its items; the last one of all ends it."""
    reactor = bench.kit.reactor
    done = bench.kit.defer.Deferred()
    seen: list[list[int]] = [[] for _ in range(POSTERS)]
    left = list(range(POSTERS))

    def ended() -> None:
        left.pop()
        if not left:
            done.callback(None)

    def post(own: list[int]) -> None:
        for i in range(bench.size):
            reactor.callFromThread(own.append, i)
        reactor.callFromThread(ended)

    threads = [Thread(target=post, args=(own,)) for own in seen]
    with bench.timed():
        for thread in threads:
            thread.start()
        await done
    for thread in threads:
        thread.join()
    return seen


@floodOfFour.variant(*ASYNCIO)
async def floodOfFourAsyncio(bench: Bench) -> list[list[int]]:
    """The same by call_soon_threadsafe."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    seen: list[list[int]] = [[] for _ in range(POSTERS)]
    left = list(range(POSTERS))

    def ended() -> None:
        left.pop()
        if not left:
            done.set_result(None)

    def post(own: list[int]) -> None:
        for i in range(bench.size):
            loop.call_soon_threadsafe(own.append, i)
        loop.call_soon_threadsafe(ended)

    threads = [Thread(target=post, args=(own,)) for own in seen]
    with bench.timed():
        for thread in threads:
            thread.start()
        await done
    for thread in threads:
        thread.join()
    return seen


queued = Workload(
    name="calls.million",
    title="1,000,000 callFromThread queued, then run",
    size=1_000_000,
    expect=lambda size: size,
    goals={"twisted": 4},
    repeats=1,
)


@queued.variant(*REACTORS)
async def queuedReactor(bench: Bench) -> int:
    """A thread posts all while the loop is blocked; then the loop runs them."""
    reactor = bench.kit.reactor
    done = bench.kit.defer.Deferred()
    seen: list[int] = []

    def post() -> None:
        for i in range(bench.size):
            reactor.callFromThread(seen.append, i)
        reactor.callFromThread(done.callback, None)

    thread = Thread(target=post)
    with bench.timed():
        thread.start()
        thread.join()
        await done
    return len(seen)


@queued.variant(*ASYNCIO)
async def queuedAsyncio(bench: Bench) -> int:
    """The same by call_soon_threadsafe."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    seen: list[int] = []

    def post() -> None:
        for i in range(bench.size):
            loop.call_soon_threadsafe(seen.append, i)
        loop.call_soon_threadsafe(done.set_result, None)

    thread = Thread(target=post)
    with bench.timed():
        thread.start()
        thread.join()
        await done
    return len(seen)


inThread = Workload(
    name="calls.inThread",
    title="callInThread",
    size=20_000,
    expect=lambda size: list(range(size)),
    hops=True,
    headline=True,
    growth=2_000,
    goals={"twisted": 10.3, "futures": 6},
)


@inThread.variant(*REACTORS)
async def inThreadReactor(bench: Bench) -> list[int]:
    """The loop's thread calls callInThread for each item; the job that is the last one ends it."""
    reactor = bench.kit.reactor
    done = bench.kit.defer.Deferred()
    seen: list[int] = []

    def job(i: int) -> None:
        seen.append(i)
        if len(seen) == bench.size:
            reactor.callFromThread(done.callback, None)

    with bench.timed():
        for i in range(bench.size):
            reactor.callInThread(job, i)
        await done
    return sorted(seen)


@inThread.variant("futures")
def inThreadFutures(bench: Bench) -> list[int]:
    """The main thread submits each item to a ThreadPoolExecutor, and drops the futures."""
    done = allocate_lock()
    done.acquire()
    seen: list[int] = []

    def job(i: int) -> None:
        seen.append(i)
        if len(seen) == bench.size:
            done.release()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(abs, range(WORKERS)))  # its threads are there before the watch runs
        with bench.timed():
            for i in range(bench.size):
                pool.submit(job, i)
            done.acquire()
    return sorted(seen)


WORKLOADS = [flood, floodOfFour, queued, inThread]
