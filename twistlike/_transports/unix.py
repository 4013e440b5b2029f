"""UNIX sockets: ports, their connections, clients and their connectors. Thread: the reactor's.

How it works
------------
These are streams like TCP's, but that a connection passes file descriptors as well: each travels
with one byte of what is written.
"""

from __future__ import annotations

import array
import os
import socket
import stat
from typing import Any

from twistlike._base.address import UNIXAddress
from twistlike._base.error import CannotListenError, ConnectionLost
from twistlike._base.failure import Failure
from twistlike._base.lockfile import FilesystemLock, isLocked
from twistlike._base.naming import showAs
from twistlike._base.network_error import BadFileError, FileDescriptorOverrun
from twistlike._log.logger import Logger
from twistlike._transports.clients import BaseClient, BaseConnector
from twistlike._transports.interfaces import IFileDescriptorReceiver
from twistlike._transports.loop_stream import openConnection
from twistlike._transports.ports import ServerConnection, StreamPort
from twistlike._transports.stream import Connection

__all__ = ["Client", "Connector", "Port", "Server", "adoptConnection", "adoptPort"]

_MOST_DESCRIPTORS = 64
"""How many descriptors are read at once, and may be queued before a producer is paused."""

_log = Logger("twistlike.internet.unix")

_ITEM = array.array("i").itemsize


