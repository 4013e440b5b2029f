"""The types of log events, observers and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from twistlike._base.interfaces import InterfaceType
from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from twistlike._log.observers import PredicateResult

__all__ = ["ILogFilterPredicate", "ILogObserver", "LogEvent"]

LogEvent = dict[str, Any]


@runtime_checkable
class ILogObserver(Protocol, metaclass=InterfaceType):
    """Anything that can be called with an event."""

    def __call__(self, event: LogEvent, /) -> object:
        """Take an event. Called in the thread that logs; may not change the event."""


@runtime_checkable
class ILogFilterPredicate(Protocol, metaclass=InterfaceType):
    """Anything that, called with an event, says whether it passes a filter."""

    def __call__(self, event: LogEvent, /) -> PredicateResult:
        """Judge an event."""
        ...


showAs("twistlike.logger", globals(), __all__)
