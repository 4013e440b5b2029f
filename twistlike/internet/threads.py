"""Work that blocks, in threads; and calls from there back into the reactor's thread.

Each docstring says which thread may call it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from twistlike.internet.asyncioreactor import Reactor, currentReactor
from twistlike.internet.defer import CancelledError, Deferred
from twistlike.internet.defer._coroutines import fromAwaitable
from twistlike.internet.error import ReactorNotRunning, TimeoutError, WrongThreadError
from twistlike.parts.loops import runningLoop
from twistlike.parts.pools import currentPool
from twistlike.parts.waiters import Waiter, Waiters, ended
from twistlike.python.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from concurrent.futures import Executor, Future
    from typing import ParamSpec

    from twistlike.internet.interfaces import IReactorFromThreads
    from twistlike.parts.owed import Owing

    P = ParamSpec("P")

__all__ = [
    "blockingCallFromThread",
    "blockingCallWithTimeout",
    "callMultipleInThread",
    "checkCancelled",
    "deferToThread",
    "deferToThreadPool",
]

T = TypeVar("T")


def deferToThread(f: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
    """Run a function in the reactor's thread pool.

    The reactor is that of the running loop, else the default one. The function runs in a copy of
    the caller's context.

    Args:
        f: The function, with its arguments after it.

    Returns:
        A Deferred of its result, which fires in the reactor's thread. Cancelling it keeps a queued
        function from running, and tells a running one: see ``checkCancelled``.

    Raises:
        ReactorNotRunning: If the reactor has ended: the function will not be called.

    Thread: the reactor's.
    """
    reactor = currentReactor()
    return deferToThreadPool(reactor, reactor.getThreadPool(), f, *args, **kwargs)


def deferToThreadPool(
    reactor: IReactorFromThreads,
    threadpool: Executor,
    f: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Deferred[T]:
    """Run a function in a pool of one's own choice.

    Args:
        reactor: In whose thread the Deferred fires.
        threadpool: A ``ThreadPool``, or any ``concurrent.futures.Executor``: processes, too.
        f: The function, with its arguments after it.

    Returns:
        A Deferred of its result. Cancelling it works as with ``deferToThread``.

    Raises:
        ReactorNotRunning: If the reactor has ended: the function will not be called.

    Thread: the reactor's.
    """
    if isinstance(reactor, Reactor):
        reactor._life.acceptWork("deferToThreadPool")
        owed = reactor._owed.calls
    else:
        owed = set()
    call: _ThreadCall[T] = _ThreadCall(reactor, owed)
    deferred: Deferred[T] = Deferred(call.cancel)
    call.deferred = deferred
    owed.add(call)
    enqueue = getattr(threadpool, "enqueue", None)
    try:
        if enqueue is not None:
            call.job = enqueue(call.onResult, f, args, kwargs)
        else:
            call.job = future = threadpool.submit(f, *args, **kwargs)
            future.add_done_callback(call.onDone)
    except BaseException:
        owed.discard(call)
        raise
    return deferred


def callMultipleInThread(
    tupleList: Iterable[tuple[Callable[..., object], tuple[Any, ...], Mapping[str, Any]]],
) -> None:
    """Run several functions in a thread of the reactor's pool, one after the other.

    Args:
        tupleList: For each a tuple of the function, its arguments and its keyword arguments.

    Raises:
        ReactorNotRunning: If the reactor has ended: none will be called.

    Thread: any.
    """
    currentReactor().callInThread(_runMultiple, tupleList)


def checkCancelled() -> None:
    """End a job whose Deferred has been cancelled. Does nothing outside of a pool's job.

    Raises:
        concurrent.futures.CancelledError: If the Deferred that stands for this job was cancelled.

    Thread: any; meant for long loops in a function that ``deferToThread`` runs.
    """
    from twistlike.python.threadpool import checkCancelled  # see parts/pools: slow to import

    checkCancelled()


@overload
def blockingCallFromThread(
    reactor: IReactorFromThreads,
    f: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T: ...


@overload
def blockingCallFromThread(
    reactor: IReactorFromThreads, f: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T: ...


def blockingCallFromThread(
    reactor: IReactorFromThreads, f: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Call a function in the reactor's thread, and wait for its result.

    Before the reactor runs, this waits until it does. A worker of a pool that waits here is made up
    for by a spare one.

    Args:
        reactor: In whose thread it is called.
        f: The function, with its arguments after it. If it returns a Deferred or another awaitable,
            that is waited for.

    Returns:
        What it returned, or what its Deferred or awaitable gave.

    Raises:
        WrongThreadError: In the reactor's own thread, which would wait for itself.
        ReactorNotRunning: If the reactor has ended, or ends while this waits.
        PoolWedgedError: In a worker, if every worker waits like this, jobs are queued, and no more
            spare workers may be started.

    And whatever the function raised, or its Deferred or awaitable failed with.

    Thread: any but the reactor's.
    """
    return _blockingCall(reactor, None, f, args, kwargs)


