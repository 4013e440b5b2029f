"""Faults of the pool of threads."""

from __future__ import annotations

import asyncio
import ctypes
import random
import threading
from concurrent.futures import CancelledError, Executor, Future, wait
from functools import partial
from time import monotonic
from typing import Any

from tests.faults.harness import Host, atOnce, fault, inThread, noNewThreads
from tests.waits import until, waitFor
from twistlike._pool import watchdog
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import gatherResults
from twistlike.internet.error import ReactorNotRunning
from twistlike.internet.threads import blockingCallFromThread, deferToThreadPool
from twistlike.python.threadpool import PoolStoppedError, ThreadPool, currentPool

# ---- wedges --------------------------------------------------------------------------------------


@fault(r"^3 jobs wait in pool reactor, .*none of its 3 workers is free.*opens\.wait\(\)")
def test_pool_wedge(host: Host) -> None:
    """Blockers wait for queued unblockers: the reactor lives on and the log names the wedge."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(3)
        pool = reactor.getThreadPool()
        pool.queueWarnAfter = 0.2
        opens = threading.Event()
        blocked = [deferToThreadPool(reactor, pool, lambda: opens.wait()) for _ in range(3)]
        freed = [deferToThreadPool(reactor, pool, int) for _ in range(3)]
        await asyncio.sleep(0.7)  # the reactor lives on, and the log is written meanwhile
        assert not any(deferred.called for deferred in blocked + freed)
        opens.set()
        assert await gatherResults(blocked) == [True] * 3
        assert await gatherResults(freed) == [0] * 3

    host.run(main)


@fault()
def test_pool_wedge_resized(host: Host) -> None:
    """A wedged pool is freed by suggestThreadPoolSize(bigger): queued work starts at once."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(2)
        pool = reactor.getThreadPool()
        opens = threading.Event()
        blocked = [deferToThreadPool(reactor, pool, opens.wait) for _ in range(2)]
        free = [deferToThreadPool(reactor, pool, opens.set) for _ in range(2)]
        await until(lambda: pool.stats().busy == 2)
        await asyncio.sleep(0.05)
        assert not opens.is_set()
        with atOnce():
            reactor.suggestThreadPoolSize(3)
            assert await gatherResults(blocked) == [True] * 2
            await gatherResults(free)

    host.run(main)


