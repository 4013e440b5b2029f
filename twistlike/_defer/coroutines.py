"""`inlineCallbacks` and `ensureDeferred`: generators and coroutines that wait for Deferreds.

Thread: any, one at a time; on an asyncio loop, the loop's.

How it works
------------
`CoroutineDeferred` is the Deferred of a coroutine's result and at the same time what drives it. It
stands in the callbacks of the Deferred that the coroutine waits for (see `_run`), so `_resume` is
called with the outcome, and answers with itself once the coroutine has ended: then its own
callbacks are to run. Nothing recurses. A step goes on as long as what is waited for is there.

Where a loop runs, a proxy (see `task_proxy`) is the current task during each step.
"""

# pyright: reportPossiblyUnboundVariable=false
# In CoroutineDeferred._resume, where each name costs, "before" is set where it is read.
from __future__ import annotations

from _thread import get_ident
from contextvars import copy_context
from functools import wraps
from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from twistlike._base.coroutines import checkGenerator
from twistlike._base.deprecation import warnDeprecated
from twistlike._base.error import WrongThreadError
from twistlike._base.failure import Failure, withTraceback
from twistlike._base.functions import describeWithPlace, withoutArguments
from twistlike._base.naming import callAs, showAs
from twistlike._base.reflect import safe_repr
from twistlike._defer.callbacks import (
    AGAIN,
    NON_DEFERRED_TYPES,
    RESUME,
    addWaiter,
    fire,
    listed,
    removeEntry,
)
from twistlike._defer.cancelling import cancelFor, reportCanceller
from twistlike._defer.debug import DebugInfo, currentStack, isCancelOfAsyncio
from twistlike._defer.deferred import Deferred
from twistlike._defer.errors import CancelledError, NotACoroutineError
from twistlike._defer.futures import classHas, isFuture, outcomeOf
from twistlike._defer.nesting import runIfReady
from twistlike._defer.task_future import whenTaskWaits
from twistlike._defer.task_proxy import TaskProxy
from twistlike._eventloop import current

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from typing import ParamSpec

    _P = ParamSpec("_P")

__all__ = [
    "CoroutineDeferred",
    "cancelled",
    "ensureDeferred",
    "fromAwaitable",
    "fromCoroutine",
    "inlineCallbacks",
    "isCancel",
    "returnValue",
    "start",
    "startCoroutine",
]

_T = TypeVar("_T")

_WAITING: Any = object()  # what a step answers itself when it has to wait


