"""
`twistlike.python.threadpool`: Twisted's interface, contexts, errors, references, size and
cancelling.
"""

from __future__ import annotations

import contextvars
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from decimal import Decimal
from typing import Any

import pytest

from tests.waits import WAIT, Gate, waitFor
from twistlike._pool.stats import Tally
from twistlike.python.failure import Failure
from twistlike.python.threadpool import (
    PoolSizeError,
    PoolStoppedError,
    PoolWedgedError,
    ThreadPool,
    checkCancelled,
    currentPool,
)


class Results:
    """Collects what jobs give to `onResult`."""

    def __init__(self) -> None:
        self.all: list[tuple[bool, Any]] = []
        self._arrived = threading.Semaphore(0)

    def __call__(self, success: bool, result: Any) -> None:
        self.all.append((success, result))
        self._arrived.release()

    def take(self, count: int) -> list[tuple[bool, Any]]:
        """Wait for `count` more results, and return all there are."""
        for _ in range(count):
            assert self._arrived.acquire(timeout=WAIT)
        return self.all


class Errors:
    """An `onError` that keeps what it is told."""

    def __init__(self) -> None:
        self.all: list[tuple[Failure, str]] = []
        self.arrived = threading.Semaphore(0)

    def __call__(self, failure: Failure, message: str) -> None:
        self.all.append((failure, message))
        self.arrived.release()

    def take(self, count: int = 1) -> list[type[BaseException]]:
        """Wait for `count` more errors, and return the types of all there are."""
        for _ in range(count):
            assert self.arrived.acquire(timeout=WAIT)
        return [type(failure.value) for failure, _ in self.all]


MakePool = Callable[..., ThreadPool]


@pytest.fixture
def makePool() -> Iterator[MakePool]:
    """Makes started pools, and stops them at the end of the test."""
    pools: list[ThreadPool] = []

    def make(low: int = 0, high: int = 3, name: str | None = "test", **kw: Any) -> ThreadPool:
        pool = ThreadPool(low, high, name, **kw)
        pool.onError = Errors()
        pool.start()
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.stop()


def settle(pool: ThreadPool) -> None:
    """
    Wait until the workers are asleep or gone. Polls, since an idle worker tells nobody that it
    sleeps.
    """
    workers = pool._workers
    waitFor(lambda: not workers.queue and len(workers.idle) == len(workers.members))


# ---- Twisted's interface ------------------------------------------------------------------------


def test_jobs_wait_for_start() -> None:
    """Jobs that are queued before start() run in order once it is called."""
    pool = ThreadPool(0, 1)
    results = Results()
    for number in range(5):
        pool.callInThreadWithCallback(results, int, number)
    assert (pool.workers, pool.started, pool.joined) == (0, False, False)
    pool.start()
    assert results.take(5) == [(True, number) for number in range(5)]
    pool.stop()
    assert (pool.workers, pool.started, pool.joined, pool.threads) == (0, False, True, [])


def test_start_keeps_the_minimum(makePool: MakePool) -> None:
    """start() starts as many workers as the minimum says, and they are named and daemons."""
    pool = makePool(3, 5, "web")
    settle(pool)
    assert sorted(thread.name for thread in pool.threads) == [
        f"PoolThread-web-{n}" for n in range(3)
    ]
    assert all(thread.daemon for thread in pool.threads)
    assert (pool.workers, len(pool.waiters), pool.working) == (3, 3, [])


def test_grows_only_when_no_worker_is_idle(makePool: MakePool) -> None:
    """
    Jobs one after the other need one worker; jobs at once need as many as there are, up to the
    maximum.
    """
    pool = makePool(0, 3)
    for _ in range(20):
        results = Results()
        pool.callInThreadWithCallback(results, lambda: None)
        results.take(1)
        settle(pool)
    assert pool.workers == 1
    gate = Gate()
    for _ in range(5):
        pool.callInThread(gate)
    gate.awaitEntered(3)
    assert (pool.workers, len(pool.working), pool.stats().queued) == (3, 3, 2)
    gate.open()


def test_most_recently_used_worker_first(makePool: MakePool) -> None:
    """A job goes to the worker that fell idle last."""
    pool = makePool(0, 3)
    gates = [Gate() for _ in range(3)]
    for gate in gates:
        pool.callInThread(gate)
        gate.awaitEntered()
    for gate in (gates[1], gates[0], gates[2]):
        count = len(pool._workers.idle) + 1
        gate.open()
        waitFor(lambda count=count: len(pool._workers.idle) == count)  # type: ignore[misc]
    last = pool._workers.idle[-1].thread
    assert last is not None
    results = Results()
    pool.callInThreadWithCallback(results, threading.current_thread)
    assert results.take(1) == [(True, last)]


def test_results_and_failures_reach_on_result(makePool: MakePool) -> None:
    """onResult gets True and the result, or False and a Failure, in the worker."""
    pool = makePool()
    results = Results()
    pool.callInThreadWithCallback(results, divmod, 7, 2)
    pool.callInThreadWithCallback(results, divmod, 7, 0)
    good, bad = sorted(results.take(2), key=lambda pair: not pair[0])
    assert good == (True, (3, 1))
    assert not bad[0] and bad[1].check(ZeroDivisionError)


