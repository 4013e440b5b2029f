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

__all__ = ["DeferredLock", "DeferredQueue", "DeferredSemaphore"]

_T = TypeVar("_T")


class _ConcurrencyPrimitive:
    """What can be acquired and released.

    Attributes:
        waiting: the Deferreds of those who wait for it, first come first.
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


class DeferredLock(_ConcurrencyPrimitive):
    """A lock.

    Attributes:
        locked: whether somebody has it.
    """

    locked: bool = False

    def acquire(self) -> Deferred[Self]:
        """Return a Deferred of this lock that fires once it is the caller's."""
        d: Deferred[Any] = Deferred(canceller=self._cancelAcquire)
        if self.locked:
            self.waiting.append(d)
        else:
            self.locked = True
            d.callback(self)
        return d

    def release(self) -> None:
        """Give the lock to who waits longest, or free it.

        Raises:
            AssertionError: nobody has it.
        """
        if not self.locked:
            raise AssertionError("Tried to release an unlocked lock")
        self.locked = False
        if self.waiting:
            self.locked = True
            self.waiting.pop(0).callback(self)


class DeferredSemaphore(_ConcurrencyPrimitive):
    """A lock that several can have.

    Attributes:
        limit: how many.
        tokens: how many more.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__()
        if tokens < 1:
            raise ValueError("DeferredSemaphore requires tokens >= 1")
        self.tokens = tokens
        self.limit = tokens

    def acquire(self) -> Deferred[Self]:
        """Return a Deferred of this semaphore that fires once the caller has a token."""
        d: Deferred[Any] = Deferred(canceller=self._cancelAcquire)
        if self.tokens:
            self.tokens -= 1
            d.callback(self)
        else:
            self.waiting.append(d)
        return d

    def release(self) -> None:
        """Give a token back, or to who waits longest for one.

        Raises:
            AssertionError: nobody has one.
        """
        if self.tokens >= self.limit:
            raise AssertionError("Someone released me too many times: too many tokens!")
        self.tokens += 1
        if self.waiting:
            self.tokens -= 1
            self.waiting.pop(0).callback(self)


class DeferredQueue(Generic[_T]):
    """A queue whose `get` is waited for.

    Attributes:
        size: how many objects it holds at most; None for no limit.
        backlog: how many may wait in `get` at most; None for no limit.
        waiting: the Deferreds of those who wait.
        pending: the objects.
    """

    def __init__(self, size: int | None = None, backlog: int | None = None) -> None:
        self.waiting: list[Deferred[_T]] = []
        self.pending: list[_T] = []
        self.size = size
        self.backlog = backlog

    def _cancelGet(self, d: Deferred[_T]) -> None:
        self.waiting.remove(d)

    def put(self, obj: _T) -> None:
        """Give an object to who waits longest, or keep it.

        Raises:
            QueueOverflow: it is full.
        """
        if self.waiting:
            self.waiting.pop(0).callback(obj)
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
            return succeed(self.pending.pop(0))
        if self.backlog is None or len(self.waiting) < self.backlog:
            d: Deferred[_T] = Deferred(canceller=self._cancelGet)
            self.waiting.append(d)
            return d
        raise QueueUnderflow


showAs(
    "twistlike.internet.defer",
    globals(),
    ["DeferredLock", "DeferredQueue", "DeferredSemaphore", "_ConcurrencyPrimitive"],
)