@overload
def blockingCallWithTimeout(
    timeout: float,
    reactor: IReactorFromThreads,
    f: Callable[P, Awaitable[T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T: ...


@overload
def blockingCallWithTimeout(
    timeout: float,
    reactor: IReactorFromThreads,
    f: Callable[P, T],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T: ...


def blockingCallWithTimeout(
    timeout: float,
    reactor: IReactorFromThreads,
    f: Callable[..., Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Do what ``blockingCallFromThread`` does, for a limited time.

    Has no counterpart in Twisted. The limit comes first and the function's arguments last, so
    that they cannot clash.

    Args:
        timeout: How long to wait, in seconds.
        reactor: In whose thread it is called.
        f: The function, with its arguments after it.

    Raises:
        TimeoutError: If it took longer (``twistlike.internet.error``). The Deferred or awaitable
            that it returned is cancelled.

    And what ``blockingCallFromThread`` raises.

    Thread: any but the reactor's.
    """
    return _blockingCall(reactor, timeout, f, args, kwargs)


def _runMultiple(
    tupleList: Iterable[tuple[Callable[..., object], tuple[Any, ...], Mapping[str, Any]]],
) -> None:
    for function, args, kwargs in tupleList:
        function(*args, **kwargs)


class _ThreadCall(Generic[T]):
    """A function on its way through a pool, and its result on the way back.

    Args:
        reactor: In whose thread the Deferred fires.
        owed: The calls of that reactor that have not come back yet.
    """

    __slots__ = ("_owed", "_reactor", "deferred", "job")

    def __init__(self, reactor: IReactorFromThreads, owed: set[Owing]) -> None:
        self._reactor = reactor
        self._owed = owed
        self.deferred: Deferred[T] | None = None
        self.job: Any = None

    def onResult(self, success: bool, result: Any) -> None:
        """Send the result to the reactor's thread. Thread: the worker's."""
        try:
            self._reactor.callFromThread(self._fire, success, result)
        except ReactorNotRunning:
            pass  # it has ended without us, and so the Deferred has failed

    def onDone(self, future: Future[T]) -> None:
        """Send the outcome of an executor's future. Thread: any."""
        if future.cancelled():
            self.onResult(False, Failure(CancelledError()))
        elif (error := future.exception()) is not None:
            self.onResult(False, Failure(error))
        else:
            self.onResult(True, future.result())

    def _fire(self, success: bool, result: Any) -> None:
        # Cut loose: the Deferred's canceller holds us, and we must not hold it, or each call would
        # be a cycle that only the garbage collector frees.
        deferred, self.deferred, self.job = self.deferred, None, None
        self._owed.discard(self)
        if deferred is None or deferred.called:
            return  # cancelled: nobody wants the result
        if success:
            deferred.callback(result)
        else:
            deferred.errback(result)

    def abandon(self, failure: Failure) -> None:
        """Fail: the reactor has ended, and no result can come any more. Thread: the reactor's."""
        self._fire(False, failure)

    def cancel(self, deferred: Deferred[T]) -> None:
        """Keep the function from running, or tell it; the Deferred then fails by itself."""
        job, self.deferred, self.job = self.job, None, None
        self._owed.discard(self)
        if job is not None:
            job.cancel()


def _blockingCall(
    reactor: IReactorFromThreads,
    timeout: float | None,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    waiters = _NO_WAITERS
    if isinstance(reactor, Reactor):
        waiters = reactor._waiters
        loop = reactor._life.loop
        if loop is not None and runningLoop() is loop:
            raise WrongThreadError(
                "blockingCallFromThread was called in the reactor's own thread, which would wait "
                "for itself; call the function there, or use deferToThread to leave the thread"
            )
    wait: _Wait = _Wait(f, args, kwargs, waiters)
    # Race: the reactor ends while we come. It releases the waiters that it knows of, then closes
    # the inbox. We are known before we post: so either we are released, or the post is refused.
    waiters.add(wait)
    try:
        reactor.callFromThread(wait.serve)
        if not _waitFor(wait, timeout):
            try:
                reactor.callFromThread(wait.giveUp)
            except ReactorNotRunning:
                pass  # released by its end just now
            raise TimeoutError(string=f"{f!r} has given no result within {timeout} s")
        return wait.outcome()
    finally:
        waiters.discard(wait)


def _waitFor(wait: _Wait, timeout: float | None) -> bool:
    pool = currentPool()
    if pool is None:
        return wait.wait(timeout)
    with pool.lent(wait.wedged):
        return wait.wait(timeout)


class _Wait(Waiter[Any]):
    """One blocking call: what is called in the reactor's thread, and the wait for it."""

    __slots__ = ("_args", "_awaited", "_f", "_kwargs", "_waiters")

    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        waiters: Waiters,
    ) -> None:
        super().__init__()
        self._f = f
        self._args = args
        self._kwargs = kwargs
        self._waiters = waiters
        self._awaited: Deferred[Any] | None = None

    def serve(self) -> None:
        """Make the call. Thread: the reactor's."""
        try:
            result = self._f(*self._args, **self._kwargs)
        except BaseException as error:
            self.fail(Failure.fromException(error))
            return
        awaited = fromAwaitable(result)
        if awaited is None:
            if isinstance(result, Failure):
                self.fail(result)
            else:
                self.succeed(result)
            return
        self._awaited = awaited
        awaited.addCallbacks(self.succeed, self.fail)
        if self._waiters.released:
            self.fail(Failure(ended()))  # too late to wait for more than the call itself

    def wedged(self, error: Exception) -> None:
        """Hear that the pool of the worker that waits is wedged. Thread: any."""
        self.fail(Failure(error))

    def giveUp(self) -> None:
        """Cancel what the call returned: nobody waits any more. Thread: the reactor's."""
        if self._awaited is not None:
            self._awaited.cancel()


_NO_WAITERS = Waiters()
