"""`Logger`: what code that has something to tell uses. Any thread."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._log.levels import InvalidLogLevelError, LogLevel
from twistlike._log.publisher import globalLogPublisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import NoReturn, Self

    Observer = Callable[[dict[str, Any]], object]

__all__ = ["Logger", "LoggingFile", "Operation", "loggerFor"]


class Logger:
    """Emits events under a name.

    As an attribute of a class (`log = Logger()`) it takes the class's name, and its events say
    which object logged (`{log_source.peer}` in a format).

    Attributes:
        namespace: The name; the standard logger of that name gets what nobody else asked for.
        source: The object that logs.
        observer: What the events are given to.

    Args:
        namespace: Default: the module that makes the logger.
        source: See above.
        observer: Default: `globalLogPublisher`.
    """

    def __init__(
        self,
        namespace: str | None = None,
        source: object = None,
        observer: Observer | None = None,
    ) -> None:
        caller = sys._getframe(1).f_globals
        default = caller.get("__name__", "<unknown>")
        self.namespace: str = default if namespace is None else namespace
        self.source = source
        self.observer: Observer = globalLogPublisher if observer is None else observer

    def __get__(self, instance: object, owner: type | None = None) -> Self:
        assert owner is not None
        return self.__class__(
            f"{owner.__module__}.{owner.__name__}",
            owner if instance is None else instance,
            self.observer,
        )

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} {self.namespace!r}>"

    def emit(self, level: LogLevel, format: str | None = None, **kwargs: object) -> None:
        """Emit an event. It is formatted only if somebody wants the text.

        Args:
            level: How much it matters.
            format: The text, with fields; see `formatEvent`.
            kwargs: The fields' values, and whatever else observers may want.
        """
        given: object = level
        if not isinstance(given, LogLevel):
            self.failure(
                "Got invalid log level {invalidLevel!r} in {logger}.emit().",
                Failure(InvalidLogLevelError(level)),
                invalidLevel=level,
                logger=self,
            )
            return
        observer = self.observer
        if observer is globalLogPublisher and not globalLogPublisher.wants(
            level.value, self.namespace
        ):
            return
        event: dict[str, Any] = kwargs
        event.update(
            log_logger=self,
            log_level=level,
            log_namespace=self.namespace,
            log_source=self.source,
            log_format=format,
            log_time=time.time(),
        )
        observer(event)

    def failure(
        self,
        format: str,
        failure: Failure | None = None,
        level: LogLevel = LogLevel.critical,
        **kwargs: object,
    ) -> None:
        """Emit an event with an exception and its traceback.

        Args:
            format: What was being done, with fields.
            failure: What went wrong. Default: the exception that is being handled.
            level: How much it matters.
            kwargs: The fields' values.
        """
        if failure is None:
            failure = Failure()
        self.emit(level, format, log_failure=failure, **kwargs)

    def debug(self, format: str | None = None, **kwargs: object) -> None:
        """Emit an event of `LogLevel.debug`."""
        self.emit(LogLevel.debug, format, **kwargs)

    def info(self, format: str | None = None, **kwargs: object) -> None:
        """Emit an event of `LogLevel.info`."""
        self.emit(LogLevel.info, format, **kwargs)

    def warn(self, format: str | None = None, **kwargs: object) -> None:
        """Emit an event of `LogLevel.warn`."""
        self.emit(LogLevel.warn, format, **kwargs)

    def error(self, format: str | None = None, **kwargs: object) -> None:
        """Emit an event of `LogLevel.error`."""
        self.emit(LogLevel.error, format, **kwargs)

    def critical(self, format: str | None = None, **kwargs: object) -> None:
        """Emit an event of `LogLevel.critical`."""
        self.emit(LogLevel.critical, format, **kwargs)

    def failuresHandled(
        self, format: str, level: LogLevel = LogLevel.critical, **kwargs: object
    ) -> _FailuresHandled:
        """Make a context that logs what is raised in it and goes on behind it.

        Returns:
            The context; what `with ... as` gives is an `Operation`. As in Twisted, `SystemExit` and
            `KeyboardInterrupt` end there too.
        """
        return _FailuresHandled(self, format, level, kwargs)

    def failureHandler(
        self, staticMessage: str, level: LogLevel = LogLevel.critical
    ) -> _FailureHandler:
        """Make a context like `failuresHandled` that can be used again.

        Its message has no fields of its own, so an entry costs less.
        """
        return _FailureHandler(self, staticMessage, level)


class Operation:
    """How a `with log.failuresHandled(...)` went.

    Attributes:
        failure: What was raised, or `None`.
    """

    failure: Failure | None = None
    _ended = False

    @property
    def succeeded(self) -> bool:
        """It ended, and nothing was raised."""
        return self._ended and self.failure is None

    @property
    def failed(self) -> bool:
        """It ended with an exception."""
        return self._ended and self.failure is not None


class _FailuresHandled(Operation):
    def __init__(
        self, log: Logger, format: str, level: LogLevel, fields: dict[str, object]
    ) -> None:
        self._log = log
        self._format = format
        self._level = level
        self._fields = fields

    def __enter__(self) -> Operation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._ended = True
        if error is None:
            return False
        self.failure = Failure(error, kind, traceback)
        self._log.failure(self._format, self.failure, self._level, **self._fields)
        return True


class _FailureHandler:
    def __init__(self, log: Logger, message: str, level: LogLevel) -> None:
        self._log = log
        self._message = message
        self._level = level

    def __enter__(self) -> None:
        """There is nothing to prepare: that is what makes it cheap where nothing is raised."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None:
            return False
        self._log.failure(self._message, Failure(error, kind, traceback), self._level)
        return True