@fault()
def test_pool_wedge_nested(host: Host) -> None:
    """Every worker waits in blockingCallFromThread(deferToThread): they all finish."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(2)
        pool = reactor.getThreadPool()
        together = threading.Barrier(2)

        def nested(depth: int) -> int:
            if depth == 0:
                return 0
            if depth == 4:
                together.wait(10)
            return 1 + blockingCallFromThread(
                reactor, lambda: deferToThreadPool(reactor, pool, nested, depth - 1)
            )

        waiting = [deferToThreadPool(reactor, pool, nested, 4) for _ in range(2)]
        assert await gatherResults(waiting) == [4, 4]
        assert pool.stats().compensating == 0

    host.run(main)


@fault(r"ReactorNotRunning: 2 threads were left behind:.*test_stop_pool_wedged.*stuck\.wait")
def test_stop_pool_wedged(host: Host) -> None:
    """stop() with every worker stuck: run() returns in time, says what was stuck, loses nothing."""
    stuck = threading.Event()
    outcomes: list[Any] = []

    async def main(reactor: Reactor) -> None:
        reactor.shutdownTimeout = 0.5
        reactor.suggestThreadPoolSize(2)
        pool = reactor.getThreadPool()
        for _ in range(4):
            deferToThreadPool(reactor, pool, lambda: stuck.wait()).addBoth(outcomes.append)
        await until(lambda: pool.stats().busy == 2)

    begin = monotonic()
    with atOnce():
        host.run(main)
    took = monotonic() - begin
    stuck.set()
    assert took >= 0.5
    assert [outcome.type for outcome in outcomes] == [ReactorNotRunning] * 4, outcomes
    texts = [str(outcome.value) for outcome in outcomes]
    assert len([text for text in texts if "test_stop_pool_wedged" in text]) == 2, texts


@fault()
def test_result_during_stop(host: Host) -> None:
    """A deferToThread that is running when stop() is called still fires before run() returns."""
    opens = threading.Event()
    outcomes: list[object] = []

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()
        deferToThreadPool(reactor, pool, opens.wait).addCallback(outcomes.append)
        await until(lambda: pool.stats().busy == 1)
        reactor.addSystemEventTrigger("during", "shutdown", opens.set)

    host.run(main)
    assert outcomes == [True]


@fault()
def test_queued_at_stop(host: Host) -> None:
    """Work still queued at stop() is either run or its Deferred errbacks: none stays silent."""
    opens = threading.Event()
    ran: list[int] = []
    outcomes: list[object] = []

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        pool = reactor.getThreadPool()
        deferToThreadPool(reactor, pool, opens.wait)
        for number in range(20):
            deferToThreadPool(reactor, pool, ran.append, number).addBoth(outcomes.append)
        reactor.addSystemEventTrigger("during", "shutdown", opens.set)

    host.run(main)
    assert len(outcomes) == 20
    assert len(ran) == len([outcome for outcome in outcomes if outcome is None])


# ---- threads that cannot be started --------------------------------------------------------------


@fault()
def test_thread_start_refused(host: Host) -> None:
    """No thread to be had on an empty pool: an error, or it runs later; the pool heals."""

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()
        outcomes: list[Any] = []
        raised = 0
        with noNewThreads():
            for number in range(5):
                try:
                    call = deferToThreadPool(reactor, pool, int, number)
                except RuntimeError as error:
                    assert "can't start new thread" in str(error)
                    raised += 1
                else:
                    call.addBoth(outcomes.append)
        assert await deferToThreadPool(reactor, pool, lambda: "healed") == "healed"
        await until(lambda: raised + len(outcomes) == 5)
        assert pool.stats().workers == 1

    host.run(main)


@fault()
def test_thread_start_refused_busy(host: Host) -> None:
    """One worker busy, more threads refused: each call raises or runs, never both or neither."""

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()
        opens = threading.Event()
        busy = deferToThreadPool(reactor, pool, opens.wait)
        await until(lambda: pool.stats().busy == 1)
        ran: list[int] = []
        raised: list[int] = []
        with noNewThreads():
            for number in range(50):
                try:
                    pool.callInThread(ran.append, number)
                except RuntimeError:
                    raised.append(number)
        opens.set()
        await busy
        await until(lambda: len(ran) + len(raised) >= 50)
        await deferToThreadPool(reactor, pool, int)
        assert sorted(ran + raised) == list(range(50))

    host.run(main)


# ---- sizes ---------------------------------------------------------------------------------------


@fault(limit=60)
def test_resize_storm(host: Host) -> None:
    """10,000 resizes under load: no task lost, no thread leaked, the pool ends within its limit."""

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()
        dice = random.Random(5)
        done: list[int] = []
        sent = 0
        for _ in range(host.many(10_000)):
            reactor.suggestThreadPoolSize(dice.randrange(1, 13))
            for _ in range(2):
                pool.callInThread(done.append, sent)
                sent += 1
        reactor.suggestThreadPoolSize(4)
        await until(lambda: len(done) == sent, 30)
        assert sorted(done) == list(range(sent))
        await until(lambda: pool.stats().workers <= 4)
        await until(lambda: sum("reactor" in t.name for t in threading.enumerate()) <= 4)

    host.run(main)


@fault()
def test_shrink_while_busy(host: Host) -> None:
    """Lowering the limit while all workers are busy lets no more than that run afterwards."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(8)
        pool = reactor.getThreadPool()
        opens = threading.Event()
        busy = [deferToThreadPool(reactor, pool, opens.wait) for _ in range(8)]
        await until(lambda: pool.stats().busy == 8)
        reactor.suggestThreadPoolSize(2)
        lock = threading.Lock()
        running = most = 0
        pause = threading.Event()

        def count() -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            pause.wait(0.002)
            with lock:
                running -= 1

        after = [deferToThreadPool(reactor, pool, count) for _ in range(40)]
        opens.set()
        await gatherResults(busy)
        await gatherResults(after)
        assert 1 <= most <= 2, most

    host.run(main)


