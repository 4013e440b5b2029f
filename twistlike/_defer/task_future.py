"""What an asyncio task waits on while it awaits a Deferred.

Thread: the one of the task's loop.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._defer.cancelling import cancelFor

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from contextvars import Context

    from twistlike._defer.deferred import Deferred

__all__ = ["FutureAdapter", "whenTaskWaits"]

whenTaskWaits: set[Callable[[], object]] = set()
"""What is called when a task begins to wait for a Deferred: a reactor that has no loop yet, and has
been asked for something, attaches to the task's. (The Deferred may be one that it has to fire.)"""


class FutureAdapter:
    """Speaks the protocol of asyncio's futures, for one `await` of one Deferred in one task.

    Attributes:
        outcome: what the Deferred had come to when it was this waiter's turn in its chain.
        loop: the task's loop.
        thread: its thread.
    """

    __slots__ = (
        "__weakref__",
        "_asyncio_future_blocking",
        "_context",
        "_deferred",
        "_wakeup",
        "loop",
        "outcome",
        "thread",
    )

    outcome: Any
    _wakeup: Callable[[Any], object] | None
    _context: Context | None

    def __init__(self, deferred: Deferred[Any], loop: AbstractEventLoop) -> None:
        if whenTaskWaits:
            for tell in tuple(whenTaskWaits):
                tell()
        self._asyncio_future_blocking = True
        self._deferred: Deferred[Any] | None = deferred
        self.loop = loop
        self.thread = get_ident()
        self._wakeup = None

    # What the Deferred calls

    def _resume(self, outcome: Any) -> None:
        """Take the outcome, and let the task go on in the loop's next turn."""
        isHere = self.thread == get_ident()
        # From here on no signal's exception comes before the loop has been asked.
        self.outcome = outcome
        self._deferred = None
        wakeup = self._wakeup
        self._wakeup = None
        if wakeup is None:
            return
        try:
            if isHere:
                self.loop.call_soon(wakeup, self, context=self._context)
            else:
                self.loop.call_soon_threadsafe(wakeup, self, context=self._context)
        except RuntimeError:
            if not self.loop.is_closed():  # on a closed loop, the task has ended or never will
                raise

    def _interrupted(self, error: BaseException) -> None:
        """Let the task fail, unless it has been told: a signal's exception came before that."""
        if self._deferred is not None:
            self._resume(Failure.fromException(error))

    # What the task calls

    def get_loop(self) -> AbstractEventLoop:
        return self.loop

    def add_done_callback(
        self, wakeup: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        self._wakeup = wakeup
        self._context = context

    def remove_done_callback(self, wakeup: Callable[[Any], object]) -> int:
        found = self._wakeup == wakeup
        self._wakeup = None
        return int(found)

    def result(self) -> None:
        """Say that there is nothing to raise: the task reads `outcome` once it goes on."""

    def done(self) -> bool:
        return self._deferred is None

    def cancelled(self) -> bool:
        return False

    def cancel(self, msg: object = None) -> bool:
        """Cancel the Deferred.

        Returns:
            False: so the task raises `CancelledError` when it goes on, whatever the outcome is.
        """
        deferred = self._deferred
        if deferred is not None and not cancelFor(deferred, self):
            self._resume(None)
        return False

    def __repr__(self) -> str:
        return f"<FutureAdapter for {self._deferred!r}>"
