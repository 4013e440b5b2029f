"""Protocols and factories around others, between these and the transport. Thread: the reactor's."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._log import legacy
from twistlike._net.protocol import ClientFactory, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twistlike._base.failure import Failure
    from twistlike._transports.interfaces import IConnector, IProtocol

__all__ = [
    "ProtocolWrapper",
    "SpewingFactory",
    "SpewingProtocol",
    "TrafficLoggingFactory",
    "TrafficLoggingProtocol",
    "WrappingFactory",
]


class ProtocolWrapper(Protocol):
    """A protocol for the transport, and a transport for another protocol.

    What it does not have it takes from the transport.

    Args:
        factory: The factory that has made it.
        wrappedProtocol: The other protocol. It is let go when the connection ends.

    Attributes:
        disconnecting: 1 once `loseConnection` was called.
    """

    disconnecting = 0
    wrappedProtocol: Any

    def __init__(self, factory: Any, wrappedProtocol: Any) -> None:
        self.wrappedProtocol = wrappedProtocol
        self.factory = factory

    def logPrefix(self) -> str:
        """Return both protocols' names."""
        return _prefix(self, self.wrappedProtocol)

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, and be the other protocol's.

        Args:
            transport: The connection.
        """
        super().makeConnection(transport)
        self.factory.registerProtocol(self)
        self.wrappedProtocol.makeConnection(self)

    def write(self, data: bytes) -> None:
        """See the transport."""
        self.transport.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """See the transport."""
        self.transport.writeSequence(data)

    def loseConnection(self) -> None:
        """See the transport."""
        self.disconnecting = 1
        self.transport.loseConnection()

    def getPeer(self) -> Any:
        """See the transport."""
        return self.transport.getPeer()

    def getHost(self) -> Any:
        """See the transport."""
        return self.transport.getHost()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See the transport."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """See the transport."""
        self.transport.unregisterProducer()

    def stopConsuming(self) -> None:
        """See the transport."""
        self.transport.stopConsuming()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def dataReceived(self, data: bytes) -> None:
        """Hand bytes to the other protocol.

        Args:
            data: The bytes.
        """
        self.wrappedProtocol.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Tell the factory and the other protocol, and let that go.

        Args:
            reason: Why the connection has ended.
        """
        self.factory.unregisterProtocol(self)
        wrapped, self.wrappedProtocol = self.wrappedProtocol, None
        wrapped.connectionLost(reason)


