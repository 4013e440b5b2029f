"""Faults of threads that wait for the reactor, and of jobs that are cancelled or come too late."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import random
import signal
import threading
import weakref
from functools import partial
from time import monotonic
from typing import Any

from tests.faults.harness import Host, atOnce, fault, inThread
from tests.waits import until
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import CancelledError, Deferred, gatherResults
from twistlike.internet.error import ReactorNotRunning, TimeoutError, WrongThreadError
from twistlike.internet.threads import (
    blockingCallFromThread,
    blockingCallWithTimeout,
    checkCancelled,
    deferToThread,
    deferToThreadPool,
)


def errorOf(function: Any, *args: Any) -> BaseException | None:
    """Return what a call raises."""
    try:
        function(*args)
    except BaseException as error:
        return error
    return None


async def nothing(reactor: Reactor) -> None:
    """Let the reactor stop at once."""


# ---- blockingCallFromThread ----------------------------------------------------------------------


@fault()
def test_block_in_reactor_thread(host: Host) -> None:
    """blockingCallFromThread in the reactor's own thread raises at once instead of deadlocking."""

    async def main(reactor: Reactor) -> None:
        with atOnce():
            error = errorOf(blockingCallFromThread, reactor, int)
        assert isinstance(error, WrongThreadError)
        assert "deferToThread" in str(error)

    host.run(main)


@fault()
def test_block_reactor_stops(host: Host) -> None:
    """A thread that waits for the reactor when it stops gets an error within 1 s."""
    outcomes: list[Any] = []

    def wait(reactor: Reactor, posted: threading.Event) -> None:
        def call() -> Deferred[None]:
            posted.set()
            return Deferred()

        outcomes.append(errorOf(blockingCallFromThread, reactor, call))
        outcomes.append(monotonic())

    async def main(reactor: Reactor) -> float:
        posted = threading.Event()
        threading.Thread(target=wait, args=(reactor, posted)).start()
        await until(posted.is_set)
        return monotonic()

    begin = host.run(main)
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(20)
    error, end = outcomes
    assert isinstance(error, ReactorNotRunning), error
    assert end - begin < 1


@fault()
def test_block_reactor_ends_just_then(host: Host) -> None:
    """The reactor ends between the posting of a blocking call and the wait for it: an error."""

    class Hurried(Reactor):
        """Ends before those who post a call come back from posting it."""

        ended = threading.Event()

        def callFromThread(self, *args: Any, **kwargs: Any) -> None:
            super().callFromThread(*args, **kwargs)
            if threading.current_thread() is thread:
                super().callFromThread(self.stop)
                assert self.ended.wait(10)

    outcomes: list[Any] = []
    reactor = Hurried()
    thread = threading.Thread(
        target=lambda: outcomes.append(errorOf(blockingCallFromThread, reactor, Deferred))
    )

    async def main(reactor: Reactor) -> None:
        reactor.addSystemEventTrigger("after", "shutdown", Hurried.ended.set)
        thread.start()

    host.run(main, reactor, stop=False)
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(outcomes[0], ReactorNotRunning)


@fault()
def test_block_in_pool_reactor_stops(host: Host) -> None:
    """The same from a pool worker: stop() does not deadlock with the worker that waits."""
    outcomes: list[Any] = []

    async def main(reactor: Reactor) -> None:
        reactor.shutdownTimeout = 100.0
        pool = reactor.getThreadPool()
        for _ in range(3):
            call: Deferred[Any] = deferToThreadPool(
                reactor, pool, lambda: blockingCallFromThread(reactor, Deferred)
            )
            call.addBoth(outcomes.append)
        await until(lambda: pool.stats().waiting == 3)

    with atOnce():
        host.run(main)
    assert [outcome.type for outcome in outcomes] == [ReactorNotRunning] * 3


@fault()
def test_block_racing_stop(host: Host) -> None:
    """Workers that make quick blocking calls while the reactor stops get a result or an error."""
    for _ in range(3 if host.slow else 15):
        results: list[object] = []

        async def main(reactor: Reactor, results: list[object] = results) -> None:
            def hammer() -> None:
                for _ in range(50):
                    try:
                        results.append(blockingCallFromThread(reactor, lambda: 1))
                    except ReactorNotRunning as error:
                        results.append(error)

            pool = reactor.getThreadPool()
            for _ in range(4):
                pool.callInThread(hammer)
            await until(lambda: len(results) > 20)

        with atOnce():
            host.run(main)
        assert len(results) == 200


