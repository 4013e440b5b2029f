"""A lock whose release hands the GIL to the thread that waits for it.

A lock does for most waits. But releasing a lock does not release the GIL. The woken thread asks for
the GIL, blocks again, and wakes a second time when the first thread gives it up: on one CPU that
makes six switches between threads for a job and its outcome, where two would do. A `HandoffLock` is
released by a system call that gives the GIL up, so the woken thread runs at once.

That is right if the thread that releases is about to wait for the other one. It is wrong in a flood
of jobs: two switches for each call instead of none. And it is wrong if the woken thread computes:
whoever has released the lock does not get the GIL back before the switch interval is over (5 ms,
`sys.getswitchinterval`). So there is one such lock in a pool, and one for the threads that wait for
a reactor, and a `HandoffSlot` has it: it gives it out while nobody sleeps on it, and after a job
that took long only when enough short ones have followed.

Thread: any.
"""

from __future__ import annotations

import os
import weakref
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from twistlike._wakeup.wakeup_fd import WakeupFd

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LONG", "HandoffLock", "HandoffSlot"]

# Seconds after which a thread that sleeps looks whether it can still be woken: its descriptor may
# have been closed by somebody else. One look a second is nothing, and a job may be late by that.
_SLICE = 1.0

LONG = 0.0001
"""Seconds: a thread that computes for so long after it was woken should not have got the GIL at
once. Five times what a job and its outcome take."""

# How many short waits there must be in a row before the lock is used again, at least and at most.
# The number doubles each time that the lock was in use and the wait turned out long. So jobs that
# compute hold their askers up eleven times at most, then once in 4,096 short ones.
_CALM_MIN = 4
_CALM_MAX = 4096

# Seconds without a long wait, after which the number begins at its least again.
_FORGET = 60.0

_process = object()  # another one in the child of a fork


class HandoffLock:
    """A lock that is held, and hands the GIL over when it is released.

    Attributes:
        release: Releases it; for any thread. It is no method but a function of C: a signal's
            handler, or a kill, can come before it is called or after it, but not between. Raises
            OSError if somebody else has closed the descriptor: then call `releaseSpare`.
        lost: Whether the descriptor was closed by somebody else. Then the lock is of no more use.

    Raises:
        AttributeError: This system has no event counters.
        OSError: No descriptor is left.
    """

    __slots__ = ("__weakref__", "_poll", "_spare", "lost", "release")

    release: Callable[[], object]

    def __init__(self) -> None:
        descriptor = WakeupFd()
        self._poll = descriptor.poll
        self.release = descriptor.waker()
        self._spare = Lock()
        self._spare.acquire()
        self.lost = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Sleep until the lock is released, or until the time is over: then return False.

        It may return early if somebody else has closed the descriptor: see that you were woken.

        Args:
            blocking: True.
            timeout: In seconds; -1 is for ever.

        Thread: one.
        """
        while True:
            part = timeout if 0 <= timeout < _SLICE else _SLICE
            try:
                if not self.lost and self._poll(part, 1):
                    return True
            except OSError:
                self.lost = True  # no epoll instance has this number any more
            # Whoever released it may have found the descriptor gone.
            if self._spare.acquire(self.lost, part if self.lost else -1):
                self.lost = True
                return True
            if timeout == part:
                return False
            if timeout > 0:
                timeout -= part

    def releaseSpare(self) -> None:
        """Release the lock after `release` has raised: the sleeper finds out within a second."""
        self.lost = True
        try:
            self._spare.release()
        except RuntimeError:
            pass  # released already, and not taken yet


class HandoffSlot:
    """The one `HandoffLock` of a pool, or of the threads that wait for a reactor.

    Whoever has taken it gives it back if nobody can be about to release it, or drops it: when it is
    gone, another is made for whoever comes next.
    """

    def __init__(self) -> None:
        self._free: list[HandoffLock] = []
        self._last: Callable[[], HandoffLock | None] = _nothing
        self._madeIn = _process
        self._needed = 0  # short waits, before the lock is used again
        self._missing = 0  # those of them that are still to come
        self._lastLong = 0.0

    def take(self) -> HandoffLock | None:
        """Return the lock, or None: it is taken, waits were long lately, or there can be none."""
        if self._missing:
            self._missing -= 1
            return None
        if self._madeIn is not _process:
            self.clear()  # the parent's
        try:
            return self._free.pop()
        except IndexError:
            if self._last() is not None:
                return None
        try:
            lock = HandoffLock()
        except (AttributeError, OSError):
            return None
        self._last = weakref.ref(lock)
        return lock

    @property
    def taken(self) -> bool:
        """Whether somebody has it."""
        return not self._free and self._last() is not None

    def giveBack(self, lock: HandoffLock) -> None:
        """Let somebody else have it. Nobody may be about to release it."""
        if not lock.lost:
            self._free.append(lock)

    def noteLong(self) -> None:
        """Note that a woken thread computed for long: so give no lock out until it is calm."""
        now = monotonic()
        if now - self._lastLong > _FORGET:
            self._needed = _CALM_MIN
        elif not self._missing:  # the lock was in use
            self._needed = max(_CALM_MIN, min(_CALM_MAX, 2 * self._needed))
        self._missing = self._needed
        self._lastLong = now

    def clear(self) -> None:
        """Let go of the lock: for now nobody comes who wants it."""
        self._free.clear()
        self._last = _nothing
        self._madeIn = _process


def _nothing() -> None:
    """Stand for a reference to a lock that is gone."""


def _afterFork() -> None:
    """Let the child's threads sleep on locks of their own."""
    global _process
    _process = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afterFork)
