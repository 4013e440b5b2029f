"""Where errors that nobody handles are reported. Any thread."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import tracebackOf
from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr
from twistlike._log.levels import LogLevel
from twistlike._log.publisher import globalLogPublisher, toLogging, writeToStderr

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from twistlike._base.failure import Failure

__all__ = ["report", "reportCollected", "reportPending", "setLoopFinder", "tell"]


class _Here(threading.local):
    """What each thread reports.

    Attributes:
        depth: How many reports led to the one that is under way; 0 if none is.
        collected: What was collected meanwhile, to be reported after it.
    """

    depth = 0

    def __init__(self) -> None:
        self.collected: list[tuple[Failure, str, object]] = []


_here = _Here()

# A log handler that fails a Deferred for each report would have the last one never end.
_MOST_DEPTH = 3


def _noLoop() -> None:
    """Say that no loop is known."""


_findLoop: Callable[[], asyncio.AbstractEventLoop | None] = _noLoop


def setLoopFinder(find: Callable[[], asyncio.AbstractEventLoop | None]) -> None:
    """Set the function that tells for which loop a thread works that runs none.

    A worker may drop the last reference to a Deferred whose error nobody handles.

    Args:
        find: Called in any thread, also from `__del__`.
    """
    global _findLoop
    _findLoop = find


def report(
    failure: Failure,
    message: str,
    *,
    source: object = None,
    loop: asyncio.AbstractEventLoop | None = None,
) -> None:
    """Report an error that nobody handles: the one place where that is done. Never raises.

    Log observers get it first. Then it goes to the exception handler of `loop`, or of the loop that
    runs in this thread, or in a worker of that for which it works, or where there is no loop to the
    standard `logging` (logger "twistlike").
    While the program's log has begun elsewhere (`startLogging`), only a handler that somebody has
    set on the loop is asked: the default one would say the same again.

    Args:
        failure: What went wrong. Its traceback is part of the report.
        message: What was being done, in words: the first line of the report.
        source: The object that the error comes from, such as a Deferred or the function that was
            called.
        loop: The loop whose exception handler is asked, if not the running one. One that runs in
            another thread is asked there, on its next turn.

    Thread: any, also from `__del__` and signal handlers.
    """
    here = _here
    here.depth += 1
    try:
        _report(failure, message, source, loop)
        if here.depth == 1:
            _reportCollected(here)
    finally:
        here.depth -= 1


def _reportCollected(here: _Here) -> None:
    """Report what was reported while a report was under way."""
    # Loops of its own: where one in a `try` jumps back, 3.12 and later find no `finally`.
    while here.collected and here.depth <= _MOST_DEPTH:
        batch, here.collected = here.collected, []
        here.depth += 1
        while batch:
            _report(*batch.pop(0), None)
    for failure, message, _ in here.collected:
        writeToStderr(message, RuntimeError("a log handler or observer fails again"), failure)
    here.collected = []
    here.depth = 1


def _report(
    failure: Failure,
    message: str,
    source: object,
    loop: asyncio.AbstractEventLoop | None,
) -> None:
    try:
        globalLogPublisher.tellObservers(
            {
                "log_failure": failure,
                "log_format": message.replace("{", "{{").replace("}", "}}"),
                "log_level": LogLevel.critical,
                "log_namespace": "twistlike",
                "log_source": source,
                "log_thread": threading.current_thread().name,
                "log_time": time.time(),
            }
        )
    except BaseException as error:
        # Not an ordinary error of an observer, which would be reported: its sys.exit(), or a
        # Ctrl-C.
        writeToStderr(f"A log observer was left by {type(error).__qualname__}", error)
    try:
        _tellHost(failure, message, source, loop)
    except BaseException as error:
        writeToStderr(message, error, failure)


def reportCollected(failure: Failure, message: str, source: object) -> None:
    """Report an error that was found in `__del__`.

    The collector runs anywhere, also while this thread holds the lock of a log handler. So this is
    reported on the loop's next turn; where no loop runs, after the report that is under way, or by
    a thread of its own if `logging` is at work.

    Thread: any.
    """
    if _here.depth:
        _here.collected.append((failure, message, source))
        return
    loop = _runningLoop()
    if loop is not None:
        late = _CollectedReport(failure, message, source)
        try:
            loop.call_soon(late)
        except RuntimeError:
            pass  # closed: it is reported when the object goes
        return
    if _isInLogging():
        try:
            threading.Thread(
                target=report, args=(failure, message), kwargs={"source": source}
            ).start()
        except RuntimeError:  # no thread can be started
            pass
        else:
            return
    report(failure, message, source=source)


# The reports that wait for a turn of their loop, by their ids. Not kept by this: one whose loop is
# closed has to go, which makes the report. Steps of a dict are atomic, so `__del__` needs no lock.
_pending: dict[int, weakref.ref[_CollectedReport]] = {}


def _isInLogging() -> bool:
    """Return whether this thread is inside of `logging`, and so may hold a handler's lock."""
    frame = sys._getframe(1).f_back
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == "logging":
            return True
        frame = frame.f_back
    return False


