"""Connections: Twisted's semantics of them, on sockets of our own. Thread: the reactor's.

How it works
------------
`dataReceived` is called with what one `recv` gives. What the protocol writes in that turn is sent
when it returns, in one piece, so that an answer needs no further turn. What is written at other
times is sent on the loop's next turn. Whatever ends the connection is carried out on a later turn,
so that `connectionLost` never comes from within `dataReceived`.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from twistlike._base.coroutines import callHook, refuseCoroutine
from twistlike._base.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._eventloop import current
from twistlike._log.logcontext import now
from twistlike._transports.abstract import FileDescriptor, asBytes, nameForLogs
from twistlike._transports.factories import connectionMadeOf
from twistlike._transports.interfaces import IHalfCloseableProtocol
from twistlike._transports.socket_descriptor import SocketDescriptor, closeSocket

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterable
    from contextvars import Context

__all__ = ["FIRST_SIZE", "Connection"]

FIRST_SIZE = 2**12
"""How many bytes a connection reads at once until that was too few. Memory for 64 KiB takes 0.15 us
more to get, of 3 us that an echo takes."""

_READS_AT_ONCE = 16
"""How often a connection reads in a turn that belongs to others as well."""


class Connection(SocketDescriptor):
    """One end of a connection, as a protocol's transport.

    Args:
        skt: The connected socket.
        protocol: What takes the bytes.
        reactor: The reactor.
        context: As for a `SocketDescriptor`.
    """

    _aborting = False
    TLS = False
    _hasConnected = False  # this side has connected, rather than accepted

    def __init__(
        self,
        skt: socket.socket,
        protocol: Any,
        reactor: Any = None,
        context: Context | None = None,
    ) -> None:
        super().__init__(reactor, context)
        self._readSize = FIRST_SIZE
        self._uncertain = False  # the loop may not tell of what comes next
        self._take(skt)
        self.protocol: Any = protocol
        self._net.open[self] = None

    def __repr__(self) -> str:
        protocol = getattr(self, "protocol", None)
        name = type(protocol).__name__ if protocol is not None else "no protocol"
        return f"<{type(self).__name__} for {name}, {self._state()}>"

    def _state(self) -> str:
        if self.connected:
            return "connected" if not self.disconnecting else "disconnecting"
        return "disconnected" if self.disconnected else "not connected yet"

    @property
    def logstr(self) -> str:
        """The name for logs."""
        return self._nameFor(getattr(self, "protocol", None))

    def _nameFor(self, protocol: Any) -> str:
        """Return the name for logs beside a protocol, which this loses at its end."""
        return nameForLogs(protocol) if protocol is not None else "Uninitialized"

    def _nameAtEnd(self) -> Callable[[], str]:
        if type(self).logPrefix is not Connection.logPrefix:
            return super()._nameAtEnd()
        return partial(self._nameFor, getattr(self, "protocol", None))  # seldom asked for

    def logPrefix(self) -> str:
        """Return the name for logs."""
        return self.logstr

    def open(self) -> None:
        """Begin: read, and give the protocol its transport."""
        self.connected = 1
        self.startReading()
        self._made()

    def _made(self) -> None:
        caller = now.caller
        now.caller = self
        protocol = self.protocol
        try:
            protocol.makeConnection(self)
        except BaseException as error:
            self._raised(error, connectionMadeOf(protocol))
        finally:
            now.caller = caller

    # ---- reading ---------------------------------------------------------------------------------

    def _watchReading(self, loop: AbstractEventLoop) -> None:
        self._uncertain = not self._net.tellsAlways
        super()._watchReading(loop)

    def _readReady(self) -> bool:
        """Hear from the loop that there is something to read; return whether there was."""
        caller = now.caller
        now.caller = self
        try:
            try:
                data = self.socket.recv(self._readSize)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                self._lost(Failure(ConnectionLost()))
                return False
            if not data:
                self._endOfFile()
                return False
            if self._uncertain:
                self._uncertain = False
                self._net.checkLater(self)
            if len(data) == self._readSize:
                self._readSize = self.bufferSize
            if self._writing:
                self._received(data)
                return True
            # The rest is what _received does, in one frame: it is what an echo costs.
            self._writing = True
            try:
                result = self.protocol.dataReceived(data)
            except BaseException as error:
                self._raised(error, self.protocol.dataReceived)
                return False
            pending = self._tempDataBuffer
            if (
                self._writing
                and not self.disconnecting
                and not self._writeDisconnecting
                and (self.producer is None or (self.streamingProducer and not self.producerPaused))
                and not self.dataBuffer
            ):
                if not pending:
                    self._writing = False
                else:
                    if not isinstance(pending, bytes):
                        pending = b"".join(pending)
                    try:
                        sent = self.socket.send(pending)
                    except OSError:
                        sent = 0  # which error it is shows when the rest is sent
                    self._tempDataBuffer = b""
                    if sent == len(pending):
                        self._writing = False
                    else:
                        self.dataBuffer = pending
                        self.offset = sent
                        self._writeReady()
            else:
                self._endTurn()
            if result is not None:
                self._checkResult(result)
            return True
        finally:
            now.caller = caller

    def readUntilEmpty(self) -> None:
        """Read all there is, whether the loop has told of it or not."""
        self._context.copy().run(self._readUntilEmpty)

    def _readUntilEmpty(self) -> None:
        for _ in range(_READS_AT_ONCE):
            if not self._reading or not self._readReady():
                self._uncertain = not self._net.tellsAlways
                return
        self._net.checkLater(self)  # there is more

    def doRead(self) -> BaseException | None:
        """Read now, as if there were something to read."""
        if self._reading:
            self._readReady()
        return None

    def _received(self, data: bytes) -> None:
        """Give the protocol what has come, and send what it writes to that."""
        # Does something wait for room already, or for the next turn? Then that sends this as well.
        waits = self._writing
        self._writing = True
        caller = now.caller
        now.caller = self
        try:
            result = self.protocol.dataReceived(data)
        except BaseException as error:
            self._raised(error, self.protocol.dataReceived)
            return
        finally:
            now.caller = caller
        if not waits:
            self._endTurn()
        if result is not None:
            self._checkResult(result)

    def _endTurn(self) -> None:
        """Send what the protocol has written in its turn, or see to it on the next turn."""
        if not self._writing:
            return  # it has been stopped
        if self.disconnecting or (self._writeDisconnecting and not self._writeDisconnected):
            self._writing = False
            self.startWriting()
        elif self._tempDataBuffer:
            self._writeReady()
        else:
            self._writing = False

    def _checkResult(self, result: object) -> None:
        """Refuse a `dataReceived` that is a coroutine function, say, which would never run."""
        received = self.protocol.dataReceived
        try:
            refuseCoroutine(result, received)
        except TypeError as error:
            self._raised(error, received)

    def _endOfFile(self) -> None:
        """Hear that the peer writes no more."""
        self.stopReading()
        self._run(self.readConnectionLost, Failure(ConnectionDone()))

    def readConnectionLost(self, reason: Failure) -> None:
        """Hear that the peer writes no more: tell the protocol, or end if it cannot hear that."""
        protocol = self.protocol
        if not IHalfCloseableProtocol.providedBy(protocol):
            self._lost(reason)
            return
        try:
            protocol.readConnectionLost()
        except BaseException as error:
            self._raised(error, protocol.readConnectionLost)

    # ---- writing ---------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes, soon: at the end of `dataReceived`, else on the next turn.

        After the connection's end they are dropped.

        Args:
            data: The bytes. Other bytes-like objects are copied.

        Raises:
            TypeError: If it is text, say.
            WrongThreadError: In another thread than the loop's; use
                `reactor.callFromThread(transport.write, ...)` there.
        """
        if current.runningLoop() is not self.reactor._transports.loop and self._elsewhere(
            self.write, data
        ):
            return
        if type(data) is not bytes:
            data = asBytes(data)
        if data and self.connected and not self._writeDisconnected:
            if not self._tempDataBuffer:
                self._tempDataBuffer = data
            else:
                self._append(self._tempDataBuffer, data)
            if self.producer is not None and (
                type(self._tempDataBuffer) is not bytes
                or self.dataBuffer
                or len(data) > self.bufferSize
            ):
                self._maybePauseProducer()
            if not self._writing:
                self.startWriting()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send several pieces, in one go.

        Raises:
            TypeError: If one is text, say.
            WrongThreadError: As `write`.
        """
        self.write(b"".join([x if type(x) is bytes else asBytes(x) for x in iovec]))

    def writeSomeData(self, data: bytes | memoryview) -> int | BaseException:
        """Send what there is room for; return how much, or why the connection has ended."""
        try:
            return self.socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return ConnectionLost()

    def startWriting(self) -> None:
        """Send what is buffered, on the loop's next turn."""
        if not self._writing and not self._aborting and not self.disconnected:
            super().startWriting()

    def startReading(self) -> None:
        """Read what comes."""
        if not self._reading and not self._aborting and not self.disconnected:
            super().startReading()

    def _closeWriteConnection(self) -> BaseException | None:
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the peer has gone: reading tells
        protocol = self.protocol
        if IHalfCloseableProtocol.providedBy(protocol):
            protocol.writeConnectionLost()  # an error ends the connection, as any of doWrite's does
        return None

    # ---- what the owner asks for -----------------------------------------------------------------

    def loseConnection(self, _connDone: Failure | None = None) -> None:
        """Close the connection once all that was written is sent. Nothing more is read.

        While a producer is registered that has been paused, or that waits to be asked, it is asked
        for more first.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if not self._elsewhere(self.loseConnection):
            super().loseConnection(_connDone)

    def loseWriteConnection(self) -> None:
        """Close the direction for writing once all that was written is sent; go on reading.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if not self._elsewhere(self.loseWriteConnection):
            super().loseWriteConnection()

    def abortConnection(self) -> None:
        """End the connection now: what was not sent is dropped, and the peer sees a reset.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere(self.abortConnection) or self.disconnected or self._aborting:
            return
        self._aborting = True
        self.stopReading()
        self.stopWriting()
        self._later(self._lost, Failure(ConnectionAborted()))

    def pauseProducing(self) -> None:
        """Read no more for now; the peer has to wait once the system's buffers are full.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if not self._elsewhere(self.pauseProducing):
            self.stopReading()

    def resumeProducing(self) -> None:
        """Read again.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if not self._elsewhere(self.resumeProducing):
            super().resumeProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let a producer write here, no faster than what it writes is sent.

        Args:
            producer: Has `resumeProducing`, `stopProducing` and, if it streams, `pauseProducing`.
            streaming: Whether it writes on its own until it is paused. Else it writes something
                each time that `resumeProducing` is called.

        Raises:
            RuntimeError: If there is one already.
            WrongThreadError: In another thread than the loop's.
        """
        if not self._elsewhere(self.registerProducer, producer, streaming):
            super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Let the producer go. A connection that is to be closed waited for that.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if not self._elsewhere(self.unregisterProducer):
            super().unregisterProducer()

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """Speak TLS from now on.

        Args:
            ctx: An `ssl.SSLContext`, or what makes one.
            normal: Whether the side that has connected is TLS's client.

        Raises:
            RuntimeError: It speaks TLS already.
            TypeError: There is no context for this side to be had.
            WrongThreadError: In another thread than the loop's.
        """
        if not self._elsewhere(self.startTLS, ctx, normal):
            from twistlike._transports.start_tls import startTLS

            startTLS(self, ctx, self._hasConnected is bool(normal))

    def getTcpNoDelay(self) -> bool:
        """Return whether small packets are sent at once."""
        return bool(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Set whether small packets are sent at once, without waiting for the last ones' arrival.

        Args:
            enabled: Whether.
        """
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, bool(enabled))

    def getTcpKeepAlive(self) -> bool:
        """Return whether the system checks now and then that an idle peer is there."""
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Set whether the system checks now and then that an idle peer is there.

        Args:
            enabled: Whether.
        """
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, bool(enabled))

    # ---- the end ---------------------------------------------------------------------------------

    def connectionLost(self, reason: Failure) -> None:
        """End: close the socket and tell the protocol.

        Args:
            reason: Why. `ConnectionAborted` lets the peer see a reset.
        """
        if not hasattr(self, "socket"):
            return  # it has ended
        self._net.open.pop(self, None)
        hasTransport = self.connected  # the protocol has been given it
        try:
            FileDescriptor.connectionLost(self, reason)
        except BaseException as error:  # its producer's
            fatal = self._net.onError(error, self.connectionLost)
            if fatal is not None:
                raise fatal from None
        finally:
            self._tempDataBuffer, self.dataBuffer, self.offset = b"", b"", 0
            # Most end in order, and to look at the type is quicker.
            orderly = reason.type is ConnectionDone or reason.check(ConnectionAborted) is None
            self._close(orderly)
            protocol = self.protocol
            del self.protocol, self.socket
            if hasTransport:
                self._tellLost(protocol, reason)

    def _close(self, orderly: bool) -> None:
        closeSocket(self.socket, orderly)

    def _tellLost(self, protocol: Any, reason: Failure) -> None:
        tell = protocol.connectionLost
        try:
            callHook(tell, reason)
        except BaseException as error:
            fatal = self._net.onError(error, tell)  # its report names the protocol's method
            if fatal is not None:
                raise fatal from None


showAs("twistlike.internet.tcp", globals(), ["Connection"])
