"""`ThreadsafeQueue`: a queue between threads, which block, and the loop, which does not.

Thread: any, except where a docstring says otherwise.

How it works
------------
Whoever waits stands in a line, of those that get or of those that put, and is served by whoever
brings what it waits for: under the lock, in the order in which they came. A thread that waits
sleeps on a lock of its own; what waits in a loop is a Deferred, which fires by a call into that
loop's thread. Each wait has one claim. A getter that has been given an item and is cancelled, or
hit by an exception, before its reader has it gives the item back: to the next in the line, or to
the front of the queue.

The lock is re-entrant, for a signal handler or a `__del__` in the middle of a call. Such a call
is complete when it returns, so each step looks again at what it relies on (`_settle`), and only
calls under the lock what runs no code of a user's.

Guarantees: items come out in the order in which they went in; an item that was put is got by one
reader, or is still in the queue; nobody waits for a reactor that has ended, or in a closed queue.
"""

from __future__ import annotations

import os
import weakref
from collections import deque
from threading import RLock, current_thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twistlike._base.copying import refuseCopy
from twistlike._base.error import TimeoutError, WrongThreadError
from twistlike._base.failure import Failure
from twistlike._base.interrupts import finish
from twistlike._base.naming import showAs
from twistlike._defer.callbacks import NON_DEFERRED_TYPES
from twistlike._defer.deferred import Deferred, fail, succeed
from twistlike._defer.errors import QueueOverflow, QueueUnderflow
from twistlike._eventloop import current
from twistlike._reactor.current import currentReactor
from twistlike._reactor.pools import currentPool
from twistlike._reactor.waits import ended
from twistlike._threads.handoff import NOTHING, Guard, Turns, reactorOfThisThread
from twistlike._threads.queue_waiters import (
    SWEEP_FROM,
    Homes,
    QueueClosed,
    QueueDeferred,
    ThreadWaiter,
    sweep,
    takenItem,
)
from twistlike._timers.delays import checkDelay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = ["QueueClosed", "ThreadsafeQueue"]

T = TypeVar("T")

# The queues that are alive, by id, for the child of a fork. A plain dict, as in the pool: its
# operations are atomic.
_queues: dict[int, weakref.ref[ThreadsafeQueue[Any]]] = {}


