"""A factory whose one connection, or the failure to make it, fires a Deferred.

Thread: the reactor's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.declarations import alsoProvides
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.network_error import ConnectingCancelledError, NoProtocol
from twistlike._defer.deferred import Deferred
from twistlike._net.protocol import ClientFactory, Protocol, connectionDone
from twistlike._transports.factories import LISTENS, checkFactory, checkProtocol
from twistlike._transports.interfaces import (
    IFileDescriptorReceiver,
    IHalfCloseableProtocol,
    IHandshakeListener,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._transports.interfaces import IConnector, IProtocolFactory

__all__ = ["_WrappingFactory", "_WrappingProtocol", "attempt"]

DECLARED = (IHalfCloseableProtocol, IFileDescriptorReceiver, IHandshakeListener)
"""What the wrapper of a protocol declares if the protocol does."""


class _WrappingProtocol(Protocol):
    """Tells a Deferred that the connection is there; then hands everything on.

    Where the transport allows it, the wrapped protocol takes this one's place then, so that the
    connection's data has no detour.

    Args:
        connectedDeferred: Fires with the protocol.
        wrappedProtocol: The protocol.
    """

    def __init__(self, connectedDeferred: Deferred[Any], wrappedProtocol: Any) -> None:
        self._connectedDeferred = connectedDeferred
        self._wrappedProtocol = wrappedProtocol
        declared = [each for each in DECLARED if each.providedBy(wrappedProtocol)]
        if declared:
            alsoProvides(self, *declared)

    def logPrefix(self) -> str:
        """Return the protocol's name for logs."""
        prefix = getattr(self._wrappedProtocol, "logPrefix", None)
        return type(self._wrappedProtocol).__name__ if prefix is None else prefix()

    def connectionMade(self) -> None:
        """Give the protocol the transport, then fire the Deferred."""
        self._wrappedProtocol.makeConnection(self.transport)
        for name in ("protocol", "wrappedProtocol"):  # the latter is TLS's
            if getattr(self.transport, name, None) is self:
                setattr(self.transport, name, self._wrappedProtocol)
        if not self._connectedDeferred.called:
            self._connectedDeferred.callback(self._wrappedProtocol)

    def dataReceived(self, data: bytes) -> None:
        """Hand data on."""
        self._wrappedProtocol.dataReceived(data)

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """Hand a descriptor on."""
        self._wrappedProtocol.fileDescriptorReceived(descriptor)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Hand the end on."""
        self._wrappedProtocol.connectionLost(reason)

    def readConnectionLost(self) -> None:
        """Hand the end of reading on."""
        self._wrappedProtocol.readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Hand the end of writing on."""
        self._wrappedProtocol.writeConnectionLost()

    def handshakeCompleted(self) -> None:
        """Hand the end of the TLS handshake on."""
        self._wrappedProtocol.handshakeCompleted()


class _WrappingFactory(ClientFactory[Any]):
    """Makes one connection for another factory, and fires a Deferred.

    Args:
        wrappedFactory: Makes the protocol.
    """

    noisy = False
    protocol: Any = _WrappingProtocol

    def __init__(self, wrappedFactory: IProtocolFactory) -> None:
        self._wrappedFactory = wrappedFactory
        self._onConnection: Deferred[Any] = Deferred(self._canceller)
        self._connector: IConnector | None = None

    def logPrefix(self) -> str:
        """Return the factory's name for logs."""
        prefix = getattr(self._wrappedFactory, "logPrefix", None)
        return type(self._wrappedFactory).__name__ if prefix is None else prefix()

    def startedConnecting(self, connector: IConnector) -> None:
        """Keep the connector, to give up with."""
        self._connector = connector

    def _canceller(self, deferred: Deferred[Any]) -> None:
        """Give the attempt up."""
        connector = self._connector
        if connector is None:
            deferred.errback(Failure(ConnectingCancelledError(None)))
            return
        deferred.errback(Failure(ConnectingCancelledError(connector.getDestination())))
        # It may be connected already, while the protocol waits for something before it is there.
        stop = connector.stopConnecting if _isConnecting(connector) else connector.disconnect
        stop()

    def doStart(self) -> None:
        """Hand it on: the factory is used from now on."""
        self._wrappedFactory.doStart()

    def doStop(self) -> None:
        """Hand it on: the factory is used no more."""
        self._wrappedFactory.doStop()

    def buildProtocol(self, addr: Any) -> Any:
        """Make the protocol, in its wrapper; without one the attempt has failed."""
        try:
            protocol = self._wrappedFactory.buildProtocol(addr)
            if protocol is None:
                raise NoProtocol(f"{self._wrappedFactory!r} has made no protocol for {addr!r}")
            checkProtocol(protocol, self._wrappedFactory)
        except Exception as error:
            if not self._onConnection.called:
                self._onConnection.errback(Failure(error))
            return None
        return self.protocol(self._onConnection, protocol)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Fire the Deferred with the reason."""
        if not self._onConnection.called:
            self._onConnection.errback(reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """Fire the Deferred if the connection has ended before it was made."""
        if not self._onConnection.called:
            self._onConnection.errback(reason)


def _isConnecting(connector: Any) -> bool:
    return getattr(connector, "state", "connecting") == "connecting"


def attempt(
    protocolFactory: IProtocolFactory, connect: Callable[[ClientFactory[Any]], object]
) -> Deferred[Any]:
    """Make one connection.

    Args:
        protocolFactory: Makes the protocol.
        connect: Called with the factory to connect.

    Returns:
        A Deferred with the protocol. Cancelling gives the attempt up.
    """
    factory = _WrappingFactory(protocolFactory)
    try:
        checkFactory(protocolFactory, LISTENS, "an endpoint")
        connect(factory)
    except Exception as error:
        if not factory._onConnection.called:
            factory._onConnection.errback(Failure(error))
    return factory._onConnection


showAs("twistlike.internet.endpoints", globals(), ["_WrappingFactory", "_WrappingProtocol"])
