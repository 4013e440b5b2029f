"""Locks, semaphores and queues that are waited for with Deferreds. Thread: the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from twistlike._base.naming import showAs
from twistlike._defer.combinators import maybeDeferred
from twistlike._defer.deferred import Deferred, succeed
from twistlike._defer.errors import QueueOverflow, QueueUnderflow

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Literal, ParamSpec, Self

    _P = ParamSpec("_P")

__all__ = ["DeferredLock", "DeferredQueue", "DeferredSemaphore", "handOver"]

_T = TypeVar("_T")


def handOver(d: Deferred[Any], value: Any, giveBack: Callable[[Any], object]) -> None:
    """Fire a Deferred with something that must not be lost: a lock, or an item of a queue.

    Args:
        d: the Deferred.
        value: what it fires with.
        giveBack: called with `value` if a task or coroutine that waits for the Deferred is
            cancelled before it goes on. Not if it waits for what callbacks make of the value.
    """
    if type(d._callbacks) is tuple:
        d._giveBack = giveBack  # type: ignore[attr-defined]
    d.callback(value)


def _handToNext(
    waiting: list[Deferred[Any]], value: Any, giveBack: Callable[[Any], object]
) -> None:
    """Hand something to the Deferred that waits longest.

    Raises:
        WrongThreadError: a loop in another thread waits for it. Nothing has changed.
    """
    d = waiting[0]
    d._checkThread()
    del waiting[0]
    try:
        handOver(d, value, giveBack)
    except BaseException:
        if not d.called:
            waiting.insert(0, d)  # it was not fired: the stack is full, for one
        raise


class _ConcurrencyPrimitive:
    """What can be acquired and released.

    Attributes:
        waiting: the Deferreds that wait for it, first come first.
    """

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []

    def acquire(self) -> Deferred[Any]:
        """Return a Deferred of this object that fires once it is the caller's."""
        raise NotImplementedError

    def release(self) -> None:
        """Give it back."""
        raise NotImplementedError

    def _releaseAndReturn(self, r: _T) -> _T:
        self.release()
        return r

    @overload
    def run(
        self, /, f: Callable[_P, Deferred[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[_T]: ...

    @overload
    def run(
        self, /, f: Callable[_P, Coroutine[Any, Any, _T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[_T]: ...

    @overload
    def run(
        self, /, f: Callable[_P, Deferred[_T] | _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[_T]: ...

    def run(self, /, f: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Acquire, call `f`, and release once what it returns has fired.

        Returns:
            a Deferred of what `f` comes to.
        """

        def execute(_: object) -> Deferred[Any]:
            return maybeDeferred(f, *args, **kwargs).addBoth(self._releaseAndReturn)

        return self.acquire().addCallback(execute)

    def __aenter__(self) -> Deferred[Self]:
        """Acquire: `async with lock:`."""
        return self.acquire()

    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Deferred[Literal[False]]:
        self.release()
        return succeed(False)

    def _cancelAcquire(self, d: Deferred[Any]) -> None:
        self.waiting.remove(d)

    def _giveBack(self, value: object) -> None:
        """Release: what it was handed to has been cancelled. With another value, it was taken."""
        if value is self:
            self.release()


class DeferredLock(_ConcurrencyPrimitive):
    """A lock.

    Attributes:
        locked: whether it has been acquired.
    """

    locked: bool = False

    def acquire(self) -> Deferred[Self]:
        """Return a Deferred of this lock that fires once it is the caller's."""
        d: Deferred[Any] = Deferred(canceller=self._cancelAcquire)
        if self.locked:
            self.waiting.append(d)
        else:
            self.locked = True
            try:
                d.callback(self)
            except BaseException:  # a signal's: the caller does not get it
                self.locked = False
                raise
        return d

    def release(self) -> None:
        """Give the lock to whatever waits longest, or free it.

        Raises:
            AssertionError: it is not locked.
            WrongThreadError: a loop in another thread waits for it. The lock stays as it is.
        """
        if not self.locked:
            raise AssertionError("Tried to release an unlocked lock")
        if self.waiting:
            _handToNext(self.waiting, self, self._giveBack)
        else:
            self.locked = False


class DeferredSemaphore(_ConcurrencyPrimitive):
    """A lock that several can have.

    Attributes:
        limit: how many.
        tokens: how many more.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        if not isinstance(tokens, int):
            raise TypeError(f"the tokens of a DeferredSemaphore are a number, not {tokens!r}")
        if tokens < 1:
            raise ValueError("DeferredSemaphore requires tokens >= 1")
        self.tokens = tokens
        self.limit = tokens

    def acquire(self) -> Deferred[Self]:
        """Return a Deferred of this semaphore that fires once the caller has a token."""
        d: Deferred[Any] = Deferred(canceller=self._cancelAcquire)
        if self.tokens:
            self.tokens -= 1
            try:
                d.callback(self)
            except BaseException:  # a signal's: the caller does not get it
                self.tokens += 1
                raise
        else:
            self.waiting.append(d)
        return d

    def release(self) -> None:
        """Give a token back, or to whatever waits longest for one.

        Raises:
            AssertionError: all tokens are here.
            WrongThreadError: a loop in another thread waits for one. The token is still taken.
        """
        if self.tokens >= self.limit:
            raise AssertionError("Someone released me too many times: too many tokens!")
        if self.waiting:
            _handToNext(self.waiting, self, self._giveBack)
        else:
            self.tokens += 1


class DeferredQueue(Generic[_T]):
    """A queue whose `get` is waited for.

    Attributes:
        size: how many objects it holds at most; None for no limit.
        backlog: how many may wait in `get` at most; None for no limit.
        waiting: the Deferreds that wait for an object.
        pending: the objects.
    """

    def __init__(self, size: int | None = None, backlog: int | None = None) -> None:
        self.waiting: list[Deferred[_T]] = []
        self.pending: list[_T] = []
        self.size = size
        self.backlog = backlog

    def _cancelGet(self, d: Deferred[_T]) -> None:
        self.waiting.remove(d)

    def _giveBack(self, obj: Any) -> None:
        """Give an object to the next, as the oldest: what it was handed to has been cancelled."""
        if self.waiting:
            _handToNext(self.waiting, obj, self._giveBack)
        else:
            self.pending.insert(0, obj)  # also where the queue is full: it must not be lost

    def put(self, obj: _T) -> None:
        """Give an object to whatever waits longest, or keep it.

        Raises:
            QueueOverflow: it is full.
            WrongThreadError: a loop in another thread waits for it. The object was not taken.
        """
        if self.waiting:
            _handToNext(self.waiting, obj, self._giveBack)
        elif self.size is None or len(self.pending) < self.size:
            self.pending.append(obj)
        else:
            raise QueueOverflow

    def get(self) -> Deferred[_T]:
        """Return a Deferred of the oldest object.

        Raises:
            QueueUnderflow: too many wait already.
        """
        if self.pending:
            d = succeed(self.pending[0])
            del self.pending[0]  # no call, so no signal's exception comes before the return
            return d
        if self.backlog is None or len(self.waiting) < self.backlog:
            d = Deferred(canceller=self._cancelGet)
            self.waiting.append(d)
            return d
        raise QueueUnderflow


showAs(
    "twistlike.internet.defer",
    globals(),
    ["DeferredLock", "DeferredQueue", "DeferredSemaphore", "_ConcurrencyPrimitive"],
)
