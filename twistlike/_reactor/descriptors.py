"""File descriptors that the loop watches for objects with Twisted's interface of such.

Thread: the loop's.

How it works
------------
An object is a reader (`doRead`), a writer (`doWrite`) or both. Its file descriptor is given to
the loop's `add_reader` or `add_writer` for as long as there is a loop; without one it is kept.
What an object returns or raises when it is called ends it: it is watched no longer, and told by
`connectionLost`. The number of the descriptor is remembered, because an object that has been
closed does not know it any more.

Plain files are always ready, and no operating system watches them: they are asked again and again.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ConnectionDone, ConnectionFdescWentAway, ConnectionLost
from twistlike._base.failure import Failure
from twistlike._reactor.parts import Part

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

__all__ = ["Descriptors"]

# How often an object with a plain file is called, in seconds: a hundred calls are a tenth of a CPU.
POLL_EVERY = 0.001


class Descriptors(Part):
    """The readers and writers of one reactor.

    Args:
        onError: Called with an exception that an object raised, and the method that was called. If
            it returns an exception, that is raised once the object has been told.

    Attributes:
        readers: The objects that are watched for something to read.
        writers: The objects that are watched for room to write.
    """

    external = True

    def __init__(
        self, onError: Callable[[BaseException, Callable[..., object]], BaseException | None]
    ) -> None:
        self._onError = onError
        self._loop: AbstractEventLoop | None = None
        self._polled: set[tuple[Any, bool]] = set()  # plain files: the object, and if it reads
        self._polling = False
        # With the number of its descriptor and the context in which it was added.
        self.readers: dict[Any, tuple[int, Context]] = {}
        self.writers: dict[Any, tuple[int, Context]] = {}

    def bind(self, loop: AbstractEventLoop) -> None:
        """Watch on `loop` from now on. What cannot be watched any more is told by an error."""
        self._loop = loop
        for reading in (True, False):
            for selectable in list(self._of(reading)):
                try:
                    self._watch(selectable, reading)
                except Exception as error:
                    del self._of(reading)[selectable]
                    self._tell(selectable, "connectionLost", error)

    def unbind(self) -> None:
        """Stop watching. The objects are kept, for the next loop."""
        for reading in (True, False):
            for selectable in self._of(reading):
                self._unwatch(selectable, reading)
        self._loop = None

    def add(self, selectable: Any, reading: bool) -> None:
        """Watch an object, unless it is watched already.

        Raises:
            NotImplementedError: The loop cannot watch file descriptors (Windows' Proactor loop).
            OSError: The operating system cannot watch this one: it is closed.
        """
        known = self._of(reading)
        if selectable in known:
            return
        known[selectable] = (selectable.fileno(), copy_context())
        try:
            self._watch(selectable, reading)
        except BaseException:
            self._takeBack(selectable, reading)
            raise

    def remove(self, selectable: Any, reading: bool) -> None:
        """Watch an object no longer, if it is watched."""
        known = self._of(reading)
        if selectable in known:
            try:
                self._unwatch(selectable, reading)
            except BaseException:  # a signal's: the loop may watch it still
                self._takeBack(selectable, reading)
                raise
            del known[selectable]

    def _takeBack(self, selectable: Any, reading: bool) -> None:
        """Forget an object of which it is not known whether the loop watches it.

        An exception of a signal's handler may come right after the loop has been told. What only
        the loop knew would fail on each turn; what only we knew would never be called.
        """
        try:
            self._unwatch(selectable, reading)
        except Exception:
            pass  # the loop cannot watch it, whatever it was told
        del self._of(reading)[selectable]

    def removeAll(self) -> list[Any]:
        """Watch nothing any longer; return all objects that were watched, each once."""
        found = list({**self.readers, **self.writers})
        for selectable in found:
            self.remove(selectable, True)
            self.remove(selectable, False)
        return found

    def end(self) -> None:
        """Watch nothing any longer, and call `connectionLost` of all that was watched."""
        for selectable in self.removeAll():
            self._tell(selectable, "connectionLost", ConnectionLost())

    def _of(self, reading: bool) -> dict[Any, tuple[int, Context]]:
        return self.readers if reading else self.writers

    def _watch(self, selectable: Any, reading: bool) -> None:
        loop = self._loop
        if loop is None:
            return
        number = self._of(reading)[selectable][0]
        try:
            (loop.add_reader if reading else loop.add_writer)(
                number, self._isReady, selectable, reading
            )
        except PermissionError:
            # A plain file: epoll refuses it. Some versions of asyncio remember it all the same.
            (loop.remove_reader if reading else loop.remove_writer)(number)
            self._polled.add((selectable, reading))
            self._pollLater(loop)

    def _unwatch(self, selectable: Any, reading: bool) -> None:
        loop = self._loop
        if (selectable, reading) in self._polled:
            self._polled.discard((selectable, reading))
        elif loop is not None and not loop.is_closed():
            number = self._of(reading)[selectable][0]
            (loop.remove_reader if reading else loop.remove_writer)(number)

    def _pollLater(self, loop: AbstractEventLoop) -> None:
        if not self._polling:
            self._polling = True
            loop.call_later(POLL_EVERY, self._poll, loop, context=Context())

    def _poll(self, loop: AbstractEventLoop) -> None:
        """Call the objects whose plain files are always ready."""
        self._polling = False
        if loop is not self._loop:
            return
        try:
            self._pollAll()
        finally:
            if self._polled:
                self._pollLater(loop)

    def _pollAll(self) -> None:
        # A loop of its own: where one in a `try` jumps back, 3.12 and later find no `finally`.
        for selectable, reading in list(self._polled):
            if (selectable, reading) in self._polled:  # else one before it has removed it
                self._isReady(selectable, reading)

    def _isReady(self, selectable: Any, reading: bool) -> None:
        """Hear from the loop that there is something to read, or room to write."""
        # A copy each time: what one call sets in the context, the next one must not see.
        number, watched = self._of(reading)[selectable][:2]
        context = watched.copy()
        isUvloop = type(self._loop).__module__.partition(".")[0] == "uvloop"
        # Before the call: what is called may take the error, as a UDP socket's recv does.
        hasError = isUvloop and _hasError(number)
        fatal: BaseException | None = context.run(self._call, selectable, reading)
        if hasError:
            self._watchAgain(selectable, reading)
        if fatal is not None:
            raise fatal

    def _watchAgain(self, selectable: Any, reading: bool) -> None:
        """Watch an object anew whose connection has been reset, or a datagram of which refused.

        Of a descriptor with an error uvloop tells once, and then never again, though there may be
        more to read before it or after it.
        """
        if selectable in self._of(reading) and (selectable, reading) not in self._polled:
            self._unwatch(selectable, reading)
            self._watch(selectable, reading)

    def _call(self, selectable: Any, reading: bool) -> BaseException | None:
        fatal = None
        method = selectable.doRead if reading else selectable.doWrite
        if selectable.fileno() == -1:
            why: Any = ConnectionFdescWentAway("it was closed while it was watched")
        else:
            try:
                why = method()
            except BaseException as error:
                fatal = self._onError(error, method)
                why = error
        if why:
            self.remove(selectable, reading)
            lost = "connectionLost"
            if (
                reading
                and type(why) is ConnectionDone
                and hasattr(type(selectable), "readConnectionLost")
            ):
                lost = "readConnectionLost"  # it may write on
            else:
                self.remove(selectable, not reading)
            fatal = self._tell(selectable, lost, why) or fatal
        return fatal

    def _tell(self, selectable: Any, method: str, why: Any) -> BaseException | None:
        try:
            getattr(selectable, method)(Failure(why))
        except BaseException as error:
            return self._onError(error, getattr(selectable, method, selectable))
        return None


def _hasError(descriptor: int) -> bool:
    """Return whether a descriptor has an error or a hang-up: poll tells of these unasked."""
    import select  # only for loops of uvloop

    events = select.poll()
    events.register(descriptor, 0)
    return bool(events.poll(0))
