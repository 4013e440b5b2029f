"""Deferreds: results that are not there yet.

Rooms: `_defer`; `_tasks.filelock` for `DeferredFilesystemLock`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twistlike._base.failure import Failure as Failure
from twistlike._defer.combinators import (
    FAILURE,
    SUCCESS,
    DeferredList,
    execute,
    gatherResults,
    maybeDeferred,
    race,
)
from twistlike._defer.combinators import _parseDeferredListResult as _parseDeferredListResult
from twistlike._defer.coroutines import _DefGen_Return as _DefGen_Return
from twistlike._defer.coroutines import ensureDeferred, inlineCallbacks, returnValue, start
from twistlike._defer.debug import DebugInfo
from twistlike._defer.deferred import Deferred, fail, getDebugging, setDebugging, succeed
from twistlike._defer.errors import (
    AlreadyCalledError,
    AlreadyTryingToLockError,
    CancelledError,
    FailureGroup,
    FirstError,
    NotACoroutineError,
    QueueOverflow,
    QueueUnderflow,
    TimeoutError,
    cancelledToTimedOutError,
    failthru,
    logError,
    passthru,
    timeout,
)
from twistlike._defer.locks import DeferredLock, DeferredQueue, DeferredSemaphore
from twistlike._defer.locks import _ConcurrencyPrimitive as _ConcurrencyPrimitive
from twistlike._tasks.filelock import DeferredFilesystemLock

# Types, by Twisted's names.
DeferredCallback = Callable[..., object]
DeferredErrback = Callable[..., object]

# Those that code written against Twisted imports although they are not public.
_T = TypeVar("_T")
_DeferredListResultItemT = tuple[bool, _T]
_DeferredListResultListT = list[tuple[bool, _T]]
_DeferredListSingleResultT = tuple[_T, int]
_cancellableInlineCallbacks = start
_cancelledToTimedOutError = cancelledToTimedOutError
_failthru = failthru

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "FAILURE",
    "SUCCESS",
    "AlreadyCalledError",
    "AlreadyTryingToLockError",
    "CancelledError",
    "DebugInfo",
    "Deferred",
    "DeferredCallback",
    "DeferredErrback",
    "DeferredFilesystemLock",
    "DeferredList",
    "DeferredLock",
    "DeferredQueue",
    "DeferredSemaphore",
    "FailureGroup",
    "FirstError",
    "NotACoroutineError",
    "QueueOverflow",
    "QueueUnderflow",
    "TimeoutError",
    "ensureDeferred",
    "execute",
    "fail",
    "gatherResults",
    "getDebugging",
    "inlineCallbacks",
    "logError",
    "maybeDeferred",
    "passthru",
    "race",
    "returnValue",
    "setDebugging",
    "succeed",
    "timeout",
]
