"""Deferreds of asyncio's futures, and futures of Deferreds. Thread: that of the future's loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._base.reflect import safe_repr
from twistlike._defer.callbacks import COLLECT, chain
from twistlike._defer.deferred import Deferred
from twistlike._defer.errors import CancelledError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

__all__ = ["asFuture", "classHas", "fromFuture", "isFuture", "outcomeOf"]


def classHas(value: object, name: str) -> bool:
    """Return whether an object's class, or a base of it, defines a name.

    `hasattr` would ask the object, or the metaclass, and so anybody's code: a mock, a proxy for a
    server or a lazy class has any attribute that is asked for, or raises.
    """
    # A loop: a generator would cost a quarter of a quick blocking call.
    for base in _basesOf(type(value)):  # noqa: SIM110
        if name in _namesOf(base):
            return True
    return False


_basesOf: Any = type.__dict__["__mro__"].__get__
_namesOf: Any = type.__dict__["__dict__"].__get__


def isFuture(value: Any) -> bool:
    """Return whether something is a future by asyncio's protocol."""
    if not classHas(value, "_asyncio_future_blocking"):
        return False
    try:
        return value._asyncio_future_blocking is not None
    except Exception:
        return False


def outcomeOf(future: Any) -> Any:
    """Return the result of a future that is done, or a Failure; `CancelledError` if cancelled."""
    if future.cancelled():
        from asyncio import CancelledError as asyncioCancelledError  # it is there: it has a future

        error = CancelledError()
        error.__cause__ = asyncioCancelledError()  # `DebugInfo` looks for that
        return Failure(error)
    reason = future.exception()
    return future.result() if reason is None else Failure(reason)


def fromFuture(future: Future[Any]) -> Deferred[Any]:
    """Do what `Deferred.fromFuture` does."""
    late: Deferred[Any] | None = None

    def cancel(deferred: Deferred[Any]) -> None:
        nonlocal late
        future.cancel()
        if future.done():
            finish(future)
            return
        # A task that has to clean up first: its end is awaited.
        late = Deferred(cancelAgain)
        deferred.called = True
        chain(deferred, late)

    def cancelAgain(_: object) -> None:
        future.cancel()

    def finish(future: Future[Any]) -> None:
        target = result if late is None else late
        if not target.called:
            outcome = outcomeOf(future)
            target.callback(outcome)

    result: Deferred[Any] = Deferred(cancel)
    future.add_done_callback(finish)
    return result


def asFuture(deferred: Deferred[Any], loop: AbstractEventLoop) -> Future[Any]:
    """Do what `Deferred.asFuture` does."""
    future = loop.create_future()

    def checkCancel(future: Future[Any]) -> None:
        if future.cancelled():
            deferred.cancel()

    future.add_done_callback(checkCancel)
    deferred._add((COLLECT, 0, _FutureTarget(future)))
    return future


class _FutureTarget:
    """Waits for a Deferred in the place of a future: it gets an error that a task has got, too."""

    __slots__ = ("_future",)

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def _addSource(self, deferred: Deferred[Any]) -> None:
        """Bind nothing: the future has a loop, but only its own methods look at that."""

    def _collect(self, outcome: Any, index: int, failed: bool) -> bool:
        """Give the outcome to the future, which takes it away from the Deferred."""
        future = self._future
        if future.done():
            pass
        elif not failed:
            future.set_result(outcome)
        else:
            future.set_exception(_forFuture(outcome.value))
        return True


def _forFuture(error: Any) -> BaseException:
    """Return an error as asyncio's futures take it; StopIteration as CPython 3.12 has it."""
    if isinstance(error, BaseException) and not issubclass(type(error), StopIteration):
        return error
    replacement = RuntimeError(f"{safe_repr(error)} cannot be raised into a Future")
    if isinstance(error, BaseException):
        replacement.__cause__ = error
    return replacement
