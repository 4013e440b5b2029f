"""Deferreds of jobs in threads: who has the job, and that each fires once, whatever happens."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextvars import Context, ContextVar
from typing import Any

import pytest

from twistlike._pool.worker import Worker
from twistlike._threads.jobs import FutureDeferred, JobDeferred, runInPool
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import (
    AlreadyCalledError,
    CancelledError,
    Deferred,
    gatherResults,
    setDebugging,
)
from twistlike.internet.error import ReactorNotRunning
from twistlike.internet.threads import deferToThread
from twistlike.python.failure import Failure
from twistlike.python.threadpool import PoolStoppedError, ThreadPool

WAIT = 10.0


class Hall:
    """A door that keeps what comes through it until somebody opens; and a pool with one worker."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.came = threading.Semaphore(0)
        self.closed = False
        self.outstanding: set[Any] = set()
        self.pool = ThreadPool(0, 1)

    def put(self, call: tuple[Any, ...]) -> None:
        if self.closed:
            raise ReactorNotRunning("closed")
        self.calls.append(call)
        self.came.release()

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> JobDeferred[Any]:
        return runInPool(self, self.outstanding, self.pool, function, args, kwargs)

    def open(self, count: int = 1) -> None:
        """Let so many outcomes in, once they have come."""
        for _ in range(count):
            assert self.came.acquire(timeout=WAIT)
        calls, self.calls = self.calls, []
        for function, *args in calls:
            function(*args)


@pytest.fixture
def hall() -> Iterator[Hall]:
    """One whose pool is ended at the end."""
    hall = Hall()
    yield hall
    hall.pool.stop()


def outcomes(deferred: Deferred[Any]) -> list[Any]:
    """Return a list of what a Deferred comes to."""
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found


def test_a_job_fires_where_the_door_leads(hall: Hall) -> None:
    """Not before the outcome is let in; arguments of both kinds are passed."""
    hall.pool.start()
    found = outcomes(hall.run(dict, [("a", 1)], b=2))
    assert hall.came.acquire(timeout=WAIT)
    assert found == []
    hall.came.release()
    hall.open()
    assert found == [{"a": 1, "b": 2}]
    assert not hall.outstanding


def test_a_job_that_was_cancelled_does_not_run(hall: Hall) -> None:
    """Whoever deletes the claim has the job: here the canceller, and the worker passes on."""
    ran: list[int] = []
    job = hall.run(ran.append, 1)
    found = outcomes(job)
    job.cancel()
    last = outcomes(hall.run(int))
    hall.pool.start()
    hall.open()
    assert ran == []
    assert [failure.type for failure in found] == [CancelledError]
    assert last == [0]
    stats = hall.pool.stats()
    assert (stats.done, stats.cancelled) == (1, 1)


def test_a_cancelled_job_lets_go_of_what_it_was_to_run(hall: Hall) -> None:
    """At once, although its shell stays in the queue."""

    class Thing:
        pass

    thing = Thing()
    alive = weakref.ref(thing)
    job = hall.run(id, thing)
    outcomes(job)
    job.cancel()
    del thing
    assert alive() is None


def test_a_running_job_that_was_cancelled(hall: Hall) -> None:
    """It is told, its outcome is dropped, and its place is made up for until it ends."""
    hall.pool.start()
    runs, go = threading.Event(), threading.Event()

    def work() -> str:
        runs.set()
        assert go.wait(WAIT)
        return "late"

    job = hall.run(work)
    found = outcomes(job)
    assert runs.wait(WAIT)
    job.cancel()
    assert job.cancelRequested
    assert len(hall.pool._workers.compensation._waiting) == 1
    go.set()
    hall.open()
    assert [failure.type for failure in found] == [CancelledError]
    hall.pool.stop()
    assert not hall.pool._workers.compensation._waiting


