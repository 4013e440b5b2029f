"""Limits on the number of connections, and on bytes per second. Thread: the reactor's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._log import legacy
from twistlike._net.protocol import ServerFactory
from twistlike._net.wrapping import ProtocolWrapper, WrappingFactory
from twistlike._reactor.current import currentReactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twistlike._base.interfaces import IDelayedCall

__all__ = [
    "LimitConnectionsByPeer",
    "LimitTotalConnectionsFactory",
    "ThrottlingFactory",
    "ThrottlingProtocol",
]


class LimitTotalConnectionsFactory(ServerFactory[Any]):
    """A server's factory with a limit to the number of its connections.

    Attributes:
        connectionCount: How many there are.
        connectionLimit: How many there may be; None: any number.
        overflowProtocol: What is called for the protocol of a connection beyond the limit, which
            should say so and close; None: such a connection is closed without a word.
    """

    connectionCount = 0
    connectionLimit: int | None = None
    overflowProtocol: Callable[[], Any] | None = None

    def buildProtocol(self, addr: Any) -> Any:
        """Make the protocol of a connection.

        Args:
            addr: The other end's address.

        Returns:
            The protocol, wrapped; None where the connection is one too many.
        """
        limit = self.connectionLimit
        if limit is None or self.connectionCount < limit:
            wrapped = super().buildProtocol(addr)
        elif self.overflowProtocol is None:
            return None
        else:
            wrapped = self.overflowProtocol()
            wrapped.factory = self
        self.connectionCount += 1
        return ProtocolWrapper(self, wrapped)

    def registerProtocol(self, p: Any) -> None:
        """Hear of a connection."""

    def unregisterProtocol(self, p: Any) -> None:
        """Hear of the end of a connection."""
        self.connectionCount -= 1


class LimitConnectionsByPeer(WrappingFactory):
    """A factory around another one, with a limit to the number of each host's connections.

    Attributes:
        maxConnectionsPerPeer: How many a host may have.
        peerConnections: How many each host has.
    """

    maxConnectionsPerPeer = 5

    def __init__(self, wrappedFactory: Any) -> None:
        super().__init__(wrappedFactory)
        self.peerConnections: dict[Any, int] = {}

    def startFactory(self) -> None:
        """Begin with no connections."""
        self.peerConnections = {}

    def buildProtocol(self, addr: Any) -> Any:
        """Wrap the protocol that the other factory makes.

        Args:
            addr: The other end's address.

        Returns:
            The wrapper. None where the host has enough, or the other factory makes none.
        """
        host = _hostOf(addr)
        if self.peerConnections.get(host, 0) >= self.maxConnectionsPerPeer:
            return None
        wrapper = super().buildProtocol(addr)
        if wrapper is not None:
            # Not asked of the transport at the end: that may not know any more.
            wrapper._peerHost = host
            self.peerConnections[host] = self.peerConnections.get(host, 0) + 1
        return wrapper

    def unregisterProtocol(self, p: Any) -> None:
        """Hear of the end of a connection."""
        super().unregisterProtocol(p)
        count = self.peerConnections.get(p._peerHost, 0) - 1
        if count > 0:
            self.peerConnections[p._peerHost] = count
        else:
            self.peerConnections.pop(p._peerHost, None)


def _hostOf(addr: Any) -> Any:
    """Return what connections are counted by: an address's host; else the address, or its name."""
    host = getattr(addr, "host", None)
    if host is None and isinstance(addr, tuple) and addr:
        host = addr[0]
    return getattr(addr, "name", addr) if host is None else host


