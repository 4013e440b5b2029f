"""Ports that accept connections. Thread: the reactor's.

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

from twistlike._base.error import CannotListenError, ConnectionDone
from twistlike._base.failure import Failure
from twistlike._base.reflect import qual
from twistlike._defer.deferred import Deferred, succeed
from twistlike._log.legacy import msg
from twistlike._log.logger import Logger
from twistlike._transports.abstract import nameForLogs
from twistlike._transports.closing import ClosesWithBlock, endPort
from twistlike._transports.loop_stream import openConnection
from twistlike._transports.socket_descriptor import SocketDescriptor

if TYPE_CHECKING:
    import socket
    from asyncio import AbstractEventLoop, Task

    from twistlike._transports.stream import Connection

__all__ = ["StreamPort"]

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


class StreamPort(ClosesWithBlock, SocketDescriptor):
    """A socket that connections are accepted on.

    A subclass makes the socket and the addresses.

    Args:
        factory: Makes a protocol for each connection.
        backlog: How many connections may wait in the system.
        reactor: The reactor.
    """

    addressFamily: int
    socketType: int
    transport: Any  # the class of its connections
    sessionno = 0
    deferred: Deferred[None] | None = None
    _acceptTask: Task[None] | None = None
    _refused = 0
    _reportedAt = -REPORT_EVERY

    def __init__(self, factory: Any, backlog: int, reactor: Any) -> None:
        super().__init__(reactor)
        self.factory = factory
        self.backlog = backlog
        self._stopped: list[Deferred[None]] = []

    def __repr__(self) -> str:
        where = self._where() if self.connected else "(not listening)"
        return f"<{type(self).__qualname__} of {type(self.factory).__qualname__} {where}>"

    def _where(self) -> str:
        raise NotImplementedError

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
        self.factory.doStart()
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

    def _name(self) -> object:
        raise NotImplementedError

    # ---- accepting -------------------------------------------------------------------------------

    def _watchReading(self, loop: AbstractEventLoop) -> None:
        if self._net.canWatch:
            super()._watchReading(loop)
        else:
            self._acceptTask = loop.create_task(
                self._acceptByLoop(loop), context=self._context.copy()
            )

    def _unwatchReading(self, loop: AbstractEventLoop) -> None:
        task, self._acceptTask = self._acceptTask, None
        if task is None:
            super()._unwatchReading(loop)
        elif not loop.is_closed():
            task.cancel()

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

    async def _acceptByLoop(self, loop: AbstractEventLoop) -> None:
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
            number, self.sessionno = self.sessionno, self.sessionno + 1
            connection: Connection = self.transport(skt, protocol, name, self, number, self.reactor)
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

    def stopListening(self) -> Deferred[None]:
        """Accept no more connections. Those that were accepted go on.

        Returns:
            A Deferred that fires when the port is closed, on a later turn. If it was closed
            already, it has fired.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        return self.loseConnection()

    def loseConnection(  # type: ignore[override]  # in Twisted, too, a port answers
        self, connDone: Failure | None = None
    ) -> Deferred[None]:
        """Do what `stopListening` does."""
        if self._elsewhere(self.stopListening) or not self.connected:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        if not self.disconnecting:
            self.disconnecting = True
            self.deferred = stopped
            self.stopReading()
            self._later(self.connectionLost, connDone or Failure(ConnectionDone()))
        return stopped

    def connectionLost(self, reason: Failure) -> None:
        """Close the port, and tell the factory.

        Args:
            reason: Why.
        """
        if not hasattr(self, "socket"):
            return
        msg(f"({self._typeName()} Port {self._name()} Closed)")
        self._net.open.pop(self, None)
        self.connected, self.disconnected, self.disconnecting = False, True, False
        self.stopReading()
        self._closePort()
        del self.socket
        stopped, self._stopped, self.deferred = self._stopped, [], None
        endPort(self.factory.doStop, stopped)

    def _typeName(self) -> str:
        return "TCP"

    def _closePort(self) -> None:
        # Not shut down: another process may listen on it as well.
        self.socket.close()
