"""Where errors that nobody handles are reported, and Twisted's older log functions. Any thread.

How it works
------------
`report` tells the log's observers and then the host: the loop's exception handler where there is a
loop, else the standard `logging`. The other functions make events with the old keys (`message`,
`isError`, `failure`, `why`, `time`, `system`, `format`) and publish them to
`logger.globalLogPublisher`, where those of `logger.Logger` go too.
"""

from __future__ import annotations

from twistlike._log.beginner import showWarning
from twistlike._log.interfaces import ILogObserver
from twistlike._log.legacy import (
    EventDict,
    FileLogObserver,
    ILogContext,
    Logger,
    LogPublisher,
    NullFile,
    PythonLoggingObserver,
    StdioOnnaStick,
    addObserver,
    callWithContext,
    callWithLogger,
    deferr,
    discardLogs,
    err,
    logerr,
    logfile,
    msg,
    removeObserver,
    startLogging,
    startLoggingWithObserver,
    textFromEventDict,
    theLogPublisher,
)
from twistlike._log.report import report, setLoopFinder

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "EventDict",
    "FileLogObserver",
    "ILogContext",
    "ILogObserver",
    "LogPublisher",
    "Logger",
    "NullFile",
    "PythonLoggingObserver",
    "StdioOnnaStick",
    "addObserver",
    "callWithContext",
    "callWithLogger",
    "deferr",
    "discardLogs",
    "err",
    "logerr",
    "logfile",
    "msg",
    "removeObserver",
    "report",
    "setLoopFinder",
    "showwarning",
    "startLogging",
    "startLoggingWithObserver",
    "textFromEventDict",
    "theLogPublisher",
]

showwarning = showWarning
