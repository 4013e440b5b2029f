"""Faults that only a reactor on asyncio can have: the second table."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
import weakref
from concurrent.futures import as_completed, wait
from time import monotonic
from typing import Any

from tests.faults.harness import Host, Variant, atOnce, fault, inThread, ourClock
from tests.waits import until, waitFor
from twistlike.internet.asyncioreactor import Reactor, currentReactor
from twistlike.internet.defer import CancelledError, Deferred
from twistlike.internet.error import ReactorNotRunning, WrongThreadError
from twistlike.internet.threads import blockingCallFromThread, deferToThread, deferToThreadPool
from twistlike.python.threadpool import ThreadPool


@fault(modes=("attached",))
def test_foreign_loop_closed(host: Host) -> None:
    """A loop that is closed under the reactor: callFromThread raises, waiters are released."""
    loop = host.newLoop()
    reactor = Reactor()
    sent, ran, raised = [0] * 4, [0] * 4, [0] * 4
    waited: list[Any] = []
    outstanding: list[Any] = []
    threads: list[threading.Thread] = []

    def called(index: int) -> None:
        ran[index] += 1

    def hammer(index: int) -> None:
        while raised[index] < 3:
            if len(reactor._inbox) > 1_000:
                time.sleep(0.0005)
            sent[index] += 1
            try:
                reactor.callFromThread(called, index)
            except ReactorNotRunning:
                raised[index] += 1

    def blocked() -> None:
        try:
            blockingCallFromThread(reactor, Deferred)
        except BaseException as error:
            waited.append(error)

    opens = threading.Event()

    async def main() -> None:
        await reactor.__aenter__()
        pool = reactor.getThreadPool()
        deferToThreadPool(reactor, pool, opens.wait).addErrback(outstanding.append)
        targets = [lambda index=index: hammer(index) for index in range(4)] + [blocked]
        for target in targets:
            threads.append(threading.Thread(target=target))
            threads[-1].start()
        await until(lambda: all(ran) and len(reactor._blocked))

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    opens.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert [a + b for a, b in zip(ran, raised, strict=True)] == sent
    assert isinstance(waited[0], ReactorNotRunning)
    assert outstanding[0].type is ReactorNotRunning


@fault(modes=("attached",))
def test_foreign_loop_stopped_and_run_again(host: Host) -> None:
    """Calls posted between two runs of a foreign loop run in the second, in order."""
    loop = host.newLoop()
    reactor = Reactor()
    ran: list[int] = []

    async def attach() -> None:
        await reactor.__aenter__()

    loop.run_until_complete(attach())
    for number in range(5):
        reactor.callFromThread(ran.append, number)
    thread = threading.Thread(
        target=lambda: [reactor.callFromThread(ran.append, number) for number in range(5, 10)]
    )
    thread.start()
    thread.join()
    assert ran == []
    reactor.callFromThread(loop.stop)
    loop.run_forever()
    assert ran == list(range(10))

    async def end() -> None:
        await reactor.__aexit__(None, None, None)

    loop.run_until_complete(end())
    loop.close()


@fault(modes=("attached",))
def test_asyncio_run_cancels_everything(host: Host) -> None:
    """At the end of asyncio.run waiters are cancelled, the pool ends, and no task is destroyed."""
    seen: list[str] = []

    async def waiter() -> None:
        deferred: Deferred[None] = Deferred(lambda _: seen.append("canceller"))
        try:
            await deferred
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def main() -> None:
        reactor = currentReactor()
        reactor.addSystemEventTrigger("before", "shutdown", seen.append, "shutdown")
        tasks.append(asyncio.create_task(waiter()))
        await asyncio.sleep(0)
        assert await deferToThread(int, "2") == 2
        deferToThread(time.sleep, 0.05).addBoth(lambda result: seen.append(repr(result)))

    tasks: list[asyncio.Task[None]] = []
    host.runAsyncio(main)
    assert seen == ["canceller", "cancelled", "shutdown", "None"], seen


@fault(modes=("attached",), limit=60)
def test_task_cancelled(host: Host) -> None:
    """A task that awaits a Deferred is cancelled: it is once; no cancel and no result is lost."""

    async def main(reactor: Reactor) -> None:
        async def wait(deferred: Deferred[int]) -> int:
            return await deferred

        for number in range(1_000):
            cancelled: list[Any] = []
            firing = number % 2

            def canceller(
                deferred: Deferred[int], firing: int = firing, cancelled: list[Any] = cancelled
            ) -> None:
                cancelled.append(1)
                if firing:
                    deferred.callback(5)  # the canceller of a Deferred may do so

            # Before it fires:
            deferred: Deferred[int] = Deferred(canceller)
            task = asyncio.create_task(wait(deferred))
            await asyncio.sleep(0)
            task.cancel()
            assert await outcomeOf(task) is asyncio.CancelledError, number
            assert cancelled == [1]
            # At that moment: fired first, then cancelled, in one turn. The cancel wins.
            deferred = Deferred(canceller)
            task = asyncio.create_task(wait(deferred))
            await asyncio.sleep(0)
            deferred.callback(7)
            task.cancel()
            assert await outcomeOf(task) is asyncio.CancelledError, number
            assert cancelled == [1]
            # After it:
            deferred = Deferred(canceller)
            task = asyncio.create_task(wait(deferred))
            await asyncio.sleep(0)
            deferred.callback(7)
            assert await outcomeOf(task) == 7
            assert not task.cancel()

    host.run(main)


async def outcomeOf(task: asyncio.Task[Any]) -> Any:
    """Return a task's result, or its error's class."""
    try:
        return await task
    except BaseException as error:
        return type(error)


@fault(modes=("attached",))
def test_await_future_of_another_loop(host: Host) -> None:
    """A Deferred coroutine that awaits a future of another loop gets a clear RuntimeError."""
    started = threading.Event()
    over = threading.Event()
    futures: list[asyncio.Future[Any]] = []

    def other() -> None:
        async def make() -> None:
            futures.append(asyncio.get_running_loop().create_future())
            started.set()
            await until(over.is_set)

        host.runAsyncio(make)

    thread = threading.Thread(target=other)
    thread.start()
    assert started.wait(10)

    async def main(reactor: Reactor) -> None:
        async def cross() -> None:
            await futures[0]

        for awaited in (Deferred.fromCoroutine(cross()), asyncio.create_task(cross())):
            try:
                async with asyncio.timeout(5):
                    await awaited
            except RuntimeError as error:
                assert "loop" in str(error), error
            else:
                raise AssertionError("it was awaited")

    try:
        host.run(main)
    finally:
        over.set()
        thread.join()


@fault(modes=("attached",))
def test_awaited_twice(host: Host) -> None:
    """A Deferred awaited by two tasks: both get its result, or a clear error, never None."""

    async def main(reactor: Reactor) -> None:
        async def wait(deferred: Deferred[int]) -> int:
            return await deferred

        for failing in (False, True):
            deferred: Deferred[int] = Deferred()
            tasks = [asyncio.create_task(wait(deferred)) for _ in range(2)]
            await asyncio.sleep(0)
            if failing:
                deferred.errback(ValueError("both"))
            else:
                deferred.callback(7)
            outcomes = [await outcomeOf(task) for task in tasks]
            assert outcomes == ([ValueError] * 2 if failing else [7, 7]), outcomes
            assert await outcomeOf(asyncio.create_task(wait(deferred))) == outcomes[0]

    host.run(main)


@fault()
def test_fired_in_foreign_thread(host: Host) -> None:
    """A Deferred on a loop fired elsewhere: it raises or is marshalled, never runs there."""

    async def main(reactor: Reactor) -> None:
        here = threading.get_ident()
        where: list[int] = []

        async def wait(deferred: Deferred[int]) -> int:
            result = await deferred
            where.append(threading.get_ident())
            return result

        for kind in (lambda coroutine: asyncio.create_task(coroutine), Deferred.fromCoroutine):
            deferred: Deferred[int] = Deferred()
            waiting = kind(wait(deferred))
            await asyncio.sleep(0)

            def fire(deferred: Deferred[int] = deferred) -> str:
                try:
                    deferred.callback(7)
                except WrongThreadError as error:
                    return str(error)
                return ""

            text = await inThread(fire)
            if text:
                assert "callFromThread" in text
                await inThread(reactor.callFromThread, deferred.callback, 7)
            assert await waiting == 7
        assert where == [here, here]

    host.run(main)


@fault(modes=("attached",))
def test_fired_in_worker_while_awaited(host: Host) -> None:
    """The same from a worker of the pool, many times and at any moment."""

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()
        for _ in range(100):
            deferred: Deferred[int] = Deferred()

            def fire(deferred: Deferred[int] = deferred) -> None:
                reactor.callFromThread(deferred.callback, threading.get_ident())

            pool.callInThread(fire)
            assert await deferred != threading.get_ident()

    host.run(main)


@fault(alone=True, modes=("attached",))
def test_runner_sigint_once(host: Host) -> None:
    """asyncio.Runner: the first Ctrl-C cancels main; the reactor does not take its handler."""
    seen: list[str] = []

    async def main() -> None:
        reactor = currentReactor()
        reactor.callLater(0.05, os.kill, os.getpid(), signal.SIGINT)
        try:
            await Deferred()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    try:
        host.runAsyncio(main)
    except KeyboardInterrupt:
        seen.append("interrupted")
    assert seen == ["cancelled", "interrupted"], seen


@fault(alone=True, modes=("attached",))
def test_runner_sigint_twice(host: Host) -> None:
    """asyncio.Runner: a second Ctrl-C raises KeyboardInterrupt, out of a call of ours too."""
    seen: list[str] = []

    async def main() -> None:
        reactor = currentReactor()
        reactor.callLater(0.05, os.kill, os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            seen.append("cancelled")
            reactor.callFromThread(os.kill, os.getpid(), signal.SIGINT)
            await asyncio.sleep(30)

    with atOnce():
        try:
            host.runAsyncio(main)
        except KeyboardInterrupt:
            seen.append("interrupted")
    assert seen == ["cancelled", "interrupted"], seen


@fault(modes=("attached",))
def test_default_executor(host: Host) -> None:
    """The pool as the loop's default executor: run_in_executor, wait, its end; resized in use."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPool(0, 4, "default")
        pool.start()
        loop.set_default_executor(pool)
        calls = [loop.run_in_executor(None, pow, 2, number) for number in range(200)]
        for size in (1, 6, 2, 8):
            pool.adjustPoolsize(0, size)
            await asyncio.sleep(0)
        assert await asyncio.gather(*calls) == [2**number for number in range(200)]
        futures = [pool.submit(int, str(number)) for number in range(20)]
        done, left = await asyncio.to_thread(wait, futures, 10)
        assert len(done) == 20
        assert not left
        assert {future.result() for future in as_completed(futures, 10)} == set(range(20))
        await loop.shutdown_default_executor()
        assert pool.threads == []

    host.runAsyncio(main)


