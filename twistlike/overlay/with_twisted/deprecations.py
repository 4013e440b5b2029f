"""Has Twisted say what of it is deprecated: programs filter warnings by its words. Thread: any."""

from __future__ import annotations

import threading
from typing import Any

from twistlike._base import deprecation
from twistlike._tasks.looping import LoopingCall
from twistlike.overlay.with_twisted.late import Late
from twistlike.python.threadpool import ThreadPool

__all__ = ["ofDeferred", "ofLoopingCall", "ofThreadPool"]


def ofDeferred(short: str) -> None:
    """Warn in Twisted's words of what is deprecated in `internet.defer`."""
    setattr(deprecation, "_text", _textOfTwisted)


def ofLoopingCall(short: str) -> None:
    """Deprecate `LoopingCall.deferred`, which is a plain attribute without a Twisted."""

    def deferred(self: LoopingCall) -> Any:
        """The Deferred that `start()` returned, `None` once it has fired."""
        instead = "the deferred returned by start()"
        deprecation.warnDeprecated("internet.task.LoopingCall.deferred", "16.0.0", instead)
        return self._deferred

    kind: Any = LoopingCall
    kind.deferred = property(deferred)


def ofThreadPool(short: str) -> None:
    """Deprecate `ThreadPool.currentThread`."""
    kind: Any = ThreadPool
    kind.currentThread = Late(_currentThread)


def _currentThread() -> Any:
    from twisted.python.deprecate import deprecated  # 10 ms, where nobody needs it

    return staticmethod(
        deprecated(_version("22.1.0"), "threading.current_thread")(threading.current_thread)
    )


def _textOfTwisted(name: str, since: str, instead: str) -> str:
    """Serve as `deprecation._text`."""
    from twisted.python.deprecate import getDeprecationWarningString  # for the deprecated only

    def named() -> None:
        """Be named."""

    module, named.__qualname__ = _split(name)
    named.__module__ = f"twisted.{module}"
    replacement = instead.format(package="twisted") or None
    text: str = getDeprecationWarningString(named, _version(since), replacement=replacement)
    return text


def _split(name: str) -> tuple[str, str]:
    """Split a name into that of its module, and of what is in there."""
    parts = name.split(".")
    return ".".join(parts[:2]), ".".join(parts[2:])


def _version(text: str) -> Any:
    from twisted.python.versions import Version  # loaded by Twisted's deprecate in any case

    return Version("Twisted", *map(int, text.split(".")))
