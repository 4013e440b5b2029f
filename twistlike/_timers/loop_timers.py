"""The timers of a reactor: a queue of delayed calls that one loop's alarm clock runs.

Thread: the loop's.
"""

from __future__ import annotations

from contextvars import Context
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from twistlike._eventloop.factory import clockOf
from twistlike._timers.queue import TimerQueue

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Handle
    from collections.abc import Callable

    from twistlike._timers.queue import DelayedCall

__all__ = ["LoopTimers"]

# An alarm that came too early (uvloop's timers count whole milliseconds) is set again for this much
# later, in seconds, so that it does not come too early once more.
EARLY = 0.001


class LoopTimers(TimerQueue):
    """The queue, and at most one alarm on the loop, for the call that is due next.

    Args:
        onError: Called with an exception that a call raised, and the function that was called. If
            it returns an exception, that is raised when the batch has ended.
        first: Called before each batch: in one turn, calls from threads run before the timers, as
            in Twisted.
        enter: Called with what is done, when a call is moved to an earlier time: raises
            `WrongThreadError` in another thread than the loop's, or returns False if it is to be
            done in the loop's.
    """

    def __init__(
        self,
        onError: Callable[[BaseException, Callable[..., object]], BaseException | None],
        first: Callable[[], object],
        enter: Callable[[str], bool],
    ) -> None:
        super().__init__(monotonic, self._setAlarm)
        self._enter = enter
        self._onError = onError
        self._first = first
        self._loop: AbstractEventLoop | None = None
        self._alarm: Handle | None = None
        self._alarmTime = inf
        self._ownContext = Context()

    external = False  # see _reactor.parts: this is one of a reactor's parts

    def end(self) -> None:
        """Drop what waits: the reactor has ended."""
        self.clear()

    def afterFork(self) -> None:
        """Do nothing: there is no lock, and a reactor that had a loop gets new timers."""

    def bind(self, loop: AbstractEventLoop) -> None:
        """Run on `loop` from now on. What waits keeps the time that it still has to wait."""
        clock = clockOf(loop)
        if clock is not self.seconds:
            self.changeClock(clock)
        self._loop = loop
        self._setAlarm()

    def unbind(self) -> None:
        """Stop. What waits is kept."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop = None
        self._alarmTime = inf
        if self.seconds is not monotonic:
            self.changeClock(monotonic)

    def _pushEarlier(self, call: DelayedCall) -> None:
        # In another thread it would set an alarm that a loop which sleeps does not notice. To move
        # a call later, or to cancel it, needs no alarm, and does not pay for a look at the thread.
        loop = self._loop
        if loop is None or self._enter("delayedCall.reset"):
            super()._pushEarlier(call)
        else:
            loop.call_soon_threadsafe(super()._pushEarlier, call, context=self._ownContext)

    def _setAlarm(self, atLeast: float = 0.0) -> None:
        """Have the loop wake us when the next call is due."""
        loop = self._loop
        if loop is None:
            return
        time = self.nextTime()
        if time is None or time >= self._alarmTime:
            return  # an alarm that comes too early sets the next one
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarmTime = time
        delay = max(time - self.seconds(), atLeast)
        if delay > 0:
            self._alarm = loop.call_later(delay, self._run, context=self._ownContext)
        else:
            self._alarm = loop.call_soon(self._run, context=self._ownContext)

    def _run(self) -> None:
        """Run what is due now; what these calls ask for comes on a later turn."""
        self._alarm = None
        self._alarmTime = -inf  # no alarm is set from within the batch: one is, at its end
        atLeast = EARLY
        fatal: BaseException | None = None
        try:
            self._first()
            for call in self.due(self.seconds()):
                atLeast = 0.0
                function = call.func
                try:
                    call.run()
                except BaseException as error:
                    assert function is not None
                    if error.__traceback__ is not None:
                        # Without our own frame, that of call.run(): who reports drops one, too.
                        error.__traceback__ = error.__traceback__.tb_next
                    fatal = self._onError(error, function) or fatal
        finally:
            self._alarmTime = inf
            self._setAlarm(atLeast)
        if fatal is not None:
            raise fatal
