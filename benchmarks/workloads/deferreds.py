"""Deferreds by themselves: no loop runs, and no thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from benchmarks.hosts import ASYNCIO, REACTORS
from benchmarks.workload import Bench, Workload

__all__ = ["WORKLOADS"]

BOTH = ("twistlike", "twisted")


def increase(value: int) -> int:
    """The callback."""
    return value + 1


def withCallbacks(count: int, goal: float) -> Workload:
    """Return the workload of a Deferred with that many callbacks."""
    workload = Workload(
        name=f"deferred.callbacks{count}",
        title=f"a Deferred with {count} callback{'s' * (count > 1)}, fired",
        size=20_000,
        expect=lambda size: count * size,
        unit="Deferred",
        headline=count == 3,
        growth=500,
        goals={"twisted": goal} if goal else {},
    )

    @workload.variant(*BOTH)
    def fire(bench: Bench) -> int:
        """For each item make one, add the callbacks, and one that keeps the result; fire."""
        Deferred = bench.kit.defer.Deferred
        total = 0
        with bench.timed():
            for _ in range(bench.size):
                deferred = Deferred()
                for _ in repeat(None, count):
                    deferred.addCallback(increase)
                deferred.callback(0)
                total += deferred.result
        return total

    return workload


chained = Workload(
    name="deferred.chain",
    title="a callback returns a fired, then a pending Deferred",
    size=10_000,
    expect=lambda size: 3 * size,
    unit="Deferred",
    headline=True,
    growth=500,
    goals={"twisted": 1.9},
)


@chained.variant(*BOTH)
def chainBoth(bench: Bench) -> int:
    """For each item a Deferred waits for two others: one has fired already, one fires later."""
    Deferred, succeed = bench.kit.defer.Deferred, bench.kit.defer.succeed
    total = 0
    with bench.timed():
        for _ in range(bench.size):
            pending = Deferred()
            deferred = Deferred()
            deferred.addCallback(lambda value: succeed(value + 1))
            deferred.addCallback(lambda value, pending=pending: pending)
            deferred.callback(0)
            pending.callback(3)
            total += deferred.result
    return total


failing = Workload(
    name="deferred.fail",
    title="a callback raises, an errback traps it",
    size=10_000,
    expect=lambda size: 7 * size,
    unit="Deferred",
    headline=True,
    growth=500,
    goals={"twisted": 2.8},
)


class WorkError(Exception):
    """What goes wrong."""


def fail(value: int) -> int:
    """The callback that raises."""
    raise WorkError(value)


def trapped(failure: Any) -> int:
    """The errback."""
    failure.trap(WorkError)
    return 7


@failing.variant(*BOTH)
def failBoth(bench: Bench) -> int:
    """For each item a Deferred with a callback that raises and an errback that traps."""
    Deferred = bench.kit.defer.Deferred
    total = 0
    with bench.timed():
        for _ in range(bench.size):
            deferred = Deferred()
            deferred.addCallback(fail)
            deferred.addErrback(trapped)
            deferred.callback(0)
            total += deferred.result
    return total


GATHERED = 1_000

gathered = Workload(
    name="deferred.gather",
    title=f"gatherResults of {GATHERED}",
    size=20,
    per=GATHERED,
    expect=lambda size: size * sum(range(GATHERED)),
    unit="Deferred",
    headline=True,
    goals={"twisted": 3},
)


@gathered.variant(*REACTORS)
async def gatheredReactor(bench: Bench) -> int:
    """For each item 1,000 pending Deferreds are gathered, fired one after the other, awaited."""
    Deferred, gatherResults = bench.kit.defer.Deferred, bench.kit.defer.gatherResults
    total = 0
    with bench.timed():
        for _ in range(bench.size):
            parts = [Deferred() for _ in range(GATHERED)]
            whole = gatherResults(parts)
            for number, part in enumerate(parts):
                part.callback(number)
            total += sum(await whole)
    return total


@gathered.variant(*ASYNCIO)
async def gatheredAsyncio(bench: Bench) -> int:
    """The same with futures and asyncio.gather."""
    loop = asyncio.get_running_loop()
    total = 0
    with bench.timed():
        for _ in range(bench.size):
            parts: list[asyncio.Future[int]] = [loop.create_future() for _ in range(GATHERED)]
            whole = asyncio.gather(*parts)
            for number, part in enumerate(parts):
                part.set_result(number)
            total += sum(await whole)
    return total


def all_() -> Iterator[Workload]:
    """Return the workloads; the goal for one callback and for ten is that for three, about."""
    yield withCallbacks(1, 0)
    yield withCallbacks(3, 2.3)
    yield withCallbacks(10, 0)
    yield from (chained, failing, gathered)


WORKLOADS = list(all_())