# ---- errors in workers ---------------------------------------------------------------------------


@fault()
def test_worker_base_exceptions(host: Host) -> None:
    """Exits, cancellations and StopIteration in a worker reach the errback; workers live on."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        pool = reactor.getThreadPool()
        first = await deferToThreadPool(reactor, pool, threading.current_thread)
        kinds = (
            SystemExit,
            KeyboardInterrupt,
            GeneratorExit,
            asyncio.CancelledError,
            CancelledError,
            StopIteration,
        )

        def fail(kind: type[BaseException]) -> None:
            raise kind("from a worker")

        for kind in kinds:
            found: list[Any] = []
            deferToThreadPool(reactor, pool, fail, kind).addErrback(found.append)
            await until(partial(len, found))
            assert found[0].type is kind
            assert found[0].value.args == ("from a worker",)
        assert await deferToThreadPool(reactor, pool, threading.current_thread) is first

    host.run(main)


def kill(thread: threading.Thread) -> None:
    """Have SystemExit raised in a thread, as soon as it runs Python code."""
    assert thread.ident is not None
    hit = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )
    assert hit == 1


@fault(mayReport=("SystemExit",))
def test_worker_killed(host: Host) -> None:
    """A worker thread that dies while idle is replaced: at most one task is hit, and errbacks."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(2)
        pool = reactor.getThreadPool()
        for _ in range(20):
            thread = await deferToThreadPool(reactor, pool, threading.current_thread)
            await until(lambda: pool.stats().busy == 0)
            kill(thread)
            outcomes: list[Any] = []
            for number in range(10):
                call = deferToThreadPool(reactor, pool, int, number)
                call.addBoth(outcomes.append)
            await until(partial(outcomes.__getitem__, slice(9, None)))
            bad = [outcome for outcome in outcomes if not isinstance(outcome, int)]
            assert len(bad) <= 1, bad
            assert all(failure.type is SystemExit for failure in bad)

    host.run(main)


@fault(r"failed in .*ValueError: text one", r"failed in .*SystemExit: text two")
def test_worker_error_reported(host: Host) -> None:
    """An exception, also an exit, from callInThread is logged with its text; the worker lives."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        pool = reactor.getThreadPool()

        def fail(error: BaseException) -> None:
            raise error

        first = await deferToThreadPool(reactor, pool, threading.current_thread)
        reactor.callInThread(fail, ValueError("text one"))
        reactor.callInThread(fail, SystemExit("text two"))
        assert await deferToThreadPool(reactor, pool, threading.current_thread) is first

    host.run(main)


@fault(r"onResult of a job failed in thread.*ValueError: in onResult")
def test_on_result_raises(host: Host) -> None:
    """onResult that raises is logged; the worker and later work live on."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        pool = reactor.getThreadPool()

        def onResult(success: bool, result: object) -> None:
            raise ValueError("in onResult")

        first = await deferToThreadPool(reactor, pool, threading.current_thread)
        pool.callInThreadWithCallback(onResult, int)
        assert await deferToThreadPool(reactor, pool, threading.current_thread) is first

    host.run(main)


# ---- the end of a pool ---------------------------------------------------------------------------


@fault(modes=("run",))
def test_pool_stop_from_worker(host: Host) -> None:
    """pool.stop() called by one of its workers neither deadlocks nor raises; all threads end."""
    pool = ThreadPool(2, 4, "own")
    pool.start()
    ended = threading.Event()

    def stop() -> None:
        pool.stop()
        ended.set()

    pool.callInThread(stop)
    assert ended.wait(10)
    pool.stop()
    assert pool.threads == []


@fault(modes=("run",))
def test_pool_stop_twice(host: Host) -> None:
    """stop() is idempotent; start() after it works."""
    pool = ThreadPool(1, 2, "own")
    pool.start()
    for _ in range(3):
        pool.stop()
        pool.stop()
        try:
            pool.callInThread(int)
        except PoolStoppedError:
            pass
        else:
            raise AssertionError("a stopped pool took a job")
        pool.start()
        ran = threading.Event()
        pool.callInThread(ran.set)
        assert ran.wait(10)
    pool.stop()