def loggerFor(obj: object) -> Logger:
    """Return a logger under the name of an object's class, for which the object is the source."""
    return Logger().__get__(obj, type(obj))


class LoggingFile:
    """A text file for writing whose lines become log events.

    `sys.stdout` and `sys.stderr` are such files once logging has begun.

    Args:
        logger: Emits the events.
        level: Their level.
        encoding: How bytes that are written are decoded. Default: as `sys.stdout`'s default is.
    """

    softspace = 0

    def __init__(
        self, logger: Logger, level: LogLevel = LogLevel.info, encoding: str | None = None
    ) -> None:
        self.log = logger
        self.level = level
        self._encoding = encoding or sys.getdefaultencoding()
        self._partial = ""
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def encoding(self) -> str:
        """How bytes that are written are decoded."""
        return self._encoding

    @property
    def mode(self) -> str:
        """Always "w"."""
        return "w"

    @property
    def newlines(self) -> None:
        """Line ends are not translated."""
        return

    @property
    def name(self) -> str:
        """Which logger and level it writes to."""
        return f"<{self.__class__.__name__} {self.log.namespace}#{self.level.name}>"

    def write(self, text: str | bytes) -> int:
        """Log the whole lines; keep the rest until its line end comes.

        Raises:
            ValueError: The file is closed.
        """
        if self._closed:
            raise ValueError("I/O operation on closed file")
        if isinstance(text, bytes):
            text = text.decode(self._encoding)
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self.log.emit(self.level, "{log_io}", log_io=line)
        return len(text)

    def writelines(self, lines: Iterable[str | bytes]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Whole lines have been logged already; others wait for their end."""

    def close(self) -> None:
        """Refuse further writing."""
        self._closed = True

    def isatty(self) -> bool:
        """Never a terminal."""
        return False

    def readable(self) -> bool:
        """Never."""
        return False

    def writable(self) -> bool:
        """Until it is closed."""
        return not self._closed

    def seekable(self) -> bool:
        """Never."""
        return False

    def fileno(self) -> NoReturn:
        """Refuse.

        Raises:
            io.UnsupportedOperation: Always; a log has no descriptor.
        """
        raise io.UnsupportedOperation("LoggingFile has no file descriptor.")

    def _unsupported(self, *args: object) -> NoReturn:
        raise OSError("unsupported operation")

    read = readline = readlines = seek = tell = truncate = _unsupported


showAs("twistlike.logger", globals(), __all__)
