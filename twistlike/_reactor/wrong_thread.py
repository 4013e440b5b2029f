"""What happens when something that belongs to the loop's thread is called in another one.

`WrongThreadError`, as a rule. For code that is being ported there is a milder policy: a warning,
once for each place in that code, and the call is handed over to the loop's thread.

Thread: any.
"""

from __future__ import annotations

import sys
from enum import Enum
from threading import current_thread
from typing import TYPE_CHECKING

from twistlike._base.error import WrongThreadError
from twistlike._base.reflect import safe_repr
from twistlike._eventloop import current
from twistlike._timers.delays import checkDelay
from twistlike._timers.queue import DelayedCall

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping
    from types import CodeType

    from twistlike._reactor.inbox import Inbox
    from twistlike._timers.loop_timers import LoopTimers

__all__ = ["Policy", "ThreadGuard", "ThreadsafeDelayedCall"]

# Frames of this package are not where the call was made.
OURS = __name__.partition(".")[0]


class Policy(Enum):
    """What to do about it; the value is what `reactor.wrongThread` is set to."""

    ERROR = "error"
    WARN = "warn"


class ThreadGuard:
    """Rejects calls from the wrong thread, as the policy says."""

    def __init__(self) -> None:
        self.policy = Policy.ERROR
        self._warned: set[tuple[CodeType, int]] = set()

    def reject(self, name: str, loop: AbstractEventLoop | None) -> None:
        """Raise, or warn: then the caller hands the call over to the loop's thread.

        Args:
            name: What was called: a method of the reactor, or with a dot, of something else.
            loop: The reactor's loop.

        Raises:
            WrongThreadError: If that is the policy.
        """
        where = name if "." in name else f"reactor.{name}"
        text = (
            f"{name} was called from thread {current_thread().name!r}, which does not run this "
            # A method of an object: "loopingCall.start", as one might call the object.
            f"reactor's loop; use reactor.callFromThread({where[:1].lower()}{where[1:]}, ...)"
        )
        if current.runningLoop() is not None:
            text += (
                f". The loop that runs in this thread has a reactor of its own, which "
                f"asyncioreactor.currentReactor() returns; this one is on {loop!r}"
            )
            if loop is not None and not loop.is_running():
                text += ", which does not run now: close that to have the reactor free"
        if self.policy is Policy.ERROR:
            raise WrongThreadError(text)
        level = 1
        frame = sys._getframe()
        while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == OURS:
            level += 1
            frame = frame.f_back
        site = frame.f_code, frame.f_lineno
        if site not in self._warned:
            self._warned.add(site)
            import warnings  # seldom needed

            warnings.warn(text, RuntimeWarning, stacklevel=level)


class ThreadsafeDelayedCall(DelayedCall):
    """The handle of a delayed call that was asked for in another thread than the loop's.

    It can be cancelled and moved in any thread. Whether that comes early enough is only known in
    the loop's thread: if the call runs just then, it has run.

    Args:
        timers: The reactor's.
        inbox: The reactor's.
        delay: In seconds from now.
        func: What to call.
        args: Its positional arguments.
        kw: Its keyword arguments.
    """

    __slots__ = ("_inbox", "_real", "_timers")

    def __init__(
        self,
        timers: LoopTimers,
        inbox: Inbox,
        delay: float,
        func: Callable[..., object],
        args: tuple[object, ...],
        kw: Mapping[str, object],
    ) -> None:
        if not callable(func):
            raise TypeError(f"callLater needs a callable to call, not {safe_repr(func)}")
        checkDelay(delay)
        seconds = timers.shownSeconds
        super().__init__(seconds() + delay, func, args, kw, _nothing, _nothing, seconds)
        self._timers = timers
        self._inbox = inbox
        self._real: DelayedCall | None = None
        inbox.post(self._begin, (), {})

    def cancel(self) -> None:
        """Do as `DelayedCall.cancel`."""
        if not self.active():
            raise self._whyInactive()
        # Only noted here: the loop's thread may be about to run it, so that thread clears it.
        self.cancelled = True
        self._inbox.post(self._end, (), {})

    def reset(self, secondsFromNow: float) -> None:
        """Do as `DelayedCall.reset`."""
        if not self.active():
            raise self._whyInactive()
        checkDelay(secondsFromNow)
        self.time = self.seconds() + secondsFromNow
        self._inbox.post(self._move, (), {})

    def delay(self, secondsLater: float) -> None:
        """Do as `DelayedCall.delay`."""
        if not self.active():
            raise self._whyInactive()
        time = self.time + secondsLater
        if time != time:  # NaN
            raise ValueError(f"a delay of {secondsLater!r} s makes {self.time} s not a number")
        self.time = time
        self._inbox.post(self._move, (), {})

    def _begin(self) -> None:
        if self.active():
            self._real = self._timers.callLater(self._left(), self._runUnlessCancelled)

    def _runUnlessCancelled(self) -> None:
        if self.active():
            self.run()

    def _end(self) -> None:
        self.func = self.args = self.kw = self.context = None
        if self._real is not None and self._real.active():
            self._real.cancel()

    def _move(self) -> None:
        if self._real is not None and self._real.active():
            self._real.reset(self._left())

    def _left(self) -> float:
        return max(0.0, self.time - self.seconds())


def _nothing(call: DelayedCall) -> None:
    """Take no part in the queue: another call stands there for this one."""
