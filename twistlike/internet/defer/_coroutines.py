"""`inlineCallbacks` and `ensureDeferred`: generators and coroutines that wait for Deferreds.

Thread: any, one at a time; on an asyncio loop, the loop's.

How it works
------------
`CoroutineDeferred` is the Deferred of a coroutine's result and at the same time what drives it. It
stands in the callbacks of the Deferred that the coroutine waits for (see `_deferred`), so `_resume` is
called with the outcome and answers with itself once the coroutine has ended: then its own callbacks
are to run. Nothing recurses. A step goes on for as long as what the coroutine waits for is there.

Where a loop runs, a stand-in (see `_standin`) is the current task during each step.
"""

from __future__ import annotations

from _thread import get_ident
from contextvars import copy_context
from functools import wraps
from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from twistlike.internet.defer import _border
from twistlike.internet.defer._debug import DebugInfo, currentStack
from twistlike.internet.defer._deferred import (
    KEEP,
    PLAIN,
    RESUME,
    Deferred,
    addWaiter,
    runCallbacks,
    runFromAfar,
)
from twistlike.internet.defer._errors import CancelledError, NotACoroutineError
from twistlike.internet.defer._futures import outcomeOf
from twistlike.internet.defer._standin import StandIn
from twistlike.internet.defer._waiter import sendHome
from twistlike.python.failure import Failure

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Handle
    from collections.abc import Callable, Coroutine, Generator
    from contextvars import Context
    from typing import ParamSpec

    _P = ParamSpec("_P")

__all__ = ["CoroutineDeferred", "ensureDeferred", "fromAwaitable", "inlineCallbacks", "returnValue"]

_T = TypeVar("_T")

_WAITING = object()  # what a step answers itself when it has to wait


class _DefGen_Return(BaseException):
    """Carries the value of `returnValue` out of a generator."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class _Unfinished(Deferred["_T"]):
    """What a cancelled coroutine's Deferred waits for while the coroutine goes on."""

    __slots__ = ()