@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, GeneratorExit, CancelledError, StopIteration]
)
def test_base_exceptions_reach_on_result(makePool: MakePool, error: type[BaseException]) -> None:
    """
    Any BaseException of a job reaches its onResult, or its future, or the log, and the worker lives
    on.
    """
    pool = makePool(0, 1)

    def fail() -> None:
        raise error

    results = Results()
    pool.callInThreadWithCallback(results, fail)
    assert results.take(1)[0][1].type is error
    future = pool.submit(fail)
    assert type(future.exception(WAIT)) is error
    pool.callInThread(fail)
    assert isinstance(pool.onError, Errors)
    assert pool.onError.take() == [error]
    pool.callInThreadWithCallback(results, threading.current_thread)
    assert results.take(1)[1][1].name == "PoolThread-test-0"
    assert pool.stats().failed == 3


def test_on_result_that_raises_is_reported(makePool: MakePool) -> None:
    """An error of onResult is reported with its text, and the worker lives on."""
    pool = makePool(0, 1)

    def onResult(success: bool, result: object) -> None:
        raise ValueError("in onResult")

    pool.callInThreadWithCallback(onResult, lambda: 1)
    assert isinstance(pool.onError, Errors)
    assert pool.onError.take() == [ValueError]
    assert pool.submit(pow, 2, 3).result(WAIT) == 8


@pytest.mark.parametrize("function", [int, divmod])
def test_an_onResult_that_does_not_run_is_reported(
    makePool: MakePool, function: Callable[[], object]
) -> None:
    """A coroutine function or a generator function, after a success and after a failure."""
    pool = makePool(0, 1)

    async def coroutine(success: bool, result: object) -> None:
        pass

    def generator(success: bool, result: object) -> Iterator[int]:
        yield 1

    for onResult, words in ((coroutine, "is a coroutine function"), (generator, "has a yield")):
        pool.callInThreadWithCallback(onResult, function)
        assert isinstance(pool.onError, Errors)
        assert pool.onError.take() == [TypeError]
        failure, message = pool.onError.all.pop()
        assert words in str(failure.value)
        assert message.startswith("onResult of a job failed")


