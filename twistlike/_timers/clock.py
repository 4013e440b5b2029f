"""A clock that moves only when it is advanced, and a Deferred that fires after a time.

A `Clock` belongs to the thread that steps it; `deferLater` to that of the clock it is given.
"""

from __future__ import annotations

from math import isnan
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from twistlike._base.failure import Failure
from twistlike._base.functions import checkClock
from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr
from twistlike._defer.coroutines import fromCoroutine
from twistlike._defer.deferred import Deferred
from twistlike._timers.ended import endOfReactor
from twistlike._timers.queue import TimerQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from typing_extensions import ParamSpec

    from twistlike._base.interfaces import IDelayedCall, IReactorTime
    from twistlike._timers.queue import DelayedCall

    P = ParamSpec("P")

__all__ = ["Clock", "deferLater"]

_T = TypeVar("_T")

_isCallable = callable  # deferLater has a parameter of that name, as in Twisted


class Clock:
    """A reactor's timers on a clock that only `advance` moves: for tests that do not wait.

    Differs from Twisted: a delay that a reactor refuses (negative, NaN) is refused here too; a
    call runs in the context in which it was asked for; `calls` is a new list each time.

    Attributes:
        rightNow: What the clock shows, in seconds.
    """

    rightNow = 0.0

    def __init__(self) -> None:
        self._queue = TimerQueue(self.seconds)

    def seconds(self) -> float:
        """Return what the clock shows, in seconds."""
        return self.rightNow

    def callLater(
        self, delay: float, callable: Callable[P, object], *args: P.args, **kw: P.kwargs
    ) -> DelayedCall:
        """Have `callable(*args, **kw)` called when the clock is `delay` seconds further.

        Calls run in the order of their time; equal times in the order in which they were asked
        for, as on a reactor.

        Args:
            delay: Seconds from now.
            callable: What to call.
            args: Its positional arguments.
            kw: Its keyword arguments.

        Raises:
            TypeError: If the delay is not a number, or `callable` is not callable.
            ValueError: If the delay is negative or NaN.
        """
        return self._queue.callLater(delay, callable, *args, **kw)

    @property
    def calls(self) -> list[DelayedCall]:
        """The calls that are still to come, in the order in which they are due."""
        return self._queue.calls()

    def getDelayedCalls(self) -> list[DelayedCall]:
        """Return the calls that are still to come, in the order in which they are due."""
        return self._queue.calls()

    def advance(self, amount: float) -> None:
        """Move the clock and run all that is due then, and what that makes due at once.

        The clock shows the new time from the start, whenever a call was due.

        Args:
            amount: Seconds. Negative ones move the clock back, and run nothing that was not due.

        Raises:
            ValueError: If it is NaN.
            Exception: What a call raises; those after it stay, for the next `advance`.
        """
        now = self.rightNow + amount
        if isnan(now):
            raise ValueError(f"a clock cannot go on by {amount!r} seconds")
        self.rightNow = now
        while (call := self._queue.popDue(self.seconds())) is not None:
            call.run()

    def pump(self, timings: Iterable[float]) -> None:
        """Advance once for each of `timings`, in seconds."""
        for amount in timings:
            self.advance(amount)


@overload
def deferLater(clock: IReactorTime, delay: float) -> Deferred[None]: ...


@overload
def deferLater(clock: IReactorTime, delay: float, callable: None) -> Deferred[None]: ...


@overload
def deferLater(
    clock: IReactorTime,
    delay: float,
    callable: Callable[P, Coroutine[Any, Any, _T] | Deferred[_T]],
    *args: P.args,
    **kw: P.kwargs,
) -> Deferred[_T]: ...


@overload
def deferLater(
    clock: IReactorTime, delay: float, callable: Callable[P, _T], *args: P.args, **kw: P.kwargs
) -> Deferred[_T]: ...


def deferLater(
    clock: IReactorTime,
    delay: float,
    callable: Callable[..., Any] | None = None,
    *args: Any,
    **kw: Any,
) -> Deferred[Any]:
    """Call a function after a time.

    Args:
        clock: A reactor or a `Clock`.
        delay: Seconds.
        callable: What to call; nothing if it is `None`.
        args: Its positional arguments.
        kw: Its keyword arguments.

    Returns:
        A Deferred of what the function returns or, if that is a Deferred or a coroutine, of its
        result. To cancel it keeps the function from being called. If the reactor ends first it
        fails with `CancelledError`, which is not reported if nobody handles it.

    Raises:
        TypeError: If the delay is not a number, the clock has no `callLater`, or what is to be
            called is not callable.
        ValueError: If it is negative or NaN.
    """
    checkClock(clock, "deferLater")
    if callable is not None and not _isCallable(callable):
        raise TypeError(f"deferLater needs a callable to call, not {safe_repr(callable)}")
    wait = _Wait()
    deferred = wait.deferred = Deferred(wait.cancel)
    wait.delayed = clock.callLater(delay, wait.fire)
    if callable is not None:
        function = callable

        def call(_: None) -> Any:
            result = function(*args, **kw)
            # Nobody else would run it. `callLater` does the same.
            return fromCoroutine(result) if type(result) is CoroutineType else result

        deferred.addCallback(call)
    return deferred


showAs("twistlike.internet.task", globals(), __all__)


class _Wait:
    """The wait of one `deferLater`: what the clock calls, and the canceller of its Deferred."""

    __slots__ = ("deferred", "delayed")

    deferred: Deferred[Any]
    delayed: IDelayedCall

    def fire(self) -> None:
        """Have the time over."""
        self.deferred.callback(None)

    def cancel(self, deferred: Deferred[Any]) -> None:
        """Have nobody wait any more."""
        self.delayed.cancel()

    def _droppedAtEnd(self) -> None:
        """Have the reactor end first: whoever waits is told."""
        if not self.deferred.called:
            self.deferred.errback(Failure(endOfReactor("this time was over")))
