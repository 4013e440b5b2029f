"""One exception of a signal, or of a kill, at each step of each operation.

The operation that is hit may fail, and what it was to do may be lost. All else holds: nobody waits
for ever, no lock stays held, what others were promised happens once, and the next use works.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from tests.faults.harness import Host, fault
from tests.faults.hits import Hit, HitError, eachHit
from tests.waits import waitFor
from twistlike.internet import threads
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.error import ReactorNotRunning
from twistlike.internet.threads import ReactorThread
from twistlike.python.threadpool import ThreadPool

# How long what must happen may take, in seconds.
LIMIT = 10.0

KINDS = (Hit, HitError)

ANY_REPORT = (r".",)


def inLoop(name: str) -> bool:
    """Return whether a thread of this name runs a reactor."""
    return name == "reactor"


def inWorker(name: str) -> bool:
    """Return whether a thread of this name is a pool's worker."""
    return name.startswith("PoolThread")


def running(limit: float = LIMIT) -> ReactorThread:
    """Return a reactor that runs in a thread of its own."""
    reactor = Reactor()
    reactor.shutdownTimeout = limit
    return ReactorThread(reactor).start()


def stillWorks(reactor: Reactor) -> None:
    """Fail unless a reactor serves calls and jobs, or says that it has ended."""
    with suppress(ReactorNotRunning):
        assert threads.blockingCallWithTimeout(LIMIT, reactor, threads.deferToThread, int, "5") == 5
    assert not reactor._blocked.waiting


def within(function: Callable[[], object]) -> None:
    """Call a function in a thread of its own, and fail if it does not return."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(LIMIT)
    assert not thread.is_alive(), f"{function} does not return"


def hasAtLeast(those: list[Any], count: int) -> bool:
    """Return whether so many are there."""
    return len(those) >= count


def hasPermits(pool: ThreadPool, count: int) -> bool:
    """Return whether a pool has so many permits, free or held."""
    workers = pool._workers
    held = len(workers.members) - workers.surplus.count(True)
    return len(workers.freePermits) + held == count


def blocks(begun: list[int], gate: threading.Event) -> None:
    """Say that this has begun, and wait."""
    begun.append(1)
    gate.wait(LIMIT)


def firedOrEnded(fired: threading.Event, reactor: Any) -> bool:
    """Return whether a timer has come, or cannot come any more."""
    return fired.is_set() or not reactor.running


def isWaitedFor(reactor: Any) -> bool:
    """Return whether a thread waits for the reactor, which has nothing else to do."""
    return bool(reactor._blocked.waiting) and not len(reactor._inbox)


def stopPool(pool: ThreadPool) -> None:
    """Fail unless a pool works and stops."""
    assert pool.submit(int, "4").result(LIMIT) == 4
    within(pool.stop)
    waitFor(lambda: pool._workers.ended, LIMIT)


# ---- in the thread that calls --------------------------------------------------------------------


@fault(mayReport=ANY_REPORT, modes=("run",))
def test_posts_are_hit(host: Host) -> None:
    """A post or a job that is hit strands nothing that another thread, or a handler, has posted."""
    thread = running()
    reactor: Any = thread.reactor
    for post in (reactor.callFromThread, reactor.callInThread):
        for hits in eachHit():
            mine: list[int] = []
            others: list[int] = []
            hits.before = partial(post, others.append, 1)
            with suppress(Hit), hits:
                post(mine.append, 1)
            if hits.reached:
                waitFor(partial(others.__eq__, [1]))
            stillWorks(reactor)
            assert len(mine) <= 1, hits.place
    thread.stop()


@fault(mayReport=ANY_REPORT, modes=("run",))
def test_blocking_calls_are_hit(host: Host) -> None:
    """A blocking call that is hit leaves nothing behind."""
    thread = running()
    reactor: Any = thread.reactor
    for hits in eachHit():
        result = None
        with suppress(Hit), hits:
            result = threads.blockingCallFromThread(reactor, threads.deferToThread, int, "3")
        assert result == 3 or hits.reached
        stillWorks(reactor)
    thread.stop()


@fault(modes=("run",))
def test_a_pool_that_is_resized_is_hit(host: Host) -> None:
    """A resize that is hit and done once more has its full effect, for what is queued already."""
    for size in (3, 1):
        for hits in eachHit():
            pool = ThreadPool(0, 2)
            pool.start()
            gate = threading.Event()
            begun: list[int] = []
            for _ in range(4):
                pool.callInThread(blocks, begun, gate)
            with suppress(Hit), hits:
                pool.adjustPoolsize(0, size)
            pool.adjustPoolsize(0, size)
            waitFor(partial(hasAtLeast, begun, size))
            # A worker that leaves takes its token first, and ends as a member after that.
            waitFor(partial(hasPermits, pool, size))
            gate.set()
            stopPool(pool)


@fault(modes=("run",))
def test_a_pool_that_starts_or_stops_is_hit(host: Host) -> None:
    """A start that is hit runs what was queued before; a stop that is hit wakes all workers."""
    for hits in eachHit():
        pool = ThreadPool(1, 2)
        ran: list[int] = []
        pool.callInThread(ran.append, 1)
        with suppress(Hit), hits:
            pool.start()
        pool.start()
        stopPool(pool)
        assert ran == [1], hits.place
    for hits in eachHit():
        pool = ThreadPool(2, 2)
        pool.start()
        with suppress(Hit), hits:
            pool.stop()
        workers = pool._workers
        within(pool.stop)
        assert workers.ended, hits.place
    for hits in eachHit():
        pool = ThreadPool(0, 1)
        pool.start()
        gate = threading.Event()
        pool.callInThread(gate.wait, LIMIT)
        futures = [pool.submit(int) for _ in range(3)]
        with suppress(Hit), hits:
            pool.shutdown(wait=False, cancel_futures=True)
        gate.set()
        within(pool.stop)
        for future in futures:
            waitFor(future.done)


# ---- in the thread that serves -------------------------------------------------------------------


@fault(mayReport=ANY_REPORT, modes=("run",))
def test_a_worker_is_hit(host: Host) -> None:
    """A worker that is hit loses no other job, no future, no `onResult`, and not its permit."""
    for kind in KINDS:
        for hits in eachHit(thread=inWorker, kind=kind):
            pool = ThreadPool(0, 1)
            pool.start()
            pool.submit(int).result(LIMIT)
            ran: list[int] = []
            outcomes: list[Any] = []
            with hits:
                futures = [pool.submit(ran.append, i) for i in range(2)]
                pool.callInThread(ran.append, 2)
                pool.callInThreadWithCallback(lambda *it, o=outcomes: o.append(it), ran.append, 3)
                for future in futures:
                    with suppress(*KINDS):
                        future.result(LIMIT)
                waitFor(partial(hasAtLeast, outcomes, 1))
            stopPool(pool)
            assert ran == sorted(set(ran)), hits.place
            assert len(ran) >= 3, (hits.place, ran)


@fault(mayReport=ANY_REPORT, modes=("run",))
def test_the_loop_is_hit_while_threads_wait(host: Host) -> None:
    """A thread that waits for the loop gets an answer, wherever the loop's thread is hit."""
    for kind in KINDS:
        for hits in eachHit(thread=inLoop, kind=kind):
            thread = running()
            reactor: Any = thread.reactor

            def call(reactor: Any = reactor) -> None:
                with suppress(Hit, HitError, ReactorNotRunning):
                    threads.blockingCallFromThread(reactor, int)

            callers = [threading.Thread(target=call, daemon=True) for _ in range(2)]
            with hits:
                for caller in callers:
                    caller.start()
                for caller in callers:
                    caller.join(LIMIT)
            assert not any(caller.is_alive() for caller in callers), hits.place
            stillWorks(reactor)
            within(thread.stop)


