"""A blocking iterable as an asynchronous one: it runs in a worker of the pool, ahead of its reader.

How it works
------------
The worker puts items into a queue, from which the reader takes them in the loop. When `ahead`
items are there it rests, until the reader has taken half of them: so the two wake each other once
for many items. A worker that rests keeps its thread, which sqlite3's objects, thread-locals and
re-entrant locks rely on, but lends its place in the pool to a spare one. With `sameThread=False`
it gives the thread back instead, and the next worker that is free goes on.

The reader has a `ThreadIterator`, which nothing else refers to: when it is dropped, or closed, or
the reactor ends, the `_Producer` behind it is told to leave. It closes the generator in a worker,
in the one that ran it unless that was given back.
"""

from __future__ import annotations

from contextvars import copy_context
from enum import Enum
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.interrupts import finish
from twistlike._base.naming import showAs
from twistlike._defer.deferred import Deferred, fail, succeed
from twistlike._log.report import report
from twistlike._reactor.waits import CompensatedCall, ended
from twistlike._threads.handoff import reactorOfThisThread
from twistlike._threads.queue import ThreadsafeQueue
from twistlike._threads.queue_waiters import QueueClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import ParamSpec, Self

    from twistlike._reactor.reactor import Reactor

    P = ParamSpec("P")

__all__ = ["ThreadIterator", "iterateInThread"]

T = TypeVar("T")

# How many items the worker may be ahead of its reader: enough that a switch between the two costs
# less than an item, and few enough that what is dropped when the reader leaves early is little.
AHEAD = 16


class _State(Enum):
    """Where a producer is."""

    NEW = "not started"
    RUNNING = "running"  # a job is queued, or runs, or rests in its thread
    PARKED = "parked"  # no job: the reader asks for one
    DONE = "done"


@overload
def iterateInThread(
    source: Iterable[T], /, *, ahead: int = ..., sameThread: bool = ...
) -> ThreadIterator[T]: ...


@overload
def iterateInThread(
    source: Callable[..., Iterable[T]],
    /,
    *args: object,
    ahead: int,
    sameThread: bool = ...,
    **kwargs: object,
) -> ThreadIterator[T]: ...


@overload
def iterateInThread(
    source: Callable[..., Iterable[T]],
    /,
    *args: object,
    sameThread: bool,
    ahead: int = ...,
    **kwargs: object,
) -> ThreadIterator[T]: ...


@overload
def iterateInThread(
    source: Callable[P, Iterable[T]], /, *args: P.args, **kwargs: P.kwargs
) -> ThreadIterator[T]: ...


# The function's own arguments may not have our two names: what they say is for us.
def iterateInThread(  # type: ignore[misc]
    source: Any, /, *args: Any, ahead: int = AHEAD, sameThread: bool = True, **kwargs: Any
) -> ThreadIterator[Any]:
    """Iterate over something that blocks in a worker of the reactor's pool.

    `async for row in iterateInThread(rows, database): ...`. The worker begins with the first
    item that is asked for, and is at most `ahead` items before its reader. It runs in a copy of
    the caller's context, the same one throughout.

    A generator is closed in its thread when the reader leaves the loop early, is cancelled, or
    drops the iterator, and when the reactor ends. An iterable of another kind is left as it is:
    close a file or a cursor yourself, or in a generator. While the reader is behind, the worker
    waits in its thread, compensated by a spare one within `ThreadPool.maxSpare`.

    Args:
        source: An iterable; or a function that returns one, with its arguments after it, which is
            called in the worker. What is both is called if there are arguments.
        ahead: How many items to be ahead at most.
        sameThread: Whether all items come from one thread. If not, the worker is given back while
            the reader is behind, and any number of slow readers get along with one pool.

    Returns:
        The asynchronous iterator; `next()` gives each item as a Deferred.

    Raises:
        TypeError: If the source is neither, or asynchronous; if `ahead` is not a whole number.
        ValueError: If `ahead` is less than 1.
        WrongThreadError: In a thread that does not run the reactor's loop.
        ReactorNotRunning: If the reactor has ended.

    Thread: the reactor's.
    """
    if not isinstance(ahead, int):
        raise TypeError(f"ahead is a whole number of items, not {ahead!r}")
    if ahead < 1:
        raise ValueError(f"ahead is 1 item or more, not {ahead}")
    isIterable = hasattr(type(source), "__iter__") or hasattr(type(source), "__getitem__")
    if args or kwargs or not isIterable:
        if not callable(source):
            _refuseAsync(source)
            raise TypeError(
                "iterateInThread needs an iterable, or a function that returns one, with its "
                f"arguments after it; not {source!r}"
            )
        call = (args, kwargs)
    else:
        call = None
    reactor = reactorOfThisThread("iterateInThread", "iterate there with a plain for")
    return ThreadIterator(_Producer(reactor, source, call, ahead, sameThread))


