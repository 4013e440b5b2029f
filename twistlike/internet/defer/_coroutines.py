"""`inlineCallbacks` and `ensureDeferred`: generators and coroutines that wait for Deferreds.

Thread: any, one at a time; on an asyncio loop, the loop's.

How it works
------------
`CoroutineDeferred` is the Deferred of a coroutine's result and at the same time what drives it. It
stands in the callbacks of the Deferred that the coroutine waits for (see `_run`), so `_resume` is
called with the outcome, and answers with itself once the coroutine has ended: then its own
callbacks are to run. Nothing recurses. A step goes on as long as what is waited for is there.

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
from twistlike.internet.defer._deferred import Deferred
from twistlike.internet.defer._errors import CancelledError, NotACoroutineError
from twistlike.internet.defer._futures import outcomeOf
from twistlike.internet.defer._run import PLAIN, RESUME, addWaiter, bindThread, runFromAfar
from twistlike.internet.defer._standin import StandIn
from twistlike.python.failure import Failure

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Coroutine, Generator
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

    __slots__ = ("_entry", "_run", "_send", "_standIn", "_waitingOn", "loop", "thread")

    _shownAs = "Deferred"

    # Bound once, because they are called for each step; None once the coroutine has ended.
    _send: Any  # the coroutine's send
    _run: Any  # its context's run
    _entry: Any  # what stands in the callbacks of what it waits for
    _waitingOn: Any  # a Deferred, a future, the handle of a call in the loop's next turn, or None
    _standIn: StandIn | None
    loop: AbstractEventLoop | None  # the loop on which it waits
    thread: int  # and its thread

    _atBorder = False  # whether it has ever waited for something of asyncio's

    def __init__(self, gen: Any) -> None:
        self._callbacks = None
        self._canceller = None
        self._debugInfo = None
        self._state = None
        self.called = False
        self.paused = 0
        self._send = gen.send
        self._run = copy_context().run
        self._entry = (RESUME, RESUME, self)
        self._waitingOn = None
        self._standIn = None
        self.loop = None
        if Deferred.debug:
            self._debugInfo = info = DebugInfo()
            info.creator = currentStack(3)

    # Running

    def _resume(self, outcome: Any) -> Deferred[Any] | None:
        """Go on with the outcome of what was waited for.

        Returns:
            this Deferred, if the coroutine has ended and callbacks are to be run.
        """
        self._waitingOn = None
        loop = _border.runningLoop()
        if loop is None:
            return self._step(outcome, None)
        standIn = self._standIn
        if standIn is None or standIn._loop is not loop:
            standIn = self._standIn = StandIn(self, loop)
        elif standIn._must_cancel:
            outcome = standIn._takeCancel()
            self._atBorder = True
        swap = _border.swapTask
        before = swap(loop, standIn)
        try:
            return self._step(outcome, loop)
        finally:
            swap(loop, before)

    def _step(self, outcome: Any, loop: AbstractEventLoop | None) -> Deferred[Any] | None:
        run = self._run
        send = self._send
        if run is None or send is None:
            return None  # it has ended
        try:
            while True:
                if type(outcome) in PLAIN or not isinstance(outcome, Failure):
                    value = run(send, outcome)
                else:
                    value = run(send.__self__.throw, outcome.value.with_traceback(outcome.tb))
                if not isinstance(value, Deferred):
                    value = self._translate(value, loop)
                    if value is _WAITING:
                        return None
                    if not isinstance(value, Deferred):
                        outcome = value
                        continue
                callbacks = value._callbacks
                if callbacks is not None and value.called:
                    # Left behind one that was paused, or not through yet.
                    runFromAfar(value)
                if not value.called or value.paused or value._state is not None:
                    self._waitingOn = value
                    if loop is not None:
                        self.loop = loop
                        self.thread = get_ident()
                        bindThread(value, self)
                    if callbacks is None:
                        value._callbacks = [self._entry]
                    else:
                        addWaiter(value, self._entry)
                    return None
                outcome = value.result
                value.result = None
                if value._debugInfo is not None:
                    value._debugInfo.failResult = None
        except StopIteration as stop:
            outcome = stop.value
        except BaseException as error:
            outcome = self._failed(error, send.__self__)
        return self._end(outcome)

    def _end(self, outcome: Any) -> Deferred[Any] | None:
        """Take the coroutine's result."""
        self._send = self._run = self._entry = None
        if self._standIn is not None:
            self._standIn._end(outcome)
            self._standIn = None
        state = self._state
        if not self.called:
            self.called = True
        elif type(state) is _Unfinished:
            self.paused -= 1
            state = state._state
        else:
            # Somebody else has fired it. An error must not vanish, though.
            if isinstance(outcome, Failure):
                DebugInfo().failResult = outcome
            return None
        self._state = None
        self.result = outcome
        if Deferred.debug:
            self._noteInvoker(4)
        if state is not None and state.thread != get_ident():
            # It waited without a loop, and was resumed in a thread that is not its waiter's.
            state.loop.call_soon_threadsafe(runFromAfar, self)
            return None
        return self

    def _failed(self, error: BaseException, coro: Any) -> Any:
        """Return what the coroutine's end by an exception comes to."""
        if isinstance(error, _DefGen_Return):
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
            return _WAITING
        if type(value) in PLAIN:
            return value
        if getattr(value, "_asyncio_future_blocking", None) is not None:
            return self._waitForFuture(value, loop)
        if self._isGenerator():
            if isinstance(value, GeneratorType):
                return start(value)
            return fromAwaitable(value) or value
        return value

    def _isGenerator(self) -> bool:
        """Return whether plain values that are yielded are to be sent back, as in Twisted."""
        return isinstance(self._coroutine(), GeneratorType)

    def _coroutine(self) -> Any:
        return getattr(self._send, "__self__", None)

    def _context(self) -> Context:
        context: Context = self._run.__self__
        return context

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

    # Cancelling

    def cancel(self) -> None:
        """Cancel what the coroutine waits for, at once; what comes of that is its own affair."""
        if self._send is None:
            super().cancel()
            return
        driver: CoroutineDeferred[Any] = self
        while True:
            if not driver.called:
                driver._becomeUnfinished()
            inner = driver._waitingOn
            if not isinstance(inner, CoroutineDeferred) or inner._send is None:
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

    def _cancelAtBorder(self, waiting: Any) -> None:
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
        """Cancel the Deferred that is waited for. (The stand-in calls this, in its own turn.)"""
        waiting = self._waitingOn
        if isinstance(waiting, Deferred):
            try:
                waiting.cancel()
            except BaseException:
                from twistlike.python import log

                log.report(Failure(), "A canceller raised", source=self)


