"""Lets Twisted's transports write at once, without waiting until the descriptor is writable.

A transport asks to be told of room each time it has something to send, and nearly always there is
room. To watch the descriptor and to watch it no longer costs two system calls and some Python for
each response (measured: 10 us of 100 for a GET of twisted.web). So its `doWrite` is called when its
`doRead` has returned, or else on the next turn, and its descriptor is watched only if something is
left then.

Thread: the loop's.
"""

from __future__ import annotations

from contextvars import copy_context
from functools import cache
from typing import TYPE_CHECKING, Any

from twistlike._reactor.descriptors import Descriptors

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["flushAfterReading", "writeWithoutAsking"]

_soon: set[Any] = set()
"""Whose `doWrite` is called soon."""

_readingNow: dict[Descriptors, Any] = {}
"""Descriptors of a reactor: whose `doRead` is being called."""

_plainAdd = Descriptors.add
_plainWatch = Descriptors._watch
_plainUnwatch = Descriptors._unwatch


def writeWithoutAsking() -> None:
    """Have all reactors do that, for connected transports of Twisted's."""
    Descriptors.add = _add  # type: ignore[method-assign]
    Descriptors._watch = _watch  # type: ignore[method-assign]
    Descriptors._unwatch = _unwatch  # type: ignore[method-assign]


def _add(self: Descriptors, selectable: Any, reading: bool) -> None:
    """Serve as `Descriptors.add`."""
    loop = self._loop
    kind: Any = type(selectable)
    if (
        reading
        or loop is None
        or selectable in self.writers
        # While it connects, a transport has a `doWrite` of its own, and waits for room in earnest.
        or "doWrite" in getattr(selectable, "__dict__", "doWrite")
        or not _isStream(kind)
    ):
        _plainAdd(self, selectable, reading)
        return
    self.writers[selectable] = (selectable.fileno(), copy_context())
    _soon.add(selectable)
    if _readingNow.get(self) is not selectable:
        loop.call_soon(_write, self, selectable)


@cache
def _isStream(kind: Any) -> bool:
    """Return whether a class is one of Twisted's stream transports."""
    names = {(base.__module__, base.__name__) for base in kind.__mro__}
    return ("twisted.internet.tcp", "Connection") in names


def _watch(self: Descriptors, selectable: Any, reading: bool) -> None:
    """Serve as `Descriptors._watch`."""
    if not reading:
        _soon.discard(selectable)
    _plainWatch(self, selectable, reading)


def _unwatch(self: Descriptors, selectable: Any, reading: bool) -> None:
    """Serve as `Descriptors._unwatch`."""
    if not reading and selectable in _soon:
        _soon.discard(selectable)
    else:
        _plainUnwatch(self, selectable, reading)


def flushAfterReading(
    self: Descriptors, selectable: Any, read: Callable[[], BaseException | None]
) -> BaseException | None:
    """Call an object's `doRead`, then its `doWrite` if there is something to send now.

    Args:
        self: The reactor's descriptors.
        selectable: The object.
        read: Does the first.

    Returns:
        An exception that has to leave the loop.
    """
    before = _readingNow.get(self)
    _readingNow[self] = selectable
    try:
        fatal = read()
    finally:
        if before is None:
            del _readingNow[self]
        else:
            _readingNow[self] = before  # the loop was run by `iterate` in between
    return _flush(self, selectable) or fatal if selectable in _soon else fatal


def _flush(self: Descriptors, selectable: Any) -> BaseException | None:
    fatal = self.writers[selectable][1].run(self._call, selectable, False)
    if selectable in _soon:
        _watch(self, selectable, False)
    return fatal


def _write(self: Descriptors, selectable: Any) -> None:
    if selectable not in _soon:
        return  # it has been removed, or another loop watches it
    fatal = _flush(self, selectable)
    if fatal is not None:
        raise fatal