def test_a_job_that_ends_while_it_is_told(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canceller looks once more, so that nobody is made up for who has gone."""
    hall.pool.start()
    runs, go = threading.Event(), threading.Event()

    def work() -> None:
        runs.set()
        assert go.wait(WAIT)

    job = hall.run(work)
    outcomes(job)
    assert runs.wait(WAIT)
    compensation = hall.pool._workers.compensation
    begin = compensation.begin

    def late(blocked: object) -> None:
        go.set()
        assert hall.came.acquire(timeout=WAIT)  # it has ended, and looked at `cancelRequested`
        hall.came.release()
        begin(blocked)

    monkeypatch.setattr(compensation, "begin", late)
    job.cancelRequested = False
    job.cancel()
    hall.pool.stop()
    assert not compensation._waiting


@pytest.mark.parametrize("moment", ["before it has the job", "when it has it", "sending"])
def test_a_kill_outside_of_the_function(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A worker that is hit before or after the function: the Deferred fires, once."""
    struck: list[str] = []
    run, send = JobDeferred.run, JobDeferred.deliverResult

    def hitRun(job: JobDeferred[Any], worker: Worker, context: Context) -> None:
        if not struck:
            struck.append(moment)
            if moment == "when it has it":
                del job.claim
            raise SystemExit
        run(job, worker, context)

    def hitSend(job: JobDeferred[Any], context: Context, outcome: Any) -> None:
        send(job, context, outcome)
        if not struck:
            struck.append(moment)
            raise SystemExit

    if moment == "sending":
        monkeypatch.setattr(JobDeferred, "deliverResult", hitSend)
    else:
        monkeypatch.setattr(JobDeferred, "run", hitRun)
    first, second = outcomes(hall.run(int, "1")), outcomes(hall.run(int, "2"))
    hall.pool.start()
    hall.open(3 if moment == "sending" else 2)
    assert struck
    assert second == [2]
    if moment == "sending":
        assert first == [1]  # what it had come to; the failure that follows is dropped
    else:
        assert [failure.type for failure in first] == [SystemExit]


@pytest.mark.parametrize("way", ["shutdown", "abandon"])
def test_no_job_stays_silent_when_its_pool_ends(hall: Hall, way: str) -> None:
    """What is queued and will not run fails."""
    if way == "shutdown":
        hall.pool.start()
        runs, go = threading.Event(), threading.Event()
        hall.pool.callInThread(lambda: (runs.set(), go.wait(WAIT)))
        assert runs.wait(WAIT)
        found = outcomes(hall.run(int))
        hall.pool.shutdown(wait=False, cancel_futures=True)
        go.set()
    else:
        found = outcomes(hall.run(int))
        hall.pool.abandon(PoolStoppedError("ended"))
    hall.open()
    expected = CancelledError if way == "shutdown" else PoolStoppedError
    assert [failure.type for failure in found] == [expected]


def test_a_job_that_is_refused_is_not_owed(hall: Hall) -> None:
    """Its caller has the error, and nobody is to fire anything."""
    hall.pool.start()
    hall.pool.stop()
    with pytest.raises(PoolStoppedError):
        hall.run(int)
    assert not hall.outstanding


def test_an_outcome_that_comes_after_the_end(hall: Hall) -> None:
    """The reactor has failed what was owed; a closed door, or an open one anew, drops the rest."""
    hall.pool.start()
    go = threading.Event()
    jobs = [hall.run(go.wait, WAIT), hall.run(int)]
    found = [outcomes(job) for job in jobs]
    for job in jobs:
        job.abandon(Failure(ReactorNotRunning("ended")))
    hall.closed = True
    go.set()
    hall.pool.stop()
    hall.closed = False
    for job in jobs:
        job.deliverResult(Context(), "late")
    hall.open(2)
    assert [failure.type for (failure,) in found] == [ReactorNotRunning] * 2


def test_a_deferred_that_somebody_else_fires(hall: Hall) -> None:
    """That is a mistake, of which the reactor hears when the outcome comes: it is not dropped."""
    hall.pool.start()
    job = hall.run(int)
    job.callback(1)
    with pytest.raises(AlreadyCalledError):
        hall.open()
    assert not hall.outstanding


def test_callbacks_run_in_the_jobs_context(hall: Hall) -> None:
    """With what the submitter and the function have set, and without what other jobs have."""
    variable: ContextVar[str] = ContextVar("variable", default="none")
    seen: list[str] = []

    def ask(set_: bool) -> None:
        deferred = hall.run(variable.set, "function's") if set_ else hall.run(int)
        deferred.addCallback(lambda _: seen.append(variable.get()))

    submitter = Context()
    submitter.run(variable.set, "submitter's")
    for context in (Context(), submitter):
        context.run(ask, True)
        context.run(ask, False)
    hall.pool.start()
    hall.open(4)
    assert seen == ["function's", "none", "function's", "submitter's"]
    assert variable.get() == "none"


@pytest.mark.parametrize("bad", [False, True])
def test_nothing_of_a_job_is_kept(hall: Hall, bad: bool) -> None:
    """No cycle, and neither function nor argument at the one who has the Deferred."""

    class Thing:
        def __call__(self) -> None:
            if bad:
                raise ValueError("bad")

    thing = Thing()
    alive = weakref.ref(thing)
    hall.pool.start()
    gc.collect()
    gc.disable()
    try:
        job = hall.run(thing)
        del thing
        found = outcomes(job)
        hall.open()
        hall.pool.stop()
        ended = weakref.ref(job)
        del job
        assert ended() is None  # not even the failure has it
        if bad:
            found.pop().cleanFailure()
        assert alive() is None
    finally:
        gc.enable()


def test_the_debug_mode_knows_where_a_job_was_asked_for(hall: Hall) -> None:
    """As of any Deferred."""
    setDebugging(True)
    try:
        job = hall.run(int)
    finally:
        setDebugging(False)
    assert job._debugInfo is not None
    assert "test_the_debug_mode" in job._debugInfo._getDebugTracebacks()
    outcomes(job)
    job.cancel()


class Handing(Executor):
    """An executor that has the future already."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the future."""
        return self._future


def test_a_future_that_is_not_a_pools_job(hall: Hall) -> None:
    """Its outcome comes the same way; cancelling the Deferred cancels it."""
    good: Future[int] = Future()
    bad: Future[int] = Future()
    dropped: Future[int] = Future()
    futures = [good, bad, dropped]
    deferreds = [
        FutureDeferred(hall, hall.outstanding, int).submit(Handing(future), (), {})
        for future in futures
    ]
    found = [outcomes(deferred) for deferred in deferreds]
    assert len(hall.outstanding) == 3
    assert deferreds[0].what is int
    good.set_result(3)
    bad.set_exception(ValueError("bad"))
    deferreds[2].cancel()
    assert dropped.cancelled()
    hall.open(3)
    assert found[0] == [3]
    assert found[1][0].check(ValueError)
    assert [failure.type for failure in found[2]] == [CancelledError]
    assert not hall.outstanding


@pytest.mark.parametrize("fails", [False, True])
def test_an_outcome_is_met_with_while_its_worker_goes_on(hall: Hall, fails: bool) -> None:
    """In what the job has set, although the worker has not left the job's context yet."""
    variable: ContextVar[str] = ContextVar("variable", default="none")
    seen: list[str] = []
    errors: list[BaseException] = []

    def work() -> None:
        variable.set("the job's")
        if fails:
            raise ValueError

    def open() -> None:
        try:
            (call,) = hall.calls
            call[0](*call[1:])
        except BaseException as error:
            errors.append(error)

    def put(call: tuple[Any, ...]) -> None:
        hall.calls.append(call)
        thread = threading.Thread(target=open)
        thread.start()
        thread.join()
        hall.came.release()

    hall.put = put  # type: ignore[method-assign]
    job = Context().run(hall.run, work)
    job.addBoth(lambda _: seen.append(variable.get()))
    hall.pool.start()
    assert hall.came.acquire(timeout=WAIT)
    assert errors == []
    assert seen == ["the job's"]
    assert variable.get() == "none"


def test_a_job_that_is_owed_alone_is_awaited(hall: Hall) -> None:
    """Not one of several, until the others have fired."""
    hall.pool.start()
    one = hall.run(int)
    hall.open()
    assert one.isAwaited()
    jobs = [hall.run(int) for _ in range(2)]
    assert not jobs[1].isAwaited()
    hall.open(2)
    assert jobs[1].isAwaited()


def test_a_job_is_awaited_in_another_threads_loop() -> None:
    """Its Deferred belongs to the loop where somebody waits for it: the outcome goes there."""

    async def wait(deferred: Deferred[Any]) -> object:
        async with asyncio.timeout(20):
            return await deferred

    async def main() -> None:
        async with Reactor():
            mayEnd = threading.Event()

            def fail() -> None:
                mayEnd.wait()
                raise LookupError("mine")

            good = deferToThread(mayEnd.wait)
            bad = deferToThread(fail)
            listed = gatherResults([deferToThread(mayEnd.wait)])

            def elsewhere() -> list[object]:
                async def all() -> list[object]:
                    tasks = [asyncio.ensure_future(wait(each)) for each in (good, bad, listed)]
                    await asyncio.sleep(0)
                    mayEnd.set()
                    return await asyncio.gather(*tasks, return_exceptions=True)

                return asyncio.run(all())

            one, error, several = await asyncio.to_thread(elsewhere)
            assert (one, several) == (True, [True])
            assert isinstance(error, LookupError)

    asyncio.run(main())