@fault(modes=("run",))
def test_executor_contract(host: Host) -> None:
    """The pool is an executor: submit, cancel of queued work, shutdown(cancel_futures)."""
    pool = ThreadPool(0, 1, "own")
    assert isinstance(pool, Executor)
    opens = threading.Event()
    running = pool.submit(opens.wait)
    waitFor(running.running)
    queued = [pool.submit(int) for _ in range(3)]
    assert queued[0].cancel()
    assert not running.cancel()
    ender = threading.Thread(target=lambda: pool.shutdown(cancel_futures=True))
    ender.start()
    waitFor(lambda: all(future.cancelled() for future in queued))
    try:
        pool.submit(int)
    except RuntimeError:
        pass
    else:
        raise AssertionError("a pool that was shut down took a job")
    opens.set()
    ender.join(10)
    assert running.result(10) is True
    everything: list[Future[Any]] = [running, *queued]
    assert not wait(everything, 10).not_done
    # CPython gh-94440: no work item, and nothing that it holds, is left when all is over.
    assert pool.stats().queued == 0


# ---- what is asked beyond the table --------------------------------------------------------------


@fault(
    r"^5 jobs wait in pool reactor, the oldest for .*none of its 2 workers.*has run .*opens\.wait"
)
def test_watchdog_from_the_reactor(host: Host) -> None:
    """A full pool is reported once, with what each worker does; no thread of ours is left."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(2)
        pool = reactor.getThreadPool()
        pool.queueWarnAfter = 0.1
        opens = threading.Event()
        jobs = [deferToThreadPool(reactor, pool, lambda: opens.wait()) for _ in range(7)]
        await asyncio.sleep(0.8)  # several times its patience: still one report
        assert len(jobs) == 7
        pool.queueWarnAfter, watchdog.TICK = 40.0, 10.0
        await asyncio.sleep(0.1)  # the watchdog sleeps for ten seconds now
        opens.set()

    host.run(main)
    for thread in threading.enumerate():
        if thread.name == "PoolWatchdog":
            thread.join(20)
            assert not thread.is_alive()


@fault(r"\b1 thread was left behind:.*late.*opens\.wait")
def test_bounded_end_fails_running_jobs(host: Host) -> None:
    """A job left behind at the end has failed before run() returns; its late result is dropped."""
    opens = threading.Event()
    outcomes: list[Any] = []
    callbacks: list[tuple[bool, object]] = []

    def late() -> str:
        opens.wait()
        return "late"

    async def main(reactor: Reactor) -> None:
        reactor.shutdownTimeout = 0.2
        reactor.suggestThreadPoolSize(1)
        pool = reactor.getThreadPool()
        deferToThreadPool(reactor, pool, late).addBoth(outcomes.append)
        await until(lambda: pool.stats().busy == 1)
        job = (lambda success, result: callbacks.append((success, result)), int)
        pool.callInThreadWithCallback(*job)

    host.run(main)
    found = outcomes[:], callbacks[:]
    opens.set()
    assert [outcome.type for outcome in found[0]] == [ReactorNotRunning]
    assert "late" in str(outcomes[0].value), outcomes[0].value
    assert [success for success, _ in found[1]] == [False]
    for thread in threading.enumerate():
        if "reactor" in thread.name:
            thread.join(10)
    assert len(outcomes) == len(callbacks) == 1


@fault(r"\b1 thread was left behind:.*Event\.wait")
def test_late_result_in_the_next_run(host: Host) -> None:
    """The result of a job that was left behind comes when the reactor runs again: it is dropped."""
    opens = threading.Event()
    outcomes: list[Any] = []
    reactor = Reactor()

    async def main(reactor: Reactor) -> None:
        reactor.shutdownTimeout = 0.1
        pool = reactor.getThreadPool()
        deferToThreadPool(reactor, pool, opens.wait).addBoth(outcomes.append)
        await until(lambda: pool.stats().busy == 1)

    async def again(reactor: Reactor) -> None:
        opens.set()
        await until(lambda: not [t for t in threading.enumerate() if "reactor" in t.name])
        await asyncio.sleep(0.01)

    host.run(main, reactor)
    host.run(again, reactor)
    assert [outcome.type for outcome in outcomes] == [ReactorNotRunning]


@fault()
def test_result_at_the_last_moment(host: Host) -> None:
    """A result that a thread has handed in before the end is delivered, however late it came."""
    opens = threading.Event()
    handedIn = threading.Event()
    outcomes: list[Any] = []
    own = ThreadPool(0, 1, "own")
    own.start()

    async def main(reactor: Reactor) -> None:
        deferToThreadPool(reactor, own, opens.wait).addBoth(outcomes.append)

        def last() -> None:
            own.callInThread(handedIn.set)  # runs when the result of the job before is on its way
            opens.set()
            assert handedIn.wait(10)

        reactor.addSystemEventTrigger("after", "shutdown", last)

    host.run(main)
    own.stop()
    assert outcomes == [True]


@fault()
def test_bounded_end_of_foreign_executor(host: Host) -> None:
    """The Deferred of a job in somebody's own executor has failed before run() returns."""
    from concurrent.futures import ThreadPoolExecutor

    opens = threading.Event()
    outcomes: list[Any] = []
    own = ThreadPool(0, 1, "own")
    own.start()
    foreign = ThreadPoolExecutor(1)

    async def main(reactor: Reactor) -> None:
        for executor in (own, foreign):
            deferToThreadPool(reactor, executor, opens.wait).addBoth(outcomes.append)

    host.run(main)
    found = outcomes[:]
    opens.set()
    own.stop()
    foreign.shutdown()
    assert [outcome.type for outcome in found] == [ReactorNotRunning] * 2, found
    assert len(outcomes) == 2