@fault("4 threads were left behind:.*endless")
def test_block_endlessly_while_stopping(host: Host) -> None:
    """Workers that make blocking calls without end do not keep run() from its end."""
    over = threading.Event()

    async def main(reactor: Reactor) -> None:
        def endless() -> None:
            while not over.is_set():
                try:
                    blockingCallFromThread(reactor, lambda: 1)
                except ReactorNotRunning:
                    pass

        reactor.shutdownTimeout = 0.3
        pool = reactor.getThreadPool()
        for _ in range(4):
            pool.callInThread(endless)
        await until(lambda: pool.stats().workers - pool.stats().idle == 4)

    with atOnce():
        host.run(main)
    over.set()


@fault()
def test_block_after_stop(host: Host) -> None:
    """blockingCallFromThread on a reactor that has ended raises at once."""
    reactor = Reactor()
    host.run(nothing, reactor)
    with atOnce():
        assert isinstance(errorOf(blockingCallFromThread, reactor, int), ReactorNotRunning)


@fault()
def test_block_before_run(host: Host) -> None:
    """blockingCallFromThread before run() waits and is served once the reactor runs."""
    reactor = Reactor()
    results: list[object] = []
    waits = threading.Event()

    def wait() -> None:
        waits.set()
        results.append(blockingCallFromThread(reactor, lambda: "served"))

    thread = threading.Thread(target=wait)
    thread.start()
    assert waits.wait(10)
    thread.join(0.05)
    assert results == []

    async def main(reactor: Reactor) -> None:
        await until(lambda: results)

    host.run(main, reactor)
    thread.join(10)
    assert results == ["served"]


@fault()
def test_block_base_exceptions(host: Host) -> None:
    """Exits and cancellations from the called function reach the waiter; the reactor lives on."""

    async def main(reactor: Reactor) -> None:
        def fail(kind: type[BaseException]) -> None:
            raise kind("text")

        async def failLater(kind: type[BaseException]) -> None:
            await asyncio.sleep(0)
            raise kind("text")

        for kind in (SystemExit, KeyboardInterrupt, CancelledError, ValueError, GeneratorExit):
            error = await inThread(errorOf, blockingCallFromThread, reactor, fail, kind)
            assert type(error) is kind, error
        error = await inThread(errorOf, blockingCallFromThread, reactor, failLater, ValueError)
        assert type(error) is ValueError, error
        error = await inThread(
            errorOf, blockingCallFromThread, reactor, fail, asyncio.CancelledError
        )
        assert type(error) is asyncio.CancelledError, error

    host.run(main)


@fault(alone=True, modes=("run",))
def test_block_sigint(host: Host) -> None:
    """SIGINT while a pool worker waits in blockingCallFromThread: run() ends."""
    outcomes: list[Any] = []
    reactor = Reactor()
    reactor.callWhenRunning(begin, reactor, outcomes)
    reactor.run()
    assert [outcome.type for outcome in outcomes] == [ReactorNotRunning]


def begin(reactor: Reactor, outcomes: list[Any]) -> None:
    """Have a worker wait for the reactor, and a signal sent while it does."""

    def call() -> Deferred[None]:
        reactor.callLater(0.05, os.kill, os.getpid(), signal.SIGINT)
        return Deferred()

    pool = reactor.getThreadPool()
    waiting = deferToThreadPool(reactor, pool, blockingCallFromThread, reactor, call)
    waiting.addBoth(outcomes.append)


@fault()
def test_block_with_timeout(host: Host) -> None:
    """A blocking call with a timeout ends in time, and cancels what it waits for."""

    async def main(reactor: Reactor) -> None:
        cancelled: list[object] = []
        futures: list[asyncio.Future[None]] = []

        def call() -> Deferred[None]:
            return Deferred(cancelled.append)

        def future() -> asyncio.Future[None]:
            futures.append(asyncio.get_running_loop().create_future())
            return futures[0]

        for function in (call, future):
            error = await inThread(errorOf, blockingCallWithTimeout, 0.05, reactor, function)
            assert isinstance(error, TimeoutError), error
        await until(lambda: futures[0].cancelled())
        assert len(cancelled) == 1

        def keywords(timeout: int, reactor: int) -> int:
            return timeout + reactor

        def waitWithKeywords() -> int:
            return blockingCallWithTimeout(5, reactor, keywords, timeout=1, reactor=2)

        assert await inThread(waitWithKeywords) == 3

    host.run(main)


