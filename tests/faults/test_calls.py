"""Faults of calls from threads into the reactor's."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from time import monotonic, thread_time
from typing import Any

from tests.faults.harness import Host, atOnce, fault, inThread, isEnding, ourClock
from tests.waits import until, waitFor
from twistlike._wakeup.waker import EpollWaker
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import Deferred
from twistlike.internet.error import ReactorNotRunning


def startAll(functions: list[Any]) -> list[threading.Thread]:
    """Start a thread for each function."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    return threads


@fault(limit=90)
def test_call_million(host: Host) -> None:
    """1,000,000 calls from 8 threads: none lost, each thread's order kept, nothing left behind."""
    each = host.many(1_000_000) // 8
    last = [-1] * 8
    wrong: list[tuple[int, int]] = []

    def called(thread: int, number: int) -> None:
        if last[thread] != number - 1:
            wrong.append((thread, number))
        last[thread] = number

    async def main(reactor: Reactor) -> None:
        def post(thread: int) -> None:
            for number in range(each):
                reactor.callFromThread(called, thread, number)

        threads = startAll([lambda thread=thread: post(thread) for thread in range(8)])
        await until(lambda: last == [each - 1] * 8, 60)
        for thread in threads:
            thread.join()
        assert not len(reactor._inbox)

    host.run(main)
    assert not wrong, wrong[:5]


@fault()
def test_call_order_one_thread(host: Host) -> None:
    """50,000 calls from one thread run in the order they were posted."""
    ran: list[int] = []

    async def main(reactor: Reactor) -> None:
        def post() -> None:
            for number in range(50_000):
                reactor.callFromThread(ran.append, number)

        await inThread(post)
        await until(lambda: len(ran) == 50_000)

    host.run(main)
    assert ran == list(range(50_000))


@fault(modes=("run",))
def test_call_order_coarse_clock(host: Host) -> None:
    """The order holds on a clock with 15.6 ms ticks too: it does not rest on timestamps."""
    fine = monotonic

    def coarse() -> float:
        return fine() // 0.0156 * 0.0156

    with ourClock(coarse):
        test_call_order_one_thread.program.function(host)  # type: ignore[attr-defined]


@fault(limit=60)
def test_call_lost_wakeup(host: Host) -> None:
    """20,000 ping-pongs against an idle reactor: every single call wakes it."""

    async def main(reactor: Reactor) -> None:
        answered = threading.Semaphore(0)

        def pingPong() -> float:
            longest = 0.0
            for _ in range(host.many(20_000)):
                begin = monotonic()
                reactor.callFromThread(answered.release)
                assert answered.acquire(timeout=10), "a call was not served"
                longest = max(longest, monotonic() - begin)
            return longest

        assert await inThread(pingPong) < 5

    host.run(main)


@fault()
def test_call_wakeup_dropped(host: Host) -> None:
    """One wakeup is lost below us: the next call, 0.3 s later, gets both through."""

    async def main(reactor: Reactor) -> None:
        loop = reactor._life.loop
        assert loop is not None
        dropped: list[object] = []

        def deaf(real: Callable[..., object]) -> Callable[..., object]:
            """Swallow one wakeup, as a loop does whose self-pipe refuses the write."""

            def wake(*args: object, **kwargs: object) -> object:
                if dropped:
                    return real(*args, **kwargs)
                dropped.append(args)
                return None

            return wake

        ran: list[int] = []

        def post() -> None:
            reactor.callFromThread(ran.append, 1)
            time.sleep(0.3)
            assert not ran
            reactor.callFromThread(ran.append, 2)

        await until(lambda: reactor._inbox._waker)
        waker = reactor._inbox._waker
        below: Any = waker if isinstance(waker, EpollWaker) else loop
        name = "_signal" if below is waker else "call_soon_threadsafe"
        real = getattr(below, name)
        setattr(below, name, deaf(real))
        await inThread(post)
        await until(lambda: ran == [1, 2])
        setattr(below, name, real)
        assert dropped

    host.run(main)


@fault(limit=60)
def test_call_flood_timers(host: Host) -> None:
    """While 3 threads keep 20,000 calls queued, a 10 ms timer never waits longer than 0.5 s.

    Other processes, and the wait of the loop's thread for the interpreter, do not count: what
    counts is the time that this thread spends on calls while the timer is due.
    """
    batches: list[float] = []
    late: list[float] = []

    async def main(reactor: Reactor) -> None:
        over = threading.Event()

        def flood() -> None:
            pause = threading.Event()
            while not over.is_set():
                if len(reactor._inbox) > 20_000:
                    pause.wait(0.0005)
                else:
                    for _ in range(500):
                        reactor.callFromThread(sum, range(500))  # some microseconds

        real = reactor._inbox._runFor

        def measured(*args: Any) -> None:
            begin = thread_time()
            real(*args)
            batches.append(thread_time() - begin)

        reactor._inbox._runFor = measured  # type: ignore[assignment, method-assign]
        threads = startAll([flood] * 3)
        loop = asyncio.get_running_loop()
        try:
            await until(lambda: len(reactor._inbox) > 20_000)
            for _ in range(20):
                future = loop.create_future()
                due = reactor.seconds() + 0.01
                reactor.callLater(0.01, future.set_result, None)
                already = len(batches)
                while not future.done():
                    if reactor.seconds() < due:
                        already = len(batches)
                    await asyncio.sleep(0)
                late.append(sum(batches[already:]))
        finally:
            over.set()
            del reactor._inbox._runFor  # the end runs all that is left, in one go
        for thread in threads:
            thread.join()

    host.run(main)
    assert max(batches) < 0.1, max(batches)
    assert max(late) < 0.1, late