class _DefGen_Return(BaseException):
    """Carries the value of `returnValue` out of a generator."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class _Unfinished(Deferred[Any]):
    """What a cancelled coroutine's Deferred waits for while the coroutine goes on.

    Attributes:
        cancelling: whether the cancel is still going on: the callbacks then wait for its end.
        again: whether it has been cancelled again, meanwhile.
    """

    __slots__ = ("again", "cancelling")

    cancelling: bool
    again: bool


class CoroutineDeferred(Deferred[_T]):
    """The result of a coroutine or generator, and what drives it."""

    __slots__ = (
        "_context",
        "_entry",
        "_proxy",
        "_send",
        "_waitingOn",
        "_yielded",
        "loop",
        "thread",
    )

    # None once the coroutine has ended.
    _send: Any  # the coroutine's send, bound once because it is called for each step
    _context: Any
    _entry: Any  # what stands in the callbacks of what it waits for
    # A Deferred (while it runs, the one before), a future, the handle of a call in the loop's next
    # turn, or None.
    _waitingOn: Any
    _proxy: TaskProxy | None
    _yielded: bool  # whether that is a future that was yielded, rather than awaited
    loop: AbstractEventLoop | None  # the loop on which it waits
    thread: int | None  # and its thread

    _atBorder = False  # whether it has ever waited for something of asyncio's

    def __init__(self, coro: Any) -> None:
        # Not by super(): this is made as often as a coroutine is.
        self._callbacks = None
        self._canceller = None
        self._debugInfo = None
        self._state = None
        self.called = False
        self.paused = 0
        self._send = coro.send
        self._context = copy_context()
        self._entry = None
        self._waitingOn = None
        self._proxy = None
        self.loop = None
        self.thread = None
        if Deferred.debug:
            self._debugInfo = info = DebugInfo()
            info.creator = currentStack(3)

    # Running

    def _resume(self, outcome: Any) -> Deferred[Any] | None:
        """Go on with the outcome of what was waited for; where a loop runs, as its current task.

        Args:
            outcome: a result or a Failure.

        Returns:
            this Deferred, if the coroutine has ended and callbacks are to be run.
        """
        send = self._send
        if send is None:
            return None  # it has ended
        loop = current.runningLoop()
        if loop is not None:
            proxy = self._proxy
            if proxy is None or proxy._loop is not loop:
                proxy = self._proxy = TaskProxy(self, loop)
                for tell in tuple(whenTaskWaits):
                    tell()
            elif proxy._must_cancel:
                if hasattr(self._waitingOn, "_giveBack"):
                    # Cancelled in the very turn in which it is handed a lock or an item.
                    self._waitingOn._giveBack(outcome)
                outcome = proxy._takeCancel()
                self._atBorder = True
            before = current.swapTask(loop, proxy)
        try:
            while True:
                if type(outcome) in NON_DEFERRED_TYPES or not issubclass(type(outcome), Failure):
                    value = self._context.run(send, outcome)
                else:
                    value = self._context.run(
                        send.__self__.throw, withTraceback(outcome.value, outcome.tb)
                    )
                if type(value) is not Deferred and not issubclass(type(value), Deferred):
                    value = self._translate(value, loop)
                    if not issubclass(type(value), Deferred):
                        if value is _WAITING:
                            return None
                        outcome = value
                        continue
                if value.called:
                    if value._callbacks is not None:
                        runIfReady(value)  # left behind one that was paused, or not through yet
                    if not value.paused and value._state is None:
                        outcome = value.result
                        value.result = None
                        if value._debugInfo is not None:
                            value._debugInfo.failResult = None
                        continue
                self._waitingOn = value
                if loop is not None:
                    self.loop = loop
                    self.thread = get_ident()
                elif self.thread is not None:
                    self.loop = self.thread = None  # there was one before
                entry = self._entry
                if entry is None:
                    entry = self._entry = (RESUME, RESUME, self)
                if value._callbacks is None and value._state is None and not value.called:
                    value._callbacks = entry
                    value._state = self
                else:
                    addWaiter(value, entry)
                return None
        except StopIteration as stop:
            outcome = stop.value
        except BaseException as error:
            outcome = self._failed(error, send.__self__)
        finally:
            if loop is not None:
                current.swapTask(loop, before)  # type: ignore[possibly-undefined]
        try:
            return self._end(outcome)
        finally:
            proxy = None
            del self, outcome  # see the end of fire

    def _end(self, outcome: Any) -> Deferred[Any] | None:
        """Take the coroutine's result."""
        self._send = self._context = self._entry = None
        if self._proxy is not None:
            self._proxy._end(outcome)
            self._proxy = None
        state = self._state
        if not self.called:
            self.called = True
        elif type(state) is _Unfinished:
            if state.cancelling:
                self.result = outcome
                return None
            self.paused -= 1
            self._state = None
            state = state._state
        elif self._orphaned:
            if issubclass(type(outcome), Failure):
                DebugInfo().failResult = outcome  # nobody can handle it: it is reported
            return None
        else:
            self._firedAgain()  # somebody else has fired it
            return None
        self.result = outcome
        if Deferred.debug:
            self._noteInvoker(4)
        if state is not None:
            if type(self._callbacks) is int:
                listed(self)
            self._state = None
            if state.thread is not None and state.thread != get_ident():
                # It waited without a loop, and went on in a thread that is not its waiter's.
                state.loop.call_soon_threadsafe(runIfReady, self)
                return None
        if self._callbacks is None and type(outcome) in NON_DEFERRED_TYPES:
            return None
        return self

    def _failed(self, error: BaseException, coro: Any) -> Any:
        """Return what the coroutine's end by an exception comes to."""
        # Not isinstance, which may ask the error for its `__class__`: that may be anybody's code.
        if issubclass(type(error), _DefGen_Return):
            return _valueOf(error, coro)
        if self._atBorder and isCancel(error):
            return cancelled(error)
        return Failure.fromException(error)

    # What is waited for, if it is no Deferred

    def _translate(self, value: Any, loop: AbstractEventLoop | None) -> Any:
        """Return what to wait for or to send back, or _WAITING."""
        if value is None:
            if loop is None or self._isGenerator():
                return None
            # asyncio.sleep(0) and its like: the loop's next turn.
            self._atBorder = True
            self._waitingOn = loop.call_soon(self._wake)
            self.loop = loop
            self.thread = get_ident()
            return _WAITING
        if type(value) in NON_DEFERRED_TYPES:
            return value
        if isFuture(value):
            return self._waitForFuture(value, loop)
        if self._isGenerator():
            if type(value) is GeneratorType:
                return start(value)
            return fromAwaitable(value) or value
        return value

    def _isGenerator(self) -> bool:
        """Return whether plain values that are yielded are to be sent back, as in Twisted."""
        return isinstance(self._coroutine(), GeneratorType)

    def _coroutine(self) -> Any:
        return getattr(self._send, "__self__", None)

    def _waitForFuture(self, future: Any, loop: AbstractEventLoop | None) -> Any:
        home = future.get_loop()
        if home is not loop and (loop is not None or home.is_running()):
            future._asyncio_future_blocking = False
            return Failure(
                RuntimeError(
                    f"{future!r} belongs to another loop than the one that runs here: wait for it"
                    " there, and send its result with callFromThread"
                )
            )
        self._atBorder = True
        if future._asyncio_future_blocking:
            # `await future`: it looks at its result itself once it is resumed.
            future._asyncio_future_blocking = False
            resume = self._futureAwaited
            self._yielded = False
        elif future.done():
            return outcomeOf(future)
        else:
            resume = self._futureYielded
            self._yielded = True
        self._waitingOn = future
        self.loop = home
        self.thread = None if loop is None else get_ident()
        future.add_done_callback(resume)
        return _WAITING

    def _futureAwaited(self, future: Any) -> None:
        if self._waitingOn is future:
            del future  # a frame of its error's traceback may lead here
            self._wake()

    def _futureYielded(self, future: Any) -> None:
        if self._waitingOn is future:
            self._waitingOn = outcomeOf(future)
            del future  # a frame of its error's traceback may lead here
            self._wake(self._waitingOn)

    def _wake(self, outcome: Any = None) -> None:
        """Go on after something of asyncio's."""
        self._waitingOn = None
        if self._resume(outcome) is not None:
            runIfReady(self)
        del self, outcome

    # Cancelling

    def _cancelNow(self) -> None:
        """Cancel what the coroutine waits for, at once; what comes of that is its own affair."""
        if self._send is None or (self.called and type(self._state) is not _Unfinished):
            super()._cancelNow()
            return
        self._checkThread()
        # The innermost coroutine of those that wait for each other: not by recursion.
        line: list[CoroutineDeferred[Any]] = []
        inner: Any = self
        circular = False
        while issubclass(type(inner), CoroutineDeferred):
            circular = inner._isCancelling()
            if circular or not inner._becomeUnfinished():
                break
            line.append(inner)
            inner = inner._waitingOn
        if not line:
            self._state.again = True  # this is being cancelled already
            return
        last = line[-1]
        try:
            if circular:
                # In the end, the last one waits for this one. It leaves the circle.
                removeEntry(inner, last)
                last._wake(Failure(CancelledError()))
            elif issubclass(type(inner), Deferred):
                inner.cancel()
                if last._isStuck(inner):
                    # A circle through a list or the like: what it waits for waits for it.
                    removeEntry(inner, last)
                    inner.addErrback(lambda _: None)
                    last._wake(Failure(CancelledError()))
            elif inner is not None:
                last._cancelAtBorder(inner)
        except BaseException as error:
            last._orphan(Failure.fromException(error))
        for driver in reversed(line):
            driver._haveCancelled()

    def _checkThread(self) -> None:
        """Raise WrongThreadError if the coroutine, or what waits for it, is in another thread."""
        if self.thread not in (None, get_ident()):
            raise WrongThreadError(
                f"{safe_repr(self)} was cancelled in another thread than that of the asyncio loop"
                " on which its coroutine waits; use reactor.callFromThread(d.cancel)"
            )
        if not self.called:
            super()._checkThread()

    def _isStuck(self, inner: Deferred[Any]) -> bool:
        """Return whether a cancel came back to this, which still waits for `inner`."""
        state = self._state
        return type(state) is _Unfinished and state.again and self._waitingOn is inner

    def _isCancelling(self) -> bool:
        return type(self._state) is _Unfinished and self._state.cancelling

    def _becomeUnfinished(self) -> bool:
        """Count as fired, but wait for the coroutine's end: what Twisted's look like then.

        Returns:
            False if this has fired otherwise, and so cannot be cancelled.
        """
        if not self.called:
            if type(self._callbacks) is int:
                listed(self)
            self.called = True
            self.paused += 1
            source = self._state
            self.result = self._state = _Unfinished()
            self._state._state = source
        elif type(self._state) is not _Unfinished or self._send is None:
            return False
        self._state.cancelling = True
        self._state.again = False
        return True

    def _haveCancelled(self) -> None:
        """Run the callbacks, if the cancel has ended the coroutine."""
        state = self._state
        if type(state) is _Unfinished:
            state.cancelling = False
            if self.result is not state:
                self._state = None
                self.paused -= 1
                fire(self, AGAIN)  # as in Twisted, also if it was paused meanwhile

    def _orphan(self, failure: Failure) -> None:
        """Fail, because the canceller of what is waited for raised, as Twisted's do."""
        if type(self._state) is _Unfinished:
            self._orphaned = True
            self.result = failure
            if self.loop is not None:
                # A task or a time limit wants a cancel, and does not look at what came instead.
                reportCanceller(failure, self)

    def _cancelAtBorder(self, waiting: Any) -> None:
        if self._proxy is not None:
            self._proxy._requests += 1
        waiting.cancel()
        from asyncio import CancelledError as asyncioCancelledError  # it is there: see _waitingOn

        if hasattr(waiting, "done"):
            if not waiting.done():
                return  # a task that has to clean up first
            if self._yielded:
                self._wake(Failure(CancelledError()))
                return
        self._wake(Failure(asyncioCancelledError()))

    def _cancelDeferred(self) -> None:
        """Cancel the Deferred that is waited for; the task proxy calls this, in its own turn."""
        waiting = self._waitingOn
        if issubclass(type(waiting), Deferred) and not cancelFor(waiting, self):
            self._wake()