def reportPending() -> None:
    """Report at once what was collected and waits for the next turn of a loop.

    For whoever has to know now which errors there were. Not for `__del__`, nor where a lock of a
    log handler may be held.

    Thread: any.
    """
    for reference in list(_pending.values()):
        late = reference()
        if late is not None:
            late()


class _CollectedReport:
    """A report on its way to the next turn of its loop. If that does not come, it is made then."""

    def __init__(self, *arguments: Any) -> None:
        self._arguments: Any = arguments
        _pending[id(self)] = weakref.ref(self)

    def __call__(self) -> None:
        _pending.pop(id(self), None)
        arguments, self._arguments = self._arguments, None
        if arguments is not None:
            failure, message, source = arguments
            report(failure, message, source=source)

    __del__ = __call__


def _tellHost(
    failure: Failure, message: str, source: object, loop: asyncio.AbstractEventLoop | None
) -> None:
    running = _runningLoop()
    if loop is None or loop.is_closed():
        loop = running or _findLoop()
        if loop is not None and loop.is_closed():
            loop = None
    thread = threading.current_thread().name
    if loop is None:
        if globalLogPublisher.endsInLogging:
            _log(failure, message, source, thread)
        return
    isDefault = loop.get_exception_handler() is None
    if isDefault and not globalLogPublisher.endsInLogging:
        return
    exception = failure.value
    if tracebackOf(exception) is None and failure.frames:
        # The failure was cleaned: only the text of its traceback is left.
        message = f"{message}\n{failure.getTraceback()}"
    report = {"message": message, "exception": exception}
    if not isDefault:
        # The default handler prints each value: the exception's text, which may have many lines,
        # would be there twice.
        report["failure"] = failure
    report |= {"source": _printable(source), "thread": thread}
    if loop is running or not loop.is_running():
        loop.call_exception_handler(report)
        return
    try:
        loop.call_soon_threadsafe(_LateReport(loop, report, failure))
    except RuntimeError:
        pass  # closed since we looked; the object sees to it that the report goes to `logging`


def tell(message: str) -> None:
    """Log something about the reactor's life that is no error, with the level "info".

    Thread: any.
    """
    globalLogPublisher(
        {
            "log_format": message.replace("{", "{{").replace("}", "}}"),
            "log_level": LogLevel.info,
            "log_namespace": "twistlike",
            "log_time": time.time(),
        }
    )


class _LateReport:
    """A report on its way to a loop that runs in another thread.

    A loop's exception handler expects to run in the loop's thread (it may call `create_task`).
    Should the loop close before its next turn, it drops this object, which then goes to `logging`:
    no report is lost.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, report: dict[str, Any], failure: Failure
    ) -> None:
        self._loop = loop
        self._report: dict[str, Any] | None = report
        self._failure = failure

    def __call__(self) -> None:
        report, self._report = self._report, None
        if report is not None:
            self._loop.call_exception_handler(report)

    def __del__(self) -> None:
        report, self._report = self._report, None
        if report is None:
            return
        try:
            _log(self._failure, report["message"], report["source"], report["thread"])
        except BaseException as error:
            writeToStderr(report["message"], error, self._failure)


def _runningLoop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread. None can be running where asyncio was never imported."""
    module = sys.modules.get("asyncio")
    if module is None:
        return None
    try:
        loop: asyncio.AbstractEventLoop = module.get_running_loop()
    except (RuntimeError, AttributeError):  # AttributeError: its import is only half done
        return None
    return loop


def _log(failure: Failure, message: str, source: object, thread: str) -> None:
    details = f"Thread: {thread}"
    if source is not None:
        details = f"Source: {safe_repr(source)}. {details}"
    toLogging("twistlike", LogLevel.critical.value, f"{message}\n{details}", failure)


def _printable(thing: object) -> object:
    """Return an object if its `repr` works, else a text.

    The exception handler of a loop prints what it gets, and fails if a `repr` raises.
    """
    try:
        repr(thing)
    except BaseException:
        return safe_repr(thing)
    return thing


showAs("twistlike.python.log", globals(), ["report", "setLoopFinder"])
