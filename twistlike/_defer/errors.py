"""The exceptions of Deferreds, their locks and their queues. Any thread may raise them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twistlike._base.failure import Failure

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
]


class AlreadyCalledError(Exception):
    """A Deferred was to be fired, but it has fired already.

    In debug mode (`setDebugging`) the text says where it was made and fired.
    """


class CancelledError(Exception):
    """What a Deferred that was cancelled fails with, unless its canceller knew something better.

    An ordinary exception, unlike `asyncio.CancelledError`.
    """


class TimeoutError(Exception):
    """A Deferred had no result in time."""


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
        return f"FirstError[#{self.index}, {self.subFailure.value!r}]"

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


showAs("twistlike.internet.defer", globals(), __all__)