class _Producer(Generic[T]):
    """The worker's side.

    Args:
        reactor: In whose thread the reader is.
        source: What is iterated, or called for it.
        call: The arguments, if it is to be called.
        ahead: How many items to be ahead at most.
        sameThread: Whether to rest in the worker's thread.

    Attributes:
        queue: From which the reader takes.
        resting: Whether it is ahead enough; the reader is to resume it at `low` items.
    """

    def __init__(
        self,
        reactor: Reactor,
        source: Any,
        call: tuple[tuple[Any, ...], Mapping[str, Any]] | None,
        ahead: int,
        sameThread: bool,
    ) -> None:
        self.queue: ThreadsafeQueue[T] = ThreadsafeQueue()
        self.resting = False
        self.low = ahead // 2
        self._reactor = reactor
        self._source = source
        self._call = call
        self._ahead = ahead
        self._sameThread = sameThread
        self._context = copy_context()
        # The queue's: it is renewed in the child of a fork.
        self._state = _State.NEW
        self._leaving = False
        self._iterator: Iterator[T] | None = None
        self._job: Any = None
        self._rest: CompensatedCall | None = None
        self._trigger: Any = None
        self._closers: list[Deferred[None]] = []
        self._closeError: Failure | None = None

    # ---- the reader's side: in the reactor's thread ----------------------------------------------

    @property
    def isNew(self) -> bool:
        """Whether nothing has begun."""
        return self._state is _State.NEW

    @property
    def isDone(self) -> bool:
        """Whether nothing of it runs, or will."""
        return self._state is _State.DONE

    def start(self) -> None:
        """Begin, at the first item that is asked for.

        Raises:
            WrongThreadError: In another thread than the reactor's.
            ReactorNotRunning: If the reactor has ended.
        """
        reactorOfThisThread("ThreadIterator.next", "iterate there with a plain for")
        with self.queue._lock:
            self._enqueue()
            self._reactor._outstanding.waits.add(self)
        self._trigger = self._reactor.addSystemEventTrigger("during", "shutdown", self._reactorEnds)

    def resume(self) -> None:
        """Go on: the reader has taken half of what there was. Thread: any."""
        with self.queue._lock:
            if not self.resting:
                return
            self.resting = False
            rest, self._rest = self._rest, None
            if rest is not None:
                rest.succeed(None)
            elif self._state is _State.PARKED:
                try:
                    self._enqueue()
                except BaseException as error:
                    self._ended(Failure.fromException(error))

    def leave(self) -> None:
        """Close the generator, in its thread: nobody wants more. Thread: any."""
        with self.queue._lock:
            if self._leaving or self._state is _State.DONE:
                return
            self._leaving = True
            if self._state is _State.NEW:
                self._state = _State.DONE
            elif self._state is _State.PARKED or self._rest is not None:
                self.resume()
            elif self._job is not None and self._job.cancel():
                self._job = None
                if self._iterator is None:
                    self._ended(None)  # it has not begun
                else:
                    self._enqueue()

    def whenClosed(self) -> Deferred[None]:
        """Return a Deferred that fires when nothing of it runs any more."""
        if self._state is _State.DONE and self._trigger is None:
            return succeed(None) if self._closeError is None else fail(self._takeCloseError())
        closed: Deferred[None] = Deferred()
        self._closers.append(closed)
        return closed

    def _reactorEnds(self) -> None:
        self._trigger = None
        self._failReader()
        self.leave()

    def _failReader(self) -> None:
        text = "the reactor has ended while a thread still iterated for it"
        self.queue._finish(Failure(ReactorNotRunning(text)))

    def _isOver(self) -> None:
        """Hear that it is done."""
        self._reactor._outstanding.waits.discard(self)
        trigger, self._trigger = self._trigger, None
        if trigger is not None:
            try:
                self._reactor.removeSystemEventTrigger(trigger)
            except ValueError:
                pass  # the reactor ends: it has been fired, or dropped
        closers, self._closers = self._closers, []
        for closed in closers:
            if self._closeError is not None:
                closed.errback(self._takeCloseError())
            else:
                closed.callback(None)
        if self._closeError is not None:
            report(self._takeCloseError(), "closing a generator in a thread failed", source=self)

    def _takeCloseError(self) -> Failure:
        error, self._closeError = self._closeError, None
        assert error is not None
        return error

    # ---- what the reactor's end asks -------------------------------------------------------------

    @property
    def what(self) -> object:
        """What is iterated."""
        return self._source

    def abandon(self, failure: Failure) -> None:
        """End: the reactor has ended, and no item can come any more. Thread: the reactor's."""
        self._trigger = None
        self._failReader()
        self.leave()
        self._isOver()

    # ---- the worker's side -----------------------------------------------------------------------

    def _enqueue(self) -> None:
        """Ask the pool for a worker. Under the lock."""
        self._job = self._reactor.getThreadPool().enqueue(self._jobDone, self._run)
        self._state = _State.RUNNING

    def _jobDone(self, success: bool, result: Any) -> None:
        """Hear that a job is done; that it has not run, or was hit from outside. Thread: any."""
        if not success and self._state is not _State.DONE:
            self._ended(None if self._leaving else result)

    def _run(self) -> None:
        """Produce items until there is enough of them. Thread: the worker's."""
        failure: Failure | None = None
        try:
            if not self._context.run(self._produce):
                return  # parked
        except BaseException as error:
            if not (self._leaving and _isCancel(error)):
                failure = Failure.fromException(_notTheEnd(error))
        if self._iterator is not None:
            try:
                self._context.run(_close, self._iterator)
            except BaseException as error:
                self._closeError = Failure.fromException(error)
        try:
            self._ended(failure)
        finally:
            del self, failure  # an error's traceback leads to this frame, which must not lead back

    def _produce(self) -> bool:
        """Return False if it is ahead enough, and the worker is to be given back."""
        if self._leaving:
            return True
        if self._iterator is None:
            self._iterator = self._begin()
        queue, ahead, put = self.queue, self._ahead, self.queue.putNoWait
        for item in self._iterator:
            put(item)
            if len(queue) >= ahead and not self._pause():
                return False
            if self._isLeft():
                break
        return True

    def _isLeft(self) -> bool:
        return self._leaving

    def _begin(self) -> Iterator[T]:
        source: Any = self._source
        if self._call is not None:
            source = source(*self._call[0], **self._call[1])
        self._source = self._call = None
        _refuseAsync(source)
        return iter(source)

    def _pause(self) -> bool:
        """Rest until the reader is near. Return False to give the worker back instead."""
        with self.queue._lock:
            if self._leaving or len(self.queue) < self._ahead:
                return True
            self.resting = True
            if not self._sameThread:
                self._job = None
                self._state = _State.PARKED
                return False
            self._rest = rest = CompensatedCall()
        from twistlike._pool.errors import PoolWedgedError

        blocked = self._reactor._blocked
        blocked.waiting.add(rest)
        try:
            if blocked.released:
                rest.fail(Failure(ended()))
            rest.waitCompensated(None)
            rest.outcome()
        except ReactorNotRunning:
            self._failReader()
            self._leaving = True
        except PoolWedgedError as error:
            error.add_note(
                "This worker waited for a reader of iterateInThread, which was behind; with "
                "sameThread=False it is given back meanwhile."
            )
            raise
        finally:
            blocked.leave(rest)
            self.resting = False
            self._rest = None
        return True

    def _tellEnd(self, failure: Failure | None) -> None:
        with self.queue._lock:
            self._state = _State.DONE
            self._iterator = self._source = self._call = self._job = None
            if self._leaving:
                if failure is not None and self._closeError is None:
                    self._closeError = failure
                self.queue._finish(None)
            else:
                self.queue._finish(failure)

    def _ended(self, failure: Failure | None) -> None:
        """Have come to the end, by itself, or by an error, or because nobody wants more."""
        try:
            self._tellEnd(failure)
        except BaseException:  # a signal's: the reader is told all the same
            finish(partial(self._tellEnd, failure))
            raise
        try:
            self._reactor._inbox.put((self._isOver,))
        except ReactorNotRunning:
            if self._closeError is not None:
                report(self._takeCloseError(), "closing a generator in a thread failed")


