"""`Deferred`: a result that is not there yet, and the chain of callbacks that waits for it.

Thread: any, one at a time: a Deferred has no lock. One that something on an asyncio loop waits for
belongs to that loop's thread, and says so when it is fired elsewhere.

How it works
------------
A Deferred keeps a list of entries ``(callback, errback, extra)``. For a plain callback ``extra`` is
None, or the arguments. Four kinds of entries are not calls of somebody's function:

- ``(CONTINUE, CONTINUE, deferred)``: a callback of that Deferred returned this one. It takes over the
  result, and this one is left with None.
- ``(RESUME, RESUME, coroutine)``: a Deferred coroutine waits here. It takes the result, too.
- ``(KEEP, KEEP, waiter)``: somebody waits here, and leaves the result to those who come after.
- ``(COLLECT, index, list)``: a `DeferredList` notes the result as the one at that index.

`runCallbacks` runs a fired Deferred's entries. What an entry sets going (a Deferred that continues, a
coroutine that ended and so fired its own Deferred) comes back to the same loop, which keeps those that
it has not finished on a stack of its own. So a chain of any length runs at once and without recursion.
"""

from __future__ import annotations

from _thread import get_ident
from types import GenericAlias, MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from twistlike.internet.defer import _border
from twistlike.internet.defer._debug import DebugInfo, currentStack
from twistlike.internet.defer._errors import AlreadyCalledError, CancelledError, TimeoutError
from twistlike.internet.defer._standin import StandIn
from twistlike.internet.defer._waiter import TaskWaiter
from twistlike.internet.error import WrongThreadError
from twistlike.python.failure import Failure

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
    from typing import Concatenate, Generic, ParamSpec

    from twistlike.internet.interfaces import IReactorTime

    _P = ParamSpec("_P")
    # What runCallbacks has not finished: the Deferred, whether it counts as running, and then its result.
    _Frame = tuple["Deferred[Any]", bool, Any]

__all__ = ["Deferred", "KEEP", "PASS", "RESUME", "fail", "getDebugging", "setDebugging", "succeed"]

_T = TypeVar("_T")
_U = TypeVar("_U")
_ResultT = TypeVar("_ResultT")


