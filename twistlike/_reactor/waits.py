"""What waits when the reactor ends: threads for the loop, Deferreds for threads. All of it fails.

How it works
------------
A blocked thread sleeps on a lock that is held. Whoever brings the outcome first releases it; later
outcomes are dropped. One of the threads sleeps on a `HandoffLock` instead (see `gil_handoff`): then
its answer takes two switches between threads and not four.

When the reactor ends, all waits of threads end with an error. A thread enters the set before its
call is posted, so either the end finds it there, or its call is refused by the closed inbox.

A job in a thread sends its outcome to the inbox. When the reactor has closed its inbox no more
outcomes can come: the Deferreds that are outstanding then fail, in the reactor's thread. An outcome
that comes later finds the inbox closed and is dropped. As both happen in the reactor's thread, one
after the other, no Deferred is fired twice, and no lock is needed.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.functions import describeWithPlace
from twistlike._reactor.parts import Part
from twistlike._reactor.pools import currentPool
from twistlike._wakeup.gil_handoff import LONG, HandoffLock, HandoffSlot

if TYPE_CHECKING:
    from _thread import LockType
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class Outstanding(Protocol):
        """A call whose Deferred is still to be fired."""

        @property
        def what(self) -> object:
            """What a thread still runs for it."""

        def abandon(self, failure: Failure) -> None:
            """Fire the Deferred with an error instead."""


__all__ = [
    "BlockedThreads",
    "BlockingCall",
    "CompensatedCall",
    "OutstandingDeferreds",
    "ended",
]

T = TypeVar("T")
W = TypeVar("W")


# A worker that waits for no longer than this, in seconds, does not say so to its pool: a spare
# one is not started before that anyway, and saying so costs a third of a quick blocking call.
_SOON = 0.01

# In the place of a `HandoffLock` that is not released any more.
_UNUSED = allocate_lock()


class BlockingCall(Generic[T]):
    """One thread's wait for one outcome.

    Args:
        slot: Where to take a `HandoffLock` from, if one is free; else a plain lock is made.
            None always makes one.

    Attributes:
        tellAfter: After how many seconds of a wait `tell` is called; None for never.
    """

    tellAfter: float | None = None

    __slots__ = ("_failure", "_lock", "_open", "_slot", "_value", "_woken")

    def __init__(self, slot: HandoffSlot | None = None) -> None:
        self._slot = slot
        self._woken = False
        # One token: whoever deletes it brings the outcome. That is atomic, so no lock is needed
        # between the reactor's thread, its end, and the watchdog of a pool. And it is no call: no
        # signal's exception comes between the deletion and the release of the lock, which would
        # leave the thread asleep for ever. So `succeed` and `fail` do that each for itself.
        self._open = [True]
        self._value: T | None = None
        self._failure: Failure | None = None
        handoff = None if slot is None else slot.take()
        if handoff is None:
            self._slot = None
            self._lock: LockType | HandoffLock = allocate_lock()
            self._lock.acquire()
        else:
            self._lock = handoff

    def succeed(self, value: T) -> None:
        """Bring the value. Thread: any."""
        slot = self._slot
        begin = 0.0 if slot is None else monotonic()
        try:
            del self._open[0]
        except IndexError:
            return
        self._value = value
        try:
            self._lock.release()
        except OSError:
            self._lock.releaseSpare()  # type: ignore[union-attr]
        # The woken thread has had the GIL since: did it compute, instead of asking again?
        if slot is not None and monotonic() - begin >= LONG:
            slot.noteLong()

    def fail(self, failure: Failure) -> None:
        """Bring the error. Thread: any."""
        slot = self._slot
        begin = 0.0 if slot is None else monotonic()
        try:
            del self._open[0]
        except IndexError:
            return
        self._failure = failure
        try:
            self._lock.release()
        except OSError:  # somebody else has closed the descriptor of a `HandoffLock`
            self._lock.releaseSpare()  # type: ignore[union-attr]
        # The woken thread has had the GIL since: did it compute, instead of asking again?
        if slot is not None and monotonic() - begin >= LONG:
            slot.noteLong()

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
        if after is not None:
            if 0 <= limit <= after:
                after = None
            else:
                part = after
        while True:
            while self._lock.acquire(True, part):
                if not self._open:
                    self._woken = True
                    return True
                # Nobody has woken us: the lock's descriptor was closed, its number is another's.
                self._lock.releaseSpare()  # type: ignore[union-attr]
                self._lock.acquire()
            if after is None:
                return False
            part = limit if limit < 0 else limit - after
            after = None
            self.tell()

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


class CompensatedCall(BlockingCall[Any]):
    """One thread's wait for one outcome; a pool's worker that waits is compensated by a spare one.

    Args:
        slot: Where to take a `HandoffLock` from; None for a plain lock.
    """

    __slots__ = ()

    def waitCompensated(self, timeout: float | None) -> bool:
        """Wait for the outcome; if that takes long, another worker may work meanwhile.

        Args:
            timeout: For how long, in seconds; `None` is for ever.

        Returns:
            Whether it has come.

        Thread: the one that waits. A signal's exception gets through.
        """
        if timeout is not None and timeout <= _SOON:
            return self.wait(timeout)
        if self.wait(_SOON):
            return True
        rest = None if timeout is None else timeout - _SOON
        # Only now: to ask whether this is a worker costs as much as to put the call into the inbox.
        pool = currentPool()
        if pool is None:
            return self.wait(rest)
        compensated = pool.compensated(self.wedged)
        try:
            with compensated:
                return self.wait(rest)
        except BaseException:
            compensated.__exit__()  # a signal's exception may have interrupted that
            raise

    def wedged(self, error: Exception) -> None:
        """Fail: the pool of the worker that waits is wedged. Thread: any."""
        self.fail(Failure(error))


class BlockedThreads(Part):
    """The threads that wait for one reactor.

    Attributes:
        waiting: Their calls. Single operations of a set are atomic.
        handoff: Has the lock that one of them may sleep on.
        nextWarning: When it may be told again that the loop does not answer.
        released: Whether it is too late to wait for more than the inbox will still do.
    """

    def __init__(self) -> None:
        self.waiting: set[BlockingCall[Any]] = set()
        self.handoff = HandoffSlot()
        self.nextWarning = 0.0  # of `monotonic`
        self.released = False

    def __len__(self) -> int:
        return len(self.waiting)

    def bind(self, loop: AbstractEventLoop) -> None:
        """Let threads wait (again)."""
        self.released = False

    def leave(self, call: BlockingCall[Any]) -> None:
        """Note that a thread does not wait any more. Thread: that one."""
        self.waiting.discard(call)
        call.leave(not self.released)

    def end(self) -> None:
        """End every wait with `ReactorNotRunning`."""
        self.released = True
        self.handoff.clear()
        for call in _takeEach(self.waiting):
            call.fail(Failure(ended()))


class OutstandingDeferreds(Part):
    """The calls of one reactor whose Deferreds threads have still to fire.

    Args:
        onError: Called with an exception that came out of `abandon`, and that method.

    Attributes:
        calls: The jobs' own. A worker looks at their number: whether its job is awaited alone.
        waits: All others, such as those of queues.
    """

    def __init__(self, onError: Callable[[BaseException, Callable[..., object]], object]) -> None:
        self.calls: set[Outstanding] = set()
        self.waits: set[Outstanding] = set()
        self._onError = onError

    def end(self) -> None:
        """Fire all of them with `ReactorNotRunning`. Thread: the reactor's."""
        for calls in (self.calls, self.waits):
            for call in _takeEach(calls):
                try:
                    call.abandon(Failure(_tooLate(call.what)))
                except BaseException as error:
                    self._onError(error, call.abandon)


def _takeEach(waits: set[W]) -> Iterator[W]:
    """Take what waits out of a set, one by one, also what comes meanwhile."""
    try:
        # Not "wait = pop()": between the two an exception of a signal's handler would lose it.
        yield from iter(waits.pop, None)
    except KeyError:
        return  # there is none left


def ended() -> ReactorNotRunning:
    """Return the error for a thread that waited for a reactor in vain."""
    return ReactorNotRunning("the reactor has ended while this thread waited for it")


def _tooLate(what: object) -> ReactorNotRunning:
    """Return the error for a Deferred whose outcome will be dropped."""
    return ReactorNotRunning(
        f"the reactor has ended while a thread still ran {describeWithPlace(what)}, whose outcome"
        " is dropped"
    )