@fault()
def test_call_reentrant_forever(host: Host) -> None:
    """A call that posts itself again and again does not starve timers."""

    async def main(reactor: Reactor) -> None:
        count = 0

        def again() -> None:
            nonlocal count
            count += 1
            if not isEnding(reactor):
                reactor.callFromThread(again)

        reactor.callFromThread(again)
        loop = asyncio.get_running_loop()
        with atOnce():
            for _ in range(10):
                future = loop.create_future()
                reactor.callLater(0.01, future.set_result, None)
                await future
        assert count > 10

    host.run(main)


class Mute(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@fault("ValueError: text one", "SystemExit: text two", "KeyboardInterrupt: text three", "Mute",
       modes=("run",))  # fmt: skip
def test_call_raises(host: Host) -> None:
    """Calls that raise, exits too, are logged; the rest of the batch runs in order."""
    ran: list[int] = []
    errors = [ValueError("text one"), SystemExit("text two"), KeyboardInterrupt("text three")]

    def fail(error: BaseException) -> None:
        raise error

    async def main(reactor: Reactor) -> None:
        def post() -> None:
            for number, error in enumerate([*errors, Mute()]):
                reactor.callFromThread(fail, error)
                reactor.callFromThread(ran.append, number)

        await inThread(post)
        await until(lambda: len(ran) == 4)

    host.run(main)
    assert ran == list(range(4))


@fault("ValueError: text one", "ValueError: text two", modes=("attached",))
def test_call_raises_exit_on_a_host(host: Host) -> None:
    """On a host's loop an exit leaves it, for asyncio.Runner's Ctrl-C; the batch runs first."""
    ran: list[int] = []

    def fail(error: BaseException) -> None:
        raise error

    async def main(reactor: Reactor) -> None:
        for error in (ValueError("text one"), KeyboardInterrupt("leave"), ValueError("text two")):
            reactor.callFromThread(fail, error)
            reactor.callFromThread(ran.append, len(ran))
        await asyncio.get_running_loop().create_future()

    try:
        host.run(main)
    except KeyboardInterrupt as error:
        assert error.args == ("leave",)
    else:
        raise AssertionError("the KeyboardInterrupt was swallowed")
    assert len(ran) == 3


@fault(limit=60)
def test_call_from_signal_handler(host: Host) -> None:
    """A signal handler may call callFromThread while the main thread is inside it."""
    ran: list[str] = []
    fromHandler = 0

    async def main(reactor: Reactor) -> None:
        def handle(*_: object) -> None:
            nonlocal fromHandler
            fromHandler += 1
            reactor.callFromThread(ran.append, "handler")

        before = signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        try:
            posted = 0
            for _ in range(20):
                for _ in range(host.many(5_000)):
                    reactor.callFromThread(ran.append, "main")
                    posted += 1
                await asyncio.sleep(0)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        await until(lambda: len(ran) == posted + fromHandler)
        assert ran.count("main") == posted
        assert fromHandler > 10

    host.run(main)


@fault(limit=60)
def test_call_from_del(host: Host) -> None:
    """callFromThread from __del__ in a collection, in any thread, neither deadlocks nor is lost."""
    ran: list[int] = []
    made = 0

    async def main(reactor: Reactor) -> None:
        class Cycle:
            def __init__(self) -> None:
                nonlocal made
                made += 1
                self.me = self

            def __del__(self) -> None:
                reactor.callFromThread(ran.append, 1)

        before = gc.get_threshold()
        gc.set_threshold(5)

        def churn() -> None:
            for _ in range(host.many(3_000)):
                Cycle()
                reactor.callFromThread(int)

        try:
            await asyncio.gather(*[inThread(churn) for _ in range(3)])
            churn()
        finally:
            gc.set_threshold(*before)
        gc.collect()
        await until(lambda: len(ran) == made)

    host.run(main)


@fault()
def test_call_before_run(host: Host) -> None:
    """Calls posted before run() run, in order, once it starts."""
    reactor = Reactor()
    ran: list[int] = []
    for number in range(100):
        reactor.callFromThread(ran.append, number)
    thread = threading.Thread(target=reactor.callFromThread, args=(ran.append, 100))
    thread.start()
    thread.join()
    assert ran == []

    async def main(reactor: Reactor) -> None:
        await until(lambda: len(ran) == 101)

    host.run(main, reactor)
    assert ran == list(range(101))


@fault()
def test_call_stop_in_batch(host: Host) -> None:
    """stop() inside a call: the calls posted before run() ended still run, in order."""
    ran: list[int] = []

    async def main(reactor: Reactor) -> None:
        def post() -> None:
            for number in range(1_000):
                if number == 500:
                    reactor.callFromThread(reactor.stop)
                try:
                    reactor.callFromThread(ran.append, number)
                except ReactorNotRunning:
                    refused.append(number)

        seen: Deferred[None] = Deferred()  # the end waits until this has seen it
        reactor.addSystemEventTrigger("before", "shutdown", lambda: seen)
        reactor.callFromThread(time.sleep, 0.05)
        await inThread(post)
        await until(lambda: isEnding(reactor))
        seen.callback(None)

    refused: list[int] = []
    host.run(main)
    assert ran + refused == list(range(1_000))


@fault()
def test_call_after_stop(host: Host) -> None:
    """callFromThread after run() ended raises, and the call does not leak into the next run."""
    reactor = Reactor()
    ran: list[str] = []

    async def main(reactor: Reactor) -> None:
        pass

    async def again(reactor: Reactor) -> None:
        await asyncio.sleep(0.01)

    host.run(main, reactor)
    outcomes: list[BaseException] = []

    def late() -> None:
        try:
            reactor.callFromThread(ran.append, "late")
        except BaseException as error:
            outcomes.append(error)

    thread = threading.Thread(target=late)
    thread.start()
    thread.join()
    assert isinstance(outcomes[0], ReactorNotRunning)
    host.run(again, reactor)
    assert ran == []


@fault()
def test_call_while_stopping(host: Host) -> None:
    """4 threads call in while the reactor stops: every call either runs or raises."""
    for _ in range(3 if host.slow else 10):
        ran = [0] * 4
        sent = [0] * 4
        raised = [0] * 4

        async def main(
            reactor: Reactor, ran: Any = ran, sent: Any = sent, raised: Any = raised
        ) -> list[threading.Thread]:
            def called(index: int) -> None:
                ran[index] += 1

            def hammer(index: int) -> None:
                while raised[index] < 3:
                    if len(reactor._inbox) > 1_000:
                        time.sleep(0.0005)  # else the backlog grows, and its end takes minutes
                    sent[index] += 1
                    try:
                        reactor.callFromThread(called, index)
                    except ReactorNotRunning:
                        raised[index] += 1

            threads = startAll([lambda index=index: hammer(index) for index in range(4)])
            await until(lambda: all(ran))
            return threads

        for thread in host.run(main):
            thread.join(10)
            assert not thread.is_alive()
        assert [a + b for a, b in zip(ran, raised, strict=True)] == sent


@fault(alone=True, modes=("run",))
def test_call_loop_closed(host: Host) -> None:
    """On a closed loop callFromThread raises; a worker that finishes then prints nothing."""
    reactor = Reactor()
    loop = host.newLoop()
    opens = threading.Event()

    async def main() -> None:
        from twistlike.internet.threads import deferToThreadPool

        await reactor.__aenter__()
        pool = reactor.getThreadPool()
        deferToThreadPool(reactor, pool, opens.wait).addErrback(lambda _: None)
        await until(lambda: pool.stats().busy == 1)

    loop.run_until_complete(main())
    loop.close()
    try:
        reactor.callFromThread(int)
    except ReactorNotRunning:
        pass
    else:
        raise AssertionError("a call was taken, and nothing will run it")
    opens.set()
    for thread in threading.enumerate():
        if "Pool" in thread.name:
            thread.join(10)


@fault()
def test_call_not_callable(host: Host) -> None:
    """callFromThread(None) fails in the caller, not later in the loop."""

    async def main(reactor: Reactor) -> None:
        def post() -> None:
            for method in (reactor.callFromThread, reactor.callInThread):
                try:
                    method(None)  # type: ignore[arg-type]
                except TypeError as error:
                    assert "None" in str(error)
                else:
                    raise AssertionError("None was taken")

        await inThread(post)

    host.run(main)


@fault()
def test_calls_from_anywhere_while_resized(host: Host) -> None:
    """callInThread from 4 threads while the pool is resized: each job runs exactly once."""
    ran: list[tuple[int, int]] = []

    async def main(reactor: Reactor) -> None:
        def post(thread: int) -> None:
            for number in range(host.many(2_000)):
                reactor.callInThread(ran.append, (thread, number))

        dice = random.Random(os.getpid())
        posts = asyncio.gather(*[inThread(post, thread) for thread in range(4)])
        while not posts.done():
            reactor.suggestThreadPoolSize(dice.randrange(1, 9))
            await asyncio.sleep(0.001)
        await posts

    host.run(main)
    waitFor(lambda: len(ran) >= 4 * host.many(2_000))
    assert len(ran) == len(set(ran)) == 4 * host.many(2_000)
