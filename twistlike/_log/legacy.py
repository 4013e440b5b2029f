"""Twisted's older log functions, whose events have the old keys. Any thread."""

from __future__ import annotations

import sys
import threading
import time
from io import UnsupportedOperation
from typing import TYPE_CHECKING, Any, NoReturn

from twistlike._base import context
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr, safe_str
from twistlike._log.beginner import globalLogBeginner, showWarning
from twistlike._log.levels import LogLevel
from twistlike._log.logcontext import now
from twistlike._log.logger import Logger as _NewLogger
from twistlike._log.logger import LoggingFile
from twistlike._log.observers import LegacyLogObserverWrapper
from twistlike._log.publisher import LogPublisher as _NewLogPublisher
from twistlike._log.publisher import (
    bitbucketLogObserver,
    globalLogPublisher,
    levelNumber,
    toLogging,
)
from twistlike._log.text import formatTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import IO, ParamSpec, TypeVar

    LogObserver = Callable[["EventDict"], object]
    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = [
    "EventDict",
    "FileLogObserver",
    "ILogContext",
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
    "startLogging",
    "startLoggingWithObserver",
    "textFromEventDict",
    "theLogPublisher",
]

EventDict = dict[str, Any]
"""The type of an event."""


class ILogContext:
    """The key in `python.context` under which the keys stand that each event of a call gets."""


context.setDefault(ILogContext, {"system": "-"})
now.present = lambda: context.get(ILogContext)


def callWithContext(ctx: dict[str, Any], func: Callable[P, R], *args: P.args, **kw: P.kwargs) -> R:
    """Call a function, and add keys to the events that it logs.

    Args:
        ctx: The keys, such as `{"system": "web"}`.
        func: What to call.
        args: Its arguments.
        kw: Its keyword arguments.

    Returns:
        What it returns.
    """
    added = {ILogContext: {**(context.get(ILogContext) or {}), **ctx}}
    result: R = context.call(added, func, *args, **kw)
    return result


