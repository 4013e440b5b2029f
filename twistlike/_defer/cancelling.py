"""Cancels that must come to an end: of tasks, coroutines, lists and time limits.

`Deferred.cancel` is Twisted's: what a canceller raises goes to its caller, and nothing has fired.

Thread: whichever has the Deferred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.error import WrongThreadError
from twistlike._base.failure import Failure
from twistlike._defer.callbacks import AGAIN, chainEnd, fire, removeEntry
from twistlike._defer.errors import CancelledError

if TYPE_CHECKING:
    from twistlike._defer.deferred import Deferred

__all__ = ["cancelFor", "cancelSurely", "leaveCircle", "reportCanceller"]


def leaveCircle(deferred: Deferred[Any]) -> None:
    """Fail with CancelledError: it waits for a Deferred that, in the end, waits for it."""
    removeEntry(deferred.result, deferred)
    deferred._state = None
    deferred.paused -= 1
    deferred.result = Failure(CancelledError())
    if not deferred.paused:
        fire(deferred, AGAIN)


def cancelSurely(deferred: Deferred[Any]) -> bool:
    """Cancel a Deferred; if a canceller raises, report that, and fail with `CancelledError`.

    Returns:
        False if it cannot be fired here.
    """
    try:
        deferred.cancel()
        return True
    except BaseException:
        reportCanceller(Failure(), deferred)
    end, circular = chainEnd(deferred)
    if end.called or circular:
        return False
    end._suppressAlreadyCalled = True
    try:
        end.errback(Failure(CancelledError()))  # type: ignore[attr-defined]
    except WrongThreadError:
        return False
    return True


def cancelFor(deferred: Deferred[Any], waiter: Any) -> bool:
    """Cancel a Deferred for a task or a coroutine that waits for it.

    Returns:
        False if no outcome will come of it: `waiter` does not wait any more.
    """
    if cancelSurely(deferred):
        end, _ = chainEnd(deferred)
        if not (end.called and end.paused):  # else somebody has paused it
            return True
    removeEntry(deferred, waiter)
    return False


def reportCanceller(failure: Failure, deferred: Deferred[Any]) -> None:
    """Report what a canceller has raised."""
    from twistlike._log.report import report  # for errors of cancellers only

    report(failure, "A canceller raised", source=deferred)
