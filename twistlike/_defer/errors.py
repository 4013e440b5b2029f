"""The exceptions of Deferreds, their locks and their queues, and stock callbacks. Thread: any."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._base.deprecation import warnDeprecated
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twistlike._defer.deferred import Deferred

__all__ = [
    "AlreadyCalledError",
    "AlreadyTryingToLockError",
    "CancelledError",
    "FailureGroup",
    "FirstError",
    "NotACoroutineError",
    "QueueOverflow",
    "QueueUnderflow",
    "TimeoutError",
    "cancelledToTimedOutError",
    "failthru",
    "logError",
    "passthru",
    "timeout",
]

_T = TypeVar("_T")


class AlreadyCalledError(Exception):
    """A Deferred was to be fired, but it has fired already.

    The text says which one it is, and in debug mode (`setDebugging`) where it was made and fired.

    Attributes:
        hint: The text, where no argument is given. (Twisted's has no arguments outside of debug
            mode, and no text.)
    """

    hint = ""

    def __str__(self) -> str:
        return super().__str__() or self.hint


class CancelledError(Exception):
    """What a Deferred that was cancelled fails with, unless its canceller knew something better.

    An ordinary exception, unlike `asyncio.CancelledError`.
    """


class TimeoutError(builtins.TimeoutError):
    """A Deferred had no result in time.

    Differs from Twisted: `except TimeoutError` finds it without an import, too.
    """

    def __init__(self, *args: object) -> None:
        """Keep the arguments as any exception does, and not as an OSError's number and text."""
        super().__init__()
        self.args = args

    __str__ = BaseException.__str__


class NotACoroutineError(TypeError):
    """Something that is no coroutine was given where a coroutine is needed."""


class QueueOverflow(Exception):
    """A `DeferredQueue` is full."""


class QueueUnderflow(Exception):
    """A `DeferredQueue` has as many waiting for it as its backlog allows."""


class AlreadyTryingToLockError(Exception):
    """`DeferredFilesystemLock.deferUntilLocked` was called while an earlier call still waits."""


class FirstError(Exception):
    """The first error of a `DeferredList`.

    Attributes:
        subFailure: the Failure itself.
        index: which of the list's Deferreds failed.
    """

    def __init__(self, failure: Failure, index: int) -> None:
        super().__init__(failure, index)
        self.subFailure = failure
        self.index = index

    def __repr__(self) -> str:
        return f"FirstError[#{self.index}, {safe_repr(self.subFailure.value)}]"

    def __str__(self) -> str:
        return f"FirstError[#{self.index}, {self.subFailure}]"

    def _key(self) -> tuple[int, Any]:
        return (self.index, self.subFailure)

    # As in Twisted, two of them compare by index and Failure, and come before anything else.

    def __cmp__(self, other: object) -> int:
        if isinstance(other, FirstError):
            return (self._key() > other._key()) - (self._key() < other._key())
        return -1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FirstError) and self._key() == other._key()

    def __lt__(self, other: object) -> bool:
        return self.__cmp__(other) < 0

    def __le__(self, other: object) -> bool:
        return self.__cmp__(other) <= 0

    def __gt__(self, other: object) -> bool:
        return self.__cmp__(other) > 0

    def __ge__(self, other: object) -> bool:
        return self.__cmp__(other) >= 0

    __hash__ = Exception.__hash__


class FailureGroup(Exception):
    """All that was asked failed.

    Attributes:
        failures: a Failure for each.
    """

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__()
        self.failures = failures


def passthru(arg: _T) -> _T:
    """Return the argument: a callback that does nothing."""
    return arg


def failthru(arg: Failure) -> Failure:
    """Return the argument: an errback that does nothing."""
    return arg


def logError(err: Failure) -> Failure:
    """Report an error, and pass it on: an errback."""
    from twistlike._log.report import report  # errors are rare, logging is dear

    report(err, "Unhandled Error", source=logError)
    return err


def timeout(deferred: Deferred[object]) -> None:
    """Fail a Deferred with `TimeoutError`. Deprecated: use `Deferred.addTimeout`."""
    warnDeprecated(
        "internet.defer.timeout", "17.1.0", "{package}.internet.defer.Deferred.addTimeout"
    )
    deferred.errback(Failure(TimeoutError("Callback timed out")))


def cancelledToTimedOutError(value: Any, timeout: float) -> Any:
    """Return a result as it is; raise `TimeoutError` for a `CancelledError`.

    Args:
        value: what a Deferred came to that was cancelled because it took too long.
        timeout: how long it was given, in seconds.
    """
    if issubclass(type(value), Failure):
        value.trap(CancelledError)
        raise TimeoutError(timeout, "Deferred")
    return value


showAs(
    "twistlike.internet.defer",
    globals(),
    [name for name in __all__ if name not in ("cancelledToTimedOutError", "failthru")],
)
