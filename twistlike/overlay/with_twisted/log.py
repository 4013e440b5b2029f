"""Hands what we report to Twisted's log, as Twisted itself would. Thread: any."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twistlike._log import report
from twistlike._log.publisher import globalLogPublisher

if TYPE_CHECKING:
    from twistlike._base.failure import Failure

__all__ = ["begin", "end", "toTwisted"]

_DEFERRED = "Unhandled error in Deferred:"


def begin() -> None:
    """Have Twisted's log as the end of what we log, from now on."""
    if toTwisted not in globalLogPublisher._observers:
        globalLogPublisher.begin([toTwisted])
    if hasattr(report, "reportCollected"):
        # Twisted's suites collect garbage and then look at once for what was logged.
        setattr(report, "reportCollected", _reportAtOnce)


def end() -> None:
    """Undo `begin`."""
    globalLogPublisher.removeObserver(toTwisted)


def toTwisted(event: dict[str, Any]) -> None:
    """Publish an event of ours by Twisted's publisher."""
    if not sys.meta_path:
        return  # the interpreter ends: nothing can be imported any more
    from twisted.logger import Logger, LogLevel  # 20 ms, and most programs log no error

    level = getattr(event["log_level"], "name", "info")
    text = event.get("log_format") or ""
    namespace = str(event.get("log_namespace", "twistlike")).replace("twistlike", "twisted")
    failure = event.get("log_failure")
    if failure is None:
        known = {"log_format", "log_level", "log_namespace", "log_time", "log_logger"}
        rest = {key: value for key, value in event.items() if key not in known}
        Logger(namespace).emit(LogLevel.lookupByName(level), text, **rest)
    elif text.startswith(_DEFERRED):
        _deferredFailed(Logger("twisted.internet.defer"), failure, text)
    else:
        Logger(namespace, event.get("log_source")).failure(text, failure, **_system())


def _system() -> dict[str, Any]:
    """Return on whose behalf this is logged, if that is known: the transport that is served."""
    from twisted.python import context, log  # loaded with Twisted's interfaces in any case

    system = (context.get(log.ILogContext) or {}).get("system", "-")
    return {} if system == "-" else {"log_system": system}


def _deferredFailed(logger: Any, failure: Failure, text: str) -> None:
    """Log an error that was left in a Deferred: two events, as observers of Twisted's log expect.

    Args:
        logger: That of Twisted's module.
        failure: The error.
        text: What we say about it.
    """
    logger.critical(_DEFERRED, isError=True)
    where = text[len(_DEFERRED) :].removeprefix("\n(debug: ").removesuffix(")")
    if where:
        stacks = where.replace("{{", "{").replace("}}", "}")
        logger.failure("(debug: {debugInfo})", failure, debugInfo=stacks)
    else:
        logger.failure("", failure, debugInfo="")


def _reportAtOnce(failure: Failure, message: str, source: object) -> None:
    report.report(failure, message, source=source)
