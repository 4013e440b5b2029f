"""From a log event to text. Any thread.

Nothing here raises, whatever the event holds: a log that fails hides what it was to tell.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr, safe_str
from twistlike._log.levels import LogLevel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    LogEvent = dict[str, Any]

__all__ = [
    "eventAsText",
    "extractField",
    "formatEvent",
    "formatEventAsClassicLogText",
    "formatTime",
    "timeFormatRFC3339",
]

timeFormatRFC3339 = "%Y-%m-%dT%H:%M:%S%z"


def formatEvent(event: LogEvent) -> str:
    """Fill in an event's `log_format`.

    A field is what `str.format` knows (`{x}`, `{x.y[0]!r:>8}`), and a name followed by `()` is
    called: `{request.uri()}`. It is called only when somebody wants the text.

    Returns:
        The text; "" where the event has no format; a text that tells what is wrong where it has a
        bad one.
    """
    format = event.get("log_format")
    try:
        if format is None:
            return ""
        if isinstance(format, bytes):
            format = format.decode("utf-8")
        if not isinstance(format, str):
            raise TypeError(f"Log format must be str, not {format!r}")
        if "()" in format:
            return _formatWithCalls(format, event)
        return format.format_map(event)
    except BaseException as error:
        return f"Unable to format event {_safeItems(event)}: {safe_str(error)}"


def formatTime(
    when: float | None, timeFormat: str | None = timeFormatRFC3339, default: str = "-"
) -> str:
    """Format a moment in the local time zone.

    Args:
        when: Seconds since the epoch.
        timeFormat: As for `strftime`, and "%f" for the microseconds.
        default: The answer when one of the others is `None`.
    """
    if when is None or timeFormat is None:
        return default
    # Not datetime: it costs 3 ms to import. Only its "%f" would be missed.
    timeFormat = timeFormat.replace("%f", f"{int(when % 1 * 1_000_000):06d}")
    return time.strftime(timeFormat, time.localtime(when))


def eventAsText(
    event: LogEvent,
    includeTraceback: bool = True,
    includeTimestamp: bool = True,
    includeSystem: bool = True,
    formatTime: Callable[[float], str] = formatTime,
) -> str:
    """Format an event for people: time, system, text and traceback, each if wanted.

    Returns:
        "" where the event has no text and no traceback.
    """
    text = formatEvent(event)
    if includeTraceback and "log_failure" in event:
        text = f"{text}\n{_tracebackOf(event['log_failure'])}"
    if not text:
        return text
    if includeSystem:
        text = f"[{_systemOf(event)}] {text}"
    if includeTimestamp:
        text = f"{formatTime(event.get('log_time'))} {text}"  # type: ignore[arg-type]
    return text


def formatEventAsClassicLogText(
    event: LogEvent, formatTime: Callable[[float | None], str] = formatTime
) -> str | None:
    """Format an event as a line of a log file: further lines of its text are indented by a tab.

    Returns:
        The line with its line end, or `None` where the event has no text.
    """
    text = eventAsText(event, formatTime=formatTime)
    if not text:
        return None
    return text.replace("\n", "\n\t") + "\n"


def _safeItems(event: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{safe_repr(key)}: {safe_repr(event[key])}" for key in event) + "}"


def _tracebackOf(failure: Any) -> str:
    try:
        return str(failure.getTraceback())
    except BaseException as error:
        return f"(UNABLE TO OBTAIN TRACEBACK FROM EVENT):{safe_str(error)}"


def _systemOf(event: LogEvent) -> str:
    system = event.get("log_system")
    if system is not None:
        return safe_str(system)
    level = event.get("log_level")
    namespace = event.get("log_namespace", "-")
    return f"{namespace}#{level.name if isinstance(level, LogLevel) else '-'}"


def _formatWithCalls(format: str, event: LogEvent) -> str:
    from string import Formatter  # here: it imports re, 2 ms, and few formats have calls

    class WithCalls(Formatter):
        def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
            return _field(field_name, event), field_name

    return WithCalls().vformat(format, (), event)


def extractField(field: str, event: LogEvent) -> Any:
    """Return what a field of a format means in an event.

    Args:
        field: As between the braces of a format: `a.b()`, `a[0]`, `a!r`.
        event: The event.

    Raises:
        KeyError: The event has no such key.
    """
    name, _, conversion = field.partition("!")
    value = _field(name, event)
    convert: Any = {"": lambda value: value, "r": repr, "s": str, "a": ascii}[conversion[:1]]
    return convert(value)


def _field(name: str, event: LogEvent) -> Any:
    """Look up what a field such as `a.b().c[0]` means in an event."""
    key, rest = _splitName(name)
    value = event[key.removesuffix("()")]
    if key.endswith("()"):
        value = value()
    while rest:
        if rest[0] == "[":
            index, bracket, rest = rest[1:].partition("]")
            if not bracket or (rest and rest[0] not in ".["):
                raise ValueError(f"cannot read the log field {name!r}")
            value = value[int(index) if index.isdigit() else index]
        else:
            attribute, rest = _splitName(rest[1:])
            value = getattr(value, attribute.removesuffix("()"))
            if attribute.endswith("()"):
                value = value()
    return value


def _splitName(text: str) -> tuple[str, str]:
    """Split before the first dot or bracket."""
    ends = [at for at in (text.find("."), text.find("[")) if at >= 0]
    end = min(ends, default=len(text))
    return text[:end], text[end:]


showAs("twistlike.logger", globals(), __all__)