@fault(modes=("run",))
def test_idle_exit_races_with_submit(host: Host) -> None:
    """A worker retires just as a job comes: no job is lost, whatever the idle clock says."""
    pool = ThreadPool(0, 4, "hurried", idleTimeout=0.0)
    pool.start()
    ran: list[int] = []

    def isIdle() -> bool:
        return not pool.stats().busy

    for number in range(host.many(3_000)):
        pool.callInThread(ran.append, number)
        if number % 3 == 0:
            waitFor(isIdle)
    waitFor(lambda: len(ran) == host.many(3_000))
    pool.stop()


@fault(modes=("run",))
def test_idle_exit_with_a_lying_lock(host: Host) -> None:
    """A lock that says three times that time is up, although it is not: no job is lost."""
    pool = ThreadPool(0, 1, "lied to", idleTimeout=60.0)
    pool.start()
    pool.submit(int).result(10)
    (worker,) = pool._workers.members
    real = worker.wakeLock
    lies = [0]

    class Liar:
        """It was rung, keeps that in mind, and says that nobody came."""

        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
            rung = real.acquire(blocking, timeout)
            if rung and timeout >= 0 and lies[0] < 3:
                lies[0] += 1
                real.release()
                return False
            return rung

        def release(self) -> None:
            real.release()

    worker.wakeLock = Liar()  # type: ignore[assignment]
    waitFor(lambda: pool.stats().idle == 1)
    for number in range(20):
        assert pool.submit(int, str(number)).result(20) == number
    assert lies[0] == 3
    pool.stop()


