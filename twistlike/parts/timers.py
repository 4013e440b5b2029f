"""Calls that are due at a time: the handle of one, and the queue of them.

All of it belongs to one thread: the reactor's, or the one that steps a ``task.Clock``.

How it works
------------
The queue is a heap of ``(time, number, call)``; the number counts up, so calls that are due at the
same time run in the order in which they were asked for. An entry is never taken out of the middle:

* a call knows the time of the one entry that stands for it (``entryTime``); an entry with another
  time is dead, and dropped when it comes to the top. NaN, which equals nothing, is the entry time
  of a call that was cancelled or has run;
* moving a call later changes only the call; its entry comes to the top at the old time, is found
  to be early and is pushed once more, however often the call was moved in between;
* moving a call earlier pushes a second entry and leaves the first one dead;
* when most entries are dead, all of them are swept out.

So one comparison with ``entryTime`` tells the hot case, a living call that is moved later, from
everything else: no comparison with NaN is true.
"""

from __future__ import annotations

import sys
from contextvars import copy_context
from heapq import heapify, heappop, heappush, heapreplace
from math import inf, isnan, nan
from time import time as wallClock
from typing import TYPE_CHECKING

from twistlike.internet.error import AlreadyCalled, AlreadyCancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Context
    from types import FrameType
    from typing import Any, ParamSpec

    P = ParamSpec("P")

__all__ = ["DelayedCall", "TimerQueue", "checkDelay"]

# Dead entries are swept out when there are more than this many and more than half of the heap.
# Below it a sweep costs more than the memory that it gives back.
SWEEP_AT = 64

_OURS = __name__.partition(".")[0] + "."


def checkDelay(delay: float, name: str = "a delay") -> None:
    """Refuse a delay that no clock can wait for.

    Args:
        delay: Seconds from now.
        name: What the error calls it.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is negative or NaN.
    """
    try:
        good = delay >= 0
    except TypeError:
        raise TypeError(f"{name} is a number of seconds, not {delay!r}") from None
    if not good:
        what = "not a number (NaN)" if isnan(delay) else "negative"
        raise ValueError(f"{name} is a number of seconds from 0 up; {delay!r} is {what}")


