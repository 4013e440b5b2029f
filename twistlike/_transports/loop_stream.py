"""Connections on a loop's own transports, for loops that cannot watch sockets.

Such is Windows' Proactor loop. Thread: the reactor's.

How it works
------------
The connection is the protocol that the loop calls, and looks like a socket to the upper half: what
is handed to the transport counts as sent, and while the transport still holds some of it (its limit
is 0, so that it says so) there is no room for more. So nothing is known to be sent before the
transport says that it holds nothing.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ConnectionDone, ConnectionLost
from twistlike._base.failure import Failure
from twistlike._defer.coroutines import ensureDeferred
from twistlike._transports.socket_descriptor import closeSocket, prepareClose
from twistlike._transports.stream import Connection

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Transport

__all__ = ["LoopConnection", "openConnection"]


def openConnection(connection: Connection) -> None:
    """Open a connection in the way that suits its loop: read, and give the protocol its transport.

    Args:
        connection: The connection. Its class changes if it goes over to a transport of the loop's.
    """
    net = connection._net
    if net.loop is not None and not net.canWatch:
        connection.__class__ = _classOnLoop(type(connection))
    connection.open()


def _classOnLoop(class_: type[Connection]) -> type[Connection]:
    """Return the class of connections that is another one on a loop's transports.

    Args:
        class_: The class; it shows the same name.
    """
    made = _onLoops.get(class_)
    if made is None:
        names = {"__module__": class_.__module__, "__doc__": class_.__doc__}
        made = _onLoops[class_] = type(class_.__name__, (LoopConnection, class_), names)
    return made


_onLoops: dict[type, type[Connection]] = {}


class LoopConnection(Connection):
    """The lower half of a connection: what a transport of the loop's does for it."""

    _transport: Transport | None = None
    _loop: AbstractEventLoop

    def open(self) -> None:
        """Ask the loop to take the socket; `connection_made` tells when it has."""
        asking = self._context.copy().run(ensureDeferred, self._ask())
        asking.addErrback(lambda failure: self._lost(failure))

    async def _ask(self) -> None:
        loop = self._net.loop
        assert loop is not None
        self._loop = loop
        try:
            protocol: Any = self  # it has the methods
            await loop.connect_accepted_socket(lambda: protocol, self.socket)
        except OSError:
            self._lost(Failure(ConnectionLost()))

    # ---- what the loop calls ---------------------------------------------------------------------

    def connection_made(self, transport: Transport) -> None:
        """Begin: give the protocol its transport."""
        if self.disconnected:
            transport.abort()  # it ended while the loop took the socket
            return
        self._transport = transport
        transport.set_write_buffer_limits(0)
        self._adjust()
        self.connected = 1
        self._reading = True
        self._made()

    def _adjust(self) -> None:
        """Set the socket's options to what sockets of our own have."""
        if self.socket.family != getattr(socket, "AF_UNIX", None):
            self.setTcpNoDelay(False)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self._reading:
            self._received(data)
        elif self.connected and not self.disconnecting and not self._aborting:
            self._early = (*self._early, data)  # it was under way when reading was stopped

    _early: tuple[bytes, ...] = ()

    def eof_received(self) -> bool:
        """Take the end of what comes. The transport stays open for writing until we close it."""
        if not self.disconnected and not self._aborting:
            if self._reading or not self._early:
                self._endOfFile()
            else:
                self._earlyEnd = True
        return True

    _earlyEnd = False

    def pause_writing(self) -> None:
        """Hear that the transport holds something."""
        self._congested = True

    def resume_writing(self) -> None:
        """Hear that the transport holds nothing any more."""
        self._congested = False
        # Not now: a transport of asyncio's that is aborted in here ends twice.
        if self._writing:
            self._watchRoom(self._loop)

    def connection_lost(self, error: BaseException | None) -> None:
        """Hear that the transport has ended, on its own unless we have closed it."""
        self._transport = None
        if not self.disconnected:
            self._reading = False
            self._lost(Failure(ConnectionLost() if error else ConnectionDone()))

    # ---- what the upper half asks for ------------------------------------------------------------

    def _open(self) -> Transport | None:
        transport = self._transport
        return None if transport is None or transport.is_closing() else transport

    def _watchReading(self, loop: AbstractEventLoop) -> None:
        transport = self._open()
        if transport is not None:
            transport.resume_reading()
            if self._early or self._earlyEnd:
                loop.call_soon(self._takeEarly, context=self._context.copy())

    def _takeEarly(self) -> None:
        """Take what has come although reading was stopped."""
        while self._early and self._reading:
            data, *rest = self._early
            self._early = tuple(rest)
            self._received(data)
        if self._earlyEnd and self._reading and not self._early:
            self._earlyEnd = False
            self._endOfFile()

    def _unwatchReading(self, loop: AbstractEventLoop) -> None:
        transport = self._open()
        if transport is not None and not loop.is_closed():
            transport.pause_reading()

    def _watchRoom(self, loop: AbstractEventLoop) -> None:
        """Wait for room: `resume_writing` tells, unless there is some."""
        if not self._congested:
            loop.call_soon(self._writeReady, context=self._context.copy())

    def stopWriting(self) -> None:
        """Write no more."""
        self._writing = False

    def writeSomeData(self, data: bytes | memoryview) -> int | BaseException:
        """Hand bytes to the transport, if it holds nothing."""
        if self._congested:
            return 0
        transport = self._open()
        if transport is None:
            return ConnectionLost()
        transport.write(data)
        return len(data)

    def unwatch(self, loop: AbstractEventLoop) -> None:
        """End: the transport cannot go over to another loop."""
        self._lost(Failure(ConnectionLost()))

    def doRead(self) -> BaseException | None:
        """Do nothing: the loop reads."""
        return None

    def _close(self, orderly: bool) -> None:
        transport, self._transport = self._transport, None
        # Not the reactor's present loop: that may be gone already.
        if transport is None or self._loop.is_closed():
            closeSocket(self.socket, orderly)
            return
        prepareClose(self.socket, orderly)
        transport.abort()
