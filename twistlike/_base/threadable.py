"""Which thread is the reactor's, and locks for classes whose methods several threads call.

Thread: any.
"""

from __future__ import annotations

import threading
from functools import wraps
from threading import get_ident as getThreadID
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = [
    "XLock",
    "getThreadID",
    "init",
    "ioThread",
    "isInIOThread",
    "registerAsIOThread",
    "synchronize",
    "threaded",
]

threaded = True
"""Whether there are threads. Code written for very old Pythons asks."""

ioThread: int | None = None
"""The identifier of the thread that was registered last; None before the first."""

# The threads that have registered, each for itself: an identifier alone would not do, because it is
# given again to another thread once its thread has ended.
_here = threading.local()
_lastRegistered: int | None = None
_makingLock = threading.Lock()


def registerAsIOThread() -> None:
    """Say that the calling thread is one in which a reactor runs. Reactors do, when they start."""
    global ioThread, _lastRegistered
    ioThread = _lastRegistered = getThreadID()
    _here.registered = True


def isInIOThread() -> bool:
    """Say whether a reactor was started in the calling thread.

    With several reactors in several threads it is true in each of these. (Twisted has one.)
    """
    if ioThread is None or ioThread != _lastRegistered:
        return ioThread == getThreadID()  # somebody has assigned it, as tests of Twisted's do
    return getattr(_here, "registered", False)


def init(with_threads: int = 1) -> None:
    """Prepare for threads, for which nothing is to be done any more.

    Raises:
        RuntimeError: somebody wants to do without them.
    """
    if not with_threads:
        raise RuntimeError("Cannot uninitialize threads: Python always has them")


class XLock:
    """A lock that its owner can take again, and that survives pickling: what comes back is free."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.acquire = self._lock.acquire
        self.release = self._lock.release

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[XLock], tuple[()]]:
        return (XLock, ())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._lock!r}>"


def synchronize(*klasses: Any) -> None:
    """Let only one thread at a time be in certain methods of an instance.

    Args:
        klasses: classes whose attribute `synchronized` lists the names of methods of their own.
            All of an instance's synchronized methods share its lock, and may call each other.
    """
    for klass in klasses:
        for name in klass.synchronized:
            setattr(klass, name, _synchronized(klass.__dict__[name]))


def _synchronized(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def locked(self: Any, *args: Any, **kw: Any) -> Any:
        try:
            lock = self._threadable_lock
        except AttributeError:
            # Two threads may both be first: both must end up with the same lock.
            with _makingLock:
                lock = self.__dict__.setdefault("_threadable_lock", XLock())
        with lock:
            return method(self, *args, **kw)

    return locked


showAs("twistlike.python.threadable", globals(), __all__)
