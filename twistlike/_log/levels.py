"""The levels of log events. Any thread."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["InvalidLogLevelError", "LogLevel"]


class InvalidLogLevelError(Exception):
    """Something that is no `LogLevel` was given as one.

    Attributes:
        level: What was given.
    """

    def __init__(self, level: object) -> None:
        super().__init__(str(level))
        self.level = level


class LogLevel(Enum):
    """How much an event matters. Levels are ordered: `LogLevel.info < LogLevel.warn`."""

    # The values are those of the standard `logging`, so that an event needs no table to get there.
    debug = 10
    info = 20
    warn = 30
    error = 40
    critical = 50

    @classmethod
    def levelWithName(cls, name: str) -> LogLevel:
        """Find a level.

        Args:
            name: Its name, in lower case.

        Raises:
            InvalidLogLevelError: No level has that name.
        """
        level = cls.__members__.get(name)
        if level is None:
            raise InvalidLogLevelError(name)
        return level

    @classmethod
    def lookupByName(cls, name: str) -> LogLevel:
        """Find a level, as `levelWithName` does, but with the error that Twisted's constants raise.

        Raises:
            ValueError: No level has that name.
        """
        level = cls.__members__.get(name)
        if level is None:
            raise ValueError(name)
        return level

    @classmethod
    def iterconstants(cls) -> Iterator[LogLevel]:
        """All levels, the least one first."""
        return iter(cls)

    def __lt__(self, other: object) -> bool:
        if isinstance(other, LogLevel):
            return bool(self.value < other.value)
        return NotImplemented

    def __le__(self, other: object) -> bool:
        if isinstance(other, LogLevel):
            return bool(self.value <= other.value)
        return NotImplemented

    def __gt__(self, other: object) -> bool:
        if isinstance(other, LogLevel):
            return bool(self.value > other.value)
        return NotImplemented

    def __ge__(self, other: object) -> bool:
        if isinstance(other, LogLevel):
            return bool(self.value >= other.value)
        return NotImplemented

    def __repr__(self) -> str:
        return f"<LogLevel={self.name}>"

    __str__ = __repr__


showAs("twistlike.logger", globals(), __all__)
