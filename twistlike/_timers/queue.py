"""Calls that are due at a time: the handle of one, and the queue of them.

All of it belongs to one thread: the reactor's, or the one that steps a `task.Clock`.

How it works
------------
The queue is a heap of `(time, number, call)`; the number counts up, so calls that are due at the
same time run in the order in which they were asked for. An entry is never taken out of the middle:

* a call knows the time of the one entry that stands for it (`timeOfEntry`); an entry with another
  time is dead, and dropped when it comes to the top. NaN, which equals nothing, is the entry time
  of a call that was cancelled or has run;
* moving a call later changes only the call; its entry comes to the top at the old time, is found
  to be early and is pushed once more, however often the call was moved in between;
* moving a call earlier pushes a second entry and leaves the first one dead;
* when most entries are dead, all of them are swept out.

A new call enters the heap late: it waits in a list of fresh ones until somebody asks what is due.
Most timers are time limits, which are cancelled long before that, and then never cost the heap
anything. Calls that are due at once (`callLater(0)`) stand in a line of their own, a plain queue:
the clock does not go back, so they come in order.

So one comparison with `timeOfEntry` tells the hot case, a living call that is moved later, from
everything else: no comparison with NaN is true.
"""

from __future__ import annotations

import sys
from collections import deque
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush, heapreplace
from itertools import chain
from time import time as wallClock
from typing import TYPE_CHECKING, Any

from twistlike._base.copying import refuseCopy
from twistlike._base.coroutines import NOT_RUN
from twistlike._base.error import AlreadyCalled, AlreadyCancelled
from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr
from twistlike._defer.coroutines import startCoroutine
from twistlike._timers.delays import TOO_LARGE, checkDelay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType
    from typing import ParamSpec

    P = ParamSpec("P")

    Entry = tuple[float, int, "DelayedCall"]

__all__ = ["DelayedCall", "TimerQueue", "markCancelled"]

# Dead entries are swept out when there are more than this many and more than half of all entries.
# Below it a sweep costs more than the memory that it gives back.
SWEEP_AT = 64

# Most calls have no keyword arguments: they share this mapping, and the empty dictionary that
# Python has made for each is freed at once.
_NO_KEYWORDS: Mapping[str, Any] = {}

_new: Any = object.__new__

# Not of `math`, a shared library whose import takes 0.2 ms.
INF = float("inf")
NAN = float("nan")

_OURS = __name__.partition(".")[0] + "."


