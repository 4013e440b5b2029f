"""What one needs to know about threads in a program written for Twisted, step by step.

Each step does something real and says what happened and in which thread. The imports are Twisted's:

    python -m twistlike run examples/threads_howto.py     on asyncio, without Twisted
    python examples/threads_howto.py                      on Twisted, if it is installed
"""

import threading
import time
from queue import Queue
from typing import Any

from twisted.internet import defer, reactor, threads
from twisted.python.threadpool import ThreadPool


def say(what: object) -> None:
    """Print a line that tells in which thread it was said."""
    if threading.current_thread() is threading.main_thread():
        where = "reactor"
    elif threading.current_thread() in reactor.getThreadPool().threads:
        where = "pool"
    else:
        where = "other"
    print(f"  [{where:7}] {what}", flush=True)


def title(text: str) -> None:
    """Print the headline of a step."""
    print(f"\n{text}", flush=True)


class Transport:
    """Stands for a connection. Like most of Twisted, it belongs to the reactor's thread."""

    def write(self, data: bytes) -> None:
        say(f"transport.write({data!r})")


class Protocol:
    """Has a transport, as every protocol."""

    transport = Transport()


async def everythingRunsInOneThread() -> None:
    """Callbacks, timers and calls from threads all run where reactor.run() was called."""
    title("1. The reactor calls everything in one thread, so no locks are needed")
    fired: defer.Deferred[str] = defer.Deferred()
    fired.addCallback(lambda result: say(f"a callback of a Deferred got {result!r}"))
    reactor.callLater(0.01, fired.callback, "the timer's result")
    await fired
    log: list[str] = []
    waiting = [defer.Deferred() for _ in range(3)]
    for number, each in enumerate(waiting):
        each.addCallback(log.append)
        reactor.callLater(0.03 - number / 100, each.callback, f"timer {number}")
    await defer.gatherResults(waiting)
    say(f"three timers shared a list, in the order of their times: {log}")


async def callingIntoTheReactor() -> None:
    """A thread gives the reactor a function to run: the one thing that it may do with it."""
    title("2. Another thread calls what is not thread-safe by reactor.callFromThread")
    done: defer.Deferred[None] = defer.Deferred()

    def notThreadSafe(someProtocol: Protocol, message: bytes) -> None:
        someProtocol.transport.write(b"a message: " + message)

    def inSomeThread() -> None:
        say("asks the reactor to write")
        for message in (b"hello", b"once more", b"bye"):
            reactor.callFromThread(notThreadSafe, Protocol(), message)
        reactor.callFromThread(done.callback, None)

    thread = threading.Thread(target=inSomeThread)
    thread.start()
    await done
    thread.join()


async def leavingTheReactor() -> None:
    """What blocks runs in the pool; the reactor goes on meanwhile."""
    title("3. reactor.callInThread runs what blocks in the pool")
    done: defer.Deferred[None] = defer.Deferred()
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(time.monotonic())
        if not done.called:
            reactor.callLater(0.01, tick)

    def aSillyBlockingMethod(x: str) -> None:
        time.sleep(0.2)
        say(x)
        reactor.callFromThread(done.callback, None)

    tick()
    reactor.callInThread(aSillyBlockingMethod, "0.2 seconds have passed")
    await done
    say(f"the reactor did other things meanwhile: {len(ticks) > 3}")


async def theLimitIsShared() -> None:
    """The pool runs a fixed maximum of jobs; jobs that wait for other jobs can fill it."""
    title("4. All users share the pool's maximum: jobs should not depend on other jobs")
    reactor.suggestThreadPoolSize(2)
    q: Queue[int] = Queue()
    started: Queue[str] = Queue()

    def blocker() -> int:
        started.put("blocker")
        return q.get() + q.get()

    def unblocker(a: int, b: int) -> None:
        started.put("unblocker")
        q.put(a)
        q.put(b)

    blockers = [threads.deferToThread(blocker) for _ in range(2)]
    unblockers = [threads.deferToThread(unblocker, 1, 2), threads.deferToThread(unblocker, 3, 4)]
    say(f"of two threads, both run: {started.get()}, {started.get()}")
    say(f"the jobs that would let them go on still wait: {started.empty()}")
    for number in (10, 20, 30, 40):  # so somebody else has to
        q.put(number)
    say(f"with help from outside they end: {sum(await defer.gatherResults(blockers))}")
    await defer.gatherResults(unblockers)
    reactor.suggestThreadPoolSize(10)


