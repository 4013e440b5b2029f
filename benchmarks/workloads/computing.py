"""Jobs that compute: for how long asking for one holds the loop, and how late its timers are.

One job of 20 ms is asked for after the other, by a loop that has a timer each millisecond. While a
job computes, the loop gets the GIL at each switch interval (5 ms), whatever the peer does. What a
peer can make worse is the asking: whoever wakes the job's thread by giving the GIL up waits for it
as well.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any

from benchmarks.hosts import ASYNCIO, REACTORS
from benchmarks.workload import WORKERS, Bench, Workload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["WORKLOADS"]

JOB = 0.02  # seconds
TICK = 0.001  # seconds
QUICK = 20  # quick jobs before those that compute, as a service has them


def compute() -> int:
    """Compute for 20 ms of this thread's time."""
    end = thread_time() + JOB
    while thread_time() < end:
        pass
    return 1


def nothing() -> None:
    """Be a quick job."""


async def ask(
    bench: Bench,
    callLater: Callable[[float, Callable[[], None]], Any],
    inThread: Callable[[Callable[[], Any]], Awaitable[Any]],
) -> tuple[int, list[float], list[float]]:
    """Ask for jobs, one after the other.

    Returns:
        How many jobs have run; for how long each asking held the loop; how late each tick was.
        Seconds.
    """
    asking: list[float] = []
    late: list[float] = []
    due = 0.0
    running = True

    def tick() -> None:
        nonlocal due
        now = perf_counter()
        if due:
            late.append(max(0.0, now - due))
        if running:
            due = now + TICK
            callLater(TICK, tick)

    for _ in range(QUICK):
        await inThread(nothing)
    callLater(TICK, tick)
    done = 0
    for _ in range(bench.size):
        begin = perf_counter()
        job = inThread(compute)
        asking.append(perf_counter() - begin)
        done += await job
    running = False
    return done, asking, late


def percentile(figures: list[float], percent: int) -> float:
    """Return the figure that so many percent do not exceed; 0 if few jobs ran and no tick came."""
    if not figures:
        return 0.0
    return sorted(figures)[min(len(figures) - 1, len(figures) * percent // 100)]


def workload(name: str, title: str, which: int, percent: int, ours: float | None) -> Workload:
    """Return a workload that records one percentile."""
    made = Workload(
        name=f"computing.{name}",
        title=title,
        size=40,
        expect=lambda size: size,
        unit="call" if which == 0 else "tick",
        headline=False,
        goals={},
        limit=ours,
        repeats=3,
    )

    def record(bench: Bench, found: tuple[int, list[float], list[float]]) -> int:
        done, *figures = found
        bench.record(percentile(figures[which], percent) * bench.size)
        return done

    @made.variant(*REACTORS)
    async def reactor(bench: Bench) -> int:
        """deferToThread."""
        kit = bench.kit
        found = await ask(bench, kit.reactor.callLater, kit.threads.deferToThread)
        return record(bench, found)

    @made.variant(*ASYNCIO, way="run_in_executor")
    async def executor(bench: Bench) -> int:
        """run_in_executor. No context goes along."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(WORKERS) as pool:
            found = await ask(bench, loop.call_later, lambda f: loop.run_in_executor(pool, f))
        return record(bench, found)

    @made.variant("anyio", "anyio-uvloop")
    async def anyio(bench: Bench) -> int:
        """A task that calls to_thread.run_sync: the loop is held when it has its turn."""
        from anyio import to_thread

        loop = asyncio.get_running_loop()
        held: list[float] = []

        def inThread(function: Callable[[], Any]) -> Awaitable[Any]:
            coroutine: Any = to_thread.run_sync(function)
            begin = perf_counter()
            first = coroutine.send(None)  # as far as it gets at once: the thread is woken
            held.append(perf_counter() - begin)
            return Rest(coroutine, first)

        done, _, late = await ask(bench, loop.call_later, inThread)
        return record(bench, (done, held[QUICK:], late))

    return made


class Rest:
    """Awaits the rest of a coroutine that has begun."""

    def __init__(self, coroutine: Any, first: Any) -> None:
        self._coroutine = coroutine
        self._first = first

    def __await__(self) -> Any:
        waitsFor = self._first
        while True:
            sent = yield waitsFor
            try:
                waitsFor = self._coroutine.send(sent)
            except StopIteration as end:
                return end.value


WORKLOADS = [
    workload("asking", "a job that computes: the asking call, median", 0, 50, 0.0002),
    workload("asking99", "a job that computes: the asking call, 99th percentile", 0, 99, None),
    workload("tick", "jobs that compute: a 1 ms tick's lateness, median", 1, 50, None),
    workload("tick90", "jobs that compute: a 1 ms tick's lateness, 90th percentile", 1, 90, None),
]
