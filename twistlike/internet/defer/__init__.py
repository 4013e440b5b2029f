"""Deferreds: results that are not there yet.

What is here is made in this folder's modules, and handed on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twistlike.internet.defer import _coroutines, _small
from twistlike.internet.defer._combine import (
    FAILURE,
    SUCCESS,
    DeferredList,
    execute,
    gatherResults,
    maybeDeferred,
    race,
)
from twistlike.internet.defer._combine import _parseDeferredListResult as _parseDeferredListResult
from twistlike.internet.defer._coroutines import _DefGen_Return as _DefGen_Return
from twistlike.internet.defer._coroutines import (
    ensureDeferred,
    inlineCallbacks,
    returnValue,
)
from twistlike.internet.defer._debug import DebugInfo
from twistlike.internet.defer._deferred import Deferred, fail, getDebugging, setDebugging, succeed
from twistlike.internet.defer._errors import (
    AlreadyCalledError,
    AlreadyTryingToLockError,
    CancelledError,
    FailureGroup,
    FirstError,
    NotACoroutineError,
    QueueOverflow,
    QueueUnderflow,
    TimeoutError,
)
from twistlike.internet.defer._lockfile import DeferredFilesystemLock
from twistlike.internet.defer._locks import (
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
)
from twistlike.internet.defer._locks import _ConcurrencyPrimitive as _ConcurrencyPrimitive
from twistlike.internet.defer._small import logError, passthru, timeout
from twistlike.python.failure import Failure as Failure

# Types, by Twisted's names.
DeferredCallback = Callable[..., object]
DeferredErrback = Callable[..., object]

# Those that code written against Twisted imports although they are not public.
_T = TypeVar("_T")
_DeferredListResultItemT = tuple[bool, _T]
_DeferredListResultListT = list[tuple[bool, _T]]
_DeferredListSingleResultT = tuple[_T, int]
_cancellableInlineCallbacks = _coroutines.start
_cancelledToTimedOutError = _small.cancelledToTimedOutError
_failthru = _small.failthru

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

# They are known by this module's name: to `Failure.check`, which compares names, and to pickle.
for _name in [*__all__, "_ConcurrencyPrimitive", "_DefGen_Return"]:
    if callable(globals()[_name]) and _name not in ("DeferredCallback", "DeferredErrback"):
        globals()[_name].__module__ = __name__
