"""A loop that is stepped by hand: what the parts of a reactor ask of asyncio, and no more."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context


class FakeHandle:
    """What ``call_soon`` and ``call_later`` return."""

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def cancel(self) -> None:
        self.callback = None

    def run(self) -> None:
        if self.callback is not None:
            self.callback(*self.args)


class FakeLoop:
    """Has the methods that the parts call. ``turn()`` is one turn, ``advance()`` moves time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wakeups = 0
        self.closed = False
        self.dropWakeups = False
        self._ready: deque[FakeHandle] = deque()
        self._later: list[tuple[float, int, FakeHandle]] = []
        self._number = 0

    def time(self) -> float:
        return self.now

    def is_closed(self) -> bool:
        return self.closed

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> FakeHandle:
        handle = FakeHandle(callback, args)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> FakeHandle:
        if self.closed:
            raise RuntimeError("Event loop is closed")
        self.wakeups += 1
        if self.dropWakeups:
            return FakeHandle(callback, args)
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> FakeHandle:
        handle = FakeHandle(callback, args)
        self._number += 1
        heapq.heappush(self._later, (self.now + delay, self._number, handle))
        return handle

    def turn(self) -> int:
        """Run what is ready now, and return how much that was."""
        count = len(self._ready)
        for _ in range(count):
            self._ready.popleft().run()
        return count

    def turns(self) -> None:
        """Run turns until nothing is ready."""
        while self.turn():
            pass

    def advance(self, seconds: float) -> None:
        """Move the clock, and run what has become due, and all that follows at once."""
        end = self.now + seconds
        while self._later and self._later[0][0] <= end:
            self.now, _, handle = heapq.heappop(self._later)
            self.now = max(self.now, 0.0)
            self._ready.append(handle)
            self.turns()
        self.now = end
        self.turns()

    def close(self) -> None:
        """Forget everything, as asyncio's loops do."""
        self.closed = True
        self._ready.clear()
        self._later.clear()


class Rig:
    """A part of a reactor on a loop that is stepped by hand, and what has happened.

    Attributes:
        out: What the part's calls have noted.
        errors: What was reported: the error, and the function that raised it.
        fatal: The types of errors that are not to be swallowed.
        loop: The loop.
    """

    def __init__(self) -> None:
        self.out: list[Any] = []
        self.errors: list[tuple[BaseException, object]] = []
        self.fatal: type[BaseException] | tuple[()] = ()
        self.loop = FakeLoop()

    def failed(self, error: BaseException, function: Callable[..., object]) -> BaseException | None:
        """Note an error, as a reactor reports it."""
        self.errors.append((error, function))
        return error if isinstance(error, self.fatal) else None
