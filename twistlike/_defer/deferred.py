"""`Deferred`: a result that is not there yet, and the chain of callbacks that waits for it.

Thread: any, one at a time: a Deferred has no lock. One that something on an asyncio loop waits for
belongs to that loop's thread, and says so when it is fired elsewhere.

How callbacks are run, see `callbacks`.
"""

from __future__ import annotations

from _thread import get_ident
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from twistlike._base.deprecation import warnDeprecated
from twistlike._base.error import WrongThreadError
from twistlike._base.failure import Failure, withTraceback
from twistlike._base.functions import checkClock
from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr
from twistlike._defer.callbacks import (
    AGAIN,
    COLLECT,
    KEEP,
    NEAR,
    NO_KEYWORDS,
    NON_DEFERRED_TYPES,
    PASS,
    RUNNING,
    ChainSource,
    addWaiter,
    bindThread,
    fire,
    listed,
    nesting,
    removeEntry,
    setMostNested,
)
from twistlike._defer.cancelling import cancelSurely, leaveCircle
from twistlike._defer.debug import DebugInfo, currentStack
from twistlike._defer.errors import (
    AlreadyCalledError,
    CancelledError,
    cancelledToTimedOutError,
    failthru,
    passthru,
)
from twistlike._defer.fields import DeferredFields, attributesOf
from twistlike._defer.nesting import runIfReady, runNested
from twistlike._defer.task_future import FutureAdapter
from twistlike._defer.task_proxy import TaskProxy
from twistlike._eventloop import current

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable, Coroutine, Generator, Mapping
    from typing import Concatenate, ParamSpec

    from twistlike._base.interfaces import IReactorTime

    _P = ParamSpec("_P")

__all__ = ["Deferred", "fail", "getDebugging", "setDebugging", "succeed"]

_T = TypeVar("_T")
_U = TypeVar("_U")
_V = TypeVar("_V")

_new: Any = object.__new__

NOT_AWAITED = (
    "{} was iterated over, or went on before it had fired: write `await d`, or `yield d` inside"
    " of inlineCallbacks"
)

NO_MAPPING = "{} was taken for a mapping, and is a result that may not be there yet: `await` it"

# What is the current task of a loop where it is none of asyncio's that awaits a Deferred.
NO_TASKS = frozenset((NoneType, TaskProxy))


