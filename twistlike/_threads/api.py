"""Work that blocks, in threads; and calls from there back into the reactor's thread.

Each docstring says which thread may call it.
"""

from __future__ import annotations

from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from twistlike._base.error import ReactorNotRunning, TimeoutError, WrongThreadError
from twistlike._base.failure import Failure
from twistlike._base.functions import ASYNC, checkFunction, describe, describeWithPlace
from twistlike._base.naming import showAs
from twistlike._defer.coroutines import fromAwaitable
from twistlike._defer.deferred import Deferred
from twistlike._reactor.blocked import BlockedThreads, ended
from twistlike._reactor.current import currentReactor
from twistlike._reactor.reactor import Reactor
from twistlike._threads.jobs import FutureDeferred, runInPool
from twistlike._threads.waiting import LendingWaiter
from twistlike._timers.queue import checkDelay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
    from concurrent.futures import Executor
    from typing import ParamSpec, Protocol, TypeGuard, final

    from typing_extensions import TypeIs

    from twistlike._base.interfaces import IReactorFromThreads
    from twistlike._pool.pool import ThreadPool
    from twistlike._reactor.outstanding import Outstanding
    from twistlike._threads.jobs import ThreadsafePoster

    P = ParamSpec("P")

    class RunsElsewhere(Protocol):
        """A function that runs another one, with its arguments: `deferToThread`, `maybeDeferred`.

        A class of its own since no type checker finds the arguments of a function's argument.
        """

        def __call__(
            self, f: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
        ) -> Deferred[T]: ...

    class _CallbackPool(Protocol):
        """A pool that is no executor: Twisted's interface of one."""

        def callInThreadWithCallback(
            self, onResult: Callable[[bool, Any], object], func: Callable[[], object], /
        ) -> object:
            """Have a function called, then `onResult` with whether it succeeded, and how."""
            ...

    class CoroutineFunctionRefused:
        """What type checkers have `deferToThread` return for a coroutine function.

        It cannot be awaited, and has no methods: so the wrong line is found. At run time the call
        raises TypeError.
        """

    @final
    class _NoClass:
        """No function returns this. Those that return Any, or never, do for a type checker.

        They come first, since they would do for a coroutine function as well.
        """


__all__ = [
    "blockingCallFromThread",
    "blockingCallWithTimeout",
    "callMultipleInThread",
    "checkCancelled",
    "deferToThread",
    "deferToThreadPool",
]

T = TypeVar("T")

# One of them has whatever runs jobs: ours, an executor, or a pool with the interface of Twisted's.
POOL_METHODS = ("enqueueCall", "submit", "callInThreadWithCallback")

# In the place of a function that was not given: then the reactor is missing.
_missing: Any = object()


@overload
def deferToThread(f: Callable[P, _NoClass], *args: P.args, **kwargs: P.kwargs) -> Deferred[Any]: ...


@overload
def deferToThread(  # type: ignore[overload-overlap]
    f: Callable[P, Coroutine[Any, Any, object]], *args: P.args, **kwargs: P.kwargs
) -> CoroutineFunctionRefused: ...


@overload
def deferToThread(f: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]: ...


