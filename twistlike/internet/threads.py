"""Work that blocks, in threads; and calls from there back into the reactor's thread.

Each docstring says which thread may call it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from twistlike.internet.asyncioreactor import Reactor, currentReactor
from twistlike.internet.defer import CancelledError, Deferred
from twistlike.internet.defer._coroutines import fromAwaitable
from twistlike.internet.error import ReactorNotRunning, TimeoutError, WrongThreadError
from twistlike.parts.loops import runningLoop
from twistlike.parts.pools import currentPool
from twistlike.parts.timers import checkDelay
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

# A worker that waits for no longer than this, in seconds, does not lend its place in its pool: a
# spare one is not started before that anyway, and lending costs a third of a quick blocking call.
_SOON = 0.01


def deferToThread(f: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
    """Run a function in the reactor's thread pool.

    The reactor is that of the running loop; in a pool's worker the one whose pool it is; else the
    default one. The function runs in a copy of the caller's context.

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
    if reactor._life.loop is None:
        reactor._life.acceptWork("deferToThread")
    pool = reactor._pools.users or reactor.getThreadPool()
    return _enqueue(reactor._inbox, reactor._owed.calls, pool, f, args, kwargs)


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
    door: _Door
    owed: set[Owing]
    if isinstance(reactor, Reactor):
        reactor._life.acceptWork("deferToThreadPool")
        door, owed = reactor._inbox, reactor._owed.calls
    else:
        door, owed = _ForeignDoor(reactor), set()
    if hasattr(threadpool, "enqueue"):
        return _enqueue(door, owed, threadpool, f, args, kwargs)
    deferred: _JobDeferred[T] = _JobDeferred(_cancelJob)
    deferred.door, deferred.owed = door, owed
    deferred.job = future = threadpool.submit(f, *args, **kwargs)
    owed.add(deferred)
    future.add_done_callback(deferred.onDone)
    return deferred


def callMultipleInThread(
    tupleList: Iterable[tuple[Callable[..., object], tuple[Any, ...], Mapping[str, Any]]],
) -> None:
    """Run several functions in a thread of the reactor's pool, one after the other.

    If one raises, that is reported, and those after it are not called.

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
        TypeError: If the timeout is not a number.
        ValueError: If the timeout is negative or NaN.

    And what ``blockingCallFromThread`` raises.

    Thread: any but the reactor's.
    """
    return _blockingCall(reactor, timeout, f, args, kwargs)


def _runMultiple(
    tupleList: Iterable[tuple[Callable[..., object], tuple[Any, ...], Mapping[str, Any]]],
) -> None:
    for function, args, kwargs in tupleList:
        function(*args, **kwargs)


class _Door(Protocol):
    """The way into a reactor's thread, as an ``Inbox`` offers it."""

    def postCall(self, call: tuple[Any, ...]) -> None:
        """Have a function, the first of the tuple, called with the rest of it. Thread: any."""
        ...


class _ForeignDoor:
    """The way into the thread of a reactor that is not ours."""

    __slots__ = ("_reactor",)

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor

    def postCall(self, call: tuple[Any, ...]) -> None:
        """Have a function, the first of the tuple, called with the rest of it. Thread: any."""
        self._reactor.callFromThread(*call)


def _enqueue(
    door: _Door,
    owed: set[Owing],
    pool: Any,
    f: Callable[..., T],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Deferred[T]:
    """Do ``deferToThreadPool`` with a ``ThreadPool``."""
    deferred: _JobDeferred[T] = _JobDeferred(_cancelJob)
    deferred.door = door
    deferred.owed = owed
    owed.add(deferred)
    try:
        deferred.job = pool.enqueue(deferred.onResult, f, args, kwargs)
    except BaseException:
        owed.discard(deferred)
        raise
    return deferred


def _cancelJob(deferred: Deferred[Any]) -> None:
    """Keep the function from running, or tell it; the Deferred then fails by itself."""
    assert isinstance(deferred, _JobDeferred)
    job, deferred.job = deferred.job, None
    deferred.owed.discard(deferred)
    deferred._suppressAlreadyCalled = True  # a result that comes all the same is dropped
    if job is not None:
        job.cancel()


class _JobDeferred(Deferred[T]):
    """The Deferred of a function that runs in a thread, and the way of its outcome back.

    It is one object, not a Deferred and an envelope, and has no ``__init__`` of its own, for what
    that costs: a fourth of what it takes to ask for a job. Who makes one sets the attributes.

    Attributes:
        door: The way into the thread of the reactor where it fires.
        job: What runs the function; ``None`` once the outcome is on its way, or is not wanted.
        owed: The Deferreds of that reactor whose outcome is not in the inbox yet.
    """

    __slots__ = ("door", "job", "owed")

    door: _Door
    job: Any
    owed: set[Owing]

    def onResult(self, success: bool, result: Any) -> None:
        """Send the outcome to the reactor's thread. Thread: the worker's."""
        try:
            self.door.postCall((self.callback if success else self.errback, result))
        except ReactorNotRunning:
            return  # it has ended without us: what is still owed fails
        # Race: the reactor ends here. It closes the inbox, which fires this Deferred, and then
        # finds it among those that are owed: `abandon` sees that it has fired.
        self.owed.discard(self)
        self.job = None

    def onDone(self, future: Future[T]) -> None:
        """Send the outcome of an executor's future. Thread: any."""
        if future.cancelled():
            self.onResult(False, Failure(CancelledError()))
        elif (error := future.exception()) is not None:
            self.onResult(False, Failure(error))
        else:
            self.onResult(True, future.result())

    def abandon(self, failure: Failure) -> None:
        """Fail: the reactor has ended, and no outcome can come any more. Thread: the reactor's."""
        if not self.called:
            self.errback(failure)
            self._suppressAlreadyCalled = True  # an outcome that comes in the next run is dropped


def _blockingCall(
    reactor: IReactorFromThreads,
    timeout: float | None,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    waiters = _NO_WAITERS
    if timeout is not None:
        checkDelay(timeout, "a timeout")
    if isinstance(reactor, Reactor):
        waiters = reactor._waiters
        if reactor._life.loop is None:
            # callFromThread would attach it, and this thread's loop would then wait for itself.
            reactor._life.attachIfLoopRuns()
        loop = reactor._life.loop
        if loop is not None and runningLoop() is loop:
            raise WrongThreadError(
                "blockingCallFromThread was called in the reactor's own thread, which would wait "
                "for itself; call the function there, or use deferToThread to leave the thread"
            )
    wait: _Wait = _Wait(f, args, kwargs, waiters)
    # Race: the reactor ends while we come. It releases the waiters that it knows of, then closes
    # the inbox. We are known before we post: so either we are released, or the post is refused.
    waiters.waiting.add(wait)
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
        waiters.waiting.discard(wait)


def _waitFor(wait: _Wait, timeout: float | None) -> bool:
    """Wait, and lend this thread's place in its pool if that takes long."""
    pool = currentPool()
    if pool is None:
        return wait.wait(timeout)
    if timeout is not None and timeout <= _SOON:
        return wait.wait(timeout)
    if wait.wait(_SOON):
        return True
    with pool.lent(wait.wedged):
        return wait.wait(None if timeout is None else timeout - _SOON)


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


# Those who wait for reactors that are not ours, and whose end nobody tells us.
_NO_WAITERS = Waiters()