def isCancel(error: BaseException) -> bool:
    """Return whether this is asyncio's way to say "cancelled"."""
    from asyncio import CancelledError as asyncioCancelledError  # the coroutine waited for a future

    return issubclass(type(error), asyncioCancelledError)


def cancelled(error: BaseException) -> Failure:
    """Return asyncio's way to say "cancelled" in Twisted's."""
    ours = CancelledError(*error.args)
    ours.__cause__ = error
    return Failure(ours)


def start(coro: Any) -> CoroutineDeferred[Any]:
    """Run a coroutine or generator up to where it first waits."""
    driver: CoroutineDeferred[Any] = CoroutineDeferred(coro)
    if driver._resume(None) is not None:
        runIfReady(driver)
    try:
        return driver
    finally:
        del driver  # see the end of fire


async def _await(awaitable: Awaitable[_T]) -> _T:
    return await awaitable


def fromAwaitable(awaitable: Any) -> Deferred[Any] | None:
    """Return a Deferred of what something awaitable gives, or None if it is not awaitable.

    Args:
        awaitable: a Deferred (which is returned itself), a coroutine (which starts now), an asyncio
            future or task, or anything else with `__await__`.
    """
    kind = type(awaitable)
    if kind in NON_DEFERRED_TYPES:
        return None  # what most calls from threads return
    if issubclass(kind, Deferred):
        return awaitable  # type: ignore[no-any-return]
    if kind is CoroutineType:
        return start(awaitable)
    if isFuture(awaitable):
        return Deferred.fromFuture(awaitable)
    if classHas(awaitable, "__await__"):
        return start(_await(awaitable))
    return None