def deferToThread(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a function in the reactor's thread pool.

    The reactor is that of the running loop; in a pool's worker the one whose pool it is; else the
    default one. The function runs in a copy of the caller's context.

    Args:
        f: The function, with its arguments after it.

    Returns:
        A Deferred of its result, which fires in the reactor's thread. Cancelling it keeps a queued
        function from running, and tells a running one: see `checkCancelled`.

    Raises:
        ReactorNotRunning: If the reactor has ended: the function will not be called.
        TypeError: It is not callable, or a coroutine function.

    Thread: the reactor's.
    """
    if type(f) is not FunctionType or f.__code__.co_flags & ASYNC:
        checkFunction(f, "deferToThread")
    reactor = currentReactor()
    if reactor._life.loop is None:
        reactor._life.acceptWork("deferToThread")
    pool = reactor._pools.users or reactor.getThreadPool()
    return runInPool(reactor._inbox, reactor._outstanding.calls, pool, f, args, kwargs)


@overload
def deferToThreadPool(
    reactor: IReactorFromThreads,
    threadpool: Executor,
    f: Callable[P, _NoClass],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Deferred[Any]: ...


@overload
def deferToThreadPool(  # type: ignore[overload-overlap]
    reactor: IReactorFromThreads,
    threadpool: Executor,
    f: Callable[P, Coroutine[Any, Any, object]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> CoroutineFunctionRefused: ...


@overload
def deferToThreadPool(
    reactor: IReactorFromThreads,
    threadpool: Executor | _CallbackPool,
    f: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Deferred[T]: ...


def deferToThreadPool(
    reactor: IReactorFromThreads,
    threadpool: Executor | _CallbackPool,
    f: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Run a function in a pool of one's own choice.

    Args:
        reactor: In whose thread the Deferred fires.
        threadpool: A `ThreadPool`, which is started if that was not done, or any
            `concurrent.futures.Executor`: processes, too; or any object with Twisted's
            `callInThreadWithCallback`.
        f: The function, with its arguments after it.

    Returns:
        A Deferred of its result. Cancelling it works as with `deferToThread`.

    Raises:
        ReactorNotRunning: If the reactor has ended: the function will not be called.
        TypeError: It is not callable, or a coroutine function.

    Thread: the reactor's.
    """
    if not callable(getattr(reactor, "callFromThread", None)):
        raise TypeError(
            "deferToThreadPool takes the reactor first, then the pool, then the function; what it"
            f" got first is {describe(reactor)}"
        )
    if not any(hasattr(threadpool, name) for name in POOL_METHODS):
        raise TypeError(
            "deferToThreadPool takes a thread pool, or an executor, after the reactor: write"
            " reactor.getThreadPool(), or call deferToThread; what it got is"
            f" {describe(threadpool)}"
        )
    checkFunction(f, "deferToThreadPool")
    poster: ThreadsafePoster
    outstanding: set[Outstanding]
    if isinstance(reactor, Reactor):
        reactor._life.acceptWork("deferToThreadPool")
        poster, outstanding = reactor._inbox, reactor._outstanding.calls
    else:
        poster, outstanding = _ForeignReactor(reactor), set()
    if _isThreadPool(threadpool):
        if not threadpool.started and not threadpool.joined and threadpool.owner is None:
            threadpool.start()  # as `submit` does. A reactor starts its own pool when it runs
        return runInPool(poster, outstanding, threadpool, f, args, kwargs)
    if _isCallbackPool(threadpool):
        return _byCallback(reactor, threadpool, partial(f, *args, **kwargs))
    return FutureDeferred(poster, outstanding, f).submit(threadpool, args, kwargs)


def _isThreadPool(pool: object) -> TypeGuard[ThreadPool]:
    # Not isinstance: the pool is slow to import, see `_reactor.pools`.
    return getattr(pool, "enqueueCall", None) is not None


def _isCallbackPool(pool: Executor | _CallbackPool) -> TypeIs[_CallbackPool]:
    return getattr(pool, "submit", None) is None


def _byCallback(
    reactor: IReactorFromThreads, pool: _CallbackPool, function: Callable[[], T]
) -> Deferred[T]:
    deferred: Deferred[T] = Deferred()

    def onResult(success: bool, result: Any) -> None:
        if success:
            reactor.callFromThread(deferred.callback, result)
        else:
            reactor.callFromThread(deferred.errback, result)

    pool.callInThreadWithCallback(onResult, function)
    return deferred


def callMultipleInThread(
    tupleList: Iterable[tuple[Callable[..., object], Iterable[Any], Mapping[str, Any]]],
) -> None:
    """Run several functions in a thread of the reactor's pool, one after the other.

    If one raises, that is reported, and those after it are not called.

    Args:
        tupleList: For each a tuple of the function, its arguments and its keyword arguments.

    Raises:
        ReactorNotRunning: If the reactor has ended: none will be called.
        TypeError: It is no such list. (Of another iterable, each is looked at when it is its turn.)

    Thread: any.
    """
    if not hasattr(type(tupleList), "__iter__"):
        raise TypeError(
            "callMultipleInThread takes a list of (function, args, kwargs), not an object of type"
            f" {type(tupleList).__qualname__}; for one function there is reactor.callInThread"
        )
    for each in tupleList if isinstance(tupleList, (list, tuple)) else ():
        _checkEntry(each)
    currentReactor().callInThread(_runMultiple, tupleList)


def checkCancelled() -> None:
    """End a job whose Deferred has been cancelled. Does nothing outside of a pool's job.

    Raises:
        concurrent.futures.CancelledError: If the Deferred that stands for this job was cancelled.

    Thread: any; meant for long loops in a function that `deferToThread` runs.
    """
    from twistlike._pool.pool import checkCancelled  # slow to import, see `_reactor.pools`

    checkCancelled()


@overload
def blockingCallFromThread(
    reactor: IReactorFromThreads,
    f: RunsElsewhere,
    function: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T: ...


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
    reactor: IReactorFromThreads, f: Callable[..., Any] = _missing, *args: Any, **kwargs: Any
) -> Any:
    """Call a function in the reactor's thread, and wait for its result.

    Before the reactor runs, this waits until it does. While a worker of a pool waits here, a spare
    worker may work in its place.

    Args:
        reactor: In whose thread it is called.
        f: The function, with its arguments after it. If it returns a Deferred or another awaitable,
            that is waited for.

    Returns:
        What it returned, or what its Deferred or awaitable gave.

    Raises:
        TypeError: If the reactor or the function is missing.
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
    f: RunsElsewhere,
    function: Callable[P, T],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T: ...


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
    """Do what `blockingCallFromThread` does, for a limited time.

    Has no counterpart in Twisted. The limit comes first and the function's arguments last, so
    that they cannot clash.

    Args:
        timeout: How long to wait, in seconds.
        reactor: In whose thread it is called.
        f: The function, with its arguments after it.

    Raises:
        TimeoutError: If it took longer (`twistlike.internet.error`; it is a builtin TimeoutError as
            well). The Deferred or awaitable that it returned is cancelled.
        TypeError: If the timeout is not a number; if the reactor or the function is missing.
        ValueError: If the timeout is negative or NaN.

    And what `blockingCallFromThread` raises.

    Thread: any but the reactor's.
    """
    return _blockingCall(reactor, timeout, f, args, kwargs)


def _runMultiple(
    tupleList: Iterable[tuple[Callable[..., object], Iterable[Any], Mapping[str, Any]]],
) -> None:
    for each in tupleList:
        function, args, kwargs = _checkEntry(each)
        function(*args, **kwargs)


def _checkEntry(each: Any) -> tuple[Callable[..., object], Iterable[Any], Mapping[str, Any]]:
    try:
        function, args, kwargs = each
    except (TypeError, ValueError):
        raise TypeError(
            "callMultipleInThread takes a list of (function, args, kwargs), as (print, ('x',), {});"
            f" one of it is an object of type {type(each).__qualname__}"
        ) from None
    checkFunction(function, "callMultipleInThread")
    return function, args, kwargs


class _ForeignReactor:
    """Posts calls to the thread of a reactor that is not ours."""

    __slots__ = ("_reactor",)

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor

    def put(self, call: tuple[Any, ...]) -> None:
        """Have a function, the first of the tuple, called with the rest of it. Thread: any."""
        self._reactor.callFromThread(*call)


def _blockingCall(
    reactor: IReactorFromThreads,
    timeout: float | None,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    blocked = _FOREIGN
    if not isinstance(reactor, Reactor) or not callable(f):
        _checkBlockingCall(reactor, f)
    if timeout is not None:
        checkDelay(timeout, "a timeout")
    if isinstance(reactor, Reactor):
        blocked = reactor._blocked
        life = reactor._life
        if life.loop is None:
            # callFromThread would attach it, and this thread's loop would then wait for itself.
            life.attachIfLoopRuns()
        if life.loop is not None and life.isHere():
            raise WrongThreadError(
                "blockingCallFromThread was called in the reactor's own thread, which would wait "
                f"for itself; call {describeWithPlace(f)} there (if it is decorated, its "
                "__wrapped__) and await what it returns, or use deferToThread to leave the thread"
            )
    wait: _Wait = _Wait(f, args, kwargs, blocked)
    if isinstance(reactor, Reactor) and reactor._life.loop is None:
        reactor._life.acceptWait("a blocking call", partial(blocked.waiting.__contains__, wait))
    # Race: the reactor ends while we come. It releases the waiters that it knows of, then closes
    # the inbox. We are known before we post: so either we are released, or the post is refused.
    blocked.waiting.add(wait)
    try:
        reactor.callFromThread(wait.serve)
        if not wait.waitLending(timeout):
            try:
                reactor.callFromThread(wait.giveUp)
            except ReactorNotRunning:
                pass  # released by its end just now
            what = describeWithPlace(f)
            raise TimeoutError(string=f"{what} has given no result within {timeout} s")
        return wait.outcome()
    finally:
        blocked.leave(wait)
        del wait  # it leads to the error in whose traceback this frame is


def _checkBlockingCall(reactor: object, f: object) -> None:
    if not callable(getattr(reactor, "callFromThread", None)):
        what = describe(reactor) if callable(reactor) else type(reactor).__qualname__
        raise TypeError(
            "a blocking call takes the reactor first, then the function:"
            f" blockingCallFromThread(reactor, f, ...); what it got first is {what}"
        )
    if not callable(f):
        what = "none" if f is _missing else f"an object of type {type(f).__qualname__}"
        raise TypeError(
            "a blocking call takes a function after the reactor, with the function's arguments"
            f" after it; what it got is {what}"
        )


class _Wait(LendingWaiter):
    """One blocking call: what is called in the reactor's thread, and the wait for it."""

    __slots__ = ("_args", "_awaited", "_blocked", "_f", "_kwargs")

    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        blocked: BlockedThreads,
    ) -> None:
        super().__init__(blocked.handoff)
        self._f = f
        self._args = args
        self._kwargs = kwargs
        self._blocked = blocked
        self._awaited: Deferred[Any] | None = None

    def serve(self) -> None:
        """Make the call. Thread: the reactor's."""
        try:
            result = self._f(*self._args, **self._kwargs)
            awaited = fromAwaitable(result)
        except BaseException as error:
            self.fail(Failure.fromException(error))
            return
        if awaited is None:
            if isinstance(result, Failure):
                self.fail(result)
            else:
                self.succeed(result)
            return
        self._awaited = awaited
        awaited.addCallbacks(self.succeed, self.fail)
        if self._blocked.released:
            self.fail(Failure(ended()))  # too late to wait for more than the call itself

    def giveUp(self) -> None:
        """Cancel what the call returned, as no thread waits for it. Thread: the reactor's."""
        awaited, self._awaited = self._awaited, None
        try:
            if awaited is not None:
                awaited.cancel()
        finally:
            del self, awaited  # an error's traceback may hold this frame


# For threads that wait for reactors that are not ours: these do not tell us of their end.
_FOREIGN = BlockedThreads()

showAs("twistlike.internet.threads", globals(), __all__)
