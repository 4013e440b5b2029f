"""The small functions that are passed as callbacks, and those that are deprecated. Thread: any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._defer.errors import CancelledError, TimeoutError

if TYPE_CHECKING:
    from twistlike._defer.deferred import Deferred

__all__ = ["cancelledToTimedOutError", "failthru", "logError", "passthru", "timeout"]

_T = TypeVar("_T")


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
    import warnings  # for the deprecated only

    warnings.warn(
        "twistlike.internet.defer.timeout is deprecated; use Deferred.addTimeout",
        category=DeprecationWarning,
        stacklevel=2,
    )
    deferred.errback(Failure(TimeoutError("Callback timed out")))


def cancelledToTimedOutError(value: Any, timeout: float) -> Any:
    """Return a result as it is; raise `TimeoutError` for a `CancelledError`.

    Args:
        value: what a Deferred came to that was cancelled because it took too long.
        timeout: how long it was given, in seconds.
    """
    if isinstance(value, Failure):
        value.trap(CancelledError)
        raise TimeoutError(timeout, "Deferred")
    return value


showAs("twistlike.internet.defer", globals(), ["logError", "passthru", "timeout"])