async def results() -> None:
    """The result of a job comes back as a Deferred."""
    title("5. threads.deferToThread gives the result to the reactor's thread")

    def doLongCalculation() -> int:
        say("calculates")
        return 3

    def fails() -> None:
        raise ValueError("no such number")

    def printResult(x: object) -> None:
        say(f"result: {x}")

    d = threads.deferToThread(doLongCalculation)
    d.addCallback(printResult)
    await d
    d = threads.deferToThread(fails)
    d.addErrback(lambda failure: printResult(failure.getErrorMessage()))
    await d
    done: defer.Deferred[None] = defer.Deferred()
    calls: list[Any] = [(say, [f"call {number}"], {}) for number in (1, 2, 3)]
    calls.append((reactor.callFromThread, [done.callback, None], {}))
    threads.callMultipleInThread(calls)
    await done


async def resultsForAThread() -> None:
    """A thread may call into the reactor and wait for what comes of it."""
    title("6. threads.blockingCallFromThread gives a thread what the reactor's thread returns")

    def inReactor(value: object) -> object:
        say(f"gets {value!r} to return or raise")
        if isinstance(value, Exception):
            raise value
        return value

    def later(value: object) -> "defer.Deferred[object]":
        d: defer.Deferred[object] = defer.Deferred()
        if isinstance(value, Exception):
            reactor.callLater(0.01, d.errback, value)
        else:
            reactor.callLater(0.01, d.callback, value)
        return d

    def inThread() -> None:
        for function in (inReactor, later):
            for value in ("a value", KeyError("an error")):
                try:
                    result = threads.blockingCallFromThread(reactor, function, value)
                except Exception as exc:
                    say(f"{function.__name__}: raised {exc!r}")
                else:
                    say(f"{function.__name__}: returned {result!r}")

    await threads.deferToThread(inThread)


async def managingThePool() -> None:
    """The pool can be resized and looked at; one can have pools of one's own."""
    title("7. The pool")
    pool = reactor.getThreadPool()
    say(f"{type(pool).__name__} with a minimum of {pool.min} and a maximum of {pool.max} threads")
    reactor.suggestThreadPoolSize(30)
    say(f"after suggestThreadPoolSize(30): {pool.min} to {pool.max}")
    address = await reactor.resolve("localhost")
    say(f"the system's blocking resolver, asked in the pool: localhost is {address}")
    mine = ThreadPool(1, 2, name="mine")
    mine.start()
    thread = await threads.deferToThreadPool(reactor, mine, threading.current_thread)
    say(f"a job in a pool of our own ran in one of its threads: {thread in mine.threads}")
    mine.stop()


async def main() -> None:
    """All steps, one after the other, and then the end."""
    try:
        for step in (
            everythingRunsInOneThread,
            callingIntoTheReactor,
            leavingTheReactor,
            theLimitIsShared,
            results,
            resultsForAThread,
            managingThePool,
        ):
            await step()
    finally:
        title("8. reactor.stop() lets reactor.run() return")
        reactor.stop()


def begin() -> None:
    """The last of the calls that were asked for before the start."""
    say(f"the reactor runs: {reactor.running}")
    defer.ensureDeferred(main()).addErrback(lambda failure: failure.printTraceback())


title("0. What is asked for before reactor.run() waits until it runs")
asked: Queue[None] = Queue()
reactor.callWhenRunning(say, "called when running")
reactor.callInThread(asked.put, None)
reactor.callFromThread(lambda: say(f"a job in the pool has run: {asked.get() is None}"))
reactor.callFromThread(begin)
say(f"the reactor runs: {reactor.running}")
reactor.run()
say(f"the reactor runs: {reactor.running}")