class DelayedCall:
    """The handle of one call that is due at a time; `callLater` returns it.

    Args:
        time: When it is due, in seconds of the clock `seconds`.
        func: What to call.
        args: Its positional arguments.
        kw: Its keyword arguments.
        cancel: Called with this object when it has been cancelled.
        reset: Called with this object when it has been moved to an earlier time.
        seconds: The clock.

    Attributes:
        called: Whether it has run (or runs just now).
        cancelled: Whether it was cancelled.
        debug: Whether new ones note where they were asked for; to be set on the class.
        creator: The stack that asked for it, outermost call first; only in debug mode.

    Thread: the one of the clock that it came from. Cancelling a reactor's call in another thread,
    or moving it to an earlier time there, raises `WrongThreadError`. Moving it later does no harm
    there.
    """

    __reduce__ = refuseCopy

    # Slots, for their size and speed; the dictionary is made when somebody adds an attribute.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "args",
        "called",
        "cancelled",
        "clock",
        "context",
        "func",
        "kw",
        "number",
        "time",
        "timeOfEntry",
    )

    debug: bool = False
    creator: list[str]
    func: Callable[..., object] | None
    args: tuple[object, ...] | None
    kw: Mapping[str, object] | None
    context: Context | None
    clock: TimerQueue | _Hands

    def __init__(
        self,
        time: float,
        func: Callable[..., object],
        args: tuple[object, ...],
        kw: Mapping[str, object],
        cancel: Callable[[DelayedCall], object],
        reset: Callable[[DelayedCall], object],
        seconds: Callable[[], float] = wallClock,
    ) -> None:
        self.time = self.timeOfEntry = time
        self.func = func
        self.args = args
        self.kw = kw
        self.clock = _Hands(cancel, reset, seconds)
        self.context = copy_context() or None
        self.cancelled = self.called = False
        self.number = 0
        if self.debug:
            self.creator = _stackOfCaller()

    @property
    def seconds(self) -> Callable[[], float]:
        """The clock."""
        return self.clock.shownSeconds

    @property
    def canceller(self) -> Callable[[DelayedCall], object]:
        """What is called with this object when it has been cancelled."""
        return self.clock.canceller

    @property
    def resetter(self) -> Callable[[DelayedCall], object]:
        """What is called with this object when it has been moved to an earlier time."""
        return self.clock.resetter

    def getTime(self) -> float:
        """Return when the call is due, in seconds of its clock (a reactor: since the epoch)."""
        return self.time + self.clock.offset

    def active(self) -> bool:
        """Return whether the call is still to come: neither run nor cancelled."""
        return not (self.called or self.cancelled)

    @property
    def lost(self) -> bool:
        """Whether nothing will ever run the call: it waited when its queue was cleared."""
        return self.timeOfEntry == -INF

    def cancel(self) -> None:
        """Let the call never run, and forget its function and arguments.

        Raises:
            AlreadyCalled: If it has run.
            AlreadyCancelled: If it has been cancelled before.
            WrongThreadError: In another thread than that of the reactor's loop.
        """
        if self.cancelled or self.called:
            raise self._whyInactive()
        self.clock.cancel(self)

    def reset(self, secondsFromNow: float) -> None:
        """Make the call due `secondsFromNow` seconds from now.

        Raises:
            AlreadyCalled: If it has run.
            AlreadyCancelled: If it has been cancelled.
            TypeError: If the delay is not a number.
            ValueError: If the delay is negative or NaN.
        """
        try:
            time = self.clock.seconds() + secondsFromNow
            if time >= self.timeOfEntry and secondsFromNow >= 0:
                self.time = time  # the hot case: alive, and its entry comes up early enough
                return
        except (TypeError, OverflowError):
            pass  # checkDelay says it better
        if not self.active():
            raise self._whyInactive()
        checkDelay(secondsFromNow)
        self._moveEarlier(self.clock.seconds() + secondsFromNow)

    def delay(self, secondsLater: float) -> None:
        """Make the call due `secondsLater` seconds later than it is now; earlier if negative.

        Raises:
            AlreadyCalled: If it has run.
            AlreadyCancelled: If it has been cancelled.
            TypeError: If the delay is not a number.
            ValueError: If the delay is NaN.
        """
        try:
            time = self.time + secondsLater
            if time >= self.timeOfEntry:
                self.time = time  # the hot case, as in reset()
                return
        except TypeError:
            if self.active():
                raise TypeError(f"a delay is a number of seconds, not {secondsLater!r}") from None
        except OverflowError:
            if self.active():
                raise ValueError(TOO_LARGE.format("a delay")) from None
        if not self.active():
            raise self._whyInactive()
        time = self.time + secondsLater
        if time != time:  # NaN
            raise ValueError(f"a delay of {secondsLater!r} s makes {self.time} s not a number")
        self._moveEarlier(time)

    def run(self) -> None:
        """Make the call, in a copy of the context in which it was asked for.

        For the owner of the queue; the call is no longer active while it runs. What it raises
        goes through to the caller. If it returns a coroutine, that is run.
        """
        func: Any = self.func
        args: Any = self.args
        kw: Any = self.kw
        # An empty context was not kept: one object fewer for each call that waits.
        run: Any = (self.context or Context()).run
        self.called = True
        self.timeOfEntry = NAN
        self.func = self.args = self.kw = self.context = None
        result = run(func, *args, **kw) if kw else run(func, *args)
        if result is not None and type(result) in NOT_RUN:
            run(startCoroutine, result, func)

    def _whyInactive(self) -> ValueError:
        return AlreadyCancelled() if self.cancelled else AlreadyCalled()

    def _moveEarlier(self, time: float) -> None:
        """Move the call to a time for which its entry would come up too late, or perhaps would."""
        before, self.time = self.time, time
        if time < self.timeOfEntry:
            try:
                self.clock.resetter(self)
            except BaseException:
                self.time = before  # refused, in another thread than the loop's
                raise

    def __lt__(self, other: DelayedCall) -> bool:
        return self.time < other.time

    def __le__(self, other: DelayedCall) -> bool:
        return self.time <= other.time

    def __repr__(self) -> str:
        if self.func is None:
            what = ""
        else:
            name = getattr(self.func, "__qualname__", None) or repr(self.func)
            arguments = [repr(arg) for arg in self.args or ()]
            arguments += [f"{key}={value!r}" for key, value in (self.kw or {}).items()]
            what = f" {name}({', '.join(arguments)})"
        asked = "".join(getattr(self, "creator", ()))
        if asked:
            what += f"\n\ntraceback at creation: \n\n{asked}"
        return (
            f"<DelayedCall {id(self):#x} [{self.time - self.clock.seconds()}s]"
            f" called={int(self.called)} cancelled={int(self.cancelled)}{what}>"
        )


