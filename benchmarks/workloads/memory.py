"""How many bytes things take that there may be many of."""

from __future__ import annotations

import asyncio
import gc
import os
import time
import tracemalloc
from _thread import allocate_lock
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

from benchmarks.hosts import ASYNCIO, REACTORS
from benchmarks.workload import Bench, Workload

__all__ = ["WORKLOADS"]

BOTH = ("twistlike", "twisted")


def resident() -> int:
    """Return how many bytes of memory the process has, by what the system says."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        import resource  # a peak, not the present: good enough where there is nothing better

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def passOn(value: object) -> object:
    """The callback."""
    return value


ofDeferred = Workload(
    name="memory.deferred",
    title="a pending Deferred with one callback",
    size=20_000,
    expect=lambda size: size,
    unit="Deferred",
    measure="byte",
    headline=True,
    goals={"twisted": 2},
    repeats=1,
)


@ofDeferred.variant(*BOTH)
def ofDeferredBoth(bench: Bench) -> int:
    """Make and keep one for each item, under tracemalloc."""
    Deferred = bench.kit.defer.Deferred
    kept: list[object] = [None] * bench.size
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for i in range(bench.size):
        kept[i] = Deferred().addCallback(passOn)
    bench.record(tracemalloc.get_traced_memory()[0] - before)
    tracemalloc.stop()
    return len(kept)


@ofDeferred.variant("asyncio")
async def ofFuture(bench: Bench) -> int:
    """A Future with a callback, for each item."""
    loop = asyncio.get_running_loop()
    kept: list[asyncio.Future[None] | None] = [None] * bench.size
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for i in range(bench.size):
        future = kept[i] = loop.create_future()
        future.add_done_callback(passOn)
    bench.record(tracemalloc.get_traced_memory()[0] - before)
    tracemalloc.stop()
    return len(kept)


ofCall = Workload(
    name="memory.call",
    title="a queued callFromThread, of 1,000,000",
    size=1_000_000,
    expect=lambda size: size,
    measure="byte",
    limit=250 * 2**20 / 1_000_000,
    repeats=1,
)


def call(value: int) -> None:
    """What is queued."""


@ofCall.variant(*REACTORS)
async def ofCallReactor(bench: Bench) -> int:
    """A thread posts all while the loop is blocked; the growth of the process is measured."""
    reactor = bench.kit.reactor
    done = bench.kit.defer.Deferred()

    def post() -> None:
        for i in range(bench.size):
            reactor.callFromThread(call, i)
        reactor.callFromThread(done.callback, bench.size)

    gc.collect()
    before = resident()
    thread = Thread(target=post)
    thread.start()
    thread.join()
    bench.record(max(0, resident() - before))
    result: int = await done
    return result


@ofCall.variant(*ASYNCIO)
async def ofCallAsyncio(bench: Bench) -> int:
    """The same by call_soon_threadsafe."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()

    def post() -> None:
        for i in range(bench.size):
            loop.call_soon_threadsafe(call, i)
        loop.call_soon_threadsafe(done.set_result, bench.size)

    gc.collect()
    before = resident()
    thread = Thread(target=post)
    thread.start()
    thread.join()
    bench.record(max(0, resident() - before))
    return await done


ofWorker = Workload(
    name="memory.worker",
    title="an idle thread of a pool",
    size=50,
    expect=lambda size: size,
    unit="thread",
    measure="byte",
    repeats=1,
)


class Rendezvous:
    """Jobs that all run at the same time, each in a thread of its own."""

    def __init__(self, count: int) -> None:
        self._left = list(range(count))
        self._all = allocate_lock()
        self._all.acquire()

    def job(self) -> None:
        """Wait for the others."""
        self._left.pop()
        if not self._left:
            self._all.release()
        with self._all:
            pass

    def wait(self) -> None:
        """Wait until all have come, and a moment more for their threads to be idle."""
        with self._all:
            pass
        time.sleep(0.05)


@ofWorker.variant(*BOTH)
def ofWorkerBoth(bench: Bench) -> int:
    """As many threads as items run one job each, and are idle then."""
    pool = bench.kit.threadpool.ThreadPool(bench.size, bench.size, "idle")
    gc.collect()
    before = resident()
    pool.start()
    meeting = Rendezvous(bench.size)
    for _ in range(bench.size):
        pool.callInThread(meeting.job)
    meeting.wait()
    bench.record(max(0, resident() - before))
    count = len(pool.threads)
    pool.stop()
    return count


@ofWorker.variant("futures")
def ofWorkerFutures(bench: Bench) -> int:
    """The same with a ThreadPoolExecutor."""
    pool = ThreadPoolExecutor(bench.size)
    gc.collect()
    before = resident()
    meeting = Rendezvous(bench.size)
    for _ in range(bench.size):
        pool.submit(meeting.job)
    meeting.wait()
    bench.record(max(0, resident() - before))
    count = len(pool._threads)
    pool.shutdown()
    return count


WORKLOADS = [ofDeferred, ofCall, ofWorker]