class _PassesDescriptors(Connection):
    """What a connection does through a UNIX socket besides.

    Differs from Twisted: `sendFileDescriptor` sends a duplicate that is made at once, so the
    descriptor may be closed as soon as it returns.
    """

    _queue: tuple[int, ...] = ()

    def getTcpNoDelay(self) -> bool:
        """Return False: nothing waits here."""
        return False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing: nothing waits here.

        Args:
            enabled: Whatever.
        """

    # ---- sending ---------------------------------------------------------------------------------

    def sendFileDescriptor(self, descriptor: int) -> None:
        """Send a copy of a descriptor, along with a byte of what is written.

        Args:
            descriptor: The descriptor. There must be a byte for it when the turn ends, or the
                connection is lost with `FileDescriptorOverrun`.

        Raises:
            NotImplementedError: On a loop that cannot watch sockets.
            OSError: It is no descriptor.
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere(self.sendFileDescriptor, descriptor):
            return
        if not self._net.canWatch:
            raise NotImplementedError("descriptors cannot be sent on a loop without add_reader")
        if self.connected and not self._writeDisconnected:
            self._queue = (*self._queue, os.dup(descriptor))
            self._maybePauseProducer()
            self.startWriting()

    def _isSendBufferFull(self) -> bool:
        return len(self._queue) > _MOST_DESCRIPTORS or super()._isSendBufferFull()

    def doWrite(self) -> BaseException | None:
        """Write what is buffered, and the descriptors with it, as far as there is room.

        Returns:
            Why the connection has ended, if it has.
        """
        if len(self._queue) > self._bufferedBytes():
            return FileDescriptorOverrun()
        return super().doWrite()

    def writeSomeData(self, data: bytes | memoryview) -> int | BaseException:
        """Send what there is room for; return how much, or why the connection has ended."""
        if not self._queue:
            return super().writeSomeData(data)
        sent = 0
        # One byte for each: what a single message carries more of comes without a border.
        while self._queue and sent < len(data):
            number = self._queue[0]
            try:
                socket.send_fds(self.socket, [data[sent : sent + 1]], [number])
            except (BlockingIOError, InterruptedError):
                return sent
            except OSError:
                return ConnectionLost()
            sent += 1
            self._queue = self._queue[1:]
            os.close(number)
        return sent

    def _received(self, data: bytes) -> None:
        super()._received(data)
        if self._queue and not self._writing:
            self.startWriting()

    # ---- receiving -------------------------------------------------------------------------------

    def _readReady(self) -> bool:
        """Hear from the loop that there is something to read; return whether there was."""
        room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * _ITEM)
        try:
            data, ancillary, _, _ = self.socket.recvmsg(self.bufferSize, room)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._lost(Failure(ConnectionLost()))
            return False
        if ancillary:
            self._context.copy().run(self._takeDescriptors, ancillary)
            if self.disconnected:
                return False
        if not data:
            self._endOfFile()
            return False
        if self._uncertain:
            self._uncertain = False
            self._net.checkLater(self)
        self._received(data)
        return True

    def _takeDescriptors(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        """Give the protocol the descriptors that have come; close those it does not take."""
        for level, kind, data in ancillary:
            if level != socket.SOL_SOCKET or kind != socket.SCM_RIGHTS:
                continue
            numbers = array.array("i")
            numbers.frombytes(data[: len(data) - len(data) % _ITEM])
            for number in numbers:
                self._takeDescriptor(number)

    def _takeDescriptor(self, number: int) -> None:
        protocol = getattr(self, "protocol", None)
        if protocol is None:
            os.close(number)  # the connection was lost by what one before it did
        elif IFileDescriptorReceiver.providedBy(protocol):
            try:
                protocol.fileDescriptorReceived(number)
            except BaseException as error:
                self._raised(error, protocol.fileDescriptorReceived)
        else:
            os.close(number)
            _log.warn(
                "{protocolName} on {hostAddress} was sent a descriptor by {peerAddress}, which "
                "is closed now; a protocol that takes them declares IFileDescriptorReceiver",
                protocolName=type(protocol).__name__,
                hostAddress=self.getHost(),
                peerAddress=self.getPeer(),
            )

    def _close(self, orderly: bool) -> None:
        queue, self._queue = self._queue, ()
        for number in queue:
            os.close(number)
        super()._close(orderly)


class Server(_PassesDescriptors, ServerConnection):
    """A port's end of a connection.

    Args:
        sock: The socket.
        protocol: What takes the bytes.
        client: The other end's path; empty if it has none, as clients have.
        server: The port.
        sessionno: Its number among the port's connections.
        reactor: The reactor.
    """

    @property
    def hostname(self) -> bytes:
        """The other end's path; empty if it has none."""
        path: bytes = self.client
        return path

    def __repr__(self) -> str:
        protocol = getattr(self, "protocol", None)
        if protocol is None:
            return super().__repr__()
        path = os.fsdecode(self.socket.getsockname())
        return f"<{type(protocol).__name__} #{self.sessionno} on {path}>"

    def getHost(self) -> UNIXAddress:
        """Return the address of this end. Only while the connection lasts."""
        return UNIXAddress(self.socket.getsockname())

    def getPeer(self) -> UNIXAddress:
        """Return the address of the other end."""
        return UNIXAddress(self.hostname or None)


class Port(StreamPort):
    """A UNIX socket that connections are accepted on.

    Args:
        fileName: The path of its file. One that begins with a zero byte is a name without a file.
        factory: Makes a protocol for each connection.
        backlog: How many connections may wait in the system.
        mode: The file's permissions.
        reactor: The reactor.
        wantPID: Whether to make a lock file beside it.
    """

    addressFamily: int = socket.AF_UNIX
    socketType = socket.SOCK_STREAM
    transport = Server
    _type = "UNIX"
    lockFile: FilesystemLock | None = None
    _preexistingSocket: socket.socket | None = None

    def __init__(
        self,
        fileName: str | bytes,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        reactor: Any = None,
        wantPID: bool | int = 0,
    ) -> None:
        super().__init__(factory, backlog, reactor)
        self.port = os.fsencode(fileName)
        self.mode = mode
        self.wantPID = wantPID
        self._file: tuple[int, int] | None = None

    def _where(self) -> str:
        return f"on {os.fsdecode(self.port)!r}"

    def _name(self) -> object:
        return os.fsdecode(self.port)

    def _buildAddr(self, name: Any) -> UNIXAddress:
        return UNIXAddress(name or None)

    @property
    def _hasFile(self) -> bool:
        return not self.port.startswith(b"\0")

    def startListening(self) -> None:
        """Bind and listen now; connections are accepted once the reactor has a loop.

        Raises:
            CannotListenError: The address cannot be had.
        """
        skt = self._preexistingSocket
        self._preexistingSocket = None
        if skt is None:
            if self.wantPID:
                self._lock()
            try:
                skt = self._bound()
            except BaseException:
                self._unlock()
                raise
        self._listen(skt, (None, self.port))

    def _lock(self) -> None:
        """Make the lock file, and take away the socket of a process that has left one behind.

        Raises:
            CannotListenError: Another process has the lock.
        """
        lock = FilesystemLock(os.fsdecode(self.port + b".lock"))
        if not lock.lock():
            raise CannotListenError(None, self.port, "another process has its lock file")
        self.lockFile = lock
        if not lock.clean:
            try:
                if stat.S_ISSOCK(os.stat(self.port).st_mode):
                    os.remove(self.port)
            except OSError:
                pass  # there is none: bind() says what is wrong, if anything is

    def _unlock(self) -> None:
        lock, self.lockFile = self.lockFile, None
        if lock is not None:
            lock.unlock()

    def _bound(self) -> socket.socket:
        skt = None
        try:
            skt = socket.socket(self.addressFamily, self.socketType)
            skt.bind(self.port)
            if self._hasFile:
                found = os.stat(self.port)
                self._file = found.st_dev, found.st_ino
                os.chmod(self.port, self.mode)
        except BaseException as error:
            if skt is not None:
                skt.close()
            if isinstance(error, OSError):
                raise CannotListenError(None, self.port, error) from None
            raise
        return skt

    def _closePort(self) -> None:
        super()._closePort()
        try:
            # Not a file that somebody else has put there meanwhile.
            found = os.stat(self.port) if self._file else None
            if found is not None and (found.st_dev, found.st_ino) == self._file:
                os.unlink(self.port)
        except OSError:
            pass  # it has been removed
        finally:
            self._file = None
            self._unlock()


class Client(_PassesDescriptors, BaseClient):
    """A client's end of a connection, and before that the attempt to connect.

    Args:
        filename: The path.
        connector: What is told how it goes.
        reactor: The reactor.
        checkPID: Whether to look first if the process that listens has a lock file.
    """

    addressFamily = socket.AF_UNIX

    def __init__(
        self,
        filename: str | bytes,
        connector: Any,
        reactor: Any = None,
        checkPID: bool | int = 0,
    ) -> None:
        super().__init__(connector, reactor)
        self.addr = self.realAddress = os.fsencode(filename)
        if checkPID and not isLocked(os.fsdecode(self.addr + b".lock")):
            self._later(self.failIfNotConnected, BadFileError(self.addr))
        else:
            self._prepare(None)

    def _nameFor(self, protocol: Any) -> str:
        return f"{super()._nameFor(protocol)},client"

    def getHost(self) -> UNIXAddress:
        """Return the address of this end, which has no name."""
        return UNIXAddress(None)

    def getPeer(self) -> UNIXAddress:
        """Return the address of the other end."""
        return UNIXAddress(self.addr)


class Connector(BaseConnector):
    """Connects to a UNIX socket.

    Args:
        address: The path.
        factory: Makes the protocol, and is told how it goes.
        timeout: Seconds that an attempt may take.
        reactor: The reactor.
        checkPID: Whether to look first if the process that listens has a lock file.
    """

    def __init__(
        self,
        address: str | bytes,
        factory: Any,
        timeout: float | None,
        reactor: Any,
        checkPID: bool | int = 0,
    ) -> None:
        super().__init__(factory, timeout, reactor)
        self.address = address
        self.checkPID = checkPID

    def _makeTransport(self) -> Client:
        return Client(self.address, self, self.reactor, self.checkPID)

    def getDestination(self) -> UNIXAddress:
        """Return the address that is connected to."""
        return UNIXAddress(self.address)

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} to {os.fsdecode(self.address)!r}, {self.state}>"


