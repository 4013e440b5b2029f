"""The stream of log events, and where it ends when nobody has asked for it. Any thread.

How it works
------------
`globalLogPublisher` gives an event to each observer, in the order in which they came. After them
comes the standard `logging`, in the logger that has the event's namespace as its name: a service's
own configuration decides what becomes of it. That end is off while observers that were begun as the
program's log (`globalLogBeginner.beginLoggingTo`, `log.startLogging`) are there, or one that hands
events to `logging`
itself: each event is told once.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure, tracebackOf
from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr, safe_str
from twistlike._log.levels import LogLevel
from twistlike._log.text import formatEvent

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    LogEvent = dict[str, Any]
    Observer = Callable[[LogEvent], object]

__all__ = [
    "GlobalLogPublisher",
    "LogPublisher",
    "bitbucketLogObserver",
    "caller",
    "globalLogPublisher",
    "levelNumber",
    "toLogging",
    "writeToStderr",
]

# A frame of one of these modules is not "where something was logged".
_OWN_MODULES = ("twistlike._log.", "twistlike.logger", "twistlike.python.log")

# `logging.WARNING`: what `logging` lets through before anybody configures it.
_WARNING = 30


class LogPublisher:
    """Gives each event to several observers. It is an observer itself.

    An observer that raises is reported to the others, when all have got the event; it gets the next
    event all the same.
    """

    def __init__(self, *observers: Observer) -> None:
        # Replaced as a whole under the lock, read without it: whoever goes through it meets no
        # change.
        self._observers: tuple[Observer, ...] = ()
        self._changing = threading.Lock()
        for observer in observers:
            self.addObserver(observer)

    def addObserver(self, observer: Observer) -> None:
        """Give further events to `observer` too; nothing changes if it gets them already.

        Raises:
            TypeError: It cannot be called.
        """
        if not callable(observer):
            raise TypeError(f"Observer is not callable: {observer!r}")
        with self._changing:
            if observer not in self._observers:
                self._observers = (*self._observers, observer)
                self._observersChanged()

    def removeObserver(self, observer: Observer) -> None:
        """Give `observer` no further events; nothing changes if it does not get them."""
        with self._changing:
            if observer in self._observers:
                self._observers = tuple(each for each in self._observers if each != observer)
                self._observersChanged()

    def _observersChanged(self) -> None:
        """Called with the lock held."""

    def wants(self, level: int, namespace: str) -> bool:
        """Whether anybody looks at such events: a shortcut, a "no" saves the making of one."""
        return bool(self._observers)

    def __call__(self, event: LogEvent) -> None:
        """Publish an event."""
        failed: list[tuple[Observer, Failure]] = []
        for observer in self._observers:
            try:
                observer(event)
            except Exception:
                failed.append((observer, Failure()))
        for observer, failure in failed:
            self._observerFailed(observer, failure)

    def _observerFailed(self, failed: Observer, failure: Failure) -> None:
        event: LogEvent = {
            "log_format": "Log observer {observer} raised an exception: {log_failure}",
            "log_failure": failure,
            "log_level": LogLevel.critical,
            "log_namespace": "twistlike.logger",
            "log_source": self,
            "log_time": time.time(),
            "observer": safe_repr(failed),
        }
        for observer in self._observers:
            if observer != failed:
                try:
                    observer(event)
                except Exception:
                    pass  # one that fails on everything: its own report has gone to the others


class GlobalLogPublisher(LogPublisher):
    """The process's publisher, which ends in `logging` unless somebody asked for another end."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: tuple[Observer, ...] = ()
        self._endsInLogging = True

    def begin(self, observers: Iterable[Observer]) -> None:
        """Take observers that are the program's log, as long as they are there."""
        observers = tuple(observers)
        with self._changing:
            self._begun = (*self._begun, *observers)
        for observer in observers:
            self.addObserver(observer)

    @property
    def begun(self) -> bool:
        """Whether an observer that is the program's log is there."""
        return bool(self._begun)

    @property
    def endsInLogging(self) -> bool:
        """Whether events end in the standard `logging`."""
        return self._endsInLogging

    def _observersChanged(self) -> None:
        self._begun = tuple(each for each in self._begun if each in self._observers)
        self._endsInLogging = not self._begun and not any(
            getattr(observer, "handsToLogging", False) for observer in self._observers
        )

    def wants(self, level: int, namespace: str) -> bool:
        if self._observers:
            return True
        logging = sys.modules.get("logging")
        if logging is None:  # so nobody has configured it
            return level >= _WARNING
        return bool(logging.getLogger(namespace).isEnabledFor(level))

    def __call__(self, event: LogEvent) -> None:
        super().__call__(event)
        if self._endsInLogging:
            _end(event)

    def tellObservers(self, event: LogEvent) -> None:
        """Publish an event that has an end of its own."""
        super().__call__(event)

    def _observerFailed(self, failed: Observer, failure: Failure) -> None:
        super()._observerFailed(failed, failure)
        if self._endsInLogging:
            toLogging(
                "twistlike.logger",
                LogLevel.critical.value,
                f"Log observer {safe_repr(failed)} raised an exception",
                failure,
            )


