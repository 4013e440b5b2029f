"""Faults of Deferreds: depth, errors that nobody handles, the border to asyncio's futures."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Generator
from typing import Any

from tests.faults.harness import Host, fault
from tests.waits import until
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import CancelledError, Deferred, inlineCallbacks, succeed
from twistlike.python.failure import Failure


def link(chain: list[Deferred[Any]]) -> None:
    """Have each Deferred return the next."""

    def add(deferred: Deferred[Any], following: Deferred[Any]) -> None:
        deferred.addCallback(lambda _: following)

    for number in range(len(chain) - 1):
        add(chain[number], chain[number + 1])


def fireAll(deferreds: list[Deferred[Any]]) -> None:
    """Fire them, one after the other."""
    for deferred in deferreds:
        deferred.callback(None)


@fault(modes=("run",), limit=60)
def test_chain_100k(host: Host) -> None:
    """100,000 Deferreds each returning the next fire without recursion; so does freeing them."""
    count = 100_000
    for failing in (False, True):
        chain: list[Deferred[Any]] = [Deferred() for _ in range(count)]
        link(chain)
        first, last = chain[0], chain[-1]
        fireAll(chain[-2::-1])
        outcomes: list[Any] = []
        first.addBoth(outcomes.append)
        del chain
        if failing:
            last.errback(Failure(ValueError("deep")))
            assert outcomes[0].type is ValueError
        else:
            last.callback("deep")
            assert outcomes == ["deep"]
        del first, last
    # ... and a chain that never fires.
    chain = [Deferred() for _ in range(count)]
    link(chain)
    fireAll(chain[:-1])
    chain.clear()
    gc.collect()


@fault(limit=60)
def test_await_chain_5k(host: Host) -> None:
    """5,000 coroutines (and generators) each awaiting the previous one resume without recursion."""

    async def main(reactor: Reactor) -> None:
        async def step(previous: Deferred[int]) -> int:
            return await previous + 1

        @inlineCallbacks
        def stepGenerator(previous: Deferred[int]) -> Generator[Deferred[int], int, int]:
            return (yield previous) + 1

        kinds: tuple[Any, ...] = (
            lambda previous: Deferred.fromCoroutine(step(previous)),
            stepGenerator,
        )
        for kind in kinds:
            first: Deferred[int] = Deferred()
            last = first
            for _ in range(5_000):
                last = kind(last)
            first.callback(0)
            assert await last == 5_000

    host.run(main)


@fault(limit=60)
def test_await_fired_100k(host: Host) -> None:
    """One coroutine and one generator wait for 100,000 fired Deferreds without recursion."""

    async def main(reactor: Reactor) -> None:
        async def many() -> int:
            total = 0
            for _ in range(100_000):
                total += await succeed(1)
            return total

        @inlineCallbacks
        def manyByGenerator() -> Generator[Deferred[int], int, int]:
            total = 0
            for _ in range(100_000):
                total += yield succeed(1)
            return total

        assert await Deferred.fromCoroutine(many()) == 100_000
        assert await manyByGenerator() == 100_000

    host.run(main)


@fault("ValueError: dropped", "ValueError: in a cycle")
def test_unhandled_reported(host: Host) -> None:
    """A failed Deferred dropped without errback is logged with its text, also one in a cycle."""

    async def main(reactor: Reactor) -> None:
        Deferred().errback(Failure(ValueError("dropped")))
        inCycle: Any = Deferred()
        inCycle.me = inCycle
        inCycle.errback(Failure(ValueError("in a cycle")))
        del inCycle
        gc.collect()

    host.run(main)


@fault()
def test_future_bridge_cancel(host: Host) -> None:
    """Cancelling a future made from a Deferred cancels that; firing it late raises nothing."""

    async def main(reactor: Reactor) -> None:
        loop = asyncio.get_running_loop()
        cancelled: list[Any] = []
        deferred: Deferred[int] = Deferred(cancelled.append)
        future = deferred.asFuture(loop)
        future.cancel()
        await until(lambda: cancelled)
        bare: Deferred[int] = Deferred()
        future = bare.asFuture(loop)
        future.cancel()
        await asyncio.sleep(0)
        bare.callback(1)  # late: swallowed, since it has no canceller
        await asyncio.sleep(0)
        assert future.cancelled()

        stubborn: Deferred[int] = Deferred(lambda deferred: deferred.callback(2))
        future = stubborn.asFuture(loop)
        future.cancel()
        await asyncio.sleep(0)
        assert future.cancelled()

        # The other way: cancelling the Deferred cancels the future, whose end fails the Deferred.
        inner = loop.create_future()
        outcomes: list[Any] = []
        bridged = Deferred.fromFuture(inner)
        bridged.addBoth(outcomes.append)
        bridged.cancel()
        await until(lambda: outcomes)
        assert inner.cancelled()
        assert outcomes[0].type is CancelledError

    host.run(main)