def adoptPort(fileno: int, factory: Any, reactor: Any) -> Port:
    """Listen on a socket that somebody else has bound, by a descriptor of our own.

    Args:
        fileno: The socket's descriptor. It is duplicated. Its file is the other's to remove.
        factory: Makes a protocol for each connection.
        reactor: The reactor.
    """
    skt = socket.fromfd(fileno, socket.AF_UNIX, socket.SOCK_STREAM)
    port = Port(skt.getsockname(), factory, reactor=reactor)
    port._preexistingSocket = skt
    port.startListening()
    return port


def adoptConnection(fileno: int, factory: Any, reactor: Any) -> Server | None:
    """Take over a connection of somebody else's, by a descriptor of our own.

    Args:
        fileno: The socket's descriptor. It is duplicated.
        factory: Makes the protocol.
        reactor: The reactor.

    Returns:
        The connection; `None` if the factory has made no protocol.
    """
    skt = socket.fromfd(fileno, socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        name = skt.getpeername()
        protocol = factory.buildProtocol(UNIXAddress(name or None))
    except BaseException:
        skt.close()
        raise
    if protocol is None:
        skt.close()
        return None
    server = Server(skt, protocol, name, None, 0, reactor)
    openConnection(server)
    return server


showAs("twistlike.internet.unix", globals(), ["Client", "Connector", "Port", "Server"])