class _Hands:
    """The clock of a call that stands in no queue of ours."""

    __slots__ = ("canceller", "resetter", "seconds")

    offset = 0.0

    def __init__(
        self,
        canceller: Callable[[DelayedCall], object],
        resetter: Callable[[DelayedCall], object],
        seconds: Callable[[], float],
    ) -> None:
        self.canceller = canceller
        self.resetter = resetter
        self.seconds = seconds

    @property
    def shownSeconds(self) -> Callable[[], float]:
        """The clock that users are shown."""
        return self.seconds

    def cancel(self, call: DelayedCall) -> None:
        """Cancel a call, and tell the owner."""
        markCancelled(call)
        self.canceller(call)


def markCancelled(call: DelayedCall) -> None:
    """Let a call be cancelled, and forget its function and arguments."""
    call.cancelled = True
    call.timeOfEntry = NAN
    call.func = call.args = call.kw = call.context = None


def _stackOfCaller() -> list[str]:
    """Return the stack of whoever called into this package, as text, outermost call first."""
    import traceback  # debug mode only: costs 10 ms at import time

    frame: FrameType | None = sys._getframe()
    while frame and frame.f_globals.get("__name__", "").startswith(_OURS):
        frame = frame.f_back
    return traceback.format_stack(frame)


class TimerQueue:
    """The calls that are due on one clock, in order.

    Args:
        seconds: The clock.

    Attributes:
        seconds: The clock.
        offset: What users are shown is the clock's time and this, in seconds.
        alarmTime: A call that is due before this time, in seconds of the clock, makes `setAlarm`
            be called: minus infinity where nobody waits for it.

    Thread: one, whichever; nothing here is safe for two.
    """

    offset = 0.0

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds
        self.alarmTime = -INF
        self._heap: list[Entry] = []
        self._line: deque[Entry] = deque()
        self._fresh: list[DelayedCall] = []
        self._asked = 0
        self._dead = 0  # entries that will be dropped when they come to the top
        self._sweepAt = SWEEP_AT

    @property
    def shownSeconds(self) -> Callable[[], float]:
        """The clock that users are shown."""
        return self.seconds

    def setAlarm(self, time: float) -> None:
        """Hear that a call is due earlier than `alarmTime`."""

    def canceller(self, call: DelayedCall) -> None:
        """Hear that a call has been cancelled: its entry is dead."""
        self._dead += 1

    def cancel(self, call: DelayedCall) -> None:
        """Cancel a call that is active. Its entry stays until it is swept out."""
        markCancelled(call)
        self._dead += 1

    def callLater(
        self, delay: float, func: Callable[P, object], /, *args: P.args, **kw: P.kwargs
    ) -> DelayedCall:
        """Have `func(*args, **kw)` called `delay` seconds from now.

        Raises:
            TypeError: If `func` is not callable or the delay is not a number.
            ValueError: If the delay is negative or NaN.
        """
        return self.add(delay, func, args, kw)

    def add(
        self,
        delay: float,
        func: Callable[..., object],
        args: tuple[Any, ...],
        kw: Mapping[str, Any],
    ) -> DelayedCall:
        """Do what `callLater` does, with the arguments as a tuple and a mapping.

        Raises:
            TypeError: If `func` is not callable or the delay is not a number.
            ValueError: If the delay is negative or NaN.
        """
        if not callable(func):
            raise TypeError(f"callLater needs a callable to call, not {safe_repr(func)}")
        try:
            if not delay >= 0:
                checkDelay(delay)
        except TypeError:
            checkDelay(delay)
        # What __init__ does, without the call.
        call: DelayedCall = _new(DelayedCall)
        try:
            call.time = call.timeOfEntry = time = self.seconds() + delay
        except (TypeError, OverflowError):
            checkDelay(delay)  # says it better
            raise
        call.func = func
        call.args = args
        call.kw = kw or _NO_KEYWORDS
        call.clock = self
        call.context = copy_context() or None
        call.cancelled = call.called = False
        call.number = self._asked = number = self._asked + 1
        if DelayedCall.debug:
            call.creator = _stackOfCaller()
        if delay:
            self._fresh.append(call)
        else:
            self._addToLine((time, number, call))
        if time < self.alarmTime:
            self.setAlarm(time)
        if self._dead > self._sweepAt:
            self._sweepIfMostAreDead()
        return call

    def _addToLine(self, entry: Entry) -> None:
        line = self._line
        if not line or line[-1] < entry:
            line.append(entry)
        else:
            heappush(self._heap, entry)  # the clock was set back

    def _enterFresh(self) -> None:
        """Let the fresh calls enter the heap, those that are still active."""
        fresh = self._fresh
        if not fresh:
            return
        # They stay in the list until they are in the heap: interrupted by a signal's exception,
        # this is done once more. An entry that is then there twice does no harm.
        count = len(fresh)
        entries = [(call.time, call.number, call) for call in fresh[:count] if not call.cancelled]
        dead = count - len(entries)
        for time, _, call in entries:
            call.timeOfEntry = time
        heap = self._heap
        # To push one costs about the logarithm of the heap's size, to build it anew its size.
        if len(entries) * 8 < len(heap):
            for entry in entries:
                heappush(heap, entry)
            del fresh[:count]
            self._dead -= dead
        else:
            heap += entries  # the same list object: a caller further up may hold it
            del fresh[:count]
            self._dead -= dead
            heapify(heap)  # no call comes before it, so nobody sees the heap without its order

    def nextTime(self) -> float | None:
        """Return when the next call is due, `None` if there is none."""
        self._enterFresh()
        heap = self._heap
        line = self._line
        while line or heap:
            inLine = not heap or (bool(line) and line[0] < heap[0])
            time, _, call = entry = line[0] if inLine else heap[0]
            if call.timeOfEntry == time and call.time <= time:
                return time
            self._passOver(entry, inLine)
        return None

    def popDue(self, now: float) -> DelayedCall | None:
        """Take the next call that is due out of the queue and return it.

        Args:
            now: The time, in seconds of the clock.

        Returns:
            The call, still active: its `run()` makes it. `None` if none is due.
        """
        return next(self.due(now), None)

    def due(self, now: float) -> Iterator[DelayedCall]:
        """Take the calls that are due out of the queue, one by one.

        Calls that are asked for meanwhile are left in it: they are for the next batch.

        Args:
            now: The time, in seconds of the clock.

        Yields:
            Each call, still active: its `run()` makes it.
        """
        self._enterFresh()
        heap = self._heap
        line = self._line
        limit = self._asked
        while line or heap:
            inLine = not heap or (bool(line) and line[0] < heap[0])
            time, number, call = entry = line[0] if inLine else heap[0]
            if time > now:
                return  # no call is due before its entry
            if call.timeOfEntry != time or call.time > time:
                self._passOver(entry, inLine)
            elif number > limit:
                return
            else:
                try:
                    if inLine:
                        line.popleft()
                    else:
                        heappop(heap)
                except BaseException:  # a signal's: nobody has got it
                    self.putBack(call)
                    raise
                yield call

    def putBack(self, call: DelayedCall) -> None:
        """Take a call back that is due and was not run. That it is still here does no harm."""
        if call.active():
            call.timeOfEntry = call.time
            heappush(self._heap, (call.time, call.number, call))

    def _passOver(self, entry: Entry, inLine: bool) -> None:
        """Drop the first entry of the line or of the heap, or push it once more, as is its due."""
        time, number, call = entry
        if call.timeOfEntry == time:
            # Pushed before the other one is dropped: a signal's exception loses none.
            call.timeOfEntry = call.time
            if not inLine:
                heapreplace(self._heap, (call.time, number, call))
                return
            heappush(self._heap, (call.time, number, call))
        else:
            self._dead -= 1
        if inLine:
            self._line.popleft()
        else:
            heappop(self._heap)

    def calls(self) -> list[DelayedCall]:
        """Return the calls that are still to come, in the order in which they are due."""
        self._enterFresh()
        entries = chain(self._heap, self._line)
        active = {number: call for _, number, call in entries if call.active()}
        return sorted(active.values(), key=lambda call: (call.time, call.number))

    def clear(self) -> list[DelayedCall]:
        """Take out all calls that are still to come, and return them.

        Nothing will run them. They can be cancelled, as a clean-up that comes late does, and moved,
        which does not bring them back.
        """
        calls = self.calls()
        for call in calls:
            call.timeOfEntry = -INF  # no time is earlier: a move never asks for an entry
        self._heap.clear()
        self._line.clear()
        self._dead = 0
        return calls

    def changeClock(self, seconds: Callable[[], float]) -> None:
        """Go by another clock. What waits keeps the time that it still has to wait."""
        shift = seconds() - self.seconds()
        self.seconds = seconds
        self.postpone(shift)

    def postpone(self, seconds: float) -> None:
        """Let all calls be due later by a number of seconds."""
        for call in self.calls():
            call.time += seconds
        self._sweep()

    def resetter(self, call: DelayedCall) -> None:
        """Hear that a call was moved to an earlier time than that of its entry."""
        call.timeOfEntry = call.time
        # A fresh one gets a second entry, which equals this one, when it enters the heap.
        heappush(self._heap, (call.time, call.number, call))
        self._dead += 1
        if call.time < self.alarmTime:
            self.setAlarm(call.time)
        if self._dead > self._sweepAt:
            self._sweepIfMostAreDead()

    def _sweepIfMostAreDead(self) -> None:
        size = len(self._heap) + len(self._line) + len(self._fresh)
        if self._dead * 2 > size:
            self._sweep()
            size = len(self._heap)
        self._sweepAt = max(SWEEP_AT, size // 2)

    def _sweep(self) -> None:
        """Build the heap anew from the calls that are still to come."""
        self._enterFresh()
        # By number, because a call that was moved to and fro may have two equal entries.
        entries = chain(self._heap, self._line)
        alive = {number: call for time, number, call in entries if call.timeOfEntry == time}
        self._dead = 0
        for call in alive.values():
            call.timeOfEntry = call.time
        # The same list object: a caller further up may hold it. No call comes before it has its
        # order; the line is emptied last, so that a signal's exception loses nothing.
        self._heap[:] = [(call.time, number, call) for number, call in alive.items()]
        heapify(self._heap)
        self._line.clear()


showAs("twistlike.internet.base", globals(), ["DelayedCall"])