def isCancel(error: BaseException) -> bool:
    """Return whether this is asyncio's way to say "cancelled"."""
    from asyncio import CancelledError as asyncioCancelledError  # the coroutine waited for a future

    return isinstance(error, asyncioCancelledError)


def cancelled(error: BaseException) -> Failure:
    """Return asyncio's way to say "cancelled" in Twisted's."""
    ours = CancelledError(*error.args)
    ours.__cause__ = error
    return Failure(ours)


def start(coro: Any) -> CoroutineDeferred[Any]:
    """Run a coroutine or generator up to where it first waits."""
    driver: CoroutineDeferred[Any] = CoroutineDeferred(coro)
    if driver._resume(None) is not None and type(driver.result) not in PLAIN:
        runFromAfar(driver)
    return driver


async def _await(awaitable: Awaitable[_T]) -> _T:
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
        return start(awaitable)
    if getattr(awaitable, "_asyncio_future_blocking", None) is not None:
        return Deferred.fromFuture(awaitable)
    if hasattr(type(awaitable), "__await__"):
        return start(_await(awaitable))
    return None


def _startsWith(coro: Any) -> bool:
    """Return whether something can be driven: coroutines, also Cython's, and generators."""
    if isinstance(coro, (CoroutineType, GeneratorType)):
        return True
    return all(hasattr(coro, name) for name in ("__await__", "send", "throw", "close"))


def fromCoroutine(coro: Any) -> Deferred[Any]:
    """Do what `Deferred.fromCoroutine` does."""
    if _startsWith(coro):
        return start(coro)
    raise NotACoroutineError(f"{coro!r} is not a coroutine")


def ensureDeferred(
    coro: Coroutine[Any, Any, _T] | Generator[Any, Any, _T] | Deferred[_T],
) -> Deferred[_T]:
    """Run a coroutine, and return a Deferred of its result; a Deferred is returned itself.

    Raises:
        NotACoroutineError: it is neither.
    """
    if isinstance(coro, Deferred):
        return coro
    if _startsWith(coro):
        return start(coro)
    raise NotACoroutineError(f"{coro!r} is not a coroutine or a Deferred")


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
        if not isinstance(gen, GeneratorType):
            raise TypeError(
                f"inlineCallbacks requires {f!r} to produce a generator; instead got {gen!r}"
            )
        return start(gen)

    return unwindGenerator


def returnValue(val: object) -> NoReturn:
    """End a generator of `inlineCallbacks` with a result. Deprecated: use ``return``."""
    import warnings  # for the deprecated only

    warnings.warn(
        "twistlike.internet.defer.returnValue is deprecated; use the return statement instead",
        category=DeprecationWarning,
        stacklevel=2,
    )
    raise _DefGen_Return(val)


def _valueOf(error: _DefGen_Return, coro: Any) -> Any:
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
