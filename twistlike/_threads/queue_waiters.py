"""What waits for a `ThreadsafeQueue`: Deferreds in a loop, and threads.

How they are served is told in `queue`. Each has one claim: it is served once, or it has given up.
"""

from __future__ import annotations

from collections import deque
from sys import getrefcount
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.interrupts import repairedBy
from twistlike._base.naming import callAs, showAs
from twistlike._defer.deferred import Deferred
from twistlike._reactor.waits import CompensatedCall
from twistlike._threads.handoff import NOTHING, Guard, ItemDeferred, setResult

if TYPE_CHECKING:
    from twistlike._reactor.reactor import Reactor
    from twistlike._reactor.waits import BlockedThreads
    from twistlike._threads.queue import ThreadsafeQueue

__all__ = [
    "SWEEP_FROM",
    "Homes",
    "QueueClosed",
    "QueueDeferred",
    "ThreadWaiter",
    "isAlive",
    "sweep",
    "takenItem",
]


# What a thread is told that waited when the last reactor ended that used the queue.
ENDED = "the reactor has ended while this thread waited for a queue that its loop has used"

# From how many waiters on it is looked whether some have been dropped: fewer cost nothing.
SWEEP_FROM = 64


class QueueClosed(Exception):
    """The queue is closed: it takes nothing more, and what was in it has been taken."""


def _fireAgain(_: BaseException, deferred: QueueDeferred) -> None:
    """Fire with what is there: a signal's exception came before that."""
    deferred._fire()


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

    @repairedBy(_fireAgain)
    def _fire(self) -> None:
        outcome = self._take()
        if outcome is NOTHING:
            return  # it was cancelled, and has given back what it had
        if self.called:  # by somebody else
            self.giveBack(outcome)
            return
        if isinstance(outcome, Failure):
            self._fail(outcome)
            return
        # A put has happened, whether or not anybody waits for that: its item needs no guard.
        self.give(outcome, Guard(self._queue) if self.item is NOTHING else None)

    def _fail(self, failure: Failure) -> None:
        isDropped = self.item is NOTHING and self._callbacks is None
        self.callback(failure)
        if isDropped and type(failure.value) is self.closedError and self._debugInfo is not None:
            # A get that nobody waits for, such as one of `wait_for(queue.get(), 0)`: it has lost
            # nothing by the queue's end. Whoever waits for it yet gets the error all the same.
            self._debugInfo.failResult = None

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


def takenItem(
    guard: Guard,
    item: Any,
    _new: Any = object.__new__,
    _kind: Any = ItemDeferred,
    _setResult: Any = setResult,
) -> ItemDeferred[Any]:
    """Return a Deferred that has fired with an item, which its guard has, too.

    The item is neither a Deferred nor a Failure.
    """
    if Deferred.debug:
        taken: ItemDeferred[Any] = ItemDeferred()
        taken.give(item, guard)
        return taken
    # What __init__ and give do, without the calls: see succeed.
    deferred: ItemDeferred[Any] = _new(_kind)
    deferred._item = NOTHING
    deferred._awaiting = 0
    deferred._callbacks = None
    deferred._canceller = None
    deferred._debugInfo = None
    deferred._state = None
    deferred.called = True
    deferred.paused = 0
    _setResult(deferred, item)
    deferred._guard = guard
    return deferred


class Homes:
    """The reactors whose loops have used a queue, the last one at the end. Under its lock.

    Attributes:
        last: The last one; None if there is none yet.
    """

    __slots__ = ("_all", "last")

    def __init__(self) -> None:
        self._all: list[Reactor] = []
        self.last: Reactor | None = None

    def note(self, reactor: Reactor) -> None:
        """Hear that one uses the queue."""
        if reactor is not self.last:
            others = [home for home in self._all if home is not reactor and isAlive(home)]
            self._all = [*others, reactor]
            self.last = reactor

    def alive(self) -> Reactor | None:
        """Return the last one that has not ended."""
        return next(filter(isAlive, reversed(self._all)), None)


def isAlive(home: Reactor) -> bool:
    """Return whether threads may wait for a reactor."""
    return not home._blocked.released


def _countReferences() -> int:
    """Return the count of references to a waiter that is in a queue's line, and nowhere else."""
    waiter = object()
    line, waits = deque([waiter]), {waiter}
    del waiter
    count = getrefcount(line[0])
    del waits
    return count


_DROPPED = _countReferences()


def sweep(line: deque[Any], reactor: Reactor) -> None:
    """Remove the gets that have been dropped: nobody has waited for them, or will.

    `asyncio.wait_for(queue.get(), 0)` leaves one behind each time that the queue is empty.

    Thread: the reactor's. Under the queue's lock.
    """
    waits = reactor._outstanding.waits
    for index in reversed(range(len(line))):
        if (
            getrefcount(line[index]) <= _DROPPED
            and type(line[index]) is QueueDeferred
            and line[index] in waits
            and line[index]._callbacks is None
        ):
            waits.discard(line[index])
            del line[index]


class ThreadWaiter(CompensatedCall):
    """A `blockingGet` or `blockingPut` that waits.

    Its state changes under the queue's lock, each time in one step: a signal's exception finds it
    before that or after.

    Args:
        queue: The queue.
        item: What it puts; `NOTHING` if it gets.

    Attributes:
        isServed: Whether it has been served, with an item or None.
        blocked: The threads that wait for a reactor, among which it is.
        mayMove: Whether it waits on when that reactor ends, if the queue has another.
    """

    __slots__ = ("_isOver", "_queue", "blocked", "isServed", "item", "mayMove")

    closedError = QueueClosed

    def __init__(self, queue: ThreadsafeQueue[Any], item: Any) -> None:
        super().__init__()
        self._queue = queue
        self.item = item
        self.isServed = False
        self.mayMove = False
        self.blocked: BlockedThreads
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
        """End the wait with an error, unless another reactor than one that ended is used, too.

        Thread: any.
        """
        with self._queue._lock:
            if isinstance(failure.value, ReactorNotRunning):
                if self._waitForAnother():
                    return
                failure = Failure(ReactorNotRunning(ENDED))
            self.serve(failure)

    def _waitForAnother(self) -> bool:
        """Be released by another reactor's end than by that of one that has ended."""
        if self._isOver or not self.mayMove:
            return False
        home = self._queue._homes.alive()
        if home is None:
            return False
        self.blocked = home._blocked
        home._blocked.waiting.add(self)
        # Race: it ends just now. It says so, then releases those that it knows of.
        return not home._blocked.released or self._waitForAnother()

    def depart(self) -> None:
        """Wait for no reactor any more. Thread: the one that waits."""
        self.blocked.leave(self)

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
callAs(Deferred, QueueDeferred)
