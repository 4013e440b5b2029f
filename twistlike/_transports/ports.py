"""Ports that accept connections, and these connections. Thread: the reactor's.

How it works
------------
A port accepts what waits, up to a limit, each time that the loop says that something does. Where
no descriptor is left, connections that wait are accepted by a descriptor that is kept for that, and
closed at once: else the loop would say without end that they wait.
"""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Any

from twistlike._base.error import CannotListenError
from twistlike._base.reflect import qual
from twistlike._log.legacy import msg
from twistlike._log.logger import Logger
from twistlike._transports.abstract import nameForLogs
from twistlike._transports.base_port import BasePort
from twistlike._transports.factories import LISTENS, checkFactory, checkProtocol
from twistlike._transports.loop_stream import openConnection
from twistlike._transports.stream import Connection

if TYPE_CHECKING:
    import socket
    from asyncio import AbstractEventLoop

__all__ = ["ServerConnection", "StreamPort"]

ACCEPTS_AT_ONCE = 100
"""How many connections a port accepts in a turn, before others have theirs."""

REPORT_EVERY = 10.0
"""Seconds between two reports of connections that were refused for want of descriptors."""

_GONE = (errno.ECONNABORTED, errno.EPERM, errno.EPROTO)
"""Errors of one waiting connection: the next one may be all right."""

_NOTHING_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Errors that are the process's or the system's, whichever connection waits."""

RETRY_AFTER = 1.0
"""Seconds until a port that could not even refuse connections tries again, as asyncio's do."""


class _Reserve:
    """A descriptor that is kept for the moment when there is no other left."""

    def __init__(self) -> None:
        self._number = -1

    def fill(self) -> bool:
        """Have a descriptor, if that is possible; return whether there is one."""
        if self._number < 0:
            try:
                self._number = os.open(os.devnull, os.O_RDONLY)
            except OSError:
                return False
        return True

    def spend(self) -> None:
        """Give the descriptor up."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)


_reserve = _Reserve()

_log = Logger("twistlike.internet.tcp")


class ServerConnection(Connection):
    """A port's end of a connection.

    Args:
        sock: The socket.
        protocol: What takes the bytes.
        client: The other end's address, as the socket tells it.
        server: The port.
        sessionno: Its number among the port's connections.
        reactor: The reactor.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: Any,
        client: Any,
        server: Any,
        sessionno: int,
        reactor: Any,
    ) -> None:
        super().__init__(sock, protocol, reactor, getattr(server, "_context", None))
        self.client = client
        self.server = server
        self.sessionno = sessionno

    @property
    def hostname(self) -> str | bytes:
        """The other end's host, or the path of its socket."""
        raise NotImplementedError

    def _nameFor(self, protocol: Any) -> str:
        return f"{super()._nameFor(protocol)},{self.sessionno},{os.fsdecode(self.hostname)}"


