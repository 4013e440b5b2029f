"""Structured logging with Twisted's names, over the standard `logging`. Any thread.

Unless the program says where its log goes (`globalLogBeginner.beginLoggingTo`,
`python.log.startLogging`), an event ends in the standard logger that has its namespace as name: in
a service it ends where the service's logs end.
"""

from __future__ import annotations

from twistlike.logger._begin import LogBeginner, globalLogBeginner
from twistlike.logger._interfaces import ILogFilterPredicate, ILogObserver, LogEvent
from twistlike.logger._levels import InvalidLogLevelError, LogLevel
from twistlike.logger._logger import Logger, LoggingFile, Operation, loggerFor
from twistlike.logger._observers import (
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
from twistlike.logger._publish import LogPublisher, globalLogPublisher
from twistlike.logger._text import (
    eventAsText,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
    timeFormatRFC3339,
)

# Not public, but Twisted's protocols and twistd import it.
_loggerFor = loggerFor

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
    "formatEvent",
    "formatEventAsClassicLogText",
    "formatTime",
    "globalLogBeginner",
    "globalLogPublisher",
    "textFileLogObserver",
    "timeFormatRFC3339",
]