@fault(alone=True, modes=("attached",))
def test_late_result(host: Host) -> None:
    """A result that comes when everything is closed: nothing on standard error."""
    loop = host.newLoop()
    opens = threading.Event()
    outcomes: list[Any] = []

    async def main() -> None:
        pool = currentReactor().getThreadPool()
        deferToThread(opens.wait).addErrback(outcomes.append)
        deferToThread(opens.wait).addErrback(outcomes.append).cancel()
        await until(lambda: pool.stats().busy >= 1)

    loop.run_until_complete(main())
    loop.close()
    assert {failure.type for failure in outcomes} == {ReactorNotRunning, CancelledError}
    opens.set()
    for thread in threading.enumerate():
        if "Pool" in thread.name:
            thread.join(10)
    gc.collect()


@fault(modes=("run",))
def test_reactor_collected(host: Host) -> None:
    """A reactor that nobody holds is collected while workers live; they end, with no traceback."""
    reactor = Reactor()
    opens = threading.Event()
    reactor.getThreadPool().start()
    reactor.getThreadPool().callInThread(opens.wait)
    reactor.getThreadPool().callInThread(int)
    stats = reactor.getThreadPool().stats
    while stats().done == 0:
        pass
    del stats
    reference = weakref.ref(reactor)
    del reactor
    gc.collect()
    assert reference() is None
    opens.set()
    waitFor(lambda: working(0), 5)


