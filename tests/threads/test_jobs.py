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

from tests.waits import WAIT
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


class Posted:
    """A poster that keeps calls until they are let through; and a pool with one worker."""

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
def posted() -> Iterator[Posted]:
    """One whose pool is ended at the end."""
    posted = Posted()
    yield posted
    posted.pool.stop()


def outcomes(deferred: Deferred[Any]) -> list[Any]:
    """Return a list of what a Deferred comes to."""
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found


def test_a_job_fires_in_the_posters_thread(posted: Posted) -> None:
    """Not before the outcome is let in; arguments of both kinds are passed."""
    posted.pool.start()
    found = outcomes(posted.run(dict, [("a", 1)], b=2))
    assert posted.came.acquire(timeout=WAIT)
    assert found == []
    posted.came.release()
    posted.open()
    assert found == [{"a": 1, "b": 2}]
    assert not posted.outstanding


def test_a_job_that_was_cancelled_does_not_run(posted: Posted) -> None:
    """Whoever deletes the claim has the job: here the canceller, and the worker passes on."""
    ran: list[int] = []
    job = posted.run(ran.append, 1)
    found = outcomes(job)
    job.cancel()
    last = outcomes(posted.run(int))
    posted.pool.start()
    posted.open()
    assert ran == []
    assert [failure.type for failure in found] == [CancelledError]
    assert last == [0]
    stats = posted.pool.stats()
    assert (stats.done, stats.cancelled) == (1, 1)


def test_a_cancelled_job_lets_go_of_what_it_was_to_run(posted: Posted) -> None:
    """At once, although its shell stays in the queue."""

    class Thing:
        pass

    thing = Thing()
    alive = weakref.ref(thing)
    job = posted.run(id, thing)
    outcomes(job)
    job.cancel()
    del thing
    assert alive() is None


def test_a_running_job_that_was_cancelled(posted: Posted) -> None:
    """It can see that; its outcome is dropped, and it is compensated until it ends."""
    posted.pool.start()
    runs, go = threading.Event(), threading.Event()

    def work() -> str:
        runs.set()
        assert go.wait(WAIT)
        return "late"

    job = posted.run(work)
    found = outcomes(job)
    assert runs.wait(WAIT)
    job.cancel()
    assert job.cancelRequested
    assert len(posted.pool._workers.compensation._waiting) == 1
    go.set()
    posted.open()
    assert [failure.type for failure in found] == [CancelledError]
    posted.pool.stop()
    assert not posted.pool._workers.compensation._waiting


