"""A call that is repeated at an interval, without drift. Thread: the clock's.

How it works
------------
Each `start()` makes a `_Run` of its own, with the Deferred that `start()` returns. Only the
current run schedules anything; one that was stopped in the meantime just ends when the call that it
waits for does, so a loop that is stopped and started again within its own call, or while its call
still waits, goes on once and not twice.

The times at which calls are due are `starttime` plus whole multiples of `interval`. The next
one is worked out anew from the clock after each call, so that lateness does not add up, and what
was missed meanwhile is left out.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from twistlike._base.coroutines import NOT_RUN, checkGenerator
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._defer.coroutines import fromAwaitable
from twistlike._defer.deferred import Deferred
from twistlike._reactor.current import currentReactor
from twistlike._tasks.thread_check import checkThread
from twistlike._tasks.unheard import failLoudly
from twistlike._timers.delays import checkDelay
from twistlike._timers.ended import endOfReactor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from typing_extensions import ParamSpec

    from twistlike._base.interfaces import IDelayedCall, IReactorTime

    P = ParamSpec("P")

__all__ = ["LoopingCall"]


class _Run:
    """One run of a `LoopingCall`: from `start()` until its Deferred fires."""

    __slots__ = ("clock", "context", "deferred")

    def __init__(self, clock: IReactorTime, deferred: Deferred[LoopingCall]) -> None:
        self.clock = clock
        self.deferred = deferred
        self.context = copy_context()


class LoopingCall:
    """Call a function again and again, at an interval.

    If the function returns a Deferred or anything else that can be awaited, the next call comes at
    the first due time after that has its result. Each call runs in a copy of the context in which
    `start()` was called.

    Args:
        f: What to call.
        a: Its positional arguments.
        kw: Its keyword arguments.

    Raises:
        TypeError: If `f` cannot be called. With `None` the first call fails.

    Attributes:
        f, a, kw: As given.
        interval: Seconds from one call to the next, `None` before the first `start()`. May be
            changed while it runs: the call after the next one then keeps to it.
        starttime: When it was started, in seconds of the clock.
        call: The handle of the next call, `None` while there is none.

    Differs from Twisted: the reactor is looked up when it starts, not when it is made; it can be
    stopped and started again within its own call; it knows all awaitables.
    """

    interval: float | None = None
    starttime: float | None = None
    call: IDelayedCall | None = None

    def __init__(self, f: Callable[P, object], *a: P.args, **kw: P.kwargs) -> None:
        # Tests of programs for Twisted (crochet's) start one with None on a clock that stands.
        function: object = f
        if function is not None and not callable(function):
            raise TypeError(f"LoopingCall takes a function to call, not {f!r}")
        self.f: Callable[..., object] = f
        self.a: tuple[Any, ...] = a
        self.kw: dict[str, Any] = kw
        self._counts = False
        self._clock: IReactorTime | None = None
        self._run: _Run | None = None
        self._deferred: Deferred[LoopingCall] | None = None
        self._runAtStart = False
        self._lastCounted: float | None = None

    @classmethod
    def withCount(cls, countCallable: Callable[[int], object]) -> Self:
        """Return a loop that tells its function how many calls were due since the last one.

        The count is 1 unless the loop was late; a call at which none was due is left out. With an
        interval of 0 it is always 1.

        Args:
            countCallable: Called with the count.
        """
        # The function's argument is not given here: the count comes with each call.
        self = cast("Callable[..., Self]", cls)(countCallable)
        self._counts = True
        return self

    @property
    def clock(self) -> IReactorTime:
        """Where the calls are scheduled. May be set before `start()`.

        Unless it was set: the current reactor, which is looked up by each `start()`.
        """
        if self._clock is not None:
            return self._clock
        return currentReactor() if self._run is None else self._run.clock

    @clock.setter
    def clock(self, clock: IReactorTime) -> None:
        self._clock = clock

    @property
    def running(self) -> bool:
        """Whether it was started and has neither been stopped nor failed."""
        return self._run is not None

    @running.setter
    def running(self, running: bool) -> None:
        # Twisted's services assign it when they are unpickled: a loop that is told that it does not
        # run makes no further call, and its Deferred does not fire.
        if not running:
            self._run = None

    @property
    def deferred(self) -> Deferred[LoopingCall] | None:
        """The Deferred that `start()` returned, `None` once it has fired."""
        return self._deferred

    def start(self, interval: float, now: bool = True) -> Deferred[LoopingCall]:
        """Begin to call the function.

        Args:
            interval: Seconds from one call to the next. With 0 a call comes on each turn of the
                reactor.
            now: Make the first call at once; else it comes after one interval.

        Returns:
            A Deferred of this object, which fires when the loop was stopped and its last call has
            ended; it fails with what the function raises or its Deferred fails with, which ends
            the loop. If the reactor ends first it fails with `CancelledError`, which is not
            reported if nobody handles it.

        Raises:
            AssertionError: If it runs already.
            WrongThreadError: In another thread than the clock's, if that is a reactor.
            TypeError: If the interval is not a number.
            ValueError: If the interval is negative or NaN.
        """
        if self._run is not None:
            raise AssertionError(f"{self!r} was started, but it is running; stop() it before")
        checkDelay(interval, "an interval")
        clock = self.clock
        checkThread(clock, "LoopingCall.start")
        deferred: Deferred[LoopingCall] = Deferred()
        run = _Run(clock, deferred)
        self.starttime = clock.seconds()
        self.interval = interval
        self._runAtStart = now
        self._run = run
        self._deferred = deferred
        if now:
            self._callOnce(run)
        else:
            try:
                self._schedule(run, self.starttime)
            except BaseException:
                self._run = self._deferred = None
                raise
        return deferred

    def stop(self) -> None:
        """End the loop: no further call is made.

        The Deferred of `start()` fires now, unless the function runs just now or its Deferred is
        waited for; then it fires when that has ended.

        Raises:
            AssertionError: If it does not run.
            WrongThreadError: In another thread than the clock's, if that is a reactor.
        """
        run = self._mustRun("stopped")
        checkThread(run.clock, "LoopingCall.stop")
        hadCall = self._dropCall()
        self._run = None
        if hadCall:
            self._fire(run, self)

    def reset(self) -> None:
        """Count the interval from now: the next call comes one interval from now.

        While the function runs or its Deferred is waited for, it does nothing.

        Raises:
            AssertionError: If it does not run.
            WrongThreadError: In another thread than the clock's, if that is a reactor.
        """
        run = self._mustRun("reset")
        checkThread(run.clock, "LoopingCall.reset")
        if self._dropCall():
            self.starttime = run.clock.seconds()
            self._schedule(run, self.starttime)

    def __call__(self) -> None:
        """Make the call that is due. For the clock; called by hand, it makes the next one now.

        Raises:
            AssertionError: If it does not run.
        """
        run = self._mustRun("called")
        self._dropCall()
        self._callOnce(run)

    def _droppedAtEnd(self) -> None:
        """Have the reactor end between two calls: it runs no more, and whoever waits is told."""
        run = self._run
        if run is not None:
            self._run = self.call = None
            if self._deferred is run.deferred:
                self._deferred = None
            if not run.deferred.called:
                run.deferred.errback(Failure(endOfReactor(f"{self._shown()} was stopped")))

    def __repr__(self) -> str:
        name = getattr(self.f, "__qualname__", None) or repr(self.f)
        return f"LoopingCall<{self.interval!r}>({name}, *{self.a!r}, **{self.kw!r})"

    def _shown(self) -> str:
        """Return what this is in a report: without its arguments, which may be secrets."""
        name = getattr(self.f, "__qualname__", None) or type(self.f).__qualname__
        return f"LoopingCall<{self.interval!r}>({name})"

    def _mustRun(self, what: str) -> _Run:
        """Return the current run, for something that only a running loop can do."""
        if self._run is None:
            raise AssertionError(f"{self!r} was to be {what}, but it is not running")
        return self._run

    def _dropCall(self) -> bool:
        """Forget the next call; return whether there was one."""
        call = self.call
        if call is None:
            return False
        if call.active():
            call.cancel()  # in the wrong thread it raises, and nothing has changed
        self.call = None
        return True

    def _callOnce(self, run: _Run) -> None:
        """Call the function, and have the rest done when it has ended."""
        arguments = self.a
        if self._counts:
            count = self._countAt(run.clock.seconds())
            if count <= 0:
                self._ended(None, run)
                return
            arguments = (count, *arguments)
        context = run.context.copy()
        try:
            result = context.run(self.f, *arguments, **self.kw)
            # A coroutine takes its first step here, so in the same context.
            awaited = None if result is None else context.run(fromAwaitable, result)
            if awaited is None and type(result) in NOT_RUN:
                checkGenerator(result, self.f)
        except BaseException as error:
            self._failed(Failure.fromException(error), run)
            return
        if awaited is None:
            self._ended(None, run)
        else:
            awaited.addCallbacks(self._ended, self._failed, callbackArgs=(run,), errbackArgs=(run,))

    def _ended(self, _: object, run: _Run) -> None:
        """Have had a call that went well."""
        if self._run is not run:  # stopped since, and perhaps started again
            self._fire(run, self)
            return
        try:
            self._schedule(run, run.clock.seconds())
        except BaseException as error:  # the wrong thread, for one
            self._failed(Failure.fromException(error), run)

    def _failed(self, failure: Failure, run: _Run) -> None:
        """Have had a call that went wrong: the loop ends."""
        if self._run is run:
            self._run = None
        self._fire(run, failure)

    def _fire(self, run: _Run, result: LoopingCall | Failure) -> None:
        """Give the Deferred of a run its result."""
        deferred = run.deferred
        if self._deferred is deferred:
            self._deferred = None
        if isinstance(result, Failure):
            failLoudly(deferred, result, f"{self._shown()} has ended by an error", self.f)
        elif not deferred.called:
            deferred.callback(result)

    def _schedule(self, run: _Run, now: float) -> None:
        """Ask for the next call.

        Args:
            run: The current run.
            now: The time, in seconds of its clock.
        """
        interval, starttime = self.interval, self.starttime
        assert interval is not None and starttime is not None
        delay: float = 0
        if interval:
            delay = interval - (now - starttime) % interval
            if now + delay == now:  # too little for the clock's precision: it would be due again
                delay = interval
        self.call = run.clock.callLater(delay, self)

    def _countAt(self, now: float) -> int:
        """Return how many calls have become due since the last one that was counted."""
        interval, starttime = self.interval, self.starttime
        assert interval is not None and starttime is not None
        if not interval:
            self._lastCounted = now
            return 1
        last = self._lastCounted
        if last is None:
            last = starttime - interval if self._runAtStart else starttime
        count = int((now - starttime) / interval) - int((last - starttime) / interval)
        if count > 0:
            self._lastCounted = now
        return count


showAs("twistlike.internet.task", globals(), __all__)
