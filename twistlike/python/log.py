"""
Where errors that nobody handles are reported, and Twisted's `log` functions. Any thread may call everything here.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from twistlike.python.failure import Failure

    EventDict = dict[str, Any]
    LogObserver = Callable[[EventDict], object]

__all__ = ["report"]

# A tuple, replaced as a whole: a thread that goes through it never meets a change, and needs no lock.
_observers: tuple[LogObserver, ...] = ()


def report(
    failure: Failure,
    message: str,
    *,
    source: object = None,
    loop: asyncio.AbstractEventLoop | None = None,
) -> None:
    """
    Report an error that nobody handles: the one place where that is done. Never raises.

    The report goes to the exception handler of `loop`, or of the loop that runs in this thread, and to the
    standard `logging` (logger "twistlike") where there is no loop. Log observers get it too.

    Args:
        failure: What went wrong. Its traceback is part of the report.
        message: What was being done, in words: the first line of the report.
        source: The object that the error comes from, such as a Deferred or the function that was called.
        loop: The loop whose exception handler is asked, if not the running one. One that runs in another
            thread is asked there, on its next turn.

    Thread: any, also from `__del__` and signal handlers.
    """
    try:
        event = _eventOfFailure(failure, message)
        _tellObservers(event)
    except BaseException:
        pass  # an observer's error has been reported; the report itself must still reach its end
    try:
        _deliver(failure, message, source, loop)
    except BaseException as error:
        _lastWords(message, error)


def _eventOfFailure(failure: Failure, why: str) -> EventDict:
    return {
        "message": (),
        "failure": failure,
        "why": why,
        "isError": 1,
        "time": time.time(),
        "system": "-",
    }


def _tellObservers(event: EventDict) -> None:
    for observer in _observers:
        observer(event)


def _deliver(
    failure: Failure, message: str, source: object, loop: asyncio.AbstractEventLoop | None
) -> None:
    running = _runningLoop()
    if loop is None or loop.is_closed():
        loop = running
    exception = failure.value
    if exception.__traceback__ is None:
        # The failure was cleaned: only the text of its traceback is left.
        message = f"{message}\n{failure.getTraceback()}"
    if loop is None:
        _logError(message, exception, source)
        return
    context = {
        "message": message,
        "exception": exception,
        "failure": failure,
        "source": _printable(source),
        "thread": threading.current_thread().name,
    }
    if loop is running or not loop.is_running():
        loop.call_exception_handler(context)
        return
    late = _LateReport(loop, context)
    try:
        loop.call_soon_threadsafe(late)
    except RuntimeError:  # closed since we looked
        late.giveUp()


class _LateReport:
    """
    A report on its way to a loop that runs in another thread.

    A loop's exception handler expects to run in the loop's thread (it may call `create_task`). Should the loop
    close before its next turn, it drops this object, which then goes to `logging`: no report is lost.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._loop = loop
        self._context: dict[str, Any] | None = context

    def __call__(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            self._loop.call_exception_handler(context)

    def giveUp(self) -> None:
        """Send the report to `logging`, if it has gone nowhere yet."""
        context, self._context = self._context, None
        if context is not None:
            _logError(context["message"], context["exception"], context["source"])

    def __del__(self) -> None:
        try:
            self.giveUp()
        except BaseException as error:
            _lastWords("A report could not be delivered", error)


def _runningLoop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread. None can be running where asyncio was never imported."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
    except (RuntimeError, AttributeError):  # AttributeError: its import is only half done
        return None
    return loop


def _logError(message: str, exception: BaseException, source: object) -> None:
    import logging  # imported here: 5 ms that a program which never fails need not pay

    details = f"Thread: {threading.current_thread().name}"
    if source is not None:
        details = f"Source: {_printable(source)!r}. {details}"
    logging.getLogger("twistlike").critical(
        "%s\n%s",
        message,
        details,
        exc_info=(type(exception), exception, exception.__traceback__),
    )


def _printable(thing: object) -> object:
    """`thing` if it has a working repr, else a text: what prints the report cannot deal with one that raises."""
    try:
        repr(thing)
    except BaseException:
        return f"<{type(thing).__qualname__} at {id(thing):#x}, whose repr() raises>"
    return thing


def _lastWords(message: str, error: BaseException) -> None:
    """The report itself went wrong: say on stderr what can still be said."""
    try:
        sys.stderr.write(f"{message}\n(reporting it raised {type(error).__qualname__})\n")
    except BaseException:
        pass  # no stderr (a daemon, or the interpreter's end): there is nowhere left to say it
