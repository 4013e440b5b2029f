"""Structured logging with Twisted's names, over the standard `logging`. Any thread.

Unless the program says where its log goes (`globalLogBeginner.beginLoggingTo`,
`python.log.startLogging`), an event ends in the standard logger that has its namespace as name: in
a service it ends where the service's logs end.
"""

from __future__ import annotations

from twistlike._log.beginner import LogBeginner, globalLogBeginner
from twistlike._log.interfaces import ILogFilterPredicate, ILogObserver, LogEvent
from twistlike._log.levels import InvalidLogLevelError, LogLevel
from twistlike._log.logger import Logger, LoggingFile, Operation, loggerFor
from twistlike._log.observers import (
    FileLogObserver,
    FilteringLogObserver,
    LegacyLogObserverWrapper,
    LimitedHistoryLogObserver,
    LogLevelFilterPredicate,
    PredicateResult,
    STDLibLogObserver,
    capturedLogs,
    textFileLogObserver,
)
from twistlike._log.publisher import LogPublisher, globalLogPublisher
from twistlike._log.text import (
    eventAsText,
    extractField,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
    timeFormatRFC3339,
)

# Not public, but Twisted's protocols and twistd import it.
_loggerFor = loggerFor

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "FileLogObserver",
    "FilteringLogObserver",
    "ILogFilterPredicate",
    "ILogObserver",
    "InvalidLogLevelError",
    "LegacyLogObserverWrapper",
    "LimitedHistoryLogObserver",
    "LogBeginner",
    "LogEvent",
    "LogLevel",
    "LogLevelFilterPredicate",
    "LogPublisher",
    "Logger",
    "LoggingFile",
    "Operation",
    "PredicateResult",
    "STDLibLogObserver",
    "capturedLogs",
    "eventAsText",
    "extractField",
    "formatEvent",
    "formatEventAsClassicLogText",
    "formatTime",
    "globalLogBeginner",
    "globalLogPublisher",
    "textFileLogObserver",
    "timeFormatRFC3339",
]
