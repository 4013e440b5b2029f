"""Threads that wait for the loop's: `blockingCallFromThread`, and what releases it.

How it works
------------
A blocked thread sleeps on a lock that is held. Whoever brings the outcome first releases it; later
outcomes are dropped. One of the threads sleeps on a `HandoffLock` instead (see `gil_handoff`): then
its answer takes two switches between threads and not four.

When the reactor ends, all waits end with an error. A thread enters the set before its call is
posted, so either the end finds it there, or its call is refused by the closed inbox.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._reactor.parts import Part
from twistlike._wakeup.gil_handoff import LONG, HandoffLock, HandoffSlot

if TYPE_CHECKING:
    from _thread import LockType
    from asyncio import AbstractEventLoop

__all__ = ["BlockedThreads", "BlockingCall", "ended"]

T = TypeVar("T")


# In the place of a `HandoffLock` that is not released any more.
_UNUSED = allocate_lock()


class BlockingCall(Generic[T]):
    """One thread's wait for one outcome.

    Args:
        slot: Where to take a `HandoffLock` from, if one is free; else a plain lock is made.
            None always makes one.

    Attributes:
        tellAfter: After how many seconds of a wait `tell` is called; `inf` for never.
    """

    tellAfter: float = inf

    __slots__ = ("_failure", "_lock", "_open", "_slot", "_value", "_woken")

    def __init__(self, slot: HandoffSlot | None = None) -> None:
        self._slot = slot
        self._woken = False
        # One token: whoever pops it brings the outcome. list.pop is atomic, so no lock is needed
        # between the reactor's thread, its end, and the watchdog of a pool.
        self._open = [True]
        self._value: T | None = None
        self._failure: Failure | None = None
        handoff = None if slot is None else slot.take()
        if handoff is None:
            self._lock: LockType | HandoffLock = allocate_lock()
            self._lock.acquire()
        else:
            self._lock = handoff

    def succeed(self, value: T) -> None:
        """Bring the value. Thread: any."""
        try:
            self._open.pop()
        except IndexError:
            return
        self._value = value
        self._wake()

    def fail(self, failure: Failure) -> None:
        """Bring the error. Thread: any."""
        try:
            self._open.pop()
        except IndexError:
            return
        self._failure = failure
        self._wake()

    def _wake(self) -> None:
        lock = self._lock
        if type(lock) is not HandoffLock:
            lock.release()
            return
        begin = monotonic()
        try:
            lock.release()
        except OSError:  # somebody else has closed its descriptor
            lock.releaseSpare()
        # The woken thread has had the GIL since: did it compute, instead of asking again?
        if monotonic() - begin >= LONG and self._slot is not None:
            self._slot.noteLong()

    def wait(self, timeout: float | None) -> bool:
        """Wait for the outcome.

        Args:
            timeout: For how long, in seconds; `None` is for ever.

        Returns:
            Whether it has come.

        Thread: the one that waits. A signal's exception gets through.
        """
        part = limit = -1.0 if timeout is None else min(float(timeout), TIMEOUT_MAX)
        after = self.tellAfter
        tells = after < inf and not 0 <= limit <= after
        if tells:
            part = after
        while True:
            while self._lock.acquire(True, part):
                if not self._open:
                    self._woken = True
                    return True
                # Nobody has woken us: the lock's descriptor was closed, its number is another's.
                self._lock.releaseSpare()  # type: ignore[union-attr]
                self._lock.acquire()
            if not tells:
                return False
            tells = False
            self.tell()
            part = limit if limit < 0 else limit - after

    def tell(self) -> None:
        """Say that this takes long, after `tellAfter` seconds. Thread: the one that waits."""

    def outcome(self) -> T:
        """Return the value or raise the error, after `wait` has returned true."""
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                failure.raiseException()
            finally:
                del self, failure  # this frame is in the traceback now
        return self._value  # type: ignore[return-value]

    def leave(self, reuse: bool) -> None:
        """End the wait: an outcome that comes later is dropped. Thread: the one that waits.

        Args:
            reuse: Whether another thread may have the lock, if it is a `HandoffLock`.
        """
        if not self._woken:
            try:
                self._open.pop()
            except IndexError:
                return  # somebody is about to release the lock
        lock = self._lock
        if type(lock) is HandoffLock:
            self._lock = _UNUSED
            if reuse and self._slot is not None:
                self._slot.giveBack(lock)


class BlockedThreads(Part):
    """The threads that wait for one reactor.

    Attributes:
        waiting: Their calls. Single operations of a set are atomic.
        handoff: Has the lock that one of them may sleep on.
        nextWarning: When it may be told again that the loop does not answer.
    """

    def __init__(self) -> None:
        self.waiting: set[BlockingCall[Any]] = set()
        self.handoff = HandoffSlot()
        self.nextWarning = 0.0  # of `monotonic`
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

    def leave(self, call: BlockingCall[Any]) -> None:
        """Note that a thread does not wait any more. Thread: that one."""
        self.waiting.discard(call)
        call.leave(reuse=not self._released)

    def end(self) -> None:
        """End every wait with `ReactorNotRunning`."""
        self._released = True
        self.handoff.clear()
        while self.waiting:
            try:
                call = self.waiting.pop()
            except KeyError:
                return  # the last one has just left by itself
            call.fail(Failure(ended()))


def ended() -> ReactorNotRunning:
    """Return the error for a thread that waited for a reactor in vain."""
    return ReactorNotRunning("the reactor has ended while this thread waited for it")