class CoroutineDeferred(Deferred["_T"]):
    """The result of a coroutine or generator, and what drives it."""

    __slots__ = (
        "_atBorder",
        "_context",
        "_gen",
        "_isCoroutine",
        "_loop",
        "_standIn",
        "_waitingOn",
        "thread",
    )

    _shownAs = "Deferred"

    # None once it has ended.
    _gen: Any
    _context: Context | None
    # A Deferred, a future, the handle of a call in the loop's next turn; None while it runs.
    _waitingOn: Any
    _standIn: StandIn | None
    # Whether it has ever waited for something of asyncio's.
    _atBorder: bool
    _loop: AbstractEventLoop | None
    thread: int

    def __init__(self, gen: Any, isCoroutine: bool) -> None:
        self._callbacks = None
        self._canceller = None
        self._debugInfo = None
        self._home = None
        self._state = None
        self.called = False
        self.paused = 0
        self._gen = gen
        self._isCoroutine = isCoroutine
        self._context = copy_context()
        self._waitingOn = None
        self._standIn = None
        self._atBorder = False
        if Deferred.debug:
            self._debugInfo = info = DebugInfo()
            info.creator = currentStack(3)

    # Running

    def _resume(self, outcome: Any) -> Deferred[Any] | None:
        """Go on with the outcome of what was waited for.

        Returns:
            this Deferred, if the coroutine has ended and callbacks are to be run.
        """
        context = self._context
        if context is None:
            return None
        self._waitingOn = None
        loop = _border.runningLoop()
        if loop is None:
            return context.run(self._step, outcome, None)
        standIn = self._standIn
        if standIn is None or standIn._loop is not loop:
            standIn = self._standIn = StandIn(self, loop)
        elif standIn._must_cancel:
            outcome = standIn._takeCancel()
            self._atBorder = True
        swap = _border.swapTask
        before = swap(loop, standIn)
        try:
            return context.run(self._step, outcome, loop)
        finally:
            swap(loop, before)

    def _step(self, outcome: Any, loop: AbstractEventLoop | None) -> Deferred[Any] | None:
        gen = self._gen
        try:
            while True:
                if type(outcome) in PLAIN or not isinstance(outcome, Failure):
                    value = gen.send(outcome)
                else:
                    value = gen.throw(outcome.value.with_traceback(outcome.tb))
                if not isinstance(value, Deferred):
                    value = self._translate(value, loop)
                    if value is _WAITING:
                        return None
                    if not isinstance(value, Deferred):
                        outcome = value
                        continue
                if value._callbacks is not None or value._state is not None or value.paused or not value.called:
                    if value._callbacks is not None:
                        runFromAfar(value)
                    if value._state is not None or value.paused or not value.called:
                        self._waitingOn = value
                        if loop is None and value._callbacks is None:
                            value._callbacks = [(RESUME, RESUME, self)]
                        else:
                            self._waitOnLoop(value, loop)
                        return None
                outcome = value.result
                value.result = None
                if value._debugInfo is not None:
                    value._debugInfo.failResult = None
        except StopIteration as stop:
            outcome = stop.value
        except BaseException as error:
            outcome = self._failed(error)
        return self._end(outcome)

    def _waitOnLoop(self, value: Deferred[Any], loop: AbstractEventLoop | None) -> None:
        entry = (RESUME, RESUME, self)
        if loop is not None:
            self._loop = loop
            self.thread = get_ident()
            addWaiter(value, entry)
            return
        home = value._home
        addWaiter(value, entry)
        value._home = home

    def _end(self, outcome: Any) -> Deferred[Any] | None:
        """Take the coroutine's result."""
        self._gen = self._context = None
        standIn = self._standIn
        if standIn is not None:
            self._standIn = None
            standIn._end(outcome)
        if not self.called:
            self.called = True
            self._canceller = None
        elif type(self._state) is _Unfinished:
            self._state = None
            self.paused -= 1
        else:
            # Somebody else has fired it. An error must not vanish, though.
            if isinstance(outcome, Failure):
                DebugInfo().failResult = outcome
            return None
        self.result = outcome
        if Deferred.debug:
            self._noteInvoker()
        return self

    def _failed(self, error: BaseException) -> Any:
        """Return what the coroutine's end by an exception comes to."""
        if type(error) is _DefGen_Return:
            warnAboutReturnValue(error)
            return error.value
        if self._atBorder and isCancel(error):
            return cancelled(error)
        return Failure.fromException(error)

    # What is waited for, if it is no Deferred

    def _translate(self, value: Any, loop: AbstractEventLoop | None) -> Any:
        """Return what to wait for or to send back, or _WAITING."""
        if value is None:
            if not self._isCoroutine or loop is None:
                return None
            # asyncio.sleep(0) and its like: the loop's next turn.
            self._atBorder = True
            self._waitingOn = loop.call_soon(self._wake)
            return _WAITING
        if type(value) in PLAIN:
            return value
        if getattr(value, "_asyncio_future_blocking", None) is not None:
            return self._waitForFuture(value, loop)
        if not self._isCoroutine:
            if isinstance(value, GeneratorType):
                return start(value, False)
            return fromAwaitable(value) or value
        return value

    def _waitForFuture(self, future: Any, loop: AbstractEventLoop | None) -> Any:
        home = future.get_loop()
        if home is not loop and (loop is not None or home.is_running()):
            future._asyncio_future_blocking = False
            return Failure(
                RuntimeError(
                    f"{future!r} belongs to another loop than the one that runs here: wait for it there,"
                    " and send its result with callFromThread"
                )
            )
        self._atBorder = True
        if future._asyncio_future_blocking:
            # ``await future``: it looks at its result itself once it is resumed.
            future._asyncio_future_blocking = False
            resume = self._futureAwaited
        elif future.done():
            return outcomeOf(future)
        else:
            resume = self._futureYielded
        self._waitingOn = future
        future.add_done_callback(resume)
        return _WAITING

    def _futureAwaited(self, future: Any) -> None:
        if self._waitingOn is future:
            self._wake()

    def _futureYielded(self, future: Any) -> None:
        if self._waitingOn is future:
            self._wake(outcomeOf(future))

    def _wake(self, outcome: Any = None) -> None:
        following = self._resume(outcome)
        if following is not None:
            runFromAfar(following)

    def sendHome(self, deferred: Deferred[Any]) -> bool:
        return sendHome(deferred, self._loop, self.thread)

    # Cancelling

    def cancel(self) -> None:
        """Cancel what the coroutine waits for, at once; what comes of that is up to the coroutine."""
        if self._gen is None:
            Deferred.cancel(self)
            return
        driver: CoroutineDeferred[Any] = self
        while True:
            if not driver.called:
                driver._becomeUnfinished()
            inner = driver._waitingOn
            if not isinstance(inner, CoroutineDeferred) or inner._gen is None:
                break
            driver = inner
        if isinstance(inner, Deferred):
            inner.cancel()
        elif inner is not None:
            driver._cancelAtBorder(inner)

    def _becomeUnfinished(self) -> None:
        """Count as fired, but wait for the coroutine's end: what Twisted's look like then."""
        self.called = True
        self.paused += 1
        self.result = self._state = _Unfinished()

    def _cancelAtBorder(self, waiting: Handle | Any) -> None:
        if self._standIn is not None:
            self._standIn._requests += 1
        waiting.cancel()
        from asyncio import CancelledError as asyncioCancelledError  # it is there: see _waitingOn

        if hasattr(waiting, "done"):
            if not waiting.done():
                return  # a task that has to clean up first
            if waiting.remove_done_callback(self._futureYielded):
                self._wake(Failure(CancelledError()))
                return
            waiting.remove_done_callback(self._futureAwaited)
        self._wake(Failure(asyncioCancelledError()))

    def _cancelDeferred(self) -> None:
        """Cancel the Deferred that is waited for. (The stand-in calls this in a turn of its own.)"""
        waiting = self._waitingOn
        if isinstance(waiting, Deferred):
            try:
                waiting.cancel()
            except BaseException:
                from twistlike.python import log

                log.report(Failure(), "A canceller raised", source=self)