def callWithLogger(logger: Any, func: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    """Call a function on behalf of an object, and log what it raises.

    The name of the object is the `system` of the events that the function logs.

    Args:
        logger: The object; its `logPrefix()` is the name.
        func: What to call.
        args: Its arguments.
        kw: Its keyword arguments.

    Returns:
        What it returns, or `None` where it raised an `Exception`.
    """
    try:
        prefix = logger.logPrefix()
    except Exception:
        prefix = "(buggy logPrefix method)"  # the text is Twisted's
        err(system=prefix)
    try:
        return callWithContext({"system": prefix}, func, *args, **kw)
    except KeyboardInterrupt:
        raise
    except BaseException:
        err(system=prefix)
        return None


def textFromEventDict(eventDict: EventDict) -> str | None:
    """The text of an event with the old keys, or `None` where it has none."""
    if eventDict.get("message"):
        return " ".join(map(safe_str, eventDict["message"]))
    if eventDict.get("isError") and "failure" in eventDict:
        why = safe_str(eventDict.get("why") or "Unhandled Error")
        try:
            traceback = eventDict["failure"].getTraceback()
        except Exception as error:
            traceback = f"(unable to obtain traceback): {safe_str(error)}"
        return f"{why}\n{traceback}"
    if "format" in eventDict:
        return _formatOld(eventDict["format"], eventDict)
    return None


def _formatOld(format: str, event: EventDict) -> str:
    try:
        return format % event
    except Exception:
        items = ", ".join(f"{safe_repr(key)}: {safe_repr(event[key])}" for key in event)
        return (
            "Invalid format string or unformattable object in log message: "
            f"{safe_repr(format)}, {{{items}}}"
        )


class LogPublisher:
    """Publishes events with the old keys.

    `theLogPublisher` publishes to the observers of the whole program.

    Attributes:
        observers: Those that were added here.
    """

    def __init__(self, publisher: _NewLogPublisher | None = None) -> None:
        self._publisher = _NewLogPublisher() if publisher is None else publisher
        self._wrappers: tuple[LegacyLogObserverWrapper, ...] = ()
        self._changing = threading.Lock()

    @property
    def observers(self) -> list[LogObserver]:
        """The observers, in the order in which they were added."""
        return [wrapper.legacyObserver for wrapper in self._wrappers]

    def addObserver(self, other: LogObserver) -> None:
        """Give further events to `other` too; twice if it is added twice.

        Args:
            other: Is called with the event, in the thread that logs. It may not change the event.

        Raises:
            TypeError: It cannot be called.
        """
        if not callable(other):
            raise TypeError(f"a log observer has to be callable, {other!r} is not")
        self._add(LegacyLogObserverWrapper(other))

    def _add(self, wrapper: LegacyLogObserverWrapper) -> None:
        # Both under one lock: else a thread could remove it from here before it is there, and it
        # would stay there.
        with self._changing:
            self._publisher.addObserver(wrapper)
            self._wrappers = (*self._wrappers, wrapper)

    def removeObserver(self, other: LogObserver) -> None:
        """Give `other` no further events; once for each time that it was added."""
        with self._changing:
            wrapper = next((each for each in self._wrappers if each.legacyObserver == other), None)
            if wrapper is not None:
                self._wrappers = tuple(each for each in self._wrappers if each is not wrapper)
                self._publisher.removeObserver(wrapper)

    showwarning = staticmethod(showWarning)

    def msg(self, *message: object, **kw: Any) -> None:
        """See the function `msg`."""
        publisher = self._publisher
        if not publisher.wants(levelNumber(kw), "twistlike"):
            return
        keys = context.get(ILogContext) or {}
        caller = now.caller
        if caller is not None:
            keys = caller.logKeys(keys)
        event: EventDict = {**keys, **kw}
        event["message"] = message
        event["time"] = event["log_time"] = time.time()
        event.setdefault("isError", 0)
        _addNewKeys(event)
        publisher(event)


def _addNewKeys(event: EventDict) -> None:
    """Fill in what observers of `logger` look for."""
    if "failure" in event and event["isError"] and not event["message"]:
        # The text of the traceback comes from the failure, and so is made only if wanted.
        event["log_failure"] = event["failure"]
        text: str | None = safe_str(event.get("why") or "Unhandled Error")
    else:
        text = textFromEventDict(event)
    if text is not None:
        event["log_text"] = text
        event["log_format"] = "{log_text}"
    if event["isError"]:
        event["log_level"] = LogLevel.critical
    elif "logLevel" not in event:
        event["log_level"] = LogLevel.info
    elif event["logLevel"] in _levelOfNumber:
        event["log_level"] = _levelOfNumber[event["logLevel"]]
    event["log_namespace"] = "log_legacy"
    event["log_system"] = event.get("system")


_levelOfNumber = {level.value: level for level in LogLevel}


theLogPublisher = LogPublisher(globalLogPublisher)

addObserver = theLogPublisher.addObserver
removeObserver = theLogPublisher.removeObserver
msg = theLogPublisher.msg


def err(_stuff: object = None, _why: str | None = None, **kw: Any) -> None:
    """Log an error.

    Args:
        _stuff: A `Failure`, an exception, or anything whose `repr` says what is wrong. Default: the
            exception that is being handled.
        _why: What was being done, in words.
        kw: Further keys of the event.
    """
    if _stuff is None:
        _stuff = Failure()
    elif isinstance(_stuff, Exception):
        _stuff = Failure(_stuff)
    if isinstance(_stuff, Failure):
        msg(failure=_stuff, why=_why, isError=1, **kw)
    else:
        msg(safe_repr(_stuff), why=_why, isError=1, **kw)


deferr = err


class Logger:
    """What something that `callWithLogger` is given may inherit from."""

    def logPrefix(self) -> str:
        """Return the name that stands in what it logs."""
        return "-"


logfile = LoggingFile(_NewLogger("twistlike.python.log"))
"""What is written to it is logged, line by line."""

logerr = LoggingFile(_NewLogger("twistlike.python.log"), LogLevel.error)
"""The same, as errors."""


class NullFile:
    """A file that keeps nothing."""

    softspace = 0

    def _ignore(self, *args: object) -> None:
        pass

    read = write = flush = close = _ignore


class StdioOnnaStick:
    """A text file whose lines become events of `msg`; `logger.LoggingFile` is its successor.

    Args:
        isError: Whether the events are errors.
        encoding: What the attribute of that name says. Default: as `sys.stdout`'s default is.
    """

    closed = softspace = 0
    mode = "wb"
    name = "<stdio (log)>"

    def __init__(self, isError: int = 0, encoding: str | None = None) -> None:
        self.isError = isError
        self.encoding = encoding or sys.getdefaultencoding()
        self.buf = ""

    def write(self, data: str) -> None:
        """Log the lines that this completes."""
        *lines, self.buf = (self.buf + data).split("\n")
        self.writelines(lines)

    def writelines(self, lines: Iterable[str]) -> None:
        """Log each text as a line of its own."""
        for line in lines:
            msg(line, printed=1, isError=self.isError)

    def flush(self) -> None:
        """Lines have been logged already; others wait for their end."""

    close = flush

    def fileno(self) -> NoReturn:
        """Refuse.

        Raises:
            io.UnsupportedOperation: Always; a log has no descriptor.
        """
        raise UnsupportedOperation("StdioOnnaStick has no file descriptor.")

    def _unsupported(self, *args: object) -> NoReturn:
        raise OSError("cannot read from the log!")

    read = readline = readlines = seek = tell = _unsupported


class _Startable:
    """What the observers here have in common."""

    def emit(self, eventDict: EventDict) -> None:
        """Take an event."""
        raise NotImplementedError

    def start(self) -> None:
        """Get further events."""
        addObserver(self.emit)

    def stop(self) -> None:
        """Get no further events."""
        removeObserver(self.emit)


class FileLogObserver(_Startable):
    """Writes events to a file: time, system, text.

    Args:
        f: A text file.

    Attributes:
        timeFormat: As for `strftime`; `None`: ISO 8601's order, with a blank.
    """

    timeFormat: str | None = None

    def __init__(self, f: IO[str]) -> None:
        self.write = f.write
        self.flush = f.flush

    def getTimezoneOffset(self, when: float) -> int:
        """Seconds that local time is behind UTC, at a moment (seconds since the epoch)."""
        return -time.localtime(when).tm_gmtoff

    def formatTime(self, when: float) -> str:
        """Format a moment (seconds since the epoch), by `timeFormat` or `getTimezoneOffset`."""
        if self.timeFormat is not None:
            return formatTime(when, self.timeFormat)
        ahead = -self.getTimezoneOffset(when)
        hours, minutes = divmod(abs(ahead) // 60, 60)
        local = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(when + ahead))
        return f"{local}{'-' if ahead < 0 else '+'}{hours:02d}{minutes:02d}"

    def emit(self, eventDict: EventDict) -> None:
        """Write an event, if it has a text."""
        text = textFromEventDict(eventDict)
        if text is None:
            return
        text = text.replace("\n", "\n\t")
        self.write(
            f"{self.formatTime(eventDict['time'])} [{safe_str(eventDict['system'])}] {text}\n"
        )
        self.flush()


class PythonLoggingObserver(_Startable):
    """Hands events to a standard logger of your choice, with the exception as `exc_info`.

    While one is started, events do not go to the standard loggers that have their namespaces'
    names.

    Args:
        loggerName: The logger's name.
    """

    # Tells the global publisher that events need no other way into `logging`.
    handsToLogging = True

    def __init__(self, loggerName: str = "twistlike") -> None:
        import logging  # imported here: a program without logging need not pay for it

        self.logger = logging.getLogger(loggerName)

    def emit(self, eventDict: EventDict) -> None:
        """Hand on an event."""
        level = levelNumber(eventDict)
        if not self.logger.isEnabledFor(level):
            return
        failure = eventDict.get("failure")
        if failure is not None and eventDict.get("isError") and not eventDict.get("message"):
            why = safe_str(eventDict.get("why") or "Unhandled Error")
            toLogging(self.logger, level, why, failure)
            return
        text = textFromEventDict(eventDict)
        if text is not None:
            toLogging(self.logger, level, text)


def startLogging(file: IO[str], setStdout: bool = True) -> FileLogObserver:
    """Write the program's log to a file.

    Args:
        file: A text file, such as `sys.stdout`.
        setStdout: Log what is printed, too.

    Returns:
        The observer; its `stop` ends that.
    """
    observer = FileLogObserver(file)
    startLoggingWithObserver(observer.emit, setStdout)
    return observer


def startLoggingWithObserver(observer: LogObserver, setStdout: bool | int = True) -> None:
    """Let an observer be the program's log.

    Args:
        observer: Is called with each event.
        setStdout: Log what is printed, too.
    """
    wrapper = LegacyLogObserverWrapper(observer)
    globalLogBeginner.beginLoggingTo([wrapper], redirectStandardIO=bool(setStdout))
    theLogPublisher._add(wrapper)
    msg("Log opened.")


def discardLogs() -> None:
    """Let events go nowhere but to observers: a program that wants no log."""
    globalLogBeginner.beginLoggingTo([bitbucketLogObserver], redirectStandardIO=False)


showAs("twistlike.python.log", globals(), __all__)
