"""`ThreadPool`: Twisted's pool of threads, which is a `concurrent.futures` executor too.

Any thread may use it.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from time import monotonic
from types import FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from twistlike._base.copying import refuseCopy
from twistlike._base.functions import checkFunction
from twistlike._base.naming import showAs
from twistlike._pool.compensation import BlockedWorker
from twistlike._pool.errors import PoolStoppedError, checkSeconds, checkSize, checkSpare
from twistlike._pool.futures import FutureJob, PoolFuture
from twistlike._pool.jobs import Job, cancelledError
from twistlike._pool.stats import snapshot
from twistlike._pool.watchdog import abandonAfterFork as abandonWatchdog
from twistlike._pool.worker import currentWorker
from twistlike._pool.workers import Workers, setExiting, threadsOf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twistlike._base.failure import Failure
    from twistlike._pool.errors import PoolWedgedError
    from twistlike._pool.jobs import QueuedJob
    from twistlike._pool.stats import PoolStats, StuckWorker

__all__ = ["ThreadPool", "afterFork", "checkCancelled", "currentPool"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

# The pools that are alive, by id. A plain dict: its operations are atomic, and a fork in the middle
# of one (in another thread) leaves nothing half done, as it would a WeakSet.
_pools: dict[int, weakref.ref[ThreadPool]] = {}


def currentPool() -> ThreadPool | None:
    """Return the pool whose worker runs this code, or None. Thread: any."""
    worker = currentWorker()
    return None if worker is None else worker.workers.pool()


def checkCancelled() -> None:
    """Raise if the job that this worker runs has been cancelled.

    Does nothing outside of a pool's worker.

    Raises:
        concurrent.futures.CancelledError: `Job.cancel()` was called since the job began to run.

    Thread: any.
    """
    worker = currentWorker()
    if worker is not None:
        item = worker.item
        if item is not None and not isinstance(item, tuple) and item.cancelRequested:
            raise cancelledError()


# ThreadPoolExecutor is a base because `loop.set_default_executor` asks for it by `isinstance`, and
# for no other reason: its `__init__` is not called, and every method of it that does anything is
# replaced.
class ThreadPool(ThreadPoolExecutor):
    """Threads that run functions for others, first in, first out.

    Twisted's interface (`callInThread`, `callInThreadWithCallback`, `adjustPoolsize`, `start`,
    `stop`), that of an executor (`submit`, `map`, `shutdown`, `with`), and `enqueue`, which returns
    a job that can be cancelled. A job runs in a copy of its submitter's context (`contextvars`).
    Jobs wait until `start` is called; `submit` and `with` start the pool, since an executor has no
    `start`.

    Unlike Twisted's: workers are daemon threads, those above the minimum leave when they have been
    idle for `idleTimeout`, `threads` forgets those that have ended, a stopped pool refuses jobs
    (`PoolStoppedError`) instead of dropping them, and `stop` may be called twice and by a worker.

    Args:
        minthreads: How many workers are kept, also when they are idle.
        maxthreads: How many workers there may be.
        name: Part of the threads' names.
        initializer: Called with `initargs` by each worker before its first job. If it raises, the
            pool is broken: every job fails with `concurrent.futures.thread.BrokenThreadPool` until
            it is started anew.
        initargs: The initializer's arguments.
        finalizer: Called by each worker as it ends.
        idleTimeout, maxSpare, queueWarnAfter: See the properties.

    Raises:
        PoolSizeError: The numbers contradict each other.

    Thread: any, like all its methods.
    """

    __reduce__ = refuseCopy

    min: int = 5
    max: int = 20
    name: str | None = None
    threadFactory: Callable[..., threading.Thread] = threading.Thread
    currentThread = staticmethod(threading.current_thread)

    # What is called with errors that nobody handles (of `callInThread`, of an `onResult`), and with
    # what was being done, in the worker's thread. None: `twistlike.python.log.report`.
    onError: Callable[[Failure, str], object] | None = None

    # Seconds that the interpreter's exit waits for jobs to end, before it leaves them behind.
    exitTimeout: float = 5.0

    # The owner of the pool, for those who find the pool through `currentPool`. A reactor puts a
    # weak reference to itself here.
    owner: object | None = None

    def __init__(
        self,
        minthreads: int = 5,
        maxthreads: int = 20,
        name: str | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        finalizer: Callable[[], object] | None = None,
        idleTimeout: float = 60.0,
        maxSpare: int = 50,
        queueWarnAfter: float = 2.0,
    ) -> None:
        checkSize(minthreads, maxthreads)
        self.min = minthreads
        self.max = maxthreads
        self.name = name
        self.initializer = initializer
        self.initargs = initargs
        self.finalizer = finalizer
        self._idleTimeout = checkSeconds(idleTimeout, "idleTimeout")
        self._maxSpare = checkSpare(maxSpare)
        self._queueWarnAfter = checkSeconds(queueWarnAfter, "queueWarnAfter")
        self._resizing = threading.RLock()
        self._workers = Workers(self)
        key = id(self)
        _pools[key] = weakref.ref(self, lambda _: _pools.pop(key, None))

    def _afterFork(self) -> None:
        old = self._workers
        self._resizing = threading.RLock()
        if old.open and not old.started:
            # No thread of the parent's works on it: a program that becomes a daemon before it
            # starts the pool finds its jobs there.
            old.lock = threading.RLock()
            return
        old.abandonAfterFork()
        self._workers = Workers(self)
        if not old.wasOpen:
            self._workers.close()
        elif old.started:
            self._workers.start(fill=False)  # threads come with the first jobs

    # ---- submitting: lock-free, from any thread, also from `__del__` and signal handlers ---------

    def callInThread(self, func: Callable[_P, object], /, *args: _P.args, **kw: _P.kwargs) -> None:
        """Run `func(*args, **kw)` in a worker. Its result is dropped; an error is reported.

        That `func` is a coroutine function is such an error: nobody would run its coroutine.

        Raises:
            PoolStoppedError: The pool was stopped.
            RuntimeError: There is no worker, and no thread could be started.
            TypeError: It is not callable.
        """
        self.enqueueCall(func, args, kw)

    def enqueueCall(
        self, function: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Do what `callInThread` does, for callers that have the arguments in this form.

        Raises:
            PoolStoppedError: The pool was stopped.
            RuntimeError: There is no worker, and no thread could be started.
            TypeError: It is not callable.
        """
        # A coroutine function costs more to recognise (0.06 us) than the coroutine that it returns:
        # the worker does that, and reports it.
        if type(function) is not FunctionType:
            checkFunction(function, "callInThread")
        workers = self._workers
        now = monotonic()
        if kwargs:
            function = partial(function, **kwargs)
        item = (copy_context() or None, function, args, now)
        queue = workers.queue
        queue.append(item)
        try:
            # Race: another thread closes the pool. We append first and look then; it closes first,
            # and looks at the queue then. So either it sees the call, or we see that the pool is
            # closed and take the call back.
            if not workers.open:
                workers.refuse()
            if now >= workers.wakeDeadline:
                workers.ensureWorker(now, item)
        except BaseException as error:
            # Never both, an error and a call. No function of Python is called here: the stack may
            # have no room for one. And not deque.remove: that compares calls by value, and so would
            # call the `==` of users' arguments.
            above = []
            found = False
            while not found:
                try:
                    last = queue.pop()
                except IndexError:
                    break
                found = last is item
                if not found:
                    above.append(last)
            queue.extend(reversed(above))
            workers.wakeDeadline = 0.0
            if queue and not isinstance(error, RecursionError):
                workers.rouseOthers()
            if found or not isinstance(error, Exception):
                raise

    def callInThreadWithCallback(
        self,
        onResult: Callable[[bool, Any], object] | None,
        func: Callable[_P, object],
        /,
        *args: _P.args,
        **kw: _P.kwargs,
    ) -> None:
        """Run `func(*args, **kw)` in a worker, and hand its outcome to `onResult` there.

        Args:
            onResult: Called with True and the result, or with False and the failure.
            func: The function, with its arguments after it.

        Raises:
            PoolStoppedError: The pool was stopped.
            RuntimeError: There is no worker, and no thread could be started.
            TypeError: It is not callable, or a coroutine function.
        """
        self.enqueue(onResult, func, args, kw)

    def enqueue(
        self,
        onResult: Callable[[bool, Any], object] | None,
        function: Callable[..., object],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = {},
    ) -> Job:
        """Do what `callInThreadWithCallback` does, and return the job.

        Raises:
            PoolStoppedError: The pool was stopped.
            RuntimeError: There is no worker, and no thread could be started.
            TypeError: It is not callable, or a coroutine function.
        """
        checkFunction(function, "callInThreadWithCallback")
        if kwargs:
            function = partial(function, **kwargs)
        job = Job(copy_context() or None, onResult, function, args)
        self.put(job)
        return job

    def put(self, job: QueuedJob) -> None:
        """Do what `enqueue` does, with a job of the caller's own kind.

        Raises:
            PoolStoppedError: The pool was stopped.
            RuntimeError: There is no worker, and no thread could be started.
        """
        job.workers = workers = self._workers
        job.queued = now = monotonic()
        workers.queue.append(job)
        try:
            # Race: see enqueueCall.
            if not workers.open:
                workers.refuse()
            if now >= workers.wakeDeadline:
                workers.ensureWorker(now, job)
        except BaseException as error:
            # Never both, an error and a job that runs. No function of Python is called here: the
            # stack may have no room for one.
            taken = False
            try:
                del job.claim
            except AttributeError:
                taken = True  # by a worker: it runs
            if not isinstance(error, RecursionError):
                workers.rouseOthers()
            if taken:
                if isinstance(error, Exception):
                    return
                raise
            job.function = job.args = job.context = None
            try:
                workers.queue.remove(job)
            except (ValueError, IndexError):
                pass  # a worker takes it, or another thread changed the queue: it is skipped
            raise

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run `fn(*args, **kwargs)` in a worker. Starts the pool if that was not done.

        Takes what any executor takes: a coroutine function gives a coroutine.

        Returns:
            A future of its result.

        Raises:
            PoolStoppedError: The pool was stopped.
            RuntimeError: There is no worker, and no thread could be started.
        """
        workers = self._workers
        if not workers.started and workers.open:
            workers.start()
        future: PoolFuture[_T] = PoolFuture(workers)
        function = partial(fn, **kwargs) if kwargs else fn
        self.put(FutureJob(copy_context() or None, future, function, args))
        return future

    # ---- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run what is queued, and what comes. A pool that was stopped takes jobs again.

        Raises:
            PoolStoppedError: The interpreter ends.
        """
        with self._resizing:
            if not self._workers.open:
                self._workers = Workers(self)
            workers = self._workers
        workers.start()

    def stop(self) -> None:
        """Refuse new jobs, finish those that are queued, end the workers, and wait for them.

        Does nothing if the pool is stopped. A worker of this pool that calls it does not wait.
        """
        self._end(wait=True)

    def _end(self, wait: bool) -> None:
        workers = self._workers
        workers.close()
        if wait:
            self._join(workers)

    def _join(self, workers: Workers) -> None:
        worker = currentWorker()
        if worker is not None and worker.workers is workers:
            return  # would wait for itself, and for others that do the same
        while threads := threadsOf(workers) + workers.leaving:
            for thread in threads:
                thread.join()
            workers.reap()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse new jobs, and end the workers once the queue is empty, as any executor.

        Args:
            wait: Return only when they have ended.
            cancel_futures: Cancel what is still queued.
        """
        workers = self._workers
        workers.close()
        if cancel_futures:
            workers.cancelQueued()
        if wait:
            self._join(workers)

    def __enter__(self) -> ThreadPool:
        """Start the pool."""
        self.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.shutdown(wait=True)

    def beginStop(self, onStopped: Callable[[], object]) -> None:
        """Refuse new jobs and let the workers finish the queue and leave, without waiting.

        Args:
            onStopped: Called by the last worker as it leaves, or at once if there is none.
        """
        self._workers.close(onStopped)

    def abandon(self, error: BaseException) -> list[StuckWorker]:
        """End at once: fail what is queued, and forget the workers that are still at work.

        They are daemon threads, and end when their job ends. What it returns is still handed to its
        `onResult`.

        Args:
            error: What queued jobs fail with.

        Returns:
            The workers that were left behind, and what they do.
        """
        return self._workers.abandon(error)

    # ---- size ------------------------------------------------------------------------------------

    def adjustPoolsize(self, minthreads: int | None = None, maxthreads: int | None = None) -> None:
        """Set how few and how many workers there may be. Takes effect at once, in both directions.

        Workers that are one too many leave when their job ends, before they look at the queue.

        Args:
            minthreads: The new minimum, or None to leave it.
            maxthreads: The new maximum, or None to leave it.

        Raises:
            PoolSizeError: The numbers contradict each other. Nothing is changed.
        """
        with self._resizing:
            low = self.min if minthreads is None else minthreads
            high = self.max if maxthreads is None else maxthreads
            checkSize(low, high)
            self.min = low
            self.max = high
            self._workers.resize(low, high)

    def startAWorker(self) -> None:
        """Start one worker more, if the maximum allows it."""
        if self._workers.started and self._workers.open:
            self._workers.startOne()

    def stopAWorker(self) -> None:
        """End one worker: an idle one now, else the next that ends its job."""
        self._workers.dismissOne()

    # ---- what others want to know ----------------------------------------------------------------

    @property
    def started(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._workers.started and self._workers.open

    @property
    def joined(self) -> bool:
        """Whether it was stopped, and not started since."""
        return not self._workers.open

    @property
    def threads(self) -> list[threading.Thread]:
        """The threads of the workers."""
        return threadsOf(self._workers)

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return len(threadsOf(self._workers))

    @property
    def waiters(self) -> list[threading.Thread]:
        """The threads of the workers that are idle."""
        return threadsOf(self._workers, busy=False)

    @property
    def working(self) -> list[threading.Thread]:
        """The threads of the workers that run a job."""
        return threadsOf(self._workers, busy=True)

    @property
    def idleTimeout(self) -> float:
        """Seconds after which an idle worker above the minimum leaves."""
        return self._idleTimeout

    @idleTimeout.setter
    def idleTimeout(self, idleTimeout: float) -> None:
        self._idleTimeout = checkSeconds(idleTimeout, "idleTimeout")
        self._workers.idleTimeout = min(float(idleTimeout), threading.TIMEOUT_MAX)

    @property
    def maxSpare(self) -> int:
        """How many spare workers there may be on top of the maximum.

        They work for those that wait (`compensated`) or run a job that was cancelled. A hard limit:
        at it, a pool whose workers all wait for jobs behind them is wedged.
        """
        return self._maxSpare

    @maxSpare.setter
    def maxSpare(self, maxSpare: int) -> None:
        self._maxSpare = self._workers.compensation.limit = checkSpare(maxSpare)

    @property
    def queueWarnAfter(self) -> float:
        """Seconds that a job may wait, no worker free, before a warning; `inf` turns it off."""
        return self._queueWarnAfter

    @queueWarnAfter.setter
    def queueWarnAfter(self, queueWarnAfter: float) -> None:
        seconds = checkSeconds(queueWarnAfter, "queueWarnAfter")
        self._queueWarnAfter = self._workers.queueWarnAfter = seconds

    def stats(self) -> PoolStats:
        """Return what the workers do now, and what they have done since the pool was started."""
        return snapshot(self._workers, self.name)

    def dumpStats(self) -> None:
        """Log which workers are idle, and which are busy."""
        import logging  # slow to import, and seldom wanted

        logger = logging.getLogger("twistlike")
        logger.info("pool %s: %d jobs are queued", self.name, len(self._workers.queue))
        logger.info("waiters: %s", self.waiters)
        logger.info("workers: %s", self.working)
        logger.info("total: %s", self.threads)

    def threadName(self, number: int) -> str:
        """Return the name of a worker's thread. Subclasses may override it."""
        return f"PoolThread-{self.name or id(self)}-{number}"

    def compensated(
        self, onWedged: Callable[[PoolWedgedError], object] | None = None
    ) -> BlockedWorker:
        """Return a context in which this worker only waits for another job of the pool.

        If that lasts (10 ms) while jobs are queued and no worker is free, a spare worker runs in
        its place, so that the pool cannot wedge on its own interface. When the wait ends the spare
        leaves after its job; until then there is one worker more at work than the maximum. Does
        nothing in a thread that is not a worker of this pool.

        Args:
            onWedged: Called in another thread with the error to raise if the pool is wedged: all
                `maxSpare` spare workers work, every worker waits, jobs are queued, and none has
                ended for five times `queueWarnAfter`. It is called for the newest of those that
                wait, once. It must end the wait and fail; then that worker is free for the queue.
        """
        return BlockedWorker(self._workers, onWedged)

    def __repr__(self) -> str:
        workers = self._workers
        name = self.name or hex(id(self))
        return f"<ThreadPool {name} {workers.state.value}: {self.workers} of {self.max} workers>"


