"""What `asyncio.current_task()` answers inside a Deferred coroutine.

Thread: the one of the loop that it was made for.

`asyncio.timeout`, `asyncio.TaskGroup` and libraries such as anyio and aiohttp ask for the
current task, keep it, and cancel it. A Deferred coroutine is no task: its Deferred resumes it at
once, not in the loop's next turn. So an object with a task's interface stands in for it.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from contextvars import Context
    from types import FrameType
    from typing import IO

    from twistlike._defer.coroutines import CoroutineDeferred

__all__ = ["TaskProxy"]

_nextNumber = count(1).__next__


class TaskProxy:
    """A Deferred coroutine as a task.

    The names are those of `asyncio.Task`. Two private ones are there because anyio reads them.
    """

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_context",
        "_coro",
        "_driver",
        "_loop",
        "_message",
        "_must_cancel",
        "_name",
        "_outcome",
        "_requests",
    )

    def __init__(self, driver: CoroutineDeferred[Any], loop: AbstractEventLoop) -> None:
        # None once the coroutine has ended.
        self._driver: CoroutineDeferred[Any] | None = driver
        self._loop = loop
        self._coro = driver._coroutine()
        self._context: Context | None = driver._context
        self._name: str | None = None
        self._requests = 0
        self._must_cancel = False
        self._message: Any = None
        self._outcome: Any = None
        self._callbacks: list[tuple[Callable[[Any], object], Context | None]] | None = None

    # Cancelling

    def cancel(self, msg: Any = None) -> bool:
        """Raise `asyncio.CancelledError` in the coroutine, but not before this returns.

        `asyncio.timeout` cancels first and notes that it did afterwards, so the coroutine must
        not run in between, as it would if the Deferred that it waits for were cancelled at once.
        """
        if self._driver is None:
            return False
        self._requests += 1
        self._message = msg
        if not self._cancelFuture() and not self._must_cancel:
            self._must_cancel = True
            self._loop.call_soon(self._cancelWait)
        return True

    def _cancelFuture(self) -> bool:
        """Cancel the future that is waited for, if it is one: it calls back in the next turn."""
        waiting = self._fut_waiter
        if getattr(waiting, "_asyncio_future_blocking", None) is None:
            return False
        return bool(waiting.cancel(msg=self._message))

    def _cancelWait(self) -> None:
        """Cancel what the coroutine waits for by now."""
        if self._must_cancel and self._driver is not None:
            if self._cancelFuture():
                self._must_cancel = False
            else:
                self._driver._cancelDeferred()

    def _takeCancel(self) -> Failure:
        """Return what is to be raised in the coroutine now."""
        from asyncio import CancelledError  # loaded: there is a loop

        self._must_cancel = False
        message, self._message = self._message, None
        return Failure(CancelledError() if message is None else CancelledError(message))

    def cancelling(self) -> int:
        return self._requests

    def uncancel(self) -> int:
        if self._requests:
            self._requests -= 1
            if not self._requests:
                self._must_cancel = False
        return self._requests

    # What it waits for, and what it has come to

    @property
    def _fut_waiter(self) -> Any:
        return None if self._driver is None else self._driver._waitingOn

    def done(self) -> bool:
        return self._driver is None

    def cancelled(self) -> bool:
        outcome = self._outcome
        return isinstance(outcome, Failure) and type(outcome.value).__name__ == "CancelledError"

    def result(self) -> Any:
        self._checkDone()
        if isinstance(self._outcome, Failure):
            self._outcome.raiseException()
        return self._outcome

    def exception(self) -> BaseException | None:
        self._checkDone()
        return self._outcome.value if isinstance(self._outcome, Failure) else None

    def _checkDone(self) -> None:
        if self._driver is not None:
            from asyncio import InvalidStateError

            raise InvalidStateError("the coroutine has not ended; await its Deferred")

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        if self._driver is None:
            self._loop.call_soon(callback, self, context=context)
        elif self._callbacks is None:
            self._callbacks = [(callback, context)]
        else:
            self._callbacks.append((callback, context))

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        before = self._callbacks or []
        self._callbacks = [pair for pair in before if pair[0] != callback]
        return len(before) - len(self._callbacks)

    def _end(self, outcome: Any) -> None:
        """Note that the coroutine has ended; its Deferred calls this."""
        self._driver = None
        callbacks, self._callbacks = self._callbacks, None
        if callbacks is None:
            return
        self._outcome = outcome
        for callback, context in callbacks:
            self._loop.call_soon(callback, self, context=context)

    # Who it is

    def get_loop(self) -> AbstractEventLoop:
        return self._loop

    def get_coro(self) -> Any:
        return self._coro

    def get_context(self) -> Context | None:
        return self._context

    def get_name(self) -> str:
        if self._name is None:
            self._name = f"Deferred-{_nextNumber()}"
        return self._name

    def set_name(self, value: object) -> None:
        self._name = str(value)

    def get_stack(self, *, limit: int | None = None) -> list[FrameType]:
        frame = getattr(self._coro, "cr_frame", None) or getattr(self._coro, "gi_frame", None)
        return [] if frame is None or limit == 0 else [frame]

    def print_stack(self, *, limit: int | None = None, file: IO[str] | None = None) -> None:
        import traceback

        for frame in self.get_stack(limit=limit):
            traceback.print_stack(frame, limit=1, file=file)

    def __repr__(self) -> str:
        state = "pending" if self._driver is not None else "finished"
        return f"<Deferred coroutine {state} name={self.get_name()!r} coro={self._coro!r}>"
