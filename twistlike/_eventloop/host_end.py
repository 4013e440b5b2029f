"""Tells a reactor on somebody else's loop that this loop ends.

How it works
------------
There are two ends. In the orderly one (`asyncio.run`) the host closes the asynchronous generators
that were started on its loop, and waits for them: one of them is ours. If the loop is merely
closed, it frees its timers, and one of these is ours too; then nothing can be waited for.

Thread: the loop's.
"""

from __future__ import annotations

import sys
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._eventloop.loops import clockOf

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task, TimerHandle
    from collections.abc import AsyncGenerator, Awaitable, Callable

__all__ = ["HostWatch", "LoopCloseDetector", "generatorsEnd"]

# For how long the detector asks the loop to hold its sentinel, in seconds: ten years, never.
FOR_EVER = 3e8

# Tasks in which reactors wait for the generators of their hosts.
_watching: set[Task[Any]] = set()


class HostWatch:
    """Hears of the end of a host's loop, in either of the two ways.

    Args:
        loop: The host's loop, which runs in this thread.
        onEnd: Called and awaited when the host is about to close the loop.
        onClosed: Called once, when the loop has been closed without that.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        onEnd: Callable[[], Awaitable[object]],
        onClosed: Callable[[], object],
    ) -> None:
        self._onEnd = [onEnd]  # popped by whichever comes first: the host, or our letting go
        self._detector = LoopCloseDetector(loop, onClosed)
        self._generator = _watch(self._onEnd)
        _step(self._generator.__anext__())

    def release(self) -> None:
        """Take back what was given to the loop: the end is of no interest any more."""
        self._detector.release()
        self._closeGenerator()

    def abandon(self) -> None:
        """Hear nothing any more, and leave the loop alone: it is another process's."""
        self._detector.disarm()
        # Else its end would ask the parent's loop to close it, by a pipe that both share.
        self._closeGenerator()

    def _closeGenerator(self) -> None:
        if self._onEnd:  # else the host closes it just now
            self._onEnd.clear()
            _step(self._generator.aclose())


async def _watch(onEnd: list[Callable[[], Awaitable[object]]]) -> AsyncGenerator[None, None]:
    """Wait to be closed. It knows no object of ours, so that the loop keeps none alive.

    The loop has seen this generator start, and closes it by `loop.shutdown_asyncgens()`, which
    `asyncio.run` awaits when the main coroutine is over. The loop holds it weakly.
    """
    try:
        yield
    finally:
        if onEnd:
            await onEnd.pop()()


class LoopCloseDetector:
    """Tells when a loop has been closed, if it goes by the system's clock.

    A loop that is closed frees its timers, and a timer that is freed frees its function. That is
    the only sign of a `loop.close()` by the loop's owner, and it comes in the thread that closes,
    from within `close()`.

    Args:
        loop: The loop.
        onClosed: Called once, when the loop has been closed.

    Thread: the loop's.
    """

    __slots__ = ("_handle", "_loop", "_onClosed")

    def __init__(self, loop: AbstractEventLoop, onClosed: Callable[[], object]) -> None:
        self._onClosed: Callable[[], object] | None = onClosed
        self._loop = weakref.ref(loop)
        self._handle: Callable[[], TimerHandle | None] = _noHandle
        # A clock of its own (a test's) may leap over idle time to the next timer, ten years on.
        # Then the end is only heard of in the orderly way.
        if clockOf(loop) is monotonic:
            self.hold(_CloseSentinel(self))

    def hold(self, sentinel: _CloseSentinel) -> None:
        """Give the sentinel to the loop, as the function of a timer."""
        loop = self._loop()
        if loop is not None:
            # Weak, so that the loop alone holds the handle: once forgotten it is freed at once.
            self._handle = weakref.ref(loop.call_later(FOR_EVER, sentinel))

    def release(self) -> None:
        """Take the sentinel back: the end is of no interest any more."""
        self._onClosed = None
        handle = self._handle()
        if handle is not None:
            handle.cancel()

    def disarm(self) -> None:
        """Hear nothing any more, and leave the loop alone."""
        self._onClosed = None

    def dropped(self) -> None:
        """Hear that the loop has freed the sentinel."""
        onClosed, self._onClosed = self._onClosed, None
        if onClosed is not None and not sys.is_finalizing():
            onClosed()


class _CloseSentinel:
    """What a loop holds for a detector, and frees when it is closed."""

    __slots__ = ("_detector",)

    def __init__(self, detector: LoopCloseDetector) -> None:
        self._detector = detector

    def __call__(self) -> None:
        """Be held again: a clock for tests, which leaps over idle time, has come that far."""
        self._detector.hold(self)

    def __del__(self) -> None:
        self._detector.dropped()


def _noHandle() -> None:
    """Stand for the weak reference to a handle that there is not."""


async def generatorsEnd(limit: float) -> None:
    """Wait for the generators that the host closes together with ours, when the loop ends.

    They may wait for the reactor, which therefore ends after them. Those of other reactors are not
    waited for: they do the same.

    Args:
        limit: How long to wait at most, in seconds.
    """
    import asyncio  # not at the top: see the module's docstring

    loop = asyncio.get_running_loop()
    task = asyncio.current_task(loop)
    if task is None:
        return
    if not _siblings(task, loop):
        return
    _watching.add(task)
    try:
        await asyncio.sleep(0)  # each is closed by a task of its own, which has begun by then
        others = _siblings(task, loop) - _watching
        if others:
            await asyncio.wait(others, timeout=limit)
    finally:
        _watching.discard(task)


def _siblings(task: Task[Any], loop: AbstractEventLoop) -> set[Task[Any]]:
    """Return the tasks that close the other generators; all of them exist when one begins."""
    import asyncio  # not at the top: see the module's docstring

    kind = _kindOf(task)
    return {each for each in asyncio.all_tasks(loop) if each is not task and _kindOf(each) == kind}


def _kindOf(task: Task[Any]) -> object:
    """Return what tells the tasks that close a generator from others: what asyncio has them run."""
    return getattr(task.get_coro(), "__qualname__", None)


def _step(awaitable: Awaitable[object]) -> None:
    """Do, with no task, what needs only one step, since it waits for nothing."""
    try:
        awaitable.__await__().send(None)
    except StopIteration:
        pass