def _startsWith(coro: Any) -> bool:
    """Return whether something can be driven: coroutines, also Cython's, and generators."""
    if type(coro) in (CoroutineType, GeneratorType):
        return True
    return all(classHas(coro, name) for name in ("__await__", "send", "throw", "close"))


def fromCoroutine(coro: Any) -> Deferred[Any]:
    """Do what `Deferred.fromCoroutine` does."""
    if _startsWith(coro):
        return start(coro)
    raise NotACoroutineError(f"{safe_repr(coro)} is not a coroutine")


def ensureDeferred(
    coro: Coroutine[Any, Any, _T] | Generator[Any, Any, _T] | Deferred[_T],
) -> Deferred[_T]:
    """Run a coroutine, and return a Deferred of its result; a Deferred is returned itself.

    Raises:
        NotACoroutineError: it is neither.
    """
    if issubclass(type(coro), Deferred):
        return coro  # type: ignore[return-value]  # pyright: ignore[reportReturnType]
    if _startsWith(coro):
        return start(coro)
    raise NotACoroutineError(f"{safe_repr(coro)} is not a coroutine or a Deferred")


def inlineCallbacks(f: Callable[_P, Generator[Any, Any, _T]]) -> Callable[_P, Deferred[_T]]:
    """Let a generator function wait for what it yields; what it returns is a Deferred's result.

    It may yield Deferreds, coroutines, and on a loop asyncio's futures. Anything else that it
    yields is sent back to it.

    Returns:
        a function that returns a Deferred. Cancelling that cancels what the generator waits for.
    """

    @wraps(f)
    def unwindGenerator(*args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        try:
            gen = f(*args, **kwargs)
        except _DefGen_Return:
            raise TypeError(
                f"inlineCallbacks requires {f!r} to produce a generator; instead caught"
                " returnValue being used in a non-generator"
            ) from None
        if type(gen) is not GeneratorType:
            raise TypeError(
                f"inlineCallbacks requires {f!r} to produce a generator; instead got"
                f" {safe_repr(gen)}"
            )
        return start(gen)

    return unwindGenerator


def startCoroutine(coroutine: Any, function: Callable[..., object]) -> None:
    """Run a coroutine that nobody awaits, in the present context, and report its error.

    Args:
        coroutine: What a coroutine function returned whose result nobody takes. It may be any other
            of the types `NOT_RUN`, too.
        function: The function, for the report.

    Raises:
        TypeError: If it is the generator of the function, which nobody runs.
    """
    if type(coroutine) is not CoroutineType:
        checkGenerator(coroutine, function)
        return
    ensureDeferred(coroutine).addErrback(_startedFailed, function)


def _startedFailed(failure: Failure, function: Callable[..., object]) -> None:
    if isCancelOfAsyncio(failure.value):
        return
    from twistlike._log.report import report  # only an error that nobody handles needs it

    what = f"the coroutine of {describeWithPlace(function)} failed"
    report(failure, what, source=withoutArguments(function))


def returnValue(val: object) -> NoReturn:
    """End a generator of `inlineCallbacks` with a result. Deprecated: use `return`."""
    warnDeprecated("internet.defer.returnValue", "24.7.0", "standard return statement")
    raise _DefGen_Return(val)


def _valueOf(error: Any, coro: Any) -> Any:
    """Return what `returnValue` was given, with a warning if that was not in the generator itself.

    Called from another function, it ends that function and, by surprise, the generator with it.
    """
    frames = []
    tb = error.__traceback__
    while tb is not None:
        frames.append((tb.tb_frame.f_code, tb.tb_lineno))
        tb = tb.tb_next
    while frames and frames[-1][0] is returnValue.__code__:
        frames.pop()
    name = getattr(coro, "__name__", "?")
    own = getattr(coro, "gi_code", None) or getattr(coro, "cr_code", None)
    if frames and frames[-1][0] is not own:
        import warnings  # for a mistake only

        code, line = frames[-1]
        warnings.warn_explicit(
            f"returnValue() in {code.co_name!r} causing {name!r} to exit: returnValue should only"
            " be invoked by functions decorated with inlineCallbacks",
            DeprecationWarning,
            code.co_filename,
            line,
        )
    return error.value


callAs(Deferred, CoroutineDeferred, _Unfinished)
showAs(
    "twistlike.internet.defer",
    globals(),
    ["_DefGen_Return", "ensureDeferred", "inlineCallbacks", "returnValue"],
)
