"""Generators and coroutines that wait for Deferreds, and tasks that do."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

from benchmarks.hosts import REACTORS
from benchmarks.workload import Bench, Workload

__all__ = ["WORKLOADS"]

BOTH = ("twistlike", "twisted")

generatorFired = Workload(
    name="coroutine.inlineFired",
    title="inlineCallbacks, per yield of a fired Deferred",
    size=20_000,
    expect=lambda size: size,
    unit="yield",
    headline=True,
    growth=500,
    goals={"twisted": 4},
)


@generatorFired.variant(*BOTH)
def generatorFiredBoth(bench: Bench) -> int:
    """One generator yields a Deferred that has fired, for each item."""
    succeed = bench.kit.defer.succeed

    @bench.kit.defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def work() -> Generator[Any, int, int]:
        total = 0
        for _ in range(bench.size):
            total += yield succeed(1)
        return total

    results: list[int] = []
    with bench.timed():
        work().addCallback(results.append)
    return results[0]


generatorPending = Workload(
    name="coroutine.inlinePending",
    title="inlineCallbacks, per yield of a pending Deferred",
    size=20_000,
    expect=lambda size: size,
    unit="yield",
    headline=True,
    growth=500,
    goals={"twisted": 2.2},
)


@generatorPending.variant(*BOTH)
def generatorPendingBoth(bench: Bench) -> int:
    """One generator yields a Deferred for each item, which is fired from outside."""
    Deferred = bench.kit.defer.Deferred
    pending = Deferred()

    @bench.kit.defer.inlineCallbacks  # type: ignore[untyped-decorator]
    def work() -> Generator[Any, int, int]:
        total = 0
        for _ in range(bench.size):
            total += yield pending
        return total

    results: list[int] = []
    with bench.timed():
        work().addCallback(results.append)
        for _ in range(bench.size):
            fired, pending = pending, Deferred()
            fired.callback(1)
    return results[0]


coroutineFired = Workload(
    name="coroutine.fired",
    title="a coroutine, per await of a fired Deferred",
    size=20_000,
    expect=lambda size: size,
    unit="await",
    growth=500,
)


@coroutineFired.variant(*BOTH)
def coroutineFiredBoth(bench: Bench) -> int:
    """One coroutine under ensureDeferred awaits a Deferred that has fired, for each item."""
    succeed = bench.kit.defer.succeed

    async def work() -> int:
        total = 0
        for _ in range(bench.size):
            total += await succeed(1)
        return total

    results: list[int] = []
    with bench.timed():
        bench.kit.defer.ensureDeferred(work()).addCallback(results.append)
    return results[0]


coroutinePending = Workload(
    name="coroutine.pending",
    title="a coroutine, per await of a pending Deferred",
    size=20_000,
    expect=lambda size: size,
    unit="await",
    headline=True,
    growth=500,
    goals={"twisted": 2.2},
)


@coroutinePending.variant(*BOTH)
def coroutinePendingBoth(bench: Bench) -> int:
    """One coroutine under ensureDeferred awaits a Deferred for each item, fired from outside."""
    Deferred = bench.kit.defer.Deferred
    pending = Deferred()

    async def work() -> int:
        total = 0
        for _ in range(bench.size):
            total += await pending
        return total

    results: list[int] = []
    with bench.timed():
        bench.kit.defer.ensureDeferred(work()).addCallback(results.append)
        for _ in range(bench.size):
            fired, pending = pending, Deferred()
            fired.callback(1)
    return results[0]


coroutineInLoop = Workload(
    name="coroutine.pendingInLoop",
    title="the same in a running loop",
    size=20_000,
    expect=lambda size: size,
    unit="await",
    growth=500,
    goals={"twisted": 2.2},
)


@coroutineInLoop.variant(*REACTORS)
async def coroutineInLoopReactor(bench: Bench) -> int:
    """As above, while the reactor runs: then a coroutine has a task of asyncio's, as it were."""
    return coroutinePendingBoth(bench)


awaited = Workload(
    name="coroutine.inTask",
    title="a task awaits a pending Deferred (asyncio: a Future)",
    size=20_000,
    expect=lambda size: size,
    unit="await",
    headline=True,
    growth=500,
    goals={"asyncio": 0.86},
    ours="twistlike-task",
)


@awaited.variant("twistlike-task")
async def awaitedDeferred(bench: Bench) -> int:
    """For each item the loop fires a Deferred that a task of asyncio's awaits."""
    loop = asyncio.get_running_loop()
    Deferred = bench.kit.defer.Deferred
    total = 0
    with bench.timed():
        for _ in range(bench.size):
            pending = Deferred()
            loop.call_soon(pending.callback, 1)
            total += await pending
    return total


@awaited.variant("asyncio")
async def awaitedFuture(bench: Bench) -> int:
    """For each item the loop sets the result of a Future that a task of asyncio's awaits."""
    loop = asyncio.get_running_loop()
    total = 0
    with bench.timed():
        for _ in range(bench.size):
            pending: asyncio.Future[int] = loop.create_future()
            loop.call_soon(pending.set_result, 1)
            total += await pending
    return total


@awaited.variant("twisted-asyncio")
async def awaitedAsFuture(bench: Bench) -> int:
    """Twisted's Deferred cannot be awaited in a task: its asFuture() is."""
    Deferred = bench.kit.defer.Deferred

    async def inTask() -> int:
        loop = asyncio.get_running_loop()
        total = 0
        with bench.timed():
            for _ in range(bench.size):
                pending = Deferred()
                loop.call_soon(pending.callback, 1)
                total += await pending.asFuture(loop)
        return total

    # The running code is in the loop, but not in a task, and asyncio does not see the loop.
    result: int = await Deferred.fromFuture(asyncio.ensure_future(inTask()))
    return result


WORKLOADS = [
    generatorFired,
    generatorPending,
    coroutineFired,
    coroutinePending,
    coroutineInLoop,
    awaited,
]
