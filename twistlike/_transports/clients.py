"""Attempts to connect, and what keeps a client's factory and its attempts together.

Thread: the reactor's.

How it works
------------
A connector makes one attempt after the other, each when it is asked to. The attempt is the later
connection: it makes its socket at once, looks the address up, connects, and then has a protocol. An
attempt that fails is closed, and the connector tells the factory why.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ConnectError, TimeoutError, UserError
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.network_error import ConnectBindError, NotConnectingError, getConnectError
from twistlike._timers.delays import checkDelay
from twistlike._transports.factories import CONNECTS, checkFactory, checkProtocol
from twistlike._transports.loop_stream import openConnection
from twistlike._transports.socket_descriptor import SocketDescriptor
from twistlike._transports.stream import FIRST_SIZE, Connection
from twistlike._transports.transports import theReactor

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Callable

    from twistlike._base.interfaces import IDelayedCall
    from twistlike._defer.deferred import Deferred

__all__ = ["BaseClient", "BaseConnector"]

# What `connect` answers where it goes on by itself.
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY)


class _NoProtocol:
    """The protocol of a connection for which the factory has made none, and which is closed."""

    def makeConnection(self, transport: object) -> None:
        """Do nothing."""

    def dataReceived(self, data: bytes) -> None:
        """Do nothing."""

    def connectionLost(self, reason: Failure) -> None:
        """Do nothing."""


class BaseClient(Connection):
    """An attempt to connect, then the connection.

    A subclass has the attributes that say what kind of socket it is, and makes the addresses.

    Args:
        connector: What is told how it goes.
        reactor: The reactor.
    """

    addressFamily: int
    socketType: int = socket.SOCK_STREAM
    addr: Any
    realAddress: Any = None
    _hasConnected = True
    _connecting = False
    _task: Task[None] | None = None

    def __init__(self, connector: Any, reactor: Any) -> None:
        SocketDescriptor.__init__(self, reactor)
        self._readSize = FIRST_SIZE
        self._uncertain = False
        self.connector: Any = connector
        self.protocol = None

    def createInternetSocket(self) -> socket.socket:
        """Return a new socket of the right kind.

        Raises:
            OSError: There is no descriptor left, say.
        """
        return socket.socket(self.addressFamily, self.socketType)

    def _prepare(self, bind: Callable[[socket.socket], object] | None) -> None:
        """Make and bind the socket now; look the address up on the loop's next turn.

        Args:
            bind: Binds the socket, `None` where that is not wanted.
        """
        skt = None
        try:
            skt = self.createInternetSocket()
            if bind is not None:
                bind(skt)
        except BaseException as error:
            if skt is not None:
                skt.close()
            if not isinstance(error, OSError):
                raise
            number, text = error.errno, error.strerror or str(error)
            self._later(self.failIfNotConnected, ConnectBindError(number, text))
        else:
            self._take(skt)
            self._later(self.resolveAddress)
        self._net.open[self] = None

    def _requiresResolution(self) -> bool:
        return False

    def resolveAddress(self) -> None:
        """Look the address up, if it is a name, and connect."""
        if not hasattr(self, "socket"):
            return  # it has been given up
        if not self._requiresResolution():
            self._setRealAddress(self.addr)
            return
        found: Deferred[str] = self.reactor.resolve(self.addr[0])
        found.addCallback(lambda host: (host, *self.addr[1:]))
        found.addCallbacks(self._setRealAddress, self.failIfNotConnected)
        found.addErrback(self.failIfNotConnected)

    def _setRealAddress(self, address: Any) -> None:
        self.realAddress = address
        self.doConnect()

    def doConnect(self) -> None:
        """Connect: at once, or by waiting for the system."""
        loop = self._net.loop
        if not hasattr(self, "socket"):
            return  # it has been given up
        assert loop is not None
        self._connecting = True
        if not self._net.canWatch:
            self._task = loop.create_task(self._connectByLoop(loop), context=self._context.copy())
            return
        try:
            number = self.socket.connect_ex(self.realAddress)
        except Exception as error:  # an address that cannot be, such as port 99999
            self.failIfNotConnected(error)
            return
        if number in (0, errno.EISCONN):
            self._connectDone()
        elif number in _UNDER_WAY:
            self._writing = True
            self._watchConnecting(loop)
        else:
            self.failIfNotConnected(getConnectError((number, os.strerror(number))))

    def _watchConnecting(self, loop: AbstractEventLoop) -> None:
        self._watchesRoom = True
        self._context.copy().run(loop.add_writer, self._watchable(loop), self._connectReady)

    def _connectReady(self) -> None:
        """Hear from the loop that the attempt has succeeded or failed."""
        self._net.guarded(self._finishConnecting)

    def _finishConnecting(self) -> None:
        number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.failIfNotConnected(getConnectError((number, os.strerror(number))))
        else:
            self._connectDone()

    async def _connectByLoop(self, loop: AbstractEventLoop) -> None:
        """Connect on a loop that cannot watch sockets."""
        failed = self.failIfNotConnected
        try:
            await loop.sock_connect(self.socket, self.realAddress)
        except OSError as error:
            number = error.errno or 0
            self._net.guarded(failed, getConnectError((number, os.strerror(number))))
        except Exception as error:  # an address that cannot be, such as port 99999
            self._net.guarded(failed, error)
        else:
            self._task = None
            self._connectDone()

    def watch(self, loop: AbstractEventLoop) -> None:
        """Begin to be watched by a loop."""
        if self._connecting:
            self.doConnect()
        else:
            super().watch(loop)

    def unwatch(self, loop: AbstractEventLoop) -> None:
        """End to be watched by a loop; the attempt goes on with the next one."""
        task, self._task = self._task, None
        if task is not None and not loop.is_closed():
            task.cancel()
        super().unwatch(loop)

    def _connectDone(self) -> None:
        self._connecting = False
        self.stopWriting()
        try:
            self.protocol = self.connector.buildProtocol(self.getPeer())
            if self.protocol is not None:
                checkProtocol(self.protocol, self.connector.factory)
        except BaseException as error:
            self._raised(error, self.connector.factory.buildProtocol)
            return
        if self.protocol is None:
            self.protocol = _NoProtocol()
            self.connected = 1
            self.loseConnection()
        else:
            openConnection(self)

    # ---- the end of an attempt -------------------------------------------------------------------

    def stopConnecting(self) -> None:
        """Give up, with `UserError`."""
        self.failIfNotConnected(UserError())

    def failIfNotConnected(self, err: BaseException | Failure) -> None:
        """Give up, unless it is connected or has been given up.

        Args:
            err: Why.
        """
        if self.connected or self.disconnected:
            return
        self.disconnected = 1
        self._net.open.pop(self, None)
        self._connecting = False
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self.stopReading()
        self.stopWriting()
        if hasattr(self, "socket"):
            self._close(orderly=True)
            del self.socket
        self.protocol = None
        connector, self.connector = self.connector, None
        connector.connectionFailed(err if isinstance(err, Failure) else Failure(err))

    def connectionLost(self, reason: Failure) -> None:
        """End, as a connection or as an attempt.

        Args:
            reason: Why.
        """
        if self.connected:
            super().connectionLost(reason)
        elif not self.disconnected:
            text: Any = reason
            self.failIfNotConnected(ConnectError(string=text))

    def _tellLost(self, protocol: Any, reason: Failure) -> None:
        connector, self.connector = self.connector, None
        try:
            super()._tellLost(protocol, reason)
        finally:
            connector.connectionLost(reason)


class BaseConnector:
    """What a client's factory is told about, and can ask to try again.

    A subclass makes the attempt.

    Args:
        factory: Makes the protocol, and is told how it goes.
        timeout: Seconds that an attempt may take; `None` for as long as the system likes.
        reactor: The reactor.

    Raises:
        ValueError: The timeout is negative.
        TypeError: It is no number, or what is given is no client's factory.
    """

    timeoutID: IDelayedCall | None = None
    factoryStarted: Any = 0

    def __init__(self, factory: Any, timeout: float | None, reactor: Any) -> None:
        if timeout is not None:
            checkDelay(timeout, "timeout")
        checkFactory(factory, CONNECTS, "a connector")
        self.state = "disconnected"
        self.reactor: Any = theReactor(reactor)
        self.factory = factory
        self.timeout = timeout
        self.transport: Any = None

    def _makeTransport(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no _makeTransport")

    def getDestination(self) -> Any:
        """Return the address that is connected to."""
        raise NotImplementedError(f"{type(self).__name__} has no getDestination")

    def connect(self) -> None:
        """Begin an attempt.

        Raises:
            RuntimeError: If there is an attempt, or a connection.
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere("connect"):
            return
        if self.state != "disconnected":
            raise RuntimeError(f"connect() was called, but the connector is {self.state}")
        self.state = "connecting"
        if not self.factoryStarted:
            self.factory.doStart()
            self.factoryStarted = 1
        self.transport = transport = self._makeTransport()
        if self.timeout is not None:
            self.timeoutID = self.reactor.callLater(
                self.timeout, transport.failIfNotConnected, TimeoutError()
            )
        self.factory.startedConnecting(self)

    def stopConnecting(self) -> None:
        """Give the attempt up; the factory is told.

        Raises:
            NotConnectingError: If there is none.
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere("stopConnecting"):
            return
        if self.state != "connecting":
            raise NotConnectingError(f"the connector is {self.state}")
        self.state = "disconnected"
        transport, self.transport = self.transport, None
        transport.failIfNotConnected(UserError())

    def disconnect(self) -> None:
        """Give the attempt up, or close the connection once all that was written is sent.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere("disconnect"):
            return
        if self.state == "connecting":
            self.stopConnecting()
        elif self.state == "connected":
            self.transport.loseConnection()

    def _elsewhere(self, name: str) -> bool:
        net = self.reactor._transports
        if net.enter(f"connector.{name}"):
            return False
        net.post(getattr(self, name), (), {})
        return True

    def cancelTimeout(self) -> None:
        """Let the attempt take as long as it takes."""
        timeoutID, self.timeoutID = self.timeoutID, None
        if timeoutID is not None and timeoutID.active():
            timeoutID.cancel()

    def buildProtocol(self, addr: Any) -> Any:
        """Make the protocol: the attempt has succeeded.

        Args:
            addr: The other end's address.
        """
        self.state = "connected"
        self.cancelTimeout()
        return self.factory.buildProtocol(addr)

    def connectionFailed(self, reason: Failure) -> None:
        """Hear that the attempt has failed, and tell the factory.

        Args:
            reason: Why.
        """
        self.cancelTimeout()
        self.transport = None
        self.state = "disconnected"
        try:
            self.factory.clientConnectionFailed(self, reason)
        finally:
            self._letFactoryGo()

    def connectionLost(self, reason: Failure) -> None:
        """Hear that the connection has ended, and tell the factory.

        Args:
            reason: Why.
        """
        self.state = "disconnected"
        try:
            self.factory.clientConnectionLost(self, reason)
        finally:
            self._letFactoryGo()

    def _letFactoryGo(self) -> None:
        """Tell the factory that it is used no more, unless it has begun another attempt."""
        if self.state == "disconnected":
            self.factory.doStop()
            self.factoryStarted = 0


showAs("twistlike.internet.tcp", globals(), ["BaseClient"])
