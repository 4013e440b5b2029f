"""Observers of log events: files, filters, histories, the standard `logging`. Any thread."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._log.levels import InvalidLogLevelError, LogLevel
from twistlike._log.publisher import (
    bitbucketLogObserver,
    globalLogPublisher,
    levelNumber,
    toLogging,
)
from twistlike._log.text import (
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
    timeFormatRFC3339,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import IO

    from twistlike._base.failure import Failure

    LogEvent = dict[str, Any]
    Observer = Callable[[LogEvent], object]

__all__ = [
    "FileLogObserver",
    "FilteringLogObserver",
    "LegacyLogObserverWrapper",
    "LimitedHistoryLogObserver",
    "LogLevelFilterPredicate",
    "PredicateResult",
    "STDLibLogObserver",
    "capturedLogs",
    "textFileLogObserver",
]


class FileLogObserver:
    """Writes events to a file, and flushes it after each.

    Args:
        outFile: A text file; a binary one gets UTF-8.
        formatEvent: Makes the text; an event for which that is empty or `None` is not written.
    """

    def __init__(self, outFile: IO[Any], formatEvent: Callable[[LogEvent], str | None]) -> None:
        self._outFile = outFile
        self._binary = not _takesText(outFile)
        self.formatEvent = formatEvent

    def __call__(self, event: LogEvent) -> None:
        """Write an event."""
        text = self.formatEvent(event)
        if text:
            self._outFile.write(text.encode("utf-8") if self._binary else text)
            self._outFile.flush()


def _takesText(file: IO[Any]) -> bool:
    try:
        file.write("")
    except TypeError:
        return False
    return True


def textFileLogObserver(
    outFile: IO[Any], timeFormat: str | None = timeFormatRFC3339
) -> FileLogObserver:
    """Make an observer that writes events to a file, for people.

    Args:
        outFile: The file.
        timeFormat: As for `strftime`; `None`: a dash stands for the time.
    """

    def formatLine(event: LogEvent) -> str | None:
        return formatEventAsClassicLogText(event, lambda when: formatTime(when, timeFormat))

    return FileLogObserver(outFile, formatLine)


class PredicateResult(Enum):
    """What a filter says about an event."""

    yes = "yes"
    """Let it pass, whatever the predicates behind this one say."""
    no = "no"
    """Stop it."""
    maybe = "maybe"
    """Ask the next predicate; behind the last one, it passes."""

    @classmethod
    def iterconstants(cls) -> Iterator[PredicateResult]:
        """All of them."""
        return iter(cls)

    def __repr__(self) -> str:
        return f"<PredicateResult={self.name}>"

    __str__ = __repr__


class FilteringLogObserver:
    """Hands on the events that its predicates let pass.

    Args:
        observer: Gets those.
        predicates: Each is called with the event, until one says yes or no.
        negativeObserver: Gets the others.
    """

    def __init__(
        self,
        observer: Observer,
        predicates: Iterable[Callable[[LogEvent], PredicateResult]],
        negativeObserver: Observer = bitbucketLogObserver,
    ) -> None:
        self._observer = observer
        self._predicates = tuple(predicates)
        self._negativeObserver = negativeObserver

    def __call__(self, event: LogEvent) -> None:
        """Hand on an event."""
        (self._observer if self._passes(event) else self._negativeObserver)(event)

    def _passes(self, event: LogEvent) -> bool:
        for predicate in self._predicates:
            result = predicate(event)
            if result is PredicateResult.yes:
                return True
            if result is PredicateResult.no:
                return False
            if result is not PredicateResult.maybe:
                raise TypeError(f"Invalid predicate result: {result!r}; return a PredicateResult")
        return True


class LogLevelFilterPredicate:
    """Stops the events below a level, which may differ from namespace to namespace.

    Args:
        defaultLogLevel: The level where none was set.
    """

    def __init__(self, defaultLogLevel: LogLevel = LogLevel.info) -> None:
        self.defaultLogLevel = defaultLogLevel
        self._levels: dict[str, LogLevel] = {}

    def logLevelForNamespace(self, namespace: str | None) -> LogLevel:
        """Return the level of a namespace.

        Without a level of its own it has that of the nearest namespace around it: `"a.b"` is in
        `"a"`.
        """
        while namespace:
            level = self._levels.get(namespace)
            if level is not None:
                return level
            namespace = namespace.rpartition(".")[0]
        return self._levels.get("", self.defaultLogLevel)

    def setLogLevelForNamespace(self, namespace: str | None, level: LogLevel) -> None:
        """Set the level for a namespace and for what is in it.

        Args:
            namespace: "" or `None`: everything.
            level: Events below it are stopped.

        Raises:
            InvalidLogLevelError: `level` is not a `LogLevel`.
        """
        if not isinstance(level, LogLevel):
            raise InvalidLogLevelError(level)
        self._levels[namespace or ""] = level

    def clearLogLevels(self) -> None:
        """Forget what was set."""
        self._levels.clear()

    def __call__(self, event: LogEvent) -> PredicateResult:
        """Judge an event. One without level or namespace is stopped."""
        level = event.get("log_level")
        namespace = event.get("log_namespace")
        if not isinstance(level, LogLevel) or not namespace:
            return PredicateResult.no
        if level < self.logLevelForNamespace(namespace):
            return PredicateResult.no
        return PredicateResult.maybe


class LimitedHistoryLogObserver:
    """Keeps the last events, to be replayed.

    Args:
        size: How many; `None`: all.
    """

    def __init__(self, size: int | None = 65536) -> None:
        self._events: deque[LogEvent] = deque(maxlen=size)

    def __call__(self, event: LogEvent) -> None:
        """Keep an event."""
        self._events.append(event)

    def replayTo(self, otherObserver: Observer) -> None:
        """Give the kept events to another observer, the oldest first."""
        for event in tuple(self._events):
            otherObserver(event)


class STDLibLogObserver:
    """Hands events to a standard logger, with its levels and with the exception as `exc_info`.

    Args:
        name: The logger's name.
    """

    # Tells the global publisher that events need no other way into `logging`.
    handsToLogging = True

    def __init__(self, name: str = "twistlike") -> None:
        import logging  # imported here: see toLogging

        self.logger = logging.getLogger(name)

    def __call__(self, event: LogEvent) -> None:
        """Hand on an event."""
        level = levelNumber(event)
        if self.logger.isEnabledFor(level):
            toLogging(self.logger, level, formatEvent(event), event.get("log_failure"))


class _LazyText:
    """The text of an event, made when `%(log_legacy)s` in an old-style format asks for it."""

    def __init__(self, event: LogEvent) -> None:
        self._event = event

    def __str__(self) -> str:
        return formatEvent(self._event)


class LegacyLogObserverWrapper:
    """Makes an observer of old-style events (those of `python.log`) one of all events.

    Args:
        legacyObserver: Gets each event with the old keys filled in: `message`, `isError`,
            `failure`, `why`, `time`, `system`, `format`.
    """

    def __init__(self, legacyObserver: Observer) -> None:
        self.legacyObserver = legacyObserver
        owner = getattr(legacyObserver, "__self__", None)
        self.handsToLogging = bool(getattr(owner, "handsToLogging", False))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.legacyObserver!r})"

    def __call__(self, event: LogEvent) -> None:
        """Fill in the old keys, and hand the event on."""
        event.setdefault("message", ())
        if "time" not in event:
            event["time"] = event.get("log_time")
        if "system" not in event:
            event["system"] = event.get("log_system", "-")
        if "format" not in event and event.get("log_format") is not None:
            event["format"] = "%(log_legacy)s"
            event["log_legacy"] = _LazyText(dict(event))
        failure: Failure | None = event.get("log_failure")
        if failure is not None and "failure" not in event:
            event["failure"] = failure
            event["isError"] = 1
            event["why"] = formatEvent(event)
        elif "isError" not in event:
            event["isError"] = int(event.get("log_level") in (LogLevel.error, LogLevel.critical))
        self.legacyObserver(event)


class capturedLogs:
    """A context whose `with ... as` gives the list of the events that are published meanwhile."""

    def __enter__(self) -> Sequence[LogEvent]:
        self._events: list[LogEvent] = []
        self._observer = self._events.append
        globalLogPublisher.addObserver(self._observer)
        return self._events

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        globalLogPublisher.removeObserver(self._observer)


showAs("twistlike.logger", globals(), __all__)
