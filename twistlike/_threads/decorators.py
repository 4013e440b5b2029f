"""Decorators for functions that belong to the reactor's thread, and are called in others.

Thread: any.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, overload

from twistlike._base.functions import describeWithPlace
from twistlike._base.naming import showAs
from twistlike._reactor.current import defaultReactor
from twistlike._threads.api import blockingCallWithTimeout
from twistlike._timers.delays import checkDelay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future
    from typing import ParamSpec, Protocol

    from twistlike._reactor.reactor import Reactor

    P = ParamSpec("P")

    class WaitFor(Protocol):
        """What `waitFor` returns: a decorator."""

        @overload
        def __call__(self, f: Callable[P, Awaitable[T]], /) -> Callable[P, T]: ...

        @overload
        def __call__(self, f: Callable[P, T], /) -> Callable[P, T]: ...

    class RunInReactor(Protocol):
        """What `runInReactor` returns if it is given no function: a decorator."""

        @overload
        def __call__(self, f: Callable[P, Awaitable[T]], /) -> Callable[P, Future[T]]: ...

        @overload
        def __call__(self, f: Callable[P, T], /) -> Callable[P, Future[T]]: ...


__all__ = ["runInReactor", "waitFor"]

T = TypeVar("T")

# Of `inspect`, which is slow to import.
CO_GENERATOR = 0x20
CO_ASYNC_GENERATOR = 0x200


@overload
def runInReactor(f: Callable[P, Awaitable[T]], /) -> Callable[P, Future[T]]: ...


@overload
def runInReactor(f: Callable[P, T], /) -> Callable[P, Future[T]]: ...


@overload
def runInReactor(*, reactor: Reactor) -> RunInReactor: ...


def runInReactor(f: Any = None, /, *, reactor: Reactor | None = None) -> Any:
    """Decorate a function so that it runs in the reactor's thread, and its caller gets a future.

    The function may be a coroutine function, or return a Deferred or another awaitable: then the
    future has the result of that. Cancelling the future cancels that, or keeps the function from
    being called. If the reactor ends before there is a result, the future fails with
    `ReactorNotRunning`. An error that nobody asks the future for is reported. A call may be made in
    the reactor's own thread, too; to wait for the future there raises `WrongThreadError`.

    Args:
        f: The function. The decorated one has it as `__wrapped__`.
        reactor: In whose thread it runs; the default reactor unless given.

    Returns:
        The decorated function, which returns a `concurrent.futures.Future`. It raises
        `ReactorNotRunning` if the reactor has ended.

    Raises:
        TypeError: If it is given something else than a function, a generator function, or what is
            no reactor.

    Thread: any.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Future[Any]]:
        _checkFunction("runInReactor", function)
        _checkReactor("runInReactor", reactor)

        @wraps(function)
        def runInReactor(*args: Any, **kwargs: Any) -> Future[Any]:
            # Not at the top: a future is of concurrent.futures, which is slow to import.
            from twistlike._threads.reactor_future import ReactorFuture

            return ReactorFuture.ofCall(reactor or defaultReactor(), function, args, kwargs)

        return runInReactor

    if f is None and reactor is not None:
        return decorate
    function: Any = f
    return decorate(function)


def waitFor(timeout: float, *, reactor: Reactor | None = None) -> WaitFor:
    """Decorate a function so that it runs in the reactor's thread, and its caller waits for it.

    A call of the decorated function is `blockingCallWithTimeout` of the function.

    Args:
        timeout: How long a call waits, in seconds. Then what the function returned is cancelled,
            and `TimeoutError` (`twistlike.internet.error`) raised.
        reactor: In whose thread it runs; the default reactor unless given.

    Returns:
        A decorator. The function may be a coroutine function, or return a Deferred or another
        awaitable: then the call returns the result of that. The decorated one has it as
        `__wrapped__`.

    Raises:
        TypeError: If the timeout is not a number, as in `@waitFor` without one; if what is
            decorated is not a function, or a generator function; if `reactor` is none.
        ValueError: If the timeout is negative or NaN.

    Thread: any; the decorated function any but the reactor's.
    """
    if callable(timeout):
        raise TypeError("waitFor needs a timeout, in seconds: write @waitFor(5), say")
    checkDelay(timeout, "a timeout")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        _checkFunction("waitFor(...)", function)
        _checkReactor("waitFor", reactor)

        @wraps(function)
        def waitFor(*args: Any, **kwargs: Any) -> Any:
            target: Reactor = reactor or defaultReactor()
            return blockingCallWithTimeout(timeout, target, function, *args, **kwargs)

        return waitFor

    return decorate


def _checkFunction(name: str, function: object) -> None:
    if not callable(function):
        raise TypeError(f"{name} decorates a function, not {function!r}")
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    if flags & CO_GENERATOR:
        raise TypeError(
            f"{name} decorates a generator function, {describeWithPlace(function)}, whose body "
            "would run wherever it is iterated; put inlineCallbacks between the two if it yields "
            "Deferreds, or return a list"
        )
    if flags & CO_ASYNC_GENERATOR:
        raise TypeError(
            f"{name} decorates an asynchronous generator function, {describeWithPlace(function)}, "
            "which only its loop can iterate; return a list, or put its items into a "
            "ThreadsafeQueue"
        )


def _checkReactor(name: str, reactor: object) -> None:
    if reactor is not None and not hasattr(reactor, "callFromThread"):
        raise TypeError(f"reactor= of {name} takes a reactor, not {reactor!r}")


showAs("twistlike.internet.threads", globals(), __all__)