def isCancel(error: BaseException) -> bool:
    from asyncio import CancelledError as asyncioCancelledError

    return isinstance(error, asyncioCancelledError)


def cancelled(error: BaseException) -> Failure:
    """Return asyncio's way to say "cancelled" in Twisted's."""
    ours = CancelledError(*error.args)
    ours.__cause__ = error
    return Failure(ours)


def start(gen: Any, isCoroutine: bool) -> CoroutineDeferred[Any]:
    """Run a coroutine or generator up to where it first waits."""
    driver: CoroutineDeferred[Any] = CoroutineDeferred(gen, isCoroutine)
    if driver._resume(None) is not None and type(driver.result) not in PLAIN:
        runFromAfar(driver)
    return driver


async def _await(awaitable: Any) -> Any:
    return await awaitable


def fromAwaitable(awaitable: Any) -> Deferred[Any] | None:
    """Return a Deferred of what something awaitable gives, or None if it is not awaitable.

    Args:
        awaitable: a Deferred (which is returned itself), a coroutine (which starts now), an asyncio
            future or task, or anything else with ``__await__``.
    """
    if isinstance(awaitable, Deferred):
        return awaitable
    if isinstance(awaitable, CoroutineType):
        return start(awaitable, True)
    if getattr(awaitable, "_asyncio_future_blocking", None) is not None:
        return Deferred.fromFuture(awaitable)
    if hasattr(type(awaitable), "__await__"):
        return start(_await(awaitable), True)
    return None


def fromCoroutine(coro: Any) -> Deferred[Any]:
    if isinstance(coro, CoroutineType):
        return start(coro, True)
    if isinstance(coro, GeneratorType):
        return start(coro, False)
    if all(hasattr(coro, name) for name in ("__await__", "send", "throw", "close")):
        return start(coro, True)
    raise NotACoroutineError(f"{coro!r} is not a coroutine")


def ensureDeferred(coro: Any) -> Deferred[Any]:
    if isinstance(coro, Deferred):
        return coro
    try:
        return fromCoroutine(coro)
    except NotACoroutineError:
        raise NotACoroutineError(f"{coro!r} is not a coroutine or a Deferred") from None


def inlineCallbacks(f: Any) -> Any:
    @wraps(f)
    def unwindGenerator(*args: Any, **kwargs: Any) -> Any:
        gen = f(*args, **kwargs)
        if not isinstance(gen, GeneratorType):
            raise TypeError(
                f"inlineCallbacks requires {f!r} to produce a generator; instead got {gen!r}"
            )
        return start(gen, False)

    return unwindGenerator


def returnValue(val: object) -> NoReturn:
    raise _DefGen_Return(val)


def warnAboutReturnValue(error: BaseException) -> None:
    pass
