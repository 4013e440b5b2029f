"""The timers of a reactor: a queue of delayed calls, run by one timer of the loop.

Thread: the loop's.
"""

from __future__ import annotations

from contextvars import Context
from time import monotonic
from time import time as wallClock
from typing import TYPE_CHECKING

from twistlike._base.failure import tracebackOf, withTraceback
from twistlike._eventloop import current
from twistlike._eventloop.loops import clockOf
from twistlike._timers.ended import tellDropped
from twistlike._timers.queue import INF, TimerQueue, markCancelled

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Handle
    from collections.abc import Callable, Iterable

    from twistlike._timers.queue import DelayedCall

__all__ = ["LoopTimers"]

# An alarm that came too early (uvloop's timers count whole milliseconds) is set again for this much
# later, in seconds, so that it does not come too early once more.
EARLY = 0.001


class LoopTimers(TimerQueue):
    """The queue, and at most one alarm on the loop, for the call that is due next.

    Inside, times are those of the loop's clock. Users are shown seconds since the epoch: that clock
    and an offset, which is taken when the timers get their loop. So they never jump, as the
    system's clock may.

    Args:
        onError: Called with an exception that a call raised, and the function that was called. If
            it returns an exception, that is raised when the batch has ended.
        first: Called before each batch: in one turn, calls from threads run before the timers, as
            in Twisted.
        enter: Called with what is done, when a call is cancelled or moved to an earlier time:
            raises `WrongThreadError` in another thread than the loop's, or returns False if it has
            to be done in the loop's.
    """

    external = False  # see _reactor.parts: this is one of a reactor's parts

    def __init__(
        self,
        onError: Callable[[BaseException, Callable[..., object]], BaseException | None],
        first: Callable[[], object],
        enter: Callable[[str], bool],
    ) -> None:
        super().__init__(monotonic)
        self.offset = wallClock() - monotonic()
        self._enter = enter
        self._onError = onError
        self._first = first
        self._loop: AbstractEventLoop | None = None
        self._alarm: Handle | None = None
        self._replaced: Callable[[], float] | None = None
        self._lost: list[DelayedCall] = []

    # ---- the loop --------------------------------------------------------------------------------

    def bind(self, loop: AbstractEventLoop) -> None:
        """Run on `loop` from now on. What waits keeps the time that it still has to wait."""
        self._lost = []
        self._loop = loop
        self._useClock()
        self._alarmForNext()

    def unbind(self) -> None:
        """Stop. What waits is kept."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop = None
        self.alarmTime = -INF
        self._useClock()

    def end(self) -> None:
        """Drop what waits: the reactor has ended. It is still listed, until the next run.

        Who waits for it in a Deferred is told.
        """
        dropped = self.clear()
        self._lost += dropped
        for call in dropped:
            tellDropped(call, self._onError)

    def afterFork(self) -> None:
        """Do nothing: there is no lock, and a reactor that had a loop gets new timers."""

    def calls(self) -> list[DelayedCall]:
        """Return the calls that are still to come, and those that the end has dropped."""
        return [call for call in self._lost if call.active()] + super().calls()

    def count(self) -> int:
        """Return how many calls are still to come. Thread: any."""
        calls = [*self._fresh, *(entry[2] for entry in [*self._heap, *self._line])]
        return len({call.number for call in calls if call.active()})

    # ---- the clock -------------------------------------------------------------------------------

    @property
    def shownSeconds(self) -> Callable[[], float]:
        """The clock that users are shown: seconds since the epoch, or what has replaced it."""
        return self._replaced or self._sinceEpoch

    def replaceClock(self, seconds: Callable[[], float] | None) -> None:
        """Go by a user's clock, or by the loop's again."""
        self._replaced = None if seconds == self._sinceEpoch else seconds
        self._useClock()
        if self._loop is not None:
            self._alarmForNext()

    def _sinceEpoch(self) -> float:
        return self.seconds() + self.offset

    def _useClock(self) -> None:
        loop = self._loop
        clock = self._replaced or (monotonic if loop is None else clockOf(loop))
        if clock is not self.seconds:
            self.changeClock(clock)
        if self._replaced is not None:
            self.offset = 0.0
        elif loop is not None or not self.offset:
            self.offset = wallClock() - clock()

    # ---- other threads ---------------------------------------------------------------------------

    def cancel(self, call: DelayedCall) -> None:
        """Cancel a call that is active. In another thread than the loop's that is refused."""
        # No look at the policy as long as this is the loop's thread.
        if current.runningLoop() is not self._loop and not self._enter("delayedCall.cancel"):
            self._callSoonThreadsafe(self._cancelLate, call)
            return
        markCancelled(call)
        self._dead += 1

    def resetter(self, call: DelayedCall) -> None:
        """Hear that a call was moved to an earlier time. In another thread that is refused."""
        # In another thread it would set an alarm that a loop which sleeps does not notice. To move
        # a call later needs no alarm, and does not pay for a look at the thread.
        if current.runningLoop() is self._loop or self._enter("delayedCall.reset"):
            super().resetter(call)
        else:
            self._callSoonThreadsafe(super().resetter, call)

    def _callSoonThreadsafe(
        self, function: Callable[[DelayedCall], object], call: DelayedCall
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(function, call, context=Context())

    def _cancelLate(self, call: DelayedCall) -> None:
        if call.active():
            markCancelled(call)
            self._dead += 1

    # ---- the alarm -------------------------------------------------------------------------------

    def setAlarm(self, time: float, atLeast: float = 0.0) -> None:
        """Have the loop wake us at a time.

        Args:
            time: In seconds of the clock.
            atLeast: How many seconds that is from now at the least.
        """
        loop = self._loop
        assert loop is not None
        before = self._alarm
        delay = max(time - self.seconds(), atLeast)
        # A context for each: under nest_asyncio, the next alarm may come while this one's calls
        # run, and no context can be entered twice.
        if delay > 0:
            self._alarm = loop.call_later(delay, self._alarmComes, context=Context())
        else:
            self._alarm = loop.call_soon(self._alarmComes, context=Context())
        # No call comes between them. The one of before is cancelled last: interrupted by a
        # signal's exception, there are two alarms, and not none.
        self.alarmTime = time
        if before is not None:
            before.cancel()

    def _alarmForNext(self, atLeast: float = 0.0) -> None:
        """Set the alarm for the call that is due next, unless an earlier one is set."""
        self.alarmTime = INF if self._alarm is None else self.alarmTime
        time = self.nextTime()
        if time is not None and time < self.alarmTime and self._loop is not None:
            self.setAlarm(time, atLeast)

    def _alarmComes(self) -> None:
        try:
            self._alarm = None
            self.alarmTime = -INF  # until the batch begins, nobody sets another one
            self._first()
            self._runDue()
        except BaseException:
            self._alarmForNext()  # a signal's exception may have come before that
            raise

    def runIfDue(self) -> None:
        """Run what is due now, if the alarm has been set for it, without waiting for the alarm.

        For the inbox: what a batch of calls from threads has made due at once runs right after that
        batch, before the calls that were made within it. So it is in Twisted.
        """
        if self._alarm is not None and self.alarmTime <= self.seconds():
            try:
                self._alarm.cancel()
                self._alarm = None
                self._runDue()
            except BaseException:
                self._alarm = None
                self._alarmForNext()  # as in `_alarmComes`
                raise

    def _runDue(self) -> None:
        """Run what is due now; what these calls ask for comes on a later turn."""
        self.alarmTime = -INF  # no alarm is set from within the batch: one is, at its end
        loop = self._loop
        atLeast = EARLY
        fatal: BaseException | None = None
        try:
            calls: Iterable[DelayedCall] = self.due(self.seconds())
            if hasattr(loop, "_nest_patched"):
                calls = self._withAlarm(calls)
            for call in calls:
                atLeast = 0.0
                function = call.func
                try:
                    call.run()
                except BaseException as error:
                    if not call.called:
                        self.putBack(call)  # a signal's exception came before it was made
                    assert function is not None
                    if (traceback := tracebackOf(error)) is not None:
                        # Without our own frame, that of call.run(): the reporter drops one, too.
                        withTraceback(error, traceback.tb_next)
                        del traceback
                    fatal = self._onError(error, function) or fatal
        finally:
            if self._loop is not None:
                self._alarmForNext(atLeast)
        if fatal is not None:
            raise fatal

    def _withAlarm(self, calls: Iterable[DelayedCall]) -> Iterable[DelayedCall]:
        """Set the alarm before each call, for loops that may be run once more inside of it."""
        for call in calls:
            self._alarmForNext()
            yield call
