"""Threads that wait for the loop's: `blockingCallFromThread` and what releases it.

How it works
------------
A waiter sleeps on a lock that is locked twice: the second time is the wait. Whoever brings the
outcome first unlocks it; later outcomes are dropped. One of the waiters sleeps on the quick bell
instead (see `handover`): so its answer takes two switches between threads and not four.

When the reactor ends, all waiters are released with an error. A waiter enters the set before its
call is posted, so either the end finds it there, or its call is refused by the closed inbox.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._reactor.parts import Part
from twistlike._wakeup.gil_handoff import HandoffLock, HandoffSlot

if TYPE_CHECKING:
    from _thread import LockType
    from asyncio import AbstractEventLoop

__all__ = ["BlockedThreads", "BlockingCall", "ended"]

T = TypeVar("T")


# In the place of a bell that nobody rings any more.
_SILENT = allocate_lock()


class BlockingCall(Generic[T]):
    """One thread's wait for one outcome.

    Args:
        quick: What to sleep on instead of a lock.

    Attributes:
        quick: The same.
    """

    __slots__ = ("_failure", "_heard", "_lock", "_open", "_value", "handoff")

    def __init__(self, handoff: HandoffLock | None = None) -> None:
        self.handoff = handoff
        self._heard = False
        if handoff is None:
            self._lock: LockType | HandoffLock = allocate_lock()
            self._lock.acquire()
        else:
            self._lock = handoff
        # One token: whoever pops it brings the outcome. list.pop is atomic, so no lock is needed
        # between the reactor's thread, its end, and the watchdog of a pool.
        self._open = [True]
        self._value: T | None = None
        self._failure: Failure | None = None

    def succeed(self, value: T) -> None:
        """Bring the value. Thread: any."""
        if self._claim():
            self._value = value
            self._lock.release()

    def fail(self, failure: Failure) -> None:
        """Bring the error. Thread: any."""
        if self._claim():
            self._failure = failure
            self._lock.release()

    def _claim(self) -> bool:
        try:
            return self._open.pop()
        except IndexError:
            return False

    def wait(self, timeout: float | None) -> bool:
        """Wait for the outcome.

        Args:
            timeout: For how long, in seconds; `None` is for ever.

        Returns:
            Whether it has come.

        Thread: the one that waits. A signal's exception gets through.
        """
        self._heard = self._lock.acquire(True, -1 if timeout is None else min(timeout, TIMEOUT_MAX))
        return self._heard

    def isOver(self) -> bool:
        """Return whether nobody will ring any more; after this, nobody begins to."""
        return self._heard or self._claim()

    def outcome(self) -> T:
        """Return the value or raise the error, after `wait` has returned true."""
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                failure.raiseException()
            finally:
                del self, failure  # this frame is in the traceback now
        return self._value  # type: ignore[return-value]


class BlockedThreads(Part):
    """The threads that wait for one reactor.

    Attributes:
        waiting: Who waits. Single operations of a set are atomic.
        bells: Has the bell that one of them may sleep on.
    """

    def __init__(self) -> None:
        self.waiting: set[BlockingCall[Any]] = set()
        self.handoff = HandoffSlot()
        self._released = False

    def __len__(self) -> int:
        return len(self.waiting)

    @property
    def released(self) -> bool:
        """Whether it is too late to wait for more than the inbox will still do."""
        return self._released

    def bind(self, loop: AbstractEventLoop) -> None:
        """Let threads wait (again)."""
        self._released = False

    def leave(self, waiter: BlockingCall[Any]) -> None:
        """Hear that a thread does not wait any more. Thread: that one."""
        self.waiting.discard(waiter)
        handoff, waiter.handoff = waiter.handoff, None
        if handoff is not None and waiter.isOver():
            waiter._lock = _SILENT
            if not self._released:
                self.handoff.giveBack(handoff)

    def end(self) -> None:
        """End every wait with `ReactorNotRunning`."""
        self._released = True
        self.handoff.clear()
        while self.waiting:
            try:
                waiter = self.waiting.pop()
            except KeyError:
                return  # the last one has just left by itself
            waiter.fail(Failure(ended()))


def ended() -> ReactorNotRunning:
    """Return the error for a thread that waited for a reactor in vain."""
    return ReactorNotRunning("the reactor has ended while this thread waited for it")
