"""What a thread sleeps on that is to go on at once when it is woken.

A lock does for most. But whoever releases one still has the interpreter (its GIL). The sleeper
wakes up in vain, asks for the interpreter, sleeps again, and wakes a second time when it is given
up: on one CPU that makes six switches between threads for a job and its outcome, where two would
do. A `HandoffLock` is rung with the interpreter given up, so the sleeper takes over at once.

That is what is wanted if the ringer is about to wait for the sleeper. In a flood it is not: the
sleeper would come after each call, with two switches a call instead of none. And who rings is held
up until the sleeper sleeps again, or has had the interpreter for as long as others let it
(`sys.getswitchinterval`, 5 ms). So there is one such bell in a pool, and one for the threads that
wait for a reactor: `HandoffSlot` has it, while nobody sleeps on it.

Thread: any.
"""

from __future__ import annotations

import os
import weakref
from functools import partial
from typing import TYPE_CHECKING

from twistlike._wakeup.eventfd import Eventfd

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HandoffLock", "HandoffSlot"]

_LONGEST = 2_000_000.0  # seconds: 23 days. poll() takes milliseconds in a C int

_process = object()  # another one in the child of a fork


class HandoffLock:
    """A bell that hands the interpreter over to the sleeper; used as a lock that is held.

    Attributes:
        release: rings; for any thread. It is no method but a function of C, so that a signal's
            handler, or a kill, can come before it is called or after it has rung, but not between.

    Raises:
        AttributeError: this system has no event counters.
        OSError: no descriptor is left.
    """

    __slots__ = ("__weakref__", "_counter", "_poll", "release")

    release: Callable[[], object]

    def __init__(self) -> None:
        import select  # 1 ms; only threads that wait need it

        self._counter = Eventfd()
        poll = select.poll()
        poll.register(self._counter, select.POLLIN)
        self._poll = poll.poll
        self.release = partial(os.eventfd_write, self._counter, 1)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Sleep until somebody rings, or until the time is over: then return False. Thread: one.

        Args:
            blocking: True.
            timeout: in seconds; -1, or more than 23 days, is for ever.
        """
        if not self._poll(timeout * 1000 if 0 <= timeout < _LONGEST else -1):
            return False
        os.eventfd_read(self._counter)
        return True


class HandoffSlot:
    """The quick bell of a pool, or of the threads that wait for a reactor.

    There is one at a time. Who has taken it gives it back if nobody can be about to ring it, or
    drops it: when it is gone, another is made for whoever comes next.
    """

    def __init__(self) -> None:
        self._free: list[HandoffLock] = []
        self._last: Callable[[], HandoffLock | None] = _nothing
        self._madeIn = _process

    def take(self) -> HandoffLock | None:
        """Return the quick bell, or None: somebody has it, or there can be none."""
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
        """Let somebody else have it. Nobody may be about to ring it."""
        self._free.append(lock)

    def clear(self) -> None:
        """Let go of the bell: for now nobody is to come who wants it."""
        self._free.clear()
        self._last = _nothing
        self._madeIn = _process


def _nothing() -> None:
    """Stand for a reference to a bell that is gone."""


def _afterFork() -> None:
    """Let the child's threads sleep on bells of their own."""
    global _process
    _process = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afterFork)