def test_on_error_that_raises(makePool: MakePool, caplog: pytest.LogCaptureFixture) -> None:
    """An onError that raises is itself reported, and the worker lives on."""
    pool = makePool(0, 1)

    def onError(failure: Failure, message: str) -> None:
        raise OSError("in onError")

    pool.onError = onError
    pool.callInThread(lambda: 1 // 0)
    assert pool.submit(pow, 2, 3).result(WAIT) == 8
    assert "in onError" in caplog.text


def test_error_without_on_result_is_reported(makePool: MakePool) -> None:
    """callInThreadWithCallback(None, f) reports the error of f, as in Twisted."""
    pool = makePool()
    pool.callInThreadWithCallback(None, lambda: 1 // 0)
    assert isinstance(pool.onError, Errors)
    assert pool.onError.take() == [ZeroDivisionError]


def test_current_pool(makePool: MakePool) -> None:
    """currentPool() is the pool whose worker runs the code, and None elsewhere."""
    pool = makePool()
    assert pool.submit(currentPool).result(WAIT) is pool
    assert currentPool() is None


def test_order_is_first_in_first_out(makePool: MakePool) -> None:
    """One worker runs the jobs of all kinds in the order in which they came."""
    pool = makePool(0, 1)
    seen: list[int] = []
    for number in range(0, 300, 3):
        pool.callInThread(seen.append, number)
        pool.enqueue(None, seen.append, (number + 1,))
        pool.submit(seen.append, number + 2)
    pool.submit(int).result(WAIT)
    assert seen == list(range(300))


def test_start_and_stop_a_worker(makePool: MakePool) -> None:
    """
    startAWorker adds one within the maximum; stopAWorker ends an idle one at once, without a new
    limit.
    """
    pool = makePool(0, 2)
    for expected in (1, 2, 2):
        pool.startAWorker()
        assert pool.workers == expected
    settle(pool)
    pool.stopAWorker()
    for thread in pool._workers.leaving:
        thread.join(WAIT)
    settle(pool)
    assert (pool.workers, pool.max) == (1, 2)
    pool.startAWorker()
    assert pool.workers == 2


# ---- contexts -----------------------------------------------------------------------------------

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


def test_context_propagates_and_is_isolated(makePool: MakePool) -> None:
    """A job sees its submitter's context; what it sets is seen by onResult, and by nobody else."""
    pool = makePool(0, 1)
    seen: list[str] = []
    results = Results()

    def job(value: str) -> None:
        seen.append(variable.get())
        variable.set(value)

    def onResult(success: bool, result: object) -> None:
        seen.append(variable.get())
        results(success, result)

    token = variable.set("submitter")
    pool.callInThread(job, "first")
    pool.callInThreadWithCallback(onResult, job, "second")
    variable.reset(token)
    pool.submit(job, "third").result(WAIT)
    results.take(1)
    assert seen == ["submitter", "submitter", "second", "default"]
    assert variable.get() == "default"


def test_context_of_a_job_is_the_one_it_runs_in(makePool: MakePool) -> None:
    """Job.context is the copy that the function and onResult run in; None if it was empty."""
    pool = makePool()
    results = Results()
    token = variable.set("submitter")
    job = pool.enqueue(results, variable.set, ("in the job",))
    variable.reset(token)
    results.take(1)
    assert job.context is not None
    assert job.context[variable] == "in the job"
    other = contextvars.Context().run(pool.enqueue, results, variable.set, ("in the job",))
    results.take(1)
    assert other.context is None


# ---- references ---------------------------------------------------------------------------------


class Mistake(Exception):
    """An error that can be waited for to be gone."""

    def __init__(self, references: list[weakref.ref[Any]]) -> None:
        references.append(weakref.ref(self))


class Thing:
    """Something that can be waited for to be gone."""


@pytest.mark.parametrize("kind", ["callInThread", "callInThreadWithCallback", "submit"])
@pytest.mark.parametrize("good", [True, False])
def test_idle_worker_keeps_nothing(makePool: MakePool, kind: str, good: bool) -> None:
    """
    Function, argument, result and error of a job are gone when it has run, without a garbage
    collection.
    """
    pool = makePool(0, 1)
    pool.onError = lambda failure, message: None

    class Function:
        def __call__(self, argument: Thing) -> Thing:
            if good:
                result = Thing()
                references.append(weakref.ref(result))
                return result
            raise Mistake(references)

    references: list[weakref.ref[Any]] = []
    gc.disable()
    try:
        function, argument = Function(), Thing()
        references += [weakref.ref(function), weakref.ref(argument)]
        if kind == "callInThread":
            pool.callInThread(function, argument)
        elif kind == "submit":
            pool.submit(function, argument)
        else:
            pool.callInThreadWithCallback(lambda success, result: None, function, argument)
        del function, argument
        settle(pool)
        assert len(references) == 3
        assert [reference() for reference in references] == [None] * 3
    finally:
        gc.enable()


def test_a_running_job_keeps_nothing_of_the_last(makePool: MakePool) -> None:
    """While a long job runs, the one before it is gone, of whichever kinds they are."""
    pool = makePool(0, 1)
    for first in (pool.callInThread, pool.submit):
        for second in (pool.callInThread, pool.submit):
            thing = Thing()
            reference = weakref.ref(thing)
            gate = Gate()
            first(lambda thing: None, thing)
            second(gate)
            del thing
            gate.awaitEntered()
            assert reference() is None
            gate.open()


def test_function_and_arguments_are_gone_when_the_result_is_told(makePool: MakePool) -> None:
    """While `onResult` runs, the function that gave the result and its arguments are gone."""
    pool = makePool(0, 1)
    function, argument = (lambda thing: None), Thing()
    references: list[weakref.ref[Any]] = [weakref.ref(function), weakref.ref(argument)]
    gate = Gate()
    seen: list[object] = []

    def onResult(success: bool, result: object) -> None:
        gate()
        seen.extend(reference() for reference in references)

    pool.callInThreadWithCallback(onResult, function, argument)
    del function, argument
    gate.awaitEntered()
    gate.open()
    settle(pool)
    assert seen == [None, None]


def test_cancelled_job_lets_go_at_once(makePool: MakePool) -> None:
    """
    A job that was cancelled in the queue keeps neither function nor arguments, although its place
    is still there.
    """
    pool = makePool(0, 1)
    gate = Gate()
    pool.callInThread(gate)
    gate.awaitEntered()
    thing = Thing()
    reference = weakref.ref(thing)
    job = pool.enqueue(None, id, (thing,))
    del thing
    assert job.cancel()
    assert reference() is None
    gate.open()


def test_dropped_pool_ends_its_workers() -> None:
    """
    A pool that nobody holds any more is collected, what is queued is run, and its threads end.
    """
    pool = ThreadPool(2, 3)
    pool.start()
    results = Results()
    gate = Gate()
    for _ in range(3):
        pool.callInThread(gate)
    gate.awaitEntered(3)
    for number in range(10):
        pool.callInThreadWithCallback(results, int, number)
    threads = pool.threads
    reference = weakref.ref(pool)
    del pool
    assert reference() is None
    gate.open()
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()
    assert len(results.take(10)) == 10


# ---- cancelling ---------------------------------------------------------------------------------


def test_cancel_queued_job_never_runs(makePool: MakePool) -> None:
    """cancel() of a queued job says True; neither the function nor onResult is called."""
    pool = makePool(0, 1)
    gate = Gate()
    pool.callInThread(gate)
    gate.awaitEntered()
    called: list[str] = []
    job = pool.enqueue(lambda *_: called.append("onResult"), called.append, ("function",))
    assert "queued" in repr(job)
    assert job.cancel() and not job.cancel()
    assert "cancelled" in repr(job)
    gate.open()
    pool.submit(int).result(WAIT)
    assert called == []
    assert pool.stats().cancelled == 1


def test_cancel_running_job_is_told(makePool: MakePool) -> None:
    """
    cancel() of a running job says False; checkCancelled() raises in its worker; onResult is still
    called.
    """
    pool = makePool(0, 1)
    gate = Gate()
    results = Results()

    def work() -> None:
        checkCancelled()
        gate()
        checkCancelled()

    job = pool.enqueue(results, work)
    gate.awaitEntered()
    assert "running" in repr(job)
    assert not job.cancel()
    assert pool.stats().activity[0].cancelled
    gate.open()
    assert results.take(1)[0][1].check(CancelledError)
    assert not job.cancel()
    checkCancelled()  # outside of a worker


def test_cancelled_running_job_is_made_up_for(makePool: MakePool) -> None:
    """
    While a cancelled job goes on running a spare worker has its place; when it ends the pool is as
    before.
    """
    pool = makePool(0, 1)
    gate = Gate()
    results = Results()
    job = pool.enqueue(results, gate)
    gate.awaitEntered()
    queued = pool.submit(int)
    job.cancel()
    assert queued.result(WAIT) == 0
    assert pool.stats().compensating == 1
    gate.open()
    results.take(1)
    pool.submit(int).result(WAIT)
    settle(pool)
    assert pool.stats().compensating == 0
    second = Gate()
    pool.callInThread(second)
    pool.callInThread(second)
    second.awaitEntered(1)
    assert pool.stats().busy == 1
    second.open()


def test_cancel_race(makePool: MakePool) -> None:
    """
    Each of 2,000 jobs cancelled while workers take them ran, or was cancelled, and never both.
    """
    pool = makePool(0, 4)
    ran: list[int] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        jobs = []
        cancelled = set()
        for number in range(2000):
            jobs.append(pool.enqueue(None, ran.append, (number,)))
            victim = (number * 7919) % len(jobs)
            if jobs[victim].cancel():
                cancelled.add(victim)
        settle(pool)
    finally:
        sys.setswitchinterval(interval)
    assert len(ran) + len(cancelled) == 2000
    assert set(ran).isdisjoint(cancelled)
    assert pool.stats().cancelled == len(cancelled)
    assert pool.stats().done == len(ran)


# ---- size ---------------------------------------------------------------------------------------


def test_bad_sizes_are_refused(makePool: MakePool) -> None:
    """A negative or contradictory size raises, in words, and nothing is changed."""
    pool = makePool(1, 3)
    for low, high in [(-1, 3), (5, 2), (None, 0), (7, None), (-2, -2)]:
        with pytest.raises(PoolSizeError, match="minimum"):
            pool.adjustPoolsize(low, high)
    with pytest.raises(AssertionError):  # Twisted's
        ThreadPool(3, 2)
    with pytest.raises(TypeError, match="whole number"):
        ThreadPool(1, "3")  # type: ignore[arg-type]
    assert (pool.min, pool.max) == (1, 3)


def test_growing_takes_effect_at_once(makePool: MakePool) -> None:
    """Jobs that are queued already start as soon as the maximum is raised."""
    pool = makePool(0, 1)
    gate = Gate()
    for _ in range(4):
        pool.callInThread(gate)
    gate.awaitEntered(1)
    pool.adjustPoolsize(0, 4)
    gate.awaitEntered(3)
    gate.open()


def test_growing_from_nothing(makePool: MakePool) -> None:
    """With a maximum of 0 jobs wait; they run when it is raised."""
    pool = makePool(0, 0)
    future = pool.submit(int)
    assert pool.workers == 0
    pool.adjustPoolsize(maxthreads=1)
    assert future.result(WAIT) == 0


def test_shrinking_comes_before_the_backlog(makePool: MakePool) -> None:
    """After the maximum was lowered under load no more than that many jobs run at a time."""
    pool = makePool(0, 4)
    gate = Gate()
    for _ in range(4):
        pool.callInThread(gate)
    gate.awaitEntered(4)
    running = threading.Semaphore(0)
    most = [0]
    active: list[int] = []

    def count() -> None:
        active.append(1)
        most[0] = max(most[0], len(active))
        threading.Event().wait(0.001)
        active.pop()
        running.release()

    for _ in range(40):
        pool.callInThread(count)
    pool.adjustPoolsize(0, 2)
    gate.open()
    for _ in range(40):
        assert running.acquire(timeout=WAIT)
    settle(pool)
    assert most[0] <= 2
    assert pool.workers <= 2


def test_shrinking_ends_idle_workers(makePool: MakePool) -> None:
    """
    Idle workers leave when the maximum or the minimum is lowered, and the list of threads forgets
    them.
    """
    pool = makePool(5, 5)
    settle(pool)
    pool.adjustPoolsize(0, 2)
    for thread in pool._workers.leaving:
        thread.join(WAIT)
    settle(pool)
    assert pool.workers == len(pool.threads) == 2


def test_raising_the_minimum_starts_workers(makePool: MakePool) -> None:
    """adjustPoolsize starts workers up to the new minimum."""
    pool = makePool(0, 5)
    pool.adjustPoolsize(minthreads=4)
    assert pool.workers == 4


def test_idle_workers_retire(makePool: MakePool) -> None:
    """Workers above the minimum leave after the idle time; those of the minimum stay."""
    pool = makePool(1, 4, idleTimeout=0.02)
    gate = Gate()
    for _ in range(4):
        pool.callInThread(gate)
    gate.awaitEntered(4)
    gate.open()
    waitFor(lambda: pool.workers == 1)
    threading.Event().wait(0.1)  # time for the last one to leave, which it must not
    settle(pool)
    assert pool.workers == 1
    assert pool.submit(int).result(WAIT) == 0


def test_lowering_the_minimum_lets_sleepers_retire(makePool: MakePool) -> None:
    """Workers that slept without a limit, as part of the minimum, retire once it is lowered."""
    pool = makePool(3, 3, idleTimeout=0.02)
    settle(pool)
    threads = pool.threads
    pool.adjustPoolsize(0, 3)
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()
    assert pool.workers == 0


def test_resize_storm(makePool: MakePool) -> None:
    """
    2,000 resizes under load lose no job and leak no thread, and the pool ends within its limit.
    """
    pool = makePool(0, 4)
    done = threading.Semaphore(0)
    for number in range(2000):
        pool.callInThread(done.release)
        pool.adjustPoolsize(0, 1 + number * 7 % 10)
        pool.callInThread(done.release)
    pool.adjustPoolsize(0, 2)
    for _ in range(4000):
        assert done.acquire(timeout=WAIT)
    for thread in pool._workers.leaving:
        thread.join(WAIT)
    settle(pool)
    assert pool.workers <= 2
    workers = pool._workers
    assert len(workers.freePermits) + len(workers.members) - len(workers.surplus) == 2


# ---- life ---------------------------------------------------------------------------------------


def test_stop_runs_what_is_queued_and_refuses_more() -> None:
    """
    stop() finishes the queue; then each way in raises PoolStoppedError, and nothing is queued.
    """
    pool = ThreadPool(0, 1)
    pool.start()
    seen: list[int] = []
    for number in range(100):
        pool.callInThread(seen.append, number)
    pool.stop()
    assert seen == list(range(100))
    for refused in (
        lambda: pool.callInThread(int),
        lambda: pool.callInThreadWithCallback(None, int),
        lambda: pool.enqueue(None, int),
        lambda: pool.submit(int),
    ):
        with pytest.raises(PoolStoppedError, match="start"):
            refused()
    assert pool.stats().queued == 0


def test_stop_twice_and_start_again() -> None:
    """stop() is idempotent, also before start(); start() after it begins a new life."""
    pool = ThreadPool(0, 2)
    pool.stop()
    pool.stop()
    for _ in range(3):
        pool.start()
        pool.start()
        assert pool.submit(pow, 2, 3).result(WAIT) == 8
        pool.stop()
        pool.stop()
    assert pool.threads == []


def test_stop_before_start_fails_what_is_queued() -> None:
    """
    Jobs of a pool that is stopped without ever starting fail with PoolStoppedError: nothing is lost
    in silence.
    """
    pool = ThreadPool(0, 1)
    pool.onError = errors = Errors()
    results = Results()
    pool.callInThreadWithCallback(results, int)
    for _ in range(100):
        pool.callInThread(int)
    pool.stop()
    assert results.take(1)[0][1].check(PoolStoppedError)
    assert errors.take() == [PoolStoppedError]  # one report for all that nobody waits for
    assert errors.all[0][1].startswith("100 calls of callInThread were not run: builtins.int, ")


def test_stop_by_two_of_its_workers() -> None:
    """Two workers may call stop() at once: neither waits for the other, and all threads end."""
    pool = ThreadPool(0, 2)
    pool.start()
    results = Results()
    gate = Gate()

    def stop() -> None:
        gate()
        pool.stop()

    pool.callInThreadWithCallback(results, stop)
    pool.callInThreadWithCallback(results, stop)
    gate.awaitEntered(2)
    threads = pool.threads
    gate.open()
    assert results.take(2) == [(True, None)] * 2
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()


def test_begin_stop_tells_when_the_last_worker_left() -> None:
    """
    onStopped is called once, after the last job, by the last worker; at once if there is none.
    """
    pool = ThreadPool(0, 3)
    pool.start()
    gate = Gate()
    seen: list[object] = []
    stopped = threading.Event()
    for _ in range(3):
        pool.callInThread(gate)
    gate.awaitEntered(3)
    for number in range(10):
        pool.callInThread(seen.append, number)

    def onStopped() -> None:
        seen.append(currentThreadIsWorker())
        stopped.set()

    def currentThreadIsWorker() -> bool:
        return threading.current_thread().name.startswith("PoolThread-")

    pool.beginStop(onStopped)
    with pytest.raises(PoolStoppedError):
        pool.callInThread(int)
    assert not stopped.is_set()
    gate.open()
    assert stopped.wait(WAIT)
    assert seen == [*range(10), True]
    pool.beginStop(lambda: seen.append("again"))
    assert seen[-1] == "again"


def test_abandon_fails_the_queue_and_names_the_stuck() -> None:
    """
    abandon() hands the error to what is queued, and says who still works, since when and where.
    """
    pool = ThreadPool(0, 1, "stuck")
    pool.start()
    gate = Gate()
    results = Results()
    errors = Errors()
    pool.onError = errors
    pool.callInThreadWithCallback(results, gate)
    gate.awaitEntered()
    pool.callInThreadWithCallback(results, int)
    future = pool.submit(int)
    pool.callInThread(int)
    called: list[int] = []
    pool.beginStop(lambda: called.append(1))
    error = RuntimeError("the end")
    [stuck] = pool.abandon(error)
    assert results.take(1)[0][1].value is error
    assert future.exception(0) is error
    assert errors.take() == [RuntimeError]
    assert stuck.thread == "PoolThread-stuck-0"
    assert "Gate" in stuck.function
    assert stuck.seconds >= 0
    assert "in __call__" in stuck.stack and "_open.wait" in stuck.stack
    assert pool.stats().abandoned == 3
    # The late result still arrives, and a new life may have begun by then.
    pool.start()
    assert pool.submit(int).result(WAIT) == 0
    gate.open()
    assert results.take(1)[1] == (True, None)
    pool.stop()
    assert called == []


def test_initializer_and_finalizer() -> None:
    """Each worker calls the initializer before its first job, and the finalizer as it ends."""
    local = threading.local()
    ended: list[str] = []

    def begin(value: str) -> None:
        local.value = value

    def end() -> None:
        ended.append(local.value)

    pool = ThreadPool(2, 2, initializer=begin, initargs=("connection",), finalizer=end)
    pool.start()
    assert pool.submit(lambda: local.value).result(WAIT) == "connection"
    pool.stop()
    assert ended == ["connection"] * 2


def test_initializer_that_fails_breaks_the_pool_until_it_is_started_again() -> None:
    """
    Jobs of a broken pool fail with BrokenThreadPool, also queued ones; a new start() is a new try.
    """
    from concurrent.futures.thread import BrokenThreadPool

    broken = [True]

    def begin() -> None:
        if broken:
            raise OSError("no database")

    pool = ThreadPool(0, 1, initializer=begin)
    pool.onError = errors = Errors()
    results = Results()
    pool.callInThreadWithCallback(results, int)
    pool.start()
    assert results.take(1)[0][1].check(BrokenThreadPool)
    assert errors.take() == [OSError]
    with pytest.raises(BrokenThreadPool, match="no database"):
        pool.callInThread(int)
    pool.stop()
    broken.clear()
    pool.start()
    assert pool.submit(int).result(WAIT) == 0
    pool.stop()


# ---- spare workers ------------------------------------------------------------------------------


def test_worker_that_waits_is_compensated(makePool: MakePool) -> None:
    """Every worker waits in compensated() for queued jobs of its pool: spare ones run them."""
    pool = makePool(0, 2)
    results = Results()

    def outer() -> None:
        done = threading.Event()
        pool.callInThread(done.set)
        with pool.compensated():
            assert done.wait(WAIT)

    for _ in range(6):
        pool.callInThreadWithCallback(results, outer)
    assert results.take(6) == [(True, None)] * 6
    settle(pool)
    assert pool.stats().compensating == 0
    assert pool.workers <= 2


def test_waiting_for_a_future_of_the_same_pool(makePool: MakePool) -> None:
    """future.result() in a worker of the same pool cannot wedge it, however deep."""
    pool = makePool(0, 1)

    def nested(depth: int) -> int:
        return 0 if depth == 0 else 1 + pool.submit(nested, depth - 1).result(WAIT)

    assert pool.submit(nested, 10).result(WAIT) == 10
    assert pool.stats().waiting == 0


def test_short_waits_lend_nothing(makePool: MakePool) -> None:
    """
    A flood of jobs that each wait for a moment is run by the maximum of workers, without spares.
    """
    pool = makePool(0, 3)
    done = threading.Semaphore(0)
    server, requests = makePool(1, 1), 500
    most = [0]

    def ask() -> None:
        answered = threading.Event()
        with pool.compensated():
            server.callInThread(answered.set)
            assert answered.wait(WAIT)
        most[0] = max(most[0], pool.workers)
        done.release()

    for _ in range(requests):
        pool.callInThread(ask)
    for _ in range(requests):
        assert done.acquire(timeout=WAIT)
    assert most[0] <= 5  # a slow machine may make one or two waits long


def test_wedge_at_the_limit_is_an_error_in_the_newest_waiter(makePool: MakePool) -> None:
    """With no more spare workers the newest waiter gets PoolWedgedError, and the others finish."""
    pool = makePool(0, 1, maxSpare=3, queueWarnAfter=0.02)

    def nested(depth: int) -> int:
        if depth == 0:
            return 0
        future = pool.submit(nested, depth - 1)
        try:
            return 1 + future.result(WAIT)
        except PoolWedgedError as error:
            assert "maxSpare" in str(error) and "4 workers" in str(error)
            return 100

    assert pool.submit(nested, 3).result(WAIT) == 3
    assert pool.submit(nested, 9).result(WAIT) == 103
    settle(pool)
    assert pool.stats().compensating == 0
    assert pool.workers <= 1


def test_long_waits_at_the_limit_are_no_wedge_while_jobs_end(makePool: MakePool) -> None:
    """As long as one worker runs jobs, or the waits end, nobody is told of a wedge."""
    pool = makePool(0, 2, maxSpare=0, queueWarnAfter=0.02)
    gate = Gate()
    wedged: list[PoolWedgedError] = []

    def wait() -> None:
        with pool.compensated(wedged.append):
            gate()

    pool.callInThread(wait)
    gate.awaitEntered()
    for _ in range(20):
        pool.submit(threading.Event().wait, 0.01)
    pool.submit(int).result(WAIT)
    gate.open()
    assert wedged == []


def test_wedge_that_comes_later_is_told(makePool: MakePool) -> None:
    """All workers wait without a spare, then a job is queued: onWedged of the newest is called."""
    pool = makePool(0, 1, maxSpare=0, queueWarnAfter=0.02)
    wedged: list[PoolWedgedError] = []
    inside = threading.Event()
    results = Results()

    def wait() -> str:
        cancelRequested = threading.Event()

        def onWedged(error: PoolWedgedError) -> None:
            wedged.append(error)
            cancelRequested.set()

        with pool.compensated(onWedged):
            inside.set()
            assert cancelRequested.wait(WAIT)
        return "told"

    pool.callInThreadWithCallback(results, wait)
    assert inside.wait(WAIT)
    pool.callInThreadWithCallback(results, lambda: "queued")
    assert results.take(2) == [(True, "told"), (True, "queued")]
    assert "maxSpare" in str(wedged[0])


def test_raising_max_spare_frees_a_wedge(makePool: MakePool) -> None:
    """Workers that wait without a spare get one when maxSpare is raised."""
    pool = makePool(0, 1, maxSpare=0)
    done = threading.Event()
    inside = threading.Event()

    def wait() -> None:
        with pool.compensated():
            inside.set()
            assert done.wait(WAIT)

    pool.callInThread(wait)
    assert inside.wait(WAIT)
    pool.callInThread(done.set)
    pool.maxSpare = 1
    assert done.wait(WAIT)


def test_compensated_elsewhere_does_nothing(makePool: MakePool) -> None:
    """Outside of a worker, in another pool's, or entered twice, it adds at most one permit."""
    pool, other = makePool(0, 1), makePool(0, 1)

    def waiting() -> int:
        return len(pool._workers.compensation._waiting) + len(other._workers.compensation._waiting)

    def inside() -> list[int]:
        counts = []
        with other.compensated():
            counts.append(waiting())
        with pool.compensated():
            counts.append(waiting())
            with pool.compensated():
                counts.append(waiting())
            counts.append(waiting())
        return [*counts, waiting()]

    with pool.compensated():
        assert waiting() == 0
    assert pool.submit(inside).result(WAIT) == [0, 1, 1, 1, 0]


# ---- stats and the watchdog ---------------------------------------------------------------------


def test_stats(makePool: MakePool) -> None:
    """stats() counts workers, jobs and times, and says what each worker does."""
    pool = makePool(0, 2, "counted")
    pool.onError = lambda failure, message: None
    gate = Gate()
    pool.callInThread(gate)
    gate.awaitEntered()
    pool.submit(int).result(WAIT)
    assert pool.submit(lambda: 1 // 0).exception(WAIT)
    settleOne(pool)
    stats = pool.stats()
    assert (stats.name, stats.state, stats.minimum, stats.maximum) == ("counted", "running", 0, 2)
    assert (stats.workers, stats.idle, stats.busy, stats.waiting) == (2, 1, 1, 0)
    assert (stats.done, stats.failed, stats.queued, stats.oldest) == (1, 1, 0, 0.0)
    assert stats.runTimes.total == stats.waitTimes.total == 2
    assert stats.runTimes.cumulative()[-1] == (float("inf"), 2)
    busy = next(worker for worker in stats.activity if worker.state == "busy")
    assert busy.function is not None and "Gate" in busy.function
    assert busy.seconds >= 0
    gate.open()
    pool.stop()
    assert (pool.stats().done, pool.stats().failed) == (2, 1)
    assert (pool.stats().state, pool.stats().workers) == ("stopped", 0)


def settleOne(pool: ThreadPool) -> None:
    """Wait until one worker is asleep."""
    waitFor(lambda: pool._workers.idle)


def test_watchdog_warns_once_and_names_what_blocks(
    makePool: MakePool, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Jobs that wait too long with no worker free: one warning with their number, age, and each
    worker's stack.
    """
    pool = makePool(0, 2, "slow", queueWarnAfter=0.05)
    gate = Gate()
    for _ in range(5):
        pool.callInThread(gate)
    gate.awaitEntered(2)
    deadline = threading.Event()
    waitFor(lambda: caplog.records)
    deadline.wait(0.3)  # time for a second warning, which must not come
    gate.open()
    [record] = caplog.records
    text = record.getMessage()
    assert (record.name, record.levelname) == ("twistlike", "WARNING")
    assert "3 jobs wait in pool slow" in text
    assert "2 workers" in text
    assert text.count("_open.wait") == 2
    assert "PoolThread-slow-0 has run tests.waits.Gate for" in text


def test_watchdog_needs_no_thread_while_the_pool_copes(makePool: MakePool) -> None:
    """An idle or half-busy pool has no watchdog; a full one has, for as long as it is full."""

    def watchdogs() -> int:
        return sum(thread.name == "PoolWatchdog" for thread in threading.enumerate())

    waitFor(lambda: watchdogs() == 0)
    pool = makePool(0, 2)
    pool.submit(int).result(WAIT)
    gate = Gate()
    pool.callInThread(gate)
    gate.awaitEntered()
    assert watchdogs() == 0
    pool.callInThread(gate)
    pool.callInThread(gate)
    gate.awaitEntered()
    assert watchdogs() == 1
    gate.open()
    waitFor(lambda: watchdogs() == 0)
    assert watchdogs() == 0


def test_dump_stats(makePool: MakePool, caplog: pytest.LogCaptureFixture) -> None:
    """dumpStats logs who waits and who works."""
    pool = makePool(1, 1)
    with caplog.at_level("INFO", "twistlike"):
        pool.dumpStats()
    assert "PoolThread-test-0" in caplog.text


def test_jobs_of_submitters_with_no_context_do_not_see_each_others() -> None:
    """They share one as long as it is empty: what a job has set in it, no other job sees."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []
    pool = ThreadPool(0, 1)
    submit = contextvars.Context().run
    submit(pool.callInThread, variable.set, "leaked")
    submit(pool.callInThread, lambda: seen.append(variable.get()))
    submit(pool.enqueue, None, variable.set, ("leaked",))
    submit(pool.enqueue, None, lambda: seen.append(variable.get()))
    pool.start()
    pool.stop()
    assert seen == ["none", "none"]


def test_a_worker_that_starts_another_leaves_its_own_context_empty(makePool: MakePool) -> None:
    """What a `threadFactory` sets while a worker calls it, the worker's job does not see."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []
    go, all_ = threading.Event(), threading.Barrier(3)

    def factory(*args: Any, **kw: Any) -> threading.Thread:
        variable.set("the factory's")
        return threading.Thread(*args, **kw)

    def work() -> None:
        seen.append(variable.get())
        all_.wait(WAIT)

    pool = ThreadPool(0, 2)
    pool.threadFactory = factory
    submit = contextvars.Context().run
    pool.start()
    submit(pool.callInThread, go.wait, WAIT)
    for _ in range(2):
        submit(pool.callInThread, work)
    go.set()
    all_.wait(WAIT)
    pool.stop()
    assert seen == ["none", "none"]


def test_a_tally_counts_each_job_once_in_each_histogram() -> None:
    """Also where the bucket changes, and where two tallies are added."""
    tally = Tally()
    assert tally.waitedFor(0.00001) == (float("-inf"), 0.0001)
    tally.taken += 2
    assert tally.waitedFor(0.05) == (0.01, 0.1)
    tally.taken += 1
    tally.ranFor(100.0)
    assert tally.waitTimes() == [2, 0, 0, 1, 0, 0, 0]
    assert tally.runTimes() == [2, 0, 0, 0, 0, 0, 1]
    tally.taken += 3
    tally.skip()
    assert tally.waitTimes() == [2, 0, 0, 3, 0, 0, 0]
    other = Tally()
    other.waitedFor(20.0)
    other.taken += 1
    other.ranFor(0.0005)
    tally.add(other)
    assert tally.waitTimes() == [2, 0, 0, 3, 0, 0, 1]
    assert tally.runTimes() == [4, 1, 0, 0, 0, 0, 1]
    assert tally.taken == 6
    tally.add(Tally())
    assert sum(tally.waitTimes()) == sum(tally.runTimes()) == 6


def test_a_job_that_takes_its_time_is_not_counted_as_a_quick_one() -> None:
    """The histogram of running times has it in the bucket of its time."""
    pool = ThreadPool(0, 1)
    pool.start()
    pool.callInThread(threading.Event().wait, 0.002)  # twice the bound of the second bucket
    pool.stop()
    counts = pool.stats().runTimes.counts
    assert counts[:2] == (0, 0)
    assert sum(counts) == 1


@pytest.mark.parametrize("name", ["idleTimeout", "queueWarnAfter", "maxSpare"])
@pytest.mark.parametrize("value", [-1, float("nan"), None, "1", [], Decimal(1), 10**400])
def test_what_is_no_setting_is_refused_where_it_is_given(name: str, value: Any) -> None:
    """Else the watchdog or a worker would meet it, much later, in a thread of its own."""
    if name == "maxSpare" and value == 10**400:
        pytest.skip("a whole number")
    with pytest.raises((TypeError, ValueError), match=name):
        ThreadPool(0, 1, **{name: value})
    pool = ThreadPool(0, 1)
    before = getattr(pool, name)
    with pytest.raises((TypeError, ValueError), match=name):
        setattr(pool, name, value)
    assert getattr(pool, name) == before


def test_the_idle_timeout_can_be_set_after_the_pool_was_made() -> None:
    """A worker that goes to sleep from then on ends after it."""
    pool = ThreadPool(0, 1)
    pool.idleTimeout = 0.01
    pool.start()
    assert pool.submit(int).result(5) == 0
    for thread in pool.threads:
        thread.join(5)
    assert pool.threads == []
    pool.stop()
