"""What a thread sleeps on that is to go on at once when it is woken.

A lock does for most. But whoever releases one still has the interpreter (its GIL). The sleeper
wakes up in vain, asks for the interpreter, sleeps again, and wakes a second time when it is given
up: on one CPU that makes six switches between threads for a job and its outcome, where two would
do. A `QuickBell` is rung with the interpreter given up, so the sleeper takes over at once.

That is what is wanted if the ringer is about to wait for the sleeper. In a flood it is not: the
sleeper would come after each call, with two switches a call instead of none. And who rings is held
up until the sleeper sleeps again, or has had the interpreter for as long as others let it
(`sys.getswitchinterval`, 5 ms). So there is one such bell in a pool, and one for the threads that
wait for a reactor: `Bells` has it, while nobody sleeps on it.

Thread: any.
"""

from __future__ import annotations

import os

from twistlike.eventcounter import EventCounter

__all__ = ["Bells", "QuickBell"]

_LONGEST = 1_000_000.0  # seconds; poll() takes milliseconds in a C int

_process = object()  # another one in the child of a fork, which shares the counters of its parent


class QuickBell:
    """A bell that hands the interpreter over to the sleeper; used as a lock that is held.

    Raises:
        AttributeError: this system has no event counters.
        OSError: no descriptor is left.
    """

    __slots__ = ("_counter", "_poll")

    def __init__(self) -> None:
        import select  # 1 ms; only threads that wait need it

        self._counter = EventCounter()
        poll = select.poll()
        poll.register(self._counter.number, select.POLLIN)
        self._poll = poll.poll

    def release(self) -> None:
        """Ring. Thread: any."""
        os.eventfd_write(self._counter.number, 1)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Sleep until somebody rings, or until the time is over: then return False. Thread: one.

        Args:
            blocking: True.
            timeout: in seconds; -1 is for ever.
        """
        if not self._poll(timeout if timeout < 0 else min(timeout, _LONGEST) * 1000):
            return False
        os.eventfd_read(self._counter.number)
        return True


class Bells:
    """The quick bell of a pool, or of the threads that wait for a reactor.

    Attributes:
        exist: whether there can be one; until it is needed, that is taken for granted.
    """

    def __init__(self) -> None:
        self.exist = True
        self._made: object = None  # in which process
        self._free: list[QuickBell] = []

    def take(self) -> QuickBell | None:
        """Return the quick bell, or None: somebody sleeps on it, or there can be none."""
        if self._made is _process:
            try:
                return self._free.pop()
            except IndexError:
                return None
        self._made = _process
        self._free.clear()
        try:
            return QuickBell()
        except (AttributeError, OSError):
            self.exist = False
            return None

    def giveBack(self, bell: QuickBell) -> None:
        """Let somebody else have it. Nobody may be about to ring it."""
        self._free.append(bell)

    def lose(self) -> None:
        """Let go of the bell, which somebody may have. When one is needed, another is made."""
        self._made = None
        self._free.clear()


def _afterFork() -> None:
    """Let the child's threads sleep on bells of their own."""
    global _process
    _process = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afterFork)
