"""The part of a reactor that its ports, connections and connection attempts belong to.

Thread: the loop's.

How it works
------------
Each port, connection and attempt is in `open` from its beginning to its end, whether it reads at
the moment or not. So the end of the reactor finds all of them, and what was made before there is a
loop is watched once there is one.

A loop moves bytes in one of two ways. Where it can watch sockets, connections have sockets of their
own, watched by `loop.add_reader`: nothing of Twisted's semantics is lost, and an echo takes no
more CPU than an asyncio protocol's, on uvloop hardly more. A loop that cannot (Windows' Proactor
loop) moves the bytes by transports of its own.

uvloop tells of a pending reset once, with whatever else there is to read, and of nothing after
that. So on loops that are not asyncio's own what a connection has read is followed, a moment later,
by one more look.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from twistlike._base.error import ConnectionLost
from twistlike._base.failure import Failure

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from typing import Protocol

    from twistlike._base.interfaces import IDelayedCall
    from twistlike._defer.deferred import Deferred

__all__ = ["Transports", "setReactorFinder", "theReactor"]

CHECK_AFTER = 0.1
"""Seconds until a connection is looked at once more on a loop that may not have told it of a reset.
A look at many takes 0.3 us for each, at most one for each message; to read in vain takes 1.3 us."""

# How often the end of a reactor ends what was opened meanwhile: factories that connect again when a
# connection is lost would keep it busy for ever.
_END_ROUNDS = 3


if TYPE_CHECKING:

    class INetworkReactor(Protocol):
        """What ports and connections ask of their reactor."""

        _transports: Transports

        def callLater(
            self, delay: float, callable: Callable[..., object], *args: Any, **kw: Any
        ) -> IDelayedCall:
            """Have a function called later."""
            ...

        def resolve(self, name: str) -> Deferred[str]:
            """Look an address up."""
            ...

    class ITransportEntry(Protocol):
        """What is in `Transports.open`."""

        _reading: bool  # whether it waits for something to read
        _writing: bool  # whether it waits for room to write

        def watch(self, loop: AbstractEventLoop) -> None:
            """Begin to be watched by a loop."""

        def unwatch(self, loop: AbstractEventLoop) -> None:
            """End to be watched by a loop; it stays open, for the next one."""

        def stopReading(self) -> None:
            """Read no more."""

        def stopWriting(self) -> None:
            """Write no more."""

        def _endNow(self, reason: Failure) -> None:
            """End, as one of its callbacks would; report what that raises."""

    class _Readable(Protocol):
        _uncertain: bool

        def fileno(self) -> int: ...

        def readUntilEmpty(self) -> None: ...


class Transports:
    """The open ports, connections and connection attempts of one reactor.

    Args:
        enter: Called with the name of a call that belongs to the loop's thread. Returns whether
            it may go on here.
        post: Called with a call for the loop's thread (function, arguments, keywords).
        onError: Called with an exception that user code raised, and what was called. If it returns
            an exception, that is raised once the connection has ended.

    Attributes:
        external: True: it brings in events from outside, and ends before the triggers "during" the
            shutdown.
        loop: The loop; `None` while the reactor has none.
        open: All that is open.
    """

    external = True

    def __init__(
        self,
        enter: Callable[[str], bool],
        post: Callable[[Callable[..., object], tuple[Any, ...], dict[str, Any]], object],
        onError: Callable[[BaseException, Callable[..., object]], BaseException | None],
    ) -> None:
        self.enter = enter
        self.post = post
        self.onError = onError
        self.loop: AbstractEventLoop | None = None
        self.open: dict[ITransportEntry, None] = {}  # in the order in which they were opened
        self._kind: tuple[AbstractEventLoop, bool, bool] | None = None
        self._toCheck: list[_Readable] = []

    def bind(self, loop: AbstractEventLoop) -> None:
        """Watch all that is open on a loop."""
        self.loop = loop
        for each in list(self.open):
            self.guarded(each.watch, loop)

    def unbind(self) -> None:
        """Watch nothing any longer. What is open stays open, for the next loop."""
        loop, self.loop = self.loop, None
        if loop is not None:
            for each in list(self.open):
                self.guarded(each.unwatch, loop)
        self._kind = None
        self._toCheck = []

    def end(self) -> None:
        """End all that is open, with `ConnectionLost` as the reason."""
        for _ in range(_END_ROUNDS):
            if not self.open:
                break
            for each in list(self.open):
                if each in self.open:  # it may have ended together with another one
                    each._endNow(Failure(ConnectionLost()))

    def afterFork(self) -> None:
        """Leave all that is open to the parent process: this is its forked child.

        The sockets are the parent's as well. They stay open here, since closing them in order
        would end the connections for both.
        """
        _ofParents.append(self)
        self.loop = None

    def removeAll(self) -> list[Any]:
        """Stop the reading and writing of all; return all that did either."""
        found = [each for each in self.open if each._reading or each._writing]
        for each in found:
            each.stopReading()
            each.stopWriting()
        return found

    def readers(self) -> list[Any]:
        """Return those that wait for something to read."""
        return [each for each in self.open if each._reading]

    def writers(self) -> list[Any]:
        """Return those that wait for room to write."""
        return [each for each in self.open if each._writing]

    def change(self, selectable: Any, adding: bool, reading: bool) -> bool:
        """Start or stop the reading or writing of one that is open.

        Args:
            selectable: The port or connection, or any other object.
            adding: Whether to start.
            reading: Whether it is about reading.

        Returns:
            Whether it is one of these.
        """
        if getattr(selectable, "_net", None) is not self:
            return False
        if adding:
            (selectable.startReading if reading else selectable.startWriting)()
        else:
            (selectable.stopReading if reading else selectable.stopWriting)()
        return True

    def guarded(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function; report what it raises."""
        try:
            function(*args)
        except BaseException as error:
            fatal = self.onError(error, function)
            if fatal is not None:
                raise fatal from None

    def checkLater(self, connection: _Readable) -> None:
        """Have a connection read once more, in a moment."""
        self._toCheck.append(connection)
        if len(self._toCheck) == 1 and self.loop is not None:
            self.loop.call_later(CHECK_AFTER, self._check)

    def _check(self) -> None:
        """Have those read that can; look at the others again after their next message."""
        connections, self._toCheck = self._toCheck, []
        ready = _readable([each.fileno() for each in connections])
        for each in connections:
            if each.fileno() in ready:
                self.guarded(each.readUntilEmpty)
            else:
                each._uncertain = True

    @property
    def tellsAlways(self) -> bool:
        """Whether the present loop tells of all that comes, whatever was pending before."""
        return self._lookAtLoop()[1]

    @property
    def canWatch(self) -> bool:
        """Whether the present loop has a working `add_reader`."""
        return self._lookAtLoop()[2]

    def _lookAtLoop(self) -> tuple[AbstractEventLoop, bool, bool]:
        loop = self.loop
        assert loop is not None
        if self._kind is None or self._kind[0] is not loop:
            own = _isSelectorLoop(loop)
            self._kind = (loop, own, own or _canWatch(loop))
        return self._kind