class ThreadIterator(Generic[T]):
    """What `iterateInThread` returns: an asynchronous iterator, whose items come from a thread.

    `async for` takes its items, `next()` gives one as a Deferred. `async with` closes it at
    the end of the block, and waits for that; without that it is closed when it is dropped.

    Thread: the reactor's.
    """

    def __init__(self, producer: _Producer[T]) -> None:
        self._producer = producer

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._producer._state.value}>"

    def next(self) -> Deferred[T]:
        """Take the next item.

        A cancelled one loses no item: the next one gets it.

        Returns:
            A Deferred of the item. It fails with what the iterable has raised, and with
            `StopAsyncIteration` at its end; with `ReactorNotRunning` when the reactor ends.

        Raises:
            WrongThreadError: In a thread that does not run the reactor's loop.
            ReactorNotRunning: If it has to wait, and the reactor has ended.

        Thread: the reactor's.
        """
        producer = self._producer
        if producer.isNew:
            producer.start()
        queue = producer.queue
        item = queue._get(StopAsyncIteration, self)
        if producer.resting and len(queue) <= producer.low:
            producer.resume()
        return item

    def __aiter__(self) -> Self:
        """Return this iterator."""
        return self

    def __anext__(self) -> Deferred[T]:
        """Take the next item."""
        return self.next()

    def aclose(self) -> Deferred[None]:
        """Close the generator, in its thread; drop what it was ahead. Twice does no harm.

        Returns:
            A Deferred that fires when it is closed. It fails with what the generator raised then.

        Thread: the reactor's.
        """
        producer = self._producer
        producer.leave()
        producer.queue._clear()
        return producer.whenClosed()

    async def __aenter__(self) -> Self:
        """Return this iterator."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it, and wait for that."""
        await self.aclose()

    def __del__(self) -> None:
        try:
            producer = self._producer
        except AttributeError:
            return  # it was not made
        if not producer.isDone:
            try:
                producer.leave()
            except BaseException:
                report(Failure(), "closing a generator in a thread failed", source=producer)


def _refuseAsync(source: Any) -> None:
    if hasattr(type(source), "__aiter__") or hasattr(type(source), "__await__"):
        if type(source) is CoroutineType:
            source.close()  # it would warn that nobody has awaited it
        raise TypeError(
            f"iterateInThread iterates what blocks, and {source!r} is asynchronous: use it in "
            "the loop as it is"
        )


def _close(iterator: Any) -> None:
    """Close a generator. What it would do for another iterator, its owner may not want."""
    if hasattr(type(iterator), "throw") and hasattr(type(iterator), "close"):
        iterator.close()


def _isCancel(error: BaseException) -> bool:
    from concurrent.futures import CancelledError  # not at the top: 10 ms; a worker has it

    return issubclass(type(error), (CancelledError, QueueClosed))


def _notTheEnd(error: BaseException) -> BaseException:
    """Return an error that a reader does not take for the end."""
    if not issubclass(type(error), StopAsyncIteration):
        return error
    wrong = RuntimeError("the iterable raised StopAsyncIteration")
    wrong.__cause__ = error
    return wrong


showAs("twistlike.internet.threads", globals(), __all__)