class WrappingFactory(ClientFactory[Any]):
    """A factory around another one: it wraps the protocols that the other one makes.

    Args:
        wrappedFactory: The other factory, of a server or a client.

    Attributes:
        protocol: What wraps a protocol: is called with this factory and the protocol.
        protocols: The wrappers that are connected, as keys.
    """

    protocol: Any = ProtocolWrapper

    def __init__(self, wrappedFactory: Any) -> None:
        self.wrappedFactory = wrappedFactory
        self.protocols: dict[Any, int] = {}

    def logPrefix(self) -> str:
        """Return both factories' names."""
        return _prefix(self, self.wrappedFactory)

    def doStart(self) -> None:
        """Start the other factory, and this one."""
        self.wrappedFactory.doStart()
        super().doStart()

    def doStop(self) -> None:
        """Stop the other factory, and this one."""
        self.wrappedFactory.doStop()
        super().doStop()

    def startedConnecting(self, connector: IConnector) -> None:
        """Tell the other factory."""
        self.wrappedFactory.startedConnecting(connector)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Tell the other factory."""
        self.wrappedFactory.clientConnectionFailed(connector, reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """Tell the other factory."""
        self.wrappedFactory.clientConnectionLost(connector, reason)

    def buildProtocol(self, addr: Any) -> Any:
        """Wrap the protocol that the other factory makes.

        Args:
            addr: The other end's address.

        Returns:
            The wrapper. None where the other factory makes none: the connection is closed.
        """
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self._wrap(wrapped)

    def _wrap(self, wrapped: IProtocol) -> Any:
        return self.protocol(self, wrapped)

    def registerProtocol(self, p: Any) -> None:
        """Hear of a wrapper that has got its transport."""
        self.protocols[p] = 1

    def unregisterProtocol(self, p: Any) -> None:
        """Hear of a wrapper whose connection has ended."""
        del self.protocols[p]


def _prefix(wrapper: Any, wrapped: Any) -> str:
    """Return the names of what is wrapped and of its wrapper, for the log."""
    logPrefix = getattr(type(wrapped), "logPrefix", None)
    name = type(wrapped).__name__ if logPrefix is None else wrapped.logPrefix()
    return f"{name} ({type(wrapper).__name__})"


class SpewingProtocol(ProtocolWrapper):
    """Logs all that goes through it."""

    def dataReceived(self, data: bytes) -> None:
        """Log what is received."""
        legacy.msg(f"Received: {data!r}")
        super().dataReceived(data)

    def write(self, data: bytes) -> None:
        """Log what is sent."""
        legacy.msg(f"Sending: {data!r}")
        super().write(data)


class SpewingFactory(WrappingFactory):
    """Logs all that goes through the connections of another factory."""

    protocol = SpewingProtocol


class TrafficLoggingProtocol(ProtocolWrapper):
    """Writes what goes through a connection into a text file.

    Each line begins with what happens ("*" connected, "C" received or lost, "S" sent, "SV" sent in
    pieces) and the number of the connection. The file is closed when the connection ends.

    Args:
        factory: The factory that has made it.
        wrappedProtocol: The protocol that it wraps.
        logfile: The file, open for writing text; None for none.
        lengthLimit: How many bytes are shown of each piece; None: all.
        number: The number of the connection.
    """

    def __init__(
        self,
        factory: Any,
        wrappedProtocol: Any,
        logfile: IO[str] | None,
        lengthLimit: int | None = None,
        number: int = 0,
    ) -> None:
        super().__init__(factory, wrappedProtocol)
        self.logfile = logfile
        self.lengthLimit = lengthLimit
        self._number = number

    def _log(self, line: str) -> None:
        if self.logfile is not None:
            self.logfile.write(line + "\n")
            self.logfile.flush()

    def _mungeData(self, data: bytes) -> bytes:
        limit = self.lengthLimit
        if limit is not None and len(data) > limit:
            data = data[:limit] + b"<... %d bytes more>" % (len(data) - limit)
        return data

    def connectionMade(self) -> None:
        """Note the beginning."""
        self._log("*")

    def dataReceived(self, data: bytes) -> None:
        """Note what is received."""
        self._log(f"C {self._number}: {self._mungeData(data)!r}")
        super().dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Note the end."""
        self._log(f"C {self._number}: {reason!r}")
        try:
            super().connectionLost(reason)
        finally:
            logfile, self.logfile = self.logfile, None
            if logfile is not None:
                logfile.close()

    def write(self, data: bytes) -> None:
        """Note what is sent."""
        self._log(f"S {self._number}: {self._mungeData(data)!r}")
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Note what is sent."""
        pieces = list(data)
        self._log(f"SV {self._number}: {[self._mungeData(piece) for piece in pieces]!r}")
        super().writeSequence(pieces)

    def loseConnection(self) -> None:
        """Note that this end wants to close."""
        self._log(f"S {self._number}: *")
        super().loseConnection()


class TrafficLoggingFactory(WrappingFactory):
    """Writes what goes through the connections of another factory into files, one for each.

    Args:
        wrappedFactory: The other factory.
        logfilePrefix: How the files' names begin; a dash and the connection's number follow.
        lengthLimit: How many bytes are shown of each piece; None: all.
    """

    protocol = TrafficLoggingProtocol

    _counter = 0

    def __init__(
        self, wrappedFactory: Any, logfilePrefix: str, lengthLimit: int | None = None
    ) -> None:
        super().__init__(wrappedFactory)
        self.logfilePrefix = logfilePrefix
        self.lengthLimit = lengthLimit

    def open(self, name: str) -> IO[str]:
        """Open a file. Subclasses may override it.

        Args:
            name: Its name.

        Returns:
            The file, open for writing text.
        """
        return open(name, "w", encoding="utf-8")

    def _wrap(self, wrapped: IProtocol) -> Any:
        self._counter += 1
        logfile = self.open(f"{self.logfilePrefix}-{self._counter}")
        return self.protocol(self, wrapped, logfile, self.lengthLimit, self._counter)

    def resetCounter(self) -> None:
        """Number the connections from 1 on again."""
        self._counter = 0


showAs("twistlike.protocols.policies", globals(), __all__)
