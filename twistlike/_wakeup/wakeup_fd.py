"""A descriptor that one thread makes readable to wake another. Linux only. Thread: any.

How it works
------------
The descriptor is an epoll instance that watches one event counter, which can always be read from.
To wake is to ask for one report of that (`EPOLLONESHOT`): the epoll instance becomes readable. A
poll of it takes the report, and it is not readable any more.

So nothing is ever written to a descriptor, or read from one. That matters where another part of the
process closes descriptors that are not its own, as daemons do, and their numbers are used again:
the kernel finds the counter in the epoll instance by its file and by its number, and refuses the
call if either is another one. A write to an event counter's number would be a write into somebody's
file. A wakeup costs what it costs with a counter (0.3 us); waiting costs one call less.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WakeupFd"]

# The number that an event counter is moved to, or one after it. Numbers that low are hardly ever
# used again: else an epoll instance of somebody's might have both of our numbers, and watch one.
_HIGH = 500

# The epoll instances that are open, by the numbers of their counters.
_open: dict[int, Any] = {}

# Epoll objects whose descriptors somebody else has closed. They would close them once more, and
# with them what has got their numbers by now: so they are kept.
_lost: list[Any] = []


class WakeupFd(int):
    """A descriptor that any thread can make readable. Its value is the number of the counter.

    It is closed when nobody has it in hand any more. Not before: a thread may be about to wake.

    Attributes:
        poll: Takes a time in seconds (-1: for ever) and 1. Returns a list: empty, if nobody woke.

    Raises:
        AttributeError: This system has no event counters, or no epoll.
        OSError: No descriptor is left.
    """

    poll: Callable[[float, int], list[Any]]
    _epoll: Any
    _armed: int

    def __new__(cls) -> Self:
        """Open one."""
        import select  # 1 ms; only threads that wait, and loops, need it

        number = _moveUp(os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
        try:
            epoll = select.epoll()
            epoll.register(number, 0)
        except BaseException:
            os.close(number)
            raise
        self = super().__new__(cls, number)
        self._epoll = _open[number] = epoll
        self._armed = select.EPOLLIN | select.EPOLLONESHOT
        self.poll = epoll.poll
        return self

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        number: int = self._epoll.fileno()
        return number

    def waker(self) -> Callable[[], object]:
        """Return what wakes: a function of C, so no signal's handler comes before its last step.

        It raises OSError if somebody else has closed the descriptor.
        """
        return partial(self._epoll.modify, self, self._armed)

    def clearer(self) -> Callable[[], object]:
        """Return what takes wakeups back, without a wait. It does not hold this object.

        It raises OSError if somebody else has closed the descriptor, ValueError if we have.
        """
        return partial(self._epoll.modify, int(self), 0)

    def isOurs(self) -> bool:
        """Return whether the descriptor has not been closed by somebody else."""
        return _isOurs(self._epoll, int(self))

    def __del__(self) -> None:
        try:
            number = int(self)
            epoll = _open.pop(number)
            if epoll is not self._epoll:
                _open[number] = epoll  # ours was closed, and its number used again for another one
                _lost.append(self._epoll)
            elif _isOurs(epoll, number):
                epoll.close()
                os.close(number)
            else:
                _lost.append(epoll)
        except (AttributeError, KeyError, OSError, TypeError):
            pass  # it was not opened, or the interpreter ends and took this module apart


def _moveUp(number: int) -> int:
    """Move a descriptor to a high number, where the limit allows that."""
    import fcntl

    try:
        high: int = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:
        return number
    os.close(number)
    return high


def _isOurs(epoll: Any, number: int) -> bool:
    """Return whether an epoll instance watches the counter still: then both are as they were."""
    try:
        epoll.register(number, 0)
    except FileExistsError:
        return True
    except (OSError, ValueError):
        return False
    epoll.unregister(number)
    return False


def _afterFork() -> None:
    """In the child: have epoll instances of its own. By the parent's, it would wake the parent."""
    import select

    for number, epoll in list(_open.items()):
        if not _isOurs(epoll, number):
            continue
        try:
            own = select.epoll()
            os.dup2(own.fileno(), epoll.fileno(), inheritable=False)
            epoll.register(number, 0)
        except OSError:
            os.close(epoll.fileno())  # no descriptor is left: nobody is woken by this one any more


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afterFork)