@fault(modes=("run",), alone=True)
def test_block_interrupted(host: Host) -> None:
    """Ctrl-C gets through to a main thread that waits for a reactor in another thread."""
    reactor = Reactor()
    ready = threading.Event()
    reactor.callWhenRunning(ready.set)
    thread = threading.Thread(target=reactor.run, args=(False,))
    thread.start()
    assert ready.wait(10)

    def call() -> Deferred[None]:
        # Later: a signal that comes just as a thread goes to sleep wakes nobody, says CPython.
        reactor.callLater(0.2, os.kill, os.getpid(), signal.SIGINT)
        return Deferred()

    with atOnce():
        assert isinstance(errorOf(blockingCallFromThread, reactor, call), KeyboardInterrupt)
    reactor.callFromThread(reactor.stop)
    thread.join(10)
    assert not thread.is_alive()


# ---- cancelling ----------------------------------------------------------------------------------


@fault()
def test_cancel_queued(host: Host) -> None:
    """Cancelling a queued deferToThread fires CancelledError at once; the function never runs."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        pool = reactor.getThreadPool()
        opens = threading.Event()
        busy = deferToThreadPool(reactor, pool, opens.wait)
        ran: list[int] = []
        outcomes: list[Any] = []
        queued = deferToThreadPool(reactor, pool, ran.append, 1)
        queued.addBoth(outcomes.append)
        queued.cancel()
        assert [outcome.type for outcome in outcomes] == [CancelledError]
        opens.set()
        await busy
        await deferToThreadPool(reactor, pool, int)
        assert ran == []
        assert len(outcomes) == 1

    host.run(main)


@fault()
def test_cancel_running(host: Host) -> None:
    """Cancelling a running one fires CancelledError once; it is told, and its result dropped."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        pool = reactor.getThreadPool()
        entered = threading.Event()
        opens = threading.Event()
        cancelRequested: list[BaseException | None] = []

        def work() -> str:
            entered.set()
            opens.wait()
            cancelRequested.append(errorOf(checkCancelled))
            return "late"

        outcomes: list[Any] = []
        running = deferToThreadPool(reactor, pool, work)
        running.addBoth(outcomes.append)
        await until(entered.is_set)
        running.cancel()
        assert [outcome.type for outcome in outcomes] == [CancelledError]
        # It is compensated: the pool of one goes on with the next job at once.
        with atOnce():
            assert await deferToThreadPool(reactor, pool, int, "3") == 3
        opens.set()
        await until(lambda: cancelRequested)
        assert "CancelledError" in str(type(cancelRequested[0]))
        await until(lambda: pool.stats().compensating == 0)
        assert len(outcomes) == 1

    host.run(main)


@fault(limit=60)
def test_cancel_race(host: Host) -> None:
    """5,000 deferToThread cancelled at random moments: each fires once, nothing is logged."""

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()
        dice = random.Random(7)
        count = host.many(5_000)
        fired = [0] * count
        pending: list[Deferred[Any]] = []

        def note(result: Any, number: int) -> None:
            fired[number] += 1
            assert result is None or result.type is CancelledError, result

        for number in range(count):
            call = deferToThreadPool(reactor, pool, lambda: None)
            call.addBoth(note, number)
            pending.append(call)
            if dice.random() < 0.7:
                pending.pop(dice.randrange(len(pending))).cancel()
            if number % 50 == 0:
                await asyncio.sleep(0)
        for call in pending:
            call.cancel()
        await until(lambda: pool.stats().busy == 0 and pool.stats().queued == 0)
        assert fired == [1] * count

    host.run(main)


# ---- before and after ----------------------------------------------------------------------------


@fault()
def test_in_thread_before_run(host: Host) -> None:
    """deferToThread and callInThread before run() start when the reactor does."""
    reactor = Reactor()
    ran: list[object] = []
    called = threading.Event()
    reactor.callInThread(called.set)
    deferToThreadPool(reactor, reactor.getThreadPool(), int, "5").addBoth(ran.append)
    assert not called.wait(0.05)
    assert ran == []

    async def main(reactor: Reactor) -> None:
        await until(lambda: called.is_set() and ran == [5])

    host.run(main, reactor)


@fault()
def test_in_thread_after_stop(host: Host) -> None:
    """callInThread and deferToThread after run() ended raise: they do not vanish."""
    reactor = Reactor()
    host.run(nothing, reactor)
    assert isinstance(errorOf(reactor.callInThread, int), ReactorNotRunning)
    pool = reactor.getThreadPool()
    assert isinstance(errorOf(deferToThreadPool, reactor, pool, int), ReactorNotRunning)
    # Also with the pool of the run that has ended, which somebody has kept.
    kept: list[Any] = []

    async def main(reactor: Reactor) -> None:
        kept.append(reactor.getThreadPool())

    host.run(main, reactor)
    assert isinstance(errorOf(kept[0].callInThread, int), RuntimeError)
    assert isinstance(errorOf(deferToThreadPool, reactor, kept[0], int), RuntimeError)