class Deferred(DeferredFields[_T]):
    """A result that will be there later, or an error, and the callbacks that wait for it.

    `await` gives the result in Deferred coroutines and in asyncio's tasks alike.

    Attributes:
        called: whether it has fired.
        result: the current result; missing until it has fired. Each callback replaces it.
        paused: how many reasons keep callbacks from running; one is to wait for another Deferred.
        debug: whether new ones remember where they were made and fired (see `setDebugging`).

    Thread: any, one at a time.
    """

    __slots__ = ()

    def __init__(self, canceller: Callable[[Deferred[Any]], None] | None = None) -> None:
        """Make one that has not fired.

        Args:
            canceller: called with this Deferred by `cancel`, to stop what would fire it. It may
                fire it; if it does not, `cancel` does, with `CancelledError`.
        """
        self._callbacks = None
        self._canceller = canceller
        self._debugInfo = None
        self._state = None
        self.called = False
        self.paused = 0
        if Deferred.debug:
            self._debugInfo = info = DebugInfo()
            info.creator = currentStack(1)

    # Adding callbacks

    @overload
    def addCallbacks(
        self,
        callback: Callable[..., Deferred[_U] | Failure],
        errback: None = ...,
        callbackArgs: tuple[Any, ...] | None = ...,
        callbackKeywords: Mapping[str, Any] | None = ...,
        errbackArgs: tuple[Any, ...] | None = ...,
        errbackKeywords: Mapping[str, Any] | None = ...,
    ) -> Deferred[_U]: ...

    @overload
    def addCallbacks(
        self,
        callback: Callable[..., Deferred[_U] | Failure | _U],
        errback: None = ...,
        callbackArgs: tuple[Any, ...] | None = ...,
        callbackKeywords: Mapping[str, Any] | None = ...,
        errbackArgs: tuple[Any, ...] | None = ...,
        errbackKeywords: Mapping[str, Any] | None = ...,
    ) -> Deferred[_U]: ...

    @overload
    def addCallbacks(
        self,
        callback: Callable[..., Deferred[_U] | Failure],
        errback: Callable[..., Deferred[_V] | Failure],
        callbackArgs: tuple[Any, ...] | None = ...,
        callbackKeywords: Mapping[str, Any] | None = ...,
        errbackArgs: tuple[Any, ...] | None = ...,
        errbackKeywords: Mapping[str, Any] | None = ...,
    ) -> Deferred[_U | _V]: ...

    @overload
    def addCallbacks(
        self,
        callback: Callable[..., Deferred[_U] | Failure],
        errback: Callable[..., Deferred[_V] | Failure | _V],
        callbackArgs: tuple[Any, ...] | None = ...,
        callbackKeywords: Mapping[str, Any] | None = ...,
        errbackArgs: tuple[Any, ...] | None = ...,
        errbackKeywords: Mapping[str, Any] | None = ...,
    ) -> Deferred[_U | _V]: ...

    @overload
    def addCallbacks(
        self,
        callback: Callable[..., Deferred[_U] | Failure | _U],
        errback: Callable[..., Deferred[_V] | Failure],
        callbackArgs: tuple[Any, ...] | None = ...,
        callbackKeywords: Mapping[str, Any] | None = ...,
        errbackArgs: tuple[Any, ...] | None = ...,
        errbackKeywords: Mapping[str, Any] | None = ...,
    ) -> Deferred[_U | _V]: ...

    @overload
    def addCallbacks(
        self,
        callback: Callable[..., Deferred[_U] | Failure | _U],
        errback: Callable[..., Deferred[_V] | Failure | _V],
        callbackArgs: tuple[Any, ...] | None = ...,
        callbackKeywords: Mapping[str, Any] | None = ...,
        errbackArgs: tuple[Any, ...] | None = ...,
        errbackKeywords: Mapping[str, Any] | None = ...,
    ) -> Deferred[_U | _V]: ...

    def addCallbacks(
        self,
        callback: Callable[..., Any],
        errback: Callable[..., Any] | None = None,
        callbackArgs: tuple[Any, ...] | None = (),
        callbackKeywords: Mapping[str, Any] | None = NO_KEYWORDS,
        errbackArgs: tuple[Any, ...] | None = (),
        errbackKeywords: Mapping[str, Any] | None = NO_KEYWORDS,
    ) -> Deferred[Any]:
        """Add what to call with the result, and what to call with the Failure instead.

        What the one that is called returns is the next result; what it raises, the next Failure. If
        it returns a Deferred, that one's result is waited for.

        Args:
            callback: called as `callback(result, *callbackArgs, **callbackKeywords)`.
            errback: called as `errback(failure, *errbackArgs, **errbackKeywords)`; without it, a
                Failure goes on to those added later.
            callbackArgs: see there.
            callbackKeywords: see there.
            errbackArgs: see there.
            errbackKeywords: see there.

        Returns:
            this Deferred.
        """
        extra: Any = None
        if callbackArgs or callbackKeywords or errbackArgs or errbackKeywords:
            extra = (
                (callbackArgs or (), callbackKeywords or NO_KEYWORDS),
                (errbackArgs or (), errbackKeywords or NO_KEYWORDS),
            )
        return self._add((callback, PASS if errback is None else errback, extra))

    @overload
    def addCallback(self, callback: Callable[[_T], Deferred[_U] | Failure]) -> Deferred[_U]: ...

    @overload
    def addCallback(
        self, callback: Callable[[_T], Deferred[_U] | Failure | _U]
    ) -> Deferred[_U]: ...

    @overload
    def addCallback(
        self,
        callback: Callable[Concatenate[_T, _P], Deferred[_U] | Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_U]: ...

    @overload
    def addCallback(
        self,
        callback: Callable[Concatenate[_T, _P], Deferred[_U] | Failure | _U],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_U]: ...

    def addCallback(self, callback: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Add what to call with the result, as `callback(result, *args, **kwargs)`."""
        if args or kwargs:
            return self._add((callback, PASS, ((args, kwargs),)))
        # A callback without arguments is its own entry: no tuple for the most frequent case.
        callbacks = self._callbacks
        if callbacks is None:
            self._callbacks = [callback]
        else:
            try:
                callbacks.append(callback)
            except AttributeError:  # the entry of somebody who waits, see _run
                listed(self).append(callback)
        if self.called and self._state is None and not self.paused:
            fire(self, AGAIN)
            try:
                return self
            finally:
                del self  # see the end of fire
        return self

    @overload
    def addErrback(
        self, errback: Callable[[Failure], Deferred[_U] | Failure]
    ) -> Deferred[_T | _U]: ...

    @overload
    def addErrback(
        self, errback: Callable[[Failure], Deferred[_U] | Failure | _U]
    ) -> Deferred[_T | _U]: ...

    @overload
    def addErrback(
        self,
        errback: Callable[Concatenate[Failure, _P], Deferred[_U] | Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_T | _U]: ...

    @overload
    def addErrback(
        self,
        errback: Callable[Concatenate[Failure, _P], Deferred[_U] | Failure | _U],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_T | _U]: ...

    def addErrback(self, errback: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Add what to call with the Failure, as `errback(failure, *args, **kwargs)`."""
        entry = (PASS, errback, (None, (args, kwargs)) if args or kwargs else None)
        callbacks = self._callbacks
        if callbacks is None:
            self._callbacks = [entry]
        else:
            try:
                callbacks.append(entry)
            except AttributeError:  # the entry of somebody who waits, see _run
                listed(self).append(entry)
        if self.called and self._state is None and not self.paused:
            fire(self, AGAIN)
            try:
                return self
            finally:
                del self  # see the end of fire
        return self

    @overload
    def addBoth(
        self, callback: Callable[[_T | Failure], Deferred[_U] | Failure]
    ) -> Deferred[_U]: ...

    @overload
    def addBoth(
        self, callback: Callable[[_T | Failure], Deferred[_U] | Failure | _U]
    ) -> Deferred[_U]: ...

    @overload
    def addBoth(
        self,
        callback: Callable[Concatenate[_T | Failure, _P], Deferred[_U] | Failure],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_U]: ...

    @overload
    def addBoth(
        self,
        callback: Callable[Concatenate[_T | Failure, _P], Deferred[_U] | Failure | _U],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_U]: ...

    def addBoth(self, callback: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Add what to call with the result or the Failure, as `callback(it, *args, **kwargs)`."""
        return self._add(
            (callback, callback, ((args, kwargs), (args, kwargs)) if args or kwargs else None)
        )

    def _add(self, entry: Any) -> Deferred[Any]:
        """Append an entry, and run it if nothing is in its way."""
        callbacks = self._callbacks
        if callbacks is None:
            self._callbacks = [entry]
        else:
            try:
                callbacks.append(entry)
            except AttributeError:  # the entry of somebody who waits, see _run
                listed(self).append(entry)
        if self.called and self._state is None and not self.paused:
            fire(self, AGAIN)
            try:
                return self
            finally:
                del self  # see the end of fire
        return self

    def chainDeferred(self, d: Deferred[_T]) -> Deferred[None]:
        """Fire another Deferred with this one's result; this one goes on with None."""
        if not d.called:
            if d._state is None or d._state.thread is None:
                if type(d._callbacks) is int:
                    listed(d)
                d._state = ChainSource(self, d._state)
            else:
                bindThread(self, d._state)
        return self.addCallbacks(d.callback, d.errback)

    def addTimeout(
        self,
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

        Raises:
            TypeError: the clock has no `callLater`.
        """
        checkClock(clock, "addTimeout")
        timedOut = False

        def expire() -> None:
            nonlocal timedOut
            timedOut = True
            cancelSurely(self)

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
        outcome: Deferred[Any] = self.addBoth(convert).addBoth(stopClock)
        return outcome

    # Firing

    if TYPE_CHECKING:

        def callback(self, result: _T | Failure) -> None:
            """Fire: have the callbacks called, now, with the result.

            Raises:
                AlreadyCalledError: it has fired.
                WrongThreadError: something on an asyncio loop in another thread waits for it.
            """
    else:
        callback = fire  # it is the loop that runs callbacks as well, see there

    def _fireNested(self) -> None:
        """Run the callbacks, deep inside of other runs, or in debug mode."""
        if Deferred.debug:
            self._noteInvoker(3)
        if not self.paused:
            if nesting[0] < NEAR:
                fire(self, AGAIN)
            else:
                runNested(self)

    def _runNested(self) -> None:
        """Go on with the callbacks, deep inside of other runs."""
        runNested(self)

    def errback(self, fail: Failure | BaseException | None = None) -> None:
        """Fire: have the errbacks called, now, with the error.

        Args:
            fail: the error; the exception that is being handled unless given.

        Raises:
            AlreadyCalledError: it has fired.
            WrongThreadError: something on an asyncio loop in another thread waits for it.
            NoCurrentExceptionError: no error was given, and none is being handled.
        """
        if fail is None:
            fail = Failure(captureVars=self.debug)
        elif not issubclass(type(fail), Failure):
            fail = Failure(fail)
        try:
            fire(self, fail)
        finally:
            del self, fail

    def _firedAgain(self) -> None:
        """Complain about a second firing, but after a cancel not about the first one that comes."""
        if self._suppressAlreadyCalled:
            self._suppressAlreadyCalled = False
            return
        if self._debugInfo is not None and self.debug:
            raise AlreadyCalledError("\n" + self._debugInfo._getDebugTracebacks())
        error = AlreadyCalledError()
        error.hint = (
            f"{safe_repr(self)} has been fired before; defer.setDebugging(True), called before it"
            " is made, shows where"
        )
        raise error

    def _noteInvoker(self, skip: int) -> None:
        """Remember who fires this (debug mode): the stack without the `skip` innermost frames."""
        if self._debugInfo is None:
            self._debugInfo = DebugInfo()
        self._debugInfo.invoker = currentStack(skip)

    def _checkThread(self) -> None:
        """Raise WrongThreadError if a loop in another thread waits for this, which has not fired.

        Whoever takes something off a list for this Deferred calls it before that.
        """
        if self._state is not None and self._state.thread not in (None, get_ident()):
            text = (
                f"{safe_repr(self)} was fired in another thread than that of the asyncio loop which"
                " waits for it; use "
            )
            if current.runningLoop() is None:
                raise WrongThreadError(text + "reactor.callFromThread(d.callback, result)")
            # The thread has a loop, too, so its reactor is not the one to post to.
            raise WrongThreadError(
                f"{text}loop.call_soon_threadsafe(d.callback, result) of that loop, or await it in"
                f" this one; it is {safe_repr(self._state.loop)}"
            )

    # Pausing

    def pause(self) -> None:
        """Keep callbacks from running until `unpause` has been called as often as this."""
        self.paused += 1

    def unpause(self) -> None:
        """Take back one `pause`."""
        self.paused -= 1
        if self.paused:
            return
        if self.called and self._state is not RUNNING:
            # As in Twisted, one that waits for another does so no longer if it is unpaused by hand.
            self._state = None
            fire(self, AGAIN)

    # Cancelling

    def cancel(self) -> None:
        """Cancel what is to fire this; if that does not fire it, fail with `CancelledError`.

        If it has fired and waits for another Deferred, that one is cancelled.

        Raises:
            WrongThreadError: something on an asyncio loop in another thread waits for it.
        """
        # Cancelling nests as firing does: a list cancels its parts, a coroutine what it waits for.
        depth = nesting[0]
        if depth >= NEAR:
            runNested(self, cancelSurely)
            return
        nesting[0] = depth + 1
        try:
            self._cancelNow()
        finally:
            nesting[0] = depth

    def _cancelNow(self) -> None:
        """Do what `cancel` does."""
        target: Deferred[Any] = self
        landmark, steps, limit = target, 0, 2
        while target.called:
            # Fired: what can be cancelled is the Deferred that it waits for, if it does.
            inner = target.result
            if not issubclass(type(inner), Deferred):
                return
            if inner is landmark:
                leaveCircle(target)
                return
            kind = type(inner)
            if kind.cancel is not Deferred.cancel or kind._cancelNow is not Deferred._cancelNow:
                inner.cancel()
                return
            target = inner
            steps += 1
            if steps == limit:
                landmark = target
                limit *= 2
        if target._state is not None:
            target._checkThread()
        if target._canceller is not None:
            target._canceller(target)
        else:
            # What was to fire it does not know that it was cancelled, and will fire it.
            target._suppressAlreadyCalled = True
        if not target.called:
            target.errback(Failure(CancelledError()))

    # Awaiting

    def __await__(self) -> Generator[Any, Any, _T]:
        """Wait for the result, in a Deferred coroutine or in an asyncio task; it is left here."""
        if self.called and not self.paused:
            if self._callbacks is not None:
                runIfReady(self)  # left behind one that was paused
            result = self.result
            if type(result) in NON_DEFERRED_TYPES or not issubclass(type(result), Failure):
                return result  # type: ignore[no-any-return]
            info = self._debugInfo
            if info is not None:
                info.failResult = None
        else:
            loop = current.runningLoop()
            if loop is None or type(current.currentTask(loop)) in NO_TASKS:
                # A Deferred coroutine, or another driver in Twisted's manner: it sends the result.
                result = yield self
                if result is None and not self.called:
                    raise RuntimeError(NOT_AWAITED.format(safe_repr(self)))
                return result  # type: ignore[no-any-return]
            waiter = FutureAdapter(self, loop)
            if self._callbacks is None and self._state is None and not self.called:
                self._callbacks = (KEEP, KEEP, waiter)
                self._state = waiter
            else:
                addWaiter(self, (KEEP, KEEP, waiter))
            try:
                yield waiter
            except BaseException:
                if waiter._deferred is not None:
                    removeEntry(self, waiter)  # whatever iterated over this has been dropped
                else:
                    giveBack: Any = getattr(self, "_giveBack", None)
                    if giveBack is not None:
                        # Cancelled in the very turn in which it was handed a lock or an item.
                        giveBack(waiter.outcome)
                raise
            if waiter._deferred is not None:
                removeEntry(self, waiter)
                raise RuntimeError(NOT_AWAITED.format(safe_repr(self)))
            result = waiter.outcome
            del waiter  # it keeps the outcome: see below
            if type(result) in NON_DEFERRED_TYPES or not issubclass(type(result), Failure):
                return result  # type: ignore[no-any-return]
        # No frame of the exception's traceback may keep the Deferred that keeps the exception.
        error = withTraceback(result.value, result.tb)
        del self, result
        try:
            raise error
        finally:
            del error

    __iter__ = __await__

    if not TYPE_CHECKING:

        @property
        def __dict__(self):
            """The attributes that others have put on it.

            One of our own classes that has none says that there is no dictionary: FastAPI would
            take it, empty, for the answer of a handler that forgets to await.
            """
            attributes = attributesOf(self)
            if attributes or not type(self).__module__.startswith("twistlike."):
                return attributes
            raise AttributeError(NO_MAPPING.format(safe_repr(self)))

        def keys(self):
            """Raise TypeError: `dict()` calls this, and would take one that has fired for empty."""
            raise TypeError(NO_MAPPING.format(safe_repr(self)))

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

    def asFuture(self, loop: AbstractEventLoop) -> Future[_T]:
        """Return an asyncio future of this Deferred's result, which it takes.

        Cancelling the future cancels the Deferred. The future of a Deferred that was cancelled
        fails with `defer.CancelledError`, an ordinary exception. Inside a task, `await` takes a
        Deferred itself.

        Thread: the loop's.
        """
        from twistlike._defer.futures import asFuture

        return asFuture(self, loop)

    # Texts, and what Twisted's own code reads

    @property
    def _chainedTo(self) -> Any:
        """The Deferred whose result this one is to get, or None."""
        state = self._state
        if self.called:
            return state if isinstance(state, Deferred) else None
        return state.source if isinstance(state, ChainSource) else None

    def __str__(self) -> str:
        name = type(self).__name__
        inner = self._chainedTo
        if inner is not None:
            return f"<{name} at 0x{id(self):x} waiting on Deferred at 0x{id(inner):x}>"
        if hasattr(self, "result"):
            return f"<{name} at 0x{id(self):x} current result: {safe_repr(self.result)}>"
        return f"<{name} at 0x{id(self):x}>"

    __repr__ = __str__

    @property
    def _runningCallbacks(self) -> bool:
        return self._state is RUNNING

    @property
    def callbacks(self) -> list[Any]:
        """What is still to be called, as Twisted shows it; a copy. Deprecated, as in Twisted."""
        warnDeprecated("internet.defer.Deferred.callbacks", "25.5.0")
        entries = self._callbacks
        if entries is None:
            return []
        if type(entries) is int:
            entries = (COLLECT, entries, self._state)
        return [_shown(entry) for entry in (entries if type(entries) is list else [entries])]


def _shown(entry: Any) -> tuple[Any, Any]:
    """Return an entry as a pair of (function, args, keywords), for a result and for an error."""
    if type(entry) is not tuple:
        return ((entry, (), {}), (failthru, (), {}))
    callback, errback, extra = entry
    args: Any = ((), {})
    if type(extra) is not tuple and extra is not None:
        callback = errback = extra
    pairs: list[Any] = []
    for failed, (function, through) in enumerate(((callback, passthru), (errback, failthru))):
        if function is PASS:
            pairs.append((through, (), {}))
        else:
            pairs.append((function, *(extra[failed] if type(extra) is tuple else args)))
    return (pairs[0], pairs[1])


def succeed(result: _T) -> Deferred[_T]:
    """Return a Deferred that has fired with a result."""
    if Deferred.debug:
        d: Deferred[_T] = Deferred()
        d.callback(result)
        return d
    # What __init__ and callback do, without the calls.
    d = _new(Deferred)
    d._callbacks = None
    d._canceller = None
    d._debugInfo = None
    d._state = None
    d.called = True
    d.paused = 0
    d.result = result
    if type(result) not in NON_DEFERRED_TYPES:
        fire(d, AGAIN)
    return d


def fail(result: Failure | BaseException | None = None) -> Deferred[Any]:
    """Return a Deferred that has failed.

    Args:
        result: the error; the exception that is being handled unless given.
    """
    d: Deferred[Any] = Deferred()
    d.errback(result)
    return d


def setDebugging(on: bool) -> None:
    """Let Deferreds made from now on remember where they were made and fired, or not."""
    Deferred.debug = bool(on)
    setMostNested(0 if on else NEAR)


def getDebugging() -> bool:
    """Return what `setDebugging` was last given."""
    return Deferred.debug


showAs("twistlike.internet.defer", globals(), __all__)
