"""Work that blocks, in threads; and calls from there back into the reactor's thread.

Each docstring says which thread may call it.
"""

from __future__ import annotations

from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from twistlike._base.functions import ASYNC, checkFunction, describe
from twistlike._base.naming import showAs
from twistlike._defer.deferred import Deferred
from twistlike._reactor.current import currentReactor
from twistlike._reactor.reactor import Reactor
from twistlike._threads.blocking import blockingCall, missing
from twistlike._threads.jobs import FutureDeferred, runInPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
    from concurrent.futures import Executor
    from typing import ParamSpec, Protocol, TypeGuard, final

    from typing_extensions import TypeIs

    from twistlike._base.interfaces import IReactorFromThreads
    from twistlike._pool.pool import ThreadPool
    from twistlike._reactor.waits import Outstanding
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
    reactor: IReactorFromThreads, f: Callable[..., Any] = missing, *args: Any, **kwargs: Any
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
    return blockingCall(reactor, None, f, args, kwargs)


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
    return blockingCall(reactor, timeout, f, args, kwargs)


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


showAs("twistlike.internet.threads", globals(), __all__)