@fault()
def test_pools_of_ones_own(host: Host) -> None:
    """Several named pools, one of a single thread, work beside the reactor's."""

    async def main(reactor: Reactor) -> None:
        with ThreadPool(1, 1, "single") as single, ThreadPool(0, 4, "many") as many:

            def whoAmI() -> tuple[str, object, int]:
                return threading.current_thread().name, currentPool(), threading.get_ident()

            jobs = [deferToThreadPool(reactor, single, whoAmI) for _ in range(50)]
            found = await gatherResults(jobs)
            assert len({ident for *_, ident in found}) == 1
            assert all("single" in name and pool is single for name, pool, _ in found)
            name, pool, _ = await deferToThreadPool(reactor, many, whoAmI)
            assert "many" in name
            assert pool is many

            # A worker of one pool waits for the other, through the reactor.
            def nested() -> int:
                seven: int = blockingCallFromThread(
                    reactor, lambda: deferToThreadPool(reactor, many, int, "7")
                )
                return seven

            assert await deferToThreadPool(reactor, single, nested) == 7

    host.run(main)


@fault(modes=("run",), alone=True)
def test_foreign_executors(host: Host) -> None:
    """deferToThreadPool takes any executor, processes too; results, errors and cancels pass."""
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    from multiprocessing import get_context

    async def main(reactor: Reactor) -> None:
        with ProcessPoolExecutor(1, get_context("spawn")) as processes:
            assert await deferToThreadPool(reactor, processes, pow, 2, 10) == 1024
            failed: list[Any] = []
            deferToThreadPool(reactor, processes, int, "x").addErrback(failed.append)
            await until(lambda: failed)
            assert failed[0].check(ValueError)
        with ThreadPoolExecutor(1) as threads:
            opens = threading.Event()
            running = deferToThreadPool(reactor, threads, opens.wait)
            queued = deferToThreadPool(reactor, threads, opens.set)
            cancelled: list[Any] = []
            queued.addErrback(cancelled.append)
            queued.cancel()
            assert "CancelledError" in str(cancelled[0].type)
            assert not opens.is_set()
            await inThread(opens.set)
            assert await running is True

    host.run(main)