class StreamPort(BasePort):
    """A socket that connections are accepted on.

    A subclass makes the socket and the addresses.

    Args:
        factory: Makes a protocol for each connection.
        backlog: How many connections may wait in the system.
        reactor: The reactor.
    """

    addressFamily: int
    socketType: int
    transport: type[ServerConnection]
    sessionno = 0
    _type = "TCP"  # for logs; Twisted's `listenSSL` sets it
    _refused = 0
    _reportedAt = -REPORT_EVERY

    def __init__(self, factory: Any, backlog: int, reactor: Any) -> None:
        checkFactory(factory, LISTENS, "a port")
        super().__init__(reactor)
        self.factory = factory
        self.backlog = backlog

    def __repr__(self) -> str:
        where = self._where() if self.connected else "(not listening)"
        return f"<{type(self).__qualname__} of {type(self.factory).__qualname__} {where}>"

    def _buildAddr(self, name: Any) -> Any:
        raise NotImplementedError

    def getHost(self) -> Any:
        """Return the address that is listened on."""
        return self._buildAddr(self.socket.getsockname())

    def getPeer(self) -> Any:
        """Refuse: a port has no peer."""
        raise NotImplementedError("a port that listens has no peer; its connections have")

    def logPrefix(self) -> str:
        """Return a name for logs."""
        return qual(type(self.factory))

    # ---- beginning -------------------------------------------------------------------------------

    def _listen(self, skt: socket.socket, address: tuple[Any, Any]) -> None:
        """Listen on a socket that is bound, and accept from the loop's next turn on.

        Args:
            skt: The socket.
            address: Interface and port, for the error.

        Raises:
            CannotListenError: If that is not possible.
        """
        self._take(skt)
        msg(f"{nameForLogs(self.factory)} starting {self._where()}", eventType="start")
        try:
            self.factory.doStart()
        except BaseException:
            skt.close()
            del self.socket
            raise
        try:
            skt.listen(self.backlog)
        except OSError as error:
            skt.close()
            del self.socket
            self.factory.doStop()
            raise CannotListenError(*address, error) from None
        self.connected = True
        self.disconnected = self.disconnecting = False
        _reserve.fill()
        self._net.open[self] = None
        self.startReading()

    # ---- accepting -------------------------------------------------------------------------------

    def doRead(self) -> BaseException | None:
        """Accept what waits."""
        for _ in range(ACCEPTS_AT_ONCE):
            if not self._reading:
                break  # stopped by what was accepted
            try:
                skt, name = self.socket.accept()
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if not self._isRefused(error):
                    break
            else:
                self._context.copy().run(self._accepted, skt, name)
        return None

    async def _readByLoop(self, loop: AbstractEventLoop) -> None:
        """Accept, on a loop that cannot watch sockets."""
        while self._reading:
            try:
                skt, name = await loop.sock_accept(self.socket)
            except OSError as error:
                if not self._isRefused(error):
                    return
            else:
                self._context.copy().run(self._accepted, skt, name)

    def _accepted(self, skt: socket.socket, name: Any) -> None:
        """Make a connection of what was accepted."""
        build = self.factory.buildProtocol
        try:
            protocol = build(self._buildAddr(name))
            if protocol is None:
                skt.close()
                return
            checkProtocol(protocol, self.factory)
            number, self.sessionno = self.sessionno, self.sessionno + 1
            connection: ServerConnection = self.transport(
                skt, protocol, name, self, number, self.reactor
            )
        except BaseException as error:
            skt.close()
            fatal = self._net.onError(error, build)
            if fatal is not None:
                raise fatal from None
            return
        openConnection(connection)

    def _isRefused(self, error: OSError) -> bool:
        """Deal with an error of `accept`; return whether to go on with the next connection."""
        if error.errno in _GONE:
            return True
        if error.errno not in _NOTHING_LEFT:
            self._net.onError(error, self.socket.accept)
            self._pause()
            return False
        _reserve.spend()
        try:
            skt, _ = self.socket.accept()
        except (BlockingIOError, InterruptedError):
            _reserve.fill()
            return False
        except OSError:
            self._tellRefused(error)
            self._pause()
            return False
        skt.close()
        self._refused += 1
        self._tellRefused(error)
        if _reserve.fill():
            return True
        self._pause()
        return False

    def _pause(self) -> None:
        """Accept nothing for a moment, rather than try without end."""
        self.stopReading()
        self.reactor.callLater(RETRY_AFTER, self._goOn)

    def _goOn(self) -> None:
        if self.connected and not self.disconnecting:
            _reserve.fill()
            self.startReading()

    def _tellRefused(self, error: OSError) -> None:
        now = time.monotonic()
        if now - self._reportedAt >= REPORT_EVERY:
            self._reportedAt = now
            _log.error(
                "{port} cannot accept connections: {error}; it has closed {refused} as soon as "
                "they came. Raise the limit, or have fewer connections.",
                port=self,
                error=error,
                refused=self._refused,
            )

    # ---- the end ---------------------------------------------------------------------------------

    def _typeName(self) -> str:
        return self._type

    def _doStop(self) -> None:
        self.factory.doStop()