def _end(event: LogEvent) -> None:
    """Give an event to the standard `logging`."""
    namespace = event.get("log_namespace")
    if namespace is None or namespace == "log_legacy":
        namespace = "twistlike"
    level = levelNumber(event)
    logging = sys.modules.get("logging")
    if logging is None:
        if level < _WARNING:
            return
    elif not logging.getLogger(namespace).isEnabledFor(level):
        return
    toLogging(namespace, level, formatEvent(event), event.get("log_failure"))


def levelNumber(event: LogEvent) -> int:
    """The level of an event as a number of the standard `logging`."""
    number = event.get("logLevel")  # what `log.msg(..., logLevel=logging.DEBUG)` says
    if isinstance(number, int):
        return number
    level = event.get("log_level")
    if isinstance(level, LogLevel):
        return int(level.value)
    return 50 if event.get("isError") else 20


def toLogging(
    name: str | logging.Logger, level: int, message: str, failure: Failure | None = None
) -> None:
    """Write to a standard logger, as if the caller of the log function had done so.

    Args:
        name: The logger, or its name.
        level: A number of the standard `logging`.
        message: The text. It is not a format.
        failure: What went wrong: its exception and traceback are the record's `exc_info`.
    """
    import logging  # imported here: 5 ms that a program which logs nothing need not pay

    logger = logging.getLogger(name) if isinstance(name, str) else name
    excInfo = None
    if failure is not None:
        message, excInfo = _withTraceback(message, failure)
    ownFrames, _ = caller()
    try:
        # `message` has no arguments, so that a "%" in it stays one.
        logger.log(level, message, exc_info=excInfo, stacklevel=ownFrames + 1)
    except Exception as error:
        # A handler or filter of the program's that raises: as with an observer that does, whoever
        # logs is not to fail by it.
        writeToStderr(message, error, failure)


def _withTraceback(message: str, failure: Failure) -> tuple[str, Any]:
    """Return the message and the `exc_info` for a failure.

    A failure that was cleaned has only the text of its traceback, which then ends the message.
    """
    value = failure.value
    traceback = _tracebackOf(value) or failure.tb
    if traceback is None and failure.frames:
        return f"{message}\n{failure.getTraceback().rstrip()}", None
    if not issubclass(type(value), BaseException):
        return f"{message}\n{safe_str(value)}", None
    return message, (type(value), value, traceback)


def _tracebackOf(value: object) -> Any:
    """Return what an exception has. Of the class: its own answer may be anybody's code."""
    return tracebackOf(value) if issubclass(type(value), BaseException) else None


def caller() -> tuple[int, FrameType | None]:
    """Find the frame that called into logging, and how many of our own it is away."""
    count = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_OWN_MODULES):
        count += 1
        frame = frame.f_back
    return count, frame


def writeToStderr(message: str, error: BaseException, failure: Failure | None = None) -> None:
    """Say on stderr what can still be said when logging itself goes wrong. Never raises.

    This needs no module: at the interpreter's end, when global Deferreds are collected, nothing can
    be imported any more.

    Args:
        message: What was to be reported.
        error: What the reporting raised.
        failure: What the report was about.
    """
    try:
        lines = [message]
        if failure is not None:
            lines.extend(_plainTraceback(failure))
        lines.append(f"(reporting it raised {type(error).__qualname__})")
        sys.stderr.write("\n".join(lines) + "\n")
    except BaseException:
        pass  # no stderr (a daemon, or the interpreter's end): there is nowhere left to say it


def _plainTraceback(failure: Failure) -> Iterator[str]:
    value = failure.value
    entry = failure.tb or _tracebackOf(value)
    while entry is not None:
        code = entry.tb_frame.f_code
        yield f'  File "{code.co_filename}", line {entry.tb_lineno}, in {code.co_name}'
        entry = entry.tb_next
    try:
        text = f"{type(value).__qualname__}: {value}"
    except BaseException:
        text = f"{type(value).__qualname__}, which has no text"
    yield text


def bitbucketLogObserver(event: LogEvent) -> None:
    """An observer that does nothing."""


globalLogPublisher = GlobalLogPublisher()
"""
What each `Logger` without an observer of its own, and each function of `python.log`, publishes to.
"""

showAs("twistlike.logger", globals(), ["LogPublisher"])