@fault()
def test_in_thread_while_ending(host: Host) -> None:
    """callInThread and deferToThread when the pool has ended, but not the reactor, raise too."""
    errors: list[Any] = []
    ran: list[int] = []

    async def main(reactor: Reactor) -> None:
        def last() -> None:
            errors.append(errorOf(reactor.callInThread, ran.append, 1))
            errors.append(errorOf(deferToThread, ran.append, 1))
            errors.append(errorOf(reactor.getThreadPool))

        reactor.addSystemEventTrigger("after", "shutdown", last)

    async def again(reactor: Reactor) -> None:
        assert await deferToThread(int, "2") == 2

    reactor = Reactor()
    host.run(main, reactor)
    assert [type(error) for error in errors] == [ReactorNotRunning] * 3, errors
    host.run(again, reactor)
    assert ran == []


# ---- contexts and references ---------------------------------------------------------------------


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


@fault()
def test_context_propagates(host: Host) -> None:
    """A contextvar set by the caller is visible in deferToThread."""

    async def main(reactor: Reactor) -> None:
        variable.set("mine")
        assert await deferToThread(variable.get) == "mine"
        seen: list[str] = []
        reactor.callInThread(lambda: seen.append(variable.get()))
        await until(lambda: seen)
        assert seen == ["mine"]
        assert await deferToThread(blockingCallFromThread, reactor, variable.get) == "mine"

    host.run(main)


@fault()
def test_context_isolated(host: Host) -> None:
    """A contextvar set inside a worker is not seen by the next task on that thread."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        pool = reactor.getThreadPool()
        variable.set("caller's")
        await deferToThreadPool(reactor, pool, variable.set, "worker's")
        assert await deferToThreadPool(reactor, pool, variable.get) == "caller's"
        assert variable.get() == "caller's"
        seen: list[str] = []
        pool.callInThread(variable.set, "worker's")
        pool.callInThread(lambda: seen.append(variable.get()))
        await until(lambda: seen)
        assert seen == ["caller's"]

    host.run(main)


def allDead(references: list[Any]) -> bool:
    """Return whether nothing of it is left."""
    return [reference() for reference in references] == [None] * len(references)


@fault()
def test_references_freed(host: Host) -> None:
    """After a task the idle worker keeps neither function, argument nor result, without gc."""

    class Thing:
        pass

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        pool = reactor.getThreadPool()

        def work(fails: bool, argument: Thing) -> Thing:
            if fails:
                raise ValueError(Thing())
            return Thing()

        gc.disable()
        try:
            for fails in (False, True):
                function = lambda *args: work(*args)  # noqa: E731
                argument = Thing()
                alive: list[Any] = [weakref.ref(function), weakref.ref(argument)]
                outcomes: list[Any] = []
                deferToThreadPool(reactor, pool, function, fails, argument).addBoth(outcomes.append)
                del function, argument
                await until(partial(len, outcomes))
                thing = outcomes[0].value.args[0] if fails else outcomes[0]
                alive.append(weakref.ref(thing))
                del thing
                outcomes.clear()
                await until(lambda: pool.stats().idle == 1)
                await until(partial(allDead, alive))
        finally:
            gc.enable()

    host.run(main)


@fault(limit=60)
def test_leak_defer_to_thread(host: Host) -> None:
    """20,000 deferToThread (1 in 10 failing): no growth and no reference cycles."""

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()

        def work(number: int) -> int:
            if number % 10 == 0:
                raise ValueError(number)
            return number

        async def burst(count: int) -> None:
            calls = [deferToThreadPool(reactor, pool, work, number) for number in range(count)]
            for call in calls:
                call.addErrback(lambda failure: None)
            await gatherResults(calls)

        await burst(200)
        gc.collect()
        before = len(gc.get_objects())
        gc.disable()
        try:
            bursts = host.many(20_000) // 200
            while bursts:
                await burst(200)
                bursts -= 1
            await until(lambda: pool.stats().busy == 0)
            cyclic = gc.collect()
        finally:
            gc.enable()
        # A few of those that the loop and the pool make anyway, none for each call.
        assert cyclic < 100, cyclic
        assert len(gc.get_objects()) < before + 500

    host.run(main)