def test_a_job_that_ends_while_it_is_cancelled(
    posted: Posted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canceller looks once more, so that no worker is compensated that has gone."""
    posted.pool.start()
    runs, go = threading.Event(), threading.Event()

    def work() -> None:
        runs.set()
        assert go.wait(WAIT)

    job = posted.run(work)
    outcomes(job)
    assert runs.wait(WAIT)
    compensation = posted.pool._workers.compensation
    begin = compensation.begin

    def late(blocked: object) -> None:
        go.set()
        assert posted.came.acquire(timeout=WAIT)  # it has ended, and looked at `cancelRequested`
        posted.came.release()
        begin(blocked)

    monkeypatch.setattr(compensation, "begin", late)
    job.cancelRequested = False
    job.cancel()
    posted.pool.stop()
    assert not compensation._waiting


@pytest.mark.parametrize("moment", ["before it has the job", "when it has it", "sending"])
def test_a_kill_outside_of_the_function(
    posted: Posted, monkeypatch: pytest.MonkeyPatch, moment: str
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
    first, second = outcomes(posted.run(int, "1")), outcomes(posted.run(int, "2"))
    posted.pool.start()
    posted.open(3 if moment == "sending" else 2)
    assert struck
    assert second == [2]
    if moment == "sending":
        assert first == [1]  # what it had come to; the failure that follows is dropped
    else:
        assert [failure.type for failure in first] == [SystemExit]


@pytest.mark.parametrize("way", ["shutdown", "abandon"])
def test_no_job_stays_silent_when_its_pool_ends(posted: Posted, way: str) -> None:
    """What is queued and will not run fails."""
    if way == "shutdown":
        posted.pool.start()
        runs, go = threading.Event(), threading.Event()
        posted.pool.callInThread(lambda: (runs.set(), go.wait(WAIT)))
        assert runs.wait(WAIT)
        found = outcomes(posted.run(int))
        posted.pool.shutdown(wait=False, cancel_futures=True)
        go.set()
    else:
        found = outcomes(posted.run(int))
        posted.pool.abandon(PoolStoppedError("ended"))
    posted.open()
    expected = CancelledError if way == "shutdown" else PoolStoppedError
    assert [failure.type for failure in found] == [expected]


def test_a_job_that_is_refused_is_not_outstanding(posted: Posted) -> None:
    """Its caller has the error, and nobody is to fire anything."""
    posted.pool.start()
    posted.pool.stop()
    with pytest.raises(PoolStoppedError):
        posted.run(int)
    assert not posted.outstanding


def test_an_outcome_that_comes_after_the_end(posted: Posted) -> None:
    """The reactor has failed what was outstanding; what comes later is dropped."""
    posted.pool.start()
    go = threading.Event()
    jobs = [posted.run(go.wait, WAIT), posted.run(int)]
    found = [outcomes(job) for job in jobs]
    for job in jobs:
        job.abandon(Failure(ReactorNotRunning("ended")))
    posted.closed = True
    go.set()
    posted.pool.stop()
    posted.closed = False
    for job in jobs:
        job.deliverResult(Context(), "late")
    posted.open(2)
    assert [failure.type for (failure,) in found] == [ReactorNotRunning] * 2


def test_a_deferred_that_somebody_else_fires(posted: Posted) -> None:
    """That is a mistake, of which the reactor hears when the outcome comes: it is not dropped."""
    posted.pool.start()
    job = posted.run(int)
    job.callback(1)
    with pytest.raises(AlreadyCalledError):
        posted.open()
    assert not posted.outstanding


def test_callbacks_run_in_the_jobs_context(posted: Posted) -> None:
    """With what the submitter and the function have set, and without what other jobs have."""
    variable: ContextVar[str] = ContextVar("variable", default="none")
    seen: list[str] = []

    def ask(set_: bool) -> None:
        deferred = posted.run(variable.set, "function's") if set_ else posted.run(int)
        deferred.addCallback(lambda _: seen.append(variable.get()))

    submitter = Context()
    submitter.run(variable.set, "submitter's")
    for context in (Context(), submitter):
        context.run(ask, True)
        context.run(ask, False)
    posted.pool.start()
    posted.open(4)
    assert seen == ["function's", "none", "function's", "submitter's"]
    assert variable.get() == "none"


@pytest.mark.parametrize("bad", [False, True])
def test_nothing_of_a_job_is_kept(posted: Posted, bad: bool) -> None:
    """No cycle, and neither function nor argument at the one who has the Deferred."""

    class Thing:
        def __call__(self) -> None:
            if bad:
                raise ValueError("bad")

    thing = Thing()
    alive = weakref.ref(thing)
    posted.pool.start()
    gc.collect()
    gc.disable()
    try:
        job = posted.run(thing)
        del thing
        found = outcomes(job)
        posted.open()
        posted.pool.stop()
        ended = weakref.ref(job)
        del job
        assert ended() is None  # not even the failure has it
        if bad:
            found.pop().cleanFailure()
        assert alive() is None
    finally:
        gc.enable()


def test_the_debug_mode_knows_where_a_job_was_asked_for(posted: Posted) -> None:
    """As of any Deferred."""
    setDebugging(True)
    try:
        job = posted.run(int)
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


def test_a_future_that_is_not_a_pools_job(posted: Posted) -> None:
    """Its outcome comes the same way; cancelling the Deferred cancels it."""
    good: Future[int] = Future()
    bad: Future[int] = Future()
    dropped: Future[int] = Future()
    futures = [good, bad, dropped]
    deferreds = [
        FutureDeferred(posted, posted.outstanding, int).submit(Handing(future), (), {})
        for future in futures
    ]
    found = [outcomes(deferred) for deferred in deferreds]
    assert len(posted.outstanding) == 3
    assert deferreds[0].what is int
    good.set_result(3)
    bad.set_exception(ValueError("bad"))
    deferreds[2].cancel()
    assert dropped.cancelled()
    posted.open(3)
    assert found[0] == [3]
    assert found[1][0].check(ValueError)
    assert [failure.type for failure in found[2]] == [CancelledError]
    assert not posted.outstanding


@pytest.mark.parametrize("fails", [False, True])
def test_an_outcome_is_met_with_while_its_worker_goes_on(posted: Posted, fails: bool) -> None:
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
            (call,) = posted.calls
            call[0](*call[1:])
        except BaseException as error:
            errors.append(error)

    def put(call: tuple[Any, ...]) -> None:
        posted.calls.append(call)
        thread = threading.Thread(target=open)
        thread.start()
        thread.join()
        posted.came.release()

    posted.put = put  # type: ignore[method-assign]
    job = Context().run(posted.run, work)
    job.addBoth(lambda _: seen.append(variable.get()))
    posted.pool.start()
    assert posted.came.acquire(timeout=WAIT)
    assert errors == []
    assert seen == ["the job's"]
    assert variable.get() == "none"


def test_a_job_that_is_outstanding_alone_is_awaited(posted: Posted) -> None:
    """Not one of several, until the others have fired."""
    posted.pool.start()
    one = posted.run(int)
    posted.open()
    assert one.isAwaited()
    jobs = [posted.run(int) for _ in range(2)]
    assert not jobs[1].isAwaited()
    posted.open(2)
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