def working(count: int) -> bool:
    """Return whether so many threads of a reactor's pool are alive."""
    return len([t for t in threading.enumerate() if "PoolThread-reactor" in t.name]) == count


FEW_LOOKS = 2_000
"""How often a clock that stands still may be looked at: a loop that spins does it a million times a
second, and these tests need less than a hundred."""


@fault()
def test_clock_stands_still(host: Host) -> None:
    """The clock stands still for a while: callLater neither spins nor stalls callFromThread."""
    real = monotonic
    frozen: list[float] = []
    looks = [0]

    def clock() -> float:
        looks[0] += bool(frozen)
        return frozen[0] if frozen else real()

    async def main(reactor: Reactor) -> None:
        loop = asyncio.get_running_loop()
        ran: list[int] = []
        called = threading.Event()
        reactor.callLater(0.05, called.set)
        frozen.append(real())
        try:
            for number in range(20):
                await inThread(reactor.callFromThread, ran.append, number)
                await inThread(time.sleep, 0.01)
            assert ran == list(range(20)), ran
            assert looks[0] < FEW_LOOKS, looks
        finally:
            frozen.clear()
        await until(called.is_set)
        assert loop.time() > 0

    with ourClock(clock):
        host.run(main)


@fault(modes=("attached",))
def test_loop_time_stands_still(host: Host) -> None:
    """The same for a loop whose time() is a constant for a while, as after a suspend."""
    if host.variant.loop == "uvloop":
        return  # its clock cannot be replaced

    async def main(reactor: Reactor) -> None:
        ran: list[int] = []
        for number in range(10):
            await inThread(reactor.callFromThread, ran.append, number)
        await until(lambda: len(ran) == 10)
        called = threading.Event()
        reactor.callLater(0.01, called.set)
        constant[:] = [loop.time()]
        for number in range(10):
            reactor.callFromThread(ran.append, number)
            await asyncio.sleep(0)
        assert len(ran) >= 19
        assert looks[0] < FEW_LOOKS, looks
        constant.clear()
        await until(called.is_set)

    constant: list[float] = []
    looks = [0]
    loop = host.newLoop()
    ticks = loop.time

    def clock() -> float:
        looks[0] += bool(constant)
        return constant[0] if constant else ticks()

    loop.time = clock  # type: ignore[method-assign]
    reactor = Reactor()

    async def scope() -> None:
        async with reactor:
            await main(reactor)

    loop.run_until_complete(scope())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@fault(modes=("attached",))
def test_variants_are_real(host: Host) -> None:
    """The variant is what the fault runs on: loop, debug mode, tasks, thread switches."""
    import sys

    async def main(reactor: Reactor) -> None:
        loop = asyncio.get_running_loop()
        variant: Variant = host.variant
        assert type(loop).__module__.startswith("uvloop") == (variant.loop == "uvloop")
        assert loop.get_debug() == variant.debug
        assert (loop.get_task_factory() is not None) == variant.eager
        assert (sys.getswitchinterval() < 1e-4) == variant.switch
        with atOnce():
            assert await deferToThread(int, "1") == 1

    host.run(main)


@fault("1 thread was left behind:.*stuck.wait", modes=("attached",))
def test_host_ends_with_a_stuck_worker(host: Host) -> None:
    """asyncio.run ends in time although a worker is stuck, and says so; its Deferred has failed."""
    stuck = threading.Event()
    outcomes: list[Any] = []

    async def main() -> None:
        reactor = currentReactor()
        reactor.shutdownTimeout = 0.3
        deferToThread(lambda: stuck.wait()).addBoth(outcomes.append)
        await until(lambda: reactor.getThreadPool().stats().busy == 1)

    with atOnce():
        host.runAsyncio(main)
    stuck.set()
    assert [outcome.type for outcome in outcomes] == [ReactorNotRunning]


@fault("1 thread was left behind:.*stuck.wait", modes=("attached",))
def test_host_ends_with_the_pool_as_its_executor(host: Host) -> None:
    """The same if the reactor's pool is the loop's executor, which asyncio.run would wait for."""
    stuck = threading.Event()

    async def main() -> None:
        reactor = currentReactor()
        reactor.shutdownTimeout = 0.3
        pool = reactor.getThreadPool()
        asyncio.get_running_loop().set_default_executor(pool)
        reactor.callInThread(lambda: stuck.wait())
        await until(lambda: pool.stats().busy == 1)
        assert await asyncio.to_thread(int, "1") == 1

    try:
        with atOnce():
            host.runAsyncio(main)
    finally:
        stuck.set()
