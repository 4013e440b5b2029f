"""What wakes a loop from any thread.

A loop is made to look at something by `call_soon_threadsafe`: a handle, a write to a socket, two
reads from it, the second of which fails. On Linux, and if the loop can watch a descriptor, one of
our own does with two system calls. By that alone a thread that called into a loop was answered in
18 us instead of 30, on one CPU; on uvloop in 11 for 21.

Thread: `wake` may be called in any; the rest is the loop's.
"""

from __future__ import annotations

import os
import weakref
from contextvars import Context
from typing import TYPE_CHECKING, Any

from twistlike._eventloop import current
from twistlike._wakeup.wakeup_fd import WakeupFd

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from typing import Protocol

    Answer = Callable[[Any], object]

__all__ = ["EpollWaker", "ThreadsafeWaker", "wakerFor"]

# select() takes descriptors below this number (FD_SETSIZE). A loop that is built on it fails at
# each turn, for ever, if it watches a greater one; which loops are cannot be asked.
_SELECT_LIMIT = 1024


if TYPE_CHECKING:

    class LoopWaker(Protocol):
        """Has something called in a loop's thread, with the token that it was woken with."""

        def wake(self, token: object) -> None:
            """Wake the loop. Of several wakeups that are not answered yet, all or one are answered.

            Raises:
                RuntimeError: If the loop is closed.

            Thread: any; also in signal handlers and `__del__`.
            """


def wakerFor(loop: AbstractEventLoop, answer: Answer, latest: Callable[[], object]) -> LoopWaker:
    """Return what wakes a loop. It is removed from the loop when nobody refers to it any more.

    Args:
        loop: The loop. It does not keep `answer` alive, except while a wakeup waits for it.
        answer: Called in the loop's thread, in an empty context, with a token.
        latest: Returns the token, where one answer may stand for several wakeups.
    """
    if hasattr(os, "eventfd") and hasattr(loop, "add_reader"):
        try:
            return EpollWaker(loop, answer, latest)
        except Exception:
            pass  # no descriptor is left, or the loop cannot watch any, whatever it says
    return ThreadsafeWaker(loop, answer)


class ThreadsafeWaker:
    """Wakes the loop in the way that every loop has."""

    def __init__(self, loop: AbstractEventLoop, answer: Answer) -> None:
        self._loop = loop
        self._answer = answer
        self._context = Context()

    def wake(self, token: object) -> None:
        """Wake the loop. Thread: any."""
        self._loop.call_soon_threadsafe(self._answer, token, context=self._context)


class EpollWaker:
    """Wakes the loop by a descriptor that the loop watches.

    If somebody else closes that, it wakes the loop as a `ThreadsafeWaker` does.

    Raises:
        OSError: No descriptor is left, or its number is too high for some loops.
    """

    def __init__(
        self, loop: AbstractEventLoop, answer: Answer, latest: Callable[[], object]
    ) -> None:
        self._process = os.getpid()
        self._descriptor = descriptor = WakeupFd()
        number = descriptor.fileno()
        if number >= _SELECT_LIMIT:
            raise OSError(f"descriptor {number} is too high for loops that use select()")
        self._signal = descriptor.waker()
        self._answer = answer
        self._latest = latest
        # Weak: the loop must not keep alive what nobody else wants any more.
        waker = weakref.ref(self)
        clear = descriptor.clearer()

        def woken() -> None:
            # Race: cleared before the token is asked for. A thread that wakes in between wakes once
            # too often; the other way round its wakeup would be cleared, and never be answered.
            try:
                try:
                    clear()
                except (OSError, ValueError):
                    pass  # closed by somebody else; the number is that of another descriptor
                if (alive := waker()) is not None:
                    alive._answer(alive._latest())
            except BaseException:
                # Perhaps a signal's, before all was answered. Once too often does no harm.
                if (alive := waker()) is not None:
                    alive.wake(None)
                raise

        try:
            Context().run(loop.add_reader, number, woken)
        except BaseException:  # a signal's: the loop may have it, and uvloop aborts on a closed one
            loop.remove_reader(number)
            raise
        self._loop = loop  # last: without it there is nothing to be removed

    def wake(self, token: object) -> None:
        """Wake the loop. Thread: any."""
        if self._loop.is_closed():
            raise RuntimeError("Event loop is closed")
        try:
            self._signal()
        except OSError:
            self._loop.call_soon_threadsafe(self._answer, token, context=Context())

    def __del__(self) -> None:
        """Remove it from the loop. Thread: any, whichever lets go of it last."""
        try:
            loop, descriptor = self._loop, self._descriptor
            # A child shares the selector of its parent's loop, and must leave it alone.
            if self._process == os.getpid() and not loop.is_closed():
                if current.runningLoop() is loop:
                    _unwatch(loop, descriptor)
                else:
                    loop.call_soon_threadsafe(_unwatch, loop, descriptor)
        except (AttributeError, RuntimeError):
            pass  # the loop does not watch it, or has been closed just now


def _unwatch(loop: AbstractEventLoop, descriptor: WakeupFd) -> None:
    """Have the loop watch a descriptor no longer; after that it is closed. Thread: the loop's."""
    if descriptor.isOurs():  # else the number may be that of another socket, which the loop watches
        loop.remove_reader(descriptor.fileno())