class DelayedCall:
    """The handle of one call that is due at a time; ``callLater`` returns it.

    Args:
        time: When it is due, in seconds of the clock ``seconds``.
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

    Thread: the one of the clock that it came from. Moving a reactor's call to an earlier time in
    another thread raises ``WrongThreadError``.
    """

    # Slots, for their size and speed; the dictionary is made when somebody adds an attribute.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "args",
        "called",
        "cancelled",
        "canceller",
        "context",
        "entryTime",
        "func",
        "kw",
        "number",
        "resetter",
        "seconds",
        "time",
    )

    debug: bool = False
    creator: list[str]
    func: Callable[..., object] | None
    args: tuple[object, ...] | None
    kw: Mapping[str, object] | None
    context: Context | None

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
        self.time = self.entryTime = time
        self.func = func
        self.args = args
        self.kw = kw
        self.canceller = cancel
        self.resetter = reset
        self.seconds = seconds
        self.context = copy_context()
        self.cancelled = self.called = False
        self.number = 0
        if self.debug:
            self.creator = _stackOfCaller()

    def getTime(self) -> float:
        """Return when the call is due, in seconds of its clock."""
        return self.time

    def active(self) -> bool:
        """Return whether the call is still to come: neither run nor cancelled."""
        return not (self.called or self.cancelled)

    @property
    def lost(self) -> bool:
        """Whether nothing will ever run the call: it waited when its queue was cleared."""
        return self.entryTime == -inf

    def cancel(self) -> None:
        """Let the call never run, and forget its function and arguments.

        Raises:
            AlreadyCalled: If it has run.
            AlreadyCancelled: If it has been cancelled before.
        """
        if self.cancelled or self.called:
            raise self._whyInactive()
        self.cancelled = True
        self.entryTime = nan
        self.func = self.args = self.kw = self.context = None
        self.canceller(self)

    def reset(self, secondsFromNow: float) -> None:
        """Make the call due ``secondsFromNow`` seconds from now.

        Raises:
            AlreadyCalled: If it has run.
            AlreadyCancelled: If it has been cancelled.
            TypeError: If the delay is not a number.
            ValueError: If the delay is negative or NaN.
        """
        try:
            time = self.seconds() + secondsFromNow
            if time >= self.entryTime and secondsFromNow >= 0:
                self.time = time  # the hot case: alive, and its entry comes up early enough
                return
        except TypeError:
            pass  # checkDelay says it better
        if not self.active():
            raise self._whyInactive()
        checkDelay(secondsFromNow)
        self._moveEarlier(self.seconds() + secondsFromNow)

    def delay(self, secondsLater: float) -> None:
        """Make the call due ``secondsLater`` seconds later than it is now; earlier if negative.

        Raises:
            AlreadyCalled: If it has run.
            AlreadyCancelled: If it has been cancelled.
            TypeError: If the delay is not a number.
            ValueError: If the delay is NaN.
        """
        try:
            time = self.time + secondsLater
            if time >= self.entryTime:
                self.time = time  # the hot case, as in reset()
                return
        except TypeError:
            if self.active():
                raise TypeError(f"a delay is a number of seconds, not {secondsLater!r}") from None
        if not self.active():
            raise self._whyInactive()
        time = self.time + secondsLater
        if isnan(time):
            raise ValueError(f"a delay of {secondsLater!r} s makes {self.time} s not a number")
        self._moveEarlier(time)

    def run(self) -> None:
        """Make the call, in a copy of the context in which it was asked for.

        For the owner of the queue; the call is no longer active while it runs. What it raises
        goes through to the caller.
        """
        func, args, kw, context = self.func, self.args, self.kw, self.context
        assert func is not None and args is not None and kw is not None and context is not None
        self.called = True
        self.entryTime = nan
        self.func = self.args = self.kw = self.context = None
        context.run(func, *args, **kw)

    def _whyInactive(self) -> ValueError:
        return AlreadyCancelled() if self.cancelled else AlreadyCalled()

    def _moveEarlier(self, time: float) -> None:
        """Move the call to a time for which its entry would come up too late, or perhaps would."""
        before, self.time = self.time, time
        if time < self.entryTime:
            try:
                self.resetter(self)
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
            f"<DelayedCall {id(self):#x} [{self.time - self.seconds()}s]"
            f" called={int(self.called)} cancelled={int(self.cancelled)}{what}>"
        )


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
        onEarlier: Called with no argument when the next time has become earlier.

    Thread: one, whichever; nothing here is safe for two.
    """

    def __init__(
        self, seconds: Callable[[], float], onEarlier: Callable[[], object] | None = None
    ) -> None:
        self.seconds = seconds
        self._onEarlier = onEarlier
        self._heap: list[tuple[float, int, DelayedCall]] = []
        self._asked = 0
        self._dead = 0  # entries that will be dropped when they come to the top
        self._canceller = self._noteDead  # bound once, not for each call
        self._resetter = self._pushEarlier

    def callLater(
        self, delay: float, func: Callable[P, object], /, *args: P.args, **kw: P.kwargs
    ) -> DelayedCall:
        """Have ``func(*args, **kw)`` called ``delay`` seconds from now.

        Raises:
            TypeError: If ``func`` is not callable or the delay is not a number.
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
        """Do what ``callLater`` does, with the arguments as they are: for who has them so.

        Raises:
            TypeError: If ``func`` is not callable or the delay is not a number.
            ValueError: If the delay is negative or NaN.
        """
        if not callable(func):
            raise TypeError(f"callLater needs a callable to call, not {func!r}")
        try:
            if not delay >= 0:
                checkDelay(delay)
        except TypeError:
            checkDelay(delay)
        seconds = self.seconds
        time = seconds() + delay
        call = DelayedCall(time, func, args, kw, self._canceller, self._resetter, seconds)
        call.number = self._asked = number = self._asked + 1
        heap = self._heap
        entry = (time, number, call)
        heappush(heap, entry)
        if heap[0] is entry and self._onEarlier is not None:
            self._onEarlier()
        return call

    def nextTime(self) -> float | None:
        """Return when the next call is due, ``None`` if there is none."""
        heap = self._heap
        while heap:
            time, number, call = heap[0]
            if call.entryTime != time:
                heappop(heap)
                self._dead -= 1
            elif call.time > time:
                call.entryTime = call.time
                heapreplace(heap, (call.time, number, call))
            else:
                return time
        return None

    def popDue(self, now: float, limit: float = inf) -> DelayedCall | None:
        """Take the next call that is due out of the queue and return it.

        Args:
            now: The time, in seconds of the clock.
            limit: Only calls that were asked for before ``asked()`` gave this number. A loop that
                gets it once before a batch leaves the calls that the batch asks for to the next.

        Returns:
            The call, still active: its ``run()`` makes it. ``None`` if none is due.
        """
        heap = self._heap
        while heap:
            time, number, call = heap[0]
            if time > now:
                return None  # no call is due before its entry
            if call.entryTime != time:
                heappop(heap)
                self._dead -= 1
            elif call.time > time:
                call.entryTime = call.time
                heapreplace(heap, (call.time, number, call))
            elif number > limit:
                return None
            else:
                heappop(heap)
                return call
        return None

    def asked(self) -> int:
        """Return how many calls have been asked for, since the beginning."""
        return self._asked

    def calls(self) -> list[DelayedCall]:
        """Return the calls that are still to come, in the order in which they are due."""
        active = {number: call for _, number, call in self._heap if call.active()}
        return sorted(active.values(), key=lambda call: (call.time, call.number))

    def clear(self) -> list[DelayedCall]:
        """Take out all calls that are still to come, and return them.

        Nothing will run them. They can be cancelled, as a clean-up that comes late does, and moved,
        which does not bring them back.
        """
        calls = self.calls()
        for call in calls:
            call.entryTime = -inf  # no time is earlier: a move never asks for an entry
        self._heap.clear()
        self._dead = 0
        return calls

    def changeClock(self, seconds: Callable[[], float]) -> None:
        """Go by another clock. What waits keeps the time that it still has to wait."""
        shift = seconds() - self.seconds()
        self.seconds = seconds
        for call in self.calls():
            call.time += shift
            call.seconds = seconds
        self._sweep()

    def _noteDead(self, call: DelayedCall) -> None:
        """Count an entry that has died: its call was cancelled, or got an earlier one."""
        self._dead += 1
        if self._dead > SWEEP_AT and self._dead * 2 > len(self._heap):
            self._sweep()

    def _pushEarlier(self, call: DelayedCall) -> None:
        call.entryTime = call.time
        heappush(self._heap, (call.time, call.number, call))
        self._noteDead(call)
        if self._heap[0][2] is call and self._onEarlier is not None:
            self._onEarlier()

    def _sweep(self) -> None:
        """Build the heap anew from the calls that are still to come."""
        # By number, because a call that was moved to and fro may have two equal entries.
        alive = {number: call for time, number, call in self._heap if call.entryTime == time}
        self._dead = 0
        for call in alive.values():
            call.entryTime = call.time
        # The same list object: a caller further up may hold it.
        self._heap[:] = [(call.time, number, call) for number, call in alive.items()]
        heapify(self._heap)
