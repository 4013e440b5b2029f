"""What waits for a `ThreadsafeQueue`: Deferreds in a loop, and threads.

How they are served is told in `queue`. Each has one claim: it is served once, or it has given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._threads.handoff import NOTHING, ItemDeferred
from twistlike._threads.waiting import LendingWaiter

if TYPE_CHECKING:
    from collections import deque

    from twistlike._defer.deferred import Deferred
    from twistlike._reactor.reactor import Reactor
    from twistlike._threads.queue import ThreadsafeQueue

__all__ = ["QueueClosed", "QueueDeferred", "ThreadWaiter"]


class QueueClosed(Exception):
    """The queue is closed: it takes nothing more, and what was in it has been taken."""


class QueueDeferred(ItemDeferred[Any]):
    """The Deferred of a `get` or `put` that waits in a loop.

    Args:
        queue: The queue.
        reactor: In whose thread it fires.
        item: What it puts; `NOTHING` if it gets.
        closedError: What it fails with if the queue is closed.

    Attributes:
        reader: Whoever reads: kept alive for as long as this is.
    """

    __slots__ = ("_outcome", "_queue", "_reactor", "closedError", "item", "reader")

    reader: object

    def __init__(
        self,
        queue: ThreadsafeQueue[Any],
        reactor: Reactor,
        item: Any,
        closedError: type[Exception] = QueueClosed,
    ) -> None:
        super().__init__(_cancel)
        self._queue = queue
        self._reactor = reactor
        self.item = item
        self.closedError = closedError
        self._outcome: Any = NOTHING
        reactor._outstanding.waits.add(self)

    def serve(self, outcome: Any) -> bool:
        """Fire soon, with an item, None or a Failure. False: it waits no more. Under the lock."""
        self._outcome = outcome
        try:
            self._reactor._inbox.put((self._fire,))
        except ReactorNotRunning:
            self._outcome = NOTHING
            return False
        except BaseException:  # hit by a signal's exception: once more, since twice does no harm
            self._reactor._inbox.put((self._fire,))
            raise
        return True

    @property
    def isServed(self) -> bool:
        """Whether it has been served, and has not fired."""
        return self._outcome is not NOTHING

    def _fire(self) -> None:
        outcome = self._take()
        if outcome is NOTHING:
            return  # it was cancelled, and has given back what it had
        if self.called:  # by somebody else
            self.giveBack(outcome)
        else:
            self.give(outcome)

    def _take(self) -> Any:
        """Take what it was served with, if anything, and wait no more. Thread: the reactor's."""
        self._reactor._outstanding.waits.discard(self)
        with self._queue._lock:
            outcome, self._outcome = self._outcome, NOTHING
            if outcome is NOTHING:
                self._queue._forget(self)
        return outcome

    def leave(self) -> None:
        """Wait no more, and give back what has not been fired with. Thread: the reactor's."""
        outcome = self._take()
        if outcome is not NOTHING:
            self.giveBack(outcome)

    def giveBack(self, item: Any) -> None:
        """Have it as if it had not been served."""
        if not isinstance(item, Failure):
            self._queue._undo(self.item, item)

    # ---- what the reactor's end asks -------------------------------------------------------------

    @property
    def what(self) -> object:
        """What it waits for."""
        return self._queue

    def abandon(self, failure: Failure) -> None:
        """Fail: the reactor has ended. Thread: the reactor's."""
        self.leave()
        if not self.called:
            text = "the reactor has ended while a queue was waited for in its thread"
            self.errback(ReactorNotRunning(text))


def _cancel(deferred: Deferred[Any]) -> None:
    """Wait no more; the Deferred then fails by itself."""
    assert isinstance(deferred, QueueDeferred)
    deferred.leave()


class ThreadWaiter(LendingWaiter):
    """A `blockingGet` or `blockingPut` that waits.

    Its state changes under the queue's lock, each time in one step: a signal's exception finds it
    before that or after.

    Args:
        queue: The queue.
        item: What it puts; `NOTHING` if it gets.

    Attributes:
        isServed: Whether it has been served, with an item or None.
    """

    __slots__ = ("_isOver", "_queue", "isServed", "item")

    closedError = QueueClosed

    def __init__(self, queue: ThreadsafeQueue[Any], item: Any) -> None:
        super().__init__()
        self._queue = queue
        self.item = item
        self.isServed = False
        self._isOver = False

    def serve(self, outcome: Any) -> bool:
        """End the wait, with an item, None or a Failure. False: it is over. Under the lock."""
        if self._isOver:
            return False
        if isinstance(outcome, Failure):
            self._failure = outcome
            self._isOver = True
        else:
            self._value = outcome
            self._isOver = self.isServed = True
        # The outcome is there: what a wait looks at once it is woken. No call stands before the
        # release: a signal's exception could come where it returns, and the wait last for ever.
        del self._open[:]
        self._lock.release()
        return True

    def fail(self, failure: Failure) -> None:
        """End the wait with an error. Thread: any."""
        with self._queue._lock:
            self.serve(failure)

    def giveUp(self, items: deque[Any]) -> None:
        """Wait no more, and have it as if this had not been served. Can be done twice.

        Args:
            items: The queue's.

        Under the lock.
        """
        self._isOver = True
        if not self.isServed:
            return
        if self.item is NOTHING:
            outcome = self._value
            self.isServed = False  # in one step with the next: no call between them
            items.appendleft(outcome)
            return
        for index in reversed(range(len(items))):
            if items[index] is self.item:
                self.isServed = False
                del items[index]
                return


showAs("twistlike.internet.threads", globals(), ["QueueClosed"])
