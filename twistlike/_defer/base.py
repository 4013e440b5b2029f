"""What a Deferred can do besides its chain of callbacks: timeouts, futures, coroutines, texts.

Thread: whichever has the Deferred.
"""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._defer.small import cancelledToTimedOutError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    from twistlike._base.failure import Failure
    from twistlike._base.interfaces import IReactorTime
    from twistlike._defer.debug import DebugInfo
    from twistlike._defer.deferred import Deferred

__all__ = ["ChainSource", "DeferredBase"]

_T = TypeVar("_T")
_U = TypeVar("_U")


if TYPE_CHECKING:

    class _Awaitable(Awaitable[_T]):
        """What a Deferred is to a type checker."""

else:

    class _Awaitable:
        """At run time, `Awaitable` would cost a metaclass, and so 200 ns for each isinstance."""

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)


class ChainSource:
    """Says of a Deferred that it was given to another's `Deferred.chainDeferred`."""

    __slots__ = ("source",)

    thread = None  # those who wait on a loop have one

    def __init__(self, source: DeferredBase[Any]) -> None:
        self.source = source


class DeferredBase(_Awaitable[_T]):
    """The part of `Deferred` that is not about running callbacks."""

    # Slots, for their size and speed; the dictionary is made when somebody adds an attribute.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_callbacks",
        "_canceller",
        "_debugInfo",
        "_state",
        "called",
        "paused",
        "result",
    )

    result: Any
    called: bool
    paused: int

    # None, a list of entries, or the only entry, if it is that of somebody who waits: see _run.
    _callbacks: Any
    _canceller: Callable[[Deferred[Any]], None] | None
    _debugInfo: DebugInfo | None
    # Before it fires: None; or who waits for it, if on a loop to be fired in its thread only; or
    # what will fire it.
    # Afterwards: None, RUNNING, or the Deferred that it waits for.
    _state: Any

    _suppressAlreadyCalled: bool = False  # it was cancelled, so a first firing is no mistake

    debug: bool = False
    _shownAs: str = ""  # the name of the class in texts, where it is not the class's own

    def chainDeferred(self: Any, d: Deferred[_T]) -> Deferred[None]:
        """Fire another Deferred with this one's result; this one goes on with None."""
        mine: Deferred[_T] = self
        if not d.called and (d._state is None or d._state.thread is None):
            d._state = ChainSource(self)
        return mine.addCallbacks(d.callback, d.errback)

    def addTimeout(
        self: Any,
        timeout: float,
        clock: IReactorTime,
        onTimeoutCancel: Callable[[_T | Failure, float], _U | Failure] | None = None,
    ) -> Deferred[_T | _U]:
        """Cancel this Deferred if it has not fired within some time.

        Args:
            timeout: seconds.
            clock: what measures them: a reactor, or a clock of a test.
            onTimeoutCancel: called with what came of the cancel and with the timeout, if it came to
                that; what it returns or raises takes its place. Without it, a `CancelledError`
                becomes a `TimeoutError`.
        """
        mine: Any = self
        timedOut = False

        def expire() -> None:
            nonlocal timedOut
            timedOut = True
            mine.cancel()

        def convert(outcome: Any) -> Any:
            if not timedOut:
                return outcome
            return (onTimeoutCancel or cancelledToTimedOutError)(outcome, timeout)

        def stopClock(outcome: Any) -> Any:
            if delayed.active():
                delayed.cancel()
            return outcome

        delayed = clock.callLater(timeout, expire)
        # Two callbacks, as in Twisted: what onTimeoutCancel returns may be a Deferred.
        outcome: Deferred[Any] = mine.addBoth(convert).addBoth(stopClock)
        return outcome

    # Coroutines and futures. What makes them knows Deferred, so it is imported when it is needed.

    @classmethod
    def fromCoroutine(cls, coro: Coroutine[Any, Any, _U] | Generator[Any, Any, _U]) -> Deferred[_U]:
        """Run a coroutine, and return a Deferred of its result.

        It may await Deferreds, and on a loop whatever asyncio's tasks may.

        Raises:
            NotACoroutineError: it is none.
        """
        from twistlike._defer.coroutines import fromCoroutine

        return fromCoroutine(coro)

    @classmethod
    def fromFuture(cls, future: Future[_U]) -> Deferred[_U]:
        """Return a Deferred of what an asyncio future or task comes to.

        Cancelling it cancels the future. A future that is cancelled fails it with `CancelledError`
        (in Twisted with asyncio's).

        Thread: that of the future's loop.
        """
        from twistlike._defer.futures import fromFuture

        return fromFuture(future)

    def asFuture(self: Any, loop: AbstractEventLoop) -> Future[_T]:
        """Return an asyncio future of this Deferred's result, which it takes.

        Cancelling the future cancels the Deferred, and a Deferred that was cancelled cancels the
        future (in Twisted the future fails with `CancelledError`). Inside a task, `await` takes a
        Deferred itself.

        Thread: the loop's.
        """
        from twistlike._defer.futures import asFuture

        return asFuture(self, loop)

    # For those who look at it

    @property
    def _chainedTo(self) -> Any:
        """The Deferred whose result this one is to get, or None."""
        state = self._state
        if self.called:
            return state if isinstance(state, DeferredBase) else None
        return state.source if isinstance(state, ChainSource) else None

    def __str__(self) -> str:
        name = self._shownAs or type(self).__name__
        inner = self._chainedTo
        if inner is not None:
            return f"<{name} at 0x{id(self):x} waiting on Deferred at 0x{id(inner):x}>"
        if hasattr(self, "result"):
            return f"<{name} at 0x{id(self):x} current result: {self.result!r}>"
        return f"<{name} at 0x{id(self):x}>"

    __repr__ = __str__
