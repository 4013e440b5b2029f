"""Deferreds of functions that run in threads, and the way of their outcomes back into the loop's.

How it works
------------
`JobDeferred` is both: the Deferred that the caller has, and the job that is in a pool's queue. One
object for what would be four (a Deferred, a job, its function with arguments, and a bound method
for its outcome): they were half of what it cost to ask for a job. How it is claimed, see
`twistlike._pool.jobs`.

The outcome goes into the inbox as a call of `settle`, which fires the Deferred unless it was
cancelled, or given up at the reactor's end, in the meantime. All three happen in the reactor's
thread, one after the other.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._base.error import ReactorNotRunning, WrongThreadError
from twistlike._base.failure import Failure
from twistlike._base.functions import haveRoom
from twistlike._base.interrupts import repairedBy
from twistlike._base.naming import callAs
from twistlike._defer.deferred import Deferred
from twistlike._defer.errors import CancelledError
from twistlike._pool.jobs import QueuedJob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor, Future
    from typing import Protocol, Self

    from twistlike._pool.pool import ThreadPool
    from twistlike._reactor.waits import Outstanding

__all__ = [
    "FutureDeferred",
    "JobDeferred",
    "OutstandingDeferred",
    "runInPool",
    "settle",
]

T = TypeVar("T")

# How many calls may nest while an executor takes a job: a thread or a process may be started.
_SUBMIT_DEPTH = 60


if TYPE_CHECKING:

    class ThreadsafePoster(Protocol):
        """Posts calls to a reactor's thread, as an `Inbox` does."""

        def put(self, call: tuple[Any, ...]) -> None:
            """Have a function, the first of the tuple, called with the rest of it. Thread: any."""
            ...


class OutstandingDeferred(Deferred[T]):
    """A Deferred that a thread has still to fire.

    Attributes:
        poster: The way into the thread of the reactor where it fires.
        outstanding: The Deferreds of that reactor that have not fired.
        unwanted: Whether an outcome that comes after it has fired is dropped.
    """

    __slots__ = ("outstanding", "poster")

    poster: ThreadsafePoster
    outstanding: set[Outstanding]

    unwanted = False

    @property
    def what(self) -> object:
        """What still runs for it, for a report."""
        raise NotImplementedError

    def abandon(self, failure: Failure) -> None:
        """Fail: the reactor has ended, and no outcome can come any more. Thread: the reactor's."""
        if not self.called:
            self.unwanted = True
            try:
                self.errback(failure)
            except WrongThreadError:
                if not _handOver(self, self.errback, failure):
                    raise


def _handOver(deferred: Deferred[Any], function: Callable[..., object], *args: Any) -> bool:
    """Have a function called in the thread of the loop that waits for a Deferred.

    A Deferred belongs to the loop where somebody waits for it. Nobody else could fire a job's.

    Returns:
        Whether it will be called there, or nobody waits any more.
    """
    loop = getattr(deferred._state, "loop", None)
    if loop is None:
        return False
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        pass  # it is closed: what has waited there has ended, or never will
    return True


def _settleInterrupted(
    error: BaseException, deferred: OutstandingDeferred[Any], outcome: Any
) -> None:
    """Fire the Deferred, if a signal's exception came before that."""
    if not deferred.called:
        settle(deferred, outcome)


@repairedBy(_settleInterrupted)
def settle(deferred: OutstandingDeferred[Any], outcome: Any) -> None:
    """Fire a Deferred with what its function has come to. Thread: the reactor's.

    Raises:
        AlreadyCalledError: Somebody else has fired it.
    """
    deferred.outstanding.discard(deferred)
    try:
        if not (deferred.called and deferred.unwanted):
            deferred.callback(outcome)
    except WrongThreadError:
        if not _handOver(deferred, settle, deferred, outcome):
            raise
    finally:
        del deferred, outcome  # no traceback of a callback's error may lead to the Deferred


