"""How a program says where its log goes. Any thread; once, as a rule, when the program starts."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._log.levels import LogLevel
from twistlike._log.logger import Logger, LoggingFile
from twistlike._log.publisher import caller, globalLogPublisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import IO

    Observer = Callable[[dict[str, Any]], object]

__all__ = ["LogBeginner", "globalLogBeginner", "showWarning"]


class LogBeginner:
    """Makes observers the program's log. There is one: `globalLogBeginner`.

    Unlike Twisted it keeps no events from before: those have gone to the standard `logging`
    already.
    """

    def __init__(self) -> None:
        self._log = Logger("twistlike.logger")
        self._place = ""

    def beginLoggingTo(
        self,
        observers: Iterable[Observer],
        discardBuffer: bool = False,
        redirectStandardIO: bool = True,
    ) -> None:
        """Send all events to `observers` instead of the standard `logging`.

        That lasts until the last of them has been removed from `globalLogPublisher`.

        Args:
            observers: Where the log goes.
            discardBuffer: As there is no buffer, it is always discarded.
            redirectStandardIO: Make `sys.stdout` and `sys.stderr` files whose lines become events.
        """
        frame = caller()[1]
        place = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if globalLogPublisher.begun:
            # Said through the observers of before too: that is where its reader looks.
            globalLogPublisher.begin(observers)
            self._log.warn(
                "The program's log was begun at {place}, and before that at {before}: "
                "events go to both. Begin it once, or remove the other observers.",
                place=place,
                before=self._place,
            )
        else:
            globalLogPublisher.begin(observers)
        self._place = place
        self._takeWarnings()
        if redirectStandardIO:
            sys.stdout = _redirected("stdout", LogLevel.info, sys.stdout)
            sys.stderr = _redirected("stderr", LogLevel.error, sys.stderr)

    def _takeWarnings(self) -> None:
        if warnings.showwarning is not showWarning:
            global _showWarningBefore
            _showWarningBefore = warnings.showwarning
            warnings.showwarning = showWarning


_showWarningBefore: Callable[..., object] | None = None


def showWarning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: IO[Any] | None = None,
    line: str | None = None,
) -> None:
    """Log a warning: what `warnings.showwarning` is once logging has begun.

    Args:
        message: The warning.
        category: Its class.
        filename: Where the code stands that it is about.
        lineno: The line there.
        file: Write it there, as the standard function does, and not to the log.
        line: The text of that line.
    """
    if _showWarningBefore is not None and (file is not None or not globalLogPublisher.begun):
        _showWarningBefore(message, category, filename, lineno, file, line)
        return
    _warningsLog.warn(
        "{filename}:{lineno}: {category}: {warning}",
        warning=message,
        category=f"{category.__module__}.{category.__qualname__}",
        filename=filename,
        lineno=lineno,
    )


class _StandardIO(LoggingFile):
    """`sys.stdout` or `sys.stderr` while the log has begun.

    An observer may print, or use a handler of `logging` that writes to `sys.stderr`: what a thread
    writes while it logs such a line goes to the real file, lest it log forever.
    """

    def __init__(self, logger: Logger, level: LogLevel, encoding: str | None, real: Any) -> None:
        super().__init__(logger, level, encoding)
        self._real = real
        self._writing = threading.local()

    def write(self, text: str | bytes) -> int:
        if getattr(self._writing, "now", False) or not globalLogPublisher.begun:
            if self._real is None:
                return len(text)
            return int(self._real.write(text) or 0)
        self._writing.now = True
        try:
            return super().write(text)
        finally:
            self._writing.now = False


def _redirected(name: str, level: LogLevel, current: Any) -> Any:
    if isinstance(current, _StandardIO):
        return current
    return _StandardIO(Logger(name), level, getattr(current, "encoding", None), current)


globalLogBeginner = LogBeginner()

_warningsLog = Logger("twistlike.logger")

showAs("twistlike.python.log", globals(), ["showWarning"])

showAs("twistlike.logger", globals(), ["LogBeginner"])