class _Marker:
    """Something to compare with ``is``; its name is what a debugger shows."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


PASS = _Marker("PASS")  # in an entry: nothing to call for this kind of result
COLLECT = _Marker("COLLECT")
CONTINUE = _Marker("CONTINUE")
RESUME = _Marker("RESUME")
KEEP = _Marker("KEEP")
PENDING = _Marker("PENDING")  # in runCallbacks: the result is a Deferred that is to be waited for
RUNNING = _Marker("RUNNING")  # in Deferred._state: runCallbacks is at it

_NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})

# What most results are made of. One look into a set is cheaper than two calls of isinstance (15 ns
# against 60), for each callback that runs.
PLAIN = frozenset((NoneType, bool, int, float, str, bytes, list, tuple, dict, set))


def _noCallback(result: Any) -> Any:
    """Stand for a tuple given as a callback: entries that are tuples mean something else."""
    raise TypeError("'tuple' object is not callable")


if TYPE_CHECKING:

    class _Base(Awaitable[_T]):
        """What a Deferred is to a type checker: at run time ``Awaitable`` would cost a metaclass."""

        __slots__ = ()

        def __class_getitem__(cls, item: Any) -> GenericAlias: ...

else:

    class _Base:
        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)


class Deferred(_Base["_T"]):
    """A result that will be there later, or an error, and the callbacks that wait for it.

    ``await`` gives the result in Deferred coroutines and in asyncio's tasks alike.

    Attributes:
        called: whether it has fired.
        result: the current result; missing until it has fired. Each callback replaces it.
        paused: how many reasons keep callbacks from running; one is to wait for another Deferred.
        debug: whether new ones remember where they were made and fired (see `setDebugging`).

    Thread: any, one at a time.
    """

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

    _callbacks: list[Any] | None
    _canceller: Callable[[Deferred[Any]], object] | None
    _debugInfo: DebugInfo | None
    # Before it fires: None, or who waits for it on a loop, and so in which thread it must fire.
    # Afterwards: None, RUNNING, or the Deferred that it waits for.
    _state: Any

    debug: bool = False
    _suppressAlreadyCalled: bool = False  # set in the dictionary of the few that are cancelled
    _shownAs: str = ""  # the name of the class in texts, where it is not the class's own

    def __init__(self, canceller: Callable[[Deferred[Any]], object] | None = None) -> None:
        """Make one that has not fired.

        Args:
            canceller: called with this Deferred by `cancel`, to stop what would fire it. It may fire
                it; if it does not, ``cancel`` does, with `CancelledError`.
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

    def addCallbacks(
        self,
        callback: Callable[..., Any],
        errback: Callable[..., Any] | None = None,
        callbackArgs: tuple[Any, ...] = (),
        callbackKeywords: Mapping[str, Any] = _NO_KEYWORDS,
        errbackArgs: tuple[Any, ...] = (),
        errbackKeywords: Mapping[str, Any] = _NO_KEYWORDS,
    ) -> Deferred[Any]:
        extra: Any = None
        if callbackArgs or callbackKeywords or errbackArgs or errbackKeywords:
            extra = (
                (callbackArgs or (), callbackKeywords or _NO_KEYWORDS),
                (errbackArgs or (), errbackKeywords or _NO_KEYWORDS),
            )
        return self._add((callback, PASS if errback is None else errback, extra))

    def addCallback(self, callback: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        if args or kwargs:
            callback = (callback, PASS, ((args, kwargs),))
        callbacks = self._callbacks
        if callbacks is None:
            self._callbacks = [callback]
        else:
            callbacks.append(callback)
        if self.called and self._state is None and not self.paused:
            runCallbacks(self, self.result)
        return self

    def addErrback(self, errback: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        extra = (None, (args, kwargs)) if args or kwargs else None
        entry = (PASS, errback, extra)
        callbacks = self._callbacks
        if callbacks is None:
            self._callbacks = [entry]
        else:
            callbacks.append(entry)
        if self.called and self._state is None and not self.paused:
            runCallbacks(self, self.result)
        return self

    def addBoth(self, callback: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        extra = ((args, kwargs), (args, kwargs)) if args or kwargs else None
        return self._add((callback, callback, extra))

    def _add(self, entry: Any) -> Any:
        """Append an entry, and run it if nothing is in its way."""
        callbacks = self._callbacks
        if callbacks is None:
            self._callbacks = [entry]
        else:
            callbacks.append(entry)
        if self.called and self._state is None and not self.paused:
            runCallbacks(self, self.result)
        return self

    def chainDeferred(self, d: Deferred[_T]) -> Deferred[None]:
        """Fire another Deferred with this one's result; this one goes on with None."""
        return self.addCallbacks(d.callback, d.errback)

    # Firing

    def callback(self, result: Any) -> None:
        if self.called:
            self._firedAgain()
            return
        if self._state is not None:
            self._checkThread()
        self.called = True
        self._canceller = None
        self.result = result
        if Deferred.debug:
            self._noteInvoker()
        if (self._callbacks is not None or type(result) not in PLAIN) and not self.paused:
            runCallbacks(self, result)

    def errback(self, fail: Any = None) -> None:
        if fail is None:
            fail = Failure(captureVars=self.debug)
        elif not isinstance(fail, Failure):
            fail = Failure(fail)
        Deferred.callback(self, fail)

    def _firedAgain(self) -> None:
        """Complain about a second firing, but after a cancel not about the first one that comes."""
        if self._suppressAlreadyCalled:
            self._suppressAlreadyCalled = False
            return
        if self._debugInfo is not None and self.debug:
            raise AlreadyCalledError("\n" + self._debugInfo._getDebugTracebacks())
        raise AlreadyCalledError

    def _noteInvoker(self) -> None:
        if self._debugInfo is None:
            self._debugInfo = DebugInfo()
        self._debugInfo.invoker = currentStack(2)

    def _checkThread(self) -> None:
        """Before it fires: raise WrongThreadError if a loop in another thread waits for it."""
        if self._state.thread != get_ident():
            raise WrongThreadError(
                f"{self!r} was fired in another thread than the one whose asyncio loop waits for it;"
                " use reactor.callFromThread(d.callback, result)"
            )
        self._state = None

    # Pausing

    def pause(self) -> None:
        """Keep callbacks from running until `unpause` has been called as often as this."""
        self.paused += 1

    def unpause(self) -> None:
        """Take back one `pause`."""
        self.paused -= 1
        if self.paused:
            return
        if self.called and self._state is None:
            runCallbacks(self, self.result)

    # Cancelling

    def cancel(self) -> None:
        target: Deferred[Any] = self
        while target.called:
            # Fired: what can be cancelled is the Deferred that it waits for, if it does.
            inner = target.result
            if not isinstance(inner, Deferred):
                return
            if type(inner).cancel is not Deferred.cancel:
                inner.cancel()
                return
            target = inner
        if target._state is not None and target._state.thread != get_ident():
            target._checkThread()
        if target._canceller is not None:
            target._canceller(target)
        else:
            # Whoever was to fire it does not know that it was cancelled, and will fire it.
            target._suppressAlreadyCalled = True
        if not target.called:
            target.errback(Failure(CancelledError()))

    def addTimeout(
        self,
        timeout: float,
        clock: IReactorTime,
        onTimeoutCancel: Callable[[Any, float], Any] | None = None,
    ) -> Deferred[Any]:
        """Cancel this Deferred if it has not fired within some time.

        Args:
            timeout: seconds.
            clock: what measures them: a reactor, or a clock of a test.
            onTimeoutCancel: called with what came of the cancel, and the timeout, if it came to that;
                what it returns or raises takes its place. Without it, a `CancelledError` becomes a
                `TimeoutError`.
        """
        timedOut = False

        def expire() -> None:
            nonlocal timedOut
            timedOut = True
            self.cancel()

        def convert(outcome: Any) -> Any:
            if not timedOut:
                return outcome
            if onTimeoutCancel is not None:
                return onTimeoutCancel(outcome, timeout)
            if isinstance(outcome, Failure):
                outcome.trap(CancelledError)
                raise TimeoutError(timeout, "Deferred")
            return outcome

        def stopClock(outcome: Any) -> Any:
            if delayed.active():
                delayed.cancel()
            return outcome

        delayed = clock.callLater(timeout, expire)
        # Two callbacks, as in Twisted: what onTimeoutCancel returns may be a Deferred.
        return self.addBoth(convert).addBoth(stopClock)

    # Awaiting

    def __await__(self) -> Generator[Any, Any, _T]:
        if self.called and not self.paused and not isinstance(self.result, Deferred):
            result = self.result
            if type(result) in PLAIN or not isinstance(result, Failure):
                return result
            info = self._debugInfo
            if info is not None:
                info.failResult = None
        else:
            loop = _border.runningLoop()
            if loop is None or isinstance(_border.currentTask(loop), (StandIn, NoneType)):
                # A Deferred coroutine's driver, or another in Twisted's manner: it sends the result.
                return (yield self)
            waiter = TaskWaiter(self, loop)
            addWaiter(self, (KEEP, KEEP, waiter))
            bindThread(self, waiter)
            yield waiter
            result = waiter.outcome
            del waiter  # it keeps the outcome: see below
            if not isinstance(result, Failure):
                return result
        # No frame of the exception's traceback may keep the Deferred that keeps the exception.
        error = result.value.with_traceback(result.tb)
        del self, result
        try:
            raise error
        finally:
            del error

    __iter__ = __await__

    # Coroutines and futures: what makes them knows Deferreds, so it is imported late

    @classmethod
    def fromCoroutine(cls, coro: Any) -> Deferred[Any]:
        from twistlike.internet.defer._coroutines import fromCoroutine

        return fromCoroutine(coro)

    @classmethod
    def fromFuture(cls, future: Future[Any]) -> Deferred[Any]:
        from twistlike.internet.defer._futures import fromFuture

        return fromFuture(future)

    def asFuture(self, loop: AbstractEventLoop) -> Future[Any]:
        from twistlike.internet.defer._futures import asFuture

        return asFuture(self, loop)

    # What Twisted's consumers look at

    @property
    def _chainedTo(self) -> Deferred[Any] | None:
        state = self._state
        return state if isinstance(state, Deferred) else None

    @property
    def _runningCallbacks(self) -> bool:
        return self._state is RUNNING

    def __str__(self) -> str:
        name = self._shownAs or self.__class__.__name__
        if self._chainedTo is not None:
            return f"<{name} at 0x{id(self):x} waiting on Deferred at 0x{id(self._chainedTo):x}>"
        if hasattr(self, "result"):
            return f"<{name} at 0x{id(self):x} current result: {self.result!r}>"
        return f"<{name} at 0x{id(self):x}>"

    __repr__ = __str__


def chain(outer: Deferred[Any], inner: Deferred[Any]) -> None:
    """Let a fired Deferred, whose result is another one, wait for that one's result."""
    if outer is inner:
        _warnSelf()
    outer.result = inner
    outer.paused += 1
    outer._state = inner
    if outer._callbacks is not None:
        for entry in outer._callbacks:
            if type(entry) is tuple and (entry[0] is KEEP or entry[0] is RESUME):
                if entry[2].loop is not None:
                    bindThread(inner, entry[2])
                break
    entry = (CONTINUE, CONTINUE, outer)
    if inner._callbacks is None:
        inner._callbacks = [entry]
    else:
        inner._callbacks.append(entry)


def addWaiter(deferred: Deferred[Any], entry: Any) -> None:
    """Add an entry for somebody on a loop who waits for a Deferred without a result for them."""
    callbacks = deferred._callbacks
    if callbacks is None:
        deferred._callbacks = [entry]
    else:
        last = callbacks[-1]
        if type(last) is tuple and last[0] is RESUME:
            # Two that wait in a row both get the outcome. (In Twisted the second gets None.)
            callbacks[-1] = (KEEP, KEEP, last[2])
        callbacks.append(entry)


def bindThread(deferred: Deferred[Any], waiter: Any) -> None:
    """Let nothing fire a Deferred, or what it waits for, in another thread than the waiter's."""
    while deferred.called:
        state = deferred._state
        if not isinstance(state, Deferred) or state is deferred:
            return
        deferred = state
    if deferred._state is None:
        deferred._state = waiter


def runFromAfar(deferred: Deferred[Any]) -> None:
    """Run the callbacks of a fired Deferred, unless something keeps them from it."""
    if deferred.called and deferred._state is None and not deferred.paused:
        runCallbacks(deferred, deferred.result)


def _unwind(stack: list[_Frame] | None, following: Deferred[Any] | None) -> _Frame | None:
    """Return what `runCallbacks` runs next, if it cannot simply run what comes next."""
    while True:
        if following is not None:
            if following.paused:
                # As in Twisted, one that is paused stops those behind it, too: they go on when
                # somebody adds a callback to them.
                while stack and not stack[-1][1]:
                    stack.pop()
            else:
                return following, False, None
        if not stack:
            return None
        frame = stack.pop()
        if frame[1]:
            return frame
        # One that was left while it was not running. Something may have run it since.
        following = frame[0] if frame[0]._callbacks is not None else None


def runCallbacks(current: Deferred[Any], result: Any) -> None:
    """Run the callbacks of a Deferred that has fired and is neither paused nor running.

    This is where the time goes, so it is one function: a call costs as much as half a callback.
    """
    stack: list[_Frame] | None = None
    taken: Any = None  # an error that somebody who waits has got: not to be reported
    failed = type(result) not in PLAIN and isinstance(result, Failure)
    current._state = RUNNING
    following: Any
    while True:
        entries: Any = current._callbacks or ()
        done = 0  # how many of them have run
        for entry in entries:
            done += 1
            try:
                if type(entry) is not tuple:
                    if failed:
                        continue
                    result = entry(result)
                else:
                    callback, errback, extra = entry
                    if extra is None:
                        function = errback if failed else callback
                        if function is PASS:
                            continue
                        result = function(result)
                    elif type(extra) is tuple:
                        function = errback if failed else callback
                        if function is PASS:
                            continue
                        args, keywords = extra[failed]
                        result = function(result, *args, **keywords)
                    else:
                        if callback is COLLECT:
                            if extra._collect(result, errback, failed):
                                result = current.result = None
                                failed = False
                            continue
                        following = extra
                        if callback is CONTINUE:
                            break
                        following = extra._resume(result)
                        if callback is RESUME:
                            if following is None:
                                result = current.result = None
                                failed = False
                            else:
                                break
                        elif following is not None:
                            break
                        else:
                            taken = result
                        continue
            except BaseException as error:
                result = current.result = Failure.fromException(error)
                failed = True
                continue
            current.result = result
            if type(result) in PLAIN:
                failed = False
                continue
            if isinstance(result, Deferred):
                if not result.called or result.paused or isinstance(result.result, Deferred):
                    callback = PENDING
                    break
                inner = result
                result = current.result = inner.result
                inner.result = None
                if inner._debugInfo is not None:
                    inner._debugInfo.failResult = None
            failed = isinstance(result, Failure)
        else:
            # All have run. An error that is left is reported if nobody comes for it.
            current._callbacks = None
            current._state = None
            if failed:
                if result is not taken:
                    if current._debugInfo is None:
                        current._debugInfo = DebugInfo()
                    current._debugInfo.failResult = result
            elif current._debugInfo is not None:
                current._debugInfo.failResult = None
            if not stack:
                return
            callback = following = None

        if callback is not None:
            if done == len(entries):
                current._callbacks = None
            else:
                del entries[:done]
            if callback is CONTINUE:
                following.result = result
                following.paused -= 1
                following._state = None
                current.result = current._state = None
                if current._debugInfo is not None:
                    current._debugInfo.failResult = None
                if current._callbacks is not None:
                    if stack is None:
                        stack = []
                    stack.append((current, False, None))
            elif callback is PENDING:
                chain(current, result)
                following = None
            else:
                if stack is None:
                    stack = []
                stack.append((current, True, None if callback is RESUME else result))

        if following is None or following.paused:
            frame = _unwind(stack, following)
            if frame is None:
                return
            current = frame[0]
            if frame[1]:
                current.result = taken = frame[2]
        else:
            current = following
            taken = None
        result = current.result
        failed = type(result) not in PLAIN and isinstance(result, Failure)
        current._state = RUNNING


def _warnSelf() -> None:
    import warnings  # a mistake is rare, and the module is not free

    warnings.warn(
        "Callback returned the Deferred it was attached to; this breaks the callback chain and will"
        " raise an exception in the future.",
        category=DeprecationWarning,
        stacklevel=5,
    )


def succeed(result: Any) -> Deferred[Any]:
    """Return a Deferred that has fired with a result."""
    d: Deferred[Any] = Deferred()
    d.called = True
    d.result = result
    if type(result) not in PLAIN:
        runCallbacks(d, result)
    return d


def fail(result: Any = None) -> Deferred[Any]:
    """Return a Deferred that has failed."""
    d: Deferred[Any] = Deferred()
    d.errback(result)
    return d


def setDebugging(on: bool) -> None:
    """Let Deferreds made from now on remember where they were made and fired, or not."""
    Deferred.debug = bool(on)


def getDebugging() -> bool:
    """Return what `setDebugging` was last given."""
    return Deferred.debug