def afterFork() -> None:
    """In the child of a fork: leave workers and queues to the parent, and make all pools usable."""
    abandonWatchdog()
    for reference in list(_pools.values()):
        pool = reference()
        if pool is not None:
            pool._afterFork()


def _atExit() -> None:
    """End all pools.

    Workers are daemon threads, so that a stuck one does not keep the process; but one that is in
    the middle of a job may finish it, within `exitTimeout`.
    """
    setExiting()
    pools = [pool for reference in list(_pools.values()) if (pool := reference()) is not None]
    if not pools:
        return
    stuck = _endAll([pool._workers for pool in pools], max(pool.exitTimeout for pool in pools))
    if stuck:
        import logging  # seldom needed, slow to import

        text = "\n".join(map(str, stuck))
        logging.getLogger("twistlike").warning("Left behind at the interpreter's exit:\n%s", text)


def _endAll(groups: list[Workers], seconds: float) -> list[StuckWorker]:
    """Let workers finish for so long, then leave them behind.

    What was queued before a start that never came is dropped: nobody is left to use it.

    Returns:
        The workers that were left behind.
    """
    deadline = monotonic() + min(seconds, threading.TIMEOUT_MAX)
    for workers in groups:
        if not workers.started:
            workers.queue.clear()
        workers.close()
    for workers in groups:
        # Anew after each: a worker that is needed for what is queued may be starting just now.
        while not workers.ended and (left := deadline - monotonic()) > 0:
            for thread in threadsOf(workers)[:1]:
                thread.join(left)
            workers.reap()
    stuck = []
    for workers in groups:
        if not workers.ended:
            error = PoolStoppedError("the interpreter exits before this job could run")
            stuck += workers.abandon(error)
    return stuck


atexit.register(_atExit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=afterFork)

showAs("twistlike.python.threadpool", globals(), __all__)