def runInPool(
    poster: ThreadsafePoster,
    outstanding: set[Outstanding],
    pool: ThreadPool,
    function: Callable[..., T],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> JobDeferred[T]:
    """Have a function called by a pool's thread, in a copy of the present context.

    Returns:
        The Deferred of its result, which fires in the thread that the poster posts to.

    Raises:
        PoolStoppedError: The pool was stopped.
        RuntimeError: There is no worker, and no thread could be started.

    Thread: any.
    """
    job: JobDeferred[T] = _makeJob()
    if Deferred.debug:
        Deferred.__init__(job, _cancel)
    else:  # the same without the call
        job._callbacks = None
        job._canceller = _cancel
        job._debugInfo = None
        job._state = None
        job.called = False
        job.paused = 0
    job.poster = poster
    job.outstanding = outstanding
    job.context = copy_context() or None
    job.function = partial(function, **kwargs) if kwargs else function
    job.args = args
    job.claim = True
    outstanding.add(job)
    try:
        pool.put(job)
    except BaseException:
        outstanding.discard(job)
        raise
    return job


class JobDeferred(QueuedJob, OutstandingDeferred[T]):
    """The Deferred of a function that runs in a thread of a `ThreadPool`, and the pool's job.

    Its outcome goes to the reactor's thread as a call, which fires it in the job's context.
    """

    __slots__ = ("args", "claim", "context", "function", "queued", "workers")

    if not TYPE_CHECKING:
        # `runInPool` sets the fields: a call of a function of Python for that costs 0.1 us.
        __init__ = object.__init__

    def deliverResult(self, context: Context | None, result: Any) -> None:
        """Send the outcome to the reactor's thread. Thread: the worker's."""
        # Before that: what the outcome sets going may want the memory again.
        self.function = self.args = self.context = None
        try:
            if context:
                self.poster.put((context.run, settle, self, result))
            else:
                self.poster.put((settle, self, result))
        except ReactorNotRunning:
            pass  # it has ended without us: what is outstanding fails
        finally:
            if self.cancelRequested:
                self.workers.compensation.end(self)

    def deliverFailure(
        self, context: Context | None, failure: Failure, hasRun: bool = True
    ) -> None:
        """Send the outcome to the reactor's thread. Thread: any."""
        self.deliverResult(context, failure)

    def isAwaited(self) -> bool:
        """Return whether the reactor waits for one job alone. Thread: the worker's."""
        return len(self.outstanding) <= 1

    def interrupted(self, error: BaseException) -> bool:
        """Fail with `error`, raised in the worker outside of the function. Thread: the worker's.

        Returns:
            True: should the outcome have been sent, this one comes later, and is dropped.
        """
        if not self.fail(error):
            self.unwanted = True
            self.deliverResult(self.context or Context(), Failure.fromException(error, 0))
        return True

    def cancelQueued(self) -> bool:
        """Fail with CancelledError, unless somebody has the job. Thread: any."""
        return self.fail(CancelledError())

    # ---- what the reactor's end asks -------------------------------------------------------------

    @property
    def what(self) -> object:
        """The function, while it has not ended."""
        return self.function


_makeJob: Any = JobDeferred


def _cancel(job: Deferred[Any]) -> None:
    """Keep the function from running, or request its end; the Deferred then fails by itself."""
    assert isinstance(job, JobDeferred)
    job.unwanted = True
    job.outstanding.discard(job)
    job.cancelJob()


class FutureDeferred(OutstandingDeferred[T]):
    """The Deferred of a `concurrent.futures` future, which any executor may set.

    Args:
        poster: The way into the thread of the reactor where it fires.
        outstanding: The Deferreds of that reactor that have not fired.
    """

    __slots__ = ("_function", "_future")

    def __init__(
        self, poster: ThreadsafePoster, outstanding: set[Outstanding], function: Callable[..., T]
    ) -> None:
        super().__init__(_cancelFuture)
        self.poster = poster
        self.outstanding = outstanding
        self._function: Callable[..., T] | None = function
        self._future: Future[T] | None = None

    def submit(self, executor: Executor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Self:
        """Submit the function to an executor, and fire with what its future gets.

        Raises:
            RecursionError: The stack has no room: the function will not be called.
        """
        function = self._function
        assert function is not None
        haveRoom(_SUBMIT_DEPTH)
        self._future = future = executor.submit(function, *args, **kwargs)
        self.outstanding.add(self)
        future.add_done_callback(self._done)
        return self

    @property
    def what(self) -> object:
        """The function, while its future is not done."""
        return self._function

    def _done(self, future: Future[T]) -> None:
        """Send the future's outcome. Thread: any."""
        outcome: Any
        if future.cancelled():
            outcome = Failure(CancelledError())
        elif (error := future.exception()) is not None:
            outcome = Failure(error)
        else:
            outcome = future.result()
        call: tuple[Any, ...] = (settle, self, outcome)
        if context := copy_context():
            call = (context.run, *call)
        try:
            self.poster.put(call)
        except ReactorNotRunning:
            pass  # it has ended without us: what is outstanding fails
        finally:
            self._future = self._function = None
            del self, outcome, call


def _cancelFuture(deferred: Deferred[Any]) -> None:
    """Cancel the future; the Deferred then fails by itself."""
    assert isinstance(deferred, FutureDeferred)
    deferred.unwanted = True
    deferred.outstanding.discard(deferred)
    future, deferred._future = deferred._future, None
    if future is not None:
        future.cancel()


callAs(Deferred, OutstandingDeferred, JobDeferred, FutureDeferred)
