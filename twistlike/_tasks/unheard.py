"""Reports the error of work that goes on by itself, if nobody waits for it. Thread: the reactor's.

The error of a Deferred that nobody handles is reported when the Deferred is collected. Somebody who
keeps a `LoopingCall`, and the Deferred of its end with it, would hear of its death only when the
program ends. So it is reported on the next turn of the loop, unless an errback has come by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._eventloop import current
from twistlike._log.report import report

if TYPE_CHECKING:
    from twistlike._base.failure import Failure
    from twistlike._defer.deferred import Deferred

__all__ = ["failLoudly"]


def failLoudly(deferred: Deferred[Any], failure: Failure, message: str, source: object) -> None:
    """Fail a Deferred, and see to it that somebody hears of the error.

    Args:
        deferred: What fails. It may have been cancelled by its only listener.
        failure: The error.
        message: What ends by this error, for the report.
        source: What the report names.
    """
    if deferred.called:  # its listener has cancelled it, and waits no longer
        report(failure, message, source=source)
        return
    deferred.errback(failure)
    loop = current.runningLoop()
    if loop is not None and _isUnheard(deferred):
        loop.call_soon(_reportUnheard, deferred, message, source)


def _isUnheard(deferred: Deferred[Any]) -> bool:
    """Return whether a Deferred holds an error that nobody has handled."""
    info = deferred._debugInfo
    return info is not None and info.failResult is not None


def _reportUnheard(deferred: Deferred[Any], message: str, source: object) -> None:
    info = deferred._debugInfo
    if info is None or info.failResult is None:
        return  # handled since
    failure, info.failResult = info.failResult, None  # not once more when it is collected
    report(failure, message, source=source)