# Kept in a forked child: what the garbage collector freed would be closed with a warning.
_ofParents: list[Transports] = []


def _isSelectorLoop(loop: AbstractEventLoop) -> bool:
    """Return whether a loop is asyncio's on a selector, and watches as asyncio's does."""
    module = sys.modules.get("asyncio.selector_events")
    base = getattr(module, "BaseSelectorEventLoop", None)
    return base is not None and getattr(type(loop), "add_reader", None) is base.add_reader


def _canWatch(loop: AbstractEventLoop) -> bool:
    """Try whether a loop can watch a socket."""
    import socket  # not at the top: 3 ms, which a program without transports must not pay

    one, other = socket.socketpair()
    with one, other:
        try:
            loop.add_reader(one.fileno(), one.fileno)
        except NotImplementedError:
            return False
        loop.remove_reader(one.fileno())
    return True


def _readable(descriptors: list[int]) -> set[int]:
    """Return those of some descriptors that have something to read, an end or an error included."""
    import select  # not at the top: 1 ms, which only connections on uvloop need

    poll = getattr(select, "poll", None)
    if poll is None:
        return set(descriptors)
    looking = poll()
    for each in descriptors:
        if each >= 0:
            looking.register(each, select.POLLIN)
    try:
        return {number for number, _ in looking.poll(0)}
    except OSError:  # more than the process may have open by now
        return set(descriptors)


def setReactorFinder(find: Callable[[], INetworkReactor]) -> None:
    """Set what tells the reactor of ports and connections that are made without one.

    Args:
        find: Called in any thread.
    """
    global _findReactor
    _findReactor = find


_findReactor: Callable[[], INetworkReactor] | None = None


def theReactor(reactor: Any) -> INetworkReactor:
    """Return a reactor that has transports: the given one, or for `None` the current one.

    Raises:
        TypeError: It is no reactor of this package's.
    """
    if reactor is None and _findReactor is not None:
        reactor = _findReactor()
    if not isinstance(getattr(reactor, "_transports", None), Transports):
        raise TypeError(f"a transport needs a reactor of twistlike's, not {reactor!r}")
    found: Any = reactor
    return cast("INetworkReactor", found)