@fault(mayReport=ANY_REPORT, modes=("run",))
def test_the_loop_is_hit_while_timers_run(host: Host) -> None:
    """Each other timer runs, once, in order, wherever the loop's thread is hit."""
    for first, kind in enumerate(KINDS):
        for hits in eachHit(thread=inLoop, kind=kind, first=1 + first, every=4):
            thread = running()
            reactor: Any = thread.reactor
            ran: list[int] = []
            fired = threading.Event()

            def ask(reactor: Any = reactor, ran: list[int] = ran, fired: Any = fired) -> None:
                for number in range(3):
                    reactor.callLater(0.003 + number / 10_000, ran.append, number)
                moved = reactor.callLater(5, fired.set)
                moved.reset(0.004)

            threads.blockingCallFromThread(reactor, ask)
            with hits:
                fired.wait(0.05)
            if "LoopTimers._alarmComes" in hits.place:
                within(thread.stop)  # the loop has used the alarm up, and nothing of ours has run
                continue
            waitFor(partial(firedOrEnded, fired, reactor))
            ended = not reactor.running
            within(thread.stop)
            assert ran == sorted(set(ran)), hits.place
            assert ended or len(ran) >= 2, (hits.place, ran)


@fault(mayReport=ANY_REPORT, alone=True, modes=("run",))
def test_signals_come_each_millisecond(host: Host) -> None:
    """A handler raises each millisecond, on a busy machine: jobs and calls of others all happen."""
    if not hasattr(signal, "setitimer"):
        return
    thread = running()
    reactor: Any = thread.reactor
    pool = ThreadPool(0, 2)
    pool.start()
    busy = True

    def keepBusy() -> None:
        while busy:
            sum(range(500))

    def raises(*_: object) -> None:
        raise Hit

    done: list[int] = []
    sent = 0
    others: list[int] = []

    def other() -> None:
        for number in range(300):
            pool.callInThread(others.append, number)
            reactor.callFromThread(others.append, number)
            time.sleep(0.001)

    helpers = [threading.Thread(target=keepBusy), threading.Thread(target=other)]
    for helper in helpers:
        helper.start()
    before = signal.signal(signal.SIGALRM, raises)
    end = time.monotonic() + 0.6
    try:
        while time.monotonic() < end:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                while True:
                    sent += 1
                    pool.callInThread(done.append, 1)
                    threads.blockingCallFromThread(reactor, done.append, 1)
            except Hit:
                continue
    except Hit:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    busy = False
    for helper in helpers:
        helper.join()
    waitFor(lambda: len(others) == 600)
    assert sorted(others) == sorted([*range(300)] * 2)
    stopPool(pool)
    # Signals that come one upon the other may leave a wait listed, which is over.
    assert threads.blockingCallWithTimeout(LIMIT, reactor, int, "5") == 5
    within(thread.stop)
    assert len(done) <= 2 * sent