class ThreadsafeQueue(Generic[T]):
    """A queue that threads and loops share: first in, first out.

    In a loop's thread `get` and `put` return Deferreds, which can be awaited; in other threads
    `blockingGet` and `blockingPut` wait. `async for` and `for` take items until the queue
    is closed and empty. Several loops may share one queue.

    A get that is cancelled, or times out, loses no item, also in the very turn in which it was
    served, or before it is waited for: an item that was got is given back if its Deferred is
    dropped and nobody has awaited it, added a callback or read its result. A pool's worker that
    waits is made up for by a spare one.

    When a reactor ends, what waits in its loop gets `ReactorNotRunning`, and so do the workers of
    its pool; other threads that wait, when the last reactor ends whose loop has used the queue.

    Has no counterpart in Twisted: `DeferredQueue` belongs to the reactor's thread.

    Args:
        size: How many items it holds at most; None for no limit.

    Raises:
        TypeError: If the size is not a whole number.
        ValueError: If the size is less than 1.
    """

    __reduce__ = refuseCopy

    def __init__(self, size: int | None = None) -> None:
        if size is not None:
            if not isinstance(size, int):
                raise TypeError(f"the size of a queue is a whole number or None, not {size!r}")
            if size < 1:
                raise ValueError(f"the size of a queue is 1 or more, or None, not {size}")
        self._size = size
        self._lock = RLock()
        self._items: deque[T] = deque()
        self._getters: deque[Any] = deque()
        self._putters: deque[Any] = deque()
        self._turns = Turns()
        self._closed = False
        self._lastWords: Failure | None = None
        # Reactors that ended before their loop has used it do not count.
        self._homes = Homes()
        if current.runningLoop() is not None:
            self._homes.note(currentReactor())
        self._sweepAt = SWEEP_FROM
        self._spareGuard: Guard | None = None
        key = id(self)
        _queues[key] = weakref.ref(self, lambda _: _queues.pop(key, None))

    def __len__(self) -> int:
        return len(self._items)

    def __bool__(self) -> bool:
        """Return True: an empty queue is a queue."""
        return True

    def __repr__(self) -> str:
        size = "" if self._size is None else f" of {self._size}"
        closed = ", closed" if self._closed else ""
        return f"<{type(self).__name__}: {len(self._items)}{size} items{closed}>"

    @property
    def size(self) -> int | None:
        """How many items it holds at most; None for no limit."""
        return self._size

    @property
    def closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._closed

    # ---- in a loop's thread ----------------------------------------------------------------------

    def get(self) -> Deferred[T]:
        """Take the oldest item, once there is one.

        Returns:
            A Deferred of the item. It fails with `QueueClosed` when the queue is closed and
            empty, and with `ReactorNotRunning` when the reactor ends.

        Raises:
            WrongThreadError: In a thread that does not run the reactor's loop.
            ReactorNotRunning: If it has to wait, and the reactor has ended.

        Thread: the reactor's.
        """
        return self._get()

    def _get(
        self, closedError: type[Exception] = QueueClosed, reader: object = None
    ) -> Deferred[T]:
        """Do as `get`, with an error of one's own, and keep the reader while it waits."""
        if current.runningLoop() is None:
            reactorOfThisThread("ThreadsafeQueue.get", "use blockingGet there")
        items, turns = self._items, self._turns
        turns.left -= 1
        with self._lock:
            if (
                (turns.left > 0 or not turns.isDue())
                and not self._getters
                and self._homes.last is not None
            ):
                # The guard has the item before a call at which a signal's exception may come.
                guard = self._spareGuard or Guard(self)
                try:
                    item = guard.item = items[0]
                    del items[0]
                except IndexError:
                    pass
                else:
                    guard.queue = self
                    self._spareGuard = None
                    if self._putters:
                        self._settleAfter(guard)
                    return takenItem(guard, item)
            if self._closed and not self._items:
                return fail(self._closedError(closedError))
            reactor = reactorOfThisThread("ThreadsafeQueue.get", "use blockingGet there")
            self._homes.note(reactor)
            if len(self._getters) >= self._sweepAt:
                sweep(self._getters, reactor)
                self._sweepAt = max(SWEEP_FROM, 2 * len(self._getters))
            waiter = QueueDeferred(self, reactor, NOTHING, closedError)
            waiter.reader = reader
            self._turns.begin()
            self._getters.append(waiter)
            if self._items or self._closed:
                self._settle()  # the loop has its turn before it fires
        return waiter

    def put(self, obj: T) -> Deferred[None]:
        """Put an item, once there is room for it.

        Cancelling it takes the item back, unless a reader has it by then.

        Args:
            obj: The item; anything but a Deferred or a Failure.

        Returns:
            A Deferred that fires when the item is in the queue, or a reader has it. It fails with
            `QueueClosed` when the queue is closed, and with `ReactorNotRunning` when the
            reactor ends: then the item is not in the queue.

        Raises:
            TypeError: If the item is a Deferred or a Failure.
            WrongThreadError: In a thread that does not run the reactor's loop.
            ReactorNotRunning: If it has to wait, and the reactor has ended.

        Thread: the reactor's.
        """
        if current.runningLoop() is None:
            reactorOfThisThread("ThreadsafeQueue.put", "use blockingPut there")
        with self._lock:
            try:
                if self._add(obj):
                    return succeed(None)
            except QueueClosed as error:
                return fail(error)
            reactor = reactorOfThisThread("ThreadsafeQueue.put", "use blockingPut there")
            self._homes.note(reactor)
            waiter = QueueDeferred(self, reactor, obj)
            self._putters.append(waiter)
            self._settle()
        return waiter

    def __aiter__(self) -> Self:
        """Return this queue: `async for item in queue` ends when it is closed and empty."""
        return self

    def __anext__(self) -> Deferred[T]:
        """Take the oldest item, as `get` does. Thread: the reactor's."""
        return self._get(StopAsyncIteration)

    # ---- in any other thread ---------------------------------------------------------------------

    def blockingGet(self, timeout: float | None = None) -> T:
        """Take the oldest item; wait until there is one.

        Args:
            timeout: How long to wait, in seconds; None is for ever.

        Raises:
            QueueClosed: If the queue is closed and empty.
            TimeoutError: If it took longer (`twistlike.internet.error`).
            WrongThreadError: In a thread that runs a loop, which would stand still.
            ReactorNotRunning: If the reactor has ended, or ends while this waits.
            PoolWedgedError: In a worker, as `blockingCallFromThread`.

        Thread: any that runs no loop.
        """
        if timeout is not None or current.runningLoop() is not None:
            self._checkMayBlock("blockingGet", "await get()", timeout)
        item: Any = NOTHING
        items = self._items
        try:
            with self._lock:
                if items and not self._getters:
                    item = items[0]
                    del items[0]
                    if self._putters:
                        self._settle()
                elif self._closed and not items:
                    raise self._closedError(QueueClosed)
            if item is not NOTHING:
                return item  # type: ignore[no-any-return]
        except BaseException:
            if item is not NOTHING:  # hit by a signal's exception, or killed
                self._undo(NOTHING, item)
            raise
        return self._wait(ThreadWaiter(self, NOTHING), self._getters, timeout)  # type: ignore[no-any-return]

    def blockingPut(self, obj: T, timeout: float | None = None) -> None:
        """Put an item; wait until there is room for it.

        Args:
            obj: The item; anything but a Deferred or a Failure.
            timeout: How long to wait, in seconds; None is for ever.

        Raises:
            QueueClosed: If the queue is closed, or is closed while this waits. Then, and after the
                errors below, the item is not in the queue.
            TypeError: If the item is a Deferred or a Failure.
            TimeoutError: If it took longer (`twistlike.internet.error`).
            WrongThreadError: In a thread that runs a loop, which would stand still.
            ReactorNotRunning: If the reactor ends while this waits, or it has to wait and the
                reactor has ended.
            PoolWedgedError: In a worker, as `blockingCallFromThread`.

        Thread: any that runs no loop.
        """
        if timeout is not None or current.runningLoop() is not None:
            self._checkMayBlock("blockingPut", "await put()", timeout)
        with self._lock:
            if self._add(obj):
                return
        self._wait(ThreadWaiter(self, obj), self._putters, timeout)

    def __iter__(self) -> Iterator[T]:
        """Take items, as `blockingGet` does, until the queue is closed and empty."""
        while True:
            try:
                item = self.blockingGet()
            except QueueClosed:
                return
            yield item

    # ---- in any thread: never wait ---------------------------------------------------------------

    def getNoWait(self) -> T:
        """Take the oldest item.

        Raises:
            QueueUnderflow: If there is none.
            QueueClosed: If there is none, and the queue is closed.

        Thread: any; also in signal handlers and `__del__`.
        """
        item: Any = NOTHING
        try:
            with self._lock:
                try:
                    item = self._items[0]
                    del self._items[0]
                except IndexError:
                    if self._closed:
                        raise self._closedError(QueueClosed) from None
                    raise QueueUnderflow("the queue is empty") from None
                if self._putters:
                    self._settle()
            return item  # type: ignore[no-any-return]
        except BaseException:
            if item is not NOTHING:  # hit by a signal's exception, or killed
                self._undo(NOTHING, item)
            raise

    def putNoWait(self, obj: T) -> None:
        """Put an item.

        Raises:
            QueueOverflow: If there is no room for it.
            QueueClosed: If the queue is closed.
            TypeError: If the item is a Deferred or a Failure.

        Thread: any; also in signal handlers and `__del__`.
        """
        with self._lock:
            if not self._add(obj):
                raise QueueOverflow(f"the queue holds {self._size} items already")

    def close(self) -> None:
        """Take nothing more, and wake all who wait. What is in the queue can still be taken.

        A put that waits fails with `QueueClosed`, a get that waits, too: there is nothing to
        come. Closing twice does no harm.

        Thread: any; also in signal handlers and `__del__`.
        """
        try:
            with self._lock:
                self._closed = True
                self._settle()
        except BaseException:
            finish(self._settleClosed)  # a signal's exception leaves nobody waiting
            raise

    def _settleClosed(self) -> None:
        with self._lock:
            self._settle()

    # ---- inside ----------------------------------------------------------------------------------

    def _finish(self, lastWords: Failure | None) -> None:
        """Close, and fail with an error the first reader that finds nothing more."""
        with self._lock:
            if not self._closed:
                self._lastWords = lastWords
            self.close()

    def _clear(self) -> None:
        """Close, and drop what is in the queue."""
        with self._lock:
            self._items.clear()
            self._lastWords = None
            self.close()

    def _closedError(self, kind: type[Exception]) -> Any:
        """Return the error for a reader that finds nothing more."""
        lastWords, self._lastWords = self._lastWords, None
        if lastWords is not None:
            return lastWords
        return kind() if kind is StopAsyncIteration else kind("the queue is closed")

    def _add(self, obj: T) -> bool:
        """Put an item if there is room for it. Under the lock."""
        if self._closed:
            raise QueueClosed("the queue is closed, and takes nothing more")
        if type(obj) not in NON_DEFERRED_TYPES and isinstance(obj, (Deferred, Failure)):
            raise TypeError(
                f"a queue cannot hold {obj!r}: whoever got it by a Deferred would get its outcome; "
                "put the outcome, or a tuple with it"
            )
        items = self._items
        if self._size is not None and len(items) >= self._size:
            return False
        items.append(obj)
        if self._getters:
            self._settle()
        return True

    def _settleAfter(self, guard: Guard) -> None:
        """Let in what waits for room, after an item has been taken. Under the lock."""
        try:
            self._settle()
        except BaseException:
            item, guard.item = guard.item, NOTHING
            self._items.appendleft(item)  # hit by a signal's exception: it has not been taken
            raise

    def _settle(self) -> None:
        """Bring together what waits and what is there. Under the lock."""
        # No popleft: a signal's exception may come where a call returns, and the item be lost.
        items, getters, putters = self._items, self._getters, self._putters
        size = self._size
        try:
            while True:
                if items and getters:
                    item, getter = items[0], getters[0]
                    del items[0], getters[0]
                    try:
                        served = getter.serve(item)
                    except BaseException:
                        if not getter.isServed:
                            items.appendleft(item)
                            getters.appendleft(getter)
                        raise
                    if not served:
                        items.appendleft(item)
                elif putters and self._closed:
                    failure = Failure(QueueClosed("the queue was closed meanwhile"))
                    self._serveFailure(putters, failure)
                elif putters and (size is None or len(items) < size):
                    putter = putters[0]
                    del putters[0]
                    try:
                        served = putter.serve(None)
                    except BaseException:
                        if putter.isServed:
                            items.append(putter.item)
                        else:
                            putters.appendleft(putter)
                        raise
                    if served:
                        items.append(putter.item)
                elif getters and self._closed:
                    error = self._closedError(getters[0].closedError)
                    failure = error if isinstance(error, Failure) else Failure(error)
                    self._serveFailure(getters, failure)
                else:
                    return
        except IndexError:
            self._settle()  # a call in the middle of this one has been quicker

    def _serveFailure(self, line: deque[Any], failure: Failure) -> None:
        """Let the first of a line fail. Under the lock."""
        waiter = line[0]
        del line[0]
        try:
            waiter.serve(failure)
        except BaseException:
            line.appendleft(waiter)  # a signal's exception: to be served twice does no harm
            raise

    def _forget(self, waiter: object) -> None:
        """Serve somebody no more. Under the lock."""
        for line in (self._getters, self._putters):
            try:
                line.remove(waiter)
            except ValueError:
                continue

    def _undo(self, put: Any, outcome: Any) -> None:
        """Have it as if somebody had not been served: who put something, or else got something."""
        waiter = ThreadWaiter(self, put)
        waiter.serve(outcome)
        finish(lambda: self._leave(waiter), ownErrors=())

    def _leave(self, waiter: ThreadWaiter) -> None:
        """Have it as if a waiter had never come. Thread: any. May be called again."""
        with self._lock:
            self._forget(waiter)
            waiter.giveUp(self._items)
            self._settle()  # whatever was hit may have been bringing others together

    def _wait(self, waiter: ThreadWaiter, line: deque[Any], timeout: float | None) -> Any:
        """Stand in a line, and wait to be served. Thread: the one that waits."""
        pool = currentPool()
        ofPool = pool is not None and pool.owner is not None
        home = currentReactor() if ofPool else self._homes.alive() or self._homes.last
        waiter.mayMove = not ofPool
        waiter.blocked = blocked = (home or currentReactor())._blocked
        try:
            with self._lock:
                line.append(waiter)
                self._settle()
            # Race: the reactor ends while we come. It says so, then releases those that it knows
            # of. We are known before we look.
            blocked.waiting.add(waiter)
            if blocked.released and home is not None:
                waiter.fail(Failure(ended()))
            if not waiter.waitCompensated(timeout):
                with self._lock:
                    if not waiter.isServed:
                        text = f"{self!r} has kept this waiting for {timeout} s"
                        raise TimeoutError(string=text)
            waiter.depart()
            result = waiter.outcome()
        except BaseException:
            try:
                # A lambda, not a partial: making it is no call at which the thread could be hit.
                finish(lambda: self._leave(waiter), ownErrors=())
            finally:
                waiter.depart()
            raise
        return result  # with nothing between at which the thread could be hit

    def _checkMayBlock(self, name: str, instead: str, timeout: float | None) -> None:
        if timeout is not None:
            checkDelay(timeout, "a timeout")
        if current.runningLoop() is not None:
            raise WrongThreadError(
                f"ThreadsafeQueue.{name} was called in thread {current_thread().name!r}, whose "
                f"event loop would stand still; {instead} there"
            )


def _afterForkInChild() -> None:
    """Begin anew: the lock may be held, and those who wait are the parent's. Items are kept."""
    for reference in list(_queues.values()):
        queue = reference()
        if queue is not None:
            queue._lock = RLock()
            queue._getters.clear()
            queue._putters.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afterForkInChild)

showAs("twistlike.internet.threads", globals(), __all__)
