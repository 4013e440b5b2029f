"""What a file descriptor that is written to does, whatever moves its bytes: the upper half.

Thread: the reactor's.

How it works
------------
`write` only keeps the bytes. `doWrite` hands them to `writeSomeData`, which a subclass has, when
there is room; what came in one turn goes out in one piece. When all is out, a producer that was
paused is asked for more; else the connection is closed, if that was asked for; else only its
direction for writing is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.error import ConnectionDone
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._transports.interfaces import ILoggingContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["FileDescriptor", "asBytes", "nameForLogs"]


def asBytes(data: Any) -> bytes:
    """Return a copy of data as bytes.

    Raises:
        TypeError: It is text, or nothing that has bytes.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    error = TypeError("Data must be bytes")  # programs look for this text of Twisted's
    hint = "; encode it first" if isinstance(data, str) else ""
    error.add_note(f"it is {type(data).__name__}{hint}")
    raise error


def nameForLogs(ob: object) -> str:
    """Return the name that a protocol or a factory gives itself in logs, else that of its class."""
    if ILoggingContext.providedBy(ob):
        named: Any = ob
        return str(named.logPrefix())
    return type(ob).__name__


class FileDescriptor:
    """Something with a file descriptor that reads, and writes what it has buffered.

    A subclass has `fileno`, `doRead`, `writeSomeData`, and says what happens at the end by
    extending `connectionLost`. This class is watched by `reactor.addReader` and `addWriter`.

    Args:
        reactor: The reactor.
    """

    connected: Any
    disconnected: Any = 0
    disconnecting: Any
    producer: Any
    streamingProducer: Any = False
    producerPaused: Any = False
    bufferSize = 2**16
    """How many bytes are read at once, and may be buffered before a producer is paused."""
    SEND_LIMIT = 2**17
    """How many bytes are sent at once: a fast peer must not keep the loop from the others."""

    dataBuffer: bytes
    offset = 0
    # What was written since doWrite was last called: most often one piece, which needs no list.
    _tempDataBuffer: bytes | list[bytes]
    _tempDataLen = 0  # of the list
    _writeDisconnecting: bool
    _writeDisconnected: bool
    _congested = False  # what was taken by the layer below is not all out

    def __init__(self, reactor: Any = None) -> None:
        self.reactor = reactor
        # What each message looks at is in the object, and not in its class as well: an attribute
        # that is in both costs 40 ns for 8, which made an echo twice as dear.
        self._writeDisconnecting = self._writeDisconnected = False
        self.connected = self.disconnecting = 0
        self.producer = None
        self.dataBuffer = self._tempDataBuffer = b""

    # ---- what a subclass has ---------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor; -1 if there is none (any more)."""
        return -1

    def doRead(self) -> BaseException | None:
        """Read. Return why the connection has ended, if it has."""
        raise NotImplementedError(f"{type(self).__name__} has no doRead")

    def writeSomeData(self, data: bytes | memoryview) -> int | BaseException:
        """Write what there is room for.

        Returns:
            The number of bytes, or why the connection has ended.
        """
        raise NotImplementedError(f"{type(self).__name__} has no writeSomeData")

    def getHost(self) -> Any:
        """Return the address of this end."""
        raise NotImplementedError(f"{type(self).__name__} has no getHost")

    def getPeer(self) -> Any:
        """Return the address of the other end."""
        raise NotImplementedError(f"{type(self).__name__} has no getPeer")

    def logPrefix(self) -> str:
        """Return a name for logs."""
        return "-"

    # ---- watching --------------------------------------------------------------------------------

    def startReading(self) -> None:
        """Have `doRead` called when there is something to read."""
        self.reactor.addReader(self)

    def stopReading(self) -> None:
        """Have `doRead` called no longer."""
        self.reactor.removeReader(self)

    def startWriting(self) -> None:
        """Have `doWrite` called when there is room to write."""
        self.reactor.addWriter(self)

    def stopWriting(self) -> None:
        """Have `doWrite` called no longer."""
        self.reactor.removeWriter(self)

    # ---- writing ---------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes, soon. After the connection's end they are dropped.

        Args:
            data: The bytes. Other bytes-like objects are copied.

        Raises:
            TypeError: If it is text, say.
        """
        if type(data) is not bytes:
            data = asBytes(data)
        if data and self.connected and not self._writeDisconnected:
            self._keep(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send several pieces, in one go.

        Raises:
            TypeError: If one is text, say.
        """
        self.write(b"".join([x if type(x) is bytes else asBytes(x) for x in iovec]))

    def _keep(self, data: bytes) -> None:
        pending = self._tempDataBuffer
        if not pending:
            self._tempDataBuffer = data
        else:
            self._append(pending, data)
        if self.producer is not None:
            self._maybePauseProducer()
        self.startWriting()

    def _append(self, pending: bytes | list[bytes], data: bytes) -> None:
        if isinstance(pending, bytes):
            self._tempDataBuffer = [pending, data]
            self._tempDataLen = len(pending) + len(data)
        else:
            pending.append(data)
            self._tempDataLen += len(data)

    def _bufferedBytes(self) -> int:
        """Return how many bytes are buffered here."""
        pending = self._tempDataBuffer
        size = len(pending) if isinstance(pending, bytes) else self._tempDataLen
        return len(self.dataBuffer) - self.offset + size

    def _isSendBufferFull(self) -> bool:
        return self._bufferedBytes() > self.bufferSize

    def _maybePauseProducer(self) -> None:
        """Pause a push producer once more is buffered than `bufferSize`."""
        if self.producer is not None and self.streamingProducer and self._isSendBufferFull():
            self.producerPaused = True
            self.producer.pauseProducing()

    def doWrite(self) -> BaseException | None:
        """Write what is buffered, as far as there is room.

        Returns:
            Why the connection has ended, if it has.
        """
        data = self.dataBuffer
        if not data and self._tempDataBuffer:
            pending, self._tempDataBuffer = self._tempDataBuffer, b""
            data = pending if isinstance(pending, bytes) else b"".join(pending)
        if data:
            size = len(data)
            offset = self.offset
            if offset or size > self.SEND_LIMIT:
                sent = self.writeSomeData(memoryview(data)[offset : offset + self.SEND_LIMIT])
            else:
                sent = self.writeSomeData(data)
            if type(sent) is not int:
                return sent  # type: ignore[return-value]
            offset += sent
            if offset < size:
                self.dataBuffer = data
                self.offset = offset
                return None
            if self.dataBuffer:
                self.dataBuffer = b""
                self.offset = 0
        if self._tempDataBuffer or self._congested:
            return None
        self.stopWriting()
        return self._drained()

    def _drained(self) -> BaseException | None:
        """Go on once all is sent: with more, or with the end."""
        producer = self.producer
        if producer is not None and (self.producerPaused or not self.streamingProducer):
            self.producerPaused = False
            producer.resumeProducing()
        elif self.disconnecting:
            return self._postLoseConnection()
        elif self._writeDisconnecting and not self._writeDisconnected:
            self._writeDisconnected = True
            return self._closeWriteConnection()
        return None

    def _postLoseConnection(self) -> BaseException | None:
        """Return why the connection ends now that all is sent; a subclass may do more first."""
        return ConnectionDone()

    def _closeWriteConnection(self) -> BaseException | None:
        """Close the direction for writing, now that all is sent."""
        return None

    # ---- the end ---------------------------------------------------------------------------------

    def loseConnection(self, _connDone: Failure | None = None) -> None:
        """Close the connection once all that was written is sent. Nothing more is read."""
        if self.connected and not self.disconnecting:
            self.stopReading()
            if self._writeDisconnected:
                # Nothing is going to be written, whose end would end the connection.
                self.stopWriting()
                reason = _connDone or Failure(ConnectionDone())
                self._later(self.connectionLost, reason)
            else:
                self.disconnecting = 1
                self.startWriting()

    def loseWriteConnection(self) -> None:
        """Close the direction for writing once all that was written is sent."""
        self._writeDisconnecting = True
        self.startWriting()

    def _later(self, function: Callable[..., object], *args: Any) -> None:
        self.reactor.callLater(0, function, *args)

    def readConnectionLost(self, reason: Failure) -> None:
        """Hear that the peer writes no more."""
        self.connectionLost(reason)

    def writeConnectionLost(self, reason: Failure) -> None:
        """Hear that the peer reads no more."""
        self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        """End: stop the producer, and be watched no longer.

        Args:
            reason: Why.
        """
        self.disconnected = 1
        self.connected = 0
        producer, self.producer = self.producer, None
        try:
            if producer is not None:
                producer.stopProducing()
        finally:
            self.stopReading()
            self.stopWriting()

    # ---- producers -------------------------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let a producer write here, no faster than what it writes is sent.

        Args:
            producer: Has `resumeProducing`, `stopProducing` and, if it streams, `pauseProducing`.
            streaming: Whether it writes on its own until it is paused. Else it writes something
                each time that `resumeProducing` is called.

        Raises:
            RuntimeError: If there is one already.
        """
        if self.producer is not None:
            raise RuntimeError(
                f"{producer!r} cannot be registered: {self.producer!r} is, and has not been "
                "unregistered"
            )
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        self.producerPaused = False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Let the producer go. A connection that is to be closed waited for that."""
        self.producer = None
        halfClosing = self._writeDisconnecting and not self._writeDisconnected
        if self.connected and (self.disconnecting or halfClosing):
            self.startWriting()

    def stopConsuming(self) -> None:
        """Let the producer go, and close the connection."""
        self.unregisterProducer()
        self.loseConnection()

    def resumeProducing(self) -> None:
        """Read again, as a producer of what the peer writes."""
        if self.connected and not self.disconnecting:
            self.startReading()

    def pauseProducing(self) -> None:
        """Read no more for now."""
        self.stopReading()

    def stopProducing(self) -> None:
        """Close the connection: nobody wants what it reads."""
        self.loseConnection()


showAs("twistlike.internet.abstract", globals(), ["FileDescriptor"])