class ThrottlingProtocol(ProtocolWrapper):
    """Counts its bytes, and reads and writes nothing while its factory says so."""

    producer: Any = None

    def write(self, data: bytes) -> None:
        """Count, and send."""
        self.factory.registerWritten(len(data))
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Count, and send."""
        pieces = list(data)
        self.factory.registerWritten(sum(map(len, pieces)))
        super().writeSequence(pieces)

    def dataReceived(self, data: bytes) -> None:
        """Count, and hand on."""
        self.factory.registerRead(len(data))
        super().dataReceived(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer, which is paused when too much was written."""
        self.producer = producer
        super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self.producer = None
        super().unregisterProducer()

    def throttleReads(self) -> None:
        """Read nothing for now."""
        self.transport.pauseProducing()

    def unthrottleReads(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    def throttleWrites(self) -> None:
        """Let the producer write nothing for now. Without one, writing goes on."""
        pause = getattr(self.producer, "pauseProducing", None)
        if pause is not None:
            pause()

    def unthrottleWrites(self) -> None:
        """Let the producer write again."""
        if self.producer is not None:
            self.producer.resumeProducing()


class ThrottlingFactory(WrappingFactory):
    """A factory around another one, with limits to all connections together.

    Each second the bytes of the last one are counted; if there were too many, nothing is read, or
    written by producers, for as long as makes good for it.

    Args:
        wrappedFactory: The other factory.
        maxConnectionCount: How many connections there may be; others are closed.
        readLimit: Bytes per second that are read; None: any number.
        writeLimit: Bytes per second that are written; None: any number.
    """

    protocol = ThrottlingProtocol

    def __init__(
        self,
        wrappedFactory: Any,
        maxConnectionCount: int = sys.maxsize,
        readLimit: float | None = None,
        writeLimit: float | None = None,
    ) -> None:
        super().__init__(wrappedFactory)
        self.connectionCount = 0
        self.maxConnectionCount = maxConnectionCount
        self.readLimit = readLimit
        self.writeLimit = writeLimit
        self.readThisSecond = 0
        self.writtenThisSecond = 0
        self.checkReadBandwidthID: IDelayedCall | None = None
        self.checkWriteBandwidthID: IDelayedCall | None = None
        self.unthrottleReadsID: IDelayedCall | None = None
        self.unthrottleWritesID: IDelayedCall | None = None

    def callLater(self, period: float, func: Callable[[], object]) -> IDelayedCall:
        """Set a timer, by the running loop's reactor. Tests may override it.

        Args:
            period: Seconds from now.
            func: What is called then.

        Returns:
            The timer.
        """
        return currentReactor().callLater(period, func)

    def registerWritten(self, length: int) -> None:
        """Count bytes that a connection has written."""
        self.writtenThisSecond += length

    def registerRead(self, length: int) -> None:
        """Count bytes that a connection has read."""
        self.readThisSecond += length

    def checkReadBandwidth(self) -> None:
        """Stop reading if too much was read in the last second; look again in a second."""
        if self.readLimit is not None and self.readThisSecond > self.readLimit:
            self.throttleReads()
            wait = self.readThisSecond / self.readLimit - 1
            self.unthrottleReadsID = self.callLater(wait, self.unthrottleReads)
        self.readThisSecond = 0
        self.checkReadBandwidthID = self.callLater(1, self.checkReadBandwidth)

    def checkWriteBandwidth(self) -> None:
        """Stop producers if too much was written in the last second; look again in a second."""
        if self.writeLimit is not None and self.writtenThisSecond > self.writeLimit:
            self.throttleWrites()
            wait = self.writtenThisSecond / self.writeLimit - 1
            self.unthrottleWritesID = self.callLater(wait, self.unthrottleWrites)
        self.writtenThisSecond = 0
        self.checkWriteBandwidthID = self.callLater(1, self.checkWriteBandwidth)

    def throttleReads(self) -> None:
        """Let all connections stop reading."""
        legacy.msg(f"{self!r} has read {self.readThisSecond} bytes: it stops reading for a while")
        for each in list(self.protocols):
            each.throttleReads()

    def unthrottleReads(self) -> None:
        """Let all connections read again."""
        self.unthrottleReadsID = None
        legacy.msg(f"{self!r} reads again")
        for each in list(self.protocols):
            each.unthrottleReads()

    def throttleWrites(self) -> None:
        """Let all connections' producers stop writing."""
        legacy.msg(f"{self!r} has written {self.writtenThisSecond} bytes: it stops for a while")
        for each in list(self.protocols):
            each.throttleWrites()

    def unthrottleWrites(self) -> None:
        """Let all connections' producers write again."""
        self.unthrottleWritesID = None
        legacy.msg(f"{self!r} writes again")
        for each in list(self.protocols):
            each.unthrottleWrites()

    def buildProtocol(self, addr: Any) -> Any:
        """Wrap the protocol that the other factory makes.

        Args:
            addr: The other end's address.

        Returns:
            The wrapper. None where the connection is one too many, or the other factory makes none.
        """
        if self.connectionCount >= self.maxConnectionCount:
            legacy.msg(f"{self!r} has {self.connectionCount} connections: one more is closed")
            return None
        wrapper = super().buildProtocol(addr)
        if wrapper is not None:
            if self.connectionCount == 0:
                if self.readLimit is not None:
                    self.checkReadBandwidth()
                if self.writeLimit is not None:
                    self.checkWriteBandwidth()
            self.connectionCount += 1
        return wrapper

    def unregisterProtocol(self, p: Any) -> None:
        """Hear of the end of a connection; after the last one no timer is left."""
        super().unregisterProtocol(p)
        self.connectionCount -= 1
        if self.connectionCount == 0:
            for name in (
                "unthrottleReadsID",
                "checkReadBandwidthID",
                "unthrottleWritesID",
                "checkWriteBandwidthID",
            ):
                call = getattr(self, name)
                if call is not None:
                    call.cancel()
                    setattr(self, name, None)


showAs("twistlike.protocols.policies", globals(), __all__)
